"""The report: every verdict and every figure of a run, in one page that needs no network.

The page has one section for each result (statement, meaning, verdict, claims, figures, steps, errata), then the figures
of all bounds, the errata, the experiments, and where the results come from. A figure is in the section that its
`SECTION` names, and is shown again with the results of its `ALSO`; a claim is with the result that its source names.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from figures.pages.mathematics import mathml, relation_mathml, typeset
from figures.pages.pictures import EmbeddedPicture, embedded_picture
from figures.running.artifacts import page_templates, save_text
from figures.running.finished import FinishedFigure, Run
from figures.running.pipeline import picture_name
from figures.running.provenance import Origin
from figures.running.registry import EXPERIMENTS
from theory.claims import Claim, Decided, Result, StepVerdict
from theory.errata import SEVERITIES, Erratum, errata

ERRATA, BOUNDS = "errata", "bounds"
"""Sections for figures that are about no single result; with `EXPERIMENTS` and the results' ids, all that `SECTION` may
name."""

EMPIRICAL = {
    "E1": "before finetuning, PostBC succeeds about as often as BC",
    "E2": "finetuning from PostBC succeeds more often, or with fewer rollouts, than from BC or sigma-BC",
    "E3": "the gain shrinks as the number of demonstrations grows",
    "E4": "the ensemble's posterior is wide where demonstrations are few",
    "E0": "further experiments, none of them a claim of the paper",
}
"""The claims of the paper's experiments, E1 to E4, in our words, and E0 for all else that experiments show."""

_FOLDER = Path(__file__).parent / "templates" / "report"
_PAGES = page_templates(_FOLDER)
_LONGEST_RELATION = 4000
"""Characters of MathML above which a relation is not shown; the sentence that states it is."""


@dataclass(frozen=True, kw_only=True)
class ShownClaim:
    """A claim of a figure, with its numbers as text."""

    claim: Claim
    figure: str

    @property
    def quantity(self) -> str:
        """The value where it is exact, else the interval."""
        return interval_text(self.claim)

    @property
    def bound(self) -> str:
        """The relation and the bound."""
        return bound_text(self.claim)


@dataclass(frozen=True, kw_only=True)
class ShownFigure:
    """A figure with its pictures; `section` is where it is shown."""

    figure: FinishedFigure
    section: str
    page: EmbeddedPicture
    column: EmbeddedPicture
    claims: tuple[ShownClaim, ...]


@dataclass(frozen=True, kw_only=True)
class ShownStep:
    """A decided step with the relations that decide it, as formulas."""

    decided: Decided
    relations: tuple[Markup, ...]


@dataclass(frozen=True, kw_only=True)
class ResultSection:
    """All that the page shows of one result."""

    result: Result
    steps: tuple[ShownStep, ...]
    claims: tuple[ShownClaim, ...]
    figures: tuple[ShownFigure, ...]
    """Figures of this section."""
    also: tuple[ShownFigure, ...]
    """Figures of other sections that are shown here again."""
    see_also: tuple[ShownFigure, ...]
    """Figures of other sections with a claim about this result."""
    errata: tuple[Erratum, ...]

    @property
    def companion(self) -> bool:
        """Whether this is a result of this project, and not of the paper."""
        return all(step.decided.step.form == "companion" for step in self.steps)

    @property
    def statements(self) -> list[Decided]:
        """The steps that are the result's statement itself, in its forms."""
        return [step.decided for step in self.steps if step.decided.step.id == self.result.id]

    @property
    def verdicts(self) -> Counter[str]:
        """Number of steps by verdict."""
        return Counter(step.decided.outcome.verdict for step in self.steps)

    @property
    def claim_verdicts(self) -> Counter[str]:
        """Number of claims by verdict."""
        return Counter(shown.claim.verdict for shown in self.claims)


@dataclass(frozen=True)
class Summary:
    """The counts of the first screen, each by verdict."""

    run: Run

    @property
    def printed(self) -> Counter[StepVerdict]:
        """Steps of the paper as printed."""
        return self._steps("printed")

    @property
    def corrected(self) -> Counter[StepVerdict]:
        """Corrected forms of steps of the paper."""
        return self._steps("corrected")

    @property
    def companion(self) -> Counter[StepVerdict]:
        """Steps of this project's results."""
        return self._steps("companion")

    @property
    def asserted(self) -> Counter[str]:
        """Claims that must hold."""
        return Counter(claim.verdict for claim in self.run.claims if not claim.empirical)

    @property
    def empirical(self) -> Counter[str]:
        """Claims that may have any verdict."""
        return Counter(claim.verdict for claim in self.run.claims if claim.empirical)

    def _steps(self, form: str) -> Counter[StepVerdict]:
        return Counter(d.outcome.verdict for d in self.run.steps if d.step.form == form)


