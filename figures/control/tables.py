"""Tables of the grid of finetuning: one row for each policy, learner and training seed; and arrays made from rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from continuous.best_of_n import BestOfN
from figures.control import blocks, pretraining
from figures.control.blocks import Block, Config
from figures.control.families import FAMILIES
from figures.control.variants import VARIANTS, PolicySpec
from figures.running.artifacts import Arrays
from figures.running.recorded import write_rows
from figures.running.sweep import Sweep, source_digest, versions

FloatArray = NDArray[np.float64]

DIGITS = {
    "given": ".5g", "noise": ".5f", "pretrained": ".4f", "finetuned": ".4f", "curve": ".4f", "pretrain_seconds": ".1f",
    "finetune_seconds": ".1f",
}  # fmt: skip
"""How columns are rounded. Figures see rounded numbers, also of a grid that has just been run."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A policy, finetuned by one learner. Its fields are the columns of a table.

    Parameters
    ----------
    task : str
    n_demos, seed : int
    family : str
    strength : float
    variant : str
        These three are the `PolicySpec`.
    given : float
        The strength that was used; differs from `strength` for some variants.
    noise : float
        Root mean square of the noise that was added, in units of actions.
    finetuner, setting : str
        `setting` is "" for the usual settings.
    candidates : int or None
        N of Best-of-N.
    pretrained, finetuned : float
        Success before and after finetuning.
    environment_steps, episodes : int
        What the finetuner used.
    curve_steps : tuple of int
    curve : tuple of float
        Success at the checkpoints, and steps of the environment until then.
    pretrain_seconds, finetune_seconds : float
        Time of the processor.
    """

    task: str
    n_demos: int
    seed: int
    family: str
    strength: float
    variant: str
    given: float
    noise: float
    finetuner: str
    setting: str
    candidates: int | None
    pretrained: float
    finetuned: float
    environment_steps: int
    episodes: int
    curve_steps: tuple[int, ...]
    curve: tuple[float, ...]
    pretrain_seconds: float
    finetune_seconds: float

    @property
    def policy(self) -> PolicySpec:
        """The pretrained policy."""
        return PolicySpec(family=self.family, strength=self.strength, variant=self.variant)

    @property
    def learner(self) -> str:
        """Name of the finetuner, with its setting if that is not the usual one, and its number of candidates."""
        return learner_name(self.finetuner, self.setting, self.candidates)

    def texts(self) -> dict[str, str]:
        """Entries of a line of the table, rounded by `DIGITS`; curves are numbers separated by blanks."""
        return {name: _text(value, DIGITS.get(name, "")) for name, value in asdict(self).items()}

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Self:
        """Read a line of a table."""
        return cls(**{field.name: _READ[field.type](texts[field.name]) for field in fields(cls)})


COLUMNS = tuple(field.name for field in fields(Row))
_READ: dict[Any, Any] = {
    str: str,
    int: int,
    float: float,
    int | None: lambda text: int(text) if text else None,
    tuple[int, ...]: lambda text: tuple(map(int, text.split())),
    tuple[float, ...]: lambda text: tuple(map(float, text.split())),
}
"""How an entry of each type is read."""


def _text(value: Any, digits: str) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(_text(number, digits) for number in value)
    return format(value, digits) if digits else str(value)


def learner_name(finetuner: str, setting: str = "", candidates: int | None = None) -> str:
    """Name of a learner in `tensors`, as in "Best-of-N, by rollouts, N = 16"."""
    parts = (finetuner, setting, "" if candidates is None else f"N = {candidates}")
    return ", ".join(part for part in parts if part)


def rows_of(block: Block, results: Arrays) -> list[Row]:
    """Rows of one block, rounded as in a table.

    Parameters
    ----------
    block : Block
    results : dict
        As of `blocks.run_block`.
    """
    rows = [
        Row(
            task=block.task, n_demos=block.n_demos, seed=block.replicate, **asdict(policy),
            given=float(results["strength"][p]), noise=float(results["noise"][p]),
            finetuner=name, setting=block.setting, candidates=candidates,
            pretrained=float(success[0]), finetuned=float(success[-1]),
            environment_steps=int(results[f"steps {name}"][p, -1]), episodes=int(results[f"episodes {name}"][p, -1]),
            curve_steps=tuple(map(int, results[f"steps {name}"][p])), curve=tuple(map(float, success)),
            pretrain_seconds=float(results["pretrain_seconds"][p]),
            finetune_seconds=float(results[f"seconds {name}"][p]),
        )
        for p, policy in enumerate(block.policies)
        for name in block.finetuners
        for candidates, success in zip(
            BestOfN().candidates if name == "Best-of-N" else (None,), results[f"success {name}"][p], strict=True
        )
    ]  # fmt: skip
    return [Row.of(row.texts()) for row in rows]


def run_grid(configs: Sequence[Config], sweep: Sweep) -> list[Row]:
    """Run grids and return their rows."""
    asked = blocks.blocks_of(configs, pretraining.root(sweep))
    results = blocks.run_blocks(asked, sweep)
    return [row for block, result in zip(asked, results, strict=True) for row in rows_of(block, result)]


def write_table(path: Path, configs: Sequence[Config], sweep: Sweep) -> tuple[int, int]:
    """Write the rows of the blocks that a cache holds, without computing: of a run in progress, a part of the table.

    Parameters
    ----------
    path : Path
        The table (CSV). Its digest and size, settings and versions go into `<stem>.json` beside it. Both are left as
        they are if the cache holds no block. A part of a table is refused by all figures.
    configs : sequence of Config
    sweep : Sweep
        With a cache.

    Returns
    -------
    int, int
        Blocks in the cache, and blocks in all.
    """
    asked = blocks.blocks_of(configs, pretraining.root(sweep))
    results = zip(asked, blocks.cached_blocks(asked, sweep), strict=True)
    done = [(block, result) for block, result in results if result is not None]
    if not done:
        return 0, len(asked)
    rows = (row.texts() for block, result in done for row in rows_of(block, result))
    number = {"blocks": len(done), "blocks_in_all": len(asked), "source": source_digest(blocks.run_block)}
    made = {"seed": sweep.seed, "settings": [asdict(config) for config in configs], "versions": versions()}
    write_rows(path, COLUMNS, rows, {**number, **made})
    return len(done), len(asked)


AXES = ("tasks", "n_demos", "learners", "policies", "seeds")


def tensors(rows: Sequence[Row]) -> Arrays:
    """Arrange rows in arrays. Tasks may differ in their seeds and policies: entries without a row are NaN.

    Returns
    -------
    dict of ndarray
        `pretrained`, `finetuned`, `given`, `noise` and `seconds` (of pretraining and finetuning), over `AXES`; `curve`
        and `curve_steps`, over `AXES` and the checkpoints that all learners have. `tasks`, `n_demos`, `learners`,
        `seeds`; of the policies, `families`, `strengths` and `variants`.

    Raises
    ------
    ValueError
        If there is no row, or one is missing or there twice: for a task, number of demonstrations and learner, each
        policy must have the same seeds.
    """
    if not rows:
        raise ValueError("a grid must hold a row; the table is empty")
    axes = _axes(rows)
    indices = _indices(rows, axes)
    shape = tuple(len(axes[name]) for name in AXES)
    n_checkpoints = min(len(row.curve) for row in rows)
    values = {name: np.full(shape, np.nan) for name in ("pretrained", "finetuned", "given", "noise", "seconds")}
    curves = {name: np.full((*shape, n_checkpoints), np.nan) for name in ("curve", "curve_steps")}
    for index, row in zip(indices, rows, strict=True):
        for name in ("pretrained", "finetuned", "given", "noise"):
            values[name][index] = getattr(row, name)
        values["seconds"][index] = row.pretrain_seconds + row.finetune_seconds
        for name, curve in curves.items():
            curve[index] = getattr(row, name)[:n_checkpoints]
    _check_complete(~np.isnan(values["pretrained"]), axes["tasks"])
    policies = axes["policies"]
    return {
        **values,
        **curves,
        **{name: np.array(members) for name, members in axes.items() if name != "policies"},
        "families": np.array([policy.family for policy in policies]),
        "strengths": np.array([policy.strength for policy in policies]),
        "variants": np.array([policy.variant for policy in policies]),
    }


def _key(row: Row) -> tuple[Any, ...]:
    """Position of a row on each of `AXES`."""
    return row.task, row.n_demos, row.learner, row.policy, row.seed


def _axes(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Members of each axis: policies and seeds sorted, the others in the order of the rows."""
    axes = {name: list(dict.fromkeys(_key(row)[k] for row in rows)) for k, name in enumerate(AXES)}
    axes["policies"].sort(key=_rank)
    axes["seeds"].sort()
    return axes


