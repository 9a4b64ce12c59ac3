"""Hypothesis strategies for processes, policies, demonstrations and estimators, for tests of bounds, also your own.

Probabilities and rewards are multiples of 1/8 by default: rows then sum to exactly 1 in floating point, and
`fractions.Fraction` of every entry is the number itself, so that an oracle can be exact. Everything shrinks towards one
step, one state, one action, point masses on the first outcome, and no reward.
"""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tabular.counts import Counts, Demonstrations
from tabular.instances import Instance
from tabular.mdp import FiniteHorizonMDP, FloatArray
from tabular.policies import BC, MixtureEstimator, postbc, posterior, uniform_noise

GRAIN = 8
"""Probabilities are multiples of 1/GRAIN; a power of two keeps them exact."""

_CHOICES = 12
"""A multiple of 1, 2, 3 and 4, so that a choice among up to four is uniform."""


def distributions(shape: tuple[int, ...], size: int, *, grain: int = GRAIN) -> st.SearchStrategy[FloatArray]:
    """Arrays whose last axis holds distributions over `size` outcomes, zeros and point masses included.

    Parameters
    ----------
    shape : tuple of int
        Leading axes.
    size : int
        Number of outcomes, at least 1.
    grain : int, optional
        Probabilities are multiples of 1/grain.

    Returns
    -------
    SearchStrategy of ndarray, (*shape, size)
    """
    cuts = hnp.arrays(np.int64, (*shape, size - 1), elements=st.integers(0, grain))
    return cuts.map(lambda drawn: _gaps(drawn, grain))


def _gaps(cuts: np.ndarray, grain: int) -> FloatArray:
    gaps = np.diff(np.sort(cuts, axis=-1), axis=-1, prepend=0, append=grain)
    return np.ascontiguousarray(gaps[..., ::-1]) / grain


@st.composite
def mdps(
    draw: st.DrawFn, *, max_horizon: int = 3, max_states: int = 3, max_actions: int = 3, grain: int = GRAIN
) -> FiniteHorizonMDP:
    """Processes of all forms: dense or with successor lists, stationary or not, in dynamics and in rewards.

    Successor lists may name a state twice and have unused places anywhere.

    Parameters
    ----------
    draw : DrawFn
        Given by hypothesis.
    max_horizon, max_states, max_actions : int, optional
        Largest sizes, at least 1.
    grain : int, optional
        Probabilities and rewards are multiples of 1/grain.

    Returns
    -------
    SearchStrategy of FiniteHorizonMDP
    """
    H = draw(st.integers(1, max_horizon))
    S = draw(st.integers(1, max_states))
    A = draw(st.integers(1, max_actions))
    K = draw(st.sampled_from([1, H]))
    initial = draw(distributions((), S, grain=grain))
    rewards = draw(hnp.arrays(np.int64, (draw(st.sampled_from([1, H])), S, A), elements=st.integers(0, grain))) / grain
    if draw(st.booleans()):
        return FiniteHorizonMDP.from_dense(draw(distributions((K, S, A), S, grain=grain)), rewards, initial, H)
    D = draw(st.integers(1, S + 1))
    successors = draw(hnp.arrays(np.int64, (K, S, A, D), elements=st.integers(0, S - 1)))
    return FiniteHorizonMDP(successors, draw(distributions((K, S, A), D, grain=grain)), rewards, initial, H)


def policies(mdp: FiniteHorizonMDP, *, grain: int = GRAIN) -> st.SearchStrategy[FloatArray]:
    """Policies of a process, deterministic ones included; a demonstrator is one of them.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    grain : int, optional
        Probabilities are multiples of 1/grain.

    Returns
    -------
    SearchStrategy of ndarray, (H, S, A)
    """
    return distributions((mdp.horizon, mdp.n_states), mdp.n_actions, grain=grain)


demonstrators = policies
"""Any policy may demonstrate."""


@st.composite
def instances(
    draw: st.DrawFn, *, max_horizon: int = 3, max_states: int = 3, max_actions: int = 3, grain: int = GRAIN
) -> Instance:
    """A process with a demonstrator.

    Parameters
    ----------
    draw : DrawFn
        Given by hypothesis.
    max_horizon, max_states, max_actions, grain : int, optional
        As for `mdps`.

    Returns
    -------
    SearchStrategy of Instance
    """
    mdp = draw(mdps(max_horizon=max_horizon, max_states=max_states, max_actions=max_actions, grain=grain))
    return Instance("drawn", mdp, draw(demonstrators(mdp, grain=grain)))


@st.composite
def demonstrations(
    draw: st.DrawFn, mdp: FiniteHorizonMDP, demonstrator: FloatArray, *, max_demos: int = 6
) -> Demonstrations:
    """Demonstrations that have positive probability. They are chosen, not sampled from the demonstrator's law.

    Parameters
    ----------
    draw : DrawFn
        Given by hypothesis.
    mdp : FiniteHorizonMDP
    demonstrator : ndarray, (H, S, A)
    max_demos : int, optional
        Largest number of trajectories, at least 1.

    Returns
    -------
    SearchStrategy of Demonstrations
    """
    T = draw(st.integers(1, max_demos))
    choices = draw(hnp.arrays(np.int64, (T, mdp.horizon, 2), elements=st.integers(0, _CHOICES - 1)))
    dynamics = mdp.to_dense()
    states, actions = np.empty((T, mdp.horizon), np.int64), np.empty((T, mdp.horizon), np.int64)
    for t in range(T):
        row = mdp.initial
        for h, (to_state, to_action) in enumerate(choices[t]):
            s = states[t, h] = _possible(row, to_state)
            a = actions[t, h] = _possible(demonstrator[h, s], to_action)
            row = dynamics[min(h, len(dynamics) - 1), s, a]
    return Demonstrations(states, actions, mdp.n_states, mdp.n_actions)  # type: ignore[arg-type]  # converted there


def _possible(row: FloatArray, choice: int) -> int:
    possible = np.flatnonzero(row > 0)
    return int(possible[choice % possible.size])


def counts(mdp: FiniteHorizonMDP, demonstrator: FloatArray, *, max_demos: int = 6) -> st.SearchStrategy[Counts]:
    """Counts of `demonstrations`.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : ndarray, (H, S, A)
    max_demos : int, optional
        Largest number of trajectories, at least 1.

    Returns
    -------
    SearchStrategy of Counts
    """
    return demonstrations(mdp, demonstrator, max_demos=max_demos).map(Demonstrations.counts)


def estimators(*, max_prior_mass: int = 8) -> st.SearchStrategy[MixtureEstimator]:
    """All four kinds of the family, with parameters that are exact in floating point.

    Parameters
    ----------
    max_prior_mass : int, optional
        Largest lambda, at least 1; lambda is a positive multiple of 1/4.

    Returns
    -------
    SearchStrategy of MixtureEstimator
    """
    alphas = st.integers(0, 8).map(lambda n: n / 8)
    masses = st.integers(1, 4 * max_prior_mass).map(lambda n: n / 4)
    return st.one_of(st.just(BC), alphas.map(uniform_noise), masses.map(posterior), st.builds(postbc, alphas, masses))
