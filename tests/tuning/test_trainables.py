"""What can be trained, and that it goes back into the lens as it came out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pocketlens.base.halves import even_halves
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.build import Builder
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.planes.encode import encode_plane
from pocketlens.tuning.trainables import Place, places_of, with_values
from tuning.conftest import Coded


def made(place: Place) -> np.ndarray:
    """The tensor that a trainable says it is."""
    trainable = place.trainable
    if trainable.indices is None:
        return trainable.values.reshape(trainable.shape)
    return trainable.values[trainable.indices]


def test_weights_and_biases_can_be_trained(coded: Coded) -> None:
    places = places_of(coded.contents.graph, coded.contents.tensors)
    kinds = {place.record.name: place.trainable.indices is not None for place in places}
    assert sum(kinds.values()) >= 3
    assert not all(kinds.values())
    for place in places:
        np.testing.assert_array_equal(made(place), tensor_values(place.record))


def test_untouched_values_give_the_same_records(coded: Coded) -> None:
    places = places_of(coded.contents.graph, coded.contents.tensors)
    values = {place.record.name: place.trainable.values for place in places}
    assert with_values(coded.contents.tensors, places, values) == coded.contents.tensors


def test_values_that_cross_are_brought_back(coded: Coded) -> None:
    places = places_of(coded.contents.graph, coded.contents.tensors)
    place = next(place for place in places if place.counts is not None)
    backwards = np.ascontiguousarray(place.trainable.values[::-1])
    record = place.record_with(backwards)
    halves = np.frombuffer(record.palettes, "<f2")
    assert len(record.palettes) == len(place.record.palettes)
    assert (np.diff(halves) >= 0).all()
    assert record.plane is place.record.plane


def test_huge_values_stay_within_half_precision(coded: Coded) -> None:
    places = places_of(coded.contents.graph, coded.contents.tensors)
    for place in places:
        record = place.record_with(np.full_like(place.trainable.values, 1e9))
        assert np.isfinite(tensor_values(record)).all()


@pytest.fixture
def rows() -> TensorRecord:
    """Weights of 5 outputs, two of which share a palette; the last group has only one."""
    rng = np.random.default_rng(1)
    palettes = np.sort(rng.standard_normal((3, 4)).astype(np.float16), 1)
    palettes[1, 3] = palettes[1, 2]  # a group that needs fewer repeats its last value
    indices = rng.integers(0, 3, (5, 6)).astype(np.uint8)
    plane = encode_plane(indices, index_bits=2)
    return TensorRecord("w", (5, 6), "palette", "", 4, 2, palettes.astype("<f2").tobytes(),
                        plane=plane)  # fmt: skip


def linear(record: TensorRecord) -> Place:
    outputs, columns = record.shape
    builder = Builder()
    x = builder.input("x", (1, columns))
    w = builder.tensor("w", np.zeros((outputs, columns), np.float32))
    y = builder.add("linear", x, w)
    (place,) = places_of(builder.network(outputs=(y,)).graph, [record])
    return place


def test_groups_of_outputs_have_values_of_their_own(rows: TensorRecord) -> None:
    place = linear(rows)
    np.testing.assert_array_equal(made(place), tensor_values(rows))
    moved = place.record_with(place.trainable.values + np.float32(0.25))
    np.testing.assert_allclose(tensor_values(moved), tensor_values(rows) + 0.25, atol=2e-3)


def test_even_palettes_stay_even(rows: TensorRecord) -> None:
    affine = (-0.5, 0.25)
    even = replace(
        rows,
        group_rows=5,
        affine=affine,
        palettes=even_halves(*affine, 4),
        reason="steps of 0.25 by rate and distortion",
    )
    place = linear(even)
    assert place.trainable.is_even
    np.testing.assert_array_equal(made(place), tensor_values(even))
    assert place.record_with(place.trainable.values) == even
    moved = place.record_with(1.5 * place.trainable.values + np.float32(0.125))
    assert moved.affine == (-0.625, 0.375)
    assert moved.reason == "steps of 0.375 by rate and distortion"
    assert moved.palettes == even_halves(-0.625, 0.375, 4)


@pytest.mark.parametrize("is_even", [False, True])
def test_palettes_along_a_trellis_are_trained(rows: TensorRecord, *, is_even: bool) -> None:
    affine = (-0.5, 0.25) if is_even else None
    palettes = even_halves(-0.5, 0.25, 8)
    along = replace(
        rows, group_rows=5, palette_size=8, palettes=palettes, affine=affine, trellis=True
    )
    place = linear(along)
    np.testing.assert_array_equal(made(place), tensor_values(along))
    assert len(np.unique(tensor_values(along))) > 3, "as many as there are numbers"
    moved = place.record_with(2 * place.trainable.values)
    assert moved.trellis
    assert moved.plane is along.plane
    np.testing.assert_array_equal(tensor_values(moved), 2 * tensor_values(along))


def test_tensors_that_share_a_plane_keep_it(rows: TensorRecord) -> None:
    rng = np.random.default_rng(2)
    indices = rng.integers(0, 3, 40).astype(np.uint8)
    plane = encode_plane(indices[None], index_bits=2)
    place = linear(replace(rows, plane=plane, first_pixel=10))
    assert place.trainable.indices is not None
    groups = np.arange(5)[:, None] // 2
    expected = indices[10:].reshape(5, 6) + 4 * groups
    np.testing.assert_array_equal(place.trainable.indices, expected)
    assert place.record_with(place.trainable.values * 2).plane is plane
