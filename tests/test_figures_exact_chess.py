"""Held-out chess moves, on three invented games."""

import math

import numpy as np
import pytest

from figures.exact import fig_chess
from figures.exact.chess_games import Decisions, log_likelihoods, read_decisions, splits


@pytest.fixture
def games(tmp_path, monkeypatch):
    """Three games of one or two moves; game 2 is the oldest."""
    folder = tmp_path / "kasparov_openings"
    folder.mkdir()
    (folder / "games.csv").write_text("game,year\n0,1990\n1,2000\n2,1980\n")
    (folder / "states.csv").write_text('state,epd,legal_moves\n0,"a, b",4\n1,c,2\n')
    (folder / "decisions.csv").write_text(
        "game,h,state,action_uci\n0,0,0,e2e4\n1,0,0,d2d4\n1,1,1,a2a3\n2,0,0,e2e4\n2,1,0,e2e4\n"
    )
    monkeypatch.setenv("POSTBC_DATA", str(tmp_path))
    return read_decisions()


def test_decisions_are_in_the_order_of_years_with_their_numbers_of_legal_moves(games):
    assert games.game.tolist() == [0, 0, 1, 2, 2]
    assert games.h.tolist() == [0, 1, 0, 0, 1]
    assert games.legal.tolist() == [4, 4, 4, 4, 2]
    assert games.cell.tolist() == [0, 1, 0, 0, 2]  # a position counts by move number
    assert games.pair[0] == games.pair[2] != games.pair[3]
    assert games.n_states == 2


def test_log_likelihoods_are_those_computed_by_hand_from_the_counts(games):
    train, test = games.game < 2, games.game == 2
    found = log_likelihoods(games, train, test)
    assert found["unseen"].tolist() == [False, True]
    bc, noise, posterior = found["logs"][:3]
    assert bc.tolist() == [-math.inf, math.log(0.5)]  # ruled out; new, hence uniform
    assert noise[0] == pytest.approx(math.log(0.25 / 4))  # the paper's alpha for A = 4, H = 2, T = 2 is 1/4
    assert posterior[0] == pytest.approx(math.log(1 / (2 + 4)))
    assert np.allclose(found["logs"][:, 1], math.log(0.5))


def test_the_split_in_time_clones_the_games_just_before_those_held_out(games):
    n = 10
    zeros = np.zeros(n, np.int64)
    data = Decisions(game=np.arange(n), h=zeros, cell=zeros, pair=zeros, legal=zeros, n_states=1)
    ((cloned, held),) = splits(data, 5, "in time", np.random.default_rng(0))
    assert held.tolist() == [8, 9]
    assert cloned.tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    parts = splits(data, 5, "random", np.random.default_rng(0))
    assert sorted(np.concatenate([held for _, held in parts]).tolist()) == list(range(n))
    assert all(sorted([*cloned, *held]) == list(range(n)) for cloned, held in parts)


def test_reading_decisions_without_the_files_is_an_error_that_names_them(monkeypatch):
    monkeypatch.delenv("POSTBC_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="kasparov_openings"):
        read_decisions()
    assert len(fig_chess.NEEDS) == 3
