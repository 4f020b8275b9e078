"""What a network weighs and takes, against figures counted by hand."""

from __future__ import annotations

import numpy as np

from pocketlens.graph.build import Builder
from pocketlens.graph.costs import multiply_adds, parameters


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_a_small_network_by_hand() -> None:
    build = Builder()
    x = build.input("x", (1, 4, 8, 8))
    x = build.add(
        "conv2d", x, build.tensor("w", zeros(6, 2, 3, 3)), build.tensor("b", zeros(6)), groups=2
    )
    x = build.add("max_pool", x, kernel=(2, 2), strides=(2, 2))
    x = build.add("reshape", x, shape=(1, 54))
    x = build.add("linear", x, build.tensor("v", zeros(5, 54)))
    graph = build.network(outputs=(x,)).graph
    assert parameters(graph) == 6 * 2 * 3 * 3 + 6 + 5 * 54
    assert multiply_adds(graph) == 6 * 6 * 6 * (2 * 3 * 3) + 5 * 54


def test_a_product_of_arrays() -> None:
    build = Builder()
    a, b = build.input("a", (3, 4, 5)), build.input("b", (5, 7))
    graph = build.network(outputs=(build.add("matmul", a, b),)).graph
    assert (parameters(graph), multiply_adds(graph)) == (0, 3 * 4 * 7 * 5)
