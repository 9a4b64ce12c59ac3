"""One table of looks: the colour, marker and printed label of each estimator, bound and other named thing.

A name has the same look in every figure. What has no row here (tasks, learners, instances) is drawn as the k-th of a
series, by `series_colour` and `series_marker`, and panels get their letters from `letter`: each works for any number,
so that one more task or learner needs no change elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a named thing is drawn.

    Parameters
    ----------
    colour : str
        As in ``#D55E00``.
    marker : str, optional
        A marker of matplotlib; "" for none.
    label : str, optional
        Printed label, where it is not the name.
    line : str, optional
        A line style of matplotlib.
    """

    colour: str
    marker: str = ""
    line: str = "-"
    label: str = ""


LOOKS: dict[str, Look] = {
    "BC": Look(colour="#D55E00", marker="o"),
    "uniform noise": Look(colour="#E69F00", marker="s"),
    "posterior": Look(colour="#56B4E9", marker="^"),
    "PostBC": Look(colour="#0072B2", marker="D"),
    "PostBC, lambda = L'/2": Look(colour="#009E73", marker="v", label="PostBC, $\\lambda = L'/2$"),
    "sigma-BC": Look(colour="#CC79A7", marker="P"),
    "paper's bound": Look(colour="#000000"),
    "our bound": Look(colour="#6A1B6A"),
    "demonstrator": Look(colour="#555555"),
    "best": Look(colour="#C0C0C0", marker="x", line="--", label="best on the other data"),
}
"""Colours of Okabe and Ito, and greys: distinct in all common forms of colour vision."""

SERIES = ("#332288", "#117733", "#882255", "#44AA99", "#999933", "#661100")
"""Colours of a series: some of Tol's muted ones, all different from those of `LOOKS`."""

SERIES_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def look(name: str) -> Look:
    """Look of a named thing.

    Raises
    ------
    KeyError
        If the table has no such name; the message lists what it has.
    """
    if name not in LOOKS:
        raise KeyError(f"no look is given for {name!r}; there are: {', '.join(LOOKS)}")
    return LOOKS[name]


def colour(name: str) -> str:
    """Colour of a named thing; raises as `look`."""
    return look(name).colour


def marker(name: str) -> str:
    """Marker of a named thing; raises as `look`."""
    return look(name).marker


def label(name: str) -> str:
    """Printed label: that of the table, or the name itself."""
    return LOOKS[name].label or name if name in LOOKS else name


def colours() -> Mapping[str, str]:
    """Colour of each named thing."""
    return {name: its_look.colour for name, its_look in LOOKS.items()}


def series_colour(k: int) -> str:
    """Colour of the k-th of a series, from 0; it repeats after `SERIES`."""
    return SERIES[k % len(SERIES)]


def series_marker(k: int) -> str:
    """Marker of the k-th of a series, from 0; it repeats after `SERIES_MARKERS`, which are more than the colours."""
    return SERIES_MARKERS[k % len(SERIES_MARKERS)]


def letter(k: int) -> str:
    """Letter of the k-th panel, from 0: a to z, then aa, ab and so on."""
    before, last = divmod(k, len(LETTERS))
    return (letter(before - 1) if before else "") + LETTERS[last]
