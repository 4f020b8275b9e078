"""A convolution, its norm and its pool of large maps: the core makes them band by band."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance.engines import CORES, REFERENCE, Engine, float_contents
from pocketlens.base.tolerances import NETWORK
from pocketlens.engine.core import CoreEngine
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Network

from .test_operators import assert_close

POOLS: tuple[dict[str, Any], ...] = (
    {"kernel": (3, 3), "strides": (2, 2)},
    {"kernel": (2, 2), "strides": (2, 2), "pads": (1, 1, 1, 1)},
    {"kernel": (3, 2), "strides": (1, 1), "pads": (2, 0, 0, 1)},
    {"kernel": (2, 3), "strides": (5, 3), "ceil_mode": 1},
    {"kernel": (3, 3), "strides": (4, 2), "pads": (2, 2, 2, 2), "dilations": (2, 1)},
    {"kernel": (90, 90)},
    {"kernel": (1, 1), "strides": (40, 40)},
)
"""Windows that overlap, that leave rows out, that see all."""


def network(
    pool: str, attributes: dict[str, Any], *, channels: int = 3, groups: int = 1
) -> Network:
    """90 x 90 pixels and 96 channels, or a row and column more: 3 MB."""
    rng = np.random.default_rng(len(pool))
    builder = Builder()
    x = builder.input("x", (1, channels, 90, 90))
    w = rng.standard_normal((96, channels // groups, 3, 3)).astype(np.float32)
    w, b = builder.tensor("w", w), builder.tensor("b", rng.random(96, np.float32))
    y = builder.add("conv2d", x, w, b, groups=groups, pads=(1, 1, 1, 1), activation="relu")
    norm = {"size": 5, "alpha": 0.5, "beta": 0.75, "bias": 2.0}
    y = (
        builder.add("grouped_lrn", y, groups=2, **norm)
        if pool == "max_pool"
        else (builder.add("lrn", y, **norm))
    )
    more = {"count_include_pad": 1} if pool == "avg_pool" else {}
    return builder.network(outputs=(builder.add(pool, y, **attributes, **more),))


def picture(made: Network) -> np.ndarray:
    shape = made.graph.shapes["x"]
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("engine", CORES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("pool", ["max_pool", "avg_pool"])
@pytest.mark.parametrize("attributes", POOLS, ids=str)
def test_bands_are_the_whole(attributes: dict[str, Any], pool: str, engine: Engine) -> None:
    if engine.emulated and attributes is not POOLS[0]:
        pytest.skip("an emulator takes its time")
    contents = float_contents(network(pool, attributes))
    (expected,) = REFERENCE.run(contents, [picture(network(pool, attributes))])
    (found,) = engine.run(contents, [picture(network(pool, attributes))])
    assert_close(found, expected, NETWORK)


@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (32, 2), (17, 1)])
def test_of_gray_and_of_maps(channels: int, groups: int) -> None:
    made = network("max_pool", POOLS[0], channels=channels, groups=groups)
    (expected,) = REFERENCE.run(float_contents(made), [picture(made)])
    for engine in CORES:
        if not engine.emulated:
            assert_close(engine.run(float_contents(made), [picture(made)])[0], expected, NETWORK)


def test_maps_between_take_no_memory_and_threads_change_nothing() -> None:
    made = network("max_pool", POOLS[0])
    between = tuple(node.output for node in made.graph.nodes)
    told = replace(made, graph=replace(made.graph, outputs=between))
    one = CoreEngine(float_contents(made))
    assert one.memory()["arena"] * 2 < CoreEngine(float_contents(told)).memory()["arena"]
    (alone,) = one.run([picture(made)])
    (shared,) = CoreEngine(float_contents(made), threads=3).run([picture(made)])
    np.testing.assert_array_equal(alone, shared)
    assert_close(CoreEngine(float_contents(told)).run([picture(made)])[-1], alone, NETWORK)
