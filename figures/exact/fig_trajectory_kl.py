"""Whole trajectories: the exact divergence of cloned policies from the demonstrator, with R6's bound.

With w_h(s) the probability that the demonstrator is at s in step h, the expected divergence of trajectories is

    E KL(P_beta || P_hat) = sum over h, s, a of w pi_beta (log pi_beta - E log pi_hat(a|s)),

and E log pi_hat(a|s) depends on two counts: T_h(s,a) and the other actions in s, which are multinomial.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from figures.exact import cloning_experiment
from figures.exact.fig_coverage_vs_T import bc_coverage_chance
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular.instances import Instance
from tabular.policies import MixtureEstimator, postbc, posterior, uniform_noise
from theory.bounds import r6_trajectory as trajectory
from theory.bounds.b3_suboptimality import paper_parameters
from theory.bounds.binomial import binomial_expectation
from theory.claims import Claim, Interval

TITLE = "Covering whole trajectories"
SECTION = "r6"
CAPTION = (
    "Expected KL divergence of a cloned policy's trajectories from the demonstrator's, exact, in nats, against the "
    "number of demonstrations T; R6's bound on the posterior, dashed (from the visit probabilities; 'simple': "
    "HS(A-1)/(T+1)). The posterior's (lambda = A) falls as 1/T; uniform noise's (alpha = 1/max(A, H), as for PostBC) "
    "never falls below its limit, dotted, which is low where the demonstrator is itself nearly uniform (d); for PostBC "
    "and uniform noise double sums are needed, which are computed for smaller T only. Bottom: BC's divergence is "
    "infinite until every action of every visited state is recorded; shown is an exact upper bound on the probability "
    "that it is finite."
)
POLICIES = ("uniform noise", "posterior", "PostBC")
INSTANCES = ("chain lock", "DeepSea", "funnel", "Garnet")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    n_demos : tuple of int
        Numbers of demonstrations T.
    most : int
        Largest T for which double sums are computed.
    instances : tuple of str, optional
        Of `cloning_experiment.INSTANCES`.
    """

    n_demos: tuple[int, ...]
    most: int
    instances: tuple[str, ...] = INSTANCES


FULL = Config(n_demos=tuple(round(10 ** (1 + k / 4)) for k in range(17)), most=10_000)
QUICK = Config(n_demos=tuple(round(10 ** (1 + k / 2)) for k in range(9)), most=1000)

LOG_NEGLIGIBLE = 14 * math.log(10)
"""Counts of total probability below 4e-14 are left out; the logarithms there are below 30."""


@dataclass(frozen=True, kw_only=True)
class DivergenceCell:
    """One instance (with the seed of random ones) and T, with double sums or without."""

    instance: str
    instance_seed: int
    n_demos: int
    double_sums: bool


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Exact divergences and bounds of every instance and T."""
    seed = cloning_experiment.instance_seed(sweep)
    cells = [
        DivergenceCell(instance=name, instance_seed=seed, n_demos=T, double_sums=config.most >= T)
        for name in config.instances
        for T in config.n_demos
    ]
    results = sweep.run("trajectory-kl", divergences, [asdict(cell) for cell in cells])
    shape = (len(config.instances), len(config.n_demos))
    stacked = {key: np.stack([r[key] for r in results]) for key in results[0]}
    return {
        "instances": np.array(config.instances),
        "n_demos": np.array(config.n_demos),
        "policies": np.array(POLICIES),
        **{key: values.reshape(*shape, *values.shape[1:]) for key, values in stacked.items()},
    }


def divergences(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Expected trajectory KL of each policy, its bounds and limit, and a bound on P[BC's is finite]; exact."""
    task = DivergenceCell(**cell)
    instance, T = cloning_experiment.build(task.instance, task.instance_seed), task.n_demos
    H, S, A = instance.mdp.policy_shape
    alpha = 1 / max(A, H)
    mass = paper_parameters(A, H, T)[1]
    w = np.minimum(instance.occupancy.sum(axis=2), 1.0)
    kl = np.full(len(POLICIES), np.nan)
    if task.double_sums:
        members = {e.name: e for e in (uniform_noise(alpha), posterior(A), postbc(alpha, mass))}
        kl = expected_kl_by_estimator(instance, T, [members[name] for name in POLICIES])
    return {
        "kl": kl,
        "posterior": np.array(posterior_kl(instance, T)),
        "limit": np.array(trajectory.uniform_noise_limit(w, instance.demonstrator, alpha)),
        "r6": np.array(trajectory.r6_kl_bound(w, A, T)),
        "r6_simple": np.array(trajectory.r6_simple_bound(S, A, H, T)),
        "bc_finite": np.array(bc_coverage_chance(instance, T)),
    }


