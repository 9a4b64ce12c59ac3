"""The grid of finetuning: its table and tensors, comparisons on numbers made up so that the answer is known."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from continuous.best_of_n import BestOfN, finetune_best_of_n
from continuous.dsrl import DSRL, finetune_dsrl
from continuous.tasks import TASKS
from figures.control import blocks, pretraining
from figures.control import comparisons as comparison
from figures.control.pretraining import Effort
from figures.control.variants import FAMILIES, VARIANTS, PolicySpec, Workshop
from figures.running.recorded import read_rows
from figures.running.sweep import Sweep
from theory.statistics.paired import holm

SMALL = blocks.Config(("reach", "stick"), (5, 10), 3, blocks.strengths((0.2, 0.4), (1.0, 2.0)), ("DSRL", "Best-of-N"))


def made_up(config=SMALL, change=lambda family, strength, n_demos: (0.5, 0.5), seed=0):
    """Rows of a grid whose mean success is `change(...)`, (pretrained, finetuned), with a spread by seed and cell."""
    rng, table = np.random.default_rng(seed), []
    luck = rng.normal(0, 0.05, 200)
    for cell in blocks.cells(config, 1):
        plans = [PolicySpec(*plan) for plan in cell["plans"]]
        shares = {"sigma-BC": 1.0, "PostBC": 0.15, "BC": 0.0}
        found = {
            "strength": np.array([plan.strength for plan in plans]),
            "noise": np.array([plan.strength * shares[plan.family] for plan in plans]),
            "pretrain_seconds": np.full(len(plans), 1.0),
        }
        for name in cell["finetuners"]:
            number, success = 2 if name == "Best-of-N" else 1, []
            for plan in plans:
                before, after = change(plan.family, plan.strength, cell["n_demos"])
                ends = np.array([before, (before + after) / 2, after]) + luck[cell["replicate"]]
                success.append([ends + rng.normal(0, 0.01, 3) for _ in range(number)])
            found[f"success {name}"] = np.array(success)
            found[f"steps {name}"] = np.tile([0, 50, 110], (len(plans), 1))
            found[f"episodes {name}"] = np.tile([0, 5, 10], (len(plans), 1))
            found[f"seconds {name}"] = np.full(len(plans), 2.0)
        table += blocks.rows(cell, found)
    return table


# --- blocks, rows, tensors --------------------------------------------------------------------------------------------


def test_each_task_number_and_seed_is_one_block_and_low_seeds_come_first():
    cells = blocks.cells(SMALL, 1)
    assert len(cells) == 3 * 2 * 2
    assert [cell["replicate"] for cell in cells] == sorted(cell["replicate"] for cell in cells)
    assert len({json.dumps(cell) for cell in cells}) == len(cells)
    assert all([PolicySpec(*plan) for plan in cell["plans"]] == list(SMALL.plans) for cell in cells)
    late = replace(SMALL, first_seed=100)
    assert {cell["replicate"] for cell in blocks.cells(late, 1)} == {100, 101, 102}
    both = blocks.blocks([late, replace(SMALL, tasks=("lift",), n_seeds=1), SMALL], Sweep(3))
    assert [cell["replicate"] for cell in both] == sorted(cell["replicate"] for cell in both)
    assert len(both) == 12 + 2 + 12
    assert {cell["root"] for cell in both} == {pretraining.root(Sweep(3))}


def test_families_have_their_strengths_once_and_bc_has_none():
    plans = blocks.strengths((0.1, 0.2), (3.0,))
    assert plans == (
        PolicySpec("BC", 0.0),
        PolicySpec("sigma-BC", 0.1),
        PolicySpec("sigma-BC", 0.2),
        PolicySpec("PostBC", 3.0),
    )
    assert len(blocks.strengths()) == 1 + len(blocks.SIGMAS) + len(blocks.ALPHAS)
    assert {plan.family for plan in blocks.strengths()} == set(FAMILIES)


def test_a_row_says_what_was_asked_for_and_what_was_given():
    plans = (PolicySpec("BC", 0.0), PolicySpec("PostBC", 2.0, "held-out alpha"))
    config = replace(SMALL, tasks=("reach",), n_demos=(5,), n_seeds=1, plans=plans, setting="wide")
    (cell,) = blocks.cells(config, 1)
    found = {
        "strength": np.array([0.0, 1.41421]), "noise": np.array([0.0, 0.125]), "pretrain_seconds": np.array([0.25, 3.0]),
        "success DSRL": np.array([[[0.25, 0.5]], [[0.5, 0.75]]]), "steps DSRL": np.array([[0, 7], [0, 9]]),
        "episodes DSRL": np.array([[0, 2], [0, 3]]), "seconds DSRL": np.array([1.0, 2.0]),
        "success Best-of-N": np.array([[[0.1, 0.2], [0.1, 0.3]], [[0.4, 0.5], [0.4, 0.6]]]),
        "steps Best-of-N": np.array([[0, 17], [0, 19]]), "episodes Best-of-N": np.array([[0, 4], [0, 5]]),
        "seconds Best-of-N": np.array([8.0, 9.0]),
    }  # fmt: skip
    rows = blocks.rows(cell, found)
    assert all(tuple(row) == blocks.COLUMNS for row in rows)
    names = ["DSRL, wide", "Best-of-N, wide, N = 4", "Best-of-N, wide, N = 16"]
    assert [(row["family"], blocks.learner(row)) for row in rows] == [
        (plan.family, name) for plan in plans for name in names
    ]
    last = {
        name: rows[5][name] for name in ("strength", "variant", "given", "noise", "candidates", "curve", "episodes")
    }
    assert last == {"strength": 2.0, "variant": "held-out alpha", "given": "1.4142", "noise": "0.12500",
                    "candidates": 16, "curve": "0.4000 0.6000", "episodes": 5}  # fmt: skip
    arrays = blocks.tensors(rows)
    assert arrays["given"][0, 0, :, 1, 0].tolist() == [1.4142] * 3
    assert (arrays["strengths"].tolist(), arrays["variants"].tolist()) == ([0.0, 2.0], ["", "held-out alpha"])
    assert arrays["seconds"][0, 0, :, 1, 0].tolist() == [5.0, 12.0, 12.0]
    assert arrays["curve_steps"][0, 0, 2, 1, 0].tolist() == [0, 19]


def test_a_usual_learner_bears_its_name_alone():
    assert blocks.learner({"finetuner": "DSRL", "setting": "", "candidates": ""}) == "DSRL"


@given(st.randoms(use_true_random=False), st.integers(0, 2**32))
def test_a_table_is_arranged_whatever_the_order_of_its_rows(random, seed):
    table = made_up(seed=seed)
    random.shuffle(table)
    arrays = blocks.tensors(table)
    assert arrays["pretrained"].shape == (2, 2, 3, 5, 3)
    assert arrays["curve"].shape == (2, 2, 3, 5, 3, 3)
    assert set(arrays["learners"].tolist()) == {"DSRL", "Best-of-N, N = 4", "Best-of-N, N = 16"}
    assert arrays["families"].tolist() == ["BC", "sigma-BC", "sigma-BC", "PostBC", "PostBC"]
    assert (arrays["variants"] == "").all()
    assert arrays["seeds"].tolist() == [0, 1, 2]
    for row in table[:5]:
        at = tuple(
            list(arrays[axis]).index(one)
            for axis, one in (("tasks", row["task"]), ("n_demos", row["n_demos"]), ("learners", blocks.learner(row)))
        )
        policy = SMALL.plans.index(PolicySpec(row["family"], row["strength"]))
        assert arrays["finetuned"][(*at, policy, row["seed"])] == float(row["finetuned"])
        assert arrays["noise"][(*at, policy, row["seed"])] == float(row["noise"])
    assert_array_equal(arrays["curve"][..., 0], arrays["pretrained"])
    assert_array_equal(arrays["curve"][..., -1], arrays["finetuned"])
    assert (arrays["seconds"] == 3.0).all()


def test_a_missing_or_second_row_is_refused_and_so_is_no_row_at_all():
    table = made_up()
    for wrong in (
        table[1:],
        table[:-1],
        [*table, table[0]],
        [row for row in table if row["seed"] or row["family"] != "BC"],
    ):
        with pytest.raises(ValueError, match="must hold each cell once"):
            blocks.tensors(wrong)
    with pytest.raises(ValueError, match="must hold a row"):
        blocks.tensors([])


def test_what_a_task_has_not_is_nan():
    """Other seeds, other policies and other learners for each task; variants stand behind the usual way."""
    shape = PolicySpec("PostBC", 1.0, "diagonal")
    configs = (
        replace(SMALL, tasks=("reach",), n_demos=(5,), n_seeds=4, plans=(*SMALL.plans, shape), finetuners=("DSRL",)),
        replace(SMALL, tasks=("stick",), n_demos=(5,), n_seeds=2, plans=SMALL.plans[:4]),
        replace(SMALL, tasks=("stick",), n_demos=(10,), n_seeds=1, plans=(PolicySpec("sigma-BC", 0.8),)),
    )
    arrays = blocks.tensors([row for config in configs for row in made_up(config)])
    assert arrays["families"].tolist() == ["BC", *["sigma-BC"] * 3, *["PostBC"] * 3]
    assert arrays["strengths"].tolist() == [0.0, 0.2, 0.4, 0.8, 1.0, 2.0, 1.0]
    assert arrays["variants"].tolist() == [""] * 6 + ["diagonal"]
    policies, seeds = [[0, 1, 2, 4, 5, 6], [0, 1, 2, 4], [3]], [[0, 1, 2, 3], [0, 1], [0]]
    for k, at in enumerate([(0, 0, 0), (1, 0, 0), (1, 1, 0)]):
        known = np.zeros((7, 4), bool)
        known[np.ix_(policies[k], seeds[k])] = True
        for name in ("pretrained", "finetuned", "given", "noise", "seconds"):
            assert_array_equal(np.isnan(arrays[name][at]), ~known)
        for name in ("curve", "curve_steps"):
            assert_array_equal(np.isnan(arrays[name][at]).any(axis=-1), ~known)
        assert [one.tolist() for one in comparison.there(arrays, at)] == [policies[k], seeds[k]]
    assert np.isnan(arrays["finetuned"][0, 0, 1:]).all()
    assert [one.size for one in comparison.there(arrays, (0, 1, 0))] == [0, 0]


def test_of_several_lengths_of_curves_the_first_checkpoints_are_kept():
    table = made_up(replace(SMALL, tasks=("reach",)))
    table[7] |= {"curve": "0.1 0.2", "curve_steps": "0 50"}
    assert blocks.tensors(table)["curve"].shape[-1] == 2


def test_variants_have_names_that_a_table_can_hold():
    assert "" in VARIANTS
    assert not any({",", '"', "\n"} & set(name) for name in VARIANTS)


TINY = blocks.Config(
    ("corridor",), (3,), 1, (PolicySpec("BC", 0.0), PolicySpec("sigma-BC", 0.3), PolicySpec("PostBC", 1.0)), blocks.FINETUNERS,
    blocks.Settings(rounds=1, updates=5, rollouts=(3, 5), critic_updates=5, critic_width=4, iterations=1, evaluation_episodes=4),
    Effort(3, 20, 8, 60, 8),
)  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A sweep that holds the block of a tiny grid, the block, and what was found."""
    sweep = Sweep(3, cache=tmp_path_factory.mktemp("cells"))
    (cell,) = blocks.blocks([TINY], sweep)
    (found,) = sweep.run(blocks.EXPERIMENT, blocks.run_block, [cell])
    return sweep, cell, found


