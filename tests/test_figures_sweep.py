"""Cells: the same numbers however they are run, and computed again when their code changes."""

import multiprocessing
import zlib
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


def test_cells_have_the_same_bits_in_any_executor():
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
def test_cells_of_another_seed_or_experiment_have_other_numbers(other):
    assert not same(Sweep(5).run("test", draw, CELLS), other)


def test_cells_of_different_settings_are_independent():
    one, two = Sweep(5).run("test", draw, [{"size": 3, "scale": 1.0}, {"size": 3, "scale": 1.0, "more": 0}])
    assert not np.array_equal(one["x"], two["x"])


def test_a_sweep_that_was_stopped_resumes_and_gives_the_same_bits(tmp_path):
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


def test_a_cell_is_cached_for_one_seed_experiment_function_settings_and_versions(tmp_path, monkeypatch):
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


def test_the_digest_of_a_cells_source_depends_on_its_own_module(tmp_path, monkeypatch):
    before = sweep.source_digest(draw)
    changed = tmp_path / "changed.py"
    changed.write_text("# other code")
    monkeypatch.setattr("inspect.getfile", lambda _: str(changed))
    sweep.source_digest.cache_clear()
    assert sweep.source_digest(draw) != before
    sweep.source_digest.cache_clear()


SOURCES = {
    "control/cell": """
import figures.control.plain
import figures.look.renamed as r
from figures.control import named, nothing
from figures.look import style
from figures.look.palette import colour
def f():
    from figures.control.inside import x
    import figures.control.inside_plain
""",
    "control/named": "from figures.exact.behind import a, b",
    "control/plain": "import numpy as np",
    "control/inside": "x = 1",
    "control/inside_plain": "",
    "look/renamed": "",
    "look/style": "from figures.running import sweep",
    "look/palette": "def colour(): pass",
    "exact/behind": "from figures.exact import round_trip",
    "exact/round_trip": "from figures.control import cell",
    "running/sweep": "",
    "control/fig_other": "from figures.control import cell, unused",
    "control/unused": "",
    "exact/style": "",
}
"""Text of modules of `figures`, of which `control/cell` has the cells."""
UNUSED = {"control/fig_other", "control/unused", "exact/style"}


@pytest.mark.parametrize("name", SOURCES)
def test_a_cell_is_computed_again_if_a_module_changes_that_it_imports_and_not_for_other_modules(
    tmp_path, monkeypatch, name
):
    def path(module):
        return tmp_path / "figures" / f"{module}.py"

    for module, text in SOURCES.items():
        path(module).parent.mkdir(parents=True, exist_ok=True)
        path(module).write_text(text)
    monkeypatch.setattr(sweep, "ROOT", tmp_path)
    monkeypatch.setattr("inspect.getfile", lambda _: str(path("control/cell")))
    digest = sweep.source_digest.__wrapped__
    before = digest(draw)
    assert digest(draw) == before
    with path(name).open("a") as file:
        file.write("\n# changed")
    assert (digest(draw) != before) == (name not in UNUSED)


def test_a_block_of_the_finetuning_grid_depends_on_the_code_that_pretrains_it():
    names = {path.stem for path in sweep._imported_figures(Path(blocks.__file__))}
    assert {"pretraining", "variants"} <= names
    assert not any(name.startswith("fig_") for name in names)


def test_the_generator_of_a_cell_follows_from_seed_experiment_and_settings_as_documented():
    key = (zlib.crc32(b"test"), zlib.crc32(b'{"scale": 0.5, "size": 4}'))
    documented = np.random.default_rng(np.random.SeedSequence(5, spawn_key=key))
    [arrays] = Sweep(5).run("test", draw, [{"size": 4, "scale": 0.5}])
    assert np.array_equal(arrays["x"], documented.normal(scale=0.5, size=4))


def test_the_generator_tells_numbers_apart_that_json_writes_differently_and_takes_tuples_for_lists():
    def first(cell):
        return Sweep(5).generator("test", cell).random()

    assert first({"size": 1}) != first({"size": 1.0})
    assert first({"sizes": (1, 2)}) == first({"sizes": [1, 2]})


@pytest.mark.parametrize("value", [float("nan"), np.int64(3), {1, 2}])
def test_settings_that_json_cannot_hold_are_refused(value):
    with pytest.raises((TypeError, ValueError), match="JSON"):
        Sweep(5).run("test", draw, [{"size": value}])


def test_cached_gives_the_finished_cells_and_computes_none(tmp_path):
    finished = Sweep(5, cache=tmp_path).run("test", draw, CELLS[:2])
    calls.clear()
    loaded = Sweep(5, cache=tmp_path).cached("test", draw, CELLS[:3])
    assert same(loaded[:2], finished)
    assert loaded[2] is None
    assert calls == []


