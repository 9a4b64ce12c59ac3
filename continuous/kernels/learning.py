"""Compiled networks and all that trains them: regression, soft actor-critic, implicit Q-learning, PPO.

A network of L layers maps rows x to f(x) = W_L^T relu(... relu(W_1^T x + b_1) ...) + b_L and is one flat vector of P
parameters: for each layer its weights (n_in, n_out) in C order, then its n_out biases. The losses are

    regression          mean over rows of sum_j weight (f_j - y_j)^2, or minus the log-density of a Gaussian
    soft actor-critic   critics: (Q(s,a) - r - keep (min Q'(s',a') - t log pi(a'|s')))^2
                        actor: t log pi(a|s) - min Q(s,a)
                        Retrace: what later decisions add to a critic's target
    implicit Q          V: |e - 1(Q' < V)| (Q' - V)^2 with Q' the smaller target
                        critics: (Q(s,a) - r - keep V(s'))^2
    PPO                 - min(ratio x, clip(ratio, 1 - clip, 1 + clip) x), x the advantage

with temperature t, expectile e, and keep the discount, or 0 where an episode ended.

N rows of a batch, M rows of a table, O observations, D actions or targets, P parameters.

    parameters      (P,)          and Adam's `first` and `second` moments of them
    sizes           (L+1,) int64  widths from the input to the output
    inputs          (N, sizes[0])
    hidden          activations of the hidden layers, flat: one layer (N, width) after the other
    upstream        (N, sizes[-1]) gradient of the loss at the outputs
    batches         (n_steps, N) int64, rows of the table in each step
    noise           standard normal numbers, drawn by the caller

Matrix products are BLAS (scipy's), and everything between two of them is one pass over its rows. Kernels take C-ordered
arrays of one floating type, fill `out` arguments, and raise nothing. NaN and infinity keep their meaning: a ReLU passes
NaN on. Sums run in the order as written, or as in BLAS.

Not checked here: shapes, that all arrays have one floating type, that `batches` are rows of the table.

The file is long because finetuners call the passes through networks, and compiled code calls none of another file.
"""

import numpy as np
from llvmlite import binding
from numba import njit, types
from numba.extending import get_cython_function_address, overload

_jit = njit(cache=True, nogil=True, error_model="numpy")  # a division by 0 gives infinity and no error: loops vectorise

SQUARED, GAUSSIAN = 0, 1
"""Losses: squared error; minus the log-density of a Gaussian whose mean and log-deviation the network puts out."""

_SMALL = 10**6
_ROWS, _COLUMNS, _INNER, _WIDEST = 128, 64, 64, 256
_BLOCKED = bool(binding.get_host_cpu_features().get("avx512f", False))
"""Where OpenBLAS has kernels for small products (those with AVX-512), it multiplies matrices of up to a million
multiplications without copying them first. A product beyond that is cut into blocks that are small and stay in the
nearest cache: at widths of 64 to 256 that takes 0.7 to 0.9 of the time. Rows of 256 numbers fall on few of that cache's
places, so there half as many are taken."""

binding.add_symbol("companion_sgemm", get_cython_function_address("scipy.linalg.cython_blas", "sgemm"))
_sgemm = types.ExternalFunction("companion_sgemm", types.void(*[types.uintp] * 13))


# --- memory and products ----------------------------------------------------------------------------------------------


