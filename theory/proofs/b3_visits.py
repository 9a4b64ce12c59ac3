"""Steps of `lemma-visits` and `lemma-first-visit` (B.3, Lemmas 3 and 4: B3.16 to B3.20).

Letters: T or N demonstrations, w = w_h(s) the demonstrator's probability of visiting s in step h, T_h(s) ~ Bin(T, w).
The bounds as functions: `theory.bounds.b3_visits`; R5.3 has a smaller constant for Lemma 3 (`r5_sharp_failures`).
"""

import itertools
from collections.abc import Iterator
from fractions import Fraction

import sympy

from theory.claims import Result
from theory.engines.enumeration import (
    Case,
    SmallInstance,
    Table,
    data_sets,
    occupancy,
    paths,
    pattern_instance,
)
from theory.engines.formulas import Formula
from theory.engines.fraction_bounds import log_bounds
from theory.engines.proof import all_of, check_cases, with_checks
from theory.engines.steps import above, between, joint_step, proves
from theory.engines.tactics import by_combination, by_derivatives, by_squares
from theory.proofs.b3_cases import visits_cases
from theory.proofs.chernoff import bernstein, tail_cases

A, B, E2, M, N, T, U, V, W, X, Y, Z = sympy.symbols("a b m2 mu N t u v w x y z")
ONE = sympy.Integer(1)


B3_16 = joint_step(
    "B3.16",
    "printed",
    "Bernstein: T_h(s) >= w T - sqrt(2 w T l) - (2/3) l with probability 1 - delta/(SH), l = log(SH/delta)",
    parts=[lambda: with_checks(bernstein(), check_cases(tail_cases(), "four n, two p, two delta"))],
)
B3_17 = joint_step(
    "B3.17",
    "printed",
    "lambda >= 4 l: it suffices that w T/2 + l >= sqrt(2 w T l); with w T = 2 a^2, l = b^2, lambda = 4 b^2 + z",
    parts=[
        proves(Formula(A**2 + B**2, ">=", 2 * A * B, ranges=(above(A, 0), above(B, 0))), by_squares((ONE, A - B))),
        proves(
            Formula(
                2 * A**2 - 2 * A * B - 2 * B**2 / 3 + 4 * B**2 + Z,
                ">=",
                (2 * A**2 + 4 * B**2 + Z) / 2,
                ranges=(above(A, 0), above(B, 0), above(Z, 0)),
            ),
            by_squares((ONE, A - B)),
        ),
    ],
)
VISITS = joint_step(
    "lemma-visits",
    "printed",
    "T_h(s) + lambda >= (w_h(s) T + lambda)/2 for all (s, h), with probability >= 1 - delta, if lambda >= 4 "
    "log(SH/delta)",
    parts=[
        lambda: with_checks(
            all_of(B3_16.decide(), B3_17.decide()), check_cases(visits_cases(Fraction(4)), "one (s, h), T up to 60")
        )
    ],
)


def first_policy(instance: SmallInstance, data: tuple[tuple[tuple[int, int], ...], ...], oracle: bool) -> Table:
    """The recorded action of the first visit; unseen: uniform, or the demonstrator for the oracle version."""
    horizon, n_states, n_actions = instance.shape
    rows = []
    for h in range(horizon):
        level = []
        for s in range(n_states):
            seen = [path[h][1] for path in data if path[h][0] == s]
            if seen:
                level.append(tuple(Fraction(int(a == seen[0])) for a in range(n_actions)))
            else:
                level.append(instance.demonstrator[h][s] if oracle else (Fraction(1, n_actions),) * n_actions)
        rows.append(tuple(level))
    return tuple(rows)


def ordered_data(
    instance: SmallInstance, n_demos: int
) -> Iterator[tuple[tuple[tuple[tuple[int, int], ...], ...], Fraction]]:
    """Every sequence of demonstrations with its probability: the first visit depends on the order."""
    options = list(paths(instance, instance.demonstrator))
    for chosen in itertools.product(options, repeat=n_demos):
        chance = Fraction(1)
        for _, p in chosen:
            chance *= p
        yield tuple(path for path, _ in chosen), chance


