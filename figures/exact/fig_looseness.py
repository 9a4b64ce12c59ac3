"""How loose the bounds are: bound over truth against the number of demonstrations; printed, corrected and sharper."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.exact import cloning_experiment
from figures.exact.cloning_experiment import FALSE_ALARM, Config, positions
from figures.exact.estimators import DELTA
from figures.exact.fig_uniform_fails import expected_loss
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Sweep
from tabular.instances import Instance
from tabular.policies import uniform_noise
from theory.bounds import b2_uniform_fails as uniform_fails
from theory.bounds import b3_coverage as coverage
from theory.bounds import b3_visits as visits
from theory.bounds import b4_lower_bound as lower_bound
from theory.bounds.b3_suboptimality import main_bound, paper_parameters, paper_rate
from theory.bounds.r1_suboptimality import expected_noise, r1_bound, r1_simple_bound
from theory.bounds.r2_coverage import r2_coverage
from theory.bounds.r3_coverage import r3_coverage
from theory.bounds.r4_frontier import randomised_frontier, simple_frontier
from theory.bounds.r5_sharp_failures import r5_coverage_bound, r5_visits_prior_mass
from theory.claims import Claim, Interval

TITLE = "How loose the bounds are"
SECTION = "bounds"
ALSO = ("lemma-visits", "lemma-first-visit", "thm-lower-bound", "r2", "r5")
CAPTION = (
    "Factor between each bound and the true value, against the number of demonstrations T: a factor of 1 is exact, and "
    "below 1 the bound is false. Lines: median over six instances; bands: from the smallest to the largest of their 95 "
    "% intervals. Printed bounds dotted, corrected bounds with their constants black, ours purple. a-d: chain lock, "
    "DeepSea, grid, funnel, Garnet and FrozenLake8x8; the true value is sampled, and shown where its interval is above "
    "0 (c: above 1), which leaves fewer instances at large T. a: gamma of PostBC with probability 0.9, by "
    "distribution-free intervals; b: its expected loss, by Student's intervals ('printed' is the rate with the "
    "constant 1); c: the smallest lambda for which Lemma 3 holds with probability 0.9; d: the probability that BC "
    "meets a state it never saw. e, f: exact. e: gamma of uniform noise at its own loss, H from 2 to 100; f: the best "
    "coverage of any estimator on the family of B.4, A from 2 to 100, for delta = 1/4; there R4 is exact."
)
SIX = ("chain lock", "DeepSea", "grid", "funnel", "Garnet", "FrozenLake8x8")
"""Instances of panels a to d."""
FULL, QUICK = (replace(config, instances=SIX) for config in (cloning_experiment.FULL, cloning_experiment.QUICK))


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel: bounds on one quantity.

    Parameters
    ----------
    title : str
    bounds : tuple of str
        Names of the bounds; those of `FROM_THE_PAPER` are the paper's; the rest are ours, the sharpest last.
    sampled : bool
        Whether the truth is sampled; else it is exact.
    lower : bool, optional
        Whether the bounds are lower bounds: then the truth is divided by the bound.
    """

    title: str
    bounds: tuple[str, ...]
    sampled: bool
    lower: bool = False


