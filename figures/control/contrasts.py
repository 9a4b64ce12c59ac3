"""Contrasts of the ablations: two finetuned policies that differ in one respect."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from figures.control import grid
from figures.control.grid import FEW_AND_MANY, N_DEMOS, Chosen
from figures.control.oracle_masks import ORACLE_MASKS
from figures.control.pairs import Experiment
from figures.control.tables import learner_name
from figures.control.variants import PolicySpec


class Group(StrEnum):
    """What is changed, as printed; in the order of the figure."""

    MEMBERS = "members, minus 10"
    BOOTSTRAP = "bootstrap, minus trajectories"
    NOISE = "noise, minus full covariance"
    DEMONSTRATOR = "demonstrator"
    MASK = "oracle mask"
    BEYOND = "beyond the paper"
    SHRINKAGE = "shrunken alpha, minus constant"
    BY_N = "one strength for all, minus one for each"
    CRITIC = "critic of Best-of-N, minus usual"


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A line of the figure for one task: the difference of two experiments.

    Parameters
    ----------
    group : Group
    label : str
        Name of the line.
    changed, usual : Experiment
        The difference is that of `changed` minus `usual`.
    """

    group: Group
    label: str
    changed: Experiment
    usual: Experiment


VARIANTS_OF_POSTBC = {
    Group.MEMBERS: grid.ENSEMBLE_SIZES,
    Group.BOOTSTRAP: grid.BOOTSTRAPS,
    Group.NOISE: grid.SHAPES,
}
"""Variants that are compared with the usual PostBC."""
RIVALS = ("BC", "sigma-BC")
"""Families that PostBC is compared with for each demonstrator."""
N_CANDIDATES = 16


def all_contrasts(chosen: Chosen) -> list[Contrast]:
    """All contrasts, group by group.

    Parameters
    ----------
    chosen : mapping
        As of `grid_runs.chosen`, for each number of demonstrations.
    """
    contrasts: list[Contrast] = []
    for task, n_demos in grid.ABLATED:
        usual = grid.usual_policies(chosen, task)
        for of_policies in (_variants(usual), _demonstrators(usual), _masks(usual) if task in ORACLE_MASKS else ()):
            contrasts += [
                Contrast(
                    group=group, label=label, changed=Experiment(task=task, n_demos=n_demos, policy=policy),
                    usual=Experiment(task=task, n_demos=n_demos, policy=other),
                )
                for group, label, policy, other in of_policies
            ]  # fmt: skip
        contrasts += _critics(task, n_demos, usual)
    for task in grid.TASKS:
        contrasts += _beyond(task, grid.usual_policies(chosen, task))
        if task in grid.BY_N:
            contrasts += _by_n(task, chosen)
        if task in grid.SHRUNKEN:
            contrasts += _shrinkage(task, grid.usual_policies(chosen, task)["PostBC"])
    return sorted(contrasts, key=lambda contrast: list(Group).index(contrast.group))


PolicyContrasts = Iterator[tuple[Group, str, PolicySpec, PolicySpec]]
"""Group, label, and the two policies; task, number of demonstrations and learner are the same."""


def _variants(usual: dict[str, PolicySpec]) -> PolicyContrasts:
    for group, names in VARIANTS_OF_POSTBC.items():
        for name in names:
            yield group, name, replace(usual["PostBC"], variant=name), usual["PostBC"]


def _demonstrators(usual: dict[str, PolicySpec]) -> PolicyContrasts:
    for quality, variant in (("poor", "poor demonstrator"), ("fair", "fair demonstrator"), ("good", "")):
        for rival in RIVALS:
            postbc, other = (replace(usual[family], variant=variant) for family in ("PostBC", rival))
            yield Group.DEMONSTRATOR, f"{quality}: PostBC minus {rival}", postbc, other


def _masks(usual: dict[str, PolicySpec]) -> PolicyContrasts:
    for name, masked in grid.masked_policies(usual["sigma-BC"].strength).items():
        for family in ("sigma-BC", "PostBC"):
            yield Group.MASK, f"masked {name} minus {family}", masked, usual[family]


def _critics(task: str, n_demos: int, usual: dict[str, PolicySpec]) -> Iterator[Contrast]:
    def experiment(setting: str, family: str) -> Experiment:
        learner = learner_name("Best-of-N", setting, N_CANDIDATES)
        return Experiment(task=task, n_demos=n_demos, policy=usual[family], learner=learner)

    for name in grid.CRITICS:
        for family in ("BC", "PostBC"):
            yield Contrast(
                group=Group.CRITIC, label=f"{name.replace(' thousand', 'k')}: {family}",
                changed=experiment(name, family), usual=experiment(grid.USUAL_CRITIC, family),
            )  # fmt: skip


def _beyond(task: str, usual: dict[str, PolicySpec]) -> Iterator[Contrast]:
    for policy in grid.policies_beyond(usual["PostBC"].strength):
        for family in ("sigma-BC", "PostBC"):
            yield Contrast(
                group=Group.BEYOND, label=f"{policy.variant} minus {family}",
                changed=Experiment(task=task, n_demos=N_DEMOS, policy=policy),
                usual=Experiment(task=task, n_demos=N_DEMOS, policy=usual[family]),
            )  # fmt: skip


def _by_n(task: str, chosen: Chosen) -> Iterator[Contrast]:
    """The usual strength minus the one chosen for this number of demonstrations."""
    usual = grid.usual_policies(chosen, task)
    for n in FEW_AND_MANY:
        for family, policy in grid.policies_by_n(chosen, task, n).items():
            yield Contrast(
                group=Group.BY_N, label=f"from {n}, {family}",
                changed=Experiment(task=task, n_demos=n, policy=usual[family]),
                usual=Experiment(task=task, n_demos=n, policy=policy),
            )  # fmt: skip


def _shrinkage(task: str, usual: PolicySpec) -> Iterator[Contrast]:
    shrunken = grid.shrunken_policy(usual.strength)
    for n in FEW_AND_MANY:
        yield Contrast(
            group=Group.SHRINKAGE, label=f"from {n} demonstrations",
            changed=Experiment(task=task, n_demos=n, policy=shrunken),
            usual=Experiment(task=task, n_demos=n, policy=usual),
        )  # fmt: skip
