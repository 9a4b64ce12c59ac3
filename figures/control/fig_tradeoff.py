"""The trade-off of pretraining: success before finetuning against success after it, for each family of policies."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from figures.control import blocks, grid, tradeoff
from figures.control.variants import FAMILIES
from figures.look import style
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim

TITLE = "Before and after finetuning: each family's trade-off"
CAPTION = (
    "a, c and so on: success before and after finetuning by DSRL, means over seeds, along each family's strengths "
    "(sigma-BC: sigma, PostBC: alpha; the numbers beside the marks; larger marks, more noise); up and to the right is "
    "better, and the dotted line is no gain. Crosses: Student's 95 % intervals, of single policies, not of "
    "differences. b, d and so on: PostBC minus sigma-BC in pairs of one seed, for each alpha, by the noise it added, "
    "with 95 % intervals (studentised bootstrap): success after finetuning at equal success before it (against the "
    "best of sigma-BC and BC, found on the other half of the seeds), and success before and after at equal noise. "
    "Where nothing can be matched there is no point. An interval that holds 0 is a tie; one that meets the edge goes "
    "on behind it. T: demonstrations. The published settings: 500 episodes, 20 seeds of reach and stick, 10 of the "
    "others."
)
FULL = Recorded(("strengths", "strengths_ends"))
QUICK = blocks.QUICK


def compute(config: blocks.Config | Recorded, sweep: Sweep) -> Arrays:
    """Run the small grid or read the recorded one, and compare the families seed by seed."""
    arrays = blocks.tensors(grid.table(config, sweep))
    return tradeoff.compared(arrays, ("DSRL",), sweep.generator("tradeoff comparisons"))


def check(arrays: Arrays) -> Sequence[Claim]:
    """E1 and E2 for each task, against BC and against sigma-BC apart."""
    return tradeoff.claims(arrays)


def draw(arrays: Arrays) -> Figure:
    """Two panels, one above the other, for each task and number of demonstrations."""
    places = list(np.ndindex(*arrays["pretrained"].shape[:3]))
    figure = style.new_figure(page=0.4 + 4.6 * -(-len(places) // 3), column=0.7 + 1.8 * len(places))
    pairs = style.new_pairs(figure, len(places), page=3, ratio=1.15)
    for k, (at, (upper, lower)) in enumerate(zip(places, pairs, strict=True)):
        tradeoff.draw_families(upper, arrays, at)
        task, n = arrays["tasks"][at[0]], arrays["n_demos"][at[1]]
        title = style.by_form(f"{task}, {n} demonstrations", f"{task}, T = {n}")
        style.panel_letter(upper, "abcdefghijkl"[2 * k], title)
        tradeoff.draw_differences(lower, arrays, at)
        style.panel_letter(lower, "abcdefghijkl"[2 * k + 1], f"{task}, matched")
    noise = "noise added (root mean square,\naction units); below it, $\\alpha$"
    style.name_pairs(
        pairs,
        tradeoff.axes_names(),
        (
            style.by_form(noise, "$\\alpha$, by noise added"),
            style.by_form("success, PostBC minus sigma-BC", "PostBC $-$ sigma-BC"),
        ),
    )
    families = style.by_form([], [style.line_of(family) for family in FAMILIES])
    style.legend_at_end(figure, [*families, *tradeoff.marks_of_differences()], page=3, column=2)
    style.lay_out(figure)
    for at, (upper, _) in zip(places, pairs, strict=True):
        tradeoff.name_families(upper, arrays, at)
    return figure
