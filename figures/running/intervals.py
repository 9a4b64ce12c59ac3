"""Intervals for many samples at once, as arrays to draw."""

import numpy as np
from numpy.typing import NDArray

from theory.claims import Interval
from theory.statistics.probability import mean_interval, quantile_interval


def intervals(
    samples: NDArray[np.float64], confidence: float, quantile: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of an interval for the mean, or for a quantile, along the last axis."""

    def one(sample: NDArray[np.float64]) -> Interval:
        return (
            mean_interval(sample, confidence) if quantile is None else quantile_interval(sample, quantile, confidence)
        )

    flat = [one(sample) for sample in samples.reshape(-1, samples.shape[-1])]
    shape = samples.shape[:-1]
    return np.array([i.low for i in flat]).reshape(shape), np.array([i.high for i in flat]).reshape(shape)
