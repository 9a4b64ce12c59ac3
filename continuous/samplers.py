"""Samplers of a denoiser: from latents to chunks without chance, back again, and by fresh noise with its likelihood.

They take any denoiser, so they are tested on ones that are known exactly.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from continuous.paths import Path, Steps
from theory.base import validate

FloatArray = NDArray[np.float64]
Denoise = Callable[[FloatArray, float, float], FloatArray]
"""(noisy (N, D), signal, noise) -> the clean chunk's mean given what is seen, (N, D)."""

_HALVINGS = 12
_NEAR = 1e-12
_STEP = 1e-6  # of the differences that a Jacobian is made of


class Inverse(NamedTuple):
    """Latents that a sampler carries to given chunks.

    Attributes
    ----------
    latents : ndarray, (N, D)
    miss : ndarray, (N,)
        Largest entry by which the sampler misses the chunk from there.
    """

    latents: FloatArray
    miss: FloatArray


def sample(denoise: Denoise, latents: Any, path: Path, n_steps: int) -> FloatArray:
    """Carry latents (N, D), standard normal, to chunks: Euler steps of the probability flow, without chance.

    Parameters
    ----------
    denoise : callable
        (noisy (N, D), signal, noise) -> (N, D).
    latents : array_like, (N, D)
    path : Path
    n_steps : int
        Calls of the denoiser, at least 1.

    Raises
    ------
    TypeError, ValueError
        If the latents are not a finite matrix or `n_steps` is out of range.
    """
    steps = validate.instance("path", path, Path).steps(n_steps)
    x: FloatArray = steps.noise[0] * validate.array("latents", latents, shape=(None, None))
    for k in range(n_steps):
        x = _mean(denoise, x, steps, k)
    return x


def invert(denoise: Denoise, chunks: Any, path: Path, n_steps: int, *, max_rounds: int = 60) -> Inverse:
    """Latents that `sample` carries to these chunks: each of its steps undone by Newton's method.

    With the exact denoiser of a law that has a density, every step has an inverse: its Jacobian is positive definite.
    What lies outside a trained sampler's range has none, and shows in `miss`; few long steps of a sharp policy may
    fold, and then another latent may be found. Use a denoiser in float64.

    Parameters
    ----------
    denoise, path, n_steps
        As for `sample`.
    chunks : array_like, (N, D)
    max_rounds : int, optional
        At least 1: rounds of Newton's method a step.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    steps = validate.instance("path", path, Path).steps(n_steps)
    wanted = validate.array("chunks", chunks, shape=(None, None))
    validate.integer("max_rounds", max_rounds, at_least=1)
    x = wanted
    for k in reversed(range(n_steps)):
        x = _undo(denoise, x, steps, k, max_rounds)
    latents = x / steps.noise[0]
    return Inverse(latents, np.abs(sample(denoise, latents, path, n_steps) - wanted).max(axis=1, initial=0.0))


def _undo(denoise: Denoise, below: FloatArray, steps: Steps, k: int, max_rounds: int) -> FloatArray:
    """Solve for what step k carries to `below`; rows that are there, or cannot come nearer, stay as they are."""
    x = below.copy()
    gap = _mean(denoise, x, steps, k) - below
    for _ in range(max_rounds):
        there = np.abs(gap).max(axis=1, initial=0.0) <= _NEAR
        if there.all():
            break
        move = -np.linalg.solve(_jacobian(denoise, x, steps, k), gap[..., None])[..., 0]
        length = np.ones(len(x))
        moved = there.copy()
        for _ in range(_HALVINGS):
            tried = x + length[:, None] * move
            left = _mean(denoise, tried, steps, k) - below
            better = ~moved & (np.square(left).sum(axis=1) < np.square(gap).sum(axis=1))
            x[better], gap[better] = tried[better], left[better]
            moved |= better
            length[~moved] /= 2
            if moved.all():
                break
        if (moved == there).all():
            break
    return x


def _jacobian(denoise: Denoise, x: FloatArray, steps: Steps, k: int) -> FloatArray:
    """Derivatives of a step at each row, (N, D, D), by central differences; slightly moved where they are singular."""
    D = x.shape[1]
    columns = []
    for j in range(D):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[:, j] += sign * _STEP
            ends.append(_mean(denoise, moved, steps, k))
        columns.append((ends[0] - ends[1]) / (2 * _STEP))
    jacobian = np.stack(columns, axis=2)
    singular = np.linalg.cond(jacobian) > 1e12
    jacobian[singular] += 1e-6 * np.eye(D)
    return jacobian


def ancestral(
    denoise: Denoise, latents: Any, path: Path, n_steps: int, rng: np.random.Generator, *, floor: float = 0.0
) -> FloatArray:
    """As `sample`, with fresh noise at each step; returns the whole chain, (n_steps+1, N, D), the chunks last.

    Parameters
    ----------
    denoise, latents, path, n_steps
        As for `sample`.
    rng : numpy.random.Generator
    floor : float, optional
        At least 0: smallest standard deviation of a step, which the last one has.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    steps = validate.instance("path", path, Path).steps(n_steps, fresh=True, floor=floor)
    validate.generator("rng", rng)
    chain = [steps.noise[0] * validate.array("latents", latents, shape=(None, None))]
    for k in range(n_steps):
        mean = _mean(denoise, chain[-1], steps, k)
        chain.append(mean + steps.deviation[k] * rng.standard_normal(mean.shape))
    return np.stack(chain)


def chain_log_likelihood(denoise: Denoise, chain: Any, path: Path, *, floor: float) -> FloatArray:
    """Log-density of each step of `ancestral` given the one before, (n_steps, N).

    Parameters
    ----------
    denoise, path
        As for `sample`.
    chain : array_like, (n_steps+1, N, D)
    floor : float
        Above 0: without it the last step has no density.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    found = validate.array("chain", chain, shape=(None, None, None))
    if len(found) < 2:
        raise ValueError(f"chain must hold a step; got shape {found.shape}")
    floor = validate.real("floor", floor, above=0.0)
    steps = validate.instance("path", path, Path).steps(len(found) - 1, fresh=True, floor=floor)
    out = np.empty((len(found) - 1, found.shape[1]))
    for k, deviation in enumerate(steps.deviation):
        square = ((found[k + 1] - _mean(denoise, found[k], steps, k)) ** 2).sum(axis=1) / deviation**2
        out[k] = -0.5 * (square + found.shape[2] * np.log(2 * np.pi * deviation**2))
    return out


def _mean(denoise: Denoise, x: FloatArray, steps: Steps, k: int) -> FloatArray:
    return np.asarray(steps.keep[k] * x + steps.take[k] * denoise(x, float(steps.signal[k]), float(steps.noise[k])))
