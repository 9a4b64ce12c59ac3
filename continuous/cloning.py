"""Algorithm B: behavioral cloning by a diffusion or flow policy, with noise on its targets drawn afresh at each visit.

The policy is a denoiser (`continuous.diffusion`) of standardised chunks, fitted to

    x_i = a_i + L_i w,    w ~ N(0, I) afresh at each visit of row i,

where a_i (D,) is the demonstrated chunk at the observation o_i and L_i (D, D) the factor that an estimator gives
(`continuous.estimators`); None adds no noise, which is BC. Noise drawn once would be learnt as part of the data, and
would not widen the policy. A policy records how much noise was added, and measures how much it plays.

References
----------
Wagenmaker et al., Posterior behavioral cloning, 2025, arXiv 2512.16911, Algorithm B.
"""

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.demonstrations import Demonstrations, Scale
from continuous.diffusion import Denoiser, fit_denoiser_rows, measure_residual_rows
from continuous.files import load_arrays, save_arrays
from continuous.networks import Network
from continuous.paths import PATHS, SOLVERS, Residual, Steps
from continuous.played import PlayedNoise, played_noise_of
from continuous.samplers import Denoise, Inverse, ancestral_by, chain_log_likelihood_by, invert_by, sample_by
from continuous.training import Training
from theory.base import validate
from theory.base.streams import stream

FloatArray = NDArray[np.float64]

DEFAULT_TRAINING = Training(n_steps=2500, batch=128, rate=1e-3)


