import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from tabular.certificates import CellLaws, certified_coverage_probability
from tabular.constructions import two_bandits
from tabular.exact_coverage import (
    cell_coverage_probability,
    covered_given_visits,
    required_counts,
    seen_probability,
    visit_law,
)
from tabular.instances import chain_lock
from tabular.kernels import laws_of_counts
from tabular.one_cell import LOG_NEGLIGIBLE, TIE
from tabular.policies import BC, postbc
from tabular.strategies import distributions, estimators, instances
from theory.base import validate
from theory.statistics.probability import multinomial_box_probability

GAMMAS = st.integers(1, 64).map(lambda n: n / 64)


@settings(max_examples=15)
@given(instances(max_horizon=2, max_states=2, max_actions=2), st.integers(1, 3), estimators(), GAMMAS)
def test_the_certificate_is_one_minus_the_failures_of_the_cells_over_all_data_sets(instance, n_demos, rule, gamma):
    pi_beta = oracles.exact(instance.demonstrator.tolist())
    together, failures = oracles.coverage_law(
        oracles.process_of(instance.mdp), pi_beta, n_demos, rule.alpha, rule.prior_mass, Fraction(gamma)
    )
    found = certified_coverage_probability(instance.mdp, instance.demonstrator, n_demos, rule, gamma)
    assert_allclose(found, float(max(Fraction(0), 1 - failures)), rtol=0, atol=1e-12)
    assert found <= float(together) + 1e-12


@given(st.integers(0, 40), st.integers(1, 7).flatmap(lambda size: distributions((), size)), st.data())
def test_box_probabilities_are_those_of_the_convolution(n, p, data):
    m = np.array(data.draw(st.lists(st.integers(0, 8), min_size=p.size, max_size=p.size)))
    found = laws_of_counts.box_probability(n, p, m, LOG_NEGLIGIBLE)
    assert_allclose(found, multinomial_box_probability(n, p, m), rtol=0, atol=1e-12)


def test_given_visits_agree_with_the_convolution_where_windows_cut():
    p, n = np.array([0.4, 0.3, 0.15, 0.1, 0.05]), np.array([0, 1, 17, 250, 900])
    found = covered_given_visits(n, p, BC, 0.7)
    truth = [multinomial_box_probability(int(k), p, np.ceil(0.7 * p * k - 1e-9).astype(int)) for k in n[1:]]
    assert_allclose(found[1:], truth, rtol=0, atol=1e-12)
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
        assert_allclose(found, seen_probability(10**6, w, row), rtol=0, atol=1e-13)
        laws = CellLaws(
            n_demos=10**6, visit_probability=np.array([w]), action_probabilities=row[None], repeats=np.array([1])
        )
        assert_allclose(1 - laws.failure_bound(BC, 1e-6), found, rtol=0, atol=1e-13)


@given(st.integers(1, 30), GAMMAS, estimators())
def test_bounding_instead_of_computing_small_failures_changes_a_certificate_by_at_most_1e_12(n_demos, gamma, rule):
    lock = chain_lock(4, 3, 0.75, slip=0.125)
    pairs = zip(lock.occupancy.sum(axis=2)[lock.reachable], lock.demonstrator[lock.reachable], strict=True)
    exact = sum(1 - cell_coverage_probability(n_demos, min(1.0, float(w)), p, rule, gamma) for w, p in pairs)
    laws = CellLaws.of(lock.mdp, lock.demonstrator, n_demos)
    found = laws.failure_bound(rule, gamma)
    assert_allclose(found, exact, rtol=0, atol=1e-12)
    for enough in (0.0, exact / 2, exact + 0.01, 100.0):
        assert (laws.failure_bound(rule, gamma, enough=enough) > enough) == (found > enough)


