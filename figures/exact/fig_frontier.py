"""The frontier of the lower-bound family (B.4): the most coverage at a given loss, and which estimators reach it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.exact.estimators import DELTA, NOISE_FAMILIES
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular.counts import Counts
from tabular.frontier import LowerBoundFamily, best_coverage, worst_loss_and_coverage
from tabular.policies import BC, MixtureEstimator, paper_choice, posterior
from theory.bounds import b4_lower_bound as lower_bound
from theory.bounds.r4_frontier import deterministic_frontier, randomised_frontier
from theory.claims import Claim, Interval

TITLE = "The most coverage at a given loss"
SECTION = "r4"
CAPTION = (
    "The family of B.4 with T = 1/(4 alpha), where its condition holds with equality, and delta = 0.1. Lines: the "
    "closed forms of R4; crosses: linear programs. Small markers: uniform noise and PostBC with alpha up to 1, exact. "
    "They lie on the frontier of deterministic estimators until the coverage is close to 1, uniform noise included: "
    "this family does not separate PostBC from uniform noise. Large markers: the posterior with lambda = A, PostBC "
    "with the paper's alpha and lambda, and BC, whose loss and coverage are 0 (drawn in the corner)."
)
JUDGED = ("uniform noise", "PostBC", "PostBC, lambda = L'/2")
"""Families that claims are about."""
LEAST = 0.015
"""Least coverage that is drawn."""


@dataclass(frozen=True, kw_only=True)
class Marked:
    """An estimator with a large marker.

    Parameters
    ----------
    name : str
        With a look in `figures.look.palette`.
    label : str
        Printed label.
    build : callable
        Estimator for A arms and T demonstrations.
    """

    name: str
    label: str
    build: Callable[[int, int], MixtureEstimator]


MARKED = (
    Marked(name="BC", label="BC, at (0, 0)", build=lambda A, T: BC),
    Marked(name="posterior", label="posterior, $\\lambda = A$", build=lambda A, T: posterior(A)),
    Marked(name="PostBC", label="PostBC, paper's $\\alpha, \\lambda$", build=lambda A, T: paper_choice(A, 1, T)),
)
"""Further entries go to the end."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    n_actions, n_demos : tuple of int, optional
        Numbers of arms A and demonstrations T, one panel for each pair.
    n_losses : int, optional
        Losses at which the linear programs are solved.
    n_alphas : int, optional
        Number of noise levels alpha.
    """

    n_actions: tuple[int, ...] = (3, 6, 20)
    n_demos: tuple[int, ...] = (10, 20, 100)
    n_losses: int = 5
    n_alphas: int = 13


FULL = Config(n_losses=41, n_alphas=25)
QUICK = Config()


@dataclass(frozen=True, kw_only=True)
class FrontierCell:
    """One family: A arms and T demonstrations."""

    n_actions: int
    n_demos: int
    n_losses: int
    n_alphas: int


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Linear programs, closed forms, and loss and coverage of the estimators; nothing is random."""
    cells = [
        FrontierCell(n_actions=A, n_demos=T, n_losses=config.n_losses, n_alphas=config.n_alphas)
        for A, T in zip(config.n_actions, config.n_demos, strict=True)
    ]
    results = sweep.run("frontier", frontier, [asdict(cell) for cell in cells])
    arrays: Arrays = {key: np.stack([result[key] for result in results]) for key in results[0]}
    arrays["families"] = np.array(list(NOISE_FAMILIES))
    arrays["marked"] = np.array([entry.name for entry in MARKED])
    arrays["n_actions"] = np.array(config.n_actions)
    arrays["n_demos"] = np.array(config.n_demos)
    return arrays


