"""pass@k: the probability of at least one success in k tries from the same first state.

A policy plays n >= k tries from each of m first states; c of the n succeed. Of the C(n, k) ways to pick k tries,
C(n - c, k) hold no success, so

    e = 1 - C(n - c, k)/C(n, k)

has the expectation 1 - (1 - q)^k, with q the probability of success from that first state; it is unbiased, which
1 - (1 - c/n)^k is not. pass@k is the mean of e over first states.

First state i and all its tries depend on the seed, n and i alone. So any split of the first states into parts gives
the same numbers, and the first states are those that `evaluate` meets with the same seed.

References
----------
Chen et al., Evaluating Large Language Models Trained on Code (2021), section 2.1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from continuous.evaluation import Act, Policy, checked_act, play
from continuous.task_model import Task
from theory.base import validate
from theory.base.streams import stream, substream
from theory.claims import Interval
from theory.statistics.bounded_mean import bounded_mean_interval

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TRIES = (1, 2, 4, 8, 16, 32)
"""The numbers of tries k that are reported."""


def pass_estimates(successes: ArrayLike, n_tries: int, k: int) -> FloatArray:
    """Unbiased estimates 1 - C(n - c, k)/C(n, k) of the probability that one of k tries succeeds, (m,).

    Parameters
    ----------
    successes : array_like of int, (m,)
        c, how many of the n tries succeeded, from 0 to n.
    n_tries : int
        n, at least 1.
    k : int
        From 1 to n.

    Returns
    -------
    ndarray, (m,)
        In [0, 1]. Computed in integers, with one rounding at the end.
    """
    n = validate.integer("n_tries", n_tries, at_least=1)
    c = validate.integers("successes", successes, shape=(None,), below=n + 1)
    k = validate.integer("k", k, at_least=1, at_most=n)
    ways = math.comb(n, k)
    counts, place = np.unique(c, return_inverse=True)
    return np.array([(ways - math.comb(n - one, k)) / ways for one in counts.tolist()])[place]


@dataclass(frozen=True, eq=False, kw_only=True)
class Tries:
    """How many of n tries succeeded from each of m first states.

    Parameters
    ----------
    task : str
    successes : array_like of int, (m,)
        From 0 to n; m at least 1.
    n_tries : int
        n, at least 1.
    """

    task: str
    successes: IntArray
    n_tries: int

    def __post_init__(self) -> None:
        n = validate.integer("n_tries", self.n_tries, at_least=1)
        counts = validate.integers("successes", self.successes, shape=(None,), below=n + 1)
        if counts.size == 0:
            raise ValueError("successes must hold at least 1 first state; got 0")
        object.__setattr__(self, "successes", validate.frozen(counts))

    @property
    def n_starts(self) -> int:
        """Number of first states m."""
        return int(self.successes.size)

    def estimates(self, k: int) -> FloatArray:
        """Unbiased estimates for k tries, one for each first state, (m,)."""
        return pass_estimates(self.successes, self.n_tries, k)

    def pass_at(self, k: int) -> float:
        """Estimate of pass@k, in [0, 1]; k from 1 to n."""
        return math.fsum(self.estimates(k).tolist()) / self.n_starts

    def interval(self, k: int, confidence: float = 0.95) -> Interval:
        """Interval of pass@k over first states, valid for any number of them; it does not shrink as n grows alone.

        Parameters
        ----------
        k : int
            From 1 to n.
        confidence : float, optional
            In (0, 1).
        """
        return bounded_mean_interval(self.estimates(k), confidence)


def play_tries(
    task: Task,
    policy: Policy | Act,
    n_starts: int,
    n_tries: int,
    seed: np.random.SeedSequence,
    *,
    first: int = 0,
    rare: float | None = None,
) -> Tries:
    """Play n tries from each of m first states; those of one first state run side by side.

    Parameters
    ----------
    task : Task
    policy : Policy or callable
        As for `evaluation.evaluate`. It may not carry anything from one call to the next.
    n_starts : int
        m, at least 1.
    n_tries : int
        n, at least 1 and at least the largest k that will be asked for.
    seed : numpy.random.SeedSequence
        It is not changed. First states are those of `evaluate` with this seed.
    first : int, optional
        Number of the first state with which to begin, at least 0: parts of one evaluation can be played apart, and
        `joined` puts them together.
    rare : float, optional
        As for `evaluate`.

    Returns
    -------
    Tries
    """
    task = validate.instance("task", task, Task)
    m = validate.integer("n_starts", n_starts, at_least=1)
    n = validate.integer("n_tries", n_tries, at_least=1)
    seed = validate.instance("seed", seed, np.random.SeedSequence)
    first = validate.integer("first", first, at_least=0)
    act = checked_act(policy)
    starts = task.reset(stream(seed, 0), first + m, rare=rare)
    of_policy = substream(seed, 1)
    successes = np.empty(m, np.int64)
    for i in range(m):
        # A generator for each first state, not for a batch: what it draws must not depend on which others run beside.
        same = np.repeat(starts[first + i : first + i + 1], n, axis=0)
        successes[i] = play(task, act, same, stream(of_policy, first + i)).success.sum()
    return Tries(task=task.name, successes=successes, n_tries=n)


def joined(parts: Sequence[Tries]) -> Tries:
    """Tries from the first states of all parts, in their order.

    Parameters
    ----------
    parts : sequence of Tries
        At least one; of one task, with the same number of tries.

    Raises
    ------
    ValueError
        If there is none, or they differ in task or number of tries.
    """
    kinds = {(validate.instance("parts", part, Tries).task, part.n_tries) for part in parts}
    if len(kinds) != 1:
        raise ValueError(f"parts must be of one task with one number of tries; got {sorted(kinds)}")
    ((task, n_tries),) = kinds
    return Tries(task=task, successes=np.concatenate([part.successes for part in parts]), n_tries=n_tries)
