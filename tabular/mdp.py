"""Finite-horizon Markov decision processes.

A process has H steps, S states and A actions. It starts in s_1 ~ P_0; in step h = 1..H it plays a_h ~ pi_h(.|s_h),
is paid r_h(s_h, a_h) and moves to s_{h+1} ~ P_h(.|s_h, a_h). The return of a policy is

    J(pi) = E[sum_h r_h(s_h, a_h)].

Letters and arrays (steps start at 0 in the code, so P_1 is at index 0):

    P_h(.|s,a)   successors, probabilities   (K, S, A, D): D next states at most; K = H, or K = 1 if stationary
    r_h(s,a)     reward                      (H, S, A) or (1, S, A), in [0, 1]
    P_0          initial                     (S,)
    pi_h(a|s)    a policy                    (H, S, A), rows are distributions

Lists of next states keep a process like Taxi (S = 500, H = 200) small. A table in which most states follow most pairs
is kept dense. Symbols as in the paper, section "Setting".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular.gymnasium_table import TabularEnv, read_table
from tabular.kernels import policy_tables
from theory.base import validate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class FrozenArrays:
    """Freeze arrays again after unpickling, which returns them writable: a kernel would compile once more for those."""

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                validate.frozen(value)
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class RewardMap:
    """How a table's rewards were mapped to [0, 1]: original = offset + slope * reward."""

    offset: float = 0.0
    slope: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "offset", validate.real("offset", self.offset))
        object.__setattr__(self, "slope", validate.real("slope", self.slope, above=0.0))

    def original_return(self, scaled_return: float, horizon: int) -> float:
        """Return in the original units of a scaled return over `horizon` steps."""
        return horizon * self.offset + self.slope * scaled_return


