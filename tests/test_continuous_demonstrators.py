"""continuous.demonstrators: recordings can be replayed; success rates; the distribution of the noise; refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from continuous.demonstrators import SCRIPTS, Script, ScriptedDemonstrations, demonstrate
from continuous.linear_quadratic import LinearQuadratic, double_integrator
from continuous.tasks import TASKS

LQ = double_integrator()


def each(names):
    return pytest.mark.parametrize("name", names)


def record(name, n, seed, **options):
    if name == "linear-quadratic":
        return demonstrate(LQ.task, n, np.random.default_rng(seed), script=LQ.script, **options)
    return demonstrate(TASKS[name], n, np.random.default_rng(seed), **options)


# --- what is recorded -------------------------------------------------------------------------------------------------


@each([*TASKS, "linear-quadratic"])
@pytest.mark.parametrize("quality", [1.0, 0.5])
def test_recorded_demonstrations_replay_in_the_task_and_succeed_at_their_last_step(name, quality):
    task = LQ.task if name == "linear-quadratic" else TASKS[name]
    found = record(name, 20, 5, quality=quality)
    attempts = iter(np.random.default_rng(5).spawn(found.n_attempts))
    begin = 0
    for end in found.episode_ends:
        states = task.reset(next(attempts), 1, rare=task.rare_in_demonstrations)
        while not np.array_equal(task.observe(states)[0], found.observations[begin]):  # an attempt that failed
            states = task.reset(next(attempts), 1, rare=task.rare_in_demonstrations)
        for observed, action in zip(found.observations[begin:end], found.actions[begin:end], strict=True):
            assert states[0, 0] == 0
            assert np.array_equal(task.observe(states)[0], observed)
            states = task.step(states, action[None]).states
        assert states[0, 0] == 1
        begin = end
    assert next(attempts, None) is None
    assert np.abs(found.actions).max() <= 1


@each([*TASKS, "linear-quadratic"])
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 5), st.floats(0.5, 1))
@settings(max_examples=5)
def test_from_the_same_seed_fewer_demonstrations_are_the_first_of_more(name, seed, n, extra, quality):
    few, many = record(name, n, seed, quality=quality), record(name, n + extra, seed, quality=quality)
    end = few.episode_ends[-1]
    assert few.actions.tobytes() == many.actions[:end].tobytes()
    assert few.observations.tobytes() == many.observations[:end].tobytes()
    assert np.array_equal(few.episode_ends, many.episode_ends[:n])
    assert few.n_attempts <= many.n_attempts


def test_a_second_call_with_the_same_generator_records_other_demonstrations():
    rng = np.random.default_rng(0)
    first, second = demonstrate(TASKS["reach"], 3, rng), demonstrate(TASKS["reach"], 3, rng)
    assert first.observations[0].tolist() != second.observations[0].tolist()


# --- how well they do -------------------------------------------------------------------------------------------------


@each([*TASKS, "linear-quadratic"])
def test_a_good_demonstrator_nearly_always_succeeds(name):
    """At least 9 of 10 attempts, also in the rare range; measured: all but one in a hundred."""
    for rare in (None, 1.0):
        assert record(name, 100, 3, rare=rare).rejected_share < 0.1


@each(["corridor", "stick", "linear-quadratic"])
def test_a_poor_demonstrator_succeeds_less_often(name):
    """The attempts of two qualities are compared by Fisher's exact test; a false alarm has probability 1e-6."""
    good, poor = (record(name, 60, 3, quality=quality) for quality in (1.0, 0.4))
    table = [[d.n_episodes, d.n_attempts - d.n_episodes] for d in (good, poor)]
    assert stats.fisher_exact(table, alternative="greater").pvalue < 1e-6


@each(TASKS)
def test_demonstrations_of_lower_quality_take_longer_and_vary_more(name):
    lengths = [np.diff(record(name, 60, 1, quality=q, rare=0.0).episode_ends, prepend=0) for q in (1.0, 0.5)]
    assert np.std(lengths[0]) < np.std(lengths[1])


def test_push_demonstrations_go_round_the_block_both_ways():
    """Each way in half of the episodes, by the sign of the first turn; false alarm below 1e-6."""
    found = record("push", 300, 2)
    begins = np.concatenate([[0], found.episode_ends[:-1]])
    first, later = (found.observations[begins + k, :2] for k in (0, 4))
    turned = first[:, 0] * later[:, 1] - first[:, 1] * later[:, 0] > 0
    assert stats.binomtest(int(turned.sum()), 300, 0.5).pvalue > 1e-6


