"""B.3: how much worse than the demonstrator PostBC is (`lemma-suboptimality`, `thm-main`, and the companion's R1).

All four policies are (1 - a_n) BC + a_n uniform with n = T_h(s), a_0 = 1 and a_n = alpha lambda/(n + lambda): alpha = 0
is BC, lambda = infinity is uniform noise, alpha = 1 is the posterior policy.

Letters: S = n_states, A = n_actions, H = horizon, T = n_demos, lambda = prior_mass, w = visit_probability.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.base.validate import array, first_index, integer, real
from theory.bounds.expectations import binomial_expectation
from theory.bounds.family import noise_weight
from theory.bounds.visits import missing_mass

MAIN_CONSTANT = 28.0
"""With it the main theorem's rate H^2 S log(T)/T is a bound for every T of at least 2."""


def r1_bound(visit_probability: ArrayLike, n_actions: int, n_demos: int, alpha: float, prior_mass: float) -> float:
    """Bound on |J(demonstrator) - E J(PostBC)| from the demonstrator's visit probabilities.

    (1 - 1/A) sum_h (H - h + 1) sum_s {(1 - alpha) w (1 - w)^T + alpha w E[lambda/(Bin(T, w) + lambda)]}.

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
        In units of reward, for rewards in [0, 1]. Holds in both directions.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R1.
    """
    w = _visit_probability(visit_probability)
    n_actions = integer("n_actions", n_actions, at_least=1)
    to_go = np.arange(w.shape[0], 0, -1.0)
    return float((1.0 - 1.0 / n_actions) * (to_go @ expected_noise(w, n_demos, alpha, prior_mass).sum(axis=1)))


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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R1.
    """
    w = _in_unit_interval("visit_probability", visit_probability)
    n_demos = integer("n_demos", n_demos, at_least=1)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    prior_mass = real("prior_mass", prior_mass, above=0.0, finite=False)
    with np.errstate(divide="ignore"):
        unseen: NDArray[np.float64] = np.exp(n_demos * np.log1p(-w))
    posterior = np.ones_like(w)
    if alpha > 0.0 and not math.isinf(prior_mass):
        distinct, place = np.unique(w, return_inverse=True)  # states that are as likely share one sum
        shrinkage = binomial_expectation(lambda n: noise_weight(n, 1.0, prior_mass), n_demos, distinct)
        posterior = shrinkage[place].reshape(w.shape)
    noise: NDArray[np.float64] = w * ((1.0 - alpha) * unseen + alpha * posterior)
    return noise


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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R1, R1.5.
    """
    n_states = integer("n_states", n_states, at_least=1)
    n_actions = integer("n_actions", n_actions, at_least=1)
    horizon = integer("horizon", horizon, at_least=1)
    n_demos = integer("n_demos", n_demos, at_least=1)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    prior_mass = real("prior_mass", prior_mass, above=0.0, finite=False)
    unseen = min(n_states * missing_mass(n_demos), 1.0)
    posterior = min(n_states * max(1.0, prior_mass) / (n_demos + 1), 1.0)
    return (1.0 - 1.0 / n_actions) * 0.5 * horizon * (horizon + 1) * ((1.0 - alpha) * unseen + alpha * posterior)


def paper_rate(n_states: int, horizon: int, n_demos: int) -> float:
    """Rate of the main theorem, without its unstated constant: H^2 S log(T)/T.

    Zero at T = 1, where no constant makes it a bound.

    Parameters
    ----------
    n_states, horizon, n_demos : int
        At least 1.

    Returns
    -------
    float
        In units of reward, up to a constant.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer of at least 1.

    Source: thm-main.
    """
    n_states = integer("n_states", n_states, at_least=1)
    horizon = integer("horizon", horizon, at_least=1)
    n_demos = integer("n_demos", n_demos, at_least=1)
    return horizon**2 * n_states * math.log(n_demos) / n_demos


def paper_lemma_rate(n_states: int, horizon: int, n_demos: int, alpha: float, prior_mass: float) -> float:
    """Lemma 2's rate, without its unstated constant: (1 + alpha H) H^2 S log(T)/T + alpha H^2 S lambda/T.

    Parameters
    ----------
    n_states, horizon, n_demos : int
        At least 1.
    alpha : float
        In [0, 1].
    prior_mass : float
        lambda, above 0; the lemma asks for at least 4 log(HT).

    Returns
    -------
    float
        In units of reward, up to a constant.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: lemma-suboptimality.
    """
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    prior_mass = real("prior_mass", prior_mass, above=0.0)
    log_part = (1.0 + alpha * horizon) * paper_rate(n_states, horizon, n_demos)
    return log_part + alpha * horizon**2 * n_states * prior_mass / n_demos


