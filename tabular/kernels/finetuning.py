"""Compiled RL finetuning of a pretrained policy: softmax policy gradients, best of N, optimistic value iteration.

A learner sees only its own episodes: it gets the process only to roll it out, and to report the exact return J of its
policy at the checkpoints. With G_h the return of an episode from step h on and b_h(s) the critic, the learners move

    gradient   along the mean of (G_h - b_h(s)) grad log pi_h(a|s), the gradient of J
    natural    each logit that was played by its mean advantage G_h - b_h(s)
    proximal   along the gradient of min(ratio x, clip(ratio, 1 - clip, 1 + clip) x), x = G_h - b_h(s),
               ratio = pi_h(a|s) / (pi_h(a|s) when it was played)

and the optimistic learner plays the greedy policy of the recorded process, where the value of a pair that was played n
times is its mean plus (H - h) bonus/sqrt(n), at most H - h; rewards are at most 1, so that is also the value of a pair
that was never played.

Steps h count from 0. H steps, S states, A actions, D successors of a pair (s,a), N episodes in a batch.

    successors       (K,S,A,D) int32    next states; no entries: successor d of every pair is state d (a dense table)
    probabilities    (K,S,A,D)          of the successors, padded with 0
    reward           (K,S,A)            each K is H, or 1 for a table that does not change with the step
    initial          (S,)               P_0
    policy           (H,S,A)            pi, rows are distributions; changed in place
    pretrained       (H,S,A)            the policy to begin with: no learner plays what it gives probability 0
    logits           (H,S,A)            of a softmax policy; minus infinity where it may not play
    critic           (H,S)              b, the mean return from (h,s) on
    visits           (H,S,A) int64      how often each pair was played
    slots            (H,) int64         which successor followed: an index into the list of successors
    checkpoints      (C,) int64         increasing numbers of episodes; `out` (C,) is J after each of them

Not checked here: shapes, that rows are distributions, that rewards lie in [0, 1], that the batch is at least 1.
"""

import numpy as np
from numba import njit

_jit = njit(cache=True, nogil=True)

GRADIENT, NATURAL, PROXIMAL = 0, 1, 2
"""Kinds of softmax learner."""


# --- exact ------------------------------------------------------------------------------------------------------------


@_jit
def _next_value(successors, probabilities, k, s, a, value):
    """Mean value after (s,a); successors of probability 0 are not read: their value may be minus infinity."""
    total = 0.0
    for d in range(probabilities.shape[3]):
        p = probabilities[k, s, a, d]
        if p > 0.0:
            total += p * value[d if successors.size == 0 else successors[k, s, a, d]]
    return total


@_jit
def expected_return(successors, probabilities, reward, initial, policy):
    """J of a policy; what an action of probability 0 would do is never read."""
    H, S, A = policy.shape
    value, after = np.zeros(S), np.zeros(S)
    for h in range(H - 1, -1, -1):
        k = h if probabilities.shape[0] > 1 else 0
        j = h if reward.shape[0] > 1 else 0
        for s in range(S):
            total = 0.0
            for a in range(A):
                if policy[h, s, a] > 0.0:
                    action_value = reward[j, s, a] + _next_value(successors, probabilities, k, s, a, after)
                    total += policy[h, s, a] * action_value
            value[s] = total
        value, after = after, value
    total = 0.0
    for s in range(S):
        total += initial[s] * after[s]
    return total


@_jit
def support_values(successors, probabilities, reward, policy, value):
    """Fill (H+1,S) with the largest values over the actions that the policy may play."""
    H, S, A = policy.shape
    value[H] = 0.0
    for h in range(H - 1, -1, -1):
        k = h if probabilities.shape[0] > 1 else 0
        j = h if reward.shape[0] > 1 else 0
        for s in range(S):
            best = -np.inf
            for a in range(A):
                if policy[h, s, a] > 0.0:
                    best = max(best, reward[j, s, a] + _next_value(successors, probabilities, k, s, a, value[h + 1]))
            value[h, s] = best


