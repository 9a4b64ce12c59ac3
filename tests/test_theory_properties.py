"""Search for instances that break a bound, judged by exact probabilities over all data sets.

Corrected and companion bounds must survive the search; the bounds that are false as printed must not survive the same one.
"""

import math
from fractions import Fraction
from itertools import product

from hypothesis import find, given, settings
from hypothesis import strategies as st

from theory.bounds import (
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
from theory.engines.enumeration import (
    SmallInstance,
    binomial,
    count_actions,
    coverage_probability,
    data_sets,
    expected_value,
    mixed_policy,
    occupancy,
    value,
)
from theory.proofs.b2_cases import event, rare_state
from theory.proofs.b4_cases import constant_estimator
from theory.proofs.coverage_cases import all_arms_seen

ROUNDING = 1 + 1e-12
SEARCH = settings(max_examples=20_000, database=None, derandomize=True, deadline=None)
DELTAS = st.fractions(Fraction(1, 100), Fraction(9, 10), max_denominator=100)
ALPHAS = st.fractions(0, 1, max_denominator=8)
MASSES = st.one_of(st.none(), st.fractions(Fraction(1, 8), 12, max_denominator=8))


def rows(size, grain=8):
    """Distributions in multiples of 1/grain, zeros and certainties included."""
    cuts = st.lists(st.integers(0, grain), min_size=size - 1, max_size=size - 1)
    return cuts.map(
        lambda c: tuple(Fraction(b - a, grain) for a, b in zip([0, *sorted(c)], [*sorted(c), grain], strict=True))
    )


@st.composite
def instances(draw, max_horizon=2, max_states=2, n_actions=2):
    horizon, n_states = draw(st.integers(1, max_horizon)), draw(st.integers(1, max_states))
    scores = st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(1)])

    def table(strategy):
        return tuple(tuple(draw(strategy) for _ in range(n_states)) for _ in range(horizon))

    moves = tuple(
        tuple(tuple(draw(rows(n_states)) for _ in range(n_actions)) for _ in range(n_states))
        for _ in range(horizon - 1)
    )
    return SmallInstance(
        initial=draw(rows(n_states)),
        transitions=moves,
        reward=table(st.tuples(*[scores] * n_actions)),
        demonstrator=table(rows(n_actions)),
    )


def as_float(levels):
    return [[float(w) for w in level] for level in levels]


def mass_of(prior_mass):
    return math.inf if prior_mass is None else float(prior_mass)


def gap(instance, n_demos, alpha, prior_mass):
    return value(instance, instance.demonstrator) - expected_value(instance, n_demos, alpha, prior_mass)


# --- suboptimality ----------------------------------------------------------------------------------------------------


@given(instances(), st.integers(1, 3), ALPHAS, MASSES)
def test_no_instance_breaks_r1_in_either_direction(instance, n_demos, alpha, prior_mass):
    bound = r1_suboptimality.r1_bound(
        as_float(occupancy(instance, instance.demonstrator)), 2, n_demos, float(alpha), mass_of(prior_mass)
    )
    assert abs(gap(instance, n_demos, alpha, prior_mass)) <= bound * ROUNDING + 1e-15


def main_gap(instance, n_demos):
    horizon, n_states, n_actions = instance.shape
    alpha, mass = b3_suboptimality.paper_parameters(n_actions, horizon, n_demos)
    return gap(instance, n_demos, Fraction(alpha), Fraction(mass)), (n_states, horizon, n_demos)


@given(instances(), st.integers(2, 3))
def test_no_instance_breaks_the_main_theorem_from_two_demonstrations_on(instance, n_demos):
    loss, sizes = main_gap(instance, n_demos)
    assert loss <= b3_suboptimality.MAIN_CONSTANT * b3_suboptimality.paper_rate(*sizes)
    assert loss <= b3_suboptimality.main_bound(sizes[0], 2, sizes[1], n_demos)


def test_a_search_breaks_the_main_theorem_as_printed():
    def broken(case):
        loss, sizes = main_gap(*case)
        return loss > 10**6 * b3_suboptimality.paper_rate(*sizes)

    _, n_demos = find(st.tuples(instances(), st.integers(1, 3)), broken, settings=SEARCH)
    assert n_demos == 1


