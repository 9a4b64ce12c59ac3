"""One look for all figures: sizes, colours and their meaning."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAGE = 7.0
"""Width of a page of print, in inches."""

COLOURS = {
    "BC": "#D55E00",
    "uniform noise": "#E69F00",
    "posterior": "#56B4E9",
    "PostBC": "#0072B2",
    "PostBC, lambda = L'/2": "#009E73",
    "sigma-BC": "#CC79A7",
    "paper's bound": "#000000",
    "our bound": "#7A3E9D",
    "demonstrator": "#555555",
}
"""Okabe and Ito's colours, told apart by all common forms of colour vision; the same meaning in every figure."""

LABELS = {"PostBC, lambda = L'/2": "PostBC, $\\lambda = L'/2$"}
"""Where the printed label differs from the name."""

MARKERS = {
    "BC": "o", "uniform noise": "s", "posterior": "^", "PostBC": "D", "PostBC, lambda = L'/2": "v", "sigma-BC": "P"
}  # fmt: skip

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


@contextmanager
def style() -> Iterator[None]:
    """Draw and save inside this block."""
    with matplotlib.rc_context(_RC):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Empty figure of the given size in inches; no pyplot, so no hidden state."""
    return Figure(figsize=(width, height), layout="constrained")


def label(name: str) -> str:
    """Label of a policy or bound."""
    return LABELS.get(name, name)


def instance_panels(figure: Figure, n_panels: int, *, sharey: bool = False) -> tuple[list[Axes], Axes]:
    """Up to seven panels in two rows, and one more, without axes, for the legend at the top right."""
    grid = figure.subplots(2, 4, sharex=True, sharey=sharey).ravel()
    panels, corner = [*grid[:3], *grid[4:]], grid[3]
    for axes in (corner, *panels[n_panels:]):
        axes.set_axis_off()
    return panels[:n_panels], corner


def panel_letter(axes: Axes, letter: str, title: str) -> None:
    """Title of a panel, left-aligned, with its letter in bold."""
    axes.set_title(f"$\\bf{{{letter}}}$  {title}" if letter else title, loc="left")
