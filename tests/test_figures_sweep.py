"""Cells: the same numbers however they are run."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from figures.control import blocks
from figures.running import sweep
from figures.running.sweep import Sweep

CELLS = [{"size": n, "scale": 0.5} for n in (1, 4, 2, 7, 3)]
calls: list[int] = []


def draw(cell, rng):
    calls.append(cell["size"])
    return {"x": rng.normal(scale=cell["scale"], size=cell["size"])}


def draw_until_four(cell, rng):
    if cell["size"] == 7:
        raise RuntimeError("the lights went out")
    return draw(cell, rng)


def same(one, two):
    return len(one) == len(two) and all(np.array_equal(a["x"], b["x"]) for a, b in zip(one, two, strict=True))


def test_any_executor_gives_the_same_bits():
    alone = Sweep(5).run("test", draw, CELLS)
    with ThreadPoolExecutor(3) as threads:
        assert same(Sweep(5, threads).run("test", draw, CELLS), alone)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        assert same(Sweep(5, processes).run("test", draw, CELLS), alone)


def test_a_cell_does_not_depend_on_the_cells_around_it():
    everything = Sweep(5).run("test", draw, CELLS)
    assert same(Sweep(5).run("test", draw, CELLS[3:4]), everything[3:4])
    assert same(Sweep(5).run("test", draw, CELLS[::-1]), everything[::-1])


@pytest.mark.parametrize(
    "other", [Sweep(6).run("test", draw, CELLS), Sweep(5).run("another", draw, CELLS)], ids=["seed", "experiment"]
)
def test_another_seed_or_experiment_gives_other_numbers(other):
    assert not same(Sweep(5).run("test", draw, CELLS), other)


def test_cells_of_different_settings_are_independent():
    one, two = Sweep(5).run("test", draw, [{"size": 3, "scale": 1.0}, {"size": 3, "scale": 1.0, "more": 0}])
    assert not np.array_equal(one["x"], two["x"])


def test_a_run_that_was_broken_off_resumes_and_gives_the_same(tmp_path):
    alone = Sweep(5).run("test", draw, CELLS)
    with pytest.raises(RuntimeError, match="lights"):
        Sweep(5, cache=tmp_path).run("test", draw_until_four, CELLS)
    assert len(list(tmp_path.iterdir())) == 3  # what was finished before
    for path in tmp_path.iterdir():
        path.rename(tmp_path / path.name)
    resumed = Sweep(5, cache=tmp_path).run("test", draw, CELLS)
    calls.clear()
    assert same(resumed, alone)
    assert same(Sweep(5, cache=tmp_path).run("test", draw, CELLS), alone)
    assert calls == []


def test_a_cell_is_found_again_only_under_equal_circumstances(tmp_path, monkeypatch):
    def computed(seed=5, name="test", function=draw, cell=CELLS[0]):
        calls.clear()
        Sweep(seed, cache=tmp_path).run(name, function, [cell])
        return len(calls)

    assert computed() == 1
    assert computed() == 0
    assert computed(seed=6) == 1
    assert computed(name="another") == 1
    assert computed(function=draw_until_four) == 1
    assert computed(cell={"size": 1, "scale": 0.25}) == 1
    monkeypatch.setattr(sweep, "versions", lambda: {"numpy": "0"})
    sweep.source_digest.cache_clear()
    assert computed() == 1
    monkeypatch.undo()
    sweep.source_digest.cache_clear()
    assert computed() == 0


def test_a_change_of_the_code_makes_old_cells_unknown(tmp_path, monkeypatch):
    before = sweep.source_digest(draw)
    changed = tmp_path / "changed.py"
    changed.write_text("# other code")
    monkeypatch.setattr("inspect.getfile", lambda _: str(changed))
    sweep.source_digest.cache_clear()
    assert sweep.source_digest(draw) != before
    sweep.source_digest.cache_clear()


@pytest.mark.parametrize(
    ("name", "counts"),
    [("_cell", True), ("_named", True), ("_plain", True), ("_inside", True), ("_behind", True), ("_round", True),
     ("fig_other", False), ("_style", False)],
)  # fmt: skip
def test_a_change_of_what_is_imported_counts_and_one_of_other_figures_does_not(tmp_path, monkeypatch, name, counts):
    sources = {
        "_cell": "import figures._plain\nfrom figures import _named, nothing\ndef f():\n    from figures._inside import x",
        "_named": "from figures._behind import a, b",
        "_plain": "import numpy as np",
        "_inside": "x = 1",
        "_behind": "import figures._round",
        "_round": "from figures import _cell",
        "fig_other": "from figures import _cell, _style",
        "_style": "",
    }
    folder = tmp_path / "figures"
    folder.mkdir()
    for module, text in sources.items():
        (folder / f"{module}.py").write_text(text)
    monkeypatch.setattr(sweep, "ROOT", tmp_path)
    monkeypatch.setattr("inspect.getfile", lambda _: str(folder / "_cell.py"))
    digest = sweep.source_digest.__wrapped__
    before = digest(draw)
    assert digest(draw) == before
    with (folder / f"{name}.py").open("a") as file:
        file.write("\n# changed")
    assert (digest(draw) != before) == counts


def test_a_block_of_the_grid_of_finetuning_counts_what_pretrains_it():
    names = {path.stem for path in sweep._imported_figures(Path(blocks.__file__))}
    assert {"pretraining", "variants"} <= names
    assert not any(name.startswith("fig_") for name in names)


def test_a_damaged_cell_is_computed_again(tmp_path):
    alone = Sweep(5, cache=tmp_path).run("test", draw, CELLS)
    damaged = sorted(tmp_path.iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:50])
    assert same(Sweep(5, cache=tmp_path).run("test", draw, CELLS), alone)


def test_equal_cells_are_refused():
    with pytest.raises(ValueError, match="cells of test must differ"):
        Sweep(5).run("test", draw, [CELLS[0], dict(CELLS[0])])


def test_nothing_is_printed_where_there_is_no_terminal(capfd):
    Sweep(5, progress=True).run("test", draw, CELLS)
    assert capfd.readouterr() == ("", "")


def test_a_failing_cell_stops_the_run():
    with ThreadPoolExecutor(1) as threads, pytest.raises(RuntimeError, match="lights"):
        Sweep(5, threads).run("test", draw_until_four, CELLS)
