"""Sampling demonstrations, or only their counts; reading and writing them.

Counts are sampled without rolling out trajectories: given T_h(s), the actions T_h(s, .) are multinomial with pi_beta,
and given T_h(s,a), the next states are multinomial with P_h(.|s,a). Both have the law of the counts of T independent
trajectories, and the cost does not grow with T.
"""

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from tabular.counts import Counts, Demonstrations
from tabular.kernels import sampling
from tabular.mdp import FiniteHorizonMDP, checked_policy
from theory.base import validate
from theory.base.files import npz_arrays, whole_file

CSV_COLUMNS = ("episode", "step", "state", "action")
MAX_DEMOS = 10**12
"""numpy's binomial sampler is tested up to this number of trials."""

_MAX_SIZE = 2**31 - 1
_INTEGER = re.compile(r"\s*[+-]?0*[0-9]{1,18}\s*", re.ASCII)  # int() takes 1_0 for 10, too


def sample_demonstrations(
    mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int, rng: np.random.Generator
) -> Demonstrations:
    """Roll out T independent trajectories of the demonstrator.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, at least 1.
    rng : numpy.random.Generator
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    T = validate.integer("n_demos", n_demos, at_least=1)
    rng = validate.generator("rng", rng)
    states, actions = np.empty((T, mdp.horizon), np.int32), np.empty((T, mdp.horizon), np.int32)
    sampling.rollouts(*mdp.table, mdp.initial, pi_beta, rng, states, actions)
    return Demonstrations(states, actions, mdp.n_states, mdp.n_actions)


def sample_counts(mdp: FiniteHorizonMDP, demonstrator: ArrayLike, n_demos: int, rng: np.random.Generator) -> Counts:
    """Draw the counts T_h(s, a) of T trajectories without rolling them out; the same law as `sample_demonstrations`.

    The cost grows with the number of states that hold a trajectory, not with T.

    Parameters
    ----------
    mdp : FiniteHorizonMDP
    demonstrator : array_like, (H, S, A)
    n_demos : int
        T, from 1 to 1e12.
    rng : numpy.random.Generator
    """
    validate.instance("mdp", mdp, FiniteHorizonMDP)
    pi_beta = checked_policy("demonstrator", demonstrator, mdp.policy_shape)
    T = validate.integer("n_demos", n_demos, at_least=1, at_most=MAX_DEMOS)
    rng = validate.generator("rng", rng)
    out = np.zeros(mdp.policy_shape, np.int64)
    sampling.sample_counts(*mdp.table, mdp.initial, pi_beta, T, rng, out)
    return Counts(out)


def write_demonstrations(path: str | os.PathLike[str], demonstrations: Demonstrations) -> None:
    """Write demonstrations as ``.npz`` or ``.csv`` (by the ending), all at once or not at all.

    Parameters
    ----------
    path : path-like
        A csv has the columns episode, step, state, action, numbered from 0. It does not record the numbers of states
        and actions.
    demonstrations : Demonstrations

    Raises
    ------
    ValueError
        If the path ends in neither .npz nor .csv.
    FileNotFoundError
        If there is no such folder.
    """
    target = Path(path)
    check_suffix(target)
    if not isinstance(demonstrations, Demonstrations):
        raise TypeError(f"demonstrations must be Demonstrations; got {type(demonstrations).__name__}")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no folder {target.parent} to write {target.name} into")
    with whole_file(target) as file:
        if target.suffix == ".npz":
            np.savez_compressed(
                file,
                states=demonstrations.states,
                actions=demonstrations.actions,
                n_states=np.int64(demonstrations.n_states),
                n_actions=np.int64(demonstrations.n_actions),
            )
        else:
            T, H = demonstrations.states.shape
            episode, step = np.divmod(np.arange(T * H), H)
            rows = np.stack([episode, step, demonstrations.states.ravel(), demonstrations.actions.ravel()], axis=1)
            np.savetxt(file, rows, fmt="%d", delimiter=",", header=",".join(CSV_COLUMNS), comments="")


def read_demonstrations(
    path: str | os.PathLike[str], *, n_states: int | None = None, n_actions: int | None = None
) -> Demonstrations:
    """Read demonstrations that `write_demonstrations` wrote, or a csv of the same columns in any order.

    Parameters
    ----------
    path : path-like
        Ends in ``.npz`` or ``.csv``.
    n_states, n_actions : int, optional
        For a csv; the largest index plus 1 if not given. An npz states its own, which must agree.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, truncated or of another form; a csv's message names the line.
    """
    source = Path(path)
    check_suffix(source)
    for name, size in (("n_states", n_states), ("n_actions", n_actions)):
        if size is not None:
            validate.integer(name, size, at_least=1, at_most=_MAX_SIZE)
    size = source.stat().st_size
    if not source.is_file():
        raise ValueError(f"{source.name} is not a file")
    if size == 0:
        raise ValueError(f"{source.name} is empty")
    read = _read_npz if source.suffix == ".npz" else _read_csv
    return read(source, n_states, n_actions)


def check_suffix(path: Path) -> None:
    """Refuse a path that ends neither in .npz nor in .csv, with ValueError."""
    if path.suffix not in (".npz", ".csv"):
        raise ValueError(f"path must end in .npz or .csv; got {path.name!r}")


def _read_npz(path: Path, n_states: int | None, n_actions: int | None) -> Demonstrations:
    arrays = npz_arrays(path)
    for name in ("states", "actions", "n_states", "n_actions"):
        if not isinstance(arrays.get(name), np.ndarray):
            raise ValueError(f"{path.name} has no array {name!r}")
    for name, wanted in (("n_states", n_states), ("n_actions", n_actions)):
        if arrays[name].shape != () or arrays[name].dtype.kind not in "iu":
            raise ValueError(f"{path.name}: {name} must be one integer")
        if wanted is not None and wanted != int(arrays[name]):
            raise ValueError(f"{name} must agree with {path.name}, which states {int(arrays[name])}; got {wanted}")
    return Demonstrations(arrays["states"], arrays["actions"], int(arrays["n_states"]), int(arrays["n_actions"]))


def _csv_rows(path: Path) -> Iterator[tuple[int, list[int]]]:
    """Line number and (episode, step, state, action) of each row of data."""
    with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a byte order mark first
        try:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if missing := [name for name in CSV_COLUMNS if name not in header]:
                raise ValueError(
                    f"{path.name}, line 1: no column {missing[0]!r}; found {', '.join(header) or 'nothing'}"
                )
            if doubled := [name for name in CSV_COLUMNS if header.count(name) > 1]:
                raise ValueError(f"{path.name}, line 1: column {doubled[0]!r} appears twice")
            columns = [header.index(name) for name in CSV_COLUMNS]
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise ValueError(
                        f"{path.name}, line {reader.line_num}: {len(header)} fields expected, {len(row)} found"
                    )
                if not all(_INTEGER.fullmatch(row[column]) for column in columns):
                    raise ValueError(f"{path.name}, line {reader.line_num}: {row} are not all integers")
                values = [int(row[column]) for column in columns]
                if min(values) < 0:
                    raise ValueError(f"{path.name}, line {reader.line_num}: {row} has a negative number")
                yield reader.line_num, values
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path.name} is not a csv file: {error}") from None


def _read_csv(path: Path, n_states: int | None, n_actions: int | None) -> Demonstrations:
    pairs: dict[tuple[int, int], tuple[int, int]] = {}
    for line, (episode, step, state, action) in _csv_rows(path):
        for name, value, limit in (("state", state, n_states or _MAX_SIZE), ("action", action, n_actions or _MAX_SIZE)):
            if value >= limit:
                raise ValueError(f"{path.name}, line {line}: {name} must be below {limit}; got {value}")
        if (episode, step) in pairs:
            raise ValueError(f"{path.name}, line {line}: episode {episode} has step {step} twice")
        pairs[episode, step] = state, action
    if not pairs:
        raise ValueError(f"{path.name} has a header but no rows")
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) not in b"\r\n":
            raise ValueError(f"{path.name}: the last line may be cut off; if it is whole, end it with a line end")
    episodes = sorted({episode for episode, _ in pairs})
    horizon = 1 + max(step for _, step in pairs)
    for episode in episodes:
        for step in range(horizon):
            if (episode, step) not in pairs:
                raise ValueError(
                    f"{path.name}: episode {episode} has no step {step}; all episodes need {horizon} steps "
                    "(an episode that ends early may stay in an extra state)"
                )
    table = np.array([[pairs[e, h] for h in range(horizon)] for e in episodes], dtype=np.int64)
    states, actions = table[..., 0], table[..., 1]
    return Demonstrations(
        states,  # type: ignore[arg-type]  # converted and checked by the class
        actions,  # type: ignore[arg-type]
        int(states.max()) + 1 if n_states is None else n_states,
        int(actions.max()) + 1 if n_actions is None else n_actions,
    )
