"""Beyond the paper: PostBC whose strength the data choose, or shrink with their number, or whose noise reaches further.

Each gives a strength for `cloning.posterior_factors` or demonstrations for `cloning.clone`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.cloning import ClonedPolicy
from continuous.demonstrations import Demonstrations
from continuous.ensembles import Recipe, fit_ensemble
from continuous.evaluation import Decision, evaluate
from continuous.tasks import Task
from theory.base import validate
from theory.base.streams import substream

FloatArray = NDArray[np.float64]


def shrunken_alpha(alpha: float, n_episodes: int, mass: float) -> float:
    """Strength alpha sqrt(n / (n + mass)), as a prior of so many demonstrations shrinks a Dirichlet's variance.

    Parameters
    ----------
    alpha : float
        At least 0: the strength where data abound.
    n_episodes : int
        Demonstrations n, at least 1.
    mass : float
        At least 0, in demonstrations: the prior's and one. Definition 3's variance is p(1-p)/(n + mass) then, beside
        the bootstrap's p(1-p)/n.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
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
    """Log-density, a row, of held-out chunks under N(mean, alpha^2 Sigma + s^2 I), for each alpha, (A,).

    Mean and Sigma are those of an ensemble of the other folds, and s^2 its mean squared error where it was fitted: what
    no number of demonstrations takes away. All in units of the standardised chunk.

    Parameters
    ----------
    demonstrations : Demonstrations
    chunk : int
    recipe : Recipe
        Of each ensemble.
    seed : numpy.random.SeedSequence
        It is not changed.
    alphas : sequence of float
        Each at least 0.
    n_folds : int, optional
        Of whole episodes, at least 2 and at most as many as there are; two or more episodes must be left to each.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    strengths = validate.array("alphas", alphas, shape=(None,))
    if strengths.size == 0 or (strengths < 0).any():
        raise ValueError(f"alphas must hold numbers of at least 0; got {strengths.tolist()}")
    n = demonstrations.n_episodes
    folds = validate.integer("n_folds", n_folds, at_least=2, at_most=n)
    total = np.zeros(strengths.size)
    for k in range(folds):
        out = np.arange(n) % folds == k
        kept, held = _episodes(demonstrations, ~out), _episodes(demonstrations, out)
        ensemble = fit_ensemble(kept, chunk, recipe, substream(seed, k))
        scale = ensemble.action_scale.spread
        error = (kept.chunks(chunk) - ensemble.mean(kept.observations)) / scale
        left = (held.chunks(chunk) - ensemble.mean(held.observations)) / scale
        covariance = ensemble.covariance(held.observations) / np.outer(scale, scale)
        eye = np.mean(error**2) * np.eye(scale.size)
        for i, alpha in enumerate(strengths):
            whole = alpha**2 * covariance + eye
            size = np.linalg.slogdet(2 * np.pi * whole)[1]
            away = np.einsum("ni,ni->n", left, np.linalg.solve(whole, left[:, :, None])[:, :, 0])
            total[i] -= 0.5 * float((size + away).sum())
    return total / len(demonstrations.observations)


def with_own_states(
    task: Task, policy: ClonedPolicy, demonstrations: Demonstrations, n_episodes: int, seed: np.random.SeedSequence
) -> Demonstrations:
    """Append episodes of a policy to the demonstrations, so that noise is trained at the states it visits, too.

    The policy looks at each step and does the first action of its chunk; rewards are not looked at.

    Parameters
    ----------
    task : Task
    policy : ClonedPolicy
        Without noise, as a rule: what it does is what is imitated there.
    demonstrations : Demonstrations
        Of the task.
    n_episodes : int
        At least 1.
    seed : numpy.random.SeedSequence
        It is not changed.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or does not fit the task.
    """
    validate.instance("task", task, Task)
    validate.instance("policy", policy, ClonedPolicy)
    validate.instance("demonstrations", demonstrations, Demonstrations)
    if (demonstrations.observations.shape[1], demonstrations.actions.shape[1]) != (
        task.observation_dim,
        task.action_dim,
    ):
        raise ValueError(
            f"demonstrations must be of the task {task.name}; got {demonstrations.observations.shape[1]} numbers "
            f"observed and {demonstrations.actions.shape[1]} of an action"
        )
    decisions: list[Decision] = []
    chunks: list[FloatArray] = []

    def act(observations: Any, rng: np.random.Generator) -> FloatArray:
        chunks.append(policy.act(observations, rng)[:, :1])
        return chunks[-1]

    evaluate(task, act, n_episodes, seed, record=decisions.append)
    episode = np.concatenate([one.rows for one in decisions])
    order = np.argsort(episode, kind="stable")  # of each episode, in the order of time
    ends = np.cumsum(np.bincount(episode, minlength=n_episodes)) + len(demonstrations.observations)
    return Demonstrations(
        np.concatenate([demonstrations.observations, np.concatenate([one.observations for one in decisions])[order]]),
        np.concatenate([demonstrations.actions, np.concatenate(chunks)[:, 0][order]]),
        np.concatenate([demonstrations.episode_ends, ends]),
    )


def _episodes(demonstrations: Demonstrations, wanted: NDArray[np.bool_]) -> Demonstrations:
    """Those episodes alone."""
    rows = wanted[demonstrations.episode_of]
    lengths = np.diff(demonstrations.episode_ends, prepend=0)[wanted]
    return Demonstrations(demonstrations.observations[rows], demonstrations.actions[rows], np.cumsum(lengths))
