"""Steps of the companion's R5: the failures of B.1 and B.2 and the condition of Lemma 3, sharp.

Letters: eps the loss, T demonstrations, H steps, alpha the weight of uniform noise, w = q^H with q = 1 - alpha/2 the
chance that the noise spares the chain of B.2, u = 1/T; for Lemma 3 v = 1 - lambda/(w T). The bounds as functions:
`theory.bounds.r5_sharp_failures`.
"""

from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Result
from theory.engines.enumeration import Case
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves, step
from theory.engines.tactics import by_concavity, by_derivatives, by_factors
from theory.proofs.b2_cases import event_cases, loss_cases
from theory.proofs.b3_cases import visits_cases

EPS, H, T, U, V, W, X = sympy.symbols("eps H T u v w x")


def _sharp_event_cases() -> Iterator[Case]:
    for values, chance, _, _ in event_cases(">="):
        yield values, chance, ">=", Fraction(151633, 10**6)


R5_1 = step(
    "R5.1",
    "companion",
    "(1 - 4 eps)^T >= 1/2 for T <= 1/(8 eps), as log(1 - 4 eps) >= -8 eps log 2; equality at eps = 1/8, T = 1",
    formula=Formula(sympy.log(1 - 4 * EPS), ">=", -8 * EPS * sympy.log(2), ranges=(between(EPS, 0, "1/8"),)),
    tactics=[by_concavity("eps")],
)
LOSS = Formula((1 - EPS) - (1 + W) / 2, "==", -EPS + (1 - W) / 2, ranges=(between(EPS, 0, "1/8"), between(W, 0, 1)))
"""J(pi_beta) - J(pi~), with w = q^H."""
R5_2 = joint_step(
    "R5.2",
    "companion",
    "a loss <= eps forces alpha <= 2(1 - (1 - 4 eps)^(1/H)) <= 8 eps; P[E] >= 1/(4 sqrt(e)) for T >= 5; then gamma <= "
    "alpha",
    parts=[
        lambda: with_checks(
            proves(LOSS)(), check_cases(loss_cases(exponent_drop=0, relation="=="), "k in {1, 3}, H = 2..4")
        ),
        proves(
            Formula(-sympy.log(U) / H, "<=", -sympy.log(U), ranges=(above(H, 1), between(U, 0, 1, "(]"))),
            by_factors(1 - 1 / H, (-sympy.log(U), by_derivatives("u", "high"))),
        ),
        proves(Formula(1 / X, ">=", (T - 1) / (T - X), ranges=(above(T, 5), between(X, "1/2", 1)))),
        proves(Formula((1 - 2 * U) * sympy.log(1 - U), ">=", -U, ranges=(between(U, 0, "1/2"),)), by_derivatives("u")),
        lambda: with_checks(
            proves(Formula(sympy.exp(sympy.Rational(-1, 2)) / 4, "<=", sympy.Rational(151633, 10**6)))(),
            check_cases(_sharp_event_cases(), "P[E] for T = 5..64"),
        ),
    ],
    why="the constant 32 becomes 8/H, and the probability grows by the factor sqrt(e)",
)

SHARE = sympy.Rational(10000, 12551)
NEAR = Formula((2 - V) / 2 + V / 2 * sympy.log(V / 2), ">=", SHARE * (1 - V), ranges=(between(V, 0, "1/1000", "(]"),))
"""Chernoff's exponent over w T, with u = lambda/(w T) = 1 - v: (1 + u)/2 + ((1 - u)/2) log((1 - u)/2) >= u/1.2551."""
FAR = Formula((2 - V) / 2 + V / 2 * sympy.log(V / 2), ">=", SHARE * (1 - V), ranges=(between(V, "1/1000", 1),))
R5_3 = joint_step(
    "R5.3",
    "companion",
    "Lemma 3 holds with lambda >= 1.2551 log(SH/delta), by Chernoff's bound; Bernstein's needs 10/3",
    parts=[
        lambda: with_checks(
            all_of(proves(NEAR, by_derivatives("v", "high"))(), proves(FAR)()),
            check_cases(visits_cases(Fraction(12551, 10000)), "one (s, h), T up to 60"),
        )
    ],
)

RESULT = Result(
    id="r5",
    title="Sharp forms of the failures",
    source="R5",
    steps=(R5_1, R5_2, R5_3),
    statement="B.1 holds for 1 <= T <= 1/(8 eps) with a gap of 2 eps; B.2 forces alpha <= 2(1 - (1 - 4 eps)^(1/H)); "
    "Lemma 3 needs only lambda >= 1.2551 log(SH/delta).",
    meaning="The two failures hold for more demonstrations and with larger gaps than the paper states, and Lemma 3 "
    "needs a third of the prior mass.",
    latex=r"T\le\tfrac1{8\epsilon},\qquad \gamma\le\alpha\le 2\bigl(1-(1-4\epsilon)^{1/H}\bigr),\qquad "
    r"\lambda\ge1.2551\log\tfrac{SH}{\delta}",
    assumptions=("those of the three results",),
)