# --- episodes ---------------------------------------------------------------------------------------------------------


@_jit
def _draw(rng, row):  # copied in sampling.py: files of kernels must not call each other
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
def _episode(successors, probabilities, reward, initial, policy, rng, states, actions, slots, returns, visits):
    """Fill one episode: states, actions, places of the next states in their lists, returns from each step on."""
    H = states.size
    s = _draw(rng, initial)
    for h in range(H):
        k = h if probabilities.shape[0] > 1 else 0
        j = h if reward.shape[0] > 1 else 0
        a = _draw(rng, policy[h, s])
        states[h], actions[h] = s, a
        returns[h] = reward[j, s, a]
        visits[h, s, a] += 1
        if h + 1 < H:
            d = _draw(rng, probabilities[k, s, a])
            slots[h] = d
            s = d if successors.size == 0 else successors[k, s, a, d]
    for h in range(H - 2, -1, -1):
        returns[h] += returns[h + 1]


@_jit
def _report(checkpoints, c, end, J, out):
    """Fill J at the checkpoints before `end`, beginning with number c; return the number of the next one."""
    while c < checkpoints.size and checkpoints[c] < end:
        out[c] = J
        c += 1
    return c


# --- softmax policies -------------------------------------------------------------------------------------------------


@_jit
def _softmax(logits, out):
    """Distribution of logits; minus infinity has probability exactly 0."""
    top = -np.inf
    for a in range(logits.size):
        top = max(top, logits[a])
    total = 0.0
    for a in range(logits.size):
        out[a] = np.exp(logits[a] - top)  # at most 1: nothing overflows, and the total is at least 1
        total += out[a]
    for a in range(logits.size):
        out[a] /= total


@_jit
def _add_score(policy, h, s, a, weight, direction):
    """Add the gradient of weight * log pi_h(a|s) in the logits."""
    for b in range(policy.shape[2]):
        direction[h, s, b] -= weight * policy[h, s, b]
    direction[h, s, a] += weight


@_jit
def gradient_direction(states, actions, returns, policy, critic, direction):
    """Add the policy gradient as these episodes (N,H) estimate it, with the critic as baseline."""
    N, H = states.shape
    for i in range(N):
        for h in range(H):
            s, a = states[i, h], actions[i, h]
            _add_score(policy, h, s, a, (returns[i, h] - critic[h, s]) / N, direction)


@_jit
def _natural_direction(states, actions, returns, critic, number, direction):
    """Add the mean advantage of each action that was played; `number` is scratch of zeros."""
    N, H = states.shape
    for i in range(N):
        for h in range(H):
            number[h, states[i, h], actions[i, h]] += 1
    for i in range(N):
        for h in range(H):
            s, a = states[i, h], actions[i, h]
            direction[h, s, a] += (returns[i, h] - critic[h, s]) / number[h, s, a]
    for i in range(N):  # zeros again for the next batch, in the few cells that were visited
        for h in range(H):
            number[h, states[i, h], actions[i, h]] = 0


@_jit
def _proximal_direction(states, actions, returns, policy, old, clip, critic, direction):
    """Add the gradient of the clipped objective; `old` (N,H) are the probabilities at the time of playing."""
    N, H = states.shape
    for i in range(N):
        for h in range(H):
            s, a = states[i, h], actions[i, h]
            ratio = policy[h, s, a] / old[i, h]
            advantage = returns[i, h] - critic[h, s]
            # A ratio that is clipped has no gradient; a ratio of exactly 1 + clip counts as clipped.
            if (advantage > 0.0 and ratio < 1.0 + clip) or (advantage < 0.0 and ratio > 1.0 - clip):
                _add_score(policy, h, s, a, ratio * advantage / N, direction)


@_jit
def _move(states, step, logits, policy, direction):
    """Take one step where the episodes were, and clear the direction there."""
    N, H = states.shape
    A = policy.shape[2]
    for h in range(H):
        for i in range(N):
            s = states[i, h]
            changed = False  # a state that several episodes visited is moved once: its direction is 0 afterwards
            for a in range(A):
                if direction[h, s, a] != 0.0:
                    logits[h, s, a] += step * direction[h, s, a]  # minus infinity stays
                    direction[h, s, a] = 0.0
                    changed = True
            if changed:
                _softmax(logits[h, s], policy[h, s])


