"""How many more demonstrations to record until an action is covered, with a stated confidence: exact.

A state with occupancy w was visited n_0 times so far, and an action that the demonstrator plays there with probability
p was recorded k_0 times. After T more demonstrations the state was visited n_0 + n times and the action recorded
k_0 + k times, where n ~ Bin(T, w) and, given n, k ~ Bin(n, p). The action is covered at level gamma if the cloned
policy plays it with probability at least gamma p. With the probability of missing it given n new visits

    g(n) = P[k_0 + k < m(n_0 + n)],   m(.) = smallest count that covers (`one_cell.required_counts`),

P[covered after T more] = 1 - E g(Bin(T, w)).

Letters: w = occupancy, p = probability, gamma = level, n_0 = visits, k_0 = recorded, T = more.
Source: the companion's exact probabilities.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tabular import one_cell
from tabular.first_recording import demonstrations_until_recorded
from tabular.kernels import laws_of_counts
from tabular.mdp import FloatArray, IntArray
from tabular.policies import MixtureEstimator, checked_member
from theory.base import validate
from theory.bounds.family import noise_weight

ANY_POSITIVE = 1e-300
"""A level so low that every positive probability counts as covered."""

MAX_VISITS = 2_000_000
"""Most visits of one state that the search of a plan looks at; closed forms have no limit."""

LEAST_DELTA = 1e-15
"""Least delta of the search: the laws of visits leave out a probability of 1e-18."""

_LEAST_OCCUPANCY = 1e-290
"""Least occupancy of the search: below, its quotients overflow."""

_MANY = 2**62
"""From so many demonstrations on, the visits are taken as Poisson, since whole numbers would overflow. A state with at
most `MAX_VISITS` visits then has w < 1e-12, which bounds the error (Barbour and Hall)."""

_CHUNK = 1024

_UNLIKELY = 1e-17
"""Above the probability of all the numbers of visits that `one_cell.visit_law` leaves out."""


class BeyondSearch(ValueError):
    """The action is covered at some time, but the search does not reach it; the message says where it gave up."""


@dataclass(frozen=True, kw_only=True)
class RecordingPlan:
    """One action in one state and step, and the estimator whose policy is to cover it.

    Parameters
    ----------
    occupancy : float
        w, the demonstrator's probability of being in the state at its step, in (0, 1].
    probability : float
        p, with which the demonstrator plays the action there, in (0, 1].
    n_actions : int
        A, at least 2.
    estimator : MixtureEstimator
    level : float
        gamma, in (0, 1]; `ANY_POSITIVE` asks only for a probability above 0.
    visits, recorded : int, optional
        n_0 and k_0 so far, 0 <= k_0 <= n_0.
    """

    occupancy: float
    probability: float
    n_actions: int
    estimator: MixtureEstimator
    level: float
    visits: int = 0
    recorded: int = 0

    def __post_init__(self) -> None:
        validate.real("occupancy", self.occupancy, above=0.0, at_most=1.0)
        validate.real("probability", self.probability, above=0.0, at_most=1.0)
        validate.integer("n_actions", self.n_actions, at_least=2)
        validate.real("level", self.level, above=0.0, at_most=1.0)
        validate.integer("visits", self.visits, at_least=0)
        validate.integer("recorded", self.recorded, at_least=0, at_most=self.visits)
        checked_member(self.estimator)

    def coverage_probability(self, more: int) -> float:
        """P[the action is covered after T more demonstrations], exactly.

        Parameters
        ----------
        more : int
            T, at least 0.
        """
        new, mass = _visits(validate.integer("more", more, at_least=0), self.occupancy)
        return min(1.0, max(0.0, 1.0 - float(mass @ self._misses(new))))

    def demonstrations_needed(self, delta: float) -> int | None:
        """Smallest number of further demonstrations from which the action stays covered with probability 1 - delta.

        "Stays" matters: in a state that was never visited every policy is uniform and covers, and a few visits may be
        worse than none. The first number that covers would then be 0, a wrong answer.

        Parameters
        ----------
        delta : float
            In (0, 1).

        Returns
        -------
        int or None
            None where the policy never covers with this confidence, however many are recorded.

        Raises
        ------
        BeyondSearch
            If more than `MAX_VISITS` visits are needed (or delta or w is extremely small) and there is no closed form.

        Notes
        -----
        P[missed after T more] = E g(Bin(T, w)) need not fall with T. Replacing g(n) by the largest of its later values
        gives an upper bound that does, so bisection finds a T beyond which the bound is at most delta. The search then
        goes down from there: from T to T - 1 the probability changes by at most w max_n (g(n) - g(n+1)), with n among
        the visits that matter, so it can skip as many T as this slope allows without passing one that fails. It goes
        down to T/2 at most in one step, so that the visits that matter do not change. Above 2^53, where doubles no
        longer tell neighbours apart, about 12 digits of the number that is found are right; all are in closed form.
        """
        delta = validate.real("delta", delta, above=0.0, below=1.0)
        if self._never_covers():
            return None
        if self._any_recording_covers():
            return self._until_recorded(delta)
        if delta < LEAST_DELTA or self.occupancy < _LEAST_OCCUPANCY:
            raise BeyondSearch(f"not found: delta below {LEAST_DELTA:g}, or w below {_LEAST_OCCUPANCY:g}")
        later = self._later_misses(delta)
        if later is None:
            return self._far_beyond(delta)
        misses, envelope, tail = later
        high = _first_below(envelope, tail, self.occupancy, delta)
        falls = np.maximum.accumulate(np.append(misses[:-1] - misses[1:], tail)[::-1])[::-1]
        while high > 0:
            slack = delta - _expected(misses, tail, self.occupancy, high - 1)
            if slack < 0.0:
                return high
            half = (high - 1) // 2
            least = int(_visits(half, self.occupancy)[0][0])
            fall = self.occupancy * (float(falls[min(least, falls.size - 1)]) + _UNLIKELY)
            high -= min(high - half, max(1 + math.floor(slack / fall), high >> 50))  # a step that doubles can tell
        return 0

    def _never_covers(self) -> bool:
        """Whether the share of recordings that a cover needs in the limit is the demonstrator's p, or above."""
        weight = self._last_weight
        missing = self.level * self.probability - weight / self.n_actions
        return missing > 0.0 and (weight == 1.0 or missing / (1.0 - weight) >= self.probability)

    def _any_recording_covers(self) -> bool:
        return self.estimator.alpha == 0.0 and self.recorded == 0 and self.level <= ANY_POSITIVE

    def _until_recorded(self, delta: float) -> int:
        visited = self.visits > 0
        return demonstrations_until_recorded(self.occupancy, self.probability, delta, visited=visited)

    def _far_beyond(self, delta: float) -> int:
        """The closed form where one recording covers BC's policy for all numbers of visits that matter.

        That is so below n_2 = 1/(gamma p) visits. With T_0 from the closed form, it must be improbable that 2 T_0
        demonstrations visit the state so often (then the numbers up to there are those of the closed form), and that
        the action is missed after n_2 visits or more (then so are those beyond, where (1 - w p)^T <= delta^2).
        Such sums of two bounds stay below delta.
        """
        if self.estimator.alpha == 0.0 and self.recorded == 0:
            enough = self._until_recorded(delta)
            second = math.floor(1.0 / (self.level * self.probability)) - self.visits
            mean = 2.0 * enough * self.occupancy
            seldom = 0.0 < mean < second and (
                second * math.log(second / mean) - second + mean > one_cell.LOG_NEGLIGIBLE - math.log(delta)
            )
            if seldom and self._tail(second) <= 0.5 * delta and delta <= 0.5:
                return enough
        raise BeyondSearch(f"not found: over {MAX_VISITS} visits")

    def _misses(self, new: IntArray) -> FloatArray:
        """g(n): probability that the action is not covered given n new visits."""
        visits = self.visits + new
        needed = one_cell.required_of_action(visits, self.probability, self.n_actions, self.estimator, self.level)
        return np.asarray(stats.binom.cdf(needed - self.recorded - 1, new, self.probability), np.float64)

    def _later_misses(self, delta: float) -> tuple[FloatArray, FloatArray, float] | None:
        """g(0..N), the largest of its later values, and a bound on g beyond N far below delta; None for too large N."""
        size = _CHUNK
        while size <= MAX_VISITS:
            tail = self._tail(size)
            if tail <= 1e-3 * delta:
                misses = self._misses(np.arange(size))
                return misses, np.maximum.accumulate(np.append(misses, tail)[::-1])[::-1][:-1], tail
            size *= 2
        return None

    def _tail(self, new: int) -> float:
        """Chernoff's bound on g(m) for every m >= n.

        The share of recordings that a cover needs is (gamma p - a/A)/(1 - a); as a falls with m, it lies between its
        values at a_n and at the limit of a_m, and the larger one of the two is the harder.
        """
        A, p = self.n_actions, self.probability
        share = 0.0
        weight_after = noise_weight(self.visits + new, self.estimator.alpha, self.estimator.prior_mass)
        for weight in (float(weight_after), self._last_weight):
            missing = self.level * p - weight / A
            if missing > 0.0:
                share = max(share, missing / (1.0 - weight) if weight < 1.0 else math.inf)
        if share == 0.0:
            return 0.0
        if share >= p:
            return 1.0
        share += max(0.0, self.visits * share - self.recorded) / new
        if share >= p:
            return 1.0
        first = share * math.log(share / p)
        rest = (1.0 - share) * (math.log1p(-share) - math.log1p(-p)) if p < 1.0 else math.inf
        return math.exp(-new * (first + rest))

    @property
    def _last_weight(self) -> float:
        """Limit of a_n."""
        return self.estimator.alpha if math.isinf(self.estimator.prior_mass) else 0.0


