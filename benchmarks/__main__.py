"""`python -m benchmarks`: print every comparison with its target. On an otherwise idle machine."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from benchmarks import bench_coverage, bench_frontier, bench_tabular, bench_tasks  # noqa: E402  (threads before numpy)
from benchmarks._measure import table  # noqa: E402

BENCHMARKS = bench_tabular.BENCHMARKS | bench_frontier.BENCHMARKS | bench_coverage.BENCHMARKS | bench_tasks.BENCHMARKS
for title, run in BENCHMARKS.items():
    print(table(title, run()), end="\n\n", flush=True)
