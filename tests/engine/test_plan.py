"""A plan is what docs/format/plan.md says, and every lens that cannot be one is refused."""

from __future__ import annotations

import dataclasses
import re
import struct
from pathlib import Path

import pytest

from engine.plan_dump import dump
from lens_samples import FUSED, palette_tensor, plain_tensor, small_lens
from pocketlens.base.errors import EngineError
from pocketlens.engine.plan import build_plan, pack_attribute
from pocketlens.graph.graph import Graph, Node
from pocketlens.graph.ops import OPS, Attribute
from pocketlens.lensfile.contents import LensContents

ROOT = Path(__file__).parents[2]
OPS_HEADER = ROOT / "core" / "src" / "plan" / "ops.h"


def example() -> LensContents:
    """The example of docs/format/plan.md: one linear, a palette of two values, a half bias."""
    node = Node("linear", "head", ("x", "w", "b"), "y", {**FUSED, "activation": "relu"})
    shapes = {"x": (1, 3), "w": (2, 3), "b": (2,), "y": (1, 2)}
    tensors = (
        palette_tensor("w", (2, 3), size=2, bits=1),
        plain_tensor("b", (2,), fate="half"),
    )
    graph = Graph(("x",), ("y",), (node,), shapes)
    return dataclasses.replace(small_lens(), graph=graph, tensors=tensors)


def test_the_worked_example_is_true() -> None:
    contents = example()
    text = dump(build_plan(contents).data, contents)
    page = (ROOT / "docs" / "format" / "plan.md").read_text("utf-8")
    assert f"```text\n{text}\n```" in page, f"docs/format/plan.md should hold\n\n{text}"


def test_a_whole_lens_reads_back() -> None:
    contents = small_lens()
    plan = build_plan(contents)
    text = dump(plan.data, contents)
    for node in contents.graph.nodes:
        assert f"{node.op}: " in text
    assert plan.ops == tuple(node.name for node in contents.graph.nodes)
    assert plan.tensors == tuple(record.name for record in contents.tensors)
    assert plan.values == ("photo", "stem", "pooled", "logits", "scores")
    assert build_plan(contents).data == plan.data


def test_the_cores_signatures_are_those_of_the_graph() -> None:
    """core/src/plan/ops.h repeats inputs and attribute words of graph/ops.py, number by number."""
    text = OPS_HEADER.read_text("utf-8")
    table = text[text.index("kSignatures[] = {") : text.index("kOpKinds")]
    rows = re.findall(r"\{(\d+), (\w+), (\d+)\},\s*// (\w+)", table)
    assert len(rows) == len(OPS)
    for number, (least, most, words, name) in enumerate(rows, start=1):
        op = OPS[name]
        assert op.number == number
        assert int(least) == op.min_inputs
        assert most == "kMaxConcat" or int(most) == op.max_inputs
        assert int(words) == sum(attribute.count for attribute in op.attributes)


@pytest.mark.parametrize("space", ["conv2d", "pool", "reduce", "binary", "slice", "pad", "resize"])
def test_attributes_stand_where_the_core_reads_them(space: str) -> None:
    text = OPS_HEADER.read_text("utf-8")
    block = text[text.index(f"namespace {space}_at {{") :]
    places = dict(re.findall(r"k(\w+) = (\d+)", block[: block.index("}")]))
    op = OPS[{"pool": "avg_pool"}.get(space, space)]
    starts: dict[str, int] = {}
    for attribute in op.attributes:
        starts[attribute.name] = sum(a.count for a in op.attributes[: len(starts)])
    renamed = {"ceil_mode": "ceil", "count_include_pad": "include_pad", "keepdims": "keep"}
    for name, start in starts.items():
        if name in ("alpha", "beta"):  # behind their activation
            continue
        word = "".join(part.title() for part in renamed.get(name, name).split("_"))
        assert int(places[word]) == start, name


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Attribute("groups", "int"), "four"),
        (Attribute("groups", "int"), 1 << 40),
        (Attribute("alpha", "float"), "half"),
        (Attribute("activation", "choice", choices={"none": 0}), "relu"),
        (Attribute("pads", "ints", 2), (1, 2, 3)),
        (Attribute("pads", "ints", 2), 5),
    ],
)
def test_attributes_of_the_wrong_kind_are_refused(attribute: Attribute, value: object) -> None:
    with pytest.raises(EngineError, match=r"plan-graph") as error:
        pack_attribute(attribute, value)  # type: ignore[arg-type]
    assert error.value.slug == "plan-graph"


def test_short_lists_are_filled_up() -> None:
    axes = Attribute("axes", "ints", 4, fill=-1)
    assert pack_attribute(axes, (2, 3)) == struct.pack("<4i", 2, 3, -1, -1)


def broken(**changes: object) -> LensContents:
    contents = small_lens()
    graph = dataclasses.replace(contents.graph, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(contents, graph=graph)


def with_node(**changes: object) -> LensContents:
    first, *rest = small_lens().graph.nodes
    return broken(nodes=(dataclasses.replace(first, **changes), *rest))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("contents", "slug"),
    [
        (with_node(op="warp"), "plan-graph"),
        (with_node(attributes={}), "plan-graph"),
        (with_node(inputs=("photo", "nowhere")), "plan-graph"),
        (with_node(output="photo"), "plan-graph"),
        (broken(outputs=("nowhere",)), "plan-graph"),
        (broken(shapes={}), "plan-graph"),
        (broken(shapes={**small_lens().graph.shapes, "photo": (1,) * 7}), "plan-shape"),
    ],
    ids=str,
)
def test_broken_graphs_are_refused(contents: LensContents, slug: str) -> None:
    with pytest.raises(EngineError) as error:
        build_plan(contents)
    assert error.value.slug == slug
