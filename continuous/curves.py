"""Summaries of a learning curve that say more than its last checkpoint: a mean of the last ones, and the area."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.base import validate

FloatArray = NDArray[np.float64]


def mean_of_last(success: Any, n: int = 3) -> FloatArray:
    """Mean success of the last checkpoints: less chance than in the last alone, whose learner may just have slipped.

    Parameters
    ----------
    success : array_like, (..., C)
        The first checkpoint, the pretrained policy's, is never among those averaged.
    n : int, optional
        From 1 to C - 1.

    Returns
    -------
    ndarray, (...)
    """
    curve = np.asarray(success, np.float64)
    n = validate.integer("n", n, at_least=1, at_most=curve.shape[-1] - 1)
    return np.asarray(curve[..., -n:].mean(axis=-1))


def area_under_curve(environment_steps: Any, success: Any) -> FloatArray:
    """Mean height of a learning curve over the steps used, by the trapezoid rule: fast learning counts.

    Parameters
    ----------
    environment_steps : array_like, (..., C)
        Increasing, at least two.
    success : array_like, (..., C)

    Returns
    -------
    ndarray, (...)
    """
    steps, curve = np.asarray(environment_steps, np.float64), np.asarray(success, np.float64)
    widths = np.diff(steps, axis=-1)
    if steps.shape[-1:] != curve.shape[-1:] or widths.shape[-1] < 1 or not (widths > 0).all():
        raise ValueError(f"environment_steps must increase and match success {curve.shape}; got {steps.shape}")
    heights = (curve[..., :-1] + curve[..., 1:]) / 2
    return np.asarray((widths * heights).sum(axis=-1) / widths.sum(axis=-1))
