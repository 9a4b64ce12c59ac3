"""How much of the demonstrator is covered: gamma at confidence 0.9 against the number of demonstrations."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.exact import cloning_experiment
from figures.exact.cloning_experiment import FALSE_ALARM, JUDGED, ROUNDING, Config, positions
from figures.exact.estimators import DELTA, ESTIMATORS, paper_member
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Sweep
from tabular.exact_coverage import seen_probability
from tabular.instances import Instance
from theory.bounds import b3_coverage as coverage_theory
from theory.claims import Claim, Interval
from theory.statistics.probability import clopper_pearson

TITLE = "How much of the demonstrator is covered"
SECTION = "r3"
CAPTION = (
    "Coverage gamma that a policy reaches with probability 0.9, over the states that the demonstrator visits, against "
    "the number of demonstrations T, with 95 % distribution-free intervals; R3's guarantee for PostBC with lambda = "
    "L'/2, over all states, dashed. BC covers nothing (0) as long as any action of a visited state is unrecorded. All "
    "noise has the paper's alpha; more noise covers more, and costs more return (see fig_suboptimality)."
)
FULL, QUICK = cloning_experiment.FULL, cloning_experiment.QUICK
FLOOR = 1e-4
"""Where a coverage of 0 is drawn on the logarithmic axis."""


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Quantiles of the coverage, their intervals, the guarantees, and BC's chance to cover at all."""
    data, built = cloning_experiment.run(config, sweep)
    gamma = data["coverage"]
    low, high = intervals(gamma, 0.95, DELTA)
    shape = gamma.shape[:2]
    r3, lemma, bc_chance = np.empty((*shape, len(ESTIMATORS))), np.empty(shape), np.empty(shape)
    for i, instance in enumerate(built):
        H, S, A = instance.mdp.policy_shape
        for t, T in enumerate(config.n_demos):
            r3[i, t] = [entry.least_coverage(instance, T) for entry in ESTIMATORS.values()]
            paper = paper_member(instance, T)
            lemma[i, t] = coverage_theory.lemma1_bound(1.0, paper.alpha, paper.prior_mass, S, A, H, DELTA)
            bc_chance[i, t] = bc_coverage_chance(instance, T)
    postbc, bc = positions(data, ("PostBC", "BC"))
    return {
        "instances": data["instances"],
        "policies": data["policies"],
        "n_demos": data["n_demos"],
        "gamma": cloning_experiment.lower_quantile(gamma, DELTA),
        "low": low,
        "high": high,
        "replicates": np.array(gamma.shape[-1]),
        "r3": r3,
        "r3_kept": (gamma >= r3[..., None] * (1 - ROUNDING)).sum(axis=-1),
        "lemma_kept": (gamma[:, :, postbc] >= lemma[..., None] * (1 - ROUNDING)).sum(axis=-1),
        "bc_chance": bc_chance,
        "bc_covered": (gamma[:, :, bc] > 0).sum(axis=-1),
    }


def bc_coverage_chance(instance: Instance, n_demos: int) -> float:
    """Exact upper bound on P[BC covers at all]: the probability that the least likely (h, s) is covered."""
    rows = {
        (float(w), row.tobytes()): row
        for w, row in zip(
            instance.occupancy.sum(axis=2)[instance.reachable], instance.demonstrator[instance.reachable], strict=True
        )
    }
    return min(seen_probability(n_demos, min(1.0, w), row) for (w, _), row in rows.items())


