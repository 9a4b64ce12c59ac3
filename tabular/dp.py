"""Exact dynamic programming: optimal values, policy values, occupancies.

Backwards, for values:

    Q_h(s,a) = r_h(s,a) + sum_s' P_h(s'|s,a) V_{h+1}(s'),   V_{H+1} = 0
    V_h(s)   = max_a Q_h(s,a)  (optimal)   or   sum_a pi_h(a|s) Q_h(s,a)  (of a policy)
    J        = sum_s P_0(s) V_1(s)

Forwards, for the occupancy w of a policy:

    w_1(s,a)     = P_0(s) pi_1(a|s)
    w_{h+1}(s,a) = pi_{h+1}(a|s) sum_{s',a'} w_h(s',a') P_h(s|s',a')

Arrays start at h = 0: value[0] is V_1, value[H] is V_{H+1} = 0.

Source: Puterman, Markov Decision Processes (1994), chapter 4.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabular.kernels import dynamic_programming
from tabular.mdp import FiniteHorizonMDP, FloatArray, IntArray, checked_mask, checked_policy
from theory.base import validate


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Values of a policy.

    Attributes
    ----------
    value : ndarray, (H+1, S)
        V_h(s), in units of reward; value[H] = 0.
    action_value : ndarray, (H, S, A)
        Q_h(s, a).
    """

    value: FloatArray
    action_value: FloatArray


@dataclass(frozen=True, eq=False)
class Solution(Evaluation):
    """Optimal values and a deterministic optimal policy.

    Attributes
    ----------
    greedy : ndarray of int, (H, S)
        The first of the maximising actions.
    """

    greedy: IntArray

    def policy(self) -> FloatArray:
        """The greedy policy as distributions, (H, S, A)."""
        return np.eye(self.action_value.shape[2])[self.greedy]


def backward_induction(mdp: FiniteHorizonMDP) -> Solution:
    """Optimal value, action value and a greedy policy."""
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    value, action_value = np.empty((mdp.horizon + 1, mdp.n_states)), np.empty(mdp.policy_shape)
    greedy = np.empty((mdp.horizon, mdp.n_states), np.int64)
    dynamic_programming.backward_induction(*mdp.table, mdp.reward, value, action_value, greedy)
    return Solution(value, action_value, greedy)


def evaluate_policy(mdp: FiniteHorizonMDP, policy: ArrayLike) -> Evaluation:
    """Value and action value of a policy.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    policy : array_like, (H, S, A)
        Rows are distributions.
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    return _evaluate(mdp, checked_policy("policy", policy, mdp.policy_shape), mdp.reward)


def _evaluate(mdp: FiniteHorizonMDP, pi: FloatArray, reward: FloatArray) -> Evaluation:
    """Values of a checked policy; a row of `pi` may also sum to less than 1, and the rest is worth 0."""
    value, action_value = np.empty((mdp.horizon + 1, mdp.n_states)), np.empty(mdp.policy_shape)
    dynamic_programming.evaluate_policy(*mdp.table, reward, pi, value, action_value)
    return Evaluation(value, action_value)


def expected_return(mdp: FiniteHorizonMDP, policy: ArrayLike) -> float:
    """J(pi), the expected sum of the H rewards. Arguments as `evaluate_policy`."""
    value = evaluate_policy(mdp, policy).value[0]  # first, because it checks `mdp`
    return float(mdp.initial @ value)


def optimal_return(mdp: FiniteHorizonMDP) -> float:
    """J*, the largest expected return."""
    value = backward_induction(mdp).value[0]
    return float(mdp.initial @ value)


def occupancy(mdp: FiniteHorizonMDP, policy: ArrayLike) -> FloatArray:
    """Probability w_h(s, a) that a trajectory of the policy is at (s, a) in step h.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    policy : array_like, (H, S, A)
        Rows are distributions.

    Returns
    -------
    ndarray, (H, S, A)
        Every step sums to 1.
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    pi = checked_policy("policy", policy, mdp.policy_shape)
    out = np.empty(mdp.policy_shape)
    dynamic_programming.occupancy(*mdp.table, mdp.initial, pi, out)
    return out


def suboptimality(mdp: FiniteHorizonMDP, demonstrator: ArrayLike, policy: ArrayLike) -> float:
    """J(demonstrator) - J(policy); negative where the policy is better.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator, policy : array_like, (H, S, A)
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    pi = checked_policy("policy", policy, mdp.policy_shape)
    first, second = (mdp.initial @ _evaluate(mdp, checked, mdp.reward).value[0] for checked in (pi_beta, pi))
    return float(first) - float(second)


def reachable(mdp: FiniteHorizonMDP, policy: ArrayLike) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which (h, s) the policy visits with positive probability, (H, S)."""
    visited: np.ndarray[tuple[int, int], np.dtype[np.bool_]] = occupancy(mdp, policy).sum(axis=2) > 0
    return validate.frozen(visited)


def meeting_probability(mdp: FiniteHorizonMDP, policy: ArrayLike, cells: ArrayLike) -> float:
    """Probability that a trajectory of the policy is in at least one of the given (h, s).

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    policy : array_like, (H, S, A)
        Rows are distributions.
    cells : array_like of bool, (H, S)

    Returns
    -------
    float
        In [0, 1]; computed as 1 minus the probability of meeting none, so its absolute error is about 1e-15 H.
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    pi = checked_policy("policy", policy, mdp.policy_shape)
    mask = checked_mask("cells", cells, pi.shape[:2])
    # A trajectory that meets the mask stops, and one that never does earns 1 in the last step: J is the probability
    # of never meeting it.
    passing = validate.frozen(np.where(mask[..., None], 0.0, pi))
    reward = np.zeros(mdp.policy_shape)
    reward[-1] = 1.0
    value = _evaluate(mdp, passing, validate.frozen(reward)).value
    return min(1.0, max(0.0, 1.0 - float(mdp.initial @ value[0])))
