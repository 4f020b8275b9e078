"""The page that `pocketlens demo` writes: photos and answers, sizes, layers, planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pocketlens.classify.lens import Answer
from pocketlens.lensfile.contents import LensContents
from pocketlens.report.pages import photo_uri, png_uri, render
from pocketlens.report.plane_picture import plane_picture

if TYPE_CHECKING:
    from PIL.Image import Image

PHOTO_SIDE_PX = 320
CORNER_ROWS, CORNER_COLUMNS = 64, 128


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
    """A corner of every plane as a picture, in the order of the network."""
    return [
        {
            "name": record.name,
            "shape": "×".join(map(str, record.shape)),
            "uri": png_uri(plane_picture(record, rows=CORNER_ROWS, columns=CORNER_COLUMNS)),
            "k": record.palette_size,
        }
        for record in contents.tensors
        if record.plane is not None
    ]
