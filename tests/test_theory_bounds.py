import inspect
import math
from fractions import Fraction

import mpmath
import numpy as np
import oracles
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import linprog

from theory.bounds import bc_fails, coverage, gaussian, lower_bound, suboptimality, trajectory, uniform_fails, visits
from theory.bounds.expectations import binomial_expectation, binomial_pmf
from theory.engines.enumeration import binomial
from theory.engines.enumeration import value as exact_value
from theory.proofs.b2_cases import chain, event, noisy, rare_state, start
from theory.proofs.r1_suboptimality import expected_noise
from theory.proofs.r4_frontier import best_sizes, exact_frontier
from theory.proofs.r6_trajectory import cell_kl

SMALL = st.fractions(min_value=0, max_value=1, max_denominator=12)
ALPHAS = st.fractions(min_value=0, max_value=1, max_denominator=6)
MASSES = st.fractions(min_value=Fraction(1, 8), max_value=12, max_denominator=8)
EPSILONS = st.fractions(min_value=Fraction(1, 500), max_value=Fraction(1, 8), max_denominator=1000)


def close(a, b, tolerance=1e-12):
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-300)


# --- binomial expectations --------------------------------------------------------------------------------------------


@given(st.integers(0, 40), SMALL)
def test_binomial_weights_are_the_binomial_law(n, p):
    counts, weights = binomial_pmf(n, float(p))
    law = {int(k): w for k, w in zip(counts, weights, strict=True)}
    for k, exact in enumerate(binomial(n, Fraction(float(p)))):
        assert close(law.get(k, 0.0), float(exact), 1e-11) or exact < Fraction(1, 10**280)


@pytest.mark.parametrize(("n", "p"), [(10**6, 0.3), (10**6, 1e-6), (10**5, 0.999), (10**6, 0.5)])
def test_expectations_keep_their_digits_for_a_million_trials(n, p):
    got = binomial_expectation(lambda k: 1.0 / (k + 1.0), n, np.array([p]))[0]
    exact = -math.expm1((n + 1) * math.log1p(-p)) / ((n + 1) * p)
    assert close(got, exact, 1e-11)


@pytest.mark.parametrize("mass", [1e-6, 0.3, 1.0, 7.5, 1e4])
@pytest.mark.parametrize(("n", "p"), [(30, 0.2), (2000, 0.4), (500, 0.001)])
def test_expected_shrinkage_is_the_integral_of_the_generating_function(n, p, mass):
    got = binomial_expectation(lambda k: mass / (k + mass), n, np.array(p)).item()
    with mpmath.workdps(40):
        q = mpmath.mpf(p)
        truth = (1 - q) ** n * mpmath.hyp2f1(-n, mass, mass + 1, -q / (1 - q))
    assert close(got, float(truth), 1e-10)


def test_expectations_keep_the_shape_of_the_probabilities():
    assert binomial_expectation(lambda k: k * 1.0, 7, np.full((2, 3), 0.5)).shape == (2, 3)


# --- B.1 and B.2 ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 30), EPSILONS)
def test_bc_fails_as_often_as_powers_say(n_demos, eps):
    assert close(
        bc_fails.failure_probability(n_demos, float(eps)), float((1 - 4 * Fraction(float(eps))) ** n_demos), 1e-11
    )


@given(EPSILONS)
def test_bc_fails_with_probability_one_half_up_to_the_stated_number_of_demonstrations(eps):
    eps = float(eps)
    assert bc_fails.failure_probability(math.floor(bc_fails.max_demos(eps)), eps) >= 0.5 - 1e-12
    assert bc_fails.paper_max_demos(eps) < bc_fails.max_demos(eps)
    assert bc_fails.value_gap(eps) >= eps


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_the_minimax_loss_is_the_value_of_a_linear_program(m):
    """Minimise z over distributions x on m paying arms and one that never pays, with 1 - x_i <= z."""
    rows = np.hstack([-np.eye(m), np.zeros((m, 1)), -np.ones((m, 1))])
    best = linprog([0.0] * (m + 1) + [1.0], rows, -np.ones(m), [[1.0] * (m + 1) + [0.0]], [1.0])
    assert close(bc_fails.minimax_loss(m), best.fun, 1e-9) or abs(best.fun) < 1e-12


