"""Cells about the ensemble's posterior: its width at various states, and how far networks memorise noisy targets.

The width at an observation o is the root mean square deviation between the members, over the D entries of a chunk:
sqrt(tr Sigma(o) / D), with Sigma(o) the covariance of the members' predictions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import spearmanr

from continuous.demonstrations import Demonstrations, Scale
from continuous.demonstrators import demonstrate
from continuous.ensembles import Recipe, fit_ensemble
from continuous.five_tasks import CORRIDOR
from continuous.tasks import TASKS
from continuous.training import Training
from figures.control import pretraining
from figures.control.pretraining import HELD_OUT, ControlCell
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell

FloatArray = NDArray[np.float64]

GATE = 0.0
"""Height of the corridor's gate on the plane that is drawn."""
NEIGHBOURS = 20
N_TENTHS = 10
N_OFF_DATA = 100
"""Held-out demonstrations at which memorising networks are looked at off their data."""


@dataclass(frozen=True, kw_only=True)
class WidthCell(ControlCell):
    """Cell of `widths`.

    Parameters
    ----------
    version : str
        Of the ensemble.
    n_held_out : int
        Held-out demonstrations.
    grid : int
        Points of the plane in each direction; 0 leaves the plane out.
    """

    version: str
    n_held_out: int
    grid: int


@dataclass(frozen=True, kw_only=True)
class MemoryCell(ControlCell):
    """Cell of `memorise`.

    Parameters
    ----------
    prior : float
        As for `Recipe`.
    steps : int
        Training steps.
    """

    prior: float
    steps: int


def plane_points(grid: int) -> tuple[FloatArray, FloatArray]:
    """Points of the plane, x (grid,) and y (grid,)."""
    return np.linspace(-0.75, 0.9, grid), np.linspace(-0.9, 0.9, grid)


def held_out(cell: WidthCell) -> Demonstrations:
    """Demonstrations that no policy of the cell's task and replicate was fitted to."""
    rng = np.random.default_rng(pretraining.seed(cell, HELD_OUT))
    return demonstrate(TASKS[cell.task], cell.n_held_out, rng)


def tenths_by_density(states: FloatArray) -> NDArray[np.int64]:
    """Tenth of each state, 0 the sparsest, by the distance to its k-th neighbour; columns in units of their spread."""
    scaled = Scale.of(states).apply(states)
    distance = np.asarray(cKDTree(scaled).query(scaled, NEIGHBOURS + 1)[0])[:, -1]
    rank = np.argsort(np.argsort(-distance, kind="stable"), kind="stable")
    return np.asarray(rank * N_TENTHS // len(states))


def widths(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Width of one ensemble at held-out states: mean, by tenths of density, rank correlation; and on the plane.

    All random numbers follow from the cell, a `WidthCell`; `rng` is unused.
    """
    asked = WidthCell.of(cell)
    data = pretraining.demonstrations(asked)
    fitted = pretraining.ensemble(asked, data, asked.version)
    states = held_out(asked).observations
    width = pretraining.spread(fitted.covariance(states))
    tenth = tenths_by_density(states)
    arrays = {
        "mean": np.array([width.mean()]),
        "binned": np.array([width[tenth == k].mean() for k in range(N_TENTHS)]),
        "correlation": np.array([spearmanr(width, tenth).statistic]),
    }
    if asked.grid:
        x, y = plane_points(asked.grid)
        plane = np.column_stack([np.tile(x, y.size), np.repeat(y, x.size), np.full(x.size * y.size, GATE)])
        arrays["plane"] = pretraining.spread(fitted.covariance(plane)).reshape(y.size, x.size)
        arrays["path"] = np.insert(data.observations[:, :2], data.episode_ends[:-1], np.nan, axis=0)
    return arrays


def memorise(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Spread of members fitted to noise-perturbed targets, as a share of the perturbation, at and off the data.

    All random numbers follow from the cell, a `MemoryCell`; `rng` is unused.
    """
    asked = MemoryCell.of(cell)
    data, effort = pretraining.demonstrations(asked), asked.effort
    recipe = Recipe(
        n_members=effort.n_members, version="noise", hidden=(effort.ensemble_width,) * 2,
        training=Training(n_steps=asked.steps), prior=asked.prior,
    )  # fmt: skip
    fitted = fit_ensemble(data, 1, recipe, pretraining.seed(asked, pretraining.ENSEMBLE))
    rng_off = np.random.default_rng(pretraining.seed(asked, HELD_OUT))
    off_data = demonstrate(CORRIDOR, N_OFF_DATA, rng_off).observations
    perturbation = recipe.noise * fitted.action_scale.spread
    return {
        key: np.array(np.sqrt(np.mean(np.einsum("nii->ni", fitted.covariance(states)) / perturbation**2)))
        for key, states in (("inside", data.observations), ("outside", off_data))
    }
