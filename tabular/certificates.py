"""Certified coverage of any process: the union of the exact failures of its cells, beside a sampled upper side.

P[coverage >= gamma] >= 1 - sum over the cells (h, s) that the demonstrator visits of P[cell not covered], each exact.
Cells of the same occupancy and the same actions in any order fail alike, and are computed once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabular import _kernels, dp
from tabular.coverage import coverage_where
from tabular.demonstrations import sample_counts
from tabular.exact_coverage import LOG_NEGLIGIBLE, TIE, largest_coverage, visit_law
from tabular.mdp import FiniteHorizonMDP, FloatArray, IntArray, checked_policy
from tabular.policies import Estimator
from theory import validate
from theory.claims import Interval
from theory.probability import quantile_interval

_BOUNDED = 1e-12
"""A cell whose failure Chernoff's bound puts below this enters the sum with that bound, which is certified too."""


@dataclass(frozen=True, eq=False)
class CellLaws:
    """The reachable cells of a process after T demonstrations, identical ones put together.

    Parameters
    ----------
    n_demos : int
        T.
    visit_probability : ndarray, (N,)
        Occupancy w of each kind of cell, in (0, 1].
    action_probabilities : ndarray, (N, A)
        The demonstrator's actions in it, the likeliest first.
    repeats : ndarray of int, (N,)
        How many cells are of the kind.
    visits : tuple of tuple of ndarray
        `visit_law` of each kind.
    """

    n_demos: int
    visit_probability: FloatArray
    action_probabilities: FloatArray
    repeats: IntArray
    visits: tuple[tuple[IntArray, FloatArray], ...]

    @classmethod
    def of(cls, mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int) -> "CellLaws":
        """Cells that the demonstrator visits.

        Parameters
        ----------
        mdp : FiniteHorizonMDP
        demonstrator : array_like, (H, S, A)
        n_demos : int
            T, at least 1.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or range.
        """
        pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
        T = validate.integer("n_demos", n_demos, at_least=1)
        w = dp.occupancy(mdp, pi_beta).sum(axis=2)
        rows = -np.sort(-pi_beta[w > 0], axis=1)
        kinds, repeats = np.unique(
            np.column_stack([np.minimum(1.0, w[w > 0]), rows]), axis=0, return_counts=True
        )  # rounding may take w beyond 1
        p = validate.frozen(np.ascontiguousarray(kinds[:, 1:]))
        return cls(T, kinds[:, 0], p, repeats, tuple(visit_law(T, float(x)) for x in kinds[:, 0]))

    def failure_bound(self, estimator: Estimator, gamma: float, *, enough: float = np.inf) -> float:
        """Sum over all cells of P[cell not covered with parameter gamma]: a certified bound on their union.

        Parameters
        ----------
        estimator : Estimator
        gamma : float
            In (0, 1].
        enough : float, optional
            The sum may stop as soon as it is above this.

        Returns
        -------
        float
            At least 0; exact up to 1e-12 for each cell, and never below P[coverage < gamma] by more than rounding.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its range.
        """
        gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
        if not isinstance(estimator, Estimator):
            raise TypeError(f"estimator must be an Estimator; got {type(estimator).__name__}")
        bound = self._chernoff(gamma)
        small = bound <= _BOUNDED
        total = float((self.repeats[small] * bound[small]).sum())
        for i in np.argsort(-np.where(small, -1.0, bound), kind="stable")[: np.count_nonzero(~small)]:
            if total > enough:
                break
            n, mass = self.visits[i]
            covered = np.empty(n.size)
            p = self.action_probabilities[i]
            threshold = gamma * p * (1 - TIE)
            _kernels.covered_given_visits(n, estimator.noise_weight(n), p, threshold, LOG_NEGLIGIBLE, covered)
            total += float(self.repeats[i] * (mass @ (1 - covered)))
        return total

    def _chernoff(self, gamma: float) -> FloatArray:
        """Bound on each kind's failure, (N,), whatever the weight of the noise.

        Where gamma p <= 1/A noise only helps, so a failure needs K/n < gamma p, and given n visits that has
        probability at most exp(-n KL(gamma p || p)); the mean over n ~ Bin(T, w) is (1 - w (1 - exp(-KL)))^T.
        """
        p, w = self.action_probabilities, self.visit_probability
        played = np.where(p > 0, p, 0.5)
        rest = np.where(p < 1, 1 - p, 1.0)
        kl = played * gamma * np.log(gamma) + np.where(
            p < 1, (1 - gamma * played) * (np.log1p(-gamma * np.minimum(played, 1 - 1e-300)) - np.log(rest)), 0.0
        ) if gamma < 1 else np.zeros_like(p)  # fmt: skip
        kl = np.where(p == 1, np.inf, kl)
        one = np.exp(self.n_demos * np.log1p(w[:, None] * np.minimum(0.0, np.expm1(-kl)) * (1 - 1e-12)))
        one = np.where(gamma * p <= 1 / p.shape[1], one, 1.0)
        bound: FloatArray = np.minimum(1.0, np.where(p > 0, one, 0.0).sum(axis=1))
        return bound

    def gamma_star(self, estimator: Estimator, delta: float, *, tolerance: float = 1e-6) -> float:
        """Largest gamma whose coverage is certified with probability 1 - delta.

        Parameters
        ----------
        estimator : Estimator
        delta : float
            In (0, 1).
        tolerance : float, optional
            Relative, above 0.

        Returns
        -------
        float
            In [0, 1]; 0 if none.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its range.
        """
        delta = validate.real("delta", delta, above=0.0, below=1.0)

        def probability(gamma: float) -> float:
            return 1 - self.failure_bound(estimator, gamma, enough=delta)

        return largest_coverage(probability, 1 - delta, tolerance=tolerance)


def certified_coverage_probability(
    mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int, estimator: Estimator, gamma: float
) -> float:
    """Certified lower bound on P[coverage over the reachable states >= gamma], for any process.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, at least 1.
    estimator : Estimator
    gamma : float
        In (0, 1].

    Returns
    -------
    float
        In [0, 1]: 1 minus the sum of the exact failures of the cells, or 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
    """
    return max(0.0, 1 - CellLaws.of(mdp, demonstrator, n_demos).failure_bound(estimator, gamma))


def sampled_gamma_star(
    mdp: FiniteHorizonMDP,
    demonstrator: ArrayLike,
    n_demos: int,
    estimator: Estimator,
    delta: float,
    *,
    replicates: int,
    confidence: float,
    rng: np.random.Generator,
) -> Interval:
    """Interval for the largest gamma that is covered with probability 1 - delta, from replicates of the data.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, at least 1.
    estimator : Estimator
    delta : float
        In (0, 1).
    replicates : int
        At least 1.
    confidence : float
        Of the interval, distribution-free, in (0, 1).
    rng : numpy.random.Generator

    Returns
    -------
    Interval
        Within [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
    """
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    if not isinstance(estimator, Estimator):
        raise TypeError(f"estimator must be an Estimator; got {type(estimator).__name__}")
    replicates = validate.integer("replicates", replicates, at_least=1)
    included = dp.reachable(mdp, pi_beta)
    gamma = [
        coverage_where(estimator.policy(sample_counts(mdp, pi_beta, n_demos, rng)), pi_beta, included)
        for _ in range(replicates)
    ]
    found = quantile_interval(gamma, delta, confidence)
    return Interval(max(0.0, found.low), min(1.0, found.high))
