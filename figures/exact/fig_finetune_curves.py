"""Return against episodes of reinforcement learning, starting from BC and from three kinds of noise."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.exact import cloning_experiment, finetuning_experiment
from figures.exact.enumeration import b1_exactly
from figures.exact.finetuning_experiment import KEPT, TARGET
from figures.exact.finetuning_problems import EPSILON, NOISY, PROBLEMS, STARTS, FinetuningRun, SampleSizes, learner_look
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from theory.claims import Claim, Interval
from theory.statistics.probability import bootstrap_interval, mean_interval, paired_p_value, quantile_interval

TITLE = "Reinforcement learning from BC and from noisy policies"
CAPTION = (
    "Top: exact return J of the current policy, as a share of J*, against episodes of the natural policy gradient; "
    "means over data sets with 95 % bootstrap bands. Solid: noise at matched return (80 % of BC's expected return, or "
    "the largest noise where that costs less); dashed: the paper's noise. Dotted: BC's plateau, the largest return of "
    "any policy that plays only actions of BC. Grey: 90 % of J*; markers: median of the episodes until it is reached, "
    "with its 95 % distribution-free interval. BC never reaches it on the funnel, rarely on the bandit, and on DeepSea "
    "and the stochastic lock only from some data sets; it is best on the deterministic lock; on the Garnet every kind "
    "of noise suffices. Bottom: for each learner, J/J* of PostBC minus that of BC (left) and minus that of uniform "
    "noise (right) at matched return, mean over the episodes, on the same data sets; 95 % bootstrap intervals; filled "
    "where a permutation test rejects equality (0.05, Bonferroni)."
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A curve: its start, and the rule of its noise level, as for `FinetuningRun`."""

    start: str
    rule: str = "matched"


CASES: dict[str, Case] = {
    "BC": Case(start="BC"),
    **{f"{start}, matched": Case(start=start) for start in NOISY},
    **{f"{start}, paper": Case(start=start, rule="paper") for start in NOISY},
}
MATCHED = tuple(name for name, case in CASES.items() if case.rule == "matched")
RIVALS = ("BC", "uniform noise")
"""Starts with which PostBC is compared, for each learner."""
FRACTIONS = {"policy gradient": 3, "PPO": 3, "optimistic planning": 10, "Best-of-16": 3}
"""Learners compared with the natural gradient; each gets the problem's episodes divided by this number."""

CONFIDENCE = 0.99
"""Level of the intervals that claims are judged by."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    sizes : SampleSizes
        Numbers of data sets.
    instances : tuple of str
        Of `PROBLEMS`.
    learners : tuple of str
        Of `FRACTIONS`.
    plateaus : int
        Data sets for BC's mean plateau.
    cases : tuple of str, optional
        Of `CASES`; those of `MATCHED` first.
    """

    sizes: SampleSizes
    instances: tuple[str, ...]
    learners: tuple[str, ...]
    plateaus: int
    cases: tuple[str, ...] = tuple(CASES)


