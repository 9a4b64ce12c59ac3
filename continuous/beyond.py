"""Beyond the paper: alpha by held-out likelihood or number of demonstrations, and noise at a policy's own states.

Each function gives an alpha for `estimators.PostBC` or demonstrations for `cloning.clone`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.cloning import ClonedPolicy
from continuous.demonstrations import Demonstrations
from continuous.ensembles import Recipe, fit_ensemble
from continuous.evaluation import Decision, evaluate
from continuous.task_model import Task
from theory.base import validate
from theory.base.streams import substream

FloatArray = NDArray[np.float64]


def shrunken_alpha(alpha: float, n_episodes: int, mass: float) -> float:
    """Alpha for n demonstrations, alpha sqrt(n / (n + mass)): shrunken as a Dirichlet prior shrinks a variance.

    Parameters
    ----------
    alpha : float
        Value for n -> infinity, at least 0.
    n_episodes : int
        Number of demonstrations n, at least 1.
    mass : float
        Mass of the prior plus one, in demonstrations, at least 0. The variance of Definition 3 is p(1-p)/(n + mass)
        then, that of the bootstrap p(1-p)/n.
    """
    alpha, mass = validate.real("alpha", alpha, at_least=0.0), validate.real("mass", mass, at_least=0.0)
    n = validate.integer("n_episodes", n_episodes, at_least=1)
    return float(alpha * np.sqrt(n / (n + mass)))


def held_out_log_likelihood(
    demonstrations: Demonstrations,
    chunk: int,
    recipe: Recipe,
    seed: np.random.SeedSequence,
    alphas: Sequence[float],
    *,
    n_folds: int = 5,
) -> FloatArray:
    """Mean log-density of held-out chunks under N(mean, alpha^2 Sigma + s^2 I), for each alpha, (A,).

    Mean and Sigma are those of an ensemble fitted to the other folds, and s^2 is its mean squared error on these: the
    part of the error that more demonstrations do not reduce. All in units of the standardised chunk.

    Parameters
    ----------
    demonstrations : Demonstrations
    chunk : int
        Actions of a chunk.
    recipe : Recipe
        Of each fold's ensemble.
    seed : numpy.random.SeedSequence
        It is not changed.
    alphas : sequence of float
        Each at least 0.
    n_folds : int, optional
        Number of folds, of whole episodes, from 2 to the number of episodes; each ensemble needs two episodes or more.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    strengths = validate.array("alphas", alphas, shape=(None,))
    if strengths.size == 0 or (strengths < 0).any():
        raise ValueError(f"alphas must hold numbers of at least 0; got {strengths.tolist()}")
    n = demonstrations.n_episodes
    folds = validate.integer("n_folds", n_folds, at_least=2, at_most=n)
    total = np.zeros(strengths.size)
    for k in range(folds):
        held_out = np.arange(n) % folds == k
        fitted, held = _episodes(demonstrations, ~held_out), _episodes(demonstrations, held_out)
        ensemble = fit_ensemble(fitted, chunk, recipe, substream(seed, k))
        scale = ensemble.action_scale.spread
        error = (fitted.chunks(chunk) - ensemble.mean(fitted.observations)) / scale
        residual = (held.chunks(chunk) - ensemble.mean(held.observations)) / scale
        covariance = ensemble.covariance(held.observations) / np.outer(scale, scale)
        irreducible = np.mean(error**2) * np.eye(scale.size)
        for i, alpha in enumerate(strengths):
            predictive = alpha**2 * covariance + irreducible
            log_volume = np.linalg.slogdet(2 * np.pi * predictive)[1]
            squares = np.einsum("ni,ni->n", residual, np.linalg.solve(predictive, residual[:, :, None])[:, :, 0])
            total[i] -= 0.5 * float((log_volume + squares).sum())
    return total / len(demonstrations.observations)


def with_own_states(
    task: Task, policy: ClonedPolicy, demonstrations: Demonstrations, n_episodes: int, seed: np.random.SeedSequence
) -> Demonstrations:
    """Append episodes of a policy to the demonstrations, so that noise is added at the states it visits, too.

    The policy is called at each step and does the first action of its chunk; rewards are not used.

    Parameters
    ----------
    task : Task
    policy : ClonedPolicy
        Its actions are imitated at the appended states, so usually one without added noise.
    demonstrations : Demonstrations
        Of the task.
    n_episodes : int
        At least 1.
    seed : numpy.random.SeedSequence
        It is not changed.
    """
    validate.instance("task", task, Task)
    validate.instance("policy", policy, ClonedPolicy)
    validate.instance("demonstrations", demonstrations, Demonstrations)
    if (demonstrations.observations.shape[1], demonstrations.actions.shape[1]) != (
        task.observation_dim,
        task.action_dim,
    ):
        raise ValueError(
            f"demonstrations must be of the task {task.name}; got observations of "
            f"{demonstrations.observations.shape[1]} numbers and actions of {demonstrations.actions.shape[1]}"
        )
    decisions: list[Decision] = []
    chunks: list[FloatArray] = []

    def act(observations: Any, rng: np.random.Generator) -> FloatArray:
        chunks.append(policy.act(observations, rng)[:, :1])
        return chunks[-1]

    evaluate(task, act, n_episodes, seed, record=decisions.append)
    episode = np.concatenate([decision.episodes for decision in decisions])
    observations = np.concatenate([decision.observations for decision in decisions])
    order = np.argsort(episode, kind="stable")  # by episode; stable, so each stays in the order of time
    ends = np.cumsum(np.bincount(episode, minlength=n_episodes)) + len(demonstrations.observations)
    return Demonstrations(
        np.concatenate([demonstrations.observations, observations[order]]),
        np.concatenate([demonstrations.actions, np.concatenate(chunks)[:, 0][order]]),
        np.concatenate([demonstrations.episode_ends, ends]),
    )


def _episodes(demonstrations: Demonstrations, wanted: NDArray[np.bool_]) -> Demonstrations:
    """The wanted episodes."""
    rows = wanted[demonstrations.episode_of]
    lengths = np.diff(demonstrations.episode_ends, prepend=0)[wanted]
    return Demonstrations(demonstrations.observations[rows], demonstrations.actions[rows], np.cumsum(lengths))
