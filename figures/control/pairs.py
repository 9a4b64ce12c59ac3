"""Rows of tables looked up by what they are about, and differences between two of them, seed by seed."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from figures.control.blocks import learner
from figures.control.variants import PolicySpec

FloatArray = NDArray[np.float64]


class Place(NamedTuple):
    """What was finetuned, and how: the rows of all its seeds."""

    task: str
    n_demos: int
    plan: PolicySpec
    learner: str = "DSRL"


class Pairs:
    """The rows of some tables.

    Parameters
    ----------
    rows : sequence of mapping
        As `blocks.rows` gives or `read_rows` reads.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._found: dict[Place, dict[int, tuple[float, float]]] = {}
        for row in rows:
            plan = PolicySpec(str(row["family"]), float(row["strength"]), str(row["variant"]))
            place = Place(str(row["task"]), int(row["n_demos"]), plan, learner(row))
            scores = float(row["pretrained"]), float(row["finetuned"])
            self._found.setdefault(place, {})[int(row["seed"])] = scores

    def scores(self, place: Place) -> FloatArray:
        """Success before and after finetuning, (2, R), by rising seed."""
        found = self._found[place]
        return np.array([found[seed] for seed in sorted(found)]).T

    def differences(self, place: Place, other: Place) -> FloatArray:
        """Success before and after finetuning, place minus other, (2, R), of the seeds that both have.

        Raises
        ------
        KeyError
            If there are no rows of one of them.
        ValueError
            If they have no two seeds in common.
        """
        one, two = self._found[place], self._found[other]
        common = sorted(one.keys() & two.keys())
        if len(common) < 2:
            raise ValueError(f"{place} and {other} have {len(common)} seeds in common; two are needed")
        return np.array([np.subtract(one[seed], two[seed]) for seed in common]).T
