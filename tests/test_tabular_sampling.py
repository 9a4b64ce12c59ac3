"""Demonstrations and counts are drawn from the law that they should have.

Every statistical test is made once, with a fixed seed, at a level that the p-values of the test share (Bonferroni): a
correct sampler fails a test with probability of about 1e-6. The tests have power: two samples of 4000 whose means differ
by 0.2 standard deviations of one draw are told apart with probability above 0.99 (8.9 standard errors against a threshold
of about 5.9), and the same tests reject each of the broken samplers at the end, with far fewer draws.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numba
import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tabular.demonstrations import sample_counts, sample_demonstrations
from tabular.dp import occupancy
from tabular.instances import funnel
from tabular.kernels import sampling
from tabular.mdp import FiniteHorizonMDP
from tabular.strategies import instances

LEVEL = 1e-6

compiled = pytest.mark.compiled


def python_kernels(*changes):
    """The sampling kernels as plain Python, with some lines changed."""
    source = Path(sampling.__file__).read_text(encoding="utf-8")
    for old, new in (("from numba import njit", "njit = lambda **_: lambda function: function"), *changes):
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    namespace = {"__name__": "changed_kernels"}
    exec(compile(source, "changed_kernels", "exec"), namespace)
    return SimpleNamespace(**namespace)


# --- p-values ---------------------------------------------------------------------------------------------------------


def pooled(sizes, least):
    """Group of each outcome, rare ones together, so that every group adds up to at least that much."""
    group, label, filled = np.zeros(sizes.size, np.int64), 0, 0.0
    for place in np.argsort(sizes, kind="stable"):
        if filled >= least:
            label, filled = label + 1, 0.0
        group[place] = label
        filled += sizes[place]
    return np.minimum(group, max(0, label - (filled < least)))


def fit(observed, expected):
    """Chi-squared test of frequencies against expected ones."""
    if observed[expected == 0].any():
        return 0.0
    group = pooled(expected, 10)
    seen, wanted = np.bincount(group, observed), np.bincount(group, expected)
    return stats.chi2.sf(((seen - wanted) ** 2 / wanted).sum(), wanted.size - 1) if wanted.size > 1 else 1.0


def binomial_fit(draws, n, p):
    """The same against Bin(n, p)."""
    low, high = draws.min(), draws.max()
    inside = np.arange(low, high + 1)
    expected = [stats.binom.cdf(low - 1, n, p), *stats.binom.pmf(inside, n, p), stats.binom.sf(high, n, p)]
    observed = [0, *np.bincount(draws - low, minlength=inside.size), 0]
    return fit(np.array(observed, float), draws.size * np.array(expected))


def total_fit(total, n, p):
    """Two-sided exact test of one draw of Bin(n, p)."""
    return min(1.0, 2 * min(stats.binom.cdf(total, n, p), stats.binom.sf(total - 1, n, p)))


def same_frequencies(x, y):
    """Chi-squared test of two samples of integers."""
    values, place = np.unique(np.concatenate([x, y]), return_inverse=True)
    table = np.stack([np.bincount(part, minlength=values.size) for part in (place[: x.size], place[x.size :])])
    group = pooled(table.sum(axis=0), 20)
    merged = np.stack([np.bincount(group, row) for row in table])
    return stats.chi2_contingency(merged, correction=False).pvalue if merged.shape[1] > 1 else 1.0


def same_mean(x, y):
    """Welch's test with the normal law; samples are large."""
    spread = np.sqrt(x.var(ddof=1) / x.size + y.var(ddof=1) / y.size)
    return 2 * stats.norm.sf(abs(x.mean() - y.mean()) / spread) if spread > 0 else float(x.mean() == y.mean())


def same_distribution(x, y):
    """Kolmogorov-Smirnov, conservative for integers."""
    return stats.ks_2samp(x, y, method="asymp").pvalue


# --- binomial draws ---------------------------------------------------------------------------------------------------


@numba.njit
def fill_binomial(rng, n, p, out):
    for i in range(out.size):
        out[i] = sampling.binomial(rng, n, p)
    return out


def binomials(rng, n, p, size):
    return fill_binomial(rng, n, p, np.empty(size, np.int64))


