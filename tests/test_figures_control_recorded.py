"""Figures of the grid of finetuning, on tables made up so that the answer is known."""

from dataclasses import replace

import made_figures_grid
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from figures.control import (
    fig_ablations,
    fig_best_of_n,
    fig_demonstrations,
    fig_dppo,
    fig_dsrl,
    fig_tradeoff,
    learning_curves,
    tables,
    tradeoff,
)
from figures.control.blocks import Config, policies_by_strength
from figures.control.pairs import Experiment, Pairs
from figures.control.variants import PolicySpec
from figures.running import recorded
from figures.running.sweep import Sweep

ONE = Config(tasks=("reach",), n_demos=(5,), n_seeds=12, policies=policies_by_strength((0.2, 0.4), (1.0, 2.0)))


def good(family, strength, n_demos):
    """PostBC finetunes to 0.9 from few demonstrations, BC and sigma-BC to 0.6; from many all are the same."""
    before = 0.5 - 0.2 * strength * made_figures_grid.SHARE[family] + (0.05 if family == "PostBC" else 0.0)
    return before, (0.9 if family == "PostBC" and n_demos < 20 else 0.6 if n_demos < 20 else 0.85)


def bad(family, strength, n_demos):
    """PostBC is worse in everything, and more so from few demonstrations."""
    before, after = good("sigma-BC", strength, n_demos)
    return (before - 0.2, after - 0.2 - 0.1 * (n_demos < 20)) if family == "PostBC" else (before, after)


def tie(*_):
    return 0.5, 0.7


def claims_of(module, change, config=ONE, monkeypatch=None):
    """Claims of a figure by id; it is also drawn, without an error."""
    if monkeypatch is None:
        arrays = tables.tensors(made_figures_grid.rows([config], change))
        rng = np.random.default_rng(5)
        if module is fig_tradeoff:
            arrays = tradeoff.compared(arrays, ("DSRL",), rng)
        else:
            arrays = module.curves.compared(arrays, "DSRL", rng)
    else:
        arrays = module.compute(module.FULL, Sweep(5))
    module.draw(arrays)
    claims = module.check(arrays)
    assert len({claim.id for claim in claims}) == len(claims)
    return {claim.id: claim for claim in claims}


# --- a small grid -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "verdict"), [(good, "holds"), (bad, "violated")])
def test_the_verdicts_of_the_trade_off_follow_the_numbers(change, verdict):
    claims = claims_of(fig_tradeoff, change)
    assert len(claims) == 6
    assert {claim.verdict for claim in claims.values()} == {verdict}
    assert all(claim.as_expected for claim in claims.values())  # claims of the paper's experiments never fail a run


def test_a_claim_about_a_tie_is_inconclusive():
    claims = claims_of(fig_tradeoff, tie)
    assert {c.verdict for c in claims.values() if c.source != "E1"} == {"inconclusive"}


def test_the_learning_curves_are_judged():
    assert {claim.verdict for claim in claims_of(fig_dsrl, good).values()} == {"holds"}
    worse = claims_of(fig_dsrl, bad)
    assert worse["dsrl-reach-5-curve-PostBC-BC"].verdict == "violated"
    assert worse["dsrl-reach-5-last-success-PostBC-sigma-BC"].verdict == "violated"


@pytest.mark.parametrize("module", [fig_tradeoff, fig_dsrl])
@pytest.mark.parametrize("change", [good, bad])
@pytest.mark.parametrize("n_seeds", [3, 5])
def test_with_few_seeds_nothing_is_claimed(module, change, n_seeds):
    """Of 5 pairs the least p-value is 2/2^5."""
    claims = claims_of(module, change, replace(ONE, n_seeds=n_seeds))
    assert {claim.verdict for claim in claims.values()} == {"inconclusive"}
    assert min(claim.p_value for claim in claims.values()) >= min(1.0, 2 / 2**n_seeds) - 1e-12


