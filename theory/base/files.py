"""Writing a file all at once or not at all, and reading an npz without pickle."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name only when the block ends without an error.

    Parameters
    ----------
    path : Path
        In a folder that exists. An older file of this name is replaced.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    partial = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    with partial.open("xb") as file:
        try:
            yield file
            file.flush()
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def npz_arrays(path: Path) -> dict[str, Any]:
    """All arrays of an npz; ValueError if it is not whole, or holds objects, which would need pickle."""
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile("it is no zip archive, or only the beginning of one")
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path.name} is not a complete npz file: {error}") from None
