"""gamma_star: kept and hardly more, over all data sets; falls as delta does; beside Monte Carlo on larger processes."""

import math
import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tabular.constructions import two_bandits, uniform_noise_trap
from tabular.demonstrations import sample_counts
from tabular.family import family_coverages
from tabular.gamma_star import GammaStar, cell_gamma_star, gamma_star, largest_coverage, sampled_gamma_star
from tabular.instances import chain_lock, deep_sea, funnel, garnet
from tabular.policies import BC, log_choice, paper_choice, postbc, posterior, uniform_noise
from tabular.strategies import distributions, estimators, instances
from tabular.unmixed_coverage import unmixed_coverage_probability
from theory.statistics.probability import quantile_interval

VISIT_PROBABILITIES = st.integers(0, 8).map(lambda n: n / 8)
DELTAS = st.sampled_from([0.01, 0.1, 0.3, 0.5, 0.9])
ABOVE = 1 + 2e-6
"""Just above what bisection finds to a relative 1e-6."""


@given(st.floats(1e-11, 1), st.sampled_from([1e-3, 1e-6, 1e-15, 1e-300]), st.floats(0.01, 0.99))
def test_the_search_for_the_largest_coverage_ends_below_it(truth, tolerance, confidence):
    found = largest_coverage(lambda gamma: 1.0 if gamma <= truth else 0.0, confidence, tolerance=tolerance)
    assert found <= truth <= found * (1 + max(tolerance, 1e-15))


@pytest.mark.parametrize(("level", "found"), [(1.0, 1.0), (0.9, 1.0), (0.5, 0.0), (math.nan, 0.0)])
def test_with_a_constant_probability_the_largest_coverage_is_1_or_0(level, found):
    assert largest_coverage(lambda _: level, 0.9) == found


@given(
    st.integers(1, 5),
    VISIT_PROBABILITIES,
    st.integers(1, 3).flatmap(lambda size: distributions((), size)),
    estimators(),
    DELTAS,
)
@example(3, 1.0, np.array([0.5, 0.5]), BC, 0.5)
def test_gamma_star_of_a_cell_is_covered_and_a_slightly_larger_gamma_is_not_over_all_data_sets(
    n_demos, w, row, rule, delta
):
    def covered(gamma):
        p = oracles.exact(row.tolist())
        return float(
            sum(
                probability
                for counts, probability in oracles.cell_law(n_demos, Fraction(w), p)
                if oracles.is_covered(
                    oracles.estimator_row(list(counts), rule.alpha, rule.prior_mass), p, Fraction(gamma)
                )
            )
        )

    found = cell_gamma_star(n_demos, w, row, rule, delta)
    assert found == 0 or covered(found) >= 1 - delta - 1e-12
    assert found == 1 or covered(max(1e-12, min(1.0, found * ABOVE))) < 1 - delta + 1e-12


@settings(max_examples=20)
@given(instances(max_horizon=2, max_states=3, max_actions=2), st.integers(1, 3), estimators(), DELTAS)
def test_gamma_star_of_a_process_is_covered_and_a_slightly_larger_gamma_is_not_where_it_is_exact(
    instance, n_demos, rule, delta
):
    def covered(gamma):
        model, pi_beta = oracles.process_of(instance.mdp), oracles.exact(instance.demonstrator.tolist())
        together, failures = oracles.coverage_law(model, pi_beta, n_demos, rule.alpha, rule.prior_mass, Fraction(gamma))
        return float(together), 1 - float(failures)

    found = gamma_star(instance.mdp, instance.demonstrator, n_demos, rule, delta)
    together, certified = covered(found.value) if found.value > 0 else (1, 1)
    assert together >= 1 - delta - 1e-12
    assert found.exact or certified >= 1 - delta - 1e-12
    if found.value < 1:
        together, certified = covered(max(1e-12, min(1.0, found.value * ABOVE)))
        assert (together if found.exact else certified) < 1 - delta + 1e-12


PROCESSES = {
    "bandit": two_bandits(0.05)[0],
    "trap": uniform_noise_trap(0.1, 3, 4),
    "lock": chain_lock(4, 3, 0.8, slip=0.1),
    "DeepSea": deep_sea(4, 0.9),
}


@pytest.mark.parametrize("name", PROCESSES)
@given(st.integers(1, 25), estimators(), st.floats(0.01, 0.98), st.floats(0.01, 0.98))
@settings(max_examples=15)
def test_gamma_star_does_not_fall_with_delta(name, n_demos, rule, one, other):
    instance = PROCESSES[name]
    few, many = (
        gamma_star(instance.mdp, instance.demonstrator, n_demos, rule, delta) for delta in sorted((one, other))
    )
    assert few.value <= many.value * ABOVE
    assert few.exact == many.exact == (name != "DeepSea")


def test_a_bandit_is_one_cell_and_a_process_that_never_mixes_is_exact():
    bandit = two_bandits(0.05)[0]
    for rule in (BC, postbc(0.5, 4.0)):
        found = gamma_star(bandit.mdp, bandit.demonstrator, 200, rule, 0.1)
        assert found == GammaStar(cell_gamma_star(200, 1.0, bandit.demonstrator[0, 0], rule, 0.1), exact=True)
    trap = uniform_noise_trap(0.1, 3, 4)
    found = gamma_star(trap.mdp, trap.demonstrator, 40, postbc(0.5, 4.0), 0.1)
    assert found.exact
    for gamma, kept in ((found.value, True), (found.value * ABOVE, False)):
        chance = unmixed_coverage_probability(trap.mdp, trap.demonstrator, 40, postbc(0.5, 4.0), gamma)
        assert (chance >= 0.9) == kept


