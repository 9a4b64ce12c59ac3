"""Coverage profiles of steps and of whole trajectories, and how many rollouts until a success: bounds and truth."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.exact import cloning_experiment
from figures.exact.cloning_experiment import FALSE_ALARM, ROUNDING
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Cell, Sweep
from tabular import dp, profile
from tabular.demonstrations import sample_counts, sample_demonstrations
from tabular.instances import Instance, chain_lock, funnel, grid
from theory.bounds.r6_trajectory import profile_bound, sufficient_rollouts
from theory.claims import Claim, Interval
from theory.statistics.probability import clopper_pearson, quantile_interval

TITLE = "Coverage profiles and Best-of-N"
SECTION = "r6"
CAPTION = (
    "Top: probability, under the demonstrator, that its probability of a step is M times the cloned policy's or more, "
    "mean over data sets of T = 30 demonstrations (bands: 95 % Student intervals). Middle: the same for whole "
    "trajectories (95 % Clopper-Pearson intervals, one trajectory a data set). BC's curves end flat: that share it "
    "never plays. Bottom: rollouts of which one succeeds with probability 0.9, as Best-of-N over trajectories needs "
    "them; exact for each data set; the number that suffices for 90 % of the data sets (bands: 95 % distribution-free "
    "intervals; at the upper edge: infinitely many), with two bounds for the posterior: R6.4, from the exact "
    "divergence, and from the profile. In (h) and (i) success takes what the demonstrator usually does, and BC has "
    "that; in (g) it takes what the demonstrator does rarely."
)
INSTANCES: dict[str, Callable[[], Instance]] = {
    "unskilled lock": lambda: chain_lock(3, 4, 0.3),
    "grid": lambda: grid(5, 20),
    "funnel": lambda: funnel(20, 10, 4),
}
"""Where the return is the probability of one event, which is called success."""
POLICIES = ("BC", "uniform noise", "posterior", "PostBC")
DELTA = 0.1
"""Allowed probability that no rollout succeeds, and share of the data sets that may need more rollouts."""
PROFILE_DEMOS = 30
THRESHOLDS = np.concatenate([[1.0], np.geomspace(1.01, 1e12, 60)])
FLOOR = 1e-4
"""Least probability that is drawn."""
MOST = 1e9
"""Largest number of rollouts that is drawn."""
EXACT_UP_TO = 4
"""Longest horizon of which the profile of a data set's policy is computed exactly; of longer ones it is sampled."""
BASES = ("true number", "R6.4", "profile")


@dataclass(frozen=True)
class Config:
    """Settings: numbers of demonstrations; data sets for profiles and for rollouts; trajectories for one of those."""

    n_demos: tuple[int, ...]
    profile_replicates: int
    replicates: int
    n_trajectories: int
    instances: tuple[str, ...] = tuple(INSTANCES)


FULL = Config(tuple(round(10 ** (1 + k / 4)) for k in range(13)), 10_000, 400, 10_000)
QUICK = Config((10, 32, 100, 316, 1000), 500, 40, 1000)


@cache
def build(name: str) -> Instance:
    """Instance of the figure, built once."""
    return INSTANCES[name]()


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Profiles at one T, and rollouts at every T."""
    names = config.instances
    profiles = sweep.run(
        "profiles", profiles_of, [{"instance": n, "replicates": config.profile_replicates} for n in names]
    )
    cells = [
        {
            "instance": name,
            "n_demos": T,
            "replicates": config.replicates,
            "n_trajectories": config.n_trajectories,
            "level": FALSE_ALARM / (len(names) * len(config.n_demos)),
        }
        for name in names
        for T in config.n_demos
    ]
    rollouts = sweep.run("rollouts-until-success", rollouts_of, cells)
    shape = (len(names), len(config.n_demos))
    return {
        "instances": np.array(names),
        "n_demos": np.array(config.n_demos),
        "thresholds": THRESHOLDS,
        **{key: np.stack([r[key] for r in profiles]) for key in profiles[0]},
        **{key: np.stack([r[key] for r in rollouts]).reshape(*shape, *rollouts[0][key].shape) for key in rollouts[0]},
    }


def profiles_of(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Step profiles, exact for each data set; beside each a trajectory of the demonstrator, for those of trajectories.

    `step`, (policies, thresholds, 3): mean and ends of its interval; `above`, (policies, thresholds): how many of the
    `sampled` trajectories have at least that ratio.
    """
    instance = build(cell["instance"])
    mdp, pi_beta = instance.mdp, instance.demonstrator
    members = cloning_experiment.estimators(instance, PROFILE_DEMOS)[: len(POLICIES)]
    steps = np.empty((len(POLICIES), THRESHOLDS.size, cell["replicates"]))
    above = np.zeros((len(POLICIES), THRESHOLDS.size), np.int64)
    for r in range(cell["replicates"]):
        counts = sample_counts(mdp, pi_beta, PROFILE_DEMOS, rng)
        trajectory = sample_demonstrations(mdp, pi_beta, 1, rng)
        for i, member in enumerate(members):
            policy = member.policy(counts)
            steps[i, :, r] = profile.step_profile(mdp, pi_beta, policy, THRESHOLDS)
            above[i] += profile.log_ratios(pi_beta, policy, trajectory) >= np.log(THRESHOLDS) - 10 * profile.MERGED
    low, high = intervals(steps, 0.95)
    return {"step": np.stack([steps.mean(axis=-1), low, high], axis=-1), "above": above,
            "sampled": np.array(cell["replicates"])}  # fmt: skip


