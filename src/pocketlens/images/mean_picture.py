"""The mean picture of a recipe, read from a file: what AlexNet, Caffe and ccv subtract.

NumPy and Pillow's float pictures are used here only, when a lens is made.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from pocketlens.base.errors import UsageError
from pocketlens.base.files import cannot_read
from pocketlens.images.ccv import cubic
from pocketlens.images.decode import open_image
from pocketlens.images.recipe import MAX_SIDE, Recipe, mean_picture_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_mean_picture(path: Path, recipe: Recipe) -> bytes:
    """A file's mean picture as `Recipe.mean_picture` keeps it.

    path    an array (.npy), (channels, height, width) or (height, width, channels), of pixel
            values 0..255, its channels in the recipe's order; or else a picture that
            `decode.open_image` reads, whose channels are put in that order here
    recipe  its channels, sizes and resize count; where the file has just the size that photos
            are resized to, it is cropped from the middle as they are, and any other size is
            stretched to the crop's (Pillow's bicubic). A recipe of the kind "ccv" keeps it in
            the size that photos are formed to, and stretches others to that (ccv's cubic)

    Raises UsageError 'bad-mean-picture'; FileError 'no-such-file', 'is-a-folder',
    'cannot-read'; for a picture also the ImageErrors of `decode.open_image`.
    """
    import numpy as np

    is_array = path.suffix.lower() == ".npy"
    planes = _planes_of_array(path, recipe) if is_array else _planes_of_picture(path, recipe)
    if recipe.resize == "ccv":
        return _as_ccv_keeps_it(planes, recipe)
    _, height, width = planes.shape
    if recipe.resize != "none" and (height, width) == (recipe.resize_height, recipe.resize_width):
        top, left = (height - recipe.height) // 2, (width - recipe.width) // 2
        planes = planes[:, top : top + recipe.height, left : left + recipe.width]
    fitted = np.stack([_stretched(plane, recipe) for plane in planes])
    return fitted.astype("<f2").tobytes()


def _as_ccv_keeps_it(planes: NDArray[np.float32], recipe: Recipe) -> bytes:
    whole = planes.transpose(1, 2, 0)
    fitted = cubic(whole, *mean_picture_size(recipe)).clip(0, 255)  # clipped as in _stretched
    return fitted.astype("<f4").tobytes()


def _planes_of_picture(path: Path, recipe: Recipe) -> NDArray[np.float32]:
    import numpy as np

    picture = open_image(path)
    if recipe.channels == "gray":
        return np.asarray(picture.convert("L"), np.float32)[np.newaxis]
    planes = np.asarray(picture, np.float32).transpose(2, 0, 1)
    return planes[::-1] if recipe.channels == "bgr" else planes


def _planes_of_array(path: Path, recipe: Recipe) -> NDArray[np.float32]:
    import numpy as np

    mapped = _open_array(path)  # its shape and type are judged before its numbers are read
    count, shape = recipe.channel_count, mapped.shape
    if mapped.dtype.kind not in "fiu":
        raise _bad(path, f"holds numbers of type {mapped.dtype}, expected floats of pixel values")
    is_picture = len(shape) == 3 and count in (shape[0], shape[2])
    if not is_picture or not all(1 <= side <= MAX_SIDE for side in shape):
        raise _bad(
            path,
            f"has the shape {shape}, expected ({count}, height, width) or (height, width, {count}) "
            f"with sides of 1 to {MAX_SIDE}. A mean for each channel is what --mean takes",
        )
    planes = mapped if shape[0] == count else mapped.transpose(2, 0, 1)
    if not np.isfinite(planes).all():
        raise _bad(path, "holds a number that is not finite, expected pixel values of 0 to 255")
    low, high = float(planes.min()), float(planes.max())
    if low >= 0 and 0 < high <= 1:
        raise _bad(
            path,
            f"holds numbers from {low:g} to {high:g}, for pixels of 0 to 1, but a recipe counts "
            "pixels from 0 to 255. Multiply it by 255",
        )
    if low < 0 or high > 255:
        raise _bad(
            path, f"holds numbers from {low:g} to {high:g}, expected pixel values of 0 to 255"
        )
    return np.asarray(planes, np.float32)


def _open_array(path: Path) -> NDArray[np.generic]:
    """A .npy file's array, not read yet; nothing in the file is ever unpickled."""
    import numpy as np

    try:
        return np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise cannot_read(path, error) from error
    except Exception as error:  # NumPy's header parser raises half a dozen kinds
        detail = str(error).strip().rstrip(".") or type(error).__name__
        raise _bad(path, f"is no array that NumPy reads ({detail:.120})") from error


def _stretched(plane: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    import numpy as np

    height, width = plane.shape
    if (height, width) == (recipe.height, recipe.width):
        return plane
    picture = Image.fromarray(np.ascontiguousarray(plane))  # float32: mode "F"
    size = (recipe.width, recipe.height)
    # Bicubic overshoots beside an edge; no mean of pixels lies outside of 0 to 255.
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC)).clip(0, 255)


def _bad(path: Path, what: str) -> UsageError:
    return UsageError(f"The mean picture '{path}' {what}.", slug="bad-mean-picture")
