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
from continuous.task_model import Task
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


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a learner's critics say of its experience, which shows whether they have diverged.

    Attributes
    ----------
    mean_value : float
        Mean over the decisions of the experience of Q (of both critics), or of V for a learner that has no Q.
    largest_return : float
        Largest discounted return that the rewards seen allow, see `returns.largest_return`. Rewards alone: where a
        critic also counts the actor's entropy, a mean beyond it says that entropy has outgrown the rewards.
    temperature : float
        Weight of the entropy; NaN for a learner without one.
    """

    mean_value: float
    largest_return: float
    temperature: float = float("nan")

    @property
    def diverged(self) -> bool:
        """Whether the mean value is beyond every return."""
        return self.mean_value > self.largest_return


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
    draws : tuple of Evaluation, (C,)
        Of what the learner draws, where `evaluations` are of the middle of it; empty if it was not evaluated.
    watched : tuple of Watched, (C-1,)
        The critics at each checkpoint but the first.
    """

    environment_steps: NDArray[np.int64]
    episodes: NDArray[np.int64]
    evaluations: tuple[Evaluation, ...]
    policy: Policy | Act
    draws: tuple[Evaluation, ...] = ()
    watched: tuple[Watched, ...] = ()

    @property
    def success(self) -> FloatArray:
        """Success rate at each checkpoint, (C,)."""
        return np.array([evaluation.success_rate for evaluation in self.evaluations])

    @property
    def drawn_success(self) -> FloatArray:
        """Success rate of what the learner draws at each checkpoint, (C,), or (0,) if it was not evaluated."""
        return np.array([evaluation.success_rate for evaluation in self.draws])

    @property
    def diverged_critics(self) -> bool:
        """Whether the critics' mean value was beyond every return at some checkpoint."""
        return any(watched.diverged for watched in self.watched)


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
    first : callable, optional
        What is evaluated as the first checkpoint, given observations with a clock, in place of `policy.act`.
    """

    def __init__(
        self,
        task: Task,
        policy: Pretrained,
        n_episodes: int,
        seed: np.random.SeedSequence,
        *,
        first: Act | None = None,
    ) -> None:
        self._task, self._n_episodes, self._seed = task, n_episodes, seed
        self._steps, self._episodes = [0], [0]
        self._spent_steps = self._spent_episodes = 0
        begin = (lambda timed, rng: policy.act(timed[:, :-1], rng)) if first is None else first
        self._evaluations = [evaluate(task, begin, n_episodes, seed)]
        self._draws = self._evaluations[:]  # the pretrained policy draws
        self._watched: list[Watched] = []

    def spend(self, played: Evaluation) -> None:
        """Add the cost of the learner's own episodes."""
        self._spent_steps += played.environment_steps
        self._spent_episodes += played.n_episodes

    def evaluate(self, act: Act, watched: Watched, *, draw: Act | None = None) -> Evaluation:
        """Add a checkpoint: evaluate the current policy, and what it draws if `draw` is given at each checkpoint."""
        self._steps.append(self._spent_steps)
        self._episodes.append(self._spent_episodes)
        self._evaluations.append(evaluate(self._task, act, self._n_episodes, self._seed))
        self._watched.append(watched)
        if draw is not None:
            self._draws.append(evaluate(self._task, draw, self._n_episodes, self._seed))
        return self._evaluations[-1]

    def result(self, policy: Policy | Act) -> Finetuned:
        """All checkpoints, with the learner's final policy."""
        steps, episodes = (validate.frozen(np.array(counts, np.int64)) for counts in (self._steps, self._episodes))
        return Finetuned(
            environment_steps=steps,
            episodes=episodes,
            evaluations=tuple(self._evaluations),
            policy=policy,
            draws=tuple(self._draws) if len(self._draws) == len(self._evaluations) > 1 else (),
            watched=tuple(self._watched),
        )
