"""The full grid in parts: what each asks for, choices on seeds of their own, runs that are broken off and gone on with."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuous.beyond import shrunken_alpha
from continuous.tasks import TASKS
from figures import __main__ as command
from figures.control import blocks as finetuning
from figures.control import grid
from figures.control.blocks import Config, Settings, strengths
from figures.control.pretraining import Effort
from figures.control.variants import FAMILIES, MASKED, VARIANTS
from figures.running.sweep import Sweep

CHOSEN = {
    (task, n): {"sigma-BC": 0.1 * k + 0.001 * n, "PostBC": float(k) + 0.01 * n}
    for k, task in enumerate(grid.TASKS, 1)
    for n in (5, 10, 20, 50)
}
WHOLE = {part: configs(CHOSEN) for part, configs in grid.PARTS.items()}
CHOOSING = (*grid.CHOICES, "choice_by_n")
each_part = pytest.mark.parametrize("part", grid.PARTS)


# --- what is asked for ------------------------------------------------------------------------------------------------


@each_part
def test_a_part_asks_for_what_there_is(part):
    for config in WHOLE[part]:
        assert set(config.tasks) <= set(TASKS)
        assert set(config.finetuners) <= set(finetuning.FINETUNERS)
        assert len(set(config.plans)) == len(config.plans) > 0
        for plan in config.plans:
            assert plan.family in FAMILIES
            assert "mask" not in VARIANTS[plan.variant] or (
                plan.family == "sigma-BC" and set(config.tasks) <= set(MASKED)
            )


def test_no_result_is_asked_for_twice_so_that_parts_can_be_joined():
    """Of a task, number of demonstrations, learner, policy and seed; and what is chosen on are seeds of their own."""
    asked = [
        (task, n_demos, name, config.setting, plan, config.first_seed + seed)
        for configs in WHOLE.values()
        for config in configs
        for task in config.tasks
        for n_demos in config.n_demos
        for name in config.finetuners
        for plan in config.plans
        for seed in range(config.n_seeds)
    ]
    assert len(set(asked)) == len(asked)
    choice = {c.first_seed + s for part in CHOOSING for c in WHOLE[part] for s in range(c.n_seeds)}
    rest = {
        c.first_seed + s
        for part, configs in WHOLE.items()
        if part not in CHOOSING
        for c in configs
        for s in range(c.n_seeds)
    }
    assert min(choice) >= grid.SELECTION_SEEDS > max(rest)


def test_all_blocks_can_be_run_at_once():
    blocks = [json.dumps(one) for configs in WHOLE.values() for one in finetuning.blocks(configs, Sweep(0))]
    assert len(set(blocks)) == len(blocks)


@each_part
def test_settings_that_are_not_the_usual_ones_have_a_name(part):
    names = {(config.setting, config.settings) for config in WHOLE[part]}
    assert len({name for name, _ in names}) == len(names)
    assert all(name != "" or settings == Settings() for name, settings in names)


def test_a_shrunken_alpha_meets_the_chosen_one_where_that_was_chosen():
    for config in WHOLE["shrinkage"]:
        (plan,), (task,) = config.plans, config.tasks
        given = shrunken_alpha(plan.strength, grid.N_DEMOS, VARIANTS[plan.variant]["mass"])
        assert given == pytest.approx(CHOSEN[task, grid.N_DEMOS]["PostBC"], rel=1e-12)
        assert grid.N_DEMOS not in config.n_demos


# --- choices ----------------------------------------------------------------------------------------------------------


def choice_rows(success):
    """A table of `choice` from success by (task, family, strength, seed)."""
    return [
        {"task": task, "n_demos": 10, "seed": seed, "family": family, "strength": strength, "variant": "", "given": strength,
         "noise": 0.1, "finetuner": "DSRL", "setting": "", "candidates": "", "pretrained": 1.0 - value, "finetuned": value,
         "curve_steps": "0 9", "curve": f"0 {value}", "pretrain_seconds": 1, "finetune_seconds": 1}
        for (task, family, strength, seed), value in success.items()
    ]  # fmt: skip


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4))
def test_the_strength_with_the_best_mean_is_chosen_for_each_task_and_family(number, n_reach, n_stick):
    rng = np.random.default_rng(number)
    several_strengths = {"sigma-BC": (0.1, 0.4, 0.2), "PostBC": (4.0, 1.0)}
    success = {
        (task, family, strength, seed): rng.random()
        for task, n_seeds in (("stick", n_stick), ("reach", n_reach))
        for family, several in several_strengths.items()
        for strength in several
        for seed in range(100, 100 + n_seeds)
    }
    found = grid.choose(choice_rows(success))
    assert set(found) == {("reach", 10), ("stick", 10)}
    for task, n_seeds in (("stick", n_stick), ("reach", n_reach)):
        for family, several in several_strengths.items():
            totals = {s: sum(success[task, family, s, seed] for seed in range(100, 100 + n_seeds)) for s in several}
            assert found[task, 10][family] == max(totals, key=totals.get)


# --- runs -------------------------------------------------------------------------------------------------------------

LITTLE = {
    "settings": Settings(rounds=1, updates=2, rollouts=(3,), critic_updates=2, critic_width=4, evaluation_episodes=4),
    "effort": Effort(2, 2, 4, 2, 4),
}


def tiny_choice(_):
    return [Config(("corridor", "stick"), (3,), 2, strengths((0.2, 0.4), (1.0, 2.0))[1:], first_seed=100, **LITTLE)]


def tiny_strengths(_):
    both = ("DSRL", "Best-of-N")
    return [Config((task,), (3,), n, strengths((0.2,), (1.0,)), both, **LITTLE) for task, n in grid.TASKS.items()]


def tiny_demonstrations(chosen):
    return [Config((task,), (4,), n, grid.chosen_plans(chosen[task, 3]), **LITTLE) for task, n in grid.TASKS.items()]


PARTS = {"choice": tiny_choice, "strengths": tiny_strengths, "demonstrations": tiny_demonstrations}
BLOCKS = {"choice": 4, "strengths": 3, "demonstrations": 3}


@pytest.fixture(scope="module")
def tiny():
    """The command and its parts, made small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "TASKS", {"stick": 2, "corridor": 1})
        patch.setattr(grid, "PARTS", PARTS)
        patch.setattr(grid, "CHOICES", ("choice",))
        patch.setattr(grid, "FREE", ("choice", "strengths"))
        yield


