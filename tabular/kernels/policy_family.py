"""Compiled passes for many policies of the family on one data set: values of all, coverages of all.

Policy m of L mixes the empirical and the uniform actions with the noise weight

    a_n = alpha_m lambda_m/(n + lambda_m) = alpha_m / (1 + n/lambda_m),    a_0 = 1,    n = T_h(s),

and its backup mixes two backups that need no a_n: V_h(s) = (1 - a_n) E_h(s) + a_n U_h(s), with E_h(s) and U_h(s) the
means of Q_h(s,a) over the empirical and over the uniform actions. So transitions are merged once for each (h,s), and
what is left for each policy runs over neighbouring memory.

H steps, S states, A actions, D successors of a pair (s,a), L policies.

    successors          (K,S,A,D) int32   next states; no entries: successor d of every pair is state d (a dense table)
    probabilities       (K,S,A,D)         of the successors, padded with 0
    reward              (K,S,A)           each K is H, or 1 for a table that does not change with the step
    counts, visits      (H,S,A), (H,S)    int64, T_h(s,a) and T_h(s)
    alpha, inverse_mass (L,)              alpha and 1/lambda: 0 for uniform noise, infinite where lambda is tiny
    value               (S,L)             V_1, filled

Not checked here: shapes, that visits are the sums of the counts, that rows are distributions.

`_noise_weights` is the one place of a_n here. Its quotient differs from that of `MixtureEstimator.noise_weight` in the
last bits; a test compares the two.
"""

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True)
_sum_in_any_order = njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})

_CACHED_VISITS = 1024
"""Noise weights are kept for fewer visits than this: their divisions cost as much as the backups."""


# --- sums of rows -----------------------------------------------------------------------------------------------------


@_sum_in_any_order
def _inner_product(x, y):  # copied in dynamic_programming.py: files of kernels must not call each other
    total = 0.0
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@_sum_in_any_order
def _add_rows(weights, rows, index, n, out):
    """Add n weighted rows to `out`, four at a time: `out` is then read and written a quarter as often."""
    i = 0
    while i + 4 <= n:
        w, x, y, z = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        s, t, u, v = index[i], index[i + 1], index[i + 2], index[i + 3]
        for m in range(out.size):
            out[m] += w * rows[s, m] + x * rows[t, m] + y * rows[u, m] + z * rows[v, m]
        i += 4
    while i < n:
        w, s = weights[i], index[i]
        for m in range(out.size):
            out[m] += w * rows[s, m]
        i += 1


@_sum_in_any_order
def _add(weight, row, out):
    for i in range(out.size):
        out[i] += weight * row[i]


@_jit
def _lower(out, weight, factor):
    for m in range(out.size):
        out[m] = min(out[m], weight[m] * factor)


# --- what all policies share ------------------------------------------------------------------------------------------


@_jit
def _merge(successors, probabilities, k, s, shares, total, next_states, weights):
    """List P(s'|s) under one distribution over actions, each next state once; `total` is scratch of zeros (S,)."""
    n = 0
    for a in range(shares.size):
        if shares[a] > 0.0:
            for d in range(probabilities.shape[3]):
                p = shares[a] * probabilities[k, s, a, d]
                if p > 0.0:  # so that a total of 0 means "not yet listed"; padded successors are left out too
                    t = np.uint32(d if successors.size == 0 else successors[k, s, a, d])
                    if total[t] == 0.0:
                        next_states[n] = t
                        n += 1
                    total[t] += p
    for i in range(n):
        weights[i] = total[next_states[i]]
        total[next_states[i]] = 0.0  # zeros again for the next call
    return n


@_jit
def _noise_weights(n, alpha, inverse_mass, kept, known):
    """Noise weights (L,) after n visits: a row of `kept`, filled when first asked for.

    The last row of `kept` is scratch for all larger n, so the weights hold until the next call.
    """
    row = kept[min(n, known.size - 1)]
    if n >= known.size - 1 or not known[n]:
        for m in range(alpha.size):
            # a_0 is 1 for BC too, and with an infinite inverse mass 0 times it would be NaN.
            row[m] = alpha[m] / (1.0 + n * inverse_mass[m]) if n > 0 else 1.0
        known[min(n, known.size - 1)] = True
    return row


# --- values and coverages ---------------------------------------------------------------------------------------------