def frontier(cell: Cell, rng: np.random.Generator) -> Arrays:
    """One family: programs and closed forms at each loss, loss and coverage of the estimators at each alpha."""
    task = FrontierCell(**cell)
    A, T = task.n_actions, task.n_demos
    rare = 1.0 / (4 * T)
    family = LowerBoundFamily(A, rare, T, DELTA)
    kink = (A - 1) * rare / (1 + (A - 1) * rare)
    losses = kink * np.geomspace(0.02, 5.0, task.n_losses)
    members = [
        family_of_noise.member(alpha, n_states=1, n_actions=A, horizon=1, n_demos=T, delta=DELTA)
        for family_of_noise in NOISE_FAMILIES.values()
        for alpha in np.geomspace(0.01, 1.0, task.n_alphas).tolist()
    ]
    marked = [entry.build(A, T) for entry in MARKED]
    return {
        "losses": losses,
        "program": np.array(
            [
                [best_coverage(family, x, randomised=randomised, tolerance=1e-7) for x in losses]
                for randomised in (True, False)
            ]
        ),
        "closed": np.array(
            [
                [randomised_frontier(x, A, rare, T, DELTA) for x in losses],
                [deterministic_frontier(x, A, rare) for x in losses],
            ]
        ),
        "members": np.array([worst_loss_and_coverage(family, m) for m in members]).reshape(len(NOISE_FAMILIES), -1, 2),
        "named": np.array([worst_loss_and_coverage(family, m) for m in marked]),
        "hellinger": np.array([change_of_measure(family, m) for m in marked]),
    }


def change_of_measure(family: LowerBoundFamily, member: MixtureEstimator) -> float:
    """Largest ratio of P_i[pi_hat(i) >= gamma alpha] to Lemma 5's bound, over gamma in (0, 1]; exact.

    Under demonstrator i the number of times that arm i was seen determines the data; under any other it is 0.
    """
    A, T, alpha = family.n_actions, family.n_demos, family.rare_probability
    seen = np.arange(T + 1)
    counts = np.zeros((1, T + 1, A), np.int64)
    counts[0, :, 0], counts[0, :, 1] = T - seen, seen
    played = member.policy(Counts(counts))[0, :, 1]
    levels = np.minimum(played[played > 0], alpha)  # between two levels the event is the same
    ratios = []
    for level in levels.tolist():
        event = played >= level
        bound = lower_bound.change_of_measure_bound(float(event[0]), alpha, T)
        ratios.append(float(family.types @ event) / bound)
    return max(ratios)


