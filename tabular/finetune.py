"""Finetuning a pretrained policy by reinforcement learning, with the exact return at every checkpoint.

A learner sees only its own episodes. Softmax learners keep logits l with pi_h(a|s) proportional to exp(l_h(s,a)),
start from l = log pi_hat, and after a batch of episodes move by a step along

    policy gradient    grad J   = w_h(s,a) (Q_h(s,a) - V_h(s))        (estimated by sum_h grad log pi_h (G_h - V_h))
    natural gradient   F^-1 grad J, which is the advantage Q_h(s,a) - V_h(s)
    PPO                several steps on the clipped objective of one batch

where G_h is the return from step h on, V a critic, w the occupancy and F the Fisher information. Best-of-N and
optimistic planning choose among actions of the pretrained policy instead.

No learner plays an action outside the pretrained policy's support: the logit of an action with probability 0 is minus
infinity, so its probability stays exactly 0. So `support_optimum` is an upper bound on the return of all of them.

Cost is counted in episodes of H steps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabular import dp
from tabular.kernels import finetuning
from tabular.mdp import FiniteHorizonMDP, FloatArray, IntArray, checked_policy
from theory.base import validate


@dataclass(frozen=True)
class PolicyGradient:
    """Softmax policy gradient: logits + step * mean over episodes of sum_h grad log pi_h(a|s) (G_h - V_h(s)).

    Parameters
    ----------
    step : float
        Step size, above 0.
    batch : int, optional
        Episodes of one update.
    critic_rate : float, optional
        V_h(s) moves by this share towards each return G_h seen there, in [0, 1].
    exact_critic : bool, optional
        Start V at the exact values of the pretrained policy, which a learner could not know; otherwise at 0.

    References
    ----------
    Williams, Simple statistical gradient-following algorithms, Machine Learning 8 (1992).
    """

    step: float
    batch: int = 10
    critic_rate: float = 0.1
    exact_critic: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", validate.real("step", self.step, above=0.0))
        object.__setattr__(self, "batch", validate.integer("batch", self.batch, at_least=1))
        rate = validate.real("critic_rate", self.critic_rate, at_least=0.0, at_most=1.0)
        object.__setattr__(self, "critic_rate", rate)
        validate.instance("exact_critic", self.exact_critic, bool)


@dataclass(frozen=True)
class NaturalPolicyGradient(PolicyGradient):
    """Softmax natural gradient: the logit of each action that was played moves by step * its mean advantage.

    Parameters as `PolicyGradient`.

    References
    ----------
    Kakade, A natural policy gradient, NeurIPS 2001.
    """


@dataclass(frozen=True)
class PPO(PolicyGradient):
    """Proximal policy optimisation (PPO): several steps on the clipped objective of the same episodes.

    Parameters
    ----------
    epochs : int, optional
        Steps on one batch, at least 1.
    clip : float, optional
        Relative change of an action's probability beyond which the objective gains nothing, in (0, 1).

    References
    ----------
    Schulman et al., Proximal policy optimization algorithms, arXiv 1707.06347.
    """

    epochs: int = 8
    clip: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "epochs", validate.integer("epochs", self.epochs, at_least=1))
        object.__setattr__(self, "clip", validate.real("clip", self.clip, above=0.0, below=1.0))


@dataclass(frozen=True)
class BestOfNLearner:
    """Draw N actions from the pretrained policy and play the one with the best mean return.

    The pretrained policy plays every episode, and the mean returns estimate Q. An action with fewer than K returns has
    no estimate: it is played only if no candidate has one.

    Parameters
    ----------
    n_candidates : int
        N, at least 1.
    n_rollouts : int
        K, at least 1.
    """

    n_candidates: int
    n_rollouts: int

    def __post_init__(self) -> None:
        for name in ("n_candidates", "n_rollouts"):
            object.__setattr__(self, name, validate.integer(name, getattr(self, name), at_least=1))


@dataclass(frozen=True)
class OptimisticValueIteration:
    """Plan greedily in the estimated process with an exploration bonus, within the pretrained policy's support.

    The bonus after n visits is bonus * (H - h + 1)/sqrt(n). An action that was never played has the largest value that
    rewards of at most 1 allow.

    Parameters
    ----------
    bonus : float
        At least 0.
    batch : int, optional
        Episodes between two plans.

    References
    ----------
    Azar, Osband and Munos, Minimax regret bounds for reinforcement learning, ICML 2017.
    """

    bonus: float
    batch: int = 10

    def __post_init__(self) -> None:
        object.__setattr__(self, "bonus", validate.real("bonus", self.bonus, at_least=0.0))
        object.__setattr__(self, "batch", validate.integer("batch", self.batch, at_least=1))


Learner = PolicyGradient | BestOfNLearner | OptimisticValueIteration


@dataclass(frozen=True, eq=False)
class Finetuning:
    """Result of finetuning.

    Attributes
    ----------
    returns : ndarray, (N,)
        Exact J of the current policy at each checkpoint.
    policy : ndarray, (H, S, A)
        The policy at the last checkpoint.
    visits : ndarray of int, (H, S, A)
        How often the learner's own episodes were at (h, s, a).
    """

    returns: FloatArray
    policy: FloatArray
    visits: IntArray


def finetune(
    mdp: FiniteHorizonMDP, policy: ArrayLike, learner: Learner, checkpoints: ArrayLike, rng: np.random.Generator
) -> Finetuning:
    """Improve a pretrained policy from the learner's own episodes.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    policy : array_like, (H, S, A)
        The pretrained policy; an action of probability zero is never played.
    learner : PolicyGradient, NaturalPolicyGradient, PPO, BestOfNLearner, OptimisticValueIteration
    checkpoints : array_like of int, (N,)
        Numbers of episodes, increasing. A batch that is incomplete at a checkpoint has changed nothing yet.
    rng : numpy.random.Generator
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    start = checked_policy("policy", policy, mdp.policy_shape)
    if not isinstance(learner, PolicyGradient | BestOfNLearner | OptimisticValueIteration):
        raise TypeError(f"learner must be one of the learners of this module; got {type(learner).__name__}")
    times = validate.frozen(_checked_times(checkpoints))
    rng = validate.generator("rng", rng)
    process = (*mdp.table, mdp.reward, mdp.initial)
    out, visits = np.empty(times.size), np.zeros(mdp.policy_shape, np.int64)
    if isinstance(learner, BestOfNLearner):
        current = np.empty(mdp.policy_shape)
        finetuning.improve_best_of_n(
            *process, start, learner.n_candidates, learner.n_rollouts, times, rng, current, visits, out
        )
    elif isinstance(learner, OptimisticValueIteration):
        current = np.empty(mdp.policy_shape)
        finetuning.improve_optimistic(*process, start, learner.bonus, learner.batch, times, rng, current, visits, out)
    else:
        current = start.copy()
        with np.errstate(divide="ignore"):  # log 0 = minus infinity keeps a missing action missing
            logits = np.log(start)
        critic = _critic(mdp, start, learner)
        finetuning.improve_softmax(
            *process, *_softmax_settings(learner), times, rng, logits, current, critic, visits, out
        )
    return Finetuning(out, current, visits)