@_jit
def improve_softmax(
    successors, probabilities, reward, initial, kind, step, batch, epochs, clip, critic_rate,
    checkpoints, rng, logits, policy, critic, visits, out,
):  # fmt: skip
    """Finetune a softmax policy in place and fill the exact return at each checkpoint."""
    H = policy.shape[0]
    states, actions = np.empty((batch, H), np.int64), np.empty((batch, H), np.int64)
    slots, returns, old = np.empty(H, np.int64), np.empty((batch, H)), np.empty((batch, H))
    direction, number = np.zeros(policy.shape), np.zeros(policy.shape, np.int64)
    done, c = 0, 0
    while c < checkpoints.size:
        if checkpoints[c] < done + batch:  # the policy changes after whole batches: until then this J holds
            J = expected_return(successors, probabilities, reward, initial, policy)
            c = _report(checkpoints, c, done + batch, J, out)
            continue
        for i in range(batch):
            _episode(successors, probabilities, reward, initial, policy, rng,
                     states[i], actions[i], slots, returns[i], visits)  # fmt: skip
            for h in range(H):  # kept: later epochs compare the policy with the one that played
                old[i, h] = policy[h, states[i, h], actions[i, h]]
        for _ in range(epochs if kind == PROXIMAL else 1):
            if kind == GRADIENT:
                gradient_direction(states, actions, returns, policy, critic, direction)
            elif kind == NATURAL:
                _natural_direction(states, actions, returns, critic, number, direction)
            else:
                _proximal_direction(states, actions, returns, policy, old, clip, critic, direction)
            _move(states, step, logits, policy, direction)
        for i in range(batch):
            for h in range(H):
                critic[h, states[i, h]] += critic_rate * (returns[i, h] - critic[h, states[i, h]])
        done += batch


@_jit
def sampled_gradient(successors, probabilities, reward, initial, policy, critic, n_episodes, rng, visits, out):
    """Fill the policy gradient as new episodes of the policy estimate it."""
    H = policy.shape[0]
    states, actions = np.empty((n_episodes, H), np.int64), np.empty((n_episodes, H), np.int64)
    slots, returns = np.empty(H, np.int64), np.empty((n_episodes, H))
    for i in range(n_episodes):
        _episode(successors, probabilities, reward, initial, policy, rng,
                 states[i], actions[i], slots, returns[i], visits)  # fmt: skip
    gradient_direction(states, actions, returns, policy, critic, out)


# --- best of N --------------------------------------------------------------------------------------------------------


@_jit
def best_of_n(pretrained, total, number, least, n_candidates, out):
    """Law of the best of N actions drawn from the pretrained policy, by mean return.

    An action with fewer than `least` returns is not judged; it is played only where no candidate is judged. An action
    is the best of N draws with probability F(a)^N - F(a-)^N, F the distribution function in the order of the mean
    returns, with what is not judged below everything, and of equal means the first action on top.

    `total`, `number` (H,S,A): sum and number of the returns of each action.
    """
    H, S, A = pretrained.shape
    for h in range(H):
        for s in range(S):
            judged = 0.0
            for a in range(A):
                if number[h, s, a] >= least:
                    judged += pretrained[h, s, a]
            unjudged = max(0.0, 1.0 - judged)  # a row may sum to slightly more than 1
            none = unjudged**n_candidates if judged > 0.0 else 1.0
            for a in range(A):
                out[h, s, a] = 0.0
                if number[h, s, a] < least:
                    if pretrained[h, s, a] > 0.0 and unjudged > 0.0:
                        out[h, s, a] = none * pretrained[h, s, a] / unjudged
                    continue
                below = unjudged
                mean = total[h, s, a] / number[h, s, a]
                for b in range(A):
                    if number[h, s, b] >= least and b != a:
                        rival = total[h, s, b] / number[h, s, b]
                        if rival < mean or (rival == mean and b > a):
                            below += pretrained[h, s, b]
                # A sum slightly above 1, to the power N, would be a probability above 1.
                out[h, s, a] = min(1.0, below + pretrained[h, s, a]) ** n_candidates - min(1.0, below) ** n_candidates