def rules(instance, n_demos):
    H, S, A = instance.mdp.policy_shape
    return [paper_choice(A, H, n_demos), uniform_noise(0.1), posterior(A), log_choice(S, A, H, 0.1)]


@pytest.mark.compiled
@pytest.mark.parametrize("n_demos", [30, 1000])
@pytest.mark.parametrize(
    "instance", [garnet(5, 3, 2, 4, np.random.default_rng(3)), chain_lock(5, 3, 0.9, slip=0.05)], ids=["Garnet", "lock"]
)
def test_certified_coverage_is_never_above_the_sampled_nor_5_percent_below_its_lower_end(instance, n_demos, rng):
    """False alarm 1e-6 for each interval."""
    mdp, pi_beta = instance.mdp, instance.demonstrator
    for rule in rules(instance, n_demos):
        certified = gamma_star(mdp, pi_beta, n_demos, rule, 0.1).value
        sampled = sampled_gamma_star(mdp, pi_beta, n_demos, rule, 0.1, replicates=2000, confidence=1 - 1e-6, rng=rng)
        assert 0.95 * sampled.low <= certified <= sampled.high


LARGER = {
    "Garnet S=50": garnet(50, 4, 4, 10, np.random.default_rng(0)),
    "Garnet S=100": garnet(100, 5, 3, 20, np.random.default_rng(1)),
    "lock": chain_lock(20, 4, 0.9, slip=0.05),
    "DeepSea": deep_sea(20, 0.9, slip=0.05),
    "funnel": funnel(20, 10, 4),
}


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("n_demos", [100, 1000])
@pytest.mark.parametrize("name", LARGER)
def test_on_larger_processes_certified_coverage_is_within_5_percent_of_monte_carlo(name, n_demos, rng):
    """Within 5 % of the sample's quantile, less two standard errors; never above its interval (false alarm 1e-6)."""
    instance = LARGER[name]
    mdp, pi_beta, R = instance.mdp, instance.demonstrator, 10_000
    members = rules(instance, n_demos)
    sampled = [
        family_coverages(sample_counts(mdp, pi_beta, n_demos, rng), pi_beta, instance.reachable, members)
        for _ in range(R)
    ]
    place = int(R * (0.1 - 2 * math.sqrt(0.1 * 0.9 / R)))
    for rule, gammas in zip(members, np.sort(sampled, axis=0).T, strict=True):
        certified = gamma_star(mdp, pi_beta, n_demos, rule, 0.1).value
        assert 0.95 * gammas[place] <= certified <= quantile_interval(gammas, 0.1, 1 - 1e-6).high


BANDIT = two_bandits(0.1)[0]
MDP, PI = BANDIT.mdp, BANDIT.demonstrator
RULE = postbc(0.5, 2.0)
LOCK = chain_lock(3, 2, 0.5)
SAMPLE = {"replicates": 1, "confidence": 0.9, "rng": np.random.default_rng(0)}
REFUSED = [
    (lambda: largest_coverage(float, 1.0), ValueError, "confidence must be below 1.0; got 1.0"),
    (lambda: largest_coverage(float, "0.5"), TypeError, "confidence must be a number; got '0.5'"),
    (lambda: largest_coverage(float, 0.5, tolerance=0), ValueError, "tolerance must be above 0.0; got 0.0"),
    (lambda: gamma_star(MDP, PI, 1, RULE, 1.0), ValueError, "delta must be below 1.0; got 1.0"),
    (lambda: gamma_star(MDP, PI, 0, RULE, 0.1), ValueError, "n_demos must be at least 1; got 0"),
    (lambda: gamma_star(MDP, PI[0], 1, RULE, 0.1), ValueError, "demonstrator must have shape (1, 1, 3); got (1, 3)"),
    (lambda: gamma_star(LOCK.mdp, LOCK.demonstrator, 0, RULE, 0.1), ValueError, "n_demos must be at least 1; got 0"),
    (lambda: cell_gamma_star(5, 0.5, [0.5, 0.5], RULE, 0.0), ValueError, "delta must be at least 1e-12; got 0.0"),
    (lambda: gamma_star(MDP, PI, 1, RULE, 1e-17), ValueError, "delta must be at least 1e-12; got 1e-17"),
    (lambda: cell_gamma_star(5, 2.0, [0.5, 0.5], RULE, 0.1), ValueError, "visit_probability must be at most 1.0"),
    (lambda: sampled_gamma_star(MDP, PI, 1, RULE, 0.1, **{**SAMPLE, "replicates": 0}), ValueError, "replicates must be at least 1; got 0"),
    (lambda: sampled_gamma_star(MDP, PI, 1, None, 0.1, **SAMPLE), TypeError, "estimator must have a name and a method policy(counts); got NoneType"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_bad_arguments_of_gamma_star_are_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
