"""Best-of-N from pretrained policies of three families: more rollouts for the critic, and the trade-off by strength."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from figures.control import blocks, grid, tradeoff
from figures.control import comparisons as comparison
from figures.control import learning_curves as curves
from figures.control.variants import FAMILIES
from figures.look import style
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim

TITLE = "Best-of-N: more rollouts, and the trade-off by strength"
CAPTION = (
    "a, c and so on: success of the best of 16 samples by a critic that learnt from 200 and 1000 episodes of the "
    "pretrained policy, whose own success stands at 0; means over seeds with Student's 95 % intervals (of single "
    "curves, not of differences); the strengths were chosen for DSRL on seeds of their own. b, d and so on: success "
    "before and after finetuning (N = 16, 1000 episodes) along each family's strengths, with Student's 95 % intervals; "
    "up and to the right is better, and the dotted line is no gain; the numbers beside the marks are sigma or alpha. "
    "T: demonstrations. Seeds: 5 in a, c and so on; in b, d and so on 20 of reach and stick and 10 of the others. Both "
    "profiles draw the recorded grid."
)
FULL = QUICK = Recorded(("strengths", "strengths_ends", "rollouts"))

LEARNERS = ("Best-of-N, N = 4", "Best-of-N, N = 16")
ROLLOUTS = "rollouts "
"""What the names of the arrays of the upper panels begin with."""


def compute(config: Recorded, sweep: Sweep) -> Arrays:
    """Read the recorded grid, and compare the families seed by seed."""
    by_strength, by_rollouts = (
        blocks.tensors(grid.table(Recorded(parts), sweep)) for parts in (config.parts[:-1], config.parts[-1:])
    )
    rng = sweep.generator("Best-of-N comparisons")
    learning = curves.compared(by_rollouts, "Best-of-N, by rollouts, N = 16", rng)
    return tradeoff.compared(by_strength, LEARNERS, rng) | {ROLLOUTS + name: one for name, one in learning.items()}


def check(arrays: Arrays) -> Sequence[Claim]:
    """E1 and E2 for each task and number of candidates; the upper panels have too few seeds for claims."""
    return tradeoff.claims(arrays)


def draw(arrays: Arrays) -> Figure:
    """Two panels, one above the other, for each task."""
    learning, at = comparison.parts(arrays, ROLLOUTS), LEARNERS.index("Best-of-N, N = 16")
    n_tasks = arrays["tasks"].size
    figure = style.new_figure(page=0.4 + 4.6 * -(-n_tasks // 3), column=0.6 + 1.8 * n_tasks)
    pairs = style.new_pairs(figure, n_tasks, page=3, ratio=1.0)
    for k, (task, (upper, lower)) in enumerate(zip(arrays["tasks"], pairs, strict=True)):
        curves.draw_panel(upper, learning, (learning["tasks"].tolist().index(task), 0), "abcdefghijkl"[2 * k])
        tradeoff.draw_families(lower, arrays, (k, 0, at))
        title = style.by_form(f"{task}, by strength", f"{task}\nby strength")
        style.panel_letter(lower, "abcdefghijkl"[2 * k + 1], title)
    style.name_pairs(pairs, (style.by_form(*curves.STEPS), "success"), tradeoff.axes_names())
    if style.by_form(False, True):
        style.legend_at_end(figure, [style.line_of(family) for family in FAMILIES], page=3, column=3)
    style.lay_out(figure)
    for k, (_, lower) in enumerate(pairs):
        tradeoff.name_families(lower, arrays, (k, 0, at))
    return figure
