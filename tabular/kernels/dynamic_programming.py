"""Compiled dynamic programming over a finite horizon: optimal values, values of a policy, occupancy.

    Q_h(s,a) = r_h(s,a) + sum_s' P_h(s'|s,a) V_{h+1}(s'),    V_{H+1} = 0,
    V_h(s) = max_a Q_h(s,a) for V*,    V_h(s) = sum_a pi_h(a|s) Q_h(s,a) for V^pi,
    w_h(s,a) = w_h(s) pi_h(a|s),    w_{h+1}(s') = sum_{s,a} w_h(s,a) P_h(s'|s,a),    w_1 = P_0.

Steps h count from 0 in the code. H steps, S states, A actions, D successors of a pair (s,a).

    successors     (K,S,A,D) int32   next states; no entries: successor d of every pair is state d (a dense table)
    probabilities  (K,S,A,D)         of the successors; shorter lists are padded with probability 0
    reward         (K,S,A)           each K is H, or 1 for a table that does not change with the step
    initial        (S,)              P_0
    policy         (H,S,A)           pi, rows are distributions
    value          (H+1,S)           V, filled
    action_value   (H,S,A)           Q, filled

Not checked here: shapes, that successors are states, that rows are distributions and rewards finite.

References
----------
Puterman (1994), Markov Decision Processes, section 4.5.
"""

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True)
_sum_in_any_order = njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})


@_sum_in_any_order
def _inner_product(x, y):  # copied in policy_family.py: files of kernels must not call each other
    total = 0.0
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@_jit
def _backup(successors, probabilities, reward, h, next_value, action_value):
    """Q_h(s,a) = r_h(s,a) + sum_s' P_h(s'|s,a) V_{h+1}(s') for one step."""
    K, S, A, D = probabilities.shape
    k = h if K > 1 else 0
    j = h if reward.shape[0] > 1 else 0  # dynamics may stay the same where rewards change, and the other way round
    dense = successors.size == 0
    for s in range(S):
        for a in range(A):
            if dense:
                total = _inner_product(probabilities[k, s, a], next_value)
            else:
                total = 0.0
                # Padded successors are states with probability 0: they add 0, since values are finite.
                for d in range(D):  # an unsigned index cannot count from the end, which saves a comparison
                    total += probabilities[k, s, a, d] * next_value[np.uint32(successors[k, s, a, d])]
            action_value[s, a] = reward[j, s, a] + total


@_jit
def backward_induction(successors, probabilities, reward, value, action_value, greedy):
    """Fill V* (H+1,S), Q* (H,S,A) and the first maximising action (H,S)."""
    H, S, A = action_value.shape
    value[H] = 0.0
    for h in range(H - 1, -1, -1):
        _backup(successors, probabilities, reward, h, value[h + 1], action_value[h])
        for s in range(S):
            best = 0
            for a in range(1, A):
                if action_value[h, s, a] > action_value[h, s, best]:  # strictly: of equal actions the first stays
                    best = a
            greedy[h, s] = best
            value[h, s] = action_value[h, s, best]


@_jit
def evaluate_policy(successors, probabilities, reward, policy, value, action_value):
    """Fill V^pi (H+1,S) and Q^pi (H,S,A)."""
    H, S, A = action_value.shape
    value[H] = 0.0
    for h in range(H - 1, -1, -1):
        _backup(successors, probabilities, reward, h, value[h + 1], action_value[h])
        for s in range(S):
            total = 0.0
            for a in range(A):
                total += policy[h, s, a] * action_value[h, s, a]
            value[h, s] = total


@_jit
def occupancy(successors, probabilities, initial, policy, out):
    """Fill w_h^pi(s,a) (H,S,A)."""
    K, S, A, D = probabilities.shape
    H = policy.shape[0]
    dense = successors.size == 0
    state_mass = initial.copy()  # w_h(s); a copy, because the two buffers change places and `initial` is read-only
    next_mass = np.empty(S)
    for h in range(H):
        k = h if K > 1 else 0
        next_mass[:] = 0.0
        for s in range(S):
            for a in range(A):
                w = state_mass[s] * policy[h, s, a]
                out[h, s, a] = w
                # An occupancy of exactly 0 stays 0 in all that follows: "reachable" is decided by w > 0.
                if w > 0.0 and h + 1 < H:
                    for d in range(D):
                        next_mass[d if dense else successors[k, s, a, d]] += w * probabilities[k, s, a, d]
        state_mass, next_mass = next_mass, state_mass
