"""Hostile shared planes, masks and even palettes are refused before anything is made of them."""

from __future__ import annotations

import dataclasses
import random
import struct
from collections.abc import Callable

import numpy as np
import pytest

from lens_samples import palette_tensor, plane_of
from pocketlens.base.errors import LensFileError
from pocketlens.base.halves import even_halves
from pocketlens.engine.core import CoreEngine
from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.lensfile.check_tensors import check_tensors
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.lensfile.plane_uses import plane_uses
from shared_samples import HEAD, masked, sharing, small_weights, with_tensors

PLAIN, STEM, STEM_INDICES, HEAD_TENSOR, HEAD_INDICES = small_weights(stem_size=4)
WEIGHTS = len(STEM_INDICES)


def check(contents: LensContents) -> None:
    check_tensors(contents.graph, contents.tensors)


def shared(**kwargs: int) -> LensContents:
    layout = {"bits": 4, "width": 29, "band_rows": 2, **kwargs}
    pairs = [(STEM, STEM_INDICES), (HEAD_TENSOR, HEAD_INDICES)]
    stem, head = sharing(pairs, **layout)
    return with_tensors(PLAIN, stem=stem, head=head)


def changed(contents: LensContents, which: str, **fields: object) -> LensContents:
    record = contents.tensors[HEAD if which == "head" else 0]
    new = dataclasses.replace(record, **fields)  # type: ignore[arg-type]
    return with_tensors(contents, **{which: new})


def behind(indices: list[int] | None = None, *, common: int = 2, bits: int = 4) -> LensContents:
    return with_tensors(PLAIN, stem=masked(STEM, indices or STEM_INDICES, common=common, bits=bits))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("width", [1, 7, 29, 248])
def test_sound_shared_planes_pass(bits: int, width: int) -> None:
    check(shared(bits=bits, width=width))


@pytest.mark.parametrize(("common", "bits"), [(0, 2), (2, 2), (3, 4), (2, 8)])
def test_sound_masks_pass(common: int, bits: int) -> None:
    check(behind(common=common, bits=bits))


def with_pixels(pixels: list[int], **layout: int) -> LensContents:
    """Both tensors on a plane of other pixels."""
    contents = shared(**layout)
    plane = plane_of(pixels, **{"width": 29, "bits": 4, "band_rows": 2, **layout})
    return changed(changed(contents, "stem", plane=plane), "head", plane=plane)


def one_pixel(at: int, value: int, **layout: int) -> LensContents:
    pixels = [*STEM_INDICES, *HEAD_INDICES]
    pixels[at : at + 1] = [value]
    return with_pixels(pixels, **layout)


def mask_with(change: Callable[[list[int]], list[int]], **layout: int) -> LensContents:
    mask = change([int(index != 2) for index in STEM_INDICES])
    plane = plane_of(mask, **{"width": 37, "bits": 1, "band_rows": 2, **layout})
    return changed(behind(), "stem", mask=plane)


