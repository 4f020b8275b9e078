"""Where resize and crop cut, with pictures whose pixels say where they come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pocketlens.base.errors import ImageError, UsageError
from pocketlens.images.apply import normalize_reference, prepare_reference
from pocketlens.images.crops import crop_views, resize
from pocketlens.images.presets import preset
from pocketlens.images.recipe import FILTERS, Recipe

PLAIN = Recipe("none", 0, 0, "bilinear", 4, 4, "rgb", (0.0,) * 3, (1.0,) * 3)


def map_of_places(width: int, height: int) -> Image.Image:
    """Red is x, green is y."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 0], pixels[:, :, 1] = np.arange(width), np.arange(height)[:, None]
    return Image.fromarray(pixels)


def noise(width: int, height: int) -> Image.Image:
    content = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(content)


def place(view: Image.Image) -> tuple[int, ...]:
    return view.getpixel((0, 0))[:2]


def test_the_centre() -> None:
    (view,) = crop_views(map_of_places(10, 7), PLAIN)
    assert (view.size, place(view)) == ((4, 4), (3, 1))


def test_ten_crops_are_corners_and_centre_and_their_mirror_images() -> None:
    views = crop_views(map_of_places(10, 7), PLAIN, 10)
    assert [place(view) for view in views[:5]] == [(0, 0), (6, 0), (0, 3), (6, 3), (3, 1)]
    assert [place(view) for view in views[5:]] == [(3, 0), (9, 0), (3, 3), (9, 3), (6, 1)]
    for view, mirrored in zip(views[:5], views[5:], strict=True):
        assert np.array_equal(np.asarray(view)[:, ::-1], np.asarray(mirrored))


def test_five_crops_are_the_first_of_ten_and_hold_the_single_one() -> None:
    photo = map_of_places(19, 11)
    ten = [view.tobytes() for view in crop_views(photo, PLAIN, 10)]
    assert [view.tobytes() for view in crop_views(photo, PLAIN, 5)] == ten[:5]
    assert crop_views(photo, PLAIN, 1)[0].tobytes() == ten[4]


@pytest.mark.parametrize("crops", [0, 2, 11, -1])
def test_other_numbers_of_crops(crops: int) -> None:
    with pytest.raises(UsageError, match="bad-crops"):
        crop_views(map_of_places(9, 9), PLAIN, crops)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((400, 300), (341, 256)), ((300, 400), (256, 341)), ((256, 256), (256, 256)),
     ((1, 1), (256, 256)), ((50, 25), (512, 256)), ((1000, 3), (85333, 256))],
)  # fmt: skip
def test_the_shorter_side(size: tuple[int, int], expected: tuple[int, int]) -> None:
    recipe = preset("imagenet", height=224, width=224)
    assert resize(Image.new("RGB", size), recipe).size == expected


def test_a_sliver_is_refused_before_memory_is_taken() -> None:
    recipe = preset("imagenet", height=224, width=224)
    with pytest.raises(ImageError, match=r"100,000 x 1 is too narrow.*image-too-narrow"):
        crop_views(Image.new("RGB", (100_000, 1)), recipe)


def test_exact_warps() -> None:
    recipe = replace(PLAIN, resize="exact", resize_height=6, resize_width=9)
    assert resize(map_of_places(50, 20), recipe).size == (9, 6)


@pytest.mark.parametrize("name", FILTERS)
def test_filters_are_pillows(name: str) -> None:
    recipe = replace(PLAIN, resize="exact", resize_height=5, resize_width=8, filter=name)
    photo = map_of_places(23, 17)
    expected = photo.resize((8, 5), getattr(Image.Resampling, name.upper()))
    assert resize(photo, recipe).tobytes() == expected.tobytes()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(1, 20))
def test_a_picture_smaller_than_the_crop_is_enlarged_to_cover_it(
    width: int, height: int, crop_width: int, crop_height: int
) -> None:
    recipe = replace(PLAIN, height=crop_height, width=crop_width)
    photo = Image.new("RGB", (width, height))
    resized = resize(photo, recipe)
    if width >= crop_width and height >= crop_height:
        assert resized.size == photo.size
    else:
        scale = max(crop_width / width, crop_height / height)
        assert resized.width - width * scale < 1
        assert resized.height - height * scale < 1
        assert resized.width == crop_width or resized.height == crop_height
    for crops in (1, 5, 10):
        views = crop_views(photo, recipe, crops)
        assert [view.size for view in views] == [(crop_width, crop_height)] * crops


def test_several_crops_get_room_where_the_recipe_leaves_none() -> None:
    photo = noise(90, 60)
    cifar = preset("cifar-raw", height=32, width=32)
    views = crop_views(photo, cifar, 10)
    larger = photo.resize((36, 36), Image.Resampling.BILINEAR)
    assert views[0].tobytes() == larger.crop((0, 0, 32, 32)).tobytes()
    assert views[3].tobytes() == larger.crop((4, 4, 36, 36)).tobytes()
    assert views[4].tobytes() == larger.crop((2, 2, 34, 34)).tobytes()
    assert len({view.tobytes() for view in views}) == 10
    tiny = preset("tiny-imagenet", height=64, width=64)
    assert resize(photo, tiny).size == (96, 64)
    assert len({view.tobytes() for view in crop_views(photo, tiny, 10)}) == 10


def test_several_crops_of_a_picture_of_just_the_size() -> None:
    photo = noise(7, 7)
    recipe = replace(PLAIN, height=7, width=7)
    assert crop_views(photo, recipe, 1)[0].tobytes() == photo.tobytes()
    assert len({view.tobytes() for view in crop_views(photo, recipe, 5)}) == 5


def test_a_recipe_with_room_is_not_enlarged_for_several_crops() -> None:
    photo = noise(400, 300)
    recipe = preset("imagenet", height=224, width=224)
    assert crop_views(photo, recipe, 5)[4].tobytes() == crop_views(photo, recipe)[0].tobytes()


def test_gray_views_have_one_channel() -> None:
    recipe = preset("unit", height=4, width=4, channels=1)
    (view,) = crop_views(map_of_places(8, 8), recipe)
    assert view.mode == "L"
    assert normalize_reference(view, recipe).shape == (1, 4, 4)


def test_bgr_turns_the_channels_and_mean_and_scale_follow_the_input() -> None:
    recipe = replace(PLAIN, channels="bgr", mean=(1.0, 2.0, 3.0), scale=(2.0, 4.0, 8.0))
    view = Image.new("RGB", (4, 4), (10, 20, 30))
    made = normalize_reference(view, recipe)
    assert made[:, 0, 0].tolist() == [(30 - 1) / 2, (20 - 2) / 4, (10 - 3) / 8]
    assert made.dtype == np.float32
    assert made.flags.c_contiguous


def test_the_batch_holds_every_view() -> None:
    photo = map_of_places(10, 7)
    batch = prepare_reference(photo, PLAIN, crops=10)
    assert batch.shape == (10, 3, 4, 4)
    for row, view in zip(batch, crop_views(photo, PLAIN, 10), strict=True):
        assert np.array_equal(row, normalize_reference(view, PLAIN))
