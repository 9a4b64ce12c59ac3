"""Kasparov's moves, and their probabilities under policies cloned from some of his games.

In a position with A legal moves that n cloned games reached, k of them with his move, a policy gives the move

    (1 - a_n) k/n + a_n/A,    a_n the weight of noise after n visits.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from figures.exact.estimators import DELTA
from figures.running.artifacts import Arrays
from figures.running.data import data_path
from tabular.policies import BC, log_choice, paper_choice, uniform_noise
from theory.bounds.family import noise_weight

FILES = ("kasparov_openings/decisions.csv", "kasparov_openings/states.csv", "kasparov_openings/games.csv")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes that the choice of noise depends on: positions, largest number of legal moves, moves, cloned games."""

    n_states: int
    n_actions: int
    horizon: int
    n_games: int


Weight = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Weight of noise, from the visits n and the numbers of legal moves A."""


@dataclass(frozen=True, kw_only=True)
class ClonedPolicy:
    """A policy with noise that depends on the visits.

    Parameters
    ----------
    name : str
        With a look in `figures.look.palette`.
    weight : callable
        `Weight` for the sizes of the data.
    label : str, optional
        Printed label, where it is not the name.
    """

    name: str
    weight: Callable[[Sizes], Weight]
    label: str = ""


def _paper_weight(sizes: Sizes) -> Weight:
    member = paper_choice(sizes.n_actions, sizes.horizon, sizes.n_games)
    return lambda n, A: member.noise_weight(n)


def _uniform_weight(sizes: Sizes) -> Weight:
    member = uniform_noise(paper_choice(sizes.n_actions, sizes.horizon, sizes.n_games).alpha)
    return lambda n, A: member.noise_weight(n)


def _posterior_weight(_: Sizes) -> Weight:
    return lambda n, A: noise_weight(n, 1.0, A)  # one pseudo-count for each legal move


def _log_weight(sizes: Sizes) -> Weight:
    member = log_choice(sizes.n_states, sizes.n_actions, sizes.horizon, DELTA)
    return lambda n, A: member.noise_weight(n)


POLICIES = {
    policy.name: policy
    for policy in (
        ClonedPolicy(name="BC", weight=lambda sizes: lambda n, A: BC.noise_weight(n)),
        ClonedPolicy(name="uniform noise", weight=_uniform_weight),
        ClonedPolicy(name="posterior", weight=_posterior_weight),
        ClonedPolicy(name="PostBC", weight=_paper_weight, label="PostBC, paper"),
        ClonedPolicy(name="PostBC, lambda = L'/2", weight=_log_weight, label="$\\lambda = L'/2$, $\\alpha = 1$"),
    )
}
"""Further entries go to the end."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Decisions:
    """His moves, one in each row; rows of a game are together, games are in the order of years.

    Attributes
    ----------
    game : ndarray of int, (N,)
        Number of the game.
    h : ndarray of int, (N,)
        Number of his move in the game, from 0.
    cell : ndarray of int, (N,)
        Number of the pair (h, position).
    pair : ndarray of int, (N,)
        Number of the triple (h, position, action).
    legal : ndarray of int, (N,)
        Number of legal moves.
    n_states : int
        Positions in the file.
    """

    game: NDArray[np.int64]
    h: NDArray[np.int64]
    cell: NDArray[np.int64]
    pair: NDArray[np.int64]
    legal: NDArray[np.int64]
    n_states: int


def read_decisions() -> Decisions:
    """Read the data set; `FileNotFoundError` if a file is not found."""
    with data_path(FILES[1]).open(newline="", encoding="utf-8") as file:
        legal = {row["state"]: int(row["legal_moves"]) for row in csv.DictReader(file)}
    with data_path(FILES[2]).open(newline="", encoding="utf-8") as file:
        year = {int(row["game"]): int(row["year"]) for row in csv.DictReader(file)}
    with data_path(FILES[0]).open(newline="", encoding="utf-8") as file:
        rows = [(int(r["game"]), int(r["h"]), r["state"], r["action_uci"]) for r in csv.DictReader(file)]
    rank = {game: i for i, game in enumerate(sorted(year, key=lambda g: (year[g], g)))}
    rows.sort(key=lambda row: (rank[row[0]], row[1]))
    cells: dict[tuple[int, str], int] = {}
    pairs: dict[tuple[int, str, str], int] = {}
    cell = [cells.setdefault((h, s), len(cells)) for _, h, s, _ in rows]
    pair = [pairs.setdefault((h, s, a), len(pairs)) for _, h, s, a in rows]
    return Decisions(
        game=np.array([rank[g] for g, *_ in rows]),
        h=np.array([h for _, h, *_ in rows]),
        cell=np.array(cell),
        pair=np.array(pair),
        legal=np.array([legal[s] for _, _, s, _ in rows]),
        n_states=len(legal),
    )


def log_likelihoods(data: Decisions, train: NDArray[np.bool_], test: NDArray[np.bool_]) -> Arrays:
    """Held-out rows under the policies cloned from the training rows.

    Parameters
    ----------
    data : Decisions
    train, test : ndarray of bool, (N,)

    Returns
    -------
    dict
        `logs`, (policies, rows), minus infinity where a move is ruled out; `unseen`, (rows,): the position is new.
    """
    n = np.bincount(data.cell[train], minlength=data.cell.max() + 1)[data.cell[test]]
    recorded = np.bincount(data.pair[train], minlength=data.pair.max() + 1)[data.pair[test]]
    A = data.legal[test]
    sizes = Sizes(
        n_states=data.n_states,
        n_actions=int(data.legal.max()),
        horizon=int(data.h.max()) + 1,
        n_games=np.unique(data.game[train]).size,
    )
    logs = np.empty((len(POLICIES), n.size))
    for i, policy in enumerate(POLICIES.values()):
        weight = policy.weight(sizes)(n, A)
        chance = (1 - weight) * recorded / np.maximum(n, 1) + weight / A
        logs[i] = np.log(chance, where=chance > 0, out=np.full(chance.shape, -np.inf))
    return {"logs": logs, "unseen": n == 0}


def splits(data: Decisions, folds: int, split: str, rng: np.random.Generator) -> list[tuple[NDArray[np.int64], ...]]:
    """Pairs of games to clone (nearest in time first) and games held out."""
    n_games = int(data.game.max()) + 1
    if split == "in time":
        first = n_games - n_games // folds
        return [(np.arange(first - 1, -1, -1), np.arange(first, n_games))]
    order = rng.permutation(n_games)
    parts = np.array_split(order, folds)
    return [(np.concatenate([p for j, p in enumerate(parts) if j != k]), parts[k]) for k in range(folds)]
