"""Short ways to write steps, so that a result's file reads as a list of relations."""

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


def between(symbol: sympy.Symbol, low: Term | str, high: Term | str, ends: str = "[]", integer: bool = False) -> Range:
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
    return Range(symbol, sympy.sympify(low), sympy.sympify(high), integer, ends[0] == "(", ends[1] == ")")


def above(symbol: sympy.Symbol, low: Term | str, integer: bool = False) -> Range:
    """Build the range of all numbers of at least `low`."""
    return between(symbol, low, sympy.oo, "[)", integer)


def step(
    id: str,
    form: Form,
    statement: str,
    formula: Formula,
    *tactics: Tactic,
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
    *tactics : callable
        Tactics of `theory.engines.proof`; its default if none is given.
    points : iterable of sequences
        Points to try first as witnesses.
    """
    fixed = tuple(points)
    run = _remembered(lambda: decide_formula(formula, *tactics, points=fixed))
    return Step(id, form, statement, run, why, severity, formula, (formula,))


def joint_step(
    id: str,
    form: Form,
    statement: str,
    *parts: Callable[[], Outcome],
    why: str = "",
    severity: Severity | None = None,
) -> Step:
    """Build a step of several parts that must all hold; each part is a function that returns an outcome."""
    run = _remembered(lambda: all_of(*(part() for part in parts)))
    formulas = tuple(part.formula for part in parts if isinstance(part, Part))
    return Step(id, form, statement, run, why, severity, relations=formulas)


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
    fixed = tuple(points)
    return Part(formula, _remembered(lambda: decide_formula(formula, *tactics, points=fixed)))
