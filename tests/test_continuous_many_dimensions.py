"""continuous.many_dimensions: stick bit for bit, dynamics against plain Python, names, scripts, refusals."""

import pickle
import re

import numpy as np
import oracles_continuous
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from continuous.demonstrators import SCRIPTS, Script, demonstrate
from continuous.evaluation import evaluate
from continuous.five_tasks import STICK
from continuous.many_dimensions import (
    TUBE,
    arm_task,
    arm_tips,
    is_stick,
    joints_of,
    lane_half_width,
    scheduled_actions,
    stick_task,
    task_of_family,
)
from continuous.task_model import FAILED, RUNNING, SUCCEEDED
from continuous.tasks import TASKS

SEEDS = st.integers(0, 2**32 - 1)
DIMENSIONS = [2, 4, 8, 16]
EVERY = [
    "stick-2",
    "stick-3",
    "stick-16",
    "stick-5-everywhere",
    "stick-4-lane-0.05-tube-0.03",
    "arm-2",
    "arm-3",
    "arm-9",
]
each = pytest.mark.parametrize("name", EVERY)


def plain(task):
    """The task's step in plain Python."""
    if joints_of(task.name):
        return oracles_continuous.planar_arm
    words = task.name.split("-")
    widths = {word: float(words[words.index(word) + 1]) for word in ("lane", "tube") if word in words}
    lane = widths.get("lane", 0.045 * (task.action_dim / 2) ** (1 / 3))
    return oracles_continuous.stick_with_schedules(lane, widths.get("tube", 0.04), "everywhere" in words)


def rows(task, rng, n):
    """States near the boundaries at which the rules decide, some ended or about to end, and actions to be clipped."""
    states = task.reset(rng, n)
    states[:, 0] = rng.choice([0, 0, 0, 0, 0, 0, 0, 1, 2, 3], n)
    states[:, 1] = rng.choice([0, task.horizon - 2, task.horizon - 1], n)
    if joints_of(task.name):
        d = task.action_dim
        states[:, 2:-2] = rng.uniform(-3 / d, 3 / d, (n, d))
        tips = arm_tips(states, d)
        states[:, -2] = tips[:, 1] + rng.choice([0.0, 0.08], n) + rng.uniform(-0.05, 0.05, n)
        states[:, -1] = tips[:, 0] + rng.uniform(-0.04, 0.04, n)
    else:
        states[:, 2] = np.where(
            rng.random(n) < 0.3, 0.8, rng.choice([0.0, -0.5, 0.8, 0.86], n) + rng.uniform(-0.1, 0.1, n)
        )
        states[:, 3] = rng.uniform(-0.15, 0.15, n)
        states[:, 5] = states[:, 3] + rng.uniform(-0.1, 0.1, n)
        states[:, 6:] = rng.uniform(-0.06, 0.06, (n, task.action_dim - 2))
    return states, rng.uniform(-1.3, 1.3, (n, task.action_dim))


# --- stick, bit for bit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("everywhere", [False, True])
@given(SEEDS)
@settings(max_examples=20)
def test_with_two_coordinates_every_step_is_that_of_stick_bit_for_bit(everywhere, seed):
    task, rng = stick_task(2, everywhere=everywhere), np.random.default_rng(seed)
    states, actions = rows(task, rng, 300)
    one, other = task.step(states, actions), STICK.step(states, actions)
    assert one.states.tobytes() == other.states.tobytes()
    assert one.rewards.tobytes() == other.rewards.tobytes()
    assert task.observe(states).tobytes() == STICK.observe(states).tobytes()
    assert task.reset(np.random.default_rng(seed), 9).tobytes() == STICK.reset(np.random.default_rng(seed), 9).tobytes()