def _indices(rows: Sequence[Row], axes: Mapping[str, Sequence[Any]]) -> list[tuple[int, ...]]:
    """Index of each row in the arrays of `tensors`; no two rows may have the same."""
    numbers = [{member: i for i, member in enumerate(axes[name])} for name in AXES]
    indices: dict[tuple[int, ...], None] = {}
    for row in rows:
        index = tuple(number[member] for number, member in zip(numbers, _key(row), strict=True))
        if index in indices:
            raise ValueError(f"a grid must hold each cell once; twice: {_key(row)}")
        indices[index] = None
    return list(indices)


def _rank(policy: PolicySpec) -> tuple[int, int, float]:
    return list(FAMILIES).index(policy.family), list(VARIANTS).index(policy.variant), policy.strength


def _check_complete(known: NDArray[np.bool_], tasks: Sequence[str]) -> None:
    """Each policy must have each seed, for each task, number of demonstrations and learner that it occurs with."""
    for task, demos in np.ndindex(*known.shape[:2]):
        has_row = known[task, demos]
        expected = has_row.any(axis=2, keepdims=True) & has_row.any(axis=1, keepdims=True)
        if (has_row != expected).any():
            missing = int((has_row != expected).sum())
            raise ValueError(f"a grid must hold each cell once; {tasks[task]} lacks {missing}")


def means(values: FloatArray) -> FloatArray:
    """Means over the known numbers of the last axis; NaN if none is known."""
    known = ~np.isnan(values)
    number = known.sum(axis=-1)
    return np.where(number > 0, np.where(known, values, 0.0).sum(axis=-1) / np.maximum(number, 1), np.nan)
