"""DPPO: proximal policy optimisation where each of the last denoising steps is a Gaussian action of an inner process.

A chunk is drawn along a chain y_0, ..., y_n by ancestral steps (`continuous.samplers`); its last K steps are

    y_{k+1} ~ N(offset_k + slope_k F(inputs_k), deviation_k^2 I),    deviation_k at least `floor`.

The first n - K steps use the pretrained network and never change; the last K use a copy F of it, which learns. Each
round maximises, over all K steps of all decisions of its episodes,

    min(ratio A, clip(ratio, 1 - clip, 1 + clip) A)

by Adam, where ratio is the density of y_{k+1} under F over that when it was drawn, and A = step_discount^j times the
decision's advantage, standardised over the round, at the step with j steps after it. Advantages are generalised ones
(`returns.advantages`) of a value network V, fitted by squared error to advantage + V.

References
----------
Ren et al., Diffusion policy policy optimization, ICLR 2025.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.cloning import ClonedPolicy
from continuous.finetuning import Checkpoints, Experience, Finetuned, Watched, roll_out, with_clock
from continuous.kernels import learning
from continuous.networks import Floats, Network
from continuous.returns import advantages, largest_return
from continuous.samplers import Denoise, ancestral_by
from continuous.task_model import Task
from continuous.training import Optimiser, Training
from theory.base import validate
from theory.base.streams import stream, substream

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DPPO:
    """Settings of DPPO.

    Parameters
    ----------
    iterations : int
        Rounds of episodes and updates, at least 0.
    episodes : int
        Episodes per round, at least 1.
    learnt_steps : int
        Denoising steps K that learn, the last ones of a chain, at least 1.
    epochs : int
        Passes over the steps of a round, at least 1.
    batch : int
        Denoising steps per update, at least 1.
    clip : float
        Largest change of a ratio that is rewarded, in (0, 1).
    discount : float
        Discount per decision, in (0, 1].
    trace : float
        Decay lambda of the generalised advantage, in (0, 1].
    step_discount : float
        Factor of the advantage per denoising step before the last, in (0, 1].
    floor : float
        Smallest deviation of a step while learning, in units of a chunk's, above 0.
    rate : float
        Learning rate of the denoiser, above 0.
    value_rate : float
        Learning rate of V, above 0.
    hidden : tuple of int
        Widths of V's hidden layers.
    evaluate_every : int
        Rounds between two evaluations, at least 1; the last round is always followed by one.
    evaluation_episodes : int
        Episodes per evaluation, at least 1.
    first_sampler : {"deterministic", "ancestral"}
        How the pretrained policy acts at the first checkpoint. All later ones draw by ancestral steps, which is what
        learns; so with the deterministic sampler an untrained learner seems to gain or lose (on stick, sigma-BC with
        sigma = 0.2: 0.08 [0.05, 0.11]).
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
    first_sampler: str = "deterministic"

    def __post_init__(self) -> None:
        validate.choice("first_sampler", self.first_sampler, ("deterministic", "ancestral"))
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
    """A cloned policy whose last denoising steps use another network; it drops the clock from its observations.

    Attributes
    ----------
    first, last : ClonedPolicy
        The policies whose denoisers make the first and the last steps.
    learnt_steps : int
        Number of the last steps.
    """

    first: ClonedPolicy
    last: ClonedPolicy
    learnt_steps: int

    def chain(self, observations: FloatArray, rng: np.random.Generator, floor: float) -> FloatArray:
        """Chain of a chunk at each observation (n, O+1), (n_steps+1, n, D), standardised; nothing is checked."""
        steps = self.first.ancestral_steps(floor)
        scaled = self.first.observation_scale.apply(observations[:, :-1])
        pretrained, learnt = self.first.denoiser.at_rows(scaled), self.last.denoiser.at_rows(scaled)
        latents = rng.standard_normal((len(scaled), self.first.chunk_size))
        first_learnt = steps.noise[-self.learnt_steps]

        def denoise(noisy: FloatArray, signal: float, noise: float) -> FloatArray:
            network: Denoise = learnt if noise <= first_learnt else pretrained
            return network(noisy, signal, noise)

        return ancestral_by(denoise, latents, steps, rng)

    def act(self, observations: Any, rng: np.random.Generator) -> FloatArray:
        """Draw a chunk at each observation (n, O+1), with floor 0, (n, chunk, action_dim)."""
        timed = validate.array("observations", observations, shape=(None, self.first.observation_scale.mean.size + 1))
        return self.first.finished(self.chain(timed, rng, 0.0)[-1])


@dataclass(frozen=True, eq=False, kw_only=True)
class InnerSteps:
    """R denoising steps as Gaussian actions: next is normal with mean offset + slope * network(inputs).

    Attributes
    ----------
    inputs : ndarray, (R, n_in)
        Of the denoiser's network.
    offsets, nexts : ndarray, (R, D)
    slopes, deviations : ndarray, (R,)
    """

    inputs: Floats
    offsets: Floats
    nexts: Floats
    slopes: Floats
    deviations: Floats

    def log_densities(self, network: Network, parameters: Floats) -> Floats:
        """Log-density of each step's outcome, (R,)."""
        out = np.empty(len(self.inputs), parameters.dtype)
        table = (self.inputs, self.offsets, self.nexts, self.slopes, self.deviations)
        learning.step_log_densities(parameters, network.widths, *table, out)
        return out


