"""Diffusion and cloning: samplers on denoisers known exactly, trained ones on known laws, and what noise was added."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from continuous.cloning import clone, isotropic, posterior
from continuous.demonstrations import Demonstrations
from continuous.demonstrators import demonstrate
from continuous.diffusion import LARGEST, SMALLEST, ancestral, chain_log_likelihood, fit_diffusion, levels, sample
from continuous.ensembles import Recipe, fit_ensemble
from continuous.evaluation import compare, evaluate
from continuous.tasks import TASKS
from continuous.training import Training

SHORT = Training(n_steps=3, batch=8)


def seed(number=0):
    return np.random.SeedSequence(number)


def gaussian(mean, deviation):
    """The exact denoiser of independent normals."""
    return lambda noisy, level: (deviation**2 * noisy + level**2 * mean) / (deviation**2 + level**2)


# --- samplers ---------------------------------------------------------------------------------------------------------


@given(st.integers(2, 40))
def test_levels_fall_to_zero(n_steps):
    found = levels(n_steps)
    assert found[0] == LARGEST
    assert found[-2] == pytest.approx(SMALLEST)
    assert found[-1] == 0
    assert (np.diff(found) < 0).all()


@given(st.floats(-1, 1), st.floats(0.3, 1.5), st.integers(0, 2**32))
def test_the_flow_of_a_gaussian_is_its_closed_form(mean, deviation, number):
    """d x/d sigma = (x - D)/sigma keeps (x - mean)/sqrt(deviation^2 + sigma^2); each step before the last errs a little."""
    latents = np.random.default_rng(number).normal(size=(5, 2))
    found = sample(gaussian(mean, deviation), latents, 4000)
    truth = mean + deviation * (LARGEST * latents - mean) / np.hypot(deviation, LARGEST)
    assert_allclose(found, truth, atol=2e-2)


def test_ancestral_samples_of_a_gaussian_have_its_law():
    """Kolmogorov-Smirnov on 4000 samples at 1e-7; a law moved by a quarter deviation is told apart."""
    latents = np.random.default_rng(1).normal(size=(4000, 1))
    found = ancestral(gaussian(0.4, 0.8), latents, 300, np.random.default_rng(2))[-1][:, 0]
    assert stats.kstest(found, stats.norm(0.4, 0.8).cdf).pvalue > 1e-7
    assert stats.kstest(found, stats.norm(0.6, 0.8).cdf).pvalue < 1e-7


def rng_after_latents(number):
    rng = np.random.default_rng(number)
    rng.normal(size=(3, 2))
    return rng


def test_the_likelihood_of_a_chain_is_that_of_its_normal_steps():
    denoise, rng, sigma, floor = gaussian(0.2, 0.5), np.random.default_rng(3), levels(4), 0.1
    chain = ancestral(denoise, rng.normal(size=(3, 2)), 4, rng, floor=floor)
    found = chain_log_likelihood(denoise, chain, floor=floor)
    for k, i in np.ndindex(4, 3):
        clean = denoise(chain[k, i], sigma[k])
        mean = clean + (sigma[k + 1] / sigma[k]) ** 2 * (chain[k, i] - clean)
        variance = sigma[k + 1] ** 2 - sigma[k + 1] ** 4 / sigma[k] ** 2
        law = stats.norm(mean, max(floor, np.sqrt(variance)))
        assert found[k, i] == pytest.approx(law.logpdf(chain[k + 1, i]).sum(), rel=1e-9)
    assert np.array_equal(chain, ancestral(denoise, chain[0] / LARGEST, 4, rng_after_latents(3), floor=floor))


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_modes_and_a_gaussian_are_learnt():
    """At observation -1 the chunk is +-0.9 with deviation 0.1 (0.7 of it above), at +1 normal with mean 0.5, deviation 0.3.

    The seed is fixed; what is allowed is what the network may be off by, with five standard errors of 2000 draws in it.
    """

    def draw(rng, rows):
        sign = np.where(rng.random(rows.size) < 0.7, 0.9, -0.9)
        modes, normal = sign + 0.1 * rng.normal(size=rows.size), 0.5 + 0.3 * rng.normal(size=rows.size)
        return np.where(rows == 0, modes, normal)[:, None]

    training = Training(n_steps=3000, batch=128, rate=2e-3)
    model = fit_diffusion([[-1.0], [1.0]], draw, 1, (64, 64), training, np.random.default_rng(5))
    n = 2000
    for at, seen in enumerate((-1.0, 1.0)):
        latents = np.random.default_rng(6).normal(size=(n, 1))
        found = sample(model.at(np.full((n, 1), seen)), latents, 40)[:, 0]
        if at == 0:
            assert abs((found > 0).mean() - 0.7) < 0.08
            assert np.mean(np.abs(np.abs(found) - 0.9) < 0.35) > 0.93
        else:
            assert abs(found.mean() - 0.5) < 0.06
            assert abs(found.std() - 0.3) < 0.06


# --- Algorithm B ------------------------------------------------------------------------------------------------------


def shown():
    rng = np.random.default_rng(7)
    return Demonstrations(rng.normal(size=(20, 3)), rng.uniform(-1, 1, size=(20, 2)), np.array([8, 20]))


def test_no_noise_is_bc_and_the_seed_decides():
    one, two, other = (clone(shown(), 2, seed(k), hidden=(4,), training=SHORT) for k in (8, 8, 9))
    assert np.array_equal(one.diffusion.parameters, two.diffusion.parameters)
    assert not np.array_equal(one.diffusion.parameters, other.diffusion.parameters)
    assert one.added_noise == 0
    chunks = one.act(shown().observations, np.random.default_rng(10))
    assert chunks.shape == (20, 2, 2)
    assert np.abs(chunks).max() <= 1


def test_the_noise_added_is_what_was_asked_for():
    """4000 squares of normals an entry: chi-squared bounds that are missed by one of the two with probability 4e-7."""
    training = Training(n_steps=10, batch=400)
    policy = clone(shown(), 1, seed(11), factors=isotropic(shown(), 1, 0.3), hidden=(4,), training=training)
    low, high = stats.chi2.ppf([1e-7, 1 - 1e-7], 4000) / 4000
    assert (low <= (policy.added / 0.3) ** 2).all()
    assert ((policy.added / 0.3) ** 2 <= high).all()
    ensemble = fit_ensemble(shown(), 1, Recipe(4, hidden=(4,), training=SHORT), seed(12))
    covariance = ensemble.covariance(shown().observations)
    factors = posterior(shown(), ensemble, 2.0)
    assert_allclose(factors @ factors.transpose(0, 2, 1), 4 * covariance, rtol=1e-7, atol=1e-12)
    assert_allclose(posterior(shown(), ensemble, 0.0), 0.0)


@pytest.mark.slow
def test_a_cloned_policy_reaches():
    """Reach from 50 demonstrations; some luck is enough there, so an untrained policy must be beaten beyond chance."""
    task = TASKS["reach"]
    demonstrations = demonstrate(task, 50, np.random.default_rng(13))
    policy = clone(demonstrations, 2, seed(14))
    untrained = clone(demonstrations, 2, seed(14), training=SHORT)
    trained, luck = (evaluate(task, one, 100, seed(15)) for one in (policy, untrained))
    assert trained.success_rate > 0.8
    assert compare(trained, luck, 1 - 1e-6).interval.low > 0


# --- bad input --------------------------------------------------------------------------------------------------------


def test_bad_arguments_are_named():
    rng = np.random.default_rng(0)
    for call, name in (
        (lambda: levels(0), "n_steps"),
        (lambda: sample(gaussian(0, 1), np.zeros(3), 2), "latents"),
        (lambda: ancestral(gaussian(0, 1), np.zeros((1, 1)), 2, rng, floor=-1.0), "floor"),
        (lambda: chain_log_likelihood(gaussian(0, 1), np.zeros((2, 1, 1)), floor=0.0), "floor"),
        (lambda: fit_diffusion(np.zeros((0, 1)), None, 1, (), SHORT, rng), "observations"),
        (lambda: fit_diffusion([[0.0]], lambda r, i: np.full((i.size, 1), np.nan), 1, (), SHORT, rng), "targets"),
        (lambda: chain_log_likelihood(gaussian(0, 1), np.zeros((1, 1, 1)), floor=0.1), "chain"),
        (lambda: clone(shown(), 1, seed(), factors=np.zeros((20, 1, 1))), "factors"),
        (lambda: clone(shown(), 13, seed()), "length"),
        (lambda: isotropic(shown(), 1, -0.1), "sigma"),
        (
            lambda: clone(shown(), 1, seed(), hidden=(), training=SHORT).decode(np.zeros((1, 2)), [[0, 0]]),
            "observations",
        ),
    ):
        with pytest.raises((TypeError, ValueError), match=name):
            call()
    with pytest.raises((TypeError, ValueError), match="observations"):
        clone(shown(), 1, seed(), hidden=(), training=SHORT).act(3, rng)
    assert levels(1).tolist() == [LARGEST, 0.0]
