"""What reinforcement learning costs in episodes: against coverage, against missing steps, with a critic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from figures.exact import finetuning_experiment
from figures.exact.finetuning_experiment import STARTS, TARGET, Run, Size
from figures.look import labels, palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular.finetune import Learner, NaturalPolicyGradient, OptimisticValueIteration, PolicyGradient, finetune
from tabular.instances import chain_lock
from theory.claims import Claim, Interval
from theory.statistics.probability import bootstrap_interval, mean_interval, quantile_interval

TITLE = "What missing coverage costs in episodes"
CAPTION = (
    "a: episodes until J first reaches 90 % of J*, on a lock whose right action has probability gamma in one step and "
    "1 in the others, where the demonstrator always plays it: gamma is the coverage. Grey: 1/gamma. Squares (full "
    "profile): the funnel cloned with three levels of uniform noise, natural gradient. b: the same with d steps of "
    "probability p0 each. Grey: p0^-d, the mean number of episodes until the first reward. Bars: 95 % "
    "distribution-free intervals for the median. c: policy gradient on the funnel whose critic starts at the exact "
    "values of the pretrained policy (dashed) or at 0 (solid; the two can hardly be told apart), noise at matched "
    "return; means with 95 % bootstrap bands. Dotted: BC's plateau."
)

HORIZON = 6
LEARNERS: dict[str, Learner] = {
    "natural gradient": NaturalPolicyGradient(2.0, batch=1),
    "policy gradient": PolicyGradient(8.0, batch=1),
    "optimistic planning": OptimisticValueIteration(0.01, batch=1),
}
"""One episode an update, so that times are fine; step sizes are the same for every gamma and d."""

STUMBLING = ("natural gradient", "policy gradient")
"""Learners that find a reward by chance alone; the planner goes through the support on purpose."""

GAMMAS = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
SHARES = (0.1, 0.3)
"""Values of p0."""

PATIENCE, PLANNING = 20, 500
"""Runs end after 20 times p0^-d episodes (planning after 500), and the claims state how many were not there yet."""

LEVELS = (0.01, 0.02, 0.04)
CRITICS = ("policy gradient", "policy gradient, exact critic")
CONFIDENCE = 0.99


@dataclass(frozen=True)
class Config:
    """Settings: replicates and the largest p0^-d on the locks; on the funnel how much is computed, levels, episodes."""

    replicates: int
    longest: int
    size: Size
    levels: tuple[float, ...]
    gammas: tuple[float, ...]
    episodes: int


FULL = Config(200, 10_000, Size(50, 10, 6, 100), LEVELS, GAMMAS, 60_000)
QUICK = Config(120, 2000, Size(4, 4, 1, 50), LEVELS[:0], GAMMAS[:-1], 30_000)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Times on the locks and on the funnel; curves with and without the critic."""
    by_gamma = [(1, gamma) for gamma in config.gammas]
    by_missing = [(d, p) for p in SHARES for d in range(1, HORIZON + 1) if p**-d <= 1.001 * config.longest]
    cells: list[dict[str, Any]] = [
        {"learner": name, "missing": d, "p": p, "replicates": config.replicates}
        for name in LEARNERS
        for d, p in dict.fromkeys((*by_gamma, *by_missing))
    ]
    found = {
        (c["learner"], c["missing"], c["p"]): r["times"]
        for c, r in zip(cells, sweep.run("lock-episodes", lock_times, cells), strict=True)
    }
    noise = [Run("funnel", "uniform noise", level=level) for level in config.levels]
    critics = [Run("funnel", start, learner=name, episodes=config.episodes) for name in CRITICS for start in STARTS]
    results = finetuning_experiment.finetuned([*noise, *critics], config.size, sweep)
    rng = sweep.generator("finetune-cost")
    returns = np.array([one["returns"] for one in results[len(noise) :]]).reshape(
        len(CRITICS), len(STARTS), config.size.replicates, -1
    )
    bands = [bootstrap_interval(one, rng) for one in returns.reshape(-1, *returns.shape[2:])]
    whole = finetuning_experiment.checkpoints(Run("funnel", "BC").budget())
    return {
        "gammas": np.array(config.gammas),
        "by_gamma": np.array([[found[name, d, p] for d, p in by_gamma] for name in LEARNERS]),
        "missing": np.array(by_missing),
        "by_missing": np.array([[found[name, d, p] for d, p in by_missing] for name in LEARNERS]),
        "levels": np.array(config.levels),
        "funnel": np.array([finetuning_experiment.first_time(one["returns"], whole) for one in results[: len(noise)]]),
        "times": finetuning_experiment.checkpoints(config.episodes),
        "mean": returns.mean(axis=2),
        "low": np.array([low for low, _ in bands]).reshape(*returns.shape[:2], -1),
        "high": np.array([high for _, high in bands]).reshape(*returns.shape[:2], -1),
        "last": returns[..., -1],
        "average": np.array([one["average"] for one in results[len(noise) :]]).reshape(returns.shape[:3]),
        "plateau": results[len(noise)]["plateau"],
    }


