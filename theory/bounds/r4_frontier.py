"""R4: the exact frontier between suboptimality and coverage on the family of B.4 (steps R4.1 to R4.5).

One bandit, arm 1 pays 1. Demonstrator 1 plays arm 1 only; demonstrator i > 1 plays arm 1 with probability 1 - alpha and
arm i with alpha. An estimator must cover each of them, gamma, with probability 1 - delta, and lose at most xi on each.
Under every demonstrator the T demonstrations may show arm 1 only; on such data each rare arm must be covered with
probability

    q = 1 - delta/(1 - alpha)^T

and the largest coverage is

    gamma* = min{xi/((A - 1) alpha q), 1/(1 + m alpha)},    m = max(0, ceil((A - 1) q - delta))    any estimator
    gamma* = min{xi/((A - 1) alpha), 1/(1 + (A - 1) alpha)}                                        deterministic ones

Letters: A = n_actions, T = n_demos, xi = suboptimality, alpha = rare_probability.
"""

import math

from theory.base.validate import integer, real


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

    Source: R4, with the room for arm 1 made explicit.
    """
    xi, n_actions, alpha = _family(suboptimality, n_actions, rare_probability)
    q = _required_share(alpha, n_demos, delta)
    if q <= 0.0:
        return 1.0
    wanted = (n_actions - 1) * q
    # Where the exact number is whole, rounding must not make it one arm more: the frontier would jump down.
    crowd = max(0, math.ceil(wanted - delta - 1e-12))
    return min(xi / (wanted * alpha), 1.0 / (1.0 + crowd * alpha))


def simple_frontier(suboptimality: float, n_actions: int, rare_probability: float, n_demos: int, delta: float) -> float:
    """Bound on coverage min{1, xi/((A - 1) alpha q)}: no estimator covers more; attained if arm 1 is not exhausted.

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

    Source: R4.
    """
    xi, n_actions, alpha = _family(suboptimality, n_actions, rare_probability)
    q = _required_share(alpha, n_demos, delta)
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

    Source: R4.
    """
    return _required_share(real("rare_probability", rare_probability, above=0.0, below=1.0), n_demos, delta)


def _required_share(alpha: float, n_demos: int, delta: float) -> float:
    n_demos = integer("n_demos", n_demos, at_least=0)
    delta = real("delta", delta, at_least=0.0, below=1.0)
    if delta == 0.0:
        return 1.0
    exponent = math.log(delta) - n_demos * math.log1p(-alpha)
    return -math.expm1(exponent) if exponent < 700.0 else -math.inf  # exp overflows


def _family(suboptimality: float, n_actions: int, rare_probability: float) -> tuple[float, int, float]:
    return (
        real("suboptimality", suboptimality, at_least=0.0),
        integer("n_actions", n_actions, at_least=2),
        real("rare_probability", rare_probability, above=0.0, below=1.0),
    )