def test_policies_of_a_block_share_their_chance_and_finetuners_their_policy(tiny):
    """Noise is the root mean square of 30720 normals: 5 of its deviations are 2 %, missed with probability 6e-7."""
    _, _, found = tiny
    assert_array_equal(found["success DSRL"][..., 0], found["success DPPO"][..., 0])
    assert_array_equal(found["success Best-of-N"][:, 0, 0], found["success Best-of-N"][:, 1, 0])
    assert found["noise"][0] == 0
    assert found["noise"][1] == pytest.approx(0.3, rel=0.02)
    assert found["noise"][2] > 0
    assert found["strength"].tolist() == [0.0, 0.3, 1.0]
    assert found["episodes DSRL"].tolist() == [[0, 125]] * 3
    assert found["episodes Best-of-N"].tolist() == [[0, 3, 5]] * 3
    assert found["episodes DPPO"].tolist() == [[0, 50]] * 3
    for name in blocks.FINETUNERS:
        assert (np.diff(found[f"steps {name}"], axis=1) > 0).all()
        assert found[f"seconds {name}"].shape == (3,)


def test_a_block_is_what_the_finetuners_make_of_its_policies(tiny):
    _, cell, found = tiny
    seeds = [pretraining.seed(cell, purpose) for purpose in (blocks.LEARNER, pretraining.EVALUATION)]
    policy, _ = Workshop(cell).pretrain(TINY.plans[2])
    dsrl = finetune_dsrl(TASKS["corridor"], policy, DSRL(rounds=1, updates=5, evaluation_episodes=4), *seeds)
    assert_array_equal(found["success DSRL"][2, 0], dsrl.success)
    assert_array_equal(found["steps DSRL"][2], dsrl.environment_steps)
    best = BestOfN(rollouts=(3, 5), updates=5, hidden=(4, 4), evaluation_episodes=2)
    for k, one in enumerate(finetune_best_of_n(TASKS["corridor"], policy, best, *seeds)):
        assert_array_equal(found["success Best-of-N"][2, k], one.success)


