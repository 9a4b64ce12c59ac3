import itertools
import math
import operator
import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy import stats

from tabular.strategies import distributions
from theory.statistics.probability import (
    bootstrap_interval,
    clopper_pearson,
    mean_interval,
    multinomial_box_probability,
    multinomial_product_expectation,
    paired_p_value,
    quantile_interval,
)

EXACT = {"rtol": 0, "atol": 1e-12}
CONFIDENCES = st.sampled_from([0.5, 0.75, 0.8, 0.9, 0.95, 0.99, 0.999, 1 - 2**-20, 1 - 2**-50])


def rows(max_size=4):
    return st.integers(1, max_size).flatmap(lambda size: distributions((), size))


# --- multinomial expectations -----------------------------------------------------------------------------------------


@st.composite
def multinomials(draw):
    n, p = draw(st.integers(0, 6)), draw(rows())
    factors = draw(hnp.arrays(np.int64, (p.size, n + 1), elements=st.integers(0, 8))) / 8
    return n, p, factors


@given(multinomials())
def test_product_expectations_are_those_of_the_enumeration(drawn):
    n, p, factors = drawn
    g = oracles.exact(factors.tolist())
    truth = sum(
        probability * math.prod(g[i][k] for i, k in enumerate(counts))
        for counts, probability in oracles.multinomial_law(n, oracles.exact(p.tolist()))
    )
    assert_allclose(multinomial_product_expectation(n, p, factors), float(truth), **EXACT)


@given(st.integers(0, 7), rows(), st.data())
def test_box_probabilities_are_those_of_the_enumeration(n, p, data):
    at_least = data.draw(st.lists(st.integers(0, 4), min_size=p.size, max_size=p.size))
    truth = sum(
        probability
        for counts, probability in oracles.multinomial_law(n, oracles.exact(p.tolist()))
        if all(k >= m for k, m in zip(counts, at_least, strict=True))
    )
    assert_allclose(multinomial_box_probability(n, p, at_least), float(truth), **EXACT)


@given(st.integers(0, 500), st.floats(0, 1), st.integers(0, 500))
def test_box_probabilities_of_two_outcomes_are_binomial(n, p, k):
    found = multinomial_box_probability(n, [p, 1 - p], [k, 0])
    assert_allclose(found, stats.binom.sf(k - 1, n, p), rtol=1e-9, atol=1e-12)


@given(st.integers(0, 200), rows())
def test_box_probabilities_are_1_without_thresholds_and_0_where_they_exceed_n(n, p):
    assert_allclose(multinomial_box_probability(n, p, [0] * p.size), 1.0, **EXACT)
    assert multinomial_box_probability(n, p, [n + 1] + [0] * (p.size - 1)) == 0


@given(multinomials(), st.randoms(use_true_random=False))
def test_product_expectations_do_not_depend_on_the_order_of_the_outcomes(drawn, random):
    n, p, factors = drawn
    order = list(range(p.size))
    random.shuffle(order)
    found = multinomial_product_expectation(n, p[order], factors[order])
    assert_allclose(found, multinomial_product_expectation(n, p, factors), **EXACT)


# --- intervals: agreement ---------------------------------------------------------------------------------------------


@given(st.integers(0, 200), st.integers(0, 200), CONFIDENCES)
@example(0, 1, 0.95)
@example(1, 0, 0.95)
def test_clopper_pearson_is_scipys_exact_interval(successes, failures, confidence):
    trials = max(1, successes + failures)
    truth = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    found = clopper_pearson(successes, trials, confidence)
    assert_allclose([found.low, found.high], [truth.low, truth.high], rtol=1e-7, atol=1e-12)


@given(st.integers(1, 30), st.fractions(0, 1, max_denominator=40), CONFIDENCES)
def test_clopper_pearson_holds_any_probability_as_often_as_stated(trials, p, confidence):
    held = sum(
        oracles.binomial_pmf(trials, k, p)
        for k in range(trials + 1)
        if clopper_pearson(k, trials, confidence).low - 1e-12
        <= p
        <= clopper_pearson(k, trials, confidence).high + 1e-12
    )
    assert held >= Fraction(confidence)


