"""Simulated control tasks, vectorised over episodes: reach, corridor, lift, push, stick.

An entry of an action, in [-1, 1], moves a point-like body by up to `STRIDE` = 0.06 per step. The
reward is 1 at the step that succeeds and 0 at all others: with a cost per step, an early crash would pay.

Columns of a state, after status and time:

========  =====================================  ======================================================
task      columns                                observed
========  =====================================  ======================================================
reach     q1, q2, plate's height, slot's centre  q1, q2, tip relative to the slot (2), plate, slot
corridor  x, y, gate's centre                    x, y, gate
lift      x, z, opening; object's x, z, held     the same
push      disc (2), block (2), goal (2)          disc and goal relative to the block (4), block (2)
stick     x, y, context, opening's centre        x, y, context; y/0.05 and (x-0.1)/0.1 clipped to [-1, 1]
========  =====================================  ======================================================

Only the tip of the arm touches the plate; its links pass through. A motion is judged by where it ends.
"""

import math

import numpy as np
from numpy.typing import NDArray

from continuous.kernels import dynamics
from continuous.task_model import Task, between, placed

FloatArray = NDArray[np.float64]


def _rows(*columns: FloatArray | float, n: int) -> FloatArray:
    """First states with these columns, running, at time 0."""
    states = np.zeros((n, 2 + len(columns)))
    for k, column in enumerate(columns):
        states[:, 2 + k] = column
    return states


def tip(q1: FloatArray, q2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Position (x, z) of the arm's tip at these angles, each (n,); the shoulder is the origin, q2 bends downward."""
    link = dynamics.LINK
    return link * np.cos(q1) + link * np.cos(q1 + q2), link * np.sin(q1) + link * np.sin(q1 + q2)


def _start_reach(u: FloatArray, rare: float) -> FloatArray:
    q1, q2 = between(u[:, 3], 1.1, 1.3), between(u[:, 4], -1.6, -1.4)
    return _rows(q1, q2, between(u[:, 2], -0.25, -0.1), 0.55 + placed(u, rare, 0.1, 0.25), n=len(u))


def _observe_reach(s: FloatArray) -> FloatArray:
    x, z = tip(s[:, 2], s[:, 3])
    return np.column_stack([s[:, 2], s[:, 3], x - s[:, 5], z - s[:, 4], s[:, 4], s[:, 5]])


def _start_corridor(u: FloatArray, rare: float) -> FloatArray:
    return _rows(-0.7, between(u[:, 2], -0.15, 0.15), placed(u, rare, 0.3, 0.8), n=len(u))


def _observe_corridor(s: FloatArray) -> FloatArray:
    return s[:, 2:5].copy()


def _start_lift(u: FloatArray, rare: float) -> FloatArray:
    x, z = between(u[:, 2], -0.1, 0.1), between(u[:, 3], 0.3, 0.4)
    return _rows(x, z, 1.0, placed(u, rare, 0.3, 0.7), 0.0, 0.0, n=len(u))


def _observe_lift(s: FloatArray) -> FloatArray:
    return s[:, 2:8].copy()


def _start_push(u: FloatArray, rare: float) -> FloatArray:
    """Put the goal in a direction of the common range (-1.2, 1.2) or beyond it, and the disc on the goal's side."""
    angle = placed(u, rare, 1.2, math.pi)
    x, y = between(u[:, 2], -0.2, 0.2), between(u[:, 3], -0.2, 0.2)
    far, turned = between(u[:, 4], 0.35, 0.5), angle + between(u[:, 5], -0.5, 0.5)
    return _rows(
        x + 0.28 * np.cos(turned),
        y + 0.28 * np.sin(turned),
        x,
        y,
        x + far * np.cos(angle),
        y + far * np.sin(angle),
        n=len(u),
    )


def _observe_push(s: FloatArray) -> FloatArray:
    return np.column_stack([s[:, 2:4] - s[:, 4:6], s[:, 6:8] - s[:, 4:6], s[:, 4:6]])


def _start_stick(u: FloatArray, rare: float) -> FloatArray:
    context = placed(u, rare, 0.35, 1.0)
    return _rows(-1.3, between(u[:, 2], -0.02, 0.02), context, 0.7 * np.sin(2.8 * context), n=len(u))


def _observe_stick(s: FloatArray) -> FloatArray:
    near = np.clip(np.column_stack([s[:, 3] / 0.05, (s[:, 2] - 0.1) / 0.1]), -1.0, 1.0)
    return np.column_stack([s[:, 2:5], near])


REACH = Task(
    name="reach", observation_dim=6, action_dim=2, state_dim=6, horizon=60, n_uniforms=5,
    start=_start_reach, observation=_observe_reach, advance=dynamics.reach,
)  # fmt: skip
"""A two-link arm puts its tip through a slot in a plate. A motion into the plate is refused and costs only time."""

CORRIDOR = Task(
    name="corridor", observation_dim=3, action_dim=2, state_dim=5, horizon=60, n_uniforms=3,
    start=_start_corridor, observation=_observe_corridor, advance=dynamics.corridor,
)  # fmt: skip
"""A point mass keeps to a narrow lane, whose sides end the episode, and then finds a gate in a harmless wall."""

LIFT = Task(
    name="lift", observation_dim=6, action_dim=3, state_dim=8, horizon=60, n_uniforms=4,
    start=_start_lift, observation=_observe_lift, advance=dynamics.lift,
)  # fmt: skip
"""A gripper lines up over an object, grasps and lifts it; misaligned it pushes, is blocked or, if fast, fails."""

PUSH = Task(
    name="push", observation_dim=6, action_dim=2, state_dim=8, horizon=80, n_uniforms=6,
    start=_start_push, observation=_observe_push, advance=dynamics.push,
)  # fmt: skip
"""A disc goes round a block, by either side, and pushes it to a goal."""

STICK = Task(
    name="stick", observation_dim=5, action_dim=2, state_dim=6, horizon=76, n_uniforms=3,
    start=_start_stick, observation=_observe_stick, advance=dynamics.stick,
    rare_in_demonstrations=0.2, rare_in_evaluation=0.6,
)  # fmt: skip
"""A point mass keeps to a long passage, whose sides end the episode, and then searches an opening in a sticky wall."""
