"""A learner's episodes against the same number of episodes that are only sampled."""

import numpy as np

from benchmarks._measure import Row, compare
from tabular.demonstrations import sample_demonstrations
from tabular.finetune import (
    PPO,
    BestOfNLearner,
    NaturalPolicyGradient,
    OptimisticValueIteration,
    PolicyGradient,
    finetune,
)
from tabular.instances import funnel, garnet

N = 2000
LEARNERS = {
    "policy gradient": (PolicyGradient(1e-3), 0.3),
    "natural gradient": (NaturalPolicyGradient(1e-3), 0.3),
    "PPO, 4 epochs": (PPO(1e-3, epochs=4), 0.1),
    "Best-of-16": (BestOfNLearner(16, 5), 0.8),
    "optimistic planning, batch 100": (OptimisticValueIteration(0.1, batch=100), 0.3),
}
"""Each learner with the share of the plain sampler's speed that it should keep."""


def learning_against_sampling() -> list[Row]:
    """The sampler keeps its episodes and does nothing else; the learner plays, learns and reports J once."""
    rows = []
    for instance in (funnel(50, 6, 3), garnet(20, 4, 4, 10, np.random.default_rng(0))):
        start = instance.demonstrator
        for name, (learner, target) in LEARNERS.items():
            rows.append(
                compare(
                    f"{instance.name}, {N} episodes: {name}",
                    lambda i=instance, p=start, one=learner: finetune(i.mdp, p, one, [N], np.random.default_rng(1)),
                    lambda i=instance, p=start: sample_demonstrations(i.mdp, p, N, np.random.default_rng(1)),
                    target,
                )
            )
    return rows


BENCHMARKS = {"finetuning: share of the plain sampler's episodes a second": learning_against_sampling}
