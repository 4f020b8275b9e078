"""Photos of every kind become upright sRGB; what is no photo gets a sentence."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, features

from pocketlens.base.errors import FileError, ImageError, PocketlensError
from pocketlens.images.decode import MAX_PIXELS, open_image


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(width: int = 6, height: int = 4) -> Image.Image:
    values = bytes(
        v for y in range(height) for x in range(width) for v in (x * 40 % 256, y * 60 % 256, 7)
    )
    return Image.frombytes("RGB", (width, height), values)


def pixels(image: Image.Image) -> list[tuple[int, ...]]:
    data = image.tobytes()
    return [tuple(data[i : i + 3]) for i in range(0, len(data), 3)]


def png_header_only(width: int, height: int) -> bytes:
    """A PNG whose header names a size, with no pixels behind it."""
    content = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + content
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )  # fmt: skip


def test_the_sources_agree(tmp_path: Path) -> None:
    content = encoded(gradient())
    file = tmp_path / "photo.png"
    file.write_bytes(content)
    expected = gradient().tobytes()
    assert open_image(file).tobytes() == expected
    assert open_image(str(file)).tobytes() == expected
    assert open_image(content).tobytes() == expected
    assert open_image(io.BytesIO(content)).tobytes() == expected
    assert open_image(gradient()).tobytes() == expected


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(gradient(), kind, exif=exif, **lossless)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    upright = open_image(content)
    assert (upright.size, upright.tobytes()) == (expected.size, expected.tobytes())
    assert upright.size == ((4, 6) if orientation > 4 else (6, 4))


def test_a_decoded_photo_comes_out_as_it_is() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    once = open_image(encoded(gradient(), "JPEG", exif=exif, icc_profile=wide_profile()))
    assert open_image(once).tobytes() == once.tobytes()
    assert once.size == (4, 6)


def test_a_picture_in_memory_is_not_changed() -> None:
    picture = gradient()
    picture.info["comment"] = b"mine"
    open_image(picture)
    assert picture.info == {"comment": b"mine"}
    assert picture.tobytes() == gradient().tobytes()


@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b""])
def test_a_damaged_exif_block_is_no_obstacle(exif: bytes) -> None:
    assert open_image(encoded(gradient(), "PNG", exif=exif)).tobytes() == gradient().tobytes()


def test_an_orientation_of_nine_means_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 9
    assert open_image(encoded(gradient(), exif=exif)).tobytes() == gradient().tobytes()


def test_transparency_is_laid_on_white() -> None:
    picture = Image.new("RGBA", (3, 1))
    for x, colour in enumerate([(255, 0, 0, 0), (255, 0, 0, 255), (0, 0, 0, 128)]):
        picture.putpixel((x, 0), colour)
    assert pixels(open_image(encoded(picture))) == [(255,) * 3, (255, 0, 0), (127,) * 3]
    gray = Image.new("LA", (2, 1), (0, 0))
    gray.putpixel((1, 0), (9, 255))
    assert pixels(open_image(encoded(gray))) == [(255,) * 3, (9,) * 3]


def test_a_palette_with_and_without_transparency() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    assert pixels(open_image(encoded(picture))) == [(10, 20, 30), (200, 100, 50)]
    assert pixels(open_image(encoded(picture, transparency=0))) == [(255,) * 3, (200, 100, 50)]
    several = open_image(encoded(picture, transparency=b"\xff\x00"))
    assert pixels(several) == [(10, 20, 30), (255,) * 3]


def test_a_transparent_colour_without_an_alpha_channel() -> None:
    assert pixels(
        open_image(encoded(Image.new("RGB", (1, 1), (1, 2, 3)), transparency=(1, 2, 3)))
    ) == [(255, 255, 255)]
    assert pixels(open_image(encoded(Image.new("L", (1, 1), 7), transparency=7))) == [(255,) * 3]


def test_black_and_white_and_gray() -> None:
    assert pixels(open_image(encoded(Image.new("1", (1, 1), 1)))) == [(255,) * 3]
    assert pixels(open_image(encoded(Image.new("L", (1, 1), 77), "JPEG")))[0] == (77,) * 3


def test_sixteen_bits_give_their_high_byte() -> None:
    picture = Image.new("I;16", (3, 1))
    for x, value in enumerate((0, 0x12FF, 0xFFFF)):
        picture.putpixel((x, 0), value)
    expected = [(0,) * 3, (0x12,) * 3, (255,) * 3]
    assert pixels(open_image(encoded(picture))) == expected
    assert pixels(open_image(encoded(picture, "TIFF"))) == expected
    assert pixels(open_image(picture.convert("I"))) == expected


@pytest.mark.parametrize(
    ("values", "expected"), [((0.0, 0.5, 1.0), (0, 128, 255)), ((0.0, 2.4, 254.6), (0, 2, 255))]
)
def test_floats(values: tuple[float, ...], expected: tuple[int, ...]) -> None:
    picture = Image.new("F", (3, 1))
    for x, value in enumerate(values):
        picture.putpixel((x, 0), value)
    assert pixels(open_image(encoded(picture, "TIFF"))) == [(v,) * 3 for v in expected]


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -0.5, 256.0])
def test_floats_that_are_no_brightness(value: float, position: int) -> None:
    picture = Image.new("F", (2, 1), 0.5)
    picture.putpixel((position, 0), value)
    with pytest.raises(ImageError, match="image-values"):
        open_image(picture)


@pytest.mark.parametrize("value", [-1, 65536])
def test_integers_that_are_no_brightness(value: int) -> None:
    with pytest.raises(ImageError, match=r"integers from .*image-values"):
        open_image(Image.new("I", (1, 1), value))


def test_cmyk_and_lab() -> None:
    assert pixels(open_image(encoded(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"))) == [
        (255, 0, 0)
    ]
    if not features.check("littlecms2"):
        pytest.skip("this Pillow has no LittleCMS")
    gray = pixels(open_image(Image.new("LAB", (1, 1), (128, 128, 128))))[0]
    assert all(abs(value - 119) <= 1 for value in gray)  # L* = 50.2 is sRGB 119


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixels(open_image(content)) == [(255, 0, 0)] * 4


def wide_profile() -> bytes:
    """An RGB profile unlike sRGB: the red and the blue colorant tags change places."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = content.index(b"rXYZ"), content.index(b"bXYZ")
    content[red : red + 4], content[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(content)


@pytest.mark.skipif(not features.check("littlecms2"), reason="this Pillow has no LittleCMS")
class TestProfiles:
    def test_srgb_changes_no_pixel(self) -> None:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        assert (
            open_image(encoded(gradient(), icc_profile=profile)).tobytes() == gradient().tobytes()
        )

    def test_another_profile_is_followed(self) -> None:
        picture = Image.new("RGB", (1, 1), (250, 10, 10))
        shown = pixels(open_image(encoded(picture, icc_profile=wide_profile())))[0]
        assert all(abs(a - b) <= 2 for a, b in zip(shown, (10, 10, 250), strict=True))

    def test_transparency_is_kept(self) -> None:
        picture = Image.new("RGBA", (1, 1), (250, 10, 10, 0))
        assert pixels(open_image(encoded(picture, icc_profile=wide_profile()))) == [(255,) * 3]

    def test_a_damaged_profile_or_one_for_another_mode_is_left_aside(self) -> None:
        assert (
            open_image(encoded(gradient(), icc_profile=b"x" * 200)).tobytes()
            == gradient().tobytes()
        )
        gray = Image.new("L", (1, 1), 77)
        assert pixels(open_image(encoded(gray, icc_profile=wide_profile()))) == [(77,) * 3]


def test_one_pixel() -> None:
    assert pixels(open_image(encoded(Image.new("RGB", (1, 1), (1, 2, 3))))) == [(1, 2, 3)]


@pytest.mark.parametrize("side", [20_000, 60_000])
def test_a_huge_picture_is_refused_before_it_is_decoded(side: int) -> None:
    content = png_header_only(side, side)
    with pytest.raises(ImageError, match="image-too-large") as caught:
        open_image(content)
    assert "178,956,970" in str(caught.value)


def test_the_size_limit_holds_without_pillows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ImageError, match=r"20,000 x 20,000.*image-too-large"):
        open_image(png_header_only(20_000, 20_000))


