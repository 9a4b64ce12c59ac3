"""Bounds of B.1 to B.4 and of R1 to R5, against exact fractions, enumerated processes and linear programs."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import linprog

from theory.bounds import (
    b1_bc_fails,
    b2_uniform_fails,
    b3_coverage,
    b3_suboptimality,
    b3_visits,
    b4_lower_bound,
    r1_suboptimality,
    r2_coverage,
    r3_coverage,
    r4_frontier,
    r5_sharp_failures,
)
from theory.engines.enumeration import value as exact_value
from theory.proofs.b2_cases import chain, event, noisy, rare_state, start
from theory.proofs.r1_suboptimality import exact_expected_noise
from theory.proofs.r4_frontier import best_sizes, exact_frontier

SMALL = st.fractions(min_value=0, max_value=1, max_denominator=12)
ALPHAS = st.fractions(min_value=0, max_value=1, max_denominator=6)
MASSES = st.fractions(min_value=Fraction(1, 8), max_value=12, max_denominator=8)
EPSILONS = st.fractions(min_value=Fraction(1, 500), max_value=Fraction(1, 8), max_denominator=1000)


def close(a, b, tolerance=1e-12):
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-300)


# --- B.1 and B.2 ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 30), EPSILONS)
def test_unseen_arms_probability_is_a_power_of_the_common_arms(n_demos, eps):
    assert close(
        b1_bc_fails.unseen_arms_probability(n_demos, float(eps)),
        float((1 - 4 * Fraction(float(eps))) ** n_demos),
        1e-11,
    )


@given(EPSILONS)
def test_bc_fails_with_probability_one_half_up_to_r5_max_demos(eps):
    eps = float(eps)
    assert b1_bc_fails.unseen_arms_probability(math.floor(r5_sharp_failures.r5_max_demos(eps)), eps) >= 0.5 - 1e-12
    assert b1_bc_fails.paper_max_demos(eps) < r5_sharp_failures.r5_max_demos(eps)
    assert b1_bc_fails.value_gap(eps) >= eps


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_minimax_loss_of_b1_is_the_value_of_a_linear_program(m):
    """Minimise z over distributions x on m paying arms and one that never pays, with 1 - x_i <= z."""
    rows = np.hstack([-np.eye(m), np.zeros((m, 1)), -np.ones((m, 1))])
    best = linprog([0.0] * (m + 1) + [1.0], rows, -np.ones(m), [[1.0] * (m + 1) + [0.0]], [1.0])
    assert close(b1_bc_fails.minimax_loss(m), best.fun, 1e-9) or abs(best.fun) < 1e-12


@given(st.integers(1, 12))
def test_the_corrected_initial_distribution_of_b2_sums_to_1_and_the_printed_one_does_not(k):
    assert b2_uniform_fails.initial_distribution(k).tolist() == [float(p) for p in start(k, k + 1)]
    assert sum(start(k, k + 1)) == 1
    assert sum(start(k, k)) == 1 + Fraction(1, 2 ** (k + 1))


@given(st.integers(5, 3000))
def test_the_rare_event_of_b2_has_its_exact_probability_above_both_bounds(n_demos):
    i = rare_state(n_demos)
    assert b2_uniform_fails.min_rare_states(n_demos) == i
    chance = event(n_demos, Fraction(1, 2 ** (i + 1))) if n_demos <= 60 else None
    got = b2_uniform_fails.rare_event_probability(n_demos)
    assert got >= r5_sharp_failures.r5_rare_event_bound() > b2_uniform_fails.paper_rare_event_bound()
    assert chance is None or close(got, float(chance), 1e-12)


@given(ALPHAS, st.integers(2, 4), st.fractions(Fraction(1, 100), Fraction(1, 4), max_denominator=100))
def test_value_loss_on_the_chain_of_b2_is_that_of_the_enumerated_process(alpha, horizon, eps):
    instance = chain(2, horizon, eps)
    best = exact_value(instance, noisy(2, horizon, alpha, on_chain=(Fraction(1),) * horizon, on_rare=Fraction(1)))
    loss = exact_value(instance, instance.demonstrator) - best
    assert math.isclose(
        b2_uniform_fails.value_loss(float(alpha), float(eps), horizon), float(loss), rel_tol=1e-9, abs_tol=1e-14
    )


@given(st.floats(1e-6, 0.2499), st.integers(2, 50))
def test_r5_alpha_bound_is_where_the_loss_is_eps_and_below_the_printed_bound(eps, horizon):
    alpha = r5_sharp_failures.r5_alpha_bound(eps, horizon)
    assert alpha <= min(8 * eps * (1 + 1e-12), b2_uniform_fails.paper_alpha_bound(eps))
    if alpha <= 1:
        assert math.isclose(b2_uniform_fails.value_loss(alpha, eps, horizon), eps, rel_tol=1e-9)
        assert r5_sharp_failures.r5_coverage_bound(eps, horizon) == alpha


# --- coverage ---------------------------------------------------------------------------------------------------------


@given(st.floats(1e-3, 1e6))
@example(0.5)
@example(math.nextafter(0.5, 1))
@example(0.5000003)
def test_kappa_is_the_infimum_of_its_function_rounded_down(c):
    x = np.geomspace(1e-9, 700, 20001)
    f = c * x / ((1 + c * x) * -np.expm1(-x))
    got = r3_coverage.kappa(c)
    assert got <= f.min() * (1 + 1e-12)
    assert got >= f.min() * (1 - 1e-5)
    assert got <= min(1.0, c)


@pytest.mark.parametrize(("c", "low"), [(1, 0.770), (2, 0.901), (10, 0.986)])
def test_kappa_is_above_the_lower_bounds_that_interval_arithmetic_proves(c, low):
    assert low <= r3_coverage.kappa(c) <= low + 0.001


def test_kappa_of_uniform_noise_is_one():
    assert r3_coverage.kappa(math.inf) == 1.0


@given(
    st.floats(0, 1), st.floats(0, 1), st.integers(1, 50), st.integers(1, 9), st.integers(1, 20), st.floats(0.01, 0.9)
)
def test_lemma_one_corrected_promises_no_more_than_printed_and_r2_no_less(
    p, alpha, n_states, n_actions, horizon, delta
):
    mass = float(n_actions)
    printed = b3_coverage.paper_lemma1_bound(p, alpha, mass, n_states, horizon, delta)
    assert b3_coverage.lemma1_bound(p, alpha, mass, n_states, n_actions, horizon, delta) <= printed
    sharper = p * r2_coverage.r2_coverage(n_states, n_actions, horizon, delta, alpha, mass)
    assert sharper >= min(printed, p * alpha / (2 * mass)) * (1 - 1e-12)


@given(st.integers(1, 50), st.integers(2, 9), st.integers(1, 20), st.floats(0.01, 0.9))
def test_best_prior_mass_gives_r3_coverage_one_over_2a(n_states, n_actions, horizon, delta):
    log = r3_coverage.log_term(n_states, n_actions, horizon, delta)
    mass = r3_coverage.best_prior_mass(n_states, n_actions, horizon, delta)
    assert close(
        r3_coverage.r3_coverage(n_states, n_actions, horizon, delta, 1.0, mass), min(0.25 / log, 0.5 / n_actions), 1e-9
    )


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 0.9))
def test_lemma_three_needs_less_prior_mass_than_printed(n_states, horizon, delta):
    needed = r5_sharp_failures.r5_visits_prior_mass(n_states, horizon, delta)
    assert needed < b3_visits.paper_visits_prior_mass(n_states, horizon, delta) or n_states * horizon == 1


# --- suboptimality ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 12), SMALL, ALPHAS, MASSES)
def test_expected_noise_is_the_exact_binomial_sum(n_demos, w, alpha, mass):
    got = r1_suboptimality.expected_noise(float(w), n_demos, float(alpha), float(mass)).item()
    exact = exact_expected_noise(n_demos, Fraction(float(w)), Fraction(float(alpha)), Fraction(float(mass)))
    assert math.isclose(got, float(exact), rel_tol=1e-11, abs_tol=1e-15)


@given(st.integers(1, 12), SMALL, ALPHAS)
def test_expected_noise_with_infinite_prior_mass_is_the_limit_of_heavy_priors(n_demos, w, alpha):
    limit = r1_suboptimality.expected_noise(float(w), n_demos, float(alpha), math.inf).item()
    heavy = r1_suboptimality.expected_noise(float(w), n_demos, float(alpha), 1e12).item()
    assert math.isclose(limit, heavy, rel_tol=1e-9, abs_tol=1e-12)
    exact = exact_expected_noise(n_demos, Fraction(float(w)), Fraction(float(alpha)), None)
    assert math.isclose(limit, float(exact), rel_tol=1e-11, abs_tol=1e-15)


VISITS = st.lists(st.integers(0, 8), min_size=1, max_size=4).map(lambda v: np.array([v]) / max(1, sum(v)))


@given(
    VISITS,
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 500),
    ALPHAS,
    st.one_of(MASSES.map(float), st.just(math.inf)),
)
def test_r1_simple_bound_is_above_r1_bound_of_every_demonstrator(row, horizon, n_actions, n_demos, alpha, mass):
    w = np.repeat(row, horizon, axis=0)
    exact = r1_suboptimality.r1_bound(w, n_actions, n_demos, float(alpha), mass)
    simple = r1_suboptimality.r1_simple_bound(w.shape[1], n_actions, horizon, n_demos, float(alpha), mass)
    assert exact <= simple * (1 + 1e-12)


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 40), st.integers(2, 10**6))
def test_main_bound_and_lemma2_bound_are_within_their_constants_of_the_papers_rates(
    n_states, n_actions, horizon, n_demos
):
    rate = b3_suboptimality.paper_rate(n_states, horizon, n_demos)
    assert b3_suboptimality.main_bound(n_states, n_actions, horizon, n_demos) <= b3_suboptimality.MAIN_CONSTANT * rate
    alpha, mass = b3_suboptimality.paper_parameters(n_actions, horizon, n_demos)
    assert b3_suboptimality.lemma2_bound(
        n_states, horizon, n_demos, alpha, mass
    ) <= 4 * b3_suboptimality.paper_lemma2_rate(n_states, horizon, n_demos, alpha, mass)


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 40), st.integers(1, 10**6))
def test_r1_simple_bound_is_below_main_bound(n_states, n_actions, horizon, n_demos):
    alpha, mass = b3_suboptimality.paper_parameters(n_actions, horizon, n_demos)
    sharper = r1_suboptimality.r1_simple_bound(n_states, n_actions, horizon, n_demos, alpha, mass)
    assert sharper <= b3_suboptimality.main_bound(n_states, n_actions, horizon, n_demos)


@given(st.integers(0, 200))
def test_missing_mass_is_the_largest_value_of_its_function(n_demos):
    w = Fraction(1, n_demos + 1)
    assert close(b3_visits.missing_mass(n_demos), float(w * (1 - w) ** n_demos), 1e-11)
    grid = np.linspace(0, 1, 1001)
    assert (grid * (1 - grid) ** n_demos).max() <= b3_visits.missing_mass(n_demos) * (1 + 1e-12)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 10**6))
def test_lemma_four_sharp_is_below_lemma_four_printed(n_states, horizon, n_demos):
    assert b3_visits.first_visit_bound(n_states, horizon, n_demos) <= b3_visits.paper_first_visit_bound(
        n_states, horizon, n_demos
    )
    assert b3_visits.first_visit_bound(n_states, horizon, n_demos) <= n_states * horizon / (math.e * n_demos)


# --- the lower bound --------------------------------------------------------------------------------------------------


def best_share(n_actions, alpha, delta, gamma, xi):
    """Largest probability with which a randomised estimator covers each rare arm: a linear program over set sizes."""
    sizes = np.arange(n_actions)
    first = (1 - sizes * gamma * alpha) < gamma - 1e-12
    counts = np.where(1 - sizes * gamma * alpha >= gamma * (1 - alpha) - 1e-12, sizes, 0)
    limits = np.vstack([first.astype(float), sizes * gamma * alpha])
    best = linprog(-counts, limits, [delta, xi], [np.ones(n_actions)], [1.0], bounds=(0, 1))
    return -best.fun / (n_actions - 1)


@pytest.mark.parametrize("n_actions", [2, 3, 6])
@pytest.mark.parametrize("alpha", [0.1, 0.3])
@pytest.mark.parametrize("delta", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("xi", [0.02, 0.2, 0.8])
def test_randomised_frontier_is_that_of_a_linear_program(n_actions, alpha, delta, xi):
    q = r4_frontier.required_share(alpha, 2, delta)
    gamma = r4_frontier.randomised_frontier(xi, n_actions, alpha, 2, delta)
    assert best_share(n_actions, alpha, delta, gamma * (1 - 1e-6), xi) >= q - 1e-6
    if gamma < 1:
        assert best_share(n_actions, alpha, delta, gamma * (1 + 1e-5), xi) < q


@given(
    st.integers(2, 8),
    st.fractions(Fraction(1, 20), Fraction(1, 2), max_denominator=20),
    st.integers(0, 6),
    st.fractions(0, Fraction(3, 4), max_denominator=16),
    st.fractions(0, 1, max_denominator=16),
)
def test_randomised_frontier_is_the_exact_fraction_below_simple_and_above_deterministic_frontier(
    n_actions, alpha, n_demos, delta, xi
):
    arguments = (float(xi), n_actions, float(alpha), n_demos, float(delta))
    got = r4_frontier.randomised_frontier(*arguments)
    exact = exact_frontier(n_actions, Fraction(float(alpha)), n_demos, Fraction(float(delta)), Fraction(float(xi)))
    q = r4_frontier.required_share(float(alpha), n_demos, float(delta))
    wanted = (n_actions - 1) * q - float(delta)
    if abs(q) > 1e-9 and abs(wanted - round(wanted)) > 1e-9:
        assert math.isclose(got, float(exact), rel_tol=1e-9, abs_tol=1e-12)
    assert got <= r4_frontier.simple_frontier(*arguments) * (1 + 1e-12)
    assert (
        r4_frontier.deterministic_frontier(float(xi), n_actions, float(alpha)) <= got * (1 + 1e-9)
        or delta >= (1 - alpha) ** n_demos
    )


def test_best_sizes_never_exceed_the_number_of_rare_arms():
    assert best_sizes(4, Fraction(1, 10), Fraction(0), Fraction(1, 10)) == {3: Fraction(1)}


@given(st.floats(1e-6, 1), st.integers(2, 50), st.floats(1e-4, 0.9))
def test_theorem_bound_is_weaker_than_printed_and_above_the_frontier(xi, n_actions, alpha):
    corrected = b4_lower_bound.theorem_bound(xi, n_actions, alpha)
    assert corrected > b4_lower_bound.paper_theorem_bound(xi, n_actions, alpha)
    n_demos = math.floor(1 / (4 * alpha))
    assert r4_frontier.simple_frontier(xi, n_actions, alpha, n_demos, 0.25) <= corrected * (1 + 1e-12)


@given(st.integers(1, 6), st.fractions(Fraction(1, 100), Fraction(9, 10), max_denominator=100), st.data())
def test_lemma_five_holds_for_every_event(n_demos, alpha, data):
    """Events are sets of numbers of times that arm i was seen; under another demonstrator it never was."""
    event = data.draw(st.sets(st.integers(0, n_demos)))
    probability = sum(
        math.comb(n_demos, k) * alpha**k * (1 - alpha) ** (n_demos - k) for k in event
    )  # under demonstrator i
    bound = b4_lower_bound.change_of_measure_bound(float(0 in event), float(alpha), n_demos)
    assert float(probability) <= bound * (1 + 1e-12)


@given(st.floats(0.01, 5), st.integers(2, 50), st.integers(2, 10**6))
def test_corollary_bound_is_theorem_bound_at_alpha_one_over_4t(c, n_actions, n_demos):
    xi = c * math.log(n_demos) / n_demos
    theorem = b4_lower_bound.theorem_bound(xi, n_actions, 1 / (4 * n_demos))
    assert close(b4_lower_bound.corollary_bound(c, n_actions, n_demos), theorem, 1e-9)
    printed = b4_lower_bound.paper_theorem_bound(xi, n_actions, 1 / (2 * n_demos))
    assert close(b4_lower_bound.paper_corollary_bound(c, n_actions, n_demos), printed, 1e-9)
