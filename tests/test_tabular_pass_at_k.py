"""tabular.pass_at_k: all trajectories in exact fractions, laws in k, R6.4's bound on random processes, refusals."""

import math
import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular import dp
from tabular.demonstrations import sample_counts
from tabular.instances import chain_lock
from tabular.mdp import FiniteHorizonMDP
from tabular.pass_at_k import pass_at_k, pass_at_k_bound, success_probabilities
from tabular.policies import BC, posterior
from tabular.profile import trajectory_kl
from tabular.strategies import mdps, policies
from theory.bounds.r6_trajectory import success_probability_bound

SMALL = mdps(max_states=2, max_actions=2)
ONE = SMALL.flatmap(lambda mdp: st.tuples(st.just(mdp), policies(mdp)))
TWO = mdps().flatmap(lambda mdp: st.tuples(st.just(mdp), policies(mdp), policies(mdp)))
MANY = st.sampled_from([1, 2, 3, 8, 32, 1000])


def exact_successes(mdp, policy):
    """P[first state is s] and P[first state is s, some step pays 1] over all trajectories, as fractions."""
    model = oracles.process_of(mdp)
    begun, won = ([Fraction(0)] * mdp.n_states for _ in range(2))
    for probability, path in oracles.trajectories(model, oracles.exact(policy.tolist())):
        begun[path[0][0]] += probability
        if any(model.reward[h][s][a] == 1 for h, (s, a) in enumerate(path)):
            won[path[0][0]] += probability
    return begun, won


@settings(max_examples=60)
@given(ONE, st.integers(1, 9))
def test_pass_at_k_is_that_of_all_trajectories_in_exact_fractions(drawn, k):
    mdp, pi = drawn
    begun, won = exact_successes(mdp, pi)
    exact = sum((b * (1 - (1 - w / b) ** k) for b, w in zip(begun, won, strict=True) if b), Fraction(0))
    assert_allclose(pass_at_k(mdp, pi, k), float(exact), rtol=1e-12, atol=1e-14)
    found = success_probabilities(mdp, pi)
    for s, (b, w) in enumerate(zip(begun, won, strict=True)):
        if b:
            assert_allclose(found[s], float(w / b), rtol=1e-12, atol=1e-14)


@given(TWO, MANY)
def test_the_bound_of_r6_holds_on_random_processes(drawn, k):
    mdp, pi_beta, pi = drawn
    found = pass_at_k_bound(mdp, pi_beta, pi, k)
    assert 0 <= found.bound <= found.exact * (1 + 1e-9) + 1e-12
    assert found.exact == pass_at_k(mdp, pi, k)
    assert found.demonstrator == pass_at_k(mdp, pi_beta, k)


@given(st.integers(1, 4), st.integers(2, 4), st.sampled_from([0.0, 0.25]), st.integers(1, 30), MANY, st.integers(0, 99))
@settings(max_examples=30)
def test_the_bound_holds_for_cloned_policies_and_is_above_0_for_the_posterior(horizon, n_actions, slip, T, k, seed):
    lock = chain_lock(horizon, n_actions, 0.6, slip=slip)
    counts = sample_counts(lock.mdp, lock.demonstrator, n_demos=T, rng=np.random.default_rng(seed))
    for estimator in (BC, posterior(float(n_actions))):
        found = pass_at_k_bound(lock.mdp, lock.demonstrator, estimator.policy(counts), k)
        assert found.bound <= found.exact * (1 + 1e-9) + 1e-12
    assert found.bound > 0


@given(TWO)
def test_the_demonstrators_own_bound_is_its_success_where_that_is_certain(drawn):
    """KL = 0; and from a first state of which it always succeeds the entropy is 0, too."""
    mdp, pi, _ = drawn
    found = pass_at_k_bound(mdp, pi, pi, 1)
    certain = (success_probabilities(mdp, pi) >= 1 - 1e-12) & (mdp.initial > 0)
    assert found.bound >= mdp.initial[certain].sum() * (1 - 1e-6)


@given(TWO, st.integers(1, 40))
def test_pass_at_k_grows_with_k_by_less_and_less(drawn, k):
    mdp, _, pi = drawn
    values = [pass_at_k(mdp, pi, k + i) for i in range(3)]
    steps = np.diff(values)
    assert (steps >= -1e-12).all()
    assert steps[1] <= steps[0] + 1e-12
    assert 0 <= values[0] <= values[-1] <= 1


