"""Formulas: relations of two expressions over a product of intervals; and the search for a point that breaks one.

A formula is `left relation right` for all values of its symbols in their ranges where every `given` is >= 0. The search
is in floating point and decides nothing: what it finds is judged by fractions alone (`judge_point`).
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
import sympy
from numpy.typing import NDArray

from theory.engines.fraction_bounds import exact_value

Comparison = Literal["<=", ">=", "<", ">", "=="]
Term: TypeAlias = sympy.Expr | int
"""An expression or a whole number."""


@dataclass(frozen=True)
class Range:
    """Values of one symbol: an interval, or the integers in it. An end given as `open` does not belong to it."""

    symbol: sympy.Symbol
    low: Term
    high: Term
    _: KW_ONLY
    integer: bool = False
    low_open: bool = False
    high_open: bool = False

    @functools.cached_property
    def ends(self) -> tuple[Fraction | float, Fraction | float]:
        """The two ends as fractions, or infinities."""
        return _end(self.low), _end(self.high)

    def holds(self, value: Fraction) -> bool:
        """Whether a rational value lies in the range."""
        low, high = self.ends
        inside = (low < value if self.low_open else low <= value) and (
            value < high if self.high_open else value <= high
        )
        return inside and (not self.integer or value.denominator == 1)


@dataclass(frozen=True)
class Formula:
    """A relation `left relation right` for all values of its symbols in their ranges where every `given` is >= 0."""

    left: Term
    relation: Comparison
    right: Term
    _: KW_ONLY
    ranges: tuple[Range, ...] = ()
    given: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        used = set().union(*(sympy.sympify(e).free_symbols for e in (self.left, self.right, *self.given)))
        unknown = used - {r.symbol for r in self.ranges}
        if unknown:
            raise ValueError(f"every symbol needs a range; {', '.join(sorted(map(str, unknown)))} has none")

    @property
    def difference(self) -> sympy.Expr:
        """Expression that must be >= 0 (or > 0, or == 0)."""
        left, right = sympy.sympify(self.left), sympy.sympify(self.right)
        return right - left if self.relation in ("<=", "<") else left - right

    @property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The symbols, in the order of their ranges."""
        return tuple(r.symbol for r in self.ranges)

    def reversed(self) -> "Formula":
        """Return the same relation with its sign flipped, for the tests of the judges."""
        flipped: dict[str, Comparison] = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "==": "=="}
        shift = 1 if self.relation == "==" else 0  # an equality has no other direction: make it false
        return Formula(self.left + shift, flipped[self.relation], self.right, ranges=self.ranges, given=self.given)

    def at(self, **values: Term) -> "Formula":
        """Fix some symbols at rational values."""
        fixed = {r.symbol: sympy.Rational(values[r.symbol.name]) for r in self.ranges if r.symbol.name in values}
        left, right, *given = (sympy.sympify(e).subs(fixed) for e in (self.left, self.right, *self.given))
        return Formula(
            left,
            self.relation,
            right,
            ranges=tuple(r for r in self.ranges if r.symbol not in fixed),
            given=tuple(given),
        )

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"


def judge_point(formula: Formula, point: Sequence[Fraction]) -> bool | None:
    """Whether the formula holds at a rational point, by fractions alone; None if that cannot be told.

    Parameters
    ----------
    formula : Formula
        The relation; the point must lie in its domain, else the answer is None.
    point : sequence of Fraction
        One value a range.

    Returns
    -------
    bool or None
        True or False only if the enclosures leave no doubt.
    """
    values = dict(zip(formula.symbols, point, strict=True))
    if not all(r.holds(v) for r, v in zip(formula.ranges, point, strict=True)):
        return None  # an open end or a fraction in a range of integers refutes nothing
    try:
        for condition in formula.given:
            if exact_value(sympy.sympify(condition), values)[0] < 0:  # its lower end: it must surely hold
                return None
        low, high = exact_value(formula.difference, values)
    except (ValueError, ZeroDivisionError, TypeError):
        return None
    if formula.relation == "==":  # an enclosure can show that two numbers differ, never that irrational ones agree
        return (low == high == 0) or (None if low <= 0 <= high else False)
    if formula.relation in ("<", ">"):
        return True if low > 0 else (False if high <= 0 else None)
    return True if low >= 0 else (False if high < 0 else None)


def find_witness(formula: Formula, points: Iterable[Sequence[Term]] = ()) -> tuple[Fraction, ...] | None:
    """Search the domain for a rational point at which the formula fails, and have it judged by fractions.

    Parameters
    ----------
    formula : Formula
        The relation with its domain.
    points : iterable of sequences, optional
        Points to try first.

    Returns
    -------
    tuple of Fraction or None
        None says only that none was found.
    """
    candidates = [tuple(Fraction(str(v)) if not isinstance(v, int) else Fraction(v) for v in p) for p in points]
    for candidate in itertools.chain(candidates, _suspects(formula)):
        if judge_point(formula, candidate) is False:
            return candidate
    return None


