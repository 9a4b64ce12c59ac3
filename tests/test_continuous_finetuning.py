"""What the three finetuners share: costs in steps of the environment, the first checkpoint, the seed, and recorded decisions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from continuous.best_of_n import BestOfN, finetune_best_of_n
from continuous.cloning import clone
from continuous.curves import area_under_curve, mean_of_last
from continuous.demonstrations import Demonstrations, Scale
from continuous.dppo import DPPO, finetune_dppo
from continuous.dsrl import DSRL, finetune_dsrl
from continuous.evaluation import evaluate
from continuous.finetuning import roll_out, with_clock
from continuous.linear_quadratic import LinearQuadratic
from continuous.tasks import TASKS
from continuous.training import Training

DSRL_SHORT = DSRL(
    random_episodes=3, rounds=2, episodes=2, updates=2, batch=4, hidden=(4,), evaluate_every=1, evaluation_episodes=2
)
BEST_SHORT = BestOfN(rollouts=(3, 5, 7), candidates=(2,), updates=2, batch=4, hidden=(4,), evaluation_episodes=2)
DPPO_SHORT = DPPO(iterations=2, episodes=3, epochs=1, batch=16, hidden=(4,), evaluate_every=1, evaluation_episodes=2)

FINETUNERS = {
    "DSRL": (lambda *given: finetune_dsrl(given[0], given[1], DSRL_SHORT, *given[2:]), [0, 5, 7]),
    "Best-of-N": (lambda *given: finetune_best_of_n(given[0], given[1], BEST_SHORT, *given[2:])[0], [0, 3, 5, 7]),
    "DPPO": (lambda *given: finetune_dppo(given[0], given[1], DPPO_SHORT, *given[2:]), [0, 3, 6]),
}
each = pytest.mark.parametrize("name", FINETUNERS)


def seed(number):
    return np.random.SeedSequence(number)


def cloned(chunk=7):
    """A barely trained policy for the corridor; its chunks of 7 do not divide the horizon of 60."""
    rng = np.random.default_rng(1)
    shown = Demonstrations(rng.normal(size=(40, 3)), rng.uniform(-0.4, 0.8, size=(40, 2)), np.array([20, 40]))
    return clone(shown, chunk, seed(2), hidden=(6,), training=Training(n_steps=5, batch=8))


def counted(task):
    """The task, and a list of the steps that running episodes made in it."""
    steps = []

    def advance(states, actions, horizon, out, rewards):
        steps.append(int((states[:, 0] == 0).sum()))
        task.advance(states, actions, horizon, out, rewards)

    return replace(task, advance=advance), steps


@each
def test_a_finetuners_cost_is_the_environments_steps_without_those_of_evaluations(name):
    finetune, episodes = FINETUNERS[name]
    task, steps = counted(TASKS["corridor"])
    found = finetune(task, cloned(), seed(3), seed(4))
    assert found.environment_steps[-1] == sum(steps) - sum(e.environment_steps for e in found.evaluations)
    assert_array_equal(found.episodes, episodes)
    assert (np.diff(found.environment_steps) > 0).all()


@each
def test_a_finetuners_curve_begins_with_the_pretrained_policy_and_is_determined_by_the_seed(name):
    finetune, episodes = FINETUNERS[name]
    task, policy = TASKS["corridor"], cloned(2)
    before = policy.denoiser.parameters.copy()
    one, two, other = (finetune(task, policy, seed(k), seed(6)) for k in (5, 5, 7))
    own = evaluate(task, policy, 2, seed(6))
    for run in (one, two, other):
        assert_array_equal(run.evaluations[0].success, own.success)
        assert_array_equal(run.evaluations[0].lengths, own.lengths)
        assert run.environment_steps[0] == 0
        assert run.success.shape == (len(episodes),)
        assert len(run.watched) == len(episodes) - 1
        assert np.isfinite([watched.mean_value for watched in run.watched]).all()
        assert [watched.largest_return for watched in run.watched] == [1.0] * len(run.watched)
        for e in run.evaluations:
            assert_array_equal(e.starts, own.starts)
    assert_array_equal(one.environment_steps, two.environment_steps)
    again = [evaluate(with_clock(task), run.policy, 3, seed(8)) for run in (one, two, other)]
    assert_array_equal(again[0].lengths, again[1].lengths)
    assert (one.environment_steps != other.environment_steps).any()
    assert_array_equal(policy.denoiser.parameters, before)


class Idle:
    """Chooses small moves of one entry at random."""

    observation_scale = Scale(np.zeros(2), np.ones(2))

    def choose(self, seen, rng):
        moves = rng.uniform(-0.2, 0.2, (len(seen), 1))
        return moves, moves[:, None]


def test_recorded_experience_matches_the_dynamics():
    """x' = x + u: the next input, the reward and the clock follow from what was chosen."""
    line = LinearQuadratic(
        dynamics_matrix=[[1.0]],
        control_matrix=[[1.0]],
        state_cost=[[1.0]],
        action_cost=[[1.0]],
        horizon=4,
        start_range=0.3,
    )
    table, played = roll_out(with_clock(line.task), Idle.observation_scale, Idle().choose, 3, seed(9))
    assert len(table.rewards) == 12 == played.environment_steps
    x, u, after = table.inputs[:, 0], table.choices[:, 0], table.next_inputs[:, 0]
    assert_allclose(after, x + u, atol=1e-6)
    assert_allclose(table.rewards[:, 0], -(after**2) - u**2, atol=1e-6)
    assert_allclose(table.inputs[:, -1], np.repeat([1.0, 0.5, 0.0, -0.5], 3))
    assert_array_equal(table.ended[:, 0], np.repeat([False, False, False, True], 3))
    assert_allclose(table.keeps(0.9)[:, 0], np.repeat([0.9, 0.9, 0.9, 0.0], 3), rtol=1e-6)
    assert_array_equal((table + table).episodes, np.concatenate([table.episodes, table.episodes + 3]))
    assert_allclose(played.returns, [table.rewards[table.episodes == e].sum() for e in range(3)], rtol=1e-5)


