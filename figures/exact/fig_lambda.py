"""Which prior mass covers most at one price: chosen on one set of data, scored on another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.exact import cloning_experiment
from figures.exact.cloning_experiment import DELTA, FALSE_ALARM, INSTANCES
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Cell, Sweep
from tabular.demonstrations import sample_counts
from tabular.family import family_coverages, family_returns, matched_alpha
from tabular.instances import Instance
from tabular.policies import BC, Estimator, paper_choice
from theory.bounds.coverage import best_prior_mass
from theory.claims import Claim, Interval

TITLE = "Which prior mass covers most at one price"
CAPTION = (
    "Coverage reached with probability 0.9 on held-out data, at one expected loss above BC's: that of PostBC with the "
    "paper's alpha and lambda. For each lambda, alpha is chosen on other data so that the loss is the same. Bands: 95 "
    "% distribution-free intervals for each point. Best: the lambda, of a grid, that covered most on the data it was "
    "chosen on. Where uniform noise lies as high as PostBC or above it, PostBC does not win."
)
CHOICES = ("uniform noise", "PostBC", "PostBC, lambda = L'/2", "best")
GRID_FACTORS = (1 / 16, 1 / 4, 4.0, 16.0)
"""Other prior masses that are tried, as multiples of L'/2."""


@dataclass(frozen=True)
class Config:
    """Settings: numbers of demonstrations, data sets to choose on and as many to score on, alphas tried, instances."""

    n_demos: tuple[int, ...]
    replicates: int
    n_alphas: int
    instances: tuple[str, ...]


FULL = Config((30, 100, 300, 1000, 3000, 10000), 1000, 16, tuple(INSTANCES))
QUICK = Config(
    (30, 100, 300, 1000, 3000), 200, 6, tuple(name for name in INSTANCES if name not in ("FrozenLake8x8", "Taxi"))
)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Held-out coverage and loss of each choice, with intervals; those of every lambda on the grid."""
    seed = int(sweep.generator("instances").integers(2**62))
    cells = [
        {
            "instance": name,
            "instance_seed": seed,
            "n_demos": T,
            "replicates": config.replicates,
            "n_alphas": config.n_alphas,
        }
        for name in config.instances
        for T in config.n_demos
    ]
    results = sweep.run("prior-mass", choose_and_score, cells)
    shape = (len(config.instances), len(config.n_demos))
    gamma = np.stack([r["coverage"] for r in results]).reshape(*shape, len(CHOICES), -1)
    excess = np.stack([r["excess"] for r in results]).reshape(gamma.shape)
    low, high = intervals(gamma, 0.95, DELTA)
    level = 1 - FALSE_ALARM / (shape[0] * shape[1] * len(CHOICES))
    strict_low, strict_high = intervals(gamma, level, DELTA)
    budget = np.array([float(r["budget"]) for r in results]).reshape(shape)
    price = (excess - excess[:, :, [CHOICES.index("PostBC")]]) / budget[..., None, None]
    price_low, price_high = intervals(price, level)
    return {
        "instances": np.array(config.instances),
        "n_demos": np.array(config.n_demos),
        "gamma": cloning_experiment.lower_quantile(gamma, DELTA),
        "low": low,
        "high": high,
        "strict_low": strict_low,
        "strict_high": strict_high,
        "excess": excess.mean(axis=-1),
        "price_low": price_low,
        "price_high": price_high,
        "budget": budget,
        "alpha": np.stack([r["alpha"] for r in results]).reshape(*shape, -1),
        "mass": np.stack([r["mass"] for r in results]).reshape(*shape, -1),
    }


def choose_and_score(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Match alpha to each prior mass and pick the best mass on one set of data; score the choices on another."""
    instance = cloning_experiment.build(cell["instance"], cell["instance_seed"])
    H, S, A = instance.mdp.policy_shape
    T = cell["n_demos"]
    paper, ours = paper_choice(A, H, T), best_prior_mass(S, A, H, DELTA)
    masses = [math.inf, paper.prior_mass, ours, *(factor * ours for factor in GRID_FACTORS)]
    alphas = np.concatenate([[0.0], np.geomspace(paper.alpha / 50, 1.0, cell["n_alphas"])])
    tried = [paper, *(Estimator(a, mass) for mass in masses for a in alphas)]
    excess, gamma = replicates(instance, tried, T, cell["replicates"], rng)
    mean = excess.mean(axis=1)
    budget, grid = float(mean[0]), mean[1:].reshape(len(masses), -1)
    matched = [matched_alpha(alphas, losses, max(0.0, budget)) for losses in grid]
    reached = cloning_experiment.lower_quantile(gamma[1:], DELTA).reshape(len(masses), -1)
    best = int(np.argmax([np.interp(a, alphas, g) for a, g in zip(matched, reached, strict=True)]))
    chosen = [0, 1, 2, best]
    members = [Estimator(matched[i], masses[i]) for i in chosen]
    excess, gamma = replicates(instance, members, T, cell["replicates"], rng)
    return {
        "excess": excess,
        "coverage": gamma,
        "budget": np.array(budget),
        "alpha": np.array([member.alpha for member in members]),
        "mass": np.array([member.prior_mass for member in members]),
    }


