"""C: the posterior of a Gaussian mean action (`lemma-gaussian-posterior`, `lemma-perturbation`; steps C.1 to C.4).

Observations x_1..x_T ~ N(mu, Sigma) with Sigma known; prior mu ~ N(0, Lambda_0). Then

    mu given x ~ N(Lambda_post Sigma^-1 sum_t x_t, Lambda_post),    Lambda_post^-1 = Lambda_0^-1 + T Sigma^-1

exactly, and so is the minimiser of a regression on perturbed targets y_t = x_t + w_t, w_t ~ N(0, Sigma), regularised
towards a prior draw m ~ N(0, Lambda_0):

    argmin over mu of sum_t (mu - y_t)' Sigma^-1 (mu - y_t) + (mu - m)' Lambda_0^-1 (mu - m)

Letters: T = number of rows, d = dimension, x = observations, y = perturbed, m = prior_draw, Sigma = noise_covariance,
Lambda_0 = prior_covariance.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.base.validate import array, generator, integer


def gaussian_posterior(
    observations: ArrayLike, noise_covariance: ArrayLike, prior_covariance: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Posterior mean and covariance of the mean action.

    Parameters
    ----------
    observations : array_like of shape (T, d)
        Observed actions.
    noise_covariance, prior_covariance : array_like of shape (d, d)
        Sigma and Lambda_0, positive definite.

    Returns
    -------
    mean : ndarray of shape (d,)
        Lambda_post Sigma^-1 sum_t x_t.
    covariance : ndarray of shape (d, d)
        Lambda_post, with Lambda_post^-1 = Lambda_0^-1 + T Sigma^-1.

    Raises
    ------
    ValueError
        If a covariance is not symmetric and positive definite.

    Source: lemma-gaussian-posterior.
    """
    x = array("observations", observations, shape=(None, None))
    sigma = _covariance("noise_covariance", noise_covariance, x.shape[1])
    prior = _covariance("prior_covariance", prior_covariance, x.shape[1])
    precision = np.linalg.inv(prior) + x.shape[0] * np.linalg.inv(sigma)
    covariance = np.linalg.inv(precision)
    covariance = (covariance + covariance.T) / 2.0  # the inverse is symmetric up to rounding only
    return covariance @ np.linalg.solve(sigma, x.sum(axis=0)), covariance


def perturbed_estimate(
    perturbed: ArrayLike, prior_draw: ArrayLike, noise_covariance: ArrayLike, prior_covariance: ArrayLike
) -> NDArray[np.float64]:
    """Minimise sum_t (mu - y_t)' Sigma^-1 (mu - y_t) + (mu - m)' Lambda_0^-1 (mu - m) over mu.

    Parameters
    ----------
    perturbed : array_like of shape (T, d)
        y_t = x_t + w_t with w_t ~ N(0, Sigma).
    prior_draw : array_like of shape (d,)
        m ~ N(0, Lambda_0).
    noise_covariance, prior_covariance : array_like of shape (d, d)
        Sigma and Lambda_0, positive definite.

    Returns
    -------
    ndarray of shape (d,)
        One exact draw from the posterior, if the perturbations and m are drawn as said.

    Raises
    ------
    ValueError
        If a covariance is not symmetric and positive definite.

    Source: lemma-perturbation.
    """
    y = array("perturbed", perturbed, shape=(None, None))
    draw = array("prior_draw", prior_draw, shape=(y.shape[1],))
    sigma = _covariance("noise_covariance", noise_covariance, y.shape[1])
    prior = _covariance("prior_covariance", prior_covariance, y.shape[1])
    precision = np.linalg.inv(prior) + y.shape[0] * np.linalg.inv(sigma)
    target = np.linalg.solve(sigma, y.sum(axis=0)) + np.linalg.solve(prior, draw)
    return np.asarray(np.linalg.solve(precision, target), dtype=np.float64)


def perturbed_estimates(
    observations: ArrayLike,
    noise_covariance: ArrayLike,
    prior_covariance: ArrayLike,
    n_draws: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw from the posterior by perturbed regressions, one fresh perturbation per draw.

    Parameters
    ----------
    observations : array_like of shape (T, d)
        Observed actions.
    noise_covariance, prior_covariance : array_like of shape (d, d)
        Sigma and Lambda_0, positive definite.
    n_draws : int
        At least 1.
    rng : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    ndarray of shape (n_draws, d)
        Independent posterior draws.

    Raises
    ------
    ValueError
        If a covariance is not symmetric and positive definite.

    Source: lemma-perturbation.
    """
    x = array("observations", observations, shape=(None, None))
    d = x.shape[1]
    sigma = _covariance("noise_covariance", noise_covariance, d)
    prior = _covariance("prior_covariance", prior_covariance, d)
    n_draws = integer("n_draws", n_draws, at_least=1)
    rng = generator("rng", rng)
    noise = rng.standard_normal((n_draws, x.shape[0], d)) @ np.linalg.cholesky(sigma).T
    draws = rng.standard_normal((n_draws, d)) @ np.linalg.cholesky(prior).T
    precision = np.linalg.inv(prior) + x.shape[0] * np.linalg.inv(sigma)
    targets = np.linalg.solve(sigma, (x + noise).sum(axis=1).T) + np.linalg.solve(prior, draws.T)
    return np.asarray(np.linalg.solve(precision, targets).T, dtype=np.float64)


def _covariance(name: str, value: ArrayLike, dimension: int) -> NDArray[np.float64]:
    matrix = array(name, value, shape=(dimension, dimension))
    if not np.allclose(matrix, matrix.T, rtol=1e-10, atol=0.0):
        raise ValueError(f"{name} must be symmetric")
    smallest = float(np.linalg.eigvalsh(matrix)[0]) if dimension else 1.0
    if smallest <= 0.0:
        raise ValueError(f"{name} must be positive definite; its smallest eigenvalue is {smallest:.6g}")
    return matrix
