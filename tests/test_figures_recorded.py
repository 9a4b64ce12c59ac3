"""Recorded tables: read whole and as they were recorded, or refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figures.running import recorded
from figures.running.recorded import Recorded, TableError, read_rows, recorded_rows, tables_problem, write_rows

WHOLE = {"blocks": 3, "blocks_in_all": 3, "seed": 5}
COMMAND = r"python -m figures grid --only table --into"


def table(folder, name="table", about=WHOLE):
    path = folder / f"{name}.csv"
    write_rows(path, ("task", "curve"), [{"task": "reach", "curve": "1, 2"}, {"task": "push", "curve": ""}], about)
    return path


def test_rows_of_recorded_tables_are_texts_by_column_one_table_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "RESULTS", tmp_path)
    table(tmp_path, "a")
    write_rows(tmp_path / "b.csv", ("n",), [{"n": "3"}], WHOLE)
    assert recorded_rows(Recorded(("b", "a"))) == [
        {"n": "3"},
        {"task": "reach", "curve": "1, 2"},
        {"task": "push", "curve": ""},
    ]
    digest = "1804229309389d8e382d75a83167038e7ca82489e37ac6eea775ae27613ab3e8"
    assert json.loads((tmp_path / "b.json").read_text()) == {"schema": 3, "sha256": digest, "rows": 1, **WHOLE}
    assert tables_problem(("a", "b")) is None
    assert "there is no table" in tables_problem(("a", "c", "b"))


@given(st.data())
def test_a_table_that_was_cut_off_or_changed_anywhere_is_refused(tmp_path_factory, data):
    path = table(tmp_path_factory.mktemp("tables"))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytes([content[place] ^ data.draw(st.integers(1, 255))])
    path.write_bytes(content[:place] + data.draw(st.sampled_from([b"", changed + content[place + 1 :]])))
    with pytest.raises(TableError, match=rf"table\.csv is not the table that table\.json describes: .*{COMMAND}"):
        read_rows(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty; a table has a header"),
        ("task,curve\n1,2\n3", "row 2 has 1 entries for 2 columns"),
        ("task,curve\n1,2,3\n", "row 1 has 3 entries for 2 columns"),
        ("task,curve\n1,2\n", "it has 1 rows in place of 2"),
        ("task,curve\n1,2\n1,3\n", "its SHA-256 is another"),
    ],
)
def test_the_refusal_says_how_a_table_differs_from_its_record(tmp_path, text, message):
    path = table(tmp_path)
    path.write_text(text)
    with pytest.raises(TableError, match=message):
        read_rows(path)


def test_a_table_that_lacks_blocks_is_refused_with_the_command_that_completes_it(tmp_path, monkeypatch):
    path = table(tmp_path, about={**WHOLE, "blocks_in_all": 7})
    with pytest.raises(TableError, match=rf"table\.csv holds 3 of 7 blocks; `{COMMAND} {tmp_path}` completes it"):
        read_rows(path)
    monkeypatch.setattr(recorded, "RESULTS", tmp_path)
    assert tables_problem(["table"]).endswith("`python -m figures grid --only table` completes it")


@pytest.mark.parametrize("record", [None, "{", "[]", '{"rows": 2, "blocks": 3, "blocks_in_all": 3}'])
def test_a_table_without_a_whole_record_is_refused(tmp_path, record):
    path = table(tmp_path)
    path.with_suffix(".json").unlink() if record is None else path.with_suffix(".json").write_text(record)
    with pytest.raises(TableError, match=r"table\.csv has no table\.json with its digest and size"):
        read_rows(path)


def test_a_table_that_is_not_there_is_refused_by_its_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"table\.csv; .*computes it"):
        read_rows(tmp_path / "table.csv")
