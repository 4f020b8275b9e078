"""The page that `pocketlens demo` writes: photos and answers, sizes, layers, planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pocketlens.classify.lens import Answer
from pocketlens.lensfile.contents import LensContents
from pocketlens.report.pages import photo_uri, png_uri, render

if TYPE_CHECKING:
    from PIL.Image import Image

PHOTO_SIDE_PX = 320
PLANES_SHOWN_BYTES = 400_000
"""Planes are inlined, largest last, until the page has grown by this much."""


@dataclass(frozen=True)
class PhotoRow:
    """A photo, what it is called, and its answers, best first."""

    name: str
    image: Image
    answers: Sequence[Answer]


@dataclass(frozen=True)
class SizeRow:
    """The same network at one width.

    bits        32, 16, 8, 4 or 2
    file_bytes  of the finished lens
    same        photos whose first answer is that of the 32-bit lens
    photos      of how many
    """

    bits: int
    file_bytes: int
    same: int
    photos: int


def demo_page(
    contents: LensContents,
    *,
    file_bytes: int,
    photos: Sequence[PhotoRow],
    sizes: Sequence[SizeRow],
    source: str,
    layers: Sequence[dict[str, Any]],
) -> str:
    """HTML text. `source` says what the sizes were made from; `layers` as `inspect --json`."""
    largest = max(row.file_bytes for row in sizes)
    return render(
        "demo.html.jinja",
        {
            "lens": contents,
            "file_bytes": file_bytes,
            "photos": [
                {"name": row.name, "uri": photo_uri(row.image, side=PHOTO_SIDE_PX),
                 "answers": row.answers}
                for row in photos
            ],
            "sizes": [{"row": row, "share": 100 * row.file_bytes / largest} for row in sizes],
            "source": source,
            "layers": layers,
            "planes": _planes(contents),
        },
    )  # fmt: skip


def _planes(contents: LensContents) -> list[dict[str, Any]]:
    """The smaller planes as pictures, in the order of the network."""
    pictured = [record for record in contents.tensors if record.plane is not None]
    by_size = sorted(pictured, key=lambda r: len(r.plane.bands[0].png) if r.plane else 0)
    shown: set[str] = set()
    room_bytes = PLANES_SHOWN_BYTES
    for record in by_size:
        assert record.plane is not None
        room_bytes -= len(record.plane.bands[0].png)
        if room_bytes < 0:
            break
        shown.add(record.name)
    return [
        {
            "name": record.name,
            "shape": "×".join(map(str, record.shape)),
            "uri": png_uri(record.plane.bands[0].png),
            "k": record.palette_size,
        }
        for record in pictured
        if record.name in shown and record.plane is not None
    ]
