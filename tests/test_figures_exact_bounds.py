"""Exact numbers in the figures of the theory, against other ways to compute them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figures.exact import cloning_experiment, enumeration, estimators, fig_errata, fig_frontier, fig_looseness
from figures.exact.fig_trajectory_kl import expected_kl_by_estimator, posterior_kl
from figures.running.sweep import Sweep
from tabular.constructions import uniform_noise_trap
from tabular.demonstrations import sample_counts
from tabular.frontier import LowerBoundFamily
from tabular.gamma_star import largest_coverage
from tabular.policies import BC, postbc, posterior, uniform_noise
from tabular.unmixed_coverage import unmixed_coverage_probability
from theory.bounds import b2_uniform_fails as uniform_fails
from theory.bounds import r6_trajectory as trajectory
from theory.proofs.coverage_cases import all_arms_seen
from theory.results import all_results

# --- replicates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["grid", "DeepSea"])
def test_missing_has_expectation_zero_and_correlates_with_unseen_states(name):
    """False alarm 1e-6, normal approximation."""
    cell = {"instance": name, "instance_seed": 3, "n_demos": 60, "replicates": 2000}
    arrays = cloning_experiment.replicate(cell, np.random.default_rng(4))
    missing, unseen = arrays["missing"], arrays["unseen"]
    assert abs(missing.mean()) < 4.9 * missing.std() / math.sqrt(missing.size)
    assert np.corrcoef(missing, unseen)[0, 1] > 0.2
    assert (unseen >= 0).all()
    assert (unseen <= 1).all()


def test_the_shortfall_is_the_smallest_prior_mass_with_which_lemma_3_holds():
    cell = {"instance": "funnel", "instance_seed": 3, "n_demos": 25, "replicates": 5}
    arrays, rng = cloning_experiment.replicate(cell, np.random.default_rng(4)), np.random.default_rng(4)
    instance = cloning_experiment.build("funnel", 3)
    w = instance.occupancy.sum(axis=2)
    for shortfall in arrays["shortfall"]:
        visits = sample_counts(instance.mdp, instance.demonstrator, 25, rng).visits
        for mass in (shortfall, shortfall - 1e-6):
            assert (visits + mass >= (w * 25 + mass) / 2 - 1e-9).all() == (mass == shortfall)


# --- looseness --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("horizon", "n_demos"), [(2, 5), (5, 20), (10, 64)])
def test_the_coverage_of_uniform_noise_on_the_trap_is_the_truth_of_the_looseness_figure(horizon, n_demos):
    trap = uniform_noise_trap(0.05, horizon, uniform_fails.min_rare_states(n_demos))
    truth, *_ = fig_looseness._uniform(horizon, n_demos)

    def probability(gamma):
        return unmixed_coverage_probability(trap.mdp, trap.demonstrator, n_demos, uniform_noise(truth), gamma)

    assert largest_coverage(probability, 1 - estimators.DELTA) == pytest.approx(truth, rel=2e-6)


# --- trajectories -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chain lock", "DeepSea", "funnel"])
@pytest.mark.parametrize("n_demos", [1, 6, 40])
def test_the_divergence_of_trajectories_equals_the_full_double_sums(name, n_demos):
    instance = cloning_experiment.build(name, 3)
    A = instance.mdp.n_actions
    w = np.minimum(instance.occupancy.sum(axis=2), 1.0)
    members = [uniform_noise(0.2), posterior(A), postbc(0.3, 7.0)]
    found = expected_kl_by_estimator(instance, n_demos, members)
    for value, e in zip(found, members, strict=True):
        truth = trajectory.expected_trajectory_kl(w, instance.demonstrator, n_demos, e.alpha, e.prior_mass)
        assert value == pytest.approx(truth, rel=1e-10)
    assert posterior_kl(instance, n_demos) == pytest.approx(found[1], rel=1e-10)


def test_the_divergence_of_trajectories_is_the_mean_over_sampled_demonstrations():
    """False alarm 1e-6 for each, normal approximation."""
    instance, T, rng = cloning_experiment.build("DeepSea", 3), 30, np.random.default_rng(6)
    members, w = [uniform_noise(0.2), posterior(2), postbc(0.3, 7.0)], instance.occupancy
    counts = [sample_counts(instance.mdp, instance.demonstrator, T, rng) for _ in range(2000)]
    for value, e in zip(expected_kl_by_estimator(instance, T, members), members, strict=True):
        sampled = [(w * np.log(instance.demonstrator / e.policy(c))).sum() for c in counts]
        assert abs(np.mean(sampled) - value) < 4.9 * np.std(sampled) / math.sqrt(len(sampled))


# --- statements that are false ----------------------------------------------------------------------------------------


def test_every_statement_that_theory_refutes_has_a_claim_of_the_errata_figure():
    refuted = {
        result.id
        for result in all_results()
        for step in result.steps
        if step.form == "printed" and step.severity and step.id.startswith(result.id)
    }
    arrays = fig_errata.compute(fig_errata.QUICK, Sweep(0))
    broken = {claim.source for claim in fig_errata.check(arrays) if claim.id.endswith("-printed")}
    assert broken == refuted


@pytest.mark.parametrize("n_demos", [301, 340])
def test_the_probability_in_lemma_1_is_that_of_seeing_all_arms(n_demos):
    found = fig_errata._lemma_coverage([n_demos])["coverage"][0, 0]
    assert found == pytest.approx(float(all_arms_seen(fig_errata.A_USED, n_demos)), rel=1e-10)


@given(st.integers(0, 6), st.integers(1, 4))
def test_outcomes_of_a_multinomial_are_complete_without_repetition(total, parts):
    outcomes = list(enumeration.multinomial_outcomes(total, parts))
    assert sorted(outcomes) == sorted(c for c in itertools.product(range(total + 1), repeat=parts) if sum(c) == total)
    p = np.arange(1, parts + 1) / sum(range(1, parts + 1))
    assert math.fsum(enumeration.multinomial_chance(c, p) for c in outcomes) == pytest.approx(1)


@given(st.integers(8, 60), st.integers(1, 6))
@settings(max_examples=30)
def test_bc_falls_behind_exactly_when_no_rare_arm_was_demonstrated(inverse, n_demos):
    expected = (1 - 4 / inverse) ** n_demos
    assert enumeration.fall_chance(1 / inverse, n_demos) == pytest.approx(expected, rel=1e-12)


@given(st.integers(2, 8), st.floats(0.001, 0.2), st.floats(0, 0.1))
def test_a_policy_that_ignores_the_data_covers_its_smallest_ratio(n_actions, alpha, rare):
    covered, loss = enumeration.blind_policy(n_actions, alpha, rare)
    first = 1 - (n_actions - 1) * rare
    assert covered == pytest.approx(min(rare / alpha, first, 1.0), rel=1e-12)
    assert loss == pytest.approx((n_actions - 1) * rare, abs=1e-12)


@pytest.mark.parametrize("n_demos", [1, 2, 5])
def test_the_probability_of_an_unseen_state_is_binomial(n_demos):
    exact = fig_errata._few_demos([n_demos])["unseen"][0, 0]
    assert exact == pytest.approx((3 / 4) ** n_demos, rel=1e-12)


# --- Lemma 5 ----------------------------------------------------------------------------------------------------------


def test_lemma_5_is_nearly_tight_for_bc_and_loose_where_an_unseen_arm_is_covered():
    family = LowerBoundFamily(3, 1 / 40, 10, 0.1)
    seen_at_all = (1 - (1 - 1 / 40) ** 10) / (10 / 40)  # BC plays arm i at least once in T only where it was seen
    assert math.isclose(fig_frontier.change_of_measure(family, BC), seen_at_all, rel_tol=1e-12)
    assert math.isclose(fig_frontier.change_of_measure(family, posterior(3)), 1 / (2 + 10 / 40), rel_tol=1e-12)
