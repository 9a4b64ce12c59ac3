"""Instances, starting policies and learners of finetuning, and one run of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from figures.look import palette
from tabular import constructions, finetune, instances
from tabular.instances import Instance

STARTS = ("BC", "uniform noise", "posterior", "PostBC")
NOISY = ("uniform noise", "posterior", "PostBC")

EPSILON = 0.01
"""Of the paper's bandits; five demonstrations are the most that prop-bc-fails allows, 1/(20 epsilon)."""


@dataclass(frozen=True, kw_only=True)
class FinetuningProblem:
    """An instance to finetune on.

    Parameters
    ----------
    build : callable
        Instance for a quality of the demonstrator, and a generator for random instances.
    quality : float
        Of the demonstrator: epsilon of B.1, a skill (higher is better) or a temperature (lower is better).
    n_demos : int
        Number of demonstrations T.
    episodes : int
        Episodes to learn from.
    """

    build: Callable[[float, np.random.Generator], Instance]
    quality: float
    n_demos: int
    episodes: int


PROBLEMS = {
    "B.1 bandit": FinetuningProblem(
        build=lambda eps, _: constructions.two_bandits(eps)[0], quality=EPSILON, n_demos=5, episodes=1000
    ),
    "funnel": FinetuningProblem(
        build=lambda skill, _: instances.funnel(50, 6, 3, detour=0.05, skill=skill),
        quality=0.5,
        n_demos=200,
        episodes=120_000,
    ),
    "DeepSea": FinetuningProblem(
        build=lambda skill, _: instances.deep_sea(10, skill), quality=0.8, n_demos=10, episodes=10_000
    ),
    "deterministic lock": FinetuningProblem(
        build=lambda skill, _: instances.chain_lock(10, 4, skill), quality=1.0, n_demos=10, episodes=3000
    ),
    "stochastic lock": FinetuningProblem(
        build=lambda skill, _: instances.chain_lock(10, 4, skill, slip=0.05), quality=0.8, n_demos=10, episodes=10_000
    ),
    "grid": FinetuningProblem(
        build=lambda heat, _: instances.grid(5, 20, temperature=heat), quality=0.1, n_demos=10, episodes=10_000
    ),
    "Garnet": FinetuningProblem(
        build=lambda heat, rng: instances.garnet(20, 4, 4, 10, rng, heat), quality=0.3, n_demos=20, episodes=30_000
    ),
    "FrozenLake8x8": FinetuningProblem(
        build=lambda heat, _: instances.from_gymnasium("FrozenLake8x8-v1", 100, temperature=heat),
        quality=0.01,
        n_demos=100,
        episodes=10_000,
    ),
}


@dataclass(frozen=True, kw_only=True)
class LearnerChoice:
    """A learner and the step sizes (or bonuses) from which each start takes its best.

    Parameters
    ----------
    build : callable
        Learner with a step size.
    steps : tuple of float
        In increasing order.
    """

    build: Callable[[float], finetune.Learner]
    steps: tuple[float, ...]


LEARNERS: dict[str, LearnerChoice] = {
    "natural gradient": LearnerChoice(build=finetune.NaturalPolicyGradient, steps=(0.1, 0.5, 2.0)),
    "policy gradient": LearnerChoice(build=finetune.PolicyGradient, steps=(0.5, 2.0, 8.0)),
    "PPO": LearnerChoice(build=lambda step: finetune.PPO(step, epochs=4), steps=(0.5, 2.0, 8.0)),
    "optimistic planning": LearnerChoice(build=finetune.OptimisticValueIteration, steps=(0.01, 0.05, 0.25)),
    "Best-of-16": LearnerChoice(build=lambda _: finetune.BestOfNLearner(16, 5), steps=(1.0,)),
    "policy gradient, exact critic": LearnerChoice(
        build=lambda step: finetune.PolicyGradient(step, exact_critic=True), steps=(0.5, 2.0, 8.0)
    ),
}
"""Learners by name, in the order of their colours. Further entries go to the end."""


def learner_look(name: str) -> tuple[str, str]:
    """Colour and marker of a learner."""
    k = list(LEARNERS).index(name)
    return palette.series_colour(k), palette.series_marker(k)


@dataclass(frozen=True, kw_only=True)
class FinetuningRun:
    """One start of one learner on one instance.

    Parameters
    ----------
    instance : str
        Of `PROBLEMS`.
    start : str
        Of `STARTS`.
    rule : {"matched", "paper"}, optional
        Whether the noise level is that of matched return, or the paper's.
    learner : str, optional
        Of `LEARNERS`.
    episodes, quality : optional
        Instead of those of the problem.
    level : float, optional
        Noise level, instead of that of the rule.
    """

    instance: str
    start: str
    rule: str = "matched"
    learner: str = "natural gradient"
    episodes: int | None = None
    quality: float | None = None
    level: float | None = None

    def budget(self) -> int:
        """Episodes to learn from."""
        return PROBLEMS[self.instance].episodes if self.episodes is None else self.episodes


@dataclass(frozen=True, kw_only=True)
class SampleSizes:
    """Numbers of data sets.

    Parameters
    ----------
    replicates : int
        From which results come.
    block : int
        Replicates that are computed in one cell.
    tuning : int
        On which step sizes are chosen.
    matching : int
        On which noise levels are matched.
    """

    replicates: int
    block: int
    tuning: int
    matching: int
