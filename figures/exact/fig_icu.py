"""ICU-Sepsis: how much of the clinicians' policy is covered; exact, as policy and process are given."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import sparse

from figures.exact import cloning_experiment
from figures.exact.cloning_experiment import FALSE_ALARM, NOISY, ROUNDING, positions
from figures.exact.estimators import DELTA, ESTIMATORS, coverages, returns
from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.data import data_digest, data_path
from figures.running.intervals import intervals
from figures.running.sweep import Cell, Sweep
from tabular.demonstrations import sample_counts
from tabular.instances import Instance
from tabular.mdp import FiniteHorizonMDP
from theory.claims import Claim, Interval
from theory.statistics.probability import clopper_pearson

TITLE = "Coverage of clinicians, ICU-Sepsis"
CAPTION = (
    "ICU-Sepsis (Choudhary, Gupta, Thomas 2024; a process of 716 states and 25 actions estimated from intensive-care "
    "records), the clinicians' estimated policy as demonstrator; against the number of demonstrations T. Top: coverage "
    "reached with probability 0.9 over all states that it visits. Middle: over states that it visits with probability "
    "0.001 or more in that step. BC covers nothing (0). Bottom: exact loss of survival probability within the horizon, "
    "averaged over data sets. Bands: 95 % intervals (coverage: distribution-free; loss: Student's). All noise has the "
    "paper's alpha. With the same alpha PostBC covers no more than uniform noise here, and both cost nearly as little "
    "as BC. Uniform actions survive nearly as often as the clinicians, so this process tests coverage and says little "
    "about loss. It must not be used to draw conclusions that guide medical practice."
)
NEEDS = ("icu_sepsis/icu_sepsis.npz",)
FLOOR = 1e-4
"""Where a coverage of 0 is drawn on the logarithmic axis."""
LEAST_OCCUPANCY = 1e-3
"""Least probability, in one step, of the states that count as visited often."""
N_ACTIVE = 713
"""States before the absorbing ones: death, survival, and the end."""
PUBLISHED_RETURN = 0.78
"""Return of the clinicians without a horizon, as the authors state it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings.

    Parameters
    ----------
    horizons : tuple of int, optional
        One column of panels for each.
    n_demos : tuple of int, optional
        Numbers of demonstrations T.
    replicates : int, optional
        Data sets for each horizon and T.
    """

    horizons: tuple[int, ...] = (20, 40)
    n_demos: tuple[int, ...] = (10, 100, 1000)
    replicates: int = 40


FULL = Config(n_demos=(10, 30, 100, 300, 1000, 3000, 10**4, 10**5, 10**6), replicates=200)
QUICK = Config()


@dataclass(frozen=True, kw_only=True)
class ClinicianCell:
    """One horizon and T. Its JSON seeds the draws; `data` is the digest of the files."""

    horizon: int
    n_demos: int
    replicates: int
    data: str


@cache
def read_process(path: Path, horizon: int) -> Instance:
    """Read the process and the clinicians' policy; in absorbing states, where actions do nothing, it plays action 0.

    Parameters
    ----------
    path : Path
        The npz: a sparse table of (S A, S), rewards on arrival, first states, the policy (S, A).
    horizon : int
        Number of steps H.
    """
    with np.load(path, allow_pickle=False) as file:
        table = sparse.csr_matrix((file["P_data"], file["P_indices"], file["P_indptr"]), shape=tuple(file["P_shape"]))
        arrival, initial, policy = file["reward_next"], file["d0"], file["clinician_policy"].copy()
    n_states, n_actions = policy.shape
    policy[N_ACTIVE:, 0] = 1.0
    lengths = np.diff(table.indptr)
    inside = np.arange(lengths.max()) < lengths[:, None]
    successors, probabilities = np.zeros(inside.shape, np.int64), np.zeros(inside.shape)
    successors[inside], probabilities[inside] = table.indices, table.data
    shape = (1, n_states, n_actions, -1)
    reward = np.clip(table @ arrival, 0.0, 1.0).reshape(shape[:3])
    mdp = FiniteHorizonMDP(successors.reshape(shape), probabilities.reshape(shape), reward, initial, horizon)
    return Instance("ICU-Sepsis", mdp, np.broadcast_to(policy, (horizon, n_states, n_actions)))


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Coverage and loss of each estimator on each data set, and the exact bounds."""
    digest = data_digest(NEEDS)
    cells = [
        ClinicianCell(horizon=H, n_demos=T, replicates=config.replicates, data=digest)
        for H in config.horizons
        for T in config.n_demos
    ]
    results = sweep.run("icu-sepsis", clone, [asdict(cell) for cell in cells])
    shape = (len(config.horizons), len(config.n_demos))
    stacked = {key: np.stack([r[key] for r in results]).reshape(*shape, *results[0][key].shape) for key in results[0]}
    gamma, loss = stacked["coverage"], stacked["loss"]
    low, high = intervals(gamma, 0.95, DELTA)
    loss_low, loss_high = intervals(loss, 0.95)
    value, length = lifetime(read_process(data_path(NEEDS[0]), config.horizons[0]))
    policies = np.array(list(ESTIMATORS))
    (bc,) = positions({"policies": policies}, ["BC"])
    bounded = stacked["r3"].max(axis=(0, 1)) > 0
    kept = gamma[:, :, 0, bounded] >= stacked["r3"][..., bounded, None] * (1 - ROUNDING)
    return {
        "policies": policies,
        "horizons": np.array(config.horizons),
        "n_demos": np.array(config.n_demos),
        "replicates": np.array(config.replicates),
        "gamma": cloning_experiment.lower_quantile(gamma, DELTA),
        "low": np.maximum(low, 0.0),
        "high": high,
        "bc_largest": gamma[:, :, :, bc].max(axis=-1),
        "bc_chance": stacked["bc_chance"],
        "loss": loss.mean(axis=-1),
        "loss_low": loss_low,
        "loss_high": loss_high,
        "r3": stacked["r3"],
        "r3_kept": kept.sum(axis=-1),
        "r3_policies": policies[bounded],
        "value": np.array(value),
        "length": np.array(length),
    }


