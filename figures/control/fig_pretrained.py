"""Success before finetuning against the number of demonstrations: BC, sigma-BC and PostBC (claim E1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.control import methods
from figures.control.families import FAMILIES
from figures.control.methods import METHODS
from figures.control.pretraining import PUBLISHED_EFFORT, QUICK_EFFORT, Effort
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Sweep
from theory.claims import Claim, Interval
from theory.statistics.probability import clopper_pearson

TITLE = "Success before finetuning"
CAPTION = (
    "Control tasks, policies cloned from n demonstrations, before any finetuning. Success rate: mean over training "
    "seeds; thick bars: 95 % Student intervals over seeds; thin bars: 95 % Clopper-Pearson intervals over all "
    "episodes, which are about these policies only. Panels 'minus BC': PostBC minus BC and sigma-BC minus BC, paired "
    "by seed (same demonstrations, start of training and episodes), with 95 % Student intervals; dotted: the margin of "
    "claim E1. Sigma-BC adds as much noise, on average over the demonstrations, as PostBC with alpha = 1, but the same "
    "amount everywhere."
)
MARGIN = 0.05
"""A policy counts as no worse than BC if its success rate is lower by at most this."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    tasks : tuple of str
    n_demos : tuple of int
    replicates : int
        Number of training seeds.
    effort : Effort
    """

    tasks: tuple[str, ...]
    n_demos: tuple[int, ...]
    replicates: int
    effort: Effort


FULL = Config(
    tasks=("reach", "corridor", "stick"), n_demos=(5, 10, 20, 50, 100), replicates=20, effort=PUBLISHED_EFFORT
)  # fmt: skip
QUICK = Config(tasks=("reach", "stick"), n_demos=(5, 20, 100), replicates=5, effort=QUICK_EFFORT)

BC, HALF, WHOLE, MATCHED = (
    METHODS.index(method) for method in (methods.BC, methods.POSTBC_HALF, methods.POSTBC, methods.MATCHED_SIGMA_BC)
)
"""Numbers of the methods in the arrays."""
DASHES = {BC: "-", HALF: ":", WHOLE: "-", MATCHED: "-"}
"""Line of each method; its colour and marker are those of its family."""


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Success of every episode, and the noise that was added."""
    cells = methods.method_cells(
        sweep, tasks=config.tasks, n_demos=config.n_demos, replicates=config.replicates, effort=config.effort
    )
    results = methods.run_methods(sweep, cells)
    shape = (len(config.tasks), len(config.n_demos), config.replicates, len(METHODS))
    added = np.stack([np.sqrt(np.mean(result["added"] ** 2, axis=1)) for result in results])
    return {
        "tasks": np.array(config.tasks),
        "n_demos": np.array(config.n_demos),
        "success": np.stack([result["success"] for result in results]).reshape(*shape, -1),
        "added": added.reshape(shape),
    }


def differences(arrays: Arrays, first: int, second: int) -> NDArray[np.float64]:
    """Success rate of one method minus another's, (tasks, n, seeds)."""
    rate = arrays["success"].mean(axis=-1)
    return np.asarray(rate[..., first] - rate[..., second])


