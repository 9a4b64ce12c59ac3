"""The explorer: one self-contained page with sliders, whose numbers are those of the Python functions."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from figures.look import palette
from figures.look.contrast import legible
from figures.running.artifacts import page_templates, save_text
from theory.bounds.b3_suboptimality import paper_parameters
from theory.bounds.r3_coverage import best_prior_mass

SCRIPTS = ("laws.js", "model.js", "pictures.js", "page.js")
PAPERS = {"light": "#ffffff", "dark": "#16181b"}
"""Background of the page in each mode."""

LEAST_CONTRAST = 3.0
"""Contrast of a line or mark with the background that WCAG asks for (1.4.11)."""

_FIRST_DIGITS = (1, 1.1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)
_FOLDER = Path(__file__).parent / "templates" / "explorer"
_PAGES = page_templates(_FOLDER)


@dataclass(frozen=True)
class Slider:
    """A setting of the page: its name in the address, its letter, what it is, the values that the slider stops at."""

    key: str
    symbol: str
    label: str
    stops: tuple[float, ...]
    start: float
    whole: bool = False


def stops(low: float, high: float, *, whole: bool = False) -> tuple[float, ...]:
    """Return plain values from `low` to `high`, about evenly spaced on a logarithmic scale.

    Parameters
    ----------
    low, high : float
        From 1e-3 to 1e5; themselves among the values.
    whole : bool, optional
        Whole numbers only.
    """
    plain = {float(f"{first}e{power}") for first in _FIRST_DIGITS for power in range(-3, 5)}
    found = sorted(v for v in {low, high, *plain} if low <= v <= high and (not whole or v == int(v)))
    return tuple(int(v) if whole else v for v in found)


SLIDERS = (
    Slider("T", "T", "demonstrations", stops(1, 10_000, whole=True), 20, whole=True),
    Slider("w", "w", "how often met", stops(0.01, 1.0), 1.0),
    Slider("A", "A", "actions", tuple(range(2, 31)), 10, whole=True),
    Slider("p", "p", "of action ★", stops(0.005, 0.5), 0.05),
    Slider("alpha", "α", "share of noise", tuple(i / 100 for i in range(101)), 0.25),
    Slider("lambda", "λ", "mass of prior", stops(0.1, 100.0), 4.0),
    Slider("gamma", "γ", "coverage", stops(0.001, 0.5), 0.02),
    Slider("delta", "δ", "allowed to fail", stops(0.001, 0.5), 0.1),
    Slider("H", "H", "steps of chain", stops(1, 100, whole=True), 20, whole=True),
)
"""Letters as in the paper; T = demonstrations, w = occupancy of the state, p = probability of the action."""

PICTURES: tuple[dict[str, Any], ...] = (
    {
        "id": "policies",
        "title": "What each policy plays, for one data set",
        "kind": "mark",
        "names": ("demonstrator", "BC", "PostBC"),
    },
    {
        "id": "coverage",
        "title": "How likely the watched action is covered",
        "kind": "curve",
        "names": ("BC", "uniform noise", "posterior", "PostBC"),
    },
    {
        "id": "loss",
        "title": "What the noise costs",
        "kind": "curve",
        "names": ("BC", "uniform noise", "posterior", "PostBC", "our bound"),
    },
    {
        "id": "plan",
        "title": "How many demonstrations it takes",
        "kind": "bar",
        "names": ("BC, above 0", "BC", "uniform noise", "posterior", "PostBC"),
    },
)
LABELS = {"our bound": "our bound for PostBC (R1)"}
SHOWN = ("BC", "uniform noise", "posterior", "PostBC", "our bound", "demonstrator")
"""Names of `figures.look.palette.LOOKS` that the page uses."""


def presets() -> dict[str, dict[str, float]]:
    """Settings that the buttons of the page put in place."""
    everyday = {"w": 1.0, "A": 10, "p": 0.05, "alpha": 0.25, "gamma": 0.02, "delta": 0.1, "H": 20}
    everyday["lambda"] = best_prior_mass(1, 10, 20, everyday["delta"])
    epsilon = 1 / 400  # B.1 asks for T <= 1/(20 eps) = 20; the rare arms have probability 2 eps
    alpha, prior_mass = paper_parameters(n_actions=3, horizon=1, n_demos=20)
    bandit = {"T": 20, "w": 1.0, "A": 3, "p": 2 * epsilon, "alpha": alpha, "lambda": prior_mass, "H": 1}
    return {
        "the paper’s bandit": {**everyday, **bandit},
        "20 demonstrations": {**everyday, "T": 20},
        "1000 demonstrations": {**everyday, "T": 1000},
        "a rare state": {**everyday, "T": 200, "w": 0.05},
    }


def page() -> str:
    """Return the page. The same bytes each time."""
    colours = [
        {
            "name": name,
            "variable": name.replace(" ", "-"),
            **{mode: legible(palette.colour(name), paper, LEAST_CONTRAST) for mode, paper in PAPERS.items()},
        }
        for name in SHOWN
    ]
    settings = {"sliders": [vars(slider) for slider in SLIDERS], "presets": presets()}
    script = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return _PAGES.get_template("explorer.html.j2").render(
        colours=colours,
        sliders=SLIDERS,
        presets=presets(),
        pictures=PICTURES,
        labels=LABELS,
        settings=Markup(json.dumps(settings, ensure_ascii=False)),
        script=Markup(script),
    )


def write_explorer(path: Path) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    """
    save_text(path, page())
