"""A trained denoiser of standardised chunks: a diffusion or a flow policy, depending on its path.

With the path's a, s, scale, clock, skip and share (`continuous.paths`), the clean chunk x at an observation o is
estimated from y = a x + s z as

    x(y) = skip y + share F(o, scale y, clock),

where the network F minimises the mean over demonstrations, levels and z of

    |F(o, scale y, clock) - (x - skip y) / share|^2.

References
----------
Karras, Aittala, Aila and Laine, Elucidating the design space of diffusion-based generative models, NeurIPS 2022.
Chi et al., Diffusion policy: visuomotor policy learning via action diffusion, RSS 2023.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.networks import Floats, Network
from continuous.paths import SMALLEST, Path, Preconditioning, Residual
from continuous.samplers import Denoise
from continuous.training import Optimiser, Training
from theory.base import validate

FloatArray = NDArray[np.float64]
Draw = Callable[[np.random.Generator, NDArray[np.int64]], FloatArray]

_BLOCK = 64  # steps whose noise is drawn at once
_RATIOS = 24  # at which the residual is measured: between two of them R of a normal law is off by at most 1 %
_VISITS = 4096  # rows with fresh noise at each of them, which leaves 2 % of chance in R of one entry


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A network that estimates the clean chunk (D entries) from a noisy one at an observation, all standardised.

    Attributes
    ----------
    path : Path
    network : Network
        From observation, scaled noisy chunk and clock to D numbers.
    parameters : ndarray of float32 or float64, (P,)
    """

    path: Path
    network: Network
    parameters: Floats

    @property
    def n_out(self) -> int:
        """Entries D of a chunk."""
        return self.network.sizes[-1]

    def at(self, observations: Any) -> Denoise:
        """Return the denoiser at observations (N, observation_dim), for samplers."""
        return self.at_rows(self._rows(observations))

    def at_rows(self, rows: FloatArray) -> Denoise:
        """As `at`, for float64 observations that are not checked."""

        def denoise(noisy: FloatArray, signal: float, noise: float) -> FloatArray:
            level = self.path.precondition(*(_column(x, len(rows)) for x in (signal, noise)))
            inner = self.network.outputs(self.parameters, _inputs(rows, noisy, level, self.parameters.dtype))
            return np.asarray(level.skip[:, None] * noisy + level.share[:, None] * inner.astype(np.float64))

        return denoise

    def affine(self, observations: Any, noisy: Any, signal: Any, noise: Any) -> tuple[Floats, FloatArray, FloatArray]:
        """Inputs of the network, and skip and share, (N,): the clean chunk is skip * noisy + share * network.

        Parameters
        ----------
        observations : array_like, (N, observation_dim)
        noisy : array_like, (N, D)
        signal, noise : float or array_like, (N,)
            Level of each row.
        """
        rows = self._rows(observations)
        chunks = validate.array("noisy", noisy, shape=(len(rows), self.n_out))
        return self.affine_rows(rows, chunks, *_levels(len(rows), signal, noise))

    def affine_rows(
        self, rows: FloatArray, noisy: FloatArray, signal: FloatArray, noise: FloatArray
    ) -> tuple[Floats, FloatArray, FloatArray]:
        """As `affine`, for float64 arrays that are not checked."""
        level = self.path.precondition(signal, noise)
        return _inputs(rows, noisy, level, self.parameters.dtype), level.skip, level.share

    def gradient(self, observations: Any, noisy: Any, signal: Any, noise: Any, upstream: Any) -> Floats:
        """Gradient of sum(upstream * clean chunks) at the parameters, (P,).

        Parameters
        ----------
        observations : array_like, (N, observation_dim)
        noisy, upstream : array_like, (N, D)
        signal, noise : float or array_like, (N,)
            Level of each row.
        """
        inputs, _, share = self.affine(observations, noisy, signal, noise)
        weights = validate.array("upstream", upstream, shape=(len(inputs), self.n_out))
        return self.network.gradient(self.parameters, inputs, share[:, None] * weights)[0]

    def _rows(self, observations: Any) -> FloatArray:
        return validate.array("observations", observations, shape=(None, self.network.sizes[0] - self.n_out - 1))


def _levels(n: int, signal: Any, noise: Any) -> tuple[FloatArray, FloatArray]:
    """Check a level for each of n rows."""
    a, s = (
        validate.array(name, np.broadcast_to(np.asarray(x, np.float64), (n,)))
        for name, x in (("signal", signal), ("noise", noise))
    )
    return a, s


