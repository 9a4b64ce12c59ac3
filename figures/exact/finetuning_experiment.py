"""The finetuning experiment: policies cloned from the same data start reinforcement learning; J is exact throughout.

Everything is relative to J*. Data set r of an instance is the same for every start and every learner, and so is
the seed of its episodes: comparisons are paired. Levels of noise and step sizes are chosen on data sets of their own.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular import constructions, finetune, instances
from tabular.counts import Counts
from tabular.demonstrations import sample_counts
from tabular.family import family_returns
from tabular.instances import Instance
from tabular.policies import BC, MixtureEstimator, paper_choice, postbc, uniform_noise
from theory.base.streams import stream

FloatArray = NDArray[np.float64]

STARTS = ("BC", "uniform noise", "posterior", "PostBC")
NOISY = STARTS[1:]

KEPT = 0.8
"""Matched return: the noise of each kind that leaves this share of BC's expected return, J averaged over data."""

TARGET = 0.9
"""Share of J* whose first reaching is counted in episodes."""

EPSILON = 0.01
"""Of the paper's bandits; five demonstrations are as many as prop-bc-fails allows, 1/(20 epsilon)."""


@dataclass(frozen=True)
class Task:
    """An instance with its demonstrator's quality (a skill or a temperature), demonstrations, and episodes to learn."""

    build: Callable[[float, np.random.Generator], Instance]
    quality: float
    n_demos: int
    episodes: int


TASKS = {
    "B.1 bandit": Task(lambda eps, _: constructions.two_bandits(eps)[0], EPSILON, 5, 1000),
    "funnel": Task(lambda skill, _: instances.funnel(50, 6, 3, detour=0.05, skill=skill), 0.5, 200, 120_000),
    "DeepSea": Task(lambda skill, _: instances.deep_sea(10, skill), 0.8, 10, 10_000),
    "deterministic lock": Task(lambda skill, _: instances.chain_lock(10, 4, skill), 1.0, 10, 3000),
    "stochastic lock": Task(lambda skill, _: instances.chain_lock(10, 4, skill, slip=0.05), 0.8, 10, 10_000),
    "grid": Task(lambda heat, _: instances.grid(5, 20, temperature=heat), 0.1, 10, 10_000),
    "Garnet": Task(lambda heat, rng: instances.garnet(20, 4, 4, 10, rng, heat), 0.3, 20, 30_000),
    "FrozenLake8x8": Task(
        lambda heat, _: instances.from_gymnasium("FrozenLake8x8-v1", 100, temperature=heat), 0.01, 100, 10_000
    ),
}

LEARNERS: dict[str, tuple[Callable[[float], finetune.Learner], tuple[float, ...]]] = {
    "natural gradient": (finetune.NaturalPolicyGradient, (0.1, 0.5, 2.0)),
    "policy gradient": (finetune.PolicyGradient, (0.5, 2.0, 8.0)),
    "policy gradient, exact critic": (lambda step: finetune.PolicyGradient(step, exact_critic=True), (0.5, 2.0, 8.0)),
    "PPO": (lambda step: finetune.PPO(step, epochs=4), (0.5, 2.0, 8.0)),
    "optimistic planning": (finetune.OptimisticValueIteration, (0.01, 0.05, 0.25)),
    "Best-of-16": (lambda _: finetune.BestOfNLearner(16, 5), (1.0,)),
}
"""Each learner by its step size (or bonus), and the sizes that every start may choose from."""

MATCHING, TUNING, JUDGING = range(3)
"""What data sets are drawn for: each purpose has its own."""


@dataclass(frozen=True)
class Run:
    """One start of one learner on one instance.

    Parameters
    ----------
    instance : str
        Of `TASKS`.
    start : str
        Of `STARTS`.
    rule : {"matched", "paper"}, optional
        Noise at matched return, or as the paper prescribes it.
    learner : str, optional
        Of `LEARNERS`.
    episodes : int, optional
        The task's own, if not given.
    quality : float, optional
        The task's own, if not given.
    level : float, optional
        Of noise, in place of the one by the rule.
    """

    instance: str
    start: str
    rule: str = "matched"
    learner: str = "natural gradient"
    episodes: int | None = None
    quality: float | None = None
    level: float | None = None

    def settings(self) -> dict[str, Any]:
        """All that decides the instance, JSON-ready."""
        task = TASKS[self.instance]
        return {"instance": self.instance, "quality": task.quality if self.quality is None else self.quality}

    def budget(self) -> int:
        """Episodes to learn from."""
        return TASKS[self.instance].episodes if self.episodes is None else self.episodes


