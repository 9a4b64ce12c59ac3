"""Statements that are false as printed: the printed bound, the exact value, the corrected bound."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.exact.cloning_experiment import ROUNDING
from figures.exact.enumeration import blind_policy, fall_chance, multinomial_chance, multinomial_outcomes
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from tabular import dp
from tabular.constructions import lower_bound_family
from tabular.counts import Counts
from tabular.exact_coverage import required_counts
from tabular.instances import Instance, reset_bandits
from tabular.policies import paper_choice, posterior
from theory.bounds import b3_coverage as coverage_theory
from theory.bounds import b3_suboptimality as suboptimality
from theory.bounds import b3_visits as visits
from theory.bounds import b4_lower_bound as lower_bound
from theory.bounds.b3_suboptimality import main_bound, paper_rate
from theory.bounds.r4_frontier import simple_frontier
from theory.claims import Claim, Interval, Relation
from theory.statistics.probability import multinomial_box_probability

TITLE = "Statements that are false as printed"
SECTION = "errata"
CAPTION = (
    "Version 1 of the paper. Dotted: the bound as printed; solid black: corrected; points: exact values. Shaded: the "
    "wrong side of the printed bound. a, b: coverage of a policy that ignores the data, on the family of B.4, above "
    "the printed upper bounds (a: T = 25, alpha = 1/(4T); b: A = 10, xi = 0.02 log(T)/T, alpha = 1/(2T)); purple: the "
    "best coverage of any estimator (R4, delta = 1/4). c: probability that the posterior reaches Lemma 1's bound on "
    "every arm, for A = 300 arms, 89 of which the demonstrator plays, and delta = 0.9 (grey points: the corrected "
    "bound). d: probability of meeting an unseen state, with four equally likely states, N = T. e: loss of PostBC on a "
    "bandit with two arms, and the rate with the constant 28. f: probability that BC falls behind by eps, at the "
    "largest T that the statement allows (grey points: corrected, 1 <= T <= 1/(8 eps)); T = 0 is allowed as printed."
)
DELTA, A_COVERAGE, A_USED = 0.9, 300, 89
"""Lemma 1: delta, number of arms, and number of arms that the demonstrator plays, with equal probability."""
T_BOUND, A_COROLLARY, CONSTANT, SHARE = 25, 10, 0.02, 0.05
"""B.4: T of the theorem, A and c of the corollary, and the coverage of the theorem's policy."""
N_STATES = 4


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    arms : tuple of int
        Numbers of arms A of the lower bound.
    corollary_demos, coverage_demos : tuple of int
        T of the corollary and of Lemma 1.
    few_demos : tuple of int, optional
        N of Lemma 4 and T of the main theorem.
    inverse_epsilons : tuple of int, optional
        1/eps of B.1.
    """

    arms: tuple[int, ...]
    corollary_demos: tuple[int, ...]
    coverage_demos: tuple[int, ...]
    few_demos: tuple[int, ...] = tuple(range(1, 11))
    inverse_epsilons: tuple[int, ...] = (8, 10, 12, 14, 16, 18, 20, 24, 30, 40, 50, 60, 80)


FULL = Config(
    arms=(2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100),
    corollary_demos=tuple(round(10 ** (1 + k / 4)) for k in range(13)),
    coverage_demos=(250, 280, *range(295, 310), *range(310, 701, 10)),
)
QUICK = Config(
    arms=(2, 3, 5, 10, 30, 100),
    corollary_demos=(10, 100, 1000, 10_000),
    coverage_demos=(250, 290, 301, 310, 325, 350, 400, 450, 500, 600, 700),
)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Exact values by the tabular core, and the printed and corrected bounds."""
    return {
        **_theorem(config.arms),
        **_corollary(config.corollary_demos),
        **_lemma_coverage(config.coverage_demos),
        **_few_demos(config.few_demos),
        **_bc_fails(config.inverse_epsilons),
    }


def _theorem(arms: Sequence[int]) -> Arrays:
    alpha = 1 / (4 * T_BOUND)
    rows = []
    for A in arms:
        covered, xi = blind_policy(A, alpha, SHARE * alpha)
        best = simple_frontier(xi, A, alpha, T_BOUND, 0.25)
        printed = lower_bound.paper_theorem_bound(xi, A, alpha)
        rows.append((covered, printed, lower_bound.theorem_bound(xi, A, alpha), best))
    return {"theorem_x": np.array(arms), "theorem": np.array(rows).T}


