"""The cases on which the coverage results (Lemma 1, R2, R3) are checked, in fractions."""

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction

from theory.engines.enumeration import Case, coverage_probability
from theory.engines.fraction_bounds import log_bounds

Share = Callable[[Fraction, Fraction, Fraction], Fraction]
"""A bound on an action's probability, divided by alpha, as a function of p, L and lambda."""
DEMONSTRATORS = (
    (Fraction(1, 2), Fraction(1, 2)),
    (Fraction(9, 10), Fraction(1, 10)),
    (Fraction(1, 20), Fraction(1, 20), Fraction(9, 10)),
)
"""Even, with a rare action, with two."""


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


def union_bound_cases(*, with_actions: bool) -> Iterator[Case]:
    """Lemma 1 on one bandit: the probability that all actions reach their bound, against 1 - delta."""
    delta = Fraction(9, 10)
    witness = smallest_coupon_witness(delta)
    if witness is None:
        return
    n_actions, used, n_demos = witness
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


def bandit_cases(*, actions_in_log: bool, share: Share) -> Iterator[Case]:
    """The probability that PostBC reaches a coverage bound on small bandits, exactly, against 1 - delta.

    Parameters
    ----------
    actions_in_log : bool
        Whether L is log(A/delta), rather than log(1/delta).
    share : callable
        The bound on PostBC's probability of an action, divided by alpha, as a function of the demonstrator's
        probability, of L and of lambda. L is rounded down, so the bound is rounded up, which makes the event rarer.
    """
    deltas = (Fraction(1, 20), Fraction(1, 2), Fraction(9, 10))
    for row, delta, n_demos, mass in itertools.product(DEMONSTRATORS, deltas, (1, 4, 12, 30), (1, 3)):
        n_actions = len(row)
        lam, alpha = Fraction(mass * n_actions), Fraction(1, 2)
        log = log_bounds((n_actions if actions_in_log else 1) / delta)[0]
        chance = coverage_probability(row, n_demos, alpha, lam, tuple(alpha * share(p, log, lam) for p in row))
        values: dict[str, object] = {
            "pi_beta": str([str(p) for p in row]),
            "T": n_demos,
            "delta": str(delta),
            "lambda": str(lam),
        }
        yield values, chance, ">=", 1 - delta
