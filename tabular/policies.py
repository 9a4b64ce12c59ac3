"""Policies cloned from demonstrations: BC, uniform noise, the posterior, PostBC. One family.

With n = T_h(s) visits, a policy of the family mixes the empirical actions with the uniform distribution:

    pi_h(a|s) = (1 - a_n) T_h(s,a)/n + a_n/A,    a_n = alpha * lambda/(n + lambda),    a_0 = 1.

    BC             alpha = 0
    uniform noise  lambda = infinity          (a_n = alpha)
    posterior      alpha = 1                  (posterior mean under a symmetric Dirichlet prior of mass lambda)
    PostBC         alpha and lambda free

`MixtureEstimator` is an estimator of this family. What needs only a cloned policy (sampled coverage, returns, profiles,
finetuning) takes any `PolicyEstimator`; what needs a_n in closed form (exact coverage, bounds) takes members alone.

Letters: alpha = weight of the posterior, lambda = prior_mass, a_n = noise weight (`theory.bounds.family`).

Source: the paper's table of policies; the companion for the common form (R1).
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from tabular.counts import Counts
from tabular.kernels import policy_tables
from tabular.mdp import FloatArray
from theory.base import validate
from theory.bounds.b3_suboptimality import paper_parameters
from theory.bounds.family import noise_weight
from theory.bounds.r3_coverage import best_prior_mass


@runtime_checkable
class PolicyEstimator(Protocol):
    """A rule that clones demonstrations into a policy; write a class with these two and it goes into any comparison."""

    @property
    def name(self) -> str:
        """For legends and tables."""

    def policy(self, counts: Counts) -> FloatArray:
        """Policy (H, S, A) cloned from the counts; rows are distributions."""


@dataclass(frozen=True)
class MixtureEstimator:
    """An estimator of the family: BC mixed with the uniform distribution, with weight a_n after n visits.

    Parameters
    ----------
    alpha : float
        Weight of the posterior (or of the uniform distribution) in the mixture, in [0, 1].
    prior_mass : float
        Total mass lambda of the Dirichlet prior, above 0; infinity is uniform noise.
    name : str, optional
        For legends and tables.
    """

    alpha: float
    prior_mass: float
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", validate.real("alpha", self.alpha, at_least=0.0, at_most=1.0))
        mass = validate.real("prior_mass", self.prior_mass, above=0.0, finite=False)
        object.__setattr__(self, "prior_mass", mass)
        validate.instance("name", self.name, str)

    def noise_weight(self, visits: ArrayLike) -> FloatArray:
        """Weight a_n of the uniform distribution after n visits.

        Parameters
        ----------
        visits : array_like of int, any shape
            Visits n, at least 0.

        Returns
        -------
        ndarray, same shape
            In [0, 1]; 1 where n = 0.
        """
        return noise_weight(validate.integers("visits", visits), self.alpha, self.prior_mass)

    def policy(self, counts: Counts) -> FloatArray:
        """Clone the demonstrations.

        Parameters
        ----------
        counts : Counts

        Returns
        -------
        ndarray, (H, S, A)
            Rows are distributions; uniform where nothing was recorded.
        """
        validate.instance("counts", counts, Counts)
        out = np.empty(counts.counts.shape)
        weight = validate.frozen(noise_weight(counts.visits, self.alpha, self.prior_mass))
        policy_tables.mixture_policy(counts.counts, counts.visits, weight, out)
        return out


def checked_estimator(estimator: Any) -> PolicyEstimator:
    """Return the estimator if it can clone a policy, else raise TypeError."""
    if not isinstance(estimator, PolicyEstimator):
        raise TypeError(f"estimator must have a name and a method policy(counts); got {type(estimator).__name__}")
    return estimator


def checked_member(estimator: Any) -> MixtureEstimator:
    """Return the estimator if it is of the family, so that its noise weight is known, else raise TypeError."""
    if not isinstance(estimator, MixtureEstimator):
        raise TypeError(
            "estimator must be a MixtureEstimator, because only that family has a closed form; "
            f"got {type(estimator).__name__}"
        )
    return estimator


BC = MixtureEstimator(0.0, 1.0, "BC")
"""Behavioral cloning: the empirical actions. The prior's mass plays no role."""


def uniform_noise(alpha: float) -> MixtureEstimator:
    """BC mixed with the uniform distribution: a_n = alpha, in [0, 1]."""
    return MixtureEstimator(alpha, math.inf, "uniform noise")


def posterior(prior_mass: float) -> MixtureEstimator:
    """Posterior mean under a symmetric Dirichlet prior of total mass lambda > 0 (lambda = A is the uniform prior)."""
    return MixtureEstimator(1.0, prior_mass, "posterior")


def postbc(alpha: float, prior_mass: float) -> MixtureEstimator:
    """PostBC: (1 - alpha) BC + alpha posterior, alpha in [0, 1], lambda > 0."""
    return MixtureEstimator(alpha, prior_mass, "PostBC")


def paper_choice(n_actions: int, horizon: int, n_demos: int) -> MixtureEstimator:
    """PostBC with the paper's alpha = 1/max{A, H, log(HT)} and lambda = max{A, 4 log(HT)} (thm-main).

    Parameters
    ----------
    n_actions, horizon, n_demos : int
        A, H and T, at least 1.
    """
    alpha, prior_mass = paper_parameters(n_actions, horizon, n_demos)
    return MixtureEstimator(alpha, prior_mass, "PostBC")


def log_choice(n_states: int, n_actions: int, horizon: int, delta: float, alpha: float = 1.0) -> MixtureEstimator:
    """PostBC with our lambda = L'/2, L' = log(2SAH/delta), and alpha free (R3).

    Parameters
    ----------
    n_states, n_actions, horizon : int
        At least 1.
    delta : float
        Allowed probability of not covering, in (0, 1).
    alpha : float, optional
        In [0, 1].
    """
    return MixtureEstimator(alpha, best_prior_mass(n_states, n_actions, horizon, delta), "PostBC, lambda = L'/2")
