"""What more demonstrations change: success before and after DSRL, and what PostBC gains over BC and sigma-BC."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from figures.control import grid, grid_runs, judgements
from figures.control.families import FAMILIES
from figures.control.pairs import Experiment, Pairs
from figures.look import labels, palette, style
from figures.running import recorded
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim
from theory.statistics.probability import mean_interval

TITLE = "Demonstrations: what PostBC gains with few and with many"
CAPTION = (
    "a, c and so on: success before finetuning (dashed) and after DSRL (solid), means over seeds with Student's 95 % "
    "intervals (of single policies, not of differences). Sigma and alpha are the same for all numbers of "
    "demonstrations; they were chosen for each task with 10 demonstrations, on separate seeds. b, d and so on: success "
    "after finetuning, PostBC minus BC and PostBC minus sigma-BC, in the colour of BC or sigma-BC, paired by seed, "
    "with 95 % intervals (studentised bootstrap). 20 seeds on reach and stick, 10 on the other tasks. Quick and full "
    "settings draw the same recorded grid."
)
FULL = QUICK = Recorded(("strengths", "demonstrations"))
TABLES = grid.CHOICES
N_DEMOS = (5, 10, 20, 50)
FAMILY, RIVALS = "PostBC", ("BC", "sigma-BC")
SHOWN = (*RIVALS, FAMILY)
"""Families whose success is drawn."""
WHEN = {"before finetuning": "--", "after DSRL": "-"}


def compute(config: Recorded, sweep: Sweep) -> Arrays:
    """Read the recorded grid, and compare PostBC with BC and sigma-BC for each number of demonstrations."""
    chosen = grid_runs.chosen(recorded.RESULTS)
    pairs = Pairs(grid_runs.rows_of(config, sweep))
    ends, gains, falls = [], [], []
    for task in grid.TASKS:
        policies = grid.usual_policies(chosen, task)
        experiments = [
            {name: Experiment(task=task, n_demos=n, policy=policies[name]) for name in SHOWN} for n in N_DEMOS
        ]  # fmt: skip
        ends.append(
            [[_mean_and_interval(pairs.scores(by_family[name])) for name in SHOWN] for by_family in experiments]
        )
        gained = [
            [pairs.differences(by_family[FAMILY], by_family[rival])[1] for rival in RIVALS] for by_family in experiments
        ]
        gains += [gain for of_n in gained for gain in of_n]
        falls += [_paired_difference(few, many) for few, many in zip(gained[0], gained[-1], strict=True)]
    rng = sweep.generator("numbers of demonstrations")
    shape = (len(grid.TASKS), len(N_DEMOS), len(RIVALS))
    no_bounds = (0.0,) * len(RIVALS)
    judged_gains = judgements.judge_each_comparison(judgements.stack_padded(gains, shape), rng, no_bounds)
    judged_falls = judgements.judge_each_comparison(judgements.stack_padded(falls, shape[::2]), rng, no_bounds)
    strengths = [[chosen[task, grid.N_DEMOS][family] for family in grid.TUNED] for task in grid.TASKS]
    return {
        "tasks": np.array(list(grid.TASKS)),
        "n_demos": np.array(N_DEMOS),
        "strengths": np.array(strengths),
        "ends": np.array(ends),
        **judgements.with_prefix("gain_", judged_gains),
        **judgements.with_prefix("fall_", judged_falls),
    }


def _mean_and_interval(scores: NDArray[np.float64]) -> list[list[float]]:
    """Mean and 95 % interval of each row: before and after finetuning."""
    judged = [(row.mean(), mean_interval(row)) for row in scores]
    return [[float(mean), interval.low, interval.high] for mean, interval in judged]


def _paired_difference(few: NDArray[np.float64], many: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is gained from few minus what is gained from many, seed by seed."""
    if few.shape != many.shape:
        raise ValueError(f"the table of demonstrations must have the same seeds for all; got {few.size}, {many.size}")
    return np.asarray(few - many)


def check(arrays: Arrays) -> Sequence[Claim]:
    """E3: PostBC's gain shrinks from 5 to 50 demonstrations; E2 at each number, except that of the trade-off."""
    all_claims: list[Claim | None] = []
    falls, gains = (judgements.of_prefix(prefix, arrays) for prefix in ("fall_", "gain_"))
    for i, j in np.ndindex(*falls["mean"].shape):
        difference = f"gain over {RIVALS[j]} from {N_DEMOS[0]} demonstrations minus that from {N_DEMOS[-1]}"
        all_claims.append(_claim(falls, (i, j), str(arrays["tasks"][i]), "E3", difference, f"{RIVALS[j]} shrinks"))
    for i, k, j in np.ndindex(*gains["mean"].shape):
        if N_DEMOS[k] != grid.N_DEMOS:
            difference = f"{FAMILY} - {RIVALS[j]} from {N_DEMOS[k]} demonstrations"
            all_claims.append(
                _claim(gains, (i, k, j), str(arrays["tasks"][i]), "E2", difference, f"{RIVALS[j]} {N_DEMOS[k]}")
            )
    return [claim for claim in all_claims if claim is not None]


def _claim(
    judgement: Arrays, index: tuple[int, ...], task: str, source: str, difference: str, name: str
) -> Claim | None:
    return judgements.claim(
        judgement, index, name=f"demonstrations {task} {name}", source=source,
        subject=f"DSRL on {task}, success after finetuning, {difference}",
        judged_together="all differences from this rival",
    )  # fmt: skip


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
        _draw_success(upper, arrays, k)
        chosen = zip(grid.TUNED, arrays["strengths"][k], strict=True)
        strengths = ", ".join(f"${FAMILIES[family].letter}$ = {strength:g}" for family, strength in chosen)
        title = style.by_form(f"{task}: {strengths}", f"{task}\n{strengths}")
        style.panel_letter(upper, palette.letter(2 * k), title)
        _draw_gains(lower, arrays, k)
        title = style.by_form(f"{task}: PostBC's gain", f"{task}\nPostBC's gain")
        style.panel_letter(lower, palette.letter(2 * k + 1), title)
    words, gain = "demonstrations", style.by_form("success after finetuning, difference", "difference")
    style.name_pairs(pairs, (words, "success"), (words, gain))
    families = style.by_form([], [style.line_of(family) for family in SHOWN])
    when = [Line2D([], [], color="#555555", ls=dashes, label=name) for name, dashes in WHEN.items()]
    style.legend_at_end(figure, [*families, *when], page=2, column=2)
    return figure


def _draw_success(axes: Axes, arrays: Arrays, task: int) -> None:
    names = []
    for f, family in enumerate(SHOWN):
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
