import math
import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular import dp
from tabular.counts import Demonstrations
from tabular.instances import chain_lock, garnet
from tabular.mdp import FiniteHorizonMDP
from tabular.profile import (
    log_ratios,
    profile_interval,
    rollouts_from_profile,
    rollouts_needed,
    sampled_trajectory_profile,
    step_profile,
    trajectory_kl,
    trajectory_profile,
)
from tabular.strategies import mdps, policies
from theory.bounds.r6_trajectory import profile_bound

THRESHOLDS = [1.0, 1.5, 2.0, 4.0, 64.0]
DRAWN = mdps(max_states=2, max_actions=2).flatmap(lambda mdp: st.tuples(st.just(mdp), policies(mdp), policies(mdp)))


def at_least(above, below, limit):
    return above >= Fraction(limit) * below


@settings(max_examples=25)
@given(DRAWN)
def test_profiles_are_those_of_all_trajectories(drawn):
    mdp, pi_beta, pi = drawn
    model, beta, hat = oracles.process_of(mdp), oracles.exact(pi_beta.tolist()), oracles.exact(pi.tolist())
    steps, whole = np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS))
    for probability, path in oracles.trajectories(model, beta):
        above, below = Fraction(1), Fraction(1)
        for h, (s, a) in enumerate(path):
            above, below = above * beta[h][s][a], below * hat[h][s][a]
            steps += [
                float(probability) / mdp.horizon * at_least(beta[h][s][a], hat[h][s][a], limit) for limit in THRESHOLDS
            ]
        whole += [float(probability) * at_least(above, below, limit) for limit in THRESHOLDS]
    assert_allclose(step_profile(mdp, pi_beta, pi, THRESHOLDS), steps, rtol=0, atol=1e-12)
    assert_allclose(trajectory_profile(mdp, pi_beta, pi, THRESHOLDS), whole, rtol=0, atol=1e-12)


@settings(max_examples=25)
@given(DRAWN)
def test_the_divergence_is_the_mean_log_ratio_of_all_trajectories(drawn):
    mdp, pi_beta, pi = drawn
    model, beta, hat = oracles.process_of(mdp), oracles.exact(pi_beta.tolist()), oracles.exact(pi.tolist())
    total = 0.0
    for probability, path in oracles.trajectories(model, beta):
        one, states, actions = 0.0, [[s for s, _ in path]], [[a for _, a in path]]
        for h, (s, a) in enumerate(path):
            one += math.log(beta[h][s][a] / hat[h][s][a]) if hat[h][s][a] else math.inf
        assert_allclose(
            log_ratios(pi_beta, pi, Demonstrations(states, actions, mdp.n_states, mdp.n_actions)), [one], atol=1e-12
        )
        total += float(probability) * one
    found = trajectory_kl(mdp, pi_beta, pi)
    assert_allclose(found, total, rtol=1e-12, atol=1e-12)
    exact = trajectory_profile(mdp, pi_beta, pi, THRESHOLDS[1:])
    assert (exact <= profile_bound(found, THRESHOLDS[1:]) + 1e-12).all()