@compiled
def test_binomial_draws_of_up_to_106_trials_follow_the_law(rng):
    chances = [0.5, 0.03, 1 / 3, 0.7, 0.999]
    p_values = [binomial_fit(binomials(rng, n, p, 4000), n, p) for n in range(1, 107) for p in chances]
    assert min(p_values) > LEVEL / len(p_values)


@compiled
def test_sums_of_binomial_draws_are_binomial_for_extreme_chances(rng):
    chances = [1e-12, 1e-9, 1e-6, 1e-3, 0.5, 1 - 1e-3, 1 - 1e-6, 1 - 1e-12]
    p_values = []
    for n in (1, 2, 3, 52, 53, 54, 105, 106):
        for p in chances:
            missed = int((n - binomials(rng, n, p, 200_000)).sum())
            p_values.append(total_fit(missed, 200_000 * n, 1 - p))
    assert min(p_values) > LEVEL / len(p_values)


@compiled
def test_binomial_draws_of_many_trials_follow_the_law(rng):
    p_values = []
    for n in (107, 1000, 10**6, 10**9, 10**12):
        for p in (1e-12, 1e-9, 1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6, 1 - 1e-9, 1 - 1e-12):
            draws = binomials(rng, n, p, 20_000)
            if p > 0.5:  # 1 - p is exact there
                draws, p = n - draws, 1 - p
            mean, variance = n * p, n * p * (1 - p)
            if mean < 1e4:
                p_values.append(binomial_fit(draws, n, p))
            else:
                p_values.append(stats.kstest(draws, stats.binom(n, p).cdf).pvalue)
                p_values.append(2 * stats.norm.sf(abs(draws.mean() - mean) / np.sqrt(variance / draws.size)))
                ratio = ((draws - mean) ** 2).sum() / variance
                p_values.append(2 * min(stats.chi2.sf(ratio, draws.size), stats.chi2.cdf(ratio, draws.size)))
    assert min(p_values) > LEVEL / len(p_values)


@given(st.integers(0, 2000), st.floats(0, 1), st.integers(0, 2**32))
def test_a_binomial_draw_lies_between_none_and_all(n, p, seed):
    assert 0 <= sampling.binomial(np.random.default_rng(seed), n, p) <= n


@given(st.integers(0, 10**12), st.sampled_from([0.0, 1.0]))
def test_impossible_and_certain_trials_take_no_randomness(n, p):
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert sampling.binomial(rng, n, p) == n * int(p)
    assert rng.bit_generator.state == before


@given(st.integers(0, 2**53 - 1))
def test_ones_counts_the_set_bits_of_a_word(word):
    assert sampling._ones(np.int64(word)) == word.bit_count()


def test_few_binomial_draws_have_about_the_mean_n_p(rng):
    for n, p in [(1, 0.3), (53, 0.5), (60, 0.01), (106, 0.9), (107, 0.2), (5000, 0.75)]:
        total = sum(int(sampling.binomial(rng, n, p)) for _ in range(300))
        assert total_fit(total, 300 * n, p) > LEVEL / 6


# --- one row ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40).filter(any), st.floats(0, 1, exclude_max=True))
def test_inversion_by_the_tail_sums_gives_the_last_outcome_whose_tail_is_above_u(weights, u):
    tail = np.cumsum(np.array(weights[::-1], float))[::-1].copy()
    u *= tail[0]
    found = sampling._last_above(tail, u)
    assert found == max(d for d in range(tail.size) if tail[d] > u)
    assert weights[found] > 0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40).filter(any), st.integers(0, 400), st.integers(0, 2**32))
def test_a_multinomial_split_gives_every_draw_to_a_possible_outcome(weights, n, seed):
    row = np.array(weights) / sum(weights)
    out = np.full(row.size, -1, np.int64)
    sampling._split(np.random.default_rng(seed), n, row, np.empty(row.size), out)
    assert out.sum() == n
    assert (out >= 0).all()
    assert not out[row == 0].any()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20).filter(any), st.integers(0, 2**32))
def test_a_single_draw_is_never_an_outcome_of_probability_0(weights, seed):
    row = np.array(weights) / sum(weights)
    assert row[sampling._draw(np.random.default_rng(seed), row)] > 0


class Uniform:
    """In place of a generator: always the same uniform number."""

    def __init__(self, u):
        self.u = u

    def random(self):
        return self.u


