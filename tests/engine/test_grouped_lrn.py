"""The core judges the groups of a grouped_lrn: a plan may come from anywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.engines import float_contents
from pocketlens.base.errors import EngineError, ModelError
from pocketlens.engine.core import CoreEngine
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Network

NORM = {"size": 5, "alpha": 1e-4, "beta": 0.75, "bias": 2.0}


def network(channels: int, groups: int) -> Network:
    builder = Builder()
    x = builder.input("x", (1, channels, 2, 3))
    return builder.network(outputs=(builder.add("grouped_lrn", x, groups=groups, **NORM),))


@pytest.mark.parametrize("groups", [0, -1, 5, 24, 13, 2**31 - 1, -(2**31)])
def test_groups_that_do_not_divide_the_channels_are_refused(groups: int) -> None:
    made = network(12, 3)
    (node,) = made.graph.nodes
    forged = replace(node, attributes={**node.attributes, "groups": groups})
    contents = float_contents(replace(made, graph=replace(made.graph, nodes=(forged,))))
    with pytest.raises(EngineError) as refused:
        CoreEngine(contents)
    assert refused.value.slug == "plan-attribute"


@pytest.mark.parametrize("groups", [0, -1, 5, 24])
def test_the_builder_refuses_them_too(groups: int) -> None:
    with pytest.raises(ModelError):
        network(12, groups)
