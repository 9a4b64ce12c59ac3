"""The grid of finetuning in continuous control: pretrained policies, finetuned, in blocks of one task and seed.

All policies of a block share their demonstrations, the ensemble's, the policies' and the learners' streams and the
first states of every evaluation, as `pretraining` has it, so they are compared in pairs. The figures show sides of the
same blocks. Noise is always given as what was really added.
"""

import csv
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.best_of_n import BestOfN, finetune_best_of_n
from continuous.cloning import ClonedPolicy
from continuous.dppo import DPPO, finetune_dppo
from continuous.dsrl import DSRL, finetune_dsrl
from continuous.finetuning import Finetuned
from continuous.tasks import TASKS
from figures.control import pretraining
from figures.control.pretraining import Effort
from figures.control.variants import FAMILIES, VARIANTS, PolicySpec, Workshop
from figures.running.artifacts import Arrays, save_json, save_text
from figures.running.sweep import Cell, Sweep, source_digest, versions

FloatArray = NDArray[np.float64]

SIGMAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.8)
ALPHAS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""The paper's end at 2, which here is not always far enough."""
FINETUNERS = ("DSRL", "Best-of-N", "DPPO")
LEARNER = 10
"""The learners' purpose, beside those of `pretraining`."""


@dataclass(frozen=True)
class Settings:
    """Settings of the learners, JSON-ready by `asdict`; what is not here has the modules' own defaults.

    Parameters
    ----------
    rounds, updates : int
        Of DSRL: rounds of 25 episodes, after 100 random ones, and updates after each.
    rollouts : tuple of int
        Of Best-of-N: episodes after which a critic is fitted.
    critic_updates, critic_width : int
        Of that critic.
    iterations : int
        Of DPPO, 50 episodes each.
    evaluation_episodes : int
        Of DSRL and DPPO; Best-of-N, whose evaluation costs N times as much, takes half as many.
    """

    rounds: int = 16
    updates: int = 600
    rollouts: tuple[int, ...] = (1000,)
    critic_updates: int = 10_000
    critic_width: int = 64
    iterations: int = 30
    evaluation_episodes: int = 200


@dataclass(frozen=True)
class Config:
    """Settings of a grid.

    Parameters
    ----------
    tasks : tuple of str
    n_demos : tuple of int
    n_seeds : int
    plans : tuple of PolicySpec
        The pretrained policies.
    finetuners : tuple of str
        Of `FINETUNERS`.
    settings : Settings
    effort : Effort
    first_seed : int
    setting : str
        Name of the learners' settings where they are not the usual ones; it is part of a learner's name in tables.
    """

    tasks: tuple[str, ...]
    n_demos: tuple[int, ...]
    n_seeds: int
    plans: tuple[PolicySpec, ...]
    finetuners: tuple[str, ...] = ("DSRL",)
    settings: Settings = Settings()
    effort: Effort = field(default_factory=Effort)
    first_seed: int = 0
    setting: str = ""


def strengths(sigmas: Sequence[float] = SIGMAS, alphas: Sequence[float] = ALPHAS) -> tuple[PolicySpec, ...]:
    """BC, sigma-BC and PostBC at each of their strengths."""
    return (
        PolicySpec("BC", 0.0),
        *(PolicySpec("sigma-BC", sigma) for sigma in sigmas),
        *(PolicySpec("PostBC", alpha) for alpha in alphas),
    )


FULL = Config(("reach", "stick"), (10,), 20, strengths())
QUICK = Config(
    ("reach", "stick"), (10,), 4, strengths((0.2, 0.4), (1.0, 2.0)),
    settings=Settings(rounds=6, evaluation_episodes=100), effort=Effort(5, 400, 64, 800, 64),
)  # fmt: skip


