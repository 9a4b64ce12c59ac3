"""Diffusion and flow: paths, samplers with exact denoisers, trained denoisers on known distributions, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from continuous.diffusion import Denoiser, fit_denoiser
from continuous.networks import Network
from continuous.paths import DIFFUSION, FLOW, LARGEST, SMALLEST
from continuous.samplers import ancestral, chain_log_likelihood, invert, sample
from continuous.training import Training

SHORT = Training(n_steps=3, batch=8)
EACH = st.sampled_from([DIFFUSION, FLOW])
each = pytest.mark.parametrize("path", [DIFFUSION, FLOW], ids=["diffusion", "flow"])


def gaussian(mean, deviation):
    """The exact denoiser of independent normals."""
    variance = np.square(deviation)
    return lambda y, a, s: (variance * a * y + s**2 * mean) / (a**2 * variance + s**2)


def correlated(mean, covariance):
    """The exact denoiser of a normal vector."""
    eye = np.eye(len(mean))
    return lambda y, a, s: mean + (y - a * mean) @ np.linalg.solve(a**2 * covariance + s**2 * eye, a * covariance)


def mixture(weights, means, deviation):
    """The exact denoiser of a mixture of normals on the line."""
    weights, means = np.asarray(weights), np.asarray(means)

    def denoise(y, a, s):
        wide = a**2 * deviation**2 + s**2
        logs = np.log(weights) - (y - a * means) ** 2 / (2 * wide)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return (shares * (means * s**2 + deviation**2 * a * y) / wide).sum(axis=1, keepdims=True)

    return denoise


# --- paths ------------------------------------------------------------------------------------------------------------


@given(EACH, st.integers(1, 40), st.booleans(), st.floats(0, 1))
def test_a_samplers_steps_lead_from_the_noisiest_level_to_the_clean_chunk(path, n_steps, fresh, floor):
    steps = path.steps(n_steps, fresh=fresh, floor=floor)
    ratio = steps.noise / np.maximum(steps.signal, 1e-300)
    assert (np.diff(ratio) < 0).all()
    assert steps.signal[0] == (1 if path is DIFFUSION else 0)
    assert steps.noise[0] == (LARGEST if path is DIFFUSION else 1)
    if n_steps > 1:
        assert ratio[-1] == pytest.approx(SMALLEST)
    assert steps.keep[-1] == 0
    assert steps.take[-1] == 1
    assert steps.deviation[-1] == (floor if fresh else 0)
    assert (steps.deviation >= (floor if fresh else 0)).all()


@given(EACH, st.integers(2, 12), st.floats(-2, 2), st.floats(-2, 2))
def test_a_deterministic_step_towards_a_known_chunk_keeps_its_noise_direction(path, n_steps, clean, z):
    """Deterministic steps carry a x + s z to a' x + s' z."""
    steps = path.steps(n_steps)
    seen = steps.signal * clean + steps.noise * z
    after = steps.keep * seen + steps.take * clean
    assert_allclose(after, np.append(seen[1:], clean), atol=1e-9)


@given(st.integers(2, 20), st.floats(-1, 1), st.floats(-2, 2))
def test_a_step_of_the_flow_is_eulers_along_the_velocity(n_steps, clean, seen):
    steps = FLOW.steps(n_steps)
    time = np.append(steps.signal, 1.0)
    for k in range(n_steps):
        velocity = (clean - seen) / (1 - time[k])
        assert steps.keep[k] * seen + steps.take[k] * clean == pytest.approx(
            seen + (time[k + 1] - time[k]) * velocity, abs=1e-9
        )


@given(EACH, st.integers(0, 2**32))
def test_the_networks_target_gives_the_clean_chunk_and_is_the_stated_formula(path, number):
    rng = np.random.default_rng(number)
    clean, z = rng.normal(size=(2, 6))
    a, s = path.draw(rng, 6).T
    around = path.precondition(a, s)
    target = clean - z if path is FLOW else (s * clean - z) / np.sqrt(1 + s**2)
    assert_allclose(around.skip * (a * clean + s * z) + around.share * target, clean, atol=1e-12)
    if path is DIFFUSION:
        assert (a == 1).all()
        assert ((s >= SMALLEST) & (s <= LARGEST)).all()
    else:
        assert_allclose(a + s, 1)


# --- samplers ---------------------------------------------------------------------------------------------------------


@given(EACH, st.floats(-1, 1), st.floats(0.3, 1.5), st.integers(0, 2**32))
@settings(deadline=None, max_examples=20)
def test_sampling_a_gaussian_matches_the_closed_form_of_its_probability_flow(path, mean, deviation, number):
    """(y - a mean)/sqrt(a^2 deviation^2 + s^2) is kept along the way; Euler's steps err a little."""
    latents = np.random.default_rng(number).normal(size=(5, 2))
    found = sample(gaussian(mean, deviation), latents, path, 2000)
    first = path.steps(2000)
    a, s = first.signal[0], first.noise[0]
    truth = mean + deviation * (s * latents - a * mean) / np.hypot(a * deviation, s)
    assert_allclose(found, truth, atol=1e-2)


