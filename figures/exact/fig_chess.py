"""A human expert held out: what policies cloned from Garry Kasparov's games say of his moves in other games."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.look import palette, style
from figures.running.artifacts import Arrays
from figures.running.data import data_path
from figures.running.sweep import Sweep
from tabular.audit import ratio
from tabular.policies import BC, Estimator, log_choice, paper_choice, uniform_noise
from theory.claims import Claim, Interval
from theory.statistics.probability import clopper_pearson

NEEDS = ("kasparov_openings/decisions.csv", "kasparov_openings/states.csv", "kasparov_openings/games.csv")
TITLE = "A chess player's moves that cloning rules out"
CAPTION = (
    "Kasparov's first twelve moves of 2117 games (state: move number and position; actions: the legal moves; facts "
    "extracted from a third party's compilation). a: where a held-out game reaches a position that the cloned games "
    "know, how often BC gives his move probability 0, against the number of cloned games: split at random (five "
    "folds), or the last fifth in time, cloned from the games just before it; dotted, share of positions that are new "
    "(random). b: the same by move number, with the most games. c: mean log-likelihood of his held-out moves "
    "(random); BC's is minus infinity. The paper's PostBC is no better than uniform noise of the same alpha; lambda = "
    "L'/2 with alpha = 1 is better with a dozen games and worse with many. 95 % intervals by games (b: "
    "Clopper-Pearson)."
)
DELTA = 0.1
SPLITS = ("random", "in time")
POLICIES = ("BC", "uniform noise", "posterior", "PostBC", "PostBC, lambda = L'/2")


@dataclass(frozen=True)
class Config:
    """Settings.

    Parameters
    ----------
    n_games : tuple of int
        Numbers of training games, at most 1600.
    folds : int
        Folds of games of the random split.
    """

    n_games: tuple[int, ...]
    folds: int = 5


FULL = Config((12, 25, 50, 100, 200, 400, 800, 1200, 1600))
QUICK = Config((25, 100, 400, 1600))


@dataclass(frozen=True, eq=False)
class Decisions:
    """His moves: one entry a row, rows of a game together, games in the order of years.

    Attributes
    ----------
    game, h, cell, pair, legal : ndarray of int, (N,)
        Number of the game, of his move, of the (move, position), of the (move, position, action), of legal moves.
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
    """Read the data set.

    Raises
    ------
    FileNotFoundError
        If a file is not found.
    """
    with data_path(NEEDS[1]).open(newline="", encoding="utf-8") as file:
        legal = {row["state"]: int(row["legal_moves"]) for row in csv.DictReader(file)}
    with data_path(NEEDS[2]).open(newline="", encoding="utf-8") as file:
        year = {int(row["game"]): int(row["year"]) for row in csv.DictReader(file)}
    with data_path(NEEDS[0]).open(newline="", encoding="utf-8") as file:
        rows = [(int(r["game"]), int(r["h"]), r["state"], r["action_uci"]) for r in csv.DictReader(file)]
    place = {game: i for i, game in enumerate(sorted(year, key=lambda g: (year[g], g)))}
    rows.sort(key=lambda row: (place[row[0]], row[1]))
    cells: dict[tuple[int, str], int] = {}
    pairs: dict[tuple[int, str, str], int] = {}
    cell = [cells.setdefault((h, s), len(cells)) for _, h, s, _ in rows]
    pair = [pairs.setdefault((h, s, a), len(pairs)) for _, h, s, a in rows]
    table = np.array([[place[g], h, c, p, legal[s]] for (g, h, s, _), c, p in zip(rows, cell, pair, strict=True)])
    game, h, cells_of, pairs_of, sizes = np.ascontiguousarray(table.T)
    return Decisions(game, h, cells_of, pairs_of, sizes, len(legal))


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
    H, T, largest = int(data.h.max()) + 1, np.unique(data.game[train]).size, int(data.legal.max())
    paper = paper_choice(largest, H, T)
    members: list[Estimator | None] = [
        BC, uniform_noise(paper.alpha), None, paper, log_choice(data.n_states, largest, H, DELTA)
    ]  # fmt: skip
    logs = np.empty((len(members), n.size))
    for i, member in enumerate(members):
        weight = A / (n + A) if member is None else member.noise_weight(n)  # None: one pseudo-count a legal move
        chance = (1 - weight) * recorded / np.maximum(n, 1) + weight / A
        logs[i] = np.log(chance, where=chance > 0, out=np.full(chance.shape, -np.inf))
    return {"logs": logs, "unseen": n == 0}