def test_a_large_picture_below_the_limit_is_not_warned_about() -> None:
    side = 10_000  # more than Pillow's warning limit; the pixels are missing, so it ends there
    assert side * side < MAX_PIXELS
    with pytest.raises(ImageError, match="image-damaged"):
        open_image(png_header_only(side, side))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no-such-file"):
        open_image(tmp_path / "none.jpg")
    with pytest.raises(FileError, match="is-a-folder"):
        open_image(tmp_path)
    with pytest.raises(FileError, match="cannot-read"):
        open_image("a\0b.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    file.write_bytes(encoded(gradient()))
    file.chmod(0)
    with pytest.raises(FileError, match="cannot-read"):
        open_image(file)


def test_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ImageError, match=r"empty.jpg.*0 bytes.*image-empty"):
        open_image(tmp_path / "empty.jpg")
    with pytest.raises(ImageError, match="image-empty"):
        open_image(b"")


def test_a_picture_without_pixels() -> None:
    with pytest.raises(ImageError, match=r"0 x 5.*image-empty"):
        open_image(Image.new("RGB", (0, 5)))


@pytest.mark.parametrize(
    "content",
    [b"hello, I am text", b"\0" * 4096, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"],
)
def test_not_an_image(content: bytes) -> None:
    with pytest.raises(ImageError, match="not-an-image"):
        open_image(content, name="the upload")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_a_file_cut_anywhere_is_an_error(kind: str) -> None:
    noise = Image.frombytes("RGB", (40, 40), random.Random(1).randbytes(4800))
    content = encoded(noise, kind)
    for part in (0.1, 0.3, 0.5, 0.7, 0.9):
        with pytest.raises(ImageError, match=r"image-damaged|not-an-image"):
            open_image(content[: int(len(content) * part)])


@given(st.data())
def test_damaged_bytes_give_a_picture_or_a_sentence(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "TGA"]))
    content = bytearray(encoded(gradient(12, 9), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert open_image(bytes(content)).mode == "RGB"
    except PocketlensError as error:
        assert isinstance(error, ImageError)


def test_threads_decode_alike() -> None:
    contents = [encoded(gradient(20 + n, 30), exif=b"Exif\0\0nonsense") for n in range(24)]
    alone = [open_image(content).tobytes() for content in contents]
    with ThreadPoolExecutor(4) as pool:
        together = [image.tobytes() for image in pool.map(open_image, contents)]
    assert together == alone


def test_decoding_needs_no_numpy() -> None:
    code = (
        "import sys, io; from pocketlens.images.decode import open_image;"
        "from pocketlens.images.crops import crop_views;"
        "from pocketlens.images.presets import preset;"
        "from PIL import Image; b = io.BytesIO(); Image.new('RGBA', (9, 7)).save(b, 'PNG');"
        "recipe = preset('caffe', height=227, width=227);"
        "assert len(crop_views(open_image(b.getvalue()), recipe, 10)) == 10;"
        "assert 'numpy' not in sys.modules, 'numpy was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
