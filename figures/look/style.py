"""Sizes, panels and legends of all figures, on a page and in a column.

Colours, markers and letters of panels are in `palette`; contrast is in `contrast`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from figures.look import palette
from figures.look.wrapping import wrapped

Form = Literal["page", "column"]

PAGE = 7.0
"""Width of a page of print, in inches."""

COLUMN = 3.4
"""Width of a column of print, in inches; about that of a phone's screen."""

WIDTHS: dict[Form, float] = {"page": PAGE, "column": COLUMN}
"""Width by form. Each figure is drawn in both, with letters of the same size."""

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
"""Width in points allowed for a letter of a title or label: a little less than the mean, since a line may overhang."""

_form: ContextVar[Form] = ContextVar("form", default="page")

T = TypeVar("T")


@contextmanager
def style(form: Form = "page") -> Iterator[None]:
    """Draw and save inside this block, in one of the forms; a user's matplotlibrc has no effect."""
    before = _form.set(form)
    try:
        defaults = {name: value for name, value in matplotlib.rcParamsDefault.items() if "backend" not in name}
        with matplotlib.rc_context({**defaults, **_RC}):
            yield
    finally:
        _form.reset(before)


def by_form(page: T, column: T) -> T:
    """The value for the form that is being drawn."""
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
    """Parts of a figure, one above the other; each has separate panels and legends."""
    return list(np.ravel(np.asarray(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False))))


def new_grid(
    figure: FigureBase, rows: int, columns: int, *, ratios: Sequence[float] | None = None, **options: Any
) -> NDArray[Any]:
    """Panels, (rows, columns), whose rows share the vertical axis; in the column form the grid is transposed.

    Parameters
    ----------
    figure : Figure or SubFigure
    rows, columns : int
    ratios : sequence of float, optional
        Sizes of the rows.
    **options
        Options of `Figure.subplots`.
    """
    if _form.get() == "page":
        grid = figure.subplots(rows, columns, squeeze=False, height_ratios=ratios, **{"sharey": "row", **options})
    else:
        grid = figure.subplots(columns, rows, squeeze=False, width_ratios=ratios, **{"sharey": "col", **options}).T
    return np.asarray(grid)


def new_panels(figure: FigureBase, n_panels: int, *, page: int, column: int, **options: Any) -> list[Axes]:
    """Panels row by row; the rest of the last row stays empty.

    Parameters
    ----------
    figure : Figure or SubFigure
    n_panels : int
    page, column : int
        Panels in a row, in each form.
    **options
        Options of `Figure.subplots`.
    """
    across = min(n_panels, by_form(page, column))
    grid = figure.subplots(-(-n_panels // across), across, squeeze=False, **options).ravel().tolist()
    for spare in grid[n_panels:]:
        spare.set_axis_off()
    return list(grid[:n_panels])


def new_pairs(figure: FigureBase, n_pairs: int, *, page: int, ratio: float) -> list[tuple[Axes, Axes]]:
    """Pairs of panels: one above the other on a page, side by side (one pair in each row) in a column.

    Parameters
    ----------
    figure : Figure or SubFigure
    n_pairs, page : int
        Number of pairs, and of pairs in a row on a page; the rest of the last row stays empty.
    ratio : float
        Height of an upper panel over that of a lower one, on a page.
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
    """Label axes of `new_pairs`: the horizontal ones (in a column the last pair's), and the leftmost vertical ones.

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
                axes.set_xlabel(_fitted(xlabel, size_in_points(axes)[0]))
            if column or _cell_of(axes).colspan.start == 0:
                axes.set_ylabel(_fitted(ylabel, size_in_points(axes)[1]))


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
    lowest = {_cell_of(axes).colspan.start: axes for axes in grid.ravel()}
    for axes in lowest.values():
        axes.set_xlabel(_fitted(xlabel, size_in_points(axes)[0]))
        axes.tick_params(labelbottom=True)
    for row, ylabel in zip(grid, ylabels, strict=True):
        first = {_cell_of(axes).rowspan.start: axes for axes in row[::-1]}
        for axes in first.values():
            axes.set_ylabel(_fitted(ylabel, size_in_points(axes)[1]))


def line_of(name: str, **look: Any) -> Line2D:
    """Line and mark of a policy, for a legend.

    Parameters
    ----------
    name : str
        One of `palette.LOOKS`.
    **look
        Options of `Line2D` that replace the look.
    """
    return Line2D(
        [], [], **{"color": palette.colour(name), "marker": palette.marker(name), "label": palette.label(name), **look}
    )


def legend_at_end(figure: Figure, handles: Sequence[Line2D], *, page: int, column: int) -> None:
    """Legend in the empty place that `new_panels` or `new_pairs` left at the end, or below all panels.

    Parameters
    ----------
    figure : Figure
    handles : sequence of Line2D
        With labels.
    page, column : int
        Columns of a legend below all panels, in each form.
    """
    empty = [axes for axes in figure.axes if not axes.axison]
    if empty:
        empty[0].legend(handles=handles, loc="center left", borderaxespad=0)
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=by_form(page, column))


def lay_out(figure: Figure) -> None:
    """Lay out the figure now, so that `size_in_points` is final if only texts inside panels are added later."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)


def _cell_of(axes: Axes) -> SubplotSpec:
    cell = axes.get_subplotspec()
    assert cell is not None
    return cell


def new_instances(
    n_panels: int, *, column: float, ylabel: str, sharey: bool = False
) -> tuple[Figure, list[Axes], Axes]:
    """Figure with a panel of named axes for each instance, and an empty panel for the legend.

    On a page: four panels in a row, with the legend at the top right. In a column: two panels in a row, each `column`
    inches high, with the legend at the end.
    """
    across, rows = by_form((4, max(2, n_panels // 4 + 1)), (2, n_panels // 2 + 1))
    figure = new_figure(page=2.0 * rows, column=column * rows)
    grid = figure.subplots(rows, across, sharex=True, sharey=sharey).ravel().tolist()
    corner = grid.pop(by_form(3, n_panels))
    for axes in (corner, *grid[n_panels:]):
        axes.set_axis_off()
    name_axes(grid[:n_panels], "demonstrations T", ylabel)
    return figure, grid[:n_panels], corner


def panel_letter(axes: Axes, letter: str, title: str) -> None:
    """Title of a panel, left-aligned, with its letter in bold; wrapped where a column is too narrow."""
    fitted = _fitted(title, size_in_points(axes)[0] - 3 * LETTER)
    axes.set_title(f"$\\bf{{{letter}}}$  {fitted}" if letter else fitted, loc="left")


def size_in_points(axes: Axes) -> NDArray[np.float64]:
    """Present width and height of the axes in points: before the layout, unless `lay_out` was called."""
    figure = axes.get_figure()
    assert figure is not None
    share, whole = axes.get_position(), figure.bbox
    return np.array([share.width * whole.width, share.height * whole.height]) * 72 / figure.dpi


def _fitted(text: str, space: float) -> str:
    """The text, wrapped in a column where it is longer than its space in points."""
    return text if _form.get() == "page" else wrapped(text, int(space / LETTER))


def name_intervals(axes: Axes, text: str = "95 % intervals") -> None:
    """Add the meaning of the shaded bands to the legend of these axes."""
    axes.fill_between([], [], [], color="#999999", alpha=0.4, label=text)
