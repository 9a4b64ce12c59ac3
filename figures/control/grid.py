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
from figures.control import blocks
from figures.control.blocks import Config, Settings, means, strengths
from figures.control.variants import MASKED, VARIANTS, PolicySpec
from figures.running.recorded import Recorded, read_rows, recorded_rows
from figures.running.sweep import Sweep

TASKS: Mapping[str, int] = {"reach": 20, "stick": 20, "corridor": 10, "lift": 10, "push": 10}
"""Seeds of each task."""

SELECTION_SEEDS = 100
"""First of the seeds on which settings are chosen; results are of the seeds from 0 on."""

N_DEMOS = 10

Chosen = Mapping[tuple[str, int], Mapping[str, float]]
"""By task and number of demonstrations, the sigma of sigma-BC and the alpha of PostBC."""


def _choice(_: Chosen) -> list[Config]:
    plans = strengths((0.1, 0.2, 0.4, 0.8), (0.5, 1.0, 2.0, 4.0))[1:]
    return [Config(tuple(TASKS), (N_DEMOS,), 4, plans, first_seed=SELECTION_SEEDS)]


def _choice_ends(_: Chosen) -> list[Config]:
    """The ends of the grid, since on three tasks the best of `choice` lay at its lower end."""
    return [Config(tuple(TASKS), (N_DEMOS,), 4, strengths((0.05,), (0.25,))[1:], first_seed=SELECTION_SEEDS)]


def _strengths(_: Chosen) -> list[Config]:
    both = ("DSRL", "Best-of-N")
    return [Config((task,), (N_DEMOS,), n, strengths(), both) for task, n in TASKS.items()]


def _strengths_ends(_: Chosen) -> list[Config]:
    """Beyond the upper ends, where Best-of-N was best on reach."""
    return [Config(("reach",), (N_DEMOS,), TASKS["reach"], strengths((1.6,), (8.0,))[1:], ("DSRL", "Best-of-N"))]


def chosen_plans(chosen: Mapping[str, float]) -> tuple[PolicySpec, ...]:
    """BC, and each family at its chosen strength."""
    return (PolicySpec("BC", 0.0), *(PolicySpec(family, chosen[family]) for family in ("sigma-BC", "PostBC")))


def _demonstrations(chosen: Chosen) -> list[Config]:
    return [Config((task,), (5, 20, 50), n, chosen_plans(chosen[task, N_DEMOS])) for task, n in TASKS.items()]


def _dppo(chosen: Chosen) -> list[Config]:
    return [Config((task,), (N_DEMOS,), n, chosen_plans(chosen[task, N_DEMOS]), ("DPPO",)) for task, n in TASKS.items()]


ABLATED = (("stick", N_DEMOS), ("corridor", 5))
"""Tasks of the ablations, with as many demonstrations as leave BC room."""

SHAPES = (
    "3 members", "30 members", "100 members", "pairs bootstrap", "perturbed targets", "diagonal", "isotropic",
    "with sigma 0.1", "with sigma 0.2",
)  # fmt: skip


def _ablations(chosen: Chosen) -> list[Config]:
    found = []
    for task, n_demos in ABLATED:
        usual = chosen_plans(chosen[task, N_DEMOS])
        plans = [usual[2]._replace(variant=name) for name in SHAPES]
        for name in ("fair demonstrator", "poor demonstrator"):
            plans += [plan._replace(variant=name) for plan in usual]
        if task in MASKED:
            plans += [
                PolicySpec("sigma-BC", sigma, "oracle mask") for sigma in (usual[1].strength, 2 * usual[1].strength)
            ]
        found.append(Config((task,), (n_demos,), 8, tuple(plans)))
    return found


USUAL = "10 thousand updates, width 64"
CRITICS = {
    "2 thousand updates, width 64": Settings(critic_updates=2000),
    "40 thousand updates, width 64": Settings(critic_updates=40_000),
    "10 thousand updates, width 16": Settings(critic_width=16),
    "10 thousand updates, width 256": Settings(critic_width=256),
}


def _critics(chosen: Chosen) -> list[Config]:
    settings = {USUAL: Settings(), **CRITICS}
    return [
        Config((task,), (n_demos,), 5, chosen_plans(chosen[task, N_DEMOS])[::2], ("Best-of-N",), one, setting=name)
        for task, n_demos in ABLATED
        for name, one in settings.items()
    ]


def _rollouts(chosen: Chosen) -> list[Config]:
    settings = Settings(rollouts=(200, 1000))
    return [
        Config(
            (task,), (N_DEMOS,), 5, chosen_plans(chosen[task, N_DEMOS]), ("Best-of-N",), settings, setting="by rollouts"
        )
        for task in TASKS
    ]


def _beyond(chosen: Chosen) -> list[Config]:
    return [
        Config(
            (task,), (N_DEMOS,), 8,
            (
                PolicySpec("PostBC", 1.0, "held-out alpha"),
                PolicySpec("PostBC", chosen[task, N_DEMOS]["PostBC"], "own states"),
            ),
        )
        for task in TASKS
    ]  # fmt: skip


SHRUNKEN = ("stick", "corridor")
"""Tasks where alpha shrinks with the number of demonstrations, to be held against a constant one."""


