"""Steps of the companion's R6: the posterior policy covers whole trajectories.

Letters: n visits of a cell, k of them with the action, w the demonstrator's probability of a visit, lambda the prior
mass, A actions, p the demonstrator's probability of an event, h(p) its entropy. The bounds as functions:
`theory.bounds.r6_trajectory`.
"""

import itertools
from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Result
from theory.engines.enumeration import (
    Case,
    Row,
    SmallInstance,
    binomial,
    law_of_counts,
    mixed_policy,
    noise_weight,
    occupancy,
    paths,
)
from theory.engines.formulas import Formula
from theory.engines.fraction_bounds import log_bounds
from theory.engines.proof import check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves, step
from theory.engines.tactics import by_derivatives, by_factors
from theory.proofs.b3_cases import small_instances
from theory.proofs.b3_visits import LOG_LINE
from theory.proofs.r1_suboptimality import ABSORPTION, binomial_cases

A, AL, B, C, D, H, K, LAM, M, N, P, Q, T, U, W, X, Y = sympy.symbols("A alpha b c d h k lambda m n p q T u w x y")
POSITIVE = "()"


def cell_kl(row: Row, w: Fraction, n_demos: int, alpha: Fraction, mass: Fraction) -> Fraction:
    """Compute w E KL(row || policy) of one cell, rounded up: the counts of each action given n visits are binomial."""
    total = Fraction(0)
    for n, chance in enumerate(binomial(n_demos, w)):
        a = noise_weight(n, alpha, mass)
        for p in row:
            for k, q in enumerate(binomial(n, p)):
                given = (1 - a) * Fraction(k, max(n, 1)) + a / len(row)
                weight = w * chance * p * q
                total += weight * log_bounds(p / given)[1] if weight else 0
    return total


def _cell_cases() -> Iterator[Case]:
    rows = (
        (Fraction(1, 2), Fraction(1, 2)),
        (Fraction(1), Fraction(0)),
        (Fraction(1, 20), Fraction(3, 20), Fraction(4, 5)),
    )
    for row, w, n_demos, extra in itertools.product(
        rows, (Fraction(1, 10), Fraction(1, 2), Fraction(1)), (0, 1, 3, 8), (0, 2)
    ):
        mass = Fraction(len(row) + extra)
        values: dict[str, object] = {
            "pi_beta": str([str(p) for p in row]),
            "w": str(w),
            "T": n_demos,
            "lambda": str(mass),
        }
        bound = (
            sum((q * log_bounds((n + mass) / (n + 1))[0] for n, q in enumerate(binomial(n_demos, w))), Fraction(0)) * w
        )
        exact = cell_kl(row, w, n_demos, Fraction(1), mass)
        slack = Fraction(1, 10**40)  # the logarithms' own enclosures
        yield values, exact, "<=", bound + slack
        yield values, bound, "<=", (mass - 1) / (n_demos + 1) + slack


def enumerated_trajectory_kl(instance: SmallInstance, n_demos: int) -> Fraction:
    """E KL of whole trajectories by listing data sets and trajectories, rounded up."""
    total = Fraction(0)
    for counts, chance in law_of_counts(instance, n_demos):
        policy = mixed_policy(counts, Fraction(1), Fraction(instance.shape[2]))
        for path, weight in paths(instance, instance.demonstrator):
            steps = [log_bounds(instance.demonstrator[h][s][a] / policy[h][s][a])[1] for h, (s, a) in enumerate(path)]
            total += chance * weight * sum(steps, Fraction(0))
    return total


def _trajectory_cases() -> Iterator[Case]:
    """R6.1: the listing of trajectories against the sum over cells; and the simple bound."""
    for instance, n_demos, values in small_instances():
        horizon, n_states, n_actions = instance.shape
        levels = occupancy(instance, instance.demonstrator)
        listed = enumerated_trajectory_kl(instance, n_demos)
        mass = Fraction(n_actions)
        summed = sum(
            (
                cell_kl(instance.demonstrator[h][s], levels[h][s], n_demos, Fraction(1), mass)
                for h in range(horizon)
                for s in range(n_states)
            ),
            Fraction(0),
        )
        yield values, abs(listed - summed), "<=", Fraction(1, 10**40)
        yield values, listed, "<=", Fraction(horizon * n_states * (n_actions - 1), n_demos + 1)


def _success_cases() -> Iterator[Case]:
    """R6.4: log of the policy's chance of an event against -(KL + h(p))/p, for pairs of two-point laws."""
    grid = [Fraction(i, 20) for i in (1, 5, 10, 15, 19)]
    for p, q in itertools.product(grid, grid):
        kl = p * log_bounds(p / q)[0] + (1 - p) * log_bounds((1 - p) / (1 - q))[0]
        entropy = -p * log_bounds(p)[1] - (1 - p) * log_bounds(1 - p)[1]
        yield {"p": str(p), "q": str(q)}, log_bounds(q)[1], ">=", -(kl + entropy) / p