def test_a_row_that_sums_to_slightly_less_than_one_still_gives_its_last_possible_outcome():
    plain = sampling if numba.config.DISABLE_JIT else python_kernels()
    short = np.array([0.25, 0.5, 0.25 - 1e-12, 0.0])
    assert plain._draw(Uniform(1 - 2**-53), short) == 2
    assert [plain._draw(Uniform(u), short) for u in (0.0, 0.25, 0.7499, 0.75)] == [0, 1, 1, 2]


# --- compiled and plain kernels draw the same -------------------------------------------------------------------------


def counts_by(kernels, mdp, policy, n_demos, rng):
    out = np.zeros(mdp.policy_shape, np.int64)
    kernels.sample_counts(*mdp.table, mdp.initial, policy, n_demos, rng, out)
    return out


@compiled
@given(instances(), st.integers(1, 1000), st.integers(0, 2**32))
def test_compiled_and_plain_kernels_draw_the_same_counts_from_the_same_seed(instance, n_demos, seed):
    one, other = np.random.default_rng(seed), np.random.default_rng(seed)
    found = counts_by(sampling, instance.mdp, instance.demonstrator, n_demos, one)
    assert np.array_equal(found, counts_by(python_kernels(), instance.mdp, instance.demonstrator, n_demos, other))
    assert one.bit_generator.state == other.bit_generator.state


# --- counts against rollouts ------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A process, and a number of demonstrations that leads through certain branches of the sampler."""

    name: str
    mdp: FiniteHorizonMDP
    policy: np.ndarray
    n_demos: int
    n_replicates: int


def case(name, horizon, n_states, n_actions, n_demos, n_replicates, width=None, start=None, seed=0):
    """A random process, step-dependent; `width` successors in lists, or a dense table."""
    rng = np.random.default_rng(seed)
    D = width or n_states
    probabilities = rng.dirichlet(np.full(D, 0.7), (horizon, n_states, n_actions))
    probabilities[probabilities < 0.02 / D] = 0.0  # some outcomes are impossible
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    initial = rng.dirichlet(np.ones(n_states)) if start is None else np.eye(n_states)[start]
    reward = np.zeros((1, n_states, n_actions))
    if width is None:
        mdp = FiniteHorizonMDP.from_dense(probabilities, reward, initial, horizon)
    else:
        successors = rng.integers(0, n_states, probabilities.shape)
        mdp = FiniteHorizonMDP(successors, probabilities, reward, initial, horizon)
    policy = rng.dirichlet(np.full(n_actions, 0.8), mdp.policy_shape[:2])
    return Case(name, mdp, policy, n_demos, n_replicates)


CASES = [
    case("few trajectories in every state", 3, 3, 2, 4, 16000),
    case("few draws from short rows", 3, 12, 2, 50, 8000, start=0),
    case("few draws from long rows", 3, 40, 2, 60, 8000, start=0),
    case("binomials by bits", 3, 3, 3, 80, 8000),
    case("binomials by bits, in lists", 4, 6, 2, 90, 8000, width=3),
    case("binomials by numpy", 3, 3, 2, 3000, 3000),
    case("binomials along long rows", 2, 40, 3, 2000, 3000, width=30),
]


def by_counts(drawn, size, rng):
    return np.stack([sample_counts(drawn.mdp, drawn.policy, drawn.n_demos, rng).counts for _ in range(size)])


def by_rollouts(drawn, size, rng):
    return np.stack(
        [sample_demonstrations(drawn.mdp, drawn.policy, drawn.n_demos, rng).counts().counts for _ in range(size)]
    )


def likely_cells(drawn):
    """In each step the likeliest (s, a), and the likeliest state."""
    w = occupancy(drawn.mdp, drawn.policy)
    return [np.unravel_index(step.argmax(), step.shape) for step in w], w.sum(axis=2).argmax(axis=1)


