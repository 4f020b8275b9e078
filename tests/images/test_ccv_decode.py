"""Decoding as ccv does: the samples that are in the file, whatever it says of them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from pocketlens.base.errors import FileError, ImageError
from pocketlens.images.ccv_decode import decode_as_ccv
from pocketlens.images.decode import open_image


def noise(*shape: int) -> Any:
    return np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)


def png(image: Image.Image, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG", **options)
    return data.getvalue()


def test_orientation_is_ignored() -> None:
    pixels = noise(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = png(Image.fromarray(pixels), exif=exif)
    assert open_image(data).size == (4, 6)
    assert (decode_as_ccv(data) == pixels).all()


def test_transparency_is_dropped() -> None:
    pixels = noise(4, 6, 4)
    assert (decode_as_ccv(png(Image.fromarray(pixels))) == pixels[:, :, :3]).all()
    gray = noise(4, 6, 2)
    data = png(Image.merge("LA", _bands(gray)))
    assert (decode_as_ccv(data) == gray[:, :, :1]).all()


def _bands(pixels: Any) -> list[Image.Image]:
    return [Image.fromarray(np.ascontiguousarray(pixels[:, :, i])) for i in range(pixels.shape[2])]


def test_a_palette_is_expanded_and_its_transparency_dropped() -> None:
    image = Image.fromarray(noise(3, 5) % 4, "L")
    image = image.convert("P")
    colours = noise(4, 3)
    image.putpalette(colours.tobytes())
    indices = np.asarray(image)
    data = png(image, transparency=bytes([0, 90, 255, 7]))
    assert (decode_as_ccv(data) == colours[indices]).all()


def test_sixteen_bits_keep_the_high_byte() -> None:
    wide = np.random.default_rng(6).integers(0, 65536, (5, 7), dtype=np.uint16)
    expected = np.repeat((wide >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    assert (decode_as_ccv(png(Image.fromarray(wide))) == expected).all()
    assert (decode_as_ccv(Image.fromarray(wide.astype(np.int32), "I")) == expected).all()


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_of_colour_and_transparency_as_well(colour: int, channels: int) -> None:
    wide = np.random.default_rng(7).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    header = struct.pack(">IIBBBBB", 7, 5, 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    gamma = struct.pack(">I", 220_000)
    chunks = [(b"IHDR", header), (b"gAMA", gamma), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    high = (wide >> 8).astype(np.uint8)
    assert (decode_as_ccv(data) == (high[:, :, :3] if channels > 2 else high[:, :, :1])).all()


def test_low_bit_depths_are_expanded() -> None:
    dots = noise(5, 7) > 127
    expected = np.repeat(dots[:, :, None], 3, axis=2) * np.uint8(255)
    assert (decode_as_ccv(png(Image.fromarray(dots))) == expected).all()


def test_profiles_are_ignored() -> None:
    pixels = noise(4, 6, 3)
    strange = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    turned = bytearray(strange)
    red, green = turned.index(b"rXYZ"), turned.index(b"gXYZ")
    turned[red : red + 4], turned[green : green + 4] = b"gXYZ", b"rXYZ"
    data = png(Image.fromarray(pixels), icc_profile=bytes(turned))
    assert np.asarray(open_image(data)).tobytes() != pixels.tobytes()
    assert (decode_as_ccv(data) == pixels).all()


def test_inks_go_by_ccvs_formula() -> None:
    inks = noise(40, 50, 4)
    seen = decode_as_ccv(Image.fromarray(inks, "CMYK")).astype(int)
    stored = 255 - inks.astype(int)  # as an Adobe JPEG has them
    c, k = stored[:, :, :3], stored[:, :, 3:]
    np.testing.assert_array_equal(seen, k - ((255 - c) * k >> 8))


@pytest.mark.parametrize(
    "mode", ["1", "L", "RGB", "RGBX", "YCbCr", "HSV", "La", "RGBa", "F", "LAB"]
)
def test_every_mode_decodes(mode: str) -> None:
    image = Image.fromarray(noise(3, 4, 4), "RGBA")
    if mode == "LAB":
        image = Image.new("LAB", (4, 3), (90, 128, 128))
    elif mode == "La":
        image = image.convert("LA").convert("La")
    elif mode != "RGBa":
        image = image.convert("L" if mode == "F" else "RGB").convert(mode)
    else:
        image = image.convert(mode)
    pixels = decode_as_ccv(image)
    assert (pixels.shape, pixels.dtype) == ((3, 4, 3), np.uint8)


def test_the_pixels_are_the_callers_own() -> None:
    image = Image.fromarray(noise(3, 4, 3))
    decode_as_ccv(image)[:] = 0
    assert np.asarray(image).any()


def test_what_cannot_be_decoded_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere\.png"):
        decode_as_ccv(tmp_path / "nowhere.png")
    with pytest.raises(ImageError, match=r"^The picture of 9 bytes is not a picture"):
        decode_as_ccv(b"no photo.")
    with pytest.raises(ImageError, match=r"^A photo is a picture but is damaged"):
        decode_as_ccv(png(Image.fromarray(noise(50, 50, 3)))[:3000], name="a photo")
    floats = Image.fromarray(np.full((2, 2), 300, np.float32))
    with pytest.raises(ImageError, match="holds floats from 300 to 300"):
        decode_as_ccv(floats)
