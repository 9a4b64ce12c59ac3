"""Compiled sampling of demonstrations: trajectories rolled out, and counts T_h(s,a) drawn without trajectories.

Given that n of T independent trajectories are in state s at step h, the counts of their actions are Mult(n, pi_h(.|s)),
and given those, the next states of the m that took a are Mult(m, P_h(.|s,a)). That is the whole law of the counts, so
they are drawn step by step for all trajectories at once: for large n at a cost that does not grow with n.

H steps, S states, A actions, D successors of a pair (s,a), T trajectories.

    successors       (K,S,A,D) int32   next states; no entries: successor d of every pair is state d (a dense table)
    probabilities    (K,S,A,D)         of the successors, padded with 0; K is H, or 1 for a table without steps
    initial, policy  (S,), (H,S,A)     P_0 and the demonstrator pi_beta; rows are distributions
    states, actions  (T,H) int32       filled trajectories
    rng              numpy Generator: compiled code draws the same numbers from it as Python does

Not checked here: shapes, that successors are states, that rows sum to 1 (within rounding: see `_draw` and `_split`),
that the number of trajectories fits into int64.

A stream of random numbers is part of the result: which numbers are drawn, and in which order, must not change.
"""

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True)

WORD = 53
"""Random bits in one uniform double."""

_SMALL_BINOMIAL = 2 * WORD
"""Up to this many trials, bits are cheaper than numpy's binomial (measured)."""

_FEW = 4
"""Up to this many trajectories in a state are rolled on one by one (measured)."""

_SHORT_ROW = 16
"""Up to this length, counting is faster than bisection (measured)."""


# --- one draw, and trajectories ---------------------------------------------------------------------------------------


@_jit
def _draw(rng, row):  # copied in finetuning.py: files of kernels must not call each other
    """One draw from a distribution by inversion; never an outcome of probability 0."""
    u = rng.random()
    total = 0.0
    last = 0
    for d in range(row.size):
        if row[d] > 0.0:  # padded places have probability 0 and name a state that does not follow
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
            if h + 1 < H:  # nothing follows the last step, and its table may not exist
                k = h if K > 1 else 0
                d = _draw(rng, probabilities[k, s, a])
                s = d if dense else successors[k, s, a, d]


@_jit
def count_visits(states, actions, out):
    """Add up T_h(s,a) from trajectories (T,H); `out` starts with zeros."""
    T, H = states.shape
    for t in range(T):
        for h in range(H):
            out[h, states[t, h], actions[t, h]] += 1


# --- binomial and multinomial draws -----------------------------------------------------------------------------------


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
    if p >= 1.0:  # a quotient of sums may exceed 1 by rounding; numpy's binomial would refuse it
        return n
    if n > _SMALL_BINOMIAL:
        return rng.binomial(n, p)
    successes = 0
    while n > 0:
        trials = min(n, WORD)
        n -= trials
        undecided = (1 << trials) - 1  # a bit for each trial whose uniform agrees with p so far
        rest = p  # the bits of p that were not used: 0 once p has no more, and a uniform equal to p is no success
        while undecided != 0 and rest > 0.0:
            word = np.int64(rng.random() * 9007199254740992.0)  # 2^53: all bits of the uniform, and none is rounded
            rest *= 2.0  # exact, and so is the subtraction below: no bit of p is lost
            if rest >= 1.0:
                rest -= 1.0
                successes += _ones(undecided & ~word)  # p has bit 1 and the uniform bit 0: it lies below p
                undecided &= word
            else:
                undecided &= ~word  # p has bit 0 and the uniform bit 1: it lies above p
    return successes


@_jit
def _last_above(tail, u):
    """Last index d with tail[d] > u, for a non-increasing row with tail[0] > u >= 0: a draw by inversion.

    It is never an outcome of probability 0: there tail[d] equals tail[d + 1], so d is not the last one.
    """
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
    tail, so that the last possible outcome has conditional probability exactly 1 and no draw is lost.
    """
    D = row.size
    total = 0.0
    for d in range(D - 1, -1, -1):
        total += row[d]
        tail[d] = total
        out[d] = 0
    if n * (8 + D if D <= _SHORT_ROW else 56) < 120 * (D - 1):  # nanoseconds, twice, as measured
        for _ in range(n):
            out[_last_above(tail, rng.random() * total)] += 1  # u stays below tail[0], also where that is not 1
        return
    for d in range(D):
        if n == 0:
            return
        # After the last possible outcome the tail is 0, and 0/0 must not be asked for.
        x = binomial(rng, n, row[d] / tail[d]) if tail[d] > 0.0 else 0
        out[d] = x
        n -= x


# --- counts of many trajectories --------------------------------------------------------------------------------------


@_jit
def sample_counts(successors, probabilities, initial, policy, n_demos, rng, out):
    """Fill T_h(s,a) (H,S,A) of T trajectories without rolling them out; `out` starts with zeros.

    Only states with a trajectory in them are visited: they are listed, in the order of their first arrival.
    """
    K, S, A, D = probabilities.shape
    H = policy.shape[0]
    dense = successors.size == 0
    n_in_state = np.zeros(S, np.int64)  # both tables of numbers are zeros again at the end of each step
    n_in_next = np.zeros(S, np.int64)
    active = np.empty(S, np.int64)
    arrived = np.empty(S, np.int64)
    tail = np.empty(max(S, A, D))
    split = np.empty(max(S, A, D), np.int64)
    _split(rng, n_demos, initial, tail[:S], split[:S])
    n_active = 0
    for s in range(S):
        if split[s] > 0:
            n_in_state[s] = split[s]
            active[n_active] = s
            n_active += 1
    for h in range(H):
        k = h if K > 1 else 0
        n_arrived = 0
        for i in range(n_active):
            s = active[i]
            n_here = n_in_state[s]
            n_in_state[s] = 0
            if n_here <= _FEW:
                for _ in range(n_here):
                    a = _draw(rng, policy[h, s])
                    out[h, s, a] += 1
                    if h + 1 < H:
                        d = _draw(rng, probabilities[k, s, a])
                        t = np.uint32(d if dense else successors[k, s, a, d])
                        if n_in_next[t] == 0:
                            arrived[n_arrived] = t
                            n_arrived += 1
                        n_in_next[t] += 1
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
                    if split[d] > 0:  # a next state is listed once: on its first arrival, when its number is still 0
                        t = np.uint32(d if dense else successors[k, s, a, d])
                        if n_in_next[t] == 0:
                            arrived[n_arrived] = t
                            n_arrived += 1
                        n_in_next[t] += split[d]
        n_in_state, n_in_next = n_in_next, n_in_state
        active, arrived = arrived, active
        n_active = n_arrived
