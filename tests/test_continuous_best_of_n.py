"""Best-of-N: IQL's losses by finite differences, its Q and V on a task solved exactly, and the choice of candidates."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles_continuous import slope

from continuous.best_of_n import BestOfN, Critic, SelectingPolicy, finetune_best_of_n, fit_critic
from continuous.demonstrations import Scale
from continuous.finetuning import Experience
from continuous.kernels import learning
from continuous.networks import Network
from continuous.tasks import TASKS

N, WIDTH, D = 5, 3, 2
VALUE, CRITIC = Network((WIDTH, 6, 1)), Network((WIDTH + D, 7, 1))


def value_loss(value, x, goals, expectile):
    gap = goals - VALUE.forward(value, x)[:, 0]
    return float((np.where(gap < 0, 1 - expectile, expectile) * gap**2).mean())


@pytest.mark.parametrize("expectile", [0.5, 0.7, 0.95])
def test_the_gradient_of_the_expectile_loss_matches_finite_differences(expectile):
    rng = np.random.default_rng(1)
    value, x, goals = rng.normal(size=VALUE.n_parameters), rng.normal(size=(N, WIDTH)), rng.normal(size=N)
    found = np.empty_like(value)
    loss = learning.expectile_gradient(value, VALUE.widths, x, goals, expectile, found)
    assert loss == pytest.approx(value_loss(value, x, goals, expectile), rel=1e-10)
    assert_allclose(found, slope(lambda v: value_loss(v, x, goals, expectile), value), rtol=1e-5, atol=1e-8)


def test_an_iql_update_moves_v_towards_the_smaller_target_q_and_then_both_q_towards_r_plus_v():
    """With Adam's addend set to 1, a first step is rate * g / (|g| + 1): it depends on the size of the gradient."""
    rng = np.random.default_rng(2)
    value, critics = rng.normal(size=VALUE.n_parameters), rng.normal(size=(2, CRITIC.n_parameters))
    followers = rng.normal(size=critics.shape)
    x, y, u = rng.normal(size=(N, WIDTH)), rng.normal(size=(N, WIDTH)), rng.normal(size=(N, D))
    r, keep = rng.normal(size=(N, 1)), np.array([[0.9], [0.0], [0.9], [0.0], [0.9]])
    rate, options, losses = 0.1, np.array([0.9, 0.999, 1.0, 0.75, np.inf]), np.empty((1, 2))

    def moved(parameters, gradient):
        return parameters - rate * np.asarray(gradient) / (np.abs(gradient) + 1)

    inputs = np.column_stack([x, u])
    goals = np.minimum(*(CRITIC.forward(f, inputs)[:, 0] for f in followers))
    new_value = moved(value, slope(lambda v: value_loss(v, x, goals, 0.7), value))
    target = r[:, 0] + keep[:, 0] * VALUE.forward(new_value, y)[:, 0]
    error = lambda c: float(((CRITIC.forward(c, inputs)[:, 0] - target) ** 2).mean())  # noqa: E731
    new_critics = np.stack([moved(c, slope(error, c)) for c in critics])
    new_followers = followers + 0.25 * (new_critics - followers)
    expected = [value_loss(value, x, goals, 0.7), 0.5 * sum(error(c) for c in critics)]
    moments, first, second = np.zeros((2, value.size)), np.zeros_like(critics), np.zeros_like(critics)
    learning.train_iql(
        value, moments, VALUE.widths, critics, first, second, followers, CRITIC.widths, x, u, r, keep, y,
        np.arange(N)[None], 0.7, 0, np.array([rate]), options, losses,
    )  # fmt: skip
    assert_allclose(value, new_value, rtol=1e-5)
    assert_allclose(critics, new_critics, rtol=1e-5)
    assert_allclose(followers, new_followers, rtol=1e-5)
    assert_allclose(losses[0], expected, rtol=1e-7)


# --- a task known exactly ---------------------------------------------------------------------------------------------

STATES = np.eye(3, dtype=np.float32)
MOVES = {  # state, action: next state (None ends), reward
    (0, -1.0): (None, 0.2), (0, 1.0): (1, 0.0),
    (1, -1.0): (0, 0.0), (1, 1.0): (2, 0.1),
    (2, -1.0): (None, 0.0), (2, 1.0): (None, 1.0),
}  # fmt: skip


def recorded():
    x, u, r, y, ended = [], [], [], [], []
    for (state, action), (after, reward) in MOVES.items():
        x.append(STATES[state])
        u.append([action])
        r.append([reward])
        y.append(STATES[0 if after is None else after])
        ended.append([after is None])
    columns = dict(zip(("inputs", "choices", "rewards", "next_inputs"), (x, u, r, y), strict=True))
    table = {name: np.array(column, np.float32) for name, column in columns.items()}
    return Experience(**table, ended=np.array(ended), episodes=np.zeros(6, np.int64))


def exact(expectile, discount):
    """V = expectile * better + (1 - expectile) * worse: the expectile of two values that are equally frequent."""
    V = [0.0, 0.0, 0.0]
    for _ in range(2000):
        Q = {at: reward + (0.0 if after is None else discount * V[after]) for at, (after, reward) in MOVES.items()}
        V = [
            expectile * max(Q[s, -1.0], Q[s, 1.0]) + (1 - expectile) * min(Q[s, -1.0], Q[s, 1.0]) for s in range(3)
        ]  # fmt: skip
    return Q, V


