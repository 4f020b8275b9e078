"""ONNX's node cases as the importer meets them: weights, shapes and axes held as constants.

A case is a model of one node (or what it expands to), inputs, expected outputs and tolerances
(onnx.backend.test). Optional second outputs (a pool's indices, a dropout's mask) are cut
off: no classifier reads them. Nothing else of the model is changed.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from .scope import CONSTANT_INPUTS, OPERATORS, why_out


@dataclass(frozen=True)
class Case:
    """One case.

    name      ONNX's
    operator  that it is about; "... expanded" where it is written in other operators
    out       why it does not run; "" where it does
    model     with constants in place
    inputs    by name, those that are still inputs
    expected  the first output
    rtol, atol  tolerances, the case's own
    """

    name: str
    operator: str
    out: str
    model: ModelProto
    inputs: dict[str, NDArray[np.float32]]
    expected: NDArray[np.float32]
    rtol: float
    atol: float


@functools.cache
def load_cases() -> tuple[Case, ...]:
    """Every case of an operator in scope, runnable or not, by name."""
    with warnings.catch_warnings():
        # ONNX computes its cases on the spot, and some of them overflow on purpose.
        warnings.simplefilter("ignore")
        found = {test.name: test for test in load_model_tests(kind="node")}
    cases = []
    for name, test in sorted(found.items()):
        # A case "..._expanded" is the one of the same name, written in other operators.
        plain = found.get(name.split("_expanded")[0])
        if plain is None or len(plain.model.graph.node) != 1:
            continue
        node = plain.model.graph.node[0]
        if node.op_type in OPERATORS and not node.domain:
            cases.append(_case(test, node))
    return tuple(cases)


def _case(test: TestCase, node: NodeProto) -> Case:
    inputs, outputs = test.data_sets[0]
    model = ModelProto()
    model.CopyFrom(test.model)
    out = why_out(node.op_type, test.name, model, inputs, outputs)
    given: dict[str, NDArray[np.float32]] = {}
    expected = np.zeros(0, np.float32)
    if not out:
        given = _hold_constants(model, node, inputs)
        _cut_optional_outputs(model, node)
        expected = np.asarray(outputs[0], np.float32)
    expanded = " expanded" if "_expanded" in test.name else ""
    operator = node.op_type + expanded
    return Case(test.name, operator, out, model, given, expected, test.rtol, test.atol)


def _hold_constants(
    model: ModelProto, node: NodeProto, inputs: Sequence[object]
) -> dict[str, NDArray[np.float32]]:
    """Make initializers of what a trained model holds; return the inputs that are left."""
    graph = model.graph
    positions = CONSTANT_INPUTS.get(node.op_type, ())
    constant = {node.input[at] for at in positions if at < len(node.input)}
    left: dict[str, NDArray[np.float32]] = {}
    infos = list(graph.input)
    del graph.input[:]
    for info, value in zip(infos, inputs, strict=True):
        array = np.asarray(value)
        if info.name in constant or array.dtype != np.float32:
            graph.initializer.append(numpy_helper.from_array(array, info.name))
        else:
            graph.input.append(info)
            left[info.name] = array
    return left


def _cut_optional_outputs(model: ModelProto, node: NodeProto) -> None:
    if node.op_type == "Split":
        return
    del model.graph.output[1:]
    if len(model.graph.node) == 1:
        del model.graph.node[0].output[1:]