def _unseen(instance: SmallInstance, data: tuple[tuple[tuple[int, int], ...], ...]) -> set[tuple[int, int]]:
    horizon, n_states, _ = instance.shape
    met = {(h, path[h][0]) for path in data for h in range(horizon)}
    return {(h, s) for h in range(horizon) for s in range(n_states)} - met


def first_meetings(
    instance: SmallInstance, policy: Table, unseen: set[tuple[int, int]]
) -> dict[tuple[int, int], Fraction]:
    """Probability that the policy's first unseen state is s at step h."""
    result: dict[tuple[int, int], Fraction] = {}
    for path, chance in paths(instance, policy):
        hits = [(h, s) for h, (s, _) in enumerate(path) if (h, s) in unseen]
        if hits:
            result[hits[0]] = result.get(hits[0], Fraction(0)) + chance
    return result


def _instances() -> Iterator[tuple[SmallInstance, int, int]]:
    for variant, (horizon, n_demos) in itertools.product((1, 2), ((1, 1), (1, 3), (2, 1), (2, 2))):
        yield pattern_instance(horizon, 2, 2, variant), n_demos, variant


def _split_cases() -> Iterator[Case]:
    """B3.18 and B3.19: the first meeting splits the event, and the oracle version has the same first meetings."""
    for instance, n_demos, variant in _instances():
        for data, _ in data_sets(instance, n_demos):
            unseen = _unseen(instance, data)
            plain = first_meetings(instance, first_policy(instance, data, False), unseen)
            oracle = first_meetings(instance, first_policy(instance, data, True), unseen)
            values: dict[str, object] = {"variant": variant, "T": n_demos}
            for cell in set(plain) | set(oracle):
                yield values, plain.get(cell, Fraction(0)), "==", oracle.get(cell, Fraction(0))


def _union_cases() -> Iterator[Case]:
    """B3.20's first half: E[Pr_first(F)] against the oracle's visits to unseen states; and these against w(1 - w)^N."""
    for instance, n_demos, variant in _instances():
        total, visits = Fraction(0), Fraction(0)
        for data, chance in ordered_data(instance, n_demos):
            unseen = _unseen(instance, data)
            total += chance * sum(
                first_meetings(instance, first_policy(instance, data, False), unseen).values(), Fraction(0)
            )
            levels = occupancy(instance, first_policy(instance, data, True))
            visits += chance * sum((levels[h][s] for h, s in unseen), Fraction(0))
        w = [p for level in occupancy(instance, instance.demonstrator) for p in level]
        values: dict[str, object] = {"variant": variant, "N": n_demos}
        yield values, total, "<=", visits
        yield values, visits, "<=", sum((p * (1 - p) ** n_demos for p in w), Fraction(0))


def _first_visit_cases(least: int) -> Iterator[Case]:
    """Lemma 4 on two states visited with probability 1/2, one step: its probability is 2^-N."""
    for n_demos in range(least, 12):
        log = log_bounds(Fraction(n_demos))[1]
        yield {"S": 2, "H": 1, "N": n_demos, "w": "1/2"}, Fraction(1, 2**n_demos), "<=", 2 * log / n_demos


