"""continuous.evaluation: episodes one by one in plain Python, pairing, exact coverage of the intervals, refusals."""

import itertools
import math
from dataclasses import replace

import numpy as np
import oracles_continuous
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from continuous.evaluation import Evaluation, compare, evaluate
from continuous.tasks import TASKS
from theory.claims import Interval
from theory.statistics.probability import clopper_pearson

CORRIDOR, STICK = TASKS["corridor"], TASKS["stick"]


def steer(observations, chunk=1):
    """A fair deterministic policy: keep to the lane, then make for the gate unless it is far up."""
    x, y, gate = observations[:, 0], observations[:, 1], observations[:, 2]
    action = np.stack([np.where(x < 0, 0.9, 0.7), np.where(x < 0, -8 * y, 6 * (np.minimum(gate, 0.2) - y))], axis=1)
    return np.repeat(action[:, None], chunk, axis=1)


def made(success, task="made up"):
    n = len(success)
    return Evaluation(
        task=task,
        starts=np.arange(n)[:, None],
        success=np.array(success, bool),
        returns=np.zeros(n),
        lengths=np.ones(n, np.int64),
        decisions=n,
    )


# --- agreement --------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 4))
@settings(max_examples=15)
def test_evaluated_episodes_match_a_plain_loop_over_single_episodes(seed, n, chunk):
    found = evaluate(CORRIDOR, lambda seen, rng: steer(seen, chunk), n, np.random.SeedSequence(seed))
    decisions = 0
    for i, start in enumerate(found.starts.tolist()):
        state, ended, steps, total = start, False, 0, 0.0
        while not ended:
            plan = steer(np.array([state[2:]]), chunk)[0].tolist()
            decisions += 1
            for action in plan:
                if not ended:
                    state, reward, ended, success = oracles_continuous.step("corridor", 60, state, action)
                    steps, total = steps + 1, total + reward
        assert (found.lengths[i], found.success[i]) == (steps, success)
        assert found.returns[i] == total
    assert found.decisions == decisions
    assert found.environment_steps == found.lengths.sum()
    assert found.n_episodes == n


def test_a_policy_is_a_callable_or_has_a_method_act():
    class Steers:
        def act(self, observations, rng):
            return steer(observations)

    seed = np.random.SeedSequence(4)
    first, second = (evaluate(CORRIDOR, policy, 50, seed) for policy in (Steers(), lambda seen, rng: steer(seen)))
    assert np.array_equal(first.success, second.success)
    assert 0 < first.success_rate < 1


# --- laws -------------------------------------------------------------------------------------------------------------


