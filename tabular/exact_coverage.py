"""The exact probability that a cloned policy covers: of one action, one cell (h, s), or a process that never mixes.

Any other process has a certificate, in `tabular.certificates`. All of it is ours.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tabular import _kernels
from tabular.mdp import FiniteHorizonMDP, FloatArray, IntArray, checked_policy
from tabular.policies import Estimator
from theory.base import validate

TIE = 1e-12
"""Relative rounding within which a mixture weight counts as equal to its threshold. It is relative to the threshold,
so it never turns a probability of 0 into coverage."""

LOG_NEGLIGIBLE = 18 * math.log(10)
"""Tails of counts below exp(-this), 1e-18, are left out."""

NEVER = 1e-290
"""Below this, binomial probabilities overflow, and nothing is ever visited."""


def required_counts(visits: ArrayLike, action_probabilities: ArrayLike, estimator: Estimator, gamma: float) -> IntArray:
    """How often each action must have been recorded for the cell to be covered.

    Parameters
    ----------
    visits : array_like of int, (N,)
        Visits n = T_h(s).
    action_probabilities : array_like, (A,)
        The demonstrator's distribution p in the cell.
    estimator : Estimator
    gamma : float
        Coverage asked for, in (0, 1].

    Returns
    -------
    ndarray of int, (N, A)
        Smallest K with (1 - a_n) K/n + a_n/A >= gamma p; n + 1 where no K <= n will do.
    """
    n = validate.integers("visits", visits, shape=(None,))[:, None]
    p = validate.distribution("action_probabilities", action_probabilities, shape=(None,))
    gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
    validate.instance("estimator", estimator, Estimator)
    weight = estimator.noise_weight(n)
    threshold = gamma * p * (1 - TIE)
    missing = threshold - weight / p.size
    with np.errstate(divide="ignore", invalid="ignore"):
        counts = np.ceil(np.where(missing > 0, n * missing / (1 - weight), 0.0))
    return np.where(counts <= n, counts, n + 1).astype(np.int64)


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
    T = validate.integer("n_demos", n_demos, at_least=1)
    w = validate.real("visit_probability", visit_probability, at_least=0.0, at_most=1.0)
    if w < NEVER:
        w = 0.0
    reach = math.sqrt(2 * T * w * (1 - w) * LOG_NEGLIGIBLE) + 2 / 3 * LOG_NEGLIGIBLE
    n = np.arange(max(0, math.floor(T * w - reach)), min(T, math.ceil(T * w + reach)) + 1)
    mass = np.empty(n.size)
    _kernels.binomial_masses(T, w, int(n[0]), mass)
    return n, mass


def action_coverage_probability(
    n_demos: int,
    visit_probability: float,
    action_probability: float,
    n_actions: int,
    estimator: Estimator,
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
    estimator : Estimator
    gamma : float
        In (0, 1].
    """
    A = validate.integer("n_actions", n_actions, at_least=2)
    p = validate.real("action_probability", action_probability, at_least=0.0, at_most=1.0)
    n, mass = visit_law(n_demos, visit_probability)
    row = np.full(A, (1 - p) / (A - 1))
    row[0] = p
    needed = required_counts(n, row, estimator, gamma)[:, 0]
    return min(1.0, float(mass @ stats.binom.sf(needed - 1, n, p)))


def cell_coverage_probability(
    n_demos: int, visit_probability: float, action_probabilities: ArrayLike, estimator: Estimator, gamma: float
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
    estimator : Estimator
    gamma : float
        In (0, 1].

    Notes
    -----
    For each of the sqrt(T w) numbers of visits that matter: O(sqrt(T w)) for up to four actions, O(T w) for each two
    more.
    """
    p = validate.distribution("action_probabilities", action_probabilities, shape=(None,))
    n, mass = visit_law(n_demos, visit_probability)
    return min(1.0, float(mass @ covered_given_visits(n, p, estimator, gamma)))


def covered_given_visits(
    visits: ArrayLike, action_probabilities: ArrayLike, estimator: Estimator, gamma: float
) -> FloatArray:
    """P[every action of a cell is covered | n visits], exactly.

    Parameters
    ----------
    visits : array_like of int, (N,)
    action_probabilities : array_like, (A,)
        The demonstrator's distribution p in the cell.
    estimator : Estimator
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
    validate.instance("estimator", estimator, Estimator)
    out = np.empty(n.size)
    threshold = gamma * p * (1 - TIE)
    p = np.where(p < NEVER, 0.0, p)
    _kernels.covered_given_visits(n, estimator.noise_weight(n), p, threshold, LOG_NEGLIGIBLE, out)
    return out


def unmixed_coverage_probability(
    mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int, estimator: Estimator, gamma: float
) -> float:
    """P[coverage over the reachable states >= gamma] of the whole process, exactly, where states never mix.

    Where the first state decides all later ones, and no two first states ever meet (bandits, contextual bandits, B.2),
    the visits of the first states are multinomial and everything else is independent given them.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
        Under the demonstrator, states must not mix.
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, at least 1. Each first state costs O(T w) for its occupancy w, and O(sqrt(T w)) for every later cell.
    estimator : Estimator
    gamma : float
        In (0, 1].

    Raises
    ------
    ValueError
        If states mix.
    """
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    T = validate.integer("n_demos", n_demos, at_least=1)
    paths = _paths(mdp, pi_beta)
    if len(paths) < mdp.horizon:
        raise ValueError(f"mdp must keep its states apart under the demonstrator; they mix after step {len(paths) - 1}")
    total, low = np.ones(1), 0
    for path in paths.T:
        w = float(mdp.initial[path[0]])
        visits, _ = visit_law(T, min(1.0, w))
        weighted = np.empty(visits.size)
        _kernels.poisson_masses(T * w, int(visits[0]), weighted)
        rows, repeats = np.unique(pi_beta[np.arange(mdp.horizon), path], axis=0, return_counts=True)
        for row, times in zip(rows, repeats, strict=True):
            weighted *= covered_given_visits(visits, row, estimator, gamma) ** times
        total = np.convolve(total, weighted)[: T - low - int(visits[0]) + 1]
        low += int(visits[0])
    if not 0 <= T - low < total.size:
        return 0.0
    certain = np.empty(1)
    _kernels.poisson_masses(float(T), T, certain)
    return min(1.0, float(total[T - low] / certain[0]))


def never_mixes(mdp: FiniteHorizonMDP, demonstrator: ArrayLike) -> bool:
    """Whether, under the demonstrator, the first state decides all later ones, and no two first states ever meet.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    """
    return len(_paths(mdp, checked_policy("demonstrator", demonstrator, mdp.policy_shape))) == mdp.horizon


def _paths(mdp: FiniteHorizonMDP, pi_beta: FloatArray) -> IntArray:
    """States on the path from each first state, (H, I); only the steps before states mix, if they do."""
    here = np.flatnonzero(mdp.initial > 0)
    path = [here]
    for h in range(mdp.horizon - 1):
        k = h if mdp.probabilities.shape[0] > 1 else 0
        possible = pi_beta[h, here, :, None] * mdp.probabilities[k, here] > 0
        after = np.arange(mdp.n_states) if mdp.is_dense else mdp.successors[k, here]
        first = np.where(possible, after, mdp.n_states).min(axis=(1, 2))
        if (first != np.where(possible, after, -1).max(axis=(1, 2))).any() or np.unique(first).size < here.size:
            break
        here = first
        path.append(here)
    return np.stack(path)


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
    T = validate.integer("n_demos", n_demos, at_least=1)
    w = validate.real("visit_probability", visit_probability, at_least=0.0, at_most=1.0)
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
