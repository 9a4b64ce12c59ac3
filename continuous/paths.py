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

The deterministic step is Euler's, the solver "euler", whose samples have about 0.82 of the right deviation at 8 steps
(0.5 where that is 0.02). The solver "rational" has other levels and coefficients, from `continuous.rational_steps`, and
take is then not a' - keep a in the first step; its deviations are right to 0.5 %.

Ancestral steps treat the clean chunk as known. Its variance given y, averaged over y, is the mean squared residual R of
the exact denoiser at the level; with `residual`, the deviation is max(floor, sqrt(s'^2 (1 - rho^2) + take^2 R)).

References
----------
Karras, Aittala, Aila and Laine, Elucidating the design space of diffusion-based generative models, NeurIPS 2022: the
preconditioning of the diffusion, for chunks of deviation 1.
Lipman, Chen, Ben-Hamu, Nickel and Le, Flow matching for generative modeling, ICLR 2023: the flow with straight paths,
whose Euler step is the deterministic step here.
Bao, Li, Zhu and Zhang, Analytic-DPM: an analytic estimate of the optimal reverse variance in diffusion probabilistic
models, ICLR 2022: the ancestral step with R.
Song, Meng and Ermon, Denoising diffusion implicit models, ICLR 2021, equation 12 with eta 0 and 1: the two steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from continuous.rational_steps import rational_steps
from theory.base import validate

FloatArray = NDArray[np.float64]

SMALLEST, LARGEST = 0.03, 8.0
"""Noise over signal at the last level before 0, and at the first level of a diffusion (of a flow it is infinite).

Noise on the targets is not reproduced if its deviation, in units of a chunk's, is below the smallest.
"""

WIDE = 20.0
"""Noise over signal at the first level of a wide diffusion, and of the rational steps of a flow.

From 8, the mean m of a law of deviation 4 comes out as 0.87 m; from 20, as 0.987 m.
"""

SOLVERS = ("euler", "rational")
"""Names of the deterministic steps."""


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
    start : float
        Deviation of the first y, which is this times a latent.
    """

    signal: FloatArray
    noise: FloatArray
    keep: FloatArray
    take: FloatArray
    deviation: FloatArray
    start: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Residual:
    """How far a denoiser's clean chunks are from the true ones, by level.

    Parameters
    ----------
    ratios : array_like, (K,)
        Noise over signal, above 0 and increasing.
    squares : array_like, (K,)
        Mean over rows and entries of the squared residual at each of them, above 0.
    """

    ratios: FloatArray
    squares: FloatArray

    def __post_init__(self) -> None:
        ratios = validate.array("ratios", self.ratios, shape=(None,))
        squares = validate.array("squares", self.squares, shape=ratios.shape)
        if ratios.size == 0 or not (np.diff(ratios, prepend=0.0) > 0).all() or not (squares > 0).all():
            raise ValueError("ratios must be above 0 and increasing, and squares above 0")
        for name, value in (("ratios", ratios), ("squares", squares)):
            object.__setattr__(self, name, validate.frozen(value))

    def at(self, ratio: FloatArray) -> FloatArray:
        """Mean squared residual at noise over signal (n,), linear in the logarithms; constant beyond the table."""
        within = np.clip(ratio, self.ratios[0], self.ratios[-1])  # a flow begins at infinity
        return np.exp(np.interp(np.log(within), np.log(self.ratios), np.log(self.squares)))


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
    at : callable
        Noise over signal (n,) -> signal and noise, (n, 2).
    largest : float
        Noise over signal at the first rational step.
    """

    name: str
    grid: Callable[[int], FloatArray]
    draw: Callable[[np.random.Generator, int], FloatArray]
    precondition: Callable[[FloatArray, FloatArray], Preconditioning]
    at: Callable[[FloatArray], FloatArray]
    largest: float

    def steps(
        self,
        n_steps: int,
        *,
        solver: str = "euler",
        fresh: bool = False,
        floor: float = 0.0,
        residual: Residual | None = None,
    ) -> Steps:
        """Steps from the noisiest level to the clean chunk.

        Parameters
        ----------
        n_steps : int
            At least 1.
        solver : {"euler", "rational"}, optional
            The deterministic steps: of the probability flow by Euler, or fitted to normal laws.
        fresh : bool, optional
            Ancestral steps, which draw fresh noise, instead of deterministic ones; `solver` then does not matter.
        floor : float, optional
            Smallest deviation of an ancestral step, at least 0.
        residual : Residual, optional
            What an ancestral step adds for the variance of the clean chunk; None adds nothing, and the last step then
            has exactly the deviation `floor`.
        """
        floor = validate.real("floor", floor, at_least=0.0)
        n_steps = validate.integer("n_steps", n_steps, at_least=1)
        validate.choice("solver", solver, SOLVERS)
        if residual is not None:
            validate.instance("residual", residual, Residual)
        if solver == "rational" and not fresh:
            return self._rational(n_steps)
        above = self.grid(n_steps)
        below = np.concatenate([above[1:], [[1.0, 0.0]]])
        (a, s), (a_below, s_below) = above.T, below.T
        ratio = a * s_below / (a_below * s)  # of noise over signal, below and above
        keep = s_below / s * (ratio if fresh else 1.0)
        take = a_below - keep * a
        deviation = s_below * np.sqrt(1 - ratio**2) if fresh else np.zeros(n_steps)
        if fresh and residual is not None:
            with np.errstate(divide="ignore"):  # a flow's first signal is 0
                deviation = np.hypot(deviation, take * np.sqrt(residual.at(s / a)))
        if fresh:
            deviation = np.maximum(floor, deviation)
        return Steps(signal=a, noise=s, keep=keep, take=take, deviation=deviation, start=float(s[0]))

    def _rational(self, n_steps: int) -> Steps:
        """Rational steps, brought from units of the signal to y."""
        steps = rational_steps(self.largest, SMALLEST, n_steps)
        a, s = self.at(steps.levels).T
        below = np.append(a[1:], 1.0)
        return Steps(
            signal=a, noise=s, keep=steps.keep * below / a, take=steps.take * below, deviation=np.zeros(n_steps),
            start=float(a[0] * steps.start),
        )  # fmt: skip


def _diffusion_at(ratio: FloatArray) -> FloatArray:
    return np.column_stack([np.ones_like(ratio), ratio])


def _diffusion_precondition(signal: FloatArray, noise: FloatArray) -> Preconditioning:
    size = np.hypot(signal, noise)
    return Preconditioning(scale=1 / size, clock=np.log(noise) / 4, skip=1 / size**2, share=noise / size)


def _diffusion(name: str, largest: float) -> Path:
    """Diffusion whose levels, at which it is trained, reach from the smallest to the largest."""

    def grid(n_steps: int) -> FloatArray:
        """Levels geometric in noise over signal; a single step begins at the largest."""
        return _diffusion_at(np.geomspace(largest, SMALLEST, n_steps) if n_steps > 1 else np.array([largest]))

    def draw(rng: np.random.Generator, n: int) -> FloatArray:
        return _diffusion_at(np.exp(rng.uniform(np.log(SMALLEST), np.log(largest), n)))

    return Path(
        name=name, grid=grid, draw=draw, precondition=_diffusion_precondition, at=_diffusion_at, largest=largest
    )


def _flow_grid(n_steps: int) -> FloatArray:
    """Levels even in the cube root of the noise, from 1 to `SMALLEST` (Karras et al., equation 5, exponent 3)."""
    noise = np.linspace(1.0, (SMALLEST / (1 + SMALLEST)) ** (1 / 3), n_steps) ** 3
    return np.column_stack([1 - noise, noise])


def _flow_draw(rng: np.random.Generator, n: int) -> FloatArray:
    time = rng.random(n)
    return np.column_stack([time, 1 - time])


def _flow_at(ratio: FloatArray) -> FloatArray:
    return np.column_stack([1 / (1 + ratio), ratio / (1 + ratio)])


def _flow_precondition(signal: FloatArray, noise: FloatArray) -> Preconditioning:
    ones = np.ones_like(noise)
    return Preconditioning(scale=ones, clock=signal, skip=ones, share=noise)


DIFFUSION = _diffusion("diffusion", LARGEST)
WIDE_DIFFUSION = _diffusion("wide diffusion", WIDE)
FLOW = Path(name="flow", grid=_flow_grid, draw=_flow_draw, precondition=_flow_precondition, at=_flow_at, largest=WIDE)
PATHS = {path.name: path for path in (DIFFUSION, FLOW, WIDE_DIFFUSION)}
"""Paths by name."""
