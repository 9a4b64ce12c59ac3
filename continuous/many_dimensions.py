"""Control tasks with as many action coordinates as one likes: stick with schedules, and a planar arm with d joints.

**Stick with schedules.** The first two actions move the mass of stick. Each of the other d - 2 has to follow a schedule
g_j(x), a wave along the way; its errors add up in

    w_j' = 0.7 w_j + 0.06 (a_j - g_j(x)),

and |w_j| beyond the tube ends the episode: in the lane alone (x < 0), or everywhere. Neither w nor g is observed, and
neither is needed: the schedule depends on x. With more coordinates there is more to get wrong, so the lane widens with
d, as 0.045 (d/2)^(1/3). With d = 2 the task is stick.

**Planar arm.** d links of length 1/d put the tip through a slot in a plate, as in reach. d joints place a point of the
plane, so d - 2 directions of the posture are free, and each episode begins in another posture.

Tasks here are made on demand and are not entries of `TASKS`, yet `TASKS["stick-16"]` finds them by their name:

==========================================  =========================================================
name                                        task
==========================================  =========================================================
stick-16, stick-16-everywhere               `stick_task(16)`, `stick_task(16, everywhere=True)`
stick-16-lane-0.05-tube-0.03                `stick_task(16, lane=0.05, tube=0.03)`
arm-6                                       `arm_task(6)`
==========================================  =========================================================
"""

import re
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from continuous.five_tasks import STICK
from continuous.kernels import dynamics, planar_arm
from continuous.task_model import Task, between, placed
from theory.base import validate

FloatArray = NDArray[np.float64]

TUBE = 0.04
"""Largest accumulated error of a further coordinate."""

_SIZE, _WIDTH = r"([2-9]|[1-9]\d+)", r"(\d\.\d+)"
_STICK_NAME = re.compile(rf"stick-{_SIZE}(-everywhere)?(?:-lane-{_WIDTH})?(?:-tube-{_WIDTH})?")
_ARM_NAME = re.compile(rf"arm-{_SIZE}")


def lane_half_width(dimension: int) -> float:
    """Half-width of the lane that keeps the task about as hard for every d: 0.045 (d/2)^(1/3).

    Parameters
    ----------
    dimension : int
        Action coordinates d, at least 2.

    Returns
    -------
    float
        0.045 for d = 2, as in stick; 0.09 for d = 16.
    """
    return float(dynamics.LANE * np.cbrt(validate.integer("dimension", dimension, at_least=2) / 2))


def stick_task(
    dimension: int, *, everywhere: bool = False, lane: float | None = None, tube: float | None = None
) -> Task:
    """Stick with d - 2 further action coordinates, each of which has to follow a schedule.

    Parameters
    ----------
    dimension : int
        Action coordinates d, at least 2.
    everywhere : bool, optional
        Whether errors of the further coordinates end an episode everywhere, or in the lane alone.
    lane : float, optional
        Half-width of the lane, from 0.001 to 1; `lane_half_width` if not given.
    tube : float, optional
        Largest accumulated error of a further coordinate, from 0.001 to 1; `TUBE` if not given.

    Returns
    -------
    Task
        Observed as stick. Columns of a state: those of stick, then w_1, ..., w_{d-2}.
    """
    d = validate.integer("dimension", dimension, at_least=2)
    everywhere = validate.instance("everywhere", everywhere, bool)
    name = f"stick-{d}" + ("-everywhere" if everywhere else "")
    for word, width in (("lane", lane), ("tube", tube)):
        if width is not None:  # named, because episodes of tasks with one name count as comparable
            name += f"-{word}-{validate.real(word, width, at_least=0.001, at_most=1.0)!r}"
    half_width = lane_half_width(d) if lane is None else float(lane)
    return Task(
        name=name, observation_dim=STICK.observation_dim, action_dim=d, state_dim=STICK.state_dim + d - 2,
        horizon=STICK.horizon, n_uniforms=STICK.n_uniforms, start=partial(_start_stick, d),
        observation=STICK.observation,
        advance=partial(_advance_stick, half_width, TUBE if tube is None else float(tube), everywhere),
        rare_in_demonstrations=STICK.rare_in_demonstrations, rare_in_evaluation=STICK.rare_in_evaluation,
    )  # fmt: skip