def lock_times(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Episodes until J reaches the target, from a policy that is right but for the first `missing` steps."""
    mdp = chain_lock(HORIZON, 2, 1.0).mdp
    start = np.zeros(mdp.policy_shape)
    start[..., 0] = 1.0
    start[: cell["missing"]] = cell["p"], 1 - cell["p"]
    last = PATIENCE * cell["p"] ** -cell["missing"] if cell["learner"] in STUMBLING else PLANNING
    times = np.unique(np.round(np.geomspace(1, last, 200)).astype(np.int64))
    learner = LEARNERS[cell["learner"]]
    returns = [finetune(mdp, start, learner, times, rng).returns for _ in range(cell["replicates"])]
    return {"times": finetuning_experiment.first_time(np.array(returns), times)}


def fitted(x: NDArray[np.float64], times: NDArray[np.float64]) -> tuple[float, Interval, int]:
    """Slope of the logarithm of times (points, replicates) in x (points,), its interval, and how many were infinite."""
    finite = np.isfinite(times)
    line = stats.linregress(np.broadcast_to(x[:, None], times.shape)[finite], np.log(times[finite]))
    half = float(stats.t.isf((1 - CONFIDENCE) / 2, int(finite.sum()) - 2) * line.stderr)
    slope = float(line.slope)
    return slope, Interval(slope - half, slope + half), int((~finite).sum())


def slopes(arrays: Arrays, learner: int) -> dict[str, tuple[float, Interval, int]]:
    """Fitted exponents: of 1/gamma, and of p0^-d (where that is 10 or more) for each p0; 1 where the law holds."""
    found = {"gamma": fitted(-np.log(arrays["gammas"]), arrays["by_gamma"][learner])}
    d, p = arrays["missing"].T
    for share in SHARES:
        mine = (p == share) & (p**-d > 9.99)
        found[f"d, p0 = {share:g}"] = fitted(-d[mine] * np.log(share), arrays["by_missing"][learner, mine])
    return found


def check(arrays: Arrays) -> Sequence[Claim]:
    """The exponents are about 1 for learners that must stumble on the reward; a critic does not replace coverage."""
    fits = {(name, what): fit for k, name in enumerate(STUMBLING) for what, fit in slopes(arrays, k).items()}
    planned = [
        quantile_interval(row, 0.5, CONFIDENCE)
        for row in arrays["by_gamma"][list(LEARNERS).index("optimistic planning")]
    ]
    spread = Interval(
        max(1.0, max(one.low for one in planned) / min(one.high for one in planned)),
        max(one.high for one in planned) / min(one.low for one in planned),
    )
    postbc, bc = STARTS.index("PostBC"), STARTS.index("BC")
    exact, plain = CRITICS.index("policy gradient, exact critic"), CRITICS.index("policy gradient")
    coverage = arrays["last"][plain, postbc] - arrays["last"][exact, bc]
    gain = mean_interval(arrays["average"][exact, postbc] - arrays["average"][plain, postbc], CONFIDENCE)
    level, last = f"{CONFIDENCE:.0%} interval", int(arrays["times"][-1])
    return [
        _exponent("finetune-cost-gamma", {key: fit for key, fit in fits.items() if key[1] == "gamma"}),
        _exponent("finetune-cost-missing", {key: fit for key, fit in fits.items() if key[1] != "gamma"}),
        Claim("finetune-cost-planning", "E0", "<=", spread, 2.0, "sampled",
              "Lock: optimistic planning over the support does not pay for small gamma; largest over smallest median "
              f"of its episodes ({level} of each)."),
        Claim("finetune-cost-critic-plateau", "B1.6", "<=",
              Interval.point(float((arrays["last"][:, bc] - arrays["plateau"]).max())), 1e-9, "exact",
              "Funnel: largest excess of policy gradient from BC over BC's plateau, with the exact critic or without."),
        Claim("finetune-cost-coverage-beats-critic", "E2", ">=", mean_interval(coverage, CONFIDENCE), 0.0, "sampled",
              f"Funnel: return after {last} episodes, PostBC without a critic less BC with the exact one ({level})."),
        Claim("finetune-cost-critic-gain", "E0", "<=", _size(gain), 0.05, "sampled",
              f"Funnel: size of what the exact critic adds to PostBC's return, mean over the episodes: from "
              f"{gain.low:.4f} to {gain.high:.4f} ({level})."),
    ]  # fmt: skip


def _size(interval: Interval) -> Interval:
    """Interval of the absolute value."""
    return Interval(max(0.0, interval.low, -interval.high), max(-interval.low, interval.high))


def _exponent(name: str, fits: dict[tuple[str, str], tuple[float, Interval, int]]) -> Claim:
    """How far the exponents are from 1, at most."""
    off = [_size(Interval(interval.low - 1, interval.high - 1)) for _, interval, _ in fits.values()]
    listed = "; ".join(
        f"{learner}, {what}: {slope:.3f} [{interval.low:.3f}, {interval.high:.3f}], {censored} censored"
        for (learner, what), (slope, interval, censored) in fits.items()
    )
    what = "largest distance from 1 of the exponents of episodes, where 10 or more are expected"
    detail = f"Lock: {what} ({CONFIDENCE:.0%} intervals): {listed}."
    return Claim(name, "E0", "<=", max(off, key=lambda one: one.high), 0.25, "sampled", detail)


SHADES = dict(zip(("natural gradient", "policy gradient", "PPO", "optimistic planning"), palette.SERIES, strict=False))
MARKERS = {"natural gradient": "o", "policy gradient": "^", "optimistic planning": "v"}


def draw(arrays: Arrays) -> Figure:
    """Coverage, missing steps, critic."""
    figure = style.new_figure(page=3.1, column=7.2)
    by_gamma, by_missing, critic = style.new_panels(figure, 3, page=3, column=1)
    _draw_gamma(by_gamma, arrays)
    _draw_missing(by_missing, arrays)
    _draw_critic(critic, arrays)
    titles = ("one missing step", "d missing steps", "with and without a critic")
    for letter, axes, title in zip("abc", (by_gamma, by_missing, critic), titles, strict=True):
        style.panel_letter(axes, letter, title)
        axes.minorticks_off()
    handles, names = by_gamma.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=style.by_form(len(names), 2),
                  title="a, b: exponent in 1/gamma", title_fontsize=7, alignment="left")  # fmt: skip
    return figure


def _medians(
    axes: Axes, x: NDArray[np.float64], times: NDArray[np.float64], colour: str, marker: str, **look: Any
) -> None:
    """Medians with their intervals; where the upper end was not reached, up to the largest time seen."""
    seen = np.where(np.isfinite(times), times, np.nanmax(times[np.isfinite(times)]))
    ends = [quantile_interval(row, 0.5) for row in seen]
    axes.vlines(x, [e.low for e in ends], [e.high for e in ends], color=colour, lw=1)
    axes.plot(x, np.median(seen, axis=1), color=colour, marker=marker, **look)


def _draw_gamma(axes: Axes, arrays: Arrays) -> None:
    gamma = arrays["gammas"]
    axes.plot(gamma, 1 / gamma, color="#AAAAAA", lw=3, zorder=0)
    for k, name in enumerate(LEARNERS):
        label = f"{name} ({slopes(arrays, k)['gamma'][0]:.2f})" if name in STUMBLING else name
        _medians(axes, gamma, arrays["by_gamma"][k], SHADES[name], MARKERS[name], label=label, lw=1)
    if arrays["levels"].size:
        covered = arrays["levels"] / 3 / 0.5  # of three actions; the demonstrator's best has 1/2
        _medians(
            axes, covered, arrays["funnel"], palette.colour("uniform noise"), "s", label="funnel, uniform noise", lw=1
        )
    axes.set(xscale="log", yscale="log", xlabel=r"coverage $\gamma$", ylabel=f"episodes to {TARGET:g} J*")
    axes.set_ylim(1, None)


def _draw_missing(axes: Axes, arrays: Arrays) -> None:
    d, p = arrays["missing"].T
    for share in SHARES:
        mine = p == share
        axes.plot(d[mine], share ** -d[mine], color="#AAAAAA", lw=3, zorder=0)
        for k, name in enumerate(LEARNERS):
            look = {"ls": "-" if share == min(SHARES) else "--", "lw": 1.0}
            _medians(axes, d[mine], arrays["by_missing"][k, mine], SHADES[name], MARKERS[name], **look)
        axes.text(d[mine][-1], share ** -d[mine][-1] * 1.7, f"$p_0$ = {share:g}", ha="center", fontsize=7)
    axes.set(
        yscale="log",
        xlabel="missing steps d",
        ylabel=f"episodes to {TARGET:g} J*",
        ylim=(1, 5 * max(SHARES[0] ** -d[p == SHARES[0]])),
    )


def _draw_critic(axes: Axes, arrays: Arrays) -> None:
    t = np.maximum(arrays["times"], 5.0)
    for i, start in enumerate(STARTS):
        for k, line in enumerate(("-", (0, (2, 1)))):
            axes.fill_between(
                t, arrays["low"][k, i], arrays["high"][k, i], color=palette.colour(start), alpha=0.2, lw=0
            )
            axes.plot(t, arrays["mean"][k, i], color=palette.colour(start), ls=line, lw=1.2)
    axes.axhline(arrays["plateau"].mean(), color=palette.colour("BC"), ls=":", lw=1)
    axes.set(xscale="log", xlabel="episodes", ylabel="return, J/J*", ylim=(0, 1.03), xlim=(100, t[-1]))
    ends = arrays["mean"][0, :, -1].tolist()
    labels.name_ends(
        axes,
        [
            (start.replace(" ", "\n"), palette.colour(start), t[-1], end)
            for start, end in zip(STARTS, ends, strict=True)
        ],
    )
