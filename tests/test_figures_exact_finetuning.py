"""The finetuning experiment: what is matched, paired and counted, against independent computations."""

import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from figures.exact import fig_finetune_cost, fig_finetune_curves, finetuning_experiment
from figures.exact.finetuning_experiment import JUDGING, KEPT, MATCHING, NOISY, STARTS, TASKS, TUNING, Run, Size
from figures.running.sweep import Sweep
from tabular import dp
from tabular.policies import BC, paper_choice, posterior, uniform_noise
from theory.statistics.probability import paired_p_value

SMALL = Size(5, 2, 1, 20)


def cell(name="stochastic lock", **more):
    return {**Run(name, "BC").settings(), "seed": 7, **more}


@pytest.mark.parametrize("name", ["B.1 bandit", "DeepSea", "stochastic lock", "Garnet"])
def test_a_matched_start_keeps_the_stated_share_of_the_return_or_is_all_noise(name):
    settings_of = cell(name, matching=10)
    instance, T = finetuning_experiment.build(settings_of), TASKS[name].n_demos
    levels = finetuning_experiment.match(settings_of, np.random.default_rng(0))["levels"]
    data = [counts for counts, _ in finetuning_experiment.data_sets(settings_of, MATCHING, 0, 10)]

    def mean(estimator):
        return np.mean([dp.expected_return(instance.mdp, estimator.policy(counts)) for counts in data])

    assert levels[0] == 0.0
    for start, level in zip(NOISY, levels[1:], strict=True):
        kept = mean(finetuning_experiment.member(instance, start, level, T)) / mean(BC)
        assert kept >= KEPT - 1e-9
        assert level == 1.0 or kept == pytest.approx(KEPT, abs=1e-8)


def test_levels_run_from_bc_to_the_noise_alone_and_hold_the_papers_choice():
    instance, T = finetuning_experiment.build(cell()), 10
    H, _, A = instance.mdp.policy_shape
    paper = paper_choice(A, H, T)
    assert all(finetuning_experiment.member(instance, start, 0.0, T) is BC for start in STARTS)
    assert finetuning_experiment.member(instance, "uniform noise", 0.3, T) == uniform_noise(0.3)
    assert math.isinf(finetuning_experiment.member(instance, "posterior", 1.0, T).prior_mass)
    at_paper = [
        finetuning_experiment.member(instance, s, finetuning_experiment.paper_level(instance, s, T), T) for s in STARTS
    ]
    assert at_paper == [BC, uniform_noise(paper.alpha), posterior(A), paper]


def test_data_sets_depend_on_the_purpose_and_the_number_alone():
    first, again, tuned = (
        [(c.counts, rng.random()) for c, rng in finetuning_experiment.data_sets(cell(), purpose, start, 2)]
        for purpose, start in ((JUDGING, 1), (JUDGING, 2), (TUNING, 1))
    )
    assert_array_equal(first[1][0], again[0][0])
    assert first[1][1] == again[0][1]
    assert first[0][1] != first[1][1] != tuned[1][1]


def test_neither_blocks_nor_workers_change_a_bit(tmp_path):
    runs = [Run("B.1 bandit", "PostBC"), Run("stochastic lock", "BC", episodes=200, learner="Best-of-16")]
    plain = finetuning_experiment.finetuned(runs, SMALL, Sweep(3))
    with ThreadPoolExecutor(2) as executor:
        other = finetuning_experiment.finetuned(runs, Size(5, 5, 1, 20), Sweep(3, executor=executor, cache=tmp_path))
    resumed = finetuning_experiment.finetuned(runs, Size(5, 5, 1, 20), Sweep(3, cache=tmp_path))
    for one, two, three in zip(plain, other, resumed, strict=True):
        assert one["returns"].shape[0] == 5
        for key, values in one.items():
            assert_array_equal(values, two[key])
            assert_array_equal(values, three[key])


def test_each_start_takes_its_best_step_on_data_of_its_own():
    run = Run("stochastic lock", "PostBC", episodes=300)
    found = finetuning_experiment.finetuned([run], SMALL, Sweep(3))[0]
    base = {**run.settings(), "seed": finetuning_experiment.seed_of(Sweep(3)), "start": "PostBC", "level": float(found["level"]),
            "learner": run.learner, "episodes": 300, "purpose": TUNING, "first": 0, "number": 1}  # fmt: skip
    steps = finetuning_experiment.LEARNERS[run.learner][1]
    score = [
        finetuning_experiment.improve({**base, "step": s}, np.random.default_rng(0))["average"].mean() for s in steps
    ]
    assert float(found["step"]) == steps[int(np.argmax(score))]


