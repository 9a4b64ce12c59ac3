"""`python -m benchmarks`: print every comparison with its target. On an otherwise idle machine."""

import os
from collections.abc import Callable

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from benchmarks import (  # noqa: E402  (threads before numpy)
    bench_audit,
    bench_coverage,
    bench_finetune,
    bench_frontier,
    bench_rl,
    bench_tabular,
    bench_tasks,
)
from benchmarks._measure import Row, table  # noqa: E402

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {}
for module in (bench_tabular, bench_frontier, bench_coverage, bench_audit, bench_tasks, bench_rl, bench_finetune):
    BENCHMARKS |= module.BENCHMARKS
for title, run in BENCHMARKS.items():
    print(table(title, run()), end="\n\n", flush=True)
