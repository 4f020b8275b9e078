"""From a decoded photo to the network's input, in the core: the same code as in a browser.

No NumPy. The plain reference is images/apply.py, where Pillow resizes; tests hold them together.
Recipes of the kind "ccv" are the exception: the core does not know them, images/ccv.py does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pocketlens.engine import _core
from pocketlens.engine.refusals import PHOTO_TOO_LARGE, refusal
from pocketlens.images import ccv
from pocketlens.images.crops import check_crops, pixels_of
from pocketlens.images.limits import too_narrow
from pocketlens.images.recipe import CHANNELS, FILTERS, RESIZE_KINDS, Recipe

if TYPE_CHECKING:
    from PIL.Image import Image


def prepare(photo: Image, recipe: Recipe, *, crops: int = 1) -> bytes:
    """The inputs for all views of a photo: resized, cropped, (pixel - mean) / scale.

    photo    mode "RGB", upright: what `decode.open_image` returns
    crops    1, 5 or 10, as `crops.crop_views` has them
    returns  float32, (crops, channels, height, width), native byte order
    Raises UsageError 'bad-crops'; ImageError 'image-too-narrow', 'ccv-form'; EngineError
    'no-memory'.
    """
    check_crops(crops)
    if recipe.resize == "ccv":
        return ccv.prepared(pixels_of(photo), recipe, crops).tobytes()
    picture = recipe.mean_picture or None
    try:
        values = _core.prepare(
            photo.tobytes(),
            photo.width,
            photo.height,
            recipe_fields(recipe),
            recipe.mean,
            recipe.scale,
            picture,
            crops,
        )
    except _core.CoreError as error:
        code, _, _, seen, _ = error.args
        if code == PHOTO_TOO_LARGE:
            raise too_narrow(*photo.size, pixels=seen) from error
        raise refusal(error) from error
    return bytes(values)


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
    """The seven numbers that pl_recipe (core.h) begins with; the core refuses the kind "ccv"."""
    return (
        RESIZE_KINDS.index(recipe.resize),
        recipe.resize_height,
        recipe.resize_width,
        FILTERS.index(recipe.filter),
        recipe.height,
        recipe.width,
        CHANNELS.index(recipe.channels),
    )