@given(hnp.arrays(np.float64, st.integers(2, 20), elements=st.floats(-100, 100)), CONFIDENCES)
def test_the_interval_of_a_mean_is_students(sample, confidence):
    found = mean_interval(sample, confidence)
    spread = sample.std(ddof=1) / math.sqrt(sample.size)
    if spread > 1e-9:
        truth = stats.t.interval(confidence, sample.size - 1, loc=sample.mean(), scale=spread)
        assert_allclose([found.low, found.high], truth, rtol=1e-9, atol=1e-9)
    assert found.low <= sample.mean() <= found.high


def test_the_interval_of_a_mean_of_equal_replicates_is_a_point():
    assert mean_interval([0.25] * 5).low == mean_interval([0.25] * 5).high == 0.25


# --- intervals: a quantile --------------------------------------------------------------------------------------------


def ranks(size, probability, confidence):
    """Numbers of the two order statistics, 0 and size + 1 where the interval is open."""
    found = quantile_interval(np.arange(1, size + 1), probability, confidence)
    low = 0 if found.low == -math.inf else int(found.low)
    return low, size + 1 if found.high == math.inf else int(found.high)


QUANTILES = st.fractions(Fraction(1, 40), Fraction(39, 40), max_denominator=40)


@given(st.integers(1, 40), QUANTILES, CONFIDENCES)
@example(1, Fraction(1, 2), 0.5)
@example(2, Fraction(1, 2), 0.5)
@example(3, Fraction(1, 2), 0.75)
@example(4, Fraction(1, 2), 0.875)
def test_the_interval_of_a_quantile_errs_as_rarely_as_stated_on_each_side(size, probability, confidence):
    q, tail = Fraction(float(probability)), (1 - Fraction(confidence)) / 2
    low, high = ranks(size, float(probability), confidence)
    slack = tail / 10**9
    pmf = [oracles.binomial_pmf(size, k, q) for k in range(size + 1)]
    assert sum(pmf[:low]) <= tail + slack  # P[B < low]
    assert sum(pmf[high:]) <= tail + slack  # P[B >= high]


@given(st.integers(1, 40), QUANTILES, CONFIDENCES)
def test_the_interval_of_a_quantile_takes_the_tightest_ranks(size, probability, confidence):
    q, tail = Fraction(float(probability)), (1 - Fraction(confidence)) / 2
    low, high = ranks(size, float(probability), confidence)
    slack = tail / 10**9
    pmf = [oracles.binomial_pmf(size, k, q) for k in range(size + 1)]
    assert sum(pmf[: low + 1]) >= tail - slack
    assert sum(pmf[high - 1 :]) >= tail - slack


@given(st.integers(1, 12), distributions((), 3).filter(lambda p: (p > 0).all()), QUANTILES, CONFIDENCES)
def test_the_interval_of_a_quantile_holds_that_of_a_law_with_atoms_as_often_as_stated(
    size, law, probability, confidence
):
    """Exactly, over all samples of a law on {0, 1, 2}: the largest x with P[X >= x] >= 1 - q."""
    q, p = float(probability), oracles.exact(law.tolist())
    quantile = max(x for x in range(3) if sum(p[x:]) >= 1 - Fraction(q))
    held = Fraction(0)
    for counts, weight in oracles.multinomial_law(size, p):
        found = quantile_interval(np.repeat([0.0, 1.0, 2.0], counts), q, confidence)
        held += weight * (found.low <= quantile <= found.high)
    assert held >= Fraction(confidence) - Fraction(1, 10**12)


@given(hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-100, 100)), CONFIDENCES)
def test_the_interval_of_a_quantile_does_not_depend_on_the_order_of_the_sample(sample, confidence):
    assert quantile_interval(sample[::-1], 0.25, confidence) == quantile_interval(sample, 0.25, confidence)


def test_the_interval_of_a_quantile_is_infinite_at_an_end_for_a_small_sample():
    assert quantile_interval([1.0], 0.1).low == -math.inf
    assert quantile_interval([1.0], 0.9).high == math.inf


