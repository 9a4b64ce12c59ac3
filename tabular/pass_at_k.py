"""pass@k, exactly: the probability of at least one success in k rollouts from the same first state.

An episode succeeds if some step of it pays a reward of 1. From state s of step h it does so with probability

    v_h(s) = sum_a pi_h(a|s) (1 if r_h(s,a) = 1, else sum_s' P_h(s'|s,a) v_{h+1}(s')),   v_{H+1} = 0,

and with p(s) = v_1(s),

    pass@k = sum_s P_0(s) (1 - (1 - p(s))^k).

R6.4 bounds it from below. It holds for the trajectories from one first state as for all of them: with p_beta(s) the
demonstrator's probability of success from s, KL(s) the divergence of the trajectories from there, and h the entropy,

    p(s) >= b(s) = exp(-(KL(s) + h(p_beta(s)))/p_beta(s)),   pass@k >= sum_s P_0(s) (1 - (1 - b(s))^k).

The bound for all trajectories at once, put into 1 - (1 - b)^k, would be no bound on pass@k: a policy that always
succeeds from half of the first states and never from the others has pass@k = 1/2 for every k.

Letters: r = reward, P = dynamics, P_0 = initial, pi = policy, pi_beta = demonstrator.
Source: R6.4; Chen et al., Evaluating Large Language Models Trained on Code (2021), for the name.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabular.mdp import FiniteHorizonMDP, FloatArray, checked_policy
from theory.base import validate
from theory.bounds.r6_trajectory import success_probability_bound


@dataclass(frozen=True, kw_only=True)
class PassBound:
    """pass@k of a policy, and R6.4's bound on it.

    Attributes
    ----------
    exact : float
        pass@k of the policy, in [0, 1].
    bound : float
        What R6.4 promises from the demonstrator's success and the divergences, in [0, 1].
    demonstrator : float
        pass@k of the demonstrator.
    """

    exact: float
    bound: float
    demonstrator: float


def success_probabilities(mdp: FiniteHorizonMDP, policy: ArrayLike) -> FloatArray:
    """Probability p(s) that an episode from each first state pays a reward of 1 in some step, (S,).

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    policy : array_like, (H, S, A)
        Rows are distributions.

    Returns
    -------
    ndarray, (S,)
        In [0, 1]; of all states, also of those where no episode begins.
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    return _successes(mdp, checked_policy("policy", policy, mdp.policy_shape))


def pass_at_k(mdp: FiniteHorizonMDP, policy: ArrayLike, k: int) -> float:
    """Probability that at least one of k episodes from the same first state succeeds, on average over first states.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    policy : array_like, (H, S, A)
        Rows are distributions.
    k : int
        At least 1.

    Returns
    -------
    float
        In [0, 1].
    """
    p = success_probabilities(mdp, policy)
    return _pass(mdp, p, validate.integer("k", k, at_least=1))


def pass_at_k_bound(mdp: FiniteHorizonMDP, demonstrator: ArrayLike, policy: ArrayLike, k: int) -> PassBound:
    """pass@k of a policy beside the bound of R6.4.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator, policy : array_like, (H, S, A)
        Rows are distributions.
    k : int
        At least 1.

    Returns
    -------
    PassBound

    Notes
    -----
    Source: R6.4.
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    pi = checked_policy("policy", policy, mdp.policy_shape)
    k = validate.integer("k", k, at_least=1)
    wanted, least = _successes(mdp, pi_beta), np.zeros(mdp.n_states)
    for s, kl in enumerate(_divergences(mdp, pi_beta, pi).tolist()):
        if wanted[s] > 0.0:
            least[s] = success_probability_bound(kl, float(wanted[s]))
    return PassBound(
        exact=_pass(mdp, _successes(mdp, pi), k), bound=_pass(mdp, least, k), demonstrator=_pass(mdp, wanted, k)
    )


def _pass(mdp: FiniteHorizonMDP, p: FloatArray, k: int) -> float:
    with np.errstate(divide="ignore"):  # p = 1: the logarithm is minus infinity, and the probability 1
        within = -np.expm1(k * np.log1p(-p))  # a small p keeps its digits
    return min(1.0, float(mdp.initial @ within))


def _successes(mdp: FiniteHorizonMDP, pi: FloatArray) -> FloatArray:
    won = np.broadcast_to(mdp.reward == 1.0, mdp.policy_shape)
    return np.minimum(1.0, _backward(mdp, pi, won.astype(np.float64), ~won))


def _divergences(mdp: FiniteHorizonMDP, pi_beta: FloatArray, pi: FloatArray) -> FloatArray:
    """KL of the trajectories from each first state, (S,), in nats; infinite where the policy misses an action."""
    both, missed = (pi_beta > 0.0) & (pi > 0.0), (pi_beta > 0.0) & (pi == 0.0)
    ratios = np.log(np.divide(pi_beta, pi, out=np.ones_like(pi), where=both))
    onward = np.ones(mdp.policy_shape, np.bool_)
    finite = np.maximum(0.0, _backward(mdp, pi_beta, ratios, onward))
    # Infinite terms are counted apart, since 0 times infinity is no number.
    return np.where(_backward(mdp, pi_beta, missed.astype(np.float64), onward) > 0.0, np.inf, finite)


def _backward(mdp: FiniteHorizonMDP, pi: FloatArray, pay: FloatArray, onward: np.ndarray) -> FloatArray:
    """Expected sum of `pay` (H, S, A) from each first state, (S,), over steps up to the first one not `onward`."""
    value = np.zeros(mdp.n_states)
    for h in range(mdp.horizon - 1, -1, -1):
        k = min(h, len(mdp.probabilities) - 1)  # dynamics that do not change have one table
        table = mdp.probabilities[k]
        following = table @ value if mdp.is_dense else (table * value[mdp.successors[k]]).sum(axis=-1)
        value = (pi[h] * (pay[h] + onward[h] * following)).sum(axis=1)
    return value
