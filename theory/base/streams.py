"""Independent streams of random numbers from one seed."""

import numpy as np

from theory.base import validate


def stream(seed: np.random.SeedSequence, k: int) -> np.random.Generator:
    """Generator of stream k of a seed; unlike `spawn`, this leaves the seed as it was, so k alone decides.

    Parameters
    ----------
    seed : numpy.random.SeedSequence
    k : int
        At least 0.
    """
    return np.random.default_rng(substream(seed, k))


def substream(seed: np.random.SeedSequence, k: int) -> np.random.SeedSequence:
    """Seed of stream k; it has streams in turn. Arguments as in `stream`."""
    validate.instance("seed", seed, np.random.SeedSequence)
    key = (*seed.spawn_key, validate.integer("k", k, at_least=0))
    return np.random.SeedSequence(seed.entropy, spawn_key=key, pool_size=seed.pool_size)
