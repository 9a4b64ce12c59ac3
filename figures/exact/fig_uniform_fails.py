"""Uniform noise fails (B.2): coverage against loss, exactly, for uniform noise and for PostBC."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from figures.exact.estimators import NOISE_FAMILIES
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular.constructions import uniform_noise_trap
from tabular.gamma_star import gamma_star
from tabular.policies import MixtureEstimator
from theory.bounds import b2_uniform_fails as uniform_fails
from theory.bounds.r5_sharp_failures import r5_coverage_bound, r5_rare_event_bound
from theory.claims import Claim, Interval

TITLE = "Uniform noise fails"
SECTION = "prop-uniform-fails"
CAPTION = (
    "The process of B.2. Each point has one alpha: the exact expected loss of the policy against the largest gamma "
    "that it covers with probability 0.9, exact for the whole process. Uniform noise stays below our bound gamma <= "
    "alpha. At equal loss PostBC covers somewhat more with 30 demonstrations, and many times more with 1000."
)
CONFIDENCE = 0.9
"""Above 1 - 1/(4 sqrt e), as R5 asks."""
EPSILON = 0.05
"""Of the rewards in B.2. The expected loss does not depend on it: on every s~_i both actions are equally likely."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    n_demos : tuple of int, optional
        Numbers of demonstrations T, one panel for each.
    horizon : int, optional
    n_alphas : int, optional
        Number of noise levels alpha.
    """

    n_demos: tuple[int, ...] = (30, 100, 1000)
    horizon: int = 10
    n_alphas: int = 11


FULL = Config(n_alphas=41)
QUICK = Config()

POSTBC = ("PostBC", "PostBC, lambda = L'/2")
"""Families that claims compare with uniform noise."""


@dataclass(frozen=True, kw_only=True)
class TradeOffCell:
    """One of `NOISE_FAMILIES` at one T, for all alphas."""

    n_demos: int
    horizon: int
    family: str
    alphas: tuple[float, ...]


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Loss and coverage of each family at each alpha."""
    alphas = np.geomspace(1e-3, 1.0, config.n_alphas)
    cells = [
        TradeOffCell(n_demos=T, horizon=config.horizon, family=family, alphas=tuple(alphas.tolist()))
        for T in config.n_demos
        for family in NOISE_FAMILIES
    ]
    results = sweep.run("uniform-fails", trade_off, [asdict(cell) for cell in cells])
    shape = (len(config.n_demos), len(NOISE_FAMILIES), alphas.size)
    rare = [uniform_fails.rare_event_probability(T) for T in config.n_demos]
    return {
        "alphas": alphas,
        "families": np.array(list(NOISE_FAMILIES)),
        "n_demos": np.array(config.n_demos),
        "horizon": np.array(config.horizon),
        "loss": np.stack([r["loss"] for r in results]).reshape(shape),
        "coverage": np.stack([r["coverage"] for r in results]).reshape(shape),
        "rare_event": np.array(rare),
    }


def family_member(family: str, alpha: float, n_states: int, horizon: int, n_demos: int) -> MixtureEstimator:
    """Estimator of a family with weight alpha, for a process with two actions."""
    return NOISE_FAMILIES[family].member(
        alpha, n_states=n_states, n_actions=2, horizon=horizon, n_demos=n_demos, delta=1 - CONFIDENCE
    )


