"""A new family, estimator, variant or task changes no result of the old ones, and every figure draws it."""

from dataclasses import dataclass, replace

import made_figures_grid
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from continuous.demonstrations import Scale
from figures.control import (
    comparisons,
    families,
    fig_ablations,
    fig_best_of_n,
    fig_demonstrations,
    fig_dppo,
    fig_dsrl,
    fig_tradeoff,
    grid,
    grid_runs,
    learning_curves,
    methods,
    oracle_masks,
    tables,
    tradeoff,
    variants,
)
from figures.control.blocks import Config, policies_by_strength
from figures.control.families import FAMILIES, Family
from figures.control.methods import Method
from figures.control.pretraining import ControlCell, Effort
from figures.control.tables import Row
from figures.control.variants import PolicySpec, Variant, Workshop
from figures.look import palette
from figures.look.palette import Look
from figures.running import recorded
from figures.running.recorded import read_rows
from figures.running.sweep import Sweep

FIGURES = (fig_tradeoff, fig_dsrl, fig_dppo, fig_best_of_n, fig_demonstrations, fig_ablations)
ONE = Config(
    tasks=("reach", "stick"), n_demos=(5,), n_seeds=12, policies=policies_by_strength((0.2, 0.4), (1.0, 2.0))
)  # fmt: skip
NEIGHBOURS = "neighbours"
SPECS = tuple(PolicySpec(family=NEIGHBOURS, strength=strength) for strength in (1.0, 3.0))
SHARE = {**made_figures_grid.SHARE, NEIGHBOURS: 0.1}


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Isotropic noise with the deviation of the actions at the nearest demonstrated states."""

    strength: float
    name: str = NEIGHBOURS

    def factors(self, demonstrations, chunk, seed):
        states, actions = (
            Scale.of(demonstrations.observations).apply(demonstrations.observations),
            demonstrations.actions,
        )
        nearest = np.argsort(((states[:, None] - states) ** 2).sum(axis=-1), axis=1)[:, :5]
        deviation = actions[nearest].std(axis=1).mean(axis=1)
        return self.strength * deviation[:, None, None] * np.eye(chunk * actions.shape[1])


@pytest.fixture
def neighbours(monkeypatch):
    """Register a family: one entry for how it is made, and one for its look."""
    family = Family(estimator=lambda given: Neighbours(strength=given.strength), letter="\\kappa")
    monkeypatch.setitem(FAMILIES, NEIGHBOURS, family)
    monkeypatch.setitem(palette.LOOKS, NEIGHBOURS, Look(colour="#777711", marker="X"))


def truth(family, strength, n_demos):
    """Success before and after finetuning; the new family is better than all others in everything."""
    noise = strength * SHARE[family]
    if family == NEIGHBOURS:
        return 0.8, 0.95
    return 0.6 - 0.5 * noise, 0.65 + 0.25 * np.exp(-8 * (noise - 0.3) ** 2) + 0.01 * np.log(n_demos)


def assert_same(arrays, others, names):
    for name in names:
        assert_array_equal(arrays[name], others[name], err_msg=name)


# --- families ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_and_without(neighbours):
    """Arrays of a grid without and with the new family, the rows of the old ones being the same."""
    old = made_figures_grid.rows([ONE], truth)
    new = made_figures_grid.rows([replace(ONE, policies=SPECS)], truth, seed=1, share=SHARE)
    return [tables.tensors(table) for table in (old, [*old, *new])]


def test_comparisons_of_the_trade_off_are_the_same_with_and_without_a_further_family(with_and_without):
    without, with_family = (tradeoff.compared(one, ("DSRL",), np.random.default_rng(5)) for one in with_and_without)
    assert with_family["families"].tolist().count(NEIGHBOURS) == len(SPECS)
    judged = [name for name in without if name.startswith(("compared_", "matched_"))]
    assert len(judged) == 11
    assert_same(with_family, without, judged)
    old = with_family["families"] != NEIGHBOURS
    for name in ("pretrained", "finetuned", "noise"):
        assert_array_equal(with_family[name][:, :, :, old], without[name])
    assert fig_tradeoff.check(with_family) == fig_tradeoff.check(without)


def test_comparisons_of_learning_curves_are_the_same_with_and_without_a_further_family(with_and_without):
    without, with_family = (
        learning_curves.compared(one, "DSRL", np.random.default_rng(5)) for one in with_and_without
    )  # fmt: skip
    assert_same(with_family, without, [name for name in without if name.startswith("gain_")])
    assert fig_dsrl.check(with_family) == fig_dsrl.check(without)


def test_a_further_family_is_drawn_and_named_in_its_own_colour(with_and_without):
    _, arrays = with_and_without
    trade_off = tradeoff.compared(arrays, ("DSRL",), np.random.default_rng(5))
    curves = learning_curves.compared(arrays, "DSRL", np.random.default_rng(5))
    for module, computed in ((fig_tradeoff, trade_off), (fig_dsrl, curves)):
        axes = module.draw(computed).axes[0]
        assert palette.colour(NEIGHBOURS) in {line.get_color() for line in axes.lines}
        assert any(NEIGHBOURS in text.get_text() for text in axes.texts)


def test_every_comparison_names_known_families_that_differ():
    for comparison in comparisons.COMPARISONS:
        assert {comparison.family, *comparison.rivals} <= {*FAMILIES}
        assert comparison.family not in comparison.rivals
    texts = [one.text for one in (*comparisons.COMPARISONS, *learning_curves.CURVE_COMPARISONS)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_look(name):
    assert palette.look(name).marker


# --- estimators and variants ------------------------------------------------------------------------------------------

CELL = ControlCell(
    root=5, task="stick", replicate=1, n_demos=5,
    effort=Effort(n_members=3, ensemble_steps=3, ensemble_width=4, policy_steps=3, policy_width=4, n_episodes=4),
)  # fmt: skip
OLD = [PolicySpec(family="BC"), *(PolicySpec(family=family, strength=0.5) for family in ("sigma-BC", "PostBC"))]


def parameters(specs):
    """Parameters of cloned policies from one workshop, by their specification."""
    workshop = Workshop(CELL)
    return {spec: workshop.pretrain(spec)[0].denoiser.parameters for spec in specs}


def test_a_further_estimator_is_cloned_with_its_noise_and_changes_no_other_policy(neighbours):
    policy, strength = Workshop(CELL).pretrain(SPECS[0])
    assert strength == SPECS[0].strength
    assert policy.added_noise > 0
    alone, together = parameters(OLD), parameters([SPECS[0], *OLD, SPECS[1]])
    for spec in OLD:
        assert_array_equal(together[spec], alone[spec])


def test_a_further_family_can_be_a_method_before_finetuning(neighbours):
    asked = (methods.BC, Method(family=NEIGHBOURS, strength=2.0), methods.POSTBC)
    with_family, without = (
        methods.pretrain(methods.MethodsCell(**vars(CELL), methods=some).to_cell(), np.random.default_rng(0))
        for some in (asked, (methods.BC, methods.POSTBC))
    )
    assert_array_equal(with_family["success"][[0, 2]], without["success"])
    assert_array_equal(with_family["parameters"][[0, 2]], without["parameters"])
    assert (with_family["added"][1] > 0).all()


def test_a_further_variant_is_one_entry_and_changes_no_other_policy(monkeypatch):
    alone = parameters(OLD)
    monkeypatch.setitem(variants.VARIANTS, "with sigma 0.9", Variant(floor=0.9))
    spec = PolicySpec(family="PostBC", strength=0.5, variant="with sigma 0.9")
    together = parameters([spec, *OLD])
    for old in OLD:
        assert_array_equal(together[old], alone[old])
    assert (together[spec] != together[OLD[2]]).any()


def test_a_further_task_with_an_oracle_mask_is_one_entry(monkeypatch):
    monkeypatch.setitem(oracle_masks.ORACLE_MASKS, "reach", lambda observations: np.ones(len(observations)))
    everywhere = Workshop(replace(CELL, task="reach"))
    masked, plain = (
        everywhere.pretrain(PolicySpec(family="sigma-BC", strength=0.5, variant=variant))[0]
        for variant in ("oracle mask", "")
    )
    assert_array_equal(masked.added, plain.added)


# --- tasks, in the recorded tables ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Made-up tables of the whole grid, from which the figures read."""
    monkeypatch.setattr(recorded, "RESULTS", tmp_path)
    made_figures_grid.write_all(tmp_path, truth)
    return tmp_path


