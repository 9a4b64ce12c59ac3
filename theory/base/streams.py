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

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range.
    """
    return np.random.default_rng(substream(seed, k))


def substream(seed: np.random.SeedSequence, k: int) -> np.random.SeedSequence:
    """Seed of that stream, which has streams of its own; arguments and errors as `stream`."""
    validate.instance("seed", seed, np.random.SeedSequence)
    key = (*seed.spawn_key, validate.integer("k", k, at_least=0))
    return np.random.SeedSequence(seed.entropy, spawn_key=key, pool_size=seed.pool_size)