@given(instances(), st.integers(1, 3), ALPHAS, st.fractions(0, 6, max_denominator=4))
def test_no_instance_breaks_lemma_two(instance, n_demos, alpha, extra):
    horizon, n_states, _ = instance.shape
    mass = Fraction(4 * math.log(horizon * n_demos)) + extra + Fraction(1, 8)
    loss = expected_value(instance, n_demos, Fraction(0), None) - expected_value(instance, n_demos, alpha, mass)
    assert loss <= b3_suboptimality.lemma2_bound(n_states, horizon, n_demos, float(alpha), float(mass)) * ROUNDING
    assert (
        loss <= 4 * b3_suboptimality.paper_lemma2_rate(n_states, horizon, n_demos, float(alpha), float(mass)) * ROUNDING
    )


# --- visits -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 40), st.fractions(0, 1, max_denominator=20), DELTAS)
def test_no_binomial_breaks_lemma_three_with_the_prior_mass_of_r5(n_demos, w, delta):
    mass = r5_sharp_failures.r5_visits_prior_mass(1, 1, float(delta))
    failures = sum(
        q for n, q in enumerate(binomial(n_demos, w)) if n + mass < (float(w) * n_demos + mass) / 2 * (1 - 1e-12)
    )
    assert failures <= delta


def unseen(instance, n_demos):
    """Expected number of unseen states that the demonstrator meets: at least the probability that it meets one."""
    levels = occupancy(instance, instance.demonstrator)
    return sum(w * (1 - w) ** n_demos for level in levels for w in level)


@given(instances(max_states=4, max_horizon=3), st.integers(1, 12))
def test_no_instance_breaks_the_sharp_form_of_lemma_four(instance, n_demos):
    horizon, n_states, _ = instance.shape
    assert unseen(instance, n_demos) <= b3_visits.first_visit_bound(n_states, horizon, n_demos) * ROUNDING


def test_a_search_breaks_lemma_four_as_printed_at_one_demonstration():
    def broken(case):
        instance, n_demos = case
        horizon, n_states, _ = instance.shape
        meets = unseen(instance, n_demos) if horizon == 1 else 0  # one step: the expectation is the probability
        return meets > b3_visits.paper_first_visit_bound(n_states, horizon, n_demos)

    assert find(st.tuples(instances(), st.integers(1, 12)), broken, settings=SEARCH)[1] == 1


# --- coverage ---------------------------------------------------------------------------------------------------------

CELLS = st.integers(2, 3).flatmap(rows)


def rounded_down(values):
    return tuple(Fraction(v) * (1 - Fraction(1, 10**12)) for v in values)


@given(CELLS, st.integers(0, 14), DELTAS, ALPHAS, st.fractions(1, 4, max_denominator=4))
def test_no_bandit_breaks_the_corrected_lemma_one_or_r2(row, n_demos, delta, alpha, factor):
    n_actions = len(row)
    mass = float(n_actions * factor)
    lemma = rounded_down(
        b3_coverage.lemma1_bound(float(p), float(alpha), mass, 1, n_actions, 1, float(delta)) for p in row
    )
    gamma = Fraction(r2_coverage.r2_coverage(1, n_actions, 1, float(delta), float(alpha), mass))
    for floor in (lemma, rounded_down(gamma * p for p in row)):
        assert coverage_probability(row, n_demos, alpha, Fraction(mass), floor) >= 1 - delta


@given(CELLS, st.integers(0, 14), DELTAS, ALPHAS, MASSES)
def test_no_bandit_breaks_r3(row, n_demos, delta, alpha, prior_mass):
    gamma = Fraction(r3_coverage.r3_coverage(1, len(row), 1, float(delta), float(alpha), mass_of(prior_mass)))
    floor = rounded_down(gamma * p for p in row)
    assert coverage_probability(row, n_demos, alpha, prior_mass, floor) >= 1 - delta


def covers(instance, policy, floor):
    horizon, n_states, n_actions = instance.shape
    return all(
        policy[h][s][a] >= floor(h, s, a) for h, s, a in product(range(horizon), range(n_states), range(n_actions))
    )


def demonstrated(instance, h, s, a):
    return instance.demonstrator[h][s][a]


