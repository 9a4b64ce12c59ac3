"""Records of an audit and of a plan. `as_json` writes them as JSON; `audit_page` writes them as text and page.

A cell is a step and a state, or a state alone where the steps are pooled. Shares and probabilities are in [0, 1].
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from tabular.policies import MixtureEstimator

LAMBDA = {"key": "lambda"}
"""The key in JSON of a prior's mass, which cannot be a name in Python."""

OPTIONAL = {"optional": True}
"""A field that is left out of the JSON where it is None."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the demonstrated process, as the bounds take them."""

    n_states: int
    n_actions: int
    horizon: int
    n_demos: int


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """What was read."""

    episodes: int
    rows: int
    horizon: int
    states_found: int
    states_stated: int | None
    largest_number_of_actions: int
    actions_stated: bool
    stationary: bool
    cells: int
    folds: int


@dataclass(frozen=True, kw_only=True)
class VisitShares:
    """Shares of the rows by the number of visits of their cell.

    Attributes
    ----------
    classes : sequence of str
        Numbers of visits, for instance "2-4"; C of them.
    overall : sequence of float
        Share of all rows in each class.
    steps, rows : sequence of int
        The N recorded steps, and the rows of each.
    by_step : sequence of (sequence of float)
        For each step the share of its rows in each class, (N, C).
    """

    classes: Sequence[str]
    overall: Sequence[float] = field(metadata={"key": "all"})
    steps: Sequence[int]
    rows: Sequence[int]
    by_step: Sequence[Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean and the two ends of its 95 % interval."""

    mean: float
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class ZeroEstimates:
    """Where BC would rule out what the demonstrator did, by cross-validation over episodes.

    Attributes
    ----------
    zero : Estimate
        Share of held-out rows in a cell with training data but an action without: BC gives it probability 0.
    unseen : Estimate
        Share of held-out rows in a cell without training data.
    steps : sequence of int
    zero_by_step : sequence of float
        `zero` of each step.
    """

    zero: Estimate
    unseen: Estimate
    steps: Sequence[int]
    zero_by_step: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class GoodTuring:
    """Good-Turing estimates of the mass that was never recorded.

    Attributes
    ----------
    cells : float
        Of cells never visited: the share of rows whose cell was visited once.
    actions : float
        Of actions never recorded in a visited cell: the share of rows whose action was recorded once, in a cell visited
        more often.
    """

    cells: float
    actions: float


@dataclass(frozen=True, kw_only=True)
class HeldOutLikelihood:
    """Mean log-likelihood of held-out rows under a cloned policy; None where there is nothing to estimate it from.

    Attributes
    ----------
    policy : str
    alpha : float
    prior_mass : float, str or None
        None for an infinite mass; words where it differs among states.
    mean, interval
        None where the mean is minus infinity.
    minus_infinity : bool
    impossible : float
        Share of the held-out rows that the policy gives probability 0.
    mean_of_possible : float
        Mean over the other rows. It flatters a policy that rules much out.
    """

    policy: str
    alpha: float
    prior_mass: float | str | None = field(metadata=LAMBDA)
    mean: float | None = None
    interval: tuple[float, float] | None = None
    minus_infinity: bool | None = None
    impossible: float | None = None
    mean_of_possible: float | None = None


@dataclass(frozen=True, kw_only=True)
class RecommendedAlpha:
    """The largest alpha whose bound on the loss is tolerated.

    Attributes
    ----------
    loss_of_bc : float
        The bound at alpha = 0.
    alpha, loss, gamma : float or None
        alpha, and there the bound on the loss and the coverage; None if not even BC's loss is tolerated.
    """

    loss_of_bc: float
    alpha: float | None = None
    loss: float | None = None
    gamma: float | None = None


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """(alpha, lambda) for PostBC, with the loss bounded in three ways; see `advice.recommendation`."""

    delta: float
    tolerated_loss: float
    prior_mass: float = field(metadata=LAMBDA)
    any_process: RecommendedAlpha
    estimate: RecommendedAlpha
    upper: RecommendedAlpha


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """Further demonstrations that an action needs, by policy.

    Attributes
    ----------
    cell, level : str or None
        What the row is about: a kind of cell, or a level of coverage.
    visits, occupancy, probability
        Of the cell so far, of the cell, and of the action in it.
    needed : mapping
        A number; None where a policy never covers; a text that begins with "not found" where the search gave up.
    """

    cell: str | None = field(default=None, metadata=OPTIONAL)
    level: str | None = field(default=None, metadata=OPTIONAL)
    visits: int
    occupancy: float
    probability: float
    needed: Mapping[str, int | str | None]


@dataclass(frozen=True, kw_only=True)
class CoverageCurve:
    """Probability, by policy, that an action is covered, against the number of further demonstrations.

    Attributes
    ----------
    occupancy, probability, visits
        Of the cell, of the action in it, and of the cell so far.
    more : sequence of int
        Numbers of further demonstrations, (N,).
    covered : mapping of str to (sequence of float)
        N probabilities for each policy.
    """

    occupancy: float
    probability: float
    visits: int
    more: Sequence[int]
    covered: Mapping[str, Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class PlanTable:
    """How many more demonstrations to record.

    Attributes
    ----------
    unit : str
        What is counted.
    delta : float
        Allowed probability of not covering.
    level, alpha_shown, alpha_tolerated
        In an audit: coverage asked for, alpha of the recommended policy, and whether its loss is tolerated.
    rows : sequence of PlanRow
    policy : MixtureEstimator or None
        In a plan without data: the PostBC policy of the table.
    curve : CoverageCurve
    """

    unit: str
    delta: float
    level: float | None = field(default=None, metadata=OPTIONAL)
    alpha_shown: float | None = field(default=None, metadata=OPTIONAL)
    alpha_tolerated: bool | None = field(default=None, metadata=OPTIONAL)
    rows: Sequence[PlanRow]
    policy: MixtureEstimator | None = field(default=None, metadata=OPTIONAL)
    curve: CoverageCurve


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """All of an audit."""

    schema: int = 1
    data: DataSummary
    visits: VisitShares
    zero: ZeroEstimates | None
    good_turing: GoodTuring
    likelihood: Sequence[HeldOutLikelihood]
    recommendation: Recommendation | None
    plan: PlanTable


@dataclass(frozen=True, kw_only=True)
class PlanReport:
    """A plan without data."""

    schema: int = 1
    plan: PlanTable


def as_json(value: Any) -> Any:
    """A record as dicts, lists, strings and numbers, ready for `json.dumps`."""
    if isinstance(value, MixtureEstimator):
        return {"alpha": value.alpha, "lambda": None if math.isinf(value.prior_mass) else value.prior_mass}
    if is_dataclass(value):
        entries = [(f, getattr(value, f.name)) for f in fields(value)]
        return {
            f.metadata.get("key", f.name): as_json(entry)
            for f, entry in entries
            if entry is not None or not f.metadata.get("optional")
        }
    if isinstance(value, Mapping):
        return {key: as_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(entry) for entry in value]
    return value