@_jit
def _scratch(size, like):
    """Uninitialised numbers of a type, from a cache line on: blocks of products that straddle lines are slow."""
    room = np.empty(size + 64 // like.itemsize, like.dtype)
    start = (-room.ctypes.data % 64) // like.itemsize
    return room[start : start + size]


def _product(a, b, out, turned):
    """Fill out with a b or, if turned, with a^T b."""
    np.dot(a.T if turned else a, b, out)


@overload(_product, jit_options={"error_model": "numpy"})
def _compiled_product(a, b, out, turned):  # pragma: no cover  # as plain Python, the function above runs
    def whole(a, b, out, turned):
        if turned:
            np.dot(a.T, b, out)
        else:
            np.dot(a, b, out)

    def by_blocks(a, b, out, turned):
        (m, n), k = out.shape, b.shape[0]
        widest = max(a.shape[1], n)
        if m * n * k <= _SMALL or widest > _WIDEST:
            if turned:
                np.dot(a.T, b, out)
            else:
                np.dot(a, b, out)
            return
        # BLAS counts by columns, so it is given out^T = b^T a^T; everything is passed by its address.
        letters = np.array([78, 84], np.uint8)  # N, T
        factors = np.array([0, 1], np.float32)  # the first block of a sum overwrites `out`, which may hold NaN
        sizes = np.array([0, 0, 0, n, a.shape[1], n], np.int32)
        inner = _INNER if widest <= _WIDEST // 2 else _INNER // 2
        for j in range(0, n, _COLUMNS):
            sizes[0] = min(_COLUMNS, n - j)
            for i in range(0, m, _ROWS):
                sizes[1] = min(_ROWS, m - i)
                for h in range(0, k, inner):
                    sizes[2] = min(inner, k - h)
                    corner = (h * m + i) if turned else (i * k + h)
                    # Addresses are taken in the loop: an array is let go after the last use of its name.
                    letter, factor, size = letters.ctypes.data, factors.ctypes.data, sizes.ctypes.data
                    _sgemm(
                        letter, letter + (1 if turned else 0), size, size + 4, size + 8, factor + 4,
                        b.ctypes.data + 4 * (h * n + j), size + 12, a.ctypes.data + 4 * corner, size + 16,
                        factor + (4 if h > 0 else 0), out.ctypes.data + 4 * (i * n + j), size + 20,
                    )  # fmt: skip

    return by_blocks if _BLOCKED and out.dtype == types.float32 else whole


# --- networks ---------------------------------------------------------------------------------------------------------


@_jit
def _forward(parameters, sizes, inputs, hidden, outputs):
    """Fill the activations of the hidden layers (flat, one layer of (N, width) after the other) and the outputs."""
    N, L = inputs.shape[0], sizes.size - 1
    zero = parameters.dtype.type(0)
    below, offset, start = inputs, 0, 0  # offset into the parameters, start of a layer in `hidden`
    for k in range(L):
        m, n = sizes[k], sizes[k + 1]
        weights = parameters[offset : offset + m * n].reshape((m, n))
        biases = parameters[offset + m * n : offset + m * n + n]
        offset += m * n + n
        if k + 1 < L:
            above = hidden[start : start + N * n].reshape((N, n))
            start += N * n
            _product(below, weights, above, False)
            for i in range(N):
                row = above[i]
                for j in range(n):
                    value = row[j] + biases[j]
                    row[j] = zero if value < zero else value  # not max(0, value): NaN must come through
            below = above
        else:
            np.dot(below, weights, outputs)
            for i in range(N):
                for j in range(n):
                    outputs[i, j] += biases[j]


@_jit
def _backward(parameters, sizes, inputs, hidden, upstream, buffer, gradient, to_inputs):
    """From the loss's gradient at the outputs, fill those at the parameters and inputs where they are not empty.

    `buffer` (2, N * widest layer) is scratch.
    """
    N, L = inputs.shape[0], sizes.size - 1
    zero = parameters.dtype.type(0)
    offset, start = parameters.size, hidden.size  # the layers are walked from the last one down
    delta = upstream
    filled = gradient.size > 0
    sums = gradient if filled else np.empty_like(parameters)  # only the biases' entries are used
    total = sums[offset - sizes[L] : offset]
    total[:] = zero
    for i in range(N):
        for j in range(total.size):
            total[j] += upstream[i, j]
    for k in range(L - 1, -1, -1):
        m, n = sizes[k], sizes[k + 1]
        offset -= m * n + n
        weights = parameters[offset : offset + m * n].reshape((m, n))
        if k > 0:
            start -= N * m
            below = hidden[start : start + N * m].reshape((N, m))
        else:
            below = inputs
        if filled:
            _product(below, delta, gradient[offset : offset + m * n].reshape((m, n)), True)
        if k > 0:
            # Two buffers in turn: this layer's delta is still read while the one below is written.
            lower = buffer[k % 2, : N * m].reshape((N, m))
            np.dot(delta, weights.T, lower)
            total = sums[offset - m : offset]  # the biases of the layer below
            total[:] = zero
            for i in range(N):
                d, a = lower[i], below[i]
                for j in range(m):
                    slope = d[j] if a[j] > zero else zero  # the ReLU's slope at 0 is 0
                    d[j] = slope
                    total[j] += slope
            delta = lower
        elif to_inputs.size > 0:
            np.dot(delta, weights.T, to_inputs)


@_jit
def forward(parameters, sizes, inputs, outputs):
    """Fill outputs (N, n_out)."""
    hidden = _scratch(inputs.shape[0] * np.sum(sizes[1:-1]), parameters)
    _forward(parameters, sizes, inputs, hidden, outputs)


@_jit
def gradient(parameters, sizes, inputs, upstream, to_parameters, to_inputs):
    """Fill the gradients of sum(upstream * outputs) at the parameters (P,) and at the inputs (N, n_in)."""
    N = inputs.shape[0]
    hidden = _scratch(N * np.sum(sizes[1:-1]), parameters)
    outputs = np.empty(upstream.shape, parameters.dtype)
    buffer = _scratch(2 * N * np.max(sizes), parameters).reshape((2, N * np.max(sizes)))
    _forward(parameters, sizes, inputs, hidden, outputs)
    _backward(parameters, sizes, inputs, hidden, upstream, buffer, to_parameters, to_inputs)


@_jit
def _loss(kind, floor, outputs, targets, weights, upstream):
    """Mean over rows of the weighted loss, summed over targets; fill its gradient at the outputs."""
    N, D = targets.shape
    # Constants in the arrays' type: a double among singles would turn the whole loop into doubles.
    share = upstream.dtype.type(1.0 / N)
    half, one, two = upstream.dtype.type(0.5), upstream.dtype.type(1), upstream.dtype.type(2)
    total = 0.0
    for i in range(N):
        for j in range(D):
            weight = share * weights[i, j] if weights.size > 0 else share
            error = outputs[i, j] - targets[i, j]
            if kind == SQUARED:
                total += weight * error * error
                upstream[i, j] = two * weight * error
            else:
                wide = np.exp(two * outputs[i, D + j])
                variance = wide + floor * floor  # never 0 with a floor, also where exp underflows
                square = error * error / variance
                total += half * weight * (square + np.log(variance))
                upstream[i, j] = weight * error / variance
                upstream[i, D + j] = weight * (wide / variance) * (one - square)
    return total


@_jit
def loss_gradient(
    parameters, sizes, kind, floor, x, y, weights, hidden, outputs, upstream, buffer, to_parameters
):  # fmt: skip
    """Return the loss of one batch and fill its gradient at the parameters; between `weights` and that is scratch."""
    _forward(parameters, sizes, x, hidden, outputs)
    total = _loss(kind, floor, outputs, y, weights, upstream)
    _backward(parameters, sizes, x, hidden, upstream, buffer, to_parameters, x[:0])
    return total


@_jit
def _gather(table, rows, out):
    """Copy some rows of a table, in their order; a row may be named several times."""
    for i in range(rows.size):
        source, target = table[rows[i]], out[i]
        for j in range(target.size):
            target[j] = source[j]


@_jit
def adam(parameters, first, second, average, gradient, step, rate, options):
    """One step of Adam, its number from 0; `average` follows unless it is empty.

    `options`: decays of the first and the second moment, the addend of the denominator, the decay of the average, and
    the largest Euclidean norm of a gradient. `rate` and `options` have the parameters' type.
    """
    b1, b2, addend, decay, longest = options[0], options[1], options[2], options[3], options[4]
    one = parameters.dtype.type(1)
    shrink = one
    if longest < np.inf:
        norm = np.sqrt(np.dot(gradient, gradient))
        if norm > longest:  # false for NaN, which goes on to the parameters and shows
            shrink = longest / norm
    # In double precision: 1 - 0.999^k in single precision would keep four of seven digits in the first steps.
    length = parameters.dtype.type(rate / (1.0 - float(b1) ** (step + 1)))
    unbias = parameters.dtype.type(1.0 / np.sqrt(1.0 - float(b2) ** (step + 1)))
    for i in range(parameters.size):
        g = gradient[i] * shrink
        m = b1 * first[i] + (one - b1) * g
        v = b2 * second[i] + (one - b2) * g * g
        first[i] = m
        second[i] = v
        parameters[i] -= length * m / (np.sqrt(v) * unbias + addend)
    if average.size > 0:
        for i in range(parameters.size):
            average[i] += (one - decay) * (parameters[i] - average[i])


@_jit
def train(
    parameters, first, second, average, sizes, kind, floor,
    inputs, targets, weights, batches, anchor, pull, done, rates, options, losses,
):  # fmt: skip
    """Adam over the rows that `batches` (n_steps, batch) names; losses (n_steps,) are those before each step.

    `weights` (rows, targets) may be empty, and so may `anchor` and `pull` (P,): the gradient of
    sum(pull * (parameters - anchor)^2) / 2 is added. `done` steps were made before; `rates` (n_steps,).
    """
    n_steps, N = batches.shape
    n_out = sizes[-1]
    dtype = parameters.dtype
    x = np.empty((N, sizes[0]), dtype)
    y = np.empty((N, targets.shape[1]), dtype)
    w = np.empty((N if weights.size > 0 else 0, targets.shape[1]), dtype)
    hidden = _scratch(N * np.sum(sizes[1:-1]), parameters)
    buffer = _scratch(2 * N * np.max(sizes), parameters).reshape((2, N * np.max(sizes)))
    outputs = np.empty((N, n_out), dtype)
    upstream = np.empty((N, n_out), dtype)
    gradient = _scratch(parameters.size, parameters)
    for step in range(n_steps):
        rows = batches[step]
        _gather(inputs, rows, x)
        _gather(targets, rows, y)
        if weights.size > 0:
            _gather(weights, rows, w)
        losses[step] = loss_gradient(
            parameters, sizes, kind, floor, x, y, w, hidden, outputs, upstream, buffer, gradient
        )
        if pull.size > 0:
            for i in range(gradient.size):
                gradient[i] += pull[i] * (parameters[i] - anchor[i])
        adam(parameters, first, second, average, gradient, done + step, rates[step], options)


# --- reinforcement learning -------------------------------------------------------------------------------------------
#
# Two critics are the rows of one table of parameters (2, P), with targets that follow them as Adam's average does.

LOWEST, HIGHEST = -5.0, 2.0
"""Bounds of a squashed Gaussian's log-deviation; outside them its gradient is 0."""

INSIDE = 1.0 - 2.0**-24
"""The largest number below 1 in single precision."""


@_jit
def _join(left, right, out):
    """Put rows side by side."""
    n = left.shape[1]
    for i in range(out.shape[0]):
        for j in range(n):
            out[i, j] = left[i, j]
        for j in range(right.shape[1]):
            out[i, n + j] = right[i, j]


@_jit
def squash(heads, noise, actions, log_densities):
    """Fill actions (N, D) = tanh(mean + deviation * noise) and their log-densities (N,); heads (N, 2D)."""
    N, D = actions.shape
    kind = heads.dtype.type
    for i in range(N):
        total = 0.0
        for j in range(D):
            log_deviation = min(max(heads[i, D + j], kind(LOWEST)), kind(HIGHEST))
            a = heads[i, j] + np.exp(log_deviation) * noise[i, j]
            actions[i, j] = np.tanh(a)
            size = abs(a)
            # By tanh itself, log(1 - tanh(a)^2) would be log(0) from |a| = 9 on in single precision.
            bend = 2.0 * (np.log(2.0) - size - np.log1p(np.exp(-2.0 * size)))
            total -= 0.5 * (noise[i, j] * noise[i, j] + np.log(2.0 * np.pi)) + log_deviation + bend
        log_densities[i] = total


@_jit
def recalled_log_densities(heads, actions, log_densities):
    """Fill the log-densities (N,) of given actions (N, D) in [-1, 1] under heads (N, 2D).

    An action of size 1 counts as the largest number below it: draws beyond 8.7 round to 1 in single precision.
    """
    N, D = actions.shape
    for i in range(N):
        total = 0.0
        for j in range(D):
            u = min(max(float(actions[i, j]), -INSIDE), INSIDE)
            up, down = np.log1p(u), np.log1p(-u)
            log_deviation = min(max(float(heads[i, D + j]), LOWEST), HIGHEST)
            z = (0.5 * (up - down) - heads[i, j]) * np.exp(-log_deviation)
            total -= 0.5 * (z * z + np.log(2.0 * np.pi)) + log_deviation + up + down
        log_densities[i] = total


@_jit
def squash_gradient(heads, noise, actions, temperature, to_actions, upstream):
    """Fill the gradient at the heads of mean(temperature * log-density) + sum(to_actions * actions)."""
    N, D = actions.shape
    kind = heads.dtype.type
    share = temperature / N
    for i in range(N):
        for j in range(D):
            u = actions[i, j]
            log_deviation = min(max(heads[i, D + j], kind(LOWEST)), kind(HIGHEST))
            pull = share * 2.0 * u + to_actions[i, j] * (1.0 - u * u)
            upstream[i, j] = pull
            inside = heads[i, D + j] > LOWEST and heads[i, D + j] < HIGHEST
            upstream[i, D + j] = pull * np.exp(log_deviation) * noise[i, j] - share if inside else 0.0


@_jit
def _smaller(critics, sizes, inputs, hidden, outputs, least):
    """Fill the smaller of two critics' values at each row, (N,); `hidden` (2, ...) and `outputs` (2, N, 1) are kept."""
    for k in range(2):
        _forward(critics[k], sizes, inputs, hidden[k], outputs[k])
    for i in range(least.size):
        least[i] = min(outputs[0, i, 0], outputs[1, i, 0])


@_jit
def sac_actor_gradient(
    actor, actor_sizes, critics, sizes, states, noise, temperature, to_actor
):  # fmt: skip
    """Return mean(temperature * log-density - smaller critic) and the mean log-density; fill the gradient (P,)."""
    N, D = noise.shape
    width = states.shape[1]
    dtype = actor.dtype
    heads = np.empty((N, 2 * D), dtype)
    actor_hidden = np.empty(N * np.sum(actor_sizes[1:-1]), dtype)
    actions, log_densities = np.empty((N, D), dtype), np.empty(N, dtype)
    _forward(actor, actor_sizes, states, actor_hidden, heads)
    squash(heads, noise, actions, log_densities)
    inputs = np.empty((N, width + D), dtype)
    _join(states, actions, inputs)
    hidden = np.empty((2, N * np.sum(sizes[1:-1])), dtype)
    outputs, least = np.empty((2, N, 1), dtype), np.empty(N, dtype)
    _smaller(critics, sizes, inputs, hidden, outputs, least)
    buffer = np.empty((2, N * max(np.max(sizes), np.max(actor_sizes))), dtype)
    nothing = np.empty(0, dtype)
    pull, to_inputs = np.zeros((2, N, 1), dtype), np.empty((N, width + D), dtype)
    to_actions = np.zeros((N, D), dtype)
    loss = 0.0
    entropy = 0.0
    for i in range(N):
        # The gradient goes through the smaller critic alone, and through the first of two that are equal.
        pull[0 if outputs[0, i, 0] <= outputs[1, i, 0] else 1, i, 0] = -1.0 / N
        loss += (temperature * log_densities[i] - least[i]) / N
        entropy -= log_densities[i] / N
    for k in range(2):
        _backward(critics[k], sizes, inputs, hidden[k], pull[k], buffer, nothing, to_inputs)
        for i in range(N):
            for j in range(D):
                to_actions[i, j] += to_inputs[i, width + j]
    upstream = np.empty((N, 2 * D), dtype)
    squash_gradient(heads, noise, actions, temperature, to_actions, upstream)
    _backward(actor, actor_sizes, states, actor_hidden, upstream, buffer, to_actor, to_inputs[:0])
    return loss, -entropy


@_jit
def sac_targets(
    actor, actor_sizes, critics, sizes, rewards, keeps, states, noise, temperature, targets
):  # fmt: skip
    """Fill r + keep * (smaller critic - temperature * log-density) at fresh actions in the next states, (N, 1)."""
    N, D = noise.shape
    dtype = actor.dtype
    heads, actions, log_densities = np.empty((N, 2 * D), dtype), np.empty((N, D), dtype), np.empty(N, dtype)
    _forward(actor, actor_sizes, states, np.empty(N * np.sum(actor_sizes[1:-1]), dtype), heads)
    squash(heads, noise, actions, log_densities)
    inputs = np.empty((N, states.shape[1] + D), dtype)
    _join(states, actions, inputs)
    hidden = np.empty((2, N * np.sum(sizes[1:-1])), dtype)
    outputs, least = np.empty((2, N, 1), dtype), np.empty(N, dtype)
    _smaller(critics, sizes, inputs, hidden, outputs, least)
    for i in range(N):
        targets[i, 0] = rewards[i, 0] + keeps[i, 0] * (least[i] - temperature * log_densities[i])


@_jit
def add_retrace(
    actor, actor_sizes, critics, sizes, states, actions, rewards, keeps, nexts, following, behaviour, rows, noise,
    temperature, targets,
):  # fmt: skip
    """Add to the one-decision targets (N, 1) of `rows` (N,) what the next decisions of their episodes show.

    The sum over k >= 1 of keep_0 c_1 ... keep_{k-1} c_k (r_k + keep_k V(s_{k+1}) - Q(s_k, a_k)), where Q is the smaller
    critic, V(s) = Q(s, a') - temperature * log pi(a'|s) at a fresh action, and c = min(1, pi(a|s) / behaviour). `noise`
    (n, N, D) draws the fresh actions of k = 1, ..., n. Of the table, beside that of `train_sac`: `following` (M,), the
    row of the same episode's next decision, or -1; `behaviour` (M,), log-density of the action when it was drawn.
    """
    n, N, D = noise.shape
    width, dtype = states.shape[1], actor.dtype
    at, weight = rows.copy(), np.ones(N)
    x, y, u = np.empty((N, width), dtype), np.empty((N, width), dtype), np.empty((N, D), dtype)
    r, keep, later = np.empty((N, 1), dtype), np.empty((N, 1), dtype), np.empty((N, 1), dtype)
    inputs, least = np.empty((N, width + D), dtype), np.empty(N, dtype)
    heads, log_densities = np.empty((N, 2 * D), dtype), np.empty(N)
    hidden, outputs = np.empty((2, N * np.sum(sizes[1:-1])), dtype), np.empty((2, N, 1), dtype)
    actor_hidden = np.empty(N * np.sum(actor_sizes[1:-1]), dtype)
    for k in range(n):
        for i in range(N):
            weight[i] *= keeps[at[i], 0] if following[at[i]] >= 0 else 0.0
            at[i] = following[at[i]] if weight[i] > 0.0 else at[i]
        _gather(states, at, x)
        _gather(nexts, at, y)
        _gather(actions, at, u)
        _gather(rewards, at, r)
        _gather(keeps, at, keep)
        _forward(actor, actor_sizes, x, actor_hidden, heads)
        recalled_log_densities(heads, u, log_densities)
        _join(x, u, inputs)
        _smaller(critics, sizes, inputs, hidden, outputs, least)
        sac_targets(actor, actor_sizes, critics, sizes, r, keep, y, noise[k], temperature, later)
        for i in range(N):
            # An action that the actor never draws (behaviour infinite: it was cut to the bound) ends the sum.
            weight[i] *= np.exp(min(log_densities[i] - behaviour[at[i]], 0.0))
            if weight[i] > 0.0:
                targets[i, 0] += weight[i] * (later[i, 0] - least[i])


@_jit
def _fit_critics(
    critics, first, second, followers, sizes, inputs, targets, none, step, rate, options, gradient
):  # fmt: skip
    """One step of Adam for each of two critics on the squared error; return the mean of their losses."""
    N, dtype = inputs.shape[0], critics.dtype
    hidden = np.empty(N * np.sum(sizes[1:-1]), dtype)
    outputs, upstream = np.empty((N, 1), dtype), np.empty((N, 1), dtype)
    buffer = np.empty((2, N * np.max(sizes)), dtype)
    total = 0.0
    for k in range(2):
        total += 0.5 * loss_gradient(
            critics[k], sizes, SQUARED, dtype.type(0), inputs, targets, none, hidden, outputs, upstream, buffer,
            gradient,
        )  # fmt: skip
        adam(critics[k], first[k], second[k], followers[k], gradient, step, rate, options)
    return total


@_jit
def train_sac(
    actor, actor_moments, average, actor_sizes, critics, first, second, followers, sizes, temperature, states, actions,
    rewards, keeps, nexts, following, behaviour, batches, noise, target_entropy, done, rate, options, averaging, losses,
):  # fmt: skip
    """Soft actor-critic: for each batch a step of the critics, of the actor and of the temperature.

    `actor_moments` (2, P); `average` (P,), or empty, follows the actor with the decay `averaging`; `temperature` (3,)
    is its logarithm and that one's moments. Of the table: `states` and `nexts` (M, O), `actions` (M, D) in [-1, 1],
    `rewards` and `keeps` (M, 1), the discount, or 0 where an episode ended; `following` and `behaviour` (M,), see
    `add_retrace`, are used for n > 1 alone. `batches` (n_steps, N), `noise` (n_steps, n + 1, N, D): standard normal,
    for targets from n decisions and for the actor. `losses` (n_steps, 3): the critics', the actor's, and the mean
    log-density.
    """
    n_steps, N = batches.shape
    width, D = states.shape[1], actions.shape[1]
    dtype = actor.dtype
    x, y, u = np.empty((N, width), dtype), np.empty((N, width), dtype), np.empty((N, D), dtype)
    r, keep, target = np.empty((N, 1), dtype), np.empty((N, 1), dtype), np.empty((N, 1), dtype)
    inputs = np.empty((N, width + D), dtype)
    to_critic, to_actor = np.empty(critics.shape[1], dtype), np.empty(actor.size, dtype)
    nothing, none, slope = np.empty(0, dtype), np.empty((0, 1), dtype), np.empty(1, dtype)
    last = noise.shape[1] - 1
    actor_options = options.copy()
    actor_options[3] = averaging
    for step in range(n_steps):
        rows = batches[step]
        _gather(states, rows, x)
        _gather(nexts, rows, y)
        _gather(actions, rows, u)
        _gather(rewards, rows, r)
        _gather(keeps, rows, keep)
        heat = np.exp(temperature[0])
        sac_targets(actor, actor_sizes, followers, sizes, r, keep, y, noise[step, 0], heat, target)
        if last > 1:
            add_retrace(
                actor, actor_sizes, followers, sizes, states, actions, rewards, keeps, nexts, following, behaviour,
                rows, noise[step, 1:last], heat, target,
            )  # fmt: skip
        _join(x, u, inputs)
        losses[step, 0] = _fit_critics(
            critics, first, second, followers, sizes, inputs, target, none, done + step, rate, options, to_critic
        )
        losses[step, 1], losses[step, 2] = sac_actor_gradient(
            actor, actor_sizes, critics, sizes, x, noise[step, last], heat, to_actor
        )
        adam(actor, actor_moments[0], actor_moments[1], average, to_actor, done + step, rate, actor_options)
        slope[0] = sac_temperature_slope(losses[step, 2], target_entropy)
        adam(temperature[:1], temperature[1:2], temperature[2:], nothing, slope, done + step, rate, options)


@_jit
def sac_temperature_slope(log_density, target_entropy):
    """Derivative in the temperature's logarithm L of -L * (mean log-density + target entropy)."""
    return -(log_density + target_entropy)


@_jit
def expectile_gradient(value, sizes, states, goals, expectile, to_value):
    """Return mean |expectile - 1(goal < V)| (goal - V)^2 over states (N, width); fill its gradient (P,)."""
    N, dtype = states.shape[0], value.dtype
    hidden = np.empty(N * np.sum(sizes[1:-1]), dtype)
    outputs, upstream = np.empty((N, 1), dtype), np.empty((N, 1), dtype)
    buffer = np.empty((2, N * np.max(sizes)), dtype)
    _forward(value, sizes, states, hidden, outputs)
    loss = 0.0
    for i in range(N):
        gap = goals[i] - outputs[i, 0]
        weight = (expectile if gap >= 0 else 1.0 - expectile) / N
        loss += weight * gap * gap
        upstream[i, 0] = -2.0 * weight * gap
    _backward(value, sizes, states, hidden, upstream, buffer, to_value, states[:0])
    return loss


@_jit
def train_iql(
    value, value_moments, value_sizes, critics, first, second, followers, sizes, states, actions, rewards, keeps,
    nexts, batches, expectile, done, rates, options, losses,
):  # fmt: skip
    """Implicit Q-learning: for each batch a step of V towards the targets' smaller Q, then one of both Q towards r + V.

    The table is that of `train_sac`; `rates` (n_steps,); `losses` (n_steps, 2): V's and the mean of both Q's.
    """
    n_steps, N = batches.shape
    width, D = states.shape[1], actions.shape[1]
    dtype = value.dtype
    x, y, u = np.empty((N, width), dtype), np.empty((N, width), dtype), np.empty((N, D), dtype)
    r, keep, target = np.empty((N, 1), dtype), np.empty((N, 1), dtype), np.empty((N, 1), dtype)
    inputs, least = np.empty((N, width + D), dtype), np.empty(N, dtype)
    hidden, outputs = np.empty((2, N * np.sum(sizes[1:-1])), dtype), np.empty((2, N, 1), dtype)
    value_hidden = np.empty(N * np.sum(value_sizes[1:-1]), dtype)
    to_critic, to_value = np.empty(critics.shape[1], dtype), np.empty(value.size, dtype)
    nothing, none = np.empty(0, dtype), np.empty((0, 1), dtype)
    for step in range(n_steps):
        rows = batches[step]
        _gather(states, rows, x)
        _gather(nexts, rows, y)
        _gather(actions, rows, u)
        _gather(rewards, rows, r)
        _gather(keeps, rows, keep)
        _join(x, u, inputs)
        _smaller(followers, sizes, inputs, hidden, outputs, least)
        losses[step, 0] = expectile_gradient(value, value_sizes, x, least, expectile, to_value)
        adam(value, value_moments[0], value_moments[1], nothing, to_value, done + step, rates[step], options)
        _forward(value, value_sizes, y, value_hidden, target)  # after V's step: the critics follow the new V
        for i in range(N):
            target[i, 0] = r[i, 0] + keep[i, 0] * target[i, 0]
        losses[step, 1] = _fit_critics(
            critics, first, second, followers, sizes, inputs, target, none, done + step, rates[step], options, to_critic
        )


@_jit
def step_log_densities(parameters, sizes, inputs, offsets, nexts, slopes, deviations, out):
    """Log-density of each next (N, D): normal, with mean offset + slope * network and deviation (N,) per row."""
    N, D = nexts.shape
    outputs = np.empty((N, D), parameters.dtype)
    forward(parameters, sizes, inputs, outputs)
    _normal(outputs, offsets, nexts, slopes, deviations, out)


@_jit
def _normal(outputs, offsets, nexts, slopes, deviations, out):
    """Log-densities (N,) of `step_log_densities`, for outputs (N, D) that are known."""
    N, D = nexts.shape
    for i in range(N):
        total = 0.0
        for j in range(D):
            z = (nexts[i, j] - offsets[i, j] - slopes[i] * outputs[i, j]) / deviations[i]
            total -= 0.5 * (z * z + np.log(2.0 * np.pi)) + np.log(deviations[i])
        out[i] = total


@_jit
def ppo_gradient(
    parameters, sizes, inputs, offsets, nexts, slopes, deviations, old, advantages, clip, to_parameters
):  # fmt: skip
    """Return minus the clipped objective, the mean ratio and the clipped share; fill the loss's gradient (P,).

    `old` (N,) are the log-densities when the steps were drawn. A ratio that is clipped has no gradient.
    """
    N, D = nexts.shape
    dtype = parameters.dtype
    hidden = np.empty(N * np.sum(sizes[1:-1]), dtype)
    outputs, upstream, density = np.empty((N, D), dtype), np.empty((N, D), dtype), np.empty(N, dtype)
    buffer = np.empty((2, N * np.max(sizes)), dtype)
    _forward(parameters, sizes, inputs, hidden, outputs)
    _normal(outputs, offsets, nexts, slopes, deviations, density)
    loss = 0.0
    mean_ratio = 0.0
    clipped = 0.0
    for i in range(N):
        ratio = np.exp(density[i] - old[i])
        held = min(max(ratio, 1.0 - clip), 1.0 + clip)
        gain = ratio * advantages[i]
        free = gain <= held * advantages[i]  # a tie counts as free: inside the clip both are the same number
        loss -= (gain if free else held * advantages[i]) / N
        mean_ratio += ratio / N
        clipped += 0.0 if free else 1.0 / N
        for j in range(D):
            gap = nexts[i, j] - offsets[i, j] - slopes[i] * outputs[i, j]
            pull = gap * slopes[i] / (deviations[i] * deviations[i])
            upstream[i, j] = -gain * pull / N if free else 0.0  # the gradient of a ratio is ratio times that of its log
    _backward(parameters, sizes, inputs, hidden, upstream, buffer, to_parameters, inputs[:0])
    return loss, mean_ratio, clipped


@_jit
def train_ppo(
    parameters, first, second, sizes, inputs, offsets, nexts, scalars, batches, clip, done, rate, options, losses
):  # fmt: skip
    """Adam on the clipped objective of each batch; `scalars` (M, 4): slope, deviation, old log-density, advantage.

    `losses` (n_steps, 3) are what `ppo_gradient` returns, before each step.
    """
    n_steps, N = batches.shape
    D, dtype = nexts.shape[1], parameters.dtype
    x, offset, after = np.empty((N, inputs.shape[1]), dtype), np.empty((N, D), dtype), np.empty((N, D), dtype)
    columns, scalar = np.empty((4, N), dtype), np.empty((N, 4), dtype)
    to_parameters, nothing = np.empty(parameters.size, dtype), np.empty(0, dtype)
    for step in range(n_steps):
        rows = batches[step]
        _gather(inputs, rows, x)
        _gather(offsets, rows, offset)
        _gather(nexts, rows, after)
        _gather(scalars, rows, scalar)
        columns[:] = scalar.T
        losses[step, 0], losses[step, 1], losses[step, 2] = ppo_gradient(
            parameters, sizes, x, offset, after, columns[0], columns[1], columns[2], columns[3], clip, to_parameters
        )
        adam(parameters, first, second, nothing, to_parameters, done + step, rate, options)
