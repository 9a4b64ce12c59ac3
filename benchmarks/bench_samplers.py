"""Drawing chunks from a policy by rational steps against Euler's: as many calls of the network, so as fast."""

from dataclasses import replace

import numpy as np

from benchmarks._measure import Row, compare
from continuous.cloning import ClonedPolicy
from continuous.demonstrations import Scale
from continuous.diffusion import Denoiser
from continuous.networks import Network
from continuous.paths import PATHS

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


def rational_against_euler() -> list[Row]:
    """Chunks for 20 and for 1000 observations, 8 calls of the network each."""
    rng, rows = np.random.default_rng(0), []
    for path in ("diffusion", "flow"):
        euler = _policy(path, rng)
        rational = replace(euler, solver="rational")
        for n in (20, 1000):
            seen, latents = rng.normal(size=(n, N_SEEN)), rng.normal(size=(n, N_DONE))
            rows.append(
                compare(
                    f"{path}, {n} chunks",
                    lambda policy=rational, seen=seen, latents=latents: policy.decode(seen, latents),
                    lambda policy=euler, seen=seen, latents=latents: policy.decode(seen, latents),
                    0.95,
                )
            )
    return rows


BENCHMARKS = {"drawing chunks: rational steps against Euler's": rational_against_euler}
