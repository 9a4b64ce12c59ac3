"""The paper's constructions, each with its demonstrator: B.1 (BC fails), B.2 (uniform noise fails), B.4 (lower bound).

They are built as the paper states them; where the printed construction is impossible, the docstring gives the change.
Letters as in the paper: eps = epsilon, k = n_branches, H = horizon, A = n_actions.
"""

import numpy as np

from tabular.instances import Instance
from tabular.mdp import FiniteHorizonMDP, FloatArray
from theory.base import validate
from theory.bounds.b2_uniform_fails import initial_distribution


def two_bandits(epsilon: float) -> tuple[Instance, Instance]:
    """The two bandits on which BC fails (prop-bc-fails, B1.1).

    M1 pays 1 on the second arm, M2 on the third; the demonstrator plays (1 - 4 eps, 2 eps, 2 eps) on both.
    J* = 1 and J(pi_beta) = 2 eps.

    Parameters
    ----------
    epsilon : float
        In (0, 1/8].
    """
    eps = validate.real("epsilon", epsilon, above=0.0, at_most=1 / 8)
    pi_beta = np.array([1 - 4 * eps, 2 * eps, 2 * eps])
    first, second = (_bandit(f"M{arm}", np.eye(3)[arm], pi_beta) for arm in (1, 2))
    return first, second


def uniform_noise_trap(epsilon: float, horizon: int, n_branches: int) -> Instance:
    """The process on which uniform noise fails (prop-uniform-fails, B2.1-B2.4), with P_0 normalised.

    States 0..k-1 (s~_1..s~_k) and k+1 (s_2) keep the process until the end; state k (s_1) keeps it under the first
    action and falls to s_2 under the second. P_0(s_1) = 1/2, P_0(s~_i) = 2^-(i+1) for i >= 2, and s~_1 takes the rest,
    2^-2 + 2^-(k+1) (printed: 2^-2 + 2^-k, which sums to more than 1). The first step pays 1 or 1 - 4 eps on s~_i, the
    last step pays 1 on (s_1, first action). The demonstrator mixes evenly on s~_i and plays the first action on s_1.
    J* = 1 and J(pi_beta) = 1 - eps.

    Parameters
    ----------
    epsilon : float
        In (0, 1/4): the reward 1 - 4 eps must not be negative.
    horizon : int
        At least 2.
    n_branches : int
        k, from 1 to 60; `theory.bounds.uniform_fails.min_rare_states(T)` is enough for T demonstrations.
    """
    eps = validate.real("epsilon", epsilon, above=0.0, below=1 / 4)
    H = validate.integer("horizon", horizon, at_least=2)
    k = validate.integer("n_branches", n_branches, at_least=1, at_most=60)
    safe, fallen = k, k + 1
    successors = np.broadcast_to(np.arange(k + 2)[None, :, None, None], (1, k + 2, 2, 1)).copy()
    successors[0, safe, 1, 0] = fallen
    reward = np.zeros((H, k + 2, 2))
    reward[0, :k] = 1.0, 1.0 - 4 * eps
    reward[H - 1, safe, 0] = 1.0
    pi_beta = np.full((H, k + 2, 2), 0.5)
    pi_beta[:, safe] = 1.0, 0.0
    mdp = FiniteHorizonMDP(successors, np.ones(successors.shape), reward, initial_distribution(k), H)
    return Instance("uniform-noise trap", mdp, pi_beta)


def lower_bound_family(n_actions: int, alpha: float) -> tuple[Instance, ...]:
    """The demonstrators of the lower bound (thm-lower-bound) on one bandit that pays 1 on the first arm.

    Demonstrator 1 plays the first arm; demonstrator i > 1 plays it with probability 1 - alpha, and arm i otherwise.
    J* = 1; J(pi^1) = 1 and J(pi^i) = 1 - alpha.

    Parameters
    ----------
    n_actions : int
        A, at least 2.
    alpha : float
        In (0, 1).
    """
    A = validate.integer("n_actions", n_actions, at_least=2)
    share = validate.real("alpha", alpha, above=0.0, below=1.0)
    paid = np.eye(A)[0]
    rows = [paid, *((1 - share) * paid + share * np.eye(A)[i] for i in range(1, A))]
    return tuple(_bandit(f"M{i + 1}", paid, row) for i, row in enumerate(rows))


def _bandit(name: str, reward: FloatArray, pi_beta: FloatArray) -> Instance:
    A = reward.size
    mdp = FiniteHorizonMDP(np.zeros((1, 1, A, 1), np.int64), np.ones((1, 1, A, 1)), reward[None, None], np.ones(1), 1)
    return Instance(name, mdp, pi_beta[None, None])
