"""Where the results of a run come from: commit, versions, machine, time."""

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from figures.running.artifacts import file_digest

PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "matplotlib",
    "sympy",
    "mpmath",
    "python-flint",
    "gymnasium",
    "jinja2",
    "latex2mathml",
    "tqdm",
)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Code, versions and machine of a run: the same for equal runs, so that the report may show it.

    Parameters
    ----------
    commit : str or None
        None where git does not know one.
    uncommitted_changes : bool
    python : str
        Version.
    packages : mapping
        Version of each of `PACKAGES`; None where it is not installed.
    system, processor : str
    cores : int or None
    """

    commit: str | None
    uncommitted_changes: bool
    python: str
    packages: Mapping[str, str | None]
    system: str
    processor: str
    cores: int | None


def origin_of(root: Path) -> Origin:
    """Describe the code of a checkout, the installed packages and this machine."""
    return Origin(
        commit=_git(root, "rev-parse", "HEAD"),
        uncommitted_changes=bool(_git(root, "status", "--porcelain", "--untracked-files=no")),
        python=platform.python_version(),
        packages={name: _version(name) for name in PACKAGES},
        system=platform.system(),
        processor=platform.machine(),
        cores=os.cpu_count(),
    )


def provenance_json(origin: Origin, out: Path, seconds: float) -> dict[str, Any]:
    """Content of ``provenance.json``, the only file that differs between equal runs.

    Parameters
    ----------
    origin : Origin
    out : Path
        The output folder, every file of which is listed with its SHA-256.
    seconds : float
        Wall time of the run.
    """
    return {
        "schema": 1,
        **asdict(origin),
        "seconds": round(seconds, 1),
        "sha256": {path.name: file_digest(path) for path in sorted(out.glob("*.*")) if path.name != "provenance.json"},
    }


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
