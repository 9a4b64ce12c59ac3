"""Comparisons: paired differences between named families of pretrained policies, seed by seed.

A family is a curve of policies, by the strength of its noise. There are three kinds of comparison (`Match`):

- best against best: of each family the strength with the most success after finetuning;
- at equal pretrained success: one family at a strength, against the best finetuned success that the rivals have with
  this pretrained success or a higher one, also between the strengths of their grid;
- at equal noise: one family at a strength, against the rivals at the same root mean square of added noise, also
  between the strengths of their grid; the mean over all strengths whose noise lies in the rivals' range.

Every comparison names its family and its rivals, so a family that is added to a grid changes no comparison.
Wherever a strength or a point of a curve is chosen, it is chosen for each seed on the other half of the seeds.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from figures.control.matching import against_frontier, at_equal_noise, chosen_on_other_half
from figures.running.artifacts import Arrays

FloatArray = NDArray[np.float64]
Case = tuple[int, int, int]
"""Task, number of demonstrations and learner, as indices of a grid's arrays."""

NOISE_CURVE = ("BC", "sigma-BC")
"""Families that together are the curve of isotropic noise, increasing from 0."""
MARGIN = 0.05
"""E1: PostBC may succeed less often than BC before finetuning by this much and still count as about as often."""


class Match(StrEnum):
    """What two policies of a comparison have in common."""

    BEST = "best strength of each"
    SUCCESS = "pretrained success"
    NOISE = "noise"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A difference in success between a family and its rivals.

    Parameters
    ----------
    text : str
        As printed, and as part of a claim's id.
    family : str
    rivals : tuple of str
        One family, or several that together are one curve, increasing in noise.
    quantity : {"pretrained", "finetuned"}
        The success that is compared: before or after finetuning.
    matched_at : Match, optional
    source : {"E0", "E1", "E2"}
        Claim of the paper that this is about; E0: none.
    bound : float, optional
        The difference is claimed to be at least this.
    """

    text: str
    family: str
    rivals: tuple[str, ...]
    quantity: str
    matched_at: Match = Match.BEST
    source: str
    bound: float = 0.0


COMPARISONS = (
    Comparison(
        text="pretrained, PostBC - BC", family="PostBC", rivals=("BC",), quantity="pretrained", source="E1",
        bound=-MARGIN,
    ),
    Comparison(
        text="finetuned, PostBC - BC", family="PostBC", rivals=("BC",), quantity="finetuned", source="E2",
    ),
    Comparison(
        text="finetuned, PostBC - sigma-BC", family="PostBC", rivals=("sigma-BC",), quantity="finetuned", source="E2",
    ),
    Comparison(
        text="finetuned at equal pretrained success, PostBC - sigma-BC", family="PostBC", rivals=NOISE_CURVE,
        quantity="finetuned", matched_at=Match.SUCCESS, source="E2",
    ),
    Comparison(
        text="pretrained at equal noise, PostBC - sigma-BC", family="PostBC", rivals=NOISE_CURVE,
        quantity="pretrained", matched_at=Match.NOISE, source="E0",
    ),
    Comparison(
        text="finetuned at equal noise, PostBC - sigma-BC", family="PostBC", rivals=NOISE_CURVE,
        quantity="finetuned", matched_at=Match.NOISE, source="E2",
    ),
)  # fmt: skip
"""What is compared. The order is also that in which intervals draw from their generator."""

MATCHED = tuple(comparison for comparison in COMPARISONS if comparison.matched_at is not Match.BEST)
"""Comparisons that can be made for each alpha of PostBC."""


def known_policies_and_seeds(arrays: Arrays, case: Case) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Policies and seeds that one case of a grid has, by number.

    Parameters
    ----------
    arrays : dict
        As of `tables.tensors`.
    case : tuple of int
        Task, number of demonstrations, learner.
    """
    known = ~np.isnan(arrays["finetuned"][case])
    return np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))


class CaseScores:
    """Scores of one case of a grid, without the policies and seeds that it lacks.

    Parameters
    ----------
    arrays, case
        As for `known_policies_and_seeds`.
    """

    def __init__(self, arrays: Arrays, case: Case) -> None:
        self.policies, seeds = known_policies_and_seeds(arrays, case)
        self.families = arrays["families"][self.policies]
        self._scores = {
            name: arrays[name][case][np.ix_(self.policies, seeds)] for name in ("pretrained", "finetuned", "noise")
        }
        self.n_seeds = seeds.size

    def of(self, quantity: str) -> FloatArray:
        """`pretrained`, `finetuned` or `noise`, (policies, seeds)."""
        scores: FloatArray = self._scores[quantity]
        return scores

    def rows(self, *families: str) -> NDArray[np.int64]:
        """Rows of some families, one family after the other."""
        return np.concatenate([np.flatnonzero(self.families == family) for family in families])


def by_strength(arrays: Arrays, case: Case, comparison: Comparison) -> FloatArray:
    """Differences of one of `MATCHED` for each strength of the family in the whole grid, (strengths, R).

    NaN for strengths that the case lacks or that cannot be matched. The first arguments are those of
    `known_policies_and_seeds`.
    """
    scores = CaseScores(arrays, case)
    whole_grid = np.flatnonzero(arrays["families"] == comparison.family)
    differences = np.full((whole_grid.size, scores.n_seeds), np.nan)
    differences[np.isin(whole_grid, scores.policies)] = _matched(scores, comparison)
    return differences


def _matched(scores: CaseScores, comparison: Comparison) -> FloatArray:
    """Differences for each strength of the family that the case has."""
    rivals = scores.rows(*comparison.rivals)
    on_success = comparison.matched_at is Match.SUCCESS
    x = scores.of("pretrained" if on_success else "noise")
    y = scores.of(comparison.quantity)
    own_rows = scores.rows(comparison.family)
    differences = np.full((own_rows.size, scores.n_seeds), np.nan)
    for k, i in enumerate(own_rows):
        match = against_frontier if on_success else at_equal_noise
        matched = match(x[i], y[i], x[rivals], y[rivals])
        if matched is not None:
            differences[k] = matched
    return differences


def difference(arrays: Arrays, case: Case, comparison: Comparison) -> FloatArray:
    """A comparison's difference, seed by seed, (R,); NaN throughout if nothing can be matched.

    Strengths are those with the most success after finetuning on the other half of the seeds; at equal noise, all
    strengths that can be matched for every seed. The first arguments are those of `known_policies_and_seeds`.
    """
    scores = CaseScores(arrays, case)
    finetuned, seeds = scores.of("finetuned"), np.arange(scores.n_seeds)
    own_rows = scores.rows(comparison.family)
    best = chosen_on_other_half(finetuned[own_rows])
    if comparison.matched_at is Match.BEST:
        rivals, compared = scores.rows(*comparison.rivals), scores.of(comparison.quantity)
        best_rival = rivals[chosen_on_other_half(finetuned[rivals])]
        return np.asarray(compared[own_rows[best], seeds] - compared[best_rival, seeds])
    matched = _matched(scores, comparison)
    if comparison.matched_at is Match.SUCCESS:
        return np.asarray(matched[best, seeds])
    known = ~np.isnan(matched).any(axis=1)
    return np.asarray(matched[known].mean(axis=0)) if known.any() else np.full(seeds.size, np.nan)


def differences(arrays: Arrays, case: Case) -> FloatArray:
    """All `COMPARISONS`, seed by seed, (C, R). Arguments as for `known_policies_and_seeds`."""
    return np.stack([difference(arrays, case, comparison) for comparison in COMPARISONS])
