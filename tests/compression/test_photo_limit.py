"""As many photos as they cost little, and never fewer than some hundred."""

from __future__ import annotations

import numpy as np
import pytest

from pocketlens.compression.photo_limit import FEWEST, MOST, photo_limit
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Graph
from pocketlens.images.presets import preset


def chain(side: int, inputs: int, outputs: int) -> Graph:
    """A full connect layer over a picture's mean, after a convolution to `inputs` maps."""
    build = Builder()
    x = build.input("x", (1, 3, side, side))
    maps = build.add("conv2d", x, build.tensor("first", np.zeros((inputs, 3, 1, 1), np.float32)))
    means = build.add("reduce", maps, kind="mean", axes=(2, 3), keepdims=0)
    last = build.tensor("last", np.zeros((outputs, inputs), np.float32))
    return build.network(outputs=(build.add("linear", means, last),)).graph


@pytest.mark.parametrize(
    ("side", "inputs", "outputs", "photos"),
    [
        (32, 64, 10, MOST),  # small pictures, few weights
        (224, 64, 10, FEWEST),  # large pictures
        (32, 1024, 1000, FEWEST),  # many weights
        (96, 64, 10, FEWEST * 224 * 224 // 96**2),  # in between: pixels decide
        (32, 512, 1000, FEWEST * 5 * 10**8 // (1000 * 512**2 + 512 * 9)),  # weights decide
    ],
)
def test_what_a_photo_costs_decides(side: int, inputs: int, outputs: int, photos: int) -> None:
    graph = chain(side, inputs, outputs)
    assert photo_limit(graph, preset("unit", height=side, width=side, channels=3)) == photos
