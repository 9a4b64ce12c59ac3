"""Who wins what: paired differences between families of pretrained policies, seed by seed.

A family is a curve of policies, by strength of its noise: BC alone, sigma-BC, PostBC. Three kinds of comparison:

- best against best: of a family the strength with the most success after finetuning;
- at equal pretrained success: PostBC at each alpha against the best finetuned success that sigma-BC, BC among it, has
  at this pretrained success or a higher one, between its grid's points too; that best is of the same seeds, chance
  included, which favours sigma-BC;
- at equal noise: against sigma-BC at the root mean square that PostBC added, between its grid's points.

Wherever else one strength stands for a family, it was chosen for each seed on the other half of the seeds.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from figures._artifacts import Arrays
from theory.claims import Interval
from theory.paired import bootstrap_t_interval, holm
from theory.probability import paired_p_value

FloatArray = NDArray[np.float64]

COMPARISONS = {
    "pretrained, PostBC - BC": "E1",
    "finetuned, PostBC - BC": "E2",
    "finetuned, PostBC - sigma-BC": "E2",
    "finetuned at equal pretrained success, PostBC - sigma-BC": "E2",
    "pretrained at equal noise, PostBC - sigma-BC": "E0",
    "finetuned at equal noise, PostBC - sigma-BC": "E2",
}
"""What is compared, and which claim of the paper that is about (E0: none)."""

ALL_AT_ONCE = 0.05
"""Probability that any of a figure's intervals for claims misses."""


def chosen_elsewhere(scores: FloatArray) -> NDArray[np.int64]:
    """Row of the best mean over the other half of the seeds (even or odd), for each seed, (R,).

    Parameters
    ----------
    scores : ndarray, (S, R)
        Of S strengths; R >= 2.
    """
    even = np.arange(scores.shape[1]) % 2 == 0
    by_odd, by_even = (int(scores[:, half].mean(axis=1).argmax()) for half in (~even, even))
    return np.array([by_odd if one else by_even for one in even], np.int64)


def against_frontier(x: FloatArray, y: FloatArray, others_x: FloatArray, others_y: FloatArray) -> FloatArray:
    """Differences in y from the best of the others with at least as much x, seed by seed, (R,).

    The best is looked for on the means over seeds: among the others' points with as much x or more, and between two
    neighbours where x is equal. There, to first order, each seed's difference also bears what its x says of the place
    that was matched, so their spread is that of the whole comparison. Where none has as much x, the one with most is
    taken.

    Parameters
    ----------
    x, y : ndarray, (R,)
        Of one policy, by seed.
    others_x, others_y : ndarray, (S, R)
        Of the others, in the order of their strength.
    """
    X, Y, here = others_x.mean(axis=1), others_y.mean(axis=1), x.mean()
    best = -np.inf
    found: FloatArray = y - others_y[int(X.argmax())]
    for i, (reached, score) in enumerate(zip(X.tolist(), Y.tolist(), strict=True)):
        if reached >= here and score > best:
            best, found = score, y - others_y[i]
    for i in range(len(X) - 1):
        if min(X[i], X[i + 1]) < here < max(X[i], X[i + 1]):
            incline = (Y[i + 1] - Y[i]) / (X[i + 1] - X[i])
            share = (here - X[i]) / (X[i + 1] - X[i])
            if Y[i] + incline * (here - X[i]) > best:
                other_x, other_y = (o[i] + share * (o[i + 1] - o[i]) for o in (others_x, others_y))
                best, found = float(Y[i] + incline * (here - X[i])), y - other_y - incline * (x - other_x)
    return found


def at_equal_noise(
    noise: FloatArray, y: FloatArray, others_noise: FloatArray, others_y: FloatArray
) -> FloatArray | None:
    """Differences in y from the others at the same noise, seed by seed, (R,); None where a seed's is beyond theirs.

    Parameters
    ----------
    noise, y : ndarray, (R,)
    others_noise, others_y : ndarray, (S, R)
        Increasing in noise.
    """
    if (noise > others_noise[-1]).any() or (noise < others_noise[0]).any():
        return None
    there = [np.interp(noise[r], others_noise[:, r], others_y[:, r]) for r in range(len(y))]
    return np.asarray(y - np.array(there))