@given(EACH, st.integers(1, 12), st.floats(-1, 1), st.floats(0.05, 1.5), st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_invert_recovers_the_latents_of_a_gaussians_sampler(path, n_steps, mean, deviation, number):
    latents = np.random.default_rng(number).normal(size=(4, 3))
    denoise = gaussian(mean, deviation)
    if path is FLOW and n_steps == 1:
        return  # its one step gives the mean for every latent
    found = invert(denoise, sample(denoise, latents, path, n_steps), path, n_steps)
    assert_allclose(found.latents, latents, atol=1e-7)
    assert found.miss.max() < 1e-9


@each
@pytest.mark.parametrize("n_steps", [4, 8, 30])
def test_invert_recovers_the_latents_of_a_mixtures_sampler_between_and_in_its_modes(path, n_steps):
    latents = np.linspace(-2.5, 2.5, 41)[:, None]
    denoise = mixture([0.3, 0.7], [-0.9, 0.9], 0.1)
    found = invert(denoise, sample(denoise, latents, path, n_steps), path, n_steps)
    assert found.miss.max() < 1e-9
    assert_allclose(found.latents, latents, atol=1e-5)


@each
def test_invert_reports_the_miss_of_a_chunk_outside_the_samplers_range(path):
    """This denoiser always returns 0.5, so 0.75 is missed by 0.25."""
    found = invert(lambda y, a, s: np.full_like(y, 0.5), np.array([[0.5], [0.75]]), path, 4)
    assert_allclose(found.miss, [0, 0.25], atol=1e-12)


@each
@pytest.mark.parametrize("law", ["normal", "mixture"])
def test_ancestral_samples_have_the_distribution_of_their_denoiser(path, law):
    """Kolmogorov-Smirnov on 4000 samples at 1e-7; a distribution shifted by a quarter deviation is rejected."""
    if law == "normal":
        denoise, cdf = gaussian(0.4, 0.8), stats.norm(0.4, 0.8).cdf
    else:
        denoise = mixture([0.3, 0.7], [-0.9, 0.9], 0.3)
        cdf = lambda x: 0.3 * stats.norm.cdf(x, -0.9, 0.3) + 0.7 * stats.norm.cdf(x, 0.9, 0.3)  # noqa: E731
    latents = np.random.default_rng(1).normal(size=(4000, 1))
    found = ancestral(denoise, latents, path, 300, np.random.default_rng(2))[-1][:, 0]
    assert stats.kstest(found, cdf).pvalue > 1e-7
    assert stats.kstest(found + 0.2, cdf).pvalue < 1e-7


@each
def test_the_likelihood_of_an_ancestral_chain_is_that_of_its_normal_steps(path):
    """The next level given the present one and the clean chunk, by Bayes' rule in plain numbers."""
    denoise, rng, floor = gaussian(0.2, 0.5), np.random.default_rng(3), 0.1
    latents = rng.normal(size=(3, 2))
    chain = ancestral(denoise, latents, path, 4, rng, floor=floor)
    found = chain_log_likelihood(denoise, chain, path, floor=floor)
    steps = path.steps(4)
    levels = [*zip(steps.signal, steps.noise, strict=True), (1.0, 0.0)]
    for k, i in np.ndindex(4, 3):
        (a, s), (b, t) = levels[k : k + 2]
        clean = denoise(chain[k, i], a, s)
        # y = b clean + N(0, t^2) a priori, and (a/b) y + N(0, s^2 - (a t/b)^2) is seen above it
        gain = t**2 * (a / b) / s**2
        mean = b * clean + gain * (chain[k, i] - a * clean)
        law = stats.norm(mean, max(floor, t * np.sqrt(1 - gain * a / b)))
        assert found[k, i] == pytest.approx(law.logpdf(chain[k + 1, i]).sum(), rel=1e-9)
    again = np.random.default_rng(3)
    again.normal(size=(3, 2))
    assert np.array_equal(chain, ancestral(denoise, latents, path, 4, again, floor=floor))


@each
def test_the_likelihood_of_a_gaussians_whole_chain_is_a_joint_normal_density(path):
    """A linear chain: its joint covariance, built from the steps as matrices, gives the same density."""
    mean, deviation, floor, n = 0.3, 0.7, 0.2, 5
    denoise, rng = gaussian(mean, deviation), np.random.default_rng(4)
    chain = ancestral(denoise, rng.normal(size=(6, 1)), path, n, rng, floor=floor)
    steps = path.steps(n, fresh=True, floor=floor)
    weight = steps.signal * deviation**2 / (steps.signal**2 * deviation**2 + steps.noise**2)
    slope = steps.keep + steps.take * weight
    offset = steps.take * (1 - weight * steps.signal) * mean
    lower = np.eye(n) - np.diag(slope[1:], -1)  # lower @ (y_1, .., y_n) = offset + first + noise
    centre = np.linalg.solve(lower, np.tile(offset, (6, 1)).T + np.outer(np.eye(n)[0], slope[0] * chain[0, :, 0])).T
    spread = np.linalg.inv(lower) @ np.diag(steps.deviation**2) @ np.linalg.inv(lower).T
    truth = [stats.multivariate_normal(m, spread).logpdf(y) for m, y in zip(centre, chain[1:, :, 0].T, strict=True)]
    assert_allclose(chain_log_likelihood(denoise, chain, path, floor=floor).sum(axis=0), truth, rtol=1e-8)


# --- the network ------------------------------------------------------------------------------------------------------


@each
def test_the_denoisers_gradient_matches_finite_differences(path):
    rng = np.random.default_rng(5)
    network = Network((2 + 3 + 1, 5, 3))
    start = rng.normal(size=network.n_parameters)
    observations, noisy, upstream = rng.normal(size=(4, 2)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    a, s = path.draw(rng, 4).T

    def value(parameters):
        denoise = Denoiser(path, network, parameters)
        rows = [denoise.at(observations[[i]])(noisy[[i]], a[i], s[i])[0] for i in range(4)]
        return float((np.stack(rows) * upstream).sum())

    found = Denoiser(path, network, start).gradient(observations, noisy, a, s, upstream)
    for j in range(start.size):
        step = 1e-6 * np.eye(start.size)[j]
        assert found[j] == pytest.approx((value(start + step) - value(start - step)) / 2e-6, rel=1e-6, abs=1e-8)


# --- training ---------------------------------------------------------------------------------------------------------

LEARNING = Training(n_steps=4000, batch=256, rate=2e-3, averaging=0.995)
COVARIANCE = np.array([[0.5, 0.3], [0.3, 0.4]])
CENTRE = np.array([0.3, -0.4])


def trained(path, draw, n_out):
    return fit_denoiser(path, [[0.0]], draw, n_out, (64, 64), LEARNING, np.random.default_rng(5))


def excess_loss(model, exact, draw, path):
    """Mean square of the network's error against the exact denoiser, in units of its target, over levels it trained at."""
    rng = np.random.default_rng(6)
    clean = draw(rng, np.zeros(4000, int))
    a, s = path.draw(rng, 4000).T[:, :, None]
    noisy = a * clean + s * rng.normal(size=clean.shape)
    share = path.precondition(a[:, 0], s[:, 0]).share
    found = model.at(np.zeros((4000, 1)))(noisy, a[:, 0], s[:, 0])
    truth = np.concatenate([exact(noisy[[i]], a[i], s[i]) for i in range(4000)])
    return float((np.square(found - truth).sum(axis=1) / share**2).mean())


@pytest.mark.slow
@pytest.mark.compiled
@each
def test_a_trained_denoiser_samples_a_known_mixture(path):
    """0.7 at 0.9 and 0.3 at -0.9, deviation 0.3: score, moments, and a two-sample test of 1000 with 1000.

    False alarm below 1e-6 in all for a right model: 4 tests at 2e-7 each. A mixture with equal weights is rejected, as
    is one with deviation 0.6.
    """

    def draw(rng, rows):
        return (np.where(rng.random(rows.size) < 0.7, 0.9, -0.9) + 0.3 * rng.normal(size=rows.size))[:, None]

    model, n = trained(path, draw, 1), 1000
    assert excess_loss(model, mixture([0.3, 0.7], [-0.9, 0.9], 0.3), draw, path) < 0.02
    latents = np.random.default_rng(7).normal(size=(n, 1))
    rng = np.random.default_rng(8)
    for found in (
        sample(model.at(np.zeros((n, 1))), latents, path, 60)[:, 0],
        ancestral(model.at(np.zeros((n, 1))), latents, path, 60, rng)[-1][:, 0],
    ):
        truth = draw(rng, np.zeros(n, int))[:, 0]
        assert stats.ks_2samp(found, truth).pvalue > 2e-7
        assert (
            stats.binomtest(int((found > 0).sum()), n, 0.7 * stats.norm.cdf(3) + 0.3 * stats.norm.sf(3)).pvalue > 2e-7
        )
        assert abs(found.mean() - 0.36) < 5.4 * np.sqrt((0.09 + 0.81 * 0.84) / n)
        variances = np.square(np.abs(found) - 0.9)
        assert abs(variances.mean() - 0.09) < 5.4 * 0.09 * np.sqrt(2 / n) + 1e-3  # 1e-3: what crosses 0
        wrong = np.where(rng.random(n) < 0.5, 0.9, -0.9) + 0.3 * rng.normal(size=n)
        assert stats.ks_2samp(found, wrong).pvalue < 2e-7
        assert abs(np.square(0.6 * rng.normal(size=n)).mean() - 0.09) > 5.4 * 0.09 * np.sqrt(2 / n)


@pytest.mark.slow
@pytest.mark.compiled
@each
def test_a_trained_denoiser_samples_a_known_gaussian_in_the_plane(path):
    """Score, moments, and two-sample tests of four directions; false alarm below 1e-6 together (10 tests at 1e-7).

    A covariance without its correlation is rejected.
    """
    root = np.linalg.cholesky(COVARIANCE)

    def draw(rng, rows):
        return CENTRE + rng.normal(size=(rows.size, 2)) @ root.T

    model, n = trained(path, draw, 2), 1000
    assert excess_loss(model, correlated(CENTRE, COVARIANCE), draw, path) < 0.02
    found = sample(model.at(np.zeros((n, 1))), np.random.default_rng(7).normal(size=(n, 2)), path, 60)
    truth = draw(np.random.default_rng(8), np.zeros(n, int))
    z = stats.norm.isf(0.5e-7)
    assert (np.abs(found.mean(axis=0) - CENTRE) <= z * np.sqrt(np.diag(COVARIANCE) / n)).all()
    low, high = stats.chi2.ppf([0.5e-7, 1 - 0.5e-7], n - 1) / (n - 1)
    spread = np.cov(found.T)
    for towards in np.array([[1, 0], [0, 1], [1, 1], [1, -1]]):
        assert low <= towards @ spread @ towards / (towards @ COVARIANCE @ towards) <= high
        assert stats.ks_2samp(found @ towards, truth @ towards).pvalue > 1e-7
    assert not low <= np.array([1, -1]) @ spread @ [1, -1] / np.trace(COVARIANCE) <= high


# --- bad input --------------------------------------------------------------------------------------------------------


def test_samplers_and_denoisers_name_the_argument_that_is_out_of_range():
    rng, exact = np.random.default_rng(0), gaussian(0, 1)
    model = fit_denoiser(FLOW, [[0.0]], lambda r, i: np.zeros((i.size, 1)), 1, (), SHORT, rng)
    for call, name in (
        (lambda: FLOW.steps(0), "n_steps"),
        (lambda: FLOW.steps(2, fresh=True, floor=np.nan), "floor"),
        (lambda: sample(exact, np.zeros(3), FLOW, 2), "latents"),
        (lambda: sample(exact, [[np.nan]], FLOW, 2), "latents"),
        (lambda: sample(exact, [[0.0]], "flow", 2), "path"),
        (lambda: invert(exact, np.zeros(3), FLOW, 2), "chunks"),
        (lambda: invert(exact, [[np.inf]], FLOW, 2), "chunks"),
        (lambda: invert(exact, [[0.0]], FLOW, 2, max_rounds=0), "max_rounds"),
        (lambda: ancestral(exact, np.zeros((1, 1)), FLOW, 2, rng, floor=-1.0), "floor"),
        (lambda: ancestral(exact, np.zeros((1, 1)), FLOW, 2, 0), "rng"),
        (lambda: chain_log_likelihood(exact, np.zeros((2, 1, 1)), FLOW, floor=0.0), "floor"),
        (lambda: chain_log_likelihood(exact, np.zeros((1, 1, 1)), FLOW, floor=0.1), "chain"),
        (lambda: fit_denoiser(None, [[0.0]], None, 1, (), SHORT, rng), "path"),
        (lambda: fit_denoiser(FLOW, np.zeros((0, 1)), None, 1, (), SHORT, rng), "observations"),
        (lambda: fit_denoiser(FLOW, [[np.nan]], None, 1, (), SHORT, rng), "observations"),
        (lambda: fit_denoiser(FLOW, [[0.0]], lambda r, i: np.full((i.size, 1), np.nan), 1, (), SHORT, rng), "targets"),
        (lambda: fit_denoiser(FLOW, [[0.0]], lambda r, i: np.zeros((i.size, 2)), 1, (), SHORT, rng), "targets"),
        (lambda: model.at([[0.0, 1.0]]), "observations"),
        (lambda: model.gradient([[0.0]], [[np.nan]], 0.5, 0.5, [[1.0]]), "noisy"),
        (lambda: model.gradient([[0.0]], [[0.0]], 0.5, 0.5, [[1.0, 1.0]]), "upstream"),
        (lambda: model.gradient([[0.0]], [[0.0]], np.nan, 0.5, [[1.0]]), "signal"),
        (lambda: model.affine([[0.0]], [[0.0]], 0.5, [np.inf]), "noise"),
    ):
        with pytest.raises((TypeError, ValueError), match=name):
            call()
