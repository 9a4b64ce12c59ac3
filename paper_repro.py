"""Check the paper's results and redraw every figure: `python paper_repro.py` (quick) or `--full`."""

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:  # at run time the project's packages are imported after `guard`
    from figures.running.finished import FinishedFigure, LeftOut, Profile, Run
    from figures.running.sweep import Sweep
    from theory.claims import Decided, Outcome

ROOT = Path(__file__).resolve().parent

WHOLE_RUN_FILES = ("verdicts.json", "errata.md", "report.html", "explorer.html", "provenance.json")

CELLS = "cells"
"""Folder of finished cells, in the output folder."""

STOPPED = "Stopped. Finished figures and cells are kept in the output folder; the same command goes on from there."

# One thread a worker, decided before numpy is imported: cells are the unit of parallel work.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the command line asks for.

    Parameters
    ----------
    list_names : bool
        Only list the names of all results and figures.
    profile : {"quick", "full"}
    results, figures : tuple of str
        Names of the results to decide and of the figures to make, in order.
    whole : bool
        Whether these are all there are, so that the verdicts, the report and the rest are written.
    from_data : bool
        Judge and draw the data of the output folder, and compute none.
    out : Path
    seed, jobs : int
    """

    list_names: bool
    profile: "Profile"
    results: tuple[str, ...]
    figures: tuple[str, ...]
    whole: bool
    from_data: bool
    out: Path
    seed: int
    jobs: int


def guard() -> None:
    """Refuse to run another distribution's packages of the same names."""
    sys.path.insert(0, str(ROOT))
    import continuous
    import figures
    import tabular
    import theory

    for package in (theory, tabular, continuous, figures):
        folder = Path(str(package.__file__)).resolve().parent
        if folder != ROOT / package.__name__:
            raise SystemExit(f"`{package.__name__}` was found in {folder}, not in {ROOT}; run from this checkout")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 if every verdict is as expected, 1 if some is not. A bad command line exits with 2, before any work; an error
        that stops the run exits with 3.
    """
    guard()
    from figures.running.registry import figure_module, figure_names
    from theory.results import all_results

    options = _parse(arguments, [r.id for r in all_results()], figure_names())
    if options.list_names:
        titles = {r.id: r.title for r in all_results()} | {n: figure_module(n).TITLE for n in figure_names()}
        _say("\n".join(f"{name:26s} {title}" for name, title in titles.items()))
        return 0
    _check_folder(options)
    if options.whole:  # a run that stops half way must not leave an older run's verdicts beside its own figures
        for stale in WHOLE_RUN_FILES:
            (options.out / stale).unlink(missing_ok=True)
    begin = time.monotonic()
    run = _run(options)
    if options.whole:
        _write_whole_run(run, options.out, time.monotonic() - begin)
    _print_unexpected(run, whole=options.whole)
    step_verdicts = _summary([step.outcome.verdict for step in run.steps])
    _say(f"steps: {step_verdicts}; claims: {_summary([claim.verdict for claim in run.claims])}")
    see = f"; see {options.out}{'/report.html' if options.whole else ''}" if run.figures or options.whole else ""
    _say(f"{'as expected' if run.as_expected else 'NOT as expected'}; {time.monotonic() - begin:.0f} s{see}")
    return 0 if run.as_expected else 1


def _run(options: RunOptions) -> "Run":
    """Decide the steps of the chosen results and make the chosen figures."""
    from figures.running.finished import Run
    from figures.running.sweep import Sweep
    from figures.running.workers import Workers

    with ExitStack() as stack:
        executor = stack.enter_context(Workers(options.jobs)) if options.jobs > 1 else None
        steps = _decide(executor, options.results, show_steps=not options.whole)
        sweep = Sweep(options.seed, executor, options.out / CELLS, progress=True)
        figures, left_out = _make_figures(options, sweep)
        sweep.finish()
    return Run(
        profile=options.profile,
        seed=options.seed,
        steps=tuple(steps),
        figures=tuple(figures),
        left_out=tuple(left_out),
    )


def _check_folder(options: RunOptions) -> None:
    """Refuse, before anything is touched, a folder that cannot be written or whose content does not fit."""
    from figures.running.pipeline import saved_problem, unfit_tables
    from theory.base.files import remove_partial_files

    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=options.out):
            pass
    except OSError as error:
        _refuse(f"argument --out: cannot be written: {error}")
    for folder in (options.out, options.out / CELLS):
        remove_partial_files(folder)
    if options.from_data:
        for name in options.figures:
            if problem := saved_problem(name, options.profile, options.seed, options.out):
                _refuse(f"argument --from-data: {problem}")
    for name in options.figures:
        if problem := unfit_tables(name, options.profile, options.out, from_data=options.from_data):
            _refuse(f"{name}: {problem}")
    verdicts = options.out / "verdicts.json"
    if not options.whole and options.figures and verdicts.exists():
        profile, seed = _profile_and_seed(verdicts)
        if (profile, seed) != (options.profile, options.seed):
            _refuse(
                f"argument --only: {options.out} holds a whole run of profile {profile} and seed {seed}; "
                "name another folder with --out"
            )


def _profile_and_seed(verdicts: Path) -> tuple[object, object]:
    """Profile and seed of a whole run; None for each in a file that is damaged."""
    try:
        content = json.loads(verdicts.read_text(encoding="utf-8"))
    except ValueError:
        return None, None
    return (content.get("profile"), content.get("seed")) if isinstance(content, dict) else (None, None)


def _refuse(message: str) -> NoReturn:
    print(f"paper_repro.py: error: {message}", file=sys.stderr)
    raise SystemExit(2)


def _decide(executor: Executor | None, names: Sequence[str], *, show_steps: bool) -> "list[Decided]":
    from tqdm import tqdm

    from theory.claims import decided_steps
    from theory.results import all_results

    steps: list[Decided] = []
    results = {result.id: result for result in all_results()}
    # Workers send outcomes only: a step holds the function that decides it, which cannot be sent between processes.
    outcomes = (map if executor is None else executor.map)(outcomes_of, names)
    bar = tqdm(outcomes, "results", len(names), disable=None, leave=False, unit="result")
    for name, of_result in zip(names, bar, strict=True):
        decided = decided_steps(results[name], of_result)
        steps.extend(decided)
        _say(f"{name}: " + _summary([step.outcome.verdict for step in decided]))
        if show_steps:
            _print_steps(decided)
    return steps


def outcomes_of(name: str) -> "list[Outcome]":
    """Outcomes of the steps of one result, in order; at the top level, so that a worker can import it."""
    from theory.results import all_results

    return [step.decide() for result in all_results() if result.id == name for step in result.steps]


def _make_figures(options: RunOptions, sweep: "Sweep") -> "tuple[list[FinishedFigure], list[LeftOut]]":
    from figures.running.data import VARIABLE
    from figures.running.finished import LeftOut
    from figures.running.pipeline import make, missing_files

    finished, left_out = [], []
    for name in options.figures:
        if missing := missing_files(name, options.out, from_data=options.from_data):
            left_out.append(LeftOut(figure=name, needs=tuple(missing)))
            _say(f"{name}: left out; not found in the folder that {VARIABLE} names: {', '.join(missing)}")
            continue
        finished.append(make(name, options.profile, sweep, options.out, from_data=options.from_data))
        _say(f"{name}: " + _summary([claim.verdict for claim in finished[-1].claims]))
    return finished, left_out


def _parse(arguments: Sequence[str] | None, results: Sequence[str], figures: Sequence[str]) -> RunOptions:
    parser = _parser()
    parsed = parser.parse_args(arguments)
    known = {*results, *figures}
    for name in parsed.only or ():
        if name not in known:
            parser.error(f"argument --only: no result or figure is named {name!r}; --list names them")
    chosen = known if parsed.only is None else set(parsed.only)
    return RunOptions(
        list_names=parsed.list,
        profile="full" if parsed.full else "quick",
        results=tuple(name for name in results if name in chosen),
        figures=tuple(name for name in figures if name in chosen),
        whole=parsed.only is None,
        from_data=parsed.from_data,
        out=parsed.out,
        seed=parsed.seed,
        jobs=parsed.jobs,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small settings, some minutes (the default)")
    size.add_argument("--full", action="store_true", help="the settings of the published figures")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="one result or figure (may be repeated); never rewrites verdicts.json")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="names of all results and figures")
    parser.add_argument("--jobs", type=_at_least_1, default=_cores(), metavar="N",
                        help="worker processes (default: all cores, here %(default)s)")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="output folder (default: out)")
    parser.add_argument("--seed", type=_at_least_0, default=0, metavar="N", help="seed of all chance (default: 0)")
    parser.add_argument("--from-data", action="store_true", help="judge and draw the data in the output folder again")
    return parser


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _at_least_1(text: str) -> int:
    return _whole_number(text, 1)


def _at_least_0(text: str) -> int:
    return _whole_number(text, 0)


def _whole_number(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number; got {text!r}") from None
    if value < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}; got {value}")
    return value


def _write_whole_run(run: "Run", out: Path, seconds: float) -> None:
    """Write the files of a whole run; last the provenance, which lists the others with their digests."""
    from figures.pages.explorer import write_explorer
    from figures.pages.report import write_report
    from figures.running.artifacts import save_json, save_text
    from figures.running.provenance import origin_of, provenance_json
    from figures.running.verdicts import verdicts_json
    from theory.errata import errata_markdown
    from theory.results import all_results

    save_json(out / "verdicts.json", verdicts_json(run))
    save_text(out / "errata.md", errata_markdown(run.steps))
    origin = origin_of(ROOT)
    write_report(out / "report.html", run, all_results(), out, origin)
    write_explorer(out / "explorer.html")
    save_json(out / "provenance.json", provenance_json(origin, out, seconds))


def _print_steps(steps: "Sequence[Decided]") -> None:
    for decided in steps:
        step, outcome = decided.step, decided.outcome
        _say(f"  {step.id} ({step.form}): {outcome.verdict}. {step.statement}")
        _say(f"      {outcome.evidence}: {outcome.detail}")
        if outcome.witness:
            _say("      " + ", ".join(f"{name} = {value}" for name, value in outcome.witness.items()))


def _print_unexpected(run: "Run", *, whole: bool) -> None:
    """Print what is not as expected; after a partial run also the empirical claims that do not hold."""
    for decided in run.steps:
        if not decided.expected:
            step, outcome = decided.step, decided.outcome
            _say(f"  step {step.id} ({step.form}): {outcome.verdict}. {outcome.detail}")
    for claim in run.claims:
        if claim.verdict != "holds" and not (whole and claim.as_expected):
            note = "" if not claim.as_expected else " (reported only)"
            _say(f"  claim {claim.id}: {claim.verdict}{note}. {claim.detail} "
                 f"[{claim.interval.low}, {claim.interval.high}] {claim.relation} {claim.bound}")  # fmt: skip


def _summary(verdicts: Sequence[str]) -> str:
    return ", ".join(f"{verdicts.count(v)} {v}" for v in sorted(set(verdicts))) or "none"


def _say(text: str) -> None:
    """Print; a terminal or pipe that is gone, or a full disk behind it, stops no run: the results are in files."""
    from tqdm import tqdm

    if sys.stdout is None:  # closed from the beginning
        return
    try:
        tqdm.write(text)  # above a progress bar, if there is one
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would fail again at the end, and change the exit code.
        with suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        with suppress(OSError):
            print(f"paper_repro.py: the output cannot be written ({error}); the run goes on", file=sys.stderr)


if __name__ == "__main__":
    try:
        guard()
        from figures.running.workers import stop_at_signals

        stop_at_signals(STOPPED)
        code = main()
    except ImportError as error:
        print(f"{error}. Run `make repro`, which installs what is needed, or see the README.", file=sys.stderr)
        code = 3
    except Exception:
        traceback.print_exc()
        code = 3
    raise SystemExit(code)
