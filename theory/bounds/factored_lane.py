"""The lane of R7: a process with factored actions, and the exact success of policies cloned on it (step R7.1).

An action has d coordinates with A values each, c = 1 - 1/A. A cloned policy plays the coordinates independently, each
by a member of the family from that coordinate's counts (`theory.bounds.family`).

    lane      one state in each of the steps 1..H-1; the demonstrator plays (1, .., 1), any other action ends the
              episode with nothing. Behind it comes state b with probability w, else nothing
    state b   the demonstrator's first coordinate is 1 or 2 with probability 1/2 each, the others are 1. Only a first
              coordinate of 2 pays; strict: the others must be 1 as well, tolerant: they do not matter

Data: T demonstrations, n >= 1 of which visited b, all with first coordinate 1. With x_k = alpha lambda/(k + lambda),
the probability that a rollout of the cloned policy pays (succeeds) is exactly

    uniform noise   (w/A) alpha (1 - c alpha)^N,    N = d(H-1) if tolerant, dH - 1 if strict
    PostBC          (w/A) x_n (1 - c x_T)^(d(H-1)) [(1 - c x_n)^(d-1) if strict]
    BC              0

Letters: d = n_coordinates, A = n_actions, H = horizon, w = visit_probability, T = n_demos, n = n_visits,
lambda = prior_mass, N = n_constrained.
"""

import math
from dataclasses import dataclass

from theory.base.validate import instance, integer, real
from theory.bounds.family import noise_weight


@dataclass(frozen=True, kw_only=True)
class FactoredLane:
    """The lane with factored actions.

    Parameters
    ----------
    n_coordinates : int
        d, at least 1.
    n_actions : int
        A, values of each coordinate, at least 2.
    horizon : int
        H, at least 1; the lane has H - 1 steps.
    visit_probability : float, optional
        w, the demonstrator's probability of state b, in (0, 1].
    strict : bool, optional
        Whether all coordinates but the first must be 1 at b.
    """

    n_coordinates: int
    n_actions: int
    horizon: int
    visit_probability: float = 1.0
    strict: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_coordinates", integer("n_coordinates", self.n_coordinates, at_least=1))
        object.__setattr__(self, "n_actions", integer("n_actions", self.n_actions, at_least=2))
        object.__setattr__(self, "horizon", integer("horizon", self.horizon, at_least=1))
        w = real("visit_probability", self.visit_probability, above=0.0, at_most=1.0)
        object.__setattr__(self, "visit_probability", w)
        instance("strict", self.strict, bool)

    @property
    def lane_length(self) -> int:
        """d(H - 1): how many coordinates, over all steps, must be 1 on the lane."""
        return self.n_coordinates * (self.horizon - 1)

    @property
    def n_constrained(self) -> int:
        """N: how many coordinates, over all steps, must be 1 for success."""
        return self.lane_length + (self.n_coordinates - 1 if self.strict else 0)

    @property
    def miss(self) -> float:
        """The chance c = 1 - 1/A that a uniform coordinate is not 1."""
        return 1.0 - 1.0 / self.n_actions


def uniform_success(lane: FactoredLane, alpha: float) -> float:
    """Probability that a rollout of uniform noise succeeds, given n >= 1 visits of b without a recorded success.

    Parameters
    ----------
    lane : FactoredLane
    alpha : float
        In [0, 1]; 0 is BC.

    Returns
    -------
    float
        (w/A) alpha (1 - c alpha)^N.

    Source: R7.1.
    """
    lane = instance("lane", lane, FactoredLane)
    alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
    return lane.visit_probability / lane.n_actions * alpha * _all_ones(lane.miss * alpha, lane.n_constrained)


def postbc_success(lane: FactoredLane, n_demos: int, n_visits: int, alpha: float, prior_mass: float) -> float:
    """Probability that a rollout of PostBC succeeds, given n >= 1 visits of b without a recorded success.

    Parameters
    ----------
    lane : FactoredLane
    n_demos : int
        T, at least `n_visits`.
    n_visits : int
        n, demonstrations that visited b, at least 1.
    alpha : float
        In [0, 1]; 0 is BC.
    prior_mass : float
        lambda of each coordinate, above 0.

    Returns
    -------
    float
        (w/A) x_n (1 - c x_T)^(d(H-1)), if strict times (1 - c x_n)^(d-1).

    Source: R7.1.
    """
    lane = instance("lane", lane, FactoredLane)
    n = integer("n_visits", n_visits, at_least=1)
    x_n, x_lane = (
        recorded_weight(n, alpha, prior_mass),
        recorded_weight(integer("n_demos", n_demos, at_least=n), alpha, prior_mass),
    )
    others = lane.n_constrained - lane.lane_length
    kept = _all_ones(lane.miss * x_lane, lane.lane_length) * _all_ones(lane.miss * x_n, others)
    return lane.visit_probability / lane.n_actions * x_n * kept


def leaving_probability(lane: FactoredLane, weight: float) -> float:
    """Probability that a rollout leaves the lane.

    Parameters
    ----------
    lane : FactoredLane
    weight : float
        x in [0, 1]: alpha of uniform noise, or alpha lambda/(T + lambda) of PostBC.

    Returns
    -------
    float
        1 - (1 - c x)^(d(H-1)).

    Source: R7.1.
    """
    lane = instance("lane", lane, FactoredLane)
    x = real("weight", weight, at_least=0.0, at_most=1.0)
    return -math.expm1(lane.lane_length * math.log1p(-lane.miss * x))


def recorded_weight(visits: int, alpha: float, prior_mass: float) -> float:
    """Noise weight x_k of PostBC in a state that k >= 1 demonstrations visited.

    Parameters
    ----------
    visits : int
        k, at least 1.
    alpha : float
        In [0, 1].
    prior_mass : float
        lambda, above 0.

    Returns
    -------
    float
        alpha lambda/(k + lambda).

    Source: R7.1.
    """
    k, mass = integer("visits", visits, at_least=1), real("prior_mass", prior_mass, above=0.0)
    return float(noise_weight(k, real("alpha", alpha, at_least=0.0, at_most=1.0), mass))


def _all_ones(miss: float, trials: int) -> float:
    """(1 - miss)^trials for miss < 1; exact in relative terms for many trials, too."""
    return math.exp(trials * math.log1p(-miss))
