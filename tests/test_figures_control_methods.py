"""Policies before finetuning, and the numbers of the figures about them, against oracles."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from continuous.evaluation import evaluate
from continuous.five_tasks import CORRIDOR
from continuous.tasks import TASKS
from figures.control import (
    fig_action_density,
    fig_posterior_noise,
    fig_pretrained,
    methods,
    posterior_widths,
    pretraining,
)
from figures.control.methods import Method
from figures.control.posterior_widths import MemoryCell, WidthCell
from figures.control.pretraining import Effort
from figures.running.sweep import Sweep
from theory.statistics.probability import mean_interval

LITTLE = Effort(
    n_members=3, ensemble_steps=20, ensemble_width=8, policy_steps=30, policy_width=8, n_episodes=12
)  # fmt: skip
METHODS = (
    Method(family="BC"),
    Method(family="PostBC", strength=2.0),
    Method(family="sigma-BC", strength=0.3),
    Method(family="sigma-BC", strength=2.0, matched=True),
)


def cells(n_demos, asked=METHODS):
    return methods.method_cells(Sweep(3), tasks=("reach",), n_demos=n_demos, replicates=2, effort=LITTLE, methods=asked)


def pretrain(cell, seed=0):
    return methods.pretrain(cell.to_cell(), np.random.default_rng(seed))


@pytest.mark.parametrize("through_json", [False, True])
def test_the_cells_of_pretrained_policies_and_of_widths_are_read_as_they_were_written(through_json):
    base = {"root": 3, "task": "reach", "replicate": 1, "n_demos": 4, "effort": LITTLE}
    of_width = WidthCell(**base, version="trajectory", n_held_out=5, grid=0)
    for asked in (cells((4,))[0], of_width, MemoryCell(**base, prior=1.0, steps=3)):
        cell = asked.to_cell()
        assert type(asked).of(json.loads(json.dumps(cell)) if through_json else cell) == asked


def test_a_policy_is_rebuilt_from_the_arrays_of_its_cell():
    cell = cells((4,))[1]
    found = pretrain(cell)
    assert found["success"].shape == (4, 12)
    for m in range(4):
        again = evaluate(TASKS["reach"], methods.policy(found, m), 12, pretraining.seed(cell, pretraining.EVALUATION))
        assert np.array_equal(again.success, found["success"][m])
    assert np.array_equal(found["added"][0], np.zeros(4))


def test_each_method_adds_the_noise_that_its_name_says():
    """Mean squares of 30 steps of 128 draws within 5.6 of their standard deviations, which chance leaves once in 2e-8.

    Of a square |L w|^2 the mean is tr(L L^T) =: t, and the variance at most 2 t^2, beside that of t from row to row.
    """
    cell = cells((4,))[1]
    found = pretrain(cell)
    data = pretraining.demonstrations(cell)
    covariance = pretraining.ensemble(cell, data).covariance(data.observations)
    traces = 4 * np.einsum("nii->n", covariance)
    for method, rows in ((1, traces), (2, np.array([4 * 0.3**2])), (3, np.array([traces.mean()]))):
        deviation = np.sqrt((2 * np.mean(rows**2) + rows.var()) / (30 * 128))
        assert abs(np.sum(found["added"][method] ** 2) - rows.mean()) < 5.6 * deviation
        assert 5.6 * deviation < 0.3 * rows.mean()


def test_a_cell_does_not_depend_on_its_generator_nor_a_method_on_the_other_methods():
    few, more = cells((3, 5))[0], cells((3, 5))[2]
    one, two = (pretrain(few, seed) for seed in range(2))
    assert all(np.array_equal(one[key], two[key]) for key in one)
    alone = pretrain(cells((3,), (Method(family="sigma-BC", strength=0.3),))[0])
    assert np.array_equal(alone["parameters"][0], one["parameters"][2])
    data, larger = pretraining.demonstrations(few), pretraining.demonstrations(more)
    assert np.array_equal(larger.actions[: len(data.actions)], data.actions)
    assert not np.array_equal(pretraining.demonstrations(cells((3,))[1]).actions[:5], data.actions[:5])


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="family must be one of 'BC', 'sigma-BC', 'PostBC'"):
        pretrain(cells((3,), (Method(family="uniform", strength=1.0),))[0])


def test_the_figures_of_pretrained_policies_share_their_cells():
    """The corridor's cells of the published figures are the same, so that they are computed once."""
    one = fig_pretrained.FULL
    two = fig_action_density.FULL
    first, second = (
        methods.method_cells(
            Sweep(0), tasks=tasks, n_demos=config.n_demos, replicates=config.replicates, effort=config.effort
        )
        for config, tasks in ((one, one.tasks), (two, ("corridor",)))
    )
    assert all(cell in first for cell in second)


