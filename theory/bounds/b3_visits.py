"""B.3, Lemmas 3 and 4: how often the demonstrations visit a state (`lemma-visits`, `lemma-first-visit`).

T_h(s) ~ Bin(T, w) is the number of demonstrations that visit s in step h, and w = w_h(s) the demonstrator's probability
of it.

    Lemma 3    T_h(s) + lambda >= (w T + lambda)/2 for all (s, h), with probability >= 1 - delta  (steps B3.16, B3.17)
    Lemma 4    E[Pr(a trajectory of pi_first meets a state with T_h(s) = 0)] <= S H log(N)/N      (steps B3.18 to B3.20)

Letters: S = n_states, H = horizon, T or N = n_demos, lambda = prior mass. R5.3 needs less prior mass for Lemma 3.
"""

import math

from theory.base.validate import integer, real


def paper_visits_prior_mass(n_states: int, horizon: int, delta: float) -> float:
    """Prior mass that Lemma 3 asks for, as printed: 4 log(SH/delta).

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

    Source: lemma-visits.
    """
    return 4.0 * math.log(_cells(n_states, horizon) / real("delta", delta, above=0.0, below=1.0))


def missing_mass(n_demos: int) -> float:
    """m_T = max over w of w (1 - w)^T = T^T/(T+1)^(T+1), at most 1/(e T).

    Parameters
    ----------
    n_demos : int
        T, at least 0.

    Returns
    -------
    float
        The largest probability that one state is visited by a fresh trajectory and by none of T demonstrations.

    Source: R1.5.
    """
    n_demos = integer("n_demos", n_demos, at_least=0)
    if n_demos == 0:
        return 1.0
    return math.exp(-n_demos * math.log1p(1.0 / n_demos)) / (n_demos + 1)


def paper_first_visit_bound(n_states: int, horizon: int, n_demos: int) -> float:
    """Lemma 4 as printed: S H log(N)/N, which is 0 at N = 1.

    Parameters
    ----------
    n_states, horizon, n_demos : int
        At least 1.

    Returns
    -------
    float
        A bound on the probability that a trajectory meets a state that no demonstration visited in that step.

    Source: lemma-first-visit.
    """
    n_demos = integer("n_demos", n_demos, at_least=1)
    return _cells(n_states, horizon) * math.log(n_demos) / n_demos


def first_visit_bound(n_states: int, horizon: int, n_demos: int) -> float:
    """Lemma 4, sharp and for every N: S H m_N, about S H/(e N).

    Parameters
    ----------
    n_states, horizon, n_demos : int
        At least 1.

    Returns
    -------
    float
        A bound on the probability that a trajectory meets a state that no demonstration visited in that step.

    Source: R1.6.
    """
    return _cells(n_states, horizon) * missing_mass(integer("n_demos", n_demos, at_least=1))


def _cells(n_states: int, horizon: int) -> int:
    return integer("n_states", n_states, at_least=1) * integer("horizon", horizon, at_least=1)
