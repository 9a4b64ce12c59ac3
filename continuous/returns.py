"""Returns of recorded decisions: over several decisions, as generalised advantages, and the largest that is possible.

Decisions t = 0, 1, ..., T-1 of an episode give rewards r_t. keep_t is the discount g, or 0 where the episode has ended.

    over n decisions    r_t + g r_{t+1} + ... + g^{m-1} r_{t+m-1}, and after it g^m, or 0 where the episode has ended,
                        with m the smaller of n and T - t
    advantages          e_t + g l e_{t+1} + (g l)^2 e_{t+2} + ...,    e_t = r_t + keep_t V(s_{t+1}) - V(s_t)

References
----------
Schulman et al., High-dimensional continuous control using generalized advantage estimation, ICLR 2016.
"""

import numpy as np
from numpy.typing import NDArray

from continuous.finetuning import Experience
from continuous.networks import Floats

FloatArray = NDArray[np.float64]


def following(experience: Experience) -> NDArray[np.int64]:
    """Row of the same episode's next decision, (M,), or -1 after its last."""
    order = np.argsort(experience.episodes, kind="stable")  # decisions of several episodes alternate
    same = experience.episodes[order[:-1]] == experience.episodes[order[1:]]
    rows = np.full(len(order), -1)
    rows[order[:-1]] = np.where(same, order[1:], -1)
    return rows


def over_decisions(experience: Experience, n_decisions: int, discount: float) -> tuple[Floats, Floats, Floats]:
    """What each decision leads to within n decisions, or to its episode's last one if that comes before.

    Parameters
    ----------
    experience : Experience
    n_decisions : int
        At least 1; with 1 these are the experience's own arrays.
    discount : float
        In (0, 1].

    Returns
    -------
    rewards : ndarray of float32, (M, 1)
        Their discounted sum.
    keeps : ndarray of float32, (M, 1)
        The discount of what follows, or 0 where the episode has ended.
    next_inputs : ndarray of float32, (M, O+1)
        After the last of these decisions.
    """
    after, ended = following(experience), experience.ended[:, 0]
    single = experience.rewards[:, 0].astype(np.float64)
    at, rewards, keeps = np.arange(len(after)), single.copy(), np.where(ended, 0.0, discount)
    for _ in range(n_decisions - 1):
        on = np.flatnonzero((keeps > 0.0) & (after[at] >= 0))
        at[on] = after[at[on]]
        rewards[on] += keeps[on] * single[at[on]]
        keeps[on] = np.where(ended[at[on]], 0.0, discount * keeps[on])
    return rewards[:, None].astype(np.float32), keeps[:, None].astype(np.float32), experience.next_inputs[at]


def advantages(
    experience: Experience, values: FloatArray, next_values: FloatArray, discount: float, trace: float
) -> FloatArray:
    """Generalised advantages of the decisions, (M,); the sum ends with the episode.

    Parameters
    ----------
    experience : Experience
    values, next_values : ndarray, (M,)
        V before and after each decision; the latter is used where the episode goes on.
    discount, trace : float
        The letters g and l, in [0, 1].
    """
    keeps = experience.keeps(discount)[:, 0].astype(np.float64)
    errors = experience.rewards[:, 0] + keeps * next_values - values
    gains, later = np.empty(len(errors)), np.zeros(int(experience.episodes.max()) + 1)
    for i in range(len(errors) - 1, -1, -1):  # decisions of several episodes alternate: each episode has its own sum
        episode = experience.episodes[i]
        gains[i] = later[episode] = errors[i] + keeps[i] * trace * later[episode]
    return gains


def largest_return(experience: Experience, discount: float) -> float:
    """Largest discounted return of an episode that the rewards seen allow.

    If all rewards are 0 or 1, and 1 comes with an episode's end alone, it is 1, whether or not a success was seen. Else
    it is the largest reward of a decision at every decision of the longest episode, or, if no reward is positive, that
    reward once.

    Parameters
    ----------
    experience : Experience
    discount : float
        In (0, 1].
    """
    rewards = experience.rewards
    if np.isin(rewards, (0.0, 1.0)).all() and experience.ended[rewards == 1.0].all():
        return 1.0
    largest, longest = float(rewards.max()), int(np.bincount(experience.episodes).max())
    return largest * float((discount ** np.arange(longest)).sum()) if largest > 0.0 else largest
