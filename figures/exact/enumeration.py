"""Exact values by enumeration of all data sets, for processes of one step."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multinomial

from figures.running.artifacts import Arrays
from tabular import dp
from tabular.constructions import lower_bound_family, two_bandits
from tabular.counts import Counts
from tabular.coverage import coverage
from tabular.finetune import support_optimum
from tabular.policies import BC


def blind_policy(n_actions: int, alpha: float, rare: float) -> tuple[float, float]:
    """Exact coverage and largest loss, on the family of B.4, of the policy that plays each rare arm with `rare`."""
    policy = np.full((1, 1, n_actions), rare)
    policy[0, 0, 0] = 1 - (n_actions - 1) * rare
    family = lower_bound_family(n_actions, alpha)
    covered = min(coverage(policy, instance.demonstrator) for instance in family)
    return covered, max(dp.suboptimality(instance.mdp, instance.demonstrator, policy) for instance in family)


def multinomial_outcomes(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as an ordered sum of `parts` counts."""
    for bars in itertools.combinations(range(total + parts - 1), parts - 1):
        edges = (-1, *bars, total + parts - 1)
        yield tuple(b - a - 1 for a, b in itertools.pairwise(edges))


def multinomial_chance(counts: Sequence[int], probabilities: NDArray[np.float64]) -> float:
    """Probability of multinomial counts."""
    ways = math.factorial(sum(counts))
    for k in counts:
        ways //= math.factorial(k)
    return float(ways * math.prod(float(p) ** k for p, k in zip(probabilities, counts, strict=True)))


def fall_chance(epsilon: float, n_demos: int) -> float:
    """P[J(BC) <= J(pi_beta) - eps on both bandits of B.1], over all data sets; without data BC is uniform."""
    pair = two_bandits(epsilon)
    total = 0.0
    for counts in multinomial_outcomes(n_demos, 3):
        policy = BC.policy(Counts(np.array([[counts]]))) if n_demos else np.full((1, 1, 3), 1 / 3)
        if all(dp.suboptimality(i.mdp, i.demonstrator, policy) >= epsilon for i in pair):
            total += multinomial_chance(counts, pair[0].demonstrator[0, 0])
    return total


def b1_exactly(epsilon: float, n_demos: int) -> Arrays:
    """The two parts of the paper's argument on the bandit M1, by summing over all data sets.

    `b1_plateau`: expected largest return within BC's support; `b1_closed`: the same in closed form, the probability
    1 - (1 - 2 eps)^T that the paying arm was recorded. `b1_lost`: least loss, on one of the two bandits, of any
    learner that sees only BC's rollouts: 1/2 on the data sets from which BC plays the first arm alone (B1.6).
    """
    bandit = two_bandits(epsilon)[0]
    law = multinomial(n_demos, bandit.demonstrator[0, 0])
    plateau = lost = 0.0
    for second in range(n_demos + 1):
        for third in range(n_demos + 1 - second):
            counts = Counts(np.array([[[n_demos - second - third, second, third]]]))
            weight = float(law.pmf(counts.counts[0, 0]))
            policy = BC.policy(counts)
            plateau += weight * support_optimum(bandit.mdp, policy)
            lost += weight * 0.5 * (second + third == 0)
    closed = 1 - (1 - 2 * epsilon) ** n_demos
    return {"b1_plateau": np.array(plateau), "b1_closed": np.array(closed), "b1_lost": np.array(lost)}
