"""Ablations of PostBC and of the finetuners, each a paired difference before and after finetuning."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.control import contrasts, grid, grid_runs, judgements
from figures.control.contrasts import Group
from figures.control.pairs import Pairs
from figures.look import palette, style
from figures.running import recorded
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim

TITLE = "Ablations: shape, ensemble, demonstrator and critic"
CAPTION = (
    "Differences of success before finetuning (a) and after it (b), paired by seed, with 95 % intervals (studentised "
    "bootstrap). An interval that contains 0 is a tie; intervals that reach the edge extend beyond it. PostBC and "
    "sigma-BC have the strengths chosen for the task on separate seeds. The learner is DSRL; for the critics "
    "(thousands of updates, k, and width of layers) it is Best-of-N with N = 16. All shapes have equal trace. The "
    "oracle adds noise only where a wrong action can be corrected. 8 seeds (5 for the critics), good demonstrators "
    "except in the group 'demonstrator'; stick with 10 demonstrations and corridor with 5, and all tasks with 10 in "
    "the group 'beyond the paper'. Quick and full settings draw the same recorded grid."
)
FULL = QUICK = Recorded(("strengths", "demonstrations", "ablations", "critics", "beyond", "shrinkage", "by_n"))
TABLES = (*grid.CHOICES, "choice_by_n")

PRINTED = {
    "with sigma": "with $\\sigma$ =",
    "masked sigma": "masked $\\sigma$",
    "masked 2 sigma": "masked $2\\sigma$",
    "held-out alpha": "held-out $\\alpha$",
    "shrunken alpha": "shrunken $\\alpha$",
}
"""What is printed for some words of groups and labels."""
SHORT = {", minus ": " $-$ ", " minus ": " $-$ ", " updates": ""}
"""The same, in a column only."""
CLAIMED = (Group.NOISE, Group.MASK, Group.BEYOND)
"""Groups whose lines after finetuning are claims."""
TASK_STEP = 0.3
"""Distance between the marks of two tasks on one line, as a share of the least height of a line."""

Lines = Mapping[tuple[str, str], Sequence[str]]
"""Tasks of each line of the figure, by its group and label."""


def compute(config: Recorded, sweep: Sweep) -> Arrays:
    """Read the recorded grid, and take the differences."""
    lines = contrasts.all_contrasts(grid_runs.chosen(recorded.RESULTS, by_n=True))
    pairs = Pairs(grid_runs.rows_of(config, sweep))
    differences = judgements.stack_padded(
        [pairs.differences(line.changed, line.usual) for line in lines], (len(lines),)
    )
    same_policy = [line.changed.policy == line.usual.policy for line in lines]
    differences[same_policy, 0] = np.nan  # only the finetuning differs, so there is no difference before it
    group, label = np.array([line.group.value for line in lines]), np.array([line.label for line in lines])
    judged: Arrays = {name: np.full(differences.shape[:2], np.nan) for name in (*judgements.COLUMNS, "n")}
    rng = sweep.generator("ablations")
    for one_group, one_label in dict.fromkeys(zip(group.tolist(), label.tolist(), strict=True)):
        tasks_of_line = np.flatnonzero((group == one_group) & (label == one_label))  # they are adjusted together
        columns = judgements.judge_each_comparison(differences[tasks_of_line], rng, (0.0, 0.0))
        for name, values in columns.items():
            judged[name][tasks_of_line] = values
    return {
        **judged,
        "group": group,
        "label": label,
        "task": np.array([line.changed.task for line in lines]),
        "n_demos": np.array([line.changed.n_demos for line in lines]),
    }


def check(arrays: Arrays) -> Sequence[Claim]:
    """Whether shape, an oracle's mask or what goes beyond the paper help after finetuning (E0)."""
    all_claims = []
    for i in np.flatnonzero(np.isin(arrays["group"], CLAIMED)):
        group, label, task = (str(arrays[name][i]) for name in ("group", "label", "task"))
        all_claims.append(
            judgements.claim(
                arrays, (int(i), 1), name=f"ablations {task} {group} {label}", source="E0",
                subject=f"{task} from {arrays['n_demos'][i]} demonstrations, success after finetuning, "
                f"{group}: {label}",
                judged_together="the tasks of this comparison",
            )
        )  # fmt: skip
    return [claim for claim in all_claims if claim is not None]


