"""A recipe of the kind "ccv": its faults, its views, its inputs, its words."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pocketlens.base.errors import ImageError, UsageError
from pocketlens.engine.prepare import normalize, prepare
from pocketlens.images.apply import normalize_reference, prepare_reference
from pocketlens.images.ccv import cubic, form
from pocketlens.images.crops import crop_views
from pocketlens.images.mean_picture import read_mean_picture
from pocketlens.images.options import from_options
from pocketlens.images.presets import preset
from pocketlens.images.recipe import Recipe, describe, fault
from pocketlens.images.sliding import sliding_recipe

MEAN = np.random.default_rng(3).uniform(60, 190, (16, 16, 3)).astype("<f4")
PLAIN = Recipe(
    "ccv", 16, 16, "box", 9, 9, "rgb", (0.0,) * 3, (1.0,) * 3, mean_picture=MEAN.tobytes()
)
PLACES = [(0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)]


def noise(seed: int, *, width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def read(data: bytes, recipe: Recipe) -> Any:
    shape = (-1, recipe.channel_count, recipe.height, recipe.width)
    return np.frombuffer(data, np.float32).reshape(shape)


@pytest.mark.parametrize(("width", "height"), [(64, 48), (20, 41), (9, 12), (16, 16), (16, 30)])
def test_views_are_cut_from_the_formed_photo_minus_the_stretched_mean(
    width: int, height: int
) -> None:
    photo = noise(1, width=width, height=height)
    formed = form(np.asarray(photo), 16, 16)
    whole = formed - cubic(MEAN, *formed.shape[:2])
    down, right = formed.shape[0] - 9, formed.shape[1] - 9
    boxes = [(int(y * down), int(x * right)) for y, x in PLACES]
    five = [whole[y : y + 9, x : x + 9].transpose(2, 0, 1) for y, x in boxes]
    ten = [*five, *(view[:, :, ::-1] for view in five)]
    for crops, expected in ((10, ten), (5, five), (1, [five[4]])):
        np.testing.assert_array_equal(prepare_reference(photo, PLAIN, crops=crops), expected)
        inputs = read(prepare(photo, PLAIN, crops=crops), PLAIN)
        np.testing.assert_allclose(inputs, expected, rtol=0, atol=1e-4)
    seen = [np.asarray(view) for view in crop_views(photo, PLAIN, 10)]
    for view, (y, x) in zip(seen[:5], boxes, strict=True):
        pixels = formed[y : y + 9, x : x + 9]
        assert view.dtype == np.uint8
        assert np.abs(view - pixels.clip(0, 255)).max() <= 0.5
    for view, other in zip(seen[:5], seen[5:], strict=True):
        assert (view[:, ::-1] == other).all()


def test_a_view_of_a_square_photo_has_the_middle_of_the_mean() -> None:
    photo = noise(2, width=16, height=16)
    (view,) = crop_views(photo, PLAIN)
    assert normalize(view, PLAIN) == prepare(photo, PLAIN)
    assert normalize(view, PLAIN) == normalize_reference(view, PLAIN).tobytes()
    expected = np.asarray(view).astype(np.float32) - MEAN[3:12, 3:12]
    np.testing.assert_array_equal(
        read(normalize(view, PLAIN), PLAIN)[0], expected.transpose(2, 0, 1)
    )


def test_gray_and_a_mean_for_each_channel() -> None:
    gray = replace(PLAIN, channels="gray", mean=(40.0,), scale=(2.0,), mean_picture=b"")
    photo = noise(4, width=16, height=16)
    (view,) = crop_views(photo, gray)
    assert view.mode == "L"
    inputs = read(prepare(photo, gray), gray)
    np.testing.assert_allclose(inputs[0, 0], (np.asarray(view) - 40.0) / 2, atol=0.3)
    seen = read(normalize(view, gray), gray)
    np.testing.assert_array_equal(seen[0, 0], (np.asarray(view).astype(np.float32) - 40) / 2)
    turned = replace(PLAIN, channels="bgr", mean=(1.0, 2.0, 3.0), mean_picture=b"")
    expected = np.asarray(photo)[3:12, 3:12, ::-1].astype(np.float32) - [1, 2, 3]
    np.testing.assert_array_equal(
        read(prepare(photo, turned), turned)[0], expected.transpose(2, 0, 1)
    )


def test_a_patch_as_large_as_the_picture_has_its_views_twice() -> None:
    tight = replace(PLAIN, resize_height=9, resize_width=9, mean_picture=b"")
    views = [view.tobytes() for view in crop_views(noise(5, width=9, height=20), tight, 5)]
    assert views[0] == views[1] != views[2]


def test_refusals_pass_through() -> None:
    with pytest.raises(UsageError, match="3 crops"):
        prepare(Image.new("RGB", (9, 9)), PLAIN, crops=3)
    with pytest.raises(UsageError, match="3 crops"):
        prepare_reference(Image.new("RGB", (9, 9)), PLAIN, crops=3)
    with pytest.raises(ImageError, match="too narrow"):
        prepare(Image.new("RGB", (90_000, 1)), PLAIN)
    uneven = replace(PLAIN, resize_height=18, mean_picture=b"")
    with pytest.raises(ImageError, match="cannot be brought"):
        crop_views(Image.new("RGB", (27, 19)), replace(uneven, resize_width=26))
    with pytest.raises(UsageError, match="ccv10"):
        sliding_recipe(Image.new("RGB", (30, 20)), PLAIN, (1, 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mean_picture": MEAN.tobytes()[:-4]}, "3,068 bytes, expected 3,072"),
        ({"mean_picture": MEAN.tobytes()[:-1]}, "3,071 bytes, expected 3,072"),
        ({"mean_picture": MEAN.astype("<f2").tobytes()}, "1,536 bytes, expected 3,072"),
        ({"mean_picture": np.full_like(MEAN, np.nan).tobytes()}, "not finite"),
        ({"mean_picture": np.where(MEAN < 70, np.inf, MEAN).astype("<f4").tobytes()}, "not finite"),
        ({"mean": (1.0, 0.0, 0.0)}, "as well"),
        ({"resize_height": 289, "resize_width": 289}, "1,002,252 bytes for its picture of 289x289"),
        ({"resize_height": 4097, "resize_width": 4096}, "4097x4096, more than 16,777,216 pixels"),
        ({"resize_height": 8}, "less than its crop of 9x9"),
        ({"resize_width": 9000}, "expected sides of 1 to 8192"),
    ],
)
def test_faults(changes: dict[str, Any], said: str) -> None:
    assert fault(PLAIN) is None
    assert said in str(fault(replace(PLAIN, **changes)))


def test_the_largest_mean_picture() -> None:
    largest = np.full((288, 288, 3), 117, "<f4").tobytes()
    recipe = replace(PLAIN, resize_height=288, resize_width=288, mean_picture=largest)
    assert fault(recipe) is None
    # The largest floats there are do not look endless together.
    recipe = replace(recipe, mean_picture=np.full((288, 288, 3), 3.4e38, "<f4").tobytes())
    assert fault(recipe) is None


def test_it_is_told_in_a_line() -> None:
    told = "formed to 16x16 as ccv does, crop 9x9, RGB, minus a mean picture"
    assert describe(PLAIN) == told


def test_words() -> None:
    start = preset("unit", height=9, width=9)
    made = from_options(start, resize="ccv:16", scale="1")
    assert made == replace(PLAIN, filter="bilinear", mean_picture=b"")
    made = from_options(start, resize="CCV:18x16", mean="1,2,3")
    assert (made.resize, made.resize_height, made.resize_width) == ("ccv", 18, 16)
    assert made.mean == (1, 2, 3)
    with pytest.raises(UsageError, match="less than its crop of 9x9"):
        from_options(start, resize="ccv:8")
    with pytest.raises(UsageError, match=r"'ccv' is not understood.*ccv:HEIGHTxWIDTH"):
        from_options(start, resize="ccv")


def test_another_kind_of_resize_does_not_take_the_mean_picture_along() -> None:
    with pytest.raises(UsageError, match=r"--resize exact:12.*--mean-picture"):
        from_options(PLAIN, resize="exact:12")
    with pytest.raises(UsageError, match="mean picture"):
        from_options(PLAIN, resize="ccv:17")
    assert from_options(PLAIN, resize="exact:12", mean="5").mean_picture == b""
    assert from_options(PLAIN, resize="ccv:16") == PLAIN


def test_channels_of_a_mean_picture_are_turned_pixel_by_pixel() -> None:
    turned = from_options(PLAIN, channels="bgr")
    assert turned.mean_picture == np.ascontiguousarray(MEAN[:, :, ::-1]).tobytes()
    assert from_options(turned, channels="rgb") == PLAIN


@pytest.mark.parametrize("order", ["hwc", "chw"])
def test_a_mean_picture_from_a_file_is_kept_whole(order: str, tmp_path: Path) -> None:
    path = tmp_path / "mean.npy"
    np.save(path, MEAN if order == "hwc" else MEAN.transpose(2, 0, 1))
    start = replace(PLAIN, mean_picture=b"")
    assert from_options(start, mean_picture=path) == PLAIN


def test_a_mean_picture_of_another_size_is_stretched_by_ccvs_cubic(tmp_path: Path) -> None:
    other = np.random.default_rng(9).uniform(60, 190, (11, 30, 3)).astype(np.float32)
    path = tmp_path / "mean.npy"
    np.save(path, other)
    made = np.frombuffer(read_mean_picture(path, replace(PLAIN, mean_picture=b"")), "<f4")
    expected = cubic(other, 16, 16).clip(0, 255)
    np.testing.assert_array_equal(made.reshape(16, 16, 3), expected)
    picture = tmp_path / "mean.png"
    Image.fromarray(other.astype(np.uint8)).save(picture)
    made = np.frombuffer(read_mean_picture(picture, replace(PLAIN, mean_picture=b"")), "<f4")
    expected = cubic(other.astype(np.uint8), 16, 16).clip(0, 255)
    np.testing.assert_array_equal(made.reshape(16, 16, 3), expected)


def test_numpy_stays_lazy() -> None:
    script = (
        "import sys; from pocketlens.engine.prepare import prepare;"
        "from pocketlens.images.recipe import Recipe, fault, describe;"
        "r = Recipe('ccv', 16, 16, 'box', 9, 9, 'gray', (0.0,), (1.0,), bytes(1024));"
        "assert fault(r) is None and describe(r); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
