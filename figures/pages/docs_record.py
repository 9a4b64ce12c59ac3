"""The record of verdicts that the documentation shows: collected from runs, kept as JSON, compared with a fresh run."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from figures.running.registry import figure_names
from theory.claims import EMPIRICAL_SOURCES

SCHEMA = 1
VERDICTS = "verdicts.json"
"""The file of a whole run with its verdicts; in ``docs/``, the record that the documentation shows."""


@dataclass(frozen=True, kw_only=True)
class FigureSummary:
    """With which settings a figure of the documentation was made.

    Parameters
    ----------
    profile : {"quick", "full"}
    seed : int
    """

    profile: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class StepSummary:
    """The verdict on a proof step; fields as in `theory.claims.Step` and `theory.claims.Outcome`."""

    id: str
    result: str
    form: str
    verdict: str
    evidence: str


@dataclass(frozen=True, kw_only=True)
class ClaimSummary:
    """The verdict on a claim; fields as in `theory.claims.Claim`. An end that is infinite is None, as in JSON."""

    id: str
    source: str
    figure: str
    verdict: str
    evidence: str
    relation: str
    interval: tuple[float | None, float | None]
    bound: float | None


Shown = TypeVar("Shown", FigureSummary, StepSummary, ClaimSummary)


@dataclass(frozen=True, kw_only=True)
class Record:
    """All verdicts that the documentation shows.

    Parameters
    ----------
    figures : mapping of str to FigureSummary
        By name, in the order of `figures.running.registry.figure_names`.
    steps : tuple of StepSummary
    claims : tuple of ClaimSummary
    """

    figures: Mapping[str, FigureSummary]
    steps: tuple[StepSummary, ...]
    claims: tuple[ClaimSummary, ...]


@dataclass(frozen=True, kw_only=True)
class WholeRun:
    """What a run's ``verdicts.json`` says.

    Parameters
    ----------
    profile : {"quick", "full"}
    steps : tuple of StepSummary
    claims : tuple of ClaimSummary
    left_out : tuple of str
        Names of figures that were not made because their data were not found.
    """

    profile: str
    steps: tuple[StepSummary, ...]
    claims: tuple[ClaimSummary, ...]
    left_out: tuple[str, ...]


# --- reading and writing ----------------------------------------------------------------------------------------------


def read_record(path: Path) -> Record:
    """Read what `record_json` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Record(
        figures={name: _shown(FigureSummary, entry) for name, entry in content["figures"].items()},
        steps=_all_shown(StepSummary, content["steps"]),
        claims=_all_shown(ClaimSummary, content["claims"]),
    )


def read_run(folder: Path) -> WholeRun:
    """Read the verdicts of the whole run in an output folder."""
    content = json.loads((folder / VERDICTS).read_text(encoding="utf-8"))
    return WholeRun(
        profile=content["profile"],
        steps=_all_shown(StepSummary, content["steps"]),
        claims=_all_shown(ClaimSummary, content["claims"]),
        left_out=tuple(entry["figure"] for entry in content["left_out"]),
    )


def record_json(record: Record) -> str:
    """Write the record with one step or claim per line, so that changes are easy to read."""
    figures = _lines(f'"{name}": {_line(figure)}' for name, figure in record.figures.items())
    steps, claims = (_lines(map(_line, entries)) for entries in (record.steps, record.claims))
    parts = (f'"schema": {SCHEMA}', f'"figures": {{{figures}}}', f'"steps": [{steps}]', f'"claims": [{claims}]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _all_shown(kind: type[Shown], entries: Iterable[Mapping[str, Any]]) -> tuple[Shown, ...]:
    return tuple(_shown(kind, entry) for entry in entries)


def _shown(kind: type[Shown], entry: Mapping[str, Any]) -> Shown:
    """The fields of a record from an entry of JSON, which may hold more; lists become tuples."""
    values: dict[str, Any] = {field.name: entry[field.name] for field in fields(kind)}
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    return kind(**values)


def _line(shown: FigureSummary | StepSummary | ClaimSummary) -> str:
    return json.dumps(asdict(shown), ensure_ascii=False)


def _lines(entries: Iterable[str]) -> str:
    return "\n " + ",\n ".join(entries) + "\n"


# --- collecting -------------------------------------------------------------------------------------------------------


def whole_run(folders: Sequence[Path]) -> Path:
    """Return the first of some output folders that holds a whole run.

    Raises
    ------
    FileNotFoundError
        If none does.
    """
    for folder in folders:
        if (folder / VERDICTS).exists():
            return folder
    raise FileNotFoundError(f"no whole run in {', '.join(map(str, folders))}: {VERDICTS} is not there")


def figure_folders(folders: Sequence[Path]) -> dict[str, Path]:
    """Return, for each figure that was made, the first of some output folders that has its claims and its picture."""
    made: dict[str, Path] = {}
    for name in figure_names():
        folder = next((f for f in folders if (f / f"{name}.json").exists() and (f / f"{name}.png").exists()), None)
        if folder is not None:
            made[name] = folder
    return made


def collect_record(folders: Sequence[Path]) -> Record:
    """Collect steps from the first whole run, and each figure's claims from the first folder that has the figure.

    Raises
    ------
    FileNotFoundError
        If no folder holds a whole run.
    """
    steps = read_run(whole_run(folders)).steps
    figures: dict[str, FigureSummary] = {}
    claims: list[ClaimSummary] = []
    for name, folder in figure_folders(folders).items():
        content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        figures[name] = _shown(FigureSummary, content)
        claims += _all_shown(ClaimSummary, content["claims"])
    return Record(figures=figures, steps=steps, claims=tuple(claims))


def lacking_figures(record: Record) -> list[str]:
    """Figures of this checkout that the record does not have."""
    return [name for name in figure_names() if name not in record.figures]


# --- comparing --------------------------------------------------------------------------------------------------------


def differences(record: Record, run: WholeRun) -> list[str]:
    """Differences of a fresh run from the record, as sentences.

    All steps are compared, and the claims of figures that were made with the same profile. Claims of the paper's
    experiments may come out differently. Figures that the run left out are no difference.
    """
    compared = {name for name, figure in record.figures.items() if figure.profile == run.profile} - set(run.left_out)
    fresh = _comparable(run.steps, run.claims, compared)
    shown = _comparable(record.steps, record.claims, compared)
    new_figures = {claim.figure for claim in run.claims} - set(record.figures)
    sentences = [f"{name} is not in the documentation" for name in [*new_figures, *(fresh.keys() - shown.keys())]]
    sentences += [f"{name} is in the documentation and not in the run" for name in shown.keys() - fresh.keys()]
    sentences += [
        f"{name} is {shown[name]} in the documentation and {fresh[name]} in the run"
        for name in shown.keys() & fresh.keys()
        if shown[name] != fresh[name]
    ]
    return sorted(sentences)


def _comparable(
    steps: Iterable[StepSummary], claims: Iterable[ClaimSummary], figures: Collection[str]
) -> dict[str, str]:
    """Verdicts by name: of all steps, and of the figures' claims but for those of the paper's experiments."""
    verdicts = {f"step/{step.result}/{step.id}/{step.form}": step.verdict for step in steps}
    for claim in claims:
        if claim.source not in EMPIRICAL_SOURCES and claim.figure in figures:
            verdicts[f"claim/{claim.figure}/{claim.id}"] = claim.verdict
    return verdicts
