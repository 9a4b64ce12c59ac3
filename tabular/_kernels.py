"""Every compiled loop of the tabular half, in one file: numba's disk cache does not notice a callee in another file.

Letters are the paper's: H steps, S states, A actions, D successors of a pair, K = H or 1 (a stationary table).
`successors` with no entries means that successor d of every pair is state d (a dense table). Kernels take read-only
C-ordered arrays that were checked by the caller, fill `out` arguments, and raise nothing.

The inner loops over dense rows and over the members of a family are compiled with `reassoc` and `contract`, that is,
with the freedom that BLAS takes too: the order of the sum is the compiler's. NaN and infinity keep their meaning,
and every other kernel keeps the order as written.
"""

import math

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True)
_sum_in_any_order = njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})

WORD = 53
"""Random bits in one uniform double."""

_SMALL_BINOMIAL = 2 * WORD
"""Up to this many trials, bits are cheaper than numpy's binomial (measured)."""

_FEW = 4
"""Up to this many trajectories in a state are rolled on one by one (measured)."""

_SHORT_ROW = 16
"""Up to this length, counting is faster than bisection (measured)."""


# --- dynamic programming ----------------------------------------------------------------------------------------------


@_sum_in_any_order
def _inner_product(x, y):
    total = 0.0
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@_jit
def _backup(successors, probabilities, reward, h, next_value, action_value):
    """Q_h(s,a) = r_h(s,a) + sum_s' P_h(s'|s,a) V_{h+1}(s') for one step."""
    K, S, A, D = probabilities.shape
    k = h if K > 1 else 0
    j = h if reward.shape[0] > 1 else 0
    dense = successors.size == 0
    for s in range(S):
        for a in range(A):
            if dense:
                total = _inner_product(probabilities[k, s, a], next_value)
            else:
                total = 0.0
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
                if action_value[h, s, a] > action_value[h, s, best]:
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
    here = initial.copy()
    following = np.empty(S)
    for h in range(H):
        k = h if K > 1 else 0
        following[:] = 0.0
        for s in range(S):
            for a in range(A):
                w = here[s] * policy[h, s, a]
                out[h, s, a] = w
                if w > 0.0 and h + 1 < H:
                    for d in range(D):
                        following[d if dense else successors[k, s, a, d]] += w * probabilities[k, s, a, d]
        here, following = following, here


# --- policies ---------------------------------------------------------------------------------------------------------


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
            if not abs(total - 1.0) <= tolerance or least < 0.0:  # written so that NaN is bad
                return h * S + s
    return -1


@_jit
def mixture_policy(counts, visits, noise_weight, out):
    """pi_h(a|s) = (1 - a_n) T_h(s,a)/n + a_n/A with n = T_h(s) and a_n = noise_weight[h,s]; uniform where n = 0."""
    H, S, A = counts.shape
    for h in range(H):
        for s in range(S):
            n = visits[h, s]
            a_n = noise_weight[h, s]
            for a in range(A):
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
                    if demonstrator[h, s, a] > 0.0:
                        gamma = min(gamma, policy[h, s, a] / demonstrator[h, s, a])
    return gamma


# --- demonstrations ---------------------------------------------------------------------------------------------------


@_jit
def _draw(rng, row):
    """One draw from a distribution by inversion; never an outcome of probability 0."""
    u = rng.random()
    total = 0.0
    last = 0
    for d in range(row.size):
        if row[d] > 0.0:
            last = d
            total += row[d]
            if u < total:
                return d
    return last  # the row sums to slightly less than 1 and u fell beyond it


@_jit
def rollouts(successors, probabilities, initial, policy, rng, states, actions):
    """Fill the states and actions (T,H) of T trajectories."""
    T, H = states.shape
    K = probabilities.shape[0]
    dense = successors.size == 0
    for t in range(T):
        s = _draw(rng, initial)
        for h in range(H):
            a = _draw(rng, policy[h, s])
            states[t, h] = s
            actions[t, h] = a
            if h + 1 < H:
                k = h if K > 1 else 0
                d = _draw(rng, probabilities[k, s, a])
                s = d if dense else successors[k, s, a, d]


