"""Every claim of every figure can fail: wrong data turn its verdict."""

import re
from dataclasses import replace
from pathlib import Path

import made_figures_grid
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from texts_figures import faults

from figures.control import (
    blocks,
    comparisons,
    fig_ablations,
    fig_action_density,
    fig_best_of_n,
    fig_demonstrations,
    fig_dppo,
    fig_posterior_noise,
    fig_pretrained,
    grid,
    learning_curves,
    pretraining,
)
from figures.exact import (
    cloning_experiment,
    fig_bc_fails,
    fig_bridge,
    fig_chess,
    fig_errata,
    fig_estimators,
    fig_factored,
    fig_finetune_cost,
    fig_finetune_curves,
    fig_finetune_quality,
    fig_frontier,
    fig_icu,
    fig_lambda,
    fig_logfree,
    fig_looseness,
    fig_profile,
    fig_trajectory_kl,
    fig_uniform_fails,
)
from figures.exact.estimators import ESTIMATORS
from figures.look import style
from figures.running import pipeline, recorded, registry
from figures.running.data import missing_data
from figures.running.recorded import Recorded
from figures.running.sweep import Sweep

CLONING = cloning_experiment.Config(
    n_demos=(10, 100, 10000), replicates=400, instances=("chain lock", "grid", "funnel", "Garnet")
)
LITTLE = pretraining.Effort(
    n_members=3, ensemble_steps=30, ensemble_width=8, policy_steps=20, policy_width=8, n_episodes=10
)
FINETUNING = blocks.Config(
    tasks=("corridor",), n_demos=(3, 5), n_seeds=2, policies=blocks.policies_by_strength((0.3, 0.6), (1.0,)),
    settings=blocks.Settings(rounds=1, evaluation_episodes=10), effort=LITTLE,
)  # fmt: skip
SMALL = {
    "fig_action_density": fig_action_density.Config(n_demos=(3, 6), replicates=2, effort=LITTLE, n_draws=50),
    "fig_bridge": fig_bridge.Config(n_linear=150, n_hidden=4, linear_steps=500, hidden_steps=50),
    "fig_posterior_noise": fig_posterior_noise.Config(
        tasks=("corridor",),
        n_demos=(3, 6, 12),
        shown=(3, 6, 12),
        replicates=2,
        effort=LITTLE,
        n_held_out=30,
        grid=8,
        steps=(10, 20),
        memory_demos=(3, 6),
        memory_replicates=2,
    ),
    "fig_pretrained": fig_pretrained.Config(tasks=("reach", "stick"), n_demos=(3, 6), replicates=2, effort=LITTLE),
    "fig_tradeoff": FINETUNING,
    "fig_dsrl": FINETUNING,
    "fig_dppo": fig_dppo.FULL,
    "fig_best_of_n": fig_best_of_n.FULL,
    "fig_demonstrations": fig_demonstrations.FULL,
    "fig_ablations": fig_ablations.FULL,
    "fig_bc_fails": replace(fig_bc_fails.QUICK, epsilons=(0.125, 0.03, 0.01, 0.003), n_sampled=3, replicates=100),
    "fig_uniform_fails": replace(fig_uniform_fails.QUICK, n_demos=(10, 1000), n_alphas=7),
    "fig_estimators": replace(fig_estimators.QUICK, replicates=200),
    "fig_frontier": replace(fig_frontier.QUICK, n_actions=(3, 6), n_demos=(10, 20), n_losses=3),
    "fig_lambda": replace(fig_lambda.QUICK, n_demos=(100, 1000), instances=("chain lock", "DeepSea", "funnel")),
    "fig_icu": replace(fig_icu.QUICK, horizons=(20,), n_demos=(10, 100, 1000, 3000)),
    "fig_suboptimality": CLONING,
    "fig_coverage_vs_T": CLONING,
    "fig_looseness": CLONING,
    "fig_logfree": replace(fig_logfree.QUICK, n_demos=(1000, 10**4, 10**6), replicates=300),
    "fig_trajectory_kl": fig_trajectory_kl.Config(
        n_demos=(10, 100, 10**5), most=100, instances=("chain lock", "DeepSea")
    ),
    "fig_factored": replace(fig_factored.QUICK, n_coordinates=(2, 8, 32), checked_coordinates=2, n_alphas=50),
    "fig_errata": replace(fig_errata.QUICK, arms=(2, 10, 100), coverage_demos=(290, 301, 700)),
    "fig_profile": replace(fig_profile.QUICK, n_demos=(10, 100), replicates=20, profile_replicates=300),
    "fig_finetune_curves": replace(fig_finetune_curves.QUICK, plateaus=100, cases=fig_finetune_curves.MATCHED),
    "fig_finetune_cost": replace(fig_finetune_cost.QUICK, replicates=150),
    "fig_finetune_quality": fig_finetune_quality.QUICK,
    "fig_chess": replace(fig_chess.QUICK, n_games=(100, 1600)),
}


