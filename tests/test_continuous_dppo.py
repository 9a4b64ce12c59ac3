"""DPPO: the objective by finite differences, advantages, and which denoising steps learn."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles_continuous import slope

from continuous.cloning import clone
from continuous.demonstrations import Demonstrations
from continuous.dppo import (
    DPPO,
    DenoisingPolicy,
    ProximalLearner,
    finetune_dppo,
    inner_steps,
)
from continuous.evaluation import evaluate
from continuous.finetuning import Experience, roll_out, with_clock
from continuous.kernels import learning
from continuous.linear_quadratic import LinearQuadratic
from continuous.networks import Network
from continuous.tasks import TASKS
from continuous.training import Training

R, WIDTH, D = 6, 4, 2
NETWORK = Network((WIDTH, 7, D))
SHORT = DPPO(iterations=2, episodes=3, epochs=2, batch=16, hidden=(4,), evaluate_every=1, evaluation_episodes=2)


def steps_of(number):
    """Some inner steps, parameters and advantages of both signs."""
    rng = np.random.default_rng(number)
    table = [rng.normal(size=(R, WIDTH)), rng.normal(size=(R, D)), rng.normal(size=(R, D))]
    table += [rng.normal(size=R), rng.uniform(0.8, 1.5, R)]
    return rng.normal(size=NETWORK.n_parameters), table, rng.normal(size=R), rng


def log_densities(parameters, table):
    x, offsets, nexts, slopes, deviations = table
    z = (nexts - offsets - slopes[:, None] * NETWORK.forward(parameters, x)) / deviations[:, None]
    return (-0.5 * z**2 - np.log(deviations)[:, None] - 0.5 * np.log(2 * np.pi)).sum(axis=1)


def test_the_gradient_of_the_clipped_objective_matches_finite_differences():
    clipped_once = False
    for number in range(5):
        parameters, table, gain, rng = steps_of(number)
        old = log_densities(parameters, table) + rng.uniform(-0.4, 0.4, R)

        def loss(p):
            ratio = np.exp(log_densities(p, table) - old)  # noqa: B023
            return -float(np.minimum(ratio * gain, np.clip(ratio, 0.8, 1.2) * gain).mean())  # noqa: B023

        found = np.empty_like(parameters)
        value, ratio, share = learning.ppo_gradient(parameters, NETWORK.widths, *table, old, gain, 0.2, found)
        here = np.exp(log_densities(parameters, table) - old)
        stopped = ((gain > 0) & (here > 1.2)) | ((gain < 0) & (here < 0.8))
        assert value == pytest.approx(loss(parameters), rel=1e-9)
        assert ratio == pytest.approx(here.mean(), rel=1e-9)
        assert share == pytest.approx(stopped.mean())
        assert_allclose(found, slope(loss, parameters), rtol=1e-5, atol=1e-7)
        clipped_once = clipped_once or bool(stopped.any())
    assert clipped_once


def test_at_ratio_one_the_gradient_of_the_clipped_objective_is_the_policy_gradient():
    parameters, table, gain, _ = steps_of(6)
    old, found = np.empty(R), np.empty_like(parameters)
    learning.step_log_densities(parameters, NETWORK.widths, *table, old)
    assert_allclose(old, log_densities(parameters, table), rtol=1e-10)
    _, ratio, share = learning.ppo_gradient(parameters, NETWORK.widths, *table, old, gain, 0.1, found)
    assert ratio == pytest.approx(1.0, abs=1e-12)
    assert share == 0
    truth = slope(lambda p: -float((gain * log_densities(p, table)).mean()), parameters)
    assert_allclose(found, truth, rtol=1e-5, atol=1e-7)


def test_ppo_training_is_adam_on_the_clipped_objective():
    parameters, table, gain, _ = steps_of(7)
    old = log_densities(parameters, table)
    rows, rate, losses = np.array([[3, 1, 1, 5]]), 0.1, np.empty((1, 3))
    expected, truth = parameters.copy(), np.empty_like(parameters)
    picked = [column[rows[0]] for column in (*table, old, gain)]
    learning.ppo_gradient(parameters, NETWORK.widths, *picked, 0.1, truth)
    expected -= rate * truth / (np.abs(truth) + 1)
    scalars = np.column_stack([*table[3:], old, gain])
    first, second = np.zeros((2, parameters.size))
    options = np.array([0.9, 0.999, 1.0, 0.0, np.inf])
    learning.train_ppo(
        parameters, first, second, NETWORK.widths, *table[:3], scalars, rows, 0.1, 0, rate, options, losses
    )
    assert_allclose(parameters, expected, rtol=1e-10)


# --- on a cloned policy -----------------------------------------------------------------------------------------------


def cloned(path="diffusion", observation_dim=3, **options):
    rng = np.random.default_rng(9)
    shown = Demonstrations(rng.normal(size=(20, observation_dim)), rng.uniform(-1, 1, size=(20, 2)), np.array([8, 20]))
    training = Training(n_steps=5, batch=8)
    return clone(shown, 2, np.random.SeedSequence(10), path=path, hidden=(6,), training=training, **options)


@pytest.mark.parametrize("path", ["diffusion", "flow"])
@pytest.mark.parametrize("with_residual", [False, True])
def test_inner_steps_have_the_density_of_their_chain(path, with_residual):
    policy, rng, K = cloned(path, with_residual=with_residual), np.random.default_rng(11), 3
    seen = rng.normal(size=(4, 3))
    chain = policy.chain(seen, rng, floor=0.1)
    truth = policy.chain_log_likelihood(seen, chain, floor=0.1)[-K:]
    last = chain[-K - 1 :].transpose(1, 0, 2)
    steps = inner_steps(policy, policy.observation_scale.apply(seen), last, 0.1)
    found = steps.log_densities(policy.denoiser.network, policy.denoiser.parameters)
    assert_allclose(found.reshape(4, K).T, truth, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("path", ["diffusion", "flow"])
def test_the_first_denoising_steps_stay_those_of_the_pretrained_policy(path):
    policy, K = cloned(path), 3
    other = replace(policy, denoiser=replace(policy.denoiser, parameters=policy.denoiser.parameters + np.float32(0.1)))
    seen = np.random.default_rng(12).normal(size=(4, 3))
    clocked = np.column_stack([seen, np.ones(4)])
    pretrained = policy.chain(seen, np.random.default_rng(13), floor=0.1)
    same = DenoisingPolicy(policy, policy, K).chain(clocked, np.random.default_rng(13), 0.1)
    mixed = DenoisingPolicy(policy, other, K).chain(clocked, np.random.default_rng(13), 0.1)
    assert_array_equal(same, pretrained)
    assert_array_equal(mixed[: policy.n_steps + 1 - K], pretrained[: policy.n_steps + 1 - K])
    assert (mixed[policy.n_steps + 1 - K :] != pretrained[policy.n_steps + 1 - K :]).all()


def test_a_round_of_dppo_begins_with_ratio_one_and_leaves_the_pretrained_policy_unchanged():
    policy, settings = cloned(), replace(SHORT, batch=1000, epochs=3)
    before = policy.denoiser.parameters.copy()
    learner = ProximalLearner(policy, settings, np.random.default_rng(14))
    current = learner.policy

    def choose(observations, rng):
        chain = current.chain(observations, rng, settings.floor)
        return chain[-5:].transpose(1, 0, 2).reshape(len(observations), -1), policy.finished(chain[-1])

    table, _ = roll_out(with_clock(TASKS["corridor"]), policy.observation_scale, choose, 3, np.random.SeedSequence(15))
    losses = learner.train(table)
    assert losses.shape == (3, 3)
    assert losses[0, 1] == pytest.approx(1.0, abs=1e-5)
    assert losses[0, 2] == 0
    assert losses[1, 1] != losses[0, 1]
    assert_array_equal(policy.denoiser.parameters, before)
    assert (learner.parameters != before).any()
    assert_array_equal(current.last.denoiser.parameters, before)


def test_an_untrained_run_has_equal_first_and_last_points_if_both_draw_by_ancestral_steps():
    """At a rate of 1e-30 no parameter changes in single precision; without the option, the two samplers differ.

    Returns are costs of all actions, so policies that differ anywhere have different ones.
    """
    line = LinearQuadratic(
        dynamics_matrix=[[1.0]],
        control_matrix=[[0.5, 0.5]],
        state_cost=[[1.0]],
        action_cost=[[0.1, 0.0], [0.0, 0.1]],
        horizon=4,
        start_range=0.9,
    )
    policy = cloned(observation_dim=line.task.observation_dim)
    settings = replace(SHORT, rate=1e-30, evaluation_episodes=20)
    seeds = np.random.SeedSequence(23), np.random.SeedSequence(24)
    for sampler in ("ancestral", "deterministic"):
        found = finetune_dppo(line.task, policy, replace(settings, first_sampler=sampler), *seeds)
        first, last = found.evaluations[0], found.evaluations[-1]
        assert_array_equal(first.starts, last.starts)
        assert np.array_equal(first.returns, last.returns) == (sampler == "ancestral")
    none = finetune_dppo(line.task, policy, replace(settings, iterations=0, first_sampler="ancestral"), *seeds)
    assert_array_equal(none.evaluations[0].returns, last.returns)
    assert none.watched == ()


def test_v_beyond_every_return_is_said():
    learner = ProximalLearner(cloned(), SHORT, np.random.default_rng(25))
    rows = np.random.default_rng(26).normal(size=(6, 4)).astype(np.float32)
    table = Experience(
        inputs=rows,
        choices=rows,
        rewards=np.zeros((6, 1), np.float32),
        next_inputs=rows,
        ended=np.ones((6, 1), np.bool_),
        episodes=np.arange(6),
    )
    for level, diverged in ((0.9, False), (1.1, True)):
        learner._value.parameters[:] = 0.0
        learner._value.parameters[-1] = level
        watched = learner.watch(table)
        assert watched.mean_value == pytest.approx(level)
        assert (watched.largest_return, watched.diverged) == (1.0, diverged)
        assert np.isnan(watched.temperature)


@pytest.mark.slow
@pytest.mark.compiled
def test_dppo_reaches_the_optimum_of_a_one_step_task():
    """x' = x + u, cost x'^2 + u^2/100, so u = -x nearly; shown is noise around 0.

    Between the start's return and the best one, at least 95 % of the way is made, judged on 400 common starts.
    """
    line = LinearQuadratic(
        dynamics_matrix=[[1.0]],
        control_matrix=[[1.0]],
        state_cost=[[1.0]],
        action_cost=[[0.01]],
        horizon=1,
        start_range=0.9,
    )
    rng = np.random.default_rng(16)
    shown = Demonstrations(
        np.column_stack([rng.uniform(-0.9, 0.9, 200), np.ones(200)]), 0.4 * rng.normal(size=(200, 1)), np.arange(1, 201)
    )
    policy = clone(shown, 1, np.random.SeedSequence(17), hidden=(64, 64))
    settings = DPPO(
        iterations=60, episodes=200, rate=1e-3, clip=0.2, discount=1.0, evaluate_every=60, evaluation_episodes=400
    )
    found = finetune_dppo(line.task, policy, settings, np.random.SeedSequence(18), np.random.SeedSequence(19))
    start, end = (e.returns.mean() for e in (found.evaluations[0], found.evaluations[-1]))
    best = evaluate(line.task, line.act, 400, np.random.SeedSequence(19)).returns.mean()
    assert end - start > 0.95 * (best - start)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"iterations": -1}, ValueError, "iterations must be at least 0"),
        ({"learnt_steps": 0}, ValueError, "learnt_steps must be at least 1"),
        ({"clip": 1.0}, ValueError, "clip must be below 1"),
        ({"trace": 1.1}, ValueError, "trace must be at most 1"),
        ({"floor": 0.0}, ValueError, "floor must be above 0"),
        ({"first_sampler": "fresh"}, ValueError, "first_sampler must be one of"),
    ],
)
def test_dppo_settings_out_of_range_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        DPPO(**change)


def test_dppo_refuses_to_learn_more_denoising_steps_than_the_policy_has():
    seeds = np.random.SeedSequence(20), np.random.SeedSequence(21)
    with pytest.raises(ValueError, match="learnt_steps must be at most the policy's denoising steps, 8; got 9"):
        finetune_dppo(TASKS["corridor"], cloned(), replace(SHORT, learnt_steps=9), *seeds)


def test_ppo_that_diverges_is_an_error():
    policy = cloned()
    learner = ProximalLearner(policy, replace(SHORT, rate=1e30), np.random.default_rng(22))
    rows = np.zeros((20, 4), np.float32)
    table = Experience(
        inputs=rows,
        choices=np.ones((20, 20), np.float32),
        rewards=np.arange(20, dtype=np.float32)[:, None],
        next_inputs=rows,
        ended=np.ones((20, 1), np.bool_),
        episodes=np.arange(20),
    )
    with pytest.raises(FloatingPointError, match="diverged"), np.errstate(all="ignore"):
        [learner.train(table) for _ in range(5)]
