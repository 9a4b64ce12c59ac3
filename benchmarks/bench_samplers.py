"""Drawing chunks from a policy by rational steps against Euler's: as many calls of the network, so as fast."""

import statistics
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks._measure import Row, processor_seconds
from continuous.cloning import ClonedPolicy
from continuous.demonstrations import Scale
from continuous.diffusion import Denoiser
from continuous.networks import Network
from continuous.paths import PATHS

FloatArray = NDArray[np.float64]

ROUNDS = 15
N_SEEN, N_DONE = 6, 4
"""Entries of an observation and of a chunk of actions: those of reach, with chunks of 2."""


def _policy(path: str, rng: np.random.Generator) -> ClonedPolicy:
    """Untrained policy of the standard size: its speed does not depend on its parameters."""
    network = Network((N_SEEN + N_DONE + 1, 128, 128, 128, N_DONE))
    return ClonedPolicy(
        denoiser=Denoiser(PATHS[path], network, network.initial(rng)),
        observation_scale=Scale(np.zeros(N_SEEN), np.ones(N_SEEN)),
        action_scale=Scale(np.zeros(N_DONE), np.ones(N_DONE)),
        action_dim=2,
        added=np.zeros(N_DONE),
    )


def _repeated(policy: ClonedPolicy, seen: FloatArray, latents: FloatArray, times: int) -> Callable[[], object]:
    return lambda: [policy.decode(seen, latents) for _ in range(times)]


def rational_against_euler() -> list[Row]:
    """Chunks for 20 and for 1000 observations, 8 calls of the network each; processor time of 400 or 20 such draws."""
    rng, rows = np.random.default_rng(0), []
    for path in ("diffusion", "flow"):
        euler = _policy(path, rng)
        for n, times in ((20, 400), (1000, 20)):
            seen, latents = rng.normal(size=(n, N_SEEN)), rng.normal(size=(n, N_DONE))
            works = [_repeated(replace(euler, solver=name), seen, latents, times) for name in ("rational", "euler")]
            pairs = [[processor_seconds(work) / times for work in works] for _ in range(ROUNDS + 1)][1:]
            ratios = sorted(other / ours for ours, other in pairs)
            middle = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
            quarter = ROUNDS // 4
            rows.append(
                Row(
                    f"{path}, {n} chunks",
                    *middle,
                    statistics.median(ratios),
                    ratios[quarter],
                    ratios[-1 - quarter],
                    0.9,
                )
            )
    return rows


BENCHMARKS = {"drawing chunks: rational steps against Euler's": rational_against_euler}
