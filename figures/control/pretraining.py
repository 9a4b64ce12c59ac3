"""What every control experiment does to pretrain a policy: demonstrations, the ensemble's posterior, the cloned policy.

All random numbers follow from the cell: one `root`, task and replicate give the same demonstrations (fewer are the
first of more), the same start of training and the same evaluation episodes to every method and every number of
demonstrations.
So differences between methods are paired, and figures that ask for the same cells share them.
"""

import zlib
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from continuous.cloning import ClonedPolicy, clone
from continuous.demonstrations import Demonstrations
from continuous.demonstrators import demonstrate
from continuous.ensembles import Ensemble, Recipe, fit_ensemble
from continuous.tasks import TASKS
from continuous.training import Training
from figures.running.sweep import Cell, Sweep

FloatArray = NDArray[np.float64]

DATA, ENSEMBLE, POLICY, EVALUATION, HELD_OUT = range(5)
"""Purposes of random numbers: each has a separate stream in `seed`."""
LEARNER = 10
"""Stream of a finetuner."""
LIKELIHOOD, OWN_STATES = 20, 21
"""Streams of two variants: folds of the held-out likelihood, and episodes of the policy's own states."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What is spent on one policy.

    Parameters
    ----------
    n_members : int
        Members of the ensemble.
    ensemble_steps, ensemble_width : int
        Training steps of the ensemble, and width of its hidden layers.
    policy_steps, policy_width : int
        The same of the cloned policy.
    n_episodes : int
        Evaluation episodes.
    chunk : int
        Actions of a chunk.
    """

    n_members: int = 10
    ensemble_steps: int = 1000
    ensemble_width: int = 128
    policy_steps: int = 2500
    policy_width: int = 128
    n_episodes: int = 100
    chunk: int = 2


PUBLISHED_EFFORT = Effort()
QUICK_EFFORT = Effort(n_members=5, ensemble_steps=400, ensemble_width=64, policy_steps=800, policy_width=64)
"""Efforts of the published settings and of quick runs."""


@dataclass(frozen=True, kw_only=True)
class ControlCell:
    """What every cell of the control experiments names. The cells of one experiment add fields to these.

    Parameters
    ----------
    root : int
        Seed of all control experiments of a run, see `root`.
    task : str
    replicate : int
        Number of the training seed.
    n_demos : int
    effort : Effort
    """

    root: int
    task: str
    replicate: int
    n_demos: int
    effort: Effort

    def to_cell(self) -> dict[str, Any]:
        """JSON-ready form, for `Sweep.run`."""
        return asdict(self)

    @classmethod
    def of(cls, cell: Cell) -> Self:
        """Read what `to_cell` wrote, directly or through JSON."""
        return cls(**cls._read(cell))

    @classmethod
    def _read(cls, cell: Cell) -> dict[str, Any]:
        return {**cell, "effort": Effort(**cell["effort"])}


def root(sweep: Sweep) -> int:
    """Seed of all control experiments of a run."""
    return int(sweep.generator("control").integers(2**62))


def seed(cell: ControlCell, purpose: int) -> np.random.SeedSequence:
    """Seed of one purpose of a cell; it does not depend on the number of demonstrations or on the methods."""
    return np.random.SeedSequence(cell.root, spawn_key=(zlib.crc32(cell.task.encode()), cell.replicate, purpose))


def demonstrations(cell: ControlCell, quality: float = 1.0) -> Demonstrations:
    """Demonstrations of a cell.

    Parameters
    ----------
    cell : ControlCell
    quality : float, optional
        Quality of the demonstrator, in [0, 1].
    """
    rng = np.random.default_rng(seed(cell, DATA))
    return demonstrate(TASKS[cell.task], cell.n_demos, rng, quality=quality)


def recipe(cell: ControlCell, version: str = "trajectory", n_members: int | None = None) -> Recipe:
    """Recipe of a cell's ensembles, with the cell's number of members unless another is given."""
    effort = cell.effort
    training = Training(n_steps=effort.ensemble_steps)
    return Recipe(
        n_members=effort.n_members if n_members is None else n_members, version=version,
        hidden=(effort.ensemble_width,) * 2, training=training,
    )  # fmt: skip


def ensemble(
    cell: ControlCell, data: Demonstrations, version: str = "trajectory", n_members: int | None = None
) -> Ensemble:
    """Fit the ensemble of Algorithm A to demonstrations."""
    return fit_ensemble(data, cell.effort.chunk, recipe(cell, version, n_members), seed(cell, ENSEMBLE))


def trained(cell: ControlCell, data: Demonstrations, factors: FloatArray | None) -> ClonedPolicy:
    """Clone demonstrations by Algorithm B, with noise of these factors, or without noise."""
    effort = cell.effort
    hidden, training = (effort.policy_width,) * 3, Training(n_steps=effort.policy_steps)
    return clone(data, effort.chunk, seed(cell, POLICY), factors=factors, hidden=hidden, training=training)


def spread(covariance: FloatArray) -> FloatArray:
    """Root mean square deviation of a chunk's entries, (N,), from covariances (N, D, D)."""
    return np.asarray(np.sqrt(np.einsum("nii->n", covariance) / covariance.shape[1]))
