"""Shared planes, masks, trellises, even palettes, losses: what is told comes back, lies do not."""

from __future__ import annotations

import dataclasses
import math
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from lens_forge import forge_rows, with_tensor
from lens_refusals import assert_refused
from lens_samples import palette_tensor, plane_of, small_lens
from pocketlens.base.errors import LensFileError
from pocketlens.base.halves import even_halves
from pocketlens.lensfile.contents import LensContents, Plane, from_two_digits, two_digits
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.rows import to_rows
from pocketlens.lensfile.schema import Row, Rows
from pocketlens.lensfile.writer import write_lens

GOOD = small_lens()
STEM, STEM_BIAS, HEAD, CALM = range(4)
SIZES = {STEM_BIAS: 8, HEAD: 32, CALM: 1}
"""Numbers of the tensors that share."""


def sharing(
    *, band_rows: int = 100, width: int = 41, sizes: tuple[int, int, int] = (16, 3, 1)
) -> LensContents:
    """Bias, head and constant in one plane of 4 bits, with palettes of `sizes` values."""
    dice = random.Random(5)
    limits = dict(zip((STEM_BIAS, HEAD, CALM), sizes, strict=True))
    indices = [dice.randrange(limits[number]) for number, n in SIZES.items() for _ in range(n)]
    plane = plane_of(indices, width=width, bits=4, band_rows=band_rows)
    contents, first = GOOD, 0
    for number, count in SIZES.items():
        old = contents.tensors[number]
        new = palette_tensor(old.name, old.shape, size=limits[number], bits=4)
        new = dataclasses.replace(new, plane=plane, first_pixel=first, loss=0.001 * number)
        contents = with_tensor(contents, number, **vars(new))
        first += count
    return contents


def masked(*, common: int = 2, ones: int = 50) -> LensContents:
    """The stem with a mask: most of its 216 indices are the common one."""
    dice = random.Random(6)
    bits = [1] * ones + [0] * (216 - ones)
    dice.shuffle(bits)
    return with_tensor(
        GOOD,
        STEM,
        plane=plane_of([dice.randrange(4) for _ in range(ones)], width=10, bits=2, band_rows=9),
        mask=plane_of(bits, width=27, bits=1, band_rows=9),
        common=common,
    )


def even(offset: float = -0.5, step: float = 0.25) -> LensContents:
    return with_tensor(GOOD, STEM, affine=(offset, step), palettes=even_halves(offset, step, 5))


def ramp(size: int) -> bytes:
    return even_halves(-1.0, 0.125, size)


def trellis(contents: LensContents = GOOD, *, size: int = 10, **more: object) -> LensContents:
    """The stem's pixels as numbers along a trellis."""
    return with_tensor(contents, STEM, trellis=True, palette_size=size, palettes=ramp(size), **more)


def shared_trellis() -> LensContents:
    """The head's 3 numbers stand for 6 values, in a plane with others."""
    contents = sharing(sizes=(16, 3, 1))
    return with_tensor(contents, HEAD, trellis=True, palette_size=6, palettes=ramp(6))


def twins() -> LensContents:
    """Two tensors of one number each whose planes happen to be alike."""
    contents = small_lens(middle=1)
    plane = plane_of([0], width=1, bits=1, band_rows=1)
    for number in (STEM_BIAS, CALM):
        old = contents.tensors[number]
        new = palette_tensor(old.name, old.shape, size=1, bits=1)
        contents = with_tensor(contents, number, **vars(dataclasses.replace(new, plane=plane)))
    return contents


FINE: dict[str, Callable[[], LensContents]] = {
    "one plane for three tensors": sharing,
    "one plane for three tensors in the usual order": lambda: sharing(sizes=(1, 3, 3)),
    "one plane for three tensors in bands": lambda: sharing(width=5, band_rows=2),
    "a mask": masked,
    "a mask for the first value": lambda: masked(common=0),
    "an even palette": even,
    "an even palette that falls below nothing": lambda: even(-(2.0**-20), 0.0),
    "a trellis": trellis,
    "a trellis of more values than it uses": lambda: trellis(size=32),
    "a trellis and an even palette": lambda: trellis(affine=(-1.0, 0.125)),
    "a trellis in a shared plane": shared_trellis,
    "a trellis behind a mask": lambda: trellis(masked(common=4)),
    "planes that are alike": twins,
    "a loss": lambda: with_tensor(GOOD, STEM, loss=0.0),
    "a loss of almost nothing": lambda: with_tensor(GOOD, STEM, loss=1.25e-17),
    "a loss that is a gain": lambda: with_tensor(GOOD, STEM, loss=-0.5),
    "a reason that begins with a sign": lambda: with_tensor(GOOD, STEM, reason="# of them"),
    "a reason of its own number": lambda: with_tensor(GOOD, STEM, reason="5 values, no more"),
    "a reason that tells the step": lambda: with_tensor(
        even(), STEM, reason="5 in steps of 0.25, not 10.25"
    ),
    "a reason with two waves": lambda: with_tensor(even(), STEM, reason="~ 0.25 ~~ 0.25"),
    "waves without a step": lambda: with_tensor(GOOD, STEM, reason="#~~~"),
    "no reason beside others'": lambda: with_tensor(GOOD, STEM_BIAS, reason=""),
}


