import copy
import pickle
import re
from types import SimpleNamespace

import gymnasium
import numpy as np
import oracles
import pytest
from gymnasium.envs.toy_text import CliffWalkingEnv
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular import dp
from tabular.counts import Counts, Demonstrations
from tabular.mdp import FiniteHorizonMDP, RewardMap, checked_policy
from tabular.strategies import counts, demonstrations, distributions, instances, mdps

ARRAYS = ("probabilities", "reward", "initial", "successors", "_successors")


def same_process(one, other):
    sizes = one.horizon == other.horizon and one.reward_map == other.reward_map
    return sizes and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)


# --- agreement --------------------------------------------------------------------------------------------------------


@given(mdps())
def test_the_dense_table_is_the_sum_over_the_successor_lists(mdp):
    model = oracles.process_of(mdp)
    dense = mdp.to_dense()
    for h in range(mdp.horizon):
        for s, a in np.ndindex(mdp.n_states, mdp.n_actions):
            row = dense[h % len(dense), s, a]
            assert [oracles.exact(p) for p in row.tolist()] == [
                model.transitions[h][s][a].get(t, 0) for t in range(mdp.n_states)
            ]


@given(mdps())
def test_a_dense_table_is_the_same_after_conversion_to_a_process_and_back(mdp):
    again = FiniteHorizonMDP.from_dense(mdp.to_dense(), mdp.reward, mdp.initial, mdp.horizon)
    assert np.array_equal(again.to_dense(), mdp.to_dense())
    assert same_process(again, FiniteHorizonMDP.from_dense(again.to_dense(), mdp.reward, mdp.initial, mdp.horizon))


@given(mdps())
def test_a_process_rebuilt_from_its_own_arrays_is_the_same(mdp):
    again = FiniteHorizonMDP(mdp.successors, mdp.probabilities, mdp.reward, mdp.initial, mdp.horizon)
    assert np.array_equal(again.to_dense(), mdp.to_dense())
    assert np.array_equal(again.reward, mdp.reward)
    assert np.array_equal(again.initial, mdp.initial)
    assert again.policy_shape == mdp.policy_shape == (mdp.horizon, mdp.n_states, mdp.n_actions)


@given(mdps())
def test_some_row_uses_every_column_of_the_successor_lists(mdp):
    if not mdp.is_dense:
        assert (mdp.probabilities > 0).sum(axis=-1).max() == mdp.probabilities.shape[-1]


@given(distributions((1, 3, 2), 3), st.integers(2, 3))
def test_a_table_without_a_step_axis_is_stationary(table, horizon):
    reward = np.zeros((1, 3, 2))
    one = FiniteHorizonMDP.from_dense(table[0], reward[0], [1, 0, 0], horizon)
    assert same_process(one, FiniteHorizonMDP.from_dense(table, reward, [1, 0, 0], horizon))
    assert one.probabilities.shape[0] == 1


def test_few_successors_are_kept_as_lists_and_many_as_a_table():
    ring = np.roll(np.eye(4), 1, axis=1)[:, None]
    lists = FiniteHorizonMDP.from_dense(ring, np.zeros((4, 1)), np.eye(4)[0], 2)
    assert not lists.is_dense
    assert lists.successors.tolist() == [[[[1]], [[2]], [[3]], [[0]]]]
    table = FiniteHorizonMDP.from_dense(np.full((4, 1, 4), 0.25), np.zeros((4, 1)), np.eye(4)[0], 2)
    assert table.is_dense
    assert table.successors.tolist() == [[[[0, 1, 2, 3]]] * 4]


def test_single_precision_rows_are_normalised():
    thirds = np.full((3, 1, 3), 1 / 3, np.float32)
    mdp = FiniteHorizonMDP.from_dense(thirds, np.zeros((3, 1), np.float32), thirds[0, 0], 2)
    assert_allclose(mdp.probabilities.sum(axis=-1), 1.0, rtol=1e-15)
    assert_allclose(mdp.initial, 1 / 3, rtol=1e-15)


