"""The trade-off of pretraining: success before finetuning against success after it, compared, claimed and drawn."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from figures.control import comparisons as comparison
from figures.control.blocks import means
from figures.control.comparisons import COMPARISONS
from figures.control.variants import FAMILIES
from figures.look import labels, palette, style
from figures.running.artifacts import Arrays
from theory.claims import Claim
from theory.statistics.probability import mean_interval

MARGIN = 0.05
"""E1: before finetuning PostBC may succeed less often than BC by this much and still count as about as often."""
BOUNDS = tuple(-MARGIN if what == "pretrained, PostBC - BC" else 0.0 for what in COMPARISONS)
"""Least difference that each comparison is asked for."""

DIFFERENCES = {
    "after, at equal success before": (palette.series_colour(0), "D"),
    "before, at equal noise": ("#777777", "s"),
    "after, at equal noise": (palette.series_colour(1), "^"),
}


def compared(arrays: Arrays, learners: tuple[str, ...], rng: np.random.Generator) -> Arrays:
    """Keep some learners of the grid, and add the comparisons: all of them, and those for each alpha.

    Parameters
    ----------
    arrays : dict
        As of `blocks.tensors`.
    learners : tuple of str
        Of its `learners`.
    rng : numpy.random.Generator
    """
    at = [arrays["learners"].tolist().index(name) for name in learners]
    kept: Arrays = {name: arrays[name][:, :, at] for name in ("pretrained", "finetuned", "noise")}
    kept |= {name: arrays[name] for name in ("tasks", "n_demos", "families", "strengths")}
    kept["learners"] = np.array(learners)
    shape = kept["pretrained"].shape[:3]
    places = [(i, j, k) for i, j, k in np.ndindex(*shape)]
    whole = comparison.stacked([comparison.differences(kept, place) for place in places], shape)
    parts = comparison.stacked([comparison.by_strength(kept, place) for place in places], shape)
    judged = comparison.judged_apart(whole, rng, BOUNDS)
    single = comparison.judged(parts, rng)
    return {
        **kept,
        **{f"compared_{name}": values for name, values in judged.items()},
        **{f"matched_{name}": single[name] for name in ("mean", "low", "high")},
    }


def claims(arrays: Arrays) -> list[Claim]:
    """E1 and E2 for each task, number of demonstrations and learner, against BC and against sigma-BC apart."""
    found = []
    judgement = comparison.parts(arrays, "compared_")
    for at in np.ndindex(*judgement["mean"].shape):
        what, source = list(COMPARISONS.items())[at[3]]
        task, n, learner = arrays["tasks"][at[0]], arrays["n_demos"][at[1]], arrays["learners"][at[2]]
        found.append(
            comparison.claim(
                judgement, at, f"tradeoff {task} {n} {learner} {what}", source,
                f"{learner} on {task} from {n} demonstrations, success {what}",
                "those of one comparison on all tasks", BOUNDS[at[3]],
            )
        )  # fmt: skip
    return [claim for claim in found if claim is not None]


def draw_families(axes: Axes, arrays: Arrays, at: tuple[int, ...]) -> None:
    """Draw each family's curve, before against after, with intervals and names."""
    pre, fine = arrays["pretrained"][at], arrays["finetuned"][at]
    x, y = means(pre), means(fine)
    for family in FAMILIES:
        rows = np.flatnonzero((arrays["families"] == family) & ~np.isnan(x))
        colour, marker = palette.colour(family), palette.marker(family)
        axes.plot(x[rows], y[rows], color=colour, lw=1.4, zorder=3)
        for i, row in enumerate(rows):
            known = ~np.isnan(fine[row])
            ends = mean_interval(pre[row][known]), mean_interval(fine[row][known])
            across, up = (np.clip([one.low, one.high], 0, 1) for one in ends)
            axes.plot(across, [y[row]] * 2, color=colour, lw=0.8, alpha=0.35)
            axes.plot([x[row]] * 2, up, color=colour, lw=0.8, alpha=0.35)
            size = 4.0 + 3.5 * i / max(1, rows.size - 1)
            axes.plot(x[row], y[row], color=colour, marker=marker, ms=size, mec="white", mew=0.5, zorder=4)
    axes.set(xlim=_room(axes.get_xlim()), ylim=_room(axes.get_ylim()))
    axes.axline((0.0, 0.0), slope=1.0, color="#777777", ls=":", lw=0.8, zorder=0)


