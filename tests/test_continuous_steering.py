"""Steering: what is chosen is what is played, and the density of random choices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats

from continuous.steering import Steering, random_basis

SIZE = 6


def steering(k, rest="drawn", scales_rest=False, bound=1.5):
    basis = random_basis(SIZE, k, np.random.default_rng(k))
    return Steering(size=SIZE, bound=bound, basis=basis, rest=rest, scales_rest=scales_rest)


@given(size=st.integers(1, 12), data=st.data())
def test_a_random_basis_is_orthonormal_and_determined_by_its_generator(size, data):
    k = data.draw(st.integers(0, size))
    basis, again, other = (random_basis(size, k, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert basis.shape == (size, k)
    assert_allclose(basis.T @ basis, np.eye(k), atol=1e-12)
    assert_array_equal(basis, again)
    assert k == 0 or size == 1 or (basis != other).any()  # on a line there is one direction


@given(
    k=st.integers(0, SIZE), rest=st.sampled_from(["drawn", "zero"]), bound=st.floats(0.1, 3.0), seed=st.integers(0, 99)
)
def test_a_latent_holds_what_was_chosen_and_is_bounded(k, rest, bound, seed):
    scales = rest == "drawn" and seed % 2 == 0
    steer, rng = steering(k, rest, scales, bound), np.random.default_rng(seed)
    assert steer.n_choices == k + scales
    choices = steer.random_choices(4, rng)
    assert np.abs(choices).max(initial=0.0) <= bound
    latents = steer.latents(choices, rng)
    assert latents.shape == (4, SIZE)
    assert_allclose(latents @ steer.basis, choices[:, int(scales) :], atol=1e-12)
    assert np.linalg.norm(latents, axis=1).max() <= bound * np.sqrt(k) + 3 * np.sqrt(SIZE) + 1e-9
    if rest == "zero":
        assert_allclose(latents, choices @ steer.basis.T, atol=1e-12)


def test_the_scale_goes_from_none_of_the_rest_to_all_of_it():
    plain, scaled = steering(2), steering(2, scales_rest=True)
    chosen = np.random.default_rng(3).uniform(-1, 1, (5, 2))
    whole = plain.latents(chosen, np.random.default_rng(4))
    middle = chosen @ plain.basis.T
    for entry, scale in ((-1.5, 0.0), (0.0, 0.5), (1.5, 1.0)):
        found = scaled.latents(np.column_stack([np.full(5, entry), chosen]), np.random.default_rng(4))
        assert_allclose(found, middle + scale * (whole - middle), atol=1e-12)


def test_with_nothing_but_a_choice_the_latent_is_the_choice_and_nothing_is_drawn():
    steer, rng = Steering(size=SIZE, bound=1.5), np.random.default_rng(5)
    choices = steer.random_choices(3, rng)
    assert choices.shape == (3, SIZE)
    before = rng.bit_generator.state
    assert_array_equal(steer.latents(choices, rng), choices)
    assert rng.bit_generator.state == before


def test_the_rest_is_standard_normal_outside_the_subspace():
    """20 000 sums of 5 squares: their mean has a deviation of 0.022; 5 of them and 0.14 of the cut make 0.25."""
    steer = steering(1)
    latents = steer.latents(np.zeros((20_000, 1)), np.random.default_rng(6))
    assert (latents**2).sum(axis=1).mean() == pytest.approx(5.0, abs=0.25)


def test_random_choices_have_the_stated_density_and_an_infinite_one_where_they_were_cut():
    steer = steering(2, bound=0.8)
    choices = np.array([[0.1, -0.5], [0.8, 0.0], [0.0, -0.8]])
    expected = stats.norm.logpdf(choices[0]).sum() + 2 * np.log(0.8)  # the density of u = choice / bound
    assert_allclose(steer.random_log_densities(choices), [expected, np.inf, np.inf])
    line = Steering(size=1, bound=0.8)
    density = lambda u: np.exp(line.random_log_densities(np.array([[0.8 * u]]))[0])  # noqa: E731
    inside, _ = integrate.quad(density, -1 + 1e-12, 1 - 1e-12)
    assert inside == pytest.approx(stats.norm.cdf(0.8) - stats.norm.cdf(-0.8), rel=1e-8)


def test_a_subspace_larger_than_the_latent_is_refused():
    with pytest.raises(ValueError, match="k must be at most 6; got 7"):
        random_basis(SIZE, 7, np.random.default_rng(7))
