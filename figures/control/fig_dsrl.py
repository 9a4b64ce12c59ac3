"""DSRL from pretrained policies of three families: success against steps of the environment."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from figures.control import blocks, grid_runs, tables
from figures.control import learning_curves as curves
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim

TITLE = "DSRL: success against steps of the environment"
CAPTION = curves.CAPTION
FULL = Recorded(("strengths", "strengths_ends"))
QUICK = blocks.QUICK


def compute(config: blocks.Config | Recorded, sweep: Sweep) -> Arrays:
    """Run the small grid or read the recorded one, and judge its curves.

    The recorded table also has Best-of-N. Its rows are left out, because its curves are shorter, and `tensors` keeps
    only the checkpoints that all rows have.
    """
    rows = [row for row in grid_runs.rows_of(config, sweep) if row.finetuner == "DSRL"]
    return curves.compared(tables.tensors(rows), "DSRL", sweep.generator("learning curves of DSRL"))


def check(arrays: Arrays) -> Sequence[Claim]:
    """E2, and whether DSRL gains at all (E0), on each task."""
    return curves.claims(arrays, "DSRL")


def draw(arrays: Arrays) -> Figure:
    """One panel for each task and number of demonstrations."""
    return curves.draw(arrays)
