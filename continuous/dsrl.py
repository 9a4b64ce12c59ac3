"""DSRL: soft actor-critic whose action is the latent of a frozen diffusion policy's deterministic sampler.

At an input s (observation and clock) the actor draws u in [-1, 1]^D. The latent is z = bound * u, or a part of it is
(`continuous.steering`), and the environment gets the chunk that the frozen policy makes of z. The learner, its losses
and its targets over several decisions are in `continuous.soft_actor_critic`. Rewards are the task's own, 0 or 1: with a
cost per step, an early crash would pay. The networks see the clock, so running out of time is an end like any other,
and no value is bootstrapped across it.

References
----------
Wagenmaker et al., Steering your diffusion policy with latent space reinforcement learning, CoRL 2025.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.finetuning import Checkpoints, Finetuned, Pretrained, network_inputs, roll_out, with_clock
from continuous.networks import Floats
from continuous.soft_actor_critic import SoftActorCritic, SoftUpdates
from continuous.steering import RESTS, Steering, random_basis
from continuous.task_model import Task
from theory.base import validate
from theory.base.streams import stream, substream

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DSRL(SoftUpdates):
    """Settings of DSRL, beside those of its learner, `SoftUpdates`.

    The defaults are those with which the recorded tables were computed. Measured beside them, as leads (6 seeds, BC):
    with targets over 10 decisions, uncorrected, and a total entropy of -4.77, success after finetuning rose from 0.13
    to 0.55 at D = 32, where the critics of the defaults diverge, and from 0.55 to 0.74 at D = 4. Targets over 5, 20 and
    all decisions gave 0.40, 0.40 and 0.23 at D = 32. On stick at D = 16 (BC, sigma-BC and PostBC, 1 seed), Retrace over
    10 decisions diverges as the defaults do, perhaps because ratios of 16 entries cut its sums short, and so does (for
    BC and sigma-BC) the total entropy with targets over one decision; an update with Retrace takes 4 to 5 times as
    long. There the subspace of 4 with a rest of 0 did better than a drawn rest (BC 0.63 against 0.34), and a scale made
    up most of it (0.49). An average with decay 0.999 ended above the last iterate in 18 of 34 runs that did not
    diverge, by up to 0.30, and was never more than 0.05 below it.

    Parameters
    ----------
    bound : float
        Largest absolute value of a latent's entry, above 0.
    random_episodes : int
        Episodes before the first updates, at least 1; their latents are standard normal, as the pretrained policy's,
        clipped to the bound.
    rounds : int
        Rounds after these, at least 0; each plays `episodes` episodes and makes `updates` updates.
    episodes : int
        Episodes per round, at least 1.
    updates : int
        Updates per round, and after the random episodes, at least 1.
    steered : int, optional
        Dimension k of the random subspace of latents in which the actor chooses, from 0 to D; all of it if not given.
    rest : {"drawn", "zero"}
        Latent outside the subspace: drawn as the pretrained policy draws it, or 0.
    scales_rest : bool
        Whether the actor also chooses a scale of the rest, in [0, 1]; it needs `steered` and a drawn rest.
    evaluate_draws : bool
        Whether each checkpoint also evaluates the actor's draws, as `Finetuned.draws`, not its middle alone.
    evaluate_every : int
        Rounds between two evaluations, at least 1; the last round is always followed by one.
    evaluation_episodes : int
        Episodes per evaluation, at least 1.
    """

    bound: float = 1.5
    random_episodes: int = 100
    rounds: int = 16
    episodes: int = 25
    updates: int = 600
    steered: int | None = None
    rest: str = "drawn"
    scales_rest: bool = False
    evaluate_draws: bool = False
    evaluate_every: int = 4
    evaluation_episodes: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        validate.real("bound", self.bound, above=0.0)
        for name in ("random_episodes", "episodes", "updates", "evaluate_every", "evaluation_episodes"):
            validate.integer(name, getattr(self, name), at_least=1)
        validate.integer("rounds", self.rounds, at_least=0)
        validate.choice("rest", self.rest, RESTS)
        for name in ("scales_rest", "evaluate_draws"):
            validate.instance(name, getattr(self, name), bool)
        if self.steered is not None:
            # With a scale, the actor has something to choose even if it steers no direction.
            validate.integer("steered", self.steered, at_least=0 if self.scales_rest else 1)
        if self.scales_rest and (self.steered is None or self.rest != "drawn"):
            raise ValueError(f"scales_rest needs steered and a drawn rest; got {self.steered} and {self.rest}")


@dataclass(frozen=True, eq=False)
class SteeredPolicy:
    """A pretrained policy whose latents an actor chooses; its observations end with the clock.

    Attributes
    ----------
    policy : Pretrained
    agent : SoftActorCritic
    steering : Steering
    """

    policy: Pretrained
    agent: SoftActorCritic
    steering: Steering

    def choices(
        self, observations: FloatArray, rng: np.random.Generator | None, actor: Floats | None = None
    ) -> FloatArray:
        """Choices within the bound, (n, n_choices), as `SoftActorCritic.draw`."""
        inputs = network_inputs(self.policy.observation_scale, observations)
        return self.steering.bound * self.agent.draw(inputs, rng, actor)

    def act(self, observations: Any, rng: np.random.Generator) -> FloatArray:
        """Chunks of the middle of the evaluated actor, (n, chunk, action_dim); `rng` draws the latents' rest."""
        timed = validate.array("observations", observations, shape=(None, None))
        return self.decode(timed, self.choices(timed, None, self.agent.evaluated), rng)

    def draw(self, observations: Any, rng: np.random.Generator) -> FloatArray:
        """Chunks that the evaluated actor draws, (n, chunk, action_dim)."""
        timed = validate.array("observations", observations, shape=(None, None))
        return self.decode(timed, self.choices(timed, rng, self.agent.evaluated), rng)

    def decode(self, timed: FloatArray, choices: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Chunks of choices, (n, chunk, action_dim)."""
        return self.policy.decode(timed[:, :-1], self.steering.latents(choices, rng))


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
    steering = _steering(policy.chunk_size, settings, seed)
    agent = SoftActorCritic(timed.observation_dim, steering.n_choices, settings, stream(seed, 0))
    steered = SteeredPolicy(policy, agent, steering)
    draw = steered.draw if settings.evaluate_draws else None
    checkpoints = Checkpoints(timed, policy, settings.evaluation_episodes, evaluation_seed)

    def choose(observations: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        # One draw, denoised once: what is remembered is what was played.
        choices = steered.choices(observations, rng)
        return choices / steering.bound, steered.decode(observations, choices, rng)

    def choose_at_random(observations: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        choices = steering.random_choices(len(observations), rng)
        return choices / steering.bound, steered.decode(observations, choices, rng)

    experience, played = roll_out(
        timed, policy.observation_scale, choose_at_random, settings.random_episodes, substream(seed, 1)
    )
    behaviour = steering.random_log_densities(steering.bound * experience.choices.astype(np.float64))
    checkpoints.spend(played)
    agent.train(experience, settings.updates, behaviour)
    for k in range(settings.rounds):
        new, played = roll_out(timed, policy.observation_scale, choose, settings.episodes, substream(seed, 2 + k))
        checkpoints.spend(played)
        experience += new
        behaviour = np.concatenate([behaviour, agent.log_densities(new)])  # before the actor learns from them
        agent.train(experience, settings.updates, behaviour)
        if (k + 1) % settings.evaluate_every == 0 and k + 1 < settings.rounds:
            checkpoints.evaluate(steered.act, agent.watch(experience), draw=draw)
    checkpoints.evaluate(steered.act, agent.watch(experience), draw=draw)
    return checkpoints.result(steered)


def _steering(size: int, settings: DSRL, seed: np.random.SeedSequence) -> Steering:
    """Steering of latents of so many entries; its subspace has a stream that no episode and no update draws from."""
    if settings.steered is None:
        return Steering(size=size, bound=settings.bound)
    k = validate.integer("steered", settings.steered, at_most=size)
    basis = random_basis(size, k, stream(substream(seed, 0), 0))
    return Steering(size=size, bound=settings.bound, basis=basis, rest=settings.rest, scales_rest=settings.scales_rest)