def _column(level: Any, n: int) -> FloatArray:
    """A level's signal or noise for n rows, C-ordered."""
    return np.array(np.broadcast_to(level, (n,)), np.float64)


def _inputs(rows: FloatArray, noisy: FloatArray, level: Preconditioning, dtype: Any) -> Floats:
    table = np.empty((len(rows), rows.shape[1] + noisy.shape[1] + 1), dtype)
    table[:, : rows.shape[1]] = rows
    table[:, rows.shape[1] : -1] = noisy * level.scale[:, None]
    table[:, -1] = level.clock
    return table


def fit_denoiser(
    path: Path,
    observations: Any,
    draw: Draw,
    n_out: int,
    hidden: tuple[int, ...],
    training: Training,
    rng: np.random.Generator,
) -> Denoiser:
    """Train a denoiser.

    Parameters
    ----------
    path : Path
        `DIFFUSION` or `FLOW` of `continuous.paths`.
    observations : array_like, (N, observation_dim)
        Standardised.
    draw : callable
        (rng, rows (M,)) -> targets (M, n_out) at these rows. Called afresh for each visit, so that noise on the targets
        (Algorithm B) is never the same twice.
    n_out : int
        Entries D of a chunk, at least 1.
    hidden : tuple of int
        Widths of the hidden layers.
    training : Training
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        Also if the targets of `draw` have another shape or are not finite.
    FloatingPointError
        If training diverges.
    """
    validate.instance("path", path, Path)
    table = validate.array("observations", observations, shape=(None, None))
    if len(table) == 0:
        raise ValueError("observations must not be empty")
    n_out = validate.integer("n_out", n_out, at_least=1)
    validate.instance("training", training, Training)
    validate.generator("rng", rng)

    def checked_draw(rng: np.random.Generator, rows: NDArray[np.int64]) -> FloatArray:
        return validate.array("targets", draw(rng, rows), shape=(rows.size, n_out))

    return fit_denoiser_rows(path, table, checked_draw, n_out, hidden, training, rng)


def fit_denoiser_rows(
    path: Path,
    observations: FloatArray,
    draw: Draw,
    n_out: int,
    hidden: tuple[int, ...],
    training: Training,
    rng: np.random.Generator,
) -> Denoiser:
    """As `fit_denoiser`, for finite float64 arrays that are not checked."""
    network = Network((observations.shape[1] + n_out + 1, *hidden, n_out))
    optimiser = Optimiser(network, training, network.initial(rng))
    for begin in range(0, training.n_steps, _BLOCK):
        n_steps = min(_BLOCK, training.n_steps - begin)
        rows = rng.integers(len(observations), size=n_steps * training.batch)
        clean = draw(rng, rows)
        signal, noise = path.draw(rng, rows.size).T
        noisy = signal[:, None] * clean + noise[:, None] * rng.standard_normal(clean.shape)
        level = path.precondition(signal, noise)
        target = (clean - level.skip[:, None] * noisy) / level.share[:, None]
        batches = np.arange(rows.size).reshape(n_steps, training.batch)
        inputs = _inputs(observations[rows], noisy, level, np.float32)
        optimiser.train(inputs, target.astype(np.float32), batches)
    return Denoiser(path, network, optimiser.result)


def measure_residual_rows(
    denoiser: Denoiser, observations: FloatArray, draw: Draw, rng: np.random.Generator
) -> Residual:
    """Mean squared residual of a denoiser at levels from the smallest to its path's largest, without checks.

    Parameters
    ----------
    denoiser : Denoiser
    observations : ndarray, (N, observation_dim)
    draw : callable
        As in `fit_denoiser`.
    rng : numpy.random.Generator
    """
    ratios = np.geomspace(SMALLEST, denoiser.path.largest, _RATIOS)
    squares = np.empty(_RATIOS)
    for k, (signal, noise) in enumerate(denoiser.path.at(ratios)):
        rows = rng.integers(len(observations), size=_VISITS)
        clean = draw(rng, rows)
        noisy = signal * clean + noise * rng.standard_normal(clean.shape)
        squares[k] = np.mean((clean - denoiser.at_rows(observations[rows])(noisy, signal, noise)) ** 2)
    return Residual(ratios=ratios, squares=squares)
