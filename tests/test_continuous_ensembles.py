"""Ensembles: bootstrap variances in closed form, Lemma 7 as the Bayesian linear posterior, factors, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from continuous.covariances import cholesky_factors, sample_covariance
from continuous.demonstrations import Demonstrations
from continuous.ensembles import (
    Recipe,
    fit_ensemble,
    fit_members,
    load_ensemble,
    resampled_rows,
    save_ensemble,
)
from continuous.training import Training

LINEAR = {"hidden": (), "training": Training(n_steps=600, batch=10**6, rate=0.1)}


def seed(number=0):
    return np.random.SeedSequence(number)


def outputs(network, members, x):
    return np.stack([network.forward(member, x) for member in members]).astype(float)


def shown(n_episodes=6, length=5, rng=None):
    rng = rng or np.random.default_rng(1)
    n = n_episodes * length
    ends = np.arange(1, n_episodes + 1) * length
    return Demonstrations(rng.normal(size=(n, 3)), rng.normal(size=(n, 2)), ends)


# --- bootstraps -------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.integers(0, 2**32))
def test_the_trajectory_bootstrap_draws_whole_episodes_and_the_pair_bootstrap_single_rows(lengths, number):
    ends = np.cumsum(lengths)
    rows = resampled_rows("trajectory", ends, np.random.default_rng(number))
    begins, at, drawn = ends - lengths, 0, 0
    while at < rows.size:
        episode = list(begins).index(rows[at])
        assert rows[at : at + lengths[episode]].tolist() == list(range(begins[episode], ends[episode]))
        at, drawn = at + lengths[episode], drawn + 1
    assert drawn == len(lengths)
    pairs = resampled_rows("state-action", ends, np.random.default_rng(number))
    assert pairs.size == ends[-1]
    assert 0 <= pairs.min() <= pairs.max() < ends[-1]
    assert resampled_rows("noise", ends, np.random.default_rng(number)).tolist() == list(range(ends[-1]))


@pytest.mark.compiled
@pytest.mark.parametrize(("version", "n_units"), [("trajectory", 12), ("state-action", 60)])
def test_at_one_state_the_bootstraps_variance_is_the_targets_over_the_number_of_resampled_units(version, n_units):
    """Episodes of 5 equal actions: whole trajectories vary as 1/12, pairs as 1/60. False alarm below 1e-6: z = 5.5 on
    the mean and on the variance, whose own variance is at most 2.5/K of its square for sums that are nearly normal.
    """
    K, values = 600, np.random.default_rng(2).normal(size=12)
    targets = np.repeat(values, 5)[:, None]
    recipe = Recipe(n_members=K, version=version, **LINEAR)
    network, members = fit_members(np.ones((60, 1)), targets, np.arange(5, 61, 5), recipe, seed(3))
    found = outputs(network, members, np.ones((1, 1)))[:, 0, 0]
    truth = values.var() / n_units
    assert abs(found.mean() - values.mean()) <= 5.5 * np.sqrt(truth / K)
    assert abs(found.var(ddof=1) / truth - 1) <= 5.5 * np.sqrt(2.5 / K)


# --- Lemma 7 ----------------------------------------------------------------------------------------------------------


@pytest.mark.compiled
def test_perturbed_targets_with_a_linear_network_give_the_bayesian_posterior_of_lemma_7():
    """Mean and covariance of predictions at three states; false alarm below 1e-6; a prior three times as wide is rejected."""
    K, noise, rng = 3000, 1.5, np.random.default_rng(4)
    x, at = rng.normal(size=(6, 2)), rng.normal(size=(3, 2))
    y = rng.normal(size=(6, 1))
    recipe = Recipe(n_members=K, version="noise", noise=noise, prior=1.5, **LINEAR)
    network, members = fit_members(x, y, np.array([6]), recipe, seed(5))
    found = outputs(network, members, at)[:, :, 0]

    def posterior(prior):
        design, test = np.column_stack([x, np.ones(6)]), np.column_stack([at, np.ones(3)])
        precision = design.T @ design / noise**2 + np.diag(1 / (prior * network.initial_spread) ** 2)
        return test @ np.linalg.solve(precision, design.T @ y[:, 0] / noise**2), test @ np.linalg.solve(
            precision, test.T
        )

    mean, covariance = posterior(1.5)
    chance = 1e-6 / 12
    z = stats.norm.isf(chance / 2)
    assert (np.abs(found.mean(axis=0) - mean) <= z * np.sqrt(np.diag(covariance) / K) + 1e-3).all()
    low, high = stats.chi2.ppf([chance / 2, 1 - chance / 2], K - 1) / (K - 1)
    spread = np.cov(found.T)
    for towards in (*np.eye(3), *(np.ones((3, 3)) - 2 * np.eye(3))):
        assert low <= towards @ spread @ towards / (towards @ covariance @ towards) <= high
    wide = posterior(4.5)[1]
    assert not all(low <= spread[i, i] / wide[i, i] <= high for i in range(3))


# --- covariances and factors ------------------------------------------------------------------------------------------


@given(st.integers(2, 6), st.integers(1, 3), st.integers(1, 5), st.integers(0, 2**32))
def test_sample_covariances_match_numpy_and_their_factors_square_to_them(K, N, D, number):
    predictions = np.random.default_rng(number).normal(size=(K, N, D))
    covariance = sample_covariance(predictions)
    for i in range(N):
        assert_allclose(covariance[i], np.cov(predictions[:, i].T).reshape(D, D), rtol=1e-10, atol=1e-12)
    assert_allclose(sample_covariance(predictions, diagonal=True), covariance * np.eye(D))
    factors = cholesky_factors(covariance)
    assert_allclose(factors @ factors.transpose(0, 2, 1), covariance, rtol=1e-9, atol=1e-9)
    assert (np.triu(factors, 1) == 0).all()
    assert (np.einsum("nii->ni", factors) >= 0).all()
    if K > D + 1:
        assert_allclose(factors, np.linalg.cholesky(covariance), rtol=1e-5, atol=1e-7)


def test_the_factor_of_a_zero_covariance_is_zero():
    assert (cholesky_factors(np.zeros((2, 3, 3))) == 0).all()


# --- Algorithm A ------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=6)
@given(st.sampled_from(["trajectory", "state-action", "noise"]), st.sampled_from(["deterministic", "gaussian"]))
def test_the_first_members_of_an_ensemble_do_not_depend_on_the_number_of_members(version, predictor):
    demonstrations, few = shown(), Training(n_steps=5, batch=8)
    make = lambda k: fit_ensemble(  # noqa: E731
        demonstrations, 2, Recipe(n_members=k, version=version, hidden=(4,), training=few, predictor=predictor), seed(6)
    )
    three, five = make(3), make(5)
    assert np.array_equal(three.parameters, five.parameters[:3])
    assert not np.array_equal(five.parameters[3], five.parameters[4])
    found = three.predictions(demonstrations.observations[:4])
    assert found.shape == (3, 4, 4)
    assert_allclose(three.mean(demonstrations.observations[:4]), found.mean(axis=0))
    assert_allclose(three.covariance(demonstrations.observations[:4]), sample_covariance(found))


@pytest.mark.compiled
def test_an_ensemble_predicts_a_linear_demonstrator_in_units_of_actions():
    rng = np.random.default_rng(7)
    observations = 3 + 10 * rng.normal(size=(200, 2))
    actions = observations @ np.array([[0.02, -0.01], [0.0, 0.03]]) + 0.1
    demonstrations = Demonstrations(observations, actions, np.arange(10, 201, 10))
    ensemble = fit_ensemble(demonstrations, 1, Recipe(n_members=3, **LINEAR), seed(8))
    assert_allclose(ensemble.mean(observations), actions, atol=1e-3)
    assert np.abs(ensemble.covariance(observations)).max() < 1e-6


def test_an_ensemble_read_from_a_file_predicts_as_the_saved_one(tmp_path):
    ensemble = fit_ensemble(shown(), 2, Recipe(n_members=3, hidden=(4,), training=Training(n_steps=3)), seed(9))
    save_ensemble(tmp_path / "e.npz", ensemble)
    again = load_ensemble(tmp_path / "e.npz")
    at = shown().observations
    assert np.array_equal(again.predictions(at), ensemble.predictions(at))
    with np.load(tmp_path / "e.npz") as found:
        whole = dict(found)
    for of, size in (("observation", 2), ("action", 3)):
        other = {f"{of}_mean": np.zeros(size), f"{of}_spread": np.ones(size)}
        np.savez(tmp_path / "other.npz", **whole | other)
        with pytest.raises(ValueError, match="must fit the network"):
            load_ensemble(tmp_path / "other.npz")
    np.savez(tmp_path / "e.npz", **{**whole, "parameters": whole["parameters"][:, 1:]})
    with pytest.raises(ValueError, match="parameters must have shape"):
        load_ensemble(tmp_path / "e.npz")
    with pytest.raises(TypeError, match="ensemble"):
        save_ensemble(tmp_path / "e.npz", None)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_the_trajectory_bootstrap_of_one_episode_is_refused():
    with pytest.raises(ValueError, match="two episodes or more"):
        fit_ensemble(shown(1), 1, Recipe(n_members=2, version="trajectory", hidden=()), seed())


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"n_members": 1}, "n_members"),
        ({"version": "bagging"}, "version"),
        ({"predictor": "median"}, "predictor"),
        ({"noise": 0.0}, "noise"),
        ({"prior": np.nan}, "prior"),
        ({"training": None}, "training"),
    ],
)
def test_a_recipe_out_of_range_is_refused(change, name):
    with pytest.raises((TypeError, ValueError), match=name):
        Recipe(**change)


def test_ensembles_and_factors_refuse_arguments_out_of_range():
    for bad, words in (
        (np.zeros((1, 2, 3)), "square"),
        (np.array([[[1.0, 0.5], [0.0, 1.0]]]), "symmetric"),
        (-np.eye(2)[None], "below zero"),
    ):
        with pytest.raises(ValueError, match=words):
            cholesky_factors(bad)
    with pytest.raises(ValueError, match="two members"):
        sample_covariance(np.zeros((1, 2, 2)))
    with pytest.raises(ValueError, match="targets"):
        fit_members(np.zeros((3, 1)), np.zeros((2, 1)), np.array([3]), Recipe(n_members=2, version="noise"), seed())
    for ends in ([], [2], [4], [3, 3], [0, 3]):
        with pytest.raises(ValueError, match="episode_ends"):
            fit_members(
                np.zeros((3, 1)), np.zeros((3, 1)), np.array(ends, int), Recipe(n_members=2, version="noise"), seed()
            )
    with pytest.raises(TypeError, match="seed"):
        fit_ensemble(shown(), 1, Recipe(n_members=2), 0)
    ensemble = fit_ensemble(shown(), 1, Recipe(n_members=2, hidden=(), training=Training(n_steps=1)), seed())
    with pytest.raises(ValueError, match="observations"):
        ensemble.predictions(np.zeros((1, 5)))
