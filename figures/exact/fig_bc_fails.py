"""BC fails to cover (B.1): how often, and what a learner loses that sees only its rollouts.

The two bandits of B.1 have three arms. The demonstrator plays arm 1 with probability 1 - 4 eps and arms 2 and 3 with
2 eps each; only arm 2 pays on the first bandit, only arm 3 on the second. BC fails where neither was demonstrated:

    P[failure] = (1 - 4 eps)^T,    loss = 2 eps.

Where a policy plays each of these arms with probability q, n of its rollouts do not tell the bandits apart with
probability (1 - 2q)^n; the best learner then loses half of that on the worse bandit.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import linprog

from figures.look import contrast, palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular import dp
from tabular.constructions import two_bandits
from tabular.coverage import coverage
from tabular.demonstrations import sample_counts
from tabular.policies import BC, paper_choice, uniform_noise
from theory.bounds import b1_bc_fails as bc_fails
from theory.bounds.r5_sharp_failures import r5_max_demos
from theory.claims import Claim, Interval
from theory.statistics.probability import clopper_pearson

TITLE = "BC fails to cover"
SECTION = "prop-bc-fails"
CAPTION = (
    "a: probability that BC never plays a rewarded arm on the two bandits of B.1 (coverage 0, loss 2 eps), against T "
    "eps: exact lines, and sampled points with 95 % Clopper-Pearson intervals. It is above 1/2 in the paper's region "
    "T <= 1/(20 eps) and in ours, T <= 1/(8 eps). b: smallest possible loss of any learner after n rollouts of the "
    "pretrained policy, on the worse of the two bandits, when neither rewarded arm was demonstrated. Noise costs "
    "nothing here, so more noise is always better."
)
FALSE_ALARM = 1e-6
LARGEST_T_EPS = 0.3
"""Right end of the horizontal axis, T eps."""
LP_ROLLOUTS = (0, 1, 10, 100)
"""Numbers of rollouts at which the minimax loss is also computed by a linear program."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    epsilons : tuple of float, optional
        One curve for each.
    n_points, n_sampled : int, optional
        Exact and sampled points on each curve.
    replicates : int, optional
        Data sets for each sampled point.
    rollouts : int, optional
        Largest number of rollouts.
    minimax_demos : int, optional
        Number of demonstrations in the panel of rollouts.
    """

    epsilons: tuple[float, ...] = (0.125, 0.03, 0.01, 0.001)
    n_points: int = 60
    n_sampled: int = 6
    replicates: int = 1000
    rollouts: int = 1000
    minimax_demos: int = 10


FULL = Config(replicates=20_000)
QUICK = Config()


@dataclass(frozen=True, kw_only=True)
class FailureCell:
    """Data sets for one epsilon and T. Its JSON seeds the draws."""

    epsilon: float
    n_demos: int
    replicates: int


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Exact curves, sampled points, minimax losses."""
    cells: list[FailureCell] = []
    exact, demos = [], []
    for eps in config.epsilons:
        top = max(2, int(LARGEST_T_EPS / eps))
        ends = {int(bound(eps)) for bound in (bc_fails.paper_max_demos, r5_max_demos)} - {0}
        grid = np.union1d(np.geomspace(1, top, config.n_points - 2).astype(int), list(ends))
        demos.append(np.pad(grid, (0, config.n_points - grid.size), mode="edge"))
        exact.append([bc_fails.unseen_arms_probability(int(T), eps) for T in demos[-1]])
        sampled = np.unique(np.geomspace(1, top, config.n_sampled).astype(int))
        cells.extend(FailureCell(epsilon=eps, n_demos=int(T), replicates=config.replicates) for T in sampled)
    results = sweep.run("bc-fails", sample_failures, [asdict(cell) for cell in cells])
    n = np.arange(config.rollouts + 1)
    T, eps = config.minimax_demos, config.epsilons[0]
    paper = paper_choice(3, 1, T)
    shares = {  # q of the head of this file, given that neither rewarded arm was demonstrated
        name: float(estimator.noise_weight([T])[0]) / 3
        for name, estimator in (("BC", BC), ("uniform noise", uniform_noise(paper.alpha)), ("PostBC", paper))
    }
    return {
        "epsilons": np.array(config.epsilons),
        "n_demos": np.array(demos),
        "exact": np.array(exact),
        "sampled_epsilon": np.array([cell.epsilon for cell in cells]),
        "sampled_n_demos": np.array([cell.n_demos for cell in cells]),
        "failures": np.array([r["failures"] for r in results]),
        "replicates": np.array(config.replicates),
        "largest_gap_error": np.array(max(float(r["gap_error"]) for r in results)),
        "largest_coverage": np.array(max(float(r["coverage"]) for r in results)),
        "rollouts": n,
        "minimax_policies": np.array(list(shares)),
        "minimax": np.array([0.5 * (1 - 2 * q) ** n for q in shares.values()]),
        "minimax_lp": np.array([[minimax_by_lp(q, k) for k in LP_ROLLOUTS] for q in shares.values()]),
        "minimax_lp_rollouts": np.array(LP_ROLLOUTS),
        "minimax_alpha": np.array(paper.alpha),
        "minimax_demos": np.array(T),
    }


