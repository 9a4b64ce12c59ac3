import math
import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular import dp
from tabular.constructions import lower_bound_family, two_bandits, uniform_noise_trap
from tabular.instances import (
    Instance,
    chain_lock,
    deep_sea,
    from_gymnasium,
    funnel,
    garnet,
    grid,
    reset_bandits,
    softmax,
)
from tabular.strategies import mdps
from theory.bounds.b2_uniform_fails import min_rare_states

CLOSE = {"rtol": 1e-12, "atol": 1e-14}
SHARE = st.integers(0, 16).map(lambda n: n / 16)
SLIP = st.integers(0, 15).map(lambda n: n / 16)


def assert_values(instance, optimal, demonstrated):
    assert_allclose(instance.optimal_value, optimal, **CLOSE)
    assert_allclose(instance.demonstrator_value, demonstrated, **CLOSE)


# --- the paper's constructions ----------------------------------------------------------------------------------------


@given(st.floats(1e-6, 1 / 8))
def test_the_two_bandits_differ_in_the_paid_arm_alone(epsilon):
    first, second = two_bandits(epsilon)
    assert_values(first, 1.0, 2 * epsilon)
    assert_values(second, 1.0, 2 * epsilon)
    assert first.mdp.reward.tolist() == [[[0.0, 1.0, 0.0]]]
    assert second.mdp.reward.tolist() == [[[0.0, 0.0, 1.0]]]
    for instance in (first, second):
        assert instance.mdp.policy_shape == (1, 1, 3)
        assert_allclose(instance.demonstrator, [[[1 - 4 * epsilon, 2 * epsilon, 2 * epsilon]]], **CLOSE)


@given(st.integers(1, 63).map(lambda n: n / 256), st.integers(2, 5), st.integers(1, 8))
def test_the_trap_has_its_stated_values_and_start(epsilon, horizon, n_branches):
    trap = uniform_noise_trap(epsilon, horizon, n_branches)
    k = n_branches
    assert_values(trap, 1.0, 1 - epsilon)
    assert sum(oracles.exact(trap.mdp.initial.tolist())) == 1
    assert trap.mdp.initial[k] == 0.5
    assert trap.mdp.initial[0] == 2.0**-2 + 2.0 ** -(k + 1)
    assert trap.mdp.initial[1:k].tolist() == [2.0 ** -(i + 1) for i in range(2, k + 1)]
    assert trap.mdp.initial[k + 1] == 0


@given(st.integers(2, 5), st.integers(1, 5))
def test_in_the_trap_only_the_second_action_of_the_safe_state_moves(horizon, n_branches):
    dense = uniform_noise_trap(1 / 8, horizon, n_branches).mdp.to_dense()[0]
    safe, fallen = n_branches, n_branches + 1
    for s, a in np.ndindex(dense.shape[:2]):
        assert dense[s, a].argmax() == (fallen if (s, a) == (safe, 1) else s)


def test_the_trap_is_left_by_one_mistake():
    trap = uniform_noise_trap(1 / 8, 4, 3)
    noisy = 0.75 * trap.demonstrator + 0.25 / 2
    w = dp.occupancy(trap.mdp, noisy)
    assert_allclose(w[:, 3].sum(axis=1), 0.5 * (1 - 0.125) ** np.arange(4), **CLOSE)
    assert not trap.reachable[:, 4].any()


def branch_exists(n_demos, k):
    start = [Fraction(1, 4) + Fraction(1, 2 ** (k + 1)), *(Fraction(1, 2 ** (i + 1)) for i in range(2, k + 1))]
    return any(Fraction(1, 2 * n_demos) <= p <= Fraction(1, n_demos) for p in start)


@given(st.integers(5, 10**9))
@example(5)
@example(2**20)
@example(2**20 + 1)
def test_the_smallest_number_of_branches_with_one_of_the_wanted_weight_is_found(n_demos):
    k = min_rare_states(n_demos)
    assert branch_exists(n_demos, k)
    assert not any(branch_exists(n_demos, smaller) for smaller in range(1, k))


@given(st.integers(5, 10**6), st.integers(0, 5))
def test_with_more_branches_there_is_still_one_of_the_wanted_weight(n_demos, extra):
    k = math.ceil(math.log2(n_demos)) - 1 + extra
    assert branch_exists(n_demos, k)


