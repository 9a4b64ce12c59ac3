"""The trade-off of pretraining: success before finetuning against success after it, for each family of policies."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures import _continuous_comparison as comparison
from figures import _continuous_finetuning as grid
from figures import _labels, _style
from figures._artifacts import Arrays
from figures._continuous_comparison import ALL_AT_ONCE, COMPARISONS
from figures._sweep import Sweep
from theory.claims import SIGNIFICANT, Claim, Interval
from theory.probability import mean_interval

TITLE = "Before and after finetuning: each family's trade-off"
CAPTION = (
    "Top: success before and after finetuning, means over seeds, along each family's strengths (sigma-BC: sigma, "
    "PostBC: alpha; the numbers beside the marks; larger marks, more noise); up and to the right is better, and "
    "the dotted line is no gain. Crosses: Student's 95 % intervals, of single policies, not of differences. "
    "Bottom: PostBC minus sigma-BC in pairs of one seed, for each alpha, by the noise it added, with 95 % "
    "intervals (studentised bootstrap): success after finetuning at equal success before it (against the best of "
    "sigma-BC and BC), and success before and after at equal noise. Where nothing can be matched there is no "
    "point. An interval that holds 0 is a tie; one that meets the edge goes on behind it."
)
FULL, QUICK = grid.FULL, grid.QUICK
MARGIN = 0.05
"""E1: before finetuning PostBC may succeed less often than BC by this much and still count as about as often."""
BOUNDS = tuple(-MARGIN if what == "pretrained, PostBC - BC" else 0.0 for what in COMPARISONS)
"""Least difference that each comparison is asked for."""

DIFFERENCES = {
    "after, at equal success before": (_style.OTHERS[0], "D"),
    "before, at equal noise": ("#777777", "s"),
    "after, at equal noise": (_style.OTHERS[1], "^"),
}


def compute(config: grid.Config, sweep: Sweep) -> Arrays:
    """Run the grid, and compare the families seed by seed."""
    return compared(grid.compute(config, sweep), sweep.generator("tradeoff comparisons"))


def compared(arrays: Arrays, rng: np.random.Generator) -> Arrays:
    """Add the comparisons to the grid's arrays: all of them, and those for each alpha."""
    places = list(np.ndindex(*arrays["pretrained"].shape[:3]))
    shape = arrays["pretrained"].shape[:3]
    whole = np.stack([comparison.differences(arrays, at) for at in places])
    parts = np.stack([comparison.by_strength(arrays, at) for at in places])
    judged = comparison.judged(whole.reshape(*shape, *whole.shape[1:]), rng, BOUNDS)
    single = comparison.judged(parts.reshape(*shape, *parts.shape[1:]), rng)
    shrinks: Arrays = {}
    if arrays["n_demos"].size > 1:
        few, many = (pick(arrays["n_demos"]) for pick in (np.argmin, np.argmax))
        gain = whole.reshape(*shape, *whole.shape[1:])[:, :, :, list(COMPARISONS).index("finetuned, PostBC - BC")]
        found = comparison.judged(gain[:, few] - gain[:, many], rng)
        shrinks = {f"shrinks_{name}": values for name, values in found.items()}
    dropped = {"curve", "curve_steps", "seconds"}
    return {
        **shrinks,
        **{name: values for name, values in arrays.items() if name not in dropped},
        **{f"compared_{name}": values for name, values in judged.items()},
        **{f"matched_{name}": single[name] for name in ("mean", "low", "high")},
    }


def check(arrays: Arrays) -> Sequence[Claim]:
    """E1 and E2 for each task, number of demonstrations and learner, against BC and against sigma-BC apart; and E3."""
    claims = []
    for at in np.ndindex(*arrays["compared_mean"].shape):
        what, source = list(COMPARISONS.items())[at[3]]
        claims += _claim(arrays, "compared", at, source, what, f"{arrays['n_demos'][at[1]]}", BOUNDS[at[3]])
    if "shrinks_mean" in arrays:
        numbers = f"{arrays['n_demos'].min()} minus that from {arrays['n_demos'].max()}"
        for task, learner in np.ndindex(*arrays["shrinks_mean"].shape):
            claims += _claim(arrays, "shrinks", (task, 0, learner), "E3", "finetuned, PostBC - BC", numbers, 0.0)
    return claims


def _claim(
    arrays: Arrays, kind: str, at: tuple[int, ...], source: str, what: str, n_demos: str, bound: float
) -> list[Claim]:
    """Claim of one comparison, or none where there is nothing to compare."""
    place = (at[0], at[2]) if kind == "shrinks" else at
    low, high, mean, p = (float(arrays[f"{kind}_{name}"][place]) for name in ("wide_low", "wide_high", "mean", "holm"))
    if np.isnan(mean):
        return []
    task, learner = arrays["tasks"][at[0]], arrays["learners"][at[2]]
    favour = " (the best of sigma-BC is of the same seeds, which favours it)" if "pretrained success" in what else ""
    words = f"tradeoff {kind} {task} {n_demos} {learner} {what}".replace(",", "").replace(" - ", " ").replace("= ", "")
    return [
        Claim(
            words.replace(" ", "-"), source, ">=", Interval(low, high), bound, "sampled",
            f"{learner} on {task} from {n_demos} demonstrations, success {what}{favour}: mean {mean:+.3f} over "
            f"{arrays['seeds'].size} seeds; intervals by the studentised bootstrap of the pairs, all of them together "
            f"at {1 - ALL_AT_ONCE:g}; p = {p:.3g} by flipped signs, adjusted after Holm; decided only where p is at "
            f"most {SIGNIFICANT:g}, too.",
            p,
        )
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """A column for each task, number of demonstrations and learner."""
    places = list(np.ndindex(*arrays["pretrained"].shape[:3]))
    figure = _style.new_figure(page=5.6, column=4.9 * len(places))
    panels = _style.new_panels(figure, 2 * len(places), page=len(places), column=1)
    axes = np.reshape(np.array(panels), (2, len(places)))
    for k, at in enumerate(places):
        task, n, learner = (arrays[name][i] for name, i in zip(grid.AXES[:3], at, strict=True))
        _draw_families(axes[0, k], arrays, at)
        _style.panel_letter(axes[0, k], "abcdefghijkl"[k], f"{task}, {n} demonstrations, {learner}")
        _draw_differences(axes[1, k], arrays, at)
        _style.panel_letter(axes[1, k], "abcdefghijkl"[len(places) + k], f"{task}, at equal success or noise")
    _style.name_axes(axes[0], "success before finetuning", "success after finetuning")
    _style.name_axes(
        axes[1],
        "noise added, root mean square (action units)",
        "success, PostBC minus sigma-BC\n(above 0: PostBC is better)",
    )
    handles, names = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=_style.by_form(len(handles), 1))
    return figure


