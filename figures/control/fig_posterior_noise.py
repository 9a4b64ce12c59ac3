"""Where the ensemble's posterior is wide, how it narrows with data, and what networks that memorise do to it (E4)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import spearmanr

from continuous.demonstrations import Demonstrations, Scale
from continuous.demonstrators import demonstrate
from continuous.ensembles import VERSIONS, Recipe, fit_ensemble
from continuous.tasks import CORRIDOR, TASKS
from continuous.training import Training
from figures.control import pretraining
from figures.control.pretraining import HELD_OUT, Effort
from figures.look import contrast, labels, palette, style
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Cell, Sweep
from theory.claims import Claim
from theory.statistics.probability import mean_interval

FloatArray = NDArray[np.float64]

TITLE = "Where the posterior is wide"
CAPTION = (
    "Width: root mean square deviation between the members of an ensemble, over the entries of an action chunk. "
    "a-c: over the plane of the corridor task (a lane, then a wall with a gate, here at height 0), for three sizes of "
    "data (lines: the demonstrations); trajectory bootstrap. d: at held-out states of this task, by how dense the "
    "demonstrator's own states are there. e: mean width at held-out states against n, with the exponent of the fitted "
    "power (d and e: geometric means over data sets). f: networks fitted to perturbed targets: their spread at the "
    "demonstrated states, as a share of the perturbation; 1 means that every member memorised its own noise, which "
    "makes PostBC sigma-BC. Bands: 95 % Student intervals over data sets."
)
GATE = 0.0
NEIGHBOURS = 20
PRIORS = (1.0, 100.0)
PRIOR_NAMES = ("pulled to its prior", "hardly pulled")
MEMORY_MEMBERS = 5


@dataclass(frozen=True)
class Config:
    """Settings.

    Parameters
    ----------
    tasks : tuple of str
        The first one is drawn and must be the corridor.
    n_demos, shown : tuple of int
        Numbers of demonstrations; the three that are shown in the plane.
    replicates : int
        Data sets.
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
    ("corridor", "reach"), (5, 10, 20, 50, 100), (5, 20, 100), 8, Effort(), 200, 60,
    (100, 300, 1000, 3000, 10_000), (5, 20), 4,
)  # fmt: skip
QUICK = Config(
    ("corridor",), (5, 20, 100), (5, 20, 100), 3, Effort(5, 400, 64), 100, 30, (100, 300, 1000), (5, 20), 2
)  # fmt: skip


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Widths on the plane and at held-out states; what memorising networks do."""
    base = {"root": pretraining.root(sweep), **asdict(config.effort)}
    cells: list[dict[str, Any]] = [
        {"task": task, "version": version, "n_demos": n, "replicate": r, "n_held_out": config.n_held_out, **base}
        | {"grid": config.grid if r == 0 and task == "corridor" and version == "trajectory" else 0}
        for task in config.tasks
        for version in VERSIONS
        for n in config.n_demos
        for r in range(config.replicates)
    ]
    results = sweep.run("posterior-width", widths, cells)
    shape = (len(config.tasks), len(VERSIONS), len(config.n_demos), config.replicates)
    maps = [config.n_demos.index(n) * config.replicates for n in config.shown]
    return {
        "tasks": np.array(config.tasks),
        "versions": np.array(VERSIONS),
        "n_demos": np.array(config.n_demos),
        "shown": np.array(config.shown),
        **{key: np.stack([r[key] for r in results]).reshape(*shape, -1) for key in ("mean", "binned", "correlation")},
        "plane": np.stack([results[i]["plane"] for i in maps]),
        **{f"path_{n}": results[i]["path"] for n, i in zip(config.shown, maps, strict=True)},
        **_memory(config, sweep, base),
    }


def _memory(config: Config, sweep: Sweep, base: dict[str, Any]) -> Arrays:
    base = {**base, "n_members": MEMORY_MEMBERS}
    cells = [
        {**base, "task": "corridor", "prior": prior, "n_demos": n, "replicate": r, "steps": steps}
        for prior in PRIORS
        for n in config.memory_demos
        for steps in config.steps
        for r in range(config.memory_replicates)
    ]
    results = sweep.run("memorised-noise", memorise, cells)
    shape = (len(PRIORS), len(config.memory_demos), len(config.steps), config.memory_replicates)
    kept = {f"memory_{key}": np.array([r[key] for r in results]).reshape(shape) for key in ("inside", "outside")}
    return {"steps": np.array(config.steps), "memory_demos": np.array(config.memory_demos), **kept}


def plane_points(grid: int) -> tuple[FloatArray, FloatArray]:
    """Places of the plane, x (grid,) and y (grid,)."""
    return np.linspace(-0.75, 0.9, grid), np.linspace(-0.9, 0.9, grid)


def held_out(cell: Cell) -> Demonstrations:
    """Demonstrations that no policy of the cell's task and replicate was fitted to."""
    return demonstrate(TASKS[cell["task"]], cell["n_held_out"], np.random.default_rng(pretraining.seed(cell, HELD_OUT)))


