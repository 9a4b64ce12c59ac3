"""Four estimators in one state: the policy of each from the same n demonstrated actions, as n grows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular.counts import Counts
from tabular.coverage import coverage
from tabular.exact_coverage import action_coverage_probability
from tabular.policies import BC, MixtureEstimator, postbc, posterior, uniform_noise
from theory.claims import Claim, Interval
from theory.statistics.probability import clopper_pearson

TITLE = "Four policies in one state"
SECTION = "lemma-coverage"
CAPTION = (
    "One state with four actions, which the demonstrator plays with probability 0.6, 0.25, 0.1 and 0.05 (dotted). a-d: "
    "probability of each action after n draws, the same draws for all policies (of 99 sequences, the one in which the "
    "rarest action first appears at the median time). e: weight of the uniform distribution in each policy. f: exact "
    "probability that the rarest action has at least a quarter of the demonstrator's probability."
)
DEMONSTRATOR = (0.6, 0.25, 0.1, 0.05)
GAMMA = 0.25
N_HISTORIES = 99
"""Histories drawn; the one shown has the median time of the first rarest action."""
FALSE_ALARM = 1e-6


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An estimator of this figure, and the place of its name in the panel of the noise weights, in data units."""

    estimator: MixtureEstimator
    name_at: tuple[float, float]
    weight_label: str = ""


SHOWN = {
    entry.estimator.name: entry
    for entry in (
        Shown(estimator=BC, name_at=(30, 1.6e-3), weight_label="BC: 0"),
        Shown(estimator=uniform_noise(0.25), name_at=(150, 0.29)),
        Shown(estimator=posterior(4.0), name_at=(9, 0.42)),
        Shown(estimator=postbc(0.5, 4.0), name_at=(2.0, 0.13)),
    )
}
"""Further entries go to the end."""
NOISY = ("uniform noise", "posterior", "PostBC")
"""Estimators that, as a claim says, give every action some probability."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings: the largest n, and data sets of the sampled check."""

    largest: int = 1000
    replicates: int = 4000


FULL = Config(replicates=40_000)
QUICK = Config()
CHECKED_VISITS = (1, 5, 20, 60)


@dataclass(frozen=True, kw_only=True)
class DrawsCell:
    """Data sets of n draws. Its JSON seeds them."""

    n: int
    replicates: int


def estimators() -> list[MixtureEstimator]:
    """Estimators of this figure, in their order."""
    return [entry.estimator for entry in SHOWN.values()]


