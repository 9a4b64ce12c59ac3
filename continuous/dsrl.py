"""DSRL: soft actor-critic whose action is the latent of a frozen diffusion policy's deterministic sampler.

At an input s (observation and clock) the actor draws u = tanh(mean(s) + deviation(s) * w) in [-1, 1]^D, w standard
normal. The latent is z = bound * u, and the environment gets the chunk that the frozen policy makes of z. Each update
takes one step of Adam on each of these losses, averaged over a batch of decisions (s, u, r, s'). Here keep is the
discount, or 0 where the episode has ended, and tau is the temperature:

    critics       (Q_k(s, u) - y)^2 for k = 1, 2,    y = r + keep (min_k Q'_k(s', u') - tau log pi(u' | s'))
    actor         tau log pi(u | s) - min_k Q_k(s, u),    u drawn afresh
    temperature   log(tau) (entropy of pi - D * entropy)

Q' are the targets, Q' <- (1 - target_rate) Q' + target_rate Q. Rewards are the task's own, 0 or 1: with a cost per
step, an early crash would pay. The networks see the clock, so running out of time is an end like any other, and no
value is bootstrapped across it.

References
----------
Wagenmaker et al., Steering your diffusion policy with latent space reinforcement learning, CoRL 2025.
Haarnoja et al., Soft actor-critic algorithms and applications, arXiv 1812.05905.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.finetuning import Checkpoints, Experience, Finetuned, Pretrained, network_inputs, roll_out, with_clock
from continuous.kernels import learning
from continuous.networks import Floats, Network
from continuous.tasks import Task
from theory.base import validate
from theory.base.streams import stream, substream

FloatArray = NDArray[np.float64]

_BLOCK = 64  # updates whose batches and noise are drawn at once


@dataclass(frozen=True, kw_only=True)
class DSRL:
    """Settings of DSRL.

    Parameters
    ----------
    bound : float
        Largest absolute value of a latent's entry, above 0.
    discount : float
        Discount per decision, in (0, 1].
    random_episodes : int
        Episodes before the first updates, at least 1; their latents are standard normal, as the pretrained policy's,
        clipped to the bound.
    rounds : int
        Rounds after these, at least 0; each plays `episodes` episodes and makes `updates` updates.
    episodes : int
        Episodes per round, at least 1.
    updates : int
        Updates per round, and after the random episodes, at least 1.
    batch : int
        Decisions per update, at least 1.
    hidden : tuple of int
        Widths of the hidden layers of the actor and both critics.
    rate : float
        Learning rate of Adam, above 0.
    target_rate : float
        Share by which the critics' targets follow at each update, in (0, 1].
    entropy : float
        Target of the actor's entropy per entry of u; log 2 = 0.69, the uniform distribution's, is the largest.
    temperature : float
        Initial weight tau of the entropy, above 0; it is then tuned to the target.
    evaluate_every : int
        Rounds between two evaluations, at least 1; the last round is always followed by one.
    evaluation_episodes : int
        Episodes per evaluation, at least 1.
    """

    bound: float = 1.5
    discount: float = 0.98
    random_episodes: int = 100
    rounds: int = 16
    episodes: int = 25
    updates: int = 600
    batch: int = 64
    hidden: tuple[int, ...] = (64, 64)
    rate: float = 1e-3
    target_rate: float = 0.02
    entropy: float = -0.5
    temperature: float = 0.01
    evaluate_every: int = 4
    evaluation_episodes: int = 200

    def __post_init__(self) -> None:
        for name in ("bound", "rate", "temperature"):
            validate.real(name, getattr(self, name), above=0.0)
        for name in ("discount", "target_rate"):
            validate.real(name, getattr(self, name), above=0.0, at_most=1.0)
        validate.real("entropy", self.entropy, below=float(np.log(2.0)))
        for name in ("random_episodes", "episodes", "updates", "batch", "evaluate_every", "evaluation_episodes"):
            validate.integer(name, getattr(self, name), at_least=1)
        validate.integer("rounds", self.rounds, at_least=0)


class SoftActorCritic:
    """An actor tanh(N(mean, deviation^2)) in [-1, 1]^D and two critics, with their optimisers.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of inputs and of entries D of an action, at least 1.
    settings : DSRL
    rng : numpy.random.Generator
        Draws the initial networks, then batches and noise.

    Attributes
    ----------
    actor_network, critic_network : Network
        From inputs to D means and D log-deviations; from inputs and action to a value.
    actor, critics : ndarray of float32, (P,) and (2, P')
        Changed in place.
    """

    actor_network: Network
    critic_network: Network
    actor: Floats
    critics: Floats

    def __init__(self, n_in: int, n_out: int, settings: DSRL, rng: np.random.Generator) -> None:
        self._settings, self._rng, self._n_done = settings, rng, 0
        self.actor_network = Network((n_in, *settings.hidden, 2 * n_out))
        self.critic_network = Network((n_in + n_out, *settings.hidden, 1))
        self.actor = self.actor_network.initial(rng)
        self.critics = np.stack([self.critic_network.initial(rng) for _ in range(2)])
        self._targets = self.critics.copy()
        self._actor_moments = np.zeros((2, self.actor.size), np.float32)
        self._first, self._second = np.zeros_like(self.critics), np.zeros_like(self.critics)
        self._temperature = np.array([np.log(settings.temperature), 0.0, 0.0], np.float32)
        self._options = np.array([0.9, 0.999, 1e-8, 1.0 - settings.target_rate, np.inf], np.float32)

    @property
    def temperature(self) -> float:
        """Current weight of the entropy."""
        return float(np.exp(self._temperature[0]))

    def draw(self, inputs: Floats, rng: np.random.Generator | None) -> FloatArray:
        """Draw an action in [-1, 1]^D at each row of the inputs, (n, D); without a generator, tanh of the means."""
        n, D = len(inputs), self.actor_network.sizes[-1] // 2
        heads = self.actor_network.outputs(self.actor, inputs)
        noise = np.zeros((n, D), np.float32) if rng is None else rng.standard_normal((n, D), np.float32)
        actions = np.empty((n, D), np.float32)
        learning.squash(heads, noise, actions, np.empty(n, np.float32))
        return actions.astype(np.float64)

    def train(self, experience: Experience, n_updates: int) -> FloatArray:
        """Update on batches of the experience, whose choices are actions in [-1, 1]^D.

        Returns
        -------
        ndarray, (n_updates, 3)
            The critics' loss, the actor's, and minus the actor's entropy.

        Raises
        ------
        FloatingPointError
            If a loss or a parameter is no longer finite.
        """
        settings, D = self._settings, experience.choices.shape[1]
        keeps = experience.keeps(settings.discount)
        losses = np.empty((n_updates, 3))
        for begin in range(0, n_updates, _BLOCK):
            block = losses[begin : begin + _BLOCK]
            batches = self._rng.integers(len(keeps), size=(len(block), settings.batch))
            noise = self._rng.standard_normal((len(block), 2, settings.batch, D), np.float32)
            learning.train_sac(
                self.actor, self._actor_moments, self.actor_network.widths, self.critics, self._first, self._second,
                self._targets, self.critic_network.widths, self._temperature, experience.inputs, experience.choices,
                experience.rewards, keeps, experience.next_inputs, batches, noise, D * settings.entropy, self._n_done,
                settings.rate, self._options, block,
            )  # fmt: skip
            self._n_done += len(block)
        if not (np.isfinite(losses).all() and np.isfinite(self.actor).all()):
            raise FloatingPointError(f"soft actor-critic diverged after {self._n_done} updates at rate {settings.rate}")
        return losses


@dataclass(frozen=True, eq=False)
class SteeredPolicy:
    """A pretrained policy whose latents an actor chooses; its observations end with the clock.

    Attributes
    ----------
    policy : Pretrained
    agent : SoftActorCritic
    bound : float
    """

    policy: Pretrained
    agent: SoftActorCritic
    bound: float

    def latents(self, observations: FloatArray, rng: np.random.Generator | None) -> FloatArray:
        """Latents within the bound, (n, D): drawn, or tanh of the actor's means if no generator is given."""
        inputs = network_inputs(self.policy.observation_scale, observations)
        return self.bound * self.agent.draw(inputs, rng)

    def act(self, observations: Any, rng: np.random.Generator) -> FloatArray:
        """Chunks of the actor's deterministic latents, (n, chunk, action_dim)."""
        timed = validate.array("observations", observations, shape=(None, None))
        return self.policy.decode(timed[:, :-1], self.latents(timed, None))


def finetune_dsrl(
    task: Task,
    policy: Pretrained,
    settings: DSRL,
    seed: np.random.SeedSequence,
    evaluation_seed: np.random.SeedSequence,
) -> Finetuned:
    """Learn which latents to give to a frozen policy.

    Parameters
    ----------
    task : Task
        Without a clock.
    policy : Pretrained
        Is not changed.
    settings : DSRL
    seed : numpy.random.SeedSequence
        Of the learner and its episodes. It is not changed.
    evaluation_seed : numpy.random.SeedSequence
        Of all evaluations. It is not changed.

    Raises
    ------
    FloatingPointError
        If learning diverges.
    """
    timed = with_clock(task)
    validate.instance("settings", settings, DSRL)
    D, bound = policy.chunk_size, settings.bound
    agent = SoftActorCritic(timed.observation_dim, D, settings, stream(seed, 0))
    steered = SteeredPolicy(policy, agent, bound)
    checkpoints = Checkpoints(timed, policy, settings.evaluation_episodes, evaluation_seed)

    def choose(observations: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        # One draw, denoised once: the latent that is remembered is the one that was played.
        latents = steered.latents(observations, rng)
        return latents / bound, policy.decode(observations[:, :-1], latents)

    def choose_at_random(observations: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        latents = np.clip(rng.standard_normal((len(observations), D)), -bound, bound)
        return latents / bound, policy.decode(observations[:, :-1], latents)

    experience, played = roll_out(
        timed, policy.observation_scale, choose_at_random, settings.random_episodes, substream(seed, 1)
    )
    checkpoints.spend(played)
    agent.train(experience, settings.updates)
    for k in range(settings.rounds):
        new, played = roll_out(timed, policy.observation_scale, choose, settings.episodes, substream(seed, 2 + k))
        checkpoints.spend(played)
        experience += new
        agent.train(experience, settings.updates)
        if (k + 1) % settings.evaluate_every == 0 and k + 1 < settings.rounds:
            checkpoints.evaluate(steered.act)
    checkpoints.evaluate(steered.act)
    return checkpoints.result(steered)
