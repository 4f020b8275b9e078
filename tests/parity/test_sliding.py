"""A network that slides over a larger picture answers, place by place, as it does on crops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from conformance.engines import CORES, REFERENCE, Array, Engine, float_contents
from pocketlens.base.errors import ModelError
from pocketlens.base.tolerances import NETWORK
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Network
from pocketlens.graph.shapes import check_graph
from pocketlens.graph.sliding import find_last_map, slide
from pocketlens.lensfile.contents import LensContents

from .test_operators import assert_close

SIDE = 20
CLASSES = 7
End = Callable[[Builder, str], str]


def weights(builder: Builder, *shape: int) -> str:
    """A new tensor, drawn by its shape."""
    rng = np.random.default_rng(sum(shape))
    values = rng.standard_normal(shape).astype(np.float32) / np.sqrt(np.prod(shape[1:]) or 1)
    name = "w" + "x".join(map(str, shape))
    return builder.tensor(name, np.ascontiguousarray(values, np.float32))


def body(builder: Builder, *, pad: int = 0) -> str:
    """Maps of 24 channels, 4x4 and 4 pixels apart: what may stand before the pooling."""
    x = builder.input("x", (1, 3, SIDE, SIDE))
    y = builder.add(
        "conv2d",
        x,
        weights(builder, 16, 3, 4, 4),
        strides=(2, 2),
        activation="relu",
        pads=(pad,) * 4,
    )
    y = builder.add("max_pool", y, kernel=(3, 3), strides=(2, 2), pads=(pad,) * 4)
    y = builder.add("binary", y, weights(builder, 1, 16, 1, 1), kind="mul")
    z = builder.add("conv2d", y, weights(builder, 16, 16, 1, 1), activation="relu")
    y = builder.add("binary", y, z, kind="add")
    y = builder.add("lrn", y, size=5, alpha=0.5, beta=0.75, bias=1.0)
    y = builder.add("grouped_lrn", y, size=3, alpha=0.5, beta=0.75, bias=1.0, groups=2)
    part = builder.add(
        "slice", y, starts=(0, 4, 0, 0), sizes=(1, 8, *builder.shape(y)[2:]), steps=(1, 1, 1, 1)
    )
    return builder.add("concat", y, part, axis=1)


def mean(builder: Builder, y: str) -> str:
    y = builder.add("reduce", y, kind="mean", axes=(2, 3), keepdims=0)
    return builder.add("linear", y, weights(builder, CLASSES, 24))


def largest(builder: Builder, y: str) -> str:
    y = builder.add("reduce", y, kind="max", axes=(2, 3), keepdims=1)
    y = builder.add("conv2d", y, weights(builder, CLASSES, 24, 1, 1))
    return builder.add("reshape", y, shape=(1, CLASSES))


def pooled(builder: Builder, y: str) -> str:
    y = builder.add("avg_pool", y, kernel=builder.shape(y)[2:], strides=(2, 2))
    y = builder.add("reshape", y, shape=(1, 24))
    y = builder.add("linear", y, weights(builder, CLASSES, 24), activation="relu")
    y = builder.add("binary", y, weights(builder, 1, CLASSES), kind="add")
    return builder.add("softmax", y, axis=1)


def flattened(builder: Builder, y: str) -> str:
    count = int(np.prod(builder.shape(y)))
    y = builder.add("reshape", y, shape=(1, count))
    return builder.add("linear", y, weights(builder, CLASSES, count))


def convolved(builder: Builder, y: str) -> str:
    size = builder.shape(y)[2:]
    y = builder.add("conv2d", y, weights(builder, CLASSES, 24, *size))
    y = builder.add("softmax", y, axis=1)
    return builder.add("reshape", y, shape=(1, CLASSES))


ENDS = (mean, largest, pooled, flattened, convolved)


def network(end: End, *, pad: int = 0) -> Network:
    builder = Builder()
    return builder.network(outputs=(end(builder, body(builder, pad=pad)),))


def slid(made: Network, height: int, width: int) -> LensContents:
    contents = float_contents(made)
    graph = slide(made.graph, find_last_map(made.graph), height, width)
    check_graph(graph)
    return replace(contents, graph=graph)


def picture(height: int, width: int) -> Array:
    rng = np.random.default_rng(height * width)
    return rng.uniform(-1, 1, (1, 3, height, width)).astype(np.float32)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_without_padding_a_place_is_a_crop(end: End) -> None:
    made = network(end)
    last = find_last_map(made.graph)
    assert last.step == (4, 4)
    whole = picture(SIDE + 4, SIDE + 8 + 3)  # 3 pixels make no step
    (rows,) = REFERENCE.run(slid(made, *whole.shape[2:]), [whole])
    places = [(0, 0), (0, 4), (0, 8), (4, 0), (4, 4), (4, 8)]
    crops = [whole[:, :, y : y + SIDE, x : x + SIDE] for y, x in places]
    contents = float_contents(made)
    expected = np.concatenate([REFERENCE.run(contents, [crop])[0] for crop in crops])
    assert_close(rows, expected, NETWORK)


@pytest.mark.parametrize("engine", CORES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_the_core_slides_as_the_reference_does(end: End, engine: Engine) -> None:
    made = network(end, pad=1)
    whole = picture(SIDE + 8, SIDE + 4)
    contents = slid(made, *whole.shape[2:])
    (expected,) = REFERENCE.run(contents, [whole])
    (rows,) = engine.run(contents, [whole])
    assert rows.shape == (6, CLASSES)
    assert_close(rows, expected, NETWORK)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_on_its_own_size_it_answers_as_ever(end: End) -> None:
    made = network(end, pad=1)
    whole = picture(SIDE, SIDE)
    (expected,) = REFERENCE.run(float_contents(made), [whole])
    (rows,) = REFERENCE.run(slid(made, SIDE, SIDE), [whole])
    assert_close(rows, expected, NETWORK)


def excited(builder: Builder, y: str) -> str:
    gate = builder.add("reduce", y, kind="mean", axes=(2, 3), keepdims=1, name="squeeze")
    return mean(builder, builder.add("binary", y, gate, kind="mul"))


def attended(builder: Builder, y: str) -> str:
    y = builder.add("reshape", y, shape=(1, 24, 16), name="to_tokens")
    y = builder.add("reduce", y, kind="mean", axes=(2,), keepdims=0)
    return builder.add("linear", y, weights(builder, CLASSES, 24))


def placed(builder: Builder, y: str) -> str:
    size = builder.shape(y)[2:]
    return mean(builder, builder.add("binary", y, weights(builder, 1, 24, *size), kind="add",
                                     name="every_place_its_own"))  # fmt: skip


def ranked(builder: Builder, y: str) -> str:
    y = builder.add("transpose", mean(builder, y), perm=(1, 0), name="mixes_rows")
    return builder.add("reshape", y, shape=(1, CLASSES))


@pytest.mark.parametrize(
    ("end", "named"),
    [
        (excited, "squeeze"),
        (attended, "to_tokens"),
        (placed, "every_place_its_own"),
        (ranked, "mixes_rows"),
    ],
)
def test_the_first_node_in_the_way_is_named(end: End, named: str) -> None:
    with pytest.raises(ModelError, match=f"'{named}'") as refused:
        slid(network(end), SIDE + 4, SIDE + 4)
    assert refused.value.slug == "cannot-slide"


def test_a_smaller_picture_is_refused() -> None:
    with pytest.raises(ModelError, match="smaller than its window"):
        slid(network(mean), SIDE - 4, SIDE)