@pytest.mark.parametrize(
    ("mdp", "text"),
    [
        (
            FiniteHorizonMDP.from_dense(np.full((2, 1, 2), 0.5), np.zeros((2, 1)), [1, 0], 3),
            "FiniteHorizonMDP(H=3, S=2, A=1, dense, stationary dynamics)",
        ),
        (
            FiniteHorizonMDP(
                np.zeros((2, 1, 1, 1), int), np.ones((2, 1, 1, 1)), np.zeros((1, 1, 1)), [1], 2, RewardMap(-1, 2)
            ),
            "FiniteHorizonMDP(H=2, S=1, A=1, 1 successors, step-dependent dynamics, original reward = -1 + 2 * reward)",
        ),
    ],
)
def test_a_process_describes_itself(mdp, text):
    assert repr(mdp) == text


def test_a_reward_map_goes_back_to_the_original_units():
    assert RewardMap(-10, 30).original_return(2.5, 7) == -70 + 75
    assert RewardMap().original_return(2.5, 7) == 2.5


# --- arrays are private and frozen ------------------------------------------------------------------------------------


@given(mdps())
def test_the_arrays_of_a_process_are_frozen_and_in_c_order(mdp):
    for name in ARRAYS:
        assert not getattr(mdp, name).flags.writeable
    assert mdp.probabilities.flags.c_contiguous
    assert mdp._successors.flags.c_contiguous


def test_changing_an_argument_afterwards_does_not_change_the_process():
    given_arrays = np.zeros((1, 2, 1, 1), int), np.ones((1, 2, 1, 1)), np.zeros((1, 2, 1)), np.array([0.5, 0.5])
    mdp = FiniteHorizonMDP(*given_arrays, 2)
    for array, name in zip(given_arrays, ("successors", "probabilities", "reward", "initial"), strict=True):
        assert array.flags.writeable
        array[...] = 7
        assert not (getattr(mdp, name) == 7).any()


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@given(instances().flatmap(lambda i: st.tuples(st.just(i), demonstrations(i.mdp, i.demonstrator))))
def test_copies_and_pickles_are_equal_and_stay_frozen(again, drawn):
    instance, recorded = drawn
    _ = recorded.counts().visits, instance.occupancy, instance.reachable
    assert same_process(again(instance.mdp), instance.mdp)
    for thing in (instance, instance.mdp, recorded, recorded.counts()):
        _ = getattr(thing, "visits", None)
        for name, value in vars(again(thing)).items():
            if isinstance(value, np.ndarray):
                assert not value.flags.writeable
                assert value.dtype == getattr(thing, name).dtype
                assert np.array_equal(value, getattr(thing, name))


def test_attributes_of_frozen_objects_cannot_be_set():
    mdp = FiniteHorizonMDP.from_dense(np.ones((1, 1, 1)), np.zeros((1, 1)), [1.0], 1)
    with pytest.raises(ValueError, match="read-only"):
        mdp.reward[0, 0, 0] = 1.0
    with pytest.raises(AttributeError, match="horizon"):
        mdp.horizon = 2


# --- refusals of a process --------------------------------------------------------------------------------------------


def lists(**changes):
    arguments = {
        "successors": np.zeros((1, 2, 2, 1), int),
        "probabilities": np.ones((1, 2, 2, 1)),
        "reward": np.zeros((1, 2, 2)),
        "initial": [1.0, 0.0],
        "horizon": 3,
    }
    return FiniteHorizonMDP(**(arguments | changes))


def dense(**changes):
    arguments = {"transitions": np.full((2, 2, 2), 0.5), "reward": np.zeros((2, 2)), "initial": [1, 0], "horizon": 3}
    return FiniteHorizonMDP.from_dense(**(arguments | changes))


def table(shape, value, where=None, other=None):
    array = np.full(shape, value)
    if where is not None:
        array[where] = other
    return array