def two_sample_tests(drawn, x, y):
    """p-values for equality in law of two samples of counts (R, H, S, A)."""
    cells, states = likely_cells(drawn)
    H = drawn.mdp.horizon
    weights = np.random.default_rng(1).integers(-3, 4, drawn.mdp.policy_shape)

    def cell(z, h):
        return z[:, h, *cells[h]]

    def visits(z, h):
        return z[:, h, states[h]].sum(axis=1)

    mean = [z.mean(axis=0) for z in (x, y)]
    products = [(h, g) for h in range(H) for g in range(h, H)]
    return (
        [same_frequencies(cell(x, h), cell(y, h)) for h in range(H)]
        + [same_frequencies(visits(x, h), visits(y, h)) for h in range(H)]
        + [same_mean(cell(x, h) * cell(x, g), cell(y, h) * cell(y, g)) for h, g in products]
        + [same_mean(visits(x, h) * cell(x, g), visits(y, h) * cell(y, g)) for h, g in products]
        + [same_mean(np.prod([cell(x, h) for h in range(H)], axis=0), np.prod([cell(y, h) for h in range(H)], axis=0))]
        + [same_distribution(*((z * weights).sum(axis=(1, 2, 3)) for z in (x, y)))]
        + [same_distribution(*((z * weights)[:, h].sum(axis=(1, 2)) for z in (x, y))) for h in range(H)]
        + [same_mean(*(((z - mean[1]) * weights).sum(axis=(1, 2, 3)) ** 2 for z in (x, y)))]
        + [same_frequencies((x[:, 0, 0] * x[:, -1, 0]).sum(axis=1), (y[:, 0, 0] * y[:, -1, 0]).sum(axis=1))]
    )


def exact_tests(drawn, x):
    """p-values for T_h(s, a) ~ Bin(T, w_h(s, a)), the likeliest cell of each step and the rarest possible one."""
    w = occupancy(drawn.mdp, drawn.policy)
    p_values = []
    for h, step in enumerate(w):
        for place in (step.argmax(), np.where(step > 0, step, 2.0).argmin()):
            s, a = np.unravel_index(place, step.shape)
            p_values.append(binomial_fit(x[:, h, s, a], drawn.n_demos, min(1.0, step[s, a])))
    return p_values


@compiled
def test_counts_without_rollouts_have_the_law_of_counts_of_rollouts():
    rng = np.random.default_rng(2)
    p_values = []
    for drawn in CASES:
        x, y = by_counts(drawn, drawn.n_replicates, rng), by_rollouts(drawn, drawn.n_replicates, rng)
        p_values += two_sample_tests(drawn, x, y)
    assert len(p_values) >= 100
    assert min(p_values) > LEVEL / len(p_values)


