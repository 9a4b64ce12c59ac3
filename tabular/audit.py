"""What a demonstration data set covers: visits, actions that BC would rule out, likelihoods, guarantees, a plan.

Everything is computed from a `Tally`. A cell is a step and a state (a state alone where the demonstrator is taken as
stationary); n and K are the visits of a cell and the recordings of an action in it. Rewards are in [0, 1] a step.
"""

import math
from typing import Any

import numpy as np

from tabular.advice import Question, plan_for, recommendation
from tabular.mdp import FloatArray, IntArray
from tabular.policies import log_choice, paper_choice
from tabular.tally import Tally
from theory.claims import Interval
from theory.statistics.probability import mean_interval

VISIT_CLASSES = (("1", 1, 1), ("2-4", 2, 4), ("5-19", 5, 19), ("20+", 20, 2**62))


def audit(tally: Tally, question: Question) -> dict[str, Any]:
    """Audit a data set.

    Parameters
    ----------
    tally : Tally
        With its steps, as read.
    question : Question

    Returns
    -------
    dict
        JSON-ready; numbers that do not exist are None.

    Raises
    ------
    ValueError
        If no state has two actions, or the data name more states than `n_states`.
    """
    if not isinstance(tally, Tally) or not isinstance(question, Question):
        raise TypeError("tally and question must be a Tally and a Question")
    found, H, T = int(tally.state_actions.size), int(tally.cell_step.max()) + 1, tally.n_episodes
    S, A = question.n_states or found, int(tally.state_actions.max())
    if found > S:
        raise ValueError(f"n_states must be at least {found}, as many as were found; got {S}")
    if A < 2:
        raise ValueError("the data show one action only: state how many there are")
    used = tally.without_steps() if question.stationary else tally
    sizes = {"states": S, "actions": A, "horizon": 1 if question.stationary else H, "demonstrations": T}
    policies = _policies(used, sizes, question.delta)
    advice = None if question.stationary else recommendation(tally, S, question)
    return {
        "schema": 1,
        "data": {
            "episodes": T,
            "rows": int(tally.counts.sum()),
            "horizon": H,
            "states_found": found,
            "states_stated": question.n_states,
            "largest_number_of_actions": A,
            "actions_stated": tally.actions_stated,
            "stationary": question.stationary,
            "cells": int(used.cell_step.size),
            "folds": int(tally.counts.shape[1]),
        },
        "visits": visit_shares(tally, used),
        "zero": zero_estimates(used),
        "good_turing": good_turing(used),
        "likelihood": [held_out_likelihood(used, *policy) for policy in policies],
        "recommendation": advice,
        "plan": plan_for(used, sizes, question, advice),
    }


def visit_shares(tally: Tally, used: Tally) -> dict[str, Any]:
    """Share of the recorded rows that sit in cells with 1, 2-4, 5-19 and 20+ visits: of all rows, and by step.

    Parameters
    ----------
    tally : Tally
        With steps.
    used : Tally
        The same, or without steps.
    """
    rows, visits = tally.visits, used.visits
    of_cell = visits if used is tally else visits[tally.cell_state]
    steps, place = np.unique(tally.cell_step, return_inverse=True)
    table = np.zeros((steps.size, len(VISIT_CLASSES)))
    for i, (_, low, high) in enumerate(VISIT_CLASSES):
        inside = (of_cell >= low) & (of_cell <= high)
        np.add.at(table[:, i], place[inside], rows[inside])
    totals = table.sum(axis=1)
    return {
        "classes": [name for name, _, _ in VISIT_CLASSES],
        "all": (table.sum(axis=0) / totals.sum()).tolist(),
        "steps": steps.tolist(),
        "rows": totals.astype(int).tolist(),
        "by_step": (table / totals[:, None]).tolist(),
    }


def zero_estimates(tally: Tally) -> dict[str, Any] | None:
    """Where BC would rule out what the demonstrator did: cross-validation over episodes.

    Returns
    -------
    dict or None
        `zero`: share of held-out rows in a cell that the other folds visited, with an action that they did not record
        there, which BC gives probability 0. `unseen`: share in a cell that they did not visit. Each with a 95 %
        Student interval over the folds (approximate: folds share their training data). None with one fold.
    """
    if tally.counts.shape[1] < 2:
        return None
    held = tally.counts
    train, visits = _others(tally)
    seen = visits[tally.pair_cell] > 0
    zero = np.where(seen & (train == 0), held, 0)
    unseen = np.where(seen, 0, held)
    steps, place = np.unique(tally.cell_step[tally.pair_cell], return_inverse=True)
    by_step, rows = np.zeros(steps.size), np.zeros(steps.size)
    np.add.at(by_step, place, zero.sum(axis=1))
    np.add.at(rows, place, held.sum(axis=1))
    return {
        "zero": _share(zero, held, bounded=True),
        "unseen": _share(unseen, held, bounded=True),
        "steps": steps.tolist(),
        "zero_by_step": (by_step / rows).tolist(),
    }


def good_turing(tally: Tally) -> dict[str, float]:
    """Good and Turing's estimates of the mass that was never recorded.

    Returns
    -------
    dict
        `cells`: of cells never visited, the share of rows whose cell was visited once. `actions`: of actions never
        recorded in a visited cell, the share of rows whose action was recorded once in a cell visited more often.
        Where an episode visits a cell at most once, both are what leaving one episode out gives.

    References
    ----------
    Good, The population frequencies of species and the estimation of population parameters, Biometrika 40 (1953).
    """
    counts, visits = tally.counts.sum(axis=1), tally.visits
    rows = int(counts.sum())
    once = (counts == 1) & (visits[tally.pair_cell] > 1)
    return {"cells": float((visits == 1).sum() / rows), "actions": float(once.sum() / rows)}


