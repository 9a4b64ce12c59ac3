"""Comparisons between families, and how they are judged, on numbers made up so that the answer is known."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_figures_control import SMALL, made_up
from numpy.testing import assert_allclose, assert_array_equal

from figures.control import blocks, comparisons, judgements, matching, tables
from theory.statistics.paired import holm

# --- comparisons ------------------------------------------------------------------------------------------------------


def test_a_strength_is_chosen_on_the_other_half_of_the_seeds():
    scores = np.array([[0.9, 0.1, 0.9, 0.1], [0.2, 0.8, 0.2, 0.8]])  # the first wins on even seeds
    assert_array_equal(matching.chosen_on_other_half(scores), [1, 0, 1, 0])
    assert [one.tolist() for one in matching.halves(3)] == [[True, False, True], [False, True, False]]


@given(st.floats(0.4, 0.6), st.integers(0, 2**32))
def test_above_the_line_of_the_rivals_the_difference_at_equal_success_is_the_height(here, number):
    """The rivals lie on y = 1 - x, seed by seed; the policy is 0.1 above it, at any place between, in either half."""
    rng = np.random.default_rng(number)
    rivals_x = np.array([0.7, 0.5, 0.3])[:, None] + rng.uniform(-0.04, 0.04, (3, 6))
    x = here + rng.uniform(-0.04, 0.04, 6)
    found = matching.against_frontier(x, 1.1 - x, rivals_x, 1.0 - rivals_x)
    assert_allclose(found, 0.1, atol=1e-9)


def test_the_frontier_is_the_best_rival_with_at_least_this_success():
    """A point with more of both counts; one with less x does not; beyond all x the one with the largest x counts."""
    rivals_x, rivals_y = np.array([[0.2], [0.6], [0.8]]) + np.zeros(4), np.array([[0.9], [0.5], [0.7]]) + np.zeros(4)
    level = lambda value: np.full(4, value)  # noqa: E731
    assert_allclose(matching.against_frontier(level(0.6), level(0.7), rivals_x, rivals_y), 0.0, atol=1e-12)
    assert_allclose(matching.against_frontier(level(0.2), level(0.7), rivals_x, rivals_y), -0.2, atol=1e-12)
    assert_allclose(matching.against_frontier(level(0.4), level(0.7), rivals_x, rivals_y), 0.0, atol=1e-12)
    assert_allclose(matching.against_frontier(level(0.25), level(0.7), rivals_x, rivals_y), -0.15, atol=1e-12)
    assert_allclose(matching.against_frontier(level(0.81), level(0.6), rivals_x, rivals_y), -0.1, atol=1e-12)


def highest(here, points):
    """Largest y on the line through points where x >= here, in fractions; y at the largest x if there is none."""
    found = [y for x, y in points if x >= here]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 != x1 and 0 <= (here - x0) / (x1 - x0) <= 1:
            found.append(y0 + (here - x0) / (x1 - x0) * (y1 - y0))
    return max(found) if found else max(points, key=lambda point: point[0])[1]


twentieths = st.integers(0, 20).map(lambda k: Fraction(k, 20))


@given(twentieths, st.lists(st.tuples(twentieths, twentieths), min_size=1, max_size=6))
def test_without_spread_the_frontier_agrees_with_exact_fractions(here, points):
    largest = [x for x, _ in points].count(max(x for x, _ in points))
    if here > max(x for x, _ in points) and largest > 1:
        return  # of several with the largest x any may be taken
    rivals_x, rivals_y = (np.array(one, float)[:, None] + np.zeros(2) for one in zip(*points, strict=True))
    found = matching.against_frontier(np.full(2, float(here)), np.ones(2), rivals_x, rivals_y)
    assert_allclose(1 - found, float(highest(here, points)), atol=1e-12)


def test_the_spread_at_equal_success_contains_the_error_of_the_matched_point():
    """To first order, as if the means moved: the mean of the match follows the mean of x along the rivals' line."""
    rivals_x = np.array([[0.8], [0.4]]) + np.zeros(5)
    rivals_y = np.array([[0.2], [0.8]]) + np.zeros(5)
    x, y = 0.6 + np.array([-0.1, 0.1, 0.0, 0.05, -0.05]), np.full(5, 0.7)
    found = matching.against_frontier(x, y, rivals_x, rivals_y)
    assert_allclose(found, 0.7 - (0.5 - 1.5 * (x - 0.6)))


