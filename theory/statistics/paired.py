"""Paired comparisons over few independent replicates: an interval, and p-values adjusted for several tests.

The p-value of a single comparison is `theory.statistics.probability.paired_p_value`. With differences x_1..x_R of mean
m and standard error e, the studentised bootstrap inverts the law of t* = (m* - m)/e* over resamples:

    [m - t*_(1 - tail) e,  m - t*_(tail) e]
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.base import validate
from theory.claims import Interval

FloatArray = NDArray[np.float64]


def bootstrap_t_interval(
    differences: ArrayLike, rng: np.random.Generator, confidence: float = 0.95, *, n_resamples: int = 9999
) -> Interval:
    """Studentised bootstrap interval for a mean: second-order accurate, and wider for few replicates than percentiles.

    Parameters
    ----------
    differences : array_like, (R,)
        One number for each independent replicate, R >= 2. Where all are equal nothing is known of their spread, and
        the interval is (-inf, inf).
    rng : numpy.random.Generator
    confidence : float, optional
        In (0, 1).
    n_resamples : int, optional
        At least 99. A resample without spread counts as one whose t is infinite, with the sign of its error.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 12.5.
    """
    x = _replicates(differences)
    rng = validate.generator("rng", rng)
    tail = (1 - validate.real("confidence", confidence, above=0.0, below=1.0)) / 2
    n_resamples = validate.integer("n_resamples", n_resamples, at_least=99)
    error = _standard_error(x)
    if error <= _ROUNDING * np.abs(x).max():
        return Interval(-np.inf, np.inf)
    drawn = x[rng.integers(x.size, size=(n_resamples, x.size))]
    away, errors = drawn.mean(axis=1) - x.mean(), _standard_error(drawn)
    # A resample without spread would give 0/0, or a t that rounding makes up: it counts as infinite.
    flat = errors <= _ROUNDING * np.abs(x).max()
    t = np.where(flat, np.copysign(np.inf, away), away / np.where(flat, 1.0, errors))
    low, high = np.quantile(t, [tail, 1 - tail], method="inverted_cdf")
    return Interval(float(x.mean() - high * error), float(x.mean() - low * error))


def holm(p_values: ArrayLike) -> FloatArray:
    """Adjust p-values for the number of tests, whatever their dependence, (m,) -> (m,).

    Parameters
    ----------
    p_values : array_like, (m,)
        In [0, 1].

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    p = validate.array("p_values", p_values, shape=(None,))
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"p_values must lie in [0, 1]; got {p.tolist()}")
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


_ROUNDING = 1e-12
"""Spread below this share of the largest number is rounding: the numbers count as equal."""


def _replicates(differences: ArrayLike) -> FloatArray:
    x = validate.array("differences", differences, shape=(None,))
    if x.size < 2:
        raise ValueError(f"differences must hold at least 2 replicates; got {x.size}")
    return x


def _standard_error(x: FloatArray) -> NDArray[np.float64]:
    return np.asarray(x.std(axis=-1, ddof=1) / np.sqrt(x.shape[-1]))
