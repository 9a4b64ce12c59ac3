"""An interval for the mean of numbers in [0, 1], whatever their law and however few they are.

For independent X_1, ..., X_m in [0, 1] of mean p, the average x satisfies, with kl(x, p) the divergence of two coins,

    P[x >= p and kl(x, p) > log(1/tail)/m] <= tail,   and the same below   (Hoeffding 1963, theorem 1),

so the p with kl(x, p) <= log(2/(1 - confidence))/m form an interval of the stated confidence. Unlike Student's it has a
width when all numbers are equal.

References
----------
Hoeffding, Probability inequalities for sums of bounded random variables, JASA 58 (1963).
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from theory.base import validate
from theory.claims import Interval


def bounded_mean_interval(sample: ArrayLike, confidence: float = 0.95) -> Interval:
    """Interval that holds the mean of numbers in [0, 1] with at least the stated confidence.

    Parameters
    ----------
    sample : array_like, (m,)
        Independent, of one law, in [0, 1]; m at least 1.
    confidence : float, optional
        In (0, 1).
    """
    x = validate.probabilities("sample", sample, shape=(None,))
    confidence = validate.real("confidence", confidence, above=0.0, below=1.0)
    if x.size == 0:
        raise ValueError("sample must hold at least 1 number; got 0")
    limit, centre = math.log(2 / (1 - confidence)) / x.size, float(np.clip(x.mean(), 0.0, 1.0))
    low = 0.0 if centre == 0.0 else _end(centre, 0.0, limit)
    return Interval(low, 1.0 if centre == 1.0 else _end(centre, 1.0, limit))


def _end(centre: float, edge: float, limit: float) -> float:
    """Where between the centre and the edge the divergence reaches the limit, rounded outward; it is infinite there."""
    inside = math.nextafter(edge, centre)
    if _divergence(centre, inside) <= limit:
        return edge
    found = float(brentq(lambda p: _divergence(centre, p) - limit, centre, inside, xtol=1e-15, rtol=1e-14))
    outward = -1.0 if edge < centre else 1.0
    return min(1.0, max(0.0, found + outward * 1e-12))


def _divergence(x: float, p: float) -> float:
    """KL of a coin of probability x from one of probability p, 0 < p < 1."""
    first = x * math.log(x / p) if x > 0.0 else 0.0
    return first + ((1.0 - x) * math.log((1.0 - x) / (1.0 - p)) if x < 1.0 else 0.0)
