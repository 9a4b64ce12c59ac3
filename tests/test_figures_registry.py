"""Which figures there are, and that the engine which runs them knows none of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import figures
from figures.running import pipeline
from figures.running.registry import figure_entry, figure_module, figure_names
from figures.running.sweep import Sweep

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = '''"""A figure made up for a test."""

from dataclasses import dataclass

import numpy as np

from figures.look import style
from theory.claims import Claim, Interval

TITLE = "A scratch figure"
CAPTION = "A line."


@dataclass(frozen=True)
class Config:
    n: int


QUICK, FULL = Config(3), Config(30)


def compute(config, sweep):
    return {"x": sweep.generator("scratch").random(config.n)}


def check(arrays):
    largest = Interval.point(arrays["x"].max())
    return [
        Claim(id="scratch", source="R1", relation="<=", interval=largest, bound=1.0, evidence="exact", detail="Largest."),
    ]


def draw(arrays):
    figure = style.new_figure(page=1, column=1)
    figure.subplots().plot(arrays["x"])
    return figure
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A further folder of figures, outside the checkout."""
    folder = tmp_path / "package" / "scratch"
    folder.mkdir(parents=True)
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(folder.parent)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("figures.scratch")]:
        del sys.modules[name]
    vars(figures).pop("scratch", None)


def test_a_new_file_in_a_folder_is_a_new_figure_and_leaves_the_others_alone(folder, tmp_path):
    before = {name: figure_module(name) for name in figure_names()}
    (folder / "fig_scratch.py").write_text(SCRATCH)
    assert figure_names() == sorted([*before, "fig_scratch"])
    assert all(figure_module(name) is module for name, module in before.items())
    finished = pipeline.make("fig_scratch", "quick", Sweep(0), tmp_path / "out")
    assert (finished.section, finished.also) == ("experiments", ())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"fig_scratch{ending}" for ending in (".npz", ".json", ".pdf", ".png", "_column.pdf", "_column.png")
    }
    verdicts = json.loads((tmp_path / "out" / "fig_scratch.json").read_text())
    assert [entry["verdict"] for entry in verdicts["claims"]] == ["holds"]


def test_two_figures_of_one_name_are_refused_with_their_folders(folder):
    (folder / "fig_bc_fails.py").write_text(SCRATCH)
    with pytest.raises(ValueError, match="fig_bc_fails is in two folders, figures/exact and figures/scratch"):
        figure_names()


def test_optional_attributes_of_a_figures_module_have_defaults(folder):
    (folder / "fig_plain.py").write_text(SCRATCH)
    named = 'SECTION = "r1"\nALSO = ("r2", "r3")\nNEEDS = ("folder/file.csv",)\n'
    (folder / "fig_named.py").write_text(SCRATCH + named)
    plain, full = figure_entry("fig_plain"), figure_entry("fig_named")
    assert (plain.name, plain.section, plain.also, plain.needs) == ("fig_plain", "experiments", (), ())
    assert (full.section, full.also, full.needs) == ("r1", ("r2", "r3"), ("folder/file.csv",))


# --- what importing loads ---------------------------------------------------------------------------------------------


def loaded_by(*modules):
    """Modules of this project that a fresh interpreter holds after importing these."""
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in done.stdout.split() if name.split(".")[0] in ("figures", "tabular", "continuous")}


def packages(modules):
    return {".".join(name.split(".")[: 2 if name.startswith("figures.") else 1]) for name in modules}


def test_the_engine_loads_no_experiment():
    engine = [f"figures.running.{path.stem}" for path in (ROOT / "figures" / "running").glob("[!_]*.py")]
    assert packages(loaded_by(*engine)) == {"figures", "figures.running", "figures.look"}


def test_figures_of_exact_load_no_control_but_for_the_bridge_between_the_two():
    names = [f"figures.exact.{path.stem}" for path in (ROOT / "figures" / "exact").glob("[!_]*.py")]
    names.remove("figures.exact.fig_bridge")
    assert packages(loaded_by(*names)) == {"figures", "figures.running", "figures.look", "figures.exact", "tabular"}
    assert "continuous" in packages(loaded_by("figures.exact.fig_bridge"))