# --- bootstrap and permutations ---------------------------------------------------------------------------------------


def test_the_bootstrap_of_two_points_takes_its_quantiles_from_the_law_of_their_means():
    """Means 0, 1/2, 1 have chances 1/4, 1/2, 1/4: quantiles at 0.1 and 0.9 are the ends, at 0.3 and 0.7 the middle.

    With 3000 resamples a quantile of another value is rarer than 1e-6: a share of 1/4 below 0.1 or above 0.3 lies
    more than six standard deviations (0.0079) away.
    """
    sample = np.array([[0.0, 3.0], [1.0, 3.0]])
    wide = bootstrap_interval(sample, np.random.default_rng(1), 0.8, 3000)
    narrow = bootstrap_interval(sample, np.random.default_rng(1), 0.4, 3000)
    assert_allclose(wide, [[0.0, 3.0], [1.0, 3.0]])
    assert_allclose(narrow, [[0.5, 3.0], [0.5, 3.0]])


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 3)), elements=st.floats(-10, 10)))
def test_a_bootstrap_interval_lies_within_the_sample(sample):
    low, high = bootstrap_interval(sample, np.random.default_rng(0), resamples=50)
    assert (low <= high).all()
    assert (low >= sample.min(axis=0) - 1e-12).all()
    assert (high <= sample.max(axis=0) + 1e-12).all()


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=6))
def test_the_paired_p_value_is_that_of_all_signs(differences):
    """Two-sided as scipy has it: twice the smaller tail, at most 1."""
    totals = [sum(s * d for s, d in zip(signs, differences, strict=True))
              for signs in itertools.product((1, -1), repeat=len(differences))]  # fmt: skip
    found = sum(differences)
    tails = (sum(t >= found for t in totals), sum(t <= found for t in totals))
    truth = min(Fraction(1), Fraction(2 * min(tails), len(totals)))
    assert paired_p_value(differences, np.random.default_rng(0)) == pytest.approx(float(truth))


@given(st.lists(st.tuples(st.sampled_from([-1, 1]), st.integers(-30, 30)), min_size=2, max_size=8))
@example([(-1, -30), (-1, -10), (1, 0), (-1, 30)])
@example([(-1, 0), (-1, -16), (-1, 30), (1, 30)])
def test_the_paired_p_value_of_numbers_of_very_different_size_is_that_of_all_signs_in_fractions(signs_and_powers):
    differences = [sign * 2.0**power for sign, power in signs_and_powers]
    sums = [sum((s * Fraction(x) for s, x in zip(signs, differences, strict=True)), Fraction(0))
            for signs in itertools.product((1, -1), repeat=len(differences))]  # fmt: skip
    less, more = (sum(side(s, sums[0]) for s in sums) for side in (operator.le, operator.ge))
    truth = min(Fraction(1), 2 * Fraction(min(less, more), len(sums)))
    assert paired_p_value(differences, np.random.default_rng(0)) == pytest.approx(float(truth))


def test_the_paired_p_value_of_many_pairs_is_from_random_signs_and_never_0():
    assert paired_p_value(np.ones(40), np.random.default_rng(0), 999) == pytest.approx(2 / 1000)


# --- refusals ---------------------------------------------------------------------------------------------------------

