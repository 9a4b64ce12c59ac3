"""From tables to networks: the tabular posterior, the Gaussian posterior, and the ensembles that approximate them.

On one-hot states a linear network is a table: it has one mean action for each state. With p the share of action 1 among
n recorded actions of a state, the deviation of its mean action is, in closed form,

    tabular posterior    m (1 - m)/(n + lambda + 1), square root, with m = (p n + lambda/2)/(n + lambda)
    bootstrap of pairs   p (1 - p) E[1/M], square root, with M ~ Bin(N, n/N) given M > 0, and N pairs in all
    Gaussian posterior   Bayesian linear regression with the network's initial spread as prior (Lemma 7)
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from continuous.ensembles import Recipe, fit_members, resampled_rows
from continuous.training import Training
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular.counts import Counts
from tabular.policies import BC, posterior
from theory.base.streams import stream
from theory.claims import Claim, Interval

FloatArray = NDArray[np.float64]

TITLE = "The same estimator, from tables to networks"
SECTION = "lemma-perturbation"
ALSO = ("lemma-gaussian-posterior",)
CAPTION = (
    "Eight states, each with fewer recorded actions than the one before (two actions, with shares of 0.3 and 0.7, or "
    "as close to that as counts allow). Shown is the standard deviation of the mean action. a: bootstrap of pairs, in "
    "closed form; by linear networks on one-hot states, which are tables; and by networks with hidden layers on the "
    "state's position, which share information between neighbours. Where all recorded actions agree, the bootstrap "
    "shows no uncertainty; a member that draws no action of a state keeps its random initial value there. b: perturbed "
    "targets and parameters regularised towards a draw from the prior (Lemma 7), where linear networks are draws from "
    "the Gaussian posterior. Grey: the tabular (Dirichlet) posterior. Bars: intervals for the sampled deviations; the "
    "probability that any of them misses is 1e-6 (normal approximation)."
)
TAKEN = (19, 10, 5, 2, 1, 1, 0, 0)
VISITS = (64, 32, 16, 8, 4, 2, 1, 0)
NOISE = 0.46
"""Deviation of the perturbed targets: that of an action taken with probability 0.3."""
PRIOR_MASS = 2.0
FALSE_ALARM = 1e-6
ENOUGH = 16
"""Visits of a state that no bootstrap of thousands of members misses: probability exp(-16) for each."""


@dataclass(frozen=True, kw_only=True)
class NetworkKind:
    """A kind of network.

    Parameters
    ----------
    name : str
        Key of its arrays.
    label : str
        Printed label.
    hidden : tuple of int
        Widths of hidden layers; without any, states are one-hot.
    rate : float
        Learning rate.
    """

    name: str
    label: str
    hidden: tuple[int, ...]
    rate: float


KINDS = {
    kind.name: kind
    for kind in (
        NetworkKind(name="linear", label="ensemble, linear", hidden=(), rate=0.1),
        NetworkKind(name="hidden", label="ensemble, hidden layers", hidden=(32, 32), rate=0.01),
    )
}


@dataclass(frozen=True, kw_only=True)
class Version:
    """A way to make ensemble members differ.

    Parameters
    ----------
    name : str
        Version of `Recipe`, and key of its arrays.
    truth, truth_label : str
        Array of the closed form for linear networks, and its printed label.
    title : str
        Title of the panel.
    """

    name: str
    truth: str
    truth_label: str
    title: str


VERSIONS = (
    Version(
        name="state-action",
        truth="bootstrap",
        truth_label="bootstrap, closed form",
        title="pairs drawn with replacement",
    ),
    Version(name="noise", truth="gaussian", truth_label="Gaussian posterior", title="perturbed targets (Lemma 7)"),
)


@dataclass(frozen=True, kw_only=True)
class EnsembleCell:
    """One ensemble: kind of network, version, members, steps of training. Its JSON seeds the draws."""

    kind: str
    version: str
    n_members: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings: members and steps of training of the linear ensembles, and of those with hidden layers."""

    n_linear: int
    n_hidden: int
    linear_steps: int = 800
    hidden_steps: int = 1000


FULL = Config(n_linear=2000, n_hidden=200)
QUICK = Config(n_linear=400, n_hidden=30, hidden_steps=500)


def recorded() -> tuple[NDArray[np.int64], FloatArray]:
    """State and action (0 or 1) of every recorded pair."""
    states = np.repeat(np.arange(len(VISITS)), VISITS)
    actions = np.concatenate([np.arange(n) < k for n, k in zip(VISITS, TAKEN, strict=True)]).astype(np.float64)
    return states, actions