def task_look(task: str) -> palette.Look:
    """Look of a task: that of its number in the grid, so that it does not depend on the other tasks of a figure."""
    k = list(grid.TASKS).index(task)
    return palette.Look(colour=palette.series_colour(k), marker=palette.series_marker(k))


def _lines(arrays: Arrays) -> dict[tuple[str, str], list[str]]:
    """Tasks of each line, a line being a group and a label."""
    lines: dict[tuple[str, str], list[str]] = {}
    for group, label, task in zip(arrays["group"], arrays["label"], arrays["task"], strict=True):
        lines.setdefault((str(group), str(label)), []).append(str(task))
    return {line: sorted(tasks, key=list(grid.TASKS).index) for line, tasks in lines.items()}


def _heights(lines: Lines) -> tuple[dict[str, float], dict[tuple[str, str], float], float]:
    """Height of each group's head and of each line's middle, and of the lower end; from 0 downwards."""
    heads: dict[str, float] = {}
    middles: dict[tuple[str, str], float] = {}
    y = 0.0
    for (group, label), tasks in lines.items():
        if group not in heads:
            y -= 0.6
            heads[group] = y - 0.5
            y -= style.by_form(1.0, 1.3)
        height = max(1.0, 1.2 * TASK_STEP * len(tasks))
        middles[group, label] = y - height / 2
        y -= height
    return heads, middles, y


def draw(arrays: Arrays) -> Figure:
    """Lines of one group below one another, with a mark for each task."""
    lines = _lines(arrays)
    heads, middles, lowest = _heights(lines)
    figure = style.new_figure(page=0.6 - 0.165 * lowest, column=0.9 - 0.158 * lowest)
    panels = style.new_panels(figure, 2, page=2, column=2, sharey=True)
    limit = np.ceil(10 * max(0.2, 1.2 * np.nanmax(np.abs(arrays["mean"])))) / 10
    for when, (axes, title) in enumerate(
        zip(panels, style.by_form(("before finetuning", "after finetuning"), ("before", "after")), strict=True)
    ):
        for height in heads.values():
            axes.axhline(height, color="#DDDDDD", lw=0.5)
        axes.axvline(0.0, color="#333333", lw=0.8)
        _draw_lines(axes, arrays, lines, middles, when)
        style.panel_letter(axes, palette.letter(when), title)
        axes.set(xlabel=style.by_form("difference of success", "difference\nof success"), xlim=(-limit, limit))
        axes.set_xticks(style.by_form(np.linspace(-limit, limit, 5), np.array([-limit / 2, 0.0, limit / 2])))
        axes.xaxis.set_major_formatter("{x:g}")
    names = [_printed(name) for name in (*heads, *(label for _, label in middles))]
    panels[0].set_yticks([*heads.values(), *middles.values()], names, fontsize=style.by_form(7.0, 6.2))
    for name in panels[0].get_yticklabels()[: len(heads)]:
        name.set_fontweight("bold")
    for axes in panels:
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    panels[0].set(ylim=(lowest - 0.2, 0.0), ylabel="what is changed")
    marks = [_mark(task) for task in grid.TASKS if task in arrays["task"]]
    style.legend_at_end(figure, marks, page=len(marks), column=3)
    return figure


def _mark(task: str) -> Line2D:
    look = task_look(task)
    return Line2D([], [], color=look.colour, marker=look.marker, ls="", label=task)


def _printed(name: str) -> str:
    for words, printed in {**PRINTED, **style.by_form({}, SHORT)}.items():
        name = name.replace(words, printed)
    return name


def _draw_lines(axes: Axes, arrays: Arrays, lines: Lines, middles: Mapping[tuple[str, str], float], when: int) -> None:
    """Draw all differences before or after finetuning; one that is missing is not drawn."""
    for i in np.flatnonzero(~np.isnan(arrays["mean"][:, when])):
        line, task = (str(arrays["group"][i]), str(arrays["label"][i])), str(arrays["task"][i])
        tasks, look = lines[line], task_look(task)
        y = middles[line] + TASK_STEP * ((len(tasks) - 1) / 2 - tasks.index(task))
        mean, low, high = (float(arrays[name][i, when]) for name in ("mean", "low", "high"))
        axes.hlines(y, max(low, -2.0), min(high, 2.0), color=look.colour, lw=1.0)
        axes.plot(mean, y, color=look.colour, marker=look.marker, ms=3.0, ls="")
