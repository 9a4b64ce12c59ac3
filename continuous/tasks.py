"""Simulated control tasks, vectorised over episodes: reach, corridor, lift, push, stick.

A task moves point-like bodies by at most `STRIDE` = 0.06 a step and an action's entry, in [-1, 1]. Each episode has a
context of its own (where the slot is, where the object lies), drawn from a common range or, with some probability, from
a rare outer one. Rewards are 0, and 1 at the step that succeeds: with a cost a step, crashing early would pay.

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

Only the tip of the arm touches the plate; links pass. A motion is judged by where it ends.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from continuous.kernels import dynamics
from theory.base import validate

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

RUNNING, SUCCEEDED = dynamics.RUNNING, dynamics.SUCCEEDED
FAILED, TIMED_OUT = dynamics.FAILED, dynamics.TIMED_OUT
"""Values of a state's status."""


class Transition(NamedTuple):
    """What a step of n episodes leads to.

    Attributes
    ----------
    states : ndarray, (n, state_dim)
    rewards : ndarray, (n,)
        0 where the episode had ended before.
    ended : ndarray of bool, (n,)
    success : ndarray of bool, (n,)
        Whether the episode has succeeded, now or before.
    """

    states: FloatArray
    rewards: FloatArray
    ended: BoolArray
    success: BoolArray


@dataclass(frozen=True, eq=False)
class Task:
    """A control task whose chance lies in the first state alone.

    Parameters
    ----------
    name : str
    observation_dim, action_dim, state_dim : int
        Sizes; state_dim counts status and time.
    horizon : int
        Steps after which an episode ends without success, at least 1.
    n_uniforms : int
        Uniform numbers that a first state is made of.
    start : callable
        (uniforms (n, n_uniforms), probability of the rare range) -> states (n, state_dim).
    look : callable
        states -> observations (n, observation_dim).
    advance : callable
        (states, clipped actions, horizon, out, rewards): fills the last two.
    rare_in_demonstrations, rare_in_evaluation : float
        Probability of the rare range of contexts, in [0, 1].
    bound : float
        No entry of an observation is larger in size; may be infinite.

    Raises
    ------
    TypeError, ValueError
        If a size is not a positive integer or a number is out of range.
    """

    name: str
    observation_dim: int
    action_dim: int
    state_dim: int
    horizon: int
    n_uniforms: int
    start: Callable[[FloatArray, float], FloatArray]
    look: Callable[[FloatArray], FloatArray]
    advance: Callable[..., Any]
    rare_in_demonstrations: float = 0.25
    rare_in_evaluation: float = 0.25
    bound: float = 10.0

    def __post_init__(self) -> None:
        for name, least in (("observation_dim", 1), ("action_dim", 1), ("state_dim", 2), ("horizon", 1)):
            validate.integer(name, getattr(self, name), at_least=least)
        validate.integer("n_uniforms", self.n_uniforms, at_least=0)
        for name in ("rare_in_demonstrations", "rare_in_evaluation"):
            validate.real(name, getattr(self, name), at_least=0.0, at_most=1.0)
        validate.real("bound", self.bound, above=0.0, finite=False)

    def reset(self, rng: np.random.Generator, n: int, *, rare: float | None = None) -> FloatArray:
        """Draw n first states, row by row: from one seed, fewer episodes are the first of more.

        Parameters
        ----------
        rng : numpy.random.Generator
        n : int
            At least 1.
        rare : float, optional
            Probability of the rare range; that of evaluation if not given.

        Returns
        -------
        ndarray, (n, state_dim)

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or range.
        """
        rng = validate.generator("rng", rng)
        n = validate.integer("n", n, at_least=1)
        share = validate.real("rare", self.rare_in_evaluation if rare is None else rare, at_least=0.0, at_most=1.0)
        return self.start(rng.random((n, self.n_uniforms)), share)

    def observe(self, states: ArrayLike) -> FloatArray:
        """What a policy sees of the states.

        Parameters
        ----------
        states : array_like, (n, state_dim)

        Returns
        -------
        ndarray, (n, observation_dim)

        Raises
        ------
        TypeError, ValueError
            If `states` has the wrong shape or is not finite.
        """
        return self.look(validate.array("states", states, shape=(None, self.state_dim)))

    def step(self, states: ArrayLike, actions: ArrayLike) -> Transition:
        """Do one step in each episode; where one has ended, nothing changes.

        Parameters
        ----------
        states : array_like, (n, state_dim)
        actions : array_like, (n, action_dim)
            Clipped to [-1, 1].

        Returns
        -------
        Transition

        Raises
        ------
        TypeError, ValueError
            If a shape is wrong or an entry is not finite.
        """
        before = validate.array("states", states, shape=(None, self.state_dim))
        moves = validate.array("actions", actions, shape=(before.shape[0], self.action_dim))
        np.clip(moves, -1.0, 1.0, out=moves)
        after, rewards = np.empty_like(before), np.empty(len(before))
        self.advance(before, moves, self.horizon, after, rewards)
        status = after[:, dynamics.STATUS]
        return Transition(after, rewards, status != RUNNING, status == SUCCEEDED)


