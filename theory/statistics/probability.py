"""Exact probabilities of counts, and intervals and p-values for sampled quantities.

Counts N ~ Mult(n, p) are independent Poisson variables conditioned on their sum, so with K_i ~ Poisson(n p_i)

    E[prod_i g_i(N_i)] = sum over k_1 + ... + k_I = n of prod_i g_i(k_i) P[K_i = k_i] / P[Poisson(n) = n],

which is one convolution (Levin 1981). Intervals hold their quantity with the stated confidence: exactly so for
`clopper_pearson` and `quantile_interval`, approximately for `mean_interval` and `bootstrap_interval`.

Letters: n = number of draws, I = number of outcomes, R = number of independent replicates.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from theory.base import validate
from theory.claims import Interval

FloatArray = NDArray[np.float64]


def multinomial_product_expectation(n: int, probabilities: ArrayLike, factors: ArrayLike) -> float:
    """E[prod_i g_i(N_i)] for counts N ~ Mult(n, p), exactly; with indicators as factors, Levin's box probability.

    Parameters
    ----------
    n : int
        Number of draws, at least 0.
    probabilities : array_like, (I,)
        Distribution p over the I outcomes.
    factors : array_like, (I, n+1)
        factors[i, k] = g_i(k), in [0, 1].

    Returns
    -------
    float
        In [0, 1]; absolute error below about 1e-15 sqrt(n) I. Time O(I n^2).

    References
    ----------
    Levin, A representation for multinomial cumulative distribution functions, Annals of Statistics 9 (1981).
    """
    n = validate.integer("n", n, at_least=0)
    p = validate.distribution("probabilities", probabilities, shape=(None,))
    g = validate.array("factors", factors, shape=(p.size, n + 1))
    outside = (g < 0) | (g > 1)
    if outside.any():
        where = validate.first_index(outside)
        raise ValueError(f"factors must lie in [0, 1]; entry {where} is {g[where].item()}")
    if n == 0:
        return float(np.prod(g[:, 0]))
    counts = np.arange(n + 1)
    weighted = stats.poisson.pmf(counts, n * p[:, None]) * g
    total = weighted[0]
    for row in weighted[1:]:
        total = np.convolve(total, row)[: n + 1]
    return min(1.0, float(total[n] / stats.poisson.pmf(n, n)))  # rounding may exceed 1


def multinomial_box_probability(n: int, probabilities: ArrayLike, at_least: ArrayLike) -> float:
    """P[N_i >= m_i for every i] for counts N ~ Mult(n, p).

    Parameters
    ----------
    n : int
        Number of draws, at least 0.
    probabilities : array_like, (I,)
    at_least : array_like of int, (I,)
        Thresholds m.
    """
    n = validate.integer("n", n, at_least=0)
    p = validate.distribution("probabilities", probabilities, shape=(None,))
    m = validate.integers("at_least", at_least, shape=p.shape)
    if int(m.sum()) > n:
        return 0.0
    return multinomial_product_expectation(n, p, (np.arange(n + 1) >= m[:, None]).astype(np.float64))


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Interval that holds a binomial probability with at least the stated confidence, whatever it is.

    Parameters
    ----------
    successes, trials : int
        0 <= successes <= trials, trials >= 1.
    confidence : float, optional
        In (0, 1).
    """
    trials = validate.integer("trials", trials, at_least=1)
    successes = validate.integer("successes", successes, at_least=0, at_most=trials)
    tail = (1 - validate.real("confidence", confidence, above=0.0, below=1.0)) / 2
    low = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(stats.beta.isf(tail, successes + 1, trials - successes))
    return Interval(low, high)


def mean_interval(sample: ArrayLike, confidence: float = 0.95) -> Interval:
    """Student's interval for a mean; approximate where the sample is far from normal.

    Parameters
    ----------
    sample : array_like, (R,)
        Independent replicates, R >= 2.
    confidence : float, optional
        In (0, 1).
    """
    x = validate.array("sample", sample, shape=(None,))
    confidence = validate.real("confidence", confidence, above=0.0, below=1.0)
    if x.size < 2:
        raise ValueError(f"sample must hold at least 2 replicates; got {x.size}")
    half = float(stats.t.isf((1 - confidence) / 2, x.size - 1)) * float(x.std(ddof=1)) / math.sqrt(x.size)
    centre = float(x.mean())
    return Interval(centre - half, centre + half)


