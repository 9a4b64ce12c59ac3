"""The best coverage at a given suboptimality on the lower-bound family (B.4), by linear programs over types of data.

One bandit with A arms; arm 1 pays 1. Demonstrator 1 always plays arm 1; demonstrator i > 1 plays the rare arm i with
probability alpha and arm 1 otherwise. The type of a data set is the rare arm that it shows, if any, and how often.
Data that show only arm 1 may come from every demonstrator; every other type identifies its demonstrator.

The question is the smallest xi for which some estimator

    loses at most xi under every demonstrator, and
    covers every demonstrator with parameter gamma and probability 1 - delta.

`theory.bounds.r4_frontier` has the closed forms (R4). Here a solver that knows none of them finds them again.

Letters: A = n_actions, alpha = rare_probability, T = n_demos, gamma = coverage, xi = suboptimality.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from tabular.mdp import FloatArray
from tabular.policies import MixtureEstimator, checked_member
from theory.base import validate
from theory.bounds.family import noise_weight


@dataclass(frozen=True)
class LowerBoundFamily:
    """The family, the number of demonstrations, and the allowed probability of not covering.

    Parameters
    ----------
    n_actions : int
        A, at least 2.
    rare_probability : float
        alpha, in (0, 1).
    n_demos : int
        T, at least 1.
    delta : float
        In [0, 1).
    """

    n_actions: int
    rare_probability: float
    n_demos: int
    delta: float

    def __post_init__(self) -> None:
        validate.integer("n_actions", self.n_actions, at_least=2)
        validate.real("rare_probability", self.rare_probability, above=0.0, below=1.0)
        validate.integer("n_demos", self.n_demos, at_least=1)
        validate.real("delta", self.delta, at_least=0.0, below=1.0)

    @property
    def types(self) -> FloatArray:
        """Probability, under a demonstrator i > 1, that arm i was seen k times, (T+1,)."""
        k = np.arange(self.n_demos + 1)
        law: FloatArray = stats.binom.pmf(k, self.n_demos, self.rare_probability)
        return law


def least_suboptimality(family: LowerBoundFamily, coverage: float, *, randomised: bool = True) -> float:
    """Smallest worst-case loss xi over the family of any estimator that covers with parameter gamma; a linear program.

    On data that show only arm 1, symmetry among the rare arms leaves only policies that give each of s rare arms
    gamma alpha and arm 1 the rest; the estimator mixes them over s. On types that identify demonstrator i it mixes
    that demonstrator with "arm 1 only". An estimator that may not draw lots uses one set of rare arms: the same
    program with an integer variable for each rare arm.

    Parameters
    ----------
    family : LowerBoundFamily
    coverage : float
        gamma, in (0, 1].
    randomised : bool, optional
        Whether the estimator may draw lots.

    Returns
    -------
    float
        xi; infinite if no estimator has this coverage.
    """
    gamma = validate.real("coverage", coverage, above=0.0, at_most=1.0)
    return _mixture_program(family, gamma) if randomised else _set_program(family, gamma)


def _mixture_program(family: LowerBoundFamily, gamma: float) -> float:
    """Variables: probability of each set size s (A), of playing demonstrator i on each of its types (T), and xi."""
    A, alpha, T, types = family.n_actions, family.rare_probability, family.n_demos, family.types
    cost = gamma * alpha
    sizes = np.arange(A)
    arm_1 = 1.0 - sizes * cost
    slack = 1e-12  # without it, rounding refuses a policy that leaves arm 1 exactly what it needs
    keeps_1 = arm_1 >= gamma - slack
    keeps_i = arm_1 >= gamma * (1 - alpha) - slack
    possible = arm_1 >= -slack
    named = types[1:]
    none = np.zeros(T)
    upper = np.array(
        [
            [*-keeps_1.astype(float), *none, 0.0],
            [*(-types[0] * keeps_i * sizes / (A - 1)), *-named, 0.0],
            [*(sizes * cost), *none, -1.0],
            [*(types[0] * (sizes * cost - alpha)), *(alpha * named), -1.0],
        ]
    )
    limit = np.array([family.delta - 1, family.delta - 1, 0.0, alpha * named.sum()])
    bounds = [*((0, 1 if ok else 0) for ok in possible), *[(0, 1)] * T, (0, None)]
    total = np.array([[*np.ones(A), *none, 0.0]])
    objective = np.zeros(A + T + 1)
    objective[-1] = 1.0
    solution = optimize.linprog(
        objective,
        upper,
        limit,
        total,
        np.ones(1),
        bounds,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return math.inf if solution.fun is None else float(solution.fun)


def _set_program(family: LowerBoundFamily, gamma: float) -> float:
    """Variables: whether each rare arm is covered on data that show only arm 1 (A - 1 integers), and xi."""
    m, alpha, quiet = family.n_actions - 1, family.rare_probability, float(family.types[0])
    cost = gamma * alpha
    upper = np.vstack(
        [
            np.column_stack([-quiet * np.eye(m), np.zeros(m)]),  # coverage of demonstrator i, with its types
            [*np.full(m, cost), 0.0],  # arm 1 keeps gamma
            [*np.full(m, cost), -1.0],  # the loss
        ]
    )
    limit = np.array([*np.full(m, family.delta - quiet), 1.0 - gamma + 1e-12, 0.0])
    objective = np.array([*np.zeros(m), 1.0])
    whole = np.array([1] * m + [0])
    bounds = [*[(0, 1)] * m, (0, None)]
    solution = optimize.linprog(objective, upper, limit, bounds=bounds, method="highs", integrality=whole)
    if solution.x is None:
        return math.inf
    # The solver's integers are integers only up to its tolerance, so the constraints are checked again on rounded ones.
    chosen = np.round(solution.x[:m])
    kept = chosen.sum() * cost <= 1.0 - gamma + 1e-12 and (quiet * chosen >= quiet - family.delta).all()
    return float(chosen.sum() * cost) if kept else math.inf


def best_coverage(
    family: LowerBoundFamily, suboptimality: float, *, randomised: bool = True, tolerance: float = 1e-8
) -> float:
    """Largest coverage of any estimator that loses at most xi under every demonstrator; bisection over linear programs.

    Parameters
    ----------
    family : LowerBoundFamily
    suboptimality : float
        xi, above 0.
    randomised : bool, optional
        Whether the estimator may draw lots.
    tolerance : float, optional
        Relative, above 0.

    Returns
    -------
    float
        In [0, 1].

    Source: R4, whose closed forms it equals.
    """
    xi = validate.real("suboptimality", suboptimality, above=0.0)
    tolerance = validate.real("tolerance", tolerance, above=0.0)
    low, high = 0.0, 1.0
    if least_suboptimality(family, high, randomised=randomised) <= xi:
        return high
    while high - low > tolerance * high:
        middle = (low + high) / 2
        if least_suboptimality(family, middle, randomised=randomised) <= xi:
            low = middle
        else:
            high = middle
    return low


def worst_loss_and_coverage(family: LowerBoundFamily, estimator: MixtureEstimator) -> tuple[float, float]:
    """Worst-case loss of an estimator over the demonstrators, and the coverage that it reaches; both exact.

    Parameters
    ----------
    family : LowerBoundFamily
    estimator : MixtureEstimator

    Returns
    -------
    suboptimality : float
        Largest expected loss over the demonstrators.
    coverage : float
        Largest gamma that is covered with probability 1 - delta under every demonstrator.
    """
    member = checked_member(estimator)
    A, alpha, T = family.n_actions, family.rare_probability, family.n_demos
    noise = float(noise_weight(T, member.alpha, member.prior_mass))
    k = np.arange(T + 1)
    arm_1 = (1 - noise) * (T - k) / T + noise / A
    arm_i = (1 - noise) * k / T + noise / A
    loss = max(1.0 - arm_1[0], float(family.types @ (1 - alpha - arm_1)))
    ratio = np.minimum(1.0, np.minimum(arm_1 / (1 - alpha), arm_i / alpha))
    order = np.argsort(-ratio, kind="stable")
    reached = np.cumsum(family.types[order]) >= 1 - family.delta - 1e-12
    covered = float(ratio[order][np.argmax(reached)]) if reached.any() else float(ratio.min())
    return float(loss), min(covered, float(arm_1[0]))
