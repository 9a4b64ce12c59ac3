"""Algorithm B: behavioral cloning by a diffusion or flow policy, with noise on its targets drawn afresh at each visit.

Which noise that is, an estimator says (`continuous.estimators`). What was added is recorded.
"""

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.demonstrations import Demonstrations, Scale
from continuous.diffusion import Denoiser, fit_denoiser
from continuous.files import load_arrays, save_arrays
from continuous.networks import Network
from continuous.paths import PATHS
from continuous.samplers import Inverse, ancestral, chain_log_likelihood, invert, sample
from continuous.training import Training
from theory.base import validate

FloatArray = NDArray[np.float64]

DEFAULT_TRAINING = Training(n_steps=2500, batch=128, rate=1e-3)


@dataclass(frozen=True, eq=False)
class ClonedPolicy:
    """A diffusion or flow policy in units of observations and actions.

    Parameters
    ----------
    denoiser : Denoiser
    observation_scale, action_scale : Scale
    action_dim : int
        At least 1.
    added : ndarray, (D,)
        Root mean square of the noise that was added to each entry of a chunk, in units of actions.
    n_steps : int
        Denoising steps of the sampler, at least 1; `dataclasses.replace` changes them, without training anew.

    Raises
    ------
    TypeError, ValueError
        If a type is wrong, or sizes do not fit together.
    """

    denoiser: Denoiser
    observation_scale: Scale
    action_scale: Scale
    action_dim: int
    added: FloatArray
    n_steps: int = 8

    def __post_init__(self) -> None:
        D = validate.instance("denoiser", self.denoiser, Denoiser).n_out
        validate.integer("n_steps", self.n_steps, at_least=1)
        for name, found, wanted in (
            ("observation_scale", self.observation_scale.mean.size, self.denoiser.network.sizes[0] - D - 1),
            ("action_scale", self.action_scale.mean.size, D),
            ("added", np.size(self.added), D),
            ("action_dim", D % validate.integer("action_dim", self.action_dim, at_least=1), 0),
        ):
            if found != wanted:
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
        seen = self._checked(observations)
        return self.decode(seen, validate.generator("rng", rng).standard_normal((len(seen), self.chunk_size)))

    def decode(self, observations: Any, latents: Any) -> FloatArray:
        """Chunks that latents (N, D) are carried to, (N, chunk, action_dim), clipped to [-1, 1].

        Raises
        ------
        TypeError, ValueError
            If a shape is wrong or a number is not finite.
        """
        seen = self._checked(observations)
        z = validate.array("latents", latents, shape=(len(seen), self.chunk_size))
        at = self.denoiser.at(self.observation_scale.apply(seen))
        return self.finished(sample(at, z, self.denoiser.path, self.n_steps))

    def encode(self, observations: Any, chunks: Any) -> Inverse:
        """Latents that `decode` carries to given chunks, (N, chunk, action_dim), in standardised units; see `invert`.

        Raises
        ------
        TypeError, ValueError
            If a shape is wrong or a number is not finite.
        """
        seen = self._checked(observations)
        shape = (len(seen), self.chunk_size // self.action_dim, self.action_dim)
        wanted = validate.array("chunks", chunks, shape=shape).reshape(len(seen), -1)
        precise = replace(self.denoiser, parameters=self.denoiser.parameters.astype(np.float64))
        at = precise.at(self.observation_scale.apply(seen))
        return invert(at, self.action_scale.apply(wanted), precise.path, self.n_steps)

    def chain(self, observations: Any, rng: np.random.Generator, *, floor: float) -> FloatArray:
        """Draw by fresh noise at each denoising step (see `ancestral`): the chain, (n_steps+1, N, D), standardised.

        What is done is `finished` of its last entry.

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range.
        """
        seen = self._checked(observations)
        latents = validate.generator("rng", rng).standard_normal((len(seen), self.chunk_size))
        at = self.denoiser.at(self.observation_scale.apply(seen))
        return ancestral(at, latents, self.denoiser.path, self.n_steps, rng, floor=floor)

    def chain_log_likelihood(self, observations: Any, chain: Any, *, floor: float) -> FloatArray:
        """Log-density of each step of a chain, (n_steps, N).

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range.
        """
        seen = self._checked(observations)
        path = validate.array("chain", chain, shape=(self.n_steps + 1, len(seen), self.chunk_size))
        at = self.denoiser.at(self.observation_scale.apply(seen))
        return chain_log_likelihood(at, path, self.denoiser.path, floor=floor)

    def finished(self, chunks: FloatArray) -> FloatArray:
        """From standardised chunks (N, D) to actions (N, chunk, action_dim), clipped to [-1, 1]."""
        return np.clip(self.action_scale.undo(chunks), -1.0, 1.0).reshape(len(chunks), -1, self.action_dim)

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
    hidden: tuple[int, ...] = (128, 128, 128),
    training: Training = DEFAULT_TRAINING,
) -> ClonedPolicy:
    """Pretrain a policy.

    Parameters
    ----------
    demonstrations : Demonstrations
    chunk : int
        Actions of a chunk, from 1 to the longest episode.
    seed : numpy.random.SeedSequence
        It is not changed.
    factors : array_like, (N, D, D), optional
        At each row, L of the noise L w, w standard normal, in units of actions; none is BC.
    path : {"diffusion", "flow"}, optional
    n_steps : int, optional
        Denoising steps of the policy's sampler, at least 1; training does not depend on them.
    hidden : tuple of int, optional
    training : Training, optional

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range.
    FloatingPointError
        If training diverges.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    validate.choice("path", path, tuple(PATHS))
    validate.integer("n_steps", n_steps, at_least=1)
    rng = np.random.default_rng(validate.instance("seed", seed, np.random.SeedSequence))
    chunks = demonstrations.chunks(chunk)
    N, D = chunks.shape
    observations, actions = Scale.of(demonstrations.observations), Scale.of(chunks)
    spread = None if factors is None else validate.array("factors", factors, shape=(N, D, D))
    squares, visits = np.zeros(D), 0

    def draw(rng: np.random.Generator, rows: NDArray[np.int64]) -> FloatArray:
        nonlocal visits
        visits += rows.size
        if spread is None:
            return actions.apply(chunks[rows])
        noise = np.einsum("nij,nj->ni", spread[rows], rng.standard_normal((rows.size, D)))
        squares[:] += (noise**2).sum(axis=0)
        return actions.apply(chunks[rows] + noise)

    scaled = observations.apply(demonstrations.observations)
    denoiser = fit_denoiser(PATHS[path], scaled, draw, D, hidden, training, rng)
    added = np.sqrt(squares / visits)
    return ClonedPolicy(denoiser, observations, actions, demonstrations.actions.shape[1], added, n_steps)


_ARRAYS = ("path", "sizes", "parameters", "action_dim", "added", "n_steps")


def save_policy(path: str | os.PathLike[str], policy: ClonedPolicy) -> None:
    """Write a policy as npz; raises as `save_arrays` does."""
    model = validate.instance("policy", policy, ClonedPolicy).denoiser
    own = (model.path.name, model.network.widths, model.parameters, policy.action_dim, policy.added, policy.n_steps)
    scales = policy.observation_scale.arrays("observation") | policy.action_scale.arrays("action")
    save_arrays(path, "policy", dict(zip(_ARRAYS, own, strict=True)) | scales)


def load_policy(path: str | os.PathLike[str]) -> ClonedPolicy:
    """Read what `save_policy` wrote; raises as `load_arrays`, `Network.checked` and `ClonedPolicy` do."""
    found = load_arrays(path, "policy", (*_ARRAYS, *Scale.names("observation"), *Scale.names("action")))
    network = Network.of(found["sizes"])
    name = validate.choice("path", str(found["path"]), tuple(PATHS))
    denoiser = Denoiser(PATHS[name], network, network.checked(found["parameters"]))
    seen, done = (Scale.read(found, name) for name in ("observation", "action"))
    added = validate.array("added", found["added"], shape=(None,))
    return ClonedPolicy(denoiser, seen, done, found["action_dim"].item(), added, found["n_steps"].item())
