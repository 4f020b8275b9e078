"""From a decoded photo to the network's input, in the core: the same code as in a browser.

No NumPy. The plain references are images/apply.py, where Pillow resizes, and images/ccv.py for
recipes of the kind "ccv"; tests hold them together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pocketlens.base.errors import EngineError, ImageError
from pocketlens.engine import _core
from pocketlens.engine.refusals import (
    PHOTO_NOT_CUT,
    PHOTO_NOT_FORMED,
    PHOTO_TOO_LARGE,
    refusal,
)
from pocketlens.images import ccv
from pocketlens.images.crops import check_crops, pixels_of
from pocketlens.images.limits import MAX_FORMED_PIXELS, MAX_RESIZED_PIXELS, too_narrow
from pocketlens.images.recipe import CHANNELS, FILTERS, RESIZE_KINDS, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from PIL.Image import Image

    Numbers: TypeAlias = tuple[float, ...]
    _Arguments: TypeAlias = tuple[
        Iterator[bytes], int, int, int, tuple[int, ...], Numbers, Numbers, bytes | None
    ]

STRIP_BYTES = 1 << 20
"""Pixels that are handed to the core at a time."""


def prepare(photo: Image, recipe: Recipe, *, crops: int = 1) -> bytes:
    """The inputs for all views of a photo: resized, cropped, (pixel - mean) / scale.

    photo    mode "RGB", upright: what `decode.open_image` returns
    crops    1, 5 or 10, as `crops.crop_views` has them
    returns  float32, (crops, channels, height, width), native byte order
    Raises UsageError 'bad-crops'; ImageError 'image-too-narrow', 'ccv-form'; EngineError
    'no-memory'.
    """
    check_crops(crops)
    try:
        return bytes(_core.prepare(*_arguments(photo, recipe), crops))
    except _core.CoreError as error:
        raise _sentence(error, photo, recipe) from error


def formed_input(
    photo: Image, recipe: Recipe, *, step: int, mirrored: bool = False
) -> tuple[bytes, int, int]:
    """What a network of ccv's slides over: the photo formed, cut to whole steps, minus the mean.

    photo     mode "RGB": what `ccv_decode.open_as_ccv` returns
    recipe    of the kind "ccv"
    step      pixels from one position of the patch to the next, as in `ccv.cut_out`
    mirrored  whether its mirror image follows
    returns   float32, (channels, height, width) or (2, channels, height, width); height; width
    Raises ImageError 'image-too-narrow', 'ccv-form', 'ccv-cut'; EngineError 'no-memory'.
    """
    try:
        made, height, width = _core.prepare_cut(*_arguments(photo, recipe), step, mirrored)
    except _core.CoreError as error:
        raise _sentence(error, photo, recipe, step=step) from error
    return bytes(made), height, width


def _arguments(photo: Image, recipe: Recipe) -> _Arguments:
    fields, picture = recipe_fields(recipe), recipe.mean_picture or None
    return _strips(photo), 3, *photo.size, fields, recipe.mean, recipe.scale, picture


def _strips(photo: Image) -> Iterator[bytes]:
    """The photo's rows. Bytes of all of a large one would be its second copy, and take longer."""
    rows = max(1, STRIP_BYTES // (3 * photo.width))
    if rows >= photo.height:
        yield photo.tobytes()
        return
    for top in range(0, photo.height, rows):
        yield photo.crop((0, top, photo.width, min(top + rows, photo.height))).tobytes()


def _sentence(
    error: _core.CoreError, photo: Image, recipe: Recipe, *, step: int = 1
) -> ImageError | EngineError:
    """What the core says of a photo, told as images/ tells it."""
    code, _, _, seen, _ = error.args
    if code == PHOTO_TOO_LARGE:
        most = MAX_FORMED_PIXELS if recipe.resize == "ccv" else MAX_RESIZED_PIXELS
        return too_narrow(*photo.size, pixels=seen, most=most)
    if code in (PHOTO_NOT_FORMED, PHOTO_NOT_CUT):
        try:
            to = recipe.resize_height, recipe.resize_width
            formed = ccv.formed_size(photo.height, photo.width, *to)
            ccv.cut_size(*formed, recipe, step)
        except ImageError as told:
            return told
    return refusal(error)


def normalize(view: Image, recipe: Recipe) -> bytes:
    """A picture of the network's size as its input: float32, (channels, height, width).

    Each value is (pixel - mean) / scale of its channel, in the recipe's channel order; with a
    mean picture (pixel - mean_picture) / scale. A "ccv" recipe's is taken from its middle.
    """
    if recipe.resize == "ccv":
        pictured = view if view.mode in ("RGB", "L") else view.convert("RGB")
        return ccv.normalized(pixels_of(pictured), recipe).tobytes()
    pixels = view if view.mode == "RGB" else view.convert("RGB")
    as_it_is = replace(recipe, resize="none", height=view.height, width=view.width)
    return prepare(pixels, as_it_is)


def recipe_fields(recipe: Recipe) -> tuple[int, ...]:
    """The seven numbers that pl_recipe (core.h) begins with."""
    return (
        RESIZE_KINDS.index(recipe.resize),
        recipe.resize_height,
        recipe.resize_width,
        FILTERS.index(recipe.filter),
        recipe.height,
        recipe.width,
        CHANNELS.index(recipe.channels),
    )
