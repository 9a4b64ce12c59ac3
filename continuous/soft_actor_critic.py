"""Soft actor-critic: an actor and two critics that learn from recorded decisions, off the policy that made them.

At an input s the actor draws u = tanh(mean(s) + deviation(s) * w) in [-1, 1]^D, w standard normal. Each update takes
one step of Adam on each of these losses, averaged over a batch of decisions (s, u, r, s'). Here keep is the discount,
or 0 where the episode has ended, and tau is the temperature:

    critics       (Q_k(s, u) - y)^2 for k = 1, 2,    y = r + keep V(s')
    actor         tau log pi(u | s) - min_k Q_k(s, u),    u drawn afresh
    temperature   log(tau) (entropy of pi - target)

Here V(s) = min_k Q'_k(s, u') - tau log pi(u' | s) with u' drawn afresh, and Q' are the targets,
Q' <- (1 - target_rate) Q' + target_rate Q.

One decision's target lets the actor's gain on the critics' errors, which grows with D, feed on itself. Over n decisions
(s_0, u_0, r_0, keep_0), ... of an episode, or to its end, with g the discount, y is one of

    uncorrected   r_0 + g r_1 + ... + g^{n-1} r_{n-1} + g^n V(s_n)
    Retrace       r_0 + keep_0 V(s_1) + sum_{k=1}^{n-1} g^k c_1 ... c_k (r_k + keep_k V(s_{k+1}) - min_j Q'_j(s_k, u_k))

The first counts what past actors did as if the present one did it, and leaves out the entropy of the decisions in
between. The second has the present actor's soft Q as its fixed point: c = min(1, pi(u | s) / mu(u | s)), with pi the
present actor and mu what the choice was drawn from.

References
----------
Haarnoja et al., Soft actor-critic algorithms and applications, arXiv 1812.05905.
Munos et al., Safe and efficient off-policy reinforcement learning, NeurIPS 2016 (Retrace).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from continuous.finetuning import Experience, Watched
from continuous.kernels import learning
from continuous.networks import Floats, Network
from continuous.returns import following, largest_return, over_decisions
from theory.base import validate

FloatArray = NDArray[np.float64]

_BLOCK = 64  # updates whose batches and noise are drawn at once


@dataclass(frozen=True, kw_only=True)
class SoftUpdates:
    """Settings of a soft actor-critic's updates.

    Parameters
    ----------
    discount : float
        Discount per decision, in (0, 1].
    batch : int
        Decisions per update, at least 1.
    hidden : tuple of int
        Widths of the hidden layers of the actor and both critics.
    rate : float
        Learning rate of Adam, above 0.
    target_rate : float
        Share by which the critics' targets follow at each update, in (0, 1].
    return_decisions : int
        Decisions n that a critic's target looks ahead, at least 1.
    correction : {"none", "retrace"}
        Whether a target over several decisions is uncorrected, or Retrace; with n = 1 both are the same.
    entropy_per_entry : float
        Target of the actor's entropy per entry of u; log 2 = 0.69, the uniform distribution's, is the largest. The
        default is 1.19 nats an entry below uniform: 4.77 a decision at D = 4, 38 at D = 32.
    total_entropy : float, optional
        In place of `entropy_per_entry`: target of the entropy per decision, in nats relative to the uniform
        distribution's, below 0. The target per entry is then log 2 + total_entropy / D.
    temperature : float
        Initial weight tau of the entropy, above 0; it is then tuned to the target.
    averaging : float
        Decay per update of a moving average of the actor's parameters, in [0, 1): the average is what is evaluated. 0
        takes the last iterate.
    """

    discount: float = 0.98
    batch: int = 64
    hidden: tuple[int, ...] = (64, 64)
    rate: float = 1e-3
    target_rate: float = 0.02
    return_decisions: int = 1
    correction: str = "none"
    entropy_per_entry: float = -0.5
    total_entropy: float | None = None
    temperature: float = 0.01
    averaging: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rate", "temperature"):
            validate.real(name, getattr(self, name), above=0.0)
        for name in ("discount", "target_rate"):
            validate.real(name, getattr(self, name), above=0.0, at_most=1.0)
        validate.real("entropy_per_entry", self.entropy_per_entry, below=float(np.log(2.0)))
        if self.total_entropy is not None:
            validate.real("total_entropy", self.total_entropy, below=0.0)
        validate.real("averaging", self.averaging, at_least=0.0, below=1.0)
        for name in ("batch", "return_decisions"):
            validate.integer(name, getattr(self, name), at_least=1)
        validate.choice("correction", self.correction, ("none", "retrace"))

    def target_entropy(self, n_entries: int) -> float:
        """Target of the entropy per decision in nats, for actions of so many entries."""
        if self.total_entropy is None:
            return n_entries * self.entropy_per_entry
        return n_entries * float(np.log(2.0)) + self.total_entropy


class SoftActorCritic:
    """An actor tanh(N(mean, deviation^2)) in [-1, 1]^D and two critics, with their optimisers.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of inputs and of entries D of an action, at least 1.
    settings : SoftUpdates
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

    def __init__(self, n_in: int, n_out: int, settings: SoftUpdates, rng: np.random.Generator) -> None:
        self._settings, self._rng, self._n_done = settings, rng, 0
        self.actor_network = Network((n_in, *settings.hidden, 2 * n_out))
        self.critic_network = Network((n_in + n_out, *settings.hidden, 1))
        self.actor = self.actor_network.initial(rng)
        self.critics = np.stack([self.critic_network.initial(rng) for _ in range(2)])
        self._targets = self.critics.copy()
        self._actor_moments = np.zeros((2, self.actor.size), np.float32)
        self._average = np.zeros(self.actor.size if settings.averaging > 0.0 else 0, np.float32)
        self._first, self._second = np.zeros_like(self.critics), np.zeros_like(self.critics)
        self._temperature = np.array([np.log(settings.temperature), 0.0, 0.0], np.float32)
        self._options = np.array([0.9, 0.999, 1e-8, 1.0 - settings.target_rate, np.inf], np.float32)

    @property
    def temperature(self) -> float:
        """Current weight of the entropy."""
        return float(np.exp(self._temperature[0]))

    @property
    def evaluated(self) -> Floats:
        """Parameters of the actor to evaluate, (P,): the last, or their moving average since the first update."""
        if not self._average.size or not self._n_done:
            return self.actor
        # The average began at 0: without the division, it would lack a weight of averaging^n.
        return (self._average / (1.0 - self._settings.averaging**self._n_done)).astype(np.float32)

    def draw(self, inputs: Floats, rng: np.random.Generator | None, actor: Floats | None = None) -> FloatArray:
        """Draw an action in [-1, 1]^D at each row of the inputs, (n, D); without a generator, tanh of the means.

        `actor` are the parameters to draw by, the current ones if not given.
        """
        n, D = len(inputs), self.actor_network.sizes[-1] // 2
        heads = self.actor_network.outputs(self.actor if actor is None else actor, inputs)
        noise = np.zeros((n, D), np.float32) if rng is None else rng.standard_normal((n, D), np.float32)
        actions = np.empty((n, D), np.float32)
        learning.squash(heads, noise, actions, np.empty(n, np.float32))
        return actions.astype(np.float64)

    def log_densities(self, experience: Experience) -> FloatArray:
        """Log-density of each choice of the experience under the current actor, (M,)."""
        found = np.empty(len(experience.choices))
        heads = self.actor_network.outputs(self.actor, experience.inputs)
        learning.recalled_log_densities(heads, experience.choices, found)
        return found

    def watch(self, experience: Experience) -> Watched:
        """Mean of both critics over the decisions of the experience, and the temperature."""
        inputs = np.column_stack([experience.inputs, experience.choices])
        values = [self.critic_network.outputs(critic, inputs).mean(dtype=np.float64) for critic in self.critics]
        return Watched(
            mean_value=float(np.mean(values)),
            largest_return=largest_return(experience, self._settings.discount),
            temperature=self.temperature,
        )

    def train(self, experience: Experience, n_updates: int, behaviour: FloatArray | None = None) -> FloatArray:
        """Update on batches of the experience, whose choices are actions in [-1, 1]^D.

        Parameters
        ----------
        experience : Experience
        n_updates : int
        behaviour : ndarray, (M,), optional
            Log-density of each choice when it was drawn, which Retrace needs.

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
        n, retrace = settings.return_decisions, settings.correction == "retrace"
        rewards, keeps, next_inputs = over_decisions(experience, 1 if retrace else n, settings.discount)
        if retrace and behaviour is None:
            raise ValueError("behaviour must be given for Retrace")
        drawn = np.zeros(len(keeps)) if behaviour is None else behaviour
        rows, target = following(experience), settings.target_entropy(D)
        losses = np.empty((n_updates, 3))
        for begin in range(0, n_updates, _BLOCK):
            block = losses[begin : begin + _BLOCK]
            batches = self._rng.integers(len(keeps), size=(len(block), settings.batch))
            shape = (len(block), 1 + (n if retrace else 1), settings.batch, D)
            noise = self._rng.standard_normal(shape, np.float32)
            learning.train_sac(
                self.actor, self._actor_moments, self._average, self.actor_network.widths, self.critics, self._first,
                self._second, self._targets, self.critic_network.widths, self._temperature, experience.inputs,
                experience.choices, rewards, keeps, next_inputs, rows, drawn, batches, noise, target, self._n_done,
                settings.rate, self._options, settings.averaging, block,
            )  # fmt: skip
            self._n_done += len(block)
        if not (np.isfinite(losses).all() and np.isfinite(self.actor).all()):
            raise FloatingPointError(f"soft actor-critic diverged after {self._n_done} updates at rate {settings.rate}")
        return losses
