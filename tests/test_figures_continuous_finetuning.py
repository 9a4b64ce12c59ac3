"""The grid of finetuning: its table and tensors, comparisons on numbers made up so that the answer is known, claims."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from figures import _continuous_comparison as comparison
from figures import _continuous_finetuning as grid
from figures import fig_dsrl, fig_tradeoff
from figures._sweep import Sweep

SMALL = grid.Config(("reach", "stick"), (5, 10), 3, (0.2, 0.4), (1.0, 2.0), ("DSRL", "Best-of-N"))


def made_up(config=SMALL, change=lambda family, strength, n_demos: (0.5, 0.5), seed=0):
    """Rows of a grid whose mean success is `change(...)`, (pretrained, finetuned), with a spread by seed and cell."""
    rng, table = np.random.default_rng(seed), []
    luck = rng.normal(0, 0.05, 100)
    for cell in grid.cells(config, 1, range(config.n_seeds)):
        before, after = change(cell["family"], cell["strength"], cell["n_demos"])
        noise = cell["strength"] * {"sigma-BC": 1.0, "PostBC": 0.15, "BC": 0.0}[cell["family"]]
        ends = np.array([before, (before + after) / 2, after]) + luck[cell["replicate"]]
        number = 2 if cell["finetuner"] == "Best-of-N" else 1
        found = {
            "success": np.stack([ends + rng.normal(0, 0.01, 3) for _ in range(number)]),
            "environment_steps": np.array([0, 50, 110]),
            "episodes": np.array([0, 5, 10]),
            "noise": np.array(noise),
            "seconds": np.array([1.0, 2.0]),
        }
        table += grid.rows(cell, found)
    return table


# --- cells, rows, tensors ---------------------------------------------------------------------------------------------


def test_each_seed_has_every_policy_once_and_whole_seeds_come_first():
    cells = grid.cells(SMALL, 1, range(3))
    assert len(cells) == 3 * 2 * 2 * 2 * 5
    assert [cell["replicate"] for cell in cells] == sorted(cell["replicate"] for cell in cells)
    assert len({tuple(map(str, cell.items())) for cell in cells}) == len(cells)


def test_a_table_is_arranged_whatever_the_order_of_its_rows_and_a_missing_or_second_row_is_refused():
    table = made_up()
    arrays = grid.tensors(table)
    assert arrays["pretrained"].shape == (2, 2, 3, 5, 3)
    assert arrays["curve"].shape == (2, 2, 3, 5, 3, 3)
    assert arrays["learners"].tolist() == ["DSRL", "Best-of-N, N = 4", "Best-of-N, N = 16"]
    assert arrays["families"].tolist() == ["BC", "sigma-BC", "sigma-BC", "PostBC", "PostBC"]
    row = next(r for r in table if (r["task"], r["n_demos"], r["seed"], r["family"], r["strength"], r["candidates"])
               == ("stick", 10, 2, "PostBC", 2.0, 16))  # fmt: skip
    assert arrays["finetuned"][1, 1, 2, 4, 2] == float(row["finetuned"])
    assert_array_equal(arrays["curve"][..., 0], arrays["pretrained"])
    assert_array_equal(arrays["curve"][..., -1], arrays["finetuned"])
    assert (arrays["seconds"] == 3.0).all()
    for wrong in (table[1:], [*table, table[0]]):
        with pytest.raises(ValueError, match="must hold each cell once"):
            grid.tensors(wrong)


def test_tables_of_different_seeds_are_read_as_far_as_they_agree(tmp_path):
    paths = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for path, task, n_seeds in zip(paths, ("reach", "stick"), (3, 2), strict=True):
        table = made_up(replace(SMALL, tasks=(task,), n_seeds=n_seeds))
        lines = [grid.COLUMNS, *([str(row[name]) for name in grid.COLUMNS] for row in table)]
        path.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")
    arrays = grid.read_tables(paths)
    assert arrays["tasks"].tolist() == ["reach", "stick"]
    assert arrays["seeds"].tolist() == [0, 1]
    assert arrays["pretrained"].shape == (2, 2, 3, 5, 2)


TINY = grid.Config(
    ("corridor",), (3,), 1, (0.3,), (1.0,), grid.FINETUNERS,
    grid.Settings(rounds=1, rollouts=5, updates=5, iterations=1, evaluation_episodes=4),
)  # fmt: skip


@pytest.mark.slow
def test_cells_of_one_seed_share_their_chance_and_the_table_is_what_they_found(tmp_path):
    sweep = Sweep(3, cache=tmp_path / "cells")
    cells, found = grid.run(TINY, sweep)
    by = {(cell["finetuner"], cell["family"]): one for cell, one in zip(cells, found, strict=True)}
    for family in grid.FAMILIES:  # the same pretrained policy, on the same first states
        first = {float(by[name, family]["success"][0, 0]) for name in grid.FINETUNERS}
        assert len(first) == 1
    assert by["DSRL", "BC"]["noise"] == 0
    assert by["DSRL", "sigma-BC"]["noise"] == pytest.approx(0.3, rel=0.01)
    assert by["DSRL", "PostBC"]["noise"] > 0
    grid.write_table(tmp_path / "table.csv", TINY, sweep, [0])
    read = grid.read_tables([tmp_path / "table.csv"])
    computed = grid.compute(TINY, sweep)
    for name, values in computed.items():
        assert_array_equal(read[name], values)
    assert (tmp_path / "table.json").exists()


# --- comparisons ------------------------------------------------------------------------------------------------------


def test_a_strength_is_chosen_on_the_other_half_of_the_seeds():
    scores = np.array([[0.9, 0.1, 0.9, 0.1], [0.2, 0.8, 0.2, 0.8]])  # the first wins on even seeds
    assert_array_equal(comparison.chosen_elsewhere(scores), [1, 0, 1, 0])


@given(st.floats(0.31, 0.49) | st.floats(0.51, 0.69), st.integers(0, 2**32))
def test_on_the_others_line_the_difference_at_equal_success_is_what_was_added(here, number):
    """Others lie on y = 1 - x, seed by seed and in the mean; ours 0.1 above it at any place between."""
    rng = np.random.default_rng(number)
    luck = rng.normal(0, 0.02, 6)
    luck -= luck.mean()
    others_x = np.array([0.7, 0.5, 0.3])[:, None] + luck
    x = here + rng.normal(0, 0.02, 6)
    x += here - x.mean()
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


def test_the_place_that_is_matched_is_part_of_the_spread():
    """To first order as where the means are moved: the match's mean follows the mean of x along the others' line."""
    others_x = np.array([[0.8], [0.4]]) + np.zeros(5)
    others_y = np.array([[0.2], [0.8]]) + np.zeros(5)
    x, y = 0.6 + np.array([-0.1, 0.1, 0.0, 0.05, -0.05]), np.full(5, 0.7)
    found = comparison.against_frontier(x, y, others_x, others_y)
    assert_allclose(found, 0.7 - (0.5 - 1.5 * (x - 0.6)))


def test_at_equal_noise_each_seed_is_matched_by_itself():
    others_noise = np.array([[0.0, 0.0], [0.2, 0.2], [0.4, 0.4]])
    others_y = np.array([[0.5, 0.1], [0.7, 0.5], [0.3, 0.3]])
    found = comparison.at_equal_noise(np.array([0.1, 0.3]), np.array([0.65, 0.5]), others_noise, others_y)
    assert_allclose(found, [0.05, 0.1])
    assert comparison.at_equal_noise(np.array([0.1, 0.5]), np.zeros(2), others_noise, others_y) is None


def test_each_seed_is_compared_at_the_alpha_that_the_others_chose_and_not_where_that_cannot_be_matched():
    arrays = grid.tensors(made_up(replace(ONE, n_demos=(5,)), good))
    single, whole = comparison.by_strength(arrays, (0, 0, 0)), comparison.differences(arrays, (0, 0, 0))
    ours = arrays["families"] == "PostBC"
    pick = comparison.chosen_elsewhere(arrays["finetuned"][0, 0, 0][ours])
    for r, k in enumerate(pick):
        assert_array_equal(whole[3:, r], single[:, k, r])
    arrays["noise"][..., ours, 0] = 9.0
    assert_array_equal(np.isnan(comparison.differences(arrays, (0, 0, 0))).all(axis=1), [False] * 4 + [True] * 2)


def test_judgements_of_many_are_wider_and_rows_without_a_comparison_stay_out():
    rng = np.random.default_rng(4)
    found = np.stack([0.3 + rng.normal(0, 0.05, 12), rng.normal(0, 0.05, 12), np.full(12, np.nan)])
    judged = comparison.judged(found, rng)
    assert (judged["wide_low"][:2] <= judged["low"][:2]).all()
    assert (judged["wide_high"][:2] >= judged["high"][:2]).all()
    assert judged["low"][0] > 0
    assert judged["p"][0] == pytest.approx(2 / 2**12)
    assert judged["holm"][0] == pytest.approx(4 / 2**12)
    assert all(np.isnan(values[2]) for values in judged.values())


def test_p_values_are_of_the_bound_that_each_mean_is_held_against():
    """Differences about -0.03: below 0 for sure, above -0.05 for sure; by all signs, the least p-value is 2/2^12."""
    row = -0.03 + 0.001 * np.random.default_rng(6).normal(size=12)
    judged = comparison.judged(np.stack([row, row, row]), np.random.default_rng(7), [0.0, -0.05, row.mean()])
    assert_allclose(judged["p"][:2], 2 / 2**12)
    assert judged["p"][2] > 0.5
    assert_allclose(judged["mean"], row.mean())


# --- the figures ------------------------------------------------------------------------------------------------------


def claims_of(module, change, config):
    arrays = module.compared(grid.tensors(made_up(config, change)), np.random.default_rng(5))
    module.draw(arrays)
    return {claim.id: claim for claim in module.check(arrays)}


ONE = replace(SMALL, tasks=("reach",), n_seeds=12, finetuners=("DSRL",))


def good(family, strength, n_demos):
    """PostBC finetunes to 0.9 from few demonstrations, the others to 0.6; from many all do alike."""
    noise = strength * {"sigma-BC": 1.0, "PostBC": 0.15, "BC": 0.0}[family]
    before = 0.5 - 0.2 * noise + (0.05 if family == "PostBC" else 0.0)
    return before, (0.9 if family == "PostBC" and n_demos == 5 else 0.6 if n_demos == 5 else 0.85)


def bad(family, strength, n_demos):
    """PostBC is worse in everything, and the more so from few demonstrations."""
    before, after = good("sigma-BC", strength, n_demos)
    return (before - 0.2, after - 0.2 - 0.1 * (n_demos == 5)) if family == "PostBC" else (before, after)


@pytest.mark.parametrize(("change", "verdict"), [(good, "holds"), (bad, "violated")])
def test_the_verdicts_of_the_trade_off_follow_the_numbers(change, verdict):
    claims = claims_of(fig_tradeoff, change, ONE)
    few = {name: claim for name, claim in claims.items() if "-reach-5-DSRL" in name}
    assert len(few) == 6
    assert {claim.verdict for claim in few.values()} == {verdict}
    (shrinks,) = (claim for claim in claims.values() if claim.source == "E3")
    assert shrinks.verdict == verdict
    assert all(claim.as_expected for claim in claims.values())  # claims of the paper's experiments never fail a run


def test_the_first_part_of_the_grid_is_too_small_for_verdicts():
    """As its own page says: there the best alpha is below BC by an interval clear of 0, with an adjusted p of 0.0625."""
    table = Path(__file__).parents[1] / "results" / "dsrl_stick_n10.csv"
    arrays = fig_tradeoff.compared(grid.read_tables([table]), np.random.default_rng(0))
    claims = fig_tradeoff.check(arrays)
    assert {claim.verdict for claim in claims} == {"inconclusive"}
    assert any(claim.interval.high < claim.bound for claim in claims)
    assert min(claim.p_value for claim in claims) == pytest.approx(4 * 2 / 2**7)


def test_the_time_that_it_took_leaves_no_trace_in_the_figures():
    table = made_up(ONE)
    slow = [{**row, "pretrain_seconds": "9.0", "finetune_seconds": "99.0"} for row in table]
    for module in (fig_tradeoff, fig_dsrl):
        one, other = (module.compared(grid.tensors(rows), np.random.default_rng(5)) for rows in (table, slow))
        assert one.keys() == other.keys()
        for name, values in one.items():
            assert_array_equal(other[name], values)


def test_a_tie_is_called_inconclusive():
    claims = claims_of(fig_tradeoff, lambda *_: (0.5, 0.7), ONE)
    assert {c.verdict for c in claims.values() if c.source != "E1"} <= {"inconclusive"}


def test_the_learning_curves_are_judged():
    claims = claims_of(fig_dsrl, good, replace(ONE, n_demos=(5,)))
    assert [claim.verdict for claim in claims.values()] == ["holds"] * 5
    worse = claims_of(fig_dsrl, bad, replace(ONE, n_demos=(5,)))
    assert worse["dsrl-reach-5-curve-PostBC-BC"].verdict == "violated"


@pytest.mark.parametrize("module", [fig_tradeoff, fig_dsrl])
@pytest.mark.parametrize("change", [good, bad])
@pytest.mark.parametrize("n_seeds", [3, 7])
def test_with_few_seeds_nothing_is_claimed(module, change, n_seeds):
    """Of 7 pairs the least p-value is 2/2^7, and that of 5 or more comparisons, adjusted, at least 0.07."""
    claims = claims_of(module, change, replace(ONE, n_demos=(5,), n_seeds=n_seeds))
    assert {claim.verdict for claim in claims.values()} == {"inconclusive"}
    assert min(claim.p_value for claim in claims.values()) >= min(1.0, 2 / 2**n_seeds * len(claims)) - 1e-12


def test_seven_seeds_are_not_enough_even_where_the_interval_is_clear():
    claims = claims_of(fig_tradeoff, good, replace(ONE, n_demos=(5,), n_seeds=7))
    assert any(claim.interval.low > claim.bound for claim in claims.values())
