"""The full grid of finetuning: its parts, each a list of settings, which `grid_runs` computes and reads.

`choice` comes first: on separate seeds it chooses, for each task, the sigma and the alpha that later parts use.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from continuous.beyond import shrunken_alpha
from figures.control.blocks import Config, Settings, noisy_policies, policies_by_strength
from figures.control.oracle_masks import ORACLE_MASKS
from figures.control.variants import VARIANTS, PolicySpec

TASKS: dict[str, int] = {"reach": 20, "stick": 20, "corridor": 10, "lift": 10, "push": 10}
"""Number of seeds of each task."""

SELECTION_SEEDS = 100
"""First of the seeds on which settings are chosen; results are of the seeds from 0 on."""

N_DEMOS = 10
"""Number of demonstrations, unless a part says otherwise."""

TUNED = ("sigma-BC", "PostBC")
"""Families whose strength is chosen."""

Chosen = Mapping[tuple[str, int], Mapping[str, float]]
"""By task and number of demonstrations, the strength of each of `TUNED`."""


def _choice(_: Chosen) -> list[Config]:
    policies = noisy_policies((0.1, 0.2, 0.4, 0.8), (0.5, 1.0, 2.0, 4.0))
    return [_selection(policies)]


def _choice_ends(_: Chosen) -> list[Config]:
    """The lower ends of the grid: on three tasks the best strength of `choice` was the smallest."""
    return [_selection(noisy_policies((0.05,), (0.25,)))]


def _selection(policies: tuple[PolicySpec, ...]) -> Config:
    return Config(tasks=tuple(TASKS), n_demos=(N_DEMOS,), n_seeds=4, policies=policies, first_seed=SELECTION_SEEDS)


TRADEOFF_LEARNERS = ("DSRL", "Best-of-N")


def _strengths(_: Chosen) -> list[Config]:
    return [
        Config(
            tasks=(task,), n_demos=(N_DEMOS,), n_seeds=n, policies=policies_by_strength(), finetuners=TRADEOFF_LEARNERS
        )
        for task, n in TASKS.items()
    ]


def _strengths_ends(_: Chosen) -> list[Config]:
    """Beyond the upper ends, where Best-of-N was best on reach."""
    return [
        Config(
            tasks=("reach",), n_demos=(N_DEMOS,), n_seeds=TASKS["reach"],
            policies=noisy_policies((1.6,), (8.0,)), finetuners=TRADEOFF_LEARNERS,
        )
    ]  # fmt: skip


def chosen_policies(strengths: Mapping[str, float]) -> dict[str, PolicySpec]:
    """BC, and each of `TUNED` at its chosen strength, by family."""
    tuned = {family: PolicySpec(family=family, strength=strengths[family]) for family in TUNED}
    return {"BC": PolicySpec(family="BC"), **tuned}


def usual_policies(chosen: Chosen, task: str) -> dict[str, PolicySpec]:
    """`chosen_policies` of a task, chosen from `N_DEMOS` demonstrations."""
    return chosen_policies(chosen[task, N_DEMOS])


def _demonstrations(chosen: Chosen) -> list[Config]:
    return [
        Config(tasks=(task,), n_demos=(5, 20, 50), n_seeds=n, policies=tuple(usual_policies(chosen, task).values()))
        for task, n in TASKS.items()
    ]


def _dppo(chosen: Chosen) -> list[Config]:
    return [
        Config(
            tasks=(task,), n_demos=(N_DEMOS,), n_seeds=n, policies=tuple(usual_policies(chosen, task).values()),
            finetuners=("DPPO",),
        )
        for task, n in TASKS.items()
    ]  # fmt: skip


ABLATED = (("stick", N_DEMOS), ("corridor", 5))
"""Tasks of the ablations, with numbers of demonstrations that leave room above BC."""

ENSEMBLE_SIZES = ("3 members", "30 members", "100 members")
BOOTSTRAPS = ("pairs bootstrap", "perturbed targets")
SHAPES = ("diagonal", "isotropic", "with sigma 0.1", "with sigma 0.2")
DEMONSTRATORS = ("fair demonstrator", "poor demonstrator")
"""Variants that are compared with the usual way, by what they change."""


def masked_policies(sigma: float) -> dict[str, PolicySpec]:
    """Sigma-BC with the oracle mask at the chosen sigma and at twice that, by the name of the strength."""
    strengths = {"sigma": sigma, "2 sigma": 2 * sigma}
    return {
        name: PolicySpec(family="sigma-BC", strength=strength, variant="oracle mask")
        for name, strength in strengths.items()
    }


def _ablations(chosen: Chosen) -> list[Config]:
    configs = []
    for task, n_demos in ABLATED:
        usual = usual_policies(chosen, task)
        policies = [replace(usual["PostBC"], variant=name) for name in (*ENSEMBLE_SIZES, *BOOTSTRAPS, *SHAPES)]
        policies += [replace(policy, variant=name) for name in DEMONSTRATORS for policy in usual.values()]
        if task in ORACLE_MASKS:
            policies += masked_policies(usual["sigma-BC"].strength).values()
        configs.append(Config(tasks=(task,), n_demos=(n_demos,), n_seeds=8, policies=tuple(policies)))
    return configs


USUAL_CRITIC = "10 thousand updates, width 64"
CRITICS = {
    "2 thousand updates, width 64": Settings(critic_updates=2000),
    "40 thousand updates, width 64": Settings(critic_updates=40_000),
    "10 thousand updates, width 16": Settings(critic_width=16),
    "10 thousand updates, width 256": Settings(critic_width=256),
}


def _critics(chosen: Chosen) -> list[Config]:
    return [
        Config(
            tasks=(task,), n_demos=(n_demos,), n_seeds=5, policies=(usual["BC"], usual["PostBC"]),
            finetuners=("Best-of-N",), settings=settings, setting=name,
        )
        for task, n_demos in ABLATED
        for usual in [usual_policies(chosen, task)]
        for name, settings in {USUAL_CRITIC: Settings(), **CRITICS}.items()
    ]  # fmt: skip


BY_ROLLOUTS = "by rollouts"


def _rollouts(chosen: Chosen) -> list[Config]:
    return [
        Config(
            tasks=(task,), n_demos=(N_DEMOS,), n_seeds=5, policies=tuple(usual_policies(chosen, task).values()),
            finetuners=("Best-of-N",), settings=Settings(rollouts=(200, 1000)), setting=BY_ROLLOUTS,
        )
        for task in TASKS
    ]  # fmt: skip


def policies_beyond(alpha: float) -> tuple[PolicySpec, ...]:
    """PostBC with ideas that go beyond the paper."""
    return (
        PolicySpec(family="PostBC", strength=1.0, variant="held-out alpha"),
        PolicySpec(family="PostBC", strength=alpha, variant="own states"),
    )


def _beyond(chosen: Chosen) -> list[Config]:
    return [
        Config(
            tasks=(task,), n_demos=(N_DEMOS,), n_seeds=8,
            policies=policies_beyond(usual_policies(chosen, task)["PostBC"].strength),
        )
        for task in TASKS
    ]  # fmt: skip


SHRUNKEN = ("stick", "corridor")
"""Tasks where an alpha that shrinks with the number of demonstrations is compared with a constant one."""
FEW_AND_MANY = (5, 50)
"""Numbers of demonstrations for this comparison, and for strengths chosen by number of demonstrations."""


def shrunken_policy(alpha: float) -> PolicySpec:
    """PostBC whose alpha shrinks with the number of demonstrations, and is the given one at `N_DEMOS`."""
    factor = 1.0 / shrunken_alpha(1.0, N_DEMOS, VARIANTS["shrunken alpha"].prior_mass)
    return PolicySpec(family="PostBC", strength=factor * alpha, variant="shrunken alpha")


def _shrinkage(chosen: Chosen) -> list[Config]:
    return [
        Config(
            tasks=(task,), n_demos=FEW_AND_MANY, n_seeds=8,
            policies=(shrunken_policy(usual_policies(chosen, task)["PostBC"].strength),),
        )
        for task in SHRUNKEN
    ]  # fmt: skip


BY_N = ("stick", "corridor")
"""Tasks where a strength is also chosen for each number of demonstrations."""


def _choice_by_n(_: Chosen) -> list[Config]:
    policies = noisy_policies((0.1, 0.2, 0.4), (0.5, 1.0, 2.0))
    return [Config(tasks=BY_N, n_demos=FEW_AND_MANY, n_seeds=3, policies=policies, first_seed=SELECTION_SEEDS)]


def policies_by_n(chosen: Chosen, task: str, n_demos: int) -> dict[str, PolicySpec]:
    """Policies with strengths chosen for a number of demonstrations, if they differ from the usual, by family."""
    usual, chosen_here = usual_policies(chosen, task), chosen_policies(chosen[task, n_demos])
    return {family: policy for family, policy in chosen_here.items() if policy != usual[family]}


def _by_n(chosen: Chosen) -> list[Config]:
    return [
        Config(tasks=(task,), n_demos=(n,), n_seeds=8, policies=tuple(policies.values()))
        for task in BY_N
        for n in FEW_AND_MANY
        for policies in [policies_by_n(chosen, task, n)]
        if policies
    ]


PARTS: dict[str, Callable[[Chosen], list[Config]]] = {
    "choice": _choice,
    "choice_ends": _choice_ends,
    "strengths": _strengths,
    "demonstrations": _demonstrations,
    "dppo": _dppo,
    "ablations": _ablations,
    "beyond": _beyond,
    "critics": _critics,
    "shrinkage": _shrinkage,
    "rollouts": _rollouts,
    "strengths_ends": _strengths_ends,
    "choice_by_n": _choice_by_n,
    "by_n": _by_n,
}

CHOICES = ("choice", "choice_ends")
"""Parts that choose the strengths; `choice_by_n` chooses those of other numbers of demonstrations."""
FREE = (*CHOICES, "choice_by_n", "strengths", "strengths_ends")
"""Parts that need no chosen strength."""
