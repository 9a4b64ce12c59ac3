"""continuous.demonstrations: chunks against plain Python, scales and their floor, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from continuous.demonstrations import SPREAD_FLOOR, Demonstrations, Scale

FINE = {"observations": np.ones((3, 2)), "actions": np.zeros((3, 1)), "episode_ends": np.array([1, 3])}


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 6))
def test_chunks_are_the_next_actions_and_then_the_last_one_again(lengths, size):
    """Also where a chunk is longer than its episode; one longer than every episode is refused."""
    episodes, count = [], 0
    for n in lengths:
        episodes.append([[count + i, -(count + i)] for i in range(n)])
        count += n
    rows = [action for episode in episodes for action in episode]
    data = Demonstrations(np.zeros((count, 1)), np.array(rows, float), np.cumsum(lengths))
    if size > max(lengths):
        with pytest.raises(ValueError, match=f"longest episode, {max(lengths)} steps; got {size}"):
            data.chunks(size)
        return
    wanted = [
        [entry for k in range(i, i + size) for entry in (episode[k] if k < len(episode) else episode[-1])]
        for episode in episodes
        for i in range(len(episode))
    ]
    assert data.chunks(size).tolist() == wanted
    assert data.episode_of.tolist() == [e for e, n in enumerate(lengths) for _ in range(n)]
    assert data.n_episodes == len(lengths)


@given(st.integers(1, 20), st.integers(1, 4), st.integers(0, 2**32))
def test_a_scale_maps_rows_to_mean_0_and_deviation_1_and_back(n, dim, number):
    rows = np.random.default_rng(number).normal(2, 3, size=(n, dim))
    scale = Scale.of(rows)
    assert_allclose(scale.undo(scale.apply(rows)), rows, atol=1e-9)
    assert_allclose(scale.apply(rows).mean(axis=0), 0, atol=1e-9)
    if n > 1:
        assert_allclose(scale.apply(rows).std(axis=0), 1, rtol=1e-9)


def test_a_scale_divides_a_constant_column_by_the_floor():
    scale = Scale.of(np.column_stack([np.full(5, 7.0), np.arange(5.0)]))
    assert scale.spread[0] == SPREAD_FLOOR
    assert (scale.apply(np.array([[7.0, 2.0]])) == 0).all()


def test_demonstrations_are_read_only_copies():
    data = Demonstrations(**FINE)
    for rows in (data.observations, data.actions, data.episode_ends):
        with pytest.raises(ValueError, match="read-only"):
            rows[0] = 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observations": np.ones(3)}, "observations must have shape"),
        ({"observations": np.ones((2, 2))}, r"actions must have shape \(2, any\)"),
        ({"observations": np.array([[1, 1], [1, np.nan], [1, 1]])}, r"observations must be finite; entry \(1, 1\)"),
        ({"actions": np.array([[0], [0], [-np.inf]])}, r"actions must be finite; entry \(2, 0\)"),
        ({"actions": np.zeros((3, 0))}, "must hold a row and a column"),
        ({"observations": np.ones((0, 2)), "actions": np.zeros((0, 1))}, "must hold a row and a column"),
        ({"observations": [["a", "b"]] * 3}, "observations must hold real numbers"),
        ({"episode_ends": np.array([1, 1, 3])}, "every episode must have a step; episode 1 has 0"),
        ({"episode_ends": np.array([0, 3])}, "every episode must have a step; episode 0 has 0"),
        ({"episode_ends": np.array([2, 1, 3])}, "every episode must have a step; episode 1 has -1"),
        ({"episode_ends": np.array([], int)}, "episode_ends must end with the number of rows, 3"),
        ({"episode_ends": np.array([1, 4])}, "episode_ends must end with the number of rows, 3"),
        ({"episode_ends": np.array([1.0, 3.0])}, "episode_ends must hold integers"),
    ],
)
def test_demonstrations_that_do_not_fit_together_are_refused(change, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Demonstrations(**{**FINE, **change})


def test_a_chunk_length_or_scale_out_of_range_is_refused():
    with pytest.raises(ValueError, match="length must be at least 1"):
        Demonstrations(**FINE).chunks(0)
    with pytest.raises(ValueError, match="rows must not be empty"):
        Scale.of(np.zeros((0, 2)))
    with pytest.raises(ValueError, match="rows must be finite"):
        Scale.of(np.array([[np.nan]]))
    for spread in ([0.0, 1.0], [1.0]):
        with pytest.raises(ValueError, match="x_spread must be above 0"):
            Scale.read({"x_mean": np.zeros(2), "x_spread": np.array(spread)}, "x")
