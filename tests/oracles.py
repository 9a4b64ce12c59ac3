"""Slow answers that are surely right: exact fractions, by enumeration. Standard library only.

Arguments are nested lists (`array.tolist()`); `exact` turns each float into the fraction that it is.

Letters: h is a step, s a state, a an action, T the number of demonstrations, A the number of actions.
"""

import itertools
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import NamedTuple


def exact(nested):
    """Nested lists of fractions from nested lists of numbers."""
    return [exact(inner) for inner in nested] if isinstance(nested, list) else Fraction(nested)


class Process(NamedTuple):
    initial: list  # [s]
    transitions: list  # [h][s][a] -> {next state: probability}
    reward: list  # [h][s][a]


def process(successors, probabilities, reward, initial, horizon):
    """A process from the arguments of `FiniteHorizonMDP`, as lists."""

    def law(states, weights):
        merged = {}
        for state, weight in zip(states, exact(weights), strict=True):
            if weight:
                merged[state] = merged.get(state, 0) + weight
        return merged

    def in_step(table, h):  # a table of length 1 holds in all steps
        return table[h] if len(table) > 1 else table[0]

    transitions = [
        [
            [law(states, weights) for states, weights in zip(s_row, p_row, strict=True)]
            for s_row, p_row in zip(in_step(successors, h), in_step(probabilities, h), strict=True)
        ]
        for h in range(horizon)
    ]
    return Process(exact(initial), transitions, [exact(in_step(reward, h)) for h in range(horizon)])


def process_of(mdp):
    """The process of a `FiniteHorizonMDP`."""
    return process(
        mdp.successors.tolist(), mdp.probabilities.tolist(), mdp.reward.tolist(), mdp.initial.tolist(), mdp.horizon
    )


def _continuations(model, policy, h, s):
    """Every ((s, a), ...) from state s in step h to the end, with its probability."""
    if h == len(model.reward):
        yield Fraction(1), ()
        return
    for a, p in enumerate(policy[h][s]):
        if p:
            if h + 1 == len(model.reward):
                yield p, ((s, a),)
            else:
                for t, q in model.transitions[h][s][a].items():
                    for rest, path in _continuations(model, policy, h + 1, t):
                        yield p * q * rest, ((s, a), *path)


def trajectories(model, policy):
    """Every trajectory ((s, a), ...) of positive probability, with its probability."""
    for s, start in enumerate(model.initial):
        if start:
            for probability, path in _continuations(model, policy, 0, s):
                yield start * probability, path


def value(model, policy, h, s):
    """V_h(s): the average return of all continuations."""
    return sum(
        (p * sum(model.reward[h + i][t][a] for i, (t, a) in enumerate(path)))
        for p, path in _continuations(model, policy, h, s)
    )


def action_value(model, policy, h, s, a):
    """Q_h(s, a), with the action forced."""
    forced = [[list(row) for row in step] for step in policy]
    forced[h][s] = [Fraction(b == a) for b in range(len(policy[h][s]))]
    return value(model, forced, h, s)


def expected_return(model, policy):
    """Average return of all trajectories."""
    return sum(
        p * sum(model.reward[h][s][a] for h, (s, a) in enumerate(path)) for p, path in trajectories(model, policy)
    )


def occupancy(model, policy):
    """w_h(s, a): the probability of all trajectories that play a in s at step h."""
    w = [[[Fraction(0) for _ in row] for row in step] for step in policy]
    for p, path in trajectories(model, policy):
        for h, (s, a) in enumerate(path):
            w[h][s][a] += p
    return w


def deterministic_policies(horizon, n_states, n_actions):
    """All A^(H S) deterministic policies."""
    for plan in itertools.product(range(n_actions), repeat=horizon * n_states):
        yield [
            [[Fraction(a == plan[h * n_states + s]) for a in range(n_actions)] for s in range(n_states)]
            for h in range(horizon)
        ]


def law_of_counts(model, policy, n_demos):
    """Probability of every table of counts (as nested tuples) that T independent trajectories can leave."""
    n_states, n_actions = len(policy[0]), len(policy[0][0])
    n_cells = len(policy) * n_states * n_actions
    single = {}  # the counts of one trajectory
    for p, path in trajectories(model, policy):
        cells = tuple((h * n_states + s) * n_actions + a for h, (s, a) in enumerate(path))
        single[cells] = single.get(cells, 0) + p
    law = {(0,) * n_cells: Fraction(1)}
    for _ in range(n_demos):
        longer = {}
        for counts, p in law.items():
            for cells, q in single.items():
                more = list(counts)
                for cell in cells:
                    more[cell] += 1
                longer[tuple(more)] = longer.get(tuple(more), 0) + p * q
        law = longer

    def nested(flat):
        rows = tuple(zip(*[iter(flat)] * n_actions, strict=True))
        return tuple(zip(*[iter(rows)] * n_states, strict=True))

    return {nested(flat): p for flat, p in law.items()}


# --- the paper's table of policies: the row of one state ---------------------------------------------------------------


def bc_row(counts):
    """T_h(s, a)/T_h(s); uniform where the state was not visited."""
    n, size = sum(counts), len(counts)
    return [Fraction(k, n) if n else Fraction(1, size) for k in counts]


def uniform_noise_row(counts, alpha):
    """(1 - alpha) BC + alpha uniform."""
    uniform = Fraction(1, len(counts))
    return [(1 - alpha) * p + alpha * uniform for p in bc_row(counts)] if sum(counts) else bc_row(counts)


def posterior_row(counts, mass):
    """The posterior mean under a symmetric Dirichlet prior of the given total mass."""
    return [(k + mass / len(counts)) / (sum(counts) + mass) for k in counts]


