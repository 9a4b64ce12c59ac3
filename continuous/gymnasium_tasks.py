"""Tasks as Gymnasium environments, and Gymnasium environments as tasks."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from continuous.gymnasium_episodes import (
    FIRST,
    Env,
    Environments,
    OneEnvironment,
    Reset,
    Rules,
    StateAccess,
    Success,
    is_success,
    seeded_reset,
)
from continuous.kernels import dynamics
from continuous.task_model import RUNNING, TIMED_OUT, Task
from theory.base import validate

FloatArray = NDArray[np.float64]

REWARDS = ("success", "environment")
"""Rewards of a task made of an environment: 1 at success and 0 else, or the environment's own."""


class TaskEnv(gymnasium.Env[FloatArray, FloatArray]):
    """A task as an environment, one episode at a time.

    `terminated` means that the episode succeeded or failed, `truncated` that it ran out of time; `info` holds
    `is_success` and the `state`.

    Parameters
    ----------
    task : Task
    rare : float, optional
        Probability of the rare range of contexts, in [0, 1]; the task's own for evaluation if not given.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(self, task: Task, rare: float | None = None) -> None:
        self.task = validate.instance("task", task, Task)
        self._rare = None if rare is None else validate.real("rare", rare, at_least=0.0, at_most=1.0)
        self.observation_space = spaces.Box(-task.bound, task.bound, (task.observation_dim,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (task.action_dim,), np.float64)
        self._states: FloatArray | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Start an episode; the same seed gives the same episodes in the same order."""
        super().reset(seed=seed)
        self._states = self.task.reset(self.np_random, 1, rare=self._rare)
        return self.task.observe(self._states)[0], self._info(False)

    def step(self, action: FloatArray) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """Do one step.

        Raises
        ------
        RuntimeError
            If no episode is running.
        """
        if self._states is None or self._states[0, dynamics.STATUS] != RUNNING:
            raise RuntimeError("an episode must be running: call reset() before the first step() and after an end")
        self._states, rewards, ended, success = self.task.step(self._states, np.asarray(action)[None])
        truncated = bool(self._states[0, dynamics.STATUS] == TIMED_OUT)
        terminated = bool(ended[0]) and not truncated
        return (
            self.task.observe(self._states)[0],
            float(rewards[0]),
            terminated,
            truncated,
            self._info(bool(success[0])),
        )

    def _info(self, success: bool) -> dict[str, Any]:
        assert self._states is not None
        return {"is_success": success, "state": self._states[0].copy()}


def task_of(
    make: Callable[[], Env],
    name: str,
    horizon: int,
    *,
    success: Success = is_success,
    rewards: str | None = None,
    reset: Reset = seeded_reset,
    state: StateAccess | None = None,
) -> Task:
    """Any Gymnasium environment with Box spaces as a task.

    Without `state`, an environment's state is hidden: a row of `states` holds the environment's index, the time and the
    observation, episodes that run side by side have an environment each, and only the latest rows can be stepped:
    episodes of one reset must not be continued after the next. With `state`, a row holds the environment's state, one
    environment serves all rows in any order, and only success, `terminated` and `horizon` end an episode, since a time
    limit of the environment's own would count the steps of all rows.

    Actions in [-1, 1] are mapped to the environment's bounds, first states are drawn from seeds made of the uniform
    number, and an environment whose episode has ended is not stepped again.

    Parameters
    ----------
    make : callable
        Makes an environment, the same each time.
    name : str
        Of the task.
    horizon : int
        Steps after which an episode ends, at least 1; an environment may end it earlier.
    success : callable, optional
        (terminated, info) -> bool, called after each step; True ends the episode. `is_success` if not given.
    rewards : str, optional
        One of `REWARDS`. If not given, the environment's rewards must be 1 at success and 0 else, as the finetuners'
        settings expect; a step that pays anything else is refused.
    reset : callable, optional
        (env, seed) -> first observation: for an environment that ignores `reset(seed=...)`. It must seed all that the
        environment draws from.
    state : StateAccess, optional

    Returns
    -------
    Task
        There is no rare range.

    Raises
    ------
    TypeError
        If a space is not a Box.
    ValueError
        If the bounds of the actions are not finite, if the environment does not start in the same state from the same
        seed and then go on the same way, or, with `state`, does not go on the same way from a state that was read.
    """
    if rewards is not None:
        validate.choice("rewards", rewards, REWARDS)
    env = make()
    observations, actions = (_box(name, kind, getattr(env, f"{kind}_space")) for kind in ("observation", "action"))
    bounds = np.abs(np.concatenate([np.ravel(actions.low), np.ravel(actions.high)]).astype(np.float64))
    if not (bounds < np.finfo(np.float32).max).all():  # that largest number is how some environments write infinity
        raise ValueError(f"the action space of {name} must have finite bounds; got {actions}")
    rules = Rules(name=name, success=success, rewards=rewards, reset=reset)
    episodes = Environments(make, env, rules) if state is None else OneEnvironment(env, rules, state)
    observation_dim = int(np.prod(observations.shape))
    return Task(
        name=name,
        observation_dim=observation_dim,
        action_dim=int(np.prod(actions.shape)),
        state_dim=FIRST + observation_dim + episodes.extra,
        horizon=horizon,
        n_uniforms=1,
        start=episodes.start,
        observation=lambda states: states[:, FIRST : FIRST + observation_dim].copy(),
        advance=episodes.advance,
        rare_in_demonstrations=0.0,
        rare_in_evaluation=0.0,
        bound=float(np.maximum(np.abs(observations.low), np.abs(observations.high)).max()),
    )


def _box(name: str, kind: str, space: Any) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise TypeError(f"the {kind} space of {name} must be a Box; got {space}")
    return space
