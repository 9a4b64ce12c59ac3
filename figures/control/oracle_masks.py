"""Oracle masks: on which tasks an oracle knows where a wrong action can be corrected, and where."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from continuous.many_dimensions import is_stick

FloatArray = NDArray[np.float64]


def _behind_lane(observations: FloatArray) -> FloatArray:
    """Corridor and stick end an episode where it leaves their lane, which reaches up to x = 0; x is observed first."""
    return (observations[:, 0] > 0.0).astype(np.float64)


ORACLE_MASKS: dict[str, Callable[[FloatArray], FloatArray]] = {"corridor": _behind_lane, "stick": _behind_lane}
"""By task, the mask of its observations (N, O): (N,). Tasks without an entry have no oracle, but for stick with
schedules, of any dimension, which has that of stick."""


def oracle_mask(task: str, observations: FloatArray) -> FloatArray:
    """1 where a wrong action can be corrected, 0 where it ends the episode, (N,).

    Parameters
    ----------
    task : str
        A task of `ORACLE_MASKS`, or stick with schedules.
    observations : ndarray, (N, O)

    Raises
    ------
    ValueError
        If the task has no oracle mask.
    """
    if is_stick(task):
        return _behind_lane(observations)
    if task not in ORACLE_MASKS:
        raise ValueError(f"task must have an oracle mask, as {', '.join(ORACLE_MASKS)} have; got {task!r}")
    return ORACLE_MASKS[task](observations)


def oracle_entries(task: str, observations: FloatArray, action_dim: int) -> FloatArray:
    """1 for entries of an action where noise helps, 0 where it ends the episode or serves nothing, (N, action_dim).

    On stick with schedules the mass's two entries alone are masked as on stick; the others are known from x, so that
    there is nothing to find out by noise. On all other tasks every entry has the state's mask.

    Parameters
    ----------
    task : str
        As for `oracle_mask`.
    observations : ndarray, (N, O)
    action_dim : int
        At least 1.
    """
    helps = np.arange(action_dim) < (2 if is_stick(task) else action_dim)
    return oracle_mask(task, observations)[:, None] * helps
