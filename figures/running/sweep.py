"""Long computations as cells: in parallel, resumable, and with the same bits however they are run.

A cell is one small part of an experiment, given by its settings: a mapping that JSON can hold, such as
``{"n_demos": 100, "policy": "BC"}``. Its results are

    arrays = function(cell, rng)
    rng = default_rng(SeedSequence(seed, spawn_key=(crc32(experiment), crc32(canonical(cell)))))

where `canonical` is the cell's JSON with sorted keys. So the generator depends on the run's seed, the experiment's name
and the cell's settings, and on nothing else: not on the worker, the order, the other cells, or the function's code. The
reverse holds, too: a setting that is renamed, added or written as 1.0 instead of 1 gives the cell other random
numbers.

Finished cells are kept in a cache under a key of the experiment's name, the function, the seed, the cell, the source
code that can change the result, and the versions of the numerical packages (`source_digest`). Data files are not part
of that key; a cell that reads some has their digest among its settings (`figures.running.data.data_digest`). The
description in a file names its cell and key again: a file that is damaged, or stands under the name of another cell, is
not used but computed again.
"""

import ast
import hashlib
import inspect
import json
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from figures.running.artifacts import Arrays, load_arrays, save_arrays

Cell = Mapping[str, Any]
"""Settings of a cell: keys are strings; values are numbers (not NaN, not numpy's), strings, booleans, None, and lists
and mappings of these. A tuple and a list of the same entries are the same setting."""

CellFunction = Callable[[Cell, np.random.Generator], Arrays]

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("theory", "tabular", "continuous")
"""Packages whose source code, as a whole, is part of a cell's key."""
VERSIONED = ("numpy", "scipy", "numba", "gymnasium")
"""Packages whose versions are part of a cell's key."""


