"""Exact expectations over all data sets of a small instance, with fractions only.

The judge of expectations and probabilities: it shares no code with the bounds, and no code with the simulations, so the
family of policies is defined here once more:

    pi_h(a|s) = (1 - a_n) T_h(s,a)/n + a_n/A,    n = T_h(s),    a_n = alpha lambda/(n + lambda),    a_0 = 1

A sum over data sets of n_demos trajectories runs over multisets of trajectories, each with its multinomial probability.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from theory.engines.formulas import Comparison

Case = tuple[dict[str, object], Fraction, Comparison, Fraction]
"""A comparison of two exact numbers, with the values that name it."""
Row = tuple[Fraction, ...]
Table = tuple[tuple[Row, ...], ...]
"""Policy, reward or counts: indexed [h][s][a]."""
Counts = list[list[list[int]]]
"""Visits, indexed [h][s][a]."""
Path = tuple[tuple[int, int], ...]
"""One trajectory: (state, action) in each step."""


@dataclass(frozen=True)
class SmallInstance:
    """A finite-horizon decision process with a demonstrator, in fractions.

    Parameters
    ----------
    initial : tuple of Fraction
        Distribution of the first state, (S,).
    transitions : nested tuples
        Next-state distributions, indexed [h][s][a][next state]; H - 1 steps.
    reward, demonstrator : nested tuples
        Indexed [h][s][a].
    """

    initial: Row
    transitions: tuple[tuple[tuple[Row, ...], ...], ...]
    reward: Table
    demonstrator: Table

    @property
    def shape(self) -> tuple[int, int, int]:
        """Horizon, number of states, number of actions."""
        return len(self.reward), len(self.reward[0]), len(self.reward[0][0])


def pattern_instance(horizon: int, n_states: int, n_actions: int, variant: int) -> SmallInstance:
    """Build an instance from a fixed arithmetic pattern: the same for the same arguments, unlike for different ones.

    Parameters
    ----------
    horizon, n_states, n_actions : int
        At least 1.
    variant : int
        Any integer.
    """

    def row(length: int, *where: int) -> Row:
        mixed = variant * 7 + sum((3 + 2 * k) * (i + 1) for k, i in enumerate(where))
        weights = [1 + (mixed * (j + 2) + j * j * (variant + 3)) % 7 for j in range(length)]
        return tuple(Fraction(w, sum(weights)) for w in weights)

    def score(h: int, s: int, a: int) -> Fraction:
        return Fraction((variant + 5 * h + 3 * s + 7 * a + 2 * s * a) % 5, 4)

    hs, ss, aa = range(horizon), range(n_states), range(n_actions)
    return SmallInstance(
        initial=row(n_states, 9),
        transitions=tuple(tuple(tuple(row(n_states, h, s, a) for a in aa) for s in ss) for h in range(horizon - 1)),
        reward=tuple(tuple(tuple(score(h, s, a) for a in aa) for s in ss) for h in hs),
        demonstrator=tuple(tuple(row(n_actions, h, s, 5) for s in ss) for h in hs),
    )


def expert_instance(horizon: int, n_states: int, variant: int) -> SmallInstance:
    """Build an instance of two actions whose demonstrator is deterministic and collects every reward."""
    base = pattern_instance(horizon, n_states, 2, variant)
    best = [[(variant + h + s) % 2 for s in range(n_states)] for h in range(horizon)]
    table = tuple(tuple(tuple(Fraction(int(a == b)) for a in (0, 1)) for b in row) for row in best)
    even = (Fraction(1, n_states),) * n_states
    return SmallInstance(initial=even, transitions=base.transitions, reward=table, demonstrator=table)


def bandit(demonstrator: Row, reward: Row) -> SmallInstance:
    """Build an instance of one step and one state."""
    return SmallInstance(initial=(Fraction(1),), transitions=(), reward=((reward,),), demonstrator=((demonstrator,),))


def paths(instance: SmallInstance, policy: Table) -> Iterator[tuple[Path, Fraction]]:
    """List every trajectory of a policy with its probability, where that is not 0."""
    horizon, n_states, n_actions = instance.shape
    for states in itertools.product(range(n_states), repeat=horizon):
        for actions in itertools.product(range(n_actions), repeat=horizon):
            chance = instance.initial[states[0]]
            for h in range(horizon):
                chance *= policy[h][states[h]][actions[h]]
                if h + 1 < horizon:
                    chance *= instance.transitions[h][states[h]][actions[h]][states[h + 1]]
            if chance:
                yield tuple(zip(states, actions, strict=True)), chance


def data_sets(instance: SmallInstance, n_demos: int) -> Iterator[tuple[tuple[Path, ...], Fraction]]:
    """List every multiset of demonstrations with its probability."""
    options = list(paths(instance, instance.demonstrator))
    for chosen in itertools.combinations_with_replacement(range(len(options)), n_demos):
        ways = math.factorial(n_demos)
        chance = Fraction(1)
        for i in set(chosen):
            ways //= math.factorial(chosen.count(i))
        for i in chosen:
            chance *= options[i][1]
        yield tuple(options[i][0] for i in chosen), ways * chance


def count_actions(instance: SmallInstance, data: tuple[Path, ...]) -> Counts:
    """Count visits to every (h, s, a)."""
    horizon, n_states, n_actions = instance.shape
    counts = [[[0] * n_actions for _ in range(n_states)] for _ in range(horizon)]
    for path in data:
        for h, (s, a) in enumerate(path):
            counts[h][s][a] += 1
    return counts


@functools.lru_cache(maxsize=256)
def law_of_counts(instance: SmallInstance, n_demos: int) -> tuple[tuple[Counts, Fraction], ...]:
    """All counts that data sets can give, each once, with their probabilities."""
    law: dict[tuple[tuple[tuple[int, ...], ...], ...], Fraction] = {}
    for data, chance in data_sets(instance, n_demos):
        key = tuple(tuple(tuple(cell) for cell in level) for level in count_actions(instance, data))
        law[key] = law.get(key, Fraction(0)) + chance
    return tuple(([[list(cell) for cell in level] for level in key], chance) for key, chance in law.items())


def noise_weight(visits: int, alpha: Fraction, prior_mass: Fraction | None) -> Fraction:
    """Weight a_n of the uniform policy: 1 where unvisited, else alpha lambda/(n + lambda); None is an infinite mass."""
    if visits == 0:
        return Fraction(1)
    return alpha if prior_mass is None else alpha * prior_mass / (visits + prior_mass)


def mixed_policy(counts: Counts, alpha: Fraction, prior_mass: Fraction | None) -> Table:
    """Compute (1 - a_n) BC + a_n uniform from counts."""

    def row(cell: list[int]) -> Row:
        n = sum(cell)
        a = noise_weight(n, alpha, prior_mass)
        return tuple((1 - a) * Fraction(k, max(n, 1)) + a / len(cell) for k in cell)

    return tuple(tuple(row(cell) for cell in step) for step in counts)


def informed_policy(instance: SmallInstance, counts: Counts) -> Table:
    """BC where a state was visited, the demonstrator elsewhere: the proof's policy q."""
    horizon, n_states, _ = instance.shape
    bc = mixed_policy(counts, Fraction(0), None)
    return tuple(
        tuple(bc[h][s] if sum(counts[h][s]) else instance.demonstrator[h][s] for s in range(n_states))
        for h in range(horizon)
    )


