"""How many more demonstrations until an action is covered, with a stated confidence: exact.

A state of occupancy w was visited n_0 times so far, and an action of the demonstrator's probability p was recorded k_0
times there. After T more demonstrations n = n_0 + Bin(T, w), and the action was recorded k_0 + Bin(n - n_0, p) times.
It is covered at level gamma if the cloned policy gives it at least gamma p.

Source: the companion's exact probabilities. Letters: w = occupancy, p = probability, T = more.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from tabular.exact_coverage import required_counts, visit_law
from tabular.mdp import FloatArray, IntArray
from tabular.policies import MixtureEstimator
from theory.base import validate

ANY = 1e-300
"""A level so low that every positive probability counts as covered."""

MAX_VISITS = 2_000_000
"""More visits of one state than this are not planned for."""

_CHUNK = 1024

_UNLIKELY = 1e-17
"""More than the probability of all numbers of visits that are left out."""


@dataclass(frozen=True)
class Plan:
    """One action of one state and step, and the policy that is to cover it.

    Parameters
    ----------
    occupancy : float
        w, the demonstrator's probability of being in the state at its step, in (0, 1].
    probability : float
        p, of the action there, in (0, 1].
    n_actions : int
        A, at least 2.
    estimator : MixtureEstimator
    level : float
        gamma, in (0, 1]; `ANY` asks for any probability above 0.
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
        validate.instance("estimator", self.estimator, MixtureEstimator)

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
        """Smallest number of further demonstrations from which on the action is covered with probability 1 - delta.

        "From which on" matters: in a state that no one has visited every policy is uniform, and covers; a few visits
        may then be worse than none.

        Parameters
        ----------
        delta : float
            In (0, 1).

        Returns
        -------
        int or None
            None where the policy never covers with this confidence, or needs more than `MAX_VISITS` visits.

        Notes
        -----
        Let g(n) be the probability of missing the action given n new visits. Replacing g by the largest of its later
        values bounds the probability of missing it from above by a function that falls with T, so that a number from
        which on all is well is found by bisection. From there down, the probability changes by at most
        w max_n (g(n) - g(n+1)) from T to T - 1, with n among the visits that matter. This tells how far one may step
        without passing a failure; down to T/2 at most, so that fewer visits do not matter.
        """
        delta = validate.real("delta", delta, above=0.0, below=1.0)
        later = self._later_misses(delta)
        if later is None:
            return None
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
            high -= 1 + min(high - 1 - half, math.floor(slack / fall))
        return 0

    @cached_property
    def _row(self) -> FloatArray:
        row = np.full(self.n_actions, (1.0 - self.probability) / (self.n_actions - 1))
        row[0] = self.probability
        return row

    def _misses(self, new: IntArray) -> FloatArray:
        """g(n): probability that the action is not covered given n new visits."""
        needed = required_counts(self.visits + new, self._row, self.estimator, self.level)[:, 0] - self.recorded
        return np.asarray(stats.binom.cdf(needed - 1, new, self.probability), np.float64)

    def _later_misses(self, delta: float) -> tuple[FloatArray, FloatArray, float] | None:
        """g(0..N), the largest of its later values, and a bound on everything after N that is far below delta."""
        size = _CHUNK
        while size <= MAX_VISITS:
            tail = self._tail(size)
            if tail <= 1e-3 * delta:
                misses = self._misses(np.arange(size))
                return misses, np.maximum.accumulate(np.append(misses, tail)[::-1])[::-1][:-1], tail
            size *= 2
        return None

    def _tail(self, new: int) -> float:
        """Chernoff's bound on g(m) for every m >= n."""
        A, p = self.n_actions, self.probability
        share = 0.0
        for weight in (float(self.estimator.noise_weight(self.visits + new)), self._last_weight):
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
    return visit_law(more, occupancy) if more > 0 else (np.zeros(1, np.int64), np.ones(1))


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
