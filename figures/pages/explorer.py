"""The explorer: one self-contained page with sliders, whose numbers are those of the Python functions.

The page shows one action of one state: the state has occupancy w, the demonstrator plays the action with probability p,
and T demonstrations are recorded. Each function of `laws.js` and `model.js` has the name of the Python function that it
mirrors, in camel case; tests compare their numbers in a browser.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

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


@dataclass(frozen=True, kw_only=True)
class Slider:
    """A setting of the page.

    Parameters
    ----------
    key : str
        Name in the page's address.
    symbol, label : str
        Letter and words of the slider.
    stops : tuple of float
        Values that the slider can have, rising.
    start : float
        The value at first.
    whole : bool, optional
        Whether the setting is a whole number.
    """

    key: str
    symbol: str
    label: str
    stops: tuple[float, ...]
    start: float
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture of the page.

    Parameters
    ----------
    id, title : str
    kind : {"mark", "curve", "bar"}
        What represents a policy in it.
    names : tuple of str
        Policies and bounds that it shows, in the order of its legend.
    """

    id: str
    title: str
    kind: Literal["mark", "curve", "bar"]
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Colour:
    """Colour of a policy or bound: its CSS variable, and its value on each background."""

    name: str
    variable: str
    light: str
    dark: str


def stops(low: float, high: float, *, whole: bool = False) -> tuple[float, ...]:
    """Round values from `low` to `high`, about evenly spaced on a logarithmic scale.

    Parameters
    ----------
    low, high : float
        From 1e-3 to 1e5; both are among the values.
    whole : bool, optional
        Whole numbers only.
    """
    plain = {float(f"{digits}e{power}") for digits in _FIRST_DIGITS for power in range(-3, 5)}
    values = sorted(v for v in {low, high, *plain} if low <= v <= high and (not whole or v == int(v)))
    return tuple(int(v) if whole else v for v in values)


SLIDERS = (
    Slider(key="T", symbol="T", label="demonstrations", stops=stops(1, 10_000, whole=True), start=20, whole=True),
    Slider(key="w", symbol="w", label="probability of a visit", stops=stops(0.01, 1.0), start=1.0),
    Slider(key="A", symbol="A", label="actions", stops=tuple(range(2, 31)), start=10, whole=True),
    Slider(key="p", symbol="p", label="probability of ★", stops=stops(0.005, 0.5), start=0.05),
    Slider(key="alpha", symbol="α", label="weight of noise", stops=tuple(i / 100 for i in range(101)), start=0.25),
    Slider(key="lambda", symbol="λ", label="prior mass", stops=stops(0.1, 100.0), start=4.0),
    Slider(key="gamma", symbol="γ", label="coverage", stops=stops(0.001, 0.5), start=0.02),
    Slider(key="delta", symbol="δ", label="probability of failure", stops=stops(0.001, 0.5), start=0.1),
    Slider(key="H", symbol="H", label="horizon", stops=stops(1, 100, whole=True), start=20, whole=True),
)
"""Letters as in the paper; T = demonstrations, w = occupancy of the state, p = probability of the action."""

PICTURES = (
    Picture(
        id="policies",
        title="What each policy plays, for one data set",
        kind="mark",
        names=("demonstrator", "BC", "PostBC"),
    ),
    Picture(
        id="coverage",
        title="How likely the watched action is covered",
        kind="curve",
        names=("BC", "uniform noise", "posterior", "PostBC"),
    ),
    Picture(
        id="loss",
        title="What the noise costs",
        kind="curve",
        names=("BC", "uniform noise", "posterior", "PostBC", "our bound"),
    ),
    Picture(
        id="plan",
        title="How many demonstrations are needed",
        kind="bar",
        names=("BC, above 0", "BC", "uniform noise", "posterior", "PostBC"),
    ),
)
LABELS = {"our bound": "our bound for PostBC (R1)"}
"""Texts of the legends, where they differ from the name."""
SHOWN = ("BC", "uniform noise", "posterior", "PostBC", "our bound", "demonstrator")
"""Names of `figures.look.palette.LOOKS` that the page uses."""


def presets() -> dict[str, dict[str, float]]:
    """Settings that the buttons of the page choose."""
    usual = {"w": 1.0, "A": 10, "p": 0.05, "alpha": 0.25, "gamma": 0.02, "delta": 0.1, "H": 20}
    usual["lambda"] = best_prior_mass(1, 10, 20, usual["delta"])
    epsilon = 1 / 400  # B.1 asks for T <= 1/(20 eps) = 20; the rare arms have probability 2 eps
    alpha, prior_mass = paper_parameters(n_actions=3, horizon=1, n_demos=20)
    bandit = {"T": 20, "w": 1.0, "A": 3, "p": 2 * epsilon, "alpha": alpha, "lambda": prior_mass, "H": 1}
    return {
        "the paper’s bandit": {**usual, **bandit},
        "20 demonstrations": {**usual, "T": 20},
        "1000 demonstrations": {**usual, "T": 1000},
        "a rare state": {**usual, "T": 200, "w": 0.05},
    }


def _colour(name: str) -> Colour:
    """The colour that the figures have for it, moved only as far as the contrast with the background needs."""
    light, dark = (legible(palette.colour(name), PAPERS[mode], LEAST_CONTRAST) for mode in ("light", "dark"))
    return Colour(name=name, variable=name.replace(" ", "-"), light=light, dark=dark)


def page() -> str:
    """Make the page; the same bytes each time."""
    settings = {"sliders": [asdict(slider) for slider in SLIDERS], "presets": presets()}
    script = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return _PAGES.get_template("explorer.html.j2").render(
        colours=[_colour(name) for name in SHOWN],
        sliders=SLIDERS,
        presets=presets(),
        pictures=PICTURES,
        labels=LABELS,
        settings=Markup(json.dumps(settings, ensure_ascii=False)),
        script=Markup(script),
    )


def write_explorer(path: Path) -> None:
    """Write the page to a file."""
    save_text(path, page())