def replicates(
    instance: Instance, members: Sequence[Estimator], n_demos: int, n_sets: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Loss above BC's on the same data, and coverage, of each member on each of some new data sets, (L, sets)."""
    excess, gamma = np.empty((len(members), n_sets)), np.empty((len(members), n_sets))
    for r in range(n_sets):
        counts = sample_counts(instance.mdp, instance.demonstrator, n_demos, rng)
        returns = family_returns(instance.mdp, counts, [BC, *members])
        excess[:, r] = returns[0] - returns[1:]
        gamma[:, r] = family_coverages(counts, instance.demonstrator, instance.reachable, members)
    return excess, gamma


def check(arrays: Arrays) -> Sequence[Claim]:
    """The prices are equal; who covers more, and where PostBC does not."""
    names = [str(name) for name in arrays["instances"]]
    low, high = arrays["strict_low"], arrays["strict_high"]
    uniform, paper, ours, _ = range(len(CHOICES))
    apart = np.maximum(np.abs(arrays["price_low"]), np.abs(arrays["price_high"])).max(axis=2)
    price, price_at = cloning_experiment.worst(names, apart)
    above = low[:, :, ours] > high[:, :, uniform]
    more, more_at = cloning_experiment.worst(names, low[:, :, ours] / high[:, :, paper])
    less, less_at = cloning_experiment.worst(names, low[:, :, uniform] / high[:, :, ours])
    level = f"intervals with false alarm {FALSE_ALARM:g} for all together"
    return [
        Claim("lambda-one-price", "R3", "<=", Interval.point(price), 0.25, "sampled",
              "Largest difference of the held-out losses above BC's from that of the paper's choice, as a "
              f"share of the budget (far ends of {level}); largest on {price_at}."),
        Claim("lambda-ours-above-uniform", "R3", ">=", Interval.point(float(above.mean())), 0.5, "sampled",
              f"Share of instances and T where lambda = L'/2 covers more than uniform noise at one price, beyond both "
              f"{level}."),
        Claim("lambda-ours-above-paper", "R3", ">=", Interval.point(more), 1.0, "sampled",
              f"Largest ratio of the coverage with lambda = L'/2 (low end) to that with the paper's lambda (high end) "
              f"at one price ({level}); on {more_at}."),
        Claim("lambda-uniform-sometimes-above", "R3", ">=", Interval.point(less), 1.0, "sampled",
              f"PostBC does not always win: largest ratio of the coverage of uniform noise (low end) to that with "
              f"lambda = L'/2 (high end) at one price ({level}); on {less_at}."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One panel an instance."""
    n_panels = arrays["instances"].size
    figure = style.new_figure(page=4.0, column=1.65 * (n_panels // 2 + 1))
    ylabel = f"held-out $\\gamma$, probability {1 - DELTA:g}"
    panels, corner = style.instance_panels(figure, n_panels, ylabel=ylabel, sharey=True)
    for i, (axes, name) in enumerate(zip(panels, arrays["instances"], strict=True)):
        _draw_instance(axes, arrays, i)
        style.panel_letter(axes, "abcdefg"[i], str(name))
    _legend(corner)
    return figure


STYLES = {"best": {"color": "#777777", "ls": "--", "marker": "x"}}


def _style_of(name: str) -> dict[str, str]:
    return STYLES.get(name) or {"color": palette.colour(name), "marker": palette.marker(name), "ls": "-"}


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    T = arrays["n_demos"]
    for k, name in enumerate(CHOICES):
        low, high, middle = (np.minimum(arrays[key][i, :, k], 1.0) for key in ("low", "high", "gamma"))
        look = _style_of(name)
        if name != "best":
            axes.fill_between(T, low, high, color=look["color"], alpha=0.2, lw=0)
        axes.plot(T, middle, color=look["color"], marker=look["marker"], ls=look["ls"], ms=3, lw=1.1)
    axes.set(xscale="log", yscale="log")
    axes.minorticks_off()


def _legend(axes: Axes) -> None:
    axes.set_axis_off()
    for name in CHOICES:
        look = _style_of(name)
        label = {"best": "best on the other data", "PostBC": "PostBC, paper's $\\lambda$"}.get(
            name, palette.label(name)
        )
        axes.plot([], [], color=look["color"], marker=look["marker"], ls=look["ls"], label=label)
    style.name_intervals(axes)
    axes.legend(loc="center", fontsize=7.5)
