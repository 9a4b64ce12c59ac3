"""Steps of `prop-uniform-fails` (B.2: B2.1 to B2.14).

Letters: eps the loss, alpha the weight of uniform noise, T demonstrations, H steps, k rare states, q = 1 - alpha +
alpha/A the chance that the noise spares the chain in one step, w its power, P a probability of the rare state, u =
1/T. The construction in words, and the bounds as functions: `theory.bounds.b2_uniform_fails`; R5.2 has sharper
constants.
"""

from fractions import Fraction

import sympy

from theory.claims import Outcome, Result
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves, step
from theory.engines.tactics import by_combination, by_concavity, by_derivatives
from theory.proofs.b2_cases import (
    dominance_cases,
    event,
    event_cases,
    existence_cases,
    loss_cases,
    rare_cases,
    rows,
    start,
    total_cases,
    value_cases,
)

EPS, ALPHA, H, T, X, U, W, Q, P = sympy.symbols("eps alpha H T x u w q P")
K = sympy.Symbol("k", integer=True, positive=True)
HALF = Fraction(1, 2)


UNIT = between(U, 0, 1, "[)")
EPS_SMALL = between(EPS, 0, "1/8")
TOTAL = sympy.summation(2 ** (-(X + 1)), (X, 2, K)) + sympy.Rational(3, 4)
E_POWER = Formula((1 - U) * sympy.log(1 - U), ">=", -U, ranges=(UNIT,))
"""(1 - 1/T)^(T-1) >= 1/e, with u = 1/T: (T - 1) log(1 - 1/T) >= -1, times u."""

