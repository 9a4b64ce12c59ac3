"""continuous.pass_at_k: subsets in exact fractions, unbiasedness, independence of batches, refusals."""

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from continuous.evaluation import evaluate
from continuous.pass_at_k import TRIES, Tries, joined, pass_estimates, play_tries
from continuous.tasks import TASKS
from theory.statistics.bounded_mean import bounded_mean_interval

STICK = TASKS["stick"]
SEED = np.random.SeedSequence(3, spawn_key=(4,))


def steer(seen):
    """Keep to the lane, line up with the opening where it is not far up, and enter."""
    x, y, context = seen[:, 0], seen[:, 1], seen[:, 2]
    aim = np.where(x < 0, -8 * y, 8 * (0.7 * np.sin(2.8 * np.minimum(context, 0.3)) - y))
    return np.stack([np.where((x > 0.5) & (np.abs(aim) > 0.3), 0.0, 0.8), aim], axis=1)[:, None]


def wobble(seen, rng):
    """As steer, with noise that makes some tries fail and lets others in by chance."""
    return steer(seen) + 0.35 * rng.standard_normal((len(seen), 1, 2))


# --- the estimator ----------------------------------------------------------------------------------------------------


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_an_estimate_is_the_share_of_all_subsets_that_hold_a_success(drawn):
    n, c, k = drawn
    subsets = list(itertools.combinations([1] * c + [0] * (n - c), k))
    exact = Fraction(sum(any(subset) for subset in subsets), len(subsets))
    assert pass_estimates([c], n, k).tolist() == [float(exact)]  # rounded once


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), st.integers(0, 8))
def test_the_estimate_is_unbiased(drawn, eighths):
    """Its exact expectation over Bin(n, q), against 1 - (1 - q)^k; the plug-in 1 - (1 - c/n)^k is biased."""
    (n, k), q = drawn, Fraction(eighths, 8)
    law = [math.comb(n, c) * q**c * (1 - q) ** (n - c) for c in range(n + 1)]
    estimates = pass_estimates(np.arange(n + 1), n, k).tolist()
    expected = sum((p * Fraction(e) for p, e in zip(law, estimates, strict=True)), Fraction(0))
    assert float(expected) == pytest.approx(float(1 - (1 - q) ** k), abs=1e-14)
    if k > 1 and 0 < q < 1:
        plugged = sum(p * (1 - (1 - Fraction(c, n)) ** k) for c, p in enumerate(law))
        assert abs(float(plugged - (1 - (1 - q) ** k))) > 1e-9


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n), min_size=1, max_size=9))))
def test_estimates_grow_with_k_from_the_rate_of_successes(drawn):
    n, successes = drawn
    tries = Tries(task="made up", successes=successes, n_tries=n)
    rows = np.array([tries.estimates(k) for k in range(1, n + 1)])
    assert rows[0].tolist() == [c / n for c in successes]
    assert (np.diff(rows, axis=0) >= 0).all()
    assert rows[-1].tolist() == [float(c > 0) for c in successes]
    assert tries.pass_at(n) == np.mean(np.array(successes) > 0)


@given(st.integers(33, 3000), st.sampled_from(TRIES))
def test_the_estimate_of_one_success_in_many_tries_is_k_over_n(n, k):
    """In closed form; a difference of two probabilities near 1 would lose its digits."""
    assert pass_estimates([1], n, k).tolist() == [k / n]


# --- the tries --------------------------------------------------------------------------------------------------------


def test_tries_do_not_depend_on_how_the_first_states_are_split():
    whole = play_tries(STICK, wobble, 6, 8, SEED)
    for parts in ((1, 5), (3, 3), (2, 1, 3), (1,) * 6):
        begins = np.cumsum((0, *parts[:-1])).tolist()
        split = [play_tries(STICK, wobble, m, 8, SEED, first=b) for b, m in zip(begins, parts, strict=True)]
        assert joined(split).successes.tolist() == whole.successes.tolist()
    backwards = [play_tries(STICK, wobble, 1, 8, SEED, first=i) for i in reversed(range(6))]
    assert joined(backwards[::-1]).successes.tolist() == whole.successes.tolist()
    assert SEED.n_children_spawned == 0
    assert 0 < whole.pass_at(1) < whole.pass_at(8) < 1


