"""Odd tensors go all the way: compressed, written, read back, run, and equal to the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError
from pocketlens.base.tolerances import NETWORK
from pocketlens.classify.lens import open_lens
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack, unpack
from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.graph.build import Builder
from pocketlens.importers.imported import Imported
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.writer import write_lens

Floats = NDArray[np.float32]
SIDE = 12


def classifier(first: Floats, last: Floats) -> Imported:
    """conv2d with the weights `first`, mean over the picture, linear with the weights `last`."""
    build = Builder()
    x = build.input("x", (1, 3, SIDE, SIDE))
    w, v = build.tensor("first", first), build.tensor("last", last)
    maps = build.add("conv2d", x, w, pads=(1, 1, 1, 1))
    means = build.add("reduce", maps, kind="mean", axes=(2, 3), keepdims=0)
    network = build.network(outputs=(build.add("linear", means, v),))
    return Imported(
        network=network,
        name="odd",
        source_name="odd.onnx",
        source_sha256="0" * 64,
        scores="logits",
        input_shape=(1, 3, SIDE, SIDE),
    )


def weights(*shape: int) -> Floats:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def record_of(contents: LensContents, name: str) -> str:
    (record,) = (r for r in contents.tensors if r.name == name)
    return record.fate


ODD = {
    "all zero": np.zeros((8, 3, 3, 3), np.float32),
    "constant": np.full((8, 3, 3, 3), 0.25, np.float32),
    "two values": np.sign(weights(8, 3, 3, 3)),
    "one output": weights(1, 3, 3, 3),
    "one by one": weights(5, 3, 1, 1),
    "tiny": weights(8, 3, 3, 3) * np.float32(1e-7),
    "huge": weights(8, 3, 3, 3) * np.float32(1e6),
    "odd sizes": weights(17, 3, 3, 3),
}


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("kind", ODD)
def test_odd_tensors_go_all_the_way(kind: str, bits: int, tmp_path: Path) -> None:
    first = ODD[kind]
    imported = classifier(first, weights(4, len(first)))
    contents = pack(imported, settings=Settings(bits=bits), recipe="unit")
    path = tmp_path / "odd.lens"
    write_lens(path, contents)
    picture = weights(3, SIDE, SIDE)
    assert read_lens(path) == contents
    with open_lens(path) as lens:
        scores = lens.scores(picture)
    (expected,) = ReferenceEngine(contents).run([picture[None]])
    largest = np.abs(expected).max()
    assert np.abs(scores - expected[0]).max() <= NETWORK * max(largest, 1e-6)


def test_a_tensor_of_one_element_is_kept_in_half_precision() -> None:
    contents = pack(
        classifier(weights(1, 3, 3, 3), weights(1, 1)), settings=Settings(bits=4), recipe="unit"
    )
    assert record_of(contents, "last") in {"half", "palette"}


def test_more_levels_than_values_gives_exactly_the_values() -> None:
    contents = pack(
        classifier(ODD["two values"], weights(4, 8)), settings=Settings(bits=8), recipe="unit"
    )
    (record,) = (r for r in contents.tensors if r.name == "first")
    assert record.palette_size == 2
    assert record.plane is not None
    assert record.plane.index_bits == 1
    assert record.error == 0.0


def test_values_beyond_half_precision_stay_float_and_say_why() -> None:
    contents = pack(
        classifier(ODD["huge"], weights(4, 8)), settings=Settings(bits=4), recipe="unit"
    )
    (record,) = (r for r in contents.tensors if r.name == "first")
    assert record.fate == "float"
    assert "half precision" in record.reason


def test_every_tensor_has_a_fate_and_a_reason() -> None:
    for bits in (2, 16, 32):
        contents = pack(
            classifier(weights(8, 3, 3, 3), weights(4, 8)),
            settings=Settings(bits=bits),
            recipe="unit",
        )
        assert {r.name for r in contents.tensors} == {"first", "last"}
        assert all(r.reason for r in contents.tensors)


def test_the_network_given_is_not_changed() -> None:
    imported = classifier(weights(8, 3, 3, 3), weights(4, 8))
    before = {name: value.copy() for name, value in imported.network.tensors.items()}
    pack(imported, settings=Settings(bits=2), recipe="unit")
    for name, value in imported.network.tensors.items():
        assert np.array_equal(value, before[name])


def test_what_is_unpacked_packs_to_the_same_lens() -> None:
    imported = classifier(weights(16, 3, 3, 3), weights(4, 16))
    contents = pack(imported, settings=Settings(bits=4), recipe="unit")
    again = pack(unpack(contents), settings=Settings(bits=4), recipe="unit")
    assert [r.palettes for r in again.tensors] == [r.palettes for r in contents.tensors]
    assert [r.plane for r in again.tensors] == [r.plane for r in contents.tensors]


def test_weights_that_are_not_numbers_are_refused() -> None:
    broken = weights(8, 3, 3, 3)
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(ModelError):
        pack(classifier(broken, weights(4, 8)), settings=Settings(bits=4), recipe="unit")