def rollouts_of(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Rollouts until a success, on each data set: the true number and both bounds.

    `rollouts`, (policies, 3, replicates), in the order of `BASES`; `kl_excess`, (policies, replicates): largest ratio
    of the profile (low end) to its bound from the divergence; `success`: the demonstrator's.
    """
    instance, T = build(cell["instance"]), cell["n_demos"]
    mdp, pi_beta, p = instance.mdp, instance.demonstrator, instance.demonstrator_value
    members = cloning_experiment.estimators(instance, T)[: len(POLICIES)]
    rollouts = np.empty((len(POLICIES), len(BASES), cell["replicates"]))
    kl_excess = np.zeros((len(POLICIES), cell["replicates"]))
    confidence = 1 - cell["level"] / (rollouts.size / len(BASES) * THRESHOLDS.size)
    for r in range(cell["replicates"]):
        counts = sample_counts(mdp, pi_beta, T, rng)
        trajectories = sample_demonstrations(mdp, pi_beta, cell["n_trajectories"], rng)
        for i, member in enumerate(members):
            policy = member.policy(counts)
            if mdp.horizon <= EXACT_UP_TO:
                low = high = profile.trajectory_profile(mdp, pi_beta, policy, THRESHOLDS)
            else:
                ratios = profile.log_ratios(pi_beta, policy, trajectories)
                low, high = profile.profile_interval(ratios, THRESHOLDS, confidence)
            kl = profile.trajectory_kl(mdp, pi_beta, policy)
            rollouts[i, :, r] = (
                profile.rollouts_needed(min(1.0, dp.expected_return(mdp, policy)), DELTA),
                sufficient_rollouts(kl, p, DELTA),
                profile.rollouts_from_profile(THRESHOLDS, high, p, DELTA),
            )
            if math.isfinite(kl):
                kl_excess[i, r] = (low[1:] / profile_bound(kl, THRESHOLDS[1:])).max()
    return {"rollouts": rollouts, "kl_excess": kl_excess, "success": np.array(p)}


def check(arrays: Arrays) -> Sequence[Claim]:
    """Both bounds hold for every data set; BC's profile ends flat, the others' end."""
    rollouts, posterior = arrays["rollouts"], POLICIES.index("posterior")
    true, bounds = rollouts[:, :, :, [0]], rollouts[:, :, :, 1:]
    said = np.isfinite(bounds)
    ratios = np.divide(true, bounds, out=np.zeros(bounds.shape), where=said)
    low = tail(arrays)
    others = [i for i, name in enumerate(POLICIES) if name != "BC"]
    better = np.median(rollouts[:, :, posterior, 1] / rollouts[:, :, posterior, 2], axis=-1)
    level = f"Clopper-Pearson, false alarm {FALSE_ALARM:g} for all together"
    return [
        Claim("profile-r64", "R6.4", "<=", Interval.point(float(ratios[:, :, :, 0].max())), 1 + ROUNDING, "exact",
              "Largest ratio of the true number of rollouts until a success to R6.4's bound, over policies, data sets, "
              "instances and T; where the bound is infinite, as for BC, it counts as 0."),
        Claim("profile-rollouts", "R6.4", "<=", Interval.point(float(ratios[:, :, :, 1].max())), 1 + ROUNDING,
              "sampled", f"The same ratio to the bound from the profile of trajectories (its high end; {level})."),
        Claim("profile-divergence", "arXiv:2510.15020", "<=", Interval.point(float(arrays["kl_excess"].max())), 1.0,
              "sampled", "Largest ratio of the profile of trajectories (low end) to its bound from the divergence, "
              f"KL/(log M + 1/M - 1), over M, policies, data sets, instances and T ({level})."),
        Claim("profile-tighter", "R6.4", ">=", Interval.point(float(better.max())), 10.0, "sampled",
              "Largest ratio, over instances and T, of R6.4's bound to that from the profile, for the posterior "
              f"(median over data sets). The smallest is {better.min():.2g}: neither is always the better."),
        Claim("profile-bc-flat", "B1.2", ">=", Interval.point(float(low[:, 0].min())), 0.005, "sampled",
              f"Probability that a trajectory of the demonstrator is {THRESHOLDS[-1]:g} times likelier than under BC, "
              f"T = {PROFILE_DEMOS}; the smallest over instances (low end, {level})."),
        Claim("profile-others-end", "companion", "<=", Interval.point(float(arrays["step"][:, others, -1, 0].max())),
              0.0, "exact", "Probability that a step is so much likelier than under a policy with noise, over all data "
              "sets, instances and policies."),
    ]  # fmt: skip


def tail(arrays: Arrays) -> NDArray[np.float64]:
    """Low end for the profile of trajectories at the largest threshold, (instances, policies)."""
    counts, sampled = arrays["above"][..., -1], arrays["sampled"]
    level = 1 - FALSE_ALARM / counts.size
    return np.array(
        [[clopper_pearson(int(k), int(n), level).low for k in row] for row, n in zip(counts, sampled, strict=True)]
    )


def draw(arrays: Arrays) -> Figure:
    """One column an instance: profile of steps, of trajectories, rollouts."""
    figure = style.new_figure(page=6.0, column=6.4)
    columns = arrays["instances"].size
    panels = figure.subplots(3, columns, sharex="row", sharey="row", squeeze=False)
    for i, name in enumerate(map(str, arrays["instances"])):
        _draw_profiles(panels[0, i], panels[1, i], arrays, i)
        _draw_rollouts(panels[2, i], arrays, i)
        for row in range(3):
            style.panel_letter(panels[row, i], "abcdefghi"[row * columns + i], name)
    for row, xlabel, ylabel in zip(
        panels,
        ("ratio M", "ratio M", "demonstrations T"),
        ("P[ratio $\\geq M$], a step", "P[ratio $\\geq M$], a trajectory", "rollouts for a success"),
        strict=True,
    ):
        style.name_axes(row, xlabel, ylabel)
    handles = {
        label: handle for axes in panels[:, 0] for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper center", ncols=style.by_form(4, 2), columnspacing=1.2
    )
    return figure


def _draw_profiles(step: Axes, trajectory: Axes, arrays: Arrays, i: int) -> None:
    M, n = arrays["thresholds"], int(arrays["sampled"][i])
    for k, name in enumerate(POLICIES):
        colour = palette.colour(name)
        mean, low, high = np.maximum(arrays["step"][i, k], FLOOR).T
        step.fill_between(M, low, high, color=colour, alpha=0.2, lw=0)
        step.plot(M, np.where(mean > FLOOR, mean, np.nan), color=colour, label=palette.label(name))
        counts = arrays["above"][i, k]
        ends = [clopper_pearson(int(c), n) for c in counts]
        low, high = (np.maximum([getattr(e, end) for e in ends], FLOOR) for end in ("low", "high"))
        trajectory.fill_between(M, low, high, color=colour, alpha=0.2, lw=0)
        trajectory.plot(M, np.where(counts > 0, counts / n, np.nan), color=colour)
    for axes in (step, trajectory):
        axes.set(
            xscale="log",
            yscale="log",
            ylim=(FLOOR, 1.0),
            xlim=(1.0, M[-1]),
            xticks=10.0 ** np.arange(0, 12, style.by_form(3, 5)),
        )
        axes.minorticks_off()


def _draw_rollouts(axes: Axes, arrays: Arrays, i: int) -> None:
    T = arrays["n_demos"]
    for k, name in enumerate(POLICIES):
        _draw_quantile(axes, T, arrays["rollouts"][i, :, k, 0], palette.colour(name), "-", None, palette.marker(name))
    for basis, dashes in ((1, "--"), (2, ":")):
        label = ("bound R6.4, posterior", "bound from the profile, posterior")[basis - 1]
        values = arrays["rollouts"][i, :, POLICIES.index("posterior"), basis]
        _draw_quantile(axes, T, values, palette.colour("our bound"), dashes, label, None)
    own = profile.rollouts_needed(float(arrays["success"][i, 0]), DELTA)
    axes.axhline(own, color=palette.colour("demonstrator"), lw=0.8, label="demonstrator's rollouts")
    axes.set(xscale="log", yscale="log", ylim=(1.0, MOST))
    axes.minorticks_off()


def _draw_quantile(
    axes: Axes, n_demos: NDArray[np.int64], values: NDArray[np.float64], colour: str, dashes: str, label: str | None,
    marker: str | None,
) -> None:  # fmt: skip
    """Quantile over data sets with its interval; what is beyond the upper edge is drawn on it."""
    rate = 1 / values  # 0 where infinite
    ends = [quantile_interval(row, DELTA) for row in rate]
    with np.errstate(divide="ignore"):
        middle, low, high = (
            np.clip(1 / np.maximum(0.0, x), 1.0, MOST)
            for x in (cloning_experiment.lower_quantile(rate, DELTA), [e.high for e in ends], [e.low for e in ends])
        )
    axes.fill_between(n_demos, low, high, color=colour, alpha=0.2, lw=0)
    axes.plot(n_demos, middle, color=colour, ls=dashes, marker=marker, ms=2.5, label=label,
              clip_on=False)  # fmt: skip
