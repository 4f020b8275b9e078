"""A PNG optimiser on top, where it is installed (the extra "crush", pyoxipng).

It tries better deflate parses and filters; whatever it does, the indices are compared afterwards,
and the smaller file is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pocketlens.base.errors import MissingExtraError, UsageError
from pocketlens.base.progress import Progress, silent
from pocketlens.planes.decode import decode_png
from pocketlens.planes.plane import MOST_BAND_BYTES, Band, Plane
from pocketlens.planes.scanlines import read_header

STAGE = "planes"
LEVELS = range(7)
LEVEL_WITH_FILTERS = 5


def crush_png(png: bytes, *, level: int) -> bytes:
    """Make a band's PNG smaller at the optimiser's `level`, 0 (quick) to 6 (thorough).

    Up to level 4 only the deflate parse is searched, with all of it from level 4 on; 5 and 6 try
    PNG's filters too: several times the time for 0.1% at most (benchmarks/planes.py).

    Bit depth, colour type and every index stay; gives `png` itself where nothing is gained. The
    same bytes on every call. Raises UsageError 'bad-crush-level', MissingExtraError.
    """
    if level not in LEVELS:
        raise UsageError(
            f"Crush level {level} was asked for; levels go from 0 (quick) to 6 (thorough).",
            slug="bad-crush-level",
        )
    try:
        import oxipng
    except ImportError as error:
        raise MissingExtraError("Crushing planes", "crush") from error
    options: dict[str, Any] = {"level": level, "strip": oxipng.StripChunks.all()}
    if level < LEVEL_WITH_FILTERS:
        options["filter"] = [oxipng.RowFilter.NoOp]
    crushed: bytes = oxipng.optimize_from_memory(
        png,
        bit_depth_reduction=False,
        color_type_reduction=False,
        palette_reduction=False,
        grayscale_reduction=False,
        **options,
    )
    if len(crushed) >= len(png) or len(crushed) > MOST_BAND_BYTES:
        return png
    same = read_header(crushed) == read_header(png)
    if not (same and np.array_equal(decode_png(crushed), decode_png(png))):
        raise AssertionError("the PNG optimiser changed the picture")
    return crushed


def crush_plane(plane: Plane, *, level: int, progress: Progress = silent) -> Plane:
    """Make every band of a plane smaller. Raises as crush_png() does.

    progress  told stage "planes", bands done, bands in all
    """
    bands = []
    for number, band in enumerate(plane.bands):
        progress(STAGE, number, len(plane.bands))
        bands.append(Band(band.rows, crush_png(band.png, level=level)))
    progress(STAGE, len(bands), len(bands))
    return Plane(plane.width, plane.index_bits, tuple(bands))
