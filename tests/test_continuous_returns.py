"""Returns of recorded decisions, against double loops in exact fractions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from continuous.finetuning import Experience
from continuous.returns import advantages, following, largest_return, over_decisions


def table_of(lengths, rewards, cut=()):
    """Episodes of so many decisions that are played side by side, as `roll_out` records them.

    Episodes named in `cut` are not recorded to their end. The input of decision k of episode e is 100 e + k.
    """
    rows = [(k, e) for k in range(max(lengths)) for e in range(len(lengths)) if k < lengths[e]]
    column = lambda values: np.array(values, np.float32)[:, None]  # noqa: E731
    return Experience(
        inputs=column([100 * e + k for k, e in rows]),
        choices=column([0.0] * len(rows)),
        rewards=column([rewards[i % len(rewards)] for i in range(len(rows))]),
        next_inputs=column([100 * e + k + 1 for k, e in rows]),
        ended=np.array([[k == lengths[e] - 1 and e not in cut] for k, e in rows]),
        episodes=np.array([e for _, e in rows]),
    )


def by_a_double_loop(table, n, discount):
    """Reward, what is kept and the next input of each decision, in fractions."""
    M, out = len(table.rewards), []
    for i in range(M):
        later = [j for j in range(i, M) if table.episodes[j] == table.episodes[i]][:n]
        reward, weight = Fraction(0), Fraction(1)
        for j in later:
            reward += weight * Fraction(float(table.rewards[j, 0]))
            weight *= discount
        ended = table.ended[later[-1], 0]
        out.append((reward, Fraction(0) if ended else weight, table.next_inputs[later[-1], 0]))
    return out


episodes = st.lists(st.integers(1, 5), min_size=1, max_size=4)
eighths = st.lists(st.integers(-8, 8).map(lambda k: k / 8), min_size=1, max_size=7)


@given(lengths=episodes, rewards=eighths, n=st.integers(1, 8), cut=st.sets(st.integers(0, 3)))
@example(lengths=[3, 1, 5], rewards=[0.0, 1.0], n=10, cut=set())
@example(lengths=[2, 4], rewards=[0.5], n=2, cut={0})
def test_rewards_over_several_decisions_are_those_of_a_double_loop_bit_for_bit(lengths, rewards, n, cut):
    """Eighths and powers of 1/2 up to 2^-8 are exact in single precision."""
    table = table_of(lengths, rewards, cut)
    reward, keep, after = over_decisions(table, n, 0.5)
    expected = by_a_double_loop(table, n, Fraction(1, 2))
    assert [Fraction(float(r)) for r in reward[:, 0]] == [r for r, _, _ in expected]
    assert [Fraction(float(k)) for k in keep[:, 0]] == [k for _, k, _ in expected]
    assert_array_equal(after[:, 0], [x for _, _, x in expected])


@given(lengths=episodes, rewards=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=7))
def test_over_one_decision_they_are_the_recorded_arrays_bit_for_bit(lengths, rewards):
    table = table_of(lengths, rewards)
    for found, own in zip(
        over_decisions(table, 1, 0.98), (table.rewards, table.keeps(0.98), table.next_inputs), strict=True
    ):
        assert_array_equal(found, own)
        assert (found.dtype, found.shape) == (np.float32, own.shape)


@given(lengths=episodes, cut=st.sets(st.integers(0, 3)))
def test_the_next_decision_is_that_of_the_same_episode(lengths, cut):
    table = table_of(lengths, [0.0], cut)
    for i, j in enumerate(following(table)):
        later = [k for k in range(i + 1, len(table.rewards)) if table.episodes[k] == table.episodes[i]]
        assert j == (later[0] if later else -1)


def test_generalised_advantages_are_discounted_sums_of_the_errors_of_v():
    rng, n, ends = np.random.default_rng(8), 7, {3, 6}
    episodes = np.array([0, 1, 0, 0, 1, 1, 1])  # in the order of time; the first ends in row 3, the second in row 6
    ended = np.array([[i in ends] for i in range(n)])
    reward = rng.normal(size=(n, 1)).astype(np.float32)
    nothing = np.zeros((n, 1), np.float32)
    table = Experience(
        inputs=nothing, choices=nothing, rewards=reward, next_inputs=nothing, ended=ended, episodes=episodes
    )
    V, after = rng.normal(size=(2, n))
    for trace in (0.0, 0.6, 1.0):
        found = advantages(table, V, after, 0.9, trace)
        for i in range(n):
            later = [j for j in range(i, n) if episodes[j] == episodes[i]]
            errors = [reward[j, 0] + (0.0 if j in ends else 0.9 * after[j]) - V[j] for j in later]
            assert found[i] == pytest.approx(sum((0.9 * trace) ** k * e for k, e in enumerate(errors)), rel=1e-5)


def test_the_largest_return_of_rewards_for_success_is_one_whether_or_not_one_was_seen():
    table = table_of([3, 2], [0.0])
    assert largest_return(table, 0.9) == 1.0
    won = replace(table, rewards=table.ended.astype(np.float32))
    assert largest_return(won, 0.9) == 1.0


@given(lengths=episodes, rewards=eighths)
@example(lengths=[3, 1], rewards=[1.0])  # one at every decision is no reward for success
@example(lengths=[3, 1], rewards=[-1.0, -0.5])
def test_no_episode_recorded_has_a_larger_return_than_the_largest(lengths, rewards):
    table = table_of(lengths, rewards)
    seen = [r for (r, _, _), first in zip(by_a_double_loop(table, 9, Fraction(1, 2)), table.inputs, strict=True)
            if first % 100 == 0]  # fmt: skip
    assert largest_return(table, 0.5) >= max(seen)


@pytest.mark.parametrize(
    ("lengths", "rewards", "expected"), [([3, 1], [1.0], 1.75), ([3, 1], [-1.0, -0.5], -0.5), ([1], [2.0], 2.0)]
)
def test_the_largest_return_of_other_rewards_is_the_largest_reward_at_every_decision(lengths, rewards, expected):
    assert largest_return(table_of(lengths, rewards), 0.5) == expected
