"""What finetuning makes of demonstrators from poor to optimal."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.exact import finetuning_experiment
from figures.exact.finetuning_experiment import KEPT, STARTS, Run, Size
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from theory.claims import Claim, Interval
from theory.statistics.probability import bootstrap_interval, mean_interval

TITLE = "Finetuning from poor and from good demonstrators"
CAPTION = (
    "Return J after finetuning by the natural policy gradient (solid), and before (dotted), as shares of J*, against "
    "the demonstrator's own return: skills on the funnel and the lock, temperatures on the Garnet. Noise at matched "
    "return: 80 % of BC's expected return, or all the noise there is where that costs less. Means over data sets with "
    "95 % bootstrap intervals. Grey: where the learner ends at the demonstrator's return. An optimal demonstrator, "
    "deterministic here, leaves nothing to learn; a poorer one leaves more of its good actions unrecorded; one that "
    "hardly ever succeeds leaves nothing to start from."
)


@dataclass(frozen=True)
class Config:
    """Settings: how much is computed; qualities and episodes for each instance."""

    size: Size
    qualities: dict[str, tuple[float, ...]]
    episodes: dict[str, int]


FULL = Config(
    Size(50, 10, 4, 60),
    {
        "funnel": (0.34, 0.45, 0.6, 0.75, 0.9, 1.0),
        "stochastic lock": (0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
        "Garnet": (2.0, 1.0, 0.5, 0.25, 0.1, 0.02),
    },
    {"funnel": 40_000, "stochastic lock": 5000, "Garnet": 20_000},
)
QUICK = Config(
    Size(8, 8, 1, 30),
    {"stochastic lock": (0.6, 0.8, 0.95, 1.0), "Garnet": (2.0, 0.5, 0.1, 0.02)},
    {"stochastic lock": 5000, "Garnet": 10_000},
)


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Returns before and after, for each instance, quality and start."""
    rng = sweep.generator("finetune-quality")
    runs = [
        Run(name, start, quality=quality, episodes=config.episodes[name])
        for name, qualities in config.qualities.items()
        for quality in qualities
        for start in STARTS
    ]
    found = finetuning_experiment.finetuned(runs, config.size, sweep)
    shape = (len(config.qualities), -1, len(STARTS))
    ends = np.array([[one["returns"][:, 0], one["returns"][:, -1]] for one in found])
    low, high = zip(*(bootstrap_interval(pair.T, rng) for pair in ends), strict=True)
    seed = finetuning_experiment.seed_of(sweep)
    instances = [finetuning_experiment.build({**run.settings(), "seed": seed}) for run in runs]
    return {
        "instances": np.array(list(config.qualities)),
        "episodes": np.array([config.episodes[name] for name in config.qualities]),
        "demonstrator": np.array([i.demonstrator_value / i.optimal_value for i in instances]).reshape(shape)[..., 0],
        "plateau": np.array([one["plateau"] for one in found]).reshape(*shape, ends.shape[2]),
        "ends": ends.reshape(*shape, *ends.shape[1:]),
        "low": np.array(low).reshape(*shape, 2),
        "high": np.array(high).reshape(*shape, 2),
    }


CONFIDENCE = 0.99


def check(arrays: Arrays) -> Sequence[Claim]:
    """Some demonstrator leaves BC behind PostBC; the best one does not; plateaus are not exceeded."""
    names = [str(name) for name in arrays["instances"]]
    bc, postbc = (arrays["ends"][:, :, STARTS.index(name)] for name in ("BC", "PostBC"))
    gap = postbc[..., 1, :] - bc[..., 1, :]
    level = 1 - (1 - CONFIDENCE) / gap[..., 0].size
    best = gap.mean(axis=-1).argmax(axis=1)
    gains = [mean_interval(gap[i, q], level) for i, q in enumerate(best)]
    listed = "; ".join(
        f"{name} [{gain.low:.3f}, {gain.high:.3f}] at {arrays['demonstrator'][i, best[i]]:.2f} of J*"
        for i, (name, gain) in enumerate(zip(names, gains, strict=True))
    )
    top = arrays["demonstrator"].argmax(axis=1)
    lost = [mean_interval(-gap[k, q], CONFIDENCE) for k, q in enumerate(top)]
    k = int(np.argmax([loss.high for loss in lost]))
    excess = float((bc[..., 1, :] - arrays["plateau"][:, :, STARTS.index("BC")]).max())
    return [
        Claim("finetune-quality-gain", "E2", ">=", max(gains, key=lambda gain: gain.low), 0.05, "sampled",
              "Return after finetuning from PostBC less that from BC, shares of J*, at the demonstrator where it is "
              f"largest ({CONFIDENCE:.0%} for all together): {listed}."),
        Claim("finetune-quality-best", "E0", "<=", lost[k], 0.05, "sampled",
              f"Best demonstrator ({arrays['demonstrator'][k, top[k]]:.2f} of J*): what PostBC loses against BC after "
              f"finetuning; largest on {names[k]} ({CONFIDENCE:.0%} interval for each)."),
        Claim("finetune-quality-plateau", "B1.6", "<=", Interval.point(excess), 1e-9, "exact",
              "Largest excess of a learner's return from BC over BC's plateau, over instances, demonstrators, data."),
    ]  # fmt: skip


def draw(arrays: Arrays) -> Figure:
    """One panel an instance."""
    n_panels = arrays["instances"].size
    figure = style.new_figure(page=2.9, column=0.6 + 2.0 * n_panels)
    panels = style.new_panels(figure, n_panels, page=n_panels, column=1, sharey=True)
    for i, (axes, name) in enumerate(zip(panels, arrays["instances"], strict=True)):
        _draw_instance(axes, arrays, i)
        style.panel_letter(axes, "abc"[i], f"{name}, {arrays['episodes'][i]} episodes")
    style.name_axes(panels, "demonstrator's return, J/J*", "return, J/J*")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=style.by_form(len(labels), 2))
    return figure


def _draw_instance(axes: Axes, arrays: Arrays, i: int) -> None:
    x = arrays["demonstrator"][i]
    width = 0.006 * (x.max() - x.min())
    axes.plot([x.min(), 1], [x.min(), 1], color="#BBBBBB", lw=2, zorder=0)
    for k, start in enumerate(STARTS):
        at = x + (k - 1.5) * width
        colour, marker = palette.colour(start), palette.marker(start)
        before, after = arrays["ends"][i, :, k].mean(axis=-1).T
        axes.plot(at, before, color=colour, ls=":", lw=1)
        axes.plot(
            at, after, color=colour, marker=marker, lw=1.2, label=start if k == 0 else f"{start}, {KEPT:.0%} kept"
        )
        axes.vlines(at, arrays["low"][i, :, k, 1], arrays["high"][i, :, k, 1], color=colour, lw=1)
    axes.set_ylim(-0.03, 1.05)
