"""The policies of one data set, pretrained in all ways that are compared: families, strengths and variants of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from continuous.beyond import held_out_log_likelihood, shrunken_alpha, with_own_states
from continuous.cloning import ClonedPolicy
from continuous.demonstrations import Demonstrations
from continuous.ensembles import Ensemble
from continuous.estimators import isotropic_factors, posterior_factors
from continuous.tasks import TASKS
from figures.control import pretraining
from figures.running.sweep import Cell
from theory.base import validate

FloatArray = NDArray[np.float64]

FAMILIES = ("BC", "sigma-BC", "PostBC")

LIKELIHOOD, OWN = 20, 21
"""Purposes of chance, beside those of `pretraining` and of the learners."""

LIKELY = tuple(2.0 ** (k / 2) for k in range(-6, 7))
"""Strengths among which the held-out likelihood chooses, 1/8 to 8."""

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "3 members": {"members": 3},
    "30 members": {"members": 30},
    "100 members": {"members": 100},
    "pairs bootstrap": {"version": "state-action"},
    "perturbed targets": {"version": "noise"},
    "diagonal": {"shape": "diagonal"},
    "isotropic": {"shape": "isotropic"},
    "with sigma 0.1": {"floor": 0.1},
    "with sigma 0.2": {"floor": 0.2},
    "fair demonstrator": {"quality": 0.5},
    "poor demonstrator": {"quality": 0.0},
    "oracle mask": {"mask": True},
    "held-out alpha": {"likely": True},
    "shrunken alpha": {"mass": 10.0},
    "own states": {"own": True},
}
"""What differs from the standard way. Of a likely alpha, `strength` is a factor."""


MASKED = ("corridor", "stick")
"""Tasks where an oracle knows a place without danger."""


class PolicySpec(NamedTuple):
    """A policy to be pretrained: a family of `FAMILIES`, its sigma or alpha, and a key of `VARIANTS`."""

    family: str
    strength: float
    variant: str = ""


class Workshop:
    """Demonstrations of a cell and what is made from them; an ensemble that is there is used again.

    Parameters
    ----------
    cell : mapping
        Task, number of demonstrations, replicate, root and effort, as `pretraining` has them.
    """

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._data: dict[float, Demonstrations] = {}
        self._ensembles: dict[tuple[str, float], Ensemble] = {}

    def pretrain(self, plan: PolicySpec) -> tuple[ClonedPolicy, float]:
        """Return the policy, and the strength that it was given; raises ValueError or KeyError if there is no such."""
        validate.choice("family", plan.family, FAMILIES)
        changes = VARIANTS[plan.variant]
        if "mask" in changes and plan.family != "sigma-BC":
            raise ValueError(f"oracle mask is of sigma-BC; got {plan.family}")
        data = self._demonstrations(changes.get("quality", 1.0))
        strength = plan.strength
        if changes.get("likely"):
            strength *= self._likely_alpha(data)
        if "mass" in changes:
            strength = shrunken_alpha(strength, data.n_episodes, changes["mass"])
        if changes.get("own"):
            seed = pretraining.seed(self._cell, OWN)
            data = with_own_states(self._task, pretraining.trained(self._cell, data, None), data, data.n_episodes, seed)
        factors = self._factors(plan.family, strength, changes, data)
        return pretraining.trained(self._cell, data, factors), strength

    @property
    def _task(self) -> Any:
        return TASKS[self._cell["task"]]

    def _factors(self, family: str, strength: float, changes: Mapping[str, Any], data: Demonstrations) -> Any:
        if family == "BC":
            return None
        if family == "sigma-BC":
            where = tolerant(self._cell["task"], data.observations) if changes.get("mask") else 1.0
            return isotropic_factors(data, self._cell["chunk"], strength * where)
        fitted = self._ensemble(changes)
        return posterior_factors(
            data, fitted, strength, shape=changes.get("shape", "full"), floor=changes.get("floor", 0.0)
        )

    def _demonstrations(self, quality: float) -> Demonstrations:
        if quality not in self._data:
            self._data[quality] = pretraining.demonstrations(self._cell, quality)
        return self._data[quality]

    def _ensemble(self, changes: Mapping[str, Any]) -> Ensemble:
        """Fit the ensemble of a variant, or take the first members of a larger one: each depends on its own stream."""
        version, quality = changes.get("version", "trajectory"), changes.get("quality", 1.0)
        wanted = changes.get("members", self._cell["n_members"])
        found = self._ensembles.get((version, quality))
        if found is None or len(found.parameters) < wanted:
            found = pretraining.ensemble(self._cell, self._demonstrations(quality), version, wanted)
            self._ensembles[version, quality] = found
        return replace(found, parameters=found.parameters[:wanted])

    def _likely_alpha(self, data: Demonstrations) -> float:
        seed = pretraining.seed(self._cell, LIKELIHOOD)
        recipe = pretraining.recipe(self._cell)
        scores = held_out_log_likelihood(data, self._cell["chunk"], recipe, seed, LIKELY)
        return float(LIKELY[int(scores.argmax())])


def tolerant(task: str, observations: FloatArray) -> FloatArray:
    """1 where a wrong action can be mended, 0 where it ends the episode, (N,): what an oracle would know.

    Parameters
    ----------
    task : {"corridor", "stick"}
        Both end episodes in their lane, up to x = 0, the first number that is observed.
    observations : ndarray, (N, O)

    Raises
    ------
    ValueError
        If the task has no such place, or has it everywhere.
    """
    if task not in MASKED:
        raise ValueError(f"task must be corridor or stick; got {task!r}")
    return (observations[:, 0] > 0.0).astype(np.float64)