def inner_steps(policy: ClonedPolicy, scaled: FloatArray, chains: FloatArray, floor: float) -> InnerSteps:
    """Write the last steps of chains as Gaussian actions.

    Parameters
    ----------
    policy : ClonedPolicy
    scaled : ndarray, (M, observation_dim)
        Standardised observations.
    chains : ndarray, (M, K+1, D)
        The last K+1 levels of each chain.
    floor : float
        That with which the chains were drawn.

    Returns
    -------
    InnerSteps
        M * K rows: all K steps of the first chain, then those of the next.
    """
    M, K, D = chains.shape[0], chains.shape[1] - 1, chains.shape[2]
    steps = policy.ancestral_steps(floor)
    columns = (steps.signal, steps.noise, steps.keep, steps.take, steps.deviation)
    signal, noise, keep, take, deviation = (np.tile(column[-K:], M) for column in columns)
    noisy = chains[:, :-1].reshape(M * K, D)
    inputs, skip, share = policy.denoiser.affine_rows(np.repeat(scaled, K, axis=0), noisy, signal, noise)
    dtype = policy.denoiser.parameters.dtype
    return InnerSteps(
        inputs=inputs,
        offsets=((keep + take * skip)[:, None] * noisy).astype(dtype),
        nexts=chains[:, 1:].reshape(M * K, D).astype(dtype),
        slopes=(take * share).astype(dtype),
        deviations=deviation.astype(dtype),
    )


class ProximalLearner:
    """The learning denoiser, its value network V, and their optimisers.

    Parameters
    ----------
    policy : ClonedPolicy
        Pretrained; it is not changed.
    settings : DPPO
    rng : numpy.random.Generator
        Draws the initial V, then batches.

    Attributes
    ----------
    parameters : ndarray, (P,)
        Of the learning denoiser; changed in place.
    """

    parameters: Floats

    def __init__(self, policy: ClonedPolicy, settings: DPPO, rng: np.random.Generator) -> None:
        self._policy, self._settings, self._rng, self._n_done = policy, settings, rng, 0
        self.parameters = policy.denoiser.parameters.copy()
        self._first, self._second = np.zeros_like(self.parameters), np.zeros_like(self.parameters)
        self._options = np.array([0.9, 0.999, 1e-8, 0.0, np.inf], self.parameters.dtype)
        network = Network((policy.observation_scale.mean.size + 1, *settings.hidden, 1))
        constant_rate = Training(n_steps=1, batch=1, rate=settings.value_rate, last_rate=1.0)
        self._value = Optimiser(network, constant_rate, network.initial(rng))

    @property
    def policy(self) -> DenoisingPolicy:
        """The current policy, with a copy of the parameters."""
        learnt = replace(self._policy.denoiser, parameters=self.parameters.copy())
        return DenoisingPolicy(self._policy, replace(self._policy, denoiser=learnt), self._settings.learnt_steps)

    def watch(self, experience: Experience) -> Watched:
        """Mean of V over the decisions of a round."""
        values = self._value.network.outputs(self._value.parameters, experience.inputs)
        return Watched(
            mean_value=float(values.mean(dtype=np.float64)),
            largest_return=largest_return(experience, self._settings.discount),
        )

    def train(self, experience: Experience) -> FloatArray:
        """Learn from one round; a choice is the last K+1 levels of a chain, one after the other.

        Returns
        -------
        ndarray, (updates, 3)
            Minus the clipped objective, the mean ratio and the share of clipped ratios, before each update.

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
        gains = advantages(experience, values, next_values, settings.discount, settings.trace)
        value_targets = (gains + values)[:, None].astype(np.float32)
        M = len(gains)
        self._value.train(experience.inputs, value_targets, _batches(M, settings.batch, settings.epochs * K, self._rng))
        centred = (gains - gains.mean()) / (gains.std() + 1e-8)
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
            steps.nexts, scalars, batches, settings.clip, self._n_done, settings.rate, self._options, losses,
        )  # fmt: skip
        self._n_done += len(batches)
        if not (np.isfinite(losses).all() and np.isfinite(self.parameters).all()):
            raise FloatingPointError(f"PPO diverged after {self._n_done} updates at rate {settings.rate}")
        return losses


def _batches(n: int, batch: int, epochs: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Batches of equal size, min(n, batch), through all rows in a new order each epoch; the rest is left out."""
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
        With at least `learnt_steps` denoising steps. Is not changed.
    settings : DPPO
    seed : numpy.random.SeedSequence
        Of the learner and its episodes. It is not changed.
    evaluation_seed : numpy.random.SeedSequence
        Of all evaluations. It is not changed.

    Raises
    ------
    ValueError
        Also if the policy has fewer denoising steps than shall learn.
    FloatingPointError
        If learning diverges.
    """
    timed = with_clock(task)
    validate.instance("policy", policy, ClonedPolicy)
    K = validate.instance("settings", settings, DPPO).learnt_steps
    if policy.n_steps < K:
        raise ValueError(f"learnt_steps must be at most the policy's denoising steps, {policy.n_steps}; got {K}")
    learner = ProximalLearner(policy, settings, stream(seed, 0))
    current = learner.policy
    first = current.act if settings.first_sampler == "ancestral" else None
    checkpoints = Checkpoints(timed, policy, settings.evaluation_episodes, evaluation_seed, first=first)

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
            checkpoints.evaluate(current.act, learner.watch(experience))
    return checkpoints.result(current)
