"""Data that are not ours to pass on: found through the environment variable POSTBC_DATA, or the figure is left out.

A figure module that needs such files names them, relative to that folder: ``NEEDS = ("folder/file.csv",)``.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "POSTBC_DATA"


def data_path(name: str) -> Path:
    """Path of a data file.

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
    """Those of the named data files that are not found, in order."""

    def found(name: str) -> bool:
        try:
            data_path(name)
        except FileNotFoundError:
            return False
        return True

    return [name for name in names if not found(name)]


def data_digest(names: Iterable[str]) -> str:
    """SHA-256 over the data files. A cell that reads them has it among its settings, so that other data are no hit.

    Raises
    ------
    FileNotFoundError
        If one is not found.
    """
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + hashlib.sha256(data_path(name).read_bytes()).digest())
    return digest.hexdigest()
