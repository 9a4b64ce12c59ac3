"""Coverage of a demonstrator by a policy, and the exact probability that a cloned policy covers.

A policy covers the demonstrator with parameter gamma if pi_hat_h(a|s) >= gamma * pi_beta_h(a|s) for all h, s, a.
Source: the paper's definition of demonstrator action coverage; the exact probabilities are ours.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tabular import _kernels
from tabular.dp import reachable
from tabular.mdp import FiniteHorizonMDP, FloatArray, IntArray, checked_policy
from tabular.policies import Estimator
from theory import validate
from theory.probability import multinomial_box_probability, multinomial_product_expectation

TIE = 1e-12
"""Relative rounding within which a mixture weight counts as equal to its threshold. It is relative to the threshold,
so it never turns a probability of 0 into coverage."""

_LOG_NEGLIGIBLE = 18 * math.log(10)

_NEVER = 1e-290
"""Below this, scipy's binomial probabilities overflow, and nothing is ever visited."""


def coverage(
    policy: ArrayLike, demonstrator: ArrayLike, *, over: str = "all", mdp: FiniteHorizonMDP | None = None
) -> float:
    """Largest gamma with policy >= gamma * demonstrator, compared exactly.

    Parameters
    ----------
    policy, demonstrator : array_like, (H, S, A)
        Rows are distributions.
    over : {"all", "reachable"}, optional
        All (h, s), or only those that the demonstrator visits with positive probability.
    mdp : FiniteHorizonMDP, optional
        Needed for "reachable".

    Returns
    -------
    float
        In [0, 1]; 0 if some action of the demonstrator has probability 0.

    Raises
    ------
    TypeError, ValueError
        If a policy has the wrong shape or a bad row, if `over` is neither word, or if `mdp` is missing for "reachable".
    """
    shape = validate.rectangular("demonstrator", demonstrator).shape
    if len(shape) != 3:
        raise ValueError(f"demonstrator must have shape (H, S, A); got {shape}")
    if validate.choice("over", over, ("all", "reachable")) == "all":
        included = np.ones(shape[:2], np.bool_)
    elif mdp is None:
        raise ValueError("mdp must be given where over='reachable'")
    else:
        included = reachable(mdp, checked_policy("demonstrator", demonstrator, mdp.policy_shape))
    return coverage_where(policy, demonstrator, included)


def coverage_where(policy: ArrayLike, demonstrator: ArrayLike, included: ArrayLike) -> float:
    """Coverage over the (h, s) of a mask.

    Parameters
    ----------
    policy, demonstrator : array_like, (H, S, A)
    included : array_like of bool, (H, S)

    Raises
    ------
    TypeError, ValueError
        If a shape or a row is wrong, or the mask is not boolean.
    """
    shape = validate.rectangular("demonstrator", demonstrator).shape
    if len(shape) != 3:
        raise ValueError(f"demonstrator must have shape (H, S, A); got {shape}")
    pi_beta = checked_policy("demonstrator", demonstrator, (shape[0], shape[1], shape[2]))
    pi = checked_policy("policy", policy, (shape[0], shape[1], shape[2]))
    mask = np.ascontiguousarray(validate.rectangular("included", included))
    if mask.dtype != np.bool_ or mask.shape != shape[:2]:
        raise ValueError(f"included must be boolean of shape {shape[:2]}; got {mask.dtype} of shape {mask.shape}")
    mask = mask.view()
    mask.setflags(write=False)
    return float(_kernels.coverage(pi, pi_beta, mask))


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

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
    """
    n = validate.integers("visits", visits, shape=(None,))[:, None]
    p = validate.distribution("action_probabilities", action_probabilities, shape=(None,))
    gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
    if not isinstance(estimator, Estimator):
        raise TypeError(f"estimator must be an Estimator; got {type(estimator).__name__}")
    weight = estimator.noise_weight(n)
    threshold = gamma * p * (1 - TIE)
    missing = threshold - weight / p.size
    with np.errstate(divide="ignore", invalid="ignore"):
        counts = np.ceil(np.where(missing > 0, n * missing / (1 - weight), 0.0))
    return np.where(counts <= n, counts, n + 1).astype(np.int64)


def _visit_law(n_demos: int, visit_probability: float) -> tuple[IntArray, FloatArray]:
    """Numbers of visits that matter, and their probabilities: all but 2e-18 of Bin(T, w), by Bernstein's inequality."""
    T = validate.integer("n_demos", n_demos, at_least=1)
    w = validate.real("visit_probability", visit_probability, at_least=0.0, at_most=1.0)
    if w < _NEVER:
        w = 0.0
    reach = math.sqrt(2 * T * w * (1 - w) * _LOG_NEGLIGIBLE) + 2 / 3 * _LOG_NEGLIGIBLE
    n = np.arange(max(0, math.floor(T * w - reach)), min(T, math.ceil(T * w + reach)) + 1)
    return n, stats.binom.pmf(n, T, w)


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

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
    """
    A = validate.integer("n_actions", n_actions, at_least=2)
    p = validate.real("action_probability", action_probability, at_least=0.0, at_most=1.0)
    n, mass = _visit_law(n_demos, visit_probability)
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

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.

    Notes
    -----
    Time O(A n^2) for each n that matters: meant for up to some hundred visits. `seen_probability` has no such limit.
    """
    p = validate.distribution("action_probabilities", action_probabilities, shape=(None,))
    n, mass = _visit_law(n_demos, visit_probability)
    needed = required_counts(n, p, estimator, gamma)
    return min(1.0, float(mass @ _box_probabilities(n, p, needed)))


