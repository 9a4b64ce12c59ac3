"""Coverage of a demonstrator by a policy.

A policy pi_hat covers the demonstrator pi_beta with parameter gamma if

    pi_hat_h(a|s) >= gamma * pi_beta_h(a|s)   for all h, s, a,

so its coverage is the smallest ratio pi_hat/pi_beta over the actions that the demonstrator plays, and at most 1. The
ratios are compared exactly: an absolute tolerance would give a policy that never plays an action positive coverage.
The probability that a cloned policy covers is in `tabular.exact_coverage`.

Source: the paper's definition of demonstrator action coverage.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular import _kernels
from tabular.dp import reachable
from tabular.mdp import FiniteHorizonMDP, FloatArray, checked_policy
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
    shape = validate.rectangular("demonstrator", demonstrator).shape
    if len(shape) != 3:
        raise ValueError(f"demonstrator must have shape (H, S, A); got {shape}")
    if validate.choice("over", over, ("all", "reachable")) == "all":
        included = np.ones(shape[:2], np.bool_)
    elif mdp is None:
        raise ValueError("mdp must be given where over='reachable'")
    else:
        included = reachable(mdp, checked_policy("demonstrator", demonstrator, mdp.policy_shape))
    pi_beta = checked_policy("demonstrator", demonstrator, (shape[0], shape[1], shape[2]))
    return _coverage(policy, pi_beta, included)


def coverage_where(policy: ArrayLike, demonstrator: ArrayLike, included: ArrayLike) -> float:
    """Coverage over the (h, s) of a mask.

    Parameters
    ----------
    policy, demonstrator : array_like, (H, S, A)
    included : array_like of bool, (H, S)
    """
    shape = validate.rectangular("demonstrator", demonstrator).shape
    if len(shape) != 3:
        raise ValueError(f"demonstrator must have shape (H, S, A); got {shape}")
    pi_beta = checked_policy("demonstrator", demonstrator, (shape[0], shape[1], shape[2]))
    mask = np.ascontiguousarray(validate.rectangular("included", included))
    if mask.dtype != np.bool_ or mask.shape != shape[:2]:
        raise ValueError(f"included must be boolean of shape {shape[:2]}; got {mask.dtype} of shape {mask.shape}")
    return _coverage(policy, pi_beta, mask)


def _coverage(policy: ArrayLike, pi_beta: FloatArray, mask: NDArray[np.bool_]) -> float:
    """Coverage over a contiguous mask by a policy that is not checked yet."""
    h, s, a = pi_beta.shape
    pi = checked_policy("policy", policy, (h, s, a))
    read_only = mask.view()  # of the caller's array, which must stay writable; the kernel has one signature
    read_only.setflags(write=False)
    return float(_kernels.coverage(pi, pi_beta, read_only))
