"""What cloning costs: expected loss of each estimator against the number of demonstrations, seven processes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from figures.exact import cloning_experiment
from figures.exact.cloning_experiment import FALSE_ALARM, JUDGED, Config, positions
from figures.exact.estimators import ESTIMATORS
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Cell, Sweep
from theory.bounds.b3_suboptimality import main_bound
from theory.claims import Claim, Interval

TITLE = "What cloning costs"
SECTION = "thm-main"
ALSO = ("lemma-suboptimality",)
CAPTION = (
    "Expected loss E[J(pi_beta) - J(pi_hat)] against the number of demonstrations T, as a share of the horizon, with "
    "nominal 95 % Student intervals; R1's bound for PostBC dashed. A point is shown where the mean loss is positive "
    "and at least 30 data sets contribute to it: data sets on which BC loses anything soon become too rare to sample. "
    "On DeepSea it is negative, because the uniform policy in unseen states beats the demonstrator there. Numbers: "
    "slope between the last two T on logarithmic axes, with half the width of its 95 % normal interval (at least "
    "0.001). All noise has the paper's alpha. The loss from uniform noise does not vanish as T grows; the losses of "
    "the posterior and of PostBC do; BC's is the smallest."
)
FULL, QUICK = cloning_experiment.FULL, cloning_experiment.QUICK
NUMBERED = ("uniform noise", "posterior", "PostBC")
"""Estimators whose slope is printed in the panels."""
ENOUGH = 30
"""Fewest data sets whose loss differs from the control variate, for Student's interval to be used."""


@dataclass(frozen=True, kw_only=True)
class BoundCell:
    """Instance (with the seed of random ones) and T for which bounds are computed."""

    instance: str
    instance_seed: int
    n_demos: int


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Means, intervals and bounds of the expected loss."""
    data, built = cloning_experiment.run(config, sweep)
    loss = data["loss"]
    low, high = intervals(loss, 0.95)
    n_compared = len(config.instances) * len(config.n_demos) * len(JUDGED)
    strict_low, strict_high = intervals(loss, 1 - FALSE_ALARM / n_compared)
    seed = cloning_experiment.instance_seed(sweep)
    cells = [
        BoundCell(instance=name, instance_seed=seed, n_demos=T) for name in config.instances for T in config.n_demos
    ]
    bounds = sweep.run("loss-bounds", loss_bounds, [asdict(cell) for cell in cells])
    bound = np.stack([b["r1"] for b in bounds]).reshape(loss.shape[:-1])
    main = np.stack([b["main"] for b in bounds]).reshape(loss.shape[:2])
    return {
        "instances": data["instances"],
        "policies": data["policies"],
        "n_demos": data["n_demos"],
        "horizon": np.array([instance.mdp.horizon for instance in built]),
        "demonstrator_value": np.array([instance.demonstrator_value for instance in built]),
        "optimal_value": np.array([instance.optimal_value for instance in built]),
        "loss": loss.mean(axis=-1),
        "standard_error": loss.std(axis=-1, ddof=1) / np.sqrt(loss.shape[-1]),
        "low": low,
        "high": high,
        "judged": data["informative"] >= ENOUGH,
        "strict_low": strict_low,
        "strict_high": strict_high,
        "r1_bound": bound,
        "main_bound": main,
    }


def loss_bounds(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Bound of each estimator (R1's; infinity where there is none) and the main theorem's for PostBC; not random."""
    task = BoundCell(**cell)
    instance, T = cloning_experiment.build(task.instance, task.instance_seed), task.n_demos
    H, S, A = instance.mdp.policy_shape
    r1 = [entry.largest_loss(instance, T) for entry in ESTIMATORS.values()]
    return {"r1": np.array(r1), "main": np.array(main_bound(S, A, H, T))}


def slope(arrays: Arrays, instance: int, estimator: int) -> tuple[float, float]:
    """Slope of log loss against log T between the last two T, and its standard error.

    Both are NaN where a loss is within three standard errors of 0, or comes from too few data sets.
    """
    mean, error = arrays["loss"][instance, -2:, estimator], arrays["standard_error"][instance, -2:, estimator]
    if (mean <= 3 * error).any() or not arrays["judged"][instance, -2:, estimator].all():
        return float("nan"), float("nan")
    run = float(np.diff(np.log(arrays["n_demos"][-2:]))[0])
    return float(np.diff(np.log(mean))[0]) / run, float(np.linalg.norm(error / mean)) / run


def slopes(arrays: Arrays) -> NDArray[np.float64]:
    """Slope and standard error of every curve, (instances, estimators, 2)."""
    n_instances, _, n_estimators = arrays["loss"].shape
    return np.array([[slope(arrays, i, k) for k in range(n_estimators)] for i in range(n_instances)])


