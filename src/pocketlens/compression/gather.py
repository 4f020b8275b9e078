"""Small planes gathered into one: a PNG's frame and a Huffman table cost more than they hold.

A PNG has 57 bytes around its pixels, a zlib stream 6 and a table 20 to 150. Tensors of few weights
whose indices have the same bits follow each other in one plane, by rising size of their palettes:
then those that resemble each other are neighbours, so that one table serves them (planes/encode.py
begins a new one where that is smaller), and the file need not say where each begins. An order by
the entropy that tables would share brought 24 bytes of 94 kB more, and took 200 to tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pocketlens.graph.graph import Shape
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.planes.decode import decode_indices
from pocketlens.planes.encode import Indices, encode_plane, encode_shared
from pocketlens.planes.plane import INDEX_BITS, Plane

SMALL_BYTES = 16_384
"""A tensor whose packed indices take more stays alone: the frame is below 1% of it."""

MOST_BYTES = 262_144
"""Of packed indices in one plane: reading one tensor of it inflates all."""

PLANE_ROW_BYTES = 14
"""What a plane takes in the file beside its PNG."""


@dataclass(frozen=True)
class _Small:
    """A tensor that may share: where its record stands, its palette's size, its flat indices."""

    place: int
    palette_size: int
    indices: NDArray[np.uint8]


def gather(
    records: Sequence[TensorRecord], *, weights: Set[str], crush: int | None = None
) -> tuple[TensorRecord, ...]:
    """The same tensors, small ones in shared planes wherever that makes fewer bytes.

    records  in the lens's order; those without a mask are looked at. Some may be out of planes
             that they shared with others, which need not be here any more
    weights  names of those that an operator multiplies with; they share with each other only,
             since the engine keeps their indices and nobody else's
    crush    as encode_plane() takes it

    Same records, same bytes. Tensors need not lie in a plane in the order of the records.
    """
    out = list(records)
    for index_bits, are_weights in product(INDEX_BITS, (True, False)):
        smalls = [
            small
            for small in _small(records, index_bits)
            if (records[small.place].name in weights) == are_weights
        ]
        for run in _runs(smalls, index_bits):
            arrays = [small.indices for small in run]
            if not _pays(arrays, [records[small.place].shape for small in run], index_bits):
                continue
            plane, starts = encode_shared(arrays, index_bits=index_bits, crush=crush)
            for small, start in zip(run, starts, strict=True):
                out[small.place] = replace(out[small.place], plane=plane, first_pixel=start)
    return tuple(
        _apart(record, crush) if record is before else record
        for record, before in zip(out, records, strict=True)
    )


def _pays(arrays: Sequence[Indices], shapes: Sequence[Shape], index_bits: int) -> bool:
    """Whether a shared plane is smaller than each alone, uncrushed."""
    plane, _ = encode_shared(arrays, index_bits=index_bits)
    alone = sum(
        encode_plane(indices.reshape(shape), index_bits=index_bits).png_bytes + PLANE_ROW_BYTES
        for indices, shape in zip(arrays, shapes, strict=True)
    )
    return plane.png_bytes + PLANE_ROW_BYTES < alone


def _apart(record: TensorRecord, crush: int | None) -> TensorRecord:
    """The tensor with a plane of its own."""
    plane = record.plane
    if plane is None or record.mask is not None or _is_own(record, plane):
        return record
    indices = decode_indices(plane, math.prod(record.shape), first_pixel=record.first_pixel)
    shaped = indices.reshape(record.shape)
    own = encode_plane(shaped, index_bits=plane.index_bits, crush=crush)
    return replace(record, plane=own, first_pixel=0)


def _is_own(record: TensorRecord, plane: Plane) -> bool:
    """Whether a plane ends where the tensor does: what is left of its last row is 0.

    The last row may hold all the pixels of a tensor that is not here any more.
    """
    count = math.prod(record.shape)
    spare = plane.rows * plane.width - count
    if record.first_pixel != 0 or spare >= (plane.width if plane.rows > 1 else 1):
        return False
    return not spare or not decode_indices(plane, spare, first_pixel=count).any()


def _small(records: Sequence[TensorRecord], index_bits: int) -> list[_Small]:
    found = []
    for place, record in enumerate(records):
        plane = record.plane
        if plane is None or record.mask is not None:
            continue
        count = math.prod(record.shape)
        if plane.index_bits == index_bits and count * index_bits <= 8 * SMALL_BYTES:
            indices = decode_indices(plane, count, first_pixel=record.first_pixel)
            found.append(_Small(place, record.palette_size, indices))
    return found


def _runs(smalls: Sequence[_Small], index_bits: int) -> Iterator[list[_Small]]:
    """What shares a plane: two tensors or more, as lensfile's usual_firsts() has them."""
    run: list[_Small] = []
    size = 0
    for small in sorted(smalls, key=lambda small: (small.palette_size, small.place)):
        bytes_ = small.indices.size * index_bits // 8
        if size + bytes_ > MOST_BYTES:
            if len(run) > 1:
                yield run
            run, size = [], 0
        run.append(small)
        size += bytes_
    if len(run) > 1:
        yield run