B2_1 = joint_step(
    "B2.1",
    "printed",
    "P_0 sums to 1",
    parts=[lambda: check_cases(total_cases(), "k = 1..12")],
    severity="typing error",
    why="the sum is 1 + 2^-(k+1); the extra term of s~_1 should be 2^-(k+1)",
)
B2_1C = step(
    "B2.1",
    "corrected",
    "with P_0(s~_1) = 2^-2 + 2^-(k+1), P_0 sums to 1 for every k",
    formula=Formula(TOTAL + sympy.Rational(1, 2) ** (K + 1), "==", 1, ranges=(above(K, 1, integer=True),)),
)
B2_2 = joint_step("B2.2", "printed", "the rows are distributions, and s~_i, s_2 are absorbing", parts=[rows])
B2_3 = step(
    "B2.3",
    "printed",
    "the reward 1 - 2 Delta = 1 - 4 eps lies in [0, 1] for every eps > 0",
    formula=Formula(1 - 4 * EPS, ">=", 0, ranges=(between(EPS, 0, sympy.oo, "()"),)),
    severity="condition",
    why="eps <= 1/4 is needed; for larger eps the claim is vacuous",
)
B2_3C = joint_step(
    "B2.3",
    "corrected",
    "the reward 1 - 4 eps lies in [0, 1] for 0 < eps <= 1/4",
    parts=[
        proves(Formula(1 - 4 * EPS, ">=", 0, ranges=(between(EPS, 0, "1/4", "(]"),))),
        proves(Formula(1 - 4 * EPS, "<=", 1, ranges=(between(EPS, 0, "1/4", "(]"),))),
    ],
)
B2_4 = joint_step("B2.4", "printed", "pi_beta is a policy: 1/2, 1/2 on every s~_i, a1 on s_1", parts=[rows])
B2_5 = joint_step(
    "B2.5",
    "printed",
    "J(pi_beta) = 1 - Delta/2 and max J = 1 (Delta = 2 eps, P_0 normalised)",
    parts=[
        lambda: with_checks(
            proves(Formula((1 + 1 - 4 * EPS) / 4 + sympy.Rational(1, 2), "==", 1 - EPS, ranges=(EPS_SMALL,)))(),
            check_cases(value_cases(), "both values, k in {1, 3}, H = 2..4, two eps"),
        )
    ],
)
B2_6 = joint_step(
    "B2.6",
    "printed",
    "J(pi~) >= J(u, alpha) whatever the data: on an unseen chain state 1/2 <= 1 - alpha/2",
    parts=[
        lambda: with_checks(
            proves(Formula(sympy.Rational(1, 2), "<=", 1 - ALPHA / 2, ranges=(between(ALPHA, 0, 1),)))(),
            check_cases(dominance_cases(), "all patterns of seen chain states, H = 2..4"),
        )
    ],
)
B2_7 = joint_step(
    "B2.7",
    "printed",
    "J(pi_beta) - J(pi~) >= -Delta/2 + (1 - q^(H-1))/2, q = 1 - alpha + alpha/A; w = q^(H-1)",
    parts=[
        lambda: with_checks(
            proves(Formula((1 - W * Q) / 2, ">=", (1 - W) / 2, ranges=(between(W, 0, 1), between(Q, 0, 1))))(),
            check_cases(loss_cases(exponent_drop=1, relation=">="), "k in {1, 3}, H = 2..4"),
        )
    ],
    why="action 1 must be played H times, so the exponent can be H",
)
B2_8 = step(
    "B2.8",
    "printed",
    "-eps + (1 - w)/2 <= eps needs w >= 1 - 4 eps",
    formula=Formula(W, ">=", 1 - 4 * EPS, ranges=(between(W, 0, 1), EPS_SMALL), given=(EPS - (-EPS + (1 - W) / 2),)),
    tactics=[by_combination(sympy.Integer(2))],
)
LOG_UPPER = Formula(sympy.log(1 - U), "<=", -U, ranges=(UNIT,))
B2_9 = joint_step(
    "B2.9",
    "printed",
    "log(1 - x) <= -x; log(1 - 4 eps) >= -8 eps for eps <= 1/2",
    parts=[
        proves(LOG_UPPER, by_derivatives("u")),
        proves(Formula(sympy.log(1 - 4 * EPS), ">=", -8 * EPS, ranges=(between(EPS, 0, "1/2"),)), by_concavity("eps")),
    ],
    severity="proof only",
    why="the second needs eps <= 0.199; alpha <= 32 eps says nothing for eps >= 1/32",
)
B2_9C = joint_step(
    "B2.9",
    "corrected",
    "log(1 - x) <= -x; log(1 - 4 eps) >= -8 eps for eps <= 1/8",
    parts=[
        proves(LOG_UPPER, by_derivatives("u")),
        proves(Formula(sympy.log(1 - 4 * EPS), ">=", -8 * EPS, ranges=(EPS_SMALL,)), by_concavity("eps")),
    ],
)
B2_10 = step(
    "B2.10",
    "printed",
    "8 eps/((H - 1)(1 - 1/A)) <= 32 eps for H >= 2, A = 2",
    formula=Formula(8 * EPS / ((H - 1) / 2), "<=", 32 * EPS, ranges=(above(EPS, 0), above(H, 2))),
)
B2_11 = joint_step(
    "B2.11",
    "printed",
    "1/(2T) <= P_0(s~_iT) <= 1/T for every T (k as large as needed)",
    parts=[lambda: check_cases(rare_cases(excess=0, least=2), "T = 2..129")],
    severity="condition",
    why="for T <= 4 the rare state is s~_1, which carries the extra mass; and k must be large enough",
)
_Y = sympy.Symbol("y")
B2_11C = joint_step(
    "B2.11",
    "corrected",
    "for T >= 5 and k >= ceil(log2 T) - 1 the state exists and 1/(2T) <= P_0(s~_iT) <= 1/T (y = 2^i, T = y(1 + u))",
    parts=[
        proves(Formula(1 / (2 * _Y * (1 + U)), "<=", 1 / (2 * _Y), ranges=(above(_Y, 4), between(U, 0, 1)))),
        proves(Formula(1 / (2 * _Y), "<=", 1 / (_Y * (1 + U)), ranges=(above(_Y, 4), between(U, 0, 1)))),
        lambda: with_checks(
            B2_1C.decide(),
            check_cases(rare_cases(excess=1, least=5), "T = 5..129"),
            check_cases(existence_cases(), "k = ceil(log2 T) - 1, T = 5..129"),
        ),
    ],
)
B2_12 = joint_step(
    "B2.12",
    "printed",
    "P[E] = (T/2) P_0 (1 - P_0)^(T-1) = (T/2)(1/(2T))(1 - 1/T)^(T-1) >= 1/(4e)",
    parts=[lambda: check_cases(event_cases("=="), "T = 5..64")],
    severity="typing error",
    why="the second equality is a lower bound",
)
_B, _C = sympy.symbols("b c")
PRODUCT = Formula(
    X * _B / 2, ">=", _C / 4, ranges=(between(X, "1/2", 1), between(_B, 0, 1), between(_C, 0, 1)), given=(_B - _C,)
)
B2_12C = joint_step(
    "B2.12",
    "corrected",
    "P[E] = (T/2) P_0 (1 - P_0)^(T-1) >= (1/4)(1 - 1/T)^(T-1) >= 1/(4e)",
    parts=[
        proves(PRODUCT, by_combination(sympy.Rational(1, 4))),
        proves(E_POWER, by_derivatives("u")),
        lambda: with_checks(B2_11C.decide(), check_cases(event_cases(">="), "T = 5..64, exact")),
    ],
)
_A = sympy.Symbol("A")
B2_13 = step(
    "B2.13",
    "printed",
    "on E, (u, alpha) gives a1 only alpha/A <= (64 eps/A)/2 at the rare state",
    formula=Formula(
        ALPHA / _A,
        "<=",
        64 * EPS / _A / 2,
        ranges=(between(ALPHA, 0, 1), above(EPS, 0), above(_A, 2)),
        given=(32 * EPS - ALPHA,),
    ),
    tactics=[by_combination(1 / _A)],
)
B2_14 = step(
    "B2.14",
    "printed",
    "the loss P_0(s~_iT) 2 Delta >= Delta/T when P_0 >= 1/(2T)",
    formula=Formula(
        P * 2 * EPS, ">=", EPS / T, ranges=(between(P, 0, 1), above(EPS, 0), above(T, 1)), given=(P - 1 / (2 * T),)
    ),
    tactics=[by_combination(2 * EPS)],
)


