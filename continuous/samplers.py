"""Samplers of a denoiser: deterministic, from latents to chunks and back; and with fresh noise, and its likelihood.

With keep, take and deviation of `continuous.paths`, and x(y) the denoiser, step k is

    y_{k+1} = keep_k y_k + take_k x(y_k)                                        `sample`, undone by `invert`
    y_{k+1} ~ N(keep_k y_k + take_k x(y_k), deviation_k^2 I)                    `ancestral`, `chain_log_likelihood`

from y_0 = start times the latent to the chunk y_{n_steps}. A denoiser is any callable, so these
are tested on denoisers that are known exactly. Functions that take `Steps` do not check their arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.paths import Path, Residual, Steps
from theory.base import validate

FloatArray = NDArray[np.float64]
Denoise = Callable[[FloatArray, float, float], FloatArray]
"""(noisy (N, D), signal, noise) -> mean of the clean chunk given the noisy one, (N, D)."""

_HALVINGS = 12  # of a Newton step that does not come nearer
_NEAR = 1e-12  # distance at which a row is solved
_STEP = 1e-6  # of the central differences of a Jacobian
_ROUNDS = 60  # of Newton's method, per step of the sampler


@dataclass(frozen=True, eq=False, kw_only=True)
class Inverse:
    """Latents that a sampler carries to given chunks.

    Attributes
    ----------
    latents : ndarray, (N, D)
    miss : ndarray, (N,)
        Largest entry of the difference between the chunk and what the sampler makes of the latent.
    """

    latents: FloatArray
    miss: FloatArray


def sample(denoise: Denoise, latents: Any, path: Path, n_steps: int, *, solver: str = "euler") -> FloatArray:
    """Carry latents (N, D), standard normal, to chunks by deterministic steps.

    Parameters
    ----------
    denoise : callable
        (noisy (N, D), signal, noise) -> (N, D).
    latents : array_like, (N, D)
    path : Path
    n_steps : int
        Calls of the denoiser, at least 1.
    solver : {"euler", "rational"}, optional
        Euler's steps of the probability flow, or the rational ones, which are nearly exact for every normal law.
    """
    steps = validate.instance("path", path, Path).steps(n_steps, solver=solver)
    return sample_by(denoise, validate.array("latents", latents, shape=(None, None)), steps)


def sample_by(denoise: Denoise, latents: FloatArray, steps: Steps) -> FloatArray:
    """As `sample`, by given steps, without checks."""
    y: FloatArray = steps.start * latents
    for k in range(len(steps.noise)):
        y = _mean(denoise, y, steps, k)
    return y


def invert(
    denoise: Denoise, chunks: Any, path: Path, n_steps: int, *, solver: str = "euler", max_rounds: int = _ROUNDS
) -> Inverse:
    """Latents that `sample` carries to these chunks: each of its steps undone by Newton's method.

    With the exact denoiser of a distribution that has a density, every step has an inverse: its Jacobian is positive
    definite. A chunk outside a trained sampler's range has none, which shows in `miss`. A few long steps of a sharp
    policy may fold, and then another latent of the same chunk may be returned. Use a denoiser in float64.

    Parameters
    ----------
    denoise, path, n_steps, solver
        As for `sample`.
    chunks : array_like, (N, D)
    max_rounds : int, optional
        Rounds of Newton's method per step, at least 1.
    """
    steps = validate.instance("path", path, Path).steps(n_steps, solver=solver)
    targets = validate.array("chunks", chunks, shape=(None, None))
    return invert_by(denoise, targets, steps, validate.integer("max_rounds", max_rounds, at_least=1))


def invert_by(denoise: Denoise, chunks: FloatArray, steps: Steps, max_rounds: int = _ROUNDS) -> Inverse:
    """As `invert`, by given steps, without checks."""
    y = chunks
    for k in reversed(range(len(steps.noise))):
        y = _undo(denoise, y, steps, k, max_rounds)
    latents = y / steps.start
    miss = np.abs(sample_by(denoise, latents, steps) - chunks).max(axis=1, initial=0.0)
    return Inverse(latents=latents, miss=miss)


def _undo(denoise: Denoise, below: FloatArray, steps: Steps, k: int, max_rounds: int) -> FloatArray:
    """Solve for y that step k carries to `below`; rows that are solved, or cannot come nearer, stay as they are."""
    y = below.copy()
    gap = _mean(denoise, y, steps, k) - below
    for _ in range(max_rounds):
        solved = np.abs(gap).max(axis=1, initial=0.0) <= _NEAR
        if solved.all():
            break
        direction = -np.linalg.solve(_jacobian(denoise, y, steps, k), gap[..., None])[..., 0]
        length = np.ones(len(y))
        moved = solved.copy()
        for _ in range(_HALVINGS):
            trial = y + length[:, None] * direction
            trial_gap = _mean(denoise, trial, steps, k) - below
            better = ~moved & (np.square(trial_gap).sum(axis=1) < np.square(gap).sum(axis=1))
            y[better], gap[better] = trial[better], trial_gap[better]
            moved |= better
            length[~moved] /= 2
            if moved.all():
                break
        if (moved == solved).all():
            break
    return y


def _jacobian(denoise: Denoise, x: FloatArray, steps: Steps, k: int) -> FloatArray:
    """Derivatives of step k at each row, (N, D, D), by central differences; regularised where they are singular."""
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
    denoise: Denoise,
    latents: Any,
    path: Path,
    n_steps: int,
    rng: np.random.Generator,
    *,
    floor: float = 0.0,
    residual: Residual | None = None,
) -> FloatArray:
    """As `sample`, with fresh noise at each step: the whole chain, (n_steps+1, N, D), with the chunks last.

    Parameters
    ----------
    denoise, latents, path, n_steps
        As for `sample`.
    rng : numpy.random.Generator
    floor : float, optional
        Smallest standard deviation of a step, at least 0.
    residual : Residual, optional
        Adds the variance of the clean chunk to each step; without it the last step has exactly the deviation `floor`.
    """
    steps = validate.instance("path", path, Path).steps(n_steps, fresh=True, floor=floor, residual=residual)
    validate.generator("rng", rng)
    return ancestral_by(denoise, validate.array("latents", latents, shape=(None, None)), steps, rng)


def ancestral_by(denoise: Denoise, latents: FloatArray, steps: Steps, rng: np.random.Generator) -> FloatArray:
    """As `ancestral`, by given steps, without checks."""
    chain = [steps.start * latents]
    for k in range(len(steps.noise)):
        mean = _mean(denoise, chain[-1], steps, k)
        chain.append(mean + steps.deviation[k] * rng.standard_normal(mean.shape))
    return np.stack(chain)


def chain_log_likelihood(
    denoise: Denoise, chain: Any, path: Path, *, floor: float, residual: Residual | None = None
) -> FloatArray:
    """Log-density of each step of `ancestral` given the one before, (n_steps, N).

    Parameters
    ----------
    denoise, path
        As for `sample`.
    chain : array_like, (n_steps+1, N, D)
    floor : float
        As in `ancestral`, but above 0: with floor 0 the last step may have no density.
    residual : Residual, optional
        As in `ancestral`.
    """
    levels = validate.array("chain", chain, shape=(None, None, None))
    if len(levels) < 2:
        raise ValueError(f"chain must hold a step; got shape {levels.shape}")
    floor = validate.real("floor", floor, above=0.0)
    steps = validate.instance("path", path, Path).steps(len(levels) - 1, fresh=True, floor=floor, residual=residual)
    return chain_log_likelihood_by(denoise, levels, steps)


def chain_log_likelihood_by(denoise: Denoise, chain: FloatArray, steps: Steps) -> FloatArray:
    """As `chain_log_likelihood`, by given steps, without checks."""
    out = np.empty((len(chain) - 1, chain.shape[1]))
    for k, deviation in enumerate(steps.deviation):
        square = ((chain[k + 1] - _mean(denoise, chain[k], steps, k)) ** 2).sum(axis=1) / deviation**2
        out[k] = -0.5 * (square + chain.shape[2] * np.log(2 * np.pi * deviation**2))
    return out


def _mean(denoise: Denoise, y: FloatArray, steps: Steps, k: int) -> FloatArray:
    return np.asarray(steps.keep[k] * y + steps.take[k] * denoise(y, float(steps.signal[k]), float(steps.noise[k])))
