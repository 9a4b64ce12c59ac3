"""Training of a network in compiled code: Adam with a cosine schedule, clipped gradients, averaged parameters."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.kernels import learning
from continuous.networks import Floats, IntArray, Network
from theory.base import validate

LOSSES = {"squared": learning.SQUARED, "gaussian": learning.GAUSSIAN}
DEVIATION_FLOOR = 1e-2
"""A Gaussian predictor's variance is its own plus this squared (targets have deviation 1): no density without bound."""


_BLOCK = 4096  # steps whose batches are drawn at once


@dataclass(frozen=True)
class Training:
    """How a network is trained: Adam whose rate falls along half a cosine.

    Parameters
    ----------
    n_steps, batch : int
        At least 1: the number of steps, and of rows in each.
    rate : float
        Above 0, at the first step.
    last_rate : float
        In [0, 1]: the rate after the last step, as a share of `rate`.
    clip : float
        Above 0: gradients are shortened to this Euclidean norm. Infinity leaves them.
    averaging : float
        In [0, 1): decay of the exponential moving average of the parameters, which is then what training returns. With
        0 it is the last iterate.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.
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

    def rates(self, begin: int, end: int) -> NDArray[np.float64]:
        """Rates of the steps from `begin` to `end` - 1, (end - begin,); after `n_steps` the last one stays."""
        done = np.minimum(np.arange(begin, end) / self.n_steps, 1.0)
        return np.asarray(self.rate * (self.last_rate + (1 - self.last_rate) * (1 + np.cos(np.pi * done)) / 2))


class Optimiser:
    """Adam (Kingma and Ba 2015, decays 0.9 and 0.999, addend 1e-8) at work on one vector of parameters.

    Parameters
    ----------
    network : Network
    training : Training
    parameters : ndarray of float32 or float64, (P,)
        Where to start; copied.
    loss : {"squared", "gaussian"}
        Squared error, summed over outputs; or minus the log-density of a Gaussian, where the outputs are first the D
        means and then the D logarithms of standard deviations. Both are averaged over rows.
    anchor, pull : ndarray, (P,), optional
        sum(pull * (parameters - anchor)^2) / 2 is added to the loss; `pull` is at least 0.

    Attributes
    ----------
    parameters : ndarray, (P,)
        The last iterate; changed in place.
    done : int
        Steps made so far.
    """

    parameters: Floats
    done: int

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
        given = network.checked(parameters)
        self.parameters = validate.aligned(given, given.dtype.type)
        self.loss = validate.choice("loss", loss, tuple(LOSSES))
        self.done = 0
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
        """The average of the parameters where one is kept, else the last iterate; a copy, (P,)."""
        return (self._average if self._average.size else self.parameters).copy()

    def train(self, inputs: Floats, targets: Floats, batches: IntArray, weights: Floats | None = None) -> Floats:
        """Make one step for each batch, in one compiled call.

        Parameters
        ----------
        inputs : ndarray, (N, n_in)
            This and what follows: C-ordered and of the parameters' type, which is checked; values are not.
        targets : ndarray, (N, D)
        batches : ndarray of int64, (n_steps, batch)
            Rows of each step.
        weights : ndarray, (N, D), optional
            Of each target's loss; 1 where not given.

        Returns
        -------
        ndarray of float64, (n_steps,)
            Loss of each batch before its step, without the pull.

        Raises
        ------
        TypeError, ValueError
            If a type, shape or row is wrong.
        FloatingPointError
            If a loss or a parameter is no longer finite.
        """
        x, y, w = self._tables(inputs, targets, weights)
        if batches.dtype != np.int64 or batches.ndim != 2 or batches.shape[1] == 0:
            raise ValueError(f"batches must be int64 of shape (n_steps, batch); got {batches.dtype} {batches.shape}")
        if batches.size and not (batches.min() >= 0 and batches.max() < len(inputs)):
            raise ValueError(f"batches must name rows from 0 to {len(inputs) - 1}")
        losses = np.empty(len(batches))
        rates = self.training.rates(self.done, self.done + len(batches))
        learning.train(
            self.parameters, self._first, self._second, self._average, self.network.widths, LOSSES[self.loss],
            self.parameters.dtype.type(DEVIATION_FLOOR), x, y, w, np.require(batches, requirements=["C", "W"]),
            self._anchor, self._pull, self.done, rates, self._options, losses,
        )  # fmt: skip
        self.done += len(batches)
        if not (np.isfinite(losses).all() and np.isfinite(self.parameters).all()):
            raise FloatingPointError(f"training diverged after {self.done} steps at rate {self.training.rate}")
        return losses

    def step(self, gradient: Floats) -> None:
        """Make one step against a gradient, (P,), that was computed elsewhere; ValueError if it does not fit."""
        if gradient.shape != self.parameters.shape or gradient.dtype != self.parameters.dtype:
            raise ValueError(
                f"gradient must be {self.parameters.dtype} of shape {self.parameters.shape}; "
                f"got {gradient.dtype} {gradient.shape}"
            )
        if not np.isfinite(gradient).all():
            raise FloatingPointError(f"a gradient is not finite after {self.done} steps")
        rate = float(self.training.rates(self.done, self.done + 1)[0])
        learning.adam(
            self.parameters, self._first, self._second, self._average, np.ascontiguousarray(gradient), self.done, rate,
            self._options,
        )  # fmt: skip
        self.done += 1

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


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network's parameters after training, (P,), and the loss of each batch on the way, (n_steps,)."""

    parameters: Floats
    losses: NDArray[np.float64]


def fit(
    optimiser: Optimiser,
    inputs: Any,
    targets: Any,
    rng: np.random.Generator,
    *,
    rows: IntArray | None = None,
    weights: Any = None,
) -> Fitted:
    """Train on batches drawn from `rows` with replacement, for as many steps as the optimiser's settings say.

    Where a batch is not smaller than `rows`, each step takes all of them once.

    Parameters
    ----------
    optimiser : Optimiser
    inputs : array_like of float, (N, n_in)
    targets : array_like of float, (N, D)
    rng : numpy.random.Generator
        Draws the batches.
    rows : array_like of int, (M,), optional
        Rows to draw from, with their repetitions; all where not given.
    weights : array_like of float, (N, D), optional
        Of each target's loss.

    Raises
    ------
    TypeError, ValueError
        If a shape or type is wrong, a number is not finite, or there is no row.
    FloatingPointError
        If training diverges.
    """
    network, dtype = optimiser.network, optimiser.parameters.dtype
    x = validate.array("inputs", inputs, shape=(None, network.sizes[0])).astype(dtype)
    y = validate.array("targets", targets, shape=(len(x), None)).astype(dtype)
    w = None if weights is None else validate.array("weights", weights, shape=y.shape).astype(dtype)
    rows = np.arange(len(x)) if rows is None else validate.integers("rows", rows, shape=(None,), below=len(x))
    if rows.size == 0:
        raise ValueError("there must be a row to train on")
    validate.generator("rng", rng)
    losses = []
    for begin in range(0, optimiser.training.n_steps, _BLOCK):
        steps = min(_BLOCK, optimiser.training.n_steps - begin)
        if optimiser.training.batch < rows.size:
            drawn = rows[rng.integers(rows.size, size=(steps, optimiser.training.batch))]
        else:
            drawn = np.tile(rows, (steps, 1))
        losses.append(optimiser.train(x, y, drawn, w))
    return Fitted(optimiser.result, np.concatenate(losses))
