"""The problems leave nothing out: every operator, every choice of every attribute."""

from __future__ import annotations

from collections import defaultdict

import pytest

from pocketlens.graph.ops import OPS

from .cases import CHANNELS, POSITIVE, all_problems
from .problems import build

SEEN: dict[tuple[str, str], set[object]] = defaultdict(set)
for _problem in all_problems():
    (_node,) = build(_problem)[0].graph.nodes
    for _name, _value in _node.attributes.items():
        SEEN[_node.op, _name].add(_value)


@pytest.mark.parametrize("op", OPS)
def test_every_attribute_takes_every_choice(op: str) -> None:
    for attribute in OPS[op].attributes:
        seen = SEEN[op, attribute.name]
        if attribute.kind == "choice":
            # After a sum, functions that are defined above 0 alone would have nothing to say.
            left_out = POSITIVE if op in ("conv2d", "linear") else frozenset()
            assert seen >= set(attribute.choices or {}) - left_out, attribute.name
        elif op != "conv2d" or attribute.name not in ("alpha", "beta"):
            assert len(seen) > 1 or attribute.name == "cubic_a", attribute.name


def test_channels_stand_around_the_blocks_of_the_core() -> None:
    for op in ("conv2d", "max_pool", "avg_pool", "lrn"):
        channels = {given.shapes[0][1] for given in all_problems() if given.op == op}
        assert channels >= set(CHANNELS)