def _draw_families(axes: Axes, arrays: Arrays, at: tuple[int, ...]) -> None:
    pre, fine = arrays["pretrained"][at], arrays["finetuned"][at]
    x, y = pre.mean(axis=1), fine.mean(axis=1)
    for family in grid.FAMILIES:
        rows = np.flatnonzero(arrays["families"] == family)
        colour, marker = _style.COLOURS[family], _style.MARKERS[family]
        axes.plot(x[rows], y[rows], color=colour, lw=1.4, zorder=3)
        for i, row in enumerate(rows):
            across, up = (np.clip([e.low, e.high], 0, 1) for e in (mean_interval(pre[row]), mean_interval(fine[row])))
            axes.plot(across, [y[row]] * 2, color=colour, lw=0.8, alpha=0.35)
            axes.plot([x[row]] * 2, up, color=colour, lw=0.8, alpha=0.35)
            size = 4.0 + 3.5 * i / max(1, rows.size - 1)
            axes.plot(x[row], y[row], color=colour, marker=marker, ms=size, mec="white", mew=0.5, zorder=4)
    axes.set(xlim=_room(axes.get_xlim()), ylim=_room(axes.get_ylim()))
    axes.axline((0.0, 0.0), slope=1.0, color="#777777", ls=":", lw=0.8, zorder=0)
    _name_points(axes, arrays, x, y)


def _name_points(axes: Axes, arrays: Arrays, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Each family at one of its strengths, the other strengths where there is room; and which way is better."""
    arrow = {"arrowstyle": "->", "lw": 1.2}
    axes.annotate(
        "better",
        (0.97, 0.14),
        (0.92, 0.05),
        xycoords="axes fraction",
        arrowprops=arrow,
        ha="right",
        va="center",
        fontsize=7,
    )
    placer = _labels.Placer(axes, [line for line in axes.lines if line.get_zorder() >= 3])
    placer.reserve((0.72, 0.0, 1.0, 0.16))
    left = []
    for family in grid.FAMILIES:
        rows = np.flatnonzero(arrays["families"] == family)
        points = [(float(x[row]), float(y[row])) for row in rows]
        strengths = [f"{strength:g}" for strength in arrays["strengths"][rows]]
        letter = {"sigma-BC": ", $\\sigma$ = ", "PostBC": ", $\\alpha$ = "}.get(family)
        names = [family + letter + strength if letter else family for strength in strengths]
        named = placer.place(names, points, _style.COLOURS[family])
        left += [(strengths[i], points[i], family) for i in range(len(rows)) if i != named]
    for strength, point, family in left:
        placer.place([strength], [point], _style.COLOURS[family], needed=False)
    low, high = zip(axes.get_xlim(), axes.get_ylim(), strict=True)
    level = [(float(v), float(v)) for v in np.linspace(max(low), min(high), 12)]
    placer.place(["no gain"] * len(level), level, "#777777", needed=False)


def _room(ends: tuple[float, float]) -> tuple[float, float]:
    """Limits of an axis of success rates: no further than a little beyond 0 and 1."""
    return max(ends[0], -0.02), min(ends[1], 1.03)


def _draw_differences(axes: Axes, arrays: Arrays, at: tuple[int, ...]) -> None:
    ours = np.flatnonzero(arrays["families"] == "PostBC")
    noise = arrays["noise"][at][ours].mean(axis=1)
    everything = np.stack([arrays[f"matched_{key}"][at] for key in ("mean", "low", "high")])
    limit = 1.15 * np.abs(everything[np.isfinite(everything)]).max(initial=0.1)
    axes.axhline(0.0, color="#333333", lw=0.8)
    for j, (name, (colour, marker)) in enumerate(DIFFERENCES.items()):
        mean, low, high = everything[:, j]
        x = noise * 1.1 ** (j - 1)
        axes.vlines(x, np.maximum(low, -2 * limit), np.minimum(high, 2 * limit), color=colour, lw=1.0)
        axes.plot(x, mean, color=colour, marker=marker, ls="", label=name)
    axes.set(xscale="log", ylim=(-limit, limit))
    alphas = arrays["strengths"][ours]
    names = [f"{x:.2f}\n$\\alpha$ = {alpha:g}" for x, alpha in zip(noise, alphas, strict=True)]
    axes.set_xticks(noise, names, fontsize=6.5)
    axes.margins(x=0.1)
    axes.minorticks_off()
