"""Policies before finetuning: one data set cloned by several methods, and the success of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from continuous.cloning import ClonedPolicy
from continuous.demonstrations import Scale
from continuous.diffusion import Denoiser
from continuous.evaluation import evaluate
from continuous.networks import Network
from continuous.paths import PATHS
from continuous.tasks import TASKS
from figures.control import pretraining
from figures.control.families import FAMILIES, Ingredients
from figures.control.pretraining import ControlCell, Effort
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from theory.base import validate


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to pretrain a policy.

    Parameters
    ----------
    family : str
        Of `FAMILIES`.
    strength : float, optional
        Of its noise: alpha of PostBC, sigma of sigma-BC.
    matched : bool, optional
        The strength is a factor of the posterior's root mean square width at the demonstrations: sigma-BC with strength
        alpha then adds as much noise, on average, as PostBC with this alpha.
    """

    family: str
    strength: float = 0.0
    matched: bool = False


BC = Method(family="BC")
POSTBC_HALF = Method(family="PostBC", strength=0.5)
POSTBC = Method(family="PostBC", strength=1.0)
MATCHED_SIGMA_BC = Method(family="sigma-BC", strength=1.0, matched=True)
METHODS = (BC, POSTBC_HALF, POSTBC, MATCHED_SIGMA_BC)


@dataclass(frozen=True, kw_only=True)
class MethodsCell(ControlCell):
    """Cell of `pretrain`.

    Parameters
    ----------
    methods : tuple of Method
    """

    methods: tuple[Method, ...]

    @classmethod
    def _read(cls, cell: Cell) -> dict[str, Any]:
        return {**super()._read(cell), "methods": tuple(Method(**method) for method in cell["methods"])}


def method_cells(
    sweep: Sweep,
    *,
    tasks: Sequence[str],
    n_demos: Sequence[int],
    replicates: int,
    effort: Effort,
    methods: Sequence[Method] = METHODS,
) -> list[MethodsCell]:
    """Cells of `pretrain`: tasks, then numbers of demonstrations, then replicates."""
    root = pretraining.root(sweep)
    return [
        MethodsCell(root=root, task=task, replicate=r, n_demos=n, effort=effort, methods=tuple(methods))
        for task in tasks
        for n in n_demos
        for r in range(replicates)
    ]


def run_methods(sweep: Sweep, cells: Sequence[MethodsCell]) -> list[Arrays]:
    """Pretrain all cells: what `pretrain` returns for each. Figures that ask for the same cells share them."""
    return sweep.run("pretrained", pretrain, [cell.to_cell() for cell in cells])


def pretrain(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Clone by every method, and evaluate all on the same episodes.

    All random numbers follow from the cell; `rng` is unused.

    Parameters
    ----------
    cell : mapping
        As `MethodsCell.to_cell` gives it.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        `success` (methods, episodes); `added` (methods, D), the noise that was added, in units of actions; `width`, the
        posterior's root mean square deviation at the demonstrations; and what `policy` needs to rebuild the policies.
    """
    asked = MethodsCell.of(cell)
    data = pretraining.demonstrations(asked)
    fitted = pretraining.ensemble(asked, data)
    width = float(np.sqrt(np.mean(pretraining.spread(fitted.covariance(data.observations)) ** 2)))
    policies = []
    for method in asked.methods:
        family = FAMILIES[validate.choice("method.family", method.family, tuple(FAMILIES))]
        strength = method.strength * width if method.matched else method.strength
        estimator = family.estimator(Ingredients(task=asked.task, strength=strength, ensemble=lambda: fitted))
        factors = estimator.factors(data, asked.effort.chunk, pretraining.seed(asked, pretraining.ENSEMBLE))
        policies.append(pretraining.trained(asked, data, factors))
    task, seed = TASKS[asked.task], pretraining.seed(asked, pretraining.EVALUATION)
    runs = [evaluate(task, policy, asked.effort.n_episodes, seed) for policy in policies]
    first = policies[0]
    return {
        "success": np.stack([run.success for run in runs]),
        "added": np.stack([policy.added for policy in policies]),
        "width": np.array(width),
        "sizes": first.denoiser.network.widths,
        "parameters": np.stack([policy.denoiser.parameters for policy in policies]),
        "action_dim": np.array(first.action_dim),
        **first.observation_scale.arrays("observation"),
        **first.action_scale.arrays("action"),
    }


def policy(arrays: Arrays, method: int) -> ClonedPolicy:
    """Rebuild the policy of one method, by its number, from what `pretrain` returned."""
    network = Network.of(arrays["sizes"])
    denoiser = Denoiser(PATHS["diffusion"], network, network.checked(arrays["parameters"][method]))
    scales = [Scale.read(arrays, name) for name in ("observation", "action")]
    return ClonedPolicy(
        denoiser=denoiser, observation_scale=scales[0], action_scale=scales[1], action_dim=int(arrays["action_dim"]),
        added=arrays["added"][method],
    )  # fmt: skip
