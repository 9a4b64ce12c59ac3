"""Return before and after finetuning, for demonstrators from poor to optimal."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.exact import finetuning_experiment
from figures.exact.finetuning_experiment import KEPT
from figures.exact.finetuning_problems import STARTS, FinetuningRun, SampleSizes
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from theory.claims import Claim, Interval
from theory.statistics.probability import bootstrap_interval, mean_interval

TITLE = "Finetuning from poor and from good demonstrators"
CAPTION = (
    "Return J after finetuning by the natural policy gradient (solid), and before (dotted), as shares of J*, against "
    "the demonstrator's return: varied by its skill on the funnel and the lock, and by its temperature on the Garnet. "
    "Noise at matched return: 80 % of BC's expected return, or the largest noise where that costs less. Means over "
    "data sets with 95 % bootstrap intervals. Grey: return equal to the demonstrator's. An optimal demonstrator, "
    "deterministic here, leaves nothing to learn; with a poorer one, more of its good actions are unrecorded; with one "
    "that rarely succeeds, there is nothing to start from."
)


@dataclass(frozen=True, kw_only=True)
class Demonstrators:
    """Demonstrators of one instance.

    Parameters
    ----------
    instance : str
        Of `PROBLEMS`.
    qualities : tuple of float
        Skills or temperatures.
    episodes : int
        Episodes to learn from.
    """

    instance: str
    qualities: tuple[float, ...]
    episodes: int


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings: numbers of data sets, and the demonstrators of each instance, as many for each."""

    sizes: SampleSizes
    demonstrators: tuple[Demonstrators, ...]


FULL = Config(
    sizes=SampleSizes(replicates=50, block=10, tuning=4, matching=60),
    demonstrators=(
        Demonstrators(instance="funnel", qualities=(0.34, 0.45, 0.6, 0.75, 0.9, 1.0), episodes=40_000),
        Demonstrators(instance="stochastic lock", qualities=(0.6, 0.7, 0.8, 0.9, 0.95, 1.0), episodes=5000),
        Demonstrators(instance="Garnet", qualities=(2.0, 1.0, 0.5, 0.25, 0.1, 0.02), episodes=20_000),
    ),
)
QUICK = Config(
    sizes=SampleSizes(replicates=8, block=8, tuning=1, matching=30),
    demonstrators=(
        Demonstrators(instance="stochastic lock", qualities=(0.6, 0.8, 0.95, 1.0), episodes=5000),
        Demonstrators(instance="Garnet", qualities=(2.0, 0.5, 0.1, 0.02), episodes=10_000),
    ),
)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Returns before and after, for each instance, quality and start."""
    rng = sweep.generator("finetune-quality")
    runs = [
        FinetuningRun(instance=group.instance, start=start, quality=quality, episodes=group.episodes)
        for group in config.demonstrators
        for quality in group.qualities
        for start in STARTS
    ]
    results = finetuning_experiment.finetuned(runs, config.sizes, sweep)
    shape = (len(config.demonstrators), -1, len(STARTS))
    ends = np.array([[result["returns"][:, 0], result["returns"][:, -1]] for result in results])
    low, high = zip(*(bootstrap_interval(pair.T, rng) for pair in ends), strict=True)
    instances = [finetuning_experiment.instance_cell(run, 1, sweep).built() for run in runs]
    return {
        "instances": np.array([group.instance for group in config.demonstrators]),
        "episodes": np.array([group.episodes for group in config.demonstrators]),
        "demonstrator": np.array([i.demonstrator_value / i.optimal_value for i in instances]).reshape(shape)[..., 0],
        "plateau": np.array([result["plateau"] for result in results]).reshape(*shape, ends.shape[2]),
        "ends": ends.reshape(*shape, *ends.shape[1:]),
        "low": np.array(low).reshape(*shape, 2),
        "high": np.array(high).reshape(*shape, 2),
    }


CONFIDENCE = 0.99
"""Level of the intervals that claims are judged by."""


def check(arrays: Arrays) -> Sequence[Claim]:
    """PostBC beats BC with some demonstrator and not with the best; plateaus are not exceeded."""
    names = [str(name) for name in arrays["instances"]]
    bc, postbc = (arrays["ends"][:, :, STARTS.index(name)] for name in ("BC", "PostBC"))
    gap = postbc[..., 1, :] - bc[..., 1, :]
    level = 1 - (1 - CONFIDENCE) / gap[..., 0].size
    largest = gap.mean(axis=-1).argmax(axis=1)
    gains = [mean_interval(gap[i, q], level) for i, q in enumerate(largest)]
    listed = "; ".join(
        f"{name} [{gain.low:.3f}, {gain.high:.3f}] at {arrays['demonstrator'][i, largest[i]]:.2f} of J*"
        for i, (name, gain) in enumerate(zip(names, gains, strict=True))
    )
    top = arrays["demonstrator"].argmax(axis=1)
    lost = [mean_interval(-gap[k, q], CONFIDENCE) for k, q in enumerate(top)]
    k = int(np.argmax([loss.high for loss in lost]))
    excess = float((bc[..., 1, :] - arrays["plateau"][:, :, STARTS.index("BC")]).max())
    return [
        Claim(id="finetune-quality-gain", source="E2", relation=">=", interval=max(gains, key=lambda gain: gain.low),
              bound=0.05, evidence="sampled",
              detail="Return after finetuning from PostBC minus that from BC, shares of J*, at the demonstrator where "
              f"it is largest ({CONFIDENCE:.0%} for all together): {listed}."),
        Claim(id="finetune-quality-best", source="E0", relation="<=", interval=lost[k], bound=0.05, evidence="sampled",
              detail=f"Best demonstrator ({arrays['demonstrator'][k, top[k]]:.2f} of J*): what PostBC loses against BC "
              f"after finetuning; largest on {names[k]} ({CONFIDENCE:.0%} interval for each)."),
        Claim(id="finetune-quality-plateau", source="B1.6", relation="<=", interval=Interval.point(excess), bound=1e-9,
              evidence="exact",
              detail="Largest excess of a learner's return from BC over BC's plateau, over instances, demonstrators, "
              "data."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One panel for each instance."""
    n_panels = arrays["instances"].size
    figure = style.new_figure(page=2.9, column=0.6 + 2.0 * n_panels)
    panels = style.new_panels(figure, n_panels, page=n_panels, column=1, sharey=True)
    for i, (axes, name) in enumerate(zip(panels, arrays["instances"], strict=True)):
        _draw_instance(axes, arrays, i)
        style.panel_letter(axes, palette.letter(i), f"{name}, {arrays['episodes'][i]} episodes")
    style.name_axes(panels, "demonstrator's return, J/J*", "return, J/J*")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=style.by_form(len(labels), 2))
    return figure


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    x = arrays["demonstrator"][i]
    width = 0.006 * (x.max() - x.min())
    axes.plot([x.min(), 1], [x.min(), 1], color="#BBBBBB", lw=2, zorder=0)
    for k, start in enumerate(STARTS):
        shifted = x + (k - (len(STARTS) - 1) / 2) * width
        colour, marker = palette.colour(start), palette.marker(start)
        before, after = arrays["ends"][i, :, k].mean(axis=-1).T
        axes.plot(shifted, before, color=colour, ls=":", lw=1)
        axes.plot(
            shifted, after, color=colour, marker=marker, lw=1.2, label=start if k == 0 else f"{start}, {KEPT:.0%} kept"
        )
        axes.vlines(shifted, arrays["low"][i, :, k, 1], arrays["high"][i, :, k, 1], color=colour, lw=1)
    axes.set_ylim(-0.03, 1.05)
