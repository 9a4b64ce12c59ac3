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
from continuous.gymnasium_episodes import StateAccess
from continuous.gymnasium_tasks import TaskEnv, task_of
from continuous.linear_quadratic import double_integrator
from continuous.task_model import TIMED_OUT
from continuous.tasks import TASKS

EVERY = [*TASKS.values(), double_integrator().task]


def each(tasks):
    return pytest.mark.parametrize("task", tasks, ids=lambda task: task.name)


def pendulum(horizon=200):
    return task_of(lambda: gymnasium.make("Pendulum-v1"), "pendulum", horizon, rewards="environment")


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
        lambda: gymnasium.make("MountainCarContinuous-v0"),
        "car",
        300,
        success=lambda terminated, info: terminated,
        rewards="environment",
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

    task = task_of(Tables, "tables", 5, rewards="environment")
    assert (task.observation_dim, task.action_dim, task.bound) == (6, 4, 255)
    states = task.reset(np.random.default_rng(0), 2)
    assert task.observe(states).tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    after, rewards, ended, _ = task.step(states, [[-1, 1, 0, 1], [1, 1, 1, 1]])
    assert task.observe(after).tolist() == [[0, 10, 0, 25, 55, 0], [40, 10, 0, 30, 55, 0]]
    assert rewards.tolist() == [0 + 1 + 2.5 + 5.5, 4 + 1 + 3 + 5.5]
    assert not ended.any()


# --- what an environment may do wrong ---------------------------------------------------------------------------------


