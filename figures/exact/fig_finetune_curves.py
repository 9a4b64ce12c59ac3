"""Return against episodes of reinforcement learning, from BC and from three kinds of noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import multinomial

from figures.exact import cloning_experiment, finetuning_experiment
from figures.exact.finetuning_experiment import EPSILON, KEPT, NOISY, STARTS, TARGET, TASKS, Run, Size
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from tabular.counts import Counts
from tabular.finetune import support_optimum
from tabular.instances import two_bandits
from tabular.policies import BC
from theory.claims import Claim, Interval
from theory.statistics.probability import bootstrap_interval, mean_interval, paired_p_value, quantile_interval

TITLE = "Reinforcement learning from BC and from noisy policies"
CAPTION = (
    "Top: exact return J of the current policy, as a share of J*, against episodes of the natural policy gradient; "
    "means over data sets with 95 % bootstrap bands. Solid: noise at matched return (80 % of BC's expected return, or "
    "all the noise there is where that costs less); dashed: the paper's prescription. Dotted: the most that any "
    "learner can reach with the actions that BC plays. Grey: 90 % of J*; marks: median of the episodes to get there, "
    "with its 95 % distribution-free interval. BC never gets there on the funnel, hardly ever on the bandit, and on "
    "DeepSea and the stochastic lock only from some data sets; it is best on the deterministic lock; on the Garnet "
    "noise of any kind will do. Bottom: for each learner, PostBC's J/J* less BC's and less that of uniform noise at "
    "matched return, mean over the episodes, on the same data; 95 % bootstrap intervals; filled where a permutation "
    "test rejects equality (0.05, Bonferroni)."
)

CASES = ("BC", *(f"{start}, {rule}" for rule in ("matched", "paper") for start in NOISY))
MATCHED = CASES[: len(STARTS)]
OTHERS = {"policy gradient": 3, "PPO": 3, "optimistic planning": 10, "Best-of-16": 3}
"""The other learners, and the part of the task's episodes that each gets."""

CONFIDENCE = 0.99
"""Level of the intervals that claims are judged by."""


@dataclass(frozen=True)
class Config:
    """Settings: how much is computed, on which tasks, with which other learners; data sets for BC's plateau; starts."""

    size: Size
    instances: tuple[str, ...]
    learners: tuple[str, ...]
    plateaus: int
    cases: tuple[str, ...] = CASES


