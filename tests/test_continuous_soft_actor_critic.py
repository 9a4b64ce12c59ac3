"""Soft actor-critic: losses against finite differences, targets over several decisions, known optima, its watch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles_continuous import slope
from scipy import stats

from continuous.finetuning import Experience
from continuous.kernels import learning
from continuous.networks import Network
from continuous.soft_actor_critic import SoftActorCritic, SoftUpdates

N, WIDTH, D = 5, 3, 2
ACTOR, CRITIC = Network((WIDTH, 7, 2 * D)), Network((WIDTH + D, 6, 1))


# --- the losses as written --------------------------------------------------------------------------------------------


def squashed(heads, noise):
    """Actions and log-densities by change of variables."""
    mean, log_deviation = heads[:, :D], np.clip(heads[:, D:], -5, 2)
    a = mean + np.exp(log_deviation) * noise
    bend = np.log(4) - 2 * np.logaddexp(a, -a)  # 1 - tanh(a)^2 = 4 / (e^a + e^-a)^2, without its cancellation
    density = stats.norm.logpdf(a, mean, np.exp(log_deviation)) - bend
    return np.tanh(a), density.sum(axis=1)


def smaller(critics, x, u):
    return np.minimum(*(CRITIC.forward(c, np.column_stack([x, u]))[:, 0] for c in critics))


def actor_loss(actor, critics, x, noise, heat):
    u, density = squashed(ACTOR.forward(actor, x), noise)
    return float((heat * density - smaller(critics, x, u)).mean())


def case(number):
    rng = np.random.default_rng(number)
    actor = rng.normal(size=ACTOR.n_parameters)
    critics = rng.normal(size=(2, CRITIC.n_parameters))
    return actor, critics, rng.normal(size=(N, WIDTH)), rng.normal(size=(N, D)), rng


def test_the_gradient_of_the_actors_loss_matches_finite_differences():
    for number in range(4):
        actor, critics, x, noise, _ = case(number)
        found = np.empty_like(actor)
        loss, density = learning.sac_actor_gradient(actor, ACTOR.widths, critics, CRITIC.widths, x, noise, 0.3, found)
        assert loss == pytest.approx(actor_loss(actor, critics, x, noise, 0.3), rel=1e-9)
        assert density == pytest.approx(squashed(ACTOR.forward(actor, x), noise)[1].mean(), rel=1e-9)
        truth = slope(lambda a: actor_loss(a, critics, x, noise, 0.3), actor)  # noqa: B023
        assert_allclose(found, truth, rtol=1e-5, atol=1e-7)


def test_an_actors_log_deviation_beyond_its_bounds_is_clipped_and_has_no_gradient():
    heads, noise = np.array([[0.1, 0.2, 3.0, -9.0]]), np.array([[0.5, -0.5]])
    actions, density, upstream = np.empty((1, 2)), np.empty(1), np.empty((1, 4))
    learning.squash(heads, noise, actions, density)
    assert_allclose(actions, np.tanh([[0.1 + 0.5 * np.exp(2), 0.2 - 0.5 * np.exp(-5)]]))
    learning.squash_gradient(heads, noise, actions, 0.7, np.ones((1, 2)), upstream)
    assert_array_equal(upstream[0, 2:], 0)
    assert (upstream[0, :2] != 0).all()


def test_the_log_density_of_a_squashed_action_is_right_far_in_the_tail():
    heads, actions, density = np.array([[40.0, -40.0, 0.0, 0.0]]), np.empty((1, 2)), np.empty(1)
    learning.squash(heads, np.zeros((1, 2)), actions, density)
    assert density[0] == pytest.approx(2 * (stats.norm.logpdf(0) - (np.log(4) - 80)), rel=1e-12)


def test_the_gradient_of_the_critics_loss_is_that_of_the_squared_distance_to_the_soft_target():
    actor, critics, x, noise, rng = case(5)
    r, keep, u = rng.normal(size=(N, 1)), np.array([[0.9], [0.0], [0.9], [0.9], [0.0]]), rng.uniform(-1, 1, (N, D))
    target = np.empty((N, 1))
    learning.sac_targets(actor, ACTOR.widths, critics, CRITIC.widths, r, keep, x, noise, 0.3, target)
    fresh, density = squashed(ACTOR.forward(actor, x), noise)
    assert_allclose(target[:, 0], r[:, 0] + keep[:, 0] * (smaller(critics, x, fresh) - 0.3 * density))
    assert_allclose(target[keep == 0], r[keep == 0])
    inputs = np.column_stack([x, u])
    upstream = np.empty((N, 1))
    learning._loss(0, 0.0, CRITIC.forward(critics[0], inputs), target, np.empty((0, 1)), upstream)
    found, _ = CRITIC.gradient(critics[0], inputs, upstream)
    truth = slope(lambda c: float(((CRITIC.forward(c, inputs) - target) ** 2).mean()), critics[0])
    assert_allclose(found, truth, rtol=1e-5, atol=1e-7)


def test_the_temperatures_gradient_is_that_of_its_loss_and_raises_it_where_entropy_is_low():
    loss = lambda L: -L[0] * (1.3 - 2.0)  # noqa: E731
    assert learning.sac_temperature_slope(1.3, -2.0) == pytest.approx(slope(loss, [0.4])[0])
    assert learning.sac_temperature_slope(3.0, -2.0) < 0  # entropy -3 below its target -2: the logarithm goes up


def test_a_sac_update_steps_critics_then_actor_then_temperature():
    """With Adam's addend set to 1, a first step is rate * g / (|g| + 1): it depends on the size of the gradient."""
    actor, critics, x, _, rng = case(6)
    followers = rng.normal(size=critics.shape)
    y, u = rng.normal(size=(N, WIDTH)), rng.uniform(-1, 1, (N, D))
    r, keep, noise = rng.normal(size=(N, 1)), np.full((N, 1), 0.9), rng.normal(size=(1, 2, N, D))
    temperature, losses = np.array([np.log(0.3), 0.0, 0.0]), np.empty((1, 3))
    rate, options = 0.1, np.array([0.9, 0.999, 1.0, 0.75, np.inf])

    def moved(parameters, gradient):
        return parameters - rate * np.asarray(gradient) / (np.abs(gradient) + 1)

    fresh, density = squashed(ACTOR.forward(actor, y), noise[0, 0])
    target = r[:, 0] + 0.9 * (smaller(followers, y, fresh) - 0.3 * density)
    inputs = np.column_stack([x, u])
    error = lambda c: float(((CRITIC.forward(c, inputs)[:, 0] - target) ** 2).mean())  # noqa: E731
    new_critics = np.stack([moved(c, slope(error, c)) for c in critics])
    new_actor = moved(actor, slope(lambda a: actor_loss(a, new_critics, x, noise[0, 1], 0.3), actor))
    entropy = -squashed(ACTOR.forward(actor, x), noise[0, 1])[1].mean()
    new_heat = moved(np.log(0.3), entropy + 1.5)
    new_followers = followers + 0.25 * (new_critics - followers)

    first, second, moments = np.zeros_like(critics), np.zeros_like(critics), np.zeros((2, actor.size))
    expected = [0.5 * sum(error(c) for c in critics), actor_loss(actor, new_critics, x, noise[0, 1], 0.3), -entropy]
    average = np.zeros_like(actor)
    learning.train_sac(
        actor, moments, average, ACTOR.widths, critics, first, second, followers, CRITIC.widths, temperature, x, u, r,
        keep, y, np.full(N, -1), np.zeros(N), np.arange(N)[None], noise, -1.5, 0, rate, options, 0.8, losses,
    )  # fmt: skip
    assert_allclose(critics, new_critics, rtol=1e-5)
    assert_allclose(followers, new_followers, rtol=1e-5)
    assert_allclose(actor, new_actor, rtol=1e-5, atol=1e-6)
    assert_allclose(average, 0.2 * actor, rtol=1e-10)
    assert temperature[0] == pytest.approx(new_heat, rel=1e-6)
    assert_allclose(losses[0], expected, rtol=1e-7)