@pytest.mark.parametrize("name", FINE)
def test_comes_back(name: str, tmp_path: Path) -> None:
    contents = FINE[name]()
    write_lens(tmp_path / "model.lens", contents)
    assert read_lens(tmp_path / "model.lens") == contents


def test_a_shared_picture_is_stored_once_and_held_once(tmp_path: Path) -> None:
    contents = sharing(width=5, band_rows=2)
    plane = contents.tensors[HEAD].plane
    assert isinstance(plane, Plane)
    pngs = [row[-1] for row in to_rows(contents)["lens"]]
    assert all(pngs.count(band.png) == 1 for band in plane.bands)
    write_lens(tmp_path / "model.lens", contents)
    tensors = read_lens(tmp_path / "model.lens").tensors
    assert tensors[HEAD].plane is tensors[CALM].plane is tensors[STEM_BIAS].plane


def test_an_even_palette_takes_eight_bytes() -> None:
    rows = [row for row in to_rows(even())["lens"] if row[0] is None]
    assert rows[0][-2] == struct.pack("<2f", -0.5, 0.25)


@pytest.mark.parametrize(
    ("number", "rounded", "told"),
    [(0.0123456, 0.012, 1203), (-1.2652e-09, -1.3e-09, -1310), (0.996, 1.0, 1001),
     (7.0, 7.0, 7001), (99.4, 99.0, 9900), (99.6, 100.0, 10000), (1234.5, 1234.0, 123400),
     (1e300, 1e15, 10**17), (0.0, 0.0, 0), (3.14e-98, 3.1e-98, 3199), (1e-99, 0.0, 0)],
)  # fmt: skip
def test_errors_and_losses_have_two_digits(number: float, rounded: float, told: int) -> None:
    record = dataclasses.replace(GOOD.tensors[STEM], loss=number)
    assert record.loss == rounded
    assert two_digits(number) == two_digits(rounded) == told
    assert from_two_digits(told) == rounded
    assert dataclasses.replace(GOOD.tensors[STEM], error=0.0567).error == 0.057


def test_what_is_no_number_is_not_rounded() -> None:
    assert dataclasses.replace(GOOD.tensors[STEM], loss=math.inf).loss == math.inf


def test_tensors_of_one_plane_need_not_say_where_they_begin() -> None:
    """By rising size of the palettes; those that lie otherwise say it."""
    assert "first=40" in says_of_tensors(sharing(sizes=(16, 3, 1)))
    assert "first" not in says_of_tensors(sharing(sizes=(1, 3, 3)))


def says_of_tensors(contents: LensContents) -> str:
    return " ".join(str(row[3]) for row in to_rows(contents)["lens"] if row[0] is None)


def test_an_error_below_a_millionth_is_none() -> None:
    assert dataclasses.replace(GOOD.tensors[STEM], error=9e-7).error == 0.0


def shared(number: int, **changes: object) -> Callable[[], LensContents]:
    return lambda: with_tensor(sharing(), number, **changes)


def of_mask(plane: Plane) -> Callable[[], LensContents]:
    return lambda: with_tensor(masked(), STEM, mask=plane)


