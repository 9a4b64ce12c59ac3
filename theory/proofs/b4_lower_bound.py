"""Steps of `lemma-hellinger` and `thm-lower-bound` (B.4)."""

import itertools
from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Result
from theory.engines.enumeration import Case
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves, step
from theory.engines.tactics import by_combination, by_squares

A, AL, B, C, D, DEL, E, G, H2, PX, QX, R, S, T, XI, X, Y, Z = sympy.symbols(
    "A alpha b c d delta e gamma h p q r s T xi x y z"
)
ONE = sympy.Integer(1)
ALPHA = between(AL, "1/1000", "999/1000")


def family(n_actions: int, alpha: Fraction) -> list[tuple[Fraction, ...]]:
    """Demonstrators 1..A: the first plays arm 1, the others play arm i with probability alpha."""
    rows = []
    for i in range(n_actions):
        row = [Fraction(0)] * n_actions
        row[0] = Fraction(1)
        if i:
            row[0], row[i] = 1 - alpha, alpha
        rows.append(tuple(row))
    return rows


def _event_cases() -> Iterator[Case]:
    """Lemma 5 for the worst event of the data: the largest P_i(E) - 2 P_j(E) over all events."""
    grid = itertools.product((2, 3), (1, 2, 3, 5), (Fraction(1, 20), Fraction(1, 4), Fraction(9, 10)))
    for n_actions, n_demos, alpha in grid:
        rows = family(n_actions, alpha)
        laws = []
        for row in rows:
            law = {}
            for data in itertools.product(range(n_actions), repeat=n_demos):
                chance = Fraction(1)
                for a in data:
                    chance *= row[a]
                law[data] = chance
            laws.append(law)
        for i, j in itertools.permutations(range(n_actions), 2):
            worst = sum((max(laws[i][d] - 2 * laws[j][d], Fraction(0)) for d in laws[i]), Fraction(0))
            values: dict[str, object] = {"A": n_actions, "T": n_demos, "alpha": str(alpha), "i": i + 1, "j": j + 1}
            yield values, worst, "<=", n_demos * alpha


def constant_estimator(n_actions: int, alpha: Fraction, xi: Fraction) -> tuple[Fraction, Fraction]:
    """Coverage and largest suboptimality, over the family, of the policy with mass xi spread over arms 2..A."""
    policy = (1 - xi, *[xi / (n_actions - 1)] * (n_actions - 1))
    rows = family(n_actions, alpha)
    coverage = min(policy[a] / row[a] for row in rows for a in range(n_actions) if row[a] > 0)
    loss = max(row[0] - policy[0] for row in rows)
    return coverage, loss


def _bound_cases(
    numerator: int, drop: int, denominator: int, alphas: tuple[int, ...], least: int = 1
) -> Iterator[Case]:
    """The constant estimator's coverage against numerator xi/(denominator (A - drop) alpha); alpha = 1/(n T)."""
    for n_actions, n_demos, n, share in itertools.product(
        (2, 3, 10), (least, least + 1, 5), alphas, (Fraction(1, 8), Fraction(1, 4))
    ):
        alpha, xi = Fraction(1, n * n_demos), Fraction(n_actions - 1, n * n_demos) * share
        coverage, loss = constant_estimator(n_actions, alpha, xi)
        if loss > xi:
            continue
        values: dict[str, object] = {
            "A": n_actions,
            "T": n_demos,
            "alpha": str(alpha),
            "xi": str(xi),
            "delta": 0,
            "estimator": "arm 1 with 1 - xi, the others share xi",
        }
        yield values, coverage, "<=", numerator * xi / (denominator * (n_actions - drop) * alpha)


