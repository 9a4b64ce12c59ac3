"""The errata, generated from verdicts: what is printed, numbers that refute it, and the smallest repair."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from theory.claims import Result, Severity, Step

_INTRODUCTION = """# Errata

Found by machine in version 1 of *Posterior Behavioral Cloning* (arXiv 2512.16911v1). Later versions may differ. Every
entry is a printed relation that an exact computation refutes, with numbers that anyone can put in; the corrected
relation beside it is proved. Most are slips that change nothing else; the summary says how far each reaches.
"""
SEVERITIES = {
    "statement": "a statement that is false as printed",
    "constant": "a wrong constant in a statement",
    "condition": "a condition that is missing",
    "proof only": "a step that fails while the statement it serves survives",
    "typing error": "a slip of the pen",
}
"""What each severity means, the most far-reaching first."""


def errata_entries(results: Iterable[Result], verdicts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Collect the printed steps that were refuted, with their corrections.

    Parameters
    ----------
    results : iterable of Result
        The results that were decided.
    verdicts : iterable of mapping
        Entries as `theory.claims.decide` returns them.

    Returns
    -------
    list of dict
        Keys id, result, title, source, severity, printed, corrected, corrected_verdict, why, witness, detail; the most
        far-reaching first, then in the paper's order. `corrected` is None where no corrected form stands beside it.
    """
    results = tuple(results)
    by_key = {(v["result"], v["id"], v["form"]): v for v in verdicts}
    entries = []
    for result in results:
        for step in result.steps:
            verdict = by_key.get((result.id, step.id, "printed"))
            if step.form != "printed" or verdict is None or verdict["verdict"] != "refuted":
                continue
            repair = _corrected(result.steps, step.id)
            decided = by_key.get((result.id, step.id, "corrected"))
            entries.append(
                {
                    "id": step.id,
                    "result": result.id,
                    "title": result.title,
                    "source": result.source,
                    "severity": step.severity,
                    "printed": step.statement,
                    "corrected": repair.statement if repair else None,
                    "corrected_verdict": decided["verdict"] if decided else None,
                    "why": step.why,
                    "witness": verdict["witness"],
                    "detail": verdict["detail"],
                }
            )
    rank = list(SEVERITIES)
    return sorted(entries, key=lambda e: rank.index(e["severity"]) if e["severity"] in rank else -1)


def errata_markdown(results: Sequence[Result], verdicts: Sequence[Mapping[str, Any]]) -> str:
    """Write the errata as Markdown.

    Parameters
    ----------
    results : sequence of Result
        The results that were decided.
    verdicts : sequence of mapping
        Entries as `theory.claims.decide` returns them.

    Returns
    -------
    str
        Ends with a newline; the same for the same verdicts.
    """
    entries = errata_entries(results, verdicts)
    lines = [_INTRODUCTION, "## Summary", "", "| step | where | how far it reaches |", "|---|---|---|"]
    lines += [f"| {e['id']} | {e['source']} | {e['severity']} |" for e in entries]
    lines += [""]
    for severity, meaning in SEVERITIES.items():
        chosen = [e for e in entries if e["severity"] == severity]
        if chosen:
            lines += [f"## {severity.capitalize()}: {meaning}", ""]
            for entry in chosen:
                lines += _section(entry)
    return "\n".join(lines).rstrip() + "\n"


def _section(entry: Mapping[str, Any]) -> list[str]:
    lines = [f"### {entry['id']} ({entry['source']})", "", f"- Printed: {_code(entry['printed'])}"]
    if entry["witness"]:
        shown = ", ".join(f"{k} = {_value(v)}" for k, v in entry["witness"].items())
        lines.append(f"- Witness: {_code(shown)}")
    lines.append(f"- What fails: {_code(entry['detail'])}" if not entry["witness"] else f"- Why: {entry['why']}.")
    if entry["corrected"]:
        lines.append(f"- Corrected ({entry['corrected_verdict']}): {_code(entry['corrected'])}")
    return [*lines, ""]


def _corrected(steps: Iterable[Step], id: str) -> Step | None:
    return next((s for s in steps if s.id == id and s.form == "corrected"), None)


def _code(text: str) -> str:
    """Set a formula as code, so that Markdown leaves its signs alone."""
    return f"`{text}`"


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


if set(SEVERITIES) != set(get_args(Severity)):
    raise RuntimeError("every severity needs its meaning")
