"""Recorded tables: results of long experiments, kept in the repository as CSV, and drawn without recomputing them.

A table is `results/<part>.csv`, with a header and one row for each result; all entries are text. This module says what
a recorded table is; which tables there are, and what their columns mean, is up to the experiment.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "results"
"""Folder of the recorded tables."""

Row = dict[str, str]
"""A row of a table: the text of each column."""


@dataclass(frozen=True)
class Recorded:
    """Settings of a figure that is drawn from recorded tables.

    Parameters
    ----------
    parts : tuple of str
        Names of the tables, without suffix.
    """

    parts: tuple[str, ...]


def recorded_rows(recorded: Recorded) -> list[Row]:
    """Read the rows of the tables, one table after the other."""
    return [row for part in recorded.parts for row in read_rows(RESULTS / f"{part}.csv")]


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a table.

    Raises
    ------
    ValueError
        If there is no header, or a row has more or fewer entries than it: a table that was cut off is refused.
    """
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    if not lines:
        raise ValueError(f"{path.name} is empty; a table has a header")
    header, rows = lines[0], lines[1:]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(f"{path.name}: row {number} has {len(row)} entries for {len(header)} columns")
    return [dict(zip(header, row, strict=True)) for row in rows]