@given(st.integers(1, 12))
def test_the_corrected_start_is_a_distribution_and_the_printed_one_is_not(k):
    assert uniform_fails.initial_distribution(k).tolist() == [float(p) for p in start(k, k + 1)]
    assert sum(start(k, k + 1)) == 1
    assert sum(start(k, k)) == 1 + Fraction(1, 2 ** (k + 1))


@given(st.integers(5, 3000))
def test_the_rare_event_has_the_stated_probability(n_demos):
    i = rare_state(n_demos)
    assert uniform_fails.min_rare_states(n_demos) == i
    chance = event(n_demos, Fraction(1, 2 ** (i + 1))) if n_demos <= 60 else None
    got = uniform_fails.failure_probability(n_demos)
    assert got >= uniform_fails.failure_confidence() > uniform_fails.paper_failure_confidence()
    assert chance is None or close(got, float(chance), 1e-12)


@given(ALPHAS, st.integers(2, 4), st.fractions(Fraction(1, 100), Fraction(1, 4), max_denominator=100))
def test_the_loss_on_the_chain_is_that_of_the_exact_process(alpha, horizon, eps):
    instance = chain(2, horizon, eps)
    best = exact_value(instance, noisy(2, horizon, alpha, (Fraction(1),) * horizon, Fraction(1)))
    loss = exact_value(instance, instance.demonstrator) - best
    assert math.isclose(
        uniform_fails.value_loss(float(alpha), float(eps), horizon), float(loss), rel_tol=1e-9, abs_tol=1e-14
    )


@given(st.floats(1e-6, 0.2499), st.integers(2, 50))
def test_the_sharp_noise_bound_is_where_the_loss_is_eps_and_below_the_printed_one(eps, horizon):
    alpha = uniform_fails.alpha_bound(eps, horizon)
    assert alpha <= min(8 * eps * (1 + 1e-12), uniform_fails.paper_alpha_bound(eps))
    if alpha <= 1:
        assert math.isclose(uniform_fails.value_loss(alpha, eps, horizon), eps, rel_tol=1e-9)
        assert uniform_fails.coverage_bound(eps, horizon) == alpha


# --- coverage ---------------------------------------------------------------------------------------------------------


@given(st.floats(1e-3, 1e6))
@example(0.5)
@example(math.nextafter(0.5, 1))
@example(0.5000003)
def test_kappa_is_below_the_function_everywhere_and_meets_it(c):
    x = np.geomspace(1e-9, 700, 20001)
    f = c * x / ((1 + c * x) * -np.expm1(-x))
    got = coverage.kappa(c)
    assert got <= f.min() * (1 + 1e-12)
    assert got >= f.min() * (1 - 1e-5)
    assert got <= min(1.0, c)


@pytest.mark.parametrize(("c", "low"), [(1, 0.770), (2, 0.901), (10, 0.986)])
def test_kappa_is_above_what_intervals_prove(c, low):
    assert low <= coverage.kappa(c) <= low + 0.001


def test_kappa_of_uniform_noise_is_one():
    assert coverage.kappa(math.inf) == 1.0


@given(
    st.floats(0, 1), st.floats(0, 1), st.integers(1, 50), st.integers(1, 9), st.integers(1, 20), st.floats(0.01, 0.9)
)
def test_the_corrected_lemma_promises_no_more_than_the_printed_one(p, alpha, n_states, n_actions, horizon, delta):
    mass = float(n_actions)
    printed = coverage.paper_lemma_bound(p, alpha, mass, n_states, horizon, delta)
    assert coverage.lemma_bound(p, alpha, mass, n_states, n_actions, horizon, delta) <= printed
    sharper = p * coverage.r2_coverage(n_states, n_actions, horizon, delta, alpha, mass)
    assert sharper >= min(printed, p * alpha / (2 * mass)) * (1 - 1e-12)