FULL = Config(
    sizes=SampleSizes(replicates=50, block=10, tuning=6, matching=100),
    instances=tuple(PROBLEMS),
    learners=tuple(FRACTIONS),
    plateaus=1000,
)
QUICK = Config(
    sizes=SampleSizes(replicates=9, block=3, tuning=1, matching=50),
    instances=("B.1 bandit", "funnel", "deterministic lock", "Garnet"),
    learners=(),
    plateaus=300,
)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Curves with bands, times to the target, plateaus, and paired differences with their tests."""
    rng = sweep.generator("finetune-curves")
    main_runs = [_run(name, case) for name in config.instances for case in config.cases]
    learner_runs = [
        FinetuningRun(
            instance=name,
            start=start,
            learner=learner,
            episodes=max(20, PROBLEMS[name].episodes // FRACTIONS[learner]),
        )
        for learner in config.learners
        for name in config.instances
        for start in STARTS
    ]
    results = finetuning_experiment.finetuned([*main_runs, *learner_runs], config.sizes, sweep)
    n_cases = len(config.cases)
    main = [results[i * n_cases : (i + 1) * n_cases] for i in range(len(config.instances))]
    natural_gradient = [[cases[config.cases.index(name)] for name in MATCHED] for cases in main]
    levels = finetuning_experiment.matched(main_runs, config.sizes, sweep).values()
    return {
        "instances": np.array(config.instances),
        "cases": np.array(config.cases),
        "learners": np.array(["natural gradient", *config.learners]),
        **_curves(config, main, rng),
        "level": np.array([[result["level"] for result in cases] for cases in main]),
        "step": np.array([[result["step"] for result in cases] for cases in main]),
        "kept": np.array([matching["kept"] for matching in levels]),
        "last": np.array([[result["returns"][:, -1] for result in cases] for cases in main]),
        "average": np.array([[result["average"] for result in cases] for cases in main]),
        "plateau": np.array([_bc_plateaus(name, config.plateaus, sweep) for name in config.instances]),
        "above": np.array(max(float((r["returns"] - r["plateau"][:, None]).max()) for r in results)),
        **_differences([natural_gradient, *_by_learner(config, results[len(main_runs) :])], rng),
        **b1_exactly(EPSILON, PROBLEMS["B.1 bandit"].n_demos),
    }


def _run(instance: str, case: str) -> FinetuningRun:
    return FinetuningRun(instance=instance, start=CASES[case].start, rule=CASES[case].rule)


def _curves(config: Config, main: Sequence[Sequence[Arrays]], rng: np.random.Generator) -> Arrays:
    """Means with bands, padded with NaN after the last checkpoint, and episodes to the target."""
    times = [finetuning_experiment.checkpoints(PROBLEMS[name].episodes) for name in config.instances]
    shape = (len(config.instances), len(config.cases), max(map(len, times)))
    mean, low, high = (np.full(shape, np.nan) for _ in range(3))
    reached = np.empty((*shape[:2], config.sizes.replicates))
    for i, cases in enumerate(main):
        for k, result in enumerate(cases):
            within = np.s_[i, k, : times[i].size]
            mean[within] = result["returns"].mean(axis=0)
            low[within], high[within] = bootstrap_interval(result["returns"], rng)
            reached[i, k] = finetuning_experiment.first_time(result["returns"], times[i])
    padded = [np.pad(t.astype(float), (0, shape[2] - t.size), constant_values=np.nan) for t in times]
    return {"times": np.array(padded), "mean": mean, "low": low, "high": high, "reached": reached}


def _by_learner(config: Config, results: Sequence[Arrays]) -> list[list[list[Arrays]]]:
    """Results of each further learner, instance and start."""
    remaining = iter(results)
    return [[[next(remaining) for _ in STARTS] for _ in config.instances] for _ in config.learners]


def _bc_plateaus(name: str, number: int, sweep: Sweep) -> NDArray[np.float64]:
    """Plateaus of BC on the first data sets; `number` may exceed that of the data sets for finetuning."""
    cell = finetuning_experiment.instance_cell(FinetuningRun(instance=name, start="BC"), number, sweep)
    return sweep.run("finetuning-plateaus", finetuning_experiment.plateaus, [asdict(cell)])[0]["plateau"]


def _differences(results: Sequence[Sequence[Sequence[Arrays]]], rng: np.random.Generator) -> Arrays:
    """Mean, interval and p-value of PostBC minus each of `RIVALS`, (learners, instances, rivals)."""
    shape = (len(results), len(results[0]), len(RIVALS))
    mean, low, high, p = (np.empty(shape) for _ in range(4))
    for m, i, k in np.ndindex(shape):
        average = {start: result["average"] for start, result in zip(STARTS, results[m][i], strict=True)}
        gap = average["PostBC"] - average[RIVALS[k]]
        mean[m, i, k], p[m, i, k] = gap.mean(), paired_p_value(gap, rng)
        low[m, i, k], high[m, i, k] = bootstrap_interval(gap, rng)
    return {"gap": mean, "gap_low": low, "gap_high": high, "p": p}


def check(arrays: Arrays) -> Sequence[Claim]:
    """Plateaus are exact and never exceeded; PostBC needs fewer episodes on the funnel, and beats BC on a lock."""
    names = [str(name) for name in arrays["instances"]]
    funnel, lock, garnet = (names.index(name) for name in ("funnel", "deterministic lock", "Garnet"))
    level = f"{CONFIDENCE:.0%} interval"
    plateau = mean_interval(arrays["plateau"][funnel], 1 - cloning_experiment.FALSE_ALARM)
    ratio, censored = _time_ratio(arrays, funnel)
    gap = arrays["average"][lock, MATCHED.index("PostBC, matched")] - arrays["average"][lock, MATCHED.index("BC")]
    any_noise = [_above(arrays, garnet, MATCHED.index(f"{start}, matched")) for start in NOISY]
    least = min(any_noise, key=lambda interval: interval.low)
    full_noise = np.isclose(arrays["level"][:, [MATCHED.index(f"{start}, matched") for start in NOISY]], 1.0)
    kept = arrays["kept"][:, [STARTS.index(start) for start in NOISY]]
    difference = np.abs(np.where(full_noise, KEPT, kept) - KEPT).max()
    return [
        Claim(id="finetune-b1-plateau", source="B1.6", relation="<=",
              interval=Interval.point(abs(float(arrays["b1_plateau"] - arrays["b1_closed"]))), bound=1e-12,
              evidence="exact",
              detail=f"B.1: difference of the expected plateau of BC, {float(arrays['b1_plateau']):.4f} of J* by "
              "summing over all data sets, from 1 - (1 - 2 eps)^T."),
        Claim(id="finetune-b1-lost", source="B1.6", relation=">=", interval=Interval.point(float(arrays["b1_lost"])),
              bound=0.25, evidence="exact",
              detail="B.1: least expected loss, on one of the two bandits, of any learner that sees only BC's "
              "rollouts."),
        Claim(id="finetune-below-plateau", source="B1.6", relation="<=",
              interval=Interval.point(float(arrays["above"])), bound=1e-9, evidence="exact",
              detail="Largest excess of any learner's return, at any checkpoint, over its start's plateau (shares of "
              "J*)."),
        Claim(id="finetune-matched", source="E0", relation="<=", interval=Interval.point(float(difference)), bound=1e-6,
              evidence="exact",
              detail=f"Largest difference of the matched starts' expected return from {KEPT:g} of BC's, on the data "
              "sets of the matching; starts of full noise, which cost less, left out."),
        Claim(id="finetune-funnel-plateau", source="B1.6", relation="<=", interval=plateau, bound=0.7,
              evidence="sampled",
              detail=f"Funnel: mean plateau of BC over J* ({arrays['plateau'].shape[1]} data sets; Student's interval "
              f"with false alarm {cloning_experiment.FALSE_ALARM:g})."),
        Claim(id="finetune-funnel-episodes", source="E2", relation="<=", interval=ratio, bound=0.5, evidence="sampled",
              detail=f"Funnel: median over data sets of PostBC's episodes to {TARGET:g} J* over those of uniform noise "
              f"at matched return ({level}; {censored} of {arrays['reached'].shape[2]} runs from uniform noise did not "
              "reach it, and count as if they did at the end)."),
        Claim(id="finetune-lock-postbc-better", source="E2", relation=">=", interval=mean_interval(gap, CONFIDENCE),
              bound=0.0, evidence="sampled",
              detail=f"Deterministic lock: PostBC's return minus BC's, mean over the episodes ({level})."),
        Claim(id="finetune-garnet-any-noise", source="E0", relation=">=", interval=least, bound=0.0, evidence="sampled",
              detail="Garnet: return at the end minus BC's plateau on the same data, smallest over the kinds of noise "
              f"({level} each)."),
    ]  # fmt: skip


def _time_ratio(arrays: Arrays, i: int) -> tuple[Interval, int]:
    """Interval of the median ratio of episodes, PostBC over uniform noise, and number of censored runs of the latter.

    A censored run of PostBC counts as a ratio of 1e9, one of uniform noise as if it reached the target at the end, so
    the ratio is never underestimated.
    """
    postbc, uniform = (
        arrays["reached"][i, MATCHED.index(f"{start}, matched")] for start in ("PostBC", "uniform noise")
    )
    end = float(np.nanmax(arrays["times"][i]))
    ratio = np.where(np.isfinite(postbc), postbc / np.minimum(uniform, end), 1e9)
    return quantile_interval(ratio, 0.5, CONFIDENCE), int(np.isinf(uniform).sum())


def _above(arrays: Arrays, i: int, k: int) -> Interval:
    last = arrays["last"][i, k]
    return mean_interval(last - arrays["plateau"][i, : last.size], CONFIDENCE)


def draw(arrays: Arrays) -> Figure:
    """One panel for each instance; the learners compared below."""
    names = [str(name) for name in arrays["instances"]]
    rows = style.by_form(-(-len(names) // 4), -(-len(names) // 2))
    figure = style.new_figure(page=2.8 + 1.8 * rows, column=3.2 + 1.45 * rows)
    upper, lower = style.new_parts(figure, (0.5 + 0.8 * rows, style.by_form(1.2, 1.5)))
    panels = style.new_panels(upper, len(names), page=4, column=2, sharey=True)
    for i, (axes, name) in enumerate(zip(panels, names, strict=True)):
        _draw_instance(axes, arrays, i)
        style.panel_letter(axes, palette.letter(i), name)
    style.name_axes(panels, "episodes", "return, J/J*")
    handles, labels = panels[0].get_legend_handles_labels()
    upper.legend(handles, labels, loc="outside upper center", ncols=style.by_form(4, 2), columnspacing=1.4)
    differences = style.new_panels(lower, len(RIVALS), page=2, column=2, sharey=True)
    for k, (axes, rival) in enumerate(zip(differences, RIVALS, strict=True)):
        _draw_differences(axes, arrays, k)
        style.panel_letter(axes, palette.letter(len(names) + k), f"PostBC minus {rival}")
    style.name_axes(differences, "difference of mean J/J*", "")
    handles, labels = differences[0].get_legend_handles_labels()
    lower.legend(handles, labels, loc="outside lower center", ncols=style.by_form(5, 2), columnspacing=1.2)
    return figure


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    t = np.maximum(arrays["times"][i], 5.0)  # the start is drawn at the left edge
    for k, name in enumerate(map(str, arrays["cases"])):
        case = CASES[name]
        colour = palette.colour(case.start)
        if case.rule == "matched":
            axes.fill_between(t, arrays["low"][i, k], arrays["high"][i, k], color=colour, alpha=0.25, lw=0)
            axes.plot(t, arrays["mean"][i, k], color=colour, lw=1.4, label=name)
        else:
            axes.plot(t, arrays["mean"][i, k], color=colour, lw=0.9, ls=(0, (3, 1.5)), label=f"{case.start}, paper's")
    for k, start in enumerate(STARTS):
        _draw_reached(axes, arrays["reached"][i, k], start)
    plateau = arrays["plateau"][i, : arrays["last"].shape[2]].mean()  # of the data sets for finetuning
    axes.axhline(plateau, color=palette.colour("BC"), ls=":", lw=1, label="BC's plateau")
    axes.axhline(TARGET, color="#AAAAAA", lw=0.6, zorder=0)
    axes.set(xscale="log", ylim=(-0.03, 1.03), xlim=(5, np.nanmax(t)))
    axes.minorticks_off()


def _draw_reached(axes: Axes, times: NDArray[np.float64], start: str) -> None:
    """Median of the episodes to the target with its interval, where half of the runs reached it."""
    last = times[np.isfinite(times)].max(initial=5.0)
    middle, ends = np.median(times), quantile_interval(np.minimum(times, last), 0.5)
    if np.isfinite(middle):
        height = TARGET + 0.02 * (STARTS.index(start) - (len(STARTS) - 1) / 2)  # side by side where they are equal
        look: dict[str, Any] = {"color": palette.colour(start), "zorder": 3}
        axes.hlines(height, max(ends.low, 5.0), max(ends.high, 5.0), lw=1.5, **look)
        axes.plot(max(middle, 5.0), height, marker=palette.marker(start), ms=3, mec="white", mew=0.4, **look)


def _draw_differences(axes: Axes, arrays: Arrays, k: int) -> None:
    names, learners = [str(name) for name in arrays["instances"]], [str(name) for name in arrays["learners"]]
    least = 0.05 / arrays["p"].size
    for m, learner in enumerate(learners):
        heights = -np.arange(len(names)) - 0.15 * (m - (len(learners) - 1) / 2)
        mean, low, high = (arrays[key][m, :, k] for key in ("gap", "gap_low", "gap_high"))
        colour, marker = learner_look(learner)
        axes.hlines(heights, low, high, color=colour, lw=1)
        axes.plot([], [], color=colour, marker=marker, ls="", label=learner)
        for x, y, p in zip(mean, heights, arrays["p"][m, :, k], strict=True):
            axes.plot(x, y, color=colour, marker=marker, ms=3, mfc=colour if p < least else "white", mew=0.8)
    axes.axvline(0, color="#777777", lw=0.8)
    axes.set_yticks(-np.arange(len(names)), names)
