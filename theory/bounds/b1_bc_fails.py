"""B.1: behavioral cloning fails to cover rare actions (`prop-bc-fails`, steps B1.1 to B1.6).

Two bandits with three arms and one demonstrator:

    pi_beta = (1 - 4 eps, 2 eps, 2 eps),    arm 2 pays 1 on bandit 1,    arm 3 pays 1 on bandit 2.

After T demonstrations neither arm 2 nor arm 3 was shown with probability (1 - 4 eps)^T. BC then plays arm 1 only,
which loses 2 eps against the demonstrator, and its rollouts say nothing about arms 2 and 3.

Letters: T = n_demos, eps = epsilon, m = n_paying_arms. R5 has the larger range of T (`r5_sharp_failures`).
"""

import math

from theory.base.validate import integer, real

LARGEST_EPSILON = 0.125
"""The claim's range of epsilon is (0, 1/8]."""


def unseen_arms_probability(n_demos: int, epsilon: float) -> float:
    """Probability that neither arm 2 nor arm 3 is demonstrated, so that BC fails: (1 - 4 eps)^T.

    Parameters
    ----------
    n_demos : int
        Number of demonstrations, at least 0.
    epsilon : float
        In [0, 1/4].

    Returns
    -------
    float
        In [0, 1]; exact up to rounding.

    Source: B1.2.
    """
    n_demos = integer("n_demos", n_demos, at_least=0)
    epsilon = real("epsilon", epsilon, at_least=0.0, at_most=0.25)
    if epsilon == 0.25:  # log1p(-1) is -infinity, and 0 * -infinity is no number
        return 1.0 if n_demos == 0 else 0.0
    return math.exp(n_demos * math.log1p(-4.0 * epsilon))


def value_gap(epsilon: float) -> float:
    """Loss of a policy that plays only arm 1, against the demonstrator: 2 eps, on both bandits.

    Parameters
    ----------
    epsilon : float
        In [0, 1/4].

    Returns
    -------
    float
        In units of reward; the paper claims half of it.

    Source: B1.3, R5.
    """
    return 2.0 * real("epsilon", epsilon, at_least=0.0, at_most=0.25)


def paper_max_demos(epsilon: float) -> float:
    """Largest T for which the paper claims failure with probability 1/2: 1/(20 eps).

    Below 1 for epsilon above 1/20: the claim is then about T = 0, where BC is uniform and does not fail.

    Parameters
    ----------
    epsilon : float
        In (0, 1/8].

    Returns
    -------
    float
        A number of demonstrations, not rounded.

    Source: prop-bc-fails.
    """
    return 1.0 / (20.0 * real("epsilon", epsilon, above=0.0, at_most=LARGEST_EPSILON))


def minimax_loss(n_paying_arms: int = 2) -> float:
    """Exact minimax suboptimality of learning from rollouts that never play a paying arm: 1 - 1/m.

    One of m arms pays 1, the m bandits differ in which, and the data have the same law on all of them. So the learner's
    output is one distribution x over arms for all bandits, its loss on bandit i is 1 - x_i, and the largest loss is
    smallest at x_i = 1/m.

    Parameters
    ----------
    n_paying_arms : int
        m, at least 1; the paper's pair of bandits has m = 2.

    Returns
    -------
    float
        In [0, 1); 1/2 for the paper's pair.

    Source: B1.5, B1.6, R5.
    """
    return 1.0 - 1.0 / integer("n_paying_arms", n_paying_arms, at_least=1)
