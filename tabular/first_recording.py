"""How many demonstrations until an action is recorded for the first time: in closed form, without limit of size.

With occupancy w and probability p, T demonstrations record the action never with probability (1 - w p)^T. Where the
state was visited before, BC rules the action out exactly then. In a state without visits BC is uniform until the first,
so that it rules the action out with probability

    f(T) = (1 - w p)^T - (1 - w)^T,

which rises to one peak and then falls. What is asked for is the smallest number of demonstrations from which on the
probability is at most delta. Decimal arithmetic with as many digits as w p needs: in doubles, 1 - w p is 1 for small
w p, and the last digits of a number of 10^12 demonstrations are lost.

Letters: w = occupancy, p = probability, T = number of demonstrations. Source: the companion.
"""

import decimal
import math
from decimal import Decimal

_DIGITS = 60
"""Correct digits of the logarithms."""

_TIE = Decimal("1e-40")
"""Relative rounding within which a probability counts as equal to delta."""


def demonstrations_until_recorded(occupancy: float, probability: float, delta: float, *, visited: bool) -> int:
    """Smallest number of demonstrations from which on BC rules the action out with probability delta at most.

    Arguments are not checked here.

    Parameters
    ----------
    occupancy, probability : float
        w and p, in (0, 1].
    delta : float
        In (0, 1).
    visited : bool
        Whether the state was visited before (never with the action).
    """
    w, p = Decimal(occupancy), Decimal(probability)
    digits = _DIGITS - math.floor(math.log10(occupancy) + math.log10(probability))
    with decimal.localcontext(prec=digits, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN):
        if w * p == 1:
            return 1 if visited else 0
        log_unrecorded, log_delta = (1 - w * p).ln(), Decimal(delta).ln()
        enough = int((log_delta / log_unrecorded * (1 - _TIE)).to_integral_value(decimal.ROUND_CEILING))
        return enough if visited else _after_the_peak(w, log_unrecorded, Decimal(delta) * (1 + _TIE), enough)


def _after_the_peak(w: Decimal, log_unrecorded: Decimal, delta: Decimal, enough: int) -> int:
    """Smallest T from which on f(T) is at most delta, as it is at `enough`."""
    log_unvisited = (1 - w).ln() if w < 1 else None

    def ruled_out(more: int) -> Decimal:
        unvisited = Decimal(more == 0) if log_unvisited is None else (more * log_unvisited).exp()
        return (more * log_unrecorded).exp() - unvisited

    peak = 0
    if log_unvisited is not None and log_unvisited != log_unrecorded:
        peak = int((log_unvisited / log_unrecorded).ln() / (log_unrecorded - log_unvisited))
    above = [more for more in (peak, peak + 1) if ruled_out(more) > delta]
    if not above:
        return 0
    low, high = above[-1], max(enough, above[-1] + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ruled_out(middle) > delta else (low, middle)
    return high
