"""R7: factored actions, what dimension does to uniform noise (steps R7.2 to R7.5).

The process, the policies and their exact success probabilities are those of `theory.bounds.factored_lane`. Given n >= 1
visits of state b without a recorded success, and N >= 1,

    best uniform noise     c alpha = 1/(N+1): P = w/((A-1)(N+1)) (1 - 1/(N+1))^N
    PostBC/best uniform    >= (1 - 1/A)(lambda/(n + lambda))(d(H-1) + 1)    tolerant, alpha = 1,
                                                                            T >= (2 c d(H-1) - 1) lambda
                           <= (e/2) H                                       strict, d >= 2, any alpha

Letters: d = n_coordinates, A = n_actions, H = horizon, w = visit_probability, T = n_demos, n = n_visits,
lambda = prior_mass, N = n_constrained, c = 1 - 1/A = miss.
"""

import math

from theory.base.validate import instance, integer, real
from theory.bounds.factored_lane import FactoredLane, recorded_weight, uniform_success


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
    return lane.miss * lane.lane_length * recorded_weight(T, alpha, prior_mass)


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
    return lane.miss * recorded_weight(n, 1.0, prior_mass) * (lane.lane_length + 1)


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
    return min(1.0, 1.0 / (lane.miss * lane.n_coordinates * recorded_weight(n, 1.0, prior_mass)))


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
