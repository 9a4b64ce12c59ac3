"""Which prior mass covers most at equal price: alpha is matched on one set of data, coverage is measured on another.

The price of an estimator is its expected loss above BC's. The budget is the price of PostBC with the paper's alpha and
lambda. Each choice is a family of estimators with a weight alpha in [0, 1], and alpha = 0 is BC; its alpha is the
largest with which the price stays within the budget.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.exact import cloning_experiment
from figures.exact.cloning_experiment import FALSE_ALARM, INSTANCES
from figures.exact.estimators import DELTA, NOISE_FAMILIES, coverages, paper_member, returns
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Cell, Sweep
from tabular.demonstrations import sample_counts
from tabular.family import matched_alpha
from tabular.instances import Instance
from tabular.policies import BC, MixtureEstimator, PolicyEstimator
from theory.claims import Claim, Interval

TITLE = "Which prior mass covers most at equal price"
CAPTION = (
    "Coverage reached with probability 0.9 on held-out data sets. All policies have the same expected loss, that of "
    "PostBC with the paper's alpha and lambda: for each lambda, alpha is chosen on other data sets to give this loss. "
    "Bands: 95 % distribution-free intervals for each point. Best: of several lambdas, the one that covered most on "
    "the data sets on which it was chosen. Where uniform noise is as high as PostBC or higher, PostBC does not win."
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A family of estimators whose alpha is matched to the budget.

    Parameters
    ----------
    name : str
        With a look in `figures.look.palette`.
    member : callable
        Estimator for an instance, T and alpha; BC at alpha = 0.
    label : str, optional
        Printed label, where it is not that of the name.
    """

    name: str
    member: Callable[[Instance, int, float], PolicyEstimator]
    label: str = ""


def _noise(name: str, instance: Instance, n_demos: int, alpha: float) -> MixtureEstimator:
    H, S, A = instance.mdp.policy_shape
    return NOISE_FAMILIES[name].member(alpha, n_states=S, n_actions=A, horizon=H, n_demos=n_demos, delta=DELTA)


LABELS = {"PostBC": "PostBC, paper's $\\lambda$"}
CHOICES: dict[str, Choice] = {
    name: Choice(name=name, member=partial(_noise, name), label=LABELS.get(name, "")) for name in NOISE_FAMILIES
}
"""Choices of this figure. Further entries go to the end."""
BEST = "best"
"""The prior mass, of those of the judged choices and a grid, that covered most on the data for matching."""
JUDGED = ("uniform noise", "PostBC", "PostBC, lambda = L'/2", BEST)
"""Choices that claims are about; the confidence of joint intervals counts these."""
GRID_FACTORS = (1 / 16, 1 / 4, 4.0, 16.0)
"""Prior masses of the grid, as multiples of L'/2."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    n_demos : tuple of int
        Numbers of demonstrations T.
    replicates : int
        Data sets for matching; the same number is held out.
    n_alphas : int
        Positive alphas that are tried.
    instances : tuple of str
        Of `cloning_experiment.INSTANCES`.
    """

    n_demos: tuple[int, ...]
    replicates: int
    n_alphas: int
    instances: tuple[str, ...]


FULL = Config(n_demos=(30, 100, 300, 1000, 3000, 10000), replicates=1000, n_alphas=16, instances=tuple(INSTANCES))
QUICK = Config(
    n_demos=(30, 100, 300, 1000, 3000),
    replicates=200,
    n_alphas=6,
    instances=("chain lock", "DeepSea", "grid", "funnel", "Garnet"),
)


@dataclass(frozen=True, kw_only=True)
class MatchingCell:
    """One instance (with the seed of random ones) and T. Its JSON seeds the draws."""

    instance: str
    instance_seed: int
    n_demos: int
    replicates: int
    n_alphas: int


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Held-out coverage and loss of each choice, with intervals."""
    seed = cloning_experiment.instance_seed(sweep)
    cells = [
        MatchingCell(
            instance=name, instance_seed=seed, n_demos=T, replicates=config.replicates, n_alphas=config.n_alphas
        )
        for name in config.instances
        for T in config.n_demos
    ]
    results = sweep.run("prior-mass", match_and_measure, [asdict(cell) for cell in cells])
    shape = (len(config.instances), len(config.n_demos))
    choices = [*CHOICES, BEST]
    gamma = np.stack([r["coverage"] for r in results]).reshape(*shape, len(choices), -1)
    excess = np.stack([r["excess"] for r in results]).reshape(gamma.shape)
    low, high = intervals(gamma, 0.95, DELTA)
    level = 1 - FALSE_ALARM / (shape[0] * shape[1] * len(JUDGED))
    strict_low, strict_high = intervals(gamma, level, DELTA)
    budget = np.array([float(r["budget"]) for r in results]).reshape(shape)
    price = (excess - excess[:, :, [choices.index("PostBC")]]) / budget[..., None, None]
    price_low, price_high = intervals(price, level)
    return {
        "instances": np.array(config.instances),
        "choices": np.array(choices),
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


def match_and_measure(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Match alpha of each choice and find the best prior mass on one set of data; measure them on another."""
    task = MatchingCell(**cell)
    instance, T = cloning_experiment.build(task.instance, task.instance_seed), task.n_demos
    paper, log_mass = paper_member(instance, T), _noise("PostBC, lambda = L'/2", instance, T, 1.0).prior_mass
    families: list[Callable[[float], PolicyEstimator]] = [
        *(partial(choice.member, instance, T) for choice in CHOICES.values()),
        *(partial(_with_mass, factor * log_mass) for factor in GRID_FACTORS),
    ]
    of_the_grid = range(len(CHOICES), len(families))
    candidates = [*(k for k, name in enumerate(CHOICES) if name in JUDGED), *of_the_grid]
    alphas = np.concatenate([[0.0], np.geomspace(paper.alpha / 50, 1.0, task.n_alphas)])
    tried = [paper, *(family(alpha) for family in families for alpha in alphas.tolist())]
    excess, gamma = replicates(instance, tried, T, task.replicates, rng)
    mean = excess.mean(axis=1)
    budget, losses = float(mean[0]), mean[1:].reshape(-1, alphas.size)
    matched = [matched_alpha(alphas, row, max(0.0, budget)) for row in losses]
    reached = cloning_experiment.lower_quantile(gamma[1:], DELTA).reshape(-1, alphas.size)
    best = candidates[int(np.argmax([np.interp(matched[k], alphas, reached[k]) for k in candidates]))]
    chosen = [*range(len(CHOICES)), best]
    members = [families[k](matched[k]) for k in chosen]
    excess, gamma = replicates(instance, members, T, task.replicates, rng)
    return {
        "excess": excess,
        "coverage": gamma,
        "budget": np.array(budget),
        "alpha": np.array([matched[k] for k in chosen]),
        "mass": np.array([member.prior_mass if isinstance(member, MixtureEstimator) else np.nan for member in members]),
    }