def tables(folder):
    """Content of each file of a folder, without the two columns of seconds."""
    found = {}
    for path in sorted(folder.iterdir()):
        found[path.name] = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            rows = list(csv.reader(found[path.name].splitlines()))
            assert rows[0][-2:] == ["pretrain_seconds", "finetune_seconds"]
            found[path.name] = [row[:-2] for row in rows]
    return found


@pytest.fixture(scope="module")
def uninterrupted(tiny, tmp_path_factory):
    """Tables of a run in one go."""
    folder = tmp_path_factory.mktemp("whole")
    grid.run(list(PARTS), Sweep(3, cache=folder / "cells"), folder / "tables")
    return tables(folder / "tables")


def test_a_run_writes_a_whole_table_for_each_part(uninterrupted):
    assert set(uninterrupted) == {f"{part}.{kind}" for part in PARTS for kind in ("csv", "json")}
    for part, number in BLOCKS.items():
        about = json.loads(uninterrupted[f"{part}.json"])
        assert (about["blocks"], about["blocks_in_all"]) == (number, number)
    of = {part: len(uninterrupted[f"{part}.csv"]) - 1 for part in PARTS}
    assert of == {"choice": 4 * 4, "strengths": 3 * 3 * 3, "demonstrations": 3 * 3}


def test_later_parts_take_what_was_chosen(tiny, uninterrupted, tmp_path):
    head, *rows = uninterrupted["choice.csv"]
    score = {}
    for row in (dict(zip(head, values, strict=True)) for values in rows):
        score.setdefault((row["task"], row["family"]), {}).setdefault(row["strength"], []).append(
            float(row["finetuned"])
        )
    best = {key: max(several, key=lambda s: sum(several[s])) for key, several in score.items()}
    head, *rows = uninterrupted["demonstrations.csv"]
    for row in (dict(zip(head, values, strict=True)) for values in rows):
        assert row["strength"] == best.get((row["task"], row["family"]), "0.0")


class Lights(BaseException):
    """They went out."""


