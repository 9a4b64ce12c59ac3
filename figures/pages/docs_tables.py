"""Tables and pages of the documentation that are made from its record of verdicts, as Markdown."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from figures.control.grid import N_DEMOS, TASKS
from figures.control.judgements import claim_id
from figures.pages.docs_record import ClaimSummary, Record, StepSummary
from figures.pages.report import BOUNDS, EMPIRICAL, ERRATA
from figures.running.registry import EXPERIMENTS, figure_entry, figure_module
from theory.claims import EMPIRICAL_SOURCES, Result
from theory.results import all_results

_INTRODUCTION = (
    "Made by `make docs` from finished runs. `python paper_repro.py --only NAME` makes one of the figures again; "
    "their numbers and intervals are in `out/report.html`."
)


# --- parts of pages ---------------------------------------------------------------------------------------------------


def with_parts(text: str, parts: Mapping[str, str], page: str) -> str:
    """Return a page with its generated parts replaced by new ones.

    Parameters
    ----------
    text : str
        With a pair of lines ``<!-- NAME: made by make docs -->`` and ``<!-- end NAME -->`` for each part.
    parts : mapping of str to str
        The text between these lines, by name of the part.
    page : str
        Name of the page, for the message.

    Raises
    ------
    ValueError
        If the lines of a part are not there exactly once.
    """
    for name, part in parts.items():
        begin, end = f"<!-- {name}: made by make docs -->\n", f"<!-- end {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"{page} must have the lines {begin.strip()!r} and {end!r} once each")
        before, _, rest = text.partition(begin)
        text = before + begin + part + end + rest.partition(end)[2]
    return text


def made_pages(root: Path, record: Record) -> dict[Path, str]:
    """Return the pages of a checkout that have generated parts, with these parts replaced by new ones, by path."""
    pages = {}
    for page, makers in PARTS.items():
        parts = {name: maker(record) for name, maker in makers.items()}
        pages[root / page] = with_parts((root / page).read_text(encoding="utf-8"), parts, page)
    return pages


# --- theory -----------------------------------------------------------------------------------------------------------


def summary(record: Record) -> str:
    """Return the README's paragraph that counts the verdicts on the steps, and those on the project's own claims."""
    own = [claim for claim in record.claims if claim.source not in EMPIRICAL_SOURCES]
    return f"In numbers: {_steps_sentence(record.steps, 'of')}\nOur own claims about computed data: {_tally(own)}.\n"


def _steps_sentence(steps: Sequence[StepSummary], first_word: str = "Of") -> str:
    printed, corrected, companion = (
        [s for s in steps if s.form == form] for form in ("printed", "corrected", "companion")
    )
    return (
        f"{first_word} the paper's {len(printed)} steps and statements, as printed: {_tally(printed)}. "
        f"Their corrections: {_tally(corrected)}. Our own {len(companion)} steps: {_tally(companion)}."
    )


def results_table(results: Sequence[Result], steps: Sequence[StepSummary]) -> str:
    """Return a summary, and the table of results with their verdicts."""
    lines = [_steps_sentence(steps), ""]
    lines += ["| result | where | as printed | corrected or ours | all its steps |", "|---|---|---|---|---|"]
    lines += [_result_row(result, [step for step in steps if step.result == result.id]) for result in results]
    return "\n".join(lines) + "\n"


def _result_row(result: Result, steps: Sequence[StepSummary]) -> str:
    """A row of the table: a step that has the result's own id is the statement itself."""
    statements = {step.form: step.verdict for step in steps if step.id == result.id}
    printed = statements.pop("printed", "")
    if printed == "refuted":
        severity = {step.id: step.severity for step in result.steps if step.form == "printed"}
        printed = f"refuted ({severity[result.id]})"
    if statements:
        other = next(iter(statements.values()))
    elif any(step.form == "printed" for step in steps):
        other = ""
    else:  # ours, and proved by its steps
        other = "proved" if all(step.verdict == "proved" for step in steps) else "see its steps"
    return f"| {result.title} | {result.source} | {printed} | {other} | {_tally(steps)} |"


