"""Indices to a plane: laid out in rows, cut in bands, each band a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.base.progress import Progress, silent
from pocketlens.planes.crush import STAGE, crush_png
from pocketlens.planes.layout import Layout, choose_even_layout, choose_layout
from pocketlens.planes.plane import INDEX_BITS, Band, Plane
from pocketlens.planes.png import write_png

Indices = NDArray[np.uint8]


def encode_plane(
    indices: Indices,
    *,
    index_bits: int,
    crush: int | None = None,
    progress: Progress = silent,
) -> Plane:
    """Make the plane of a tensor's palette indices.

    indices     uint8 (O, ...), at least one, all below 2^index_bits; the first axis counts
                outputs
    index_bits  1, 2, 4 or 8: see plane.index_bits_for
    crush       level of the PNG optimiser, 0 (quick) to 6 (thorough); None: leave it out
    progress    told stage "planes", bands done, bands in all

    Same indices and settings, same bytes. Raises UsageError 'bad-indices', 'bad-crush-level';
    MissingExtraError where `crush` is asked for and pyoxipng is not installed.
    """
    _check(indices, index_bits)
    outputs = indices.shape[0] if indices.ndim else 1
    layout = choose_layout(indices.size, indices.size // outputs, index_bits)
    return _write(indices.reshape(-1), layout, index_bits, crush=crush, progress=progress)


def store_plane(indices: Indices, *, index_bits: int) -> Plane:
    """As encode_plane(), its pictures left uncompressed: for an engine in this process, in a
    hundredth of the time. Raises UsageError 'bad-indices'.
    """
    _check(indices, index_bits)
    outputs = indices.shape[0] if indices.ndim else 1
    layout = choose_layout(indices.size, indices.size // outputs, index_bits)
    return _write(indices.reshape(-1), layout, index_bits, crush=None, stored=True)


def encode_shared(
    tensors: Sequence[Indices],
    *,
    index_bits: int,
    crush: int | None = None,
) -> tuple[Plane, tuple[int, ...]]:
    """Make one plane of the indices of several tensors, one after the other without a gap.

    tensors     at least one, each as encode_plane() takes it
    index_bits  of all of them
    crush       as encode_plane() takes it

    Gives the plane, and where each tensor's pixels begin. Tensors that resemble each other share a
    Huffman table; where one of its own is smaller, a new one begins. Raises as encode_plane().
    """
    if not tensors:
        raise UsageError("A plane is made of at least one tensor.", slug="bad-indices")
    for indices in tensors:
        _check(indices, index_bits)
    *starts, count = accumulate((indices.size for indices in tensors), initial=0)
    flat = np.concatenate([indices.reshape(-1) for indices in tensors])
    layout = choose_even_layout(count, index_bits)
    return _write(flat, layout, index_bits, crush=crush, cuts=starts[1:]), tuple(starts)


def encode_run(indices: Indices, *, index_bits: int, crush: int | None = None) -> Plane:
    """Make the plane of indices that have no rows of their own. Raises as encode_plane()."""
    return encode_shared([indices], index_bits=index_bits, crush=crush)[0]


def _write(
    flat: Indices,
    layout: Layout,
    index_bits: int,
    *,
    crush: int | None,
    cuts: Sequence[int] = (),
    stored: bool = False,
    progress: Progress = silent,
) -> Plane:
    """Cut `flat` in bands; `cuts` are the pixels at which another tensor begins."""
    width = layout.width
    band_pixels = layout.band_rows * width
    starts = range(0, flat.size, band_pixels)
    bands = []
    for number, start in enumerate(starts):
        progress(STAGE, number, len(starts))
        part = flat[start : start + band_pixels]
        rows = -(-part.size // width)
        pixels = np.pad(part, (0, rows * width - part.size)).reshape(rows, width)
        here = [divmod(cut - start, width) for cut in cuts if start < cut < start + part.size]
        png = write_png(pixels, index_bits, cuts=here, stored=stored)
        bands.append(Band(rows, png if crush is None else crush_png(png, level=crush)))
    progress(STAGE, len(starts), len(starts))
    return Plane(width, index_bits, tuple(bands))


def _check(indices: Indices, index_bits: int) -> None:
    if index_bits not in INDEX_BITS:
        raise UsageError(
            f"Planes have 1, 2, 4 or 8 bits a pixel, not {index_bits}.", slug="bad-indices"
        )
    if indices.dtype != np.uint8 or indices.size == 0:
        raise UsageError(
            f"A plane is made of at least one uint8 index, not of {indices.dtype} of shape "
            f"{indices.shape}.",
            slug="bad-indices",
        )
    if int(indices.max()) >> index_bits:
        raise UsageError(
            f"Index {int(indices.max())} does not fit in {index_bits} bits.", slug="bad-indices"
        )
