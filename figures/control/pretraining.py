"""Pretrained control policies as cells: demonstrations, the ensemble's posterior, cloned policies, their success.

Everything of a cell follows from its settings: one `root`, task and replicate give the same demonstrations (fewer are
the first of more), the same start of training and the same episodes of evaluation to every method and every number of
demonstrations. So differences are paired, and figures that ask for the same cells share them.
"""

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.cloning import ClonedPolicy, clone
from continuous.demonstrations import Demonstrations, Scale
from continuous.demonstrators import demonstrate
from continuous.diffusion import Denoiser
from continuous.ensembles import Ensemble, Recipe, fit_ensemble
from continuous.estimators import isotropic_factors, posterior_factors
from continuous.evaluation import evaluate
from continuous.networks import Network
from continuous.paths import PATHS
from continuous.tasks import TASKS
from continuous.training import Training
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep

FloatArray = NDArray[np.float64]
Method = tuple[str, float]

METHODS: tuple[Method, ...] = (("BC", 0.0), ("PostBC", 0.5), ("PostBC", 1.0), ("matched sigma-BC", 1.0))
"""Family and amount: alpha of PostBC, sigma of sigma-BC; the matched one adds as much as PostBC with this alpha."""

DATA, ENSEMBLE, POLICY, EVALUATION, HELD_OUT = range(5)


@dataclass(frozen=True)
class Effort:
    """What is spent on a policy: members and steps of the ensemble, steps of the policy, widths, episodes, chunk."""

    n_members: int = 10
    ensemble_steps: int = 1000
    ensemble_width: int = 128
    policy_steps: int = 2500
    policy_width: int = 128
    n_episodes: int = 100
    chunk: int = 2


def root(sweep: Sweep) -> int:
    """Seed of all control experiments of a run."""
    return int(sweep.generator("control").integers(2**62))


def cells(
    sweep: Sweep,
    tasks: Sequence[str],
    n_demos: Sequence[int],
    replicates: int,
    effort: Effort,
    methods: Sequence[Method] = METHODS,
) -> list[dict[str, Any]]:
    """Cells of `pretrain`: tasks, then numbers of demonstrations, then replicates."""
    return [
        {"task": task, "n_demos": n, "replicate": r, "root": root(sweep), "methods": [list(m) for m in methods]}
        | asdict(effort)
        for task in tasks
        for n in n_demos
        for r in range(replicates)
    ]


def seed(cell: Cell, purpose: int) -> np.random.SeedSequence:
    """Seed of one purpose of a cell; the number of demonstrations and the methods play no part."""
    return np.random.SeedSequence(
        cell["root"], spawn_key=(zlib.crc32(cell["task"].encode()), cell["replicate"], purpose)
    )


def demonstrations(cell: Cell, quality: float = 1.0) -> Demonstrations:
    """The data of a cell."""
    rng = np.random.default_rng(seed(cell, DATA))
    return demonstrate(TASKS[cell["task"]], cell["n_demos"], rng, quality=quality)


def recipe(cell: Cell, version: str = "trajectory", n_members: int | None = None) -> Recipe:
    """Recipe of a cell's ensembles."""
    width, training = cell["ensemble_width"], Training(n_steps=cell["ensemble_steps"])
    return Recipe(n_members or cell["n_members"], version, (width, width), training)


def ensemble(cell: Cell, data: Demonstrations, version: str = "trajectory", n_members: int | None = None) -> Ensemble:
    """Algorithm A on the data of a cell."""
    return fit_ensemble(data, cell["chunk"], recipe(cell, version, n_members), seed(cell, ENSEMBLE))


def trained(cell: Cell, data: Demonstrations, factors: FloatArray | None) -> ClonedPolicy:
    """Algorithm B on the data of a cell, with noise of these factors or none."""
    hidden, training = (cell["policy_width"],) * 3, Training(n_steps=cell["policy_steps"])
    return clone(data, cell["chunk"], seed(cell, POLICY), factors=factors, hidden=hidden, training=training)


def spread(covariance: FloatArray) -> FloatArray:
    """Root mean square deviation of a chunk's entries, (N,), from covariances (N, D, D)."""
    return np.asarray(np.sqrt(np.einsum("nii->n", covariance) / covariance.shape[1]))


def pretrain(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Clone by every method and evaluate on the same episodes.

    Returns
    -------
    dict
        `success` (methods, episodes); `added` (methods, D), noise that was added, in units of actions; `width`, the
        posterior's root mean square deviation at the demonstrations; and what `policy` puts together again.
    """
    data = demonstrations(cell)
    fitted = ensemble(cell, data)
    width = float(np.sqrt(np.mean(spread(fitted.covariance(data.observations)) ** 2)))
    policies = [cloned(cell, data, fitted, width, *method) for method in cell["methods"]]
    task = TASKS[cell["task"]]
    runs = [evaluate(task, one, cell["n_episodes"], seed(cell, EVALUATION)) for one in policies]
    first = policies[0]
    return {
        "success": np.stack([run.success for run in runs]),
        "added": np.stack([one.added for one in policies]),
        "width": np.array(width),
        "sizes": first.denoiser.network.widths,
        "parameters": np.stack([one.denoiser.parameters for one in policies]),
        "action_dim": np.array(first.action_dim),
        **first.observation_scale.arrays("observation"),
        **first.action_scale.arrays("action"),
    }


def cloned(
    cell: Cell, data: Demonstrations, fitted: Ensemble | None, width: float, family: str, amount: float
) -> ClonedPolicy:
    """Clone by one method; PostBC alone needs the ensemble, and matched sigma-BC alone its width."""
    factors = None
    if family == "PostBC":
        assert fitted is not None
        factors = posterior_factors(data, fitted, amount)
    elif family == "sigma-BC":
        factors = isotropic_factors(data, cell["chunk"], amount)
    elif family == "matched sigma-BC":
        factors = isotropic_factors(data, cell["chunk"], amount * width)
    elif family != "BC":
        raise ValueError(f"method must be BC, PostBC, sigma-BC or matched sigma-BC; got {family!r}")
    return trained(cell, data, factors)


def policy(arrays: Arrays, method: int) -> ClonedPolicy:
    """Policy of a method from what `pretrain` returned."""
    network = Network.of(arrays["sizes"])
    denoiser = Denoiser(PATHS["diffusion"], network, network.checked(arrays["parameters"][method]))
    scales = [Scale.read(arrays, name) for name in ("observation", "action")]
    return ClonedPolicy(denoiser, scales[0], scales[1], int(arrays["action_dim"]), arrays["added"][method])
