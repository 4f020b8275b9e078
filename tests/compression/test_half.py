"""Half precision loses little, and what it loses cancels."""

from __future__ import annotations

import numpy as np

from pocketlens.compression.half import diffused_half, nearest_half


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def test_losses_of_an_output_cancel() -> None:
    w = weights((32, 16, 3, 3))

    def shift(half: np.ndarray) -> np.ndarray:
        return np.abs((w.astype(np.float64) - half).reshape(32, -1).sum(axis=1))

    assert shift(diffused_half(w)).max() < 2**-10
    assert shift(diffused_half(w)).mean() < shift(nearest_half(w)).mean() / 5


def test_no_weight_moves_by_more_than_two_roundings() -> None:
    w = weights((8, 300))
    moved = np.abs(w.astype(np.float64) - diffused_half(w))
    assert (moved <= 2**-11 * np.maximum(np.abs(w), np.abs(w).max())).all()


def test_zeros_stay_and_halves_stay() -> None:
    w = nearest_half(weights((4, 50))).astype(np.float32)
    w[:, ::3] = 0.0
    assert np.array_equal(diffused_half(w), w)


def test_the_largest_half_does_not_overflow() -> None:
    w = np.full((1, 9), 65504.0, np.float32)
    w[0, 1] = 65503.0
    assert np.isfinite(diffused_half(w)).all()
