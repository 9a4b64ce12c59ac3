"""continuous.tasks: dynamics against plain Python, laws of motion, contexts, refusals."""

import math
import pickle

import numpy as np
import oracles_continuous
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from continuous.cloning import clone
from continuous.demonstrators import SCRIPTS, Script, demonstrate
from continuous.evaluation import evaluate
from continuous.five_tasks import tip
from continuous.linear_quadratic import double_integrator
from continuous.task_model import FAILED, RUNNING, SUCCEEDED, TIMED_OUT, Task, placed
from continuous.tasks import TASKS
from continuous.training import Training

SEEDS = st.integers(0, 2**32 - 1)
LQ = double_integrator().task
EVERY = [*TASKS.values(), LQ]


def each(tasks):
    return pytest.mark.parametrize("task", tasks, ids=lambda task: task.name)


def near(rng, n, *places, by=0.1):
    """Uniform numbers around these places."""
    return rng.choice(places, n) + rng.uniform(-by, by, n)


def bodies(task, rng, n):
    """Columns of states near the boundaries at which a task's rules decide."""
    match task.name:
        case "reach":
            q1, q2 = rng.uniform(-1, 2, n), rng.uniform(-3, -0.05, n)
            x, z = tip(q1, q2)
            return q1, q2, z + near(rng, n, 0.0, 0.08), x + near(rng, n, 0.0, by=0.08)
        case "corridor":
            y = near(rng, n, 0.0)
            return near(rng, n, -0.2, 0.0, 0.8, 0.86), y, y + near(rng, n, 0.0)
        case "stick":
            x, y = near(rng, n, 0.0, 0.8, 0.86), near(rng, n, 0.0)
            return np.where(rng.random(n) < 0.3, 0.8, x), y, 0.0 * x, y + near(rng, n, 0.0)
        case "lift":
            held = rng.random(n) < 0.4
            x, z = near(rng, n, 0.0, 0.9), np.maximum(near(rng, n, 0.0, 0.08), 0.0)
            around = rng.random(n) < 0.5  # a low gripper is around the object or clear of it
            offset = np.where(around, 0.05, near(rng, n, 0.18, by=0.05)) * rng.choice([-1, 1], n)
            offset = np.where(around | held, rng.uniform(-1, 1, n) * 0.05, offset)
            offset = np.where(~held & (z > 0.08), near(rng, n, 0.0, by=0.2), offset)
            opening = np.where(held, near(rng, n, 0.3, by=0.3), rng.random(n))
            return x, z, opening, x + offset, np.where(held, np.maximum(near(rng, n, 0.05, 0.35), 0), 0.0), held * 1.0
        case "push":
            x, y = rng.uniform(-0.1, 0.1, (2, n))
            angle, gap = rng.uniform(-math.pi, math.pi, n), rng.uniform(0.17, 0.24, n)
            block_x, block_y = x + gap * np.cos(angle), y + gap * np.sin(angle)
            return x, y, block_x, block_y, block_x + near(rng, n, 0.0), block_y + near(rng, n, 0.0)


def rows(task, rng, n):
    """States as `bodies`, some ended or about to end, and actions that may need clipping."""
    status, time = rng.choice([0, 0, 0, 0, 0, 0, 0, 1, 2, 3], n), rng.choice([0, task.horizon - 2, task.horizon - 1], n)
    return np.column_stack([status, time, *bodies(task, rng, n)]), rng.uniform(-1.3, 1.3, (n, task.action_dim))


# --- agreement with plain Python --------------------------------------------------------------------------------------


@each(TASKS.values())
@given(SEEDS)
@settings(max_examples=20)
def test_a_step_of_each_task_matches_its_description_in_plain_python(task, seed):
    states, actions = rows(task, np.random.default_rng(seed), 500)
    found = task.step(states, actions)
    for i, (state, action) in enumerate(zip(states.tolist(), actions.tolist(), strict=True)):
        following, reward, ended, success = oracles_continuous.step(task.name, task.horizon, state, action)
        np.testing.assert_allclose(found.states[i], following, rtol=0, atol=1e-12)
        assert (found.rewards[i], found.ended[i], found.success[i]) == (reward, ended, success)


