"""Confidence intervals for many samples at once, as arrays to draw."""

import numpy as np
from numpy.typing import NDArray

from theory.claims import Interval
from theory.statistics.probability import mean_interval, quantile_interval


def intervals(
    samples: NDArray[np.float64], confidence: float, quantile: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Confidence intervals for the mean, or for a quantile, of each sample.

    Parameters
    ----------
    samples : ndarray, (..., n)
        Samples of size n along the last axis.
    confidence : float
        Level of each interval, in (0, 1).
    quantile : float, optional
        In (0, 1); None for the mean.

    Returns
    -------
    low, high : ndarray, (...)
    """

    def interval(sample: NDArray[np.float64]) -> Interval:
        if quantile is None:
            return mean_interval(sample, confidence)
        return quantile_interval(sample, quantile, confidence)

    flat = [interval(sample) for sample in samples.reshape(-1, samples.shape[-1])]
    shape = samples.shape[:-1]
    return np.array([i.low for i in flat]).reshape(shape), np.array([i.high for i in flat]).reshape(shape)