@given(st.integers(1, 50), st.integers(2, 9), st.integers(1, 20), st.floats(0.01, 0.9))
def test_the_recommended_prior_mass_gives_what_it_is_chosen_for(n_states, n_actions, horizon, delta):
    log = coverage.log_term(n_states, n_actions, horizon, delta)
    mass = coverage.best_prior_mass(n_states, n_actions, horizon, delta)
    assert close(
        coverage.r3_coverage(n_states, n_actions, horizon, delta, 1.0, mass), min(0.25 / log, 0.5 / n_actions), 1e-9
    )


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 0.9))
def test_lemma_three_needs_less_mass_than_printed(n_states, horizon, delta):
    needed = visits.visits_prior_mass(n_states, horizon, delta)
    assert needed < visits.paper_visits_prior_mass(n_states, horizon, delta) or n_states * horizon == 1


# --- suboptimality ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 12), SMALL, ALPHAS, MASSES)
def test_expected_noise_is_the_exact_sum(n_demos, w, alpha, mass):
    got = suboptimality.expected_noise(float(w), n_demos, float(alpha), float(mass)).item()
    exact = expected_noise(n_demos, Fraction(float(w)), Fraction(float(alpha)), Fraction(float(mass)))
    assert math.isclose(got, float(exact), rel_tol=1e-11, abs_tol=1e-15)


@given(st.integers(1, 12), SMALL, ALPHAS)
def test_uniform_noise_is_the_limit_of_a_heavy_prior(n_demos, w, alpha):
    limit = suboptimality.expected_noise(float(w), n_demos, float(alpha), math.inf).item()
    heavy = suboptimality.expected_noise(float(w), n_demos, float(alpha), 1e12).item()
    assert math.isclose(limit, heavy, rel_tol=1e-9, abs_tol=1e-12)
    exact = expected_noise(n_demos, Fraction(float(w)), Fraction(float(alpha)), None)
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
def test_the_simple_bound_is_above_that_of_every_demonstrator(row, horizon, n_actions, n_demos, alpha, mass):
    w = np.repeat(row, horizon, axis=0)
    exact = suboptimality.r1_bound(w, n_actions, n_demos, float(alpha), mass)
    simple = suboptimality.r1_simple_bound(w.shape[1], n_actions, horizon, n_demos, float(alpha), mass)
    assert exact <= simple * (1 + 1e-12)


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 40), st.integers(2, 10**6))
def test_the_main_bound_is_within_its_constant_of_the_rate(n_states, n_actions, horizon, n_demos):
    rate = suboptimality.paper_rate(n_states, horizon, n_demos)
    assert suboptimality.main_bound(n_states, n_actions, horizon, n_demos) <= suboptimality.MAIN_CONSTANT * rate
    alpha, mass = suboptimality.paper_parameters(n_actions, horizon, n_demos)
    assert suboptimality.lemma_bound(n_states, horizon, n_demos, alpha, mass) <= 4 * suboptimality.paper_lemma_rate(
        n_states, horizon, n_demos, alpha, mass
    )


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 40), st.integers(1, 10**6))
def test_the_sharper_bound_is_below_the_explicit_main_bound(n_states, n_actions, horizon, n_demos):
    alpha, mass = suboptimality.paper_parameters(n_actions, horizon, n_demos)
    sharper = suboptimality.r1_simple_bound(n_states, n_actions, horizon, n_demos, alpha, mass)
    assert sharper <= suboptimality.main_bound(n_states, n_actions, horizon, n_demos)


@given(st.integers(0, 200))
def test_the_largest_missing_mass_is_where_the_derivative_vanishes(n_demos):
    w = Fraction(1, n_demos + 1)
    assert close(visits.missing_mass(n_demos), float(w * (1 - w) ** n_demos), 1e-11)
    grid = np.linspace(0, 1, 1001)
    assert (grid * (1 - grid) ** n_demos).max() <= visits.missing_mass(n_demos) * (1 + 1e-12)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 10**6))
