"""The loss without the logarithm: R1, the paper's rate and the exact loss, on processes where R1 is nearly tight.

Reset bandits draw a fresh state in each step, with probabilities w; c of the A actions are safe, and the others end the
episode. With b = sum_s E[a_n w(s)], the expected weight of noise in a step,

    J(pi_beta) - E J(pi_hat) = sum over h = 1..H of 1 - (1 - (1 - c/A) b)^h.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular import dp
from tabular.demonstrations import sample_counts
from tabular.instances import reset_bandits
from tabular.policies import BC, MixtureEstimator, paper_choice, posterior, uniform_noise
from theory.bounds.b3_suboptimality import main_bound, paper_rate
from theory.bounds.r1_suboptimality import expected_noise, r1_bound, r1_simple_bound
from theory.claims import Claim, Interval
from theory.statistics.probability import mean_interval

TITLE = "The loss without the logarithm"
SECTION = "r1"
CAPTION = (
    "Reset bandits (H = 10, A = 64): each step draws a fresh state, and 62 of the 64 actions end all reward; the exact "
    "expected loss is known in closed form. a: BC's loss times T/(H^2 S) where, at each T, 100 rare states have the "
    "probability 1/(T + 1) that is worst for BC, with a demonstrator that mixes two actions: it levels off, as R1 does "
    "and H^2 S log(T)/T does not ('simple': R1 without the visit probabilities; black: the main theorem with its "
    "constants, whose logarithm is hidden by A = 64). b: R1 divided by the exact loss of BC there, for demonstrators "
    "that mix two actions and that play one. c: one process for all T, with probabilities that fall as 1/i over 100 "
    "states: exact losses (lines) and R1 (dashed) of four policies."
)
HORIZON, N_ACTIONS, N_RARE = 10, 64, 100
N_SAFE = (2, 1)
"""Numbers of actions that the demonstrator mixes."""
TIGHT = 1.05
FALSE_ALARM = 1e-6
NAME_AT = {"BC": (9e3, 2e-3), "uniform noise": (6e3, 1.1), "posterior": (250, 14), "PostBC": (6e4, 0.18)}
"""Estimators, with the place of the name in panel c, in data units."""


@dataclass(frozen=True, kw_only=True)
class SmallProcess:
    """Process on which the closed form is compared with sampled demonstrations; probabilities in proportion to 1/i."""

    n_states: int = 10
    horizon: int = 5
    n_actions: int = 8
    n_safe: int = 2
    n_demos: int = 20


SMALL = SmallProcess()


@dataclass(frozen=True, kw_only=True)
class SampledCell:
    """Data sets for the estimator at one position in the order of `NAME_AT`. Its JSON seeds the draws."""

    policy: int
    replicates: int


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings: numbers of demonstrations, and data sets of the sampled check."""

    n_demos: tuple[int, ...]
    replicates: int


FULL = Config(n_demos=tuple(round(10 ** (2 + k / 8)) for k in range(33)), replicates=20_000)
QUICK = Config(n_demos=tuple(round(10 ** (2 + k / 4)) for k in range(17)), replicates=1000)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Exact losses and bounds on the adapted and on the fixed process, and the sampled check."""
    S = N_RARE + 2
    fixed, H = harmonic(100), HORIZON
    adapted = np.array([[exact_loss(BC, worst_case(T), T, H, N_ACTIONS, k) for T in config.n_demos] for k in N_SAFE])
    r1 = [r1_bound(np.tile(worst_case(T), (H, 1)), N_ACTIONS, T, 0.0, 1.0) for T in config.n_demos]
    losses, bounds = np.empty((2, len(NAME_AT), len(config.n_demos)))
    for t, T in enumerate(config.n_demos):
        for k, e in enumerate(estimators(T).values()):
            losses[k, t] = exact_loss(e, fixed, T, H, N_ACTIONS, N_SAFE[0])
            bounds[k, t] = r1_bound(np.tile(fixed, (H, 1)), N_ACTIONS, T, e.alpha, e.prior_mass)
    cells = [SampledCell(policy=k, replicates=config.replicates) for k in range(len(NAME_AT))]
    sampled = sweep.run("logfree", sampled_losses, [asdict(cell) for cell in cells])
    return {
        "n_demos": np.array(config.n_demos),
        "n_states": np.array(S),
        "safe": np.array(N_SAFE),
        "policies": np.array(list(NAME_AT)),
        "exact": adapted,
        "r1": np.array(r1),
        "r1_simple": np.array([r1_simple_bound(S, N_ACTIONS, H, T, 0.0, 1.0) for T in config.n_demos]),
        "rate": np.array([paper_rate(S, H, T) for T in config.n_demos]),
        "main": np.array([main_bound(S, N_ACTIONS, H, T) for T in config.n_demos]),
        "fixed_exact": losses,
        "fixed_r1": bounds,
        "closed_form": np.array([r["exact"] for r in sampled]),
        "sampled": np.stack([r["loss"] for r in sampled]),
    }


def worst_case(n_demos: int) -> NDArray[np.float64]:
    """State probabilities: rare ones of 1/(T + 1), which maximises w (1 - w)^T, and one that takes the rest."""
    return np.append(np.full(N_RARE, 1 / (n_demos + 1)), 1 - N_RARE / (n_demos + 1))


def harmonic(n_states: int) -> NDArray[np.float64]:
    """Probabilities in proportion to 1/i."""
    weights = 1 / np.arange(1.0, n_states + 1)
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def estimators(n_demos: int, horizon: int = HORIZON, n_actions: int = N_ACTIONS) -> dict[str, MixtureEstimator]:
    """Estimators by name, in the order of `NAME_AT`; uniform noise has the paper's alpha."""
    paper = paper_choice(n_actions, horizon, n_demos)
    members = {e.name: e for e in (BC, uniform_noise(paper.alpha), posterior(n_actions), paper)}
    return {name: members[name] for name in NAME_AT}


