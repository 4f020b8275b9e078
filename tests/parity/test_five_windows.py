"""Five windows of the last convolution's map: the same as crops where nothing is padded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from conformance.engines import CORES, REFERENCE, Array, Engine, float_contents
from pocketlens.base.errors import ModelError
from pocketlens.base.tolerances import NETWORK
from pocketlens.graph.build import Builder
from pocketlens.graph.five_windows import find_last_conv, five_windows
from pocketlens.graph.graph import Network
from pocketlens.graph.shapes import check_graph
from pocketlens.lensfile.contents import LensContents

from .test_operators import assert_close

End = Callable[[Builder, str], str]
SIDE, CLASSES, CHANNELS = 29, 7, 20
NORM = {"size": 5, "alpha": 0.5, "beta": 0.75, "bias": 2.0}


def weights(builder: Builder, *shape: int) -> str:
    seed = sum(shape) + len(shape)
    values = np.random.default_rng(seed).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return builder.tensor(f"t{seed}-{'x'.join(map(str, shape))}", values.astype(np.float32))


def network(end: End, *, pad: int = 0) -> Network:
    """conv, grouped norm, pool, conv: steps of 4 pixels, a map of 5 x 5 or 6 x 6; then `end`."""
    builder = Builder()
    x = builder.input("x", (1, 3, SIDE, SIDE))
    y = builder.add("conv2d", x, weights(builder, 12, 3, 3, 3), strides=(2, 2),
                    pads=(pad,) * 4, activation="relu")  # fmt: skip
    y = builder.add("grouped_lrn", y, groups=2, **NORM)
    y = builder.add("max_pool", y, kernel=(2, 2), strides=(2, 2), name="pooled")
    y = builder.add("conv2d", y, weights(builder, CHANNELS, 6, 3, 3), groups=2,
                    pads=(pad,) * 4, activation="relu", name="last")  # fmt: skip
    return builder.network(outputs=(end(builder, y),))


def connected(builder: Builder, y: str) -> str:
    """Full connect right after the map, and another."""
    count = int(np.prod(builder.shape(y)))
    y = builder.add("reshape", y, shape=(1, count))
    y = builder.add("linear", y, weights(builder, 11, count), activation="relu")
    return builder.add("linear", y, weights(builder, CLASSES, 11))


def normed(builder: Builder, y: str) -> str:
    y = builder.add("lrn", y, **NORM)
    y = builder.add("avg_pool", y, kernel=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
    return connected(builder, y)


def mean(builder: Builder, y: str) -> str:
    y = builder.add("reduce", y, kind="mean", axes=(2, 3), keepdims=0)
    return builder.add("softmax", builder.add("linear", y, weights(builder, CLASSES, CHANNELS)),
                       axis=1)  # fmt: skip


ENDS = (connected, normed, mean)


def on_windows(made: Network, height: int, width: int) -> LensContents:
    graph = five_windows(made.graph, find_last_conv(made.graph), height, width)
    check_graph(graph)
    return replace(float_contents(made), graph=graph)


def picture(height: int, width: int) -> Array:
    rng = np.random.default_rng(height * width)
    return rng.uniform(-1, 1, (1, 3, height, width)).astype(np.float32)


def reference(contents: LensContents, x: Array) -> Array:
    (rows,) = REFERENCE.run(contents, [x])
    return rows


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("more", [(8, 4), (4, 12), (0, 4), (0, 0), (20, 0)])
def test_without_padding_a_window_is_a_crop(end: End, more: tuple[int, int]) -> None:
    made = network(end)
    assert find_last_conv(made.graph).step == 4
    whole = picture(SIDE + more[0], SIDE + more[1])
    rows = reference(on_windows(made, *whole.shape[2:]), whole)
    low, right = (by // 4 for by in more)
    places = [(0, 0), (0, right), (low // 2, right // 2), (low, 0), (low, right)]
    crops = [whole[:, :, 4 * y : 4 * y + SIDE, 4 * x : 4 * x + SIDE] for y, x in places]
    contents = float_contents(made)
    assert_close(rows, np.concatenate([reference(contents, crop) for crop in crops]), NETWORK)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_within_the_map_a_border_sees_pixels(end: End) -> None:
    made = network(end, pad=1)
    whole = picture(SIDE + 8, SIDE + 8)
    rows = reference(on_windows(made, *whole.shape[2:]), whole)
    crop = reference(float_contents(made), whole[:, :, 4:-4, 4:-4])
    assert np.abs(rows[2] - crop[0]).max() > 1e-3


@pytest.mark.parametrize("engine", CORES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_the_core_does_as_the_reference(end: End, engine: Engine) -> None:
    contents = on_windows(network(end, pad=1), SIDE + 8, SIDE + 4)
    whole = picture(SIDE + 8, SIDE + 4)
    (rows,) = engine.run(contents, [whole])
    assert rows.shape == (5, CLASSES)
    assert_close(rows, reference(contents, whole), NETWORK)


def test_a_pool_that_sees_all_of_the_patch_goes_on() -> None:
    builder = Builder()
    x = builder.input("x", (1, 3, 8, 8))
    y = builder.add("max_pool", x, kernel=(8, 8), strides=(2, 2))
    y = builder.add("conv2d", y, weights(builder, 8, 3, 1, 1), activation="relu")
    made = builder.network(outputs=(connected(builder, y),))
    whole = picture(8, 10)
    rows = reference(on_windows(made, 8, 10), whole)
    crops = [reference(float_contents(made), whole[:, :, :, x : x + 8]) for x in (0, 2)]
    assert_close(rows, np.concatenate([crops[i] for i in (0, 1, 0, 0, 1)]), NETWORK)


def gated(builder: Builder, y: str) -> str:
    gate = builder.add("reduce", y, kind="mean", axes=(2, 3), keepdims=1, name="squeeze")
    y = builder.add("binary", y, gate, kind="mul")
    return mean(builder, builder.add("conv2d", y, weights(builder, CHANNELS, CHANNELS, 1, 1)))


def skipped(builder: Builder, y: str) -> str:
    early = builder.add("max_pool", "pooled", kernel=(7, 7), name="early")
    early = builder.add("reshape", early, shape=(1, 12))
    y = builder.add("reduce", y, kind="mean", axes=(2, 3), keepdims=0)
    return builder.add("concat", y, early, axis=1)


def ranked(builder: Builder, y: str) -> str:
    y = builder.add("transpose", mean(builder, y), perm=(1, 0), name="mixes_rows")
    return builder.add("reshape", y, shape=(1, CLASSES))


def stopped(builder: Builder, y: str) -> str:
    return y


@pytest.mark.parametrize(
    ("end", "named"),
    [(gated, "squeeze"), (skipped, "early"), (ranked, "mixes_rows"), (stopped, "last")],
)
def test_the_first_node_in_the_way_is_named(end: End, named: str) -> None:
    with pytest.raises(ModelError, match=f"node '{named}") as refused:
        on_windows(network(end), SIDE + 4, SIDE + 4)
    assert refused.value.slug == "cannot-slide"


def test_a_network_without_convolution_is_refused() -> None:
    builder = Builder()
    x = builder.input("x", (1, 3, 4, 4))
    made = builder.network(outputs=(connected(builder, x),))
    with pytest.raises(ModelError, match="has none"):
        on_windows(made, 4, 4)


def test_a_smaller_picture_is_refused() -> None:
    with pytest.raises(ModelError, match="smaller than its window"):
        on_windows(network(connected), SIDE - 4, SIDE)
