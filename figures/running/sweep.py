"""Long computations as cells: parallel, resumable, and bitwise the same however they are run.

A cell is a small dictionary of settings. It is computed by `function(cell, rng)`, where `rng` depends on the seed, the
name of the experiment and the cell alone: never on the worker, the order, or what was computed before.
"""

import ast
import hashlib
import inspect
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from figures.running.artifacts import Arrays, load_arrays, save_arrays

Cell = Mapping[str, Any]
CellFunction = Callable[[Cell, np.random.Generator], Arrays]

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("theory", "tabular", "continuous")
VERSIONED = ("numpy", "scipy", "numba", "gymnasium")


@dataclass(frozen=True)
class Sweep:
    """How cells are run.

    Parameters
    ----------
    seed : int
        The run's seed.
    executor : concurrent.futures.Executor, optional
        Where to run; None is here and now. Any executor will do.
    cache : Path, optional
        Folder of finished cells. A cell is found again if its settings, the seed, the source code and the versions of
        the numerical packages are the same.
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
        """Do work that nobody waits for until `finish`: in a worker if there is one, else at once."""
        if self.executor is None:
            work(*arguments)
        else:
            self._later.append(self.executor.submit(work, *arguments))

    def finish(self) -> None:
        """Wait for all that was put off; an error there is raised here."""
        for future in self._later:
            future.result()

    def run(self, name: str, function: CellFunction, cells: Sequence[Cell]) -> list[Arrays]:
        """Compute every cell, or find it in the cache.

        Parameters
        ----------
        name : str
            Name of the experiment. Two figures that use one experiment share its cells.
        function : callable
            At the top level of a module, so that other processes can find it.
        cells : sequence of mapping
            JSON-ready settings.

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
        results = {i: arrays for i, key in enumerate(keys) if (arrays := self._cached(key)) is not None}
        missing = [i for i in range(len(cells)) if i not in results]
        disable = None if self.progress else True  # None: silent where the output is no terminal
        with tqdm(total=len(cells), initial=len(results), desc=name, unit="cell", disable=disable, leave=False) as bar:

            def finish(i: int, arrays: Arrays) -> None:
                if self.cache is not None:
                    save_arrays(self.cache / f"{keys[i]}.npz", arrays, {"experiment": name, "cell": dict(cells[i])})
                results[i] = arrays
                bar.update()

            # The first missing cell runs here: it compiles the kernels once, for all workers.
            alone = missing if self.executor is None else missing[:1]
            for i in alone:
                finish(i, function(cells[i], self.generator(name, cells[i])))
            if self.executor is not None:
                self._spread(name, function, cells, missing[1:], finish)
        return [results[i] for i in range(len(cells))]

    def found(self, name: str, function: CellFunction, cells: Sequence[Cell]) -> list[Arrays | None]:
        """What the cache holds of these cells, computing nothing; None where a cell is missing. Arguments as `run`."""
        return [self._cached(self._key(name, function, cell)) for cell in cells]

    def _cached(self, key: str) -> Arrays | None:
        if self.cache is not None and (path := self.cache / f"{key}.npz").exists():
            with suppress(ValueError):  # a damaged cell is computed again
                return load_arrays(path)[0]
        return None

    def _spread(
        self,
        name: str,
        function: CellFunction,
        cells: Sequence[Cell],
        missing: Sequence[int],
        finish: Callable[[int, Arrays], None],
    ) -> None:
        assert self.executor is not None
        pending: dict[Future[Arrays], int] = {
            self.executor.submit(function, cells[i], self.generator(name, cells[i])): i for i in missing
        }
        try:
            for future in as_completed(pending):
                finish(pending[future], future.result())
        except BaseException:
            for future in pending:
                future.cancel()
            raise

    def _key(self, name: str, function: CellFunction, cell: Cell) -> str:
        parts = [name, f"{function.__module__}.{function.__qualname__}", str(self.seed), source_digest(function)]
        return hashlib.sha256("\n".join(parts).encode() + _canonical(cell)).hexdigest()[:32]


@cache
def source_digest(function: CellFunction) -> str:
    """Digest of all that can change a cell.

    The packages, the function's module, what that imports of `figures`, and the versions of numerical packages.
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
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        names: set[str] = set()
        for node in ast.walk(ast.parse(waiting.pop().read_bytes())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:  # from a package come its modules, or their names
                names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
        paths = {ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names if name.startswith("figures.")}
        new = {path for path in paths if path.is_file()} - found
        found |= new
        waiting += new
    return found


def versions() -> dict[str, str]:
    """Versions of the numerical packages."""
    return {name: version(name) for name in VERSIONED}


def _canonical(cell: Cell) -> bytes:
    return json.dumps(dict(cell), sort_keys=True, allow_nan=False).encode()
