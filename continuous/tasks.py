"""Simulated control tasks, vectorised over episodes: reach, corridor, lift, push, stick.

An entry of an action, in [-1, 1], moves a point-like body by up to `STRIDE` = 0.06 per step. Each episode has a context
(where the slot is, where the object lies), drawn from a common range or, with some probability, from a rare outer one.
The reward is 1 at the step that succeeds and 0 at all others: with a cost per step, an early crash would pay.

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

A new task is an entry of `TASKS`, with a script of the same name in `demonstrators.SCRIPTS`. Tasks of many dimensions
are made on demand, by `many_dimensions.py`; `TASKS` finds them by name, and does not list them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from continuous.kernels import dynamics
from theory.base import validate

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Entry = TypeVar("Entry")

RUNNING, SUCCEEDED = dynamics.RUNNING, dynamics.SUCCEEDED
FAILED, TIMED_OUT = dynamics.FAILED, dynamics.TIMED_OUT
"""Values of a state's status."""


class Registry(dict[str, Entry], Generic[Entry]):
    """Entries by name; an unknown name is a KeyError that lists the known ones.

    Parameters
    ----------
    kind : str
        What the entries are, for the message.
    entries : dict
        By name, in their order.
    on_demand : callable, optional
        Makes the entry of a name that is not listed, or returns None. Such entries never appear in a loop.
    """

    def __init__(
        self, kind: str, entries: dict[str, Entry], on_demand: Callable[[str], Entry | None] = lambda name: None
    ) -> None:
        super().__init__(entries)
        self._kind = kind
        self._on_demand = on_demand

    def __missing__(self, name: str) -> Entry:
        if (entry := self._on_demand(name)) is not None:
            return entry
        raise KeyError(f"no {self._kind} is called {name!r}; there are: {', '.join(self)}")


class Transition(NamedTuple):
    """Outcome of one step of n episodes; a tuple, because loops unpack it as they do Gymnasium's.

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


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """A control task with deterministic dynamics: only the first state is random.

    Parameters
    ----------
    name : str
        Key of the task in `TASKS` and of its script in `demonstrators.SCRIPTS`.
    observation_dim, action_dim, state_dim : int
        Sizes; state_dim counts status and time.
    horizon : int
        Steps after which an episode ends without success, at least 1.
    n_uniforms : int
        Number of uniform random numbers that a first state is computed from.
    start : callable
        (uniforms (n, n_uniforms), probability of the rare range) -> states (n, state_dim).
    observation : callable
        states -> observations (n, observation_dim).
    advance : callable
        (states, clipped actions, horizon, out, rewards): fills the last two.
    rare_in_demonstrations, rare_in_evaluation : float
        Probability of the rare range of contexts, in [0, 1].
    bound : float
        Largest absolute value of an observation's entry; may be infinite.
    """

    name: str
    observation_dim: int
    action_dim: int
    state_dim: int
    horizon: int
    n_uniforms: int
    start: Callable[[FloatArray, float], FloatArray]
    observation: Callable[[FloatArray], FloatArray]
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
        """Draw n first states, row by row: from the same seed, a smaller n gives the first rows of a larger one.

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
        """
        return self.observation(validate.array("states", states, shape=(None, self.state_dim)))

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
        """
        before = validate.array("states", states, shape=(None, self.state_dim))
        moves = validate.array("actions", actions, shape=(before.shape[0], self.action_dim))
        return self.transition(before, moves)

    def transition(self, states: FloatArray, actions: FloatArray) -> Transition:
        """As `step`, for float64 arrays that are not checked (`states` C-ordered): what loops over steps call."""
        moves = np.clip(actions, -1.0, 1.0, order="C")  # a strided chunk would compile the kernel a second time
        after, rewards = np.empty_like(states), np.empty(len(states))
        self.advance(states, moves, self.horizon, after, rewards)
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
    """Map uniform numbers on [0, 1) to [low, high)."""
    return np.asarray(low + (high - low) * uniforms)


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


def _of_many_dimensions(name: str) -> Task | None:
    from continuous import many_dimensions  # here, because that file is built on this one

    return many_dimensions.task_of_family(name)


TASKS = Registry("task", {task.name: task for task in (REACH, CORRIDOR, LIFT, PUSH, STICK)}, _of_many_dimensions)
"""All of them by name."""
