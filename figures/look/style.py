"""One look for all figures: sizes, colours and their meaning, on a page and in a column."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.typing import NDArray

from figures.look import palette

Form = Literal["page", "column"]

PAGE = 7.0
"""Width of a page of print, in inches."""

COLUMN = 3.4
"""Width of a column of print, in inches; a phone shows about as much."""

WIDTHS: dict[Form, float] = {"page": PAGE, "column": COLUMN}
"""Each figure is drawn in both forms, with letters of the same size."""

TEXT_CONTRAST = 4.5
"""Contrast of a text with its background that WCAG asks for (1.4.3)."""

_RC: dict[Any, Any] = {
    "font.size": 8,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "savefig.dpi": 200,
}


LETTER = 4.0
"""Points across that a letter of a title or label takes, less what it may stand out beyond its panel."""

_WHOLE = r"(?:\$[^$]*\$| = )+"
"""What stays on one line: formulas, and both sides of a sign of equality."""

_form: ContextVar[Form] = ContextVar("form", default="page")

T = TypeVar("T")


@contextmanager
def style(form: Form = "page") -> Iterator[None]:
    """Draw and save inside this block, in one of the forms."""
    before = _form.set(form)
    try:
        with matplotlib.rc_context(_RC):
            yield
    finally:
        _form.reset(before)


def by_form(page: T, column: T) -> T:
    """Choose what differs between the forms."""
    return page if _form.get() == "page" else column


def new_figure(*, page: float, column: float) -> Figure:
    """Empty figure of the form's width; no pyplot, so no hidden state.

    Parameters
    ----------
    page, column : float
        Height in each form, in inches.
    """
    return Figure(figsize=(WIDTHS[_form.get()], by_form(page, column)), layout="constrained")


def new_parts(figure: Figure, heights: Sequence[float]) -> list[SubFigure]:
    """Parts of a figure, one above the other, with panels and legends of their own."""
    return list(np.ravel(np.asarray(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False))))


def new_grid(
    figure: FigureBase, rows: int, columns: int, *, ratios: Sequence[float] | None = None, **options: Any
) -> NDArray[Any]:
    """Panels, (rows, columns), whose rows share an axis; in a column they lie on their side, each row as a column.

    Parameters
    ----------
    figure : Figure or SubFigure
    rows, columns : int
    ratios : sequence of float, optional
        Sizes of the rows.
    **options
        Of `Figure.subplots`.
    """
    if _form.get() == "page":
        grid = figure.subplots(rows, columns, squeeze=False, height_ratios=ratios, **{"sharey": "row", **options})
    else:
        grid = figure.subplots(columns, rows, squeeze=False, width_ratios=ratios, **{"sharey": "col", **options}).T
    return np.asarray(grid)


def new_panels(figure: FigureBase, n_panels: int, *, page: int, column: int, **options: Any) -> list[Axes]:
    """Panels row by row; what is left of the last row stays empty.

    Parameters
    ----------
    figure : Figure or SubFigure
    n_panels : int
    page, column : int
        How many stand in a row in each form.
    **options
        Of `Figure.subplots`.
    """
    across = min(n_panels, by_form(page, column))
    grid = figure.subplots(-(-n_panels // across), across, squeeze=False, **options).ravel().tolist()
    for spare in grid[n_panels:]:
        spare.set_axis_off()
    return list(grid[:n_panels])


def new_pairs(figure: FigureBase, n_pairs: int, *, page: int, ratio: float) -> list[tuple[Axes, Axes]]:
    """Pairs of panels: on a page one above the other, so many pairs in a row; in a column side by side, a pair a row.

    Parameters
    ----------
    figure : Figure or SubFigure
    n_pairs, page : int
        How many there are, and how many stand beside one another on a page; what is left of a row stays empty.
    ratio : float
        On a page, height of an upper panel over that of a lower one.
    """
    if _form.get() == "column":
        return [(upper, lower) for upper, lower in figure.subplots(n_pairs, 2, squeeze=False).tolist()]
    across = min(n_pairs, page)
    lines = -(-n_pairs // across)
    grid = figure.subplots(2 * lines, across, squeeze=False, height_ratios=(ratio, 1) * lines)
    pairs = list(zip(grid[::2].ravel().tolist(), grid[1::2].ravel().tolist(), strict=True))
    for pair in pairs[n_pairs:]:
        for spare in pair:
            spare.set_axis_off()
    return pairs[:n_pairs]


def name_pairs(pairs: Sequence[tuple[Axes, Axes]], upper: tuple[str, str], lower: tuple[str, str]) -> None:
    """Label the horizontal axes of `new_pairs`, in a column those of the last, and the vertical axes of the first ones.

    Parameters
    ----------
    pairs : sequence of (Axes, Axes)
    upper, lower : (str, str)
        Horizontal and vertical label of the upper and of the lower panels.
    """
    column = _form.get() == "column"
    for i, pair in enumerate(pairs):
        for axes, (xlabel, ylabel) in zip(pair, (upper, lower), strict=True):
            if not column or i + 1 == len(pairs):
                axes.set_xlabel(_wrapped(xlabel, size_in_points(axes)[0]))
            if column or _place(axes).colspan.start == 0:
                axes.set_ylabel(_wrapped(ylabel, size_in_points(axes)[1]))


def name_axes(panels: Sequence[Axes] | NDArray[Any], xlabel: str, *ylabels: str) -> None:
    """Label the horizontal axis of the lowest panel of each column and the vertical axis of the first of each row.

    Parameters
    ----------
    panels : sequence of Axes, or ndarray
    xlabel : str
    *ylabels : str
        One, or one for each row of a grid.
    """
    grid = np.atleast_2d(np.array(panels))
    lowest = {_place(axes).colspan.start: axes for axes in grid.ravel()}
    for axes in lowest.values():
        axes.set_xlabel(_wrapped(xlabel, size_in_points(axes)[0]))
        axes.tick_params(labelbottom=True)
    for row, ylabel in zip(grid, ylabels, strict=True):
        first = {_place(axes).rowspan.start: axes for axes in row[::-1]}
        for axes in first.values():
            axes.set_ylabel(_wrapped(ylabel, size_in_points(axes)[1]))


def line_of(name: str, **look: Any) -> Line2D:
    """Line and mark of a policy, for a legend.

    Parameters
    ----------
    name : str
        One of `palette.LOOKS`.
    **look
        Of `Line2D`, where it differs.
    """
    return Line2D(
        [], [], **{"color": palette.colour(name), "marker": palette.marker(name), "label": palette.label(name), **look}
    )


def legend_at_end(figure: Figure, handles: Sequence[Line2D], *, page: int, column: int) -> None:
    """Legend in the place that `new_panels` or `new_pairs` left empty at the end, below all if there is none.

    Parameters
    ----------
    figure : Figure
    handles : sequence of Line2D
        With labels.
    page, column : int
        How many stand beside one another below all, in each form.
    """
    empty = [axes for axes in figure.axes if not axes.axison]
    if empty:
        empty[0].legend(handles=handles, loc="center left", borderaxespad=0)
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=by_form(page, column))


def lay_out(figure: Figure) -> None:
    """Lay out what is there so far: `size_in_points` is what it will be, if only texts inside of panels follow."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)


