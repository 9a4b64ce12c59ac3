"""The lane of R7 in fractions, with factored actions, and the cases on which its steps are checked.

The process in words: `theory.bounds.factored_lane`. Values of a coordinate are numbered from 0, so that value 1 of the
statement is number 0. An infinite prior mass (None) is uniform noise; alpha = 0 is BC.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from theory.engines.enumeration import Case, Row, binomial, noise_weight
from theory.engines.fraction_bounds import log_bounds


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Sizes d, A and H of the lane, and whether state b is strict."""

    d: int
    A: int
    H: int
    strict: bool

    @property
    def joint_actions(self) -> list[tuple[int, ...]]:
        """All A^d actions; value 1 of a coordinate is number 0."""
        return list(itertools.product(range(self.A), repeat=self.d))

    @property
    def constrained(self) -> int:
        """N."""
        return self.d * self.H - 1 if self.strict else self.d * (self.H - 1)

    def pays(self, action: tuple[int, ...]) -> bool:
        """Whether an action pays at b."""
        return action[0] == 1 and not (self.strict and any(action[1:]))


def coordinate_rows(lane: Lane, recorded: list[tuple[int, ...]], alpha: Fraction, mass: Fraction | None) -> list[Row]:
    """One row for each coordinate, cloned from the actions recorded in a state."""
    a, n = noise_weight(len(recorded), alpha, mass), max(len(recorded), 1)
    return [
        tuple((1 - a) * Fraction(sum(act[i] == v for act in recorded), n) + a / lane.A for v in range(lane.A))
        for i in range(lane.d)
    ]


def listed_success(lane: Lane, rows_lane: list[Row], rows_b: list[Row], w: Fraction) -> Fraction:
    """Probability of success, by listing every sequence of joint actions."""
    total = Fraction(0)
    for sequence in itertools.product(lane.joint_actions, repeat=lane.H):
        if any(map(any, sequence[:-1])) or not lane.pays(sequence[-1]):
            continue  # it left the lane, or was not paid at b
        chance = w
        for h, action in enumerate(sequence):
            rows = rows_b if h == lane.H - 1 else rows_lane
            chance *= math.prod((row[v] for row, v in zip(rows, action, strict=True)), start=Fraction(1))
        total += chance
    return total


def _lanes() -> Iterator[Lane]:
    sizes = ((1, 2, 1), (1, 2, 3), (1, 3, 2), (2, 2, 1), (2, 2, 2), (2, 2, 3), (2, 3, 2), (3, 2, 2))
    for (d, n_values, horizon), strict in itertools.product(sizes, (False, True)):
        yield Lane(d=d, A=n_values, H=horizon, strict=strict)


def success_cases() -> Iterator[Case]:
    """R7.1: the listing against the closed form; an infinite mass (None) is uniform noise, alpha = 0 is BC."""
    members = (
        (Fraction(0), Fraction(2)),
        (Fraction(1, 3), None),
        (Fraction(1, 2), Fraction(3)),
        (Fraction(1), Fraction(1, 2)),
    )
    for lane, (n, n_demos), (alpha, mass) in itertools.product(_lanes(), ((1, 1), (2, 5)), members):
        ones, w = (0,) * lane.d, Fraction(1, 3)
        rows_lane = coordinate_rows(lane, [ones] * n_demos, alpha, mass)
        rows_b = coordinate_rows(lane, [ones] * n, alpha, mass)
        x_n, x_lane = (alpha if mass is None else alpha * mass / (k + mass) for k in (n, n_demos))
        c = 1 - Fraction(1, lane.A)
        form = w / lane.A * x_n * (1 - c * x_lane) ** (lane.d * (lane.H - 1))
        form *= (1 - c * x_n) ** (lane.d - 1) if lane.strict else 1
        values = _named(lane, {"n": n, "T": n_demos, "alpha": str(alpha), "lambda": str(mass)})
        yield values, listed_success(lane, rows_lane, rows_b, w), "==", form


def best_cases() -> Iterator[Case]:
    """R7.2: alpha (1 - c alpha)^N on a grid against its stated maximum."""
    for n_values, n in itertools.product((2, 3, 7), (1, 2, 5, 20)):
        c = 1 - Fraction(1, n_values)
        best = Fraction(1, n + 1) / c * Fraction(n, n + 1) ** n
        for alpha in (Fraction(i, 60) for i in range(61)):
            yield {"A": n_values, "N": n, "alpha": str(alpha)}, alpha * (1 - c * alpha) ** n, "<=", best


def ratio_cases() -> Iterator[Case]:
    """R7.3: PostBC over the best uniform noise, from T = (2 c N - 1) lambda on; alpha = 1, tolerant."""
    for lane, mass, n in itertools.product(_lanes(), (Fraction(1, 2), Fraction(3)), (1, 4)):
        c, size = 1 - Fraction(1, lane.A), lane.d * (lane.H - 1)
        if lane.strict or size == 0:
            continue
        least = max(n, math.ceil((2 * c * size - 1) * mass))
        best = Fraction(1, size + 1) / c * Fraction(size, size + 1) ** size
        for n_demos in (least, 3 * least):
            x_n, x_lane = mass / (n + mass), mass / (n_demos + mass)
            values = _named(lane, {"n": n, "T": n_demos, "lambda": str(mass)})
            yield values, (1 - c * x_lane) ** size, ">=", 1 - c * size * x_lane
            yield values, x_n * (1 - c * x_lane) ** size / best, ">=", c * x_n * (size + 1)


def strict_cases() -> Iterator[Case]:
    """R7.5: PostBC at c x_n = 1/d over the best uniform noise, strict; and any other alpha is below the upper end."""
    for d, n_values, horizon, n, n_demos in itertools.product((3, 5), (2, 3), (1, 2, 4), (1, 2), (20, 200)):
        mass, c = Fraction(4), 1 - Fraction(1, n_values)
        alpha, size = (n + mass) / (c * d * mass), d * horizon - 1
        if alpha > 1:
            continue
        best = Fraction(1, size + 1) / c * Fraction(size, size + 1) ** size
        values: dict[str, object] = {"d": d, "A": n_values, "H": horizon, "n": n, "T": n_demos}
        for share in (alpha, Fraction(1, 5), Fraction(1)):
            x_n, x_lane = (share * mass / (k + mass) for k in (n, n_demos))
            ratio = x_n * (1 - c * x_n) ** (d - 1) * (1 - c * x_lane) ** (d * (horizon - 1)) / best
            if share == alpha:
                yield values, ratio, ">=", horizon * (1 - (horizon - 1) * (n + mass) / (n_demos + mass))
            yield values, ratio, "<=", Fraction(271829, 200000) * horizon


def rollout_cases() -> Iterator[Case]:
    """R7.4: chance of no success in k rollouts, for k at (1 - p) log(1/delta)/p and at log(1/delta)/p."""
    for p, delta in itertools.product(
        (Fraction(1, 50), Fraction(1, 5), Fraction(1, 2)), (Fraction(1, 10), Fraction(1, 3))
    ):
        enough = math.ceil(log_bounds(1 / delta)[1] / p)
        few = math.floor(log_bounds(1 / delta)[0] * (1 - p) / p)
        values: dict[str, object] = {"p": str(p), "delta": str(delta)}
        yield values, binomial(enough, p)[0], "<=", delta
        yield values, binomial(few, p)[0], ">=", delta


def _named(lane: Lane, rest: dict[str, object]) -> dict[str, object]:
    return {"d": lane.d, "A": lane.A, "H": lane.H, "strict": lane.strict, **rest}