@given(st.integers(1, 5), st.integers(1, 12), st.integers(0, 2**32))
@settings(max_examples=10)
def test_from_the_same_seed_fewer_first_states_are_the_first_of_more(m, n, entropy):
    seed = np.random.SeedSequence(entropy)
    few, more = (play_tries(STICK, wobble, size, n, seed) for size in (m, m + 2))
    assert few.successes.tolist() == more.successes[:m].tolist()


def test_a_policy_without_chance_has_the_same_pass_at_every_k_and_that_of_evaluate():
    """The first states are the same, so the two agree first state by first state."""

    def still(seen, rng):
        return steer(seen)

    tries, single = play_tries(STICK, still, 40, 4, SEED), evaluate(STICK, still, 40, SEED)
    assert tries.successes.tolist() == (4 * single.success).tolist()
    for k in (1, 2, 4):
        assert tries.pass_at(k) == single.success_rate
    assert 0 < single.success_rate < 1


def test_tries_from_one_first_state_are_independent_and_pass_at_1_is_the_success_rate():
    """Against evaluate with other chance; Fisher-like z-test at 1e-6, false alarm below that."""
    tries, single = play_tries(STICK, wobble, 60, 32, SEED), evaluate(STICK, wobble, 2000, np.random.SeedSequence(8))
    spread = math.hypot(tries.estimates(1).std() / math.sqrt(60), single.success.std() / math.sqrt(2000))
    assert abs(tries.pass_at(1) - single.success_rate) < 4.9 * spread
    assert spread < 0.06


def test_tries_take_a_policy_with_a_method_act_and_the_rare_range():
    class Wobbles:
        def act(self, observations, rng):
            return wobble(observations, rng)

    one, other = (play_tries(STICK, policy, 3, 4, SEED, rare=1.0) for policy in (Wobbles(), wobble))
    assert one.successes.tolist() == other.successes.tolist()
    assert one.task == "stick"


def test_the_interval_is_over_first_states():
    tries = Tries(task="made up", successes=[0, 1, 4, 4], n_tries=4)
    assert tries.interval(2, 0.9) == bounded_mean_interval([0, 0.5, 1, 1], 0.9)
    assert tries.n_starts == 4
    assert not tries.successes.flags.writeable


# --- refusals ---------------------------------------------------------------------------------------------------------


MADE = Tries(task="made up", successes=[1, 2], n_tries=4)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: pass_estimates([1], 4, 5), ValueError, "k must be at most 4; got 5"),
        (lambda: pass_estimates([1], 4, 0), ValueError, "k must be at least 1; got 0"),
        (lambda: pass_estimates([5], 4, 1), ValueError, "successes must be below 5; entry (0,) is 5"),
        (lambda: pass_estimates([0.5], 4, 1), TypeError, "successes must hold integers"),
        (lambda: Tries(task="x", successes=[], n_tries=4), TypeError, "successes must hold integers"),
        (lambda: Tries(task="x", successes=np.zeros(0, int), n_tries=4), ValueError, "successes must hold at least 1 first state; got 0"),
        (lambda: MADE.pass_at(8), ValueError, "k must be at most 4; got 8"),
        (lambda: play_tries("stick", wobble, 2, 2, SEED), TypeError, "task must be of type Task; got str"),
        (lambda: play_tries(STICK, 3, 2, 2, SEED), TypeError, "policy must be callable or have a method act; got int"),
        (lambda: play_tries(STICK, wobble, 0, 2, SEED), ValueError, "n_starts must be at least 1; got 0"),
        (lambda: play_tries(STICK, wobble, 2, 0, SEED), ValueError, "n_tries must be at least 1; got 0"),
        (lambda: play_tries(STICK, wobble, 2, 2, 3), TypeError, "seed must be of type SeedSequence; got int"),
        (lambda: play_tries(STICK, wobble, 2, 2, SEED, first=-1), ValueError, "first must be at least 0; got -1"),
        (lambda: play_tries(STICK, wobble, 2, 2, SEED, rare=2.0), ValueError, "rare must be at most 1.0; got 2.0"),
        (lambda: joined([]), ValueError, "parts must be of one task with one number of tries; got []"),
        (lambda: joined([MADE, Tries(task="other", successes=[1], n_tries=4)]), ValueError, "got [('made up', 4), ('other', 4)]"),
        (lambda: joined([MADE, 3]), TypeError, "parts must be of type Tries; got int"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call()
