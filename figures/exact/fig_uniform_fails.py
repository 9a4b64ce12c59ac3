"""Uniform noise fails (B.2): coverage against the loss that it costs, exactly, for uniform noise and for PostBC."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular.gamma_star import gamma_star
from tabular.instances import uniform_noise_trap
from tabular.policies import Estimator
from theory.bounds import coverage as coverage_theory
from theory.bounds import suboptimality, uniform_fails
from theory.claims import Claim, Interval

TITLE = "Uniform noise fails"
SECTION = "prop-uniform-fails"
CAPTION = (
    "The process of B.2. Each point is one alpha: the exact expected loss of the policy against the largest gamma "
    "that it covers with probability 0.9, exact for the whole process. Uniform noise stays below our bound gamma <= "
    "alpha. At equal loss PostBC covers somewhat more with 30 demonstrations, and many times more with 1000."
)
CONFIDENCE = 0.9
"""Above 1 - 1/(4 sqrt e), as R5 asks."""
EPSILON = 0.05
"""Of the rewards. The expected loss does not depend on it: both actions are as likely on every s~_i."""


@dataclass(frozen=True)
class Config:
    """Settings: numbers of demonstrations (panels), horizon, noise levels."""

    n_demos: tuple[int, ...] = (30, 100, 1000)
    horizon: int = 10
    n_alphas: int = 11


FULL = Config(n_alphas=41)
QUICK = Config()

FAMILIES = ("uniform noise", "PostBC", "PostBC, lambda = L'/2")


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Loss and coverage of each family at each alpha."""
    alphas = np.geomspace(1e-3, 1.0, config.n_alphas)
    cells = [
        {"n_demos": T, "horizon": config.horizon, "family": family, "alphas": alphas.tolist()}
        for T in config.n_demos
        for family in FAMILIES
    ]
    results = sweep.run("uniform-fails", trade_off, cells)
    shape = (len(config.n_demos), len(FAMILIES), alphas.size)
    rare = [uniform_fails.failure_probability(T) for T in config.n_demos]
    return {
        "alphas": alphas,
        "families": np.array(FAMILIES),
        "n_demos": np.array(config.n_demos),
        "horizon": np.array(config.horizon),
        "loss": np.stack([r["loss"] for r in results]).reshape(shape),
        "coverage": np.stack([r["coverage"] for r in results]).reshape(shape),
        "rare_event": np.array(rare),
    }


def family_member(family: str, alpha: float, n_states: int, horizon: int, n_demos: int) -> Estimator:
    """Estimator of a family with weight alpha."""
    mass = {
        "uniform noise": math.inf,
        "PostBC": suboptimality.paper_parameters(2, horizon, n_demos)[1],
        "PostBC, lambda = L'/2": coverage_theory.best_prior_mass(n_states, 2, horizon, 1 - CONFIDENCE),
    }[family]
    return Estimator(alpha, mass, family)


