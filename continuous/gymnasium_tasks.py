"""Tasks as Gymnasium environments, and Gymnasium environments as tasks."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from continuous.kernels import dynamics
from continuous.tasks import FAILED, RUNNING, SUCCEEDED, TIMED_OUT, Task
from theory.base import validate

FloatArray = NDArray[np.float64]
Env = gymnasium.Env[Any, Any]

_SLOT, _FIRST = 2, 3  # columns of a state, after status and time: index of the environment, first observed number


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


def is_success(terminated: bool, info: dict[str, Any]) -> bool:
    """Whether `info` holds a true `is_success` or, if it has none, a true `success`."""
    return bool(info.get("is_success", info.get("success", False)))


def task_of(
    make: Callable[[], Env],
    name: str,
    horizon: int,
    *,
    success: Callable[[bool, dict[str, Any]], bool] = is_success,
) -> Task:
    """Any Gymnasium environment with Box spaces as a task.

    An environment's state is hidden, so a row of `states` holds the environment's index, the time and the observation,
    and only the latest rows can be stepped: episodes of one reset must not be continued after the next. Actions in
    [-1, 1] are mapped to the environment's bounds, first states are drawn from seeds made of the uniform number, and an
    environment whose episode has ended is not stepped again.

    Parameters
    ----------
    make : callable
        Makes an environment, the same each time; called once for each of the episodes that run side by side.
    name : str
        Of the task.
    horizon : int
        Steps after which an episode ends, at least 1; an environment may end it earlier.
    success : callable, optional
        (terminated, info) -> bool, called after each step; True ends the episode. `is_success` if not given.

    Returns
    -------
    Task
        Rewards are the environment's; there is no rare range.

    Raises
    ------
    TypeError
        If a space is not a Box.
    ValueError
        If the bounds of the actions are not finite.
    """
    env = make()
    observations, actions = (_box(name, kind, getattr(env, f"{kind}_space")) for kind in ("observation", "action"))
    if not (np.isfinite(actions.low).all() and np.isfinite(actions.high).all()):
        raise ValueError(f"the action space of {name} must have finite bounds; got {actions}")
    environments = _Environments(make, [env], success)
    observation_dim = int(np.prod(observations.shape))
    return Task(
        name=name,
        observation_dim=observation_dim,
        action_dim=int(np.prod(actions.shape)),
        state_dim=_FIRST + observation_dim,
        horizon=horizon,
        n_uniforms=1,
        start=environments.start,
        observation=_observe,
        advance=environments.advance,
        rare_in_demonstrations=0.0,
        rare_in_evaluation=0.0,
        bound=float(np.maximum(np.abs(observations.low), np.abs(observations.high)).max()),
    )


def _box(name: str, kind: str, space: Any) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise TypeError(f"the {kind} space of {name} must be a Box; got {space}")
    return space


def _observe(states: FloatArray) -> FloatArray:
    return states[:, _FIRST:].copy()


class _Environments:
    """Environments that run side by side, and the present row of each."""

    def __init__(
        self, make: Callable[[], Env], envs: list[Env], success: Callable[[bool, dict[str, Any]], bool]
    ) -> None:
        self.make, self.envs, self.success = make, envs, success
        self.present = np.empty((0, 0))

    def start(self, uniforms: FloatArray, rare: float) -> FloatArray:
        while len(self.envs) < len(uniforms):
            self.envs.append(self.make())
        rows = []
        for slot, uniform in enumerate(uniforms[:, 0]):
            observed, _ = self.envs[slot].reset(seed=int(uniform * 2**31))
            rows.append(np.concatenate([[RUNNING, 0.0, slot], np.ravel(observed)]))
        self.present = np.array(rows, np.float64)
        return self.present.copy()

    def advance(
        self, states: FloatArray, actions: FloatArray, horizon: int, out: FloatArray, rewards: FloatArray
    ) -> None:
        out[:], rewards[:] = states, 0.0
        running = np.flatnonzero(states[:, dynamics.STATUS] == RUNNING)
        slots = states[running, _SLOT].astype(np.int64)
        known = slots.size == np.unique(slots).size and slots.max(initial=-1) < len(self.present)
        if not known or not np.array_equal(self.present[slots], states[running]):
            # An environment steps from where it is: from any other row, the outcome would belong to another state.
            raise ValueError("states must be the latest of their environments, each at most once")
        for i, slot in zip(running.tolist(), slots.tolist(), strict=True):
            rewards[i] = self._advance_one(self.envs[slot], actions[i], horizon, out[i])
            self.present[slot] = out[i]

    def _advance_one(self, env: Env, action: FloatArray, horizon: int, row: FloatArray) -> float:
        space = env.action_space
        assert isinstance(space, spaces.Box)
        moved = space.low + (action.reshape(space.shape) + 1.0) / 2.0 * (space.high - space.low)
        observed, reward, terminated, truncated, info = env.step(moved.astype(space.dtype))
        row[dynamics.TIME] += 1.0
        row[_FIRST:] = np.ravel(observed)
        if self.success(terminated, info):
            row[dynamics.STATUS] = SUCCEEDED
        elif terminated:
            row[dynamics.STATUS] = FAILED
        elif truncated or row[dynamics.TIME] >= horizon:
            row[dynamics.STATUS] = TIMED_OUT
        return float(reward)
