"""B.4: no estimator covers much better (`lemma-hellinger`, `thm-lower-bound`, steps B4.1 to B4.8).

One bandit, arm 1 pays 1. Demonstrator 1 plays arm 1 only; demonstrator i > 1 plays arm 1 with probability 1 - alpha and
arm i with alpha. An estimator must cover each of them, gamma, with probability 1 - delta, and lose at most xi on each.

    Lemma 5      P_i(E) <= 2 P_j(E) + T alpha for every event E of the data
    theorem      gamma <= 4 xi/((A - 1) alpha) for T <= 1/(4 alpha), delta <= 1/4      printed: xi/(2 A alpha)
    corollary    gamma <= 16 c log(T)/(A - 1) for xi = c log(T)/T, alpha = 1/(4T)      printed: c log(T)/A

Letters: A = n_actions, T = n_demos, xi = suboptimality, alpha = rare_probability, c = constant. R4 has the exact
frontier of this family (`r4_frontier`).
"""

import math

from theory.base.validate import integer, real


def paper_theorem_bound(suboptimality: float, n_actions: int, rare_probability: float) -> float:
    """Bound on coverage of the theorem as printed, xi/(2 A alpha). False: see `theorem_bound`.

    Parameters
    ----------
    suboptimality : float
        xi, at least 0.
    n_actions : int
        At least 2.
    rare_probability : float
        alpha, in (0, 1).

    Returns
    -------
    float
        A coverage; above 1 it says nothing.

    Source: thm-lower-bound.
    """
    xi, n_actions, alpha = _family(suboptimality, n_actions, rare_probability)
    return xi / (2 * n_actions * alpha)


def theorem_bound(suboptimality: float, n_actions: int, rare_probability: float) -> float:
    """Bound on coverage of the theorem, corrected: 4 xi/((A - 1) alpha), for T <= 1/(4 alpha) and delta <= 1/4.

    Parameters
    ----------
    suboptimality : float
        xi, at least 0.
    n_actions : int
        At least 2.
    rare_probability : float
        alpha, in (0, 1).

    Returns
    -------
    float
        A coverage; above 1 it says nothing.

    Source: thm-lower-bound, corrected (B4.8).
    """
    xi, n_actions, alpha = _family(suboptimality, n_actions, rare_probability)
    return 4.0 * xi / ((n_actions - 1) * alpha)


def change_of_measure_bound(probability: float, rare_probability: float, n_demos: int) -> float:
    """Bound of Lemma 5 on P_i[pi_hat(i) >= gamma alpha]: 2 P_j[pi_hat(i) >= gamma alpha] + T alpha.

    Parameters
    ----------
    probability : float
        P_j of the same event, in [0, 1].
    rare_probability : float
        alpha, in (0, 1).
    n_demos : int
        T, at least 1.

    Returns
    -------
    float
        Above 1 it says nothing.

    Source: lemma-hellinger.
    """
    probability = real("probability", probability, at_least=0.0, at_most=1.0)
    alpha = real("rare_probability", rare_probability, above=0.0, below=1.0)
    return 2.0 * probability + integer("n_demos", n_demos, at_least=1) * alpha


def paper_corollary_bound(constant: float, n_actions: int, n_demos: int) -> float:
    """Bound on coverage of the corollary as printed, c log(T)/A, for xi = c log(T)/T and alpha = 1/(2T).

    False: see `corollary_bound`.

    Parameters
    ----------
    constant : float
        c, at least 0.
    n_actions : int
        At least 2.
    n_demos : int
        T, at least 1.

    Returns
    -------
    float
        A coverage; above 1 it says nothing.

    Source: thm-lower-bound.
    """
    log = math.log(integer("n_demos", n_demos, at_least=1))
    return real("constant", constant, at_least=0.0) * log / integer("n_actions", n_actions, at_least=2)


def corollary_bound(constant: float, n_actions: int, n_demos: int) -> float:
    """Bound on coverage of the corollary, corrected, with alpha = 1/(4T) as the condition asks: 16 c log(T)/(A - 1).

    Parameters
    ----------
    constant : float
        c, at least 0: the suboptimality is c log(T)/T.
    n_actions : int
        At least 2.
    n_demos : int
        T, at least 1.

    Returns
    -------
    float
        A coverage; above 1 it says nothing.

    Source: thm-lower-bound, corrected.
    """
    log = math.log(integer("n_demos", n_demos, at_least=1))
    return 16.0 * real("constant", constant, at_least=0.0) * log / (integer("n_actions", n_actions, at_least=2) - 1)


def _family(suboptimality: float, n_actions: int, rare_probability: float) -> tuple[float, int, float]:
    return (
        real("suboptimality", suboptimality, at_least=0.0),
        integer("n_actions", n_actions, at_least=2),
        real("rare_probability", rare_probability, above=0.0, below=1.0),
    )