def support_optimum(mdp: FiniteHorizonMDP, policy: ArrayLike) -> float:
    """Largest J over all policies within the support of the given one: no learner here exceeds it.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    policy : array_like, (H, S, A)

    Returns
    -------
    float
        Between J of the policy and J*; equal to J* for a policy with full support.
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    start = checked_policy("policy", policy, mdp.policy_shape)
    value = np.empty((mdp.horizon + 1, mdp.n_states))
    finetuning.support_values(*mdp.table, mdp.reward, start, value)
    return float(mdp.initial @ value[0])


# --- exact expectations -----------------------------------------------------------------------------------------------


def policy_gradient(mdp: FiniteHorizonMDP, policy: ArrayLike) -> FloatArray:
    """Gradient of J in the logits of a softmax policy, w_h(s, a) (Q_h(s, a) - V_h(s)), (H, S, A).

    Arguments as `support_optimum`.

    References
    ----------
    Sutton et al., Policy gradient methods for reinforcement learning with function approximation, NeurIPS 1999.
    """
    values = dp.evaluate_policy(mdp, policy)
    gradient: FloatArray = dp.occupancy(mdp, policy) * (values.action_value - values.value[:-1, :, None])
    return gradient


def natural_gradient(mdp: FiniteHorizonMDP, policy: ArrayLike) -> FloatArray:
    """Natural gradient of J in the logits, Q_h(s, a) - V_h(s) (up to a constant for each (h, s)), (H, S, A).

    Arguments as `support_optimum`.
    """
    values = dp.evaluate_policy(mdp, policy)
    advantage: FloatArray = values.action_value - values.value[:-1, :, None]
    return advantage


def softmax_step(policy: ArrayLike, direction: ArrayLike, step: float) -> FloatArray:
    """Move the logits: pi(a) exp(step * direction(a)), normalised. Zero stays zero.

    Parameters
    ----------
    policy, direction : array_like, (H, S, A)
    step : float
    """
    pi = validate.distribution("policy", policy, shape=(None, None, None))
    towards = validate.array("direction", direction, shape=pi.shape)
    size = validate.real("step", step)
    with np.errstate(divide="ignore"):
        logits = np.log(pi) + size * towards
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    moved: FloatArray = weights / weights.sum(axis=2, keepdims=True)
    return moved


def sampled_gradient(
    mdp: FiniteHorizonMDP, policy: ArrayLike, critic: ArrayLike, n_episodes: int, rng: np.random.Generator
) -> FloatArray:
    """The policy gradient as `PolicyGradient` estimates it from episodes, (H, S, A); unbiased for any fixed critic.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    policy : array_like, (H, S, A)
    critic : array_like, (H, S)
        Baseline V_h(s).
    n_episodes : int
        At least 1.
    rng : numpy.random.Generator
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    pi = checked_policy("policy", policy, mdp.policy_shape)
    baseline = validate.array("critic", critic, shape=mdp.policy_shape[:2])
    N = validate.integer("n_episodes", n_episodes, at_least=1)
    rng = validate.generator("rng", rng)
    out, visits = np.zeros(mdp.policy_shape), np.zeros(mdp.policy_shape, np.int64)
    finetuning.sampled_gradient(*mdp.table, mdp.reward, mdp.initial, pi, baseline, N, rng, visits, out)
    return out


def _softmax_settings(learner: PolicyGradient) -> tuple[int, float, int, int, float, float]:
    kind, epochs, clip = finetuning.GRADIENT, 1, 0.0
    if isinstance(learner, PPO):
        kind, epochs, clip = finetuning.PROXIMAL, learner.epochs, learner.clip
    elif isinstance(learner, NaturalPolicyGradient):
        kind = finetuning.NATURAL
    return kind, learner.step, learner.batch, epochs, clip, learner.critic_rate


def _critic(mdp: FiniteHorizonMDP, start: FloatArray, learner: PolicyGradient) -> FloatArray:
    if learner.exact_critic:
        return dp.evaluate_policy(mdp, start).value[:-1].copy()
    return np.zeros(mdp.policy_shape[:2])


def _checked_times(checkpoints: ArrayLike) -> IntArray:
    times = validate.integers("checkpoints", checkpoints)
    if times.ndim != 1 or times.size == 0 or times[0] < 0 or (np.diff(times) <= 0).any():
        raise ValueError(f"checkpoints must be a list of increasing numbers of episodes; got {times.tolist()}")
    return times
