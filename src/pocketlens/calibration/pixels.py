"""Photos in one .npz file, one by one: each one's hash, its name, and how to open it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image

from pocketlens.images.arrays import load_pictures, picture_of, pixels_sha256


def read_pixels(path: Path) -> list[tuple[str, str, Callable[[], Image.Image]]]:
    """Every picture of `images` (n, height, width, 3) uint8: its hash, its name, how to open it.

    The hash is the one that a data set of pictures knows it by. Raises DataError 'dataset-npz',
    'npz-pickled' or 'npz-too-large'; FileError.
    """
    images, _ = load_pictures(path)
    return [
        (pixels_sha256(row), f"row {number}", partial(picture_of, row))
        for number, row in enumerate(images if images.size else ())
    ]
