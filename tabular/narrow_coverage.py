"""The exact probability that a cloned policy covers a process with at most two reachable states per step.

The number n_h of trajectories in the first of the two states is a Markov chain over the steps, because the other state
has T - n_h. Given n_h, the counts of the actions in the two states are independent multinomials. They say whether the
cells are covered, and how many trajectories each sends to the first state of the next step. With

    f_h(n) = P[n_h = n, all cells before step h are covered]

the transform of f_{h+1} over the roots of unity z is

    E[z^{n_{h+1}}; covered] = sum_n f_h(n) prod_{cells of step h} E[z^moves; cell covered | its visits],

and an inverse FFT gives f_{h+1}. `moves` is the number of trajectories that a cell sends to the first next state: an
action with probability q of leading there contributes (1 - q + q z) for each of its recordings.

Letters: T = n_demos, A = n_actions, w = occupancy, p = the demonstrator's actions, q = to_first.
Source: the companion.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tabular import dp
from tabular.kernels import laws_of_counts
from tabular.mdp import FiniteHorizonMDP, FloatArray, IntArray, checked_policy
from tabular.one_cell import LOG_NEGLIGIBLE, NEVER, TIE, visit_law
from tabular.policies import MixtureEstimator, checked_member
from theory.base import validate
from theory.bounds.family import noise_weight

MAX_DEMOS = 10_000
"""With more demonstrations than this, a process does not count as narrow."""

MAX_WORK = 2 * 10**9
"""Nor does one that needs more multiplications than this for one coverage: about a second of one core."""


class _Cell(NamedTuple):
    """One reachable (h, s): its actions by the probability with which they lead to the first next state."""

    p: FloatArray  # (B,), of the actions that are played
    to_first: FloatArray  # (G,), of each group of actions; at least two groups, of which one may be empty
    starts: IntArray  # (G+1,), where groups begin


class _Step(NamedTuple):
    visits: IntArray  # (N,), numbers of trajectories in the first state that matter
    law: FloatArray  # (N,), their probabilities
    cells: tuple[_Cell, ...]  # of the first state, and of the second if there is one


@dataclass(frozen=True, eq=False)
class NarrowProcess:
    """A process with at most two reachable states per step, after T demonstrations. Build it with `of`.

    Parameters
    ----------
    n_demos : int
        T.
    n_actions : int
        A.
    steps : tuple
        For each step: the numbers of trajectories in its first state, their law, and its cells.
    """

    n_demos: int
    n_actions: int
    steps: tuple[_Step, ...]

    @classmethod
    def of(cls, mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int) -> "NarrowProcess | None":
        """The part of a process that the demonstrator visits, or None if the process does not count as narrow.

        It does not count as narrow if a step has more than two reachable states, or if T is above `MAX_DEMOS` or `work`
        above `MAX_WORK`.

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
        if T > MAX_DEMOS or (w > 0).sum(axis=1).max() > 2:
            return None
        states = [np.flatnonzero(row > 0) for row in w]
        steps = []
        for h, reached in enumerate(states):
            alone = reached.size == 1
            visits, law = (np.array([T]), np.ones(1)) if alone else visit_law(T, min(1.0, float(w[h, reached[0]])))
            following = states[h + 1] if h + 1 < mdp.horizon else reached[:1]
            cells = tuple(_cell(pi_beta[h, s], _to_first(mdp, h, int(s), following)) for s in reached)
            steps.append(_Step(visits, law, cells))
        process = cls(T, mdp.n_actions, tuple(steps))
        return process if process.work <= MAX_WORK else None

    @property
    def work(self) -> int:
        """Complex multiplications for one coverage, at most: G groups split every number of visits G-1 times."""
        sizes = [step.visits.size for step in self.steps]
        total = 0
        for step, size, following in zip(self.steps, sizes, [*sizes[1:], 1], strict=True):
            for cell in step.cells:
                groups = np.unique(cell.starts).size - 1
                total += size * (following // 2 + 1) * (1 if groups == 1 else size + (groups - 2) * size**2)
        return total

    def coverage_probability(self, estimator: MixtureEstimator, gamma: float) -> float:
        """P[coverage over the reachable states >= gamma].

        Parameters
        ----------
        estimator : MixtureEstimator
        gamma : float
            In (0, 1].

        Returns
        -------
        float
            In [0, 1]; absolute error about 1e-14 H.
        """
        gamma = validate.real("gamma", gamma, above=0.0, at_most=1.0)
        member = checked_member(estimator)
        law = self.steps[0].law
        for step, after in zip(self.steps[:-1], self.steps[1:], strict=True):
            size = after.visits.size
            characteristic = self._carried(step, law, size, member, gamma)
            # The transform gives n modulo the window's size, which loses nothing: outside the window there is no mass.
            wrapped = np.fft.irfft(characteristic, size)
            # Rounding of the transform may leave a probability below 0, or above that of n without coverage.
            law = np.clip(wrapped[after.visits % size], 0.0, after.law)
        return float(np.clip(self._carried(self.steps[-1], law, 1, member, gamma)[0].real, 0.0, 1.0))

    def _carried(
        self, step: _Step, law: FloatArray, size: int, estimator: MixtureEstimator, gamma: float
    ) -> FloatArray:
        """E[z^n'; covered in this step and before] with n' trajectories in the next first state, z^size = 1."""
        z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
        total = law[:, None].astype(complex)
        for visits, cell in zip((step.visits, self.n_demos - step.visits), step.cells, strict=False):
            moves = np.empty((visits.size, z.size), complex)
            q = cell.to_first[:, None]
            weight = noise_weight(visits, estimator.alpha, estimator.prior_mass)
            laws_of_counts.cell_moves(
                visits, weight, law, np.where(cell.p < NEVER, 0.0, cell.p),
                gamma * cell.p * (1 - TIE), self.n_actions, cell.starts, 1 - q + q * z, LOG_NEGLIGIBLE, moves,
            )  # fmt: skip
            total = total * moves
        carried: FloatArray = total.sum(axis=0)
        return carried


def _to_first(mdp: FiniteHorizonMDP, h: int, s: int, following: IntArray) -> FloatArray:
    """Probability of each action (A,) to lead to the first of the one or two states that can follow."""
    if following.size == 1:
        return np.ones(mdp.n_actions)
    k = h if mdp.probabilities.shape[0] > 1 else 0
    chance = [np.where(mdp.successors[k, s] == t, mdp.probabilities[k, s], 0.0).sum(axis=1) for t in following]
    with np.errstate(invalid="ignore"):  # 0/0 for an action that leads to neither: it is never played
        return np.where(chance[1] > 0, chance[0] / (chance[0] + chance[1]), 1.0)


def _cell(row: FloatArray, to_first: FloatArray) -> _Cell:
    played = np.flatnonzero(row > 0)
    order = played[np.argsort(to_first[played], kind="stable")]
    groups, starts = np.unique(to_first[order], return_index=True)
    if groups.size == 1:
        groups, starts = np.append(groups, 0.0), np.append(starts, order.size)
    return _Cell(row[order], groups, np.append(starts, order.size))


def narrow_coverage_probability(
    mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int, estimator: MixtureEstimator, gamma: float
) -> float:
    """P[coverage over the reachable states >= gamma] of the whole process, exactly, where it is narrow.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
        With at most two states that the demonstrator reaches in each step.
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, from 1 to `MAX_DEMOS`. Each step costs O(T^1.5) where the actions of a state lead to the first next state
        with at most two different probabilities (as in a lock), else O(T^2) for each more.
    estimator : MixtureEstimator
    gamma : float
        In (0, 1].

    Raises
    ------
    ValueError
        If the process is not narrow (see `NarrowProcess.of`).
    """
    process = NarrowProcess.of(mdp, demonstrator, n_demos)
    if process is None:
        raise ValueError(
            f"mdp must have at most 2 reachable states per step under the demonstrator, for n_demos at most "
            f"{MAX_DEMOS} and {MAX_WORK:.0e} multiplications"
        )
    return process.coverage_probability(estimator, gamma)
