import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.base.streams import stream


@given(st.integers(0, 2**64), st.lists(st.integers(0, 9), max_size=2), st.integers(0, 5))
def test_stream_k_is_that_of_the_kth_spawned_child_and_leaves_the_seed(entropy, key, k):
    seed = np.random.SeedSequence(entropy, spawn_key=tuple(key))
    found = stream(seed, k).integers(2**60, size=3).tolist()
    assert seed.n_children_spawned == 0
    child = seed.spawn(k + 1)[k]
    assert found == np.random.default_rng(child).integers(2**60, size=3).tolist()


@pytest.mark.parametrize(("seed", "k", "name"), [(7, 0, "seed"), (np.random.SeedSequence(7), -1, "k")])
def test_stream_refuses_bad_arguments_by_name(seed, k, name):
    with pytest.raises((TypeError, ValueError), match=name):
        stream(seed, k)