@pytest.mark.parametrize("quality", [1.0, 0.5])
def test_with_two_coordinates_demonstrations_and_evaluations_are_those_of_stick_bit_for_bit(quality):
    one, other = (demonstrate(t, 12, np.random.default_rng(3), quality=quality) for t in (stick_task(2), STICK))
    assert one.observations.tobytes() == other.observations.tobytes()
    assert one.actions.tobytes() == other.actions.tobytes()
    assert one.n_attempts == other.n_attempts

    def drift(seen, rng):
        return np.column_stack([np.full(len(seen), 0.8), -8 * seen[:, 1] + rng.normal(size=len(seen))])[:, None]

    one, other = (evaluate(t, drift, 50, np.random.SeedSequence(5)) for t in (stick_task(2), STICK))
    for name in ("starts", "success", "returns", "lengths"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_the_lane_of_two_coordinates_is_that_of_stick_and_of_sixteen_twice_as_wide():
    assert lane_half_width(2) == 0.045
    assert lane_half_width(16) == pytest.approx(0.09, rel=1e-15)
    widths = [lane_half_width(d) for d in range(2, 40)]
    assert widths == sorted(widths)


# --- agreement with plain Python --------------------------------------------------------------------------------------


@each
@given(SEEDS)
@settings(max_examples=10)
def test_a_step_matches_its_description_in_plain_python(name, seed):
    task = TASKS[name]
    states, actions = rows(task, np.random.default_rng(seed), 300)
    found = task.step(states, actions)
    for i, (state, action) in enumerate(zip(states.tolist(), actions.tolist(), strict=True)):
        following, reward, ended, success = oracles_continuous.step(plain(task), task.horizon, state, action)
        np.testing.assert_allclose(found.states[i], following, rtol=0, atol=1e-12)
        assert (found.rewards[i], found.ended[i], found.success[i]) == (reward, ended, success)


def test_the_compared_steps_crash_succeed_and_go_on():
    """So the comparison above has something to compare."""
    for name in EVERY:
        states, actions = rows(TASKS[name], np.random.default_rng(0), 3000)
        before, after = states[:, 0] == RUNNING, TASKS[name].step(states, actions).states[:, 0]
        assert (before & (after == SUCCEEDED)).sum() > 5
        assert (before & (after == RUNNING)).sum() > 5
        assert ((before & (after == FAILED)).sum() > 30) == is_stick(name)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=12))
def test_the_tip_of_the_arm_matches_complex_arithmetic(angles):
    state = np.array([[0.0, 0.0, *angles, 0.0, 0.0]])
    (found,) = arm_tips(state, len(angles))
    np.testing.assert_allclose(found, oracles_continuous.tip_of_chain(angles), rtol=0, atol=1e-13)
    seen = arm_task(len(angles)).observe(state)[0]
    np.testing.assert_allclose(seen[len(angles) :], [*found, 0.0, 0.0], rtol=0, atol=1e-13)


@given(st.floats(-1.3, 0.9), st.integers(3, 16))
def test_schedules_are_waves_that_leave_room_for_errors(x, d):
    (found,) = scheduled_actions(np.array([x]), d)
    np.testing.assert_allclose(found, [oracles_continuous.wave(x, j) for j in range(d - 2)], rtol=0, atol=1e-14)
    assert np.abs(found).max() <= 0.3


# --- laws -------------------------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(3, 16))
@settings(max_examples=15)
def test_whoever_follows_the_schedules_has_no_error_and_moves_as_on_stick(seed, d):
    task, wide = stick_task(d, everywhere=True, lane=0.045), STICK
    rng = np.random.default_rng(seed)
    states, alone = (t.reset(np.random.default_rng(seed), 20) for t in (task, wide))
    for _ in range(task.horizon):
        push = rng.uniform(-1, 1, (20, 2)) * [1, 0.3] + [0.4, 0]
        follow = scheduled_actions(states[:, 2], d)
        states = task.step(states, np.column_stack([push, follow])).states
        alone = wide.step(alone, push).states
        assert np.array_equal(states[:, :6], alone)
        assert np.abs(states[:, 6:]).max() == 0.0


