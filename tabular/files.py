"""Writing a file all at once or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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
