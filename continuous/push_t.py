"""A reader of the human demonstrations of Push-T (Chi et al., RSS 2023), which this project may not distribute.

The simulator is the package gym-pusht; `gymnasium_tasks.task_of` makes a task of it, with actions in [-1, 1] as here.
To restore a recorded state there, set the block's angle before its position. In replays of these demonstrations the
coverage reaches 0.90 in about half, and the package's own threshold 0.95 in one of thirty.
"""

import os
from pathlib import Path

import numpy as np

from continuous.demonstrations import Demonstrations
from theory.base import validate

BOARD = 512.0
"""Side of the board, in pixels."""


def read_push_t(path: str | os.PathLike[str]) -> Demonstrations:
    """Read demonstrations from an npz with the arrays `state` (N, 5), `action` (N, 2) and `episode_ends` (E,).

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Demonstrations
        Observations as the simulator gives them: agent x and y and block x and y in pixels, block's angle in [0, 2 pi].
        Actions are the agent's target position, mapped from [0, 512] pixels to [-1, 1].

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        Also if an array is missing or an action lies outside the board.
    """
    source = Path(path)
    with np.load(source, allow_pickle=False) as file:
        if missing := {"state", "action", "episode_ends"} - set(file.files):
            raise ValueError(f"{source.name} must hold the array {min(missing)!r}; it holds {', '.join(file.files)}")
        state, action, ends = (file[name] for name in ("state", "action", "episode_ends"))
    states = validate.array("state", state, shape=(None, 5))
    actions = validate.array("action", action, shape=(len(states), 2))
    outside = (actions < 0) | (actions > BOARD)
    if outside.any():
        where = validate.first_index(outside)
        raise ValueError(f"action must lie in [0, {BOARD:g}]; entry {where} is {actions[where].item()}")
    return Demonstrations(states, actions / (BOARD / 2) - 1.0, ends)