@_jit
def count_visits(states, actions, out):
    """Add up T_h(s,a) from trajectories (T,H)."""
    T, H = states.shape
    for t in range(T):
        for h in range(H):
            out[h, states[t, h], actions[t, h]] += 1


@_jit
def _ones(word):
    """Number of set bits."""
    word = word - ((word >> 1) & 0x5555555555555555)
    word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F
    word += word >> 8  # added up by shifts: the usual product overflows, which plain Python does not do silently
    word += word >> 16
    word += word >> 32
    return word & 0x7F


@_jit
def binomial(rng, n, p):
    """Draw Bin(n, p), exactly in law for the double p while n is small.

    Small n: the n uniforms are compared with p bit by bit, all at once, one random word a bit, until every comparison
    is decided. About log2(n) words are needed, whatever p is.
    """
    if n <= 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    if n > _SMALL_BINOMIAL:
        return rng.binomial(n, p)
    successes = 0
    while n > 0:
        trials = min(n, WORD)
        n -= trials
        undecided = (1 << trials) - 1
        rest = p
        while undecided != 0 and rest > 0.0:
            word = np.int64(rng.random() * 9007199254740992.0)  # 2^53
            rest *= 2.0
            if rest >= 1.0:
                rest -= 1.0
                successes += _ones(undecided & ~word)
                undecided &= word
            else:
                undecided &= ~word
    return successes


@_jit
def _last_above(tail, u):
    """Last index d with tail[d] > u, for a non-increasing row with tail[0] > u >= 0: a draw by inversion."""
    if tail.size <= _SHORT_ROW:
        low = 0
        for d in range(1, tail.size):
            low += tail[d] > u
        return low
    low, high = 0, tail.size
    while high - low > 1:
        middle = (low + high) // 2
        if tail[middle] > u:
            low = middle
        else:
            high = middle
    return low


@_jit
def _split(rng, n, row, tail, out):
    """Fill `out` with a draw of Mult(n, row); `tail` is scratch of the row's length.

    Many draws are split binomially, outcome by outcome; few draws are made one by one. The split uses sums from the
    tail, so that the last possible outcome has conditional probability exactly 1.
    """
    D = row.size
    total = 0.0
    for d in range(D - 1, -1, -1):
        total += row[d]
        tail[d] = total
        out[d] = 0
    if n * (8 + D if D <= _SHORT_ROW else 56) < 120 * (D - 1):  # nanoseconds, twice, as measured
        for _ in range(n):
            out[_last_above(tail, rng.random() * total)] += 1
        return
    for d in range(D):
        if n == 0:
            return
        x = binomial(rng, n, row[d] / tail[d]) if tail[d] > 0.0 else 0
        out[d] = x
        n -= x


