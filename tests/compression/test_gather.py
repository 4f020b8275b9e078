"""Small planes in one: every tensor keeps its indices, and the file has fewer bytes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pocketlens.compression import gather as gathering
from pocketlens.compression.gather import SMALL_BYTES
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.planes.best import encode_best
from pocketlens.planes.decode import decode_indices
from pocketlens.planes.encode import encode_plane, encode_shared

Indices = NDArray[np.uint8]


def record(name: str, indices: Indices, index_bits: int, size: int | None = None) -> TensorRecord:
    size = size or 1 << index_bits
    return TensorRecord(
        name,
        indices.shape,
        "palette",
        "",
        palette_size=size,
        group_rows=len(indices),
        palettes=np.arange(size).astype("<f2").tobytes(),
        plane=encode_plane(indices, index_bits=index_bits),
    )


def bell(rng: np.random.Generator, count: int, centre: float, width: float) -> Indices:
    return np.clip(rng.normal(centre, width, count).round(), 0, 255).astype(np.uint8)


def gather(
    records: Sequence[TensorRecord], *, constants: tuple[str, ...] = ()
) -> tuple[TensorRecord, ...]:
    names = {record.name for record in records}
    return gathering.gather(records, weights=names - set(constants))


def bytes_of(records: tuple[TensorRecord, ...]) -> int:
    planes = {id(record.plane): record.plane for record in records if record.plane}
    return sum(plane.png_bytes for plane in planes.values())


def indices_of(record: TensorRecord) -> Indices:
    assert record.plane is not None
    count = math.prod(record.shape)
    return decode_indices(record.plane, count, first_pixel=record.first_pixel)


def test_small_planes_become_one() -> None:
    rng = np.random.default_rng(0)
    kept = [bell(rng, 200 + 31 * i, 128, 5 + i % 3 * 12) for i in range(9)]
    records = tuple(record(f"t{i}", indices, 8) for i, indices in enumerate(kept))
    gathered = gather(records)
    assert len({id(record.plane) for record in gathered}) == 1
    assert bytes_of(gathered) < bytes_of(records) - 8 * 60
    for before, after, indices in zip(records, gathered, kept, strict=True):
        np.testing.assert_array_equal(indices_of(after), indices)
        assert replace(after, plane=None, first_pixel=0) == replace(before, plane=None)


def test_pixels_follow_each_other_without_a_gap() -> None:
    rng = np.random.default_rng(1)
    gathered = gather([record(f"t{i}", rng.integers(0, 4, 37 + i).astype(np.uint8), 2)
                       for i in range(5)])  # fmt: skip
    spans = sorted((r.first_pixel, r.first_pixel + r.shape[0]) for r in gathered)
    assert spans[0][0] == 0
    assert all(left[1] == right[0] for left, right in itertools.pairwise(spans))


def test_alike_ones_are_neighbours() -> None:
    rng = np.random.default_rng(2)
    low = [record(f"low{i}", bell(rng, 900, 20, 3), 8, 40) for i in range(4)]
    high = [record(f"high{i}", bell(rng, 900, 200, 25), 8) for i in range(4)]
    mixed = [one for pair in zip(low, high, strict=True) for one in pair]
    order = sorted(gather(mixed), key=lambda one: one.first_pixel)
    kinds = [one.name.rstrip("0123456789") for one in order]
    assert sum(a != b for a, b in itertools.pairwise(kinds)) == 1


def test_other_bits_have_other_planes_and_some_stay_alone() -> None:
    rng = np.random.default_rng(3)
    eight = [record(f"a{i}", rng.integers(0, 256, 50).astype(np.uint8), 8) for i in range(2)]
    four = [record(f"b{i}", rng.integers(0, 16, 50).astype(np.uint8), 4) for i in range(2)]
    big = record("big", rng.integers(0, 256, SMALL_BYTES + 1).astype(np.uint8), 8)
    half = TensorRecord("half", (2,), "half", "", values=bytes(4))
    a, b, c, d, e, f = gather([*eight, *four, big, half])
    assert a.plane is b.plane
    assert c.plane is d.plane
    assert (e, f) == (big, half)
    assert gather([eight[0], four[0]]) == (eight[0], four[0])


def test_weights_and_constants_have_planes_of_their_own() -> None:
    rng = np.random.default_rng(7)
    records = [record(f"t{i}", bell(rng, 60, 100, 9), 8) for i in range(6)]
    gathered = gather(records, constants=("t1", "t4", "t5"))
    planes = [id(one.plane) for one in gathered]
    assert planes[0] == planes[2] == planes[3] != planes[1] == planes[4] == planes[5]


def test_a_masked_tensor_keeps_its_planes() -> None:
    rng = np.random.default_rng(4)
    sparse = (rng.integers(1, 17, 4000) * (rng.random(4000) < 0.1)).astype(np.uint8)
    best = encode_best(sparse, palette_size=17)
    assert best.mask is not None
    masked = replace(record("m", sparse, 8), plane=best.plane, mask=best.mask, common=best.common)
    others = [record(f"t{i}", rng.integers(0, 200, 60).astype(np.uint8), 8) for i in range(2)]
    gathered = gather([masked, *others])
    assert gathered[0] is masked
    assert gathered[1].plane is gathered[2].plane


def test_what_is_left_of_two_gatherings_is_gathered_anew() -> None:
    rng = np.random.default_rng(6)
    kept = [bell(rng, 60 + i, 100, 9) for i in range(6)]
    one = gather([record(f"t{i}", indices, 8) for i, indices in enumerate(kept)])
    other = gather([record(f"t{i}", indices + np.uint8(1), 8) for i, indices in enumerate(kept)])
    mixed = gather([*one[:3], *other[3:]])
    plain = [*kept[:3], *(indices + np.uint8(1) for indices in kept[3:])]
    assert mixed == gather([record(f"t{i}", indices, 8) for i, indices in enumerate(plain)])
    assert gather(one[2:3]) == (record("t2", kept[2], 8),)


def test_pixels_of_a_tensor_that_is_gone_are_not_kept() -> None:
    """Those of a small one, all in the last row of a large one's plane."""
    rng = np.random.default_rng(9)
    indices, small = (rng.integers(1, 200, size).astype(np.uint8) for size in (9_216, 100))
    plane, _ = encode_shared([indices, small], index_bits=8)
    assert plane.rows == 2 and plane.width > small.size
    (alone,) = gather([replace(record("large", indices, 8), plane=plane)])
    assert alone == record("large", indices, 8)


def test_gathering_again_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    records = [record(f"t{i}", rng.integers(0, 9, 70).astype(np.uint8), 4) for i in range(4)]
    once = gather(records)
    assert gather(once) == once
    assert gather(records) == once
