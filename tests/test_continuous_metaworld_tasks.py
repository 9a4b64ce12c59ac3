"""continuous.metaworld_tasks: the rows against the simulator's own environment, bit for bit; the demonstrators.

Skipped without the extra, but for what happens without it.
"""

import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from continuous.cloning import clone
from continuous.demonstrators import Style, demonstrate
from continuous.dsrl import DSRL, finetune_dsrl
from continuous.evaluation import evaluate
from continuous.metaworld_simulator import FRAME, modules, new_environment
from continuous.metaworld_success import QUICK
from continuous.metaworld_tasks import HORIZONS, metaworld_names, metaworld_script, metaworld_task
from continuous.task_model import RUNNING, SUCCEEDED, TIMED_OUT
from continuous.training import Training

INSTALLED = importlib.util.find_spec("metaworld") is not None and importlib.util.find_spec("mujoco") is not None
simulated = pytest.mark.skipif(
    not INSTALLED, reason="MetaWorld is not installed: python -m pip install -c constraints.txt '.[metaworld]'"
)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the simulator's own imports

OFTEN = [*QUICK, "door-open", "box-close"]
NAMES = [
    pytest.param(name, marks=() if name in OFTEN else pytest.mark.slow)
    for name in (metaworld_names() if INSTALLED else OFTEN)
]
UNIFORM = 0.3


def plain(n):
    return Style(speed=np.ones(n), side=np.ones(n))


def twin_of(name, uniform):
    """The simulator's own environment, started from the same seed, and its first observation."""
    env = new_environment(name)
    modules()[0].mj_resetData(env.model, env.data)
    env.np_random = np.random.default_rng(int(uniform * 2**53))
    seen = env.reset_model()
    env._prev_obs = seen[:FRAME].copy()
    seen[FRAME : 2 * FRAME] = env._prev_obs
    return env, seen


def shaky(script, states, rng):
    """The script's actions with noise, so that successes and failures both occur."""
    return np.clip(script.plan(states, plain(len(states))) + 0.3 * rng.standard_normal((len(states), 4)), -1, 1)


# --- without the extra ------------------------------------------------------------------------------------------------


def test_nothing_of_this_half_imports_the_simulator():
    names = sorted(path.stem for path in Path(__file__).parents[1].joinpath("continuous").glob("*.py"))
    code = f"import sys, importlib; [importlib.import_module('continuous.' + name) for name in {names!r}]; "
    code += "print([name for name in sys.modules if name.partition('.')[0] in ('mujoco', 'metaworld')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert found.stdout.strip() == "[]", found.stderr