@given(instances(), st.integers(1, 3), DELTAS, ALPHAS)
def test_no_process_breaks_lemma_one_corrected_r2_or_r3(instance, n_demos, delta, alpha):
    horizon, n_states, n_actions = instance.shape
    sizes = (n_states, n_actions, horizon, float(delta))
    mass = 2.0
    weight = float(alpha)
    r2, r3 = r2_coverage.r2_coverage(*sizes, weight, mass), r3_coverage.r3_coverage(*sizes, weight, mass)
    floors = [
        lambda p: float(p) * r2,
        lambda p: float(p) * r3,
        lambda p: b3_coverage.lemma1_bound(float(p), weight, mass, *sizes),
    ]
    missed = [Fraction(0)] * len(floors)
    for data, chance in data_sets(instance, n_demos):
        policy = mixed_policy(count_actions(instance, data), alpha, Fraction(mass))
        for i, floor in enumerate(floors):
            if not covers(instance, policy, lambda *cell, floor=floor: floor(demonstrated(instance, *cell)) / ROUNDING):
                missed[i] += chance
    assert max(missed) <= delta


def coupons():
    """Bandits with many arms of which some are used evenly, and a number of demonstrations about as large."""
    return st.integers(40, 400).flatmap(
        lambda a: st.tuples(st.just(a), st.integers(max(2, a // 8), a // 2), st.integers(a // 2, 2 * a))
    )


def lemma_one_fails_too_often(case, bound):
    """With lambda = A and alpha = 1: an arm that never occurs breaks the bound, one that occurs once does not."""
    n_actions, used, n_demos = case
    if not 1 / (n_demos + n_actions) < bound(n_actions, used) * (1 - 1e-9) <= 2 / (n_demos + n_actions):
        return False
    return all_arms_seen(used, n_demos) < Fraction(1, 10)


def test_a_search_breaks_lemma_one_as_printed_and_not_as_corrected():
    def printed(n_actions, used):
        return b3_coverage.paper_lemma1_bound(1 / used, 1.0, n_actions, 1, 1, 0.9)

    def corrected(n_actions, used):
        return b3_coverage.lemma1_bound(1 / used, 1.0, n_actions, 1, n_actions, 1, 0.9)

    found = find(coupons(), lambda case: lemma_one_fails_too_often(case, printed), settings=SEARCH)
    assert not lemma_one_fails_too_often(found, corrected)


@given(coupons())
def test_no_crowd_of_arms_breaks_the_corrected_lemma_one(case):
    n_actions, _, _ = case
    assert not lemma_one_fails_too_often(
        case, lambda a, m: b3_coverage.lemma1_bound(1 / m, 1.0, a, 1, n_actions, 1, 0.9)
    )


# --- failures and the lower bound -------------------------------------------------------------------------------------


@given(st.fractions(Fraction(1, 200), Fraction(1, 8), max_denominator=200), st.data())
def test_bc_fails_at_least_half_of_the_time_in_the_corrected_range(eps, data):
    n_demos = data.draw(st.integers(1, max(1, math.floor(r5_sharp_failures.r5_max_demos(float(eps)) * (1 - 1e-12)))))
    assert (1 - 4 * eps) ** n_demos >= Fraction(1, 2)


@given(st.integers(5, 120))
def test_the_rare_event_of_uniform_noise_is_as_likely_as_stated(n_demos):
    assert event(n_demos, Fraction(1, 2 ** (rare_state(n_demos) + 1))) >= r5_sharp_failures.r5_rare_event_bound()


ESTIMATORS = st.tuples(
    st.integers(2, 9),
    st.integers(1, 9),
    st.fractions(Fraction(1, 50), 1, max_denominator=50),
    st.fractions(Fraction(1, 50), 1, max_denominator=50),
)


def covers_more(case, bound, slower):
    """Whether a fixed policy that may lose xi covers more than a bound says, at alpha = 1/(slower T) or less."""
    n_actions, n_demos, share, spent = case
    alpha = share / (slower * n_demos)
    covered, loss = constant_estimator(n_actions, alpha, spent)
    return loss <= spent < 1 and covered > bound(float(spent), n_actions, float(alpha)) * ROUNDING


@given(ESTIMATORS)
def test_no_fixed_policy_breaks_the_corrected_lower_bound(case):
    assert not covers_more(case, b4_lower_bound.theorem_bound, 4)
    assert not covers_more(case, r4_frontier.deterministic_frontier, 4)


def test_a_search_breaks_the_lower_bound_as_printed():
    assert find(ESTIMATORS, lambda case: covers_more(case, b4_lower_bound.paper_theorem_bound, 4), settings=SEARCH)