def expected_kl_by_estimator(
    instance: Instance, n_demos: int, estimators: Sequence[MixtureEstimator]
) -> NDArray[np.float64]:
    """E KL(P_beta || P_hat) of each estimator, in nats.

    Estimators must give every action a positive probability.
    """
    w = np.minimum(instance.occupancy.sum(axis=2), 1.0)
    pi, total = instance.demonstrator, np.zeros(len(estimators))
    weights: dict[tuple[float, float], int] = {}
    for h, s in np.argwhere(w > 0.0):
        for p in pi[h, s][pi[h, s] > 0.0]:
            key = (float(w[h, s]), float(p))
            weights[key] = weights.get(key, 0) + 1
    for (visit, p), times in weights.items():
        logs = expected_log(n_demos, visit, p, pi.shape[2], estimators)
        total += times * visit * p * (math.log(p) - logs)
    return total


def posterior_kl(instance: Instance, n_demos: int) -> float:
    """E KL(P_beta || P_hat) of the posterior with lambda = A, in nats, by single sums.

    log pi_hat = log(K + 1) - log(N + A) with K ~ Bin(T, w p) and N ~ Bin(T, w), also where N = 0.
    """
    w = np.minimum(instance.occupancy.sum(axis=2), 1.0)
    pi = instance.demonstrator
    pair_probability = w[..., None] * pi
    log_count = binomial_expectation(lambda k: np.log1p(k), n_demos, pair_probability)
    log_total = binomial_expectation(lambda n: np.log(n + pi.shape[2]), n_demos, w)
    return float((w[..., None] * xlogy(pi, pi) - pair_probability * log_count).sum() + (w * log_total).sum())


def expected_log(
    n_demos: int, visit: float, p: float, n_actions: int, estimators: Sequence[MixtureEstimator]
) -> NDArray[np.float64]:
    """E log pi_hat(a|s) of each estimator, where the state is visited with probability `visit` and the action has p.

    The counts K of the action and M of the other actions in this state are multinomial.
    """
    k, m = _window(n_demos, visit * p)[:, None], _window(n_demos, visit * (1 - p))
    rest = n_demos - k - m
    possible = rest >= 0
    rest = np.maximum(rest, 0)
    log_law = gammaln(n_demos + 1.0) - gammaln(k + 1.0) - gammaln(m + 1.0) - gammaln(rest + 1.0)
    log_law = log_law + xlogy(k, visit * p) + xlogy(m, visit * (1 - p)) + xlogy(rest, 1 - visit)
    law = np.where(possible, np.exp(log_law), 0.0)
    law /= law.sum()  # removes the rounding that all terms share
    n = k + m
    share = k / np.maximum(n, 1)
    result = np.empty(len(estimators))
    for i, estimator in enumerate(estimators):
        noise = estimator.noise_weight(np.arange(int(n.max()) + 1))[n]
        result[i] = (law * np.log((1 - noise) * share + noise / n_actions)).sum()
    return result


def _window(n_trials: int, probability: float) -> NDArray[np.int64]:
    """Counts of a binomial outside of which the probability is negligible, by Bernstein's inequality."""
    mean = n_trials * probability
    reach = math.sqrt(2 * mean * (1 - probability) * LOG_NEGLIGIBLE) + 2 / 3 * LOG_NEGLIGIBLE
    if probability <= 0.0:
        reach = 0.0
    return np.arange(max(0, math.floor(mean - reach)), min(n_trials, math.ceil(mean + reach)) + 1)


