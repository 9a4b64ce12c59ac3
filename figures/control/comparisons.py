"""Who wins what: paired differences between families of pretrained policies, seed by seed.

A family is a curve of policies, by strength of its noise: BC alone, sigma-BC, PostBC. Three kinds of comparison:

- best against best: of a family the strength with the most success after finetuning;
- at equal pretrained success: PostBC at an alpha against the best finetuned success that sigma-BC, BC among it, has at
  this pretrained success or a higher one, between its grid's points too;
- at equal noise: against sigma-BC at the root mean square that PostBC added, between its grid's points; the mean over
  all alphas whose noise lies within sigma-BC's grid.

Wherever a strength or a place on a curve is picked, it was picked for each seed on the other half of the seeds.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from figures.running.artifacts import Arrays
from theory.claims import SIGNIFICANT, Claim, Interval
from theory.statistics.paired import bootstrap_t_interval, holm
from theory.statistics.probability import paired_p_value

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
    chosen = np.empty(scores.shape[1], np.int64)
    for own in halves(scores.shape[1]):
        chosen[own] = int(scores[:, ~own].mean(axis=1).argmax())
    return chosen


def halves(n_seeds: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Even and odd seeds, by their order."""
    even = np.arange(n_seeds) % 2 == 0
    return even, ~even


def against_frontier(x: FloatArray, y: FloatArray, others_x: FloatArray, others_y: FloatArray) -> FloatArray:
    """Differences in y from the best of the others with at least as much x, seed by seed, (R,).

    The best is looked for on the means over the other half of the seeds: among the others' points with as much x or
    more, and between two neighbours where x is equal. There, to first order, each seed's difference also bears what
    its x says of the place that was matched, so their spread is that of the whole comparison. Where none has as much
    x, the one with most is taken.

    Parameters
    ----------
    x, y : ndarray, (R,)
        Of one policy, by seed; R >= 2.
    others_x, others_y : ndarray, (S, R)
        Of the others, in the order of their strength.
    """
    found = np.empty(len(x))
    for own in halves(len(x)):
        i, share, incline = _place(x[~own].mean(), others_x[:, ~own].mean(axis=1), others_y[:, ~own].mean(axis=1))
        j = min(i + 1, len(others_x) - 1)
        other_x, other_y = ((1 - share) * o[i][own] + share * o[j][own] for o in (others_x, others_y))
        found[own] = y[own] - other_y - incline * (x[own] - other_x)
    return found


def _place(here: float, X: FloatArray, Y: FloatArray) -> tuple[int, float, float]:
    """Where on the line through points (X, Y), among all with X >= here, Y is largest.

    After which point, by which share of the way to the next, and the incline there if X equals `here`, else 0.
    """
    place, best = (int(X.argmax()), 0.0, 0.0), -np.inf
    for i in range(len(X)):
        if X[i] >= here and Y[i] > best:
            place, best = (i, 0.0, 0.0), float(Y[i])
    for i in range(len(X) - 1):
        if min(X[i], X[i + 1]) < here < max(X[i], X[i + 1]):
            incline = float((Y[i + 1] - Y[i]) / (X[i + 1] - X[i]))
            if Y[i] + incline * (here - X[i]) > best:
                best = float(Y[i] + incline * (here - X[i]))
                place = i, float((here - X[i]) / (X[i + 1] - X[i])), incline
    return place


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


