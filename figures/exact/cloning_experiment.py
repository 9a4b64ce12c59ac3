"""The cloning experiment: demonstrations are drawn, policies cloned, their loss and coverage computed exactly.

For an instance (a process with rewards and a demonstrator pi_beta), a number T of demonstrations and a replicate:

    D ~ pi_beta^T               T trajectories, summed up by the counts T_h(s,a)
    pi_hat = estimator(D)       for each of `ESTIMATORS`, from the same D
    loss   = J(pi_beta) - J(pi_hat)
    gamma  = min pi_hat_h(a|s)/pi_beta_h(a|s)    over the (h, s) that pi_beta visits

J and gamma are exact given the data; only D is random. Much of the loss is noise that has nothing to do with the
estimator: that of the demonstrator's own trajectories. A control variate takes it out. With q equal to BC in visited
states and to pi_beta elsewhere, E[J(pi_beta) - J(q)] = 0 (R1.3), so a multiple of it may be subtracted
(`controlled`).

`fig_suboptimality`, `fig_coverage_vs_T` and `fig_looseness` use the same replicates.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from figures.exact.estimators import ESTIMATORS
from figures.running.artifacts import Arrays
from figures.running.sweep import Cell, Sweep
from tabular import dp, instances
from tabular.coverage import coverage_where
from tabular.demonstrations import sample_counts
from tabular.instances import Instance
from tabular.policies import BC, PolicyEstimator
from theory.bounds.r1_suboptimality import expected_noise

FALSE_ALARM = 1e-6
"""Probability that any of the sampled comparisons of a claim reports a true statement as violated."""

ROUNDING = 1e-12
"""Relative rounding allowed where a computed number is compared with a computed bound."""

JUDGED = ("BC", "uniform noise", "posterior", "PostBC", "PostBC, lambda = L'/2")
"""Estimators that claims are about. The confidence of joint intervals counts these and no other entry."""

NOISY = ("uniform noise", "posterior", "PostBC", "PostBC, lambda = L'/2")
"""Those of them that give every action some probability."""

INSTANCES: dict[str, Callable[[np.random.Generator], Instance]] = {
    "chain lock": lambda _: instances.chain_lock(10, 4, 0.9, slip=0.05),
    "DeepSea": lambda _: instances.deep_sea(10, 0.9, slip=0.05),
    "grid": lambda _: instances.grid(5, 20),
    "funnel": lambda _: instances.funnel(20, 10, 4),
    "Garnet": lambda rng: instances.garnet(20, 4, 4, 10, rng),
    "FrozenLake8x8": lambda _: instances.from_gymnasium("FrozenLake8x8-v1", 100, temperature=0.01),
    "Taxi": lambda _: instances.from_gymnasium("Taxi-v4", 50, temperature=0.1),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the experiment.

    Parameters
    ----------
    n_demos : tuple of int
        Numbers of demonstrations T.
    replicates : int
        Data sets drawn for each instance and T.
    instances : tuple of str, optional
        Some of `INSTANCES`.
    """

    n_demos: tuple[int, ...]
    replicates: int
    instances: tuple[str, ...] = tuple(INSTANCES)


FULL = Config(n_demos=tuple(round(10 ** (1 + k / 4)) for k in range(17)), replicates=1000)
QUICK = Config(n_demos=(10, 32, 100, 316, 1000, 3162, 10000), replicates=400)


@dataclass(frozen=True, kw_only=True)
class CloningCell:
    """One instance at one T. Its JSON seeds the draws: a field more or less would change all numbers.

    Parameters
    ----------
    instance : str
        Of `INSTANCES`.
    instance_seed : int
        Seed of the instances that are random.
    n_demos : int
        Number of demonstrations T.
    replicates : int
        Data sets.
    """

    instance: str
    instance_seed: int
    n_demos: int
    replicates: int


def estimators(instance: Instance, n_demos: int) -> list[PolicyEstimator]:
    """One estimator for each of `ESTIMATORS`, in that order."""
    return [entry.build(instance, n_demos) for entry in ESTIMATORS.values()]


def positions(arrays: Arrays, names: Sequence[str]) -> list[int]:
    """Positions of estimators in `arrays["policies"]`."""
    order = arrays["policies"].tolist()
    return [order.index(name) for name in names]


def build(name: str, seed: int) -> Instance:
    """Instance of the experiment, built from a seed and cached."""
    return _build(name, seed)


@cache
def _build(name: str, seed: int) -> Instance:
    return INSTANCES[name](np.random.default_rng(seed))


