"""R6 against exact sums over the counts of one cell, and against its own limits."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from theory.bounds import r6_trajectory
from theory.proofs.r6_trajectory import cell_kl

ROWS = st.lists(st.integers(0, 8), min_size=2, max_size=3).filter(any).map(lambda v: np.array(v) / sum(v))


@given(
    ROWS,
    st.sampled_from([1.0, 0.5, 0.125]),
    st.integers(0, 8),
    st.sampled_from([1.0, 0.5]),
    st.sampled_from([0.5, 2.0, 5.0]),
)
def test_the_trajectory_kl_of_one_cell_is_the_exact_sum(row, w, n_demos, alpha, mass):
    exact_row = tuple(Fraction(float(p)) for p in row)
    exact_row = (*exact_row[:-1], 1 - sum(exact_row[:-1]))
    if min(exact_row) < 0:
        return
    got = r6_trajectory.expected_trajectory_kl([[w]], row[None, None], n_demos, alpha, mass)
    exact = cell_kl(exact_row, Fraction(w), n_demos, Fraction(alpha), Fraction(mass))
    assert math.isclose(got, float(exact), rel_tol=1e-9, abs_tol=1e-12)


@given(ROWS, st.floats(0.01, 1), st.integers(0, 60), st.floats(0, 5))
def test_trajectory_kl_of_the_posterior_is_below_both_r6_bounds(row, w, n_demos, extra):
    mass = len(row) + extra
    exact = r6_trajectory.expected_trajectory_kl([[w]], row[None, None], n_demos, 1.0, mass)
    bound = r6_trajectory.r6_kl_bound([[w]], len(row), n_demos, mass)
    assert exact <= bound * (1 + 1e-9) + 1e-12
    assert bound <= r6_trajectory.r6_simple_bound(1, len(row), 1, n_demos, mass) * (1 + 1e-9)


def test_trajectory_kl_of_bc_is_infinite_unless_the_demonstrator_is_deterministic():
    assert r6_trajectory.expected_trajectory_kl([[1.0]], [[[0.5, 0.5]]], 6, 0.0) == math.inf
    assert r6_trajectory.expected_trajectory_kl([[1.0]], [[[1.0, 0.0]]], 6, 0.0) == 0.0


def test_trajectory_kl_of_uniform_noise_falls_to_a_positive_limit():
    w, pi = [[0.5, 0.5]], [[[0.9, 0.1], [0.2, 0.8]]]
    limit = r6_trajectory.uniform_noise_limit(w, pi, 0.2)
    values = [r6_trajectory.expected_trajectory_kl(w, pi, n, 0.2, math.inf) for n in (20, 80, 320)]
    assert values[0] > values[1] > values[2] > limit > 0
    assert values[2] - limit < 0.1 * limit
    assert r6_trajectory.r6_simple_bound(2, 2, 1, 320) < limit


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.999))
def test_success_probability_bound_is_below_the_probability_of_every_two_point_law(p, q):
    kl = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert r6_trajectory.success_probability_bound(max(kl, 0.0), p) <= q * (1 + 1e-9)


@given(st.floats(0, 3), st.floats(0.2, 1), st.floats(0.01, 0.5))
def test_sufficient_rollouts_contain_a_success_with_probability_one_minus_delta(kl, p, delta):
    least = r6_trajectory.success_probability_bound(kl, p)
    rollouts = math.ceil(r6_trajectory.sufficient_rollouts(kl, p, delta))
    assert (1 - least) ** rollouts <= delta * (1 + 1e-9)