def trade_off(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Exact loss and coverage for each alpha; nothing is random."""
    task = TradeOffCell(**cell)
    T, H = task.n_demos, task.horizon
    trap = uniform_noise_trap(EPSILON, H, uniform_fails.min_rare_states(T))
    loss, gamma = [], []
    for alpha in task.alphas:
        estimator = family_member(task.family, alpha, trap.mdp.n_states, H, T)
        loss.append(expected_loss(estimator, T, H))
        gamma.append(gamma_star(trap.mdp, trap.demonstrator, T, estimator, 1 - CONFIDENCE, tolerance=1e-4).value)
    return {"loss": np.array(loss), "coverage": np.array(gamma)}


def expected_loss(estimator: MixtureEstimator, n_demos: int, horizon: int) -> float:
    """E[J(pi_beta) - J(pi_hat)] on B.2, exactly: (1 - E[(1 - a_n/2)^H])/2 with n ~ Bin(T, 1/2) visits of s_1.

    The demonstrator always plays the same action on s_1, so the visits determine the counts there; on s~_i both actions
    are equally likely to be recorded, so the mean loss is 0.
    """
    n = np.arange(n_demos + 1)
    stays = (1 - estimator.noise_weight(n) / 2) ** horizon
    return 0.5 * float(stats.binom.pmf(n, n_demos, 0.5) @ (1 - stays))


def check(arrays: Arrays) -> Sequence[Claim]:
    """R5's and the paper's bounds on uniform noise, the rare event, PostBC's advantage."""
    horizon, uniform = int(arrays["horizon"]), arrays["families"].tolist().index("uniform noise")
    loss, gamma = arrays["loss"][:, uniform], arrays["coverage"][:, uniform]
    points = [(float(x), g) for x, g in zip(loss.ravel(), gamma.ravel(), strict=True) if x < 0.25]
    over_r5 = max(g - r5_coverage_bound(x, horizon) for x, g in points)
    over_paper = max(g - uniform_fails.paper_coverage_bound(x, 2) for x, g in points)
    ratio = advantage(arrays)
    return [
        Claim(id="uniform-fails-alpha", source="R5", relation="<=",
              interval=Interval.point(float((gamma / arrays["alphas"]).max())), bound=1 + 1e-12, evidence="exact",
              detail=f"Largest gamma/alpha of uniform noise at confidence {CONFIDENCE}, all alphas and T."),
        Claim(id="uniform-fails-our-bound", source="R5", relation="<=", interval=Interval.point(float(over_r5)),
              bound=0.0, evidence="exact",
              detail="Largest excess of uniform noise's gamma over 2(1 - (1 - 4 eps)^(1/H)), eps its exact loss, below "
              "1/4."),
        Claim(id="uniform-fails-paper-bound", source="B2.13", relation="<=", interval=Interval.point(float(over_paper)),
              bound=0.0, evidence="exact",
              detail="Largest excess of uniform noise's gamma over 64 eps/A, eps its exact loss, below 1/4."),
        Claim(id="uniform-fails-rare-event", source="B2.12", relation=">=",
              interval=Interval.point(float(arrays["rare_event"].min())), bound=r5_rare_event_bound(), evidence="exact",
              detail="Smallest exact probability of the event on which BC misses an action of s~_iT; bound 1/(4 sqrt "
              "e)."),
        Claim(id="uniform-fails-postbc-better", source="companion", relation=">=",
              interval=Interval.point(float(np.nanmin(ratio))), bound=1.0, evidence="exact",
              detail="Smallest ratio of PostBC's gamma to uniform noise's at equal expected loss, over the losses from "
              "0.01 to 0.1 that both reach; paper's lambda and L'/2, all T."),
        Claim(id="uniform-fails-postbc-much-better", source="companion", relation=">=",
              interval=Interval.point(float(np.nanmin(ratio[-1]))), bound=5.0, evidence="exact",
              detail=f"The same ratio at T = {int(arrays['n_demos'][-1])}."),
    ]  # fmt: skip


def advantage(arrays: Arrays) -> NDArray[np.float64]:
    """Ratio of gamma to uniform noise's at equal loss, (T, families of PostBC, losses); NaN outside their range."""
    targets = np.geomspace(0.01, 0.1, 10)
    order = arrays["families"].tolist()
    uniform, postbc = order.index("uniform noise"), [order.index(name) for name in POSTBC]
    ratios = np.empty((arrays["n_demos"].size, len(POSTBC), targets.size))
    for t in range(arrays["n_demos"].size):
        gammas = [
            np.exp(
                np.interp(np.log(targets), np.log(loss), np.log(np.maximum(gamma, 1e-300)), left=np.nan, right=np.nan)
            )
            for loss, gamma in zip(arrays["loss"][t], arrays["coverage"][t], strict=True)
        ]
        ratios[t] = np.array(gammas)[postbc] / gammas[uniform]
    return ratios


def draw(arrays: Arrays) -> Figure:
    """One panel for each T."""
    n_panels = arrays["n_demos"].size
    figure = style.new_figure(page=2.6, column=0.8 + 1.8 * n_panels)
    panels = style.new_panels(figure, n_panels, page=n_panels, column=1, sharex=True, sharey=True)
    horizon = int(arrays["horizon"])
    for t, axes in enumerate(panels):
        x = np.geomspace(1e-3, 0.249, 100)
        bound = [r5_coverage_bound(float(e), horizon) for e in x]
        hidden = "" if t == 0 else "_"  # one entry each in the legend
        axes.plot(
            x,
            np.minimum(1, 32 * x),
            color=palette.colour("paper's bound"),
            lw=1,
            ls=":",
            label=f"{hidden}paper's bound on uniform noise",
        )
        axes.plot(x, bound, color=palette.colour("our bound"), lw=1, ls="--", label=f"{hidden}our bound")
        for i, family in enumerate(arrays["families"].tolist()):
            shown = arrays["coverage"][t, i] > 0
            axes.plot(arrays["loss"][t, i][shown], arrays["coverage"][t, i][shown], color=palette.colour(family),
                label=hidden + palette.label(family),
                      marker=palette.marker(family), ms=2.5)  # fmt: skip
        axes.set(xscale="log", yscale="log", xlim=(1e-3, 0.5), ylim=(8e-4, 1.1))
        style.panel_letter(axes, palette.letter(t), f"T = {arrays['n_demos'][t]}")
    style.name_axes(panels, "expected loss (reward)", f"$\\gamma$ covered with probability {CONFIDENCE}")
    figure.legend(loc="outside upper center", ncols=style.by_form(5, 2), handlelength=1.6, columnspacing=1.2)
    return figure
