"""What the cloned policies and the demonstrator do at chosen states, with few and with many demonstrations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from continuous.demonstrators import MEMORY, SCRIPTS, Style
from continuous.five_tasks import CORRIDOR
from figures.control import methods
from figures.control.methods import METHODS
from figures.control.pretraining import PUBLISHED_EFFORT, QUICK_EFFORT, Effort
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from theory.claims import Claim
from theory.statistics.probability import mean_interval

FloatArray = NDArray[np.float64]

TITLE = "What the policies do, state by state"
CAPTION = (
    "Corridor task: the region that contains 80 % of the actions (forward and sideways, first of a chunk) of the "
    "demonstrator and of policies cloned from n demonstrations (one data set), at the entrance of the lane, where "
    "every demonstration passes, and on the way to a gate at a common and at a rare height. Sigma-BC adds as much "
    "noise, on average over the demonstrations, as PostBC with alpha = 1. g-i: standard deviation of an action's "
    "entries, geometric mean over data sets with 95 % Student intervals."
)
PLACES = ("lane", "common gate", "rare gate")
STATES = np.array([[-0.25, 0.0, 0.0], [0.06, 0.04, 0.2], [0.2, 0.18, 0.7]])
"""x, y and the gate's height; all where the demonstrator passes."""
LANE, COMMON, RARE = range(3)
SHOWN = (methods.BC, methods.MATCHED_SIGMA_BC, methods.POSTBC)
NAMES = tuple(method.family for method in SHOWN)
INSIDE = 0.8
"""Share of the actions in the regions that are drawn."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    n_demos : tuple of int
        Few and many.
    replicates : int
        Number of data sets.
    effort : Effort
    n_draws : int
        Actions drawn at each state.
    """

    n_demos: tuple[int, int]
    replicates: int
    effort: Effort
    n_draws: int


FULL = Config(n_demos=(5, 100), replicates=20, effort=PUBLISHED_EFFORT, n_draws=1000)
QUICK = Config(n_demos=(5, 100), replicates=5, effort=QUICK_EFFORT, n_draws=500)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Actions drawn at the chosen states."""
    cells = methods.method_cells(
        sweep, tasks=("corridor",), n_demos=config.n_demos, replicates=config.replicates, effort=config.effort
    )
    results = methods.run_methods(sweep, cells)
    rng = sweep.generator("action-density")
    states = np.repeat(STATES, config.n_draws, axis=0)
    actions = [
        methods.policy(result, METHODS.index(method)).act(states, rng)[:, 0].reshape(len(STATES), config.n_draws, 2)
        for result in results
        for method in SHOWN
    ]
    shape = (len(config.n_demos), config.replicates, len(SHOWN), len(STATES), config.n_draws, 2)
    return {
        "n_demos": np.array(config.n_demos),
        "actions": np.stack(actions).reshape(shape),
        "demonstrator": demonstrator(config.n_draws, rng),
    }


def demonstrator(n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Actions of the scripted demonstrator at the chosen states, (states, draws, 2), with paces and lasting noise."""
    script, n = SCRIPTS["corridor"], len(STATES) * n_draws
    states = np.zeros((n, CORRIDOR.state_dim))
    states[:, 2:] = np.repeat(STATES, n_draws, axis=0)
    manner = Style(speed=rng.uniform(0.85, 1.15, n), side=np.ones(n))
    noise = script.noise / np.sqrt(1 - MEMORY**2) * rng.standard_normal((n, 2))
    actions: FloatArray = np.clip(script.plan(states, manner) + noise, -1.0, 1.0)
    return actions.reshape(len(STATES), n_draws, 2)


def deviations(arrays: Arrays) -> FloatArray:
    """Root mean square deviation of an action's entries, (n, replicates, methods, states)."""
    return np.asarray(np.sqrt(arrays["actions"].var(axis=-2).mean(axis=-1)))