@given(st.integers(2, 6), st.floats(0.001, 0.999))
def test_the_lower_bound_family_is_as_stated(n_actions, alpha):
    family = lower_bound_family(n_actions, alpha)
    assert [instance.name for instance in family] == [f"M{i + 1}" for i in range(n_actions)]
    assert_values(family[0], 1.0, 1.0)
    for i, instance in enumerate(family):
        assert instance.mdp.reward[0, 0].tolist() == [1.0] + [0.0] * (n_actions - 1)
        row = [1.0 if i == 0 else 1 - alpha] + [0.0] * (n_actions - 1)
        row[i] = 1.0 if i == 0 else alpha
        assert_allclose(instance.demonstrator[0, 0], row, **CLOSE)
        if i:
            assert_values(instance, 1.0, 1 - alpha)


# --- everyday processes -----------------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(2, 4), SHARE, SLIP)
def test_the_chain_lock_has_its_stated_values(horizon, n_actions, skill, slip):
    lock = chain_lock(horizon, n_actions, skill, slip)
    best = (1 - slip) ** (horizon - 1)
    assert_values(lock, best, skill**horizon * best)
    alive = (skill * (1 - slip)) ** np.arange(horizon)
    assert_allclose(lock.occupancy[:, 0].sum(axis=1), alive, **CLOSE)


@given(st.integers(2, 7), SHARE)
def test_deep_sea_has_its_stated_values(size, skill):
    assert_values(deep_sea(size, skill), 1.0, skill**size + 0.01 * (1 - skill))


@given(st.integers(2, 5), SHARE, SLIP)
def test_deep_sea_with_slips_is_a_walk_of_known_law(size, skill, slip):
    sea = deep_sea(size, skill, slip)
    right = skill * (1 - slip)
    treasure = right ** (size - 1) * skill
    assert_allclose(sea.demonstrator_value, treasure + 0.01 * (1 - skill), **CLOSE)
    assert sea.reachable[0].tolist() == [True] + [False] * (size - 1)


@given(st.integers(2, 8), st.integers(1, 5), st.integers(2, 4), SHARE, SHARE)
def test_the_funnel_follows_its_recursion(horizon, n_branches, n_actions, detour, skill):
    def trunk(c):
        f = [1.0, 1 - detour]
        while len(f) < horizon:
            f.append((1 - detour) * f[-1] + detour * f[-2] * c)
        return f

    drawn = funnel(horizon, n_branches, n_actions, detour, skill)
    assert_values(drawn, trunk(1.0)[horizon - 1], trunk(skill)[horizon - 1])
    assert_allclose(drawn.occupancy[:, 0].sum(axis=1), trunk(skill), **CLOSE)
    share = detour / n_branches * np.array(trunk(skill)[:-1])
    for b in range(1, n_branches + 1):
        assert_allclose(drawn.occupancy[1:, b].sum(axis=1), share, **CLOSE)


@given(st.integers(2, 4), st.integers(1, 8))
def test_a_floor_that_does_not_move_is_crossed_in_the_number_of_steps_between_the_corners(side, horizon):
    assert_allclose(grid(side, horizon, slip=0.0).optimal_value, float(horizon >= 2 * (side - 1)), **CLOSE)


def walked_grid(side, horizon, slip, policy):
    """The same walk written as a walk: a dictionary of squares, and a reward when the goal is entered."""
    goal, squares, value = (side - 1, side - 1), {(0, 0): 1.0}, 0.0
    moves = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    for h in range(horizon):
        following = {}
        for (row, column), weight in squares.items():
            for a, played in enumerate(policy[h, row * side + column]):
                for b, (down, across) in enumerate(moves):
                    p = weight * played * (slip / 4 + (1 - slip) * (a == b))
                    to = min(max(row + down, 0), side - 1), min(max(column + across, 0), side - 1)
                    if to == goal:
                        value += p
                    else:
                        following[to] = following.get(to, 0.0) + p
        squares = following
    return value


@given(st.integers(2, 3), st.integers(1, 6), SHARE)
def test_the_grid_moves_as_its_docstring_says(side, horizon, slip):
    drawn = grid(side, horizon, slip, temperature=0.3)
    assert_allclose(drawn.demonstrator_value, walked_grid(side, horizon, slip, drawn.demonstrator), **CLOSE)
    assert drawn.demonstrator_value <= drawn.optimal_value + 1e-14 <= 1 + 1e-13


