"""Blocks of the grid of finetuning: what a block computes, its rows, tables of rows, and arrays made from rows."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_figures_control import SMALL, made_up
from numpy.testing import assert_array_equal

from continuous.best_of_n import BestOfN, finetune_best_of_n
from continuous.dsrl import DSRL, finetune_dsrl
from continuous.tasks import TASKS
from figures.control import blocks, comparisons, pretraining, tables
from figures.control.blocks import Block
from figures.control.families import FAMILIES
from figures.control.pretraining import Effort
from figures.control.tables import Row
from figures.control.variants import VARIANTS, PolicySpec, Workshop
from figures.running.recorded import RESULTS, TableError, read_rows
from figures.running.sweep import Sweep

# --- blocks, rows, tensors --------------------------------------------------------------------------------------------


def test_each_task_number_of_demonstrations_and_seed_is_one_block_and_low_seeds_come_first():
    found = blocks.blocks_of([SMALL], 1)
    assert len(found) == 3 * 2 * 2
    assert [block.replicate for block in found] == sorted(block.replicate for block in found)
    assert len(set(found)) == len(found)
    assert all(block.policies == SMALL.policies for block in found)
    late = replace(SMALL, first_seed=100)
    assert {block.replicate for block in blocks.blocks_of([late], 1)} == {100, 101, 102}
    both = blocks.blocks_of([late, replace(SMALL, tasks=("lift",), n_seeds=1), SMALL], 7)
    assert [block.replicate for block in both] == sorted(block.replicate for block in both)
    assert len(both) == 12 + 2 + 12
    assert {block.root for block in both} == {7}


@pytest.mark.parametrize("through_json", [False, True])
def test_a_block_is_read_from_its_cell_as_it_was(through_json):
    for block in blocks.blocks_of([SMALL, blocks.QUICK], 1):
        cell = block.to_cell()
        assert Block.of(json.loads(json.dumps(cell)) if through_json else cell) == block


def test_families_have_their_strengths_once_and_bc_has_none():
    policies = blocks.policies_by_strength((0.1, 0.2), (3.0,))
    assert policies == (
        PolicySpec(family="BC"),
        PolicySpec(family="sigma-BC", strength=0.1),
        PolicySpec(family="sigma-BC", strength=0.2),
        PolicySpec(family="PostBC", strength=3.0),
    )
    assert len(blocks.policies_by_strength()) == 1 + len(blocks.SIGMAS) + len(blocks.ALPHAS)
    assert {policy.family for policy in blocks.policies_by_strength()} <= set(FAMILIES)


def test_a_row_has_the_strength_asked_for_and_the_strength_given():
    policies = (PolicySpec(family="BC"), PolicySpec(family="PostBC", strength=2.0, variant="held-out alpha"))
    config = replace(SMALL, tasks=("reach",), n_demos=(5,), n_seeds=1, policies=policies, setting="wide")
    (block,) = blocks.blocks_of([config], 1)
    results = {
        "strength": np.array([0.0, 1.41421]), "noise": np.array([0.0, 0.125]), "pretrain_seconds": np.array([0.25, 3.0]),
        "success DSRL": np.array([[[0.25, 0.5]], [[0.5, 0.75]]]), "steps DSRL": np.array([[0, 7], [0, 9]]),
        "episodes DSRL": np.array([[0, 2], [0, 3]]), "seconds DSRL": np.array([1.0, 2.0]),
        "success Best-of-N": np.array([[[0.1, 0.2], [0.1, 0.3]], [[0.4, 0.5], [0.4, 0.6]]]),
        "steps Best-of-N": np.array([[0, 17], [0, 19]]), "episodes Best-of-N": np.array([[0, 4], [0, 5]]),
        "seconds Best-of-N": np.array([8.0, 9.0]),
    }  # fmt: skip
    rows = tables.rows_of(block, results)
    names = ["DSRL, wide", "Best-of-N, wide, N = 4", "Best-of-N, wide, N = 16"]
    assert [(row.policy, row.learner) for row in rows] == [(policy, name) for policy in policies for name in names]
    texts = rows[5].texts()
    assert tuple(texts) == tables.COLUMNS
    wanted = {"strength": "2.0", "variant": "held-out alpha", "given": "1.4142", "noise": "0.12500",
              "candidates": "16", "curve": "0.4000 0.6000", "curve_steps": "0 19", "episodes": "5"}  # fmt: skip
    assert {name: texts[name] for name in wanted} == wanted
    arrays = tables.tensors(rows)
    assert arrays["given"][0, 0, :, 1, 0].tolist() == [1.4142] * 3
    assert (arrays["strengths"].tolist(), arrays["variants"].tolist()) == ([0.0, 2.0], ["", "held-out alpha"])
    assert arrays["seconds"][0, 0, :, 1, 0].tolist() == [5.0, 12.0, 12.0]
    assert arrays["curve_steps"][0, 0, 2, 1, 0].tolist() == [0, 19]


def test_a_row_is_read_from_its_line_as_it_was():
    for row in made_up():
        assert Row.of(row.texts()) == row


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.csv")), ids=lambda path: path.stem)
def test_a_recorded_table_is_read_and_would_be_written_as_it_is(path):
    recorded = read_rows(path)
    assert recorded
    assert [Row.of(texts).texts() for texts in recorded] == recorded


def test_the_name_of_a_learner_with_usual_settings_is_that_of_its_finetuner():
    assert tables.learner_name("DSRL") == "DSRL"


@given(st.randoms(use_true_random=False), st.integers(0, 2**32))
def test_the_arrays_of_a_table_do_not_depend_on_the_order_of_its_rows(random, seed):
    table = made_up(seed=seed)
    random.shuffle(table)
    arrays = tables.tensors(table)
    assert arrays["pretrained"].shape == (2, 2, 3, 5, 3)
    assert arrays["curve"].shape == (2, 2, 3, 5, 3, 3)
    assert set(arrays["learners"].tolist()) == {"DSRL", "Best-of-N, N = 4", "Best-of-N, N = 16"}
    assert arrays["families"].tolist() == ["BC", "sigma-BC", "sigma-BC", "PostBC", "PostBC"]
    assert (arrays["variants"] == "").all()
    assert arrays["seeds"].tolist() == [0, 1, 2]
    for row in table[:5]:
        case = tuple(
            list(arrays[axis]).index(member)
            for axis, member in (("tasks", row.task), ("n_demos", row.n_demos), ("learners", row.learner))
        )
        policy = SMALL.policies.index(row.policy)
        assert arrays["finetuned"][(*case, policy, row.seed)] == row.finetuned
        assert arrays["noise"][(*case, policy, row.seed)] == row.noise
    assert_array_equal(arrays["curve"][..., 0], arrays["pretrained"])
    assert_array_equal(arrays["curve"][..., -1], arrays["finetuned"])
    assert (arrays["seconds"] == 3.0).all()


def test_a_table_with_a_missing_or_repeated_row_or_without_rows_is_refused():
    table = made_up()
    for wrong in (
        table[1:],
        table[:-1],
        [*table, table[0]],
        [row for row in table if row.seed or row.family != "BC"],
    ):
        with pytest.raises(ValueError, match="must hold each cell once"):
            tables.tensors(wrong)
    with pytest.raises(ValueError, match="must hold a row"):
        tables.tensors([])


def test_entries_of_policies_that_a_task_lacks_are_nan():
    """Each task has other seeds, policies and learners; variants come after the usual way."""
    shape = PolicySpec(family="PostBC", strength=1.0, variant="diagonal")
    configs = (
        replace(
            SMALL, tasks=("reach",), n_demos=(5,), n_seeds=4, policies=(*SMALL.policies, shape), finetuners=("DSRL",)
        ),
        replace(SMALL, tasks=("stick",), n_demos=(5,), n_seeds=2, policies=SMALL.policies[:4]),
        replace(
            SMALL, tasks=("stick",), n_demos=(10,), n_seeds=1, policies=(PolicySpec(family="sigma-BC", strength=0.8),)
        ),
    )
    arrays = tables.tensors([row for config in configs for row in made_up(config)])
    assert arrays["families"].tolist() == ["BC", *["sigma-BC"] * 3, *["PostBC"] * 3]
    assert arrays["strengths"].tolist() == [0.0, 0.2, 0.4, 0.8, 1.0, 2.0, 1.0]
    assert arrays["variants"].tolist() == [""] * 6 + ["diagonal"]
    policies, seeds = [[0, 1, 2, 4, 5, 6], [0, 1, 2, 4], [3]], [[0, 1, 2, 3], [0, 1], [0]]
    for k, case in enumerate([(0, 0, 0), (1, 0, 0), (1, 1, 0)]):
        known = np.zeros((7, 4), bool)
        known[np.ix_(policies[k], seeds[k])] = True
        for name in ("pretrained", "finetuned", "given", "noise", "seconds"):
            assert_array_equal(np.isnan(arrays[name][case]), ~known)
        for name in ("curve", "curve_steps"):
            assert_array_equal(np.isnan(arrays[name][case]).any(axis=-1), ~known)
        assert [one.tolist() for one in comparisons.known_policies_and_seeds(arrays, case)] == [policies[k], seeds[k]]
    assert np.isnan(arrays["finetuned"][0, 0, 1:]).all()
    assert [one.size for one in comparisons.known_policies_and_seeds(arrays, (0, 1, 0))] == [0, 0]


def test_the_arrays_keep_the_checkpoints_that_all_curves_have():
    table = made_up(replace(SMALL, tasks=("reach",)))
    table[7] = replace(table[7], curve=(0.1, 0.2), curve_steps=(0, 50))
    assert tables.tensors(table)["curve"].shape[-1] == 2


def test_variants_have_names_that_a_table_can_hold():
    assert "" in VARIANTS
    assert not any({",", '"', "\n"} & set(name) for name in VARIANTS)


TINY = blocks.Config(
    tasks=("corridor",), n_demos=(3,), n_seeds=1,
    policies=(
        PolicySpec(family="BC"), PolicySpec(family="sigma-BC", strength=0.3), PolicySpec(family="PostBC", strength=1.0)
    ),
    finetuners=tuple(blocks.FINETUNERS),
    settings=blocks.Settings(
        rounds=1, updates=5, rollouts=(3, 5), critic_updates=5, critic_width=4, iterations=1, evaluation_episodes=4
    ),
    effort=Effort(n_members=3, ensemble_steps=20, ensemble_width=8, policy_steps=60, policy_width=8),
)  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A sweep that has run the one block of a tiny grid, the block, and its results."""
    sweep = Sweep(3, cache=tmp_path_factory.mktemp("cells"))
    (block,) = blocks.blocks_of([TINY], pretraining.root(sweep))
    (results,) = blocks.run_blocks([block], sweep)
    return sweep, block, results


