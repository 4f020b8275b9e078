"""The plain reference of the recipe's last step: a view's pixels to the network's numbers.

The core's own `normalize` does the same without NumPy; tests hold them together. A recipe of the
kind "ccv" has one implementation, in ccv.py, which both follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketlens.images import ccv
from pocketlens.images.crops import check_crops, crop_views, pixels_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from pocketlens.images.recipe import Recipe


def normalize_reference(view: Image, recipe: Recipe) -> NDArray[np.float32]:
    """(pixel - mean) / scale in float32, channels in the recipe's order.

    With a mean picture, (pixel - mean_picture) / scale.

    view     as `crops.crop_views` returns them: mode "RGB", or "L" for gray
    returns  (channels, height, width) float32, contiguous
    """
    import numpy as np

    if recipe.resize == "ccv":
        return ccv.normalized(pixels_of(view), recipe)
    pixels = np.asarray(view, np.float32).reshape(view.height, view.width, recipe.channel_count)
    if recipe.channels == "bgr":
        pixels = pixels[:, :, ::-1]
    planes = pixels.transpose(2, 0, 1)
    mean = np.array(recipe.mean, np.float32).reshape(-1, 1, 1)
    if recipe.mean_picture:
        halves = np.frombuffer(recipe.mean_picture, "<f2").reshape(planes.shape)
        mean = halves.astype(np.float32)
    scale = np.array(recipe.scale, np.float32).reshape(-1, 1, 1)
    return np.ascontiguousarray((planes - mean) / scale)


def prepare_reference(image: Image, recipe: Recipe, *, crops: int = 1) -> NDArray[np.float32]:
    """All views of a photo as one batch, (crops, channels, height, width) float32.

    image  mode "RGB", upright: what `decode.open_image` returns
    Raises UsageError 'bad-crops'; ImageError 'image-too-narrow', 'ccv-form'.
    """
    import numpy as np

    check_crops(crops)
    if recipe.resize == "ccv":
        return ccv.prepared(pixels_of(image), recipe, crops)
    views = crop_views(image, recipe, crops)
    return np.stack([normalize_reference(view, recipe) for view in views])