@dataclass(frozen=True, eq=False, kw_only=True)
class ClonedPolicy:
    """A diffusion or flow policy in units of observations and actions.

    Parameters
    ----------
    denoiser : Denoiser
        Of standardised chunks at standardised observations.
    observation_scale, action_scale : Scale
        Of the demonstrations' observations and chunks.
    action_dim : int
        Entries of one action, at least 1.
    added : ndarray, (D,)
        Root mean square of the noise that was added to each entry of a chunk, in units of actions.
    n_steps : int
        Denoising steps of the sampler, at least 1; `dataclasses.replace` changes them without retraining.
    solver : {"euler", "rational"}, optional
        Steps of `act`, `decode` and `encode` (`continuous.paths`); can be replaced, too.
    residual : Residual, optional
        Of the denoiser, in standardised units: with it, chains also draw the variance of the clean chunk.
    """

    denoiser: Denoiser
    observation_scale: Scale
    action_scale: Scale
    action_dim: int
    added: FloatArray
    n_steps: int = 8
    solver: str = "euler"
    residual: Residual | None = None

    def __post_init__(self) -> None:
        D = validate.instance("denoiser", self.denoiser, Denoiser).n_out
        validate.integer("n_steps", self.n_steps, at_least=1)
        validate.choice("solver", self.solver, SOLVERS)
        if self.residual is not None:
            validate.instance("residual", self.residual, Residual)
        for name, size, expected in (
            ("observation_scale", self.observation_scale.mean.size, self.denoiser.network.sizes[0] - D - 1),
            ("action_scale", self.action_scale.mean.size, D),
            ("added", np.size(self.added), D),
            ("action_dim", D % validate.integer("action_dim", self.action_dim, at_least=1), 0),
        ):
            if size != expected:
                raise ValueError(f"{name} must fit chunks of {D} entries and the network {self.denoiser.network.sizes}")

    @property
    def chunk_size(self) -> int:
        """Entries D of a chunk and of its latent: actions of a chunk times `action_dim`."""
        return self.denoiser.n_out

    @property
    def added_noise(self) -> float:
        """Root mean square over entries of the noise that was added."""
        return float(np.sqrt(np.mean(self.added**2)))

    def act(self, observations: Any, rng: np.random.Generator) -> FloatArray:
        """Draw a chunk at each observation: (N, observation_dim) -> (N, chunk, action_dim)."""
        rows = self._checked(observations)
        return self._decode(rows, validate.generator("rng", rng).standard_normal((len(rows), self.chunk_size)))

    def decode(self, observations: Any, latents: Any) -> FloatArray:
        """Chunks that the sampler makes of latents (N, D): (N, chunk, action_dim), clipped to [-1, 1]."""
        rows = self._checked(observations)
        return self._decode(rows, validate.array("latents", latents, shape=(len(rows), self.chunk_size)))

    def encode(self, observations: Any, chunks: Any) -> Inverse:
        """Latents of which `decode` makes given chunks, (N, chunk, action_dim); `miss` is in standardised units."""
        rows = self._checked(observations)
        shape = (len(rows), self.chunk_size // self.action_dim, self.action_dim)
        targets = validate.array("chunks", chunks, shape=shape).reshape(len(rows), -1)
        # Newton's method differentiates by differences of 1e-6, which float32 would drown in rounding.
        precise = replace(self.denoiser, parameters=self.denoiser.parameters.astype(np.float64))
        denoise = precise.at_rows(self.observation_scale.apply(rows))
        return invert_by(denoise, self.action_scale.apply(targets), self._steps())

    def played_noise(self, observations: Any, n_draws: int, rng: np.random.Generator) -> PlayedNoise:
        """Noise of `n_draws` samples, at least 2, at each observation (N, observation_dim), N at least 1.

        It is what is played: in units of actions, and after clipping.
        """
        rows = self._checked(observations)
        n_draws = validate.integer("n_draws", n_draws, at_least=2)
        if len(rows) == 0:
            raise ValueError("observations must not be empty")
        validate.generator("rng", rng)
        return played_noise_of([self.act(rows, rng).reshape(len(rows), -1) for _ in range(n_draws)])

    def ancestral_steps(self, floor: float) -> Steps:
        """Steps of `chain`; `floor` is checked by `Path.steps`."""
        return self.denoiser.path.steps(self.n_steps, fresh=True, floor=floor, residual=self.residual)

    def chain(self, observations: Any, rng: np.random.Generator, *, floor: float) -> FloatArray:
        """Draw with fresh noise at each denoising step (see `ancestral`): the chain, (n_steps+1, N, D), standardised.

        The actions are `finished` of its last entry.
        """
        rows = self._checked(observations)
        steps = self.ancestral_steps(floor)
        latents = validate.generator("rng", rng).standard_normal((len(rows), self.chunk_size))
        return ancestral_by(self._denoise(rows), latents, steps, rng)

    def chain_log_likelihood(self, observations: Any, chain: Any, *, floor: float) -> FloatArray:
        """Log-density of each step of a chain, (n_steps, N); `floor` is above 0."""
        rows = self._checked(observations)
        levels = validate.array("chain", chain, shape=(self.n_steps + 1, len(rows), self.chunk_size))
        floor = validate.real("floor", floor, above=0.0)
        steps = self.ancestral_steps(floor)
        return chain_log_likelihood_by(self._denoise(rows), levels, steps)

    def finished(self, chunks: FloatArray) -> FloatArray:
        """From standardised chunks (N, D) to actions (N, chunk, action_dim), clipped to [-1, 1]."""
        return np.clip(self.action_scale.undo(chunks), -1.0, 1.0).reshape(len(chunks), -1, self.action_dim)

    def _decode(self, rows: FloatArray, latents: FloatArray) -> FloatArray:
        return self.finished(sample_by(self._denoise(rows), latents, self._steps()))

    def _steps(self) -> Steps:
        return self.denoiser.path.steps(self.n_steps, solver=self.solver)

    def _denoise(self, rows: FloatArray) -> Denoise:
        return self.denoiser.at_rows(self.observation_scale.apply(rows))

    def _checked(self, observations: Any) -> FloatArray:
        return validate.array("observations", observations, shape=(None, self.observation_scale.mean.size))


def clone(
    demonstrations: Demonstrations,
    chunk: int,
    seed: np.random.SeedSequence,
    *,
    factors: Any = None,
    path: str = "diffusion",
    n_steps: int = 8,
    solver: str = "euler",
    with_residual: bool = False,
    hidden: tuple[int, ...] = (128, 128, 128),
    training: Training = DEFAULT_TRAINING,
) -> ClonedPolicy:
    """Algorithm B: pretrain a policy on demonstrations.

    Parameters
    ----------
    demonstrations : Demonstrations
    chunk : int
        Actions of a chunk, from 1 to the longest episode.
    seed : numpy.random.SeedSequence
        It is not changed.
    factors : array_like, (N, D, D), optional
        Factor L of the noise L w at each row, w standard normal, in units of actions, as an estimator's `factors` gives
        it; None is BC.
    path : {"diffusion", "flow", "wide diffusion"}, optional
        A wide diffusion is trained up to more noise, so that rational steps also give the mean of a wide law.
    n_steps, solver
        Of the policy's sampler, as in `ClonedPolicy`; training does not depend on them.
    with_residual : bool, optional
        Measure the denoiser's `residual` after training, on training rows with fresh noise.
    hidden : tuple of int, optional
        Widths of the denoiser's hidden layers.
    training : Training, optional

    Raises
    ------
    FloatingPointError
        If training diverges.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    validate.choice("path", path, tuple(PATHS))
    validate.integer("n_steps", n_steps, at_least=1)
    validate.choice("solver", solver, SOLVERS)
    validate.instance("with_residual", with_residual, bool)
    validate.instance("training", training, Training)
    rng = np.random.default_rng(validate.instance("seed", seed, np.random.SeedSequence))
    chunks = demonstrations.chunks(chunk)
    N, D = chunks.shape
    observations, actions = Scale.of(demonstrations.observations), Scale.of(chunks)
    spreads = None if factors is None else validate.array("factors", factors, shape=(N, D, D))
    squares, visits = np.zeros(D), 0

    def draw(rng: np.random.Generator, rows: NDArray[np.int64]) -> FloatArray:
        nonlocal visits
        visits += rows.size
        if spreads is None:
            return actions.apply(chunks[rows])
        noise = np.einsum("nij,nj->ni", spreads[rows], rng.standard_normal((rows.size, D)))
        squares[:] += (noise**2).sum(axis=0)
        return actions.apply(chunks[rows] + noise)

    scaled = observations.apply(demonstrations.observations)
    denoiser = fit_denoiser_rows(PATHS[path], scaled, draw, D, hidden, training, rng)
    added = np.sqrt(squares / visits)  # before the residual's visits, which `draw` would count
    # A stream of its own: training's generator is not touched.
    residual = measure_residual_rows(denoiser, scaled, draw, stream(seed, 0)) if with_residual else None
    return ClonedPolicy(
        denoiser=denoiser,
        observation_scale=observations,
        action_scale=actions,
        action_dim=demonstrations.actions.shape[1],
        added=added,
        n_steps=n_steps,
        solver=solver,
        residual=residual,
    )


_ARRAYS = ("path", "sizes", "parameters", "action_dim", "added", "n_steps", "solver")
_RESIDUAL = ("residual_ratios", "residual_squares")  # both empty if there is none


def save_policy(path: str | os.PathLike[str], policy: ClonedPolicy) -> None:
    """Write a policy as npz."""
    model = validate.instance("policy", policy, ClonedPolicy).denoiser
    own = (
        model.path.name, model.network.widths, model.parameters, policy.action_dim, policy.added, policy.n_steps,
        policy.solver,
    )  # fmt: skip
    scales = policy.observation_scale.arrays("observation") | policy.action_scale.arrays("action")
    known = policy.residual
    table = (np.zeros(0), np.zeros(0)) if known is None else (known.ratios, known.squares)
    own_arrays = dict(zip((*_ARRAYS, *_RESIDUAL), (*own, *table), strict=True))
    save_arrays(path, "policy", own_arrays | scales)


def load_policy(path: str | os.PathLike[str]) -> ClonedPolicy:
    """Read what `save_policy` wrote; raises as `load_arrays`, `Network.checked` and `ClonedPolicy` do."""
    arrays = load_arrays(path, "policy", (*_ARRAYS, *_RESIDUAL, *Scale.names("observation"), *Scale.names("action")))
    network = Network.of(arrays["sizes"])
    name = validate.choice("path", str(arrays["path"]), tuple(PATHS))
    ratios, squares = (arrays[name] for name in _RESIDUAL)
    return ClonedPolicy(
        denoiser=Denoiser(PATHS[name], network, network.checked(arrays["parameters"])),
        observation_scale=Scale.read(arrays, "observation"),
        action_scale=Scale.read(arrays, "action"),
        action_dim=arrays["action_dim"].item(),
        added=validate.array("added", arrays["added"], shape=(None,)),
        n_steps=arrays["n_steps"].item(),
        solver=str(arrays["solver"]),
        residual=Residual(ratios=ratios, squares=squares) if ratios.size or squares.size else None,
    )
