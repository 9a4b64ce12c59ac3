"""Recorded episodes of observations and actions, cut into chunks of actions and brought to one scale."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.base import validate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SPREAD_FLOOR = 1e-3
"""Smallest standard deviation that is divided by, so that constant entries stay finite."""


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """E episodes, one after the other, as N rows.

    Parameters
    ----------
    observations : array_like of float, (N, obs_dim)
    actions : array_like of float, (N, act_dim)
        Row i is what was done at observation i.
    episode_ends : array_like of int, (E,)
        One past the last row of each episode: strictly increasing, the last is N.
    """

    observations: FloatArray
    actions: FloatArray
    episode_ends: IntArray

    def __post_init__(self) -> None:
        observations = validate.array("observations", self.observations, shape=(None, None))
        actions = validate.array("actions", self.actions, shape=(observations.shape[0], None))
        ends = validate.integers("episode_ends", self.episode_ends, shape=(None,)).astype(np.int64)
        if 0 in observations.shape or actions.shape[1] == 0:
            raise ValueError(
                "observations and actions must hold a row and a column; "
                f"got shapes {observations.shape} and {actions.shape}"
            )
        if ends.size == 0 or ends[-1] != len(observations):
            raise ValueError(f"episode_ends must end with the number of rows, {len(observations)}; got {ends.tolist()}")
        lengths = np.diff(ends, prepend=0)
        if (lengths <= 0).any():
            i = int(np.argmax(lengths <= 0))
            raise ValueError(f"every episode must have a step; episode {i} has {int(lengths[i])}")
        for name, value in (("observations", observations), ("actions", actions), ("episode_ends", ends)):
            object.__setattr__(self, name, validate.frozen(value))

    @property
    def n_episodes(self) -> int:
        """Number of episodes E."""
        return int(self.episode_ends.size)

    @property
    def episode_of(self) -> IntArray:
        """Episode of each row, (N,)."""
        return np.repeat(np.arange(self.n_episodes), np.diff(self.episode_ends, prepend=0))

    def chunks(self, length: int) -> FloatArray:
        """Return the next `length` actions at each row; beyond the end of its episode, the last action is repeated.

        Parameters
        ----------
        length : int
            At least 1 and at most the longest episode.

        Returns
        -------
        ndarray, (N, length * act_dim)
            The actions of a chunk one after the other.
        """
        longest = int(np.diff(self.episode_ends, prepend=0).max())
        length = validate.integer("length", length, at_least=1)
        if length > longest:
            raise ValueError(f"length must be at most the longest episode, {longest} steps; got {length}")
        last = self.episode_ends[self.episode_of] - 1
        rows = np.minimum(np.arange(len(self.actions))[:, None] + np.arange(length), last[:, None])
        cut: FloatArray = self.actions[rows].reshape(len(self.actions), -1)
        return cut


@dataclass(frozen=True, eq=False)
class Scale:
    """Affine map of vectors to mean 0 and standard deviation 1, and back.

    Parameters
    ----------
    mean, spread : ndarray, (dim,)
        Units of the vectors; `spread` is at least `SPREAD_FLOOR`.
    """

    mean: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, rows: FloatArray) -> "Scale":
        """Scale of these rows, (N, dim)."""
        rows = validate.array("rows", rows, shape=(None, None))
        if len(rows) == 0:
            raise ValueError("rows must not be empty")
        return cls(rows.mean(axis=0), np.maximum(rows.std(axis=0), SPREAD_FLOOR))

    def apply(self, rows: FloatArray) -> FloatArray:
        """From the rows' units, (N, dim), to mean 0 and standard deviation 1."""
        return np.asarray((rows - self.mean) / self.spread)

    def undo(self, rows: FloatArray) -> FloatArray:
        """Back to the rows' units, (N, dim)."""
        return np.asarray(rows * self.spread + self.mean)

    @staticmethod
    def names(of: str) -> tuple[str, str]:
        """Names of both arrays in a file."""
        return f"{of}_mean", f"{of}_spread"

    def arrays(self, of: str) -> dict[str, FloatArray]:
        """Both arrays by their names in a file."""
        return dict(zip(self.names(of), (self.mean, self.spread), strict=True))

    @classmethod
    def read(cls, arrays: Mapping[str, Any], of: str) -> "Scale":
        """From a file's arrays; raises ValueError if a number is not finite or a spread is not above 0."""
        mean, spread = (validate.array(name, arrays[name], shape=(None,)) for name in cls.names(of))
        if mean.shape != spread.shape or not (spread > 0).all():
            raise ValueError(f"{of}_spread must be above 0, and as long as {of}_mean")
        return cls(mean, spread)