HALF = [0.5, 0.5]
REFUSED = [
    (multinomial_product_expectation, (-1, HALF, [[1], [1]]), ValueError, "n must be at least 0; got -1"),
    (multinomial_product_expectation, (1.0, HALF, [[1, 1], [1, 1]]), TypeError, "n must be an integer; got 1.0"),
    (multinomial_product_expectation, (1, [0.5, 0.6], [[1, 1], [1, 1]]), ValueError, "probabilities rows must sum to 1; it sums to 1.1"),
    (multinomial_product_expectation, (1, [[1.0]], [[1, 1]]), ValueError, "probabilities must have shape (any,); got (1, 1)"),
    (multinomial_product_expectation, (1, HALF, [[1], [1]]), ValueError, "factors must have shape (2, 2); got (2, 1)"),
    (multinomial_product_expectation, (1, HALF, [[1, 1], [1, 1.5]]), ValueError, "factors must lie in [0, 1]; entry (1, 1) is 1.5"),
    (multinomial_product_expectation, (1, HALF, [[1, -1], [1, 1]]), ValueError, "factors must lie in [0, 1]; entry (0, 1) is -1.0"),
    (multinomial_product_expectation, (1, HALF, [[1, math.nan], [1, 1]]), ValueError, "factors must be finite; entry (0, 1) is nan"),
    (multinomial_box_probability, (-1, HALF, [0, 0]), ValueError, "n must be at least 0; got -1"),
    (multinomial_box_probability, (1, [1.5, -0.5], [0, 0]), ValueError, "probabilities must be non-negative; entry (1,) is -0.5"),
    (multinomial_box_probability, (1, HALF, [0]), ValueError, "at_least must have shape (2,); got (1,)"),
    (multinomial_box_probability, (1, HALF, [0.0, 1.0]), TypeError, "at_least must hold integers; its dtype is float64"),
    (multinomial_box_probability, (1, HALF, [0, -1]), ValueError, "at_least must be at least 0; entry (1,) is -1"),
    (clopper_pearson, (0, 0), ValueError, "trials must be at least 1; got 0"),
    (clopper_pearson, (-1, 2), ValueError, "successes must be at least 0; got -1"),
    (clopper_pearson, (3, 2), ValueError, "successes must be at most 2; got 3"),
    (clopper_pearson, (1.0, 2), TypeError, "successes must be an integer; got 1.0"),
    (clopper_pearson, (1, 2, 1.0), ValueError, "confidence must be below 1.0; got 1.0"),
    (clopper_pearson, (1, 2, 0.0), ValueError, "confidence must be above 0.0; got 0.0"),
    (mean_interval, ([1.0],), ValueError, "sample must hold at least 2 replicates; got 1"),
    (mean_interval, ([],), ValueError, "sample must hold at least 2 replicates; got 0"),
    (mean_interval, ([1.0, math.nan],), ValueError, "sample must be finite; entry (1,) is nan"),
    (mean_interval, ([[1.0, 2.0]],), ValueError, "sample must have shape (any,); got (1, 2)"),
    (mean_interval, ([1.0, 2.0], 1.5), ValueError, "confidence must be below 1.0; got 1.5"),
    (quantile_interval, ([], 0.5), ValueError, "sample must hold at least 1 replicate; got 0"),
    (quantile_interval, ([1.0], 0.0), ValueError, "probability must be above 0.0; got 0.0"),
    (quantile_interval, ([1.0], 1.0), ValueError, "probability must be below 1.0; got 1.0"),
    (quantile_interval, ([1.0], 0.5, math.nan), ValueError, "confidence must be finite; got nan"),
    (bootstrap_interval, ([1.0], np.random.default_rng(0)), ValueError, "sample must hold at least 2 replicates; got shape (1,)"),
    (bootstrap_interval, ([1.0, 2.0], 0), TypeError, "rng must be"),
    (bootstrap_interval, ([1.0, 2.0], np.random.default_rng(0), 1.0), ValueError, "confidence must be below 1.0; got 1.0"),
    (bootstrap_interval, ([1.0, 2.0], np.random.default_rng(0), 0.9, 0), ValueError, "resamples must be at least 1; got 0"),
    (paired_p_value, ([1.0], np.random.default_rng(0)), ValueError, "differences must hold at least 2 pairs; got 1"),
    (paired_p_value, ([[1.0]], np.random.default_rng(0)), ValueError, "differences must have shape (any,); got (1, 1)"),
    (paired_p_value, ([1.0, 2.0], 0), TypeError, "rng must be"),
    (paired_p_value, ([1.0, 2.0], np.random.default_rng(0), 0), ValueError, "permutations must be at least 1; got 0"),
    (quantile_interval, (["a"], 0.5), TypeError, "sample must hold real numbers; its dtype is <U1"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments", "error", "message"), REFUSED)
def test_statistics_refuse_bad_arguments_by_name(function, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        function(*arguments)