def lacks_data(name):
    return bool(missing_data(registry.figure_entry(name).needs))


def truth(family, strength, n_demos):
    """Success before and after finetuning, for the recorded tables: noise costs, then helps, then costs again."""
    noise = strength * made_figures_grid.SHARE[family]
    return 0.6 - 0.5 * noise, 0.65 + 0.25 * np.exp(-8 * (noise - 0.3) ** 2) + 0.01 * np.log(n_demos)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    cache, tables = tmp_path_factory.mktemp("cells"), tmp_path_factory.mktemp("tables")
    made = {}

    def get(name):
        if lacks_data(name):
            pytest.skip(f"the data of {name} are not found")
        if name not in made:
            if isinstance(SMALL[name], Recorded) and not list(tables.iterdir()):
                made_figures_grid.write_all(tables, truth)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(recorded, "RESULTS", tables)
                made[name] = registry.figure_module(name).compute(SMALL[name], Sweep(11, cache=cache))
        return {key: value.copy() for key, value in made[name].items()}

    return get


def verdicts(name, arrays):
    return {claim.id: claim.verdict for claim in registry.figure_module(name).check(arrays)}


def test_every_figure_has_small_settings_for_these_tests():
    assert sorted(SMALL) == registry.figure_names()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_claims_of_a_figure_are_as_expected_on_a_small_run(name, data):
    """Empirical claims may have any verdict."""
    claims = registry.figure_module(name).check(data(name))
    assert claims
    assert all(claim.as_expected for claim in claims)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_checking_and_drawing_a_figure_do_not_change_its_data(name, data):
    arrays = data(name)
    for array in arrays.values():
        array.setflags(write=False)
    module = registry.figure_module(name)
    module.check(arrays)
    with style.style():
        assert isinstance(module.draw(arrays), Figure)


@pytest.mark.parametrize("form", style.WIDTHS)
@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_figure_has_the_width_of_its_form_named_axes_and_legible_texts(name, form, data):
    with style.style(form):
        figure = registry.figure_module(name).draw(data(name))
        assert faults(figure) == []
    assert figure.get_figwidth() == {"page": 7.0, "column": 3.4}[form]
    assert figure.get_figheight() < 10
    assert any(axes.get_xlabel() for axes in figure.axes)
    assert any(axes.get_ylabel() for axes in figure.axes)


@pytest.mark.parametrize("name", ["fig_estimators", "fig_uniform_fails"])
def test_each_form_of_a_figure_is_written_as_pdf_and_png(name, data, tmp_path):
    pipeline.save_drawing(name, data(name), tmp_path)
    stems = {name: 1400, f"{name}_column": 680}
    assert {path.name for path in tmp_path.iterdir()} == {f"{stem}.{end}" for stem in stems for end in ("pdf", "png")}
    for stem, width in stems.items():
        with Image.open(tmp_path / f"{stem}.png") as picture:
            assert picture.width == width
        box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", (tmp_path / f"{stem}.pdf").read_bytes())
        assert float(box[1]) == pytest.approx(72 * width / 200)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_figure_has_a_title_a_caption_and_a_docstring(name):
    module = registry.figure_module(name)
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


