"""Processes for experiments, each with a stochastic demonstrator; the paper's own are in `constructions`.

Every function returns an `Instance`. Where J*, the optimal return, and J(pi_beta), the demonstrator's, have a closed
form, the docstring gives it and a test checks it; otherwise dynamic programming computes them.
"""

from dataclasses import dataclass
from functools import cached_property

import gymnasium
import numpy as np
from numpy.typing import ArrayLike

from tabular import dp
from tabular.mdp import FiniteHorizonMDP, FloatArray, FrozenArrays, checked_policy
from theory.base import validate


@dataclass(frozen=True, eq=False)
class Instance(FrozenArrays):
    """A process with a demonstrator.

    Parameters
    ----------
    name : str
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    """

    name: str
    mdp: FiniteHorizonMDP
    demonstrator: FloatArray

    def __post_init__(self) -> None:
        validate.instance("mdp", self.mdp, FiniteHorizonMDP)
        pi_beta = checked_policy(
            "demonstrator", validate.rectangular("demonstrator", self.demonstrator).copy(), self.mdp.policy_shape
        )
        object.__setattr__(self, "demonstrator", validate.frozen(pi_beta))

    @cached_property
    def occupancy(self) -> FloatArray:
        """w_h^beta(s, a), (H, S, A), read-only."""
        return validate.frozen(dp.occupancy(self.mdp, self.demonstrator))

    @cached_property
    def reachable(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Which (h, s) the demonstrator visits, (H, S), read-only."""
        return validate.frozen(self.occupancy.sum(axis=2) > 0)

    @cached_property
    def optimal_value(self) -> float:
        """J*."""
        return dp.optimal_return(self.mdp)

    @cached_property
    def demonstrator_value(self) -> float:
        """J(pi_beta)."""
        return dp.expected_return(self.mdp, self.demonstrator)


def chain_lock(horizon: int, n_actions: int, skill: float, slip: float = 0.0) -> Instance:
    """A combination lock: only the first action in every step keeps the lock alive; it then pays 1 at the end.

    State 0 is alive, 1 dead. The right action fails with probability `slip` (except in the last step, where it is
    paid at once). The demonstrator plays it with probability `skill`, and the others evenly.
    J* = (1 - slip)^(H-1) and J(pi_beta) = skill^H (1 - slip)^(H-1).

    Parameters
    ----------
    horizon : int
        H, at least 1.
    n_actions : int
        A, at least 2.
    skill : float
        In [0, 1].
    slip : float, optional
        In [0, 1).
    """
    H = validate.integer("horizon", horizon, at_least=1)
    A = validate.integer("n_actions", n_actions, at_least=2)
    skill = validate.real("skill", skill, at_least=0.0, at_most=1.0)
    slip = validate.real("slip", slip, at_least=0.0, below=1.0)
    transitions = np.zeros((2, A, 2))
    transitions[:, :, 1] = 1.0
    transitions[0, 0] = 1 - slip, slip
    reward = np.zeros((H, 2, A))
    reward[H - 1, 0, 0] = 1.0
    pi_beta = np.broadcast_to(_prefer(0, A, skill), (H, 2, A))
    mdp = FiniteHorizonMDP.from_dense(transitions, reward, [1.0, 0.0], H)
    return Instance("chain lock", mdp, pi_beta)


def deep_sea(size: int, skill: float, slip: float = 0.0) -> Instance:
    """DeepSea: N columns and N steps; only N steps to the right reach the treasure.

    The state is the column, the step is the depth. Action 0 moves left, action 1 right (with probability 1 - slip,
    else left). Moving left pays 0.01/N, instead of moving right costing it as usual; the last step to the
    right from the last column pays 1. The demonstrator moves right with probability `skill`.
    Without slip, J* = 1 and J(pi_beta) = skill^N + 0.01 (1 - skill).

    Parameters
    ----------
    size : int
        N, at least 2.
    skill : float
        In [0, 1].
    slip : float, optional
        In [0, 1).

    References
    ----------
    Osband et al., Behaviour Suite for Reinforcement Learning, ICLR 2020 (deep sea).
    """
    N = validate.integer("size", size, at_least=2)
    skill = validate.real("skill", skill, at_least=0.0, at_most=1.0)
    slip = validate.real("slip", slip, at_least=0.0, below=1.0)
    column = np.arange(N)
    left, right = np.maximum(column - 1, 0), np.minimum(column + 1, N - 1)
    successors = np.stack([np.stack([left, left], axis=1), np.stack([right, left], axis=1)], axis=1)[None]
    probabilities = np.broadcast_to([[1.0, 0.0], [1 - slip, slip]], (1, N, 2, 2))
    reward = np.zeros((N, N, 2))
    reward[:, :, 0] = 0.01 / N
    reward[N - 1, N - 1, 1] = 1.0
    pi_beta = np.broadcast_to([1 - skill, skill], (N, N, 2))
    mdp = FiniteHorizonMDP(successors, probabilities, reward, np.eye(N)[0], N)
    return Instance("DeepSea", mdp, pi_beta)


def grid(side: int, horizon: int, slip: float = 0.1, temperature: float = 0.1) -> Instance:
    """A square grid: walk from one corner to the opposite one, where a step sometimes goes in a random direction.

    Actions are up, down, left, right; with probability `slip` a random one of the four happens instead; a wall keeps
    you in place. Arriving at the goal pays 1 once; after that nothing happens. The demonstrator is `softmax` of the
    optimal action values at the temperature.

    Parameters
    ----------
    side : int
        At least 2; S = side^2 + 1.
    horizon : int
        At least 1.
    slip : float, optional
        In [0, 1].
    temperature : float, optional
        In units of reward, above 0.
    """
    side = validate.integer("side", side, at_least=2)
    slip = validate.real("slip", slip, at_least=0.0, at_most=1.0)
    goal, done = side * side - 1, side * side
    row, column = np.divmod(np.arange(side * side), side)
    moved = [
        np.clip(row + down, 0, side - 1) * side + np.clip(column + across, 0, side - 1)
        for down, across in ((-1, 0), (1, 0), (0, -1), (0, 1))
    ]
    transitions = np.zeros((done + 1, 4, done + 1))
    for action in range(4):
        for move in range(4):
            weight = slip / 4 + (1 - slip) * (action == move)
            transitions[np.arange(done), action, moved[move]] += weight  # every index once, so += loses nothing
    # The reward of a step is the probability of arriving at the goal; from the goal on nothing happens.
    arrival = transitions[:, :, goal].copy()
    transitions[goal], transitions[done], arrival[goal:] = np.eye(done + 1)[done], np.eye(done + 1)[done], 0.0
    mdp = FiniteHorizonMDP.from_dense(transitions, arrival, np.eye(done + 1)[0], horizon)
    return Instance("grid", mdp, softmax(mdp, temperature))


def funnel(horizon: int, n_branches: int, n_actions: int, detour: float = 0.2, skill: float = 0.5) -> Instance:
    """A trunk that all trajectories share, and many branches that each of them rarely visits.

    State 0 is the trunk, states 1..B the branches, state B+1 is lost. On the trunk only the first action is safe:
    it stays there with probability 1 - detour and is thrown into a random branch otherwise; every other action is
    lost. In branch b only action b mod A returns to the trunk; every other one is lost. The last step pays 1 for the
    safe action on the trunk. The demonstrator never errs on the trunk; in a branch it plays the right action with
    probability `skill` and the others evenly.

    J* is the probability of being on the trunk at the last step: with f_1 = 1, f_2 = 1 - detour and
    f_{h+1} = (1 - detour) f_h + detour f_{h-1} c, J* = f_H for c = 1 and J(pi_beta) = f_H for c = skill.

    Parameters
    ----------
    horizon : int
        At least 2.
    n_branches : int
        B, at least 1.
    n_actions : int
        A, at least 2.
    detour : float, optional
        Probability of being thrown into a branch, in [0, 1].
    skill : float, optional
        In [0, 1].
    """
    H = validate.integer("horizon", horizon, at_least=2)
    B = validate.integer("n_branches", n_branches, at_least=1)
    A = validate.integer("n_actions", n_actions, at_least=2)
    detour = validate.real("detour", detour, at_least=0.0, at_most=1.0)
    skill = validate.real("skill", skill, at_least=0.0, at_most=1.0)
    trunk, lost = 0, B + 1
    transitions = np.zeros((B + 2, A, B + 2))
    transitions[:, :, lost] = 1.0
    transitions[trunk, 0] = 0.0
    transitions[trunk, 0, trunk] = 1 - detour
    transitions[trunk, 0, 1 : B + 1] = detour / B
    pi_beta = np.full((H, B + 2, A), 1.0 / A)
    pi_beta[:, trunk] = np.eye(A)[0]
    for b in range(1, B + 1):
        transitions[b, b % A] = np.eye(B + 2)[trunk]
        pi_beta[:, b] = _prefer(b % A, A, skill)
    reward = np.zeros((H, B + 2, A))
    reward[H - 1, trunk, 0] = 1.0
    mdp = FiniteHorizonMDP.from_dense(transitions, reward, np.eye(B + 2)[trunk], H)
    return Instance("funnel", mdp, pi_beta)


def reset_bandits(visit_probability: ArrayLike, horizon: int, n_actions: int, n_safe: int = 1) -> Instance:
    """Every step draws a new state and needs a safe action; any other action ends all reward. R1 is nearly tight here.

    States 0..I-1 are drawn independently in each step, with the given probabilities; state I is dead. The first
    `n_safe` actions pay 1 and go on, every other one pays 0 and leads to the dead state, which always pays 0. The
    demonstrator plays the safe actions evenly. J* = J(pi_beta) = H.

    The demonstrated states of different steps are independent, so for a cloned policy with noise weights a_n
    J(pi_beta) - E J(pi_hat) = sum_h (1 - (1 - c b)^h), c = 1 - n_safe/A, b = sum_s w E[a_N] and N ~ Bin(T, w). R1's
    bound is its first order in b, with 1 - 1/A instead of c.

    Parameters
    ----------
    visit_probability : array_like, (I,)
        w, the probabilities of states 0..I-1.
    horizon : int
        H, at least 1.
    n_actions : int
        A, at least 2.
    n_safe : int, optional
        From 1 to A - 1; above 1 the demonstrator is stochastic.
    """
    w = validate.distribution("visit_probability", visit_probability, shape=(None,))
    H = validate.integer("horizon", horizon, at_least=1)
    A = validate.integer("n_actions", n_actions, at_least=2)
    safe = validate.integer("n_safe", n_safe, at_least=1, at_most=A - 1)
    dead, start = w.size, np.append(w, 0.0)
    transitions = np.zeros((dead + 1, A, dead + 1))
    transitions[:, :, dead] = 1.0
    transitions[:dead, :safe] = start
    reward = np.zeros((H, dead + 1, A))
    reward[:, :dead, :safe] = 1.0
    pi_beta = np.zeros((H, dead + 1, A))
    pi_beta[:, :, :safe] = 1.0 / safe
    return Instance("reset bandits", FiniteHorizonMDP.from_dense(transitions, reward, start, H), pi_beta)


def garnet(
    n_states: int,
    n_actions: int,
    n_successors: int,
    horizon: int,
    rng: np.random.Generator,
    temperature: float = 0.5,
) -> Instance:
    """A random process: each pair leads to a random set of states, with probabilities from uniform cuts of [0, 1].

    Rewards are uniform in [0, 1]; the process starts in state 0. The demonstrator is `softmax` of the optimal action
    values at the temperature.

    Parameters
    ----------
    n_states, n_actions, n_successors, horizon : int
        At least 1; n_successors at most n_states.
    rng : numpy.random.Generator
        Builds the process; use another generator to draw demonstrations, so that one does not change the other.
    temperature : float, optional
        In units of reward, above 0.

    References
    ----------
    Archibald, McKinnon and Thomas, On the generation of Markov decision processes, JORS 46 (1995).
    """
    S = validate.integer("n_states", n_states, at_least=1)
    A = validate.integer("n_actions", n_actions, at_least=1)
    D = validate.integer("n_successors", n_successors, at_least=1, at_most=S)
    rng = validate.generator("rng", rng)
    successors = np.argsort(rng.random((1, S, A, S)), axis=-1)[..., :D]
    cuts = np.sort(rng.random((1, S, A, D - 1)), axis=-1)
    probabilities = np.diff(cuts, axis=-1, prepend=0.0, append=1.0)
    mdp = FiniteHorizonMDP(successors, probabilities, rng.random((1, S, A)), np.eye(S)[0], horizon)
    return Instance("Garnet", mdp, softmax(mdp, temperature))


def from_gymnasium(env_id: str, horizon: int, temperature: float = 0.05) -> Instance:
    """A Gymnasium environment with a transition table, and the `softmax` demonstrator at the temperature.

    Parameters
    ----------
    env_id : str
        For instance ``FrozenLake8x8-v1``, ``CliffWalking-v1`` or ``Taxi-v4``.
    horizon : int
        At least 1.
    temperature : float, optional
        In units of the rescaled reward, above 0.

    Raises
    ------
    TypeError
        If the environment has no transition table.
    """
    env = gymnasium.make(env_id)
    try:
        mdp = FiniteHorizonMDP.from_gymnasium(env, horizon)
    finally:
        env.close()
    return Instance(env_id.rpartition("-v")[0] or env_id, mdp, softmax(mdp, temperature))


def softmax(mdp: FiniteHorizonMDP, temperature: float) -> FloatArray:
    """Demonstrator that plays a with probability proportional to exp(Q*_h(s, a)/temperature), (H, S, A)."""
    temperature = validate.real("temperature", temperature, above=0.0)
    q = dp.backward_induction(mdp).action_value
    with np.errstate(over="ignore"):  # exp(-inf) is 0, as it should be
        weights = np.exp((q - q.max(axis=2, keepdims=True)) / temperature)
    result: FloatArray = weights / weights.sum(axis=2, keepdims=True)
    return result


def _prefer(action: int, n_actions: int, probability: float) -> ArrayLike:
    row = np.full(n_actions, (1 - probability) / (n_actions - 1))
    row[action] = probability
    return row
