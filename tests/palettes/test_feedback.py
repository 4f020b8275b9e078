"""Error feedback against a plain programme of the same, and against rounding to nearest."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from palettes.feedback_samples import BITS, VALUES, weights_of
from pocketlens.base.errors import UsageError
from pocketlens.palettes.feedback import (
    Hessian,
    back_in_place,
    code_with_feedback,
    energy,
    fit_values,
    in_order,
    normal_equations,
    prepare_hessian,
)

Floats = NDArray[np.float64]


def correlated(groups: int, columns: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(groups, 4 * columns, columns)) @ rng.normal(size=(columns, columns))
    return np.matmul(mixed.transpose(0, 2, 1), mixed) / mixed.shape[1]


def loss(errors: NDArray[np.float32], hessian: Hessian, worth: Floats) -> float:
    covariance = np.repeat(hessian.covariance, len(errors) // len(hessian.order), axis=0)
    e = errors.astype(np.float64)
    return float((worth * np.einsum("oc,ocd,od->o", e, covariance, e)).sum())


def plainly(
    weights: NDArray[np.float32], hessian: Hessian, worth: Floats, lagrangian: float
) -> NDArray[np.uint8]:
    """The loop of the paper, one weight after the other, in double precision."""
    groups = len(hessian.order)
    indices = np.zeros(weights.shape, np.uint8)
    for o, row in enumerate(weights.astype(np.float64)):
        factor = hessian.factor[o // (len(weights) // groups)].astype(np.float64)
        for j in range(len(row)):
            costs = worth[o] * ((row[j] - VALUES) / factor[j, j]) ** 2 + lagrangian * BITS
            indices[o, j] = costs.argmin()
            error = (row[j] - VALUES[indices[o, j]]) / factor[j, j]
            row[j:] -= error * factor[j, j:]
    return indices


@pytest.mark.parametrize(
    ("groups", "outputs", "columns"), [(1, 1, 1), (1, 5, 3), (1, 17, 40), (3, 6, 33), (6, 6, 9)]
)
@pytest.mark.parametrize("lagrangian", [0.0, 0.05])
def test_it_is_the_loop_of_the_paper(
    groups: int, outputs: int, columns: int, lagrangian: float
) -> None:
    hessian = prepare_hessian(correlated(groups, columns, 1), damping=0.01)
    weights = weights_of(outputs, columns, 2)
    worth = np.random.default_rng(3).uniform(0.5, 2, outputs)
    coding = code_with_feedback(
        weights, hessian, worth=worth, values=VALUES, lengths_bits=BITS, lagrangian=lagrangian
    )
    expected = plainly(weights, hessian, worth, lagrangian)
    # Single precision may tip a choice that is all but a tie, and what follows from it.
    same_rows = (coding.indices == expected).all(axis=1)
    assert same_rows.mean() > 0.8
    assert coding.distortion == pytest.approx(
        loss(weights - VALUES[coding.indices], hessian, worth), rel=1e-3
    )


def test_feedback_beats_rounding_to_nearest() -> None:
    hessian = prepare_hessian(correlated(1, 48, 4), damping=0.01)
    weights = weights_of(20, 48, 5)
    worth = np.ones(20)
    coding = code_with_feedback(
        weights, hessian, worth=worth, values=VALUES, lengths_bits=BITS, lagrangian=0.0
    )
    nearest = np.abs(weights[:, :, None] - VALUES).argmin(axis=2)
    rounded = loss(weights - VALUES[nearest], hessian, worth)
    assert coding.distortion < 0.7 * rounded


def test_factors_invert_their_matrices() -> None:
    hessian = prepare_hessian(correlated(3, 20, 6), damping=0.01)
    factor = hessian.factor.astype(np.float64)
    product = np.matmul(np.matmul(factor.transpose(0, 2, 1), factor), hessian.covariance)
    assert np.abs(product - np.eye(20)).max() < 1e-3
    variance = np.einsum("gii->gi", hessian.covariance)
    assert (np.diff(variance, axis=1) <= 1e-6).all()


def test_columns_go_there_and_back() -> None:
    rows = np.arange(24, dtype=np.uint8).reshape(4, 6)
    order = np.array([[3, 1, 0, 2, 5, 4], [5, 4, 3, 2, 1, 0]])
    there = in_order(rows.astype(np.float32), order)
    assert there[0].tolist() == [3, 1, 0, 2, 5, 4]
    assert there[3].tolist() == [23, 22, 21, 20, 19, 18]
    assert (back_in_place(there.astype(np.uint8), order) == rows).all()


def test_refitted_values_are_the_least_squares() -> None:
    hessian = prepare_hessian(correlated(2, 10, 7), damping=0.01)
    weights = weights_of(8, 10, 8)
    worth = np.linspace(0.5, 2, 8)
    indices = np.random.default_rng(9).integers(0, 7, weights.shape).astype(np.uint8)
    matrix, vector = normal_equations(weights, hessian, worth=worth, indices=indices, size=7)
    values = fit_values(matrix, vector, VALUES)
    follows = float(values @ vector)

    def cost(tried: Floats) -> float:
        return loss((weights - tried[indices]).astype(np.float32), hessian, worth)

    for level in range(7):
        for step in (-0.05, 0.05):
            moved = values.copy()
            moved[level] += step
            assert cost(values) < cost(moved)
    product = energy(weights, hessian, worth=worth)
    coded = values[indices].astype(np.float32)
    other = energy(weights - coded, hessian, worth=worth) - energy(coded, hessian, worth=worth)
    assert follows == pytest.approx((product - other) / 2, rel=1e-3)


@pytest.mark.parametrize("columns", [1, 9])
def test_dead_and_singular_covariances_are_damped(columns: int) -> None:
    dead = np.zeros((2, columns, columns))
    dead[1, 0, 0] = 3.0
    one = np.ones((1, columns, columns))
    almost = one - 1e-6 * np.eye(columns)  # not quite positive semidefinite
    for covariance in (dead, np.zeros((1, columns, columns)), one, almost):
        hessian = prepare_hessian(covariance, damping=1e-9)
        assert np.isfinite(hessian.factor).all()
        assert (hessian.curvature > 0).all()


def test_what_is_no_covariance_is_refused() -> None:
    for covariance in (
        np.full((1, 2, 2), np.nan),
        np.zeros((2, 2)),
        np.zeros((1, 2, 3)),
        -np.eye(3)[None],
    ):
        with pytest.raises(UsageError) as refusal:
            prepare_hessian(covariance, damping=1e-12)
        assert refusal.value.slug == "bad-covariance"
