"""A TensorFlow.js graph model of a network: what its converter makes, written by ourselves.

TensorFlow.js reads a GraphDef as JSON beside a file of weights. Convolutions carry their bias and
activation (_FusedConv2D), as the converter's grappler passes leave them; all is NHWC.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.graph.graph import Network, Node

TOPOLOGY, WEIGHTS = "model.json", "weights.bin"
Array = NDArray[Any]


def _text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def _numbers(values: tuple[int, ...]) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


class _Writer:
    """Nodes and weights as they come."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.weights: list[tuple[str, Array]] = []

    def node(self, op: str, name: str, inputs: list[str], **attributes: Any) -> str:
        kind = {"T": {"type": "DT_FLOAT"}}
        self.nodes.append({"name": name, "op": op, "input": inputs, "attr": kind | attributes})
        return name

    def constant(self, name: str, value: Array) -> str:
        kind = {"type": "DT_FLOAT" if value.dtype == np.float32 else "DT_INT32"}
        dims = [{"size": str(size)} for size in value.shape]
        tensor = {"tensor": {"dtype": kind["type"], "tensorShape": {"dim": dims}}}
        self.nodes.append({"name": name, "op": "Const", "attr": {"dtype": kind, "value": tensor}})
        self.weights.append((name, np.ascontiguousarray(value)))
        return name


def graph_model(network: Network) -> dict[str, bytes]:
    """model.json and weights.bin. Takes the operators of SqueezeNet and MobileNetV2."""
    graph, writer = network.graph, _Writer()
    for name in graph.inputs:
        batch, channels, height, width = graph.shapes[name]
        dims = [{"size": str(size)} for size in (batch, height, width, channels)]
        shape = {"shape": {"shape": {"dim": dims}}, "dtype": {"type": "DT_FLOAT"}}
        writer.nodes.append({"name": name, "op": "Placeholder", "attr": shape})
    for node in graph.nodes:
        _OPS[node.op](writer, node, network)
    entries = [
        {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
        for name, value in writer.weights
    ]
    document = {
        "format": "graph-model",
        "modelTopology": {"node": writer.nodes, "versions": {"producer": 1}},
        "weightsManifest": [{"paths": [WEIGHTS], "weights": entries}],
    }
    blob = b"".join(value.tobytes() for _, value in writer.weights)
    return {TOPOLOGY: json.dumps(document).encode(), WEIGHTS: blob}


def _fused(node: Node) -> dict[str, Any]:
    """Bias and activation of a node."""
    names = {"none": [], "relu": ["Relu"], "clip": ["Relu6"]}[str(node.attributes["activation"])]
    assert names != ["Relu6"] or (node.attributes["alpha"], node.attributes["beta"]) == (0, 6)
    ops = [_text(name)["s"] for name in ("BiasAdd", *names)]
    return {"fused_ops": {"list": {"s": ops}}, "num_args": {"i": "1"}, "epsilon": {"f": 0.0001}}


def _conv2d(writer: _Writer, node: Node, network: Network) -> None:
    source, weight_name, bias, *residual = node.inputs
    weight = network.tensors[weight_name]
    pads = node.attributes["pads"]
    assert isinstance(pads, tuple)
    strides, groups = node.attributes["strides"], node.attributes["groups"]
    assert isinstance(strides, tuple) and node.attributes["dilations"] == (1, 1)
    padding = _padding(network.graph.shapes[source][2:], weight.shape[2:], strides, pads)
    if padding == "EXPLICIT":
        top, left, bottom, right = pads
        around = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        table = writer.constant(f"{node.output}/pads", around)
        source, padding = writer.node("Pad", f"{node.output}/pad", [source, table]), "VALID"
    depthwise = groups != 1
    assert not depthwise or (groups == weight.shape[0] and weight.shape[1] == 1)
    # OIHW becomes HWIO; for depthwise O1HW becomes HWO1.
    moved = weight.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    inputs = [source, writer.constant(weight_name, moved),
              writer.constant(bias, network.tensors[bias])]  # fmt: skip
    op = "FusedDepthwiseConv2dNative" if depthwise else "_FusedConv2D"
    attributes = {"strides": _numbers((1, *strides, 1)), "padding": _text(padding),
                  "data_format": _text("NHWC"), "dilations": _numbers((1, 1, 1, 1))}  # fmt: skip
    made = f"{node.output}/conv" if residual else node.output
    writer.node(op, made, inputs, **attributes, **_fused(node))
    if residual:
        assert node.attributes["activation"] == "none"
        writer.node("AddV2", node.output, [made, *residual])


def _padding(
    size: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...]
) -> str:
    if not any(pads):
        return "VALID"
    needed = [
        max(0, (-(-n // step) - 1) * step + k - n)
        for n, k, step in zip(size, kernel, strides, strict=True)
    ]
    same = tuple(n // 2 for n in needed) + tuple(n - n // 2 for n in needed)
    return "SAME" if same == pads else "EXPLICIT"


def _max_pool(writer: _Writer, node: Node, network: Network) -> None:
    kernel, strides = node.attributes["kernel"], node.attributes["strides"]
    assert isinstance(kernel, tuple) and isinstance(strides, tuple)
    assert not any(node.attributes["pads"]) and node.attributes["dilations"] == (1, 1)  # type: ignore[arg-type]
    sizes = network.graph.shapes[node.inputs[0]][2:], network.graph.shapes[node.output][2:]
    for size, made, k, step in zip(*sizes, kernel, strides, strict=True):
        assert made == (size - k) // step + 1
    attributes = {"ksize": _numbers((1, *kernel, 1)), "strides": _numbers((1, *strides, 1)),
                  "padding": _text("VALID"), "data_format": _text("NHWC")}  # fmt: skip
    writer.node("MaxPool", node.output, [node.inputs[0]], **attributes)


def _concat(writer: _Writer, node: Node, network: Network) -> None:
    assert node.attributes["axis"] == 1 and len(network.graph.shapes[node.output]) == 4
    axis = writer.constant(f"{node.output}/axis", np.array(3, np.int32))
    writer.node("ConcatV2", node.output, [*node.inputs, axis], N={"i": str(len(node.inputs))})


def _reduce(writer: _Writer, node: Node, network: Network) -> None:
    assert node.attributes["kind"] == "mean" and node.attributes["axes"] == (2, 3)
    assert len(network.graph.shapes[node.inputs[0]]) == 4
    axes = writer.constant(f"{node.output}/axes", np.array([1, 2], np.int32))
    writer.node("Mean", node.output, [node.inputs[0], axes], keep_dims={"b": True})


def _reshape(writer: _Writer, node: Node, network: Network) -> None:
    assert network.graph.shapes[node.inputs[0]][2:] == (1, 1)  # else NHWC would mix values up
    shape = np.array(network.graph.shapes[node.output], np.int32)
    target = writer.constant(f"{node.output}/shape", shape)
    writer.node("Reshape", node.output, [node.inputs[0], target])


def _linear(writer: _Writer, node: Node, network: Network) -> None:
    source, weight, bias = node.inputs
    inputs = [source, writer.constant(weight, network.tensors[weight].T),
              writer.constant(bias, network.tensors[bias])]  # fmt: skip
    plain = {"transpose_a": {"b": False}, "transpose_b": {"b": False}}
    writer.node("_FusedMatMul", node.output, inputs, **plain, **_fused(node))


_OPS = {"conv2d": _conv2d, "max_pool": _max_pool, "concat": _concat, "reduce": _reduce,
        "reshape": _reshape, "linear": _linear}  # fmt: skip