@_jit
def _family_values_dense(probabilities, reward, counts, visits, alpha, inverse_mass, value):
    """As `family_values`, for a full table: two products of matrices per step."""
    K, S, A, _ = probabilities.shape
    H, L = counts.shape[0], alpha.size
    kept, known = np.empty((_CACHED_VISITS + 1, L)), np.zeros(_CACHED_VISITS + 1, np.bool_)
    after = np.zeros((S, L))
    even_rows, seen_rows, seen = np.zeros((S, S)), np.empty((S, S)), np.empty(S, np.int64)
    even, empirical = np.empty((S, L)), np.empty((S, L))
    for h in range(H - 1, -1, -1):
        k = h if K > 1 else 0
        j = h if reward.shape[0] > 1 else 0
        if K > 1 or h == H - 1:  # a table without steps is merged once
            even_rows[:] = 0.0
            for s in range(S):
                for a in range(A):
                    _add(1.0 / A, probabilities[k, s, a], even_rows[s])
        n_seen = 0
        for s in range(S):  # rows of visited states alone: an unvisited one has no empirical actions, and n = 0 divides
            if visits[h, s] > 0:
                row = seen_rows[n_seen]
                row[:] = 0.0
                for a in range(A):
                    if counts[h, s, a] > 0:
                        _add(counts[h, s, a] / visits[h, s], probabilities[k, s, a], row)
                seen[n_seen] = s
                n_seen += 1
        np.dot(even_rows, after, even)
        np.dot(seen_rows[:n_seen], after, empirical[:n_seen])
        for s in range(S):
            mean = 0.0
            for a in range(A):
                mean += reward[j, s, a] / A
            for m in range(L):
                after[s, m] = even[s, m] + mean
        for i in range(n_seen):
            s = seen[i]
            n = visits[h, s]
            mean = 0.0
            for a in range(A):
                mean += reward[j, s, a] * (counts[h, s, a] / n)
            noise = _noise_weights(n, alpha, inverse_mass, kept, known)
            for m in range(L):
                after[s, m] = after[s, m] + (1.0 - noise[m]) * (empirical[i, m] + mean - after[s, m])
    value[:] = after


@_jit
def family_values(successors, probabilities, reward, counts, visits, alpha, inverse_mass, value):
    """Fill V_1 (S,L) of the L policies, all cloned from one data set."""
    if successors.size == 0:
        _family_values_dense(probabilities, reward, counts, visits, alpha, inverse_mass, value)
        return
    K, S, A, D = probabilities.shape
    H, L = counts.shape[0], alpha.size
    kept, known = np.empty((_CACHED_VISITS + 1, L)), np.zeros(_CACHED_VISITS + 1, np.bool_)
    value_now, after = np.empty((S, L)), np.zeros((S, L))
    width = min(S, A * D)
    even_next, even_weights, n_even = np.empty((S, width), np.uint32), np.empty((S, width)), np.zeros(S, np.int64)
    next_states, weights, total = np.empty(width, np.uint32), np.empty(width), np.zeros(S)
    shares, uniform = np.empty(A), np.full(A, 1.0 / A)
    empirical = np.empty(L)
    for h in range(H - 1, -1, -1):
        k = h if K > 1 else 0
        j = h if reward.shape[0] > 1 else 0
        for s in range(S):
            if K > 1 or h == H - 1:  # where the table never changes, the uniform actions lead to the same at each step
                n_even[s] = _merge(successors, probabilities, k, s, uniform, total, even_next[s], even_weights[s])
            even = value_now[s]  # the uniform actions' value, which stays where nothing was recorded (a_0 = 1)
            even[:] = _inner_product(uniform, reward[j, s])
            if h < H - 1:  # after the last step all values are 0
                _add_rows(even_weights[s], after, even_next[s], n_even[s], even)
            n = visits[h, s]
            if n == 0:
                continue
            for a in range(A):
                shares[a] = counts[h, s, a] / n
            empirical[:] = _inner_product(shares, reward[j, s])
            if h < H - 1:
                n_next = _merge(successors, probabilities, k, s, shares, total, next_states, weights)
                _add_rows(weights, after, next_states, n_next, empirical)
            noise = _noise_weights(n, alpha, inverse_mass, kept, known)
            for m in range(L):
                even[m] = even[m] + (1.0 - noise[m]) * (empirical[m] - even[m])
        value_now, after = after, value_now
    value[:] = after


@_jit
def family_coverages(counts, visits, demonstrator, included, alpha, inverse_mass, out):
    """Fill the coverage (L,) of the same policies over the (h,s) that are included; at most 1."""
    H, S, A = counts.shape
    L = alpha.size
    kept, known = np.empty((_CACHED_VISITS + 1, L)), np.zeros(_CACHED_VISITS + 1, np.bool_)
    # Where an action was not recorded, its ratio is a_n/(A p): of those with equal n, the likeliest action decides.
    likeliest = np.zeros(_CACHED_VISITS)
    out[:] = 1.0  # coverage is at most 1: where everything is overcovered, too
    for h in range(H):
        for s in range(S):
            if not included[h, s]:
                continue
            n = visits[h, s]
            missed = 0.0
            for a in range(A):
                p = demonstrator[h, s, a]
                if counts[h, s, a] == 0:
                    missed = max(missed, p)
                elif p > 0.0:
                    cloned, even = counts[h, s, a] / n / p, 1.0 / (A * p)
                    if cloned < 1.0 or even < 1.0:  # a mixture of two ratios above 1 cannot lower the minimum
                        weight = _noise_weights(n, alpha, inverse_mass, kept, known)
                        for m in range(L):
                            out[m] = min(out[m], cloned + weight[m] * (even - cloned))
            if n < _CACHED_VISITS:
                likeliest[n] = max(likeliest[n], missed)
            elif missed > 0.0:
                _lower(out, _noise_weights(n, alpha, inverse_mass, kept, known), 1.0 / (A * missed))
    for n in range(_CACHED_VISITS):
        if likeliest[n] > 0.0:
            _lower(out, _noise_weights(n, alpha, inverse_mass, kept, known), 1.0 / (A * likeliest[n]))