@dataclass(frozen=True)
class Sweep:
    """How cells are run.

    Parameters
    ----------
    seed : int
        The run's seed.
    executor : concurrent.futures.Executor, optional
        Any executor; None runs every cell in this process.
    cache : Path, optional
        Folder of finished cells; None keeps none.
    progress : bool, optional
        Show a bar with the time left, if the output is a terminal.
    """

    seed: int
    executor: Executor | None = None
    cache: Path | None = None
    progress: bool = False
    _later: list[Future[None]] = field(default_factory=list, repr=False)

    def generator(self, name: str, cell: Cell | None = None) -> np.random.Generator:
        """Generator of an experiment, or of one of its cells."""
        key = (zlib.crc32(name.encode()), zlib.crc32(_canonical(cell or {})))
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def later(self, work: Callable[..., None], *arguments: Any) -> None:
        """Start work whose result is not needed before `finish`: in a worker if there is one, else at once."""
        if self.executor is None:
            work(*arguments)
        else:
            self._later.append(self.executor.submit(work, *arguments))

    def finish(self) -> None:
        """Wait for all work that `later` started; an error in it is raised here."""
        for future in self._later:
            future.result()

    def run(self, name: str, function: CellFunction, cells: Sequence[Cell]) -> list[Arrays]:
        """Compute every cell, or load it from the cache.

        Parameters
        ----------
        name : str
            Name of the experiment. Two figures that use one experiment share its cells.
        function : callable
            At the top level of a module, so that other processes can import it.
        cells : sequence of mapping
            Settings as JSON can hold them, see `Cell`.

        Returns
        -------
        list of dict of ndarray
            In the order of `cells`.

        Raises
        ------
        ValueError
            If two cells are equal.
        """
        keys = [self._key(name, function, cell) for cell in cells]
        if len(set(keys)) < len(keys):
            raise ValueError(f"cells of {name} must differ; two are equal")
        loaded = self._load_all(name, keys, cells)
        results = {i: arrays for i, arrays in enumerate(loaded) if arrays is not None}
        missing = [i for i in range(len(cells)) if i not in results]
        disable = None if self.progress else True  # None: silent where the output is no terminal
        with tqdm(total=len(cells), initial=len(results), desc=name, unit="cell", disable=disable, leave=False) as bar:

            def keep(i: int, arrays: Arrays) -> None:
                if self.cache is not None:
                    meta = self._description(name, keys[i], cells[i])
                    save_arrays(self.cache / f"{keys[i]}.npz", arrays, meta)
                results[i] = arrays
                bar.update()

            # The first missing cell runs in this process: it compiles the kernels once, for all workers.
            alone = missing if self.executor is None else missing[:1]
            for i in alone:
                keep(i, function(cells[i], self.generator(name, cells[i])))
            if self.executor is not None:
                self._run_in_workers(name, function, cells, missing[1:], keep)
        return [results[i] for i in range(len(cells))]

    def cached(self, name: str, function: CellFunction, cells: Sequence[Cell]) -> list[Arrays | None]:
        """Load the cells that the cache holds and compute nothing; None for a missing cell. Arguments as `run`."""
        return self._load_all(name, [self._key(name, function, cell) for cell in cells], cells)

    def _load_all(self, name: str, keys: Sequence[str], cells: Sequence[Cell]) -> list[Arrays | None]:
        return [self._load(name, key, cell) for key, cell in zip(keys, cells, strict=True)]

    def _load(self, name: str, key: str, cell: Cell) -> Arrays | None:
        """Arrays of a finished cell; None without a file, or, with a warning, if the file is not that cell's."""
        if self.cache is None or not (path := self.cache / f"{key}.npz").exists():
            return None
        try:
            arrays, meta = load_arrays(path)
            if meta != self._description(name, key, cell):
                raise ValueError(f"{path.name} holds another cell, of {meta.get('experiment')!r}")
        except ValueError as error:
            tqdm.write(f"{name}: a finished cell is not used and counts as missing: {error}", file=sys.stderr)
            return None
        return arrays

    def _description(self, name: str, key: str, cell: Cell) -> dict[str, Any]:
        """What a cell's file says that it holds; as JSON gives it back."""
        settings = json.loads(_canonical(cell))
        return {"experiment": name, "cell": settings, "seed": self.seed, "key": key}

    def _run_in_workers(
        self,
        name: str,
        function: CellFunction,
        cells: Sequence[Cell],
        missing: Sequence[int],
        keep: Callable[[int, Arrays], None],
    ) -> None:
        assert self.executor is not None
        pending: dict[Future[Arrays], int] = {
            self.executor.submit(function, cells[i], self.generator(name, cells[i])): i for i in missing
        }
        try:
            for future in as_completed(pending):
                keep(pending[future], future.result())
        except BaseException:  # a stopped run must not wait for cells that will be discarded
            for future in pending:
                future.cancel()
            raise

    def _key(self, name: str, function: CellFunction, cell: Cell) -> str:
        parts = [name, f"{function.__module__}.{function.__qualname__}", str(self.seed), source_digest(function)]
        return hashlib.sha256("\n".join(parts).encode() + _canonical(cell)).hexdigest()[:32]


@cache
def source_digest(function: CellFunction) -> str:
    """Digest of the source code and versions that can change a cell.

    These are the packages `SOURCES` as a whole, the function's module, the modules of `figures` that it imports,
    directly or not, and the versions of `VERSIONED`. Other figures do not count: a change of one computes no other
    anew.
    """
    digest = hashlib.sha256(json.dumps(versions()).encode())
    module = Path(inspect.getfile(function))
    packages = [path for package in SOURCES for path in sorted((ROOT / package).rglob("*.py"))]
    for path in (*packages, *sorted(_imported_figures(module))):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update(module.read_bytes())
    return digest.hexdigest()


def _imported_figures(module: Path) -> set[Path]:
    """Modules of `figures` that a file imports, anywhere in it, and those that they import in turn."""
    reached: set[Path] = set()
    waiting = [module]
    while waiting:
        paths = {ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in _imported_names(waiting.pop())}
        new = {path for path in paths if path.is_file()} - reached
        reached |= new
        waiting += new
    return reached


def _imported_names(module: Path) -> set[str]:
    """Dotted names of `figures` that a file imports and that may be modules.

    `from figures.control import grid` imports a module, `from figures.control.grid import TASKS` a name of one: both
    `figures.control.grid` and `figures.control.grid.TASKS` are listed, and the caller looks which is a file.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return {name for name in names if name.startswith("figures.")}


def versions() -> dict[str, str]:
    """Versions of the numerical packages."""
    return {name: version(name) for name in VERSIONED}


def _canonical(cell: Cell) -> bytes:
    return json.dumps(dict(cell), sort_keys=True, allow_nan=False).encode()
