"""Steps of the control tasks a second, against a million: through the public functions, checks and all."""

import statistics

import numpy as np

from benchmarks._measure import Row, seconds
from continuous.demonstrators import SCRIPTS, Style
from continuous.evaluation import evaluate
from continuous.linear_quadratic import double_integrator
from continuous.task_model import Task
from continuous.tasks import TASKS

MILLION = 1.0
N = 1000


def _row(what: str, rates: list[float]) -> Row:
    quarter, rates = len(rates) // 4, sorted(rates)
    middle = statistics.median(rates)
    return Row(what, middle, MILLION, middle, rates[quarter], rates[-1 - quarter], 1.0, "M/s")


def steps_against_a_million() -> list[Row]:
    """1000 episodes at once under random actions that keep most of them going: step and observe."""
    rows = []
    for task in (*TASKS.values(), double_integrator().task):
        rng = np.random.default_rng(0)
        states = task.reset(rng, N)
        actions = 0.3 * rng.standard_normal((N, task.action_dim))

        def work(task: Task = task, states: np.ndarray = states, actions: np.ndarray = actions) -> None:
            task.observe(task.step(states, actions).states)

        work()
        rates = [1e-6 * N / seconds(work, 100) for _ in range(11)]
        rows.append(_row(f"{task.name}, {N} episodes: step and observe", rates))
    return rows


def evaluations_against_a_million() -> list[Row]:
    """Whole evaluations of the noiseless scripted plan, with what the policy costs: 1000 episodes."""
    rows = []
    for name in ("corridor", "stick"):
        task, plan = TASKS[name], SCRIPTS[name].plan

        def policy(seen: np.ndarray, rng: np.random.Generator, name: str = name, plan=plan) -> np.ndarray:
            states = np.zeros((len(seen), 6))
            states[:, 2:5] = seen[:, :3]
            if name == "stick":
                states[:, 5] = 0.7 * np.sin(2.8 * seen[:, 2])
            style = Style(speed=np.ones(len(seen)), side=np.ones(len(seen)))
            return plan(states, style)[:, None]

        def work(task: Task = task, policy=policy) -> int:
            return evaluate(task, policy, N, np.random.SeedSequence(1)).environment_steps

        steps = work()
        rates = [1e-6 * steps / seconds(work, 3) for _ in range(11)]
        rows.append(_row(f"{name}, {N} episodes: whole evaluation, plan included", rates))
    return rows


BENCHMARKS = {
    "control tasks, million steps a second": steps_against_a_million,
    "control tasks, million steps a second of an evaluation": evaluations_against_a_million,
}
