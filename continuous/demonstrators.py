"""Scripted demonstrators: a plan that sees the state, a style drawn once per episode, and correlated noise.

The action at step t is plan(state, style) + m_t, clipped to [-1, 1], where

    m_t = 0.7 m_{t-1} + s N(0, I)      (a discrete Ornstein-Uhlenbeck process)

with a smaller s in the third and later entries where the script is calmer there.

The style is a factor of speed, and which way round an obstacle. Only successful episodes are kept, as people do when
they record demonstrations. The kept ones are not a sample of what the demonstrator does, so the number of attempts is
reported with them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from continuous.demonstrations import Demonstrations
from continuous.five_tasks import tip
from continuous.kernels import dynamics
from continuous.many_dimensions import arm_tips, is_stick, joints_of, scheduled_actions
from continuous.task_model import RUNNING, Registry, Task
from theory.base import validate

FloatArray = NDArray[np.float64]

MEMORY = 0.7
"""Factor by which the noise decays per step."""

FORWARD = 0.85
"""Action along a lane at speed 1."""

_BATCH = 512  # attempts that run side by side
_PATIENCE = 400  # attempts before the success rate is judged
_TRIES = 100  # attempts per episode to keep, at most


@dataclass(frozen=True, eq=False, kw_only=True)
class Style:
    """What is drawn once per episode, for n episodes.

    Attributes
    ----------
    speed : ndarray, (n,)
        Factor of the plan's speed, around 1.
    side : ndarray, (n,)
        Way round an obstacle: 1 for counter-clockwise, -1 for clockwise.
    """

    speed: FloatArray
    side: FloatArray


@dataclass(frozen=True, kw_only=True)
class Script:
    """A demonstrator: a plan and the noise added to it.

    Parameters
    ----------
    plan : callable
        (states (n, state_dim), Style) -> actions (n, action_dim), which may leave [-1, 1].
    noise : float
        Scale s of the noise at quality 1, at least 0.
    calmer : float, optional
        Factor of the scale for the third and later entries of an action, at least 0.
    """

    plan: Callable[[FloatArray, Style], FloatArray]
    noise: float
    calmer: float = 1.0

    def __post_init__(self) -> None:
        validate.real("noise", self.noise, at_least=0.0)
        validate.real("calmer", self.calmer, at_least=0.0)


@dataclass(frozen=True, eq=False)
class ScriptedDemonstrations(Demonstrations):
    """Successful episodes of a script, as `Demonstrations`, and how many attempts they took.

    Parameters
    ----------
    n_attempts : int
        Episodes up to the last one kept; at least the number that was kept.
    """

    n_attempts: int = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        validate.integer("n_attempts", self.n_attempts, at_least=self.n_episodes)

    @property
    def rejected_share(self) -> float:
        """Share of the attempts that failed and were discarded, in [0, 1)."""
        return 1.0 - self.n_episodes / self.n_attempts


def _limited(vectors: FloatArray, length: FloatArray) -> FloatArray:
    """Vectors (n, 2) shortened to at most `length` (n,)."""
    size = np.maximum(np.hypot(vectors[:, 0], vectors[:, 1]), 1e-12)
    return np.asarray(vectors * np.minimum(1.0, length / size)[:, None])


def _plan_reach(s: FloatArray, style: Style) -> FloatArray:
    """Hover over the slot, then go down through it."""
    q1, q2, plate, slot = s[:, 2], s[:, 3], s[:, 4], s[:, 5]
    x, z = tip(q1, q2)
    down = ((np.abs(x - slot) < 0.012) & (z < plate + 0.1)) | (z < plate)
    target = np.column_stack([slot, np.where(down, plate - 0.12, plate + 0.05)])
    way = _limited(target - np.column_stack([x, z]), 0.045 * style.speed)
    elbow_x, elbow_z = dynamics.LINK * np.cos(q1), dynamics.LINK * np.sin(q1)
    # The tip's velocity is (-z, x) q1' + (-(z - elbow z), x - elbow x) q2': solve for the two rates.
    a, b = -(z - elbow_z), x - elbow_x
    determinant = -z * b - a * x
    safe = np.where(np.abs(determinant) < 0.02, np.copysign(0.02, determinant), determinant)
    rates = np.column_stack([b * way[:, 0] - a * way[:, 1], -x * way[:, 0] - z * way[:, 1]]) / safe[:, None]
    scale = np.maximum(1.0, np.abs(rates).max(axis=1) / dynamics.STRIDE)
    return np.asarray(rates / scale[:, None] / dynamics.STRIDE)


def _through_lane_and_wall(x: FloatArray, y: FloatArray, gate: FloatArray, speed: FloatArray) -> FloatArray:
    """Keep to the middle of the lane up to x = 0; then line up with the gate before the wall, and enter."""
    lined_up = (np.abs(y - gate) < 0.025) | (x > dynamics.WALL)
    onward = np.where((x < 0.5) | lined_up, FORWARD * speed, (0.7 - x) / dynamics.STRIDE)
    sideways = np.where(x < 0.02, -10.0 * y, np.clip(10.0 * (gate - y), -FORWARD * speed, FORWARD * speed))
    return np.column_stack([onward, sideways])


def _plan_corridor(s: FloatArray, style: Style) -> FloatArray:
    return _through_lane_and_wall(s[:, 2], s[:, 3], s[:, 4], style.speed)


def _plan_stick(s: FloatArray, style: Style) -> FloatArray:
    actions = _through_lane_and_wall(s[:, 2], s[:, 3], s[:, 5], style.speed)
    stuck = (s[:, 2] >= dynamics.WALL) & (np.abs(s[:, 3] - s[:, 5]) > dynamics.OPENING)
    actions[stuck] = np.column_stack([-np.ones(stuck.sum()), np.sign(s[stuck, 5] - s[stuck, 3])])
    return actions


def _plan_lift(s: FloatArray, style: Style) -> FloatArray:
    """Move over the object, come down around it, close, and rise."""
    x, z, opening, held = s[:, 2], s[:, 3], s[:, 4], s[:, 7] == 1.0
    offset = s[:, 5] - x
    pace = FORWARD * style.speed
    low = z < dynamics.TALL
    over = np.abs(offset) < np.where(low, dynamics.ALIGNED, 0.025)
    grasping = over & ((z < 0.035) | (low & (opening < 0.9)))
    height = np.where(over, 0.01, 0.14)
    climb = np.where(held, pace, np.clip((height - z) / dynamics.STRIDE, -pace, pace))
    across = np.where(low & ~over, 0.0, np.clip(offset / dynamics.STRIDE, -pace, pace))
    return np.column_stack(
        [np.where(held, 0.0, across), np.where(grasping & ~held, 0.0, climb), np.where(grasping | held, -1.0, 1.0)]
    )


def _plan_push(s: FloatArray, style: Style) -> FloatArray:
    """Go round the block to the side that faces away from the goal, then push and steer."""
    disc, goal = s[:, 2:4] - s[:, 4:6], s[:, 6:8] - s[:, 4:6]
    radius = np.hypot(disc[:, 0], disc[:, 1])
    outward = disc / radius[:, None]
    tangent = np.column_stack([-outward[:, 1], outward[:, 0]])
    wanted = np.arctan2(-goal[:, 1], -goal[:, 0]) - np.arctan2(disc[:, 1], disc[:, 0])
    wanted = (wanted + np.pi) % (2 * np.pi) - np.pi
    behind = np.abs(wanted) < 0.35
    turn = np.where(np.abs(wanted) > 1.2, style.side, np.sign(wanted))
    pace = FORWARD * style.speed
    along = np.where(behind, np.clip(0.7 * radius * wanted / dynamics.STRIDE, -pace, pace), pace * turn)
    away = np.where(behind, -pace, np.clip((0.25 - radius) / dynamics.STRIDE, -pace, pace))
    return np.asarray(tangent * along[:, None] + outward * away[:, None])


def _plan_stick_with_schedules(s: FloatArray, style: Style) -> FloatArray:
    """Move as on stick, and follow every schedule."""
    further = scheduled_actions(s[:, 2], s.shape[1] - 4)
    return np.column_stack([_plan_stick(s[:, :6], style), further])


def _plan_arm(s: FloatArray, style: Style) -> FloatArray:
    """Hover over the slot, then go down through it, with the smallest turns that move the tip so."""
    d = s.shape[1] - 4
    plate, slot, tips = s[:, 2 + d], s[:, 3 + d], arm_tips(s, d)
    down = ((np.abs(tips[:, 0] - slot) < 0.005) & (tips[:, 1] < plate + 0.1)) | (tips[:, 1] < plate)
    target = np.column_stack([slot, np.where(down, plate - 0.12, plate + 0.05)])
    way = _limited(target - tips, 0.03 * style.speed)
    # Joint j turns everything from it to the tip: its column of the Jacobian is that lever, turned by 90 degrees.
    headings = np.cumsum(s[:, 2 : 2 + d], axis=1)
    levers = np.cumsum(np.stack([np.cos(headings), np.sin(headings)], axis=2)[:, ::-1], axis=1)[:, ::-1] / d
    jacobian = np.stack([-levers[:, :, 1], levers[:, :, 0]], axis=1)
    gram = jacobian @ jacobian.transpose(0, 2, 1) + 1e-3 * np.eye(2)  # damped: a stretched arm has no inverse
    rates = np.einsum("nkj,nk->nj", jacobian, np.linalg.solve(gram, way[:, :, None])[:, :, 0])
    scale = np.maximum(1.0, np.abs(rates).max(axis=1) / dynamics.STRIDE)
    return np.asarray(rates / scale[:, None] / dynamics.STRIDE)


def _of_many_dimensions(name: str) -> Script | None:
    if is_stick(name):
        return Script(plan=_plan_stick_with_schedules, noise=0.08, calmer=0.375)
    if joints := joints_of(name):  # less noise in each of more joints: the tip's noise stays about the same
        return Script(plan=_plan_arm, noise=0.2 / math.sqrt(joints))
    return None


SCRIPTS = Registry(
    "script",
    {
        "reach": Script(plan=_plan_reach, noise=0.10),
        "corridor": Script(plan=_plan_corridor, noise=0.08),
        "lift": Script(plan=_plan_lift, noise=0.08),
        "push": Script(plan=_plan_push, noise=0.08),
        "stick": Script(plan=_plan_stick, noise=0.08),
    },
    _of_many_dimensions,
)
"""Demonstrators by the name of their task."""


def demonstrate(
    task: Task,
    n_episodes: int,
    rng: np.random.Generator,
    *,
    quality: float = 1.0,
    rare: float | None = None,
    script: Script | None = None,
) -> ScriptedDemonstrations:
    """Record successful episodes; from the same seed, a smaller number gives the first of a larger one.

    Parameters
    ----------
    task : Task
    n_episodes : int
        Number of episodes to keep, at least 1.
    rng : numpy.random.Generator
        Each attempt draws from a generator spawned from it.
    quality : float, optional
        From 0 (poor: four times the noise, speeds from 0.5 to 1.5) to 1 (good: speeds from 0.85 to 1.15).
    rare : float, optional
        Probability of the rare range of contexts; the task's own for demonstrations if not given.
    script : Script, optional
        `SCRIPTS[task.name]` if not given.

    Returns
    -------
    ScriptedDemonstrations
        Actions include the noise and are clipped to [-1, 1].

    Raises
    ------
    ValueError
        Also if the task has no script and none is given, or the script's actions have a wrong shape or are not finite.
    RuntimeError
        If fewer than 1 % of at least 400 attempts succeed.
    """
    task = validate.instance("task", task, Task)
    n_episodes = validate.integer("n_episodes", n_episodes, at_least=1)
    rng = validate.generator("rng", rng)
    quality = validate.real("quality", quality, at_least=0.0, at_most=1.0)
    share = validate.real("rare", task.rare_in_demonstrations if rare is None else rare, at_least=0.0, at_most=1.0)
    if script is None:
        try:
            script = SCRIPTS[task.name]
        except KeyError:
            names = ", ".join(SCRIPTS)
            raise ValueError(
                f"script must be given for the task {task.name!r}; there are scripts for: {names}"
            ) from None
    validate.instance("script", script, Script)
    kept: list[tuple[FloatArray, FloatArray]] = []
    attempts = 0
    while len(kept) < n_episodes:
        if attempts >= max(_PATIENCE, _TRIES * n_episodes):
            raise RuntimeError(
                f"{task.name}: only {len(kept)} of {attempts} attempts succeeded at quality {quality:g}; "
                f"{n_episodes} are needed"
            )
        # Each attempt has its own generator, so the size of a batch changes the time and no number.
        batch = min(_BATCH, max(8, n_episodes - len(kept)))
        for episode in _attempts(task, script, rng.spawn(batch), quality, share):
            attempts += 1
            if episode is not None:
                kept.append(episode)
                if len(kept) == n_episodes:
                    break
    observations, actions = (np.concatenate(columns) for columns in zip(*kept, strict=True))
    ends = np.cumsum([len(episode_actions) for _, episode_actions in kept])
    return ScriptedDemonstrations(observations, actions, ends, n_attempts=attempts)


def _attempts(
    task: Task, script: Script, generators: list[np.random.Generator], quality: float, rare: float
) -> list[tuple[FloatArray, FloatArray] | None]:
    """Observations and actions of each attempt that succeeded, None for one that failed."""
    n, shape = len(generators), (task.horizon, task.action_dim)
    states = task.start(np.concatenate([g.random((1, task.n_uniforms)) for g in generators]), rare)
    uniforms = np.stack([g.random(2) for g in generators])
    spread = 0.15 + 0.35 * (1.0 - quality)
    style = Style(speed=1.0 + spread * (2.0 * uniforms[:, 0] - 1.0), side=np.where(uniforms[:, 1] < 0.5, -1.0, 1.0))
    shocks = script.noise * (4.0 - 3.0 * quality) * np.stack([g.standard_normal(shape) for g in generators])
    shocks[:, :, 2:] *= script.calmer
    observations = np.empty((n, task.horizon, task.observation_dim))
    actions = np.empty((n, *shape))
    lengths = np.zeros(n, np.int64)
    noise = np.zeros((n, task.action_dim))
    success = np.zeros(n, np.bool_)
    for t in range(task.horizon):
        running = states[:, dynamics.STATUS] == RUNNING
        if not running.any():
            break
        noise = MEMORY * noise + shocks[:, t]
        planned = validate.array("the script's actions", script.plan(states, style), shape=noise.shape)
        observations[:, t] = task.observation(states)
        actions[:, t] = np.clip(planned + noise, -1.0, 1.0)
        lengths += running
        states, _, _, success = task.transition(states, actions[:, t])
    return [
        (observations[i, :length], actions[i, :length]) if success[i] else None
        for i, length in enumerate(lengths.tolist())
    ]
