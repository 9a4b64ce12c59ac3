"""Steps of `lemma-coverage` (B.3): Bernstein, the two cases, and the union bound that leaves out the actions."""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Outcome, Result
from theory.engines.enumeration import Case, binomial, coverage_probability
from theory.engines.formulas import Formula
from theory.engines.fraction_bounds import log_bounds
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves, step
from theory.engines.tactics import by_combination, by_derivatives

V, S, R, C, N, A, K, LAM, PR, L, Z = sympy.symbols("v s r c n A k lambda p L z")
UNIT = between(V, 0, 1, "[)")
PROB = between(PR, 0, 1, "(]")

POISSON_TAIL = Formula(V + (1 - V) * sympy.log(1 - V), ">=", V**2 / 2, (UNIT,))
"""Chernoff's exponent 1 - x + x log x, x = 1 - v, is at least v^2/2."""
ONE_PLUS = Formula(sympy.log(1 - V), "<=", -V, (UNIT,))
"""1 - v <= exp(-v): from the binomial's generating function to Chernoff's exponent."""
THRESHOLD = Formula((S + R**2 / 3) ** 2, ">=", S**2, (above(S, 0), above(R, 0)))
"""(sqrt(2 mu L) + (2/3) L)^2 >= 2 mu L, with s = sqrt(2 mu L) and r^2 = 2 L."""
CHERNOFF = "Markov's inequality for z^K"


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


