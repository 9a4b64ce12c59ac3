"""Demonstrations: trajectories, and the counts that a policy is cloned from.

    T_h(s,a) = number of trajectories with action a in state s at step h,    T_h(s) = sum_a T_h(s,a)

The counts are sufficient: every policy of the paper's table depends on the trajectories only through them.
Letters: T = n_demos, T_h(s,a) = counts, T_h(s) = visits.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tabular.kernels import sampling
from tabular.mdp import FrozenArrays, IntArray
from theory.base import validate


@dataclass(frozen=True, eq=False)
class Demonstrations(FrozenArrays):
    """T trajectories of H steps in a process with S states and A actions.

    Parameters
    ----------
    states, actions : array_like of int, (T, H)
    n_states, n_actions : int

    Raises
    ------
    TypeError, ValueError
        If an array is not of integers, is empty, has another shape, or names a state or action that does not exist.
    """

    states: NDArray[np.int32]
    actions: NDArray[np.int32]
    n_states: int
    n_actions: int

    def __post_init__(self) -> None:
        n_states = validate.integer("n_states", self.n_states, at_least=1, at_most=2**31 - 1)
        n_actions = validate.integer("n_actions", self.n_actions, at_least=1, at_most=2**31 - 1)
        states = validate.integers("states", self.states, shape=(None, None), below=n_states)
        if 0 in states.shape:
            raise ValueError(f"states must hold at least one trajectory of one step; got shape {states.shape}")
        actions = validate.integers("actions", self.actions, shape=states.shape, below=n_actions)
        for name, value in (
            ("states", validate.frozen(states.astype(np.int32))),
            ("actions", validate.frozen(actions.astype(np.int32))),
            ("n_states", n_states),
            ("n_actions", n_actions),
        ):
            object.__setattr__(self, name, value)

    @property
    def n_demos(self) -> int:
        """Number of trajectories T."""
        return int(self.states.shape[0])

    @property
    def horizon(self) -> int:
        """Number of steps H."""
        return int(self.states.shape[1])

    def counts(self) -> "Counts":
        """Sufficient statistics T_h(s, a)."""
        out = np.zeros((self.horizon, self.n_states, self.n_actions), np.int64)
        sampling.count_visits(self.states, self.actions, out)
        return Counts(out)


@dataclass(frozen=True, eq=False)
class Counts(FrozenArrays):
    """How often each action was recorded in each state and step: T_h(s, a).

    Parameters
    ----------
    counts : array_like of int, (H, S, A)
        Every step holds the same number of pairs, one for each trajectory.

    Raises
    ------
    TypeError, ValueError
        If it is not an array of non-negative integers, or the steps hold different numbers of pairs, or none.
    """

    counts: IntArray

    def __post_init__(self) -> None:
        counts = validate.integers("counts", self.counts, shape=(None, None, None))
        if 0 in counts.shape:
            raise ValueError(f"counts must have at least one step, state and action; got shape {counts.shape}")
        # Summed in floating point first: an integer sum beyond 2^63 would silently wrap around.
        if counts.sum(axis=(1, 2), dtype=np.float64).max() >= 2.0**63:
            raise ValueError("counts must hold fewer than 2^63 pairs in each step")
        totals = counts.sum(axis=(1, 2))
        if (totals != totals[0]).any():
            h = int(np.argmax(totals != totals[0]))
            raise ValueError(
                f"counts must hold the same number of pairs in each step; step 0 has {totals[0]}, step {h} {totals[h]}"
            )
        if totals[0] == 0:
            raise ValueError("counts must hold at least one trajectory; all are 0")
        object.__setattr__(self, "counts", validate.frozen(counts))

    @property
    def n_demos(self) -> int:
        """Number of trajectories T."""
        return int(self.counts[0].sum())

    @cached_property
    def visits(self) -> IntArray:
        """Visits T_h(s), (H, S), read-only."""
        return validate.frozen(self.counts.sum(axis=2))
