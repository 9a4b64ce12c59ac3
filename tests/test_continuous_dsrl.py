"""DSRL: a task with a known optimum, the latents that are played and remembered, and what is evaluated."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from continuous import dsrl
from continuous.demonstrations import Scale
from continuous.dsrl import DSRL, finetune_dsrl
from continuous.evaluation import evaluate
from continuous.finetuning import Watched, network_inputs, roll_out, with_clock
from continuous.linear_quadratic import double_integrator
from continuous.tasks import TASKS


def seed(number=0):
    return np.random.SeedSequence(number)


# --- a known optimum ---------------------------------------------------------------------------------------------------


class Direct:
    """A stand-in for a pretrained policy: the latent, over the bound, is the chunk."""

    def __init__(self, observation_dim, action_dim, chunk=1, bound=1.5):
        self.observation_scale = Scale(np.zeros(observation_dim), np.ones(observation_dim))
        self.chunk_size, self._shape, self._bound = chunk * action_dim, (chunk, action_dim), bound
        self.latents = []

    def act(self, observations, rng):
        return np.zeros((len(observations), *self._shape))

    def decode(self, observations, latents):
        self.latents.append(np.array(latents))
        return (np.asarray(latents) / self._bound).reshape(-1, *self._shape)


@pytest.mark.compiled
@pytest.mark.slow
def test_dsrl_solves_the_linear_quadratic_task_to_within_five_percent():
    task = double_integrator(12)
    settings = DSRL(
        discount=1.0, random_episodes=200, rounds=40, updates=500, rate=1e-3, entropy_per_entry=-2.0, evaluate_every=40,
        hidden=(64, 64), evaluation_episodes=400,
    )  # fmt: skip
    found = finetune_dsrl(task.task, Direct(5, 2), settings, seed(9), seed(10))
    best = evaluate(task.task, task.act, 400, seed(10)).returns.mean()
    assert found.evaluations[0].returns.mean() < 1.25 * best  # doing nothing costs a quarter more at least
    assert found.evaluations[-1].returns.mean() > 1.05 * best


# --- what is drawn, played and counted --------------------------------------------------------------------------------

SHORT = DSRL(
    random_episodes=3, rounds=2, episodes=2, updates=2, batch=4, hidden=(4,), evaluate_every=1, evaluation_episodes=2
)


def test_each_latent_that_dsrl_plays_is_bounded_and_denoised_once():
    """Chunks of 7 in a horizon of 60: no episode of this policy asks for more than 9."""
    policy = Direct(6, 2, chunk=7, bound=0.4)
    found = finetune_dsrl(TASKS["reach"], policy, replace(SHORT, bound=0.4), seed(11), seed(12))
    latents = np.concatenate(policy.latents)
    assert np.abs(latents).max() <= 0.4
    assert (np.abs(latents[: 3 * 9]) == 0.4).any()  # standard normal ones are cut where they are drawn
    asked = sum(e.decisions for e in found.evaluations[1:])
    assert asked + 7 <= len(latents) <= asked + 7 * 9

    policy.latents.clear()
    table, played = roll_out(with_clock(TASKS["reach"]), policy.observation_scale, chooser(policy), 4, seed(13))
    assert sum(map(len, policy.latents)) == played.decisions == len(table.choices)
    assert_allclose(np.concatenate(policy.latents) / 0.4, table.choices, rtol=1e-6)


def chooser(policy):
    def choose(observations, rng):
        latents = rng.uniform(-0.4, 0.4, (len(observations), policy.chunk_size))
        return latents / 0.4, policy.decode(observations[:, :-1], latents)

    return choose


def remembered(monkeypatch, settings, bound=0.4):
    """Run DSRL; the choices it remembered and the latents that its own episodes played, in the order of time."""
    policy, choices, latents = Direct(6, 2, chunk=7, bound=bound), [], []

    def spied(*given):
        policy.latents.clear()
        table, played = roll_out(*given)
        choices.append(table.choices)
        latents.append(np.concatenate(policy.latents))
        return table, played

    monkeypatch.setattr(dsrl, "roll_out", spied)
    found = finetune_dsrl(TASKS["reach"], policy, settings, seed(14), seed(15))
    return found, np.concatenate(choices), np.concatenate(latents)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"steered": 3},
        {"steered": 3, "rest": "zero"},
        {"steered": 3, "scales_rest": True},
        {"steered": 0, "scales_rest": True},
        {"steered": 3, "return_decisions": 4, "correction": "retrace", "averaging": 0.9},
    ],
)
def test_what_dsrl_remembers_is_what_it_played(monkeypatch, options):
    found, choices, latents = remembered(monkeypatch, replace(SHORT, bound=0.4, **options))
    steering = found.policy.steering
    assert choices.shape == (len(latents), steering.n_choices)
    basis = np.eye(14) if steering.basis is None else steering.basis
    assert basis.shape == (14, options.get("steered", 14))
    chosen = choices[:, 1:] if options.get("scales_rest") else choices
    assert_allclose(latents @ basis, 0.4 * chosen, atol=1e-6)
    outside = latents - latents @ basis @ basis.T
    assert (np.abs(outside).max() > 1e-3) == ("steered" in options and options.get("rest") != "zero")
    assert np.linalg.norm(latents, axis=1).max() < 0.4 * np.sqrt(14) + 3 * np.sqrt(14)


def test_the_subspace_is_determined_by_the_seed():
    bases = [
        finetune_dsrl(TASKS["reach"], Direct(6, 2, chunk=2), replace(SHORT, steered=2), seed(k), seed(15))
        for k in (14, 14, 16)
    ]
    first, again, other = (run.policy.steering.basis for run in bases)
    assert_array_equal(first, again)
    assert (first != other).any()


def test_evaluating_the_draws_adds_a_curve_and_changes_nothing():
    policy = Direct(6, 2, chunk=2)
    plain, both = (
        finetune_dsrl(TASKS["reach"], policy, replace(SHORT, evaluate_draws=more), seed(17), seed(18))
        for more in (False, True)
    )
    assert plain.draws == ()
    assert plain.drawn_success.shape == (0,)
    assert_array_equal(both.success, plain.success)
    assert_array_equal(both.environment_steps, plain.environment_steps)
    assert_array_equal(both.policy.agent.actor, plain.policy.agent.actor)
    assert both.drawn_success.shape == both.success.shape
    assert both.draws[0] is both.evaluations[0]
    again = evaluate(with_clock(TASKS["reach"]), both.policy.draw, 2, seed(18))
    assert_array_equal(both.draws[-1].lengths, again.lengths)
    assert_array_equal(both.draws[-1].starts, both.evaluations[-1].starts)


def test_an_averaged_actor_is_evaluated_and_returned_and_plays_no_episode(monkeypatch):
    last, choices, _ = remembered(monkeypatch, replace(SHORT, bound=0.4))
    averaged, same, _ = remembered(monkeypatch, replace(SHORT, bound=0.4, averaging=0.9))
    assert_array_equal(choices, same)
    assert_array_equal(last.policy.agent.actor, averaged.policy.agent.actor)
    timed = with_clock(TASKS["reach"])
    rows, rng = timed.observe(timed.reset(np.random.default_rng(19), 3)), np.random.default_rng(20)
    middle = averaged.policy.agent.draw(network_inputs(Direct(6, 2).observation_scale, rows), None)
    assert (averaged.policy.act(rows, rng).reshape(3, -1) != middle).any()


def test_critics_beyond_every_return_are_said():
    found = finetune_dsrl(TASKS["reach"], Direct(6, 2, chunk=2), SHORT, seed(21), seed(22))
    assert len(found.watched) == len(found.evaluations) - 1
    for watched in found.watched:
        assert watched.largest_return == 1.0  # rewards for success, seen or not
        assert watched.temperature > 0
    calm, wild = (Watched(mean_value=mean, largest_return=1.0) for mean in (0.99, 1.01))
    assert not replace(found, watched=(calm, calm)).diverged_critics
    assert replace(found, watched=(wild, calm)).diverged_critics  # also if they have come back


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"bound": 0.0}, ValueError, "bound must be above 0"),
        ({"discount": 1.5}, ValueError, "discount must be at most 1"),
        ({"random_episodes": 0}, ValueError, "random_episodes must be at least 1"),
        ({"rounds": -1}, ValueError, "rounds must be at least 0"),
        ({"updates": 1.5}, TypeError, "updates must be an integer"),
        ({"steered": 0}, ValueError, "steered must be at least 1"),
        ({"rest": "some", "steered": 1}, ValueError, "rest must be one of"),
        ({"scales_rest": True}, ValueError, "scales_rest needs steered and a drawn rest; got None and drawn"),
        ({"scales_rest": True, "steered": 0, "rest": "zero"}, ValueError, "scales_rest needs"),
        ({"evaluate_draws": 1}, TypeError, "evaluate_draws must be of type bool"),
    ],
)
def test_dsrl_settings_out_of_range_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        DSRL(**change)


def test_dsrl_refuses_to_steer_more_directions_than_a_latent_has():
    with pytest.raises(ValueError, match="steered must be at most 4; got 5"):
        finetune_dsrl(TASKS["reach"], Direct(6, 2, chunk=2), replace(SHORT, steered=5), seed(24), seed(25))
