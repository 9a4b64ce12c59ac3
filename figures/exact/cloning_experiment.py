"""The cloning experiment: demonstrations are drawn, policies cloned, their loss and coverage computed exactly.

`fig_suboptimality` and `fig_coverage_vs_T` show two sides of the same replicates.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular import dp, instances
from tabular.coverage import coverage_where
from tabular.demonstrations import sample_counts
from tabular.instances import Instance
from tabular.policies import BC, MixtureEstimator, log_choice, paper_choice, posterior, uniform_noise
from theory.bounds.r1_suboptimality import expected_noise

DELTA = 0.1
"""Allowed probability of not covering: curves show the coverage reached with probability 1 - DELTA."""

FALSE_ALARM = 1e-6
"""Probability, for a whole family of sampled comparisons, that a true statement is reported as violated."""

ROUNDING = 1e-12
"""Relative rounding allowed where a computed number is compared with a computed bound."""

POLICIES = ("BC", "uniform noise", "posterior", "PostBC", "PostBC, lambda = L'/2")

INSTANCES: dict[str, Callable[[np.random.Generator], Instance]] = {
    "chain lock": lambda _: instances.chain_lock(10, 4, 0.9, slip=0.05),
    "DeepSea": lambda _: instances.deep_sea(10, 0.9, slip=0.05),
    "grid": lambda _: instances.grid(5, 20),
    "funnel": lambda _: instances.funnel(20, 10, 4),
    "Garnet": lambda rng: instances.garnet(20, 4, 4, 10, rng),
    "FrozenLake8x8": lambda _: instances.from_gymnasium("FrozenLake8x8-v1", 100, temperature=0.01),
    "Taxi": lambda _: instances.from_gymnasium("Taxi-v4", 50, temperature=0.1),
}


@dataclass(frozen=True)
class Config:
    """Settings of the experiment.

    Parameters
    ----------
    n_demos : tuple of int
        Numbers of demonstrations T.
    replicates : int
        Data sets drawn for each instance and T.
    instances : tuple of str, optional
        Some of `INSTANCES`, at most seven.
    """

    n_demos: tuple[int, ...]
    replicates: int
    instances: tuple[str, ...] = tuple(INSTANCES)


FULL = Config(tuple(round(10 ** (1 + k / 4)) for k in range(17)), 1000)
QUICK = Config((10, 32, 100, 316, 1000, 3162, 10000), 400)


def estimators(instance: Instance, n_demos: int) -> list[MixtureEstimator]:
    """The compared policies, in the order of `POLICIES`; all noise has the paper's alpha."""
    H, S, A = instance.mdp.policy_shape
    paper = paper_choice(A, H, n_demos)
    return [BC, uniform_noise(paper.alpha), posterior(A), paper, log_choice(S, A, H, DELTA, paper.alpha)]


def build(name: str, seed: int) -> Instance:
    """Instance of the experiment, built from its own seed and remembered."""
    return _build(name, seed)


@cache
def _build(name: str, seed: int) -> Instance:
    return INSTANCES[name](np.random.default_rng(seed))