def add_rows(folder, part, configs):
    table = [Row.of(texts) for texts in read_rows(folder / f"{part}.csv")]
    new = made_figures_grid.rows(configs, truth, seed=99, share=SHARE)
    made_figures_grid.write(folder / f"{part}.csv", [*table, *new])


def computed():
    return {module: module.compute(module.FULL, Sweep(5)) for module in FIGURES}


@pytest.mark.slow
def test_all_claims_of_the_grid_are_the_same_with_and_without_a_further_family(folder, neighbours):
    before = computed()
    for part in ("strengths", "dppo", "rollouts", "choice", "demonstrations", "ablations"):
        configs = grid_runs.configs(part, folder)
        add_rows(folder, part, [replace(config, policies=SPECS) for config in configs])
    after = computed()
    for module in FIGURES:
        assert module.check(after[module]) == module.check(before[module])
        module.draw(after[module])


SCRATCH = "scratch"
NOT_ADJUSTED = ("mean", "n", "pretrained", "finetuned", "noise", "curve", "curve_steps", "ends", "strengths")
"""Ends of the names of arrays that do not depend on the number of tasks. Joint intervals and p-values do, as meant."""


@pytest.mark.slow
def test_arrays_of_the_old_tasks_are_the_same_with_a_sixth_task_and_all_figures_draw_it(folder, monkeypatch):
    before = computed()
    old = dict(grid.TASKS)
    monkeypatch.setitem(grid.TASKS, SCRATCH, 6)
    for part in grid.PARTS:
        configs = [one for one in grid_runs.configs(part, folder) if SCRATCH in one.tasks]
        add_rows(folder, part, [replace(config, tasks=(SCRATCH,)) for config in configs])
    after = computed()
    for module in FIGURES:
        module.draw(after[module])
        kept = [name for name in before[module] if name.split("_")[-1].split()[-1] in NOT_ADJUSTED]
        assert kept
        if module is not fig_ablations:
            assert after[module]["tasks"].tolist() == [*old, SCRATCH]
            for name in kept:
                assert_array_equal(of_old_tasks(after[module], before[module], name), before[module][name])
    lines = [contrast_means(arrays[fig_ablations]) for arrays in (before, after)]
    assert lines[0].items() <= lines[1].items()
    assert {task for *_, task in lines[1].keys() - lines[0].keys()} == {SCRATCH}
    assert [fig_ablations.task_look(task) for task in old] == [
        Look(colour=palette.series_colour(k), marker=palette.series_marker(k)) for k in range(len(old))
    ]


def of_old_tasks(arrays, before, name):
    """An array without the sixth task, which is last on the first axis if the array has one for the tasks."""
    n_old = len(before["tasks"])
    return arrays[name][:n_old] if before[name].shape[0] == n_old else arrays[name]


def contrast_means(arrays):
    """Means before and after finetuning, by line and task."""
    keys = zip(*(arrays[name].tolist() for name in ("group", "label", "task")), strict=True)
    return {key: repr(mean) for key, mean in zip(keys, arrays["mean"].tolist(), strict=True)}


def test_the_families_of_a_grid_are_in_the_order_of_the_registry():
    assert families.families_of({"families": np.array(["PostBC", "BC", "BC"])}) == ["BC", "PostBC"]
