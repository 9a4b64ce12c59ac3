"""Policies of one data set: each variant changes what its name says and nothing else, in any order of policies."""

import json
from dataclasses import replace

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
from figures.control.families import MaskedSigmaBC
from figures.control.oracle_masks import ORACLE_MASKS, oracle_entries, oracle_mask
from figures.control.pretraining import LEARNER, LIKELIHOOD, OWN_STATES, ControlCell, Effort
from figures.control.variants import HELD_OUT_ALPHAS, VARIANTS, PolicySpec, Variant, Workshop

LITTLE = Effort(n_members=10, ensemble_steps=3, ensemble_width=4, policy_steps=3, policy_width=4, chunk=2)
CELL = ControlCell(root=5, task="stick", replicate=1, n_demos=5, effort=LITTLE)
DATA = pretraining.demonstrations(CELL)
POLICIES = [
    PolicySpec(family="BC"), PolicySpec(family="sigma-BC", strength=0.3), PolicySpec(family="sigma-BC", strength=0.3, variant="oracle mask"), PolicySpec(family="BC", variant="poor demonstrator"),
    *(PolicySpec(family="PostBC", strength=2.0, variant=variant) for variant in VARIANTS if variant != "oracle mask"),
]  # fmt: skip


def recipe(n_members=10, version="trajectory"):
    return Recipe(n_members=n_members, version=version, hidden=(4, 4), training=Training(n_steps=3))


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


def test_each_family_gives_the_noise_that_is_asked_for(given_to_clone):
    workshop = Workshop(CELL)
    for policy in (
        PolicySpec(family="BC"),
        PolicySpec(family="sigma-BC", strength=0.3),
        PolicySpec(family="PostBC", strength=2.0),
    ):
        _, strength = workshop.pretrain(policy)
        assert strength == policy.strength
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
    _, strength = Workshop(CELL).pretrain(PolicySpec(family="PostBC", strength=2.0, variant=variant))
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
        workshop.pretrain(PolicySpec(family="PostBC", strength=2.0, variant=variant))
        assert_allclose(squares(given_to_clone[-1]), wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("variant", "quality"), [("fair demonstrator", 0.5), ("poor demonstrator", 0.0)])
def test_a_poorer_demonstrator_changes_the_data_of_every_family(given_to_clone, variant, quality):
    data = demonstrate(TASKS["stick"], 5, np.random.default_rng(seed(pretraining.DATA)), quality=quality)
    assert data.actions.shape != DATA.actions.shape or (data.actions != DATA.actions).any()
    workshop = Workshop(CELL)
    workshop.pretrain(PolicySpec(family="PostBC", strength=2.0))  # whose ensemble must not be taken
    for policy in (
        PolicySpec(family="BC", strength=0.0, variant=variant),
        PolicySpec(family="sigma-BC", strength=0.3, variant=variant),
        PolicySpec(family="PostBC", strength=2.0, variant=variant),
    ):
        workshop.pretrain(policy)
        assert_array_equal(given_to_clone[-1]["data"].actions, data.actions)
    assert_array_equal(given_to_clone[-2]["factors"], isotropic_factors(data, 2, 0.3))
    assert_allclose(squares(given_to_clone[-1]), covariances(data, data.observations, 2.0), rtol=1e-7, atol=1e-9)


def test_under_the_oracle_mask_no_noise_is_added_in_the_lane(given_to_clone):
    Workshop(CELL).pretrain(PolicySpec(family="sigma-BC", strength=0.3, variant="oracle mask"))
    factors, lane = given_to_clone[0]["factors"], DATA.observations[:, 0] <= 0
    assert 0 < lane.sum() < lane.size
    assert_array_equal(factors[lane], 0)
    assert_array_equal(factors[~lane], isotropic_factors(DATA, 2, 0.3)[~lane])


def test_the_held_out_alpha_is_the_likeliest_times_the_factor(given_to_clone):
    workshop = Workshop(CELL)
    scores = held_out_log_likelihood(DATA, 2, recipe(), seed(LIKELIHOOD), HELD_OUT_ALPHAS)
    best = max(zip(scores, HELD_OUT_ALPHAS, strict=True))[1]
    for factor in (1.0, 0.5):
        _, strength = workshop.pretrain(PolicySpec(family="PostBC", strength=factor, variant="held-out alpha"))
        assert strength == factor * best
        truth = covariances(DATA, DATA.observations, factor * best)
        assert_allclose(squares(given_to_clone[-1]), truth, rtol=1e-7, atol=1e-9)
    assert (min(HELD_OUT_ALPHAS), max(HELD_OUT_ALPHAS)) == (1 / 8, 8)


