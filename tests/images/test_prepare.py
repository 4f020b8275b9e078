"""The core's way from a photo to the input against Pillow's: the same bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pocketlens.base.errors import EngineError, ImageError, UsageError
from pocketlens.engine import _core
from pocketlens.engine import prepare as core
from pocketlens.engine.prepare import prepare, recipe_fields
from pocketlens.images.apply import prepare_reference
from pocketlens.images.recipe import CHANNELS, FILTERS, RESIZE_KINDS, Recipe, fault


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    sides = st.integers(1, 30)
    height, width = draw(sides), draw(sides)
    kind: Any = draw(st.sampled_from([kind for kind in RESIZE_KINDS if kind != "ccv"]))
    more = height + draw(st.integers(0, 12)), width + draw(st.integers(0, 12))
    if kind == "shorter":
        more = max(more), max(more)
    channels: Any = draw(st.sampled_from(CHANNELS))
    count = 1 if channels == "gray" else 3
    numbers = st.floats(1, 200, width=32)
    scale = tuple(draw(numbers) for _ in range(count))
    mean = tuple(draw(numbers) for _ in range(count))
    recipe = Recipe(
        kind, *more, draw(st.sampled_from(FILTERS)), height, width, channels, mean, scale
    )
    assert fault(recipe) is None
    return recipe


def noise(seed: int, *, width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@given(
    recipe=recipes(),
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    crops=st.sampled_from([1, 5, 10]),
    seed=st.integers(0, 1000),
)
def test_core_and_pillow_make_the_same_bytes(
    recipe: Recipe, width: int, height: int, crops: int, seed: int
) -> None:
    photo = noise(seed, width=width, height=height)
    expected = prepare_reference(photo, recipe, crops=crops)
    assert prepare(photo, recipe, crops=crops) == expected.tobytes()


@pytest.mark.parametrize("name", FILTERS)
def test_a_photo_of_real_size_as_well(name: Any) -> None:
    recipe = Recipe("shorter", 256, 256, name, 224, 224, "rgb", (123.7,) * 3, (58.4,) * 3)
    photo = noise(3, width=1023, height=611)
    assert prepare(photo, recipe) == prepare_reference(photo, recipe).tobytes()


def test_only_what_a_view_needs_is_read() -> None:
    recipe = Recipe("none", 0, 0, "bilinear", 2, 2, "rgb", (0.0,) * 3, (1.0,) * 3)
    photo = noise(4, width=9, height=7)
    pixels = np.asarray(photo)[2:4, 3:5].astype(np.float32).transpose(2, 0, 1)
    assert prepare(photo, recipe) == pixels.tobytes()


@pytest.mark.parametrize("kind", ["shorter", "ccv"])
@pytest.mark.parametrize("strip_bytes", [1, 1000])
def test_strips_do_not_show(kind: Any, strip_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(kind, 9, 9, "bilinear", 7, 7, "rgb", (1.0,) * 3, (2.0,) * 3)
    photo = noise(5, width=40, height=31)
    whole = prepare(photo, recipe, crops=10)
    monkeypatch.setattr(core, "STRIP_BYTES", strip_bytes)
    assert prepare(photo, recipe, crops=10) == whole


def test_rows_in_part_or_missing_are_refused() -> None:
    rest = (6, 3, recipe_fields(PLAIN), PLAIN.mean, PLAIN.scale, None, 1)
    with pytest.raises(ValueError, match="whole rows"):
        _core.prepare([bytes(18), bytes(17)], 3, *rest)
    for strips in ([bytes(18)] * 2, [bytes(18)] * 4):
        with pytest.raises(_core.CoreError):
            _core.prepare(strips, 3, *rest)
    no_bytes: Any = [bytes(18), "rows"]
    with pytest.raises(TypeError):
        _core.prepare(no_bytes, 3, *rest)


PLAIN = Recipe("shorter", 8, 8, "bilinear", 8, 8, "rgb", (0.0,) * 3, (1.0,) * 3)


def test_a_sliver_of_a_photo_is_refused() -> None:
    with pytest.raises(ImageError, match="have 80,000,000 pixels") as caught:
        prepare(Image.new("RGB", (1_250_000, 1)), PLAIN)
    assert caught.value.slug == "image-too-narrow"


def test_other_numbers_of_crops_are_refused() -> None:
    with pytest.raises(UsageError, match="3 crops"):
        prepare(Image.new("RGB", (9, 9)), PLAIN, crops=3)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        (2, {"resize_height": 7}),
        (3, {"resize_width": 9}),
        (5, {"height": 0}),
        (6, {"width": 8193}),
        (8, {"mean": (0.0, float("nan"), 0.0)}),
        (9, {"scale": (1.0, 1.0, 0.0)}),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(field: int, changes: Any) -> None:
    with pytest.raises(EngineError, match=f"Field {field} of the recipe"):
        prepare(Image.new("RGB", (9, 9)), replace(PLAIN, **changes))
