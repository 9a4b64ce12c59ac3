"""Reading the columns of an npz in blocks of rows, so that memory does not grow with the file. Nothing is unpickled."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from theory.base.files import DAMAGED_NPZ

BLOCK = 4096
"""Rows of a block."""


class Column:
    """One array of an npz, read from its beginning: its `dtype` and `shape`, and whether it is in C order (`in_order`).

    Parameters
    ----------
    stream : file of bytes
        The array's ``.npy`` file.

    Raises
    ------
    ValueError
        If the header is not that of an array, or the array holds objects, which would need pickle.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        version = npy.read_magic(stream)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"version {version} of the npy format is not read")
        self.shape, fortran, self.dtype = readers[version](stream)
        if self.dtype.hasobject:
            raise ValueError("an array holds objects")
        self.in_order = not fortran or len(self.shape) < 2
        self._stream = stream
        self._left = math.prod(self.shape)

    def take(self, n: int) -> NDArray[Any]:
        """Read the next n entries in C order, or as many as are left.

        Raises
        ------
        EOFError
            If the file is shorter or longer than the array.
        """
        n = min(n, self._left)
        wanted = n * self.dtype.itemsize
        parts, got = [], 0
        while got < wanted and (part := self._stream.read(wanted - got)):
            parts.append(part)
            got += len(part)
        self._left -= n
        if got < wanted or (self._left == 0 and self._stream.read(1)):  # zip checks its checksum only at the end
            raise EOFError("an array is longer or shorter than its header says")
        return np.frombuffer(b"".join(parts), self.dtype, n)


def npz_columns(path: Path, stack: ExitStack) -> dict[str, Column]:
    """Open every array of an npz; the files are closed with `stack`.

    Raises
    ------
    ValueError
        If the file is not a complete npz, or an array holds objects.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile("it is no zip archive, or only the beginning of one")
        archive = stack.enter_context(zipfile.ZipFile(path))
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        return {name.removesuffix(".npy"): Column(stack.enter_context(archive.open(name))) for name in names}
    except DAMAGED_NPZ as error:
        raise ValueError(f"{path.name} is not a complete npz file: {error}") from None


def blocks(path: Path, columns: list[Column]) -> Iterator[list[NDArray[Any]]]:
    """Entries of equally long columns, `BLOCK` of each at a time.

    Raises
    ------
    ValueError
        If the file turns out to be damaged.
    """
    for _ in range(0, math.prod(columns[0].shape), BLOCK):
        try:
            yield [column.take(BLOCK) for column in columns]
        except DAMAGED_NPZ as error:
            raise ValueError(f"{path.name} is not a complete npz file: {error}") from None
