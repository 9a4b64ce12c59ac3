"""A small grid of finetuning, made up so that its answer is known, for tests of tables and comparisons."""

import numpy as np

from figures.control import blocks, tables

SMALL = blocks.Config(
    tasks=("reach", "stick"), n_demos=(5, 10), n_seeds=3, policies=blocks.policies_by_strength((0.2, 0.4), (1.0, 2.0)),
    finetuners=("DSRL", "Best-of-N"),
)  # fmt: skip
SHARE = {"sigma-BC": 1.0, "PostBC": 0.15, "BC": 0.0}
"""Noise that a strength of 1 adds."""


def made_up(config=SMALL, change=lambda family, strength, n_demos: (0.5, 0.5), seed=0):
    """Rows of a grid whose mean success is `change(...)`, (pretrained, finetuned), with a spread by seed and cell."""
    rng, table = np.random.default_rng(seed), []
    luck = rng.normal(0, 0.05, 200)
    for block in blocks.blocks_of([config], 1):
        n_policies = len(block.policies)
        results = {
            "strength": np.array([policy.strength for policy in block.policies]),
            "noise": np.array([policy.strength * SHARE[policy.family] for policy in block.policies]),
            "pretrain_seconds": np.full(n_policies, 1.0),
        }
        for name in block.finetuners:
            n_results, success = 2 if name == "Best-of-N" else 1, []
            for policy in block.policies:
                before, after = change(policy.family, policy.strength, block.n_demos)
                ends = np.array([before, (before + after) / 2, after]) + luck[block.replicate]
                success.append([ends + rng.normal(0, 0.01, 3) for _ in range(n_results)])
            results[f"success {name}"] = np.array(success)
            results[f"steps {name}"] = np.tile([0, 50, 110], (n_policies, 1))
            results[f"episodes {name}"] = np.tile([0, 5, 10], (n_policies, 1))
            results[f"seconds {name}"] = np.full(n_policies, 2.0)
        table += tables.rows_of(block, results)
    return table