def splits(
    data: Decisions, config: Config, split: str, rng: np.random.Generator
) -> list[tuple[NDArray[np.int64], ...]]:
    """Pairs of (games to clone, nearest first; games held out)."""
    n_games = int(data.game.max()) + 1
    if split == "in time":
        first = n_games - n_games // config.folds
        return [(np.arange(first - 1, -1, -1), np.arange(first, n_games))]
    order = rng.permutation(n_games)
    folds = np.array_split(order, config.folds)
    return [(np.concatenate([f for j, f in enumerate(folds) if j != k]), folds[k]) for k in range(config.folds)]


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Shares and likelihoods, with intervals by games."""
    data = read_decisions()
    shape = (len(SPLITS), len(config.n_games))
    arrays: Arrays = {
        "n_games": np.array(config.n_games),
        "policies": np.array(POLICIES),
        "zero": np.empty((*shape, 3)),
        "unseen": np.empty((*shape, 3)),
        "likelihood": np.empty((*shape, len(POLICIES), 3)),
        "ruled_out": np.empty((*shape, len(POLICIES)), np.int64),
        "noise_difference": np.empty((*shape, 3)),
        "uniform_difference": np.empty((*shape, len(POLICIES), 3)),
        "zero_by_move": np.empty((len(SPLITS), int(data.h.max()) + 1, 2), np.int64),
    }
    for i, split in enumerate(SPLITS):
        parts = splits(data, config, split, sweep.generator("chess"))
        for t, n_games in enumerate(config.n_games):
            found = _held_out(data, parts, n_games)
            _summarise(arrays, (i, t), found)
        zero = found["logs"][0] == -np.inf
        for h in range(arrays["zero_by_move"].shape[1]):
            known = (found["h"] == h) & ~found["unseen"]
            arrays["zero_by_move"][i, h] = zero[known].sum(), known.sum()
    return arrays


def _held_out(data: Decisions, parts: Sequence[tuple[NDArray[np.int64], ...]], n_games: int) -> Arrays:
    """All held-out rows of a split."""
    found = []
    for cloned, held in parts:
        train, test = np.isin(data.game, cloned[:n_games]), np.isin(data.game, held)
        rows = log_likelihoods(data, train, test)
        found.append({**rows, "game": data.game[test], "h": data.h[test], "legal": data.legal[test]})
    return {key: np.concatenate([f[key] for f in found], axis=-1) for key in found[0]}


def _summarise(arrays: Arrays, at: tuple[int, int], found: Arrays) -> None:
    _, group = np.unique(found["game"], return_inverse=True)
    rows = np.bincount(group)

    def by_games(values: NDArray[np.float64], of: NDArray[np.int64] = rows) -> tuple[float, float, float]:
        mean, interval = ratio(np.bincount(group, weights=values), of)
        return mean, interval.low, interval.high

    logs = found["logs"]
    arrays["zero"][at] = by_games(
        (logs[0] == -np.inf).astype(np.float64), np.bincount(group[~found["unseen"]], minlength=rows.size)
    )
    arrays["unseen"][at] = by_games(found["unseen"].astype(np.float64))
    arrays["ruled_out"][at] = (logs == -np.inf).sum(axis=1)
    for k in range(len(POLICIES)):
        finite = bool(np.isfinite(logs[k]).all())
        arrays["likelihood"][(*at, k)] = by_games(logs[k]) if finite else -np.inf
        arrays["uniform_difference"][(*at, k)] = by_games(logs[k] + np.log(found["legal"])) if finite else -np.inf
    arrays["noise_difference"][at] = by_games(logs[POLICIES.index("PostBC")] - logs[POLICIES.index("uniform noise")])


def check(arrays: Arrays) -> Sequence[Claim]:
    """BC rules out moves; the others do not, and beat guessing; the paper's PostBC is no better than uniform noise."""
    last = int(arrays["n_games"][-1])
    zero, noise = arrays["zero"][:, -1], arrays["noise_difference"][0, -1]
    gain = arrays["uniform_difference"][0, :, 1:]
    level = "95 % interval by games"
    return [
        Claim("chess-bc-misses", "B1.2", ">=", _interval(zero[0]), 0.03, "sampled",
              f"Share of held-out moves that BC gives probability 0, of those in positions it knows, {last} games "
              f"cloned, random split ({level})."),
        Claim("chess-bc-misses-later", "B1.2", ">=", _interval(zero[1]), 0.03, "sampled",
              f"The same for the last fifth of the games, cloned from those just before it ({level})."),
        Claim("chess-others-cover", "R3", "<=", Interval.point(float(arrays["ruled_out"][..., 1:].max())), 0.0, "exact",
              "Largest number of held-out moves of probability 0 under any other policy."),
        Claim("chess-better-than-guessing", "R6", ">=",
              _interval(gain[np.unravel_index(int(gain[..., 1].argmin()), gain.shape[:2])]), 0.0, "sampled",
              f"Smallest gain in mean log-likelihood over guessing among the legal moves, all policies but BC and all "
              f"sizes, random split ({level})."),
        Claim("chess-no-better-than-noise", "R4", "<=", Interval(abs_low(noise), float(np.abs(noise[1:]).max())), 0.02,
              "sampled", f"Difference in mean log-likelihood between the paper's PostBC and uniform noise of the same "
              f"alpha, either way, {last} games cloned, random split ({level})."),
    ]  # fmt: skip


