import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular import dp
from tabular.coverage import coverage
from tabular.kernels import dynamic_programming, policy_tables, sampling
from tabular.mdp import FiniteHorizonMDP
from tabular.policies import BC
from tabular.strategies import counts, instances, mdps, policies

EXACT = {"rtol": 1e-13, "atol": 1e-14}


def with_policy(**sizes):
    return mdps(**sizes).flatmap(lambda mdp: st.tuples(st.just(mdp), policies(mdp)))


def with_two_policies(**sizes):
    return mdps(**sizes).flatmap(lambda mdp: st.tuples(st.just(mdp), policies(mdp), policies(mdp)))


def cells(mdp):
    return [tuple(index) for index in np.ndindex(mdp.policy_shape)]


# --- agreement with enumeration ---------------------------------------------------------------------------------------


@given(with_policy())
def test_return_is_the_average_over_all_trajectories(drawn):
    mdp, policy = drawn
    truth = oracles.expected_return(oracles.process_of(mdp), oracles.exact(policy.tolist()))
    assert_allclose(dp.expected_return(mdp, policy), float(truth), **EXACT)


@given(with_policy(max_states=2))
def test_values_are_averages_over_all_continuations(drawn):
    mdp, policy = drawn
    model, pi = oracles.process_of(mdp), oracles.exact(policy.tolist())
    found = dp.evaluate_policy(mdp, policy)
    for h, s, a in cells(mdp):
        assert_allclose(found.value[h, s], float(oracles.value(model, pi, h, s)), **EXACT)
        assert_allclose(found.action_value[h, s, a], float(oracles.action_value(model, pi, h, s, a)), **EXACT)
    assert not found.value[mdp.horizon].any()


@given(with_policy())
def test_occupancy_is_the_frequency_over_all_trajectories(drawn):
    mdp, policy = drawn
    truth = oracles.occupancy(oracles.process_of(mdp), oracles.exact(policy.tolist()))
    assert_allclose(dp.occupancy(mdp, policy), np.array(truth, float), **EXACT)


@given(with_policy(), st.data())
def test_the_probability_of_meeting_is_the_share_of_trajectories_that_do(drawn, data):
    mdp, policy = drawn
    horizon, n_states, _ = mdp.policy_shape
    cells = np.array(data.draw(st.lists(st.booleans(), min_size=horizon * n_states, max_size=horizon * n_states)))
    cells = cells.reshape(horizon, n_states)
    trajectories = oracles.trajectories(oracles.process_of(mdp), oracles.exact(policy.tolist()))
    truth = sum(p for p, path in trajectories if any(cells[h, s] for h, (s, _) in enumerate(path)))
    assert_allclose(dp.meeting_probability(mdp, policy, cells), float(truth), **EXACT)


@given(mdps(max_horizon=2, max_states=2, max_actions=2))
def test_optimal_values_are_the_best_of_all_deterministic_policies(mdp):
    model = oracles.process_of(mdp)
    candidates = list(oracles.deterministic_policies(*mdp.policy_shape))
    solution = dp.backward_induction(mdp)
    for h, s, a in cells(mdp):
        best = max(oracles.value(model, pi, h, s) for pi in candidates)
        best_after = max(oracles.action_value(model, pi, h, s, a) for pi in candidates)
        assert_allclose(solution.value[h, s], float(best), **EXACT)
        assert_allclose(solution.action_value[h, s, a], float(best_after), **EXACT)
    assert_allclose(
        dp.optimal_return(mdp), float(max(oracles.expected_return(model, pi) for pi in candidates)), **EXACT
    )


# --- laws -------------------------------------------------------------------------------------------------------------


@given(with_policy())
def test_return_is_reward_against_occupancy(drawn):
    mdp, policy = drawn
    assert_allclose(dp.expected_return(mdp, policy), (dp.occupancy(mdp, policy) * mdp.reward).sum(), **EXACT)


@given(with_policy())
def test_occupancy_sums_to_one_in_every_step(drawn):
    mdp, policy = drawn
    assert_allclose(dp.occupancy(mdp, policy).sum(axis=(1, 2)), 1.0, **EXACT)