def scale_loss(factor, where=...):
    def change(arrays):
        for key in ("strict_low", "strict_high"):
            arrays[key][where] *= factor

    return change


POSTBC, UNIFORM = (list(ESTIMATORS).index(name) for name in ("PostBC", "uniform noise"))


def bound(key, name):
    """Place of a bound in the data of `fig_looseness`."""
    return fig_looseness.PANELS[key].bounds.index(name)


WRONG = {
    "bridge-table": ("fig_bridge", shift("linear_state-action_table", 0.01)),
    "bridge-simple-form": ("fig_bridge", put("bootstrap", lambda old: 1.2 * old)),
    "bridge-bootstrap-low": ("fig_bridge", put("bootstrap", lambda old: old / 3)),
    "bridge-bootstrap-high": ("fig_bridge", put("bootstrap", lambda old: 3 * old)),
    "bridge-posterior-low": ("fig_bridge", put("gaussian", lambda old: old / 3)),
    "bridge-posterior-high": ("fig_bridge", put("gaussian", lambda old: 3 * old)),
    "bridge-posterior-mean": ("fig_bridge", shift("gaussian_mean", 0.5)),
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
    "finetune-b1-plateau": ("fig_finetune_curves", shift("b1_plateau", 0.1)),
    "finetune-b1-lost": ("fig_finetune_curves", put("b1_lost", 0.2)),
    "finetune-below-plateau": ("fig_finetune_curves", put("above", 1e-6)),
    "finetune-matched": ("fig_finetune_curves", put("kept", lambda old: old - 0.01)),
    "finetune-funnel-plateau": ("fig_finetune_curves", shift("plateau", 0.3)),
    "finetune-funnel-episodes": ("fig_finetune_curves", put("reached", lambda old: 10 * old, (slice(None), 3))),
    "finetune-garnet-any-noise": ("fig_finetune_curves", shift("last", -0.5)),
    "finetune-cost-gamma": ("fig_finetune_cost", put("by_gamma", lambda old: old**2)),
    "finetune-cost-missing": ("fig_finetune_cost", put("by_missing", lambda old: old**2)),
    "finetune-cost-planning": ("fig_finetune_cost", put("by_gamma", lambda old: 10 * old, (2, 0))),
    "finetune-cost-critic-plateau": ("fig_finetune_cost", shift("last", 0.1)),
    "finetune-cost-coverage-beats-critic": ("fig_finetune_cost", put("last", 0.1, (0, 3))),
    "finetune-cost-critic-gain": ("fig_finetune_cost", put("average", lambda old: old + 0.2, (1, 3))),
    "finetune-quality-gain": ("fig_finetune_quality", put("ends", 0.0, (slice(None), slice(None), 3))),
    "finetune-quality-best": ("fig_finetune_quality", put("ends", 0.5, (slice(None), slice(None), 3))),
    "finetune-quality-plateau": ("fig_finetune_quality", put("plateau", lambda old: old - 0.5)),
    "uniform-fails-postbc-better": ("fig_uniform_fails", put("coverage", lambda old: old / 2, (slice(None), 1))),
    "uniform-fails-postbc-much-better": ("fig_uniform_fails", put("coverage", lambda old: old / 4, (slice(None), 1))),
    "estimators-bc-misses": ("fig_estimators", put("missed", 100)),
    "estimators-others-cover": ("fig_estimators", put("least_coverage", 0.0, (0, 1))),
    "estimators-noise-vanishes": ("fig_estimators", put("probability", 0.25, (3, -1))),
    "estimators-noise-stays": (
        "fig_estimators",
        lambda arrays: arrays["probability"].__setitem__(1, arrays["probability"][0]),
    ),
    "frontier-program-randomised": ("fig_frontier", put("program", lambda old: 1.00001 * old, (slice(None), 0))),
    "frontier-program-deterministic": ("fig_frontier", put("program", lambda old: 1.00001 * old, (slice(None), 1))),
    "frontier-members-on": ("fig_frontier", put("members", lambda old: 0.999 * old, (..., 1))),
    "frontier-members-below": ("fig_frontier", put("members", lambda old: 1.001 * old, (..., 1))),
    "frontier-change-of-measure": ("fig_frontier", put("hellinger", lambda old: 1.2 * old)),
    "frontier-printed-bound-fails": ("fig_frontier", put("members", lambda old: old / 3, (..., 1))),
    "frontier-corrected-bound": ("fig_frontier", put("program", lambda old: 4 * old, (slice(None), 0))),
    "lambda-one-price": ("fig_lambda", shift("price_high", 0.3)),
    "lambda-ours-above-uniform": ("fig_lambda", put("strict_low", lambda old: old / 10, (..., 2))),
    "lambda-ours-above-paper": ("fig_lambda", put("strict_low", lambda old: old / 10, (..., 2))),
    "lambda-uniform-sometimes-above": ("fig_lambda", put("strict_low", lambda old: old / 10, (..., 0))),
    "icu-return": ("fig_icu", shift("value", 0.01)),
    "icu-r3": ("fig_icu", put("r3_kept", 30, (0, slice(None), 0))),
    "icu-bc-chance": ("fig_icu", put("bc_chance", 0.95)),
    "icu-bc-zero": ("fig_icu", put("bc_largest", 1e-9)),
    "suboptimality-r1": ("fig_suboptimality", scale_loss(1000)),
    "suboptimality-main": ("fig_suboptimality", scale_loss(1e5, (..., POSTBC))),
    "suboptimality-falls": ("fig_suboptimality", scale_loss(100, (2, -1, POSTBC))),
    "suboptimality-uniform-stays": ("fig_suboptimality", scale_loss(0.01, (2, -1, UNIFORM))),
    "coverage-r3": ("fig_coverage_vs_T", put("r3_kept", 200, (0, 0, 1))),
    "coverage-lemma": ("fig_coverage_vs_T", put("lemma_kept", 200, (0, 0))),
    "coverage-bc-few": ("fig_coverage_vs_T", put("bc_chance", 0.95, (3, 0))),
    "coverage-bc-chance": ("fig_coverage_vs_T", put("bc_covered", 400, (0, 0))),
    **{
        f"looseness-coverage-{name.lower()}": (
            "fig_looseness",
            put("coverage_bound", lambda old: 1e3 * old, bound("coverage", name)),
        )
        for name in ("corrected", "R2", "R3")
    },
    **{
        f"looseness-{key}-{name.lower()}": (
            "fig_looseness",
            put(f"{key}_bound", lambda old: old / 1e3, bound(key, name)),
        )
        for key, name in (
            ("loss", "corrected"),
            ("loss", "R1"),
            ("visits", "R5"),
            ("unseen", "R1.6"),
            ("uniform", "R5"),
            ("frontier", "corrected"),
        )
    },
    "looseness-frontier-printed": ("fig_looseness", put("frontier_truth", lambda old: old / 2)),
    "looseness-r1-gain": ("fig_looseness", put("loss_bound", lambda old: 9 * old, bound("loss", "R1"))),
    "looseness-r3-gain": ("fig_looseness", put("coverage_bound", lambda old: old / 9, bound("coverage", "R3"))),
    "logfree-bound": ("fig_logfree", put("fixed_r1", lambda old: old / 2)),
    "logfree-tight": ("fig_logfree", put("r1", lambda old: 1.05 * old)),
    "logfree-tight-simple": ("fig_logfree", put("r1_simple", lambda old: 1.05 * old)),
    "logfree-drift": ("fig_logfree", put("rate", lambda old: old / 2, -1)),
    "logfree-closed-form": ("fig_logfree", shift("closed_form", 0.5)),
    "trajectory-kl-r6": ("fig_trajectory_kl", put("posterior", lambda old: 4 * old)),
    "trajectory-kl-r6-simple": ("fig_trajectory_kl", put("posterior", lambda old: 4 * old)),
    "trajectory-kl-vanishes": ("fig_trajectory_kl", put("posterior", lambda old: 1000 * old, (slice(None), -1))),
    "trajectory-kl-uniform-stays": ("fig_trajectory_kl", put("limit", lambda old: 10 * old)),
    "trajectory-kl-separates": ("fig_trajectory_kl", put("limit", lambda old: old / 1000)),
    "trajectory-kl-sums": ("fig_trajectory_kl", put("posterior", lambda old: old * (1 + 1e-8))),
    "trajectory-kl-bc-infinite": ("fig_trajectory_kl", put("bc_finite", 0.6)),
    "factored-programming": ("fig_factored", put("programming", 1e-9)),
    "factored-bc": ("fig_factored", put("success", 1e-9, (..., 2))),
    "factored-best-uniform": ("fig_factored", put("best", lambda old: 1.2 * old, (..., 1))),
    "factored-best-uniform-low": ("fig_factored", put("best", lambda old: old / 2, (..., 0))),
    "factored-best-uniform-high": ("fig_factored", put("best", lambda old: 2 * old, (..., 0))),
    "factored-uniform-leaves": ("fig_factored", put("leaves", 0.4, (0, ..., 0))),
    "factored-postbc-stays": ("fig_factored", put("leaves", lambda old: 2 * old, (..., 1))),
    "factored-ratio-low": ("fig_factored", put("success", lambda old: old / 3, (..., 1))),
    "factored-ratio-high": ("fig_factored", put("success", lambda old: 2 * old, (..., 1))),
    "factored-rollouts": ("fig_factored", put("rollouts", lambda old: old / 2, (..., 0))),
    "factored-strict-low": ("fig_factored", put("success", lambda old: old / 2, (..., 1))),
    "factored-strict-high": ("fig_factored", put("success", lambda old: 2 * old, (..., 1))),
    "profile-r64": ("fig_profile", put("rollouts", lambda old: 20 * old, (..., 0, slice(None)))),
    "profile-rollouts": ("fig_profile", put("rollouts", lambda old: 3 * old, (..., 0, slice(None)))),
    "profile-divergence": ("fig_profile", put("kl_excess", 1.01)),
    "profile-tighter": ("fig_profile", put("rollouts", 1.0, (..., 1, slice(None)))),
    "profile-bc-flat": ("fig_profile", put("above", 0, (0, 0))),
    "profile-others-end": ("fig_profile", put("step", 1e-6, (0, 2, -1))),
    "errata-theorem-printed": ("fig_errata", put("theorem", lambda old: 1.5 * old, 1)),
    "errata-theorem-corrected": ("fig_errata", put("theorem", lambda old: old / 4, 2)),
    "errata-theorem-blind": ("fig_errata", put("theorem", lambda old: old / 2, 3)),
    "errata-corollary-printed": ("fig_errata", put("corollary", lambda old: 1.5 * old, 1)),
    "errata-corollary-corrected": ("fig_errata", put("corollary", lambda old: old / 5, 2)),
    "errata-coverage-printed": ("fig_errata", put("coverage", 0.0995, 0)),
    "errata-coverage-corrected": ("fig_errata", put("coverage", 0.099, (1, 0))),
    "errata-unseen-printed": ("fig_errata", put("unseen", 0.5, (1, 0))),
    "errata-unseen-corrected": ("fig_errata", put("unseen", lambda old: 0.99 * old, 2)),
    "errata-main-printed": ("fig_errata", put("main", 0.1, (1, 0))),
    "errata-main-corrected": ("fig_errata", put("main", 0.1, (2, 0))),
    "errata-bc-printed": ("fig_errata", put("bc", 0.5, 0)),
    "errata-bc-corrected": ("fig_errata", put("bc", 0.49, (1, 0))),
    "chess-bc-misses": ("fig_chess", put("zero", 0.0, (0, -1))),
    "chess-bc-misses-later": ("fig_chess", put("zero", 0.0, (1, -1))),
    "chess-others-cover": ("fig_chess", put("ruled_out", 1, (0, 0, 2))),
    "chess-better-than-guessing": ("fig_chess", shift("uniform_difference", -1.0)),
    "chess-no-better-than-noise": ("fig_chess", shift("noise_difference", 0.1)),
}


