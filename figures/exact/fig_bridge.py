"""From tables to networks: the tabular posterior, the Gaussian one, and the ensembles that stand for them."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    "Eight states with fewer and fewer recorded actions (two actions, taken with probability 0.3 and 0.7 or as near as "
    "counts allow). Shown is the standard deviation of the mean action. a, pairs drawn with replacement: in closed "
    "form; by linear networks on one-hot states, which are the table; and by networks with hidden layers on the "
    "state's place, which share between neighbours. Where all recorded actions agree the bootstrap sees no doubt, and "
    "a member that misses a state keeps its random start there. b, targets perturbed and parameters pulled to a "
    "draw from the prior (Lemma 7): linear networks are draws from the Gaussian posterior. Grey: the tabular "
    "(Dirichlet) posterior. Bars: intervals of the sampled deviations, together wrong with probability 1e-6 (normal "
    "approximation)."
)
TAKEN = (19, 10, 5, 2, 1, 1, 0, 0)
VISITS = (64, 32, 16, 8, 4, 2, 1, 0)
NOISE = 0.46
"""Deviation of the perturbed targets: that of an action taken with probability 0.3."""
PRIOR_MASS = 2.0
FALSE_ALARM = 1e-6
ENOUGH = 16
"""Visits from which no member of some thousands misses a state: exp(-16) each."""
KINDS = ("linear", "hidden")


@dataclass(frozen=True)
class Config:
    """Settings: members of the linear and of the other ensembles, steps of training of each."""

    n_linear: int
    n_hidden: int
    linear_steps: int = 800
    hidden_steps: int = 1000


FULL = Config(2000, 200)
QUICK = Config(400, 30, 800, 500)


def recorded() -> tuple[NDArray[np.int64], FloatArray]:
    """State and action (0 or 1) of every recorded pair."""
    states = np.repeat(np.arange(len(VISITS)), VISITS)
    actions = np.concatenate([np.arange(n) < k for n, k in zip(VISITS, TAKEN, strict=True)]).astype(np.float64)
    return states, actions


def inputs(kind: str, states: NDArray[np.int64]) -> FloatArray:
    """One-hot states for linear networks; the state's place in [-1, 1] for others."""
    S = len(VISITS)
    return np.eye(S)[states] if kind == "linear" else (2 * states / (S - 1) - 1)[:, None]


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Mean actions of all members, and what is known in closed form."""
    cells = [
        {
            "kind": kind,
            "version": version,
            "n_members": config.n_linear if kind == "linear" else config.n_hidden,
            "steps": config.linear_steps if kind == "linear" else config.hidden_steps,
        }
        for kind in KINDS
        for version in ("state-action", "noise")
    ]
    arrays: Arrays = {"visits": np.array(VISITS), **closed_forms()}
    for cell, result in zip(cells, sweep.run("bridge", members, cells), strict=True):
        for key, values in result.items():
            arrays[f"{cell['kind']}_{cell['version']}_{key}"] = values
    return arrays


def members(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Mean action of each member at each state; for the linear bootstrap also by its table, from the same pairs."""
    states, actions = recorded()
    seed = np.random.SeedSequence(int(rng.integers(2**62)))
    linear = cell["kind"] == "linear"
    training = Training(n_steps=cell["steps"], batch=states.size, rate=0.1 if linear else 0.01)
    recipe = Recipe(
        n_members=cell["n_members"],
        version=cell["version"],
        hidden=() if linear else (32, 32),
        training=training,
        noise=NOISE,
    )
    ends = np.arange(1, states.size + 1)
    network, parameters = fit_members(inputs(cell["kind"], states), actions[:, None], ends, recipe, seed)
    at = inputs(cell["kind"], np.arange(len(VISITS)))
    found = {"mean": np.stack([network.forward(member, at)[:, 0] for member in parameters]).astype(np.float64)}
    if linear and cell["version"] == "state-action":
        found["table"] = np.stack([
            bootstrapped_table(states, actions, resampled_rows("state-action", ends, stream(seed, k)))
            for k in range(cell["n_members"])
        ])  # fmt: skip
    return found


def bootstrapped_table(states: NDArray[np.int64], actions: FloatArray, rows: NDArray[np.int64]) -> FloatArray:
    """BC's probability of action 1 at each state from the pairs drawn; NaN where the state was missed."""
    counts = np.zeros((1, len(VISITS), 2), np.int64)
    np.add.at(counts[0], (states[rows], actions[rows].astype(int)), 1)
    return np.where(counts[0].sum(axis=1) > 0, BC.policy(Counts(counts))[0, :, 1], np.nan)


def closed_forms() -> Arrays:
    """Deviations: tabular posterior, bootstrap of pairs, Gaussian posterior of the linear network; and its mean."""
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
    """Ends of a deviation's interval, by columns: the variance's error from the fourth moment, normal approximation."""
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
    worst = int(np.argmax(np.maximum(low - 1, 1 - high)))
    return Interval(float(low[worst]), float(high[worst]))


