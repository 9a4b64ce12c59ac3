"""Paths from noise to a chunk: diffusion and flow matching differ in their levels, their times and their target alone.

At a level (a, s) = (signal, noise) what is seen of a chunk x is y = a x + s z, z standard normal. A network F that sees
`scale` y and `clock` gives the clean chunk as `skip` y + `share` F; F is trained on the target that makes this right.

==============  ===================  ================================================  ============================
path            levels               scale, clock, skip, share                         target of F
==============  ===================  ================================================  ============================
diffusion       (1, sigma)           1/r, log(sigma)/4, 1/r^2, sigma/r                 (sigma x - z)/r
flow            (t, 1 - t)           1, t, 1, 1 - t                                    x - z, the velocity
==============  ===================  ================================================  ============================

r^2 = 1 + sigma^2. The first is the preconditioning of Karras et al. (2022) for chunks of deviation 1, the second that
of Lipman et al. (2023) with straight paths, whose Euler step is the deterministic step here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.base import validate

FloatArray = NDArray[np.float64]

SMALLEST, LARGEST = 0.03, 8.0
"""Noise over signal at the last level before 0, and at the first of a diffusion (of a flow it is infinite).

What is added to targets with a deviation below the smallest, in units of a chunk's deviation, is not reproduced.
"""


class Preconditioning(NamedTuple):
    """What is put around a network at a level; see the table above. Each entry is of the level's shape.

    Attributes
    ----------
    scale, clock, skip, share : ndarray
    """

    scale: FloatArray
    clock: FloatArray
    skip: FloatArray
    share: FloatArray


class Steps(NamedTuple):
    """Steps of a sampler, each (n_steps,): y becomes keep y + take (clean chunk at y) + deviation w, w standard normal.

    Attributes
    ----------
    signal, noise : ndarray
        Level that a step begins at.
    keep, take, deviation : ndarray
    """

    signal: FloatArray
    noise: FloatArray
    keep: FloatArray
    take: FloatArray
    deviation: FloatArray


@dataclass(frozen=True)
class Path:
    """A family of levels, and what is put around the network.

    Parameters
    ----------
    name : str
    grid : callable
        n_steps -> signal and noise of the levels of a sampler, (n_steps, 2), the noisiest first.
    draw : callable
        (rng, n) -> signal and noise of levels to train at, (n, 2).
    precondition : callable
        (signal, noise) -> Preconditioning.
    """

    name: str
    grid: Callable[[int], FloatArray]
    draw: Callable[[np.random.Generator, int], FloatArray]
    precondition: Callable[[FloatArray, FloatArray], Preconditioning]

    def steps(self, n_steps: int, *, fresh: bool = False, floor: float = 0.0) -> Steps:
        """Steps from the noisiest level to the clean chunk.

        Parameters
        ----------
        n_steps : int
            At least 1.
        fresh : bool, optional
            Draw what is at the lower level given the clean chunk and what is at the higher one (ancestral), in place of
            the Euler step of the probability flow, which draws nothing.
        floor : float, optional
            At least 0: smallest deviation of a fresh step, which the last one has.

        Raises
        ------
        TypeError, ValueError
            If a number is out of range.

        References
        ----------
        Song, Meng and Ermon, Denoising diffusion implicit models, ICLR 2021, equation 12 with eta 0 and 1.
        """
        floor = validate.real("floor", floor, at_least=0.0)
        above = self.grid(validate.integer("n_steps", n_steps, at_least=1))
        below = np.concatenate([above[1:], [[1.0, 0.0]]])
        (a, s), (a_below, s_below) = above.T, below.T
        ratio = a * s_below / (a_below * s)  # of noise over signal, below and above
        keep = s_below / s * (ratio if fresh else 1.0)
        deviation = np.maximum(floor, s_below * np.sqrt(1 - ratio**2)) if fresh else np.zeros(n_steps)
        return Steps(a, s, keep, a_below - keep * a, deviation)


def _diffusion_grid(n_steps: int) -> FloatArray:
    """Geometric in noise over signal; a single step begins at the largest."""
    sigma = np.geomspace(LARGEST, SMALLEST, n_steps) if n_steps > 1 else np.array([LARGEST])
    return np.column_stack([np.ones(n_steps), sigma])


def _diffusion_draw(rng: np.random.Generator, n: int) -> FloatArray:
    return np.column_stack([np.ones(n), np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), n))])


def _diffusion_precondition(signal: FloatArray, noise: FloatArray) -> Preconditioning:
    size = np.hypot(signal, noise)
    return Preconditioning(1 / size, np.log(noise) / 4, 1 / size**2, noise / size)


def _flow_grid(n_steps: int) -> FloatArray:
    """Even in the cube root of the noise, from noise alone to `SMALLEST` (Karras et al., equation 5, exponent 3)."""
    noise = np.linspace(1.0, (SMALLEST / (1 + SMALLEST)) ** (1 / 3), n_steps) ** 3
    return np.column_stack([1 - noise, noise])


def _flow_draw(rng: np.random.Generator, n: int) -> FloatArray:
    time = rng.random(n)
    return np.column_stack([time, 1 - time])


def _flow_precondition(signal: FloatArray, noise: FloatArray) -> Preconditioning:
    one = np.ones_like(noise)
    return Preconditioning(one, signal, one, noise)


DIFFUSION = Path("diffusion", _diffusion_grid, _diffusion_draw, _diffusion_precondition)
FLOW = Path("flow", _flow_grid, _flow_draw, _flow_precondition)
PATHS = {path.name: path for path in (DIFFUSION, FLOW)}
"""Both by name."""
