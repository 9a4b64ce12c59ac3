"""R2: coverage of PostBC with the paper's prior mass, without log A (steps R2.1 to R2.3).

For lambda >= A, with probability at least 1 - delta, in every state and step:

    PostBC >= gamma pi_beta,    gamma = alpha min{1/(5 log(SH/delta)), 1/(2 lambda)}

Letters: S = n_states, A = n_actions, H = horizon, alpha = weight of the posterior, lambda = prior_mass. Against Lemma 1
(`b3_coverage`): 5 instead of 64, and no number of actions in the logarithm.
"""

import math

from theory.base.validate import integer, real


def r2_coverage(n_states: int, n_actions: int, horizon: int, delta: float, alpha: float, prior_mass: float) -> float:
    """Coverage of PostBC with prior_mass >= A, with probability at least 1 - delta.

    Parameters
    ----------
    n_states, n_actions, horizon : int
        At least 1.
    delta : float
        In (0, 1).
    alpha : float
        Weight of the posterior policy, in [0, 1].
    prior_mass : float
        lambda, at least `n_actions`.

    Returns
    -------
    float
        alpha * min{1/(5 log(SH/delta)), 1/(2 lambda)}.

    Source: R2.
    """
    n_actions = integer("n_actions", n_actions, at_least=1)
    prior_mass = real("prior_mass", prior_mass, at_least=n_actions)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    cells = integer("n_states", n_states, at_least=1) * integer("horizon", horizon, at_least=1)
    log = math.log(cells / real("delta", delta, above=0.0, below=1.0))
    return alpha / max(5.0 * log, 2.0 * prior_mass)