def claims_table(record: Record) -> str:
    """Return how the claims about computed data came out, by source."""
    groups = [("this project's own", [c for c in record.claims if c.source not in EMPIRICAL_SOURCES])]
    groups += [(f"{name}: {text}", [c for c in record.claims if c.source == name]) for name, text in EMPIRICAL.items()]
    lines = ["| claims about computed data | how they came out |", "|---|---|"]
    lines += [f"| {name} | {_tally(claims) or 'not tested yet'} |" for name, claims in groups]
    return "\n".join(lines) + "\n"


def _tally(entries: Iterable[StepSummary | ClaimSummary]) -> str:
    counts = Counter(entry.verdict for entry in entries)
    return ", ".join(f"{n} {'hold' if name == 'holds' and n != 1 else name}" for name, n in sorted(counts.items()))


# --- control ----------------------------------------------------------------------------------------------------------

CONTROL = {
    "finetuned, PostBC - BC": "after: PostBC minus BC",
    "finetuned, PostBC - sigma-BC": "after: PostBC minus sigma-BC",
    "finetuned at equal pretrained success, PostBC - sigma-BC": "after, at equal success before",
    "pretrained at equal noise, PostBC - sigma-BC": "before, at equal noise",
    "finetuned at equal noise, PostBC - sigma-BC": "after, at equal noise",
}
"""Comparisons of `fig_tradeoff` that are shown, and the heads of their columns."""


def control_table(record: Record) -> str:
    """Return how PostBC compares with BC and sigma-BC before and after DSRL, task by task."""
    lines = [f"| task | {' | '.join(CONTROL.values())} |", "|---" * (1 + len(CONTROL)) + "|"]
    for task in TASKS:
        claims = [control_claim(record, task, comparison) for comparison in CONTROL]
        if any(claims):
            lines.append(f"| {task} | {' | '.join(map(_interval_cell, claims))} |")
    return "\n".join(lines) + "\n"


def control_claim(record: Record, task: str, comparison: str) -> ClaimSummary | None:
    """Return the claim of `fig_tradeoff` about a task and a comparison of `CONTROL`, or None if it has none."""
    wanted = claim_id(f"tradeoff {task} {N_DEMOS} DSRL {comparison}")
    return next((claim for claim in record.claims if claim.figure == "fig_tradeoff" and claim.id == wanted), None)


def _interval_cell(claim: ClaimSummary | None) -> str:
    if claim is None:
        return ""
    low = -math.inf if claim.interval[0] is None else claim.interval[0]
    high = math.inf if claim.interval[1] is None else claim.interval[1]
    verdict = "" if claim.verdict == "inconclusive" else f"**{claim.verdict}** "
    return f"{verdict}[{low:.2f}, {high:.2f}]"


# --- the gallery ------------------------------------------------------------------------------------------------------


def gallery(record: Record) -> str:
    """Return the page of all figures, in the order of the report."""
    order = [*(result.id for result in all_results()), BOUNDS, ERRATA, EXPERIMENTS]
    names = sorted(record.figures, key=lambda name: (order.index(figure_entry(name).section), name))
    lines = ["# All figures", "", _INTRODUCTION, ""]
    lines += [f"- [{figure_module(name).TITLE}](#{name})" for name in names]
    for name in names:
        lines += _gallery_entry(name, record)
    return "\n".join(lines) + "\n"


def _gallery_entry(name: str, record: Record) -> list[str]:
    module, profile = figure_module(name), record.figures[name].profile
    verdicts = _tally(claim for claim in record.claims if claim.figure == name) or "none"
    return [
        "", f'<a id="{name}"></a>', "", f"## {module.TITLE}", "", f"![{module.TITLE}]({name}.png)", "",
        module.CAPTION, "", f"`{name}`, {profile} settings. Claims: {verdicts}.",
    ]  # fmt: skip


# --- which page has which parts ---------------------------------------------------------------------------------------


PARTS: Mapping[str, Mapping[str, Callable[[Record], str]]] = {
    "README.md": {"summary": summary},
    "docs/findings_theory.md": {
        "results": lambda record: results_table(all_results(), record.steps),
        "claims": claims_table,
    },
    "docs/findings_control.md": {"control": control_table},
}
"""Generated parts of pages that are otherwise written by hand: what makes each, by page and name of the part."""
