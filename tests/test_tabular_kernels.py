"""The noise weight a_n, where compiled code computes it, is that of the estimator."""

import math

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular.family import _parameters
from tabular.kernels import laws_of_counts, policy_family
from tabular.policies import BC, MixtureEstimator, postbc, posterior, uniform_noise
from tabular.strategies import estimators

KEPT = policy_family._CACHED_VISITS + 1
VISITS = st.one_of(st.integers(0, 2000), st.integers(0, 10**12))


@given(estimators(), VISITS, st.integers(1, 50))
@example(uniform_noise(0.3), 0, 3)
@example(BC, 0, 3)
@example(postbc(0.7, 1e-300), 0, 3)
@example(postbc(0.7, 1e300), 10**12, 3)
def test_noise_weights_of_a_window_of_visits_are_those_of_the_estimator_bit_for_bit(rule, low, size):
    out = np.empty(size)
    laws_of_counts.noise_weights(low, rule.alpha, rule.prior_mass, out)
    assert np.array_equal(out, rule.noise_weight(np.arange(low, low + size)))


@given(st.lists(estimators(), min_size=1, max_size=5), st.lists(VISITS, min_size=1, max_size=20))
@example(
    [BC, uniform_noise(0.3), posterior(4.0), postbc(0.7, 1e-9), postbc(0.7, 1e9)], [0, 1, 1023, 1024, 1025, 0, 1024]
)
def test_noise_weights_of_many_policies_are_those_of_their_estimators_to_rounding(rules, visits):
    alpha, inverse_mass = _parameters(rules)
    kept, known = np.empty((KEPT, len(rules))), np.zeros(KEPT, np.bool_)
    for n in visits:
        weights = policy_family._noise_weights(n, alpha, inverse_mass, kept, known)
        assert_allclose(weights, [float(rule.noise_weight(n)) for rule in rules], rtol=1e-15, atol=0)


@given(st.integers(0, 2000), st.floats(0, 1))
def test_a_prior_mass_beside_0_leaves_noise_in_unvisited_cells_alone(n, alpha):
    """Its inverse is infinite, and 0 visits times infinity must not become NaN."""
    alpha, inverse_mass = _parameters([MixtureEstimator(alpha, 5e-324)])
    assert math.isinf(inverse_mass[0])
    kept, known = np.empty((KEPT, 1)), np.zeros(KEPT, np.bool_)
    weight = policy_family._noise_weights(n, alpha, inverse_mass, kept, known)[0]
    assert weight == (0.0 if n > 0 else 1.0)
