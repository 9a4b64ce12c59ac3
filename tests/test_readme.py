"""The README is short and says what the record says; examples of the pages print what they promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from figures.control.grid import TASKS
from figures.control.pairs import Experiment, Pairs
from figures.control.tables import Row
from figures.control.variants import PolicySpec
from figures.pages.docs_record import read_record
from figures.pages.docs_tables import control_claim
from figures.running.recorded import read_rows
from figures.running.registry import figure_names

ROOT = Path(__file__).resolve().parents[1]


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def on_one_line(text):
    return " ".join(text.split())


def script(name, phrase):
    """The Python block of a page that contains a phrase."""
    blocks = re.findall(r"```python\n(.*?)```", page(name), flags=re.DOTALL)
    return next(block for block in blocks if phrase in block)


BOUND = script("docs/tabular.md", "def test_my_bound")


def run(*arguments, cwd):
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def policy(family, strength, variant=""):
    return PolicySpec(family=family, strength=strength, variant=variant)


def experiment(task, n_demos, learner, spec):
    return Experiment(task=task, n_demos=n_demos, policy=spec, learner=learner)


def recorded_pairs(*parts):
    return Pairs([Row.of(texts) for part in parts for texts in read_rows(ROOT / "results" / f"{part}.csv")])


def pytest_of(source, tmp_path):
    path = tmp_path / "test_mine.py"
    path.write_text(source, encoding="utf-8")
    options = ("-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path))
    return run("-m", "pytest", *options, "-o", f"pythonpath={ROOT}", str(path), cwd=tmp_path)


# --- the README -------------------------------------------------------------------------------------------------------


def test_the_readme_has_at_most_200_lines():
    assert len(page("README.md").splitlines()) <= 200


def test_the_readme_counts_the_wins_and_ties_of_control_as_the_record_does():
    record = read_record(ROOT / "docs" / "verdicts.json")
    against_bc, against_sigma = (
        {task: control_claim(record, task, f"finetuned, PostBC - {rival}").verdict for task in TASKS}
        for rival in ("BC", "sigma-BC")
    )
    assert [task for task, verdict in against_bc.items() if verdict == "holds"] == ["stick"]
    assert list(against_bc.values()).count("inconclusive") == 4
    assert list(against_sigma.values()) == ["inconclusive"] * 5
    text = on_one_line(page("README.md"))
    assert "PostBC beats BC on one of five tasks (stick: 0.66 against 0.49) and ties it on the other four." in text
    assert "It ties the best sigma-BC (the same noise in every state) on all five." in text


def test_the_successes_on_stick_that_the_readme_states_are_those_of_the_recorded_table():
    pairs = recorded_pairs("strengths")
    finetuned = [
        pairs.scores(experiment("stick", 10, "DSRL", spec))[1] for spec in (policy("PostBC", 2.0), policy("BC", 0.0))
    ]
    assert [f"{success.mean():.2f}" for success in finetuned] == ["0.66", "0.49"]


def test_numbers_of_the_readme_stand_in_the_findings():
    readme, findings = on_one_line(page("README.md")), on_one_line(page("docs/findings_tabular.md"))
    assert (
        "BC can never exceed 0.59 of the best return, however long it is finetuned, and PostBC reaches 0.9." in readme
    )
    assert "BC's plateau is 0.59 of J*" in findings
    assert "PostBC reaches 90 % of J* in 35 000 episodes" in findings


def test_the_table_of_figures_names_every_figure():
    assert set(re.findall(r"`(fig_\w+)`", page("docs/running.md"))) == set(figure_names())


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_make_targets_that_a_page_names_exist(path):
    makefile = page("Makefile")
    for target in set(re.findall(r"`make ([a-z]+)\b", path.read_text(encoding="utf-8"))):
        assert f"\n{target}:" in makefile, target


# --- the example of a bound -------------------------------------------------------------------------------------------


def test_the_example_of_a_bound_has_at_most_15_lines_and_passes(tmp_path):
    assert len([line for line in BOUND.splitlines() if line.strip()]) <= 15
    done = pytest_of(BOUND, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_example_of_a_bound_fails_where_the_bound_is_false(tmp_path):
    false = BOUND.replace("    kept =", "    promised = min(1.0, 8 * promised)\n    kept =")
    done = pytest_of(false, tmp_path)
    assert done.returncode == 1, done.stdout
    assert "assert kept >= 1 - delta" in done.stdout


# --- what the findings state ------------------------------------------------------------------------------------------

STATED = (
    ("stick", 10, "DSRL", policy("PostBC", 2.0), policy("BC", 0.0), 1, "a difference of 0.17 ["),
    ("stick", 10, "DSRL", policy("PostBC", 2.0), policy("BC", 0.0), 0, "success before it: on stick 0.15 ["),
    ("stick", 10, "DSRL", policy("PostBC", 1.0), policy("BC", 0.0), 1, "gains 0.10 ["),
    ("push", 10, "DSRL", policy("PostBC", 2.0), policy("sigma-BC", 0.4), 1, "0.23 [0.15, 0.39] below sigma-BC"),
    ("stick", 10, "DPPO", policy("PostBC", 2.0), policy("sigma-BC", 0.4), 1, "PostBC ends 0.32 ["),
    ("push", 10, "DPPO", policy("PostBC", 2.0), policy("BC", 0.0), 1, "on push by 0.19 ["),
    ("reach", 5, "DSRL", policy("PostBC", 0.5), policy("BC", 0.0), 1, "PostBC's gain is 0.03 from 5"),
    ("stick", 10, "DSRL", policy("PostBC", 2.0, "isotropic"), policy("PostBC", 2.0), 1, "0.16 [0.01, 0.27]"),
    ("stick", 10, "DSRL", policy("PostBC", 1.0, "held-out alpha"), policy("BC", 0.0), 1, "gains 0.25 ["),
)


@pytest.mark.parametrize("stated", STATED, ids=lambda stated: stated[-1])
def test_differences_that_the_findings_state_are_those_of_the_recorded_tables(stated):
    task, n_demos, learner, *policies, when, words = stated
    pairs = recorded_pairs("strengths", "demonstrations", "dppo", "ablations", "beyond")
    mean = pairs.differences(*(experiment(task, n_demos, learner, spec) for spec in policies))[when].mean()
    assert words in on_one_line(page("docs/findings_control.md"))
    assert f"{abs(mean):.2f}" == re.search(r"0\.\d\d", words)[0]
