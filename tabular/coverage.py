"""Coverage of a demonstrator by a policy.

A policy pi_hat covers the demonstrator pi_beta with parameter gamma if

    pi_hat_h(a|s) >= gamma * pi_beta_h(a|s)   for all h, s, a,

so its coverage is the smallest ratio pi_hat/pi_beta over the actions that the demonstrator plays, and at most 1. The
ratios are compared exactly: an absolute tolerance would give a policy that never plays an action positive coverage.
The probability that a cloned policy covers is in `tabular.exact_coverage`.

Source: the paper's definition of demonstrator action coverage.
"""

import numpy as np
from numpy.typing import ArrayLike

from tabular.dp import reachable
from tabular.kernels import policy_tables
from tabular.mdp import FiniteHorizonMDP, checked_mask, checked_policy
from theory.base import validate


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
    """
    pi_beta = checked_policy("demonstrator", demonstrator)
    if validate.choice("over", over, ("all", "reachable")) == "all":
        included = validate.frozen(np.ones(pi_beta.shape[:2], np.bool_))
    elif mdp is None:
        raise ValueError("mdp must be given where over='reachable'")
    else:
        included = reachable(mdp, checked_policy("demonstrator", demonstrator, mdp.policy_shape))
    return float(policy_tables.coverage(checked_policy("policy", policy, pi_beta.shape), pi_beta, included))


def coverage_where(policy: ArrayLike, demonstrator: ArrayLike, included: ArrayLike) -> float:
    """Coverage over the (h, s) of a mask.

    Parameters
    ----------
    policy, demonstrator : array_like, (H, S, A)
    included : array_like of bool, (H, S)
    """
    pi_beta = checked_policy("demonstrator", demonstrator)
    pi = checked_policy("policy", policy, pi_beta.shape)
    return float(policy_tables.coverage(pi, pi_beta, checked_mask("included", included, pi_beta.shape[:2])))
