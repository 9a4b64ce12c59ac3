"""Many (alpha, lambda) on one data set: the shared kernels against the one-policy kernels, policy by policy."""

import numpy as np

from benchmarks._measure import Row, compare
from benchmarks.bench_tabular import random_dense
from tabular import instances
from tabular.demonstrations import sample_counts
from tabular.family import family_coverages, family_returns
from tabular.instances import Instance, softmax
from tabular.kernels import dynamic_programming, policy_tables
from tabular.policies import MixtureEstimator

N_POLICIES = 64


def grid() -> list[MixtureEstimator]:
    """Eight alphas by eight prior masses."""
    return [MixtureEstimator(a, m) for a in np.geomspace(0.01, 1, 8) for m in [*np.geomspace(0.5, 50, 7), np.inf]]


def family_against_single_policies() -> list[Row]:
    """Returns and coverages of 64 policies: cloned, evaluated and covered by one call each, or all in two calls."""
    rng, rows = np.random.default_rng(4), []
    dense = random_dense(100, 4, 20, rng)
    cases = [
        (instances.garnet(20, 4, 4, 10, rng), 100),
        (instances.garnet(1000, 4, 5, 20, rng), 1000),
        (instances.funnel(20, 10, 4), 100),
        (instances.deep_sea(10, 0.9, slip=0.05), 1000),
        (Instance("dense", dense, softmax(dense, 0.1)), 1000),
    ]
    for instance, T in cases:
        mdp, members = instance.mdp, grid()
        H, S, A = mdp.policy_shape
        counts = sample_counts(mdp, instance.demonstrator, T, rng)
        weights = [member.noise_weight(counts.visits) for member in members]
        for weight in weights:
            weight.setflags(write=False)
        policy, value, action_value = np.empty((H, S, A)), np.empty((H + 1, S)), np.empty((H, S, A))
        frozen = policy.view()
        frozen.setflags(write=False)

        def one_by_one(
            instance=instance, counts=counts, weights=weights, policy=policy, frozen=frozen, value=value, q=action_value
        ) -> list[tuple[float, float]]:
            mdp, found = instance.mdp, []
            for weight in weights:
                policy_tables.mixture_policy(counts.counts, counts.visits, weight, policy)
                dynamic_programming.evaluate_policy(*mdp.table, mdp.reward, frozen, value, q)
                found.append(
                    (mdp.initial @ value[0], policy_tables.coverage(frozen, instance.demonstrator, instance.reachable))
                )
            return found

        def together(instance=instance, counts=counts, members=members) -> tuple[np.ndarray, np.ndarray]:
            return (
                family_returns(instance.mdp, counts, members),
                family_coverages(counts, instance.demonstrator, instance.reachable, members),
            )

        single = np.array(one_by_one()).T
        assert all(np.allclose(a, b, rtol=1e-12, atol=1e-12) for a, b in zip(single, together(), strict=True))
        what = f"{instance.name}, S={S}, A={A}, H={H}, T={T}"
        rows.append(compare(what, together, one_by_one, 5.0, rounds=9))
    return rows


BENCHMARKS = {f"{N_POLICIES} policies of the family on one data set": family_against_single_policies}
