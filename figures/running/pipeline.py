"""From a figure's module to its files: compute or load the data, judge them, draw them.

A figure `fig_x` has these files in the output folder:

    fig_x.npz                              data, with the settings and versions that they were made with
    fig_x.json                             the verdicts of its claims
    fig_x.pdf, fig_x.png                   the picture for a page
    fig_x_column.pdf, fig_x_column.png     the picture for a column

The verdicts and pictures depend on the data alone.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from figures.look import contrast, style
from figures.running.artifacts import Arrays, load_arrays, save_arrays, save_figure, save_json
from figures.running.data import missing_data
from figures.running.finished import FinishedFigure, Profile
from figures.running.recorded import Recorded, tables_problem
from figures.running.registry import figure_entry, figure_module
from figures.running.sweep import Sweep, versions
from figures.running.verdicts import figure_json


def make(name: str, profile: Profile, sweep: Sweep, out: Path, *, from_data: bool = False) -> FinishedFigure:
    """Compute (or load) a figure's data, judge and draw them, and write all files.

    Parameters
    ----------
    name : str
    profile : {"quick", "full"}
    sweep : Sweep
        Runs the cells, and the drawing, which is finished after `sweep.finish()` only.
    out : Path
        Output folder.
    from_data : bool, optional
        Load the saved data. A figure of recorded tables that has no saved data is computed from the tables.

    Raises
    ------
    FileNotFoundError
        If `from_data` and there are no data.
    ValueError
        If the data were made with another profile, seed or settings than asked for, or if two claims have one id.
    """
    entry, config = figure_entry(name), _config(name, profile)
    origin = _origin(name, profile, sweep.seed)
    data = out / f"{name}.npz"
    if from_data and (data.exists() or not isinstance(config, Recorded)):
        arrays = _saved(data, origin)
    else:
        arrays = entry.module.compute(config, sweep)
        save_arrays(data, arrays, {**origin, "versions": versions()})
    claims = tuple(entry.module.check(arrays))
    if len({claim.id for claim in claims}) < len(claims):
        raise ValueError(f"{name} has two claims of one id")
    figure = FinishedFigure(
        name=name,
        title=entry.module.TITLE,
        caption=entry.module.CAPTION,
        section=entry.section,
        also=entry.also,
        claims=claims,
    )
    sweep.later(save_drawing, name, arrays, out)
    save_json(out / f"{name}.json", figure_json(figure, origin))
    return figure


def missing_files(name: str, out: Path, *, from_data: bool = False) -> list[str]:
    """Third-party data files without which a figure must be left out.

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
    return missing_data(figure_entry(name).needs)


def saved_problem(name: str, profile: Profile, seed: int, out: Path) -> str | None:
    """Say why a figure's saved data cannot be used; None if they can.

    It is no problem if a figure has no saved data and is left out for missing files, or is drawn from recorded tables.
    """
    data = out / f"{name}.npz"
    if not data.exists() and (missing_files(name, out) or isinstance(_config(name, profile), Recorded)):
        return None
    try:
        _saved(data, _origin(name, profile, seed))
    except (OSError, ValueError) as error:
        return str(error)
    return None


def unfit_tables(name: str, profile: Profile, out: Path, *, from_data: bool = False) -> str | None:
    """Say why the recorded tables that a figure would read cannot be drawn; None if they can, or none is read."""
    entry, config = figure_entry(name), _config(name, profile)
    if not isinstance(config, Recorded) or (from_data and (out / f"{name}.npz").exists()):
        return None
    return tables_problem((*config.parts, *entry.tables))


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


def _config(name: str, profile: Profile) -> Any:
    module = figure_module(name)
    return module.FULL if profile == "full" else module.QUICK


def _origin(name: str, profile: Profile, seed: int) -> dict[str, Any]:
    """Description that data are saved with, and that loaded data must have.

    The settings pass through JSON, because a saved tuple comes back as a list.
    """
    settings = json.loads(json.dumps(asdict(_config(name, profile))))
    return {"figure": name, "profile": profile, "seed": seed, "settings": settings}


def _saved(path: Path, origin: dict[str, Any]) -> Arrays:
    if not path.exists():
        raise FileNotFoundError(f"no data to draw from: {path} does not exist")
    arrays, saved_origin = load_arrays(path)
    for key, value in origin.items():
        if saved_origin.get(key) != value:
            raise ValueError(f"{path.name} was made with {key} {saved_origin.get(key)!r}; {value!r} is asked for")
    return arrays
