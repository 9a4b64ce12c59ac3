"""A human expert: probabilities that policies cloned from some of Garry Kasparov's games give to his other moves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures.exact.chess_games import FILES, POLICIES, Decisions, log_likelihoods, read_decisions, splits
from figures.look import contrast, palette, style
from figures.running.artifacts import Arrays
from figures.running.sweep import Sweep
from tabular.audit import ratio
from theory.claims import Claim, Interval
from theory.statistics.probability import clopper_pearson

NEEDS = FILES
TITLE = "A chess player's moves that cloning rules out"
CAPTION = (
    "Kasparov's first twelve moves of 2117 games (state: move number and position; actions: the legal moves; facts "
    "extracted from a third party's compilation). a: share of his held-out moves to which BC gives probability 0, "
    "among moves in positions that occur in the cloned games, against the number of cloned games. Games are split at "
    "random (five folds), or the last fifth in time is held out and the games just before it are cloned; dotted, share "
    "of positions that are new (random). b: the same by move number, with the most games. c: mean log-likelihood of "
    "his held-out moves (random); BC's is minus infinity. The paper's PostBC is no better than uniform noise of the "
    "same alpha; lambda = L'/2 with alpha = 1 is better with a dozen games and worse with many. 95 % intervals, "
    "resampling games (b: Clopper-Pearson)."
)


@dataclass(frozen=True, kw_only=True)
class Split:
    """A way to hold games out.

    Parameters
    ----------
    name : str
    label : str
        Printed label.
    colour, marker, line : str
        How BC is drawn on it.
    """

    name: str
    label: str
    colour: str
    marker: str
    line: str


SPLITS = (
    Split(name="random", label="BC, games split at random", colour=palette.colour("BC"), marker="o", line="-"),
    Split(name="in time", label="BC, games split in time", colour=contrast.shades("BC", 2)[1], marker="s", line="--"),
)


BC_ROW, UNIFORM_ROW, POSTBC_ROW = (list(POLICIES).index(name) for name in ("BC", "uniform noise", "PostBC"))
NOISY = ("uniform noise", "posterior", "PostBC", "PostBC, lambda = L'/2")
"""Policies with noise that claims are about."""


@dataclass(frozen=True, kw_only=True)
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


FULL = Config(n_games=(12, 25, 50, 100, 200, 400, 800, 1200, 1600))
QUICK = Config(n_games=(25, 100, 400, 1600))


def compute(config: Config, sweep: Sweep) -> Arrays:
    """Shares and likelihoods, with intervals by games."""
    data = read_decisions()
    shape = (len(SPLITS), len(config.n_games))
    arrays: Arrays = {
        "n_games": np.array(config.n_games),
        "policies": np.array(list(POLICIES)),
        "zero": np.empty((*shape, 3)),
        "unseen": np.empty((*shape, 3)),
        "likelihood": np.empty((*shape, len(POLICIES), 3)),
        "ruled_out": np.empty((*shape, len(POLICIES)), np.int64),
        "noise_difference": np.empty((*shape, 3)),
        "uniform_difference": np.empty((*shape, len(POLICIES), 3)),
        "zero_by_move": np.empty((len(SPLITS), int(data.h.max()) + 1, 2), np.int64),
    }
    for i, split in enumerate(SPLITS):
        parts = splits(data, config.folds, split.name, sweep.generator("chess"))
        for t, n_games in enumerate(config.n_games):
            rows = _held_out(data, parts, n_games)
            _summarise(arrays, (i, t), rows)
        zero = rows["logs"][BC_ROW] == -np.inf  # with the most games
        for h in range(arrays["zero_by_move"].shape[1]):
            known = (rows["h"] == h) & ~rows["unseen"]
            arrays["zero_by_move"][i, h] = zero[known].sum(), known.sum()
    return arrays


def _held_out(data: Decisions, parts: Sequence[tuple[NDArray[np.int64], ...]], n_games: int) -> Arrays:
    """All held-out rows of a split."""
    folds = []
    for cloned, held in parts:
        train, test = np.isin(data.game, cloned[:n_games]), np.isin(data.game, held)
        rows = log_likelihoods(data, train, test)
        folds.append({**rows, "game": data.game[test], "h": data.h[test], "legal": data.legal[test]})
    return {key: np.concatenate([fold[key] for fold in folds], axis=-1) for key in folds[0]}


def _summarise(arrays: Arrays, position: tuple[int, int], held_out: Arrays) -> None:
    """Fill in the entries of one split and number of games."""
    _, group = np.unique(held_out["game"], return_inverse=True)
    rows = np.bincount(group)

    def by_games(values: NDArray[np.float64], of: NDArray[np.int64] = rows) -> tuple[float, float, float]:
        mean, interval = ratio(np.bincount(group, weights=values), of)
        return mean, interval.low, interval.high

    logs = held_out["logs"]
    arrays["zero"][position] = by_games(
        (logs[BC_ROW] == -np.inf).astype(np.float64), np.bincount(group[~held_out["unseen"]], minlength=rows.size)
    )
    arrays["unseen"][position] = by_games(held_out["unseen"].astype(np.float64))
    arrays["ruled_out"][position] = (logs == -np.inf).sum(axis=1)
    for k, log in enumerate(logs):
        finite = bool(np.isfinite(log).all())
        arrays["likelihood"][(*position, k)] = by_games(log) if finite else -np.inf
        gain = by_games(log + np.log(held_out["legal"])) if finite else -np.inf
        arrays["uniform_difference"][(*position, k)] = gain
    arrays["noise_difference"][position] = by_games(logs[POSTBC_ROW] - logs[UNIFORM_ROW])


def check(arrays: Arrays) -> Sequence[Claim]:
    """BC rules out moves; noise does not, and beats guessing; the paper's PostBC is no better than uniform noise."""
    last = int(arrays["n_games"][-1])
    zero, noise = arrays["zero"][:, -1], arrays["noise_difference"][0, -1]
    noisy = [arrays["policies"].tolist().index(name) for name in NOISY]
    gain = arrays["uniform_difference"][0][:, noisy]
    level = "95 % interval by games"
    return [
        Claim(id="chess-bc-misses", source="B1.2", relation=">=", interval=_interval(zero[0]), bound=0.03,
              evidence="sampled",
              detail=f"Share of held-out moves that BC gives probability 0, of those in positions it knows, {last} "
              f"games cloned, random split ({level})."),
        Claim(id="chess-bc-misses-later", source="B1.2", relation=">=", interval=_interval(zero[1]), bound=0.03,
              evidence="sampled",
              detail=f"The same for the last fifth of the games, cloned from those just before it ({level})."),
        Claim(id="chess-others-cover", source="R3", relation="<=",
              interval=Interval.point(float(arrays["ruled_out"][..., noisy].max())), bound=0.0, evidence="exact",
              detail="Largest number of held-out moves of probability 0 under any policy with noise."),
        Claim(id="chess-better-than-guessing", source="R6", relation=">=",
              interval=_interval(gain[np.unravel_index(int(gain[..., 1].argmin()), gain.shape[:2])]), bound=0.0,
              evidence="sampled",
              detail="Smallest gain in mean log-likelihood over guessing among the legal moves, all policies with "
              f"noise and all sizes, random split ({level})."),
        Claim(id="chess-no-better-than-noise", source="R4", relation="<=",
              interval=Interval(smallest_size(noise), float(np.abs(noise[1:]).max())), bound=0.02, evidence="sampled",
              detail="Difference in mean log-likelihood between the paper's PostBC and uniform noise of the same "
              f"alpha, either way, {last} games cloned, random split ({level})."),
    ]  # fmt: skip