def tenths_by_density(states: FloatArray) -> NDArray[np.int64]:
    """Tenth of each state, 0 the sparsest, by the distance to its k-th neighbour; columns in units of their spread."""
    scaled = Scale.of(states).apply(states)
    distance = np.asarray(cKDTree(scaled).query(scaled, NEIGHBOURS + 1)[0])[:, -1]
    order = np.argsort(np.argsort(-distance, kind="stable"), kind="stable")
    return np.asarray(order * 10 // len(states))


def widths(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Width of one ensemble at held-out states: mean, by tenths of density, rank correlation; and on the plane."""
    data = pretraining.demonstrations(cell)
    fitted = pretraining.ensemble(cell, data, cell["version"])
    states = held_out(cell).observations
    found = pretraining.spread(fitted.covariance(states))
    tenth = tenths_by_density(states)
    arrays = {
        "mean": np.array([found.mean()]),
        "binned": np.array([found[tenth == k].mean() for k in range(10)]),
        "correlation": np.array([spearmanr(found, tenth).statistic]),
    }
    if cell["grid"]:
        x, y = plane_points(cell["grid"])
        at = np.column_stack([np.tile(x, y.size), np.repeat(y, x.size), np.full(x.size * y.size, GATE)])
        arrays["plane"] = pretraining.spread(fitted.covariance(at)).reshape(y.size, x.size)
        gaps = np.insert(data.observations[:, :2], data.episode_ends[:-1], np.nan, axis=0)
        arrays["path"] = gaps
    return arrays


def memorise(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Spread of members fitted to noise-perturbed targets, as a share of the perturbation, at and off the data."""
    data, width = pretraining.demonstrations(cell), cell["ensemble_width"]
    training = Training(n_steps=cell["steps"])
    recipe = Recipe(
        n_members=cell["n_members"],
        version="noise",
        hidden=(width, width),
        training=training,
        prior=cell["prior"],
    )
    fitted = fit_ensemble(data, 1, recipe, pretraining.seed(cell, pretraining.ENSEMBLE))
    off = demonstrate(CORRIDOR, 100, np.random.default_rng(pretraining.seed(cell, HELD_OUT))).observations
    unit = recipe.noise * fitted.action_scale.spread
    return {
        key: np.array(np.sqrt(np.mean(np.einsum("nii->ni", fitted.covariance(at)) / unit**2)))
        for key, at in (("inside", data.observations), ("outside", off))
    }


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
                f"posterior-{task}-wide-where-sparse", "E4", "<=", mean_interval(correlation), 0.0, "sampled",
                f"{task}: rank correlation of the trajectory bootstrap's width with the density of held-out states (in "
                f"tenths), mean over n; 95 % interval over {correlation.size} data sets.",
            )
        )  # fmt: skip
        for k, version in enumerate(map(str, arrays["versions"])):
            claims.append(
                Claim(
                    f"posterior-{task}-narrows-{version}", "E4", "<=", mean_interval(exponents[i, k]), -0.25,
                    "sampled",
                    f"{task}, {version}: exponent of the width at held-out states in n (-1/2 is the parametric rate; "
                    f"bound: half of it); 95 % interval over {exponents.shape[-1]} data sets.",
                )
            )  # fmt: skip
    for k, name in enumerate(PRIOR_NAMES):
        share = arrays["memory_inside"][k, :, -1].mean(axis=0)
        claims.append(
            Claim(
                f"posterior-noise-memorised-{name.replace(' ', '-')}", "E0", "<=", mean_interval(share), 0.5,
                "sampled",
                f"Members {name}, trained longest ({arrays['steps'][-1]} steps): spread at the demonstrated states as "
                f"a share of the perturbation, mean over n; 1 is sigma-BC; 95 % interval over {share.size} data sets.",
            )
        )  # fmt: skip
    return claims


COLOURS = dict(zip(("trajectory", "state-action", "noise"), palette.SERIES, strict=False))
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
    for letter, axes, title in zip(
        "def", panels, ("held-out states", "decay with n", "perturbed targets"), strict=True
    ):
        style.panel_letter(axes, letter, title)
    return figure


def _draw_planes(figure: FigureBase, arrays: Arrays) -> None:
    panels = style.new_panels(figure, arrays["shown"].size, page=3, column=3, sharey=True)
    x, y = plane_points(arrays["plane"].shape[-1])
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
        style.panel_letter(axes, "abc"[k], f"corridor, n = {n}")
    style.name_axes(panels, "x", "y")
    location, pad = style.by_form(("right", 0.01), ("bottom", 0.1))
    figure.colorbar(image, ax=panels, label="width (action units)", aspect=15, pad=pad, extend="max", location=location)


def _band(axes: Axes, x: FloatArray, samples: FloatArray, colour: str, *, logs: bool = False, **look: Any) -> None:
    """Mean over the last axis, with its interval; of logarithms, where `logs`."""
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
        found = mean_interval(exponents[0, k])
        label = f"{LABELS[version]}\n{exponents[0, k].mean():.2f} [{found.low:.2f}, {found.high:.2f}]"
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