@dataclass(frozen=True)
class Size:
    """How much is computed: replicates, of which so many a cell; data sets to tune and to match on."""

    replicates: int
    block: int
    tuning: int
    matching: int


def checkpoints(episodes: int) -> NDArray[np.int64]:
    """Numbers of episodes at which J is computed: 0, and from 10 on evenly in the logarithm, 40 or fewer in all."""
    late = 10 * np.round(np.geomspace(10, episodes, 39) / 10)
    return np.unique(np.append(0, late)).astype(np.int64)


def build(cell: Cell) -> Instance:
    """Instance of a cell, remembered."""
    return _build(cell["instance"], cell["quality"], cell["seed"])


@cache
def _build(name: str, quality: float, seed: int) -> Instance:
    return TASKS[name].build(quality, np.random.default_rng(seed))


def member(instance: Instance, start: str, level: float, n_demos: int) -> MixtureEstimator:
    """MixtureEstimator of a start: its level of noise runs from 0 (BC) to 1.

    The level is alpha; the posterior alone has alpha = 1, and a level that is lambda/(lambda + A).
    """
    H, _, A = instance.mdp.policy_shape
    if start == "BC" or level == 0.0:
        return BC
    if start == "uniform noise":
        return uniform_noise(level)
    if start == "posterior":
        return MixtureEstimator(1.0, A * level / (1 - level) if level < 1.0 else np.inf, "posterior")
    return postbc(level, paper_choice(A, H, n_demos).prior_mass)


def paper_level(instance: Instance, start: str, n_demos: int) -> float:
    """Level of the paper's prescription: its alpha for uniform noise and PostBC, lambda = A for the posterior."""
    H, _, A = instance.mdp.policy_shape
    return {"BC": 0.0, "posterior": 0.5}.get(start, paper_choice(A, H, n_demos).alpha)


