"""The errata, generated from decided steps: the printed relation, a counterexample, and the smallest correction."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from theory.claims import Decided, Severity

_INTRODUCTION = """# Errata

Found by machine in version 1 of *Posterior Behavioral Cloning* (arXiv 2512.16911v1). Later versions may differ. Every
entry is a printed relation that an exact computation refutes, with a counterexample in numbers; the corrected relation
next to it is proved. Most are slips that affect nothing else; the summary says how far each reaches.
"""
SEVERITIES: dict[Severity, str] = {
    "statement": "a statement that is false as printed",
    "constant": "a wrong constant in a statement",
    "condition": "a missing condition",
    "proof only": "a proof step that fails, although the statement holds",
    "typing error": "a misprint",
}
"""What each severity means, the most far-reaching first."""


@dataclass(frozen=True, kw_only=True)
class Erratum:
    """A printed step that is refuted, and its corrected form; None where the result has no corrected form of it."""

    printed: Decided
    corrected: Decided | None

    @property
    def id(self) -> str:
        """Id of the step, unique among all errata."""
        return self.printed.step.id

    @property
    def severity(self) -> Severity | None:
        """How far the error reaches."""
        return self.printed.step.severity


def errata(steps: Iterable[Decided]) -> list[Erratum]:
    """Collect the printed steps that are refuted, with their corrections.

    Parameters
    ----------
    steps : iterable of Decided
        As `theory.claims.decide` returns them.

    Returns
    -------
    list of Erratum
        The most far-reaching first, then in the given order. A refuted step without a severity comes
        before all others.
    """
    steps = tuple(steps)
    corrections = {(d.result.id, d.step.id): d for d in steps if d.step.form == "corrected"}
    entries = [
        Erratum(printed=d, corrected=corrections.get((d.result.id, d.step.id)))
        for d in steps
        if d.step.form == "printed" and d.outcome.verdict == "refuted"
    ]
    rank = {severity: i for i, severity in enumerate(SEVERITIES)}
    return sorted(entries, key=lambda e: -1 if e.severity is None else rank[e.severity])


def errata_markdown(steps: Iterable[Decided]) -> str:
    """Write the errata as Markdown.

    Parameters
    ----------
    steps : iterable of Decided
        As `theory.claims.decide` returns them.

    Returns
    -------
    str
        Ends with a newline; the same text for the same outcomes.
    """
    entries = errata(steps)
    lines = [_INTRODUCTION, "## Summary", "", "| step | where | how far it reaches |", "|---|---|---|"]
    lines += [f"| {e.id} | {e.printed.result.source} | {e.severity} |" for e in entries]
    lines += [""]
    for severity, meaning in SEVERITIES.items():
        chosen = [e for e in entries if e.severity == severity]
        if chosen:
            lines += [f"## {severity.capitalize()}: {meaning}", ""]
            for entry in chosen:
                lines += _section(entry)
    return "\n".join(lines).rstrip() + "\n"


def _section(erratum: Erratum) -> list[str]:
    step, outcome = erratum.printed.step, erratum.printed.outcome
    lines = [f"### {step.id} ({erratum.printed.result.source})", "", f"- Printed: {_code(step.statement)}"]
    if outcome.witness:
        values = ", ".join(f"{name} = {_value(value)}" for name, value in outcome.witness.items())
        lines += [f"- Witness: {_code(values)}", f"- Why: {step.why}."]
    else:
        lines.append(f"- What fails: {_code(outcome.detail)}")
    if erratum.corrected:
        verdict, statement = erratum.corrected.outcome.verdict, erratum.corrected.step.statement
        lines.append(f"- Corrected ({verdict}): {_code(statement)}")
    return [*lines, ""]


def _code(text: str) -> str:
    """Set a formula as code, so that Markdown leaves its signs alone."""
    return f"`{text}`"


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


if set(SEVERITIES) != set(get_args(Severity)):
    raise RuntimeError("every severity needs its meaning")
