"""Counting demonstrations by step, state and action, and by fold of episodes, a row at a time.

The memory grows with the number of different (step, state, action), not with the number of rows. States and actions
are numbered in the order of their first appearance; cells are sorted, so the order of the episodes does not matter.
"""

import array
import re
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tabular.mdp import IntArray
from theory.base import validate

SIZE_COLUMN = "n_actions"
"""Optional column of a data file: the number of actions of the row's state."""

LARGEST = 2**31 - 1
"""Largest step, and largest number of actions."""

INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, eq=False, kw_only=True)
class Tally:
    """Counts of demonstrations by step, state and action, and by fold of episodes.

    Attributes
    ----------
    counts : ndarray of int, (P, F)
        How often each of the P pairs was recorded in each of the F folds.
    pair_cell, pair_action : ndarray of int, (P,)
        Cell (step and state) and number of the action of each pair.
    cell_step, cell_state : ndarray of int, (C,)
        Step and number of the state of each cell.
    state_actions : ndarray of int, (S,)
        Number of actions of each state that was seen.
    n_episodes : int
    actions_stated : bool
        Whether the numbers of actions were stated; otherwise they are the numbers of different actions in the data.
    """

    counts: IntArray
    pair_cell: IntArray
    pair_action: IntArray
    cell_step: IntArray
    cell_state: IntArray
    state_actions: IntArray
    n_episodes: int
    actions_stated: bool

    @cached_property
    def visits(self) -> IntArray:
        """Visits of each cell, (C,)."""
        result = np.zeros(self.cell_step.size, np.int64)
        np.add.at(result, self.pair_cell, self.counts.sum(axis=1))
        return validate.frozen(result)

    def without_steps(self) -> "Tally":
        """Counts by state and action alone, for a stationary demonstrator: one cell per state, all at step 0."""
        state = self.cell_state[self.pair_cell]
        pairs, pair_index = np.unique(np.stack([state, self.pair_action], axis=1), axis=0, return_inverse=True)
        counts = np.zeros((len(pairs), self.counts.shape[1]), np.int64)
        np.add.at(counts, pair_index.reshape(-1), self.counts)
        states = np.arange(self.state_actions.size)
        return replace(
            self,
            counts=counts,
            pair_cell=pairs[:, 0],
            pair_action=pairs[:, 1],
            cell_step=np.zeros_like(states),
            cell_state=states,
        )


@dataclass
class _Names:
    """Numbers for the names in a column, which holds only integers or only names."""

    column: str
    number: dict[str, int] = field(default_factory=dict)
    of_text: dict[str, int] = field(default_factory=dict)
    integers: bool | None = None

    def add(self, text: str) -> int:
        """Number of a text in a spelling that was not met before."""
        name = text.strip()
        is_integer = INTEGER.fullmatch(name) is not None
        if not name:
            raise ValueError(f"{self.column} is empty")
        if not is_integer and _is_number(name):
            raise ValueError(f"{self.column} must be an integer or a name; got {short(name)}")
        if self.integers is None:
            self.integers = is_integer
        if self.integers != is_integer:
            kinds = ("integers", "names") if self.integers else ("names", "integers")
            raise ValueError(
                f"{self.column} {short(name)} among {kinds[0]}: a column holds integers or names, not both"
            )
        if is_integer:
            if int(name) < 0:
                raise ValueError(f"{self.column} must not be negative; got {name}")
            name = str(int(name))
        self.of_text[text] = self.number.setdefault(name, len(self.number))
        return self.of_text[text]