def placed(uniforms: FloatArray, rare: float, inner: float, outer: float) -> FloatArray:
    """Symmetric context: U(-inner, inner), or with probability `rare` +-U(inner, outer).

    Parameters
    ----------
    uniforms : ndarray, (n, 2)
        Which range; where in it.
    rare : float
        In [0, 1].
    inner, outer : float
        0 <= inner <= outer.

    Returns
    -------
    ndarray, (n,)
    """
    position = 2.0 * uniforms[:, 1] - 1.0
    far = np.copysign(inner + (outer - inner) * np.abs(position), position)
    return np.where(uniforms[:, 0] < rare, far, inner * position)


def between(uniforms: FloatArray, low: float, high: float) -> FloatArray:
    """Uniform numbers of [low, high) from those of [0, 1)."""
    return np.asarray(low + (high - low) * uniforms)


def _rows(*columns: FloatArray | float, n: int) -> FloatArray:
    """First states: running, at time 0, and these columns."""
    states = np.zeros((n, 2 + len(columns)))
    for k, column in enumerate(columns):
        states[:, 2 + k] = column
    return states


def tip(q1: FloatArray, q2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Place (x, z) of the arm's tip at these angles, each (n,); the shoulder is at the origin, q2 bends downward."""
    link = dynamics.LINK
    return link * np.cos(q1) + link * np.cos(q1 + q2), link * np.sin(q1) + link * np.sin(q1 + q2)


def _start_reach(u: FloatArray, rare: float) -> FloatArray:
    q1, q2 = between(u[:, 3], 1.1, 1.3), between(u[:, 4], -1.6, -1.4)
    return _rows(q1, q2, between(u[:, 2], -0.25, -0.1), 0.55 + placed(u, rare, 0.1, 0.25), n=len(u))


def _look_reach(s: FloatArray) -> FloatArray:
    x, z = tip(s[:, 2], s[:, 3])
    return np.column_stack([s[:, 2], s[:, 3], x - s[:, 5], z - s[:, 4], s[:, 4], s[:, 5]])


def _start_corridor(u: FloatArray, rare: float) -> FloatArray:
    return _rows(-0.7, between(u[:, 2], -0.15, 0.15), placed(u, rare, 0.3, 0.8), n=len(u))


def _look_corridor(s: FloatArray) -> FloatArray:
    return s[:, 2:5].copy()


def _start_lift(u: FloatArray, rare: float) -> FloatArray:
    x, z = between(u[:, 2], -0.1, 0.1), between(u[:, 3], 0.3, 0.4)
    return _rows(x, z, 1.0, placed(u, rare, 0.3, 0.7), 0.0, 0.0, n=len(u))


def _look_lift(s: FloatArray) -> FloatArray:
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


def _look_push(s: FloatArray) -> FloatArray:
    return np.column_stack([s[:, 2:4] - s[:, 4:6], s[:, 6:8] - s[:, 4:6], s[:, 4:6]])


def _start_stick(u: FloatArray, rare: float) -> FloatArray:
    context = placed(u, rare, 0.35, 1.0)
    return _rows(-1.3, between(u[:, 2], -0.02, 0.02), context, 0.7 * np.sin(2.8 * context), n=len(u))


def _look_stick(s: FloatArray) -> FloatArray:
    near = np.clip(np.column_stack([s[:, 3] / 0.05, (s[:, 2] - 0.1) / 0.1]), -1.0, 1.0)
    return np.column_stack([s[:, 2:5], near])


REACH = Task("reach", 6, 2, 6, 60, 5, _start_reach, _look_reach, dynamics.reach)
"""An arm of two links puts its tip through a slot in a plate; forgiving, for a motion into the plate is refused."""

CORRIDOR = Task("corridor", 3, 2, 5, 60, 3, _start_corridor, _look_corridor, dynamics.corridor)
"""A point mass keeps to a narrow lane, whose sides end the episode, and then finds a gate in a wall that forgives."""

LIFT = Task("lift", 6, 3, 8, 60, 4, _start_lift, _look_lift, dynamics.lift)
"""A gripper lines up over an object, grasps and lifts it; misaligned it pushes, is blocked or, if fast, fails."""

PUSH = Task("push", 6, 2, 8, 80, 6, _start_push, _look_push, dynamics.push)
"""A disc goes round a block and pushes it home; both ways round are right."""

STICK = Task("stick", 5, 2, 6, 76, 3, _start_stick, _look_stick, dynamics.stick, 0.2, 0.6)
"""A point mass keeps to a long passage, whose sides end the episode, and then searches an opening in a sticky wall."""

TASKS = {task.name: task for task in (REACH, CORRIDOR, LIFT, PUSH, STICK)}
"""All of them by name."""