@pytest.mark.parametrize("p", np.linspace(0.3, 0.7, 41))
def test_a_ratio_that_is_the_threshold_counts_however_many_steps_round(p):
    H = 60
    mdp = FiniteHorizonMDP.from_dense(np.ones((1, 1, 2, 1)), np.zeros((1, 1, 2)), np.ones(1), H)
    always, seldom = np.broadcast_to([1.0, 0.0], (H, 1, 2)), np.broadcast_to([p, 1 - p], (H, 1, 2))
    found = trajectory_profile(mdp, always, seldom, [p**-H, (1 + 1e-9) * p**-H])
    assert_allclose(found, [1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("n_trajectories", [100, 20_000])
def test_intervals_of_sampled_profiles_contain_the_exact_profile(n_trajectories, rng):
    """False alarm 1e-6 over all intervals; at 20 000 trajectories they are narrower than 0.05."""
    lock = chain_lock(3, 3, 0.6, slip=0.2)
    clone = chain_lock(3, 3, 0.35).demonstrator
    exact = trajectory_profile(lock.mdp, lock.demonstrator, clone, THRESHOLDS)
    low, high = sampled_trajectory_profile(
        lock.mdp, lock.demonstrator, clone, THRESHOLDS, n_trajectories=n_trajectories, confidence=1 - 2e-7, rng=rng
    )
    assert (low <= exact + 1e-12).all()
    assert (exact <= high + 1e-12).all()
    assert (high - low).max() < (0.05 if n_trajectories == 20_000 else 0.7)
    assert 0.01 < exact[2] < 0.99


@given(st.lists(st.sampled_from([-1.0, 0.0, math.log(2), 3.0, math.inf]), min_size=1, max_size=9))
def test_intervals_count_the_ratios_that_reach_a_threshold(values):
    low, high = profile_interval(values, [1.0, 2.0, 1e9], 0.9)
    for i, limit in enumerate((0.0, math.log(2), math.log(1e9))):
        share = sum(value >= limit for value in values) / len(values)
        assert low[i] <= share <= high[i]
        assert (low[i] == 0) == (share == 0)
        assert (high[i] == 1) == (share == 1)


@given(st.floats(1e-9, 1, exclude_max=True), st.floats(1e-6, 1, exclude_max=True))
def test_the_rollouts_needed_contain_a_success_and_fewer_do_not(success, delta):
    needed = rollouts_needed(success, delta)
    assert_allclose(math.exp(needed * math.log1p(-success)), delta, rtol=1e-9)


def test_rollouts_where_success_is_certain_or_impossible():
    assert rollouts_needed(0.0, 0.1) == math.inf
    assert rollouts_needed(1.0, 0.1) == 0.0


@given(st.floats(0, 50), st.floats(1, 1e12), st.floats(1, 1e3))
def test_the_bound_from_the_divergence_falls_with_the_threshold_and_grows_with_the_divergence(kl, M, more):
    one, further = profile_bound(kl, [M, M * more])
    assert 0 <= further <= one <= 1
    assert profile_bound(kl + 1, [M])[0] >= one
    assert profile_bound(math.inf, [M])[0] == 1.0


@given(st.integers(1, 5), st.integers(2, 4), st.floats(0.05, 1), st.floats(0.05, 1))
def test_the_profile_bounds_the_rollouts_until_a_success(horizon, n_actions, skill, cloned):
    lock = chain_lock(horizon, n_actions, skill)
    clone = chain_lock(horizon, n_actions, cloned).demonstrator
    M = np.geomspace(1, 1e8, 60)
    bound = rollouts_from_profile(M, trajectory_profile(lock.mdp, lock.demonstrator, clone, M), skill**horizon, 0.1)
    success = dp.expected_return(lock.mdp, clone)
    assert bound >= math.log(10) / success * (1 - 1e-9)


LOCK = chain_lock(2, 2, 0.5)
GARNET = garnet(6, 3, 3, 5, np.random.default_rng(0))
REFUSED = [
    (lambda: step_profile(LOCK.mdp, LOCK.demonstrator, LOCK.demonstrator, [0.5]), "thresholds must be at least 1; entry (0,) is 0.5"),
    (lambda: trajectory_profile(LOCK.mdp, LOCK.demonstrator, LOCK.demonstrator[0], [1.0]), "policy must have shape (2, 2, 2); got (2, 2)"),
    (lambda: trajectory_profile(GARNET.mdp, GARNET.demonstrator, np.full((5, 6, 3), 1 / 3), [1.0], max_values=9), "max_values must hold every pair of state and log-ratio; step 1 has"),
    (lambda: sampled_trajectory_profile(LOCK.mdp, LOCK.demonstrator, LOCK.demonstrator, [0.0], n_trajectories=5, confidence=0.9, rng=np.random.default_rng(0)), "thresholds must be at least 1; entry (0,) is 0.0"),
    (lambda: sampled_trajectory_profile(LOCK.mdp, LOCK.demonstrator, LOCK.demonstrator, [1.0], n_trajectories=0, confidence=0.9, rng=np.random.default_rng(0)), "n_demos must be at least 1; got 0"),
    (lambda: profile_interval([0.0], [1.0], 1.0), "confidence must be below 1.0; got 1.0"),
    (lambda: profile_interval([math.nan], [1.0], 0.9), "log_ratios must be numbers of shape (T,); got shape (1,) or a nan"),
    (lambda: profile_interval([[0.0]], [1.0], 0.9), "log_ratios must be numbers of shape (T,); got shape (1, 1) or a nan"),
    (lambda: log_ratios(LOCK.demonstrator, LOCK.demonstrator, Demonstrations([[0]], [[0]], 2, 2)), "demonstrator must have shape (1, 2, 2); got (2, 2, 2)"),
    (lambda: trajectory_kl(LOCK.mdp, LOCK.demonstrator, LOCK.demonstrator[0]), "policy must have shape (2, 2, 2); got (2, 2)"),
    (lambda: rollouts_needed(1.5, 0.1), "success must be at most 1.0; got 1.5"),
    (lambda: rollouts_needed(0.5, 0.0), "delta must be above 0.0; got 0.0"),
    (lambda: rollouts_from_profile([1.0], [0.0], 0.0, 0.1), "success must be above 0.0; got 0.0"),
    (lambda: rollouts_from_profile([1.0], [0.0, 1.0], 0.5, 0.1), "profile must have shape (1,); got (2,)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_bad_arguments_of_profiles_are_refused(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_the_bound_on_rollouts_is_infinite_where_every_success_may_be_missed():
    assert rollouts_from_profile([1.0, 2.0], [0.5, 0.5], 0.5, 0.1) == math.inf
