"""The family against the paper's table in fractions; its laws; estimators from outside it."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose

from tabular import dp, policies
from tabular.certificates import CellLaws
from tabular.constructions import two_bandits
from tabular.counts import Counts
from tabular.coverage import coverage
from tabular.demonstrations import sample_counts
from tabular.exact_coverage import cell_coverage_probability, required_counts
from tabular.family import family_returns
from tabular.finetune import NaturalPolicyGradient, finetune, support_optimum
from tabular.frontier import LowerBoundFamily, worst_loss_and_coverage
from tabular.gamma_star import gamma_star, sampled_gamma_star
from tabular.instances import chain_lock
from tabular.mdp import FiniteHorizonMDP
from tabular.narrow_coverage import NarrowProcess
from tabular.plan import RecordingPlan
from tabular.policies import (
    BC,
    MixtureEstimator,
    PolicyEstimator,
    log_choice,
    paper_choice,
    postbc,
    posterior,
    uniform_noise,
)
from tabular.profile import step_profile, trajectory_profile
from tabular.strategies import counts, demonstrations, distributions, estimators, instances
from tabular.unmixed_coverage import unmixed_coverage_probability
from theory.bounds.family import noise_weight

EXACT = {"rtol": 1e-14, "atol": 1e-15}
ALPHAS = st.integers(0, 8).map(lambda n: n / 8)
MASSES = st.integers(1, 40).map(lambda n: n / 4)


def recorded(**sizes):
    return instances(**sizes).flatmap(lambda i: counts(i.mdp, i.demonstrator))


def assert_rows(found, tally, row):
    for h, s in np.ndindex(found.shape[:2]):
        assert_allclose(found[h, s], [float(p) for p in row(tally.counts[h, s].tolist())], **EXACT)


# --- agreement with the paper's table, in fractions -------------------------------------------------------------------


@given(recorded())
def test_bc_plays_the_empirical_actions(tally):
    assert_rows(BC.policy(tally), tally, oracles.bc_row)


@given(recorded(), ALPHAS)
def test_uniform_noise_mixes_bc_with_the_uniform_distribution(tally, alpha):
    assert_rows(uniform_noise(alpha).policy(tally), tally, lambda row: oracles.uniform_noise_row(row, Fraction(alpha)))


@given(recorded(), MASSES)
def test_the_posterior_adds_the_prior_to_the_counts(tally, mass):
    assert_rows(posterior(mass).policy(tally), tally, lambda row: oracles.posterior_row(row, Fraction(mass)))


@given(recorded(), ALPHAS, MASSES)
def test_postbc_mixes_bc_with_the_posterior(tally, alpha, mass):
    rule = postbc(alpha, mass)
    assert_rows(rule.policy(tally), tally, lambda row: oracles.postbc_row(row, Fraction(alpha), Fraction(mass)))


@given(st.lists(st.integers(0, 4), min_size=2, max_size=3).filter(any), MASSES, st.integers(1, 3))
def test_the_posterior_is_the_average_of_bc_over_polya_draws(row, mass, n_draws):
    average = oracles.mean_of_bc_over_polya_draws(row, Fraction(mass), n_draws)
    assert average == oracles.posterior_row(row, Fraction(mass))
    assert_allclose(posterior(mass).policy(Counts([[row]]))[0, 0], [float(p) for p in average], **EXACT)


@given(hnp.arrays(np.int64, st.integers(1, 5), elements=st.integers(0, 10**12)), estimators())
def test_the_noise_weight_is_the_stated_formula(visits, rule):
    alpha, mass = rule.alpha, rule.prior_mass
    for n, weight in zip(visits.tolist(), rule.noise_weight(visits), strict=True):
        share = 1 if math.isinf(mass) else Fraction(mass) / (n + Fraction(mass))
        assert_allclose(weight, float(Fraction(alpha) * share) if n else 1.0, **EXACT)


# --- laws -------------------------------------------------------------------------------------------------------------


@given(recorded(), estimators())
def test_rows_of_a_policy_are_distributions_and_uniform_where_nothing_was_recorded(tally, rule):
    policy = rule.policy(tally)
    assert (policy >= 0).all()
    assert_allclose(policy.sum(axis=2), 1.0, **EXACT)
    assert (policy[tally.visits == 0] == 1 / policy.shape[2]).all()


@given(recorded(), estimators(), st.randoms(use_true_random=False))
def test_estimators_commute_with_permuted_actions(tally, rule, random):
    order = list(range(tally.counts.shape[2]))
    random.shuffle(order)
    assert np.array_equal(rule.policy(Counts(tally.counts[..., order])), rule.policy(tally)[..., order])


@given(recorded(), estimators())
def test_a_policy_depends_on_each_cell_alone(tally, rule):
    policy = rule.policy(tally)
    for h, s in np.ndindex(tally.visits.shape):
        if tally.visits[h, s]:
            assert np.array_equal(rule.policy(Counts(tally.counts[h, s][None, None]))[0, 0], policy[h, s])


@given(recorded(), ALPHAS, MASSES)
def test_members_of_the_family_meet_at_their_borders(tally, alpha, mass):
    assert np.array_equal(postbc(0.0, mass).policy(tally), BC.policy(tally))
    assert np.array_equal(uniform_noise(0.0).policy(tally), BC.policy(tally))
    assert np.array_equal(postbc(1.0, mass).policy(tally), posterior(mass).policy(tally))
    assert np.array_equal(postbc(alpha, math.inf).policy(tally), uniform_noise(alpha).policy(tally))


@given(recorded(), estimators(), st.integers(2, 50))
def test_the_noise_weight_falls_with_the_number_of_visits(tally, rule, factor):
    more = rule.noise_weight(tally.visits * factor)
    assert (more <= rule.noise_weight(tally.visits)).all()


@settings(max_examples=15)
@given(instances(max_horizon=2, max_states=2, max_actions=2), st.integers(1, 3))
def test_bc_that_knows_the_demonstrator_where_nothing_was_recorded_is_unbiased(instance, n_demos):
    """E[J(q)] = J(pi_beta) over all data sets, with q = BC where T_h(s) > 0 and pi_beta elsewhere (R1.3)."""
    mdp, pi_beta = instance.mdp, instance.demonstrator
    law = oracles.law_of_counts(oracles.process_of(mdp), oracles.exact(pi_beta.tolist()), n_demos)
    average = 0.0
    for table, probability in law.items():
        tally = Counts(np.array(table))
        q = np.where(tally.visits[..., None] > 0, BC.policy(tally), pi_beta)
        average += float(probability) * dp.expected_return(mdp, q)
    assert_allclose(average, instance.demonstrator_value, rtol=1e-12, atol=1e-13)


@settings(max_examples=10)
@given(instances(max_horizon=2, max_states=2, max_actions=2), st.integers(1, 2))
def test_bc_that_knows_the_demonstrator_elsewhere_is_unbiased_in_exact_fractions(instance, n_demos):
    model, pi_beta = oracles.process_of(instance.mdp), oracles.exact(instance.demonstrator.tolist())
    average = Fraction(0)
    for table, probability in oracles.law_of_counts(model, pi_beta, n_demos).items():
        q = [
            [oracles.bc_row(row) if any(row) else known for row, known in zip(rows, step, strict=True)]
            for rows, step in zip(table, pi_beta, strict=True)
        ]
        average += probability * oracles.expected_return(model, q)
    assert average == oracles.expected_return(model, pi_beta)


@st.composite
def deterministic_demonstrations(draw):
    H, S, A = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    successors = draw(hnp.arrays(np.int64, (draw(st.sampled_from([1, H])), S, A, 1), elements=st.integers(0, S - 1)))
    start = np.eye(S)[draw(st.integers(0, S - 1))]
    mdp = FiniteHorizonMDP(successors, np.ones(successors.shape), np.zeros((1, S, A)), start, H)
    return mdp, draw(demonstrations(mdp, draw(distributions((H, S), A))))


@given(deterministic_demonstrations())
def test_bc_visits_as_the_demonstrations_did_where_dynamics_and_start_are_fixed(drawn):
    mdp, shown = drawn
    tally = shown.counts()
    assert_allclose(dp.occupancy(mdp, BC.policy(tally)), tally.counts / tally.n_demos, rtol=1e-13, atol=1e-15)


# --- named choices ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 20), st.integers(1, 300), st.integers(1, 10**12))
@example(1, 1, 1)
def test_the_papers_choice_has_the_papers_alpha_and_lambda(n_actions, horizon, n_demos):
    rule = paper_choice(n_actions, horizon, n_demos)
    log = math.log(horizon) + math.log(n_demos)
    assert_allclose(rule.alpha, 1 / max(n_actions, horizon, log), rtol=1e-14)
    assert_allclose(rule.prior_mass, max(n_actions, 4 * log), rtol=1e-14)


def test_the_log_choice_has_half_the_logarithm_as_its_prior_mass():
    rule = log_choice(10, 4, 5, 0.1, alpha=0.5)
    assert rule.alpha == 0.5
    assert_allclose(rule.prior_mass, math.log(2 * 10 * 4 * 5 / 0.1) / 2, rtol=1e-15)
    assert log_choice(10, 4, 5, 0.1).alpha == 1.0


def test_estimators_of_the_family_have_names():
    assert [rule.name for rule in (BC, uniform_noise(0.1), posterior(2), postbc(0.1, 2))] == [
        "BC",
        "uniform noise",
        "posterior",
        "PostBC",
    ]


# --- estimators from outside the family --------------------------------------------------------------------------------


@dataclass(frozen=True)
class AddOneToRecorded:
    """Add one to the count of each recorded action; the others keep probability 0. Uniform where nothing was recorded."""

    name: str = "add one to recorded actions"

    def policy(self, counts):
        raised = np.where(counts.counts > 0, counts.counts + 1.0, 0.0)
        total = raised.sum(axis=2, keepdims=True)
        return np.where(total > 0, raised / np.maximum(total, 1.0), 1.0 / raised.shape[2])


class NeighbourSmoothing:
    """Pool the counts of a state with those of the states next to it, then add one to every action."""

    name = "neighbours pooled"

    def policy(self, counts):
        padded = np.pad(counts.counts, ((0, 0), (1, 1), (0, 0)))
        pooled = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:] + 1.0
        return pooled / pooled.sum(axis=2, keepdims=True)


OUTSIDE = [AddOneToRecorded(), NeighbourSmoothing()]
FAMILY = [BC, uniform_noise(0.1), posterior(3.0), postbc(0.5, 2.0)]


THRESHOLDS = [1.0, 2.0, 10.0]


def comparison(registry, instance, n_demos=15):
    """Sampled coverage, loss, profiles and finetuned return of every estimator on the same data; streams by name."""
    mdp, pi_beta = instance.mdp, instance.demonstrator
    data = sample_counts(mdp, pi_beta, n_demos, np.random.default_rng(0))
    rows = {}
    for estimator in registry:
        policy = estimator.policy(data)
        gamma = sampled_gamma_star(
            mdp, pi_beta, n_demos, estimator, 0.1, replicates=50, confidence=0.9, rng=np.random.default_rng(1)
        )
        tuned = finetune(mdp, policy, NaturalPolicyGradient(0.5), [0, 50], np.random.default_rng(2))
        rows[estimator.name] = {
            "coverage": (gamma.low, gamma.high, coverage(policy, pi_beta, over="reachable", mdp=mdp)),
            "loss": dp.suboptimality(mdp, pi_beta, policy),
            "step profile": step_profile(mdp, pi_beta, policy, THRESHOLDS).tolist(),
            "trajectory profile": trajectory_profile(mdp, pi_beta, policy, THRESHOLDS).tolist(),
            "finetuned": tuned.returns.tolist(),
            "support": support_optimum(mdp, policy),
        }
    return rows


def test_an_estimator_from_outside_the_family_is_compared_and_changes_no_other_number():
    instance = chain_lock(4, 3, 0.8, slip=0.05)
    alone, together = comparison(FAMILY, instance), comparison([*OUTSIDE, *FAMILY], instance)
    assert {name: together[name] for name in alone} == alone
    for estimator in OUTSIDE:
        assert isinstance(estimator, PolicyEstimator)
        row = together[estimator.name]
        assert all(0.0 <= gamma <= 1.0 for gamma in row["coverage"])
        assert row["finetuned"][0] == pytest.approx(instance.demonstrator_value - row["loss"])
        assert row["finetuned"][1] <= row["support"] + 1e-12
        for profile in (row["step profile"], row["trajectory profile"]):
            assert 1.0 >= profile[0] >= profile[1] >= profile[2] >= 0.0
    assert together["neighbours pooled"]["coverage"][2] > 0.0  # every action has positive probability
    assert together["neighbours pooled"]["support"] == pytest.approx(instance.optimal_value)


def test_what_needs_the_closed_form_takes_members_of_the_family_alone():
    bandit, lock, outside = two_bandits(0.1)[0], chain_lock(3, 2, 0.5), AddOneToRecorded()
    data = sample_counts(lock.mdp, lock.demonstrator, 3, np.random.default_rng(0))
    narrow, laws = (kind.of(lock.mdp, lock.demonstrator, 3) for kind in (NarrowProcess, CellLaws))
    for call in (
        lambda: required_counts([1], [0.5, 0.5], outside, 0.5),
        lambda: cell_coverage_probability(3, 0.5, [0.5, 0.5], outside, 0.5),
        lambda: unmixed_coverage_probability(bandit.mdp, bandit.demonstrator, 3, outside, 0.5),
        lambda: narrow.coverage_probability(outside, 0.5),
        lambda: laws.failure_bound(outside, 0.5),
        lambda: gamma_star(lock.mdp, lock.demonstrator, 3, outside, 0.1),
        lambda: family_returns(lock.mdp, data, [BC, outside]),
        lambda: worst_loss_and_coverage(LowerBoundFamily(3, 0.1, 4, 0.1), outside),
        lambda: RecordingPlan(occupancy=0.5, probability=0.5, n_actions=2, estimator=outside, level=0.5),
    ):
        with pytest.raises(TypeError, match=r"MixtureEstimator.*closed form.*AddOneToRecorded"):
            call()


def test_the_noise_weight_takes_one_prior_mass_or_one_for_each_visit():
    weights = noise_weight([[0, 1, 4], [0, 1, 4]], 0.5, [[2.0], [math.inf]])
    assert_allclose(weights, [[1.0, 0.5 * 2 / 3, 0.5 * 2 / 6], [1.0, 0.5, 0.5]], **EXACT)


# --- refusals ---------------------------------------------------------------------------------------------------------

REFUSED = [
    (MixtureEstimator, (-0.1, 1.0), ValueError, "alpha must be at least 0.0; got -0.1"),
    (MixtureEstimator, (1.5, 1.0), ValueError, "alpha must be at most 1.0; got 1.5"),
    (MixtureEstimator, (math.nan, 1.0), ValueError, "alpha must be finite; got nan"),
    (MixtureEstimator, (True, 1.0), TypeError, "alpha must be a number; got True"),
    (MixtureEstimator, ("0.5", 1.0), TypeError, "alpha must be a number; got '0.5'"),
    (MixtureEstimator, (0.5, 0.0), ValueError, "prior_mass must be above 0.0; got 0.0"),
    (MixtureEstimator, (0.5, -math.inf), ValueError, "prior_mass must be above 0.0; got -inf"),
    (MixtureEstimator, (0.5, math.nan), ValueError, "prior_mass must be a number; got nan"),
    (MixtureEstimator, (0.5, None), TypeError, "prior_mass must be a number; got None"),
    (uniform_noise, (2.0,), ValueError, "alpha must be at most 1.0; got 2.0"),
    (posterior, (-1.0,), ValueError, "prior_mass must be above 0.0; got -1.0"),
    (postbc, (-1.0, 1.0), ValueError, "alpha must be at least 0.0; got -1.0"),
    (paper_choice, (0, 1, 1), ValueError, "n_actions must be at least 1; got 0"),
    (paper_choice, (1, 0, 1), ValueError, "horizon must be at least 1; got 0"),
    (paper_choice, (1, 1, 0), ValueError, "n_demos must be at least 1; got 0"),
    (paper_choice, (1, 1, 1e3), TypeError, "n_demos must be an integer; got 1000.0"),
    (paper_choice, (1, True, 1), TypeError, "horizon must be an integer; got True"),
    (log_choice, (0, 1, 1, 0.1), ValueError, "n_states must be at least 1; got 0"),
    (log_choice, (1, 0, 1, 0.1), ValueError, "n_actions must be at least 1; got 0"),
    (log_choice, (1, 1, 0, 0.1), ValueError, "horizon must be at least 1; got 0"),
    (log_choice, (1, 1, 1, 0.0), ValueError, "delta must be above 0.0; got 0.0"),
    (log_choice, (1, 1, 1, 1.0), ValueError, "delta must be below 1.0; got 1.0"),
    (log_choice, (1, 1, 1, 0.1, 1.1), ValueError, "alpha must be at most 1.0; got 1.1"),
    (log_choice, (1, 1.5, 1, 0.1), TypeError, "n_actions must be an integer; got 1.5"),
    (BC.noise_weight, ([1.0],), TypeError, "visits must hold integers; its dtype is float64"),
    (BC.noise_weight, ([1, -1],), ValueError, "visits must be at least 0; entry (1,) is -1"),
    (BC.policy, (np.ones((1, 1, 2), int),), TypeError, "counts must be of type Counts; got ndarray"),
]


@pytest.mark.parametrize(("function", "arguments", "error", "message"), REFUSED)
def test_a_bad_argument_of_an_estimator_is_refused_by_name(function, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        function(*arguments)


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(1), np.array(0.5), Fraction(1, 2)])
def test_alpha_and_prior_mass_are_taken_as_any_kind_of_real_number(value):
    assert policies.MixtureEstimator(value, value).alpha == float(value)
