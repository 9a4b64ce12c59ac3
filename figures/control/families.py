"""Families of pretrained control policies: each adds noise in one way, at a strength that can be chosen.

`FAMILIES` is the one list of them. A new family is one entry: how its estimator is made, and the letter of its
strength (its look is an entry of `palette.LOOKS`). Comparisons name the families that they compare, so a new family
changes none of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from continuous.demonstrations import Demonstrations
from continuous.ensembles import Ensemble
from continuous.estimators import BC, PolicyEstimator, PostBC, SigmaBC
from figures.control.oracle_masks import oracle_entries
from figures.running.artifacts import Arrays

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What an estimator of a family can be made from.

    Parameters
    ----------
    task : str
    strength : float
        Sigma of sigma-BC, alpha of PostBC.
    ensemble : callable
        Fits the ensemble of Algorithm A, or returns the one that has been fitted. Families that need none do not call
        it, so nothing is spent on it.
    shape : str, optional
        Shape of the covariance, as for `continuous.estimators.PostBC`.
    floor : float, optional
        Isotropic noise added to it, in units of actions.
    masked : bool, optional
        Whether noise is added only where the task's oracle says that a wrong action can be corrected.
    """

    task: str
    strength: float
    ensemble: Callable[[], Ensemble]
    shape: str = "full"
    floor: float = 0.0
    masked: bool = False


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of pretrained policies.

    Parameters
    ----------
    estimator : callable
        From `Ingredients` to the estimator of `continuous.estimators`.
    letter : str, optional
        Letter of the strength, as LaTeX; "" if the family has no strength.
    maskable : bool, optional
        Whether the family can add its noise under an oracle mask.
    """

    estimator: Callable[[Ingredients], PolicyEstimator]
    letter: str = ""
    maskable: bool = False

    def strength_text(self, strength: float) -> str:
        """Strength with its letter, in LaTeX; "" if the family has none."""
        return f"${self.letter} = {strength:g}$" if self.letter else ""


@dataclass(frozen=True, kw_only=True)
class MaskedSigmaBC:
    """Sigma-BC that adds noise only where an oracle says that a wrong action can be corrected.

    Parameters
    ----------
    sigma : float
        Standard deviation where noise is added, in units of actions.
    task : str
        A task that has an oracle mask.
    name : str, optional
    """

    sigma: float
    task: str
    name: str = "sigma-BC, oracle mask"

    def factors(self, demonstrations: Demonstrations, chunk: int, seed: np.random.SeedSequence) -> FloatArray:
        """Return sigma on the diagonal for the entries of the mask, 0 elsewhere, (N, D, D); nothing is drawn."""
        action_dim = demonstrations.actions.shape[1]
        entries = self.sigma * oracle_entries(self.task, demonstrations.observations, action_dim)
        return np.asarray(np.tile(entries, chunk)[:, :, None] * np.eye(chunk * action_dim))


def _bc(_: Ingredients) -> PolicyEstimator:
    return BC()


def _sigma_bc(given: Ingredients) -> PolicyEstimator:
    return MaskedSigmaBC(sigma=given.strength, task=given.task) if given.masked else SigmaBC(sigma=given.strength)


def _postbc(given: Ingredients) -> PolicyEstimator:
    return PostBC(alpha=given.strength, ensemble=given.ensemble(), shape=given.shape, floor=given.floor)


FAMILIES: dict[str, Family] = {
    "BC": Family(estimator=_bc),
    "sigma-BC": Family(estimator=_sigma_bc, letter="\\sigma", maskable=True),
    "PostBC": Family(estimator=_postbc, letter="\\alpha"),
}
"""By name, in the order of tables and legends."""


def families_of(arrays: Arrays) -> list[str]:
    """Families that a grid has, in the order of `FAMILIES`.

    Parameters
    ----------
    arrays : dict
        With `families`, as of `tables.tensors`.
    """
    return [name for name in FAMILIES if name in arrays["families"]]
