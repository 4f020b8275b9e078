"""ccv's pictures out of the core against the plain reference, and against ccv's own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pocketlens.base.errors import EngineError, ImageError
from pocketlens.engine import _core
from pocketlens.engine.prepare import formed_input, prepare, recipe_fields
from pocketlens.images import ccv
from pocketlens.images.ccv_decode import decode_as_ccv
from pocketlens.images.limits import MAX_FORMED_PIXELS
from pocketlens.images.recipe import CHANNELS, Recipe, fault

PLAIN = Recipe("ccv", 16, 16, "box", 9, 9, "rgb", (0.0,) * 3, (1.0,) * 3)

AREA_ERROR = 1e-4
"""Of a box average, in grey levels: the core adds rows in floats."""


def noise(seed: int, *, width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    sides = st.integers(1, 24)
    height, width = draw(sides), draw(sides)
    more = height + draw(st.integers(0, 9)), width + draw(st.integers(0, 9))
    if draw(st.booleans()):
        more = max(more), max(more)
    channels: Any = draw(st.sampled_from(CHANNELS))
    count = 1 if channels == "gray" else 3
    scale = (1.0,) * count if draw(st.booleans()) else tuple(1.5 + i for i in range(count))
    mean, picture = tuple(90.25 + i for i in range(count)), b""
    if draw(st.booleans()):
        values = np.random.default_rng(draw(st.integers(0, 99))).uniform(0, 255, (*more, count))
        mean, picture = (0.0,) * count, values.astype("<f4").tobytes()
    recipe = Recipe("ccv", *more, "box", height, width, channels, mean, scale, picture)
    assert fault(recipe) is None
    return recipe


def agree(seen: Any, expected: Any, recipe: Recipe, photo: Image.Image) -> None:
    """To the bit; where pictures are averaged (or made gray), to a few units of the last place."""
    averaged = photo.height > recipe.resize_height and photo.width > recipe.resize_width
    if averaged or recipe.channels == "gray":
        np.testing.assert_allclose(seen, expected, rtol=0, atol=AREA_ERROR)
    else:
        np.testing.assert_array_equal(seen, expected)


@given(
    recipe=recipes(),
    width=st.integers(1, 130),
    height=st.integers(1, 130),
    crops=st.sampled_from([1, 5, 10]),
    seed=st.integers(0, 1000),
)
def test_views_are_those_of_the_reference(
    recipe: Recipe, width: int, height: int, crops: int, seed: int
) -> None:
    photo = noise(seed, width=width, height=height)
    try:
        expected = ccv.prepared(np.asarray(photo), recipe, crops)
    except ImageError as refused:
        with pytest.raises(ImageError) as caught:
            prepare(photo, recipe, crops=crops)
        assert str(caught.value) == str(refused)
        return
    seen = np.frombuffer(prepare(photo, recipe, crops=crops), np.float32)
    agree(seen.reshape(expected.shape), expected, recipe, photo)


@given(
    recipe=recipes(),
    width=st.integers(1, 130),
    height=st.integers(1, 130),
    step=st.integers(1, 6),
    mirrored=st.booleans(),
)
def test_what_a_network_slides_over_is_that_of_the_reference(
    recipe: Recipe, width: int, height: int, step: int, mirrored: bool
) -> None:
    photo = noise(width, width=width, height=height)
    try:
        formed = ccv.form(np.asarray(photo), recipe.resize_height, recipe.resize_width)
        cut = ccv.cut_out(formed, recipe, step).transpose(2, 0, 1)
    except ImageError as refused:
        with pytest.raises(ImageError) as caught:
            formed_input(photo, recipe, step=step, mirrored=mirrored)
        assert str(caught.value) == str(refused)
        return
    data, high, wide = formed_input(photo, recipe, step=step, mirrored=mirrored)
    assert cut.shape[1:] == (high, wide)
    expected = np.stack([cut, cut[:, :, ::-1]] if mirrored else [cut])
    seen = np.frombuffer(data, np.float32).reshape(expected.shape)
    agree(seen, expected, recipe, photo)


@pytest.mark.parametrize(
    ("width", "height"), [(1200, 1200), (2049, 1531), (258, 30_000), (60_000, 300), (200, 190)]
)
def test_photos_of_real_and_of_odd_sizes_as_well(width: int, height: int) -> None:
    recipe = Recipe("ccv", 257, 257, "box", 225, 225, "rgb", (0.0,) * 3, (1.0,) * 3)
    photo = noise(7, width=width, height=height)
    expected = ccv.prepared(np.asarray(photo), recipe, 10)
    seen = np.frombuffer(prepare(photo, recipe, crops=10), np.float32).reshape(expected.shape)
    agree(seen, expected, recipe, photo)


@pytest.mark.parametrize("value", [1, 77, 255])
def test_a_picture_of_one_colour_keeps_it(value: int) -> None:
    """A thousand equal numbers are added up for each new one: their errors do not."""
    recipe = Recipe("ccv", 3, 3, "box", 3, 3, "rgb", (0.0,) * 3, (1.0,) * 3)
    photo = Image.new("RGB", (3101, 3203), (value,) * 3)
    seen = np.frombuffer(prepare(photo, recipe), np.float32)
    np.testing.assert_allclose(seen, value, rtol=3e-7)


def test_a_fourth_byte_of_a_pixel_is_not_looked_at() -> None:
    for width, height in [(60, 47), (9, 12), (16, 30)]:
        recipe = Recipe("ccv", 16, 16, "box", 9, 9, "rgb", (3.0,) * 3, (1.0,) * 3)
        photo = noise(8, width=width, height=height)
        fourth = Image.merge(
            "RGBA", (*photo.split(), noise(9, width=width, height=height).getchannel(0))
        )
        fields = recipe_fields(recipe)
        seen = _core.prepare(
            [fourth.tobytes()], 4, width, height, fields, recipe.mean, recipe.scale, None, 5
        )
        assert seen == prepare(photo, recipe, crops=5)


def test_pictures_are_those_of_ccv(data_folder: Path) -> None:
    folder = data_folder / "ccv" / "fixtures"
    if not folder.is_dir():
        pytest.skip(f"'{folder}' is not there: ccv's own files are not here")
    checked = 0
    with np.load(folder / "tiny.expected.npz") as expected:
        for key in expected.files:
            kind, _, image = key.partition("/")
            if kind != "formed":
                continue
            side = min(expected[key].shape[:2])
            plain = replace(PLAIN, resize_height=side, resize_width=side)
            photo = Image.fromarray(decode_as_ccv(folder / "images" / image))
            data, height, width = formed_input(photo, plain, step=1)
            seen = np.frombuffer(data, np.float32).reshape(3, height, width).transpose(1, 2, 0)
            np.testing.assert_allclose(seen, expected[key], atol=5e-5, err_msg=key)
            checked += 1
    assert checked == 4


@pytest.mark.parametrize(
    ("size", "side"), [((20_000, 1), 257), ((1, 20_000), 257), ((16, 1_100_000), 16)]
)
def test_slivers_are_refused(size: tuple[int, int], side: int) -> None:
    recipe = replace(PLAIN, resize_height=side, resize_width=side)
    with pytest.raises(ImageError, match=f"too narrow.*{MAX_FORMED_PIXELS:,}") as caught:
        prepare(Image.new("RGB", size), recipe)
    assert caught.value.slug == "image-too-narrow"
    with pytest.raises(ImageError, match="too narrow") as again:
        ccv.form(np.broadcast_to(np.uint8(0), (size[1], size[0], 3)), side, side)
    assert str(again.value) == str(caught.value)


def test_the_core_refuses_what_does_not_fit() -> None:
    photo = Image.new("RGB", (20, 20))
    with pytest.raises(EngineError, match="Field 1 of the recipe"):
        formed_input(photo, replace(PLAIN, resize="shorter"), step=1)
    with pytest.raises(EngineError, match="called with 0"):
        formed_input(photo, PLAIN, step=0)
    with pytest.raises(EngineError, match="Field 2 of the recipe"):
        prepare(photo, replace(PLAIN, resize_height=8))
    with pytest.raises(ValueError, match="mean_picture"):
        prepare(photo, replace(PLAIN, mean_picture=bytes(4 * 16 * 16 * 3 - 1)))


def test_no_numpy_is_imported() -> None:
    program = (
        "import sys\n"
        "from PIL import Image\n"
        "from pocketlens.engine.prepare import formed_input, prepare\n"
        "from pocketlens.images.recipe import Recipe\n"
        "recipe = Recipe('ccv', 16, 16, 'box', 9, 9, 'rgb', (0.0,) * 3, (1.0,) * 3, bytes(3072))\n"
        "photo = Image.new('RGB', (40, 30))\n"
        "assert len(prepare(photo, recipe, crops=10)) == 4 * 10 * 3 * 9 * 9\n"
        "assert formed_input(photo, recipe, step=7)[1:] == (16, 16)\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
