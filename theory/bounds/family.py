"""The family of cloned policies that the bounds are about: BC, uniform noise, the posterior, PostBC.

After n = T_h(s) visits a policy of the family mixes the empirical actions with the uniform distribution,

    pi_h(a|s) = (1 - a_n) T_h(s,a)/n + a_n/A,    a_n = alpha lambda/(n + lambda),    a_0 = 1.

Letters: alpha is the weight of the posterior, lambda = prior_mass the total mass of its Dirichlet prior; an infinite
mass is uniform noise of weight alpha. Compiled code has the formula of a_n once more (`tabular/`), and the proofs have
it in fractions (`theory/engines/enumeration.py`), so that they share no code with the bounds that they judge.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def noise_weight(visits: ArrayLike, alpha: float, prior_mass: ArrayLike) -> NDArray[np.float64]:
    """Weight a_n of the uniform distribution after n visits; arguments are not checked.

    Parameters
    ----------
    visits : array_like of int, any shape
        n, at least 0.
    alpha : float
        In [0, 1].
    prior_mass : array_like
        lambda, above 0, perhaps infinite; one number, or of a shape that broadcasts with `visits`.

    Returns
    -------
    ndarray
        alpha lambda/(n + lambda), in [0, 1]; 1 where n = 0.
    """
    n, mass = np.asarray(visits), np.asarray(prior_mass, np.float64)
    with np.errstate(invalid="ignore"):  # infinity/infinity, where the share is 1
        share = np.where(np.isinf(mass), 1.0, mass / (n + mass))
    return np.where(n > 0, alpha * share, 1.0)