@pytest.mark.parametrize("module", [fig_tradeoff, fig_dsrl])
def test_five_seeds_are_not_enough_even_where_the_interval_is_clear(module):
    claims = claims_of(module, good, replace(ONE, n_seeds=5))
    assert any(claim.interval.low > claim.bound for claim in claims.values())


def test_the_seconds_of_a_table_do_not_appear_in_the_figures():
    table = made_figures_grid.rows([ONE], good)
    slow = [replace(row, pretrain_seconds=9.0, finetune_seconds=99.0) for row in table]
    for work, learner in ((tradeoff.compared, ("DSRL",)), (learning_curves.compared, "DSRL")):
        one, other = (work(tables.tensors(rows), learner, np.random.default_rng(5)) for rows in (table, slow))
        assert one.keys() == other.keys()
        for name, values in one.items():
            assert_array_equal(other[name], values)


# --- pairs ------------------------------------------------------------------------------------------------------------


def test_pairs_have_the_seeds_that_both_experiments_have():
    pairs = Pairs(made_figures_grid.rows([ONE, replace(ONE, tasks=("stick",), n_seeds=3)], good))
    postbc, bc = PolicySpec(family="PostBC", strength=1.0), PolicySpec(family="BC")
    one, other = (Experiment(task="reach", n_demos=5, policy=policy) for policy in (postbc, bc))
    of_stick, of_push = (Experiment(task=task, n_demos=5, policy=bc) for task in ("stick", "push"))
    assert pairs.scores(one).shape == (2, 12)
    assert_array_equal(pairs.differences(one, other), pairs.scores(one) - pairs.scores(other))
    mixed = pairs.differences(one, of_stick)
    assert_array_equal(mixed, pairs.scores(one)[:, :3] - pairs.scores(of_stick))
    with pytest.raises(KeyError):
        pairs.differences(one, of_push)
    lonely = Pairs(made_figures_grid.rows([ONE, replace(ONE, tasks=("stick",), n_seeds=2, first_seed=11)], good))
    with pytest.raises(ValueError, match="1 seeds in common"):
        lonely.differences(one, of_stick)


# --- the whole grid ---------------------------------------------------------------------------------------------------


@pytest.fixture
def write_tables(tmp_path, monkeypatch):
    """Write all tables with some truth, and let the figures read them."""
    monkeypatch.setattr(recorded, "RESULTS", tmp_path)

    def write(change):
        made_figures_grid.write_all(tmp_path, change)

    return write


ALL = (fig_tradeoff, fig_dsrl, fig_dppo, fig_best_of_n, fig_demonstrations, fig_ablations)


@pytest.mark.slow
def test_all_figures_of_the_grid_follow_the_numbers(write_tables, monkeypatch):
    write_tables(good)
    found = {module: claims_of(module, None, monkeypatch=monkeypatch) for module in ALL}
    for module in (fig_tradeoff, fig_dsrl, fig_dppo, fig_best_of_n):
        verdicts = {claim.verdict for claim in found[module].values() if claim.source != "E1"}  # alpha may be 4
        assert verdicts == {"holds"}, module
    whole = fig_dsrl.compute(fig_dsrl.FULL, Sweep(5))
    assert np.nanmin(whole["curve_steps"][..., -1]) == 20_000  # not cut where Best-of-N, in the same table, ends
    e3 = [claim for claim in found[fig_demonstrations].values() if claim.source == "E3"]
    assert len(e3) == 10
    assert {claim.verdict for claim in e3} == {"holds"}
    beyond = [claim for name, claim in found[fig_ablations].items() if "beyond" in name and "sigma-BC" in name]
    assert {claim.verdict for claim in beyond} == {"holds"}
    write_tables(bad)
    for module in (fig_tradeoff, fig_dppo, fig_demonstrations):
        verdicts = {claim.verdict for claim in claims_of(module, None, monkeypatch=monkeypatch).values()}
        assert "violated" in verdicts


def test_a_missing_recorded_table_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "RESULTS", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"strengths\.csv"):
        fig_tradeoff.compute(fig_tradeoff.FULL, Sweep(0))