def smallest_coupon_witness(delta: Fraction) -> tuple[int, int, int] | None:
    """Search for (A, m, T): m equally likely arms out of A, T draws, and more than delta chance that one is missing.

    With lambda = A and alpha = 1 a missing arm breaks it when 1/(T + A) < min{1/(64 L m), 1/(2A)}, L = log(1/delta).
    """
    log = log_bounds(1 / delta)[1]
    for n_actions in range(20, 400, 5):
        for used in range(2, n_actions + 1, 1 + n_actions // 60):
            n_demos = math.floor(max(64 * log * used, Fraction(2 * n_actions))) - n_actions + 1
            if n_demos < 1 or -used * math.exp(n_demos * math.log1p(-1 / used)) > math.log(1 - float(delta)) - 0.02:
                continue
            if all_arms_seen(used, n_demos) < 1 - delta:
                return n_actions, used, n_demos
    return None


def all_arms_seen(n_arms: int, n_draws: int) -> Fraction:
    """Probability that n_draws uniform draws show every arm, by inclusion and exclusion in whole numbers."""
    ways = sum((-1) ** j * math.comb(n_arms, j) * (n_arms - j) ** n_draws for j in range(n_arms + 1))
    return Fraction(ways, n_arms**n_draws)


def _union_cases(with_actions: bool) -> Iterator[Case]:
    """Lemma 1 on one bandit: the probability that all actions reach their bound, against 1 - delta."""
    delta = Fraction(9, 10)
    found = smallest_coupon_witness(delta)
    if found is None:
        return
    n_actions, used, n_demos = found
    scale = n_actions if with_actions else 1
    log = log_bounds(scale / delta)[1]
    bound = min(Fraction(1, used) / (64 * log), Fraction(1, 2 * n_actions))
    missing, present = Fraction(1, n_demos + n_actions), Fraction(2, n_demos + n_actions)
    chance = all_arms_seen(used, n_demos) if missing < bound <= present else Fraction(int(missing >= bound))
    values: dict[str, object] = {
        "S": 1,
        "H": 1,
        "A": n_actions,
        "T": n_demos,
        "delta": "9/10",
        "lambda": n_actions,
        "alpha": 1,
        "pi_beta": f"uniform on {used} of the {n_actions} actions",
        "bound": float(bound),
        "probability_of_a_missing_action": float(missing),
    }
    yield values, chance, ">=", 1 - delta


def bandit_cases(log_size: int, form: str) -> Iterator[Case]:
    """Coverage events on small bandits, exactly; the floor is rounded up, which makes the event smaller."""
    rows = (
        (Fraction(1, 2), Fraction(1, 2)),
        (Fraction(9, 10), Fraction(1, 10)),
        (Fraction(1, 20), Fraction(1, 20), Fraction(9, 10)),
    )
    deltas = (Fraction(1, 20), Fraction(1, 2), Fraction(9, 10))
    for row, delta, n_demos, mass in itertools.product(rows, deltas, (1, 4, 12, 30), (1, 3)):
        n_actions = len(row)
        lam, alpha = Fraction(mass * n_actions), Fraction(1, 2)
        log = log_bounds((n_actions**log_size) / delta)[0]
        if form == "lemma":
            floor = tuple(alpha * min(p / (64 * log), 1 / (2 * lam)) for p in row)
        else:
            floor = tuple(p * alpha * min(1 / (5 * log), 1 / (2 * lam)) for p in row)
        chance = coverage_probability(row, n_demos, alpha, lam, floor)
        values: dict[str, object] = {
            "pi_beta": str([str(p) for p in row]),
            "T": n_demos,
            "delta": str(delta),
            "lambda": str(lam),
        }
        yield values, chance, ">=", 1 - delta


CASE_ONE = (above(L, "1/16"), above(LAM, 2), PROB)

B3_1 = joint_step(
    "B3.1",
    "printed",
    "Bernstein's lower tail for T_h(s,a) given T_h(s), for one (s, h, a), with probability 1 - delta",
    lambda: with_checks(bernstein(), check_cases(tail_cases(), "n in {1, 3, 10, 25}, two p, two delta")),
)
B3_2 = step(
    "B3.2",
    "printed",
    "n = 32 L/(p s^2), s <= 1, makes Bernstein's bound p (1 - s/4 - s^2/48) >= p/2",
    Formula(1 - S / 4 - S**2 / 48, ">=", sympy.Rational(1, 2), (between(S, 0, 1),)),
)
FIRST = Formula(
    (K + LAM / A) / (N + LAM),
    ">=",
    PR / (2 * (1 + LAM / N)),
    (above(N, 1), above(LAM, 1), above(A, 1), PROB, above(K, 0)),
    (K - N * PR / 2,),
)
POSTERIOR_RANGES = (above(N, 1, integer=True), above(Z, 0), above(A, 1, integer=True), above(K, 0, integer=True))
B3_3 = joint_step(
    "B3.3",
    "printed",
    "posterior >= p/(2(1 + lambda/n)) in the first case, >= (lambda/A)/(n + A) in the other (lambda = A + z)",
    proves(FIRST, by_combination(1 / (N + LAM))),
    proves(
        Formula((K + (A + Z) / A) / (N + A + Z), ">=", ((A + Z) / A) / (N + A), POSTERIOR_RANGES, (N - K,)),
        points=[(4, 2, 2, 0)],
    ),
    severity="typing error",
    why="n + A should be n + lambda, as B3.4 uses it",
)
B3_3C = joint_step(
    "B3.3",
    "corrected",
    "posterior >= p/(2(1 + lambda/n)) in the first case, >= (lambda/A)/(n + lambda) in the other",
    proves(FIRST, by_combination(1 / (N + LAM))),
    proves(Formula((K + (A + Z) / A) / (N + A + Z), ">=", ((A + Z) / A) / (N + A + Z), POSTERIOR_RANGES)),
)
B3_4 = joint_step(
    "B3.4",
    "printed",
    "the two are >= 32 L/(32 L + lambda p) p/2 (n = 32 L c/p, c >= 1) and >= (lambda/A) p/(32 L + lambda p) (c <= 1)",
    proves(
        Formula(
            PR / (2 * (1 + LAM * PR / (32 * L * C))),
            ">=",
            32 * L / (32 * L + LAM * PR) * PR / 2,
            (*CASE_ONE, above(C, 1)),
        )
    ),
    proves(Formula(1 / (32 * L * C / PR + LAM), ">=", PR / (32 * L + LAM * PR), (*CASE_ONE, between(C, 0, 1)))),
)
B3_5 = joint_step(
    "B3.5",
    "printed",
    "both are >= p/(32 L + lambda p) when delta <= 0.9 (16 L >= 1) and lambda = A c, c >= 1",
    proves(Formula(16 * sympy.log(sympy.Rational(10, 9)), ">=", sympy.Integer(1))),
    proves(Formula(32 * L / (32 * L + LAM * PR) * PR / 2, ">=", PR / (32 * L + LAM * PR), CASE_ONE)),
    proves(Formula(C * PR / (32 * L + LAM * PR), ">=", PR / (32 * L + LAM * PR), (*CASE_ONE, above(C, 1)))),
)
B3_6 = joint_step(
    "B3.6",
    "printed",
    "p/(32 L + lambda p) >= min{p/(64 L), 1/(2 lambda)}: lambda p = 32 L c with c <= 1, or 32 L = lambda p c",
    proves(Formula(PR / (32 * L + 32 * L * C), ">=", PR / (64 * L), (above(L, 0), PROB, between(C, 0, 1)))),
    proves(Formula(PR / (LAM * PR * C + LAM * PR), ">=", 1 / (2 * LAM), (above(LAM, 1), PROB, between(C, 0, 1)))),
)
UNSEEN = Formula(1 / A, ">=", 1 / (A + Z), (above(A, 1), above(Z, 0)))
B3_7 = joint_step(
    "B3.7",
    "printed",
    "1/A >= 1/lambda where T_h(s) = 0; with L = log(SH/delta) all actions are covered with probability >= 1 - delta",
    proves(UNSEEN),
    lambda: check_cases(_union_cases(False), "one bandit"),
    severity="statement",
    why="the union bound must run over the actions too: log(SAH/delta)",
)
B3_7C = joint_step(
    "B3.7",
    "corrected",
    "with L = log(SAH/delta) each (s, a, h) fails with probability <= delta/(SAH), all together <= delta",
    proves(UNSEEN),
    lambda: with_checks(
        proves(
            Formula(
                N * A * Z * (S / (N * A * Z)), "==", S, (above(N, 1), above(A, 1), above(Z, 1), between(S, 0, 1, "()"))
            )
        )(),
        check_cases(_union_cases(True), "the printed form's counterexample"),
    ),
)
CHAIN = (B3_1, B3_2, B3_3C, B3_4, B3_5, B3_6, B3_7C)
STATEMENT = joint_step(
    "lemma-coverage",
    "printed",
    "PostBC >= alpha min{pi_beta/(64 log(SH/delta)), 1/(2 lambda)} for all a, s, h, with probability >= 1 - delta",
    lambda: check_cases(_union_cases(False), "one bandit"),
    severity="statement",
    why="an action among many is missing more often than the bound allows; add A inside the logarithm",
)
STATEMENT_C = joint_step(
    "lemma-coverage",
    "corrected",
    "the same with log(SAH/delta), for delta <= 0.9 and lambda >= A",
    lambda: with_checks(
        all_of(*(s.decide() for s in CHAIN)),
        check_cases(bandit_cases(1, "lemma"), "bandits with 2 and 3 arms, T up to 30"),
    ),
)

RESULT = Result(
    "lemma-coverage",
    "PostBC covers every demonstrated action",
    "B.3, Lemma 1",
    (B3_1, B3_2, B3_3, B3_3C, B3_4, B3_5, B3_6, B3_7, B3_7C, STATEMENT, STATEMENT_C),
    statement="With probability at least 1 - delta, for all a, s, h: PostBC gives a at least "
    "alpha min{pi_beta(a|s)/(64 log(SAH/delta)), 1/(2 lambda)}.",
    meaning="PostBC keeps every action of the demonstrator at a share of its probability that does not depend on how "
    "many demonstrations there are, because it adds noise where visits are few.",
    latex=r"\tilde\pi_h(a\mid s) \ge \alpha\,\min\Bigl\{\frac{\pi_{\beta,h}(a\mid "
    r"s)}{64\log(SAH/\delta)},\frac1{2\lambda}\Bigr\}",
    assumptions=("delta <= 0.9", "lambda >= A"),
)
