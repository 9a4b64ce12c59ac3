"""Data files of others: found in the folder that POSTBC_DATA names, or named as missing."""

import hashlib

import pytest

from figures.running.data import data_digest, data_path, missing_data


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("POSTBC_DATA", str(tmp_path))
    (tmp_path / "a.csv").write_bytes(b"1\n")
    (tmp_path / "b.csv").write_bytes(b"2\n")
    return tmp_path


def test_a_data_file_is_found_in_the_folder_that_the_variable_names(folder):
    assert data_path("a.csv") == folder / "a.csv"


def test_missing_data_files_are_named_in_order(folder):
    assert missing_data(["c.csv", "a.csv", "d/e.csv"]) == ["c.csv", "d/e.csv"]
    assert missing_data([]) == []


def test_a_missing_data_file_is_refused_by_name(folder, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"c\.csv is needed, and is not in the folder"):
        data_path("c.csv")
    with pytest.raises(FileNotFoundError, match="is not in the folder"):
        data_path(".")  # a folder is no file
    monkeypatch.setenv("POSTBC_DATA", "")
    with pytest.raises(FileNotFoundError, match="POSTBC_DATA does not name the folder"):
        data_path("a.csv")


def test_the_digest_of_data_files_depends_on_contents_and_names(folder):
    one = data_digest(["a.csv"])
    assert one == hashlib.sha256(b"a.csv\0" + hashlib.sha256(b"1\n").digest()).hexdigest()
    assert data_digest(["a.csv", "b.csv"]) != data_digest(["b.csv", "a.csv"])
    (folder / "a.csv").write_bytes(b"3\n")
    assert data_digest(["a.csv"]) != one
