"""The finetuning experiment: matching, pairing and counting, against independent computations."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from figures.exact import (
    enumeration,
    fig_finetune_cost,
    fig_finetune_curves,
    finetuning_experiment,
    finetuning_problems,
    lock_episodes,
)
from figures.exact.finetuning_experiment import JUDGING, KEPT, MATCHING, TUNING, InstanceCell, LearningCell
from figures.exact.finetuning_problems import LEARNERS, NOISY, PROBLEMS, STARTS, FinetuningRun, SampleSizes
from figures.running.sweep import Sweep
from tabular import dp
from tabular.policies import BC, paper_choice, posterior, uniform_noise
from theory.statistics.probability import paired_p_value

SMALL = SampleSizes(replicates=5, block=2, tuning=1, matching=20)
IN_ONE_BLOCK = SampleSizes(replicates=5, block=5, tuning=1, matching=20)


def cell(name="stochastic lock", number=2):
    return InstanceCell(instance=name, quality=PROBLEMS[name].quality, seed=7, number=number)


@pytest.mark.parametrize("name", ["B.1 bandit", "DeepSea", "stochastic lock", "Garnet"])
def test_a_matched_start_keeps_the_stated_share_of_the_return_or_is_all_noise(name):
    of_ten = cell(name, number=10)
    instance, T = of_ten.built(), PROBLEMS[name].n_demos
    levels = finetuning_experiment.match(asdict(of_ten), np.random.default_rng(0))["levels"]
    data = [counts for counts, _ in finetuning_experiment.data_sets(of_ten, MATCHING, 0)]

    def mean(estimator):
        return np.mean([dp.expected_return(instance.mdp, estimator.policy(counts)) for counts in data])

    assert levels[0] == 0.0
    for start, level in zip(NOISY, levels[1:], strict=True):
        kept = mean(finetuning_experiment.member(instance, start, level, T)) / mean(BC)
        assert kept >= KEPT - 1e-9
        assert level == 1.0 or kept == pytest.approx(KEPT, abs=1e-8)


def test_noise_levels_run_from_bc_to_full_noise_and_include_the_papers_choice():
    instance, T = cell().built(), 10
    H, _, A = instance.mdp.policy_shape
    paper = paper_choice(A, H, T)
    assert all(finetuning_experiment.member(instance, start, 0.0, T) is BC for start in STARTS)
    assert finetuning_experiment.member(instance, "uniform noise", 0.3, T) == uniform_noise(0.3)
    assert math.isinf(finetuning_experiment.member(instance, "posterior", 1.0, T).prior_mass)
    with_paper_level = [
        finetuning_experiment.member(instance, s, finetuning_experiment.paper_level(instance, s, T), T) for s in STARTS
    ]
    assert with_paper_level == [BC, uniform_noise(paper.alpha), posterior(A), paper]


def test_data_sets_depend_on_their_purpose_and_number_only():
    first, again, tuned = (
        [(c.counts, rng.random()) for c, rng in finetuning_experiment.data_sets(cell(), purpose, start)]
        for purpose, start in ((JUDGING, 1), (JUDGING, 2), (TUNING, 1))
    )
    assert_array_equal(first[1][0], again[0][0])
    assert first[1][1] == again[0][1]
    assert first[0][1] != first[1][1] != tuned[1][1]


def test_finetuned_returns_do_not_depend_on_blocks_workers_or_cache(tmp_path):
    runs = [
        FinetuningRun(instance="B.1 bandit", start="PostBC"),
        FinetuningRun(instance="stochastic lock", start="BC", episodes=200, learner="Best-of-16"),
    ]
    plain = finetuning_experiment.finetuned(runs, SMALL, Sweep(3))
    with ThreadPoolExecutor(2) as executor:
        in_threads = finetuning_experiment.finetuned(runs, IN_ONE_BLOCK, Sweep(3, executor=executor, cache=tmp_path))
    resumed = finetuning_experiment.finetuned(runs, IN_ONE_BLOCK, Sweep(3, cache=tmp_path))
    for expected, *others in zip(plain, in_threads, resumed, strict=True):
        assert expected["returns"].shape[0] == 5
        for key, values in expected.items():
            for result in others:
                assert_array_equal(values, result[key])


def test_each_start_takes_the_step_that_is_best_on_the_data_sets_for_tuning():
    run = FinetuningRun(instance="stochastic lock", start="PostBC", episodes=300)
    result = finetuning_experiment.finetuned([run], SMALL, Sweep(3))[0]
    steps, rng = LEARNERS[run.learner].steps, np.random.default_rng(0)

    def score(step):
        trial = LearningCell(
            **asdict(finetuning_experiment.instance_cell(run, 1, Sweep(3))),
            start="PostBC", level=float(result["level"]), learner=run.learner, step=step, episodes=300,
            purpose=TUNING, first=0,
        )  # fmt: skip
        return finetuning_experiment.improve(asdict(trial), rng)["average"].mean()

    assert float(result["step"]) == steps[int(np.argmax([score(step) for step in steps]))]


@pytest.mark.parametrize("name", ["natural gradient", "policy gradient", "PPO", "optimistic planning", "Best-of-16"])
def test_a_new_learner_changes_the_look_of_no_other(name, monkeypatch):
    before = finetuning_problems.learner_look(name)
    monkeypatch.setitem(LEARNERS, "scratch", LEARNERS["PPO"])
    assert finetuning_problems.learner_look(name) == before != finetuning_problems.learner_look("scratch")


def test_a_new_problem_changes_no_return_of_the_others(monkeypatch):
    run = FinetuningRun(instance="B.1 bandit", start="PostBC")
    (before,) = finetuning_experiment.finetuned([run], SMALL, Sweep(3))
    monkeypatch.setitem(PROBLEMS, "scratch", PROBLEMS["stochastic lock"])
    scratch = FinetuningRun(instance="scratch", start="BC", episodes=100)
    after, _ = finetuning_experiment.finetuned([run, scratch], SMALL, Sweep(3))
    for key, values in before.items():
        assert_array_equal(values, after[key])


@given(st.integers(10, 10**6))
def test_checkpoints_run_from_zero_to_the_last_episode_in_multiples_of_ten(episodes):
    times = finetuning_experiment.checkpoints(episodes)
    assert times[0] == 0
    assert abs(times[-1] - episodes) <= 5
    assert (np.diff(times) > 0).all()
    assert (times % 10 == 0).all()
    assert times.size <= 40


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_first_time_is_the_earliest_checkpoint_at_or_above_the_target(returns):
    times = np.arange(len(returns)) ** 2
    reached = [int(t) for t, r in zip(times, returns, strict=True) if r >= 0.5]
    assert finetuning_experiment.first_time(np.array(returns), times, 0.5) == min(reached, default=math.inf)


def test_the_mean_over_episodes_of_a_linear_curve_is_its_value_half_way():
    times = np.array([0, 1, 10, 100])
    assert finetuning_experiment.over_episodes(2.0 + 3.0 * times, times) == pytest.approx(2.0 + 150.0)
    assert finetuning_experiment.over_episodes(np.full((2, 4), 0.7), times) == pytest.approx([0.7, 0.7])


@pytest.mark.parametrize("config", [fig_finetune_curves.QUICK, fig_finetune_curves.FULL], ids=["quick", "full"])
def test_a_permutation_test_can_reject_with_as_many_replicates_as_each_profile_has(config):
    """One-signed differences have the least p-value there is; it must pass Bonferroni's level."""
    number = 2 * len(config.instances) * (1 + len(config.learners))
    assert paired_p_value(np.ones(config.sizes.replicates), np.random.default_rng(0)) < 0.05 / number