@pytest.mark.parametrize(
    "function", [lambda: metaworld_task("push"), lambda: metaworld_script("push"), metaworld_names]
)
def test_without_the_extra_the_refusal_says_how_to_install_it(function, monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(ImportError, match=r"need the extra 'metaworld': python -m pip install -c constraints.txt"):
        function()


# --- against the simulator's own environment --------------------------------------------------------------------------


@simulated
@pytest.mark.parametrize("name", NAMES)
def test_rows_and_the_simulators_own_environment_agree_bit_for_bit(name):
    """Two rows in one batch: the second is held against an environment of its own until it ends."""
    task, script = metaworld_task(name, horizon=180), metaworld_script(name)
    states = task.start(np.array([[0.7], [UNIFORM]]), 0.0)
    env, seen = twin_of(name, UNIFORM)
    assert np.array_equal(task.observe(states)[1], seen)
    rng = np.random.default_rng(0)
    ended = np.zeros(2, bool)
    while not ended[1]:
        actions = np.clip(script.plan(states, plain(2)) + 0.05 * rng.standard_normal((2, 4)), -1, 1)
        states, rewards, ended, success = task.step(states, actions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen, _, _, _, info = env.step(actions[1])
        assert np.array_equal(task.observe(states)[1], seen)
        assert bool(info["success"]) == success[1] == (rewards[1] == 1.0)


@simulated
@pytest.mark.parametrize("name", QUICK)
def test_quick_rules_of_success_are_the_simulators_own(name):
    """At every step of three shaky episodes, of which some succeed."""
    task, script = metaworld_task(name, horizon=250), metaworld_script(name)
    rng, told = np.random.default_rng(1), []
    for uniform in (0.1, 0.5, 0.9):
        env, _ = twin_of(name, uniform)
        states, ended = task.start(np.array([[uniform]]), 0.0), np.array([False])
        while not ended[0]:
            actions = np.clip(script.plan(states, plain(1)) + 0.1 * rng.standard_normal((1, 4)), -1, 1)
            states, _, ended, success = task.step(states, actions)
            info = env.step(actions[0])[4]
            assert bool(info["success"]) == success[0]
        told.append(success[0])
    assert any(told)


@simulated
def test_the_goal_is_visible_and_differs_between_episodes():
    task = metaworld_task("pick-place")
    states = task.reset(np.random.default_rng(0), 20)
    goals = task.observe(states)[:, -3:]
    assert (goals[:, 2] > 0.04).all()
    assert len(np.unique(goals, axis=0)) == 20
    later = task.step(states, np.zeros((20, 4))).states
    assert np.array_equal(task.observe(later)[:, -3:], goals)


# --- rows -------------------------------------------------------------------------------------------------------------


@simulated
@pytest.mark.parametrize(
    "name", ["pick-place", "peg-insert-side", "bin-picking", "assembly", "box-close", "drawer-open"]
)
def test_rows_are_advanced_in_any_order_and_in_any_parts_of_a_batch(name):
    task, script, rng = metaworld_task(name), metaworld_script(name), np.random.default_rng(2)
    states = task.reset(rng, 5)
    for _ in range(12):
        actions = shaky(script, states, rng)
        order = rng.permutation(5)
        whole = task.step(states, actions)
        mixed = task.step(states[order], actions[order])
        parts = [task.step(states[i : i + 2], actions[i : i + 2]).states for i in (4, 0, 2)]
        assert np.array_equal(mixed.states, whole.states[order])
        assert np.array_equal(np.concatenate([parts[1], parts[2], parts[0]]), whole.states)
        states = whole.states


@simulated
def test_a_second_task_of_the_same_name_goes_on_from_the_firsts_rows():
    """All that an episode owns is in its row; the simulators share nothing."""
    one, two = metaworld_task("bin-picking"), metaworld_task("bin-picking")
    script, rng = metaworld_script("bin-picking"), np.random.default_rng(3)
    states = one.reset(np.random.default_rng(4), 3)
    assert np.array_equal(states, two.reset(np.random.default_rng(4), 3))
    for k in range(30):
        actions = shaky(script, states, rng)
        after = (one, two)[k % 2].step(states, actions)
        assert np.array_equal(after.states, (two, one)[k % 2].step(states, actions).states)
        states = after.states


@simulated
def test_episodes_end_at_success_or_at_the_horizon_and_then_stay():
    task = metaworld_task("reach", horizon=150)
    script = metaworld_script("reach")
    states = task.reset(np.random.default_rng(5), 4)
    totals = np.zeros(4)
    for _ in range(150):
        actions = script.plan(states, plain(4))
        actions[0] = 0.0  # the first does nothing
        before, (states, rewards, ended, _) = states, task.step(states, actions)
        done = before[:, 0] != RUNNING
        assert np.array_equal(states[done], before[done])
        assert not rewards[done].any()
        totals += rewards
    assert ended.all()
    assert states[0, 0] == TIMED_OUT
    assert (states[1:, 0] == SUCCEEDED).all()
    assert totals.tolist() == [0, 1, 1, 1]


@simulated
def test_first_states_are_reproducible_and_differ_between_seeds():
    task = metaworld_task("peg-insert-side")
    one, two, other = (task.reset(np.random.default_rng(seed), 6) for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert np.array_equal(one[:2], task.reset(np.random.default_rng(0), 2))
    assert not (one[:, None, -3:] == other[None, :, -3:]).all(axis=2).any()


@simulated
def test_the_relative_view_holds_the_ways_from_hand_to_object_to_goal():
    whole, relative = (metaworld_task("push", observed=view) for view in ("simulator", "relative"))
    states = whole.reset(np.random.default_rng(6), 3)
    states = whole.step(states, np.ones((3, 4))).states
    seen, short = whole.observe(states), relative.observe(states)
    assert short.shape == (3, relative.observation_dim)
    assert np.array_equal(short[:, :4], seen[:, :4])
    assert np.allclose(short[:, 14:17], seen[:, 4:7] - seen[:, :3])
    assert np.allclose(short[:, 17:20], seen[:, 36:] - seen[:, 4:7])
    assert (short[:, 20:23] > 0).all()  # the hand was told to go up, forward and right


# --- demonstrators ----------------------------------------------------------------------------------------------------


@simulated
def test_demonstrations_are_reproducible_by_seed_successful_and_not_alike():
    task, script = metaworld_task("pick-place", horizon=150), metaworld_script("pick-place")
    one, two, other = (demonstrate(task, 3, np.random.default_rng(seed), script=script) for seed in (0, 0, 1))
    for name in ("observations", "actions", "episode_ends"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert one.n_attempts == two.n_attempts >= one.n_episodes == 3
    assert not np.array_equal(one.episode_ends, other.episode_ends)
    fewer = demonstrate(task, 2, np.random.default_rng(0), script=script)
    assert np.array_equal(fewer.actions, one.actions[: len(fewer.actions)])
    assert np.abs(one.actions).max() <= 1.0
    last = one.episode_ends - 1
    away = np.linalg.norm(one.observations[last, 4:7] - one.observations[last, -3:], axis=1)
    assert (away < 0.1).all()  # the next state is within 0.07


@simulated
def test_speed_and_noise_are_what_the_style_and_the_script_say():
    """Without noise a factor of speed scales the hand's motion and leaves the gripper."""
    task, script = metaworld_task("push"), metaworld_script("push", pace=0.5)
    states = task.reset(np.random.default_rng(7), 2)
    slow, fast = (script.plan(states, Style(speed=np.full(2, speed), side=np.ones(2))) for speed in (0.8, 1.2))
    assert np.allclose(fast[:, :3], 1.5 * slow[:, :3])
    assert np.array_equal(fast[:, 3], slow[:, 3])
    assert np.abs(fast[:, :3]).max() <= 0.6
    assert metaworld_script("push", noise=0.05).noise == 0.05


@simulated
@pytest.mark.compiled
def test_demonstrate_clone_evaluate_and_finetune_with_tiny_settings():
    task, script = metaworld_task("pick-place", observed="relative"), metaworld_script("pick-place")
    shown = demonstrate(task, 3, np.random.default_rng(8), script=script)
    seeds = np.random.SeedSequence(9).spawn(3)
    policy = clone(shown, 4, seeds[0], hidden=(32, 32), training=Training(n_steps=200))
    found = evaluate(task, policy, 3, seeds[1])
    assert found.success.tolist() == (found.returns == 1.0).tolist()
    assert (found.lengths <= HORIZONS["pick-place"]).all()
    settings = DSRL(
        random_episodes=2,
        rounds=1,
        episodes=2,
        updates=3,
        batch=4,
        hidden=(8,),
        evaluate_every=1,
        evaluation_episodes=2,
    )
    tuned = finetune_dsrl(task, policy, settings, seeds[1], seeds[2])
    assert len(tuned.success) == 2
    assert np.isfinite(tuned.success).all()
    again = finetune_dsrl(task, policy, settings, seeds[1], seeds[2])
    assert np.array_equal(tuned.environment_steps, again.environment_steps)


# --- refusals ---------------------------------------------------------------------------------------------------------


@simulated
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metaworld_task("push-v3"), "name must be one of 'assembly', .*; got 'push-v3'"),
        (lambda: metaworld_task("push", horizon=501), "horizon must be at most 500; got 501"),
        (lambda: metaworld_task("push", horizon=0), "horizon must be at least 1; got 0"),
        (lambda: metaworld_task("push", observed="pixels"), "observed must be one of 'simulator', 'relative'"),
        (lambda: metaworld_script("push", pace=0.0), "pace must be above 0.0; got 0.0"),
        (lambda: metaworld_script("push", noise=-1.0), "noise must be at least 0.0; got -1.0"),
        (lambda: demonstrate(metaworld_task("push"), 1, np.random.default_rng(0)), "script must be given"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@simulated
def test_all_fifty_tasks_have_a_script():
    assert len(metaworld_names()) == 50
    assert set(HORIZONS) | set(QUICK) <= set(metaworld_names())
    for name in metaworld_names():
        assert metaworld_script(name).noise == 0.1
