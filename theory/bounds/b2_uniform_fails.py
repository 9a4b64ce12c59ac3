"""B.2: mixing BC with uniform noise fails (`prop-uniform-fails`, steps B2.1 to B2.14).

States s~_1..s~_k, s_1, s_2 and two actions. Every s~_i is absorbing and rare; s_1 is a chain that action 2 leaves for
the absorbing s_2. The policy is (1 - alpha) BC + alpha uniform, with one alpha everywhere:

    loss on the chain    -eps + (1 - (1 - alpha/2)^H)/2      (the reward of the chain asks for action 1 in all H steps)
    rare event           s~_iT, of probability 2^-(i_T + 1) in [1/(2T), 1/T], is visited once and shows action 2
    coverage             then the policy gives action 1 of s~_iT alpha/2, and the demonstrator gives it 1/2

So noise that covers the rare state's action 1 loses too much on the chain.

Letters: T = n_demos, H = horizon, A = n_actions, eps = epsilon, k = n_rare_states, alpha = weight of the noise,
gamma = coverage. R5 has the sharper constants (`r5_sharp_failures`).
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
        Above 1, and so vacuous, for epsilon above 1/32.

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

    Source: B2.13.
    """
    return 64.0 * real("epsilon", epsilon, at_least=0.0) / integer("n_actions", n_actions, at_least=1)


def paper_rare_event_bound() -> float:
    """Probability of the rare event that the paper claims: 1/(4e).

    Returns
    -------
    float
        About 0.092.

    Source: B2.12.
    """
    return 1.0 / (4.0 * math.e)


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

    Source: B2.11, R5.
    """
    return _rare_state(integer("n_demos", n_demos, at_least=MIN_DEMOS))


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

    Source: B2.1, corrected.
    """
    k = integer("n_rare_states", n_rare_states, at_least=1)
    start = np.zeros(k + 2)
    start[:k] = 0.5 ** np.arange(2, k + 2)
    start[0] += 0.5 ** (k + 1)
    start[k] = 0.5
    return start


def rare_event_probability(n_demos: int) -> float:
    """Exact probability of the rare event: one visit to s~_iT, and it shows action 2.

    Parameters
    ----------
    n_demos : int
        T, at least 5; with k of at least `min_rare_states(n_demos)`.

    Returns
    -------
    float
        (T/2) w (1 - w)^(T-1) with w = 2^-(i_T + 1); at least `r5_rare_event_bound()`.

    Source: B2.12.
    """
    n_demos = integer("n_demos", n_demos, at_least=MIN_DEMOS)
    w = 0.5 ** (_rare_state(n_demos) + 1)
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

    Source: B2.7, R5.
    """
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    epsilon = real("epsilon", epsilon, above=0.0, at_most=0.25)
    horizon = integer("horizon", horizon, at_least=2)
    return -epsilon - 0.5 * math.expm1(horizon * math.log1p(-0.5 * alpha))


def _rare_state(n_demos: int) -> int:
    """i_T, the first i with 2^(i+1) >= T, by bits: a logarithm in floating point may miss powers of two."""
    return (n_demos - 1).bit_length() - 1