@pytest.mark.parametrize(("epsilon", "n_demos"), [(0.125, 3), (0.01, 5)])
def test_plateau_and_loss_on_b1_agree_with_a_sum_over_all_data_sets_in_fractions(epsilon, n_demos):
    eps, plateau, lost = Fraction(epsilon), Fraction(0), Fraction(0)
    for counts, weight in oracles.multinomial_law(n_demos, [1 - 4 * eps, 2 * eps, 2 * eps]):
        plateau += weight * (counts[1] > 0)
        lost += weight * Fraction(1, 2) * (counts[1] == counts[2] == 0)
    result = enumeration.b1_exactly(epsilon, n_demos)
    for key, truth in (("b1_plateau", plateau), ("b1_closed", plateau), ("b1_lost", lost)):
        assert float(result[key]) == pytest.approx(float(truth), abs=1e-13)


def test_a_censored_run_never_makes_postbc_look_faster_than_it_is():
    """A censored run of PostBC is a huge ratio; one of uniform noise counts as if it reached the target at the end."""
    postbc, uniform = np.array([10.0, 20.0, np.inf]), np.array([100.0, np.inf, 50.0])
    reached = np.zeros((1, 4, 3))
    reached[0, 3], reached[0, 1] = postbc, uniform
    arrays = {"reached": reached, "times": np.array([[0.0, 200.0, np.nan]])}
    interval, censored = fig_finetune_curves._time_ratio({**arrays, "reached": np.repeat(reached, 5, axis=2)}, 0)
    assert censored == 5
    assert interval.low == pytest.approx(0.1)
    assert interval.high >= 1e9


def test_the_fitted_exponent_of_a_power_law_is_its_exponent():
    gamma = np.array([0.1, 0.01, 0.001])
    times = np.array([[1.0, 1.2], [1.0, 1.2], [1.0, 1.2]]) * gamma[:, None] ** -0.7
    fit = fig_finetune_cost.fitted(-np.log(gamma), times)
    assert fit.slope == pytest.approx(0.7)
    assert fit.interval.low < 0.7 < fit.interval.high
    assert fit.censored == 0
    times[0, 0] = np.inf
    assert fig_finetune_cost.fitted(-np.log(gamma), times).censored == 1


@pytest.mark.compiled
def test_a_learner_on_the_lock_needs_at_least_the_episodes_until_the_first_reward():
    """With d missing steps the first reward comes after a geometric time of mean p^-d, and no learner succeeds before.

    Of 200 replicates at p^-d = 9 the share that succeeds within 30 episodes is at most 1 - (8/9)^30 = 0.97 on average, and
    within 3 at most 0.30; a false alarm (share above 0.52 after 3) is rarer than 1e-6 (binomial tail).
    """
    lock = lock_episodes.LockCell(learner="natural gradient", missing=2, p=1 / 3, replicates=200)
    times = lock_episodes.lock_times(asdict(lock), np.random.default_rng(5))["times"]
    assert (times <= 3).mean() <= 0.52
    assert np.isfinite(times).mean() >= 0.9
