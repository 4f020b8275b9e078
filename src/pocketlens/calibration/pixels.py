"""Photos in one .npz file: an array of pictures of one size."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocketlens.base.errors import DataError
from pocketlens.base.files import cannot_read

MAX_ARRAY_BYTES = 4 << 30
"""The array is in memory as a whole."""

# What zipfile, zlib and NumPy raise on damaged, encrypted or lying archives.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, MemoryError),
    *(OSError, RuntimeError, ValueError),
)


def read_pixels(path: Path) -> list[tuple[str, str, Callable[[], Image.Image]]]:
    """Every picture of `images` (n, height, width, 3) uint8: its hash, its name, how to open it.

    The hash is SHA-256 of its shape and pixels, the same that a data set of pictures has.
    Raises DataError 'dataset-npz', 'npz-pickled' or 'npz-too-large'; FileError.
    """
    images = _load(path)
    return [(_sha256(row), f"row {i}", partial(_picture, row)) for i, row in enumerate(images)]


def _load(path: Path) -> NDArray[np.uint8]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise cannot_read(path, error) from error
    with file:
        try:
            with zipfile.ZipFile(file) as archive:
                total = sum(entry.file_size for entry in archive.infolist())
            if total > MAX_ARRAY_BYTES:
                raise DataError(
                    f"'{path}' unpacks to {total:,} bytes, more than {MAX_ARRAY_BYTES:,}. "
                    "Split it, or keep the photos as files.",
                    slug="npz-too-large",
                )
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                images = arrays["images"]
        except _DAMAGE as error:
            raise _refusal(path, error) from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise _bad(path, f"'images' is {images.dtype} of shape {images.shape}")
    return np.ascontiguousarray(images) if images.size else images[:0]


def _refusal(path: Path, error: Exception) -> DataError:
    if "pickle" in str(error):
        return DataError(
            f"'images' in '{path}' is pickled. Unpickling runs code from the file, so it is "
            "refused; save a plain array of uint8.",
            slug="npz-pickled",
        )
    return _bad(path, f"it is damaged, no .npz file, or has no 'images' ({error})")


def _bad(path: Path, why: str) -> DataError:
    return DataError(
        f"'{path}' cannot be calibrated with: {why}. Expected 'images' uint8 "
        "(n, height, width, 3).",
        slug="dataset-npz",
    )


def _picture(pixels: NDArray[np.uint8]) -> Image.Image:
    height, width, _ = pixels.shape
    return Image.frombytes("RGB", (width, height), pixels.tobytes())


def _sha256(pixels: NDArray[np.uint8]) -> str:
    height, width, channels = pixels.shape
    digest = hashlib.sha256(f"uint8 {height} {width} {channels}\n".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()
