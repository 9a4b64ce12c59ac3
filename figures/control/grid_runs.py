"""Runs of the full grid: strengths are chosen, parts are computed and written as tables, and tables are read.

    python -m figures grid --into results [--cache out/cells] [--jobs 2] [--only PART ...] [--collect]

An interrupted run continues from its cache.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from figures.control import blocks, grid, pretraining, tables
from figures.control.blocks import Config
from figures.control.tables import Row
from figures.running.recorded import Recorded, read_rows, recorded_rows
from figures.running.sweep import Sweep


def choose(rows: Sequence[Row]) -> dict[tuple[str, int], dict[str, float]]:
    """The strength of each of `grid.TUNED` with the most success after DSRL, on the seeds for choosing."""
    arrays = tables.tensors(rows)
    best = {}
    for i, j in np.ndindex(arrays["tasks"].size, arrays["n_demos"].size):
        score = tables.means(arrays["finetuned"][i, j, 0])
        if not np.isnan(score).all():
            best[str(arrays["tasks"][i]), int(arrays["n_demos"][j])] = {
                family: float(arrays["strengths"][members[np.nanargmax(score[members])]])
                for family in grid.TUNED
                for members in [np.flatnonzero(arrays["families"] == family)]
            }
    return best


def configs(part: str, folder: Path) -> list[Config]:
    """Settings of a part of the grid; the strengths that were chosen are read from tables in a folder.

    Raises
    ------
    FileNotFoundError
        If such a table is needed and missing, or lacks blocks.
    TableError
        If it is not the one of its record.
    """
    if part in grid.FREE:
        return grid.PARTS[part]({})
    return grid.PARTS[part](chosen(folder, by_n=part == "by_n"))


def chosen(folder: Path, *, by_n: bool = False) -> grid.Chosen:
    """Strengths that were chosen, from tables in a folder; with `by_n`, for each number of demonstrations.

    Raises
    ------
    FileNotFoundError
        If such a table is missing, or lacks blocks.
    TableError
        If it is not the one of its record.
    """
    rows: list[Row] = []
    for part in (*grid.CHOICES, "choice_by_n") if by_n else grid.CHOICES:
        path = folder / f"{part}.csv"
        recorded = [Row.of(texts) for texts in read_rows(path)]
        wanted = {(block.task, block.n_demos, block.replicate) for block in blocks.blocks_of(grid.PARTS[part]({}), 0)}
        missing = wanted - {(row.task, row.n_demos, row.seed) for row in recorded}
        if missing:
            raise FileNotFoundError(
                f"{path} must hold the whole part {part}; it lacks {len(missing)} blocks: run that first"
            )
        rows += recorded
    return choose(rows)


def run(parts: Sequence[str], sweep: Sweep, folder: Path) -> None:
    """Compute what the cache lacks of some parts, those of `grid.FREE` first, and write their tables to a folder."""
    free, dependent = ([part for part in parts if (part in grid.FREE) is wanted] for wanted in (True, False))
    for group in (free, dependent):
        root = pretraining.root(sweep)
        blocks.run_blocks([block for part in group for block in blocks.blocks_of(configs(part, folder), root)], sweep)
        for part in group:
            collect(part, sweep, folder)


def collect(part: str, sweep: Sweep, folder: Path) -> tuple[int, int]:
    """Write `<part>.csv` with the blocks in the cache, if any; return their number, and the number of all blocks."""
    return tables.write_table(folder / f"{part}.csv", configs(part, folder), sweep)


def rows_of(config: Config | Recorded, sweep: Sweep) -> list[Row]:
    """Rows of a small grid, which is run, or of recorded tables, which are read.

    Raises
    ------
    FileNotFoundError
        If a table is missing.
    TableError
        If it is not whole, or not the one of its record.
    """
    if isinstance(config, Config):
        return tables.run_grid([config], sweep)
    return [Row.of(texts) for texts in recorded_rows(config)]
