"""R1: the suboptimality of the whole family of policies, without a logarithm (steps R1.1 to R1.6).

A policy of the family (`theory.bounds.family`) plays (1 - a_n) BC + a_n uniform after n visits, a_n = alpha lambda/(n +
lambda) and a_0 = 1: alpha = 0 is BC, lambda = infinity is uniform noise, alpha = 1 is the posterior policy. Where the
demonstrator visits s in step h with probability w, T_h(s) = N ~ Bin(T, w), and for rewards in [0, 1]

    |J(pi_beta) - E J(pi)| <= (1 - 1/A) sum_h (H - h + 1) sum_s w E[a_N]
    w E[a_N] = (1 - alpha) w (1 - w)^T + alpha w E[lambda/(N + lambda)]

Letters: S = n_states, A = n_actions, H = horizon, T = n_demos, lambda = prior_mass, w = visit_probability.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.base.validate import integer, probabilities, real, subdistribution
from theory.bounds.b3_visits import missing_mass
from theory.bounds.binomial import binomial_expectation
from theory.bounds.family import noise_weight


def expected_noise(visit_probability: ArrayLike, n_demos: int, alpha: float, prior_mass: float) -> NDArray[np.float64]:
    """Compute w E[a_N], N ~ Bin(T, w): the expected weight of the uniform policy where the demonstrator goes.

    Parameters
    ----------
    visit_probability : array_like of any shape
        w, entries in [0, 1].
    n_demos : int
        At least 1.
    alpha : float
        In [0, 1].
    prior_mass : float
        Above 0; may be `math.inf`.

    Returns
    -------
    ndarray
        (1 - alpha) w (1 - w)^T + alpha w E[lambda/(Bin(T, w) + lambda)], of the shape of `visit_probability`.

    Source: R1.
    """
    return _expected_noise(probabilities("visit_probability", visit_probability), n_demos, alpha, prior_mass)


def r1_bound(visit_probability: ArrayLike, n_actions: int, n_demos: int, alpha: float, prior_mass: float) -> float:
    """Bound on |J(demonstrator) - E J(policy)| from the demonstrator's visit probabilities.

    Parameters
    ----------
    visit_probability : array_like of shape (H, S)
        w_h(s), the demonstrator's probability of being in s at step h; rows sum to at most 1 (within 1e-9).
    n_actions : int
        At least 1.
    n_demos : int
        At least 1.
    alpha : float
        In [0, 1]; 0 is BC.
    prior_mass : float
        Above 0; `math.inf` is uniform noise of weight alpha.

    Returns
    -------
    float
        (1 - 1/A) sum_h (H - h + 1) sum_s w E[a_N], in units of reward, for rewards in [0, 1]. Holds in both directions.

    Source: R1.
    """
    w = subdistribution("visit_probability", visit_probability, shape=(None, None))
    n_actions = integer("n_actions", n_actions, at_least=1)
    to_go = np.arange(w.shape[0], 0, -1.0)
    return float((1.0 - 1.0 / n_actions) * (to_go @ _expected_noise(w, n_demos, alpha, prior_mass).sum(axis=1)))


def r1_simple_bound(
    n_states: int, n_actions: int, horizon: int, n_demos: int, alpha: float, prior_mass: float
) -> float:
    """R1 without the visit probabilities: the worst over all demonstrators.

    (1 - 1/A) H (H+1)/2 {(1 - alpha) min(S m_T, 1) + alpha min(S max(1, lambda)/(T + 1), 1)}.

    Parameters
    ----------
    n_states, n_actions, horizon, n_demos : int
        At least 1.
    alpha : float
        In [0, 1].
    prior_mass : float
        Above 0; may be `math.inf`.

    Returns
    -------
    float
        In units of reward, for rewards in [0, 1]; at least `r1_bound` of any demonstrator.

    Source: R1, R1.5.
    """
    n_states = integer("n_states", n_states, at_least=1)
    n_actions = integer("n_actions", n_actions, at_least=1)
    horizon = integer("horizon", horizon, at_least=1)
    n_demos = integer("n_demos", n_demos, at_least=1)
    alpha, mass = _family(alpha, prior_mass)
    unseen = min(n_states * missing_mass(n_demos), 1.0)
    posterior = min(n_states * max(1.0, mass) / (n_demos + 1), 1.0)
    return (1.0 - 1.0 / n_actions) * 0.5 * horizon * (horizon + 1) * ((1.0 - alpha) * unseen + alpha * posterior)


def _expected_noise(w: NDArray[np.float64], n_demos: int, alpha: float, prior_mass: float) -> NDArray[np.float64]:
    n_demos = integer("n_demos", n_demos, at_least=1)
    alpha, mass = _family(alpha, prior_mass)
    with np.errstate(divide="ignore"):  # w = 1: the logarithm is -infinity, and the power is 0 as it should be
        unseen: NDArray[np.float64] = np.exp(n_demos * np.log1p(-w))
    posterior = np.ones_like(w)
    if alpha > 0.0 and not math.isinf(mass):
        posterior = binomial_expectation(lambda n: noise_weight(n, 1.0, mass), n_demos, w)
    noise: NDArray[np.float64] = w * ((1.0 - alpha) * unseen + alpha * posterior)
    return noise


def _family(alpha: float, prior_mass: float) -> tuple[float, float]:
    return (
        real("alpha", alpha, at_least=0.0, at_most=1.0),
        real("prior_mass", prior_mass, above=0.0, finite=False),
    )
