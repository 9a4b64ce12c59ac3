"""Best-of-N from pretrained policies of three families: more rollouts for the critic, and the trade-off by strength."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from figures.control import grid, grid_runs, judgements, tables, tradeoff
from figures.control import learning_curves as curves
from figures.control.families import families_of
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim

TITLE = "Best-of-N: more rollouts, and the trade-off by strength"
CAPTION = (
    "a, c and so on: success when the best of 16 samples is chosen by a critic trained on 200 and on 1000 episodes of "
    "the pretrained policy; the value at 0 is the success of the pretrained policy. Means over seeds with Student's 95 "
    "% intervals (of single curves, not of differences); the strengths were chosen for DSRL on separate seeds. b, d "
    "and so on: success before and after finetuning (N = 16, 1000 episodes). Each curve is a family, each mark a "
    "strength, with Student's 95 % intervals; up and to the right is better, and on the dotted line there is no gain; "
    "the numbers at the marks are sigma or alpha. T: demonstrations. Seeds: 5 in a, c and so on; in b, d and so on 20 "
    "on reach and stick and 10 on the other tasks. Quick and full settings draw the same recorded grid."
)
STRENGTHS, ROLLOUTS = ("strengths", "strengths_ends"), ("rollouts",)
"""Recorded tables of the lower and of the upper panels."""
FULL = QUICK = Recorded((*STRENGTHS, *ROLLOUTS))

FEW, MANY = (tables.learner_name("Best-of-N", candidates=n) for n in (4, 16))
BY_ROLLOUTS = tables.learner_name("Best-of-N", grid.BY_ROLLOUTS, 16)
ROLLOUTS_PREFIX = "rollouts "
"""Prefix of the names of the upper panels' arrays."""


def compute(config: Recorded, sweep: Sweep) -> Arrays:
    """Read the recorded grid, and compare the families seed by seed."""
    by_strength, by_rollouts = (
        tables.tensors(grid_runs.rows_of(Recorded(parts), sweep)) for parts in (STRENGTHS, ROLLOUTS)
    )
    rng = sweep.generator("Best-of-N comparisons")
    learning = curves.compared(by_rollouts, BY_ROLLOUTS, rng)
    return tradeoff.compared(by_strength, (FEW, MANY), rng) | judgements.with_prefix(ROLLOUTS_PREFIX, learning)


def check(arrays: Arrays) -> Sequence[Claim]:
    """E1 and E2 for each task and number of candidates; the upper panels have too few seeds for claims."""
    return tradeoff.claims(arrays)


def draw(arrays: Arrays) -> Figure:
    """Two panels, one above the other, for each task."""
    learning, learner = judgements.of_prefix(ROLLOUTS_PREFIX, arrays), arrays["learners"].tolist().index(MANY)
    n_tasks = arrays["tasks"].size
    figure = style.new_figure(page=0.4 + 4.6 * -(-n_tasks // 3), column=0.6 + 1.8 * n_tasks)
    pairs = style.new_pairs(figure, n_tasks, page=3, ratio=1.0)
    for k, (task, (upper, lower)) in enumerate(zip(arrays["tasks"], pairs, strict=True)):
        curves.draw_panel(upper, learning, (learning["tasks"].tolist().index(task), 0), palette.letter(2 * k))
        tradeoff.draw_families(lower, arrays, (k, 0, learner))
        title = style.by_form(f"{task}, by strength", f"{task}\nby strength")
        style.panel_letter(lower, palette.letter(2 * k + 1), title)
    style.name_pairs(pairs, (style.by_form(*curves.STEPS), "success"), tradeoff.axes_names())
    if style.by_form(False, True):
        style.legend_at_end(figure, [style.line_of(family) for family in families_of(arrays)], page=3, column=3)
    style.lay_out(figure)
    for k, (_, lower) in enumerate(pairs):
        tradeoff.name_families(lower, arrays, (k, 0, learner))
    return figure
