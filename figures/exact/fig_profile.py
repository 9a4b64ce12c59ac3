"""Coverage profiles of steps and of whole trajectories, and the rollouts needed for a success, with bounds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.exact import cloning_experiment
from figures.exact.cloning_experiment import FALSE_ALARM, ROUNDING, positions
from figures.exact.profile_experiment import (
    COMPARED,
    DELTA,
    FROM_KL,
    FROM_PROFILE,
    INSTANCES,
    JUDGED,
    PROFILE_DEMOS,
    THRESHOLDS,
    TRUE,
    ProfileCell,
    RolloutCell,
    profiles_of,
    rollouts_of,
)
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from tabular import profile
from theory.claims import Claim, Interval
from theory.statistics.probability import clopper_pearson, quantile_interval

TITLE = "Coverage profiles and Best-of-N"
SECTION = "r6"
CAPTION = (
    "Top: probability, under the demonstrator, that an action is at least M times as likely as under the cloned "
    "policy, mean over data sets of T = 30 demonstrations (bands: 95 % Student intervals). Middle: the same for whole "
    "trajectories (95 % Clopper-Pearson intervals, one trajectory for each data set). BC's curves become flat: that "
    "share of steps or trajectories BC never plays. Bottom: number of rollouts until one succeeds with probability "
    "0.9, as Best-of-N over trajectories needs; it is exact for each data set, and shown is the number that suffices "
    "for 90 % of the data sets (bands: 95 % distribution-free intervals; upper edge: infinity), with two bounds for "
    "the posterior: R6.4, from the exact divergence, and one from the profile. In (h) and (i) success needs only "
    "frequent actions of the demonstrator, which BC plays; in (g), a lock whose demonstrator rarely succeeds, it needs "
    "rare ones."
)
FLOOR = 1e-4
"""Least probability that is drawn."""
MOST = 1e9
"""Largest number of rollouts that is drawn."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    n_demos : tuple of int
        Numbers of demonstrations T for the rollouts.
    profile_replicates : int
        Data sets for the profiles.
    replicates : int
        Data sets for the rollouts, for each T.
    n_trajectories : int
        Trajectories from which the profile of one data set is sampled.
    instances : tuple of str, optional
        Of `INSTANCES`.
    """

    n_demos: tuple[int, ...]
    profile_replicates: int
    replicates: int
    n_trajectories: int
    instances: tuple[str, ...] = tuple(INSTANCES)


FULL = Config(
    n_demos=tuple(round(10 ** (1 + k / 4)) for k in range(13)),
    profile_replicates=10_000,
    replicates=400,
    n_trajectories=10_000,
)
QUICK = Config(n_demos=(10, 32, 100, 316, 1000), profile_replicates=500, replicates=40, n_trajectories=1000)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Profiles at one T, and rollouts at every T."""
    names = config.instances
    profile_cells = [ProfileCell(instance=name, replicates=config.profile_replicates) for name in names]
    profiles = sweep.run("profiles", profiles_of, [asdict(cell) for cell in profile_cells])
    rollout_cells = [
        RolloutCell(
            instance=name,
            n_demos=T,
            replicates=config.replicates,
            n_trajectories=config.n_trajectories,
            level=FALSE_ALARM / (len(names) * len(config.n_demos)),
        )
        for name in names
        for T in config.n_demos
    ]
    rollouts = sweep.run("rollouts-until-success", rollouts_of, [asdict(cell) for cell in rollout_cells])
    shape = (len(names), len(config.n_demos))
    return {
        "instances": np.array(names),
        "n_demos": np.array(config.n_demos),
        "policies": np.array(list(COMPARED)),
        "thresholds": THRESHOLDS,
        **{key: np.stack([r[key] for r in profiles]) for key in profiles[0]},
        **{key: np.stack([r[key] for r in rollouts]).reshape(*shape, *rollouts[0][key].shape) for key in rollouts[0]},
    }


