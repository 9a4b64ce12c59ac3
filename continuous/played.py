"""How much noise a policy plays, as its samples show it, beside the noise that was added to its targets.

With n draws x_i (D,) at each of N observations, and their mean there, the squared deviations (x_i - mean)^2 n/(n - 1)
average to the variance at the observation. The noise is the root of the mean over observations; the variance of that
mean is estimated from the spread of the squared deviations, which is exact to first order in 1/n.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.base import validate

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class PlayedNoise:
    """Root mean square of a policy's noise at given observations, in the units of its draws.

    Attributes
    ----------
    entries, errors : ndarray, (D,)
        Of each entry of a chunk, and the standard error, from the draws alone: the observations are as given.
    total, error : float
        Root mean square over all entries, and its standard error.
    """

    entries: FloatArray
    errors: FloatArray
    total: float
    error: float


def played_noise_of(draws: Any) -> PlayedNoise:
    """Noise that draws show.

    Parameters
    ----------
    draws : array_like, (n, N, D)
        n draws, at least 2, at each of N observations, at least 1.
    """
    table = validate.array("draws", draws, shape=(None, None, None))
    n, N, D = table.shape
    if n < 2 or N < 1 or D < 1:
        raise ValueError(f"draws must hold two draws of an entry at an observation; got shape {table.shape}")
    squares = np.square(table - table.mean(axis=0)) * n / (n - 1)
    entries, errors = _root(squares)
    total, error = _root(squares.mean(axis=2, keepdims=True))
    return PlayedNoise(entries=entries, errors=errors, total=float(total[0]), error=float(error[0]))


def _root(squares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Root of the mean of squares (n, N, K) over draws and observations, and its standard error, (K,) each."""
    n, N, _ = squares.shape
    root = np.sqrt(squares.mean(axis=(0, 1)))
    error_of_mean = np.sqrt(squares.var(axis=0, ddof=1).sum(axis=0) / n) / N
    # the root's derivative is 1/(2 root); where nothing varies there is no error either
    return root, error_of_mean / (2 * np.where(root > 0, root, 1.0))
