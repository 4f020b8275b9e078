"""A graph to ccv's layers: one chain, and every operator one that ccv has.

ccv's classifier is a chain of five kinds of layers. Convolutions always end in max(x, 0); kernels
have odd sides; strides and borders are the same in both directions, and every division comes out
even; the end is full connects, the last of them without max(x, 0). A softmax at the end is left
out, since ccv takes it anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from pocketlens.exporters.ccv.layers import (
    Below,
    Convolution,
    FullConnect,
    Layer,
    Norm,
    Pool,
    cannot,
)
from pocketlens.exporters.ccv.places import Held
from pocketlens.graph.graph import Graph, Node

FILTERS_TOGETHER = 4
"""ccv's kernels take the filters of a group by fours, and it asserts that they can."""


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """The layers of a network, in order. Raises ModelError 'ccv-cannot-express', which names the
    first node that ccv has no layer for.
    """
    walk = _Walk(graph)
    for node in _chain(graph):
        walk.take(node)
    return walk.finished()


def _chain(graph: Graph) -> Iterator[Node]:
    """The nodes one after the other, each reading the last one's array and nothing else made.

    One by one, so that of all that ccv has not, the first is named.
    """
    arrays = {*graph.inputs, *(node.output for node in graph.nodes)}
    told = graph.inputs[0]
    for node in graph.nodes:
        read = [name for name in node.inputs if name in arrays]
        if node.inputs[0] != told or len(read) != 1:
            raise cannot(
                node.name, f"operator '{node.op}' is part of a branch, and ccv's layers are a chain"
            )
        yield node
        told = node.output
    if graph.outputs != (told,) or len(graph.inputs) != 1:
        raise cannot(graph.outputs[0], "the network hands out more than its last array")