def check(arrays: Arrays) -> Sequence[Claim]:
    """R3 and the corrected Lemma 1 guarantee less than is measured; BC rarely covers at all."""
    names = [str(name) for name in arrays["instances"]]
    trials, judged = int(arrays["replicates"]), positions(arrays, JUDGED)
    level = f"Clopper-Pearson, false alarm {FALSE_ALARM:g} for all together"
    bounded = [k for k in judged if arrays["r3"][..., k].max() > 0]
    r3, r3_at = _least_share(names, arrays["r3_kept"][..., bounded], trials)
    lemma, lemma_at = _least_share(names, arrays["lemma_kept"], trials)
    confidence = 1 - FALSE_ALARM / arrays["bc_covered"].size
    chances = [clopper_pearson(int(k), trials, confidence).low for k in arrays["bc_covered"].ravel()]
    margin = float((arrays["bc_chance"].ravel() - chances).min())
    few = arrays["n_demos"] <= 100
    return [
        Claim(id="coverage-r3", source="R3", relation=">=", interval=r3, bound=1 - DELTA, evidence="sampled",
              detail="Smallest probability that a policy with noise covers what R3 guarantees with probability "
              f"{1 - DELTA:g}, over instances, T and policies ({level}); smallest on {r3_at}."),
        Claim(id="coverage-lemma", source="lemma-coverage", relation=">=", interval=lemma, bound=1 - DELTA,
              evidence="sampled",
              detail=f"The same for the corrected Lemma 1 and PostBC with the paper's alpha and lambda ({level}); "
              f"smallest on {lemma_at}."),
        Claim(id="coverage-bc-few", source="companion", relation="<=",
              interval=Interval.point(float(arrays["bc_chance"][:, few].max())), bound=1 - DELTA, evidence="exact",
              detail="Largest upper bound on P[BC covers at all] over the instances, T up to 100."),
        Claim(id="coverage-bc-chance", source="companion", relation=">=", interval=Interval.point(margin), bound=0.0,
              evidence="sampled",
              detail="Smallest distance of the exact upper bound on P[BC covers at all] from the lower end of the "
              f"sampled share, over instances and T ({level})."),
    ]  # fmt: skip


def _least_share(names: Sequence[str], kept: NDArray[np.int64], trials: int) -> tuple[Interval, str]:
    """Interval of the smallest share, simultaneous over all, and the name of its position along the first axis."""
    least, where = cloning_experiment.largest(names, -kept.astype(np.float64))
    return clopper_pearson(round(-least), trials, 1 - FALSE_ALARM / kept.size), where


def draw(arrays: Arrays) -> Figure:
    """One panel for each instance."""
    ylabel = f"$\\gamma$ covered with probability {1 - DELTA:g}"
    figure, panels, corner = style.new_instances(arrays["instances"].size, column=1.65, ylabel=ylabel, sharey=True)
    for i, (axes, name) in enumerate(zip(panels, arrays["instances"], strict=True)):
        _draw_instance(axes, arrays, i)
        style.panel_letter(axes, palette.letter(i), str(name))
    panels[0].set_yticks([FLOOR, 1e-3, 1e-2, 1e-1, 1.0], ["0", "0.001", "0.01", "0.1", "1"])
    _legend(corner, arrays)
    return figure


def _shown(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(values, FLOOR, 1.0)


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    T = arrays["n_demos"]
    for k, name in enumerate(arrays["policies"].tolist()):
        colour = palette.colour(name)
        low, high = _shown(arrays["low"][i, :, k]), _shown(arrays["high"][i, :, k])
        axes.fill_between(T, low, high, color=colour, alpha=0.25, lw=0)
        gamma = arrays["gamma"][i, :, k]
        for part in (gamma > 0, gamma == 0):  # no line from zero to a positive coverage
            shown = np.where(part, _shown(gamma), np.nan)
            axes.plot(T, shown, color=colour, marker=palette.marker(name), ms=2.5, clip_on=False)
    (log_choice,) = positions(arrays, ["PostBC, lambda = L'/2"])
    axes.plot(T, arrays["r3"][i, :, log_choice], color=palette.colour("our bound"), ls="--", lw=1)
    axes.set(xscale="log", yscale="log", ylim=(FLOOR, 1.0))
    axes.minorticks_off()


def _legend(axes: Axes, arrays: Arrays) -> None:
    axes.set_axis_off()
    for name in arrays["policies"].tolist():
        axes.plot([], [], color=palette.colour(name), marker=palette.marker(name), label=palette.label(name))
    axes.plot([], [], color=palette.colour("our bound"), ls="--", label="guarantee, $\\lambda = L'/2$ (R3)")
    style.name_intervals(axes)
    axes.legend(loc="center", fontsize=7.5)
