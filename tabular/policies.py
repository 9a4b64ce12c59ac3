"""Policies cloned from demonstrations: BC, uniform noise, the posterior, PostBC. One family.

With n = T_h(s) visits, a policy of the family mixes the empirical actions with the uniform distribution:

    pi_h(a|s) = (1 - a_n) T_h(s,a)/n + a_n/A,    a_n = alpha * lambda/(n + lambda),    a_0 = 1.

    BC             alpha = 0
    uniform noise  lambda = infinity          (a_n = alpha)
    posterior      alpha = 1                  (posterior mean under a symmetric Dirichlet prior of mass lambda)
    PostBC         alpha and lambda free

Source: the paper's table of policies; the common form is ours (R1).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabular import _kernels
from tabular.counts import Counts
from tabular.mdp import FloatArray
from theory.base import validate
from theory.bounds.b3_suboptimality import paper_parameters
from theory.bounds.r3_coverage import best_prior_mass


@dataclass(frozen=True)
class Estimator:
    """A member of the family: demonstrations in, policy out.

    Parameters
    ----------
    alpha : float
        Share of the posterior (or of the uniform distribution) in the mixture, in [0, 1].
    prior_mass : float
        Total mass lambda of the Dirichlet prior, above 0; infinity is uniform noise.
    name : str, optional
        For legends and tables.

    Raises
    ------
    TypeError, ValueError
        If a parameter is outside its range.
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

        Raises
        ------
        TypeError, ValueError
            If the visits are not non-negative integers.
        """
        n = validate.integers("visits", visits)
        share = 1.0 if math.isinf(self.prior_mass) else self.prior_mass / (n + self.prior_mass)
        return np.where(n > 0, self.alpha * share, 1.0)

    def policy(self, counts: Counts) -> FloatArray:
        """Clone the demonstrations.

        Parameters
        ----------
        counts : Counts

        Returns
        -------
        ndarray, (H, S, A)
            Rows are distributions; uniform where nothing was recorded.

        Raises
        ------
        TypeError
            If `counts` is not a `Counts`.
        """
        validate.instance("counts", counts, Counts)
        out = np.empty(counts.counts.shape)
        weight = validate.frozen(self.noise_weight(counts.visits))
        _kernels.mixture_policy(counts.counts, counts.visits, weight, out)
        return out


BC = Estimator(0.0, 1.0, "BC")
"""Behavioral cloning: the empirical actions. The prior's mass plays no role."""


def uniform_noise(alpha: float) -> Estimator:
    """BC mixed with the uniform distribution: a_n = alpha, in [0, 1]."""
    return Estimator(alpha, math.inf, "uniform noise")


def posterior(prior_mass: float) -> Estimator:
    """Posterior mean under a symmetric Dirichlet prior of total mass lambda > 0 (lambda = A is the uniform prior)."""
    return Estimator(1.0, prior_mass, "posterior")


def postbc(alpha: float, prior_mass: float) -> Estimator:
    """PostBC: (1 - alpha) BC + alpha posterior, alpha in [0, 1], lambda > 0."""
    return Estimator(alpha, prior_mass, "PostBC")


def paper_choice(n_actions: int, horizon: int, n_demos: int) -> Estimator:
    """PostBC with the paper's alpha = 1/max{A, H, log(HT)} and lambda = max{A, 4 log(HT)} (thm-main).

    Raises
    ------
    TypeError, ValueError
        If a size is not an integer of at least 1.
    """
    alpha, prior_mass = paper_parameters(n_actions, horizon, n_demos)
    return Estimator(alpha, prior_mass, "PostBC")


def log_choice(n_states: int, n_actions: int, horizon: int, delta: float, alpha: float = 1.0) -> Estimator:
    """PostBC with our lambda = L'/2, L' = log(2SAH/delta), and alpha free (R3).

    Parameters
    ----------
    n_states, n_actions, horizon : int
        At least 1.
    delta : float
        Allowed probability of not covering, in (0, 1).
    alpha : float, optional
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
    """
    return Estimator(alpha, best_prior_mass(n_states, n_actions, horizon, delta), "PostBC, lambda = L'/2")