def check(arrays: Arrays) -> Sequence[Claim]:
    """Linear ensembles are the table and the Gaussian posterior."""
    enough = arrays["visits"] >= ENOUGH
    table, mean = arrays["linear_state-action_table"], arrays["linear_state-action_mean"]
    apart = np.nanmax(np.abs(table - mean))
    shrink = arrays["bootstrap"][enough] ** 2 * arrays["visits"][enough]
    share = np.array(TAKEN)[enough] / arrays["visits"][enough]
    simple = float(np.max(np.abs(shrink / (share * (1 - share)) - 1)))
    boot = ratio(arrays, "linear_state-action_mean", "bootstrap", enough)
    bayes = ratio(arrays, "linear_noise_mean", "gaussian", np.ones_like(enough))
    found = arrays["linear_noise_mean"]
    off = np.abs(found.mean(axis=0) - arrays["gaussian_mean"]) / arrays["gaussian"] * np.sqrt(len(found))
    level = f"intervals with false alarm {FALSE_ALARM:g} for all states together, normal approximation"
    return [
        Claim("bridge-table", "Algorithm A", "<=", Interval.point(float(apart)), 5e-3, "exact",
              "Largest difference, over members and the states they drew, of a linear network on one-hot states from "
              "BC's table of the same pairs."),
        Claim("bridge-simple-form", "Algorithm A", "<=", Interval.point(simple), 2 / ENOUGH, "exact",
              f"Largest relative difference of the bootstrap's variance from p(1-p)/T_h(s), states of {ENOUGH} visits "
              "or more."),
        Claim("bridge-bootstrap-low", "Algorithm A", "<=", Interval.point(boot.low), 1.0, "sampled",
              f"Low end of the ratio of the linear bootstrap's deviation to the closed form ({level}; worst of the "
              f"states of {ENOUGH} visits or more)."),
        Claim("bridge-bootstrap-high", "Algorithm A", ">=", Interval.point(boot.high), 1.0, "sampled",
              "High end of the same ratio."),
        Claim("bridge-posterior-low", "lemma-perturbation", "<=", Interval.point(bayes.low), 1.0, "sampled",
              f"Low end of the ratio of the perturbed linear ensemble's deviation to the Gaussian posterior's ({level};"
              " worst of all states)."),
        Claim("bridge-posterior-high", "lemma-perturbation", ">=", Interval.point(bayes.high), 1.0, "sampled",
              "High end of the same ratio."),
        Claim("bridge-posterior-mean", "lemma-perturbation", "<=", Interval.point(float(off.max())),
              float(stats.norm.isf(FALSE_ALARM / 2 / off.size)), "sampled",
              "Largest distance of the perturbed linear ensemble's mean from the Gaussian posterior's, in standard "
              f"errors; bound: false alarm {FALSE_ALARM:g} for all states together."),
    ]  # fmt: skip


COLOURS = {"linear": palette.series_colour(0), "hidden": palette.series_colour(2)}


def draw(arrays: Arrays) -> Figure:
    """The bootstrap first, then perturbed targets."""
    figure = style.new_figure(page=3.0, column=5.4)
    panels = style.new_panels(figure, 2, page=2, column=1, sharey=True)
    for axes, letter, version, truth, title, name in (
        (panels[0], "a", "state-action", "bootstrap", "pairs drawn with replacement", "bootstrap, closed form"),
        (panels[1], "b", "noise", "gaussian", "perturbed targets (Lemma 7)", "Gaussian posterior"),
    ):
        _draw_panel(axes, arrays, version, truth, name)
        style.panel_letter(axes, letter, title)
    style.name_axes(panels, "recorded actions at the state", "deviation of the mean action")
    return figure


def _draw_panel(axes: Axes, arrays: Arrays, version: str, truth: str, name: str) -> None:
    x = np.arange(arrays["visits"].size)
    axes.plot(x, arrays["tabular"], color=palette.colour("demonstrator"), lw=3, alpha=0.35, label="tabular posterior")
    axes.plot(x, arrays[truth], color="black", ls="--", lw=1.2, marker="_", ms=9, label=name)
    for shift, kind, label in ((-0.12, "linear", "ensemble, linear"), (0.12, "hidden", "ensemble, hidden layers")):
        sample = arrays[f"{kind}_{version}_mean"]
        low, high = deviation_interval(sample, _level(arrays))
        axes.vlines(x + shift, low, high, color=COLOURS[kind], lw=1.2)
        axes.plot(x + shift, sample.std(axis=0, ddof=1), color=COLOURS[kind], ls="none", marker="o", label=label)
    axes.set_xticks(x, [str(n) for n in arrays["visits"]])
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
