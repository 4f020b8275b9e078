"""Error feedback along a layer's outputs as well as its columns.

The cost of errors E (outputs, columns) is tr(M E C E'): C is the covariance of the layer's input,
M says how its outputs go together. M's diagonal is what each output is worth, as in feedback.py;
what is beside it says whose errors add up in the answer and whose cancel
(core/src/palette/both_ways.h).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.palettes import _kmeans
from pocketlens.palettes.feedback import Coding, Hessian, inverse_factor

Floats = NDArray[np.float64]
Array = NDArray[np.float32]

_STEPS = 16
_PRECISION = 1e-4
_RIDGE = 1e-3


@dataclass(frozen=True)
class Between:
    """How outputs go together, in the order in which they are coded.

    factor  float32 (outputs, outputs): U with U'U the inverse of `gram`, upper triangular
    gram    float32 (outputs, outputs): M, symmetric, positive definite
    """

    factor: Array
    gram: Array

    @property
    def curvature(self) -> Floats:
        """(outputs,): cost of a squared error after what later outputs make good."""
        diagonal = np.diagonal(self.factor).astype(np.float64)
        curvature: Floats = 1.0 / (diagonal * diagonal)
        return curvature


def prepare_between(gram: Floats) -> Between | None:
    """Factor M, (outputs, outputs) in the order of coding; None: not positive definite."""
    factor = inverse_factor(gram[None])
    if factor is None:
        return None
    return Between(factor[0], np.ascontiguousarray(gram, np.float32))


def code_both_ways(
    weights: Array,
    hessian: Hessian,
    between: Between,
    *,
    values: Array,
    lengths_bits: Array,
    lagrangian: float,
) -> Coding:
    """Choose indices for the least tr(M E C E') + lagrangian x bits; see code_with_feedback.

    weights  float32 (outputs, columns), both in the order of coding; the Hessian has one group
    """
    outputs, columns = weights.shape
    indices, targets, distortion, _ = _kmeans.code_grid(
        np.ascontiguousarray(weights.T),
        hessian.factor[0],
        between.factor,
        values,
        lengths_bits,
        lagrangian,
    )
    shape = (columns, outputs)
    return Coding(
        np.ascontiguousarray(indices.reshape(shape).T),
        np.ascontiguousarray(targets.reshape(shape).T),
        distortion,
    )


def through(weights: Array, hessian: Hessian, between: Between) -> Array:
    """M W C, (outputs, columns)."""
    product: Array = between.gram @ (weights @ hessian.covariance[0])
    return product


def energy_both_ways(weights: Array, hessian: Hessian, between: Between) -> float:
    """tr(M W C W'): what the layer's outputs vary, together."""
    return float(np.vdot(weights.astype(np.float64), through(weights, hessian, between)))


def fit_values_both_ways(
    weights: Array, hessian: Hessian, between: Between, *, indices: NDArray[np.uint8], values: Array
) -> tuple[Floats, float]:
    """The palette values v (k,) of the least tr(M (W - Q) C (W - Q)'), Q being v[indices].

    By conjugate gradients from `values` on, near which they stay where the data do not decide.
    Also gives tr(M W C Q').
    """
    flat = indices.reshape(-1)
    size = len(values)

    def summed(of: NDArray[np.floating]) -> Floats:
        return np.bincount(flat, weights=of.reshape(-1), minlength=size).astype(np.float64)

    alone = between.gram.diagonal()[:, None] * hessian.covariance[0].diagonal()[None]
    ridge = _RIDGE * summed(alone) + 1e-300
    scale = 1.0 / ((1.0 + _RIDGE) / _RIDGE * ridge)

    def applied(x: Floats) -> Floats:
        coded = x.astype(np.float32)[indices]
        return summed(through(coded, hessian, between)) + ridge * x

    told = summed(through(weights, hessian, between))
    goal = told + ridge * values
    found = values.astype(np.float64)
    left = goal - applied(found)
    step = scale * left
    power = float(left @ step)
    enough = _PRECISION**2 * float(goal @ (scale * goal))
    for _ in range(_STEPS):
        if power <= enough:
            break
        moved = applied(step)
        length = power / float(step @ moved)
        found = found + length * step
        left = left - length * moved
        drawn = scale * left
        power, before = float(left @ drawn), power
        step = drawn + power / before * step
    return found, float(found @ told)
