"""Lessons run as scripts, and each question has an answer."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "figures" / "lessons").glob("lesson_*.py"))


def each_lesson():
    return pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def test_there_are_four_lessons():
    assert len(LESSONS) == 4


@each_lesson()
def test_a_lesson_runs_as_a_script_and_saves_its_pictures(path, tmp_path):
    checkout = tmp_path / "checkout"  # run elsewhere, so that its pictures do not land in this checkout
    checkout.mkdir()
    for name in ("paper_repro.py", "figures", "tabular", "continuous", "theory"):
        (checkout / name).symlink_to(ROOT / name)
    run = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": ""},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    pictures = re.findall(r"\(picture: (.*)\)", run.stdout)
    assert pictures
    assert all((checkout / picture).stat().st_size > 1000 for picture in pictures)


@each_lesson()
def test_each_question_is_answered_further_down(path):
    text = path.read_text(encoding="utf-8")
    questions = re.findall(r"\*\*Question (\d)\.\*\*", text)
    assert len(questions) >= 3
    for number in questions:
        assert text.index(f"**Question {number}.**") < text.index(f"**Answer {number}.**")


@each_lesson()
def test_cells_hold_either_text_or_code(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# %% [markdown]\n")
    for cell in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        markdown, body = cell.startswith(" [markdown]\n"), cell.partition("\n")[2].strip()
        assert body
        assert (body.startswith('"""') and body.endswith('"""')) == markdown
