"""Episodes that reinforcement learning needs: against coverage, against the number of missing steps, with a critic."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from figures.exact import finetuning_experiment
from figures.exact.finetuning_experiment import TARGET
from figures.exact.finetuning_problems import STARTS, FinetuningRun, SampleSizes, learner_look
from figures.exact.lock_episodes import HORIZON, LEARNERS, STUMBLING, LockCell, lock_times
from figures.look import labels, palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from theory.claims import Claim, Interval
from theory.statistics.probability import bootstrap_interval, mean_interval, quantile_interval

TITLE = "What missing coverage costs in episodes"
CAPTION = (
    "a: episodes until J first reaches 90 % of J*, on a lock where the pretrained policy plays the right action with "
    "probability gamma in one step and 1 in the others; the demonstrator always plays it, so gamma is the coverage. "
    "Grey: 1/gamma. Orange (full settings): the funnel cloned with three levels of uniform noise, natural gradient. b: "
    "the same with d steps in which the right action has probability p0. Grey: p0^-d, the mean number of episodes "
    "until the first reward. Bars: 95 % distribution-free intervals for the median. c: policy gradient on the funnel "
    "with a critic that starts at the exact values of the pretrained policy (dashed) or at 0 (solid; nearly the same), "
    "for noise at matched return; means with 95 % bootstrap bands. Dotted: BC's plateau."
)

GAMMAS = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
SHARES = (0.1, 0.3)
"""Values of p0."""

LEVELS = (0.01, 0.02, 0.04)
CRITICS = ("policy gradient", "policy gradient, exact critic")
CONFIDENCE = 0.99


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    replicates : int
        Runs on each lock.
    longest : int
        Largest p0^-d on the locks.
    sizes : SampleSizes
        Numbers of data sets on the funnel.
    levels : tuple of float
        Levels of uniform noise on the funnel.
    gammas : tuple of float
        Probabilities of the right action on the locks with one missing step.
    episodes : int
        Episodes on the funnel.
    """

    replicates: int
    longest: int
    sizes: SampleSizes
    levels: tuple[float, ...]
    gammas: tuple[float, ...]
    episodes: int


FULL = Config(
    replicates=200,
    longest=10_000,
    sizes=SampleSizes(replicates=50, block=10, tuning=6, matching=100),
    levels=LEVELS,
    gammas=GAMMAS,
    episodes=60_000,
)
QUICK = Config(
    replicates=120,
    longest=2000,
    sizes=SampleSizes(replicates=4, block=4, tuning=1, matching=50),
    levels=(),
    gammas=GAMMAS[:-1],
    episodes=30_000,
)


