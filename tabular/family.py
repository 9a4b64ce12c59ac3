"""Many policies of the family on one data set: all returns in one backward pass, all coverages in one pass.

Choosing (alpha, lambda) means trying many of them on the same counts. All of them mix the same two policies, BC and the
uniform one, with weights that depend on the visits n = T_h(s) alone:

    V_h(s) = (1 - a_n) sum_a T_h(s,a)/n Q_h(s,a) + a_n/A sum_a Q_h(s,a),   a_n = alpha/(1 + n/lambda),

so each step costs two sums for every pair, and no policy is formed. Letters: alpha, lambda = prior_mass; the kernels
take 1/lambda, which is 0 for uniform noise.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tabular.counts import Counts
from tabular.kernels import policy_family
from tabular.mdp import FiniteHorizonMDP, FloatArray, checked_mask, checked_policy
from tabular.policies import MixtureEstimator
from theory.base import validate


def family_returns(mdp: FiniteHorizonMDP, counts: Counts, estimators: Sequence[MixtureEstimator]) -> FloatArray:
    """Expected returns J of the policies that several estimators clone from the same counts, exactly.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    counts : Counts
        Of the shape (H, S, A) of the process.
    estimators : sequence of MixtureEstimator
        L of them, at least one.

    Returns
    -------
    ndarray, (L,)
        In units of reward, within rounding of `dp.expected_return` of each policy.
    """
    alpha, inverse_mass = _parameters(estimators)
    _check_counts(counts, mdp.policy_shape)
    value = np.empty((mdp.n_states, alpha.size))
    policy_family.family_values(*mdp.table, mdp.reward, counts.counts, counts.visits, alpha, inverse_mass, value)
    return mdp.initial @ value


def family_coverages(
    counts: Counts, demonstrator: ArrayLike, included: ArrayLike, estimators: Sequence[MixtureEstimator]
) -> FloatArray:
    """Coverages of the policies that several estimators clone from the same counts.

    Parameters
    ----------
    counts : Counts
        (H, S, A).
    demonstrator : array_like, (H, S, A)
    included : array_like of bool, (H, S)
        Where the demonstrator must be covered.
    estimators : sequence of MixtureEstimator
        L of them, at least one.

    Returns
    -------
    ndarray, (L,)
        In [0, 1], within rounding of `coverage_where` of each policy; 0 exactly where that is 0.
    """
    alpha, inverse_mass = _parameters(estimators)
    pi_beta = checked_policy("demonstrator", demonstrator)
    _check_counts(counts, pi_beta.shape)
    mask = checked_mask("included", included, pi_beta.shape[:2])
    out = np.empty(alpha.size)
    policy_family.family_coverages(counts.counts, counts.visits, pi_beta, mask, alpha, inverse_mass, out)
    return out


def matched_alpha(alphas: ArrayLike, losses: ArrayLike, budget: float) -> float:
    """Largest alpha up to which the loss stays within a budget, linear between the measured points.

    Parameters
    ----------
    alphas : array_like, (N,)
        Increasing, in [0, 1], from 0 on.
    losses : array_like, (N,)
        Loss at each alpha; within the budget at alpha = 0.
    budget : float

    Returns
    -------
    float
        In [0, 1]; the last alpha if no measured loss exceeds the budget.

    Raises
    ------
    ValueError
        If the budget is not kept at alpha = 0.
    """
    weights = validate.array("alphas", alphas, shape=(None,))
    if weights.size == 0 or weights[0] != 0.0 or weights[-1] > 1.0 or (np.diff(weights) <= 0).any():
        raise ValueError(f"alphas must increase from 0 to at most 1; got {weights.tolist()}")
    loss = validate.array("losses", losses, shape=weights.shape)
    limit = validate.real("budget", budget, at_least=float(loss[0]))
    # The first excess decides: a loss that comes back under the budget later may do so by chance.
    over = np.flatnonzero(loss > limit)
    if over.size == 0:
        return float(weights[-1])
    i = int(over[0])
    share = (limit - loss[i - 1]) / (loss[i] - loss[i - 1])
    return float(weights[i - 1] + share * (weights[i] - weights[i - 1]))


def _parameters(estimators: Sequence[MixtureEstimator]) -> tuple[FloatArray, FloatArray]:
    members = list(estimators)
    if not members:
        raise ValueError("estimators must hold at least one; got none")
    for i, member in enumerate(members):
        if not isinstance(member, MixtureEstimator):
            raise TypeError(
                f"estimators must hold MixtureEstimators, because only that family has a closed form; "
                f"entry {i} is a {type(member).__name__}"
            )
    alpha = np.array([member.alpha for member in members])
    with np.errstate(over="ignore"):  # the smallest masses have an infinite inverse: a_n = 0, as it should be
        inverse_mass = 1.0 / np.array([member.prior_mass for member in members])
    return validate.frozen(alpha), validate.frozen(inverse_mass)


def _check_counts(counts: Counts, shape: tuple[int, ...]) -> None:
    if not isinstance(counts, Counts):
        raise TypeError(f"counts must be Counts; got {type(counts).__name__}")
    if counts.counts.shape != shape:
        raise ValueError(f"counts must have shape {shape}; got {counts.counts.shape}")
