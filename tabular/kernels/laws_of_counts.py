"""Compiled exact laws of counts, and with them the probability that the actions of a cell (h,s) are covered.

In a cell with occupancy w, the visits of T demonstrations are n ~ Bin(T, w); given n, the counts K_a of the actions are
Mult(n, p). The policy covers the cell with parameter gamma if for every action

    (1 - a_n) K_a/n + a_n/A >= gamma p_a,    that is, K_a >= m_a(n) (`required`),

so P[covered | n] is the probability of a box of counts, P[K_a >= m_a for every a] (`box_probability`).

    n, visits         int64       numbers of draws
    p, q              (A,)        probabilities of the actions, and of outcomes put together
    m, at_least       (A,) int64  least counts
    threshold         (A,)        gamma p, minus the relative rounding within which a tie counts as covered
    noise_weight      (N,)        a_n for each number of visits
    log_negligible    tails below exp(-log_negligible) are left out

Not checked here: that p sums to 1 within rounding, that probabilities are 0 or large enough for their quotients to be
finite (the callers set smaller ones to 0), that n is below 2^53.

Probabilities are kept in [0, 1] where rounding may take a sum out of it: a product of thousands of them would keep the
excess. The file is one, and long, because all of its functions call `binomial_mass`, and compiled code calls none of
another file.

References
----------
Loader (2000), Fast and accurate computation of binomial probabilities: Stirling's error and the deviance.
"""

import math

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True)
_sum_in_any_order = njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})


# --- one binomial, one Poisson ----------------------------------------------------------------------------------------


@_jit
def _stirling_error(n):
    """Stirling's error: log n! minus log(sqrt(2 pi n) (n/e)^n), for n >= 1."""
    if n < 16:  # below, the series has not converged to the last digit; above, the difference would lose digits
        return math.lgamma(n + 1.0) - (n + 0.5) * math.log(n) + n - 0.9189385332046728  # log(2 pi)/2
    square = float(n) * n  # n * n as integers overflows from 3e9 on
    return (
        1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square
    ) / n  # fmt: skip


@_jit
def _deviance(x, mean):
    """Deviance x log(x/mean) + mean - x without cancellation, for x >= 0 and mean > 0."""
    if x == 0:  # x log x is 0 there, and NaN as a product
        return mean
    gap = x - mean
    if abs(gap) < 0.1 * (x + mean):  # x and the mean are close: the terms would cancel, the series in v does not
        v = gap / (x + mean)
        total = gap * v
        term = 2.0 * x * v
        j = 3
        while True:
            term *= v * v
            longer = total + term / j
            if longer == total:  # exact: the terms shrink by v^2 < 0.01, so this comes after a few
                return total
            total = longer
            j += 2
    return x * (math.log(x) - math.log(mean)) - gap


@_jit
def binomial_mass(k, n, p):
    """P[Bin(n, p) = k] to about 1e-14 of itself for any n, by Loader's saddle-point form."""
    if k < 0 or k > n:
        return 0.0
    if p <= 0.0 or p >= 1.0:  # beyond 1 by rounding, too: log(1 - p) would be NaN
        return 1.0 if k == (0 if p <= 0.0 else n) else 0.0
    if k == 0:  # at both ends the saddle-point form divides by 0; log1p keeps the digits of a small p
        return math.exp(n * math.log1p(-p))
    if k == n:
        return math.exp(n * math.log(p))
    exponent = _stirling_error(n) - _stirling_error(k) - _stirling_error(n - k)
    exponent -= _deviance(k, n * p) + _deviance(n - k, n * (1.0 - p))
    return math.exp(exponent) * math.sqrt(n / (6.283185307179586 * k * (n - k)))


