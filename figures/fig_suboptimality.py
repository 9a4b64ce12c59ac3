"""What cloning costs: expected loss against the number of demonstrations, four policies, seven processes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures import _experiment, _style
from figures._artifacts import Arrays
from figures._experiment import FALSE_ALARM, POLICIES, Config
from figures._sweep import Sweep
from theory import suboptimality
from theory.claims import Claim, Interval

TITLE = "What cloning costs"
CAPTION = (
    "Expected loss E[J(pi_beta) - J(pi_hat)] against the number of demonstrations T, as a share of the horizon, with "
    "95 % Student intervals; R1's bound for PostBC dashed. Numbers: slope of PostBC's and the posterior's loss in the "
    "upper half of the T shown, on logarithmic axes, with 95 % intervals. Uniform noise costs the same however many "
    "demonstrations there are."
)
FULL, QUICK = _experiment.FULL, _experiment.QUICK
SHOWN = ("BC", "uniform noise", "posterior", "PostBC")


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Means, intervals and bounds of the expected loss."""
    data, built = _experiment.run(config, sweep)
    keep = [POLICIES.index(name) for name in SHOWN]
    loss = data["loss"][:, :, keep]
    low, high = _experiment.intervals(loss, 0.95)
    strict_low, strict_high = _experiment.intervals(loss, 1 - FALSE_ALARM / loss[..., 0].size)
    bound = np.empty(loss.shape[:-1])
    main = np.empty(loss.shape[:2])
    for i, instance in enumerate(built):
        H, S, A = instance.mdp.policy_shape
        w = instance.occupancy.sum(axis=2)
        for t, T in enumerate(config.n_demos):
            main[i, t] = suboptimality.main_bound(S, A, H, T)
            for k, estimator in enumerate(_experiment.estimators(instance, T)[: len(SHOWN)]):
                bound[i, t, k] = suboptimality.r1_bound(w, A, T, estimator.alpha, estimator.prior_mass)
    return {
        "instances": data["instances"],
        "policies": np.array(SHOWN),
        "n_demos": data["n_demos"],
        "horizon": np.array([instance.mdp.horizon for instance in built]),
        "demonstrator_value": np.array([instance.demonstrator_value for instance in built]),
        "optimal_value": np.array([instance.optimal_value for instance in built]),
        "loss": loss.mean(axis=-1),
        "standard_error": loss.std(axis=-1, ddof=1) / np.sqrt(loss.shape[-1]),
        "low": low,
        "high": high,
        "strict_low": strict_low,
        "strict_high": strict_high,
        "r1_bound": bound,
        "main_bound": main,
    }


