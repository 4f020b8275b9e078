"""From a file, its bytes or a picture in memory to an upright RGB picture in sRGB.

Every rule about hostile or odd picture files lives here; colours and modes are in colours.py.
Photos are decoded at full size: JPEG's cheap "draft" sizes give other pixels, and a recipe
must give the same input for the same photo wherever it runs.
"""

from __future__ import annotations

import importlib
import io
import os
import re
import struct
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar

from PIL import Image, UnidentifiedImageError

from pocketlens.base.errors import ImageError, PocketlensError
from pocketlens.base.unreadable import cannot_read
from pocketlens.images.colours import to_rgb

PhotoSource: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | Image.Image"
"""What `open_image` takes: a path, a file's bytes, an open binary file, a picture in memory."""

Pixels = TypeVar("Pixels")

MAX_PIXELS = 178_956_970
"""The largest photo: Pillow's own limit for a hard stop, 512 MiB as RGB."""

# By how their files begin: what photos mostly are.
_USUAL_FORMATS = {b"\xff\xd8\xff": "Jpeg", b"\x89PNG\r\n\x1a\n": "Png"}
_COMMON_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM")
# Asked for only when the common ones do not know the file, because importing them takes time.
# Formats that start other programs (EPS) or nest pictures of unstated size (ICO, ICNS) are out.
_OTHER_FORMATS = ("WEBP", "TIFF", "MPO", "JPEG2000", "AVIF", "TGA", "PCX", "QOI", "SGI")

_ORIENTATION = 0x0112  # Exif 2.32, section 4.6.4: tag 274
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# warnings.catch_warnings swaps a global list: two threads inside it would undo each other.
_QUIET = threading.Lock()


def open_image(source: PhotoSource, *, name: str = "") -> Image.Image:
    """Decode a photo: upright, mode "RGB", sRGB.

    EXIF orientation is honoured; transparency is laid on white; 16-bit, float, grayscale,
    palette and CMYK pictures are converted (`colours.to_rgb` says how); of an animation the
    first frame is taken. A picture in memory is not changed; one that comes from here comes
    out as it is.

    source  a path, a file's bytes, an open binary file, or a Pillow picture
    name    what to call it in errors where `source` has no path

    Raises FileError 'no-such-file', 'is-a-folder' or 'cannot-read'; ImageError 'image-empty',
    'not-an-image', 'image-damaged', 'image-too-large' or 'image-values'.
    """
    return decode_by(source, _upright, name=name)


def decode_by(
    source: PhotoSource, convert: Callable[[Image.Image, str], Pixels], *, name: str = ""
) -> Pixels:
    """`convert` of a photo's first frame, its pixels loaded; what it is called starts a sentence.

    Raises what `open_image` raises; whatever `convert` raises that is no sentence of Pocketlens
    is a damaged picture.
    """
    if isinstance(source, Image.Image):
        return _decode(source, convert, name or "the picture")
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), convert, name or f"the picture of {len(source):,} bytes")
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        try:
            with path.open("rb") as file:
                return _read(file, convert, name or f"'{path}'")
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = error if isinstance(error, OSError) else OSError(str(error))
            raise cannot_read(path, reason) from error
    return _read(source, convert, name or "the picture")


def _read(file: BinaryIO, convert: Callable[[Image.Image, str], Pixels], name: str) -> Pixels:
    """Decode an open file. OSError of reading it passes through only where Pillow is not in."""
    if not file.read(1):
        raise ImageError(
            f"{_start(name)} is empty: 0 bytes where a picture was expected. "
            "Copy or download it again.",
            slug="image-empty",
        )
    file.seek(0)
    try:
        image = _identify(file)
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{_start(name)} is not a picture that can be read. Expected JPEG, PNG, WebP, GIF, "
            "BMP, TIFF, AVIF or another common photo format; convert it first.",
            slug="not-an-image",
        ) from error
    except Image.DecompressionBombError as error:
        seen = re.search(r"(\d+) pixels", str(error))
        raise _too_large(name, f"{int(seen[1]):,}" if seen else "too many") from error
    except Exception as error:
        raise _damaged(name, error) from error
    with image:
        return _decode(image, convert, name)


def _identify(file: BinaryIO) -> Image.Image:
    """Read the header only. Raises what Pillow raises."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about size (judged below) and harmless header faults
        try:
            return _identify_usual(file) or Image.open(file, formats=_COMMON_FORMATS)
        except UnidentifiedImageError:
            Image.init()
            file.seek(0)
            known = [kind for kind in _OTHER_FORMATS if kind in Image.OPEN]
            return Image.open(file, formats=known)


def _identify_usual(file: BinaryIO) -> Image.Image | None:
    """A JPEG or PNG, by its own plugin; None for what is neither, or what that cannot read.

    Image.open() would import the plugins of five formats first, and what they need: a third of the
    time that it takes to open a small photo in a new process.
    """
    start = file.read(8)
    file.seek(0)
    kind = next((kind for sign, kind in _USUAL_FORMATS.items() if start.startswith(sign)), None)
    if kind is None:
        return None
    importlib.import_module(f"PIL.{kind}ImagePlugin")
    factory, _ = Image.OPEN[kind.upper()]
    try:
        return factory(file, "")
    except (SyntaxError, IndexError, TypeError, struct.error):  # what Image.open() passes over
        file.seek(0)
        return None


def _decode(image: Image.Image, convert: Callable[[Image.Image, str], Pixels], name: str) -> Pixels:
    """Pixels of an opened picture, converted."""
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise _too_large(name, f"{image.width:,} x {image.height:,}")
    if pixels == 0:
        raise ImageError(
            f"{_start(name)} has no pixels: {image.width} x {image.height}. "
            "Expected at least 1 x 1; give another picture.",
            slug="image-empty",
        )
    try:
        image.load()
        return convert(image, _start(name))
    except PocketlensError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged bytes
        raise _damaged(name, error) from error


def _upright(image: Image.Image, name: str) -> Image.Image:
    turn = _UPRIGHT.get(_orientation(image))  # after load: PNG may hold EXIF behind the pixels
    rgb = to_rgb(image, name=name)
    upright = rgb if turn is None else rgb.transpose(turn)
    upright.info = {}  # what it said (orientation, profile) is done, and not to be done again
    return upright


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or the EXIF block is damaged."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = image.getexif().get(_ORIENTATION, 1)
        except Exception:  # a damaged EXIF block says nothing about the pixels
            return 1
    return value if isinstance(value, int) else 1


def _start(name: str) -> str:
    """`name` as the start of a sentence."""
    return name[:1].upper() + name[1:]


def _too_large(name: str, seen: str) -> ImageError:
    return ImageError(
        f"{_start(name)} is too large: {seen} pixels, expected at most {MAX_PIXELS:,}. "
        "It was not decoded; make it smaller first.",
        slug="image-too-large",
    )


def _damaged(name: str, error: Exception) -> ImageError:
    detail = str(error).strip().rstrip(".") or type(error).__name__
    return ImageError(
        f"{_start(name)} is a picture but is damaged or cut short ({detail}). "
        "Copy or download it again.",
        slug="image-damaged",
    )