# --- the law of the noise ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [1.0, 0.25])
def test_the_noise_of_demonstrations_is_an_ornstein_uhlenbeck_process_of_the_stated_scale(quality):
    """A plan that does nothing, in episodes that cannot fail: m_t - 0.7 m_(t-1) are independent normals.

    False alarm 2e-6: two exact tests (chi-square of the size, Fisher's z of the correlation with the step before).
    """
    scale, size = 0.02, 0.02 * (4 - 3 * quality)
    loose = LinearQuadratic(
        dynamics_matrix=[[1.0]],
        control_matrix=[[1.0]],
        state_cost=[[1.0]],
        action_cost=[[1.0]],
        horizon=60,
        start_range=0.01,
        tolerance=1e6,
    )
    found = demonstrate(
        loose.task,
        200,
        np.random.default_rng(1),
        quality=quality,
        script=Script(plan=lambda states, style: np.zeros((len(states), 1)), noise=scale),
    )
    noise = found.actions.reshape(200, 60)
    assert found.n_attempts == 200
    for memory, fits in ((0.7, True), (0.6, False)):
        shocks = np.diff(noise, axis=1) + (1 - memory) * noise[:, :-1]
        shocks = np.concatenate([noise[:, :1], shocks], axis=1)
        total = (shocks**2).sum() / size**2
        by_size = 2 * min(stats.chi2.cdf(total, shocks.size), stats.chi2.sf(total, shocks.size))
        pairs = np.corrcoef(shocks[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
        by_memory = 2 * stats.norm.sf(abs(np.arctanh(pairs)) * np.sqrt(shocks[:, 1:].size - 3))
        assert (min(by_size, by_memory) > 1e-6) == fits


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_script_that_hardly_ever_succeeds_is_an_error():
    asleep = Script(plan=lambda states, style: np.zeros((len(states), 2)), noise=0.01)
    with pytest.raises(RuntimeError, match=r"reach: only 0 of 400 attempts succeeded at quality 1; 1 are needed"):
        demonstrate(TASKS["reach"], 1, np.random.default_rng(0), script=asleep)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"task": "reach"}, TypeError, "task must be of type Task; got str"),
        (
            {"task": LQ.task},
            ValueError,
            "script must be given for the task 'linear-quadratic'; there are scripts for: reach, corridor, lift, push, stick",
        ),
        ({"n_episodes": 0}, ValueError, "n_episodes must be at least 1; got 0"),
        ({"rng": 3}, TypeError, "rng must be a numpy.random.Generator; got int"),
        ({"quality": 1.5}, ValueError, "quality must be at most 1.0; got 1.5"),
        ({"quality": float("nan")}, ValueError, "quality must be finite; got nan"),
        ({"rare": -1.0}, ValueError, "rare must be at least 0.0; got -1.0"),
        ({"script": 3}, TypeError, "script must be of type Script; got int"),
    ],
)
def test_demonstrate_refuses_arguments_out_of_range(change, kind, message):
    with pytest.raises(kind, match=message):
        demonstrate(**{"task": TASKS["reach"], "n_episodes": 2, "rng": np.random.default_rng(0), **change})


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (
            lambda states, style: np.zeros((len(states), 1)),
            r"the script's actions must have shape \(8, 2\); got \(8, 1\)",
        ),
        (lambda states, style: np.full((len(states), 2), np.nan), "the script's actions must be finite"),
    ],
)
def test_a_scripts_actions_of_another_shape_or_not_finite_are_refused(plan, message):
    """One column would silently be broadcast to both entries of an action."""
    with pytest.raises(ValueError, match=message):
        demonstrate(TASKS["reach"], 1, np.random.default_rng(0), script=Script(plan=plan, noise=0.0))


def test_scripts_and_demonstrations_refuse_negative_noise_and_too_few_attempts():
    with pytest.raises(ValueError, match=r"noise must be at least 0\.0; got -1"):
        replace(SCRIPTS["reach"], noise=-1)
    with pytest.raises(ValueError, match="n_attempts must be at least 2; got 1"):
        ScriptedDemonstrations(np.zeros((3, 1)), np.zeros((3, 1)), np.array([1, 3]), n_attempts=1)
