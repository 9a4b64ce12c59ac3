"""Steps of the companion's R1: the suboptimality of the whole family of policies, without a logarithm.

Letters: w = w_h(s) the demonstrator's probability of visiting s in step h, T demonstrations, N ~ Bin(T, w), a_n the
weight of the uniform policy after n visits, lambda the prior mass, q the policy that is BC where a state was visited
and the demonstrator elsewhere. The bounds as functions: `theory.bounds.r1_suboptimality`.
"""

import functools
import itertools
from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Result
from theory.engines.enumeration import (
    Case,
    Counts,
    SmallInstance,
    binomial,
    expectation,
    expected_value,
    informed_policy,
    noise_weight,
    occupancy,
    value,
)
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves
from theory.engines.tactics import by_combination
from theory.proofs.b3_cases import HALF, small_instances
from theory.proofs.b3_suboptimality import ONE_STEP
from theory.proofs.b3_visits import JENSEN_PROOF, MISSING

A, AL, D, K, LAM, N, P, Q, R, T, U, W, X = sympy.symbols("A alpha d k lambda n p Q R T u w x")
FAMILY: tuple[tuple[Fraction, Fraction | None], ...] = (
    (Fraction(0), None),
    (Fraction(1), Fraction(1, 2)),
    (HALF, Fraction(2)),
    (HALF, None),
)
"""BC, the posterior policy with a light prior, PostBC, uniform noise."""


def exact_expected_noise(n_demos: int, w: Fraction, alpha: Fraction, mass: Fraction | None) -> Fraction:
    """Compute w E[a_N] with N ~ Bin(T, w), exactly."""
    law = binomial(n_demos, w)
    return w * sum((q * noise_weight(n, alpha, mass) for n, q in enumerate(law)), Fraction(0))


def exact_bound(instance: SmallInstance, n_demos: int, alpha: Fraction, mass: Fraction | None) -> Fraction:
    """R1's right side, by fractions."""
    horizon, _, n_actions = instance.shape
    levels = occupancy(instance, instance.demonstrator)
    total = sum(
        (
            (horizon - h) * exact_expected_noise(n_demos, w, alpha, mass)
            for h, level in enumerate(levels)
            for w in level
        ),
        Fraction(0),
    )
    return (1 - Fraction(1, n_actions)) * total


def simple_bound(instance: SmallInstance, n_demos: int, alpha: Fraction, mass: Fraction) -> Fraction:
    """R1's simple form, by fractions."""
    horizon, n_states, n_actions = instance.shape
    unseen = Fraction(n_demos**n_demos, (n_demos + 1) ** (n_demos + 1))
    noise = (1 - alpha) * unseen + alpha * max(Fraction(1), mass) / (n_demos + 1)
    return (1 - Fraction(1, n_actions)) * Fraction(horizon * (horizon + 1), 2) * n_states * noise


def _bound_cases() -> Iterator[Case]:
    for instance, n_demos, values in small_instances():
        target = value(instance, instance.demonstrator)
        for alpha, mass in FAMILY:
            gap = abs(target - expected_value(instance, n_demos, alpha, mass))
            case = {**values, "alpha": str(alpha), "lambda": str(mass)}
            bound = exact_bound(instance, n_demos, alpha, mass)
            yield case, gap, "<=", bound
            if mass is not None:
                yield case, bound, "<=", simple_bound(instance, n_demos, alpha, mass)


def _unbiased_cases() -> Iterator[Case]:
    for instance, n_demos, values in small_instances():

        def of(counts: Counts, instance: SmallInstance = instance) -> Fraction:
            return value(instance, informed_policy(instance, counts))

        informed = expectation(instance, n_demos, of)
        yield values, informed, "==", value(instance, instance.demonstrator)


def _weighted_visit(instance: SmallInstance, h: int, s: int, t: Fraction, counts: Counts) -> Fraction:
    """The informed policy's probability of (h, s), times t to the number of visits in the data."""
    return occupancy(instance, informed_policy(instance, counts))[h][s] * t ** sum(counts[h][s])


