"""Estimators of a control policy: which noise is added to the demonstrator's actions before they are cloned.

At row i of the demonstrations, Algorithm B imitates the chunk a_i + L_i w, with w standard normal and drawn afresh at
each visit. An estimator says what the factors L_i are, in units of actions:

==========  =================================  ================================================
estimator   covariance L_i L_i^T               what it is
==========  =================================  ================================================
BC          0                                  no noise
sigma-BC    sigma^2 I                          the same noise everywhere
PostBC      alpha^2 Sigma(o_i) + floor^2 I     Sigma(o): spread of Algorithm A's ensemble at o
==========  =================================  ================================================

Anything with a `name` and `factors` is an estimator, and can be cloned and compared with these.

References
----------
Wagenmaker et al., Posterior behavioral cloning, 2025, arXiv 2512.16911, Algorithms A and B.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from continuous.demonstrations import Demonstrations
from continuous.ensembles import Ensemble, Recipe, cholesky_factors, fit_ensemble
from theory.base import validate

FloatArray = NDArray[np.float64]

SHAPES = ("full", "diagonal", "isotropic")
DEFAULT_RECIPE = Recipe()


class PolicyEstimator(Protocol):
    """What turns demonstrations into the noise of a cloned policy."""

    @property
    def name(self) -> str:
        """Label of its policies."""

    def factors(self, demonstrations: Demonstrations, chunk: int, seed: np.random.SeedSequence, /) -> FloatArray | None:
        """Factors L of the noise at each row, (N, D, D), in units of actions; None adds no noise."""


@dataclass(frozen=True, kw_only=True)
class BC:
    """Behavioral cloning: no noise.

    Parameters
    ----------
    name : str, optional
        Label.
    """

    name: str = "BC"

    def factors(self, demonstrations: Demonstrations, chunk: int, seed: np.random.SeedSequence) -> None:
        """Return None: the demonstrator's actions are imitated as they are."""
        return


@dataclass(frozen=True, kw_only=True)
class SigmaBC:
    """Behavioral cloning with the same Gaussian noise on every entry of a chunk.

    Parameters
    ----------
    sigma : float
        Standard deviation, in units of actions, at least 0.
    name : str, optional
        Label.
    """

    sigma: float
    name: str = "sigma-BC"

    def __post_init__(self) -> None:
        validate.real("sigma", self.sigma, at_least=0.0)

    def factors(self, demonstrations: Demonstrations, chunk: int, seed: np.random.SeedSequence) -> FloatArray:
        """Return sigma times the identity at each row, (N, D, D); nothing is drawn."""
        return isotropic_factors(demonstrations, chunk, self.sigma)


@dataclass(frozen=True, kw_only=True)
class PostBC:
    """Posterior behavioral cloning: noise with alpha^2 times the covariance of an ensemble's predictions.

    Parameters
    ----------
    alpha : float
        Factor of the ensemble's spread, at least 0.
    ensemble : Recipe or Ensemble, optional
        How to fit the ensemble to the demonstrations, or one that has been fitted to them.
    shape : {"full", "diagonal", "isotropic"}, optional
        As for `posterior_factors`.
    floor : float, optional
        Standard deviation, in units of actions, of isotropic noise added to it, at least 0.
    name : str, optional
        Label.
    """

    alpha: float
    ensemble: Recipe | Ensemble = DEFAULT_RECIPE
    shape: str = "full"
    floor: float = 0.0
    name: str = "PostBC"

    def __post_init__(self) -> None:
        validate.real("alpha", self.alpha, at_least=0.0)
        if not isinstance(self.ensemble, Recipe | Ensemble):
            raise TypeError(f"ensemble must be a Recipe or an Ensemble; got {type(self.ensemble).__name__}")
        validate.choice("shape", self.shape, SHAPES)
        validate.real("floor", self.floor, at_least=0.0)

    def factors(self, demonstrations: Demonstrations, chunk: int, seed: np.random.SeedSequence) -> FloatArray:
        """Return alpha times the ensemble's factors at each row, (N, D, D); the seed serves a recipe alone."""
        fitted = self.ensemble
        if isinstance(fitted, Recipe):
            fitted = fit_ensemble(demonstrations, chunk, fitted, seed)
        return posterior_factors(demonstrations, fitted, self.alpha, shape=self.shape, floor=self.floor)


def isotropic_factors(demonstrations: Demonstrations, chunk: int, sigma: ArrayLike) -> FloatArray:
    """Factors of sigma-BC at each row, (N, D, D): sigma, in units of actions, times the identity.

    Parameters
    ----------
    demonstrations : Demonstrations
    chunk : int
        Actions of a chunk, at least 1.
    sigma : array_like, () or (N,)
        Standard deviation, at least 0: one number, or one for each row.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    D = validate.integer("chunk", chunk, at_least=1) * demonstrations.actions.shape[1]
    N = len(demonstrations.observations)
    each = validate.array("sigma", np.broadcast_to(sigma, (N,)) if np.ndim(sigma) == 0 else sigma, shape=(N,))
    if (each < 0).any():
        raise ValueError(f"sigma must be at least 0; got {each.min()}")
    return np.asarray(each[:, None, None] * np.eye(D))


def posterior_factors(
    demonstrations: Demonstrations, ensemble: Ensemble, alpha: float, *, shape: str = "full", floor: float = 0.0
) -> FloatArray:
    """Factors of PostBC at each row, (N, D, D), of alpha^2 times the ensemble's covariance there.

    Parameters
    ----------
    demonstrations : Demonstrations
    ensemble : Ensemble
    alpha : float
        At least 0.
    shape : {"full", "diagonal", "isotropic"}, optional
        The whole covariance, its diagonal alone, or the identity times the mean of its diagonal; all three have the
        same trace.
    floor : float, optional
        Standard deviation, in units of actions, of isotropic noise added to it, at least 0.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    alpha = validate.real("alpha", alpha, at_least=0.0)
    validate.choice("shape", shape, SHAPES)
    floor = validate.real("floor", floor, at_least=0.0)
    covariance = validate.instance("ensemble", ensemble, Ensemble).covariance(
        demonstrations.observations, diagonal=shape != "full"
    )
    D = covariance.shape[1]
    if shape == "isotropic":
        covariance = np.einsum("nii->n", covariance)[:, None, None] / D * np.eye(D)
    if floor > 0:
        return cholesky_factors(alpha**2 * covariance + floor**2 * np.eye(D))
    return alpha * cholesky_factors(covariance)
