import math
import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular import dp
from tabular.constructions import two_bandits, uniform_noise_trap
from tabular.counts import Counts
from tabular.coverage import coverage, coverage_where
from tabular.exact_coverage import (
    action_coverage_probability,
    cell_coverage_probability,
    required_counts,
    seen_probability,
)
from tabular.instances import chain_lock
from tabular.mdp import FiniteHorizonMDP
from tabular.policies import BC, MixtureEstimator, postbc, posterior, uniform_noise
from tabular.strategies import distributions, estimators, instances, mdps, policies
from tabular.unmixed_coverage import never_mixes, unmixed_coverage_probability

EXACT = {"rtol": 0, "atol": 1e-12}
GAMMAS = st.integers(1, 64).map(lambda n: n / 64)
VISIT_PROBABILITIES = st.integers(0, 8).map(lambda n: n / 8)


def rows(max_actions=3, min_actions=1):
    return st.integers(min_actions, max_actions).flatmap(lambda size: distributions((), size))


def with_policies(n):
    return mdps().flatmap(lambda mdp: st.tuples(st.just(mdp), *[policies(mdp)] * n))


# --- coverage of a policy ---------------------------------------------------------------------------------------------


@given(with_policies(2))
def test_coverage_is_the_smallest_ratio_and_at_most_one(drawn):
    _, pi, pi_beta = drawn
    ratios = [Fraction(q) / Fraction(p) for q, p in zip(pi.ravel(), pi_beta.ravel(), strict=True) if p > 0]
    assert coverage(pi, pi_beta) == float(min(1, *ratios))


@given(with_policies(2), GAMMAS)
def test_a_policy_covers_with_its_coverage_and_with_nothing_above(drawn, gamma):
    _, pi, pi_beta = drawn
    assert (gamma <= coverage(pi, pi_beta)) == bool((pi >= gamma * pi_beta).all())


@given(with_policies(1))
def test_a_policy_covers_itself_entirely(drawn):
    _, pi = drawn
    assert coverage(pi, pi) == 1


@given(with_policies(2), st.integers(0, 8))
def test_a_mixture_covers_each_part_with_its_share(drawn, eighths):
    _, pi, pi_beta = drawn
    a = eighths / 8
    assert coverage((1 - a) * pi + a * pi_beta, pi_beta) >= a


@given(with_policies(3), st.integers(0, 8))
def test_coverage_is_concave(drawn, eighths):
    _, one, other, pi_beta = drawn
    a = eighths / 8
    parts = (1 - a) * coverage(one, pi_beta) + a * coverage(other, pi_beta)
    assert coverage((1 - a) * one + a * other, pi_beta) >= parts - 1e-15


@given(with_policies(3))
def test_coverages_multiply_along_a_chain(drawn):
    _, one, two, three = drawn
    assert coverage(one, three) >= coverage(one, two) * coverage(two, three) - 1e-15


@given(with_policies(2))
def test_coverage_vanishes_exactly_where_an_action_of_the_demonstrator_is_never_played(drawn):
    _, pi, pi_beta = drawn
    assert (coverage(pi, pi_beta) == 0) == bool(((pi == 0) & (pi_beta > 0)).any())


@given(with_policies(2))
def test_unreachable_cells_do_not_count_where_asked(drawn):
    mdp, pi, pi_beta = drawn
    visited = dp.occupancy(mdp, pi_beta).sum(axis=2) > 0
    same_elsewhere = np.where(visited[..., None], pi, pi_beta)
    asked = coverage(pi, pi_beta, over="reachable", mdp=mdp)
    assert asked == coverage(same_elsewhere, pi_beta) == coverage_where(pi, pi_beta, visited)
    assert asked >= coverage(pi, pi_beta)


@given(with_policies(2))
def test_an_empty_mask_is_covered_entirely(drawn):
    _, pi, pi_beta = drawn
    assert coverage_where(pi, pi_beta, np.zeros(pi.shape[:2], bool)) == 1


@given(with_policies(2), st.randoms(use_true_random=False))
def test_coverage_does_not_depend_on_the_order_of_states_and_actions(drawn, random):
    _, pi, pi_beta = drawn
    s, a = list(range(pi.shape[1])), list(range(pi.shape[2]))
    random.shuffle(s)
    random.shuffle(a)
    assert coverage(pi[:, s][..., a], pi_beta[:, s][..., a]) == coverage(pi, pi_beta)


