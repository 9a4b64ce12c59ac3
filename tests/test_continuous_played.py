"""The noise that a policy plays: draws of known laws, its standard error, and trained policies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from continuous.cloning import clone
from continuous.demonstrations import Demonstrations
from continuous.estimators import isotropic_factors
from continuous.played import played_noise_of
from continuous.training import Training


@given(st.integers(2, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32))
def test_the_noise_is_the_root_of_the_mean_of_the_sample_variances(n, N, D, number):
    draws = np.random.default_rng(number).normal(size=(n, N, D)) + np.arange(N)[:, None]
    found = played_noise_of(draws)
    variances = draws.var(axis=0, ddof=1)
    assert_allclose(found.entries**2, variances.mean(axis=0))
    assert found.total**2 == pytest.approx(variances.mean())


def test_the_standard_error_is_the_spread_of_repeated_measurements():
    """300 measurements; z-scores have mean square 1 up to 5.4 sqrt(2/300) = 0.44, at 1e-7 a test (three tests)."""
    rng, scale = np.random.default_rng(1), np.array([0.3, 1.0])
    mixing = np.array([[1.0, 0.0], [0.8, 0.6]])  # entries that go together
    found = [played_noise_of(scale * (rng.normal(size=(100, 5, 2)) @ mixing.T)) for _ in range(300)]
    scores = np.array([(one.entries - scale) / one.errors for one in found])
    total = np.array([(one.total - np.sqrt(np.mean(scale**2))) / one.error for one in found])
    assert (np.abs((scores**2).mean(axis=0) - 1) < 0.44).all()
    assert abs((total**2).mean() - 1) < 0.44


def test_draws_that_do_not_vary_have_no_noise_and_no_error():
    found = played_noise_of(np.ones((3, 2, 2)))
    assert (found.total, found.error, found.errors.max()) == (0, 0, 0)
    for shape in ((1, 2, 2), (3, 0, 2), (3, 2, 0), (3, 2)):
        with pytest.raises(ValueError, match="draws"):
            played_noise_of(np.ones(shape))


def curved():
    """Noiseless actions, a smooth function of two numbers."""
    rng = np.random.default_rng(0)
    seen = rng.uniform(-1, 1, size=(400, 2))
    done = 0.3 * np.column_stack([np.sin(2 * seen[:, 0]), seen[:, 0] * seen[:, 1]])
    return Demonstrations(seen, done, np.arange(20, 401, 20))


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("path", ["diffusion", "flow"])
@pytest.mark.parametrize("sigma", [0.05, 0.2])
def test_a_policy_plays_the_noise_that_was_added_if_its_steps_are_rational(path, sigma):
    """Noise played at 50 observations, 200 draws at each (standard error 0.6 % or less); BC has noise of its own.

    Added                           0      0.02   0.05   0.10   0.20
    Euler, diffusion                0.013  0.022  0.047  0.087  0.164
    rational, diffusion             0.020  0.033  0.062  0.109  0.203
    ancestral                       0.011  0.020  0.042  0.077  0.141
    ancestral with the residual     0.015  0.028  0.059  0.111  0.205
    Euler, flow                     0.013  0.021  0.042  0.080  0.157
    rational, flow                  0.020  0.030  0.058  0.109  0.210
    ancestral, flow                 0.012  0.018  0.038  0.076  0.142
    ancestral with the residual     0.015  0.025  0.051  0.101  0.202
    Deviations of the chunks here are 0.23 and 0.10, so that 0.02 is 0.1 to 0.2 of them.
    """
    data, training = curved(), Training(n_steps=1500, batch=128, rate=2e-3)
    factors = isotropic_factors(data, 1, sigma)
    policy = clone(
        data, 1, np.random.SeedSequence(2), factors=factors, path=path, hidden=(64, 64), training=training,
        with_residual=True,
    )  # fmt: skip
    seen = np.random.default_rng(1).uniform(-0.8, 0.8, size=(50, 2))
    euler, rational = (
        replace(policy, solver=solver).played_noise(seen, 200, np.random.default_rng(3))
        for solver in ("euler", "rational")
    )
    own = 0.04  # what the network misses, added in squares
    assert 0.97 * sigma < rational.total < 1.03 * np.hypot(sigma, own) + 0.003
    assert euler.total < 0.88 * rational.total
    assert rational.error < 0.01 * rational.total
    chains = np.array([policy.chain(seen, np.random.default_rng(k), floor=0.0)[-1] for k in range(200)])
    ancestral = played_noise_of(chains * policy.action_scale.spread)
    assert 0.97 * sigma < ancestral.total < 1.03 * np.hypot(sigma, own) + 0.003
    # latents' gradient, which DSRL follows: no slope beyond a few deviations of the noise
    rows = seen.repeat(20, axis=0)
    latents = np.random.default_rng(5).standard_normal((1000, 2))
    fitted = replace(policy, solver="rational")
    for j in range(2):
        step = 0.01 * np.eye(2)[j]
        slopes = (fitted.decode(rows, latents + step) - fitted.decode(rows, latents - step)) / 0.02
        assert np.abs(slopes).max() < 5 * np.hypot(sigma, own)