def smallest(samples: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Interval of the smallest of several means, (n, seeds): the intervals of all hold together (Bonferroni)."""
    low, high = intervals(samples, 1 - (1 - confidence) / len(samples))
    return Interval(float(low.min()), float(high.min()))


def check(arrays: Arrays) -> Sequence[Claim]:
    """E1 task by task: no worse than BC at any n; and PostBC against noise of the same size everywhere (E0)."""
    claims = []
    for i, task in enumerate(map(str, arrays["tasks"])):
        for name, method in (("half", HALF), ("one", WHOLE)):
            gap = differences(arrays, method, BC)[i]
            where = int(arrays["n_demos"][int(np.argmin(gap.mean(axis=-1)))])
            claims.append(
                Claim(
                    id=f"pretrained-{task}-alpha-{name}", source="E1", relation=">=", interval=smallest(gap),
                    bound=-MARGIN, evidence="sampled",
                    detail=f"{task}: smallest over n of the mean paired difference in success, PostBC (alpha = "
                    f"{METHODS[method].strength:g}) minus BC, {gap.shape[1]} seeds, joint 95 % interval; least at n = "
                    f"{where}; bound: a margin of {MARGIN:g}.",
                )
            )  # fmt: skip
        gap = differences(arrays, WHOLE, MATCHED)[i].mean(axis=0)
        low, high = intervals(gap, 0.95)
        claims.append(
            Claim(
                id=f"pretrained-{task}-same-noise", source="E0", relation=">=",
                interval=Interval(float(low), float(high)), bound=0.0, evidence="sampled",
                detail=f"{task}: mean over n of the paired difference in success, PostBC (alpha = 1) minus sigma-BC "
                f"with the same noise on average, {gap.size} seeds, 95 % interval.",
            )
        )  # fmt: skip
    return claims


def draw(arrays: Arrays) -> Figure:
    """One column per task: success above, differences from BC below."""
    tasks = [str(task) for task in arrays["tasks"]]
    figure = style.new_figure(page=3.8, column=1.0 + 1.5 * len(tasks))
    panels = style.new_grid(figure, 2, len(tasks), sharex=True, ratios=style.by_form((1, 0.7), (1, 1)))
    for i, task in enumerate(tasks):
        _draw_success(panels[0, i], arrays, i)
        style.panel_letter(panels[0, i], palette.letter(i), task)
        _draw_differences(panels[1, i], arrays, i)
    style.name_axes(panels, "demonstrations n", "success rate", "success rate\nminus BC's")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=style.by_form(4, 1), columnspacing=1.2)
    return figure


def _places(arrays: Arrays, method: int) -> NDArray[np.float64]:
    return np.asarray(arrays["n_demos"] * 1.05 ** (method - (len(METHODS) - 1) / 2))


def _label(method: int) -> str:
    asked = METHODS[method]
    if asked.matched:
        return f"{asked.family}, same noise as $\\alpha$ = {asked.strength:g}"
    letter = FAMILIES[asked.family].letter
    return f"{asked.family}, ${letter}$ = {asked.strength:g}" if letter else asked.family


def _draw_success(axes: Axes, arrays: Arrays, i: int) -> None:
    for method, dashes in DASHES.items():
        name = METHODS[method].family
        success = arrays["success"][i, :, :, method]
        middle = success.mean(axis=(1, 2))
        low, high = intervals(success.mean(axis=-1), 0.95)
        exact = [clopper_pearson(int(k.sum()), k.size) for k in success]
        x, colour = _places(arrays, method), palette.colour(name)
        axes.vlines(x, low.clip(0, 1), high.clip(0, 1), color=colour, lw=2.2, alpha=0.45)
        axes.vlines(x, [e.low for e in exact], [e.high for e in exact], color=colour, lw=0.8)
        axes.plot(x, middle, color=colour, ls=dashes, marker=palette.marker(name), label=_label(method))
    axes.set(xscale="log", ylim=(-0.03, 1.03))
    _ticks(axes, arrays)


def _draw_differences(axes: Axes, arrays: Arrays, i: int) -> None:
    for method, dashes in DASHES.items():
        name = METHODS[method].family
        if method == BC:
            continue
        gap = differences(arrays, method, BC)[i]
        low, high = intervals(gap, 0.95)
        x, colour = _places(arrays, method), palette.colour(name)
        axes.vlines(x, low, high, color=colour, lw=1.2)
        axes.plot(x, gap.mean(axis=-1), color=colour, ls=dashes, marker=palette.marker(name))
    axes.axhline(0.0, color=palette.colour("BC"), lw=0.8)
    axes.axhline(-MARGIN, color="#777777", ls=":", lw=1)
    _ticks(axes, arrays)


def _ticks(axes: Axes, arrays: Arrays) -> None:
    axes.set_xticks(arrays["n_demos"], [str(n) for n in arrays["n_demos"]])
    axes.minorticks_off()
