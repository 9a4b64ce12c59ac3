"""R7: factored actions, what dimension does to uniform noise (steps R7.1 to R7.5).

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

For N >= 1 uniform noise is best at c alpha = 1/(N+1), where it reaches w/((A-1)(N+1)) (1 - 1/(N+1))^N.

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
    x_n, x_lane = _weight(n, alpha, prior_mass), _weight(integer("n_demos", n_demos, at_least=n), alpha, prior_mass)
    others = lane.n_constrained - lane.lane_length
    kept = _all_ones(lane.miss * x_lane, lane.lane_length) * _all_ones(lane.miss * x_n, others)
    return lane.visit_probability / lane.n_actions * x_n * kept


def best_uniform_alpha(lane: FactoredLane) -> float:
    """Level alpha at which uniform noise succeeds most often.

    Parameters
    ----------
    lane : FactoredLane

    Returns
    -------
    float
        A/((A-1)(N+1)), or 1 if N = 0.

    Source: R7.2.
    """
    lane = instance("lane", lane, FactoredLane)
    # For N = 0 the formula gives A/(A-1) > 1, which is no level.
    return min(1.0, 1.0 / (lane.miss * (lane.n_constrained + 1)))


def best_uniform_success(lane: FactoredLane) -> float:
    """Largest success probability of uniform noise.

    Parameters
    ----------
    lane : FactoredLane

    Returns
    -------
    float
        w/((A-1)(N+1)) (1 - 1/(N+1))^N, or w/A if N = 0.

    Source: R7.2.
    """
    return uniform_success(lane, best_uniform_alpha(lane))


def best_uniform_bounds(lane: FactoredLane) -> tuple[float, float]:
    """Bounds on the largest success probability of uniform noise.

    Parameters
    ----------
    lane : FactoredLane
        With N at least 1.

    Returns
    -------
    low, high : float
        w/(e(A-1)(N+1)) and w/(2(A-1)(N+1)).

    Source: R7.2.
    """
    lane = instance("lane", lane, FactoredLane)
    integer("lane.n_constrained", lane.n_constrained, at_least=1)
    scale = lane.visit_probability / ((lane.n_actions - 1) * (lane.n_constrained + 1))
    return scale / math.e, scale / 2.0


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


def leaving_bound(lane: FactoredLane, n_demos: int, alpha: float, prior_mass: float) -> float:
    """Bound on the probability that PostBC leaves the lane: c d(H-1) alpha lambda/(T + lambda).

    Parameters
    ----------
    lane : FactoredLane
    n_demos : int
        T, at least 1.
    alpha : float
        In [0, 1].
    prior_mass : float
        lambda, above 0.

    Returns
    -------
    float
        May exceed 1.

    Source: R7.3.
    """
    lane = instance("lane", lane, FactoredLane)
    T = integer("n_demos", n_demos, at_least=1)
    return lane.miss * lane.lane_length * _weight(T, alpha, prior_mass)


def sufficient_demos(lane: FactoredLane, prior_mass: float) -> float:
    """Number of demonstrations T from which `ratio_bound` holds: (2 c d(H-1) - 1) lambda.

    Parameters
    ----------
    lane : FactoredLane
    prior_mass : float
        lambda, above 0.

    Returns
    -------
    float
        At least 0.

    Source: R7.3.
    """
    lane = instance("lane", lane, FactoredLane)
    mass = real("prior_mass", prior_mass, above=0.0)
    return max(0.0, (2.0 * lane.miss * lane.lane_length - 1.0) * mass)


def ratio_bound(lane: FactoredLane, n_visits: int, prior_mass: float) -> float:
    """Bound on the success of PostBC over that of the best uniform noise; tolerant, alpha = 1.

    Parameters
    ----------
    lane : FactoredLane
        Tolerant.
    n_visits : int
        n, at least 1.
    prior_mass : float
        lambda, above 0.

    Returns
    -------
    float
        (1 - 1/A) (lambda/(n + lambda)) (d(H-1) + 1). The ratio is at least this for T >= `sufficient_demos`; for
        d(H-1) >= 1 it is below e times this for every T.

    Source: R7.3.
    """
    lane = instance("lane", lane, FactoredLane)
    if lane.strict:
        raise ValueError("lane must be tolerant: the bound is about d(H-1), which strict state b changes")
    n = integer("n_visits", n_visits, at_least=1)
    return lane.miss * _weight(n, 1.0, prior_mass) * (lane.lane_length + 1)


def best_strict_alpha(lane: FactoredLane, n_visits: int, prior_mass: float) -> float:
    """PostBC's best alpha at state b, strict: c x_n = 1/d, or alpha = 1 where that is out of reach.

    Parameters
    ----------
    lane : FactoredLane
        Strict.
    n_visits : int
        n, at least 1.
    prior_mass : float
        lambda, above 0.

    Returns
    -------
    float
        min(1, (n + lambda)/(c d lambda)): best as T grows, when PostBC no longer leaves the lane.

    Source: R7.5.
    """
    lane, n = _checked_strict(lane), integer("n_visits", n_visits, at_least=1)
    return min(1.0, 1.0 / (lane.miss * lane.n_coordinates * _weight(n, 1.0, prior_mass)))


def strict_ratio_bounds(lane: FactoredLane, n_demos: int, n_visits: int, prior_mass: float) -> tuple[float, float]:
    """Bounds on the success of PostBC at its best alpha over that of the best uniform noise, strict.

    Parameters
    ----------
    lane : FactoredLane
        Strict, with at least 2 coordinates.
    n_demos : int
        T, at least `n_visits`.
    n_visits : int
        n, at least 1.
    prior_mass : float
        lambda, above 0.

    Returns
    -------
    low, high : float
        H (1 - (H-1)(n + lambda)/(T + lambda)), at least 0, and (e/2) H. The lower one needs
        d >= (n + lambda)/(c lambda), so that c x_n = 1/d is possible; it is 0 for smaller d.

    Source: R7.5.
    """
    lane = _checked_strict(lane)
    integer("lane.n_coordinates", lane.n_coordinates, at_least=2)
    n, mass = integer("n_visits", n_visits, at_least=1), real("prior_mass", prior_mass, above=0.0)
    T, H = integer("n_demos", n_demos, at_least=n), lane.horizon
    reachable = lane.n_coordinates * lane.miss * mass >= n + mass
    low = H * max(0.0, 1.0 - (H - 1) * (n + mass) / (T + mass)) if reachable else 0.0
    return low, H * math.e / 2.0


def rollouts_until_success(success: float, delta: float) -> float:
    """Fewest rollouts that contain a success with probability at least 1 - delta.

    Parameters
    ----------
    success : float
        p, probability that a rollout succeeds, in [0, 1].
    delta : float
        In (0, 1).

    Returns
    -------
    float
        A whole number, log(delta)/log(1 - p) rounded up; infinity if p = 0.

    Source: R7.4.
    """
    p = real("success", success, at_least=0.0, at_most=1.0)
    delta = real("delta", delta, above=0.0, below=1.0)
    if p == 0.0:
        return math.inf
    return 1.0 if p == 1.0 else float(max(1, math.ceil(math.log(delta) / math.log1p(-p))))


def _checked_strict(lane: FactoredLane) -> FactoredLane:
    if not instance("lane", lane, FactoredLane).strict:
        raise ValueError("lane must be strict")
    return lane


def _all_ones(miss: float, trials: int) -> float:
    """(1 - miss)^trials for miss < 1; exact in relative terms for many trials, too."""
    return math.exp(trials * math.log1p(-miss))


def _weight(visits: int, alpha: float, prior_mass: float) -> float:
    """x_k = alpha lambda/(k + lambda), k >= 1."""
    mass = real("prior_mass", prior_mass, above=0.0)
    return float(noise_weight(visits, real("alpha", alpha, at_least=0.0, at_most=1.0), mass))
