"""The grid of finetuning in continuous control, computed in blocks: all policies of one task, n and training seed.

The policies of a block share their demonstrations, the random streams of ensemble, cloning and learner, and the first
states of every evaluation (see `pretraining`), so they are compared in pairs. Several figures show parts of the same
blocks. `tables` makes rows and arrays from them. Noise is always the noise that was really added.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from continuous.best_of_n import BestOfN, finetune_best_of_n
from continuous.cloning import ClonedPolicy
from continuous.dppo import DPPO, finetune_dppo
from continuous.dsrl import DSRL, finetune_dsrl
from continuous.finetuning import Finetuned
from continuous.tasks import TASKS
from figures.control import pretraining
from figures.control.pretraining import PUBLISHED_EFFORT, QUICK_EFFORT, ControlCell, Effort
from figures.control.variants import PolicySpec, Workshop
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep

SIGMAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.8)
ALPHAS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""The paper's largest alpha is 2, which is not always enough here."""

EXPERIMENT = "continuous-finetuning"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the finetuners. All others have the defaults of `continuous`.

    Parameters
    ----------
    rounds, updates : int
        Of DSRL: rounds of 25 episodes, after 100 random ones, and updates after each round.
    rollouts : tuple of int
        Of Best-of-N: numbers of episodes after which a critic is fitted.
    critic_updates, critic_width : int
        Of the critic of Best-of-N.
    iterations : int
        Of DPPO, 50 episodes each.
    evaluation_episodes : int
        Of DSRL and DPPO. Best-of-N takes half as many, because its evaluation costs N times as much.
    """

    rounds: int = 16
    updates: int = 600
    rollouts: tuple[int, ...] = (1000,)
    critic_updates: int = 10_000
    critic_width: int = 64
    iterations: int = 30
    evaluation_episodes: int = 200


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a grid.

    Parameters
    ----------
    tasks : tuple of str
    n_demos : tuple of int
    n_seeds : int
    policies : tuple of PolicySpec
        The pretrained policies.
    finetuners : tuple of str, optional
        Of `FINETUNERS`.
    settings : Settings, optional
    effort : Effort, optional
    first_seed : int, optional
    setting : str, optional
        Name of the finetuners' settings, if they are not the usual ones; part of a learner's name in tables.
    """

    tasks: tuple[str, ...]
    n_demos: tuple[int, ...]
    n_seeds: int
    policies: tuple[PolicySpec, ...]
    finetuners: tuple[str, ...] = ("DSRL",)
    settings: Settings = Settings()
    effort: Effort = PUBLISHED_EFFORT
    first_seed: int = 0
    setting: str = ""


@dataclass(frozen=True, kw_only=True)
class Block(ControlCell):
    """One block of a grid, the cell of `run_block`.

    Parameters
    ----------
    policies : tuple of PolicySpec
    finetuners : tuple of str
    settings : Settings
    setting : str
        As for `Config`.
    """

    policies: tuple[PolicySpec, ...]
    finetuners: tuple[str, ...]
    settings: Settings
    setting: str

    @classmethod
    def _read(cls, cell: Cell) -> dict[str, Any]:
        settings = {**cell["settings"], "rollouts": tuple(cell["settings"]["rollouts"])}
        return {
            **super()._read(cell),
            "policies": tuple(PolicySpec(**policy) for policy in cell["policies"]),
            "finetuners": tuple(cell["finetuners"]),
            "settings": Settings(**settings),
        }


def policies_by_strength(sigmas: Sequence[float] = SIGMAS, alphas: Sequence[float] = ALPHAS) -> tuple[PolicySpec, ...]:
    """BC, then sigma-BC and PostBC at each of their strengths."""
    return PolicySpec(family="BC"), *noisy_policies(sigmas, alphas)


def noisy_policies(sigmas: Sequence[float], alphas: Sequence[float]) -> tuple[PolicySpec, ...]:
    """Sigma-BC, then PostBC, at each of their strengths."""
    return (
        *(PolicySpec(family="sigma-BC", strength=sigma) for sigma in sigmas),
        *(PolicySpec(family="PostBC", strength=alpha) for alpha in alphas),
    )


QUICK = Config(
    tasks=("reach", "stick"), n_demos=(10,), n_seeds=4, policies=policies_by_strength((0.2, 0.4), (1.0, 2.0)),
    settings=Settings(rounds=6, evaluation_episodes=100), effort=QUICK_EFFORT,
)  # fmt: skip


