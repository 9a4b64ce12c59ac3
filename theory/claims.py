"""Records of checking: what is claimed, on which evidence, and with which verdict.

A *claim* compares an interval `[low, high]` that holds a quantity with a bound `b`. Its verdict is computed and cannot
be set:

    quantity <= b  holds         if high <= b
                   is violated   if low > b
                   inconclusive  otherwise, or if a p-value is given and exceeds `SIGNIFICANT`

and `quantity >= b` is judged as `-quantity <= -b`. A *step* is one line of a proof; deciding it runs an engine and
yields an *outcome*. A *result* is a numbered statement with its steps. `decide` runs all steps of results and says for
each whether its outcome is expected. Everything here is a record; `figures.running.verdicts` writes the JSON.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Evidence = Literal["symbolic", "interval", "exact", "sampled"]
ClaimVerdict = Literal["holds", "violated", "inconclusive"]
StepVerdict = Literal["proved", "refuted", "supported", "undecided", "quoted"]
Form = Literal["printed", "corrected", "companion"]
Relation = Literal["<=", ">="]
Severity = Literal["typing error", "proof only", "condition", "constant", "statement"]
"""How far an error reaches: a typing error; a step whose statement still holds; a missing condition; a wrong constant;
a statement that is false."""

EMPIRICAL_SOURCES = frozenset({"E0", "E1", "E2", "E3", "E4"})
"""Sources of empirical claims: the paper's own (E1 to E4) and further ones (E0). They are reported whatever their
verdict and never make a run fail."""


@dataclass(frozen=True)
class Interval:
    """A closed interval that holds the quantity of a claim: a point if exact, a confidence interval if sampled."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:  # `low > high` would let NaN pass
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
    if relation == ">=":  # one rule for both relations, so that the two cannot drift apart
        interval, bound = Interval(-interval.high, -interval.low), -bound
    if interval.high <= bound:
        return "holds"
    return "violated" if interval.low > bound else "inconclusive"


SIGNIFICANT = 0.05
"""Largest p-value with which a claim that has one can be decided."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One checked statement about computed data: `interval relation bound`.

    Parameters
    ----------
    id : str
        Unique within its figure, for instance ``bc-fails-probability``.
    source : str
        Where the statement comes from: a step or result id of the paper, ``R1``..``R7`` (this project's results),
        ``E0``..``E4`` (empirical claims), or an algorithm.
    relation : {"<=", ">="}
    interval : Interval
        Holds the quantity: a point where it is exact, else a confidence interval whose level `detail` states.
    bound : float
    evidence : {"exact", "sampled", "interval", "symbolic"}
    detail : str
        One plain sentence: the quantity, the bound, the level of the interval.
    p_value : float, optional
        In [0, 1]: of a two-sided test that the quantity equals the bound, adjusted for all tests of its family. Above
        `SIGNIFICANT` the claim is inconclusive, whatever the interval.
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
        if self.p_value is not None and not 0 <= self.p_value <= 1:  # NaN is refused, too
            raise ValueError(f"p_value must lie in [0, 1]; got {self.p_value}")

    @property
    def verdict(self) -> ClaimVerdict:
        """The verdict of the comparison; inconclusive if the p-value exceeds `SIGNIFICANT`."""
        if self.p_value is not None and self.p_value > SIGNIFICANT:
            return "inconclusive"
        return judge(self.interval, self.relation, self.bound)

    @property
    def empirical(self) -> bool:
        """Whether this is one of the empirical claims, E0 to E4."""
        return self.source in EMPIRICAL_SOURCES

    @property
    def as_expected(self) -> bool:
        """Whether a run may pass with it: an empirical claim may have any verdict, every other claim must hold."""
        return self.empirical or self.verdict == "holds"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an engine says of a step."""

    verdict: StepVerdict
    evidence: Evidence
    detail: str
    witness: Mapping[str, Any] | None = None
    """For a refuted step: values of the variables and of both sides, ready for JSON."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of a proof, in one form.

    The same `id` may occur twice: as ``printed`` and, where that fails, as ``corrected``.
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


@dataclass(frozen=True, kw_only=True)
class Result:
    """A numbered statement of the paper or of this project, with its steps."""

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
    """What the statement says to a reader who has not read the paper, in plain words."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A step of a result with its outcome, and whether a run may pass with it."""

    result: Result = field(repr=False)
    step: Step
    outcome: Outcome
    expected: bool


def decide(results: Iterable[Result]) -> list[Decided]:
    """Run every step of the results, in order; arguments as `decided_steps`."""
    return [decided for r in results for decided in decided_steps(r, [step.decide() for step in r.steps])]


def decided_steps(result: Result, outcomes: Sequence[Outcome]) -> list[Decided]:
    """Say of each outcome whether it is expected.

    An outcome is expected if it is `proved`, `supported` or `quoted`. A printed step may also be refuted, if its
    corrected form belongs to the same result and is proved.

    Parameters
    ----------
    result : Result
    outcomes : sequence of Outcome
        One for each step of the result, in order.
    """
    pairs = list(zip(result.steps, outcomes, strict=True))
    # Only a correction of the same result excuses a refuted step: ids repeat across results.
    proved = {step.id for step, outcome in pairs if step.form == "corrected" and outcome.verdict == "proved"}

    def expected(step: Step, outcome: Outcome) -> bool:
        excused = outcome.verdict == "refuted" and step.form == "printed" and step.id in proved
        return excused or outcome.verdict in ("proved", "supported", "quoted")

    return [
        Decided(result=result, step=step, outcome=outcome, expected=expected(step, outcome)) for step, outcome in pairs
    ]