@each(TASKS.values())
@given(SEEDS, st.floats(0, 1))
@settings(max_examples=10)
def test_episodes_of_each_task_match_their_description_in_plain_python(task, seed, persistence):
    """Persistent actions, so that walls are met and objects are moved."""
    rng = np.random.default_rng(seed)
    states = task.reset(rng, 3)
    plain = states.tolist()
    action = rng.uniform(-1, 1, (3, task.action_dim))
    for _ in range(task.horizon):
        action = np.where(rng.random((3, 1)) < persistence, action, rng.uniform(-1.2, 1.2, action.shape))
        found = task.step(states, action)
        steps = [
            oracles_continuous.step(task.name, task.horizon, s, a) for s, a in zip(plain, action.tolist(), strict=True)
        ]
        plain = [following for following, *_ in steps]
        np.testing.assert_allclose(found.states, plain, rtol=0, atol=1e-9)
        assert found.rewards.tolist() == [reward for _, reward, *_ in steps]
        states = found.states
    assert found.ended.all()


@given(st.floats(-4, 4), st.floats(-4, 4))
def test_the_arms_tip_matches_complex_arithmetic(q1, q2):
    x, z = tip(np.array([q1]), np.array([q2]))
    np.testing.assert_allclose([x[0], z[0]], oracles_continuous.arm(q1, q2), rtol=0, atol=1e-15 * 8)
    assert np.hypot(x, z)[0] == pytest.approx(abs(math.cos(q2 / 2)), abs=1e-15 * 8)  # an isosceles triangle


# --- laws -------------------------------------------------------------------------------------------------------------


@each(EVERY)
@given(SEEDS)
def test_an_ended_episode_is_frozen(task, seed):
    rng = np.random.default_rng(seed)
    states = task.reset(rng, 4)
    states[:, 0] = [RUNNING, SUCCEEDED, FAILED, TIMED_OUT]
    found = task.step(states, rng.uniform(-1, 1, (4, task.action_dim)))
    assert np.array_equal(found.states[1:], states[1:])
    assert found.rewards[1:].tolist() == [0.0, 0.0, 0.0]
    assert found.ended[1:].all()
    assert found.success.tolist()[1:] == [True, False, False]
    assert found.states[0, 1] == 1


@each(TASKS.values())
@given(SEEDS)
@settings(max_examples=10)
def test_the_rewards_of_an_episode_add_up_to_its_success(task, seed):
    rng = np.random.default_rng(seed)
    states, total = task.reset(rng, 20), np.zeros(20)
    while (states[:, 0] == RUNNING).any():
        states, rewards, _, success = task.step(states, rng.uniform(-1, 1, (20, task.action_dim)))
        total += rewards
    assert np.array_equal(total, success)
    assert (states[:, 1] <= task.horizon).all()
    assert ((states[:, 0] != TIMED_OUT) | (states[:, 1] == task.horizon)).all()


@each([TASKS["corridor"], TASKS["stick"], TASKS["push"], TASKS["reach"]])
@given(SEEDS)
@settings(max_examples=10)
def test_a_body_moves_by_six_hundredths_of_the_action_or_not_at_all(task, seed):
    states, actions = rows(task, np.random.default_rng(seed), 200)
    states[:, 0] = RUNNING
    after = task.step(states, actions).states
    wanted = states[:, 2:4] + 0.06 * np.clip(actions, -1, 1)
    if task.name == "reach":
        wanted[:, 1] = np.minimum(wanted[:, 1], -0.05)
    refused = (after[:, 2:] == states[:, 2:]).all(axis=1)
    stopped = (task.name == "stick") & (after[:, 2] == 0.8)
    assert np.array_equal(after[~refused & ~stopped, 2:4], wanted[~refused & ~stopped])
    assert np.array_equal(after[stopped & ~refused, 3], wanted[stopped & ~refused, 1])


@given(st.data())
def test_a_mass_at_the_wall_sticks_unless_it_is_torn_off_sideways(data):
    task = TASKS["stick"]
    state = np.array([[RUNNING, 0.0, 0.8, data.draw(st.floats(0.1, 0.6)), 0.0, 0.0]])
    forward, sideways = data.draw(st.floats(-1, 1)), data.draw(st.floats(-1, 1))
    after = task.step(state, [[forward, sideways]]).states
    assert np.array_equal(after[:, 2:], state[:, 2:]) == (abs(sideways) < 0.5)