def test_a_table_is_read_as_it_was_written_and_only_what_is_there_is_written(tiny, tmp_path):
    sweep, cell, found = tiny
    more = replace(TINY, n_seeds=2)
    assert blocks.write_table(tmp_path / "table.csv", [more], sweep) == (1, 2)
    about = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert (about["schema"], about["blocks"], about["blocks_in_all"], about["seed"]) == (2, 1, 2, 3)
    read = blocks.tensors(read_rows(tmp_path / "table.csv"))
    for rows in (blocks.rows(cell, found), blocks.table([TINY], sweep)):
        for name, values in blocks.tensors(rows).items():
            assert_array_equal(read[name], values)


# --- comparisons ------------------------------------------------------------------------------------------------------


def test_a_strength_is_chosen_on_the_other_half_of_the_seeds():
    scores = np.array([[0.9, 0.1, 0.9, 0.1], [0.2, 0.8, 0.2, 0.8]])  # the first wins on even seeds
    assert_array_equal(comparison.chosen_elsewhere(scores), [1, 0, 1, 0])
    assert [one.tolist() for one in comparison.halves(3)] == [[True, False, True], [False, True, False]]


@given(st.floats(0.4, 0.6), st.integers(0, 2**32))
def test_on_the_others_line_the_difference_at_equal_success_is_what_was_added(here, number):
    """Others lie on y = 1 - x, seed by seed; ours 0.1 above it at any place between, in either half."""
    rng = np.random.default_rng(number)
    others_x = np.array([0.7, 0.5, 0.3])[:, None] + rng.uniform(-0.04, 0.04, (3, 6))
    x = here + rng.uniform(-0.04, 0.04, 6)
    found = comparison.against_frontier(x, 1.1 - x, others_x, 1.0 - others_x)
    assert_allclose(found, 0.1, atol=1e-9)


