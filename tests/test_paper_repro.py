"""The command line: what it writes, what it refuses, how it exits."""

import json
import subprocess
import sys
import types
from pathlib import Path

import made_figures_grid
import numpy as np
import pytest

import paper_repro
from figures.exact import fig_estimators
from figures.look import style
from figures.running import recorded, registry
from figures.running.pipeline import saved_problem
from theory import results
from theory.claims import Claim, Interval

FAST = "fig_estimators"
ROOT = Path(paper_repro.__file__).parent


@pytest.fixture(autouse=True)
def small(request, monkeypatch):
    """The figure of these tests, with few points and a plain picture; and one result."""
    if "slow" in request.keywords:
        return
    chosen = [result for result in results.all_results() if result.id == "prop-bc-fails"]
    monkeypatch.setattr(results, "all_results", lambda: chosen)
    monkeypatch.setattr(fig_estimators, "QUICK", fig_estimators.Config(largest=200, replicates=200))

    def draw(arrays):
        figure = style.new_figure(page=1, column=1)
        figure.subplots().plot(arrays["n"], arrays["noise_weight"][3])
        return figure

    monkeypatch.setattr(fig_estimators, "draw", draw)


def run(tmp_path, *arguments):
    return paper_repro.main(["--jobs", "1", "--out", str(tmp_path), *arguments])


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        paper_repro.main([*arguments])
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_list_prints_the_name_of_every_figure_and_computes_nothing(tmp_path, capsys):
    assert run(tmp_path / "out", "--list") == 0
    assert set(registry.figure_names()) <= {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "fig_none"], "no result or figure is named 'fig_none'"),
        (["--jobs", "0"], "must be at least 1; got 0"),
        (["--jobs", "many"], "must be a whole number; got 'many'"),
        (["--seed", "-1"], "must be at least 0; got -1"),
        (["--quick", "--full"], "not allowed with"),
        (["--onl", FAST], "unrecognized arguments"),
        (["surplus"], "unrecognized arguments"),
    ],
)
def test_a_bad_command_line_exits_with_2_and_says_why(capsys, arguments, message):
    assert message in refused(capsys, *arguments)


def test_an_output_folder_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(capsys, "--out", str(tmp_path / "file"))
    assert "cannot be written" in refused(capsys, "--out", str(tmp_path / "file" / "below"))


def test_a_partial_run_writes_the_files_of_its_figure_and_no_verdicts_json(tmp_path):
    assert run(tmp_path, "--only", FAST) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "cells",
        *(f"{FAST}{rest}" for rest in (".npz", ".json", ".pdf", ".png", "_column.pdf", "_column.png")),
    }
    content = json.loads((tmp_path / f"{FAST}.json").read_text())
    assert content["profile"] == "quick"
    assert content["seed"] == 0
    assert {claim["verdict"] for claim in content["claims"]} == {"holds"}


def test_a_partial_run_prints_each_step_of_its_result_with_the_witness(tmp_path, capsys):
    assert run(tmp_path, "--only", "prop-bc-fails") == 0
    shown = capsys.readouterr().out
    assert "B1.2 (printed): proved" in shown
    assert "B1.4 (printed): refuted" in shown
    assert "left = 0, right = 1" in shown
    assert not tmp_path.exists() or not list(tmp_path.iterdir())