@pytest.mark.parametrize("through_json", [False, True])
def test_a_cell_is_read_as_it_was_written(through_json):
    cell = CELL.to_cell()
    assert ControlCell.of(json.loads(json.dumps(cell)) if through_json else cell) == CELL


def test_a_shrunken_alpha_shrinks_with_the_number_of_demonstrations():
    for n_demos, share in ((5, 5 / 15), (8, 8 / 18)):
        _, strength = Workshop(replace(CELL, n_demos=n_demos)).pretrain(
            PolicySpec(family="PostBC", strength=2.0, variant="shrunken alpha")
        )
        assert strength == pytest.approx(2 * np.sqrt(share), rel=1e-12)


def test_own_states_are_those_of_bc_with_noise_from_the_ensemble_of_the_demonstrations(given_to_clone):
    workshop = Workshop(CELL)
    bc, _ = workshop.pretrain(PolicySpec(family="BC"))
    own = with_own_states(TASKS["stick"], bc, DATA, 5, seed(OWN_STATES))
    workshop.pretrain(PolicySpec(family="PostBC", strength=2.0, variant="own states"))
    call = given_to_clone[-1]
    assert_array_equal(call["data"].observations, own.observations)
    assert_array_equal(call["data"].actions, own.actions)
    assert_allclose(squares(call), covariances(DATA, own.observations, 2.0), rtol=1e-7, atol=1e-9)


def test_every_policy_draws_the_same_noise_from_the_same_seed(given_to_clone):
    """So twice the sigma has added exactly twice as much."""
    workshop = Workshop(CELL)
    for policy in POLICIES:
        workshop.pretrain(policy)
    assert {(call["seed"].entropy, call["seed"].spawn_key) for call in given_to_clone} == {
        (5, seed(pretraining.POLICY).spawn_key)
    }
    one, two = (workshop.pretrain(PolicySpec(family="sigma-BC", strength=sigma))[0].added for sigma in (0.2, 0.4))
    assert_array_equal(two, 2 * one)
    one, two = (workshop.pretrain(PolicySpec(family="PostBC", strength=alpha))[0].added for alpha in (1.0, 2.0))
    assert_array_equal(two, 2 * one)


def test_no_two_purposes_share_their_chance():
    names = ("DATA", "ENSEMBLE", "POLICY", "EVALUATION", "HELD_OUT")
    purposes = [LIKELIHOOD, OWN_STATES, LEARNER, *(getattr(pretraining, name) for name in names)]
    assert len(set(purposes)) == len(purposes)
    assert len({tuple(seed(purpose).generate_state(4)) for purpose in purposes}) == len(purposes)


def made(workshop, policy):
    policy, strength = workshop.pretrain(policy)
    return policy.denoiser.parameters, policy.added, strength


@pytest.fixture(scope="module")
def alone():
    """Each policy from a separate workshop."""
    return {policy: made(Workshop(CELL), policy) for policy in POLICIES}


@settings(max_examples=6)
@given(st.permutations(POLICIES), st.integers(1, len(POLICIES)))
def test_the_order_of_policies_does_not_matter(alone, order, number):
    workshop = Workshop(CELL)
    for policy in (*order[:number], PolicySpec(family="BC")):
        for found, wanted in zip(made(workshop, policy), alone[policy], strict=True):
            assert_array_equal(found, wanted)


def test_no_two_specs_give_the_same_policy(alone):
    assert len({parameters.tobytes() for parameters, _, _ in alone.values()}) == len(POLICIES)


@pytest.mark.parametrize("before", [(), ("",), ("100 members",), ("30 members", "pairs bootstrap")])
def test_three_members_are_the_first_three_of_any_ensemble(before):
    workshop = Workshop(CELL)
    for variant in before:
        workshop.pretrain(PolicySpec(family="PostBC", strength=1.0, variant=variant))
    few, many = workshop.ensemble(Variant(members=3)), fit_ensemble(DATA, 2, recipe(100), seed(pretraining.ENSEMBLE))
    assert_array_equal(few.parameters, many.parameters[:3])
    assert_array_equal(workshop.ensemble(Variant()).parameters, many.parameters[:10])