def test_the_frontier_is_the_best_that_has_at_least_as_much():
    """A point with more of both counts; one with less x does not; beyond all x the one with most counts."""
    others_x, others_y = np.array([[0.2], [0.6], [0.8]]) + np.zeros(4), np.array([[0.9], [0.5], [0.7]]) + np.zeros(4)
    level = lambda value: np.full(4, value)  # noqa: E731
    assert_allclose(comparison.against_frontier(level(0.6), level(0.7), others_x, others_y), 0.0, atol=1e-12)
    assert_allclose(comparison.against_frontier(level(0.2), level(0.7), others_x, others_y), -0.2, atol=1e-12)
    assert_allclose(comparison.against_frontier(level(0.4), level(0.7), others_x, others_y), 0.0, atol=1e-12)
    assert_allclose(comparison.against_frontier(level(0.25), level(0.7), others_x, others_y), -0.15, atol=1e-12)
    assert_allclose(comparison.against_frontier(level(0.81), level(0.6), others_x, others_y), -0.1, atol=1e-12)


def highest(here, points):
    """Largest y on the line through points where x >= here, in fractions; y at the largest x if there is none."""
    found = [y for x, y in points if x >= here]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 != x1 and 0 <= (here - x0) / (x1 - x0) <= 1:
            found.append(y0 + (here - x0) / (x1 - x0) * (y1 - y0))
    return max(found) if found else max(points, key=lambda point: point[0])[1]


