"""Evaluation of policies: every success rate that is printed or drawn comes from here.

Episode i's first state depends on the seed and i alone. So two policies evaluated with the same seed meet the same
contexts, and the first n of more episodes are those of an evaluation of n. Actions come in chunks that are carried out
whole. Costs are counted in steps of the environment; a chunk counts only up to the step that ends its episode.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from continuous.task_model import Task
from theory.base import validate
from theory.base.streams import stream
from theory.claims import Interval
from theory.statistics.probability import clopper_pearson

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Act = Callable[[FloatArray, np.random.Generator], Any]


class Policy(Protocol):
    """A policy that `evaluate` takes; it also takes plain callables of the form of `act`."""

    def act(self, observations: FloatArray, rng: np.random.Generator, /) -> Any:
        """Choose the next actions, (n, chunk, action_dim), at each of the observations (n, observation_dim)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Decision:
    """Outcome of one chunk in each of the n episodes that were still running.

    Attributes
    ----------
    episodes : ndarray of int, (n,)
        Which episodes.
    observations, next_observations : ndarray, (n, observation_dim)
        Before the chunk and after it.
    rewards : ndarray, (n,)
        Sum over the chunk's steps.
    ended : ndarray of bool, (n,)
        Whether the episode has ended by the end of the chunk, in whatever way.
    """

    episodes: IntArray
    observations: FloatArray
    rewards: FloatArray
    next_observations: FloatArray
    ended: BoolArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """Outcomes of n episodes of a policy.

    Attributes
    ----------
    task : str
    starts : ndarray, (n, state_dim)
        First states.
    success : ndarray of bool, (n,)
    returns : ndarray, (n,)
        Sum of the rewards.
    lengths : ndarray of int, (n,)
        Steps of the environment.
    decisions : int
        Number of action chunks that the policy chose, over all episodes.
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
        """Fraction of the episodes that succeeded."""
        return float(self.success.mean())

    @property
    def environment_steps(self) -> int:
        """Steps of the environment, over all episodes."""
        return int(self.lengths.sum())

    def interval(self, confidence: float = 0.95) -> Interval:
        """Clopper-Pearson interval of the success rate; exact for independent episodes.

        Parameters
        ----------
        confidence : float, optional
            In (0, 1).
        """
        return clopper_pearson(int(self.success.sum()), self.n_episodes, confidence)


@dataclass(frozen=True, kw_only=True)
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
        """The first's success rate minus the second's."""
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
    """Roll a policy out from n first states, all episodes side by side.

    Parameters
    ----------
    task : Task
    policy : Policy or callable
        Something with `act(observations, rng)`, or a callable of that form, that returns (n, chunk, action_dim).
        It is called with the observations of the running episodes, in the order of the episodes.
    n_episodes : int
        At least 1.
    seed : numpy.random.SeedSequence
        First states and the policy's samples are drawn from two streams of it. It is not changed, so it can be reused.
    rare : float, optional
        Probability of the rare range of contexts; the task's own for evaluation if not given.
    record : callable, optional
        Called with each decision: what a learner learns from.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError, ValueError
        Also if the policy's actions have another shape or are not finite.
    """
    task = validate.instance("task", task, Task)
    n_episodes = validate.integer("n_episodes", n_episodes, at_least=1)
    seed = validate.instance("seed", seed, np.random.SeedSequence)
    act = checked_act(policy)
    context_rng, policy_rng = (stream(seed, k) for k in range(2))
    return play(task, act, task.reset(context_rng, n_episodes, rare=rare), policy_rng, record=record)


def checked_act(policy: Policy | Act) -> Act:
    """Method `act` of a policy, or the policy itself where it is a plain callable."""
    act: Any = getattr(policy, "act", policy)
    if not callable(act):
        raise TypeError(f"policy must be callable or have a method act; got {type(policy).__name__}")
    return cast(Act, act)


def play(
    task: Task,
    act: Act,
    starts: FloatArray,
    policy_rng: np.random.Generator,
    *,
    record: Callable[[Decision], None] | None = None,
) -> Evaluation:
    """Roll out from given first states, side by side; only the policy's actions are checked.

    Parameters
    ----------
    task : Task
    act : callable
        As of a policy.
    starts : ndarray, (n, state_dim)
        First states, float64 and C-ordered; n at least 1. They are frozen.
    policy_rng : numpy.random.Generator
        What the policy draws from.
    record : callable, optional
        As for `evaluate`.

    Returns
    -------
    Evaluation
    """
    n_episodes = len(starts)
    success = np.zeros(n_episodes, np.bool_)
    returns = np.zeros(n_episodes)
    lengths = np.zeros(n_episodes, np.int64)
    running, states, decisions = np.arange(n_episodes), starts, 0
    while running.size:
        observations = task.observation(states)
        chunk = _checked_chunk(act(observations, policy_rng), running.size, task.action_dim)
        decisions += running.size
        rewards, ended = np.zeros(running.size), np.zeros(running.size, np.bool_)
        for k in range(chunk.shape[1]):
            lengths[running[~ended]] += 1  # before the step: the one that ends an episode counts, later ones do not
            states, reward, ended, succeeded = task.transition(states, chunk[:, k])
            rewards += reward
            if ended.all():
                break
        success[running] = succeeded
        returns[running] += rewards
        if record is not None:
            record(
                Decision(
                    episodes=running,
                    observations=observations,
                    rewards=rewards,
                    next_observations=task.observation(states),
                    ended=ended,
                )
            )
        running, states = running[~ended], states[~ended]
    for result in (starts, success, returns, lengths):
        validate.frozen(result)
    return Evaluation(
        task=task.name, starts=starts, success=success, returns=returns, lengths=lengths, decisions=decisions
    )


def compare(first: Evaluation, second: Evaluation, confidence: float = 0.95) -> Comparison:
    """Compare success rates episode by episode.

    The difference of the rates is P[only the first succeeds] - P[only the second does]. Each probability gets a
    Clopper-Pearson interval with error probability (1 - confidence)/2, so the interval of their difference has at least
    the stated confidence for any number of episodes. For several training seeds, take
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
    ValueError
        Also if the two did not start in the same states.
    """
    validate.instance("first", first, Evaluation)
    validate.instance("second", second, Evaluation)
    confidence = validate.real("confidence", confidence, above=0.0, below=1.0)
    if first.task != second.task or not np.array_equal(first.starts, second.starts):
        raise ValueError(
            "first and second must have started in the same states (same task, seed and number of episodes); "
            f"got {first.n_episodes} of {first.task} and {second.n_episodes} of {second.task}"
        )
    n = first.n_episodes
    only_first = int((first.success & ~second.success).sum())
    only_second = int((second.success & ~first.success).sum())
    up, down = (clopper_pearson(k, n, 1 - (1 - confidence) / 2) for k in (only_first, only_second))
    interval = Interval(up.low - down.high, up.high - down.low)
    return Comparison(only_first=only_first, only_second=only_second, n_episodes=n, interval=interval)


def _checked_chunk(answer: Any, n: int, action_dim: int) -> FloatArray:
    chunk = validate.array("the policy's actions", answer, shape=(n, None, action_dim))
    if chunk.shape[1] == 0:
        raise ValueError(f"the policy's actions must hold a step; got shape {chunk.shape}")
    return chunk
