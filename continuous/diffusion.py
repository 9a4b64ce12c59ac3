"""A diffusion policy: preconditioned denoising on standardised chunks, with deterministic and ancestral samplers.

A chunk x has deviation 1; at level sigma what is seen is x + sigma z. The denoiser is

    D(y, sigma) = y/(1 + sigma^2) + sigma/sqrt(1 + sigma^2) F(observation, y/sqrt(1 + sigma^2), log(sigma)/4),

and the network F is trained on the squared error of its own targets, which have deviation 1 at every level (Karras et
al. 2022). Samplers take any denoiser, so they are tested on one that is known exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.networks import Floats, Network
from continuous.training import Optimiser, Training
from theory import validate

FloatArray = NDArray[np.float64]
Denoiser = Callable[[FloatArray, float], FloatArray]
Draw = Callable[[np.random.Generator, NDArray[np.int64]], FloatArray]

SMALLEST, LARGEST = 0.03, 8.0
"""Levels of noise, in units of a chunk's deviation. Noise on targets below the smallest is not reproduced."""

_BLOCK = 64  # steps whose noise is drawn at once


def levels(n_steps: int) -> FloatArray:
    """Levels of a sampler, (n_steps+1,): geometric from the largest to the smallest, then 0.

    Parameters
    ----------
    n_steps : int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If `n_steps` is out of range.
    """
    n_steps = validate.integer("n_steps", n_steps, at_least=1)
    return np.append(np.geomspace(LARGEST, SMALLEST, n_steps) if n_steps > 1 else [LARGEST], 0.0)


def sample(denoise: Denoiser, latents: Any, n_steps: int) -> FloatArray:
    """Carry latents (N, D), standard normal, to chunks: Euler steps of the probability flow, without chance.

    Parameters
    ----------
    denoise : callable
        (noisy (N, D), level) -> (N, D).
    latents : array_like, (N, D)
    n_steps : int
        Calls of the denoiser, at least 1.

    Raises
    ------
    TypeError, ValueError
        If the latents are not a finite matrix or `n_steps` is out of range.

    References
    ----------
    Song, Meng and Ermon, Denoising diffusion implicit models, ICLR 2021.
    """
    sigma = levels(n_steps)
    x = LARGEST * validate.array("latents", latents, shape=(None, None))
    for high, low in pairwise(sigma):
        clean = denoise(x, float(high))
        x = clean + low / high * (x - clean)
    return x


def ancestral(
    denoise: Denoiser, latents: Any, n_steps: int, rng: np.random.Generator, *, floor: float = 0.0
) -> FloatArray:
    """As `sample`, with fresh noise at each step; returns the whole chain, (n_steps+1, N, D), the chunks last.

    Parameters
    ----------
    denoise, latents, n_steps
        As for `sample`.
    rng : numpy.random.Generator
    floor : float, optional
        At least 0: smallest standard deviation of a step, which the last one has.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    sigma, floor = levels(n_steps), validate.real("floor", floor, at_least=0.0)
    validate.generator("rng", rng)
    chain = [LARGEST * validate.array("latents", latents, shape=(None, None))]
    for high, low in pairwise(sigma):
        mean, deviation = _step(denoise, chain[-1], float(high), float(low), floor)
        chain.append(mean + deviation * rng.standard_normal(mean.shape))
    return np.stack(chain)


def chain_log_likelihood(denoise: Denoiser, chain: Any, *, floor: float) -> FloatArray:
    """Log-density of each step of `ancestral` given the one before, (n_steps, N).

    Parameters
    ----------
    denoise : callable
        As for `sample`.
    chain : array_like, (n_steps+1, N, D)
    floor : float
        Above 0: without it the last step has no density.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    path = validate.array("chain", chain, shape=(None, None, None))
    if len(path) < 2:
        raise ValueError(f"chain must hold a step; got shape {path.shape}")
    floor = validate.real("floor", floor, above=0.0)
    sigma = levels(len(path) - 1)
    out = np.empty((len(path) - 1, path.shape[1]))
    for k in range(len(out)):
        mean, deviation = _step(denoise, path[k], float(sigma[k]), float(sigma[k + 1]), floor)
        square = ((path[k + 1] - mean) ** 2).sum(axis=1) / deviation**2
        out[k] = -0.5 * (square + path.shape[2] * np.log(2 * np.pi * deviation**2))
    return out


