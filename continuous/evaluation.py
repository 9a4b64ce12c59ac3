"""The one evaluation: every success rate that is printed or drawn comes from here.

Episode i's first state depends on the seed and i alone, so two policies evaluated on one seed meet the same contexts,
and more episodes begin with the fewer. Actions come in chunks that are carried out whole; what is counted is
steps of the environment, and a chunk counts only up to the step that ends its episode.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from continuous.tasks import Task
from theory.base import validate
from theory.base.streams import stream
from theory.claims import Interval
from theory.statistics.probability import clopper_pearson

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Act = Callable[[FloatArray, np.random.Generator], Any]


class Policy(Protocol):
    """What can be evaluated, besides plain callables of the same form."""

    def act(self, observations: FloatArray, rng: np.random.Generator, /) -> Any:
        """Choose the next actions, (n, chunk, action_dim), at each of the observations (n, observation_dim)."""


@dataclass(frozen=True, eq=False)
class Decision:
    """What came of one chunk in each of the n episodes that still ran.

    Attributes
    ----------
    rows : ndarray of int, (n,)
        Which episodes.
    observations, next_observations : ndarray, (n, observation_dim)
        Before the chunk and after it.
    rewards : ndarray, (n,)
        Sum over the chunk's steps.
    ended : ndarray of bool, (n,)
        Whether the episode has ended by the end of the chunk, in whatever way.
    """

    rows: IntArray
    observations: FloatArray
    rewards: FloatArray
    next_observations: FloatArray
    ended: BoolArray


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What n episodes of a policy came to.

    Attributes
    ----------
    task : str
    starts : ndarray, (n, state_dim)
        First states.
    success : ndarray of bool, (n,)
    returns : ndarray, (n,)
        Sum of the rewards.
    lengths : ndarray of int, (n,)
        Steps done in the environment.
    decisions : int
        Times that an action chunk was asked for, over all episodes.
    """

    task: str
    starts: FloatArray
    success: BoolArray
    returns: FloatArray
    lengths: IntArray
    decisions: int

    @property
    def n_episodes(self) -> int:
        """Number of episodes n."""
        return int(self.success.size)

    @property
    def success_rate(self) -> float:
        """Share of the episodes that succeeded."""
        return float(self.success.mean())

    @property
    def environment_steps(self) -> int:
        """Steps done in the environment, over all episodes."""
        return int(self.lengths.sum())

    def interval(self, confidence: float = 0.95) -> Interval:
        """Clopper-Pearson interval of the success rate; exact for independent episodes.

        Parameters
        ----------
        confidence : float, optional
            In (0, 1).
        """
        return clopper_pearson(int(self.success.sum()), self.n_episodes, confidence)


@dataclass(frozen=True)
class Comparison:
    """Two policies on the same first states.

    Attributes
    ----------
    only_first, only_second : int
        Episodes in which one of them succeeded and the other did not.
    n_episodes : int
    interval : Interval
        Of the first's success rate minus the second's.
    """

    only_first: int
    only_second: int
    n_episodes: int
    interval: Interval

    @property
    def difference(self) -> float:
        """The first's share of successes minus the second's."""
        return (self.only_first - self.only_second) / self.n_episodes


def evaluate(
    task: Task,
    policy: Policy | Act,
    n_episodes: int,
    seed: np.random.SeedSequence,
    *,
    rare: float | None = None,
    record: Callable[[Decision], None] | None = None,
) -> Evaluation:
    """Roll a policy out from n first states, all at once.

    Parameters
    ----------
    task : Task
    policy : Policy or callable
        Something with `act(observations, rng)`, or a callable of that form, that returns (n, chunk, action_dim).
        It is asked for the episodes that still run, in their order.
    n_episodes : int
        At least 1.
    seed : numpy.random.SeedSequence
        First states and the policy's chance draw from two streams of it. It is not changed: the same one may be
        used again.
    rare : float, optional
        Probability of the rare range of contexts; the task's own for evaluation if not given.
    record : callable, optional
        Told of each decision: what a learner learns from.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range, or the policy answers in another shape or not finitely.
    """
    task = validate.instance("task", task, Task)
    n_episodes = validate.integer("n_episodes", n_episodes, at_least=1)
    seed = validate.instance("seed", seed, np.random.SeedSequence)
    act = getattr(policy, "act", policy)
    if not callable(act):
        raise TypeError(f"policy must be callable or have a method act; got {type(policy).__name__}")
    contexts, chance = (stream(seed, k) for k in range(2))
    starts = task.reset(contexts, n_episodes, rare=rare)
    success = np.zeros(n_episodes, np.bool_)
    returns = np.zeros(n_episodes)
    lengths = np.zeros(n_episodes, np.int64)
    rows, states, decisions = np.arange(n_episodes), starts, 0
    while rows.size:
        observed = task.observe(states)
        chunk = _checked_chunk(act(observed, chance), rows.size, task.action_dim)
        decisions += rows.size
        earned, ended = np.zeros(rows.size), np.zeros(rows.size, np.bool_)
        for k in range(chunk.shape[1]):
            lengths[rows[~ended]] += 1
            states, rewards, ended, done = task.step(states, chunk[:, k])
            earned += rewards
            if ended.all():
                break
        success[rows] = done
        returns[rows] += earned
        if record is not None:
            record(Decision(rows, observed, earned, task.observe(states), ended))
        rows, states = rows[~ended], states[~ended]
    for result in (starts, success, returns, lengths):
        validate.frozen(result)
    return Evaluation(task.name, starts, success, returns, lengths, decisions)


def compare(first: Evaluation, second: Evaluation, confidence: float = 0.95) -> Comparison:
    """Compare success rates episode by episode.

    The difference of the rates is P[only the first succeeds] - P[only the second does]. Each is covered by a
    Clopper-Pearson interval that misses with half of 1 - confidence, so their difference holds the truth with the
    stated confidence for any number of episodes: somewhat wide, never too narrow. For several training seeds, take
    `theory.statistics.probability.mean_interval` of the differences by seed instead.

    Parameters
    ----------
    first, second : Evaluation
        On the same first states.
    confidence : float, optional
        In (0, 1).

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range, or the two did not start in the same states.
    """
    for name, one in (("first", first), ("second", second)):
        validate.instance(name, one, Evaluation)
    confidence = validate.real("confidence", confidence, above=0.0, below=1.0)
    if first.task != second.task or not np.array_equal(first.starts, second.starts):
        raise ValueError(
            "first and second must have started in the same states (same task, seed and number of episodes); "
            f"got {first.n_episodes} of {first.task} and {second.n_episodes} of {second.task}"
        )
    n = first.n_episodes
    more = int((first.success & ~second.success).sum())
    less = int((second.success & ~first.success).sum())
    up, down = (clopper_pearson(k, n, 1 - (1 - confidence) / 2) for k in (more, less))
    return Comparison(more, less, n, Interval(up.low - down.high, up.high - down.low))


def _checked_chunk(answer: Any, n: int, action_dim: int) -> FloatArray:
    chunk = validate.array("the policy's actions", answer, shape=(n, None, action_dim))
    if chunk.shape[1] == 0:
        raise ValueError(f"the policy's actions must hold a step; got shape {chunk.shape}")
    return chunk