def _place(axes: Axes) -> SubplotSpec:
    place = axes.get_subplotspec()
    assert place is not None
    return place


def instance_panels(
    figure: Figure, n_panels: int, *, ylabel: str, sharey: bool = False, xlabel: str = "demonstrations T"
) -> tuple[list[Axes], Axes]:
    """Up to seven panels with named axes, and one more, without axes, for the legend.

    They stand in two rows with the legend at the top right, in a column two to a row with the legend at the end.
    """
    across, rows = by_form((4, 2), (2, n_panels // 2 + 1))
    grid = figure.subplots(rows, across, sharex=True, sharey=sharey).ravel().tolist()
    corner = grid.pop(by_form(3, n_panels))
    for axes in (corner, *grid[n_panels:]):
        axes.set_axis_off()
    name_axes(grid[:n_panels], xlabel, ylabel)
    return grid[:n_panels], corner


def panel_letter(axes: Axes, letter: str, title: str) -> None:
    """Title of a panel, left-aligned, with its letter in bold; wrapped where a column has no room for it."""
    wrapped = _wrapped(title, size_in_points(axes)[0] - 3 * LETTER)
    axes.set_title(f"$\\bf{{{letter}}}$  {wrapped}" if letter else wrapped, loc="left")


def size_in_points(axes: Axes) -> NDArray[np.float64]:
    """Width and height of the axes as they are now, which is before layout but for `lay_out`, in points."""
    figure = axes.get_figure()
    assert figure is not None
    place, whole = axes.get_position(), figure.bbox
    return np.array([place.width * whole.width, place.height * whole.height]) * 72 / figure.dpi


def _wrapped(text: str, room: float) -> str:
    """The text in lines of about equal length that fit into so many points, in a column; formulas stay whole."""
    if _form.get() == "page":
        return text
    formulas = iter(re.findall(_WHOLE, text))
    plain = re.sub(_WHOLE, lambda found: "\0" * len(re.sub(r"\\[a-zA-Z]+|\$", "", found[0])) + "\1", text)
    lines = [line for paragraph in plain.split("\n") for line in _even_lines(paragraph, max(8, int(room / LETTER)))]
    return re.sub("\0*\1", lambda _: next(formulas), "\n".join(lines))


def _even_lines(text: str, most: int) -> list[str]:
    """As few lines of at most so many letters as there can be, the longest as short as it can be."""
    few = textwrap.wrap(text, most, break_long_words=False)
    tries = (textwrap.wrap(text, width, break_long_words=False) for width in range(1, most))
    return next((lines for lines in tries if len(lines) <= len(few)), few)


def name_intervals(axes: Axes, text: str = "95 % intervals") -> None:
    """Add what the shaded bands are to the legend of these axes."""
    axes.fill_between([], [], [], color="#999999", alpha=0.4, label=text)


def shades(name: str, n: int) -> list[str]:
    """Shades of one colour, from light to dark, for a policy at several settings; the second darkest is the colour.

    Parameters
    ----------
    name : str
        One of `palette.LOOKS`.
    n : int
        At least 2.
    """
    lighter = [_mixed(palette.colour(name), 255, 0.6 * (n - 2 - i) / max(n - 2, 1)) for i in range(n - 1)]
    return [*lighter, _mixed(palette.colour(name), 0, 0.33)]


def contrast(first: str, second: str) -> float:
    """Contrast of two colours by WCAG, from 1 to 21.

    Parameters
    ----------
    first, second : str
        As in ``#D55E00``.
    """
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def legible(colour: str, paper: str = "#FFFFFF", least: float = TEXT_CONTRAST) -> str:
    """Return the colour, moved towards black or white only as far as its contrast with the paper needs.

    Parameters
    ----------
    colour, paper : str
        As in ``#D55E00``.
    least : float, optional
        Contrast, from 1 to 21.
    """
    target = 0 if _luminance(paper) > 0.2 else 255
    for percent in range(101):
        moved = _mixed(colour, target, percent / 100)
        if contrast(moved, paper) >= least:
            return moved
    raise AssertionError("black on light and white on dark have contrast enough")


def make_texts_legible(figure: Figure) -> None:
    """Darken each text of a figure as far as reading needs: the colours of thin lines are too light for letters."""
    for text in figure.findobj(Text):
        text.set_color(legible(to_hex(text.get_color())))


def _mixed(colour: str, target: int, share: float) -> str:
    return "#" + "".join(f"{round(c + (target - c) * share):02X}" for c in _channels(colour))


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