def _power_cases() -> Iterator[Case]:
    """R1.2: E[w^q_h(s) t^{T_h(s)}] against w(1 - (1 - t)w)^T, for t = 0, 1/3, 1."""
    for instance, n_demos, values in small_instances():
        horizon, n_states, _ = instance.shape
        levels = occupancy(instance, instance.demonstrator)
        for h, s, t in itertools.product(range(horizon), range(n_states), (Fraction(0), Fraction(1, 3), Fraction(1))):
            weigh = functools.partial(_weighted_visit, instance, h, s, t)
            if h == horizon - 1:
                bound = levels[h][s] * (1 - (1 - t) * levels[h][s]) ** n_demos
                yield {**values, "s": s, "t": str(t)}, expectation(instance, n_demos, weigh), "<=", bound


def _unseen_cases() -> Iterator[Case]:
    for instance, n_demos, values in small_instances():

        def meets(counts: Counts, instance: SmallInstance = instance) -> Fraction:
            levels = occupancy(instance, informed_policy(instance, counts))
            return sum(
                (w for h, level in enumerate(levels) for s, w in enumerate(level) if not sum(counts[h][s])), Fraction(0)
            )

        levels = occupancy(instance, instance.demonstrator)
        bound = sum((w * (1 - w) ** n_demos for level in levels for w in level), Fraction(0))
        yield values, expectation(instance, n_demos, meets), "<=", bound


def binomial_cases() -> Iterator[Case]:
    """E[1/(N + 1)] for N ~ Bin(T, w), summed term by term against its closed form."""
    for n_demos, w in itertools.product((1, 2, 7, 20), (Fraction(1, 10), Fraction(1, 2), Fraction(1))):
        law = binomial(n_demos, w)
        mean = sum((q / (k + 1) for k, q in enumerate(law)), Fraction(0))
        closed = (1 - (1 - w) ** (n_demos + 1)) / ((n_demos + 1) * w)
        yield {"T": n_demos, "w": str(w)}, mean, "==", closed
        yield {"T": n_demos, "w": str(w)}, closed, "<=", 1 / ((n_demos + 1) * w)


TI, KI = sympy.symbols("T k", integer=True, nonnegative=True)
ABSORPTION = Formula(
    sympy.combsimp((sympy.binomial(TI, KI) / (KI + 1)) / (sympy.binomial(TI + 1, KI + 1) / (TI + 1))),
    "==",
    1,
    ranges=(above(TI, 0, integer=True), above(KI, 0, integer=True)),
)
"""C(T, k)/(k + 1) = C(T + 1, k + 1)/(T + 1): the sum of a binomial law of T + 1 trials without its first term."""
_t = sympy.Symbol("t", positive=True)
_m = sympy.Symbol("m", positive=True)

