"""Steps of the companion's R2: coverage with the paper's prior mass, without log A and with 5 instead of 64.

Letters: n visits, k of them with the action, p its probability under the demonstrator, A actions, lambda the prior
mass, L = log(SH/delta), M = max{5 L, 2 lambda} and m = M/2. The bound as a function: `theory.bounds.r2_coverage`.
"""

from fractions import Fraction

import sympy

from theory.claims import Result
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves
from theory.engines.tactics import by_combination, by_derivatives
from theory.proofs.chernoff import CHERNOFF, EXPONENT_GROWS
from theory.proofs.coverage_cases import bandit_cases

A, C, K, L, LAM, M, N, U = sympy.symbols("A c k L lambda m n u")
LOG2 = sympy.log(2)
TWO_FIFTHS = sympy.Rational(2, 5)


def r2_share(p: Fraction, log: Fraction, mass: Fraction) -> Fraction:
    """R2's bound on the probability of an action, divided by alpha."""
    return p * min(1 / (5 * log), 1 / (2 * mass))


R2_1 = joint_step(
    "R2.1",
    "companion",
    "posterior >= (K + 1)/(n + lambda); below p/M, M >= 2 lambda, it forces n > lambda and n p > (M/2)(K + 1)",
    parts=[
        proves(
            Formula(
                (K + LAM / A) / (N + LAM),
                ">=",
                (K + 1) / (N + LAM),
                ranges=(above(K, 0), above(N, 0), above(LAM, 1), above(A, 1)),
                given=(LAM - A,),
            ),
            by_combination(1 / (A * (N + LAM))),
        ),
        proves(
            Formula(
                (K + 1) / (LAM * C + LAM), ">=", 1 / (2 * LAM), ranges=(above(K, 0), above(LAM, 1), between(C, 0, 1))
            )
        ),
        proves(
            Formula((K + 1) / (N + N * C), ">=", (K + 1) / (2 * N), ranges=(above(K, 0), above(N, 1), between(C, 0, 1)))
        ),
    ],
)
EXPONENT = M * (K + 1) - K - K * sympy.log(M * (K + 1) / K)
R2_2 = joint_step(
    "R2.2",
    "companion",
    "with m = M/2 >= 2, Chernoff's exponent at mu = m(k + 1) is at least log m + (2/5) m for every k >= 0",
    parts=[
        proves(EXPONENT_GROWS),
        proves(
            Formula(
                sympy.simplify(sympy.diff(EXPONENT, M)), ">=", 1 / M + TWO_FIFTHS, ranges=(above(M, 2), above(K, 1))
            )
        ),
        proves(
            Formula(1 + 2 * U - LOG2 - sympy.log(1 + U), ">=", U * (LOG2 + 2 * TWO_FIFTHS), ranges=(between(U, 0, 1),))
        ),
        proves(Formula(M, ">=", sympy.log(M) + TWO_FIFTHS * M, ranges=(above(M, 2),)), by_derivatives("m")),
    ],
    why="the third relation is the case m = 2 divided by k, with u = 1/k; the last is the case k = 0",
)
R2_3 = joint_step(
    "R2.3",
    "companion",
    "A exp(-(log m + (2/5) m)) <= exp(-L) for A <= lambda <= m and (5/2) L <= m, so one (s, h) fails with probability "
    "delta/(SH)",
    parts=[
        proves(
            Formula(A / M * sympy.Integer(1), "<=", 1, ranges=(above(A, 1), above(M, 2)), given=(M - A,)),
            by_combination(1 / M),
        ),
        proves(
            Formula(TWO_FIFTHS * M, ">=", L, ranges=(above(M, 2), above(L, 0)), given=(M - 5 * L / 2,)),
            by_combination(TWO_FIFTHS),
        ),
    ],
)
R2 = joint_step(
    "r2",
    "companion",
    "PostBC >= pi_beta alpha min{1/(5 log(SH/delta)), 1/(2 lambda)} with probability >= 1 - delta, for lambda >= A >= "
    "2",
    parts=[
        lambda: with_checks(
            all_of(*(s.decide() for s in (R2_1, R2_2, R2_3)), detail=f"from {CHERNOFF}"),
            check_cases(bandit_cases(actions_in_log=False, share=r2_share), "bandits with 2 and 3 arms, T up to 30"),
        )
    ],
)

RESULT = Result(
    id="r2",
    title="Coverage with the paper's prior mass, without log A",
    source="R2",
    steps=(R2_1, R2_2, R2_3, R2),
    statement="For lambda >= A >= 2, with probability at least 1 - delta: PostBC >= pi_beta alpha min{1/(5 "
    "log(SH/delta)), 1/(2 lambda)} everywhere.",
    meaning="With the paper's own lambda, up to twelve times the coverage of Lemma 1 can be guaranteed, and the number "
    "of actions need not enter the logarithm.",
    latex=r"\gamma \ge \alpha\min\Bigl\{\frac1{5\log(SH/\delta)},\frac1{2\lambda}\Bigr\}",
    assumptions=("lambda >= A", "A >= 2 (A = 1 is trivial)", "0 < delta < 1"),
)
