"""Paths from noise to a chunk: diffusion and flow matching differ only in their levels, times and targets.

At a level (a, s) = (signal, noise) a chunk x is observed as y = a x + s z, z standard normal. A network F, whose inputs
are `scale` y and `clock`, gives the clean chunk as `skip` y + `share` F; it is trained on the target that makes this x:

==============  ===================  ================================================  ============================
path            levels (a, s)        scale, clock, skip, share                         target of F
==============  ===================  ================================================  ============================
diffusion       (1, sigma)           1/r, log(sigma)/4, 1/r^2, sigma/r                 (sigma x - z)/r
flow            (t, 1 - t)           1, t, 1, 1 - t                                    x - z, the velocity
==============  ===================  ================================================  ============================

Here r^2 = 1 + sigma^2. From a level (a, s) to the next one, (a', s') with less noise, a sampler goes by

    y' = keep y + take x + deviation w,    take = a' - keep a,    w standard normal,

where x is the clean chunk at y. With rho = a s' / (a' s), the ratio of the two noise-to-signal ratios:

==============  ===================  ======================================
step            keep                 deviation
==============  ===================  ======================================
deterministic   s'/s                 0
ancestral       (s'/s) rho           max(floor, s' sqrt(1 - rho^2))
==============  ===================  ======================================

References
----------
Karras, Aittala, Aila and Laine, Elucidating the design space of diffusion-based generative models, NeurIPS 2022: the
preconditioning of the diffusion, for chunks of deviation 1.
Lipman, Chen, Ben-Hamu, Nickel and Le, Flow matching for generative modeling, ICLR 2023: the flow with straight paths,
whose Euler step is the deterministic step here.
Song, Meng and Ermon, Denoising diffusion implicit models, ICLR 2021, equation 12 with eta 0 and 1: the two steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.base import validate

FloatArray = NDArray[np.float64]

SMALLEST, LARGEST = 0.03, 8.0
"""Noise over signal at the last level before 0, and at the first level of a diffusion (of a flow it is infinite).

Noise on the targets is not reproduced if its deviation, in units of a chunk's, is below the smallest.
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Preconditioning:
    """What surrounds the network at a level (see the table above); each entry has the level's shape.

    Attributes
    ----------
    scale, clock : ndarray
        Factor of the noisy chunk, and the time, as inputs of the network.
    skip, share : ndarray
        Factors of the noisy chunk and of the network in the clean chunk.
    """

    scale: FloatArray
    clock: FloatArray
    skip: FloatArray
    share: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Steps:
    """Steps of a sampler: y becomes keep y + take (clean chunk at y) + deviation w, w standard normal.

    Attributes
    ----------
    signal, noise : ndarray, (n_steps,)
        Level at which each step begins.
    keep, take, deviation : ndarray, (n_steps,)
        Coefficients of the steps.
    """

    signal: FloatArray
    noise: FloatArray
    keep: FloatArray
    take: FloatArray
    deviation: FloatArray


@dataclass(frozen=True, kw_only=True)
class Path:
    """A family of levels, and what surrounds the network.

    Parameters
    ----------
    name : str
    grid : callable
        n_steps -> signal and noise of a sampler's levels, (n_steps, 2), the noisiest first.
    draw : callable
        (rng, n) -> signal and noise of n random levels to train at, (n, 2).
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
            Ancestral steps, which draw fresh noise, instead of deterministic Euler steps of the probability flow.
        floor : float, optional
            Smallest deviation of an ancestral step, at least 0; the last step has exactly this one.
        """
        floor = validate.real("floor", floor, at_least=0.0)
        above = self.grid(validate.integer("n_steps", n_steps, at_least=1))
        below = np.concatenate([above[1:], [[1.0, 0.0]]])
        (a, s), (a_below, s_below) = above.T, below.T
        ratio = a * s_below / (a_below * s)  # of noise over signal, below and above
        keep = s_below / s * (ratio if fresh else 1.0)
        deviation = np.maximum(floor, s_below * np.sqrt(1 - ratio**2)) if fresh else np.zeros(n_steps)
        return Steps(signal=a, noise=s, keep=keep, take=a_below - keep * a, deviation=deviation)


def _diffusion_grid(n_steps: int) -> FloatArray:
    """Levels geometric in noise over signal; a single step begins at the largest."""
    sigma = np.geomspace(LARGEST, SMALLEST, n_steps) if n_steps > 1 else np.array([LARGEST])
    return np.column_stack([np.ones(n_steps), sigma])


def _diffusion_draw(rng: np.random.Generator, n: int) -> FloatArray:
    return np.column_stack([np.ones(n), np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), n))])


def _diffusion_precondition(signal: FloatArray, noise: FloatArray) -> Preconditioning:
    size = np.hypot(signal, noise)
    return Preconditioning(scale=1 / size, clock=np.log(noise) / 4, skip=1 / size**2, share=noise / size)


def _flow_grid(n_steps: int) -> FloatArray:
    """Levels even in the cube root of the noise, from 1 to `SMALLEST` (Karras et al., equation 5, exponent 3)."""
    noise = np.linspace(1.0, (SMALLEST / (1 + SMALLEST)) ** (1 / 3), n_steps) ** 3
    return np.column_stack([1 - noise, noise])


def _flow_draw(rng: np.random.Generator, n: int) -> FloatArray:
    time = rng.random(n)
    return np.column_stack([time, 1 - time])


def _flow_precondition(signal: FloatArray, noise: FloatArray) -> Preconditioning:
    ones = np.ones_like(noise)
    return Preconditioning(scale=ones, clock=signal, skip=ones, share=noise)


DIFFUSION = Path(name="diffusion", grid=_diffusion_grid, draw=_diffusion_draw, precondition=_diffusion_precondition)
FLOW = Path(name="flow", grid=_flow_grid, draw=_flow_draw, precondition=_flow_precondition)
PATHS = {path.name: path for path in (DIFFUSION, FLOW)}
"""Paths by name."""
