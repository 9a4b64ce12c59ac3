"""Shades of a colour, and the contrast that a text needs against its background."""

from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from figures.look import palette

TEXT_CONTRAST = 4.5
"""Contrast of a text with its background that WCAG asks for (1.4.3)."""


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
    """The colour, moved towards black or white only as far as its contrast with the paper needs.

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
    """Darken each text of a figure until it can be read: colours of lines are too light for letters."""
    for text in figure.findobj(Text):
        text.set_color(legible(to_hex(text.get_color())))


def _mixed(colour: str, target: int, share: float) -> str:
    return "#" + "".join(f"{round(c + (target - c) * share):02X}" for c in _channels(colour))


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
