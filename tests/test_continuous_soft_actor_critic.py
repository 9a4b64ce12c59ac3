"""Soft actor-critic: losses against finite differences, targets over several decisions, known optima, its watch."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles_continuous import slope
from scipy import stats

from continuous.finetuning import Experience
from continuous.kernels import learning
from continuous.networks import Network
from continuous.returns import following, over_decisions
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


# --- targets over several decisions -----------------------------------------------------------------------------------


def test_the_density_of_a_recalled_action_is_that_with_which_it_was_drawn():
    rng = np.random.default_rng(20)
    heads, noise = rng.normal(size=(N, 2 * D)), rng.normal(size=(N, D))
    actions, drawn, found = np.empty((N, D)), np.empty(N), np.empty(N)
    learning.squash(heads, noise, actions, drawn)
    learning.recalled_log_densities(heads, actions, found)
    assert_allclose(found, drawn, rtol=1e-9)
    assert_allclose(found, squashed(heads, noise)[1], rtol=1e-9)
    single = [np.empty(N), np.empty(N)]
    last = np.nextafter(np.float32(1), np.float32(0))
    for size, out in zip((np.float32(1), last), single, strict=True):
        learning.recalled_log_densities(heads.astype(np.float32), np.full((N, D), -size, np.float32), out)
    assert_array_equal(*single)  # an action that was rounded to 1 has a density, and always the same
    assert np.isfinite(single[0]).all()


def recorded(rng):
    """Ten decisions of three episodes that are played side by side; the third is not recorded to its end."""
    episodes = np.array([0, 1, 2, 0, 1, 2, 1, 2, 1, 1])
    ended = np.array([0, 0, 0, 1, 0, 0, 0, 0, 0, 1], np.bool_)
    M = len(episodes)
    return Experience(
        inputs=rng.normal(size=(M, WIDTH)),
        choices=rng.uniform(-0.9, 0.9, (M, D)),
        rewards=rng.normal(size=(M, 1)),
        next_inputs=rng.normal(size=(M, WIDTH)),
        ended=ended[:, None],
        episodes=episodes,
    )


def retrace(table, n, behaviour, discount, noise, actor, critics, heat):
    """Targets of all decisions by a double loop over the formula; `noise` (n, M, D)."""
    spread = np.clip(ACTOR.forward(actor, table.inputs), [-np.inf] * D + [-5] * D, [np.inf] * D + [2] * D)
    a = np.arctanh(table.choices)
    normal = stats.norm.logpdf(a, spread[:, :D], np.exp(spread[:, D:]))
    log_ratio = (normal - np.log(1 - table.choices**2)).sum(axis=1) - behaviour
    taken = smaller(critics, table.inputs, table.choices)
    out = np.empty(len(table.rewards))
    for i in range(len(out)):
        later = [j for j in range(i, len(out)) if table.episodes[j] == table.episodes[i]][:n]
        weight, total = 1.0, 0.0
        for k, j in enumerate(later):
            u, density = squashed(ACTOR.forward(actor, table.next_inputs[j : j + 1]), noise[k, i : i + 1])
            value = smaller(critics, table.next_inputs[j : j + 1], u)[0] - heat * density[0]
            weight *= 1.0 if k == 0 else discount * min(1.0, np.exp(log_ratio[j]))
            keep = 0.0 if table.ended[j, 0] else discount
            total += weight * (table.rewards[j, 0] + keep * value - (0.0 if k == 0 else taken[j]))
        out[i] = total
    return out


def by_the_kernel(table, n, behaviour, discount, noise, actor, critics, heat):
    M, keeps = len(table.rewards), np.where(table.ended, 0.0, discount)
    target, networks = np.empty((M, 1)), (actor, ACTOR.widths, critics, CRITIC.widths)
    learning.sac_targets(*networks, table.rewards, keeps, table.next_inputs, noise[0], heat, target)
    learning.add_retrace(
        *networks, table.inputs, table.choices, table.rewards, keeps, table.next_inputs, following(table), behaviour,
        np.arange(M), noise[1:], heat, target,
    )  # fmt: skip
    return target[:, 0]


@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_retrace_targets_are_those_of_a_double_loop(n):
    actor, critics, _, _, rng = case(21)
    table = recorded(rng)
    noise, own = rng.normal(size=(n, 10, D)), np.empty(10)
    learning.recalled_log_densities(ACTOR.forward(actor, table.inputs), table.choices, own)
    behaviour = own + rng.uniform(-0.5, 1.5, 10)  # ratios on both sides of 1
    behaviour[4] = np.inf
    given = (table, n, behaviour, 0.9, noise, actor, critics, 0.3)
    assert_allclose(by_the_kernel(*given), retrace(*given), rtol=1e-9)


def test_retrace_is_one_decision_where_nothing_is_trusted_and_the_plain_return_on_the_actors_own_choices():
    actor, critics, _, _, rng = case(22)
    table, noise = recorded(rng), rng.normal(size=(4, 10, D))
    one = by_the_kernel(table, 1, np.zeros(10), 0.9, noise[:1], actor, critics, 0.3)
    assert_array_equal(by_the_kernel(table, 4, np.full(10, np.inf), 0.9, noise, actor, critics, 0.3), one)
    worthless = np.zeros_like(critics)
    found = by_the_kernel(table, 4, np.full(10, -1e9), 0.9, noise, actor, worthless, 0.0)
    assert_allclose(found, over_decisions(table, 4, 0.9)[0][:, 0], rtol=1e-5)


def two_decisions(rng, n=800):
    """Episodes of two decisions, uniform ones; the second alone is paid, 1 - (u - 0.6)^2: 0.31 on average."""
    first = np.tile([True, False], n)[:, None]
    x = np.where(first, -1.0, 1.0).astype(np.float32)
    u = rng.uniform(-1, 1, (2 * n, 1)).astype(np.float32)
    reward = np.where(first, 0.0, 1 - (u - 0.6) ** 2).astype(np.float32)
    return Experience(
        inputs=x, choices=u, rewards=reward, next_inputs=-x, ended=~first, episodes=np.repeat(np.arange(n), 2)
    )


@pytest.mark.compiled
def test_retrace_learns_the_actors_return_from_choices_that_the_actor_would_not_make():
    """What follows the first decision is worth 1 to a good actor; uncorrected, it stays what uniform choices got."""
    table = two_decisions(np.random.default_rng(23))
    start = np.column_stack([np.full(50, -1.0), np.linspace(-0.9, 0.9, 50)]).astype(np.float32)
    values = {}
    for correction in ("none", "retrace"):
        settings = SoftUpdates(
            hidden=(32, 32), rate=3e-3, discount=1.0, return_decisions=2, correction=correction, entropy_per_entry=-1.5
        )
        agent = SoftActorCritic(1, 1, settings, np.random.default_rng(24))
        agent.train(table, 2000, np.full(1600, -np.log(2)))
        values[correction] = np.mean([agent.critic_network.outputs(critic, start).mean() for critic in agent.critics])
    assert values["none"] == pytest.approx(0.31, abs=0.1)
    assert values["retrace"] > 0.85


def small(**changes):
    """A learner and a table of single precision."""
    table = recorded(np.random.default_rng(25))
    single = {name: getattr(table, name).astype(np.float32) for name in ("inputs", "choices", "rewards", "next_inputs")}
    settings = SoftUpdates(hidden=(6,), batch=8, **changes)
    return SoftActorCritic(WIDTH, D, settings, np.random.default_rng(26)), replace(table, **single)


def test_over_one_decision_retrace_is_no_correction_bit_for_bit():
    runs = []
    for correction in ("none", "retrace"):
        agent, table = small(correction=correction)
        runs.append((agent.train(table, 70, np.zeros(10)), agent.actor, agent.critics))
    for one, other in zip(*runs, strict=True):
        assert_array_equal(one, other)


def test_retrace_asks_for_the_densities_of_the_choices():
    agent, table = small(correction="retrace", return_decisions=3)
    with pytest.raises(ValueError, match="behaviour must be given"):
        agent.train(table, 1)


# --- entropy, the averaged actor and the watch ------------------------------------------------------------------------


@pytest.mark.parametrize("n_entries", [1, 4, 32])
def test_a_total_entropy_is_the_same_distance_from_uniform_at_each_number_of_entries(n_entries):
    total = SoftUpdates(total_entropy=-4.77)
    assert total.target_entropy(n_entries) - n_entries * np.log(2) == pytest.approx(-4.77)
    per_entry = SoftUpdates(entropy_per_entry=np.log(2) - 4.77 / n_entries)
    assert total.target_entropy(n_entries) == pytest.approx(per_entry.target_entropy(n_entries))
    assert SoftUpdates().target_entropy(n_entries) == -0.5 * n_entries


def test_the_learner_is_given_the_target_of_its_settings():
    """The first step of the temperature's logarithm is one rate up if the entropy is below its target, else down."""
    for total, sign in ((-1e-6, 1), (-50.0, -1)):
        agent, table = small(total_entropy=total, rate=0.01)
        agent.train(table, 1)
        assert np.log(agent.temperature / 0.01) == pytest.approx(sign * 0.01, rel=1e-3)