def test_evaluations_with_the_same_seed_are_equal_and_leave_it_unchanged():
    def stray(observations, rng):
        return steer(observations) + 0.3 * rng.standard_normal((len(observations), 1, 2))

    seed = np.random.SeedSequence(7, spawn_key=(3,))
    first = evaluate(CORRIDOR, stray, 200, seed)
    second = evaluate(CORRIDOR, stray, 200, seed)
    third = evaluate(CORRIDOR, stray, 200, np.random.SeedSequence(8, spawn_key=(3,)))
    for name in ("starts", "success", "returns", "lengths"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
        assert not getattr(first, name).flags.writeable
    assert not np.array_equal(first.starts, third.starts)
    assert seed.n_children_spawned == 0


@given(st.integers(1, 20), st.integers(0, 20))
def test_first_states_depend_on_the_seed_and_the_episode_alone(n, extra):
    """They depend neither on the policy and the random numbers it draws, nor on how many episodes follow."""
    seed = np.random.SeedSequence(11)
    few = evaluate(CORRIDOR, lambda seen, rng: steer(seen), n, seed)
    many = evaluate(CORRIDOR, lambda seen, rng: rng.uniform(-1, 1, (len(seen), 3, 2)), n + extra, seed)
    assert np.array_equal(few.starts, many.starts[:n])


def test_the_policys_random_stream_does_not_depend_on_the_number_of_episodes():
    drawn = {}
    for n in (1, 2, 50):

        def policy(seen, rng, n=n):
            drawn.setdefault(n, rng.random())
            return steer(seen)

        evaluate(CORRIDOR, policy, n, np.random.SeedSequence(11))
    assert drawn[1] == drawn[2] == drawn[50]


def test_a_chunk_counts_only_up_to_the_end_of_its_episode():
    seed = np.random.SeedSequence(0)
    still = evaluate(CORRIDOR, lambda seen, rng: np.zeros((len(seen), 7, 2)), 3, seed)
    assert still.lengths.tolist() == [60, 60, 60]
    assert still.decisions == 3 * math.ceil(60 / 7)
    crash = evaluate(STICK, lambda seen, rng: np.tile([0.0, 1.0], (len(seen), 50, 1)), 3, seed)
    assert crash.lengths.tolist() == [1, 1, 1]  # |y| <= 0.02 + 0.06 leaves the passage at once, or on the way
    assert crash.decisions == 3


def test_the_rare_range_is_drawn_with_the_given_probability():
    def lazy(seen, rng):
        return np.zeros((len(seen), 80, 2))

    for rare, few in ((0.0, 0), (1.0, 500)):
        found = evaluate(STICK, lazy, 500, np.random.SeedSequence(1), rare=rare)
        assert (np.abs(found.starts[:, 4]) > 0.35).sum() == few


# --- intervals --------------------------------------------------------------------------------------------------------


def test_the_interval_of_a_success_rate_is_clopper_pearsons():
    found = made([True] * 7 + [False] * 13)
    assert found.interval(0.9) == clopper_pearson(7, 20, 0.9)
    assert found.success_rate == 0.35


@pytest.mark.parametrize("p", [0.01, 0.05, 0.2, 0.5, 0.77, 0.99])
def test_the_interval_covers_the_success_rate_with_its_stated_confidence(p):
    """Exactly, by summing over all outcomes; the normal approximation would not."""
    n = 20
    mass = stats.binom.pmf(np.arange(n + 1), n, p)
    intervals = [made([True] * k + [False] * (n - k)).interval(0.9) for k in range(n + 1)]
    assert sum(m for m, i in zip(mass, intervals, strict=True) if i.low <= p <= i.high) >= 0.9
    if p in (0.01, 0.05, 0.99):
        rates = np.arange(n + 1) / n
        half = stats.norm.isf(0.05) * np.sqrt(rates * (1 - rates) / n)
        assert mass[np.abs(rates - p) <= half].sum() < 0.9


def pair_of(n, more, less):
    first = [True] * more + [False] * less + [True] * (n - more - less)
    second = [False] * more + [True] * less + [True] * (n - more - less)
    return made(first), made(second)


@pytest.mark.parametrize(("up", "down"), [(0.0, 0.0), (0.02, 0.0), (0.3, 0.1), (0.1, 0.5), (0.5, 0.5), (0.05, 0.05)])
def test_the_paired_interval_covers_the_difference_with_its_stated_confidence(up, down):
    """Exactly, by summing over all outcomes of 12 pairs; Student's interval of the differences would not."""
    n, covered, students = 12, 0.0, 0.0
    for more, less in itertools.product(range(n + 1), repeat=2):
        if more + less > n:
            continue
        mass = stats.multinomial.pmf([more, less, n - more - less], n, [up, down, 1 - up - down])
        found = compare(*pair_of(n, more, less), confidence=0.9)
        assert found.interval.low <= found.difference <= found.interval.high
        assert found.difference == (more - less) / n
        covered += mass * (found.interval.low <= up - down <= found.interval.high)
        differences = np.array([1.0] * more + [-1.0] * less + [0.0] * (n - more - less))
        half = stats.t.isf(0.05, n - 1) * differences.std(ddof=1) / math.sqrt(n)
        students += mass * (abs(differences.mean() - (up - down)) <= half)
    assert covered >= 0.9
    if (up, down) == (0.02, 0.0):
        assert students < 0.9


def test_the_paired_interval_gives_half_of_the_error_probability_to_each_rate():
    """With 5 of 20 pairs won and none lost, in closed form: each of the four tails has probability 0.1/4."""
    found = compare(*pair_of(20, 5, 0), confidence=0.9).interval
    lost = 1 - 0.025 ** (1 / 20)
    assert found.low == pytest.approx(stats.beta.ppf(0.025, 5, 16) - lost)
    assert found.high == pytest.approx(stats.beta.ppf(0.975, 6, 15))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), st.floats(0.5, 0.99))
