"""What the counts of one cell (h, s) say, for kernels and laws of coverage. Arguments are not checked here.

With T demonstrations and occupancy w, the cell is visited n ~ Bin(T, w) times; given n, the K_a recordings of its
actions are multinomial with the demonstrator's probabilities p_a. A policy of the family gives action a

    (1 - a_n) K_a/n + a_n/A,

so the cell is covered with parameter gamma if and only if K_a >= m_a(n) for every action, with m from
`required_counts`. The functions with checks are in `tabular.exact_coverage`.
"""

import math

import numpy as np

from tabular.kernels import laws_of_counts
from tabular.mdp import FloatArray, IntArray
from tabular.policies import MixtureEstimator
from theory.bounds.family import noise_weight

TIE = 1e-12
"""Relative rounding within which a mixture weight counts as equal to its threshold. It is relative to the threshold:
an absolute one would turn a probability of 0 into coverage, and BC would seem to cover what it never plays."""

LOG_NEGLIGIBLE = 18 * math.log(10)
"""Tails of counts below exp(-this), 1e-18, are left out."""

NEVER = 1e-290
"""Probabilities below this count as 0: divided by them, the masses of a binomial overflow."""


def visit_law(n_demos: int, visit_probability: float) -> tuple[IntArray, FloatArray]:
    """Numbers of visits that matter, consecutive, and their probabilities; see `exact_coverage.visit_law`."""
    T, w = n_demos, 0.0 if visit_probability < NEVER else visit_probability
    reach = math.sqrt(2 * T * w * (1 - w) * LOG_NEGLIGIBLE) + 2 / 3 * LOG_NEGLIGIBLE
    n = np.arange(max(0, math.floor(T * w - reach)), min(T, math.ceil(T * w + reach)) + 1)
    mass = np.empty(n.size)
    laws_of_counts.binomial_masses(T, w, int(n[0]), mass)
    return n, mass


def required_counts(
    visits: IntArray, action_probabilities: FloatArray, estimator: MixtureEstimator, gamma: float
) -> IntArray:
    """Smallest K with (1 - a_n) K/n + a_n/A >= gamma p, (N, A); n + 1 where no K <= n will do."""
    return _required(visits[:, None], action_probabilities, action_probabilities.size, estimator, gamma)


def required_of_action(
    visits: IntArray, probability: float, n_actions: int, estimator: MixtureEstimator, gamma: float
) -> IntArray:
    """As `required_counts`, of one action alone, (N,): the memory does not grow with the number of actions."""
    return _required(visits, np.float64(probability), n_actions, estimator, gamma)


def _required(
    n: IntArray, p: FloatArray | np.float64, n_actions: int, estimator: MixtureEstimator, gamma: float
) -> IntArray:
    weight = noise_weight(n, estimator.alpha, estimator.prior_mass)
    missing = gamma * p * (1 - TIE) - weight / n_actions
    with np.errstate(divide="ignore", invalid="ignore"):  # a_n = 1, and n = 0: no count helps
        counts = np.ceil(np.where(missing > 0, n * missing / (1 - weight), 0.0))
    # Written so that a NaN, 0/0, counts as "no K will do" and never as covered.
    return np.where(counts <= n, counts, n + 1).astype(np.int64)


def covered_given_visits(
    visits: IntArray, action_probabilities: FloatArray, estimator: MixtureEstimator, gamma: float
) -> FloatArray:
    """P[every action of the cell is covered | n visits], (N,)."""
    out = np.empty(visits.size)
    weight = noise_weight(visits, estimator.alpha, estimator.prior_mass)
    threshold = gamma * action_probabilities * (1 - TIE)
    p = np.where(action_probabilities < NEVER, 0.0, action_probabilities)
    laws_of_counts.covered_given_visits(visits, weight, p, threshold, LOG_NEGLIGIBLE, out)
    return out