LOG_LINE = (
    Formula(sympy.log(Y), "<=", Y - 1, ranges=(above(Y, 1),)),
    Formula(sympy.log(Y), "<=", Y - 1, ranges=(between(Y, 0, 1, "(]"),)),
)
"""w (1 - w)^N <= 1/(e N): log(1 - w) <= -w, then log y <= y - 1 with y = N w."""
MISSING = (
    proves(Formula(sympy.log(1 - U), "<=", -U, ranges=(between(U, 0, 1, "[)"),)), by_derivatives("u")),
    proves(LOG_LINE[0], by_derivatives("y")),
    proves(LOG_LINE[1], by_derivatives("y", "high")),
)
JENSEN = Formula(
    U - (1 - T) * E2,
    "<=",
    U - (1 - T) * U**2,
    ranges=(between(U, 0, 1), between(T, 0, 1), between(E2, 0, 1)),
    given=(E2 - U**2,),
)
"""R1.1's inequality: E[X(1 - (1 - t)X)] <= u(1 - (1 - t)u), as E X^2 >= u^2."""
JENSEN_PROOF = proves(JENSEN, by_combination(1 - T))
TELESCOPE = Formula((1 - Z) + Z * X, "==", 1 - Z * (1 - X), ranges=(between(X, 0, 1), between(Z, 0, 1)))
B3_18 = joint_step(
    "B3.18",
    "printed",
    "F is the disjoint union over (s, h) of its first meetings: 1 - Z(1 - x) = (1 - Z) + Z x, step by step",
    parts=[lambda: with_checks(proves(TELESCOPE)(), check_cases(_split_cases(), "small MDPs, all data sets"))],
)
B3_19 = joint_step(
    "B3.19",
    "printed",
    "pi_first and its oracle version give every first meeting the same probability",
    parts=[lambda: check_cases(_split_cases(), "S = A = 2, H <= 2, N <= 3, all data sets")],
)
B3_20 = joint_step(
    "B3.20",
    "printed",
    "E[Pr_first(F)] <= sum E[Pr_orc-first(F_{s,h})] <= S H log(N)/N",
    parts=[
        lambda: check_cases(_union_cases(), "small MDPs"),
        lambda: check_cases(_first_visit_cases(least=1), "two states, one step"),
    ],
    severity="condition",
    why="log(N) is 0 at N = 1; N >= 2 is needed, or 1/(e N) instead of log(N)/N",
)
B3_20C = joint_step(
    "B3.20",
    "corrected",
    "E[Pr_first(F)] <= sum w(1 - w)^N <= S H/(e N) <= S H log(N)/N for N >= 2",
    parts=[
        JENSEN_PROOF,
        *MISSING,
        proves(Formula(sympy.log(2), ">=", sympy.exp(-1))),
        lambda: with_checks(proves(TELESCOPE)(), check_cases(_union_cases(), "small MDPs, all data sets")),
    ],
)
FIRST = joint_step(
    "lemma-first-visit",
    "printed",
    "E[Pr_first(F)] <= S H log(N)/N for every N >= 1",
    parts=[lambda: check_cases(_first_visit_cases(least=1), "two states, one step")],
    severity="condition",
    why="the right side is 0 at N = 1",
)
FIRST_C = joint_step(
    "lemma-first-visit",
    "corrected",
    "E[Pr_first(F)] <= S H/(e N) for N >= 1, which is <= S H log(N)/N for N >= 2",
    parts=[
        lambda: with_checks(
            B3_20C.decide(), check_cases(_first_visit_cases(least=2), "two states, one step, N = 2..11")
        )
    ],
)

RESULTS = (
    Result(
        id="lemma-visits",
        title="Visit counts are at least half their mean",
        source="B.3, Lemma 3",
        steps=(B3_16, B3_17, VISITS),
        statement="For lambda >= 4 log(SH/delta) (1.2551 log(SH/delta) suffices), with probability at least 1 - delta, "
        "for all (s, h): T_h(s) + lambda >= (w_h(s) T + lambda)/2.",
        meaning="Once lambda is added to its count, no state is visited much less often in the data than expected. "
        "Lemma 2 relies on this.",
        latex=r"T_h(s) + \lambda \ge \tfrac12\bigl(w_h^{\beta}(s)\,T + \lambda\bigr)",
        assumptions=("lambda >= 4 log(SH/delta)",),
    ),
    Result(
        id="lemma-first-visit",
        title="Unseen states are rarely met",
        source="B.3, Lemma 4",
        steps=(B3_18, B3_19, B3_20, B3_20C, FIRST, FIRST_C),
        statement="The expected probability that a trajectory of pi_first meets a state that no demonstration visited "
        "in that step is at most S H/(e N).",
        meaning="A policy that copies what was recorded seldom reaches a state in which nothing was recorded.",
        latex=r"\mathbb E\,\Pr_{\pi_{\mathrm{first}}}(F) \le \frac{SH}{eN}",
        assumptions=("N >= 1 (N >= 2 for the printed S H log(N)/N)",),
    ),
)