def _corollary(n_demos: Sequence[int]) -> Arrays:
    rows = []
    for T in n_demos:
        wanted = CONSTANT * math.log(T) / T
        printed_alpha, _ = blind_policy(A_COROLLARY, 1 / (2 * T), wanted / (A_COROLLARY - 1))
        corrected_alpha, _ = blind_policy(A_COROLLARY, 1 / (4 * T), wanted / (A_COROLLARY - 1))
        printed = lower_bound.paper_corollary_bound(CONSTANT, A_COROLLARY, T)
        corrected = lower_bound.corollary_bound(CONSTANT, A_COROLLARY, T)
        rows.append((printed_alpha, printed, corrected, corrected_alpha))
    return {"corollary_x": np.array(n_demos), "corollary": np.array(rows).T}


def _lemma_coverage(n_demos: Sequence[int]) -> Arrays:
    """P[every arm reaches the bound], printed and corrected, of the posterior (alpha = 1, lambda = A) on one bandit."""
    arms, estimator = np.full(A_USED, 1 / A_USED), posterior(A_COVERAGE)
    printed = coverage_theory.paper_lemma1_bound(1 / A_USED, 1.0, A_COVERAGE, 1, 1, DELTA)
    corrected = coverage_theory.lemma1_bound(1 / A_USED, 1.0, A_COVERAGE, 1, A_COVERAGE, 1, DELTA)
    chances = np.empty((2, len(n_demos)))
    row = np.append(arms, np.zeros(A_COVERAGE - A_USED))
    for i, bound in enumerate((printed, corrected)):
        needed = required_counts(n_demos, row, estimator, bound * A_USED)[:, :A_USED]
        chances[i] = [multinomial_box_probability(T, arms, m) for T, m in zip(n_demos, needed, strict=True)]
    return {"coverage_x": np.array(n_demos), "coverage": chances}


def _few_demos(n_demos: Sequence[int]) -> Arrays:
    """Lemma 4 on one step with equally likely states; the main theorem on a bandit whose demonstrator plays one arm."""
    start = reset_bandits(np.full(N_STATES, 1 / N_STATES), 1, 2)
    sure = lower_bound_family(2, 0.5)[0]
    unseen, main = [], []
    for T in n_demos:
        exact = math.fsum(
            chance * dp.meeting_probability(start.mdp, start.demonstrator, new) for chance, new in _visits(start, T)
        )
        unseen.append((exact, visits.paper_first_visit_bound(N_STATES, 1, T), visits.first_visit_bound(N_STATES, 1, T)))
        policy = paper_choice(2, 1, T).policy(Counts(np.array([[[T, 0]]])))
        loss = dp.suboptimality(sure.mdp, sure.demonstrator, policy)
        rate = suboptimality.MAIN_CONSTANT * paper_rate(1, 1, T)
        main.append((loss, rate, main_bound(1, 2, 1, T)))
    return {"few_x": np.array(n_demos), "unseen": np.array(unseen).T, "main": np.array(main).T}


def _visits(instance: Instance, n_demos: int) -> Iterator[tuple[float, NDArray[np.bool_]]]:
    """Each possible table of visits in the first step: its probability, and where (h, s) is unseen."""
    n_states = instance.mdp.n_states
    for counts in multinomial_outcomes(n_demos, N_STATES):
        seen = np.zeros((1, n_states), np.bool_)
        seen[0, :N_STATES] = np.array(counts) > 0
        yield multinomial_chance(counts, instance.mdp.initial[:N_STATES]), ~seen


