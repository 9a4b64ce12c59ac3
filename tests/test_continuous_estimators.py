"""Estimators: their factors against numpy, one protocol for all of them, and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from continuous.cloning import clone
from continuous.demonstrations import Demonstrations
from continuous.ensembles import Recipe, fit_ensemble
from continuous.estimators import BC, PolicyEstimator, PostBC, SigmaBC, isotropic_factors, posterior_factors
from continuous.training import Training


def seed(number=0):
    return np.random.SeedSequence(number)


def shown():
    rng = np.random.default_rng(7)
    return Demonstrations(rng.normal(size=(20, 3)), rng.uniform(-1, 1, size=(20, 2)), np.array([8, 20]))


@given(
    st.integers(2, 5), st.integers(1, 3), st.floats(0.01, 8), st.just(0.0) | st.floats(0.01, 1), st.integers(0, 2**32)
)
def test_the_posteriors_shapes_have_one_trace_and_the_floor_adds_its_square(n_members, chunk, alpha, floor, number):
    """Against numpy's covariance of the members' predictions; what is singular is right to rounding of its size."""
    ensemble = untrained(n_members, chunk, number)
    predictions, D = ensemble.predictions(shown().observations), 2 * chunk
    truth = np.stack([np.cov(predictions[:, i].T) for i in range(20)])
    mean = np.trace(truth, axis1=1, axis2=2) / D
    wanted = {"full": truth, "diagonal": truth * np.eye(D), "isotropic": mean[:, None, None] * np.eye(D)}
    size = alpha**2 * truth.max() + floor**2
    for shape, covariance in wanted.items():
        factors = posterior_factors(shown(), ensemble, alpha, shape=shape, floor=floor)
        found = factors @ factors.transpose(0, 2, 1)
        assert_allclose(found, alpha**2 * covariance + floor**2 * np.eye(D), rtol=1e-9, atol=1e-9 * size)
        assert_allclose(np.trace(found, axis1=1, axis2=2), D * (alpha**2 * mean + floor**2), rtol=1e-9)
        assert (np.triu(factors, 1) == 0).all()
        none = posterior_factors(shown(), ensemble, 0.0, shape=shape, floor=floor)
        assert_allclose(none, np.broadcast_to(floor * np.eye(D), none.shape), rtol=1e-12)
    assert_array_equal(
        posterior_factors(shown(), ensemble, alpha), posterior_factors(shown(), ensemble, alpha, shape="full", floor=0)
    )


def untrained(n_members, chunk, number):
    recipe = Recipe(n_members, hidden=(4,), training=Training(n_steps=1))
    return fit_ensemble(shown(), chunk, recipe, seed(number))


@given(st.integers(1, 3), arrays(np.float64, 20, elements=st.just(0.0) | st.floats(0, 3)))
def test_each_row_may_have_a_sigma_of_its_own(chunk, sigma):
    factors = isotropic_factors(shown(), chunk, sigma)
    assert factors.shape == (20, 2 * chunk, 2 * chunk)
    for one, factor in zip(sigma, factors, strict=True):
        assert_array_equal(factor, one * np.eye(2 * chunk))
    assert_array_equal(
        isotropic_factors(shown(), chunk, sigma[0]), isotropic_factors(shown(), chunk, np.full(20, sigma[0]))
    )


# --- one protocol -----------------------------------------------------------------------------------------------------


def small(n_members=3):
    return Recipe(n_members=n_members, hidden=(4,), training=Training(n_steps=1))


def test_an_estimators_factors_are_those_of_its_function():
    ensemble = fit_ensemble(shown(), 2, small(), seed(3))
    assert BC().factors(shown(), 2, seed()) is None
    assert_array_equal(SigmaBC(sigma=0.3).factors(shown(), 2, seed()), isotropic_factors(shown(), 2, 0.3))
    wanted = posterior_factors(shown(), ensemble, 1.5, shape="diagonal", floor=0.1)
    for source in (small(), ensemble):
        estimator = PostBC(alpha=1.5, ensemble=source, shape="diagonal", floor=0.1)
        assert_array_equal(estimator.factors(shown(), 2, seed(3)), wanted)
    recipe = PostBC(alpha=1.5, ensemble=small())
    assert not np.array_equal(recipe.factors(shown(), 2, seed(3)), recipe.factors(shown(), 2, seed(4)))


class Uneven:
    """An estimator from outside the package: noise on the first entry of a chunk alone."""

    name = "uneven"

    def factors(self, demonstrations, chunk, seed):
        factors = isotropic_factors(demonstrations, chunk, 0.2)
        factors[:, 1:, 1:] = 0.0
        return factors


def test_an_estimator_from_outside_is_cloned_as_the_three_are():
    estimators: list[PolicyEstimator] = [BC(), SigmaBC(sigma=0.3), PostBC(alpha=1.0, ensemble=small()), Uneven()]
    training = Training(n_steps=3, batch=8)
    policies = {
        estimator.name: clone(
            shown(), 1, seed(1), factors=estimator.factors(shown(), 1, seed(2)), hidden=(4,), training=training
        )
        for estimator in estimators
    }
    assert list(policies) == ["BC", "sigma-BC", "PostBC", "uneven"]
    assert [bool((policy.added > 0).all()) for policy in policies.values()] == [False, True, True, False]
    assert policies["uneven"].added[0] > 0
    assert policies["uneven"].added[1] == 0


# --- bad input --------------------------------------------------------------------------------------------------------


def test_bad_arguments_are_named():
    ensemble = untrained(2, 1, 0)
    for call, name in (
        (lambda: isotropic_factors(shown(), 1, -0.1), "sigma"),
        (lambda: isotropic_factors(shown(), 1, np.nan), "sigma"),
        (lambda: isotropic_factors(shown(), 1, None), "sigma"),
        (lambda: isotropic_factors(shown(), 1, np.ones(19)), "sigma"),
        (lambda: isotropic_factors(shown(), 1, np.ones((20, 1))), "sigma"),
        (lambda: isotropic_factors(shown(), 1, [0.1] * 19 + [-0.1]), "sigma"),
        (lambda: isotropic_factors(shown(), 0, 0.1), "chunk"),
        (lambda: isotropic_factors(None, 1, 0.1), "demonstrations"),
        (lambda: posterior_factors(shown(), None, 1.0), "ensemble"),
        (lambda: posterior_factors(None, ensemble, 1.0), "demonstrations"),
        (lambda: posterior_factors(shown(), ensemble, -1.0), "alpha"),
        (lambda: posterior_factors(shown(), ensemble, np.nan), "alpha"),
        (lambda: posterior_factors(shown(), ensemble, 1.0, shape="round"), "shape must be one of 'full', 'diagonal'"),
        (lambda: posterior_factors(shown(), ensemble, 1.0, floor=-0.1), "floor"),
        (lambda: posterior_factors(shown(), ensemble, 1.0, floor=np.inf), "floor"),
        (lambda: SigmaBC(sigma=-0.1), "sigma"),
        (lambda: PostBC(alpha=-0.1), "alpha"),
        (lambda: PostBC(alpha=1.0, ensemble=None), "ensemble must be a Recipe or an Ensemble; got NoneType"),
        (lambda: PostBC(alpha=1.0, shape="round"), "shape"),
        (lambda: PostBC(alpha=1.0, floor=-0.1), "floor"),
    ):
        with pytest.raises((TypeError, ValueError), match=name):
            call()
