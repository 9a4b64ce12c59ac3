"""Paired comparisons over few independent replicates: intervals, p-values, and their adjustment for many."""

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory import validate
from theory.claims import Interval

FloatArray = NDArray[np.float64]

EXACT_UP_TO = 14
"""Most replicates whose signs are enumerated: 2^14 patterns."""


def bootstrap_t_interval(
    differences: ArrayLike, rng: np.random.Generator, confidence: float = 0.95, *, n_resamples: int = 9999
) -> Interval:
    """Studentised bootstrap interval for a mean: second-order accurate, wider than the percentile one where few are.

    Parameters
    ----------
    differences : array_like, (R,)
        One number an independent replicate, R >= 2. Where all are equal nothing is known of their spread, and the
        interval is without bounds.
    rng : numpy.random.Generator
    confidence : float, optional
        In (0, 1).
    n_resamples : int, optional
        At least 99. A resample without spread counts as one whose t is infinite, with the sign of its error.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range.

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
    flat = errors <= _ROUNDING * np.abs(x).max()
    t = np.where(flat, np.copysign(np.inf, away), away / np.where(flat, 1.0, errors))
    low, high = np.quantile(t, [tail, 1 - tail], method="inverted_cdf")
    return Interval(float(x.mean() - high * error), float(x.mean() - low * error))


def sign_flip_p_value(differences: ArrayLike, rng: np.random.Generator, *, n_resamples: int = 99_999) -> float:
    """Two-sided permutation p-value of a mean of 0: exact for differences that are symmetric about 0.

    Parameters
    ----------
    differences : array_like, (R,)
        One number an independent pair, R >= 2.
    rng : numpy.random.Generator
        Draws signs where there are more than `EXACT_UP_TO` pairs; else all are enumerated.
    n_resamples : int, optional
        At least 99. The pattern that was seen counts as one of them, so that the p-value is never too small.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range.
    """
    x = _replicates(differences)
    rng = validate.generator("rng", rng)
    n_resamples = validate.integer("n_resamples", n_resamples, at_least=99)
    least = abs(float(x.sum())) - _ROUNDING * float(np.abs(x).sum())
    if x.size <= EXACT_UP_TO:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=x.size)))
        return float((np.abs(signs @ x) >= least).mean())
    signs = rng.integers(0, 2, size=(n_resamples, x.size)) * 2.0 - 1.0
    return float((1 + (np.abs(signs @ x) >= least).sum()) / (1 + n_resamples))


def holm(p_values: ArrayLike) -> FloatArray:
    """Adjust p-values so that one below a level may be called out, whatever the dependence, (m,) -> (m,).

    Parameters
    ----------
    p_values : array_like, (m,)
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        If they are not a list of numbers in [0, 1].

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


def _replicates(differences: ArrayLike) -> FloatArray:
    x = validate.array("differences", differences, shape=(None,))
    if x.size < 2:
        raise ValueError(f"differences must hold at least 2 replicates; got {x.size}")
    return x


def _standard_error(x: FloatArray) -> NDArray[np.float64]:
    return np.asarray(x.std(axis=-1, ddof=1) / np.sqrt(x.shape[-1]))
