"""R5: the failures of B.1 and B.2 and the condition of Lemma 3, sharp (steps R5.1 to R5.3).

    R5.1 (B.1)      (1 - 4 eps)^T >= 1/2 for 1 <= T <= 1/(8 eps)                  printed: T <= 1/(20 eps)
    R5.2 (B.2)      a loss <= eps forces alpha <= 2(1 - (1 - 4 eps)^(1/H))        printed: 32 eps
                    the rare event has probability >= 1/(4 sqrt(e)) for T >= 5    printed: 1/(4e)
    R5.3 (Lemma 3)  lambda >= 1.2551 log(SH/delta) suffices                       printed: 4 log(SH/delta)

Letters: S = n_states, H = horizon, T = n_demos, eps = epsilon, alpha = weight of the noise, lambda = prior mass. The
printed bounds are in the modules of B.1, B.2 and Lemma 3 (`b1_bc_fails`, `b2_uniform_fails`, `b3_visits`).
"""

import math

from theory.base.validate import integer, real
from theory.bounds.b1_bc_fails import LARGEST_EPSILON

VISITS_CONSTANT = 1.2551
"""Smallest constant, rounded up to four digits, with which Chernoff's bound proves Lemma 3 (1.2550009...)."""


def r5_max_demos(epsilon: float) -> float:
    """Largest T for which failure of BC with probability 1/2 is proved: 1/(8 eps).

    Tight at epsilon = 1/8, where T = 1 fails with probability 1/2 exactly. T must be at least 1.

    Parameters
    ----------
    epsilon : float
        In (0, 1/8].

    Returns
    -------
    float
        A number of demonstrations, not rounded; at least 1.

    Source: R5.1.
    """
    return 1.0 / (8.0 * real("epsilon", epsilon, above=0.0, at_most=LARGEST_EPSILON))


def r5_alpha_bound(epsilon: float, horizon: int) -> float:
    """Largest weight of uniform noise that keeps the expected loss at or below eps: 2 (1 - (1 - 4 eps)^(1/H)).

    At most 8 eps, and about 8 eps/H for long horizons. Coverage on the rare event is then at most the same number
    (see `r5_coverage_bound`).

    Parameters
    ----------
    epsilon : float
        In (0, 1/4).
    horizon : int
        At least 2.

    Returns
    -------
    float
        In (0, 2); above 1 it says nothing.

    Source: R5.2.
    """
    epsilon = real("epsilon", epsilon, above=0.0, below=0.25)
    horizon = integer("horizon", horizon, at_least=2)
    return -2.0 * math.expm1(math.log1p(-4.0 * epsilon) / horizon)


def r5_coverage_bound(epsilon: float, horizon: int) -> float:
    """Largest coverage that uniform noise can promise with probability above 1 - `r5_rare_event_bound()`.

    The smaller of 1 and `r5_alpha_bound`: on the rare event the policy gives action 1 of the rare state alpha/2, and
    the demonstrator gives it 1/2.

    Parameters
    ----------
    epsilon : float
        In (0, 1/4).
    horizon : int
        At least 2.

    Returns
    -------
    float
        In (0, 1].

    Source: R5.2.
    """
    return min(1.0, r5_alpha_bound(epsilon, horizon))


def r5_rare_event_bound() -> float:
    """Probability that the rare event of B.2 has at least, for every T of at least 5: 1/(4 sqrt(e)).

    Returns
    -------
    float
        About 0.152.

    Source: R5.2.
    """
    return 0.25 * math.exp(-0.5)


def r5_visits_prior_mass(n_states: int, horizon: int, delta: float) -> float:
    """Prior mass that suffices for Lemma 3: 1.2551 log(SH/delta).

    With it, T_h(s) + lambda >= (w T + lambda)/2 for all s and h, with probability at least 1 - delta.

    Parameters
    ----------
    n_states, horizon : int
        At least 1.
    delta : float
        In (0, 1).

    Returns
    -------
    float
        A number of pseudo-visits.

    Source: R5.3.
    """
    cells = integer("n_states", n_states, at_least=1) * integer("horizon", horizon, at_least=1)
    return VISITS_CONSTANT * math.log(cells / real("delta", delta, above=0.0, below=1.0))
