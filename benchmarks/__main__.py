"""`python -m benchmarks [NAME ...]`: print all comparisons of speed with their targets, or those of the named files.

Run it on an otherwise idle machine. Everything is held to one core, so that a peer's threads are no advantage.
"""

import argparse
import importlib
import os
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

from benchmarks._measure import table  # noqa: E402  (threads before numpy)

ALL = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
parser = argparse.ArgumentParser(
    prog="python -m benchmarks", description="Print comparisons of speed with their targets."
)
parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(ALL)}; default: all")
names = parser.parse_args().names or ALL
if unknown := sorted(set(names) - set(ALL)):
    parser.error(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(ALL)}")
for name in names:
    for title, run in importlib.import_module(f"benchmarks.bench_{name}").BENCHMARKS.items():
        print(table(title, run()), end="\n\n", flush=True)
