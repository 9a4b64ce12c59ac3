"""Short ways to write steps, so that a result's file reads as a list of relations.

A step is decided by one relation (`step`) or by several parts that must all hold (`joint_step`). A part is a relation
with the tactics that prove it (`proves`), or any function that returns an outcome, such as a check on cases.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sympy

from theory.claims import Form, Outcome, Severity, Step
from theory.engines.formulas import Formula, Range, Term
from theory.engines.proof import all_of, decide_formula
from theory.engines.tactics import Tactic

_REMEMBERED: list[Callable[[], None]] = []


def forget_outcomes() -> None:
    """Make every step and part decide afresh; outcomes are remembered because statements rest on steps."""
    for forget in _REMEMBERED:
        forget()


def _remembered(run: Callable[[], Outcome]) -> Callable[[], Outcome]:
    cached = functools.cache(run)
    _REMEMBERED.append(cached.cache_clear)
    return cached


def between(
    symbol: sympy.Symbol, low: Term | str, high: Term | str, ends: str = "[]", *, integer: bool = False
) -> Range:
    """Build a range; `ends` says by brackets which ends belong to it, as in ``(]``.

    Parameters
    ----------
    symbol : Symbol
        The variable.
    low, high : number, str or sympy.Expr
        The ends; a str such as ``1/8`` is exact.
    ends : str
        Two brackets.
    integer : bool
        Whether only the integers count.
    """
    return Range(
        symbol,
        sympy.sympify(low),
        sympy.sympify(high),
        integer=integer,
        low_open=ends[0] == "(",
        high_open=ends[1] == ")",
    )


def above(symbol: sympy.Symbol, low: Term | str, *, integer: bool = False) -> Range:
    """Build the range of all numbers of at least `low`."""
    return between(symbol, low, sympy.oo, "[)", integer=integer)


def step(
    id: str,
    form: Form,
    statement: str,
    *,
    formula: Formula,
    tactics: Sequence[Tactic] = (),
    points: Iterable[Sequence[Term]] = (),
    why: str = "",
    severity: Severity | None = None,
) -> Step:
    """Build a step that is one formula.

    Parameters
    ----------
    id, form, statement, why, severity
        As in `theory.claims.Step`.
    formula : Formula
        The relation that decides the step.
    tactics : sequence of callables
        Tactics of `theory.engines.tactics`, tried in order; the default of `decide_formula` if none is given.
    points : iterable of sequences
        Points to try first as witnesses, in the order of the formula's ranges.
    """
    part = proves(formula, *tactics, points=points)
    return Step(
        id=id,
        form=form,
        statement=statement,
        decide=part.decide,
        why=why,
        severity=severity,
        relation=formula,
        relations=(formula,),
    )


def joint_step(
    id: str,
    form: Form,
    statement: str,
    *,
    parts: Sequence[Callable[[], Outcome]],
    why: str = "",
    severity: Severity | None = None,
) -> Step:
    """Build a step of several parts that must all hold.

    Parameters
    ----------
    id, form, statement, why, severity
        As in `theory.claims.Step`.
    parts : sequence of callables
        Each returns an outcome. The formulas of those that `proves` built are shown as the relations of the step.
    """
    run = _remembered(lambda: all_of(*(part() for part in parts)))
    formulas = tuple(part.formula for part in parts if isinstance(part, Part))
    return Step(id=id, form=form, statement=statement, decide=run, why=why, severity=severity, relations=formulas)


@dataclass(frozen=True)
class Part:
    """A formula with the tactics that decide it; calling it decides it."""

    formula: Formula
    decide: Callable[[], Outcome]

    def __call__(self) -> Outcome:
        """Decide the formula."""
        return self.decide()


def proves(formula: Formula, *tactics: Tactic, points: Iterable[Sequence[Term]] = ()) -> Part:
    """Build a part of a joint step from a formula, with tactics and points as in `step`."""
    fixed = tuple(points)  # an iterator would be empty when the step is decided again
    return Part(formula, _remembered(lambda: decide_formula(formula, *tactics, points=fixed)))
