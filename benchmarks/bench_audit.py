"""Counting a million rows of demonstrations: how long it takes, and how much memory beyond the counts."""

import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from benchmarks._measure import Row
from tabular.audit_data import read_tally

HORIZON, STATES, ACTIONS = 100, 50, 4


def write_rows(path: Path, n_rows: int) -> None:
    """Rows of episodes of `HORIZON` steps, the states and actions drawn at random."""
    rng, n = np.random.default_rng(0), np.arange(n_rows)
    columns = {
        "episode": n // HORIZON,
        "step": n % HORIZON,
        "state": rng.integers(STATES, size=n_rows),
        "action": rng.integers(ACTIONS, size=n_rows),
    }
    if path.suffix == ".npz":
        np.savez_compressed(path, **columns)
    else:
        head = ",".join(columns)
        np.savetxt(path, np.stack(list(columns.values()), axis=1), "%d", ",", header=head, comments="")


def read(path: Path) -> None:
    read_tally(path, np.random.default_rng(1), n_actions=ACTIONS)


def peak(path: Path) -> float:
    """Largest memory in use while reading, in MB."""
    tracemalloc.start()
    read(path)
    megabytes = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return megabytes


def audit_of_a_million_rows() -> list[Row]:
    """Seconds against ten, and memory against that for a fifth of the rows, which already hold all cells."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("csv", "npz"):
            few, many = (Path(folder) / f"{n}.{suffix}" for n in (200_000, 1_000_000))
            write_rows(few, 200_000)
            write_rows(many, 1_000_000)
            seconds = []
            for _ in range(3):
                begin = time.perf_counter()
                read(many)
                seconds.append(time.perf_counter() - begin)
            took = sorted(seconds)
            ratio = [10.0 / second for second in took]
            rows.append(Row(f"{suffix}, 1e6 rows, against 10 s", took[1], 10.0, ratio[1], ratio[2], ratio[0], 1.0, "s"))
            small, large = peak(few), peak(many)
            share = small / large
            what = f"{suffix}, memory of 1e6 rows against that of 2e5"
            rows.append(Row(what, large, small, share, share, share, 0.8, "MB"))
    return rows


BENCHMARKS = {"the audit reads a million rows": audit_of_a_million_rows}
