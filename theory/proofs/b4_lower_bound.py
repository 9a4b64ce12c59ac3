"""Steps of `lemma-hellinger` and `thm-lower-bound` (B.4: B4.1 to B4.8, theorem and corollary).

Letters: A actions, alpha the rare arm's probability, xi the suboptimality, G = gamma the coverage, T demonstrations, P
and Q the laws of the data. The bounds as functions, and the demonstrators in words: `theory.bounds.b4_lower_bound`.
"""

import sympy

from theory.claims import Result
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves, step
from theory.engines.tactics import by_combination, by_squares
from theory.proofs.b4_cases import constant_estimator_cases, corrected_bound, event_cases, printed_bound

A, AL, B, C, D, DEL, E, G, H2, PX, QX, R, S, T, XI, X, Y, Z = sympy.symbols(
    "A alpha b c d delta e gamma h p q r s T xi x y z"
)
ONE = sympy.Integer(1)
ALPHA = between(AL, "1/1000", "999/1000")


HELLINGER = Formula(
    PX,
    "<=",
    2 * QX + (sympy.sqrt(PX) - sympy.sqrt(QX)) ** 2 + (sympy.sqrt(1 - PX) - sympy.sqrt(1 - QX)) ** 2,
    ranges=(between(PX, 0, 1), between(QX, 0, 1)),
)
B4_1 = step(
    "B4.1",
    "printed",
    "P(E) <= 2 Q(E) + D_H^2(P, Q), D_H^2 = sum (sqrt p - sqrt q)^2; here for two-point laws",
    formula=HELLINGER,
    points=[("1/25", "1/100")],
    severity="proof only",
    why="D_H^2 needs the factor 2; Lemma 5 still holds, by another proof",
)
MERGING = Formula(
    (X**2 + Y**2) * (Z**2 + S**2), ">=", (X * Z + Y * S) ** 2, ranges=tuple(above(v, 0) for v in (X, Y, Z, S))
)
"""Merging two outcomes of probabilities x^2, y^2 and z^2, s^2 does not lower the affinity, so D_H^2 does not grow."""
B4_1C = joint_step(
    "B4.1",
    "corrected",
    "P(E) <= 2 Q(E) + 2 D_H^2(P, Q): with x = sqrt P(E), y = sqrt Q(E), z >= 0 the other squares",
    parts=[
        proves(
            Formula(
                X**2, "<=", 2 * Y**2 + 2 * ((X - Y) ** 2 + Z), ranges=(between(X, 0, 1), between(Y, 0, 1), above(Z, 0))
            ),
            by_squares((ONE, X - 2 * Y)),
        ),
        proves(MERGING, by_squares((ONE, X * S - Y * Z))),
    ],
    why="the second relation: D_H^2 over an event and its complement is at most D_H^2 of the laws",
)
BERNOULLI = joint_step(
    "B4.2",
    "printed",
    "D_H^2 is subadditive: 1 - (1 - h)^T <= T h for h = D_H^2/2 in [0, 1]; induction over T",
    parts=[
        proves(Formula((1 - T * H2) * (1 - H2), ">=", 1 - (T + 1) * H2, ranges=(above(T, 1), between(H2, 0, 1)))),
        proves(Formula(1 - H2, "==", 1 - 1 * H2, ranges=(between(H2, 0, 1),))),
    ],
    why="affinities multiply over independent samples",
)
B4_3 = step(
    "B4.3",
    "printed",
    "D_H^2(pi^i, pi^1) = alpha",
    formula=Formula((1 - sympy.sqrt(1 - AL)) ** 2 + AL, "==", AL, ranges=(between(AL, 0, 1, "()"),)),
    points=[("3/4",)],
    severity="proof only",
    why="it is 2(1 - sqrt(1 - alpha)), or half of that if D_H^2 is defined with a factor 1/2, and 2 alpha for i, j > 1",
)
B4_3C = joint_step(
    "B4.3",
    "corrected",
    "D_H^2(pi^i, pi^1) = 2(1 - sqrt(1 - alpha)) <= 2 alpha = D_H^2(pi^i, pi^j) for i, j > 1; s = sqrt(1 - alpha)",
    parts=[
        proves(Formula((1 - S) ** 2 + (1 - S**2), "==", 2 * (1 - S), ranges=(between(S, 0, 1),))),
        proves(Formula(2 * (1 - S), "<=", 2 * (1 - S**2), ranges=(between(S, 0, 1),))),
    ],
)
SHARED = (between(B, 0, 1), between(E, 0, 1), between(PX, 0, 1), between(QX, 0, 1), above(R, 0))
"""b = P[all a1] = (1 - alpha)^T, e = P(E given all a1), r = T alpha >= 1 - b."""
LEMMA5 = joint_step(
    "lemma-hellinger",
    "printed",
    "P_i(E) <= 2 P_j(E) + T alpha for all i != j and every event E of the data",
    parts=[
        BERNOULLI.decide,
        proves(
            Formula(PX, "<=", 2 * QX + R, ranges=SHARED, given=(B * E + 1 - B - PX, QX - B * E, R - (1 - B))),
            by_combination(ONE, ONE, ONE),
        ),
        proves(Formula(E, "<=", 2 * QX + R, ranges=SHARED, given=(QX - B * E, R - (1 - B))), by_combination(ONE, ONE)),
        lambda: with_checks(BERNOULLI.decide(), check_cases(event_cases(), "worst event, A in {2, 3}, T <= 5")),
    ],
    why="the proof uses what the laws have in common, data of arm 1 only; the printed proof through B4.1 and B4.3 "
    "gives only 4 T alpha",
)
B4_4 = step(
    "B4.4",
    "printed",
    "coverage gamma of pi^i at arm i is pi_hat(i) >= gamma alpha, as pi^i(i) = alpha",
    formula=Formula(G * (1 - (1 - AL)), "==", G * AL, ranges=(between(G, 0, 1), ALPHA)),
)
B4_5 = joint_step(
    "B4.5",
    "printed",
    "P_1[pi_hat(i) >= gamma alpha] >= (1 - delta - T alpha)/2 >= 1/4",
    parts=[
        proves(
            Formula(
                QX,
                ">=",
                (1 - DEL - R) / 2,
                ranges=(between(QX, 0, 1), between(PX, 0, 1), between(DEL, 0, "1/4"), between(R, 0, "1/4")),
                given=(2 * QX + R - PX, PX - (1 - DEL)),
            ),
            by_combination(sympy.Rational(1, 2), sympy.Rational(1, 2)),
        ),
        proves(
            Formula(
                (1 - DEL - R) / 2, ">=", sympy.Rational(1, 4), ranges=(between(DEL, 0, "1/4"), between(R, 0, "1/4"))
            )
        ),
        LEMMA5.decide,
    ],
)
B4_6 = step(
    "B4.6",
    "printed",
    "on M_1 the suboptimality 1 - pi_hat(1) is the sum of the other arms' probabilities",
    formula=Formula(1 - (1 - S), "==", S, ranges=(between(S, 0, 1),)),
)
B4_7 = joint_step(
    "B4.7",
    "printed",
    "Markov: 1{x >= c} <= x/c, for x = c + z and for x < c",
    parts=[
        proves(Formula(1, "<=", (C + Z) / C, ranges=(above(C, "1/1000"), above(Z, 0)))),
        proves(Formula(0, "<=", X / C, ranges=(above(C, "1/1000"), above(X, 0)))),
    ],
)
FINAL = (above(A, 2, integer=True), ALPHA, between(G, 0, 1), above(XI, 0))
SUM_OF_ARMS = XI - (A - 1) * G * AL / 4
B4_8 = step(
    "B4.8",
    "printed",
    "from (A - 1) gamma alpha/4 <= xi follows gamma <= xi/(4(A - 1) alpha)",
    formula=Formula(G, "<=", XI / (4 * (A - 1) * AL), ranges=FINAL, given=(SUM_OF_ARMS,)),
    points=[(2, "1/2", "1/2", "1/8")],
    severity="constant",
    why="the 4 belongs in the numerator: 4 xi/((A - 1) alpha), sixteen times as much",
)
B4_8C = step(
    "B4.8",
    "corrected",
    "from (A - 1) gamma alpha/4 <= xi follows gamma <= 4 xi/((A - 1) alpha)",
    formula=Formula(G, "<=", 4 * XI / ((A - 1) * AL), ranges=FINAL, given=(SUM_OF_ARMS,)),
    tactics=[by_combination(4 / ((A - 1) * AL))],
)
THEOREM = joint_step(
    "thm-lower-bound",
    "printed",
    "gamma <= xi/(2 A alpha) for every estimator, T <= 1/(4 alpha), delta <= 1/4",
    parts=[
        lambda: check_cases(
            constant_estimator_cases(printed_bound, multiples=(4, 8)), "an estimator that ignores the data"
        )
    ],
    severity="constant",
    why="a fixed policy covers xi/((A - 1) alpha); the proof gives 4 xi/((A - 1) alpha)",
)
THEOREM_C = joint_step(
    "thm-lower-bound",
    "corrected",
    "gamma <= 4 xi/((A - 1) alpha) for every estimator, T <= 1/(4 alpha), delta <= 1/4",
    parts=[
        lambda: with_checks(
            all_of(*(s.decide() for s in (B4_4, B4_5, B4_6, B4_7, B4_8C))),
            check_cases(
                constant_estimator_cases(corrected_bound, multiples=(4, 8)), "an estimator that ignores the data"
            ),
        )
    ],
)
COROLLARY = joint_step(
    "thm-lower-bound-corollary",
    "printed",
    "with xi = c log(T)/T and alpha = 1/(2T): T <= 1/(4 alpha), and gamma <= c log(T)/A = T xi/A",
    parts=[
        lambda: check_cases(
            constant_estimator_cases(printed_bound, multiples=(2,), least=2),
            "an estimator that ignores the data; c log(T)/A = xi/(2 A alpha)",
        ),
        proves(Formula(T, "<=", 1 / (4 * (1 / (2 * T))), ranges=(above(T, 1, integer=True),))),
    ],
    severity="constant",
    why="alpha = 1/(2T) violates T <= 1/(4 alpha); with alpha = 1/(4T) the bound is 16 c log(T)/(A - 1)",
)
COROLLARY_C = joint_step(
    "thm-lower-bound-corollary",
    "corrected",
    "with xi = c log(T)/T and alpha = 1/(4T): gamma <= 16 T xi/(A - 1) = 16 c log(T)/(A - 1)",
    parts=[
        proves(Formula(T, "<=", 1 / (4 * (1 / (4 * T))), ranges=(above(T, 1, integer=True),))),
        proves(
            Formula(
                4 * XI / ((A - 1) / (4 * T)),
                "==",
                16 * T * XI / (A - 1),
                ranges=(above(A, 2), above(XI, 0), above(T, 1)),
            )
        ),
        THEOREM_C.decide,
    ],
)
CONDITION = step(
    "thm-lower-bound-condition",
    "printed",
    "the corollary's alpha = 1/(2T) satisfies T <= 1/(4 alpha)",
    formula=Formula(T, "<=", 1 / (4 * (1 / (2 * T))), ranges=(above(T, 1, integer=True),)),
    severity="condition",
    why="1/(4 alpha) is T/2 there; alpha = 1/(4T) satisfies the condition",
)
U = sympy.Symbol("u")
CONDITION_C = step(
    "thm-lower-bound-condition",
    "corrected",
    "every alpha = 1/(4T(1 + u)), u >= 0, satisfies T <= 1/(4 alpha); at u = 0 with equality",
    formula=Formula(T, "<=", 1 / (4 * (1 / (4 * T * (1 + U)))), ranges=(above(T, 1, integer=True), above(U, 0))),
)