FULL = Config(Size(50, 10, 6, 100), tuple(TASKS), tuple(OTHERS), 1000)
QUICK = Config(Size(9, 3, 1, 50), ("B.1 bandit", "funnel", "deterministic lock", "Garnet"), (), 300)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Curves with bands, times to the target, plateaus, and paired differences with their tests."""
    rng = sweep.generator("finetune-curves")
    runs = [Run(name, *_split(case)) for name in config.instances for case in config.cases]
    others = [
        Run(name, start, learner=learner, episodes=max(20, TASKS[name].episodes // OTHERS[learner]))
        for learner in config.learners
        for name in config.instances
        for start in STARTS
    ]
    found = finetuning_experiment.finetuned([*runs, *others], config.size, sweep)
    n, each = len(config.instances), len(config.cases)
    main = [found[i * each : (i + 1) * each] for i in range(n)]
    times = [finetuning_experiment.checkpoints(TASKS[name].episodes) for name in config.instances]
    shape = (n, each, max(map(len, times)))
    mean, low, high = (np.full(shape, np.nan) for _ in range(3))
    reached = np.empty((n, each, config.size.replicates))
    for i, cases in enumerate(main):
        for k, one in enumerate(cases):
            within = np.s_[i, k, : times[i].size]
            mean[within] = one["returns"].mean(axis=0)
            low[within], high[within] = bootstrap_interval(one["returns"], rng)
            reached[i, k] = finetuning_experiment.first_time(one["returns"], times[i])
    rest = found[n * each :]
    by_learner = [[cases[: len(STARTS)] for cases in main]] + [
        [rest[(m * n + i) * len(STARTS) :][: len(STARTS)] for i in range(n)] for m in range(len(config.learners))
    ]
    levels = list(finetuning_experiment.matched(runs, config.size, sweep).values())
    return {
        "instances": np.array(config.instances),
        "cases": np.array(config.cases),
        "learners": np.array(["natural gradient", *config.learners]),
        "times": np.array([np.pad(t.astype(float), (0, shape[2] - t.size), constant_values=np.nan) for t in times]),
        "mean": mean,
        "low": low,
        "high": high,
        "reached": reached,
        "level": np.array([[one["level"] for one in cases] for cases in main]),
        "step": np.array([[one["step"] for one in cases] for cases in main]),
        "kept": np.array([one["kept"] for one in levels]),
        "last": np.array([[one["returns"][:, -1] for one in cases] for cases in main]),
        "average": np.array([[one["average"] for one in cases] for cases in main]),
        "plateau": np.array([_bc_plateaus(name, config.plateaus, sweep) for name in config.instances]),
        "above": np.array(max(float((one["returns"] - one["plateau"][:, None]).max()) for one in found)),
        **_differences(by_learner, rng),
        **b1_exactly(EPSILON, TASKS["B.1 bandit"].n_demos),
    }


def _split(case: str) -> tuple[str, str]:
    start, _, rule = case.partition(", ")
    return start, rule or "matched"


def _bc_plateaus(name: str, number: int, sweep: Sweep) -> NDArray[np.float64]:
    """Plateaus of BC on the first data sets, more of them than are learnt from."""
    cell = {**Run(name, "BC").settings(), "seed": finetuning_experiment.seed_of(sweep), "number": number}
    return sweep.run("finetuning-plateaus", finetuning_experiment.plateaus, [cell])[0]["plateau"]


def _differences(found: Sequence[Sequence[Sequence[Arrays]]], rng: np.random.Generator) -> Arrays:
    """Mean, interval and p-value of PostBC minus BC and minus uniform noise, (learners, instances, 2)."""
    shape = (len(found), len(found[0]), 2)
    mean, low, high, p = (np.empty(shape) for _ in range(4))
    for m, i, k in np.ndindex(shape):
        average = [one["average"] for one in found[m][i]]
        gap = average[STARTS.index("PostBC")] - average[k]
        mean[m, i, k], p[m, i, k] = gap.mean(), paired_p_value(gap, rng)
        low[m, i, k], high[m, i, k] = bootstrap_interval(gap, rng)
    return {"gap": mean, "gap_low": low, "gap_high": high, "p": p}


def b1_exactly(epsilon: float, n_demos: int) -> Arrays:
    """The paper's two-part argument on the bandit M1, by summing over all data sets.

    `b1_plateau`: expected largest return within BC's support; `b1_closed`: the same in closed form, the probability
    1 - (1 - 2 eps)^T that the paying arm was recorded. `b1_lost`: what any learner fed by BC's rollouts must lose on
    one of the two bandits, 1/2 on all data sets from which BC plays the first arm alone (B1.6).
    """
    bandit = two_bandits(epsilon)[0]
    law = multinomial(n_demos, bandit.demonstrator[0, 0])
    plateau = lost = 0.0
    for second in range(n_demos + 1):
        for third in range(n_demos + 1 - second):
            counts = Counts(np.array([[[n_demos - second - third, second, third]]]))
            weight = float(law.pmf(counts.counts[0, 0]))
            policy = BC.policy(counts)
            plateau += weight * support_optimum(bandit.mdp, policy)
            lost += weight * 0.5 * (second + third == 0)
    closed = 1 - (1 - 2 * epsilon) ** n_demos
    return {"b1_plateau": np.array(plateau), "b1_closed": np.array(closed), "b1_lost": np.array(lost)}


def check(arrays: Arrays) -> Sequence[Claim]:
    """Plateaus are exact and never exceeded; what coverage buys on the funnel, and where it buys nothing."""
    names = [str(name) for name in arrays["instances"]]
    funnel, lock, garnet = (names.index(name) for name in ("funnel", "deterministic lock", "Garnet"))
    level = f"{CONFIDENCE:.0%} interval"
    plateau = mean_interval(arrays["plateau"][funnel], 1 - cloning_experiment.FALSE_ALARM)
    ratio, censored = _time_ratio(arrays, funnel)
    gap = arrays["average"][lock, CASES.index("PostBC, matched")] - arrays["average"][lock, 0]
    any_noise = [_above(arrays, garnet, CASES.index(f"{start}, matched")) for start in NOISY]
    least = min(any_noise, key=lambda interval: interval.low)
    free = np.isclose(arrays["level"][:, 1:4], 1.0)
    off = np.abs(np.where(free, KEPT, arrays["kept"][:, 1:]) - KEPT).max()
    return [
        Claim("finetune-b1-plateau", "B1.6", "<=",
              Interval.point(abs(float(arrays["b1_plateau"] - arrays["b1_closed"]))), 1e-12, "exact",
              f"B.1: difference of the expected plateau of BC, {float(arrays['b1_plateau']):.4f} of J* by summing over "
              "all data sets, from 1 - (1 - 2 eps)^T."),
        Claim("finetune-b1-lost", "B1.6", ">=", Interval.point(float(arrays["b1_lost"])), 0.25, "exact",
              "B.1: least expected loss, on one of the two bandits, of any learner fed by BC's rollouts."),
        Claim("finetune-below-plateau", "B1.6", "<=", Interval.point(float(arrays["above"])), 1e-9, "exact",
              "Largest excess of any learner's return, at any checkpoint, over its start's plateau (shares of J*)."),
        Claim("finetune-matched", "E0", "<=", Interval.point(float(off)), 1e-6, "exact",
              f"Largest difference of the matched starts' expected return from {KEPT:g} of BC's, on the data sets of "
              "the matching; starts of full noise, which cost less, left out."),
        Claim("finetune-funnel-plateau", "B1.6", "<=", plateau, 0.7, "sampled",
              f"Funnel: mean plateau of BC over J* ({arrays['plateau'].shape[1]} data sets; Student's interval with "
              f"false alarm {cloning_experiment.FALSE_ALARM:g})."),
        Claim("finetune-funnel-episodes", "E2", "<=", ratio, 0.5, "sampled",
              f"Funnel: median over data sets of PostBC's episodes to {TARGET:g} J* over those of uniform noise at "
              f"matched return ({level}; {censored} of {arrays['reached'].shape[2]} runs from uniform noise did not "
              "get there, and count as if they did at the end)."),
        Claim("finetune-lock-postbc-better", "E2", ">=", mean_interval(gap, CONFIDENCE), 0.0, "sampled",
              f"Deterministic lock: PostBC's return less BC's, mean over the episodes ({level})."),
        Claim("finetune-garnet-any-noise", "E0", ">=", least, 0.0, "sampled",
              "Garnet: return at the end less BC's plateau on the same data, smallest over the kinds of noise "
              f"({level} each)."),
    ]  # fmt: skip


def _time_ratio(arrays: Arrays, i: int) -> tuple[Interval, int]:
    """Interval of the median ratio of episodes, PostBC over uniform noise (never below the truth); runs cut off."""
    ours, theirs = (arrays["reached"][i, CASES.index(f"{start}, matched")] for start in ("PostBC", "uniform noise"))
    late = float(np.nanmax(arrays["times"][i]))
    ratio = np.where(np.isfinite(ours), ours / np.minimum(theirs, late), 1e9)
    return quantile_interval(ratio, 0.5, CONFIDENCE), int(np.isinf(theirs).sum())


def _above(arrays: Arrays, i: int, k: int) -> Interval:
    last = arrays["last"][i, k]
    return mean_interval(last - arrays["plateau"][i, : last.size], CONFIDENCE)


def draw(arrays: Arrays) -> Figure:
    """One panel an instance; the learners compared below."""
    names = [str(name) for name in arrays["instances"]]
    rows = style.by_form(-(-len(names) // 4), -(-len(names) // 2))
    figure = style.new_figure(page=2.8 + 1.8 * rows, column=3.2 + 1.45 * rows)
    upper, lower = style.new_parts(figure, (0.5 + 0.8 * rows, style.by_form(1.2, 1.5)))
    panels = style.new_panels(upper, len(names), page=4, column=2, sharey=True)
    for i, (axes, name) in enumerate(zip(panels, names, strict=True)):
        _draw_instance(axes, arrays, i)
        style.panel_letter(axes, "abcdefgh"[i], name)
    style.name_axes(panels, "episodes", "return, J/J*")
    handles, labels = panels[0].get_legend_handles_labels()
    upper.legend(handles, labels, loc="outside upper center", ncols=style.by_form(4, 2), columnspacing=1.4)
    differences = style.new_panels(lower, 2, page=2, column=2, sharey=True)
    for k, (axes, other) in enumerate(zip(differences, ("BC", "uniform noise"), strict=True)):
        _draw_differences(axes, arrays, k)
        style.panel_letter(axes, "abcdefghij"[len(names) + k], f"PostBC less {other}")
    style.name_axes(differences, "difference of mean J/J*", "")
    handles, labels = differences[0].get_legend_handles_labels()
    lower.legend(handles, labels, loc="outside lower center", ncols=style.by_form(5, 2), columnspacing=1.2)
    return figure


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    t = np.maximum(arrays["times"][i], 5.0)  # the start is drawn at the left edge
    for k, case in enumerate(map(str, arrays["cases"])):
        start, rule = _split(case)
        colour = palette.colour(start)
        if rule == "matched":
            axes.fill_between(t, arrays["low"][i, k], arrays["high"][i, k], color=colour, alpha=0.25, lw=0)
            label = start if start == "BC" else f"{start}, matched"
            axes.plot(t, arrays["mean"][i, k], color=colour, lw=1.4, label=label)
        else:
            axes.plot(t, arrays["mean"][i, k], color=colour, lw=0.9, ls=(0, (3, 1.5)), label=f"{start}, paper's")
    for k, start in enumerate(STARTS):
        _draw_reached(axes, arrays["reached"][i, k], start)
    plateau = arrays["plateau"][i, : arrays["last"].shape[2]].mean()  # of the data sets that were learnt from
    axes.axhline(plateau, color=palette.colour("BC"), ls=":", lw=1, label="BC's plateau")
    axes.axhline(TARGET, color="#AAAAAA", lw=0.6, zorder=0)
    axes.set(xscale="log", ylim=(-0.03, 1.03), xlim=(5, np.nanmax(t)))
    axes.minorticks_off()


def _draw_reached(axes: Axes, times: NDArray[np.float64], start: str) -> None:
    """Median of the episodes to the target with its interval, where half of the runs got there."""
    last = times[np.isfinite(times)].max(initial=5.0)
    middle, ends = np.median(times), quantile_interval(np.minimum(times, last), 0.5)
    if np.isfinite(middle):
        height = TARGET + 0.02 * (STARTS.index(start) - 1.5)  # side by side where they are equal
        look: dict[str, Any] = {"color": palette.colour(start), "zorder": 3}
        axes.hlines(height, max(ends.low, 5.0), max(ends.high, 5.0), lw=1.5, **look)
        axes.plot(max(middle, 5.0), height, marker=palette.marker(start), ms=3, mec="white", mew=0.4, **look)


MARKERS = ("o", "s", "^", "D", "v")
SHADES = palette.SERIES


def _draw_differences(axes: Axes, arrays: Arrays, k: int) -> None:
    names, learners = [str(name) for name in arrays["instances"]], [str(name) for name in arrays["learners"]]
    least = 0.05 / arrays["p"].size
    for m, learner in enumerate(learners):
        y = -np.arange(len(names)) - 0.15 * (m - (len(learners) - 1) / 2)
        mean, low, high = (arrays[key][m, :, k] for key in ("gap", "gap_low", "gap_high"))
        axes.hlines(y, low, high, color=SHADES[m], lw=1)
        axes.plot([], [], color=SHADES[m], marker=MARKERS[m], ls="", label=learner)
        for x, at, p in zip(mean, y, arrays["p"][m, :, k], strict=True):
            axes.plot(x, at, color=SHADES[m], marker=MARKERS[m], ms=3, mfc=SHADES[m] if p < least else "white", mew=0.8)
    axes.axvline(0, color="#777777", lw=0.8)
    axes.set_yticks(-np.arange(len(names)), names)
