"""What a data set of demonstrations covers: visits, actions that BC would rule out, likelihoods, guarantees, a plan.

Everything is computed from a `Tally`. A cell c is a step and a state (a state alone where the demonstrator is taken as
stationary); n is its number of visits and K that of the recordings of an action in it. Shares and likelihoods are
estimated by cross-validation: the episodes are in F folds, and each fold is judged by what the other folds recorded. A
cloned policy gives an action of a cell

    (1 - a_n) K/n + a_n/A,   a_n = alpha lambda/(n + lambda),

with n and K from the other folds and A the number of actions of the state. Rewards are in [0, 1] a step.
"""

import math
from dataclasses import dataclass

import numpy as np

from tabular.advice import Question, plan_for, recommendation
from tabular.audit_records import (
    AuditReport,
    DataSummary,
    Estimate,
    GoodTuring,
    HeldOutLikelihood,
    Sizes,
    VisitShares,
    ZeroEstimates,
)
from tabular.mdp import FloatArray, IntArray
from tabular.policies import log_choice, paper_choice
from tabular.tally import Tally
from theory.bounds.family import noise_weight
from theory.claims import Interval
from theory.statistics.probability import mean_interval

VISIT_CLASSES = (("1", 1, 1), ("2-4", 2, 4), ("5-19", 5, 19), ("20+", 20, 2**62))
"""Name, smallest and largest number of visits of each class."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A policy whose held-out likelihood is shown; its prior's mass may differ among cells, (C,)."""

    name: str
    alpha: float
    prior_mass: float | FloatArray


def audit(tally: Tally, question: Question) -> AuditReport:
    """Audit a data set.

    Parameters
    ----------
    tally : Tally
        With its steps, as read.
    question : Question

    Raises
    ------
    ValueError
        If no state has two actions, or the data name more states than `n_states`.
    """
    if not isinstance(tally, Tally) or not isinstance(question, Question):
        raise TypeError("tally and question must be a Tally and a Question")
    states_found = int(tally.state_actions.size)
    H, T = int(tally.cell_step.max()) + 1, tally.n_episodes
    S, A = question.n_states or states_found, int(tally.state_actions.max())
    if states_found > S:
        raise ValueError(f"n_states must be at least {states_found}, the number found in the data; got {S}")
    if A < 2:
        raise ValueError("the data show only one action: state the number of actions")
    used = tally.without_steps() if question.stationary else tally
    sizes = Sizes(n_states=S, n_actions=A, horizon=1 if question.stationary else H, n_demos=T)
    advice = None if question.stationary else recommendation(tally, S, question)
    return AuditReport(
        data=DataSummary(
            episodes=T,
            rows=int(tally.counts.sum()),
            horizon=H,
            states_found=states_found,
            states_stated=question.n_states,
            largest_number_of_actions=A,
            actions_stated=tally.actions_stated,
            stationary=question.stationary,
            cells=int(used.cell_step.size),
            folds=int(tally.counts.shape[1]),
        ),
        visits=visit_shares(tally, used),
        zero=zero_estimates(used),
        good_turing=good_turing(used),
        likelihood=[
            held_out_likelihood(used, c.name, c.alpha, c.prior_mass) for c in _candidates(used, sizes, question.delta)
        ],
        recommendation=advice,
        plan=plan_for(used, sizes, question, advice),
    )


def visit_shares(tally: Tally, used: Tally) -> VisitShares:
    """Share of the recorded rows in cells with 1, 2-4, 5-19 and 20+ visits: of all rows, and by step.

    Parameters
    ----------
    tally : Tally
        With steps.
    used : Tally
        The same, or without steps.
    """
    rows, visits = tally.visits, used.visits
    of_cell = visits if used is tally else visits[tally.cell_state]
    steps, step_index = np.unique(tally.cell_step, return_inverse=True)
    table = np.zeros((steps.size, len(VISIT_CLASSES)))
    for i, (_, low, high) in enumerate(VISIT_CLASSES):
        inside = (of_cell >= low) & (of_cell <= high)
        np.add.at(table[:, i], step_index[inside], rows[inside])
    totals = table.sum(axis=1)
    return VisitShares(
        classes=[name for name, _, _ in VISIT_CLASSES],
        overall=(table.sum(axis=0) / totals.sum()).tolist(),
        steps=steps.tolist(),
        rows=totals.astype(int).tolist(),
        by_step=(table / totals[:, None]).tolist(),
    )


