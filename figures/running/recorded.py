"""Recorded tables: results of long experiments, kept in the repository as CSV, and drawn without recomputing them.

A table is `results/<part>.csv`, with a header and one row for each result; all entries are text. Beside it stands its
record, `<part>.json`: the table's SHA-256 and number of rows, and how many of its blocks it holds. Verdicts rest on
these tables, so a table that is not the one of its record, or lacks blocks, is refused: fewer rows would give other
verdicts without notice.

This module says what a recorded table is; which tables there are, and what their columns mean, is up to the
experiment.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures.running.artifacts import save_json, save_text

RESULTS = Path(__file__).resolve().parents[2] / "results"
"""Folder of the recorded tables."""

SCHEMA = 3
"""Version of the form of a record."""

Row = dict[str, str]
"""A row of a table: the text of each column."""


class TableError(ValueError):
    """A recorded table that must not be drawn; the message names the table, the reason, and what to run."""


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


def tables_problem(parts: Iterable[str]) -> str | None:
    """Say why one of the tables cannot be drawn; None if all can."""
    try:
        for part in parts:
            read_rows(RESULTS / f"{part}.csv")
    except (OSError, TableError) as error:
        return str(error)
    return None


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a table, and compare it with its record.

    Raises
    ------
    FileNotFoundError
        If there is no table.
    TableError
        If there is no record, or it describes another table, or one that is not whole.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no table {path}; {_command(path)} computes it")
    content = path.read_bytes()
    about = _read_record(path)
    rows = _rows_of(path, content)
    if about["rows"] != len(rows):
        raise TableError(_not_recorded(path, f"it has {len(rows)} rows in place of {about['rows']}"))
    if about["sha256"] != hashlib.sha256(content).hexdigest():
        raise TableError(_not_recorded(path, "its SHA-256 is another"))
    if about["blocks"] != about["blocks_in_all"]:
        done = f"{about['blocks']} of {about['blocks_in_all']} blocks"
        raise TableError(f"{path.name} holds {done}; {_command(path)} completes it")
    return rows


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Row], about: Mapping[str, Any]) -> None:
    """Write a table and its record.

    Parameters
    ----------
    path : Path
    columns : sequence of str
    rows : iterable of dict
    about : mapping
        The rest of the record, see `write_record`.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    save_text(path, text.getvalue())
    write_record(path, about)


def write_record(path: Path, about: Mapping[str, Any]) -> None:
    """Write the record of the table that stands at a path.

    Parameters
    ----------
    path : Path
        The table.
    about : mapping
        The rest of the record: `blocks` in the table, `blocks_in_all`, and what else describes how it was made.
    """
    content = path.read_bytes()
    seal = {"schema": SCHEMA, "sha256": hashlib.sha256(content).hexdigest(), "rows": len(_rows_of(path, content))}
    blocks = {name: about[name] for name in ("blocks", "blocks_in_all")}
    save_json(path.with_suffix(".json"), {**seal, **blocks, **{k: v for k, v in about.items() if k not in seal}})


def _rows_of(path: Path, content: bytes) -> list[Row]:
    try:
        lines = list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(_not_recorded(path, f"it is not read as a table: {error}")) from None
    if not lines:
        raise TableError(_not_recorded(path, "it is empty; a table has a header"))
    header, rows = lines[0], lines[1:]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise TableError(_not_recorded(path, f"row {number} has {len(row)} entries for {len(header)} columns"))
    return [dict(zip(header, row, strict=True)) for row in rows]


def _read_record(path: Path) -> dict[str, Any]:
    """The record of a table: its digest and its numbers of rows and blocks are there."""
    record = path.with_suffix(".json")
    try:
        about = json.loads(record.read_bytes())
    except (OSError, ValueError):
        about = None
    if not isinstance(about, dict) or not {"sha256", "rows", "blocks", "blocks_in_all"} <= about.keys():
        raise TableError(f"{path.name} has no {record.name} with its digest and size; {_command(path)} writes both")
    return about


def _not_recorded(path: Path, reason: str) -> str:
    return (
        f"{path.name} is not the table that {path.stem}.json describes: {reason}. Restore both files, "
        f"or {_command(path)} computes them"
    )


def _command(path: Path) -> str:
    into = "" if path.parent == RESULTS else f" --into {path.parent}"
    return f"`python -m figures grid --only {path.stem}{into}`"