def write_report(path: Path, run: Run, results: Sequence[Result], folder: Path, origin: Origin) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    run : Run
    results : sequence of Result
        The results whose steps the run decided, in the order of the page.
    folder : Path
        Where the PNG of each figure is, in both forms.
    origin : Origin
    """
    shown = [_shown_figure(figure, results, folder) for figure in run.figures]
    entries = errata(run.steps)
    sections = [_result_section(result, results, run, shown, entries) for result in results]
    page = _PAGES.get_template("report.html.j2").render(
        style=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),
        run=run,
        origin=origin,
        summary=Summary(run),
        chapters=[
            ("paper", "The paper’s results", [s for s in sections if not s.companion]),
            ("companion", "Sharper results of this project", [s for s in sections if s.companion]),
        ],
        figures={part: [f for f in shown if f.section == part] for part in (EXPERIMENTS, ERRATA, BOUNDS)},
        errata=entries,
        severities=_severities(entries),
        empirical=[
            (source, text, [c for c in _shown_claims(run.figures) if c.claim.source == source])
            for source, text in EMPIRICAL.items()
        ],
    )
    save_text(path, page)


def interval_text(claim: Claim) -> str:
    """Show the quantity of a claim: a number where it is exact, else an interval."""
    low, high = claim.interval.low, claim.interval.high
    if low == high and math.isfinite(low):
        return _number(low)
    return f"[{_number(low)}, {_number(high)}]"


def bound_text(claim: Claim) -> str:
    """Show the relation and the bound of a claim, for instance ``≥ 0.5``."""
    return f"{'≤' if claim.relation == '<=' else '≥'} {_number(claim.bound)}"


def _number(value: float) -> str:
    return f"{value:.4g}".replace("inf", "∞").replace("-", "−")


def condensed(detail: str) -> str:
    """Shorten how a step was decided: a part that is repeated is shown once, with its number.

    Parameters
    ----------
    detail : str
        Parts with semicolons between them.
    """
    counts = Counter(detail.split("; "))
    return "; ".join(part if n == 1 else f"{part} ({n} times)" for part, n in counts.items())


def result_of(source: str, results: Iterable[Result]) -> str | None:
    """Find the result that a claim's source belongs to: the result itself, or the one with that step; None if none.

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


def _shown_figure(figure: FinishedFigure, results: Sequence[Result], folder: Path) -> ShownFigure:
    sections = {EXPERIMENTS, ERRATA, BOUNDS, *(result.id for result in results)}
    return ShownFigure(
        figure=figure,
        section=figure.section if figure.section in sections else EXPERIMENTS,
        page=embedded_picture(folder / f"{picture_name(figure.name, 'page')}.png"),
        column=embedded_picture(folder / f"{picture_name(figure.name, 'column')}.png"),
        claims=_shown_claims([figure]),
    )


def _shown_claims(figures: Iterable[FinishedFigure]) -> tuple[ShownClaim, ...]:
    return tuple(ShownClaim(claim=claim, figure=figure.name) for figure in figures for claim in figure.claims)


def _severities(entries: Sequence[Erratum]) -> list[tuple[str, int]]:
    counts = Counter(entry.severity for entry in entries)
    return [(meaning, counts[severity]) for severity, meaning in SEVERITIES.items() if counts[severity]]


def _result_section(
    result: Result, results: Sequence[Result], run: Run, figures: Sequence[ShownFigure], entries: Sequence[Erratum]
) -> ResultSection:
    claims = tuple(c for c in _shown_claims(run.figures) if result_of(c.claim.source, results) == result.id)
    with_claims = {shown.figure for shown in claims}
    return ResultSection(
        result=result,
        steps=tuple(_shown_step(d) for d in run.steps if d.result.id == result.id),
        claims=claims,
        figures=tuple(f for f in figures if f.section == result.id),
        also=tuple(f for f in figures if result.id in f.figure.also),
        see_also=tuple(f for f in figures if f.figure.name in with_claims and f.section != result.id),
        errata=tuple(entry for entry in entries if entry.printed.result.id == result.id),
    )


def _shown_step(decided: Decided) -> ShownStep:
    relations = (relation_mathml(formula) for formula in decided.step.relations)
    return ShownStep(decided=decided, relations=tuple(r for r in relations if len(r) <= _LONGEST_RELATION))


_PAGES.filters |= {"typeset": typeset, "mathml": mathml, "condensed": condensed}
