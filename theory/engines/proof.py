"""Engines that decide a step: what is proved, what is refuted, what is neither.

`decide_formula` first looks for a rational point that breaks the formula, and has that point judged by fractions alone;
then it tries the tactics, each of which proves the formula or gives up. Nothing here guesses: what no engine settles is
`undecided`, and a check on finitely many cases is `supported`, unless these are all the cases there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy

from theory.claims import Evidence, Outcome, StepVerdict
from theory.engines.formulas import Comparison, Formula, Term, find_witness
from theory.engines.fraction_bounds import exact_value
from theory.engines.tactics import Tactic, by_assumptions, by_coefficients, by_identity, by_intervals


def decide_formula(formula: Formula, *tactics: Tactic, points: Iterable[Sequence[Term]] = ()) -> Outcome:
    """Decide a formula: refute it by a rational point, or prove it by the first tactic that can.

    Parameters
    ----------
    formula : Formula
        The relation with its domain.
    *tactics : callable
        Tried in order; by default identity, coefficients, intervals.
    points : iterable of sequences, optional
        Rational points to try first as witnesses, in the order of the ranges.

    Returns
    -------
    Outcome
        `proved`, `refuted` with a witness, or `undecided`.
    """
    witness = find_witness(formula, points)
    if witness is not None:
        return _refuted(formula, witness)
    for tactic in tactics or (by_identity, by_coefficients, by_assumptions, by_intervals()):
        proof = tactic(formula)
        if proof is not None:
            return Outcome(verdict="proved", evidence=proof.evidence, detail=proof.detail)
    return Outcome(verdict="undecided", evidence="interval", detail="no engine settles it")


def check_cases(
    cases: Iterable[tuple[Mapping[str, Any], Fraction, Comparison, Fraction]], grid: str, *, whole: bool = False
) -> Outcome:
    """Compare exact numbers case by case.

    Parameters
    ----------
    cases : iterable of (values, left, relation, right)
        `values` names the case; left and right are fractions.
    grid : str
        Which cases these are, in words.
    whole : bool
        Whether the cases are all there are, so that agreement is a proof.

    Returns
    -------
    Outcome
        `refuted` at the first failure; else `supported`, or `proved` if `whole`. `undecided` if there is no case.
    """
    count = 0
    for values, left, relation, right in cases:
        count += 1
        if not compare(left, relation, right):
            witness = {**values, "left": _number(left), "right": _number(right)}
            return Outcome(
                verdict="refuted",
                evidence="exact",
                detail=f"fails: {float(left):.6g} {relation} {float(right):.6g}",
                witness=witness,
            )
    if count == 0:  # an empty list of cases must not pass for agreement
        return Outcome(verdict="undecided", evidence="exact", detail="no case was checked")
    return Outcome(
        verdict="proved" if whole else "supported", evidence="exact", detail=f"{count} cases with fractions: {grid}"
    )


def compare(left: Fraction, relation: Comparison, right: Fraction) -> bool:
    """Compare two fractions."""
    return {
        "<=": left <= right,
        ">=": left >= right,
        "<": left < right,
        ">": left > right,
        "==": left == right,
    }[relation]


def all_of(*outcomes: Outcome, detail: str = "") -> Outcome:
    """Join outcomes of parts that must all hold: the weakest verdict, the first refutation.

    Parameters
    ----------
    *outcomes : Outcome
        At least one.
    detail : str
        Put before the parts' own details.
    """
    # A refutation is final, whatever else is undecided; otherwise the whole is as weak as its weakest part.
    refuted = next((o for o in outcomes if o.verdict == "refuted"), None)
    if refuted is not None:
        return refuted
    order: tuple[StepVerdict, ...] = ("undecided", "supported", "quoted", "proved")
    weakest = min(outcomes, key=lambda o: order.index(o.verdict))
    strength: tuple[Evidence, ...] = ("sampled", "exact", "interval", "symbolic")
    evidence = min((o.evidence for o in outcomes), key=strength.index)
    parts = "; ".join(dict.fromkeys(o.detail for o in outcomes))
    return Outcome(verdict=weakest.verdict, evidence=evidence, detail=f"{detail}: {parts}" if detail else parts)


def with_checks(outcome: Outcome, *checks: Outcome) -> Outcome:
    """Add checks on cases to an outcome: they can refute it or leave it undecided, and cannot strengthen it.

    Parameters
    ----------
    outcome : Outcome
        What the proof gives.
    *checks : Outcome
        Checks on cases.
    """
    for check in checks:
        if check.verdict in ("refuted", "undecided"):
            return check
    detail = "; ".join((outcome.detail, *(f"checked: {c.detail}" for c in checks)))
    return Outcome(verdict=outcome.verdict, evidence=outcome.evidence, detail=detail, witness=outcome.witness)


def quoted(reference: str, *checks: Outcome) -> Outcome:
    """Mark a statement that is another paper's theorem, checked on cases where that is possible.

    Parameters
    ----------
    reference : str
        Where the proof is.
    *checks : Outcome
        Checks on cases; one that fails refutes the quotation.
    """
    joined = all_of(*checks) if checks else None
    if joined is not None and joined.verdict in ("refuted", "undecided"):
        return joined
    tail = f"; {joined.detail}" if joined else ""
    return Outcome(
        verdict="quoted", evidence=joined.evidence if joined else "symbolic", detail=f"quoted from {reference}{tail}"
    )


def _refuted(formula: Formula, point: Sequence[Fraction]) -> Outcome:
    witness: dict[str, Any] = {s.name: _shown(v) for s, v in zip(formula.symbols, point, strict=True)}
    values = dict(zip(formula.symbols, point, strict=True))
    for side in ("left", "right"):
        low, high = exact_value(sympy.sympify(getattr(formula, side)), values)
        witness[side] = _shown(low) if low == high else float((low + high) / 2)
    return Outcome(
        verdict="refuted",
        evidence="exact",
        detail=f"fails at {', '.join(f'{k} = {v}' for k, v in witness.items())}",
        witness=witness,
    )


def _number(value: Fraction) -> str | float:
    """Write a fraction out, or its value where it would fill lines."""
    return str(value) if value.denominator < 10**12 else float(value)


def _shown(value: Fraction) -> int | str:
    return int(value) if value.denominator == 1 else str(value)
