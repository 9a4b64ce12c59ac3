"""The trade-off of pretraining: success before finetuning against success after it, compared, claimed and drawn."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from figures.control import comparisons, judgements
from figures.control.comparisons import COMPARISONS, MATCHED
from figures.control.families import FAMILIES, families_of
from figures.control.tables import means
from figures.look import labels, palette, style
from figures.look.palette import Look
from figures.running.artifacts import Arrays
from theory.claims import Claim
from theory.statistics.probability import mean_interval

MATCHED_LOOKS = dict(
    zip(
        MATCHED,
        (
            Look(colour=palette.series_colour(0), marker="D", label="after, at equal success before"),
            Look(colour="#777777", marker="s", label="before, at equal noise"),
            Look(colour=palette.series_colour(1), marker="^", label="after, at equal noise"),
        ),
        strict=True,
    )
)
"""How differences at equal success or noise are drawn."""


def compared(arrays: Arrays, learners: tuple[str, ...], rng: np.random.Generator) -> Arrays:
    """Keep some learners of the grid, and add all comparisons, and the matched ones for each alpha.

    Parameters
    ----------
    arrays : dict
        As of `tables.tensors`.
    learners : tuple of str
        Of its `learners`.
    rng : numpy.random.Generator
    """
    numbers = [arrays["learners"].tolist().index(name) for name in learners]
    kept: Arrays = {name: arrays[name][:, :, numbers] for name in ("pretrained", "finetuned", "noise")}
    kept |= {name: arrays[name] for name in ("tasks", "n_demos", "families", "strengths")}
    kept["learners"] = np.array(learners)
    shape = kept["pretrained"].shape[:3]
    cases = [(i, j, k) for i, j, k in np.ndindex(*shape)]
    whole = judgements.stack_padded([comparisons.differences(kept, case) for case in cases], shape)
    by_strength = judgements.stack_padded(
        [np.stack([comparisons.by_strength(kept, case, comparison) for comparison in MATCHED]) for case in cases], shape
    )
    judged = judgements.judge_each_comparison(whole, rng, [comparison.bound for comparison in COMPARISONS])
    single = judgements.judge_together(by_strength, rng)
    return {
        **kept,
        **judgements.with_prefix("compared_", judged),
        **judgements.with_prefix("matched_", {name: single[name] for name in ("mean", "low", "high")}),
    }


def claims(arrays: Arrays) -> list[Claim]:
    """E1 and E2 for each task, number of demonstrations and learner, against BC and against sigma-BC separately."""
    judgement = judgements.of_prefix("compared_", arrays)
    all_claims = []
    for index in np.ndindex(*judgement["mean"].shape):
        comparison = COMPARISONS[index[3]]
        task, n, learner = arrays["tasks"][index[0]], arrays["n_demos"][index[1]], arrays["learners"][index[2]]
        claim = judgements.claim(
            judgement, index, name=f"tradeoff {task} {n} {learner} {comparison.text}", source=comparison.source,
            subject=f"{learner} on {task} from {n} demonstrations, success {comparison.text}",
            judged_together="all tasks", bound=comparison.bound,
        )  # fmt: skip
        if claim is not None:
            all_claims.append(claim)
    return all_claims


def draw_families(axes: Axes, arrays: Arrays, case: tuple[int, ...]) -> None:
    """Draw each family's curve, before against after, with intervals."""
    pre, fine = arrays["pretrained"][case], arrays["finetuned"][case]
    x, y = means(pre), means(fine)
    for family in families_of(arrays):
        rows = np.flatnonzero((arrays["families"] == family) & ~np.isnan(x))
        colour, marker = palette.colour(family), palette.marker(family)
        axes.plot(x[rows], y[rows], color=colour, lw=1.4, zorder=3)
        for i, row in enumerate(rows):
            known = ~np.isnan(fine[row])
            ends = mean_interval(pre[row][known]), mean_interval(fine[row][known])
            across, up = (np.clip([interval.low, interval.high], 0, 1) for interval in ends)
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


def name_families(axes: Axes, arrays: Arrays, case: tuple[int, ...]) -> None:
    """Name the points of `draw_families` and mark the better direction; call this after the figure is laid out.

    On a page, each family is named at one of its strengths, and other strengths are named where there is space. In a
    column there are only strengths, because the legend names the families.
    """
    x, y = (means(arrays[name][case]) for name in ("pretrained", "finetuned"))
    arrow = {"arrowstyle": "->", "lw": 1.2}
    axes.annotate("better", (0.97, 0.14), (0.92, 0.05), xycoords="axes fraction", arrowprops=arrow,
                  ha="right", va="center", fontsize=7)  # fmt: skip
    placer = labels.Placer(axes, [line for line in axes.lines if line.get_zorder() >= 3])
    placer.reserve(style.by_form((0.7, 0.0, 1.0, 0.16), (0.5, 0.0, 1.0, 0.2)))
    unnamed = []
    families = families_of(arrays)
    for family in style.by_form(families, [family for family in families if FAMILIES[family].letter]):
        rows = np.flatnonzero((arrays["families"] == family) & ~np.isnan(x))
        if rows.size == 0:
            continue
        points = [(float(x[row]), float(y[row])) for row in rows]
        strengths = [f"{strength:g}" for strength in arrays["strengths"][rows]]
        letter = FAMILIES[family].letter
        names = [f"{family}, ${letter}$ = {strength}" if letter else family for strength in strengths]
        named = placer.place(names, points, palette.colour(family)) if style.by_form(True, False) else -1
        unnamed += [(strengths[i], points[i], family) for i in range(len(rows)) if i != named]
    for strength, point, family in unnamed:
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
        Line2D(
            [], [], color=look.colour, marker=look.marker, ls="",
            label=look.label.replace("equal success", "equal\nsuccess"),
        )
        for look in MATCHED_LOOKS.values()
    ]  # fmt: skip


def draw_differences(axes: Axes, arrays: Arrays, case: tuple[int, ...]) -> None:
    """Draw PostBC minus sigma-BC at equal success and at equal noise, for each alpha, by the noise it added.

    Ticks show the noise and below it alpha; in a column only alpha.
    """
    rows = np.flatnonzero(arrays["families"] == "PostBC")
    noise = means(arrays["noise"][case][rows])
    judged = np.stack([arrays[f"matched_{key}"][case] for key in ("mean", "low", "high")])
    known = ~np.isnan(noise)
    rows, noise, judged = rows[known], noise[known], judged[:, :, known]
    limit = min(1.0, 1.15 * np.abs(judged[np.isfinite(judged)]).max(initial=0.1))
    axes.axhline(0.0, color="#333333", lw=0.8)
    for j, look in enumerate(MATCHED_LOOKS.values()):
        mean, low, high = judged[:, j]
        x = noise * 1.1 ** (j - 1)
        axes.vlines(x, np.maximum(low, -2 * limit), np.minimum(high, 2 * limit), color=look.colour, lw=1.0)
        axes.plot(x, mean, color=look.colour, marker=look.marker, ls="")
    axes.set(xscale="log", ylim=(-limit, limit))
    alphas = arrays["strengths"][rows]
    names = [style.by_form(f"{x:.2f}\n{alpha:g}", f"{alpha:g}") for x, alpha in zip(noise, alphas, strict=True)]
    axes.set_xticks(noise, names)
    axes.margins(x=0.1)
    axes.minorticks_off()
