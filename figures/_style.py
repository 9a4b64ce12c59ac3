"""One look for all figures: sizes, colours and their meaning."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

PAGE = 7.0
"""Width of a page of print, in inches."""

TEXT_CONTRAST = 4.5
"""Contrast of a text with its background that WCAG asks for (1.4.3)."""

COLOURS = {
    "BC": "#D55E00",
    "uniform noise": "#E69F00",
    "posterior": "#56B4E9",
    "PostBC": "#0072B2",
    "PostBC, lambda = L'/2": "#009E73",
    "sigma-BC": "#CC79A7",
    "paper's bound": "#000000",
    "our bound": "#6A1B6A",
    "demonstrator": "#555555",
}
"""Okabe and Ito's colours, told apart by all common forms of colour vision; the same meaning in every figure."""

OTHERS = ("#332288", "#117733", "#882255", "#44AA99", "#999933", "#661100")
"""For what is no policy and no bound (learners, tasks): Tol's muted colours, none of which is one of the above."""

LABELS = {"PostBC, lambda = L'/2": "PostBC, $\\lambda = L'/2$"}
"""Where the printed label differs from the name."""

MARKERS = {"BC": "o", "uniform noise": "s", "posterior": "^", "PostBC": "D", "PostBC, lambda = L'/2": "v",
           "sigma-BC": "P"}  # fmt: skip

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


def instance_panels(
    figure: Figure, n_panels: int, *, sharey: bool = False, xlabel: str = "demonstrations T"
) -> tuple[list[Axes], Axes]:
    """Up to seven panels in two rows, and one more, without axes, for the legend at the top right.

    The lowest panel of each column has the label and the ticks of its horizontal axis.
    """
    grid = figure.subplots(2, 4, sharex=True, sharey=sharey).ravel()
    panels, corner = [*grid[:3], *grid[4:]], grid[3]
    for axes in (corner, *panels[n_panels:]):
        axes.set_axis_off()
    for i, axes in enumerate(panels[:n_panels]):
        if i + 3 >= n_panels or i >= 3:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(xlabel)
    return panels[:n_panels], corner


def panel_letter(axes: Axes, letter: str, title: str) -> None:
    """Title of a panel, left-aligned, with its letter in bold."""
    axes.set_title(f"$\\bf{{{letter}}}$  {title}" if letter else title, loc="left")


def name_intervals(axes: Axes, text: str = "95 % intervals") -> None:
    """Add what the shaded bands are to the legend of these axes."""
    axes.fill_between([], [], [], color="#999999", alpha=0.4, label=text)


def shades(name: str, n: int) -> list[str]:
    """Shades of one colour, from light to dark, for a policy at several settings; the second darkest is the colour.

    Parameters
    ----------
    name : str
        A key of `COLOURS`.
    n : int
        At least 2.
    """
    lighter = [_mixed(COLOURS[name], 255, 0.6 * (n - 2 - i) / max(n - 2, 1)) for i in range(n - 1)]
    return [*lighter, _mixed(COLOURS[name], 0, 0.33)]


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
