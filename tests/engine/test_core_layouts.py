"""Networks made to meet every layout decision: blocks, halos, concats in place, shuffles, tails."""

from __future__ import annotations

import math
import random
import struct

import numpy as np
import pytest

from lens_samples import FUSED, palette_tensor, small_lens
from pocketlens.base.tolerances import NETWORK
from pocketlens.engine.core import CoreEngine, targets
from pocketlens.engine.reference import ReferenceEngine
from pocketlens.graph.graph import AttributeValue, Graph, Node, Shape
from pocketlens.lensfile.contents import LensContents, TensorRecord


class Sketch:
    """A graph under construction; every method gives the name of what it makes."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {}
        self.tensors: list[TensorRecord] = []

    def value(self, shape: Shape) -> str:
        name = f"v{len(self.shapes)}"
        self.shapes[name] = shape
        return name

    def add(
        self, op: str, inputs: tuple[str, ...], made: Shape, **attributes: AttributeValue
    ) -> str:
        name = self.value(made)
        self.nodes.append(Node(op, f"{op} {name}", inputs, name, attributes))
        return name

    def constant(self, shape: Shape) -> str:
        name = self.value(shape)
        dice = random.Random(name)
        data = struct.pack(
            f"<{math.prod(shape)}f", *(dice.uniform(-1, 1) for _ in range(math.prod(shape)))
        )
        self.tensors.append(TensorRecord(name, shape, "float", "a test", values=data))
        return name

    def weight(self, shape: Shape) -> str:
        name = self.value(shape)
        self.tensors.append(palette_tensor(name, shape, size=13, bits=4))
        return name

    def conv(self, x: str, outputs: int, *, kernel: int = 1, residual: str = "") -> str:
        n, channels, height, width = self.shapes[x]
        w = self.weight((outputs, channels, kernel, kernel))
        inputs = (x, w, "", residual) if residual else (x, w)
        return self.add(
            "conv2d", inputs, (n, outputs, height, width), **{**FUSED, "activation": "relu"},
            strides=(1, 1), pads=(kernel // 2,) * 4, dilations=(1, 1), groups=1,
        )  # fmt: skip

    def concat(self, *parts: str) -> str:
        n, _, height, width = self.shapes[parts[0]]
        channels = sum(self.shapes[part][1] for part in parts)
        return self.add("concat", parts, (n, channels, height, width), axis=1)

    def binary(self, kind: str, a: str, b: str, shape: Shape) -> str:
        return self.add("binary", (a, b), shape, kind=kind, **FUSED)

    def unary(self, x: str, activation: str) -> str:
        return self.add("unary", (x,), self.shapes[x], activation=activation, alpha=0.0, beta=0.0)

    def reshape(self, x: str, shape: Shape) -> str:
        return self.add("reshape", (x,), shape, shape=shape)

    def contents(self, inputs: tuple[str, ...], *outputs: str) -> LensContents:
        read = [name for node in self.nodes for name in node.inputs]
        tensors = sorted(self.tensors, key=lambda record: read.index(record.name))
        graph = Graph(inputs, outputs, tuple(self.nodes), self.shapes)
        sample = small_lens()
        return LensContents("sketch", graph, tuple(tensors), (), sample.recipe)


def shuffle(channels: int, groups: int) -> LensContents:
    s = Sketch()
    x = s.value((1, 5, 6, 7))
    a = s.conv(x, channels, kernel=3)
    parts = s.reshape(a, (1, groups, channels // groups, 6, 7))
    swapped = s.add(
        "transpose", (parts,), (1, channels // groups, groups, 6, 7), perm=(0, 2, 1, 3, 4)
    )
    return s.contents((x,), s.conv(s.reshape(swapped, (1, channels, 6, 7)), 4))


def channel_norm(channels: int, *, read_twice: bool = False) -> LensContents:
    """A layer norm of each pixel's channels; where what is between is read again, by copies."""
    s = Sketch()
    x = s.value((1, 5, 6, 7))
    a = s.conv(x, channels, kernel=3)
    there = s.add("transpose", (a,), (1, 6, 7, channels), perm=(0, 2, 3, 1))
    scale, bias = s.constant((channels,)), s.constant((channels,))
    norm = s.add("layer_norm", (there, scale, bias), (1, 6, 7, channels), axis=3, epsilon=1e-6)
    back = s.add("transpose", (norm,), (1, channels, 6, 7), perm=(0, 3, 1, 2))
    return s.contents((x,), s.conv(back, 4), *((norm,) if read_twice else ()))


def squeezed(
    channels: int, *, kernel: int = 1, first: bool = False, twice: bool = False
) -> LensContents:
    """Channels times factors of their own, for a convolution alone or for another reader, too."""
    s = Sketch()
    x = s.value((1, 3, 8, 7))
    a = s.conv(x, channels, kernel=3)
    pooled = s.add("reduce", (a,), (1, channels, 1, 1), kind="mean", keepdims=1, axes=(2, 3))
    factors = s.unary(s.conv(pooled, channels), "sigmoid")
    pair = (factors, a) if first else (a, factors)
    product = s.binary("mul", *pair, s.shapes[a])
    out = s.conv(product, 20, kernel=kernel)
    return s.contents((x,), out, *((product,) if twice else ()))