def test_the_actor_that_is_evaluated_is_the_weighted_mean_of_its_iterates():
    plain, table = small()
    agent, _ = small(averaging=0.7)
    assert_array_equal(agent.evaluated, plain.actor)  # nothing to average yet
    seen = []
    for _ in range(6):
        plain.train(table, 1)
        agent.train(table, 1)
        assert_array_equal(agent.actor, plain.actor)  # learning is the same
        seen.append(plain.actor.astype(np.float64).copy())
    weights = 0.7 ** np.arange(5, -1, -1)
    assert_allclose(agent.evaluated, np.average(seen, axis=0, weights=weights), rtol=1e-4, atol=1e-6)
    assert_array_equal(plain.evaluated, plain.actor)
    inputs = table.inputs
    middle = np.tanh(agent.actor_network.outputs(agent.evaluated, inputs)[:, :D])
    assert_allclose(agent.draw(inputs, None, agent.evaluated), middle, rtol=1e-5)


def test_the_watch_compares_the_mean_of_both_critics_with_the_largest_return():
    agent, table = small()
    paid = replace(table, rewards=table.ended.astype(np.float32))
    agent.critics[:] = 0.0
    for first, second, diverged in ((0.5, 0.9, False), (1.0, 1.2, True)):
        agent.critics[:, -1] = first, second
        watched = agent.watch(paid)
        assert watched.mean_value == pytest.approx((first + second) / 2)
        assert (watched.largest_return, watched.temperature) == (1.0, pytest.approx(0.01))
        assert watched.diverged == diverged


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


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"discount": 1.5}, ValueError, "discount must be at most 1"),
        ({"target_rate": 0.0}, ValueError, "target_rate must be above 0"),
        ({"return_decisions": 0}, ValueError, "return_decisions must be at least 1"),
        ({"correction": "v-trace"}, ValueError, "correction must be one of"),
        ({"entropy_per_entry": 0.7}, ValueError, "entropy_per_entry must be below 0.69"),
        ({"total_entropy": 0.0}, ValueError, "total_entropy must be below 0"),
        ({"averaging": 1.0}, ValueError, "averaging must be below 1"),
        ({"batch": 1.5}, TypeError, "batch must be an integer"),
    ],
)
def test_settings_of_updates_out_of_range_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        SoftUpdates(**change)
