"""What makes a model a classifier: one picture in, one score a class out."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import onnx

from pocketlens.base.errors import ModelError
from pocketlens.graph.graph import Network, Node, Shape
from pocketlens.graph.passes.simplify import simplify
from pocketlens.importers.imported import Imported, Scores
from pocketlens.importers.onnx.files import load
from pocketlens.importers.onnx.lowering import input_shape as shape_of_input
from pocketlens.importers.onnx.lowering import lower_graph
from pocketlens.labels.labels import Label

_LICENCE_KEYS = ("license", "licence", "license_name", "model_license")
_NAME_KEYS = ("names", "classes", "class_names", "labels", "id2label")
_MOVES = ("reshape", "transpose")


def read(path: Path, *, input_shape: Shape | None) -> Imported:
    """Read the classifier in `path`; reader.read_onnx says how."""
    file = load(path)
    model, source = file.model, path.name
    info = _only_input(model, source)
    shape = _input_shape(info, input_shape, source)
    channels_last = _has_channels_last(shape)
    network = lower_graph(model, source=source, input_shapes={info.name: shape})
    if len(network.graph.outputs) != 1:
        raise _not_a_classifier(
            source, f"{len(network.graph.outputs)} outputs ({', '.join(network.graph.outputs)})"
        )
    if channels_last:
        network = _with_channels_first(network)
    network = simplify(_with_flat_output(network, source))
    graph = network.graph
    classes = graph.shapes[graph.outputs[0]][1]
    metadata = {entry.key.lower(): entry.value for entry in model.metadata_props}
    return Imported(
        network=network,
        name=path.stem,
        source_name=source,
        source_sha256=file.sha256,
        scores=_scores(network),
        input_shape=graph.shapes[graph.inputs[0]],
        licence=next((metadata[key] for key in _LICENCE_KEYS if metadata.get(key)), ""),
        labels=_labels(metadata, classes),
        source_nodes=len(model.graph.node),
    )


def _only_input(model: onnx.ModelProto, source: str) -> onnx.ValueInfoProto:
    """The one input that is not a weight (old files list their weights as inputs too)."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(info.name for info in inputs) or "none"
        raise _not_a_classifier(source, f"{len(inputs)} inputs ({names})")
    return inputs[0]


def _input_shape(info: onnx.ValueInfoProto, wanted: Shape | None, source: str) -> Shape:
    if not info.type.HasField("tensor_type"):
        raise _not_a_classifier(source, f"an input '{info.name}' that is not a tensor")
    shape = shape_of_input(info, wanted, source=source)
    if len(shape) != 4:
        raise _not_a_classifier(source, f"an input of shape {shape}, which is not a picture")
    if shape[0] != 1:
        raise ModelError(
            f"'{source}' was exported for {shape[0]} pictures at once. Export it with a free batch "
            f"axis, or try input_shape={(1, *shape[1:])}.",
            slug="fixed-batch",
        )
    return shape


def _has_channels_last(shape: Shape) -> bool:
    """(1, H, W, 3), as TensorFlow has it."""
    return shape[1] not in (1, 3) and shape[3] in (1, 3)


def _with_channels_first(network: Network) -> Network:
    """The same network, for a picture (1, C, H, W): a transpose in front."""
    graph = network.graph
    name = graph.inputs[0]
    n, height, width, channels = graph.shapes[name]
    first = f"{name}/channels_first"
    shapes = {**graph.shapes, first: (n, channels, height, width)}
    taken = {node.name for node in graph.nodes}
    label = next(
        n for n in (f"{name}/channels_last", f"{name}/to_channels_last.") if n not in taken
    )
    node = Node("transpose", label, (first,), name, {"perm": (0, 2, 3, 1)})
    return Network(
        replace(graph, inputs=(first,), nodes=(node, *graph.nodes), shapes=shapes), network.tensors
    )


def _with_flat_output(network: Network, source: str) -> Network:
    """The same network with its answer as (1, classes)."""
    graph = network.graph
    name = graph.outputs[0]
    shape = graph.shapes[name]
    if len(shape) == 2 and shape[0] == 1 and shape[1] > 1:
        return network
    if not (len(shape) == 4 and shape[0] == 1 and shape[1] > 1 and shape[2:] == (1, 1)):
        raise _not_a_classifier(source, f"an output '{name}' of shape {shape}")
    flat = f"{name}/flat"
    node = Node("reshape", flat, (name,), flat, {"shape": shape[:2]})
    shapes = {**graph.shapes, flat: shape[:2]}
    return Network(
        replace(graph, outputs=(flat,), nodes=(*graph.nodes, node), shapes=shapes), network.tensors
    )


def _not_a_classifier(source: str, seen: str) -> ModelError:
    return ModelError(
        f"'{source}' is not an image classifier: it has {seen}. Expected is one picture "
        "(1, channels, height, width) in and one score a class (1, classes) out.",
        slug="not-a-classifier",
    )


def _scores(network: Network) -> Scores:
    """Whether the last node that computes anything is a softmax over the classes."""
    made = {node.output: node for node in network.graph.nodes}
    node = made.get(network.graph.outputs[0])
    while node is not None and node.op in _MOVES:
        node = made.get(node.inputs[0])
    if node is None or node.op != "softmax" or node.attributes["log"]:
        return "logits"
    return "probabilities"


def _labels(metadata: dict[str, str], classes: int) -> tuple[Label, ...]:
    """Names of the classes where the file has as many as there are outputs."""
    for key in _NAME_KEYS:
        names = _names(metadata.get(key, ""))
        if len(names) == classes:
            return tuple(Label(name) for name in names)
    return ()


def _names(text: str) -> list[str]:
    """A list or a mapping from numbers, as JSON or as Python prints it; or one name a line."""
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, dict):
            value = _in_order(value)
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return value
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _in_order(names: dict[object, object]) -> list[object]:
    """Values by the numbers 0, 1, 2, ... that are their keys."""
    numbered = {str(key): name for key, name in names.items()}
    return [numbered.get(str(number)) for number in range(len(numbered))]
