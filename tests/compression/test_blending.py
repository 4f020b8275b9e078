"""Layers of two trials fill a size: biases go with weights, planes are gathered anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pocketlens.compression.blending import blend
from pocketlens.compression.budget import Trial, is_close
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.build import Builder
from pocketlens.importers.imported import Imported
from pocketlens.lensfile.contents import LensContents

LAYERS = 6


def chain() -> Imported:
    """Six linear layers of 32 x 32 with biases on a picture of 1 x 4 x 8."""
    rng = np.random.default_rng(2)
    build = Builder()
    x = build.add("reshape", build.input("x", (1, 1, 4, 8)), shape=(1, 32))
    for number in range(LAYERS):
        w = build.tensor(f"w{number}", rng.standard_normal((32, 32)).astype(np.float32))
        b = build.tensor(f"b{number}", rng.standard_normal(32).astype(np.float32))
        x = build.add("linear", x, w, b)
    return Imported(build.network(outputs=(x,)), "chain", "chain.onnx", "0" * 64, "logits",
                    (1, 1, 4, 8))  # fmt: skip


def measured(contents: LensContents) -> int:
    planes = {id(r.plane): r.plane for r in contents.tensors if r.plane is not None}
    pngs = sum(len(band.png) for plane in planes.values() for band in plane.bands)
    return pngs + sum(len(r.palettes) + len(r.values) for r in contents.tensors)


def trial(bits: int, losses: dict[str, float]) -> Trial[LensContents]:
    contents = pack(chain(), settings=Settings(bits=bits, crush=None), recipe="tf")
    tagged = [
        replace(r, reason=f"{bits}") if r.name.startswith("b") else r for r in contents.tensors
    ]
    made = replace(contents, tensors=tuple(tagged))
    return Trial(1.0 / bits, measured(made), made, sum(losses.values()), losses=losses)


COARSE = {f"w{number}": 1.0 for number in range(LAYERS)}
FINE = {f"w{number}": 1.0 - 0.1 * number for number in range(LAYERS)}


def test_the_layers_that_gain_most_come_first() -> None:
    below, above = trial(4, COARSE), trial(5, FINE)
    size_bytes = (below.size_bytes + above.size_bytes) // 2
    blended = blend(below, above, size_bytes, file_bytes=measured)
    assert blended is not None
    assert below.size_bytes < blended.size_bytes <= size_bytes
    assert blended.size_bytes == measured(blended.result)
    finer = [r.name for r in blended.result.tensors if r.palette_size > 16]
    taken = len(finer)
    assert 2 <= taken <= 3
    assert finer == ["w3", "w4", "w5"][-taken:]
    gains = sum(0.1 * number for number in range(LAYERS - taken, LAYERS))
    assert blended.foreseen_nats == pytest.approx(LAYERS - gains)
    reasons = {r.name: r.reason for r in blended.result.tensors if r.name.startswith("b")}
    assert reasons == {f"b{n}": "5" if n >= LAYERS - taken else "4" for n in range(LAYERS)}


def test_planes_are_gathered_anew() -> None:
    below, above = trial(4, COARSE), trial(5, FINE)
    size_bytes = (below.size_bytes + above.size_bytes) // 2
    blended = blend(below, above, size_bytes, file_bytes=measured)
    assert blended is not None
    planes = {id(r.plane) for r in blended.result.tensors if r.plane is not None}
    assert len(planes) == 1
    for record in blended.result.tensors:
        sources = [r for t in (below, above) for r in t.result.tensors if r.name == record.name]
        values = tensor_values(record)
        assert any(np.array_equal(values, tensor_values(source)) for source in sources)


def test_nothing_fits_or_nothing_differs() -> None:
    below, above = trial(4, COARSE), trial(5, FINE)
    assert blend(below, above, below.size_bytes, file_bytes=measured) is None
    assert blend(below, below, above.size_bytes, file_bytes=measured) is None


def test_close_is_a_percent_or_a_page() -> None:
    assert is_close(99_000, 100_000) and not is_close(98_900, 100_000)
    assert is_close(24_576, 25_000) and not is_close(24_064, 25_000)
    assert not is_close(24_500, 25_000)