def _start_stick(d: int, u: FloatArray, rare: float) -> FloatArray:
    return np.column_stack([STICK.start(u, rare), np.zeros((len(u), d - 2))])


def _advance_stick(
    lane: float,
    tube: float,
    everywhere: bool,
    states: FloatArray,
    actions: FloatArray,
    horizon: int,
    out: FloatArray,
    rewards: FloatArray,
) -> None:
    dynamics.stick_with_schedules(states, actions, lane, tube, everywhere, horizon, out, rewards)


def scheduled_actions(x: FloatArray, dimension: int) -> FloatArray:
    """Further actions g_j(x) that stick with schedules asks for, (n, d - 2), at x (n,)."""
    out = np.empty((len(x), dimension - 2))
    dynamics.schedules(np.ascontiguousarray(x), out)
    return out


def arm_task(joints: int) -> Task:
    """Planar arm with d joints that puts its tip through a slot in a plate.

    Parameters
    ----------
    joints : int
        d, at least 2; more than 2 are redundant.

    Returns
    -------
    Task
        Observed: the d angles, the tip relative to the slot (2), plate, slot. Columns of a state: the d angles, the
        plate's height, the slot's centre.
    """
    d = validate.integer("joints", joints, at_least=2)
    return Task(
        name=f"arm-{d}", observation_dim=d + 4, action_dim=d, state_dim=d + 4, horizon=60, n_uniforms=5 + d,
        start=partial(_start_arm, d), observation=partial(_observe_arm, d), advance=planar_arm.advance,
        rare_in_demonstrations=0.2, rare_in_evaluation=0.6,
    )  # fmt: skip


def _start_arm(d: int, u: FloatArray, rare: float) -> FloatArray:
    """A bow over the plate, each of whose joints is bent a little more or less."""
    along = (np.arange(d) + 0.5) / d - 0.5
    headings = between(u[:, 3:4], 0.3, 0.5) - between(u[:, 4:5], 2.8, 3.2) * along
    angles = np.diff(headings, prepend=0.0, axis=1) + between(u[:, 5:], -0.2, 0.2)
    plate, slot = between(u[:, 2], -0.25, -0.1), 0.55 + placed(u, rare, 0.1, 0.3)
    return np.column_stack([np.zeros((len(u), 2)), angles, plate, slot])


def _observe_arm(d: int, s: FloatArray) -> FloatArray:
    angles = s[:, 2 : 2 + d]
    return np.column_stack([angles, arm_tips(s, d) - s[:, [3 + d, 2 + d]], s[:, 2 + d :]])


def arm_tips(states: FloatArray, joints: int) -> FloatArray:
    """Tips (x, z) of the arms in these states, (n, 2)."""
    out = np.empty((len(states), 2))
    planar_arm.tips(np.ascontiguousarray(states), np.zeros(joints), out)
    return out


@cache
def task_of_family(name: str) -> Task | None:
    """Task of a family by its name, as in the table above; None if the name is of no family.

    Parameters
    ----------
    name : str
    """
    if found := _STICK_NAME.fullmatch(name):
        dimension, everywhere, lane, tube = found.groups()
        widths = {word: float(text) for word, text in (("lane", lane), ("tube", tube)) if text}
        return stick_task(int(dimension), everywhere=bool(everywhere), **widths)
    if found := _ARM_NAME.fullmatch(name):
        return arm_task(int(found[1]))
    return None


def is_stick(name: str) -> bool:
    """Whether a task of this name is stick with schedules."""
    return _STICK_NAME.fullmatch(name) is not None


def joints_of(name: str) -> int | None:
    """Number of joints of the planar arm of this name; None if the name is of another task."""
    found = _ARM_NAME.fullmatch(name)
    return int(found[1]) if found else None
