"""C: the posterior of a Gaussian mean, against textbook cases and sampled moments."""

import numpy as np

from theory.bounds import c_gaussian


def test_gaussian_posterior_in_one_dimension_is_the_textbook_formula():
    mean, covariance = c_gaussian.gaussian_posterior([[1.0], [3.0]], [[2.0]], [[0.5]])
    assert np.allclose(covariance, 1 / (2 + 2 / 2))
    assert np.allclose(mean, (4 / 2) / 3)


def test_gaussian_posterior_without_observations_is_the_prior():
    mean, covariance = c_gaussian.gaussian_posterior(np.empty((0, 2)), np.eye(2), [[2.0, 1.0], [1.0, 3.0]])
    assert np.allclose(mean, 0)
    assert np.allclose(covariance, [[2.0, 1.0], [1.0, 3.0]])


def test_perturbed_estimate_without_perturbation_is_the_posterior_mean(rng):
    x, sigma, prior = (
        rng.standard_normal((5, 2)),
        np.array([[2.0, 0.3], [0.3, 1.0]]),
        np.array([[1.0, -0.2], [-0.2, 0.5]]),
    )
    mean, _ = c_gaussian.gaussian_posterior(x, sigma, prior)
    assert np.allclose(c_gaussian.perturbed_estimate(x, np.zeros(2), sigma, prior), mean)


def test_perturbed_estimates_have_the_mean_and_covariance_of_the_posterior(rng):
    x, sigma, prior = (
        rng.standard_normal((4, 2)),
        np.array([[2.0, 0.3], [0.3, 1.0]]),
        np.array([[1.0, -0.2], [-0.2, 0.5]]),
    )
    mean, covariance = c_gaussian.gaussian_posterior(x, sigma, prior)
    draws = c_gaussian.perturbed_estimates(x, sigma, prior, 40_000, rng)
    error = np.sqrt(np.diag(covariance) / len(draws))
    assert (np.abs(draws.mean(axis=0) - mean) < 5 * error).all()
    assert np.allclose(np.cov(draws.T), covariance, atol=0.02)
