"""The policies of one data set: each variant changes what it says and nothing else, and the order never matters."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from oracles_continuous import stick

from continuous.beyond import held_out_log_likelihood, with_own_states
from continuous.cloning import clone
from continuous.demonstrators import demonstrate
from continuous.ensembles import Recipe, fit_ensemble
from continuous.estimators import isotropic_factors
from continuous.tasks import TASKS
from continuous.training import Training
from figures.control import pretraining
from figures.control.blocks import LEARNER
from figures.control.pretraining import Effort
from figures.control.variants import LIKELIHOOD, LIKELY, OWN, VARIANTS, PolicySpec, Workshop, tolerant

LITTLE = Effort(10, 3, 4, 3, 4, chunk=2)
CELL = {"root": 5, "task": "stick", "replicate": 1, "n_demos": 5, **asdict(LITTLE)}
DATA = pretraining.demonstrations(CELL)
PLANS = [
    PolicySpec("BC", 0.0), PolicySpec("sigma-BC", 0.3), PolicySpec("sigma-BC", 0.3, "oracle mask"), PolicySpec("BC", 0.0, "poor demonstrator"),
    *(PolicySpec("PostBC", 2.0, variant) for variant in VARIANTS if variant != "oracle mask"),
]  # fmt: skip


def recipe(n_members=10, version="trajectory"):
    return Recipe(n_members, version, (4, 4), Training(n_steps=3))


def seed(purpose):
    return pretraining.seed(CELL, purpose)


def covariances(data, states, alpha, **how):
    """alpha^2 times the covariance of an ensemble of these data at some states, by numpy."""
    found = fit_ensemble(data, 2, recipe(**how), seed(pretraining.ENSEMBLE)).predictions(states)
    return alpha**2 * np.stack([np.cov(found[:, i].T) for i in range(len(states))])


@pytest.fixture
def given_to_clone(monkeypatch):
    """What `clone` is called with, call by call."""
    calls = []

    def spy(data, chunk, seed, **options):
        calls.append({"data": data, "chunk": chunk, "seed": seed, **options})
        return clone(data, chunk, seed, **options)

    monkeypatch.setattr(pretraining, "clone", spy)
    return calls


def squares(call):
    return call["factors"] @ call["factors"].transpose(0, 2, 1)


def test_noise_that_is_asked_for_is_what_is_given(given_to_clone):
    workshop = Workshop(CELL)
    for plan in (PolicySpec("BC", 0.0), PolicySpec("sigma-BC", 0.3), PolicySpec("PostBC", 2.0)):
        _, strength = workshop.pretrain(plan)
        assert strength == plan.strength
    bc, sigma, ours = given_to_clone
    for call in given_to_clone:
        assert_array_equal(call["data"].observations, DATA.observations)
        assert_array_equal(call["data"].actions, DATA.actions)
        assert (call["chunk"], call["hidden"], call["training"].n_steps) == (2, (4, 4, 4), 3)
    assert bc["factors"] is None
    assert_array_equal(sigma["factors"], isotropic_factors(DATA, 2, 0.3))
    assert_allclose(squares(ours), covariances(DATA, DATA.observations, 2.0), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("variant", "how"),
    [
        ("3 members", {"n_members": 3}),
        ("30 members", {"n_members": 30}),
        ("100 members", {"n_members": 100}),
        ("pairs bootstrap", {"version": "state-action"}),
        ("perturbed targets", {"version": "noise"}),
    ],
)
def test_a_variant_of_the_ensemble_changes_the_ensemble_alone(given_to_clone, variant, how):
    _, strength = Workshop(CELL).pretrain(PolicySpec("PostBC", 2.0, variant))
    assert strength == 2.0
    (call,) = given_to_clone
    assert_array_equal(call["data"].actions, DATA.actions)
    assert_allclose(squares(call), covariances(DATA, DATA.observations, 2.0, **how), rtol=1e-7, atol=1e-9)


def test_a_variant_of_the_noise_changes_its_shape_alone(given_to_clone):
    workshop, whole = Workshop(CELL), covariances(DATA, DATA.observations, 2.0)
    eye, mean = np.eye(4), np.trace(whole, axis1=1, axis2=2)[:, None, None] / 4
    for variant, wanted in (
        ("diagonal", whole * eye),
        ("isotropic", mean * eye),
        ("with sigma 0.1", whole + 0.01 * eye),
        ("with sigma 0.2", whole + 0.04 * eye),
    ):
        workshop.pretrain(PolicySpec("PostBC", 2.0, variant))
        assert_allclose(squares(given_to_clone[-1]), wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("variant", "quality"), [("fair demonstrator", 0.5), ("poor demonstrator", 0.0)])
def test_another_demonstrator_is_another_for_every_family(given_to_clone, variant, quality):
    data = demonstrate(TASKS["stick"], 5, np.random.default_rng(seed(pretraining.DATA)), quality=quality)
    assert data.actions.shape != DATA.actions.shape or (data.actions != DATA.actions).any()
    workshop = Workshop(CELL)
    workshop.pretrain(PolicySpec("PostBC", 2.0))  # whose ensemble must not be taken
    for plan in (
        PolicySpec("BC", 0.0, variant),
        PolicySpec("sigma-BC", 0.3, variant),
        PolicySpec("PostBC", 2.0, variant),
    ):
        workshop.pretrain(plan)
        assert_array_equal(given_to_clone[-1]["data"].actions, data.actions)
    assert_array_equal(given_to_clone[-2]["factors"], isotropic_factors(data, 2, 0.3))
    assert_allclose(squares(given_to_clone[-1]), covariances(data, data.observations, 2.0), rtol=1e-7, atol=1e-9)


def test_the_oracles_mask_adds_no_noise_in_the_lane(given_to_clone):
    Workshop(CELL).pretrain(PolicySpec("sigma-BC", 0.3, "oracle mask"))
    factors, lane = given_to_clone[0]["factors"], DATA.observations[:, 0] <= 0
    assert 0 < lane.sum() < lane.size
    assert_array_equal(factors[lane], 0)
    assert_array_equal(factors[~lane], isotropic_factors(DATA, 2, 0.3)[~lane])


def test_the_held_out_alpha_is_the_likeliest_times_the_factor(given_to_clone):
    workshop = Workshop(CELL)
    scores = held_out_log_likelihood(DATA, 2, recipe(), seed(LIKELIHOOD), LIKELY)
    best = max(zip(scores, LIKELY, strict=True))[1]
    for factor in (1.0, 0.5):
        _, strength = workshop.pretrain(PolicySpec("PostBC", factor, "held-out alpha"))
        assert strength == factor * best
        truth = covariances(DATA, DATA.observations, factor * best)
        assert_allclose(squares(given_to_clone[-1]), truth, rtol=1e-7, atol=1e-9)
    assert (min(LIKELY), max(LIKELY)) == (1 / 8, 8)


def test_a_shrunken_alpha_shrinks_with_the_number_of_demonstrations():
    for n_demos, share in ((5, 5 / 15), (8, 8 / 18)):
        _, strength = Workshop(CELL | {"n_demos": n_demos}).pretrain(PolicySpec("PostBC", 2.0, "shrunken alpha"))
        assert strength == pytest.approx(2 * np.sqrt(share), rel=1e-12)


def test_own_states_are_those_of_bc_and_bear_the_noise_of_the_demonstrations_ensemble(given_to_clone):
    workshop = Workshop(CELL)
    bc, _ = workshop.pretrain(PolicySpec("BC", 0.0))
    own = with_own_states(TASKS["stick"], bc, DATA, 5, seed(OWN))
    workshop.pretrain(PolicySpec("PostBC", 2.0, "own states"))
    call = given_to_clone[-1]
    assert_array_equal(call["data"].observations, own.observations)
    assert_array_equal(call["data"].actions, own.actions)
    assert_allclose(squares(call), covariances(DATA, own.observations, 2.0), rtol=1e-7, atol=1e-9)


def test_every_policy_draws_the_same_noise_from_the_same_seed(given_to_clone):
    """So twice the sigma has added exactly twice as much."""
    workshop = Workshop(CELL)
    for plan in PLANS:
        workshop.pretrain(plan)
    assert {(call["seed"].entropy, call["seed"].spawn_key) for call in given_to_clone} == {
        (5, seed(pretraining.POLICY).spawn_key)
    }
    one, two = (workshop.pretrain(PolicySpec("sigma-BC", sigma))[0].added for sigma in (0.2, 0.4))
    assert_array_equal(two, 2 * one)
    one, two = (workshop.pretrain(PolicySpec("PostBC", alpha))[0].added for alpha in (1.0, 2.0))
    assert_array_equal(two, 2 * one)


def test_no_two_purposes_share_their_chance():
    names = ("DATA", "ENSEMBLE", "POLICY", "EVALUATION", "HELD_OUT")
    purposes = [LIKELIHOOD, OWN, LEARNER, *(getattr(pretraining, name) for name in names)]
    assert len(set(purposes)) == len(purposes)
    assert len({tuple(seed(purpose).generate_state(4)) for purpose in purposes}) == len(purposes)


def made(workshop, plan):
    policy, strength = workshop.pretrain(plan)
    return policy.denoiser.parameters, policy.added, strength


@pytest.fixture(scope="module")
def alone():
    """Each policy from a workshop of its own."""
    return {plan: made(Workshop(CELL), plan) for plan in PLANS}


@settings(max_examples=6)
@given(st.permutations(PLANS), st.integers(1, len(PLANS)))
def test_the_order_of_plans_never_matters(alone, order, number):
    workshop = Workshop(CELL)
    for plan in (*order[:number], PolicySpec("BC", 0.0)):
        for found, wanted in zip(made(workshop, plan), alone[plan], strict=True):
            assert_array_equal(found, wanted)


def test_no_two_plans_give_the_same_policy(alone):
    assert len({parameters.tobytes() for parameters, _, _ in alone.values()}) == len(PLANS)


@pytest.mark.parametrize("before", [(), ("",), ("100 members",), ("30 members", "pairs bootstrap")])
def test_three_members_are_the_first_three_of_any_ensemble(before):
    workshop = Workshop(CELL)
    for variant in before:
        workshop.pretrain(PolicySpec("PostBC", 1.0, variant))
    few, many = workshop._ensemble({"members": 3}), fit_ensemble(DATA, 2, recipe(100), seed(pretraining.ENSEMBLE))
    assert_array_equal(few.parameters, many.parameters[:3])
    assert_array_equal(workshop._ensemble({}).parameters, many.parameters[:10])


@pytest.mark.parametrize("task", ["corridor", "stick"])
@given(arrays(np.float64, (7, 5), elements=st.sampled_from([0.0, -1e-9, 1e-9]) | st.floats(-1, 1)))
def test_what_can_be_mended_lies_behind_the_lane(task, seen):
    assert tolerant(task, seen).tolist() == [1.0 if row[0] > 0 else 0.0 for row in seen]


@given(st.floats(-0.8, 0.7), st.floats(-0.045, 0.045), st.sampled_from([-1.0, 1.0]))
def test_on_stick_an_action_ends_the_episode_in_the_lane_alone(x, y, forward):
    """Within a step of its end a motion may lead back into it, or out of it."""
    sideways = [0.0, 1.0 if y >= 0 else -1.0]
    ends = [stick([x, y, 0.0, 0.0], action)[1] == "failure" for action in (sideways, [forward, 1.0], [forward, -1.0])]
    (mended,) = tolerant("stick", np.array([[x, y, 0.0, 0.0, 0.0]]))
    if x < 0:
        assert (ends[0], mended) == (True, 0)
    elif x > 0.06:
        assert (any(ends), mended) == (False, 1)


def test_what_is_unknown_is_refused():
    for task in ("reach", "lift", "push"):
        with pytest.raises(ValueError, match="task must be corridor or stick"):
            tolerant(task, np.zeros((1, 6)))
        with pytest.raises(ValueError, match="task must be corridor or stick"):
            Workshop(CELL | {"task": task}).pretrain(PolicySpec("sigma-BC", 0.3, "oracle mask"))
    with pytest.raises(KeyError, match="4 members"):
        Workshop(CELL).pretrain(PolicySpec("PostBC", 1.0, "4 members"))
    with pytest.raises(ValueError, match="family must be one of 'BC'"):
        Workshop(CELL).pretrain(PolicySpec("uniform", 1.0))
    with pytest.raises(ValueError, match="oracle mask is of sigma-BC"):
        Workshop(CELL).pretrain(PolicySpec("PostBC", 1.0, "oracle mask"))