_p = sympy.symbols("p1:5", positive=True)
_q = sympy.symbols("q1:5", positive=True)
_x = sympy.symbols("x1:3", positive=True)
_y = sympy.symbols("y1:3", positive=True)
_POSITIVE = tuple(between(s, 0, sympy.oo, "()") for s in (*_p, *_q, *_x, *_y))
CHAIN = Formula(
    sympy.Add(
        *(
            _x[i] * _p[2 * i + j] * sympy.expand_log(sympy.log(_x[i] * _p[2 * i + j] / (_y[i] * _q[2 * i + j])))
            for i in (0, 1)
            for j in (0, 1)
        )
    )
    .subs(_p[1], 1 - _p[0])
    .subs(_p[3], 1 - _p[2]),
    "==",
    sympy.Add(
        *(_x[i] * (sympy.log(_x[i]) - sympy.log(_y[i])) for i in (0, 1)),
        *(
            _x[i] * _p[2 * i + j] * (sympy.log(_p[2 * i + j]) - sympy.log(_q[2 * i + j]))
            for i in (0, 1)
            for j in (0, 1)
        ),
    )
    .subs(_p[1], 1 - _p[0])
    .subs(_p[3], 1 - _p[2]),
    ranges=_POSITIVE,
)
"""Chain rule of KL for two binary steps: x first, then p given x; y and q are the other law's."""
LINE = (proves(LOG_LINE[0], by_derivatives("y")), proves(LOG_LINE[1], by_derivatives("y", "high")))

R6_1 = joint_step(
    "R6.1",
    "companion",
    "the trajectory KL is sum_h sum_s w KL(pi_beta || pi) over cells (chain rule; the dynamics cancel)",
    parts=[
        lambda: with_checks(
            proves(CHAIN)(), check_cases(_trajectory_cases(), "all data sets and trajectories of small MDPs")
        )
    ],
)
R6_2 = joint_step(
    "R6.2",
    "companion",
    "one cell: E KL <= log((n + lambda)/(n + 1)) for lambda >= A, by Jensen and E[1/(K + 1)] <= 1/((n + 1) p)",
    parts=[
        *LINE,
        proves(Formula(M * (Y / M - 1), "==", Y - M, ranges=(above(M, "1/1000"), above(Y, 0)))),
        proves(Formula(1 / (K + 1 + X), "<=", 1 / (K + 1), ranges=(above(K, 0), above(X, 0)))),
        proves(ABSORPTION),
        lambda: with_checks(LINE[0](), check_cases(binomial_cases(), "E[1/(K + 1)] in closed form")),
    ],
    why="Jensen by the tangent: E log Y <= log m + E[Y]/m - 1 = log m for m = E Y",
)
R6_3 = joint_step(
    "R6.3",
    "companion",
    "log((n + lambda)/(n + 1)) <= (lambda - 1)/(n + 1), and w E[1/(Bin(T, w) + 1)] <= 1/(T + 1)",
    parts=[
        proves(Formula(sympy.log(1 + X), "<=", X, ranges=(above(X, 0),)), by_derivatives("x")),
        proves(Formula((N + 1 + X) / (N + 1) - 1, "==", X / (N + 1), ranges=(above(N, 0), above(X, 0)))),
        lambda: with_checks(proves(ABSORPTION)(), check_cases(_cell_cases(), "one cell, T <= 8, lambda = A and A + 2")),
    ],
)
R6_4 = joint_step(
    "R6.4",
    "companion",
    "P(G) >= exp(-(KL + h(p))/p); log(1/delta) exp((KL + h(p))/p) rollouts contain G with probability 1 - delta",
    parts=[
        *LINE,
        proves(
            Formula(
                A * (B * (A + C) / (A * (B + D)) - 1) + C * (D * (A + C) / (C * (B + D)) - 1),
                "==",
                0,
                ranges=tuple(above(s, "1/1000") for s in (A, B, C, D)),
            )
        ),
        proves(
            Formula(-(1 - P) * sympy.log(1 - Q), ">=", 0, ranges=(between(P, 0, 1), between(Q, 0, 1, "[)"))),
            by_factors(1 - P, (-sympy.log(1 - Q), by_derivatives("q"))),
        ),
        proves(Formula(sympy.log(1 - U), "<=", -U, ranges=(between(U, 0, 1, "[)"),)), by_derivatives("u")),
        lambda: with_checks(LINE[0](), check_cases(_success_cases(), "two-point laws")),
    ],
    why="the log-sum inequality by log y <= y - 1; then the term of the complement is dropped",
)
WEIGHT = N * AL * LAM / (A * (N + LAM - AL * LAM))
R6_5 = step(
    "R6.5",
    "companion",
    "PostBC is add-b smoothing, (k + b)/(n + A b), with b = n alpha lambda/(A(n + lambda - alpha lambda))",
    formula=Formula(
        (1 - AL) * K / N + AL * (K + LAM / A) / (N + LAM),
        "==",
        (K + WEIGHT) / (N + A * WEIGHT),
        ranges=(between(AL, 0, 1), above(LAM, "1/1000"), above(A, 1), above(K, 0), above(N, 1)),
    ),
)
R6 = joint_step(
    "r6",
    "companion",
    "E KL(P_beta || P_post) <= sum w E[log((N + lambda)/(N + 1))] <= H S (lambda - 1)/(T + 1) for lambda >= A",
    parts=[*(s.decide for s in (R6_1, R6_2, R6_3))],
)

RESULT = Result(
    id="r6",
    title="The posterior policy covers whole trajectories",
    source="R6",
    steps=(R6_1, R6_2, R6_3, R6_4, R6_5, R6),
    statement="For the posterior policy with lambda >= A: E KL(P_beta || P_post) <= H S (lambda - 1)/(T + 1), and an "
    "event of probability p under the demonstrator keeps at least exp(-(KL + h(p))/p).",
    meaning="The posterior covers not only single actions but whole trajectories: the expected KL divergence of its "
    "trajectories from the demonstrator's falls like 1/T, whereas BC's is infinite and uniform noise's does not fall "
    "to zero.",
    latex=r"\mathbb E\,\mathrm{KL}(P_\beta\,\|\,P_{\mathrm{post}})\le\frac{HS(\lambda-1)}{T+1}",
    assumptions=("lambda >= A", "alpha = 1"),
)
