"""Algorithm A: the posterior's spread by an ensemble of predictors, each fitted to its own version of the data.

Three versions: whole trajectories drawn with replacement, single pairs drawn with replacement, or all the data with
perturbed targets and parameters pulled towards a draw from the prior (Lemma 7), which for a linear network is exactly a
draw from the Bayesian posterior. Member k depends on the seed and k alone.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.demonstrations import Demonstrations, Scale
from continuous.files import load_arrays, save_arrays
from continuous.networks import Floats, IntArray, Network
from continuous.training import Optimiser, Training, fit
from theory.base import validate
from theory.base.streams import stream

FloatArray = NDArray[np.float64]

VERSIONS = ("trajectory", "state-action", "noise")
PREDICTORS = {"deterministic": "squared", "gaussian": "gaussian"}
DEFAULT_TRAINING = Training(n_steps=1000, batch=128, rate=1e-3)


@dataclass(frozen=True)
class Recipe:
    """How the members of an ensemble are made.

    Parameters
    ----------
    n_members : int
        K, at least 2.
    version : {"trajectory", "state-action", "noise"}
        What each member is fitted to: trajectories or pairs drawn with replacement, as many as there are; or all pairs
        with perturbed targets.
    hidden : tuple of int
        Widths of the hidden layers; none is a linear predictor.
    training : Training
        Where `batch` is not below the number of pairs, each step takes them all.
    predictor : {"deterministic", "gaussian"}
        Squared error, or a Gaussian's mean and deviations.
    noise, prior : float
        Above 0, for "noise" alone: standard deviation of the perturbation, in units of the (standardised) targets, and
        of the prior, in units of the network's initial spread.

    Raises
    ------
    TypeError, ValueError
        If a parameter is outside its range.
    """

    n_members: int = 10
    version: str = "trajectory"
    hidden: tuple[int, ...] = (128, 128)
    training: Training = DEFAULT_TRAINING
    predictor: str = "deterministic"
    noise: float = 0.3
    prior: float = 1.0

    def __post_init__(self) -> None:
        validate.integer("n_members", self.n_members, at_least=2)
        validate.choice("version", self.version, VERSIONS)
        validate.instance("training", self.training, Training)
        validate.choice("predictor", self.predictor, tuple(PREDICTORS))
        validate.real("noise", self.noise, above=0)
        validate.real("prior", self.prior, above=0)


def resampled_rows(version: str, episode_ends: IntArray, rng: np.random.Generator) -> IntArray:
    """Rows that one member is fitted to, with their repetitions.

    Parameters
    ----------
    version : {"trajectory", "state-action", "noise"}
    episode_ends : ndarray of int, (E,)
        One past the last row of each episode.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int64, (M,)
        As many episodes or pairs as there are; every row once for "noise".

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, the ends do not increase, or there is one episode only, whose trajectory
        bootstrap has no spread.
    """
    validate.choice("version", version, VERSIONS)
    ends = validate.integers("episode_ends", episode_ends, shape=(None,))
    if ends.size == 0 or ends[0] <= 0 or (np.diff(ends) <= 0).any():
        raise ValueError(f"episode_ends must increase from above 0; got {ends.tolist()}")
    validate.generator("rng", rng)
    n = int(ends[-1])
    if version == "noise":
        return np.arange(n)
    if version == "state-action":
        return rng.integers(n, size=n)
    if ends.size == 1:
        raise ValueError("version 'trajectory' needs two episodes or more: one episode drawn again is the same data")
    begins = np.concatenate([[0], ends[:-1]])
    return np.concatenate([np.arange(begins[e], ends[e]) for e in rng.integers(ends.size, size=ends.size)])


def fit_members(
    inputs: Any, targets: Any, episode_ends: IntArray, recipe: Recipe, seed: np.random.SeedSequence
) -> tuple[Network, Floats]:
    """Fit the members on plain arrays, which are taken as they are.

    Parameters
    ----------
    inputs : array_like, (N, n_in)
    targets : array_like, (N, D)
    episode_ends : ndarray of int, (E,)
    recipe : Recipe
    seed : numpy.random.SeedSequence
        Member k draws from stream k of it; it is not changed.

    Returns
    -------
    network : Network
    parameters : ndarray of float32, (K, P)

    Raises
    ------
    TypeError, ValueError
        If a shape or type is wrong, a number is not finite, or one episode is to be drawn again.
    FloatingPointError
        If training diverges.
    """
    x = validate.array("inputs", inputs, shape=(None, None))
    y = validate.array("targets", targets, shape=(len(x), None))
    validate.instance("recipe", recipe, Recipe)
    ends = validate.integers("episode_ends", episode_ends, shape=(None,))
    if ends.size == 0 or ends[-1] != len(x):
        raise ValueError(f"episode_ends must end with the number of rows, {len(x)}; got {ends.tolist()}")
    n_out = y.shape[1] * (2 if recipe.predictor == "gaussian" else 1)
    network = Network((x.shape[1], *recipe.hidden, n_out))
    members = np.empty((recipe.n_members, network.n_parameters), np.float32)
    for k in range(recipe.n_members):
        rng = stream(seed, k)
        rows = resampled_rows(recipe.version, ends, rng)
        members[k] = _member(network, x, y, rows, recipe, rng)
    return network, members


def _member(
    network: Network, x: FloatArray, y: FloatArray, rows: IntArray, recipe: Recipe, rng: np.random.Generator
) -> Floats:
    start = network.initial(rng)
    loss = PREDICTORS[recipe.predictor]
    if recipe.version != "noise":
        return fit(Optimiser(network, recipe.training, start, loss=loss), x, y, rng, rows=rows).parameters
    # Lemma 7: sum of (f - y - noise w)^2 / (2 noise^2) + (theta - theta_0)^2 / (2 spread^2), times 2 noise^2 / N
    spread = recipe.prior * network.initial_spread
    anchor = (spread * rng.standard_normal(network.n_parameters)).astype(np.float32)
    pull = 2 * recipe.noise**2 / (len(x) * spread**2)
    optimiser = Optimiser(network, recipe.training, start, loss=loss, anchor=anchor, pull=pull)
    return fit(optimiser, x, y + recipe.noise * rng.standard_normal(y.shape), rng, rows=rows).parameters


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Predictors of an action chunk, and the spread between them.

    Attributes
    ----------
    network : Network
    parameters : ndarray of float32, (K, P)
    observation_scale, action_scale : Scale
        Of the demonstrations' observations and chunks.
    """

    network: Network
    parameters: Floats
    observation_scale: Scale
    action_scale: Scale

    def predictions(self, observations: Any) -> FloatArray:
        """Each member's chunk, (K, N, D) in units of actions, at observations (N, observation_dim).

        Raises
        ------
        TypeError, ValueError
            If the observations have another shape or are not finite.
        """
        seen = validate.array("observations", observations, shape=(None, self.network.sizes[0]))
        rows = self.observation_scale.apply(seen)
        D = self.action_scale.mean.size
        return np.stack([
            self.action_scale.undo(self.network.forward(member, rows)[:, :D].astype(np.float64))
            for member in self.parameters
        ])  # fmt: skip

    def mean(self, observations: Any) -> FloatArray:
        """Mean over members, (N, D); arguments and errors as `predictions`."""
        return np.asarray(self.predictions(observations).mean(axis=0))

    def covariance(self, observations: Any, *, diagonal: bool = False) -> FloatArray:
        """Sample covariance over members, (N, D, D), of a whole chunk or with its diagonal alone.

        Arguments and errors as `predictions`.
        """
        return sample_covariance(self.predictions(observations), diagonal=diagonal)