def finetune(cell: Cell, finetuner: str, policy: ClonedPolicy) -> tuple[Finetuned, ...]:
    """Finetune as a cell says: one result, or for Best-of-N one for each number of candidates."""
    task, settings = TASKS[cell["task"]], Settings(**cell["settings"])
    n = settings.evaluation_episodes
    seeds = pretraining.seed(cell, LEARNER), pretraining.seed(cell, pretraining.EVALUATION)
    if finetuner == "DSRL":
        every = max(1, settings.rounds // 4)
        dsrl = DSRL(rounds=settings.rounds, updates=settings.updates, evaluate_every=every, evaluation_episodes=n)
        return (finetune_dsrl(task, policy, dsrl, *seeds),)
    if finetuner == "DPPO":
        every = max(1, settings.iterations // 4)
        dppo = DPPO(iterations=settings.iterations, evaluate_every=every, evaluation_episodes=n)
        return (finetune_dppo(task, policy, dppo, *seeds),)
    best = BestOfN(
        rollouts=tuple(settings.rollouts), updates=settings.critic_updates, hidden=(settings.critic_width,) * 2,
        evaluation_episodes=max(1, n // 2),
    )  # fmt: skip
    return finetune_best_of_n(task, policy, best, *seeds)


def run_block(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Pretrain and finetune all policies of a block. All chance is that of the task and replicate; `rng` is not used.

    Of the P policies: `strength` that was given, `noise`, the root mean square that was added, in units of actions, and
    `pretrain_seconds` of the processor (an ensemble that is already there costs nothing), each (P,). By finetuner:
    `success <name>` (P, results, checkpoints), the first checkpoint being the pretrained policy's own; `steps <name>`
    of the environment and `episodes <name>`, (P, checkpoints); `seconds <name>`, (P,).
    """
    workshop = Workshop(cell)
    found: dict[str, list[Any]] = {}

    def note(name: str, value: Any) -> None:
        found.setdefault(name, []).append(value)

    for plan in cell["plans"]:
        begin = time.process_time()
        policy, strength = workshop.pretrain(PolicySpec(*plan))
        note("pretrain_seconds", time.process_time() - begin)
        note("strength", strength)
        note("noise", policy.added_noise)
        for name in cell["finetuners"]:
            begin = time.process_time()
            results = finetune(cell, name, policy)
            note(f"seconds {name}", time.process_time() - begin)
            note(f"success {name}", np.stack([one.success for one in results]))
            note(f"steps {name}", results[0].environment_steps)
            note(f"episodes {name}", results[0].episodes)
    return {name: np.stack(values) for name, values in found.items()}


def cells(config: Config, root: int) -> list[dict[str, Any]]:
    """Blocks of a grid, seed by seed."""
    return [
        {
            "root": root,
            "task": task,
            "replicate": seed,
            "n_demos": n_demos,
            "plans": [list(plan) for plan in config.plans],
            "finetuners": list(config.finetuners),
            "settings": asdict(config.settings),
            "setting": config.setting,
            **asdict(config.effort),
        }
        for seed in range(config.first_seed, config.first_seed + config.n_seeds)
        for task in config.tasks
        for n_demos in config.n_demos
    ]


COLUMNS = (
    "task", "n_demos", "seed", "family", "strength", "variant", "given", "noise", "finetuner", "setting",
    "candidates", "pretrained", "finetuned", "environment_steps", "episodes", "curve_steps", "curve",
    "pretrain_seconds", "finetune_seconds",
)  # fmt: skip
"""Columns of a table of results: one row a policy and finetuner, and for Best-of-N a number of candidates."""


def rows(cell: Cell, found: Arrays) -> list[dict[str, Any]]:
    """Rows of a table for one block; curves are numbers with blanks between. `given` is the strength as it was used."""
    return [
        {
            "task": cell["task"],
            "n_demos": cell["n_demos"],
            "seed": cell["replicate"],
            **dict(zip(PolicySpec._fields, plan, strict=True)),
            "given": f"{found['strength'][p]:.5g}",
            "noise": f"{found['noise'][p]:.5f}",
            "finetuner": name,
            "setting": cell["setting"],
            "candidates": candidates,
            "pretrained": f"{success[0]:.4f}",
            "finetuned": f"{success[-1]:.4f}",
            "environment_steps": int(found[f"steps {name}"][p, -1]),
            "episodes": int(found[f"episodes {name}"][p, -1]),
            "curve_steps": " ".join(str(int(n)) for n in found[f"steps {name}"][p]),
            "curve": " ".join(f"{one:.4f}" for one in success),
            "pretrain_seconds": f"{found['pretrain_seconds'][p]:.1f}",
            "finetune_seconds": f"{found[f'seconds {name}'][p]:.1f}",
        }
        for p, plan in enumerate(cell["plans"])
        for name in cell["finetuners"]
        for candidates, success in zip(
            BestOfN().candidates if name == "Best-of-N" else ("",), found[f"success {name}"][p], strict=True
        )
    ]


EXPERIMENT = "continuous-finetuning"


def blocks(configs: Sequence[Config], sweep: Sweep) -> list[dict[str, Any]]:
    """Blocks of several grids, those of low seeds first."""
    wanted = [cell for config in configs for cell in cells(config, pretraining.root(sweep))]
    return sorted(wanted, key=lambda cell: int(cell["replicate"]))


def table(configs: Sequence[Config], sweep: Sweep) -> list[dict[str, Any]]:
    """Run grids: their rows."""
    wanted = blocks(configs, sweep)
    found = sweep.run(EXPERIMENT, run_block, wanted)
    return [row for cell, one in zip(wanted, found, strict=True) for row in rows(cell, one)]


def write_table(path: Path, configs: Sequence[Config], sweep: Sweep) -> tuple[int, int]:
    """Write the rows of the blocks that a cache holds, computing nothing: of a run that goes on, a part of the table.

    Parameters
    ----------
    path : Path
        The table (CSV); beside it `<stem>.json` gets the settings and versions that made it. Both are left as they are
        where the cache holds none of the grid.
    configs : sequence of Config
    sweep : Sweep
        With a cache.

    Returns
    -------
    int, int
        Blocks that there are, and blocks in all.
    """
    wanted = blocks(configs, sweep)
    found = [(cell, one) for cell, one in zip(wanted, sweep.cached(EXPERIMENT, run_block, wanted), strict=True) if one]
    if not found:
        return 0, len(wanted)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for cell, one in found for row in rows(cell, one))
    save_text(path, text.getvalue())
    made = {"seed": sweep.seed, "settings": [asdict(config) for config in configs], "versions": versions()}
    number = {"blocks": len(found), "blocks_in_all": len(wanted), "source": source_digest(run_block)}
    save_json(path.with_suffix(".json"), {"schema": 2, **number, **made})
    return len(found), len(wanted)


def learner(row: Mapping[str, Any]) -> str:
    """Name of a row's finetuner, with its setting where it is not the usual one, and its number of candidates."""
    parts = (str(row["finetuner"]), str(row["setting"]), f"N = {row['candidates']}" if str(row["candidates"]) else "")
    return ", ".join(part for part in parts if part)


AXES = ("tasks", "n_demos", "learners", "policies", "seeds")


def tensors(table: Sequence[Mapping[str, Any]]) -> Arrays:
    """Arrange the rows of a table, computed or read.

    Tasks may differ in their seeds and in their policies: what a task has not is NaN.

    Returns
    -------
    dict of ndarray
        `pretrained`, `finetuned`, `given`, `noise` and `seconds` (of both parts together), over `AXES`; `curve` and
        `curve_steps`, with checkpoints behind, as many as all have. `tasks`, `n_demos`, `learners`, `seeds`; of the
        policies, `families`, `strengths` and `variants`.

    Raises
    ------
    ValueError
        If there is no row, or one is missing or stands twice: of a task, number of demonstrations and learner, each
        policy must have each seed.
    """
    if not table:
        raise ValueError("a grid must hold a row; the table is empty")
    keys: list[tuple[Any, ...]] = [
        (
            str(row["task"]), int(row["n_demos"]), learner(row),
            PolicySpec(str(row["family"]), float(row["strength"]), str(row["variant"])), int(row["seed"]),
        )
        for row in table
    ]  # fmt: skip
    names: list[list[Any]] = [list(dict.fromkeys(key[k] for key in keys)) for k in range(len(AXES))]
    names[3].sort(key=lambda plan: (FAMILIES.index(plan.family), list(VARIANTS).index(plan.variant), plan.strength))
    names[4].sort()
    shape = tuple(map(len, names))
    n_checkpoints = min(len(str(row["curve"]).split()) for row in table)
    single, curves = np.full((5, *shape), np.nan), np.full((2, *shape, n_checkpoints), np.nan)
    for key, row in zip(keys, table, strict=True):
        at = tuple(names[k].index(one) for k, one in enumerate(key))
        if not np.isnan(single[(0, *at)]):
            raise ValueError(f"a grid must hold each cell once; twice: {key}")
        seconds = float(row["pretrain_seconds"]) + float(row["finetune_seconds"])
        for i, value in enumerate((row["pretrained"], row["finetuned"], row["given"], row["noise"], seconds)):
            single[(i, *at)] = float(value)
        for i, name in enumerate(("curve", "curve_steps")):
            curves[(i, *at)] = [float(one) for one in str(row[name]).split()][:n_checkpoints]
    there = ~np.isnan(single[0])
    for place in np.ndindex(*shape[:2]):
        here = there[place]
        of_policy, of_seed = here.any(axis=2)[..., None], here.any(axis=1)[:, None]
        if (here != (of_policy & of_seed)).any():
            missing = int((here != (of_policy & of_seed)).sum())
            raise ValueError(f"a grid must hold each cell once; {names[0][place[0]]} lacks {missing}")
    return {
        **dict(zip(("pretrained", "finetuned", "given", "noise", "seconds"), single, strict=True)),
        **dict(zip(("curve", "curve_steps"), curves, strict=True)),
        **{name: np.array(names[k]) for k, name in enumerate(AXES) if name != "policies"},
        "families": np.array([plan.family for plan in names[3]]),
        "strengths": np.array([plan.strength for plan in names[3]]),
        "variants": np.array([plan.variant for plan in names[3]]),
    }


def means(values: FloatArray) -> FloatArray:
    """Means over the last axis of what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    number = known.sum(axis=-1)
    return np.where(number > 0, np.where(known, values, 0.0).sum(axis=-1) / np.maximum(number, 1), np.nan)