@pytest.mark.parametrize("task", sorted(ORACLE_MASKS))
@given(arrays(np.float64, (7, 5), elements=st.sampled_from([0.0, -1e-9, 1e-9]) | st.floats(-1, 1)))
def test_the_oracle_mask_is_1_behind_the_lane_only(task, seen):
    assert oracle_mask(task, seen).tolist() == [1.0 if row[0] > 0 else 0.0 for row in seen]


@given(st.floats(-0.8, 0.7), st.floats(-0.045, 0.045), st.sampled_from([-1.0, 1.0]))
def test_on_stick_an_action_ends_the_episode_in_the_lane_alone(x, y, forward):
    """Within a step of its end a motion may lead back into it, or out of it."""
    sideways = [0.0, 1.0 if y >= 0 else -1.0]
    ends = [stick([x, y, 0.0, 0.0], action)[1] == "failure" for action in (sideways, [forward, 1.0], [forward, -1.0])]
    (mended,) = oracle_mask("stick", np.array([[x, y, 0.0, 0.0, 0.0]]))
    if x < 0:
        assert (ends[0], mended) == (True, 0)
    elif x > 0.06:
        assert (any(ends), mended) == (False, 1)


@pytest.mark.parametrize("task", ["corridor", "stick"])
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_where_all_entries_have_the_mask_the_oracles_noise_is_isotropic_bit_for_bit(task, chunk):
    masked = MaskedSigmaBC(sigma=0.3, task=task).factors(DATA, chunk, seed(pretraining.ENSEMBLE))
    wanted = isotropic_factors(DATA, chunk, 0.3 * oracle_mask(task, DATA.observations))
    assert masked.tobytes() == wanted.tobytes()
    assert masked.flags.c_contiguous


@pytest.mark.parametrize("name", ["stick-2", "stick-4", "stick-16-everywhere"])
def test_on_stick_with_schedules_the_oracle_adds_noise_to_the_mass_behind_the_lane_alone(name):
    data = demonstrate(TASKS[name], 3, np.random.default_rng(1))
    d, behind = data.actions.shape[1], data.observations[:, 0] > 0
    entries = oracle_entries(name, data.observations, d)
    assert_array_equal(entries, [[float(b and j < 2) for j in range(d)] for b in behind])
    factors = MaskedSigmaBC(sigma=0.3, task=name).factors(data, 2, seed(pretraining.ENSEMBLE))
    assert_array_equal(factors, [np.diag(0.3 * np.array([*row, *row])) for row in entries])
    assert behind.any()
    assert not behind.all()
    if d == 2:
        assert_array_equal(entries, oracle_entries("stick", data.observations, 2))


def test_unknown_families_variants_and_masks_are_refused():
    with pytest.raises(ValueError, match="task must have an oracle mask, as corridor, stick have; got 'arm-6'"):
        oracle_entries("arm-6", np.zeros((1, 10)), 6)
    for task in ("reach", "lift", "push"):
        with pytest.raises(ValueError, match="task must have an oracle mask, as corridor, stick have"):
            oracle_mask(task, np.zeros((1, 6)))
        with pytest.raises(ValueError, match="task must have an oracle mask, as corridor, stick have"):
            Workshop(replace(CELL, task=task)).pretrain(
                PolicySpec(family="sigma-BC", strength=0.3, variant="oracle mask")
            )
    with pytest.raises(KeyError, match="4 members"):
        Workshop(CELL).pretrain(PolicySpec(family="PostBC", strength=1.0, variant="4 members"))
    with pytest.raises(ValueError, match="family must be one of 'BC'"):
        Workshop(CELL).pretrain(PolicySpec(family="uniform", strength=1.0))
    with pytest.raises(ValueError, match=r"can have an oracle mask \(sigma-BC\); got 'PostBC'"):
        Workshop(CELL).pretrain(PolicySpec(family="PostBC", strength=1.0, variant="oracle mask"))
