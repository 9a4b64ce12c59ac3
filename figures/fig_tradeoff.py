"""The trade-off of pretraining: success before finetuning against success after it, for each family of policies."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from figures import _continuous_finetuning as grid
from figures import _grid, _style, _tradeoff
from figures._artifacts import Arrays
from figures._pretraining import FAMILIES
from figures._sweep import Sweep
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
FULL = _grid.Recorded(("strengths", "strengths_ends"))
QUICK = grid.QUICK


def compute(config: grid.Config | _grid.Recorded, sweep: Sweep) -> Arrays:
    """Run the small grid or read the recorded one, and compare the families seed by seed."""
    arrays = grid.tensors(_grid.table(config, sweep))
    return _tradeoff.compared(arrays, ("DSRL",), sweep.generator("tradeoff comparisons"))


def check(arrays: Arrays) -> Sequence[Claim]:
    """E1 and E2 for each task, against BC and against sigma-BC apart."""
    return _tradeoff.claims(arrays)


def draw(arrays: Arrays) -> Figure:
    """Two panels, one above the other, for each task and number of demonstrations."""
    places = list(np.ndindex(*arrays["pretrained"].shape[:3]))
    figure = _style.new_figure(page=0.4 + 4.6 * -(-len(places) // 3), column=0.7 + 1.8 * len(places))
    pairs = _style.new_pairs(figure, len(places), page=3, ratio=1.15)
    for k, (at, (upper, lower)) in enumerate(zip(places, pairs, strict=True)):
        _tradeoff.draw_families(upper, arrays, at)
        task, n = arrays["tasks"][at[0]], arrays["n_demos"][at[1]]
        title = _style.by_form(f"{task}, {n} demonstrations", f"{task}, T = {n}")
        _style.panel_letter(upper, "abcdefghijkl"[2 * k], title)
        _tradeoff.draw_differences(lower, arrays, at)
        _style.panel_letter(lower, "abcdefghijkl"[2 * k + 1], f"{task}, matched")
    noise = "noise added (root mean square,\naction units); below it, $\\alpha$"
    _style.name_pairs(
        pairs,
        _tradeoff.axes_names(),
        (
            _style.by_form(noise, "$\\alpha$, by noise added"),
            _style.by_form("success, PostBC minus sigma-BC", "PostBC $-$ sigma-BC"),
        ),
    )
    families = _style.by_form([], [_style.line_of(family) for family in FAMILIES])
    _style.legend_at_end(figure, [*families, *_tradeoff.marks_of_differences()], page=3, column=2)
    _style.lay_out(figure)
    for at, (upper, _) in zip(places, pairs, strict=True):
        _tradeoff.name_families(upper, arrays, at)
    return figure