# --- required counts --------------------------------------------------------------------------------------------------


def smallest_count(n, p, alpha, mass, gamma, size):
    for k in range(n + 1):
        counts = [k, n - k] + [0] * (size - 2) if size > 1 else [k]
        if sum(counts) == n and oracles.estimator_row(counts, alpha, mass)[0] >= gamma * p:
            return k
    return n + 1


@given(rows(min_actions=2), estimators(), GAMMAS, st.lists(st.integers(0, 12), min_size=1, max_size=3))
@example(np.array([0.5, 0.5]), BC, 1.0, [2])
@example(np.array([1.0, 0.0]), uniform_noise(1.0), 1.0, [0, 3])
def test_required_counts_are_the_smallest_that_cover(row, rule, gamma, visits):
    found = required_counts(visits, row, rule, gamma)
    for i, n in enumerate(visits):
        assert found[i].tolist() == [
            smallest_count(n, Fraction(p), rule.alpha, rule.prior_mass, Fraction(gamma), row.size) for p in row.tolist()
        ]


@given(
    st.floats(0.01, 1),
    st.floats(0.05, 20),
    st.floats(0.01, 1),
    st.integers(1, 40),
    st.lists(st.floats(0.01, 1), min_size=2, max_size=3),
)
def test_required_counts_separate_the_policies_that_cover(alpha, mass, gamma, n, weights):
    row, rule = np.array(weights) / sum(weights), postbc(alpha, mass)
    needed = required_counts([n], row, rule, gamma)[0]
    for a, k in enumerate(needed):
        for count in {max(0, k - 1), min(k, n)}:
            other = (a + 1) % row.size
            cell = [count if b == a else n - count if b == other else 0 for b in range(row.size)]
            played = rule.policy(Counts([[cell]]))[0, 0, a]
            wanted = gamma * row[a]
            assert played >= wanted * (1 - 2e-12) if count >= k else played < wanted


@given(st.integers(1, 200), st.integers(0, 200))
@example(100, 7)  # 100 * 0.07 is above 7 in floating point
@example(10, 10)
def test_a_count_that_reaches_the_threshold_exactly_covers_whatever_the_rounding(n, k):
    k = min(k, n)
    assert required_counts([n], [k / n, 1 - k / n], BC, 1.0)[0, 0] == k


# --- exact probabilities ----------------------------------------------------------------------------------------------


def enumerated(n_demos, w, row, rule, gamma, which=None):
    """Probability over all data sets that the cell (or one of its actions) is covered."""
    p = oracles.exact(row.tolist())
    total = Fraction(0)
    for counts, probability in oracles.cell_law(n_demos, Fraction(w), p):
        played = oracles.estimator_row(list(counts), rule.alpha, rule.prior_mass)
        chosen = range(len(p)) if which is None else [which]
        if all(played[a] >= Fraction(gamma) * p[a] for a in chosen):
            total += probability
    return float(total)


@given(st.integers(1, 6), VISIT_PROBABILITIES, rows(), estimators(), GAMMAS)
@example(2, 1.0, np.array([0.5, 0.5]), BC, 1.0)
@example(6, 0.0, np.array([0.125, 0.875]), BC, 1.0)
@example(5, 1.0, np.array([1.0, 0.0]), uniform_noise(1.0), 0.5)
def test_cell_coverage_is_that_of_all_data_sets(n_demos, w, row, rule, gamma):
    assert_allclose(
        cell_coverage_probability(n_demos, w, row, rule, gamma), enumerated(n_demos, w, row, rule, gamma), **EXACT
    )


@given(st.integers(1, 8), VISIT_PROBABILITIES, st.integers(0, 8), st.integers(2, 4), estimators(), GAMMAS)
@example(8, 1.0, 0, 2, BC, 1.0)
@example(8, 1.0, 8, 2, BC, 1.0)
def test_action_coverage_is_that_of_all_data_sets(n_demos, w, eighths, n_actions, rule, gamma):
    p = eighths / 8
    row = np.array([p, 1 - p] + [0.0] * (n_actions - 2))  # how the other actions share 1 - p plays no role
    found = action_coverage_probability(n_demos, w, p, n_actions, rule, gamma)
    assert_allclose(found, enumerated(n_demos, w, row, rule, gamma, which=0), **EXACT)


