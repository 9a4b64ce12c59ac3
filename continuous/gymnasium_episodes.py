"""Episodes of Gymnasium environments as rows: how they start, step, pay and end. `gymnasium_tasks.task_of` uses it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from continuous.kernels import dynamics
from continuous.task_model import FAILED, RUNNING, SUCCEEDED, TIMED_OUT
from theory.base import validate

FloatArray = NDArray[np.float64]
Env = gymnasium.Env[Any, Any]
Success = Callable[[bool, dict[str, Any]], bool]
Reset = Callable[[Env, int], Any]

FIRST = 3
"""Column of the first observed number, after status, time and the environment's index."""

_SLOT = 2
_PROBE_SEED, _PROBE_STEPS = 20260101, 3  # of the test that an environment starts and goes on the same way again


def is_success(terminated: bool, info: dict[str, Any]) -> bool:
    """Whether `info` holds a true `is_success` or, without that, a true `success`."""
    return bool(info.get("is_success", info.get("success", False)))


def seeded_reset(env: Env, seed: int) -> Any:
    """First observation of an episode from a seed, by `env.reset(seed=seed)`."""
    return env.reset(seed=seed)[0]


@dataclass(frozen=True, kw_only=True)
class StateAccess:
    """How to read and set the whole state of an environment, so that one environment serves all episodes.

    Parameters
    ----------
    read : callable
        env -> numbers, (k,): all that the next steps depend on, such as positions and velocities.
    write : callable
        (env, numbers): puts the environment into that state.
    """

    read: Callable[[Env], Any]
    write: Callable[[Env, FloatArray], None]


def _seed(uniform: float) -> int:
    return int(uniform * 2**31)


def _mapped(space: spaces.Box, action: FloatArray) -> NDArray[Any]:
    """From [-1, 1] to the space's bounds and type."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    up = (1.0 + action.reshape(space.shape)) / 2.0
    moved = low * (1.0 - up) + high * up  # high - low may overflow
    if np.issubdtype(space.dtype, np.integer):
        moved = np.rint(moved)
    # Rounding, here and to the space's own type, may leave the box by a last bit, which some environments refuse.
    inside: NDArray[Any] = np.clip(np.clip(moved, low, high).astype(space.dtype), space.low, space.high)
    return inside


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How episodes of an environment start, pay and end: the arguments of `task_of` with the same names."""

    name: str
    success: Success
    rewards: str | None
    reset: Reset

    def first(self, env: Env, seed: int) -> FloatArray:
        """First observation of an episode from a seed."""
        return self._finite(self.reset(env, seed))

    def step(self, env: Env, action: FloatArray) -> tuple[FloatArray, float, bool, bool, bool]:
        """Observation, reward, success, terminated, truncated."""
        space = env.action_space
        assert isinstance(space, spaces.Box)
        observed, paid, terminated, truncated, info = env.step(_mapped(space, action))
        if self.rewards == "success" and self.success is is_success and not {"is_success", "success"} & set(info):
            raise ValueError(
                f"success must be given for {self.name}: its info holds neither 'is_success' nor 'success', "
                f"but {', '.join(map(repr, info)) or 'nothing'}"
            )
        success = bool(self.success(terminated, info))
        reward = float(success) if self.rewards == "success" else float(paid)
        if self.rewards is None and reward != float(success):
            raise ValueError(
                f"rewards must be given for {self.name}: a step {'with' if success else 'without'} success paid "
                f"{reward:g}. rewards='success' pays 1 at success and 0 else, which the finetuners' settings expect; "
                "rewards='environment' keeps the environment's own"
            )
        return self._finite(observed), reward, success, bool(terminated), bool(truncated)

    def _finite(self, observed: Any) -> FloatArray:
        seen = np.ravel(np.asarray(observed, np.float64))
        if not np.isfinite(seen).all():
            raise ValueError(f"an observation of {self.name} must be finite; got {seen.tolist()}")
        return seen

    def probe(self, env: Env, restart: Callable[[], FloatArray]) -> list[Any]:
        """What some steps show after a restart, but for the rule of rewards, which is for real episodes."""
        rules = replace(self, rewards=self.rewards or "environment")
        space = env.action_space
        assert isinstance(space, spaces.Box)
        seen: list[Any] = [restart().tolist()]
        for k in range(_PROBE_STEPS):
            observed, reward, success, terminated, truncated = rules.step(env, np.full(space.shape, 0.5 - 0.3 * k))
            seen.append((observed.tolist(), reward, success, terminated))
            if success or terminated or truncated:
                break
        return seen

    def check_seeding(self, env: Env, expected: list[Any] | None = None) -> list[Any]:
        """Refuse an environment that differs from itself, or from another (`expected`), at the same seed."""
        seen = self.probe(env, lambda: self.first(env, _PROBE_SEED))
        if expected is None:
            expected = self.probe(env, lambda: self.first(env, _PROBE_SEED))
        if seen != expected:
            what = "start in the same state" if seen[0] != expected[0] else "go on the same way"
            raise ValueError(
                f"{self.name} must {what} whenever it is reset with the same seed; two resets differed. reset= takes a "
                "function (env, seed) -> first observation that seeds all that the environment draws from"
            )
        return seen


