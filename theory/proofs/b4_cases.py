"""The demonstrators of B.4 in fractions, and the cases on which its steps are checked."""

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction

from theory.engines.enumeration import Case

Bound = Callable[[Fraction, int, Fraction], Fraction]
"""A bound on coverage as a function of xi, A and alpha."""


def family(n_actions: int, alpha: Fraction) -> list[tuple[Fraction, ...]]:
    """Demonstrators 1..A: the first plays arm 1, the others play arm i with probability alpha."""
    rows = []
    for i in range(n_actions):
        row = [Fraction(0)] * n_actions
        row[0] = Fraction(1)
        if i:
            row[0], row[i] = 1 - alpha, alpha
        rows.append(tuple(row))
    return rows


def event_cases() -> Iterator[Case]:
    """Lemma 5 for the worst event of the data: the largest P_i(E) - 2 P_j(E) over all events."""
    grid = itertools.product((2, 3), (1, 2, 3, 5), (Fraction(1, 20), Fraction(1, 4), Fraction(9, 10)))
    for n_actions, n_demos, alpha in grid:
        rows = family(n_actions, alpha)
        laws = []
        for row in rows:
            law = {}
            for data in itertools.product(range(n_actions), repeat=n_demos):
                chance = Fraction(1)
                for a in data:
                    chance *= row[a]
                law[data] = chance
            laws.append(law)
        for i, j in itertools.permutations(range(n_actions), 2):
            worst = sum((max(laws[i][d] - 2 * laws[j][d], Fraction(0)) for d in laws[i]), Fraction(0))
            values: dict[str, object] = {"A": n_actions, "T": n_demos, "alpha": str(alpha), "i": i + 1, "j": j + 1}
            yield values, worst, "<=", n_demos * alpha


def constant_estimator(n_actions: int, alpha: Fraction, xi: Fraction) -> tuple[Fraction, Fraction]:
    """Coverage and largest suboptimality, over the family, of the policy with mass xi spread over arms 2..A."""
    policy = (1 - xi, *[xi / (n_actions - 1)] * (n_actions - 1))
    rows = family(n_actions, alpha)
    coverage = min(policy[a] / row[a] for row in rows for a in range(n_actions) if row[a] > 0)
    loss = max(row[0] - policy[0] for row in rows)
    return coverage, loss


def printed_bound(xi: Fraction, n_actions: int, alpha: Fraction) -> Fraction:
    """The theorem's bound on coverage as printed."""
    return xi / (2 * n_actions * alpha)


def corrected_bound(xi: Fraction, n_actions: int, alpha: Fraction) -> Fraction:
    """The bound that the theorem's proof gives."""
    return 4 * xi / ((n_actions - 1) * alpha)


def constant_estimator_cases(bound: Bound, *, multiples: tuple[int, ...], least: int = 1) -> Iterator[Case]:
    """The constant estimator's coverage against a bound.

    Parameters
    ----------
    bound : callable
        Of xi, A and alpha.
    multiples : tuple of int
        alpha = 1/(n T) for each n of these.
    least : int
        The smallest T.
    """
    for n_actions, n_demos, n, share in itertools.product(
        (2, 3, 10), (least, least + 1, 5), multiples, (Fraction(1, 8), Fraction(1, 4))
    ):
        alpha, xi = Fraction(1, n * n_demos), Fraction(n_actions - 1, n * n_demos) * share
        coverage, loss = constant_estimator(n_actions, alpha, xi)
        if loss > xi:
            continue
        values: dict[str, object] = {
            "A": n_actions,
            "T": n_demos,
            "alpha": str(alpha),
            "xi": str(xi),
            "delta": 0,
            "estimator": "arm 1 with 1 - xi, the others share xi",
        }
        yield values, coverage, "<=", bound(xi, n_actions, alpha)