def outcomes(method, good, bad):
    """Success of every episode of a method, and of BC, which is the first."""

    def change(arrays):
        arrays["success"][..., method, :] = good
        arrays["success"][..., 0, :] = bad

    return change


def same_noise(better):
    def change(arrays):
        arrays["success"][..., fig_pretrained.WHOLE, :] = better
        arrays["success"][..., fig_pretrained.MATCHED, :] = not better

    return change


def power_law(exponent):
    def change(arrays):
        arrays["mean"][...] = (arrays["n_demos"] ** exponent)[:, None, None]

    return change


def spread_of(method, place, factor, when=slice(None)):
    """Draws of a method at a place, alike but for this factor, and all others with factor 1."""

    def change(arrays):
        draws = arrays["actions"]
        draws[...] = np.linspace(-0.1, 0.1, draws.shape[-2])[:, None]
        draws[when, :, method, place] *= factor

    return change


def ends(kind, low, high):
    """Put all intervals of a kind there (of the only one if it has no name), with p-values to match."""
    start = kind and f"{kind}_"

    def change(arrays):
        arrays[f"{start}wide_low"][...], arrays[f"{start}wide_high"][...] = low, high
        arrays[f"{start}holm"][...] = 0.01

    return change


def words(*parts):
    """Parts of a claim's name, joined."""
    text = " ".join(str(part) for part in parts)
    return text.replace(",", "").replace(" - ", " ").replace("= ", "").replace(" ", "-")