def _advance_one(
    rules: Rules, env: Env, action: FloatArray, horizon: int, row: FloatArray, *, own_limit: bool
) -> float:
    """One step of one episode: changes its row, and returns the reward."""
    observed, reward, success, terminated, truncated = rules.step(env, action)
    row[dynamics.TIME] += 1.0
    row[FIRST : FIRST + observed.size] = observed
    if success:
        row[dynamics.STATUS] = SUCCEEDED
    elif terminated:
        row[dynamics.STATUS] = FAILED
    elif (truncated and own_limit) or row[dynamics.TIME] >= horizon:
        row[dynamics.STATUS] = TIMED_OUT
    return reward


class Environments:
    """Environments that run side by side, and the present row of each."""

    extra = 0

    def __init__(self, make: Callable[[], Env], env: Env, rules: Rules) -> None:
        self.make, self.envs, self.rules = make, [env], rules
        self.expected = rules.check_seeding(env)
        self.present = np.empty((0, 0))

    def start(self, uniforms: FloatArray, rare: float) -> FloatArray:
        """First states, one row for each row of the uniform numbers (n, 1); there is no rare range."""
        while len(self.envs) < len(uniforms):
            self.envs.append(self.make())
            self.rules.check_seeding(self.envs[-1], self.expected)
        rows = []
        for slot, uniform in enumerate(uniforms[:, 0]):
            observed = self.rules.first(self.envs[slot], _seed(uniform))
            rows.append(np.concatenate([[RUNNING, 0.0, slot], observed]))
        self.present = np.array(rows, np.float64)
        return self.present.copy()

    def advance(
        self, states: FloatArray, actions: FloatArray, horizon: int, out: FloatArray, rewards: FloatArray
    ) -> None:
        """One step of each running row; fills `out` and `rewards`."""
        out[:], rewards[:] = states, 0.0
        running = np.flatnonzero(states[:, dynamics.STATUS] == RUNNING)
        slots = states[running, _SLOT].astype(np.int64)
        known = slots.size == np.unique(slots).size and slots.max(initial=-1) < len(self.present)
        if not known or not np.array_equal(self.present[slots], states[running]):
            # An environment steps from where it is: from any other row, the outcome would belong to another state.
            raise ValueError("states must be the latest of their environments, each at most once")
        for i, slot in zip(running.tolist(), slots.tolist(), strict=True):
            env = self.envs[slot]
            rewards[i] = _advance_one(self.rules, env, actions[i], horizon, out[i], own_limit=True)
            self.present[slot] = out[i]


class OneEnvironment:
    """One environment that is put into the state of each row in turn."""

    def __init__(self, env: Env, rules: Rules, state: StateAccess) -> None:
        self.env, self.rules, self.state = env, rules, state
        rules.check_seeding(env)
        first = rules.first(env, _PROBE_SEED)
        numbers = self.read()
        self.extra = numbers.size

        def restart() -> FloatArray:
            state.write(env, numbers.copy())
            return first

        once, again = rules.probe(env, lambda: first), rules.probe(env, restart)
        if once != again:
            raise ValueError(
                f"state must hold all that a step of {rules.name} depends on; from the numbers read after a reset, "
                "it went on another way"
            )

    def read(self) -> FloatArray:
        """The environment's present state."""
        return validate.array("the state that was read", self.state.read(self.env), shape=(None,))

    def start(self, uniforms: FloatArray, rare: float) -> FloatArray:
        """First states, one row for each row of the uniform numbers (n, 1); there is no rare range."""
        rows = []
        for uniform in uniforms[:, 0]:
            observed = self.rules.first(self.env, _seed(uniform))
            rows.append(np.concatenate([[RUNNING, 0.0, 0.0], observed, self.read()]))
        return np.array(rows, np.float64)

    def advance(
        self, states: FloatArray, actions: FloatArray, horizon: int, out: FloatArray, rewards: FloatArray
    ) -> None:
        """One step of each running row; fills `out` and `rewards`."""
        out[:], rewards[:] = states, 0.0
        for i in np.flatnonzero(states[:, dynamics.STATUS] == RUNNING).tolist():
            self.state.write(self.env, states[i, -self.extra :].copy())
            rewards[i] = _advance_one(self.rules, self.env, actions[i], horizon, out[i], own_limit=False)
            out[i, -self.extra :] = self.read()