def test_the_sharp_form_of_lemma_four_is_below_the_printed_one(n_states, horizon, n_demos):
    assert visits.first_visit_bound(n_states, horizon, n_demos) <= visits.paper_first_visit_bound(
        n_states, horizon, n_demos
    )
    assert visits.first_visit_bound(n_states, horizon, n_demos) <= n_states * horizon / (math.e * n_demos)


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
def test_the_frontier_is_that_of_a_linear_program(n_actions, alpha, delta, xi):
    q = lower_bound.required_share(alpha, 2, delta)
    gamma = lower_bound.randomised_frontier(xi, n_actions, alpha, 2, delta)
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
def test_the_frontier_is_the_exact_one_and_below_the_simple_bound(n_actions, alpha, n_demos, delta, xi):
    arguments = (float(xi), n_actions, float(alpha), n_demos, float(delta))
    got = lower_bound.randomised_frontier(*arguments)
    exact = exact_frontier(n_actions, Fraction(float(alpha)), n_demos, Fraction(float(delta)), Fraction(float(xi)))
    q = lower_bound.required_share(float(alpha), n_demos, float(delta))
    wanted = (n_actions - 1) * q - float(delta)
    if abs(q) > 1e-9 and abs(wanted - round(wanted)) > 1e-9:
        assert math.isclose(got, float(exact), rel_tol=1e-9, abs_tol=1e-12)
    assert got <= lower_bound.simple_frontier(*arguments) * (1 + 1e-12)
    assert (
        lower_bound.deterministic_frontier(float(xi), n_actions, float(alpha)) <= got * (1 + 1e-9)
        or delta >= (1 - alpha) ** n_demos
    )


def test_no_sizes_cover_more_than_the_largest_set():
    assert best_sizes(4, Fraction(1, 10), Fraction(0), Fraction(1, 10)) == {3: Fraction(1)}


@given(st.floats(1e-6, 1), st.integers(2, 50), st.floats(1e-4, 0.9))
def test_the_corrected_lower_bound_is_weaker_than_the_printed_one_and_allows_the_frontier(xi, n_actions, alpha):
    corrected = lower_bound.coverage_bound(xi, n_actions, alpha)
    assert corrected > lower_bound.paper_coverage_bound(xi, n_actions, alpha)
    n_demos = math.floor(1 / (4 * alpha))
    assert lower_bound.simple_frontier(xi, n_actions, alpha, n_demos, 0.25) <= corrected * (1 + 1e-12)


@given(st.integers(1, 6), st.fractions(Fraction(1, 100), Fraction(9, 10), max_denominator=100), st.data())
def test_lemma_5_holds_for_every_event(n_demos, alpha, data):
    """Events are sets of numbers of times that arm i was seen; under another demonstrator it never was."""
    event = data.draw(st.sets(st.integers(0, n_demos)))
    probability = sum(
        math.comb(n_demos, k) * alpha**k * (1 - alpha) ** (n_demos - k) for k in event
    )  # under demonstrator i
    bound = lower_bound.change_of_measure_bound(float(0 in event), float(alpha), n_demos)
    assert float(probability) <= bound * (1 + 1e-12)


@given(st.floats(0.01, 5), st.integers(2, 50), st.integers(2, 10**6))
def test_the_corollary_is_the_theorem_at_a_quarter_over_t(c, n_actions, n_demos):
    xi = c * math.log(n_demos) / n_demos
    theorem = lower_bound.coverage_bound(xi, n_actions, 1 / (4 * n_demos))
    assert close(lower_bound.corollary_bound(c, n_actions, n_demos), theorem, 1e-9)
    printed = lower_bound.paper_coverage_bound(xi, n_actions, 1 / (2 * n_demos))
    assert close(lower_bound.paper_corollary_bound(c, n_actions, n_demos), printed, 1e-9)


# --- trajectories -----------------------------------------------------------------------------------------------------

ROWS = st.lists(st.integers(0, 8), min_size=2, max_size=3).filter(any).map(lambda v: np.array(v) / sum(v))


@given(
    ROWS,
    st.sampled_from([1.0, 0.5, 0.125]),
    st.integers(0, 8),
    st.sampled_from([1.0, 0.5]),
    st.sampled_from([0.5, 2.0, 5.0]),
)
def test_the_trajectory_kl_of_one_cell_is_the_exact_sum(row, w, n_demos, alpha, mass):
    exact_row = tuple(Fraction(float(p)) for p in row)
    exact_row = (*exact_row[:-1], 1 - sum(exact_row[:-1]))
    if min(exact_row) < 0:
        return
    got = trajectory.expected_trajectory_kl([[w]], row[None, None], n_demos, alpha, mass)
    exact = cell_kl(exact_row, Fraction(w), n_demos, Fraction(alpha), Fraction(mass))
    assert math.isclose(got, float(exact), rel_tol=1e-9, abs_tol=1e-12)