def inputs(kind: str, states: NDArray[np.int64]) -> FloatArray:
    """One-hot states for linear networks; the state's position in [-1, 1] for others."""
    S = len(VISITS)
    return (2 * states / (S - 1) - 1)[:, None] if KINDS[kind].hidden else np.eye(S)[states]


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Mean actions of all members, and the closed forms."""
    cells = [
        EnsembleCell(
            kind=kind.name,
            version=version.name,
            n_members=config.n_hidden if kind.hidden else config.n_linear,
            steps=config.hidden_steps if kind.hidden else config.linear_steps,
        )
        for kind in KINDS.values()
        for version in VERSIONS
    ]
    arrays: Arrays = {"visits": np.array(VISITS), **closed_forms()}
    results = sweep.run("bridge", members, [asdict(cell) for cell in cells])
    for cell, result in zip(cells, results, strict=True):
        for key, values in result.items():
            arrays[f"{cell.kind}_{cell.version}_{key}"] = values
    return arrays


def members(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Mean action of each member at each state; for the linear bootstrap also BC's table from the same pairs."""
    task = EnsembleCell(**cell)
    kind, (states, actions) = KINDS[task.kind], recorded()
    seed = np.random.SeedSequence(int(rng.integers(2**62)))
    training = Training(n_steps=task.steps, batch=states.size, rate=kind.rate)
    recipe = Recipe(n_members=task.n_members, version=task.version, hidden=kind.hidden, training=training, noise=NOISE)
    ends = np.arange(1, states.size + 1)
    network, parameters = fit_members(inputs(task.kind, states), actions[:, None], ends, recipe, seed)
    each_state = inputs(task.kind, np.arange(len(VISITS)))
    mean = np.stack([network.forward(member, each_state)[:, 0] for member in parameters]).astype(np.float64)
    if kind.hidden or task.version != "state-action":
        return {"mean": mean}
    tables = [
        bootstrapped_table(states, actions, resampled_rows("state-action", ends, stream(seed, k)))
        for k in range(task.n_members)
    ]
    return {"mean": mean, "table": np.stack(tables)}


def bootstrapped_table(states: NDArray[np.int64], actions: FloatArray, rows: NDArray[np.int64]) -> FloatArray:
    """BC's probability of action 1 at each state from the drawn pairs; NaN where a state was not drawn."""
    counts = np.zeros((1, len(VISITS), 2), np.int64)
    np.add.at(counts[0], (states[rows], actions[rows].astype(int)), 1)
    return np.where(counts[0].sum(axis=1) > 0, BC.policy(Counts(counts))[0, :, 1], np.nan)


def closed_forms() -> Arrays:
    """Deviations of tabular posterior, bootstrap of pairs and Gaussian posterior, and the mean of the last."""
    k, n, N = np.array(TAKEN), np.array(VISITS), sum(VISITS)
    counts = Counts(np.stack([n - k, k], axis=1)[None])
    mean = posterior(PRIOR_MASS).policy(counts)[0, :, 1]
    share = k / np.maximum(n, 1)
    drawn = np.arange(1, N + 1)
    inverse = np.array(
        [(stats.binom.pmf(drawn, N, m / N) / drawn).sum() / max(stats.binom.sf(0, N, m / N), 1e-300) for m in n]
    )
    design = np.column_stack([np.eye(n.size), np.ones(n.size)])
    prior = np.full(n.size + 1, np.sqrt(1 / n.size))  # the initial spread of a linear network with that many inputs
    precision = design.T @ (n[:, None] * design) / NOISE**2 + np.diag(1 / prior**2)
    covariance = design @ np.linalg.solve(precision, design.T)
    return {
        "tabular": np.sqrt(mean * (1 - mean) / (n + PRIOR_MASS + 1)),
        "bootstrap": np.where(n > 0, np.sqrt(share * (1 - share) * inverse), np.nan),
        "gaussian": np.sqrt(np.diag(covariance)),
        "gaussian_mean": design @ np.linalg.solve(precision, design.T @ k / NOISE**2),
    }