def test_swapping_the_two_policies_negates_a_comparison(pairs, confidence):
    first, second = (made(list(side)) for side in zip(*pairs, strict=True))
    one, other = compare(first, second, confidence), compare(second, first, confidence)
    assert one.interval == Interval(-other.interval.high, -other.interval.low)
    assert (one.only_first, one.only_second) == (other.only_second, other.only_first)
    assert one.difference == pytest.approx(first.success_rate - second.success_rate)


def test_pairing_detects_a_small_difference():
    """A policy that is worse in rare contexts only loses episodes and wins none."""

    def worse(seen, rng):
        actions = steer(seen)
        actions[seen[:, 2] < -0.5] *= 0.0
        return actions

    seed = np.random.SeedSequence(21)
    found = compare(*(evaluate(CORRIDOR, p, 1000, seed) for p in (lambda seen, rng: steer(seen), worse)))
    assert found.only_second == 0
    assert found.interval.low > 0


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (lambda n: np.zeros((n, 2)), ValueError, r"the policy's actions must have shape \(4, any, 2\); got \(4, 2\)"),
        (lambda n: np.zeros((n, 1, 3)), ValueError, r"must have shape \(4, any, 2\); got \(4, 1, 3\)"),
        (lambda n: np.zeros((1, 1, 2)), ValueError, r"must have shape \(4, any, 2\); got \(1, 1, 2\)"),
        (lambda n: np.zeros((n, 0, 2)), ValueError, r"must hold a step; got shape \(4, 0, 2\)"),
        (lambda n: np.full((n, 1, 2), np.nan), ValueError, "must be finite"),
        (lambda n: np.full((n, 1, 2), np.inf), ValueError, "must be finite"),
        (lambda n: None, TypeError, "must hold real numbers"),
    ],
)
def test_policy_actions_of_another_shape_or_not_finite_are_refused(answer, kind, message):
    with pytest.raises(kind, match=message):
        evaluate(CORRIDOR, lambda seen, rng: answer(len(seen)), 4, np.random.SeedSequence(0))


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"task": "corridor"}, TypeError, "task must be of type Task; got str"),
        ({"policy": 3}, TypeError, "policy must be callable or have a method act; got int"),
        ({"n_episodes": 0}, ValueError, "n_episodes must be at least 1; got 0"),
        ({"n_episodes": 2.0}, TypeError, "n_episodes must be an integer; got 2.0"),
        ({"seed": 3}, TypeError, "seed must be of type SeedSequence; got int"),
        ({"rare": 2.0}, ValueError, "rare must be at most 1.0; got 2.0"),
    ],
)
def test_evaluate_refuses_arguments_out_of_range(change, kind, message):
    arguments = {"task": CORRIDOR, "policy": lambda s, r: steer(s), "n_episodes": 2, "seed": np.random.SeedSequence(0)}
    with pytest.raises(kind, match=message):
        evaluate(**{**arguments, **change})


def test_evaluations_from_other_first_states_are_not_compared():
    first, second = made([True, False]), made([True, False], "another")
    for other in (second, made([True]), replace(first, starts=np.zeros((2, 1)))):
        with pytest.raises(ValueError, match="must have started in the same states"):
            compare(first, other)
    with pytest.raises(TypeError, match="second must be of type Evaluation; got bool"):
        compare(first, True)
    with pytest.raises(ValueError, match="confidence must be below"):
        compare(first, first, 1.0)
