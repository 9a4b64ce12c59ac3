"""Coefficients of a deterministic sampler that is nearly exact for every normal law, whatever its covariance.

Model. In units of the signal a chunk is seen as u = x + sigma z, and a step at the level sigma_j goes by

    u' = k_j u + t_j D(u, sigma_j),    D the mean of the clean chunk at u.

If the clean chunk is normal with mean m, then D(u, sigma) - m = x/(x + sigma^2) (u - m) along an eigenvector of its
covariance with eigenvalue x. So n steps from u = start z, z standard normal, multiply the deviation from m there by

    f(x) = start * product over j of (k_j + t_j x/(x + sigma_j^2)),

a rational function with poles at -sigma_j^2, whatever the eigenvectors are. The sampler has the right deviation in
every direction if f(x) = sqrt(x). Since sqrt(x) = (2/pi) times the integral of x/(x + sigma^2) over sigma from 0 on,

    f(x) = b + sum over j of w_j x/(x + sigma_j^2),    b and w_j above 0,

comes close to it with few levels: w starts at the trapezoidal rule in log(sigma) and is fitted by least squares of the
relative error over deviations from `NARROWEST` to `WIDEST`. With positive weights f has one zero -z_j between each
pole and the next one, so that it is such a product, with k_j = z_j/sigma_j^2 and t_j = 1 - k_j, all in (0, 1). Euler's
step has z_j = sigma_j sigma_{j+1}: it differs by a factor, 0.82 at 8 levels, and at both ends.

The mean is kept by k_j + t_j = 1. Only the first step differs, since the latent has mean 0 and not m: its t is
1 + v/sigma_0^2, v = 1 the variance of standardised chunks, and its k and `start` keep f as it is.

Largest relative error of the deviation from 0.02 to 4, with levels from 8 (20) to 0.03: 2.4 % (4.5 %) at 4 levels,
0.6 % (1.1 %) at 5, 0.4 % (0.5 %) at 8, 0.9 % at 100; 3 or fewer are too few. A law narrower than 0.02, or constant,
comes out with a deviation of 0.008 to 0.02. The mean m is returned as m times 1.001, 1, 0.982 and 0.873 at the
deviations 0.5, 1, 2 and 4 from level 8, and as m times 1, 1, 0.999 and 0.987 from level 20.

Tried and left, at 8 calls: steps that are fitted to each entry's own deviation, as two successive u - D show it, are
within 3 % for independent entries, but off by 2 to 18 % for correlated ones (many times more where the law is nearly
flat), and further off for two modes. Linear predictors from all earlier steps are off by up to 10 % below deviation 1,
and with a corrector by more for narrow laws.

References
----------
Hale, Higham and Trefethen, Computing A^alpha, log(A), and related matrix functions by contour integrals, SIAM Journal
on Numerical Analysis 46, 2008: such sums for the square root.
Golub, Some modified matrix eigenvalue problems, SIAM Review 15, 1973: zeros of such sums as eigenvalues.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from theory.base import validate

FloatArray = NDArray[np.float64]

NARROWEST, WIDEST = 0.02, 4.0
"""Deviations, in units of a chunk's, between which the fit looks."""

_DEVIATIONS = 200  # at which the error is squared, even in the logarithm
_RIDGE = 3e-3  # on relative changes of the weights: without it many levels would give wild ones
_LEAST = 0.01  # of the trapezoidal weight: a level of weight 0 would be no step


@dataclass(frozen=True, eq=False, kw_only=True)
class RationalSteps:
    """Steps in units of the signal: u becomes keep u + take D(u, levels).

    Attributes
    ----------
    levels : ndarray, (n_steps,)
        Noise over signal at which each step begins, the largest first.
    keep, take : ndarray, (n_steps,)
        Coefficients of the steps.
    start : float
        Deviation of the first u.
    """

    levels: FloatArray
    keep: FloatArray
    take: FloatArray
    start: float


@lru_cache(maxsize=256)
def rational_steps(largest: float, smallest: float, n_steps: int) -> RationalSteps:
    """Steps at levels that are geometric from the largest to the smallest; a single one is at the largest.

    Nothing is checked.

    Parameters
    ----------
    largest, smallest : float
        Noise over signal, above 0.
    n_steps : int
        At least 1.
    """
    levels = np.geomspace(largest, smallest, n_steps) if n_steps > 1 else np.array([largest])
    constant, weights = _weights(levels)
    total = constant + weights.sum()
    poles = levels**2
    root = levels * np.sqrt(weights / total)
    # f(x)/total = 1 - sum of root^2/(x + poles), whose zeros are at minus these eigenvalues
    zeros = np.linalg.eigvalsh(np.diag(poles) - np.outer(root, root))[::-1]
    keep = np.maximum(zeros, 0.0) / poles  # an eigenvalue near 0 may be rounded below it
    take = 1 - keep
    share = keep[0]
    take[0] = 1 + 1 / poles[0]
    keep[0] = share * take[0] / (1 - share)  # keeps the zero; k + t is now take/(1 - share), which `start` undoes
    return RationalSteps(
        levels=validate.frozen(levels),
        keep=validate.frozen(keep),
        take=validate.frozen(take),
        start=float(total * (1 - share) / take[0]),
    )


def _weights(levels: FloatArray) -> tuple[float, FloatArray]:
    """Weights b and w_j of the sum for the square root."""
    gap = np.log(levels[0] / levels[-1]) / max(len(levels) - 1, 1) or 1.0
    first = np.append(2 / np.pi * gap * levels, levels[-1] / 2)  # the last entry is b
    deviations = np.geomspace(NARROWEST, WIDEST, _DEVIATIONS)[:, None]
    terms = np.hstack([deviations**2 / (deviations**2 + levels**2), np.ones_like(deviations)])
    relative = terms * first / deviations / np.sqrt(_DEVIATIONS)
    n = first.size
    table = np.vstack([relative, _RIDGE / np.sqrt(n) * np.eye(n)])
    missing = np.concatenate([np.full(_DEVIATIONS, 1 / np.sqrt(_DEVIATIONS)) - relative.sum(axis=1), np.zeros(n)])
    factors = 1 + np.linalg.lstsq(table, missing, rcond=None)[0]
    weights = first * np.maximum(factors, np.append(np.full(n - 1, _LEAST), 0.0))
    return float(weights[-1]), weights[:-1]
