"""Ablations of PostBC and of the finetuners, each a paired difference before and after finetuning."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.control import comparisons as comparison
from figures.control import grid
from figures.control.pairs import Pairs, Place
from figures.control.variants import MASKED, PolicySpec
from figures.look import palette, style
from figures.running import recorded
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim

TITLE = "Ablations: shape, ensemble, demonstrator and critic"
CAPTION = (
    "Differences of success before finetuning (a) and after it (b), in pairs of one seed, with 95 % intervals "
    "(studentised bootstrap); an interval that holds 0 is a tie, and one that meets the edge goes on behind it. "
    "PostBC, sigma-BC: at the strength that was chosen for the task on seeds of its own. DSRL but for the critics "
    "(thousands of updates, k, and width of layers), whose learner is Best-of-N with N = 16. Shapes have equal trace. "
    "The oracle puts noise only where a wrong action can be mended. 8 seeds, 5 for the critics, all for good "
    "demonstrators; stick from 10 demonstrations and corridor from 5, but all tasks from 10 where beyond the paper. "
    "Both profiles draw the recorded grid."
)
FULL = QUICK = Recorded(("strengths", "demonstrations", "ablations", "critics", "beyond", "shrinkage", "by_n"))


class Contrast(NamedTuple):
    """A line of the figure: two places whose difference it shows."""

    group: str
    label: str
    place: Place
    other: Place


GROUPS = (
    "members, minus 10",
    "bootstrap, minus trajectories",
    "noise, minus full covariance",
    "demonstrator",
    "oracle mask",
    "beyond the paper",
    "shrunken alpha, minus constant",
    "one strength for all, minus one for each",
    "critic of Best-of-N, minus usual",
)
PRINTED = {
    "with sigma": "with $\\sigma$ =",
    "masked sigma": "masked $\\sigma$",
    "masked 2 sigma": "masked $2\\sigma$",
    "held-out alpha": "held-out $\\alpha$",
    "shrunken alpha": "shrunken $\\alpha$",
}
SHORT = {", minus ": " $-$ ", " minus ": " $-$ ", " updates": ""}
"""What is printed for words of groups and labels, and for more of them in a column."""
MASK = "oracle mask"
CHANGES = (
    (GROUPS[0], ("3 members", "30 members", "100 members")),
    (GROUPS[1], ("pairs bootstrap", "perturbed targets")),
    (GROUPS[2], ("diagonal", "isotropic", "with sigma 0.1", "with sigma 0.2")),
)
"""Variants that are held against the usual PostBC."""
CLAIMED = ("noise, minus full covariance", "oracle mask", "beyond the paper")
"""Groups whose lines after finetuning are claims."""


LOOKS = dict(zip(grid.TASKS, zip(palette.SERIES, ("o", "s", "^", "D", "v"), strict=False), strict=True))
"""Colour and marker of each task."""
STEP = 0.3
"""Between the marks of two tasks on one line, as a share of a line's least height."""


def contrasts(chosen: grid.Chosen) -> list[Contrast]:
    """All lines, group by group."""
    found: list[Contrast] = []
    for task, n in grid.ABLATED:
        bc, sigma, ours = grid.chosen_plans(chosen[task, grid.N_DEMOS])
        lines = [(group, name, ours._replace(variant=name), ours) for group, names in CHANGES for name in names]
        lines += [
            (
                GROUPS[3], f"{name.split()[0] if name else 'good'}: PostBC minus {rival.family}",
                ours._replace(variant=name), rival._replace(variant=name),
            )
            for name in ("poor demonstrator", "fair demonstrator", "")
            for rival in (bc, sigma)
        ]  # fmt: skip
        if task in MASKED:
            lines += [
                (
                    GROUPS[4],
                    f"masked {words}sigma minus {other.family}",
                    sigma._replace(strength=s, variant=MASK),
                    other,
                )
                for words, s in (("", sigma.strength), ("2 ", 2 * sigma.strength))
                for other in (sigma, ours)
            ]
        found += [Contrast(g, label, Place(task, n, plan), Place(task, n, other)) for g, label, plan, other in lines]
        found += [
            Contrast(
                GROUPS[8], f"{name.replace(' thousand', 'k')}: {plan.family}",
                Place(task, n, plan, f"Best-of-N, {name}, N = 16"),
                Place(task, n, plan, f"Best-of-N, {grid.USUAL}, N = 16"),
            )
            for name in grid.CRITICS
            for plan in (bc, ours)
        ]  # fmt: skip
    stretch = grid.stretch()
    for task in grid.TASKS:
        _, sigma, ours = grid.chosen_plans(chosen[task, grid.N_DEMOS])
        for plan in (PolicySpec("PostBC", 1.0, "held-out alpha"), ours._replace(variant="own states")):
            for other in (sigma, ours):
                label = f"{plan.variant} minus {other.family}"
                found.append(
                    Contrast(GROUPS[5], label, Place(task, grid.N_DEMOS, plan), Place(task, grid.N_DEMOS, other))
                )
        if task in grid.BY_N:
            for n in grid.FEW_AND_MANY:
                pairs = zip(grid.chosen_plans(chosen[task, n])[1:], (sigma, ours), strict=True)
                found += [
                    Contrast(GROUPS[7], f"from {n}, {plan.family}", Place(task, n, other), Place(task, n, plan))
                    for plan, other in pairs
                    if plan != other
                ]
        if task not in grid.SHRUNKEN:
            continue
        shrunken = PolicySpec("PostBC", stretch * ours.strength, "shrunken alpha")
        found += [
            Contrast(GROUPS[6], f"from {n} demonstrations", Place(task, n, shrunken), Place(task, n, ours))
            for n in (5, 50)
        ]
    return sorted(found, key=lambda one: GROUPS.index(one.group))