@given(st.integers(10, 10**6))
def test_checkpoints_run_from_zero_to_the_end_in_whole_batches(episodes):
    found = finetuning_experiment.checkpoints(episodes)
    assert found[0] == 0
    assert abs(found[-1] - episodes) <= 5
    assert (np.diff(found) > 0).all()
    assert (found % 10 == 0).all()
    assert found.size <= 40


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_the_first_time_is_the_first_of_those_at_the_target(returns):
    times = np.arange(len(returns)) ** 2
    late = [int(t) for t, r in zip(times, returns, strict=True) if r >= 0.5]
    assert finetuning_experiment.first_time(np.array(returns), times, 0.5) == min(late, default=math.inf)


def test_the_mean_over_the_episodes_of_a_line_is_its_middle():
    times = np.array([0, 1, 10, 100])
    assert finetuning_experiment.over_episodes(2.0 + 3.0 * times, times) == pytest.approx(2.0 + 150.0)
    assert finetuning_experiment.over_episodes(np.full((2, 4), 0.7), times) == pytest.approx([0.7, 0.7])


@pytest.mark.parametrize("config", [fig_finetune_curves.QUICK, fig_finetune_curves.FULL], ids=["quick", "full"])
def test_there_are_replicates_enough_for_a_permutation_test_to_reject(config):
    """One-signed differences have the least p-value there is; it must pass Bonferroni's level."""
    number = 2 * len(config.instances) * (1 + len(config.learners))
    assert paired_p_value(np.ones(config.size.replicates), np.random.default_rng(0)) < 0.05 / number


@pytest.mark.parametrize(("epsilon", "n_demos"), [(0.125, 3), (0.01, 5)])
def test_the_plateau_on_b1_is_that_of_all_data_sets_in_fractions(epsilon, n_demos):
    eps, plateau, lost = Fraction(epsilon), Fraction(0), Fraction(0)
    for counts, weight in oracles.multinomial_law(n_demos, [1 - 4 * eps, 2 * eps, 2 * eps]):
        plateau += weight * (counts[1] > 0)
        lost += weight * Fraction(1, 2) * (counts[1] == counts[2] == 0)
    found = fig_finetune_curves.b1_exactly(epsilon, n_demos)
    for key, truth in (("b1_plateau", plateau), ("b1_closed", plateau), ("b1_lost", lost)):
        assert float(found[key]) == pytest.approx(float(truth), abs=1e-13)


def test_a_run_that_never_gets_there_counts_against_its_own_side():
    """Ours censored: a huge ratio. Theirs censored: as if they got there at the end, which is to their favour."""
    ours, theirs = np.array([10.0, 20.0, np.inf]), np.array([100.0, np.inf, 50.0])
    reached = np.zeros((1, 4, 3))
    reached[0, 3], reached[0, 1] = ours, theirs
    arrays = {"reached": reached, "times": np.array([[0.0, 200.0, np.nan]])}
    interval, censored = fig_finetune_curves._time_ratio({**arrays, "reached": np.repeat(reached, 5, axis=2)}, 0)
    assert censored == 5
    assert interval.low == pytest.approx(0.1)
    assert interval.high >= 1e9


def test_the_fitted_exponent_of_a_power_law_is_its_exponent():
    gamma = np.array([0.1, 0.01, 0.001])
    times = np.array([[1.0, 1.2], [1.0, 1.2], [1.0, 1.2]]) * gamma[:, None] ** -0.7
    slope, interval, censored = fig_finetune_cost.fitted(-np.log(gamma), times)
    assert slope == pytest.approx(0.7)
    assert interval.low < 0.7 < interval.high
    assert censored == 0
    times[0, 0] = np.inf
    assert fig_finetune_cost.fitted(-np.log(gamma), times)[2] == 1


@pytest.mark.compiled
def test_the_lock_takes_as_many_episodes_as_its_first_reward():
    """With d missing steps the first reward comes after a geometric time of mean p^-d, and no learner gets there before.

    Of 200 replicates at p^-d = 9 the share there after 30 episodes is at most 1 - (8/9)^30 = 0.97 on average, and
    after 3 at most 0.30; a false alarm (share above 0.52 after 3) is rarer than 1e-6 (binomial tail).
    """
    times = fig_finetune_cost.lock_times(
        {"learner": "natural gradient", "missing": 2, "p": 1 / 3, "replicates": 200}, np.random.default_rng(5)
    )["times"]
    assert (times <= 3).mean() <= 0.52
    assert np.isfinite(times).mean() >= 0.9