def claims_of_finetuning():
    """Each with intervals on either side of its bound."""
    corridor, tasks = [("corridor", n) for n in FINETUNING.n_demos], [(task, 10) for task in grid.TASKS]
    claims = [
        (name, "compared", words("tradeoff", task, n, learner, what))
        for name, places, learners in (
            ("fig_tradeoff", corridor, ("DSRL",)),
            ("fig_best_of_n", tasks, ("Best-of-N, N = 4", "Best-of-N, N = 16")),
        )
        for task, n in places
        for learner in learners
        for what in (comparison.text for comparison in comparisons.COMPARISONS)
    ]
    claims += [
        (name, kind, words(learner, task, n, what))
        for name, kind, learner, places in (
            ("fig_dsrl", "gain", "dsrl", corridor),
            ("fig_dppo", "gain", "dppo", tasks),
        )
        for task, n in places
        for what in (comparison.text for comparison in learning_curves.CURVE_COMPARISONS)
    ]
    claims += [
        ("fig_demonstrations", kind, words("demonstrations", task, rival, end))
        for task in grid.TASKS
        for rival in ("BC", "sigma-BC")
        for kind, end in (("fall", "shrinks"), ("gain", 5), ("gain", 20), ("gain", 50))
    ]
    shapes = ("diagonal", "isotropic", "with sigma 0.1", "with sigma 0.2")
    rivals = ("minus sigma-BC", "minus PostBC")
    ablated = ("stick", "corridor")
    lines = [(task, "noise minus full covariance", shape) for task in ablated for shape in shapes]
    lines += [
        (task, "oracle mask", f"masked {sigma} {rival}")
        for task in ablated
        for sigma in ("sigma", "2 sigma")
        for rival in rivals
    ]
    lines += [
        (task, "beyond the paper", f"{name} {rival}")
        for task in grid.TASKS
        for name in ("held-out alpha", "own states")
        for rival in rivals
    ]
    claims += [("fig_ablations", "", words("ablations", *line)) for line in lines]
    return {claim: (name, ends(kind, 0.1, 0.2), ends(kind, -0.4, -0.3)) for name, kind, claim in claims}


