"""MetaWorld's fifty tasks on a simulated Sawyer arm, by name, and their demonstrators (extra `metaworld`).

Success is what the simulator's own detector says; it pays 1 and ends the episode. The simulator's shaped reward is not
used. The names are MetaWorld's without the ending -v3. States are rows: see `metaworld_simulator`.

The simulator is imported by the functions that need it. A task holds a simulator: make it in the process that uses it.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from continuous.demonstrators import Script, Style
from continuous.metaworld_simulator import FRAME, OBSERVED, VERSION, Simulator, modules
from continuous.task_model import Task
from theory.base import validate

FloatArray = NDArray[np.float64]

LONGEST = 500
"""Steps after which MetaWorld's own environment refuses to go on."""

HORIZON = 200
"""Steps of an episode where `HORIZONS` has no entry."""

HORIZONS = {
    "assembly": 200,
    "basketball": 160,
    "bin-picking": 220,
    "box-close": 160,
    "disassemble": 280,
    "door-open": 140,
    "drawer-open": 140,
    "peg-insert-side": 280,
    "pick-place": 120,
    "push": 150,
}
"""Steps of an episode by task: more than most of the scripts' successes take with the default noise."""

VIEWS = ("simulator", "relative")
"""What a policy sees: the simulator's 39 numbers, or 24 that also hold the way from hand to object to goal."""


def metaworld_names() -> tuple[str, ...]:
    """Names of all tasks, sorted."""
    return tuple(sorted(name.removesuffix(VERSION) for name in modules()[1]))


def metaworld_task(name: str, *, horizon: int | None = None, observed: str = "simulator") -> Task:
    """One of MetaWorld's tasks.

    Parameters
    ----------
    name : str
        For instance ``pick-place``; see `metaworld_names`.
    horizon : int, optional
        Steps of an episode, 1 to 500; that of `HORIZONS` if not given.
    observed : str, optional
        One of `VIEWS`.

    Returns
    -------
    Task
        Named ``metaworld-`` and the name. Actions are the hand's motion (3 entries, 1 is 1 cm a step) and the
        gripper's force, positive to close. The demonstrator is `metaworld_script` of the same name.

    Raises
    ------
    ImportError
        If the extra is not installed; the message says how to install it.
    """
    name = validate.choice("name", name, metaworld_names())
    observed = validate.choice("observed", observed, VIEWS)
    steps = HORIZONS.get(name, HORIZON) if horizon is None else horizon
    steps = validate.integer("horizon", steps, at_least=1, at_most=LONGEST)
    simulator = Simulator(name)
    return Task(
        name=f"metaworld-{name}",
        observation_dim=OBSERVED if observed == "simulator" else 24,
        action_dim=4,
        state_dim=simulator.state_dim,
        horizon=steps,
        n_uniforms=1,
        start=simulator.start,
        observation=_seen if observed == "simulator" else _relative,
        advance=simulator.advance,
        rare_in_demonstrations=0.0,
        rare_in_evaluation=0.0,
        bound=np.inf,
    )


def metaworld_script(name: str, *, pace: float = 0.8, noise: float = 0.1) -> Script:
    """MetaWorld's scripted policy as a demonstrator that is not perfect, for `demonstrators.demonstrate`.

    It adds a factor of speed drawn once a trajectory, and noise that is correlated from step to step.

    Parameters
    ----------
    name : str
        As in `metaworld_task`.
    pace : float, optional
        Factor on the hand's motion at speed 1, above 0. The scripts often move as fast as an action can be; below 1,
        a drawn speed above 1 still makes a difference.
    noise : float, optional
        Scale of the noise at quality 1, at least 0. At 0.3, two thirds of pick-place and nine tenths of push fail.
    """
    name = validate.choice("name", name, metaworld_names())
    pace = validate.real("pace", pace, above=0.0)
    policy = modules()[2][name + VERSION]()

    def plan(states: FloatArray, style: Style) -> FloatArray:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"Constant\(s\) may be too high")  # about actions it clips below
            actions = np.array([policy.get_action(row) for row in _seen(states)], np.float64)
        np.clip(actions, -1.0, 1.0, out=actions)
        actions[:, :3] *= pace * style.speed[:, None]
        return actions

    return Script(plan=plan, noise=noise)


def _seen(states: FloatArray) -> FloatArray:
    return states[:, -OBSERVED:].copy()


def _relative(states: FloatArray) -> FloatArray:
    """Hand and opening (4), object (3), a hundredth of its quaternion (4), goal (3), the two ways (6), motion (4)."""
    seen = states[:, -OBSERVED:]
    hand, thing, goal = seen[:, :3], seen[:, 4:7], seen[:, 36:]
    # Scaled down, because an object that lies flat in all demonstrations would be divided by a tiny deviation.
    turned, motion = 0.01 * seen[:, 7:11], 10.0 * (seen[:, :4] - seen[:, FRAME : FRAME + 4])
    return np.column_stack([seen[:, :4], thing, turned, goal, thing - hand, goal - thing, motion])