PANELS = {
    "coverage": Panel(title="Lemma 1: coverage", bounds=("printed", "corrected", "R2", "R3"), sampled=True, lower=True),
    "loss": Panel(title="main theorem,\nloss", bounds=("printed", "corrected", "R1 simple", "R1"), sampled=True),
    "visits": Panel(title="Lemma 3: prior mass", bounds=("printed", "R5"), sampled=True),
    "unseen": Panel(title="Lemma 4: unseen states", bounds=("printed", "R1.6 simple", "R1.6"), sampled=True),
    "uniform": Panel(title="B.2: uniform noise", bounds=("printed", "R5"), sampled=False),
    "frontier": Panel(title="B.4: best coverage", bounds=("printed", "corrected", "R4"), sampled=False),
}
FROM_THE_PAPER = {"printed": ":", "corrected": "-"}
"""Bounds of the paper, with their lines; ours are dashed where a sharper one of ours is in the same panel."""
HORIZONS = (2, 5, 10, 20, 50, 100)
ARMS = (2, 3, 5, 10, 30, 100)
ROUNDING = 1e-12
"""The probability of an unseen state is one minus a sum, with an error of 1e-15 H."""
DRAWN_SHARE, JUDGED_SHARE = 0.075, 0.95
"""Share of the data sets that must be above 0 for an average to be drawn, and to be judged: Student's interval is for
normal samples, and most values of a rare event are 0."""


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Truth with its intervals, and all bounds, for each panel, instance and T."""
    data, built = cloning_experiment.run(config, sweep)
    arrays: Arrays = {"instances": data["instances"], "n_demos": data["n_demos"]}
    (postbc,) = positions(data, ["PostBC"])
    samples = {
        "coverage": data["coverage"][:, :, postbc],
        "loss": data["loss"][:, :, postbc],
        "visits": data["shortfall"],
        "unseen": _controlled(data["unseen"], data["missing"]),
    }
    arrays["unseen_share"] = (data["unseen"] > ROUNDING).mean(axis=-1)
    strict = 1 - FALSE_ALARM / (len(samples) * len(built) * len(config.n_demos))
    for key, sample in samples.items():
        quantile = {"coverage": DELTA, "visits": 1 - DELTA}.get(key)
        for name, confidence in (("", 0.95), ("_strict", strict)):
            low, high = intervals(sample, confidence, quantile)
            arrays |= {f"{key}{name}_low": low, f"{key}{name}_high": high}
        arrays[f"{key}_truth"] = sample.mean(axis=-1) if quantile is None else np.quantile(sample, quantile, axis=-1)
        bounds = [[_bounds(key, instance, int(T)) for T in config.n_demos] for instance in built]
        arrays[f"{key}_bound"] = np.moveaxis(np.array(bounds), -1, 0)
    return arrays | _exact(config.n_demos)


def _controlled(unseen: NDArray[np.float64], missing: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = zip(unseen.reshape(-1, unseen.shape[-1]), missing.reshape(-1, unseen.shape[-1]), strict=True)
    return np.concatenate([cloning_experiment.controlled(x[None], m) for x, m in rows]).reshape(unseen.shape)


def _bounds(key: str, instance: Instance, n_demos: int) -> list[float]:
    """Values of the bounds of a panel, in the order of `PANELS[key].bounds`."""
    H, S, A = instance.mdp.policy_shape
    alpha, mass = paper_parameters(A, H, n_demos)
    w = np.minimum(instance.occupancy.sum(axis=2), 1.0)
    if key == "coverage":
        return [
            coverage.paper_lemma1_bound(1.0, alpha, mass, S, H, DELTA),
            coverage.lemma1_bound(1.0, alpha, mass, S, A, H, DELTA),
            r2_coverage(S, A, H, DELTA, alpha, mass),
            r3_coverage(S, A, H, DELTA, alpha, mass),
        ]
    if key == "loss":
        return [
            paper_rate(S, H, n_demos),
            main_bound(S, A, H, n_demos),
            r1_simple_bound(S, A, H, n_demos, alpha, mass),
            r1_bound(w, A, n_demos, alpha, mass),
        ]
    if key == "visits":
        return [visits.paper_visits_prior_mass(S, H, DELTA), r5_visits_prior_mass(S, H, DELTA)]
    if key == "unseen":
        return [
            visits.paper_first_visit_bound(S, H, n_demos),
            visits.first_visit_bound(S, H, n_demos),
            float(expected_noise(w, n_demos, 0.0, 1.0).sum()),
        ]
    raise ValueError(f"no bounds are known for the panel {key!r}")


def _exact(n_demos: Sequence[int]) -> Arrays:
    """Panels of B.2 and B.4, whose truth is exact."""
    uniform = np.array([[_uniform(H, T) for T in n_demos] for H in HORIZONS])
    frontier = np.array([[_frontier(A, T) for T in n_demos] for A in ARMS])
    arrays: Arrays = {}
    for key, values in (("uniform", uniform), ("frontier", frontier)):
        arrays[f"{key}_bound"] = np.moveaxis(values[..., 1:], -1, 0)
        arrays |= dict.fromkeys((f"{key}_truth", f"{key}_low", f"{key}_high"), values[..., 0])
    return arrays


def _uniform(horizon: int, n_demos: int) -> list[float]:
    """Coverage of uniform noise with alpha = 1/(2H) on B.2, then its bounds at the exact loss.

    Both actions of s~_i have probability alpha/2 or more, of the demonstrator's 1/2, and on the rare event one has no
    more. So gamma = alpha is always covered, and no larger gamma with probability 0.9.
    """
    alpha = 0.5 / horizon
    if uniform_fails.rare_event_probability(n_demos) <= DELTA:
        raise ValueError(f"the rare event must be likelier than {DELTA}")
    loss = expected_loss(uniform_noise(alpha), n_demos, horizon)
    return [alpha, uniform_fails.paper_coverage_bound(loss, 2), r5_coverage_bound(loss, horizon)]


def _frontier(n_actions: int, n_demos: int) -> list[float]:
    """Best coverage on the family of B.4 and its bounds, at the loss of a data-independent policy covering 0.1."""
    rare = 1 / (4 * n_demos)
    xi = 0.1 * (n_actions - 1) * rare
    truth = randomised_frontier(xi, n_actions, rare, n_demos, 0.25)
    return [
        truth,
        lower_bound.paper_theorem_bound(xi, n_actions, rare),
        lower_bound.theorem_bound(xi, n_actions, rare),
        simple_frontier(xi, n_actions, rare, n_demos, 0.25),
    ]


def looseness(arrays: Arrays, key: str, bound: str, truth: str) -> NDArray[np.float64]:
    """Factor between a bound and the truth, (instances, T).

    `truth` names the array that is used as the truth: `truth`, `low`, `high`, `strict_low` or `strict_high`.
    """
    value = arrays[f"{key}_{truth}"]
    bounds = arrays[f"{key}_bound"][PANELS[key].bounds.index(bound)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = value / bounds if PANELS[key].lower else bounds / np.maximum(value, 0.0)
    return ratio


def known(arrays: Arrays, key: str, share: float) -> NDArray[np.bool_]:
    """Where a sample is large enough to estimate the truth, (instances, T): not for averages over too few events."""
    shape = arrays[f"{key}_truth"].shape
    enough: NDArray[np.bool_] = arrays["unseen_share"] >= share if key == "unseen" else np.ones(shape, np.bool_)
    return enough


def clear(arrays: Arrays, key: str) -> NDArray[np.bool_]:
    """Where the truth is known and its 95 % interval is above 0 (for Lemma 3's lambda: above 1)."""
    threshold = 1.0 if key == "visits" else 0.0
    shown: NDArray[np.bool_] = known(arrays, key, DRAWN_SHARE) & (arrays[f"{key}_low"] > threshold)
    return shown & np.isfinite(arrays[f"{key}_high"])


def least(arrays: Arrays, key: str, bound: str) -> Interval:
    """Interval of the smallest looseness over instances and T."""
    if not PANELS[key].sampled:
        return Interval.point(float(looseness(arrays, key, bound, "truth").min()))
    near, far = ("strict_low", "strict_high") if PANELS[key].lower else ("strict_high", "strict_low")
    judged = known(arrays, key, JUDGED_SHARE)
    return Interval(*(float(looseness(arrays, key, bound, end)[judged].min()) for end in (near, far)))


def check(arrays: Arrays) -> Sequence[Claim]:
    """No corrected or sharper bound is below 1; the printed lower bound is; R1 and R3 gain what they gain."""
    level = f"interval at level 1 - {FALSE_ALARM:g} for all comparisons together"
    checked = [
        ("coverage", "corrected", "lemma-coverage"), ("coverage", "R2", "R2"), ("coverage", "R3", "R3"),
        ("loss", "corrected", "thm-main"), ("loss", "R1", "R1"), ("visits", "R5", "R5"), ("unseen", "R1.6", "R1"),
        ("uniform", "R5", "R5"), ("frontier", "corrected", "thm-lower-bound"),
    ]  # fmt: skip
    claims = [
        Claim(id=f"looseness-{key}-{bound.lower()}", source=source, relation=">=", interval=least(arrays, key, bound),
              bound=1 - ROUNDING, evidence="sampled" if PANELS[key].sampled else "exact",
              detail=f"Smallest factor between the bound ({bound}) of '{PANELS[key].title}' and truth, over instances "
              "and T"
              + (f" at which at least {JUDGED_SHARE:.0%} of the data sets leave an unseen state" if key == "unseen"
                 else "")
              + (f" ({level})." if PANELS[key].sampled else ", exact."))
        for key, bound, source in checked
    ]  # fmt: skip
    printed = float(looseness(arrays, "frontier", "printed", "truth").max())
    r1 = arrays["loss_bound"][1] / arrays["loss_bound"][3]
    r3 = arrays["coverage_bound"][3] / arrays["coverage_bound"][1]
    return [
        *claims,
        Claim(id="looseness-frontier-printed", source="thm-lower-bound", relation="<=",
              interval=Interval.point(printed), bound=0.5, evidence="exact",
              detail="Largest ratio of the printed upper bound on coverage to the best coverage; below 1 it is "
              "false."),
        Claim(id="looseness-r1-gain", source="R1", relation=">=", interval=Interval.point(float(r1.min())), bound=10.0,
              evidence="exact",
              detail="Smallest ratio of the main theorem's bound with its constants to R1, over instances and T."),
        Claim(id="looseness-r3-gain", source="R3", relation=">=", interval=Interval.point(float(r3.min())), bound=50.0,
              evidence="exact",
              detail="Smallest ratio of R3's coverage to that of the corrected Lemma 1, over instances and T."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One panel for each result."""
    figure = style.new_figure(page=4.4, column=6.2)
    panels = style.new_panels(figure, len(PANELS), page=3, column=2, sharex=True)
    for i, (axes, (key, comparison)) in enumerate(zip(panels, PANELS.items(), strict=True)):
        _draw_panel(axes, arrays, key)
        style.panel_letter(axes, palette.letter(i), comparison.title)
    style.name_axes(panels, "demonstrations T", "bound / truth (1 = exact)")
    return figure


def _look(key: str, bound: str) -> tuple[str, str]:
    """Colour and line of a bound."""
    if bound in FROM_THE_PAPER:
        return palette.colour("paper's bound"), FROM_THE_PAPER[bound]
    return palette.colour("our bound"), "-" if bound == PANELS[key].bounds[-1] else "--"


def _draw_panel(axes: Axes, arrays: Arrays, key: str) -> None:
    T, shown = arrays["n_demos"], clear(arrays, key)
    columns = shown.any(axis=0)
    ends, names = {}, PANELS[key].bounds
    banded = ("corrected" if "corrected" in names else "printed", names[-1])
    for bound in names:
        colour, line = _look(key, bound)
        near, middle, far = (
            np.where(shown, looseness(arrays, key, bound, end), np.nan)[:, columns] for end in ("low", "truth", "high")
        )
        if bound in banded:
            low, high = np.nanmin(np.fmin(near, far), axis=0), np.nanmax(np.fmax(near, far), axis=0)
            axes.fill_between(T[columns], low, high, color=colour, alpha=0.12, lw=0)
        median = np.nanmedian(middle, axis=0)
        axes.plot(T[columns], median, color=colour, ls=line)
        ends[bound] = math.log10(median[-1])
    axes.axhline(1.0, color="#999999", lw=0.8)
    axes.set(xscale="log", yscale="log")
    bottom = 0.1 if key == "frontier" else 0.3
    axes.set_ylim(bottom, max(10.0, axes.get_ylim()[1]))
    axes.axhspan(bottom, 1.0, color=palette.colour("BC"), alpha=0.08, lw=0)
    _label_ends(axes, key, ends, float(T[columns][-1]))


def _label_ends(axes: Axes, key: str, ends: dict[str, float], last: float) -> None:
    """Names at the right ends of the lines, moved upwards where they would overlap."""
    low, high = (math.log10(end) for end in axes.get_ylim())
    gap, height = 0.075 * (high - low), -math.inf
    for bound, end in sorted(ends.items(), key=lambda item: item[1]):
        height = max(end, height + gap)
        axes.annotate(bound, (last, 10**height), (3, 0), textcoords="offset points",
                      fontsize=6.5, va="center", color=_look(key, bound)[0], annotation_clip=False)  # fmt: skip
