"""DSRL from pretrained policies of three families: success against steps of the environment."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures import _continuous_comparison as comparison
from figures import _continuous_finetuning as grid
from figures import _labels, _style
from figures._artifacts import Arrays
from figures._continuous_comparison import ALL_AT_ONCE
from figures._sweep import Sweep
from theory.claims import SIGNIFICANT, Claim, Interval
from theory.probability import mean_interval

TITLE = "DSRL: success against steps of the environment"
CAPTION = (
    "Success of policies on common first states, means over seeds with Student's 95 % intervals (of single curves, not "
    "of differences), against steps of the environment, of which a chunk counts all; at 0 the pretrained policy's own "
    "success. Of sigma-BC and PostBC the strength is shown whose last success is highest on these seeds; the claims "
    "choose it on the other half of the seeds."
)
FULL, QUICK = grid.FULL, grid.QUICK

GAINS = ("curve, PostBC - BC", "curve, PostBC - sigma-BC", "gain of BC", "gain of sigma-BC", "gain of PostBC")
"""Differences of the mean of the curve behind 0, and of the last success from the pretrained one."""


def compute(config: grid.Config, sweep: Sweep) -> Arrays:
    """Run the grid, and judge its curves."""
    return compared(grid.compute(config, sweep), sweep.generator("learning curves"))


def compared(arrays: Arrays, rng: np.random.Generator) -> Arrays:
    """Keep DSRL's curves, and judge them seed by seed."""
    at = [str(name) for name in arrays["learners"]].index("DSRL")
    kept = {name: arrays[name][:, :, at] for name in ("curve", "curve_steps")}
    places = list(np.ndindex(*kept["curve"].shape[:2]))
    found = np.stack([_gains(kept["curve"][place], arrays["families"]) for place in places])
    judged = comparison.judged(found.reshape(*kept["curve"].shape[:2], *found.shape[1:]), rng)
    names = ("tasks", "n_demos", "seeds", "families", "strengths")
    return {**kept, **{name: arrays[name] for name in names}, **{f"gain_{k}": v for k, v in judged.items()}}


def _gains(curve: NDArray[np.float64], families: NDArray[np.str_]) -> NDArray[np.float64]:
    """`GAINS` of each seed, (5, R), from curves (policies, R, checkpoints)."""
    seeds = np.arange(curve.shape[1])
    chosen = {}
    for family in grid.FAMILIES:
        rows = np.flatnonzero(families == family)
        chosen[family] = curve[rows[comparison.chosen_elsewhere(curve[rows, :, -1])], seeds]
    area = {family: one[:, 1:].mean(axis=1) for family, one in chosen.items()}
    gained = [chosen[family][:, -1] - chosen[family][:, 0] for family in grid.FAMILIES]
    return np.stack([area["PostBC"] - area["BC"], area["PostBC"] - area["sigma-BC"], *gained])


def check(arrays: Arrays) -> Sequence[Claim]:
    """E2: fewer steps for the same success, as the mean of the curve; and whether DSRL gains at all (E0)."""
    claims = []
    for at in np.ndindex(*arrays["gain_mean"].shape):
        task, n, what = arrays["tasks"][at[0]], arrays["n_demos"][at[1]], GAINS[at[2]]
        low, high, mean, p = (arrays[f"gain_{name}"][at] for name in ("wide_low", "wide_high", "mean", "holm"))
        words = what.replace(",", "").replace(" - ", " ").replace(" ", "-")
        source = "E2" if "PostBC -" in what else "E0"
        claims.append(
            Claim(f"dsrl-{task}-{n}-{words}", source, ">=", Interval(float(low), float(high)), 0.0, "sampled",
                  f"DSRL on {task} from {n} demonstrations, {what} (success; a curve's is its mean behind 0): "
                  f"{mean:+.3f} over {arrays['seeds'].size} seeds; intervals by the studentised bootstrap, all of "
                  f"them together at {1 - ALL_AT_ONCE:g}; p = {p:.3g} by flipped signs, adjusted after Holm; decided "
                  f"only where p is at most {SIGNIFICANT:g}, too.", float(p)),
        )  # fmt: skip
    return claims


def draw(arrays: Arrays) -> Figure:
    """One panel for each task and number of demonstrations."""
    places = list(np.ndindex(*arrays["curve"].shape[:2]))
    figure = _style.new_figure(page=2.9, column=2.5 * len(places))
    panels = _style.new_panels(figure, len(places), page=len(places), column=1)
    for k, (axes, at) in enumerate(zip(panels, places, strict=True)):
        ends = [_draw_curve(axes, arrays, at, family) for family in grid.FAMILIES]
        _labels.name_ends(axes, ends)
        title = f"{arrays['tasks'][at[0]]}, {arrays['n_demos'][at[1]]} demonstrations"
        _style.panel_letter(axes, "abcdefghijkl"[k], title)
    _style.name_axes(panels, "steps of the environment (thousands)", "success")
    return figure


def _draw_curve(axes: Axes, arrays: Arrays, at: tuple[int, ...], family: str) -> _labels.End:
    """Draw a curve with its interval; what names its end."""
    rows = np.flatnonzero(arrays["families"] == family)
    curves = arrays["curve"][at]
    best = rows[curves[rows, :, -1].mean(axis=1).argmax()]
    x, y = arrays["curve_steps"][at][best].mean(axis=0) / 1000, curves[best]
    ends = [mean_interval(column) for column in y.T]
    colour, name = _style.COLOURS[family], _style.label(family)
    letter = {"sigma-BC": "$\\sigma$", "PostBC": "$\\alpha$"}.get(family, "")
    strength = f"\n{letter} = {arrays['strengths'][best]:g}" if letter else ""
    low, high = np.clip([[e.low for e in ends], [e.high for e in ends]], 0, 1)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    axes.plot(x, y.mean(axis=0), color=colour, marker=_style.MARKERS.get(family, "s"))
    return name + strength, colour, x[-1], y.mean(axis=0)[-1]
