"""Where the ensemble's posterior is wide, how it narrows with data, and what networks that memorise do to it (E4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray

from continuous.ensembles import VERSIONS
from figures.control import posterior_widths, pretraining
from figures.control.posterior_widths import MemoryCell, WidthCell
from figures.control.pretraining import PUBLISHED_EFFORT, Effort
from figures.look import contrast, labels, palette, style
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Sweep
from theory.claims import Claim
from theory.statistics.probability import mean_interval

FloatArray = NDArray[np.float64]

TITLE = "Where the posterior is wide"
CAPTION = (
    "Width: root mean square deviation between the members of an ensemble, over the entries of an action chunk. a-c: "
    "width on the plane of the corridor task (a lane, then a wall with a gate, here at height 0) by the trajectory "
    "bootstrap, for three numbers of demonstrations (lines: the demonstrations). d: width at held-out states of this "
    "task, by the density of the demonstrator's states there. e: mean width at held-out states against n, with the "
    "exponent of the fitted power law (d and e: geometric means over data sets). f: networks fitted to perturbed "
    "targets: their spread at the demonstrated states, as a share of the perturbation; 1 means that every member "
    "memorised the noise of its targets, so that PostBC becomes sigma-BC. Bands: 95 % Student intervals over data sets."
)
PRIORS = (1.0, 100.0)
PRIOR_NAMES = ("pulled to its prior", "hardly pulled")
"""Standard deviations of the prior of networks that may memorise, and how these are printed."""
MEMORY_MEMBERS = 5


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    tasks : tuple of str
        The first one is drawn and must be the corridor.
    n_demos, shown : tuple of int
        Numbers of demonstrations, and the three of them that are shown in the plane.
    replicates : int
        Number of data sets.
    effort : Effort
    n_held_out, grid : int
        Held-out demonstrations; points of the plane in each direction.
    steps, memory_demos : tuple of int
        Steps of training, and numbers of demonstrations, of networks that may memorise.
    memory_replicates : int
    """

    tasks: tuple[str, ...]
    n_demos: tuple[int, ...]
    shown: tuple[int, ...]
    replicates: int
    effort: Effort
    n_held_out: int
    grid: int
    steps: tuple[int, ...]
    memory_demos: tuple[int, ...]
    memory_replicates: int


