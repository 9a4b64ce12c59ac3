"""Writing a file all at once or not at all, and reading an npz without pickle.

A file is written under another name, `.<name>.<letters>.partial`, and then renamed. A run that is killed can leave such
a file behind; the writer locks it, so the next run can tell it from one that is being written, and removes it.
"""

import lzma
import os
import struct
import time
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

DAMAGED_NPZ = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError, EOFError, OSError, LookupError,
    ValueError, TypeError, AttributeError, SyntaxError, ArithmeticError, MemoryError, RuntimeError,
)  # fmt: skip
"""What reading a damaged npz may raise, by the place of the damage: the one list of this project. `RuntimeError` is of
a member that seems encrypted, or compressed in an unknown way; `MemoryError` of a size that was changed."""

_ABANDONED = 24 * 3600.0
"""Where files cannot be locked, a partial file of this age, in seconds, was left by a run that was killed."""


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
    partial, file = _partial_file(path)
    with file:
        try:
            yield file
            file.flush()
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def remove_partial_files(folder: Path) -> int:
    """Remove the partial files that killed runs left in a folder; return their number. None is removed that is open."""
    removed = 0
    for path in folder.glob(".*.partial"):
        try:
            with path.open("rb") as file:
                if _is_abandoned(file):
                    path.unlink()
                    removed += 1
        except OSError:  # another run has just finished or removed it
            continue
    return removed


def npz_arrays(path: Path) -> dict[str, Any]:
    """All arrays of an npz; ValueError if it is not whole, or holds objects, which would need pickle."""
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile("it is no zip archive, or only the beginning of one")
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except DAMAGED_NPZ as error:
        raise ValueError(f"{path.name} is not a complete npz file: {error}") from None


def _partial_file(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside another, open and locked."""
    while True:
        partial = path.with_name(f".{path.name}.{os.urandom(4).hex()}.partial")
        file = partial.open("xb")
        if fcntl:
            with suppress(OSError):  # some network folders know no locks: there, nothing is taken for abandoned
                fcntl.flock(file, fcntl.LOCK_EX)
        if partial.exists():
            return partial, cast(BinaryIO, file)
        file.close()  # another run took it for abandoned between its opening and its locking


def _is_abandoned(file: IO[bytes]) -> bool:
    """Whether no process writes a file; it then is locked until it is closed."""
    if not fcntl:
        return time.time() - os.fstat(file.fileno()).st_mtime > _ABANDONED
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