def sample_covariance(predictions: Any, *, diagonal: bool = False) -> FloatArray:
    """Covariance over the first axis of (K, N, D), divided by K - 1: (N, D, D).

    Raises
    ------
    TypeError, ValueError
        If the shape is another, there are fewer than two members, or a number is not finite.
    """
    found = validate.array("predictions", predictions, shape=(None, None, None))
    if len(found) < 2:
        raise ValueError(f"predictions must be of two members or more; got {len(found)}")
    away = found - found.mean(axis=0)
    covariance: FloatArray = np.einsum("kni,knj->nij", away, away) / (len(found) - 1)
    if diagonal:
        covariance = covariance * np.eye(found.shape[2])
    return covariance


def cholesky_factors(covariance: Any) -> FloatArray:
    """Lower triangular L with L L^T = covariance, also where it is singular (fewer members than dimensions).

    Parameters
    ----------
    covariance : array_like, (N, D, D)
        Symmetric; eigenvalues below zero by rounding are taken as zero.

    Raises
    ------
    TypeError, ValueError
        If a matrix is not square, not symmetric or has an eigenvalue below zero, beyond rounding.
    """
    found = validate.array("covariance", covariance, shape=(None, None, None))
    if found.shape[1] != found.shape[2]:
        raise ValueError(f"covariance must hold square matrices; got shape {found.shape}")
    size = np.abs(found).max(axis=(1, 2), initial=0.0, keepdims=True)
    if (np.abs(found - found.transpose(0, 2, 1)) > 1e-9 * size).any():
        raise ValueError("covariance must be symmetric")
    values, vectors = np.linalg.eigh(found)
    if (values < -1e-9 * found.shape[1] * size[:, 0]).any():
        raise ValueError(f"covariance must have no eigenvalue below zero; got {values.min()}")
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    upper: FloatArray = np.asarray(np.linalg.qr(root.transpose(0, 2, 1), mode="r"))
    signs = np.where(np.einsum("nii->ni", upper) < 0, -1.0, 1.0)
    factors: FloatArray = np.tril((upper * signs[:, :, None]).transpose(0, 2, 1))
    return factors


