"""Steps of `prop-bc-fails` (B.1: B1.1 to B1.6).

Letters: eps as in the demonstrator (1 - 4 eps, 2 eps, 2 eps), T demonstrations; a_i is arm i, M_1 and M_2 are the
bandits. The bounds as functions, and the construction in words: `theory.bounds.b1_bc_fails`.
"""

from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Outcome, Result
from theory.engines.enumeration import Case, bandit, count_actions, data_sets, mixed_policy, value
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves, step
from theory.engines.tactics import by_combination, by_concavity
from theory.proofs.r5_sharp_failures import R5_1

EPS = sympy.Symbol("eps")
EPS_RANGE = between(EPS, 0, "1/8", "(]")
HALF = Fraction(1, 2)
PAYS = ((0, 1, 0), (0, 0, 1))
"""Mean reward of arms 1, 2, 3 on the two bandits (B1.1)."""

DEMONSTRATOR = (1 - 4 * EPS, 2 * EPS, 2 * EPS)


def _exact_failure(n_demos: int, eps: Fraction, bandit_number: int) -> Fraction:
    """Probability, over all data sets, that BC is worse than the demonstrator by at least eps on one bandit."""
    rewards = tuple(Fraction(r) for r in PAYS[bandit_number])
    instance = bandit((1 - 4 * eps, 2 * eps, 2 * eps), rewards)
    target = value(instance, instance.demonstrator) - eps
    total = Fraction(0)
    for data, chance in data_sets(instance, n_demos):
        policy = mixed_policy(count_actions(instance, data), Fraction(0), None)
        total += chance if value(instance, policy) <= target else 0
    return total


def _failure_cases(factor: int, least: int) -> Iterator[Case]:
    for eps in (Fraction(1, 8), Fraction(1, 16), Fraction(1, 40), Fraction(1, 100)):
        for n_demos in range(least, min(int(1 / (factor * eps)), 8) + 1):
            for number in (0, 1):
                values = {"eps": str(eps), "T": n_demos, "bandit": number + 1}
                yield values, _exact_failure(n_demos, eps, number), ">=", HALF


def _same_rollouts() -> Outcome:
    """Total variation between what the policy that plays only arm 1 shows on the two bandits."""
    laws = [{(0, reward[0]): Fraction(1)} for reward in PAYS]
    keys = set(laws[0]) | set(laws[1])
    distance = sum((abs(laws[0].get(k, Fraction(0)) - laws[1].get(k, Fraction(0))) for k in keys), Fraction(0)) / 2
    return check_cases([({}, distance, "==", Fraction(0))], "the law of (arm, reward) under arm 1 only", whole=True)


def _minimax_formula() -> Formula:
    """B1.5: M is the larger loss, D the difference of E[pi_hat(a3)]; x2, x3 on M1, y3 on M2."""
    m, d, x2, x3, y3 = sympy.symbols("M D x2 x3 y3")
    ranges = (*(between(s, 0, 1) for s in (m, d, x2, x3, y3)),)
    given = (m - (1 - x2), m - (1 - y3), 1 - x2 - x3, d - (y3 - x3))
    return Formula(m, ">=", sympy.Rational(1, 2) - d / 2, ranges=ranges, given=given)


D, F, Q = sympy.symbols("d f q")
TV_FACT = Formula(Q, ">=", D * F, ranges=(between(D, -1, 1), between(F, 0, 1), above(Q, 0)), given=(Q - D, 1 - F))


def _value_of(arm: int, number: int) -> Formula:
    return Formula(sympy.Integer(PAYS[number][arm]), "==", sympy.Integer(1))


