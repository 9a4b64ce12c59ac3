"""Tables of a grid of finetuning whose answer is known, for tests of the figures that read them."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from figures.control import blocks, grid
from figures.running.sweep import Sweep

SHARE = {"BC": 0.0, "sigma-BC": 1.0, "PostBC": 0.2}
"""Noise that a strength of 1 adds."""


def block(cell, change: Callable, rng: np.random.Generator):
    """What `run_block` would return, were mean success `change(family, strength, n_demos)`, before and after."""
    luck = np.random.default_rng(cell["replicate"]).normal(0, 0.05)
    found: dict[str, list] = {"pretrain_seconds": [], "strength": [], "noise": []}
    for family, strength, _ in cell["plans"]:
        before, after = change(family, strength, cell["n_demos"])
        found["pretrain_seconds"].append(1.0)
        found["strength"].append(strength)
        found["noise"].append(strength * SHARE[family])
        own = luck + rng.normal(0, 0.01)
        for name in cell["finetuners"]:
            results = 2 if name == "Best-of-N" else 1
            stops = 1 + (len(cell["settings"]["rollouts"]) if name == "Best-of-N" else 4)
            ends = np.linspace(before, after, stops) + own
            success = np.stack([ends + rng.normal(0, 0.01, stops) for _ in range(results)])
            success[:, 0] = ends[0]
            found.setdefault(f"success {name}", []).append(success)
            found.setdefault(f"steps {name}", []).append(np.arange(stops) * 5000)
            found.setdefault(f"episodes {name}", []).append(np.arange(stops) * 100)
            found.setdefault(f"seconds {name}", []).append(2.0)
    return {name: np.stack(values) for name, values in found.items()}


def rows(configs: Iterable[blocks.Config], change: Callable, seed: int = 0):
    """Rows of grids."""
    rng = np.random.default_rng(seed)
    cells = blocks.blocks(list(configs), Sweep(0))
    return [row for cell in cells for row in blocks.rows(cell, block(cell, change, rng))]


def write_all(folder: Path, change: Callable) -> None:
    """Write the tables of all parts."""
    for k, part in enumerate(grid.PARTS):
        with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, blocks.COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows(grid.configs(part, folder), change, k))
