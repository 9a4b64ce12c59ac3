"""R6: the posterior policy covers whole trajectories (steps R6.1 to R6.5).

P_beta and P_hat are the laws of a trajectory under the demonstrator and under the cloned policy. With
N ~ Bin(T, w) visits,

    KL(P_beta || P_hat) = sum_h sum_s w KL(pi_beta || pi_hat)                                        (chain rule)
    E KL(P_beta || P_post) <= sum_h sum_s w E[log((N + lambda)/(N + 1))] <= H S (lambda - 1)/(T + 1) for lambda >= A
    P_hat(G) >= exp(-(KL + h(p))/p) for an event G with P_beta(G) = p, h(p) the binary entropy in nats

BC's divergence is infinite with positive probability; that of uniform noise does not vanish as T grows.

Letters: S = n_states, A = n_actions, H = horizon, T = n_demos, lambda = prior_mass, w = visit_probability, p = success.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from theory.base.validate import array, distribution, integer, real, subdistribution
from theory.bounds.binomial import binomial_expectation, binomial_pmf
from theory.bounds.family import noise_weight


def r6_kl_bound(visit_probability: ArrayLike, n_actions: int, n_demos: int, prior_mass: float | None = None) -> float:
    """Bound on the expected trajectory KL(demonstrator || posterior policy), from the visit probabilities.

    sum_h sum_s w E[log((N + lambda)/(N + 1))] with N ~ Bin(T, w).

    Parameters
    ----------
    visit_probability : array_like of shape (H, S)
        The demonstrator's probability of being in s at step h.
    n_actions : int
        At least 1.
    n_demos : int
        At least 0.
    prior_mass : float, optional
        lambda, at least `n_actions`, which is the default.

    Returns
    -------
    float
        In nats.

    Source: R6.2.
    """
    w = subdistribution("visit_probability", visit_probability, shape=(None, None))
    mass = _prior_mass(prior_mass, n_actions)
    return float((w * binomial_expectation(lambda n: np.log1p((mass - 1.0) / (n + 1.0)), n_demos, w)).sum())


def r6_simple_bound(
    n_states: int, n_actions: int, horizon: int, n_demos: int, prior_mass: float | None = None
) -> float:
    """R6 without the visit probabilities: H S (lambda - 1)/(T + 1), with lambda = A by default.

    Parameters
    ----------
    n_states, n_actions, horizon : int
        At least 1.
    n_demos : int
        At least 0.
    prior_mass : float, optional
        lambda, at least `n_actions`, which is the default.

    Returns
    -------
    float
        In nats.

    Source: R6.
    """
    mass = _prior_mass(prior_mass, n_actions)
    cells = integer("n_states", n_states, at_least=1) * integer("horizon", horizon, at_least=1)
    return cells * (mass - 1.0) / (integer("n_demos", n_demos, at_least=0) + 1)


def expected_trajectory_kl(
    visit_probability: ArrayLike,
    demonstrator: ArrayLike,
    n_demos: int,
    alpha: float = 1.0,
    prior_mass: float | None = None,
) -> float:
    """Exact expected trajectory KL(demonstrator || policy) for PostBC, the posterior policy, uniform noise or BC.

    Parameters
    ----------
    visit_probability : array_like of shape (H, S)
        The demonstrator's probability of being in s at step h.
    demonstrator : array_like of shape (H, S, A)
        Rows are distributions.
    n_demos : int
        At least 0. Time and memory grow with its square.
    alpha : float
        In [0, 1]; 0 is BC, 1 the posterior policy.
    prior_mass : float, optional
        lambda, above 0; A by default. `math.inf` is uniform noise of weight alpha.

    Returns
    -------
    float
        In nats; `math.inf` where the policy misses a demonstrated action with positive probability (BC).

    Source: R6.1, R6.5.
    """
    w = subdistribution("visit_probability", visit_probability, shape=(None, None))
    pi = distribution("demonstrator", demonstrator, shape=(*w.shape, None))
    n_actions = pi.shape[2]
    n_demos = integer("n_demos", n_demos, at_least=0)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    mass = real("prior_mass", n_actions if prior_mass is None else prior_mass, above=0.0, finite=False)
    counts = np.arange(n_demos + 1.0)
    noise = noise_weight(counts, alpha, mass)
    share = counts / np.maximum(counts[:, None], 1.0)  # (n, k): k/n
    with np.errstate(divide="ignore"):  # BC gives an action that it has not seen 0: the divergence is infinite
        log_policy = np.log((1.0 - noise)[:, None] * share + noise[:, None] / n_actions)
    total = 0.0
    for h, s in np.argwhere(w > 0.0):
        seen, weights = binomial_pmf(n_demos, float(w[h, s]))
        for p in pi[h, s][pi[h, s] > 0.0]:
            law = _binomial_table(seen, float(p), n_demos)
            with np.errstate(invalid="ignore"):  # 0 times infinity, where the count has probability 0: it is left out
                inner = np.where(law > 0.0, law * log_policy[seen], 0.0).sum(axis=1)
            total += float(w[h, s] * p * (math.log(p) - weights @ inner))
    return total


def success_probability_bound(kl: float, success: float) -> float:
    """Least probability of an event under the policy, from the demonstrator's: exp(-(KL + h(p))/p).

    Parameters
    ----------
    kl : float
        Trajectory KL(demonstrator || policy) in nats, at least 0; may be infinite.
    success : float
        p, the demonstrator's probability of the event, in (0, 1].

    Returns
    -------
    float
        In [0, 1]. h is the binary entropy in nats.

    Source: R6.4.
    """
    kl = real("kl", kl, at_least=0.0, finite=False)
    p = real("success", success, above=0.0, at_most=1.0)
    entropy = 0.0 if p == 1.0 else -p * math.log(p) - (1.0 - p) * math.log1p(-p)
    return math.exp(-(kl + entropy) / p)


def sufficient_rollouts(kl: float, success: float, delta: float) -> float:
    """Rollouts that contain a success with probability 1 - delta: log(1/delta) exp((KL + h(p))/p).

    Parameters
    ----------
    kl : float
        Trajectory KL(demonstrator || policy) in nats, at least 0; may be infinite.
    success : float
        p, the demonstrator's probability of success, in (0, 1].
    delta : float
        In (0, 1).

    Returns
    -------
    float
        A number of rollouts, not rounded; may be infinite.

    Source: R6.4.
    """
    delta = real("delta", delta, above=0.0, below=1.0)
    least = success_probability_bound(kl, success)
    return math.inf if least == 0.0 else -math.log(delta) / least


def profile_bound(kl: float, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Bound on the coverage profile P_beta[P_beta/P_hat >= M] from the divergence: KL/(log M + 1/M - 1), at most 1.

    Since E_beta[P_hat/P_beta] <= 1, the divergence is at least E_beta[log r + 1/r - 1] with r = P_beta/P_hat, whose
    integrand is positive and grows with r >= 1; Markov's inequality does the rest.

    Parameters
    ----------
    kl : float
        KL(P_beta || P_hat) in nats, at least 0; may be infinite.
    thresholds : array_like of shape (N,)
        M, at least 1.

    Returns
    -------
    ndarray of shape (N,)
        In [0, 1].

    Source: Chen et al., The Coverage Principle (2025).
    """
    kl = real("kl", kl, at_least=0.0, finite=False)
    M = array("thresholds", thresholds, shape=(None,))
    if (M < 1).any():
        raise ValueError(f"thresholds must be at least 1; the smallest is {M.min().item()}")
    excess = np.log(M) + np.expm1(-np.log(M))
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = np.where(excess > 0.0, kl / excess, 1.0)
    return np.minimum(1.0, bound)


