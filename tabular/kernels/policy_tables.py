"""Compiled passes over policies as tables (H,S,A): whether rows are distributions, the mixture of the family, coverage.

    pi_h(a|s) = (1 - a_n) T_h(s,a)/n + a_n/A,  n = T_h(s);    1/A where n = 0,
    coverage = min over the included (h,s) and the a with pi_beta_h(a|s) > 0 of pi_h(a|s) / pi_beta_h(a|s), at most 1.

    policy, demonstrator  (H,S,A)        pi, pi_beta
    counts, visits        (H,S,A), (H,S) int64, T_h(s,a) and T_h(s)
    noise_weight          (H,S)          a_n of each cell, from `MixtureEstimator.noise_weight`
    included              (H,S) bool

Not checked here: shapes, and that visits are the sums of the counts.
"""

from numba import njit

_jit = njit(cache=True, nogil=True)


@_jit
def first_bad_row(policy, tolerance):
    """Flat index of the first row of (H,S,A) that is not a distribution, or -1."""
    H, S, A = policy.shape
    for h in range(H):
        for s in range(S):
            total = 0.0
            least = 0.0
            for a in range(A):
                total += policy[h, s, a]
                least = min(least, policy[h, s, a])
            # Not `abs(total - 1.0) > tolerance`, which is false for NaN: a row with NaN must be bad.
            if not abs(total - 1.0) <= tolerance or least < 0.0:
                return h * S + s
    return -1


@_jit
def mixture_policy(counts, visits, noise_weight, out):
    """Fill pi_h(a|s) = (1 - a_n) T_h(s,a)/n + a_n/A with n = T_h(s) and a_n = noise_weight[h,s]; 1/A where n = 0."""
    H, S, A = counts.shape
    for h in range(H):
        for s in range(S):
            n = visits[h, s]
            a_n = noise_weight[h, s]
            for a in range(A):
                # n = 0 is a separate case: a_0 = 1 would not help, because 0 * (0/0) is NaN.
                out[h, s, a] = (1.0 - a_n) * (counts[h, s, a] / n) + a_n / A if n > 0 else 1.0 / A


@_jit
def coverage(policy, demonstrator, included):
    """Smallest policy/demonstrator ratio over the (h,s) that are included; at most 1."""
    H, S, A = policy.shape
    gamma = 1.0
    for h in range(H):
        for s in range(S):
            if included[h, s]:
                for a in range(A):
                    # Compared exactly: a slack here would give BC a coverage where it misses a rare action. Actions
                    # that the demonstrator never plays need no coverage, and 0/0 would be NaN.
                    if demonstrator[h, s, a] > 0.0:
                        gamma = min(gamma, policy[h, s, a] / demonstrator[h, s, a])
    return gamma