@_jit
def sample_counts(successors, probabilities, initial, policy, n_demos, rng, out):
    """Fill T_h(s,a) (H,S,A) of T trajectories without rolling them out.

    Given how many trajectories are in each state, their actions are multinomial, and so are their next states; that
    is the whole law. Only states with a trajectory in them are visited.
    """
    K, S, A, D = probabilities.shape
    H = policy.shape[0]
    dense = successors.size == 0
    here = np.zeros(S, np.int64)
    following = np.zeros(S, np.int64)
    active = np.empty(S, np.int64)
    arrived = np.empty(S, np.int64)
    tail = np.empty(max(S, A, D))
    split = np.empty(max(S, A, D), np.int64)
    _split(rng, n_demos, initial, tail[:S], split[:S])
    n_active = 0
    for s in range(S):
        if split[s] > 0:
            here[s] = split[s]
            active[n_active] = s
            n_active += 1
    for h in range(H):
        k = h if K > 1 else 0
        n_arrived = 0
        for i in range(n_active):
            s = active[i]
            n_here = here[s]
            here[s] = 0
            if n_here <= _FEW:
                for _ in range(n_here):
                    a = _draw(rng, policy[h, s])
                    out[h, s, a] += 1
                    if h + 1 < H:
                        d = _draw(rng, probabilities[k, s, a])
                        t = np.uint32(d if dense else successors[k, s, a, d])
                        if following[t] == 0:
                            arrived[n_arrived] = t
                            n_arrived += 1
                        following[t] += 1
                continue
            _split(rng, n_here, policy[h, s], tail[:A], out[h, s])
            if h + 1 == H:
                continue
            for a in range(A):
                n = out[h, s, a]
                if n == 0:
                    continue
                _split(rng, n, probabilities[k, s, a], tail[:D], split[:D])
                for d in range(D):
                    if split[d] > 0:
                        t = np.uint32(d if dense else successors[k, s, a, d])
                        if following[t] == 0:
                            arrived[n_arrived] = t
                            n_arrived += 1
                        following[t] += split[d]
        here, following = following, here
        active, arrived = arrived, active
        n_active = n_arrived


# --- many policies of the family on one data set ----------------------------------------------------------------------


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


@_jit
def _merge(successors, probabilities, k, s, shares, total, following, weights):
    """List P(s'|s) under one distribution over actions, each next state once; `total` is scratch of zeros (S,)."""
    n = 0
    for a in range(shares.size):
        if shares[a] > 0.0:
            for d in range(probabilities.shape[3]):
                p = shares[a] * probabilities[k, s, a, d]
                if p > 0.0:
                    t = np.uint32(d if successors.size == 0 else successors[k, s, a, d])
                    if total[t] == 0.0:
                        following[n] = t
                        n += 1
                    total[t] += p
    for i in range(n):
        weights[i] = total[following[i]]
        total[following[i]] = 0.0
    return n


_CACHED_VISITS = 1024  # noise weights are kept for fewer visits than this: divisions cost as much as the backups


@_jit
def _noise(n, alpha, inverse_mass, kept, known):
    """Noise weights (L,) after n visits; a row of `kept`, filled when first asked for."""
    row = kept[min(n, known.size - 1)]
    if n >= known.size - 1 or not known[n]:
        for m in range(alpha.size):
            row[m] = alpha[m] / (1.0 + n * inverse_mass[m]) if n > 0 else 1.0
        known[min(n, known.size - 1)] = True
    return row


@_jit
def _family_values_dense(probabilities, reward, counts, visits, alpha, inverse_mass, value):
    """As `family_values`, for a full table: two products of matrices a step."""
    K, S, A, _ = probabilities.shape
    H, L = counts.shape[0], alpha.size
    kept, known = np.empty((_CACHED_VISITS + 1, L)), np.zeros(_CACHED_VISITS + 1, np.bool_)
    after = np.zeros((S, L))
    even_rows, seen_rows, seen = np.zeros((S, S)), np.empty((S, S)), np.empty(S, np.int64)
    even, empirical = np.empty((S, L)), np.empty((S, L))
    for h in range(H - 1, -1, -1):
        k = h if K > 1 else 0
        j = h if reward.shape[0] > 1 else 0
        if K > 1 or h == H - 1:
            even_rows[:] = 0.0
            for s in range(S):
                for a in range(A):
                    _add(1.0 / A, probabilities[k, s, a], even_rows[s])
        n_seen = 0
        for s in range(S):
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
            noise = _noise(n, alpha, inverse_mass, kept, known)
            for m in range(L):
                after[s, m] = after[s, m] + (1.0 - noise[m]) * (empirical[i, m] + mean - after[s, m])
    value[:] = after


@_sum_in_any_order
def _add(weight, row, out):
    for i in range(out.size):
        out[i] += weight * row[i]


