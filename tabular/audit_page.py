"""An audit or a plan as text, and as one self-contained page with plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import numpy as np

from tabular.audit_records import (
    AuditReport,
    Estimate,
    HeldOutLikelihood,
    PlanReport,
    PlanTable,
    Recommendation,
    VisitShares,
)

_PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")
SHADES = ("#D55E00", "#E69F00", "#56B4E9", "#0072B2")
WIDTH, HEIGHT, LEFT, BOTTOM = 560, 220, 44, 30
_BLOCKS = 5
"""Most blocks of consecutive steps in the text."""


def page(report: AuditReport | PlanReport) -> str:
    """Page of an audit or of a plan.

    Parameters
    ----------
    report : AuditReport or PlanReport
    """
    curve = report.plan.curve
    plots = {"plan": curves(curve.more, curve.covered, 1.0 - report.plan.delta)}
    if isinstance(report, AuditReport):
        title, heading, text = "Audit of demonstrations", "What these demonstrations cover", audit_text(report)
        plots["visits"] = stacked_bars(report.visits.steps, report.visits.by_step)
        classes = list(zip(report.visits.classes, SHADES, strict=True))
        if report.zero is not None:
            plots["zero"] = stacked_bars(report.zero.steps, [[share] for share in report.zero.zero_by_step])
    else:
        title, heading, text = "Recording plan", "How many demonstrations an action needs", plan_text(report.plan)
        classes = []
    return _PAGES.get_template("audit.html.j2").render(
        title=title,
        heading=heading,
        sections=_sections(text),
        plots=plots,
        classes=classes,
        curve=curve,
        unit=report.plan.unit,
        legend=list(zip(curve.covered, COLOURS, strict=False)),
    )


def audit_text(report: AuditReport) -> str:
    """An audit in about forty lines, with at most five blocks of steps."""
    data = report.data
    stated = "stated" if data.actions_stated else "found in the data: too few if some were never recorded"
    kind = "steps pooled" if data.stationary else "a cell is a state at a step"
    lines = [
        "Data",
        f"  {data.episodes} episodes, {data.rows} rows, {data.horizon} steps, {data.states_found} states, "
        f"{data.cells} cells ({kind})",
        f"  up to {data.largest_number_of_actions} actions a state ({stated})",
        "",
        *_visit_lines(report.visits),
        "",
        *_zero_lines(report),
        "",
        *_likelihood_lines(report.likelihood, data.folds),
        "",
        *_advice_lines(report.recommendation),
        "",
        plan_text(report.plan),
    ]
    return "\n".join(lines)


def _visit_lines(visits: VisitShares) -> list[str]:
    """Shares of all rows, and of up to `_BLOCKS` blocks of consecutive steps."""
    lines = ["Share of the rows by number of visits to their cell"]
    lines.append(f"  {'visits':18s}" + "".join(f"{name:>7s}" for name in visits.classes))

    def add(name: str, shares: Sequence[float]) -> None:
        lines.append(f"  {name:18s}" + "".join(f"{100 * share:7.1f}" for share in shares) + "  %")

    add("all steps", visits.overall)
    steps, rows, by_step = visits.steps, np.array(visits.rows), np.array(visits.by_step)
    for block in np.array_split(np.arange(len(steps)), min(_BLOCKS, len(steps))):
        first, last = steps[block[0]], steps[block[-1]]
        name = f"step {first}" if first == last else f"steps {first} to {last}"
        add(name, (rows[block] @ by_step[block] / rows[block].sum()).tolist())
    return lines


def _zero_lines(report: AuditReport) -> list[str]:
    data, zero, missing = report.data, report.zero, report.good_turing
    lines = ["Where BC rules out what the demonstrator did"]
    if zero is None:
        lines.append("  no estimate: a single episode leaves nothing to hold out")
    else:
        lines += [
            f"  held-out rows that BC gives probability 0: {_percent(zero.zero)} ({data.folds} folds of episodes)",
            f"  held-out rows in a cell without data, where every policy is uniform: {_percent(zero.unseen)}",
        ]
    return [
        *lines,
        f"  Good-Turing estimates of the two: {100 * missing.actions:.2f} % and {100 * missing.cells:.2f} %",
    ]


def _likelihood_lines(entries: Sequence[HeldOutLikelihood], folds: int) -> list[str]:
    lines = [f"Mean held-out log-likelihood of a row ({folds} folds; 95 % intervals)"]
    for entry in entries:
        if entry.mean_of_possible is None or entry.impossible is None:
            shown = "no estimate"
        elif entry.mean is None or entry.interval is None:
            shown = (
                f"minus infinity: {100 * entry.impossible:.2f} % of the rows have probability 0; "
                f"mean of the others {entry.mean_of_possible:.3f}"
            )
        else:
            shown = f"{entry.mean:.3f} [{entry.interval[0]:.3f}, {entry.interval[1]:.3f}]"
        lines.append(f"  {entry.policy:41s} {shown}")
    return lines


def _advice_lines(advice: Recommendation | None) -> list[str]:
    if advice is None:
        return [
            "Recommended (alpha, lambda)",
            "  none: R1 and R3 treat each step separately and do not apply to pooled steps",
        ]
    lines = [
        f"Recommended: lambda = L'/2 = {advice.prior_mass:.3g}, and the largest alpha with a loss of at most "
        f"{advice.tolerated_loss:.3g}",
        f"  (rewards in [0, 1] a step; coverage gamma by R3, with probability {1 - advice.delta:g}; loss by R1)",
    ]
    for name, entry in (
        ("ESTIMATE, no guarantee (leave-one-out)", advice.estimate),
        (f"guaranteed with probability {1 - advice.delta:g}", advice.upper),
        ("guaranteed for any process of this size", advice.any_process),
    ):
        if entry.alpha is None:
            shown = f"none: the bound for BC alone is {entry.loss_of_bc:.3g}"
        else:
            shown = f"alpha {entry.alpha:.3g}, loss at most {entry.loss:.3g}, gamma {entry.gamma:.3g}"
        lines.append(f"  {name + ':':42s}{shown}")
    return lines


def plan_text(plan: PlanTable) -> str:
    """Table of a plan."""
    names = list(plan.rows[0].needed)
    lines = [
        f"Plan: how many more {plan.unit} until an action of probability p is covered with probability "
        f"{1 - plan.delta:g}",
        "  (exact; w is the occupancy of the action's cell and n its visits so far, none of them with the action)",
    ]
    if plan.level is not None:
        reason = "" if plan.alpha_tolerated else " (no alpha is known to keep the tolerated loss)"
        lines.append(
            f"  covered: at least {plan.level:g} p; 'above 0': any probability; "
            f"recommended: alpha = {plan.alpha_shown:.3g}{reason}"
        )
    kind = "level" if plan.rows[0].cell is None else "cell"
    lines.append(f"  {kind:>13s} {'w':>9s} {'n':>7s} {'p':>6s}  " + "  ".join(f"{name:>14s}" for name in names))
    for row in plan.rows:
        shown = ["never" if row.needed[name] is None else str(row.needed[name]) for name in names]
        numbers = "  ".join(f"{v:>{max(14, len(name))}s}" for v, name in zip(shown, names, strict=True))
        label = row.level if row.cell is None else row.cell
        lines.append(f"  {label!s:>13s} {row.occupancy:9.3g} {row.visits:7d} {row.probability:6.3g}  {numbers}")
    return "\n".join(lines)


def _percent(estimate: Estimate) -> str:
    low, high = estimate.interval
    return f"{100 * estimate.mean:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"


def _sections(text: str) -> list[tuple[str, str]]:
    """Heading and body of each paragraph."""
    return [(part.split("\n", 1)[0], part.split("\n", 1)[1]) for part in text.split("\n\n")]


def curves(x: Sequence[float], lines: Mapping[str, Sequence[float]], wanted: float) -> str:
    """SVG of curves with values in [0, 1] against `x`, and a dashed line at `wanted`."""
    last = max(1.0, float(x[-1]))

    def point(u: float, v: float) -> str:
        return f"{LEFT + (WIDTH - LEFT - 10) * u / last:.1f},{_height(v):.1f}"

    drawn = [
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
        + " ".join(point(u, v) for u, v in zip(x, ys, strict=True))
        + '"/>'
        for ys, colour in zip(lines.values(), COLOURS, strict=False)
    ]
    level = f'<path stroke="currentColor" stroke-dasharray="4 4" d="M{point(0, wanted)}L{point(last, wanted)}"/>'
    ticks = [(LEFT + (WIDTH - LEFT - 10) * i / 4, f"{last * i / 4:.0f}") for i in range(5)]
    return _frame([level, *drawn], ticks, 1.0)


def stacked_bars(labels: Sequence[int], shares: Sequence[Sequence[float]]) -> str:
    """SVG with one bar per label, with the shares on top of each other; the axis ends at the tallest bar."""
    top = max(max(sum(share) for share in shares), 1e-9)
    width = (WIDTH - LEFT - 10) / len(labels)
    drawn = []
    for i, share in enumerate(shares):
        below = 0.0
        for value, colour in zip(share, SHADES, strict=False):
            high, low = _height((below + value) / top), _height(below / top)
            drawn.append(
                f'<rect x="{LEFT + i * width:.1f}" width="{max(0.5, width * 0.9):.1f}" y="{high:.1f}" '
                f'height="{low - high:.1f}" fill="{colour}"/>'
            )
            below += value
    every = -(-len(labels) // 12)
    ticks = [(LEFT + (i + 0.45) * width, str(label)) for i, label in enumerate(labels) if i % every == 0]
    return _frame(drawn, ticks, top)


def _height(v: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 12) * v


def _frame(drawn: Sequence[str], ticks: Sequence[tuple[float, str]], top: float) -> str:
    marks = [f'<text x="{x:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{text}</text>' for x, text in ticks]
    for i in range(5):
        y = _height(i / 4)
        marks.append(f'<path class="grid" d="M{LEFT},{y:.1f}H{WIDTH - 10}"/>')
        marks.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{top * i / 4:.3g}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join([*marks, *drawn])}</svg>'