def test_a_damaged_cell_of_the_cache_is_computed_again_with_one_line_of_warning(tmp_path, capfd):
    alone = Sweep(5, cache=tmp_path).run("test", draw, CELLS)
    damaged = sorted(tmp_path.iterdir())[0]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:50])
    capfd.readouterr()
    assert same(Sweep(5, cache=tmp_path).run("test", draw, CELLS), alone)
    warning = capfd.readouterr().err.splitlines()
    assert len(warning) == 1
    assert f"test: a finished cell is not used and counts as missing: {damaged.name}" in warning[0]
    assert damaged.read_bytes() == whole


def several(cell, rng):
    """Arrays of which a damaged file may lack one."""
    calls.append(cell["size"])
    return {"x": rng.normal(size=cell["size"]), "names": np.array(["BC", "PostBC"]), "n": np.arange(3)}


def identical(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)


def check_flips(folder, bits, capfd):
    """With any bit of a finished cell's file turned, a run gives the same arrays: those of the file, or new ones."""
    cell, run = {"size": 5}, Sweep(5, cache=folder)
    (clean,) = run.run("flips", several, [cell])
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    computed = 0
    for bit in bits(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        calls.clear()
        capfd.readouterr()
        (found,) = run.run("flips", several, [cell])
        assert identical(found, clean), bit
        assert capfd.readouterr().err.count("\n") == len(calls)
        computed += len(calls)
        assert not calls or path.read_bytes() == whole
    return computed


def test_a_bit_that_is_turned_in_a_finished_cell_changes_no_number(tmp_path, capfd):
    rng = np.random.default_rng(3)
    assert check_flips(tmp_path, lambda n: rng.choice(n, 300, replace=False).tolist(), capfd) > 200


@pytest.mark.slow
def test_no_single_bit_of_a_finished_cell_changes_a_number(tmp_path, capfd):
    check_flips(tmp_path, range, capfd)


@pytest.mark.slow
def test_many_bits_that_are_turned_in_a_finished_cell_change_no_number(tmp_path, capfd):
    (tmp_path / "cells").mkdir()
    cell, run = {"size": 5}, Sweep(5, cache=tmp_path / "cells")
    (clean,) = run.run("flips", several, [cell])
    (path,) = (tmp_path / "cells").iterdir()
    whole, rng = path.read_bytes(), np.random.default_rng(4)
    for _ in range(5000):
        damaged = bytearray(whole)
        for bit in rng.integers(8 * len(whole), size=rng.integers(2, 40)).tolist():
            damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged[: rng.integers(len(whole) + 1)] if rng.random() < 0.1 else damaged)
        (found,) = run.run("flips", several, [cell])
        assert identical(found, clean)


def test_finished_cells_that_were_exchanged_are_computed_again(tmp_path, capfd):
    """Each file is whole; those of other cells, seeds, experiments and sources stand under a cell's name."""
    sweep_, cells = Sweep(5, cache=tmp_path), [{"size": 3}, {"size": 5}]
    clean = sweep_.run("swaps", several, cells)
    one, two = sorted(tmp_path.iterdir())
    first, second = one.read_bytes(), two.read_bytes()
    others = tmp_path / "others"
    Sweep(6, cache=others).run("swaps", several, cells[:1])
    Sweep(5, cache=others).run("another", several, cells[:1])
    Sweep(5, cache=others).run("swaps", draw, [{"size": 3, "scale": 1.0}])
    foreign = [path.read_bytes() for path in sorted(others.iterdir())]
    for path, content in (
        (one, second),
        (two, first),
        *((path, content) for path in (one, two) for content in foreign),
    ):
        path.write_bytes(content)
        capfd.readouterr()
        found = sweep_.run("swaps", several, cells)
        assert all(map(identical, found, clean))
        assert "holds another cell" in capfd.readouterr().err
        assert (one.read_bytes(), two.read_bytes()) == (first, second)


def test_equal_cells_are_refused():
    with pytest.raises(ValueError, match="cells of test must differ"):
        Sweep(5).run("test", draw, [CELLS[0], dict(CELLS[0])])


def test_a_sweep_prints_nothing_where_there_is_no_terminal(capfd):
    Sweep(5, progress=True).run("test", draw, CELLS)
    assert capfd.readouterr() == ("", "")


def test_a_failing_cell_stops_the_sweep():
    with ThreadPoolExecutor(1) as threads, pytest.raises(RuntimeError, match="lights"):
        Sweep(5, threads).run("test", draw_until_four, CELLS)