def abs_low(triple: NDArray[np.float64]) -> float:
    """Smallest absolute value within (mean, low, high)."""
    return 0.0 if triple[1] <= 0 <= triple[2] else float(np.abs(triple[1:]).min())


def _interval(triple: NDArray[np.float64]) -> Interval:
    return Interval(float(triple[1]), float(triple[2]))


def draw(arrays: Arrays) -> Figure:
    """Shares against games, shares against move number, likelihoods."""
    figure = style.new_figure(page=2.5, column=6.6)
    panels = style.new_panels(figure, 3, page=3, column=1)
    _draw_games(panels[0], arrays)
    _draw_moves(panels[1], arrays)
    _draw_likelihoods(panels[2], arrays)
    for axes, letter, title in zip(
        panels, "abc", ("moves that BC rules out", "by move number", "held-out moves"), strict=True
    ):
        style.panel_letter(axes, letter, title)
    style.name_intervals(panels[2])
    figure.legend(loc="outside upper center", ncols=style.by_form(4, 2), handlelength=1.6, columnspacing=1.2)
    return figure


LOOKS = {"random": (palette.colour("BC"), "o", "-"), "in time": (style.shades("BC", 2)[1], "s", "--")}


def _draw_games(axes: Axes, arrays: Arrays) -> None:
    n = arrays["n_games"]
    for i, split in enumerate(SPLITS):
        colour, marker, line = LOOKS[split]
        mean, low, high = 100 * arrays["zero"][i].T
        axes.fill_between(n, low, high, color=colour, alpha=0.2, lw=0)
        axes.plot(n, mean, color=colour, marker=marker, ls=line, label=f"BC, games split {split}" if i else
                  "BC, games split at random")  # fmt: skip
    axes.plot(n, 100 * arrays["unseen"][0, :, 0], color=palette.colour("demonstrator"), ls=":", label="new position")
    axes.set(xscale="log", yscale="log", xlabel="games cloned", ylabel="share (%)")
    axes.set_yticks([5, 10, 20, 40, 80], ["5", "10", "20", "40", "80"])
    axes.minorticks_off()


def _draw_moves(axes: Axes, arrays: Arrays) -> None:
    for i, split in enumerate(SPLITS):
        colour, marker, _ = LOOKS[split]
        counts = arrays["zero_by_move"][i]
        move = np.arange(1, len(counts) + 1) + 0.15 * (2 * i - 1)
        share = counts[:, 0] / counts[:, 1]
        ends = [clopper_pearson(int(k), int(n)) for k, n in counts]
        spread = 100 * np.array([share - [e.low for e in ends], [e.high for e in ends] - share])
        axes.errorbar(move, 100 * share, np.maximum(spread, 0), color=colour, fmt=marker, ms=2.5, lw=0.8)
    axes.set(xlabel="his move number", ylim=(0, None), xticks=[1, 4, 8, 12],
             ylabel=f"share (%), {arrays['n_games'][-1]} games")  # fmt: skip


def _draw_likelihoods(axes: Axes, arrays: Arrays) -> None:
    n = arrays["n_games"]
    for k, name in enumerate(POLICIES):
        mean, low, high = arrays["likelihood"][0, :, k].T
        if not np.isfinite(mean).all():
            continue
        colour = palette.colour(name)
        label = (
            "$\\lambda = L'/2$, $\\alpha = 1$" if "lambda" in name else "PostBC, paper" if name == "PostBC" else name
        )
        axes.fill_between(n, low, high, color=colour, alpha=0.2, lw=0)
        width, size = (4.5, 6.0) if name == "uniform noise" else (1.4, 2.5)  # PostBC lies on top of it
        axes.plot(n, mean, color=colour, marker=palette.marker(name), lw=width, ms=size, label=label)
    axes.set(xscale="log", xlabel="games cloned", ylabel="mean log-likelihood (nats)")
    axes.text(0.97, 0.05, "BC: $-\\infty$", color=palette.colour("BC"), transform=axes.transAxes, ha="right")