def occupancy(instance: SmallInstance, policy: Table) -> list[list[Fraction]]:
    """Probability of being in each state at each step, [h][s]."""
    horizon, n_states, n_actions = instance.shape
    levels = [list(instance.initial)]
    for h in range(horizon - 1):
        flow = [Fraction(0)] * n_states
        for s, a in itertools.product(range(n_states), range(n_actions)):
            for target in range(n_states):
                flow[target] += levels[h][s] * policy[h][s][a] * instance.transitions[h][s][a][target]
        levels.append(flow)
    return levels


def value(instance: SmallInstance, policy: Table, reward: Table | None = None) -> Fraction:
    """Expected return of a policy."""
    reward = instance.reward if reward is None else reward
    levels = occupancy(instance, policy)
    horizon, n_states, n_actions = instance.shape
    return sum(
        (
            levels[h][s] * policy[h][s][a] * reward[h][s][a]
            for h in range(horizon)
            for s in range(n_states)
            for a in range(n_actions)
        ),
        Fraction(0),
    )


def expectation(instance: SmallInstance, n_demos: int, function: Callable[[Counts], Fraction]) -> Fraction:
    """Expectation over all data sets of a function of the counts."""
    return sum((chance * function(counts) for counts, chance in law_of_counts(instance, n_demos)), Fraction(0))


def expected_value(instance: SmallInstance, n_demos: int, alpha: Fraction, prior_mass: Fraction | None) -> Fraction:
    """Exact expected return of the policy that mixes BC with uniform noise."""
    return expectation(instance, n_demos, lambda counts: value(instance, mixed_policy(counts, alpha, prior_mass)))


def binomial(n: int, p: Fraction) -> list[Fraction]:
    """Probabilities of 0..n successes."""
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


def all_counts_reach(demonstrator: Row, n_visits: int, least: list[int]) -> Fraction:
    """Probability that every action's count reaches its least value, for multinomial counts.

    Parameters
    ----------
    demonstrator : tuple of Fraction
        Probabilities of the actions.
    n_visits : int
        Number of draws.
    least : list of int
        One threshold for each action.
    """
    total = [Fraction(1)] + [Fraction(0)] * n_visits  # sum over actions so far of prod p^k/k!, by total count
    for p, m in zip(demonstrator, least, strict=True):
        terms = [p**k / math.factorial(k) if k >= m else Fraction(0) for k in range(n_visits + 1)]
        total = [sum((total[i] * terms[n - i] for i in range(n + 1)), Fraction(0)) for n in range(n_visits + 1)]
    return total[n_visits] * math.factorial(n_visits)


def coverage_probability(
    demonstrator: Row, n_visits: int, alpha: Fraction, prior_mass: Fraction | None, floor: Row
) -> Fraction:
    """Probability that the mixed policy of one cell gives every action at least its floor.

    Parameters
    ----------
    demonstrator : tuple of Fraction
        Probabilities of the actions.
    n_visits : int
        n, the number of visits.
    alpha, prior_mass : Fraction
        As in `noise_weight`.
    floor : tuple of Fraction
        Least probability wanted for each action; above what n visits can give means probability 0.
    """
    a = noise_weight(n_visits, alpha, prior_mass)
    least = []
    for wanted in floor:
        fits = [
            k for k in range(n_visits + 1) if (1 - a) * Fraction(k, max(n_visits, 1)) + a / len(demonstrator) >= wanted
        ]
        if not fits:
            return Fraction(0)
        least.append(fits[0])
    return all_counts_reach(demonstrator, n_visits, least)