def _box_probabilities(visits: IntArray, p: FloatArray, needed: IntArray) -> FloatArray:
    """P[Mult(n, p) >= m(n)] for each n: directly for up to two actions that are played, else by convolution."""
    played = np.flatnonzero(p > 0)
    played = played[np.argsort(-p[played], kind="stable")]  # the likeliest first: rare ones overflow in scipy
    impossible = (needed[:, p == 0] > 0).any(axis=1)
    if played.size <= 2:
        first, last = needed[:, played[0]], needed[:, played[-1]] if played.size == 2 else np.zeros_like(visits)
        upper = visits - last  # first <= K <= n - last
        inside = stats.binom.cdf(upper, visits, p[played[0]]) - stats.binom.cdf(first - 1, visits, p[played[0]])
        return np.where(impossible | (upper < first), 0.0, inside)
    boxes = [multinomial_box_probability(int(n), p, np.minimum(m, n + 1)) for n, m in zip(visits, needed, strict=True)]
    return np.array(boxes)


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
        T, at least 1. Time O(S T^2).
    estimator : Estimator
    gamma : float
        In (0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range, or states mix.
    """
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    T = validate.integer("n_demos", n_demos, at_least=1)
    visits = np.arange(T + 1)
    starts = np.flatnonzero(mdp.initial > 0)
    factors = np.ones((starts.size, T + 1))
    known: dict[bytes, FloatArray] = {}
    for path, factor in zip(_paths(mdp, pi_beta, starts).T, factors, strict=True):
        for h, s in enumerate(path):
            row = pi_beta[h, s]
            if row.tobytes() not in known:
                needed = required_counts(visits, row, estimator, gamma)
                known[row.tobytes()] = _box_probabilities(visits, row, needed)
            factor *= known[row.tobytes()]
    return multinomial_product_expectation(T, mdp.initial[starts], np.clip(factors, 0.0, 1.0))


def _paths(mdp: FiniteHorizonMDP, pi_beta: FloatArray, starts: IntArray) -> IntArray:
    """States (H, I) on the path from each first state."""
    dense = mdp.to_dense()
    path = [starts]
    for h in range(mdp.horizon - 1):
        step = np.einsum("sa,sat->st", pi_beta[h], dense[h if dense.shape[0] > 1 else 0])[path[-1]]
        following = step.argmax(axis=1)
        mixed = ((step > 0).sum(axis=1) > 1).any() or np.unique(following).size < starts.size
        if mixed:
            raise ValueError(f"mdp must keep its states apart under the demonstrator; they mix after step {h}")
        path.append(following)
    return np.stack(path)


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

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
    """
    confidence = validate.real("confidence", confidence, above=0.0, below=1.0)
    tolerance = validate.real("tolerance", tolerance, above=0.0)
    low, high = 1e-12, 1.0
    if probability(high) >= confidence:
        return high
    if not probability(low) >= confidence:
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

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
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