def check(arrays: Arrays) -> Sequence[Claim]:
    """R4's closed forms, the estimators against the frontier, and the theorem's bound as printed and corrected."""
    program, closed = arrays["program"], arrays["closed"]
    difference = np.abs(program / closed - 1).max(axis=(0, 2))
    families = [arrays["families"].tolist().index(name) for name in JUDGED]
    marked = [arrays["marked"].tolist().index(name) for name in ("BC", "posterior", "PostBC")]
    inside, above = [], []
    printed, corrected = [], []
    for i, (A, T) in enumerate(zip(arrays["n_actions"].tolist(), arrays["n_demos"].tolist(), strict=True)):
        rare = 1.0 / (4 * T)
        for loss, gamma in arrays["members"][i, families].reshape(-1, 2).tolist():
            best = deterministic_frontier(loss, A, rare)
            above.append(gamma / best - 1)
            if best <= 0.5:
                inside.append(abs(gamma / best - 1))
                printed.append(gamma / lower_bound.paper_theorem_bound(loss, A, rare))
        for x, gamma in zip(arrays["losses"][i].tolist(), program[i, 0].tolist(), strict=True):
            corrected.append(gamma / lower_bound.theorem_bound(x, A, rare))
    return [
        Claim(id="frontier-program-randomised", source="R4", relation="<=",
              interval=Interval.point(float(difference[0])), bound=1e-6, evidence="exact",
              detail="Largest relative difference of the linear program and R4's closed form, randomised estimators."),
        Claim(id="frontier-program-deterministic", source="R4", relation="<=",
              interval=Interval.point(float(difference[1])), bound=1e-6, evidence="exact",
              detail="The same for deterministic maps of the data, by an integer program."),
        Claim(id="frontier-members-on", source="R4", relation="<=", interval=Interval.point(max(inside)), bound=1e-9,
              evidence="exact",
              detail="Largest relative distance of uniform noise and PostBC from the deterministic frontier, where "
              "that is at most 1/2."),
        Claim(id="frontier-members-below", source="R4", relation="<=", interval=Interval.point(max(above)), bound=1e-9,
              evidence="exact",
              detail="Largest relative excess of any policy of the family over the deterministic frontier, at every "
              "loss."),
        Claim(id="frontier-change-of-measure", source="lemma-hellinger", relation="<=",
              interval=Interval.point(float(arrays["hellinger"][:, marked].max())), bound=1.0, evidence="exact",
              detail="Largest ratio of P_i[pi_hat(i) >= gamma alpha] to 2 P_j[the same] + T alpha, over gamma, for BC, "
              "the posterior and PostBC."),
        Claim(id="frontier-printed-bound-fails", source="thm-lower-bound", relation=">=",
              interval=Interval.point(min(printed)), bound=1.0, evidence="exact",
              detail="Smallest ratio of a policy's coverage to the printed bound xi/(2 A alpha): above 1, it is "
              "false."),
        Claim(id="frontier-corrected-bound", source="B4.8", relation="<=", interval=Interval.point(max(corrected)),
              bound=1.0, evidence="exact",
              detail="Largest ratio of the best coverage to the corrected bound 4 xi/((A - 1) alpha)."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One panel for each family."""
    n = arrays["n_actions"].size
    figure = style.new_figure(page=2.8, column=0.9 + 2.0 * n)
    panels = style.new_panels(figure, n, page=n, column=1, sharey=True)
    for i, axes in enumerate(panels):
        _draw_family(axes, arrays, i)
        style.panel_letter(axes, palette.letter(i), f"A = {arrays['n_actions'][i]}, T = {arrays['n_demos'][i]}")
    style.name_axes(panels, "largest expected loss $\\xi$", "$\\gamma$ covered with probability 0.9")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=style.by_form(4, 2), handlelength=1.6, columnspacing=1.2
    )
    return figure


def _draw_family(axes: Axes, arrays: Arrays, i: int) -> None:
    A, T = int(arrays["n_actions"][i]), int(arrays["n_demos"][i])
    rare = 1.0 / (4 * T)
    x = np.geomspace(arrays["losses"][i, 0], 1.0, 400)
    randomised = [randomised_frontier(float(v), A, rare, T, DELTA) for v in x]
    deterministic = [deterministic_frontier(float(v), A, rare) for v in x]
    axes.plot(x, randomised, color=palette.colour("our bound"), ls="--", lw=1, label="frontier, randomised")
    axes.plot(x, deterministic, color=palette.colour("our bound"), lw=1, label="frontier, deterministic")
    for side in (0, 1):
        label = "linear programs" if side == 0 else "_"
        axes.plot(arrays["losses"][i], arrays["program"][i, side], "x", color="#777777", ms=4, mew=0.8, label=label)
    for k, name in enumerate(arrays["families"].tolist()):
        loss, gamma = arrays["members"][i, k].T
        axes.plot(loss, gamma, palette.marker(name), color=palette.colour(name), ms=2.6, label=palette.label(name))
    corner = np.array([x[0], LEAST])
    labels = {entry.name: entry.label for entry in MARKED}
    for name, point in zip(arrays["marked"].tolist(), np.maximum(arrays["named"][i], corner), strict=True):
        axes.plot(*point, palette.marker(name), color=palette.colour(name), ms=7, mfc="none", mew=1.3,
                  label=labels[name], clip_on=False)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=(x[0], 1.1), ylim=(LEAST, 1.15))