def check(arrays: Arrays) -> Sequence[Claim]:
    """Both bounds hold for every data set; BC's profile stays positive, those of the policies with noise reach 0."""
    rollouts = arrays["rollouts"][:, :, positions(arrays, JUDGED)]
    posterior = JUDGED.index("posterior")
    true, bounds = rollouts[:, :, :, [TRUE]], rollouts[:, :, :, FROM_KL:]
    ratios = np.divide(true, bounds, out=np.zeros(bounds.shape), where=np.isfinite(bounds))
    from_kl, from_profile = ratios[..., 0, :], ratios[..., 1, :]
    low = tail(arrays)
    noisy = positions(arrays, ("uniform noise", "posterior", "PostBC"))
    gain = np.median(rollouts[:, :, posterior, FROM_KL] / rollouts[:, :, posterior, FROM_PROFILE], axis=-1)
    kl_excess = arrays["kl_excess"][:, :, positions(arrays, JUDGED)]
    level = f"Clopper-Pearson, false alarm {FALSE_ALARM:g} for all together"
    return [
        Claim(id="profile-r64", source="R6.4", relation="<=", interval=Interval.point(float(from_kl.max())),
              bound=1 + ROUNDING, evidence="exact",
              detail="Largest ratio of the true number of rollouts needed for a success to R6.4's bound, over "
              "policies, data sets, instances and T; where the bound is infinite, as for BC, it counts as 0."),
        Claim(id="profile-rollouts", source="R6.4", relation="<=", interval=Interval.point(float(from_profile.max())),
              bound=1 + ROUNDING, evidence="sampled",
              detail=f"The same ratio to the bound from the profile of trajectories (its high end; {level})."),
        Claim(id="profile-divergence", source="arXiv:2510.15020", relation="<=",
              interval=Interval.point(float(kl_excess.max())), bound=1.0, evidence="sampled",
              detail="Largest ratio of the profile of trajectories (low end) to its bound from the divergence, KL/(log "
              f"M + 1/M - 1), over M, policies, data sets, instances and T ({level})."),
        Claim(id="profile-tighter", source="R6.4", relation=">=", interval=Interval.point(float(gain.max())),
              bound=10.0, evidence="sampled",
              detail="Largest ratio, over instances and T, of R6.4's bound to that from the profile, for the posterior "
              f"(median over data sets). The smallest is {gain.min():.2g}: neither bound is always the smaller."),
        Claim(id="profile-bc-flat", source="B1.2", relation=">=", interval=Interval.point(float(low[:, 0].min())),
              bound=0.005, evidence="sampled",
              detail=f"Probability that a trajectory of the demonstrator is {THRESHOLDS[-1]:g} times likelier than "
              f"under BC, T = {PROFILE_DEMOS}; the smallest over instances (low end, {level})."),
        Claim(id="profile-others-end", source="companion", relation="<=",
              interval=Interval.point(float(arrays["step"][:, noisy, -1, 0].max())), bound=0.0, evidence="exact",
              detail=f"Probability that a step is {THRESHOLDS[-1]:g} times likelier than under a policy with noise, "
              "largest over data sets, instances and policies."),
    ]  # fmt: skip


def tail(arrays: Arrays) -> NDArray[np.float64]:
    """Low end for the profile of trajectories at the largest threshold, (instances, judged estimators)."""
    counts, sampled = arrays["above"][:, positions(arrays, JUDGED), -1], arrays["sampled"]
    level = 1 - FALSE_ALARM / counts.size
    return np.array(
        [[clopper_pearson(int(k), int(n), level).low for k in row] for row, n in zip(counts, sampled, strict=True)]
    )


def draw(arrays: Arrays) -> Figure:
    """One column for each instance: profile of steps, profile of trajectories, rollouts."""
    figure = style.new_figure(page=6.0, column=6.4)
    columns = arrays["instances"].size
    panels = figure.subplots(3, columns, sharex="row", sharey="row", squeeze=False)
    for i, name in enumerate(map(str, arrays["instances"])):
        _draw_profiles(panels[0, i], panels[1, i], arrays, i)
        _draw_rollouts(panels[2, i], arrays, i)
        for row in range(3):
            style.panel_letter(panels[row, i], palette.letter(row * columns + i), name)
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
    for k, name in enumerate(arrays["policies"].tolist()):
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
    for k, name in enumerate(arrays["policies"].tolist()):
        _draw_quantile(
            axes, T, arrays["rollouts"][i, :, k, TRUE], palette.colour(name), "-", None, palette.marker(name)
        )
    (posterior,) = positions(arrays, ["posterior"])
    for basis, dashes, label in (
        (FROM_KL, "--", "bound R6.4, posterior"),
        (FROM_PROFILE, ":", "bound from the profile, posterior"),
    ):
        values = arrays["rollouts"][i, :, posterior, basis]
        _draw_quantile(axes, T, values, palette.colour("our bound"), dashes, label, None)
    of_demonstrator = profile.rollouts_needed(float(arrays["success"][i, 0]), DELTA)
    axes.axhline(of_demonstrator, color=palette.colour("demonstrator"), lw=0.8, label="demonstrator's rollouts")
    axes.set(xscale="log", yscale="log", ylim=(1.0, MOST))
    axes.minorticks_off()


def _draw_quantile(
    axes: Axes, n_demos: NDArray[np.int64], values: NDArray[np.float64], colour: str, dashes: str, label: str | None,
    marker: str | None,
) -> None:  # fmt: skip
    """Quantile over data sets with its interval; values beyond the upper edge are drawn on it."""
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
