"""One environment of MetaWorld (extra `metaworld`) that serves all episodes of a task; their states are rows.

What an episode owns stands in its row, so rows can be advanced in any order, again, or in any part of a batch, with the
same bits, and the bits are those of the simulator's own environment:

=============  =====================================================================================================
columns        what
=============  =====================================================================================================
0, 1           status and time, as everywhere
physics        MuJoCo's integration state: positions, velocities, controls, mocap, the solver's warm start
places         positions of the bodies and sites that a reset of the environment moves in the model
memory         numbers that the environment keeps in attributes: its target, where the object started, ...
previous (18)  hand, opening and objects one step before, as the simulator has them before it clips
observed (39)  the simulator's observation: hand, opening, objects (18); the same one step before (18); goal (3)
=============  =====================================================================================================

The goal is visible: `_partially_observable = False` alone would leave it clipped to 0, since the environment caches its
observation space when it is made. A first state is that of a new environment after one `reset_model`, whose generator
is seeded by the uniform number (MetaWorld's own `reset` draws twice). With a `Quick` rule a step skips the simulator's
shaped reward, which takes longer than the physics.
"""

import warnings
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from continuous.kernels import dynamics
from continuous.metaworld_success import QUICK
from continuous.task_model import RUNNING, SUCCEEDED, TIMED_OUT

FloatArray = NDArray[np.float64]

FRAME, OBSERVED = 18, 39
"""Numbers of hand, opening and objects at one time, and of an observation, which holds two of these and the goal."""

VERSION = "-v3"
"""How MetaWorld's names end."""

_NONE = -1e300  # stands for None in a row, which must be finite
_DERIVED = ("xpos", "xquat", "xmat", "xipos", "ximat", "site_xpos", "site_xmat", "geom_xpos", "geom_xmat")
_ELSEWHERE = {"curr_path_length", "_prev_obs", "_last_stable_obs", "_last_rand_vec", "num_resets", "current_seed"}
# ^ attributes that a row holds in columns of their own, or that a step does not read


def modules() -> tuple[Any, Any, Any]:
    """`mujoco`, MetaWorld's environments by name, and its scripted policies by name.

    Raises
    ------
    ImportError
        If the extra is not installed; the message says how to install it.
    """
    try:
        return (
            import_module("mujoco"),
            import_module("metaworld.env_dict").ALL_V3_ENVIRONMENTS,
            import_module("metaworld.policies").ENV_POLICY_MAP,
        )
    except ImportError as error:
        raise ImportError(
            "MetaWorld's tasks need the extra 'metaworld': "
            f"python -m pip install -c constraints.txt '.[metaworld]' ({error})"
        ) from error