class _Walk:
    """How far the chain has been followed."""

    def __init__(self, graph: Graph) -> None:
        shape = graph.shapes[graph.inputs[0]]
        if len(shape) != 4:
            raise cannot(graph.inputs[0], "the network's input is no picture")
        self._shapes = graph.shapes
        self._held = Held.picture(shape)
        self._layers: list[Layer] = []
        self._softmax: Node | None = None
        self._take: Mapping[str, Callable[[Node], None]] = {
            "conv2d": self._convolution,
            "max_pool": self._pool,
            "avg_pool": self._pool,
            "lrn": self._norm,
            "grouped_lrn": self._norm,
            "reduce": self._mean,
            "reshape": self._move,
            "transpose": self._move,
            "linear": self._full_connect,
            "softmax": self._end,
        }

    def take(self, node: Node) -> None:
        """Follow the chain by one node."""
        if node.op not in self._take:
            raise cannot(node.name, f"it has no operator '{_in_words(node)}'")
        if self._softmax is not None and node.op != "reshape":
            raise cannot(self._softmax.name, "a softmax stands before the end")
        self._take[node.op](node)

    def finished(self) -> tuple[Layer, ...]:
        """All layers, the last one judged."""
        last = self._layers[-1] if self._layers else None
        if not isinstance(last, FullConnect):
            where = last.node if last else "the input"
            raise cannot(where, "the network ends in it, and ccv's last layer is a full connect")
        if last.relu:
            raise cannot(last.node, "the last full connect ends in max(x, 0)")
        if not any(isinstance(layer, Convolution) for layer in self._layers):
            raise cannot(last.node, "there is no convolution before it, and ccv needs one")
        if not self._held.is_in_order:
            raise cannot(last.node, "its scores are put in another order")
        return tuple(self._layers)

    def _convolution(self, node: Node) -> None:
        below = self._picture(node)
        if len(node.inputs) > 3 and node.inputs[3]:
            raise cannot(node.name, "something is added to it before its function")
        count, _, rows, cols = self._shapes[node.inputs[1]]
        groups = _int(node, "groups")
        if node.attributes["activation"] != "relu":
            raise cannot(
                node.name,
                f"{_activation(node)} follows it, and ccv's convolutions end in max(x, 0)",
            )
        if rows % 2 == 0 or cols % 2 == 0:
            raise cannot(node.name, f"its kernel is {rows}x{cols}; ccv's have odd sides")
        if _ints(node, "dilations") != (1, 1) and (rows, cols) != (1, 1):
            raise cannot(node.name, "its kernel is dilated")
        if count // groups % FILTERS_TOGETHER:
            raise cannot(
                node.name,
                f"it has {count // groups} filters in a group, and ccv takes multiples of 4",
            )
        strides, border = _same(node, "strides"), _same(node, "pads")
        _even(node, below, (rows, cols), strides, border)
        bias = node.inputs[2] if len(node.inputs) > 2 else ""
        self._add(
            Convolution(node.name, below, groups, rows, cols, count, strides, border,
                        node.inputs[1], bias),
            Held.picture(self._shapes[node.output]),
        )  # fmt: skip

    def _pool(self, node: Node) -> None:
        below = self._picture(node)
        size, strides, border = (_same(node, name) for name in ("kernel", "strides", "pads"))
        if _ints(node, "dilations") != (1, 1):
            raise cannot(node.name, "its window is dilated")
        if node.op == "avg_pool" and border and node.attributes["count_include_pad"]:
            raise cannot(node.name, "it counts the pad, and ccv's average is of the picture alone")
        _even(node, below, (size, size), strides, border)
        kind = "max" if node.op == "max_pool" else "average"
        pool = Pool(node.name, below, kind, size, strides, border)
        self._add(pool, Held.picture(self._shapes[node.output]))

    def _mean(self, node: Node) -> None:
        below = self._picture(node)
        if node.attributes["kind"] != "mean" or node.attributes["axes"] != (2, 3):
            raise cannot(node.name, f"it has no operator '{_in_words(node)}' over these axes")
        if below.rows != below.cols:
            raise cannot(node.name, f"its map is {below.rows}x{below.cols}; ccv's pools are square")
        pool = Pool(node.name, below, "average", below.rows, 1, 0)
        shape = self._shapes[node.output]
        means = Held(Below(1, 1, below.channels), Held.numbers(shape).places)
        self._add(pool, means)

    def _norm(self, node: Node) -> None:
        below, size = self._picture(node), _int(node, "size")
        if size % 2 == 0:
            raise cannot(node.name, f"its window is of {size} channels; ccv's are odd")
        numbers = {name: float(cast("float", node.attributes[name])) for name in _NORM}
        groups = _int(node, "groups") if node.op == "grouped_lrn" else 1
        norm = Norm(node.name, below, groups, size, kappa=numbers["bias"],
                    alpha=numbers["alpha"] / size, beta=numbers["beta"])  # fmt: skip
        self._add(norm, self._held)

    def _move(self, node: Node) -> None:
        self._held = self._held.moved(node)

    def _full_connect(self, node: Node) -> None:
        places, below = self._held.row(node), self._held.below
        if node.attributes["activation"] not in ("none", "relu"):
            raise cannot(node.name, f"{_activation(node)} follows it")
        if self._layers and isinstance(self._layers[-1], Convolution):
            # ccv slides up to its last convolution and crashes where no layer lies between.
            self._layers.append(Pool(f"{node.name}.idle", below, "average", 1, 1, 0))
        relu = node.attributes["activation"] == "relu"
        bias = node.inputs[2] if len(node.inputs) > 2 else ""
        count = self._shapes[node.inputs[1]][0]
        full = FullConnect(node.name, below, count, relu, node.inputs[1], bias, places)
        self._add(full, Held.numbers(self._shapes[node.output]))

    def _end(self, node: Node) -> None:
        shape = self._shapes[node.output]
        if shape[cast("int", node.attributes["axis"])] != math.prod(shape):
            raise cannot(node.name, "its softmax is not over all classes")
        self._softmax = node

    def _picture(self, node: Node) -> Below:
        if self._layers and isinstance(self._layers[-1], FullConnect):
            raise cannot(node.name, f"'{node.op}' stands after a full connect")
        if not self._held.is_picture:
            raise cannot(node.name, f"'{node.op}' reads a picture whose numbers were moved")
        return self._held.below

    def _add(self, layer: Layer, held: Held) -> None:
        self._layers.append(layer)
        self._held = held


_NORM = ("alpha", "beta", "bias")


def _even(node: Node, below: Below, kernel: tuple[int, int], strides: int, border: int) -> None:
    """Refuse windows that leave rows or columns over: ccv asserts that none do."""
    for side, reach, what in zip(
        (below.rows, below.cols), kernel, ("rows", "columns"), strict=True
    ):
        rest = (side + 2 * border - reach) % strides
        if rest:
            raise cannot(
                node.name,
                f"steps of {strides} leave {rest} of {side} {what} over, and ccv wants all reached",
            )


def _same(node: Node, name: str) -> int:
    """An attribute that is the same in all directions."""
    values = _ints(node, name)
    if len(set(values)) != 1:
        raise cannot(
            node.name,
            f"its {name} {values} differ between directions, and ccv has one number for all",
        )
    return values[0]


def _ints(node: Node, name: str) -> tuple[int, ...]:
    return cast("tuple[int, ...]", node.attributes[name])


def _int(node: Node, name: str) -> int:
    return cast("int", node.attributes[name])


def _in_words(node: Node) -> str:
    """The operator, with the function where it has one: "unary sigmoid", "binary add"."""
    function = node.attributes.get("kind") or node.attributes.get("activation") or ""
    return f"{node.op} {function}".strip()


def _activation(node: Node) -> str:
    name = node.attributes["activation"]
    return "nothing" if name == "none" else f"the function '{name}'"