B1_1 = joint_step(
    "B1.1",
    "printed",
    "(1 - 4 eps, 2 eps, 2 eps) is a distribution for 0 < eps <= 1/8",
    parts=[
        proves(Formula(sympy.Add(*DEMONSTRATOR), "==", 1, ranges=(EPS_RANGE,))),
        proves(Formula(DEMONSTRATOR[0], ">=", 0, ranges=(EPS_RANGE,))),
        proves(Formula(DEMONSTRATOR[1], ">=", 0, ranges=(EPS_RANGE,))),
    ],
)
B1_2 = step(
    "B1.2",
    "printed",
    "(1 - 4 eps)^T >= 1/2 for T <= 1/(20 eps), as log(1 - 4 eps) >= -20 eps log 2",
    formula=Formula(sympy.log(1 - 4 * EPS), ">=", -20 * EPS * sympy.log(2), ranges=(between(EPS, 0, "1/8"),)),
    tactics=[by_concavity("eps")],
)
B1_3 = joint_step(
    "B1.3",
    "printed",
    "J(pi_beta) = 2 eps on both bandits, and a policy that plays only arm 1 has J = 0",
    parts=[
        *(
            proves(
                Formula(sum(p * r for p, r in zip(DEMONSTRATOR, pays, strict=True)), "==", 2 * EPS, ranges=(EPS_RANGE,))
            )
            for pays in PAYS
        ),
        *(proves(Formula(sympy.Integer(pays[0]), "==", sympy.Integer(0))) for pays in PAYS),
    ],
)
B1_4 = step(
    "B1.4",
    "printed",
    "the optimal policy plays a2 on M2, with value 1",
    formula=_value_of(1, 1),
    severity="typing error",
    why="on M2 arm a2 pays 0; a3 is meant",
)
B1_4C = joint_step(
    "B1.4",
    "corrected",
    "the optimal policy plays a2 on M1 and a3 on M2, with value 1 on each",
    parts=[proves(_value_of(1, 0)), proves(_value_of(2, 1))],
)
B1_5 = step(
    "B1.5",
    "printed",
    "max_i E[1 - pi_hat(a_{1+i})] >= 1/2 - |E_1[pi_hat(a3)] - E_2[pi_hat(a3)]|/2",
    formula=_minimax_formula(),
    tactics=[by_combination(*[sympy.Rational(1, 2)] * 4)],
)
B1_6 = joint_step(
    "B1.6",
    "printed",
    "rollouts that never play a2 or a3 have the same law on M1 and M2, so the bound is 1/2",
    parts=[_same_rollouts, proves(TV_FACT, by_combination(F, Q))],
    why="|E_1 f - E_2 f| <= TV for f in [0, 1]: each term d f of the sum is at most the positive part q of d",
)
STATEMENT = joint_step(
    "prop-bc-fails",
    "printed",
    "for eps in (0, 1/8] and T <= 1/(20 eps), P[J(pi_beta) - J(BC) >= eps] >= 1/2",
    parts=[lambda: check_cases(_failure_cases(factor=20, least=0), "eps in {1/8, 1/16, 1/40, 1/100}, T up to 8")],
    severity="condition",
    why="T = 0 is allowed as printed, and for eps > 1/20 it is the only T; BC is uniform then and does not fail",
)
STATEMENT_CORRECTED = joint_step(
    "prop-bc-fails",
    "corrected",
    "the same for T >= 1, even for T <= 1/(8 eps) and with a gap of 2 eps; the minimax loss from rollouts is 1/2",
    parts=[
        lambda: with_checks(
            all_of(*(s.decide() for s in (B1_1, R5_1, B1_3, B1_5, B1_6))),
            check_cases(_failure_cases(factor=8, least=1), "all data sets, eps in {1/8, 1/16, 1/40, 1/100}, T = 1..8"),
        )
    ],
)

RESULT = Result(
    id="prop-bc-fails",
    title="Behavioral cloning fails to cover rare actions",
    source="B.1",
    steps=(B1_1, B1_2, B1_3, B1_4, B1_4C, B1_5, B1_6, STATEMENT, STATEMENT_CORRECTED),
    statement="For eps in (0, 1/8] and 1 <= T <= 1/(8 eps), with probability (1 - 4 eps)^T >= 1/2 BC loses 2 eps, "
    "covers nothing, and whatever is learnt from its rollouts loses at least 1/2 on one of two bandits.",
    meaning="With few demonstrations a cloned policy gives probability zero to actions that the demonstrator takes now "
    "and then. Learning from such a policy's own rollouts cannot discover what those actions are worth, so the loss "
    "remains.",
    latex=r"1 \le T \le \tfrac{1}{8\epsilon} \;\Rightarrow\; "
    r"\Pr\bigl[J(\pi_\beta) - J(\hat\pi_{\mathrm{BC}}) \ge 2\epsilon\bigr] \ge (1-4\epsilon)^T \ge \tfrac12",
    assumptions=("0 < eps <= 1/8", "at least one demonstration"),
)