@pytest.mark.parametrize(("everywhere", "status"), [(False, RUNNING), (True, FAILED)])
def test_behind_the_lane_a_wrong_further_action_ends_the_episode_only_if_asked_for(everywhere, status):
    task = stick_task(4, everywhere=everywhere)
    state = task.reset(np.random.default_rng(0), 1)
    state[:, 2] = 0.3
    wrong = np.column_stack([[[0.0, 0.0]], scheduled_actions(state[:, 2], 4) - 0.9])
    assert task.step(state, wrong).states[0, 0] == status
    state[:, 2] = -0.5
    wrong = np.column_stack([[[0.0, 0.0]], scheduled_actions(state[:, 2], 4) - 0.9])
    assert task.step(state, wrong).states[0, 0] == FAILED


@given(st.floats(-1, 1), st.integers(0, 1))
def test_a_constant_error_is_tolerated_up_to_a_fifth(error, j):
    """The leaky sum tends to 0.06 error/(1 - 0.7) = error/5, so the tube of 0.04 allows 0.2."""
    task = stick_task(4, everywhere=True)
    state = task.reset(np.random.default_rng(0), 1)
    for _ in range(40):
        action = np.column_stack([[[0.0, 0.0]], scheduled_actions(state[:, 2], 4)])
        action[0, 2 + j] += error
        if abs(action[0, 2 + j]) > 1:
            return
        state = task.step(state, action).states
    if abs(abs(error) - 5 * TUBE) > 1e-4:
        assert (state[0, 0] == FAILED) == (abs(error) > 5 * TUBE)


@given(SEEDS, st.integers(2, 12))
@settings(max_examples=15)
def test_the_tip_is_below_the_plate_in_the_slot_alone(seed, d):
    task, rng = arm_task(d), np.random.default_rng(seed)
    states = task.reset(rng, 30)
    for _ in range(task.horizon):
        states = task.step(states, rng.uniform(-1, 1, (30, d)) - 0.4).states
        tips = arm_tips(states, d)
        assert ((tips[:, 1] >= states[:, -2]) | (np.abs(tips[:, 0] - states[:, -1]) <= 0.01)).all()


@each
@given(SEEDS)
@settings(max_examples=8)
def test_observations_stay_within_the_bound_and_episodes_are_independent(name, seed):
    task, rng = TASKS[name], np.random.default_rng(seed)
    states, corner = task.reset(rng, 6), rng.choice([-1.0, 1.0], (6, task.action_dim))
    assert not states[:, :2].any()
    assert np.array_equal(states[:4], task.reset(np.random.default_rng(seed), 4))
    for _ in range(task.horizon):
        seen, together = task.observe(states), task.step(states, corner).states
        assert seen.shape == (6, task.observation_dim)
        assert np.abs(seen).max() <= task.bound
        assert np.array_equal(task.step(states[2:3], corner[2:3]).states[0], together[2])
        assert np.array_equal(together[states[:, 0] != RUNNING], states[states[:, 0] != RUNNING])
        states = together
    assert (states[:, 0] != RUNNING).all()


@each
def test_a_pickled_task_steps_as_before(name):
    task = TASKS[name]
    copy, states = pickle.loads(pickle.dumps(task)), task.reset(np.random.default_rng(1), 3)
    actions = np.ones((3, task.action_dim))
    assert np.array_equal(task.step(states, actions).states, copy.step(states, actions).states)


# --- names ------------------------------------------------------------------------------------------------------------


@given(st.integers(2, 40), st.booleans(), st.none() | st.floats(0.001, 1), st.none() | st.floats(0.001, 1))
def test_a_task_is_found_by_its_name(d, everywhere, lane, tube):
    made = stick_task(d, everywhere=everywhere, lane=lane, tube=tube)
    found = task_of_family(made.name)
    assert found.name == made.name
    assert found.advance.args == made.advance.args
    assert found.action_dim == d
    assert arm_task(d).name == TASKS[f"arm-{d}"].name == f"arm-{d}"


