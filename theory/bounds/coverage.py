"""B.3: how well PostBC covers the demonstrator's actions (`lemma-coverage`, and the companion's R2 and R3).

Coverage gamma: the policy gives every action of the demonstrator at least gamma times the demonstrator's probability.

Letters: S = n_states, A = n_actions, H = horizon, lambda = prior_mass, p = probability (of an action).
"""

import math

from scipy.optimize import brentq

from theory.base.validate import integer, real

LARGEST_DELTA = 0.9
"""Lemma 1 asks for delta of at most 0.9: then 16 log(1/delta) is at least 1."""


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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R3.
    """
    return math.log(2.0 * _size(n_states, n_actions, horizon) / _failure(delta))


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

    Raises
    ------
    TypeError, ValueError
        If `c` is not a number above 0.

    Source: R3.1.
    """
    c = real("c", c, above=0.0, finite=False)
    if c <= 0.5:
        return c
    if math.isinf(c):
        return 1.0
    high = 1.0
    while _kappa_root(high, c) < 0.0:
        high *= 2.0
    x = brentq(_kappa_root, 0.0, high, args=(c,), xtol=1e-15, rtol=1e-14)
    if x < 1e-6:  # the minimum is c up to terms of order (c - 1/2)^2
        return min(c, _kappa_at(1e-6, c)) * (1.0 - 1e-11)
    return _kappa_at(x, c) * (1.0 - 1e-14)


def paper_lemma_bound(
    probability: float, alpha: float, prior_mass: float, n_states: int, horizon: int, delta: float
) -> float:
    """Lemma 1 as printed: a lower bound on PostBC's probability of one action.

    False as printed when there are many actions: its union bound leaves them out. See `lemma_bound`.

    Parameters
    ----------
    probability : float
        The demonstrator's probability of the action, in [0, 1].
    alpha : float
        Weight of the posterior policy, in [0, 1].
    prior_mass : float
        lambda, above 0; the lemma asks for at least the number of actions.
    n_states, horizon : int
        At least 1.
    delta : float
        In (0, 0.9].

    Returns
    -------
    float
        alpha * min{p/(64 log(SH/delta)), 1/(2 lambda)}.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: lemma-coverage.
    """
    log = math.log(_size(n_states, 1, horizon) / _failure(delta, at_most=LARGEST_DELTA))
    return _lemma_form(probability, alpha, prior_mass, log)


def lemma_bound(
    probability: float,
    alpha: float,
    prior_mass: float,
    n_states: int,
    n_actions: int,
    horizon: int,
    delta: float,
) -> float:
    """Lemma 1 corrected: the union bound is over actions too, so the logarithm is log(S A H/delta).

    With probability at least 1 - delta it bounds PostBC's probability of every action, state and step from below.

    Parameters
    ----------
    probability : float
        The demonstrator's probability of the action, in [0, 1].
    alpha : float
        Weight of the posterior policy, in [0, 1].
    prior_mass : float
        lambda, at least `n_actions`.
    n_states, n_actions, horizon : int
        At least 1.
    delta : float
        In (0, 0.9].

    Returns
    -------
    float
        alpha * min{p/(64 log(SAH/delta)), 1/(2 lambda)}.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: lemma-coverage, corrected (B3.7).
    """
    log = math.log(_size(n_states, n_actions, horizon) / _failure(delta, at_most=LARGEST_DELTA))
    real("prior_mass", prior_mass, at_least=n_actions)
    return _lemma_form(probability, alpha, prior_mass, log)


def r2_coverage(n_states: int, n_actions: int, horizon: int, delta: float, alpha: float, prior_mass: float) -> float:
    """Coverage of PostBC with prior_mass >= A, with probability at least 1 - delta, without log A.

    Parameters
    ----------
    n_states, n_actions, horizon : int
        At least 1.
    delta : float
        In (0, 1).
    alpha : float
        Weight of the posterior policy, in [0, 1].
    prior_mass : float
        lambda, at least `n_actions`.

    Returns
    -------
    float
        alpha * min{1/(5 log(SH/delta)), 1/(2 lambda)}.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R2.
    """
    n_actions = integer("n_actions", n_actions, at_least=1)
    prior_mass = real("prior_mass", prior_mass, at_least=n_actions)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    log = math.log(_size(n_states, 1, horizon) / _failure(delta))
    return alpha / max(5.0 * log, 2.0 * prior_mass)


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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R3.
    """
    n_actions = integer("n_actions", n_actions, at_least=2)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    prior_mass = real("prior_mass", prior_mass, above=0.0, finite=False)
    log = log_term(n_states, n_actions, horizon, delta)
    return min(0.25 / log, alpha / n_actions * kappa(prior_mass / log))


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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R3.
    """
    return 0.5 * log_term(n_states, n_actions, horizon, delta)


def _lemma_form(probability: float, alpha: float, prior_mass: float, log: float) -> float:
    p = real("probability", probability, at_least=0.0, at_most=1.0)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    prior_mass = real("prior_mass", prior_mass, above=0.0)
    return alpha * min(p / (64.0 * log), 0.5 / prior_mass)


def _failure(delta: float, at_most: float | None = None) -> float:
    return real("delta", delta, above=0.0, below=1.0, at_most=at_most)


def _size(n_states: int, n_actions: int, horizon: int) -> int:
    return (
        integer("n_states", n_states, at_least=1)
        * integer("n_actions", n_actions, at_least=1)
        * integer("horizon", horizon, at_least=1)
    )


def _kappa_at(x: float, c: float) -> float:
    return c * x / ((1.0 + c * x) * -math.expm1(-x))


def _kappa_root(x: float, c: float) -> float:
    """(exp(x) - 1 - x)/x^2 - c, which increases from 1/2 - c."""
    if x < 1e-2:
        return 0.5 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x / 720))) - c
    if x > 700.0:
        return math.inf
    return (math.expm1(x) - x) / (x * x) - c
