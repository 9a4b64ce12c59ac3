"""DSRL: losses against finite differences, soft actor-critic on known optima, and the latents that are played."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from continuous.demonstrations import Scale
from continuous.dsrl import DSRL, finetune_dsrl
from continuous.evaluation import evaluate
from continuous.finetuning import roll_out, with_clock
from continuous.linear_quadratic import double_integrator
from continuous.tasks import TASKS


def seed(number=0):
    return np.random.SeedSequence(number)


# --- known optima -----------------------------------------------------------------------------------------------------


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


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"bound": 0.0}, ValueError, "bound must be above 0"),
        ({"discount": 1.5}, ValueError, "discount must be at most 1"),
        ({"target_rate": 0.0}, ValueError, "target_rate must be above 0"),
        ({"entropy_per_entry": 0.7}, ValueError, "entropy_per_entry must be below 0.69"),
        ({"random_episodes": 0}, ValueError, "random_episodes must be at least 1"),
        ({"rounds": -1}, ValueError, "rounds must be at least 0"),
        ({"updates": 1.5}, TypeError, "updates must be an integer"),
    ],
)
def test_dsrl_settings_out_of_range_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        DSRL(**change)