twentieths = st.integers(0, 20).map(lambda k: Fraction(k, 20))


@given(twentieths, st.lists(st.tuples(twentieths, twentieths), min_size=1, max_size=6))
def test_without_spread_the_frontier_is_that_of_fractions(here, points):
    largest = [x for x, _ in points].count(max(x for x, _ in points))
    if here > max(x for x, _ in points) and largest > 1:
        return  # of several with most x any may be taken
    others_x, others_y = (np.array(one, float)[:, None] + np.zeros(2) for one in zip(*points, strict=True))
    found = comparison.against_frontier(np.full(2, float(here)), np.ones(2), others_x, others_y)
    assert_allclose(1 - found, float(highest(here, points)), atol=1e-12)


def test_the_place_that_is_matched_is_part_of_the_spread():
    """To first order as where the means are moved: the match's mean follows the mean of x along the others' line."""
    others_x = np.array([[0.8], [0.4]]) + np.zeros(5)
    others_y = np.array([[0.2], [0.8]]) + np.zeros(5)
    x, y = 0.6 + np.array([-0.1, 0.1, 0.0, 0.05, -0.05]), np.full(5, 0.7)
    found = comparison.against_frontier(x, y, others_x, others_y)
    assert_allclose(found, 0.7 - (0.5 - 1.5 * (x - 0.6)))


def test_the_half_that_is_compared_has_no_part_in_the_choice_of_its_match():
    """By the odd seeds the second point is best; the even ones are compared with it though the first is better there."""
    others_x, others_y = np.full((2, 4), 0.8), np.array([[0.3, 0.3, 0.3, 0.3], [0.5, 0.5, 0.5, 0.5]])
    x, y = np.full(4, 0.7), np.full(4, 0.6)
    assert_allclose(comparison.against_frontier(x, y, others_x, others_y), 0.1)
    others_y[0, ::2] = 0.9
    found = comparison.against_frontier(x, y, others_x, others_y)
    assert_allclose(found[::2], 0.6 - 0.5)
    assert_allclose(found[1::2], 0.6 - 0.3)


@given(st.integers(1, 5), st.integers(2, 7), st.integers(0, 1), st.integers(0, 2**32))
def test_differences_are_linear_in_the_values_of_their_own_half(n_others, n_seeds, parity, number):
    """Which point, share and incline are taken is fixed by the other half; a choice by own values would bend the line."""
    rng = np.random.default_rng(number)
    shapes = ((n_seeds,), (n_seeds,), (n_others, n_seeds), (n_others, n_seeds))
    one = [rng.random(shape) for shape in shapes]
    two = [values.copy() for values in one]
    for values in two:
        values[..., parity::2] = rng.random(values[..., parity::2].shape)
    middle = [(a + b) / 2 for a, b in zip(one, two, strict=True)]
    ends = [comparison.against_frontier(*values)[parity::2] for values in (one, two)]
    found = comparison.against_frontier(*middle)[parity::2]
    size = max(np.abs(end).max() for end in ends)  # a steep line between neighbours makes large numbers
    assert_allclose(found, (ends[0] + ends[1]) / 2, atol=1e-9 * max(1.0, size))


