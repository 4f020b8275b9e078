"""Opening a lens inflates its planes once, in the core, and refuses what reading it refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import test_check_planes
import test_lens_rules
import test_lens_sharing

from lens_forge import forge, with_plane
from lens_samples import png_of, small_lens
from pocketlens.base.errors import LensFileError
from pocketlens.classify.lens import open_lens
from pocketlens.lensfile.contents import Band, LensContents
from pocketlens.lensfile.reader import read_lens

Make = Callable[[], LensContents]

PIXEL_FAULTS = ("lens-index", "lens-rest")
OF_MASKS = ("ones too many", "ones too few", "no ones")


def first_band(change: Callable[[list[bytes]], list[bytes]]) -> LensContents:
    """The small lens with other rows in the first band of its first plane."""
    contents = small_lens()
    plane = contents.tensors[0].plane
    assert plane is not None
    row_bytes = (plane.width * plane.index_bits + 7) // 8
    rows = change([bytes(row_bytes) for _ in range(plane.bands[0].rows)])
    png = png_of(rows, width=plane.width, bits=plane.index_bits)
    bands = (Band(len(rows), png), *plane.bands[1:])
    return with_plane(contents, 0, bands=bands)


def odd_plane() -> LensContents:
    """Bits between the last pixel of a row and the end of its byte."""
    plane = small_lens().tensors[0].plane
    assert plane is not None and plane.width * plane.index_bits % 8, "rows end within a byte"
    return first_band(lambda rows: [rows[0][:-1] + b"\x01", *rows[1:]])


def damaged() -> LensContents:
    contents = small_lens()
    plane = contents.tensors[0].plane
    assert plane is not None
    png = plane.bands[-1].png
    at = png.index(b"IDAT") + 12
    broken = png[:at] + bytes([png[at] ^ 1]) + png[at + 1 :]
    last = dataclasses.replace(plane.bands[-1], png=broken)
    return with_plane(contents, 0, bands=(*plane.bands[:-1], last))


CASES: dict[str, Make] = {
    "bits after a row": odd_plane,
    "a band whose checksum does not fit": damaged,
    **{f"rules: {name}": make for name, (_, make) in test_lens_rules.BROKEN.items()
       if name not in test_lens_rules.NO_FILE_CAN_HOLD},
    **{f"sharing: {name}": make for name, (_, make) in test_lens_sharing.BROKEN.items()
       if name not in test_lens_sharing.NO_FILE_CAN_HOLD},
    **{f"planes: {name}": make for name, (slug, make) in test_check_planes.WRONG.items()
       if slug in PIXEL_FAULTS or name in OF_MASKS},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_opening_refuses_in_the_words_of_reading(name: str, tmp_path: Path) -> None:
    path = forge(tmp_path / "evil.lens", CASES[name]())
    with pytest.raises(LensFileError) as read:
        read_lens(path)
    with pytest.raises(LensFileError) as opened:
        open_lens(path)
    assert (opened.value.slug, opened.value.sentence) == (read.value.slug, read.value.sentence)


def test_what_reading_takes_opens(tmp_path: Path) -> None:
    contents = small_lens()
    with open_lens(forge(tmp_path / "good.lens", contents)) as lens:
        assert lens.labels == contents.labels
        assert lens.contents == dataclasses.replace(contents, tensors=())