BROKEN: dict[str, tuple[str, Callable[[], LensContents]]] = {
    "a tensor past the end of its plane": ("lens-plane", shared(CALM, first_pixel=41)),
    "a gap": ("lens-plane", shared(CALM, first_pixel=41 - 1 + 2)),
    "an overlap": ("lens-plane", shared(HEAD, first_pixel=7)),
    "a beginning below 0": ("lens-plane", shared(STEM_BIAS, first_pixel=-1)),
    "a beginning of 2^62": ("lens-plane", shared(HEAD, first_pixel=2**62)),
    "a plane with pixels that nobody has": (
        "lens-plane",
        lambda: with_tensor(GOOD, STEM_BIAS, **vars(sharing().tensors[STEM_BIAS])),
    ),
    "an index beyond the palette of its own part": (
        "lens-index",
        lambda: with_tensor(
            sharing(), HEAD, palette_size=2, palettes=sharing().tensors[HEAD].palettes[:4]
        ),
    ),
    "a beginning without a plane": ("lens-fate", lambda: with_tensor(GOOD, CALM, first_pixel=1)),
    "a mask with too many ones": ("lens-plane", of_mask(plane_of([1] * 216, width=27, bits=1,
                                                                 band_rows=9))),
    "a mask of zeros": ("lens-plane", of_mask(plane_of([0] * 216, width=27, bits=1, band_rows=9))),
    "a mask that is too small": (
        "lens-plane",
        of_mask(plane_of([1, 0] * 54, width=27, bits=1, band_rows=9)),
    ),
    "a mask of 2 bits": (
        "lens-plane",
        of_mask(plane_of([0, 1] * 108, width=27, bits=2, band_rows=9)),
    ),
    "a common index beyond the palette": ("lens-palette", lambda: masked(common=5)),
    "a common index below 0": ("lens-palette", lambda: masked(common=-1)),
    "a common index without a mask": ("lens-palette", lambda: with_tensor(GOOD, STEM, common=1)),
    "a trellis of too few values": ("lens-palette", lambda: trellis(size=2)),
    "a trellis of half a number": ("lens-palette", lambda: trellis(size=11)),
    "a trellis of more numbers than bits": ("lens-palette", lambda: trellis(size=34)),
    "a trellis of 258 values": ("lens-palette", lambda: trellis(size=258)),
    "a trellis of two palettes": (
        "lens-palette",
        lambda: trellis(group_rows=4),
    ),
    "a number beyond a trellis": ("lens-index", lambda: trellis(size=8)),
    "a common number beyond a trellis": ("lens-palette", lambda: trellis(masked(common=5))),
    "a number beyond a trellis behind a mask": ("lens-index", lambda: trellis(masked(), size=8)),
    "a trellis that is no palette": ("lens-fate", lambda: with_tensor(GOOD, CALM, trellis=True)),
    "a trellis that is neither": ("lens-palette", lambda: with_tensor(GOOD, STEM, trellis=1)),
    "an even palette that is another": (
        "lens-palette",
        lambda: with_tensor(GOOD, STEM, affine=(-0.5, 0.25)),
    ),
    "an even palette that falls": ("lens-palette", lambda: even(0.5, -0.25)),
    "an even palette beyond half precision": (
        "lens-palette",
        lambda: with_tensor(GOOD, STEM, affine=(0.0, 6e4)),
    ),
    "an even palette that is no number": (
        "lens-palette",
        lambda: with_tensor(GOOD, STEM, affine=(math.nan, 1.0)),
    ),
    "an even palette that is endless": (
        "lens-palette",
        lambda: with_tensor(GOOD, STEM, affine=(math.inf, 1.0)),
    ),
    "an even palette in double precision": (
        "lens-palette",
        lambda: with_tensor(GOOD, STEM, affine=(0.1, 1.0), palettes=even_halves(0.1, 1.0, 5)),
    ),
    "a loss that is no number": ("lens-fate", lambda: with_tensor(GOOD, CALM, loss=math.nan)),
}  # fmt: skip

NO_FILE_CAN_HOLD = {
    "an even palette that is another": "the palette is made from its two numbers",
    "an even palette in double precision": "offset and step are stored as float32",
    "a loss that is no number": "texts tell no NaN: see test_lens_evil",
    "a trellis that is neither": "a text says it or does not",
}

READ_AS = {
    "an even palette beyond half precision": "lens-bad-row",
}


@pytest.mark.parametrize("name", BROKEN)
def test_writer_and_reader_refuse(name: str, tmp_path: Path) -> None:
    slug, make = BROKEN[name]
    read_as = None if name in NO_FILE_CAN_HOLD else READ_AS.get(name, slug)
    assert_refused(make(), slug, tmp_path, read_as=read_as)


def saying(what: str) -> Callable[[Rows], None]:
    """The stem's row says something else of its trellis."""

    def change(rows: Rows) -> None:
        lens = rows["lens"]
        (place,) = (n for n, row in enumerate(lens) if "trellis=8" in str(row[3]))
        row = list(lens[place])
        row[3] = str(row[3]).replace("trellis=8", what)
        lens[place] = tuple(row)  # type: ignore[call-overload]

    return change


@pytest.mark.parametrize("what", ["trellis=4", "trellis=", "trellis", "trellis=8 trellis=8",
                                  "trellis=08", "threads=8"])  # fmt: skip
def test_other_trellises_are_refused(what: str, tmp_path: Path) -> None:
    """So is a key that a reader does not know: a lens with a trellis, in one from before it."""
    path = forge_rows(tmp_path / "model.lens", trellis(), saying(what))
    with pytest.raises(LensFileError) as caught:
        read_lens(path)
    assert caught.value.slug == "lens-bad-row"


def test_a_lens_without_a_trellis_says_nothing_of_it() -> None:
    assert "trellis" not in says_of_tensors(GOOD)
    assert "trellis=8" in says_of_tensors(trellis())


def same_row_again(rows: Rows) -> None:
    """Every tensor claims the same pixels of the same row."""
    lens = rows["lens"]
    places = [place for place, row in enumerate(lens) if row[0] is None]
    picture = next(place for place in places if lens[place][-1] is not None) + 1
    claim: Row = (None, None, "1", "first=0", None, picture, None, None, b"\0\0", None)
    lens += [claim] * 1000


def test_pixels_that_a_thousand_tensors_claim(tmp_path: Path) -> None:
    path = forge_rows(tmp_path / "evil.lens", sharing(), same_row_again)
    with pytest.raises(LensFileError) as caught:
        read_lens(path)
    assert caught.value.slug == "lens-bad-row"
