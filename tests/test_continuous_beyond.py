"""Beyond the paper: alphas chosen or shrunken by the data, and episodes of a policy, each against plain loops."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from continuous.beyond import held_out_log_likelihood, shrunken_alpha, with_own_states
from continuous.cloning import clone
from continuous.demonstrations import Demonstrations
from continuous.demonstrators import demonstrate
from continuous.ensembles import Recipe, fit_ensemble
from continuous.tasks import TASKS
from continuous.training import Training

SHORT = Training(n_steps=3, batch=8)
FEW = Recipe(n_members=3, hidden=(4,), training=SHORT)


def seed(number=0, *key):
    return np.random.SeedSequence(number, spawn_key=key)


def shown(lengths=(4, 6, 5, 7), number=1):
    rng, n = np.random.default_rng(number), sum(lengths)
    return Demonstrations(rng.normal(size=(n, 3)), rng.uniform(-1, 1, size=(n, 2)), np.cumsum(lengths))


# --- shrunken alpha ---------------------------------------------------------------------------------------------------


def dirichlet_variance(first, whole):
    """Variance of the first share from its two moments."""
    return first * (first + 1) / (whole * (whole + 1)) - (first / whole) ** 2


def bootstrap_variance(share, n):
    """Variance of the share of n draws, by enumeration."""
    chances = [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    mean = sum(chance * Fraction(k, n) for k, chance in enumerate(chances))
    return sum(chance * (Fraction(k, n) - mean) ** 2 for k, chance in enumerate(chances))


@given(st.integers(1, 12), st.integers(0, 40), st.fractions(0, 1, max_denominator=20), st.floats(0, 8))
def test_shrunken_alpha_squared_is_the_ratio_of_dirichlet_to_bootstrap_variance(n, prior, share, alpha):
    """For a prior with the same mean; `mass` is the prior's mass plus one."""
    if 0 < share < 1:
        ratio = dirichlet_variance(share * (n + prior), n + prior) / bootstrap_variance(share, n)
        assert ratio == Fraction(n, n + prior + 1)
        assert shrunken_alpha(alpha, n, prior + 1.0) ** 2 == pytest.approx(alpha**2 * float(ratio), rel=1e-12)
    assert shrunken_alpha(alpha, n, 0.0) == alpha
    assert shrunken_alpha(alpha, n, prior) <= shrunken_alpha(alpha, n + 1, prior) <= alpha


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((-0.1, 5, 1.0), "alpha"),
        ((np.nan, 5, 1.0), "alpha"),
        ((1.0, 0, 1.0), "n_episodes"),
        ((1.0, 2.5, 1.0), "n_episodes"),
        ((1.0, 5, -1.0), "mass"),
        ((1.0, 5, "1"), "mass"),
    ],
)
def test_shrunken_alpha_refuses_arguments_out_of_range(arguments, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must"):
        shrunken_alpha(*arguments)


# --- the held-out likelihood ------------------------------------------------------------------------------------------


def chunks_of(actions, begin, end, chunk):
    """Chunks of an episode's rows, with the last action repeated beyond its end."""
    return [np.concatenate([actions[min(i + k, end - 1)] for k in range(chunk)]) for i in range(begin, end)]


def by_hand(data, chunk, recipe, number, alphas, n_folds):
    """Density by density: scipy's normal density of each held-out chunk, in units of the other folds' standard deviation."""
    begins = [0, *data.episode_ends[:-1]]
    episodes = [(int(a), int(b)) for a, b in zip(begins, data.episode_ends, strict=True)]
    found = []
    for alpha in alphas:
        total = 0.0
        for k in range(n_folds):
            kept = [episode for e, episode in enumerate(episodes) if e % n_folds != k]
            rows = [i for a, b in kept for i in range(a, b)]
            own = Demonstrations(data.observations[rows], data.actions[rows], np.cumsum([b - a for a, b in kept]))
            members = fit_ensemble(own, chunk, recipe, seed(number, k)).predictions
            seen = np.array([one for a, b in kept for one in chunks_of(data.actions, a, b, chunk)])
            spread = seen.std(axis=0)
            square = np.mean(((seen - members(data.observations[rows]).mean(axis=0)) / spread) ** 2)
            for a, b in (episode for e, episode in enumerate(episodes) if e % n_folds == k):
                truth = chunks_of(data.actions, a, b, chunk)
                for i in range(a, b):
                    said = members(data.observations[i : i + 1])[:, 0] / spread
                    law = stats.multivariate_normal(
                        said.mean(axis=0), alpha**2 * np.cov(said.T) + square * np.eye(spread.size)
                    )
                    total += law.logpdf(truth[i - a] / spread)
        found.append(total / len(data.observations))
    return found


@settings(max_examples=8)
@given(
    st.lists(st.integers(3, 5), min_size=4, max_size=6), st.integers(1, 3), st.integers(2, 4), st.integers(0, 2**32),
    st.sampled_from(["trajectory", "state-action", "noise"]),
)  # fmt: skip
def test_the_held_out_likelihood_matches_scipys_normal_density(lengths, chunk, n_folds, number, version):
    data, recipe, alphas = (
        shown(lengths, number),
        Recipe(n_members=3, version=version, hidden=(4,), training=SHORT),
        (0.0, 0.7, 5.0),
    )
    found = held_out_log_likelihood(data, chunk, recipe, seed(number), alphas, n_folds=n_folds)
    assert_allclose(found, by_hand(data, chunk, recipe, number, alphas, n_folds), rtol=1e-5)  # networks are float32
    assert_array_equal(found, held_out_log_likelihood(data, chunk, recipe, seed(number), alphas, n_folds=n_folds))


def test_the_held_out_likelihood_has_five_folds_by_default_and_each_alpha_is_independent_of_the_others():
    data = shown((3, 4, 3, 4, 3, 4))
    found = held_out_log_likelihood(data, 1, FEW, seed(2), [0.5, 2.0])
    assert_array_equal(found, held_out_log_likelihood(data, 1, FEW, seed(2), [2.0, 0.5], n_folds=5)[::-1])
    assert (found != held_out_log_likelihood(data, 1, FEW, seed(2), [0.5, 2.0], n_folds=3)).all()
    assert (found != held_out_log_likelihood(data, 1, FEW, seed(3), [0.5, 2.0])).all()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"demonstrations": None}, "demonstrations"),
        ({"chunk": 0}, "length"),
        ({"chunk": 8}, "length"),
        ({"recipe": None}, "recipe"),
        ({"seed": 1}, "seed"),
        ({"alphas": []}, "alphas"),
        ({"alphas": [1.0, -0.5]}, "alphas"),
        ({"alphas": [np.inf]}, "alphas"),
        ({"alphas": 1.0}, "alphas"),
        ({"n_folds": 1}, "n_folds"),
        ({"n_folds": 5}, "n_folds"),
        ({"demonstrations": shown((4, 4)), "n_folds": 2}, "needs two episodes or more"),
    ],
)
def test_the_held_out_likelihood_refuses_arguments_out_of_range(change, name):
    usual = {"demonstrations": shown(), "chunk": 1, "recipe": FEW, "seed": seed(), "alphas": [1.0], "n_folds": 2}
    with pytest.raises((TypeError, ValueError), match=name):
        held_out_log_likelihood(**usual | change)


