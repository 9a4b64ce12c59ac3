"""Coverage profile: how often an action or trajectory is M times likelier under the demonstrator than under the policy.

    step         C(M) = 1/H sum_h P_beta[pi_beta_h(a|s)/pi_hat_h(a|s) >= M]
    trajectory   C(M) = P_beta[P_beta(tau)/P_hat(tau) >= M]

The dynamics cancel in a trajectory's ratio, so log(P_beta/P_hat) is the sum of the steps' log-ratios. The profile of
trajectories bounds from below how often the policy does what the demonstrator does: for every event G and M >= 1,

    P_hat(G) >= (P_beta(G) - C(M))/M,

because outside {P_beta/P_hat >= M} the policy gives G at least 1/M of the demonstrator's probability.

The profile of steps is exact. That of trajectories is exact where the log-ratio takes few values, and otherwise
sampled, with intervals. Both take any policy.

Letters: M = thresholds, pi_beta = demonstrator, pi_hat = policy, tau = a trajectory.
Source: Chen et al., The Coverage Principle (2025), for the profile; the companion for the rest, see also R6.4.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from tabular import dp
from tabular.counts import Demonstrations
from tabular.demonstrations import sample_demonstrations
from tabular.mdp import FiniteHorizonMDP, FloatArray, checked_policy
from theory.base import validate
from theory.statistics.probability import clopper_pearson

MERGED = 1e-12
"""Log-ratios closer than about this count as equal, and so does a log-ratio this close to log M. Without
it rounding would decide whether a ratio equal to M reaches M."""


def _log_ratios(pi_beta: FloatArray, pi: FloatArray) -> FloatArray:
    """log(pi_beta/pi), (H, S, A); infinite where only the demonstrator plays, 0 where it does not."""
    with np.errstate(divide="ignore"):
        ratios: FloatArray = np.log(np.where(pi_beta > 0, pi_beta, 1.0)) - np.log(np.where(pi_beta > 0, pi, 1.0))
    return ratios


def _checked_thresholds(thresholds: ArrayLike) -> FloatArray:
    M = validate.array("thresholds", thresholds, shape=(None,))
    if (M < 1).any():
        where = validate.first_index(M < 1)
        raise ValueError(f"thresholds must be at least 1; entry {where} is {M[where].item()}")
    return M


def _limits(thresholds: ArrayLike) -> FloatArray:
    """Smallest log-ratio that counts as reaching each threshold."""
    limits: FloatArray = np.log(_checked_thresholds(thresholds)) - 10 * MERGED
    return limits


def step_profile(
    mdp: FiniteHorizonMDP, demonstrator: ArrayLike, policy: ArrayLike, thresholds: ArrayLike
) -> FloatArray:
    """Probability that pi_beta/pi_hat >= M in a step of the demonstrator chosen uniformly from the H steps, exactly.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator, policy : array_like, (H, S, A)
    thresholds : array_like, (N,)
        M, at least 1.

    Returns
    -------
    ndarray, (N,)
    """
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    ratios = _log_ratios(pi_beta, checked_policy("policy", policy, mdp.policy_shape))
    limits = _limits(thresholds)
    w = dp.occupancy(mdp, pi_beta)
    return _mass_above(ratios[w > 0], w[w > 0] / mdp.horizon, limits)


def trajectory_profile(
    mdp: FiniteHorizonMDP,
    demonstrator: ArrayLike,
    policy: ArrayLike,
    thresholds: ArrayLike,
    *,
    max_values: int = 20_000,
) -> FloatArray:
    """Probability that P_beta/P_hat >= M for a trajectory of the demonstrator, exactly.

    The joint law of the state and the log-ratio so far is carried from step to step.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator, policy : array_like, (H, S, A)
    thresholds : array_like, (N,)
        M, at least 1.
    max_values : int, optional
        Largest number of pairs of a state and a log-ratio that is kept, at least 1.

    Returns
    -------
    ndarray, (N,)

    Raises
    ------
    ValueError
        If the log-ratio takes more values than `max_values`.
    """
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    ratios = _log_ratios(pi_beta, checked_policy("policy", policy, mdp.policy_shape))
    # Each step rounds its log-ratio, perhaps all in the same direction, so the tolerance grows with the horizon.
    limits = _limits(thresholds) - mdp.horizon * MERGED
    max_values = validate.integer("max_values", max_values, at_least=1)
    dense = mdp.to_dense()
    law: _JointLaw = {(int(s), 0.0): float(mdp.initial[s]) for s in np.flatnonzero(mdp.initial)}
    for h in range(mdp.horizon):
        moves = dense[min(h, len(dense) - 1)] if h + 1 < mdp.horizon else np.ones((mdp.n_states, mdp.n_actions, 1))
        law = _one_step_on(law, pi_beta[h], ratios[h], moves)
        if len(law) > max_values:
            raise ValueError(
                f"max_values must hold every pair of state and log-ratio; step {h} has {len(law)}, "
                f"more than {max_values}"
            )
    return _mass_above(np.array([v for _, v in law]), np.array(list(law.values())), limits)


_JointLaw = dict[tuple[int, float], float]
"""Probability of each pair of a state and a log-ratio so far."""


def _one_step_on(law: _JointLaw, pi_beta: FloatArray, ratios: FloatArray, moves: FloatArray) -> _JointLaw:
    """Joint law after one step with the demonstrator's actions, their log-ratios (S, A) and next states (S, A, S)."""
    following: _JointLaw = {}
    for (s, value), mass in law.items():
        for a in np.flatnonzero(pi_beta[s]):
            longer = round(value + float(ratios[s, a]), 12)
            for t in np.flatnonzero(moves[s, a]):
                key = int(t), longer
                following[key] = following.get(key, 0.0) + mass * float(pi_beta[s, a] * moves[s, a, t])
    return following


