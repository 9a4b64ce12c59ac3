"""The exact probability that a cloned policy covers a process whose states never mix, as in bandits and B.2.

States do not mix if, under the demonstrator, the first state decides all later ones and no two first states ever meet.
Then every cell on the path from first state i has the same n_i visits. The n_i are multinomial, and given them the
cells are independent:

    P[covered] = sum_n P[Mult(T, P_0) = n] prod_i prod_h P[cell (h, s_i(h)) covered | n_i visits].

A multinomial is independent Poisson variables of means T P_0(i), given that they sum to T; so the sum over n is a
convolution over i of Poisson masses times the products over h, divided by the Poisson mass of the total T. Source:
the companion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabular import one_cell
from tabular.kernels import laws_of_counts
from tabular.mdp import FiniteHorizonMDP, FloatArray, IntArray, checked_policy
from tabular.policies import MixtureEstimator, checked_member
from theory.base import validate


@dataclass(frozen=True, eq=False)
class UnmixedProcess:
    """A process whose states never mix, after T demonstrations. Build it with `of`.

    Parameters
    ----------
    n_demos : int
        T.
    first_probability : ndarray, (I,)
        P_0 of each first state.
    rows : ndarray, (H, I, A)
        The demonstrator's actions along the path from each first state.
    """

    n_demos: int
    first_probability: FloatArray
    rows: FloatArray

    @classmethod
    def of(cls, mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int) -> "UnmixedProcess | None":
        """The paths of a process, or None if states mix under the demonstrator.

        Parameters
        ----------
        mdp : FiniteHorizonMDP
        demonstrator : array_like, (H, S, A)
        n_demos : int
            T, at least 1.
        """
        pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
        T = validate.integer("n_demos", n_demos, at_least=1)
        paths = _paths(mdp, pi_beta)
        if len(paths) < mdp.horizon:
            return None
        return cls(T, mdp.initial[paths[0]], pi_beta[np.arange(mdp.horizon)[:, None], paths])

    def coverage_probability(self, estimator: MixtureEstimator, gamma: float) -> float:
        """P[coverage over the reachable states >= gamma].

        Parameters
        ----------
        estimator : MixtureEstimator
        gamma : float
            In (0, 1].
        """
        member = checked_member(estimator)
        gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
        T = self.n_demos
        total, low = np.ones(1), 0
        for w, path_rows in zip(self.first_probability.tolist(), np.moveaxis(self.rows, 1, 0), strict=True):
            visits, _ = one_cell.visit_law(T, min(1.0, w))
            weighted = np.empty(visits.size)
            laws_of_counts.poisson_masses(T * w, int(visits[0]), weighted)
            # Equal cells of one path need one computation; given the visits, they are covered independently.
            distinct, repeats = np.unique(path_rows, axis=0, return_counts=True)
            for row, times in zip(distinct, repeats, strict=True):
                weighted *= one_cell.covered_given_visits(visits, row, member, gamma) ** times
            total = np.convolve(total, weighted)[: T - low - int(visits[0]) + 1]
            low += int(visits[0])
        if not 0 <= T - low < total.size:
            return 0.0
        certain = np.empty(1)
        laws_of_counts.poisson_masses(float(T), T, certain)
        return min(1.0, float(total[T - low] / certain[0]))


def unmixed_coverage_probability(
    mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int, estimator: MixtureEstimator, gamma: float
) -> float:
    """P[coverage over the reachable states >= gamma] of the whole process, exactly, where states never mix.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
        Under the demonstrator, states must not mix.
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, at least 1. Each first state costs O(T w) for its occupancy w, and O(sqrt(T w)) for every later cell.
    estimator : MixtureEstimator
    gamma : float
        In (0, 1].

    Raises
    ------
    ValueError
        If states mix.
    """
    process = UnmixedProcess.of(mdp, demonstrator, n_demos)
    if process is None:
        last = len(_paths(mdp, checked_policy("demonstrator", demonstrator, mdp.policy_shape))) - 1
        raise ValueError(f"mdp must keep its states apart under the demonstrator; they mix after step {last}")
    return process.coverage_probability(estimator, gamma)


def never_mixes(mdp: FiniteHorizonMDP, demonstrator: ArrayLike) -> bool:
    """Whether, under the demonstrator, the first state decides all later ones, and no two first states ever meet.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    """
    return len(_paths(mdp, checked_policy("demonstrator", demonstrator, mdp.policy_shape))) == mdp.horizon


def _paths(mdp: FiniteHorizonMDP, pi_beta: FloatArray) -> IntArray:
    """States on the path from each first state, (H, I); if states mix, only the steps before that."""
    current = np.flatnonzero(mdp.initial > 0)
    path = [current]
    for h in range(mdp.horizon - 1):
        k = h if mdp.probabilities.shape[0] > 1 else 0
        possible = pi_beta[h, current, :, None] * mdp.probabilities[k, current] > 0
        successors = np.arange(mdp.n_states) if mdp.is_dense else mdp.successors[k, current]
        # A state has one successor if the smallest and the largest possible one agree.
        smallest = np.where(possible, successors, mdp.n_states).min(axis=(1, 2))
        largest = np.where(possible, successors, -1).max(axis=(1, 2))
        if (smallest != largest).any() or np.unique(smallest).size < current.size:
            break
        current = smallest
        path.append(current)
    return np.stack(path)