def uniform_noise_limit(visit_probability: ArrayLike, demonstrator: ArrayLike, alpha: float) -> float:
    """Trajectory KL of uniform noise as T grows: sum_h E KL(pi_beta || (1 - alpha) pi_beta + alpha/A).

    Parameters
    ----------
    visit_probability : array_like of shape (H, S)
        The demonstrator's probability of being in s at step h.
    demonstrator : array_like of shape (H, S, A)
        Rows are distributions.
    alpha : float
        In [0, 1].

    Returns
    -------
    float
        In nats.

    Source: R6.
    """
    w = subdistribution("visit_probability", visit_probability, shape=(None, None))
    pi = distribution("demonstrator", demonstrator, shape=(*w.shape, None))
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    mixed = (1.0 - alpha) * pi + alpha / pi.shape[2]
    ratio = np.divide(pi, mixed, out=np.ones_like(pi), where=pi > 0.0)
    return float((w * (pi * np.log(ratio)).sum(axis=2)).sum())


def _binomial_table(trials: NDArray[np.int64], p: float, n_demos: int) -> NDArray[np.float64]:
    """P[Bin(n, p) = k] for n in `trials` (rows) and k = 0..T (columns)."""
    k = np.arange(n_demos + 1)
    if p == 1.0:
        return np.asarray(trials[:, None] == k, dtype=np.float64)
    n = trials[:, None]
    valid = k <= n
    rest = np.where(valid, n - k, 0)
    logs: NDArray[np.float64] = (
        gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(rest + 1.0) + k * math.log(p) + rest * math.log1p(-p)
    )
    table: NDArray[np.float64] = np.where(valid, np.exp(logs), 0.0)
    return table


def _prior_mass(prior_mass: float | None, n_actions: int) -> float:
    n_actions = integer("n_actions", n_actions, at_least=1)
    return float(n_actions) if prior_mass is None else real("prior_mass", prior_mass, at_least=n_actions)