def there(arrays: Arrays, at: tuple[int, int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Policies and seeds that a place of the grid has, by number.

    Parameters
    ----------
    arrays : dict
        As of `blocks.tensors`.
    at : tuple of int
        Task, number of demonstrations, learner.
    """
    known = ~np.isnan(arrays["finetuned"][at])
    return np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))


class _Place:
    """What a place of the grid has, without gaps."""

    def __init__(self, arrays: Arrays, at: tuple[int, int, int]) -> None:
        policies, seeds = there(arrays, at)
        self.pre, self.fine, self.noise = (
            arrays[name][at][np.ix_(policies, seeds)] for name in ("pretrained", "finetuned", "noise")
        )
        self.families = arrays["families"][policies]
        self.policies = policies

    def of(self, family: str) -> NDArray[np.int64]:
        """Rows of a family."""
        return np.flatnonzero(self.families == family)


def by_strength(arrays: Arrays, at: tuple[int, int, int]) -> FloatArray:
    """Differences of PostBC from sigma-BC, for each alpha of the whole grid, (3, A, R); NaN where none is.

    After finetuning at equal pretrained success; before it, and after it, at equal noise. Arguments as `there`.
    """
    place = _Place(arrays, at)
    all_alphas = np.flatnonzero(arrays["families"] == "PostBC")
    found = np.full((3, all_alphas.size, place.pre.shape[1]), np.nan)
    found[:, np.isin(all_alphas, place.policies)] = _by_strength(place)
    return found


def _by_strength(place: _Place) -> FloatArray:
    ours, others = place.of("PostBC"), np.flatnonzero(place.families != "PostBC")
    pre, fine, noise = place.pre, place.fine, place.noise
    found = np.full((3, ours.size, pre.shape[1]), np.nan)
    for k, i in enumerate(ours):
        found[0, k] = against_frontier(pre[i], fine[i], pre[others], fine[others])
        for j, y in ((1, pre), (2, fine)):
            one = at_equal_noise(noise[i], y[i], noise[others], y[others])
            if one is not None:
                found[j, k] = one
    return found


def differences(arrays: Arrays, at: tuple[int, int, int]) -> FloatArray:
    """All `COMPARISONS`, seed by seed, (6, R): the first four at strengths chosen on the other half of the seeds.

    The last two are NaN throughout where no alpha can be matched. Arguments as `there`.
    """
    place = _Place(arrays, at)
    pre, fine, seeds = place.pre, place.fine, np.arange(place.pre.shape[1])
    bc, sigma, ours = (place.of(name) for name in ("BC", "sigma-BC", "PostBC"))
    pick = chosen_elsewhere(fine[ours])
    best, rival = ours[pick], sigma[chosen_elsewhere(fine[sigma])]
    matched = _by_strength(place)
    known = ~np.isnan(matched[1]).any(axis=1)
    noise = matched[1:, known].mean(axis=1) if known.any() else np.full((2, seeds.size), np.nan)
    return np.stack(
        [
            pre[best, seeds] - pre[bc[0]],
            fine[best, seeds] - fine[bc[0]],
            fine[best, seeds] - fine[rival, seeds],
            matched[0, pick, seeds],
            *noise,
        ]
    )


def stacked(found: Sequence[FloatArray], shape: tuple[int, ...]) -> FloatArray:
    """Arrays (..., R) of different R as one of shape (*shape, ..., R), filled up with NaN."""
    most = max(one.shape[-1] for one in found)
    wide = np.full((len(found), *found[0].shape[:-1], most), np.nan)
    for i, one in enumerate(found):
        wide[i, ..., : one.shape[-1]] = one
    return wide.reshape(*shape, *wide.shape[1:])


def judged(found: FloatArray, rng: np.random.Generator, bounds: ArrayLike = 0.0) -> Arrays:
    """Means, intervals and p-values of differences, each over the last axis.

    Parameters
    ----------
    found : ndarray, (..., R)
        Behind the numbers of a row there may be NaN; NaN throughout where there is no comparison.
    rng : numpy.random.Generator
    bounds : array_like, optional
        What the p-values test each mean against, of a shape that broadcasts to (...).

    Returns
    -------
    dict of ndarray, (...)
        `mean`; `low` and `high`, 95 % by the studentised bootstrap; `wide_low` and `wide_high`, the same where all of
        them hold together with probability 1 - `ALL_AT_ONCE`; `p`, by flipped signs about the bound, and `holm`,
        adjusted for all; `n`, how many pairs.
    """
    shape = found.shape[:-1]
    flat = [row[~np.isnan(row)] for row in found.reshape(-1, found.shape[-1])]
    against = np.broadcast_to(np.asarray(bounds, np.float64), shape).reshape(-1)
    number = np.array([row.size for row in flat])
    known = number > 0
    level = 1 - ALL_AT_ONCE / max(1, int(known.sum()))
    columns = {name: np.full(number.size, np.nan) for name in ("mean", *JUDGED)}
    for i in np.flatnonzero(known):
        row = flat[i]
        columns["mean"][i] = row.mean()
        for name, confidence in (("", 0.95), ("wide_", level)):
            one: Interval = bootstrap_t_interval(row, rng, confidence)
            columns[f"{name}low"][i], columns[f"{name}high"][i] = one.low, one.high
        columns["p"][i] = paired_p_value(row - against[i], rng, 19_999)
    columns["holm"][known] = holm(columns["p"][known])
    return {name: column.reshape(shape) for name, column in columns.items()} | {"n": number.reshape(shape)}


JUDGED = ("low", "high", "wide_low", "wide_high", "p", "holm")


def judged_apart(found: FloatArray, rng: np.random.Generator, bounds: Sequence[float]) -> Arrays:
    """Judge each comparison by itself, (..., C, R): `judged` over all places of one comparison, C times, (..., C).

    So what is adjusted for is that one statement is tried on many tasks and learners.
    """
    each = [judged(found[..., c, :], rng, bound) for c, bound in enumerate(bounds)]
    return {name: np.stack([one[name] for one in each], axis=-1) for name in each[0]}


def claim(
    judgement: Arrays, at: tuple[int, ...], name: str, source: str, what: str, together: str, bound: float = 0.0
) -> Claim | None:
    """Claim that a mean difference of success is at least a bound; None where there is no comparison.

    Parameters
    ----------
    judgement : dict
        As of `judged_apart`.
    at : tuple of int
        Place in its arrays.
    name, source : str
        Id and source of the claim; blanks in the name become hyphens, and commas fall away.
    what, together : str
        What the difference is of, and which comparisons were adjusted for one another.
    bound : float, optional
    """
    low, high, mean, p = (float(judgement[key][at]) for key in ("wide_low", "wide_high", "mean", "holm"))
    if np.isnan(mean):
        return None
    return Claim(
        claim_id(name), source, ">=", Interval(low, high), bound, "sampled",
        f"{what}: mean {mean:+.3f} over {int(judgement['n'][at])} seeds; intervals by the studentised bootstrap of the "
        f"pairs, {together} together at {1 - ALL_AT_ONCE:g}; p = {p:.3g} by flipped signs, adjusted after Holm for as "
        f"many; decided only where p is at most {SIGNIFICANT:g}, too.",
        p,
    )  # fmt: skip


def claim_id(name: str) -> str:
    """Id of a claim from its name."""
    return name.replace(",", "").replace(" - ", " ").replace("= ", "").replace(" ", "-")


def parts(arrays: Arrays, prefix: str) -> Arrays:
    """Arrays whose names begin so, without that."""
    return {name.removeprefix(prefix): one for name, one in arrays.items() if name.startswith(prefix)}
