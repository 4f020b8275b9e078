"""Error feedback along outputs too, against a plain programme of the same and dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from palettes.feedback_samples import BITS, VALUES, weights_of
from pocketlens.palettes.both_ways import (
    Between,
    code_both_ways,
    energy_both_ways,
    fit_values_both_ways,
    prepare_between,
)
from pocketlens.palettes.feedback import Hessian, code_with_feedback, prepare_hessian

Floats = NDArray[np.float64]


def product(size: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(4 * size, size)) @ rng.normal(size=(size, size))
    made: Floats = mixed.T @ mixed / (4.0 * size)
    return made + 0.05 * np.trace(made) / size * np.eye(size)


def posed(outputs: int, columns: int) -> tuple[NDArray[np.float32], Hessian, Between]:
    weights = weights_of(outputs, columns, 5)
    hessian = prepare_hessian(product(columns, 1)[None], damping=0.01)
    between = prepare_between(product(outputs, 2))
    assert between is not None
    return weights, hessian, between


def plainly(
    weights: NDArray[np.float32], hessian: Hessian, between: Between, lagrangian: float
) -> NDArray[np.uint8]:
    """Column by column, output by output, in double precision."""
    across, down = hessian.factor[0].astype(np.float64), between.factor.astype(np.float64)
    left = weights.astype(np.float64)
    indices = np.zeros(weights.shape, np.uint8)
    for j in range(left.shape[1]):
        moving = left[:, j].copy()
        for o in range(len(left)):
            costs = ((moving[o] - VALUES) / (down[o, o] * across[j, j])) ** 2 + lagrangian * BITS
            indices[o, j] = costs.argmin()
            moving[o:] -= (moving[o] - VALUES[indices[o, j]]) / down[o, o] * down[o, o:]
        error = (left[:, j] - VALUES[indices[:, j]]) / across[j, j]
        left[:, j:] -= np.outer(error, across[j, j:])
    return indices


@pytest.mark.parametrize(("outputs", "columns"), [(1, 1), (1, 5), (4, 1), (9, 7), (21, 37)])
@pytest.mark.parametrize("lagrangian", [0.0, 0.05])
def test_it_is_the_plain_loop(outputs: int, columns: int, lagrangian: float) -> None:
    weights, hessian, between = posed(outputs, columns)
    coding = code_both_ways(
        weights, hessian, between, values=VALUES, lengths_bits=BITS, lagrangian=lagrangian
    )
    expected = plainly(weights, hessian, between, lagrangian)
    # Single precision may tip a choice that is all but a tie, and what follows from it.
    assert (coding.indices == expected).mean() > 0.9
    assert coding.distortion == pytest.approx(
        energy_both_ways(weights - VALUES[coding.indices], hessian, between), rel=1e-3
    )


def test_outputs_that_do_not_go_together_are_coded_as_ever() -> None:
    weights, hessian, _ = posed(18, 33)
    worth = np.linspace(2, 0.5, 18)
    between = prepare_between(np.diag(worth))
    assert between is not None
    both = code_both_ways(
        weights, hessian, between, values=VALUES, lengths_bits=BITS, lagrangian=0.02
    )
    one = code_with_feedback(
        weights, hessian, worth=worth, values=VALUES, lengths_bits=BITS, lagrangian=0.02
    )
    assert (both.indices == one.indices).mean() > 0.97
    assert both.distortion == pytest.approx(one.distortion, rel=1e-2)


def test_knowing_how_outputs_go_together_loses_less() -> None:
    weights, hessian, between = posed(32, 48)
    both = code_both_ways(
        weights, hessian, between, values=VALUES, lengths_bits=BITS, lagrangian=0.0
    )
    one = code_with_feedback(
        weights, hessian, worth=np.diagonal(between.gram).astype(np.float64),
        values=VALUES, lengths_bits=BITS, lagrangian=0.0,
    )  # fmt: skip
    lost = energy_both_ways(weights - VALUES[one.indices], hessian, between)
    assert both.distortion < 0.8 * lost


def test_fitted_values_lose_the_least() -> None:
    weights, hessian, between = posed(12, 20)
    indices = np.random.default_rng(7).integers(0, len(VALUES), weights.shape).astype(np.uint8)
    found, follows = fit_values_both_ways(weights, hessian, between, indices=indices, values=VALUES)
    whole = np.kron(between.gram.astype(np.float64), hessian.covariance[0].astype(np.float64))
    chosen = np.eye(len(VALUES))[indices.reshape(-1)]
    matrix = chosen.T @ whole @ chosen
    ridge = 1e-3 * chosen.T @ np.diagonal(whole)
    expected = np.linalg.solve(
        matrix + np.diag(ridge), chosen.T @ whole @ weights.reshape(-1) + ridge * VALUES
    )
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)
    assert follows == pytest.approx(
        float(weights.reshape(-1) @ whole @ chosen @ found), rel=1e-4, abs=1e-4
    )


def test_what_is_not_positive_definite_is_not_factored() -> None:
    assert prepare_between(np.array([[1.0, 2.0], [2.0, 1.0]])) is None