def test_at_equal_noise_each_seed_is_matched_by_itself():
    others_noise = np.array([[0.0, 0.0], [0.2, 0.2], [0.4, 0.4]])
    others_y = np.array([[0.5, 0.1], [0.7, 0.5], [0.3, 0.3]])
    found = comparison.at_equal_noise(np.array([0.1, 0.3]), np.array([0.65, 0.5]), others_noise, others_y)
    assert_allclose(found, [0.05, 0.1])
    assert comparison.at_equal_noise(np.array([0.1, 0.5]), np.zeros(2), others_noise, others_y) is None


FIVE = replace(SMALL, tasks=("reach",), n_demos=(5,), n_seeds=7, finetuners=("DSRL",))


def scattered(number, config=FIVE):
    """Tensors of a grid whose success is any."""
    arrays, rng = blocks.tensors(made_up(config)), np.random.default_rng(number)
    for name in ("pretrained", "finetuned"):
        arrays[name] = np.where(np.isnan(arrays[name]), np.nan, rng.random(arrays[name].shape))
    return arrays


@given(st.integers(0, 2**32))
def test_best_is_compared_with_best_and_the_match_is_that_of_the_alpha_that_the_others_chose(number):
    arrays = scattered(number)
    pre, fine = (arrays[name][0, 0, 0] for name in ("pretrained", "finetuned"))
    found, single = comparison.differences(arrays, (0, 0, 0)), comparison.by_strength(arrays, (0, 0, 0))
    assert found.shape == (len(comparison.COMPARISONS), 7)
    for r in range(7):
        others = [s for s in range(7) if s % 2 != r % 2]
        ours, rival = (max(rows, key=lambda row: np.mean(fine[row, others])) for rows in ((3, 4), (1, 2)))
        wanted = [pre[ours, r] - pre[0, r], fine[ours, r] - fine[0, r], fine[ours, r] - fine[rival, r]]
        assert_allclose(found[:4, r], [*wanted, single[0, ours - 3, r]])


def test_at_equal_noise_all_alphas_count_that_can_be_matched_for_every_seed():
    arrays = scattered(1)
    single, whole = comparison.by_strength(arrays, (0, 0, 0)), comparison.differences(arrays, (0, 0, 0))
    assert not np.isnan(single).any()
    assert_allclose(whole[4:], (single[1:, 0] + single[1:, 1]) / 2)
    arrays["noise"][0, 0, 0, 4, 3] = 9.0  # beyond sigma-BC's, for one seed
    assert_allclose(comparison.differences(arrays, (0, 0, 0))[4:], single[1:, 0])
    assert_array_equal(np.isnan(comparison.by_strength(arrays, (0, 0, 0))).all(axis=2), [[0, 0], [0, 1], [0, 1]])
    arrays["noise"][0, 0, 0, 3, 0] = 9.0
    none = comparison.differences(arrays, (0, 0, 0))
    assert_array_equal(np.isnan(none).all(axis=1), [False] * 4 + [True] * 2)
    assert_array_equal(none[:4], whole[:4])