def _step(denoise: Denoiser, x: FloatArray, high: float, low: float, floor: float) -> tuple[FloatArray, float]:
    """Mean and deviation of what is at level `low`, given x at level `high` and the clean chunk as denoised."""
    clean = denoise(x, high)
    share = (low / high) ** 2
    return clean + share * (x - clean), max(floor, low * float(np.sqrt(1 - share)))


@dataclass(frozen=True, eq=False)
class Diffusion:
    """A trained denoiser of chunks (D entries, standardised) at observations (standardised).

    Attributes
    ----------
    network : Network
        From observation, noisy chunk and level to D numbers.
    parameters : ndarray of float32, (P,)
    """

    network: Network
    parameters: Floats

    def at(self, observations: Any) -> Denoiser:
        """Return the denoiser at observations (N, observation_dim), for samplers.

        Raises
        ------
        TypeError, ValueError
            If the observations have another shape or are not finite.
        """
        D = self.network.sizes[-1]
        rows = validate.array("observations", observations, shape=(None, self.network.sizes[0] - D - 1))

        def denoise(noisy: FloatArray, level: float) -> FloatArray:
            inputs = _inputs(rows, noisy, np.full(len(rows), level))
            inner = self.network.outputs(self.parameters, inputs.astype(self.parameters.dtype))
            shrink = 1 / (1 + level**2)
            return np.asarray(shrink * noisy + level * np.sqrt(shrink) * inner.astype(np.float64))

        return denoise


def _inputs(rows: FloatArray, noisy: FloatArray, level: FloatArray) -> FloatArray:
    return np.concatenate([rows, noisy / np.sqrt(1 + level**2)[:, None], np.log(level)[:, None] / 4], axis=1)


def fit_diffusion(
    observations: Any, draw: Draw, n_out: int, hidden: tuple[int, ...], training: Training, rng: np.random.Generator
) -> Diffusion:
    """Train a denoiser.

    Parameters
    ----------
    observations : array_like, (N, observation_dim)
        Standardised.
    draw : callable
        (rng, rows (M,)) -> targets (M, n_out) at these rows: asked afresh at each visit, as Algorithm B adds its noise.
    n_out : int
        Entries D of a chunk, at least 1.
    hidden : tuple of int
        Widths of the hidden layers.
    training : Training
    rng : numpy.random.Generator

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range, or `draw` answers in another shape or not finitely.
    FloatingPointError
        If training diverges.
    """
    seen = validate.array("observations", observations, shape=(None, None))
    if len(seen) == 0:
        raise ValueError("observations must not be empty")
    n_out = validate.integer("n_out", n_out, at_least=1)
    validate.instance("training", training, Training)
    network = Network((seen.shape[1] + n_out + 1, *hidden, n_out))
    optimiser = Optimiser(network, training, network.initial(validate.generator("rng", rng)))
    for begin in range(0, training.n_steps, _BLOCK):
        steps = min(_BLOCK, training.n_steps - begin)
        rows = rng.integers(len(seen), size=steps * training.batch)
        clean = validate.array("targets", draw(rng, rows), shape=(rows.size, n_out))
        level = np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), rows.size))
        noise = rng.standard_normal(clean.shape)
        noisy, wide = clean + level[:, None] * noise, np.sqrt(1 + level**2)[:, None]
        target = (clean - noisy / wide**2) / (level[:, None] / wide)
        batches = np.arange(rows.size).reshape(steps, training.batch)
        optimiser.train(_inputs(seen[rows], noisy, level).astype(np.float32), target.astype(np.float32), batches)
    return Diffusion(network, optimiser.result)
