"""Learning curves of a finetuner from BC, sigma-BC and PostBC: judged seed by seed, and drawn."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.control import comparisons as comparison
from figures.control.variants import FAMILIES
from figures.look import labels, palette, style
from figures.running.artifacts import Arrays
from theory.claims import Claim
from theory.statistics.probability import mean_interval

CAPTION = (
    "Success of policies on common first states, means over seeds with Student's 95 % intervals (of single curves, not "
    "of differences), against steps of the environment, of which a chunk counts all; at 0 the pretrained policy's own "
    "success. Of sigma-BC and PostBC the strength is shown whose last success is highest on these seeds; the claims "
    "choose it on the other half of the seeds. T: demonstrations."
)

STEPS = ("steps of the environment (thousands)", "steps (thousands)")
"""Label of the horizontal axis, on a page and in a column."""

GAINS = (
    "curve, PostBC - BC",
    "curve, PostBC - sigma-BC",
    "last success, PostBC - BC",
    "last success, PostBC - sigma-BC",
    "gain of BC",
    "gain of sigma-BC",
    "gain of PostBC",
)
"""Differences of the mean of the curve behind 0, of the last success, and of the last success from the pretrained."""


def compared(arrays: Arrays, learner: str, rng: np.random.Generator) -> Arrays:
    """Keep a learner's curves, and judge them seed by seed.

    Parameters
    ----------
    arrays : dict
        As of `blocks.tensors`.
    learner : str
        One of its `learners`.
    rng : numpy.random.Generator
    """
    at = [str(name) for name in arrays["learners"]].index(learner)
    kept = {name: arrays[name][:, :, at] for name in ("curve", "curve_steps")}
    shape = kept["curve"].shape[:2]
    found = [_gains(arrays, (i, j, at)) for i, j in np.ndindex(*shape)]
    judged = comparison.judged_apart(comparison.stacked(found, shape), rng, (0.0,) * len(GAINS))
    names = ("tasks", "n_demos", "families", "strengths")
    return {**kept, **{name: arrays[name] for name in names}, **{f"gain_{k}": v for k, v in judged.items()}}


def _gains(arrays: Arrays, at: tuple[int, int, int]) -> NDArray[np.float64]:
    """`GAINS` of each seed, (7, R)."""
    policies, seeds = comparison.there(arrays, at)
    curve = arrays["curve"][at][np.ix_(policies, seeds)]
    chosen = {}
    for family in FAMILIES:
        rows = np.flatnonzero(arrays["families"][policies] == family)
        chosen[family] = curve[rows[comparison.chosen_elsewhere(curve[rows, :, -1])], np.arange(seeds.size)]
    area, last = ({family: work(one) for family, one in chosen.items()} for work in (_area, _last))
    gained = [last[family] - chosen[family][:, 0] for family in FAMILIES]
    rivals = ("BC", "sigma-BC")
    return np.stack([*(one["PostBC"] - one[rival] for one in (area, last) for rival in rivals), *gained])


def _area(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(curve[:, 1:].mean(axis=1))


def _last(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    return curve[:, -1]


def claims(arrays: Arrays, learner: str) -> list[Claim]:
    """E2: more success after the same steps, and along the curve; and whether the learner gains at all (E0)."""
    found = []
    judgement = comparison.parts(arrays, "gain_")
    for at in np.ndindex(*judgement["mean"].shape):
        task, n, what = arrays["tasks"][at[0]], arrays["n_demos"][at[1]], GAINS[at[2]]
        found.append(
            comparison.claim(
                judgement, at, f"{learner.lower()} {task} {n} {what}", "E2" if "PostBC -" in what else "E0",
                f"{learner} on {task} from {n} demonstrations, {what} (success; a curve's is its mean behind 0)",
                "those of one comparison on all tasks",
            )
        )  # fmt: skip
    return [claim for claim in found if claim is not None]


def draw(arrays: Arrays) -> Figure:
    """One panel for each task and number of demonstrations."""
    places = list(np.ndindex(*arrays["curve"].shape[:2]))
    figure = style.new_figure(page=0.3 + 2.5 * -(-len(places) // 3), column=0.4 + 2.1 * -(-len(places) // 2))
    panels = style.new_panels(figure, len(places), page=3, column=2)
    for k, (axes, at) in enumerate(zip(panels, places, strict=True)):
        draw_panel(axes, arrays, at, "abcdefghijkl"[k])
    style.name_axes(panels, style.by_form(*STEPS), "success")
    if style.by_form(False, True):
        style.legend_at_end(figure, [style.line_of(family) for family in FAMILIES], page=3, column=3)
    return figure


def draw_panel(axes: Axes, arrays: Arrays, at: tuple[int, ...], letter: str) -> None:
    """Draw the curves of one task and number of demonstrations.

    On a page each has its name and strength at its end, in a column strengths stand in the title.
    """
    curves = [_draw_curve(axes, arrays, at, family) for family in FAMILIES]
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.02), min(high, 1.02))
    strengths = [strength for strength, _ in curves if strength]
    task, n = arrays["tasks"][at[0]], arrays["n_demos"][at[1]]
    short = f"{task}, T = {n}\n{', '.join(strengths)}"
    style.panel_letter(axes, letter, style.by_form(f"{task}, {n} demonstrations", short))
    if style.by_form(True, False):
        ends = zip(FAMILIES, curves, strict=True)
        names = [(f"{family}\n{strength}".rstrip(), palette.colour(family), *end) for family, (strength, end) in ends]
        labels.name_ends(axes, names)


def _draw_curve(axes: Axes, arrays: Arrays, at: tuple[int, ...], family: str) -> tuple[str, tuple[float, float]]:
    """Draw a curve with its interval; its strength in words, and its end."""
    curves = arrays["curve"][at]
    last = np.array([np.nanmean(one) if (~np.isnan(one)).any() else -1.0 for one in curves[:, :, -1]])
    rows = np.flatnonzero(arrays["families"] == family)
    best = rows[last[rows].argmax()]
    known = ~np.isnan(curves[best, :, -1])
    x, y = arrays["curve_steps"][at][best][known].mean(axis=0) / 1000, curves[best][known]
    ends = [mean_interval(column) for column in y.T]
    colour, letter = palette.colour(family), {"sigma-BC": "\\sigma", "PostBC": "\\alpha"}.get(family, "")
    strength = f"${letter} = {arrays['strengths'][best]:g}$" if letter else ""
    low, high = np.clip([[e.low for e in ends], [e.high for e in ends]], 0, 1)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    axes.plot(x, y.mean(axis=0), color=colour, marker=palette.marker(family))
    return strength, (float(x[-1]), float(y.mean(axis=0)[-1]))
