"""Episodes that learners need on a lock where the pretrained policy rarely plays the right action in the first steps.

The right action has probability p in the first d steps and 1 in the others, so an episode earns the reward with
probability p^d, and the first reward takes p^-d episodes on average.
"""

from dataclasses import dataclass

import numpy as np

from figures.exact.finetuning_experiment import first_time
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell
from tabular.finetune import Learner, NaturalPolicyGradient, OptimisticValueIteration, PolicyGradient, finetune
from tabular.instances import chain_lock

HORIZON = 6
LEARNERS: dict[str, Learner] = {
    "natural gradient": NaturalPolicyGradient(2.0, batch=1),
    "policy gradient": PolicyGradient(8.0, batch=1),
    "optimistic planning": OptimisticValueIteration(0.01, batch=1),
}
"""Learners with one episode in each update, which resolves times finely; one step size for every gamma and d."""

STUMBLING = ("natural gradient", "policy gradient")
"""Learners that find a reward by chance alone; the planner searches the support systematically."""

PATIENCE, PLANNING = 20, 500
"""Runs end after 20 times p0^-d episodes (planning after 500); the claims state how many had not reached the target."""


@dataclass(frozen=True, kw_only=True)
class LockCell:
    """Runs of one learner on a lock whose first `missing` steps have probability p. Its JSON seeds the draws."""

    learner: str
    missing: int
    p: float
    replicates: int


def lock_times(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Episodes until J reaches the target, from a policy that is optimal except in the first `missing` steps."""
    task = LockCell(**cell)
    mdp = chain_lock(HORIZON, 2, 1.0).mdp
    start = np.zeros(mdp.policy_shape)
    start[..., 0] = 1.0
    start[: task.missing] = task.p, 1 - task.p
    last = PATIENCE * task.p**-task.missing if task.learner in STUMBLING else PLANNING
    times = np.unique(np.round(np.geomspace(1, last, 200)).astype(np.int64))
    learner = LEARNERS[task.learner]
    returns = [finetune(mdp, start, learner, times, rng).returns for _ in range(task.replicates)]
    return {"times": first_time(np.array(returns), times)}
