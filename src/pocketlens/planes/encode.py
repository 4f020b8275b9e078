"""Indices to a plane: laid out in rows, cut in bands, each band a PNG."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.base.progress import Progress, silent
from pocketlens.planes.crush import crush_png
from pocketlens.planes.layout import choose_layout
from pocketlens.planes.plane import INDEX_BITS, Band, Plane
from pocketlens.planes.png import write_png

STAGE = "planes"


def encode_plane(
    indices: NDArray[np.uint8],
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
    flat = np.ascontiguousarray(indices).reshape(-1)
    outputs = indices.shape[0] if indices.ndim else 1
    layout = choose_layout(flat.size, flat.size // outputs, index_bits)
    band_pixels = layout.band_rows * layout.width
    starts = range(0, flat.size, band_pixels)
    bands = []
    for number, start in enumerate(starts):
        progress(STAGE, number, len(starts))
        part = flat[start : start + band_pixels]
        rows = -(-part.size // layout.width)
        pixels = np.pad(part, (0, rows * layout.width - part.size)).reshape(rows, layout.width)
        png = write_png(pixels, index_bits)
        bands.append(Band(rows, png if crush is None else crush_png(png, level=crush)))
    progress(STAGE, len(starts), len(starts))
    return Plane(layout.width, index_bits, tuple(bands))


def _check(indices: NDArray[np.uint8], index_bits: int) -> None:
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