def check(arrays: Arrays) -> Sequence[Claim]:
    """R1 and the main theorem bound the loss; PostBC's falls with T, uniform noise's stays."""
    names = [str(name) for name in arrays["instances"]]
    postbc, uniform = positions(arrays, ("PostBC", "uniform noise"))
    low, high = arrays["strict_low"], arrays["strict_high"]
    compared = np.s_[:, :, positions(arrays, JUDGED)]
    rounding = cloning_experiment.ROUNDING * arrays["horizon"][:, None, None]
    size_low, size_high = np.maximum(0.0, np.maximum(low, -high)), np.maximum(np.abs(low), np.abs(high))
    r1 = [
        np.where(arrays["judged"][compared], size[compared] / (arrays["r1_bound"][compared] + rounding), 0.0)
        for size in (size_low, size_high)
    ]
    main = [end[:, :, postbc] / arrays["main_bound"] for end in (low, high)]
    hundred = int(np.flatnonzero(arrays["n_demos"] == 100)[0])
    falls = _ratio(low[:, -1, postbc], high[:, -1, postbc], low[:, hundred, postbc], high[:, hundred, postbc])
    stays = _ratio(low[:, -1, uniform], high[:, -1, uniform], low[:, -1, postbc], high[:, -1, postbc])
    level = f"Student, nominal level 1 - {FALSE_ALARM:g} for all comparisons together"
    return [
        Claim(id="suboptimality-r1", source="R1", relation="<=", interval=_largest(*r1), bound=1.0, evidence="sampled",
              detail="Largest ratio of |expected loss| to R1's bound, over instances, T and policies for which the "
              f"loss differs from its control variate in at least {ENOUGH} data sets ({level}); largest on "
              f"{cloning_experiment.largest(names, r1[1])[1]}."),
        Claim(id="suboptimality-main", source="thm-main", relation="<=", interval=_largest(*main), bound=1.0,
              evidence="sampled",
              detail="Largest ratio of PostBC's expected loss to the main theorem's bound with its constants, the "
              f"paper's alpha and lambda ({level}); largest on {cloning_experiment.largest(names, main[1])[1]}."),
        Claim(id="suboptimality-falls", source="companion", relation="<=", interval=_largest(*falls), bound=0.25,
              evidence="sampled",
              detail=f"Largest ratio, over the instances, of PostBC's expected loss at T = "
              f"{int(arrays['n_demos'][-1])} to that at T = 100 ({level})."),
        Claim(id="suboptimality-uniform-stays", source="companion", relation=">=", interval=_smallest(*stays),
              bound=2.0, evidence="sampled",
              detail="Smallest ratio, over the instances, of uniform noise's expected loss to PostBC's at T = "
              f"{int(arrays['n_demos'][-1])}, same alpha ({level})."),
    ]  # fmt: skip


def _ratio(
    top_low: NDArray[np.float64],
    top_high: NDArray[np.float64],
    bottom_low: NDArray[np.float64],
    bottom_high: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of a ratio from the ends of numerator and denominator; infinite where the denominator may be 0."""
    positive = bottom_low > 0
    low = np.where(positive, top_low / np.where(top_low > 0, bottom_high, np.where(positive, bottom_low, 1.0)), -np.inf)
    return low, np.where(positive, top_high / np.where(positive, bottom_low, 1.0), np.inf)


def _largest(low: NDArray[np.float64], high: NDArray[np.float64]) -> Interval:
    return Interval(float(low.max()), float(high.max()))


def _smallest(low: NDArray[np.float64], high: NDArray[np.float64]) -> Interval:
    return Interval(float(low.min()), float(high.min()))


def draw(arrays: Arrays) -> Figure:
    """One panel for each instance."""
    ylabel = "expected loss (share of H)"
    figure, panels, corner = style.new_instances(arrays["instances"].size, column=1.9, ylabel=ylabel)
    fitted = slopes(arrays)
    for i, (axes, name) in enumerate(zip(panels, arrays["instances"], strict=True)):
        _draw_instance(axes, arrays, i)
        for k, estimator in enumerate(NUMBERED):
            value, error = fitted[i, positions(arrays, [estimator])[0]]
            if np.isfinite(value):
                axes.text(0.03, 0.22 - 0.09 * k, f"${value:.2f} \\pm {max(0.001, 1.96 * error):.1g}$", fontsize=6.5,
                          color=palette.colour(estimator), transform=axes.transAxes,
                          path_effects=[withStroke(linewidth=2, foreground="white")])  # fmt: skip
        style.panel_letter(axes, palette.letter(i), str(name))
    _legend(corner, arrays)
    return figure


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    T, H = arrays["n_demos"], float(arrays["horizon"][i])
    visible = arrays["judged"][i] & (arrays["loss"][i] > 0)
    floor = max(1e-6, 0.1 * float(arrays["loss"][i][visible].min()) / H)
    for k, name in enumerate(arrays["policies"].tolist()):
        mean, low, high = (np.where(visible[:, k], arrays[key][i, :, k] / H, np.nan) for key in ("loss", "low", "high"))
        colour = palette.colour(name)
        axes.fill_between(T, np.maximum(low, floor), np.maximum(high, floor), color=colour, alpha=0.25, lw=0)
        axes.plot(T, mean, color=colour, marker=palette.marker(name), ms=2.5)
    (postbc,) = positions(arrays, ["PostBC"])
    bound = arrays["r1_bound"][i, :, postbc] / H
    axes.plot(T, bound, color=palette.colour("our bound"), ls="--", lw=1)
    axes.set(xscale="log", yscale="log", ylim=(floor, 1.0))


def _legend(axes: Axes, arrays: Arrays) -> None:
    axes.set_axis_off()
    for name in arrays["policies"].tolist():
        axes.plot([], [], color=palette.colour(name), marker=palette.marker(name), label=palette.label(name))
    axes.plot([], [], color=palette.colour("our bound"), ls="--", label="bound for PostBC (R1)")
    style.name_intervals(axes)
    axes.plot([], [], " ", label="numbers: slope at the end")
    axes.legend(loc="center", fontsize=7.5)
