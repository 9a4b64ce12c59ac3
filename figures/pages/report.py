"""The report: what was checked, how it came out, and the pictures, in one self-contained page."""

import base64
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from figures.look import style
from figures.pages.mathematics import mathml, relation_mathml, typeset
from figures.running.artifacts import page_templates, save_text
from figures.running.pipeline import FinishedFigure, picture_name
from theory.claims import EMPIRICAL_SOURCES, Result
from theory.errata import SEVERITIES, errata_entries

EXPERIMENTS, ERRATA, BOUNDS = "experiments", "errata", "bounds"
"""Where a figure stands that is not about one result: its module's `SECTION` names one of these, or a result."""

EMPIRICAL = {
    "E1": "before finetuning, PostBC succeeds about as often as BC",
    "E2": "finetuning from PostBC succeeds more often, or with fewer rollouts, than from BC or sigma-BC",
    "E3": "the gain shrinks as the number of demonstrations grows",
    "E4": "the ensemble's posterior is wide where demonstrations are few",
    "E0": "what else experiments say, none of it a claim of the paper",
}
"""The claims of the paper's experiments, in our words, and what is none of them."""

_FOLDER = Path(__file__).parent / "templates" / "report"
_PAGES = page_templates(_FOLDER)
_LONGEST = 4000
"""Characters of MathML above which a decided relation is left to the sentence that states it."""


