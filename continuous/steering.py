"""Steering: how an actor's choice becomes the latent of a frozen sampler.

The actor chooses v = bound * u, u in [-1, 1]^k, with k the latent's D entries, and z = v is the latent. Or it chooses
in a subspace, given by k orthonormal columns B (D, k), and the rest of the latent is noise:

    z = B v + s (w - B B' w),    w standard normal in D dimensions, each entry cut to [-3, 3]; or w = 0

The scale s is 1, or one more entry v_0 of the choice, before the others, sets it in [0, 1]: s = (1 + v_0 / bound) / 2.
So B' z = v whatever the rest is: what the learner remembers, v / bound, is what was played, and for it the rest is part
of the environment. A latent has at most the length bound sqrt(k) + 3 sqrt(D).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.base import validate

FloatArray = NDArray[np.float64]

RESTS = ("drawn", "zero")
"""What a latent is outside the subspace: as the pretrained policy draws it, or 0."""

_WIDEST = 3.0  # a standard normal number is beyond it with probability 0.003


@dataclass(frozen=True, eq=False, kw_only=True)
class Steering:
    """From choices to latents.

    Attributes
    ----------
    size : int
        Entries D of a latent.
    bound : float
        Largest absolute value of a choice's entry.
    basis : ndarray, (D, k), or None
        Orthonormal columns; None if the choice is the latent.
    rest : {"drawn", "zero"}
    scales_rest : bool
        Whether one more entry of the choice, the first, scales the rest.
    """

    size: int
    bound: float
    basis: FloatArray | None = None
    rest: str = "drawn"
    scales_rest: bool = False

    @property
    def n_choices(self) -> int:
        """Entries of a choice."""
        return self.size if self.basis is None else self.basis.shape[1] + self.scales_rest

    def latents(self, choices: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Latents (n, D) of choices (n, n_choices) within the bound; `rng` draws the rest."""
        if self.basis is None:
            return choices
        steered = choices[:, int(self.scales_rest) :] @ self.basis.T
        if self.rest == "zero":
            return steered
        noise = np.clip(rng.standard_normal((len(choices), self.size)), -_WIDEST, _WIDEST)
        rest = noise - noise @ self.basis @ self.basis.T
        scale = (1.0 + choices[:, :1] / self.bound) / 2.0 if self.scales_rest else 1.0
        return np.asarray(steered + scale * rest)

    def random_choices(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw n choices, each entry standard normal, as the pretrained policy's latents, and cut to the bound."""
        return np.clip(rng.standard_normal((n, self.n_choices)), -self.bound, self.bound)

    def random_log_densities(self, choices: FloatArray) -> FloatArray:
        """Log-densities (n,) of u = choices / bound of `random_choices`; infinite where an entry was cut."""
        cut = (np.abs(choices) >= self.bound).any(axis=1)
        density = -0.5 * (choices**2 + np.log(2.0 * np.pi)) + np.log(self.bound)
        return np.where(cut, np.inf, density.sum(axis=1))


def random_basis(size: int, k: int, rng: np.random.Generator) -> FloatArray:
    """Draw k orthonormal columns, (size, k), uniform over the subspaces.

    Parameters
    ----------
    size : int
        Entries D, at least 1.
    k : int
        From 0 to D.
    rng : numpy.random.Generator
    """
    k = validate.integer("k", k, at_least=0, at_most=size)
    return np.linalg.qr(validate.generator("rng", rng).standard_normal((size, k)))[0]
