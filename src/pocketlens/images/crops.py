"""Resize and crop: from an RGB photo to the views that the network sees, still 8-bit pictures.

Which views: 1, the centre; 5, the four corners and the centre; 10, these and their mirror
images (Krizhevsky, Sutskever, Hinton: "ImageNet Classification with Deep Convolutional Neural
Networks", 2012, section 4.1, and ccv's classifier). Averaging their answers is the caller's.

Where exactly, so that another implementation can agree:

- "shorter" makes the longer side int(resize * longer / shorter), rounded down, as torchvision.
- A crop's centre is rounded down: left = (width - crop) // 2. (torchvision rounds half to
  even, so that its centre crop may lie one pixel further right or down.)
- A picture that is smaller than the crop (only possible without a resize) is enlarged, aspect
  ratio kept, until it covers the crop.
- 5 and 10 crops need room to move. Where the recipe resizes to just the crop's height or width,
  they are taken from a picture that is resized 8/7 times as large (256 for 224).
- Gray is made last, from the cropped RGB: ITU-R BT.601 luma, as Pillow's "L".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from pocketlens.base.errors import ImageError, UsageError

if TYPE_CHECKING:
    from pocketlens.images.recipe import Recipe

CROPS = (1, 5, 10)
"""How many views can be averaged."""

MAX_RESIZED_PIXELS = 1 << 26
"""The largest picture that a resize may make: 256 MiB. Only a sliver of a photo exceeds it."""


def crop_views(image: Image.Image, recipe: Recipe, crops: int = 1) -> list[Image.Image]:
    """The views of a photo, resized and cropped, in the network's size.

    image    mode "RGB", upright: what `decode.open_image` returns
    crops    1, 5 or 10: centre; top left, top right, bottom left, bottom right, centre; the
             same mirrored
    returns  pictures of recipe.width x recipe.height, mode "RGB" ("L" for a gray recipe);
             "bgr" is a matter of the input and not done here

    Raises UsageError 'bad-crops'; ImageError 'image-too-narrow'.
    """
    if crops not in CROPS:
        raise UsageError(
            f"{crops} crops were asked for. Expected 1 (centre), 5 (corners and centre) or "
            "10 (the same mirrored as well).",
            slug="bad-crops",
        )
    if crops > 1:
        recipe = _with_room(recipe)
    resized = resize(image, recipe)
    if crops > 1 and recipe.resize == "none" and not _has_room(resized, recipe):
        resized = _resized(resized, _larger(resized.width), _larger(resized.height), recipe)
    views = [resized.crop(box) for box in _boxes(resized, recipe, crops)]
    if crops == 10:
        views += [view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for view in views]
    return [view.convert("L") for view in views] if recipe.channels == "gray" else views


def resize(image: Image.Image, recipe: Recipe) -> Image.Image:
    """The photo at the size that the recipe crops from. Raises ImageError 'image-too-narrow'."""
    width, height = image.size
    if recipe.resize == "exact":
        return _resized(image, recipe.resize_width, recipe.resize_height, recipe)
    if recipe.resize == "shorter":
        side = recipe.resize_height
        if width <= height:
            return _resized(image, side, side * height // width, recipe)
        return _resized(image, side * width // height, side, recipe)
    if width >= recipe.width and height >= recipe.height:
        return image
    if recipe.width * height >= recipe.height * width:  # the width lacks more
        return _resized(image, recipe.width, -(-height * recipe.width // width), recipe)
    return _resized(image, -(-width * recipe.height // height), recipe.height, recipe)


def _resized(image: Image.Image, width: int, height: int, recipe: Recipe) -> Image.Image:
    if width * height > MAX_RESIZED_PIXELS:
        raise ImageError(
            f"A picture of {image.width:,} x {image.height:,} is too narrow: resized as the "
            f"recipe says it would be {width:,} x {height:,}. Cut out the part that matters.",
            slug="image-too-narrow",
        )
    return image.resize((width, height), Image.Resampling[recipe.filter.upper()])


def _with_room(recipe: Recipe) -> Recipe:
    """The recipe, resizing 8/7 times as large if several crops could not differ."""
    if recipe.resize == "none":
        return recipe
    if recipe.resize_height > recipe.height and recipe.resize_width > recipe.width:
        return recipe
    return replace(
        recipe,
        resize_height=_larger(recipe.resize_height),
        resize_width=_larger(recipe.resize_width),
    )


def _has_room(image: Image.Image, recipe: Recipe) -> bool:
    return bool(image.width > recipe.width and image.height > recipe.height)


def _larger(side: int) -> int:
    """`side` in the proportion of 256 to 224, and at least one pixel more on both sides."""
    return max(side * 8 // 7, side + 2)


def _boxes(image: Image.Image, recipe: Recipe, crops: int) -> list[tuple[int, int, int, int]]:
    """(left, top, right, bottom) of each view that is not mirrored."""
    right, bottom = image.width - recipe.width, image.height - recipe.height
    centre = (right // 2, bottom // 2)
    corners = [(0, 0), (right, 0), (0, bottom), (right, bottom)]
    places = [centre] if crops == 1 else [*corners, centre]
    return [(x, y, x + recipe.width, y + recipe.height) for x, y in places]
