"""Best-of-N: a critic is fitted by IQL to the pretrained policy's own episodes, and picks the best of N fresh samples.

Implicit Q-learning fits V and two Q to decisions (s, u, r, s'), where s is observation and clock, u the chunk, and keep
the discount, or 0 where the episode has ended. Each update takes a step of Adam on each of

    V       |expectile - 1[q < V(s)]| (q - V(s))^2,    q = min_k Q'_k(s, u)
    Q_k     (Q_k(s, u) - r - keep V(s'))^2 for k = 1, 2

averaged over a batch; Q' <- (1 - target_rate) Q' + target_rate Q. Only actions that were taken enter the losses. The
policy then draws N chunks and plays the one with the largest min_k Q_k(s, u). Rewards are the task's own, 0 or 1.
Whatever N, it plays no chunk that the pretrained policy would not draw.

References
----------
Kostrikov, Nair and Levine, Offline reinforcement learning with implicit Q-learning, ICLR 2022.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.demonstrations import Scale
from continuous.finetuning import (
    Checkpoints,
    Experience,
    Finetuned,
    Pretrained,
    Watched,
    network_inputs,
    roll_out,
    with_clock,
)
from continuous.kernels import learning
from continuous.networks import Floats, Network
from continuous.returns import largest_return
from continuous.task_model import Task
from continuous.training import Training
from theory.base import validate
from theory.base.streams import stream, substream

FloatArray = NDArray[np.float64]

_BLOCK = 256  # updates whose batches are drawn at once


@dataclass(frozen=True, kw_only=True)
class BestOfN:
    """Settings of Best-of-N.

    Parameters
    ----------
    rollouts : tuple of int
        Total numbers of the pretrained policy's episodes after which a critic is fitted from scratch; increasing, each
        at least 1.
    candidates : tuple of int
        Numbers N of samples to choose from, increasing, each at least 1; each gives a result, from the same critic.
    expectile : float
        Expectile of the values of the actions taken that V fits, in [0.5, 1): 0.5 is their mean.
    discount : float
        Discount per decision, in (0, 1].
    updates : int
        Updates per critic, at least 1. Too few make selection worse than none.
    batch : int
        Decisions per update, at least 1.
    hidden : tuple of int
        Widths of the hidden layers of V and both Q.
    rate : float
        Learning rate of Adam at the start, above 0; it falls along half a cosine.
    target_rate : float
        Share by which the targets follow at each update, in (0, 1].
    evaluation_episodes : int
        Episodes per evaluation, at least 1.
    """

    rollouts: tuple[int, ...] = (1000,)
    candidates: tuple[int, ...] = (4, 16)
    expectile: float = 0.9
    discount: float = 0.98
    updates: int = 10_000
    batch: int = 128
    hidden: tuple[int, ...] = (64, 64)
    rate: float = 1e-3
    target_rate: float = 0.005
    evaluation_episodes: int = 200

    def __post_init__(self) -> None:
        for name in ("rollouts", "candidates"):
            numbers = [validate.integer(name, number, at_least=1) for number in getattr(self, name)]
            if not numbers or sorted(set(numbers)) != numbers:
                raise ValueError(f"{name} must increase and hold a number; got {tuple(numbers)}")
        validate.real("expectile", self.expectile, at_least=0.5, below=1.0)
        for name in ("discount", "target_rate"):
            validate.real(name, getattr(self, name), above=0.0, at_most=1.0)
        for name in ("updates", "batch", "evaluation_episodes"):
            validate.integer(name, getattr(self, name), at_least=1)
        validate.real("rate", self.rate, above=0.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Critic:
    """V and Q, as fitted by IQL.

    Attributes
    ----------
    value_network, critic_network : Network
        V of inputs; Q of inputs and scaled choices.
    value : ndarray of float32, (P,)
    critics : ndarray of float32, (2, P')
    choice_scale : Scale
        Of the chunks in the experience.
    losses : ndarray, (updates, 2)
        V's loss and the mean of both Q's, at each update.
    """

    value_network: Network
    critic_network: Network
    value: Floats
    critics: Floats
    choice_scale: Scale
    losses: FloatArray

    def values(self, inputs: Floats) -> FloatArray:
        """V at inputs (n, O+1), (n,)."""
        return self.value_network.outputs(self.value, inputs)[:, 0].astype(np.float64)

    def action_values(self, inputs: Floats, choices: FloatArray) -> FloatArray:
        """Return the smaller of both Q at inputs (n, O+1) and choices (n, D), (n,)."""
        return np.asarray(self._both(inputs, choices).min(axis=0), np.float64)

    def watch(self, experience: Experience, discount: float) -> Watched:
        """Mean of both Q over the decisions of the experience; `discount` is that of the fit."""
        values = self._both(experience.inputs, experience.choices.astype(np.float64))
        return Watched(
            mean_value=float(values.mean(dtype=np.float64)), largest_return=largest_return(experience, discount)
        )

    def _both(self, inputs: Floats, choices: FloatArray) -> Floats:
        joined = np.column_stack([inputs, self.choice_scale.apply(choices)]).astype(np.float32)
        return np.stack([self.critic_network.outputs(critic, joined)[:, 0] for critic in self.critics])


def fit_critic(experience: Experience, settings: BestOfN, rng: np.random.Generator) -> Critic:
    """Implicit Q-learning on recorded decisions.

    Parameters
    ----------
    experience : Experience
    settings : BestOfN
    rng : numpy.random.Generator
        Draws the initial networks and the batches.

    Raises
    ------
    FloatingPointError
        If training diverges.
    """
    validate.instance("experience", experience, Experience)
    validate.instance("settings", settings, BestOfN)
    return _fit_critic(experience, settings, validate.generator("rng", rng))


def _fit_critic(experience: Experience, settings: BestOfN, rng: np.random.Generator) -> Critic:
    n_in, D = experience.inputs.shape[1], experience.choices.shape[1]
    scale = Scale.of(experience.choices.astype(np.float64))
    choices = scale.apply(experience.choices.astype(np.float64)).astype(np.float32)
    keeps = experience.keeps(settings.discount)
    value_network, critic_network = Network((n_in, *settings.hidden, 1)), Network((n_in + D, *settings.hidden, 1))
    value, critics = value_network.initial(rng), np.stack([critic_network.initial(rng) for _ in range(2)])
    targets, first, second = critics.copy(), np.zeros_like(critics), np.zeros_like(critics)
    moments = np.zeros((2, value.size), np.float32)
    options = np.array([0.9, 0.999, 1e-8, 1.0 - settings.target_rate, np.inf], np.float32)
    training = Training(n_steps=settings.updates, batch=settings.batch, rate=settings.rate)
    losses = np.empty((settings.updates, 2))
    for begin in range(0, settings.updates, _BLOCK):
        block = losses[begin : begin + _BLOCK]
        batches = rng.integers(len(choices), size=(len(block), settings.batch))
        learning.train_iql(
            value, moments, value_network.widths, critics, first, second, targets, critic_network.widths,
            experience.inputs, choices, experience.rewards, keeps, experience.next_inputs, batches, settings.expectile,
            begin, training.rates(begin, begin + len(block)), options, block,
        )  # fmt: skip
    if not np.isfinite(losses).all():
        raise FloatingPointError(f"implicit Q-learning diverged within {settings.updates} updates")
    return Critic(
        value_network=value_network,
        critic_network=critic_network,
        value=value,
        critics=critics,
        choice_scale=scale,
        losses=losses,
    )


@dataclass(frozen=True, eq=False)
class SelectingPolicy:
    """Plays the chunk of highest value of N that the pretrained policy draws; its observations end with the clock.

    Attributes
    ----------
    policy : Pretrained
    critic : Critic
    n_candidates : int
    """

    policy: Pretrained
    critic: Critic
    n_candidates: int

    def act(self, observations: Any, rng: np.random.Generator) -> FloatArray:
        """Draw N chunks at each observation (n, O+1) and keep the best, (n, chunk, action_dim)."""
        timed = validate.array("observations", observations, shape=(None, None))
        n, N = len(timed), self.n_candidates
        chunks = self.policy.act(np.repeat(timed[:, :-1], N, axis=0), rng)
        inputs = np.repeat(network_inputs(self.policy.observation_scale, timed), N, axis=0)
        values = self.critic.action_values(inputs, chunks.reshape(n * N, -1)).reshape(n, N)
        best: FloatArray = chunks.reshape(n, N, *chunks.shape[1:])[np.arange(n), values.argmax(axis=1)]
        return best


def finetune_best_of_n(
    task: Task,
    policy: Pretrained,
    settings: BestOfN,
    seed: np.random.SeedSequence,
    evaluation_seed: np.random.SeedSequence,
) -> tuple[Finetuned, ...]:
    """Roll out, fit a critic, select: a result for each number of candidates, with a checkpoint per number of rollouts.

    Parameters
    ----------
    task : Task
        Without a clock.
    policy : Pretrained
        Is not changed.
    settings : BestOfN
    seed : numpy.random.SeedSequence
        Of rollouts and critics. It is not changed.
    evaluation_seed : numpy.random.SeedSequence
        Of all evaluations. It is not changed.

    Raises
    ------
    FloatingPointError
        If training diverges.
    """
    timed = with_clock(task)
    validate.instance("settings", settings, BestOfN)

    def choose(observations: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        chunks = policy.act(observations[:, :-1], rng)
        return chunks.reshape(len(chunks), -1), chunks

    curves = [Checkpoints(timed, policy, settings.evaluation_episodes, evaluation_seed) for _ in settings.candidates]
    experience, selecting, n_played = None, [], 0
    for k, total in enumerate(settings.rollouts):
        new, played = roll_out(timed, policy.observation_scale, choose, total - n_played, substream(seed, 2 * k))
        experience, n_played = new if experience is None else experience + new, total
        critic = _fit_critic(experience, settings, stream(seed, 2 * k + 1))
        selecting = [SelectingPolicy(policy, critic, N) for N in settings.candidates]
        watched = critic.watch(experience, settings.discount)
        for curve, selected in zip(curves, selecting, strict=True):
            curve.spend(played)
            curve.evaluate(selected.act, watched)
    return tuple(curve.result(selected) for curve, selected in zip(curves, selecting, strict=True))
