"""Names next to lines and points, instead of a legend, placed so that they do not overlap."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from figures.look.style import size_in_points

LINE = 1.35
"""Height of a line of text, as a multiple of the size of its letters."""

APART = 1.5
"""Gap between two names on one line, in points."""

End = tuple[str, str, float, float]
"""Name, colour, and position of the last point, in data units."""

Point = tuple[float, float]

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points from the lower left corner of the axes."""


def spread_out(
    centres: NDArray[np.float64], heights: NDArray[np.float64], low: float = -np.inf, high: float = np.inf
) -> NDArray[np.float64]:
    """Move boxes along one axis until none overlap, with the least sum of squared moves.

    Parameters
    ----------
    centres, heights : ndarray, (n,)
        In the same unit.
    low, high : float, optional
        Limits for all boxes; where they do not fit, the last ends at `high` and the first starts below `low`.
    """
    order = np.argsort(centres, kind="stable")
    sizes = heights[order]
    offsets = np.concatenate([[0.0], np.cumsum((sizes[1:] + sizes[:-1]) / 2)])[: len(centres)]
    moved = np.empty(len(centres))
    ends = low + sizes[0] / 2, high - sizes[-1] / 2 - offsets[-1]
    moved[order] = isotonic_regression(centres[order] - offsets).x.clip(*ends) + offsets
    return moved


def name_ends(axes: Axes, ends: Sequence[End], size: float = 7.0) -> None:
    """Write names to the right of the last points of lines. The limits of the axes must be final.

    Parameters
    ----------
    axes : Axes
    ends : sequence of (str, str, float, float)
    size : float, optional
        Size of the letters, in points.
    """
    x, y = _fractions(axes, [end[2:] for end in ends]).T
    height = size_in_points(axes)[1]
    heights = np.array([LINE * size * (1 + end[0].count("\n")) / height for end in ends])
    for (name, colour, *_), centre in zip(ends, spread_out(y, heights, 0.0, 1.0), strict=True):
        axes.annotate(
            name, (float(x.max()), float(centre)), (5, 0), xycoords="axes fraction", textcoords="offset points",
            color=colour, fontsize=size, va="center", annotation_clip=False,
        )  # fmt: skip


class Placer:
    """Puts names next to points, clear of lines, markers and other names.

    Parameters
    ----------
    axes : Axes
        The limits must be final.
    avoided : sequence of Line2D
        Lines, with or without markers, that names keep clear of.
    size : float, optional
        Size of the letters, in points.
    """

    def __init__(self, axes: Axes, avoided: Sequence[Line2D], size: float = 7.0) -> None:
        self._axes, self._size, self._room = axes, size, size_in_points(axes)
        self._names: list[Box] = []
        self._drawn = [box for line in avoided for box in self._boxes(line)]

    def place(self, names: Sequence[str], points: Sequence[Point], colour: str, needed: bool = True) -> int:
        """Write one of the names next to its point.

        Parameters
        ----------
        names, points : sequence
            One point, in data units, for each name.
        colour : str
        needed : bool, optional
            Whether to accept the least bad position; otherwise nothing is written where there is no good one.

        Returns
        -------
        int
            Which of the names was written; -1 for none.
        """
        options = [
            (self._badness(box) + radius**2 / 10, i, box)
            for i, (name, anchor) in enumerate(zip(names, _fractions(self._axes, points) * self._room, strict=True))
            for radius in ((3.0, 6.0, 10.0, 16.0, 24.0) if needed else (3.0, 6.0))
            for box in self._around(name, anchor, radius)
        ]
        badness, i, box = min(options)
        if badness > 15.0 and not needed:
            return -1
        self.write(names[i], box, colour)
        return i

    def reserve(self, corner: Box) -> None:
        """Keep names off a part of the axes, given in shares of their width and height."""
        wide, high = self._room.tolist()
        self._names.append((corner[0] * wide, corner[1] * high, corner[2] * wide, corner[3] * high))

    def write(self, name: str, box: Box, colour: str) -> None:
        """Write a name into a box, and keep others off it."""
        self._names.append((box[0] - APART, box[1], box[2] + APART, box[3]))
        middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]) / self._room
        self._axes.text(
            middle[0], middle[1], name, transform=self._axes.transAxes, color=colour, fontsize=self._size, ha="center",
            va="center", zorder=6, path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )  # fmt: skip

    def _around(self, name: str, anchor: NDArray[np.float64], radius: float) -> Iterator[Box]:
        letters = max(len(re.sub(r"\\[a-zA-Z]+", "x", line).replace("$", "")) for line in name.split("\n"))
        wide, high = 0.58 * self._size * letters, LINE * self._size * (1 + name.count("\n"))
        for across, up in ((1, 0), (0, -1), (0, 1), (-1, 0), (1, -1), (1, 1), (-1, 1), (-1, -1)):
            x, y = anchor[0] + across * (radius + wide / 2), anchor[1] + up * (radius + high / 2)
            yield (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)

    def _badness(self, box: Box) -> float:
        """Area shared with lines, in square points, plus 20 times the area shared with names or outside the axes."""
        outside = _shared(box, box) - _shared(box, (0.0, 0.0, float(self._room[0]), float(self._room[1])))
        return sum(_shared(box, drawn) for drawn in self._drawn) + 20 * (
            outside + sum(_shared(box, name) for name in self._names)
        )

    def _boxes(self, line: Line2D) -> Iterator[Box]:
        """Small boxes along a line, and larger ones at its markers."""
        points = _fractions(self._axes, np.asarray(line.get_xydata())) * self._room
        points = points[np.isfinite(points).all(axis=1)]
        marked = line.get_marker() not in ("None", "none", "", None)
        along = points if line.get_linestyle() == "None" else _resampled(points)
        for half, centres in ((1.5, along), (3.0, points if marked else points[:0])):
            for x, y in centres.tolist():
                yield (x - half, y - half, x + half, y + half)


def _resampled(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points about 3 apart along the line through the given points."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, length[-1], 2 + int(length[-1] / 3))
    return np.column_stack([np.interp(wanted, length, column) for column in points.T])


def _shared(first: Box, second: Box) -> float:
    """Area that two boxes share."""
    width, height = (min(first[k + 2], second[k + 2]) - max(first[k], second[k]) for k in (0, 1))
    return max(0.0, width) * max(0.0, height)


def _fractions(axes: Axes, points: Sequence[Sequence[float]] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Points in data units as shares of the axes, (n, 2); they do not depend on the layout."""
    scaled = axes.transScale.transform(np.asarray(points, dtype=float))
    return np.asarray(axes.transLimits.transform(scaled))
