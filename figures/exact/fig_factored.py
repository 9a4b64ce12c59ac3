"""Factored actions: how often a rollout succeeds, against the number of coordinates, and R7's bounds on the ratio.

The process is the lane of R7 (`theory.bounds.factored_lane`): d coordinates with A values each, H steps. T
demonstrations were recorded, n of which visited state b without a success. A policy clones each coordinate from that
coordinate's counts; its success probability is a closed form, which small lanes check by dynamic programming.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.exact.cloning_experiment import ROUNDING
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from tabular.factored import success_probability
from tabular.policies import BC, postbc, uniform_noise
from theory.bounds import factored_lane, r7_factored
from theory.bounds.factored_lane import FactoredLane
from theory.claims import Claim, Interval, Relation

TITLE = "Factored actions: what dimension costs"
SECTION = "r7"
CAPTION = (
    "A lane of H - 1 steps on which all d coordinates of an action must be 1 (A = 3 values each); behind it, success "
    "needs a first coordinate of 2, which the demonstrator plays half of the time, and which none of the n = 2 of "
    "100,000 demonstrations that came there recorded. a, b: success of a rollout over the demonstrator's, exact, for "
    "uniform noise at its best level and for PostBC (lambda = 3 for each coordinate; alpha = 1, strict: the best alpha "
    "at the last step); BC's is 0. c, d: their ratio (points), between R7's bounds (shaded; line: the lower one). "
    "Tolerant: the other coordinates do not matter at the end; uniform noise pays for every coordinate of every step, "
    "and PostBC for none. Strict: they must be 1 there, too; both pay for d, and the ratio is about H."
)
KINDS = ("tolerant", "strict")
POLICIES = ("uniform noise", "PostBC", "BC")
A, MASS, N_VISITS, DELTA = 3, 3.0, 2, 0.1
"""Values of a coordinate, prior mass lambda of each coordinate, visits n of state b, and 1 - probability of success."""
LINES = ("-", "--", ":", "-.")
"""Line styles of the horizons."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    n_coordinates : tuple of int
        d, each at least 2.
    horizons : tuple of int, optional
        H, each at least 2.
    n_demos : int, optional
        T; the caption names it.
    checked_coordinates : int, optional
        Largest d for which dynamic programming checks the closed forms.
    n_alphas : int, optional
        Levels of uniform noise that are searched.
    """

    n_coordinates: tuple[int, ...]
    horizons: tuple[int, ...] = (2, 10, 50)
    n_demos: int = 100_000
    checked_coordinates: int = 4
    n_alphas: int = 300


FULL = Config(n_coordinates=(2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256), checked_coordinates=6)
QUICK = Config(n_coordinates=(2, 4, 8, 16, 32, 64))


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Success probabilities, bounds and rollouts for each kind of state b, H and d; exact, nothing is random."""
    shape = (len(KINDS), len(config.horizons), len(config.n_coordinates))
    lanes = [
        FactoredLane(
            n_coordinates=d, n_actions=A, horizon=H, visit_probability=N_VISITS / config.n_demos, strict=strict
        )
        for strict in (False, True)
        for H in config.horizons
        for d in config.n_coordinates
    ]
    rows = [_quantities(lane, config) for lane in lanes]
    return {
        "n_coordinates": np.array(config.n_coordinates),
        "horizons": np.array(config.horizons),
        "n_demos": np.array(config.n_demos),
        **{key: np.array([row[key] for row in rows]).reshape(*shape, -1) for key in rows[0]},
        "programming": np.array(closed_form_errors(config.checked_coordinates)),
    }


