"""Any Pillow mode to 8-bit RGB in sRGB: what each mode means is decided here, once.

    1 L P PA LA La RGB RGBA RGBa RGBX   as they are; transparency is laid on white
    I;16 I                              16-bit: the high byte, as Pillow does for 16-bit colour
    F                                   0..1 is stretched to 0..255; 0..255 is taken as it is
    CMYK YCbCr HSV LAB                  converted

A colour profile (ICC.1:2022) in the file is followed, with the perceptual intent, unless it is
sRGB for all that can be seen. Without LittleCMS in Pillow, or with a profile that is damaged or
meant for another mode, the colours are taken as sRGB, as browsers do.
"""

from __future__ import annotations

import io
import math
from array import array
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image

from pocketlens.base.errors import ImageError

if TYPE_CHECKING:
    from PIL import ImageCms

_SAME = 2
"""Profiles that move no probe colour by more than this (of 255) are taken as sRGB."""


def to_rgb(image: Image.Image, *, name: str) -> Image.Image:
    """The picture as mode "RGB" in sRGB, same size.

    name  what to call it in errors, as the start of a sentence
    Raises ImageError 'image-values' for float or integer pixels that are no brightness.
    """
    colour, alpha = _colour_and_alpha(image, name)
    rgb = _to_srgb(colour, image.info.get("icc_profile"))
    if alpha is None:
        return rgb
    flat = Image.new("RGB", rgb.size, (255, 255, 255))
    flat.paste(rgb, mask=alpha)
    return flat


def _colour_and_alpha(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    """Colour as L, RGB, CMYK or LAB, and transparency as L or None."""
    mode = image.mode
    if mode == "F":
        return _from_float(image, name), None
    if mode == "I" or mode.startswith("I;16"):
        return _from_integers(image, name), None
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        gray = mode in ("LA", "La", "L", "1")
        return layered.convert("L" if gray else "RGB"), layered.getchannel("A")
    if mode in ("RGB", "L", "CMYK", "LAB"):
        return image, None
    return image.convert("L" if mode == "1" else "RGB"), None


def _from_integers(image: Image.Image, name: str) -> Image.Image:
    """16-bit brightness to its high byte, mode "L"."""
    wide = image.convert("I")
    low, high = _extrema(wide)
    if low < 0 or high > 65535:
        raise _values(name, f"integers from {low:.0f} to {high:.0f}")
    return wide.point(lambda value: value * (1 / 256)).convert("L")


def _from_float(image: Image.Image, name: str) -> Image.Image:
    """Float brightness, 0..1 or 0..255, rounded to mode "L"."""
    low, high = _extrema(image)
    # A NaN hides from the extrema, not from the sum.
    if math.isnan(sum(array("f", image.tobytes()))):
        raise _values(name, "NaN")
    if not (low >= 0 and high <= 255):
        raise _values(name, f"floats from {low:g} to {high:g}")
    stretch = 255.0 if high <= 1 else 1.0
    return image.point(lambda value: value * stretch + 0.5).convert("L")


def _extrema(image: Image.Image) -> tuple[float, float]:
    low, high = image.getextrema()
    assert isinstance(low, (int, float)) and isinstance(high, (int, float))  # one channel
    return low, high


def _values(name: str, seen: str) -> ImageError:
    return ImageError(
        f"{name} holds {seen}. Expected 8-bit or 16-bit brightness, or floats from 0 to 1 or "
        "0 to 255; scale it first.",
        slug="image-values",
    )


def _to_srgb(colour: Image.Image, profile: bytes | None) -> Image.Image:
    if colour.mode == "LAB":
        profile = b""  # the mode says it all: CIE L*a*b*, D50
    transform = None if profile is None else _transform(profile, colour.mode)
    if transform is not None:
        return _applied(transform, colour)
    return colour.convert("RGB")


def _applied(transform: ImageCms.ImageCmsTransform, colour: Image.Image) -> Image.Image:
    return transform.apply(colour)


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From `profile` to sRGB; None where that changes nothing or cannot be done."""
    from PIL import ImageCms, features  # here, because most photos have no profile

    if not features.check("littlecms2"):
        return None
    try:
        source = (
            ImageCms.createProfile("LAB")
            if mode == "LAB"
            else ImageCms.ImageCmsProfile(io.BytesIO(profile))
        )
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode in ("RGB", "L") and _changes_nothing(transform, mode):
        return None
    return transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether no colour of a coarse cube (or no gray) moves by more than `_SAME`."""
    steps = range(0, 256, 17)
    if mode == "L":
        probe = Image.frombytes("L", (256, 1), bytes(range(256)))
    else:
        cube = bytes(value for r in steps for g in steps for b in steps for value in (r, g, b))
        probe = Image.frombytes("RGB", (256, 16), cube)
    before = probe.convert("RGB").tobytes()
    after = _applied(transform, probe).tobytes()
    return all(abs(a - b) <= _SAME for a, b in zip(before, after, strict=True))