@given(st.integers(1, 7), VISIT_PROBABILITIES, rows())
def test_seeing_every_action_is_bc_covering_at_all(n_demos, w, row):
    total = Fraction(0)
    for counts, probability in oracles.cell_law(n_demos, Fraction(w), oracles.exact(row.tolist())):
        if not any(counts) or all(k > 0 for k, p in zip(counts, row, strict=True) if p > 0):
            total += probability
    assert_allclose(seen_probability(n_demos, w, row), float(total), **EXACT)
    assert_allclose(cell_coverage_probability(n_demos, w, row, BC, 1e-9), float(total), **EXACT)


@settings(max_examples=15)
@given(instances(max_horizon=2, max_states=2, max_actions=2), st.integers(1, 3), estimators(), GAMMAS)
def test_cell_coverage_in_a_process_is_that_of_all_its_data_sets(instance, n_demos, rule, gamma):
    mdp, pi_beta = instance.mdp, oracles.exact(instance.demonstrator.tolist())
    law = oracles.law_of_counts(oracles.process_of(mdp), pi_beta, n_demos)
    for h, s in np.ndindex(mdp.horizon, mdp.n_states):
        covered = sum(
            probability
            for table, probability in law.items()
            if oracles.is_covered(
                oracles.estimator_row(table[h][s], rule.alpha, rule.prior_mass), pi_beta[h][s], Fraction(gamma)
            )
        )
        w = min(1.0, instance.occupancy[h, s].sum())
        found = cell_coverage_probability(n_demos, w, instance.demonstrator[h, s], rule, gamma)
        assert_allclose(found, float(covered), **EXACT)


@given(st.integers(1, 6), VISIT_PROBABILITIES, rows(min_actions=2), estimators(), GAMMAS)
def test_a_cell_is_covered_no_more_often_than_each_action_and_no_less_than_their_union_bound(n, w, row, rule, gamma):
    cell = cell_coverage_probability(n, w, row, rule, gamma)
    actions = [action_coverage_probability(n, w, p, row.size, rule, gamma) for p in row]
    assert 1 - sum(1 - p for p in actions) - 1e-12 <= cell <= min(actions) + 1e-12


@given(st.integers(1, 20), st.floats(0, 1), rows(), estimators(), GAMMAS, GAMMAS)
@example(4, 2.3e-308, np.array([1.0]), BC, 0.25, 0.5)
@example(1000, 1e-306, np.array([0.5, 0.5]), BC, 0.25, 0.5)
@example(1000, 1.0, np.array([1e-306, 1.0]), BC, 0.25, 0.5)
@example(1000, 1.0, np.array([1.0, 2.3e-308]), BC, 0.25, 0.5)
def test_cell_coverage_probability_does_not_grow_with_gamma(n_demos, w, row, rule, one, other):
    small, large = sorted([one, other])
    easy, hard = (cell_coverage_probability(n_demos, w, row, rule, gamma) for gamma in (small, large))
    assert 0 <= hard <= easy + 1e-12 <= 1 + 1e-12


@given(st.integers(1, 30), st.floats(0, 1), rows(), st.randoms(use_true_random=False))
def test_cell_coverage_does_not_depend_on_the_order_of_the_actions(n_demos, w, row, random):
    shuffled = row.tolist()
    random.shuffle(shuffled)
    rule = posterior(1.5)
    assert_allclose(seen_probability(n_demos, w, shuffled), seen_probability(n_demos, w, row), **EXACT)
    assert_allclose(
        cell_coverage_probability(n_demos, w, shuffled, rule, 0.25),
        cell_coverage_probability(n_demos, w, row, rule, 0.25),
        **EXACT,
    )


