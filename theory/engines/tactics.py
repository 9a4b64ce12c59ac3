"""Tactics: each proves a formula or gives up (returns None). None ever refutes or guesses.

    by_identity       both sides simplify to the same expression
    by_coefficients   rational functions: all coefficients have one sign
    by_assumptions    every factor or term is >= 0 by its form
    by_intervals      branch and bound: strict inequalities, on closed and on unbounded ranges
    by_derivatives    equality at an end of a range
    by_concavity      equality at both ends
    by_factors        the difference is a product of factors that are >= 0
    by_squares        equality inside: squares and a rest that is >= 0
    by_combination    from the assumptions, with multipliers given

Silence is the safe answer: a hint (a factor, a multiplier, a symbol) that does not fit proves nothing. Only
`by_intervals`, `by_factors` and `by_combination` use the assumptions of a formula. Open ends of ranges are treated as
closed, which asks for more than is needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import sympy

from theory.claims import Evidence
from theory.engines.formulas import Formula, Range, Term, judge_point
from theory.engines.interval_search import positive_on_box
from theory.engines.polynomials import nonnegative_pieces


@dataclass(frozen=True)
class Proof:
    """What a tactic returns when it succeeds."""

    evidence: Evidence
    detail: str


Tactic = Callable[[Formula], Proof | None]
Factor: TypeAlias = Any
"""An expression, or a pair of an expression and the tactic that proves it >= 0."""


def by_identity(formula: Formula) -> Proof | None:
    """Prove `==` by simplification, and `<=` where both sides simplify to the same."""
    if formula.relation in ("<", ">"):
        return None  # equal sides break a strict relation
    difference = sympy.expand(formula.difference)
    if difference == 0 or sympy.simplify(difference) == 0 or sympy.simplify(sympy.expand_log(difference)) == 0:
        return Proof("symbolic", "both sides simplify to the same expression")
    # log(x y) = log x + log y and the like need signs, which sympy knows of symbols that are declared so.
    signs = {r.symbol: _named(r) for r in formula.ranges if sympy.sympify(r.low) >= 0}
    if signs and sympy.simplify(formula.difference.subs(signs)) == 0:
        return Proof("symbolic", "both sides simplify to the same expression for symbols >= 0")
    return None


def by_coefficients(formula: Formula) -> Proof | None:
    """Prove a relation between rational functions by the signs of coefficients."""
    if formula.relation not in ("<=", ">=") or formula.given:
        return None
    box = [(sympy.sympify(r.low), sympy.sympify(r.high)) for r in formula.ranges]
    pieces = nonnegative_pieces(formula.difference, formula.symbols, box)
    if pieces is None:
        return None
    return Proof("symbolic", f"all coefficients of the mapped numerator have one sign, on {pieces} piece(s)")


def by_intervals(max_boxes: int = 40_000) -> Tactic:
    """Build the tactic of branch and bound; unbounded ranges are mapped by x = low + (1 - u)/u.

    Parameters
    ----------
    max_boxes : int
        Effort after which it gives up.
    """

    def tactic(formula: Formula) -> Proof | None:
        if formula.relation == "==":
            return None
        function, given, box = formula.difference, list(formula.given), []
        for r in formula.ranges:
            low, high, image = _unit(r)
            function = function.subs(r.symbol, image)
            given = [sympy.sympify(g).subs(r.symbol, image) for g in given]
            box.append((low, high))
        if not formula.ranges:
            return _constant_proof(formula)
        function = sympy.together(function) if function.is_rational_function() else function
        try:
            certificate = positive_on_box(function, formula.symbols, tuple(box), constraints=given, max_boxes=max_boxes)
        except ValueError:  # a function that balls do not know: silence, not an error
            return None
        if certificate is None:
            return None
        return Proof(
            "interval", f"branch and bound: {certificate.boxes} boxes, smallest margin {certificate.margin:.3g}"
        )

    return tactic


def by_derivatives(name: str, at: Literal["low", "high"] = "low", *, order: int = 4) -> Tactic:
    """Build the tactic of repeated derivatives from one end of one range, where the relation may be an equality.

    f >= 0 follows from f, f', ..., f^(k-1) >= 0 at the low end and f^(k) >= 0 on the whole range. From the high end
    the variable is turned round first.

    Parameters
    ----------
    name : str
        The symbol along which to differentiate.
    at : {"low", "high"}
        The end at which to start; it must be finite.
    order : int
        Largest k.
    """
    rules = _plain_rules()

    def tactic(formula: Formula) -> Proof | None:
        # It proves >=, not >, and derivatives do not know the assumptions.
        if formula.relation not in ("<=", ">=") or formula.given:
            return None
        variable, f, rest, moving = _turned(formula, name, at)
        for k in range(order + 1):
            in_range = Formula(sympy.simplify(f), ">=", 0, ranges=(moving, *rest))
            if k > 0:
                inner = _first(rules, in_range)
                if inner is not None:
                    return Proof(inner.evidence, f"derivative {k} in {name} from its {at} end; {inner.detail}")
            start = Formula(sympy.simplify(f.subs(variable, moving.low)), ">=", 0, ranges=rest)
            if _first(rules, start) is None:
                return None
            f = sympy.diff(f, variable)
        return None

    return tactic


def by_concavity(name: str) -> Tactic:
    """Build the tactic for a function that is concave along one range: it is >= 0 if it is so at both ends.

    Parameters
    ----------
    name : str
        The symbol along which the function is concave; its ends must be finite.
    """
    rules = _plain_rules()

    def tactic(formula: Formula) -> Proof | None:
        if formula.relation not in ("<=", ">=") or formula.given:
            return None
        chosen = next(r for r in formula.ranges if r.symbol.name == name)
        rest = tuple(r for r in formula.ranges if r is not chosen)
        f = formula.difference
        for end in (chosen.low, chosen.high):
            if _first(rules, Formula(sympy.simplify(f.subs(chosen.symbol, end)), ">=", 0, ranges=rest)) is None:
                return None
        bent = _first(rules, Formula(sympy.simplify(-sympy.diff(f, chosen.symbol, 2)), ">=", 0, ranges=formula.ranges))
        return None if bent is None else Proof(bent.evidence, f"concave in {name} and >= 0 at both ends; {bent.detail}")

    return tactic


def by_assumptions(formula: Formula) -> Proof | None:
    """Prove a sign by sympy's own rules, each variable written as its low end plus something >= 0."""
    if formula.relation not in ("<=", ">=") or formula.given:
        return None
    images = {}
    for r in formula.ranges:
        low = sympy.sympify(r.low)
        if low is -sympy.oo:
            return None  # there is no low end to count from
        images[r.symbol] = low + sympy.Dummy(r.symbol.name, nonnegative=True)
    f = formula.difference.subs(images)
    if any(bool(form.is_nonnegative) for form in (f, sympy.expand(f), sympy.factor(f))):
        return Proof("symbolic", "every factor or term is >= 0 by its form")
    return None


