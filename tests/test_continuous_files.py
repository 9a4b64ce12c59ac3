"""continuous.files: written arrays are read back; other kinds, formats, objects and incomplete files are refused."""

import numpy as np
import pytest

from continuous.files import FORMAT, load_arrays, save_arrays

ARRAYS = {"a": np.arange(3, dtype=np.float32), "b": np.array("word")}


def test_saved_arrays_are_read_back_with_their_types(tmp_path):
    save_arrays(tmp_path / "x.npz", "thing", ARRAYS)
    found = load_arrays(tmp_path / "x.npz", "thing", ("a", "b"))
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        name: (array.dtype, array.tolist()) for name, array in ARRAYS.items()
    }
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
    with np.load(tmp_path / "x.npz", allow_pickle=False) as raw:
        assert int(raw["format"]) == FORMAT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": np.int64(FORMAT + 1)},
            f"of kind 'thing' and format {FORMAT}; got kind 'thing' and format {FORMAT + 1}",
        ),
        ({"format": None}, "format none"),
        ({"kind": np.array("other")}, "got kind 'other'"),
        ({"a": None}, "must hold a, b; got b"),
        ({"c": np.ones(1)}, "must hold a, b; got a, b, c"),
        ({"a": np.array([{}], object)}, "not a complete npz file"),
    ],
)
def test_files_of_another_kind_format_or_content_are_refused(tmp_path, change, message):
    arrays = {"kind": np.array("thing"), "format": np.int64(FORMAT), **ARRAYS, **change}
    np.savez(tmp_path / "x.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match=message):
        load_arrays(tmp_path / "x.npz", "thing", ("a", "b"))


def test_objects_other_endings_missing_and_cut_files_are_refused(tmp_path):
    with pytest.raises(TypeError, match="array 'a' holds objects"):
        save_arrays(tmp_path / "x.npz", "thing", {"a": [{}]})
    with pytest.raises(ValueError, match=r"path must end in \.npz"):
        save_arrays(tmp_path / "x.pkl", "thing", ARRAYS)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        load_arrays(tmp_path / "x.npz", "thing", ("a",))
    save_arrays(tmp_path / "x.npz", "thing", ARRAYS)
    whole = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a complete npz file"):
        load_arrays(tmp_path / "x.npz", "thing", ("a", "b"))
