"""From a figure module to its files: data, verdicts, pictures."""

import hashlib
import importlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from matplotlib.figure import Figure

from figures.look import contrast, style
from figures.running.artifacts import Arrays, load_arrays, save_arrays, save_figure, save_json
from figures.running.data import missing_data
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep, versions
from theory.claims import Claim

FIGURES = Path(__file__).resolve().parents[1]
"""Folder whose folders hold the figures, one file `fig_<name>.py` each."""


class FigureModule(Protocol):
    """What every `fig_<name>.py` offers.

    One that needs data of others names the files in `NEEDS` (see `data`); one that is about a result names its id in
    `SECTION`, and stands in the report with that result, else with the experiments. `ALSO` names results with which it
    is shown once more.
    """

    TITLE: str
    CAPTION: str
    FULL: Any
    QUICK: Any

    def compute(self, config: Any, sweep: Sweep) -> Arrays:
        """Only this takes time."""

    def check(self, arrays: Arrays) -> Sequence[Claim]:
        """Judge what was saved."""

    def draw(self, arrays: Arrays) -> Figure:
        """Draw what was saved."""


@dataclass(frozen=True)
class FinishedFigure:
    """A finished figure."""

    name: str
    title: str
    caption: str
    claims: tuple[Claim, ...]
    section: str = "experiments"
    """Where it stands in the report."""
    also: tuple[str, ...] = ()
    """Results that it is shown with once more."""

    def to_json(self) -> list[dict[str, Any]]:
        """Entries of ``verdicts.json``."""
        return [claim.to_json(self.name) for claim in self.claims]


@cache
def _rooms() -> dict[str, str]:
    """Folder of `figures` in which each figure stands, by the figure's name."""
    return {path.stem: path.parent.name for path in sorted(FIGURES.glob("*/fig_*.py"))}


def figure_names() -> list[str]:
    """Names of all figures, by file name."""
    return sorted(_rooms())


def figure_module(name: str) -> FigureModule:
    """The module of a figure."""
    return cast(FigureModule, importlib.import_module(f"figures.{_rooms()[name]}.{name}"))


def lacking(name: str, out: Path, *, from_data: bool = False) -> list[str]:
    """Files without which a figure must be left out: those of its `NEEDS` that are not found.

    Parameters
    ----------
    name : str
    out : Path
        Output folder.
    from_data : bool, optional
        Whether the figure is drawn from saved data, which then suffice.
    """
    if from_data and (out / f"{name}.npz").exists():
        return []
    return missing_data(getattr(figure_module(name), "NEEDS", ()))


def saved_problem(name: str, profile: str, seed: int, out: Path) -> str | None:
    """Why a figure's saved data cannot be used, in a sentence; None if they can.

    A figure that needs data of others and has nothing saved is no problem: it is left out. One that is drawn from
    recorded tables reads those.
    """
    if not (out / f"{name}.npz").exists() and (lacking(name, out, from_data=True) or _recorded(_config(name, profile))):
        return None
    try:
        _saved(out / f"{name}.npz", _wanted(name, profile, seed))
    except (OSError, ValueError) as error:
        return str(error)
    return None


def _config(name: str, profile: str) -> Any:
    module = figure_module(name)
    return module.FULL if profile == "full" else module.QUICK


def _recorded(config: Any) -> bool:
    """Whether a figure is drawn from recorded tables, which are saved data, too."""
    return isinstance(config, Recorded)


def _wanted(name: str, profile: str, seed: int) -> dict[str, Any]:
    settings = asdict(_config(name, profile))
    return {"figure": name, "profile": profile, "seed": seed, "settings": json.loads(json.dumps(settings))}


def make(name: str, profile: str, sweep: Sweep, out: Path, *, from_data: bool = False) -> FinishedFigure:
    """Compute (or load) a figure's data, judge and draw them, and write all files.

    Raises
    ------
    FileNotFoundError
        If `from_data` and there are no data.
    ValueError
        If the data were made with another profile, seed or settings than asked for.
    """
    module, config = figure_module(name), _config(name, profile)
    wanted = _wanted(name, profile, sweep.seed)
    data = out / f"{name}.npz"
    if from_data and not (_recorded(config) and not data.exists()):
        arrays = _saved(data, wanted)
    else:
        arrays = module.compute(config, sweep)
        save_arrays(data, arrays, {**wanted, "versions": versions()})
    claims = tuple(module.check(arrays))
    if len({claim.id for claim in claims}) < len(claims):
        raise ValueError(f"{name} has two claims of one id")
    places = (getattr(module, "SECTION", "experiments"), getattr(module, "ALSO", ()))
    outcome = FinishedFigure(name, module.TITLE, module.CAPTION, claims, *places)
    sweep.later(save_drawing, name, arrays, out)
    save_json(out / f"{name}.json", {"schema": 1, **wanted, "claims": outcome.to_json()})
    return outcome


def save_drawing(name: str, arrays: Arrays, out: Path) -> None:
    """Draw a figure in each form and write its pictures."""
    for form in style.WIDTHS:
        with style.style(form):
            figure = figure_module(name).draw(arrays)
            contrast.make_texts_legible(figure)
            save_figure(out / picture_name(name, form), figure)


def picture_name(name: str, form: style.Form) -> str:
    """Name of the pictures of a figure in a form, without suffix."""
    return name if form == "page" else f"{name}_{form}"


def _saved(path: Path, wanted: dict[str, Any]) -> Arrays:
    if not path.exists():
        raise FileNotFoundError(f"no data to draw from: {path} does not exist")
    arrays, meta = load_arrays(path)
    for key, value in wanted.items():
        if meta.get(key) != value:
            raise ValueError(f"{path.name} was made with {key} {meta.get(key)!r}; {value!r} is asked for")
    return arrays


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
