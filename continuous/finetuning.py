"""What the three finetuners share: the clock that they see, what they record, and the one form of their results.

A finetuner starts from a pretrained policy that it never changes, and is fed by its own episodes alone. What these cost
is counted in steps of the environment. Tasks end in time, so the time that is left is an input beside the observation,
and an episode's end is an end, in whatever way it came. Every success rate comes from `evaluation.evaluate`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from continuous.demonstrations import Scale
from continuous.evaluation import Act, Decision, Evaluation, Policy, evaluate
from continuous.kernels import dynamics
from continuous.networks import Floats
from continuous.tasks import Task
from theory.base import validate

FloatArray = NDArray[np.float64]
Choose = Callable[[FloatArray, np.random.Generator], tuple[FloatArray, FloatArray]]
"""(observations (n, O+1), rng) -> what the learner remembers of its choice, (n, D), and chunks (n, chunk, act_dim)."""


class Pretrained(Protocol):
    """A pretrained policy with a deterministic sampler, such as `cloning.ClonedPolicy`."""

    @property
    def observation_scale(self) -> Scale:
        """Scale of what it observes."""

    @property
    def chunk_size(self) -> int:
        """Entries D of a chunk, and of its latent."""

    def act(self, observations: Any, rng: np.random.Generator, /) -> FloatArray:
        """Draw a chunk at each observation."""

    def decode(self, observations: Any, latents: Any, /) -> FloatArray:
        """Chunks that latents (n, D) are carried to, (n, chunk, act_dim)."""


def with_clock(task: Task) -> Task:
    """Return the task with one more number to observe, the last: the share of the steps that is left.

    Parameters
    ----------
    task : Task

    Raises
    ------
    TypeError
        If it is not a task.
    """
    validate.instance("task", task, Task)

    def look(states: FloatArray) -> FloatArray:
        return np.column_stack([task.look(states), 1.0 - states[:, dynamics.TIME] / task.horizon])

    return replace(task, observation_dim=task.observation_dim + 1, look=look, bound=max(1.0, task.bound))


def network_inputs(scale: Scale, observations: FloatArray) -> Floats:
    """Observations with a clock (n, O+1), scaled for a learner's networks; the clock goes from 1 to -1."""
    return np.column_stack([scale.apply(observations[:, :-1]), 2.0 * observations[:, -1] - 1.0]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Experience:
    """Decisions of a learner's episodes, M in all.

    Attributes
    ----------
    inputs, next_inputs : ndarray of float32, (M, O+1)
        Before and after, as `network_inputs`.
    choices : ndarray of float32, (M, D)
    rewards : ndarray of float32, (M, 1)
    ended : ndarray of bool, (M, 1)
    episodes : ndarray of int, (M,)
        Which episode; decisions stand in the order of time.
    """

    inputs: Floats
    choices: Floats
    rewards: Floats
    next_inputs: Floats
    ended: NDArray[np.bool_]
    episodes: NDArray[np.int64]

    def keeps(self, discount: float) -> Floats:
        """The discount where the episode goes on, and 0 where it has ended, (M, 1)."""
        return np.where(self.ended, 0.0, discount).astype(np.float32)

    def __add__(self, other: "Experience") -> "Experience":
        """Both, one after the other; the other's episodes are counted on."""
        later = other.episodes + (self.episodes.max() + 1 if self.episodes.size else 0)
        return Experience(
            np.concatenate([self.inputs, other.inputs]),
            np.concatenate([self.choices, other.choices]),
            np.concatenate([self.rewards, other.rewards]),
            np.concatenate([self.next_inputs, other.next_inputs]),
            np.concatenate([self.ended, other.ended]),
            np.concatenate([self.episodes, later]),
        )


def roll_out(
    task: Task, scale: Scale, choose: Choose, n_episodes: int, seed: np.random.SeedSequence
) -> tuple[Experience, Evaluation]:
    """Play episodes and remember each decision.

    Parameters
    ----------
    task : Task
        With a clock.
    scale : Scale
        Of the observations without it.
    choose : callable
    n_episodes : int
        At least 1.
    seed : numpy.random.SeedSequence
        As for `evaluate`.

    Raises
    ------
    TypeError, ValueError
        As `evaluate`.
    """
    choices: list[FloatArray] = []
    decisions: list[Decision] = []

    def act(observations: FloatArray, rng: np.random.Generator) -> FloatArray:
        choice, chunk = choose(observations, rng)
        choices.append(choice)
        return chunk

    played = evaluate(task, act, n_episodes, seed, record=decisions.append)
    column = np.concatenate([d.rewards for d in decisions]).astype(np.float32)[:, None]
    experience = Experience(
        network_inputs(scale, np.concatenate([d.observations for d in decisions])),
        np.concatenate(choices).astype(np.float32),
        column,
        network_inputs(scale, np.concatenate([d.next_observations for d in decisions])),
        np.concatenate([d.ended for d in decisions])[:, None],
        np.concatenate([d.rows for d in decisions]),
    )
    return experience, played


def advantages(
    experience: Experience, values: FloatArray, next_values: FloatArray, discount: float, trace: float
) -> FloatArray:
    """Generalised advantages of the decisions: sums of (discount * trace)^k times the errors of V from each on, (M,).

    Parameters
    ----------
    experience : Experience
    values, next_values : ndarray, (M,)
        V before and after each decision; the latter counts where the episode goes on.
    discount, trace : float
        In [0, 1].

    References
    ----------
    Schulman et al., High-dimensional continuous control using generalized advantage estimation, ICLR 2016.
    """
    keeps = experience.keeps(discount)[:, 0].astype(np.float64)
    errors = experience.rewards[:, 0] + keeps * next_values - values
    found, later = np.empty(len(errors)), np.zeros(int(experience.episodes.max()) + 1)
    for i in range(len(errors) - 1, -1, -1):
        e = experience.episodes[i]
        found[i] = later[e] = errors[i] + keeps[i] * trace * later[e]
    return found


@dataclass(frozen=True, eq=False)
class Finetuned:
    """What a finetuner achieved.

    Attributes
    ----------
    environment_steps : ndarray of int, (C,)
        Steps of the environment that the learner had used at each checkpoint; 0 at the first.
    episodes : ndarray of int, (C,)
        The same in episodes.
    evaluations : tuple of Evaluation, (C,)
        All from the same first states; the first is the pretrained policy's own.
    policy : Policy or callable
        The policy at the last checkpoint, for the task with a clock.
    """

    environment_steps: NDArray[np.int64]
    episodes: NDArray[np.int64]
    evaluations: tuple[Evaluation, ...]
    policy: Policy | Act

    @property
    def success(self) -> FloatArray:
        """Success rate at each checkpoint, (C,)."""
        return np.array([one.success_rate for one in self.evaluations])


class Checkpoints:
    """Evaluates a learner on one set of first states, and keeps the bill.

    Parameters
    ----------
    task : Task
        With a clock.
    policy : Pretrained
        Evaluated at once, at no cost.
    n_episodes : int
        Of an evaluation, at least 1.
    seed : numpy.random.SeedSequence
        Of all evaluations.

    Raises
    ------
    TypeError, ValueError
        As `evaluate`.
    """

    def __init__(self, task: Task, policy: Pretrained, n_episodes: int, seed: np.random.SeedSequence) -> None:
        self._task, self._n_episodes, self._seed = task, n_episodes, seed
        self._steps, self._episodes = [0], [0]
        self._spent_steps = self._spent_episodes = 0
        self._evaluations = [evaluate(task, lambda seen, rng: policy.act(seen[:, :-1], rng), n_episodes, seed)]

    def spend(self, played: Evaluation) -> None:
        """Put the learner's own episodes on the bill."""
        self._spent_steps += played.environment_steps
        self._spent_episodes += played.n_episodes

    def evaluate(self, act: Act) -> Evaluation:
        """Evaluate the learner as it stands."""
        self._steps.append(self._spent_steps)
        self._episodes.append(self._spent_episodes)
        self._evaluations.append(evaluate(self._task, act, self._n_episodes, self._seed))
        return self._evaluations[-1]

    def result(self, policy: Policy | Act) -> Finetuned:
        """All of it, with the learner's policy."""
        steps, episodes = (validate.frozen(np.array(x, np.int64)) for x in (self._steps, self._episodes))
        return Finetuned(steps, episodes, tuple(self._evaluations), policy)
