"""continuous.gymnasium_tasks: tasks as environments and environments as tasks; Gymnasium's checker; refusals."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from continuous.demonstrators import SCRIPTS, Script, Style, demonstrate
from continuous.evaluation import compare, evaluate
from continuous.gymnasium_tasks import TaskEnv, task_of
from continuous.linear_quadratic import double_integrator
from continuous.tasks import TASKS, TIMED_OUT

EVERY = [*TASKS.values(), double_integrator().task]


def each(tasks):
    return pytest.mark.parametrize("task", tasks, ids=lambda task: task.name)


def pendulum(horizon=200):
    return task_of(lambda: gymnasium.make("Pendulum-v1"), "pendulum", horizon)


# --- ours as environments ---------------------------------------------------------------------------------------------


@each(EVERY)
def test_gymnasiums_checker_accepts_the_environment_of_a_task(task):
    check_env(TaskEnv(task), skip_render_check=True)  # warnings are errors here


@each(EVERY)
@given(st.integers(0, 2**31 - 1))
@settings(max_examples=5)
def test_an_episode_of_a_tasks_environment_is_one_of_the_task(task, seed):
    env, rng = TaskEnv(task, rare=0.5), np.random.default_rng(seed)
    observed, info = env.reset(seed=seed)
    states, ended = info["state"][None], False
    while not ended:
        assert env.observation_space.contains(observed)
        assert np.array_equal(observed, task.observe(states)[0])
        action = rng.uniform(-1, 1, task.action_dim)
        observed, reward, terminated, truncated, info = env.step(action)
        states, rewards, (ended,), (success,) = task.step(states, action[None])
        assert (reward, info["is_success"]) == (rewards[0], success)
        assert (terminated or truncated) == ended
        assert truncated == (states[0, 0] == TIMED_OUT)
        assert np.array_equal(info["state"], states[0])


def test_a_script_succeeds_in_a_tasks_environment_and_ended_episodes_cannot_be_stepped():
    env, task = TaskEnv(TASKS["lift"]), TASKS["lift"]
    style = Style(speed=np.ones(1), side=np.ones(1))
    _, info = env.reset(seed=3)
    ended = False
    while not ended:
        _, reward, ended, truncated, info = env.step(SCRIPTS["lift"].plan(info["state"][None], style)[0].clip(-1, 1))
        assert not truncated
    assert reward == 1
    assert info["is_success"]
    with pytest.raises(RuntimeError, match="an episode must be running"):
        env.step(np.zeros(task.action_dim))


def test_stepping_an_environment_before_its_reset_or_with_a_bad_action_is_refused():
    env = TaskEnv(TASKS["reach"])
    with pytest.raises(RuntimeError, match=r"an episode must be running: call reset\(\)"):
        env.step(np.zeros(2))
    env.reset(seed=0)
    for action, message in ((np.zeros(3), "actions must have shape"), (np.array([0, np.nan]), "must be finite")):
        with pytest.raises(ValueError, match=message):
            env.step(action)
    with pytest.raises(TypeError, match="task must be of type Task"):
        TaskEnv("reach")
    with pytest.raises(ValueError, match="rare must be at most"):
        TaskEnv(TASKS["reach"], rare=2.0)


# --- environments as ours ---------------------------------------------------------------------------------------------


def test_the_pendulum_as_a_task_is_gymnasiums_pendulum():
    """Episode by episode, from the same seeds, with actions in [-1, 1] mapped to [-2, 2]."""
    task = pendulum()
    rng = np.random.default_rng(5)
    states = task.reset(rng, 3)
    seeds = [int(u * 2**31) for u in np.random.default_rng(5).random(3)]
    plans = np.random.default_rng(6).uniform(-1.2, 1.2, (200, 3, 1))
    totals, observed = np.zeros(3), []
    for actions in plans:
        states, rewards, ended, success = task.step(states, actions)
        totals += rewards
        observed.append(task.observe(states))
    assert ended.all()
    assert not success.any()
    for i, seed in enumerate(seeds):
        env = gymnasium.make("Pendulum-v1")
        env.reset(seed=seed)
        total = 0.0
        for t, action in enumerate(plans[:, i]):
            seen, reward, *_ = env.step((2 * action.clip(-1, 1)).astype(np.float32))
            assert np.array_equal(observed[t][i], seen)
            total += float(reward)
        assert totals[i] == pytest.approx(total, rel=1e-12)


def test_evaluations_on_an_environment_are_paired_by_seed():
    task, seed = pendulum(30), np.random.SeedSequence(3)

    def spin(seen, rng):
        return np.sign(seen[:, None, 2:])

    runs = [evaluate(task, policy, 4, seed) for policy in (spin, spin, lambda s, r: r.uniform(-1, 1, (len(s), 2, 1)))]
    assert np.array_equal(runs[0].returns, runs[1].returns)
    assert np.array_equal(runs[0].starts, runs[2].starts)
    assert not np.array_equal(runs[0].returns, runs[2].returns)
    assert runs[0].lengths.tolist() == [30] * 4
    compare(runs[0], runs[2])


def test_the_callers_rule_decides_success_in_an_environment():
    """The car reaches the flag by pumping; the environment reports this by `terminated` alone."""
    task = task_of(
        lambda: gymnasium.make("MountainCarContinuous-v0"), "car", 300, success=lambda terminated, info: terminated
    )
    pump = Script(plan=lambda states, style: np.sign(states[:, -1:]), noise=0.0)
    found = evaluate(task, lambda seen, rng: np.sign(seen[:, None, 1:]), 3, np.random.SeedSequence(0))
    assert found.success.all()
    assert (found.lengths < 300).all()
    assert (found.returns > 90 - 30).all()
    assert evaluate(task, lambda seen, rng: 0 * seen[:, None, 1:], 2, np.random.SeedSequence(0)).success_rate == 0
    shown = demonstrate(task, 2, np.random.default_rng(0), script=pump)
    assert (shown.n_episodes, shown.n_attempts) == (2, 2)


def test_a_task_turned_into_an_environment_and_back_is_unchanged():
    """The same rewards and lengths, episode by episode."""
    inner = TASKS["corridor"]
    task = task_of(lambda: TaskEnv(inner), "corridor again", inner.horizon)
    assert (task.observation_dim, task.action_dim, task.bound) == (3, 2, inner.bound)
    rng = np.random.default_rng(0)
    states = task.reset(rng, 5)
    twins = np.concatenate(
        [TaskEnv(inner).reset(seed=int(u * 2**31))[1]["state"][None] for u in np.random.default_rng(0).random(5)]
    )
    while (states[:, 0] == 0).any():
        actions = np.column_stack([np.ones(5), -9 * twins[:, 3]]) + 0.2 * rng.standard_normal((5, 2))
        states, rewards, ended, success = task.step(states, actions)
        twins, *others = inner.step(twins, actions)
        for one, other in zip((rewards, ended, success), others, strict=True):
            assert np.array_equal(one, other)
        assert np.array_equal(states[:, :2], twins[:, :2])


def test_an_environment_is_stepped_from_its_latest_state_only():
    task = pendulum()
    states = task.reset(np.random.default_rng(0), 2)
    after = task.step(states, np.zeros((2, 1))).states
    for stale in (states, after[[0, 0]], after + 1e-9 * (np.arange(6) == 5)):
        with pytest.raises(ValueError, match="must be the latest of their environments, each at most once"):
            task.step(stale, np.zeros((2, 1)))
    task.step(after[1:], np.zeros((1, 1)))  # a part of them may be stepped
    task.reset(np.random.default_rng(1), 1)
    with pytest.raises(ValueError, match="must be the latest"):
        task.step(after[:1], np.zeros((1, 1)))


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda: gymnasium.make("CartPole-v1"),
            TypeError,
            r"the action space of mine must be a Box; got Discrete\(2\)",
        ),
        (
            lambda: gymnasium.make("FrozenLake-v1"),
            TypeError,
            r"the observation space of mine must be a Box; got Discrete",
        ),
    ],
)
def test_environments_with_spaces_other_than_boxes_are_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        task_of(make, "mine", 10)


def test_unbounded_actions_and_episodes_of_no_length_are_refused():
    class Unbounded(TaskEnv):
        def __init__(self):
            super().__init__(TASKS["reach"])
            self.action_space = spaces.Box(-np.inf, np.inf, (2,))

    with pytest.raises(ValueError, match="the action space of mine must have finite bounds"):
        task_of(Unbounded, "mine", 10)
    with pytest.raises(ValueError, match="horizon must be at least 1; got 0"):
        pendulum(0)


def test_boxes_of_any_shape_type_and_bounds_are_vectors_of_a_task():
    """An observed table of integers, and an action table with bounds per entry, become vectors in C order."""

    class Tables(gymnasium.Env):
        observation_space = spaces.Box(0, 255, (2, 3), np.uint8)
        action_space = spaces.Box(
            np.array([[0.0, -1.0], [2.0, 5.0]]), np.array([[4.0, 1.0], [3.0, 5.5]]), dtype=np.float64
        )

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return np.arange(6, dtype=np.uint8).reshape(2, 3), {}

        def step(self, action):
            assert self.action_space.contains(action)
            seen = np.zeros((2, 3), np.uint8)
            seen[:, :2] = 10 * action
            return seen, float(action.sum()), False, False, {}

    task = task_of(Tables, "tables", 5)
    assert (task.observation_dim, task.action_dim, task.bound) == (6, 4, 255)
    states = task.reset(np.random.default_rng(0), 2)
    assert task.observe(states).tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    after, rewards, ended, _ = task.step(states, [[-1, 1, 0, 1], [1, 1, 1, 1]])
    assert task.observe(after).tolist() == [[0, 10, 0, 25, 55, 0], [40, 10, 0, 30, 55, 0]]
    assert rewards.tolist() == [0 + 1 + 2.5 + 5.5, 4 + 1 + 3 + 5.5]
    assert not ended.any()
