"""B.3, Lemma 2 and the main theorem: how much PostBC loses (`lemma-suboptimality`, `thm-main`).

Steps B3.8 to B3.15, B3.21 and B3.22 of the digest:

    Lemma 2         E[J(BC) - J(PostBC)]      <~ (1 + alpha H) H^2 S log(T)/T + alpha H^2 S lambda/T
                                                 for lambda >= 4 log(HT)
    main theorem    J(pi_beta) - E[J(PostBC)] <~ H^2 S log(T)/T for alpha = 1/max{A, H, log(HT)} and
                                                 lambda = max{A, 4 log(HT)}

The paper leaves the constants open; here they are explicit. Both need T >= 2, since log(1) = 0.

Letters: S = n_states, A = n_actions, H = horizon, T = n_demos, alpha = weight of the posterior, lambda = prior_mass,
m_T = `missing_mass`. R1 is sharper and has no logarithm (`r1_suboptimality`).
"""

import math

from theory.base.validate import integer, real
from theory.bounds.b3_visits import missing_mass
from theory.bounds.r1_suboptimality import r1_simple_bound

MAIN_CONSTANT = 28.0
"""With it the main theorem's rate H^2 S log(T)/T is a bound for every T of at least 2."""


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

    Source: thm-main.
    """
    n_states = integer("n_states", n_states, at_least=1)
    horizon = integer("horizon", horizon, at_least=1)
    n_demos = integer("n_demos", n_demos, at_least=1)
    return horizon**2 * n_states * math.log(n_demos) / n_demos


def paper_lemma2_rate(n_states: int, horizon: int, n_demos: int, alpha: float, prior_mass: float) -> float:
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

    Source: lemma-suboptimality.
    """
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    prior_mass = real("prior_mass", prior_mass, above=0.0)
    log_part = (1.0 + alpha * horizon) * paper_rate(n_states, horizon, n_demos)
    return log_part + alpha * horizon**2 * n_states * prior_mass / n_demos


def lemma2_bound(n_states: int, horizon: int, n_demos: int, alpha: float, prior_mass: float) -> float:
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

    Source: lemma-suboptimality, explicit.
    """
    n_states = integer("n_states", n_states, at_least=1)
    horizon = integer("horizon", horizon, at_least=1)
    n_demos = integer("n_demos", n_demos, at_least=1)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    # 4 log(HT) as another library rounds it must pass, which is why there is a factor.
    least = 4.0 * math.log(horizon * n_demos) * (1.0 - 1e-15)
    prior_mass = real("prior_mass", prior_mass, at_least=least, above=0.0)
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

    Source: thm-main.
    """
    n_actions = integer("n_actions", n_actions, at_least=1)
    log = math.log(integer("horizon", horizon, at_least=1) * integer("n_demos", n_demos, at_least=1))
    return 1.0 / max(n_actions, horizon, log), max(float(n_actions), 4.0 * log)


def main_bound(n_states: int, n_actions: int, horizon: int, n_demos: int) -> float:
    """Bound of the main theorem with its constants and the paper's parameters, on J(demonstrator) - E J(PostBC).

    BC's own loss by R1 plus `lemma2_bound`. At most `MAIN_CONSTANT` times the paper's rate for T of at least 2.

    Parameters
    ----------
    n_states, n_actions, horizon, n_demos : int
        At least 1.

    Returns
    -------
    float
        In units of reward, for rewards in [0, 1].

    Source: thm-main, explicit.
    """
    alpha, prior_mass = paper_parameters(n_actions, horizon, n_demos)
    bc = r1_simple_bound(n_states, n_actions, horizon, n_demos, 0.0, prior_mass)
    return bc + lemma2_bound(n_states, horizon, n_demos, alpha, prior_mass)