def deviation_interval(sample: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Ends of the interval of each column's deviation: standard error of the variance from the fourth moment."""
    away = sample - sample.mean(axis=0)
    variance = (away**2).sum(axis=0) / (len(sample) - 1)
    error = np.sqrt(np.maximum((away**4).mean(axis=0) - variance**2, 0.0) / len(sample))
    z = float(stats.norm.isf((1 - confidence) / 2))
    return np.sqrt(np.maximum(variance - z * error, 0.0)), np.sqrt(variance + z * error)


def _level(arrays: Arrays) -> float:
    return 1 - FALSE_ALARM / arrays["visits"].size


def ratio(arrays: Arrays, key: str, truth: str, where: NDArray[np.bool_]) -> Interval:
    """Interval of the ratio of sampled to true deviation, of the state where it is farthest from 1."""
    low, high = (end[where] / arrays[truth][where] for end in deviation_interval(arrays[key], _level(arrays)))
    farthest = int(np.argmax(np.maximum(low - 1, 1 - high)))
    return Interval(float(low[farthest]), float(high[farthest]))


def check(arrays: Arrays) -> Sequence[Claim]:
    """Linear ensembles are the table and the Gaussian posterior."""
    enough = arrays["visits"] >= ENOUGH
    table, mean = arrays["linear_state-action_table"], arrays["linear_state-action_mean"]
    difference = np.nanmax(np.abs(table - mean))
    variance_times_visits = arrays["bootstrap"][enough] ** 2 * arrays["visits"][enough]
    share = np.array(TAKEN)[enough] / arrays["visits"][enough]
    simple = float(np.max(np.abs(variance_times_visits / (share * (1 - share)) - 1)))
    boot = ratio(arrays, "linear_state-action_mean", "bootstrap", enough)
    bayes = ratio(arrays, "linear_noise_mean", "gaussian", np.ones_like(enough))
    perturbed = arrays["linear_noise_mean"]
    errors = np.abs(perturbed.mean(axis=0) - arrays["gaussian_mean"]) / arrays["gaussian"] * np.sqrt(len(perturbed))
    level = f"intervals with false alarm {FALSE_ALARM:g} for all states together, normal approximation"
    return [
        Claim(id="bridge-table", source="Algorithm A", relation="<=", interval=Interval.point(float(difference)),
              bound=5e-3, evidence="exact",
              detail="Largest difference, over members and the states that they drew, between a linear network on "
              "one-hot states and BC's table of the same pairs."),
        Claim(id="bridge-simple-form", source="Algorithm A", relation="<=", interval=Interval.point(simple),
              bound=2 / ENOUGH, evidence="exact",
              detail=f"Largest relative difference of the bootstrap's variance from p(1-p)/T_h(s), states of {ENOUGH} "
              "visits or more."),
        Claim(id="bridge-bootstrap-low", source="Algorithm A", relation="<=", interval=Interval.point(boot.low),
              bound=1.0, evidence="sampled",
              detail=f"Low end of the ratio of the linear bootstrap's deviation to the closed form ({level}; the state "
              f"farthest from 1, of those with {ENOUGH} visits or more)."),
        Claim(id="bridge-bootstrap-high", source="Algorithm A", relation=">=", interval=Interval.point(boot.high),
              bound=1.0, evidence="sampled",
              detail="High end of the same ratio."),
        Claim(id="bridge-posterior-low", source="lemma-perturbation", relation="<=", interval=Interval.point(bayes.low),
              bound=1.0, evidence="sampled",
              detail="Low end of the ratio of the perturbed linear ensemble's deviation to the Gaussian posterior's "
              f"({level}; worst of all states)."),
        Claim(id="bridge-posterior-high", source="lemma-perturbation", relation=">=",
              interval=Interval.point(bayes.high), bound=1.0, evidence="sampled",
              detail="High end of the same ratio."),
        Claim(id="bridge-posterior-mean", source="lemma-perturbation", relation="<=",
              interval=Interval.point(float(errors.max())), bound=float(stats.norm.isf(FALSE_ALARM / 2 / errors.size)),
              evidence="sampled",
              detail="Largest distance of the perturbed linear ensemble's mean from the Gaussian posterior's, in "
              f"standard errors; bound: false alarm {FALSE_ALARM:g} for all states together."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One panel for each version: the bootstrap, then perturbed targets."""
    figure = style.new_figure(page=3.0, column=5.4)
    panels = style.new_panels(figure, len(VERSIONS), page=2, column=1, sharey=True)
    for i, (axes, version) in enumerate(zip(panels, VERSIONS, strict=True)):
        _draw_panel(axes, arrays, version)
        style.panel_letter(axes, palette.letter(i), version.title)
    style.name_axes(panels, "recorded actions at the state", "deviation of the mean action")
    return figure


def _draw_panel(axes: Axes, arrays: Arrays, version: Version) -> None:
    x = np.arange(arrays["visits"].size)
    axes.plot(x, arrays["tabular"], color=palette.colour("demonstrator"), lw=3, alpha=0.35, label="tabular posterior")
    axes.plot(x, arrays[version.truth], color="black", ls="--", lw=1.2, marker="_", ms=9, label=version.truth_label)
    for k, kind in enumerate(KINDS.values()):
        sample, colour = arrays[f"{kind.name}_{version.name}_mean"], palette.series_colour(k)
        low, high = deviation_interval(sample, _level(arrays))
        shifted = x + 0.24 * (k - (len(KINDS) - 1) / 2)
        axes.vlines(shifted, low, high, color=colour, lw=1.2)
        axes.plot(shifted, sample.std(axis=0, ddof=1), color=colour, ls="none", marker="o", label=kind.label)
    axes.set_xticks(x, [str(n) for n in arrays["visits"]])
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
