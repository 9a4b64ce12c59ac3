"""When MetaWorld's tasks succeed: the simulator's own rules, without its shaped reward.

A rule stands here for the tasks that are used most. For every other task the simulator's own step is taken, with all
that it computes; tests hold the two against each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Quick:
    """What a step needs beside the physics.

    Parameters
    ----------
    success : callable
        (environment, position of the object) -> bool: the simulator's own rule.
    rotation : tuple of str, optional
        Kind and name of the thing whose rotation matrix the simulator turns into the object's quaternion; one that
        takes no time to compute if not given.
    """

    success: Callable[[Any, FloatArray], bool]
    rotation: tuple[str, str] | None = None


def _near(radius: float) -> Callable[[Any, FloatArray], bool]:
    return lambda env, thing: bool(np.linalg.norm(thing - env._target_pos) <= radius)


def _nut_on_peg(env: Any, thing: FloatArray) -> bool:
    gap = env._target_pos - env.data.site("RoundNut").xpos
    return bool(np.linalg.norm(gap[:2]) < 0.02 and gap[2] > 0.0)


def _peg_in_hole(env: Any, thing: FloatArray) -> bool:
    gap = env.data.site("pegHead").xpos - env._target_pos
    return bool(np.linalg.norm(gap * np.array([1.0, 2.0, 2.0])) <= 0.07)


QUICK = {
    "pick-place": Quick(success=_near(0.07), rotation=("geom", "objGeom")),
    "push": Quick(success=_near(0.05), rotation=("geom", "objGeom")),
    "bin-picking": Quick(success=_near(0.05)),
    "assembly": Quick(success=_nut_on_peg),
    "peg-insert-side": Quick(success=_peg_in_hole, rotation=("site", "pegGrasp")),
}
"""By task."""