def by_strength(arrays: Arrays, at: tuple[int, int, int]) -> FloatArray:
    """Differences of PostBC from sigma-BC for each alpha, (3, A, R): the last three comparisons; NaN where none is.

    Parameters
    ----------
    arrays : dict
        As of `_continuous_finetuning.tensors`.
    at : tuple of int
        Task, number of demonstrations, learner.
    """
    pre, fine, noise = (arrays[name][at] for name in ("pretrained", "finetuned", "noise"))
    ours = np.flatnonzero(arrays["families"] == "PostBC")
    others = np.flatnonzero(arrays["families"] != "PostBC")
    found = np.full((3, ours.size, pre.shape[1]), np.nan)
    for k, i in enumerate(ours):
        for j, one in enumerate(
            (
                against_frontier(pre[i], fine[i], pre[others], fine[others]),
                at_equal_noise(noise[i], pre[i], noise[others], pre[others]),
                at_equal_noise(noise[i], fine[i], noise[others], fine[others]),
            )
        ):
            if one is not None:
                found[j, k] = one
    return found


def differences(arrays: Arrays, at: tuple[int, int, int]) -> FloatArray:
    """All `COMPARISONS`, seed by seed, (6, R), at the strengths chosen on the other half of the seeds.

    The last three are NaN throughout where a chosen alpha cannot be matched. Arguments as `by_strength`.
    """
    pre, fine = arrays["pretrained"][at], arrays["finetuned"][at]
    seeds = np.arange(pre.shape[1])
    bc, sigma, ours = (np.flatnonzero(arrays["families"] == name) for name in ("BC", "sigma-BC", "PostBC"))
    pick = chosen_elsewhere(fine[ours])
    best, rival = ours[pick], sigma[chosen_elsewhere(fine[sigma])]
    matched = by_strength(arrays, at)[:, pick, seeds]
    matched[np.isnan(matched).any(axis=1)] = np.nan
    return np.stack(
        [
            pre[best, seeds] - pre[bc[0]],
            fine[best, seeds] - fine[bc[0]],
            fine[best, seeds] - fine[rival, seeds],
            *matched,
        ]
    )


def judged(found: FloatArray, rng: np.random.Generator, bounds: ArrayLike = 0.0) -> Arrays:
    """Means, intervals and p-values of differences, each over the last axis.

    Parameters
    ----------
    found : ndarray, (..., R)
        NaN throughout a row where there is no comparison.
    rng : numpy.random.Generator
    bounds : array_like, optional
        What the p-values test each mean against, of a shape that broadcasts to (...).

    Returns
    -------
    dict of ndarray, (...)
        `mean`; `low` and `high`, 95 % by the studentised bootstrap; `wide_low` and `wide_high`, the same where all of
        them hold together with probability 1 - `ALL_AT_ONCE`; `p`, by flipped signs about the bound, and `holm`,
        adjusted for all.
    """
    flat = found.reshape(-1, found.shape[-1])
    beyond = flat - np.broadcast_to(np.asarray(bounds, np.float64), found.shape[:-1]).reshape(-1, 1)
    there = ~np.isnan(flat[:, 0])
    level = 1 - ALL_AT_ONCE / max(1, int(there.sum()))

    def each(work: Callable[[FloatArray], tuple[float, ...]], rows: FloatArray, width: int) -> FloatArray:
        return np.array([work(row) if ok else (np.nan,) * width for row, ok in zip(rows, there, strict=True)])

    def ends(confidence: float) -> Callable[[FloatArray], tuple[float, ...]]:
        def interval(row: FloatArray) -> tuple[float, ...]:
            one: Interval = bootstrap_t_interval(row, rng, confidence)
            return one.low, one.high

        return interval

    narrow, wide = each(ends(0.95), flat, 2), each(ends(level), flat, 2)
    p = each(lambda row: (paired_p_value(row, rng, 99_999),), beyond, 1)[:, 0]
    adjusted = np.full(p.shape, np.nan)
    adjusted[there] = holm(p[there])
    columns = {
        "mean": flat.mean(axis=1),
        "low": narrow[:, 0],
        "high": narrow[:, 1],
        "wide_low": wide[:, 0],
        "wide_high": wide[:, 1],
        "p": p,
        "holm": adjusted,
    }
    return {name: column.reshape(found.shape[:-1]) for name, column in columns.items()}
