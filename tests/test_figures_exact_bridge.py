"""The bridge: linear networks on one-hot states are the table, and Lemma 7's ensemble is the Gaussian posterior."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from continuous.covariances import sample_covariance
from continuous.ensembles import Recipe, fit_members, resampled_rows
from continuous.training import Training
from figures.exact import fig_bridge
from figures.exact.fig_bridge import NOISE, TAKEN, VISITS
from tabular.counts import Counts
from tabular.policies import BC
from theory.base.streams import stream
from theory.bounds import c_gaussian as gaussian

LINEAR = {"hidden": (), "training": Training(n_steps=400, batch=10**6, rate=0.1)}


def seed(number=0):
    return np.random.SeedSequence(number)


def outputs(network, members, x):
    return np.stack([network.forward(member, x) for member in members]).astype(float)


# --- the bootstraps are the table's -----------------------------------------------------------------------------------


@pytest.mark.compiled
@pytest.mark.parametrize("version", ["trajectory", "state-action"])
@pytest.mark.parametrize("number", range(3))
def test_a_linear_network_on_one_hot_states_equals_bc_of_the_drawn_pairs(version, number):
    """Three states, three actions as one-hot targets, episodes of four steps: each member is a separate table."""
    rng = np.random.default_rng(number)
    states, actions = rng.integers(3, size=40), rng.integers(3, size=40)
    ends = np.arange(4, 41, 4)
    network, members = fit_members(
        np.eye(3)[states], np.eye(3)[actions], ends, Recipe(n_members=20, version=version, **LINEAR), seed(number)
    )
    found = outputs(network, members, np.eye(3))
    for k in range(20):
        rows = resampled_rows(version, ends, stream(seed(number), k))
        counts = np.zeros((1, 3, 3), np.int64)
        np.add.at(counts[0], (states[rows], actions[rows]), 1)
        seen = counts[0].sum(axis=1) > 0
        assert_allclose(found[k][seen], BC.policy(Counts(counts))[0][seen], atol=2e-3)


@pytest.mark.compiled
def test_the_variance_of_one_hot_ensembles_is_p_times_1_minus_p_over_the_visits():
    """One pair a trajectory, 20 to 50 visits. p(1-p)/T_h(s) errs by less than 2/T (no state is missed: exp(-20)).

    False alarm below 1e-6: z = 5.5 on four variances, whose own variance is 2/K of their square for nearly normal
    sums. Half the visits would be rejected.
    """
    visits, p, K = np.array([20, 30, 40, 50]), np.array([0.5, 0.2, 0.3, 0.45]), 500
    taken = np.round(p * visits).astype(int)
    states = np.repeat(np.arange(4), visits)
    targets = np.concatenate([np.arange(n) < k for n, k in zip(visits, taken, strict=True)])[:, None].astype(float)
    ends = np.arange(1, states.size + 1)
    network, members = fit_members(
        np.eye(4)[states], targets, ends, Recipe(n_members=K, version="trajectory", **LINEAR), seed(5)
    )
    share = taken / visits
    ratio = outputs(network, members, np.eye(4))[:, :, 0].var(axis=0, ddof=1) / (share * (1 - share) / visits)
    slack = 5.5 * np.sqrt(2.1 / K) + 2 / visits
    assert (np.abs(ratio - 1) <= slack).all()
    assert (np.abs(2 * ratio - 1) > slack).all()


def test_the_closed_form_of_the_bootstrap_equals_a_sum_over_draws_in_fractions():
    """Var of the mean of M drawn pairs, M ~ Bin(N, T/N) given M > 0: p(1-p) E[1/M]; at a state of few visits."""
    N, found = sum(VISITS), fig_bridge.closed_forms()["bootstrap"]
    for s in (4, 5):
        share = Fraction(VISITS[s], N)
        law = [comb(N, m) * share**m * (1 - share) ** (N - m) for m in range(N + 1)]
        p = Fraction(TAKEN[s], VISITS[s])
        truth = p * (1 - p) * sum(law[m] / m for m in range(1, N + 1)) / (1 - law[0])
        assert found[s] ** 2 == pytest.approx(float(truth), rel=1e-9)
    assert np.isnan(found[-1])


# --- Lemma 7 ----------------------------------------------------------------------------------------------------------


def test_the_gaussian_posterior_equals_the_conditioned_joint_normal_distribution():
    """Kriging's form, which inverts the covariance of the data in place of the precision of the parameters."""
    states, actions = fig_bridge.recorded()
    S = len(VISITS)
    prior = (np.eye(S) + 1) / S
    covariance = prior[np.ix_(states, states)] + NOISE**2 * np.eye(states.size)
    gain = np.linalg.solve(covariance, prior[states]).T
    found = fig_bridge.closed_forms()
    assert_allclose(found["gaussian"] ** 2, np.diag(prior - gain @ prior[states]), rtol=1e-9)
    assert_allclose(found["gaussian_mean"], gain @ actions, rtol=1e-9)


@pytest.mark.compiled
def test_at_one_state_the_perturbed_ensemble_has_the_papers_gaussian_posterior():
    """Two action entries; mean and covariance of 1500 members; five tests of false alarm 2e-7 each."""
    K, noise, rng = 1500, 0.8, np.random.default_rng(6)
    actions = rng.normal(size=(5, 2))
    recipe = Recipe(n_members=K, version="noise", noise=noise, prior=0.7, **LINEAR)
    network, members = fit_members(np.ones((5, 1)), actions, np.array([5]), recipe, seed(7))
    found = outputs(network, members, np.ones((1, 1)))[:, 0]
    prior = 2 * 0.7**2 * np.eye(2)  # of weight and bias together
    mean, covariance = gaussian.gaussian_posterior(actions, noise**2 * np.eye(2), prior)
    z = stats.norm.isf(1e-7)
    assert (np.abs(found.mean(axis=0) - mean) <= z * np.sqrt(np.diag(covariance) / K) + 1e-3).all()
    low, high = stats.chi2.ppf([1e-7, 1 - 1e-7], K - 1) / (K - 1)
    spread = sample_covariance(found[:, None])[0]
    for towards in np.array([[1, 0], [0, 1], [1, 1]]):
        assert low <= towards @ spread @ towards / (towards @ covariance @ towards) <= high
    assert (
        not low <= spread[0, 0] / gaussian.gaussian_posterior(actions[:3], noise**2 * np.eye(2), prior)[1][0, 0] <= high
    )


# --- the figure's own numbers -----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32))
def test_the_interval_of_a_deviation_contains_the_true_deviation(number):
    """Normal samples of 2000: at 1 - 1e-7, the truth is inside; twice the truth is not."""
    sample = np.random.default_rng(number).normal(0, 3, size=(2000, 2))
    low, high = fig_bridge.deviation_interval(sample, 1 - 1e-7)
    assert ((low <= 3) & (high >= 3)).all()
    assert (high < 6).all()


def test_a_state_that_was_not_drawn_has_no_entry_in_the_bootstrapped_table():
    states, actions = fig_bridge.recorded()
    table = fig_bridge.bootstrapped_table(states, actions, np.array([0, 0, 100]))
    assert table[0] == actions[0]
    assert np.isnan(table[-1])
    assert np.isfinite(table).sum() == len({0, int(states[100])})