POST = fig_action_density.NAMES.index("PostBC")
FEW = 0
EMPIRICAL = {
    **claims_of_finetuning(),
    "finetune-lock-postbc-better": (
        "fig_finetune_curves",
        put("average", 0.1, (slice(None), 0)),
        put("average", 2.0, (slice(None), 0)),
    ),
    **{
        f"pretrained-{task}-alpha-{name}": (
            "fig_pretrained",
            outcomes(method, good=True, bad=False),
            outcomes(method, good=False, bad=True),
        )
        for task in ("reach", "stick")
        for name, method in (("half", fig_pretrained.HALF), ("one", fig_pretrained.WHOLE))
    },
    **{
        f"pretrained-{task}-same-noise": ("fig_pretrained", same_noise(True), same_noise(False))
        for task in ("reach", "stick")
    },
    "posterior-corridor-wide-where-sparse": ("fig_posterior_noise", put("correlation", -0.5), put("correlation", 0.5)),
    **{
        f"posterior-corridor-narrows-{version}": ("fig_posterior_noise", power_law(-0.5), power_law(-0.1))
        for version in ("trajectory", "state-action", "noise")
    },
    **{
        f"posterior-noise-memorised-{name.replace(' ', '-')}": (
            "fig_posterior_noise",
            put("memory_inside", 0.2),
            put("memory_inside", 0.9),
        )
        for name in fig_posterior_noise.PRIOR_NAMES
    },
    "action-density-narrow-in-the-lane": (
        "fig_action_density",
        spread_of(POST, fig_action_density.LANE, 0.5),
        spread_of(POST, fig_action_density.LANE, 2.0),
    ),
    "action-density-wide-where-rare": (
        "fig_action_density",
        spread_of(POST, fig_action_density.RARE, 2.0),
        spread_of(POST, fig_action_density.RARE, 0.5),
    ),
    "action-density-narrows": (
        "fig_action_density",
        spread_of(POST, fig_action_density.RARE, 2.0, FEW),
        spread_of(POST, fig_action_density.RARE, 0.5, FEW),
    ),
}
"""Claims of the paper's experiments: data that make them hold, and data that do not."""