REFUSED = [
    (lists, {"horizon": 0}, ValueError, "horizon must be at least 1; got 0"),
    (lists, {"horizon": -2}, ValueError, "horizon must be at least 1; got -2"),
    (lists, {"horizon": True}, TypeError, "horizon must be an integer; got True"),
    (lists, {"horizon": 3.0}, TypeError, "horizon must be an integer; got 3.0"),
    (lists, {"horizon": None}, TypeError, "horizon must be an integer; got None"),
    (lists, {"successors": np.zeros((1, 2, 2, 1))}, TypeError, "successors must hold integers; its dtype is float64"),
    (lists, {"successors": np.zeros((1, 2, 2, 1), bool)}, TypeError, "successors must hold integers; its dtype is bool"),
    (lists, {"successors": np.zeros((1, 2, 2, 2), int)}, ValueError, "successors must have shape (1, 2, 2, 1); got (1, 2, 2, 2)"),
    (lists, {"successors": table((1, 2, 2, 1), 0, (0, 1, 0, 0), 2)}, ValueError, "successors must be below 2; entry (0, 1, 0, 0) is 2"),
    (lists, {"successors": table((1, 2, 2, 1), 0, (0, 0, 1, 0), -1)}, ValueError, "successors must be at least 0; entry (0, 0, 1, 0) is -1"),
    (lists, {"successors": [[0], [0, 0]]}, ValueError, "successors must be a rectangular array"),
    (lists, {"probabilities": np.ones((2, 2, 1))}, ValueError, "probabilities must have shape (any, any, any, any); got (2, 2, 1)"),
    (lists, {"probabilities": [[1], [1, 2]]}, ValueError, "probabilities must be a rectangular array"),
    (lists, {"probabilities": table((1, 2, 2, 1), "x")}, TypeError, "probabilities must hold real numbers; its dtype is <U1"),
    (lists, {"probabilities": table((1, 2, 2, 1), 1j)}, TypeError, "probabilities must hold real numbers; its dtype is complex128"),
    (lists, {"probabilities": table((1, 2, 2, 1), 1.0, (0, 1, 1), 0.9)}, ValueError, "probabilities rows must sum to 1; row (0, 1, 1) sums to 0.9"),
    (lists, {"probabilities": table((1, 2, 2, 1), 1.0, (0, 1, 1), np.nan)}, ValueError, "probabilities must be finite; entry (0, 1, 1, 0) is nan"),
    (lists, {"probabilities": table((1, 2, 2, 1), 1.0, (0, 1, 1), np.inf)}, ValueError, "probabilities must be finite; entry (0, 1, 1, 0) is inf"),
    (lists, {"probabilities": np.ones((2, 2, 2, 1)), "successors": np.zeros((2, 2, 2, 1), int)}, ValueError, "probabilities must have 1 or horizon = 3 steps on its first axis; got 2"),
    (lists, {"probabilities": np.ones((0, 2, 2, 1)), "successors": np.zeros((0, 2, 2, 1), int)}, ValueError, "probabilities must have 1 or horizon = 3 steps on its first axis; got 0"),
    (lists, {"probabilities": np.ones((1, 2, 0, 1)), "successors": np.zeros((1, 2, 0, 1), int), "reward": np.zeros((1, 2, 0))}, ValueError, "a process must have at least one state and action; got 2 and 0"),
    (lists, {"probabilities": np.ones((1, 0, 2, 1)), "successors": np.zeros((1, 0, 2, 1), int), "reward": np.zeros((1, 0, 2)), "initial": []}, ValueError, "a process must have at least one state and action; got 0 and 2"),
    (lists, {"probabilities": np.ones((1, 2, 2, 0)), "successors": np.zeros((1, 2, 2, 0), int)}, ValueError, "probabilities rows must sum to 1; row (0, 0, 0) sums to 0"),
    (lists, {"reward": np.zeros((2, 2))}, ValueError, "reward must have shape (any, 2, 2); got (2, 2)"),
    (lists, {"reward": np.zeros((2, 2, 2))}, ValueError, "reward must have 1 or horizon = 3 steps on its first axis; got 2"),
    (lists, {"reward": table((1, 2, 2), 0.0, (0, 1, 0), 1.5)}, ValueError, "reward must lie in [0, 1]; entry (0, 1, 0) is 1.5"),
    (lists, {"reward": table((1, 2, 2), 0.0, (0, 1, 0), -0.5)}, ValueError, "reward must lie in [0, 1]; entry (0, 1, 0) is -0.5"),
    (lists, {"reward": table((1, 2, 2), 0.0, (0, 1, 0), np.nan)}, ValueError, "reward must be finite; entry (0, 1, 0) is nan"),
    (lists, {"initial": [1.0]}, ValueError, "initial must have shape (2,); got (1,)"),
    (lists, {"initial": [0.5, 0.4]}, ValueError, "initial rows must sum to 1; it sums to 0.9"),
    (lists, {"initial": [1.5, -0.5]}, ValueError, "initial must be non-negative; entry (1,) is -0.5"),
    (lists, {"initial": [np.nan, 1.0]}, ValueError, "initial must be finite; entry (0,) is nan"),
    (lists, {"initial": "ab"}, TypeError, "initial must hold real numbers"),
    (dense, {"transitions": np.full((2, 2, 3), 1 / 3)}, ValueError, "transitions must have shape (any, 3, any, 3); got (1, 2, 2, 3)"),
    (dense, {"transitions": 1.0}, ValueError, "transitions must have shape (any, any, any, any); got ()"),
    (dense, {"transitions": [[1.0], [0.5, 0.5]]}, ValueError, "transitions must be a rectangular array"),
    (dense, {"transitions": table((2, 2, 2), 0.5, (1, 0), (1.5, -0.5))}, ValueError, "transitions must be non-negative; entry (0, 1, 0, 1) is -0.5"),
    (dense, {"transitions": table((2, 2, 2), 0.5, (1, 0), (0.5, 0.6))}, ValueError, "transitions rows must sum to 1; row (0, 1, 0) sums to 1.1"),
    (dense, {"transitions": table((2, 2, 2), 0.5, (1, 0), np.nan)}, ValueError, "transitions must be finite; entry (0, 1, 0, 0) is nan"),
    (dense, {"transitions": np.ones((2, 0, 2)), "reward": np.zeros((2, 0))}, ValueError, "a process must have at least one state and action; got 2 and 0"),
    (dense, {"reward": [[0.0], [0.0, 1.0]]}, ValueError, "reward must be a rectangular array"),
    (dense, {"reward": np.zeros((3, 2))}, ValueError, "reward must have shape (any, 2, 2); got (1, 3, 2)"),
    (dense, {"horizon": 0}, ValueError, "horizon must be at least 1; got 0"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "changes", "error", "message"), REFUSED)
