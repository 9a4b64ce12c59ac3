"""Training of a network in compiled code: Adam with a cosine schedule, clipped gradients, averaged parameters.

For t = 1, 2, ..., with g the gradient at theta of the mean loss over a batch, plus that of the pull
sum_j pull_j (theta_j - anchor_j)^2 / 2, shortened to the norm `clip`:

    m <- 0.9 m + 0.1 g,    v <- 0.999 v + 0.001 g^2
    theta <- theta - rate_t (m / (1 - 0.9^t)) / (sqrt(v / (1 - 0.999^t)) + 1e-8)
    average <- averaging * average + (1 - averaging) theta

The rate falls along half a cosine from `rate` to `last_rate * rate`. The loss of a row is the sum over outputs of the
squared error, or minus the log-density of a Gaussian whose means and log-deviations are the outputs.

References
----------
Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015.
Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017 (the cosine).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.kernels import learning
from continuous.networks import Floats, IntArray, Network
from theory.base import validate

FloatArray = NDArray[np.float64]

LOSSES = {"squared": learning.SQUARED, "gaussian": learning.GAUSSIAN}
DEVIATION_FLOOR = 1e-2
"""Its square is added to a Gaussian predictor's variance (targets have deviation 1), so that densities stay bounded."""

_BLOCK = 4096  # steps whose batches are drawn at once


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    n_steps : int
        Number of steps, at least 1.
    batch : int
        Rows per step, at least 1.
    rate : float
        Learning rate of the first step, above 0.
    last_rate : float
        Learning rate after the last step, as a share of `rate`, in [0, 1].
    clip : float
        Largest Euclidean norm of a gradient, above 0; longer ones are shortened to it. Infinity leaves all.
    averaging : float
        Decay of the exponential moving average of the parameters, in [0, 1), which training returns; 0 returns the
        last iterate.
    """

    n_steps: int = 1000
    batch: int = 128
    rate: float = 1e-3
    last_rate: float = 0.0
    clip: float = np.inf
    averaging: float = 0.0

    def __post_init__(self) -> None:
        validate.integer("n_steps", self.n_steps, at_least=1)
        validate.integer("batch", self.batch, at_least=1)
        validate.real("rate", self.rate, above=0)
        validate.real("last_rate", self.last_rate, at_least=0, at_most=1)
        validate.real("clip", self.clip, above=0, finite=False)
        validate.real("averaging", self.averaging, at_least=0, below=1)

    def rates(self, begin: int, end: int) -> FloatArray:
        """Learning rates of steps `begin` to `end` - 1, (end - begin,); after `n_steps` the rate stays at the last."""
        done = np.minimum(np.arange(begin, end) / self.n_steps, 1.0)
        return np.asarray(self.rate * (self.last_rate + (1 - self.last_rate) * (1 + np.cos(np.pi * done)) / 2))


class Optimiser:
    """Adam and its state, on one vector of parameters.

    Parameters
    ----------
    network : Network
    training : Training
    parameters : ndarray of float32 or float64, (P,)
        Initial parameters; copied.
    loss : {"squared", "gaussian"}
        Squared error, summed over outputs; or minus the log-density of a Gaussian, where the outputs are first the D
        means and then the D logarithms of standard deviations. Both are averaged over rows.
    anchor, pull : ndarray, (P,), optional
        Centre and strength, at least 0, of the pull, a quadratic term of the loss.

    Attributes
    ----------
    parameters : ndarray, (P,)
        The last iterate; changed in place.
    n_done : int
        Steps made so far.
    """

    parameters: Floats
    n_done: int

    def __init__(
        self,
        network: Network,
        training: Training,
        parameters: Floats,
        *,
        loss: str = "squared",
        anchor: Any = None,
        pull: Any = None,
    ) -> None:
        self.network = validate.instance("network", network, Network)
        self.training = validate.instance("training", training, Training)
        initial = network.checked(parameters)
        self.parameters = validate.aligned(initial, initial.dtype.type)
        self.loss = validate.choice("loss", loss, tuple(LOSSES))
        self.n_done = 0
        dtype, P = self.parameters.dtype, (network.n_parameters,)
        if (anchor is None) != (pull is None):
            raise ValueError("anchor and pull must be given together")
        self._anchor = np.empty(0, dtype) if anchor is None else network.checked(anchor).astype(dtype)
        self._pull = np.empty(0, dtype) if pull is None else validate.array("pull", pull, shape=P).astype(dtype)
        if (self._pull < 0).any():
            raise ValueError("pull must be at least 0")
        self._first, self._second = (validate.aligned(np.zeros(P), dtype.type) for _ in range(2))
        self._average = self.parameters.copy() if training.averaging > 0 else np.empty(0, dtype)
        self._options = np.array([0.9, 0.999, 1e-8, training.averaging, training.clip], dtype)

    @property
    def result(self) -> Floats:
        """The averaged parameters if `averaging` is above 0, else the last iterate; a copy, (P,)."""
        return (self._average if self._average.size else self.parameters).copy()

    def train(self, inputs: Floats, targets: Floats, batches: IntArray, weights: Floats | None = None) -> Floats:
        """Make one step for each batch, in one compiled call.

        Types, shapes and rows are checked, because compiled code would read beyond the arrays; values are not.

        Parameters
        ----------
        inputs : ndarray, (N, n_in)
            Like `targets` and `weights`, C-ordered and of the parameters' type.
        targets : ndarray, (N, D)
        batches : ndarray of int64, (n_steps, batch)
            Rows of each step.
        weights : ndarray, (N, D), optional
            Weight of each target's loss; 1 if not given.

        Returns
        -------
        ndarray of float64, (n_steps,)
            Loss of each batch before its step, without the pull.

        Raises
        ------
        FloatingPointError
            If a loss or a parameter is no longer finite.
        """
        x, y, w = self._tables(inputs, targets, weights)
        if batches.dtype != np.int64 or batches.ndim != 2 or batches.shape[1] == 0:
            raise ValueError(f"batches must be int64 of shape (n_steps, batch); got {batches.dtype} {batches.shape}")
        if batches.size and not (batches.min() >= 0 and batches.max() < len(inputs)):
            raise ValueError(f"batches must hold rows from 0 to {len(inputs) - 1}")
        losses = np.empty(len(batches))
        rates = self.training.rates(self.n_done, self.n_done + len(batches))
        learning.train(
            self.parameters, self._first, self._second, self._average, self.network.widths, LOSSES[self.loss],
            self.parameters.dtype.type(DEVIATION_FLOOR), x, y, w, np.require(batches, requirements=["C", "W"]),
            self._anchor, self._pull, self.n_done, rates, self._options, losses,
        )  # fmt: skip
        self.n_done += len(batches)
        if not (np.isfinite(losses).all() and np.isfinite(self.parameters).all()):
            raise FloatingPointError(f"training diverged after {self.n_done} steps at rate {self.training.rate}")
        return losses

    def step(self, gradient: Floats) -> None:
        """Make one step with a gradient, (P,), that was computed elsewhere."""
        if gradient.shape != self.parameters.shape or gradient.dtype != self.parameters.dtype:
            raise ValueError(
                f"gradient must be {self.parameters.dtype} of shape {self.parameters.shape}; "
                f"got {gradient.dtype} {gradient.shape}"
            )
        if not np.isfinite(gradient).all():
            raise FloatingPointError(f"the gradient is not finite after {self.n_done} steps")
        rate = float(self.training.rates(self.n_done, self.n_done + 1)[0])
        learning.adam(
            self.parameters, self._first, self._second, self._average, np.ascontiguousarray(gradient), self.n_done,
            rate, self._options,
        )  # fmt: skip
        self.n_done += 1

    def _tables(self, inputs: Floats, targets: Floats, weights: Floats | None) -> tuple[Floats, Floats, Floats]:
        D, dtype = self.network.sizes[-1] // (1 if self.loss == "squared" else 2), self.parameters.dtype
        if weights is None:
            weights = np.empty((0, D), dtype)
        for name, table, shape in (
            ("inputs", inputs, (len(inputs), self.network.sizes[0])),
            ("targets", targets, (len(inputs), D)),
            ("weights", weights, (len(inputs) if len(weights) else 0, D)),
        ):
            if table.shape != shape or table.dtype != dtype or not table.flags.c_contiguous:
                raise ValueError(
                    f"{name} must be C-ordered {dtype} of shape {shape}; got {table.dtype} of shape {table.shape}"
                )
        return inputs, targets, weights


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """A network's parameters after training, (P,), and the loss of each step's batch, (n_steps,)."""

    parameters: Floats
    losses: FloatArray


def fit(
    optimiser: Optimiser,
    inputs: Any,
    targets: Any,
    rng: np.random.Generator,
    *,
    rows: IntArray | None = None,
    weights: Any = None,
) -> Fitted:
    """Train on batches drawn from `rows` with replacement, for the optimiser's number of steps.

    Where a batch is at least as large as `rows`, each step takes all of them once.

    Parameters
    ----------
    optimiser : Optimiser
    inputs : array_like of float, (N, n_in)
    targets : array_like of float, (N, D)
    rng : numpy.random.Generator
        Draws the batches.
    rows : array_like of int, (M,), optional
        Rows to draw from, with repetitions; all if not given.
    weights : array_like of float, (N, D), optional
        Weight of each target's loss.

    Raises
    ------
    FloatingPointError
        If training diverges.
    """
    x = validate.array("inputs", inputs, shape=(None, optimiser.network.sizes[0]))
    y = validate.array("targets", targets, shape=(len(x), None))
    w = None if weights is None else validate.array("weights", weights, shape=y.shape)
    rows = np.arange(len(x)) if rows is None else validate.integers("rows", rows, shape=(None,), below=len(x))
    if rows.size == 0:
        raise ValueError("there must be a row to train on")
    return fit_rows(optimiser, x, y, validate.generator("rng", rng), rows, w)


def fit_rows(
    optimiser: Optimiser,
    inputs: FloatArray,
    targets: FloatArray,
    rng: np.random.Generator,
    rows: IntArray,
    weights: FloatArray | None = None,
) -> Fitted:
    """As `fit`, for finite float64 arrays and rows that are not checked."""
    training, dtype = optimiser.training, optimiser.parameters.dtype
    x, y = inputs.astype(dtype), targets.astype(dtype)
    w = None if weights is None else weights.astype(dtype)
    losses = []
    for begin in range(0, training.n_steps, _BLOCK):
        n_steps = min(_BLOCK, training.n_steps - begin)
        if training.batch < rows.size:
            batches = rows[rng.integers(rows.size, size=(n_steps, training.batch))]
        else:
            batches = np.tile(rows, (n_steps, 1))
        losses.append(optimiser.train(x, y, batches, w))
    return Fitted(parameters=optimiser.result, losses=np.concatenate(losses))
