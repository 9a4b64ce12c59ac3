"""Reading demonstrations to audit, in one pass: one row for each step, states and actions as numbers or names.

Only counts are kept, by step, state, action and fold of episodes, and the names of the episodes. The rows of an episode
must be consecutive. Bad data are refused with the line and the reason.
"""

import csv
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular.demonstrations import CSV_COLUMNS, check_suffix
from tabular.npz_blocks import Column, blocks, npz_columns
from tabular.tally import INTEGER, LARGEST, SIZE_COLUMN, Reader, Tally, plain, short
from theory.base import validate

LONGEST_LINE = 1 << 16
"""Most bytes in a line; a longer one is refused without reading to its end."""


def read_tally(
    path: str | os.PathLike[str],
    rng: np.random.Generator,
    *,
    n_actions: int | None = None,
    actions_file: str | os.PathLike[str] | None = None,
    n_folds: int = 10,
) -> Tally:
    """Read demonstrations and count.

    Parameters
    ----------
    path : path-like
        A ``.csv`` with the columns episode, step, state, action and optionally n_actions (the number of actions of
        the state), in any order; or an ``.npz`` with one-dimensional arrays of these names, or one that
        `write_demonstrations` wrote. States and actions are integers or names. The rows of an episode are consecutive,
        in any order.
    rng : numpy.random.Generator
        Assigns episodes to folds.
    n_actions : int, optional
        Number of actions of every state, at least 1.
    actions_file : path-like, optional
        A csv with the columns state and n_actions, instead of `n_actions`.
    n_folds : int, optional
        Folds of episodes, at least 2.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ValueError
        If the data are bad: the message names file, line (or row) and reason.
    """
    source = Path(path)
    check_suffix(source)
    rng = validate.generator("rng", rng)
    n_folds = validate.integer("n_folds", n_folds, at_least=2, at_most=1000)
    if n_actions is not None:
        n_actions = validate.integer("n_actions", n_actions, at_least=1, at_most=LARGEST)
    if n_actions is not None and actions_file is not None:
        raise ValueError("n_actions and actions_file exclude each other")
    if source.stat().st_size == 0:
        raise ValueError(f"{source.name} is empty")
    sizes = None if actions_file is None else _read_sizes(Path(actions_file))
    reader = Reader(n_actions, sizes, n_folds, rng)
    if source.suffix == ".npz":
        _count_npz(source, reader)
    else:
        _count_csv(source, reader)
    if not reader.episodes:
        raise ValueError(f"{source.name} has no rows: 0 episodes")
    try:
        return reader.tally()
    except ValueError as error:
        raise ValueError(f"{source.name}: {error}") from None


def _lines(path: Path) -> Iterator[str]:
    """Lines of text, none longer than `LONGEST_LINE` bytes."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise ValueError(f"{path.name}, line {number}: longer than {LONGEST_LINE} bytes")
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise ValueError(f"{path.name}, line {number}: not text in UTF-8") from None


def _column_numbers(path: Path, header: list[str], wanted: tuple[str, ...]) -> list[int]:
    names = [name.strip() for name in header]
    for name in wanted:
        if names.count(name) != 1:
            how = "no column" if name not in names else "two columns"
            raise ValueError(
                f"{path.name}, line 1: {how} {name!r}; found {short(', '.join(names)) if names else 'nothing'}"
            )
    return [names.index(name) for name in wanted]


def _csv_rows(path: Path, wanted: tuple[str, ...], optional: str = "") -> Iterator[tuple[int, list[str]]]:
    """Line number and the wanted fields of each row."""
    reader = csv.reader(_lines(path), strict=True)
    try:
        header = next(reader, [])
        if optional and optional in [name.strip() for name in header]:
            wanted = (*wanted, optional)
        wanted_columns, width = _column_numbers(path, header, wanted), len(header)
        for row in reader:
            if len(row) != width:
                if not row:
                    continue
                raise ValueError(f"{path.name}, line {reader.line_num}: {width} fields expected, {len(row)} found")
            yield reader.line_num, [row[column] for column in wanted_columns]
    except csv.Error as error:
        raise ValueError(f"{path.name}, line {reader.line_num}: not a row of a csv file: {error}") from None


def _count_csv(path: Path, reader: Reader) -> None:
    for line, fields in _csv_rows(path, CSV_COLUMNS, SIZE_COLUMN):
        try:
            reader.row(fields[0], fields[1], fields[2], fields[3], fields[4] if len(fields) > 4 else None)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {line}: {error}") from None


def _count_npz(path: Path, reader: Reader) -> None:
    row = 0
    with ExitStack() as stack:
        for parts in _npz_blocks(path, npz_columns(path, stack)):
            for fields in zip(*(part.astype(str).tolist() for part in parts), strict=True):
                try:
                    reader.row(fields[0], fields[1], fields[2], fields[3], fields[4] if len(fields) > 4 else None)
                except ValueError as error:
                    raise ValueError(f"{path.name}, row {row}: {error}") from None
                row += 1


def _npz_blocks(path: Path, arrays: dict[str, Column]) -> Iterator[list[NDArray[Any]]]:
    """Blocks of rows: episode, step, state, action and optionally the number of actions."""
    if {"states", "actions"} <= arrays.keys():
        states, actions = arrays["states"], arrays["actions"]
        if len(states.shape) != 2 or states.shape != actions.shape:
            raise ValueError(f"{path.name}: states and actions must have one shape (T, H)")
        for name in ("states", "actions"):
            if arrays[name].dtype.kind not in "iuU":
                raise ValueError(f"{path.name}: {name} must hold integers or text; its dtype is {arrays[name].dtype}")
        if not (states.in_order and actions.in_order):
            raise ValueError(f"{path.name}: states and actions must be stored in C order (numpy.ascontiguousarray)")
        begin = 0
        for part in blocks(path, [states, actions]):
            episode, step = np.divmod(np.arange(begin, begin + part[0].size), max(1, states.shape[1]))
            begin += part[0].size
            yield [episode, step, *part]
        return
    for name in CSV_COLUMNS:
        if name not in arrays:
            raise ValueError(f"{path.name} has no array {name!r}; found {short(', '.join(arrays)) or 'nothing'}")
    columns = [arrays[name] for name in (*CSV_COLUMNS, SIZE_COLUMN) if name in arrays]
    for name, column in zip((*CSV_COLUMNS, SIZE_COLUMN), columns, strict=False):
        if len(column.shape) != 1 or column.shape != columns[0].shape:
            raise ValueError(f"{path.name}: {name} must have one entry for each row; its shape is {column.shape}")
        if column.dtype.kind not in "iuU":
            raise ValueError(f"{path.name}: {name} must hold integers or text; its dtype is {column.dtype}")
    yield from blocks(path, columns)


def _read_sizes(path: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for line, (state, size) in _csv_rows(path, ("state", SIZE_COLUMN)):
        name = plain(state)
        if INTEGER.fullmatch(size.strip()) is None or not 1 <= int(size) <= LARGEST:
            raise ValueError(
                f"{path.name}, line {line}: {SIZE_COLUMN} must be an integer of at least 1; got {short(size)}"
            )
        if name in sizes:
            raise ValueError(f"{path.name}, line {line}: state {short(name)} appears twice")
        sizes[name] = int(size)
    return sizes
