"""Small instances, and the cases on which the visit and suboptimality steps (Lemmas 2 and 3, R1, R6) are checked."""

import itertools
from collections.abc import Iterator
from fractions import Fraction

from theory.engines.enumeration import (
    Case,
    Counts,
    SmallInstance,
    Table,
    bandit,
    binomial,
    expectation,
    expected_value,
    expert_instance,
    mixed_policy,
    occupancy,
    pattern_instance,
    value,
)
from theory.engines.fraction_bounds import log_bounds

HALF = Fraction(1, 2)


def small_instances() -> Iterator[tuple[SmallInstance, int, dict[str, object]]]:
    """Instances whose data sets can all be listed, with a number of demonstrations."""
    for variant, (horizon, n_states, n_demos) in itertools.product(
        (1, 2), ((1, 2, 1), (1, 3, 4), (2, 2, 1), (2, 2, 3))
    ):
        values: dict[str, object] = {"H": horizon, "S": n_states, "A": 2, "T": n_demos, "variant": variant}
        yield pattern_instance(horizon, n_states, 2, variant), n_demos, values
        yield expert_instance(horizon, n_states, variant), n_demos, {**values, "expert": "deterministic, reward 1"}


def visits_cases(constant: Fraction) -> Iterator[Case]:
    """P[Bin(T, w) + lambda < (w T + lambda)/2] with lambda = constant * log(1/delta), for one (s, h), exactly."""
    grid = itertools.product(
        (1, 5, 20, 60), (Fraction(1, 20), Fraction(1, 4), Fraction(1, 2), Fraction(1)), (2, 20, 400)
    )
    for n_demos, w, odds in grid:
        mass = constant * log_bounds(Fraction(odds))[0]
        chance = sum(
            (q for n, q in enumerate(binomial(n_demos, w)) if n + mass < (w * n_demos + mass) / 2), Fraction(0)
        )
        yield {"T": n_demos, "w": str(w), "delta": f"1/{odds}"}, chance, "<=", Fraction(1, odds)


def paper_weights(n_actions: int, horizon: int, n_demos: int) -> tuple[Fraction, Fraction]:
    """The main theorem's alpha and lambda; logarithms are replaced by fractions within 1e-50 above them."""
    log = log_bounds(Fraction(horizon * n_demos))[1]
    return 1 / max(Fraction(n_actions), Fraction(horizon), log), max(Fraction(n_actions), 4 * log)


def missing_sum(instance: SmallInstance, n_demos: int) -> Fraction:
    """sum_h (H - h + 1) sum_s w(1 - w)^T."""
    horizon = instance.shape[0]
    levels = occupancy(instance, instance.demonstrator)
    return sum(((horizon - h) * w * (1 - w) ** n_demos for h, level in enumerate(levels) for w in level), Fraction(0))


def action_values(instance: SmallInstance, policy: Table) -> list[list[list[Fraction]]]:
    """Q_h(s, a) of a policy."""
    horizon, n_states, n_actions = instance.shape
    ahead = [Fraction(0)] * n_states
    result = []
    for h in reversed(range(horizon)):
        q = [
            [
                instance.reward[h][s][a]
                + (
                    sum((p * v for p, v in zip(instance.transitions[h][s][a], ahead, strict=True)), Fraction(0))
                    if h + 1 < horizon
                    else 0
                )
                for a in range(n_actions)
            ]
            for s in range(n_states)
        ]
        ahead = [sum((policy[h][s][a] * q[s][a] for a in range(n_actions)), Fraction(0)) for s in range(n_states)]
        result.append(q)
    return result[::-1]


def difference_cases() -> Iterator[Case]:
    """B3.8 on small MDPs: the value difference against the sum of action-value differences."""
    for variant, horizon in itertools.product((1, 2, 3), (1, 2, 3)):
        first, second = pattern_instance(horizon, 2, 3, variant), pattern_instance(horizon, 2, 3, variant + 1)
        pi, other = first.demonstrator, second.demonstrator
        levels, q = occupancy(first, pi), action_values(first, other)
        total = sum(
            (
                levels[h][s] * (pi[h][s][a] - other[h][s][a]) * q[h][s][a]
                for h in range(horizon)
                for s in range(2)
                for a in range(3)
            ),
            Fraction(0),
        )
        yield {"variant": variant, "H": horizon}, value(first, pi) - value(first, other), "==", total


