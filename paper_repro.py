"""Check the paper's results and redraw every figure: `python paper_repro.py` (quick) or `--full`."""

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent

WHOLE_RUN_FILES = ("verdicts.json", "errata.md", "report.html", "explorer.html", "provenance.json")

# One thread a worker, decided before numpy is imported: cells are the unit of parallel work.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def guard() -> None:
    """Refuse to run another distribution's packages of the same names."""
    sys.path.insert(0, str(ROOT))
    import continuous
    import figures
    import tabular
    import theory

    for package in (theory, tabular, continuous, figures):
        found = Path(str(package.__file__)).resolve().parent
        if found != ROOT / package.__name__:
            raise SystemExit(f"`{package.__name__}` was found in {found}, not in {ROOT}; run from this checkout")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run.

    Returns
    -------
    int
        0 if every verdict is as expected, 1 if some is not. A bad command line exits with 2, before any work; an error
        that stops the run exits with 3.
    """
    guard()
    from figures.running.pipeline import figure_module, figure_names
    from figures.running.sweep import Sweep
    from theory.results import all_results

    options, chosen_results, chosen_figures = _parse(arguments, [r.id for r in all_results()], figure_names())
    if options.list:
        titles = {r.id: r.title for r in all_results()} | {n: figure_module(n).TITLE for n in figure_names()}
        print("\n".join(f"{name:26s} {title}" for name, title in titles.items()))
        return 0
    profile, whole = "full" if options.full else "quick", options.only is None
    _check_folder(options, profile, chosen_figures, whole)
    if whole:  # a run that stops half way must not leave an older run's verdicts beside its own figures
        for stale in WHOLE_RUN_FILES:
            (options.out / stale).unlink(missing_ok=True)
    begin = time.monotonic()
    with ExitStack() as stack:
        executor = stack.enter_context(_executor(options.jobs)) if options.jobs > 1 else None
        steps = _decide(executor, chosen_results, show_steps=not whole)
        sweep = Sweep(options.seed, executor, options.out / "cells", progress=True)
        outcomes, left_out = _make_figures(options, profile, chosen_figures, sweep)
        sweep.finish()
    claims = [claim for outcome in outcomes for claim in outcome.claims]
    ok = all(claim.as_expected for claim in claims) and all(step["expected"] for step in steps)
    if whole:
        _finish(options, profile, ok, steps, outcomes, left_out, time.monotonic() - begin)
    _print_unexpected(steps, [entry for outcome in outcomes for entry in outcome.to_json()], claims, whole=whole)
    _say(f"steps: {_summary([s['verdict'] for s in steps])}; claims: {_summary([c.verdict for c in claims])}")
    seen = f"; see {options.out}{'/report.html' if whole else ''}" if outcomes or whole else ""
    _say(f"{'as expected' if ok else 'NOT as expected'}; {time.monotonic() - begin:.0f} s{seen}")
    return 0 if ok else 1


def _check_folder(options: argparse.Namespace, profile: str, figures: Sequence[str], whole: bool) -> None:
    """Refuse, before anything is touched, a folder that cannot be written or whose content does not fit."""
    from figures.running.pipeline import saved_problem

    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=options.out):
            pass
    except OSError as error:
        _refuse(f"argument --out: cannot be written: {error}")
    if options.from_data:
        for name in figures:
            if problem := saved_problem(name, profile, options.seed, options.out):
                _refuse(f"argument --from-data: {problem}")
    verdicts = options.out / "verdicts.json"
    if not whole and figures and verdicts.exists():
        held = _json(verdicts)
        if (held.get("profile"), held.get("seed")) != (profile, options.seed):
            _refuse(
                f"argument --only: {options.out} holds a whole run of profile {held.get('profile')} and seed "
                f"{held.get('seed')}; name another folder with --out"
            )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _refuse(message: str) -> NoReturn:
    print(f"paper_repro.py: error: {message}", file=sys.stderr)
    raise SystemExit(2)


def _decide(executor: Executor | None, names: Sequence[str], *, show_steps: bool) -> list[dict[str, Any]]:
    from tqdm import tqdm

    from theory.results import all_results

    steps: list[dict[str, Any]] = []
    results = {result.id: result for result in all_results()}
    spread = map if executor is None else executor.map
    for entries in tqdm(spread(decide_result, names), "results", len(names), disable=None, leave=False, unit="result"):
        steps.extend(entries)
        _say(f"{entries[0]['result']}: " + _summary([entry["verdict"] for entry in entries]))
        if show_steps:
            _print_steps(entries, results[entries[0]["result"]])
    return steps


def _make_figures(
    options: argparse.Namespace, profile: str, names: Sequence[str], sweep: Any
) -> tuple[list[Any], list[dict[str, Any]]]:
    from figures.running.data import VARIABLE
    from figures.running.pipeline import lacking, make

    outcomes, left_out = [], []
    for name in names:
        if needs := lacking(name, options.out, from_data=options.from_data):
            left_out.append({"figure": name, "needs": needs})
            _say(f"{name}: left out; not found in the folder that {VARIABLE} names: {', '.join(needs)}")
            continue
        outcomes.append(make(name, profile, sweep, options.out, from_data=options.from_data))
        _say(f"{name}: " + _summary([claim.verdict for claim in outcomes[-1].claims]))
    return outcomes, left_out


def decide_result(name: str) -> list[dict[str, Any]]:
    """Verdicts of the steps of one result; at the top level, so that a worker finds it."""
    from theory.claims import decide
    from theory.results import all_results

    return decide(result for result in all_results() if result.id == name)


def _parse(
    arguments: Sequence[str] | None, results: Sequence[str], figures: Sequence[str]
) -> tuple[argparse.Namespace, list[str], list[str]]:
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
    options = parser.parse_args(arguments)
    known = {*results, *figures}
    for name in options.only or ():
        if name not in known:
            parser.error(f"argument --only: no result or figure is named {name!r}; --list names them")
    chosen = known if options.only is None else set(options.only)
    return options, [name for name in results if name in chosen], [name for name in figures if name in chosen]


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


def _executor(jobs: int) -> Executor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def _finish(
    options: argparse.Namespace,
    profile: str,
    ok: bool,
    steps: list[dict[str, Any]],
    outcomes: list[Any],
    left_out: list[dict[str, Any]],
    seconds: float,
) -> None:
    from figures.pages.explorer import write_explorer
    from figures.pages.report import write_report
    from figures.running.artifacts import save_json, save_text
    from figures.running.provenance import origin, provenance
    from theory.errata import errata_markdown
    from theory.results import all_results

    claims = [entry for outcome in outcomes for entry in outcome.to_json()]
    verdicts = {
        "schema": 1,
        "profile": profile,
        "seed": options.seed,
        "ok": ok,
        "steps": steps,
        "claims": claims,
        "left_out": left_out,
    }
    save_json(options.out / "verdicts.json", verdicts)
    save_text(options.out / "errata.md", errata_markdown(all_results(), steps))
    source = origin(ROOT)
    write_report(options.out / "report.html", verdicts, all_results(), outcomes, options.out, source)
    write_explorer(options.out / "explorer.html")
    save_json(options.out / "provenance.json", provenance(source, options.out, seconds))


def _print_steps(entries: list[dict[str, Any]], result: Any) -> None:
    for entry, step in zip(entries, result.steps, strict=True):
        _say(f"  {entry['id']} ({entry['form']}): {entry['verdict']}. {step.statement}")
        _say(f"      {entry['evidence']}: {entry['detail']}")
        if entry["witness"]:
            _say("      " + ", ".join(f"{name} = {value}" for name, value in entry["witness"].items()))


def _print_unexpected(
    steps: list[dict[str, Any]], entries: list[dict[str, Any]], claims: list[Any], *, whole: bool
) -> None:
    """Say what did not come out; what is reported only, of which the report tells, not after a whole run."""
    for step in steps:
        if not step["expected"]:
            _say(f"  step {step['id']} ({step['form']}): {step['verdict']}. {step['detail']}")
    for entry, claim in zip(entries, claims, strict=True):
        if claim.verdict != "holds" and not (whole and claim.as_expected):
            note = "" if not claim.as_expected else " (reported only)"
            _say(f"  claim {entry['id']}: {entry['verdict']}{note}. {entry['detail']} "
                 f"{entry['interval']} {entry['relation']} {entry['bound']}")  # fmt: skip


def _summary(verdicts: Sequence[str]) -> str:
    return ", ".join(f"{verdicts.count(v)} {v}" for v in sorted(set(verdicts))) or "none"


def _say(text: str) -> None:
    from tqdm import tqdm

    tqdm.write(text)  # above a progress bar, if there is one
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        code = main()
    except ImportError as error:
        print(f"{error}. Run `make repro`, which installs what is needed, or see the README.", file=sys.stderr)
        code = 3
    except Exception:
        traceback.print_exc()
        code = 3
    raise SystemExit(code)
