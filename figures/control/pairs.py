"""Rows of tables looked up by what was finetuned, and differences between two of them, seed by seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from figures.control.tables import Row
from figures.control.variants import PolicySpec

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What was finetuned, and how: the rows of all its seeds.

    Parameters
    ----------
    task : str
    n_demos : int
    policy : PolicySpec
    learner : str, optional
        As `Row.learner` names it.
    """

    task: str
    n_demos: int
    policy: PolicySpec
    learner: str = "DSRL"


class Pairs:
    """The rows of some tables.

    Parameters
    ----------
    rows : sequence of Row
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._scores: dict[Experiment, dict[int, tuple[float, float]]] = {}
        for row in rows:
            experiment = Experiment(task=row.task, n_demos=row.n_demos, policy=row.policy, learner=row.learner)
            self._scores.setdefault(experiment, {})[row.seed] = row.pretrained, row.finetuned

    def scores(self, experiment: Experiment) -> FloatArray:
        """Success before and after finetuning, (2, R), by rising seed."""
        by_seed = self._scores[experiment]
        return np.array([by_seed[seed] for seed in sorted(by_seed)]).T

    def differences(self, first: Experiment, second: Experiment) -> FloatArray:
        """Success before and after finetuning, first minus second, (2, R), of the seeds that both have.

        Raises
        ------
        KeyError
            If there are no rows of one of them.
        ValueError
            If they do not have two seeds in common.
        """
        minuend, subtrahend = self._scores[first], self._scores[second]
        common = sorted(minuend.keys() & subtrahend.keys())
        if len(common) < 2:
            raise ValueError(f"{first} and {second} have {len(common)} seeds in common; two are needed")
        return np.array([np.subtract(minuend[seed], subtrahend[seed]) for seed in common]).T
