"""Which figures there are: every file `fig_<name>.py` in a folder of the package `figures`.

A new figure is a new file; nothing else names it. The folders searched are those of `figures.__path__`, so that a test
can add a folder.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from matplotlib.figure import Figure

import figures
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from theory.claims import Claim

EXPERIMENTS = "experiments"
"""Section of the report for a figure that names no other."""


class FigureModule(Protocol):
    """What every `fig_<name>.py` has. Four further attributes are optional, see `FigureEntry`."""

    TITLE: str
    CAPTION: str
    FULL: Any
    """Settings of the published figure: a dataclass whose fields JSON can hold."""
    QUICK: Any
    """Settings of a quick run."""

    def compute(self, config: Any, sweep: Sweep) -> Arrays:
        """Compute the data; the only function that takes long."""

    def check(self, arrays: Arrays) -> Sequence[Claim]:
        """Judge the saved data."""

    def draw(self, arrays: Arrays) -> Figure:
        """Draw the saved data."""


@dataclass(frozen=True, kw_only=True)
class FigureEntry:
    """A figure's module with its optional attributes, or their defaults: the one place that knows the defaults.

    Parameters
    ----------
    name : str
        For instance ``fig_bc_fails``.
    module : FigureModule
    section : str
        `SECTION`: the id of the result that the figure is about, or another section of the report.
    also : tuple of str
        `ALSO`: ids of results with which the report shows it again.
    needs : tuple of str
        `NEEDS`: third-party data files that it needs, see `figures.running.data`.
    tables : tuple of str
        `TABLES`: recorded tables that it reads beside those of its settings, see `figures.running.recorded`.
    """

    name: str
    module: FigureModule
    section: str
    also: tuple[str, ...]
    needs: tuple[str, ...]
    tables: tuple[str, ...]


def figure_names() -> list[str]:
    """Names of all figures, in alphabetical order."""
    return sorted(_folders())


def figure_module(name: str) -> FigureModule:
    """Import the module of a figure."""
    folder = _folders()[name]
    return cast(FigureModule, importlib.import_module(f"figures.{folder}.{name}"))


def figure_entry(name: str) -> FigureEntry:
    """Import the module of a figure and read its attributes."""
    module = figure_module(name)
    return FigureEntry(
        name=name,
        module=module,
        section=getattr(module, "SECTION", EXPERIMENTS),
        also=tuple(getattr(module, "ALSO", ())),
        needs=tuple(getattr(module, "NEEDS", ())),
        tables=tuple(getattr(module, "TABLES", ())),
    )


def _folders() -> dict[str, str]:
    """Folder of each figure, by the figure's name.

    Raises
    ------
    ValueError
        If two files have one name: names of figures are names of output files, so that one would overwrite the other.
    """
    folders: dict[str, str] = {}
    for path in (path for folder in figures.__path__ for path in sorted(Path(folder).glob("*/fig_*.py"))):
        name, folder = path.stem, path.parent.name
        if name in folders:
            raise ValueError(f"{name} is in two folders, figures/{folders[name]} and figures/{folder}; rename one")
        folders[name] = folder
    return folders