def match(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Levels at which each start keeps the share `KEPT` of BC's expected return; 1 where no noise costs so much.

    `kept` is the share that it keeps on the data sets of the matching.
    """
    del rng  # the data sets have seeds of their own
    instance, T = build(cell), TASKS[cell["instance"]].n_demos
    data = [counts for counts, _ in data_sets(cell, MATCHING, 0, cell["matching"])]

    def kept(start: str, level: float) -> float:
        found = [family_returns(instance.mdp, c, [BC, member(instance, start, level, T)]) for c in data]
        bc, noisy = np.mean(found, axis=0)
        return float(noisy / bc)

    levels = np.zeros(len(STARTS))
    for i, start in enumerate(NOISY, start=1):
        levels[i] = 1.0
        if kept(start, 1.0) < KEPT:
            levels[i] = brentq(lambda level, s=start: kept(s, level) - KEPT, 0.0, 1.0, xtol=1e-10, rtol=1e-9)
    return {"levels": levels, "kept": np.array([kept(s, x) for s, x in zip(STARTS, levels, strict=True)])}


def data_sets(cell: Cell, purpose: int, first: int, number: int) -> Iterator[tuple[Counts, np.random.Generator]]:
    """Data sets of an instance, each with the generator of its learner's episodes."""
    instance, T = build(cell), TASKS[cell["instance"]].n_demos
    seed = np.random.SeedSequence(cell["seed"], spawn_key=(zlib.crc32(cell["instance"].encode()), purpose))
    for r in range(first, first + number):
        counts = sample_counts(instance.mdp, instance.demonstrator, T, stream(seed, 2 * r))
        yield counts, stream(seed, 2 * r + 1)


def improve(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Finetune from a block of data sets.

    `returns` (block, checkpoints) is J over J*, `average` (block,) its mean over the episodes; `plateau` (block,) is
    the most that the start's support allows.
    """
    del rng  # as in `match`
    instance, T = build(cell), TASKS[cell["instance"]].n_demos
    estimator = member(instance, cell["start"], cell["level"], T)
    learner = LEARNERS[cell["learner"]][0](cell["step"])
    returns, plateau = [], []
    for counts, episodes in data_sets(cell, cell["purpose"], cell["first"], cell["number"]):
        policy = estimator.policy(counts)
        found = finetune.finetune(instance.mdp, policy, learner, checkpoints(cell["episodes"]), episodes)
        returns.append(found.returns / instance.optimal_value)
        plateau.append(finetune.support_optimum(instance.mdp, policy) / instance.optimal_value)
    return {
        "returns": np.array(returns),
        "average": over_episodes(np.array(returns), checkpoints(cell["episodes"])),
        "plateau": np.array(plateau),
    }


def seed_of(sweep: Sweep) -> int:
    """Seed of all instances and data sets."""
    return int(sweep.generator("finetuning").integers(2**62))


def matched(runs: Sequence[Run], size: Size, sweep: Sweep) -> dict[str, Arrays]:
    """What `match` found for each instance of the runs, by the instance's settings as text."""
    cells = {str(run.settings()): {**run.settings(), "seed": seed_of(sweep), "matching": size.matching} for run in runs}
    return dict(zip(cells, sweep.run("finetuning-levels", match, list(cells.values())), strict=True))


def finetuned(runs: Sequence[Run], size: Size, sweep: Sweep) -> list[Arrays]:
    """Match, tune, and finetune on new data sets.

    The step size of each run is the one with the largest mean of J over the episodes (the least regret) on the data
    sets for tuning.

    Returns
    -------
    list of dict
        For each run `returns` (replicates, checkpoints), `average`, `plateau` (replicates,); scalars `level`, `step`.
    """
    levels = matched(runs, size, sweep)
    bases = [_base(run, levels[str(run.settings())], sweep) for run in runs]
    trials = [
        {**base, "step": step, "purpose": TUNING, "first": 0, "number": size.tuning}
        for base in bases
        for step in _choices(base)
        if len(_choices(base)) > 1
    ]
    scores = iter(sweep.run("finetuning-steps", improve, trials))
    for base in bases:
        steps = _choices(base)
        mean = [next(scores)["average"].mean() for _ in steps] if len(steps) > 1 else [0.0]
        base["step"] = steps[int(np.argmax(mean))]
    cells = [
        {**base, "purpose": JUDGING, "first": first, "number": min(size.block, size.replicates - first)}
        for base in bases
        for first in range(0, size.replicates, size.block)
    ]
    blocks = sweep.run("finetuning", improve, cells)
    each = len(cells) // len(bases)
    return [
        {
            **{key: np.concatenate([b[key] for b in blocks[i * each : (i + 1) * each]]) for key in blocks[0]},
            "level": np.array(base["level"]),
            "step": np.array(base["step"]),
        }
        for i, base in enumerate(bases)
    ]


def _choices(base: Cell) -> tuple[float, ...]:
    return LEARNERS[base["learner"]][1]


def _base(run: Run, found: Arrays, sweep: Sweep) -> dict[str, Any]:
    cell = {**run.settings(), "seed": seed_of(sweep)}
    level = float(found["levels"][STARTS.index(run.start)])
    if run.level is not None:
        level = run.level
    elif run.rule == "paper":
        level = paper_level(build(cell), run.start, TASKS[run.instance].n_demos)
    return {**cell, "start": run.start, "level": level, "learner": run.learner, "episodes": run.budget()}


def over_episodes(returns: FloatArray, times: NDArray[np.int64]) -> FloatArray:
    """Mean of J over the episodes, by trapezoids between the checkpoints (the last axis): J* less the mean regret."""
    area: FloatArray = np.trapezoid(returns, times, axis=-1) / times[-1]
    return area


def first_time(returns: FloatArray, times: NDArray[np.int64], target: float = TARGET) -> FloatArray:
    """Episodes at the first checkpoint that reaches the target; infinite where none does.

    Parameters
    ----------
    returns : ndarray, (..., N)
    times : ndarray of int, (N,)
    target : float, optional

    Returns
    -------
    ndarray, (...)
    """
    reached = returns >= target
    return np.where(reached.any(axis=-1), times[reached.argmax(axis=-1)], np.inf)


def plateaus(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Plateaus of BC over J*, on the first `number` data sets."""
    del rng  # as in `match`
    instance = build(cell)
    found = [
        finetune.support_optimum(instance.mdp, BC.policy(counts)) / instance.optimal_value
        for counts, _ in data_sets(cell, JUDGING, 0, cell["number"])
    ]
    return {"plateau": np.array(found)}
