"""Coverage profile: how likely, under the demonstrator, the demonstrator's probability is M times the policy's.

With a trajectory's ratio P_beta/P_hat in place of a step's, it bounds how often the policy does what the
demonstrator does: for every event G and M >= 1, P_hat(G) >= (P_beta(G) - P_beta[P_beta/P_hat >= M])/M.

Source: Chen et al., The Coverage Principle (2025), for the profile; the rest is ours, beside R6.4.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from tabular import dp
from tabular.mdp import FiniteHorizonMDP, FloatArray, checked_policy
from theory import validate

MERGED = 1e-12
"""Log-ratios closer than about this count as one; a ratio this near to M counts as M."""


def _log_ratios(pi_beta: FloatArray, pi: FloatArray) -> FloatArray:
    """log(pi_beta/pi), (H, S, A); infinite where only the demonstrator plays, 0 where it does not."""
    with np.errstate(divide="ignore"):
        ratios: FloatArray = np.log(np.where(pi_beta > 0, pi_beta, 1.0)) - np.log(np.where(pi_beta > 0, pi, 1.0))
    return ratios


def _limits(thresholds: ArrayLike) -> FloatArray:
    M = validate.array("thresholds", thresholds, shape=(None,))
    if (M < 1).any():
        where = validate.first_index(M < 1)
        raise ValueError(f"thresholds must be at least 1; entry {where} is {M[where].item()}")
    limits: FloatArray = np.log(M) - 10 * MERGED
    return limits


def step_profile(
    mdp: FiniteHorizonMDP, demonstrator: ArrayLike, policy: ArrayLike, thresholds: ArrayLike
) -> FloatArray:
    """Probability that pi_beta/pi_hat >= M in a step of the demonstrator drawn evenly from the H, exactly.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator, policy : array_like, (H, S, A)
    thresholds : array_like, (N,)
        M, at least 1.

    Returns
    -------
    ndarray, (N,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range.
    """
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    ratios = _log_ratios(pi_beta, checked_policy("policy", policy, mdp.policy_shape))
    limits = _limits(thresholds)
    w = dp.occupancy(mdp, pi_beta) / mdp.horizon
    return np.array([min(1.0, float(w[ratios >= limit].sum())) for limit in limits])


def trajectory_profile(
    mdp: FiniteHorizonMDP,
    demonstrator: ArrayLike,
    policy: ArrayLike,
    thresholds: ArrayLike,
    *,
    max_values: int = 20_000,
) -> FloatArray:
    """Probability that P_beta/P_hat >= M for a trajectory of the demonstrator, exactly.

    The dynamics cancel, so the log-ratio is a sum over steps; its law is carried along beside the state.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator, policy : array_like, (H, S, A)
    thresholds : array_like, (N,)
        M, at least 1.
    max_values : int, optional
        Most pairs of a state and a value of the log-ratio that are kept, at least 1.

    Returns
    -------
    ndarray, (N,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range, or the log-ratio takes more values than that.
    """
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    ratios = _log_ratios(pi_beta, checked_policy("policy", policy, mdp.policy_shape))
    limits = _limits(thresholds)
    max_values = validate.integer("max_values", max_values, at_least=1)
    dense = mdp.to_dense()
    here = {(int(s), 0.0): float(mdp.initial[s]) for s in np.flatnonzero(mdp.initial)}
    for h in range(mdp.horizon):
        following: dict[tuple[int, float], float] = {}
        for (s, value), mass in here.items():
            for a in np.flatnonzero(pi_beta[h, s]):
                longer = round(value + float(ratios[h, s, a]), 12)
                law = dense[min(h, len(dense) - 1), s, a] if h + 1 < mdp.horizon else np.ones(1)
                for t in np.flatnonzero(law):
                    key = int(t), longer
                    following[key] = following.get(key, 0.0) + mass * float(pi_beta[h, s, a] * law[t])
        if len(following) > max_values:
            raise ValueError(
                f"max_values must hold every pair of state and log-ratio; step {h} has {len(following)}, "
                f"more than {max_values}"
            )
        here = following
    values, masses = np.array([v for _, v in here]), np.array(list(here.values()))
    return np.array([min(1.0, float(masses[values >= limit].sum())) for limit in limits])


def rollouts_from_profile(thresholds: ArrayLike, profile: ArrayLike, success: float, delta: float) -> float:
    """Rollouts that contain a success with probability 1 - delta, from the profile of trajectories.

    log(1/delta) min_M M/(p - profile(M)): the policy succeeds with probability at least (p - profile(M))/M.

    Parameters
    ----------
    thresholds : array_like, (N,)
        M, at least 1.
    profile : array_like, (N,)
        P_beta[P_beta/P_hat >= M], or upper bounds on it, in [0, 1].
    success : float
        p, the demonstrator's probability of success, in (0, 1].
    delta : float
        In (0, 1).

    Returns
    -------
    float
        Not rounded; infinite if no M leaves anything.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range.
    """
    M = validate.array("thresholds", thresholds, shape=(None,))
    _limits(M)
    missed = validate.array("profile", profile, shape=M.shape)
    p = validate.real("success", success, above=0.0, at_most=1.0)
    delta = validate.real("delta", delta, above=0.0, below=1.0)
    least = float(((p - missed) / M).max(initial=0.0))
    return math.inf if least == 0.0 else -math.log(delta) / least
