"""Coverage of processes with at most two reachable states per step: over all data sets, in closed form, by Monte Carlo."""

import re
from fractions import Fraction

import numpy as np
import oracles
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular.certificates import certified_coverage_probability
from tabular.demonstrations import sample_counts
from tabular.exact_coverage import cell_coverage_probability
from tabular.family import family_coverages
from tabular.instances import Instance, chain_lock, deep_sea
from tabular.kernels import laws_of_counts
from tabular.mdp import FiniteHorizonMDP
from tabular.narrow_coverage import MAX_DEMOS, MAX_WORK, NarrowProcess, narrow_coverage_probability
from tabular.policies import BC, posterior, uniform_noise
from tabular.strategies import estimators, instances
from tabular.unmixed_coverage import unmixed_coverage_probability
from theory.statistics.probability import clopper_pearson

EXACT = {"rtol": 0, "atol": 1e-12}
GAMMAS = st.integers(1, 64).map(lambda n: n / 64)


def covered_in_enumeration(instance, n_demos, rule, gamma):
    together, _ = oracles.coverage_law(
        oracles.process_of(instance.mdp), oracles.exact(instance.demonstrator.tolist()),
        n_demos, rule.alpha, rule.prior_mass, Fraction(gamma),
    )  # fmt: skip
    return float(together)


def process(transitions, initial, horizon):
    table = np.array(transitions, float)
    return FiniteHorizonMDP.from_dense(table, np.zeros((1, *table.shape[-3:-1])), initial, horizon)


MIXING = Instance(  # both ways, with three probabilities of state 0 in each state
    "mixing",
    process([[[1, 0], [0.25, 0.75], [0.5, 0.5]], [[0, 1], [0.5, 0.5], [0.75, 0.25]]], [0.5, 0.5], 2),
    np.full((2, 2, 3), [0.5, 0.25, 0.25]),
)


@settings(max_examples=25)
@given(instances(max_horizon=3, max_states=2, max_actions=2), st.integers(1, 2), estimators(), GAMMAS)
@example(chain_lock(3, 2, 0.75, slip=0.25), 3, posterior(2.0), 0.5)
@example(MIXING, 3, uniform_noise(0.25), 0.5)
@example(MIXING, 3, posterior(2.0), 0.25)
def test_narrow_coverage_is_that_of_all_data_sets(instance, n_demos, rule, gamma):
    found = narrow_coverage_probability(instance.mdp, instance.demonstrator, n_demos, rule, gamma)
    assert_allclose(found, covered_in_enumeration(instance, n_demos, rule, gamma), **EXACT)


@settings(max_examples=15)
@given(instances(max_horizon=2, max_states=2, max_actions=4), st.integers(1, 2), estimators(), GAMMAS)
def test_narrow_coverage_with_more_groups_of_actions_is_that_of_all_data_sets(instance, n_demos, rule, gamma):
    found = narrow_coverage_probability(instance.mdp, instance.demonstrator, n_demos, rule, gamma)
    assert_allclose(found, covered_in_enumeration(instance, n_demos, rule, gamma), **EXACT)


def chain_in_fractions(mdp, pi_beta, n_demos, rule, gamma):
    """The chain of the number of trajectories in state 0, by sums over all counts."""
    model, p = oracles.process_of(mdp), oracles.exact(pi_beta.tolist())
    w = oracles.occupancy(model, p)
    law = [oracles.binomial_pmf(n_demos, n, model.initial[0]) for n in range(n_demos + 1)]
    for h in range(mdp.horizon):

        def moves(s, n, h=h):
            if not sum(w[h][s]):
                return [1]
            out = [Fraction(0)] * (n + 1)
            for counts, chance in oracles.multinomial_law(n, p[h][s]):
                if oracles.is_covered(
                    oracles.estimator_row(counts, rule.alpha, rule.prior_mass), p[h][s], Fraction(gamma)
                ):
                    arrivals = [chance]
                    for a, k in enumerate(counts):
                        q = model.transitions[h][s][a].get(0, Fraction(0))
                        one = [oracles.binomial_pmf(k, j, q) for j in range(k + 1)]
                        arrivals = [
                            sum(arrivals[i] * one[j - i] for i in range(len(arrivals)) if 0 <= j - i <= k)
                            for j in range(len(arrivals) + k)
                        ]
                    out = [x + y for x, y in zip(out, arrivals, strict=True)]
            return out

        after = [Fraction(0)] * (n_demos + 1)
        for n, chance in enumerate(law):
            one, other = (moves(s, k) if chance else [] for s, k in ((0, n), (1, n_demos - n)))
            for i, x in enumerate(one):
                for j, y in enumerate(other):
                    after[i + j] += chance * x * y
        law = after
    return float(sum(law))


