"""What more demonstrations change: success before and after DSRL, and what PostBC gains over BC and sigma-BC."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from figures.control import comparisons as comparison
from figures.control import grid
from figures.control.pairs import Pairs, Place
from figures.control.variants import FAMILIES
from figures.look import labels, palette, style
from figures.running import recorded
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim
from theory.statistics.probability import mean_interval

TITLE = "Demonstrations: what PostBC gains, from few and from many"
CAPTION = (
    "a, c and so on: success before finetuning (dashed) and after DSRL (solid), means over seeds with Student's 95 % "
    "intervals (of single policies, not of differences). Sigma and alpha are the same for all numbers of "
    "demonstrations; they were chosen for each task from 10 demonstrations on seeds of their own. b, d and so on: "
    "success after finetuning, PostBC minus BC and minus sigma-BC, each in that rival's colour, in pairs of one seed, "
    "with 95 % intervals (studentised bootstrap). 20 seeds of reach and stick, 10 of the others. Both profiles draw "
    "the recorded grid."
)
FULL = QUICK = Recorded(("strengths", "demonstrations"))
N_DEMOS = (5, 10, 20, 50)
RIVALS = ("BC", "sigma-BC")
WHEN = {"before finetuning": "--", "after DSRL": "-"}


def compute(config: Recorded, sweep: Sweep) -> Arrays:
    """Read the recorded grid, and compare PostBC with both others for each number of demonstrations."""
    chosen = grid.chosen(recorded.RESULTS)
    pairs = Pairs(grid.table(config, sweep))
    gains, ends, falls = [], [], []
    for task in grid.TASKS:
        plans = grid.chosen_plans(chosen[task, grid.N_DEMOS])
        places = [[Place(task, n, plan) for plan in plans] for n in N_DEMOS]
        ends.append([[_ends(pairs.scores(one)) for one in line] for line in places])
        found = [[pairs.differences(line[2], line[k])[1] for k in (0, 1)] for line in places]
        gains += [one for line in found for one in line]
        falls += [_common(few, many) for few, many in zip(found[0], found[-1], strict=True)]
    rng = sweep.generator("numbers of demonstrations")
    shape = (len(grid.TASKS), len(N_DEMOS), len(RIVALS))
    gained = comparison.judged_apart(comparison.stacked(gains, shape), rng, (0.0, 0.0))
    fallen = comparison.judged_apart(comparison.stacked(falls, shape[::2]), rng, (0.0, 0.0))
    return {
        "tasks": np.array(list(grid.TASKS)),
        "n_demos": np.array(N_DEMOS),
        "strengths": np.array([[chosen[task, grid.N_DEMOS][family] for family in FAMILIES[1:]] for task in grid.TASKS]),
        "ends": np.array(ends),
        **{f"gain_{name}": values for name, values in gained.items()},
        **{f"fall_{name}": values for name, values in fallen.items()},
    }


def _ends(scores: NDArray[np.float64]) -> list[list[float]]:
    """Mean and 95 % interval, before and after."""
    found = [(row.mean(), mean_interval(row)) for row in scores]
    return [[float(mean), one.low, one.high] for mean, one in found]


def _common(few: NDArray[np.float64], many: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is gained from few minus what is gained from many, seed by seed."""
    if few.shape != many.shape:
        raise ValueError(f"the table of demonstrations must have the same seeds for all; got {few.size}, {many.size}")
    return np.asarray(few - many)