@dataclass(frozen=True, init=False, eq=False, repr=False)
class FiniteHorizonMDP(FrozenArrays):
    """A finite-horizon MDP with a list of successors for each state and action.

    Parameters
    ----------
    successors : array_like of int, (K, S, A, D)
        Next states. K = H, or K = 1 when the dynamics do not change with the step. Unused entries have probability 0.
    probabilities : array_like, (K, S, A, D)
        Their probabilities; each (K, S, A) row sums to 1.
    reward : array_like, (H, S, A) or (1, S, A)
        Expected reward of a step, in [0, 1].
    initial : array_like, (S,)
        Distribution P_0 of the first state.
    horizon : int
        Number of steps H, at least 1.
    reward_map : RewardMap, optional
        From the rewards here back to the original ones.

    Raises
    ------
    TypeError, ValueError
        In particular if a row does not sum to 1, a successor is not a state, or a reward is outside [0, 1].

    Notes
    -----
    The arrays are copied, checked and frozen once. A table in which most states follow most pairs is kept dense,
    without an index; `successors` is then computed on demand.
    """

    probabilities: FloatArray
    reward: FloatArray
    initial: FloatArray
    horizon: int
    reward_map: RewardMap
    _successors: NDArray[np.int32]

    def __init__(
        self,
        successors: ArrayLike,
        probabilities: ArrayLike,
        reward: ArrayLike,
        initial: ArrayLike,
        horizon: int,
        reward_map: RewardMap | None = None,
    ) -> None:
        p = validate.distribution("probabilities", probabilities, shape=(None, None, None, None))
        index = validate.integers("successors", successors, shape=p.shape, below=p.shape[1])
        p, compact = _drop_unused(p, index.astype(np.int32))
        self._set(p, compact, reward, initial, horizon, reward_map)

    def _set(
        self,
        probabilities: FloatArray,
        successors: NDArray[np.int32],
        reward: ArrayLike,
        initial: ArrayLike,
        horizon: int,
        reward_map: RewardMap | None,
    ) -> None:
        n_steps, n_states, n_actions, _ = probabilities.shape
        if 0 in (n_states, n_actions):
            raise ValueError(f"a process must have at least one state and action; got {n_states} and {n_actions}")
        horizon = validate.integer("horizon", horizon, at_least=1)
        _check_steps("probabilities", n_steps, horizon)
        rewards = validate.array("reward", reward, shape=(None, n_states, n_actions))
        _check_steps("reward", rewards.shape[0], horizon)
        outside = (rewards < 0) | (rewards > 1)
        if outside.any():
            where = validate.first_index(outside)
            raise ValueError(f"reward must lie in [0, 1]; entry {where} is {rewards[where].item()}")
        start = validate.distribution("initial", initial, shape=(n_states,))
        for name, value in (
            ("probabilities", validate.frozen(probabilities)),
            ("_successors", validate.frozen(successors)),
            ("reward", validate.frozen(rewards)),
            ("initial", validate.frozen(start)),
            ("horizon", horizon),
            (
                "reward_map",
                RewardMap() if reward_map is None else validate.instance("reward_map", reward_map, RewardMap),
            ),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def from_dense(
        cls,
        transitions: ArrayLike,
        reward: ArrayLike,
        initial: ArrayLike,
        horizon: int,
        reward_map: RewardMap | None = None,
    ) -> "FiniteHorizonMDP":
        """Build from a full table P_h(s' | s, a).

        Parameters
        ----------
        transitions : array_like, (H, S, A, S), (1, S, A, S) or (S, A, S)
            Rows over the last axis sum to 1.
        reward : array_like, (H, S, A), (1, S, A) or (S, A)
        initial, horizon, reward_map
            As for the class.
        """
        table = validate.rectangular("transitions", transitions)
        rewards = validate.rectangular("reward", reward)
        if table.ndim == 3:
            table = table[None]
        if rewards.ndim == 2:
            rewards = rewards[None]
        last = table.shape[-1] if table.ndim else None
        p = validate.distribution("transitions", table, shape=(None, last, None, last))
        n_states = p.shape[-1]
        widest = int((p > 0).sum(axis=-1).max(initial=0)) if p.size else 0
        mdp = cls.__new__(cls)
        if 3 * widest >= 2 * n_states:  # lists of 4 + 8 bytes an entry would take more memory than the dense table
            mdp._set(p, np.empty((0, 0, 0, 0), np.int32), rewards, initial, horizon, reward_map)
        else:
            order = np.argsort(p == 0, axis=-1, kind="stable")[..., :widest]
            lists = np.ascontiguousarray(np.take_along_axis(p, order, axis=-1))
            mdp._set(lists, order.astype(np.int32), rewards, initial, horizon, reward_map)
        return mdp

    @classmethod
    def from_gymnasium(cls, env: TabularEnv, horizon: int) -> "FiniteHorizonMDP":
        """Read the transition table of a Gymnasium environment (FrozenLake, CliffWalking, Taxi, ...).

        An episode that ends goes to an extra last state that keeps the process with reward 0 (in the original units).
        One affine map then brings all rewards, including that 0, into [0, 1]; it is kept as `reward_map`, and is the
        identity if no reward is negative or above 1. Time limits of wrappers are not part of the table.

        Parameters
        ----------
        env : gymnasium.Env
            Its unwrapped form has `P[s][a]`, a list of (probability, next state, reward, ended), and
            `initial_state_distrib`.
        horizon : int

        Raises
        ------
        TypeError
            If the environment has no such table.
        ValueError
            If the table is not one of distributions over states.
        """
        table = read_table(env)
        low, high = table.reward_range
        scale = RewardMap() if low >= 0.0 and high <= 1.0 else RewardMap(low, high - low)
        scaled = np.clip((table.reward - scale.offset) / scale.slope, 0.0, 1.0)  # the clip only undoes rounding
        return cls(table.successors, table.probabilities, scaled, table.initial, horizon, scale)

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return int(self.probabilities.shape[1])

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return int(self.probabilities.shape[2])

    @property
    def policy_shape(self) -> tuple[int, int, int]:
        """Shape (H, S, A) of policies, occupancies and counts."""
        return self.horizon, self.n_states, self.n_actions

    @property
    def is_dense(self) -> bool:
        """Whether the table holds a probability for every next state, without a list of successors."""
        return self._successors.size == 0

    @property
    def successors(self) -> NDArray[np.int32]:
        """Next states (K, S, A, D), read-only."""
        if self.is_dense:
            return np.broadcast_to(np.arange(self.n_states, dtype=np.int32), self.probabilities.shape)
        return self._successors

    @property
    def table(self) -> tuple[NDArray[np.int32], FloatArray]:
        """Successors and probabilities as the kernels take them."""
        return self._successors, self.probabilities

    def to_dense(self) -> FloatArray:
        """Full table P_h(s' | s, a), (K, S, A, S)."""
        if self.is_dense:
            return self.probabilities.copy()
        n_steps, n_states, n_actions, _ = self.probabilities.shape
        dense = np.zeros((n_steps, n_states, n_actions, n_states))
        k, s, a, _ = np.ogrid[tuple(slice(n) for n in self.probabilities.shape)]
        np.add.at(dense, (k, s, a, self._successors), self.probabilities)
        return dense

    def __repr__(self) -> str:
        n_steps, _, _, width = self.probabilities.shape
        kind = "dense" if self.is_dense else f"{width} successors"
        change = "step-dependent" if n_steps > 1 else "stationary"
        scale = self.reward_map
        note = "" if scale == RewardMap() else f", original reward = {scale.offset:g} + {scale.slope:g} * reward"
        sizes = f"H={self.horizon}, S={self.n_states}, A={self.n_actions}"
        return f"FiniteHorizonMDP({sizes}, {kind}, {change} dynamics{note})"


def checked_policy(name: str, policy: ArrayLike, shape: tuple[int, ...] | None = None) -> FloatArray:
    """Read-only view (H, S, A) of a policy whose rows are distributions; a copy only if the layout requires it.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    policy : array_like, (H, S, A)
    shape : tuple of int, optional
        Required shape; any (H, S, A) if not given.
    """
    raw = validate.rectangular(name, policy)
    if shape is None:
        if raw.ndim != 3:
            raise ValueError(f"{name} must have shape (H, S, A); got {raw.shape}")
        shape = raw.shape
    if raw.dtype != np.float64 or raw.shape != shape:
        return validate.frozen(validate.distribution(name, raw, shape=shape))
    ordered = np.ascontiguousarray(raw).view()
    ordered.setflags(write=False)
    if policy_tables.first_bad_row(ordered, validate.ROW_TOLERANCE) >= 0:
        validate.distribution(name, ordered, shape=shape)
    return ordered


def checked_mask(name: str, mask: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Read-only view of a boolean array (H, S); a copy only if the layout requires it.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    mask : array_like of bool
    shape : tuple of int
        Required shape.
    """
    raw = validate.rectangular(name, mask)
    if raw.dtype != np.bool_ or raw.shape != shape:
        raise ValueError(f"{name} must be boolean of shape {shape}; got {raw.dtype} of shape {raw.shape}")
    read_only = np.ascontiguousarray(raw).view()  # the caller's array stays writable
    read_only.setflags(write=False)
    return read_only


def _check_steps(name: str, n_steps: int, horizon: int) -> None:
    if n_steps not in (1, horizon):
        raise ValueError(f"{name} must have 1 or horizon = {horizon} steps on its first axis; got {n_steps}")


def _drop_unused(p: FloatArray, successors: NDArray[np.int32]) -> tuple[FloatArray, NDArray[np.int32]]:
    """Move entries of probability 0 to the end of each row and drop the columns that no row uses."""
    widest = int((p > 0).sum(axis=-1).max(initial=0)) if p.size else 0
    if widest == p.shape[-1]:
        return p, successors
    order = np.argsort(p == 0, axis=-1, kind="stable")[..., :widest]
    return (
        np.ascontiguousarray(np.take_along_axis(p, order, axis=-1)),
        np.ascontiguousarray(np.take_along_axis(successors, order, axis=-1)),
    )