@pytest.mark.parametrize("claim", sorted(EMPIRICAL))
def test_an_empirical_claim_holds_for_good_data_and_is_violated_by_bad_data(claim, data):
    name, good, bad = EMPIRICAL[claim]
    for change, verdict in ((good, "holds"), (bad, "violated")):
        arrays = data(name)
        change(arrays)
        assert verdicts(name, arrays)[claim] == verdict


@pytest.mark.parametrize("claim", sorted(WRONG))
def test_a_claim_that_must_hold_is_violated_by_wrong_data(claim, data):
    name, change = WRONG[claim]
    arrays = data(name)
    assert verdicts(name, arrays)[claim] == "holds"
    change(arrays)
    assert verdicts(name, arrays)[claim] == "violated"


def test_every_claim_is_in_the_tables_of_data_that_violate_it(data):
    present = [name for name in SMALL if not lacks_data(name)]
    claims = {claim for name in present for claim in verdicts(name, data(name))}
    assert claims == {claim for claim, (name, *_) in (WRONG | EMPIRICAL).items() if name in present}


def test_no_figure_writes_a_verdict_by_hand():
    for name in registry.figure_names():
        source = Path(str(registry.figure_module(name).__file__)).read_text()  # type: ignore[attr-defined]
        assert not re.search(r"[\"'](holds|violated|inconclusive)[\"']", source), name
