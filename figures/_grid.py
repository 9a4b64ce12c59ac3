"""The full grid of finetuning, in parts that are run one by one and written as tables.

    python -m figures grid --into results [--cache out/cells] [--jobs 2] [--only PART ...] [--collect]

A part is resumed where it was left. `choice` comes first: on seeds of its own it chooses the sigma and the alpha that
later parts take for each task.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from continuous.beyond import shrunken_alpha
from figures import _continuous_finetuning as grid
from figures._continuous_finetuning import Config, Settings, strengths
from figures._pretraining import MASKED, VARIANTS, Plan
from figures._sweep import Sweep

TASKS: Mapping[str, int] = {"reach": 20, "stick": 20, "corridor": 10, "lift": 10, "push": 10}
"""Seeds of each task."""

SELECTION_SEEDS = 100
"""First of the seeds on which settings are chosen; results are of the seeds from 0 on."""

N_DEMOS = 10

Chosen = Mapping[str, Mapping[str, float]]
"""By task, the sigma of sigma-BC and the alpha of PostBC."""


def _choice(_: Chosen) -> list[Config]:
    plans = strengths((0.1, 0.2, 0.4, 0.8), (0.5, 1.0, 2.0, 4.0))[1:]
    return [Config(tuple(TASKS), (N_DEMOS,), 4, plans, first_seed=SELECTION_SEEDS)]


def _strengths(_: Chosen) -> list[Config]:
    both = ("DSRL", "Best-of-N")
    return [Config((task,), (N_DEMOS,), n, strengths(), both) for task, n in TASKS.items()]


def chosen_plans(chosen: Mapping[str, float]) -> tuple[Plan, ...]:
    """BC, and each family at its chosen strength."""
    return (Plan("BC", 0.0), *(Plan(family, chosen[family]) for family in ("sigma-BC", "PostBC")))


def _demonstrations(chosen: Chosen) -> list[Config]:
    return [Config((task,), (5, 20, 50), n, chosen_plans(chosen[task])) for task, n in TASKS.items()]


def _dppo(chosen: Chosen) -> list[Config]:
    return [Config((task,), (N_DEMOS,), n, chosen_plans(chosen[task]), ("DPPO",)) for task, n in TASKS.items()]


ABLATED = (("stick", N_DEMOS), ("reach", 5))
"""Tasks of the ablations, with as many demonstrations as leave BC room."""

SHAPES = (
    "3 members", "30 members", "100 members", "pairs bootstrap", "perturbed targets", "diagonal", "isotropic",
    "with sigma 0.1", "with sigma 0.2",
)  # fmt: skip


def _ablations(chosen: Chosen) -> list[Config]:
    found = []
    for task, n_demos in ABLATED:
        usual = chosen_plans(chosen[task])
        plans = [usual[2]._replace(variant=name) for name in SHAPES]
        for name in ("fair demonstrator", "poor demonstrator"):
            plans += [plan._replace(variant=name) for plan in usual]
        if task in MASKED:
            plans += [Plan("sigma-BC", sigma, "oracle mask") for sigma in (usual[1].strength, 2 * usual[1].strength)]
        found.append(Config((task,), (n_demos,), 10, tuple(plans)))
    return found


def _critics(chosen: Chosen) -> list[Config]:
    settings = {
        f"{updates // 1000} thousand updates of width {width}": Settings(critic_updates=updates, critic_width=width)
        for updates, width in ((2000, 64), (40_000, 64), (10_000, 16), (10_000, 256))
    }
    return [
        Config((task,), (n_demos,), 6, chosen_plans(chosen[task])[::2], ("Best-of-N",), one, setting=name)
        for task, n_demos in ABLATED
        for name, one in settings.items()
    ]


def _rollouts(chosen: Chosen) -> list[Config]:
    settings = Settings(rollouts=(100, 300, 1000))
    return [
        Config((task,), (N_DEMOS,), 10, chosen_plans(chosen[task]), ("Best-of-N",), settings, setting="by rollouts")
        for task in TASKS
    ]


def _beyond(chosen: Chosen) -> list[Config]:
    return [
        Config(
            (task,), (N_DEMOS,), 10,
            (Plan("PostBC", 1.0, "held-out alpha"), Plan("PostBC", chosen[task]["PostBC"], "own states")),
        )
        for task in TASKS
    ]  # fmt: skip


def _shrinkage(chosen: Chosen) -> list[Config]:
    """The chosen alpha is met at the number of demonstrations where it was chosen."""
    stretch = 1.0 / shrunken_alpha(1.0, N_DEMOS, VARIANTS["shrunken alpha"]["mass"])
    return [
        Config((task,), (5, 20, 50), 10, (Plan("PostBC", stretch * chosen[task]["PostBC"], "shrunken alpha"),))
        for task in TASKS
    ]


PARTS: dict[str, Callable[[Chosen], list[Config]]] = {
    "choice": _choice,
    "strengths": _strengths,
    "demonstrations": _demonstrations,
    "dppo": _dppo,
    "ablations": _ablations,
    "beyond": _beyond,
    "critics": _critics,
    "rollouts": _rollouts,
    "shrinkage": _shrinkage,
}


def choose(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The strength of each family with the most success after DSRL, by task, on the seeds for choosing."""
    arrays = grid.tensors(rows)
    best: dict[str, dict[str, float]] = {}
    for k, task in enumerate(arrays["tasks"]):
        score = np.nanmean(arrays["finetuned"][k, 0, 0], axis=1)
        best[str(task)] = {}
        for family in ("sigma-BC", "PostBC"):
            own = np.flatnonzero(arrays["families"] == family)
            best[str(task)][family] = float(arrays["strengths"][own[score[own].argmax()]])
    return best


def configs(part: str, tables: Path) -> list[Config]:
    """Grids of a part; what `choice` found is read from its table in a folder.

    Raises
    ------
    FileNotFoundError
        If it is needed and not there, or not yet whole.
    """
    free = PARTS[part] in (_choice, _strengths)
    return PARTS[part]({} if free else _chosen(tables / "choice.csv"))


def _chosen(path: Path) -> Chosen:
    rows = grid.read_rows(path) if path.exists() else []
    there = {(row["task"], int(row["seed"])) for row in rows}
    missing = {(cell["task"], cell["replicate"]) for one in _choice({}) for cell in grid.cells(one, 0)} - there
    if missing:
        raise FileNotFoundError(
            f"{path} must hold the whole part choice; it lacks {len(missing)} blocks: run that first"
        )
    return choose(rows)


def run(parts: Sequence[str], sweep: Sweep, tables: Path) -> None:
    """Compute parts one after the other, or what of them is missing in the cache, and write their tables."""
    if "choice" in parts:
        grid.table(_choice({}), sweep)
        collect("choice", sweep, tables)
    rest = [part for part in parts if part != "choice"]
    wanted = [cell for part in rest for cell in grid.blocks(configs(part, tables), sweep)]
    sweep.run(grid.EXPERIMENT, grid.run_block, wanted)
    for part in rest:
        collect(part, sweep, tables)


def collect(part: str, sweep: Sweep, tables: Path) -> tuple[int, int]:
    """Write `<part>.csv` with what the cache holds, if anything; return how many blocks that is, and of how many."""
    return grid.write_table(tables / f"{part}.csv", configs(part, tables), sweep)
