"""One ONNX node, as a lowering sees it: its inputs, its attributes, and where it emits to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError
from pocketlens.graph.graph import AttributeValue
from pocketlens.importers.onnx.builder import Builder
from pocketlens.importers.onnx.values import Array, Constant, Value

_ANONYMOUS = re.compile(r"onnx::\w+_\d+|\d+|val_\d+")
"""Names that an exporter made up for tensors that had lost theirs."""


class Site:
    """Where a lowering works.

    op, name, opset  of the node; the name is never empty
    outputs          names of the node's outputs in the source
    inputs           one value an input, None where an optional one is absent
    """

    def __init__(
        self,
        node: onnx.NodeProto,
        *,
        inputs: Sequence[Value | None],
        opset: int,
        builder: Builder,
        source: str,
    ) -> None:
        self.op: str = node.op_type
        self.outputs: tuple[str, ...] = tuple(node.output)
        self.name: str = node.name or (self.outputs[0] if self.outputs else self.op)
        self.opset = opset
        self.inputs = tuple(inputs)
        self._builder = builder
        self._source = source
        self._attributes = {
            attribute.name: onnx.helper.get_attribute_value(attribute)
            for attribute in node.attribute
        }

    # Inputs

    def has(self, position: int) -> bool:
        """Whether this input is there."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def is_constant(self, position: int) -> bool:
        """Whether this input is there and known at import."""
        return self.has(position) and isinstance(self.inputs[position], Constant)

    def constant(self, position: int, what: str) -> NDArray[Any]:
        """The values of an input that has to be constant; `what` names it in the sentence."""
        value = self.inputs[position] if self.has(position) else None
        if isinstance(value, Constant):
            return value.values
        raise self.refuse(f"its {what} has to be constant, but is computed from the picture")

    def whole(self, position: int, what: str) -> tuple[int, ...]:
        """A constant input as a tuple of whole numbers."""
        values = self.constant(position, what)
        if not np.issubdtype(values.dtype, np.integer):
            raise self.refuse(f"its {what} is not of whole numbers", slug="onnx-invalid")
        return tuple(int(value) for value in values.reshape(-1))

    def array(self, position: int) -> Array:
        """An input as an array; a constant becomes a tensor of the network."""
        value = self.inputs[position] if self.has(position) else None
        if value is None:
            raise self.refuse(f"its input {position} is missing", slug="onnx-invalid")
        if isinstance(value, Array):
            return value
        return self.tensor(value.values, self.tensor_name(position))

    def optional(self, position: int) -> Array | None:
        """An input as an array, or None where it is absent."""
        return self.array(position) if self.has(position) else None

    def tensor_name(self, position: int, role: str = "constant") -> str:
        """What to call the constant at this input: its name in the source where it has one."""
        value = self.inputs[position] if self.has(position) else None
        if isinstance(value, Constant) and not _ANONYMOUS.fullmatch(value.name):
            return value.name
        return f"{self.name.strip('/')}.{role}"

    # Attributes

    def int_of(self, name: str, default: int) -> int:
        """A whole-number attribute."""
        return int(self._attribute(name, default, int))

    def float_of(self, name: str, default: float) -> float:
        """A float attribute."""
        return float(self._attribute(name, default, float))

    def text_of(self, name: str, default: str) -> str:
        """A text attribute."""
        value = self._attribute(name, default.encode(), bytes)
        return str(value.decode("utf-8", "replace"))

    def ints_of(self, name: str) -> tuple[int, ...] | None:
        """A list of whole numbers, or None where the attribute is absent."""
        if name not in self._attributes:
            return None
        value = self._attribute(name, [], list)
        if not all(isinstance(number, int) for number in value):
            raise self.refuse(f"its attribute '{name}' is not a list of whole numbers")
        return tuple(value)

    def floats_of(self, name: str) -> tuple[float, ...] | None:
        """A list of floats, or None where the attribute is absent."""
        if name not in self._attributes:
            return None
        return tuple(float(number) for number in self._attribute(name, [], list))

    def _attribute(self, name: str, default: Any, kind: type) -> Any:
        value = self._attributes.get(name, default)
        if not isinstance(value, kind):
            raise self.refuse(f"its attribute '{name}' is not of type {kind.__name__}")
        return value

    # Emitting

    def emit(self, op: str, *inputs: Array | None, **attributes: AttributeValue) -> Array:
        """Add a node to the network. Names follow the ONNX node's."""
        output = self.outputs[0] if self.outputs else self.op
        try:
            return self._builder.emit(
                op, inputs, attributes, name=self.name.strip("/"), output=f"{output}/{op}"
            )
        except ModelError as error:
            raise self.refuse(error.sentence, slug=error.slug) from None

    def tensor(self, values: NDArray[Any], name: str) -> Array:
        """Keep `values` as a float32 tensor of the network."""
        try:
            return self._builder.tensor(values, name)
        except ModelError as error:
            raise ModelError(f"'{self._source}': {error.sentence}", slug=error.slug) from None

    def scalar(self, value: float, role: str) -> Array:
        """A constant number as a tensor of one element."""
        return self.tensor(np.array([value], np.float64), f"{self.name.strip('/')}.{role}")

    def refuse(self, why: str, *, slug: str = "unsupported-form") -> ModelError:
        """The error to raise: which node of which file, and why."""
        return ModelError(
            f"Cannot import '{self._source}': node '{self.name}' ({self.op}): {why.rstrip('.')}.",
            slug=slug,
        )
