"""Which function lowers which ONNX operator: one table, filled by the files of ops/."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.values import Value

Lowered = Value | Sequence[Value]
Lowering = Callable[[Site], Lowered]


@dataclass(frozen=True)
class Entry:
    """How one operator is lowered.

    lower          makes the operator's outputs: one value, or a sequence of them
    fewest, most   inputs that the operator takes, absent optional ones counted
    """

    lower: Lowering
    fewest: int
    most: int


TABLE: dict[str, Entry] = {}


def lowers(*operators: str, inputs: tuple[int, int]) -> Callable[[Lowering], Lowering]:
    """Enter the decorated function in the table; `inputs` are the fewest and the most."""

    def enter(lower: Lowering) -> Lowering:
        for operator in operators:
            TABLE[operator] = Entry(lower, *inputs)
        return lower

    return enter


WHY_NOT: dict[str, str] = {
    "ArgMax": "it answers with one class number; cut it off and hand out the scores instead",
    "TopK": "it sorts the answers; cut it off and hand out the scores instead",
    "NonMaxSuppression": "it belongs to object detection, and Pocketlens does classifiers",
    "If": "graphs inside graphs are not followed; export with a fixed input shape",
    "Loop": "graphs inside graphs are not followed; export with a fixed input shape",
    "Scan": "graphs inside graphs are not followed; export with a fixed input shape",
    "LSTM": "recurrent networks are not pictures' classifiers",
    "GRU": "recurrent networks are not pictures' classifiers",
    "RNN": "recurrent networks are not pictures' classifiers",
    "ConvTranspose": "classifiers shrink pictures, they do not grow them",
    "QuantizeLinear": "activations stay float here; import the float model",
    "DequantizeLinear": "activations stay float here; import the float model",
    "DynamicQuantizeLinear": "activations stay float here; import the float model",
    "QLinearConv": "it computes with 8-bit activations; import the float model",
    "QLinearMatMul": "it computes with 8-bit activations; import the float model",
    "ConvInteger": "it computes with 8-bit activations; import the float model",
    "MatMulInteger": "it computes with 8-bit activations; import the float model",
    "NonZero": "its result's shape depends on the picture",
    "Einsum": "export with a newer opset or write it as MatMul and Transpose",
}
"""Operators that people do meet, and why they are not imported."""


def why_unsupported(operator: str, domain: str) -> str:
    """The end of a sentence: why there is no such lowering, and what stands near it."""
    if domain:
        return f"operators of the domain '{domain}' are not imported; export with plain ONNX ones"
    if operator in WHY_NOT:
        return WHY_NOT[operator]
    near = difflib.get_close_matches(operator, TABLE, n=3, cutoff=0.5)
    if near:
        return f"supported with a similar name: {', '.join(near)}"
    return f"supported are {', '.join(sorted(TABLE))}"