@given(with_policy())
def test_occupancy_of_actions_is_occupancy_of_the_state_times_the_policy(drawn):
    mdp, policy = drawn
    w = dp.occupancy(mdp, policy)
    assert_allclose(w, w.sum(axis=2, keepdims=True) * policy, **EXACT)


@given(with_policy())
def test_backward_induction_dominates_every_policy_everywhere(drawn):
    mdp, policy = drawn
    best, other = dp.backward_induction(mdp), dp.evaluate_policy(mdp, policy)
    assert (best.value >= other.value - 1e-14).all()
    assert (best.action_value >= other.action_value - 1e-14).all()


@given(mdps())
def test_the_greedy_policy_attains_the_optimal_values(mdp):
    solution = dp.backward_induction(mdp)
    attained = dp.evaluate_policy(mdp, solution.policy())
    assert_allclose(attained.value, solution.value, **EXACT)
    assert_allclose(attained.action_value, solution.action_value, **EXACT)


@given(mdps())
def test_the_greedy_action_is_the_first_of_the_maximising_ones(mdp):
    solution = dp.backward_induction(mdp)
    assert np.array_equal(solution.greedy, solution.action_value.argmax(axis=2))


@given(with_two_policies())
def test_performance_difference_is_the_advantage_under_the_other_occupancy(drawn):
    mdp, one, other = drawn
    of_other = dp.evaluate_policy(mdp, other)
    advantage = of_other.action_value - of_other.value[:-1, :, None]
    gap = (dp.occupancy(mdp, one) * advantage).sum()
    assert_allclose(dp.expected_return(mdp, one) - dp.expected_return(mdp, other), gap, **EXACT)


@given(with_two_policies())
def test_suboptimality_is_the_difference_of_returns(drawn):
    mdp, demonstrator, policy = drawn
    gap = dp.expected_return(mdp, demonstrator) - dp.expected_return(mdp, policy)
    assert dp.suboptimality(mdp, demonstrator, policy) == gap
    assert dp.suboptimality(mdp, demonstrator, demonstrator) == 0


@given(with_policy())
def test_reachable_cells_are_those_with_positive_occupancy(drawn):
    mdp, policy = drawn
    truth = oracles.occupancy(oracles.process_of(mdp), oracles.exact(policy.tolist()))
    assert dp.reachable(mdp, policy).tolist() == [[sum(row) > 0 for row in step] for step in truth]


def everything(mdp, policy):
    solution, evaluation = dp.backward_induction(mdp), dp.evaluate_policy(mdp, policy)
    return solution.value, solution.action_value, evaluation.value, evaluation.action_value, dp.occupancy(mdp, policy)


def assert_same_answers(one, other, policy):
    for x, y in zip(everything(one, policy), everything(other, policy), strict=True):
        assert_allclose(x, y, **EXACT)


@given(with_policy())
def test_a_dense_table_and_successor_lists_give_the_same_values(drawn):
    mdp, policy = drawn
    full = np.broadcast_to(np.arange(mdp.n_states), mdp.to_dense().shape)
    lists = FiniteHorizonMDP(full, mdp.to_dense(), mdp.reward, mdp.initial, mdp.horizon)
    dense = FiniteHorizonMDP.from_dense(mdp.to_dense(), mdp.reward, mdp.initial, mdp.horizon)
    assert_same_answers(mdp, lists, policy)
    assert_same_answers(mdp, dense, policy)


@given(with_policy())
def test_a_table_repeated_for_each_step_has_the_values_of_the_stationary_one(drawn):
    mdp, policy = drawn
    H = mdp.horizon

    def stacked(table):
        return np.broadcast_to(table, (H, *table.shape[1:]))

    other = FiniteHorizonMDP(stacked(mdp.successors), stacked(mdp.probabilities), stacked(mdp.reward), mdp.initial, H)
    assert_same_answers(mdp, other, policy)