def test_a_place_without_all_policies_and_seeds_is_compared_as_if_it_stood_alone():
    plans = (*blocks.strengths((0.2, 0.4), (1.0, 4.0)),)
    other = replace(FIVE, tasks=("stick",), n_seeds=4, plans=plans)
    alone, both = blocks.tensors(made_up(other)), blocks.tensors([*made_up(FIVE), *made_up(other)])
    assert both["finetuned"].shape == (2, 1, 1, 6, 7)
    whole = comparison.differences(both, (1, 0, 0))
    assert_array_equal(whole, comparison.differences(alone, (0, 0, 0)))
    single = comparison.by_strength(both, (1, 0, 0))
    assert single.shape == (3, 3, 4)
    assert np.isnan(single[:, 1]).all()  # alpha = 2
    assert_array_equal(single[:, ::2], comparison.by_strength(alone, (0, 0, 0)))
    first = comparison.differences(both, (0, 0, 0))
    wide = comparison.stacked([first, whole], (2, 1))
    assert wide.shape == (2, 1, 6, 7)
    assert_array_equal(wide[0, 0], first)
    assert_array_equal(wide[1, 0, :, :4], whole)
    assert np.isnan(wide[1, 0, :, 4:]).all()


def test_judgements_of_many_are_wider_and_rows_without_a_comparison_stay_out():
    rng = np.random.default_rng(4)
    found = np.stack([0.3 + rng.normal(0, 0.05, 12), rng.normal(0, 0.05, 12), np.full(12, np.nan)])
    judged, two = (comparison.judged(rows, np.random.default_rng(5)) for rows in (found, found[:2]))
    for name, values in two.items():
        assert_array_equal(judged[name][:2], values)
    assert (judged["wide_low"][:2] <= judged["low"][:2]).all()
    assert (judged["wide_high"][:2] >= judged["high"][:2]).all()
    assert judged["low"][0] > 0
    assert judged["p"][0] == pytest.approx(2 / 2**12)
    assert judged["holm"][0] == pytest.approx(4 / 2**12)
    assert judged.pop("n").tolist() == [12, 12, 0]
    assert all(np.isnan(values[2]) for values in judged.values())


@given(st.integers(2, 9), st.integers(0, 4), st.integers(0, 2**32))
def test_a_row_with_nothing_behind_it_is_judged_as_the_short_one(n, behind, number):
    row = np.random.default_rng(number).normal(0.1, 0.1, n)
    long = np.concatenate([row, np.full(behind, np.nan)])
    one, other = (comparison.judged(values[None], np.random.default_rng(1), 0.05) for values in (long, row))
    assert one["n"].tolist() == [n]
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert_array_equal(values, other[name])


def test_p_values_are_of_the_bound_that_each_mean_is_held_against():
    """Differences about -0.03: below 0 for sure, above -0.05 for sure; by all signs, the least p-value is 2/2^12."""
    row = -0.03 + 0.001 * np.random.default_rng(6).normal(size=12)
    judged = comparison.judged(np.stack([row, row, row]), np.random.default_rng(7), [0.0, -0.05, row.mean()])
    assert_allclose(judged["p"][:2], 2 / 2**12)
    assert judged["p"][2] > 0.5
    assert_allclose(judged["mean"], row.mean())


def test_what_is_adjusted_for_is_the_places_of_one_comparison():
    """Of 9 pairs all signs are tried, so p-values have no chance; the first comparison's intervals draw first."""
    rng = np.random.default_rng(8)
    found, bounds = rng.normal([[0.02], [0.0], [0.05]], 0.05, (2, 2, 3, 9)), (0.0, -0.05, 0.0)
    found[1, 1, 2] = np.nan
    apart = comparison.judged_apart(found, np.random.default_rng(9), bounds)
    assert all(values.shape == (2, 2, 3) for values in apart.values())
    for c, bound in enumerate(bounds):
        known = apart["n"][..., c] > 0
        alone = comparison.judged(found[..., c, :], np.random.default_rng(9), bound)
        assert_array_equal(apart["p"][..., c], alone["p"])
        assert_array_equal(apart["holm"][..., c][known], holm(apart["p"][..., c][known]))
    for values, first in zip(
        apart.values(), comparison.judged(found[..., 0, :], np.random.default_rng(9)).values(), strict=True
    ):
        assert_array_equal(values[..., 0], first)
    together = comparison.judged(found, np.random.default_rng(9), bounds)
    known = apart["n"] > 0
    assert (together["holm"][known] >= apart["holm"][known]).all()
    assert (together["holm"][known] > apart["holm"][known]).any()
