"""Cloning: the noise that is added, policies' act, decode, encode and chains, files, and bad input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from continuous.cloning import clone, load_policy, save_policy
from continuous.demonstrations import Demonstrations
from continuous.demonstrators import demonstrate
from continuous.ensembles import Recipe, fit_ensemble
from continuous.estimators import isotropic_factors, posterior_factors
from continuous.evaluation import compare, evaluate
from continuous.files import FORMAT
from continuous.paths import PATHS, SOLVERS
from continuous.samplers import sample
from continuous.tasks import TASKS
from continuous.training import Training

SHORT = Training(n_steps=3, batch=8)
each = pytest.mark.parametrize("path", list(PATHS))


def seed(number=0):
    return np.random.SeedSequence(number)


# --- Algorithm B ------------------------------------------------------------------------------------------------------


def shown():
    rng = np.random.default_rng(7)
    return Demonstrations(rng.normal(size=(20, 3)), rng.uniform(-1, 1, size=(20, 2)), np.array([8, 20]))


def test_cloning_without_factors_adds_no_noise_and_is_determined_by_the_seed():
    one, two, other = (clone(shown(), 2, seed(k), hidden=(4,), training=SHORT) for k in (8, 8, 9))
    assert np.array_equal(one.denoiser.parameters, two.denoiser.parameters)
    assert not np.array_equal(one.denoiser.parameters, other.denoiser.parameters)
    flow = clone(shown(), 2, seed(8), path="flow", hidden=(4,), training=SHORT)
    assert not np.array_equal(one.denoiser.parameters, flow.denoiser.parameters)
    assert one.added_noise == 0
    chunks = one.act(shown().observations, np.random.default_rng(10))
    assert chunks.shape == (20, 2, 2)
    assert np.abs(chunks).max() <= 1


def test_the_noise_added_by_cloning_has_the_variance_of_its_factors():
    """4000 squared normals per entry: chi-squared bounds that one of the two entries misses with probability 4e-7."""
    training = Training(n_steps=10, batch=400)
    policy = clone(shown(), 1, seed(11), factors=isotropic_factors(shown(), 1, 0.3), hidden=(4,), training=training)
    low, high = stats.chi2.ppf([1e-7, 1 - 1e-7], 4000) / 4000
    assert (low <= (policy.added / 0.3) ** 2).all()
    assert ((policy.added / 0.3) ** 2 <= high).all()
    ensemble = fit_ensemble(shown(), 1, Recipe(n_members=4, hidden=(4,), training=SHORT), seed(12))
    covariance = ensemble.covariance(shown().observations)
    factors = posterior_factors(shown(), ensemble, 2.0)
    assert_allclose(factors @ factors.transpose(0, 2, 1), 4 * covariance, rtol=1e-7, atol=1e-12)
    assert_allclose(posterior_factors(shown(), ensemble, 0.0), 0.0)


def test_rows_whose_factor_is_zero_are_cloned_without_noise():
    """All noise is at one row: noise at any of the other 19 would show in `added`.

    Of 4000 visits it gets about 200: the bounds, binomial and then chi-squared, are missed with probability 2e-7 in all.
    """
    training = Training(n_steps=10, batch=400)
    sigma = np.zeros(20)
    sigma[3] = 0.3
    policy = clone(shown(), 1, seed(11), factors=isotropic_factors(shown(), 1, sigma), hidden=(4,), training=training)
    visits = stats.binom.ppf([2.5e-8, 1 - 2.5e-8], 4000, 1 / 20)
    low, high = (stats.chi2.ppf(p, n) / 4000 for p, n in zip([2.5e-8, 1 - 2.5e-8], visits, strict=True))
    assert (low <= (policy.added / 0.3) ** 2).all()
    assert ((policy.added / 0.3) ** 2 <= high).all()


@pytest.mark.slow
@pytest.mark.compiled
@each
def test_a_cloned_policy_succeeds_on_reach_and_encode_inverts_decode(path):
    """Reach from 50 demonstrations. An untrained policy sometimes succeeds too, so it must be beaten significantly.

    A chunk that latents were carried to leads back to them. (With 4 steps a fifth of them are not found or others are: the
    steps of a sharp policy are then so long that they fold.)
    """
    task = TASKS["reach"]
    demonstrations = demonstrate(task, 50, np.random.default_rng(13))
    policy = clone(demonstrations, 2, seed(14), path=path)
    untrained = clone(demonstrations, 2, seed(14), path=path, training=SHORT)
    trained, luck = (evaluate(task, one, 100, seed(15)) for one in (policy, untrained))
    assert trained.success_rate > 0.8
    assert compare(trained, luck, 1 - 1e-6).interval.low > 0
    seen = demonstrations.observations[::20]
    latents = np.random.default_rng(16).normal(size=(len(seen), 4))
    for n_steps in (8, 16):
        policy = replace(policy, n_steps=n_steps)
        chunks = policy.decode(seen, latents)
        inside = np.abs(chunks).max(axis=(1, 2)) < 1  # what was clipped is not the sampler's own
        found = policy.encode(seen[inside], chunks[inside])
        assert (found.miss < 1e-9).mean() > 0.95
        right = np.abs(found.latents - latents[inside]).max(axis=1) < 1e-3
        assert right.mean() > 0.95
        assert_allclose(policy.decode(seen[inside], found.latents)[right], chunks[inside][right], atol=1e-4)


# --- acting -----------------------------------------------------------------------------------------------------------


@each
def test_decode_is_the_sampler_in_units_of_actions_for_any_number_of_steps(path):
    policy = clone(shown(), 2, seed(17), path=path, hidden=(4,), training=SHORT)
    seen, latents = shown().observations[:5], np.random.default_rng(18).normal(size=(5, 4))
    different = []
    for n_steps in (1, 3, 8):
        one = replace(policy, n_steps=n_steps)
        at = one.denoiser.at(one.observation_scale.apply(seen))
        raw = one.action_scale.undo(sample(at, latents, PATHS[path], n_steps))
        assert_allclose(one.decode(seen, latents), np.clip(raw, -1, 1).reshape(5, 2, 2))
        assert_allclose(one.act(seen, np.random.default_rng(18)), one.decode(seen, latents))
        different.append(one.decode(seen, latents))
    assert not np.allclose(different[0], different[1])
    assert clone(shown(), 2, seed(17), path=path, n_steps=3, hidden=(4,), training=SHORT).n_steps == 3


@each
def test_the_likelihood_of_a_policys_chain_is_that_of_its_normal_steps(path):
    policy = clone(shown(), 1, seed(19), path=path, n_steps=5, hidden=(4,), training=SHORT)
    seen = shown().observations[:6]
    chain = policy.chain(seen, np.random.default_rng(20), floor=0.1)
    assert chain.shape == (6, 6, 2)
    assert np.array_equal(chain, policy.chain(seen, np.random.default_rng(20), floor=0.1))
    assert policy.finished(chain[-1]).shape == (6, 1, 2)
    steps = PATHS[path].steps(5, fresh=True, floor=0.1)
    at = policy.denoiser.at(policy.observation_scale.apply(seen))
    found = policy.chain_log_likelihood(seen, chain, floor=0.1)
    for k in range(5):
        mean = steps.keep[k] * chain[k] + steps.take[k] * at(chain[k], steps.signal[k], steps.noise[k])
        truth = stats.norm(mean, steps.deviation[k]).logpdf(chain[k + 1]).sum(axis=1)
        assert_allclose(found[k], truth, rtol=1e-9)


@each
def test_rational_steps_are_decoded_and_encoded_by_the_sampler(path):
    policy = clone(shown(), 1, seed(17), path=path, solver="rational", hidden=(4,), training=SHORT)
    seen, latents = shown().observations[:5], np.random.default_rng(18).normal(size=(5, 2))
    at = policy.denoiser.at(policy.observation_scale.apply(seen))
    raw = policy.action_scale.undo(sample(at, latents, PATHS[path], 8, solver="rational"))
    chunks = policy.decode(seen, latents)
    assert_allclose(chunks, np.clip(raw, -1, 1).reshape(5, 1, 2))
    assert not np.allclose(chunks, replace(policy, solver="euler").decode(seen, latents))
    inside = np.abs(chunks).max(axis=(1, 2)) < 1
    found = policy.encode(seen[inside], chunks[inside])
    assert found.miss.max(initial=0) < 1e-5
    assert_allclose(found.latents, latents[inside], atol=1e-4)


@each
def test_measuring_the_residual_leaves_training_as_it_is_and_widens_chains(path):
    noise = isotropic_factors(shown(), 1, 0.3)
    plain, measured = (
        clone(shown(), 1, seed(19), factors=noise, path=path, hidden=(4,), training=SHORT, with_residual=known)
        for known in (False, True)
    )
    assert plain.residual is None
    assert np.array_equal(plain.denoiser.parameters, measured.denoiser.parameters)
    assert np.array_equal(plain.added, measured.added)
    seen = shown().observations[:6]
    chain = measured.chain(seen, np.random.default_rng(20), floor=0.1)
    assert not np.allclose(chain[-1], plain.chain(seen, np.random.default_rng(20), floor=0.1)[-1])
    steps = PATHS[path].steps(8, fresh=True, floor=0.1, residual=measured.residual)
    assert (steps.deviation > plain.ancestral_steps(0.1).deviation).any()
    at = measured.denoiser.at(measured.observation_scale.apply(seen))
    found = measured.chain_log_likelihood(seen, chain, floor=0.1)
    for k in range(8):
        mean = steps.keep[k] * chain[k] + steps.take[k] * at(chain[k], steps.signal[k], steps.noise[k])
        assert_allclose(found[k], stats.norm(mean, steps.deviation[k]).logpdf(chain[k + 1]).sum(axis=1), rtol=1e-9)


def test_the_played_noise_is_that_of_the_policys_own_draws():
    policy = clone(shown(), 2, seed(20), hidden=(4,), training=SHORT)
    seen, rng = shown().observations[:4], np.random.default_rng(3)
    draws = np.array([policy.act(seen, rng).reshape(4, -1) for _ in range(5)])
    found = policy.played_noise(seen, 5, np.random.default_rng(3))
    assert_allclose(found.entries, np.sqrt(draws.var(axis=0, ddof=1).mean(axis=0)))


# --- files ------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=8)
@given(st.sampled_from(list(PATHS)), st.integers(1, 3), st.integers(1, 9), st.sampled_from(SOLVERS), st.booleans())
def test_a_policy_read_from_a_file_acts_as_the_saved_one(tmp_path_factory, path, chunk, n_steps, solver, known):
    factors = isotropic_factors(shown(), chunk, 0.2)
    policy = clone(
        shown(), chunk, seed(21), factors=factors, path=path, n_steps=n_steps, solver=solver, with_residual=known,
        hidden=(4, 3), training=SHORT,
    )  # fmt: skip
    file = tmp_path_factory.mktemp("policies") / "p.npz"
    save_policy(file, policy)
    again = load_policy(file)
    assert (again.denoiser.path, again.n_steps, again.action_dim) == (PATHS[path], n_steps, 2)
    assert (again.added_noise, again.solver) == (policy.added_noise, solver)
    seen = shown().observations
    assert np.array_equal(again.act(seen, np.random.default_rng(1)), policy.act(seen, np.random.default_rng(1)))
    chains = [one.chain(seen, np.random.default_rng(2), floor=0.0) for one in (policy, again)]
    assert np.array_equal(*chains)
    assert (again.residual is not None) == known


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": np.int64(FORMAT + 1)}, "format"),
        ({"kind": np.array("network")}, "kind 'policy'"),
        ({"parameters": None}, "must hold"),
        ({"parameters": np.zeros(3, np.float32)}, "parameters must have shape"),
        ({"path": np.array("bridge")}, "path must be one of"),
        ({"action_dim": np.int64(3)}, "action_dim must fit"),
        ({"n_steps": np.int64(0)}, "n_steps must be at least 1"),
        ({"n_steps": np.float64(7.5)}, "n_steps must be an integer"),
        ({"action_dim": np.float64(1.5)}, "action_dim must be an integer"),
        ({"added": np.zeros(5)}, "added must fit"),
        ({"observation_mean": np.zeros(1), "observation_spread": np.ones(1)}, "observation_scale must fit"),
        ({"solver": np.array("heun")}, "solver must be one of"),
        ({"residual_ratios": np.ones(2)}, "squares must have shape"),
        ({"action_spread": np.zeros(4)}, "action_spread must be above 0"),
        ({"sizes": np.array(["a"], object)}, "not a complete npz file"),
    ],
)
def test_files_that_hold_no_policy_are_refused(tmp_path, change, message):
    file = tmp_path / "p.npz"
    save_policy(file, clone(shown(), 2, seed(22), hidden=(4,), training=SHORT))
    with np.load(file) as found:
        arrays = {**found, **change}
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises((TypeError, ValueError), match=message):
        load_policy(file)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_constant_observations_and_a_single_episode_can_be_cloned():
    """One constant column is divided by a floor; BC needs no second episode (the trajectory bootstrap does)."""
    rng = np.random.default_rng(23)
    data = Demonstrations(np.full((12, 2), 0.3), rng.uniform(-1, 1, size=(12, 1)), np.array([12]))
    policy = clone(data, 2, seed(24), hidden=(4,), training=SHORT)
    assert np.isfinite(policy.act(data.observations, rng)).all()
    with pytest.raises(ValueError, match="two episodes or more"):
        fit_ensemble(data, 2, Recipe(n_members=2, hidden=(), training=SHORT), seed(25))
    ensemble = fit_ensemble(data, 2, Recipe(n_members=2, version="state-action", hidden=(), training=SHORT), seed(25))
    assert np.isfinite(ensemble.covariance(data.observations)).all()


def test_a_chunk_may_be_longer_than_some_episode_but_not_than_all():
    assert clone(shown(), 12, seed(26), hidden=(), training=SHORT).chunk_size == 24
    with pytest.raises(ValueError, match="longest episode, 12 steps; got 13"):
        clone(shown(), 13, seed(26))


def test_clone_and_policies_name_the_argument_that_is_out_of_range():
    policy, rng = clone(shown(), 1, seed(), hidden=(), training=SHORT), np.random.default_rng(0)
    zeros = np.zeros((1, 3))
    for call, name in (
        (lambda: clone(shown(), 1, seed(), factors=np.zeros((20, 1, 1))), "factors"),
        (lambda: clone(shown(), 1, seed(), factors=np.full((20, 2, 2), np.nan)), "factors"),
        (lambda: clone(shown(), 1, seed(), path="bridge"), "path"),
        (lambda: clone(shown(), 1, seed(), n_steps=0), "n_steps"),
        (lambda: clone(shown(), 1, 0), "seed"),
        (lambda: clone(None, 1, seed()), "demonstrations"),
        (lambda: policy.decode(np.zeros((1, 2)), [[0, 0]]), "observations"),
        (lambda: policy.decode(zeros, [[0, 0, 0]]), "latents"),
        (lambda: policy.decode(zeros * np.nan, [[0, 0]]), "observations"),
        (lambda: policy.encode(zeros, [[0, 0]]), "chunks"),
        (lambda: policy.encode(zeros, [[[0, np.inf]]]), "chunks"),
        (lambda: policy.chain(zeros, rng, floor=-1.0), "floor"),
        (lambda: policy.chain(zeros, 0, floor=0.1), "rng"),
        (lambda: policy.chain_log_likelihood(zeros, np.zeros((3, 1, 2)), floor=0.1), "chain"),
        (lambda: policy.act(3, rng), "observations"),
        (lambda: policy.act(zeros, None), "rng"),
        (lambda: replace(policy, n_steps=0), "n_steps"),
        (lambda: replace(policy, solver="heun"), "solver"),
        (lambda: replace(policy, residual=1.0), "residual"),
        (lambda: clone(shown(), 1, seed(), solver="heun"), "solver"),
        (lambda: clone(shown(), 1, seed(), with_residual=1), "with_residual"),
        (lambda: policy.played_noise(zeros, 1, rng), "n_draws"),
        (lambda: policy.played_noise(zeros[:0], 2, rng), "observations"),
        (lambda: policy.played_noise(zeros, 2, 0), "rng"),
        (lambda: replace(policy, action_dim=3), "action_dim"),
        (lambda: replace(policy, denoiser=None), "denoiser"),
        (lambda: save_policy("p.npz", None), "policy"),
    ):
        with pytest.raises((TypeError, ValueError), match=name):
            call()
