"""DPPO: proximal policy optimisation where each of the last denoising steps is a Gaussian action of an inner process.

The first steps of a chunk's chain are the pretrained denoiser's, and stay so; the last ones are a copy's, which learns.
All its steps are in the objective by their own ratios, with the advantage of the chunk, less for the earlier ones.

References
----------
Ren et al., Diffusion policy policy optimization, ICLR 2025.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.cloning import ClonedPolicy
from continuous.finetuning import Checkpoints, Experience, Finetuned, advantages, roll_out, with_clock
from continuous.kernels import learning
from continuous.networks import Floats, Network
from continuous.samplers import Denoise, ancestral
from continuous.tasks import Task
from continuous.training import Optimiser, Training
from theory.base import validate
from theory.base.streams import stream, substream

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class DPPO:
    """Settings of DPPO.

    Parameters
    ----------
    iterations : int
        At least 0: rounds of episodes and updates.
    episodes : int
        At least 1, of a round.
    learnt_steps : int
        At least 1: denoising steps that learn, the last ones of a chain.
    epochs, batch : int
        At least 1: passes over the steps of a round, and steps in a batch.
    clip : float
        In (0, 1): largest change of a ratio that is rewarded.
    discount, trace, step_discount : float
        In (0, 1]: of a decision; decay of the advantage's sum (lambda); of the advantage for each step before the last.
    floor : float
        Above 0: least deviation of a step while learning, in units of a chunk's.
    rate, value_rate : float
        Adam's, above 0, of the denoiser and of V.
    hidden : tuple of int
        Widths of V's hidden layers.
    evaluate_every : int
        At least 1: rounds between two evaluations; the last round is always followed by one.
    evaluation_episodes : int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.
    """

    iterations: int = 30
    episodes: int = 50
    learnt_steps: int = 4
    epochs: int = 5
    batch: int = 500
    clip: float = 0.1
    discount: float = 0.98
    trace: float = 0.95
    step_discount: float = 0.95
    floor: float = 0.1
    rate: float = 3e-4
    value_rate: float = 1e-3
    hidden: tuple[int, ...] = (128, 128)
    evaluate_every: int = 5
    evaluation_episodes: int = 200

    def __post_init__(self) -> None:
        validate.integer("iterations", self.iterations, at_least=0)
        for name in ("episodes", "learnt_steps", "epochs", "batch", "evaluate_every", "evaluation_episodes"):
            validate.integer(name, getattr(self, name), at_least=1)
        validate.real("clip", self.clip, above=0.0, below=1.0)
        for name in ("discount", "trace", "step_discount"):
            validate.real(name, getattr(self, name), above=0.0, at_most=1.0)
        for name in ("floor", "rate", "value_rate"):
            validate.real(name, getattr(self, name), above=0.0)


@dataclass(frozen=True, eq=False)
class DenoisingPolicy:
    """A cloned policy whose last denoising steps are another network's; it sees a clock, and does not look at it.

    Attributes
    ----------
    first, last : ClonedPolicy
        Whose denoiser makes the first steps, and the last ones.
    learnt_steps : int
        How many those are.
    """

    first: ClonedPolicy
    last: ClonedPolicy
    learnt_steps: int

    def chain(self, observations: FloatArray, rng: np.random.Generator, floor: float) -> FloatArray:
        """Chain of a chunk at each observation (n, O+1), (n_steps+1, n, D), standardised."""
        n_steps, path = self.first.n_steps, self.first.denoiser.path
        scaled = self.first.observation_scale.apply(observations[:, :-1])
        early, late = self.first.denoiser.at(scaled), self.last.denoiser.at(scaled)
        latents = rng.standard_normal((len(scaled), self.first.chunk_size))
        begins = path.steps(n_steps).noise[-self.learnt_steps]

        def denoise(noisy: FloatArray, signal: float, noise: float) -> FloatArray:
            chosen: Denoise = late if noise <= begins else early
            return chosen(noisy, signal, noise)

        return ancestral(denoise, latents, path, n_steps, rng, floor=floor)

    def act(self, observations: Any, rng: np.random.Generator) -> FloatArray:
        """Draw a chunk at each observation, without the floor, (n, chunk, act_dim)."""
        seen = validate.array("observations", observations, shape=(None, None))
        return self.first.finished(self.chain(seen, rng, 0.0)[-1])


@dataclass(frozen=True, eq=False)
class InnerSteps:
    """Denoising steps as Gaussian actions, R in all: next is normal with mean offset + slope * network(inputs).

    Attributes
    ----------
    inputs : ndarray, (R, n_in)
    offsets, nexts : ndarray, (R, D)
    slopes, deviations : ndarray, (R,)
    """

    inputs: Floats
    offsets: Floats
    nexts: Floats
    slopes: Floats
    deviations: Floats

    def log_densities(self, network: Network, parameters: Floats) -> Floats:
        """Log-density of each next one, (R,)."""
        out = np.empty(len(self.inputs), parameters.dtype)
        table = (self.inputs, self.offsets, self.nexts, self.slopes, self.deviations)
        learning.step_log_densities(parameters, network.widths, *table, out)
        return out


def inner_steps(policy: ClonedPolicy, scaled: FloatArray, chains: FloatArray, floor: float) -> InnerSteps:
    """Take the last steps of chains apart.

    Parameters
    ----------
    policy : ClonedPolicy
    scaled : ndarray, (M, observation_dim)
        Standardised observations.
    chains : ndarray, (M, K+1, D)
        What the last K steps began with, and their result.
    floor : float
        As when the chains were drawn.

    Returns
    -------
    InnerSteps
        Of M * K rows: all K steps of the first chain, then those of the next.
    """
    M, K, D = chains.shape[0], chains.shape[1] - 1, chains.shape[2]
    steps = policy.denoiser.path.steps(policy.n_steps, fresh=True, floor=floor)
    signal, noise, keep, take, deviation = (np.tile(column[-K:], M) for column in steps)
    noisy = chains[:, :-1].reshape(M * K, D)
    inputs, skip, share = policy.denoiser.affine(np.repeat(scaled, K, axis=0), noisy, signal, noise)
    dtype = policy.denoiser.parameters.dtype
    return InnerSteps(
        inputs,
        ((keep + take * skip)[:, None] * noisy).astype(dtype),
        chains[:, 1:].reshape(M * K, D).astype(dtype),
        (take * share).astype(dtype),
        deviation.astype(dtype),
    )


class ProximalLearner:
    """The denoiser that learns, its V, and their optimisers.

    Parameters
    ----------
    policy : ClonedPolicy
        Pretrained; it is not changed.
    settings : DPPO
    rng : numpy.random.Generator
        Draws V, and then batches.

    Attributes
    ----------
    parameters : ndarray, (P,)
        Of the denoiser that learns; changed in place.
    """

    parameters: Floats

    def __init__(self, policy: ClonedPolicy, settings: DPPO, rng: np.random.Generator) -> None:
        self._policy, self._settings, self._rng, self._done = policy, settings, rng, 0
        self.parameters = policy.denoiser.parameters.copy()
        self._first, self._second = np.zeros_like(self.parameters), np.zeros_like(self.parameters)
        self._options = np.array([0.9, 0.999, 1e-8, 0.0, np.inf], self.parameters.dtype)
        network = Network((policy.observation_scale.mean.size + 1, *settings.hidden, 1))
        self._value = Optimiser(network, Training(1, 1, settings.value_rate, 1.0), network.initial(rng))

    @property
    def policy(self) -> DenoisingPolicy:
        """The policy as it stands, by its own copy of the parameters."""
        learnt = replace(self._policy.denoiser, parameters=self.parameters.copy())
        return DenoisingPolicy(self._policy, replace(self._policy, denoiser=learnt), self._settings.learnt_steps)

    def train(self, experience: Experience) -> FloatArray:
        """Learn from one round, whose choices are the chains' last K+1 members in a row.

        Returns
        -------
        ndarray, (updates, 3)
            Minus the clipped objective, the mean ratio and the clipped share, before each update.

        Raises
        ------
        FloatingPointError
            If a loss or a parameter is no longer finite.
        """
        settings, K = self._settings, self._settings.learnt_steps
        network = self._value.network
        values, next_values = (
            network.outputs(self._value.parameters, x)[:, 0].astype(np.float64)
            for x in (experience.inputs, experience.next_inputs)
        )
        gained = advantages(experience, values, next_values, settings.discount, settings.trace)
        goals = (gained + values)[:, None].astype(np.float32)
        M = len(gained)
        self._value.train(experience.inputs, goals, _batches(M, settings.batch, settings.epochs * K, self._rng))
        centred = (gained - gained.mean()) / (gained.std() + 1e-8)
        share = settings.step_discount ** np.arange(K - 1, -1, -1)
        scaled = experience.inputs[:, :-1].astype(np.float64)
        chains = experience.choices.astype(np.float64).reshape(M, K + 1, -1)
        steps = inner_steps(self._policy, scaled, chains, settings.floor)
        denoiser = self._policy.denoiser
        old = steps.log_densities(denoiser.network, self.parameters)
        weight = np.outer(centred, share).reshape(-1)
        scalars = np.column_stack([steps.slopes, steps.deviations, old, weight]).astype(self.parameters.dtype)
        batches = _batches(M * K, settings.batch, settings.epochs, self._rng)
        losses = np.empty((len(batches), 3))
        learning.train_ppo(
            self.parameters, self._first, self._second, denoiser.network.widths, steps.inputs, steps.offsets,
            steps.nexts, scalars, batches, settings.clip, self._done, settings.rate, self._options, losses,
        )  # fmt: skip
        self._done += len(batches)
        if not (np.isfinite(losses).all() and np.isfinite(self.parameters).all()):
            raise FloatingPointError(f"PPO diverged after {self._done} updates at rate {settings.rate}")
        return losses


def _batches(n: int, batch: int, epochs: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Batches of one size that go through all rows in each epoch, but for a rest; one of all rows where n is small."""
    size = min(n, batch)
    return np.concatenate([rng.permutation(n)[: n // size * size].reshape(-1, size) for _ in range(epochs)])


def finetune_dppo(
    task: Task,
    policy: ClonedPolicy,
    settings: DPPO,
    seed: np.random.SeedSequence,
    evaluation_seed: np.random.SeedSequence,
) -> Finetuned:
    """Improve the last denoising steps of a policy by PPO.

    Parameters
    ----------
    task : Task
        Without a clock.
    policy : ClonedPolicy
        Of at least as many denoising steps as learn.
    settings : DPPO
    seed : numpy.random.SeedSequence
        Of the learner and its episodes. It is not changed.
    evaluation_seed : numpy.random.SeedSequence
        Of all evaluations. It is not changed.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range, or the policy does not fit the task.
    FloatingPointError
        If learning diverges.
    """
    timed = with_clock(task)
    validate.instance("policy", policy, ClonedPolicy)
    K = validate.instance("settings", settings, DPPO).learnt_steps
    if policy.n_steps < K:
        raise ValueError(f"learnt_steps must be at most the policy's denoising steps, {policy.n_steps}; got {K}")
    learner = ProximalLearner(policy, settings, stream(seed, 0))
    checkpoints = Checkpoints(timed, policy, settings.evaluation_episodes, evaluation_seed)
    current = learner.policy

    def choose(observations: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        chain = current.chain(observations, rng, settings.floor)
        return chain[-K - 1 :].transpose(1, 0, 2).reshape(len(observations), -1), policy.finished(chain[-1])

    for k in range(settings.iterations):
        experience, played = roll_out(
            timed, policy.observation_scale, choose, settings.episodes, substream(seed, 1 + k)
        )
        checkpoints.spend(played)
        learner.train(experience)
        current = learner.policy
        if (k + 1) % settings.evaluate_every == 0 or k + 1 == settings.iterations:
            checkpoints.evaluate(current.act)
    return checkpoints.result(current)
