"""Steps of the companion's R7: what the dimension of factored actions does to uniform noise.

Letters: d coordinates with A values each, c = 1 - 1/A, H steps, w the demonstrator's probability of state b, T
demonstrations of which n >= 1 visited b, x a noise weight, y = c x, N the number of coordinates that must be 1,
m = N + 1 and u = 1/m; f(m) = (1 - 1/m)^(m-1). In units of the prior mass lambda: t = T/lambda, r = n/lambda, so that
x_T = 1/(1 + t) and x_n = 1/(1 + r) for alpha = 1. The bounds as functions:
`theory.bounds.r7_factored`; the process: `theory.bounds.factored_lane`.
"""

import sympy

from theory.claims import Result
from theory.engines.formulas import Formula
from theory.engines.proof import check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves
from theory.engines.tactics import by_concavity, by_derivatives
from theory.proofs.b3_visits import LOG_LINE
from theory.proofs.r7_cases import best_cases, ratio_cases, rollout_cases, strict_cases, success_cases

A, C, D, F, G, H, L, N, P, R, T, U, W, X, Y, Z = sympy.symbols("A c d f g h l n p r t u w x y z")
LINE = (proves(LOG_LINE[0], by_derivatives("y")), proves(LOG_LINE[1], by_derivatives("y", "high")))
SIZES = (above(D, 1), above(H, 1))
KEPT = Formula((1 - X) + X / A, "==", 1 - (1 - 1 / A) * X, ranges=(above(A, 2), between(X, 0, 1)))
"""Probability of value 1 in a coordinate that showed nothing else."""
R7_1 = joint_step(
    "R7.1",
    "companion",
    "given the counts, coordinates and steps are independent, and T demonstrations put count T on value 1 of each "
    "coordinate of the lane: P(success) = (w/A) x_n (1 - c x_T)^(d(H-1)), if strict times (1 - c x_n)^(d-1)",
    parts=[
        proves(KEPT),
        proves(Formula((1 - X) * 0 + X / A, "==", X / A, ranges=(above(A, 2), between(X, 0, 1)))),
        proves(Formula(D * (H - 1) + (D - 1), "==", D * H - 1, ranges=SIZES)),
        lambda: with_checks(
            proves(KEPT)(), check_cases(success_cases(), "all sequences of actions, d <= 3, A <= 3, H <= 3")
        ),
    ],
    why="x_0 = 1 has another form, so n >= 1 is needed; alpha = 0 is BC, which never succeeds",
)
MAXIMUM = (
    proves(Formula((N + 1) * Y - 1 + N * ((N + 1) * (1 - Y) / N - 1), "==", 0, ranges=(above(N, 1), between(Y, 0, 1)))),
    proves(Formula(A / ((A - 1) * (N + 1)), "<=", 1, ranges=(above(A, 2), above(N, 1)))),
)
"""log y (1 - y)^N is at most its value at 1/(N + 1), by log z <= z - 1 twice; and that alpha is at most 1."""
BELOW = Formula(-(1 - U) * sympy.log(1 - U) - U * sympy.log(2), ">=", 0, ranges=(between(U, 0, "1/2"),))
"""f(m) <= 1/2 for m >= 2: (1 - u) log(1 - u) <= -u log 2."""
ABOVE = Formula((1 - U) * sympy.log(1 - U), ">=", -U, ranges=(between(U, 0, "1/2"),))
"""f(m) >= 1/e."""
FALLS = (
    proves(
        Formula(
            sympy.diff((1 / U - 1) * sympy.log(1 - U), U),
            "==",
            (-sympy.log(1 - U) - U) / U**2,
            ranges=(between(U, 0, "1/2", "(]"),),
        )
    ),
    proves(Formula(-sympy.log(1 - U), ">=", U, ranges=(between(U, 0, "1/2"),)), by_derivatives("u")),
)
"""f falls in m: log f grows in u = 1/m."""
R7_2 = joint_step(
    "R7.2",
    "companion",
    "for N >= 1 uniform noise is best at c alpha = 1/(N+1): P = w f(N+1)/((A-1)(N+1)), f(m) = (1 - 1/m)^(m-1), which "
    "falls from 1/2 (m = 2) to 1/e: between w/(e(A-1)(N+1)) and w/(2(A-1)(N+1))",
    parts=[
        *LINE,
        *MAXIMUM,
        proves(
            Formula(
                W / A * (U / (1 - 1 / A)),
                "==",
                W * U / (A - 1),
                ranges=(above(A, 2), between(U, 0, "1/2"), between(W, 0, 1)),
            )
        ),
        *FALLS,
        proves(ABOVE, by_derivatives("u")),
        lambda: with_checks(
            proves(BELOW, by_concavity("u"))(), check_cases(best_cases(), "a grid of alpha, A <= 7, N <= 20")
        ),
    ],
    why="for N = 0 the maximum is at alpha = 1: w/A. Tolerant, the lane is kept with probability f(N+1) in (1/e, 1/2]",
)
BERNOULLI = Formula((1 - N * Y) * (1 - Y), ">=", 1 - (N + 1) * Y, ranges=(above(N, 0), between(Y, 0, 1)))
R7_3 = joint_step(
    "R7.3",
    "companion",
    "PostBC leaves the lane with probability <= c d(H-1) x_T (Bernoulli's inequality, by induction on d(H-1)), which "
    "is <= 1/2 for alpha = 1 and T >= (2 c d(H-1) - 1) lambda; then, tolerant, PostBC / best uniform >= "
    "(1 - 1/A)(lambda/(n + lambda))(d(H-1) + 1), and always <= e times that",
    parts=[
        # T = (2 c N - 1) lambda + z lambda, so 1 + t = 2 c N + z.
        proves(
            Formula(
                C * N / (2 * C * N + Z),
                "<=",
                sympy.Rational(1, 2),
                ranges=(between(C, "1/2", 1), above(N, 1), above(Z, 0)),
            )
        ),
        proves(
            Formula(
                X * L / (A / (A - 1) * F / (N + 1)),
                "==",
                (1 - 1 / A) * X * (N + 1) * (L / F),
                ranges=(above(A, 2), between(X, 0, 1), between(L, 0, 1), above(N, 1), between(F, "1/3", "1/2")),
            )
        ),
        proves(Formula(L / F, ">=", 1, ranges=(between(L, "1/2", 1), between(F, "1/3", "1/2")))),
        proves(ABOVE, by_derivatives("u")),
        proves(BELOW, by_concavity("u")),
        lambda: with_checks(proves(BERNOULLI)(), check_cases(ratio_cases(), "d <= 3, H <= 3, T from the smallest on")),
    ],
    why="L = 1 - lane's loss >= 1/2 and f = f(N+1) in (1/e, 1/2]; for d(H-1) = 0 the ratio is lambda/(n + lambda)",
)
CONVEX = Formula(-U * sympy.log(1 - P) + sympy.log(1 - U * P), ">=", 0, ranges=(between(P, 0, "1/2"), between(U, 0, 1)))
"""-log(1 - p)/p grows: at q = u p <= p, -log(1 - q) <= -u log(1 - p). A success has p <= w/A <= 1/2."""
R7_4 = joint_step(
    "R7.4",
    "companion",
    "k rollouts contain a success with probability 1 - delta from k = log(1/delta)/(-log(1 - p)) on, which lies "
    "between (1 - p) log(1/delta)/p and log(1/delta)/p; for p >= q, before rounding, the k of q is at least p/q times "
    "that of p",
    parts=[
        proves(Formula(-sympy.log(1 - P), ">=", P, ranges=(between(P, 0, "1/2"),)), by_derivatives("p")),
        proves(Formula(-(1 - P) * sympy.log(1 - P), "<=", P, ranges=(between(P, 0, "1/2"),)), by_derivatives("p")),
        proves(Formula(X / A, "<=", sympy.Rational(1, 2), ranges=(above(A, 2), between(X, 0, 1)))),
        lambda: with_checks(proves(CONVEX, by_concavity("u"))(), check_cases(rollout_cases(), "p from 1/50 to 1/2")),
    ],
)
R7_5 = joint_step(
    "R7.5",
    "companion",
    "strict, d >= 2: PostBC at its best alpha over the best uniform noise is <= (e/2) H; at c x_n = 1/d, possible for "
    "d >= (n + lambda)/(c lambda), it is >= H (1 - (H-1)(n + lambda)/(T + lambda))",
    parts=[
        *MAXIMUM,
        *FALLS,
        proves(
            Formula(
                G / (D * (A - 1)) / (F / (D * H * (A - 1))),
                "==",
                H * G / F,
                ranges=(above(A, 2), *SIZES, between(F, "1/3", "1/2"), between(G, "1/3", "1/2")),
            )
        ),
        proves(Formula(D * H, ">=", D, ranges=SIZES)),
        # c x_T = (1/d)(n + lambda)/(T + lambda); d(H-1) of them.
        proves(
            Formula(
                D * (H - 1) * ((1 + R) / (D * (1 + T))),
                "==",
                (H - 1) * (1 + R) / (1 + T),
                ranges=(*SIZES, above(R, 0), above(T, 0)),
            )
        ),
        # d c lambda = n + lambda + z lambda, so that alpha = (n + lambda)/(c d lambda) is at most 1.
        proves(
            Formula(
                (1 + R) / (1 + R + Z),
                "<=",
                1,
                ranges=(above(R, 0), above(Z, 0)),
            )
        ),
        proves(BERNOULLI),
        proves(ABOVE, by_derivatives("u")),
        lambda: with_checks(proves(BELOW, by_concavity("u"))(), check_cases(strict_cases(), "d, H <= 5, three alphas")),
    ],
    why="f(d) >= f(dH) as f falls, f(d) <= 1/2 and f(dH) > 1/e; the lane costs PostBC a factor <= 1",
)
R7 = joint_step(
    "r7",
    "companion",
    "tolerant, alpha = 1, T >= (2 c d(H-1) - 1) lambda: PostBC / best uniform >= (1 - 1/A)(lambda/(n + lambda)) "
    "(d(H-1) + 1), where this is at least 1 in rollouts, too; strict: between H/2 and (e/2) H for T + lambda >= "
    "2(H-1)(n + lambda) and d >= (n + lambda)/(c lambda)",
    parts=[
        *(s.decide for s in (R7_1, R7_2, R7_3, R7_4, R7_5)),
        proves(
            Formula(
                (H - 1) * (1 + R) / (2 * (H - 1) * (1 + R) + Z),
                "<=",
                sympy.Rational(1, 2),
                ranges=(above(H, 2), above(R, 0), above(Z, 0)),
            )
        ),
    ],
)

