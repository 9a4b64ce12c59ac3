"""Certified coverage against convolution, one cell at a time, and the seconds that a curve takes."""

import time

import numpy as np

from benchmarks._measure import Row, compare
from tabular.gamma_star import gamma_star
from tabular.instances import garnet
from tabular.kernels import laws_of_counts
from tabular.one_cell import LOG_NEGLIGIBLE
from tabular.policies import paper_choice, uniform_noise
from theory.statistics.probability import multinomial_box_probability


def box_against_convolution() -> list[Row]:
    rows = []
    p = np.array([0.4, 0.3, 0.2, 0.1])
    for n in (100, 1000, 10_000):
        m = (n * p - 2 * np.sqrt(n * p)).astype(np.int64)
        rows.append(
            compare(
                f"P[Mult(n, p) >= m], 4 actions, n={n}",
                lambda n=n, m=m: laws_of_counts.box_probability(n, p, m, LOG_NEGLIGIBLE),
                lambda n=n, m=m: multinomial_box_probability(n, p, m),
                10.0,
                rounds=5,
            )
        )
    return rows


def curve_against_five_seconds() -> list[Row]:
    """Certified gamma_star (delta = 0.1) for 50 numbers of demonstrations up to 1e6, 50 states; processor time."""
    instance = garnet(50, 4, 4, 10, np.random.default_rng(0))
    rules = {"uniform noise": lambda _: uniform_noise(0.1), "PostBC": lambda T: paper_choice(4, 10, T)}

    def point(name: str, n_demos: int) -> None:
        gamma_star(instance.mdp, instance.demonstrator, n_demos, rules[name](n_demos), 0.1, tolerance=1e-4)

    rows = []
    for name in rules:
        point(name, 10)  # compiles
        begin = time.process_time()
        for T in np.geomspace(10, 1e6, 50).astype(int).tolist():
            point(name, T)
        took = time.process_time() - begin
        what = f"50 points, S=50, A=4, H=10, {name}"
        rows.append(Row(what, took, 5.0, 5 / took, 5 / took, 5 / took, 1.0, "s"))
    return rows


BENCHMARKS = {
    "box probabilities against convolution": box_against_convolution,
    "certified curve against 5 seconds": curve_against_five_seconds,
}