def trade_off(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Exact loss and coverage for each alpha; no chance is involved."""
    T, H = cell["n_demos"], cell["horizon"]
    trap = uniform_noise_trap(EPSILON, H, uniform_fails.min_rare_states(T))
    loss, gamma = [], []
    for alpha in cell["alphas"]:
        estimator = family_member(cell["family"], alpha, trap.mdp.n_states, H, T)
        loss.append(expected_loss(estimator, T, H))
        found = gamma_star(trap.mdp, trap.demonstrator, T, estimator, 1 - CONFIDENCE, tolerance=1e-4)
        gamma.append(found.value)
    return {"loss": np.array(loss), "coverage": np.array(gamma)}


def expected_loss(estimator: Estimator, n_demos: int, horizon: int) -> float:
    """E[J(pi_beta) - J(pi_hat)] on B.2, exactly: (1 - E[(1 - a_n/2)^H])/2 with n ~ Bin(T, 1/2) visits of s_1.

    The demonstrator plays one action on s_1, so the counts there are known given the visits; on s~_i both actions are
    as likely to be recorded, so nothing is lost on average.
    """
    n = np.arange(n_demos + 1)
    stays = (1 - estimator.noise_weight(n) / 2) ** horizon
    return 0.5 * float(stats.binom.pmf(n, n_demos, 0.5) @ (1 - stays))


def check(arrays: Arrays) -> Sequence[Claim]:
    """R5's and the paper's bounds on uniform noise, the rare event, PostBC's advantage."""
    horizon = int(arrays["horizon"])
    loss, gamma = arrays["loss"][:, 0], arrays["coverage"][:, 0]
    allowed = loss < 0.25
    ours = max(
        g - uniform_fails.coverage_bound(float(x), horizon) for x, g in zip(loss[allowed], gamma[allowed], strict=True)
    )
    paper = max(
        g - uniform_fails.paper_coverage_bound(float(x), 2) for x, g in zip(loss[allowed], gamma[allowed], strict=True)
    )
    ratio = advantage(arrays)
    return [
        Claim("uniform-fails-alpha", "R5", "<=", Interval.point(float((gamma / arrays["alphas"]).max())), 1 + 1e-12,
              "exact", f"Largest gamma/alpha of uniform noise at confidence {CONFIDENCE}, all alphas and T."),
        Claim("uniform-fails-our-bound", "R5", "<=", Interval.point(float(ours)), 0.0, "exact",
              "Largest excess of uniform noise's gamma over 2(1 - (1 - 4 eps)^(1/H)), eps its exact loss, below 1/4."),
        Claim("uniform-fails-paper-bound", "B2.13", "<=", Interval.point(float(paper)), 0.0, "exact",
              "Largest excess of uniform noise's gamma over 64 eps/A, eps its exact loss, below 1/4."),
        Claim("uniform-fails-rare-event", "B2.12", ">=", Interval.point(float(arrays["rare_event"].min())),
              uniform_fails.failure_confidence(), "exact",
              "Smallest exact probability of the event on which BC misses an action of s~_iT; bound 1/(4 sqrt e)."),
        Claim("uniform-fails-postbc-better", "companion", ">=", Interval.point(float(np.nanmin(ratio))), 1.0, "exact",
              "Smallest ratio of PostBC's gamma to uniform noise's at equal expected loss, over the losses from 0.01 "
              "to 0.1 that both reach; paper's lambda and L'/2, all T."),
        Claim("uniform-fails-postbc-much-better", "companion", ">=", Interval.point(float(np.nanmin(ratio[-1]))), 5.0,
              "exact", f"The same ratio at T = {int(arrays['n_demos'][-1])}."),
    ]  # fmt: skip


def advantage(arrays: Arrays) -> NDArray[np.float64]:
    """Ratio of gamma to uniform noise's at equal loss, (T, families of PostBC, losses); NaN out of reach."""
    targets = np.geomspace(0.01, 0.1, 10)
    ratios = np.empty((arrays["n_demos"].size, len(FAMILIES) - 1, targets.size))
    for t in range(arrays["n_demos"].size):
        at_equal_loss = [
            np.exp(
                np.interp(np.log(targets), np.log(loss), np.log(np.maximum(gamma, 1e-300)), left=np.nan, right=np.nan)
            )
            for loss, gamma in zip(arrays["loss"][t], arrays["coverage"][t], strict=True)
        ]
        ratios[t] = np.array(at_equal_loss[1:]) / at_equal_loss[0]
    return ratios


def draw(arrays: Arrays) -> Figure:
    """One panel for each T."""
    n_panels = arrays["n_demos"].size
    figure = style.new_figure(page=2.6, column=0.8 + 1.8 * n_panels)
    panels = style.new_panels(figure, n_panels, page=n_panels, column=1, sharex=True, sharey=True)
    horizon = int(arrays["horizon"])
    for t, axes in enumerate(panels):
        x = np.geomspace(1e-3, 0.249, 100)
        bound = [uniform_fails.coverage_bound(float(e), horizon) for e in x]
        hidden = "" if t == 0 else "_"  # one entry each in the legend
        axes.plot(
            x,
            np.minimum(1, 32 * x),
            color=palette.colour("paper's bound"),
            lw=1,
            ls=":",
            label=f"{hidden}paper's bound on uniform noise",
        )
        axes.plot(x, bound, color=palette.colour("our bound"), lw=1, ls="--", label=f"{hidden}ours")
        for i, family in enumerate(FAMILIES):
            shown = arrays["coverage"][t, i] > 0
            axes.plot(arrays["loss"][t, i][shown], arrays["coverage"][t, i][shown], color=palette.colour(family),
                label=hidden + palette.label(family),
                      marker=palette.marker(family), ms=2.5)  # fmt: skip
        axes.set(xscale="log", yscale="log", xlim=(1e-3, 0.5), ylim=(8e-4, 1.1))
        style.panel_letter(axes, "abc"[t], f"T = {arrays['n_demos'][t]}")
    style.name_axes(panels, "expected loss (reward)", f"$\\gamma$ covered with probability {CONFIDENCE}")
    figure.legend(loc="outside upper center", ncols=style.by_form(5, 2), handlelength=1.6, columnspacing=1.2)
    return figure
