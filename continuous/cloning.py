"""Algorithm B: behavioral cloning by a diffusion policy, with noise on its targets that is drawn afresh at each visit.

No noise is BC; isotropic noise is sigma-BC; alpha times the ensemble's spread is PostBC. What was added is recorded.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.demonstrations import Demonstrations, Scale
from continuous.diffusion import Diffusion, fit_diffusion, sample
from continuous.ensembles import Ensemble, cholesky_factors
from continuous.training import Training
from theory import validate

FloatArray = NDArray[np.float64]

DEFAULT_TRAINING = Training(n_steps=2500, batch=128, rate=1e-3)
N_LEVELS = 8
"""Denoising steps of a policy's sampler."""


@dataclass(frozen=True, eq=False)
class ClonedPolicy:
    """A diffusion policy in units of observations and actions.

    Attributes
    ----------
    diffusion : Diffusion
    observation_scale, action_scale : Scale
    action_dim : int
    added : ndarray, (D,)
        Root mean square of the noise that was added to each entry of a chunk, in units of actions.
    """

    diffusion: Diffusion
    observation_scale: Scale
    action_scale: Scale
    action_dim: int
    added: FloatArray

    @property
    def latent_dim(self) -> int:
        """Entries D of a latent, as of a chunk."""
        return int(self.added.size)

    @property
    def added_noise(self) -> float:
        """Root mean square over entries of the noise that was added."""
        return float(np.sqrt(np.mean(self.added**2)))

    def act(self, observations: Any, rng: np.random.Generator) -> FloatArray:
        """Draw a chunk at each observation: (N, observation_dim) -> (N, chunk, action_dim)."""
        seen = validate.array("observations", observations, shape=(None, self.observation_scale.mean.size))
        latents = validate.generator("rng", rng).standard_normal((len(seen), self.added.size))
        return self.decode(seen, latents)

    def decode(self, observations: Any, latents: Any) -> FloatArray:
        """Chunks that latents (N, D) are carried to, (N, chunk, action_dim), clipped to [-1, 1].

        Raises
        ------
        TypeError, ValueError
            If a shape is wrong or a number is not finite.
        """
        seen = validate.array("observations", observations, shape=(None, self.observation_scale.mean.size))
        z = validate.array("latents", latents, shape=(len(seen), self.added.size))
        chunks = self.action_scale.undo(sample(self.diffusion.at(self.observation_scale.apply(seen)), z, N_LEVELS))
        return np.clip(chunks, -1.0, 1.0).reshape(len(seen), -1, self.action_dim)


def isotropic(demonstrations: Demonstrations, chunk: int, sigma: float) -> FloatArray:
    """Factors of sigma-BC at each row, (N, D, D): sigma, in units of actions, times the identity.

    Parameters
    ----------
    demonstrations : Demonstrations
    chunk : int
        At least 1.
    sigma : float
        At least 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    D = validate.integer("chunk", chunk, at_least=1) * demonstrations.actions.shape[1]
    sigma = validate.real("sigma", sigma, at_least=0.0)
    return np.asarray(np.broadcast_to(sigma * np.eye(D), (len(demonstrations.observations), D, D)))


def posterior(
    demonstrations: Demonstrations, ensemble: Ensemble, alpha: float, *, diagonal: bool = False
) -> FloatArray:
    """Factors of PostBC at each row, (N, D, D): alpha times those of the ensemble's covariance there.

    Parameters
    ----------
    demonstrations : Demonstrations
    ensemble : Ensemble
    alpha : float
        At least 0.
    diagonal : bool, optional
        The covariance's diagonal alone.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    alpha = validate.real("alpha", alpha, at_least=0.0)
    covariance = validate.instance("ensemble", ensemble, Ensemble).covariance(
        demonstrations.observations, diagonal=diagonal
    )
    return alpha * cholesky_factors(covariance)


def clone(
    demonstrations: Demonstrations,
    chunk: int,
    seed: np.random.SeedSequence,
    *,
    factors: Any = None,
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
    diffusion = fit_diffusion(scaled, draw, D, hidden, training, rng)
    return ClonedPolicy(diffusion, observations, actions, demonstrations.actions.shape[1], np.sqrt(squares / visits))
