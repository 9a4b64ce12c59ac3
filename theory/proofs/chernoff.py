"""Chernoff's and Bernstein's lower tails of a binomial count, which the coverage and visit results share.

For K ~ Bin(n, p) with mean mu = n p, Markov's inequality for z^K gives P[K <= x mu] <= exp(-mu (1 - x + x log x)) for
x <= 1, and so

    P[K <= k] <= exp(-(mu - k - k log(mu/k)))                        (Chernoff)
    P[K <= mu - sqrt(2 mu L) - (2/3) L] <= exp(-L)                   (Bernstein)
"""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Outcome
from theory.engines.enumeration import Case, binomial
from theory.engines.formulas import Formula
from theory.engines.fraction_bounds import log_bounds
from theory.engines.proof import all_of
from theory.engines.steps import above, between, proves
from theory.engines.tactics import by_derivatives

K, R, S, V, X = sympy.symbols("k r s v x")
V_RANGE = between(V, 0, 1, "[)")

POISSON_TAIL = Formula(V + (1 - V) * sympy.log(1 - V), ">=", V**2 / 2, ranges=(V_RANGE,))
"""Chernoff's exponent 1 - x + x log x, x = 1 - v, is at least v^2/2."""
ONE_PLUS = Formula(sympy.log(1 - V), "<=", -V, ranges=(V_RANGE,))
"""1 - v <= exp(-v): from the binomial's generating function to Chernoff's exponent."""
THRESHOLD = Formula((S + R**2 / 3) ** 2, ">=", S**2, ranges=(above(S, 0), above(R, 0)))
"""(sqrt(2 mu L) + (2/3) L)^2 >= 2 mu L, with s = sqrt(2 mu L) and r^2 = 2 L."""
EXPONENT_GROWS = Formula(1 - K / (K + X), ">=", 0, ranges=(above(K, 0), above(X, "1/1000000")))
"""d/dmu of Chernoff's exponent mu - k - k log(mu/k) at mu = k + x."""
CHERNOFF = "Markov's inequality for z^K"
"""What the details of a proof say that these relations start from."""


def bernstein() -> Outcome:
    """Lower tail: P[K <= mu - sqrt(2 mu L) - (2/3) L] <= exp(-L) for K ~ Bin(n, p), mu = n p."""
    return all_of(
        proves(ONE_PLUS, by_derivatives("v"))(),
        proves(POISSON_TAIL, by_derivatives("v"))(),
        proves(THRESHOLD)(),
        detail=f"from {CHERNOFF}",
    )


def tail_cases() -> Iterator[Case]:
    """P[K <= mu - t] with t >= sqrt(2 mu L) + 2L/3 by exact sums; L runs over logarithms of 1/delta, delta rational."""
    for n, p, delta in itertools.product(
        (1, 3, 10, 25), (Fraction(1, 10), Fraction(1, 2)), (Fraction(1, 20), Fraction(1, 2))
    ):
        log = log_bounds(1 / delta)[0]
        mu = n * p
        root = Fraction(math.isqrt(int(2 * mu * log * 10**20)), 10**10)
        low = mu - root - Fraction(2, 3) * log
        chance = sum((q for k, q in enumerate(binomial(n, p)) if k < low), Fraction(0))
        yield {"n": n, "p": str(p), "delta": str(delta)}, chance, "<=", delta