@_jit
def binomial_at_most(k, n, p):
    """P[Bin(n, p) <= k], by adding up the side without the mean until the terms no longer matter."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    down = k < n * p  # away from the mean, terms fall from the first on: the loops may stop at the first small one
    term = binomial_mass(k if down else k + 1, n, p)
    total = term
    if down:
        while k > 0 and term > 1e-17 * total:
            term *= k * (1.0 - p) / ((n - k + 1) * p)
            total += term
            k -= 1
        return min(1.0, total)  # rounding may take the sum beyond 1
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
    return max(0, int(n * p - reach)), min(n, int(n * p + reach) + 1)  # rounded outwards: int cuts towards 0


@_jit
def binomial_masses(n, p, low, out):
    """Fill P[Bin(n, p) = low + i], from the mode outwards.

    A recursion from one end would start where the mass is 0 by underflow, and stay there.
    """
    peak = min(max(int((n + 1) * p) - low, 0), out.size - 1)
    out[peak] = binomial_mass(low + peak, n, p)
    odds = p / (1.0 - p) if p < 1.0 else 0.0  # p = 0 and p = 1: all mass at the peak
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
    if k > 0:  # Stirling's error has no value at 0
        out[peak] = math.exp(-_stirling_error(k) - _deviance(k, mean)) / math.sqrt(6.283185307179586 * k)
    for i in range(peak + 1, out.size):
        out[i] = out[i - 1] * mean / (low + i)
    for i in range(peak - 1, -1, -1):
        out[i] = out[i + 1] * (low + i + 1) / mean


# --- counts of several outcomes ---------------------------------------------------------------------------------------


@_jit
def _both_reached(low, q, first, second, out):
    """Fill P[first <= Bin(s, q) <= s - second] for s = low + i.

    Both tails move with s by F(x; s+1) = F(x; s) - q P[Bin(s, q) = x]. `edge` is that mass and `tail` is F, computed
    afresh where the mass is lost: from an edge that is 0 by underflow the recursion would never move again.
    """
    begin = max(low, first + second)  # fewer draws cannot serve both demands
    out[: max(0, begin - low)] = 0.0
    for side in range(2):
        x, r = (first - 1, q) if side == 0 else (second - 1, 1.0 - q)
        if x < 0:  # nothing is demanded on this side; the second side changes nothing then
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
            # The two failures exclude each other for s >= first + second, so their probabilities are subtracted.
            out[i] = 1.0 - tail if side == 0 else max(0.0, out[i] - tail)
            tail -= r * edge
            edge *= (s + 1) * (1.0 - r) / (s + 1 - x)


@_jit
def box_probability(n, p, at_least, log_negligible):
    """P[N_a >= at_least_a for every a] for N ~ Mult(n, p).

    Outcomes without a demand are put together, as one outcome; then two outcomes make a group, whose probability is
    known in closed form along their sum. What is left after each group is a Markov chain of binomials: O(sqrt n) for up
    to four outcomes, O(n) for each two more.
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
    # Sums from the end, not 1 minus the sum so far, which cancels to noise where little is left.
    tail = np.zeros(size + 1)
    for i in range(size - 1, -1, -1):
        tail[i] = tail[i + 1] + q[i]
    low, high = n, n  # least and most draws that may be left
    left = np.ones(1)  # P[low + j draws are left, and every demand so far is met]
    i = 0
    while size - i > 2 and tail[i] > 0.0:
        group = q[i] + q[i + 1]
        next_low, next_high = _window(n, min(1.0, tail[i + 2] / tail[0]), log_negligible)
        next_high = min(next_high, high)  # the windows need not shrink by themselves, the number of draws left does
        after = np.zeros(next_high - next_low + 1)
        scratch = np.empty(next_high - next_low + 1)
        least = max(0, low - next_high)
        both = np.empty(max(0, high - next_low - least + 1))
        _both_reached(least, q[i] / group if group > 0.0 else 0.0, m[i], m[i + 1], both)
        for r in range(max(low, next_low), high + 1):
            start = max(0, r - next_high)
            row = scratch[: r - next_low - start + 1]
            binomial_masses(r, min(1.0, group / tail[i]), start, row)
            for j in range(row.size):  # start + j of r draws go to the group
                after[r - start - j - next_low] += left[r - low] * row[j] * both[start + j - least]
        left, low, high = after, next_low, next_high
        i += 2
    last = np.empty(high - low + 1)
    _both_reached(low, min(1.0, q[i] / tail[i]) if tail[i] > 0.0 else 0.0, m[i], m[i + 1], last)
    total = 0.0
    for j in range(last.size):
        total += left[j] * last[j]
    return min(1.0, total)


# --- cells: P[covered] ------------------------------------------------------------------------------------------------


@_jit
def required(n, weight, threshold, n_actions):
    """Smallest K with (1 - weight) K/n + weight/A >= threshold; n + 1 where no K <= n will do."""
    missing = threshold - weight / n_actions
    if missing <= 0.0:  # n = 0 ends here or in the next line, since a_0 = 1
        return 0
    if weight >= 1.0:
        return n + 1
    # Cut to n + 1 before it is rounded up: with a weight next to 1 the quotient may be too large for an integer.
    return min(n + 1, math.ceil(min(n + 1.0, n * missing / (1.0 - weight))))


