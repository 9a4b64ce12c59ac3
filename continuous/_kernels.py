"""Every compiled loop of the continuous half, in one file: numba's disk cache does not notice a callee in another file.

A network of L layers is one flat vector: for each layer its weights (n_in, n_out) in C order, then its n_out biases.
`sizes` (L+1,) holds the widths from the input to the output; hidden layers are followed by a ReLU. Matrix products
are BLAS (scipy's), and everything between two of them is one pass over its rows. Kernels take C-ordered arrays of one
floating type that were checked by the caller, fill `out` arguments, and raise nothing. NaN and infinity keep their
meaning: a ReLU passes NaN on. Sums run in the order as written, or as in BLAS.
"""

import numpy as np
from llvmlite import binding
from numba import njit, types
from numba.extending import get_cython_function_address, overload

_jit = njit(cache=True, nogil=True, error_model="numpy")  # a division by 0 is infinite, and loops vectorise

SQUARED, GAUSSIAN = 0, 1
"""Losses: squared error; minus the log-density of a Gaussian whose mean and log-deviation the network puts out."""

_SMALL = 10**6
_ROWS, _COLUMNS, _INNER, _WIDEST = 128, 64, 64, 256
_BLOCKED = bool(binding.get_host_cpu_features().get("avx512f", False))
"""Where OpenBLAS has kernels for small products (those with AVX-512), it multiplies matrices of up to a million
multiplications without copying them first. A product beyond that is cut into blocks that are small and stay in the
nearest cache: at widths of 64 to 256 that takes 0.7 to 0.9 of the time."""

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
        if m * n * k <= _SMALL or max(a.shape[1], n) > _WIDEST:
            if turned:
                np.dot(a.T, b, out)
            else:
                np.dot(a, b, out)
            return
        # BLAS counts by columns, so it is given out^T = b^T a^T; everything is passed by its address.
        letters = np.array([78, 84], np.uint8)  # N, T
        factors = np.array([0, 1], np.float32)
        sizes = np.array([0, 0, 0, n, a.shape[1], n], np.int32)
        letter, factor, size = letters.ctypes.data, factors.ctypes.data, sizes.ctypes.data
        for j in range(0, n, _COLUMNS):
            sizes[0] = min(_COLUMNS, n - j)
            for i in range(0, m, _ROWS):
                sizes[1] = min(_ROWS, m - i)
                for h in range(0, k, _INNER):
                    sizes[2] = min(_INNER, k - h)
                    corner = (h * m + i) if turned else (i * k + h)
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
    below, at, here = inputs, 0, 0
    for k in range(L):
        m, n = sizes[k], sizes[k + 1]
        weights = parameters[at : at + m * n].reshape((m, n))
        biases = parameters[at + m * n : at + m * n + n]
        at += m * n + n
        if k + 1 < L:
            above = hidden[here : here + N * n].reshape((N, n))
            here += N * n
            _product(below, weights, above, False)
            for i in range(N):
                row = above[i]
                for j in range(n):
                    value = row[j] + biases[j]
                    row[j] = zero if value < zero else value
            below = above
        else:
            np.dot(below, weights, outputs)
            for i in range(N):
                for j in range(n):
                    outputs[i, j] += biases[j]


@_jit
def _backward(parameters, sizes, inputs, hidden, upstream, buffer, gradient, to_inputs):
    """From the loss's gradient at the outputs, fill those at the parameters and, unless it is empty, `to_inputs`.

    `buffer` (2, N * widest layer) is scratch.
    """
    N, L = inputs.shape[0], sizes.size - 1
    zero = parameters.dtype.type(0)
    at, here = parameters.size, hidden.size
    delta = upstream
    total = gradient[at - sizes[L] : at]
    total[:] = zero
    for i in range(N):
        for j in range(total.size):
            total[j] += upstream[i, j]
    for k in range(L - 1, -1, -1):
        m, n = sizes[k], sizes[k + 1]
        at -= m * n + n
        weights = parameters[at : at + m * n].reshape((m, n))
        if k > 0:
            here -= N * m
            below = hidden[here : here + N * m].reshape((N, m))
        else:
            below = inputs
        _product(below, delta, gradient[at : at + m * n].reshape((m, n)), True)
        if k > 0:
            lower = buffer[k % 2, : N * m].reshape((N, m))
            np.dot(delta, weights.T, lower)
            total = gradient[at - m : at]  # the biases of the layer below
            total[:] = zero
            for i in range(N):
                d, a = lower[i], below[i]
                for j in range(m):
                    slope = d[j] if a[j] > zero else zero
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
                variance = wide + floor * floor
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
        if norm > longest:
            shrink = longest / norm
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