def clone(cell: Cell, rng: np.random.Generator) -> Arrays:
    """All estimators on independent data sets of the clinicians' policy."""
    task = ClinicianCell(**cell)
    instance, T = read_process(data_path(NEEDS[0]), task.horizon), task.n_demos
    compared = cloning_experiment.estimators(instance, T)
    included = instance.reachable.copy()
    included[:, N_ACTIVE:] = False
    often = included & (instance.occupancy.sum(axis=2) >= LEAST_OCCUPANCY)
    loss = np.empty((len(compared), task.replicates))
    gamma = np.empty((2, *loss.shape))
    for r in range(task.replicates):
        counts = sample_counts(instance.mdp, instance.demonstrator, T, rng)
        for states, mask in enumerate((included, often)):
            gamma[states, :, r] = coverages(instance, counts, mask, compared)
        loss[:, r] = instance.demonstrator_value - returns(instance, counts, compared)
    guaranteed = [entry.least_coverage(instance, T) for entry in ESTIMATORS.values()]
    chance = bc_chance(instance.occupancy, included, T)
    return {"coverage": gamma, "loss": loss, "r3": np.array(guaranteed), "bc_chance": np.array(chance)}


def bc_chance(occupancy: NDArray[np.float64], included: NDArray[np.bool_], n_demos: int) -> float:
    """Exact upper bound on P[BC covers at all]: the action that is most likely missing from a visited cell, alone."""
    cell = np.minimum(occupancy.sum(axis=2), 1.0)[included]
    played = np.minimum(occupancy[included], cell[:, None])
    missed = np.exp(n_demos * np.log1p(-played)) - np.exp(n_demos * np.log1p(-cell))[:, None]
    return 1.0 - float(np.where(played > 0, missed, 0.0).max())


def lifetime(instance: Instance) -> tuple[float, float]:
    """Return and mean number of steps of the demonstrator without a horizon, until all episodes have ended."""
    mdp, pi = instance.mdp, instance.demonstrator[0]
    n_states = mdp.n_states
    row = np.repeat(np.arange(n_states), mdp.n_actions * mdp.probabilities.shape[-1])
    weight = (pi[..., None] * mdp.probabilities[0]).ravel()
    step = sparse.csr_matrix((weight, (row, mdp.successors[0].ravel())), shape=(n_states, n_states)).T.tocsr()
    reward = (pi * mdp.reward[0]).sum(axis=1)
    present, value, length = mdp.initial.copy(), 0.0, 0.0
    while (alive := float(present[:N_ACTIVE].sum())) > 1e-12:
        value, length = value + float(present @ reward), length + alive
        present = step @ present
    return value, length


