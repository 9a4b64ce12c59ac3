"""The JSON of verdicts, made here and nowhere else: `verdicts.json` of a run, `fig_<name>.json` of a figure.

Everything before this point works on the records of `theory.claims` and `figures.running.finished`. JSON has no
infinity: an open end of an interval, or an infinite bound, is null.
"""

import math
from collections.abc import Mapping
from typing import Any

from figures.running.finished import FinishedFigure, LeftOut, Run
from theory.claims import Claim, Decided

SCHEMA = 1
"""Number of the layout of both files; a reader that knows another must not guess."""


def verdicts_json(run: Run) -> dict[str, Any]:
    """Content of ``verdicts.json``."""
    return {
        "schema": SCHEMA,
        "profile": run.profile,
        "seed": run.seed,
        "ok": run.as_expected,
        "steps": [step_entry(step) for step in run.steps],
        "claims": [claim_entry(claim, figure.name) for figure in run.figures for claim in figure.claims],
        "left_out": [left_out_entry(left_out) for left_out in run.left_out],
    }


def figure_json(figure: FinishedFigure, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Content of ``fig_<name>.json``.

    Parameters
    ----------
    figure : FinishedFigure
    origin : mapping
        Name, profile, seed and settings, as saved with the figure's data.
    """
    return {"schema": SCHEMA, **origin, "claims": [claim_entry(claim, figure.name) for claim in figure.claims]}


def step_entry(decided: Decided) -> dict[str, Any]:
    """Entry of a decided step."""
    step, outcome = decided.step, decided.outcome
    return {
        "id": step.id,
        "result": decided.result.id,
        "form": step.form,
        "verdict": outcome.verdict,
        "evidence": outcome.evidence,
        "expected": decided.expected,
        "detail": outcome.detail,
        "witness": None if outcome.witness is None else dict(outcome.witness),
    }


def claim_entry(claim: Claim, figure: str) -> dict[str, Any]:
    """Entry of a claim of the named figure."""
    return {
        "id": claim.id,
        "source": claim.source,
        "figure": figure,
        "verdict": claim.verdict,
        "evidence": claim.evidence,
        "relation": claim.relation,
        "interval": [_finite(claim.interval.low), _finite(claim.interval.high)],
        "bound": _finite(claim.bound),
        "detail": claim.detail,
    }


def left_out_entry(left_out: LeftOut) -> dict[str, Any]:
    """Entry of a figure that was left out."""
    return {"figure": left_out.figure, "needs": list(left_out.needs)}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
