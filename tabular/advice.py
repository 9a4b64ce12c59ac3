"""Advice: recommended (alpha, lambda) with guarantees, and how many more demonstrations to record.

The loss of PostBC is bounded by R1,

    J(demonstrator) - E J(policy) <= (1 - 1/A) sum_h (H - h + 1) sum_s w_h(s) E[a_N],   N ~ Bin(T, w_h(s)),
    E[a_N] = (1 - alpha) P[N = 0] + alpha E[lambda/(N + lambda)],

which is linear in alpha: (1 - alpha) of the bound for BC plus alpha of that for the posterior. R3 bounds the coverage
gamma from below. Letters: S, A, H, T = numbers of states, actions, steps, demonstrations; w = the occupancy.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tabular.audit_records import CoverageCurve, PlanRow, PlanTable, Recommendation, RecommendedAlpha, Sizes
from tabular.plan import ANY_POSITIVE, BeyondSearch, RecordingPlan
from tabular.policies import BC, MixtureEstimator, log_choice, paper_choice
from tabular.tally import Tally
from theory.base import validate
from theory.bounds.family import noise_weight
from theory.bounds.r1_suboptimality import r1_simple_bound
from theory.bounds.r3_coverage import best_prior_mass, r3_coverage

PLAN_PROBABILITIES = (0.5, 0.1, 0.02)
"""Probabilities of the actions that the plan of an audit shows."""

DEFAULT_LOSS = 0.05
"""Tolerated loss where none is stated, as a share of the largest return H."""


@dataclass(frozen=True, kw_only=True)
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
        S; the number of states in the data if not given.
    stationary : bool, optional
        Pool the steps.
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


def recommendation(tally: Tally, n_states: int, question: Question) -> Recommendation:
    """(alpha, lambda) for PostBC: lambda = L'/2, and the largest alpha whose bound on the loss is tolerated.

    R1 needs the occupancy w, which only the data tell. So its sum is bounded in three ways:

    `estimate`: leave out each demonstration in turn and use n a_{n-1}/T instead of w E[a_N]. This is unbiased for R1
    at T - 1 demonstrations, and no guarantee.
    `upper`: the estimate plus a margin. With probability 1 - delta the true value is below it, whatever the process
    (McDiarmid: one demonstration moves each step's sum by at most 2/T).
    `any_process`: R1 for the worst process of this size.

    Parameters
    ----------
    tally : Tally
        With steps.
    n_states : int
    question : Question
    """
    A, H, T = int(tally.state_actions.max()), int(tally.cell_step.max()) + 1, tally.n_episodes
    mass = best_prior_mass(n_states, A, H, question.delta)
    tolerated = DEFAULT_LOSS * H if question.loss is None else float(question.loss)
    visits = tally.visits
    worth = (1.0 - 1.0 / A) * (H - tally.cell_step) * visits / T
    bc = float(worth[visits == 1].sum())
    posterior = float((worth * noise_weight(visits - 1, 1.0, mass)).sum())
    margin = (1.0 - 1.0 / A) * 0.5 * H * (H + 1) * math.sqrt(2.0 * math.log(2.0 / question.delta) / T)
    worst_bc, worst_posterior = (r1_simple_bound(n_states, A, H, T, alpha, mass) for alpha in (0.0, 1.0))

    def largest(loss_of_bc: float, loss_of_posterior: float) -> RecommendedAlpha:
        alpha = _largest_alpha(loss_of_bc, loss_of_posterior, tolerated)
        if alpha is None:
            return RecommendedAlpha(loss_of_bc=loss_of_bc)
        loss = loss_of_bc + alpha * (loss_of_posterior - loss_of_bc)
        gamma = r3_coverage(n_states, A, H, question.delta, alpha, mass)
        return RecommendedAlpha(loss_of_bc=loss_of_bc, alpha=alpha, loss=loss, gamma=gamma)

    return Recommendation(
        delta=question.delta,
        tolerated_loss=tolerated,
        prior_mass=mass,
        any_process=largest(worst_bc, worst_posterior),
        estimate=largest(bc, posterior),
        upper=largest(bc + margin, posterior + margin),
    )


def _largest_alpha(loss_of_bc: float, loss_of_posterior: float, tolerated: float) -> float | None:
    """Largest alpha in [0, 1] with (1 - alpha) loss_of_bc + alpha loss_of_posterior tolerated; None if 0 is not."""
    if loss_of_bc > tolerated:
        return None
    if loss_of_posterior <= tolerated:
        return 1.0
    return (tolerated - loss_of_bc) / (loss_of_posterior - loss_of_bc)


@dataclass(frozen=True, kw_only=True)
class UnrecordedAction:
    """An action that was not recorded in the visits of its cell so far.

    Parameters
    ----------
    occupancy, probability, n_actions, visits
        As in `RecordingPlan`, which checks them.
    """

    occupancy: float
    probability: float
    n_actions: int
    visits: int = 0

    def plan(self, estimator: MixtureEstimator, level: float) -> RecordingPlan:
        """Plan that covers the action with the estimator at a level."""
        return RecordingPlan(
            occupancy=self.occupancy,
            probability=self.probability,
            n_actions=self.n_actions,
            estimator=estimator,
            level=level,
            visits=self.visits,
        )

    def needed(self, estimator: MixtureEstimator, level: float, delta: float) -> int | str | None:
        """Number of further demonstrations; None where the policy never covers; a text where the search gave up."""
        try:
            return self.plan(estimator, level).demonstrations_needed(delta)
        except BeyondSearch as error:
            return str(error)

    def demonstrations_needed(
        self, policies: Mapping[str, MixtureEstimator], level: float, delta: float
    ) -> dict[str, int | str | None]:
        """Numbers of further demonstrations by policy, see `needed`.

        Parameters
        ----------
        policies : mapping
            Estimators by name.
        level : float
            gamma, in (0, 1].
        delta : float
            In (0, 1).
        """
        return {name: self.needed(estimator, level, delta) for name, estimator in policies.items()}

    def coverage_curve(self, policies: Mapping[str, MixtureEstimator], level: float) -> CoverageCurve:
        """Exact probability that the action is covered, against the number of further demonstrations.

        Parameters
        ----------
        policies : mapping
            Estimators by name.
        level : float
            gamma, in (0, 1].
        """
        plans = {name: self.plan(estimator, level) for name, estimator in policies.items()}
        more = _numbers_shown(validate.real("occupancy * probability", self.occupancy * self.probability, above=1e-290))
        return CoverageCurve(
            occupancy=self.occupancy,
            probability=self.probability,
            visits=self.visits,
            more=more,
            covered={name: [plan.coverage_probability(m) for m in more] for name, plan in plans.items()},
        )


def _numbers_shown(chance: float) -> list[int]:
    """Numbers of demonstrations of a curve, up to 6 expected recordings."""
    last = math.ceil(6.0 / chance)
    if last >= 2**53:  # numpy's whole numbers end, and doubles no longer tell neighbours apart
        return [last * i // 60 for i in range(61)]
    shown: list[int] = np.unique(np.linspace(0, last, 61).round().astype(np.int64)).tolist()
    return shown


def plan_for(tally: Tally, sizes: Sizes, question: Question, advice: Recommendation | None) -> PlanTable:
    """How many more demonstrations cover an unrecorded action, in the rarest, a typical and the most visited cell.

    Parameters
    ----------
    tally : Tally
        As it is used: with steps, or without.
    sizes : Sizes
    question : Question
    advice : Recommendation or None
        None for pooled steps.
    """
    S, A, H, T = sizes.n_states, sizes.n_actions, sizes.horizon, sizes.n_demos
    tolerated = None if advice is None else advice.estimate.alpha
    alpha = 1.0 if tolerated is None else tolerated
    policies = {
        "BC": BC,
        "PostBC, the paper's choice": paper_choice(A, H, T),
        "PostBC, recommended": log_choice(S, A, H, question.delta, alpha),
    }
    trials = int(tally.counts.sum()) if question.stationary else T
    cells = _shown_cells(tally)

    def action(n: int, p: float) -> UnrecordedAction:
        return UnrecordedAction(occupancy=n / trials, probability=p, n_actions=A, visits=n)

    def row(kind: str, n: int, p: float) -> PlanRow:
        needed = needed_with_any(action(n, p), policies, question.level, question.delta)
        return PlanRow(cell=kind, visits=n, occupancy=n / trials, probability=p, needed=needed)

    return PlanTable(
        unit="recorded steps, as if independent" if question.stationary else "demonstrations",
        delta=question.delta,
        level=question.level,
        alpha_shown=alpha,
        alpha_tolerated=tolerated is not None,
        rows=[row(kind, n, p) for kind, n in cells.items() for p in PLAN_PROBABILITIES],
        curve=action(cells["typical"], PLAN_PROBABILITIES[1]).coverage_curve(policies, question.level),
    )


def _shown_cells(tally: Tally) -> dict[str, int]:
    """Visits of the rarest cell, of the one that holds the median row, and of the most visited one."""
    visits = np.sort(tally.visits)
    typical = visits[np.searchsorted(np.cumsum(visits), visits.sum() / 2)]
    return {"rarest": int(visits[0]), "typical": int(typical), "most visited": int(visits[-1])}


def needed_with_any(
    action: UnrecordedAction, policies: Mapping[str, MixtureEstimator], level: float, delta: float
) -> dict[str, int | str | None]:
    """`demonstrations_needed`, and before each policy without noise the number for any probability above 0.

    Parameters
    ----------
    action : UnrecordedAction
    policies : mapping
        Estimators by name.
    level : float
        gamma, in (0, 1].
    delta : float
        In (0, 1).
    """
    needed: dict[str, int | str | None] = {}
    for name, estimator in policies.items():
        if estimator.alpha == 0.0:
            needed[f"{name}, above 0"] = action.needed(estimator, ANY_POSITIVE, delta)
        needed[name] = action.needed(estimator, level, delta)
    return needed
