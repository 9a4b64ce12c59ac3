"""Policies of one data set, pretrained in every way that is compared: families, strengths, and variants of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from continuous.beyond import held_out_log_likelihood, shrunken_alpha, with_own_states
from continuous.cloning import ClonedPolicy
from continuous.demonstrations import Demonstrations
from continuous.ensembles import Ensemble
from continuous.tasks import TASKS
from figures.control import pretraining
from figures.control.families import FAMILIES, Ingredients
from figures.control.pretraining import ControlCell
from theory.base import validate

HELD_OUT_ALPHAS = tuple(2.0 ** (k / 2) for k in range(-6, 7))
"""Strengths among which the held-out likelihood chooses, 1/8 to 8."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What differs from the usual way to pretrain a policy.

    Parameters
    ----------
    members : int, optional
        Members of the ensemble; None is the number of the cell's effort.
    bootstrap : str, optional
        Version of the ensemble, of `continuous.ensembles.VERSIONS`.
    shape : str, optional
        Shape of the covariance, of `continuous.estimators.SHAPES`.
    floor : float, optional
        Isotropic noise added to the ensemble's, in units of actions.
    quality : float, optional
        Quality of the demonstrator, in [0, 1].
    masked : bool, optional
        Add noise only where the task's oracle says that a wrong action can be corrected.
    held_out_alpha : bool, optional
        Multiply the strength by the alpha with the highest held-out likelihood.
    prior_mass : float, optional
        Demonstrations that the prior counts for, if alpha shrinks with their number (`shrunken_alpha`); 0: it does not.
    own_states : bool, optional
        Add noise also at states that the BC policy visits.
    """

    members: int | None = None
    bootstrap: str = "trajectory"
    shape: str = "full"
    floor: float = 0.0
    quality: float = 1.0
    masked: bool = False
    held_out_alpha: bool = False
    prior_mass: float = 0.0
    own_states: bool = False


VARIANTS: Mapping[str, Variant] = {
    "": Variant(),
    "3 members": Variant(members=3),
    "30 members": Variant(members=30),
    "100 members": Variant(members=100),
    "pairs bootstrap": Variant(bootstrap="state-action"),
    "perturbed targets": Variant(bootstrap="noise"),
    "diagonal": Variant(shape="diagonal"),
    "isotropic": Variant(shape="isotropic"),
    "with sigma 0.1": Variant(floor=0.1),
    "with sigma 0.2": Variant(floor=0.2),
    "fair demonstrator": Variant(quality=0.5),
    "poor demonstrator": Variant(quality=0.0),
    "oracle mask": Variant(masked=True),
    "held-out alpha": Variant(held_out_alpha=True),
    "shrunken alpha": Variant(prior_mass=10.0),
    "own states": Variant(own_states=True),
}
"""By the name that tables have; "" is the usual way."""


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """A policy to be pretrained.

    Parameters
    ----------
    family : str
        Of `FAMILIES`.
    strength : float, optional
        Sigma of sigma-BC, alpha of PostBC; a factor of the chosen alpha for the variant "held-out alpha".
    variant : str, optional
        Of `VARIANTS`.
    """

    family: str
    strength: float = 0.0
    variant: str = ""


class Workshop:
    """Demonstrations of a cell and the policies made from them; an ensemble is fitted once and used again.

    Parameters
    ----------
    cell : ControlCell
    """

    def __init__(self, cell: ControlCell) -> None:
        self._cell = cell
        self._data: dict[float, Demonstrations] = {}
        self._ensembles: dict[tuple[str, float], Ensemble] = {}

    def pretrain(self, policy: PolicySpec) -> tuple[ClonedPolicy, float]:
        """Return the cloned policy, and the strength that it was given.

        Raises
        ------
        ValueError
            If the family is unknown, or cannot have an oracle mask that the variant asks for.
        KeyError
            If the variant is unknown.
        """
        family = FAMILIES[validate.choice("family", policy.family, tuple(FAMILIES))]
        variant = VARIANTS[policy.variant]
        if variant.masked and not family.maskable:
            maskable = ", ".join(name for name, entry in FAMILIES.items() if entry.maskable)
            raise ValueError(f"family must be one that can have an oracle mask ({maskable}); got {policy.family!r}")
        data = self._demonstrations(variant.quality)
        strength = self._strength(policy.strength, variant, data)
        estimator = family.estimator(
            Ingredients(
                task=self._cell.task, strength=strength, ensemble=lambda: self.ensemble(variant), shape=variant.shape,
                floor=variant.floor, masked=variant.masked,
            )
        )  # fmt: skip
        if variant.own_states:
            data = self._with_own_states(data)
        cell = self._cell
        factors = estimator.factors(data, cell.effort.chunk, pretraining.seed(cell, pretraining.ENSEMBLE))
        return pretraining.trained(cell, data, factors), strength

    def ensemble(self, variant: Variant) -> Ensemble:
        """Ensemble of a variant.

        Each member depends only on its own stream, so a smaller ensemble is the first members of a larger one.
        """
        kind = variant.bootstrap, variant.quality
        n_members = self._cell.effort.n_members if variant.members is None else variant.members
        fitted = self._ensembles.get(kind)
        if fitted is None or len(fitted.parameters) < n_members:
            data = self._demonstrations(variant.quality)
            fitted = pretraining.ensemble(self._cell, data, variant.bootstrap, n_members)
            self._ensembles[kind] = fitted
        return replace(fitted, parameters=fitted.parameters[:n_members])

    def _demonstrations(self, quality: float) -> Demonstrations:
        if quality not in self._data:
            self._data[quality] = pretraining.demonstrations(self._cell, quality)
        return self._data[quality]

    def _strength(self, strength: float, variant: Variant, data: Demonstrations) -> float:
        if variant.held_out_alpha:
            strength *= self._held_out_alpha(data)
        if variant.prior_mass > 0:
            strength = shrunken_alpha(strength, data.n_episodes, variant.prior_mass)
        return strength

    def _held_out_alpha(self, data: Demonstrations) -> float:
        cell = self._cell
        seed = pretraining.seed(cell, pretraining.LIKELIHOOD)
        scores = held_out_log_likelihood(data, cell.effort.chunk, pretraining.recipe(cell), seed, HELD_OUT_ALPHAS)
        return float(HELD_OUT_ALPHAS[int(scores.argmax())])

    def _with_own_states(self, data: Demonstrations) -> Demonstrations:
        cell = self._cell
        bc = pretraining.trained(cell, data, None)
        seed = pretraining.seed(cell, pretraining.OWN_STATES)
        return with_own_states(TASKS[cell.task], bc, data, data.n_episodes, seed)