@given(with_policy(), st.integers(1, 3))
def test_further_steps_without_reward_leave_the_return(drawn, extra):
    mdp, policy = drawn
    H, S, A = mdp.policy_shape

    def longer(table):
        return np.concatenate([np.broadcast_to(table, (H, *table.shape[1:])), *[table[:1]] * extra])

    rewards = longer(mdp.reward)
    rewards[H:] = 0.0
    padded = FiniteHorizonMDP(longer(mdp.successors), longer(mdp.probabilities), rewards, mdp.initial, H + extra)
    plan = np.concatenate([policy, np.full((extra, S, A), 1.0 / A)])
    assert_allclose(dp.evaluate_policy(padded, plan).value[: H + 1], dp.evaluate_policy(mdp, policy).value, **EXACT)
    assert_allclose(dp.backward_induction(padded).value[: H + 1], dp.backward_induction(mdp).value, **EXACT)
    assert_allclose(dp.occupancy(padded, plan)[:H], dp.occupancy(mdp, policy), **EXACT)


@given(with_policy(), st.integers(0, 2), st.integers(0, 8))
def test_a_duplicated_state_leaves_the_values(drawn, which, eighths):
    mdp, policy = drawn
    S, twin, share = mdp.n_states, which % mdp.n_states, eighths / 8

    def split(table):
        table = np.concatenate([table, (1 - share) * table[..., [twin]]], axis=-1)
        table[..., twin] *= share
        return table

    def doubled(table):
        return np.concatenate([table, table[:, [twin]]], axis=1)

    other = FiniteHorizonMDP.from_dense(
        split(doubled(mdp.to_dense())), doubled(mdp.reward), split(mdp.initial), mdp.horizon
    )
    plan = doubled(policy)
    assert_allclose(dp.expected_return(other, plan), dp.expected_return(mdp, policy), **EXACT)
    assert_allclose(dp.optimal_return(other), dp.optimal_return(mdp), **EXACT)
    w = dp.occupancy(other, plan)
    w[:, twin] += w[:, S]
    assert_allclose(w[:, :S], dp.occupancy(mdp, policy), **EXACT)


@given(with_policy())
def test_values_are_equal_bit_by_bit_from_call_to_call(drawn):
    mdp, policy = drawn
    for x, y in zip(everything(mdp, policy), everything(mdp, policy.copy()), strict=True):
        assert np.array_equal(x, y)


def test_long_dense_rows_lose_no_term(rng):
    table = rng.dirichlet(np.ones(301), (1, 301, 2))
    mdp = FiniteHorizonMDP.from_dense(table, rng.random((1, 301, 2)), np.eye(301)[0], 2)
    assert mdp.is_dense
    value = mdp.reward[0].max(axis=1)
    assert_allclose(dp.backward_induction(mdp).action_value[0], mdp.reward[0] + table[0] @ value, rtol=1e-13)


# --- refusals ---------------------------------------------------------------------------------------------------------


def two_states():
    return FiniteHorizonMDP.from_dense(np.full((2, 2, 2), 0.5), np.zeros((2, 2)), [1.0, 0.0], 3)


