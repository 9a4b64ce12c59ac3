"""Proof of f > 0 over a box by interval branch and bound, in Arb's ball arithmetic.

Every number is a ball that holds the true value, so a box whose enclosure is positive is decided as a whole.
Where the enclosure is too wide, the mean-value form is tried, then the box is cut. Nothing rounds towards the answer.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy
from flint import arb, fmpq

Box = tuple[tuple[Fraction, Fraction], ...]
Compiled = Callable[[Sequence[arb]], arb]


@dataclass(frozen=True)
class Certificate:
    """What a finished search leaves: how many boxes, and the smallest lower bound met in one."""

    boxes: int
    margin: float


def positive_on_box(
    function: sympy.Expr,
    symbols: Sequence[sympy.Symbol],
    box: Box,
    *,
    constraints: Sequence[sympy.Expr] = (),
    max_boxes: int = 40_000,
) -> Certificate | None:
    """Prove that a function is positive on a closed box, or on the part of it where all constraints are >= 0.

    Parameters
    ----------
    function : sympy.Expr
        Of sums, products, powers, log, exp and Abs.
    symbols : sequence of Symbol
        The box's coordinates.
    box : tuple of (low, high)
        Rational ends, one pair per symbol.
    constraints : sequence of sympy.Expr, optional
        Boxes on which one of them is negative are left out.
    max_boxes : int
        Effort after which the search gives up.

    Returns
    -------
    Certificate or None
        None if it gave up: the function may have a zero, come arbitrarily close to one, or be singular on the box.
    """
    f = compile_balls(function, symbols)
    gradient = [compile_balls(sympy.diff(function, s), symbols) for s in symbols]
    limits = [compile_balls(g, symbols) for g in constraints]
    queue: list[tuple[float, int, Box]] = [(0.0, 0, box)]
    margin, count = float("inf"), 0
    while queue:
        _, _, current = heapq.heappop(queue)
        count += 1
        if count > max_boxes:
            return None
        sides = [_ball(low, high) for low, high in current]
        if any(bool(g(sides) < 0) for g in limits):  # negative on the whole box: a ball is < 0 only if all of it is
            continue
        lower, widest = _lower_bound(f, gradient, current, sides)
        if lower is not None:
            margin = min(margin, lower)
            continue
        if max(high - low for low, high in current) < Fraction(1, 2**60):
            return None  # a zero, or a singularity: the cutting would never end
        for half in _halves(current, widest):
            size = -float(max(high - low for low, high in half))
            heapq.heappush(queue, (size, 2 * count + len(queue), half))
    return Certificate(count, margin)


def compile_balls(expression: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> Compiled:
    """Turn a sympy expression into a function of balls.

    Raises
    ------
    ValueError
        If the expression holds a function that is not supported.
    """
    if expression in symbols:
        index = list(symbols).index(expression)
        return lambda x: x[index]
    if expression.is_Rational:
        constant = arb(fmpq(int(expression.p), int(expression.q)))
        return lambda x: constant
    parts = [compile_balls(argument, symbols) for argument in expression.args]
    if expression.is_Add:
        return lambda x: sum((part(x) for part in parts[1:]), parts[0](x))
    if expression.is_Mul:
        return lambda x: _product([part(x) for part in parts])
    if expression.is_Pow and expression.exp.is_Integer:
        n = int(expression.exp)
        return lambda x: _integer_power(parts[0](x), n)
    if expression.is_Pow and expression.exp == sympy.Rational(1, 2):
        return lambda x: parts[0](x).sqrt()
    if expression.is_Pow and expression.exp == sympy.Rational(-1, 2):
        return lambda x: parts[0](x).rsqrt()
    if expression.is_Pow:
        return lambda x: (parts[1](x) * parts[0](x).log()).exp()
    simple: dict[type, Callable[[arb], arb]] = {
        sympy.log: arb.log,
        sympy.exp: arb.exp,
        sympy.Abs: abs,
        sympy.sign: arb.sgn,
    }
    if expression.func in simple:
        function = simple[expression.func]
        return lambda x: function(parts[0](x))
    if expression is sympy.S.Exp1:
        return lambda x: arb.const_e()
    raise ValueError(f"cannot compute {expression} with balls")


def _lower_bound(f: Compiled, gradient: Sequence[Compiled], box: Box, sides: Sequence[arb]) -> tuple[float | None, int]:
    """Positive lower bound of f on a box, or None; and the side along which f varies most."""
    direct = f(sides)
    widths = [high - low for low, high in box]
    longest = max(range(len(box)), key=lambda i: widths[i])
    if bool(direct > 0):  # of a NaN ball this is False, so a singular box never counts as positive
        return float(direct.lower()), longest
    slopes = [g(sides) for g in gradient]
    if not all(slope.is_finite() for slope in slopes):  # the mean-value form would say nothing
        return None, longest
    reach = [arb(fmpq(w.numerator, w.denominator)) / 2 * abs(s).upper() for w, s in zip(widths, slopes, strict=True)]
    centre = f([_ball((low + high) / 2, (low + high) / 2) for low, high in box])
    mean_value = centre - sum(reach[1:], reach[0])
    widest = max(range(len(box)), key=lambda i: float(reach[i].upper()))
    if bool(mean_value > 0):
        return float(mean_value.lower()), widest
    # The side of largest variation, unless it is far thinner than the longest: else one side would be cut endlessly.
    return None, widest if widths[widest] * 64 > widths[longest] else longest


def _halves(box: Box, side: int) -> tuple[Box, Box]:
    low, high = box[side]
    middle = (low + high) / 2
    return (*box[:side], (low, middle), *box[side + 1 :]), (*box[:side], (middle, high), *box[side + 1 :])


def _ball(low: Fraction, high: Fraction) -> arb:
    a = arb(fmpq(low.numerator, low.denominator))
    return a if low == high else a.union(arb(fmpq(high.numerator, high.denominator)))


def _integer_power(x: arb, n: int) -> arb:
    if n < 0:
        return 1 / _integer_power(x, -n)
    if n % 2 == 0 and bool(x.contains(0)):  # as a product x * x the ball would reach below 0
        return arb(0).union(abs(x).upper() ** n)
    if bool(x > 0):  # monotone: the ends give a tighter ball than the product does
        return (x.lower() ** n).union(x.upper() ** n)
    return x**n


def _product(values: Sequence[arb]) -> arb:
    result = values[0]
    for value in values[1:]:
        result = result * value
    return result
