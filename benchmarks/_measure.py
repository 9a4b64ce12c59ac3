"""Timing of two things in turn, so that a busy machine slows both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One comparison: how many times faster our code is, or the share of a limit that it reaches, beside its target."""

    what: str
    ours: float
    other: float
    ratio: float
    low: float
    high: float
    target: float
    unit: str = "ms"

    @property
    def met(self) -> bool:
        """Whether the median ratio reaches the target."""
        return self.ratio >= self.target


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Mean seconds of a call, over several calls in a row."""
    begin = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - begin) / repeats


def processor_seconds(work: Callable[[], object]) -> float:
    """Seconds that the processor spent on one call, in all threads: other programs on the machine do not count."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def compare(what: str, ours: Callable[[], object], other: Callable[[], object], target: float, rounds: int = 21) -> Row:
    """Time both in alternating batches of about 20 ms; median of the ratios other/ours, with the middle half."""
    batches = []
    for work in (ours, other):
        work()
        batches.append(max(1, min(2000, int(0.02 / max(seconds(work, 1), 1e-7)))))
    pairs = [(seconds(ours, batches[0]), seconds(other, batches[1])) for _ in range(rounds)]
    ratios = sorted(b / a for a, b in pairs)
    quarter = rounds // 4
    return Row(
        what,
        1e3 * statistics.median(a for a, _ in pairs),
        1e3 * statistics.median(b for _, b in pairs),
        statistics.median(ratios),
        ratios[quarter],
        ratios[-1 - quarter],
        target,
    )


def table(title: str, rows: list[Row]) -> str:
    """Rows as text."""
    head = f"{'':52s} {'ours':>9s} {'other':>9s} {'':5s} {'ratio (middle half)':>22s}  target"
    lines = [title, head]
    for row in rows:
        ratio = f"{row.ratio:.2f} ({row.low:.2f} to {row.high:.2f})"
        mark = "" if row.met else "  BELOW"
        lines.append(
            f"{row.what:52s} {row.ours:9.4g} {row.other:9.4g} {row.unit:5s} {ratio:>22s}  {row.target:g}{mark}"
        )
    return "\n".join(lines)
