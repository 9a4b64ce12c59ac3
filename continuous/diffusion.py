"""A trained denoiser of standardised chunks: a diffusion or a flow policy, by the path that it is trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.networks import Floats, Network
from continuous.paths import Path, Preconditioning
from continuous.samplers import Denoise
from continuous.training import Optimiser, Training
from theory.base import validate

FloatArray = NDArray[np.float64]
Draw = Callable[[np.random.Generator, NDArray[np.int64]], FloatArray]

_BLOCK = 64  # steps whose noise is drawn at once


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A network that tells the clean chunk (D entries, standardised) at an observation (standardised).

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
        """Return the denoiser at observations (N, observation_dim), for samplers.

        Raises
        ------
        TypeError, ValueError
            If the observations have another shape or are not finite.
        """
        rows = self._rows(observations)

        def denoise(noisy: FloatArray, signal: float, noise: float) -> FloatArray:
            around = self._around(len(rows), signal, noise)
            inner = self.network.outputs(self.parameters, _inputs(rows, noisy, around, self.parameters.dtype))
            return np.asarray(around.skip[:, None] * noisy + around.share[:, None] * inner.astype(np.float64))

        return denoise

    def affine(self, observations: Any, noisy: Any, signal: Any, noise: Any) -> tuple[Floats, FloatArray, FloatArray]:
        """Inputs of the network, and skip and share, (N,): the clean chunk is skip * noisy + share * network.

        Parameters
        ----------
        observations : array_like, (N, observation_dim)
        noisy : array_like, (N, D)
        signal, noise : float or array_like, (N,)
            Level of each row.

        Raises
        ------
        TypeError, ValueError
            If a shape is wrong or a number is not finite.
        """
        rows = self._rows(observations)
        seen = validate.array("noisy", noisy, shape=(len(rows), self.n_out))
        around = self._around(len(rows), signal, noise)
        return _inputs(rows, seen, around, self.parameters.dtype), around.skip, around.share

    def gradient(self, observations: Any, noisy: Any, signal: Any, noise: Any, upstream: Any) -> Floats:
        """Gradient of sum(upstream * clean chunks) at the parameters, (P,).

        Parameters
        ----------
        observations : array_like, (N, observation_dim)
        noisy, upstream : array_like, (N, D)
        signal, noise : float or array_like, (N,)
            Level of each row.

        Raises
        ------
        TypeError, ValueError
            If a shape is wrong or a number is not finite.
        """
        rows = self._rows(observations)
        seen = validate.array("noisy", noisy, shape=(len(rows), self.n_out))
        pull = validate.array("upstream", upstream, shape=seen.shape)
        around = self._around(len(rows), signal, noise)
        inputs = _inputs(rows, seen, around, self.parameters.dtype)
        return self.network.gradient(self.parameters, inputs, around.share[:, None] * pull)[0]

    def _rows(self, observations: Any) -> FloatArray:
        return validate.array("observations", observations, shape=(None, self.network.sizes[0] - self.n_out - 1))

    def _around(self, n: int, signal: Any, noise: Any) -> Preconditioning:
        a, s = (
            validate.array(name, np.broadcast_to(np.asarray(x, np.float64), (n,)))
            for name, x in (("signal", signal), ("noise", noise))
        )
        return self.path.precondition(a, s)


def _inputs(rows: FloatArray, noisy: FloatArray, around: Preconditioning, dtype: Any) -> Floats:
    table = np.empty((len(rows), rows.shape[1] + noisy.shape[1] + 1), dtype)
    table[:, : rows.shape[1]] = rows
    table[:, rows.shape[1] : -1] = noisy * around.scale[:, None]
    table[:, -1] = around.clock
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
    validate.instance("path", path, Path)
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
        signal, noise = path.draw(rng, rows.size).T
        noisy = signal[:, None] * clean + noise[:, None] * rng.standard_normal(clean.shape)
        around = path.precondition(signal, noise)
        target = (clean - around.skip[:, None] * noisy) / around.share[:, None]
        batches = np.arange(rows.size).reshape(steps, training.batch)
        inputs = _inputs(seen[rows], noisy, around, np.float32)
        optimiser.train(inputs, target.astype(np.float32), batches)
    return Denoiser(path, network, optimiser.result)