def lemma_bound(n_states: int, horizon: int, n_demos: int, alpha: float, prior_mass: float) -> float:
    """Lemma 2 with its constants, along the paper's own proof: a bound on E[J(BC) - J(PostBC)].

    4 alpha H {H S lambda/T + H (H+1)/2 S m_T} + H S/T: the terms of B3.13 and B3.14 (the first through R1.6 in place
    of a quoted rate), and the complement of Lemma 3's event, on which the loss is at most H.

    Parameters
    ----------
    n_states, horizon, n_demos : int
        At least 1.
    alpha : float
        In [0, 1].
    prior_mass : float
        lambda, at least 4 log(HT) and above 0.

    Returns
    -------
    float
        In units of reward, for rewards in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: lemma-suboptimality, explicit.
    """
    n_states = integer("n_states", n_states, at_least=1)
    horizon = integer("horizon", horizon, at_least=1)
    n_demos = integer("n_demos", n_demos, at_least=1)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    prior_mass = real("prior_mass", prior_mass, above=0.0)
    real("prior_mass", prior_mass, at_least=4.0 * math.log(horizon * n_demos) * (1.0 - 1e-15))
    noise = horizon * n_states * prior_mass / n_demos
    unseen = 0.5 * horizon * (horizon + 1) * n_states * missing_mass(n_demos)
    return 4.0 * alpha * horizon * (noise + unseen) + horizon * n_states / n_demos


def paper_parameters(n_actions: int, horizon: int, n_demos: int) -> tuple[float, float]:
    """Weights of the main theorem: alpha = 1/max{A, H, log(HT)}, lambda = max{A, 4 log(HT)}.

    Parameters
    ----------
    n_actions, horizon, n_demos : int
        At least 1.

    Returns
    -------
    alpha : float
        In (0, 1].
    prior_mass : float
        At least `n_actions`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer of at least 1.

    Source: thm-main.
    """
    n_actions = integer("n_actions", n_actions, at_least=1)
    log = math.log(integer("horizon", horizon, at_least=1) * integer("n_demos", n_demos, at_least=1))
    return 1.0 / max(n_actions, horizon, log), max(float(n_actions), 4.0 * log)


def main_bound(n_states: int, n_actions: int, horizon: int, n_demos: int) -> float:
    """Bound of the main theorem with its constants and the paper's parameters, on J(demonstrator) - E J(PostBC).

    BC's own loss by R1 plus `lemma_bound`. At most `MAIN_CONSTANT` times the paper's rate for T of at least 2.

    Parameters
    ----------
    n_states, n_actions, horizon, n_demos : int
        At least 1.

    Returns
    -------
    float
        In units of reward, for rewards in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer of at least 1.

    Source: thm-main, explicit.
    """
    alpha, prior_mass = paper_parameters(n_actions, horizon, n_demos)
    bc = r1_simple_bound(n_states, n_actions, horizon, n_demos, 0.0, prior_mass)
    return bc + lemma_bound(n_states, horizon, n_demos, alpha, prior_mass)


def _visit_probability(value: ArrayLike) -> NDArray[np.float64]:
    w = _in_unit_interval("visit_probability", array("visit_probability", value, shape=(None, None)))
    off = w.sum(axis=1) > 1.0 + 1e-9
    if off.any():
        where = first_index(off)
        total = w.sum(axis=1)[where].item()
        raise ValueError(f"visit_probability rows must sum to at most 1; row {where} sums to {total:.12g}")
    return w


def _in_unit_interval(name: str, value: ArrayLike) -> NDArray[np.float64]:
    w = array(name, value)
    off = (w < 0.0) | (w > 1.0 + 1e-9)
    if off.any():
        where = first_index(off)
        raise ValueError(f"{name} must lie in [0, 1]; entry {where} is {w[where].item()}")
    clipped: NDArray[np.float64] = np.minimum(w, 1.0)
    return clipped