R1_1 = joint_step(
    "R1.1",
    "companion",
    "E[X(1 - (1 - t)X)] <= u(1 - (1 - t)u) for X in [0, 1] of mean u: the step of the backward induction",
    parts=[lambda: with_checks(JENSEN_PROOF(), check_cases(_power_cases(), "small MDPs, t in {0, 1/3, 1}"))],
)
R1_2 = joint_step(
    "R1.2",
    "companion",
    "E[w^q t^N] <= w(1 - (1 - t)w)^T; 1/(n + lambda) is the integral of t^(n + lambda - 1) over [0, 1], 1{n = 0} is t "
    "= 0",
    parts=[
        R1_1.decide,
        proves(
            Formula(sympy.integrate(_t ** (_m - 1), (_t, 0, 1)), "==", 1 / _m, ranges=(between(_m, 0, sympy.oo, "()"),))
        ),
        proves(
            Formula(
                sympy.expand(sum(sympy.binomial(6, k) * W**k * (1 - W) ** (6 - k) * X**k for k in range(7))),
                "==",
                (1 - (1 - X) * W) ** 6,
                ranges=(between(W, 0, 1), between(X, 0, 1)),
            )
        ),
    ],
)
R1_3 = joint_step(
    "R1.3",
    "companion",
    "E[J(q)] = J(pi_beta): the mean of n draws has the draws' mean, at every step of the same induction",
    parts=[
        lambda: with_checks(
            proves(Formula(N * U / N, "==", U, ranges=(above(N, 1), between(U, 0, 1))))(),
            check_cases(_unbiased_cases(), "all data sets of small MDPs"),
        )
    ],
)
R1_4 = joint_step(
    "R1.4",
    "companion",
    "|J(q) - J(pi)| <= sum (H - h + 1) w^q TV(q, pi), TV(q, pi) <= (1 - 1/A) a_n",
    parts=[
        proves(ONE_STEP),
        proves(
            Formula(
                R * P,
                ">=",
                D * Q,
                ranges=(above(R, 0), above(P, 0), between(D, -1, 1), above(Q, 0)),
                given=(P - D, R - Q),
            ),
            by_combination(Q, P),
        ),
        proves(Formula(1 - (1 / A + X), "<=", 1 - 1 / A, ranges=(above(A, 1), above(X, 0)))),
    ],
    why="P bounds the positive part of q - pi; TV(q, unif) = 1 - sum min(q_a, 1/A), and one of the terms is 1/A",
)
R1_5 = joint_step(
    "R1.5",
    "companion",
    "w(1 - w)^T <= m_T <= 1/(e T), and w E[lambda/(N + lambda)] <= max(1, lambda)/(T + 1)",
    parts=[
        proves(Formula((X - 1) + T * ((T + 1 - X) / T - 1), "==", 0, ranges=(above(T, 1), above(X, 0)))),
        *MISSING,
        proves(Formula(LAM / (N + LAM), "<=", 1 / (N + 1), ranges=(between(LAM, 0, 1, "(]"), above(N, 0)))),
        proves(Formula(LAM / (N + LAM), "<=", LAM / (N + 1), ranges=(above(LAM, 1), above(N, 0)))),
        proves(ABSORPTION),
        lambda: with_checks(MISSING[1](), check_cases(binomial_cases(), "E[1/(N + 1)] in closed form")),
    ],
    why="the first inequality: the logarithms of both factors at w = x/(T + 1), bounded by log y <= y - 1",
)
R1_6 = joint_step(
    "R1.6",
    "companion",
    "E[Pr(BC's trajectory meets an unseen state)] <= sum w(1 - w)^T <= S H m_T",
    parts=[
        R1_2.decide,
        lambda: with_checks(R1_5.decide(), check_cases(_unseen_cases(), "all data sets of small MDPs")),
    ],
)
R1 = joint_step(
    "r1",
    "companion",
    "|J(pi_beta) - E J(pi)| <= (1 - 1/A) sum_h (H - h + 1) sum_s w E[a_N], N ~ Bin(T, w), and the simple form",
    parts=[
        lambda: with_checks(
            all_of(*(s.decide() for s in (R1_1, R1_2, R1_3, R1_4, R1_5))),
            check_cases(_bound_cases(), "all data sets of small MDPs, four policies"),
        )
    ],
)

RESULT = Result(
    id="r1",
    title="Suboptimality without the logarithm",
    source="R1",
    steps=(R1_1, R1_2, R1_3, R1_4, R1_5, R1_6, R1),
    statement="For every T >= 1, alpha in [0, 1] and lambda > 0: |J(pi_beta) - E J(PostBC)| <= (1 - 1/A) sum_h (H - h "
    "+ 1) sum_s {(1 - alpha) w(1 - w)^T + alpha w E[lambda/(Bin(T, w) + lambda)]}.",
    meaning="The logarithm in the paper's rate is not needed: the loss is bounded by a sum over states, which on a "
    "process constructed for it is within a few per cent of the true loss.",
    latex=r"|J(\pi_\beta)-\mathbb E\,J(\tilde\pi)|\le\Bigl(1-\tfrac1A\Bigr)\sum_h (H-h+1)\sum_s w\,\mathbb "
    r"E\,a_{\mathrm{Bin}(T,w)}",
    assumptions=("rewards in [0, 1]", "T >= 1"),
)
