"""Products of sizes that wrap around 2^64 to something small are refused, not believed."""

from __future__ import annotations

import pytest

from conformance.engines import RECIPE
from pocketlens.base.errors import EngineError
from pocketlens.engine import _core
from pocketlens.engine.core import CoreEngine
from pocketlens.engine.plan import build_plan
from pocketlens.graph.build import Builder
from pocketlens.lensfile.contents import LensContents

SHAPE = (1, 256, 8388427)
FLOATS = 256 * 8388427
BATCH = 2147529985
WRAPPED_BYTES = FLOATS * BATCH * 4 % 2**64
"""What so many floats of so many images seem to take where sizes have 64 bits: 1.6 MB."""


def lens() -> LensContents:
    """The first number of a very large input, which nobody allocates."""
    builder = Builder()
    x = builder.input("x", SHAPE)
    first = builder.add("slice", x, starts=(0, 0, 0), sizes=(1, 1, 1), steps=(1, 1, 1))
    graph = builder.network(outputs=(first,)).graph
    return LensContents("large", graph, (), (), RECIPE)


def test_the_bytes_of_many_images_do_not_wrap_around() -> None:
    assert WRAPPED_BYTES == 1649664
    core = _core.Core(build_plan(lens()).data, None, 1)
    with pytest.raises(_core.CoreError) as refused:
        core.run([bytes(WRAPPED_BYTES)], BATCH)
    code, _, _, seen, _ = refused.value.args
    assert (code, seen) == (7, BATCH)


def test_the_engine_tells_it_in_a_sentence() -> None:
    engine = CoreEngine(lens())
    with pytest.raises(EngineError, match="bytes were handed in") as refused:
        engine.scores(bytes(WRAPPED_BYTES), BATCH)
    assert refused.value.slug == "wrong-input"
