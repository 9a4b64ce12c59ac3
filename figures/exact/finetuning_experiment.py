"""The finetuning experiment: policies cloned from the same data start reinforcement learning; J is exact throughout.

For data set r of an instance and each start (BC, or one of three kinds of noise at some level):

    pi_0  = estimator(D_r)                      the cloned policy
    pi_t  = learner(pi_0, episodes 1..t)        episodes are played with the current policy
    curve = J(pi_t)/J*                          at the checkpoints t, computed exactly
    plateau = max J(pi)/J* over all pi that play only actions of pi_0

Comparisons are paired: D_r and the seed of its episodes are the same for every start and learner. Noise levels are
matched, and step sizes are chosen, on other data sets than those that the results come from.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from figures.exact.finetuning_problems import LEARNERS, NOISY, PROBLEMS, STARTS, FinetuningRun, SampleSizes
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular import finetune
from tabular.counts import Counts
from tabular.demonstrations import sample_counts
from tabular.family import family_returns
from tabular.instances import Instance
from tabular.policies import BC, MixtureEstimator, paper_choice, postbc, uniform_noise
from theory.base.streams import stream

FloatArray = NDArray[np.float64]

KEPT = 0.8
"""Matched return: the noise of each kind that keeps this share of BC's expected return, J averaged over data."""

TARGET = 0.9
"""Share of J* for which the episodes until it is first reached are counted."""

MATCHING, TUNING, JUDGING = range(3)
"""Purposes of data sets. Each has separate ones."""


@dataclass(frozen=True, kw_only=True)
class InstanceCell:
    """An instance and `number` data sets of it; `seed` decides random instances and all data sets."""

    instance: str
    quality: float
    seed: int
    number: int

    def built(self) -> Instance:
        """The instance, cached."""
        return _build(self.instance, self.quality, self.seed)


@dataclass(frozen=True, kw_only=True)
class LearningCell(InstanceCell):
    """One start of one learner on data sets `first`, ..., `first + number - 1` of a purpose."""

    start: str
    level: float
    learner: str
    step: float
    episodes: int
    purpose: int
    first: int


def checkpoints(episodes: int) -> NDArray[np.int64]:
    """Numbers of episodes at which J is computed: 0, and at most 39 from 10 on, evenly spaced in the logarithm."""
    positive = 10 * np.round(np.geomspace(10, episodes, 39) / 10)
    return np.unique(np.append(0, positive)).astype(np.int64)


@cache
def _build(name: str, quality: float, seed: int) -> Instance:
    return PROBLEMS[name].build(quality, np.random.default_rng(seed))


def member(instance: Instance, start: str, level: float, n_demos: int) -> MixtureEstimator:
    """Estimator of a start at a noise level from 0 (BC) to 1.

    The level is alpha, but for the posterior: it has alpha = 1, and its level is lambda/(lambda + A).
    """
    H, _, A = instance.mdp.policy_shape
    members = {
        "BC": lambda: BC,
        "uniform noise": lambda: uniform_noise(level),
        "posterior": lambda: MixtureEstimator(1.0, A * level / (1 - level) if level < 1.0 else np.inf, "posterior"),
        "PostBC": lambda: postbc(level, paper_choice(A, H, n_demos).prior_mass),
    }
    return BC if level == 0.0 else members[start]()


def paper_level(instance: Instance, start: str, n_demos: int) -> float:
    """Level of the paper's prescription: its alpha for uniform noise and PostBC, lambda = A for the posterior."""
    H, _, A = instance.mdp.policy_shape
    alpha = paper_choice(A, H, n_demos).alpha
    return {"BC": 0.0, "uniform noise": alpha, "posterior": 0.5, "PostBC": alpha}[start]