def postbc_row(counts, alpha, mass):
    """(1 - alpha) BC + alpha posterior."""
    both = zip(bc_row(counts), posterior_row(counts, mass), strict=True)
    return [(1 - alpha) * p + alpha * q for p, q in both]


def estimator_row(counts, alpha, mass):
    """The row of an estimator with parameters as floats; an infinite mass is uniform noise."""
    if math.isinf(mass):
        return uniform_noise_row(counts, Fraction(alpha))
    return postbc_row(counts, Fraction(alpha), Fraction(mass))


def mean_of_bc_over_polya_draws(counts, mass, n_draws):
    """Average of BC on `n_draws` draws from the urn that starts with counts + mass/A of each colour."""
    size, mean = len(counts), [Fraction(0)] * len(counts)
    for draws in itertools.product(range(size), repeat=n_draws):
        urn = [k + mass / size for k in counts]
        probability = Fraction(1)
        for a in draws:
            probability *= urn[a] / sum(urn)
            urn[a] += 1
        row = bc_row([draws.count(a) for a in range(size)])
        mean = [m + probability * p for m, p in zip(mean, row, strict=True)]
    return mean


# --- one cell ---------------------------------------------------------------------------------------------------------


def compositions(total, parts):
    """All tuples of `parts` non-negative integers with sum `total`."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)


def multinomial_law(n, probabilities):
    """Every outcome of Mult(n, p) with its probability."""
    for counts in compositions(n, len(probabilities)):
        ways = math.factorial(n)
        weight = Fraction(1)
        for k, p in zip(counts, probabilities, strict=True):
            ways //= math.factorial(k)
            weight *= p**k
        yield counts, ways * weight


def cell_law(n_demos, visit_probability, action_probabilities):
    """Counts of a cell's actions, over all data sets of T trajectories that each visit it with probability w."""
    cells = [1 - visit_probability, *(visit_probability * p for p in action_probabilities)]
    for counts, p in multinomial_law(n_demos, cells):
        yield counts[1:], p


def is_covered(row, action_probabilities, gamma):
    """Whether the row gives every action at least gamma times its probability."""
    return all(q >= gamma * p for q, p in zip(row, action_probabilities, strict=True))


def coverage_law(model, policy, n_demos, alpha, mass, gamma):
    """Over all data sets: P[every cell that the demonstrator can reach is covered], and the sum of P[cell not covered]."""
    w = occupancy(model, policy)
    cells = [(h, s) for h, step in enumerate(w) for s, row in enumerate(step) if sum(row)]
    together, failures = Fraction(0), Fraction(0)
    for table, probability in law_of_counts(model, policy, n_demos).items():
        failed = sum(not is_covered(estimator_row(table[h][s], alpha, mass), policy[h][s], gamma) for h, s in cells)
        together += (failed == 0) * probability
        failures += failed * probability
    return together, failures


def binomial_pmf(n, k, p):
    """P[Bin(n, p) = k]."""
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def power_of_complement(x, n):
    """(1 - x)^n for tiny x and huge n, to 40 digits."""
    with localcontext() as context:
        context.prec = 60
        return float((Decimal(n) * (1 - Decimal(x)).ln()).exp())


# --- tables of Gymnasium ----------------------------------------------------------------------------------------------


def table_return(table, initial, horizon, rule):
    """Expected undiscounted reward of `horizon` steps of a table P[s][a]; `rule(h, s, values)` averages over actions.

    After the end of an episode all rewards are 0.
    """
    states = range(len(initial))
    following = [0.0] * len(initial)
    for h in reversed(range(horizon)):
        current = []
        for s in states:
            values = [
                math.fsum(p * (paid + (0.0 if ended else following[t])) for p, t, paid, ended in table[s][a])
                for a in range(len(table[s]))
            ]
            current.append(rule(h, s, values))
        following = current
    return math.fsum(p * v for p, v in zip(initial, following, strict=True))


# --- networks ---------------------------------------------------------------------------------------------------------


def network_outputs(sizes, parameters, inputs):
    """Outputs of a network with ReLUs between its layers, row by row; each sum is rounded once."""
    rows = []
    for row in inputs:
        first = 0  # index of the layer's first parameter
        for layer, (m, n) in enumerate(itertools.pairwise(sizes)):
            weights = [parameters[first + i * n : first + (i + 1) * n] for i in range(m)]
            biases = parameters[first + m * n : first + (m + 1) * n]
            first += (m + 1) * n
            row = [math.fsum([biases[j], *(row[i] * weights[i][j] for i in range(m))]) for j in range(n)]
            if layer + 2 < len(sizes):
                row = [max(value, 0.0) for value in row]
        rows.append(row)
    return rows


def adam_path(start, gradient, rates, longest=math.inf, decay=0.0):
    """Last iterate of Adam and the moving average of the iterates; `gradient` maps parameters to their gradient."""
    parameters, first, second, average = list(start), [0.0] * len(start), [0.0] * len(start), list(start)
    for step, rate in enumerate(rates, start=1):
        g = gradient(parameters)
        norm = math.sqrt(math.fsum(x * x for x in g))
        g = [x * min(1.0, longest / norm) if norm else x for x in g]
        first = [0.9 * m + 0.1 * x for m, x in zip(first, g, strict=True)]
        second = [0.999 * v + 0.001 * x * x for v, x in zip(second, g, strict=True)]
        parameters = [
            p - rate * (m / (1 - 0.9**step)) / (math.sqrt(v / (1 - 0.999**step)) + 1e-8)
            for p, m, v in zip(parameters, first, second, strict=True)
        ]
        average = [decay * a + (1 - decay) * p for a, p in zip(average, parameters, strict=True)]
    return parameters, average