@pytest.mark.parametrize(
    ("n_demos", "w"), [(10**12, 1e-12), (10**12, 3e-13), (10**15, 1e-15), (10**6, 1e-4), (50, 0.3)]
)
def test_cell_coverage_is_accurate_for_rare_cells_and_many_demonstrations(n_demos, w):
    unvisited, one_missed = oracles.power_of_complement(w, n_demos), oracles.power_of_complement(w / 2, n_demos)
    truth = unvisited + 1 - 2 * one_missed + unvisited
    assert_allclose(seen_probability(n_demos, w, [0.5, 0.5]), truth, rtol=1e-12)
    assert_allclose(action_coverage_probability(n_demos, w, 0.5, 2, BC, 1e-6), 1 - one_missed + unvisited, rtol=1e-9)


# --- a whole process --------------------------------------------------------------------------------------------------


def covered_in_enumeration(mdp, demonstrator, n_demos, rule, gamma):
    """Probability over all data sets that every cell on the way of the demonstrator is covered."""
    pi_beta = oracles.exact(demonstrator.tolist())
    together, _ = oracles.coverage_law(
        oracles.process_of(mdp), pi_beta, n_demos, rule.alpha, rule.prior_mass, Fraction(gamma)
    )
    return float(together)


@st.composite
def unmixed(draw):
    """States are relabelled in every step, whatever is played."""
    H, S, A = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    relabelled = [draw(st.permutations(range(S))) for _ in range(H)]
    successors = np.repeat(np.array(relabelled)[:, :, None, None], A, axis=2)
    mdp = FiniteHorizonMDP(successors, np.ones(successors.shape), np.zeros((1, S, A)), draw(distributions((), S)), H)
    return mdp, draw(policies(mdp))


@given(mdps().flatmap(lambda mdp: st.tuples(st.just(mdp), policies(mdp))))
def test_states_mix_where_two_paths_part_or_meet(drawn):
    mdp, pi_beta = drawn
    paths = [
        tuple(s for s, _ in path)
        for _, path in oracles.trajectories(oracles.process_of(mdp), oracles.exact(pi_beta.tolist()))
    ]
    apart = all(
        one == other or all(s != t for s, t in zip(one, other, strict=True)) for one in paths for other in paths
    )
    assert never_mixes(mdp, pi_beta) == apart


@settings(max_examples=25)
@given(unmixed(), st.integers(1, 3), estimators(), GAMMAS)
def test_coverage_of_a_process_that_never_mixes_is_that_of_all_its_data_sets(drawn, n_demos, rule, gamma):
    mdp, pi_beta = drawn
    found = unmixed_coverage_probability(mdp, pi_beta, n_demos, rule, gamma)
    assert_allclose(found, covered_in_enumeration(mdp, pi_beta, n_demos, rule, gamma), **EXACT)


@pytest.mark.parametrize("rule", [BC, uniform_noise(0.25), posterior(2.0), postbc(0.5, 4.0)])
@pytest.mark.parametrize("gamma", [1 / 64, 0.25, 0.5])
def test_coverage_of_the_papers_constructions_is_that_of_all_their_data_sets(rule, gamma):
    for instance, n_demos in ((uniform_noise_trap(1 / 8, 2, 2), 3), (two_bandits(1 / 8)[0], 5)):
        found = unmixed_coverage_probability(instance.mdp, instance.demonstrator, n_demos, rule, gamma)
        assert_allclose(
            found, covered_in_enumeration(instance.mdp, instance.demonstrator, n_demos, rule, gamma), **EXACT
        )


@given(st.integers(1, 12), rows(), estimators(), GAMMAS)
def test_a_process_of_one_cell_is_covered_as_that_cell_is(n_demos, row, rule, gamma):
    A = row.size
    mdp = FiniteHorizonMDP(np.zeros((1, 1, A, 1), int), np.ones((1, 1, A, 1)), np.zeros((1, 1, A)), [1.0], 1)
    found = unmixed_coverage_probability(mdp, row[None, None], n_demos, rule, gamma)
    assert_allclose(found, cell_coverage_probability(n_demos, 1.0, row, rule, gamma), **EXACT)


def test_a_process_whose_states_mix_is_refused():
    lock = chain_lock(3, 2, 0.5)
    with pytest.raises(
        ValueError, match="mdp must keep its states apart under the demonstrator; they mix after step 0"
    ):
        unmixed_coverage_probability(lock.mdp, lock.demonstrator, 5, BC, 0.5)
    meeting = FiniteHorizonMDP(np.zeros((1, 2, 1, 1), int), np.ones((1, 2, 1, 1)), np.zeros((1, 2, 1)), [0.5, 0.5], 2)
    with pytest.raises(ValueError, match="they mix after step 0"):
        unmixed_coverage_probability(meeting, np.ones((2, 2, 1)), 5, BC, 0.5)