def quantile_interval(sample: ArrayLike, probability: float, confidence: float = 0.95) -> Interval:
    """Distribution-free interval for a quantile, from two order statistics.

    Parameters
    ----------
    sample : array_like, (R,)
        Independent replicates, R >= 1.
    probability : float
        Which quantile, in (0, 1): the largest x with P[X >= x] >= 1 - probability lies in the interval.
    confidence : float, optional
        In (0, 1). Where the sample is too small for it, that end of the interval is infinite.

    References
    ----------
    David and Nagaraja, Order Statistics (2003), section 7.1.
    """
    x = np.sort(validate.array("sample", sample, shape=(None,)))
    q = validate.real("probability", probability, above=0.0, below=1.0)
    tail = (1 - validate.real("confidence", confidence, above=0.0, below=1.0)) / 2
    if x.size == 0:
        raise ValueError("sample must hold at least 1 replicate; got 0")
    # With B ~ Bin(R, q): P[x_(i) > quantile] <= P[B < i] and P[x_(j) < quantile] <= P[B >= j].
    below = int(stats.binom.ppf(tail, x.size, q))
    above = int(stats.binom.isf(tail, x.size, q)) + 1
    return Interval(
        float(x[below - 1]) if below >= 1 else -math.inf,
        float(x[above - 1]) if above <= x.size else math.inf,
    )


def bootstrap_interval(
    sample: ArrayLike, rng: np.random.Generator, confidence: float = 0.95, resamples: int = 1000
) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap interval for the mean over the first axis, entry by entry.

    Parameters
    ----------
    sample : array_like, (R, ...)
        Independent replicates, R >= 2.
    rng : numpy.random.Generator
    confidence : float, optional
        In (0, 1); approximate, somewhat less for few replicates.
    resamples : int, optional
        At least 1.

    Returns
    -------
    low, high : ndarray, (...)

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    x = validate.array("sample", sample)
    rng = validate.generator("rng", rng)
    confidence = validate.real("confidence", confidence, above=0.0, below=1.0)
    resamples = validate.integer("resamples", resamples, at_least=1)
    if x.ndim == 0 or x.shape[0] < 2:
        raise ValueError(f"sample must hold at least 2 replicates; got shape {x.shape}")
    interval = stats.bootstrap(
        (x,),
        np.mean,
        axis=0,
        n_resamples=resamples,
        batch=100,
        confidence_level=confidence,
        method="percentile",
        rng=rng,
    ).confidence_interval
    low, high = np.asarray(interval.low), np.asarray(interval.high)
    return np.minimum(low, high), np.maximum(low, high)  # rounding may swap ends that are equal


def paired_p_value(differences: ArrayLike, rng: np.random.Generator, permutations: int = 9999) -> float:
    """Two-sided p-value of a permutation test for a mean of zero, where either sign of each difference is as likely.

    Parameters
    ----------
    differences : array_like, (R,)
        First of each pair minus the second, R >= 2.
    rng : numpy.random.Generator
    permutations : int, optional
        Number of sign patterns drawn, at least 1. Where there are no more than that, each is tried once.

    Returns
    -------
    float
        In (0, 1]; never below about 1/permutations.

    References
    ----------
    Fisher, The Design of Experiments (1935), section 21.
    """
    x = validate.array("differences", differences, shape=(None,))
    rng = validate.generator("rng", rng)
    permutations = validate.integer("permutations", permutations, at_least=1)
    if x.size < 2:
        raise ValueError(f"differences must hold at least 2 pairs; got {x.size}")

    def rise(signed: FloatArray, axis: int = -1) -> FloatArray:
        """Sign of what turning some differences around adds to their sum, 0 for a tie."""
        turned = np.moveaxis(np.where(signed == x, 0.0, x), axis, -1)
        added = -turned.sum(axis=-1)
        signs = np.array(np.sign(added))
        for place in np.argwhere(np.abs(added) <= _TIE * np.abs(turned).sum(axis=-1)):
            signs[tuple(place)] = -_exact_sign(turned[tuple(place)])
        return signs

    test = stats.permutation_test(
        (x,), rise, permutation_type="samples", vectorized=True, n_resamples=permutations, rng=rng
    )
    return float(test.pvalue)


_TIE = 1e-14
"""Sums below this share of the sum of their absolute values are rounding: they count as 0."""


def _exact_sign(values: FloatArray) -> float:
    """Sign of a sum that is summed without rounding, 0 for a tie.

    Equal values of opposite signs cancel first. Otherwise two large ones that cancel would make the tolerance so wide
    that all smaller values counted as a tie.
    """
    net: dict[float, int] = {}
    for value in values.tolist():
        net[abs(value)] = net.get(abs(value), 0) + (1 if value > 0 else -1)
    left = [number * size for size, number in net.items() if size > 0.0 and number]
    total = math.fsum(left)
    return 0.0 if abs(total) <= _TIE * math.fsum(map(abs, left)) else math.copysign(1.0, total)