@_jit
def covered_given_visits(visits, noise_weight, p, threshold, log_negligible, out):
    """Fill P[the cell is covered | n visits] for each n; 1 where Chernoff's bound on failure is negligible."""
    A = p.size
    m = np.empty(A, np.int64)
    for i in range(visits.size):
        n = visits[i]
        failure = 0.0
        for a in range(A):
            m[a] = required(n, noise_weight[i], threshold[a], A)
            if m[a] > 0:
                x = m[a] - 1
                if x >= n * p[a]:  # Chernoff's bound holds below the mean alone
                    failure = 1.0
                else:  # p = 1 would leave log(0); with n - x above 0 the bound is about 0
                    failure += math.exp(-_deviance(x, n * p[a]) - _deviance(n - x, n * max(1e-300, 1.0 - p[a])))
        out[i] = box_probability(n, p, m, log_negligible) if failure > math.exp(-log_negligible) else 1.0


@_jit
def _action_failures(low, noise_weight, p, threshold, n_actions, out):
    """Fill P[Bin(n, p) < m] for n = low + i, with m from `required`, which does not fall with n.

    With x = m - 1, F(x; n) = F(x; n-1) - p P[Bin(n-1, p) = x], and F grows by one mass whenever m does.
    """
    edge, tail, x = 0.0, 0.0, -1
    for i in range(out.size):
        n = low + i
        last = required(n, noise_weight[i], threshold, n_actions) - 1
        if last < 0 or last >= n:  # nothing is required, or more than n visits can give
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
        out[i] = min(1.0, max(0.0, tail))  # differences may leave a tail of 0 slightly negative


@_jit
def noise_weights(low, alpha, prior_mass, out):
    """Fill a_n at n = low + i, alpha lambda/(n + lambda), with a_0 = 1; bit for bit as `MixtureEstimator.noise_weight`.

    It is computed here because a cell needs it for its own window of visits alone: one table for all cells would be as
    long as the data set, and many cells are never looked at.
    """
    for i in range(out.size):
        # lambda = infinity is uniform noise: the quotient would be NaN.
        out[i] = alpha if math.isinf(prior_mass) else alpha * (prior_mass / (low + i + prior_mass))
    if low == 0:
        out[0] = 1.0


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
        noise_weights(low, alpha, prior_mass, weight)
        missed = np.zeros((A, mass.size))
        lower[i] = 0.0
        upper[i] = 0.0
        for a in range(A):
            if bound[i, a] <= negligible:  # not computed, but not forgotten: the upper bound stays one
                upper[i] += bound[i, a]
            # `required` does not fall with n: what the most visits do not require, none does.
            elif required(high, weight[mass.size - 1], gamma * actions[i, a], A) > 0:
                _action_failures(low, weight, actions[i, a], gamma * actions[i, a], A, missed[a])
        for j in range(mass.size):
            least = 1.0
            most = 0.0
            for a in range(A):
                least *= 1.0 - missed[a, j]
                most += missed[a, j]
            least = 1.0 - least
            most = min(1.0, most)  # the failures are not exclusive: their sum may pass 1
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


# --- cells with moves: covered, and where the visitors go -------------------------------------------------------------


@_jit
def _powers(base, first, out):
    """Fill base^(first + i) as out[i, 0] + out[i, 1] 1j, by squares and then one by one."""
    power, square = 1.0 + 0.0j, base + 0.0j
    n = first
    while n > 0:
        if n & 1:
            power *= square
        square *= square
        n >>= 1
    for i in range(out.shape[0]):
        out[i, 0], out[i, 1] = power.real, power.imag
        power *= base


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
        left = p[starts[g + 1] :].sum()  # summed again: repeated subtraction may end next to 0
        least[g] = _window(visits.min(), min(1.0, share / total), log_negligible)[0]
        most[g] = _window(visits.max(), min(1.0, share / total), log_negligible)[1]
    return chance, least, most


@_jit
def _group_box(g, n, p, m, starts, log_negligible):
    """P[the actions of group g are covered | n visitors take one of them]."""
    if starts[g + 1] - starts[g] < 2:
        return 1.0 if starts[g + 1] == starts[g] or n >= m[starts[g]] else 0.0  # a group may be empty
    return box_probability(n, p[starts[g] : starts[g + 1]], m[starts[g] : starts[g + 1]], log_negligible)


@_jit
def cell_moves(visits, noise_weight, law, p, threshold, n_actions, starts, turn, log_negligible, out):
    """Fill E[z^j; the cell is covered | n visits] for each n and each z, where j visitors go to the first next state.

    Group g of actions, starts[g] to starts[g+1], sends a visitor there with one probability q, and turn[g] = 1-q+qz. So
    its M visitors count turn[g]^M P[its actions are covered | M], and over the groups, at least two, M is a chain of
    binomials. What is negligible relative to `law`, the probability of each n, is left out.
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
                if needed != m[a]:  # what is known of the group holds for its least counts alone
                    m[a] = needed
                    covered[g] = -1.0
        # Of the visitors that no group took so far: least and most, their probabilities, and what the others count
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
                if last:  # what this group leaves must be in the window of the group after it, which has its own table
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