def test_the_seeds_that_are_compared_do_not_choose_their_match():
    """The odd seeds find the second point best, so the even ones are compared with it, though the first is better."""
    rivals_x, rivals_y = np.full((2, 4), 0.8), np.array([[0.3, 0.3, 0.3, 0.3], [0.5, 0.5, 0.5, 0.5]])
    x, y = np.full(4, 0.7), np.full(4, 0.6)
    assert_allclose(matching.against_frontier(x, y, rivals_x, rivals_y), 0.1)
    rivals_y[0, ::2] = 0.9
    found = matching.against_frontier(x, y, rivals_x, rivals_y)
    assert_allclose(found[::2], 0.6 - 0.5)
    assert_allclose(found[1::2], 0.6 - 0.3)


@given(st.integers(1, 5), st.integers(2, 7), st.integers(0, 1), st.integers(0, 2**32))
def test_differences_are_linear_in_the_values_of_the_half_that_is_compared(n_others, n_seeds, parity, number):
    """Point, share and slope are fixed by the other half; a choice by the values themselves would bend the line."""
    rng = np.random.default_rng(number)
    shapes = ((n_seeds,), (n_seeds,), (n_others, n_seeds), (n_others, n_seeds))
    one = [rng.random(shape) for shape in shapes]
    two = [values.copy() for values in one]
    for values in two:
        values[..., parity::2] = rng.random(values[..., parity::2].shape)
    middle = [(a + b) / 2 for a, b in zip(one, two, strict=True)]
    ends = [matching.against_frontier(*values)[parity::2] for values in (one, two)]
    found = matching.against_frontier(*middle)[parity::2]
    size = max(np.abs(end).max() for end in ends)  # a steep line between neighbours makes large numbers
    assert_allclose(found, (ends[0] + ends[1]) / 2, atol=1e-9 * max(1.0, size))


def test_at_equal_noise_each_seed_is_matched_by_itself():
    rivals_noise = np.array([[0.0, 0.0], [0.2, 0.2], [0.4, 0.4]])
    rivals_y = np.array([[0.5, 0.1], [0.7, 0.5], [0.3, 0.3]])
    found = matching.at_equal_noise(np.array([0.1, 0.3]), np.array([0.65, 0.5]), rivals_noise, rivals_y)
    assert_allclose(found, [0.05, 0.1])
    assert matching.at_equal_noise(np.array([0.1, 0.5]), np.zeros(2), rivals_noise, rivals_y) is None


FIVE = replace(SMALL, tasks=("reach",), n_demos=(5,), n_seeds=7, finetuners=("DSRL",))


def scattered(number, config=FIVE):
    """Arrays of a grid with random success."""
    arrays, rng = tables.tensors(made_up(config)), np.random.default_rng(number)
    for name in ("pretrained", "finetuned"):
        arrays[name] = np.where(np.isnan(arrays[name]), np.nan, rng.random(arrays[name].shape))
    return arrays


def by_strength(arrays, case):
    """Matched differences for each alpha: at equal success, and before and after finetuning at equal noise."""
    return np.stack([comparisons.by_strength(arrays, case, one) for one in comparisons.MATCHED])


@given(st.integers(0, 2**32))
def test_the_best_strength_of_each_family_is_chosen_on_the_other_half_of_the_seeds(number):
    arrays = scattered(number)
    pre, fine = (arrays[name][0, 0, 0] for name in ("pretrained", "finetuned"))
    found, single = comparisons.differences(arrays, (0, 0, 0)), by_strength(arrays, (0, 0, 0))
    assert found.shape == (len(comparisons.COMPARISONS), 7)
    for r in range(7):
        others = [s for s in range(7) if s % 2 != r % 2]
        ours, rival = (max(rows, key=lambda row: np.mean(fine[row, others])) for rows in ((3, 4), (1, 2)))
        wanted = [pre[ours, r] - pre[0, r], fine[ours, r] - fine[0, r], fine[ours, r] - fine[rival, r]]
        assert_allclose(found[:4, r], [*wanted, single[0, ours - 3, r]])


def test_at_equal_noise_the_mean_is_over_the_alphas_that_can_be_matched_for_every_seed():
    arrays = scattered(1)
    single, whole = by_strength(arrays, (0, 0, 0)), comparisons.differences(arrays, (0, 0, 0))
    assert not np.isnan(single).any()
    assert_allclose(whole[4:], (single[1:, 0] + single[1:, 1]) / 2)
    arrays["noise"][0, 0, 0, 4, 3] = 9.0  # outside the range of sigma-BC, for one seed
    assert_allclose(comparisons.differences(arrays, (0, 0, 0))[4:], single[1:, 0])
    assert_array_equal(np.isnan(by_strength(arrays, (0, 0, 0))).all(axis=2), [[0, 0], [0, 1], [0, 1]])
    arrays["noise"][0, 0, 0, 3, 0] = 9.0
    none = comparisons.differences(arrays, (0, 0, 0))
    assert_array_equal(np.isnan(none).all(axis=1), [False] * 4 + [True] * 2)
    assert_array_equal(none[:4], whole[:4])