@compiled
@pytest.mark.parametrize("sampler", [by_counts, by_rollouts])
def test_the_count_of_each_cell_is_binomial_in_its_occupancy(sampler):
    rng = np.random.default_rng(3)
    p_values = [p for drawn in CASES for p in exact_tests(drawn, sampler(drawn, drawn.n_replicates // 2, rng))]
    assert min(p_values) > LEVEL / len(p_values)


def fork(n_demos):
    """Two steps: the first action decides the second state. Few enough tables of counts to list them all."""
    mdp = FiniteHorizonMDP([[[[0], [1]], [[1], [0]]]], np.ones((1, 2, 2, 1)), np.zeros((1, 2, 2)), [1.0, 0.0], 2)
    policy = np.array([[[0.375, 0.625], [0.5, 0.5]], [[0.25, 0.75], [0.5, 0.5]]])
    return Case("fork", mdp, policy, n_demos, 20_000)


def corners(n_demos):
    """Random starts and moves: every pair of steps is possible."""
    mdp = FiniteHorizonMDP.from_dense(
        [[[0.25, 0.75], [0.5, 0.5]], [[0.875, 0.125], [0.0, 1.0]]], np.zeros((2, 2)), [0.375, 0.625], 2
    )
    return Case("corners", mdp, np.full((2, 2, 2), 0.5), n_demos, 20_000)


@compiled
@pytest.mark.parametrize("drawn", [fork(2), fork(5), fork(14), fork(24), corners(1), corners(3), corners(5)])
@pytest.mark.parametrize("sampler", [by_counts, by_rollouts])
def test_the_joint_law_of_all_counts_is_that_of_the_enumeration(drawn, sampler):
    law = oracles.law_of_counts(oracles.process_of(drawn.mdp), oracles.exact(drawn.policy.tolist()), drawn.n_demos)
    number = {np.array(table, np.int64).tobytes(): i for i, table in enumerate(law)}
    x = sampler(drawn, drawn.n_replicates, np.random.default_rng(4))
    observed = np.bincount([number[table.tobytes()] for table in x], minlength=len(law))
    expected = drawn.n_replicates * np.array([float(p) for p in law.values()])
    assert fit(observed.astype(float), expected) > LEVEL / 14


@pytest.mark.parametrize("instance", [funnel(6, 30, 3), funnel(4, 5, 2, detour=1e-9)], ids=["funnel", "rare detour"])
def test_counts_of_a_trillion_demonstrations_are_close_to_their_expectation(instance, rng):
    T = 10**12
    counts = sample_counts(instance.mdp, instance.demonstrator, T, rng).counts
    w = np.minimum(1.0, instance.occupancy)
    p_values = [total_fit(int(n), T, p) for n, p in zip(counts.ravel(), w.ravel(), strict=True)]
    assert min(p_values) > LEVEL / len(p_values)
    assert (counts.sum(axis=(1, 2)) == T).all()


def test_counts_of_each_step_add_up_to_the_number_of_demonstrations_on_long_rows(rng):
    drawn = CASES[2]
    for n_demos in (1, 5, 60, 500, 5000):
        counts = sample_counts(drawn.mdp, drawn.policy, n_demos, rng).counts
        assert (counts.sum(axis=(1, 2)) == n_demos).all()
        assert (occupancy(drawn.mdp, drawn.policy)[counts > 0] > 0).all()


# --- broken samplers are rejected -------------------------------------------------------------------------------------

BROKEN = {
    "p and 1 - p swapped in binomials": (
        3,
        ("    if n > _SMALL_BINOMIAL:", "    p = 1.0 - p\n    if n > _SMALL_BINOMIAL:"),
    ),
    "p and 1 - p swapped in numpy's binomials": (5, ("return rng.binomial(n, p)", "return rng.binomial(n, 1.0 - p)")),
    "comparisons decided by the wrong bit": (3, ("successes += _ones(undecided & ~word)", "successes += _ones(undecided & word)")),
    "bits used as if p were rounded down": (3, ("undecided != 0 and rest > 0.0", "undecided != 0 and rest > 0.3")),
    "counting shifted": (1, ("low += tail[d] > u", "low += tail[d] > 1.1 * u")),
    "bisection shifted": (2, ("        if tail[middle] > u:", "        if tail[middle] > 1.1 * u:")),
    "the first step's policy in every step": (
        0,
        (
            "for _ in range(n_here):\n                    a = _draw(rng, policy[h, s])",
            "for _ in range(n_here):\n                    a = _draw(rng, policy[0, s])",
        ),
    ),
    "next states that forget the action": (
        3,
        ("_split(rng, n, probabilities[k, s, a], tail[:D], split[:D])", "_split(rng, n, probabilities[k, s, 0], tail[:D], split[:D])"),
    ),
    "stationary dynamics": (3, ("        k = h if K > 1 else 0\n        n_arrived = 0", "        k = 0\n        n_arrived = 0")),
    "arrivals counted once": (4, ("n_in_next[t] += split[d]", "n_in_next[t] = split[d]")),
    "next states of another action": (0, ("out[h, s, a] += 1\n                    if h + 1 < H:\n                        d = _draw(rng, probabilities[k, s, a])", "out[h, s, a] += 1\n                    if h + 1 < H:\n                        d = _draw(rng, probabilities[k, s, 1 - a])")),
}  # fmt: skip


@compiled
@pytest.mark.parametrize(("where", "change"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_sampler_is_rejected_by_the_same_tests(where, change):
    drawn, rng = CASES[where], np.random.default_rng(5)
    broken, size = python_kernels(change), 400
    x = np.stack([counts_by(broken, drawn.mdp, drawn.policy, drawn.n_demos, rng) for _ in range(size)])
    p_values = two_sample_tests(drawn, x, by_rollouts(drawn, size, rng))
    assert min(p_values) < LEVEL / 200


@compiled
@pytest.mark.parametrize("drawn", CASES[:5], ids=lambda drawn: drawn.name)
def test_the_unbroken_sampler_in_plain_python_is_not_rejected(drawn):
    rng, plain, size = np.random.default_rng(6), python_kernels(), 400
    x = np.stack([counts_by(plain, drawn.mdp, drawn.policy, drawn.n_demos, rng) for _ in range(size)])
    p_values = two_sample_tests(drawn, x, by_rollouts(drawn, size, rng))
    assert min(p_values) > LEVEL / 200