@_jit
def family_values(successors, probabilities, reward, counts, visits, alpha, inverse_mass, value):
    """Fill V_1 (S,L) of the L policies with noise weight alpha/(1 + n inverse_mass), all cloned from one data set.

    A policy's backup mixes two that all share, that of the empirical and that of the uniform actions. So transitions
    are merged once for each (h,s), and what is left for each policy runs over neighbouring memory.
    """
    if successors.size == 0:
        _family_values_dense(probabilities, reward, counts, visits, alpha, inverse_mass, value)
        return
    K, S, A, D = probabilities.shape
    H, L = counts.shape[0], alpha.size
    kept, known = np.empty((_CACHED_VISITS + 1, L)), np.zeros(_CACHED_VISITS + 1, np.bool_)
    here, after = np.empty((S, L)), np.zeros((S, L))
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
            even = here[s]
            even[:] = _inner_product(uniform, reward[j, s])
            if h < H - 1:
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
            noise = _noise(n, alpha, inverse_mass, kept, known)
            for m in range(L):
                even[m] = even[m] + (1.0 - noise[m]) * (empirical[m] - even[m])
        here, after = after, here
    value[:] = after


@_jit
def family_coverages(counts, visits, demonstrator, included, alpha, inverse_mass, out):
    """Fill the coverage (L,) of the same policies over the (h,s) that are included; at most 1."""
    H, S, A = counts.shape
    L = alpha.size
    kept, known = np.empty((_CACHED_VISITS + 1, L)), np.zeros(_CACHED_VISITS + 1, np.bool_)
    likeliest = np.zeros(_CACHED_VISITS)  # of the actions that were not recorded, by visits: the likeliest decides
    out[:] = 1.0
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
                    if cloned < 1.0 or even < 1.0:
                        weight = _noise(n, alpha, inverse_mass, kept, known)
                        for m in range(L):
                            out[m] = min(out[m], cloned + weight[m] * (even - cloned))
            if n < _CACHED_VISITS:
                likeliest[n] = max(likeliest[n], missed)
            elif missed > 0.0:
                _lower(out, _noise(n, alpha, inverse_mass, kept, known), 1.0 / (A * missed))
    for n in range(_CACHED_VISITS):
        if likeliest[n] > 0.0:
            _lower(out, _noise(n, alpha, inverse_mass, kept, known), 1.0 / (A * likeliest[n]))


@_jit
def _lower(out, weight, factor):
    for m in range(out.size):
        out[m] = min(out[m], weight[m] * factor)


# --- exact laws of counts ---------------------------------------------------------------------------------------------


@_jit
def _stirling_error(n):
    """Stirling's error: log n! minus log(sqrt(2 pi n) (n/e)^n)."""
    if n < 16:
        return math.lgamma(n + 1.0) - (n + 0.5) * math.log(n) + n - 0.9189385332046728  # log(2 pi)/2
    square = float(n) * n
    return (
        1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square
    ) / n  # fmt: skip


@_jit
def _deviance(x, mean):
    """Deviance x log(x/mean) + mean - x without cancellation, for x >= 0 and mean > 0."""
    if x == 0:
        return mean
    gap = x - mean
    if abs(gap) < 0.1 * (x + mean):
        v = gap / (x + mean)
        total = gap * v
        term = 2.0 * x * v
        j = 3
        while True:
            term *= v * v
            longer = total + term / j
            if longer == total:
                return total
            total = longer
            j += 2
    return x * (math.log(x) - math.log(mean)) - gap


@_jit
def binomial_mass(k, n, p):
    """P[Bin(n, p) = k] to about 1e-14 of itself for any n, by Loader's saddle-point form."""
    if k < 0 or k > n:
        return 0.0
    if p <= 0.0 or p >= 1.0:
        return 1.0 if k == (0 if p <= 0.0 else n) else 0.0
    if k == 0:
        return math.exp(n * math.log1p(-p))
    if k == n:
        return math.exp(n * math.log(p))
    exponent = _stirling_error(n) - _stirling_error(k) - _stirling_error(n - k)
    exponent -= _deviance(k, n * p) + _deviance(n - k, n * (1.0 - p))
    return math.exp(exponent) * math.sqrt(n / (6.283185307179586 * k * (n - k)))


