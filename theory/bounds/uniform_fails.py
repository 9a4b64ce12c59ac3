"""B.2: mixing BC with uniform noise fails (`prop-uniform-fails`).

States s~_1..s~_k, s_1, s_2 and two actions. Every s~_i is absorbing; s_1 is a chain that one wrong action leaves for
the absorbing s_2. Noise that covers the second action of a rare s~_i leaves the chain too often.

Letters: T = n_demos, H = horizon, A = n_actions, eps = epsilon, k = n_rare_states, gamma = coverage.
"""

import math

import numpy as np
from numpy.typing import NDArray

from theory.base.validate import integer, real

MIN_DEMOS = 5
"""Smallest T of the corrected claim: below it the rare state would be s~_1, whose probability does not halve."""


def paper_alpha_bound(epsilon: float) -> float:
    """Largest noise weight that the paper allows at a loss of eps: 32 eps.

    Parameters
    ----------
    epsilon : float
        At least 0.

    Returns
    -------
    float
        Above 1, and then without content, for epsilon above 1/32.

    Raises
    ------
    TypeError, ValueError
        If `epsilon` is not a number of at least 0.

    Source: B2.10.
    """
    return 32.0 * real("epsilon", epsilon, at_least=0.0)


def paper_coverage_bound(epsilon: float, n_actions: int) -> float:
    """Largest coverage that the paper allows at a loss of eps, on an event of probability 1/(4e): 64 eps/A.

    Parameters
    ----------
    epsilon : float
        At least 0.
    n_actions : int
        At least 1; the construction has A = 2.

    Returns
    -------
    float
        A coverage; above 1 it says nothing.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: B2.13.
    """
    return 64.0 * real("epsilon", epsilon, at_least=0.0) / integer("n_actions", n_actions, at_least=1)


def alpha_bound(epsilon: float, horizon: int) -> float:
    """Largest noise weight that keeps the expected loss at or below eps: 2 (1 - (1 - 4 eps)^(1/H)).

    At most 8 eps, and about 8 eps/H for long horizons. Coverage on the rare event is then at most the same number
    (see `coverage_bound`).

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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R5.
    """
    epsilon = real("epsilon", epsilon, above=0.0, below=0.25)
    horizon = integer("horizon", horizon, at_least=2)
    return -2.0 * math.expm1(math.log1p(-4.0 * epsilon) / horizon)


def coverage_bound(epsilon: float, horizon: int) -> float:
    """Largest coverage that uniform noise can promise with probability above 1 - `failure_confidence()`.

    The smaller of 1 and `alpha_bound`: on the rare event the policy gives action 1 of the rare state alpha/2, and the
    demonstrator gives it 1/2.

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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R5.
    """
    return min(1.0, alpha_bound(epsilon, horizon))


def paper_failure_confidence() -> float:
    """Probability of the rare event that the paper claims: 1/(4e).

    Returns
    -------
    float
        About 0.092.

    Source: B2.12.
    """
    return 1.0 / (4.0 * math.e)


def failure_confidence() -> float:
    """Probability that the rare event has for every T of at least 5: 1/(4 sqrt(e)).

    Returns
    -------
    float
        About 0.152.

    Source: R5.
    """
    return 0.25 * math.exp(-0.5)


def min_rare_states(n_demos: int) -> int:
    """Smallest k for which the rare state exists: ceil(log2 T) - 1, and at least 1.

    Parameters
    ----------
    n_demos : int
        T, at least 5.

    Returns
    -------
    int
        Also the index i_T of the rare state, counted from 1.

    Raises
    ------
    TypeError, ValueError
        If `n_demos` is not an integer of at least 5.

    Source: B2.11, R5.
    """
    return (integer("n_demos", n_demos, at_least=MIN_DEMOS) - 1).bit_length() - 1


def initial_distribution(n_rare_states: int) -> NDArray[np.float64]:
    """Distribution of the first state, with the printed one's excess of 2^-(k+1) taken from s~_1.

    Parameters
    ----------
    n_rare_states : int
        k, at least 1.

    Returns
    -------
    ndarray of shape (k + 2,)
        Probabilities of s~_1..s~_k, s_1, s_2: 2^-2 + 2^-(k+1), then 2^-(i+1), then 1/2 and 0.

    Raises
    ------
    TypeError, ValueError
        If `n_rare_states` is not an integer of at least 1.

    Source: B2.1, corrected.
    """
    k = integer("n_rare_states", n_rare_states, at_least=1)
    start = np.zeros(k + 2)
    start[:k] = 0.5 ** np.arange(2, k + 2)
    start[0] += 0.5 ** (k + 1)
    start[k] = 0.5
    return start


def failure_probability(n_demos: int) -> float:
    """Exact probability of the rare event: one visit to s~_iT, and it shows action 2.

    Parameters
    ----------
    n_demos : int
        T, at least 5; with k of at least `min_rare_states(n_demos)`.

    Returns
    -------
    float
        (T/2) w (1 - w)^(T-1) with w = 2^-(i_T + 1); at least `failure_confidence()`.

    Raises
    ------
    TypeError, ValueError
        If `n_demos` is not an integer of at least 5.

    Source: B2.12.
    """
    n_demos = integer("n_demos", n_demos, at_least=MIN_DEMOS)
    w = 0.5 ** (min_rare_states(n_demos) + 1)
    return 0.5 * n_demos * w * math.exp((n_demos - 1) * math.log1p(-w))


def value_loss(alpha: float, epsilon: float, horizon: int) -> float:
    """Exact loss of the best policy with noise weight alpha on the chain, against the demonstrator.

    Parameters
    ----------
    alpha : float
        Noise weight, in [0, 1].
    epsilon : float
        In (0, 1/4].
    horizon : int
        H, at least 2.

    Returns
    -------
    float
        -eps + (1 - (1 - alpha/2)^H)/2, in units of reward; a lower bound on the loss of BC mixed with uniform noise.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: B2.7, R5.
    """
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    epsilon = real("epsilon", epsilon, above=0.0, at_most=0.25)
    horizon = integer("horizon", horizon, at_least=2)
    return -epsilon - 0.5 * math.expm1(horizon * math.log1p(-0.5 * alpha))
