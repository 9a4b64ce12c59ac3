"""The exact probability that a cloned policy covers one action, or one cell (h, s).

With T demonstrations and occupancy w, the cell is visited n ~ Bin(T, w) times, and given n the recordings K of its
actions are multinomial with the demonstrator's probabilities p. A policy of the family plays action a with probability
(1 - a_n) K_a/n + a_n/A. The cell is covered with parameter gamma if that is at least gamma p_a for every a, so

    P[covered] = sum_n P[Bin(T, w) = n] P[Mult(n, p) >= m(n)],   m_a(n) = smallest K_a that covers.

Whole processes are in `unmixed_coverage` and `narrow_coverage` (exact) and in `certificates` (a lower bound); what is
computed here without checks is in `one_cell`. Source: the companion.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tabular import one_cell
from tabular.mdp import FloatArray, IntArray
from tabular.policies import MixtureEstimator, checked_member
from theory.base import validate


def required_counts(
    visits: ArrayLike, action_probabilities: ArrayLike, estimator: MixtureEstimator, gamma: float
) -> IntArray:
    """How often each action must have been recorded for the cell to be covered.

    Parameters
    ----------
    visits : array_like of int, (N,)
        Visits n = T_h(s).
    action_probabilities : array_like, (A,)
        The demonstrator's distribution p in the cell.
    estimator : MixtureEstimator
    gamma : float
        Coverage asked for, in (0, 1].

    Returns
    -------
    ndarray of int, (N, A)
        Smallest K with (1 - a_n) K/n + a_n/A >= gamma p; n + 1 where no K <= n will do.
    """
    n = validate.integers("visits", visits, shape=(None,))
    p = validate.distribution("action_probabilities", action_probabilities, shape=(None,))
    gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
    return one_cell.required_counts(n, p, checked_member(estimator), gamma)


def visit_law(n_demos: int, visit_probability: float) -> tuple[IntArray, FloatArray]:
    """Numbers of visits that matter, and their probabilities: all but 2e-18 of Bin(T, w), by Bernstein's inequality.

    Parameters
    ----------
    n_demos : int
        T, at least 1.
    visit_probability : float
        w, in [0, 1].

    Returns
    -------
    visits : ndarray of int, (N,)
        Consecutive; N is of the order of sqrt(T w).
    probabilities : ndarray, (N,)
    """
    T, w = _checked_visits(n_demos, visit_probability)
    return one_cell.visit_law(T, w)


def action_coverage_probability(
    n_demos: int,
    visit_probability: float,
    action_probability: float,
    n_actions: int,
    estimator: MixtureEstimator,
    gamma: float,
) -> float:
    """P[pi_hat_h(a|s) >= gamma pi_beta_h(a|s)] for one action of one cell (h, s), exactly.

    T_h(s) ~ Bin(T, w), and given n visits the action was recorded Bin(n, p) times.

    Parameters
    ----------
    n_demos : int
        Number of demonstrations T, at least 1.
    visit_probability : float
        The demonstrator's occupancy w = w_h(s), in [0, 1].
    action_probability : float
        p = pi_beta_h(a|s), in [0, 1].
    n_actions : int
        A, at least 2.
    estimator : MixtureEstimator
    gamma : float
        In (0, 1].
    """
    A = validate.integer("n_actions", n_actions, at_least=2)
    p = validate.real("action_probability", action_probability, at_least=0.0, at_most=1.0)
    T, w = _checked_visits(n_demos, visit_probability)
    gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
    n, mass = one_cell.visit_law(T, w)
    needed = one_cell.required_of_action(n, p, A, checked_member(estimator), gamma)
    return min(1.0, float(mass @ stats.binom.sf(needed - 1, n, p)))


def cell_coverage_probability(
    n_demos: int, visit_probability: float, action_probabilities: ArrayLike, estimator: MixtureEstimator, gamma: float
) -> float:
    """P[every action of one cell (h, s) is covered with parameter gamma], exactly.

    sum_n P[Bin(T, w) = n] P[Mult(n, p) >= m(n)], with m(n) from `required_counts`.

    Parameters
    ----------
    n_demos : int
        Number of demonstrations T, at least 1.
    visit_probability : float
        The demonstrator's occupancy w = w_h(s), in [0, 1].
    action_probabilities : array_like, (A,)
        The demonstrator's distribution p in the cell.
    estimator : MixtureEstimator
    gamma : float
        In (0, 1].

    Notes
    -----
    For each of the sqrt(T w) numbers of visits that matter: O(sqrt(T w)) for up to four actions, O(T w) for each two
    more.
    """
    p = validate.distribution("action_probabilities", action_probabilities, shape=(None,))
    T, w = _checked_visits(n_demos, visit_probability)
    gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
    n, mass = one_cell.visit_law(T, w)
    return min(1.0, float(mass @ one_cell.covered_given_visits(n, p, checked_member(estimator), gamma)))


def covered_given_visits(
    visits: ArrayLike, action_probabilities: ArrayLike, estimator: MixtureEstimator, gamma: float
) -> FloatArray:
    """P[every action of a cell is covered | n visits], exactly.

    Parameters
    ----------
    visits : array_like of int, (N,)
    action_probabilities : array_like, (A,)
        The demonstrator's distribution p in the cell.
    estimator : MixtureEstimator
    gamma : float
        In (0, 1].

    Returns
    -------
    ndarray, (N,)
        In [0, 1]; absolute error about 1e-14.
    """
    n = validate.integers("visits", visits, shape=(None,))
    p = validate.distribution("action_probabilities", action_probabilities, shape=(None,))
    gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
    return one_cell.covered_given_visits(n, p, checked_member(estimator), gamma)


def seen_probability(n_demos: int, visit_probability: float, action_probabilities: ArrayLike) -> float:
    """P[every action of the demonstrator in a cell was recorded, or the cell never visited], in closed form.

    That is the probability that BC covers the cell at all (gamma > 0). By inclusion and exclusion over sets C of
    actions, with p(C) their total probability: (1-w)^T + sum_C (-1)^|C| ((1 - w p(C))^T - (1-w)^T).

    Parameters
    ----------
    n_demos : int
        T, at least 1; without limit.
    visit_probability : float
        w, in [0, 1].
    action_probabilities : array_like, (A,)
        At most 20 of them positive.
    """
    T, w = _checked_visits(n_demos, visit_probability)
    p = validate.distribution("action_probabilities", action_probabilities, shape=(None,))
    positive = p[p > 0]
    if positive.size > 20:
        raise ValueError(f"action_probabilities must have at most 20 positive entries; got {positive.size}")
    sets = (np.arange(2**positive.size)[:, None] >> np.arange(positive.size)) & 1
    sign = 1 - 2 * (sets.sum(axis=1) % 2)
    with np.errstate(divide="ignore"):  # log(0): never avoided
        unvisited = np.exp(T * np.log1p(-w))
        missed = np.exp(T * np.log1p(-np.minimum(1.0, w * (sets @ positive))))
    return float(min(1.0, max(0.0, unvisited + math.fsum(sign * (missed - unvisited)))))


def _checked_visits(n_demos: int, visit_probability: float) -> tuple[int, float]:
    T = validate.integer("n_demos", n_demos, at_least=1)
    return T, validate.real("visit_probability", visit_probability, at_least=0.0, at_most=1.0)
