"""Estimators that figures compare, by name and in the order in which they are drawn.

An estimator is anything with a `name` and `policy(counts)`: demonstrations in, policy out. An entry of `ESTIMATORS`
says how to build one for an instance and a number of demonstrations T and, where the theory proves them, its bounds on
loss (R1) and coverage (R3). Its colour, marker and label are those of its name in `figures.look.palette`.

Most entries are members of one family, which mixes BC with the uniform distribution: after n visits of a state the
uniform distribution has the weight

    a_n = alpha lambda/(n + lambda),    a_0 = 1.

Adding an entry changes no number of the others: estimators draw no random numbers, and the intervals that claims are
judged by count only the estimators that the claims name (`cloning_experiment.JUDGED`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabular import dp
from tabular.counts import Counts
from tabular.coverage import coverage_where
from tabular.family import family_coverages, family_returns
from tabular.instances import Instance
from tabular.policies import BC, MixtureEstimator, PolicyEstimator, log_choice, paper_choice, posterior, uniform_noise
from theory.bounds.b3_suboptimality import paper_parameters
from theory.bounds.r1_suboptimality import r1_bound
from theory.bounds.r3_coverage import best_prior_mass, r3_coverage

FloatArray = NDArray[np.float64]

DELTA = 0.1
"""Allowed probability of not covering: curves show the coverage reached with probability 1 - DELTA."""


@dataclass(frozen=True, kw_only=True)
class NamedEstimator:
    """An estimator for every instance and number of demonstrations.

    Parameters
    ----------
    name : str
        With a look in `figures.look.palette`.
    build : callable
        Estimator for an instance and T.
    loss_bound : callable, optional
        Proved upper bound on the expected loss, for an instance and T.
    coverage_bound : callable, optional
        Coverage proved to be reached with probability 1 - DELTA, for an instance and T.
    """

    name: str
    build: Callable[[Instance, int], PolicyEstimator]
    loss_bound: Callable[[Instance, int], float] | None = None
    coverage_bound: Callable[[Instance, int], float] | None = None

    def largest_loss(self, instance: Instance, n_demos: int) -> float:
        """Bound on the expected loss; infinity where there is none."""
        return math.inf if self.loss_bound is None else self.loss_bound(instance, n_demos)

    def least_coverage(self, instance: Instance, n_demos: int) -> float:
        """Bound on the coverage; 0 where there is none."""
        return 0.0 if self.coverage_bound is None else self.coverage_bound(instance, n_demos)


def family_entry(
    name: str, member: Callable[[Instance, int], MixtureEstimator], *, covers: bool = True
) -> NamedEstimator:
    """Entry of a member of the family, with R1's bound on its loss and, if it `covers`, R3's on its coverage."""

    def loss_bound(instance: Instance, n_demos: int) -> float:
        estimator, w = member(instance, n_demos), instance.occupancy.sum(axis=2)
        return r1_bound(w, instance.mdp.n_actions, n_demos, estimator.alpha, estimator.prior_mass)

    def coverage_bound(instance: Instance, n_demos: int) -> float:
        estimator, (H, S, A) = member(instance, n_demos), instance.mdp.policy_shape
        return r3_coverage(S, A, H, DELTA, estimator.alpha, estimator.prior_mass)

    return NamedEstimator(
        name=name, build=member, loss_bound=loss_bound, coverage_bound=coverage_bound if covers else None
    )


def paper_member(instance: Instance, n_demos: int) -> MixtureEstimator:
    """PostBC with the paper's alpha and lambda."""
    H, _, A = instance.mdp.policy_shape
    return paper_choice(A, H, n_demos)


def _log_member(instance: Instance, n_demos: int) -> MixtureEstimator:
    H, S, A = instance.mdp.policy_shape
    return log_choice(S, A, H, DELTA, paper_member(instance, n_demos).alpha)


ESTIMATORS: dict[str, NamedEstimator] = {
    entry.name: entry
    for entry in (
        family_entry("BC", lambda _instance, _n_demos: BC, covers=False),
        family_entry("uniform noise", lambda instance, n_demos: uniform_noise(paper_member(instance, n_demos).alpha)),
        family_entry("posterior", lambda instance, _n_demos: posterior(instance.mdp.n_actions)),
        family_entry("PostBC", paper_member),
        family_entry("PostBC, lambda = L'/2", _log_member),
    )
}
"""Estimators of the cloning experiment; all noise has the paper's alpha. Further entries go to the end."""


@dataclass(frozen=True, kw_only=True)
class NoiseFamily:
    """Members of the family with one prior mass and any alpha.

    Parameters
    ----------
    name : str
        With a look in `figures.look.palette`.
    prior_mass : callable
        lambda for n_states, n_actions, horizon, n_demos and delta.
    """

    name: str
    prior_mass: Callable[[int, int, int, int, float], float]

    def member(
        self, alpha: float, *, n_states: int, n_actions: int, horizon: int, n_demos: int, delta: float
    ) -> MixtureEstimator:
        """Estimator of this family with weight alpha."""
        return MixtureEstimator(alpha, self.prior_mass(n_states, n_actions, horizon, n_demos, delta), self.name)


NOISE_FAMILIES: dict[str, NoiseFamily] = {
    family.name: family
    for family in (
        NoiseFamily(name="uniform noise", prior_mass=lambda S, A, H, T, delta: math.inf),
        NoiseFamily(name="PostBC", prior_mass=lambda S, A, H, T, delta: paper_parameters(A, H, T)[1]),
        NoiseFamily(name="PostBC, lambda = L'/2", prior_mass=lambda S, A, H, T, delta: best_prior_mass(S, A, H, delta)),
    )
}
"""Families whose alpha is varied: in figures of coverage against loss."""


def returns(instance: Instance, counts: Counts, estimators: Sequence[PolicyEstimator]) -> FloatArray:
    """Expected return of the policy that each estimator clones from the same counts; members of the family together."""
    values = np.empty(len(estimators))
    members = {i: estimator for i, estimator in enumerate(estimators) if isinstance(estimator, MixtureEstimator)}
    if members:
        values[list(members)] = family_returns(instance.mdp, counts, list(members.values()))
    for i, estimator in enumerate(estimators):
        if i not in members:
            values[i] = dp.expected_return(instance.mdp, estimator.policy(counts))
    return values


def coverages(
    instance: Instance, counts: Counts, included: NDArray[np.bool_], estimators: Sequence[PolicyEstimator]
) -> FloatArray:
    """Coverage over the included (h, s) of the policy that each estimator clones; members of the family together."""
    values = np.empty(len(estimators))
    members = {i: estimator for i, estimator in enumerate(estimators) if isinstance(estimator, MixtureEstimator)}
    if members:
        values[list(members)] = family_coverages(counts, instance.demonstrator, included, list(members.values()))
    for i, estimator in enumerate(estimators):
        if i not in members:
            values[i] = coverage_where(estimator.policy(counts), instance.demonstrator, included)
    return values
