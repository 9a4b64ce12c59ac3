"""Profiles and rollouts of cloned policies, exact for each data set where the horizon is short.

The profile of a cloned policy pi_hat is the function of M

    P[pi_beta/pi_hat >= M]    under the demonstrator pi_beta,

where the ratio is that of the probabilities of an action (profile of steps), or the product of those ratios along a
trajectory. If a trajectory succeeds with probability p, n = log(delta)/log(1 - p) rollouts hold a success with
probability 1 - delta. R6.4 bounds n from KL(pi_beta, pi_hat); the profile bounds it, too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from figures.exact.estimators import ESTIMATORS, NamedEstimator
from figures.running.artifacts import Arrays
from figures.running.intervals import intervals
from figures.running.sweep import Cell
from tabular import dp, profile
from tabular.demonstrations import sample_counts, sample_demonstrations
from tabular.instances import Instance, chain_lock, funnel, grid
from theory.bounds.r6_trajectory import profile_bound, sufficient_rollouts

INSTANCES: dict[str, Callable[[], Instance]] = {
    "unskilled lock": lambda: chain_lock(3, 4, 0.3),
    "grid": lambda: grid(5, 20),
    "funnel": lambda: funnel(20, 10, 4),
}
"""Instances whose return is the probability of one event, called success."""
JUDGED = ("BC", "uniform noise", "posterior", "PostBC")
"""Estimators that claims are about; the confidence of joint intervals counts these."""
COMPARED: dict[str, NamedEstimator] = {name: ESTIMATORS[name] for name in JUDGED}
"""Estimators of this figure. Further entries go to the end."""
DELTA = 0.1
"""Allowed probability that no rollout succeeds, and share of the data sets that may need more rollouts."""
PROFILE_DEMOS = 30
THRESHOLDS = np.concatenate([[1.0], np.geomspace(1.01, 1e12, 60)])
EXACT_UP_TO = 4
"""Longest horizon for which the profile of trajectories is computed exactly; for longer ones it is sampled."""
BASES = ("true number", "R6.4", "profile")
"""Ways to the number of rollouts: exact, and two upper bounds."""
TRUE, FROM_KL, FROM_PROFILE = range(len(BASES))


@dataclass(frozen=True, kw_only=True)
class ProfileCell:
    """Profiles of one instance. Its JSON seeds the draws."""

    instance: str
    replicates: int


@dataclass(frozen=True, kw_only=True)
class RolloutCell:
    """Rollouts for one instance and T; its intervals share the false alarm `level`. Its JSON seeds the draws."""

    instance: str
    n_demos: int
    replicates: int
    n_trajectories: int
    level: float


@cache
def build(name: str) -> Instance:
    """Instance of the figure, built once."""
    return INSTANCES[name]()


def profiles_of(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Step profiles, exact for each data set, and one trajectory of the demonstrator with each data set.

    `step`, (estimators, thresholds, 3): mean and ends of its interval; `above`, (estimators, thresholds): how many of
    the `sampled` trajectories have at least that ratio.
    """
    task = ProfileCell(**cell)
    instance = build(task.instance)
    mdp, pi_beta = instance.mdp, instance.demonstrator
    estimators = [entry.build(instance, PROFILE_DEMOS) for entry in COMPARED.values()]
    steps = np.empty((len(estimators), THRESHOLDS.size, task.replicates))
    above = np.zeros((len(estimators), THRESHOLDS.size), np.int64)
    for r in range(task.replicates):
        counts = sample_counts(mdp, pi_beta, PROFILE_DEMOS, rng)
        trajectory = sample_demonstrations(mdp, pi_beta, 1, rng)
        for i, estimator in enumerate(estimators):
            policy = estimator.policy(counts)
            steps[i, :, r] = profile.step_profile(mdp, pi_beta, policy, THRESHOLDS)
            above[i] += profile.log_ratios(pi_beta, policy, trajectory) >= np.log(THRESHOLDS) - 10 * profile.MERGED
    low, high = intervals(steps, 0.95)
    return {"step": np.stack([steps.mean(axis=-1), low, high], axis=-1), "above": above,
            "sampled": np.array(task.replicates)}  # fmt: skip


def rollouts_of(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Rollouts needed for a success, on each data set: the true number and both bounds.

    `rollouts`, (estimators, 3, replicates), in the order of `BASES`; `kl_excess`, (estimators, replicates): largest
    ratio of the profile (low end) to its bound from the divergence; `success`: the demonstrator's.
    """
    task = RolloutCell(**cell)
    instance, T = build(task.instance), task.n_demos
    mdp, pi_beta, p = instance.mdp, instance.demonstrator, instance.demonstrator_value
    estimators = [entry.build(instance, T) for entry in COMPARED.values()]
    rollouts = np.empty((len(estimators), len(BASES), task.replicates))
    kl_excess = np.zeros((len(estimators), task.replicates))
    confidence = 1 - task.level / (len(JUDGED) * task.replicates * THRESHOLDS.size)
    for r in range(task.replicates):
        counts = sample_counts(mdp, pi_beta, T, rng)
        trajectories = sample_demonstrations(mdp, pi_beta, task.n_trajectories, rng)
        for i, estimator in enumerate(estimators):
            policy = estimator.policy(counts)
            if mdp.horizon <= EXACT_UP_TO:
                low = high = profile.trajectory_profile(mdp, pi_beta, policy, THRESHOLDS)
            else:
                ratios = profile.log_ratios(pi_beta, policy, trajectories)
                low, high = profile.profile_interval(ratios, THRESHOLDS, confidence)
            kl = profile.trajectory_kl(mdp, pi_beta, policy)
            rollouts[i, :, r] = (
                profile.rollouts_needed(min(1.0, dp.expected_return(mdp, policy)), DELTA),
                sufficient_rollouts(kl, p, DELTA),
                profile.rollouts_from_profile(THRESHOLDS, high, p, DELTA),
            )
            if math.isfinite(kl):
                kl_excess[i, r] = (low[1:] / profile_bound(kl, THRESHOLDS[1:])).max()
    return {"rollouts": rollouts, "kl_excess": kl_excess, "success": np.array(p)}
