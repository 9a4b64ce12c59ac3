"""The grid of finetuning in continuous control: pretrained policies, finetuned, one cell for each of them.

All cells of one task and seed share their demonstrations, the ensemble's, the policies' and the learners' streams and
the first states of every evaluation, as `_cloning` has it, so they are compared in pairs. `fig_dsrl` and `fig_tradeoff`
show two sides of the same cells. Noise is always given as what was really added.
"""

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from continuous.best_of_n import BestOfN, finetune_best_of_n
from continuous.cloning import ClonedPolicy
from continuous.dppo import DPPO, finetune_dppo
from continuous.dsrl import DSRL, finetune_dsrl
from continuous.ensembles import Ensemble
from continuous.finetuning import Finetuned
from continuous.tasks import TASKS
from figures import _cloning
from figures._artifacts import Arrays, save_json, save_text
from figures._cloning import Effort
from figures._sweep import Cell, Sweep, source_digest, versions

SIGMAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.8)
ALPHAS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""As many as there are sigmas; the paper's end at 2, which here is not always far enough."""
FAMILIES = ("BC", "sigma-BC", "PostBC")
FINETUNERS = ("DSRL", "Best-of-N", "DPPO")
LEARNER = 10
"""The learners' purpose, beside those of `_cloning`."""


@dataclass(frozen=True)
class Settings:
    """Settings of the learners, JSON-ready by `asdict`; what is not here has the modules' own defaults.

    Parameters
    ----------
    rounds : int
        Of DSRL, 25 episodes each after 100 random ones.
    rollouts, updates : int
        Of Best-of-N: episodes, and updates of its critic.
    iterations : int
        Of DPPO, 50 episodes each.
    evaluation_episodes : int
    """

    rounds: int = 12
    rollouts: int = 1000
    updates: int = 20_000
    iterations: int = 20
    evaluation_episodes: int = 200


@dataclass(frozen=True)
class Config:
    """Settings of a grid: tasks, numbers of demonstrations, how many seeds, strengths, finetuners, what is spent."""

    tasks: tuple[str, ...]
    n_demos: tuple[int, ...]
    n_seeds: int
    sigmas: tuple[float, ...] = SIGMAS
    alphas: tuple[float, ...] = ALPHAS
    finetuners: tuple[str, ...] = ("DSRL",)
    settings: Settings = Settings()
    effort: Effort = field(default_factory=Effort)


FULL = Config(("reach", "stick"), (10,), 20)
QUICK = Config(
    ("reach", "stick"), (10,), 4, (0.2, 0.4), (1.0, 2.0),
    settings=Settings(rounds=6, evaluation_episodes=100), effort=Effort(5, 400, 64, 800, 64),
)  # fmt: skip


def strengths(config: Config) -> list[tuple[str, float]]:
    """All pretrained policies of a seed: (family, sigma or alpha)."""
    return [
        ("BC", 0.0),
        *(("sigma-BC", sigma) for sigma in config.sigmas),
        *(("PostBC", alpha) for alpha in config.alphas),
    ]


def pretrain(cell: Cell) -> ClonedPolicy:
    """Demonstrate and clone as a cell says: its task, `n_demos`, `family` and `strength`."""
    data = _cloning.demonstrations(cell)
    fitted = None
    if cell["family"] == "PostBC":
        own = {name: value for name, value in cell.items() if name not in ("strength", "finetuner", "settings")}
        fitted = _ensemble(json.dumps(own, sort_keys=True))
    return _cloning.cloned(cell, data, fitted, 0.0, cell["family"], cell["strength"])


@lru_cache(maxsize=1)
def _ensemble(own: str) -> Ensemble:
    """Ensemble of a cell, kept for the next one, which often differs in alpha alone."""
    cell = json.loads(own)
    return _cloning.ensemble(cell, _cloning.demonstrations(cell))


