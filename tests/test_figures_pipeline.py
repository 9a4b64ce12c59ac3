"""Every claim of every figure can fail: wrong data turn its verdict."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from figures import (
    _experiment,
    _pipeline,
    _style,
    fig_bc_fails,
    fig_chess,
    fig_estimators,
    fig_suboptimality,
    fig_uniform_fails,
)
from figures._data import missing_data
from figures._sweep import Sweep

CLONING = _experiment.Config((10, 100, 10000), 400, ("chain lock", "grid", "funnel", "Garnet"))
SMALL = {
    "fig_bc_fails": replace(fig_bc_fails.QUICK, epsilons=(0.1, 0.03, 0.01, 0.003), n_sampled=3, replicates=100),
    "fig_uniform_fails": replace(fig_uniform_fails.QUICK, n_demos=(10, 1000), n_alphas=7),
    "fig_estimators": replace(fig_estimators.QUICK, replicates=200),
    "fig_suboptimality": CLONING,
    "fig_coverage_vs_T": CLONING,
    "fig_chess": replace(fig_chess.QUICK, n_games=(100, 1600)),
}


def lacks_data(name):
    return bool(missing_data(getattr(_pipeline.figure_module(name), "NEEDS", ())))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cells")
    made = {}

    def get(name):
        if lacks_data(name):
            pytest.skip(f"the data of {name} are not found")
        if name not in made:
            made[name] = _pipeline.figure_module(name).compute(SMALL[name], Sweep(11, cache=cache))
        return {key: value.copy() for key, value in made[name].items()}

    return get


def verdicts(name, arrays):
    return {claim.id: claim.verdict for claim in _pipeline.figure_module(name).check(arrays)}


def test_every_figure_is_tested_here():
    assert sorted(SMALL) == _pipeline.figure_names()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_claims_hold_on_a_small_run(name, data):
    assert set(verdicts(name, data(name)).values()) == {"holds"}


@pytest.mark.parametrize("name", sorted(SMALL))
def test_judging_and_drawing_leave_the_data_alone_and_need_nothing_else(name, data):
    arrays = data(name)
    for array in arrays.values():
        array.setflags(write=False)
    module = _pipeline.figure_module(name)
    module.check(arrays)
    with _style.style():
        assert isinstance(module.draw(arrays), Figure)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_figure_says_what_it_shows(name):
    module = _pipeline.figure_module(name)
    assert 5 < len(module.TITLE) < 60
    assert len(module.CAPTION) > 100
    assert (module.__doc__ or "").strip()


def put(key, value, where=...):
    def change(arrays):
        array = arrays[key]
        array[where] = value(array[where]) if callable(value) else value

    return change


def shift(key, by):
    return put(key, lambda old: old + by)


LAST = (slice(None), -1)
POSTBC = fig_suboptimality.SHOWN.index("PostBC")
UNIFORM = fig_suboptimality.SHOWN.index("uniform noise")

WRONG = {
    "bc-fails-paper-region": ("fig_bc_fails", shift("exact", -0.5)),
    "bc-fails-our-region": ("fig_bc_fails", shift("exact", -0.2)),
    "bc-fails-sampled": ("fig_bc_fails", put("failures", 50)),
    "bc-fails-gap": ("fig_bc_fails", put("largest_gap_error", 1e-6)),
    "bc-fails-coverage": ("fig_bc_fails", put("largest_coverage", 1e-9)),
    "bc-fails-minimax": ("fig_bc_fails", put("minimax_lp", 0.49)),
    "bc-fails-minimax-form": ("fig_bc_fails", shift("minimax", 1e-6)),
    "uniform-fails-alpha": ("fig_uniform_fails", put("coverage", lambda old: 1.001 * old)),
    "uniform-fails-our-bound": ("fig_uniform_fails", put("coverage", lambda old: 3 * old)),
    "uniform-fails-paper-bound": ("fig_uniform_fails", put("coverage", lambda old: 100 * old)),
    "uniform-fails-rare-event": ("fig_uniform_fails", put("rare_event", 0.15)),
    "uniform-fails-postbc-better": ("fig_uniform_fails", put("coverage", lambda old: old / 2, (slice(None), 1))),
    "uniform-fails-postbc-much-better": ("fig_uniform_fails", put("coverage", lambda old: old / 4, (slice(None), 1))),
    "estimators-bc-misses": ("fig_estimators", put("missed", 100)),
    "estimators-others-cover": ("fig_estimators", put("least_coverage", 0.0, (0, 1))),
    "estimators-noise-vanishes": ("fig_estimators", put("noise_weight", 0.01, (3, -1))),
    "estimators-noise-stays": ("fig_estimators", put("noise_weight", 0.01, (1, -1))),
    "suboptimality-r1": ("fig_suboptimality", put("strict_high", lambda old: 1000 * old)),
    "suboptimality-main": ("fig_suboptimality", put("strict_high", lambda old: 1e5 * old, (..., POSTBC))),
    "suboptimality-falls": ("fig_suboptimality", put("strict_high", lambda old: 100 * old, (*LAST, POSTBC))),
    "suboptimality-uniform-stays": ("fig_suboptimality", put("strict_low", lambda old: old / 100, (*LAST, UNIFORM))),
    "coverage-r3": ("fig_coverage_vs_T", put("r3_kept", 350, (0, 0, 1))),
    "coverage-lemma": ("fig_coverage_vs_T", put("lemma_kept", 350, (0, 0))),
    "coverage-bc-few": ("fig_coverage_vs_T", put("bc_chance", 0.95, (3, 0))),
    "chess-bc-misses": ("fig_chess", put("zero", 0.0, (0, -1))),
    "chess-bc-misses-later": ("fig_chess", put("zero", 0.0, (1, -1))),
    "chess-others-cover": ("fig_chess", put("ruled_out", 1, (0, 0, 2))),
    "chess-better-than-guessing": ("fig_chess", shift("uniform_difference", -1.0)),
    "chess-no-better-than-noise": ("fig_chess", shift("noise_difference", 0.1)),
    "coverage-bc-zero": ("fig_coverage_vs_T", put("gamma", 1e-9, (0, 0, 0))),
}


@pytest.mark.parametrize("claim", sorted(WRONG))
def test_wrong_data_turn_the_verdict(claim, data):
    name, change = WRONG[claim]
    arrays = data(name)
    assert verdicts(name, arrays)[claim] == "holds"
    change(arrays)
    assert verdicts(name, arrays)[claim] != "holds"


def test_every_claim_has_such_a_test(data):
    present = [name for name in SMALL if not lacks_data(name)]
    claims = {claim for name in present for claim in verdicts(name, data(name))}
    assert claims == {claim for claim, (name, _) in WRONG.items() if name in present}


def test_no_verdict_is_written_by_hand():
    for name in _pipeline.figure_names():
        source = Path(str(_pipeline.figure_module(name).__file__)).read_text()  # type: ignore[attr-defined]
        assert not re.search(r"[\"'](holds|violated|inconclusive)[\"']", source), name