RESULT = Result(
    id="r7",
    title="Factored actions: what dimension does to uniform noise",
    source="R7",
    steps=(R7_1, R7_2, R7_3, R7_4, R7_5, R7),
    statement="On a lane of H - 1 steps with d coordinates a step, uniform noise at its best level succeeds with "
    "probability at most w/(2(A-1)(d(H-1) + 1)). PostBC with alpha = 1 and T >= (2 c d(H-1) - 1) lambda succeeds at "
    "least (1 - 1/A)(lambda/(n + lambda))(d(H-1) + 1) times as often. If the other coordinates must be right at the "
    "end, too, and d >= 2, the ratio is at most (e/2) H.",
    meaning="Uniform noise pays for each coordinate of each step; PostBC pays only where demonstrations are few. Noise "
    "that knows the states gains the factor H. The factor d comes only where the other coordinates do not matter.",
    latex=r"\frac{P_{\mathrm{PostBC}}}{\max_\alpha P_{\mathrm{unif}}}\ge"
    r"\Bigl(1-\frac1A\Bigr)\frac{\lambda}{n+\lambda}\bigl(d(H-1)+1\bigr)",
    assumptions=(
        "A >= 2, H >= 2, T >= n >= 1",
        "no recorded success",
        "coordinates cloned independently",
        "alpha = 1 and T >= (2 c d(H-1) - 1) lambda, for the ratio",
    ),
)