def test_with_clock_adds_the_time_left_to_the_observation_and_changes_nothing_else():
    task = TASKS["stick"]
    timed = with_clock(task)
    states = task.reset(np.random.default_rng(10), 4)
    assert_array_equal(timed.observe(states)[:, :-1], task.observe(states))
    assert_array_equal(timed.observe(states)[:, -1], 1.0)
    states[:, 1] = task.horizon
    assert_array_equal(timed.observe(states)[:, -1], 0.0)
    moved = task.step(states, np.zeros((4, 2)))
    assert_array_equal(timed.step(states, np.zeros((4, 2))).states, moved.states)
    with pytest.raises(TypeError, match="task must be of type Task"):
        with_clock("stick")


# --- what is said of a learning curve ---------------------------------------------------------------------------------

curves = st.lists(st.floats(0, 1), min_size=2, max_size=6)


def test_the_mean_of_the_last_checkpoints_leaves_out_the_pretrained_policy():
    assert mean_of_last([0.9, 0.1, 0.2, 0.6]) == pytest.approx(0.3)
    assert mean_of_last([0.9, 0.1, 0.2, 0.6], 1) == 0.6
    assert_allclose(mean_of_last([[0.0, 0.2, 0.4], [1.0, 0.0, 0.5]], 2), [0.3, 0.25])
    with pytest.raises(ValueError, match="n must be at most 2; got 3"):
        mean_of_last([0.9, 0.1, 0.2])


@given(success=curves, data=st.data())
def test_the_area_under_a_curve_is_its_mean_height_over_the_steps(success, data):
    gaps = data.draw(st.lists(st.integers(1, 50), min_size=len(success) - 1, max_size=len(success) - 1))
    steps = np.concatenate([[0], np.cumsum(gaps)])
    area = area_under_curve(steps, success)
    fine = np.arange(0, steps[-1], 0.5) + 0.25  # the middle of each half step, all of them on one straight piece
    assert area == pytest.approx(np.interp(fine, steps, success).mean(), abs=1e-12)
    assert area_under_curve(7 * steps, success) == pytest.approx(area)
    assert min(success) - 1e-12 <= area <= max(success) + 1e-12
    both = area_under_curve(np.stack([steps, steps]), np.stack([success, np.ones(len(success))]))
    assert_allclose(both, [area, 1.0])


@pytest.mark.parametrize("steps", [[0, 5, 5], [0, 1], [0, 2, 1]])
def test_a_curve_needs_a_success_rate_at_each_of_increasing_steps(steps):
    with pytest.raises(ValueError, match="environment_steps must increase and match success"):
        area_under_curve(steps, [0.1, 0.2, 0.3])