def _dsrl(block: Block, policy: ClonedPolicy, seeds: Sequence[np.random.SeedSequence]) -> tuple[Finetuned, ...]:
    settings = block.settings
    dsrl = DSRL(
        rounds=settings.rounds, updates=settings.updates, evaluate_every=max(1, settings.rounds // 4),
        evaluation_episodes=settings.evaluation_episodes,
    )  # fmt: skip
    return (finetune_dsrl(TASKS[block.task], policy, dsrl, *seeds),)


def _dppo(block: Block, policy: ClonedPolicy, seeds: Sequence[np.random.SeedSequence]) -> tuple[Finetuned, ...]:
    settings = block.settings
    dppo = DPPO(
        iterations=settings.iterations, evaluate_every=max(1, settings.iterations // 4),
        evaluation_episodes=settings.evaluation_episodes,
    )  # fmt: skip
    return (finetune_dppo(TASKS[block.task], policy, dppo, *seeds),)


def _best_of_n(block: Block, policy: ClonedPolicy, seeds: Sequence[np.random.SeedSequence]) -> tuple[Finetuned, ...]:
    settings = block.settings
    best_of_n = BestOfN(
        rollouts=settings.rollouts, updates=settings.critic_updates, hidden=(settings.critic_width,) * 2,
        evaluation_episodes=max(1, settings.evaluation_episodes // 2),
    )  # fmt: skip
    return finetune_best_of_n(TASKS[block.task], policy, best_of_n, *seeds)


FINETUNERS = {"DSRL": _dsrl, "Best-of-N": _best_of_n, "DPPO": _dppo}
"""By name, what finetunes a policy of a block: one result, or for Best-of-N one for each number of candidates."""


def finetune(block: Block, finetuner: str, policy: ClonedPolicy) -> tuple[Finetuned, ...]:
    """Finetune a policy of a block by one of `FINETUNERS`."""
    seeds = [pretraining.seed(block, purpose) for purpose in (pretraining.LEARNER, pretraining.EVALUATION)]
    return FINETUNERS[finetuner](block, policy, seeds)


def run_block(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Pretrain and finetune all policies of a block. All random numbers follow from the cell; `rng` is unused.

    Parameters
    ----------
    cell : mapping
        As `Block.to_cell` gives it.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Of the P policies: `strength`, the strength that was used; `noise`, the root mean square that was added, in
        units of actions; `pretrain_seconds` of the processor (an ensemble that another policy has fitted costs
        nothing), each (P,). Of each finetuner: `success <name>` (P, results, checkpoints), the first checkpoint being
        the pretrained policy; `steps <name>` of the environment and `episodes <name>`, (P, checkpoints); `seconds
        <name>`, (P,).
    """
    block = Block.of(cell)
    workshop = Workshop(block)
    measured: dict[str, list[Any]] = {}

    def note(name: str, value: Any) -> None:
        measured.setdefault(name, []).append(value)

    for spec in block.policies:
        begin = time.process_time()
        policy, strength = workshop.pretrain(spec)
        note("pretrain_seconds", time.process_time() - begin)
        note("strength", strength)
        note("noise", policy.added_noise)
        for name in block.finetuners:
            begin = time.process_time()
            results = finetune(block, name, policy)
            note(f"seconds {name}", time.process_time() - begin)
            note(f"success {name}", np.stack([result.success for result in results]))
            note(f"steps {name}", results[0].environment_steps)
            note(f"episodes {name}", results[0].episodes)
    return {name: np.stack(values) for name, values in measured.items()}


def blocks_of(configs: Sequence[Config], root: int) -> list[Block]:
    """Blocks of several grids, low training seeds first.

    Parameters
    ----------
    configs : sequence of Config
    root : int
        Seed of the control experiments, see `pretraining.root`.
    """
    blocks = [
        Block(
            root=root, task=task, replicate=seed, n_demos=n_demos, effort=config.effort, policies=config.policies,
            finetuners=config.finetuners, settings=config.settings, setting=config.setting,
        )
        for config in configs
        for seed in range(config.first_seed, config.first_seed + config.n_seeds)
        for task in config.tasks
        for n_demos in config.n_demos
    ]  # fmt: skip
    return sorted(blocks, key=lambda block: block.replicate)


def run_blocks(blocks: Sequence[Block], sweep: Sweep) -> list[Arrays]:
    """Run blocks: what `run_block` returns for each."""
    return sweep.run(EXPERIMENT, run_block, [block.to_cell() for block in blocks])


def cached_blocks(blocks: Sequence[Block], sweep: Sweep) -> list[Arrays | None]:
    """What the cache holds of blocks, without computing; None for a block that is missing."""
    return sweep.cached(EXPERIMENT, run_block, [block.to_cell() for block in blocks])