@given(ROWS, st.floats(0.01, 1), st.integers(0, 60), st.floats(0, 5))
def test_the_posterior_covers_trajectories_within_the_bounds(row, w, n_demos, extra):
    mass = len(row) + extra
    exact = trajectory.expected_trajectory_kl([[w]], row[None, None], n_demos, 1.0, mass)
    bound = trajectory.r6_kl_bound([[w]], len(row), n_demos, mass)
    assert exact <= bound * (1 + 1e-9) + 1e-12
    assert bound <= trajectory.r6_simple_bound(1, len(row), 1, n_demos, mass) * (1 + 1e-9)


def test_bc_covers_no_trajectory_law_that_is_random():
    assert trajectory.expected_trajectory_kl([[1.0]], [[[0.5, 0.5]]], 6, 0.0) == math.inf
    assert trajectory.expected_trajectory_kl([[1.0]], [[[1.0, 0.0]]], 6, 0.0) == 0.0


def test_uniform_noise_does_not_come_closer_for_ever():
    w, pi = [[0.5, 0.5]], [[[0.9, 0.1], [0.2, 0.8]]]
    limit = trajectory.uniform_noise_limit(w, pi, 0.2)
    values = [trajectory.expected_trajectory_kl(w, pi, n, 0.2, math.inf) for n in (20, 80, 320)]
    assert values[0] > values[1] > values[2] > limit > 0
    assert values[2] - limit < 0.1 * limit
    assert trajectory.r6_simple_bound(2, 2, 1, 320) < limit


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.999))
def test_an_event_keeps_the_stated_probability(p, q):
    kl = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert trajectory.success_probability_bound(max(kl, 0.0), p) <= q * (1 + 1e-9)


@given(st.floats(0, 3), st.floats(0.2, 1), st.floats(0.01, 0.5))
def test_the_stated_rollouts_suffice(kl, p, delta):
    least = trajectory.success_probability_bound(kl, p)
    rollouts = math.ceil(trajectory.sufficient_rollouts(kl, p, delta))
    assert (1 - least) ** rollouts <= delta * (1 + 1e-9)


# --- the Gaussian demonstrator ----------------------------------------------------------------------------------------


def test_the_posterior_of_one_number_is_the_textbooks():
    mean, covariance = gaussian.gaussian_posterior([[1.0], [3.0]], [[2.0]], [[0.5]])
    assert np.allclose(covariance, 1 / (2 + 2 / 2))
    assert np.allclose(mean, (4 / 2) / 3)


def test_without_observations_the_posterior_is_the_prior():
    mean, covariance = gaussian.gaussian_posterior(np.empty((0, 2)), np.eye(2), [[2.0, 1.0], [1.0, 3.0]])
    assert np.allclose(mean, 0)
    assert np.allclose(covariance, [[2.0, 1.0], [1.0, 3.0]])


def test_an_unperturbed_regression_towards_zero_is_the_posterior_mean(rng):
    x, sigma, prior = (
        rng.standard_normal((5, 2)),
        np.array([[2.0, 0.3], [0.3, 1.0]]),
        np.array([[1.0, -0.2], [-0.2, 0.5]]),
    )
    mean, _ = gaussian.gaussian_posterior(x, sigma, prior)
    assert np.allclose(gaussian.perturbed_estimate(x, np.zeros(2), sigma, prior), mean)


def test_perturbed_regressions_have_the_posteriors_moments(rng):
    x, sigma, prior = (
        rng.standard_normal((4, 2)),
        np.array([[2.0, 0.3], [0.3, 1.0]]),
        np.array([[1.0, -0.2], [-0.2, 0.5]]),
    )
    mean, covariance = gaussian.gaussian_posterior(x, sigma, prior)
    draws = gaussian.perturbed_estimates(x, sigma, prior, 40_000, rng)
    error = np.sqrt(np.diag(covariance) / len(draws))
    assert (np.abs(draws.mean(axis=0) - mean) < 5 * error).all()
    assert np.allclose(np.cov(draws.T), covariance, atol=0.02)


# --- refusals ---------------------------------------------------------------------------------------------------------