def write_report(
    path: Path,
    verdicts: Mapping[str, Any],
    results: Sequence[Result],
    outcomes: Sequence[FinishedFigure],
    folder: Path,
    origin: Mapping[str, Any],
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    verdicts : mapping
        Content of ``verdicts.json``.
    results : sequence of Result
    outcomes : sequence of FinishedFigure
    folder : Path
        Where the PNG of each figure is, in both forms.
    origin : mapping
        Where the run comes from, as `figures.running.provenance.origin` returns it.
    """
    errata = errata_entries(results, verdicts["steps"])
    shown = [_figure(outcome, folder) for outcome in outcomes]
    places = {figure["name"]: _place(figure, results) for figure in shown}
    page = _PAGES.get_template("report.html.j2").render(
        style=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),
        verdicts=verdicts,
        origin=origin,
        summary=_summary(verdicts),
        chapters=_chapters(results, verdicts, shown, places, errata),
        figures={part: [f for f in shown if places[f["name"]] == part] for part in (EXPERIMENTS, ERRATA, BOUNDS)},
        errata=errata,
        severities=_severities(errata),
        empirical=_empirical(verdicts["claims"]),
    )
    save_text(path, page)


def interval_text(claim: Mapping[str, Any]) -> str:
    """What was measured: a number where it is exact, else an interval."""
    low, high = (end if end is None else f"{end:.4g}".replace("-", "−") for end in claim["interval"])
    if low == high and low is not None:
        return low
    return f"[{'−∞' if low is None else low}, {'∞' if high is None else high}]"


def bound_text(claim: Mapping[str, Any]) -> str:
    """The relation and the bound, for instance ``≥ 0.5``."""
    bound = "∞" if claim["bound"] is None else f"{claim['bound']:.4g}"
    return f"{'≤' if claim['relation'] == '<=' else '≥'} {bound}"


def small_png(path: Path) -> bytes:
    """Return a picture in 256 colours of its own, which for drawings looks the same at a third of the size.

    Parameters
    ----------
    path : Path
        A PNG.
    """
    buffer = io.BytesIO()
    _in_few_colours(path).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _in_few_colours(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _embedded(path: Path) -> dict[str, Any]:
    """Address and size of a picture within the page: WebP without loss, which is a fifth smaller than PNG."""
    picture, buffer = _in_few_colours(path).convert("RGB"), io.BytesIO()
    picture.save(buffer, format="WEBP", lossless=True)
    address = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"address": address, "width": picture.width, "height": picture.height}


def condensed(detail: str) -> str:
    """Return how a step was decided, with what is said several times said once.

    Parameters
    ----------
    detail : str
        Parts with semicolons between them.
    """
    counts = Counter(detail.split("; "))
    return "; ".join(part if n == 1 else f"{part} ({n} times)" for part, n in counts.items())


def result_of(source: str, results: Iterable[Result]) -> str | None:
    """Return the id of the result that a claim's source belongs to: itself, or the one with that step; None if none.

    Parameters
    ----------
    source : str
        As in `theory.claims.Claim`.
    results : iterable of Result
    """
    for result in results:
        if source in (result.id, result.source) or source in {step.id for step in result.steps}:
            return result.id
    return None


def _figure(outcome: FinishedFigure, folder: Path) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "title": outcome.title,
        "caption": outcome.caption,
        "section": outcome.section,
        "also": outcome.also,
        **{form: _embedded(folder / f"{picture_name(outcome.name, form)}.png") for form in style.WIDTHS},
        "claims": [_claim(entry) for entry in outcome.to_json()],
    }


def _claim(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "measured": interval_text(entry), "limit": bound_text(entry)}


def _place(figure: Mapping[str, Any], results: Sequence[Result]) -> str:
    places = {EXPERIMENTS, ERRATA, BOUNDS, *(result.id for result in results)}
    return str(figure["section"]) if figure["section"] in places else EXPERIMENTS


def _summary(verdicts: Mapping[str, Any]) -> dict[str, Any]:
    """Counts for the first screen."""
    steps = [step for step in verdicts["steps"] if step["form"] != "corrected"]
    printed = Counter(step["verdict"] for step in steps if step["form"] == "printed")
    ours = Counter(step["verdict"] for step in steps if step["form"] == "companion")
    mended = Counter(step["verdict"] for step in verdicts["steps"] if step["form"] == "corrected")
    asserted = [claim for claim in verdicts["claims"] if claim["source"] not in EMPIRICAL_SOURCES]
    theirs = [claim for claim in verdicts["claims"] if claim["source"] in EMPIRICAL_SOURCES]
    return {
        "printed": printed,
        "ours": ours,
        "corrected": mended,
        "asserted": Counter(claim["verdict"] for claim in asserted),
        "empirical": Counter(claim["verdict"] for claim in theirs),
    }


def _severities(errata: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    counts = Counter(entry["severity"] for entry in errata)
    return [(meaning, counts[name]) for name, meaning in SEVERITIES.items() if counts[name]]


def _empirical(claims: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The claims of the paper's experiments that were put to a test, by source."""
    return [
        {"source": source, "says": text, "claims": [_claim(c) for c in claims if c["source"] == source]}
        for source, text in EMPIRICAL.items()
    ]


def _chapters(
    results: Sequence[Result],
    verdicts: Mapping[str, Any],
    figures: Sequence[Mapping[str, Any]],
    places: Mapping[str, str],
    errata: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    sections = []
    for result in results:
        steps = _steps(result, verdicts["steps"])
        claims = [_claim(c) for c in verdicts["claims"] if result_of(c["source"], results) == result.id]
        named = {claim["figure"] for claim in claims}
        sections.append(
            {
                "result": result,
                "ours": all(step["form"] == "companion" for step in steps),
                "steps": steps,
                "counts": Counter(step["verdict"] for step in steps),
                "statements": [step for step in steps if step["id"] == result.id],
                "claims": claims,
                "figures": [f for f in figures if places[f["name"]] == result.id],
                "again": [f for f in figures if result.id in f["also"]],
                "others": [f for f in figures if f["name"] in named and places[f["name"]] != result.id],
                "errata": [entry for entry in errata if entry["result"] == result.id],
            }
        )
    return [
        {"id": "paper", "title": "The paper’s results", "sections": [s for s in sections if not s["ours"]]},
        {"id": "companion", "title": "Sharper results of this project", "sections": [s for s in sections if s["ours"]]},
    ]


def _steps(result: Result, verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps of a result, each with its verdict, its statement, and the relations that the machine decided."""
    found = {(v["id"], v["form"]): v for v in verdicts if v["result"] == result.id}
    steps = []
    for step in result.steps:
        relations = [shown for f in step.relations if len(shown := relation_mathml(f)) <= _LONGEST]
        entry = {"statement": step.statement, "why": step.why, "severity": step.severity, "relations": relations}
        steps.append({**found[step.id, step.form], **entry})
    return steps


_PAGES.filters |= {
    "typeset": typeset,
    "mathml": mathml,
    "condensed": condensed,
    "count_values": Counter,
}
