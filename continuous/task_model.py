"""What a control task is: states, observations, one step of many episodes at once, and a registry of tasks by name.

An entry of an action lies in [-1, 1]. Each episode has a context (where the slot is, where the object lies), drawn from
a common range or, with some probability, from a rare outer one. All chance lies in the first state. The first two
columns of a state are status and time.
"""

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
