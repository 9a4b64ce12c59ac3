"""B.4: no estimator covers much better (`lemma-hellinger`, `thm-lower-bound`, and the companion's R4).

One bandit, arm 1 pays. Demonstrator i > 1 plays arm 1 with probability 1 - alpha and arm i with alpha; demonstrator 1
plays arm 1 only. An estimator must cover each and lose at most xi on each.

Letters: A = n_actions, T = n_demos, xi = suboptimality, alpha = rare_probability.
"""

import math

from theory.base.validate import integer, real


def paper_coverage_bound(suboptimality: float, n_actions: int, rare_probability: float) -> float:
    """Bound on coverage of the theorem as printed, xi/(2 A alpha). False: see `coverage_bound`.

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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: thm-lower-bound.
    """
    xi, n_actions, alpha = _family(suboptimality, n_actions, rare_probability)
    return xi / (2 * n_actions * alpha)


def coverage_bound(suboptimality: float, n_actions: int, rare_probability: float) -> float:
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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

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

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: thm-lower-bound, corrected.
    """
    log = math.log(integer("n_demos", n_demos, at_least=1))
    return 16.0 * real("constant", constant, at_least=0.0) * log / (integer("n_actions", n_actions, at_least=2) - 1)


def deterministic_frontier(suboptimality: float, n_actions: int, rare_probability: float) -> float:
    """Largest coverage of any deterministic map of the data with suboptimality at most xi.

    min{xi/((A - 1) alpha), 1/(1 + (A - 1) alpha)}, whenever all-arm-1 data are likelier than delta.

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
        A coverage in [0, 1); attained.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R4.
    """
    xi, n_actions, alpha = _family(suboptimality, n_actions, rare_probability)
    rare = (n_actions - 1) * alpha
    return min(xi / rare, 1.0 / (1.0 + rare))


def randomised_frontier(
    suboptimality: float, n_actions: int, rare_probability: float, n_demos: int, delta: float
) -> float:
    """Largest coverage of any estimator, randomised ones included, with suboptimality at most xi.

    min{xi/((A - 1) alpha q), 1/(1 + m alpha)} with q = 1 - delta/(1 - alpha)^T and m = max(0, ceil((A - 1) q - delta)).
    The second term is the room that arm 1 must keep; it is 1 only if (A - 1) q <= delta.

    Parameters
    ----------
    suboptimality : float
        xi, at least 0.
    n_actions : int
        At least 2.
    rare_probability : float
        alpha, in (0, 1).
    n_demos : int
        T, at least 0.
    delta : float
        In [0, 1).

    Returns
    -------
    float
        A coverage in [0, 1]; attained. 1 if q <= 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R4, with the room for arm 1 made explicit.
    """
    xi, n_actions, alpha = _family(suboptimality, n_actions, rare_probability)
    q = required_share(rare_probability, n_demos, delta)
    if q <= 0.0:
        return 1.0
    wanted = (n_actions - 1) * q
    crowd = max(0, math.ceil(wanted - delta - 1e-12))
    return min(xi / (wanted * alpha), 1.0 / (1.0 + crowd * alpha))


def simple_frontier(suboptimality: float, n_actions: int, rare_probability: float, n_demos: int, delta: float) -> float:
    """Bound on coverage min{1, xi/((A - 1) alpha q)}: no estimator covers more; attained while arm 1 has room.

    Parameters
    ----------
    suboptimality : float
        xi, at least 0.
    n_actions : int
        At least 2.
    rare_probability : float
        alpha, in (0, 1).
    n_demos : int
        T, at least 0.
    delta : float
        In [0, 1).

    Returns
    -------
    float
        A coverage in [0, 1]; at least `randomised_frontier`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R4.
    """
    xi, n_actions, alpha = _family(suboptimality, n_actions, rare_probability)
    q = required_share(rare_probability, n_demos, delta)
    return 1.0 if q <= 0.0 else min(1.0, xi / ((n_actions - 1) * alpha * q))


def required_share(rare_probability: float, n_demos: int, delta: float) -> float:
    """Share q = 1 - delta/(1 - alpha)^T: how often each rare arm must be covered on data that show arm 1 only.

    Parameters
    ----------
    rare_probability : float
        alpha, in (0, 1).
    n_demos : int
        T, at least 0.
    delta : float
        In [0, 1).

    Returns
    -------
    float
        At most 1; not above 0 where coverage may fail on such data altogether.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number in its range.

    Source: R4.
    """
    alpha = real("rare_probability", rare_probability, above=0.0, below=1.0)
    n_demos = integer("n_demos", n_demos, at_least=0)
    delta = real("delta", delta, at_least=0.0, below=1.0)
    if delta == 0.0:
        return 1.0
    exponent = math.log(delta) - n_demos * math.log1p(-alpha)
    return -math.expm1(exponent) if exponent < 700.0 else -math.inf


def _family(suboptimality: float, n_actions: int, rare_probability: float) -> tuple[float, int, float]:
    return (
        real("suboptimality", suboptimality, at_least=0.0),
        integer("n_actions", n_actions, at_least=2),
        real("rare_probability", rare_probability, above=0.0, below=1.0),
    )
