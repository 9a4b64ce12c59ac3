"""Expectations of functions of a binomial count N ~ Bin(n, p), to nearly full precision.

The pmf is built by ratios of neighbours outwards from its mode,

    P[N = k + 1]/P[N = k] = (n - k)/(k + 1) p/(1 - p),

and divided by its sum, which loses no digits for counts up to millions; all below 1e-300 of the mode is left out.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from theory.base.validate import integer, real

_LOG_SMALLEST = -690.0


def binomial_pmf(n_trials: int, probability: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the counts that matter, and their probabilities, for a binomial law.

    Parameters
    ----------
    n_trials : int
        At least 0.
    probability : float
        In [0, 1].

    Returns
    -------
    counts : ndarray of shape (N,)
        Consecutive integers around the mode.
    weights : ndarray of shape (N,)
        Their probabilities; they sum to 1 within rounding.
    """
    n_trials = integer("n_trials", n_trials, at_least=0)
    return _pmf(n_trials, real("probability", probability, at_least=0.0, at_most=1.0))


def binomial_expectation(
    function: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    n_trials: int,
    probability: NDArray[np.float64],
) -> NDArray[np.float64]:
    """E[function(N)] for N ~ Bin(n_trials, p), for every p of an array.

    Parameters
    ----------
    function : callable
        Takes an array of counts, returns an array of the same shape.
    n_trials : int
        At least 0.
    probability : ndarray of any shape
        Entries in [0, 1]. Equal entries are computed once.

    Returns
    -------
    ndarray
        Of the shape of `probability`.
    """
    n_trials = integer("n_trials", n_trials, at_least=0)
    unique, inverse = np.unique(np.asarray(probability, dtype=np.float64), return_inverse=True)
    for p in unique[[0, -1]] if unique.size else ():  # sorted, NaN last: the ends are checked for all
        real("probability", p, at_least=0.0, at_most=1.0)
    values = np.empty(unique.shape)
    for i, p in enumerate(unique):
        counts, weights = _pmf(n_trials, float(p))
        values[i] = weights @ function(counts)
    return values[inverse].reshape(np.shape(probability))


def _pmf(n_trials: int, probability: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    mode = min(n_trials, int((n_trials + 1) * probability))
    if n_trials == 0 or probability in (0.0, 1.0):
        return np.array([mode]), np.ones(1)
    # 40 standard deviations, and 1000 counts for rare events: beyond them all is below the smallest float.
    reach = int(40.0 * (n_trials * probability * (1.0 - probability)) ** 0.5) + 1000
    low, high = max(0, mode - reach), min(n_trials, mode + reach)
    odds = np.log(probability) - np.log1p(-probability)
    above = np.arange(mode, high)
    up = np.cumsum(np.log(n_trials - above) - np.log(above + 1.0) + odds)
    below = np.arange(mode, low, -1)
    down = np.cumsum(np.log(below) - np.log(n_trials - below + 1.0) - odds)
    logs = np.concatenate((down[::-1], [0.0], up))
    counts = np.arange(low, high + 1)
    keep = logs > _LOG_SMALLEST
    weights = np.exp(logs[keep])
    return counts[keep], weights / weights.sum()