def compute(config: Config, sweep: Sweep) -> Arrays:
    """One history of draws, the policies along it, exact coverage, sampled misses."""
    A = len(DEMONSTRATOR)
    histories = sweep.generator("estimators").choice(A, size=(N_HISTORIES, config.largest), p=DEMONSTRATOR)
    first = np.where(histories == A - 1, np.arange(config.largest), config.largest).min(axis=1)
    draws = histories[np.argsort(first, kind="stable")[N_HISTORIES // 2]]
    history = np.cumsum(np.eye(A, dtype=np.int64)[draws], axis=0)
    n = np.arange(1, config.largest + 1)
    curve_n = np.unique(np.geomspace(1, config.largest, 80).astype(int))
    cells = [DrawsCell(n=k, replicates=config.replicates) for k in CHECKED_VISITS]
    results = sweep.run("estimators", sample_coverage, [asdict(cell) for cell in cells])
    return {
        "n": n,
        "probability": np.stack([[e.policy(Counts(k[None, None]))[0, 0] for k in history] for e in estimators()]),
        "noise_weight": np.stack([e.noise_weight(n) for e in estimators()]),
        "curve_n": curve_n,
        "covered": np.array(
            [
                [action_coverage_probability(int(k), 1.0, DEMONSTRATOR[-1], A, e, GAMMA) for k in curve_n]
                for e in estimators()
            ]
        ),
        "policies": np.array(list(SHOWN)),
        "checked_n": np.array(CHECKED_VISITS),
        "replicates": np.array(config.replicates),
        "missed": np.array([int(r["missed"]) for r in results]),
        "least_coverage": np.stack([r["least_coverage"] for r in results]),
    }


def sample_coverage(cell: Cell, rng: np.random.Generator) -> Arrays:
    """How often BC gives the rarest action probability 0, and the least coverage of each estimator."""
    task = DrawsCell(**cell)
    data = rng.multinomial(task.n, DEMONSTRATOR, size=task.replicates)
    least, pi_beta = np.ones(len(SHOWN)), np.array([[DEMONSTRATOR]])
    for counts in np.unique(data, axis=0):
        for i, estimator in enumerate(estimators()):
            least[i] = min(least[i], coverage(estimator.policy(Counts(counts[None, None])), pi_beta))
    return {"missed": np.array(int((data[:, -1] == 0).sum())), "least_coverage": least}


def check(arrays: Arrays) -> Sequence[Claim]:
    """BC misses as often as the exact probability says; policies with noise never give 0; PostBC's noise vanishes."""
    n, trials = arrays["checked_n"], int(arrays["replicates"])
    confidence = 1 - FALSE_ALARM / n.size
    margins = []
    for k, missed in zip(n, arrays["missed"], strict=True):
        exact = float(stats.binom.pmf(0, int(k), DEMONSTRATOR[-1]))
        interval = clopper_pearson(int(missed), trials, confidence)
        margins.append(min(exact - interval.low, interval.high - exact))
    policies = arrays["policies"].tolist()
    last = dict(zip(policies, arrays["probability"][:, -1], strict=True))
    distance = {name: np.abs(probability - last["BC"]).sum() for name, probability in last.items()}
    n_last, largest = int(arrays["n"][-1]), max(CHECKED_VISITS)
    noise = min(float(SHOWN[name].estimator.noise_weight([largest])[0]) for name in NOISY)
    guaranteed = noise / (len(DEMONSTRATOR) * max(DEMONSTRATOR))
    postbc_noise = float(SHOWN["PostBC"].estimator.noise_weight([n_last])[0])
    least = arrays["least_coverage"][:, [policies.index(name) for name in NOISY]].min()
    return [
        Claim(id="estimators-bc-misses", source="B1.2", relation=">=", interval=Interval.point(min(margins)), bound=0.0,
              evidence="sampled",
              detail="Smallest distance of (1-p)^n from the ends of the sampled share's Clopper-Pearson interval, n in "
              f"{list(CHECKED_VISITS)}; false alarm {FALSE_ALARM:g} for all."),
        Claim(id="estimators-others-cover", source="companion", relation=">=", interval=Interval.point(float(least)),
              bound=guaranteed * (1 - 1e-12), evidence="sampled",
              detail="Least coverage of uniform noise, posterior and PostBC over all data sets drawn, n up to "
              f"{largest}, against what the noise alone gives an action that was never drawn."),
        Claim(id="estimators-noise-vanishes", source="B3.9", relation="<=",
              interval=Interval.point(float(distance["PostBC"])), bound=2 * postbc_noise,
              evidence="exact",
              detail=f"Sum of |PostBC - BC| over the actions after {n_last} draws, against 2 alpha lambda/(n + "
              "lambda)."),
        Claim(id="estimators-noise-stays", source="companion", relation=">=",
              interval=Interval.point(float(distance["uniform noise"])), bound=0.1, evidence="exact",
              detail=f"Sum of |uniform noise - BC| over the actions after {n_last} draws."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """A panel for each policy, and two summaries."""
    figure = style.new_figure(page=4.4, column=7.6)
    top, bottom = style.new_parts(figure, (1, 1.05))
    panels = style.new_panels(top, arrays["policies"].size, page=4, column=2, sharex=True, sharey=True)
    for i, axes in enumerate(panels):
        _draw_policy(axes, arrays, i)
    style.name_axes(panels, "draws n", "probability of an action")
    weight, covered = style.new_panels(bottom, 2, page=2, column=1)
    _draw_weight(weight, arrays)
    _draw_covered(covered, arrays)
    style.panel_letter(weight, palette.letter(len(panels)), "noise weight")
    style.panel_letter(covered, palette.letter(len(panels) + 1), f"rarest action covered, $\\gamma$ = {GAMMA:g}")
    return figure


def _draw_policy(axes: Axes, arrays: Arrays, i: int) -> None:
    name = str(arrays["policies"][i])
    greys = ("#BBBBBB", "#999999", "#777777")
    for a, p in enumerate(DEMONSTRATOR):
        rare = a == len(DEMONSTRATOR) - 1
        colour = palette.colour(name) if rare else greys[a]
        axes.axhline(p, color=colour, lw=0.8, ls=":")
        axes.plot(arrays["n"], arrays["probability"][i, :, a], color=colour, lw=1.6 if rare else 1.0)
    axes.set(xscale="log", xlim=(0.8, 1.3 * arrays["n"][-1]), ylim=(0, 1))
    if i == 0:
        axes.text(8, 0.75, "rarest action:\n0 until drawn", color=palette.colour(name), fontsize=6.5)
    style.panel_letter(axes, palette.letter(i), name)


def _draw_weight(axes: Axes, arrays: Arrays) -> None:
    for i, name in enumerate(map(str, arrays["policies"])):
        weight = np.maximum(arrays["noise_weight"][i], 1.05e-3)
        axes.plot(arrays["n"], weight, color=palette.colour(name))
        axes.text(*SHOWN[name].name_at, SHOWN[name].weight_label or name, color=palette.colour(name), fontsize=7)
    axes.set(xscale="log", yscale="log", ylim=(1e-3, 1.2), xlabel="draws n", ylabel="noise weight $a_n$")


def _draw_covered(axes: Axes, arrays: Arrays) -> None:
    for i, name in enumerate(map(str, arrays["policies"])):
        axes.plot(arrays["curve_n"], arrays["covered"][i], color=palette.colour(name))
    axes.text(12, 0.36, "BC", color=palette.colour("BC"), fontsize=7)
    axes.text(34, 0.84, "PostBC", color=palette.colour("PostBC"), fontsize=7, ha="right")
    axes.text(1.1, 1.04, "posterior, uniform noise: (nearly) 1", color=palette.colour("demonstrator"), fontsize=7)
    axes.set(xscale="log", ylim=(0, 1.12), yticks=np.linspace(0, 1, 6), xlabel="draws n", ylabel="probability")