def sample_failures(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Clone sampled demonstrations; where neither rewarded arm was recorded, compare with loss 2 eps and coverage 0."""
    task = FailureCell(**cell)
    bandits = two_bandits(task.epsilon)
    first = bandits[0]
    failures, gap_error, largest = 0, 0.0, 0.0
    for _ in range(task.replicates):
        counts = sample_counts(first.mdp, first.demonstrator, task.n_demos, rng)
        if counts.counts[0, 0, 1:].any():
            continue
        failures += 1
        policy = BC.policy(counts)
        for bandit in bandits:
            gap = dp.suboptimality(bandit.mdp, bandit.demonstrator, policy)
            gap_error = max(gap_error, abs(gap - bc_fails.value_gap(task.epsilon)))
        largest = max(largest, coverage(policy, first.demonstrator))
    if failures == 0:  # without a failure nothing is tested: infinity makes the claims fail
        gap_error = largest = math.inf
    return {"failures": np.array(failures), "gap_error": np.array(gap_error), "coverage": np.array(largest)}


def minimax_by_lp(share: float, n_rollouts: int) -> float:
    """Minimax loss of a learner that sees n rollouts of a policy with probability `share` for each rewarded arm.

    The rollouts reveal the bandit, or nothing: three outcomes. The learner chooses the probability of each arm for each
    outcome, so its minimax loss is a linear program in these probabilities and the larger loss.
    """
    nothing = (1 - 2 * share) ** n_rollouts
    law = np.array([[nothing, 1 - nothing, 0.0], [nothing, 0.0, 1 - nothing]])  # bandit x outcome
    n_arms, n_outcomes = 3, 3
    objective = np.zeros(n_outcomes * n_arms + 1)
    objective[-1] = 1.0
    at_most = np.zeros((2, objective.size))
    for bandit in range(2):  # 1 - sum_o law(o) x_o(arm) <= loss
        for outcome in range(n_outcomes):
            at_most[bandit, outcome * n_arms + 1 + bandit] = -law[bandit, outcome]
        at_most[bandit, -1] = -1.0
    equal = np.zeros((n_outcomes, objective.size))
    for outcome in range(n_outcomes):
        equal[outcome, outcome * n_arms : (outcome + 1) * n_arms] = 1.0
    solution = linprog(objective, at_most, -np.ones(2), equal, np.ones(n_outcomes), bounds=(0.0, None), method="highs")
    if solution.status != 0 or solution.x is None:
        raise RuntimeError(f"the linear program of the minimax loss was not solved: {solution.message}")
    return float(solution.x[-1])


def check(arrays: Arrays) -> Sequence[Claim]:
    """The probability in both regions, the samples, the gap, the coverage, the minimax loss."""
    T = arrays["n_demos"]
    bounds = (bc_fails.paper_max_demos, r5_max_demos)
    limits = np.array([[bound(float(eps)) for bound in bounds] for eps in arrays["epsilons"]])
    paper = arrays["exact"][limits[:, :1] >= T].min()
    r5 = arrays["exact"][limits[:, 1:] >= T].min()
    margins = []
    trials, confidence = int(arrays["replicates"]), 1 - FALSE_ALARM / arrays["failures"].size
    for e, n, k in zip(arrays["sampled_epsilon"], arrays["sampled_n_demos"], arrays["failures"], strict=True):
        exact = bc_fails.unseen_arms_probability(int(n), float(e))
        interval = clopper_pearson(int(k), trials, confidence)
        margins.append(min(exact - interval.low, interval.high - exact))
    bc, lp = arrays["minimax_policies"].tolist().index("BC"), arrays["minimax_lp"]
    lp_error = np.abs(lp - arrays["minimax"][:, arrays["minimax_lp_rollouts"]]).max()
    return [
        Claim(id="bc-fails-paper-region", source="B1.2", relation=">=", interval=Interval.point(paper), bound=0.5,
              evidence="exact",
              detail="Smallest probability that BC plays no rewarded arm, over the shown 1 <= T <= 1/(20 eps)."),
        Claim(id="bc-fails-our-region", source="R5", relation=">=", interval=Interval.point(r5), bound=0.5,
              evidence="exact",
              detail="Smallest probability that BC plays no rewarded arm, over the shown 1 <= T <= 1/(8 eps)."),
        Claim(id="bc-fails-sampled", source="B1.2", relation=">=", interval=Interval.point(min(margins)), bound=0.0,
              evidence="sampled",
              detail="Smallest distance of the exact probability from the ends of the sampled one's Clopper-Pearson "
              f"interval, over {len(margins)} points; false alarm {FALSE_ALARM:g} for all together."),
        Claim(id="bc-fails-gap", source="R5", relation="<=",
              interval=Interval.point(float(arrays["largest_gap_error"])), bound=1e-15, evidence="exact",
              detail="Largest difference of BC's loss from 2 eps where neither rewarded arm was recorded, both "
              "bandits."),
        Claim(id="bc-fails-coverage", source="B1.3", relation="<=",
              interval=Interval.point(float(arrays["largest_coverage"])), bound=0.0, evidence="exact",
              detail="Largest coverage of BC where neither rewarded arm was recorded."),
        Claim(id="bc-fails-minimax", source="B1.6", relation=">=",
              interval=Interval.point(float(min(arrays["minimax"][bc].min(), lp[bc].min()))),
              bound=bc_fails.minimax_loss() - 1e-9, evidence="exact",
              detail="Smallest minimax loss of learners that see BC's rollouts: 0 to 1000 by the closed form, 0 to 100 "
              "by a linear program."),
        Claim(id="bc-fails-minimax-form", source="R5", relation="<=", interval=Interval.point(float(lp_error)),
              bound=1e-9, evidence="exact",
              detail="Largest difference of the linear program from (1/2)(1 - 2q)^n, q the probability of each "
              "rewarded arm."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """Two panels: how often BC fails, and the minimax loss."""
    figure = style.new_figure(page=2.7, column=5.2)
    often, minimax = style.new_panels(figure, 2, page=2, column=1)
    _draw_probability(often, arrays)
    _draw_minimax(minimax, arrays)
    return figure


def _draw_probability(axes: Axes, arrays: Arrays) -> None:
    axes.axvspan(1e-9, 1 / 20, color=palette.colour("paper's bound"), alpha=0.13, lw=0)
    axes.axvspan(1 / 20, 1 / 8, color=palette.colour("our bound"), alpha=0.15, lw=0)
    shades = contrast.shades("BC", len(arrays["epsilons"]))
    trials = int(arrays["replicates"])
    for eps, T, exact, shade in zip(arrays["epsilons"], arrays["n_demos"], arrays["exact"], shades, strict=True):
        axes.plot(T * eps, exact, color=shade, label=f"$\\epsilon$ = {eps:g}")
        of_epsilon = arrays["sampled_epsilon"] == eps
        share = arrays["failures"][of_epsilon] / trials
        ends = [clopper_pearson(int(k), trials) for k in arrays["failures"][of_epsilon]]
        error = [share - [i.low for i in ends], [i.high for i in ends] - share]
        axes.errorbar(
            arrays["sampled_n_demos"][of_epsilon] * eps, share, yerr=error, fmt="o", color=shade, ms=2.5, lw=0.8
        )
    axes.axhline(0.5, color=palette.colour("demonstrator"), lw=0.8, ls=":")
    axes.text(0.003, 0.46, "paper's region\n$T \\leq 1/(20\\,\\epsilon)$", fontsize=7, va="top")
    axes.text(
        0.0515, 0.28, "our region\n$T \\leq 1/(8\\,\\epsilon)$", fontsize=7, va="top", color=palette.colour("our bound")
    )
    axes.set(xlim=(0, 0.3), ylim=(0, 1.02), xlabel="demonstrations × rarity,  $T \\epsilon$", ylabel="probability")
    axes.plot([], [], "o", color=palette.colour("BC"), ms=2.5, label="sampled, 95 % intervals")
    axes.legend(loc="upper right")
    style.panel_letter(axes, "a", "BC never plays a rewarded arm")


def _draw_minimax(axes: Axes, arrays: Arrays) -> None:
    n = arrays["rollouts"]
    for name, loss in zip(arrays["minimax_policies"], arrays["minimax"], strict=True):
        axes.plot(n, loss, color=palette.colour(str(name)))
    axes.plot(
        np.tile(arrays["minimax_lp_rollouts"], (len(arrays["minimax_lp"]), 1)).T,
        arrays["minimax_lp"].T,
        "k.",
        ms=3,
        zorder=3,
    )
    axes.text(1.3, 0.505, "BC: always 1/2", color=palette.colour("BC"), va="bottom", fontsize=7)
    axes.text(1.1, 0.1, "uniform noise,\nsame $\\alpha$", color=palette.colour("uniform noise"), va="top", fontsize=7)
    axes.text(12, 0.19, "PostBC, the paper's $\\alpha$, $\\lambda$", color=palette.colour("PostBC"), fontsize=7)
    axes.set(xscale="log", xlim=(1, n[-1]), ylim=(0, 0.56))
    axes.set(xlabel="rollouts of the pretrained policy", ylabel="smallest loss of any learner (reward)")
    style.panel_letter(axes, "b", f"best learner from the rollouts (T = {int(arrays['minimax_demos'])})")