@given(st.integers(1, 6), st.integers(2, 4), st.floats(0.05, 1))
def test_one_try_succeeds_as_often_as_the_expected_return_says_where_only_the_end_pays(horizon, n_actions, skill):
    lock = chain_lock(horizon, n_actions, skill)
    assert_allclose(pass_at_k(lock.mdp, lock.demonstrator, 1), dp.expected_return(lock.mdp, lock.demonstrator))
    expected = -math.expm1(3 * math.log1p(-(skill**horizon))) if skill < 1 else 1.0
    assert_allclose(pass_at_k(lock.mdp, lock.demonstrator, 3), expected, rtol=1e-9)


@given(st.integers(1, 5), st.integers(2, 4), st.floats(0.1, 1), st.floats(0.1, 1), MANY)
def test_from_a_single_first_state_the_bound_is_that_of_all_trajectories(horizon, n_actions, skill, cloned, k):
    lock = chain_lock(horizon, n_actions, skill)
    clone = chain_lock(horizon, n_actions, cloned).demonstrator
    least = success_probability_bound(
        trajectory_kl(lock.mdp, lock.demonstrator, clone), pass_at_k(lock.mdp, lock.demonstrator, 1)
    )
    found = pass_at_k_bound(lock.mdp, lock.demonstrator, clone, k).bound
    assert_allclose(found, -np.expm1(k * np.log1p(-least)) if least < 1 else 1.0, rtol=1e-6, atol=1e-12)


def two_rooms():
    """One step; from state 0 every action pays, from state 1 only action 0 does."""
    reward = np.array([[[1.0, 1.0], [1.0, 0.0]]])
    return FiniteHorizonMDP.from_dense(np.full((1, 2, 2, 2), 0.5), reward, [0.5, 0.5], 1)


def test_the_bound_for_all_trajectories_at_once_is_no_bound_on_pass_at_k():
    """The policy always succeeds from one first state and never from the other, so more tries do not help."""
    mdp = two_rooms()
    pi_beta, pi = np.full((1, 2, 2), 0.5), np.array([[[0.5, 0.5], [0.0, 1.0]]])
    nearly = np.array([[[0.5, 0.5], [1e-9, 1 - 1e-9]]])
    assert pass_at_k(mdp, pi, 32) == 0.5
    at_once = success_probability_bound(trajectory_kl(mdp, pi_beta, nearly), pass_at_k(mdp, pi_beta, 1))
    assert 1 - (1 - at_once) ** 10**6 > 0.6 > pass_at_k(mdp, nearly, 10**6)
    found = pass_at_k_bound(mdp, pi_beta, nearly, 10**6)
    assert found.bound <= found.exact


@example(1e-300, 7)
@given(st.floats(1e-18, 1e-6), st.integers(1, 1000))
def test_small_probabilities_keep_their_digits(p, k):
    mdp = FiniteHorizonMDP.from_dense(np.ones((1, 1, 2, 1)), [[[1.0, 0.0]]], [1.0], 1)
    exact = 1 - (1 - Fraction(p)) ** k
    assert_allclose(pass_at_k(mdp, [[[p, 1 - p]]], k), float(exact), rtol=1e-12)


def test_an_episode_succeeds_once_and_a_part_of_the_reward_is_no_success():
    mdp = FiniteHorizonMDP.from_dense(np.ones((1, 1, 2, 1)), [[[1.0, 0.875]]], [1.0], 2)
    assert pass_at_k(mdp, np.tile([1.0, 0.0], (2, 1, 1)), 1) == 1.0
    assert pass_at_k(mdp, np.tile([0.0, 1.0], (2, 1, 1)), 5) == 0.0
    assert pass_at_k(mdp, np.full((2, 1, 2), 0.5), 1) == 0.75


LOCK = chain_lock(2, 2, 0.5)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: pass_at_k(LOCK.mdp, LOCK.demonstrator, 0), ValueError, "k must be at least 1; got 0"),
        (lambda: pass_at_k(LOCK.mdp, LOCK.demonstrator, 1.5), TypeError, "k must be an integer; got 1.5"),
        (lambda: pass_at_k(LOCK.mdp, LOCK.demonstrator[0], 1), ValueError, "policy must have shape (2, 2, 2); got (2, 2)"),
        (lambda: pass_at_k("lock", LOCK.demonstrator, 1), TypeError, "mdp must be of type FiniteHorizonMDP; got str"),
        (lambda: pass_at_k_bound(LOCK.mdp, LOCK.demonstrator[0], LOCK.demonstrator, 1), ValueError, "demonstrator must have shape (2, 2, 2); got (2, 2)"),
        (lambda: pass_at_k_bound(LOCK.mdp, LOCK.demonstrator, LOCK.demonstrator, 0), ValueError, "k must be at least 1; got 0"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call()