def check(arrays: Arrays) -> Sequence[Claim]:
    """E3: what PostBC gains shrinks from 5 to 50 demonstrations; E2 at each number but that of the trade-off."""
    lines: list[tuple[str, tuple[int, ...], str, str, str]] = []
    for i, j in np.ndindex(*arrays["fall_mean"].shape):
        what = f"gain over {RIVALS[j]} from {N_DEMOS[0]} demonstrations minus that from {N_DEMOS[-1]}"
        lines.append(("fall_", (i, j), "E3", what, f"{RIVALS[j]} shrinks"))
    for i, k, j in np.ndindex(*arrays["gain_mean"].shape):
        if N_DEMOS[k] != grid.N_DEMOS:
            what = f"PostBC - {RIVALS[j]} from {N_DEMOS[k]} demonstrations"
            lines.append(("gain_", (i, k, j), "E2", what, f"{RIVALS[j]} {N_DEMOS[k]}"))
    found = []
    for kind, at, source, what, words in lines:
        task, judgement = arrays["tasks"][at[0]], comparison.parts(arrays, kind)
        text = f"DSRL on {task}, success after finetuning, {what}"
        together = "those of one rival"
        found.append(comparison.claim(judgement, at, f"demonstrations {task} {words}", source, text, together))
    return [claim for claim in found if claim is not None]


def draw(arrays: Arrays) -> Figure:
    """Two panels, one above the other, for each task."""
    n_tasks = arrays["tasks"].size
    figure = style.new_figure(page=0.4 + 4.4 * -(-n_tasks // 3), column=0.6 + 1.8 * n_tasks)
    pairs = style.new_pairs(figure, n_tasks, page=3, ratio=1.2)
    for k, (task, (upper, lower)) in enumerate(zip(arrays["tasks"], pairs, strict=True)):
        for axes in (upper, lower):
            axes.set_xscale("log")
            axes.set_xticks(N_DEMOS, [str(n) for n in N_DEMOS])
            axes.xaxis.set_minor_locator(NullLocator())
        sigma, alpha = arrays["strengths"][k]
        _draw_success(upper, arrays, k)
        strengths = f"$\\sigma$ = {sigma:g}, $\\alpha$ = {alpha:g}"
        title = style.by_form(f"{task}: {strengths}", f"{task}\n{strengths}")
        style.panel_letter(upper, "abcdefghijkl"[2 * k], title)
        _draw_gains(lower, arrays, k)
        title = style.by_form(f"{task}: PostBC's gain", f"{task}\nPostBC's gain")
        style.panel_letter(lower, "abcdefghijkl"[2 * k + 1], title)
    words, gain = "demonstrations", style.by_form("success after finetuning, difference", "difference")
    style.name_pairs(pairs, (words, "success"), (words, gain))
    families = style.by_form([], [style.line_of(family) for family in FAMILIES])
    when = [Line2D([], [], color="#555555", ls=dashes, label=name) for name, dashes in WHEN.items()]
    style.legend_at_end(figure, [*families, *when], page=2, column=2)
    return figure


def _draw_success(axes: Axes, arrays: Arrays, task: int) -> None:
    names = []
    for f, family in enumerate(FAMILIES):
        colour, marker = palette.colour(family), palette.marker(family)
        for when, dashes in enumerate(WHEN.values()):
            mean, low, high = arrays["ends"][task, :, f, when].T
            x = np.array(N_DEMOS) * 1.04 ** (f - 1)
            axes.plot(x, mean, color=colour, marker=marker, ls=dashes, lw=1.2, alpha=1.0 if when else 0.6)
            axes.vlines(x, low.clip(0, 1), high.clip(0, 1), color=colour, lw=0.8, alpha=0.6)
            if when:
                names.append((family, colour, float(x[-1]), float(mean[-1])))
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.02), min(high, 1.03))
    if style.by_form(True, False):
        labels.name_ends(axes, names)


def _draw_gains(axes: Axes, arrays: Arrays, task: int) -> None:
    axes.axhline(0.0, color="#333333", lw=0.8)
    names = []
    for j, rival in enumerate(RIVALS):
        colour, x = palette.colour(rival), np.array(N_DEMOS) * 1.06 ** (j - 0.5)
        mean, low, high = (arrays[f"gain_{name}"][task, :, j] for name in ("mean", "low", "high"))
        axes.vlines(x, low, high, color=colour, lw=1.0)
        axes.plot(x, mean, color=colour, marker=palette.marker(rival), lw=1.0)
        names.append((f"over\n{rival}", colour, float(x[-1]), float(mean[-1])))
    axes.set_ylim(axes.get_ylim())
    if style.by_form(True, False):
        labels.name_ends(axes, names)
