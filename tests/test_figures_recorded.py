"""Recorded tables: read whole, or refused."""

import pytest

from figures.running import recorded
from figures.running.recorded import Recorded, read_rows, recorded_rows


def test_rows_of_recorded_tables_are_texts_by_column_one_table_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "RESULTS", tmp_path)
    (tmp_path / "a.csv").write_text('task,curve\nreach,"1, 2"\npush,\n')
    (tmp_path / "b.csv").write_text("n\n3\n")
    assert recorded_rows(Recorded(("b", "a"))) == [
        {"n": "3"},
        {"task": "reach", "curve": "1, 2"},
        {"task": "push", "curve": ""},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"table\.csv is empty; a table has a header"),
        ("a,b\n1,2\n3", r"table\.csv: row 2 has 1 entries for 2 columns"),
        ("a,b\n1,2,3\n", r"table\.csv: row 1 has 3 entries for 2 columns"),
    ],
)
def test_a_table_that_was_cut_off_is_refused(tmp_path, text, message):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_rows(tmp_path / "table.csv")


def test_a_table_that_is_not_there_is_refused_by_its_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"table\.csv"):
        read_rows(tmp_path / "table.csv")
