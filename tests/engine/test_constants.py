"""Biases that a lens keeps as indices reach the engine as the values they stand for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pocketlens.base.halves import even_halves
from pocketlens.engine.constants import plain_constants, plane_pixels
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.graph import Graph, Node
from pocketlens.images.recipe import Recipe
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.planes.best import encode_best
from pocketlens.planes.encode import encode_plane, encode_shared

RECIPE = Recipe("none", 1, 3, "bilinear", 1, 3, "gray", (0.0,), (1.0,))


def lens(*tensors: TensorRecord) -> LensContents:
    nodes = (
        Node("linear", "first", ("x", "w", "b"), "y", {"transpose_b": 1}),
        Node("binary", "then", ("y", "c"), "z", {"kind": "add"}),
    )
    shapes = {"x": (1, 3), "y": (1, 5), "z": (1, 5)} | {t.name: t.shape for t in tensors}
    return LensContents("small", Graph(("x",), ("z",), nodes, shapes), tensors, (), RECIPE)


def palette_record(
    name: str, shape: tuple[int, ...], palettes: bytes, **more: object
) -> TensorRecord:
    size = len(palettes) // 2
    plain = TensorRecord(name, shape, "palette", "", size, shape[0], palettes)
    return replace(plain, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("index_bits", [1, 2, 4, 8])
def test_pixels_are_the_indices(index_bits: int) -> None:
    indices = np.random.default_rng(index_bits).integers(0, 1 << index_bits, 20_011, np.uint8)
    plane, _ = encode_shared([indices[:7], indices[7:]], index_bits=index_bits)
    assert plane_pixels(plane)[: indices.size] == indices.tobytes()
    assert not any(plane_pixels(plane)[indices.size :])


def test_constants_become_values_and_weights_stay() -> None:
    rng = np.random.default_rng(0)
    even = even_halves(-1.0, 0.25, 9)
    b, c = rng.integers(0, 9, 5, np.uint8), rng.integers(0, 9, 5, np.uint8)
    shared, starts = encode_shared([b, c], index_bits=4)
    w = rng.integers(0, 4, (5, 3), np.uint8)
    contents = lens(
        palette_record("w", (5, 3), even_halves(0, 1, 4), plane=encode_plane(w, index_bits=2)),
        palette_record("b", (5,), even, plane=shared, first_pixel=starts[0], affine=(-1.0, 0.25)),
        palette_record("c", (5,), even, plane=shared, first_pixel=starts[1]),
    )
    plain = plain_constants(contents)
    assert plain.tensors[0] is contents.tensors[0]
    for record, indices in zip(plain.tensors[1:], (b, c), strict=True):
        values = np.frombuffer(even, "<f2")[indices]
        expected = TensorRecord(record.name, (5,), "half", "", values=values.tobytes())
        assert record == expected


def test_a_trellis_is_followed() -> None:
    rng = np.random.default_rng(2)
    shape = (40, 6)
    numbers = (rng.integers(0, 9, shape) * (rng.random(shape) < 0.2)).astype(np.uint8)
    best = encode_best(numbers, palette_size=9)
    record = palette_record(
        "c", shape, even_halves(-1.0, 0.25, 18), plane=best.plane, mask=best.mask,
        common=best.common, trellis=True,
    )  # fmt: skip
    (plain,) = plain_constants(lens(record)).tensors
    assert not plain.trellis
    expected = tensor_values(record)
    assert len(np.unique(expected)) > 9
    np.testing.assert_array_equal(np.frombuffer(plain.values, "<f2").reshape(shape), expected)


def test_groups_and_masks_are_followed() -> None:
    rng = np.random.default_rng(1)
    shape = (160, 30)
    indices = (rng.integers(1, 18, shape) * (rng.random(shape) < 0.1)).astype(np.uint8)
    best = encode_best(indices, palette_size=18)
    assert best.mask is not None
    palettes = np.sort(rng.normal(size=(10, 18)).astype("<f2"), axis=1)
    record = TensorRecord(
        "c", shape, "palette", "", 18, 16, palettes.tobytes(), plane=best.plane, mask=best.mask,
        common=best.common,
    )  # fmt: skip
    (plain,) = plain_constants(lens(record)).tensors
    values = np.frombuffer(plain.values, "<f2").reshape(shape)
    assert math.prod(shape) * 2 == len(plain.values)
    expected = palettes[np.arange(160) // 16][np.arange(160)[:, None], indices]
    np.testing.assert_array_equal(values, expected)