def test_coverage_after_a_hundred_visits_has_its_closed_form():
    row = np.array([0.7, 0.2, 0.1])
    assert_allclose(cell_coverage_probability(100, 0.9, row, BC, 1e-6), seen_probability(100, 0.9, row), rtol=1e-12)


# --- refusals ---------------------------------------------------------------------------------------------------------


def half(*shape):
    return np.full(shape, 0.5)


SMALL = FiniteHorizonMDP.from_dense(half(2, 2, 2), np.zeros((2, 2)), [1, 0], 3)
COVERAGE_REFUSED = [
    (coverage, (half(3, 2, 2), half(2, 2)), {}, ValueError, "demonstrator must have shape (H, S, A); got (2, 2)"),
    (coverage, (half(3, 2, 2), [[[1.0], [0.5, 0.5]]]), {}, ValueError, "demonstrator must be a rectangular array"),
    (coverage, (half(2, 2, 2), half(3, 2, 2)), {}, ValueError, "policy must have shape (3, 2, 2); got (2, 2, 2)"),
    (coverage, (half(3, 2, 2), 2 * half(3, 2, 2)), {}, ValueError, "demonstrator rows must sum to 1; row (0, 0) sums to 2"),
    (coverage, (np.full((3, 2, 2), np.nan), half(3, 2, 2)), {}, ValueError, "policy must be finite; entry (0, 0, 0) is nan"),
    (coverage, (half(3, 2, 2), half(3, 2, 2)), {"over": "some"}, ValueError, "over must be one of 'all', 'reachable'; got 'some'"),
    (coverage, (half(3, 2, 2), half(3, 2, 2)), {"over": "reachable"}, ValueError, "mdp must be given where over='reachable'"),
    (coverage, (half(2, 2, 2), half(2, 2, 2)), {"over": "reachable", "mdp": SMALL}, ValueError, "demonstrator must have shape (3, 2, 2); got (2, 2, 2)"),
    (coverage_where, (half(3, 2, 2), half(2, 2), np.ones((3, 2), bool)), {}, ValueError, "demonstrator must have shape (H, S, A); got (2, 2)"),
    (coverage_where, (half(3, 2, 2), half(3, 2, 2), np.ones((3, 2))), {}, ValueError, "included must be boolean of shape (3, 2); got float64 of shape (3, 2)"),
    (coverage_where, (half(3, 2, 2), half(3, 2, 2), np.ones(3, bool)), {}, ValueError, "included must be boolean of shape (3, 2); got bool of shape (3,)"),
    (coverage_where, (half(3, 2, 2), half(3, 2, 2), [[True], [True, False]]), {}, ValueError, "included must be a rectangular array"),
]  # fmt: skip
PAIR = [0.5, 0.5]
RULE = MixtureEstimator(0.5, 2.0)
PROBABILITY_REFUSED = [
    (required_counts, ([1.0], PAIR, RULE, 0.5), TypeError, "visits must hold integers; its dtype is float64"),
    (required_counts, ([-1], PAIR, RULE, 0.5), ValueError, "visits must be at least 0; entry (0,) is -1"),
    (required_counts, ([[1]], PAIR, RULE, 0.5), ValueError, "visits must have shape (any,); got (1, 1)"),
    (required_counts, ([1], [0.5, 0.6], RULE, 0.5), ValueError, "action_probabilities rows must sum to 1; it sums to 1.1"),
    (required_counts, ([1], [[1.0]], RULE, 0.5), ValueError, "action_probabilities must have shape (any,); got (1, 1)"),
    (required_counts, ([1], PAIR, RULE, 0.0), ValueError, "gamma must be above 0.0; got 0.0"),
    (required_counts, ([1], PAIR, RULE, 1.5), ValueError, "gamma must be at most 1.0; got 1.5"),
    (required_counts, ([1], PAIR, RULE, math.nan), ValueError, "gamma must be finite; got nan"),
    (required_counts, ([1], PAIR, 0.5, 0.5), TypeError, "estimator must be a MixtureEstimator, because only that family has a closed form; got float"),
    (action_coverage_probability, (0, 0.5, 0.5, 2, RULE, 0.5), ValueError, "n_demos must be at least 1; got 0"),
    (action_coverage_probability, (True, 0.5, 0.5, 2, RULE, 0.5), TypeError, "n_demos must be an integer; got True"),
    (action_coverage_probability, (5, 1.5, 0.5, 2, RULE, 0.5), ValueError, "visit_probability must be at most 1.0; got 1.5"),
    (action_coverage_probability, (5, -0.5, 0.5, 2, RULE, 0.5), ValueError, "visit_probability must be at least 0.0; got -0.5"),
    (action_coverage_probability, (5, math.nan, 0.5, 2, RULE, 0.5), ValueError, "visit_probability must be finite; got nan"),
    (action_coverage_probability, (5, 0.5, 1.5, 2, RULE, 0.5), ValueError, "action_probability must be at most 1.0; got 1.5"),
    (action_coverage_probability, (5, 0.5, "p", 2, RULE, 0.5), TypeError, "action_probability must be a number; got 'p'"),
    (action_coverage_probability, (5, 0.5, 0.5, 1, RULE, 0.5), ValueError, "n_actions must be at least 2; got 1"),
    (action_coverage_probability, (5, 0.5, 0.5, 2, RULE, -1), ValueError, "gamma must be above 0.0; got -1.0"),
    (action_coverage_probability, (5, 0.5, 0.5, 2, None, 0.5), TypeError, "estimator must be a MixtureEstimator, because only that family has a closed form; got NoneType"),
    (cell_coverage_probability, (0, 0.5, PAIR, RULE, 0.5), ValueError, "n_demos must be at least 1; got 0"),
    (cell_coverage_probability, (5, 2, PAIR, RULE, 0.5), ValueError, "visit_probability must be at most 1.0; got 2.0"),
    (cell_coverage_probability, (5, 0.5, [1.5, -0.5], RULE, 0.5), ValueError, "action_probabilities must be non-negative; entry (1,) is -0.5"),
    (cell_coverage_probability, (5, 0.5, [], RULE, 0.5), ValueError, "action_probabilities rows must sum to 1; it sums to 0"),
    (cell_coverage_probability, (5, 0.5, PAIR, RULE, 2), ValueError, "gamma must be at most 1.0; got 2.0"),
    (unmixed_coverage_probability, (SMALL, half(3, 2, 2), 0, RULE, 0.5), ValueError, "n_demos must be at least 1; got 0"),
    (unmixed_coverage_probability, (SMALL, half(2, 2, 2), 1, RULE, 0.5), ValueError, "demonstrator must have shape (3, 2, 2); got (2, 2, 2)"),
    (unmixed_coverage_probability, (two_bandits(0.1)[0].mdp, np.ones((1, 1, 3)) / 3, 2, RULE, 0.0), ValueError, "gamma must be above 0.0; got 0.0"),
    (unmixed_coverage_probability, (two_bandits(0.1)[0].mdp, np.ones((1, 1, 3)) / 3, 2, "BC", 0.5), TypeError, "estimator must be a MixtureEstimator, because only that family has a closed form; got str"),
    (seen_probability, (0, 0.5, PAIR), ValueError, "n_demos must be at least 1; got 0"),
    (seen_probability, (2.0, 0.5, PAIR), TypeError, "n_demos must be an integer; got 2.0"),
    (seen_probability, (5, 1.5, PAIR), ValueError, "visit_probability must be at most 1.0; got 1.5"),
    (seen_probability, (5, 0.5, [np.inf, 0]), ValueError, "action_probabilities must be finite; entry (0,) is inf"),
    (seen_probability, (5, 0.5, np.full(32, 1 / 32)), ValueError, "action_probabilities must have at most 20 positive entries; got 32"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments", "options", "error", "message"), COVERAGE_REFUSED)
def test_bad_arguments_of_coverage_are_refused(function, arguments, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        function(*arguments, **options)


@pytest.mark.parametrize(("function", "arguments", "error", "message"), PROBABILITY_REFUSED)
def test_bad_arguments_of_the_exact_probabilities_are_refused(function, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        function(*arguments)