WRONG: dict[str, tuple[str, Callable[[], LensContents]]] = {
    "a gap": ("lens-plane", lambda: changed(shared(), "head", first_pixel=WEIGHTS + 1)),
    "an overlap": ("lens-plane", lambda: changed(shared(), "head", first_pixel=WEIGHTS - 1)),
    "the same pixels": ("lens-plane", lambda: changed(shared(), "head", first_pixel=0)),
    "far away": ("lens-plane", lambda: changed(shared(), "head", first_pixel=2**31)),
    "before the first": ("lens-plane", lambda: changed(shared(), "head", first_pixel=-1)),
    "half a pixel": ("lens-plane", lambda: changed(shared(), "head", first_pixel=0.5)),
    "a plane that ends early": ("lens-plane", lambda: with_pixels(STEM_INDICES)),
    "a plane that goes on": (
        "lens-plane",
        lambda: with_pixels([*STEM_INDICES, *HEAD_INDICES, *[0] * 29]),
    ),
    "pixels after the last": (
        "lens-rest",
        lambda: with_pixels([*STEM_INDICES, *HEAD_INDICES, 1], width=11),
    ),
    "the other's palette is larger": ("lens-index", lambda: one_pixel(WEIGHTS, 3)),
    "the same within a byte": ("lens-index", lambda: one_pixel(WEIGHTS, 3, bits=2)),
    "its last pixel": ("lens-index", lambda: one_pixel(WEIGHTS + len(HEAD_INDICES) - 1, 3)),
    "a whole row of the other's": ("lens-index", lambda: one_pixel(WEIGHTS + 30, 3, width=8)),
    "the first one's last": ("lens-index", lambda: one_pixel(WEIGHTS - 1, 4)),
    "more levels than the plane tells": (
        "lens-palette",
        lambda: changed(shared(bits=2), "stem", palette_size=5, palettes=even_halves(0.0, 0.5, 5)),
    ),
    "common beyond the palette": ("lens-palette", lambda: changed(behind(), "stem", common=4)),
    "common below 0": ("lens-palette", lambda: changed(behind(), "stem", common=-1)),
    "common without a mask": ("lens-palette", lambda: changed(PLAIN, "stem", common=1)),
    "a mask and a first pixel": ("lens-plane", lambda: changed(behind(), "stem", first_pixel=1)),
    "ones too many": ("lens-plane", lambda: mask_with(lambda m: [1] * len(m))),
    "ones too few": ("lens-plane", lambda: mask_with(lambda m: m[:150] + [0] * (len(m) - 150))),
    "no ones": ("lens-plane", lambda: mask_with(lambda m: [0] * len(m))),
    "a mask too short": ("lens-plane", lambda: mask_with(lambda m: m[:-37])),
    "a mask too long": ("lens-plane", lambda: mask_with(lambda m: m + [0] * 37)),
    "a mask with bits after its end": ("lens-rest", lambda: mask_with(lambda m: [*m, 1])),
    "a mask of 2 bits": ("lens-plane", lambda: mask_with(lambda m: m, bits=2)),
    "a mask of 3 bits": (
        "lens-plane",
        lambda: changed(
            behind(),
            "stem",
            mask=dataclasses.replace(behind().tensors[0].mask, index_bits=3),  # type: ignore[type-var]
        ),
    ),
    "two with what a mask leaves": (
        "lens-plane",
        lambda: with_tensors(
            behind(),
            head=dataclasses.replace(
                HEAD_TENSOR, plane=behind().tensors[0].plane, first_pixel=WEIGHTS
            ),
        ),
    ),
    "a pixel beyond its levels": (
        "lens-index",
        lambda: changed(
            behind(),
            "stem",
            plane=plane_of([3] * sum(i != 2 for i in STEM_INDICES), width=7, bits=4, band_rows=2),
        ),
    ),
    "a mask without a palette": (
        "lens-fate",
        lambda: dataclasses.replace(
            PLAIN,
            tensors=(
                PLAIN.tensors[0],
                dataclasses.replace(PLAIN.tensors[1], mask=behind().tensors[0].mask),
                *PLAIN.tensors[2:],
            ),
        ),
    ),
    "a loss that is no number": ("lens-fate", lambda: changed(PLAIN, "stem", loss=float("nan"))),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_planes_are_refused(wrong: str) -> None:
    slug, make = WRONG[wrong]
    with pytest.raises(LensFileError) as error:
        check(make())
    assert error.value.slug == slug, error.value.sentence


def even(offset: float, step: float, size: int = 4, **fields: object) -> TensorRecord:
    record = dataclasses.replace(
        STEM, palette_size=size, palettes=even_halves(offset, step, size), affine=(offset, step)
    )
    return dataclasses.replace(record, **fields)  # type: ignore[arg-type]


def test_even_palettes_pass() -> None:
    check(with_tensors(PLAIN, stem=even(-0.75, 0.375)))
    check(with_tensors(PLAIN, stem=even(0.5, 0.0)))


@pytest.mark.parametrize(
    "record",
    [
        even(-0.75, 0.375, palettes=struct.pack("<4e", -0.75, -0.375, 0.0, 0.5)),
        even(-0.75, 0.375, affine=(-0.75, 0.374)),
        even(-0.75, 0.375, affine=(-0.75, 0.1)),  # no single-precision number
        even(-0.75, 0.375, affine=(-0.75, float("inf"))),
        even(-0.75, 0.375, affine=(-0.75, 3e38)),
        even(-0.75, 0.375, affine=(-0.75,)),
        even(-0.75, 0.375, affine=[-0.75, 0.375]),
        even(0.75, -0.375),  # descending
    ],
)
def test_palettes_that_are_not_even_are_refused(record: TensorRecord) -> None:
    with pytest.raises(LensFileError) as error:
        check(with_tensors(PLAIN, stem=record))
    assert error.value.slug == "lens-palette"


def test_even_palettes_are_one_palette() -> None:
    two = palette_tensor(STEM.name, STEM.shape, size=4, bits=8, group_rows=4)
    record = dataclasses.replace(
        two, palettes=even_halves(0, 0.5, 4) * 2, affine=(0.0, 0.5), plane=STEM.plane
    )
    with pytest.raises(LensFileError) as error:
        check(with_tensors(PLAIN, stem=record))
    assert error.value.slug == "lens-palette"


def test_equal_planes_of_two_tensors_are_two_pictures() -> None:
    twin = dataclasses.replace(STEM, name="twin")
    uses = plane_uses((STEM, twin))
    assert [use.readers for use in uses] == [(0,), (1,)]
    one, two = sharing([(STEM, STEM_INDICES), (twin, STEM_INDICES)], bits=4, width=9, band_rows=9)
    (use,) = plane_uses((two, one))
    assert use.readers == (1, 0)


@pytest.mark.parametrize("seed", range(200))
def test_judge_reference_and_core_agree(seed: int) -> None:
    """A record changed at random: what the judge lets pass, both engines read, and alike."""
    dice = random.Random(seed)
    contents = dice.choice([shared, behind, lambda: one_pixel(dice.randrange(WEIGHTS + 9), 3)])()
    which = dice.choice(["stem", "head"])
    record = contents.tensors[HEAD if which == "head" else 0]
    fields: dict[str, object] = {
        "first_pixel": dice.choice([0, 1, WEIGHTS - 1, WEIGHTS, WEIGHTS + 1]),
        "common": dice.randrange(6),
        "mask": dice.choice([None, PLAIN.tensors[0].plane, behind().tensors[0].mask]),
        "plane": dice.choice([shared().tensors[0].plane, behind().tensors[0].plane]),
        "palette_size": record.palette_size,
    }
    name = dice.choice([*fields])
    contents = changed(contents, which, **{name: fields[name]})
    try:
        check(contents)
    except LensFileError:
        return
    scores = CoreEngine(contents).scores(bytes(432), 1)
    photo = np.zeros((1, *contents.graph.shapes[contents.graph.inputs[0]][1:]), np.float32)
    (expected,) = ReferenceEngine(contents).run([photo])
    assert np.allclose(np.frombuffer(scores, np.float32), expected.reshape(-1), atol=1e-5)