@_jit
def binomial_at_most(k, n, p):
    """P[Bin(n, p) <= k], by adding up the shorter side until nothing more is seen."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    down = k < n * p
    term = binomial_mass(k if down else k + 1, n, p)
    total = term
    if down:
        while k > 0 and term > 1e-17 * total:
            term *= k * (1.0 - p) / ((n - k + 1) * p)
            total += term
            k -= 1
        return min(1.0, total)
    k += 1
    while k < n and term > 1e-17 * total:
        term *= (n - k) * p / ((k + 1) * (1.0 - p))
        total += term
        k += 1
    return max(0.0, 1.0 - total)


@_jit
def _window(n, p, log_negligible):
    """First and last k outside of which Bin(n, p) has less than 2 exp(-log_negligible), by Bernstein's inequality."""
    reach = math.sqrt(2.0 * n * p * max(0.0, 1.0 - p) * log_negligible) + 2.0 / 3.0 * log_negligible
    return max(0, int(n * p - reach)), min(n, int(n * p + reach) + 1)


@_jit
def binomial_masses(n, p, low, out):
    """Fill P[Bin(n, p) = low + i], from the mode outwards."""
    peak = min(max(int((n + 1) * p) - low, 0), out.size - 1)
    out[peak] = binomial_mass(low + peak, n, p)
    odds = p / (1.0 - p) if p < 1.0 else 0.0
    for i in range(peak + 1, out.size):
        out[i] = out[i - 1] * (n - low - i + 1) / (low + i) * odds
    for i in range(peak - 1, -1, -1):
        out[i] = out[i + 1] * (low + i + 1) / (n - low - i) / odds if odds > 0.0 else 0.0


@_jit
def poisson_masses(mean, low, out):
    """Fill P[Poisson(mean) = low + i], from the mode outwards, for mean > 0."""
    peak = min(max(int(mean) - low, 0), out.size - 1)
    k = low + peak
    out[peak] = math.exp(-mean)
    if k > 0:
        out[peak] = math.exp(-_stirling_error(k) - _deviance(k, mean)) / math.sqrt(6.283185307179586 * k)
    for i in range(peak + 1, out.size):
        out[i] = out[i - 1] * mean / (low + i)
    for i in range(peak - 1, -1, -1):
        out[i] = out[i + 1] * (low + i + 1) / mean


@_jit
def _both_reached(low, q, first, second, out):
    """Fill P[first <= Bin(s, q) <= s - second] for s = low + i.

    Both tails move with s by F(x; s+1) = F(x; s) - q P[Bin(s, q) = x].
    """
    begin = max(low, first + second)
    out[: max(0, begin - low)] = 0.0
    for side in range(2):
        x, r = (first - 1, q) if side == 0 else (second - 1, 1.0 - q)
        if x < 0:
            if side == 0:
                out[max(0, begin - low) :] = 1.0
            continue
        edge = 0.0
        tail = 0.0
        for i in range(begin - low, out.size):
            s = low + i
            if edge < 1e-250:  # not yet begun, or lost below the smallest double
                edge = binomial_mass(x, s, r)
                tail = binomial_at_most(x, s, r)
            out[i] = 1.0 - tail if side == 0 else max(0.0, out[i] - tail)
            tail -= r * edge
            edge *= (s + 1) * (1.0 - r) / (s + 1 - x)


