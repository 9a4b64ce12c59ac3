"""Every bound refuses bad arguments by name, and names its source."""

import inspect

import numpy as np
import pytest

from theory.bounds import (
    b1_bc_fails,
    b2_uniform_fails,
    b3_coverage,
    b3_suboptimality,
    b3_visits,
    b4_lower_bound,
    c_gaussian,
    factored_lane,
    r1_suboptimality,
    r2_coverage,
    r3_coverage,
    r4_frontier,
    r5_sharp_failures,
    r6_trajectory,
    r7_factored,
)
from theory.bounds.binomial import binomial_pmf
from theory.bounds.factored_lane import FactoredLane

LANE = FactoredLane(n_coordinates=2, n_actions=3, horizon=4)
STRICT = FactoredLane(n_coordinates=2, n_actions=3, horizon=4, strict=True)
ONE_STEP = FactoredLane(n_coordinates=2, n_actions=3, horizon=1)

REFUSALS = [
    (b1_bc_fails.unseen_arms_probability, (-1, 0.1), ValueError, "n_demos must be at least 0"),
    (b1_bc_fails.unseen_arms_probability, (2.5, 0.1), TypeError, "n_demos must be an integer"),
    (b1_bc_fails.unseen_arms_probability, (2, 0.3), ValueError, "epsilon must be at most 0.25"),
    (b1_bc_fails.value_gap, (-0.1,), ValueError, "epsilon must be at least 0"),
    (b1_bc_fails.paper_max_demos, (0.0,), ValueError, "epsilon must be above 0"),
    (r5_sharp_failures.r5_max_demos, (0.2,), ValueError, "epsilon must be at most 0.125"),
    (b1_bc_fails.minimax_loss, (0,), ValueError, "n_paying_arms must be at least 1"),
    (b2_uniform_fails.paper_alpha_bound, (-1,), ValueError, "epsilon must be at least 0"),
    (b2_uniform_fails.paper_coverage_bound, (0.1, 0), ValueError, "n_actions must be at least 1"),
    (r5_sharp_failures.r5_alpha_bound, (0.25, 2), ValueError, "epsilon must be below 0.25"),
    (r5_sharp_failures.r5_alpha_bound, (0.1, 1), ValueError, "horizon must be at least 2"),
    (r5_sharp_failures.r5_coverage_bound, (0.0, 2), ValueError, "epsilon must be above 0"),
    (b2_uniform_fails.min_rare_states, (4,), ValueError, "n_demos must be at least 5"),
    (b2_uniform_fails.rare_event_probability, (4,), ValueError, "n_demos must be at least 5"),
    (b2_uniform_fails.initial_distribution, (0,), ValueError, "n_rare_states must be at least 1"),
    (b2_uniform_fails.value_loss, (1.1, 0.1, 2), ValueError, "alpha must be at most 1"),
    (r3_coverage.log_term, (1, 1, 1, 1.0), ValueError, "delta must be below 1"),
    (r3_coverage.kappa, (0.0,), ValueError, "c must be above 0"),
    (b3_coverage.paper_lemma1_bound, (1.2, 1, 1, 1, 1, 0.1), ValueError, "probability must be at most 1"),
    (b3_coverage.paper_lemma1_bound, (0.2, 1, 1, 1, 1, 0.95), ValueError, "delta must be at most 0.9"),
    (b3_coverage.lemma1_bound, (0.2, 1, 2, 1, 3, 1, 0.1), ValueError, "prior_mass must be at least 3"),
    (r2_coverage.r2_coverage, (1, 3, 1, 0.1, 1, 2), ValueError, "prior_mass must be at least 3"),
    (r3_coverage.r3_coverage, (1, 1, 1, 0.1, 1, 2), ValueError, "n_actions must be at least 2"),
    (r3_coverage.best_prior_mass, (0, 1, 1, 0.1), ValueError, "n_states must be at least 1"),
    (b3_visits.paper_visits_prior_mass, (1, 0, 0.1), ValueError, "horizon must be at least 1"),
    (r5_sharp_failures.r5_visits_prior_mass, (1, 1, 0.0), ValueError, "delta must be above 0"),
    (b3_visits.missing_mass, (-1,), ValueError, "n_demos must be at least 0"),
    (b3_visits.paper_first_visit_bound, (1, 1, 0), ValueError, "n_demos must be at least 1"),
    (b3_visits.first_visit_bound, (1, 1, 0), ValueError, "n_demos must be at least 1"),
    (r1_suboptimality.r1_bound, ([[0.7, 0.7]], 2, 1, 0.5, 1), ValueError, r"row \(0,\) sums to 1.4"),
    (r1_suboptimality.r1_bound, ([[-0.1]], 2, 1, 0.5, 1), ValueError, r"visit_probability must lie in \[0, 1\]"),
    (r1_suboptimality.r1_bound, ([[0.5]], 2, 0, 0.5, 1), ValueError, "n_demos must be at least 1"),
    (r1_suboptimality.expected_noise, (0.5, 1, 2, 1), ValueError, "alpha must be at most 1"),
    (r1_suboptimality.r1_simple_bound, (1, 1, 1, 1, 0.5, 0), ValueError, "prior_mass must be above 0"),
    (b3_suboptimality.paper_rate, (1, 1, 0), ValueError, "n_demos must be at least 1"),
    (b3_suboptimality.paper_lemma2_rate, (1, 1, 1, 2, 1), ValueError, "alpha must be at most 1"),
    (b3_suboptimality.lemma2_bound, (1, 2, 9, 0.5, 3), ValueError, "prior_mass must be at least 11.5"),
    (b3_suboptimality.paper_parameters, (0, 1, 1), ValueError, "n_actions must be at least 1"),
    (b3_suboptimality.main_bound, (1, 1, 1, 0), ValueError, "n_demos must be at least 1"),
    (b4_lower_bound.paper_theorem_bound, (0.1, 1, 0.1), ValueError, "n_actions must be at least 2"),
    (b4_lower_bound.theorem_bound, (-0.1, 2, 0.1), ValueError, "suboptimality must be at least 0"),
    (b4_lower_bound.change_of_measure_bound, (1.1, 0.1, 1), ValueError, "probability must be at most 1"),
    (b4_lower_bound.paper_corollary_bound, (1, 2, 0), ValueError, "n_demos must be at least 1"),
    (b4_lower_bound.corollary_bound, (-1, 2, 1), ValueError, "constant must be at least 0"),
    (r4_frontier.deterministic_frontier, (0.1, 2, 1.0), ValueError, "rare_probability must be below 1"),
    (r4_frontier.randomised_frontier, (0.1, 2, 0.5, -1, 0.1), ValueError, "n_demos must be at least 0"),
    (r4_frontier.simple_frontier, (0.1, 2, 0.5, 1, 1.0), ValueError, "delta must be below 1"),
    (r4_frontier.required_share, (0.0, 1, 0.1), ValueError, "rare_probability must be above 0"),
    (r6_trajectory.r6_kl_bound, ([[0.5]], 3, 1, 2), ValueError, "prior_mass must be at least 3"),
    (r6_trajectory.r6_simple_bound, (1, 2, 1, -1), ValueError, "n_demos must be at least 0"),
    (r6_trajectory.expected_trajectory_kl, ([[1.0]], [[[0.5, 0.4]]], 1), ValueError, "demonstrator rows must sum to 1"),
    (r6_trajectory.success_probability_bound, (-1, 0.5), ValueError, "kl must be at least 0"),
    (r6_trajectory.sufficient_rollouts, (1, 0.0, 0.5), ValueError, "success must be above 0"),
    (r6_trajectory.profile_bound, (-1.0, [1.0]), ValueError, "kl must be at least 0"),
    (r6_trajectory.profile_bound, (1.0, [2.0, 0.5]), ValueError, "thresholds must be at least 1; the smallest is 0.5"),
    (r6_trajectory.uniform_noise_limit, ([[1.0]], [[[0.5, 0.5]]], 2), ValueError, "alpha must be at most 1"),
    (factored_lane.uniform_success, (LANE, 1.1), ValueError, "alpha must be at most 1"),
    (factored_lane.postbc_success, (LANE, 1, 2, 1.0, 1.0), ValueError, "n_demos must be at least 2"),
    (factored_lane.postbc_success, (LANE, 1, 0, 1.0, 1.0), ValueError, "n_visits must be at least 1"),
    (factored_lane.recorded_weight, (0, 1.0, 1.0), ValueError, "visits must be at least 1"),
    (r7_factored.best_uniform_alpha, ((2, 3, 4),), TypeError, "lane must be of type FactoredLane"),
    (r7_factored.best_uniform_success, (None,), TypeError, "lane must be of type FactoredLane"),
    (r7_factored.best_uniform_bounds, (ONE_STEP,), ValueError, "lane.n_constrained must be at least 1"),
    (factored_lane.leaving_probability, (LANE, -0.1), ValueError, "weight must be at least 0"),
    (r7_factored.leaving_bound, (LANE, 0, 1.0, 1.0), ValueError, "n_demos must be at least 1"),
    (r7_factored.sufficient_demos, (LANE, 0.0), ValueError, "prior_mass must be above 0"),
    (r7_factored.ratio_bound, (STRICT, 1, 1.0), ValueError, "lane must be tolerant"),
    (r7_factored.best_strict_alpha, (STRICT, 0, 1.0), ValueError, "n_visits must be at least 1"),
    (r7_factored.strict_ratio_bounds, (LANE, 2, 1, 1.0), ValueError, "lane must be strict"),
    (r7_factored.rollouts_until_success, (0.5, 1.0), ValueError, "delta must be below 1"),
    (c_gaussian.gaussian_posterior, ([[1.0]], [[1.0, 0.0]], [[1.0]]), ValueError, "noise_covariance must have shape"),
    (
        c_gaussian.gaussian_posterior,
        ([[1.0]], [[-1.0]], [[1.0]]),
        ValueError,
        "noise_covariance must be positive definite",
    ),
    (
        c_gaussian.perturbed_estimate,
        (np.ones((1, 2)), [0, 0], [[1, 0.5], [0, 1]], np.eye(2)),
        ValueError,
        "noise_covariance must be symmetric",
    ),
    (
        c_gaussian.perturbed_estimates,
        ([[1.0]], [[1.0]], [[1.0]], 0, np.random.default_rng(1)),
        ValueError,
        "n_draws must be at least 1",
    ),
    (
        c_gaussian.perturbed_estimates,
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
def test_a_bound_refuses_a_bad_argument_by_name(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)


@pytest.mark.parametrize(
    "module",
    [
        b1_bc_fails,
        b2_uniform_fails,
        b3_coverage,
        b3_suboptimality,
        b3_visits,
        b4_lower_bound,
        c_gaussian,
        r1_suboptimality,
        r2_coverage,
        r3_coverage,
        r4_frontier,
        r5_sharp_failures,
        r6_trajectory,
        r7_factored,
        factored_lane,
    ],
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