# --- known optima -----------------------------------------------------------------------------------------------------


@pytest.mark.compiled
def test_soft_actor_critic_solves_a_bandit():
    """Reward 1 - |u - c|^2 / 2 with c by the sign of the observation: at most 1; random actions get 0.3 on average."""
    rng = np.random.default_rng(7)
    x = np.where(rng.random((1500, 1)) < 0.5, -1.0, 1.0).astype(np.float32)
    u = rng.uniform(-1, 1, (1500, 2)).astype(np.float32)
    best = lambda x: x * np.array([0.6, -0.4])  # noqa: E731
    reward = lambda x, u: 1 - ((u - best(x)) ** 2).sum(axis=1) / 2  # noqa: E731
    table = Experience(
        inputs=x,
        choices=u,
        rewards=reward(x, u)[:, None].astype(np.float32),
        next_inputs=x,
        ended=np.ones((1500, 1), np.bool_),
        episodes=np.arange(1500),
    )
    agent = SoftActorCritic(1, 2, SoftUpdates(hidden=(32, 32), batch=64, rate=2e-3, entropy_per_entry=-2.0), rng)
    agent.train(table, 1500)
    inputs = x[:200]
    assert reward(inputs, u[:200]).mean() < 0.8
    assert reward(inputs, agent.draw(inputs, None)).mean() > 0.95
    assert reward(inputs, agent.draw(inputs, np.random.default_rng(8))).mean() > 0.95


def test_soft_actor_critic_that_diverges_is_an_error():
    rng = np.random.default_rng(18)
    x = np.ones((4, 1), np.float32)
    table = Experience(
        inputs=x,
        choices=x,
        rewards=1e30 * x,
        next_inputs=x,
        ended=np.ones((4, 1), np.bool_),
        episodes=np.arange(4),
    )
    with pytest.raises(FloatingPointError, match="diverged"), np.errstate(all="ignore"):
        SoftActorCritic(1, 1, SoftUpdates(hidden=(4,), batch=4), rng).train(table, 5)
