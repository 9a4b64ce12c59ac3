"""The same training in JAX and in PyTorch, on the same flat parameters: for benchmarks, and for a test of agreement."""

import importlib.util
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

B1, B2, ADDEND = 0.9, 0.999, 1e-8
"""Adam's."""


def missing(*names: str) -> list[str]:
    """Those of these packages that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def layers(flat: Any, sizes: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """Views (..., m, n) and (..., 1, n) of each layer's weights and biases in (..., P), of either library."""
    found, at = [], 0
    for m, n in pairwise(sizes):
        weights = flat[..., at : at + m * n].reshape(*flat.shape[:-1], m, n)
        biases = flat[..., at + m * n : at + m * n + n].reshape(*flat.shape[:-1], 1, n)
        found.append((weights, biases))
        at += m * n + n
    return found


def flattened(found: list[tuple[Any, Any]], K: int) -> np.ndarray:
    """Flat parameters (K, P) from each layer's weights and biases."""
    return np.concatenate([np.asarray(one).reshape(K, -1) for pair in found for one in pair], axis=1)


def jax_trainer(sizes: tuple[int, ...], how: str) -> Callable[..., Any]:
    """Return (starts (K, P), inputs, targets, batches (K, n_steps, batch), rates) -> layers after training.

    `how`: "vmap", all members at once in one scan over steps; "map", one after the other, each in a scan of its own.
    """
    import jax
    import jax.numpy as jnp

    def loss(parameters, x, y):
        for weights, biases in parameters[:-1]:
            x = jax.nn.relu(x @ weights + biases)
        weights, biases = parameters[-1]
        return ((x @ weights + biases - y) ** 2).sum() / len(x)

    def member(start, inputs, targets, batches, rates):
        def step(state, given):
            parameters, first, second = state
            k, rows, rate = given
            slopes = jax.grad(loss)(parameters, inputs[rows], targets[rows])
            first = jax.tree.map(lambda m, g: B1 * m + (1 - B1) * g, first, slopes)
            second = jax.tree.map(lambda v, g: B2 * v + (1 - B2) * g * g, second, slopes)
            length, unbias = rate / (1 - B1**k), 1 / jnp.sqrt(1 - B2**k)
            parameters = jax.tree.map(
                lambda p, m, v: p - length * m / (jnp.sqrt(v) * unbias + ADDEND), parameters, first, second
            )
            return (parameters, first, second), None

        zero = jax.tree.map(jnp.zeros_like, start)
        counted = jnp.arange(1, len(rates) + 1, dtype=jnp.float32)
        return jax.lax.scan(step, (start, zero, zero), (counted, batches, rates))[0][0]

    @jax.jit
    def train(starts, inputs, targets, batches, rates):
        whole = layers(starts, sizes)
        if how == "vmap":
            return jax.vmap(member, (0, None, None, 0, None))(whole, inputs, targets, batches, rates)
        return jax.lax.map(lambda one: member(one[0], inputs, targets, one[1], rates), (whole, batches))

    def call(starts, inputs, targets, batches, rates):
        return jax.block_until_ready(train(starts, inputs, targets, batches.astype(np.int32), rates.astype(np.float32)))

    return call


def torch_trainer(sizes: tuple[int, ...]) -> Callable[..., Any]:
    """As `jax_trainer`, all members at once: torch.baddbmm and the fused Adam."""
    import torch

    torch.set_num_threads(1)

    def train(starts, inputs, targets, batches, rates):
        x, y, rows = torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(batches)
        found = [[one.clone().requires_grad_() for one in pair] for pair in layers(torch.from_numpy(starts), sizes)]
        optimiser = torch.optim.Adam(
            [one for pair in found for one in pair], lr=1.0, betas=(B1, B2), eps=ADDEND, fused=True
        )
        for step, rate in enumerate(rates):
            optimiser.param_groups[0]["lr"] = float(rate)
            above, wanted = x[rows[:, step]], y[rows[:, step]]
            for weights, biases in found[:-1]:
                above = torch.relu(torch.baddbmm(biases, above, weights))
            weights, biases = found[-1]
            loss = ((torch.baddbmm(biases, above, weights) - wanted) ** 2).sum() / rows.shape[2]
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        return [tuple(one.detach() for one in pair) for pair in found]

    return train
