"""The full grid in parts: what each part asks for, how strengths are chosen, and interrupted runs that are continued."""

import csv
import json
import re
from dataclasses import replace

import made_figures_grid
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuous.beyond import shrunken_alpha
from continuous.tasks import TASKS
from figures import __main__ as command
from figures.control import blocks, grid, grid_runs
from figures.control.blocks import Config, Settings, noisy_policies, policies_by_strength
from figures.control.families import FAMILIES
from figures.control.oracle_masks import ORACLE_MASKS
from figures.control.pretraining import Effort
from figures.control.tables import Row
from figures.control.variants import VARIANTS
from figures.running.recorded import TableError
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
def test_a_part_asks_for_tasks_learners_families_and_masks_that_exist(part):
    for config in WHOLE[part]:
        assert set(config.tasks) <= set(TASKS)
        assert set(config.finetuners) <= set(blocks.FINETUNERS)
        assert len(set(config.policies)) == len(config.policies) > 0
        for policy in config.policies:
            assert policy.family in FAMILIES
            assert not VARIANTS[policy.variant].masked or (
                FAMILIES[policy.family].maskable and set(config.tasks) <= set(ORACLE_MASKS)
            )


def test_no_result_is_asked_for_twice_so_that_parts_can_be_joined():
    """No two rows have the same task, number of demonstrations, learner, policy and seed; choices have separate seeds."""
    asked = [
        (task, n_demos, name, config.setting, policy, config.first_seed + seed)
        for configs in WHOLE.values()
        for config in configs
        for task in config.tasks
        for n_demos in config.n_demos
        for name in config.finetuners
        for policy in config.policies
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


def test_all_blocks_of_the_grid_differ_so_that_they_can_be_run_at_once():
    cells = [json.dumps(block.to_cell()) for configs in WHOLE.values() for block in blocks.blocks_of(configs, 0)]
    assert len(set(cells)) == len(cells)


@each_part
def test_settings_that_are_not_the_usual_ones_have_a_name(part):
    names = {(config.setting, config.settings) for config in WHOLE[part]}
    assert len({name for name, _ in names}) == len(names)
    assert all(name != "" or settings == Settings() for name, settings in names)


def test_a_shrunken_alpha_equals_the_chosen_one_at_the_number_of_demonstrations_of_the_choice():
    for config in WHOLE["shrinkage"]:
        (policy,), (task,) = config.policies, config.tasks
        given = shrunken_alpha(policy.strength, grid.N_DEMOS, VARIANTS[policy.variant].prior_mass)
        assert given == pytest.approx(CHOSEN[task, grid.N_DEMOS]["PostBC"], rel=1e-12)
        assert grid.N_DEMOS not in config.n_demos


# --- choices ----------------------------------------------------------------------------------------------------------


def choice_rows(success):
    """A table of `choice` from success by (task, family, strength, seed)."""
    return [
        Row(
            task=task, n_demos=10, seed=seed, family=family, strength=strength, variant="", given=strength, noise=0.1,
            finetuner="DSRL", setting="", candidates=None, pretrained=1.0 - value, finetuned=value,
            environment_steps=9, episodes=1, curve_steps=(0, 9), curve=(0.0, value), pretrain_seconds=1.0,
            finetune_seconds=1.0,
        )
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
    found = grid_runs.choose(choice_rows(success))
    assert set(found) == {("reach", 10), ("stick", 10)}
    for task, n_seeds in (("stick", n_stick), ("reach", n_reach)):
        for family, several in several_strengths.items():
            totals = {s: sum(success[task, family, s, seed] for seed in range(100, 100 + n_seeds)) for s in several}
            assert found[task, 10][family] == max(totals, key=totals.get)


# --- runs -------------------------------------------------------------------------------------------------------------

LITTLE = {
    "settings": Settings(rounds=1, updates=2, rollouts=(3,), critic_updates=2, critic_width=4, evaluation_episodes=4),
    "effort": Effort(n_members=2, ensemble_steps=2, ensemble_width=4, policy_steps=2, policy_width=4),
}


def tiny_choice(_):
    policies = noisy_policies((0.2, 0.4), (1.0, 2.0))
    return [Config(tasks=("corridor", "stick"), n_demos=(3,), n_seeds=2, policies=policies, first_seed=100, **LITTLE)]


def tiny_strengths(_):
    policies, both = policies_by_strength((0.2,), (1.0,)), ("DSRL", "Best-of-N")
    return [
        Config(tasks=(task,), n_demos=(3,), n_seeds=n, policies=policies, finetuners=both, **LITTLE)
        for task, n in grid.TASKS.items()
    ]


def tiny_demonstrations(chosen):
    return [
        Config(
            tasks=(task,), n_demos=(4,), n_seeds=n, policies=tuple(grid.chosen_policies(chosen[task, 3]).values()),
            **LITTLE,
        )
        for task, n in grid.TASKS.items()
    ]  # fmt: skip


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
    """Contents of the files of a folder, without the two columns of seconds and the digest, which depends on them."""
    found = {}
    for path in sorted(folder.iterdir()):
        found[path.name] = re.sub(r' "sha256": "[0-9a-f]{64}",\n', "", path.read_text(encoding="utf-8"))
        if path.suffix == ".csv":
            rows = list(csv.reader(found[path.name].splitlines()))
            assert rows[0][-2:] == ["pretrain_seconds", "finetune_seconds"]
            found[path.name] = [row[:-2] for row in rows]
    return found


@pytest.fixture(scope="module")
def uninterrupted(tiny, tmp_path_factory):
    """Tables of a run in one go."""
    folder = tmp_path_factory.mktemp("whole")
    grid_runs.run(list(PARTS), Sweep(3, cache=folder / "cells"), folder / "tables")
    return tables(folder / "tables")


def test_a_run_writes_a_whole_table_for_each_part(uninterrupted):
    assert set(uninterrupted) == {f"{part}.{kind}" for part in PARTS for kind in ("csv", "json")}
    for part, number in BLOCKS.items():
        about = json.loads(uninterrupted[f"{part}.json"])
        assert (about["blocks"], about["blocks_in_all"]) == (number, number)
    of = {part: len(uninterrupted[f"{part}.csv"]) - 1 for part in PARTS}
    assert of == {"choice": 4 * 4, "strengths": 3 * 3 * 3, "demonstrations": 3 * 3}


def test_later_parts_use_the_chosen_strengths(tiny, uninterrupted, tmp_path):
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


class Interrupted(BaseException):
    """The run stops here."""


def interrupt(monkeypatch, after):
    """Let finetuning work `after` times, and then interrupt the run."""
    left, work = [after], blocks.finetune

    def finetune(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise Interrupted
        return work(*arguments)

    monkeypatch.setattr(blocks, "finetune", finetune)


@pytest.mark.parametrize(
    ("after", "done"),
    [(3, (0, 0, 0)), (6, (1, 0, 0)), (16 + 8, (4, 1, 0)), (16 + 18 + 5, (4, 3, 1))],
    ids=["at the first block", "in the choice", "in the second part", "in the third part"],
)
def test_an_interrupted_run_is_continued_and_gives_the_same_tables(
    tiny, uninterrupted, tmp_path, monkeypatch, after, done
):
    """Blocks of the choice finetune 4 times, of the strengths 6 times and of the demonstrations 3 times."""
    sweep, into = Sweep(3, cache=tmp_path / "cells"), tmp_path / "tables"
    interrupt(monkeypatch, after)
    with pytest.raises(Interrupted):
        grid_runs.run(list(PARTS), sweep, into)
    monkeypatch.undo()
    for part, number, of in zip(("choice", "strengths"), done, (4, 3), strict=False):
        assert grid_runs.collect(part, sweep, into) == (number, of)
    if done[0] < 4:
        refusal = f"holds {done[0]} of 4 blocks" if done[0] else "there is no table"
        with pytest.raises((FileNotFoundError, TableError), match=refusal):
            grid_runs.collect("demonstrations", sweep, into)
    else:
        assert grid_runs.collect("demonstrations", sweep, into) == (done[2], 3)
    for part, number in zip(PARTS, done, strict=True):
        assert (into / f"{part}.csv").exists() == (number > 0)
        if number:
            found, whole = (one[f"{part}.csv"] for one in (tables(into), uninterrupted))
            assert found == whole[: 1 + (len(whole) - 1) // BLOCKS[part] * number]
    grid_runs.run(list(PARTS), sweep, into)
    assert tables(into) == uninterrupted


def test_blocks_in_the_cache_are_not_computed_again(tiny, uninterrupted, tmp_path, monkeypatch):
    sweep = Sweep(3, cache=tmp_path / "cells")
    grid_runs.run(["strengths"], sweep, tmp_path / "one")
    interrupt(monkeypatch, 0)
    grid_runs.run(["strengths"], sweep, tmp_path / "two")
    seconds = [(tmp_path / name / "strengths.csv").read_bytes() for name in ("one", "two")]
    assert seconds[0] == seconds[1]
    assert tables(tmp_path / "two")["strengths.csv"] == uninterrupted["strengths.csv"]


def test_a_table_is_not_overwritten_if_the_cache_holds_none_of_its_blocks(tiny, tmp_path):
    (tmp_path / "strengths.csv").write_text("of another machine")
    assert grid_runs.collect("strengths", Sweep(3, cache=tmp_path / "cells"), tmp_path) == (0, 3)
    assert (tmp_path / "strengths.csv").read_text() == "of another machine"
    assert not (tmp_path / "strengths.json").exists()


def test_without_a_whole_choice_other_parts_say_what_they_need(tiny, tmp_path):
    for free in ("choice", "strengths"):
        assert grid_runs.configs(free, tmp_path) == PARTS[free]({})
    with pytest.raises(FileNotFoundError, match=r"there is no table .*choice\.csv; .*--only choice --into"):
        grid_runs.configs("demonstrations", tmp_path)
    half = made_figures_grid.rows([replace(config, n_seeds=1) for config in PARTS["choice"]({})], lambda *_: (0.5, 0.6))
    made_figures_grid.write(tmp_path / "choice.csv", half)
    with pytest.raises(FileNotFoundError, match=r"choice\.csv must hold the whole part choice; it lacks 2 blocks"):
        grid_runs.configs("demonstrations", tmp_path)


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
        (("--collect", "--only", "demonstrations"), "--only choice --into"),
        (("--only", "demonstrations", "--jobs", "1"), "--only choice --into"),
    ],
)
def test_a_bad_command_ends_with_2_and_says_why(tiny, tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as stop:
        run_command(tmp_path, *arguments)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.rglob("*.csv")) == []


def test_the_command_collects_finished_blocks_without_computing(tiny, tmp_path, monkeypatch, capsys):
    interrupt(monkeypatch, 4 + 4 + 2)
    with pytest.raises(Interrupted):
        grid_runs.run(["choice"], Sweep(0, cache=tmp_path / "cells"), tmp_path / "tables")
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