@given(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=1, max_size=4))
def test_the_interval_of_the_smallest_mean_is_made_of_intervals_that_hold_together(rows):
    found = fig_pretrained.smallest(np.array(rows))
    level = 1 - 0.05 / len(rows)
    assert found.low == pytest.approx(min(mean_interval(row, level).low for row in rows))
    assert found.high == pytest.approx(min(mean_interval(row, level).high for row in rows))


def test_tenths_by_density_are_tenths_and_the_first_is_the_sparsest():
    rng = np.random.default_rng(4)
    crowd, few = rng.normal(0, 0.1, size=(900, 2)), rng.uniform(-8, 8, size=(100, 2))
    tenth = posterior_widths.tenths_by_density(np.concatenate([crowd, few]))
    assert np.bincount(tenth).tolist() == [100] * 10
    assert (tenth[900:] == 0).mean() > 0.9


@given(st.floats(-2, 0.5))
def test_the_exponent_of_a_power_law_is_found(exponent):
    n = np.array([5, 10, 40])
    arrays = {"n_demos": n, "mean": (3 * n**exponent)[None, None, :, None, None]}
    assert fig_posterior_noise.slopes(arrays)[0, 0, 0] == pytest.approx(exponent, abs=1e-9)


def test_the_demonstrators_actions_have_their_paces_and_the_lasting_noise():
    """In the middle of the lane: sideways the noise alone, N(0, s^2/(1 - 0.7^2)); Kolmogorov-Smirnov at 1e-7."""
    actions = fig_action_density.demonstrator(4000, np.random.default_rng(5))[fig_action_density.LANE]
    assert stats.kstest(actions[:, 1], stats.norm(0, 0.08 / np.sqrt(1 - 0.49)).cdf).pvalue > 1e-7
    assert stats.kstest(actions[:, 1], stats.norm(0, 0.08).cdf).pvalue < 1e-7
    assert abs(actions[:, 0].mean() - 0.85) < 0.02


def test_the_region_holds_its_share_of_a_normal_law():
    actions = np.random.default_rng(6).normal([0.3, -0.2], [0.2, 0.1], size=(200_000, 2))
    centres, density, level = fig_action_density.region(actions)
    sideways, forward = np.meshgrid(centres, centres, indexing="ij")
    inside = (((forward - 0.3) / 0.2) ** 2 + ((sideways + 0.2) / 0.1) ** 2) <= stats.chi2.ppf(0.8, 2)
    assert (inside == (density >= level)).mean() > 0.99


def test_widths_are_those_of_the_ensemble_at_held_out_states():
    cell = WidthCell(
        root=3, task="reach", replicate=0, n_demos=4, effort=LITTLE, version="trajectory", n_held_out=10, grid=0
    )
    found = posterior_widths.widths(cell.to_cell(), np.random.default_rng(0))
    data = pretraining.demonstrations(cell)
    states = posterior_widths.held_out(cell).observations
    predictions = pretraining.ensemble(cell, data).predictions(states)
    width = np.sqrt(predictions.var(axis=0, ddof=1).mean(axis=1))
    assert found["mean"][0] == pytest.approx(width.mean())
    tenth = posterior_widths.tenths_by_density(states)
    assert_allclose(found["binned"], [width[tenth == k].mean() for k in range(10)])
    assert found["correlation"][0] == pytest.approx(stats.spearmanr(width, tenth).statistic)


@pytest.mark.compiled
def test_an_unanchored_network_that_is_trained_long_memorises_its_noise():
    """Two demonstrations: the spread at them grows from about half to nearly all of the perturbation, which is sigma-BC."""
    effort = replace(LITTLE, ensemble_width=64, n_members=4)
    (root,) = {cell.root for cell in cells((2,))}
    memory_cells = (
        MemoryCell(root=root, task="corridor", replicate=0, n_demos=2, effort=effort, prior=100.0, steps=steps)
        for steps in (200, 8000)
    )
    short, long = (
        float(posterior_widths.memorise(cell.to_cell(), np.random.default_rng(0))["inside"]) for cell in memory_cells
    )
    assert short < 0.65
    assert 0.85 < long < 1.1


def test_the_plane_shows_the_corridor():
    x, y = posterior_widths.plane_points(5)
    assert CORRIDOR.observation_dim == 3
    assert (x[0], x[-1], y[0], y[-1]) == (-0.75, 0.9, -0.9, 0.9)
    assert {one.tasks[0] for one in (fig_posterior_noise.FULL, fig_posterior_noise.QUICK)} == {"corridor"}
