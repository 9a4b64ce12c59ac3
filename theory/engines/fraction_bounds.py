"""Rigorous bounds of an expression at a rational point, with Python's fractions only.

The judge of refutations. It shares no code with the engines that prove, nor with the bounds it judges.
Every operation returns an interval (low, high) of fractions that holds the true value, rounded outwards to a grid.
"""

import functools
import math
from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy

Bounds = tuple[Fraction, Fraction]

_GRID = 10**60
"""Bounds are rounded outwards to multiples of one part in it, so that fractions stay short."""
_TAIL = Fraction(1, 10**57)
"""Where a series is cut; what is left out is added to the bounds."""


def exact_value(expression: sympy.Expr, point: Mapping[sympy.Symbol, Fraction]) -> Bounds:
    """Enclose the value of a sympy expression at a rational point.

    Parameters
    ----------
    expression : sympy.Expr
        Built from sums, products, powers, log, exp, Abs, Min, Max and functions that are rational at the point.
    point : mapping of Symbol to Fraction
        A value for every free symbol.

    Returns
    -------
    low, high : Fraction
        Equal where the value is rational and was computed without a power or logarithm.

    Raises
    ------
    ValueError
        If the value is undefined there (a logarithm of 0, a division by 0), or a function is not supported.
    """
    values = {s: sympy.Rational(v.numerator, v.denominator) for s, v in point.items()}
    return _walk(expression.xreplace(values))


def _walk(node: sympy.Expr) -> Bounds:
    if node.is_Rational:
        exact = Fraction(int(node.p), int(node.q))
        return exact, exact
    if node is sympy.S.Exp1:
        return exp_bounds(Fraction(1))
    if node.is_Add or node.is_Mul:
        parts = [_walk(part) for part in node.args]
        total = parts[0]
        for part in parts[1:]:
            total = _outward(_add(total, part) if node.is_Add else _multiply(total, part))
        return total
    if node.is_Pow:
        return _power(_walk(node.base), _walk(node.exp))
    functions: dict[type, Callable[[list[Bounds]], Bounds]] = {
        sympy.log: lambda a: _monotone(log_bounds, a[0]),
        sympy.exp: lambda a: _monotone(exp_bounds, a[0]),
        sympy.Abs: lambda a: _absolute(a[0]),
        sympy.Max: lambda a: (max(x[0] for x in a), max(x[1] for x in a)),
        sympy.Min: lambda a: (min(x[0] for x in a), min(x[1] for x in a)),
    }
    if node.func in functions:
        return functions[node.func]([_walk(argument) for argument in node.args])
    raise ValueError(f"cannot bound {node} with fractions")


@functools.lru_cache(maxsize=20_000)
def log_bounds(x: Fraction) -> Bounds:
    """Enclose log(x) by the series of 2 artanh((x - 1)/(x + 1)) after a power of two is taken out.

    Raises
    ------
    ValueError
        If x is not above 0.
    """
    if x <= 0:
        raise ValueError(f"the logarithm needs a positive argument; got {x}")
    if x == 1:
        return Fraction(0), Fraction(0)
    power = x.numerator.bit_length() - x.denominator.bit_length()
    rest = x / Fraction(2) ** power
    low, high = _artanh_series(rest)
    two = _artanh_series(Fraction(2))
    return _outward(_add((low, high), _multiply((Fraction(power), Fraction(power)), two)))


def exp_bounds(x: Fraction) -> Bounds:
    """Enclose exp(x) by its Taylor series at x/2^k and k squarings."""
    if x < 0:  # no alternating series: its terms would have to be bounded from both sides
        low, high = exp_bounds(-x)
        return _outward((1 / high, 1 / low))
    halvings = max(0, (int(x) + 1).bit_length() + 1)
    small = x / 2**halvings
    term, total, n = Fraction(1), Fraction(0), 0
    while term > _TAIL:
        total += term
        n += 1
        term = _outward((term * small / n, term * small / n))[1]  # rounded up: the sum is an upper one
    # Below, all n roundings up are taken back at once; above, the rest of the series is at most twice its first term.
    result: Bounds = _relative((total * (1 - Fraction(4 * n + 8, _GRID)), total + 2 * term))
    for _ in range(halvings):
        result = _relative((result[0] ** 2, result[1] ** 2))
    return result


def _artanh_series(x: Fraction) -> Bounds:
    z = (x - 1) / (x + 1)
    z_low, z_high = _outward((z, z))
    return _log_of(z_low)[0], _log_of(z_high)[1]


def _log_of(z: Fraction) -> Bounds:
    """Enclose 2 artanh(z) for |z| <= 1/2."""
    square, term, total, n = z * z, z, Fraction(0), 0
    error = Fraction(0)
    while abs(term) > _TAIL:
        total += 2 * term / (2 * n + 1)
        term = Fraction(round(term * square * _GRID * 100), _GRID * 100)
        error += Fraction(2, _GRID * 100)
        n += 1
    error += 4 * abs(term) + Fraction(1, _GRID)
    return _outward((total - error, total + error))


def _add(a: Bounds, b: Bounds) -> Bounds:
    return a[0] + b[0], a[1] + b[1]


def _multiply(a: Bounds, b: Bounds) -> Bounds:
    products = [x * y for x in a for y in b]
    return min(products), max(products)


def _absolute(a: Bounds) -> Bounds:
    if a[0] >= 0:
        return a
    return (-a[1], -a[0]) if a[1] <= 0 else (Fraction(0), max(-a[0], a[1]))


def _power(base: Bounds, exponent: Bounds) -> Bounds:
    whole = exponent[0].denominator == 1 and exponent[0] == exponent[1]
    if whole:
        n = int(exponent[0])
        if n < 0:  # an interval that holds 0 has no reciprocal
            if base[0] <= 0 <= base[1]:
                raise ValueError("division by an interval that holds 0")
            base, n = (1 / base[1], 1 / base[0]), -n
        ends = (base[0] ** n, base[1] ** n)
        if n % 2 == 0 and base[0] < 0 < base[1]:  # the ends alone would miss the minimum, which is 0
            return Fraction(0), max(ends)
        return _relative((min(ends), max(ends))) if base[0] >= 0 else (min(ends), max(ends))
    if base[0] == base[1] == 0 and exponent[0] > 0:
        return base
    return _monotone(exp_bounds, _multiply(exponent, _monotone(log_bounds, base)))


def _monotone(function: Callable[[Fraction], Bounds], a: Bounds) -> Bounds:
    low = function(a[0])
    return low if a[0] == a[1] else (low[0], function(a[1])[1])


def _outward(a: Bounds) -> Bounds:
    """Round to a fixed grid, outwards; short fractions stay exact."""
    low, high = a
    if low.denominator > _GRID:
        low = Fraction(math.floor(low * _GRID), _GRID)
    if high.denominator > _GRID:
        high = Fraction(math.ceil(high * _GRID), _GRID)
    return low, high


def _relative(a: Bounds) -> Bounds:
    """Round two non-negative numbers outwards, to a grid that follows their size."""
    low, high = a
    if low > 0 and low.denominator > _GRID:
        scale = _GRID * max(1, math.floor(1 / low))
        low = Fraction(math.floor(low * scale), scale)
    if high > 0 and high.denominator > _GRID:
        scale = _GRID * max(1, math.floor(1 / high))
        high = Fraction(math.ceil(high * scale), scale)
    return low, high