def replicate(cell: Cell, rng: np.random.Generator) -> Arrays:
    """Losses and coverages of every estimator on independent data sets.

    Parameters
    ----------
    cell : mapping
        Fields of a `CloningCell`.
    rng : Generator
        Draws the data sets, and nothing else.

    Returns
    -------
    dict of ndarray
        `loss` and `coverage`, (estimators, replicates), and, (replicates,): `control`, J(pi_beta) - J(q) of the
        module's head; `shortfall`, the largest w T - 2 T_h(s) over all (h, s), which is the smallest lambda with which
        Lemma 3's inequality holds; `unseen`, the probability that BC meets a state that it never saw at that step;
        `missing`, the expected number of such states on a trajectory of the demonstrator, minus its mean over the data,
        the sum of w (1 - w)^T.
    """
    task = CloningCell(**cell)
    instance, T = build(task.instance, task.instance_seed), task.n_demos
    w = np.minimum(instance.occupancy.sum(axis=2), 1.0)
    mean_missing = float(expected_noise(w, T, 0.0, 1.0).sum())
    compared = estimators(instance, T)
    loss = np.empty((len(compared), task.replicates))
    gamma = np.empty_like(loss)
    control, shortfall, unseen, missing = np.empty((4, task.replicates))
    for r in range(task.replicates):
        counts = sample_counts(instance.mdp, instance.demonstrator, T, rng)
        bc, new = BC.policy(counts), counts.visits == 0
        shortfall[r] = (T * w - 2 * counts.visits).max()
        missing[r] = w[new].sum() - mean_missing
        unseen[r] = dp.meeting_probability(instance.mdp, bc, new)
        q = np.where(new[..., None], instance.demonstrator, bc)
        control[r] = instance.demonstrator_value - dp.expected_return(instance.mdp, q)
        for i, estimator in enumerate(compared):
            policy = estimator.policy(counts)
            loss[i, r] = instance.demonstrator_value - dp.expected_return(instance.mdp, policy)
            gamma[i, r] = coverage_where(policy, instance.demonstrator, instance.reachable)
    by_data_set = {"control": control, "shortfall": shortfall, "unseen": unseen, "missing": missing}
    return {"loss": loss, "coverage": gamma, **by_data_set}


def controlled(values: NDArray[np.float64], control: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract from each value the part that a control variate of expectation 0 explains, by least squares.

    Parameters
    ----------
    values : ndarray, (estimators, replicates)
    control : ndarray, (replicates,)

    Returns
    -------
    ndarray, (estimators, replicates)
        With the same expectation, up to terms of order 1/replicates, and a smaller variance.

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


def _controlled_losses(loss: NDArray[np.float64], control: NDArray[np.float64]) -> NDArray[np.float64]:
    """`controlled`, for the judged estimators together and for each further one alone.

    A product of a matrix and a vector rounds differently with another number of rows: a further estimator would change
    the last bits of the others.
    """
    n = len(JUDGED)
    further = [loss[k : k + 1] for k in range(n, len(loss))]
    return np.concatenate([controlled(rows, control) for rows in (loss[:n], *further)])


def instance_seed(sweep: Sweep) -> int:
    """Seed of the instances that are random."""
    return int(sweep.generator("instances").integers(2**62))


def run(config: Config, sweep: Sweep) -> tuple[Arrays, list[Instance]]:
    """Compute all replicates.

    Returns
    -------
    arrays : dict
        `loss` and `coverage`, (instances, T, estimators, replicates); `informative`, (instances, T, estimators): the
        number of replicates in which the loss differs from its control variate; `shortfall`, `unseen` and `missing`,
        (instances, T, replicates); `n_demos`; names: `instances` and `policies` (of the estimators).
    instances : list of Instance
    """
    seed = instance_seed(sweep)
    cells = [
        CloningCell(instance=name, instance_seed=seed, n_demos=T, replicates=config.replicates)
        for name in config.instances
        for T in config.n_demos
    ]
    results = sweep.run("cloning", replicate, [asdict(cell) for cell in cells])
    shape = (len(config.instances), len(config.n_demos), len(ESTIMATORS), config.replicates)
    loss = np.stack([_controlled_losses(r["loss"], r["control"]) for r in results])
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
    arrays["policies"] = np.array(list(ESTIMATORS))
    return arrays, built


def lower_quantile(samples: NDArray[np.float64], probability: float) -> NDArray[np.float64]:
    """Largest sample value that at least a share 1 - probability of the samples (last axis) reaches."""
    ordered = np.sort(samples, axis=-1)
    result: NDArray[np.float64] = ordered[..., math.floor(probability * samples.shape[-1])]
    return result


def largest(names: Sequence[str], values: NDArray[np.float64]) -> tuple[float, str]:
    """Largest value, and the name of its position along the first axis."""
    i = int(np.unravel_index(int(np.argmax(values)), values.shape)[0])
    return float(values.max()), names[i]