HELLINGER = Formula(
    PX,
    "<=",
    2 * QX + (sympy.sqrt(PX) - sympy.sqrt(QX)) ** 2 + (sympy.sqrt(1 - PX) - sympy.sqrt(1 - QX)) ** 2,
    (between(PX, 0, 1), between(QX, 0, 1)),
)
B4_1 = step(
    "B4.1",
    "printed",
    "P(E) <= 2 Q(E) + D_H^2(P, Q), D_H^2 = sum (sqrt p - sqrt q)^2; here for two-point laws",
    HELLINGER,
    points=[("1/25", "1/100")],
    severity="proof only",
    why="the constant of D_H^2 must be 2; Lemma 5 itself holds (see there)",
)
MERGING = Formula((X**2 + Y**2) * (Z**2 + S**2), ">=", (X * Z + Y * S) ** 2, tuple(above(v, 0) for v in (X, Y, Z, S)))
"""Merging two outcomes of probabilities x^2, y^2 and z^2, s^2 does not lower the affinity, so D_H^2 does not grow."""
B4_1C = joint_step(
    "B4.1",
    "corrected",
    "P(E) <= 2 Q(E) + 2 D_H^2(P, Q): with x = sqrt P(E), y = sqrt Q(E), z >= 0 the other squares",
    proves(
        Formula(X**2, "<=", 2 * Y**2 + 2 * ((X - Y) ** 2 + Z), (between(X, 0, 1), between(Y, 0, 1), above(Z, 0))),
        by_squares((ONE, X - 2 * Y)),
    ),
    proves(MERGING, by_squares((ONE, X * S - Y * Z))),
    why="the second part: D_H^2 over an event and its complement is at most D_H^2 of the laws",
)
BERNOULLI = joint_step(
    "B4.2",
    "printed",
    "D_H^2 is subadditive: 1 - (1 - h)^T <= T h for h = D_H^2/2 in [0, 1]; induction over T",
    proves(Formula((1 - T * H2) * (1 - H2), ">=", 1 - (T + 1) * H2, (above(T, 1), between(H2, 0, 1)))),
    proves(Formula(1 - H2, "==", 1 - 1 * H2, (between(H2, 0, 1),))),
    why="affinities multiply over independent samples",
)
B4_3 = step(
    "B4.3",
    "printed",
    "D_H^2(pi^i, pi^1) = alpha",
    Formula((1 - sympy.sqrt(1 - AL)) ** 2 + AL, "==", AL, (between(AL, 0, 1, "()"),)),
    points=[("3/4",)],
    severity="proof only",
    why="it is 2(1 - sqrt(1 - alpha)), half of it in the other convention, and 2 alpha for i, j > 1",
)
B4_3C = joint_step(
    "B4.3",
    "corrected",
    "D_H^2(pi^i, pi^1) = 2(1 - sqrt(1 - alpha)) <= 2 alpha = D_H^2(pi^i, pi^j) for i, j > 1; s = sqrt(1 - alpha)",
    proves(Formula((1 - S) ** 2 + (1 - S**2), "==", 2 * (1 - S), (between(S, 0, 1),))),
    proves(Formula(2 * (1 - S), "<=", 2 * (1 - S**2), (between(S, 0, 1),))),
)
SHARED = (between(B, 0, 1), between(E, 0, 1), between(PX, 0, 1), between(QX, 0, 1), above(R, 0))
"""b = P[all a1] = (1 - alpha)^T, e = P(E given all a1), r = T alpha >= 1 - b."""
LEMMA5 = joint_step(
    "lemma-hellinger",
    "printed",
    "P_i(E) <= 2 P_j(E) + T alpha for all i != j and every event E of the data",
    BERNOULLI.decide,
    proves(
        Formula(PX, "<=", 2 * QX + R, SHARED, (B * E + 1 - B - PX, QX - B * E, R - (1 - B))),
        by_combination(ONE, ONE, ONE),
    ),
    proves(Formula(E, "<=", 2 * QX + R, SHARED, (QX - B * E, R - (1 - B))), by_combination(ONE, ONE)),
    lambda: with_checks(BERNOULLI.decide(), check_cases(_event_cases(), "worst event, A in {2, 3}, T <= 5")),
    why="by the common part of the laws, all data of arm 1; the printed proof through B4.1 and B4.3 gives only 4 T "
    "alpha",
)
B4_4 = step(
    "B4.4",
    "printed",
    "coverage gamma of pi^i at arm i is pi_hat(i) >= gamma alpha, as pi^i(i) = alpha",
    Formula(G * (1 - (1 - AL)), "==", G * AL, (between(G, 0, 1), ALPHA)),
)
B4_5 = joint_step(
    "B4.5",
    "printed",
    "P_1[pi_hat(i) >= gamma alpha] >= (1 - delta - T alpha)/2 >= 1/4",
    proves(
        Formula(
            QX,
            ">=",
            (1 - DEL - R) / 2,
            (between(QX, 0, 1), between(PX, 0, 1), between(DEL, 0, "1/4"), between(R, 0, "1/4")),
            (2 * QX + R - PX, PX - (1 - DEL)),
        ),
        by_combination(sympy.Rational(1, 2), sympy.Rational(1, 2)),
    ),
    proves(Formula((1 - DEL - R) / 2, ">=", sympy.Rational(1, 4), (between(DEL, 0, "1/4"), between(R, 0, "1/4")))),
    LEMMA5.decide,
)
B4_6 = step(
    "B4.6",
    "printed",
    "on M_1 the suboptimality 1 - pi_hat(1) is the sum of the other arms' probabilities",
    Formula(1 - (1 - S), "==", S, (between(S, 0, 1),)),
)
B4_7 = joint_step(
    "B4.7",
    "printed",
    "Markov: 1{x >= c} <= x/c, for x = c + z and for x < c",
    proves(Formula(1, "<=", (C + Z) / C, (above(C, "1/1000"), above(Z, 0)))),
    proves(Formula(0, "<=", X / C, (above(C, "1/1000"), above(X, 0)))),
)
FINAL = (above(A, 2, integer=True), ALPHA, between(G, 0, 1), above(XI, 0))
SUM_OF_ARMS = XI - (A - 1) * G * AL / 4
B4_8 = step(
    "B4.8",
    "printed",
    "from (A - 1) gamma alpha/4 <= xi follows gamma <= xi/(4(A - 1) alpha)",
    Formula(G, "<=", XI / (4 * (A - 1) * AL), FINAL, (SUM_OF_ARMS,)),
    points=[(2, "1/2", "1/2", "1/8")],
    severity="constant",
    why="the 4 belongs in the numerator: 4 xi/((A - 1) alpha), sixteen times as much",
)
B4_8C = step(
    "B4.8",
    "corrected",
    "from (A - 1) gamma alpha/4 <= xi follows gamma <= 4 xi/((A - 1) alpha)",
    Formula(G, "<=", 4 * XI / ((A - 1) * AL), FINAL, (SUM_OF_ARMS,)),
    by_combination(4 / ((A - 1) * AL)),
)
THEOREM = joint_step(
    "thm-lower-bound",
    "printed",
    "gamma <= xi/(2 A alpha) for every estimator, T <= 1/(4 alpha), delta <= 1/4",
    lambda: check_cases(_bound_cases(1, 0, 2, (4, 8)), "an estimator that ignores the data"),
    severity="constant",
    why="a fixed policy covers xi/((A - 1) alpha); the proof gives 4 xi/((A - 1) alpha)",
)
THEOREM_C = joint_step(
    "thm-lower-bound",
    "corrected",
    "gamma <= 4 xi/((A - 1) alpha) for every estimator, T <= 1/(4 alpha), delta <= 1/4",
    lambda: with_checks(
        all_of(*(s.decide() for s in (B4_4, B4_5, B4_6, B4_7, B4_8C))),
        check_cases(_bound_cases(4, 1, 1, (4, 8)), "an estimator that ignores the data"),
    ),
)
COROLLARY = joint_step(
    "thm-lower-bound-corollary",
    "printed",
    "with xi = c log(T)/T and alpha = 1/(2T): T <= 1/(4 alpha), and gamma <= c log(T)/A = T xi/A",
    lambda: check_cases(
        _bound_cases(1, 0, 2, (2,), least=2), "an estimator that ignores the data; c log(T)/A = xi/(2 A alpha)"
    ),
    proves(Formula(T, "<=", 1 / (4 * (1 / (2 * T))), (above(T, 1, integer=True),))),
    severity="constant",
    why="alpha = 1/(2T) breaks T <= 1/(4 alpha); with alpha = 1/(4T) the bound is 16 c log(T)/(A - 1)",
)
COROLLARY_C = joint_step(
    "thm-lower-bound-corollary",
    "corrected",
    "with xi = c log(T)/T and alpha = 1/(4T): gamma <= 16 T xi/(A - 1) = 16 c log(T)/(A - 1)",
    proves(Formula(T, "<=", 1 / (4 * (1 / (4 * T))), (above(T, 1, integer=True),))),
    proves(
        Formula(4 * XI / ((A - 1) / (4 * T)), "==", 16 * T * XI / (A - 1), (above(A, 2), above(XI, 0), above(T, 1)))
    ),
    THEOREM_C.decide,
)
CONDITION = step(
    "thm-lower-bound-condition",
    "printed",
    "the corollary's alpha = 1/(2T) satisfies T <= 1/(4 alpha)",
    Formula(T, "<=", 1 / (4 * (1 / (2 * T))), (above(T, 1, integer=True),)),
    severity="condition",
    why="it is 1/(4 alpha) = T/2; alpha = 1/(4T) satisfies it",
)
U = sympy.Symbol("u")
CONDITION_C = step(
    "thm-lower-bound-condition",
    "corrected",
    "every alpha = 1/(4T(1 + u)), u >= 0, satisfies T <= 1/(4 alpha); at u = 0 with equality",
    Formula(T, "<=", 1 / (4 * (1 / (4 * T * (1 + U)))), (above(T, 1, integer=True), above(U, 0))),
)