def match(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Noise levels at which each start keeps the share `KEPT` of BC's expected return; 1 where full noise keeps more.

    `kept` is the share that each start keeps on the data sets for matching.
    """
    del rng  # data sets have separate seeds
    task = InstanceCell(**cell)
    instance, T = task.built(), PROBLEMS[task.instance].n_demos
    data = [counts for counts, _ in data_sets(task, MATCHING, 0)]

    def kept(start: str, level: float) -> float:
        pair = [BC, member(instance, start, level, T)]
        bc, noisy = np.mean([family_returns(instance.mdp, counts, pair) for counts in data], axis=0)
        return float(noisy / bc)

    levels = dict.fromkeys(STARTS, 0.0)
    for start in NOISY:
        levels[start] = 1.0
        if kept(start, 1.0) < KEPT:
            levels[start] = brentq(lambda level, s=start: kept(s, level) - KEPT, 0.0, 1.0, xtol=1e-10, rtol=1e-9)
    return {
        "levels": np.array(list(levels.values())),
        "kept": np.array([kept(start, level) for start, level in levels.items()]),
    }


def data_sets(cell: InstanceCell, purpose: int, first: int) -> Iterator[tuple[Counts, np.random.Generator]]:
    """Data sets of a cell's instance for a purpose, each with the generator of its learner's episodes."""
    instance, T = cell.built(), PROBLEMS[cell.instance].n_demos
    seed = np.random.SeedSequence(cell.seed, spawn_key=(zlib.crc32(cell.instance.encode()), purpose))
    for r in range(first, first + cell.number):
        counts = sample_counts(instance.mdp, instance.demonstrator, T, stream(seed, 2 * r))
        yield counts, stream(seed, 2 * r + 1)


def improve(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Finetune from a block of data sets.

    `returns` (block, checkpoints) is J over J*, `average` (block,) its mean over the episodes; `plateau` (block,) is
    the largest return that the start's support allows.
    """
    del rng  # data sets have separate seeds
    task = LearningCell(**cell)
    instance = task.built()
    estimator = member(instance, task.start, task.level, PROBLEMS[task.instance].n_demos)
    learner, times = LEARNERS[task.learner].build(task.step), checkpoints(task.episodes)
    returns, plateau = [], []
    for counts, episodes in data_sets(task, task.purpose, task.first):
        policy = estimator.policy(counts)
        returns.append(finetune.finetune(instance.mdp, policy, learner, times, episodes).returns)
        plateau.append(finetune.support_optimum(instance.mdp, policy) / instance.optimal_value)
    shares = np.array(returns) / instance.optimal_value
    return {"returns": shares, "average": over_episodes(shares, times), "plateau": np.array(plateau)}


def seed_of(sweep: Sweep) -> int:
    """Seed of all instances and data sets."""
    return int(sweep.generator("finetuning").integers(2**62))


def instance_cell(run: FinetuningRun, number: int, sweep: Sweep) -> InstanceCell:
    """Cell with a run's instance and `number` data sets."""
    quality = PROBLEMS[run.instance].quality if run.quality is None else run.quality
    return InstanceCell(instance=run.instance, quality=quality, seed=seed_of(sweep), number=number)


def matched(runs: Sequence[FinetuningRun], sizes: SampleSizes, sweep: Sweep) -> dict[InstanceCell, Arrays]:
    """Result of `match` for each instance of the runs, by its cell."""
    cells = list(dict.fromkeys(instance_cell(run, sizes.matching, sweep) for run in runs))
    results = sweep.run("finetuning-levels", match, [asdict(cell) for cell in cells])
    return dict(zip(cells, results, strict=True))


def finetuned(runs: Sequence[FinetuningRun], sizes: SampleSizes, sweep: Sweep) -> list[Arrays]:
    """Match noise levels, choose step sizes, and finetune on new data sets.

    Returns
    -------
    list of dict
        For each run `returns` (replicates, checkpoints), `average`, `plateau` (replicates,); scalars `level`, `step`.
    """
    results_of_matching = matched(runs, sizes, sweep)
    levels = [
        _level(run, results_of_matching[instance_cell(run, sizes.matching, sweep)], instance_cell(run, 1, sweep))
        for run in runs
    ]
    steps = _tuned(runs, levels, sizes, sweep)
    firsts = range(0, sizes.replicates, sizes.block)
    cells = [
        _learning_cell(
            run, level, step, JUDGING, first=first, number=min(sizes.block, sizes.replicates - first), sweep=sweep
        )
        for run, level, step in zip(runs, levels, steps, strict=True)
        for first in firsts
    ]
    blocks = iter(sweep.run("finetuning", improve, [asdict(cell) for cell in cells]))
    results = []
    for level, step in zip(levels, steps, strict=True):
        parts = [next(blocks) for _ in firsts]
        joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        results.append({**joined, "level": np.array(level), "step": np.array(step)})
    return results


def _tuned(runs: Sequence[FinetuningRun], levels: Sequence[float], sizes: SampleSizes, sweep: Sweep) -> list[float]:
    """Step size of each run: the one with the largest mean of J over the episodes on the data sets for tuning."""
    choices = [LEARNERS[run.learner].steps for run in runs]
    trials = [
        _learning_cell(run, level, step, TUNING, first=0, number=sizes.tuning, sweep=sweep)
        for run, level, steps in zip(runs, levels, choices, strict=True)
        for step in steps
        if len(steps) > 1
    ]
    scores = iter(sweep.run("finetuning-steps", improve, [asdict(cell) for cell in trials]))
    best = []
    for steps in choices:
        means = [next(scores)["average"].mean() for _ in steps] if len(steps) > 1 else [0.0]
        best.append(steps[int(np.argmax(means))])
    return best


def _level(run: FinetuningRun, matching: Arrays, cell: InstanceCell) -> float:
    """Noise level of a run."""
    if run.level is not None:
        return run.level
    if run.rule == "paper":
        return paper_level(cell.built(), run.start, PROBLEMS[run.instance].n_demos)
    return float(matching["levels"][STARTS.index(run.start)])


def _learning_cell(
    run: FinetuningRun, level: float, step: float, purpose: int, *, first: int, number: int, sweep: Sweep
) -> LearningCell:
    return LearningCell(
        **asdict(instance_cell(run, number, sweep)),
        start=run.start,
        level=level,
        learner=run.learner,
        step=step,
        episodes=run.budget(),
        purpose=purpose,
        first=first,
    )


def over_episodes(returns: FloatArray, times: NDArray[np.int64]) -> FloatArray:
    """Mean of J over the episodes, by trapezoids between the checkpoints (the last axis): J* minus the mean regret."""
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
    del rng  # data sets have separate seeds
    task = InstanceCell(**cell)
    instance = task.built()
    optima = [
        finetune.support_optimum(instance.mdp, BC.policy(counts)) / instance.optimal_value
        for counts, _ in data_sets(task, JUDGING, 0)
    ]
    return {"plateau": np.array(optima)}