def _quantities(lane: FactoredLane, config: Config) -> dict[str, tuple[float, ...]]:
    """All numbers of one lane, in the order uniform noise, PostBC, BC where they are of policies."""
    T = config.n_demos
    alpha = r7_factored.best_strict_alpha(lane, N_VISITS, MASS) if lane.strict else 1.0
    level = r7_factored.best_uniform_alpha(lane)
    success = (
        r7_factored.best_uniform_success(lane),
        factored_lane.postbc_success(lane, T, N_VISITS, alpha, MASS),
        factored_lane.postbc_success(lane, T, N_VISITS, 0.0, MASS),
    )
    if lane.strict:
        low, high = r7_factored.strict_ratio_bounds(lane, T, N_VISITS, MASS)
    else:
        low = r7_factored.ratio_bound(lane, N_VISITS, MASS)
        high = math.e * low
    searched = max(factored_lane.uniform_success(lane, float(x)) for x in np.geomspace(1e-5, 1.0, config.n_alphas))
    return {
        "success": tuple(p / (lane.visit_probability / 2) for p in success),
        "ratio_bounds": (low, high),
        "ends": r7_factored.best_uniform_bounds(lane),
        "best": (success[0], searched),
        "leaves": tuple(factored_lane.leaving_probability(lane, x) for x in (level, alpha * MASS / (T + MASS))),
        "leaving_bound": (r7_factored.leaving_bound(lane, T, alpha, MASS),),
        "rollouts": tuple(r7_factored.rollouts_until_success(p, DELTA) for p in success),
    }


def closed_form_errors(most_coordinates: int) -> list[float]:
    """Relative errors of the closed forms against dynamic programming on the process, over small lanes."""
    errors = []
    for d, H, strict in itertools.product(range(1, most_coordinates + 1), (1, 2, 5), (False, True)):
        lane = FactoredLane(n_coordinates=d, n_actions=A, horizon=H, visit_probability=0.3, strict=strict)
        for T, alpha in itertools.product((5, 100), (0.2, 1.0)):
            for member, closed in (
                (uniform_noise(alpha), factored_lane.uniform_success(lane, alpha)),
                (postbc(alpha, MASS), factored_lane.postbc_success(lane, T, N_VISITS, alpha, MASS)),
            ):
                errors.append(abs(success_probability(lane, member, T, N_VISITS) / closed - 1))
        errors.append(success_probability(lane, BC, 100, N_VISITS))  # 0
    return errors


