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
from tabular.instances import chain_lock, garnet
from tabular.profile import rollouts_from_profile, step_profile, trajectory_profile
from tabular.strategies import mdps, policies

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
    (lambda: rollouts_from_profile([1.0], [0.0], 0.0, 0.1), "success must be above 0.0; got 0.0"),
    (lambda: rollouts_from_profile([1.0], [0.0, 1.0], 0.5, 0.1), "profile must have shape (1,); got (2,)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_nothing_is_promised_where_every_success_may_be_missed():
    assert rollouts_from_profile([1.0, 2.0], [0.5, 0.5], 0.5, 0.1) == math.inf
