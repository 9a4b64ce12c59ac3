"""theory.statistics.bounded_mean: exact confidence by summing over all outcomes, ends, refusals."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from theory.claims import Interval
from theory.statistics.bounded_mean import bounded_mean_interval
from theory.statistics.probability import clopper_pearson


def divergence(x, p):
    return sum(a * math.log(a / b) for a, b in ((x, p), (1 - x, 1 - p)) if a > 0)


@pytest.mark.parametrize("m", [1, 2, 7, 30])
@pytest.mark.parametrize("p", [0.001, 0.03, 0.2, 0.5, 0.9, 0.999])
def test_the_interval_covers_the_mean_of_coins_with_its_confidence(m, p):
    """Exactly; coins are the laws in [0, 1] that spread most."""
    for confidence in (0.5, 0.9, 0.99):
        covered = 0.0
        for k, mass in enumerate(stats.binom.pmf(np.arange(m + 1), m, p)):
            found = bounded_mean_interval([1.0] * k + [0.0] * (m - k), confidence)
            covered += mass * (found.low <= p <= found.high)
        assert covered >= confidence


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.5, 0.999))
def test_the_ends_are_where_the_divergence_reaches_the_limit(sample, confidence):
    found = bounded_mean_interval(sample, confidence)
    limit, mean = math.log(2 / (1 - confidence)) / len(sample), float(np.mean(sample))
    assert found.low <= mean + 1e-15
    assert found.high >= mean - 1e-15
    for end in (found.low, found.high):
        if 1e-6 < end < 1 - 1e-6 and 1e-6 < mean < 1 - 1e-6:
            assert divergence(mean, end) == pytest.approx(limit, rel=1e-4)


@given(st.integers(1, 200), st.floats(0.5, 0.999))
def test_an_interval_of_equal_numbers_has_a_width_in_closed_form(m, confidence):
    tail = (1 - confidence) / 2
    one, none = bounded_mean_interval([1.0] * m, confidence), bounded_mean_interval([0.0] * m, confidence)
    assert one.high == 1.0
    assert one.low == pytest.approx(tail ** (1 / m), abs=1e-9)
    assert none.low == 0.0
    assert none.high == pytest.approx(1 - tail ** (1 / m), abs=1e-9)


@given(st.integers(1, 60).flatmap(lambda m: st.tuples(st.just(m), st.integers(0, m))))
def test_for_coins_it_contains_the_interval_of_clopper_and_pearson(drawn):
    m, k = drawn
    wide, exact = bounded_mean_interval([1.0] * k + [0.0] * (m - k)), clopper_pearson(k, m)
    assert wide.low <= exact.low + 1e-12
    assert wide.high >= exact.high - 1e-12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_failures_for_successes_mirror_the_interval(sample):
    one, other = bounded_mean_interval(sample), bounded_mean_interval([1 - x for x in sample])
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-7)


def test_a_mean_next_to_an_edge_has_an_interval():
    assert bounded_mean_interval([5e-324]).low == 0.0
    assert bounded_mean_interval([math.nextafter(1.0, 0.0)]).high == 1.0
    assert isinstance(bounded_mean_interval([0.3]), Interval)


@pytest.mark.parametrize(
    ("sample", "confidence", "message"),
    [
        ([], 0.9, "sample must hold at least 1 number; got 0"),
        ([1.1], 0.9, "sample must lie in [0, 1]; entry (0,) is 1.1"),
        ([-0.1], 0.9, "sample must lie in [0, 1]"),
        ([[0.5]], 0.9, "sample must have shape (any,); got (1, 1)"),
        ([0.5], 1.0, "confidence must be below 1.0; got 1.0"),
        ([0.5], 0.0, "confidence must be above 0.0; got 0.0"),
    ],
)
def test_bad_arguments_are_refused(sample, confidence, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        bounded_mean_interval(sample, confidence)