RESULTS = (
    Result(
        "lemma-hellinger",
        "Demonstrators that differ rarely look alike",
        "B.4, Lemma 5",
        (B4_1, B4_1C, BERNOULLI, B4_3, B4_3C, LEMMA5),
        statement="For j != i and every event E of the data: P_i(E) <= 2 P_j(E) + T alpha.",
        meaning="A demonstrator that rarely does something else can hardly be told, from few demonstrations, from one "
        "that never does.",
        latex=r"\Pr_i[E] \le 2\Pr_j[E] + T\alpha",
        assumptions=("the family of B.4",),
    ),
    Result(
        "thm-lower-bound",
        "No estimator covers much better",
        "B.4",
        (B4_4, B4_5, B4_6, B4_7, B4_8, B4_8C, THEOREM, THEOREM_C, CONDITION, CONDITION_C, COROLLARY, COROLLARY_C),
        statement="If pi_hat covers gamma with probability at least 3/4 and loses at most xi on every instance, and "
        "T <= 1/(4 alpha), then gamma <= 4 xi/((A - 1) alpha).",
        meaning="Whoever wants to lose little cannot cover much: with so few data, some rare action cannot be told "
        "from the others, and probability spread over all of them costs return. The paper's last step turned a "
        "factor over; the trade-off itself stands, up to that factor.",
        latex=r"\gamma \le \frac{4\xi}{(A-1)\,\alpha}",
        assumptions=("delta <= 1/4", "T <= 1/(4 alpha)", "A >= 2"),
    ),
)
