"""Steps of `lemma-coverage` (B.3, Lemma 1: B3.1 to B3.7): Bernstein, two cases, and a union bound without the actions.

Letters: n visits, k of them with the action, PR = p its probability under the demonstrator, A actions, LAM = lambda the
prior mass, L the logarithm, and C, S, Z auxiliary. The bound as a function: `theory.bounds.b3_coverage`.
"""

from fractions import Fraction

import sympy

from theory.claims import Result
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves, step
from theory.engines.tactics import by_combination
from theory.proofs.chernoff import bernstein, tail_cases
from theory.proofs.coverage_cases import bandit_cases, union_bound_cases

S, C, N, A, K, LAM, PR, L, Z = sympy.symbols("s c n A k lambda p L z")
PROB = between(PR, 0, 1, "(]")


def lemma1_share(p: Fraction, log: Fraction, mass: Fraction) -> Fraction:
    """Lemma 1's bound on the probability of an action, divided by alpha."""
    return min(p / (64 * log), 1 / (2 * mass))


CASE_ONE = (above(L, "1/16"), above(LAM, 2), PROB)

B3_1 = joint_step(
    "B3.1",
    "printed",
    "Bernstein's lower tail for T_h(s,a) given T_h(s), for one (s, h, a), with probability 1 - delta",
    parts=[lambda: with_checks(bernstein(), check_cases(tail_cases(), "n in {1, 3, 10, 25}, two p, two delta"))],
)
B3_2 = step(
    "B3.2",
    "printed",
    "n = 32 L/(p s^2), s <= 1, makes Bernstein's bound p (1 - s/4 - s^2/48) >= p/2",
    formula=Formula(1 - S / 4 - S**2 / 48, ">=", sympy.Rational(1, 2), ranges=(between(S, 0, 1),)),
)
FIRST = Formula(
    (K + LAM / A) / (N + LAM),
    ">=",
    PR / (2 * (1 + LAM / N)),
    ranges=(above(N, 1), above(LAM, 1), above(A, 1), PROB, above(K, 0)),
    given=(K - N * PR / 2,),
)
POSTERIOR_RANGES = (above(N, 1, integer=True), above(Z, 0), above(A, 1, integer=True), above(K, 0, integer=True))
B3_3 = joint_step(
    "B3.3",
    "printed",
    "posterior >= p/(2(1 + lambda/n)) in the first case, >= (lambda/A)/(n + A) in the other (lambda = A + z)",
    parts=[
        proves(FIRST, by_combination(1 / (N + LAM))),
        proves(
            Formula(
                (K + (A + Z) / A) / (N + A + Z), ">=", ((A + Z) / A) / (N + A), ranges=POSTERIOR_RANGES, given=(N - K,)
            ),
            points=[(4, 2, 2, 0)],
        ),
    ],
    severity="typing error",
    why="n + A should be n + lambda, as B3.4 uses it",
)
B3_3C = joint_step(
    "B3.3",
    "corrected",
    "posterior >= p/(2(1 + lambda/n)) in the first case, >= (lambda/A)/(n + lambda) in the other",
    parts=[
        proves(FIRST, by_combination(1 / (N + LAM))),
        proves(Formula((K + (A + Z) / A) / (N + A + Z), ">=", ((A + Z) / A) / (N + A + Z), ranges=POSTERIOR_RANGES)),
    ],
)
B3_4 = joint_step(
    "B3.4",
    "printed",
    "the two are >= 32 L/(32 L + lambda p) p/2 (n = 32 L c/p, c >= 1) and >= (lambda/A) p/(32 L + lambda p) (c <= 1)",
    parts=[
        proves(
            Formula(
                PR / (2 * (1 + LAM * PR / (32 * L * C))),
                ">=",
                32 * L / (32 * L + LAM * PR) * PR / 2,
                ranges=(*CASE_ONE, above(C, 1)),
            )
        ),
        proves(
            Formula(1 / (32 * L * C / PR + LAM), ">=", PR / (32 * L + LAM * PR), ranges=(*CASE_ONE, between(C, 0, 1)))
        ),
    ],
)
B3_5 = joint_step(
    "B3.5",
    "printed",
    "both are >= p/(32 L + lambda p) when delta <= 0.9 (16 L >= 1) and lambda = A c, c >= 1",
    parts=[
        proves(Formula(16 * sympy.log(sympy.Rational(10, 9)), ">=", sympy.Integer(1))),
        proves(Formula(32 * L / (32 * L + LAM * PR) * PR / 2, ">=", PR / (32 * L + LAM * PR), ranges=CASE_ONE)),
        proves(Formula(C * PR / (32 * L + LAM * PR), ">=", PR / (32 * L + LAM * PR), ranges=(*CASE_ONE, above(C, 1)))),
    ],
)
B3_6 = joint_step(
    "B3.6",
    "printed",
    "p/(32 L + lambda p) >= min{p/(64 L), 1/(2 lambda)}: lambda p = 32 L c with c <= 1, or 32 L = lambda p c",
    parts=[
        proves(Formula(PR / (32 * L + 32 * L * C), ">=", PR / (64 * L), ranges=(above(L, 0), PROB, between(C, 0, 1)))),
        proves(
            Formula(PR / (LAM * PR * C + LAM * PR), ">=", 1 / (2 * LAM), ranges=(above(LAM, 1), PROB, between(C, 0, 1)))
        ),
    ],
)
UNSEEN = Formula(1 / A, ">=", 1 / (A + Z), ranges=(above(A, 1), above(Z, 0)))
B3_7 = joint_step(
    "B3.7",
    "printed",
    "1/A >= 1/lambda where T_h(s) = 0; with L = log(SH/delta) all actions are covered with probability >= 1 - delta",
    parts=[proves(UNSEEN), lambda: check_cases(union_bound_cases(with_actions=False), "one bandit")],
    severity="statement",
    why="the union bound must run over the actions too: log(SAH/delta)",
)
B3_7C = joint_step(
    "B3.7",
    "corrected",
    "with L = log(SAH/delta) each (s, a, h) fails with probability <= delta/(SAH), all together <= delta",
    parts=[
        proves(UNSEEN),
        lambda: with_checks(
            proves(
                Formula(
                    N * A * Z * (S / (N * A * Z)),
                    "==",
                    S,
                    ranges=(above(N, 1), above(A, 1), above(Z, 1), between(S, 0, 1, "()")),
                )
            )(),
            check_cases(union_bound_cases(with_actions=True), "the printed form's counterexample"),
        ),
    ],
)
CHAIN = (B3_1, B3_2, B3_3C, B3_4, B3_5, B3_6, B3_7C)
STATEMENT = joint_step(
    "lemma-coverage",
    "printed",
    "PostBC >= alpha min{pi_beta/(64 log(SH/delta)), 1/(2 lambda)} for all a, s, h, with probability >= 1 - delta",
    parts=[lambda: check_cases(union_bound_cases(with_actions=False), "one bandit")],
    severity="statement",
    why="an action among many is missing more often than the bound allows; add A inside the logarithm",
)
STATEMENT_C = joint_step(
    "lemma-coverage",
    "corrected",
    "the same with log(SAH/delta), for delta <= 0.9 and lambda >= A",
    parts=[
        lambda: with_checks(
            all_of(*(s.decide() for s in CHAIN)),
            check_cases(bandit_cases(actions_in_log=True, share=lemma1_share), "bandits with 2 and 3 arms, T up to 30"),
        )
    ],
)

RESULT = Result(
    id="lemma-coverage",
    title="PostBC covers every demonstrated action",
    source="B.3, Lemma 1",
    steps=(B3_1, B3_2, B3_3, B3_3C, B3_4, B3_5, B3_6, B3_7, B3_7C, STATEMENT, STATEMENT_C),
    statement="With probability at least 1 - delta, for all a, s, h: PostBC gives a at least alpha "
    "min{pi_beta(a|s)/(64 log(SAH/delta)), 1/(2 lambda)}.",
    meaning="PostBC gives every action at least a share of the demonstrator's probability that does not depend on the "
    "number of demonstrations, because it adds noise in states with few visits.",
    latex=r"\tilde\pi_h(a\mid s) \ge \alpha\,\min\Bigl\{\frac{\pi_{\beta,h}(a\mid "
    r"s)}{64\log(SAH/\delta)},\frac1{2\lambda}\Bigr\}",
    assumptions=("delta <= 0.9", "lambda >= A"),
)