@given(SEEDS, st.floats(0.3, 1))
@settings(max_examples=20)
def test_the_tip_is_below_the_plate_in_the_slot_alone(seed, down):
    task, rng = TASKS["reach"], np.random.default_rng(seed)
    states = task.reset(rng, 30)
    for _ in range(task.horizon):
        states = task.step(states, rng.uniform(-1, 1, (30, 2)) - down * np.array([0.5, 0.5])).states
        x, z = tip(states[:, 2], states[:, 3])
        assert ((z >= states[:, 4]) | (np.abs(x - states[:, 5]) <= 0.022)).all()


@given(SEEDS)
@settings(max_examples=20)
def test_a_block_keeps_its_distance_and_moves_away_from_the_disc_alone(seed):
    task, rng = TASKS["push"], np.random.default_rng(seed)
    states = task.reset(rng, 30)
    for _ in range(task.horizon):
        aim = states[:, 4:6] - states[:, 2:4] + 0.1 * rng.standard_normal((30, 2))
        after = task.step(states, 10 * aim).states
        moved, centres = after[:, 4:6] - states[:, 4:6], after[:, 4:6] - after[:, 2:4]
        assert (np.hypot(*centres.T) >= 0.17 - 1e-12).all()
        touched = moved.any(axis=1)
        assert np.hypot(*centres[touched].T) == pytest.approx(0.17)
        cross = moved[:, 0] * centres[:, 1] - moved[:, 1] * centres[:, 0]
        assert np.abs(cross).max() < 1e-12  # without friction
        assert ((moved * centres).sum(axis=1) >= 0).all()
        states = after


@given(SEEDS)
@settings(max_examples=20)
def test_an_object_moves_with_the_gripper_that_holds_it_and_is_on_the_table_otherwise(seed):
    task, rng = TASKS["lift"], np.random.default_rng(seed)
    states = task.reset(rng, 30)
    states[:15, 5] = states[:15, 2] + rng.uniform(-0.05, 0.05, 15)  # half of them stand over their object
    for t in range(task.horizon):
        bias = [0.0, -1.0, 0.5] if t < 8 else [0.0, 0.3 if t < 14 else 0.7, -0.9]
        after = task.step(states, 0.3 * rng.standard_normal((30, 3)) + bias).states
        holds = (states[:, 7] == 1) & (after[:, 7] == 1)
        np.testing.assert_allclose((after - states)[holds, 5], (after - states)[holds, 2], rtol=0, atol=1e-12)
        on_table = after[:, 6] == 0
        assert (on_table | (after[:, 7] == 1) | (after[:, 0] == FAILED)).all()
        away = (states[:, 3] >= 0.08) & (after[:, 3] >= 0.08) & (states[:, 7] == 0)
        assert np.array_equal(after[away, 5], states[away, 5])
        states = after
    assert (states[:, 0] == SUCCEEDED).any()


@pytest.mark.parametrize(("down", "status"), [(-0.4, RUNNING), (-0.6, FAILED)])
def test_a_descent_onto_the_object_is_refused_and_ends_the_episode_when_it_is_hard(down, status):
    """Only the gripper's opening changes."""
    state = np.array([[RUNNING, 0.0, 0.1, 0.1, 1.0, 0.0, 0.0, 0.0]])
    after = TASKS["lift"].step(state, [[0.0, down, -0.5]]).states
    assert after.tolist() == [[status, 1.0, 0.1, 0.1, 0.875, 0.0, 0.0, 0.0]]


@each(EVERY)
@given(SEEDS, st.integers(1, 6), st.integers(0, 6))
def test_from_the_same_seed_fewer_first_states_are_the_first_of_more(task, seed, n, extra):
    few, many = (task.reset(np.random.default_rng(seed), k) for k in (n, n + extra))
    assert np.array_equal(few, many[:n])
    assert few.shape == (n, task.state_dim)
    assert not few[:, :2].any()


