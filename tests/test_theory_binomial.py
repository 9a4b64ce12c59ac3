"""Binomial expectations against exact fractions, closed forms and an integral."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.bounds.binomial import binomial_expectation, binomial_pmf
from theory.engines.enumeration import binomial

SMALL = st.fractions(min_value=0, max_value=1, max_denominator=12)


def close(a, b, tolerance=1e-12):
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-300)


@given(st.integers(0, 40), SMALL)
def test_binomial_pmf_is_the_exact_binomial_law(n, p):
    counts, weights = binomial_pmf(n, float(p))
    law = {int(k): w for k, w in zip(counts, weights, strict=True)}
    for k, exact in enumerate(binomial(n, Fraction(float(p)))):
        assert close(law.get(k, 0.0), float(exact), 1e-11) or exact < Fraction(1, 10**280)


@pytest.mark.parametrize(("n", "p"), [(10**6, 0.3), (10**6, 1e-6), (10**5, 0.999), (10**6, 0.5)])
def test_binomial_expectations_keep_their_digits_for_a_million_trials(n, p):
    got = binomial_expectation(lambda k: 1.0 / (k + 1.0), n, np.array([p]))[0]
    exact = -math.expm1((n + 1) * math.log1p(-p)) / ((n + 1) * p)
    assert close(got, exact, 1e-11)


@pytest.mark.parametrize("mass", [1e-6, 0.3, 1.0, 7.5, 1e4])
@pytest.mark.parametrize(("n", "p"), [(30, 0.2), (2000, 0.4), (500, 0.001)])
def test_expected_shrinkage_is_the_integral_of_the_generating_function(n, p, mass):
    got = binomial_expectation(lambda k: mass / (k + mass), n, np.array(p)).item()
    with mpmath.workdps(40):
        q = mpmath.mpf(p)
        truth = (1 - q) ** n * mpmath.hyp2f1(-n, mass, mass + 1, -q / (1 - q))
    assert close(got, float(truth), 1e-10)


def test_binomial_expectations_have_the_shape_of_the_probabilities():
    assert binomial_expectation(lambda k: k * 1.0, 7, np.full((2, 3), 0.5)).shape == (2, 3)


def test_the_binomial_laws_of_oracles_and_of_enumeration_agree():
    assert [float(oracles.binomial_pmf(5, k, Fraction(1, 3))) for k in range(6)] == [
        float(p) for p in binomial(5, Fraction(1, 3))
    ]
