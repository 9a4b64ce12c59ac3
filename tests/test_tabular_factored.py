"""Factored actions: the process of R7 against its closed forms, and coordinate-wise policies."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tabular import dp
from tabular.counts import Counts
from tabular.demonstrations import sample_demonstrations
from tabular.factored import END, B, FactoredEstimator, factored_lane, recorded_counts, success_probability
from tabular.policies import BC, MixtureEstimator, PolicyEstimator, postbc, uniform_noise
from theory.bounds import factored_lane as closed_forms
from theory.bounds.factored_lane import FactoredLane

LANES = st.builds(
    FactoredLane,
    n_coordinates=st.integers(1, 4),
    n_actions=st.integers(2, 4),
    horizon=st.integers(1, 5),
    visit_probability=st.floats(0.01, 1),
    strict=st.booleans(),
)
MEMBERS = st.builds(postbc, st.floats(0, 1), st.floats(0.1, 20))

# --- the process ------------------------------------------------------------------------------------------------------


@given(LANES, st.integers(1, 6), st.integers(0, 100), MEMBERS)
@example(FactoredLane(n_coordinates=1, n_actions=2, horizon=1), 1, 0, postbc(1.0, 1.0))
def test_success_by_dynamic_programming_is_the_closed_form(lane, n, more, member):
    got = success_probability(lane, member, n + more, n)
    exact = closed_forms.postbc_success(lane, n + more, n, member.alpha, member.prior_mass)
    assert math.isclose(got, exact, rel_tol=1e-11, abs_tol=1e-300)


@given(LANES, st.integers(1, 6), st.floats(0, 1))
def test_success_of_uniform_noise_is_the_closed_form_and_depends_on_no_count(lane, n, alpha):
    exact = closed_forms.uniform_success(lane, alpha)
    for n_demos in (n, n + 50):
        got = success_probability(lane, uniform_noise(alpha), n_demos, n)
        assert math.isclose(got, exact, rel_tol=1e-11, abs_tol=1e-300)


@given(LANES, st.integers(1, 6))
def test_bc_never_succeeds(lane, n):
    assert success_probability(lane, BC, 2 * n, n) == 0.0


@given(LANES)
def test_the_optimal_and_the_demonstrators_return_are_w_and_half_of_it(lane):
    built = factored_lane(lane)
    assert math.isclose(built.optimal_value, lane.visit_probability, rel_tol=1e-12)
    assert math.isclose(built.demonstrator_value, lane.visit_probability / 2, rel_tol=1e-12)


@given(LANES)
def test_a_rollout_leaves_the_lane_as_often_as_stated(lane):
    if lane.horizon == 1:
        return
    sure = FactoredLane(
        n_coordinates=lane.n_coordinates, n_actions=lane.n_actions, horizon=lane.horizon, strict=lane.strict
    )
    estimator = FactoredEstimator(sizes=(lane.n_actions,) * lane.n_coordinates, coordinate=postbc(0.7, 2.0))
    reached = dp.occupancy(factored_lane(sure).mdp, estimator.policy(recorded_counts(sure, 9, 3)))[-1, B].sum()
    assert math.isclose(1 - reached, closed_forms.leaving_probability(sure, 0.7 * 2.0 / 11.0), abs_tol=1e-12)


def test_demonstrations_of_the_process_have_the_counts_that_are_stated():
    lane = FactoredLane(n_coordinates=2, n_actions=3, horizon=4, visit_probability=0.3)
    built = factored_lane(lane)
    for seed in range(200):
        counts = sample_demonstrations(built.mdp, built.demonstrator, 6, np.random.default_rng(seed)).counts()
        if counts.counts[-1, B, 3] == 0:  # no recorded success
            n = int(counts.visits[-1, B])
            assert (counts.counts[:, :END] == recorded_counts(lane, 6, n).counts[:, :END]).all()
            return
    raise AssertionError("no such data set was drawn")


# --- coordinate-wise policies -----------------------------------------------------------------------------------------


def test_a_coordinate_wise_estimator_is_a_policy_estimator():
    estimator = FactoredEstimator(sizes=(2, 3), coordinate=BC)
    assert isinstance(estimator, PolicyEstimator)
    assert estimator.name == "BC by coordinate"


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.integers(0, 2**32 - 1),
    st.sampled_from([Fraction(0), Fraction(1, 4), Fraction(1)]),
    st.sampled_from([Fraction(1, 2), Fraction(3)]),
)
def test_a_coordinate_wise_policy_is_the_product_of_fractions(sizes, seed, alpha, mass):
    counts = np.random.default_rng(seed).multinomial(5, np.full(2 * math.prod(sizes), 0.5 / math.prod(sizes)), size=2)
    counts = counts.reshape(2, 2, -1)
    member = MixtureEstimator(float(alpha), float(mass))
    got = FactoredEstimator(sizes=tuple(sizes), coordinate=member).policy(Counts(counts))
    actions = list(itertools.product(*map(range, sizes)))
    for h, s in itertools.product(range(2), range(2)):
        n = int(counts[h, s].sum())
        noise = alpha * mass / (n + mass) if n else Fraction(1)
        for a, action in enumerate(actions):
            exact = Fraction(1)
            for i, value in enumerate(action):
                seen = sum(int(counts[h, s, b]) for b, other in enumerate(actions) if other[i] == value)
                exact *= (1 - noise) * Fraction(seen, max(n, 1)) + noise / sizes[i]
            assert math.isclose(got[h, s, a], exact, rel_tol=1e-12, abs_tol=1e-15)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1), MEMBERS)
def test_with_one_coordinate_it_is_the_estimator_itself(n_actions, seed, member):
    counts = Counts(np.random.default_rng(seed).multinomial(7, np.full(n_actions, 1 / n_actions), size=(3, 1)))
    got = FactoredEstimator(sizes=(n_actions,), coordinate=member).policy(counts)
    np.testing.assert_allclose(got, member.policy(counts), rtol=1e-15)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: FactoredEstimator(sizes=(), coordinate=BC), TypeError, "sizes must be a tuple"),
        (lambda: FactoredEstimator(sizes=(2, 0), coordinate=BC), ValueError, r"sizes\[1\] must be at least 1"),
        (lambda: FactoredEstimator(sizes=(2,), coordinate="BC"), TypeError, "estimator must have a name"),
        (
            lambda: FactoredEstimator(sizes=(2, 2), coordinate=BC).policy(Counts(np.ones((1, 1, 3), int))),
            ValueError,
            "counts must have 4 actions, the product of sizes; got 3",
        ),
        (lambda: factored_lane("lane"), TypeError, "lane must be of type FactoredLane"),
        (
            lambda: factored_lane(FactoredLane(n_coordinates=20, n_actions=2, horizon=2)),
            ValueError,
            r"joint actions A\^d must be at most 100000",
        ),
        (
            lambda: recorded_counts(FactoredLane(n_coordinates=1, n_actions=2, horizon=2), 3, 4),
            ValueError,
            "n_visits must be at most 3",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
