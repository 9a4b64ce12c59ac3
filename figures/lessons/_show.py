"""Pictures of the lessons: saved as PNG, and shown where the lesson runs as a notebook."""

import sys
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from figures.look import contrast, style
from figures.running.artifacts import PNG_DPI, atomic

FOLDER = Path("out") / "lessons"
"""Folder of the pictures, relative to the folder in which the lesson runs."""


def show(name: str, draw: Callable[[Figure], None], *, width: float = 5.0, height: float = 2.6) -> None:
    """Let `draw` fill an empty figure of this size in inches, save it as ``out/lessons/NAME.png``, and show it."""
    path = FOLDER / f"{name}.png"
    with style.style():
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        contrast.make_texts_legible(figure)
        with atomic(path) as file:
            figure.savefig(file, format="png", dpi=PNG_DPI, metadata={"Software": None})
    if "IPython" in sys.modules:
        display = sys.modules["IPython.display"]
        display.display(display.Image(filename=str(path), width=int(96 * width)))
    else:
        print(f"(picture: {path})")
