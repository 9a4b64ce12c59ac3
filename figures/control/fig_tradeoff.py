"""The trade-off of pretraining: success before finetuning against success after it, for each family of policies."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from figures.control import blocks, grid_runs, tables, tradeoff
from figures.control.families import families_of
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim

TITLE = "Before and after finetuning: each family's trade-off"
CAPTION = (
    "a, c and so on: success before and after finetuning by DSRL, means over seeds. Each curve is a family, each mark "
    "a strength (the number next to it: sigma of sigma-BC, alpha of PostBC; larger marks mean more noise). Up and to "
    "the right is better; on the dotted line there is no gain. Thin lines: Student's 95 % intervals (of single "
    "policies, not of differences). b, d and so on: PostBC minus sigma-BC, paired by seed, for each alpha, against the "
    "noise it added, with 95 % intervals (studentised bootstrap): success after finetuning at equal success before it "
    "(against the best of sigma-BC and BC, found on the other half of the seeds), and success before and after at "
    "equal noise. Points that cannot be matched are left out. An interval that contains 0 is a tie; intervals that "
    "reach the edge extend beyond it. T: demonstrations. With full settings: 500 episodes, 20 seeds on reach and "
    "stick, 10 on the other tasks."
)
FULL = Recorded(("strengths", "strengths_ends"))
QUICK = blocks.QUICK


def compute(config: blocks.Config | Recorded, sweep: Sweep) -> Arrays:
    """Run the small grid or read the recorded one, and compare the families seed by seed."""
    arrays = tables.tensors(grid_runs.rows_of(config, sweep))
    return tradeoff.compared(arrays, ("DSRL",), sweep.generator("tradeoff comparisons"))


def check(arrays: Arrays) -> Sequence[Claim]:
    """E1 and E2 for each task, against BC and against sigma-BC separately."""
    return tradeoff.claims(arrays)


def draw(arrays: Arrays) -> Figure:
    """Two panels, one above the other, for each task and number of demonstrations."""
    cases = list(np.ndindex(*arrays["pretrained"].shape[:3]))
    figure = style.new_figure(page=0.4 + 4.6 * -(-len(cases) // 3), column=0.7 + 1.8 * len(cases))
    pairs = style.new_pairs(figure, len(cases), page=3, ratio=1.15)
    for k, (case, (upper, lower)) in enumerate(zip(cases, pairs, strict=True)):
        tradeoff.draw_families(upper, arrays, case)
        task, n = arrays["tasks"][case[0]], arrays["n_demos"][case[1]]
        title = style.by_form(f"{task}, {n} demonstrations", f"{task}, T = {n}")
        style.panel_letter(upper, palette.letter(2 * k), title)
        tradeoff.draw_differences(lower, arrays, case)
        style.panel_letter(lower, palette.letter(2 * k + 1), f"{task}, matched")
    noise = "noise added (root mean square,\naction units); below it, $\\alpha$"
    style.name_pairs(
        pairs,
        tradeoff.axes_names(),
        (
            style.by_form(noise, "$\\alpha$, by noise added"),
            style.by_form("success, PostBC minus sigma-BC", "PostBC $-$ sigma-BC"),
        ),
    )
    families = style.by_form([], [style.line_of(family) for family in families_of(arrays)])
    style.legend_at_end(figure, [*families, *tradeoff.marks_of_differences()], page=3, column=2)
    style.lay_out(figure)
    for case, (upper, _) in zip(cases, pairs, strict=True):
        tradeoff.name_families(upper, arrays, case)
    return figure
