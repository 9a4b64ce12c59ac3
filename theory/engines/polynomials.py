"""Proof of f >= 0 for a rational function over a product of intervals, exactly, equality included.

Each interval is mapped onto [0, oo): x = a + t, or x = (a + b t)/(1 + t). If all coefficients of the numerator and of
the denominator are then of one sign, so is the function. Where they are not, the product is cut.
"""

from collections.abc import Sequence

import sympy

Ends = tuple[sympy.Expr, sympy.Expr]


def nonnegative_pieces(
    function: sympy.Expr, symbols: Sequence[sympy.Symbol], box: Sequence[Ends], *, max_pieces: int = 400
) -> int | None:
    """Prove that a rational function is >= 0 wherever it is defined on a product of intervals.

    Parameters
    ----------
    function : sympy.Expr
        Rational in `symbols`, with rational coefficients.
    symbols : sequence of Symbol
        Its variables.
    box : sequence of (low, high)
        Rational ends; -oo and oo allowed.
    max_pieces : int
        Effort after which the search gives up.

    Returns
    -------
    int or None
        Number of pieces that the proof took; None if it gave up (then nothing is known).
    """
    numerator, denominator = sympy.fraction(sympy.together(function))
    top, bottom = sympy.expand(numerator), sympy.expand(denominator)
    if not (top.is_polynomial(*symbols) and bottom.is_polynomial(*symbols)):
        return None
    if not symbols:
        ratio = top / bottom
        return 1 if ratio.is_Rational and ratio >= 0 else None
    work, pieces = [(tuple(box), (0,) * len(box))], 0
    while work:
        current, cuts = work.pop()
        pieces += 1
        if pieces > max_pieces:
            return None
        signs = _sign(top, symbols, current), _sign(bottom, symbols, current)
        # A denominator that is 0 on the whole piece (sign 0) proves nothing there.
        if signs[0] is not None and signs[1] is not None and signs[1] != 0 and signs[0] * signs[1] >= 0:
            continue
        if signs[0] is not None and signs[1] is not None:
            return None  # of the wrong sign on the whole piece
        if _negative_inside(top, bottom, symbols, current):
            return None
        # The side that was cut least often; one whose ends agree cannot be cut.
        side = min(range(len(box)), key=lambda i: (current[i][0] == current[i][1], cuts[i]))
        deeper = (*cuts[:side], cuts[side] + 1, *cuts[side + 1 :])
        work.extend((half, deeper) for half in _split(current, side))
    return pieces


def _sign(polynomial: sympy.Expr, symbols: Sequence[sympy.Symbol], box: Sequence[Ends]) -> int | None:
    """1, 0 or -1 if all coefficients agree after the map onto [0, oo)^n, else None."""
    poly = sympy.Poly(polynomial, *symbols)
    result = sympy.Integer(0)
    for exponents, coefficient in poly.terms():
        term = coefficient
        for symbol, (low, high), power in zip(symbols, box, exponents, strict=True):
            degree = poly.degree(symbol)
            if high is sympy.oo:
                term *= (low + symbol) ** power
            elif low is -sympy.oo:
                term *= (high - symbol) ** power
            else:
                term *= (low + high * symbol) ** power * (1 + symbol) ** (degree - power)
        result += term
    coefficients = sympy.Poly(sympy.expand(result), *symbols).coeffs()
    if not all(c.is_Rational for c in coefficients):  # the sign of an irrational one would be told in floating point
        return None
    if all(c == 0 for c in coefficients):
        return 0
    if all(c >= 0 for c in coefficients):
        return 1
    return -1 if all(c <= 0 for c in coefficients) else None


def _negative_inside(top: sympy.Expr, bottom: sympy.Expr, symbols: Sequence[sympy.Symbol], box: Sequence[Ends]) -> bool:
    """Whether the function is negative at one point inside the piece: then more cuts are no use."""
    point = {}
    for symbol, (low, high) in zip(symbols, box, strict=True):
        if high is sympy.oo:
            point[symbol] = low + 1 if low is not -sympy.oo else sympy.Integer(0)
        else:
            point[symbol] = (low + high) / 2 if low is not -sympy.oo else high - 1
    return bool(top.subs(point) * bottom.subs(point) < 0)


def _split(box: Sequence[Ends], side: int) -> list[tuple[Ends, ...]]:
    """Halve one side; an unbounded side is cut at a distance from its end that doubles."""
    low, high = box[side]
    if high is sympy.oo and low is -sympy.oo:
        middle = sympy.Integer(0)
    elif high is sympy.oo:
        middle = low + sympy.Max(1, abs(low))
    elif low is -sympy.oo:
        middle = high - sympy.Max(1, abs(high))
    else:
        middle = (low + high) / 2
    return [(*box[:side], ends, *box[side + 1 :]) for ends in ((low, middle), (middle, high))]