@_jit
def box_probability(n, p, at_least, log_negligible):
    """P[N_a >= at_least_a for every a] for N ~ Mult(n, p).

    Outcomes without a demand are put together; then two outcomes make a group, whose probability is known in closed
    form along their sum. What is left after each group is a Markov chain of binomials: O(sqrt n) for up to four
    outcomes, O(n) for each two more.
    """
    q = np.empty(p.size + 1)
    m = np.zeros(p.size + 1, np.int64)
    size = 0
    free = 0.0
    needed = 0
    for a in range(p.size):
        if at_least[a] > 0:
            q[size] = p[a]
            m[size] = at_least[a]
            needed += at_least[a]
            size += 1
        else:
            free += p[a]
    if needed > n:
        return 0.0
    if free > 0.0 or size == 0:
        q[size] = free
        size += 1
    tail = np.zeros(size + 1)
    for i in range(size - 1, -1, -1):
        tail[i] = tail[i + 1] + q[i]
    low, high = n, n  # how many draws are left, and with which probability all was well so far
    left = np.ones(1)
    i = 0
    while size - i > 2 and tail[i] > 0.0:
        group = q[i] + q[i + 1]
        next_low, next_high = _window(n, min(1.0, tail[i + 2] / tail[0]), log_negligible)
        next_high = min(next_high, high)
        after = np.zeros(next_high - next_low + 1)
        scratch = np.empty(next_high - next_low + 1)
        least = max(0, low - next_high)
        both = np.empty(max(0, high - next_low - least + 1))
        _both_reached(least, q[i] / group if group > 0.0 else 0.0, m[i], m[i + 1], both)
        for r in range(max(low, next_low), high + 1):
            start = max(0, r - next_high)
            row = scratch[: r - next_low - start + 1]
            binomial_masses(r, min(1.0, group / tail[i]), start, row)
            for j in range(row.size):
                after[r - start - j - next_low] += left[r - low] * row[j] * both[start + j - least]
        left, low, high = after, next_low, next_high
        i += 2
    last = np.empty(high - low + 1)
    _both_reached(low, min(1.0, q[i] / tail[i]) if tail[i] > 0.0 else 0.0, m[i], m[i + 1], last)
    total = 0.0
    for j in range(last.size):
        total += left[j] * last[j]
    return min(1.0, total)


@_jit
def required(n, weight, threshold, n_actions):
    """Smallest K with (1 - weight) K/n + weight/A >= threshold; n + 1 where no K <= n will do."""
    missing = threshold - weight / n_actions
    if missing <= 0.0:
        return 0
    if weight >= 1.0:
        return n + 1
    return min(n + 1, math.ceil(min(n + 1.0, n * missing / (1.0 - weight))))


@_jit
def covered_given_visits(visits, noise_weight, p, threshold, log_negligible, out):
    """Fill P[the cell is covered | n visits] for each n; 1 where Chernoff's bound leaves a failure of nothing."""
    A = p.size
    m = np.empty(A, np.int64)
    for i in range(visits.size):
        n = visits[i]
        failure = 0.0
        for a in range(A):
            m[a] = required(n, noise_weight[i], threshold[a], A)
            if m[a] > 0:
                x = m[a] - 1
                if x >= n * p[a]:
                    failure = 1.0
                else:
                    failure += math.exp(-_deviance(x, n * p[a]) - _deviance(n - x, n * max(1e-300, 1.0 - p[a])))
        out[i] = box_probability(n, p, m, log_negligible) if failure > math.exp(-log_negligible) else 1.0


@_jit
def _action_failures(low, noise_weight, p, threshold, n_actions, out):
    """Fill P[Bin(n, p) < m] for n = low + i, with m from `required`, which does not fall with n.

    F(x; n) = F(x; n-1) - p P[Bin(n-1, p) = x], and F grows by one mass whenever m does.
    """
    edge, tail, x = 0.0, 0.0, -1
    for i in range(out.size):
        n = low + i
        last = required(n, noise_weight[i], threshold, n_actions) - 1
        if last < 0 or last >= n:
            out[i] = 0.0 if last < 0 else 1.0
            edge = 0.0
            continue
        if edge < 1e-250 or last < x:  # not yet begun, lost below the smallest double, or m fell by rounding
            edge = binomial_mass(last, n, p)
            tail = binomial_at_most(last, n, p)
        else:
            tail -= p * edge
            edge *= n * (1.0 - p) / (n - x)
            while x < last:
                edge *= (n - x) * p / ((x + 1) * (1.0 - p))
                tail += edge
                x += 1
        x = last
        out[i] = min(1.0, max(0.0, tail))