@given(st.integers(0, 60), st.integers(1, 40), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), estimators(), GAMMAS)
@example(0, 40, 0.5, BC, 1.0)
@example(30, 40, 0.9, postbc(1.0, 0.5), 1.0)
def test_failures_of_an_action_are_binomial_tails(low, size, p, rule, gamma):
    n = np.arange(low, low + size)
    needed = required_counts(n, [p, 1 - p], rule, gamma)[:, 0]
    out = np.empty(size)
    weight = validate.frozen(rule.noise_weight(n))
    laws_of_counts._action_failures(low, weight, p, gamma * p * (1 - TIE), 2, out)
    assert_allclose(out, stats.binom.cdf(needed - 1, n, p), rtol=0, atol=1e-13)


@given(st.integers(1, 60), st.floats(0, 1), distributions((), 4), estimators(), GAMMAS)
@example(60, 1.0, np.array([0.4, 0.3, 0.2, 0.1]), postbc(0.5, 2.0), 0.9)
def test_bounds_enclose_the_failure_of_a_cell(n_demos, w, p, rule, gamma):
    exact = 1 - cell_coverage_probability(n_demos, w, p, rule, gamma)
    low, high = np.zeros(1), np.ones(1)
    laws_of_counts.cell_failures(
        np.array([0]), n_demos, np.array([w]), p[None], np.ones((1, 4)), np.array([1]), rule.alpha, rule.prior_mass,
        gamma * (1 - TIE), LOG_NEGLIGIBLE, 1e-17, False, np.inf, low, high,
    )  # fmt: skip
    assert low[0] - 1e-12 <= exact <= high[0] + 1e-12
    assert high[0] <= 4 * low[0] + 1e-12


@given(GAMMAS, GAMMAS, estimators())
def test_the_failure_bound_does_not_fall_with_the_coverage_asked_for(one, other, rule):
    laws = CellLaws.of(chain_lock(3, 3, 0.75).mdp, chain_lock(3, 3, 0.75).demonstrator, 12)
    assert laws.failure_bound(rule, min(one, other)) <= laws.failure_bound(rule, max(one, other)) + 1e-12


MDP, PI = two_bandits(0.1)[0].mdp, two_bandits(0.1)[0].demonstrator
RULE = postbc(0.5, 2.0)
REFUSED = [
    (lambda: CellLaws.of(MDP, PI, 0), ValueError, "n_demos must be at least 1; got 0"),
    (lambda: CellLaws.of(MDP, PI[0], 1), ValueError, "demonstrator must have shape (1, 1, 3); got (1, 3)"),
    (lambda: CellLaws.of(MDP, PI, 1).failure_bound(RULE, 0.0), ValueError, "gamma must be above 0.0; got 0.0"),
    (lambda: CellLaws.of(MDP, PI, 1).failure_bound(0.5, 0.5), TypeError, "estimator must be a MixtureEstimator, because only that family has a closed form; got float"),
    (lambda: certified_coverage_probability(MDP, PI, 1, RULE, 2), ValueError, "gamma must be at most 1.0; got 2.0"),
    (lambda: covered_given_visits([-1], [1.0], RULE, 0.5), ValueError, "visits must be at least 0; entry (0,) is -1"),
    (lambda: visit_law(0, 0.5), ValueError, "n_demos must be at least 1; got 0"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_bad_arguments_of_certificates_are_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


@given(st.integers(1, 40), st.integers(-2, 42), st.sampled_from([0.0, 0.01, 0.5, 0.75, 1.0]))
@example(5, -1, 0.5)
@example(5, 5, 0.5)
def test_binomial_laws_are_those_of_fractions(n, k, p):
    law = [float(oracles.binomial_pmf(n, j, Fraction(p))) for j in range(n + 1)]
    assert_allclose(laws_of_counts.binomial_mass(k, n, p), law[k] if 0 <= k <= n else 0.0, rtol=1e-11, atol=1e-300)
    assert_allclose(laws_of_counts.binomial_at_most(k, n, p), sum(law[: max(0, k + 1)]), rtol=0, atol=1e-13)
