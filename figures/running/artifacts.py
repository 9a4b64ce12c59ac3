"""Files of the output folder: equal content gives equal bytes, and a file is complete or absent.

Archives and pictures carry no time of writing, so that a changed file is a changed result. Each file is written under
another name and then renamed (`theory.base.files`), so that a run that is stopped leaves no half file.
"""

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import jinja2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from numpy.typing import NDArray

from theory.base.files import DAMAGED_NPZ, whole_file

Arrays = dict[str, NDArray[Any]]

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns about PDFs without a date

PNG_DPI = 200
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file can hold
_META = "meta.json"
_NAMES = "arrays"
"""Key of the description under which the names of the arrays stand."""


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        yield file


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> None:
    """Write arrays and a JSON-ready description as an npz without time stamps.

    The names of the arrays are written into the description, too: damage in a zip file's directory can hide a member.

    Raises
    ------
    TypeError
        If an array holds objects, which would need pickle.
    """
    with atomic(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(_META, _EPOCH), to_json({**meta, _NAMES: sorted(arrays)}))
        for name in sorted(arrays):
            array = np.asarray(arrays[name])
            if array.dtype.hasobject:
                raise TypeError(f"array {name!r} holds objects")
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, buffer.getvalue())


def load_arrays(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Read the arrays and the description that `save_arrays` wrote.

    Raises
    ------
    ValueError
        If the file is not complete, or not of this form.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            meta = json.loads(archive.read(_META))
            members = {name: archive.read(name) for name in archive.namelist() if name != _META}
        arrays = {name.removesuffix(".npy"): _array(content) for name, content in members.items()}
        if sorted(arrays) != meta.pop(_NAMES, sorted(arrays)):  # older files state none
            raise ValueError("it lacks arrays")
    except DAMAGED_NPZ as error:
        raise ValueError(f"{path.name} is not a complete data file: {error}") from None
    return arrays, meta


def _array(content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    array = np.lib.format.read_array(stream, allow_pickle=False)
    if stream.read(1):
        raise ValueError("an array is shorter than its file")
    return array


def save_figure(stem: Path, figure: Figure) -> None:
    """Write a figure as PDF and as PNG, with one layout for both.

    `Figure.savefig` would lay the figure out twice, which takes most of the time.
    """
    pdf: Any = FigureCanvasPdf(figure)
    with atomic(stem.with_suffix(".pdf")) as file:
        pdf.print_pdf(file, metadata={"CreationDate": None, "ModDate": None})
    figure.set_layout_engine("none")
    figure.set_dpi(PNG_DPI)
    png: Any = FigureCanvasAgg(figure)
    with atomic(stem.with_suffix(".png")) as file:
        png.print_png(file, metadata={"Software": None})


def save_json(path: Path, content: Any) -> None:
    """Write JSON without NaN and infinity, as the standard demands."""
    save_text(path, to_json(content))


def save_text(path: Path, text: str) -> None:
    """Write text in UTF-8."""
    with atomic(path) as file:
        file.write(text.encode("utf-8"))


def to_json(content: Any) -> str:
    """Write JSON in a fixed layout; NaN and infinity are refused."""
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def page_templates(folder: Path) -> jinja2.Environment:
    """Load the templates of a page: values are escaped, and an unknown name is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
