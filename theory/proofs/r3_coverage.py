"""Steps of the companion's R3: coverage for every prior mass.

Letters: n visits, k of them with the action, p its probability under the demonstrator, A actions, lambda the prior
mass, L = L' = log(2SAH/delta), c = lambda/L', x = L'/n. The bound as a function: `theory.bounds.r3_coverage`.
"""

import itertools
from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Outcome, Result
from theory.engines.enumeration import Case, coverage_probability
from theory.engines.formulas import Formula
from theory.engines.fraction_bounds import log_bounds
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves
from theory.engines.tactics import by_derivatives
from theory.proofs.chernoff import CHERNOFF, EXPONENT_GROWS
from theory.proofs.coverage_cases import DEMONSTRATORS

A, C, K, L, LAM, M, N, P, U, X = sympy.symbols("A c k L lambda m n p u x")


def r3_cases() -> Iterator[Case]:
    """Coverage of one cell given its visits; kappa is replaced by its lower bound c for c <= 1/2, so c <= 1/2 here."""
    grid = itertools.product(
        DEMONSTRATORS,
        (Fraction(1, 20), Fraction(1, 2)),
        (1, 4, 12, 30),
        (Fraction(1, 2), Fraction(1, 8)),
        (Fraction(1), Fraction(1, 4)),
    )
    for row, delta, n_visits, c, alpha in grid:
        n_actions = len(row)
        log = log_bounds(2 * n_actions / delta)[0]
        mass = log * c  # a rational prior mass; lambda/L' <= c <= 1/2 and lambda/L' >= c low/high
        share = c * log / log_bounds(2 * n_actions / delta)[1]
        gamma = min(1 / (4 * log), alpha / n_actions * share)
        chance = coverage_probability(row, n_visits, alpha, mass, tuple(gamma * p for p in row))
        values: dict[str, object] = {
            "pi_beta": str([str(p) for p in row]),
            "n": n_visits,
            "delta": str(delta),
            "c": str(c),
        }
        yield values, chance, ">=", 1 - delta


def kappa_parts(c: Fraction, least: Fraction) -> Outcome:
    """Prove kappa(c) >= least for c > 1/2: c x >= least (1 + c x)(1 - exp(-x)) for all x > 0, in three ranges of x."""
    rc, rl = sympy.Rational(c.numerator, c.denominator), sympy.Rational(least.numerator, least.denominator)
    left, right = rc * X, rl * (1 + rc * X) * (1 - sympy.exp(-X))
    far = Formula(left, ">=", rl * (1 + rc * X), ranges=(above(X, 60),))
    near = Formula(left, ">=", right, ranges=(between(X, 0, "1/8"),))
    middle = Formula(left, ">=", right, ranges=(between(X, "1/8", 60),))
    return all_of(proves(near, by_derivatives("x"))(), proves(middle)(), proves(far)())


def _limit() -> Outcome:
    """Decide kappa <= 1: the function tends to 1 as x grows."""
    c = sympy.Symbol("c", positive=True)
    x = sympy.Symbol("x", positive=True)
    limit = sympy.limit(c * x / (1 + c * x), x, sympy.oo) * sympy.limit(1 / (1 - sympy.exp(-x)), x, sympy.oo)
    return proves(Formula(limit, "==", sympy.Integer(1)))()


HALF_RANGE = between(C, 0, "1/2", "(]")
R3_1 = joint_step(
    "R3.1",
    "companion",
    "K = 0 has probability <= exp(-L') unless p < 1 - exp(-L'/n); then the ratio is >= (alpha/A) kappa(c); kappa(c) = "
    "c for c <= 1/2",
    parts=[
        proves(Formula(sympy.exp(-L / N) ** N, "==", sympy.exp(-L), ranges=(above(L, 1), above(N, 1, integer=True)))),
        proves(
            Formula(
                LAM / (N + LAM),
                "==",
                (C * X / (1 + C * X)).subs({C: LAM / L, X: L / N}),
                ranges=(above(N, 1), above(LAM, 1), above(L, 1)),
            )
        ),
        proves(Formula((1 - sympy.exp(-X)) * (1 + X / 2), "<=", X, ranges=(above(X, 0),)), by_derivatives("x")),
        proves(Formula((1 + X / 2) / (1 + C * X), ">=", 1, ranges=(HALF_RANGE, above(X, 0)))),
    ],
)
R3_1K = joint_step(
    "R3.1-kappa",
    "companion",
    "kappa(1) >= 0.770, kappa(2) >= 0.901, kappa(10) >= 0.986, by intervals over all x > 0",
    parts=[
        *(
            lambda c=c, low=low: kappa_parts(Fraction(c), Fraction(low, 1000))
            for c, low in ((1, 770), (2, 901), (10, 986))
        )
    ],
)
R3_2 = joint_step(
    "R3.2",
    "companion",
    "1 <= K < n p/(4L') has probability <= exp(-L'): the exponent at mu = 4L'k is k(4L' - 1 - log(4L')) >= L' for L' "
    ">= 1",
    parts=[
        proves(EXPONENT_GROWS),
        proves(Formula(3 * L, ">=", 1 + sympy.log(4 * L), ranges=(above(L, 1),)), by_derivatives("L")),
        proves(Formula(K * X, ">=", X, ranges=(above(K, 1), above(X, 0)))),
        proves(Formula(sympy.log(4), ">=", sympy.Integer(1))),
    ],
    why="L' = log(2SAH/delta) >= log 4 for A >= 2",
)
R3_3 = joint_step(
    "R3.3",
    "companion",
    "for n >= 1 the policy is a convex combination of K/n and 1/A, so both being >= gamma p is enough; kappa <= 1 "
    "gives gamma p <= 1/A",
    parts=[
        proves(
            Formula(
                (1 - U) * (M + X) + U * (M + P),
                ">=",
                M,
                ranges=(between(U, 0, 1), above(M, 0), above(X, 0), above(P, 0)),
            )
        ),
        _limit,
    ],
)
R3 = joint_step(
    "r3",
    "companion",
    "PostBC >= pi_beta min{1/(4L'), (alpha/A) kappa(lambda/L')} with probability >= 1 - delta, for every lambda > 0 "
    "and A >= 2",
    parts=[
        lambda: with_checks(
            all_of(*(s.decide() for s in (R3_1, R3_2, R3_3)), detail=f"from {CHERNOFF}"),
            check_cases(r3_cases(), "cells with 2 and 3 actions, up to 30 visits"),
        )
    ],
)

RESULT = Result(
    id="r3",
    title="Coverage for every prior mass",
    source="R3",
    steps=(R3_1, R3_1K, R3_2, R3_3, R3),
    statement="For every lambda > 0, with probability at least 1 - delta: PostBC >= pi_beta min{1/(4L'), (alpha/A) "
    "kappa(lambda/L')}, L' = log(2SAH/delta).",
    meaning="Coverage can be guaranteed for any prior mass, also for a small one, which costs less return. The bound "
    "says which lambda to choose: about half of L'.",
    latex=r"\gamma \ge \min\Bigl\{\frac1{4L'},\frac{\alpha}{A}\,\kappa(\lambda/L')\Bigr\},\quad "
    r"L'=\log\frac{2SAH}{\delta}",
    assumptions=("lambda > 0", "A >= 2", "0 < delta < 1"),
)