RESULTS = (
    Result(
        id="lemma-hellinger",
        title="Demonstrators that differ rarely look alike",
        source="B.4, Lemma 5",
        steps=(B4_1, B4_1C, BERNOULLI, B4_3, B4_3C, LEMMA5),
        statement="For j != i and every event E of the data: P_i(E) <= 2 P_j(E) + T alpha.",
        meaning="From few demonstrations, a demonstrator that rarely deviates can hardly be distinguished from one "
        "that never does.",
        latex=r"\Pr_i[E] \le 2\Pr_j[E] + T\alpha",
        assumptions=("the family of B.4",),
    ),
    Result(
        id="thm-lower-bound",
        title="No estimator covers much better",
        source="B.4",
        steps=(B4_4, B4_5, B4_6, B4_7, B4_8, B4_8C, THEOREM, THEOREM_C, CONDITION, CONDITION_C, COROLLARY, COROLLARY_C),
        statement="If pi_hat covers gamma with probability at least 3/4 and loses at most xi on every instance, and T "
        "<= 1/(4 alpha), then gamma <= 4 xi/((A - 1) alpha).",
        meaning="An estimator that loses little cannot cover much: with so few data the rare actions cannot be "
        "distinguished, and spreading probability over all of them costs return. The paper's last step divides by 4 "
        "where it must multiply; the trade-off remains, up to a constant factor.",
        latex=r"\gamma \le \frac{4\xi}{(A-1)\,\alpha}",
        assumptions=("delta <= 1/4", "T <= 1/(4 alpha)", "A >= 2"),
    ),
)
