"""Resize and crop: from an RGB photo to the views that the network sees, still 8-bit pictures.

Which views: 1, the centre; 5, the four corners and the centre; 10, these and their mirror
images (Krizhevsky, Sutskever, Hinton: "ImageNet Classification with Deep Convolutional Neural
Networks", 2012, section 4.1, and ccv's classifier). Averaging their answers is the caller's.

Where exactly, so that another implementation can agree:

- "shorter" makes the longer side int(resize * longer / shorter), rounded down, as torchvision.
- Rows are resampled first, then columns, each rounded to bytes.
- A crop's centre is rounded down: left = (width - crop) // 2. (torchvision rounds half to
  even, so that its centre crop may lie one pixel further right or down.)
- A picture that is smaller than the crop (only possible without a resize) is enlarged, aspect
  ratio kept, until it covers the crop.
- 5 and 10 crops need room to move. Where the recipe resizes to just the crop's height or width,
  they are taken from a picture that is resized 8/7 times as large (256 for 224).
- A recipe of the kind "ccv" is formed by ccv.py, and its views are only rounded to bytes here;
  several of them are cropped from the same picture as one.
- Gray is made last, from the cropped RGB: ITU-R BT.601 luma, as Pillow's "L".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from pocketlens.base.errors import UsageError
from pocketlens.images import ccv
from pocketlens.images.limits import MAX_RESIZED_PIXELS, too_narrow
from pocketlens.images.views import CROPS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pocketlens.images.recipe import Recipe


def check_crops(crops: int) -> None:
    """Raises UsageError 'bad-crops' where there are no views of that number."""
    if crops not in CROPS:
        raise UsageError(
            f"{crops} crops were asked for. Expected 1 (centre), 5 (corners and centre) or "
            "10 (the same mirrored as well).",
            slug="bad-crops",
        )


def crop_views(image: Image.Image, recipe: Recipe, crops: int = 1) -> list[Image.Image]:
    """The views of a photo, resized and cropped, in the network's size.

    image    mode "RGB", upright: what `decode.open_image` returns
    crops    1, 5 or 10: centre; top left, top right, bottom left, bottom right, centre; the
             same mirrored
    returns  pictures of recipe.width x recipe.height, mode "RGB" ("L" for a gray recipe);
             "bgr" is a matter of the input and not done here

    Raises UsageError 'bad-crops'; ImageError 'image-too-narrow', 'ccv-form'.
    """
    check_crops(crops)
    if recipe.resize == "ccv":
        views = [Image.fromarray(view) for view in ccv.pictures(pixels_of(image), recipe, crops)]
    else:
        resized = resize(image, recipe, with_room=crops > 1)
        views = [resized.crop(box) for box in _boxes(resized, recipe, crops)]
        if crops == 10:
            views += [view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for view in views]
    return [view.convert("L") for view in views] if recipe.channels == "gray" else views


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """A picture of mode "RGB" or "L" as ccv.py takes it: (rows, columns, channels) bytes."""
    import numpy as np

    pixels = np.frombuffer(image.tobytes(), np.uint8)
    return pixels.reshape(image.height, image.width, len(image.mode))


def resize(image: Image.Image, recipe: Recipe, *, with_room: bool = False) -> Image.Image:
    """The photo at the size that the recipe crops from; `with_room`, that several crops differ.

    recipe  of any kind but "ccv", whose picture is none of bytes
    Raises ImageError 'image-too-narrow'.
    """
    width, height = resized_size(image, recipe, with_room=with_room)
    if (width, height) == image.size:
        return image
    if width * height > MAX_RESIZED_PIXELS:
        raise too_narrow(*image.size, pixels=width * height)
    # Both passes by name: from version 13 on Pillow itself starts with the columns of a picture
    # that loses more of its height than of its width; rounded in between, that is another picture.
    kernel = Image.Resampling[recipe.filter.upper()]
    return image.resize((width, image.height), kernel).resize((width, height), kernel)


def resized_size(image: Image.Image, recipe: Recipe, *, with_room: bool) -> tuple[int, int]:
    """Width and height that `resize`, or ccv's way, gives a photo."""
    if recipe.resize == "ccv":
        to = recipe.resize_height, recipe.resize_width
        height, width = ccv.formed_size(image.height, image.width, *to)
        return width, height
    if recipe.resize == "none":
        width, height = _covering(image.size, recipe)
        if with_room and (width == recipe.width or height == recipe.height):
            return _larger(width), _larger(height)
        return width, height
    width, height = recipe.resize_width, recipe.resize_height
    if with_room and (height == recipe.height or width == recipe.width):
        width, height = _larger(width), _larger(height)
    if recipe.resize == "exact":
        return width, height
    if image.width <= image.height:
        return height, height * image.height // image.width
    return height * image.width // image.height, height


def _covering(size: tuple[int, int], recipe: Recipe) -> tuple[int, int]:
    """The photo's own size, or, where it is smaller than the crop, the least that covers it."""
    width, height = size
    if width >= recipe.width and height >= recipe.height:
        return size
    if recipe.width * height >= recipe.height * width:  # the width lacks more
        return recipe.width, -(-height * recipe.width // width)
    return -(-width * recipe.height // height), recipe.height


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