# --- a policy's own states --------------------------------------------------------------------------------------------


def prepared(name, chunk, number):
    task = TASKS[name]
    data = demonstrate(task, 2, np.random.default_rng(number))
    return task, data, clone(data, chunk, seed(number), hidden=(4,), training=SHORT)


@settings(max_examples=10)
@given(st.sampled_from(list(TASKS)), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32))
def test_appended_episodes_replay_in_the_task(name, chunk, n_episodes, number):
    """Each episode is replayed from its first state: it runs at every row, and has ended after the last."""
    task, data, policy = prepared(name, chunk, number)
    found = with_own_states(task, policy, data, n_episodes, seed(number))
    N, E = len(data.observations), data.n_episodes
    assert_array_equal(found.observations[:N], data.observations)
    assert_array_equal(found.actions[:N], data.actions)
    assert_array_equal(found.episode_ends[:E], data.episode_ends)
    assert found.n_episodes == E + n_episodes
    starts = task.reset(np.random.default_rng(seed(number, 0)), n_episodes)
    row = N
    for e in range(n_episodes):
        state, ended = starts[e : e + 1], False
        while not ended:
            assert_array_equal(found.observations[row], task.observe(state)[0])
            state, _, (ended,), _ = task.step(state, found.actions[row : row + 1])
            row += 1
        assert found.episode_ends[E + e] == row
    assert row == len(found.observations) == len(found.actions)


@pytest.mark.parametrize("name", ["corridor", "reach"])
def test_appended_episodes_do_the_first_action_of_a_fresh_chunk_at_each_step(name):
    task, data, policy = prepared(name, 3, 4)
    found = with_own_states(task, policy, data, 3, seed(5))
    states, chance = task.reset(np.random.default_rng(seed(5, 0)), 3), np.random.default_rng(seed(5, 1))
    done = {e: [] for e in range(3)}
    running = [0, 1, 2]
    while running:
        actions = policy.act(task.observe(states[running]), chance)[:, 0]
        for e, action in zip(running, actions, strict=True):
            done[e].append(action)
        states[running], _, ended, _ = task.step(states[running], actions)
        running = [e for e, over in zip(running, ended, strict=True) if not over]
    assert_array_equal(found.actions[len(data.actions) :], [action for e in range(3) for action in done[e]])


def test_with_own_states_refuses_demonstrations_and_policies_of_another_task():
    task, data, policy = prepared("corridor", 1, 6)
    other = demonstrate(TASKS["reach"], 2, np.random.default_rng(6))
    for call, name in (
        (lambda: with_own_states(None, policy, data, 1, seed()), "task"),
        (lambda: with_own_states(task, None, data, 1, seed()), "policy"),
        (lambda: with_own_states(task, policy, None, 1, seed()), "demonstrations"),
        (lambda: with_own_states(task, policy, other, 1, seed()), "demonstrations must be of the task corridor"),
        (lambda: with_own_states(TASKS["reach"], policy, other, 1, seed()), "observations"),
        (lambda: with_own_states(task, policy, data, 0, seed()), "n_episodes"),
        (lambda: with_own_states(task, policy, data, 1, 0), "seed"),
    ):
        with pytest.raises((TypeError, ValueError), match=name):
            call()
