"""Nothing but a whole, correct grayscale PNG gets through the door, or inflates beyond it."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from pocketlens.base.errors import LensFileError
from pocketlens.planes.png import write_png
from pocketlens.planes.scanlines import SIGNATURE, inflate_band, read_header, scanline_bytes

PIXELS = np.random.default_rng(0).integers(0, 16, (7, 13)).astype(np.uint8)
RAW = bytes(8)  # one row of 7 pixels at 8 bits


def chunk(kind: bytes, content: bytes) -> bytes:
    end = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + end


def header(**changes: int) -> bytes:
    fields = {
        "width": 7,
        "height": 1,
        "depth": 8,
        "colour": 0,
        "method": 0,
        "filters": 0,
        "lace": 0,
    }
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *(fields | changes).values()))


DATA = chunk(b"IDAT", zlib.compress(RAW))
END = chunk(b"IEND", b"")
TEXT = chunk(b"tEXt", b"Comment\0hello")


def refusal(png: bytes, max_bytes: int = 1_000_000) -> str:
    with pytest.raises(LensFileError) as error:
        inflate_band(png, max_bytes=max_bytes)
    return error.value.slug


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_what_was_written_comes_back(bits: int) -> None:
    pixels = PIXELS & ((1 << bits) - 1)
    png = write_png(pixels, bits)
    assert read_header(png) == (13, 7, bits)
    raw = inflate_band(png, max_bytes=1_000)
    assert len(raw) == 7 * scanline_bytes(13, bits)
    stride = scanline_bytes(13, bits)
    for row, expected in enumerate(pixels):
        line = raw[row * stride : (row + 1) * stride]
        assert line[0] == 0
        number = int.from_bytes(line[1:], "big") >> (-13 * bits % 8)
        assert [number >> (bits * (12 - i)) & ((1 << bits) - 1) for i in range(13)] == list(
            expected
        )


def test_other_writers_split_data_and_add_text() -> None:
    data = zlib.compress(RAW)
    png = SIGNATURE + header() + TEXT + chunk(b"IDAT", data[:3]) + chunk(b"IDAT", b"")
    png += chunk(b"IDAT", data[3:]) + TEXT + END
    assert inflate_band(png, max_bytes=8) == RAW


def test_pillow_s_filtered_picture_is_read() -> None:
    slope = np.add.outer(np.arange(50), np.arange(60)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(slope).save(file, "png")
    raw = inflate_band(file.getvalue(), max_bytes=50 * 61)
    assert len(raw) == 50 * 61


def test_cut_anywhere_or_one_bit_flipped_anywhere() -> None:
    png = write_png(PIXELS, 4)
    kinds = {"plane-damaged", "plane-not-grayscale"}
    for at in range(len(png)):
        assert refusal(png[:at]) == "plane-damaged"
        for bit in range(8):
            flipped = png[:at] + bytes([png[at] ^ 1 << bit]) + png[at + 1 :]
            assert refusal(flipped) in kinds


@pytest.mark.parametrize(
    ("what", "png"),
    [
        ("empty", b""),
        ("text", b"hello, I am not a picture at all"),
        ("no header", SIGNATURE + DATA + END),
        ("header twice", SIGNATURE + header() + header() + DATA + END),
        ("no data", SIGNATURE + header() + END),
        ("no end", SIGNATURE + header() + DATA),
        ("trailing bytes", SIGNATURE + header() + DATA + END + b"\0"),
        ("two pictures", (SIGNATURE + header() + DATA + END) * 2),
        ("end with content", SIGNATURE + header() + DATA + chunk(b"IEND", b"x")),
        ("palette", SIGNATURE + header() + chunk(b"PLTE", bytes(3)) + DATA + END),
        ("data apart", SIGNATURE + header() + DATA + TEXT + chunk(b"IDAT", b"") + END),
        ("odd chunk name", SIGNATURE + header() + chunk(b"a1bc", b"") + DATA + END),
        ("reserved name", SIGNATURE + header() + chunk(b"texT".lower(), b"") + DATA + END),
        ("no pixels", SIGNATURE + header(height=0) + DATA + END),
        ("too wide", SIGNATURE + header(width=2**31) + DATA + END),
        ("method", SIGNATURE + header(method=1) + DATA + END),
        ("filters", SIGNATURE + header(filters=1) + DATA + END),
        ("short data", SIGNATURE + header() + chunk(b"IDAT", zlib.compress(bytes(7))) + END),
        ("long data", SIGNATURE + header() + chunk(b"IDAT", zlib.compress(bytes(9))) + END),
        ("checksum", SIGNATURE + header() + chunk(b"IDAT", zlib.compress(RAW)[:-4]) + END),
        ("bytes after", SIGNATURE + header() + chunk(b"IDAT", zlib.compress(RAW) + b"x") + END),
        ("not deflate", SIGNATURE + header() + chunk(b"IDAT", b"not deflate") + END),
        ("filter 5", SIGNATURE + header() + chunk(b"IDAT", zlib.compress(b"\5" + RAW[1:])) + END),
    ],
)
def test_damaged(what: str, png: bytes) -> None:
    assert refusal(png) == "plane-damaged"


@pytest.mark.parametrize(
    "changes", [{"colour": 2}, {"colour": 3}, {"depth": 16}, {"depth": 3}, {"lace": 1}]
)
def test_not_grayscale(changes: dict[str, int]) -> None:
    assert refusal(SIGNATURE + header(**changes) + DATA + END) == "plane-not-grayscale"


def test_a_bomb_is_not_inflated() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    honest = SIGNATURE + header(width=49_999, height=1000) + chunk(b"IDAT", bomb) + END
    lying = SIGNATURE + header() + chunk(b"IDAT", bomb) + END
    tracemalloc.start()
    assert refusal(honest) == "plane-too-large"
    assert refusal(lying) == "plane-damaged"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_the_limit_is_the_scanlines_own_size() -> None:
    png = write_png(PIXELS, 4)
    assert len(inflate_band(png, max_bytes=7 * 8)) == 56
    assert refusal(png, max_bytes=55) == "plane-too-large"


def test_numpy_stays_out() -> None:
    script = (
        "import sys, pocketlens.planes.scanlines, pocketlens.planes.plane,"
        "pocketlens.planes.layout; assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