def finetune(cell: Cell, policy: ClonedPolicy) -> tuple[Finetuned, ...]:
    """Finetune as a cell says: one result, or for Best-of-N one for each number of candidates."""
    task, settings = TASKS[cell["task"]], Settings(**cell["settings"])
    n = settings.evaluation_episodes
    seeds = _cloning.seed(cell, LEARNER), _cloning.seed(cell, _cloning.EVALUATION)
    if cell["finetuner"] == "DSRL":
        every = max(1, settings.rounds // 6)
        dsrl = DSRL(rounds=settings.rounds, evaluate_every=every, evaluation_episodes=n)
        return (finetune_dsrl(task, policy, dsrl, *seeds),)
    if cell["finetuner"] == "DPPO":
        every = max(1, settings.iterations // 5)
        dppo = DPPO(iterations=settings.iterations, evaluate_every=every, evaluation_episodes=n)
        return (finetune_dppo(task, policy, dppo, *seeds),)
    best = BestOfN(rollouts=(settings.rollouts,), updates=settings.updates, evaluation_episodes=n)
    return finetune_best_of_n(task, policy, best, *seeds)


def run_cell(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Pretrain and finetune. All chance is that of the task and replicate, which other cells share; `rng` is not used.

    `success` (results, checkpoints), the first of which is the pretrained policy's own; `environment_steps` and
    `episodes` (checkpoints); `noise`, the root mean square that was added, in units of actions; `seconds` of the
    processor for pretraining (an ensemble that is already there costs nothing) and for finetuning.
    """
    begin = time.process_time()
    policy = pretrain(cell)
    middle = time.process_time()
    results = finetune(cell, policy)
    return {
        "success": np.stack([one.success for one in results]),
        "environment_steps": results[0].environment_steps,
        "episodes": results[0].episodes,
        "noise": np.array(policy.added_noise),
        "seconds": np.array([middle - begin, time.process_time() - middle]),
    }


def cells(config: Config, root: int, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Cells of a grid, seed by seed, so that a run that is cut short has whole seeds."""
    return [
        {
            "root": root,
            "task": task,
            "replicate": seed,
            "n_demos": n_demos,
            "family": family,
            "strength": strength,
            "finetuner": finetuner,
            "settings": asdict(config.settings),
            **asdict(config.effort),
        }
        for seed in seeds
        for finetuner in config.finetuners
        for task in config.tasks
        for n_demos in config.n_demos
        for family, strength in strengths(config)
    ]


def run(config: Config, sweep: Sweep, seeds: Sequence[int] | None = None) -> tuple[list[dict[str, Any]], list[Arrays]]:
    """All cells of a grid and what came of them; those of some seeds where given."""
    wanted = cells(config, _cloning.root(sweep), range(config.n_seeds) if seeds is None else seeds)
    return wanted, sweep.run("continuous-finetuning", run_cell, wanted)


COLUMNS = (
    "task", "n_demos", "seed", "family", "strength", "noise", "finetuner", "candidates", "pretrained", "finetuned",
    "environment_steps", "episodes", "curve_steps", "curve", "pretrain_seconds", "finetune_seconds",
)  # fmt: skip
"""Columns of a table of results: one row a cell, and for Best-of-N a number of candidates."""


def rows(cell: Cell, found: Arrays) -> list[dict[str, Any]]:
    """Rows of a table for one cell; curves are numbers with blanks between."""
    several = BestOfN().candidates if cell["finetuner"] == "Best-of-N" else ("",)
    return [
        {
            **{name: cell[name] for name in ("task", "n_demos", "family", "strength", "finetuner")},
            "seed": cell["replicate"],
            "noise": f"{float(found['noise']):.5f}",
            "candidates": candidates,
            "pretrained": f"{success[0]:.4f}",
            "finetuned": f"{success[-1]:.4f}",
            "environment_steps": int(found["environment_steps"][-1]),
            "episodes": int(found["episodes"][-1]),
            "curve_steps": " ".join(str(int(n)) for n in found["environment_steps"]),
            "curve": " ".join(f"{one:.4f}" for one in success),
            "pretrain_seconds": f"{found['seconds'][0]:.1f}",
            "finetune_seconds": f"{found['seconds'][1]:.1f}",
        }
        for candidates, success in zip(several, found["success"], strict=True)
    ]


def write_table(path: Path, config: Config, sweep: Sweep, seeds: Sequence[int]) -> None:
    """Compute a grid seed by seed, and write the table again after each: a run that is cut short leaves whole seeds.

    Parameters
    ----------
    path : Path
        The table (CSV); beside it `<stem>.json` gets the settings and versions that made it.
    config : Config
    sweep : Sweep
        With a cache, what was computed is not computed again.
    seeds : sequence of int
    """
    table: list[dict[str, Any]] = []
    for k, seed in enumerate(seeds):
        for cell, found in zip(*run(config, sweep, [seed]), strict=True):
            table += rows(cell, found)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
        save_text(path, text.getvalue())
        made = {"seed": sweep.seed, "seeds": list(seeds[: k + 1]), "settings": asdict(config), "versions": versions()}
        save_json(path.with_suffix(".json"), {"schema": 1, **made, "source": source_digest(run_cell)})


def read_tables(paths: Sequence[Path]) -> Arrays:
    """Arrange what `write_table` wrote, as `tensors`: of the seeds, those that every table has."""
    tables = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            tables.append(list(csv.DictReader(file)))
    common = set.intersection(*({row["seed"] for row in table} for table in tables))
    return tensors([row for table in tables for row in table if row["seed"] in common])


def learner(row: Mapping[str, Any]) -> str:
    """Name of a row's finetuner, with its number of candidates."""
    return str(row["finetuner"]) + (f", N = {row['candidates']}" if str(row["candidates"]) else "")


AXES = ("tasks", "n_demos", "learners", "policies", "seeds")


def tensors(table: Sequence[Mapping[str, Any]]) -> Arrays:
    """Arrange the rows of a table, computed or read.

    Returns
    -------
    dict of ndarray
        `pretrained`, `finetuned`, `noise` and `seconds` (of both parts together), over `AXES`; `curve` and
        `curve_steps`, with checkpoints behind, as many as all have. `tasks`, `n_demos`, `learners`, `seeds`; of the
        policies, `families` and `strengths`.

    Raises
    ------
    ValueError
        If a row is missing or stands twice.
    """
    keys: list[tuple[Any, ...]] = [
        (
            str(row["task"]), int(row["n_demos"]), learner(row), (str(row["family"]), float(row["strength"])),
            int(row["seed"]),
        )
        for row in table
    ]  # fmt: skip
    names: list[list[Any]] = [list(dict.fromkeys(key[k] for key in keys)) for k in range(len(AXES))]
    names[3].sort(key=lambda policy: (FAMILIES.index(policy[0]), policy[1]))
    shape = tuple(map(len, names))
    if len(set(keys)) < len(keys) or len(keys) != np.prod(shape):
        raise ValueError(f"a grid of shape {shape} must hold each cell once; got {len(keys)} rows")
    n_checkpoints = min(len(str(row["curve"]).split()) for row in table)
    single, curves = np.empty((4, *shape)), np.empty((2, *shape, n_checkpoints))
    for key, row in zip(keys, table, strict=True):
        at = tuple(names[k].index(one) for k, one in enumerate(key))
        seconds = float(row["pretrain_seconds"]) + float(row["finetune_seconds"])
        for i, value in enumerate((row["pretrained"], row["finetuned"], row["noise"], seconds)):
            single[(i, *at)] = float(value)
        for i, name in enumerate(("curve", "curve_steps")):
            curves[(i, *at)] = [float(one) for one in str(row[name]).split()][:n_checkpoints]
    return {
        **dict(zip(("pretrained", "finetuned", "noise", "seconds"), single, strict=True)),
        **dict(zip(("curve", "curve_steps"), curves, strict=True)),
        **{name: np.array(names[k]) for k, name in enumerate(AXES) if name != "policies"},
        "families": np.array([family for family, _ in names[3]]),
        "strengths": np.array([strength for _, strength in names[3]]),
    }


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Run the grid and arrange it."""
    found = zip(*run(config, sweep), strict=True)
    return tensors([row for cell, arrays in found for row in rows(cell, arrays)])
