"""Files of the continuous half: npz with a kind and a format version, never pickle."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.base.files import npz_arrays, whole_file

FORMAT = 1
"""Version of the files that `save_arrays` writes."""


def save_arrays(path: str | os.PathLike[str], kind: str, arrays: Mapping[str, Any]) -> None:
    """Write arrays with their kind and the format version as an npz, atomically.

    Raises
    ------
    TypeError
        If an array holds objects, which would need pickle.
    ValueError
        If the path does not end in .npz.
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise ValueError(f"path must end in .npz; got {target.name!r}")
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds objects")
    with whole_file(target) as file:
        np.savez(file, allow_pickle=False, kind=np.array(kind), format=np.int64(FORMAT), **plain)


def load_arrays(path: str | os.PathLike[str], kind: str, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` wrote: exactly the arrays `names`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is incomplete, or has another kind, format or set of arrays.
    """
    source = Path(path)
    source.stat()  # a missing file is FileNotFoundError, not an incomplete npz
    arrays = npz_arrays(source)
    stated_kind, stated_format = (str(arrays.pop(name, "none")) for name in ("kind", "format"))
    if (stated_kind, stated_format) != (kind, str(FORMAT)):
        raise ValueError(
            f"{source.name} must be of kind {kind!r} and format {FORMAT}; "
            f"got kind {stated_kind!r} and format {stated_format}"
        )
    if set(arrays) != set(names):
        raise ValueError(f"{source.name} must hold {', '.join(sorted(names))}; got {', '.join(sorted(arrays))}")
    return arrays
