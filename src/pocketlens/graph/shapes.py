"""The judge of a whole graph: names, order, operators, attributes, and every shape.

`check_graph` stands at the door for graphs from files, hostile ones included: it raises nothing
but ModelError, looks at every node once, and bounds how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pocketlens.base.errors import ModelError
from pocketlens.graph.attributes import find_op, quoted
from pocketlens.graph.graph import Graph, Node, Shape
from pocketlens.graph.inference import check_shape, infer_shape

__all__ = ["check_graph", "check_shape", "infer_shape", "weight_names"]

MAX_NODES = 2**16
MAX_INPUTS = 2**18
"""Inputs of all nodes together."""

_CONSTANT_INPUTS = {"conv2d": (2,), "linear": (2,)}
"""Biases: engines add them while they have the sums at hand, so they are known beforehand."""


def check_graph(graph: Graph) -> None:
    """Judge everything about a graph that can be judged without its tensors' values.

    Operators are known and have all their attributes, in range; every name is made once and
    before it is read; weights are tensors; the shapes of arrays are those that follow from the
    inputs'. Raises ModelError 'bad-graph', 'unknown-operator', 'bad-attribute', 'bad-shape' or
    'too-large'; the sentence names the node.
    """
    _check_frame(graph)
    made = set(graph.inputs)
    produced = {node.output for node in graph.nodes}
    for name in graph.inputs:
        if name in produced:
            raise _bad(f"Input {quoted(name)} of the graph is made again by a node.")
        check_shape(graph.shapes.get(name), f"input {quoted(name)}")
    for node in graph.nodes:
        try:
            _check_node(graph, node, made, produced)
        except ModelError as error:
            where = f"Node {quoted(node.name)} ({quoted(node.op)}): {error.sentence}"
            raise ModelError(where, slug=error.slug) from None
        made.add(node.output)
    for name in graph.outputs:
        if name not in made:
            raise _bad(f"Output {quoted(name)} of the graph is made by no node.")


def weight_names(graph: Graph) -> frozenset[str]:
    """Tensors that only ever stand where an operator takes weights: those may get a palette."""
    weights: set[str] = set()
    others: set[str] = set()
    for node in graph.nodes:
        positions = find_op(node.op).weights
        for position, name in enumerate(node.inputs):
            (weights if position in positions else others).add(name)
    return frozenset(weights - others)


def _check_frame(graph: Graph) -> None:
    """The graph's own fields: types, counts, names that appear once."""
    if not isinstance(graph.shapes, Mapping) or not isinstance(graph.nodes, tuple):
        raise _bad("The graph's shapes are not a mapping or its nodes not a tuple.")
    if len(graph.nodes) > MAX_NODES:
        raise ModelError(
            f"The graph has {len(graph.nodes)} nodes; at most {MAX_NODES} are taken.",
            slug="too-large",
        )
    for node in graph.nodes:
        _check_names(node)
    if sum(len(node.inputs) for node in graph.nodes) > MAX_INPUTS:
        raise ModelError(
            f"The nodes of the graph have more than {MAX_INPUTS} inputs together.", slug="too-large"
        )
    for names, what in ((graph.inputs, "inputs"), (graph.outputs, "outputs")):
        if not isinstance(names, tuple) or not names or not all(map(_is_name, names)):
            raise _bad(f"The graph's {what} are not a tuple of names with at least one.")
        _check_unique(names, f"the graph's {what}")
    _check_unique((node.name for node in graph.nodes), "names of nodes")
    _check_unique((node.output for node in graph.nodes), "outputs of nodes")


def _check_names(node: Node) -> None:
    named = _is_name(node.name) and _is_name(node.output) and isinstance(node.inputs, tuple)
    if not named or not all(isinstance(name, str) for name in node.inputs):
        raise _bad(
            f"Node {quoted(node.name)} lacks its name, its output, or the names of its inputs."
        )


def _check_unique(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _bad(f"Name {quoted(name)} appears twice among {what}; each has to be its own.")
        seen.add(name)


def _check_node(graph: Graph, node: Node, made: set[str], produced: set[str]) -> None:
    op = find_op(node.op)
    shapes: list[Shape | None] = []
    for position, name in enumerate(node.inputs):
        if not name:
            shapes.append(None)
            continue
        if name in produced and name not in made:
            raise _bad(f"Input {quoted(name)} is read before it is made.")
        constant = (*op.weights, *_CONSTANT_INPUTS.get(op.name, ()))
        if position in constant and name in made:
            raise _bad(f"Input {quoted(name)} stands where a weight or bias belongs, but varies.")
        shape = graph.shapes.get(name)
        check_shape(shape, f"array {quoted(name)}")
        shapes.append(shape)
    inferred = infer_shape(node.op, node.attributes, shapes)
    stated = graph.shapes.get(node.output)
    if stated != inferred:
        check_shape(stated, f"array {quoted(node.output)}")
        raise ModelError(
            f"Array {quoted(node.output)} is said to have shape {stated}, but has {inferred}.",
            slug="bad-shape",
        )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name != ""


def _bad(sentence: str) -> ModelError:
    return ModelError(sentence, slug="bad-graph")
