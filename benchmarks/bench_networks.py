"""Training of ensembles and of a diffusion policy against JAX, PyTorch and the processor's own limit.

Everything runs on one core. The peers are an optional extra; comparisons with a peer that is not installed are left
out, and the title says so.
"""

import statistics
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from benchmarks import _peers
from benchmarks._measure import Row, processor_seconds
from continuous.diffusion import fit_denoiser
from continuous.networks import Network
from continuous.paths import DIFFUSION, LARGEST, SMALLEST
from continuous.training import Optimiser, Training

N_SEEN, N_DONE = 6, 4
"""Entries of an observation and of a chunk of actions: those of reach, with chunks of 2."""

HIDDEN = ((64, 64), (128, 128), (256, 256, 256))
ROUNDS = 11
STEPS = {(64, 64): 200, (128, 128): 80, (256, 256, 256): 20}
"""Steps of one measured training of 10 members; half of them for 100."""

Work = Callable[[], object]


def _rounds(works: dict[str, Work], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of each piece of work, in turn, after one call of each that compiles."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(processor_seconds(work))
    return times


def _row(what: str, ours: list[float], other: list[float], target: float) -> Row:
    ratios = sorted(b / a for a, b in zip(ours, other, strict=True))
    quarter = len(ratios) // 4
    middle = (1e3 * statistics.median(times) for times in (ours, other))
    return Row(what, *middle, statistics.median(ratios), ratios[quarter], ratios[-1 - quarter], target)


def _multiplications(sizes: tuple[int, ...], batch: int) -> int:
    """Floating-point operations in a step's products: forward, to the parameters, to all inputs but the first."""
    return sum(2 * batch * m * n * (2 if layer == 0 else 3) for layer, (m, n) in enumerate(pairwise(sizes)))


def _square_product() -> Callable[[], object]:
    a, b, out = (np.random.default_rng(k).random((1024, 1024), np.float32) for k in range(3))
    return lambda: np.matmul(a, b, out=out)


def _one_ensemble(n_members: int, hidden: tuple[int, ...], batch: int) -> list[Row]:
    sizes = (N_SEEN, *hidden, N_DONE)
    network, training = Network(sizes), Training(n_steps=1000, batch=batch)
    n_steps = STEPS[hidden] if n_members == 10 else STEPS[hidden] // 2
    rng, rates = np.random.default_rng(0), training.rates(0, n_steps)
    x, y = (rng.standard_normal((2000, width), np.float32) for width in (N_SEEN, N_DONE))
    starts = np.stack([network.initial(rng) for _ in range(n_members)])
    batches = rng.integers(len(x), size=(n_members, n_steps, batch))

    def ours() -> np.ndarray:
        members = []
        for start, rows in zip(starts, batches, strict=True):
            optimiser = Optimiser(network, training, start)
            optimiser.train(x, y, rows)
            members.append(optimiser.result)
        return np.stack(members)

    works: dict[str, Work] = {"ours": ours, "peak": _square_product()}
    peers: dict[str, Callable[..., object]] = {}
    if not _peers.missing("jax"):
        peers |= {how: _peers.jax_trainer(sizes, how) for how in ("vmap", "map")}
    if not _peers.missing("torch"):
        peers["torch"] = _peers.torch_trainer(sizes)
    works |= {name: lambda train=train: train(starts, x, y, batches, rates) for name, train in peers.items()}
    times = _rounds(works, ROUNDS if n_members == 10 else 7)

    what = f"{n_members} of {len(hidden)}x{hidden[0]}, batch {batch}"
    wide = hidden[0] >= 128
    rows = []
    if "map" in times:
        strongest = min(("vmap", "map"), key=lambda name: statistics.median(times[name]))
        rows.append(_row(f"{what}: JAX ({strongest})", times["ours"], times[strongest], 1.1 if wide else 1.0))
    if "torch" in times:
        rows.append(_row(f"{what}: PyTorch (bmm)", times["ours"], times["torch"], 1.3))
    work = n_members * n_steps * _multiplications(sizes, batch) / (2 * 1024**3)
    at_peak = [work * seconds for seconds in times["peak"]]
    rows.append(_row(f"{what}: all of it at sgemm's peak", times["ours"], at_peak, 0.7 if wide else 0.0))
    return rows


def ensembles_of(n_members: int) -> list[Row]:
    """Whole trainings from the same starts on the same batches; JAX is the stronger of vmap and map over members."""
    return [row for hidden in HIDDEN for batch in (128, 256) for row in _one_ensemble(n_members, hidden, batch)]


def diffusion_against_jax() -> list[Row]:
    """Whole trainings of a denoiser that draw rows, levels and noise at each step; JAX in one scan."""
    if _peers.missing("jax"):
        return []
    rows, rng = [], np.random.default_rng(0)
    seen, done = rng.standard_normal((400, N_SEEN)), rng.standard_normal((400, N_DONE))
    single = seen.astype(np.float32), done.astype(np.float32)
    for hidden, batch, n_steps in (((128,) * 3, 128, 500), ((128,) * 3, 256, 250), ((256,) * 3, 128, 150)):
        training, sizes = Training(n_steps=n_steps, batch=batch), (N_SEEN + N_DONE + 1, *hidden, N_DONE)
        peer = _peers.jax_diffusion_trainer(sizes, N_DONE, batch, SMALLEST, LARGEST)
        start, rates = Network(sizes).initial(rng), training.rates(0, n_steps)

        def ours(hidden: tuple[int, ...] = hidden, training: Training = training) -> object:
            draw = lambda rng, rows: done[rows]  # noqa: E731
            return fit_denoiser(DIFFUSION, seen, draw, N_DONE, hidden, training, np.random.default_rng(1))

        def other(peer=peer, start: np.ndarray = start, rates: np.ndarray = rates) -> object:
            return peer(start, *single, rates, 1)

        times = _rounds({"ours": ours, "jax": other})
        rows.append(_row(f"{len(hidden)}x{hidden[0]}, batch {batch}: JAX", times["ours"], times["jax"], 1.0))
    return rows


def _left_out() -> str:
    missing = [name for name in ("jax", "torch") if _peers.missing(name)]
    return f"  [without {' and '.join(missing)}, not installed: see docs/speed.md]" if missing else ""


BENCHMARKS = {
    f"training of {n} networks, ms of the processor{_left_out()}": partial(ensembles_of, n) for n in (10, 100)
} | {f"training of a diffusion policy, ms of the processor{_left_out()}": diffusion_against_jax}