def _visits(more: int, occupancy: float) -> tuple[IntArray, FloatArray]:
    if more == 0:
        return np.zeros(1, np.int64), np.ones(1)
    if more < _MANY:
        return one_cell.visit_law(more, occupancy)
    mean = more * occupancy
    reach = math.sqrt(2.0 * mean * one_cell.LOG_NEGLIGIBLE) + 2.0 / 3.0 * one_cell.LOG_NEGLIGIBLE
    n = np.arange(max(0, math.floor(mean - reach)), math.ceil(mean + reach) + 1)
    mass = np.empty(n.size)
    laws_of_counts.poisson_masses(mean, int(n[0]), mass)
    return n, mass


def _expected(values: FloatArray, tail: float, occupancy: float, more: int) -> float:
    """E of a function of Bin(T, w) that is `tail` beyond the last of its values."""
    new, mass = _visits(more, occupancy)
    inside = new < values.size
    return float(mass[inside] @ values[new[inside]] + tail * mass[~inside].sum())


def _first_below(envelope: FloatArray, tail: float, occupancy: float, delta: float) -> int:
    """Smallest T at which the falling expectation is at most delta."""
    if _expected(envelope, tail, occupancy, 0) <= delta:
        return 0
    low, high = 0, 1
    while _expected(envelope, tail, occupancy, high) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _expected(envelope, tail, occupancy, middle) > delta:
            low = middle
        else:
            high = middle
    return high
