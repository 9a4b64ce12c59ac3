"""Multilayer perceptrons (ReLU) on one flat vector of parameters, in compiled code.

    x_0 = input,    x_{l+1} = relu(x_l W_l + b_l),    output = x_{L-1} W_{L-1} + b_{L-1}

The vector holds W_0 (in C order), b_0, W_1, b_1, ... Parameters are float32 in use; float64 serves checks by finite
differences. Matrix products use BLAS: set `OPENBLAS_NUM_THREADS=1` before numpy is imported, as `paper_repro.py` does,
or threads that wait for each other slow the small products.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.files import load_arrays, save_arrays
from continuous.kernels import learning
from theory.base import validate

Floats = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]

MAX_PARAMETERS = 10**8


@dataclass(frozen=True)
class Network:
    """Layers of widths `sizes`, each hidden one followed by a ReLU.

    Parameters
    ----------
    sizes : tuple of int, (L+1,)
        Widths from the input to the output, each at least 1; at least two of them.

    Raises
    ------
    ValueError
        Also if there are more than `MAX_PARAMETERS` parameters.
    """

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        sizes = tuple(validate.integer("sizes", size, at_least=1) for size in self.sizes)
        if len(sizes) < 2:
            raise ValueError(f"sizes must name an input and an output; got {sizes}")
        object.__setattr__(self, "sizes", sizes)
        validate.integer("number of parameters", self.n_parameters, at_most=MAX_PARAMETERS)

    @classmethod
    def of(cls, widths: Any) -> "Network":
        """From the widths as an array, (L+1,)."""
        return cls(tuple(validate.integers("sizes", widths, shape=(None,)).tolist()))

    @property
    def n_parameters(self) -> int:
        """Length P of the vector of parameters."""
        return sum((m + 1) * n for m, n in zip(self.sizes, self.sizes[1:], strict=False))

    @property
    def widths(self) -> IntArray:
        """The sizes as an array, (L+1,)."""
        return np.array(self.sizes, np.int64)

    @property
    def initial_spread(self) -> NDArray[np.float64]:
        """Standard deviation of each initial parameter, (P,).

        Weights that feed a ReLU have variance 2/n_in, which keeps the scale of the activations (He et al., 2015); the
        last layer's weights and all biases have 1/n_in.
        """
        parts, last = [], len(self.sizes) - 2
        for layer, (m, n) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            parts += [np.full(m * n, np.sqrt((1 if layer == last else 2) / m)), np.full(n, np.sqrt(1 / m))]
        return np.concatenate(parts)

    def initial(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw initial parameters, (P,): independent normals with deviations `initial_spread`."""
        normals = validate.generator("rng", rng).standard_normal(self.n_parameters)
        return (self.initial_spread * normals).astype(np.float32)

    def forward(self, parameters: Floats, inputs: Any) -> Floats:
        """Outputs of the network.

        Parameters
        ----------
        parameters : ndarray of float32 or float64, (P,)
        inputs : array_like of float, (N, n_in)

        Returns
        -------
        ndarray, (N, n_out)
            Of the parameters' type.
        """
        parameters = self.checked(parameters)
        rows = validate.array("inputs", inputs, shape=(None, self.sizes[0])).astype(parameters.dtype)
        return self.outputs(parameters, rows)

    def outputs(self, parameters: Floats, rows: Floats) -> Floats:
        """As `forward`, for C-ordered arrays of one type, which are not checked: for inner loops."""
        out = np.empty((len(rows), self.sizes[-1]), parameters.dtype)
        learning.forward(parameters, self.widths, rows, out)
        return out

    def gradient(self, parameters: Floats, inputs: Any, upstream: Any) -> tuple[Floats, Floats]:
        """Gradients of sum(upstream * outputs) at the parameters, (P,), and at the inputs, (N, n_in).

        Parameters
        ----------
        parameters : ndarray of float32 or float64, (P,)
        inputs : array_like of float, (N, n_in)
        upstream : array_like of float, (N, n_out)
            Gradient of a loss at the outputs.
        """
        parameters = self.checked(parameters)
        rows = validate.array("inputs", inputs, shape=(None, self.sizes[0])).astype(parameters.dtype)
        pull = validate.array("upstream", upstream, shape=(len(rows), self.sizes[-1])).astype(parameters.dtype)
        to_parameters, to_inputs = np.empty_like(parameters), np.empty_like(rows)
        learning.gradient(parameters, self.widths, rows, pull, to_parameters, to_inputs)
        return to_parameters, to_inputs

    def checked(self, parameters: Any) -> Floats:
        """Return the parameters, C-ordered and writeable; raise unless they are P finite float32 or float64 numbers."""
        vector = np.asarray(parameters)
        if vector.dtype not in (np.float32, np.float64):
            raise TypeError(f"parameters must be float32 or float64; got {vector.dtype}")
        if vector.shape != (self.n_parameters,):
            raise ValueError(f"parameters must have shape ({self.n_parameters},) for {self.sizes}; got {vector.shape}")
        if not np.isfinite(vector).all():
            raise ValueError("parameters must be finite")
        return np.require(vector, requirements=["C", "W"])  # a read-only one would compile every kernel again


def save_network(path: str | os.PathLike[str], network: Network, parameters: Floats) -> None:
    """Write a network as npz."""
    save_arrays(path, "network", {"sizes": network.widths, "parameters": network.checked(parameters)})


def load_network(path: str | os.PathLike[str]) -> tuple[Network, Floats]:
    """Read what `save_network` wrote; raises as `load_arrays` and `Network.checked` do."""
    arrays = load_arrays(path, "network", ("sizes", "parameters"))
    network = Network.of(arrays["sizes"])
    return network, network.checked(arrays["parameters"])
