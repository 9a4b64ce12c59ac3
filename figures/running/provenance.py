"""Where a run's results come from: commit, versions, machine, time."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from figures.running.pipeline import file_digest

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


def origin(root: Path) -> dict[str, Any]:
    """Say which code, versions and machine a run used: the same for equal runs.

    Parameters
    ----------
    root : Path
        The checkout.
    """
    return {
        "commit": _git(root, "rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git(root, "status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
    }


def provenance(origin: dict[str, Any], out: Path, seconds: float) -> dict[str, Any]:
    """Describe the run that filled `out`. The only file that differs between equal runs.

    Parameters
    ----------
    origin : dict
        As the function of this name returns it.
    out : Path
        The output folder.
    seconds : float
        Wall time of the run.
    """
    return {
        "schema": 1,
        **origin,
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
