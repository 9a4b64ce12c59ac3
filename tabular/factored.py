"""Factored actions: the lane of R7 as a process, and policies cloned coordinate by coordinate.

An action has d coordinates with A values each, so the process has A^d actions, numbered with the first coordinate as
the most significant digit (value 1 of the statement is digit 0). States: 0 lane, 1 b, 2 end. In steps 1..H-1 the lane
is kept by the action (1, .., 1), action 0, and the last of these steps leads to b with probability w; everything else
leads to the end, which pays nothing. At b, in step H, a first coordinate of 2 pays 1 (strict: if the others are 1).
The demonstrator keeps the lane, and its first coordinate at b is 1 or 2 with probability 1/2 each.

A coordinate-wise policy clones each coordinate from that coordinate's counts and multiplies:

    pi_h(a|s) = prod_i pi^i_h(a_i|s),    pi^i cloned from T^i_h(s, v) = sum of T_h(s, a) over actions with a_i = v.

Letters: d = n_coordinates, A = n_actions, H = horizon, w = visit_probability, T = n_demos, n = n_visits.

Source: R7; the closed forms are in `theory.bounds.factored_lane`.
"""

import math
from dataclasses import dataclass

import numpy as np

from tabular import dp
from tabular.counts import Counts
from tabular.instances import Instance
from tabular.mdp import FiniteHorizonMDP, FloatArray
from tabular.policies import PolicyEstimator, checked_estimator
from theory.base import validate
from theory.bounds.factored_lane import FactoredLane

LANE, B, END = range(3)
"""States of the process."""
MOST_ACTIONS = 100_000
"""Largest A^d for which the process is built."""


@dataclass(frozen=True, kw_only=True)
class FactoredEstimator:
    """Clones each coordinate of an action separately, and plays them independently.

    Parameters
    ----------
    sizes : tuple of int
        Number of values of each coordinate, each at least 1; their product is the number of actions.
    coordinate : PolicyEstimator
        Clones one coordinate from its counts.
    """

    sizes: tuple[int, ...]
    coordinate: PolicyEstimator

    def __post_init__(self) -> None:
        if not isinstance(self.sizes, tuple) or not self.sizes:
            raise TypeError(f"sizes must be a tuple with at least one number; got {self.sizes!r}")
        sizes = tuple(validate.integer(f"sizes[{i}]", size, at_least=1) for i, size in enumerate(self.sizes))
        object.__setattr__(self, "sizes", sizes)
        checked_estimator(self.coordinate)

    @property
    def name(self) -> str:
        """For legends and tables."""
        return f"{self.coordinate.name} by coordinate"

    def policy(self, counts: Counts) -> FloatArray:
        """Clone the demonstrations.

        Parameters
        ----------
        counts : Counts
            Of as many actions as the product of `sizes`.

        Returns
        -------
        ndarray, (H, S, A^d)
            Rows are distributions.
        """
        validate.instance("counts", counts, Counts)
        H, S, n_joint = counts.counts.shape
        if n_joint != math.prod(self.sizes):
            raise ValueError(f"counts must have {math.prod(self.sizes)} actions, the product of sizes; got {n_joint}")
        table = counts.counts.reshape(H, S, *self.sizes)
        joint = np.ones((H, S, 1))
        for i, size in enumerate(self.sizes):
            others = tuple(2 + j for j in range(len(self.sizes)) if j != i)
            cloned = self.coordinate.policy(Counts(table.sum(axis=others)))
            joint = (joint[..., None] * cloned[:, :, None, :]).reshape(H, S, joint.shape[2] * size)
        return joint


def factored_lane(lane: FactoredLane) -> Instance:
    """The lane of R7 with its demonstrator, as a process with A^d actions.

    J* = w, and J(pi_beta) = w/2.

    Parameters
    ----------
    lane : FactoredLane
        With A^d at most `MOST_ACTIONS`.
    """
    validate.instance("lane", lane, FactoredLane)
    H, w = lane.horizon, lane.visit_probability
    n_joint = lane.n_actions**lane.n_coordinates
    validate.integer("the number of joint actions A^d", n_joint, at_most=MOST_ACTIONS)
    successors = np.full((H, 3, n_joint, 2), END)
    probabilities = np.zeros((H, 3, n_joint, 2))
    probabilities[..., 0] = 1.0
    successors[:, LANE, 0, 0] = LANE
    initial = np.array([1.0, 0.0, 0.0] if H > 1 else [0.0, w, 1.0 - w])
    if H > 1:
        successors[H - 2, LANE, 0, 0] = B
        probabilities[H - 2, LANE, 0] = w, 1.0 - w
    reward = np.zeros((H, 3, n_joint))
    two = n_joint // lane.n_actions  # the action (2, 1, .., 1)
    reward[H - 1, B, two : two + (1 if lane.strict else two)] = 1.0
    pi_beta = np.zeros((H, 3, n_joint))
    pi_beta[:, :, 0] = 1.0
    pi_beta[H - 1, B, [0, two]] = 0.5
    return Instance("factored lane", FiniteHorizonMDP(successors, probabilities, reward, initial, H), pi_beta)


def recorded_counts(lane: FactoredLane, n_demos: int, n_visits: int) -> Counts:
    """Counts of T demonstrations of which n visited b, all with first coordinate 1.

    Parameters
    ----------
    lane : FactoredLane
        With A^d at most `MOST_ACTIONS`.
    n_demos : int
        T, at least 1.
    n_visits : int
        n, from 0 to T.
    """
    validate.instance("lane", lane, FactoredLane)
    T = validate.integer("n_demos", n_demos, at_least=1)
    n = validate.integer("n_visits", n_visits, at_least=0, at_most=T)
    n_joint = lane.n_actions**lane.n_coordinates
    validate.integer("the number of joint actions A^d", n_joint, at_most=MOST_ACTIONS)
    counts = np.zeros((lane.horizon, 3, n_joint), np.int64)
    counts[:-1, LANE, 0] = T
    counts[-1, [B, END], 0] = n, T - n
    return Counts(counts)


def success_probability(lane: FactoredLane, coordinate: PolicyEstimator, n_demos: int, n_visits: int) -> float:
    """Exact probability that a rollout of a coordinate-wise policy is paid, by dynamic programming.

    Parameters
    ----------
    lane : FactoredLane
        With A^d at most `MOST_ACTIONS`.
    coordinate : PolicyEstimator
        Clones each coordinate.
    n_demos : int
        T, at least 1.
    n_visits : int
        n, from 0 to T; all of them had first coordinate 1.
    """
    counts = recorded_counts(lane, n_demos, n_visits)
    estimator = FactoredEstimator(sizes=(lane.n_actions,) * lane.n_coordinates, coordinate=coordinate)
    return dp.expected_return(factored_lane(lane).mdp, estimator.policy(counts))