@each(EVERY)
@given(SEEDS)
@settings(max_examples=10)
def test_episodes_that_run_side_by_side_are_independent(task, seed):
    rng = np.random.default_rng(seed)
    states, actions = task.reset(rng, 5), rng.uniform(-1, 1, (5, task.action_dim))
    together = task.step(states, actions)
    for i in range(5):
        alone = task.step(states[i : i + 1], actions[i : i + 1])
        assert np.array_equal(alone.states[0], together.states[i])
        assert np.array_equal(task.observe(alone.states)[0], task.observe(together.states)[i])


@each(EVERY)
@given(SEEDS)
@settings(max_examples=10)
def test_observations_stay_within_the_bound_whatever_is_done(task, seed):
    rng = np.random.default_rng(seed)
    states, corner = task.reset(rng, 8), rng.choice([-1.0, 1.0], (8, task.action_dim))
    for _ in range(task.horizon):
        seen = task.observe(states)
        assert seen.shape == (8, task.observation_dim)
        assert np.abs(seen).max() <= task.bound
        states = task.step(states, corner).states


@each(EVERY)
def test_a_pickled_task_steps_as_before(task):
    copy = pickle.loads(pickle.dumps(task))
    first, second = (t.reset(np.random.default_rng(1), 3) for t in (task, copy))
    assert np.array_equal(task.step(first, np.ones((3, task.action_dim))).states,
                          copy.step(second, np.ones((3, task.action_dim))).states)  # fmt: skip


# --- contexts ---------------------------------------------------------------------------------------------------------


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_a_context_lies_in_the_range_that_was_drawn(which, where, rare):
    found = placed(np.array([[which, where]]), rare, 0.3, 0.8)[0]
    assert (abs(found) >= 0.3) == (which < rare) or abs(found) == pytest.approx(0.3, abs=1e-15)
    assert abs(found) <= 0.8
    assert found == pytest.approx(-placed(np.array([[which, 1 - where]]), rare, 0.3, 0.8)[0]) or where == 0.5


def context(task, states):
    match task.name:
        case "reach":
            return states[:, 5] - 0.55, 0.1, 0.25
        case "corridor":
            return states[:, 4], 0.3, 0.8
        case "lift":
            return states[:, 5], 0.3, 0.7
        case "push":
            return np.arctan2(states[:, 7] - states[:, 5], states[:, 6] - states[:, 4]), 1.2, math.pi
        case "stick":
            return states[:, 4], 0.35, 1.0


@each(TASKS.values())
@pytest.mark.parametrize("rare", [0.0, 0.3, 1.0, None])
def test_contexts_are_uniform_in_both_ranges_and_rare_with_the_given_probability(task, rare, rng):
    """False alarm below 1e-6: one exact binomial and three Kolmogorov-Smirnov tests at 1e-7 each."""
    values, inner, outer = context(task, task.reset(rng, 20_000, rare=rare))
    share = task.rare_in_evaluation if rare is None else rare
    far = np.abs(values) > inner
    assert stats.binomtest(int(far.sum()), far.size, share).pvalue > 1e-7
    for part, low, high in ((values[~far], -inner, inner), (values[far & (values > 0)], inner, outer),
                            (values[far & (values < 0)], -outer, -inner)):  # fmt: skip
        if part.size:
            assert stats.kstest(part, "uniform", args=(low, high - low)).pvalue > 1e-7
            assert stats.kstest(part, "uniform", args=(low, 1.1 * (high - low))).pvalue < 1e-7 or part.size < 2000


# --- a new task -------------------------------------------------------------------------------------------------------


def advance_homing(states, actions, horizon, out, rewards):
    """A point on a line: success within 0.1 of 0."""
    out[:], rewards[:] = states, 0.0
    running = states[:, 0] == RUNNING
    out[running, 1] += 1
    out[running, 2] += 0.2 * actions[running, 0]
    home = running & (np.abs(out[:, 2]) <= 0.1)
    out[home, 0], rewards[home] = SUCCEEDED, 1.0
    out[running & ~home & (out[:, 1] >= horizon), 0] = TIMED_OUT


HOMING = Task(
    name="homing",
    observation_dim=1,
    action_dim=1,
    state_dim=3,
    horizon=12,
    n_uniforms=2,
    start=lambda uniforms, rare: np.column_stack([np.zeros((len(uniforms), 2)), placed(uniforms, rare, 0.5, 1.0)]),
    observation=lambda states: states[:, 2:].copy(),
    advance=advance_homing,
)


