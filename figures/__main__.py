"""Commands that take longer than a run of `paper_repro.py`, or use its output.

`python -m figures grid` computes the full grid of finetuning in continuous control, in parts, and writes `results/`;
`python -m figures docs [DIR ...]` writes the documentation's generated parts, or with `--check DIR` compares them.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# One thread per worker, decided before numpy is imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0, or 1 where the documentation does not agree with a run, and 2 for a bad command line."""
    from figures.control import grid
    from figures.pages import docs, docs_record
    from figures.running.recorded import TableError

    parser = argparse.ArgumentParser(prog="python -m figures", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("docs", help="write tables, docs/gallery.md and the pictures")
    writing.add_argument("folders", nargs="*", type=Path, default=[Path("out")], metavar="DIR",
                      help="output folders, the preferred first; one must hold a whole run (default: out)")  # fmt: skip
    writing.add_argument("--check", action="store_true", help="write nothing; compare with the whole run")
    parts = commands.add_parser("grid", help="compute the full grid of finetuning, or resume it")
    parts.add_argument("--only", nargs="+", choices=list(grid.PARTS), default=list(grid.PARTS), metavar="PART",
                       help=f"parts to compute, in this order: {', '.join(grid.PARTS)}")  # fmt: skip
    parts.add_argument("--into", type=Path, default=ROOT / "results", metavar="DIR", help="folder of the tables")
    parts.add_argument("--cache", type=Path, default=Path("out/cells"), metavar="DIR", help="folder of finished cells")
    parts.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="worker processes (default: one per core)")
    parts.add_argument("--seed", type=int, default=0)
    parts.add_argument("--collect", action="store_true", help="write tables of what is finished, and compute nothing")
    options = parser.parse_args(arguments)
    if options.command == "grid":
        if options.jobs < 1:
            parser.error(f"--jobs must be at least 1; got {options.jobs}")
        try:
            return _run_grid(options)
        except (FileNotFoundError, TableError) as error:
            parser.error(str(error))
    try:
        whole = docs_record.whole_run(options.folders)
    except FileNotFoundError as error:
        parser.error(str(error))
    if not options.check:
        print("\n".join(docs.write_docs(ROOT, options.folders)) or "README.md and docs/ are updated")
        return 0
    record = docs_record.read_record(ROOT / "docs" / docs_record.VERDICTS)
    differing = docs_record.differences(record, docs_record.read_run(whole))
    sentences = [*differing, "run `make docs`"] if differing else ["the documentation agrees with the run"]
    print("\n".join(sentences), file=sys.stderr)
    return 1 if differing else 0


def _run_grid(options: argparse.Namespace) -> int:
    from figures.control import grid_runs
    from figures.running.sweep import Sweep
    from figures.running.workers import Workers
    from theory.base.files import remove_partial_files

    for folder in (options.into, options.cache):
        remove_partial_files(folder)
    if not options.collect:
        with Workers(options.jobs) as executor:
            grid_runs.run(options.only, Sweep(options.seed, executor, options.cache, progress=True), options.into)
    for part in options.only:
        done, in_all = grid_runs.collect(part, Sweep(options.seed, None, options.cache), options.into)
        where = f" are in {options.into / part}.csv" if done else "; nothing is written"
        print(f"{part}: {done} of {in_all} blocks{where}")
    return 0


if __name__ == "__main__":
    from figures.running.workers import stop_at_signals

    stop_at_signals("Stopped. Finished cells are kept in the cache; the same command goes on from there.")
    raise SystemExit(main())
