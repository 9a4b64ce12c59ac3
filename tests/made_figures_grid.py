"""Tables of a grid of finetuning whose answer is known, for tests of the figures that read them."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from figures.control import blocks, grid, grid_runs, tables
from figures.running.recorded import write_rows

SHARE = {"BC": 0.0, "sigma-BC": 1.0, "PostBC": 0.2}
"""Noise that a strength of 1 adds."""


def block_results(block: blocks.Block, change: Callable, rng: np.random.Generator, share=SHARE):
    """What `run_block` would return if mean success were `change(family, strength, n_demos)`, before and after."""
    luck = np.random.default_rng(block.replicate).normal(0, 0.05)
    results: dict[str, list] = {"pretrain_seconds": [], "strength": [], "noise": []}
    for policy in block.policies:
        before, after = change(policy.family, policy.strength, block.n_demos)
        results["pretrain_seconds"].append(1.0)
        results["strength"].append(policy.strength)
        results["noise"].append(policy.strength * share[policy.family])
        own = luck + rng.normal(0, 0.01)
        for name in block.finetuners:
            n_results = 2 if name == "Best-of-N" else 1
            n_stops = 1 + (len(block.settings.rollouts) if name == "Best-of-N" else 4)
            ends = np.linspace(before, after, n_stops) + own
            success = np.stack([ends + rng.normal(0, 0.01, n_stops) for _ in range(n_results)])
            success[:, 0] = ends[0]
            results.setdefault(f"success {name}", []).append(success)
            results.setdefault(f"steps {name}", []).append(np.arange(n_stops) * 5000)
            results.setdefault(f"episodes {name}", []).append(np.arange(n_stops) * 100)
            results.setdefault(f"seconds {name}", []).append(2.0)
    return {name: np.stack(values) for name, values in results.items()}


def rows(configs: Iterable[blocks.Config], change: Callable, seed: int = 0, share=SHARE):
    """Rows of grids."""
    rng = np.random.default_rng(seed)
    return [
        row
        for block in blocks.blocks_of(list(configs), 0)
        for row in tables.rows_of(block, block_results(block, change, rng, share))
    ]


def write(path: Path, table: Iterable[tables.Row]) -> None:
    """Write a whole table and its record."""
    write_rows(path, tables.COLUMNS, [row.texts() for row in table], {"blocks": 1, "blocks_in_all": 1})


def write_all(folder: Path, change: Callable) -> None:
    """Write the tables of all parts."""
    for k, part in enumerate(grid.PARTS):
        write(folder / f"{part}.csv", rows(grid_runs.configs(part, folder), change, k))
