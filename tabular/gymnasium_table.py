"""Transition tables of Gymnasium environments, as arrays.

`env.unwrapped.P[s][a]` is a list of (probability, next state, reward, ended). The end of an episode becomes a move to
an extra last state, which pays 0 and is never left; so the process has a fixed horizon.

A table is believed only if the environment follows it: wrappers that may change what is seen, done or paid are refused,
so are known options that a table leaves out, and some episodes are played on a copy to see that each step is in the
table. (They cannot show that the probabilities are right.)
"""

import copy
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from theory.base import validate

HARMLESS = ("TimeLimit", "OrderEnforcing", "PassiveEnvChecker", "RecordEpisodeStatistics", "RecordVideo")
"""Wrappers of Gymnasium that change no step of an episode; a time limit is the process's horizon instead."""

OUTSIDE_TABLE = {"fickle_passenger": "the passenger may change the destination, which depends on the past"}
"""Options of Gymnasium's environments that their tables leave out, and why."""

_EPISODES, _STEPS = 20, 50  # played on a copy
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class TabularEnv(Protocol):
    """An environment whose unwrapped form has a table `P[s][a]` and `initial_state_distrib`."""

    @property
    def unwrapped(self) -> Any:
        """The environment without wrappers."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table with one more state than the environment: the last, where a process stays after the end of an episode.

    Attributes
    ----------
    successors : ndarray of int, (1, S+1, A, D)
    probabilities : ndarray, (1, S+1, A, D)
    reward : ndarray, (1, S+1, A)
        Expected reward, in the original units; 0 in the last state.
    initial : ndarray, (S+1,)
    reward_range : tuple of float
        Smallest and largest reward that can be paid, 0 included.
    """

    successors: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    reward: NDArray[np.float64]
    initial: NDArray[np.float64]
    reward_range: tuple[float, float]


def read_table(env: TabularEnv) -> Table:
    """Read the table of an environment; entries with the same next state are merged.

    Parameters
    ----------
    env : gymnasium.Env
        Its unwrapped form has `P[s][a]`, a list of (probability, next state, reward, ended), and
        `initial_state_distrib`.

    Raises
    ------
    TypeError
        If the environment has no such table, or an entry has the wrong type.
    ValueError
        If states or actions are missing, or a probability or a next state is outside its range; or if the environment
        does not follow its table: the message says why.
    """
    _check_wrappers(env)
    table, start = _checked(env)
    end, n_actions = len(start), len(table[0])
    if n_actions == 0:
        raise ValueError("P must have at least one action")
    width = max(len(table[s][a]) for s in range(end) for a in range(n_actions))
    successors = np.zeros((1, end + 1, n_actions, width), np.int64)
    probabilities = np.zeros((1, end + 1, n_actions, width))
    reward = np.zeros((1, end + 1, n_actions))
    seen = {0.0}
    for s in range(end):
        for a in range(n_actions):
            merged: dict[int, float] = {}
            for probability, following, paid, ended in _entries(table, s, a):
                where = f"P[{s}][{a}]"
                paid = validate.real(f"a reward in {where}", paid)
                if validate.real(f"a probability in {where}", probability, at_least=0.0) > 0:
                    t = validate.integer(f"a next state in {where}", following, at_least=0, at_most=end - 1)
                    t = end if ended else t
                    merged[t] = merged.get(t, 0.0) + float(probability)
                    reward[0, s, a] += float(probability) * paid
                    seen.add(paid)
            for d, (t, probability) in enumerate(merged.items()):
                successors[0, s, a, d] = t
                probabilities[0, s, a, d] = probability
    _check_episodes(env.unwrapped, table, start)
    successors[0, end, :, 0] = end
    probabilities[0, end, :, 0] = 1.0
    return Table(successors, probabilities, reward, np.append(start, 0.0), (min(seen), max(seen)))


def _check_wrappers(env: TabularEnv) -> None:
    outer: Any = env
    while outer is not env.unwrapped and hasattr(outer, "env"):
        name = type(outer).__name__
        if name not in HARMLESS or not type(outer).__module__.startswith("gymnasium."):
            raise ValueError(
                f"env must follow its table P; the wrapper {name} may change its steps. Give the environment without it"
            )
        outer = outer.env
    for option, why in OUTSIDE_TABLE.items():
        if getattr(env.unwrapped, option, False):
            raise ValueError(f"env must follow its table P; with {option}=True {why}")


def _check_episodes(inner: Any, table: Any, start: NDArray[np.float64]) -> None:
    """Play some episodes on a copy, and refuse an environment that makes a step that its table does not have."""
    if not (hasattr(inner, "reset") and hasattr(inner, "step")):
        return
    played, n_actions, tried = copy.deepcopy(inner), len(table[0]), 0
    for episode in range(_EPISODES):
        s = played.reset(seed=episode)[0]
        if not (np.ndim(s) == 0 and 0 <= s < start.size and start[int(s)] > 0):
            raise ValueError(f"env must follow its table P; it starts in {s!r}, where initial_state_distrib is 0")
        for _ in range(_STEPS):
            tried += 1
            a = int(tried * _GOLDEN % 1.0 * n_actions)  # all actions, in no simple order
            following, reward, ended, _, _ = played.step(a)
            if not any(
                p > 0 and (t, bool(e)) == (following, bool(ended)) and math.isclose(r, reward, abs_tol=1e-9)
                for p, t, r, e in table[int(s)][a]
            ):
                raise ValueError(
                    f"env must follow its table P; action {a} in state {s} led to {following}, paid {reward} and "
                    f"{'ended' if ended else 'did not end'} the episode, which P[{s}][{a}] does not have"
                )
            if ended:
                break
            s = following


def _entries(table: Any, s: int, a: int) -> list[tuple[Any, Any, Any, Any]]:
    entries = list(table[s][a])
    if not entries or any(len(entry) != 4 for entry in entries):
        raise ValueError(f"P[{s}][{a}] must hold (probability, next state, reward, ended), at least once")
    return entries


def _checked(env: TabularEnv) -> tuple[Any, NDArray[np.float64]]:
    inner = env.unwrapped
    for name in ("P", "initial_state_distrib"):
        if not hasattr(inner, name):
            raise TypeError(
                f"env must have a transition table `P` and `initial_state_distrib`; {inner!r} has no {name}"
            )
    start = validate.distribution("initial_state_distrib", inner.initial_state_distrib, shape=(None,))
    table = inner.P
    if len(table) != start.size:
        raise ValueError(f"P must have as many states as initial_state_distrib; got {len(table)} and {start.size}")
    if missing := [s for s in range(start.size) if s not in table] if isinstance(table, dict) else []:
        raise ValueError(f"P must have every state; it has no {missing[0]}")
    for s in range(start.size):
        if len(table[s]) != len(table[0]):
            raise ValueError(
                "P must have the same number of actions in each state; "
                f"state 0 has {len(table[0])}, {s} {len(table[s])}"
            )
    return table, start