def new_environment(name: str) -> Any:
    """Make an environment of MetaWorld whose goal is visible and whose first states come from its own generator.

    Parameters
    ----------
    name : str
        Without -v3.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium's advice about bounds of spaces
        env = modules()[1][name + VERSION]()
    env._partially_observable = False
    vars(env).pop("sawyer_observation_space", None)  # cached, with bounds 0 for the goal
    env._freeze_rand_vec, env._set_task_called, env.seeded_rand_vec = False, True, True
    return env


class Simulator:
    """One environment of MetaWorld, put into the state of a row and read out again.

    Parameters
    ----------
    name : str
        Of the task, without -v3.

    Attributes
    ----------
    env : metaworld.sawyer_xyz_env.SawyerXYZEnv
    state_dim : int
        Length of a row.
    """

    env: Any
    state_dim: int

    def __init__(self, name: str) -> None:
        self._mujoco, _, _ = modules()
        self._spec = self._mujoco.mjtState.mjSTATE_INTEGRATION
        self.env, self._quick = new_environment(name), QUICK.get(name)
        model, data = self.env.model, self.env.data
        self._base = [model.body_pos.copy(), model.site_pos.copy()]
        self._before = {key: _copied(value) for key, value in vars(self.env).items() if self._is_kept(value)}
        self._home = self._settled()
        self.env._reset_hand = self._go_home
        self._find_what_a_reset_changes()
        n = self._mujoco.mj_stateSize(model, self._spec)
        places, memory = sum(3 * len(which) for which in self._moved), sum(size for _, size in self._memory)
        edges = np.cumsum([2, n, places, memory, FRAME, OBSERVED]).tolist()
        self._physics, self._places, self._kept, self._previous, self._observed = map(slice, edges, edges[1:])
        self.state_dim = edges[-1]
        self._hand, self._right, self._left = (data.body(part).xpos for part in ("hand", "rightclaw", "leftclaw"))
        if self._quick is not None and self._quick.rotation is not None:
            kind, thing = self._quick.rotation
            self._rotation = getattr(data, kind)(thing).xmat

    # --- first states

    def _settled(self) -> tuple[FloatArray, list[tuple[FloatArray, FloatArray]]]:
        """State, and derived places, of a new environment that has moved its hand to the start: 250 steps of physics.

        They are the same for every episode, so they are simulated once. The derived places are kept beside the state
        because the simulator leaves them one step of physics behind it, and resets read them so.
        """
        data = self.env.data
        self._mujoco.mj_resetData(self.env.model, data)
        type(self.env)._reset_hand(self.env)
        derived = [getattr(data, name) for name in _DERIVED]
        return self._state(), [(values, values.copy()) for values in derived]

    def _go_home(self, steps: int = 50) -> None:
        state, derived = self._home
        self._mujoco.mj_setState(self.env.model, self.env.data, state, self._spec)
        for values, settled in derived:
            values[:] = settled
        self.env.init_tcp = self.env.tcp_center

    def _state(self) -> FloatArray:
        state = np.empty(self._mujoco.mj_stateSize(self.env.model, self._spec))
        self._mujoco.mj_getState(self.env.model, self.env.data, state, self._spec)
        return state

    def _reset(self, seed: int) -> FloatArray:
        """Start an episode as a new environment would, and return its observation."""
        env = self.env
        env.model.body_pos[:], env.model.site_pos[:] = self._base
        for key, value in self._before.items():
            setattr(env, key, _copied(value))
        self._mujoco.mj_resetData(env.model, env.data)
        env.np_random = np.random.default_rng(seed)
        observed: FloatArray = env.reset_model()
        env._prev_obs = observed[:FRAME].copy()
        observed[FRAME : 2 * FRAME] = env._prev_obs
        return observed

    def _find_what_a_reset_changes(self) -> None:
        """Bodies, sites and attributes that differ between episodes: those that a row must hold."""
        env, found = self.env, []
        for seed in range(6):
            self._reset(seed)
            places = [
                np.abs(now - base).max(axis=1) > 0 for now, base in zip(self._model_places(), self._base, strict=True)
            ]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                env.step(np.zeros(4))
            found.append((places, self._attributes()))
        self._moved = [np.flatnonzero(np.any([places[k] for places, _ in found], axis=0)) for k in range(2)]
        keys = set().union(*(attributes for _, attributes in found)) - _ELSEWHERE
        self._memory = [
            (key, max(np.size(attributes[key]) for _, attributes in found))
            for key in sorted(keys)
            if any(not np.array_equal(attributes[key], found[0][1][key]) for _, attributes in found)
            or (self._before.get(key, 0) is None and any((a[key] != _NONE).any() for _, a in found))
        ]

    def _model_places(self) -> list[FloatArray]:
        return [self.env.model.body_pos, self.env.model.site_pos]

    def _attributes(self) -> dict[str, FloatArray]:
        """The environment's numeric attributes but for views of the simulator's data, which follow it by themselves."""
        return {
            key: np.array(_NONE if value is None else value, np.float64)
            for key, value in vars(self.env).items()
            if self._is_kept(value)
        }

    def _is_kept(self, value: Any) -> bool:
        """Whether an attribute is made of numbers, and not a view of the simulator's data that follows it by itself."""
        if not isinstance(value, np.ndarray):
            return value is None or isinstance(value, bool | int | float | np.number | np.bool_)
        data = self.env.data
        follows = any(np.shares_memory(value, part) for part in (data.xpos, data.site_xpos, data.geom_xpos, data.qpos))
        return value.dtype.kind in "biuf" and not follows

    def start(self, uniforms: FloatArray, rare: float) -> FloatArray:
        """First states, (n, state_dim), from uniform numbers (n, 1); there is no rare range."""
        rows = np.zeros((len(uniforms), self.state_dim))
        for row, uniform in zip(rows, uniforms[:, 0], strict=True):
            observed = self._reset(int(uniform * 2**53))
            row[dynamics.STATUS] = RUNNING
            self._read(row, observed)
        return rows

    # --- steps

    def _load(self, row: FloatArray) -> None:
        env = self.env
        self._mujoco.mj_setState(env.model, env.data, row[self._physics], self._spec)
        places, at = row[self._places], 0
        for array, which in zip(self._model_places(), self._moved, strict=True):
            if len(which):
                array[which] = places[at : at + 3 * len(which)].reshape(-1, 3)
                at += 3 * len(which)
        kept, at = row[self._kept], 0
        for key, size in self._memory:
            setattr(env, key, _like(getattr(env, key), kept[at : at + size]))
            at += size
        env._prev_obs = row[self._previous].copy()
        env.curr_path_length = int(row[dynamics.TIME])

    def _read(self, row: FloatArray, observed: FloatArray) -> None:
        env = self.env
        row[self._physics] = self._state()
        places = zip(self._model_places(), self._moved, strict=True)
        row[self._places] = np.concatenate([array[which].ravel() for array, which in places])
        values = [getattr(env, key) for key, _ in self._memory]
        row[self._kept] = np.concatenate([np.ravel(_NONE if v is None else v) for v in values]) if values else []
        row[self._previous], row[self._observed] = env._prev_obs, observed

    def advance(
        self, states: FloatArray, actions: FloatArray, horizon: int, out: FloatArray, rewards: FloatArray
    ) -> None:
        """One step of each running row; fills `out` and `rewards`, which is 1 where a row succeeds now, else 0."""
        out[:], rewards[:] = states, 0.0
        running = np.flatnonzero(states[:, dynamics.STATUS] == RUNNING)
        after = out[running]
        step = self._steps if self._quick is None else self._quick_steps
        success = step(after, actions[running])
        after[:, dynamics.TIME] += 1.0
        late = np.where(after[:, dynamics.TIME] >= horizon, TIMED_OUT, RUNNING)
        after[:, dynamics.STATUS] = np.where(success, SUCCEEDED, late)
        out[running], rewards[running] = after, success

    def _steps(self, rows: FloatArray, actions: FloatArray) -> NDArray[np.bool_]:
        """Advance rows in place by the environment's own step, and say which succeed."""
        success = np.zeros(len(rows), np.bool_)
        for i, (row, action) in enumerate(zip(rows, actions, strict=True)):
            self._load(row)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                observed, _, _, _, info = self.env.step(action)
            self._read(row, observed)
            success[i] = bool(info["success"])
        return success

    def _quick_steps(self, rows: FloatArray, actions: FloatArray) -> NDArray[np.bool_]:
        """As `_steps`, in parts of the environment's own step: what it does for the shaped reward is left out."""
        assert self._quick is not None
        env, mujoco, frames = self.env, self._mujoco, np.zeros((len(rows), FRAME))
        success, rotations = np.zeros(len(rows), np.bool_), np.empty((len(rows), 9))
        mocap, ctrl = env.data.mocap_pos, env.data.ctrl
        for i, (row, action, frame) in enumerate(zip(rows, actions, frames, strict=True)):
            self._load(row)
            mocap[0] = np.clip(mocap[0] + action[:3] * env.action_scale, env.mocap_low, env.mocap_high)
            env.data.mocap_quat[0] = (1.0, 0.0, 1.0, 0.0)
            ctrl[:] = action[3], -action[3]
            mujoco.mj_step(env.model, env.data, nstep=env.frame_skip)
            mujoco.mj_forward(env.model, env.data)  # not only the places: it sets the solver's warm start, too
            thing = env._get_pos_objects()
            frame[:3], frame[3], frame[4:7] = self._hand, np.linalg.norm(self._right - self._left), thing
            if self._quick.rotation is None:
                frame[7:11] = env._get_quat_objects()
            else:
                rotations[i] = self._rotation
            success[i] = self._quick.success(env, thing)
            mujoco.mj_getState(env.model, env.data, row[self._physics], self._spec)
            row[-3:] = env._target_pos
        frames[:, 3] = np.clip(frames[:, 3] / 0.1, 0.0, 1.0)
        if self._quick.rotation is not None and len(rows):
            frames[:, 7:11] = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat()  # all at once: it is slow
        space = env.sawyer_observation_space
        seen = np.column_stack([frames, rows[:, self._previous], rows[:, -3:]])
        rows[:, self._observed], rows[:, self._previous] = np.clip(seen, space.low, space.high), frames
        return success


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _like(old: Any, value: FloatArray) -> Any:
    """The numbers in the form of an attribute."""
    if isinstance(old, np.ndarray):
        return value.reshape(old.shape).astype(old.dtype)
    if value[0] == _NONE:
        return None
    return type(old)(value[0]) if isinstance(old, bool | int) else float(value[0])