def held_out_likelihood(tally: Tally, name: str, alpha: float, prior_mass: float | FloatArray) -> dict[str, Any]:
    """Mean log-likelihood of held-out rows, by cross-validation over episodes.

    Parameters
    ----------
    tally : Tally
    name : str
    alpha : float
        In [0, 1].
    prior_mass : float or ndarray of shape (C,)
        lambda, above 0; one for each cell, or one for all.

    Returns
    -------
    dict
        `mean` with `interval` (95 %, Student, over folds); both None where it is minus infinity, and
        `minus_infinity` says so. `impossible`: share of held-out rows of probability 0. `mean_of_possible`: the mean
        over the others, which flatters a policy that rules much out.
    """
    entry: dict[str, Any] = {"policy": name, "alpha": alpha, "lambda": _single(prior_mass)}
    if tally.counts.shape[1] < 2:
        return {**entry, "mean": None, "interval": None, "minus_infinity": None, "impossible": None,
                "mean_of_possible": None}  # fmt: skip
    held = tally.counts
    train, visits = _others(tally)
    chance = probabilities(tally, train, visits, alpha, prior_mass)
    possible = chance > 0
    logs = np.where(possible, np.log(np.where(possible, chance, 1.0)), 0.0)
    impossible = int(held[~possible].sum())
    ruled_in = int(held.sum()) - impossible
    fit = _share(held * logs, held) if impossible == 0 else {"mean": None, "interval": None}
    return {
        **entry,
        **fit,
        "minus_infinity": impossible > 0,
        "impossible": impossible / int(held.sum()),
        "mean_of_possible": float((held * logs).sum()) / ruled_in if ruled_in else None,
    }


def probabilities(
    tally: Tally, train: IntArray, visits: IntArray, alpha: float, prior_mass: float | FloatArray
) -> FloatArray:
    """Probability that a cloned policy gives to each pair.

    Parameters
    ----------
    tally : Tally
        For its cells and numbers of actions.
    train : ndarray of int, (P, F)
        Training counts K of each pair.
    visits : ndarray of int, (C, F)
        Training visits n of each cell.
    alpha : float
    prior_mass : float or ndarray of shape (C,)

    Returns
    -------
    ndarray, (P, F)
        (1 - a_n) K/n + a_n/A, A the number of actions of the pair's state; 1/A where n = 0.
    """
    n = visits[tally.pair_cell]
    mass = np.broadcast_to(np.asarray(prior_mass, np.float64), tally.cell_step.shape)[tally.pair_cell][:, None]
    A = tally.state_actions[tally.cell_state[tally.pair_cell]][:, None]
    with np.errstate(invalid="ignore"):
        share = np.where(np.isinf(mass), 1.0, mass / (n + mass))
    weight = np.where(n > 0, alpha * share, 1.0)
    result: FloatArray = (1.0 - weight) * train / np.maximum(n, 1) + weight / A
    return result


def _policies(tally: Tally, sizes: dict[str, int], delta: float) -> list[tuple[str, float, float | FloatArray]]:
    S, A, H, T = (sizes[name] for name in ("states", "actions", "horizon", "demonstrations"))
    paper, ours = paper_choice(A, H, T), log_choice(S, A, H, delta)
    own = tally.state_actions[tally.cell_state].astype(np.float64)
    return [
        ("BC", 0.0, 1.0),
        ("uniform noise", paper.alpha, math.inf),
        ("posterior, lambda = A", 1.0, own),
        ("PostBC, the paper's choice", paper.alpha, paper.prior_mass),
        ("PostBC, lambda = L'/2, the paper's alpha", paper.alpha, ours.prior_mass),
        ("PostBC, lambda = L'/2, alpha = 1", 1.0, ours.prior_mass),
    ]


def _others(tally: Tally) -> tuple[IntArray, IntArray]:
    """Counts (P, F) and visits (C, F) in all folds but one."""
    train = tally.counts.sum(axis=1, keepdims=True) - tally.counts
    visits = np.zeros((tally.cell_step.size, train.shape[1]), np.int64)
    np.add.at(visits, tally.pair_cell, train)
    return train, visits


def ratio(parts: FloatArray | IntArray, wholes: IntArray) -> tuple[float, Interval]:
    """Ratio of two sums over independent groups, and its 95 % interval by linearisation (Student, over the groups).

    Parameters
    ----------
    parts, wholes : ndarray of shape (G,)
        One entry a group, at least two groups; approximate where they are few.
    """
    total = float(parts.sum() / wholes.sum())
    return total, mean_interval(total + (parts - total * wholes) / wholes.mean())


def _share(part: FloatArray | IntArray, whole: IntArray, *, bounded: bool = False) -> dict[str, Any]:
    total, interval = ratio(part.sum(axis=0), whole.sum(axis=0))
    ends = [interval.low, interval.high]
    return {"mean": total, "interval": [min(1.0, max(0.0, end)) for end in ends] if bounded else ends}


def _single(prior_mass: float | FloatArray) -> float | str | None:
    if isinstance(prior_mass, np.ndarray):
        return "A of the state"
    return None if math.isinf(prior_mass) else float(prior_mass)
