"""Small lenses whose tensors share a plane or have a mask, made by hand: no NumPy."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

from lens_samples import palette_tensor, plane_of, small_lens
from pocketlens.lensfile.contents import LensContents, Plane, TensorRecord

STEM, HEAD = 0, 2
"""Numbers of the tensors with palettes in small_lens()."""


def indices_of(count: int, size: int, *, seed: int = 0, common: int | None = None) -> list[int]:
    """Random indices below `size`; three of four are `common`, if that is given."""
    dice = random.Random(seed)
    return [
        common if common is not None and dice.random() < 0.75 else dice.randrange(size)
        for _ in range(count)
    ]


def with_tensors(contents: LensContents, **changed: TensorRecord) -> LensContents:
    """The lens with tensors "stem" or "head" in place of its own."""
    numbers = {"stem": STEM, "head": HEAD}
    tensors = list(contents.tensors)
    for name, record in changed.items():
        tensors[numbers[name]] = record
    return dataclasses.replace(contents, tensors=tuple(tensors))


def weights(name: str, shape: tuple[int, ...], size: int, indices: Sequence[int]) -> TensorRecord:
    """A tensor with these indices on an 8-bit plane of its own."""
    record = palette_tensor(name, shape, size=size, bits=8)
    return dataclasses.replace(record, plane=plane_of(indices, width=31, bits=8, band_rows=3))


def masked(record: TensorRecord, indices: Sequence[int], *, common: int, bits: int) -> TensorRecord:
    """The same tensor with a mask for `common`."""
    mask = [int(index != common) for index in indices]
    rest = [index - (index > common) for index in indices if index != common]
    return dataclasses.replace(
        record,
        plane=plane_of(rest, width=7, bits=bits, band_rows=2),
        mask=plane_of(mask, width=37, bits=1, band_rows=2),
        common=common,
    )


def sharing(
    tensors: Sequence[tuple[TensorRecord, Sequence[int]]], *, bits: int, width: int, band_rows: int
) -> list[TensorRecord]:
    """The same tensors on one plane, in this order."""
    pixels = [index for _, indices in tensors for index in indices]
    plane: Plane = plane_of(pixels, width=width, bits=bits, band_rows=band_rows)
    shared, at = [], 0
    for record, indices in tensors:
        shared.append(dataclasses.replace(record, plane=plane, first_pixel=at))
        at += len(indices)
    return shared


def small_weights(
    *, stem_size: int = 5, head_size: int = 3
) -> tuple[LensContents, TensorRecord, list[int], TensorRecord, list[int]]:
    """small_lens(), its two weights on planes of their own, and their indices."""
    contents = small_lens()
    stem, head = contents.tensors[STEM], contents.tensors[HEAD]
    counts = [1, 1]
    for number, record in enumerate((stem, head)):
        for size in record.shape:
            counts[number] *= size
    stem_indices = indices_of(counts[0], stem_size, common=2)
    head_indices = indices_of(counts[1], head_size, seed=1)
    stem = weights(stem.name, stem.shape, stem_size, stem_indices)
    head = weights(head.name, head.shape, head_size, head_indices)
    return with_tensors(contents, stem=stem, head=head), stem, stem_indices, head, head_indices
