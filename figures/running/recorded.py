"""Recorded tables: rows of long experiments that were computed once, kept as CSV, and that figures are drawn from.

This is what a recorded table is. Which tables there are, and what their columns mean, belongs to the experiment.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "results"
"""Folder of the recorded tables, one `<part>.csv` each."""


@dataclass(frozen=True)
class Recorded:
    """Settings of a figure that is drawn from recorded tables and computes nothing anew.

    Parameters
    ----------
    parts : tuple of str
        Names of the tables, without suffix.
    """

    parts: tuple[str, ...]


def recorded_rows(recorded: Recorded) -> list[dict[str, Any]]:
    """Rows of the tables, one table after the other, all entries text.

    Raises
    ------
    FileNotFoundError
        If a table is not there.
    """
    return [row for part in recorded.parts for row in read_rows(RESULTS / f"{part}.csv")]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a table, all entries text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
