"""Palette indices whose errors cancel in the layer's output: error feedback under a Hessian.

The cost of an error e in the weights of output o is worth_o x e' C e, with C the covariance of the
layer's input. Indices are chosen column by column, the weightiest column first; the error of each
is made good by the weights after it (core/src/palette/feedback.h), and its bits count too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.palettes import _kmeans

Floats = NDArray[np.float64]

_ATTEMPTS = 12


@dataclass(frozen=True)
class Hessian:
    """What error feedback needs to know of a layer's input; a group is a run of outputs.

    order        (groups, columns): columns by falling variance
    factor       float32 (groups, columns, columns): U with U'U the inverse of the damped
                 covariance in that order, upper triangular
    covariance   float32, likewise: damped, in that order
    """

    order: NDArray[np.int64]
    factor: NDArray[np.float32]
    covariance: NDArray[np.float32]

    @property
    def curvature(self) -> Floats:
        """(groups, columns): cost of a squared error after what later columns make good."""
        diagonal: Floats = np.einsum("gii->gi", self.factor).astype(np.float64)
        return 1.0 / (diagonal * diagonal)


@dataclass(frozen=True)
class Coding:
    """Indices, in the Hessian's order of columns.

    indices     uint8 (outputs, columns)
    targets     float32 (outputs, columns): what each weight had become when its index was chosen
    distortion  sum of worth x e' C e
    """

    indices: NDArray[np.uint8]
    targets: NDArray[np.float32]
    distortion: float


def prepare_hessian(covariance: Floats, *, damping: float) -> Hessian:
    """Order, damp and factor a covariance.

    covariance  float64 (groups, columns, columns), symmetric, positive semidefinite or nearly so
    damping     above 0: what is added to the diagonal, as a part of its mean

    Where the matrix is still not positive definite in double precision, the damping is raised
    tenfold until it is; columns without any variance then have a little. Raises UsageError
    'bad-covariance' where it is not finite or not square.
    """
    if covariance.ndim != 3 or covariance.shape[1] != covariance.shape[2]:
        raise UsageError(
            f"A covariance has shape (groups, columns, columns), not {covariance.shape}.",
            slug="bad-covariance",
        )
    if not np.isfinite(covariance).all():
        raise UsageError(
            "A covariance has elements that are NaN or infinite: a photo drove the network out "
            "of range, or the network is damaged.",
            slug="bad-covariance",
        )
    variance = np.einsum("gii->gi", covariance)
    order = np.argsort(-variance, axis=1, kind="stable")
    sorted_rows = np.take_along_axis(covariance, order[:, :, None], axis=1)
    ordered = np.take_along_axis(sorted_rows, order[:, None, :], axis=2)
    ordered = (ordered + ordered.transpose(0, 2, 1)) / 2
    means = np.maximum(variance.mean(axis=1), 1e-6 * max(float(variance.mean()), 0.0))
    means = np.where(means > 0, means, 1.0)  # nothing known: all columns alike
    for _ in range(_ATTEMPTS):
        damped = ordered + np.eye(ordered.shape[1]) * (damping * means)[:, None, None]
        factor = inverse_factor(damped)
        if factor is not None:
            return Hessian(order, factor, np.ascontiguousarray(damped, np.float32))
        damping *= 10
    raise UsageError(
        "A covariance is far from positive semidefinite: it is not the covariance of anything.",
        slug="bad-covariance",
    )


def code_with_feedback(
    weights: NDArray[np.float32],
    hessian: Hessian,
    *,
    worth: Floats,
    values: NDArray[np.float32],
    lengths_bits: NDArray[np.float32],
    lagrangian: float,
) -> Coding:
    """Choose indices for the least sum of worth x e' C e + lagrangian x bits, column by column.

    weights       float32 (outputs, columns), columns in the Hessian's order (see in_order)
    worth         (outputs,), above 0
    values        float32 (k,) ascending, 1 <= k <= 256; lengths_bits (k,): bits of an index
    lagrangian    not negative; 0: the nearest value, whatever its bits
    """
    indices, targets, distortion, _ = _kmeans.code_rows(
        weights, worth, hessian.factor, values, lengths_bits, lagrangian
    )
    shape = weights.shape
    return Coding(indices.reshape(shape), targets.reshape(shape), distortion)


def normal_equations(
    weights: NDArray[np.float32],
    hessian: Hessian,
    *,
    worth: Floats,
    indices: NDArray[np.uint8],
    size: int,
) -> tuple[Floats, Floats]:
    """Matrix (k, k) and vector (k,) of the least squares for the palette values v.

    indices  uint8 (outputs, columns), as they are; size: k, at most 256
    The sum of worth x (w - q)' C (w - q), q being v[indices], is least where matrix v = vector;
    vector v is the sum of worth x w' C q. Those of several layers' parts may be added.
    """
    matrix, vector = _kmeans.normal_equations(weights, worth, hessian.covariance, indices, size)
    return matrix.reshape(size, size), vector


def fit_values(matrix: Floats, vector: Floats, values: NDArray[np.float32]) -> Floats:
    """Solve normal equations; where the data do not decide, values stay near these (k,)."""
    even = (matrix + matrix.T) / 2
    ridge = 1e-3 * np.diag(even) + 1e-12 * float(np.trace(even)) + 1e-300
    return np.linalg.solve(even + np.diag(ridge), vector + ridge * values).astype(np.float64)


def energy(weights: NDArray[np.float32], hessian: Hessian, *, worth: Floats) -> float:
    """Sum of worth x w' C w: what the layer's output varies."""
    groups = len(hessian.covariance)
    grouped = weights.reshape(groups, -1, weights.shape[1])
    through = np.matmul(grouped, hessian.covariance)
    each = np.einsum("goc,goc->go", grouped, through, dtype=np.float64)
    return float((each.reshape(-1) * worth).sum())


def in_order(rows: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float32]:
    """Columns (outputs, columns) in the order (groups, columns) of their group."""
    return np.ascontiguousarray(np.take_along_axis(rows, _by_output(rows, order), axis=1))


def back_in_place(rows: NDArray[np.uint8], order: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Undo in_order, for indices."""
    out = np.empty_like(rows)
    np.put_along_axis(out, _by_output(rows, order), rows, axis=1)
    return out


def _by_output(
    rows: NDArray[np.float32] | NDArray[np.uint8], order: NDArray[np.int64]
) -> NDArray[np.int64]:
    return np.repeat(order, len(rows) // len(order), axis=0)


def inverse_factor(matrices: Floats) -> NDArray[np.float32] | None:
    """Upper U with U'U = inverse of each matrix; None where one is not positive definite.

    With the rows and columns reversed, A = L L'; so A = V V' with V upper, and U is V's inverse.
    """
    try:
        lower = np.linalg.cholesky(matrices[:, ::-1, ::-1])
    except np.linalg.LinAlgError:
        return None
    upper = lower[:, ::-1, ::-1]
    identity = np.eye(matrices.shape[1])
    factor = np.linalg.solve(upper, np.broadcast_to(identity, matrices.shape))
    if not np.isfinite(factor).all() or not (np.einsum("gii->gi", factor) > 0).all():
        return None
    return np.ascontiguousarray(np.triu(factor), np.float32)