def check(arrays: Arrays) -> Sequence[Claim]:
    """R6 bounds the posterior's divergence, which vanishes; uniform noise's does not; BC's is rarely finite."""
    T, post, order = arrays["n_demos"], arrays["posterior"], arrays["policies"].tolist()
    few, largest = T <= 100, f"T = {int(T[-1])}"
    stays = np.nanmin(arrays["kl"][..., order.index("uniform noise")] / arrays["limit"])
    falls = post[:, -1] / post[:, 0]
    separation = arrays["limit"][:, -1] / post[:, -1]
    sums = np.nanmax(np.abs(arrays["kl"][..., order.index("posterior")] / post - 1))
    return [
        Claim(id="trajectory-kl-r6", source="R6", relation="<=",
              interval=Interval.point(float((post / arrays["r6"]).max())), bound=1.0, evidence="exact",
              detail="Largest ratio of the posterior's exact expected trajectory KL to R6's bound from the visit "
              "probabilities, over instances and T."),
        Claim(id="trajectory-kl-r6-simple", source="R6", relation="<=",
              interval=Interval.point(float((post / arrays["r6_simple"]).max())), bound=1.0, evidence="exact",
              detail="The same for HS(A - 1)/(T + 1)."),
        Claim(id="trajectory-kl-vanishes", source="R6", relation="<=", interval=Interval.point(float(falls.max())),
              bound=0.01, evidence="exact",
              detail=f"Largest ratio of the posterior's KL at {largest} to that at T = {int(T[0])}, over the "
              "instances."),
        Claim(id="trajectory-kl-uniform-stays", source="R6", relation=">=", interval=Interval.point(float(stays)),
              bound=1.0, evidence="exact",
              detail="Smallest ratio of uniform noise's KL to its limit as T grows, over instances and the T "
              "computed."),
        Claim(id="trajectory-kl-separates", source="R6", relation=">=",
              interval=Interval.point(float(separation.min())), bound=2.0, evidence="exact",
              detail=f"Smallest ratio of uniform noise's limit to the posterior's KL at {largest}, over the "
              "instances."),
        Claim(id="trajectory-kl-sums", source="R6.1", relation="<=", interval=Interval.point(float(sums)), bound=1e-9,
              evidence="exact",
              detail="Largest relative difference of the posterior's KL by double and by single sums."),
        Claim(id="trajectory-kl-bc-infinite", source="R6", relation="<=",
              interval=Interval.point(float(arrays["bc_finite"][:, few].max())), bound=0.5, evidence="exact",
              detail="Largest upper bound on the probability that BC's KL is finite, over instances, T up to 100."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One column for each instance: divergences above, the bound on P[BC's is finite] below."""
    figure = style.new_figure(page=3.7, column=0.8 + 1.5 * arrays["instances"].size)
    ratios = style.by_form((1, 0.4), (1, 1))
    panels = style.new_grid(figure, 2, arrays["instances"].size, sharex=True, ratios=ratios)
    for i, name in enumerate(arrays["instances"]):
        _draw_instance(panels[0, i], arrays, i)
        style.panel_letter(panels[0, i], palette.letter(i), str(name))
        lower = panels[1, i]
        lower.plot(arrays["n_demos"], arrays["bc_finite"][i], color=palette.colour("BC"), marker=palette.marker("BC"))
        lower.set(ylim=(-0.06, 1.06), xticks=[10, 10**3, 10**5])
    style.name_axes(panels, "demonstrations T", "expected trajectory KL (nats)", "bound on\nP[BC's is finite]")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=style.by_form(len(labels), 2), columnspacing=1.2)
    return figure


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    T, bound_colour = arrays["n_demos"], palette.colour("our bound")
    curves = {name: arrays["kl"][i, :, k] for k, name in enumerate(map(str, arrays["policies"]))}
    for name, values in (curves | {"posterior": arrays["posterior"][i]}).items():
        axes.plot(T, values, color=palette.colour(name), marker=palette.marker(name), ms=2.5, label=name)
    limit = palette.colour("uniform noise")
    axes.plot(T, arrays["limit"][i], color=limit, ls=":", lw=1.2, label="limit of uniform noise")
    axes.plot(T, arrays["r6"][i], color=bound_colour, ls="--", lw=1, label="R6")
    axes.plot(T, arrays["r6_simple"][i], color=bound_colour, ls=(0, (1, 1)), lw=1, label="R6 simple")
    axes.set(xscale="log", yscale="log", ylim=(1e-4, 1e2))
    axes.minorticks_off()