def fit_ensemble(demonstrations: Demonstrations, chunk: int, recipe: Recipe, seed: np.random.SeedSequence) -> Ensemble:
    """Algorithm A: fit an ensemble to the chunks of a data set.

    Parameters
    ----------
    demonstrations : Demonstrations
    chunk : int
        Actions of a chunk, from 1 to the longest episode.
    recipe : Recipe
    seed : numpy.random.SeedSequence
        It is not changed.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range, or one episode is to be drawn again.
    FloatingPointError
        If training diverges.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    chunks = demonstrations.chunks(chunk)
    observations, actions = Scale.of(demonstrations.observations), Scale.of(chunks)
    x, y = observations.apply(demonstrations.observations), actions.apply(chunks)
    network, parameters = fit_members(x, y, demonstrations.episode_ends, recipe, seed)
    return Ensemble(network, parameters, observations, actions)


_ARRAYS = ("sizes", "parameters")


def save_ensemble(path: str | os.PathLike[str], ensemble: Ensemble) -> None:
    """Write an ensemble as npz; raises as `save_arrays` does."""
    validate.instance("ensemble", ensemble, Ensemble)
    own = dict(zip(_ARRAYS, (ensemble.network.widths, ensemble.parameters), strict=True))
    scales = ensemble.observation_scale.arrays("observation") | ensemble.action_scale.arrays("action")
    save_arrays(path, "ensemble", own | scales)


def load_ensemble(path: str | os.PathLike[str]) -> Ensemble:
    """Read what `save_ensemble` wrote; raises as `load_arrays` and `Network.checked` do, or if sizes do not fit."""
    found = load_arrays(path, "ensemble", (*_ARRAYS, *Scale.names("observation"), *Scale.names("action")))
    network = Network.of(found["sizes"])
    members = np.stack([network.checked(member) for member in np.atleast_2d(found["parameters"])])
    observations, actions = (Scale.read(found, name) for name in ("observation", "action"))
    if observations.mean.size != network.sizes[0] or network.sizes[-1] not in (k * actions.mean.size for k in (1, 2)):
        raise ValueError(f"observation_mean and action_mean must fit the network {network.sizes}")
    return Ensemble(network, members, observations, actions)
