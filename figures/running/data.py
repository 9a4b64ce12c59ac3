"""Third-party data files, which we may not distribute: the environment variable POSTBC_DATA names their folder.

A figure's module names the files that it needs, relative to that folder: ``NEEDS = ("folder/file.csv",)``. A figure
whose files are not found is left out of a run.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "POSTBC_DATA"


def data_path(name: str) -> Path:
    """Find a data file.

    Parameters
    ----------
    name : str
        Relative to the folder that POSTBC_DATA names.

    Raises
    ------
    FileNotFoundError
        If the variable is not set, or there is no such file.
    """
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        raise FileNotFoundError(f"{name} is needed, and {VARIABLE} does not name the folder that holds it")
    path = Path(folder) / name
    if not path.is_file():
        raise FileNotFoundError(f"{name} is needed, and is not in the folder that {VARIABLE} names")
    return path


def missing_data(names: Iterable[str]) -> list[str]:
    """List the named data files that are not found, in order."""

    def exists(name: str) -> bool:
        try:
            data_path(name)
        except FileNotFoundError:
            return False
        return True

    return [name for name in names if not exists(name)]


def data_digest(names: Iterable[str]) -> str:
    """SHA-256 over names and contents of the data files.

    A cell that reads data files must have this among its settings: the cache of cells knows settings and source code,
    and would otherwise give the result of older data.
    """
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + hashlib.sha256(data_path(name).read_bytes()).digest())
    return digest.hexdigest()