def test_finetuners_of_a_block_start_from_the_same_policy_with_the_noise_asked_for(tiny):
    """Noise is the root mean square of 30720 normals: 5 of its deviations are 2 %, missed with probability 6e-7."""
    _, _, results = tiny
    assert_array_equal(results["success DSRL"][..., 0], results["success DPPO"][..., 0])
    assert_array_equal(results["success Best-of-N"][:, 0, 0], results["success Best-of-N"][:, 1, 0])
    assert results["noise"][0] == 0
    assert results["noise"][1] == pytest.approx(0.3, rel=0.02)
    assert results["noise"][2] > 0
    assert results["strength"].tolist() == [0.0, 0.3, 1.0]
    assert results["episodes DSRL"].tolist() == [[0, 125]] * 3
    assert results["episodes Best-of-N"].tolist() == [[0, 3, 5]] * 3
    assert results["episodes DPPO"].tolist() == [[0, 50]] * 3
    for name in blocks.FINETUNERS:
        assert (np.diff(results[f"steps {name}"], axis=1) > 0).all()
        assert results[f"seconds {name}"].shape == (3,)


def test_a_block_has_the_results_of_the_finetuners_called_directly(tiny):
    _, block, results = tiny
    seeds = [pretraining.seed(block, purpose) for purpose in (pretraining.LEARNER, pretraining.EVALUATION)]
    policy, _ = Workshop(block).pretrain(TINY.policies[2])
    dsrl = finetune_dsrl(TASKS["corridor"], policy, DSRL(rounds=1, updates=5, evaluation_episodes=4), *seeds)
    assert_array_equal(results["success DSRL"][2, 0], dsrl.success)
    assert_array_equal(results["steps DSRL"][2], dsrl.environment_steps)
    best = BestOfN(rollouts=(3, 5), updates=5, hidden=(4, 4), evaluation_episodes=2)
    for k, one in enumerate(finetune_best_of_n(TASKS["corridor"], policy, best, *seeds)):
        assert_array_equal(results["success Best-of-N"][2, k], one.success)


def test_a_table_has_the_finished_blocks_only_and_is_read_as_it_was_written(tiny, tmp_path):
    sweep, block, results = tiny
    more = replace(TINY, n_seeds=2)
    assert tables.write_table(tmp_path / "table.csv", [more], sweep) == (1, 2)
    about = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert (about["schema"], about["blocks"], about["blocks_in_all"], about["seed"]) == (3, 1, 2, 3)
    assert about["sha256"] == hashlib.sha256((tmp_path / "table.csv").read_bytes()).hexdigest()
    with pytest.raises(TableError, match=r"table\.csv holds 1 of 2 blocks; `python -m figures grid --only table "):
        read_rows(tmp_path / "table.csv")
    assert tables.write_table(tmp_path / "table.csv", [TINY], sweep) == (1, 1)
    read = tables.tensors([Row.of(texts) for texts in read_rows(tmp_path / "table.csv")])
    for rows in (tables.rows_of(block, results), tables.run_grid([TINY], sweep)):
        for name, values in tables.tensors(rows).items():
            assert_array_equal(read[name], values)
