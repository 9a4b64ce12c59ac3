"""Paired differences between one policy and a curve of rivals: at equal success before finetuning, and at equal noise.

Letters: R seeds; the rivals are S policies, ordered by the strength of their noise. x is the success before finetuning
and y the quantity compared, each (R,) of the one policy and (S, R) of the rivals.

What is compared on one half of the seeds is chosen on the other half. If the best of several rivals were chosen and
compared on the same seeds, its luck would count as a difference.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def halves(n_seeds: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Even and odd seeds, by their order."""
    even = np.arange(n_seeds) % 2 == 0
    return even, ~even


def chosen_on_other_half(scores: FloatArray) -> NDArray[np.int64]:
    """Row with the best mean over the other half of the seeds (even or odd), for each seed, (R,).

    Parameters
    ----------
    scores : ndarray, (S, R)
        Of S policies; R >= 2.
    """
    chosen = np.empty(scores.shape[1], np.int64)
    for half in halves(scores.shape[1]):
        chosen[half] = int(scores[:, ~half].mean(axis=1).argmax())
    return chosen


def against_frontier(x: FloatArray, y: FloatArray, rivals_x: FloatArray, rivals_y: FloatArray) -> FloatArray:
    """Differences in y from the best of the rivals whose x is as high or higher, seed by seed, (R,).

    The best rival is found from means over the other half of the seeds: among the rivals with this x or a higher one,
    and between two neighbours, at the point where x is equal. There, to first order, each seed's difference also
    contains the error of x, which decides what was matched; so the spread of the differences is that of the whole
    comparison. If no rival has an x as high, the one with the highest is taken.

    Parameters
    ----------
    x, y : ndarray, (R,)
        Of one policy; R >= 2.
    rivals_x, rivals_y : ndarray, (S, R)
        In the order of their strength.
    """
    differences = np.empty(len(x))
    for half in halves(len(x)):
        i, share, slope = _best_point(
            x[~half].mean(), rivals_x[:, ~half].mean(axis=1), rivals_y[:, ~half].mean(axis=1)
        )  # fmt: skip
        j = min(i + 1, len(rivals_x) - 1)
        rival_x, rival_y = ((1 - share) * z[i][half] + share * z[j][half] for z in (rivals_x, rivals_y))
        differences[half] = y[half] - rival_y - slope * (x[half] - rival_x)
    return differences


def _best_point(level: float, X: FloatArray, Y: FloatArray) -> tuple[int, float, float]:
    """Where on the line through points (X, Y), among all with X >= level, Y is largest.

    The point before it, the share of the way to the next point, and the slope there if X equals `level`, else 0.
    """
    point, best = (int(X.argmax()), 0.0, 0.0), -np.inf
    for i in range(len(X)):
        if X[i] >= level and Y[i] > best:
            point, best = (i, 0.0, 0.0), float(Y[i])
    for i in range(len(X) - 1):
        if min(X[i], X[i + 1]) < level < max(X[i], X[i + 1]):
            slope = float((Y[i + 1] - Y[i]) / (X[i + 1] - X[i]))
            if Y[i] + slope * (level - X[i]) > best:
                best = float(Y[i] + slope * (level - X[i]))
                point = i, float((level - X[i]) / (X[i + 1] - X[i])), slope
    return point


def at_equal_noise(
    noise: FloatArray, y: FloatArray, rivals_noise: FloatArray, rivals_y: FloatArray
) -> FloatArray | None:
    """Differences in y from the rivals at the same noise, seed by seed, (R,), interpolated between neighbours.

    None if the noise of any seed lies outside the rivals' range, because then nothing can be matched.

    Parameters
    ----------
    noise, y : ndarray, (R,)
    rivals_noise, rivals_y : ndarray, (S, R)
        Increasing in noise.
    """
    if (noise > rivals_noise[-1]).any() or (noise < rivals_noise[0]).any():
        return None
    matched = [np.interp(noise[r], rivals_noise[:, r], rivals_y[:, r]) for r in range(len(y))]
    return np.asarray(y - np.array(matched))
