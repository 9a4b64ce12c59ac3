"""Paired comparisons: against closed testing, Student's interval, and how often an interval misses."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.statistics.paired import bootstrap_t_interval, holm
from theory.statistics.probability import mean_interval


def rng(number=0):
    return np.random.default_rng(number)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferronis(p):
    """Adjusted: the largest, over all sets that hold the hypothesis, of their size times their least p-value."""
    everything = [s for k in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), k)]
    truth = [max(min(1.0, len(s) * min(p[j] for j in s)) for s in everything if i in s) for i in range(len(p))]
    np.testing.assert_allclose(holm(p), truth, rtol=1e-12)


@given(st.floats(-5, 5), st.floats(0.1, 4), st.booleans(), st.integers(0, 2**32))
def test_the_bootstrap_t_interval_moves_and_scales_with_its_data(shift, factor, turned, number):
    x = rng(number).normal(size=8)
    one = bootstrap_t_interval(x, rng(3), n_resamples=499)
    moved = bootstrap_t_interval(shift + factor * x, rng(3), n_resamples=499)
    np.testing.assert_allclose(
        [moved.low, moved.high], [shift + factor * one.low, shift + factor * one.high], atol=1e-8
    )
    assert one.low <= x.mean() <= one.high


def test_the_bootstrap_t_interval_of_many_normal_numbers_is_students():
    x = rng(4).normal(size=2000)
    found, student = bootstrap_t_interval(x, rng(5), n_resamples=4000), mean_interval(x)
    width = student.high - student.low
    assert abs(found.low - student.low) < 0.05 * width
    assert abs(found.high - student.high) < 0.05 * width


@pytest.mark.slow
def test_the_bootstrap_t_interval_misses_a_skewed_mean_less_often_than_students_and_hardly_more_often_than_stated():
    """Means of 12 exponentials, 4000 times; a rate of misses at 0.05 lies below 0.07 but for one time in 1e8."""
    n, misses, students = 4000, 0, 0
    for k in range(n):
        x = rng(100 + k).exponential(size=12)
        found, other = bootstrap_t_interval(x, rng(k), n_resamples=999), mean_interval(x)
        misses += not found.low <= 1 <= found.high
        students += not other.low <= 1 <= other.high
    assert misses / n < 0.07
    assert misses < students


def test_the_bootstrap_t_interval_of_equal_numbers_is_unbounded():
    found = bootstrap_t_interval([0.25, 0.25, 0.25], rng())
    assert (found.low, found.high) == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bootstrap_t_interval([1.0], rng()), ValueError, "differences must hold at least 2 replicates"),
        (lambda: bootstrap_t_interval([1.0, np.nan], rng()), ValueError, "differences must be finite"),
        (lambda: bootstrap_t_interval([1.0, 2.0], rng(), 1.0), ValueError, "confidence must be below 1"),
        (lambda: bootstrap_t_interval([1.0, 2.0], 0), TypeError, "rng must be a numpy.random.Generator"),
        (lambda: holm([0.5, 1.5]), ValueError, r"p_values must lie in \[0, 1\]"),
    ],
)
def test_paired_comparisons_refuse_bad_arguments_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