def _bc_fails(inverse_epsilons: Sequence[int]) -> Arrays:
    rows = [(fall_chance(1 / k, k // 20), fall_chance(1 / k, k // 8)) for k in inverse_epsilons]
    return {"bc_x": 1 / np.array(inverse_epsilons), "bc": np.array(rows).T}


def check(arrays: Arrays) -> Sequence[Claim]:
    """Each printed bound is violated by an exact value; each corrected bound holds."""

    def claim(name: str, source: str, relation: Relation, value: float, bound: float, detail: str) -> Claim:
        return Claim(
            id=f"errata-{name}", source=source, relation=relation, interval=Interval.point(float(value)), bound=bound,
            evidence="exact", detail=detail,
        )  # fmt: skip

    theorem, corollary, chances = arrays["theorem"], arrays["corollary"], arrays["coverage"]
    unseen, main, bc = arrays["unseen"], arrays["main"], arrays["bc"]
    late = arrays["few_x"] >= 2
    kept = 1 + ROUNDING
    return [
        claim("theorem-printed", "thm-lower-bound", ">=", (theorem[0] / theorem[1]).min(), 2.0,
              "Smallest ratio of a blind policy's coverage to the theorem's printed bound, over A; false above 1."),
        claim("theorem-corrected", "thm-lower-bound", "<=", (theorem[3] / theorem[2]).max(), kept,
              "Largest ratio of the best coverage (R4, not below the blind policy's) to the corrected bound, over A."),
        claim("theorem-blind", "R4", "<=", (theorem[0] / theorem[3]).max(), kept,
              "Largest ratio of the blind policy's coverage to the best coverage (R4), over A."),
        claim("corollary-printed", "thm-lower-bound", ">=", (corollary[0] / corollary[1]).min(), 2.0,
              "Smallest ratio of a blind policy's coverage to the corollary's printed bound, over T, alpha = 1/(2T)."),
        claim("corollary-corrected", "thm-lower-bound", "<=", (corollary[3] / corollary[2]).max(), kept,
              "Largest ratio of a blind policy's coverage to the corrected bound, over T, alpha = 1/(4T)."),
        claim("coverage-printed", "lemma-coverage", "<=", chances[0].min(), 0.99 * (1 - DELTA),
              "Smallest probability, over T, that every arm reaches Lemma 1's printed bound; 1 - delta is claimed."),
        claim("coverage-corrected", "lemma-coverage", ">=", chances[1].min(), 1 - DELTA,
              "The same for the corrected bound, with log(SAH/delta)."),
        claim("unseen-printed", "lemma-first-visit", ">=", (unseen[0] - unseen[1])[0], 0.5,
              "Probability of an unseen state minus Lemma 4's printed bound, at N = 1."),
        claim("unseen-corrected", "R1", "<=", (unseen[0] / unseen[2]).max(), kept,
              "Largest ratio of the probability of an unseen state to S H m_N, over N."),
        claim("main-printed", "thm-main", ">=", (main[0] - main[1])[0], 0.1,
              "Loss of PostBC minus the main theorem's rate, at T = 1, where the rate is 0 with any constant."),
        claim("main-corrected", "thm-main", "<=",
              max((main[0] / main[2]).max(), (main[0, late] / main[1, late]).max()), kept,
              "Largest ratio of PostBC's loss to the bound with its constants, and for T >= 2 to 28 H^2 S log(T)/T."),
        claim("bc-printed", "prop-bc-fails", "<=", bc[0].min(), 0.49,
              "Smallest probability that BC falls behind, at the largest T allowed as printed; 1/2 is claimed."),
        claim("bc-corrected", "R5", ">=", bc[1].min(), 0.5 * (1 - ROUNDING),
              "The same at the largest T of at least 1 that is at most 1/(8 eps)."),
    ]  # fmt: skip


TITLES = ("lower bound", "its corollary", "Lemma 1", "Lemma 4", "main theorem", "BC fails (B.1)")
LETTERS = tuple(palette.letter(i) for i in range(len(TITLES)))
TRUTH = {"c": "posterior", "d": "BC", "e": "PostBC", "f": "BC"}
"""Policy whose value the points of a panel show; in the other panels a policy that ignores the data."""


def draw(arrays: Arrays) -> Figure:
    """One panel for each statement."""
    figure = style.new_figure(page=4.4, column=7.2)
    panels = dict(zip(LETTERS, style.new_panels(figure, len(TITLES), page=3, column=2), strict=True))
    _draw_upper(panels["a"], "a", arrays["theorem_x"], arrays["theorem"])
    panels["a"].plot(arrays["theorem_x"], arrays["theorem"][3], color=palette.colour("our bound"), ls="--", lw=1)
    panels["a"].set(xscale="log", ylim=(0.005, 1), xlabel="arms A", ylabel="coverage $\\gamma$")
    _draw_upper(panels["b"], "b", arrays["corollary_x"], arrays["corollary"])
    panels["b"].set(xscale="log", ylim=(0.002, 1), xlabel="demonstrations T", ylabel="coverage $\\gamma$")
    _draw_upper(panels["d"], "d", arrays["few_x"], arrays["unseen"])
    panels["d"].set(ylim=(0.03, 3), xlabel="demonstrations N", ylabel="P[unseen state]")
    _draw_upper(panels["e"], "e", arrays["few_x"], arrays["main"])
    panels["e"].set(ylim=(0.01, 40), xlabel="demonstrations T", ylabel="loss (reward)")
    _draw_chance(panels["c"], "c", arrays["coverage_x"], arrays["coverage"], 1 - DELTA)
    panels["c"].set(xlabel="demonstrations T", ylabel="P[all arms covered]")
    _draw_chance(panels["f"], "f", arrays["bc_x"], arrays["bc"], 0.5)
    panels["f"].set(xlabel="$\\epsilon$", ylabel="P[BC falls behind]", xlim=(0, 0.13))
    for (letter, axes), title in zip(panels.items(), TITLES, strict=True):
        style.panel_letter(axes, letter, title)
    _label(panels)
    return figure


def _colour(letter: str) -> str:
    return palette.colour(TRUTH.get(letter, "demonstrator"))


def _draw_upper(axes: Axes, letter: str, x: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Exact value, printed and corrected upper bound; the region above the printed one is shaded."""
    exact, printed, corrected = values[:3]
    positive = printed > 0
    step: Literal["mid"] | None = None if positive.all() else "mid"
    axes.set_yscale("log")
    axes.fill_between(x, np.maximum(printed, 1e-6), 1e3, step=step, color=palette.colour("BC"), alpha=0.08, lw=0)
    axes.plot(x[positive], printed[positive], color=palette.colour("paper's bound"), ls=":")
    axes.plot(x, corrected, color=palette.colour("paper's bound"), lw=1)
    axes.plot(x, exact, color=_colour(letter), marker="o", lw=0)


def _draw_chance(axes: Axes, letter: str, x: NDArray[np.float64], values: NDArray[np.float64], claimed: float) -> None:
    """Exact probabilities with the printed and with the corrected bound, and the claimed probability."""
    axes.axhspan(-0.05, claimed, color=palette.colour("BC"), alpha=0.08, lw=0)
    axes.axhline(claimed, color=palette.colour("paper's bound"), ls=":")
    axes.plot(x, values[1], color="#999999", marker="o", ms=2.5, lw=0.8)
    axes.plot(x, values[0], color=_colour(letter), marker="o", lw=0.8)
    axes.set_ylim(-0.05, 1.05)


def _label(panels: dict[str, Axes]) -> None:
    black, purple, pale = palette.colour("paper's bound"), palette.colour("our bound"), "#777777"
    texts: list[tuple[str, float, float, str, str]] = [
        ("a", 2.2, 0.24, "corrected", black),
        ("a", 2.2, 0.095, "best (R4)", purple),
        ("a", 2.2, 0.034, "blind policy", _colour("a")),
        ("a", 12, 0.0165, "printed", black),
        ("b", 12, style.by_form(0.17, 0.24), "corrected", black),
        ("b", 12, 0.03, "blind policy", _colour("b")),
        ("b", 1e3, 0.0075, "printed", black),
        ("c", 440, 0.12, "claimed", black),
        ("c", 520, 0.45, "printed\nbound", _colour("c")),
        ("c", 320, 0.79, "corrected\nbound", pale),
        ("d", 1.6, 0.034, "printed: 0 at N = 1", black),
        ("d", 4.5, 1.45, "printed", black),
        ("d", 6, 0.33, "corrected", black),
        ("d", 4, 0.1, "exact", _colour("d")),
        ("e", 1.6, 0.012, "printed: 0 at T = 1,\nfor any constant", black),
        ("e", 4.5, 12, "printed", black),
        ("e", 2.5, 1.0, "corrected", black),
        ("e", 2.3, 0.2, "exact", _colour("e")),
        ("f", 0.004, 0.42, "claimed", black),
        ("f", 0.058, 0.05, "printed: T = 0", _colour("f")),
        ("f", 0.08, 0.7, "corrected", pale),
    ]
    for letter, x, y, text, colour in texts:
        panels[letter].text(x, y, text, fontsize=6.5, color=colour)
