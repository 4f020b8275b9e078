"""The builder, and the judge of graphs it answers to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.base.errors import ModelError
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Graph, Node, Shape
from pocketlens.graph.ops import OPS
from pocketlens.graph.shapes import check_graph, infer_shape, weight_names


def small_graph() -> Graph:
    build = Builder()
    x = build.input("x", (1, 3, 8, 8))
    w = build.tensor("w", np.zeros((4, 3, 3, 3), np.float32))
    bias = build.tensor("bias", np.zeros(4, np.float32))
    head = build.tensor("head", np.zeros((5, 4), np.float32))
    y = build.add("conv2d", x, w, bias, strides=(2, 2), activation="relu", output="y")
    pooled = build.add("reduce", y, kind="mean", keepdims=0, axes=(2, 3), output="pooled")
    return build.network(outputs=(build.add("linear", pooled, head, output="scores"),)).graph


def replaced(graph: Graph, number: int, **changes: object) -> Graph:
    nodes = list(graph.nodes)
    nodes[number] = dataclasses.replace(nodes[number], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(graph, nodes=tuple(nodes))


def test_a_built_graph_is_judged_sound() -> None:
    graph = small_graph()
    check_graph(graph)
    assert graph.shapes["y"] == (1, 4, 3, 3)
    assert graph.shapes["scores"] == (1, 5)
    assert graph.tensor_names() == ("w", "bias", "head")
    assert weight_names(graph) == {"w", "head"}


def test_a_tensor_read_as_a_constant_is_no_weight() -> None:
    build = Builder()
    x = build.input("x", (1, 4))
    w = build.tensor("w", np.zeros((4, 4), np.float32))
    y = build.add("linear", x, w)
    assert weight_names(build.network(outputs=(y,)).graph) == {"w"}
    z = build.add("binary", y, w, kind="add")
    assert weight_names(build.network(outputs=(z,)).graph) == frozenset()


def test_an_unread_tensor_is_left_out() -> None:
    build = Builder()
    x = build.input("x", (1, 4))
    build.tensor("unread", np.zeros(3, np.float32))
    network = build.network(outputs=(build.add("unary", x, activation="relu"),))
    assert network.tensors == {}
    assert "unread" not in network.graph.shapes


SLUGS: list[tuple[str, Mapping[str, object], str]] = [
    ("an unknown operator", {"op": "conv3d"}, "unknown-operator"),
    ("an operator that is no name", {"op": 7}, "unknown-operator"),
    ("an empty name", {"name": ""}, "bad-graph"),
    ("a name used twice", {"name": "pooled"}, "bad-graph"),
    ("inputs as a list", {"inputs": ["x", "w"]}, "bad-graph"),
    ("a missing input", {"inputs": ("nowhere", "w")}, "bad-shape"),
    ("an input made later", {"inputs": ("scores", "w")}, "bad-graph"),
    ("a computed weight", {"inputs": ("x", "x")}, "bad-graph"),
    ("a computed bias", {"inputs": ("x", "w", "x")}, "bad-graph"),
    ("a missing required input", {"inputs": ("", "w")}, "bad-shape"),
    ("too few inputs", {"inputs": ("x",)}, "bad-shape"),
    ("too many inputs", {"inputs": ("x", "w", "bias", "", "")}, "bad-shape"),
    ("an output that is an input", {"output": "x"}, "bad-graph"),
    ("no attributes", {"attributes": {}}, "bad-attribute"),
    ("attributes that are no mapping", {"attributes": 3}, "bad-attribute"),
]


@pytest.mark.parametrize(("what", "changes", "slug"), SLUGS, ids=[what for what, _, _ in SLUGS])
def test_a_broken_node_is_refused(what: str, changes: dict[str, object], slug: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_graph(replaced(small_graph(), 0, **changes))
    assert caught.value.slug == slug


BROKEN_ATTRIBUTES = [
    ("strides", (0, 1)),
    ("strides", [1, 1]),
    ("strides", (1, 1, 1)),
    ("strides", (1, True)),
    ("strides", (1, 10**5000)),
    ("strides", 1),
    ("pads", (0, 0, -1, 0)),
    ("groups", 0),
    ("groups", 1.0),
    ("groups", None),
    ("activation", "swish"),
    ("activation", 1),
    ("alpha", float("nan")),
    ("alpha", float("inf")),
    ("alpha", 10**400),
    ("alpha", "1"),
    ("alpha", True),
    ("beta", 3.5e38),
    ("mystery\n\x1b[31m", 1),
]


@pytest.mark.parametrize(("name", "value"), BROKEN_ATTRIBUTES)
def test_a_broken_attribute_is_refused(name: str, value: object) -> None:
    graph = small_graph()
    attributes = {**graph.nodes[0].attributes, name: value}
    with pytest.raises(ModelError) as caught:
        check_graph(replaced(graph, 0, attributes=attributes))
    assert caught.value.slug == "bad-attribute"
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


BROKEN_SHAPES: list[tuple[str, object, str]] = [
    ("y", (1, 4, 4, 3), "bad-shape"),
    ("y", None, "bad-shape"),
    ("x", (1, 3, 8, 0), "bad-shape"),
    ("x", (1, 3, 8, 2**25), "too-large"),
    ("x", (2**20, 3, 2**10, 8), "too-large"),
    ("x", (1, 3, 8, 10**5000), "too-large"),
    ("x", (1, 3, 8, 8.0), "bad-shape"),
    ("x", [1, 3, 8, 8], "bad-shape"),
    ("x", (1,) * 7, "bad-shape"),
    ("w", (4, 2, 3, 3), "bad-shape"),
    ("w", (4, 3, 9, 3), "bad-shape"),
    ("bias", (5,), "bad-shape"),
]


@pytest.mark.parametrize(("name", "shape", "slug"), BROKEN_SHAPES)
def test_a_broken_shape_is_refused(name: str, shape: Shape, slug: str) -> None:
    graph = small_graph()
    with pytest.raises(ModelError) as caught:
        check_graph(dataclasses.replace(graph, shapes={**graph.shapes, name: shape}))
    assert caught.value.slug == slug


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": ()},
        {"inputs": ("x", "x")},
        {"outputs": ()},
        {"outputs": ("nowhere",)},
        {"outputs": ("w",)},
        {"outputs": ["scores"]},
        {"nodes": []},
        {"shapes": None},
    ],
)
def test_a_broken_frame_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        check_graph(dataclasses.replace(small_graph(), **changes))  # type: ignore[arg-type]


def test_a_graph_of_too_many_nodes_is_refused_before_it_is_walked() -> None:
    node = Node("unary", "n", ("x",), "y", {})
    graph = Graph(("x",), ("y",), (node,) * 2_000_000, {"x": (1,)})
    with pytest.raises(ModelError) as caught:
        check_graph(graph)
    assert caught.value.slug == "too-large"


scalars = st.one_of(
    st.integers(), st.floats(), st.text(max_size=3), st.booleans(), st.none(), st.binary(max_size=2)
)
small = st.integers(-2, 9)
anything = st.one_of(scalars, small, st.lists(small, max_size=7).map(tuple), st.lists(scalars))
plausible_shapes = st.lists(st.integers(1, 9), max_size=6).map(tuple)


@given(st.data())
def test_whatever_comes_only_model_errors_leave(data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(sorted(OPS)))
    attributes = {}
    for attribute in OPS[op].attributes:
        plausible: st.SearchStrategy[object] = {
            "int": st.integers(0, 3),
            "float": st.floats(0.25, 2),
            "ints": st.lists(st.integers(0, 4), max_size=attribute.count).map(tuple),
            "choice": st.sampled_from(sorted(attribute.choices or {"": 0})),
        }[attribute.kind]
        attributes[attribute.name] = data.draw(st.one_of(plausible, plausible, anything))
    shapes = data.draw(st.lists(st.one_of(plausible_shapes, anything, st.none()), max_size=5))
    try:
        shape = infer_shape(op, attributes, shapes)  # type: ignore[arg-type]
    except ModelError:
        return
    assert all(type(dim) is int and dim >= 1 for dim in shape)
