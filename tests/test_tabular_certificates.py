import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular import _kernels
from tabular.certificates import CellLaws, certified_coverage_probability, sampled_gamma_star
from tabular.exact_coverage import (
    LOG_NEGLIGIBLE,
    cell_coverage_probability,
    covered_given_visits,
    seen_probability,
    visit_law,
)
from tabular.instances import chain_lock, garnet, two_bandits
from tabular.policies import BC, log_choice, paper_choice, postbc, posterior, uniform_noise
from tabular.strategies import distributions, estimators, instances
from theory.probability import multinomial_box_probability

GAMMAS = st.integers(1, 64).map(lambda n: n / 64)


@settings(max_examples=15)
@given(instances(max_horizon=2, max_states=2, max_actions=2), st.integers(1, 3), estimators(), GAMMAS)
def test_the_certificate_is_one_minus_the_failures_of_the_cells_over_all_data_sets(instance, n_demos, rule, gamma):
    pi_beta = oracles.exact(instance.demonstrator.tolist())
    law = oracles.law_of_counts(oracles.process_of(instance.mdp), pi_beta, n_demos)
    failures, together = Fraction(0), Fraction(0)
    for table, probability in law.items():
        failed = sum(
            not oracles.is_covered(
                oracles.estimator_row(table[h][s], rule.alpha, rule.prior_mass), pi_beta[h][s], Fraction(gamma)
            )
            for h, s in np.argwhere(instance.reachable)
        )
        failures += failed * probability
        together += (failed > 0) * probability
    found = certified_coverage_probability(instance.mdp, instance.demonstrator, n_demos, rule, gamma)
    assert_allclose(found, float(max(Fraction(0), 1 - failures)), rtol=0, atol=1e-11)
    assert found <= 1 - float(together) + 1e-11


@given(st.integers(0, 40), st.integers(1, 7).flatmap(lambda size: distributions((), size)), st.data())
def test_box_probabilities_are_those_of_the_convolution(n, p, data):
    m = np.array(data.draw(st.lists(st.integers(0, 8), min_size=p.size, max_size=p.size)))
    found = _kernels.box_probability(n, p, m, LOG_NEGLIGIBLE)
    assert_allclose(found, multinomial_box_probability(n, p, m), rtol=0, atol=1e-11)


def test_given_visits_agree_with_the_convolution_where_windows_cut():
    p, n = np.array([0.4, 0.3, 0.15, 0.1, 0.05]), np.array([0, 1, 17, 250, 900])
    found = covered_given_visits(n, p, BC, 0.7)
    truth = [multinomial_box_probability(int(k), p, np.ceil(0.7 * p * k - 1e-9).astype(int)) for k in n[1:]]
    assert_allclose(found[1:], truth, rtol=0, atol=1e-11)
    assert found[0] == 0.0  # uniform: 0.2 is below 0.7 * 0.4


@pytest.mark.parametrize(("n_demos", "w"), [(10**6, 0.7), (10**6, 1e-4), (20, 0.0), (20, 1.0)])
def test_the_law_of_the_visits_adds_up(n_demos, w):
    n, mass = visit_law(n_demos, w)
    assert_allclose(mass.sum(), 1.0, atol=1e-10)
    assert_allclose(mass @ n, n_demos * w, rtol=1e-9)


@pytest.mark.compiled
def test_a_million_demonstrations_agree_with_the_closed_form():
    row = np.array([0.7, 0.2, 0.0999, 0.0001])
    for w in (0.05, 0.5):
        found = cell_coverage_probability(10**6, w, row, BC, 1e-6)
        assert_allclose(found, seen_probability(10**6, w, row), rtol=1e-10)


@given(st.integers(1, 30), GAMMAS, estimators())
def test_bounded_cells_lose_nothing(n_demos, gamma, rule):
    lock = chain_lock(4, 3, 0.75, slip=0.125)
    pairs = zip(lock.occupancy.sum(axis=2)[lock.reachable], lock.demonstrator[lock.reachable], strict=True)
    exact = sum(1 - cell_coverage_probability(n_demos, min(1.0, float(w)), p, rule, gamma) for w, p in pairs)
    found = CellLaws.of(lock.mdp, lock.demonstrator, n_demos).failure_bound(rule, gamma)
    assert_allclose(found, exact, atol=1e-10)


