"""Files of the output folder: equal content gives equal bytes; a file is complete or absent."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from figures.look import style
from figures.running.artifacts import atomic, load_arrays, save_arrays, save_figure, save_json, to_json

ARRAYS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
    hnp.arrays(
        st.sampled_from([np.float64, np.int64, np.bool_, np.dtype("U3")]), hnp.array_shapes(min_dims=0, max_side=4)
    ),
    max_size=4,
)


@given(ARRAYS)
def test_arrays_and_their_description_survive_a_round_trip(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("arrays") / "data.npz"
    save_arrays(path, arrays, {"seed": 3, "name": "größe"})
    loaded, meta = load_arrays(path)
    assert meta == {"seed": 3, "name": "größe"}
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)


def test_saved_arrays_have_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    arrays = {"b": np.arange(5), "a": np.ones((2, 3))}
    save_arrays(tmp_path / "one.npz", arrays, {"x": 1})
    monkeypatch.setattr("time.time", lambda: 2e9)
    save_arrays(tmp_path / "two.npz", dict(reversed(arrays.items())), {"x": 1})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_numpy_reads_the_arrays_without_pickle(tmp_path):
    save_arrays(tmp_path / "data.npz", {"a": np.arange(3)}, {})
    with np.load(tmp_path / "data.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["a"], np.arange(3))


def test_arrays_of_objects_are_refused_and_leave_no_file(tmp_path):
    with pytest.raises(TypeError, match="array 'a' holds objects"):
        save_arrays(tmp_path / "data.npz", {"a": np.array([{}])}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half():
        with atomic(path) as file:
            file.write(b"half of the new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_truncated_data_file_is_refused(tmp_path, kept):
    path = tmp_path / "data.npz"
    save_arrays(path, {"a": np.arange(100)}, {})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"data\.npz is not a complete data file"):
        load_arrays(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_holds_no_nan_and_no_infinity(value):
    with pytest.raises(ValueError, match="JSON"):
        to_json({"x": value})


def test_json_is_read_back(tmp_path):
    save_json(tmp_path / "x.json", {"a": [1, None, 0.5]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [1, None, 0.5]}


def test_a_figure_drawn_twice_gives_the_same_bytes(tmp_path):
    for stem in ("one", "two"):
        with style.style():
            figure = style.new_figure(page=2, column=2)
            figure.subplots().plot([1, 2], [3, 4], label="$\\alpha$")
            save_figure(tmp_path / stem, figure)
    for suffix in (".pdf", ".png"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