def _mass_above(values: FloatArray, masses: FloatArray, limits: FloatArray) -> FloatArray:
    """Sum of the masses of the values that are at least each limit."""
    order = np.argsort(-values)
    total = np.concatenate([[0.0], np.cumsum(masses[order])])
    result: FloatArray = np.minimum(1.0, total[np.searchsorted(-values[order], -limits, side="right")])
    return result


def sampled_trajectory_profile(
    mdp: FiniteHorizonMDP,
    demonstrator: ArrayLike,
    policy: ArrayLike,
    thresholds: ArrayLike,
    *,
    n_trajectories: int,
    confidence: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Intervals for the probability that P_beta/P_hat >= M for a trajectory of the demonstrator, from sampled ones.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator, policy : array_like, (H, S, A)
    thresholds : array_like, (N,)
        M, at least 1.
    n_trajectories : int
        At least 1.
    confidence : float
        Of the interval at each threshold (Clopper and Pearson), in (0, 1).
    rng : numpy.random.Generator

    Returns
    -------
    low, high : ndarray, (N,)
    """
    limits = _limits(thresholds)
    confidence = validate.real("confidence", confidence, above=0.0, below=1.0)
    drawn = sample_demonstrations(mdp, demonstrator, n_trajectories, rng)
    return _profile_interval(np.sort(log_ratios(demonstrator, policy, drawn)), limits, confidence)


def profile_interval(log_ratios: ArrayLike, thresholds: ArrayLike, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Interval for a profile at each threshold, from the log-ratios of independent trajectories of the demonstrator.

    Parameters
    ----------
    log_ratios : array_like, (T,)
        log(P_beta/P_hat); may be infinite.
    thresholds : array_like, (N,)
        M, at least 1.
    confidence : float
        Of the interval at each threshold (Clopper and Pearson), in (0, 1).

    Returns
    -------
    low, high : ndarray, (N,)
    """
    values = np.sort(np.asarray(validate.rectangular("log_ratios", log_ratios), np.float64))
    if values.ndim != 1 or np.isnan(values).any():
        raise ValueError(f"log_ratios must be numbers of shape (T,); got shape {values.shape} or a nan")
    confidence = validate.real("confidence", confidence, above=0.0, below=1.0)
    return _profile_interval(values, _limits(thresholds), confidence)


def _profile_interval(ordered: FloatArray, limits: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    above = ordered.size - np.searchsorted(ordered, limits)
    intervals = [_interval(k, ordered.size, confidence) for k in above.tolist()]
    return np.array([i.low for i in intervals]), np.array([i.high for i in intervals])


_interval = cache(clopper_pearson)


def log_ratios(demonstrator: ArrayLike, policy: ArrayLike, trajectories: Demonstrations) -> FloatArray:
    """log(P_beta/P_hat) of each trajectory, (T,); infinite where the policy never plays a recorded action.

    Parameters
    ----------
    demonstrator, policy : array_like, (H, S, A)
    trajectories : Demonstrations
        Actions that the demonstrator plays with positive probability; T trajectories of H steps.
    """
    validate.instance("trajectories", trajectories, Demonstrations)
    shape = (trajectories.states.shape[1], trajectories.n_states, trajectories.n_actions)
    ratios = _log_ratios(checked_policy("demonstrator", demonstrator, shape), checked_policy("policy", policy, shape))
    total: FloatArray = ratios[np.arange(shape[0]), trajectories.states, trajectories.actions].sum(axis=1)
    return total


def trajectory_kl(mdp: FiniteHorizonMDP, demonstrator: ArrayLike, policy: ArrayLike) -> float:
    """KL(P_beta || P_hat) of the trajectories of a policy from the demonstrator's, in nats, exactly.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator, policy : array_like, (H, S, A)

    Returns
    -------
    float
        At least 0; infinite where the policy never plays an action of the demonstrator.

    Notes
    -----
    Source: R6.1.
    """
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    ratios = _log_ratios(pi_beta, checked_policy("policy", policy, mdp.policy_shape))
    w = dp.occupancy(mdp, pi_beta)
    return max(0.0, float((w[w > 0] * ratios[w > 0]).sum()))


def rollouts_needed(success: float, delta: float) -> float:
    """Rollouts needed for at least one success with probability 1 - delta: log(delta)/log(1 - q), not rounded.

    Parameters
    ----------
    success : float
        q, the probability that one rollout succeeds, in [0, 1].
    delta : float
        In (0, 1).

    Returns
    -------
    float
        At least 0; infinite where q = 0, and 0 where q = 1, when every rollout succeeds.
    """
    q = validate.real("success", success, at_least=0.0, at_most=1.0)
    delta = validate.real("delta", delta, above=0.0, below=1.0)
    if q in (0.0, 1.0):
        return math.inf if q == 0.0 else 0.0
    return math.log(delta) / math.log1p(-q)


def rollouts_from_profile(thresholds: ArrayLike, profile: ArrayLike, success: float, delta: float) -> float:
    """Rollouts that are enough for a success with probability 1 - delta, from the profile of trajectories.

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
        Not rounded; infinite if the bound on the success probability is 0 for every M.
    """
    M = _checked_thresholds(thresholds)
    missed = validate.array("profile", profile, shape=M.shape)
    p = validate.real("success", success, above=0.0, at_most=1.0)
    delta = validate.real("delta", delta, above=0.0, below=1.0)
    least = float(((p - missed) / M).max(initial=0.0))
    return math.inf if least == 0.0 else -math.log(delta) / least
