"""R3: coverage of PostBC for every prior mass, and the prior mass to take (steps R3.1 to R3.3).

With probability at least 1 - delta, in every state and step:

    PostBC >= gamma pi_beta,    gamma = min{1/(4 L'), (alpha/A) kappa(lambda/L')},    L' = log(2SAH/delta)

    kappa(c) = inf over x > 0 of c x/((1 + c x)(1 - exp(-x)))

The first term is about actions that were seen (R3.2), the second about those that were not (R3.1): there x = L'/n after
n visits. kappa(c) = c up to c = 1/2, so lambda = L'/2 is the smallest prior mass with gamma = alpha/(2A).

Letters: S = n_states, A = n_actions, H = horizon, alpha = weight of the posterior, lambda = prior_mass.
"""

import math

from scipy.optimize import brentq

from theory.base.validate import integer, real


def log_term(n_states: int, n_actions: int, horizon: int, delta: float) -> float:
    """L' = log(2 S A H/delta), the companion's logarithm.

    Parameters
    ----------
    n_states, n_actions, horizon : int
        At least 1.
    delta : float
        Probability of failure, in (0, 1).

    Returns
    -------
    float
        Above log 2.

    Source: R3.
    """
    cells = (
        integer("n_states", n_states, at_least=1)
        * integer("n_actions", n_actions, at_least=1)
        * integer("horizon", horizon, at_least=1)
    )
    return math.log(2.0 * cells / real("delta", delta, above=0.0, below=1.0))


def kappa(c: float) -> float:
    """Infimum over x > 0 of c x/((1 + c x)(1 - exp(-x))).

    It is c up to c = 1/2, stays below 1 and tends to 1. For c above 1/2 the minimum is where exp(x) - 1 = x (1 + c x).

    Parameters
    ----------
    c : float
        Prior mass over L', above 0 (infinite allowed: uniform noise).

    Returns
    -------
    float
        In (0, 1]; rounded down.

    Source: R3.1.
    """
    return _kappa(real("c", c, above=0.0, finite=False))


def r3_coverage(n_states: int, n_actions: int, horizon: int, delta: float, alpha: float, prior_mass: float) -> float:
    """Coverage of PostBC for every prior mass, with probability at least 1 - delta.

    Parameters
    ----------
    n_states, horizon : int
        At least 1.
    n_actions : int
        At least 2.
    delta : float
        In (0, 1).
    alpha : float
        Weight of the posterior policy, in [0, 1].
    prior_mass : float
        lambda, above 0; infinite for uniform noise with weight alpha.

    Returns
    -------
    float
        min{1/(4 L'), (alpha/A) kappa(lambda/L')} with L' = log(2SAH/delta).

    Source: R3.
    """
    n_actions = integer("n_actions", n_actions, at_least=2)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    prior_mass = real("prior_mass", prior_mass, above=0.0, finite=False)
    log = log_term(n_states, n_actions, horizon, delta)
    return min(0.25 / log, alpha / n_actions * _kappa(prior_mass / log))


def best_prior_mass(n_states: int, n_actions: int, horizon: int, delta: float) -> float:
    """Prior mass that the companion recommends: L'/2, the smallest at which R3 gives alpha/(2A).

    Parameters
    ----------
    n_states, n_actions, horizon : int
        At least 1.
    delta : float
        In (0, 1).

    Returns
    -------
    float
        lambda, above 0.34.

    Source: R3.
    """
    return 0.5 * log_term(n_states, n_actions, horizon, delta)


def _kappa(c: float) -> float:
    if c <= 0.5:
        return c
    if math.isinf(c):
        return 1.0
    high = 1.0
    while _kappa_root(high, c) < 0.0:
        high *= 2.0
    x = brentq(_kappa_root, 0.0, high, args=(c,), xtol=1e-15, rtol=1e-14)
    # The function is a ratio of rounded numbers near its minimum: without the last factors kappa could come out a unit
    # too large, and a bound that rests on it would promise too much.
    if x < 1e-6:  # the minimum is c up to terms of order (c - 1/2)^2
        return min(c, _kappa_at(1e-6, c)) * (1.0 - 1e-11)
    return _kappa_at(x, c) * (1.0 - 1e-14)


def _kappa_at(x: float, c: float) -> float:
    return c * x / ((1.0 + c * x) * -math.expm1(-x))


def _kappa_root(x: float, c: float) -> float:
    """(exp(x) - 1 - x)/x^2 - c, which increases from 1/2 - c."""
    if x < 1e-2:  # by its series: the difference below would lose half of its digits
        return 0.5 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x / 720))) - c
    if x > 700.0:  # exp(x) is above all floats soon, and the root of every finite c that matters lies below
        return math.inf
    return (math.expm1(x) - x) / (x * x) - c
