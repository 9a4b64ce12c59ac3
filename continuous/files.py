"""Files of the continuous half: npz that states its kind and format, never pickle."""

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
    """Write arrays as an npz that states its kind and format, all at once or not at all.

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
    found = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds objects")
    with whole_file(target) as file:
        np.savez(file, allow_pickle=False, kind=np.array(kind), format=np.int64(FORMAT), **found)


def load_arrays(path: str | os.PathLike[str], kind: str, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Read what `save_arrays` wrote: exactly the arrays `names`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not complete, or of another kind, format or content.
    """
    source = Path(path)
    source.stat()
    arrays = npz_arrays(source)
    found = {name: str(arrays.pop(name, "none")) for name in ("kind", "format")}
    if found != {"kind": kind, "format": str(FORMAT)}:
        raise ValueError(
            f"{source.name} must be of kind {kind!r} and format {FORMAT}; "
            f"got kind {found['kind']!r} and format {found['format']}"
        )
    if set(arrays) != set(names):
        raise ValueError(f"{source.name} must hold {', '.join(sorted(names))}; got {', '.join(sorted(arrays))}")
    return arrays