class Walk(gymnasium.Env):
    """A point on a line that starts at a drawn place; `info` tells when it has passed 1."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float64)
    paid = staticmethod(lambda x: float(x >= 1))
    drawn = staticmethod(lambda env: env.np_random.uniform())
    shaken = staticmethod(lambda env: 0.0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = np.array([self.drawn(self)])
        return self.x.copy(), {}

    def step(self, action):
        self.x = self.x + 0.1 * action + self.shaken(self)
        return self.x.copy(), self.paid(self.x[0]), False, False, {"success": bool(self.x[0] >= 1)}


def kind_of_walk(**changes):
    return type("Changed", (Walk,), {name: staticmethod(value) for name, value in changes.items()})


OWN = np.random.default_rng(7)
"""A source of chance that no reset seeds."""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drawn": lambda env: OWN.uniform()}, "mine must start in the same state whenever it is reset with the same seed"),
        ({"drawn": lambda env: 0.5, "shaken": lambda env: 0.01 * OWN.normal()}, "mine must go on the same way"),
        ({"drawn": lambda env: id(env) % 9973}, "mine must start in the same state"),  # each environment another
    ],
)  # fmt: skip
def test_an_environment_that_a_seed_does_not_determine_is_refused_and_reset_mends_it(changes, message):
    kind = kind_of_walk(**changes)
    kept = []  # alive, so that no two of them have one id

    def make():
        kept.append(kind())
        return kept[-1]

    with pytest.raises(ValueError, match=message):
        task_of(make, "mine", 20).reset(np.random.default_rng(0), 2)

    def seeded(env, seed):
        env.reset(seed=seed)
        env.drawn = lambda _: 0.5
        env.shaken = lambda env: 0.01 * env.np_random.normal()
        env.x = np.array([env.np_random.uniform()])
        return env.x.copy()

    task = task_of(make, "mine", 20, reset=seeded)
    one, two = (task.step(task.reset(np.random.default_rng(1), 3), np.ones((3, 1))).states for _ in range(2))
    assert np.array_equal(one, two)
    assert len(set(task.observe(one)[:, 0].tolist())) == 3


def test_other_rewards_than_one_at_success_are_refused_unless_they_are_asked_for():
    dense = kind_of_walk(paid=lambda x: -abs(x - 1))
    task, bad = task_of(Walk, "mine", 20), task_of(dense, "mine", 20)
    states = task.start(np.array([[0.3]]), 0.0)
    first = bad.start(np.array([[0.3]]), 0.0)
    with pytest.raises(ValueError, match="rewards must be given for mine: a step without success paid -0"):
        bad.step(first, np.ones((1, 1)))
    sparse, own = (task_of(dense, "mine", 20, rewards=kind) for kind in ("success", "environment"))
    rows = {t: t.start(np.array([[0.3]]), 0.0) for t in (task, sparse, own)}
    paid = {t: [] for t in rows}
    ended = {t: False for t in rows}
    while not ended[task]:
        for t in rows:
            rows[t], (reward,), (ended[t],), (success,) = t.step(rows[t], np.ones((1, 1)))
            paid[t].append(reward)
            assert success == ended[t]
    assert all(ended.values())
    assert paid[task] == paid[sparse] == [0.0] * (len(paid[task]) - 1) + [1.0]
    assert paid[own][0] == pytest.approx(-abs(task.observe(states)[0, 0] + 0.1 - 1))
    with pytest.raises(ValueError, match="rewards must be one of 'success', 'environment'; got 'dense'"):
        task_of(Walk, "mine", 20, rewards="dense")


def test_a_success_that_info_does_not_tell_is_refused_where_it_is_the_reward():
    with pytest.raises(ValueError, match="success must be given for pendulum: its info holds neither"):
        task_of(lambda: gymnasium.make("Pendulum-v1"), "pendulum", 9, rewards="success")
    upright = task_of(
        lambda: gymnasium.make("Pendulum-v1"), "pendulum", 9, success=lambda ended, info: False, rewards="success"
    )
    found = evaluate(upright, lambda seen, rng: np.zeros((len(seen), 1, 1)), 2, np.random.SeedSequence(0))
    assert found.returns.tolist() == [0, 0]


def boxed(low, high, dtype):
    """An environment that shows the action it was given, and refuses one outside its box."""

    class Boxed(Walk):
        action_space = spaces.Box(np.array([low], dtype), np.array([high], dtype), (1,), dtype)

        def step(self, action):
            assert action.dtype == dtype
            assert self.action_space.contains(action), f"{action} is outside"
            return action.astype(np.float64), 0.0, False, False, {}

    return Boxed


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@given(st.data())
@settings(max_examples=25)
def test_every_action_lands_in_the_environments_box(dtype, data):
    """Also at the ends, where rounding put it one last bit outside, and for bounds whose difference overflows."""
    largest = 6e4 if dtype is np.float16 else float(np.float32(3e38))
    width = np.finfo(dtype).bits
    numbers = st.floats(-largest, largest, width=width)
    low, high = sorted(data.draw(st.tuples(numbers, numbers)))
    task = task_of(boxed(low, high, dtype), "mine", 50)
    actions = [-1.0, 1.0, *data.draw(st.lists(st.floats(-1, 1), max_size=5))]
    seen = []
    states = task.reset(np.random.default_rng(0), 1)
    for action in actions:
        states = task.step(states, [[action]]).states
        seen.append(task.observe(states)[0, 0])
    assert seen[0] == dtype(low)
    assert seen[1] == dtype(high)
    middle = np.interp(actions, [-1, 1], [low / 2, high / 2])  # halves, for the same overflow
    assert np.allclose(
        np.array(seen) / 2,
        middle,
        rtol=4 * float(np.finfo(dtype).eps),
        atol=4 * float(np.finfo(dtype).eps) * max(abs(low), abs(high)),
    )


@pytest.mark.parametrize("bound", [np.finfo(np.float32).max, np.inf])
def test_bounds_that_mean_infinity_are_refused(bound):
    with pytest.raises(ValueError, match="the action space of mine must have finite bounds"):
        task_of(boxed(-bound, bound, np.float32), "mine", 10)


def test_whole_numbers_of_an_action_are_rounded_and_not_cut():
    task = task_of(boxed(-2, 2, np.int8), "mine", 10)
    states, seen = task.reset(np.random.default_rng(0), 1), []
    for action in (-0.9, -0.3, 0.2, 0.3, 0.9):
        states = task.step(states, [[action]]).states
        seen.append(task.observe(states)[0, 0])
    assert seen == [-2, -1, 0, 1, 2]


def test_an_observation_that_is_not_finite_is_refused():
    broken = kind_of_walk(shaken=lambda env: np.nan if env.x[0] > 1.0 else 0.0, drawn=lambda env: 0.75)
    task = task_of(broken, "mine", 10, rewards="environment", success=lambda ended, info: False)
    states = task.reset(np.random.default_rng(0), 1)
    for _ in range(3):
        states = task.step(states, [[1.0]]).states
    with pytest.raises(ValueError, match="an observation of mine must be finite"):
        task.step(states, [[1.0]])


# --- rows with the environment's state --------------------------------------------------------------------------------

SWING = StateAccess(
    read=lambda env: env.unwrapped.state, write=lambda env, numbers: setattr(env.unwrapped, "state", numbers)
)


def test_with_its_state_one_environment_serves_all_rows_in_any_order():
    made = []

    def make():
        made.append(gymnasium.make("Pendulum-v1", max_episode_steps=10))
        return made[-1]

    task = task_of(make, "pendulum", 40, rewards="environment", state=SWING)
    twin = task_of(lambda: gymnasium.make("Pendulum-v1"), "pendulum", 40, rewards="environment")
    rows, others = (t.reset(np.random.default_rng(4), 5) for t in (task, twin))
    rng = np.random.default_rng(5)
    for _ in range(40):
        actions = rng.uniform(-1, 1, (5, 1))
        order = rng.permutation(5)
        after = task.step(rows[order], actions[order])
        alone = [task.step(rows[i : i + 1], actions[i : i + 1]).states[0] for i in order]  # again, and one by one
        assert np.array_equal(after.states, alone)
        rows[order] = after.states
        others, rewards, ended, _ = twin.step(others, actions)
        assert np.array_equal(task.observe(rows), twin.observe(others))
        assert np.array_equal(after.rewards, rewards[order])
        assert np.array_equal(after.ended, ended[order])
    assert ended.all()
    assert len(made) == 1


def test_a_state_that_leaves_something_out_is_refused():
    half = StateAccess(
        read=lambda env: env.unwrapped.state[:1],
        write=lambda env, numbers: env.unwrapped.state.__setitem__(slice(0, 1), numbers),
    )
    with pytest.raises(ValueError, match="state must hold all that a step of pendulum depends on"):
        task_of(lambda: gymnasium.make("Pendulum-v1"), "pendulum", 40, rewards="environment", state=half)
