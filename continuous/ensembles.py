"""Algorithm A: the spread of the posterior, by an ensemble of predictors, each fitted to its own version of the data.

Member k = 1..K minimises the mean loss over its rows of the N demonstrated pairs (o_i, a_i), standardised, where a_i is
a chunk of D entries:

============  =================================================  =================================================
version       rows and targets of a member                       added to its loss
============  =================================================  =================================================
trajectory    as many episodes, drawn with replacement           0
state-action  N pairs, drawn with replacement                    0
noise         all pairs; a_i + noise w_i, w_i standard normal    noise^2/N sum_j (theta_j - theta0_j)^2 / spread_j^2
============  =================================================  =================================================

The loss of a pair is |f(o_i) - a_i|^2, or minus the log-density of a Gaussian. In the last version theta0 is a draw
from the prior, normal with standard deviations spread_j; for a linear network the member is then an exact draw from the
Bayesian posterior (Lemma 7). The posterior's covariance at o is

    Sigma(o) = 1/(K-1) sum_k (f_k(o) - mean)(f_k(o) - mean)^T,    (D, D)

Member k depends on the seed and on k alone.

References
----------
Wagenmaker et al., Posterior behavioral cloning, 2025, arXiv 2512.16911, Algorithm A and Lemma 7.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from continuous.covariances import member_covariance
from continuous.demonstrations import Demonstrations, Scale
from continuous.files import load_arrays, save_arrays
from continuous.networks import Floats, IntArray, Network
from continuous.training import Optimiser, Training, fit_rows
from theory.base import validate
from theory.base.streams import stream

FloatArray = NDArray[np.float64]

VERSIONS = ("trajectory", "state-action", "noise")
PREDICTORS = {"deterministic": "squared", "gaussian": "gaussian"}
DEFAULT_TRAINING = Training(n_steps=1000, batch=128, rate=1e-3)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the members of an ensemble are fitted.

    Parameters
    ----------
    n_members : int
        Number of members K, at least 2.
    version : {"trajectory", "state-action", "noise"}
        What each member is fitted to: trajectories or pairs drawn with replacement, as many as there are; or all pairs
        with perturbed targets.
    hidden : tuple of int
        Widths of the hidden layers; an empty tuple gives a linear predictor.
    training : Training
        Where `batch` is at least the number of pairs, each step takes them all.
    predictor : {"deterministic", "gaussian"}
        Fitted by squared error, or by the likelihood of a Gaussian's mean and standard deviations.
    noise : float
        For the version "noise": standard deviation of the perturbation, in units of standardised targets; above 0.
    prior : float
        For the version "noise": standard deviation of the prior, in units of the network's initial spread; above 0.
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
    """Rows that one member is fitted to, with repetitions.

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
    ValueError
        Also if the trajectories of a single episode are to be resampled.
    """
    validate.choice("version", version, VERSIONS)
    ends = validate.integers("episode_ends", episode_ends, shape=(None,))
    if ends.size == 0 or ends[0] <= 0 or (np.diff(ends) <= 0).any():
        raise ValueError(f"episode_ends must increase from above 0; got {ends.tolist()}")
    _check_episodes(version, ends)
    return _resampled_rows(version, ends, validate.generator("rng", rng))


def _check_episodes(version: str, ends: IntArray) -> None:
    if version == "trajectory" and ends.size == 1:
        # All members would be fitted to the same data: a covariance of training noise alone would pass for a posterior.
        raise ValueError("version 'trajectory' needs two episodes or more: one episode drawn again is the same data")


def _resampled_rows(version: str, ends: IntArray, rng: np.random.Generator) -> IntArray:
    n = int(ends[-1])
    if version == "noise":
        return np.arange(n)
    if version == "state-action":
        return rng.integers(n, size=n)
    begins = np.concatenate([[0], ends[:-1]])
    return np.concatenate([np.arange(begins[e], ends[e]) for e in rng.integers(ends.size, size=ends.size)])


def fit_members(
    inputs: Any, targets: Any, episode_ends: IntArray, recipe: Recipe, seed: np.random.SeedSequence
) -> tuple[Network, Floats]:
    """Fit the members to plain arrays, without standardising them.

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
    ValueError
        Also if the trajectories of a single episode are to be resampled.
    FloatingPointError
        If training diverges.
    """
    x = validate.array("inputs", inputs, shape=(None, None))
    y = validate.array("targets", targets, shape=(len(x), None))
    validate.instance("recipe", recipe, Recipe)
    ends = validate.integers("episode_ends", episode_ends, shape=(None,))
    if ends.size == 0 or ends[-1] != len(x):
        raise ValueError(f"episode_ends must end with the number of rows, {len(x)}; got {ends.tolist()}")
    if ends[0] <= 0 or (np.diff(ends) <= 0).any():
        raise ValueError(f"episode_ends must increase from above 0; got {ends.tolist()}")
    return _fit_members(x, y, ends, recipe, seed)


def _fit_members(
    x: FloatArray, y: FloatArray, ends: IntArray, recipe: Recipe, seed: np.random.SeedSequence
) -> tuple[Network, Floats]:
    _check_episodes(recipe.version, ends)
    n_out = y.shape[1] * (2 if recipe.predictor == "gaussian" else 1)
    network = Network((x.shape[1], *recipe.hidden, n_out))
    members = np.empty((recipe.n_members, network.n_parameters), np.float32)
    for k in range(recipe.n_members):
        rng = stream(seed, k)
        rows = _resampled_rows(recipe.version, ends, rng)
        members[k] = _member(network, x, y, rows, recipe, rng)
    return network, members


def _member(
    network: Network, x: FloatArray, y: FloatArray, rows: IntArray, recipe: Recipe, rng: np.random.Generator
) -> Floats:
    start = network.initial(rng)
    loss = PREDICTORS[recipe.predictor]
    if recipe.version != "noise":
        return fit_rows(Optimiser(network, recipe.training, start, loss=loss), x, y, rng, rows).parameters
    # Lemma 7: sum of (f - y - noise w)^2 / (2 noise^2) + (theta - theta0)^2 / (2 spread^2), times 2 noise^2 / N, since
    # the loss is a mean of squares over rows: a pull without this factor would shrink with the number of rows.
    spread = recipe.prior * network.initial_spread
    anchor = (spread * rng.standard_normal(network.n_parameters)).astype(np.float32)
    pull = 2 * recipe.noise**2 / (len(x) * spread**2)
    optimiser = Optimiser(network, recipe.training, start, loss=loss, anchor=anchor, pull=pull)
    return fit_rows(optimiser, x, y + recipe.noise * rng.standard_normal(y.shape), rng, rows).parameters


@dataclass(frozen=True, eq=False, kw_only=True)
class Ensemble:
    """Predictors of an action chunk, and the spread between them.

    Parameters
    ----------
    network : Network
        From standardised observations to a standardised chunk, or to its means and log-deviations.
    parameters : ndarray of float32, (K, P)
        One row for each of K >= 2 members.
    observation_scale, action_scale : Scale
        Of the demonstrations' observations and chunks.
    """

    network: Network
    parameters: Floats
    observation_scale: Scale
    action_scale: Scale

    def __post_init__(self) -> None:
        sizes, D = self.network.sizes, self.action_scale.mean.size
        if self.observation_scale.mean.size != sizes[0] or sizes[-1] not in (D, 2 * D):
            raise ValueError(f"observation_scale and action_scale must fit the network {sizes}")
        if len(self.parameters) < 2:  # a covariance over one member would be 0/0
            raise ValueError(f"parameters must be of two members or more; got {len(self.parameters)}")

    def predictions(self, observations: Any) -> FloatArray:
        """Each member's chunk, (K, N, D) in units of actions, at observations (N, observation_dim)."""
        seen = validate.array("observations", observations, shape=(None, self.network.sizes[0]))
        rows = self.observation_scale.apply(seen).astype(self.parameters.dtype)
        D = self.action_scale.mean.size
        return np.stack([
            self.action_scale.undo(self.network.outputs(member, rows)[:, :D].astype(np.float64))
            for member in self.parameters
        ])  # fmt: skip

    def mean(self, observations: Any) -> FloatArray:
        """Mean over members, (N, D), at observations (N, observation_dim)."""
        return np.asarray(self.predictions(observations).mean(axis=0))

    def covariance(self, observations: Any, *, diagonal: bool = False) -> FloatArray:
        """Sample covariance over members, (N, D, D), of a whole chunk or with its diagonal alone."""
        return member_covariance(self.predictions(observations), diagonal)


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
    ValueError
        Also if the trajectories of a single episode are to be resampled.
    FloatingPointError
        If training diverges.
    """
    validate.instance("demonstrations", demonstrations, Demonstrations)
    validate.instance("recipe", recipe, Recipe)
    chunks = demonstrations.chunks(chunk)
    observations, actions = Scale.of(demonstrations.observations), Scale.of(chunks)
    x, y = observations.apply(demonstrations.observations), actions.apply(chunks)
    network, parameters = _fit_members(x, y, demonstrations.episode_ends, recipe, seed)
    return Ensemble(network=network, parameters=parameters, observation_scale=observations, action_scale=actions)


_ARRAYS = ("sizes", "parameters")


def save_ensemble(path: str | os.PathLike[str], ensemble: Ensemble) -> None:
    """Write an ensemble as npz."""
    validate.instance("ensemble", ensemble, Ensemble)
    own = dict(zip(_ARRAYS, (ensemble.network.widths, ensemble.parameters), strict=True))
    scales = ensemble.observation_scale.arrays("observation") | ensemble.action_scale.arrays("action")
    save_arrays(path, "ensemble", own | scales)


def load_ensemble(path: str | os.PathLike[str]) -> Ensemble:
    """Read what `save_ensemble` wrote; raises as `load_arrays`, `Network.checked` and `Ensemble` do."""
    arrays = load_arrays(path, "ensemble", (*_ARRAYS, *Scale.names("observation"), *Scale.names("action")))
    network = Network.of(arrays["sizes"])
    members = np.stack([network.checked(member) for member in np.atleast_2d(arrays["parameters"])])
    return Ensemble(
        network=network,
        parameters=members,
        observation_scale=Scale.read(arrays, "observation"),
        action_scale=Scale.read(arrays, "action"),
    )
