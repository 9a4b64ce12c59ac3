"""What the three finetuners share: the clock, recorded decisions, and the form of their results.

A finetuner starts from a pretrained policy, which it never changes, and learns only from its own episodes. Their cost
is counted in steps of the environment. Tasks end after a fixed time, so the remaining share of the time is an input
in addition to the observation, and every end of an episode is a true end: no value is bootstrapped across it. Every
success rate comes from `evaluation.evaluate`.
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
"""(observations (n, O+1), rng) -> choices as the learner records them, (n, D), and chunks (n, chunk, action_dim)."""


class Pretrained(Protocol):
    """A pretrained policy with a deterministic sampler, such as `cloning.ClonedPolicy`."""

    @property
    def observation_scale(self) -> Scale:
        """Scale of its observations."""

    @property
    def chunk_size(self) -> int:
        """Entries D of a chunk and of its latent."""

    def act(self, observations: Any, rng: np.random.Generator, /) -> FloatArray:
        """Draw a chunk at each observation."""

    def decode(self, observations: Any, latents: Any, /) -> FloatArray:
        """Chunks that the sampler makes of latents (n, D), (n, chunk, action_dim)."""


def with_clock(task: Task) -> Task:
    """Return the task with one more observed number, the last: the share of the steps that is left.

    Parameters
    ----------
    task : Task
    """
    validate.instance("task", task, Task)

    def observation(states: FloatArray) -> FloatArray:
        return np.column_stack([task.observation(states), 1.0 - states[:, dynamics.TIME] / task.horizon])

    return replace(task, observation_dim=task.observation_dim + 1, observation=observation, bound=max(1.0, task.bound))


def network_inputs(scale: Scale, observations: FloatArray) -> Floats:
    """Observations with a clock (n, O+1), scaled for a learner's networks; the clock goes from 1 to -1."""
    return np.column_stack([scale.apply(observations[:, :-1]), 2.0 * observations[:, -1] - 1.0]).astype(np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Experience:
    """M decisions of a learner's episodes.

    Attributes
    ----------
    inputs, next_inputs : ndarray of float32, (M, O+1)
        Of the learner's networks before and after a decision, as `network_inputs`.
    choices : ndarray of float32, (M, D)
        What was chosen, in the learner's own units.
    rewards : ndarray of float32, (M, 1)
        Sum over the steps of the decision.
    ended : ndarray of bool, (M, 1)
        Whether the episode has ended after it.
    episodes : ndarray of int, (M,)
        Episode of each decision; the decisions of an episode are in the order of time.
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
        """Both, one after the other; the episodes of the second are numbered after those of the first."""
        later = other.episodes + (self.episodes.max() + 1 if self.episodes.size else 0)
        return Experience(
            inputs=np.concatenate([self.inputs, other.inputs]),
            choices=np.concatenate([self.choices, other.choices]),
            rewards=np.concatenate([self.rewards, other.rewards]),
            next_inputs=np.concatenate([self.next_inputs, other.next_inputs]),
            ended=np.concatenate([self.ended, other.ended]),
            episodes=np.concatenate([self.episodes, later]),
        )


def roll_out(
    task: Task, scale: Scale, choose: Choose, n_episodes: int, seed: np.random.SeedSequence
) -> tuple[Experience, Evaluation]:
    """Play episodes and record each decision.

    Parameters
    ----------
    task : Task
        With a clock.
    scale : Scale
        Of the observations without the clock.
    choose : callable
        See `Choose`.
    n_episodes : int
        At least 1.
    seed : numpy.random.SeedSequence
        As for `evaluate`.
    """
    choices: list[FloatArray] = []
    decisions: list[Decision] = []

    def act(observations: FloatArray, rng: np.random.Generator) -> FloatArray:
        choice, chunk = choose(observations, rng)
        choices.append(choice)
        return chunk

    played = evaluate(task, act, n_episodes, seed, record=decisions.append)
    experience = Experience(
        inputs=network_inputs(scale, np.concatenate([d.observations for d in decisions])),
        choices=np.concatenate(choices).astype(np.float32),
        rewards=np.concatenate([d.rewards for d in decisions]).astype(np.float32)[:, None],
        next_inputs=network_inputs(scale, np.concatenate([d.next_observations for d in decisions])),
        ended=np.concatenate([d.ended for d in decisions])[:, None],
        episodes=np.concatenate([d.episodes for d in decisions]),
    )
    return experience, played


def advantages(
    experience: Experience, values: FloatArray, next_values: FloatArray, discount: float, trace: float
) -> FloatArray:
    """Generalised advantages of the decisions, (M,): sum over k >= 0 of (discount * trace)^k e_{t+k}.

    Here e_t = r_t + keep_t V(s_{t+1}) - V(s_t), and the sum ends with the episode.

    Parameters
    ----------
    experience : Experience
    values, next_values : ndarray, (M,)
        V before and after each decision; the latter is used where the episode goes on.
    discount, trace : float
        In [0, 1].

    References
    ----------
    Schulman et al., High-dimensional continuous control using generalized advantage estimation, ICLR 2016.
    """
    keeps = experience.keeps(discount)[:, 0].astype(np.float64)
    errors = experience.rewards[:, 0] + keeps * next_values - values
    gains, later = np.empty(len(errors)), np.zeros(int(experience.episodes.max()) + 1)
    for i in range(len(errors) - 1, -1, -1):  # decisions of several episodes alternate: each episode has its own sum
        episode = experience.episodes[i]
        gains[i] = later[episode] = errors[i] + keeps[i] * trace * later[episode]
    return gains


@dataclass(frozen=True, eq=False, kw_only=True)
class Finetuned:
    """Result of a finetuner: its learning curve at C checkpoints, and its policy.

    Attributes
    ----------
    environment_steps : ndarray of int, (C,)
        Steps of the environment that the learner had used at each checkpoint; 0 at the first.
    episodes : ndarray of int, (C,)
        The same in episodes.
    evaluations : tuple of Evaluation, (C,)
        All from the same first states; the first is that of the pretrained policy.
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
        return np.array([evaluation.success_rate for evaluation in self.evaluations])


class Checkpoints:
    """Evaluates a learner, always from the same first states, and counts what its own episodes cost.

    Parameters
    ----------
    task : Task
        With a clock.
    policy : Pretrained
        Evaluated in the constructor, as the first checkpoint.
    n_episodes : int
        Episodes per evaluation, at least 1.
    seed : numpy.random.SeedSequence
        Of all evaluations.
    """

    def __init__(self, task: Task, policy: Pretrained, n_episodes: int, seed: np.random.SeedSequence) -> None:
        self._task, self._n_episodes, self._seed = task, n_episodes, seed
        self._steps, self._episodes = [0], [0]
        self._spent_steps = self._spent_episodes = 0
        self._evaluations = [evaluate(task, lambda timed, rng: policy.act(timed[:, :-1], rng), n_episodes, seed)]

    def spend(self, played: Evaluation) -> None:
        """Add the cost of the learner's own episodes."""
        self._spent_steps += played.environment_steps
        self._spent_episodes += played.n_episodes

    def evaluate(self, act: Act) -> Evaluation:
        """Add a checkpoint: evaluate the current policy."""
        self._steps.append(self._spent_steps)
        self._episodes.append(self._spent_episodes)
        self._evaluations.append(evaluate(self._task, act, self._n_episodes, self._seed))
        return self._evaluations[-1]

    def result(self, policy: Policy | Act) -> Finetuned:
        """All checkpoints, with the learner's final policy."""
        steps, episodes = (validate.frozen(np.array(counts, np.int64)) for counts in (self._steps, self._episodes))
        return Finetuned(
            environment_steps=steps, episodes=episodes, evaluations=tuple(self._evaluations), policy=policy
        )