@pytest.mark.compiled
@pytest.mark.parametrize("expectile", [0.5, 0.9])
def test_iql_converges_to_the_exact_q_and_v_of_a_small_task(expectile):
    settings = BestOfN(
        expectile=expectile, discount=0.9, updates=6000, batch=48, hidden=(32, 32), rate=3e-3, target_rate=0.02
    )
    critic = fit_critic(recorded(), settings, np.random.default_rng(3))
    Q, V = exact(expectile, 0.9)
    assert_allclose(critic.values(STATES), V, atol=0.01)
    x, u = recorded().inputs, recorded().choices.astype(np.float64)
    assert_allclose(critic.action_values(x, u), list(Q.values()), atol=0.01)
    assert critic.losses[-1, 1] < 1e-3


# --- selection --------------------------------------------------------------------------------------------------------


class Dice:
    """Draws the actions -1, 0 and 1 with equal probability."""

    observation_scale = Scale(np.zeros(1), np.ones(1))
    chunk_size = 1

    def __init__(self):
        self.drawn = 0

    def act(self, observations, rng):
        self.drawn += len(observations)
        return rng.integers(-1, 2, (len(observations), 1, 1)).astype(float)


def linear(weights):
    """A critic whose Q is the sum of weights * (observation, clock, action)."""
    network = Network((3, 1))
    parameters = np.array([*weights, 0.0], np.float32)
    scale = Scale(np.zeros(1), np.ones(1))
    return Critic(
        value_network=Network((2, 1)),
        critic_network=network,
        value=np.zeros(3, np.float32),
        critics=np.stack([parameters] * 2),
        choice_scale=scale,
        losses=np.zeros((1, 2)),
    )


def test_the_candidate_of_highest_value_is_played():
    """Among 40 draws each of the three actions is missing with probability (2/3)^40 = 1e-7."""
    seen = np.column_stack([np.zeros(5), np.ones(5)])
    for sign in (-1.0, 1.0):
        policy = Dice()
        chosen = SelectingPolicy(policy, linear([0.0, 0.0, sign]), 40).act(seen, np.random.default_rng(4))
        assert_array_equal(chosen, np.full((5, 1, 1), sign))
        assert policy.drawn == 200
    one = SelectingPolicy(Dice(), linear([0.0, 0.0, 1.0]), 1).act(seen, np.random.default_rng(4))
    assert_array_equal(one, Dice().act(seen, np.random.default_rng(4)))


def test_the_value_of_a_chunk_is_the_smaller_of_both_critics():
    critic = linear([0.0, 0.0, 1.0])
    critic.critics[1] = [0.0, 0.0, -1.0, 0.5]
    inputs, choices = np.zeros((3, 2), np.float32), np.array([[-1.0], [0.0], [1.0]])
    assert_allclose(critic.action_values(inputs, choices), [-1.0, 0.0, -0.5])


def test_the_watch_is_the_mean_of_both_critics_over_the_decisions_taken():
    critic = linear([0.0, 0.0, 1.0])
    critic.critics[1] = [0.0, 0.0, 1.0, 3.0]
    zeros = np.zeros((4, 2), np.float32)
    table = Experience(
        inputs=zeros,
        choices=np.array([[-1.0], [0.0], [1.0], [0.4]], np.float32),
        rewards=np.array([[0.0], [1.0], [0.0], [0.0]], np.float32),
        next_inputs=zeros,
        ended=np.array([[False], [True], [False], [True]]),
        episodes=np.array([0, 0, 1, 1]),
    )
    watched = critic.watch(table, 0.9)
    assert watched.mean_value == pytest.approx(0.1 + 1.5)
    assert watched.diverged  # no success is worth more than 1
    assert not critic.watch(replace(table, rewards=2 * table.rewards), 0.9).diverged  # 2 at both of two decisions


SHORT = BestOfN(rollouts=(2, 5), candidates=(1, 3), updates=2, batch=4, hidden=(4,), evaluation_episodes=2)


def test_each_number_of_candidates_gives_a_curve_at_the_same_cost():
    class Still(Dice):
        observation_scale = Scale(np.zeros(3), np.ones(3))
        chunk_size = 4

        def act(self, observations, rng):
            return rng.uniform(-1, 1, (len(observations), 2, 2))

    results = finetune_best_of_n(
        TASKS["corridor"], Still(), SHORT, np.random.SeedSequence(5), np.random.SeedSequence(6)
    )
    assert len(results) == 2
    for one in results:
        assert_array_equal(one.episodes, [0, 2, 5])
        assert_array_equal(one.environment_steps, results[0].environment_steps)
    assert [one.policy.n_candidates for one in results] == [1, 3]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rollouts": ()}, ValueError, "rollouts must increase and hold a number"),
        ({"rollouts": (5, 5)}, ValueError, "rollouts must increase"),
        ({"candidates": (0,)}, ValueError, "candidates must be at least 1"),
        ({"expectile": 0.4}, ValueError, "expectile must be at least 0.5"),
        ({"discount": 0.0}, ValueError, "discount must be above 0"),
        ({"rate": -1.0}, ValueError, "rate must be above 0"),
        ({"updates": 0}, ValueError, "updates must be at least 1"),
    ],
)
def test_best_of_n_settings_out_of_range_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        BestOfN(**change)


def test_a_critic_that_diverges_is_an_error():
    table = replace(recorded(), rewards=np.full((6, 1), 1e30, np.float32))
    with pytest.raises(FloatingPointError, match="diverged"), np.errstate(all="ignore"):
        fit_critic(table, replace(SHORT, updates=5), np.random.default_rng(7))