def test_tasks_made_on_demand_are_found_and_not_listed():
    before = list(TASKS), list(SCRIPTS)
    assert TASKS["stick-16"] is TASKS["stick-16"]
    assert isinstance(SCRIPTS["stick-16-everywhere"], Script)
    assert (list(TASKS), list(SCRIPTS)) == before == (["reach", "corridor", "lift", "push", "stick"],) * 2
    assert "stick-16" not in TASKS


@pytest.mark.parametrize(
    "name",
    ["stick-1", "stick-0", "stick-02", "stick-", "stick-4-nowhere", "stick-4-lane-1.2.3", "arm-1", "arm-x", "legs-4"],
)
def test_names_that_are_almost_those_of_a_family_are_refused(name):
    assert task_of_family(name) is None
    for registry, kind in ((TASKS, "task"), (SCRIPTS, "script")):
        with pytest.raises(KeyError, match=f"no {kind} is called '{name}'"):
            registry[name]


# --- demonstrators ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [*(f"stick-{d}" for d in DIMENSIONS), "stick-16-everywhere", "arm-3", "arm-6", "arm-12"]
)
def test_a_good_demonstrator_nearly_always_succeeds_and_a_poor_one_less_often(name):
    """At least 9 of 10 attempts; measured: all on stick, and all but one in fifty on the arm."""
    for rare in (None, 1.0):
        found = demonstrate(TASKS[name], 100, np.random.default_rng(3), rare=rare)
        assert found.rejected_share < 0.1
    poor = demonstrate(TASKS[name], 30, np.random.default_rng(3), quality=0.5)
    assert found.rejected_share < poor.rejected_share < 0.99


@pytest.mark.parametrize(("name", "scales"), [("stick-6", [0.08] * 2 + [0.03] * 4), ("arm-4", [0.1] * 4)])
def test_demonstrators_are_imperfect_by_the_stated_noise(name, scales):
    """The first action is plan plus noise, unclipped in the entries compared; false alarm 1e-6 for each of 6 entries."""
    task, script = TASKS[name], SCRIPTS[name]
    n = 400
    found = demonstrate(task, n, np.random.default_rng(1))
    begins = np.concatenate([[0], found.episode_ends[:-1]])
    later = np.concatenate([found.actions[begins, 2:], found.actions[begins + 1, 2:]])
    assert script.noise * (script.calmer if is_stick(name) else 1) == pytest.approx(scales[-1])
    if is_stick(name):
        wanted = np.concatenate([scheduled_actions(found.observations[begins + k, 0], 6) for k in (0, 1)])
        for noise in (later - wanted)[:n].T:  # sum of squares of n normals, within the chi-square's 1e-6 quantiles
            assert 0.67 < (noise**2).sum() / (n * scales[-1] ** 2) < 1.4


def test_the_arms_demonstrations_leave_the_posture_free():
    """The final postures of one arm spread in more than two directions, though the tips end within the slot."""
    found = demonstrate(TASKS["arm-6"], 60, np.random.default_rng(2))
    last = found.observations[found.episode_ends - 1, :6]
    assert (np.linalg.eigvalsh(np.cov(last.T)) > 1e-3).sum() > 2
    assert np.diff(found.episode_ends, prepend=0).max() <= 60


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: stick_task(1), ValueError, "dimension must be at least 2; got 1"),
        (lambda: stick_task(2.0), TypeError, "dimension must be an integer; got 2.0"),
        (lambda: stick_task(4, everywhere=1), TypeError, "everywhere must be of type bool; got int"),
        (lambda: stick_task(4, lane=0.0), ValueError, "lane must be at least 0.001; got 0.0"),
        (lambda: stick_task(4, tube=2.0), ValueError, "tube must be at most 1.0; got 2.0"),
        (lambda: lane_half_width(1), ValueError, "dimension must be at least 2; got 1"),
        (lambda: arm_task(1), ValueError, "joints must be at least 2; got 1"),
        (lambda: Script(plan=None, noise=0.1, calmer=-1.0), ValueError, "calmer must be at least 0.0; got -1.0"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call()