def test_a_task_with_fewer_policies_and_seeds_is_compared_as_in_a_grid_by_itself():
    policies = blocks.policies_by_strength((0.2, 0.4), (1.0, 4.0))
    other = replace(FIVE, tasks=("stick",), n_seeds=4, policies=policies)
    alone, both = tables.tensors(made_up(other)), tables.tensors([*made_up(FIVE), *made_up(other)])
    assert both["finetuned"].shape == (2, 1, 1, 6, 7)
    whole = comparisons.differences(both, (1, 0, 0))
    assert_array_equal(whole, comparisons.differences(alone, (0, 0, 0)))
    single = by_strength(both, (1, 0, 0))
    assert single.shape == (3, 3, 4)
    assert np.isnan(single[:, 1]).all()  # alpha = 2
    assert_array_equal(single[:, ::2], by_strength(alone, (0, 0, 0)))
    first = comparisons.differences(both, (0, 0, 0))
    wide = judgements.stack_padded([first, whole], (2, 1))
    assert wide.shape == (2, 1, 6, 7)
    assert_array_equal(wide[0, 0], first)
    assert_array_equal(wide[1, 0, :, :4], whole)
    assert np.isnan(wide[1, 0, :, 4:]).all()


def test_joint_intervals_are_wider_and_rows_without_a_comparison_are_left_out():
    rng = np.random.default_rng(4)
    found = np.stack([0.3 + rng.normal(0, 0.05, 12), rng.normal(0, 0.05, 12), np.full(12, np.nan)])
    judged, two = (judgements.judge_together(rows, np.random.default_rng(5)) for rows in (found, found[:2]))
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
def test_a_row_padded_with_nan_is_judged_as_without_the_padding(n, behind, number):
    row = np.random.default_rng(number).normal(0.1, 0.1, n)
    long = np.concatenate([row, np.full(behind, np.nan)])
    one, other = (judgements.judge_together(values[None], np.random.default_rng(1), 0.05) for values in (long, row))
    assert one["n"].tolist() == [n]
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert_array_equal(values, other[name])


def test_p_values_test_each_mean_against_its_own_bound():
    """Differences about -0.03: below 0 for sure, above -0.05 for sure; by all signs, the least p-value is 2/2^12."""
    row = -0.03 + 0.001 * np.random.default_rng(6).normal(size=12)
    judged = judgements.judge_together(np.stack([row, row, row]), np.random.default_rng(7), [0.0, -0.05, row.mean()])
    assert_allclose(judged["p"][:2], 2 / 2**12)
    assert judged["p"][2] > 0.5
    assert_allclose(judged["mean"], row.mean())


def test_the_adjustment_is_for_the_cases_of_one_comparison():
    """Of 9 pairs all signs are tried, so p-values have no chance; the first comparison's intervals draw first."""
    rng = np.random.default_rng(8)
    found, bounds = rng.normal([[0.02], [0.0], [0.05]], 0.05, (2, 2, 3, 9)), (0.0, -0.05, 0.0)
    found[1, 1, 2] = np.nan
    apart = judgements.judge_each_comparison(found, np.random.default_rng(9), bounds)
    assert all(values.shape == (2, 2, 3) for values in apart.values())
    for c, bound in enumerate(bounds):
        known = apart["n"][..., c] > 0
        alone = judgements.judge_together(found[..., c, :], np.random.default_rng(9), bound)
        assert_array_equal(apart["p"][..., c], alone["p"])
        assert_array_equal(apart["holm"][..., c][known], holm(apart["p"][..., c][known]))
    for values, first in zip(
        apart.values(), judgements.judge_together(found[..., 0, :], np.random.default_rng(9)).values(), strict=True
    ):
        assert_array_equal(values[..., 0], first)
    together = judgements.judge_together(found, np.random.default_rng(9), bounds)
    known = apart["n"] > 0
    assert (together["holm"][known] >= apart["holm"][known]).all()
    assert (together["holm"][known] > apart["holm"][known]).any()