def axes_names() -> tuple[str, str]:
    """Labels of the axes of `draw_families`."""
    before, after = "success before finetuning", "success after finetuning"
    return style.by_form((before, after), (before, "success after"))


def name_families(axes: Axes, arrays: Arrays, at: tuple[int, ...]) -> None:
    """Say which way is better, and name the points of `draw_families`; call it when the figure is laid out.

    On a page each family at one of its strengths, other strengths where there is room; in a column strengths alone.
    """
    x, y = (means(arrays[name][at]) for name in ("pretrained", "finetuned"))
    arrow = {"arrowstyle": "->", "lw": 1.2}
    axes.annotate("better", (0.97, 0.14), (0.92, 0.05), xycoords="axes fraction", arrowprops=arrow,
                  ha="right", va="center", fontsize=7)  # fmt: skip
    placer = labels.Placer(axes, [line for line in axes.lines if line.get_zorder() >= 3])
    placer.reserve(style.by_form((0.7, 0.0, 1.0, 0.16), (0.5, 0.0, 1.0, 0.2)))
    left = []
    for family in style.by_form(FAMILIES, FAMILIES[1:]):
        rows = np.flatnonzero((arrays["families"] == family) & ~np.isnan(x))
        points = [(float(x[row]), float(y[row])) for row in rows]
        strengths = [f"{strength:g}" for strength in arrays["strengths"][rows]]
        letter = {"sigma-BC": ", $\\sigma$ = ", "PostBC": ", $\\alpha$ = "}.get(family)
        names = [family + letter + strength if letter else family for strength in strengths]
        named = placer.place(names, points, palette.colour(family)) if style.by_form(True, False) else -1
        left += [(strengths[i], points[i], family) for i in range(len(rows)) if i != named]
    for strength, point, family in left:
        placer.place([strength], [point], palette.colour(family), needed=False)
    low, high = zip(axes.get_xlim(), axes.get_ylim(), strict=True)
    level = [(float(v), float(v)) for v in np.linspace(max(low), min(high), 12)]
    placer.place(["no gain"] * len(level), level, "#777777", needed=False)


def _room(ends: tuple[float, float]) -> tuple[float, float]:
    """Limits of an axis of success rates: no further than a little beyond 0 and 1."""
    return max(ends[0], -0.02), min(ends[1], 1.03)


def marks_of_differences() -> list[Line2D]:
    """Marks of `draw_differences`, for a legend."""
    return [
        Line2D([], [], color=colour, marker=marker, ls="", label=name.replace("equal success", "equal\nsuccess"))
        for name, (colour, marker) in DIFFERENCES.items()
    ]


def draw_differences(axes: Axes, arrays: Arrays, at: tuple[int, ...]) -> None:
    """Draw PostBC minus sigma-BC at equal success and at equal noise, for each alpha, by the noise it added.

    Ticks say the noise and below it alpha, in a column alpha alone.
    """
    ours = np.flatnonzero(arrays["families"] == "PostBC")
    noise = means(arrays["noise"][at][ours])
    everything = np.stack([arrays[f"matched_{key}"][at] for key in ("mean", "low", "high")])
    known = ~np.isnan(noise)
    ours, noise, everything = ours[known], noise[known], everything[:, :, known]
    limit = min(1.0, 1.15 * np.abs(everything[np.isfinite(everything)]).max(initial=0.1))
    axes.axhline(0.0, color="#333333", lw=0.8)
    for j, (colour, marker) in enumerate(DIFFERENCES.values()):
        mean, low, high = everything[:, j]
        x = noise * 1.1 ** (j - 1)
        axes.vlines(x, np.maximum(low, -2 * limit), np.minimum(high, 2 * limit), color=colour, lw=1.0)
        axes.plot(x, mean, color=colour, marker=marker, ls="")
    axes.set(xscale="log", ylim=(-limit, limit))
    alphas = arrays["strengths"][ours]
    names = [style.by_form(f"{x:.2f}\n{alpha:g}", f"{alpha:g}") for x, alpha in zip(noise, alphas, strict=True)]
    axes.set_xticks(noise, names)
    axes.margins(x=0.1)
    axes.minorticks_off()
