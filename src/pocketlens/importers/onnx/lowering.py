"""A ModelProto to a Network, node by node: constants fold, everything else is looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError
from pocketlens.graph.graph import AttributeValue, Network, Shape
from pocketlens.graph.passes.simplify import simplify
from pocketlens.graph.shapes import check_shape
from pocketlens.importers.onnx import ops as ops  # fills the registry
from pocketlens.importers.onnx.builder import Builder, check_finite
from pocketlens.importers.onnx.folding import Folder
from pocketlens.importers.onnx.registry import TABLE, Entry, why_unsupported
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.values import Array, Constant, Value, is_float, words

OLDEST_OPSET = 7
"""Before it, broadcasting was an attribute and had other rules."""

# Operators that only move numbers about (or make floats of them) may see whole numbers.
_TAKE_INTEGERS = words(
    "Cast Concat DepthToSpace Dropout Expand Flatten Gather Identity Reshape Slice SpaceToDepth "
    "Split Squeeze Transpose Unsqueeze"
)


def lower(
    model: onnx.ModelProto,
    *,
    source: str,
    input_shapes: Mapping[str, Shape] | None,
    simplified: bool,
) -> Network:
    """The network that `model` describes; reader.lower_model says how."""
    network = lower_graph(model, source=source, input_shapes=input_shapes)
    return simplify(network) if simplified else network


def lower_graph(
    model: onnx.ModelProto, *, source: str, input_shapes: Mapping[str, Shape] | None = None
) -> Network:
    """The network that `model` describes, unsimplified, with any number of inputs and outputs.

    source        what to call the file in sentences
    input_shapes  for inputs whose shape the file leaves open, or should be another one
    Raises ModelError, which names the node.
    """
    # What overflows or is not a number is found where it becomes a tensor (builder.float32).
    with np.errstate(all="ignore"):
        return _Lowering(model, source).run(input_shapes or {})


class _Lowering:
    """The state of one walk over a graph: what every name stands for so far."""

    def __init__(self, model: onnx.ModelProto, source: str) -> None:
        self._graph = model.graph
        self._source = source
        self._opset = _opset(model, source)
        self._folder = Folder({"": self._opset})
        self._builder = Builder()
        self._values: dict[str, Value] = {}
        self._unmade: dict[str, str] = {}

    def run(self, input_shapes: Mapping[str, Shape]) -> Network:
        for tensor in self._graph.initializer:
            self._values[tensor.name] = self._initializer(tensor)
        for info in self._graph.input:
            if info.name not in self._values:
                self._values[info.name] = self._input(info, input_shapes.get(info.name))
        for node in self._graph.node:
            self._lower(node)
        return self._builder.network([self._output(info.name) for info in self._graph.output])

    def _initializer(self, tensor: onnx.TensorProto) -> Constant:
        try:
            values = onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise self._bad(f"tensor '{tensor.name}' cannot be read: {error}") from error
        if is_float(values) and values.size > 1:
            try:
                check_finite(values, values.astype(np.float32, copy=False), tensor.name)
            except ModelError as error:
                raise ModelError(f"'{self._source}': {error.sentence}", slug=error.slug) from None
        return Constant(tensor.name, values)

    def _input(self, info: onnx.ValueInfoProto, wanted: Shape | None) -> Array:
        if not info.type.HasField("tensor_type"):
            raise ModelError(
                f"Cannot import '{self._source}': input '{info.name}' is not a tensor "
                "(sequences, maps and optional values are not imported).",
                slug="not-a-tensor",
            )
        kind = info.type.tensor_type.elem_type
        shape = input_shape(info, wanted, source=self._source)
        return self._builder.add_input(info.name, shape, integral=kind not in _FLOAT_KINDS)

    def _lower(self, node: onnx.NodeProto) -> None:
        inputs = [self._value(name, node) if name else None for name in node.input]
        folded = self._fold(node, inputs)
        made = self._emit(node, inputs) if folded is None else folded
        for name, value in zip(node.output, made, strict=False):
            if name:
                self._values[name] = value
        for name in node.output[len(made) :]:
            self._unmade[name] = node.name or node.op_type

    def _fold(self, node: onnx.NodeProto, inputs: Sequence[Value | None]) -> Sequence[Value] | None:
        if node.op_type in ("Shape", "Size"):
            inputs = [_as_if_constant(value) for value in inputs]
        constants: list[NDArray[Any] | None] = []
        for value in inputs:
            if isinstance(value, Array):
                return None
            constants.append(None if value is None else value.values)
        try:
            outputs = self._folder.fold(node, constants)
        except ValueError as error:
            raise self._refuse(node, str(error), slug="not-computable") from error
        if outputs is None:
            return None
        return [Constant(n, v) for n, v in zip(node.output, outputs, strict=False)]

    def _emit(self, node: onnx.NodeProto, inputs: Sequence[Value | None]) -> Sequence[Value]:
        entry = self._entry(node)
        if not entry.fewest <= len(inputs) <= entry.most:
            raise self._refuse(
                node,
                f"it has {len(inputs)} inputs, expected {entry.fewest} to {entry.most}",
                slug="onnx-invalid",
            )
        integral = any(isinstance(value, Array) and value.integral for value in inputs)
        if integral and node.op_type not in _TAKE_INTEGERS:
            raise self._refuse(
                node,
                "it computes with whole numbers; the network has floats only",
                slug="integer-arithmetic",
            )
        since = self._builder.mark()
        site = Site(
            node,
            inputs=inputs,
            opset=self._opset,
            builder=self._builder,
            source=self._source,
        )
        lowered = entry.lower(site)
        values = [lowered] if isinstance(lowered, (Array, Constant)) else list(lowered)
        return [
            self._builder.rename(value, name, since=since) if isinstance(value, Array) else value
            for value, name in zip(values, node.output, strict=False)
        ]

    def _entry(self, node: onnx.NodeProto) -> Entry:
        domain = "" if node.domain == "ai.onnx" else node.domain
        entry = None if domain else TABLE.get(node.op_type)
        if entry is None:
            why = why_unsupported(node.op_type, domain)
            raise self._refuse(
                node, f"this operator is not supported: {why}", slug="unsupported-operator"
            )
        return entry

    def _value(self, name: str, node: onnx.NodeProto) -> Value:
        if name in self._values:
            return self._values[name]
        if name in self._unmade:
            raise self._refuse(
                node,
                f"it reads '{name}', a side output of node '{self._unmade[name]}' that is not "
                "supported",
            )
        raise self._bad(f"node '{node.name or node.op_type}' reads '{name}', which nothing makes")

    def _output(self, name: str) -> Array:
        value = self._values.get(name)
        if value is None:
            raise self._bad(f"output '{name}' is made by nothing that is supported")
        array = (
            self._builder.tensor(value.values, f"{name}.constant")
            if isinstance(value, Constant)
            else value
        )
        if self._builder.is_made(array):
            return array
        # An input or a constant handed out as it is: outputs are always made by a node.
        attributes: dict[str, AttributeValue] = {"activation": "none", "alpha": 0.0, "beta": 0.0}
        return self._builder.emit("unary", [array], attributes, name=name, output=name)

    def _refuse(
        self, node: onnx.NodeProto, why: str, *, slug: str = "unsupported-form"
    ) -> ModelError:
        name = node.name or (node.output[0] if node.output else node.op_type)
        return ModelError(
            f"Cannot import '{self._source}': node '{name}' ({node.op_type}): {why}.", slug=slug
        )

    def _bad(self, why: str) -> ModelError:
        return ModelError(
            f"'{self._source}' is not a valid ONNX model: {why}.", slug="onnx-invalid"
        )


_FLOAT_KINDS = frozenset(
    {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.BFLOAT16,
    }
)


def input_shape(info: onnx.ValueInfoProto, wanted: Shape | None, *, source: str) -> Shape:
    """The static shape of a graph's input: as `wanted`, or as declared, a free batch being 1.

    Raises ModelError 'input-shape-open' where other axes are open too.
    """
    dims = [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in info.type.tensor_type.shape.dim
    ]
    known = info.type.tensor_type.HasField("shape")
    if wanted is not None:
        if known and len(wanted) != len(dims):
            raise ModelError(
                f"'{source}': input '{info.name}' has {len(dims)} axes, but the input shape "
                f"given is {wanted}.",
                slug="input-shape-does-not-fit",
            )
        shape = tuple(wanted)
    else:
        if dims and dims[0] is None:
            dims[0] = 1
        if not known or None in dims:
            shown = ", ".join("?" if dim is None else str(dim) for dim in dims)
            raise ModelError(
                f"'{source}' leaves the shape of its input '{info.name}' open: ({shown}). "
                "Say which, for example input_shape=(1, 3, 224, 224).",
                slug="input-shape-open",
            )
        shape = tuple(dim for dim in dims if dim is not None)
    check_shape(shape, f"input '{info.name}' of '{source}'")
    return shape


def _opset(model: onnx.ModelProto, source: str) -> int:
    newest = onnx.defs.onnx_opset_version()
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    opset = max(versions, default=0)
    if OLDEST_OPSET <= opset <= newest:
        return int(opset)
    cure = (
        f"update the onnx package ({onnx.__version__} knows opsets up to {newest})"
        if opset > newest
        else "convert it with onnx.version_converter"
    )
    raise ModelError(
        f"'{source}' uses ONNX opset {opset}; Pocketlens reads {OLDEST_OPSET} to {newest}: {cure}.",
        slug="onnx-opset",
    )


def _as_if_constant(value: Value | None) -> Value | None:
    """An array of the right shape that takes no memory: shapes are static, values do not matter."""
    if isinstance(value, Array):
        return Constant(value.name, np.broadcast_to(np.float32(0), value.shape))
    return value