def zero_estimates(tally: Tally) -> ZeroEstimates | None:
    """Where BC would rule out what the demonstrator did: cross-validation over episodes.

    Returns
    -------
    ZeroEstimates or None
        With 95 % Student intervals over the folds (approximate: folds share their training data). None with one fold.
    """
    if tally.counts.shape[1] < 2:
        return None
    held = tally.counts
    train, visits = _training_counts(tally)
    seen = visits[tally.pair_cell] > 0
    zero = np.where(seen & (train == 0), held, 0)
    unseen = np.where(seen, 0, held)
    steps, step_index = np.unique(tally.cell_step[tally.pair_cell], return_inverse=True)
    by_step, rows = np.zeros(steps.size), np.zeros(steps.size)
    np.add.at(by_step, step_index, zero.sum(axis=1))
    np.add.at(rows, step_index, held.sum(axis=1))
    return ZeroEstimates(
        zero=_share(zero, held),
        unseen=_share(unseen, held),
        steps=steps.tolist(),
        zero_by_step=(by_step / rows).tolist(),
    )


def good_turing(tally: Tally) -> GoodTuring:
    """Good and Turing's estimates of the mass that was never recorded.

    Where an episode visits a cell at most once, both equal the leave-one-episode-out estimates.

    References
    ----------
    Good, The population frequencies of species and the estimation of population parameters, Biometrika 40 (1953).
    """
    counts, visits = tally.counts.sum(axis=1), tally.visits
    rows = int(counts.sum())
    once = (counts == 1) & (visits[tally.pair_cell] > 1)
    return GoodTuring(cells=float((visits == 1).sum() / rows), actions=float(once.sum() / rows))


def held_out_likelihood(tally: Tally, name: str, alpha: float, prior_mass: float | FloatArray) -> HeldOutLikelihood:
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
    HeldOutLikelihood
        With a 95 % Student interval over the folds; nothing is estimated with one fold.
    """
    mass = _mass_shown(prior_mass)
    if tally.counts.shape[1] < 2:
        return HeldOutLikelihood(policy=name, alpha=alpha, prior_mass=mass)
    held = tally.counts
    train, visits = _training_counts(tally)
    chance = probabilities(tally, train, visits, alpha, prior_mass)
    possible = chance > 0
    logs = np.where(possible, np.log(np.where(possible, chance, 1.0)), 0.0)
    impossible = int(held[~possible].sum())
    n_possible = int(held.sum()) - impossible
    mean, interval = ratio((held * logs).sum(axis=0), held.sum(axis=0)) if impossible == 0 else (None, None)
    return HeldOutLikelihood(
        policy=name,
        alpha=alpha,
        prior_mass=mass,
        mean=mean,
        interval=None if interval is None else (interval.low, interval.high),
        minus_infinity=impossible > 0,
        impossible=impossible / int(held.sum()),
        mean_of_possible=float((held * logs).sum()) / n_possible if n_possible else None,
    )


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
    weight = noise_weight(n, alpha, mass)
    result: FloatArray = (1.0 - weight) * train / np.maximum(n, 1) + weight / A
    return result


def _candidates(tally: Tally, sizes: Sizes, delta: float) -> list[Candidate]:
    paper = paper_choice(sizes.n_actions, sizes.horizon, sizes.n_demos)
    mass = log_choice(sizes.n_states, sizes.n_actions, sizes.horizon, delta).prior_mass
    actions_of_cell = tally.state_actions[tally.cell_state].astype(np.float64)
    return [
        Candidate(name="BC", alpha=0.0, prior_mass=1.0),
        Candidate(name="uniform noise", alpha=paper.alpha, prior_mass=math.inf),
        Candidate(name="posterior, lambda = A", alpha=1.0, prior_mass=actions_of_cell),
        Candidate(name="PostBC, the paper's choice", alpha=paper.alpha, prior_mass=paper.prior_mass),
        Candidate(name="PostBC, lambda = L'/2, the paper's alpha", alpha=paper.alpha, prior_mass=mass),
        Candidate(name="PostBC, lambda = L'/2, alpha = 1", alpha=1.0, prior_mass=mass),
    ]


def _training_counts(tally: Tally) -> tuple[IntArray, IntArray]:
    """Counts (P, F) and visits (C, F) in all folds but the one of the column."""
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


def _share(part: IntArray, whole: IntArray) -> Estimate:
    """Share of the rows, with an interval within [0, 1]."""
    total, interval = ratio(part.sum(axis=0), whole.sum(axis=0))
    return Estimate(mean=total, interval=(min(1.0, max(0.0, interval.low)), min(1.0, max(0.0, interval.high))))


def _mass_shown(prior_mass: float | FloatArray) -> float | str | None:
    if isinstance(prior_mass, np.ndarray):
        return "A of the state"
    return None if math.isinf(prior_mass) else float(prior_mass)