@given(GAMMAS, GAMMAS, estimators())
def test_more_coverage_fails_no_less(one, other, rule):
    laws = CellLaws.of(chain_lock(3, 3, 0.75).mdp, chain_lock(3, 3, 0.75).demonstrator, 12)
    assert laws.failure_bound(rule, min(one, other)) <= laws.failure_bound(rule, max(one, other)) + 1e-11


@pytest.mark.compiled
@pytest.mark.parametrize("n_demos", [30, 300])
@pytest.mark.parametrize("name", ["Garnet", "chain lock"])
def test_certified_coverage_is_within_5_percent_of_the_sampled_and_never_above(name, n_demos, rng):
    """False alarm 1e-6 for each interval."""
    instance = garnet(5, 3, 2, 4, np.random.default_rng(3)) if name == "Garnet" else chain_lock(5, 3, 0.9, slip=0.05)
    H, S, A = instance.mdp.policy_shape
    for rule in (paper_choice(A, H, n_demos), uniform_noise(0.1), posterior(A), log_choice(S, A, H, 0.1)):
        certified = CellLaws.of(instance.mdp, instance.demonstrator, n_demos).gamma_star(rule, 0.1)
        sampled = sampled_gamma_star(
            instance.mdp, instance.demonstrator, n_demos, rule, 0.1, replicates=1000, confidence=1 - 1e-6, rng=rng
        )
        assert 0.95 * sampled.low <= certified <= sampled.high


MDP, PI = two_bandits(0.1)[0].mdp, two_bandits(0.1)[0].demonstrator
RULE = postbc(0.5, 2.0)
REFUSED = [
    (lambda: CellLaws.of(MDP, PI, 0), ValueError, "n_demos must be at least 1; got 0"),
    (lambda: CellLaws.of(MDP, PI[0], 1), ValueError, "demonstrator must have shape (1, 1, 3); got (1, 3)"),
    (lambda: CellLaws.of(MDP, PI, 1).failure_bound(RULE, 0.0), ValueError, "gamma must be above 0.0; got 0.0"),
    (lambda: CellLaws.of(MDP, PI, 1).failure_bound(0.5, 0.5), TypeError, "estimator must be an Estimator; got float"),
    (lambda: CellLaws.of(MDP, PI, 1).gamma_star(RULE, 1.0), ValueError, "delta must be below 1.0; got 1.0"),
    (lambda: certified_coverage_probability(MDP, PI, 1, RULE, 2), ValueError, "gamma must be at most 1.0; got 2.0"),
    (lambda: covered_given_visits([-1], [1.0], RULE, 0.5), ValueError, "visits must be at least 0; entry (0,) is -1"),
    (lambda: visit_law(0, 0.5), ValueError, "n_demos must be at least 1; got 0"),
    (lambda: sampled_gamma_star(MDP, PI, 1, RULE, 0.1, replicates=0, confidence=0.9, rng=np.random.default_rng(0)), ValueError, "replicates must be at least 1; got 0"),
    (lambda: sampled_gamma_star(MDP, PI, 1, None, 0.1, replicates=1, confidence=0.9, rng=np.random.default_rng(0)), TypeError, "estimator must be an Estimator; got NoneType"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


@given(st.integers(1, 40), st.integers(-2, 42), st.sampled_from([0.0, 0.01, 0.5, 0.75, 1.0]))
@example(5, -1, 0.5)
@example(5, 5, 0.5)
def test_binomial_laws_are_those_of_fractions(n, k, p):
    law = [float(oracles.binomial_pmf(n, j, Fraction(p))) for j in range(n + 1)]
    assert_allclose(_kernels.binomial_mass(k, n, p), law[k] if 0 <= k <= n else 0.0, rtol=1e-11, atol=1e-300)
    assert_allclose(_kernels.binomial_at_most(k, n, p), sum(law[: max(0, k + 1)]), rtol=0, atol=1e-13)
