"""The vocabulary of checking: what is claimed, on which evidence, and what came out.

A *claim* compares an interval with a bound. Its verdict is computed from the two, and from a p-value where it has
one, and cannot be set. A *step* is one line of a proof; deciding it runs an engine and yields an *outcome*. A *result*
is a numbered statement with its steps.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Evidence = Literal["symbolic", "interval", "exact", "sampled"]
ClaimVerdict = Literal["holds", "violated", "inconclusive"]
StepVerdict = Literal["proved", "refuted", "supported", "undecided", "quoted"]
Form = Literal["printed", "corrected", "companion"]
Relation = Literal["<=", ">="]
Severity = Literal["typing error", "proof only", "condition", "constant", "statement"]
"""How far an error reaches: a slip of the pen; a step whose statement survives; a missing condition; a wrong constant;
a statement that is false."""

EMPIRICAL_SOURCES = frozenset({"E0", "E1", "E2", "E3", "E4"})
"""Claims of the paper's experiments, E1 to E4, and what else experiments say, E0: reported whichever way they come out,
and never a failure of a run."""


@dataclass(frozen=True)
class Interval:
    """A closed interval that holds the quantity in question: a point if exact, a confidence interval if sampled."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:  # also refuses NaN
            raise ValueError(f"an interval needs low <= high; got low={self.low}, high={self.high}")

    @classmethod
    def point(cls, value: float) -> "Interval":
        """Interval of a quantity that is known exactly."""
        return cls(float(value), float(value))


def judge(interval: Interval, relation: Relation, bound: float) -> ClaimVerdict:
    """Compare an interval with a bound.

    Returns
    -------
    {"holds", "violated", "inconclusive"}
        "holds" if every point of the interval satisfies the relation, "violated" if none does.
    """
    if relation not in ("<=", ">="):
        raise ValueError(f"relation must be '<=' or '>='; got {relation!r}")
    if math.isnan(bound):
        raise ValueError("bound must be a number; got nan")
    if relation == ">=":
        interval, bound = Interval(-interval.high, -interval.low), -bound
    if interval.high <= bound:
        return "holds"
    return "violated" if interval.low > bound else "inconclusive"


SIGNIFICANT = 0.05
"""Largest p-value with which a claim that has one can be decided."""


@dataclass(frozen=True)
class Claim:
    """One checked statement about computed data: `interval relation bound`.

    Parameters
    ----------
    id : str
        Unique within its figure, for instance ``bc-fails-probability``.
    source : str
        Where the statement comes from: a step or result id of the paper, ``R1``..``R6`` (ours), ``E0``..``E4``, or an
        algorithm.
    relation : {"<=", ">="}
    interval : Interval
        Holds the quantity: a point where it is exact, else a confidence interval whose level `detail` states.
    bound : float
    evidence : {"exact", "sampled", "interval", "symbolic"}
    detail : str
        One plain sentence: the quantity, the bound, the level of the interval.
    p_value : float, optional
        Two-sided, of a test that the quantity equals the bound, adjusted for all tests made beside it; above
        `SIGNIFICANT` the claim is inconclusive whatever the interval says.

    Raises
    ------
    ValueError
        If `p_value` is not in [0, 1].
    """

    id: str
    source: str
    relation: Relation
    interval: Interval
    bound: float
    evidence: Evidence
    detail: str
    p_value: float | None = None

    def __post_init__(self) -> None:
        if self.p_value is not None and not 0 <= self.p_value <= 1:  # also refuses NaN
            raise ValueError(f"p_value must lie in [0, 1]; got {self.p_value}")

    @property
    def verdict(self) -> ClaimVerdict:
        """What the comparison says, unless the p-value says that this may be chance."""
        if self.p_value is not None and self.p_value > SIGNIFICANT:
            return "inconclusive"
        return judge(self.interval, self.relation, self.bound)

    @property
    def as_expected(self) -> bool:
        """Whether a run may pass: claims of the paper's experiments always may, ours must hold."""
        return self.source in EMPIRICAL_SOURCES or self.verdict == "holds"

    def to_json(self, figure: str) -> dict[str, Any]:
        """Entry of ``verdicts.json``."""
        return {
            "id": self.id,
            "source": self.source,
            "figure": figure,
            "verdict": self.verdict,
            "evidence": self.evidence,
            "relation": self.relation,
            "interval": [_json_number(self.interval.low), _json_number(self.interval.high)],
            "bound": _json_number(self.bound),
            "detail": self.detail,
        }


@dataclass(frozen=True)
class Outcome:
    """What an engine says of a step."""

    verdict: StepVerdict
    evidence: Evidence
    detail: str
    witness: Mapping[str, Any] | None = None
    """For a refuted step: numbers that anyone can put in. JSON-ready."""


@dataclass(frozen=True)
class Step:
    """One line of a proof, in one form.

    The same `id` may stand twice: as ``printed`` and, where that fails, as ``corrected``.
    """

    id: str
    form: Form
    statement: str
    decide: Callable[[], Outcome] = field(repr=False)
    why: str = ""
    """Why the step matters, or what the correction changes."""
    severity: Severity | None = None
    """For a printed step that is refuted: how far the error reaches."""
    relation: Any = field(default=None, repr=False)
    """The relation with its domain (a `theory.engines.formulas.Formula`), where the step is a single one."""
    relations: tuple[Any, ...] = field(default=(), repr=False)
    """All relations that the step is decided by: that one, or the parts of a joint step."""


@dataclass(frozen=True)
class Result:
    """A numbered statement of the paper (or one of ours) with its steps."""

    id: str
    title: str
    source: str
    steps: tuple[Step, ...]
    statement: str = ""
    """The statement in plain words and ASCII formulas, corrected where the printed one fails."""
    latex: str = ""
    """The same formula in LaTeX, without dollar signs."""
    assumptions: tuple[str, ...] = ()
    """What the statement needs, one plain phrase each."""
    meaning: str = ""
    """What the statement says to somebody who has not read the paper, in plain words."""


def decide(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Run every step and say of each outcome whether it is expected.

    A step is expected to come out `proved`, `supported` or `quoted`. A printed step may be refuted if its corrected
    form stands beside it and is proved.

    Returns
    -------
    list of dict
        Entries of ``verdicts.json``: id, result, form, verdict, evidence, expected, detail, witness.
    """
    entries = []
    for result in results:
        outcomes = [(step, step.decide()) for step in result.steps]
        proved = {s.id for s, outcome in outcomes if s.form == "corrected" and outcome.verdict == "proved"}
        for step, outcome in outcomes:
            excused = outcome.verdict == "refuted" and step.form == "printed" and step.id in proved
            entries.append(
                {
                    "id": step.id,
                    "result": result.id,
                    "form": step.form,
                    "verdict": outcome.verdict,
                    "evidence": outcome.evidence,
                    "expected": excused or outcome.verdict in ("proved", "supported", "quoted"),
                    "detail": outcome.detail,
                    "witness": None if outcome.witness is None else dict(outcome.witness),
                }
            )
    return entries


def _json_number(value: float) -> float | None:
    """JSON has no infinity: an open end is null."""
    return float(value) if math.isfinite(value) else None