def by_squares(*terms: tuple[Term, Term]) -> Tactic:
    """Build the tactic that takes multiples of squares off the difference and proves that the rest is >= 0.

    Parameters
    ----------
    *terms : (coefficient, base)
        Coefficients >= 0 on the domain; bases are squared.
    """

    def tactic(formula: Formula) -> Proof | None:
        if formula.relation not in ("<=", ">=") or formula.given:
            return None
        rest = sympy.expand(formula.difference - sympy.Add(*(c * b**2 for c, b in terms)))
        rules = (by_identity, by_coefficients, by_assumptions)
        for part in (rest, *(sympy.sympify(c) for c, _ in terms)):
            if _first(rules, Formula(part, ">=", 0, ranges=formula.ranges)) is None:
                return None
        return Proof("symbolic", f"{len(terms)} square(s) and a rest that is >= 0")

    return tactic


def by_factors(*factors: Factor) -> Tactic:
    """Build the tactic that writes the difference as a product and proves every factor >= 0.

    Parameters
    ----------
    *factors : sympy.Expr or (sympy.Expr, Tactic)
        Their product must simplify to the difference. A factor may bring its own tactic.
    """

    def tactic(formula: Formula) -> Proof | None:
        if formula.relation not in ("<=", ">="):
            return None
        pairs = [f if isinstance(f, tuple) else (f, None) for f in factors]
        product = sympy.prod([p[0] for p in pairs])
        if sympy.simplify(formula.difference - product) != 0:
            return None  # the hint is wrong, or sympy cannot see that it is right
        details: list[str] = []
        evidence: Evidence = "symbolic"
        for factor, rule in pairs:
            rules = (rule,) if rule else (by_coefficients, by_assumptions, by_intervals(4000))
            proof = _first(rules, Formula(factor, ">=", 0, ranges=formula.ranges, given=formula.given))
            if proof is None:
                return None
            evidence = proof.evidence if proof.evidence == "interval" else evidence
            details.append(proof.detail)
        return Proof(evidence, f"product of {len(pairs)} factors; " + "; ".join(dict.fromkeys(details)))

    return tactic


