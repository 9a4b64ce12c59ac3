"""The report: what was checked, how it came out, and the pictures, in one self-contained page."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from figures._artifacts import save_text
from figures._pipeline import Outcome
from theory.claims import Result
from theory.errata import errata_entries

_TEMPLATE = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)


def write_report(
    path: Path, verdicts: Mapping[str, Any], results: Sequence[Result], outcomes: Sequence[Outcome], folder: Path
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    verdicts : mapping
        Content of ``verdicts.json``.
    results : sequence of Result
    outcomes : sequence of Outcome
    folder : Path
        Where the PNG of each figure is.
    """
    figures = [
        {
            "name": outcome.name,
            "title": outcome.title,
            "caption": outcome.caption,
            "image": base64.b64encode((folder / f"{outcome.name}.png").read_bytes()).decode(),
            "claims": [{**entry, "text": relation_text(entry)} for entry in outcome.to_json()],
        }
        for outcome in outcomes
    ]
    source = (Path(__file__).parent / "report.html.j2").read_text(encoding="utf-8")
    page = _TEMPLATE.from_string(source).render(
        verdicts=verdicts,
        figures=figures,
        counts=Counter(claim["verdict"] for claim in verdicts["claims"]),
        step_counts=Counter(step["verdict"] for step in verdicts["steps"]),
        results=[_result_entry(result, verdicts["steps"]) for result in results],
        errata=errata_entries(results, verdicts["steps"]),
    )
    save_text(path, page)


def relation_text(claim: Mapping[str, Any]) -> str:
    """The comparison in symbols, for instance ``0.82 ≥ 0.5`` or ``[0.94, 1] ≥ 0.9``."""
    low, high = (end if end is None else f"{end:.4g}" for end in claim["interval"])
    if low == high and low is not None:
        shown = low
    else:
        shown = f"[{'−∞' if low is None else low}, {'∞' if high is None else high}]"
    bound = "∞" if claim["bound"] is None else f"{claim['bound']:.4g}"
    return f"{shown} {'≤' if claim['relation'] == '<=' else '≥'} {bound}"


def _result_entry(result: Result, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A result with its steps, each with its statement beside its verdict."""
    statements = {(step.id, step.form): step.statement for step in result.steps}
    mine = [step for step in steps if step["result"] == result.id]
    return {
        "result": result,
        "steps": [{**step, "statement": statements[step["id"], step["form"]]} for step in mine],
        "refuted": sum(step["verdict"] == "refuted" for step in mine),
    }