def test_a_bad_argument_of_a_process_is_refused_by_name(make, changes, error, message):
    make()
    with pytest.raises(error, match=re.escape(message)):
        make(**changes)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_may_miss_one_by_their_precision_and_no_more(dtype):
    unit = float(np.finfo(dtype).eps) if dtype != np.float64 else 1e-10
    row = np.array([0.5, 0.5 + 4 * unit], dtype)
    lists(initial=row)
    with pytest.raises(ValueError, match="initial rows must sum to 1"):
        lists(initial=np.array([0.5, 0.5 + 40 * unit], dtype))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.nan, 1), ValueError, "offset must be finite; got nan"),
        ((np.inf, 1), ValueError, "offset must be finite; got inf"),
        (("0", 1), TypeError, "offset must be a number; got '0'"),
        ((0, 0), ValueError, "slope must be above 0.0; got 0.0"),
        ((0, -1), ValueError, "slope must be above 0.0; got -1.0"),
        ((0, True), TypeError, "slope must be a number; got True"),
    ],
)
def test_a_reward_map_that_loses_information_is_refused(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        RewardMap(*arguments)


# --- checked policies -------------------------------------------------------------------------------------------------


def test_a_good_policy_is_taken_without_a_copy_and_seen_read_only():
    policy = np.full((2, 1, 2), 0.5)
    seen = checked_policy("policy", policy, (2, 1, 2))
    assert np.shares_memory(seen, policy)
    assert policy.flags.writeable
    assert not seen.flags.writeable


# --- demonstrations and counts ----------------------------------------------------------------------------------------


@given(instances().flatmap(lambda i: demonstrations(i.mdp, i.demonstrator)))
def test_counts_equal_a_count_by_loops(recorded):
    tally = np.zeros((recorded.horizon, recorded.n_states, recorded.n_actions), int)
    for states, actions in zip(recorded.states, recorded.actions, strict=True):
        for h in range(recorded.horizon):
            tally[h, states[h], actions[h]] += 1
    assert np.array_equal(recorded.counts().counts, tally)
    assert np.array_equal(recorded.counts().visits, tally.sum(axis=2))
    assert recorded.counts().n_demos == recorded.n_demos == len(recorded.states)


@given(instances().flatmap(lambda i: st.tuples(st.just(i), counts(i.mdp, i.demonstrator))))
def test_drawn_counts_are_possible(drawn):
    instance, recorded = drawn
    assert (instance.occupancy[recorded.counts > 0] > 0).all()


RECORD_REFUSED = [
    (([], [], 2, 2), TypeError, "states must hold integers; its dtype is float64"),
    ((np.zeros((0, 3), int), np.zeros((0, 3), int), 2, 2), ValueError, "states must hold at least one trajectory of one step; got shape (0, 3)"),
    ((np.zeros((3, 0), int), np.zeros((3, 0), int), 2, 2), ValueError, "states must hold at least one trajectory of one step; got shape (3, 0)"),
    (([0], [0], 2, 2), ValueError, "states must have shape (any, any); got (1,)"),
    (([[0], [0, 1]], [[0], [0]], 2, 2), ValueError, "states must be a rectangular array"),
    (([[0, 1]], [[0]], 2, 2), ValueError, "actions must have shape (1, 2); got (1, 1)"),
    (([[0, 2]], [[0, 0]], 2, 2), ValueError, "states must be below 2; entry (0, 1) is 2"),
    (([[0, -1]], [[0, 0]], 2, 2), ValueError, "states must be at least 0; entry (0, 1) is -1"),
    (([[0, 1]], [[0, 2]], 2, 2), ValueError, "actions must be below 2; entry (0, 1) is 2"),
    (([[0, 1]], [[0, -3]], 2, 2), ValueError, "actions must be at least 0; entry (0, 1) is -3"),
    (([[0.0, 1.0]], [[0, 1]], 2, 2), TypeError, "states must hold integers; its dtype is float64"),
    (([[0, 1]], [[True, False]], 2, 2), TypeError, "actions must hold integers; its dtype is bool"),
    ((np.array([[2**63]], np.uint64), [[0]], 2, 2), ValueError, "states must fit into 64 bits; its largest entry is 9223372036854775808"),
    (([[0]], [[0]], 0, 2), ValueError, "n_states must be at least 1; got 0"),
    (([[0]], [[0]], 2, 0), ValueError, "n_actions must be at least 1; got 0"),
    (([[0]], [[0]], 2**31, 2), ValueError, "n_states must be at most 2147483647; got 2147483648"),
    (([[0]], [[0]], True, 2), TypeError, "n_states must be an integer; got True"),
    (([[0]], [[0]], 2, 2.0), TypeError, "n_actions must be an integer; got 2.0"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "error", "message"), RECORD_REFUSED)
def test_bad_demonstrations_are_refused(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Demonstrations(*arguments)


COUNTS_REFUSED = [
    (np.zeros((1, 2), int), ValueError, "counts must have shape (any, any, any); got (1, 2)"),
    (np.zeros((1, 2, 2)), TypeError, "counts must hold integers; its dtype is float64"),
    (np.zeros((0, 2, 2), int), ValueError, "counts must have at least one step, state and action; got shape (0, 2, 2)"),
    (np.zeros((1, 2, 0), int), ValueError, "counts must have at least one step, state and action; got shape (1, 2, 0)"),
    (np.zeros((2, 2, 2), int), ValueError, "counts must hold at least one trajectory; all are 0"),
    ([[[1, 2]], [[2, 2]]], ValueError, "counts must hold the same number of pairs in each step; step 0 has 3, step 1 4"),
    ([[[1, -1]]], ValueError, "counts must be at least 0; entry (0, 0, 1) is -1"),
    ([[[2**62, 2**62]]], ValueError, "counts must hold fewer than 2^63 pairs in each step"),
    ([[[1], [2, 3]]], ValueError, "counts must be a rectangular array"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "error", "message"), COUNTS_REFUSED)
def test_bad_counts_are_refused(value, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Counts(value)


# --- Gymnasium --------------------------------------------------------------------------------------------------------

TABLES = [("FrozenLake-v1", 30), ("FrozenLake8x8-v1", 20), ("CliffWalking-v1", 25), ("Taxi-v4", 15)]


def loaded(env_id, horizon):
    env = gymnasium.make(env_id)
    try:
        return (
            FiniteHorizonMDP.from_gymnasium(env, horizon),
            env.unwrapped.P,
            env.unwrapped.initial_state_distrib.tolist(),
        )
    finally:
        env.close()


@pytest.mark.parametrize(("env_id", "horizon"), TABLES)
def test_optimal_values_of_gymnasium_are_those_of_its_own_table(env_id, horizon):
    mdp, P, initial = loaded(env_id, horizon)
    truth = oracles.table_return(P, initial, horizon, lambda h, s, values: max(values))
    assert_allclose(mdp.reward_map.original_return(dp.optimal_return(mdp), horizon), truth, rtol=1e-11)


@pytest.mark.parametrize(("env_id", "horizon"), TABLES)
def test_the_reward_map_gives_back_the_original_return_of_any_policy(env_id, horizon, rng):
    mdp, P, initial = loaded(env_id, horizon)
    policy = rng.dirichlet(np.full(mdp.n_actions, 0.3), mdp.policy_shape[:2])

    def average(h, s, values):
        return sum(p * value for p, value in zip(policy[h, s].tolist(), values, strict=True))

    truth = oracles.table_return(P, initial, horizon, average)
    found = mdp.reward_map.original_return(dp.expected_return(mdp, policy), horizon)
    assert_allclose(found, truth, rtol=1e-10)
    assert found == horizon * mdp.reward_map.offset + mdp.reward_map.slope * dp.expected_return(mdp, policy)


@pytest.mark.parametrize(("env_id", "horizon", "value"), [("CliffWalking-v1", 50, -13.0), ("Taxi-v4", 200, 7.93)])
def test_optimal_returns_of_gymnasium_environments_are_the_known_ones(env_id, horizon, value):
    mdp, _, _ = loaded(env_id, horizon)
    assert_allclose(mdp.reward_map.original_return(dp.optimal_return(mdp), horizon), value, atol=2e-3)


def test_an_ended_episode_stays_in_an_extra_state_that_pays_nothing():
    mdp, _, _ = loaded("Taxi-v4", 3)
    last = mdp.n_states - 1
    assert last == 500
    assert mdp.to_dense()[0, last, :, last].tolist() == [1.0] * 6
    scale = mdp.reward_map
    assert_allclose(scale.offset + scale.slope * mdp.reward[0, last], 0.0, atol=1e-14)
    assert mdp.initial[last] == 0


def test_rewards_within_the_unit_interval_are_kept_as_they_are():
    assert loaded("FrozenLake-v1", 3)[0].reward_map == RewardMap()


def environment(**changes):
    table = {0: {0: [(0.5, 0, 0.0, False), (0.5, 1, 0.0, False)]}, 1: {0: [(1.0, 1, 2.0, True)]}}
    inner = SimpleNamespace(**({"P": table, "initial_state_distrib": np.array([1.0, 0.0])} | changes))
    return SimpleNamespace(unwrapped=inner)


def test_a_reward_above_one_is_scaled_and_not_cut():
    mdp = FiniteHorizonMDP.from_gymnasium(environment(), 2)
    assert mdp.reward_map == RewardMap(0.0, 2.0)
    assert mdp.reward_map.original_return(dp.optimal_return(mdp), 2) == 1.0  # 2, in the second step, half the time


def first_row(*row):
    return {0: {0: list(row)}, 1: {0: [(1.0, 1, 0.0, True)]}}


def test_successors_that_a_table_names_twice_are_merged():
    row = (0.25, 0, 0.0, False), (0.25, 0, 1.0, False), (0.5, 1, 0.0, True)
    mdp = FiniteHorizonMDP.from_gymnasium(environment(P=first_row(*row)), 2)
    assert mdp.to_dense()[0, 0, 0].tolist() == [0.5, 0.0, 0.5]
    assert mdp.reward[0, 0, 0] == 0.25


GYMNASIUM_REFUSED = [
    ({"P": first_row((0.5, 0, 0.0, False))}, ValueError, "probabilities rows must sum to 1; row (0, 0, 0) sums to 0.5"),
    ({"P": first_row()}, ValueError, "P[0][0] must hold (probability, next state, reward, ended), at least once"),
    ({"P": first_row((1.0, 0, 0.0))}, ValueError, "P[0][0] must hold (probability, next state, reward, ended), at least once"),
    ({"P": first_row((1.0, 0, "much", False))}, TypeError, "a reward in P[0][0] must be a number; got 'much'"),
    ({"P": first_row((1.0, 0, float("inf"), False))}, ValueError, "a reward in P[0][0] must be finite; got inf"),
    ({"P": first_row((1.5, 0, 0.0, False), (-0.5, 1, 0.0, False))}, ValueError, "a probability in P[0][0] must be at least 0.0; got -0.5"),
    ({"P": first_row((1.0, 0, 0.0, False), (np.nan, 1, 0.0, False))}, ValueError, "a probability in P[0][0] must be finite; got nan"),
    ({"P": first_row((1.0, 2, 0.0, False))}, ValueError, "a next state in P[0][0] must be at most 1; got 2"),
    ({"P": first_row((1.0, -1, 0.0, False))}, ValueError, "a next state in P[0][0] must be at least 0; got -1"),
    ({"P": first_row((1.0, 0.5, 0.0, False))}, TypeError, "a next state in P[0][0] must be an integer; got 0.5"),
    ({"P": first_row((1.0, 0, np.nan, False))}, ValueError, "must be finite"),
    ({"P": {0: {0: [(1.0, 0, 0.0, False)]}}}, ValueError, "P must have as many states as initial_state_distrib; got 1 and 2"),
    ({"P": {0: {0: []}, 1: {0: [], 1: []}}}, ValueError, "P must have the same number of actions in each state; state 0 has 1, 1 2"),
    ({"initial_state_distrib": [0.5, 0.4]}, ValueError, "initial_state_distrib rows must sum to 1; it sums to 0.9"),
    ({"initial_state_distrib": 1.0}, ValueError, "initial_state_distrib must have shape (any,); got ()"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "error", "message"), GYMNASIUM_REFUSED)
def test_a_gymnasium_table_that_is_no_process_is_refused(changes, error, message):
    FiniteHorizonMDP.from_gymnasium(environment(), 2)
    with pytest.raises(error, match=re.escape(message)):
        FiniteHorizonMDP.from_gymnasium(environment(**changes), 2)


@pytest.mark.parametrize("missing", ["P", "initial_state_distrib"])
def test_an_environment_without_a_table_is_refused(missing):
    env = environment()
    delattr(env.unwrapped, missing)
    with pytest.raises(TypeError, match=f"env must have a transition table .* has no {missing}"):
        FiniteHorizonMDP.from_gymnasium(env, 2)


def test_a_classic_control_environment_is_refused():
    env = gymnasium.make("CartPole-v1")
    with pytest.raises(TypeError, match="has no P"):
        FiniteHorizonMDP.from_gymnasium(env, 2)
    env.close()


# --- environments that do not follow their tables ---------------------------------------------------------------------


class Sticky(gymnasium.ActionWrapper):
    def action(self, action):
        return 0


class Slipping(CliffWalkingEnv):
    """Moves on its own; its table does not say so."""

    def step(self, action):
        return super().step((action + self.np_random.integers(2)) % 4)


class Paying(CliffWalkingEnv):
    def step(self, action):
        seen, reward, *rest = super().step(action)
        return seen, reward + 1.0, *rest


class Elsewhere(CliffWalkingEnv):
    def reset(self, *, seed=None, options=None):
        _, info = super().reset(seed=seed)
        self.s = 5
        return 5, info


UNFAITHFUL = [
    (lambda: gymnasium.make("Taxi-v4", fickle_passenger=True), "with fickle_passenger=True the passenger may change the destination"),
    (lambda: Sticky(gymnasium.make("Taxi-v4")), "the wrapper Sticky may change its steps. Give the environment without it"),
    (lambda: gymnasium.wrappers.TransformReward(gymnasium.make("Taxi-v4"), lambda r: r / 20), "the wrapper TransformReward may change its steps"),
    (lambda: type("TimeLimit", (gymnasium.RewardWrapper,), {"reward": lambda _, r: -r})(gymnasium.make("Taxi-v4")), "the wrapper TimeLimit may change"),
    (Slipping, "which P["),
    (Paying, "which P["),
    (Elsewhere, "it starts in 5, where initial_state_distrib is 0"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), UNFAITHFUL)
def test_an_environment_that_does_not_follow_its_table_is_refused_with_the_reason(make, message):
    env = make()
    with pytest.raises(ValueError, match="env must follow its table P; .*" + re.escape(message)):
        FiniteHorizonMDP.from_gymnasium(env, 5)
    env.close()


def test_reading_a_table_leaves_the_environment_where_it_was():
    env = gymnasium.make("FrozenLake-v1")
    env.reset(seed=3)
    env.step(2)
    before = env.unwrapped.s, env.unwrapped.np_random.bit_generator.state
    FiniteHorizonMDP.from_gymnasium(gymnasium.wrappers.RecordEpisodeStatistics(env), 5)
    assert (env.unwrapped.s, env.unwrapped.np_random.bit_generator.state) == before


@pytest.mark.parametrize(
    ("env_id", "options"),
    [("Taxi-v4", {"is_rainy": True}), ("FrozenLake-v1", {"is_slippery": True}), ("CliffWalking-v1", {"is_slippery": True})],
)  # fmt: skip
def test_chance_that_a_table_holds_is_followed_with_its_probabilities(env_id, options):
    """Rain in Taxi too. Frequencies of 1000 steps from each of some pairs: a false alarm in at most one of a million."""
    env = gymnasium.make(env_id, **options).unwrapped
    mdp = FiniteHorizonMDP.from_gymnasium(env, 5)
    dense, counts = mdp.to_dense()[0], np.zeros((mdp.n_states, mdp.n_actions, mdp.n_states))
    rng = np.random.default_rng(8)
    env.reset(seed=8)
    states, n = rng.permutation(mdp.n_states - 1)[:8], 1000
    for s in states.tolist():
        for a in range(mdp.n_actions):
            for _ in range(n):
                env.s = s
                following, _, ended, _, _ = env.step(a)
                counts[s, a, -1 if ended else following] += 1
    p = dense[states]
    gap = np.abs(counts[states] / n - p)
    # Hoeffding's bound for each entry that can be positive, and certainty for the others
    entries = int((p > 0).sum())
    assert (gap[p == 0] == 0).all()
    assert gap.max() <= np.sqrt(np.log(2 * entries / 1e-6) / (2 * n))
