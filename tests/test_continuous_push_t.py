"""continuous.push_t: files are read; the human demonstrations, if they are there; refusals."""

import numpy as np
import pytest

from continuous.push_t import read_push_t
from figures.running.data import data_path, missing_data

HUMAN = "pusht_human/pusht_human_lowdim.npz"
FINE = {
    "state": np.arange(15, dtype=np.float32).reshape(3, 5),
    "action": np.array([[0, 512], [256, 128], [384, 12]], np.float32),
    "episode_ends": np.array([1, 3], np.int32),
}


def test_push_t_actions_are_mapped_from_pixels_and_observations_are_kept(tmp_path):
    np.savez(tmp_path / "d.npz", **FINE)
    found = read_push_t(tmp_path / "d.npz")
    assert found.actions.tolist() == [[-1.0, 1.0], [0.0, -0.5], [0.5, 12 / 256 - 1]]
    assert np.array_equal(found.observations, FINE["state"])
    assert found.episode_ends.tolist() == [1, 3]


@pytest.mark.skipif(bool(missing_data([HUMAN])), reason="needs the human demonstrations of Push-T")
def test_the_human_demonstrations_of_push_t_are_complete():
    """206 episodes of 49 to 246 steps. The agent follows the pointer: it moves towards the position of the action."""
    found = read_push_t(data_path(HUMAN))
    lengths = np.diff(found.episode_ends, prepend=0)
    assert (found.n_episodes, len(found.actions)) == (206, 25_650)
    assert (lengths.min(), np.median(lengths), lengths.max()) == (49, 122, 246)
    assert found.observations.min() >= 0
    assert found.observations[:, :4].max() <= 512
    assert found.observations[:, 4].max() <= 2 * np.pi
    inner = np.setdiff1d(np.arange(25_650), found.episode_ends - 1)
    here, then = found.observations[inner, :2], found.observations[inner + 1, :2]
    wanted = (found.actions[inner] + 1) * 256
    nearer = np.hypot(*(then - wanted).T) < np.hypot(*(here - wanted).T)
    assert nearer[np.hypot(*(here - wanted).T) > 30].mean() > 0.99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": None}, "must hold the array 'state'"),
        ({"state": np.zeros((3, 4))}, r"state must have shape \(any, 5\); got \(3, 4\)"),
        ({"state": np.full((3, 5), np.nan)}, "state must be finite"),
        ({"action": np.zeros((2, 2))}, r"action must have shape \(3, 2\); got \(2, 2\)"),
        ({"action": np.full((3, 2), 513.0)}, r"action must lie in \[0, 512\]; entry \(0, 0\) is 513"),
        ({"episode_ends": np.array([0, 3])}, "every episode must have a step"),
        ({"episode_ends": np.array([2])}, "episode_ends must end with the number of rows, 3"),
    ],
)
def test_files_that_hold_no_push_t_demonstrations_are_refused(tmp_path, change, message):
    arrays = {name: array for name, array in {**FINE, **change}.items() if array is not None}
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        read_push_t(tmp_path / "d.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        read_push_t(tmp_path / "none.npz")
