"""What to choose and how much more to record: recommended (alpha, lambda) with guarantees, and a plan."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular.plan import ANY, Plan
from tabular.policies import BC, Estimator, log_choice, paper_choice
from tabular.tally import Tally
from theory.base import validate
from theory.bounds.r1_suboptimality import r1_simple_bound
from theory.bounds.r3_coverage import best_prior_mass, r3_coverage

PLAN_PROBABILITIES = (0.5, 0.1, 0.02)


@dataclass(frozen=True)
class Question:
    """What is asked of the data.

    Parameters
    ----------
    delta : float, optional
        Allowed probability of failure, in (0, 1).
    loss : float, optional
        Tolerated J(demonstrator) - J(policy), above 0; None is 5 % of the largest return H.
    level : float, optional
        Coverage gamma that the plan asks for, in (0, 1].
    n_states : int, optional
        S; the number of states found if not given.
    stationary : bool, optional
        Pool the steps.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
    """

    delta: float = 0.05
    loss: float | None = None
    level: float = 0.1
    n_states: int | None = None
    stationary: bool = False

    def __post_init__(self) -> None:
        validate.real("delta", self.delta, above=0.0, below=1.0)
        validate.real("level", self.level, above=0.0, at_most=1.0)
        if self.loss is not None:
            validate.real("loss", self.loss, above=0.0)
        if self.n_states is not None:
            validate.integer("n_states", self.n_states, at_least=1)


def recommendation(tally: Tally, n_states: int, question: Question) -> dict[str, Any]:
    """(alpha, lambda) for PostBC: lambda = L'/2, and the largest alpha whose loss is tolerated.

    R1 bounds the loss by (1 - 1/A) sum_h (H - h + 1) sum_s w E[a_N], N ~ Bin(T, w). It is had in three ways:
    `estimate`, unbiased for T - 1 demonstrations, with n a_{n-1}/T in place of w E[a_N] (each demonstration is left
    out in turn); `upper`, the estimate and a margin that it stays within with probability 1 - delta, whatever the
    process (McDiarmid: one demonstration moves each step's sum by at most 2/T); `any_process`, R1 for the worst
    process of this size. R3 gives the coverage.

    Parameters
    ----------
    tally : Tally
        With steps.
    n_states : int
    question : Question

    Returns
    -------
    dict
        For each way the bound for BC (`loss_of_bc`), the `alpha` (None if not even BC's loss is tolerated), the
        loss and the coverage gamma at that alpha.
    """
    A, H, T = int(tally.state_actions.max()), int(tally.cell_step.max()) + 1, tally.n_episodes
    mass = best_prior_mass(n_states, A, H, question.delta)
    tolerated = 0.05 * H if question.loss is None else float(question.loss)
    visits = tally.visits
    worth = (1.0 - 1.0 / A) * (H - tally.cell_step) * visits / T
    ends = {
        "estimate": (float(worth[visits == 1].sum()), float((worth * mass / (visits - 1 + mass)).sum())),
        "any_process": (
            r1_simple_bound(n_states, A, H, T, 0.0, mass),
            r1_simple_bound(n_states, A, H, T, 1.0, mass),
        ),
    }
    margin = (1.0 - 1.0 / A) * 0.5 * H * (H + 1) * math.sqrt(2.0 * math.log(2.0 / question.delta) / T)
    ends["upper"] = (ends["estimate"][0] + margin, ends["estimate"][1] + margin)
    ways = {}
    for way, (bc, posterior) in sorted(ends.items()):
        alpha = _largest_alpha(bc, posterior, tolerated)
        ways[way] = {
            "loss_of_bc": bc,
            "alpha": alpha,
            "loss": None if alpha is None else bc + alpha * (posterior - bc),
            "gamma": None if alpha is None else r3_coverage(n_states, A, H, question.delta, alpha, mass),
        }
    return {"delta": question.delta, "tolerated_loss": tolerated, "lambda": mass, **ways}


def _largest_alpha(bc: float, posterior: float, tolerated: float) -> float | None:
    """The bound is (1 - alpha) bc + alpha posterior."""
    if bc > tolerated:
        return None
    return 1.0 if posterior <= tolerated else (tolerated - bc) / (posterior - bc)


def plan_for(tally: Tally, sizes: dict[str, int], question: Question, advice: dict[str, Any] | None) -> dict[str, Any]:
    """How many more demonstrations cover an action not recorded yet, in a rare, a typical and a common cell.

    Parameters
    ----------
    tally : Tally
        As it is used: with steps, or without.
    sizes : dict
        `states`, `actions`, `horizon`, `demonstrations`.
    question : Question
    advice : dict or None
        From `recommendation`.
    """
    S, A, H, T = (sizes[name] for name in ("states", "actions", "horizon", "demonstrations"))
    tolerated = None if advice is None else advice["estimate"]["alpha"]
    alpha = 1.0 if tolerated is None else tolerated
    policies = {
        "BC": BC,
        "PostBC, the paper's choice": paper_choice(A, H, T),
        "PostBC, recommended": log_choice(S, A, H, question.delta, alpha),
    }
    visits = np.sort(tally.visits)
    middle = int(visits[np.searchsorted(np.cumsum(visits), visits.sum() / 2)])
    trials = int(tally.counts.sum()) if question.stationary else T
    cells = {"rarest": int(visits[0]), "typical": middle, "most visited": int(visits[-1])}
    rows = [
        {
            "cell": kind,
            "visits": n,
            "occupancy": n / trials,
            "probability": p,
            "needed": plan_row(n / trials, p, A, policies, question.level, question.delta, n),
        }
        for kind, n in cells.items()
        for p in PLAN_PROBABILITIES
    ]
    return {
        "unit": "recorded steps, as if independent" if question.stationary else "demonstrations",
        "delta": question.delta,
        "level": question.level,
        "alpha_shown": alpha,
        "alpha_tolerated": tolerated is not None,
        "rows": rows,
        "curve": plan_curve(middle / trials, PLAN_PROBABILITIES[1], A, policies, question.level, middle),
    }


def plan_row(
    occupancy: float,
    probability: float,
    n_actions: int,
    policies: dict[str, Estimator],
    level: float,
    delta: float,
    visits: int = 0,
) -> dict[str, int | None]:
    """Numbers of further demonstrations, by policy, for an action that was not recorded in `visits` visits.

    Parameters
    ----------
    occupancy, probability, n_actions, level, visits
        As in `Plan`.
    policies : dict
        Estimators by name. Those with alpha = 0 are asked for any probability above 0, too.
    delta : float
        In (0, 1).

    Returns
    -------
    dict
        None where the policy never covers at this level.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
    """
    needed = {}
    for name, estimator in policies.items():
        if estimator.alpha == 0.0:
            any_at_all = Plan(occupancy, probability, n_actions, estimator, ANY, visits)
            needed[f"{name}, above 0"] = any_at_all.demonstrations_needed(delta)
        plan = Plan(occupancy, probability, n_actions, estimator, level, visits)
        needed[name] = plan.demonstrations_needed(delta)
    return needed


def plan_curve(
    occupancy: float, probability: float, n_actions: int, policies: dict[str, Estimator], level: float, visits: int = 0
) -> dict[str, Any]:
    """Exact probability that the action is covered, against the number of further demonstrations.

    Parameters
    ----------
    occupancy, probability, n_actions, level, visits
        As in `Plan`.
    policies : dict
        Estimators by name.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its range.
    """
    plans = {name: Plan(occupancy, probability, n_actions, e, level, visits) for name, e in policies.items()}
    last = math.ceil(6.0 / (occupancy * probability))
    more = np.unique(np.linspace(0, last, 61).round().astype(np.int64)).tolist()
    return {
        "occupancy": occupancy,
        "probability": probability,
        "visits": visits,
        "more": more,
        "covered": {name: [plan.coverage_probability(m) for m in more] for name, plan in plans.items()},
    }