def check(arrays: Arrays) -> Sequence[Claim]:
    """The process is the published one; R3 is kept; BC covers nothing."""
    trials = int(arrays["replicates"]) * arrays["bc_chance"].size
    noisy = positions({"policies": arrays["r3_policies"]}, NOISY)
    least = int(arrays["r3_kept"][..., noisy].sum(axis=(0, 1)).min())
    share = clopper_pearson(least, trials, 1 - FALSE_ALARM / len(NOISY))
    return [
        Claim(id="icu-return", source="arXiv:2406.05646", relation="<=",
              interval=Interval.point(abs(float(arrays["value"]) - PUBLISHED_RETURN)), bound=0.005, evidence="exact",
              detail=f"Distance of the clinicians' return without a horizon, {float(arrays['value']):.4f}, from the "
              f"published 0.78. Their mean number of steps is {float(arrays['length']):.2f} here; the authors print "
              "9.22."),
        Claim(id="icu-r3", source="R3", relation=">=", interval=share, bound=1 - DELTA, evidence="sampled",
              detail="Share of data sets, over all T and horizons, on which a policy with noise covers what R3 "
              f"guarantees with probability {1 - DELTA:g} on each; the least of the four (Clopper-Pearson, false alarm "
              f"{FALSE_ALARM:g} for all)."),
        Claim(id="icu-bc-chance", source="B1.2", relation="<=",
              interval=Interval.point(float(arrays["bc_chance"].max())), bound=1 - DELTA, evidence="exact",
              detail="Largest upper bound on P[BC covers the clinicians at all], over T and horizons."),
        Claim(id="icu-bc-zero", source="B1.2", relation="<=",
              interval=Interval.point(float(arrays["bc_largest"].max())), bound=0.0, evidence="sampled",
              detail="Largest coverage of BC on any data set."),
    ]  # fmt: skip


YLABELS = ("$\\gamma$, all states", "$\\gamma$, states with $w \\geq 0.001$", "loss of survival\nprobability")


def draw(arrays: Arrays) -> Figure:
    """Coverage above, loss below; one column for each horizon."""
    figure = style.new_figure(page=5.4, column=5.6)
    panels = figure.subplots(len(YLABELS), arrays["horizons"].size, sharex=True, sharey="row", squeeze=False)
    for i, H in enumerate(arrays["horizons"]):
        for states in (0, 1):
            lines = [np.clip(arrays[key][i, :, states], FLOOR, 1.0) for key in ("low", "gamma", "high")]
            _draw_lines(panels[states, i], arrays, lines)
            panels[states, i].set(yscale="log", ylim=(FLOOR, 1.0))
        _draw_lines(panels[2, i], arrays, [arrays[key][i] for key in ("loss_low", "loss", "loss_high")])
        panels[2, i].axhline(0.0, color=palette.colour("demonstrator"), lw=0.8)
        panels[2, i].set(xscale="log")
        for row in range(len(YLABELS)):
            style.panel_letter(panels[row, i], palette.letter(row * arrays["horizons"].size + i), f"horizon {H}")
    style.name_axes(panels, "demonstrations T", *YLABELS)
    for axes in panels[:2, 0]:
        axes.set_yticks([FLOOR, 1e-3, 1e-2, 1e-1, 1.0], ["0", "0.001", "0.01", "0.1", "1"])
    for axes in panels[:2].ravel():
        axes.yaxis.minorticks_off()
    style.name_intervals(panels[0, 0])
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=style.by_form(6, 2), handlelength=1.6)
    return figure


def _draw_lines(axes: Axes, arrays: Arrays, lines: Sequence[NDArray[np.float64]]) -> None:
    """Lines of all estimators, from the ends of the intervals and the values between them, (T, estimators)."""
    n_demos = arrays["n_demos"]
    for k, name in enumerate(arrays["policies"].tolist()):
        low, middle, high = (line[:, k] for line in lines)
        colour, below = (
            palette.colour(name),
            name in ("BC", "uniform noise"),
        )  # drawn large and hollow: others may hide them
        axes.fill_between(n_demos, low, high, color=colour, alpha=0.2, lw=0)
        axes.plot(n_demos, middle, color=colour, marker=palette.marker(name), ms=7 if below else 3,
                  mfc="none" if below else colour, clip_on=False, label=palette.label(name))  # fmt: skip