FULL = Config(
    tasks=("corridor", "reach"), n_demos=(5, 10, 20, 50, 100), shown=(5, 20, 100), replicates=8,
    effort=PUBLISHED_EFFORT, n_held_out=200, grid=60, steps=(100, 300, 1000, 3000, 10_000),
    memory_demos=(5, 20), memory_replicates=4,
)  # fmt: skip
QUICK = Config(
    tasks=("corridor",), n_demos=(5, 20, 100), shown=(5, 20, 100), replicates=3,
    effort=Effort(n_members=5, ensemble_steps=400, ensemble_width=64), n_held_out=100, grid=30, steps=(100, 300, 1000),
    memory_demos=(5, 20), memory_replicates=2,
)  # fmt: skip


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Widths on the plane and at held-out states; what memorising networks do."""
    root = pretraining.root(sweep)
    cells = [
        WidthCell(
            root=root, task=task, replicate=r, n_demos=n, effort=config.effort, version=version,
            n_held_out=config.n_held_out,
            grid=config.grid if r == 0 and task == "corridor" and version == "trajectory" else 0,
        )
        for task in config.tasks
        for version in VERSIONS
        for n in config.n_demos
        for r in range(config.replicates)
    ]  # fmt: skip
    results = sweep.run("posterior-width", posterior_widths.widths, [cell.to_cell() for cell in cells])
    shape = (len(config.tasks), len(VERSIONS), len(config.n_demos), config.replicates)
    kept = {
        key: np.stack([result[key] for result in results]).reshape(*shape, -1)
        for key in ("mean", "binned", "correlation")
    }
    with_plane = {cell.n_demos: result for cell, result in zip(cells, results, strict=True) if cell.grid}
    return {
        "tasks": np.array(config.tasks),
        "versions": np.array(VERSIONS),
        "n_demos": np.array(config.n_demos),
        "shown": np.array(config.shown),
        **kept,
        "plane": np.stack([with_plane[n]["plane"] for n in config.shown]),
        **{f"path_{n}": with_plane[n]["path"] for n in config.shown},
        **_memory(config, sweep, root),
    }


def _memory(config: Config, sweep: Sweep, root: int) -> Arrays:
    effort = replace(config.effort, n_members=MEMORY_MEMBERS)
    cells = [
        MemoryCell(root=root, task="corridor", replicate=r, n_demos=n, effort=effort, prior=prior, steps=steps)
        for prior in PRIORS
        for n in config.memory_demos
        for steps in config.steps
        for r in range(config.memory_replicates)
    ]
    results = sweep.run("memorised-noise", posterior_widths.memorise, [cell.to_cell() for cell in cells])
    shape = (len(PRIORS), len(config.memory_demos), len(config.steps), config.memory_replicates)
    kept = {
        f"memory_{key}": np.array([result[key] for result in results]).reshape(shape) for key in ("inside", "outside")
    }
    return {"steps": np.array(config.steps), "memory_demos": np.array(config.memory_demos), **kept}


def slopes(arrays: Arrays) -> FloatArray:
    """Exponent of the width in n by least squares, (tasks, versions, replicates)."""
    x = np.log(arrays["n_demos"])
    x = x - x.mean()
    y = np.log(arrays["mean"][..., 0])
    return np.asarray(np.einsum("tvnr,n->tvr", y, x) / (x @ x))


def check(arrays: Arrays) -> Sequence[Claim]:
    """E4: wide where demonstrations are few, narrow where they are many; and whether noise is memorised."""
    exponents, claims = slopes(arrays), []
    trajectory = VERSIONS.index("trajectory")
    for i, task in enumerate(map(str, arrays["tasks"])):
        correlation = arrays["correlation"][i, trajectory, :, :, 0].mean(axis=0)
        claims.append(
            Claim(
                id=f"posterior-{task}-wide-where-sparse", source="E4", relation="<=",
                interval=mean_interval(correlation), bound=0.0, evidence="sampled",
                detail=f"{task}: rank correlation of the trajectory bootstrap's width with the density of held-out "
                f"states (in tenths), mean over n; 95 % interval over {correlation.size} data sets.",
            )
        )  # fmt: skip
        for k, version in enumerate(map(str, arrays["versions"])):
            claims.append(
                Claim(
                    id=f"posterior-{task}-narrows-{version}", source="E4", relation="<=",
                    interval=mean_interval(exponents[i, k]), bound=-0.25, evidence="sampled",
                    detail=f"{task}, {version}: exponent of the width at held-out states in n (-1/2 is the parametric "
                    f"rate; bound: half of it); 95 % interval over {exponents.shape[-1]} data sets.",
                )
            )  # fmt: skip
    for k, name in enumerate(PRIOR_NAMES):
        share = arrays["memory_inside"][k, :, -1].mean(axis=0)
        claims.append(
            Claim(
                id=f"posterior-noise-memorised-{name.replace(' ', '-')}", source="E0", relation="<=",
                interval=mean_interval(share), bound=0.5, evidence="sampled",
                detail=f"Members {name}, trained longest ({arrays['steps'][-1]} steps): spread at the demonstrated "
                f"states as a share of the perturbation, mean over n; 1 is sigma-BC; 95 % interval over {share.size} "
                "data sets.",
            )
        )  # fmt: skip
    return claims


COLOURS = {version: palette.series_colour(k) for k, version in enumerate(("trajectory", "state-action", "noise"))}
LABELS = {"trajectory": "trajectory bootstrap", "state-action": "state-action bootstrap", "noise": "perturbed targets"}
SIZES = contrast.shades("PostBC", 3)


def draw(arrays: Arrays) -> Figure:
    """Three planes above; density, decay and memory below."""
    figure = style.new_figure(page=4.6, column=8.4)
    upper, lower = style.new_parts(figure, style.by_form((1, 1), (1, 3)))
    _draw_planes(upper, arrays)
    panels = style.new_panels(lower, 3, page=3, column=1)
    _draw_density(panels[0], arrays)
    _draw_decay(panels[1], arrays)
    _draw_memory(panels[2], arrays)
    titles = ("held-out states", "decay with n", "perturbed targets")
    for k, (axes, title) in enumerate(zip(panels, titles, strict=True), arrays["shown"].size):
        style.panel_letter(axes, palette.letter(k), title)
    return figure


def _draw_planes(figure: FigureBase, arrays: Arrays) -> None:
    panels = style.new_panels(figure, arrays["shown"].size, page=3, column=3, sharey=True)
    x, y = posterior_widths.plane_points(arrays["plane"].shape[-1])
    top = float(np.quantile(arrays["plane"], 0.99))
    for k, (axes, n) in enumerate(zip(panels, arrays["shown"], strict=True)):
        image = axes.pcolormesh(x, y, arrays["plane"][k], vmin=0, vmax=top, cmap="viridis", rasterized=True)
        path = arrays[f"path_{n}"]
        axes.plot(path[:, 0], path[:, 1], color="white", lw=0.5, alpha=0.7)
        for side in (-1, 1):
            axes.plot([-0.2, 0.0], [side * 0.045] * 2, color="black", lw=1.4)
            axes.plot([0.8, 0.8], [side * 0.045, side * 0.9], color="black", lw=1.4)
        axes.grid(visible=False)
        axes.set(xticks=[-0.5, 0.0, 0.5][:: style.by_form(1, 2)], xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        style.panel_letter(axes, palette.letter(k), f"corridor, n = {n}")
    style.name_axes(panels, "x", "y")
    location, pad = style.by_form(("right", 0.01), ("bottom", 0.1))
    figure.colorbar(image, ax=panels, label="width (action units)", aspect=15, pad=pad, extend="max", location=location)


def _band(axes: Axes, x: FloatArray, samples: FloatArray, colour: str, *, logs: bool = False, **look: Any) -> None:
    """Draw the mean over the last axis with its interval; with `logs`, of the logarithms."""
    values = np.log(samples) if logs else samples
    back = np.exp if logs else np.asarray
    low, high = intervals(values, 0.95)
    axes.fill_between(x, back(low), back(high), color=colour, alpha=0.15, lw=0)
    axes.plot(x, back(values.mean(axis=-1)), color=colour, marker="o", ms=2.5, **look)


def _draw_density(axes: Axes, arrays: Arrays) -> None:
    trajectory = VERSIONS.index("trajectory")
    for colour, n in zip(SIZES, arrays["shown"], strict=True):
        k = int(np.flatnonzero(arrays["n_demos"] == n)[0])
        _band(axes, np.arange(1.0, 11.0), arrays["binned"][0, trajectory, k].T, colour, logs=True)
    axes.set(xlabel="tenth of density (10: densest)", ylabel="width (action units)", xticks=[1, 4, 7, 10], yscale="log")
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5][:: style.by_form(1, 2)]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    placer = labels.Placer(axes, axes.lines)
    for line, colour, n in zip(axes.lines, SIZES, arrays["shown"], strict=True):
        points = [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]
        placer.place([f"n = {n}"] * len(points), points, colour)


def _draw_decay(axes: Axes, arrays: Arrays) -> None:
    exponents = slopes(arrays)
    for k, version in enumerate(map(str, arrays["versions"])):
        interval = mean_interval(exponents[0, k])
        label = f"{LABELS[version]}\n{exponents[0, k].mean():.2f} [{interval.low:.2f}, {interval.high:.2f}]"
        _band(axes, arrays["n_demos"], arrays["mean"][0, k, :, :, 0], COLOURS[version], logs=True, label=label)
    axes.set(xscale="log", yscale="log", xlabel="demonstrations n", ylabel="width (action units)")
    axes.set_xticks(arrays["n_demos"], [str(n) for n in arrays["n_demos"]])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.5)
    axes.legend(fontsize=6.5, loc="upper right", handlelength=1.2)


def _draw_memory(axes: Axes, arrays: Arrays) -> None:
    for k, line in enumerate(("-", (0, (2.2, 1.2)))):
        for colour, i, n in zip((SIZES[0], SIZES[2]), range(2), arrays["memory_demos"], strict=True):
            label = f"n = {n}, {PRIOR_NAMES[k]}"
            _band(axes, arrays["steps"], arrays["memory_inside"][k, i], colour, ls=line, label=label)
    axes.axhline(1.0, color=palette.colour("sigma-BC"), lw=1)
    axes.text(arrays["steps"][0], 1.02, "sigma-BC", color=palette.colour("sigma-BC"), fontsize=7, va="bottom")
    axes.set(xscale="log", xlabel="steps of training", ylabel="spread / perturbation", ylim=(0, 1.85))
    axes.legend(fontsize=6.5, handlelength=2.3, handletextpad=0.5)
