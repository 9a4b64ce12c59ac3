"""Ablations of PostBC and of the finetuners, each a paired difference before and after finetuning."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import _continuous_comparison as comparison
from figures import _grid, _style
from figures._artifacts import Arrays
from figures._pairs import Pairs, Place
from figures._pretraining import MASKED, Plan
from figures._sweep import Sweep
from theory.claims import Claim

TITLE = "Ablations: what shape, ensemble, demonstrator and critic change"
CAPTION = (
    "Differences of success before finetuning (left) and after it (right), in pairs of one seed, with 95 % intervals "
    "(studentised bootstrap); an interval that holds 0 is a tie, and one that meets the edge goes on behind it. "
    "PostBC, sigma-BC: at the strength that was chosen for the task on seeds of its own. DSRL but for the critics, "
    "whose learner is Best-of-N with N = 16. Shapes have equal trace. The oracle puts noise only where a wrong action "
    "can be mended. Both profiles draw the recorded grid."
)
FULL = QUICK = _grid.Recorded(("strengths", "demonstrations", "ablations", "critics", "beyond", "shrinkage", "by_n"))


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
MASK = "oracle mask"
CHANGES = (
    (GROUPS[0], ("3 members", "30 members", "100 members")),
    (GROUPS[1], ("pairs bootstrap", "perturbed targets")),
    (GROUPS[2], ("diagonal", "isotropic", "with sigma 0.1", "with sigma 0.2")),
)
"""Variants that are held against the usual PostBC."""
CLAIMED = ("noise, minus full covariance", "oracle mask", "beyond the paper")
"""Groups whose lines after finetuning are claims."""


def contrasts(chosen: _grid.Chosen) -> list[Contrast]:
    """All lines, group by group."""
    found: list[Contrast] = []
    for task, n in _grid.ABLATED:
        bc, sigma, ours = _grid.chosen_plans(chosen[task, _grid.N_DEMOS])
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
                GROUPS[8], f"{name}, {plan.family}", Place(task, n, plan, f"Best-of-N, {name}, N = 16"),
                Place(task, n, plan, f"Best-of-N, {_grid.USUAL}, N = 16"),
            )
            for name in _grid.CRITICS
            for plan in (bc, ours)
        ]  # fmt: skip
    stretch = _grid.stretch()
    for task in _grid.TASKS:
        _, sigma, ours = _grid.chosen_plans(chosen[task, _grid.N_DEMOS])
        for plan in (Plan("PostBC", 1.0, "held-out alpha"), ours._replace(variant="own states")):
            for other in (sigma, ours):
                label = f"{plan.variant} minus {other.family}"
                found.append(
                    Contrast(GROUPS[5], label, Place(task, _grid.N_DEMOS, plan), Place(task, _grid.N_DEMOS, other))
                )
        if task in _grid.BY_N:
            for n in _grid.FEW_AND_MANY:
                pairs = zip(_grid.chosen_plans(chosen[task, n])[1:], (sigma, ours), strict=True)
                found += [
                    Contrast(GROUPS[7], f"from {n}, {plan.family}", Place(task, n, other), Place(task, n, plan))
                    for plan, other in pairs
                    if plan != other
                ]
        if task not in _grid.SHRUNKEN:
            continue
        shrunken = Plan("PostBC", stretch * ours.strength, "shrunken alpha")
        found += [Contrast(GROUPS[6], f"from {n}", Place(task, n, shrunken), Place(task, n, ours)) for n in (5, 50)]
    return sorted(found, key=lambda one: GROUPS.index(one.group))


def compute(config: _grid.Recorded, sweep: Sweep) -> Arrays:
    """Read the recorded grid, and take the differences."""
    chosen = _grid.chosen(_grid.RESULTS, by_n=True)
    pairs = Pairs(_grid.table(config, sweep))
    lines = contrasts(chosen)
    found = comparison.stacked([pairs.differences(one.place, one.other) for one in lines], (len(lines),))
    found[[one.place.plan == one.other.plan for one in lines], 0] = np.nan  # one policy, differently finetuned
    rng = sweep.generator("ablations")
    group = np.array([one.group for one in lines])
    names = ("mean", *comparison.JUDGED, "n")
    judged: Arrays = {name: np.full(found.shape[:2], np.nan) for name in names}
    for one in GROUPS:  # adjusted within a group, before and after apart
        rows = np.flatnonzero(group == one)
        for name, values in comparison.judged_apart(found[rows], rng, (0.0, 0.0)).items():
            judged[name][rows] = values
    return {
        **judged,
        "group": group,
        "label": np.array([one.label for one in lines]),
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
                "those of the group",
            )
        )  # fmt: skip
    return [claim for claim in found if claim is not None]


def draw(arrays: Arrays) -> Figure:
    """Lines of one group below one another, marks of one task in its colour."""
    lines = list(dict.fromkeys(zip(arrays["group"].tolist(), arrays["label"].tolist(), strict=True)))
    heads = [i for i, (group, _) in enumerate(lines) if i == 0 or lines[i - 1][0] != group]
    place: dict[tuple[str, str], float] = {}
    titles: list[tuple[float, str]] = []
    y = 0.0
    for i, line in enumerate(lines):
        if i in heads:
            y -= 0.6
            titles.append((y, line[0]))
            y -= 1.0
        place[line] = y
        y -= 1.0
    height = _style.by_form(0.155, 0.19) * -y
    figure = _style.new_figure(page=0.6 + height, column=0.9 + height)
    panels = _style.new_panels(figure, 2, page=2, column=2, sharey=True)
    colours = dict(zip(_grid.TASKS, _style.OTHERS, strict=False))
    for when, (axes, title) in enumerate(zip(panels, ("before finetuning", "after finetuning"), strict=True)):
        _draw_lines(axes, arrays, place, colours, when)
        _style.panel_letter(axes, "ab"[when], f"success {title}, difference")
        axes.set_xlabel("difference of success")
        for at, name in titles if when == 0 else ():
            axes.text(0.01, at, name, transform=axes.get_yaxis_transform(), fontsize=7,
                      fontweight="bold", va="center")  # fmt: skip
    for axes in panels:
        names = [_style.by_form(label, textwrap.fill(label, 19)) for _, label in place]
        axes.set_yticks(list(place.values()), names, fontsize=_style.by_form(7.0, 6.2), linespacing=0.9)
        axes.tick_params(labelbottom=True)
    panels[0].set_ylim(y + 0.4, 0.2)
    for task, colour in colours.items():
        panels[1].plot([], [], color=colour, marker="o", ls="", label=task)
    across = _style.by_form(len(colours), 3)
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=across)
    return figure


def _draw_lines(
    axes: Axes, arrays: Arrays, place: Mapping[tuple[str, str], float], colours: Mapping[str, str], when: int
) -> None:
    limit = 0.4
    axes.axvline(0.0, color="#333333", lw=0.8)
    names = list(colours)
    for i in range(arrays["group"].size):
        task = str(arrays["task"][i])
        y = place[str(arrays["group"][i]), str(arrays["label"][i])] + 0.15 * (2 - names.index(task))
        mean, low, high = (float(arrays[name][i, when]) for name in ("mean", "low", "high"))
        axes.hlines(y, max(low, -2 * limit), min(high, 2 * limit), color=colours[task], lw=1.0)
        axes.plot(mean, y, color=colours[task], marker="o", ms=2.5, ls="")
    axes.set_xlim(-limit, limit)
    axes.grid(visible=False, axis="y")