def test_from_data_writes_the_same_files_without_computing(tmp_path, monkeypatch):
    run(tmp_path, "--only", FAST)
    before = {path: path.read_bytes() for path in tmp_path.glob("fig_*")}
    monkeypatch.setattr(fig_estimators, "compute", lambda *_: pytest.fail("computed"))
    assert run(tmp_path, "--only", FAST, "--from-data") == 0
    assert {path: path.read_bytes() for path in tmp_path.glob("fig_*")} == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--full"], "was made with profile 'quick'; 'full' is asked for"),
        (["--seed", "1"], "was made with seed 0; 1 is asked for"),
    ],
)
def test_from_data_refuses_another_profile_or_seed_and_changes_no_file(tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.setattr(registry, "figure_names", lambda: [FAST])
    run(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*")}
    assert message in refused(capsys, "--out", str(tmp_path), "--from-data", *more)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def test_from_data_without_data_or_with_damaged_data_is_refused(tmp_path, capsys):
    arguments = ("--out", str(tmp_path), "--only", FAST, "--from-data")
    assert "no data to draw from" in refused(capsys, *arguments)
    (tmp_path / f"{FAST}.npz").write_bytes(b"PK")
    assert "is not a complete data file" in refused(capsys, *arguments)


def test_from_data_draws_a_figure_of_recorded_tables_from_the_tables(tmp_path, monkeypatch, capsys):
    """If the output folder has saved data of the figure, these are used, and must be complete."""
    tables = tmp_path / "tables"
    tables.mkdir()
    monkeypatch.setattr(recorded, "RESULTS", tables)
    arguments = ("--full", "--only", "fig_dppo", "--from-data")
    made_figures_grid.write_all(tables, lambda family, strength, n_demos: (0.4, 0.7 - 0.1 * (family == "PostBC")))
    assert run(tmp_path / "out", *arguments) == 0
    names = {path.name for path in (tmp_path / "out").glob("fig_dppo*")}
    assert {"fig_dppo.npz", "fig_dppo.json", "fig_dppo.png", "fig_dppo_column.pdf"} <= names
    (tmp_path / "out" / "fig_dppo.npz").write_bytes(b"PK")
    assert "is not a complete data file" in refused(capsys, "--out", str(tmp_path / "out"), *arguments)


def test_a_partial_run_of_another_seed_is_not_written_into_the_folder_of_a_whole_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(registry, "figure_names", lambda: [FAST])
    run(tmp_path)
    message = refused(capsys, "--out", str(tmp_path), "--only", FAST, "--seed", "7")
    assert "holds a whole run with quick settings and seed 0" in message
    assert run(tmp_path, "--only", FAST) == 0


def test_an_error_that_stops_the_run_exits_with_3(tmp_path):
    script = (
        "import runpy, sys; import figures.exact.fig_estimators as f; f.check = lambda arrays: 1 / 0; "
        f"sys.argv = ['paper_repro.py', '--only', 'fig_estimators', '--jobs', '1', '--out', {str(tmp_path)!r}]; "
        f"runpy.run_path({str(ROOT / 'paper_repro.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "ZeroDivisionError" in done.stderr


def claim(source, high):
    return Claim(
        id="made-up",
        source=source,
        relation="<=",
        interval=Interval(0.0, high),
        bound=0.5,
        evidence="sampled",
        detail="A claim made up for a test.",
    )


@pytest.mark.parametrize(
    ("source", "high", "code"),
    [("R1", 0.4, 0), ("R1", 0.6, 1), ("E1", 0.6, 0)],
    ids=["holds", "inconclusive", "empirical"],
)
def test_a_claim_that_does_not_hold_fails_the_run_unless_it_is_empirical(
    tmp_path, monkeypatch, capsys, source, high, code
):
    monkeypatch.setattr(fig_estimators, "check", lambda _: [claim(source, high)])
    assert run(tmp_path, "--only", FAST) == code
    assert ("inconclusive" in capsys.readouterr().out) == (high > 0.5)


def test_two_claims_with_one_id_stop_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(fig_estimators, "check", lambda _: [claim("R1", 0.4)] * 2)
    with pytest.raises(ValueError, match="two claims of one id"):
        run(tmp_path, "--only", FAST)


def test_a_run_that_stops_half_way_leaves_no_verdicts_of_an_older_run(tmp_path, monkeypatch):
    (tmp_path / "verdicts.json").write_text("{}")
    monkeypatch.setattr(registry, "figure_names", lambda: [FAST])
    monkeypatch.setattr(fig_estimators, "draw", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(tmp_path)
    assert not (tmp_path / "verdicts.json").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_whole_run_writes_verdicts_report_explorer_and_provenance(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "figure_names", lambda: [FAST])
    assert run(tmp_path) == 0
    verdicts = json.loads((tmp_path / "verdicts.json").read_text())
    assert list(verdicts) == ["schema", "profile", "seed", "ok", "steps", "claims", "left_out"]
    assert (verdicts["schema"], verdicts["profile"], verdicts["seed"], verdicts["ok"]) == (1, "quick", 0, True)
    keys = {"id", "source", "figure", "verdict", "evidence", "relation", "interval", "bound", "detail"}
    assert all(set(entry) == keys for entry in verdicts["claims"])
    keys = {"id", "result", "form", "verdict", "evidence", "expected", "detail", "witness"}
    assert all(set(entry) == keys for entry in verdicts["steps"])
    page = (tmp_path / "report.html").read_text()
    assert all(entry["id"] in page for entry in verdicts["claims"])
    assert "http" not in page.replace("http://www.w3.org", "")
    assert (tmp_path / "explorer.html").exists()
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert {"commit", "packages", "python", "seconds", "sha256"} <= set(provenance)


@pytest.mark.parametrize("folder", ["unset", "without the file"])
def test_a_figure_whose_data_files_are_missing_is_left_out_and_does_not_fail_the_run(
    tmp_path, monkeypatch, capsys, folder
):
    monkeypatch.setattr(registry, "figure_names", lambda: [FAST])
    monkeypatch.setattr(fig_estimators, "NEEDS", ("made_up/table.csv",), raising=False)
    monkeypatch.setattr(fig_estimators, "compute", lambda *_: pytest.fail("computed"))
    monkeypatch.delenv("POSTBC_DATA", raising=False)
    if folder == "without the file":
        monkeypatch.setenv("POSTBC_DATA", str(tmp_path))
    assert run(tmp_path) == 0
    assert f"{FAST}: left out; not found" in capsys.readouterr().out
    verdicts = json.loads((tmp_path / "verdicts.json").read_text())
    assert verdicts["left_out"] == [{"figure": FAST, "needs": ["made_up/table.csv"]}]
    assert verdicts["claims"] == []
    assert "made_up/table.csv" in (tmp_path / "report.html").read_text()
    assert not (tmp_path / f"{FAST}.npz").exists()


def test_a_figure_is_made_if_its_data_files_exist_and_drawn_again_from_saved_data_without_them(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(fig_estimators, "NEEDS", ("made_up/table.csv",), raising=False)
    monkeypatch.setenv("POSTBC_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "made_up").mkdir(parents=True)
    (tmp_path / "data" / "made_up" / "table.csv").write_text("a\n")
    assert run(tmp_path / "out", "--only", FAST) == 0
    monkeypatch.delenv("POSTBC_DATA")
    assert run(tmp_path / "out", "--only", FAST, "--from-data") == 0
    assert "left out" not in capsys.readouterr().out
    assert run(tmp_path / "out", "--only", FAST) == 0
    assert "left out" in capsys.readouterr().out


def test_a_foreign_package_of_the_same_name_is_refused(monkeypatch):
    foreign = types.ModuleType("tabular")
    foreign.__file__ = "/elsewhere/tabular/__init__.py"
    monkeypatch.setitem(sys.modules, "tabular", foreign)
    with pytest.raises(SystemExit, match="`tabular` was found in /elsewhere/tabular"):
        paper_repro.guard()


@pytest.mark.slow
def test_the_whole_quick_run_gives_the_same_bytes_for_any_number_of_workers(tmp_path):
    for jobs in ("1", "2"):
        command = [sys.executable, str(ROOT / "paper_repro.py"), "--jobs", jobs, "--out", str(tmp_path / jobs)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / jobs).glob("*.*")} for jobs in ("1", "2"))
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == ["provenance.json"]


@pytest.mark.parametrize("more", [(), ("--from-data",)])
def test_a_changed_or_partial_table_is_refused_before_any_work(tmp_path, monkeypatch, capsys, more):
    """Also one that only chooses the strengths, which the settings of the figure do not name."""
    out, tables = tmp_path / "out", tmp_path / "tables"
    tables.mkdir()
    monkeypatch.setattr(recorded, "RESULTS", tables)
    made_figures_grid.write_all(tables, lambda *_: (0.4, 0.7))
    for name, figure in (("dppo", "fig_dppo"), ("choice", "fig_demonstrations"), ("choice_by_n", "fig_ablations")):
        path = tables / f"{name}.csv"
        whole = path.read_text()
        path.write_text("".join(whole.splitlines(keepends=True)[:-2]))
        message = refused(capsys, "--out", str(out), "--full", "--only", figure, *more)
        assert f"{name}.csv is not the table that {name}.json describes" in message
        assert f"python -m figures grid --only {name}" in message
        assert list(out.iterdir()) == []
        path.write_text(whole)


def test_with_a_turned_bit_saved_data_are_refused_by_name_or_give_the_same_files(tmp_path, monkeypatch, capsys):
    run(tmp_path, "--only", FAST)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.*") if path.suffix != ".npz"}
    path, rng = tmp_path / f"{FAST}.npz", np.random.default_rng(2)
    whole = path.read_bytes()
    refusals = 0
    for bit in rng.choice(8 * len(whole), 150, replace=False).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        if saved_problem(FAST, "quick", 0, tmp_path) is None:
            assert run(tmp_path, "--only", FAST, "--from-data") == 0
            assert {name: (tmp_path / name).read_bytes() for name in before} == before
        else:
            assert f"{FAST}.npz" in refused(capsys, "--out", str(tmp_path), "--only", FAST, "--from-data")
            refusals += 1
    assert refusals > 100
