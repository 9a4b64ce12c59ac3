"""Learning curves of a finetuner from BC, sigma-BC and PostBC: judged seed by seed, and drawn."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.control import comparisons, judgements
from figures.control.comparisons import Case
from figures.control.families import FAMILIES, families_of
from figures.control.matching import chosen_on_other_half
from figures.look import labels, palette, style
from figures.running.artifacts import Arrays
from theory.claims import Claim
from theory.statistics.probability import mean_interval

FloatArray = NDArray[np.float64]

CAPTION = (
    "Success against steps of the environment, evaluated on common first states: means over seeds with Student's 95 % "
    "intervals (of single curves, not of differences). All actions of a chunk count as steps. The value at 0 is the "
    "success of the pretrained policy. For sigma-BC and PostBC the strength with the highest final success on these "
    "seeds is shown; for the claims the strength is chosen on the other half of the seeds. T: demonstrations."
)

STEPS = ("steps of the environment (thousands)", "steps (thousands)")
"""Label of the horizontal axis, on a page and in a column."""

MEAN, LAST, GAIN = "mean of the curve", "last success", "gain"
"""Quantities of a curve: its mean without the first point; its last success; the last minus the first."""


@dataclass(frozen=True, kw_only=True)
class CurveComparison:
    """What is judged of learning curves.

    Parameters
    ----------
    text : str
        As printed, and as part of a claim's id.
    quantity : str
        `MEAN`, `LAST` or `GAIN`.
    family : str
    rival : str or None, optional
        Whose quantity is subtracted; None: no policy's.
    source : {"E0", "E2"}
        Claim of the paper that this is about; E0: none.
    """

    text: str
    quantity: str
    family: str
    rival: str | None = None
    source: str


CURVE_COMPARISONS = (
    CurveComparison(text="curve, PostBC - BC", quantity=MEAN, family="PostBC", rival="BC", source="E2"),
    CurveComparison(text="curve, PostBC - sigma-BC", quantity=MEAN, family="PostBC", rival="sigma-BC", source="E2"),
    CurveComparison(text="last success, PostBC - BC", quantity=LAST, family="PostBC", rival="BC", source="E2"),
    CurveComparison(
        text="last success, PostBC - sigma-BC", quantity=LAST, family="PostBC", rival="sigma-BC", source="E2"
    ),
    CurveComparison(text="gain of BC", quantity=GAIN, family="BC", source="E0"),
    CurveComparison(text="gain of sigma-BC", quantity=GAIN, family="sigma-BC", source="E0"),
    CurveComparison(text="gain of PostBC", quantity=GAIN, family="PostBC", source="E0"),
)
"""In the order in which intervals draw from their generator."""


def compared(arrays: Arrays, learner: str, rng: np.random.Generator) -> Arrays:
    """Keep a learner's curves, and judge them seed by seed.

    Parameters
    ----------
    arrays : dict
        As of `tables.tensors`.
    learner : str
        One of its `learners`.
    rng : numpy.random.Generator
    """
    number = arrays["learners"].tolist().index(learner)
    curves = {name: arrays[name][:, :, number] for name in ("curve", "curve_steps")}
    shape = curves["curve"].shape[:2]
    differences = [_differences(arrays, (i, j, number)) for i, j in np.ndindex(*shape)]
    bounds = (0.0,) * len(CURVE_COMPARISONS)
    judged = judgements.judge_each_comparison(judgements.stack_padded(differences, shape), rng, bounds)
    kept = {name: arrays[name] for name in ("tasks", "n_demos", "families", "strengths")}
    return {**curves, **kept, **judgements.with_prefix("gain_", judged)}


def _differences(arrays: Arrays, case: Case) -> FloatArray:
    """`CURVE_COMPARISONS` of each seed, (C, R), at strengths chosen on the other half of the seeds."""
    policies, seeds = comparisons.known_policies_and_seeds(arrays, case)
    curve = arrays["curve"][case][np.ix_(policies, seeds)]
    families = arrays["families"][policies]

    def chosen(family: str) -> FloatArray:
        rows = np.flatnonzero(families == family)
        best = rows[chosen_on_other_half(curve[rows, :, -1])]
        return np.asarray(curve[best, np.arange(seeds.size)])

    def difference(comparison: CurveComparison) -> FloatArray:
        quantity = _quantity(chosen(comparison.family), comparison.quantity)
        if comparison.rival is None:
            return quantity
        return quantity - _quantity(chosen(comparison.rival), comparison.quantity)

    return np.stack([difference(comparison) for comparison in CURVE_COMPARISONS])


def _quantity(curve: FloatArray, quantity: str) -> FloatArray:
    """A quantity of curves (R, checkpoints), (R,)."""
    quantities = {MEAN: curve[:, 1:].mean(axis=1), LAST: curve[:, -1], GAIN: curve[:, -1] - curve[:, 0]}
    return np.asarray(quantities[quantity])


def claims(arrays: Arrays, learner: str) -> list[Claim]:
    """E2: more success after the same steps, and along the curve; and whether the learner gains at all (E0)."""
    judgement = judgements.of_prefix("gain_", arrays)
    all_claims = []
    for index in np.ndindex(*judgement["mean"].shape):
        task, n, comparison = arrays["tasks"][index[0]], arrays["n_demos"][index[1]], CURVE_COMPARISONS[index[2]]
        claim = judgements.claim(
            judgement, index, name=f"{learner.lower()} {task} {n} {comparison.text}", source=comparison.source,
            subject=f"{learner} on {task} from {n} demonstrations, {comparison.text} (success; a curve's is its mean "
            "behind 0)",
            judged_together="all tasks",
        )  # fmt: skip
        if claim is not None:
            all_claims.append(claim)
    return all_claims


def draw(arrays: Arrays) -> Figure:
    """One panel for each task and number of demonstrations."""
    cases = list(np.ndindex(*arrays["curve"].shape[:2]))
    figure = style.new_figure(page=0.3 + 2.5 * -(-len(cases) // 3), column=0.4 + 2.1 * -(-len(cases) // 2))
    panels = style.new_panels(figure, len(cases), page=3, column=2)
    for k, (axes, case) in enumerate(zip(panels, cases, strict=True)):
        draw_panel(axes, arrays, case, palette.letter(k))
    style.name_axes(panels, style.by_form(*STEPS), "success")
    if style.by_form(False, True):
        style.legend_at_end(figure, [style.line_of(family) for family in families_of(arrays)], page=3, column=3)
    return figure


def draw_panel(axes: Axes, arrays: Arrays, case: tuple[int, ...], letter: str) -> None:
    """Draw the curves of one task and number of demonstrations.

    On a page each curve has its name and strength at its end; in a column the strengths are in the title.
    """
    families = [family for family in families_of(arrays) if _has_curve(arrays, case, family)]
    curves = [_draw_curve(axes, arrays, case, family) for family in families]
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.02), min(high, 1.02))
    strengths = [strength for strength, _ in curves if strength]
    task, n = arrays["tasks"][case[0]], arrays["n_demos"][case[1]]
    short = f"{task}, T = {n}\n{', '.join(strengths)}"
    style.panel_letter(axes, letter, style.by_form(f"{task}, {n} demonstrations", short))
    if style.by_form(True, False):
        ends = zip(families, curves, strict=True)
        names = [(f"{family}\n{strength}".rstrip(), palette.colour(family), *end) for family, (strength, end) in ends]
        labels.name_ends(axes, names)


def _has_curve(arrays: Arrays, case: tuple[int, ...], family: str) -> bool:
    return bool(np.isfinite(arrays["curve"][case][arrays["families"] == family]).any())


def _draw_curve(axes: Axes, arrays: Arrays, case: tuple[int, ...], family: str) -> tuple[str, tuple[float, float]]:
    """Draw the best curve of a family with its interval; return its strength as printed, and its end."""
    curves = arrays["curve"][case]
    last = np.array([np.nanmean(success) if (~np.isnan(success)).any() else -1.0 for success in curves[:, :, -1]])
    rows = np.flatnonzero(arrays["families"] == family)
    best = rows[last[rows].argmax()]
    known = ~np.isnan(curves[best, :, -1])
    x, y = arrays["curve_steps"][case][best][known].mean(axis=0) / 1000, curves[best][known]
    intervals = [mean_interval(column) for column in y.T]
    low, high = np.clip([[interval.low for interval in intervals], [interval.high for interval in intervals]], 0, 1)
    colour = palette.colour(family)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    axes.plot(x, y.mean(axis=0), color=colour, marker=palette.marker(family))
    strength = FAMILIES[family].strength_text(float(arrays["strengths"][best]))
    return strength, (float(x[-1]), float(y.mean(axis=0)[-1]))
