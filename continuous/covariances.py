"""Covariances of an ensemble's predictions at each of N observations, and factors that noise is drawn with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.base import validate

FloatArray = NDArray[np.float64]


def sample_covariance(predictions: Any, *, diagonal: bool = False) -> FloatArray:
    """Covariance over the first axis of (K, N, D), divided by K - 1: (N, D, D); K is at least 2."""
    members = validate.array("predictions", predictions, shape=(None, None, None))
    if len(members) < 2:
        raise ValueError(f"predictions must be of two members or more; got {len(members)}")
    return member_covariance(members, diagonal)


def member_covariance(predictions: FloatArray, diagonal: bool) -> FloatArray:
    """As `sample_covariance`, without checks."""
    deviations = predictions - predictions.mean(axis=0)
    covariance: FloatArray = np.einsum("kni,knj->nij", deviations, deviations) / (len(predictions) - 1)
    if diagonal:
        covariance = covariance * np.eye(predictions.shape[2])
    return covariance


def cholesky_factors(covariance: Any) -> FloatArray:
    """Lower triangular L with L L^T = covariance, also where it is singular (fewer members than dimensions).

    Parameters
    ----------
    covariance : array_like, (N, D, D)
        Symmetric; eigenvalues below zero by rounding are taken as zero.

    Raises
    ------
    ValueError
        Also if a matrix is not symmetric or has an eigenvalue below zero, beyond rounding.
    """
    matrices = validate.array("covariance", covariance, shape=(None, None, None))
    if matrices.shape[1] != matrices.shape[2]:
        raise ValueError(f"covariance must hold square matrices; got shape {matrices.shape}")
    size = np.abs(matrices).max(axis=(1, 2), initial=0.0, keepdims=True)
    if (np.abs(matrices - matrices.transpose(0, 2, 1)) > 1e-9 * size).any():
        raise ValueError("covariance must be symmetric")
    values, vectors = np.linalg.eigh(matrices)
    if (values < -1e-9 * matrices.shape[1] * size[:, 0]).any():
        raise ValueError(f"covariance must have no eigenvalue below zero; got {values.min()}")
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    # root root^T = covariance; of root^T = Q R with Q orthogonal, R^T is triangular and has the same square. LAPACK's
    # Cholesky would fail on singular matrices, and with K <= D members all covariances are singular.
    upper: FloatArray = np.asarray(np.linalg.qr(root.transpose(0, 2, 1), mode="r"))
    signs = np.where(np.einsum("nii->ni", upper) < 0, -1.0, 1.0)
    factors: FloatArray = np.tril((upper * signs[:, :, None]).transpose(0, 2, 1))
    return factors
