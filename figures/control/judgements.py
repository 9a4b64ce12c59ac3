"""Means of paired differences, judged: intervals, p-values and claims, adjusted for all that are judged together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from figures.running.artifacts import Arrays
from theory.claims import SIGNIFICANT, Claim, Interval
from theory.statistics.paired import bootstrap_t_interval, holm
from theory.statistics.probability import paired_p_value

FloatArray = NDArray[np.float64]

ALL_AT_ONCE = 0.05
"""Probability that any of the intervals that are judged together misses its mean."""

COLUMNS = ("mean", "low", "high", "wide_low", "wide_high", "p", "holm")
"""Numbers of a judgement, in addition to `n`, the number of pairs."""


def stack_padded(differences: Sequence[FloatArray], shape: tuple[int, ...]) -> FloatArray:
    """Arrays (..., R) with different R as one array of shape (*shape, ..., largest R), filled up with NaN."""
    longest = max(rows.shape[-1] for rows in differences)
    padded = np.full((len(differences), *differences[0].shape[:-1], longest), np.nan)
    for i, rows in enumerate(differences):
        padded[i, ..., : rows.shape[-1]] = rows
    return padded.reshape(*shape, *padded.shape[1:])


def judge_together(differences: FloatArray, rng: np.random.Generator, bounds: ArrayLike = 0.0) -> Arrays:
    """Means, intervals and p-values of differences over the last axis, adjusted for all of them.

    Parameters
    ----------
    differences : ndarray, (..., R)
        A row may end in NaN; it is NaN throughout if there is no comparison.
    rng : numpy.random.Generator
    bounds : array_like, optional
        What the p-values test each mean against, of a shape that broadcasts to (...).

    Returns
    -------
    dict of ndarray, (...)
        `mean`; `low` and `high`, 95 % by the studentised bootstrap; `wide_low` and `wide_high`, the same at the level
        at which all hold together with probability 1 - `ALL_AT_ONCE`; `p`, by a sign-flip test about the bound,
        and `holm`, adjusted for all; `n`, the number of pairs.
    """
    shape = differences.shape[:-1]
    rows = [row[~np.isnan(row)] for row in differences.reshape(-1, differences.shape[-1])]
    bound = np.broadcast_to(np.asarray(bounds, np.float64), shape).reshape(-1)
    n_pairs = np.array([row.size for row in rows])
    known = n_pairs > 0
    level = 1 - ALL_AT_ONCE / max(1, int(known.sum()))
    columns = {name: np.full(n_pairs.size, np.nan) for name in COLUMNS}
    for i in np.flatnonzero(known):
        columns["mean"][i] = rows[i].mean()
        for name, confidence in (("", 0.95), ("wide_", level)):
            interval: Interval = bootstrap_t_interval(rows[i], rng, confidence)
            columns[f"{name}low"][i], columns[f"{name}high"][i] = interval.low, interval.high
        columns["p"][i] = paired_p_value(rows[i] - bound[i], rng, 19_999)
    columns["holm"][known] = holm(columns["p"][known])
    return {name: column.reshape(shape) for name, column in columns.items()} | {"n": n_pairs.reshape(shape)}


def judge_each_comparison(differences: FloatArray, rng: np.random.Generator, bounds: Sequence[float]) -> Arrays:
    """Judge each of C comparisons separately: `judge_together` over all cases of one comparison, (..., C).

    So the adjustment is for trying one statement on many tasks and learners.

    Parameters
    ----------
    differences : ndarray, (..., C, R)
    rng : numpy.random.Generator
    bounds : sequence of float
        One for each comparison.
    """
    judged = [judge_together(differences[..., c, :], rng, bound) for c, bound in enumerate(bounds)]
    return {name: np.stack([columns[name] for columns in judged], axis=-1) for name in judged[0]}


def claim(
    judgement: Arrays,
    index: tuple[int, ...],
    *,
    name: str,
    source: str,
    subject: str,
    judged_together: str,
    bound: float = 0.0,
) -> Claim | None:
    """Claim that a mean difference of success is at least a bound; None if there is no comparison.

    Parameters
    ----------
    judgement : dict
        As of `judge_each_comparison`.
    index : tuple of int
        Of the difference, in its arrays.
    name : str
        From which the id is made, see `claim_id`.
    source : str
    subject : str
        What the difference is between, as printed.
    judged_together : str
        Over what interval and p-value are adjusted, as printed.
    bound : float, optional
    """
    low, high, mean, p = (float(judgement[key][index]) for key in ("wide_low", "wide_high", "mean", "holm"))
    if np.isnan(mean):
        return None
    return Claim(
        id=claim_id(name), source=source, relation=">=", interval=Interval(low, high), bound=bound, evidence="sampled",
        detail=f"{subject}: mean {mean:+.3f} over {int(judgement['n'][index])} seeds; {1 - ALL_AT_ONCE:.0%} interval "
        f"by the studentised bootstrap of the pairs, simultaneous over {judged_together}; p = {p:.3g} (sign-flip test, "
        f"Holm-adjusted over the same); decided only if p is at most {SIGNIFICANT:g}.",
        p_value=p,
    )  # fmt: skip


def claim_id(name: str) -> str:
    """Id of a claim from its name: blanks become hyphens; commas, minus and equality signs are dropped."""
    return name.replace(",", "").replace(" - ", " ").replace("= ", "").replace(" ", "-")


def with_prefix(prefix: str, arrays: Arrays) -> Arrays:
    """Put a prefix before the names of arrays."""
    return {prefix + name: array for name, array in arrays.items()}


def of_prefix(prefix: str, arrays: Arrays) -> Arrays:
    """Arrays whose names begin with a prefix, under their names without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