@pytest.mark.parametrize("rule", [BC, uniform_noise(0.25), posterior(2.0)])
@pytest.mark.parametrize("instance", [chain_lock(4, 3, 0.75, slip=0.125), MIXING], ids=["lock", "mixing"])
def test_narrow_coverage_is_that_of_the_markov_chain_in_fractions(instance, rule):
    for n_demos, gamma in ((7, 0.25), (9, 0.5)):
        found = narrow_coverage_probability(instance.mdp, instance.demonstrator, n_demos, rule, gamma)
        truth = chain_in_fractions(instance.mdp, instance.demonstrator, n_demos, rule, gamma)
        assert_allclose(found, truth, **EXACT)


@st.composite
def disguised(draw):
    """A process of one or two states, and the same with a state nobody reaches and other names in each step."""
    plain = draw(instances(max_horizon=3, max_states=2, max_actions=3))
    H, S, A = plain.mdp.policy_shape
    names = [draw(st.permutations(range(S + 1))) for _ in range(H)]
    actions = [draw(st.permutations(range(A))) for _ in range(H)]
    dense, table = plain.mdp.to_dense(), np.zeros((H, S + 1, A, S + 1))
    table[..., 0] = 1.0
    pi_beta, initial = np.full((H, S + 1, A), 1 / A), np.zeros(S + 1)
    initial[names[0][:S]] = plain.mdp.initial
    for h, s, a in np.ndindex(H, S, A):
        to = names[(h + 1) % H]
        pi_beta[h, names[h][s], actions[h][a]] = plain.demonstrator[h, s, a]
        table[h, names[h][s], actions[h][a]] = 0.0
        table[h, names[h][s], actions[h][a], to[:S]] = dense[h % len(dense), s, a]
    return plain, Instance("disguised", process(table, initial, H), pi_beta)


@given(disguised(), st.integers(1, 12), estimators(), GAMMAS)
def test_narrow_coverage_does_not_depend_on_the_order_of_states_or_on_unreachable_ones(drawn, n_demos, rule, gamma):
    one, other = (narrow_coverage_probability(x.mdp, x.demonstrator, n_demos, rule, gamma) for x in drawn)
    assert_allclose(one, other, **EXACT)


@given(
    st.one_of(instances(max_states=2, max_actions=4), st.just(chain_lock(4, 3, 0.8, slip=0.1))),
    st.integers(1, 15), estimators(), GAMMAS,
)  # fmt: skip
def test_narrow_coverage_is_at_least_the_certified_and_at_most_that_of_each_cell(instance, n_demos, rule, gamma):
    mdp, pi_beta = instance.mdp, instance.demonstrator
    found = narrow_coverage_probability(mdp, pi_beta, n_demos, rule, gamma)
    cells = [
        cell_coverage_probability(n_demos, min(1.0, w), row, rule, gamma)
        for w, row in zip(instance.occupancy.sum(axis=2).ravel(), pi_beta.reshape(-1, mdp.n_actions), strict=True)
        if w > 0
    ]
    assert certified_coverage_probability(mdp, pi_beta, n_demos, rule, gamma) - 1e-12 <= found <= min(cells) + 1e-12


@given(st.integers(1, 15), estimators(), GAMMAS, GAMMAS)
def test_narrow_coverage_probability_does_not_grow_with_gamma(n_demos, rule, one, other):
    narrow = NarrowProcess.of(MIXING.mdp, MIXING.demonstrator, n_demos)
    easy, hard = (narrow.coverage_probability(rule, gamma) for gamma in sorted((one, other)))
    assert hard <= easy + 1e-12


ROWS = np.array([[[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]], [[0.5, 0.5, 0.0], [0.8, 0.1, 0.1]], [[1, 0, 0], [0.4, 0.3, 0.3]]])


@pytest.mark.compiled
@pytest.mark.parametrize("n_demos", [40, 600, MAX_DEMOS])
def test_narrow_coverage_equals_unmixed_coverage_where_states_never_mix(n_demos):
    mdp = process(np.eye(2)[:, None].repeat(3, axis=1), [0.3, 0.7], 3)
    for rule, gamma in ((posterior(3.0), 0.5), (uniform_noise(0.1), 0.8)):
        found = narrow_coverage_probability(mdp, ROWS, n_demos, rule, gamma)
        assert_allclose(found, unmixed_coverage_probability(mdp, ROWS, n_demos, rule, gamma), **EXACT)


