"""A lower bound on the probability of coverage, for any process: the union bound over the exact failures of its cells.

    P[coverage >= gamma] >= 1 - sum over reachable cells (h, s) of P[cell (h, s) is not covered with parameter gamma],

where each term is exact: n ~ Bin(T, w_h(s)) visits, and given n multinomial recordings with the demonstrator's actions
p = pi_beta_h(.|s). Cells with the same w and the same p in any order fail alike, and are computed once.

Letters: T = n_demos, w = visit_probability, p = action_probabilities, gamma = coverage asked for.
Source: the companion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabular import dp
from tabular.kernels import laws_of_counts
from tabular.mdp import FiniteHorizonMDP, FloatArray, IntArray, checked_policy
from tabular.one_cell import LOG_NEGLIGIBLE, NEVER, TIE
from tabular.policies import MixtureEstimator, checked_member
from theory.base import validate

_NEGLIGIBLE = 1e-17
"""Failures below this are bounded (Chernoff, or the sum over actions) rather than computed; certified all the same."""


@dataclass(frozen=True, eq=False, kw_only=True)
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
        Number of cells of the kind.
    """

    n_demos: int
    visit_probability: FloatArray
    action_probabilities: FloatArray
    repeats: IntArray

    @classmethod
    def of(cls, mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int) -> "CellLaws":
        """Cells that the demonstrator visits.

        Parameters
        ----------
        mdp : FiniteHorizonMDP
        demonstrator : array_like, (H, S, A)
        n_demos : int
            T, at least 1.
        """
        pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
        T = validate.integer("n_demos", n_demos, at_least=1)
        w = dp.occupancy(mdp, pi_beta).sum(axis=2)
        rows = -np.sort(-pi_beta[w > 0], axis=1)
        kinds, repeats = np.unique(
            np.column_stack([np.minimum(1.0, w[w > 0]), rows]), axis=0, return_counts=True
        )  # rounding may take w above 1, and log(1 - w) would be NaN
        kinds[kinds < NEVER] = 0.0  # below this, the masses of a binomial overflow
        w, p = (validate.frozen(np.ascontiguousarray(part)) for part in (kinds[:, 0], kinds[:, 1:]))
        return cls(n_demos=T, visit_probability=w, action_probabilities=p, repeats=validate.frozen(repeats))

    def failure_bound(self, estimator: MixtureEstimator, gamma: float, *, enough: float | None = None) -> float:
        """Sum over all cells of P[cell not covered with parameter gamma]: a certified bound on their union.

        Parameters
        ----------
        estimator : MixtureEstimator
        gamma : float
            In (0, 1].
        enough : float, optional
            If given, the question is only whether the sum is above this: the computation stops as soon as a bound
            on the sum decides, and returns that bound.

        Returns
        -------
        float
            At least 0; exact up to 1e-13 for each cell, and never below P[coverage < gamma] by more than rounding.
        """
        gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
        member = checked_member(estimator)
        bound = self._chernoff(gamma)
        lower, upper = np.zeros(len(bound)), np.minimum(1.0, bound.sum(axis=1))

        def bounds_after(cells: IntArray, exact: bool) -> tuple[float, float]:
            laws_of_counts.cell_failures(
                cells, self.n_demos, self.visit_probability, self.action_probabilities, bound, self.repeats,
                member.alpha, member.prior_mass, gamma * (1 - TIE), LOG_NEGLIGIBLE, _NEGLIGIBLE, exact,
                np.inf if enough is None else enough, lower, upper,
            )  # fmt: skip
            return float(self.repeats @ lower), float(self.repeats @ upper)

        order = np.argsort(-self.repeats * upper, kind="stable")
        least, most = bounds_after(order[(bound[order] > _NEGLIGIBLE).any(axis=1)], enough is None)
        if enough is None:
            return most
        for i in np.argsort(-self.repeats * (upper - lower), kind="stable"):
            if least > enough or most <= enough:
                break
            least, most = bounds_after(np.array([i]), True)
        return least if least > enough else most

    def _chernoff(self, gamma: float) -> FloatArray:
        """Bound on the failure of each action of each kind, (N, A), whatever the weight of the noise.

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
        bound = np.exp(self.n_demos * np.log1p(w[:, None] * np.minimum(0.0, np.expm1(-kl)) * (1 - 1e-12)))
        bound = np.where(gamma * p <= 1 / p.shape[1], bound, 1.0)
        return validate.frozen(np.where(p > 0, bound, 0.0))


def certified_coverage_probability(
    mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int, estimator: MixtureEstimator, gamma: float
) -> float:
    """Certified lower bound on P[coverage over the reachable states >= gamma], for any process.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, at least 1.
    estimator : MixtureEstimator
    gamma : float
        In (0, 1].

    Returns
    -------
    float
        In [0, 1]: 1 minus the sum of the exact failures of the cells, or 0.
    """
    return max(0.0, 1 - CellLaws.of(mdp, demonstrator, n_demos).failure_bound(estimator, gamma))
