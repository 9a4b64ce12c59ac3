"""The best coverage at a given suboptimality on the lower-bound family (B.4), by linear programs over types of data.

One bandit with A arms, arm 1 pays. Demonstrator 1 plays arm 1; demonstrator i > 1 plays arm i with probability alpha
and arm 1 otherwise. A type of data says which rare arm was seen, if any, and how often. Data that show arm 1 only may
come from every demonstrator; all other types name theirs.

`theory.bounds.r4_frontier` has the closed forms (R4). Here they are found again by a solver that knows none of them.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from tabular.mdp import FloatArray
from tabular.policies import Estimator
from theory.base import validate


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

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
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
    """Smallest largest loss over the family of any estimator that covers with the stated parameter; a linear program.

    By symmetry the rare arms may be shuffled, and only policies that give a set of s rare arms gamma alpha each and
    arm 1 the rest need be mixed on data that show arm 1 only. On the types that name demonstrator i the estimator
    mixes that demonstrator with "arm 1 only". A deterministic map of the data takes one set, for each type one
    policy: the same program over whole numbers, one a rare arm.

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
        xi; infinite if no estimator covers so much.

    Raises
    ------
    TypeError, ValueError
        If the coverage is outside its range.
    """
    gamma = validate.real("coverage", coverage, above=0.0, at_most=1.0)
    return _mixture_program(family, gamma) if randomised else _set_program(family, gamma)


def _mixture_program(family: LowerBoundFamily, gamma: float) -> float:
    """Variables: chance of each set size (A), chance to play demonstrator i on each type that names it (T), and xi."""
    A, alpha, T, types = family.n_actions, family.rare_probability, family.n_demos, family.types
    cost = gamma * alpha
    sizes = np.arange(A)
    arm_1 = 1.0 - sizes * cost
    slack = 1e-12  # of rounding, where arm 1 keeps exactly what it needs
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
    found = optimize.linprog(
        objective,
        upper,
        limit,
        total,
        np.ones(1),
        bounds,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return math.inf if found.fun is None else float(found.fun)


def _set_program(family: LowerBoundFamily, gamma: float) -> float:
    """Variables: whether each rare arm is covered on data that show arm 1 only (A - 1), and xi."""
    m, alpha, quiet = family.n_actions - 1, family.rare_probability, float(family.types[0])
    cost = gamma * alpha
    upper = np.vstack(
        [
            np.column_stack([-quiet * np.eye(m), np.zeros(m)]),  # covered for demonstrator i, with the types naming it
            [*np.full(m, cost), 0.0],  # arm 1 keeps gamma
            [*np.full(m, cost), -1.0],  # the loss
        ]
    )
    limit = np.array([*np.full(m, family.delta - quiet), 1.0 - gamma + 1e-12, 0.0])
    objective = np.array([*np.zeros(m), 1.0])
    whole = np.array([1] * m + [0])
    bounds = [*[(0, 1)] * m, (0, None)]
    found = optimize.linprog(objective, upper, limit, bounds=bounds, method="highs", integrality=whole)
    if found.x is None:
        return math.inf
    chosen = np.round(found.x[:m])  # whole numbers up to the solver's tolerance, so the limits are checked again
    kept = chosen.sum() * cost <= 1.0 - gamma + 1e-12 and (quiet * chosen >= quiet - family.delta).all()
    return float(chosen.sum() * cost) if kept else math.inf


def best_coverage(
    family: LowerBoundFamily, suboptimality: float, *, randomised: bool = True, tolerance: float = 1e-8
) -> float:
    """Largest coverage of any estimator that loses at most xi on every member, by bisection over linear programs.

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

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.

    Source: R4, whose closed forms it must equal.
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


def standing(family: LowerBoundFamily, estimator: Estimator) -> tuple[float, float]:
    """Largest loss over the family of a member of the noise schedules, and the coverage that it keeps; both exact.

    Parameters
    ----------
    family : LowerBoundFamily
    estimator : Estimator

    Returns
    -------
    suboptimality : float
        Largest expected loss over the demonstrators.
    coverage : float
        Largest gamma that is covered with probability 1 - delta under every demonstrator.

    Raises
    ------
    TypeError
        If the estimator is none.
    """
    validate.instance("estimator", estimator, Estimator)
    A, alpha, T = family.n_actions, family.rare_probability, family.n_demos
    noise = float(estimator.noise_weight(T))
    k = np.arange(T + 1)
    arm_1 = (1 - noise) * (T - k) / T + noise / A
    arm_i = (1 - noise) * k / T + noise / A
    loss = max(1.0 - arm_1[0], float(family.types @ (1 - alpha - arm_1)))
    ratio = np.minimum(1.0, np.minimum(arm_1 / (1 - alpha), arm_i / alpha))
    order = np.argsort(-ratio, kind="stable")
    reached = np.cumsum(family.types[order]) >= 1 - family.delta - 1e-12
    covered = float(ratio[order][np.argmax(reached)]) if reached.any() else float(ratio.min())
    return float(loss), min(covered, float(arm_1[0]))
