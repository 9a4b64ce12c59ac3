"""Oracle masks: on which tasks an oracle knows where a wrong action can be corrected, and where."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def _behind_lane(observations: FloatArray) -> FloatArray:
    """Corridor and stick end an episode where it leaves their lane, which reaches up to x = 0; x is observed first."""
    return (observations[:, 0] > 0.0).astype(np.float64)


ORACLE_MASKS: dict[str, Callable[[FloatArray], FloatArray]] = {"corridor": _behind_lane, "stick": _behind_lane}
"""By task, the mask of its observations (N, O): (N,). Tasks without an entry have no oracle."""


def oracle_mask(task: str, observations: FloatArray) -> FloatArray:
    """1 where a wrong action can be corrected, 0 where it ends the episode, (N,).

    Parameters
    ----------
    task : str
        A task of `ORACLE_MASKS`.
    observations : ndarray, (N, O)

    Raises
    ------
    ValueError
        If the task has no oracle mask.
    """
    if task not in ORACLE_MASKS:
        raise ValueError(f"task must have an oracle mask, as {', '.join(ORACLE_MASKS)} have; got {task!r}")
    return ORACLE_MASKS[task](observations)