def _with_mass(prior_mass: float, alpha: float) -> MixtureEstimator:
    return MixtureEstimator(alpha, prior_mass)


def replicates(
    instance: Instance, estimators: Sequence[PolicyEstimator], n_demos: int, n_sets: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Loss above BC's on the same data, and coverage, (estimators, sets), of each estimator on new data sets."""
    excess, gamma = np.empty((2, len(estimators), n_sets))
    for r in range(n_sets):
        counts = sample_counts(instance.mdp, instance.demonstrator, n_demos, rng)
        bc, *cloned = returns(instance, counts, [BC, *estimators])
        excess[:, r] = bc - np.array(cloned)
        gamma[:, r] = coverages(instance, counts, instance.reachable, estimators)
    return excess, gamma


def check(arrays: Arrays) -> Sequence[Claim]:
    """The prices are equal; PostBC with lambda = L'/2 mostly covers more, but not everywhere."""
    names = [str(name) for name in arrays["instances"]]
    low, high = arrays["strict_low"], arrays["strict_high"]
    order = arrays["choices"].tolist()
    uniform, paper, log, _ = judged = [order.index(name) for name in JUDGED]
    difference = np.maximum(np.abs(arrays["price_low"]), np.abs(arrays["price_high"]))[:, :, judged].max(axis=2)
    price, price_at = cloning_experiment.largest(names, difference)
    above = low[:, :, log] > high[:, :, uniform]
    more, more_at = cloning_experiment.largest(names, low[:, :, log] / high[:, :, paper])
    less, less_at = cloning_experiment.largest(names, low[:, :, uniform] / high[:, :, log])
    level = f"intervals with false alarm {FALSE_ALARM:g} for all together"
    return [
        Claim(id="lambda-one-price", source="R3", relation="<=", interval=Interval.point(price), bound=0.25,
              evidence="sampled",
              detail="Largest difference of the held-out losses above BC's from that of the paper's choice, as a share "
              f"of the budget (far ends of {level}); largest on {price_at}."),
        Claim(id="lambda-ours-above-uniform", source="R3", relation=">=", interval=Interval.point(float(above.mean())),
              bound=0.5, evidence="sampled",
              detail="Share of instances and T where lambda = L'/2 covers more than uniform noise at one price: "
              f"{level} that do not overlap."),
        Claim(id="lambda-ours-above-paper", source="R3", relation=">=", interval=Interval.point(more), bound=1.0,
              evidence="sampled",
              detail="Largest ratio of the coverage with lambda = L'/2 (low end) to that with the paper's lambda (high "
              f"end) at one price ({level}); on {more_at}."),
        Claim(id="lambda-uniform-sometimes-above", source="R3", relation=">=", interval=Interval.point(less), bound=1.0,
              evidence="sampled",
              detail="PostBC does not always win: largest ratio of the coverage of uniform noise (low end) to that "
              f"with lambda = L'/2 (high end) at one price ({level}); on {less_at}."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One panel for each instance."""
    ylabel = f"held-out $\\gamma$, probability {1 - DELTA:g}"
    figure, panels, corner = style.new_instances(arrays["instances"].size, column=1.65, ylabel=ylabel, sharey=True)
    for i, (axes, name) in enumerate(zip(panels, arrays["instances"], strict=True)):
        _draw_instance(axes, arrays, i)
        style.panel_letter(axes, palette.letter(i), str(name))
    _legend(corner, arrays)
    return figure


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    T = arrays["n_demos"]
    for k, name in enumerate(arrays["choices"].tolist()):
        low, high, middle = (np.minimum(arrays[key][i, :, k], 1.0) for key in ("low", "high", "gamma"))
        look = palette.look(name)
        if name != BEST:
            axes.fill_between(T, low, high, color=look.colour, alpha=0.2, lw=0)
        axes.plot(T, middle, color=look.colour, marker=look.marker, ls=look.line, ms=3, lw=1.1)
    axes.set(xscale="log", yscale="log")
    axes.minorticks_off()


def _legend(axes: Axes, arrays: Arrays) -> None:
    axes.set_axis_off()
    for name in arrays["choices"].tolist():
        look, label = palette.look(name), CHOICES[name].label if name in CHOICES else ""
        axes.plot([], [], color=look.colour, marker=look.marker, ls=look.line, label=label or palette.label(name))
    style.name_intervals(axes)
    axes.legend(loc="center", fontsize=7.5)
