"""All control tasks by name.

The five of `five_tasks.py` are listed. Tasks of many dimensions are made on demand, by `many_dimensions.py`: `TASKS`
finds them by name, and loops over it do not include them. A new task is an entry of `TASKS`, with a script of the same
name in `demonstrators.SCRIPTS`.
"""

from continuous.five_tasks import CORRIDOR, LIFT, PUSH, REACH, STICK
from continuous.many_dimensions import task_of_family
from continuous.task_model import Registry

TASKS = Registry("task", {task.name: task for task in (REACH, CORRIDOR, LIFT, PUSH, STICK)}, task_of_family)
"""All of them by name."""