@_jit
def cell_failures(
    order, n_demos, occupancy, actions, bound, repeats, alpha, prior_mass, gamma,
    log_negligible, negligible, exact, enough, lower, upper,
):  # fmt: skip
    """Fill bounds on P[not covered] of the cells in `order`, until `repeats @ lower` alone is more than enough.

    Given n visits, the counts of the actions are negatively associated, so that with f_a = P[action a fails],
    1 - prod_a (1 - f_a) <= P[some fails] <= sum_a f_a. If `exact`, the box probability stands in for both wherever they
    differ. Actions whose `bound` is negligible are not looked at: it is added above.
    """
    A = actions.shape[1]
    m = np.empty(A, np.int64)
    total = 0.0
    for i in order:
        low, high = _window(n_demos, occupancy[i], log_negligible)
        mass = np.empty(high - low + 1)
        binomial_masses(n_demos, occupancy[i], low, mass)
        weight = np.empty(mass.size)
        for j in range(mass.size):
            weight[j] = alpha if math.isinf(prior_mass) else alpha * (prior_mass / (low + j + prior_mass))
        if low == 0:
            weight[0] = 1.0
        missed = np.zeros((A, mass.size))
        lower[i] = 0.0
        upper[i] = 0.0
        for a in range(A):
            if bound[i, a] <= negligible:
                upper[i] += bound[i, a]
            elif required(high, weight[mass.size - 1], gamma * actions[i, a], A) > 0:
                _action_failures(low, weight, actions[i, a], gamma * actions[i, a], A, missed[a])
        for j in range(mass.size):
            least = 1.0
            most = 0.0
            for a in range(A):
                least *= 1.0 - missed[a, j]
                most += missed[a, j]
            least = 1.0 - least
            most = min(1.0, most)
            if exact and mass[j] * (most - least) > negligible:
                for a in range(A):
                    m[a] = required(low + j, weight[j], gamma * actions[i, a], A)
                least = 1.0 - box_probability(low + j, actions[i], m, log_negligible)
                most = least
            lower[i] += mass[j] * least
            upper[i] += mass[j] * most
        total += repeats[i] * lower[i]
        if total > enough:
            return


@_jit
def _powers(base, first, out):
    """Fill base^(first + i) as out[i, 0] + out[i, 1] 1j, by squares and then one by one."""
    here, square = 1.0 + 0.0j, base + 0.0j
    n = first
    while n > 0:
        if n & 1:
            here *= square
        square *= square
        n >>= 1
    for i in range(out.shape[0]):
        out[i, 0], out[i, 1] = here.real, here.imag
        here *= base


@_sum_in_any_order
def _add_product(part, x, y, out):
    """Add part x y to out, for rows of complex numbers as (real, imaginary), which are faster (measured)."""
    for k in range(out.shape[1]):
        real, imaginary = part * x[0, k], part * x[1, k]
        out[0, k] += real * y[0, k] - imaginary * y[1, k]
        out[1, k] += real * y[1, k] + imaginary * y[0, k]


@_jit
def _group_totals(visits, p, starts, log_negligible):
    """Share of each group in what no group before it took, and the least and most visitors of it that matter."""
    G = starts.size - 1
    chance = np.ones(G)
    least, most = np.empty(G, np.int64), np.empty(G, np.int64)
    left, total = p.sum(), p.sum()
    for g in range(G):
        share = p[starts[g] : starts[g + 1]].sum()
        if g < G - 1:
            chance[g] = min(1.0, share / left) if left > 0.0 else 0.0
        left = p[starts[g + 1] :].sum()
        least[g] = _window(visits.min(), min(1.0, share / total), log_negligible)[0]
        most[g] = _window(visits.max(), min(1.0, share / total), log_negligible)[1]
    return chance, least, most


