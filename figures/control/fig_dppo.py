"""DPPO from pretrained policies of three families: success against steps of the environment."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from figures.control import grid_runs, tables
from figures.control import learning_curves as curves
from figures.running.artifacts import Arrays
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep
from theory.claims import Claim

TITLE = "DPPO: success against steps of the environment"
CAPTION = (
    "Success against steps of the environment, evaluated on common first states: means over seeds with Student's 95 % "
    "intervals (of single curves, not of differences). The value at 0 is the success of the pretrained policy. The "
    "strengths were chosen for DSRL on separate seeds. T: demonstrations. 1500 episodes; 20 seeds on reach and stick, "
    "10 on the other tasks. Quick and full settings draw the same recorded grid."
)
FULL = QUICK = Recorded(("dppo",))


def compute(config: Recorded, sweep: Sweep) -> Arrays:
    """Read the recorded grid, and judge its curves."""
    return curves.compared(
        tables.tensors(grid_runs.rows_of(config, sweep)), "DPPO", sweep.generator("learning curves of DPPO")
    )


def check(arrays: Arrays) -> Sequence[Claim]:
    """E2, and whether DPPO gains at all (E0), on each task."""
    return curves.claims(arrays, "DPPO")


def draw(arrays: Arrays) -> Figure:
    """One panel for each task and number of demonstrations."""
    return curves.draw(arrays)