def check(arrays: Arrays) -> Sequence[Claim]:
    """R7's closed forms, the best uniform noise, the ratio in both kinds of state b, the lane, and rollouts."""
    success, bounds, H = arrays["success"], arrays["ratio_bounds"], arrays["horizons"][:, None]
    ratio = success[..., 1] / success[..., 0]
    ends = arrays["best"][..., 0, None] / arrays["ends"]
    leaves, reached = arrays["leaves"], bounds[1, ..., 0] > 0
    # Rounding a number of rollouts up adds less than 1 to it.
    rollouts = arrays["rollouts"][..., 0] / ((arrays["rollouts"][..., 1] - 1) * ratio)
    rows: list[tuple[str, str, Relation, float, float, str]] = [
        ("programming", "R7.1", "<=", arrays["programming"].max(), 1e-10,
         "Largest relative difference of a success probability by closed form and by dynamic programming."),
        ("bc", "R7.1", "<=", success[..., 2].max(), 0.0, "Largest success probability of BC."),
        ("best-uniform", "R7.2", "<=", (arrays["best"][..., 1] / arrays["best"][..., 0]).max(), 1 + ROUNDING,
         "Largest success probability of uniform noise on a grid of alphas, over R7's maximum."),
        ("best-uniform-low", "R7.2", ">=", ends[..., 0].min(), 1.0,
         "Smallest ratio of uniform noise's best success to w/(e(A - 1)(N + 1))."),
        ("best-uniform-high", "R7.2", "<=", ends[..., 1].max(), 1 + ROUNDING,
         "Largest ratio of uniform noise's best success to w/(2(A - 1)(N + 1))."),
        ("uniform-leaves", "R7.2", ">=", leaves[0, ..., 0].min(), 0.5 - ROUNDING,
         "Smallest probability with which the best uniform noise leaves the lane, tolerant."),
        ("postbc-stays", "R7.3", "<=", (leaves[..., 1] / arrays["leaving_bound"][..., 0]).max(), 1 + ROUNDING,
         "Largest ratio of the probability that PostBC leaves the lane to c d(H - 1) alpha lambda/(T + lambda)."),
        ("ratio-low", "R7.3", ">=", (ratio[0] / bounds[0, ..., 0]).min(), 1.0,
         "Smallest ratio of PostBC's success to the best uniform noise's, over R7's bound, tolerant."),
        ("ratio-high", "R7.3", "<=", (ratio[0] / bounds[0, ..., 1]).max(), 1.0,
         "Largest such ratio over e times that bound."),
        ("rollouts", "R7.4", ">=", rollouts.min(), 1.0,
         "Smallest ratio of the rollouts that uniform noise needs to those of PostBC less 1, over that of successes; "
         f"probability {1 - DELTA:g} of a success."),
        ("strict-low", "R7.5", ">=", (ratio[1] / bounds[1, ..., 0].clip(1e-9))[reached].min(), 1.0,
         "Smallest ratio of PostBC's success to the best uniform noise's over H(1 - (H-1)(n + lambda)/(T + lambda)), "
         "strict, where c x_n = 1/d is possible."),
        ("strict-high", "R7.5", "<=", (ratio[1] / (H * math.e / 2)).max(), 1.0,
         "Largest such ratio over (e/2)H."),
    ]  # fmt: skip
    return [
        Claim(id=f"factored-{id}", source=source, relation=relation, interval=Interval.point(float(value)), bound=bound,
              evidence="exact", detail=detail)
        for id, source, relation, value, bound, detail in rows
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """Success above, ratios below; one column for each kind of state b."""
    figure = style.new_figure(page=4.4, column=8.2)
    panels = figure.subplots(*style.by_form((2, 2), (4, 1)), sharex=True).reshape(2, 2)
    for k, kind in enumerate(KINDS):
        _draw_success(panels[0, k], arrays, k)
        _draw_ratio(panels[1, k], arrays, k)
        for row, what in enumerate(("success", "ratio")):
            panels[row, k].set_xscale("log", base=2)
            panels[row, k].set(yscale="log", ylim=_limits(arrays, row))
            panels[row, k].xaxis.set_major_formatter("{x:.0f}")
            panels[row, k].minorticks_off()
            style.panel_letter(panels[row, k], palette.letter(2 * row + k), f"{what}, {kind}")
    style.name_axes(panels, "coordinates d", "success over the demonstrator's", "PostBC / uniform noise")
    figure.legend(handles=_legend(arrays), loc="outside upper center", ncols=style.by_form(6, 2), columnspacing=1.2)
    return figure


def _limits(arrays: Arrays, row: int) -> tuple[float, float]:
    """Ends of the vertical axis, the same for both kinds of state b."""
    success = arrays["success"]
    shown = success[..., :2] if row == 0 else success[..., 1] / success[..., 0]
    return float(shown.min()) / 2, float(shown.max()) * 2


def _draw_success(axes: Axes, arrays: Arrays, k: int) -> None:
    for i, j in itertools.product(range(arrays["horizons"].size), (0, 1)):
        axes.plot(
            arrays["n_coordinates"],
            arrays["success"][k, i, :, j],
            color=palette.colour(POLICIES[j]),
            marker=palette.marker(POLICIES[j]),
            ms=2.5,
            ls=LINES[i % len(LINES)],
        )


def _draw_ratio(axes: Axes, arrays: Arrays, k: int) -> None:
    d, ratio, bound = arrays["n_coordinates"], arrays["success"][k, ..., 1] / arrays["success"][k, ..., 0], "our bound"
    for i in range(arrays["horizons"].size):
        low, high = arrays["ratio_bounds"][k, i].T
        line = LINES[i % len(LINES)]
        shown = low > 0  # strict: none where c x_n = 1/d is out of reach
        axes.plot(d[shown], low[shown], color=palette.colour(bound), lw=1, ls=line)
        axes.fill_between(d[shown], low[shown], high[shown], color=palette.colour(bound), alpha=0.12, lw=0)
        axes.plot(d, ratio[i], palette.marker("PostBC"), color=palette.colour("PostBC"), ms=2.5)


def _legend(arrays: Arrays) -> list[Line2D]:
    lengths = [
        Line2D([], [], color="#777777", ls=LINES[i % len(LINES)], label=f"H = {H}")
        for i, H in enumerate(arrays["horizons"].tolist())
    ]
    bound = Line2D([], [], color=palette.colour("our bound"), lw=1, label="R7")
    return [*(style.line_of(name, ls="none") for name in POLICIES[:2]), *lengths, bound]
