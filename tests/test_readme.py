"""What the README shows runs, and does what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from continuous.dsrl import DSRL
from figures.control.pairs import Experiment, Pairs
from figures.control.tables import Row
from figures.control.variants import PolicySpec
from figures.running.recorded import read_rows

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
BOUND = next(block for block in BLOCKS if "def test_my_bound" in block)


def run(*arguments, cwd):
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def pytest_of(source, tmp_path):
    path = tmp_path / "test_mine.py"
    path.write_text(source, encoding="utf-8")
    options = ("-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path))
    return run("-m", "pytest", *options, "-o", f"pythonpath={ROOT}", str(path), cwd=tmp_path)


def test_the_example_of_use_prints_what_each_policy_costs_and_covers(tmp_path):
    example = next(block for block in BLOCKS if "for estimator in" in block)
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{example}"
    done = run("-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"loss (-?[\d.]+)  coverage ([\d.]+)", done.stdout)
    assert len(rows) == 3
    assert float(rows[0][1]) == 0.0  # BC
    assert all(float(coverage) > 0 for _, coverage in rows[1:])


@pytest.mark.slow
def test_the_example_of_finetuning_prints_a_curve(tmp_path):
    example = next(block for block in BLOCKS if "finetune_dsrl(" in block)
    done = run("-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{example}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"(\d+) steps  success ([01]\.\d+)", done.stdout)
    assert [int(steps) for steps, _ in rows] == sorted({int(steps) for steps, _ in rows})
    assert rows[0][0] == "0"
    assert len(rows) == 1 + DSRL().rounds // DSRL().evaluate_every


def test_the_test_of_a_bound_has_at_most_15_lines_and_passes(tmp_path):
    assert len([line for line in BOUND.splitlines() if line.strip()]) <= 15
    done = pytest_of(BOUND, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_test_of_a_false_bound_fails(tmp_path):
    false = BOUND.replace("    kept =", "    promised = min(1.0, 8 * promised)\n    kept =")
    done = pytest_of(false, tmp_path)
    assert done.returncode == 1, done.stdout
    assert "assert kept >= 1 - delta" in done.stdout


def test_the_audit_and_the_plan_print_what_is_shown(tmp_path):
    example = next(block for block in BLOCKS if "write_demonstrations(" in block)
    prefix = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    shown = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
    assert run("-c", prefix + example, cwd=tmp_path).returncode == 0
    for command, text in zip(re.findall(r"^    python -m tabular (.*)$", README, re.MULTILINE), shown, strict=True):
        call = f"from tabular.__main__ import main; raise SystemExit(main({command.split()!r}))"
        done = run("-c", prefix + call, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(text)
    assert (tmp_path / "out" / "audit.html").exists()


def test_the_example_of_control_clones_evaluates_and_saves(tmp_path):
    example = next(block for block in BLOCKS if "SigmaBC(" in block)
    done = run("-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{example}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"success ([\d.]+)  noise added ([\d.]+)", done.stdout)
    assert [float(added) > 0 for _, added in rows] == [False, True, True]
    assert (tmp_path / "policy.npz").exists()


def test_commands_and_figures_that_the_readme_names_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|    )make ([a-z]+)\b", README)):
        assert f"\n{target}:" in makefile, target
    figures = {path.stem for path in (ROOT / "figures").glob("*/fig_*.py")}
    assert figures <= set(re.findall(r"`(fig_\w+)`", README))
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", README):
        assert (ROOT / picture).exists(), picture


def policy(family, strength, variant=""):
    return PolicySpec(family=family, strength=strength, variant=variant)


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
def test_differences_that_the_readme_states_are_those_of_the_recorded_tables(stated):
    task, n, learner, *policies, when, words = stated
    parts = ("strengths", "demonstrations", "dppo", "ablations", "beyond")
    pairs = Pairs([Row.of(texts) for part in parts for texts in read_rows(ROOT / "results" / f"{part}.csv")])
    one, other = (Experiment(task=task, n_demos=n, policy=spec, learner=learner) for spec in policies)
    mean = pairs.differences(one, other)[when].mean()
    assert words in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"{abs(mean):.2f}" == re.search(r"0\.\d\d", words)[0]