def compute(config: Recorded, sweep: Sweep) -> Arrays:
    """Read the recorded grid, and take the differences."""
    chosen = grid.chosen(recorded.RESULTS, by_n=True)
    pairs = Pairs(grid.table(config, sweep))
    lines = contrasts(chosen)
    found = comparison.stacked([pairs.differences(one.place, one.other) for one in lines], (len(lines),))
    found[[one.place.plan == one.other.plan for one in lines], 0] = np.nan  # one policy, differently finetuned
    rng = sweep.generator("ablations")
    group, label = (np.array([getattr(one, name) for one in lines]) for name in ("group", "label"))
    names = ("mean", *comparison.JUDGED, "n")
    judged: Arrays = {name: np.full(found.shape[:2], np.nan) for name in names}
    for line in dict.fromkeys(zip(group.tolist(), label.tolist(), strict=True)):  # adjusted for its tasks
        rows = np.flatnonzero((group == line[0]) & (label == line[1]))
        for name, values in comparison.judged_apart(found[rows], rng, (0.0, 0.0)).items():
            judged[name][rows] = values
    return {
        **judged,
        "group": group,
        "label": label,
        "task": np.array([one.place.task for one in lines]),
        "n_demos": np.array([one.place.n_demos for one in lines]),
    }


def check(arrays: Arrays) -> Sequence[Claim]:
    """Whether shape, an oracle's mask or what goes beyond the paper help after finetuning (E0)."""
    found = []
    for i in np.flatnonzero(np.isin(arrays["group"], CLAIMED)):
        group, label, task = (str(arrays[name][i]) for name in ("group", "label", "task"))
        found.append(
            comparison.claim(
                arrays, (int(i), 1), f"ablations {task} {group} {label}", "E0",
                f"{task} from {arrays['n_demos'][i]} demonstrations, success after finetuning, {group}, {label}",
                "those of one line on all its tasks",
            )
        )  # fmt: skip
    return [claim for claim in found if claim is not None]


def draw(arrays: Arrays) -> Figure:
    """Lines of one group below one another, with a mark for each task."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for group, label, task in zip(arrays["group"], arrays["label"], arrays["task"], strict=True):
        tasks.setdefault((str(group), str(label)), []).append(str(task))
    heads: dict[str, float] = {}
    places: dict[tuple[str, str], float] = {}
    y = 0.0
    for (group, label), some in tasks.items():
        some.sort(key=list(LOOKS).index)
        if group not in heads:
            y -= 0.6
            heads[group] = y - 0.5
            y -= style.by_form(1.0, 1.3)
        height = max(1.0, 1.2 * STEP * len(some))
        places[group, label] = y - height / 2
        y -= height
    figure = style.new_figure(page=0.6 - 0.165 * y, column=0.9 - 0.158 * y)
    panels = style.new_panels(figure, 2, page=2, column=2, sharey=True)
    limit = np.ceil(10 * max(0.2, 1.2 * np.nanmax(np.abs(arrays["mean"])))) / 10
    for when, (axes, title) in enumerate(
        zip(panels, style.by_form(("before finetuning", "after finetuning"), ("before", "after")), strict=True)
    ):
        for at in heads.values():
            axes.axhline(at, color="#DDDDDD", lw=0.5)
        axes.axvline(0.0, color="#333333", lw=0.8)
        _draw_lines(axes, arrays, tasks, places, when)
        style.panel_letter(axes, "ab"[when], title)
        axes.set(xlabel=style.by_form("difference of success", "difference\nof success"), xlim=(-limit, limit))
        axes.set_xticks(style.by_form(np.linspace(-limit, limit, 5), np.array([-limit / 2, 0.0, limit / 2])))
        axes.xaxis.set_major_formatter("{x:g}")
    names = [_printed(name) for name in (*heads, *(label for _, label in places))]
    panels[0].set_yticks([*heads.values(), *places.values()], names, fontsize=style.by_form(7.0, 6.2))
    for name in panels[0].get_yticklabels()[: len(heads)]:
        name.set_fontweight("bold")
    for axes in panels:
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    panels[0].set(ylim=(y - 0.2, 0.0), ylabel="what is changed")
    marks = [Line2D([], [], color=colour, marker=mark, ls="", label=task) for task, (colour, mark) in LOOKS.items()]
    style.legend_at_end(figure, marks, page=len(marks), column=3)
    return figure


def _printed(name: str) -> str:
    for words, printed in {**PRINTED, **style.by_form({}, SHORT)}.items():
        name = name.replace(words, printed)
    return name


def _draw_lines(
    axes: Axes,
    arrays: Arrays,
    tasks: Mapping[tuple[str, str], Sequence[str]],
    places: Mapping[tuple[str, str], float],
    when: int,
) -> None:
    """Draw all differences before or after finetuning; one that is missing is not drawn."""
    for i in np.flatnonzero(~np.isnan(arrays["mean"][:, when])):
        line, task = (str(arrays["group"][i]), str(arrays["label"][i])), str(arrays["task"][i])
        y = places[line] + STEP * ((len(tasks[line]) - 1) / 2 - tasks[line].index(task))
        mean, low, high = (float(arrays[name][i, when]) for name in ("mean", "low", "high"))
        colour, mark = LOOKS[task]
        axes.hlines(y, max(low, -2.0), min(high, 2.0), color=colour, lw=1.0)
        axes.plot(mean, y, color=colour, marker=mark, ms=3.0, ls="")