CALLS = {
    "evaluate_policy": dp.evaluate_policy,
    "expected_return": dp.expected_return,
    "occupancy": dp.occupancy,
    "reachable": dp.reachable,
    "policy of suboptimality": lambda mdp, policy: dp.suboptimality(mdp, np.full(mdp.policy_shape, 0.5), policy),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
class TestPolicyIsRefused:
    def test_a_policy_of_another_shape_is_refused(self, call):
        with pytest.raises(ValueError, match=r"policy must have shape \(3, 2, 2\); got \(2, 2\)"):
            call(two_states(), np.full((2, 2), 0.5))

    def test_a_policy_whose_row_does_not_sum_to_one_is_refused(self, call):
        policy = np.full((3, 2, 2), 0.5)
        policy[2, 1, 0] = 0.48
        with pytest.raises(ValueError, match=r"policy rows must sum to 1; row \(2, 1\) sums to 0\.98"):
            call(two_states(), policy)

    def test_a_policy_with_a_negative_entry_is_refused(self, call):
        policy = np.full((3, 2, 2), 0.5)
        policy[0, 1] = -0.5, 1.5
        with pytest.raises(ValueError, match=r"policy must be non-negative; entry \(0, 1, 0\) is -0\.5"):
            call(two_states(), policy)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_a_policy_with_an_entry_that_is_not_finite_is_refused(self, call, bad):
        policy = np.full((3, 2, 2), 0.5)
        policy[1, 0, 1] = bad
        with pytest.raises(ValueError, match=r"policy must be finite; entry \(1, 0, 1\) is"):
            call(two_states(), policy)

    def test_a_policy_that_holds_no_numbers_is_refused(self, call):
        with pytest.raises(TypeError, match="policy must hold real numbers; its dtype is"):
            call(two_states(), np.full((3, 2, 2), "a"))

    def test_a_ragged_policy_is_refused(self, call):
        with pytest.raises(ValueError, match="policy must be a rectangular array"):
            call(two_states(), [[[1.0], [1.0, 0.0]]])


@pytest.mark.parametrize("cells", [np.zeros((3, 2)), np.zeros((2, 2), bool)])
def test_cells_to_meet_are_refused_unless_they_are_boolean_for_every_step_and_state(cells):
    with pytest.raises(ValueError, match=r"cells must be boolean of shape \(3, 2\)"):
        dp.meeting_probability(two_states(), np.full((3, 2, 2), 0.5), cells)


def test_suboptimality_refuses_a_demonstrator_of_another_shape_by_name():
    with pytest.raises(ValueError, match=r"demonstrator must have shape \(3, 2, 2\)"):
        dp.suboptimality(two_states(), np.ones((1, 1)), np.full((3, 2, 2), 0.5))


@pytest.mark.parametrize("bad", [1e-8, -1e-8])
def test_a_row_of_a_policy_is_refused_just_beyond_the_tolerance_and_kept_within(bad):
    policy = np.full((3, 2, 2), 0.5)
    policy[0, 0, 0] += bad / 100
    dp.evaluate_policy(two_states(), policy)
    policy[0, 0, 0] += bad
    with pytest.raises(ValueError, match="policy rows must sum to 1"):
        dp.evaluate_policy(two_states(), policy)


# --- one compiled form ------------------------------------------------------------------------------------------------


def unaligned(array):
    memory = np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:]
    return np.ndarray(array.shape, array.dtype, memory.data)


KINDS = {
    "as it is": lambda policy: policy,
    "writable": np.array,
    "Fortran order": np.asfortranarray,
    "float32": lambda policy: policy.astype(np.float32),
    "other byte order": lambda policy: policy.astype(policy.dtype.newbyteorder()),
    "strided": lambda policy: np.repeat(policy, 2, axis=2)[..., ::2],
    "reversed in memory": lambda policy: policy[::-1].copy()[::-1],
    "unaligned": unaligned,
    "list": lambda policy: policy.tolist(),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
@given(instances())
def test_the_layout_of_a_policy_does_not_matter(kind, instance):
    mdp, policy = instance.mdp, instance.demonstrator
    for x, y in zip(everything(mdp, kind(policy)), everything(mdp, policy), strict=True):
        assert np.array_equal(x, y)


@pytest.mark.compiled
@given(instances().flatmap(lambda i: st.tuples(st.just(i), counts(i.mdp, i.demonstrator))))
def test_every_kernel_has_one_compiled_form(drawn):
    instance, recorded = drawn
    mdp = instance.mdp
    for kind in KINDS.values():
        everything(mdp, kind(instance.demonstrator))
        coverage(kind(BC.policy(recorded)), kind(instance.demonstrator), over="reachable", mdp=mdp)
    for kernel in (
        dynamic_programming.backward_induction,
        dynamic_programming.evaluate_policy,
        dynamic_programming.occupancy,
        policy_tables.first_bad_row,
        policy_tables.coverage,
        policy_tables.mixture_policy,
        sampling.count_visits,
    ):
        assert len(kernel.signatures) == 1, kernel.__name__


@pytest.mark.parametrize("function", [dp.evaluate_policy, dp.occupancy, dp.expected_return])
def test_an_argument_that_is_no_process_is_refused_by_name(function):
    with pytest.raises(TypeError, match="mdp must be of type FiniteHorizonMDP; got str"):
        function("process", np.ones((1, 1, 1)))
    with pytest.raises(TypeError, match="mdp must be of type FiniteHorizonMDP; got NoneType"):
        dp.backward_induction(None)