def broken_off(monkeypatch, after):
    """Finetuning works so many times."""
    left, work = [after], finetuning.finetune

    def finetune(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise Lights
        return work(*arguments)

    monkeypatch.setattr(finetuning, "finetune", finetune)


@pytest.mark.parametrize(
    ("after", "done"),
    [(3, (0, 0, 0)), (6, (1, 0, 0)), (16 + 8, (4, 1, 0)), (16 + 18 + 5, (4, 3, 1))],
    ids=["at the first block", "in the choice", "in the second part", "in the third part"],
)
def test_a_run_that_was_broken_off_goes_on_and_gives_the_same(tiny, uninterrupted, tmp_path, monkeypatch, after, done):
    """Blocks of the choice finetune 4 times, of the strengths 6 times and of the demonstrations 3 times."""
    sweep, into = Sweep(3, cache=tmp_path / "cells"), tmp_path / "tables"
    broken_off(monkeypatch, after)
    with pytest.raises(Lights):
        grid.run(list(PARTS), sweep, into)
    monkeypatch.undo()
    for part, number, of in zip(("choice", "strengths"), done, (4, 3), strict=False):
        assert grid.collect(part, sweep, into) == (number, of)
    if done[0] < 4:
        with pytest.raises(FileNotFoundError, match=f"lacks {4 - done[0]} blocks"):
            grid.collect("demonstrations", sweep, into)
    else:
        assert grid.collect("demonstrations", sweep, into) == (done[2], 3)
    for part, number in zip(PARTS, done, strict=True):
        assert (into / f"{part}.csv").exists() == (number > 0)
        if number:
            found, whole = (one[f"{part}.csv"] for one in (tables(into), uninterrupted))
            assert found == whole[: 1 + (len(whole) - 1) // BLOCKS[part] * number]
    grid.run(list(PARTS), sweep, into)
    assert tables(into) == uninterrupted


def test_what_is_in_the_cache_is_not_computed_again(tiny, uninterrupted, tmp_path, monkeypatch):
    sweep = Sweep(3, cache=tmp_path / "cells")
    grid.run(["strengths"], sweep, tmp_path / "one")
    broken_off(monkeypatch, 0)
    grid.run(["strengths"], sweep, tmp_path / "two")
    seconds = [(tmp_path / name / "strengths.csv").read_bytes() for name in ("one", "two")]
    assert seconds[0] == seconds[1]
    assert tables(tmp_path / "two")["strengths.csv"] == uninterrupted["strengths.csv"]


def test_nothing_is_written_over_a_table_where_the_cache_holds_nothing(tiny, tmp_path):
    (tmp_path / "strengths.csv").write_text("of another machine")
    assert grid.collect("strengths", Sweep(3, cache=tmp_path / "cells"), tmp_path) == (0, 3)
    assert (tmp_path / "strengths.csv").read_text() == "of another machine"
    assert not (tmp_path / "strengths.json").exists()


def test_without_a_whole_choice_other_parts_say_what_they_need(tiny, tmp_path):
    for free in ("choice", "strengths"):
        assert grid.configs(free, tmp_path) == PARTS[free]({})
    with pytest.raises(FileNotFoundError, match=r"choice\.csv must hold the whole part choice; it lacks 4 blocks"):
        grid.configs("demonstrations", tmp_path)


# --- the command ------------------------------------------------------------------------------------------------------


def run_command(tmp_path, *more):
    return command.main(["grid", "--into", str(tmp_path / "tables"), "--cache", str(tmp_path / "cells"), *more])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "everything"), "invalid choice: 'everything'"),
        (("--only",), "expected at least one argument"),
        (("--jobs", "two"), "invalid int value"),
        (("--jobs", "0"), "--jobs must be at least 1"),
        (("--collect", "--only", "demonstrations"), "choice.csv must hold the whole part choice"),
        (("--only", "demonstrations", "--jobs", "1"), "choice.csv must hold the whole part choice"),
    ],
)
def test_a_bad_command_ends_with_2_and_says_why(tiny, tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as stop:
        run_command(tmp_path, *arguments)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.rglob("*.csv")) == []


def test_what_is_done_is_collected_without_computing(tiny, tmp_path, monkeypatch, capsys):
    broken_off(monkeypatch, 4 + 4 + 2)
    with pytest.raises(Lights):
        grid.run(["choice"], Sweep(0, cache=tmp_path / "cells"), tmp_path / "tables")
    assert run_command(tmp_path, "--collect", "--only", "choice", "strengths") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"choice: 2 of 4 blocks are in {tmp_path / 'tables' / 'choice.csv'}"
    assert said[1] == "strengths: 0 of 3 blocks; nothing is written"


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_is_the_same_for_any_number_of_workers(tiny, uninterrupted, tmp_path, capsys, jobs):
    assert run_command(tmp_path, "--seed", "3", "--jobs", str(jobs)) == 0
    assert tables(tmp_path / "tables") == uninterrupted
    table = tmp_path / "tables" / "strengths.csv"
    assert f"strengths: 3 of 3 blocks are in {table}" in capsys.readouterr().out