def stretch() -> float:
    """Factor by which alpha is larger before it shrinks: it is the chosen one where it was chosen."""
    return 1.0 / shrunken_alpha(1.0, N_DEMOS, VARIANTS["shrunken alpha"]["mass"])


def _shrinkage(chosen: Chosen) -> list[Config]:
    return [
        Config(
            (task,),
            FEW_AND_MANY,
            8,
            (PolicySpec("PostBC", stretch() * chosen[task, N_DEMOS]["PostBC"], "shrunken alpha"),),
        )
        for task in SHRUNKEN
    ]


BY_N = ("stick", "corridor")
"""Tasks where a strength is also chosen for each number of demonstrations."""
FEW_AND_MANY = (5, 50)


def _choice_by_n(_: Chosen) -> list[Config]:
    plans = strengths((0.1, 0.2, 0.4), (0.5, 1.0, 2.0))[1:]
    return [Config(BY_N, FEW_AND_MANY, 3, plans, first_seed=SELECTION_SEEDS)]


def _by_n(chosen: Chosen) -> list[Config]:
    """Strengths that were chosen for a number of demonstrations, where they are not those of `N_DEMOS`."""
    found = []
    for task in BY_N:
        usual = chosen_plans(chosen[task, N_DEMOS])
        for n in FEW_AND_MANY:
            plans = tuple(plan for plan in chosen_plans(chosen[task, n]) if plan not in usual)
            found += [Config((task,), (n,), 8, plans)] if plans else []
    return found


PARTS: dict[str, Callable[[Chosen], list[Config]]] = {
    "choice": _choice,
    "choice_ends": _choice_ends,
    "strengths": _strengths,
    "demonstrations": _demonstrations,
    "dppo": _dppo,
    "ablations": _ablations,
    "beyond": _beyond,
    "critics": _critics,
    "shrinkage": _shrinkage,
    "rollouts": _rollouts,
    "strengths_ends": _strengths_ends,
    "choice_by_n": _choice_by_n,
    "by_n": _by_n,
}


CHOICES = ("choice", "choice_ends")
FREE = (*CHOICES, "choice_by_n", "strengths", "strengths_ends")
"""Parts that need no choice; `CHOICES` make it, and `choice_by_n` those of other numbers of demonstrations."""


def choose(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], dict[str, float]]:
    """The strength of each family with the most success after DSRL, on the seeds for choosing."""
    arrays = blocks.tensors(rows)
    best = {}
    for i, j in np.ndindex(arrays["tasks"].size, arrays["n_demos"].size):
        score = means(arrays["finetuned"][i, j, 0])
        if np.isnan(score).all():
            continue
        best[str(arrays["tasks"][i]), int(arrays["n_demos"][j])] = {
            family: float(arrays["strengths"][own[np.nanargmax(score[own])]])
            for family in ("sigma-BC", "PostBC")
            for own in [np.flatnonzero(arrays["families"] == family)]
        }
    return best


def configs(part: str, tables: Path) -> list[Config]:
    """Grids of a part; what `choice` found is read from its table in a folder.

    Raises
    ------
    FileNotFoundError
        If it is needed and not there, or not yet whole.
    """
    if part in FREE:
        return PARTS[part]({})
    return PARTS[part](chosen(tables, by_n=part == "by_n"))


def chosen(tables: Path, *, by_n: bool = False) -> Chosen:
    """What was chosen, from tables in a folder; with `by_n` for each number of demonstrations. Raises as `configs`."""
    rows = []
    for part in (*CHOICES, "choice_by_n") if by_n else CHOICES:
        path = tables / f"{part}.csv"
        found = read_rows(path) if path.exists() else []
        there = {(row["task"], int(row["n_demos"]), int(row["seed"])) for row in found}
        missing = {
            (cell["task"], cell["n_demos"], cell["replicate"])
            for one in PARTS[part]({})
            for cell in blocks.cells(one, 0)
        } - there
        if missing:
            raise FileNotFoundError(
                f"{path} must hold the whole part {part}; it lacks {len(missing)} blocks: run that first"
            )
        rows += found
    return choose(rows)


def run(parts: Sequence[str], sweep: Sweep, tables: Path) -> None:
    """Compute parts one after the other, or what of them is missing in the cache, and write their tables."""
    for some in ([part for part in parts if part in FREE], [part for part in parts if part not in FREE]):
        wanted = [cell for part in some for cell in blocks.blocks(configs(part, tables), sweep)]
        sweep.run(blocks.EXPERIMENT, blocks.run_block, wanted)
        for part in some:
            collect(part, sweep, tables)


def collect(part: str, sweep: Sweep, tables: Path) -> tuple[int, int]:
    """Write `<part>.csv` with what the cache holds, if anything; return how many blocks that is, and of how many."""
    return blocks.write_table(tables / f"{part}.csv", configs(part, tables), sweep)


def table(config: Config | Recorded, sweep: Sweep) -> list[dict[str, Any]]:
    """Rows of a small grid, which is run, or of recorded tables, which are read.

    Raises
    ------
    FileNotFoundError
        If a table is not there.
    """
    if isinstance(config, Config):
        return blocks.table([config], sweep)
    return recorded_rows(config)