@dataclass(frozen=True, kw_only=True)
class Exponent:
    """Fitted slope of log episodes, its interval, and the number of runs that did not reach the target."""

    slope: float
    interval: Interval
    censored: int


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Times on the locks and on the funnel; curves with and without the critic."""
    by_gamma = [(1, gamma) for gamma in config.gammas]
    by_missing = [(d, p) for p in SHARES for d in range(1, HORIZON + 1) if p**-d <= 1.001 * config.longest]
    cells = [
        LockCell(learner=name, missing=d, p=p, replicates=config.replicates)
        for name in LEARNERS
        for d, p in dict.fromkeys((*by_gamma, *by_missing))
    ]
    on_locks = sweep.run("lock-episodes", lock_times, [asdict(cell) for cell in cells])
    times = {(c.learner, c.missing, c.p): result["times"] for c, result in zip(cells, on_locks, strict=True)}
    noise_runs = [FinetuningRun(instance="funnel", start="uniform noise", level=level) for level in config.levels]
    critic_runs = [
        FinetuningRun(instance="funnel", start=start, learner=name, episodes=config.episodes)
        for name in CRITICS
        for start in STARTS
    ]
    results = finetuning_experiment.finetuned([*noise_runs, *critic_runs], config.sizes, sweep)
    with_noise, with_critics = results[: len(noise_runs)], results[len(noise_runs) :]
    rng = sweep.generator("finetune-cost")
    shape = (len(CRITICS), len(STARTS))
    returns = np.array([result["returns"] for result in with_critics])
    bands = np.array([bootstrap_interval(sample, rng) for sample in returns]).reshape(*shape, 2, -1)
    returns = returns.reshape(*shape, config.sizes.replicates, -1)
    whole = finetuning_experiment.checkpoints(FinetuningRun(instance="funnel", start="BC").budget())
    return {
        "gammas": np.array(config.gammas),
        "by_gamma": np.array([[times[name, d, p] for d, p in by_gamma] for name in LEARNERS]),
        "missing": np.array(by_missing),
        "by_missing": np.array([[times[name, d, p] for d, p in by_missing] for name in LEARNERS]),
        "levels": np.array(config.levels),
        "funnel": np.array([finetuning_experiment.first_time(result["returns"], whole) for result in with_noise]),
        "times": finetuning_experiment.checkpoints(config.episodes),
        "mean": returns.mean(axis=2),
        "low": bands[:, :, 0],
        "high": bands[:, :, 1],
        "last": returns[..., -1],
        "average": np.array([result["average"] for result in with_critics]).reshape(returns.shape[:3]),
        "plateau": with_critics[0]["plateau"],
    }


def fitted(x: NDArray[np.float64], times: NDArray[np.float64]) -> Exponent:
    """Slope of the logarithm of times (points, replicates) in x (points,); infinite times are left out and counted."""
    finite = np.isfinite(times)
    line = stats.linregress(np.broadcast_to(x[:, None], times.shape)[finite], np.log(times[finite]))
    half = float(stats.t.isf((1 - CONFIDENCE) / 2, int(finite.sum()) - 2) * line.stderr)
    slope = float(line.slope)
    return Exponent(slope=slope, interval=Interval(slope - half, slope + half), censored=int((~finite).sum()))


def exponents(arrays: Arrays, learner: str) -> dict[str, Exponent]:
    """Fitted exponents: of 1/gamma, and of p0^-d (where that is 10 or more) for each p0; 1 where the law holds."""
    k = list(LEARNERS).index(learner)
    fits = {"gamma": fitted(-np.log(arrays["gammas"]), arrays["by_gamma"][k])}
    d, p = arrays["missing"].T
    for share in SHARES:
        shown = (p == share) & (p**-d > 9.99)
        fits[f"d, p0 = {share:g}"] = fitted(-d[shown] * np.log(share), arrays["by_missing"][k, shown])
    return fits


def check(arrays: Arrays) -> Sequence[Claim]:
    """The exponents are about 1 for learners that find the reward by chance; a critic does not replace coverage."""
    fits = {(name, variable): fit for name in STUMBLING for variable, fit in exponents(arrays, name).items()}
    planned = [
        quantile_interval(row, 0.5, CONFIDENCE)
        for row in arrays["by_gamma"][list(LEARNERS).index("optimistic planning")]
    ]
    spread = Interval(
        max(1.0, max(median.low for median in planned) / min(median.high for median in planned)),
        max(median.high for median in planned) / min(median.low for median in planned),
    )
    postbc, bc = STARTS.index("PostBC"), STARTS.index("BC")
    exact, plain = CRITICS.index("policy gradient, exact critic"), CRITICS.index("policy gradient")
    coverage = arrays["last"][plain, postbc] - arrays["last"][exact, bc]
    gain = mean_interval(arrays["average"][exact, postbc] - arrays["average"][plain, postbc], CONFIDENCE)
    level, last = f"{CONFIDENCE:.0%} interval", int(arrays["times"][-1])
    return [
        _exponent("finetune-cost-gamma", {key: fit for key, fit in fits.items() if key[1] == "gamma"}),
        _exponent("finetune-cost-missing", {key: fit for key, fit in fits.items() if key[1] != "gamma"}),
        Claim(id="finetune-cost-planning", source="E0", relation="<=", interval=spread, bound=2.0, evidence="sampled",
              detail="Lock: optimistic planning over the support needs no more episodes for small gamma; largest over "
              f"smallest median of its episodes ({level} of each)."),
        Claim(id="finetune-cost-critic-plateau", source="B1.6", relation="<=",
              interval=Interval.point(float((arrays["last"][:, bc] - arrays["plateau"]).max())), bound=1e-9,
              evidence="exact",
              detail="Funnel: largest excess of policy gradient from BC over BC's plateau, with the exact critic or "
              "without."),
        Claim(id="finetune-cost-coverage-beats-critic", source="E2", relation=">=",
              interval=mean_interval(coverage, CONFIDENCE), bound=0.0, evidence="sampled",
              detail=f"Funnel: return after {last} episodes, PostBC without a critic minus BC with the exact one "
              f"({level})."),
        Claim(id="finetune-cost-critic-gain", source="E0", relation="<=", interval=_size(gain), bound=0.05,
              evidence="sampled",
              detail="Funnel: size of the gain in PostBC's return from the exact critic, mean over the episodes: from "
              f"{gain.low:.4f} to {gain.high:.4f} ({level})."),
    ]  # fmt: skip


def _size(interval: Interval) -> Interval:
    """Interval of the absolute value."""
    return Interval(max(0.0, interval.low, -interval.high), max(-interval.low, interval.high))


def _exponent(name: str, fits: dict[tuple[str, str], Exponent]) -> Claim:
    """Largest distance of the exponents from 1."""
    distances = [_size(Interval(fit.interval.low - 1, fit.interval.high - 1)) for fit in fits.values()]
    listed = "; ".join(
        f"{learner}, {variable}: {fit.slope:.3f} [{fit.interval.low:.3f}, {fit.interval.high:.3f}], "
        f"{fit.censored} censored"
        for (learner, variable), fit in fits.items()
    )
    quantity = "largest distance from 1 of the exponents of episodes, where 10 or more are expected"
    detail = f"Lock: {quantity} ({CONFIDENCE:.0%} intervals): {listed}."
    return Claim(
        id=name,
        source="E0",
        relation="<=",
        interval=max(distances, key=lambda distance: distance.high),
        bound=0.25,
        evidence="sampled",
        detail=detail,
    )


def draw(arrays: Arrays) -> Figure:
    """Coverage, missing steps, critic."""
    figure = style.new_figure(page=3.1, column=7.2)
    by_gamma, by_missing, critic = style.new_panels(figure, 3, page=3, column=1)
    _draw_gamma(by_gamma, arrays)
    _draw_missing(by_missing, arrays)
    _draw_critic(critic, arrays)
    titles = ("one missing step", "d missing steps", "with and without a critic")
    for i, (axes, title) in enumerate(zip((by_gamma, by_missing, critic), titles, strict=True)):
        style.panel_letter(axes, palette.letter(i), title)
        axes.minorticks_off()
    handles, names = by_gamma.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=style.by_form(len(names), 2),
                  title="a, b: exponent in 1/gamma", title_fontsize=7, alignment="left")  # fmt: skip
    return figure


def _medians(
    axes: Axes, x: NDArray[np.float64], times: NDArray[np.float64], colour: str, marker: str, **look: Any
) -> None:
    """Medians with their intervals; infinite times count as the largest finite one."""
    seen = np.where(np.isfinite(times), times, np.nanmax(times[np.isfinite(times)]))
    ends = [quantile_interval(row, 0.5) for row in seen]
    axes.vlines(x, [e.low for e in ends], [e.high for e in ends], color=colour, lw=1)
    axes.plot(x, np.median(seen, axis=1), color=colour, marker=marker, **look)


def _draw_gamma(axes: Axes, arrays: Arrays) -> None:
    gamma = arrays["gammas"]
    axes.plot(gamma, 1 / gamma, color="#AAAAAA", lw=3, zorder=0)
    for k, name in enumerate(LEARNERS):
        label = f"{name} ({exponents(arrays, name)['gamma'].slope:.2f})" if name in STUMBLING else name
        _medians(axes, gamma, arrays["by_gamma"][k], *learner_look(name), label=label, lw=1)
    if arrays["levels"].size:
        covered = arrays["levels"] / 3 / 0.5  # of three actions; the demonstrator's best has 1/2
        _medians(
            axes,
            covered,
            arrays["funnel"],
            palette.colour("uniform noise"),
            palette.marker("uniform noise"),
            lw=1,
            label="funnel, uniform noise",
        )
    axes.set(xscale="log", yscale="log", xlabel=r"coverage $\gamma$", ylabel=f"episodes to {TARGET:g} J*")
    axes.set_ylim(1, None)


def _draw_missing(axes: Axes, arrays: Arrays) -> None:
    d, p = arrays["missing"].T
    for share in SHARES:
        shown = p == share
        axes.plot(d[shown], share ** -d[shown], color="#AAAAAA", lw=3, zorder=0)
        for k, name in enumerate(LEARNERS):
            line = "-" if share == min(SHARES) else "--"
            _medians(axes, d[shown], arrays["by_missing"][k, shown], *learner_look(name), ls=line, lw=1)
        axes.text(d[shown][-1], share ** -d[shown][-1] * 1.7, f"$p_0$ = {share:g}", ha="center", fontsize=7)
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