def replicate(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Losses and coverages of every policy on independent data sets.

    `loss` is J(pi_beta) - J(pi_hat). `control` is J(pi_beta) - J(q), where q is BC in visited states and the
    demonstrator elsewhere; its expectation is exactly 0 (R1.3). `shortfall` is the largest w T - 2 T_h(s) over all
    (h, s): Lemma 3's inequality holds where lambda is at least that. `unseen` is the probability that BC meets a state
    that it never saw at that step; `missing` is the number of such states that the demonstrator meets on average, less
    its expectation, the sum of w (1 - w)^T.
    """
    instance = build(cell["instance"], cell["instance_seed"])
    w = np.minimum(instance.occupancy.sum(axis=2), 1.0)
    missed = float(expected_noise(w, cell["n_demos"], 0.0, 1.0).sum())
    policies = estimators(instance, cell["n_demos"])
    loss = np.empty((len(policies), cell["replicates"]))
    gamma = np.empty_like(loss)
    control, shortfall, unseen, missing = np.empty((4, cell["replicates"]))
    for r in range(cell["replicates"]):
        counts = sample_counts(instance.mdp, instance.demonstrator, cell["n_demos"], rng)
        cloned = [estimator.policy(counts) for estimator in policies]
        new = counts.visits == 0
        shortfall[r] = (cell["n_demos"] * w - 2 * counts.visits).max()
        missing[r] = w[new].sum() - missed
        unseen[r] = dp.meeting_probability(instance.mdp, cloned[0], new)
        q = np.where(new[..., None], instance.demonstrator, cloned[0])
        control[r] = instance.demonstrator_value - dp.expected_return(instance.mdp, q)
        for i, policy in enumerate(cloned):
            loss[i, r] = instance.demonstrator_value - dp.expected_return(instance.mdp, policy)
            gamma[i, r] = coverage_where(policy, instance.demonstrator, instance.reachable)
    others = {"control": control, "shortfall": shortfall, "unseen": unseen, "missing": missing}
    return {"loss": loss, "coverage": gamma, **others}


def controlled(values: NDArray[np.float64], control: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take out of each value what a control variate of expectation 0 explains, by least squares.

    Parameters
    ----------
    values : ndarray, (policies, replicates)
    control : ndarray, (replicates,)

    Returns
    -------
    ndarray, (policies, replicates)
        Of the same expectation up to terms of order 1/replicates, and of smaller variance.

    References
    ----------
    Owen, Monte Carlo Theory, Methods and Examples, section 8.9.
    """
    centred = control - control.mean()
    spread = float(centred @ centred)
    if spread == 0.0:
        return values - control
    beta = values @ centred / spread
    remainder: NDArray[np.float64] = values - beta[:, None] * control
    return remainder


def instance_seed(sweep: Sweep) -> int:
    """Seed of the instances that are random."""
    return int(sweep.generator("instances").integers(2**62))


def run(config: Config, sweep: Sweep) -> tuple[Arrays, list[Instance]]:
    """All replicates.

    Returns
    -------
    arrays : dict
        `loss` and `coverage`, (instances, T, policies, replicates); `informative`, (instances, T, policies): how many
        replicates say anything of the loss that the control variate does not; `shortfall`, `unseen` and `missing`,
        (instances, T, replicates); `n_demos`; `instances` and `policies`, their names.
    instances : list of Instance
    """
    seed = instance_seed(sweep)
    cells: list[dict[str, Any]] = [
        {"instance": name, "instance_seed": seed, "n_demos": T, "replicates": config.replicates}
        for name in config.instances
        for T in config.n_demos
    ]
    results = sweep.run("cloning", replicate, cells)
    shape = (len(config.instances), len(config.n_demos), len(POLICIES), config.replicates)
    loss = np.stack([controlled(r["loss"], r["control"]) for r in results])
    rest = np.stack([np.abs(r["loss"] - r["control"]) for r in results]).reshape(shape)
    built = [build(name, seed) for name in config.instances]
    horizon = np.array([instance.mdp.horizon for instance in built])
    arrays: Arrays = {
        "loss": loss.reshape(shape),
        "informative": (rest > ROUNDING * horizon[:, None, None, None]).sum(axis=-1),
        "coverage": np.stack([r["coverage"] for r in results]).reshape(shape),
        **{
            key: np.stack([r[key] for r in results]).reshape(*shape[:2], -1)
            for key in ("shortfall", "unseen", "missing")
        },
    }
    arrays["n_demos"] = np.array(config.n_demos)
    arrays["instances"] = np.array(config.instances)
    arrays["policies"] = np.array(POLICIES)
    return arrays, built


def lower_quantile(samples: NDArray[np.float64], probability: float) -> NDArray[np.float64]:
    """Largest sample value that at least a share 1 - probability of the last axis reaches."""
    ordered = np.sort(samples, axis=-1)
    result: NDArray[np.float64] = ordered[..., math.floor(probability * samples.shape[-1])]
    return result


def worst(names: Sequence[str], values: NDArray[np.float64]) -> tuple[float, str]:
    """Largest value and the name of its first axis."""
    i = int(np.unravel_index(int(np.argmax(values)), values.shape)[0])
    return float(values.max()), names[i]