def visit_reward(instance: SmallInstance, n_demos: int, mass: Fraction) -> Table:
    """Reward r~ of B3.12: lambda/(w T + lambda)."""
    levels = occupancy(instance, instance.demonstrator)
    return tuple(tuple((mass / (w * n_demos + mass),) * 2 for w in level) for level in levels)


def transfer_cases() -> Iterator[Case]:
    """B3.13: E[J(BC; r~)] <= J(pi_beta; r~) + sum (H - h + 1) w(1 - w)^T."""
    for instance, n_demos, values in small_instances():
        reward = visit_reward(instance, n_demos, Fraction(3))

        def bc_value(counts: Counts, instance: SmallInstance = instance, reward: Table = reward) -> Fraction:
            return value(instance, mixed_policy(counts, Fraction(0), None), reward)

        bc = expectation(instance, n_demos, bc_value)
        yield values, bc, "<=", value(instance, instance.demonstrator, reward) + missing_sum(instance, n_demos)


def lemma_two_bound(horizon: int, n_states: int, n_demos: int, alpha: Fraction, mass: Fraction) -> Fraction:
    """Right side of Lemma 2 with its constants, rounded down (1/e from below)."""
    unseen = Fraction(horizon * (horizon + 1) * n_states, 2 * (n_demos + 1)) * Fraction(n_demos, n_demos + 1) ** n_demos
    noise = horizon * n_states * mass / n_demos
    return 4 * alpha * horizon * (noise + unseen) + Fraction(horizon * n_states, n_demos)


def lemma_cases() -> Iterator[Case]:
    """Lemma 2 with its constants, on all data sets."""
    for instance, n_demos, values in small_instances():
        horizon, n_states, _ = instance.shape
        mass = max(4 * log_bounds(Fraction(horizon * n_demos))[1], Fraction(1))
        bc = expected_value(instance, n_demos, Fraction(0), None)
        for alpha in (HALF, Fraction(1)):
            loss = bc - expected_value(instance, n_demos, alpha, mass)
            yield {**values, "alpha": str(alpha)}, loss, "<=", lemma_two_bound(horizon, n_states, n_demos, alpha, mass)


def bc_rate_cases(least: int, constant: Fraction) -> Iterator[Case]:
    """J(pi_beta) - E J(BC) against constant * H^2 S log(T)/T (upper end of the logarithm)."""
    for instance, n_demos, values in small_instances():
        if n_demos >= least:
            horizon, n_states, _ = instance.shape
            gap = value(instance, instance.demonstrator) - expected_value(instance, n_demos, Fraction(0), None)
            yield values, gap, "<=", constant * horizon**2 * n_states * log_bounds(Fraction(n_demos))[1] / n_demos


def main_cases(least: int, constant: Fraction) -> Iterator[Case]:
    """The main theorem with its own parameters; first the smallest instance of all, a bandit with two arms."""
    sure = bandit((Fraction(1), Fraction(0)), (Fraction(1), Fraction(0)))
    single: dict[str, object] = {"S": 1, "H": 1, "A": 2, "T": 1, "pi_beta": "always the arm that pays 1"}
    pool = itertools.chain([(sure, 1, single)], small_instances())
    for instance, n_demos, values in pool:
        if n_demos >= least:
            horizon, n_states, n_actions = instance.shape
            alpha, mass = paper_weights(n_actions, horizon, n_demos)
            gap = value(instance, instance.demonstrator) - expected_value(instance, n_demos, alpha, mass)
            rate = horizon**2 * n_states * log_bounds(Fraction(n_demos))[1] / n_demos
            yield {**values, "constant": str(constant)}, gap, "<=", constant * rate
