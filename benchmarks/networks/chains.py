"""Networks of the old kind as ONNX models with random weights: windows one after the other, then
full connects.

AlexNet is Krizhevsky's "One weird trick" (arXiv:1404.5997) as it is usually drawn. Klaus's network
is ccv's topology "matt" of 2014: on the phone its two hidden full connects had 2048 outputs, ccv's
default has 4096; a patch of 225 x 225 is what ccv cuts from 257 x 257. Local response normalisation
is taken over all channels, for ONNX has no groups: ccv takes it over each half, at the same cost.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pocketlens.graph.graph import Graph, Node
from pocketlens.networks.build import chain
from pocketlens.networks.layers import Convolution, FullConnect, Layer, MaxPool
from pocketlens.networks.published import PUBLISHED

CLASSES = 1000
OPSET, IR_VERSION = 17, 9

ALEXNET: tuple[Layer, ...] = (
    Convolution(64, 11, 4, 2),
    MaxPool(),
    Convolution(192, 5, 1, 2),
    MaxPool(),
    Convolution(384, 3),
    Convolution(256, 3),
    Convolution(256, 3),
    MaxPool(),
    FullConnect(4096),
    FullConnect(4096),
    FullConnect(CLASSES, relu=False),
)


def alexnet() -> onnx.ModelProto:
    """Input (1, 3, 224, 224)."""
    return as_onnx("alexnet", chain(ALEXNET, side=224))


def klaus(hidden: int) -> onnx.ModelProto:
    """Input (1, 3, 225, 225), with `hidden` outputs in each of the two hidden full connects."""
    layers = PUBLISHED["matt"]
    counts = iter((hidden, hidden, CLASSES))
    told = (replace(each, count=next(counts)) if isinstance(each, FullConnect) else each
            for each in layers)  # fmt: skip
    return as_onnx(f"klaus-{hidden}", chain(tuple(told)))


def as_onnx(name: str, graph: Graph, *, seed: int = 0) -> onnx.ModelProto:
    """A chain as an ONNX model; weights are random numbers from the seed."""
    made = Chain(seed)
    for node in graph.nodes:
        shapes = [graph.shapes[given] for given in node.inputs[1:]]
        kind, attributes = _in_onnx(node, graph)
        made.add(kind, *shapes, **attributes)
        if node.attributes.get("activation") == "relu":
            made.add("Relu")
    return made.model(name, graph.shapes[graph.inputs[0]][-1])


def _in_onnx(node: Node, graph: Graph) -> tuple[str, dict[str, object]]:
    """The operator and its attributes."""
    given = node.attributes
    match node.op:
        case "conv2d":
            kernel = list(graph.shapes[node.inputs[1]][2:])
            return "Conv", {"kernel_shape": kernel, "strides": given["strides"],
                            "pads": given["pads"], "group": given["groups"]}  # fmt: skip
        case "grouped_lrn":
            return "LRN", {name: given[name] for name in ("size", "bias", "alpha", "beta")}
        case "max_pool":
            return "MaxPool", {"kernel_shape": given["kernel"], "strides": given["strides"]}
        case "reshape":
            return "Flatten", {}
        case "linear":
            return "Gemm", {"transB": 1}
    raise ValueError(f"'{node.op}' stands in no chain")


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
