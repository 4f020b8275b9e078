"""How much fine-tuning networks get follows from the network alone, and is bounded."""

from __future__ import annotations

import numpy as np

from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Graph
from pocketlens.tuning.effort import (
    FEWEST_PASSES,
    FEWEST_PHOTOS,
    MOST_PASSES,
    MOST_PHOTOS,
    WORK,
    WORK_A_VALUE,
    default_passes,
    photos_for_tuning,
)

PRODUCTS = 9 * 8 * 8 * 16 * 16
VALUES = 8 * 16 * 16


def graph(times: int = 1) -> Graph:
    """So many convolutions of 3x3 of 8 channels at 16x16."""
    build = Builder()
    x = build.input("x", (1, 8, 16, 16))
    w = build.tensor("w", np.zeros((8, 8, 3, 3), np.float32))
    for _ in range(times):
        x = build.add("conv2d", x, w, pads=(1, 1, 1, 1))
    return build.network(outputs=(x,)).graph


def test_work_is_what_is_bounded() -> None:
    work = 1000 * (PRODUCTS + WORK_A_VALUE * VALUES)
    for photos in (200, 1000, 5000):
        passes = default_passes(graph(1000), photos)
        assert passes * photos * work <= WORK < (passes + 1) * photos * work


def test_both_ends() -> None:
    assert default_passes(graph(), 10) == MOST_PASSES
    assert default_passes(graph(1000), 10**9) == 1
    assert photos_for_tuning(graph()) == MOST_PHOTOS
    assert photos_for_tuning(graph(40_000)) == FEWEST_PHOTOS
    middle = photos_for_tuning(graph(2000))
    assert FEWEST_PHOTOS < middle < MOST_PHOTOS
    assert default_passes(graph(2000), middle * 3 // 8) in (FEWEST_PASSES, FEWEST_PASSES + 1)
