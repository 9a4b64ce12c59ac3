"""A foreign estimator joins the figures by one entry, and changes no number of the others."""

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_array_equal

from figures.exact import (
    cloning_experiment,
    estimators,
    fig_coverage_vs_T,
    fig_frontier,
    fig_icu,
    fig_lambda,
    fig_profile,
    fig_suboptimality,
    fig_uniform_fails,
    profile_experiment,
)
from figures.exact.estimators import ESTIMATORS, NOISE_FAMILIES, NamedEstimator, NoiseFamily
from figures.look import palette, style
from figures.running.data import missing_data
from figures.running.sweep import Sweep
from tabular.coverage import coverage_where
from tabular.demonstrations import sample_counts
from tabular.dp import expected_return
from tabular.policies import BC, postbc, uniform_noise

NAME = "majority"
CLONING = cloning_experiment.Config(n_demos=(10, 100, 1000), replicates=60, instances=("chain lock", "Garnet"))


class Majority:
    """Half BC, half its most frequent action: no member of the family, and no bound is known."""

    name = NAME

    def __init__(self, alpha=0.5):
        self._alpha = alpha

    def policy(self, counts):
        bc = BC.policy(counts)
        greedy = np.eye(bc.shape[-1])[bc.argmax(axis=-1)]
        return (1 - self._alpha) * bc + self._alpha * greedy


ENTRY = NamedEstimator(name=NAME, build=lambda instance, n_demos: Majority())
CHOICE = fig_lambda.Choice(name=NAME, member=lambda instance, n_demos, alpha: Majority(alpha))


@pytest.fixture
def look(monkeypatch):
    monkeypatch.setitem(palette.LOOKS, NAME, palette.Look(colour="#332288", marker="X"))


# --- what a figure computes without the entry and with it -------------------------------------------------------------

FIGURES = {
    "fig_suboptimality": (fig_suboptimality, CLONING, ESTIMATORS, ENTRY, "policies"),
    "fig_coverage_vs_T": (fig_coverage_vs_T, CLONING, ESTIMATORS, ENTRY, "policies"),
    "fig_profile": (
        fig_profile,
        replace(fig_profile.QUICK, n_demos=(10, 100), replicates=3, profile_replicates=5, n_trajectories=50),
        profile_experiment.COMPARED,
        ENTRY,
        "policies",
    ),
    "fig_lambda": (
        fig_lambda,
        replace(fig_lambda.QUICK, n_demos=(30, 100), replicates=12, n_alphas=3, instances=("chain lock", "Garnet")),
        fig_lambda.CHOICES,
        CHOICE,
        "choices",
    ),
    "fig_icu": (
        fig_icu,
        replace(fig_icu.QUICK, horizons=(20,), n_demos=(10, 100), replicates=2),
        ESTIMATORS,
        ENTRY,
        "policies",
    ),
}


def without(array, old, k):
    """The array without position k of the one axis that has become longer."""
    longer = [axis for axis, (before, after) in enumerate(zip(old.shape, array.shape, strict=True)) if after != before]
    assert len(longer) <= 1
    return np.delete(array, k, axis=longer[0]) if longer else array


@pytest.mark.parametrize("name", FIGURES)
def test_a_foreign_estimator_changes_no_array_and_no_claim_and_is_drawn(name, look, monkeypatch):
    module, config, registry, entry, key_of_names = FIGURES[name]
    if missing_data(getattr(module, "NEEDS", ())):
        pytest.skip("the data of this figure are not found")
    before = module.compute(config, Sweep(5))
    claims = module.check(before)
    monkeypatch.setitem(registry, NAME, entry)
    after = module.compute(config, Sweep(5))
    k = after[key_of_names].tolist().index(NAME)
    assert set(after) == set(before)
    for key, array in before.items():
        assert_array_equal(without(after[key], array, k), array)
    assert module.check(after) == claims
    for form in style.WIDTHS:
        with style.style(form):
            figure = module.draw(after)
        assert isinstance(figure, Figure)
        colours = [line.get_color() for axes in figure.axes for line in axes.lines]
        assert "#332288" in colours


def test_a_further_noise_family_changes_no_array_and_no_claim(look, monkeypatch):
    settings = {
        fig_uniform_fails: replace(fig_uniform_fails.QUICK, n_demos=(10, 1000), n_alphas=7),
        fig_frontier: replace(fig_frontier.QUICK, n_actions=(3, 6), n_demos=(10, 20), n_losses=3, n_alphas=5),
    }
    before = {module: module.compute(config, Sweep(5)) for module, config in settings.items()}
    claims = {module: module.check(arrays) for module, arrays in before.items()}
    family = NoiseFamily(name=NAME, prior_mass=lambda S, A, H, T, delta: 7.0)
    monkeypatch.setitem(NOISE_FAMILIES, NAME, family)
    for module, config in settings.items():
        after = module.compute(config, Sweep(5))
        k = after["families"].tolist().index(NAME)
        for key, array in before[module].items():
            assert_array_equal(without(after[key], array, k), array)
        assert module.check(after) == claims[module]
        with style.style():
            assert isinstance(module.draw(after), Figure)


def test_an_entry_without_bounds_promises_nothing():
    instance = cloning_experiment.build("chain lock", 3)
    assert ENTRY.largest_loss(instance, 10) == math.inf
    assert ENTRY.least_coverage(instance, 10) == 0.0
    assert ESTIMATORS["BC"].least_coverage(instance, 10) == 0.0
    assert 0 < ESTIMATORS["PostBC"].least_coverage(instance, 10) < 1
    assert 0 < ESTIMATORS["PostBC"].largest_loss(instance, 10) < math.inf


@pytest.mark.parametrize("name", ["chain lock", "Garnet"])
def test_returns_and_coverages_are_those_of_each_cloned_policy(name):
    instance, rng = cloning_experiment.build(name, 3), np.random.default_rng(1)
    counts = sample_counts(instance.mdp, instance.demonstrator, 20, rng)
    mixed = [Majority(), uniform_noise(0.3), Majority(0.9), postbc(0.5, 4.0)]
    policies = [estimator.policy(counts) for estimator in mixed]
    assert estimators.returns(instance, counts, mixed) == pytest.approx(
        [expected_return(instance.mdp, policy) for policy in policies]
    )
    assert estimators.coverages(instance, counts, instance.reachable, mixed) == pytest.approx(
        [coverage_where(policy, instance.demonstrator, instance.reachable) for policy in policies]
    )


def test_every_named_estimator_has_a_look():
    for name in (*ESTIMATORS, *NOISE_FAMILIES, *fig_lambda.CHOICES, *profile_experiment.COMPARED):
        assert palette.marker(name)