def smallest_size(triple: NDArray[np.float64]) -> float:
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
    for i, title in enumerate(("moves that BC rules out", "by move number", "held-out moves")):
        style.panel_letter(panels[i], palette.letter(i), title)
    style.name_intervals(panels[2])
    figure.legend(loc="outside upper center", ncols=style.by_form(4, 2), handlelength=1.6, columnspacing=1.2)
    return figure


def _draw_games(axes: Axes, arrays: Arrays) -> None:
    n = arrays["n_games"]
    for i, split in enumerate(SPLITS):
        mean, low, high = 100 * arrays["zero"][i].T
        axes.fill_between(n, low, high, color=split.colour, alpha=0.2, lw=0)
        axes.plot(n, mean, color=split.colour, marker=split.marker, ls=split.line, label=split.label)
    axes.plot(n, 100 * arrays["unseen"][0, :, 0], color=palette.colour("demonstrator"), ls=":", label="new position")
    axes.set(xscale="log", yscale="log", xlabel="games cloned", ylabel="share (%)")
    axes.set_yticks([5, 10, 20, 40, 80], ["5", "10", "20", "40", "80"])
    axes.minorticks_off()


def _draw_moves(axes: Axes, arrays: Arrays) -> None:
    for i, split in enumerate(SPLITS):
        counts = arrays["zero_by_move"][i]
        move = np.arange(1, len(counts) + 1) + 0.15 * (2 * i - 1)
        share = counts[:, 0] / counts[:, 1]
        ends = [clopper_pearson(int(k), int(n)) for k, n in counts]
        spread = 100 * np.array([share - [e.low for e in ends], [e.high for e in ends] - share])
        axes.errorbar(move, 100 * share, np.maximum(spread, 0), color=split.colour, fmt=split.marker, ms=2.5, lw=0.8)
    axes.set(xlabel="his move number", ylim=(0, None), xticks=[1, 4, 8, 12],
             ylabel=f"share (%), {arrays['n_games'][-1]} games")  # fmt: skip


def _draw_likelihoods(axes: Axes, arrays: Arrays) -> None:
    n = arrays["n_games"]
    for k, name in enumerate(arrays["policies"].tolist()):
        mean, low, high = arrays["likelihood"][0, :, k].T
        if not np.isfinite(mean).all():
            continue
        colour = palette.colour(name)
        axes.fill_between(n, low, high, color=colour, alpha=0.2, lw=0)
        width, size = (4.5, 6.0) if name == "uniform noise" else (1.4, 2.5)  # PostBC lies on top of it
        axes.plot(
            n, mean, color=colour, marker=palette.marker(name), lw=width, ms=size, label=POLICIES[name].label or name
        )
    axes.set(xscale="log", xlabel="games cloned", ylabel="mean log-likelihood (nats)")
    axes.text(0.97, 0.05, "BC: $-\\infty$", color=palette.colour("BC"), transform=axes.transAxes, ha="right")