@pytest.mark.compiled
@pytest.mark.parametrize("n_demos", [40, 600])
def test_coverages_of_steps_that_forget_the_past_multiply(n_demos):
    """Where the next state depends on nothing, the steps are independent, and each is a process that never mixes."""
    starts = np.array([[0.3, 0.7], [0.15, 0.85], [0.98, 0.02]])
    forgetful = np.broadcast_to(np.roll(starts, -1, axis=0)[:, None, None], (3, 2, 3, 2))
    mdp = process(forgetful, starts[0], 3)
    for rule, gamma in ((posterior(3.0), 0.5), (uniform_noise(0.1), 0.8)):
        truth = np.prod(
            [
                unmixed_coverage_probability(process(forgetful[:1], start, 1), row[None], n_demos, rule, gamma)
                for start, row in zip(starts, ROWS, strict=True)
            ]
        )
        assert 0.01 < truth < 0.99
        assert_allclose(narrow_coverage_probability(mdp, ROWS, n_demos, rule, gamma), truth, **EXACT)


@pytest.mark.compiled
def test_a_lock_is_covered_as_often_as_in_sampled_data(rng):
    """False alarm 1e-6 an interval; narrow enough to tell the truth from the certificate."""
    lock, rule, R = chain_lock(20, 4, 0.9, slip=0.05), uniform_noise(0.1), 20_000
    mdp, pi_beta = lock.mdp, lock.demonstrator
    sampled = np.array(
        [family_coverages(sample_counts(mdp, pi_beta, 100, rng), pi_beta, lock.reachable, [rule])[0] for _ in range(R)]
    )
    for gamma in (0.55, 0.65):
        seen = clopper_pearson(int((sampled >= gamma).sum()), R, 1 - 1e-6)
        assert seen.low <= narrow_coverage_probability(mdp, pi_beta, 100, rule, gamma) <= seen.high
        assert certified_coverage_probability(mdp, pi_beta, 100, rule, gamma) < seen.low


@given(st.integers(0, 60), st.floats(0, 1), st.floats(0, 7))
@example(0, 0.5, np.pi)
@example(45, 1.0, 1.0)
def test_powers_in_the_kernel_are_those_of_python(first, q, angle):
    base, out = 1 - q + q * np.exp(1j * angle), np.empty((9, 2))
    laws_of_counts._powers(base, first, out)
    assert_allclose(out @ [1, 1j], [complex(base) ** (first + i) for i in range(9)], rtol=0, atol=1e-13)


# --- what is narrow ---------------------------------------------------------------------------------------------------

LOCK = chain_lock(3, 2, 0.5)
SEA = deep_sea(4, 0.9)
BUSY = Instance(
    "busy", process([[[0.125 * a, 1 - 0.125 * a] for a in range(1, 8)]] * 2, [1, 0], 9), np.full((9, 2, 7), 1 / 7)
)


def test_a_process_is_narrow_with_two_states_a_step_and_a_limited_amount_of_work():
    assert NarrowProcess.of(SEA.mdp, SEA.demonstrator, 5) is None  # four columns
    straight = np.zeros((4, 4, 2))
    straight[..., 1] = 1.0
    assert NarrowProcess.of(SEA.mdp, straight, 5) is not None  # one column a step
    assert NarrowProcess.of(LOCK.mdp, LOCK.demonstrator, MAX_DEMOS + 1) is None
    few = NarrowProcess.of(BUSY.mdp, BUSY.demonstrator, 20)
    assert few.work <= MAX_WORK
    assert NarrowProcess.of(BUSY.mdp, BUSY.demonstrator, 1000) is None


RULE = posterior(2.0)
MESSAGE = "mdp must have at most 2 reachable states per step under the demonstrator, for n_demos at most 10000 and 2e+09 multiplications"
REFUSED = [
    (SEA, 5, RULE, 0.5, ValueError, MESSAGE),
    (LOCK, MAX_DEMOS + 1, RULE, 0.5, ValueError, MESSAGE),
    (BUSY, 1000, RULE, 0.5, ValueError, MESSAGE),
    (LOCK, 0, RULE, 0.5, ValueError, "n_demos must be at least 1; got 0"),
    (LOCK, 5, RULE, 0.0, ValueError, "gamma must be above 0.0; got 0.0"),
    (LOCK, 5, RULE, 2, ValueError, "gamma must be at most 1.0; got 2.0"),
    (LOCK, 5, 0.5, 0.5, TypeError, "estimator must be a MixtureEstimator, because only that family has a closed form; got float"),
]  # fmt: skip


@pytest.mark.parametrize(("instance", "n_demos", "rule", "gamma", "error", "message"), REFUSED)
def test_narrow_coverage_probability_refuses_bad_arguments(instance, n_demos, rule, gamma, error, message):
    with pytest.raises(error, match=re.escape(message)):
        narrow_coverage_probability(instance.mdp, instance.demonstrator, n_demos, rule, gamma)


def test_a_demonstrator_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=re.escape("demonstrator must have shape (3, 2, 2); got (2, 2)")):
        NarrowProcess.of(LOCK.mdp, LOCK.demonstrator[0], 5)