@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32))
def test_garnet_draws_distinct_successors_and_is_made_by_its_seed(n_states, n_actions, horizon, seed):
    D = (n_states + 1) // 2
    one, again = (garnet(n_states, n_actions, D, horizon, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(one.mdp.to_dense(), again.mdp.to_dense())
    assert np.array_equal(one.demonstrator, again.demonstrator)
    assert one.mdp.policy_shape == (horizon, n_states, n_actions)
    assert ((one.mdp.to_dense() > 0).sum(axis=-1) == D).all()
    assert one.mdp.initial[0] == 1


def test_garnet_breaks_probabilities_and_chooses_successors_evenly(rng):
    drawn = garnet(300, 30, 3, 1, rng)
    spread = 1 / math.sqrt(300 * 30)
    assert_allclose(drawn.mdp.probabilities.mean(axis=(0, 1, 2)), 1 / 3, atol=5 * spread * math.sqrt(1 / 18))
    assert_allclose((drawn.mdp.probabilities**2).mean(axis=(0, 1, 2)), 1 / 6, atol=5 * spread * 0.2)
    times = np.bincount(drawn.mdp.successors.ravel(), minlength=300)
    assert abs(times - 90).max() < 6 * math.sqrt(90)


STARTS = st.lists(st.integers(1, 8), min_size=1, max_size=3).map(lambda n: np.array(n) / sum(n))


@given(STARTS, st.integers(1, 4), st.integers(2, 4), st.data())
def test_the_reset_bandits_lose_nothing_to_their_demonstrator_and_forget_the_past(w, horizon, n_actions, data):
    n_safe = data.draw(st.integers(1, n_actions - 1))
    bandits = reset_bandits(w, horizon, n_actions, n_safe)
    assert_values(bandits, horizon, horizon)
    states = np.append(w, 0.0)
    assert_allclose(bandits.occupancy.sum(axis=2), np.tile(states, (horizon, 1)), **CLOSE)
    assert_allclose(bandits.demonstrator, np.tile(np.eye(n_actions)[:n_safe].mean(axis=0), (horizon, w.size + 1, 1)))
    fixed = np.broadcast_to(np.full(n_actions, 1 / n_actions), bandits.demonstrator.shape)
    stays = n_safe / n_actions
    assert_allclose(dp.expected_return(bandits.mdp, fixed), sum(stays**h for h in range(1, horizon + 1)), **CLOSE)


@pytest.mark.parametrize(
    ("start", "horizon", "n_actions", "n_safe", "n_demos"),
    [((1, 3), 2, 2, 1, 3), ((1, 1), 2, 3, 2, 2), ((1, 3, 4), 2, 2, 1, 2), ((1, 3), 1, 3, 2, 4), ((1, 1), 3, 2, 1, 2)],
)
@pytest.mark.parametrize(("alpha", "mass"), [(0.0, 1.0), (0.5, math.inf), (1.0, 2.0), (0.25, 3.0)])
def test_the_loss_on_reset_bandits_has_its_closed_form(start, horizon, n_actions, n_safe, n_demos, alpha, mass):
    """Against all data sets, with fractions."""
    w = [Fraction(n, sum(start)) for n in start]
    bandits = reset_bandits(np.array(w, float), horizon, n_actions, n_safe)
    model = oracles.process_of(bandits.mdp)
    law = oracles.law_of_counts(model, oracles.exact(bandits.demonstrator.tolist()), n_demos)
    loss = horizon - sum(
        chance
        * oracles.expected_return(model, [[oracles.estimator_row(row, alpha, mass) for row in step] for step in counts])
        for counts, chance in law.items()
    )

    def weight(n):
        share = 1 if math.isinf(mass) else Fraction(mass) / (n + Fraction(mass))
        return Fraction(alpha) * share if n else 1

    noise = sum(x * oracles.binomial_pmf(n_demos, n, x) * weight(n) for x in w for n in range(n_demos + 1))
    falls = (1 - Fraction(n_safe, n_actions)) * noise
    assert float(loss) == pytest.approx(float(sum(1 - (1 - falls) ** h for h in range(1, horizon + 1))), abs=1e-12)


# --- softmax ----------------------------------------------------------------------------------------------------------


@given(mdps(max_horizon=2, max_states=2), st.floats(0.05, 10))
def test_softmax_is_the_exponential_of_the_optimal_action_values(mdp, temperature):
    found, q = softmax(mdp, temperature), dp.backward_induction(mdp).action_value
    for h, s in np.ndindex(found.shape[:2]):
        weights = [math.exp(x / temperature) for x in q[h, s]]
        assert_allclose(found[h, s], np.array(weights) / sum(weights), rtol=1e-12)


@given(mdps(), st.sampled_from([1e-310, 1e-200, 1e-20]))
def test_a_cold_softmax_is_even_among_the_best_actions(mdp, temperature):
    q = dp.backward_induction(mdp).action_value
    best = q == q.max(axis=2, keepdims=True)
    assert_allclose(softmax(mdp, temperature), best / best.sum(axis=2, keepdims=True), rtol=1e-14)


@given(mdps(max_horizon=1), st.floats(0.05, 10), st.floats(1.1, 10))
def test_a_colder_softmax_is_better_in_one_step(mdp, temperature, factor):
    cold, warm = (dp.expected_return(mdp, softmax(mdp, t)) for t in (temperature, temperature * factor))
    assert dp.optimal_return(mdp) + 1e-12 >= cold >= warm - 1e-12


# --- every instance ---------------------------------------------------------------------------------------------------


def everything():
    rng = np.random.default_rng(0)
    yield from two_bandits(0.1)
    yield from lower_bound_family(3, 0.2)
    yield uniform_noise_trap(0.1, 3, 4)
    yield chain_lock(4, 3, 0.8, 0.1)
    yield deep_sea(4, 0.8, 0.1)
    yield grid(3, 6)
    yield funnel(5, 4, 3)
    yield garnet(5, 2, 2, 4, rng)
    yield reset_bandits([0.5, 0.3, 0.2], 3, 4, 2)
    yield from_gymnasium("FrozenLake-v1", 5)


@pytest.mark.parametrize("instance", list(everything()), ids=lambda instance: instance.name)
class TestInstance:
    def test_cached_quantities_of_an_instance_are_those_of_dynamic_programming(self, instance):
        mdp, pi_beta = instance.mdp, instance.demonstrator
        assert instance.optimal_value == dp.optimal_return(mdp)
        assert instance.demonstrator_value == dp.expected_return(mdp, pi_beta)
        assert np.array_equal(instance.occupancy, dp.occupancy(mdp, pi_beta))
        assert np.array_equal(instance.reachable, dp.reachable(mdp, pi_beta))

    def test_arrays_of_an_instance_are_frozen(self, instance):
        for array in (instance.demonstrator, instance.occupancy, instance.reachable):
            assert not array.flags.writeable

    def test_the_demonstrator_of_an_instance_is_stochastic_except_in_m1(self, instance):
        mixed = (instance.demonstrator.max(axis=2) < 1).any()
        assert mixed or instance.name == "M1"

    def test_the_return_of_an_instances_demonstrator_is_that_of_the_enumeration(self, instance):
        if instance.mdp.n_states <= 5 and instance.mdp.horizon <= 4:
            model = oracles.process_of(instance.mdp)
            truth = oracles.expected_return(model, oracles.exact(instance.demonstrator.tolist()))
            assert_allclose(instance.demonstrator_value, float(truth), **CLOSE)


def test_changing_the_given_demonstrator_afterwards_does_not_change_the_instance():
    mdp = chain_lock(2, 2, 0.5).mdp
    policy = np.full(mdp.policy_shape, 0.5)
    instance = Instance("mine", mdp, policy)
    policy[...] = np.nan
    assert (instance.demonstrator == 0.5).all()


@pytest.mark.parametrize(
    ("env_id", "name"),
    [("FrozenLake8x8-v1", "FrozenLake8x8"), ("CliffWalking-v1", "CliffWalking"), ("Taxi-v4", "Taxi")],
)
def test_gymnasium_instances_carry_the_name_and_a_demonstrator_worse_than_optimal(env_id, name):
    instance = from_gymnasium(env_id, 20)
    assert instance.name == name
    assert instance.demonstrator_value < instance.optimal_value
    assert np.array_equal(instance.demonstrator, softmax(instance.mdp, 0.05))


# --- refusals ---------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
REFUSED = [
    (two_bandits, (0.0,), ValueError, "epsilon must be above 0.0; got 0.0"),
    (two_bandits, (0.2,), ValueError, "epsilon must be at most 0.125; got 0.2"),
    (two_bandits, ("0.1",), TypeError, "epsilon must be a number; got '0.1'"),
    (uniform_noise_trap, (0.0, 2, 1), ValueError, "epsilon must be above 0.0; got 0.0"),
    (uniform_noise_trap, (0.25, 2, 1), ValueError, "epsilon must be below 0.25; got 0.25"),
    (uniform_noise_trap, (0.1, 1, 1), ValueError, "horizon must be at least 2; got 1"),
    (uniform_noise_trap, (0.1, 2, 0), ValueError, "n_branches must be at least 1; got 0"),
    (uniform_noise_trap, (0.1, 2, 61), ValueError, "n_branches must be at most 60; got 61"),
    (uniform_noise_trap, (0.1, 2.0, 1), TypeError, "horizon must be an integer; got 2.0"),
    (lower_bound_family, (1, 0.5), ValueError, "n_actions must be at least 2; got 1"),
    (lower_bound_family, (2, 0.0), ValueError, "alpha must be above 0.0; got 0.0"),
    (lower_bound_family, (2, 1.0), ValueError, "alpha must be below 1.0; got 1.0"),
    (chain_lock, (0, 2, 0.5), ValueError, "horizon must be at least 1; got 0"),
    (chain_lock, (1, 1, 0.5), ValueError, "n_actions must be at least 2; got 1"),
    (chain_lock, (1, 2, 1.5), ValueError, "skill must be at most 1.0; got 1.5"),
    (chain_lock, (1, 2, 0.5, 1.0), ValueError, "slip must be below 1.0; got 1.0"),
    (deep_sea, (1, 0.5), ValueError, "size must be at least 2; got 1"),
    (deep_sea, (2, -0.5), ValueError, "skill must be at least 0.0; got -0.5"),
    (deep_sea, (2, 0.5, -0.1), ValueError, "slip must be at least 0.0; got -0.1"),
    (grid, (1, 3), ValueError, "side must be at least 2; got 1"),
    (grid, (2, 0), ValueError, "horizon must be at least 1; got 0"),
    (grid, (2, 3, 1.5), ValueError, "slip must be at most 1.0; got 1.5"),
    (grid, (2, 3, 0.1, 0.0), ValueError, "temperature must be above 0.0; got 0.0"),
    (funnel, (1, 1, 2), ValueError, "horizon must be at least 2; got 1"),
    (funnel, (2, 0, 2), ValueError, "n_branches must be at least 1; got 0"),
    (funnel, (2, 1, 1), ValueError, "n_actions must be at least 2; got 1"),
    (funnel, (2, 1, 2, 1.5), ValueError, "detour must be at most 1.0; got 1.5"),
    (funnel, (2, 1, 2, 0.5, math.nan), ValueError, "skill must be finite; got nan"),
    (garnet, (0, 1, 1, 1, RNG), ValueError, "n_states must be at least 1; got 0"),
    (garnet, (1, 0, 1, 1, RNG), ValueError, "n_actions must be at least 1; got 0"),
    (garnet, (1, 1, 0, 1, RNG), ValueError, "n_successors must be at least 1; got 0"),
    (garnet, (2, 1, 3, 1, RNG), ValueError, "n_successors must be at most 2; got 3"),
    (garnet, (1, 1, 1, 0, RNG), ValueError, "horizon must be at least 1; got 0"),
    (garnet, (1, 1, 1, 1, 7), TypeError, "rng must be a numpy.random.Generator; got int"),
    (garnet, (1, 1, 1, 1, RNG, -1), ValueError, "temperature must be above 0.0; got -1.0"),
    (reset_bandits, ([0.5, 0.4], 1, 2), ValueError, "visit_probability rows must sum to 1; it sums to 0.9"),
    (reset_bandits, ([1.0], 0, 2), ValueError, "horizon must be at least 1; got 0"),
    (reset_bandits, ([1.0], 1, 1), ValueError, "n_actions must be at least 2; got 1"),
    (reset_bandits, ([1.0], 1, 2, 2), ValueError, "n_safe must be at most 1; got 2"),
    (from_gymnasium, ("CartPole-v1", 5), TypeError, "env must have a transition table `P` and `initial_state_distrib`"),
    (from_gymnasium, ("FrozenLake-v1", 0), ValueError, "horizon must be at least 1; got 0"),
    (from_gymnasium, ("FrozenLake-v1", 5, 0.0), ValueError, "temperature must be above 0.0; got 0.0"),
    (softmax, (two_bandits(0.1)[0].mdp, math.inf), ValueError, "temperature must be finite; got inf"),
    (Instance, ("x", two_bandits(0.1)[0].mdp, [[[0.5, 0.5]]]), ValueError, "demonstrator must have shape (1, 1, 3); got (1, 1, 2)"),
    (Instance, ("x", two_bandits(0.1)[0].mdp, [[[0.5, 0.5, 0.5]]]), ValueError, "demonstrator rows must sum to 1; row (0, 0) sums to 1.5"),
    (Instance, ("x", two_bandits(0.1)[0].mdp, [[["a", "b", "c"]]]), TypeError, "demonstrator must hold real numbers"),
    (Instance, ("x", two_bandits(0.1)[0].mdp, [[[1.0], [1.0, 2.0]]]), ValueError, "demonstrator must be a rectangular array"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments", "error", "message"), REFUSED)
def test_a_bad_argument_of_an_instance_is_refused_by_name(function, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        function(*arguments)
