"""R7 against listed sequences of actions in fractions, searches over alpha, and its own limits."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from theory.bounds import factored_lane, r7_factored
from theory.bounds.factored_lane import FactoredLane
from theory.proofs.r7_cases import Lane, coordinate_rows, listed_success

ROUNDING = 1 + 1e-9
LANES = st.builds(
    FactoredLane,
    n_coordinates=st.integers(1, 200),
    n_actions=st.integers(2, 50),
    horizon=st.integers(1, 100),
    visit_probability=st.floats(0.001, 1),
    strict=st.booleans(),
)
MASSES = st.floats(0.01, 1000)
SMALLEST = FactoredLane(n_coordinates=1, n_actions=2, horizon=2)
ONE_STEP = FactoredLane(n_coordinates=1, n_actions=2, horizon=1)


def tolerant(lane):
    return FactoredLane(
        n_coordinates=lane.n_coordinates,
        n_actions=lane.n_actions,
        horizon=lane.horizon,
        visit_probability=lane.visit_probability,
    )


def strict(lane):
    return FactoredLane(
        n_coordinates=lane.n_coordinates,
        n_actions=lane.n_actions,
        horizon=lane.horizon,
        visit_probability=lane.visit_probability,
        strict=True,
    )


# --- against an oracle ------------------------------------------------------------------------------------------------


@given(
    st.sampled_from([(1, 2, 1), (1, 2, 4), (1, 4, 2), (2, 2, 2), (2, 3, 2), (3, 2, 2)]),
    st.booleans(),
    st.sampled_from([0.0, 0.25, 1.0]),
    st.sampled_from([0.5, 3.0]),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_success_is_the_sum_over_all_sequences_of_actions(size, is_strict, alpha, mass, n, more):
    d, n_actions, horizon = size
    small, w = Lane(d=d, A=n_actions, H=horizon, strict=is_strict), Fraction(3, 4)
    lane = FactoredLane(n_coordinates=d, n_actions=n_actions, horizon=horizon, visit_probability=0.75, strict=is_strict)
    ones = [(0,) * d]
    for prior_mass, got in (
        (Fraction(mass), factored_lane.postbc_success(lane, n + more, n, alpha, mass)),
        (None, factored_lane.uniform_success(lane, alpha)),
    ):
        rows = [coordinate_rows(small, ones * k, Fraction(alpha), prior_mass) for k in (n + more, n)]
        assert math.isclose(got, listed_success(small, *rows, w), rel_tol=1e-12)


# --- uniform noise ----------------------------------------------------------------------------------------------------


@given(LANES, st.floats(0, 1))
@example(ONE_STEP, 1.0)
def test_no_level_of_uniform_noise_beats_the_best(lane, alpha):
    best = r7_factored.best_uniform_success(lane)
    assert factored_lane.uniform_success(lane, alpha) <= best * ROUNDING
    at = r7_factored.best_uniform_alpha(lane)
    assert 0 < at <= 1
    assert factored_lane.uniform_success(lane, at) == best


@given(LANES)
@example(SMALLEST)
def test_the_best_uniform_noise_is_between_its_two_ends(lane):
    assume(lane.n_constrained >= 1)
    low, high = r7_factored.best_uniform_bounds(lane)
    assert low <= r7_factored.best_uniform_success(lane) * ROUNDING
    assert r7_factored.best_uniform_success(lane) <= high * ROUNDING


def test_both_ends_are_attained_and_approached():
    low, high = r7_factored.best_uniform_bounds(SMALLEST)
    assert math.isclose(r7_factored.best_uniform_success(SMALLEST), high)  # N = 1
    many = FactoredLane(n_coordinates=1000, n_actions=3, horizon=1000)
    low, high = r7_factored.best_uniform_bounds(many)
    assert math.isclose(r7_factored.best_uniform_success(many), low, rel_tol=1e-5)


@given(LANES)
def test_the_best_uniform_noise_leaves_the_lane_more_often_than_not_where_state_b_is_tolerant(lane):
    assume(lane.horizon >= 2)
    wide = tolerant(lane)
    left = factored_lane.leaving_probability(wide, r7_factored.best_uniform_alpha(wide))
    assert left * ROUNDING >= 0.5
    assert left < 1 - 1 / math.e
    narrow = strict(lane)
    left = factored_lane.leaving_probability(narrow, r7_factored.best_uniform_alpha(narrow))
    assert (narrow.horizon - 1) / (2 * narrow.horizon - 1) <= left * ROUNDING


# --- PostBC against it ------------------------------------------------------------------------------------------------


@given(LANES, st.integers(1, 100), MASSES, st.floats(0, 10))
@example(SMALLEST, 1, 1.0, 0.0)
@example(ONE_STEP, 1, 1.0, 0.0)
def test_the_ratio_is_above_its_bound_from_the_sufficient_number_of_demonstrations_on(lane, n, mass, more):
    wide = tolerant(lane)
    n_demos = max(n, math.ceil(r7_factored.sufficient_demos(wide, mass) * (1 + more)))
    post = factored_lane.postbc_success(wide, n_demos, n, 1.0, mass)
    bound = r7_factored.ratio_bound(wide, n, mass)
    ratio = post / r7_factored.best_uniform_success(wide)
    assert bound <= ratio * ROUNDING
    if wide.horizon >= 2:
        assert ratio <= math.e * bound


@given(LANES, st.integers(1, 1000), st.just(0.0) | st.floats(1e-250, 1), MASSES)
def test_postbc_leaves_the_lane_at_most_as_often_as_the_bound_says(lane, n_demos, alpha, mass):
    left = factored_lane.leaving_probability(lane, alpha * mass / (n_demos + mass))
    assert left <= r7_factored.leaving_bound(lane, n_demos, alpha, mass) * ROUNDING


@given(LANES, st.integers(1, 20), st.integers(0, 10**6), MASSES, st.floats(0, 1))
def test_the_strict_ratio_is_between_its_bounds(lane, n, more, mass, alpha):
    narrow = strict(lane)
    assume(narrow.n_coordinates >= 2)
    low, high = r7_factored.strict_ratio_bounds(narrow, n + more, n, mass)
    best = r7_factored.best_uniform_success(narrow)
    at = r7_factored.best_strict_alpha(narrow, n, mass)
    assert factored_lane.postbc_success(narrow, n + more, n, at, mass) / best >= low / ROUNDING
    assert factored_lane.postbc_success(narrow, n + more, n, alpha, mass) / best <= high * ROUNDING


def test_a_strict_lane_costs_postbc_the_factor_d_where_a_tolerant_one_does_not():
    ratios = {}
    for is_strict in (False, True):
        for d in (4, 64):
            lane = FactoredLane(n_coordinates=d, n_actions=3, horizon=10, strict=is_strict)
            alpha = r7_factored.best_strict_alpha(lane, 2, 3.0) if is_strict else 1.0
            post = factored_lane.postbc_success(lane, 10**6, 2, alpha, 3.0)
            ratios[is_strict, d] = post / r7_factored.best_uniform_success(lane)
    assert ratios[False, 64] > 14 * ratios[False, 4]
    assert ratios[True, 64] < 1.1 * ratios[True, 4]


# --- rollouts ---------------------------------------------------------------------------------------------------------


@given(st.floats(1e-6, 0.5), st.floats(0.01, 0.9))
def test_rollouts_until_a_success_are_the_fewest(p, delta):
    k = r7_factored.rollouts_until_success(p, delta)
    assert (1 - p) ** k <= delta * ROUNDING
    assert k == 1 or (1 - p) ** (k - 1) > delta / ROUNDING
    assert (1 - p) * math.log(1 / delta) / p <= k * ROUNDING
    assert k <= math.ceil(math.log(1 / delta) / p * ROUNDING)


def test_rollouts_of_a_policy_that_never_or_always_succeeds():
    assert r7_factored.rollouts_until_success(0.0, 0.1) == math.inf
    assert r7_factored.rollouts_until_success(1.0, 0.1) == 1.0


def test_rollouts_are_those_that_a_simulation_needs():
    """False alarm 1e-6, normal approximation; a number of rollouts off by a tenth is seen."""
    p, delta, replicates = 0.03, 0.1, 200_000
    first = np.random.default_rng(5).geometric(p, replicates)
    k, margin = r7_factored.rollouts_until_success(p, delta), 4.9 * math.sqrt(delta * (1 - delta) / replicates)
    assert (first > k).mean() <= delta + margin
    assert (first > 0.9 * k).mean() > delta + margin


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_coordinates": 0}, ValueError, "n_coordinates must be at least 1; got 0"),
        ({"n_actions": 1}, ValueError, "n_actions must be at least 2; got 1"),
        ({"horizon": 2.0}, TypeError, "horizon must be an integer; got 2.0"),
        ({"visit_probability": 0.0}, ValueError, "visit_probability must be above 0.0; got 0.0"),
        ({"strict": 1}, TypeError, "strict must be of type bool; got int"),
    ],
)
def test_a_lane_refuses_bad_sizes_by_name(change, error, message):
    with pytest.raises(error, match=message):
        FactoredLane(**({"n_coordinates": 2, "n_actions": 2, "horizon": 2} | change))