@_jit
def _group_box(g, n, p, m, starts, log_negligible):
    """P[the actions of group g are covered | n visitors take one of them]."""
    if starts[g + 1] - starts[g] < 2:
        return 1.0 if starts[g + 1] == starts[g] or n >= m[starts[g]] else 0.0
    return box_probability(n, p[starts[g] : starts[g + 1]], m[starts[g] : starts[g + 1]], log_negligible)


@_jit
def cell_moves(visits, noise_weight, law, p, threshold, n_actions, starts, turn, log_negligible, out):
    """Fill E[z^j; the cell is covered | n visits] for each n and each z, where j visitors go to the first next state.

    Group g of actions, starts[g] to starts[g+1], sends a visitor there with one probability q, and turn[g] = 1-q+qz. So
    its M visitors count turn[g]^M P[its actions are covered | M], and over the groups, at least two, M is a chain of
    binomials. What weighs nothing beside `law`, the probability of each n, is left out.
    """
    G, Z = turn.shape
    negligible = math.exp(-log_negligible)
    share, least, most = _group_totals(visits, p, starts, log_negligible)
    width = (most - least).max() + 1
    power = np.empty((G, width, 2, Z))
    for g in range(G):
        for k in range(Z):
            _powers(turn[g, k], least[g], power[g, :, :, k])
    within = np.empty((2, Z))
    covered, mass = np.full((G, width), -1.0), np.empty(width)  # -1: not yet known
    m = np.full(p.size, -1, np.int64)
    out[:] = 0.0
    for i in range(visits.size):
        if law[i] <= negligible:
            continue
        for g in range(G):
            for a in range(starts[g], starts[g + 1]):
                needed = required(visits[i], noise_weight[i], threshold[a], n_actions)
                if needed != m[a]:
                    m[a] = needed
                    covered[g] = -1.0
        # of the visitors that no group took so far: how many, with which probability, and what the others count
        low, high = visits[i], visits[i]
        left, count = np.full(1, law[i]), np.zeros((1, 2, Z))
        count[0, 0] = 1.0
        for g in range(G - 1):
            last = g == G - 2  # the group after it takes the rest
            next_low = 0 if last else max(0, low - most[g])
            size = 1 if last else max(0, high - least[g] - next_low + 1)
            next_left, next_count = np.zeros(size), np.zeros((size, 2, Z))
            for r in range(low, low + left.size):
                start, stop = _window(r, share[g], log_negligible)
                start, stop = max(start, least[g]), min(stop, most[g])
                if last:
                    start, stop = max(start, r - most[g + 1]), min(stop, r - least[g + 1])
                if left[r - low] <= negligible or stop < start:
                    continue
                binomial_masses(r, share[g], start, mass[: stop - start + 1])
                within[:] = 0.0
                for M in range(start, stop + 1):
                    part, x = mass[M - start], M - least[g]
                    if left[r - low] * part <= negligible:
                        continue
                    if covered[g, x] < 0.0:
                        covered[g, x] = _group_box(g, M, p, m, starts, log_negligible)
                    part *= covered[g, x]
                    if not last:
                        next_left[r - M - next_low] += left[r - low] * part
                        _add_product(part, count[r - low], power[g, x], next_count[r - M - next_low])
                        continue
                    y = r - M - least[g + 1]
                    if covered[g + 1, y] < 0.0:
                        covered[g + 1, y] = _group_box(g + 1, r - M, p, m, starts, log_negligible)
                    part *= covered[g + 1, y]
                    if part > 0.0:
                        _add_product(part, power[g, x], power[g + 1, y], within)
                if last:
                    _add_product(1.0, count[r - low], within, next_count[0])
            low, high, left, count = next_low, next_low + size - 1, next_left, next_count
        out[i] = count[0, 0] + 1j * count[0, 1]