def exact_loss(
    estimator: MixtureEstimator, w: NDArray[np.float64], n_demos: int, horizon: int, n_actions: int, n_safe: int
) -> float:
    """J(pi_beta) - E J(pi_hat) on reset bandits, by the formula at the head of this file."""
    noise = float(expected_noise(w, n_demos, estimator.alpha, estimator.prior_mass).sum())
    falls = (1 - n_safe / n_actions) * noise
    return float(-np.expm1(np.arange(1, horizon + 1) * np.log1p(-falls)).sum())


def sampled_losses(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Losses on sampled data sets of a small process, by dynamic programming, and the closed form of their mean."""
    task = SampledCell(**cell)
    H, A, T, w = SMALL.horizon, SMALL.n_actions, SMALL.n_demos, harmonic(SMALL.n_states)
    instance = reset_bandits(w, H, A, SMALL.n_safe)
    estimator = list(estimators(T, H, A).values())[task.policy]
    loss = [
        dp.suboptimality(
            instance.mdp,
            instance.demonstrator,
            estimator.policy(sample_counts(instance.mdp, instance.demonstrator, T, rng)),
        )
        for _ in range(task.replicates)
    ]
    return {"loss": np.array(loss), "exact": np.array(exact_loss(estimator, w, T, H, A, SMALL.n_safe))}


def check(arrays: Arrays) -> Sequence[Claim]:
    """R1 bounds the loss and is nearly tight; the rate with the logarithm drifts away; the closed form is right."""
    exact, last = arrays["exact"], int(arrays["n_demos"][-1])
    positive = arrays["fixed_r1"] > 0  # (1 - w)^T may underflow
    fixed = arrays["fixed_exact"][positive] / arrays["fixed_r1"][positive]
    ratio = max((exact / arrays["r1"]).max(), fixed.max())
    drift = arrays["rate"] / exact[0]
    start = int(np.flatnonzero(arrays["n_demos"] >= 10**4)[0])
    margins = []
    for closed, loss in zip(arrays["closed_form"], arrays["sampled"], strict=True):
        interval = mean_interval(loss, 1 - FALSE_ALARM / len(arrays["closed_form"]))
        margins.append(min(interval.high - closed, closed - interval.low))
    setting = f"BC, demonstrator mixing two actions, T = {last}"
    return [
        Claim(id="logfree-bound", source="R1", relation="<=", interval=Interval.point(float(ratio)), bound=1.0,
              evidence="exact",
              detail="Largest ratio of the exact loss to R1, over T, both processes and all policies."),
        Claim(id="logfree-tight", source="R1", relation="<=",
              interval=Interval.point(float(arrays["r1"][-1] / exact[0, -1])), bound=TIGHT, evidence="exact",
              detail=f"R1 over the exact loss: {setting}."),
        Claim(id="logfree-tight-simple", source="R1", relation="<=",
              interval=Interval.point(float(arrays["r1_simple"][-1] / exact[0, -1])), bound=TIGHT, evidence="exact",
              detail=f"R1 without the visit probabilities over the exact loss: {setting}."),
        Claim(id="logfree-drift", source="R1", relation=">=", interval=Interval.point(float(drift[-1] / drift[start])),
              bound=1.4, evidence="exact",
              detail=f"Growth of H^2 S log(T)/T over BC's exact loss from T = {int(arrays['n_demos'][start])} to "
              f"{last}."),
        Claim(id="logfree-closed-form", source="R1", relation=">=", interval=Interval.point(float(min(margins))),
              bound=0.0, evidence="sampled",
              detail="Smallest distance of the closed form from the ends of Student's interval for the mean sampled "
              f"loss, four policies; false alarm {FALSE_ALARM:g} for all."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """Normalised losses, tightness, and one process for all T."""
    figure = style.new_figure(page=2.7, column=6.6)
    level, ratio, fixed = style.new_panels(figure, 3, page=3, column=1)
    _draw_level(level, arrays)
    _draw_ratio(ratio, arrays)
    _draw_fixed(fixed, arrays)
    for axes in (level, ratio, fixed):
        axes.set_xlabel("demonstrations T")
    return figure


def _draw_level(axes: Axes, arrays: Arrays) -> None:
    T = arrays["n_demos"]
    scale = T / (HORIZON**2 * int(arrays["n_states"]))
    bound_colour, paper = palette.colour("our bound"), palette.colour("paper's bound")
    axes.plot(T, arrays["main"] * scale, color=paper)
    axes.plot(T, arrays["rate"] * scale, color=paper, ls=":")
    axes.plot(T, arrays["r1_simple"] * scale, color=bound_colour, ls="--")
    axes.plot(T, arrays["exact"][0] * scale, color=palette.colour("BC"), marker=palette.marker("BC"), ms=2.5, lw=0.8)
    axes.set(xscale="log", yscale="log", ylim=(0.04, 40), ylabel="loss $\\times\\, T/(H^2 S)$")
    axes.text(1.2 * T[0], 3.6, "main theorem,\nconstants explicit", fontsize=6.5, va="top")
    axes.text(1.2 * T[0], 12, "$H^2 S\\,\\log(T)/T$", fontsize=6.5)
    axes.text(1.2 * T[0], 0.27, "R1 simple", fontsize=6.5, color=bound_colour)
    axes.text(2e3, 0.1, "exact loss of BC", fontsize=6.5, color=palette.colour("BC"))
    style.panel_letter(axes, "a", "no logarithm")


def _draw_ratio(axes: Axes, arrays: Arrays) -> None:
    T, bound_colour = arrays["n_demos"], palette.colour("our bound")
    for bound, line in (("r1", "-"), ("r1_simple", "--")):
        for exact, width in zip(arrays["exact"], (1.6, 0.8), strict=True):
            axes.plot(T, arrays[bound] / exact, color=bound_colour, ls=line, lw=width)
    axes.axhline(TIGHT, color="#999999", lw=0.8, ls=":")
    axes.axhline(1.0, color="#999999", lw=0.8)
    axes.set(xscale="log", xlim=(1e3, T[-1]), ylim=(0.99, 1.16), ylabel="bound / exact loss")
    axes.plot([], [], color=bound_colour, ls="--", label="R1 simple")
    axes.plot([], [], color=bound_colour, label="R1")
    axes.plot([], [], color=bound_colour, lw=0.8, label="thin: one action")
    axes.legend(loc="upper right")
    axes.text(4e5, 1.052, "1.05", fontsize=6.5, color="#777777")
    style.panel_letter(axes, "b", "R1 is nearly tight")


def _draw_fixed(axes: Axes, arrays: Arrays) -> None:
    T = arrays["n_demos"]
    for k, name in enumerate(map(str, arrays["policies"])):
        colour = palette.colour(name)
        axes.plot(T, arrays["fixed_exact"][k], color=colour)
        axes.plot(T, arrays["fixed_r1"][k], color=colour, lw=0.9, ls="--")
        x, y = NAME_AT[name]
        axes.text(max(x, 2.5 * T[0]), y, name, fontsize=6.5, color=colour)  # right of the axis, whatever T begins with
    axes.set(xscale="log", yscale="log", ylim=(1e-4, 60), ylabel="expected loss (reward)")
    style.panel_letter(axes, "c", "one process, all T")