@_jit
def improve_best_of_n(
    successors, probabilities, reward, initial, pretrained, n_candidates, least, checkpoints, rng, policy, visits, out
):
    """Roll out the pretrained policy; at each checkpoint fill the exact return of the best of N."""
    H = policy.shape[0]
    states, actions = np.empty(H, np.int64), np.empty(H, np.int64)
    slots, returns = np.empty(H, np.int64), np.empty(H)
    total = np.zeros(policy.shape)
    done = 0
    for c in range(checkpoints.size):
        while done < checkpoints[c]:
            _episode(successors, probabilities, reward, initial, pretrained, rng,
                     states, actions, slots, returns, visits)  # fmt: skip
            for h in range(H):
                total[h, states[h], actions[h]] += returns[h]
            done += 1
        best_of_n(pretrained, total, visits, least, n_candidates, policy)
        out[c] = expected_return(successors, probabilities, reward, initial, policy)


# --- optimism ---------------------------------------------------------------------------------------------------------


@_jit
def _plan(successors, reward, pretrained, bonus, tally, visits, value, policy):
    """Fill the greedy policy of the recorded process with a bonus, over the actions of the pretrained policy.

    `tally` (H,S,A,D): how often each successor followed; the probabilities of the process are not known here.
    """
    H, S, A = pretrained.shape
    D = tally.shape[3]
    value[H] = 0.0
    for h in range(H - 1, -1, -1):
        k = h if successors.shape[0] > 1 else 0
        j = h if reward.shape[0] > 1 else 0
        for s in range(S):
            best, chosen = -np.inf, 0
            for a in range(A):
                policy[h, s, a] = 0.0
                if pretrained[h, s, a] == 0.0:  # exactly: an action that is merely rare may be played
                    continue
                n = visits[h, s, a]
                optimistic = 1.0 * (H - h)  # rewards are at most 1
                if n > 0:
                    mean = reward[j, s, a] + bonus * (H - h) / np.sqrt(n)
                    for d in range(D):
                        if tally[h, s, a, d] > 0:  # after the last step nothing is recorded, and nothing is added
                            t = d if successors.size == 0 else successors[k, s, a, d]
                            mean += tally[h, s, a, d] / n * value[h + 1, t]
                    optimistic = min(optimistic, mean)
                if optimistic > best:  # strictly: of equal actions the first is chosen
                    best, chosen = optimistic, a
            value[h, s] = best
            policy[h, s, chosen] = 1.0


@_jit
def improve_optimistic(
    successors, probabilities, reward, initial, pretrained, bonus, batch, checkpoints, rng, policy, visits, out
):
    """Plan with what was recorded, play, plan again; fill the exact return at each checkpoint."""
    H, S, A = policy.shape
    states, actions = np.empty(H, np.int64), np.empty(H, np.int64)
    slots, returns = np.empty(H, np.int64), np.empty(H)
    tally, value = np.zeros((H, S, A, probabilities.shape[3]), np.int64), np.empty((H + 1, S))
    done, c = 0, 0
    _plan(successors, reward, pretrained, bonus, tally, visits, value, policy)
    while c < checkpoints.size:
        if checkpoints[c] < done + batch:
            J = expected_return(successors, probabilities, reward, initial, policy)
            c = _report(checkpoints, c, done + batch, J, out)
            continue
        for _ in range(batch):
            _episode(successors, probabilities, reward, initial, policy, rng,
                     states, actions, slots, returns, visits)  # fmt: skip
            for h in range(H - 1):
                tally[h, states[h], actions[h], slots[h]] += 1
        _plan(successors, reward, pretrained, bonus, tally, visits, value, policy)
        done += batch