def concats(first: int, second: int) -> LensContents:
    """A part that is read again, a part that comes twice, and a unary that might run in place."""
    s = Sketch()
    x = s.value((1, 3, 9, 5))
    a, b = s.conv(x, first), s.conv(x, second, kernel=3)
    inner = s.concat(a, b, a)
    outer = s.concat(inner, b)
    again = s.unary(b, "tanh")
    return s.contents((x,), s.unary(outer, "sigmoid"), s.conv(again, 2), a)


def concat_of_input() -> LensContents:
    s = Sketch()
    x = s.value((1, 16, 4, 4))
    a = s.conv(x, 16)
    return s.contents((x,), s.concat(x, a, x), s.unary(x, "neg"))


def broadcasts(channels: int) -> LensContents:
    """Each kind of operand, on either side."""
    s = Sketch()
    shape = (1, channels, 5, 6)
    x = s.value((1, 3, 5, 6))
    a = s.conv(x, channels)
    pooled = s.add("reduce", (a,), (1, channels, 1, 1), kind="mean", keepdims=1, axes=(2, 3))
    b = s.binary("mul", a, s.conv(pooled, channels), shape)
    c = s.binary("sub", s.constant((channels, 1, 1)), b, shape)
    d = s.binary("add", c, s.constant((1, 1, 5, 6)), shape)
    e = s.binary("max", s.constant((1,)), d, shape)
    f = s.binary("prelu", e, s.constant((1, channels, 1, 1)), shape)
    g = s.binary("min", f, s.constant((1, 1, 5, 1)), shape)
    h = s.binary("add", g, a, shape)
    return s.contents((x,), h, s.binary("mul", h, h, shape))


def slices(channels: int) -> LensContents:
    s = Sketch()
    x = s.value((1, 3, 6, 6))
    a = s.conv(x, channels)
    half = channels // 2
    full = {"steps": (1, 1, 1, 1)}
    low = s.add("slice", (a,), (1, half, 6, 6), starts=(0, 0, 0, 0), sizes=(1, half, 6, 6), **full)
    high = s.add(
        "slice", (a,), (1, half, 6, 6), starts=(0, half, 0, 0), sizes=(1, half, 6, 6), **full
    )
    odd = s.add(
        "slice", (a,), (1, half, 6, 3), starts=(0, 1, 0, 5), sizes=(1, half, 6, 3),
        steps=(1, 2, 1, -2),
    )  # fmt: skip
    return s.contents((x,), s.concat(high, low), odd)


def residuals() -> LensContents:
    s = Sketch()
    x = s.value((1, 20, 6, 6))
    a = s.conv(x, 20, kernel=3)
    b = s.conv(a, 20, kernel=3, residual=a)
    return s.contents((x,), s.conv(b, 20, residual=x))


def tail() -> LensContents:
    """Reshapes, activations and two readers in the part that runs for all images at once."""
    s = Sketch()
    x = s.value((1, 4, 2, 3))
    flat = s.reshape(s.conv(x, 5), (1, 30))
    a = s.add("linear", (flat, s.weight((17, 30))), (1, 17), **{**FUSED, "activation": "relu"})
    b = s.unary(a, "tanh")
    c = s.add("linear", (s.reshape(b, (1, 1, 17)), s.weight((9, 17))), (1, 1, 9), **FUSED)
    d = s.add("linear", (flat, s.weight((9, 30))), (1, 9), **FUSED)
    e = s.add("softmax", (s.reshape(c, (1, 9)),), (1, 9), axis=1, log=0)
    return s.contents((x,), e, a, flat, d)


def rows_only() -> LensContents:
    """Nothing but a tail."""
    s = Sketch()
    x = s.value((1, 30))
    a = s.add("linear", (x, s.weight((33, 30))), (1, 33), **FUSED)
    return s.contents((x,), s.add("softmax", (a,), (1, 33), axis=1, log=1), x)


SKETCHES = {
    "shuffle 24 by 3": shuffle(24, 3),
    "shuffle 32 by 2": shuffle(32, 2),
    "channel norm 40": channel_norm(40),
    "channel norm 3": channel_norm(3),
    "channel norm 16, read twice": channel_norm(16, read_twice=True),
    "squeezed 40": squeezed(40),
    "squeezed 21, factors first": squeezed(21, first=True),
    "squeezed 32, 3x3 windows": squeezed(32, kernel=3),
    "squeezed 24, read twice": squeezed(24, twice=True),
    "concat 16 32": concats(16, 32),
    "concat 16 5": concats(16, 5),
    "concat 3 20": concats(3, 20),
    "concat of an input": concat_of_input(),
    "broadcasts 16": broadcasts(16),
    "broadcasts 21": broadcasts(21),
    "slices 32": slices(32),
    "slices 26": slices(26),
    "residuals": residuals(),
    "tail": tail(),
    "rows only": rows_only(),
}


@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize("name", SKETCHES)
def test_layouts_change_nothing(name: str, target: str) -> None:
    contents = SKETCHES[name]
    (given,) = contents.graph.inputs
    shape = contents.graph.shapes[given]
    x = np.random.default_rng(4).uniform(-1, 1, (21, *shape[1:])).astype(np.float32)
    expected = ReferenceEngine(contents).run([x])
    one = CoreEngine(contents, target=target).run([x])
    many = CoreEngine(contents, target=target, threads=3).run([x])
    for seen, again, wanted in zip(one, many, expected, strict=True):
        assert np.abs(seen - wanted).max() <= NETWORK * np.abs(wanted).max()
        assert np.array_equal(seen, again)