class Reader:
    """Counts rows one after the other; `tally` gives the result."""

    def __init__(
        self, n_actions: int | None, sizes: dict[str, int] | None, n_folds: int, rng: np.random.Generator
    ) -> None:
        self.n_actions, self.sizes, self.n_folds, self.rng = n_actions, sizes, n_folds, rng
        self.states, self.actions = _Names("state"), _Names("action")
        self.pairs: dict[tuple[int, int, int], int] = {}
        self.counts = array.array("q")
        self.actions_of_state: dict[int, set[int]] = {}
        self.size: dict[int, int] = {}
        self.episodes: set[str] = set()
        self.episode: str | None = None
        self.steps: set[int] = set()
        self.order: list[int] = []
        self.fold = 0

    def row(self, episode: str, step: str, state: str, action: str, size: str | None) -> None:
        """Count a row, or raise ValueError with the reason; the caller adds file and line."""
        if episode != self.episode:
            self._new_episode(episode)
        if INTEGER.fullmatch(step) is None:
            step = step.strip()
            if INTEGER.fullmatch(step) is None:
                raise ValueError(f"step must be an integer; got {short(step)}")
        h = int(step)
        if not 0 <= h <= LARGEST:
            raise ValueError(f"step must be from 0 to {LARGEST}; got {h}")
        if h in self.steps:
            raise ValueError(f"episode {short(episode)} has step {h} twice")
        self.steps.add(h)
        s = self.states.of_text.get(state)
        if s is None:
            s = self.states.add(state)
        if size is not None or s not in self.size:
            self._note_size(s, state, size)
        a = self.actions.of_text.get(action)
        if a is None:
            a = self.actions.add(action)
        key = (h, s, a)
        pair = self.pairs.get(key)
        if pair is None:
            pair = self._new_pair(key, action)
        self.counts[pair + self.fold] += 1

    def _new_episode(self, episode: str) -> None:
        name = episode.strip()
        if not name or name.lower() == "nan":
            raise ValueError(f"episode must have a name or number; got {short(episode)}")
        if name in self.episodes:
            raise ValueError(f"episode {short(name)} again, after others: the rows of an episode must be consecutive")
        self.episodes.add(name)
        self.episode = episode
        self.steps.clear()
        if not self.order:
            self.order = self.rng.permutation(self.n_folds).tolist()
        self.fold = self.order.pop()

    def _note_size(self, s: int, state: str, size: str | None) -> None:
        """Number of actions of a state, from its column, the file of sizes, or the option."""
        if size is not None:
            if INTEGER.fullmatch(size.strip()) is None or not 1 <= int(size) <= LARGEST:
                raise ValueError(f"{SIZE_COLUMN} must be an integer of at least 1; got {short(size)}")
            n = int(size)
        elif self.sizes is not None:
            name = plain(state)
            if name not in self.sizes:
                raise ValueError(f"state {short(name)} is not in the file of numbers of actions")
            n = self.sizes[name]
        else:
            n = self.n_actions or 0
        if self.size.setdefault(s, n) != n:
            raise ValueError(f"state {short(state)} has {n} actions here and {self.size[s]} before")

    def _new_pair(self, key: tuple[int, int, int], action: str) -> int:
        _, s, a = key
        known, limit = self.actions_of_state.setdefault(s, set()), self.size[s]
        if a not in known:
            if limit and self.sizes is None and self.actions.integers and self.n_actions and int(action) >= limit:
                raise ValueError(f"action must be below {limit}; got {int(action)}")
            if limit and len(known) >= limit:
                raise ValueError(f"action {short(action)} is one more than the {limit} stated for its state")
            known.add(a)
        pair = self.pairs[key] = len(self.counts)
        self.counts.extend([0] * self.n_folds)
        return pair

    def tally(self) -> Tally:
        """All that was counted."""
        keys = np.array(list(self.pairs), np.int64)
        total = len(self.actions.number)
        if self.n_actions is not None and total > self.n_actions:
            raise ValueError(f"there are {total} different actions; {self.n_actions} were stated")
        # All cells in the order of step and state: the result does not depend on the order of episodes.
        cells, pair_cell = np.unique(keys[:, :2], axis=0, return_inverse=True)
        counts = np.frombuffer(self.counts, np.int64).reshape(-1, self.n_folds).copy()
        stated = all(self.size.values())
        sizes = [self.size[s] or total for s in range(len(self.states.number))]
        return Tally(
            counts=np.ascontiguousarray(
                counts[:, counts.sum(axis=0) > 0]
            ),  # fewer episodes than folds leave some empty
            pair_cell=pair_cell.reshape(-1),
            pair_action=keys[:, 2],
            cell_step=cells[:, 0],
            cell_state=cells[:, 1],
            state_actions=np.array(sizes, np.int64),
            n_episodes=len(self.episodes),
            actions_stated=stated,
        )


def plain(state: str) -> str:
    """A state's name; integers without signs and leading zeros."""
    name = state.strip()
    return str(int(name)) if INTEGER.fullmatch(name) else name


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def short(text: str) -> str:
    """A field for a message, cut where it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
