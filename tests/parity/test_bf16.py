"""Precision bf16: the core against the reference with what is multiplied rounded by NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conformance.engines import Array, float_contents
from lens_samples import small_lens
from pocketlens.base.errors import EngineError, UsageError
from pocketlens.base.tolerances import CLOSE, NETWORK
from pocketlens.classify.lens import Lens
from pocketlens.engine.core import CoreEngine, targets
from pocketlens.engine.reference import ReferenceEngine
from pocketlens.graph.graph import Network, Node

from .cases import all_problems
from .compressed import FATES, Fate, compressed_contents
from .problems import Problem, build, problem
from .random_graphs import networks
from .test_banded import POOLS, network, picture
from .test_operators import WEIGHTED, assert_close

HERE = targets("bf16")
can = pytest.mark.skipif(not HERE, reason="no target of this build and machine multiplies in bf16")

MANY_ROWS = 24
"""A linear of more rows is rounded; the fewer of 8 bits are left out here."""
SEVERAL = 4e-3
"""Of a whole network: float32 sums that differ in their last bit may round to neighbours."""
PROBLEMS = [given for given in all_problems() if given.op in ("conv2d", "linear")]
ROWS = (problem("linear", (40, 100), (37, 100), (37,)), problem("linear", (150, 33), (70, 33)))


def rounded(values: Array) -> Array:
    """To bfloat16, nearest, ties to even; subnormal numbers to zero."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    halves = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return np.where(bits & 0x7F800000, halves, bits & 0x80000000).astype(np.uint32).view(np.float32)


class Rounding(ReferenceEngine):
    """The reference with the inputs and weights that bf16 rounds."""

    def _run_node(
        self, node: Node, arrays: dict[str, Array], tensors: Mapping[str, Array | None]
    ) -> None:
        if not self._is_rounded(node):
            super()._run_node(node, arrays, tensors)
            return
        x, w = node.inputs[:2]
        kept, weights = arrays[x], tensors[w]
        assert weights is not None
        arrays[x] = rounded(kept)
        super()._run_node(node, arrays, {**tensors, w: rounded(weights)})
        arrays[x] = kept

    def _is_rounded(self, node: Node) -> bool:
        if node.op not in ("conv2d", "linear"):
            return False
        x, w = (self.graph.shapes[name] for name in node.inputs[:2])
        if node.op == "linear":
            return int(np.prod(x[:-1])) > MANY_ROWS
        return not node.attributes["groups"] == x[1] == w[0]


def test_the_rounding_is_to_nearest_even() -> None:
    given = np.float32([1.0, 1.00390625, 1.01171875, 1.004, -3.14159, 1e-40, -1e-40, 3.4e38])
    expected = [1.0, 1.0, 1.015625, 1.0078125, -3.140625, 0.0, 0.0, np.inf]
    assert rounded(given).tolist() == expected


@can
@pytest.mark.parametrize("given", PROBLEMS, ids=lambda given: given.name)
def test_an_operator_is_rounded_and_no_more(given: Problem) -> None:
    network, inputs = build(given)
    contents = float_contents(network)
    (expected,) = Rounding(contents).run(inputs)
    (actual,) = CoreEngine(contents, precision="bf16").run(inputs)
    assert_close(actual, expected, CLOSE)


@can
@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.name)
@pytest.mark.parametrize("given", (*WEIGHTED, *ROWS), ids=lambda given: given.name)
def test_compressed_weights_are_rounded(given: Problem, fate: Fate) -> None:
    network, inputs = build(given)
    contents = compressed_contents(network, fate)
    (expected,) = Rounding(contents).run(inputs)
    (actual,) = CoreEngine(contents, precision="bf16").run(inputs)
    assert_close(actual, expected, CLOSE)


@can
@settings(max_examples=60)
@given(network=networks(), fate=st.sampled_from(FATES), threads=st.integers(2, 4))
def test_random_networks_run_alike(network: Network, fate: Fate, threads: int) -> None:
    shape = network.graph.shapes["x"]
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    contents = compressed_contents(network, fate)
    alone = CoreEngine(contents, precision="bf16").run([x])
    many = CoreEngine(contents, precision="bf16", threads=threads).run([x])
    expected = Rounding(contents).run([x])
    for one, other, reference in zip(alone, many, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        assert_close(one, reference, SEVERAL, floor=0.1)


@can
@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (32, 2), (17, 1)])
def test_a_large_map_is_made_band_by_band(channels: int, groups: int) -> None:
    made = network("max_pool", POOLS[0], channels=channels, groups=groups)
    contents = float_contents(made)
    (expected,) = Rounding(contents).run([picture(made)])
    (actual,) = CoreEngine(contents, precision="bf16").run([picture(made)])
    assert_close(actual, expected, NETWORK)


@can
def test_an_engine_beside_another_multiplies_as_it_does() -> None:
    one = CoreEngine(small_lens(), precision="bf16")
    other = CoreEngine(small_lens(), beside=one)
    assert other.precision == "bf16"
    x = np.random.default_rng(5).uniform(-1, 1, (2, 3, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(one.run([x])[0], other.run([x])[0])


@can
def test_a_lens_says_its_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Image.new("RGB", (6, 6), (200, 100, 50))
    with Lens(small_lens()) as plain, Lens(small_lens(), precision="bf16") as lens:
        assert plain.engine_name == f"core {targets()[0]}"
        assert lens.engine_name == f"core {HERE[0]} bf16"
        near = lens.confidences(photo)
        assert near == pytest.approx(plain.confidences(photo), abs=0.02)
    monkeypatch.setenv("POCKETLENS_PRECISION", "bf16")
    with Lens(small_lens()) as lens, Lens(small_lens(), precision="fp32") as plain:
        assert lens.engine_name.endswith(" bf16")
        assert lens.confidences(photo) == near
        assert not plain.engine_name.endswith(" bf16")


def test_a_missing_precision_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="fp32") as error:
        CoreEngine(small_lens(), target="scalar", precision="bf16")
    assert error.value.slug == "precision-missing"
    with pytest.raises(UsageError, match="fp64") as unknown:
        CoreEngine(small_lens(), precision="fp64")
    assert unknown.value.slug == "bad-precision"
    monkeypatch.setenv("POCKETLENS_PRECISION", "half")
    with pytest.raises(UsageError, match="half"):
        CoreEngine(small_lens())
