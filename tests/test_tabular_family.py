"""Many members of the family on one data set: the same as one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular import dp
from tabular.coverage import coverage_where
from tabular.demonstrations import sample_counts
from tabular.family import family_coverages, family_returns, matched_alpha
from tabular.instances import Instance, chain_lock, deep_sea, funnel, garnet, softmax
from tabular.mdp import FiniteHorizonMDP
from tabular.policies import BC, MixtureEstimator, postbc, posterior, uniform_noise
from tabular.strategies import counts, estimators, instances

MEMBERS = [
    BC,
    uniform_noise(0.1),
    uniform_noise(1.0),
    posterior(4.0),
    postbc(0.2, 3.0),
    postbc(1e-9, 1e9),
    postbc(1.0, 1e-9),
]


def agree(instance, data, members):
    policies = [member.policy(data) for member in members]
    returns = [dp.expected_return(instance.mdp, policy) for policy in policies]
    gammas = [coverage_where(policy, instance.demonstrator, instance.reachable) for policy in policies]
    found = family_coverages(data, instance.demonstrator, instance.reachable, members)
    np.testing.assert_allclose(family_returns(instance.mdp, data, members), returns, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found, gammas, rtol=1e-12, atol=0)
    assert ((found == 0) == (np.array(gammas) == 0)).all()


@given(st.data())
def test_members_computed_together_equal_members_computed_one_by_one(data):
    instance = data.draw(instances())
    recorded = data.draw(counts(instance.mdp, instance.demonstrator))
    agree(instance, recorded, data.draw(st.lists(estimators(), min_size=1, max_size=6)))


@pytest.mark.parametrize("n_demos", [3, 100, 1023, 1024, 5000])  # about where noise weights are no longer kept
@pytest.mark.parametrize(
    "build", [lambda: chain_lock(6, 3, 0.9, 0.1), lambda: deep_sea(6, 0.9, 0.1), lambda: funnel(8, 3, 4)]
)
def test_members_computed_together_agree_on_the_processes_of_the_figures(build, n_demos, rng):
    instance = build()
    agree(instance, sample_counts(instance.mdp, instance.demonstrator, n_demos, rng), MEMBERS)


def test_members_computed_together_agree_on_dense_and_step_dependent_tables(rng):
    p = rng.dirichlet(np.ones(7), size=(4, 7, 3))
    dense = FiniteHorizonMDP.from_dense(p, rng.random((4, 7, 3)), np.eye(7)[0], 4)
    for instance in (Instance("dense", dense, softmax(dense, 0.1)), garnet(12, 3, 5, 6, rng)):
        for n_demos in (2, 20, 3000):
            agree(instance, sample_counts(instance.mdp, instance.demonstrator, n_demos, rng), MEMBERS)


def test_bc_covers_nothing_where_an_action_is_missing(rng):
    instance = chain_lock(4, 3, 0.9)
    data = sample_counts(instance.mdp, instance.demonstrator, 2, rng)
    assert family_coverages(data, instance.demonstrator, instance.reachable, [BC])[0] == 0.0


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.floats(0, 3))
def test_a_matched_alpha_costs_exactly_the_budget(steps, budget):
    alphas, losses = np.linspace(0, 1, len(steps) + 1), np.concatenate([[0], np.cumsum(steps)])
    alpha = matched_alpha(alphas, losses, budget)
    assert np.interp(alpha, alphas, losses) == pytest.approx(min(budget, losses[-1]), abs=1e-12)


def test_a_matched_alpha_lies_before_the_first_excess_of_the_budget():
    assert matched_alpha([0.0, 0.5, 1.0], [0.0, 2.0, 0.0], 1.0) == pytest.approx(0.25)


ONE = chain_lock(3, 2, 0.5)
DATA = sample_counts(ONE.mdp, ONE.demonstrator, 2, np.random.default_rng(0))
OTHER = sample_counts(chain_lock(2, 2, 0.5).mdp, chain_lock(2, 2, 0.5).demonstrator, 2, np.random.default_rng(0))
PI, SEEN = ONE.demonstrator, ONE.reachable

REFUSALS = [
    (lambda: family_returns(ONE.mdp, DATA, []), ValueError, "estimators must hold at least one"),
    (
        lambda: family_returns(ONE.mdp, DATA, [0.5]),
        TypeError,
        "estimators must hold MixtureEstimators, because only that family has a closed form; entry 0 is a float",
    ),
    (lambda: family_returns(ONE.mdp, DATA.counts, [BC]), TypeError, "counts must be Counts"),
    (lambda: family_returns(ONE.mdp, OTHER, [BC]), ValueError, "counts must have shape"),
    (lambda: family_coverages(DATA, PI[0], SEEN, [BC]), ValueError, r"demonstrator must have shape \(H, S, A\)"),
    (lambda: family_coverages(DATA, PI / 2, SEEN, [BC]), ValueError, "demonstrator rows must sum to 1"),
    (lambda: family_coverages(DATA, PI, SEEN[:1], [BC]), ValueError, "included must be boolean of shape"),
    (lambda: family_coverages(DATA, PI, SEEN.astype(int), [BC]), ValueError, "included must be boolean"),
    (lambda: matched_alpha([], [], 1.0), ValueError, "alphas must increase"),
    (lambda: matched_alpha([0.1, 1.0], [0.0, 1.0], 1.0), ValueError, "alphas must increase from 0"),
    (lambda: matched_alpha([0.0, 1.0], [0.0], 1.0), ValueError, "losses must have shape"),
    (lambda: matched_alpha([0.0, 1.0], [0.0, 1.0], -1.0), ValueError, "budget must be at least 0.0; got -1.0"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS)
def test_bad_arguments_of_family_functions_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_prior_without_weight_is_bc(rng):
    funnel_counts = sample_counts(ONE.mdp, PI, 5, rng)
    both = family_returns(ONE.mdp, funnel_counts, [MixtureEstimator(1.0, 5e-324), BC])
    assert both[0] == both[1]