def slope(arrays: Arrays, instance: int, policy: int) -> tuple[float, float]:
    """Slope of log loss against log T over the upper half of the T, and its standard error; NaN if a loss is not clear.

    Weighted least squares; the weights are the inverse variances of the logarithms.
    """
    upper = slice(arrays["n_demos"].size // 2, None)
    mean, error = arrays["loss"][instance, upper, policy], arrays["standard_error"][instance, upper, policy]
    if (mean <= 3 * error).any():
        return float("nan"), float("nan")
    x, y, weight = np.log(arrays["n_demos"][upper]), np.log(mean), (mean / np.maximum(error, 1e-12 * mean)) ** 2
    centred = x - (weight @ x) / weight.sum()
    scale = float(weight @ centred**2)
    return float(weight @ (centred * y)) / scale, scale**-0.5


def slopes(arrays: Arrays) -> NDArray[np.float64]:
    """Slope and standard error of every curve, (instances, policies, 2)."""
    n, k = arrays["loss"].shape[0], arrays["loss"].shape[2]
    return np.array([[slope(arrays, i, j) for j in range(k)] for i in range(n)])


def check(arrays: Arrays) -> Sequence[Claim]:
    """R1 and the main theorem bound the loss; PostBC's falls with T, uniform noise's stays."""
    names = [str(name) for name in arrays["instances"]]
    rounding = _experiment.ROUNDING * arrays["horizon"][:, None, None]
    furthest = np.maximum(np.abs(arrays["strict_low"]), np.abs(arrays["strict_high"]))
    two_sided = furthest / (arrays["r1_bound"] + rounding)
    postbc, uniform = SHOWN.index("PostBC"), SHOWN.index("uniform noise")
    r1, r1_at = _experiment.worst(names, two_sided)
    main, main_at = _experiment.worst(names, arrays["strict_high"][:, :, postbc] / arrays["main_bound"])
    level = f"level 1 - {FALSE_ALARM:g} for all comparisons together"
    hundred = int(np.flatnonzero(arrays["n_demos"] == 100)[0])
    fall_low, fall_high = (
        arrays[f"strict_{top}"][:, -1, postbc] / arrays[f"strict_{bottom}"][:, hundred, postbc]
        for top, bottom in (("low", "high"), ("high", "low"))
    )
    plateau = arrays["strict_low"][:, -1, uniform] / arrays["strict_high"][:, -1, postbc]
    return [
        Claim("suboptimality-r1", "R1", "<=", Interval(0.0, r1), 1.0, "sampled",
              f"Largest ratio of |expected loss| (upper end of its Student interval, {level}) to R1's bound, over "
              f"instances, T and policies; largest on {r1_at}."),
        Claim("suboptimality-main", "thm-main", "<=", Interval(0.0, max(main, 0.0)), 1.0, "sampled",
              f"Largest ratio of PostBC's expected loss (upper end, {level}) to the main theorem's bound with its "
              f"constants, the paper's alpha and lambda; largest on {main_at}."),
        Claim("suboptimality-falls", "thm-main", "<=", Interval(float(fall_low.min()), float(fall_high.max())), 0.25,
              "sampled", f"PostBC's expected loss at the largest T over that at T = 100 ({level}), smallest to largest "
              "over the instances."),
        Claim("suboptimality-uniform-stays", "B2.7", ">=", Interval(float(plateau.min()), float(plateau.max())), 1.0,
              "sampled", f"Uniform noise's loss over PostBC's at the largest T, lower end over upper end ({level}), "
              "smallest to largest over the instances; the same alpha."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One panel an instance."""
    figure = _style.new_figure(_style.PAGE, 4.0)
    panels, corner = _style.instance_panels(figure, arrays["instances"].size)
    fitted = slopes(arrays)
    for i, (axes, name) in enumerate(zip(panels, arrays["instances"], strict=True)):
        _draw_instance(axes, arrays, i)
        for k, policy in enumerate(("posterior", "PostBC")):
            value, error = fitted[i, SHOWN.index(policy)]
            if np.isfinite(value):
                axes.text(0.03, 0.13 - 0.09 * k, f"slope {value:.2f} $\\pm$ {1.96 * error:.1g}", fontsize=6,
                          color=_style.COLOURS[policy], transform=axes.transAxes)  # fmt: skip
        _style.panel_letter(axes, "abcdefg"[i], str(name))
        if i in (0, 3):
            axes.set_ylabel("expected loss / H")
        if i >= 3:
            axes.set_xlabel("demonstrations T")
    _legend(corner)
    return figure


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    T, H = arrays["n_demos"], float(arrays["horizon"][i])
    floor = max(1e-7, 0.3 * float(np.abs(arrays["loss"][i]).min()) / H)
    for k, name in enumerate(SHOWN):
        mean, low, high = (arrays[key][i, :, k] / H for key in ("loss", "low", "high"))
        colour = _style.COLOURS[name]
        shown = mean > 0
        axes.fill_between(T, np.maximum(low, floor), np.maximum(high, floor), color=colour, alpha=0.25, lw=0)
        axes.plot(T[shown], mean[shown], color=colour, marker=_style.MARKERS[name], ms=2.5)
    bound = arrays["r1_bound"][i, :, SHOWN.index("PostBC")] / H
    axes.plot(T, bound, color=_style.COLOURS["our bound"], ls="--", lw=1)
    axes.set(xscale="log", yscale="log", ylim=(floor, 1.0))


def _legend(axes: Axes) -> None:
    axes.set_axis_off()
    for name in SHOWN:
        axes.plot([], [], color=_style.COLOURS[name], marker=_style.MARKERS[name], label=name)
    axes.plot([], [], color=_style.COLOURS["our bound"], ls="--", label="bound for PostBC (R1)")
    axes.fill_between([], [], [], color="#999999", alpha=0.4, label="95 % intervals")
    axes.legend(loc="center", fontsize=7.5)
