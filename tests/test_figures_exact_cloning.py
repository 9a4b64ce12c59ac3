"""The cloning experiment and the figures of loss and coverage, against independent computations."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figures.exact import cloning_experiment
from figures.exact.cloning_experiment import INSTANCES, JUDGED
from figures.exact.estimators import ESTIMATORS, NOISE_FAMILIES
from figures.exact.fig_bc_fails import minimax_by_lp
from figures.exact.fig_coverage_vs_T import bc_coverage_chance
from figures.exact.fig_suboptimality import slope
from figures.exact.fig_uniform_fails import EPSILON, expected_loss, family_member
from tabular import constructions, dp
from tabular.demonstrations import sample_counts
from tabular.policies import BC, MixtureEstimator
from theory.bounds.b2_uniform_fails import value_loss


@given(st.floats(0, 0.5), st.integers(0, 50))
@settings(max_examples=40)
def test_the_minimax_loss_by_linear_program_equals_the_closed_form(share, n):
    assert minimax_by_lp(share, n) == pytest.approx(0.5 * (1 - 2 * share) ** n, abs=1e-9)


@pytest.mark.parametrize("family", NOISE_FAMILIES)
def test_the_expected_loss_on_the_trap_is_the_mean_over_sampled_demonstrations(family):
    """False alarm 1e-6 for each family (normal approximation); a loss off by 5 % is found with probability above 0.99."""
    T, H, replicates, rng = 12, 4, 4000, np.random.default_rng(8)
    trap = constructions.uniform_noise_trap(EPSILON, H, 3)
    estimator = family_member(family, 0.4, trap.mdp.n_states, H, T)
    sampled = [
        dp.suboptimality(
            trap.mdp, trap.demonstrator, estimator.policy(sample_counts(trap.mdp, trap.demonstrator, T, rng))
        )
        for _ in range(replicates)
    ]
    error = np.std(sampled) / math.sqrt(replicates)
    assert abs(np.mean(sampled) - expected_loss(estimator, T, H)) < 4.9 * error


@given(st.floats(0, 1), st.integers(1, 40), st.integers(2, 30))
def test_uniform_noise_loses_at_least_as_much_as_the_best_policy_with_that_noise(alpha, n_demos, horizon):
    loss = expected_loss(MixtureEstimator(alpha, math.inf), n_demos, horizon)
    assert loss >= value_loss(alpha, EPSILON, horizon) - 1e-12


@pytest.mark.parametrize("name", INSTANCES)
def test_bc_covers_no_more_often_than_its_least_likely_state_is_covered(name):
    """Exact bound against 300 samples; false alarm below 1e-6 (binomial tail at five standard deviations)."""
    instance, rng, T = cloning_experiment.build(name, 4), np.random.default_rng(9), 300
    bound = bc_coverage_chance(instance, T)
    covered = sum(
        cloning_experiment.coverage_where(
            BC.policy(sample_counts(instance.mdp, instance.demonstrator, T, rng)),
            instance.demonstrator,
            instance.reachable,
        )
        > 0
        for _ in range(300 if instance.mdp.n_states < 100 else 20)
    )
    trials = 300 if instance.mdp.n_states < 100 else 20
    assert covered <= trials * bound + 5.5 * math.sqrt(trials * bound) + 5


def test_the_slope_of_a_power_law_is_its_exponent():
    T = np.array([10, 100, 1000, 10000])
    mean = (3.0 / T**0.7)[None, :, None]
    arrays = {"n_demos": T, "loss": mean, "standard_error": 0.01 * mean, "judged": np.ones(mean.shape, bool)}
    value, error = slope(arrays, 0, 0)
    assert value == pytest.approx(-0.7)
    assert error == pytest.approx(0.01 * math.sqrt(2) / math.log(10))


@pytest.mark.parametrize(("error", "judged"), [(1.0, True), (0.01, False)])
def test_a_loss_near_zero_or_from_too_few_data_sets_has_no_slope(error, judged):
    flat = np.ones((1, 2, 1))
    arrays = {"n_demos": np.array([10, 100]), "loss": flat, "standard_error": error * flat}
    assert math.isnan(slope({**arrays, "judged": np.full(flat.shape, judged)}, 0, 0)[0])


def test_the_control_variate_has_expectation_zero_and_reduces_the_variance():
    """False alarm 1e-6, normal approximation; BC's loss, mostly chance, becomes at least five times sharper."""
    cell = {"instance": "Garnet", "instance_seed": 3, "n_demos": 50, "replicates": 3000}
    arrays = cloning_experiment.replicate(cell, np.random.default_rng(5))
    control, loss = arrays["control"], arrays["loss"]
    assert abs(control.mean()) < 4.9 * control.std() / math.sqrt(control.size)
    sharper = cloning_experiment.controlled(loss, control)
    assert np.all(sharper.std(axis=1) <= loss.std(axis=1) * (1 + 1e-12))
    assert sharper[0].std() < 0.2 * loss[0].std()
    error = np.hypot(loss.std(axis=1), sharper.std(axis=1)) / math.sqrt(control.size)
    assert np.all(np.abs(sharper.mean(axis=1) - loss.mean(axis=1)) < 4.9 * error)


def test_a_constant_control_variate_is_subtracted_without_a_factor():
    np.testing.assert_array_equal(cloning_experiment.controlled(np.ones((1, 3)), np.zeros(3)), np.ones((1, 3)))


@given(st.integers(1, 40), st.integers(1, 7))
def test_the_lower_quantile_is_the_largest_value_that_the_stated_share_reaches(size, eighths):
    sample = np.arange(size, dtype=float)
    value = cloning_experiment.lower_quantile(sample, eighths / 8)
    assert 8 * (sample >= value).sum() >= (8 - eighths) * size
    assert 8 * (sample > value).sum() < (8 - eighths) * size


def test_estimators_of_every_instance_have_the_names_of_their_entries():
    for name in INSTANCES:
        instance = cloning_experiment.build(name, 4)
        assert [e.name for e in cloning_experiment.estimators(instance, 50)] == list(ESTIMATORS)
    assert set(JUDGED) <= set(ESTIMATORS)
