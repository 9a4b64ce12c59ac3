"""B.3, Lemma 1: how well PostBC covers the demonstrator's actions (`lemma-coverage`, steps B3.1 to B3.7).

A policy has coverage gamma if it gives every action at least gamma times the demonstrator's probability p, in every
state and step. Lemma 1 bounds PostBC's probability of one action from below, with probability at least 1 - delta:

    pi~ >= alpha min{p/(64 L), 1/(2 lambda)},    L = log(SH/delta) as printed, log(SAH/delta) corrected

Letters: S = n_states, A = n_actions, H = horizon, p = probability, alpha = weight of the posterior, lambda =
prior_mass. R2 and R3 are sharper (`r2_coverage`, `r3_coverage`).
"""

import math

from theory.base.validate import integer, real

LARGEST_DELTA = 0.9
"""Lemma 1 asks for delta of at most 0.9: then 16 log(1/delta) is at least 1."""


def paper_lemma1_bound(
    probability: float, alpha: float, prior_mass: float, n_states: int, horizon: int, delta: float
) -> float:
    """Lemma 1 as printed: a lower bound on PostBC's probability of one action.

    False as printed when there are many actions: its union bound leaves them out. See `lemma1_bound`.

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

    Source: lemma-coverage.
    """
    log = _log(n_states, 1, horizon, delta)
    return _lemma1(probability, alpha, real("prior_mass", prior_mass, above=0.0), log)


def lemma1_bound(
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

    Source: lemma-coverage, corrected (B3.7).
    """
    log = _log(n_states, n_actions, horizon, delta)
    return _lemma1(probability, alpha, real("prior_mass", prior_mass, at_least=n_actions), log)


def _lemma1(probability: float, alpha: float, prior_mass: float, log: float) -> float:
    p = real("probability", probability, at_least=0.0, at_most=1.0)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    return alpha * min(p / (64.0 * log), 0.5 / prior_mass)


def _log(n_states: int, n_actions: int, horizon: int, delta: float) -> float:
    cells = (
        integer("n_states", n_states, at_least=1)
        * integer("n_actions", n_actions, at_least=1)
        * integer("horizon", horizon, at_least=1)
    )
    return math.log(cells / real("delta", delta, above=0.0, at_most=LARGEST_DELTA))
