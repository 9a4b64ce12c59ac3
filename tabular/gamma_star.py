"""gamma_star: the largest coverage that a cloned policy has with a stated confidence.

    gamma_star = max {gamma : P[coverage over the reachable states >= gamma] >= 1 - delta},

found by bisection, since the probability does not increase with gamma. The probability is

    exact          for one cell, for a process whose states never mix (bandits, B.2), and for a process with at most two
                   reachable states per step (locks), where that takes seconds;
    a lower bound  for any other process (`certificates`), so gamma_star is never too large.

`sampled_gamma_star` gives an interval from sampled data instead, for any estimator. In our comparisons the certified
value is within 5 % of the sampled one.

Letters: T = n_demos, w = visit_probability, p = action_probabilities, delta = allowed probability of not covering.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabular import dp
from tabular.certificates import CellLaws
from tabular.coverage import coverage_where
from tabular.demonstrations import sample_counts
from tabular.exact_coverage import cell_coverage_probability
from tabular.mdp import FiniteHorizonMDP, checked_policy
from tabular.narrow_coverage import NarrowProcess
from tabular.policies import MixtureEstimator, PolicyEstimator, checked_estimator, checked_member
from tabular.unmixed_coverage import UnmixedProcess
from theory.base import validate
from theory.claims import Interval
from theory.statistics.probability import quantile_interval

LEAST_DELTA = 1e-12
"""For a smaller delta the rounding of 1 - delta would decide, so nothing could be certified."""


@dataclass(frozen=True)
class GammaStar:
    """The largest gamma with P[coverage >= gamma] >= 1 - delta.

    Parameters
    ----------
    value : float
        In [0, 1]; never above the true value by more than rounding, a relative 1e-12.
    exact : bool
        True if it is that value, up to the tolerance; False if it is a certified lower bound on it.
    """

    value: float
    exact: bool


def gamma_star(
    mdp: FiniteHorizonMDP,
    demonstrator: ArrayLike,
    n_demos: int,
    estimator: MixtureEstimator,
    delta: float,
    *,
    tolerance: float = 1e-6,
) -> GammaStar:
    """Largest gamma with which the reachable states of a process are covered with probability 1 - delta.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, at least 1.
    estimator : MixtureEstimator
    delta : float
        From `LEAST_DELTA`, below 1.
    tolerance : float, optional
        Relative, above 0.
    """
    delta = _delta(delta)
    member = checked_member(estimator)
    unmixed = UnmixedProcess.of(mdp, demonstrator, n_demos)
    if unmixed is not None:
        value = largest_coverage(lambda g: unmixed.coverage_probability(member, g), 1 - delta, tolerance=tolerance)
        return GammaStar(value, exact=True)
    narrow = NarrowProcess.of(mdp, demonstrator, n_demos)
    laws = CellLaws.of(mdp, demonstrator, n_demos)

    def probability(gamma: float) -> float:
        certified = 1 - laws.failure_bound(member, gamma, enough=delta)
        if narrow is None or certified >= 1 - delta:  # the lower bound already decides this step of the bisection
            return certified
        return narrow.coverage_probability(member, gamma)

    return GammaStar(largest_coverage(probability, 1 - delta, tolerance=tolerance), exact=narrow is not None)


def cell_gamma_star(
    n_demos: int,
    visit_probability: float,
    action_probabilities: ArrayLike,
    estimator: MixtureEstimator,
    delta: float,
    *,
    tolerance: float = 1e-6,
) -> float:
    """Largest gamma with which every action of one cell (h, s) is covered with probability 1 - delta, exactly.

    Parameters
    ----------
    n_demos : int
        T, at least 1.
    visit_probability : float
        The demonstrator's occupancy w = w_h(s), in [0, 1].
    action_probabilities : array_like, (A,)
        The demonstrator's distribution p in the cell.
    estimator : MixtureEstimator
    delta : float
        From `LEAST_DELTA`, below 1.
    tolerance : float, optional
        Relative, above 0.

    Returns
    -------
    float
        In [0, 1]; never above the true value by more than rounding, a relative 1e-12.
    """

    def probability(gamma: float) -> float:
        return cell_coverage_probability(n_demos, visit_probability, action_probabilities, estimator, gamma)

    return largest_coverage(probability, 1 - _delta(delta), tolerance=tolerance)


def sampled_gamma_star(
    mdp: FiniteHorizonMDP,
    demonstrator: ArrayLike,
    n_demos: int,
    estimator: PolicyEstimator,
    delta: float,
    *,
    replicates: int,
    confidence: float,
    rng: np.random.Generator,
) -> Interval:
    """Interval for the largest gamma that is covered with probability 1 - delta, from sampled data sets.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, at least 1.
    estimator : PolicyEstimator
        Any rule that clones a policy.
    delta : float
        In (0, 1).
    replicates : int
        Number of data sets, at least 1.
    confidence : float
        Of the interval, distribution-free, in (0, 1).
    rng : numpy.random.Generator

    Returns
    -------
    Interval
        Within [0, 1].
    """
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    rule = checked_estimator(estimator)
    replicates = validate.integer("replicates", replicates, at_least=1)
    included = dp.reachable(mdp, pi_beta)
    gamma = [
        coverage_where(rule.policy(sample_counts(mdp, pi_beta, n_demos, rng)), pi_beta, included)
        for _ in range(replicates)
    ]
    interval = quantile_interval(gamma, delta, confidence)
    return Interval(max(0.0, interval.low), min(1.0, interval.high))


def largest_coverage(probability: Callable[[float], float], confidence: float, *, tolerance: float = 1e-6) -> float:
    """Largest gamma that is covered with the stated confidence, by bisection.

    Parameters
    ----------
    probability : callable
        gamma in (0, 1] to P[coverage >= gamma], which does not increase.
    confidence : float
        In (0, 1).
    tolerance : float, optional
        Relative, above 0.

    Returns
    -------
    float
        In [0, 1]; 0 if no gamma above 1e-12 is covered. Never above the true value.
    """
    confidence = validate.real("confidence", confidence, above=0.0, below=1.0)
    tolerance = validate.real("tolerance", tolerance, above=0.0)
    low, high = 1e-12, 1.0
    if probability(high) >= confidence:
        return high
    if not probability(low) >= confidence:  # written so that a NaN is not covered
        return 0.0
    while high > low * (1 + tolerance):
        middle = math.sqrt(low * high)
        if not low < middle < high:  # neighbours in floating point
            break
        if probability(middle) >= confidence:
            low = middle
        else:
            high = middle
    return low


def _delta(delta: float) -> float:
    return validate.real("delta", delta, at_least=LEAST_DELTA, below=1.0)
