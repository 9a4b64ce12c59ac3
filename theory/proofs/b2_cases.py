"""The construction of B.2 in fractions, and the cases on which its steps are checked.

The construction in words: `theory.bounds.b2_uniform_fails`. States are numbered from 0: s~_1..s~_k, then s_1 and s_2.
"""

import itertools
from collections.abc import Iterator
from fractions import Fraction

from theory.claims import Outcome
from theory.engines.enumeration import Case, SmallInstance, Table, binomial, value
from theory.engines.formulas import Comparison
from theory.engines.proof import check_cases

HALF = Fraction(1, 2)


def start(k: int, excess: int) -> tuple[Fraction, ...]:
    """Printed distribution of the first state (excess = k) or the normalised one (excess = k + 1)."""
    rare = [Fraction(1, 2 ** (i + 1)) for i in range(1, k + 1)]
    return (rare[0] + Fraction(1, 2**excess), *rare[1:], HALF, Fraction(0))


def chain(k: int, horizon: int, eps: Fraction) -> SmallInstance:
    """The construction with k rare states, normalised."""
    n = k + 2

    def row(s: int, a: int) -> tuple[Fraction, ...]:
        target = k + 1 if s == k and a == 1 else s
        return tuple(Fraction(int(t == target)) for t in range(n))

    def pay(h: int, s: int, a: int) -> Fraction:
        if h == 0 and s < k:
            return Fraction(1) if a == 0 else 1 - 4 * eps
        return Fraction(int(h == horizon - 1 and s == k and a == 0))

    moves = tuple(tuple(tuple(row(s, a) for a in (0, 1)) for s in range(n)) for _ in range(horizon - 1))
    reward = tuple(tuple(tuple(pay(h, s, a) for a in (0, 1)) for s in range(n)) for h in range(horizon))
    plays = tuple(
        tuple((HALF, HALF) if s < k else (Fraction(1), Fraction(0)) for s in range(n)) for _ in range(horizon)
    )
    return SmallInstance(initial=start(k, k + 1), transitions=moves, reward=reward, demonstrator=plays)


def noisy(k: int, horizon: int, alpha: Fraction, *, on_chain: tuple[Fraction, ...], on_rare: Fraction) -> Table:
    """Policy that plays action 1 with the given probabilities on the chain (by step) and on the rare states."""
    rows = []
    for h in range(horizon):
        first = [on_rare] * k + [(1 - alpha) * on_chain[h] + alpha / 2, HALF]
        rows.append(tuple((p, 1 - p) for p in first))
    return tuple(rows)


def grid() -> Iterator[tuple[int, int, Fraction, Fraction]]:
    """Values of k, H, eps and alpha."""
    yield from itertools.product(
        (1, 3), (2, 3, 4), (Fraction(1, 100), Fraction(1, 4)), (Fraction(0), Fraction(1, 3), Fraction(1))
    )


def total_cases() -> Iterator[Case]:
    """B2.1: the printed P_0 sums to 1."""
    for k in range(1, 13):
        yield {"k": k}, sum(start(k, k), Fraction(0)), "==", Fraction(1)


def value_cases() -> Iterator[Case]:
    """B2.5: J(pi_beta) = 1 - eps, and the best value is 1."""
    for k, horizon, eps, _ in grid():
        instance = chain(k, horizon, eps)
        values: dict[str, object] = {"k": k, "H": horizon, "eps": str(eps)}
        yield values, value(instance, instance.demonstrator), "==", 1 - eps
        yield (
            values,
            value(instance, noisy(k, horizon, Fraction(0), on_chain=(Fraction(1),) * horizon, on_rare=Fraction(1))),
            "==",
            Fraction(1),
        )


def dominance_cases() -> Iterator[Case]:
    """B2.6: BC on the chain plays a1 where the chain was seen and is uniform elsewhere."""
    for k, horizon, eps, alpha in grid():
        instance = chain(k, horizon, eps)
        best = value(instance, noisy(k, horizon, alpha, on_chain=(Fraction(1),) * horizon, on_rare=Fraction(1)))
        for seen in itertools.product((HALF, Fraction(1)), repeat=horizon):
            for rare in (Fraction(0), HALF, Fraction(1)):
                mixed = value(instance, noisy(k, horizon, alpha, on_chain=seen, on_rare=(1 - alpha) * rare + alpha / 2))
                yield {"k": k, "H": horizon, "alpha": str(alpha)}, best, ">=", mixed


def loss_cases(exponent_drop: int, relation: Comparison) -> Iterator[Case]:
    """B2.7: the exact loss against -eps + (1 - q^(H - drop))/2."""
    for k, horizon, eps, alpha in grid():
        instance = chain(k, horizon, eps)
        best = value(instance, noisy(k, horizon, alpha, on_chain=(Fraction(1),) * horizon, on_rare=Fraction(1)))
        loss = value(instance, instance.demonstrator) - best
        bound = -eps + HALF * (1 - (1 - alpha / 2) ** (horizon - exponent_drop))
        yield {"k": k, "H": horizon, "alpha": str(alpha), "eps": str(eps)}, loss, relation, bound


def rare_state(n_demos: int) -> int:
    """Index i_T: the first i with 2^-(i+1) <= 1/T."""
    return next(i for i in itertools.count(1) if 2 ** (i + 1) >= n_demos)


def rare_cases(excess: int, least: int) -> Iterator[Case]:
    """B2.11 with one rare state more than needed."""
    for n_demos in range(least, 130):
        i = rare_state(n_demos)
        k = i + 1
        chance = start(k, k + excess)[i - 1]
        yield {"T": n_demos, "k": k}, chance, "<=", Fraction(1, n_demos)
        yield {"T": n_demos, "k": k}, chance, ">=", Fraction(1, 2 * n_demos)


def existence_cases() -> Iterator[Case]:
    """The rare state's index must not exceed k = ceil(log2 T) - 1."""
    for n_demos in range(5, 130):
        k = (n_demos - 1).bit_length() - 1
        yield {"T": n_demos, "k": k}, Fraction(rare_state(n_demos)), "<=", Fraction(k)


def event(n_demos: int, chance: Fraction) -> Fraction:
    """P[one visit, and it shows action 2], by the binomial law of visits."""
    return binomial(n_demos, chance)[1] * HALF


def event_cases(relation: Comparison) -> Iterator[Case]:
    """B2.12: the exact probability of the event against (1/4)(1 - 1/T)^(T-1)."""
    for n_demos in range(5, 65):
        chance = Fraction(1, 2 ** (rare_state(n_demos) + 1))
        smaller = HALF * HALF * (1 - Fraction(1, n_demos)) ** (n_demos - 1)
        yield {"T": n_demos, "P_0": str(chance)}, event(n_demos, chance), relation, smaller


def rows() -> Outcome:
    """B2.2 and B2.4: rows are distributions, and the absorbing states absorb."""
    instance = chain(3, 3, Fraction(1, 100))
    rows = [row for step_ in instance.transitions for state in step_ for row in state]
    rows += [row for step_ in instance.demonstrator for row in step_]
    cases: list[Case] = [({"row": i}, sum(row, Fraction(0)), "==", Fraction(1)) for i, row in enumerate(rows)]
    stays: list[Case] = [
        ({"state": s + 1, "action": a + 1}, instance.transitions[0][s][a][s], "==", Fraction(1))
        for s in (0, 1, 2, 4)
        for a in (0, 1)
    ]
    return check_cases((*cases, *stays), "every kind of state, k = 3", whole=True)
