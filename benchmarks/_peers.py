"""The same training in JAX and in PyTorch, on the same flat parameters: for benchmarks, and for a test of agreement."""

import importlib.util
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

B1, B2, ADDEND = 0.9, 0.999, 1e-8
"""Adam's."""


def missing(*names: str) -> list[str]:
    """Those of the named packages that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def layers(flat: Any, sizes: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """Views (..., m, n) and (..., 1, n) of each layer's weights and biases in (..., P), of either library."""
    views, offset = [], 0
    for m, n in pairwise(sizes):
        weights = flat[..., offset : offset + m * n].reshape(*flat.shape[:-1], m, n)
        biases = flat[..., offset + m * n : offset + m * n + n].reshape(*flat.shape[:-1], 1, n)
        views.append((weights, biases))
        offset += m * n + n
    return views


def flattened(views: list[tuple[Any, Any]], K: int) -> np.ndarray:
    """Flat parameters (K, P) from each layer's weights and biases."""
    return np.concatenate([np.asarray(array).reshape(K, -1) for layer in views for array in layer], axis=1)


def corrected(rates: np.ndarray) -> np.ndarray:
    """Rate and factor of the second moment's root at each step, (n_steps, 2), in double precision."""
    k = np.arange(1, len(rates) + 1)
    return np.column_stack([rates / (1 - B1**k), 1 / np.sqrt(1 - B2**k)]).astype(np.float32)


def jax_adam(parameters: Any, first: Any, second: Any, slopes: Any, scale: Any) -> tuple[Any, Any, Any]:
    """Parameters and moments after a step; `scale` is a row of `corrected`."""
    import jax
    import jax.numpy as jnp

    first = jax.tree.map(lambda m, g: B1 * m + (1 - B1) * g, first, slopes)
    second = jax.tree.map(lambda v, g: B2 * v + (1 - B2) * g * g, second, slopes)
    moved = jax.tree.map(
        lambda p, m, v: p - scale[0] * m / (jnp.sqrt(v) * scale[1] + ADDEND), parameters, first, second
    )
    return moved, first, second


def jax_trainer(sizes: tuple[int, ...], how: str) -> Callable[..., Any]:
    """Return (starts (K, P), inputs, targets, batches (K, n_steps, batch), rates) -> layers after training.

    `how`: "vmap", all members at once in one scan over steps; "map", one after the other, each in a separate scan.
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
            rows, scale = given
            slopes = jax.grad(loss)(parameters, inputs[rows], targets[rows])
            return jax_adam(parameters, first, second, slopes, scale), None

        zero = jax.tree.map(jnp.zeros_like, start)
        return jax.lax.scan(step, (start, zero, zero), (batches, rates))[0][0]

    @jax.jit
    def train(starts, inputs, targets, batches, rates):
        whole = layers(starts, sizes)
        if how == "vmap":
            return jax.vmap(member, (0, None, None, 0, None))(whole, inputs, targets, batches, rates)
        return jax.lax.map(lambda one: member(one[0], inputs, targets, one[1], rates), (whole, batches))

    def call(starts, inputs, targets, batches, rates):
        return jax.block_until_ready(train(starts, inputs, targets, batches.astype(np.int32), corrected(rates)))

    return call


def torch_trainer(sizes: tuple[int, ...]) -> Callable[..., Any]:
    """As `jax_trainer`, all members at once: torch.baddbmm and the fused Adam."""
    import torch

    torch.set_num_threads(1)

    def train(starts, inputs, targets, batches, rates):
        x, y, rows = torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(batches)
        trained = [
            [array.clone().requires_grad_() for array in layer] for layer in layers(torch.from_numpy(starts), sizes)
        ]
        optimiser = torch.optim.Adam(
            [array for layer in trained for array in layer], lr=1.0, betas=(B1, B2), eps=ADDEND, fused=True
        )
        for step, rate in enumerate(rates):
            optimiser.param_groups[0]["lr"] = float(rate)
            above, wanted = x[rows[:, step]], y[rows[:, step]]
            for weights, biases in trained[:-1]:
                above = torch.relu(torch.baddbmm(biases, above, weights))
            weights, biases = trained[-1]
            loss = ((torch.baddbmm(biases, above, weights) - wanted) ** 2).sum() / rows.shape[2]
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        return [tuple(array.detach() for array in layer) for layer in trained]

    return train


def jax_diffusion_trainer(sizes: tuple[int, ...], n_out: int, batch: int, smallest: float, largest: float) -> Any:
    """Return (start (P,), observations, chunks, rates, seed) -> layers after training: all of it in one scan.

    Each step draws its rows, levels and noise, as `fit_denoiser` does.
    """
    import jax
    import jax.numpy as jnp

    def loss(parameters, inputs, wanted):
        for weights, biases in parameters[:-1]:
            inputs = jax.nn.relu(inputs @ weights + biases)
        weights, biases = parameters[-1]
        return ((inputs @ weights + biases - wanted) ** 2).sum() / batch

    @jax.jit
    def train(start, observations, chunks, rates, key):
        def step(state, given):
            parameters, first, second = state
            scale, key = given
            rows_key, level_key, noise_key = jax.random.split(key, 3)
            rows = jax.random.randint(rows_key, (batch,), 0, len(observations))
            ends = {"minval": jnp.log(smallest), "maxval": jnp.log(largest)}
            sigma = jnp.exp(jax.random.uniform(level_key, (batch, 1), **ends))
            clean, z = chunks[rows], jax.random.normal(noise_key, (batch, n_out))
            wide = jnp.sqrt(1 + sigma**2)
            seen = [observations[rows], (clean + sigma * z) / wide, jnp.log(sigma) / 4]
            slopes = jax.grad(loss)(parameters, jnp.concatenate(seen, axis=1), (sigma * clean - z) / wide)
            return jax_adam(parameters, first, second, slopes, scale), None

        whole = layers(start, sizes)
        zero = jax.tree.map(jnp.zeros_like, whole)
        return jax.lax.scan(step, (whole, zero, zero), (rates, jax.random.split(key, len(rates))))[0][0]

    def call(start, observations, chunks, rates, seed):
        return jax.block_until_ready(train(start, observations, chunks, corrected(rates), jax.random.key(seed)))

    return call