def _suspects(formula: Formula, budget: int = 4000) -> list[tuple[Fraction, ...]]:
    """Points of the domain where the relation looks broken in floating point: the plainest first, then the worst."""
    if not formula.ranges:
        return [()]
    axes = [_grid(r, max(3, int(budget ** (1 / min(len(formula.ranges), 3))))) for r in formula.ranges]
    picks = _picks([len(axis) for axis in axes], budget)
    columns = [np.array([float(v) for v in axis])[pick] for axis, pick in zip(axes, picks, strict=True)]
    try:
        values = _evaluate(formula, columns)
    except (NameError, TypeError, AttributeError):  # a function that numpy does not know
        return []
    score = -np.abs(values) if formula.relation == "==" else values
    # Only a sieve: fractions judge what passes it. A strict relation is broken by a zero as well.
    threshold = 1e-14 if formula.relation in ("<", ">") else (-1e-12 if formula.relation == "==" else -1e-14)
    bad = np.flatnonzero((score < threshold) & ~np.isnan(score))
    points = {int(i): tuple(axis[pick[i]] for axis, pick in zip(axes, picks, strict=True)) for i in bad}
    worst = bad[np.argsort(score[bad], kind="stable")][:15]
    plain = sorted(points, key=lambda i: sum(abs(v.numerator) + v.denominator for v in points[i]))[:15]
    return [points[int(i)] for i in (*plain, *worst)]


def _picks(sizes: Sequence[int], budget: int) -> list[NDArray[np.int64]]:
    """Indices of grid points, one array per axis: all of them on up to three axes, else an even sample (Halton's)."""
    if len(sizes) <= 3:
        return [np.asarray(g.ravel()) for g in np.meshgrid(*map(np.arange, sizes), indexing="ij")]
    result = []
    for base, size in zip(sympy.primerange(2, 500), sizes, strict=False):
        digits, value, scale = np.arange(budget), np.zeros(budget), 1.0
        while digits.any():
            scale /= base
            value += scale * (digits % base)
            digits //= base
        result.append((value * size).astype(np.int64))
    return result


def _evaluate(formula: Formula, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Difference of the formula in floating point; infinite where an assumption fails, NaN where it is undefined."""
    n = len(columns[0])
    with np.errstate(all="ignore"):
        f = sympy.lambdify(formula.symbols, formula.difference, "numpy", cse=True)
        values: NDArray[np.float64] = np.array(np.broadcast_to(np.asarray(f(*columns), dtype=np.float64), n))
        for condition in formula.given:
            g = sympy.lambdify(formula.symbols, condition, "numpy", cse=True)
            # "not >=" drops points where it is NaN, too; the slack keeps those where it holds with equality.
            values[~(np.broadcast_to(np.asarray(g(*columns), dtype=np.float64), n) >= -1e-12)] = np.inf
    return values


def _end(value: Term) -> Fraction | float:
    number = sympy.sympify(value)
    return Fraction(int(number.p), int(number.q)) if number.is_Rational else float(number)


def _grid(r: Range, n: int) -> list[Fraction]:
    """Rational points of a range: its ends, points close to them, and points between."""
    low, high = sympy.sympify(r.low), sympy.sympify(r.high)
    if r.integer:
        start = int(low) if low is not -sympy.oo else -n
        stop = int(high) if high is not sympy.oo else start + 10**6
        values = {Fraction(v) for v in range(start, min(stop, start + n) + 1)}
        values |= {Fraction(start + 2**k) for k in range(20) if start + 2**k <= stop}
        return sorted(v for v in values if r.holds(v))
    units = [Fraction(i, n) for i in range(n + 1)]
    # Relations that fail often do so close to an end only.
    units += [Fraction(1, 10**k) for k in (3, 6)] + [1 - Fraction(1, 10**k) for k in (3, 6)]
    if high is sympy.oo:
        base = Fraction(int(low.p), int(low.q)) if low is not -sympy.oo else Fraction(0)
        steps = [u / (1 - u) for u in units if u < 1]
        values = {base + s for s in steps} | ({base - s for s in steps} if low is -sympy.oo else set())
    elif low is -sympy.oo:
        top = Fraction(int(high.p), int(high.q))
        values = {top - u / (1 - u) for u in units if u < 1}
    else:
        a, b = Fraction(int(low.p), int(low.q)), Fraction(int(high.p), int(high.q))
        values = {a + (b - a) * u for u in units}
    return sorted(v for v in values if r.holds(v))