def _small_t() -> Outcome:
    """T = 2, 3, 4 force eps >= 1/32, where alpha <= 32 eps says nothing; T = 1 is decided by k = 1 itself."""
    trivial = [Formula(4 * 3 * sympy.log(t) / t, ">=", sympy.Rational(1, 32)) for t in (2, 3, 4)]
    single = check_cases([({"T": 1, "k": 1}, event(1, start(1, 2)[0]), ">=", Fraction(1, 4))], "T = 1", whole=True)
    return all_of(*(proves(f)() for f in trivial), single)


STATEMENT = joint_step(
    "prop-uniform-fails",
    "printed",
    "for every T and H >= 2 some MDP makes a loss <= eps force alpha <= 32 eps and, with probability >= 1/(4e), gamma "
    "<= 64 eps/A",
    parts=[*(s.decide for s in (B2_1C, B2_5, B2_6, B2_7, B2_8, B2_9C, B2_10, B2_11C, B2_12C, B2_13)), _small_t],
    why="true with the corrected construction; for eps >= 1/32 it is vacuous, and T <= 4 is covered by that and by k = "
    "1",
)

RESULT = Result(
    id="prop-uniform-fails",
    title="Mixing with uniform noise covers or imitates, not both",
    source="B.2",
    steps=(
        B2_1,
        B2_1C,
        B2_2,
        B2_3,
        B2_3C,
        B2_4,
        B2_5,
        B2_6,
        B2_7,
        B2_8,
        B2_9,
        B2_9C,
        B2_10,
        B2_11,
        B2_11C,
        B2_12,
        B2_12C,
        B2_13,
        B2_14,
        STATEMENT,
    ),
    statement="For T >= 5 and 0 < eps < 1/4 there is an MDP with two actions where an expected loss of at most eps "
    "forces alpha <= 2(1 - (1 - 4 eps)^(1/H)) <= 8 eps, and coverage with probability above 1 - 1/(4 sqrt(e)) forces "
    "gamma <= alpha.",
    meaning="If the noise is equally strong everywhere, it must be weak, or it ruins the states where every action "
    "counts. But weak noise hardly covers the states with few data: no single noise level does both.",
    latex=r"J(\pi_\beta) - \mathbb E\,J(\hat\pi_{u,\alpha}) \le \epsilon \;\Rightarrow\; "
    r"\gamma \le \alpha \le 2\bigl(1-(1-4\epsilon)^{1/H}\bigr) \le 8\epsilon",
    assumptions=("T >= 5", "H >= 2", "0 < eps < 1/4", "k >= ceil(log2 T) - 1", "P_0 normalised"),
)