def check(arrays: Arrays) -> Sequence[Claim]:
    """E4 in the policies themselves, as logarithms of ratios of deviations."""
    few, many = (int(n) for n in arrays["n_demos"])
    logs = np.log(np.maximum(deviations(arrays), 1e-9))
    sigma, post = NAMES.index("sigma-BC"), NAMES.index("PostBC")
    level = f"95 % interval over {logs.shape[1]} data sets"
    same = "logarithm of the deviation of PostBC's actions over that of sigma-BC with the same noise on average"
    return [
        Claim(id="action-density-narrow-in-the-lane", source="E4", relation="<=",
              interval=mean_interval(logs[0, :, post, LANE] - logs[0, :, sigma, LANE]), bound=0.0, evidence="sampled",
              detail=f"In the lane, n = {few}: {same}; {level}."),
        Claim(id="action-density-wide-where-rare", source="E4", relation=">=",
              interval=mean_interval(logs[0, :, post, RARE] - logs[0, :, sigma, RARE]), bound=0.0, evidence="sampled",
              detail=f"On the way to a rare gate, n = {few}: {same}; {level}."),
        Claim(id="action-density-narrows", source="E4", relation=">=",
              interval=mean_interval(logs[0, :, post, RARE] - logs[1, :, post, RARE]), bound=0.0, evidence="sampled",
              detail=f"On the way to a rare gate: logarithm of the deviation of PostBC's actions with {few} "
              f"demonstrations over that with {many}; {level}."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One column per state: few demonstrations, many, and the deviations."""
    figure = style.new_figure(page=5.6, column=7.2)
    upper, lower = style.new_parts(figure, style.by_form((2.1, 0.9), (3.2, 1.25)))
    regions = style.new_grid(upper, 2, len(PLACES), sharey=True)
    below = style.new_panels(lower, len(PLACES), page=len(PLACES), column=len(PLACES), sharey=True)
    for k, name in enumerate(PLACES):
        for i, n in enumerate(arrays["n_demos"]):
            _draw_regions(regions[i, k], arrays, i, k)
            style.panel_letter(regions[i, k], palette.letter(len(PLACES) * i + k), f"{name}, n = {n}")
        _draw_deviations(below[k], arrays, k)
        style.panel_letter(below[k], palette.letter(2 * len(PLACES) + k), name)
    style.name_axes(regions.ravel(), "forward action (action units)", "sideways action\n(action units)")
    style.name_axes(below, "demonstrations n", "deviation\n(action units)")
    below[0].set_ylim(bottom=0)
    handles, labels = below[0].get_legend_handles_labels()
    (line,) = regions[0, 0].plot([], [], color=palette.colour("demonstrator"), lw=3, alpha=0.5)
    figure.legend([*handles, line], [*labels, "demonstrator"], loc="outside upper center", ncols=style.by_form(4, 2))
    return figure


def region(actions: FloatArray, bins: int = 80) -> tuple[FloatArray, FloatArray, float]:
    """Centres of the bins, smoothed density (sideways, forward), and its level that holds `INSIDE` of the actions."""
    edges = np.linspace(-1.3, 1.3, bins + 1)
    density = gaussian_filter(np.histogram2d(actions[:, 1], actions[:, 0], bins=[edges, edges])[0], 1.3)
    ordered = np.sort(density.ravel())[::-1]
    level = float(ordered[int(np.searchsorted(np.cumsum(ordered), INSIDE * ordered.sum()))])
    return (edges[1:] + edges[:-1]) / 2, density, level


def _draw_regions(axes: Axes, arrays: Arrays, i: int, k: int) -> None:
    centres, density, level = region(arrays["demonstrator"][k])
    colour = palette.colour("demonstrator")
    axes.contourf(centres, centres, density, levels=[level, density.max() + 1], colors=[colour], alpha=0.3)
    for m, name in enumerate(NAMES):
        centres, density, level = region(arrays["actions"][i, 0, m, k])
        axes.contour(centres, centres, density, levels=[level], colors=[palette.colour(name)], linewidths=1.3)
    axes.set(xlim=(0, 1.2), ylim=(-0.8, 1.2), xticks=[0, 0.5, 1], yticks=[-0.5, 0, 0.5, 1])


def _draw_deviations(axes: Axes, arrays: Arrays, k: int) -> None:
    logs = np.log(np.maximum(deviations(arrays), 1e-9))
    for m, name in enumerate(NAMES):
        intervals = [mean_interval(row) for row in logs[:, :, m, k]]
        x = np.arange(2) + 0.06 * (m - 1)
        axes.vlines(x, [np.exp(i.low) for i in intervals], [np.exp(i.high) for i in intervals],
                    color=palette.colour(name), lw=1.2)  # fmt: skip
        axes.plot(x, np.exp(logs[:, :, m, k].mean(axis=1)), color=palette.colour(name), marker=palette.marker(name),
                  label=name)  # fmt: skip
    axes.set(xticks=[0, 1], xticklabels=[str(n) for n in arrays["n_demos"]], xlim=(-0.3, 1.3))