REFUSALS = [
    (bc_fails.failure_probability, (-1, 0.1), ValueError, "n_demos must be at least 0"),
    (bc_fails.failure_probability, (2.5, 0.1), TypeError, "n_demos must be an integer"),
    (bc_fails.failure_probability, (2, 0.3), ValueError, "epsilon must be at most 0.25"),
    (bc_fails.value_gap, (-0.1,), ValueError, "epsilon must be at least 0"),
    (bc_fails.paper_max_demos, (0.0,), ValueError, "epsilon must be above 0"),
    (bc_fails.max_demos, (0.2,), ValueError, "epsilon must be at most 0.125"),
    (bc_fails.minimax_loss, (0,), ValueError, "n_paying_arms must be at least 1"),
    (uniform_fails.paper_alpha_bound, (-1,), ValueError, "epsilon must be at least 0"),
    (uniform_fails.paper_coverage_bound, (0.1, 0), ValueError, "n_actions must be at least 1"),
    (uniform_fails.alpha_bound, (0.25, 2), ValueError, "epsilon must be below 0.25"),
    (uniform_fails.alpha_bound, (0.1, 1), ValueError, "horizon must be at least 2"),
    (uniform_fails.coverage_bound, (0.0, 2), ValueError, "epsilon must be above 0"),
    (uniform_fails.min_rare_states, (4,), ValueError, "n_demos must be at least 5"),
    (uniform_fails.failure_probability, (4,), ValueError, "n_demos must be at least 5"),
    (uniform_fails.initial_distribution, (0,), ValueError, "n_rare_states must be at least 1"),
    (uniform_fails.value_loss, (1.1, 0.1, 2), ValueError, "alpha must be at most 1"),
    (coverage.log_term, (1, 1, 1, 1.0), ValueError, "delta must be below 1"),
    (coverage.kappa, (0.0,), ValueError, "c must be above 0"),
    (coverage.paper_lemma_bound, (1.2, 1, 1, 1, 1, 0.1), ValueError, "probability must be at most 1"),
    (coverage.paper_lemma_bound, (0.2, 1, 1, 1, 1, 0.95), ValueError, "delta must be at most 0.9"),
    (coverage.lemma_bound, (0.2, 1, 2, 1, 3, 1, 0.1), ValueError, "prior_mass must be at least 3"),
    (coverage.r2_coverage, (1, 3, 1, 0.1, 1, 2), ValueError, "prior_mass must be at least 3"),
    (coverage.r3_coverage, (1, 1, 1, 0.1, 1, 2), ValueError, "n_actions must be at least 2"),
    (coverage.best_prior_mass, (0, 1, 1, 0.1), ValueError, "n_states must be at least 1"),
    (visits.paper_visits_prior_mass, (1, 0, 0.1), ValueError, "horizon must be at least 1"),
    (visits.visits_prior_mass, (1, 1, 0.0), ValueError, "delta must be above 0"),
    (visits.missing_mass, (-1,), ValueError, "n_demos must be at least 0"),
    (visits.paper_first_visit_bound, (1, 1, 0), ValueError, "n_demos must be at least 1"),
    (visits.first_visit_bound, (1, 1, 0), ValueError, "n_demos must be at least 1"),
    (suboptimality.r1_bound, ([[0.7, 0.7]], 2, 1, 0.5, 1), ValueError, r"row \(0,\) sums to 1.4"),
    (suboptimality.r1_bound, ([[-0.1]], 2, 1, 0.5, 1), ValueError, r"visit_probability must lie in \[0, 1\]"),
    (suboptimality.r1_bound, ([[0.5]], 2, 0, 0.5, 1), ValueError, "n_demos must be at least 1"),
    (suboptimality.expected_noise, (0.5, 1, 2, 1), ValueError, "alpha must be at most 1"),
    (suboptimality.r1_simple_bound, (1, 1, 1, 1, 0.5, 0), ValueError, "prior_mass must be above 0"),
    (suboptimality.paper_rate, (1, 1, 0), ValueError, "n_demos must be at least 1"),
    (suboptimality.paper_lemma_rate, (1, 1, 1, 2, 1), ValueError, "alpha must be at most 1"),
    (suboptimality.lemma_bound, (1, 2, 9, 0.5, 3), ValueError, "prior_mass must be at least 11.5"),
    (suboptimality.paper_parameters, (0, 1, 1), ValueError, "n_actions must be at least 1"),
    (suboptimality.main_bound, (1, 1, 1, 0), ValueError, "n_demos must be at least 1"),
    (lower_bound.paper_coverage_bound, (0.1, 1, 0.1), ValueError, "n_actions must be at least 2"),
    (lower_bound.coverage_bound, (-0.1, 2, 0.1), ValueError, "suboptimality must be at least 0"),
    (lower_bound.change_of_measure_bound, (1.1, 0.1, 1), ValueError, "probability must be at most 1"),
    (lower_bound.paper_corollary_bound, (1, 2, 0), ValueError, "n_demos must be at least 1"),
    (lower_bound.corollary_bound, (-1, 2, 1), ValueError, "constant must be at least 0"),
    (lower_bound.deterministic_frontier, (0.1, 2, 1.0), ValueError, "rare_probability must be below 1"),
    (lower_bound.randomised_frontier, (0.1, 2, 0.5, -1, 0.1), ValueError, "n_demos must be at least 0"),
    (lower_bound.simple_frontier, (0.1, 2, 0.5, 1, 1.0), ValueError, "delta must be below 1"),
    (lower_bound.required_share, (0.0, 1, 0.1), ValueError, "rare_probability must be above 0"),
    (trajectory.r6_kl_bound, ([[0.5]], 3, 1, 2), ValueError, "prior_mass must be at least 3"),
    (trajectory.r6_simple_bound, (1, 2, 1, -1), ValueError, "n_demos must be at least 0"),
    (trajectory.expected_trajectory_kl, ([[1.0]], [[[0.5, 0.4]]], 1), ValueError, "demonstrator rows must sum to 1"),
    (trajectory.success_probability_bound, (-1, 0.5), ValueError, "kl must be at least 0"),
    (trajectory.sufficient_rollouts, (1, 0.0, 0.5), ValueError, "success must be above 0"),
    (trajectory.profile_bound, (-1.0, [1.0]), ValueError, "kl must be at least 0"),
    (trajectory.profile_bound, (1.0, [2.0, 0.5]), ValueError, "thresholds must be at least 1; the smallest is 0.5"),
    (trajectory.uniform_noise_limit, ([[1.0]], [[[0.5, 0.5]]], 2), ValueError, "alpha must be at most 1"),
    (gaussian.gaussian_posterior, ([[1.0]], [[1.0, 0.0]], [[1.0]]), ValueError, "noise_covariance must have shape"),
    (
        gaussian.gaussian_posterior,
        ([[1.0]], [[-1.0]], [[1.0]]),
        ValueError,
        "noise_covariance must be positive definite",
    ),
    (
        gaussian.perturbed_estimate,
        (np.ones((1, 2)), [0, 0], [[1, 0.5], [0, 1]], np.eye(2)),
        ValueError,
        "noise_covariance must be symmetric",
    ),
    (
        gaussian.perturbed_estimates,
        ([[1.0]], [[1.0]], [[1.0]], 0, np.random.default_rng(1)),
        ValueError,
        "n_draws must be at least 1",
    ),
    (
        gaussian.perturbed_estimates,
        ([[1.0]], [[1.0]], [[1.0]], 1, 0),
        TypeError,
        "rng must be a numpy.random.Generator",
    ),
    (binomial_pmf, (-1, 0.5), ValueError, "n_trials must be at least 0"),
    (binomial_pmf, (1, 1.5), ValueError, "probability must be at most 1"),
]


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"), REFUSALS, ids=lambda v: getattr(v, "__name__", None)
)
def test_a_bad_argument_is_refused_by_name(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)


@pytest.mark.parametrize(
    "module", [bc_fails, uniform_fails, coverage, visits, suboptimality, lower_bound, trajectory, gaussian]
)
def test_every_bound_has_a_refusal_and_names_its_source(module):
    tested = {function for function, *_ in REFUSALS}
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if (
            function.__module__ == module.__name__
            and not name.startswith("_")
            and inspect.signature(function).parameters
        ):
            assert function in tested, name
            assert "Source:" in function.__doc__, name


def test_oracles_and_enumerations_agree():
    assert [float(oracles.binomial_pmf(5, k, Fraction(1, 3))) for k in range(6)] == [
        float(p) for p in binomial(5, Fraction(1, 3))
    ]
