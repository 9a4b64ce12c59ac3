"""The frontier of B.4: linear programs against the closed forms, and against a program that uses no symmetry."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from tabular.exact_coverage import cell_coverage_probability
from tabular.frontier import LowerBoundFamily, best_coverage, least_suboptimality, worst_loss_and_coverage
from tabular.policies import BC, posterior, uniform_noise
from tabular.strategies import estimators
from theory.bounds.r4_frontier import deterministic_frontier, randomised_frontier

GRID = list(itertools.product((2, 3, 6), (0.1, 1 / 3), (1, 4), (0.0, 0.05, 0.25), (0.02, 0.2)))


@pytest.mark.parametrize(("n_actions", "alpha", "n_demos", "delta", "xi"), GRID)
def test_the_linear_programs_find_the_closed_forms(n_actions, alpha, n_demos, delta, xi):
    family = LowerBoundFamily(n_actions, alpha, n_demos, delta)
    closed = randomised_frontier(xi, n_actions, alpha, n_demos, delta)
    assert best_coverage(family, xi) == pytest.approx(closed, rel=1e-6)
    if (1 - alpha) ** n_demos > delta:
        fixed = best_coverage(family, xi, randomised=False)
        assert fixed == pytest.approx(deterministic_frontier(xi, n_actions, alpha), rel=1e-6)


def least_loss_without_symmetry(n_actions, alpha, n_demos, delta, gamma):
    """Mix all sets of rare arms (and giving up on arm 1) on data of arm 1 alone; other data are played perfectly."""
    rare = range(n_actions - 1)
    plans = [plan for r in range(n_actions) for plan in itertools.combinations(rare, r)]
    plans = [plan for plan in plans if len(plan) * gamma * alpha <= 1]
    quiet = (1 - alpha) ** n_demos
    left = [1 - len(plan) * gamma * alpha for plan in plans]
    rows = [[-1.0 if keeps >= gamma - 1e-12 else 0.0 for keeps in left]]
    for i in rare:
        covered = [i in plan and keeps >= gamma * (1 - alpha) - 1e-12 for plan, keeps in zip(plans, left, strict=True)]
        rows += [[-quiet * yes for yes in covered]]
    limit = [delta - 1, *[delta - quiet] * len(rare)]
    cost = [len(plan) * gamma * alpha for plan in plans]
    found = optimize.linprog(cost, rows, limit, [[1.0] * len(plans)], [1.0], method="highs")
    return found.fun if found.status == 0 else math.inf


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.7, 0.95])
@pytest.mark.parametrize(
    ("n_actions", "alpha", "n_demos", "delta"), [(3, 0.2, 2, 0.1), (4, 0.3, 1, 0.25), (5, 0.1, 3, 0.05)]
)
def test_the_symmetric_program_finds_the_optimum_of_the_full_one(n_actions, alpha, n_demos, delta, gamma):
    family = LowerBoundFamily(n_actions, alpha, n_demos, delta)
    whole = least_loss_without_symmetry(n_actions, alpha, n_demos, delta, gamma)
    assert least_suboptimality(family, gamma) == pytest.approx(whole, rel=1e-6, abs=1e-9)


FAMILIES = st.builds(
    LowerBoundFamily, st.integers(2, 6), st.floats(0.02, 0.3), st.integers(1, 12), st.floats(0.02, 0.4)
)


@given(FAMILIES, estimators())
def test_the_coverage_of_an_estimator_on_the_lower_bound_family_is_that_of_its_cells(family, estimator):
    loss, gamma = worst_loss_and_coverage(family, estimator)
    A, alpha = family.n_actions, family.rare_probability
    first, second = np.eye(A)[0], (1 - alpha) * np.eye(A)[0] + alpha * np.eye(A)[1]

    def kept(candidate):
        return min(cell_coverage_probability(family.n_demos, 1.0, row, estimator, candidate) for row in (first, second))

    assert 0 <= gamma <= 1
    assert loss >= 0
    if gamma > 1e-9:
        assert kept(gamma * (1 - 1e-9)) >= 1 - family.delta - 1e-9
    if gamma < 1:
        assert kept(min(1.0, gamma * (1 + 1e-6) + 1e-12)) < 1 - family.delta + 1e-9


@given(FAMILIES, estimators())
def test_no_member_of_the_family_lies_above_the_frontier(family, estimator):
    loss, gamma = worst_loss_and_coverage(family, estimator)
    if (1 - family.rare_probability) ** family.n_demos > family.delta:
        closed = deterministic_frontier(loss, family.n_actions, family.rare_probability)
        assert gamma <= closed * (1 + 1e-9) + 1e-12


def test_bc_has_no_loss_and_no_coverage_on_the_lower_bound_family():
    assert worst_loss_and_coverage(LowerBoundFamily(4, 0.05, 5, 0.1), BC) == (0.0, 0.0)


def test_uniform_noise_and_the_posterior_with_equal_noise_weights_have_equal_loss_and_coverage():
    family = LowerBoundFamily(4, 0.05, 12, 0.1)
    one, other = worst_loss_and_coverage(family, posterior(4.0)), worst_loss_and_coverage(family, uniform_noise(0.25))
    assert one == pytest.approx(other, rel=1e-12)


def test_coverage_that_no_estimator_reaches_costs_infinite_loss():
    family = LowerBoundFamily(4, 0.2, 1, 0.0)
    assert least_suboptimality(family, 1.0) == math.inf
    assert least_suboptimality(family, 1.0, randomised=False) == math.inf


def test_coverage_is_free_where_data_without_a_rare_arm_may_fail():
    assert best_coverage(LowerBoundFamily(3, 0.5, 4, 0.2), 0.01) == 1.0


ONE = LowerBoundFamily(3, 0.1, 2, 0.1)
REFUSALS = [
    (lambda: LowerBoundFamily(1, 0.1, 2, 0.1), ValueError, "n_actions must be at least 2; got 1"),
    (lambda: LowerBoundFamily(2, 1.0, 2, 0.1), ValueError, "rare_probability must be below 1"),
    (lambda: LowerBoundFamily(2, 0.1, 0, 0.1), ValueError, "n_demos must be at least 1; got 0"),
    (lambda: LowerBoundFamily(2, 0.1, 2, 1.0), ValueError, "delta must be below 1"),
    (lambda: least_suboptimality(ONE, 0.0), ValueError, "coverage must be above 0"),
    (lambda: best_coverage(ONE, 0.0), ValueError, "suboptimality must be above 0"),
    (lambda: best_coverage(ONE, 0.1, tolerance=0.0), ValueError, "tolerance must be above 0"),
    (
        lambda: worst_loss_and_coverage(ONE, 0.3),
        TypeError,
        "estimator must be a MixtureEstimator, because only that family has a closed form; got float",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS)
def test_bad_arguments_of_frontiers_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
