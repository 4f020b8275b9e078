"""A photo's pixels as ccv decodes them: what is in the file, and no more.

Unlike `decode.open_image`: EXIF orientation and colour profiles are ignored, transparency is
dropped (not laid on white), 16-bit samples keep their high byte, CMYK is turned by ccv's formula.
NumPy is imported for CMYK, and where arrays are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from pocketlens.images.colours import to_rgb
from pocketlens.images.decode import PhotoSource, decode_by

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LAYERED = {"P": "RGBA", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
"""Modes that do not become "RGB" in one step, or (a palette that is transparent) with a warning."""

_PLAIN = ("1", "L", "LA", "RGBA", "RGBX", "YCbCr", "HSV")
"""Modes whose convert("RGB") keeps the colours as they are and drops what is transparency."""


def open_as_ccv(photo: PhotoSource, *, name: str = "") -> Image.Image:
    """Decode a photo as ccv does, to a picture of mode "RGB".

    photo  a path, a file's bytes, an open binary file, or a Pillow picture
    name   what to call it in errors where `photo` has no path
    Raises what `decode.open_image` raises.
    """
    return decode_by(photo, _rgb, name=name)


def decode_as_ccv(photo: PhotoSource, *, name: str = "") -> NDArray[np.uint8]:
    """The same as an array: (rows, columns, 3) uint8, red, green, blue."""
    import numpy as np

    return np.array(open_as_ccv(photo, name=name))


def _rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode == "CMYK":
        return _of_inks(image)
    if image.mode in _LAYERED:
        image = image.convert(_LAYERED[image.mode])
    if image.mode in _PLAIN:
        return image.convert("RGB")
    bare = image.copy()
    bare.info = {}  # no profile to follow
    return to_rgb(bare, name=name)


def _of_inks(image: Image.Image) -> Image.Image:
    """Red = k - ((255 - c) k >> 8), c and k as an Adobe JPEG has them: inverted, 255 is no ink.

    Pillow has inverted them back: 255 - c is its cyan.
    """
    import numpy as np

    inks = np.asarray(image)
    k = 255 - inks[:, :, 3:].astype(np.int32)
    return Image.fromarray((k - (inks[:, :, :3] * k >> 8)).astype(np.uint8))
