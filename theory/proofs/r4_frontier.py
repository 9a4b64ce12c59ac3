"""Steps of the companion's R4: the exact frontier between suboptimality and coverage on the family of B.4.

Letters: A actions, alpha the rare arms' probability, G = gamma the coverage, xi the suboptimality, q the probability
with which each rare arm must be covered on data of arm 1 only. The frontier as functions:
`theory.bounds.r4_frontier`.
"""

import itertools
from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Result
from theory.engines.enumeration import Case, all_counts_reach
from theory.engines.formulas import Formula
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves, step
from theory.engines.tactics import by_combination
from theory.proofs.b4_cases import constant_estimator, family

A, AL, G, M, N, Q, R, S, XI = sympy.symbols("A alpha gamma m a q r s xi")
ALPHA = between(AL, "1/1000", "999/1000")
ONE = sympy.Integer(1)
Sizes = dict[int, Fraction]
"""A randomised estimator on data of arm 1 only: the law of the number of rare arms in the random set that it covers."""


def exact_frontier(n_actions: int, alpha: Fraction, n_demos: int, delta: Fraction, xi: Fraction) -> Fraction:
    """R4's closed form for randomised estimators, by fractions."""
    q = 1 - delta / (1 - alpha) ** n_demos
    if q <= 0:
        return Fraction(1)
    crowd = max(Fraction(0), (n_actions - 1) * q - delta)
    whole = -((-crowd.numerator) // crowd.denominator)
    return min(xi / ((n_actions - 1) * alpha * q), 1 / (1 + whole * alpha))


def best_sizes(n_actions: int, alpha: Fraction, delta: Fraction, gamma: Fraction) -> Sizes:
    """The law of set sizes that covers most per arm at coverage gamma, if cost is no object.

    On M_1 arm 1 must keep gamma, so sets above r = (1 - gamma)/(gamma alpha) may come with probability delta
    only; a set of r + 1 arms still leaves arm 1 what M_i asks for.
    """
    r = min((1 - gamma) / (gamma * alpha) // 1, n_actions - 1)
    over = min(r + 1, n_actions - 1)
    return {int(over): Fraction(1)} if over == r else {int(r): 1 - delta, int(over): delta}


def thinned(sizes: Sizes, wanted: Fraction) -> Sizes:
    """Mix with the empty set so that the mean size is as wanted."""
    mean = sum((s * p for s, p in sizes.items()), Fraction(0))
    share = wanted / mean if mean else Fraction(0)
    mixed = {s: p * share for s, p in sizes.items()}
    mixed[0] = mixed.get(0, Fraction(0)) + 1 - share
    return mixed


def outcome_of(
    n_actions: int, alpha: Fraction, n_demos: int, gamma: Fraction, sizes: Sizes
) -> tuple[Fraction, Fraction]:
    """Largest failure probability and largest suboptimality, over the family, of an estimator given by set sizes.

    On data that show a rare arm it plays that demonstrator's own policy, which covers 1 and loses 0.
    """
    quiet = (1 - alpha) ** n_demos
    left = {s: 1 - s * gamma * alpha for s in sizes}
    fail_first = sum((p for s, p in sizes.items() if left[s] < gamma), Fraction(0))
    covered = sum(
        (p * Fraction(s, n_actions - 1) for s, p in sizes.items() if left[s] >= gamma * (1 - alpha)), Fraction(0)
    )
    mean = sum((p * s for s, p in sizes.items()), Fraction(0))
    return max(fail_first, quiet * (1 - covered)), mean * gamma * alpha


def _grid() -> Iterator[tuple[int, Fraction, int, Fraction, Fraction]]:
    yield from itertools.product(
        (2, 3, 6),
        (Fraction(1, 10), Fraction(1, 3)),
        (1, 2, 4),
        (Fraction(0), Fraction(1, 20), Fraction(1, 4)),
        (Fraction(1, 50), Fraction(1, 5), Fraction(4, 5)),
    )


def _attained_cases() -> Iterator[Case]:
    """At the frontier's coverage the best sizes, thinned to the share needed, meet both conditions."""
    for n_actions, alpha, n_demos, delta, xi in _grid():
        q = 1 - delta / (1 - alpha) ** n_demos
        gamma = exact_frontier(n_actions, alpha, n_demos, delta, xi)
        if q <= 0:
            continue
        sizes = thinned(best_sizes(n_actions, alpha, delta, gamma), (n_actions - 1) * q)
        failure, loss = outcome_of(n_actions, alpha, n_demos, gamma, sizes)
        values: dict[str, object] = {
            "A": n_actions,
            "alpha": str(alpha),
            "T": n_demos,
            "delta": str(delta),
            "xi": str(xi),
        }
        yield values, failure, "<=", delta
        yield values, loss, "<=", xi


def _beyond_cases() -> Iterator[Case]:
    """Slightly above the frontier, either the cost exceeds xi or no law of sizes covers the share needed."""
    for n_actions, alpha, n_demos, delta, xi in _grid():
        q = 1 - delta / (1 - alpha) ** n_demos
        gamma = exact_frontier(n_actions, alpha, n_demos, delta, xi) * Fraction(1000001, 1000000)
        if q <= 0 or gamma > 1:
            continue
        sizes = best_sizes(n_actions, alpha, delta, gamma)
        most = sum((p * s for s, p in sizes.items()), Fraction(0))
        needed = (n_actions - 1) * q
        excess = max(needed * gamma * alpha - xi, needed - most)
        values: dict[str, object] = {
            "A": n_actions,
            "alpha": str(alpha),
            "T": n_demos,
            "delta": str(delta),
            "xi": str(xi),
        }
        yield values, excess, ">", Fraction(0)


def _constant_cases() -> Iterator[Case]:
    """The fixed policy with mass xi on the rare arms attains the deterministic frontier."""
    for n_actions, alpha, xi in itertools.product(
        (2, 3, 6), (Fraction(1, 10), Fraction(1, 3)), (Fraction(1, 50), Fraction(1, 5), Fraction(4, 5))
    ):
        rare = (n_actions - 1) * alpha
        spent = min(xi, rare / (1 + rare))
        coverage, _ = constant_estimator(n_actions, alpha, spent)
        yield {"A": n_actions, "alpha": str(alpha), "xi": str(xi)}, coverage, "==", min(xi / rare, 1 / (1 + rare))


def _quiet_cases() -> Iterator[Case]:
    for n_actions, alpha, n_demos in itertools.product((2, 4), (Fraction(1, 10), Fraction(1, 3)), (1, 3, 6)):
        for row in family(n_actions, alpha)[1:]:
            chance = all_counts_reach(row, n_demos, [n_demos] + [0] * (n_actions - 1))
            yield {"A": n_actions, "T": n_demos, "alpha": str(alpha)}, chance, "==", (1 - alpha) ** n_demos


RANGES = (above(A, 2), ALPHA, between(G, 0, 1), between(XI, 0, 1), between(Q, "1/1000", 1))
R4_1 = joint_step(
    "R4.1",
    "companion",
    "data under demonstrator 1 show arm 1 only; under i > 1 they do with probability (1 - alpha)^T",
    parts=[
        lambda: with_checks(
            proves(Formula(ONE - AL, "==", 1 - AL, ranges=(ALPHA,)))(),
            check_cases(_quiet_cases(), "A in {2, 4}, T <= 6"),
        )
    ],
)
R4_2 = step(
    "R4.2",
    "companion",
    "each rare arm must be covered with probability q on such data, so (A - 1) q gamma alpha <= xi on M_1",
    formula=Formula(G, "<=", XI / ((A - 1) * AL * Q), ranges=RANGES, given=(XI - (A - 1) * Q * G * AL,)),
    tactics=[by_combination(1 / ((A - 1) * AL * Q))],
)
R4_3 = joint_step(
    "R4.3",
    "companion",
    "a deterministic map covers all rare arms at once and keeps gamma for arm 1: gamma (1 + (A - 1) alpha) <= 1; "
    "attained",
    parts=[
        proves(
            Formula(G, "<=", 1 / (1 + (A - 1) * AL), ranges=RANGES[:3], given=(1 - G - (A - 1) * G * AL,)),
            by_combination(1 / (1 + (A - 1) * AL)),
        ),
        lambda: with_checks(
            proves(
                Formula(G, "<=", XI / ((A - 1) * AL), ranges=RANGES[:4], given=(XI - (A - 1) * G * AL,)),
                by_combination(1 / ((A - 1) * AL)),
            )(),
            check_cases(_constant_cases(), "a fixed policy attains it; A in {2, 3, 6}"),
        ),
    ],
)
R4_4 = joint_step(
    "R4.4",
    "companion",
    "a set of s rare arms leaves arm 1 its gamma on M_1 iff s <= (1 - gamma)/(gamma alpha), and gamma(1 - alpha) iff s "
    "is at most 1 more",
    parts=[
        proves(
            Formula(
                (1 - G) / (G * AL) + 1, "==", (1 - G * (1 - AL)) / (G * AL), ranges=(between(G, "1/1000", 1), ALPHA)
            )
        ),
        proves(
            Formula(
                G,
                "<=",
                1 / (1 + M * AL),
                ranges=(between(G, "1/1000", 1), above(M, 0), ALPHA),
                given=(1 - G - M * G * AL,),
            ),
            by_combination(1 / (1 + M * AL)),
        ),
    ],
    why="so on average at most r + delta arms are covered, r = floor((1 - gamma)/(gamma alpha)), unless r >= A - 1",
)
R4_5 = step(
    "R4.5",
    "companion",
    "every member of the family of noise schedules, with weight a on these data, sits on xi/((A - 1) alpha)",
    formula=Formula(
        (N / A) / AL, "==", (N * (A - 1) / A) / ((A - 1) * AL), ranges=(above(A, 2), ALPHA, between(N, 0, 1))
    ),
)
R4 = joint_step(
    "r4",
    "companion",
    "gamma* = min{xi/((A - 1) alpha q), 1/(1 + m alpha)}, m = max(0, ceil((A - 1) q - delta)), q = 1 - delta/(1 - "
    "alpha)^T > 0",
    parts=[
        lambda: with_checks(
            all_of(*(s.decide() for s in (R4_1, R4_2, R4_3, R4_4))),
            check_cases(_attained_cases(), "attained: A in {2, 3, 6}, 162 settings"),
            check_cases(_beyond_cases(), "impossible a millionth above"),
        )
    ],
)

RESULT = Result(
    id="r4",
    title="The exact frontier of the lower-bound family",
    source="R4",
    steps=(R4_1, R4_2, R4_3, R4_4, R4_5, R4),
    statement="On the family of B.4, with q = 1 - delta/(1 - alpha)^T > 0, the largest coverage at suboptimality xi is "
    "min{xi/((A-1) alpha q), 1/(1 + m alpha)}, m = max(0, ceil((A-1) q - delta)); for deterministic maps of the data "
    "it is min{xi/((A-1) alpha), 1/(1 + (A-1) alpha)}.",
    meaning="This is exactly the largest coverage of any estimator at a given loss, on the paper's family of bandits.",
    latex=r"\gamma^\star=\min\Bigl\{\frac{\xi}{(A-1)\alpha q},\frac1{1+m\alpha}\Bigr\},\quad "
    r"q=1-\frac{\delta}{(1-\alpha)^T},\ m=\max\{0,\lceil (A-1)q-\delta\rceil\}",
    assumptions=("A >= 2", "0 < alpha < 1", "q > 0"),
)
