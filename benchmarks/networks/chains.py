"""Networks of the old kind as ONNX models with random weights: windows one after the other, then
full connects.

AlexNet is Krizhevsky's "One weird trick" (arXiv:1404.5997) as it is usually drawn. Klaus's network
is ccv's topology "matt" of 2014: on the phone its two hidden full connects had 2048 outputs, ccv's
default has 4096; a patch of 225 x 225 is what ccv cuts from 257 x 257. Local response normalisation
is taken over all channels: ccv takes it over each half of them, at the same cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 1000
OPSET, IR_VERSION = 17, 9
LRN = {"size": 5, "bias": 2.0, "alpha": 5 * 1e-4, "beta": 0.75}
"""ONNX divides alpha by the size; ccv does not."""


@dataclass(frozen=True)
class Window:
    """A convolution and what follows it.

    groups  parts of the channels that see only their own inputs
    """

    outputs: int
    size: int
    stride: int = 1
    border: int = 1
    groups: int = 1
    normalised: bool = False
    pooled: bool = False


ALEXNET = (
    Window(64, 11, 4, 2, pooled=True),
    Window(192, 5, 1, 2, pooled=True),
    Window(384, 3),
    Window(256, 3),
    Window(256, 3, pooled=True),
)
KLAUS = (
    Window(96, 7, 2, normalised=True, pooled=True),
    Window(256, 5, 2, groups=2, normalised=True, pooled=True),
    Window(384, 3),
    Window(384, 3, groups=2),
    Window(256, 3, groups=2, pooled=True),
)
LAST_CONVOLVED = 256 * 6 * 6


def alexnet() -> onnx.ModelProto:
    """Input (1, 3, 224, 224)."""
    return chained("alexnet", ALEXNET, side=224, hidden=4096)


def klaus(hidden: int) -> onnx.ModelProto:
    """Input (1, 3, 225, 225), with `hidden` outputs in each of the two hidden full connects."""
    return chained(f"klaus-{hidden}", KLAUS, side=225, hidden=hidden)


def chained(
    name: str, windows: tuple[Window, ...], *, side: int, hidden: int, seed: int = 0
) -> onnx.ModelProto:
    """Windows, two hidden full connects, 1000 scores; weights are random numbers from the seed."""
    chain = Chain(seed)
    channels = 3
    for window in windows:
        kernel = (window.outputs, channels // window.groups, window.size, window.size)
        chain.add("Conv", kernel, (window.outputs,), kernel_shape=[window.size] * 2,
                  strides=[window.stride] * 2, pads=[window.border] * 4,
                  group=window.groups)  # fmt: skip
        chain.add("Relu")
        if window.normalised:
            chain.add("LRN", **LRN)
        if window.pooled:
            chain.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2])
        channels = window.outputs
    chain.add("Flatten")
    for inputs, outputs in ((LAST_CONVOLVED, hidden), (hidden, hidden), (hidden, CLASSES)):
        chain.add("Gemm", (outputs, inputs), (outputs,), transB=1)
        if outputs != CLASSES:
            chain.add("Relu")
    return chain.model(name, side)


class Chain:
    """Nodes of which each reads the last one's output."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: list[onnx.TensorProto] = []

    def add(self, kind: str, *shapes: tuple[int, ...], **attributes: object) -> None:
        """Append a node with random tensors of these shapes: weights, then a bias."""
        given = self._nodes[-1].output[0] if self._nodes else "picture"
        names = [f"{kind}_{len(self._nodes)}_{i}" for i in range(len(shapes))]
        for name, shape in zip(names, shapes, strict=True):
            spread = math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 0.1
            values = self._random.standard_normal(shape, dtype=np.float32) * np.float32(spread)
            self._tensors.append(numpy_helper.from_array(values, name))
        told = f"value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, [given, *names], [told], **attributes))

    def model(self, name: str, side: int) -> onnx.ModelProto:
        """What was appended, as a model of one square picture."""
        picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, side, side])
        scores = helper.make_tensor_value_info(
            self._nodes[-1].output[0], TensorProto.FLOAT, [1, CLASSES]
        )
        graph = helper.make_graph(self._nodes, name, [picture], [scores], self._tensors)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