def outcomes(names):
    """Demonstrations, a cloned policy and its episodes for each task of these names."""
    short, found = Training(n_steps=200, batch=32), {}
    for name in names:
        task, seeds = TASKS[name], [np.random.SeedSequence(k) for k in range(3)]
        shown = demonstrate(task, 3, np.random.default_rng(seeds[0]))
        policy = clone(shown, 2, seeds[1], hidden=(8,), training=short)
        run = evaluate(task, policy, 10, seeds[2])
        found[name] = [shown.observations, shown.actions, policy.denoiser.parameters, run.returns, run.lengths]
    return found


def test_a_sixth_task_needs_only_an_entry_and_a_script_and_leaves_the_numbers_of_the_five(monkeypatch):
    five = list(TASKS)
    before = outcomes(five)
    monkeypatch.setitem(TASKS, "homing", HOMING)
    monkeypatch.setitem(SCRIPTS, "homing", Script(plan=lambda states, style: -5.0 * states[:, 2:], noise=0.05))
    after = outcomes([*TASKS])
    assert list(after) == [*five, "homing"]
    for name in five:
        for old, new in zip(before[name], after[name], strict=True):
            assert np.array_equal(old, new)
    shown, actions, *_, lengths = after["homing"]
    assert shown.shape[1] == actions.shape[1] == 1
    assert lengths.max() <= HOMING.horizon


@pytest.mark.parametrize(("registry", "kind"), [(TASKS, "task"), (SCRIPTS, "script")])
def test_an_unknown_name_is_refused_with_the_known_ones(registry, kind):
    with pytest.raises(KeyError, match=f"no {kind} is called 'juggle'; there are: reach, corridor, lift, push, stick"):
        registry["juggle"]
    assert "juggle" not in registry


# --- refusals ---------------------------------------------------------------------------------------------------------


@each(EVERY)
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s, a: (s[:, :-1], a), r"states must have shape \(any, \d\); got"),
        (lambda s, a: (s[0], a), "states must have shape"),
        (lambda s, a: (s, a[:1]), r"actions must have shape \(3, \d\); got"),
        (lambda s, a: (s, a[:, :1]), r"actions must have shape \(3, \d\); got"),
        (lambda s, a: (np.where(s == s, np.nan, s), a), r"states must be finite; entry \(0, 0\) is nan"),
        (lambda s, a: (s, a * np.nan), r"actions must be finite; entry \(0, 0\) is nan"),
        (lambda s, a: (s, a * np.inf), r"actions must be finite; entry \(0, 0\) is inf"),
    ],
)
def test_bad_states_and_actions_are_refused(task, spoil, message):
    states = task.reset(np.random.default_rng(0), 3)
    with pytest.raises(ValueError, match=message):
        task.step(*spoil(states, np.ones((3, task.action_dim))))


def test_tasks_refuse_arguments_out_of_range(rng):
    task = TASKS["reach"]
    with pytest.raises(TypeError, match="rng must be"):
        task.reset(np.random, 3)
    with pytest.raises(ValueError, match="n must be at least 1; got 0"):
        task.reset(rng, 0)
    with pytest.raises(ValueError, match=r"rare must be at most 1.0; got 1.5"):
        task.reset(rng, 3, rare=1.5)
    with pytest.raises(ValueError, match="states must have shape"):
        task.observe(np.zeros((2, 3)))
    with pytest.raises(TypeError, match="actions must hold real numbers"):
        task.step(task.reset(rng, 1), [["a", "b"]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon": 0}, "horizon must be at least 1; got 0"),
        ({"state_dim": 1}, "state_dim must be at least 2; got 1"),
        ({"action_dim": 0}, "action_dim must be at least 1; got 0"),
        ({"rare_in_evaluation": -0.1}, "rare_in_evaluation must be at least 0.0; got -0.1"),
        ({"bound": 0.0}, "bound must be above 0.0; got 0.0"),
    ],
)
def test_a_task_with_a_size_or_number_out_of_range_is_refused(change, message):
    sizes = {"observation_dim": 3, "action_dim": 2, "state_dim": 5, "horizon": 10, "n_uniforms": 2}
    with pytest.raises(ValueError, match=message):
        Task(**{"name": "mine", "start": None, "observation": None, "advance": None, **sizes, **change})
