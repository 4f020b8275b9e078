"""The smallest plane of a tensor: plain, or a mask of the common index beside the others.

A Huffman code spends a bit on a byte however frequent it is, so where most weights have one index,
as in networks that were pruned, it stays far above the entropy. A plane of 1 bit a weight tells
eight of them a byte; the plane of the others then has one value fewer to tell apart, so that 17
levels fit 4 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pocketlens.base.progress import Progress, silent
from pocketlens.planes.crush import crush_plane
from pocketlens.planes.encode import Indices, encode_plane, encode_run
from pocketlens.planes.plane import INDEX_BITS, Plane, index_bits_for

LEAST_COMMON = 0.15
"""A mask is tried where the most frequent index has at least this share."""

SMALL_PIXELS = 65_536
"""Up to here a container larger than needed is tried too: its Huffman table may be smaller."""

MASK_FILE_BYTES = 64
"""What the file spends on a second picture, beside its PNG."""


@dataclass(frozen=True)
class BestPlane:
    """How to keep a tensor's indices.

    plane   of all indices, or of those that the mask does not stand for
    mask    None, or a plane of 1 bit a weight: 0 where the index is `common`
    common  the index that the mask stands for; 0 without a mask
    """

    plane: Plane
    mask: Plane | None = None
    common: int = 0

    @property
    def png_bytes(self) -> int:
        """Bytes of all PNGs."""
        return self.plane.png_bytes + (self.mask.png_bytes if self.mask is not None else 0)


def encode_best(
    indices: Indices,
    *,
    palette_size: int,
    crush: int | None = None,
    progress: Progress = silent,
) -> BestPlane:
    """Make the smallest plane, or plane and mask, of a tensor's palette indices.

    indices       uint8 (O, ...), at least one, all below `palette_size`
    palette_size  2 to 256; 1 for a constant tensor
    crush         as encode_plane() takes it; only what is kept is crushed
    progress      as encode_plane() takes it

    Real PNG bytes decide, before any crushing; among equals the plainest wins. Same indices and
    settings, same bytes. Raises as encode_plane().
    """
    bits = _containers(palette_size, indices.size)
    choices = [BestPlane(encode_plane(indices, index_bits=each)) for each in bits]
    choices += _masked(indices, palette_size)
    best = min(choices, key=_file_bytes)  # the first of the smallest
    if crush is None:
        return best
    mask = best.mask if best.mask is None else crush_plane(best.mask, level=crush)
    plane = crush_plane(best.plane, level=crush, progress=progress)
    return BestPlane(plane, mask, best.common)


def _masked(indices: Indices, palette_size: int) -> list[BestPlane]:
    """Planes with a mask of the most frequent index, where there is one that may pay."""
    flat = indices.reshape(-1)
    counts = np.bincount(flat, minlength=palette_size)
    common = int(counts.argmax())
    if not LEAST_COMMON * flat.size <= counts[common] < flat.size:
        return []
    others = flat != common
    rest = flat[others]
    rest -= rest > common
    mask = encode_plane(others.reshape(indices.shape).view(np.uint8), index_bits=1)
    bits = _containers(palette_size - 1, rest.size)
    return [BestPlane(encode_run(rest, index_bits=each), mask, common) for each in bits]


def _containers(palette_size: int, pixels: int) -> tuple[int, ...]:
    """Bits a pixel to try, the smallest container first."""
    least = index_bits_for(palette_size)
    if pixels > SMALL_PIXELS:
        return (least,)
    return tuple(bits for bits in INDEX_BITS if bits >= least)


def _file_bytes(choice: BestPlane) -> int:
    return choice.png_bytes + (MASK_FILE_BYTES if choice.mask is not None else 0)