def by_combination(*multipliers: Term) -> Tactic:
    """Build the tactic that writes the difference as a constant term plus multipliers times the assumptions.

    Parameters
    ----------
    *multipliers : sympy.Expr
        One for each `given` of the formula; each must be >= 0 on the domain, and so must what remains.
    """

    def tactic(formula: Formula) -> Proof | None:
        if formula.relation not in ("<=", ">="):
            return None
        # left - right = rest + sum of m * g with m, rest >= 0 on the domain, and g >= 0 by assumption.
        used = sympy.Add(*(m * g for m, g in zip(multipliers, formula.given, strict=True)))
        rest = sympy.expand(formula.difference - used)
        for part in (*multipliers, rest):
            if _first(_plain_rules(), Formula(part, ">=", 0, ranges=formula.ranges)) is None:
                return None
        return Proof("symbolic", f"a combination of {len(multipliers)} assumption(s) with multipliers >= 0")

    return tactic


def _plain_rules() -> tuple[Tactic, ...]:
    """Tactics without hints, for the conditions to which another tactic reduces a formula."""
    return by_identity, by_coefficients, by_assumptions, by_intervals(4000)


def _named(r: Range) -> sympy.Symbol:
    """Return a stand-in whose sign sympy knows."""
    # Only a stand-in that is declared positive lets sympy expand log x; at 0 itself log x has no value.
    positive = bool(sympy.sympify(r.low) > 0 or r.low_open)
    return sympy.Dummy(r.symbol.name, positive=True) if positive else sympy.Dummy(r.symbol.name, nonnegative=True)


def _first(tactics: Sequence[Tactic], formula: Formula) -> Proof | None:
    for tactic in tactics:
        proof = tactic(formula)
        if proof is not None:
            return proof
    return None


def _constant_proof(formula: Formula) -> Proof | None:
    return Proof("exact", "both sides are numbers, compared by fractions") if judge_point(formula, ()) else None


def _unit(r: Range) -> tuple[Fraction, Fraction, sympy.Expr]:
    """Bounded ends for a range, and the expression to put for its symbol."""
    u = r.symbol
    low, high = sympy.sympify(r.low), sympy.sympify(r.high)
    # u = 0 is x = infinity: the function is singular there unless it has a limit that is seen once it is simplified.
    if high is sympy.oo:
        return Fraction(0), Fraction(1), low + (1 - u) / u
    if low is -sympy.oo:
        return Fraction(0), Fraction(1), high - (1 - u) / u
    return Fraction(int(low.p), int(low.q)), Fraction(int(high.p), int(high.q)), u


def _turned(formula: Formula, name: str, at: str) -> tuple[sympy.Symbol, sympy.Expr, tuple[Range, ...], Range]:
    """Difference as a function that starts at the low end of the chosen variable."""
    chosen = next(r for r in formula.ranges if r.symbol.name == name)
    rest = tuple(r for r in formula.ranges if r is not chosen)
    x, f = chosen.symbol, formula.difference
    if at == "high":
        f = f.subs(x, sympy.sympify(chosen.high) - x)
        width = sympy.sympify(chosen.high) - sympy.sympify(chosen.low)
        chosen = Range(x, sympy.Integer(0), width)
    return x, f, rest, chosen
