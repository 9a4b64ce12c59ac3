"""Write the documentation's generated parts from finished runs: tables, the gallery, the errata, the pictures."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from figures.pages.docs_record import VERDICTS, collect_record, figure_folders, lacking_figures, record_json, whole_run
from figures.pages.docs_tables import gallery, made_pages
from figures.pages.pictures import small_png
from figures.running.artifacts import atomic, save_text

_PICTURE = (1280, 1000)
"""Width and height of the picture of the report, in pixels."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def write_docs(root: Path, folders: Sequence[Path]) -> list[str]:
    """Write the documentation's generated parts from finished runs.

    Parameters
    ----------
    root : Path
        The checkout.
    folders : sequence of Path
        Output folders. A figure is taken from the first that contains it, the steps and the report from the first
        that holds a whole run: so figures with full settings can come before a quick run of everything.

    Returns
    -------
    list of str
        What could not be made, in sentences.

    Raises
    ------
    FileNotFoundError
        If no folder holds a whole run.
    """
    whole, record, docs = whole_run(folders), collect_record(folders), root / "docs"
    for name, folder in figure_folders(folders).items():
        with atomic(docs / f"{name}.png") as file:
            file.write(small_png(folder / f"{name}.png"))
    save_text(docs / VERDICTS, record_json(record))
    save_text(docs / "gallery.md", gallery(record))
    save_text(docs / "errata.md", (whole / "errata.md").read_text(encoding="utf-8"))
    for path, text in made_pages(root, record).items():
        save_text(path, text)
    problems = [f"{name} is in none of the folders, and not in the gallery" for name in lacking_figures(record)]
    return problems + photograph(whole / "report.html", docs / "report.png")


def photograph(page: Path, picture: Path) -> list[str]:
    """Take a picture of the report's first screen with Chromium; return sentences that say why, if that fails.

    Parameters
    ----------
    page : Path
        The report.
    picture : Path
        A PNG, left as it is where there is no browser or no report.
    """
    program = next((path for path in map(shutil.which, _BROWSERS) if path), None)
    if program is None or not page.exists():
        return [f"{picture.name} is left as it was: no {'report' if program else 'Chromium'} was found"]
    with tempfile.TemporaryDirectory() as folder:
        taken = Path(folder) / "page.png"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options += [f"--user-data-dir={folder}/profile", f"--window-size={_PICTURE[0]},{_PICTURE[1]}"]
        command = [program, *options, f"--screenshot={taken}", page.resolve().as_uri()]
        subprocess.run(command, capture_output=True, check=False, timeout=120)
        if not taken.exists():
            return [f"{picture.name} is left as it was: Chromium took no picture"]
        content = small_png(taken)
    with atomic(picture) as file:
        file.write(content)
    return []
