"""Pictures in one .npz file: an array of pictures of one size, and what else it holds.

Nothing is unpickled, since that would run code from the file. NumPy is imported where arrays are
read and nowhere else.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

from pocketlens.base.errors import DataError
from pocketlens.base.files import cannot_read

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What zipfile, zlib and NumPy raise on damaged, encrypted or lying archives (OSError: a seek to
# a place before the file's start).
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    ValueError,
)

MAX_ARRAY_BYTES = 4 << 30
"""The arrays are in memory as a whole: 20 times all of CIFAR-10's 60,000 pictures."""


def load_pictures(
    path: Path, others: Sequence[str] = ()
) -> tuple[NDArray[np.uint8], dict[str, NDArray[Any]]]:
    """`images` of an .npz, (n, height, width, 3) uint8 RGB, and which of `others` it holds.

    There may be no picture, or none with a pixel. Raises DataError 'dataset-npz', 'npz-pickled' or
    'npz-too-large'; FileError.
    """
    try:
        with path.open("rb") as file:
            arrays = _load(file, path, ("images", *others))
    except OSError as error:
        raise cannot_read(path, error) from error
    if "images" not in arrays:
        raise bad_npz(path, "it has no array 'images'")
    images = arrays.pop("images")
    if images.dtype != "uint8" or images.ndim != 4 or images.shape[3] != 3:
        raise bad_npz(path, f"'images' is {images.dtype} of shape {images.shape}")
    return images, arrays


def array_names(path: Path) -> frozenset[str]:
    """Names of the arrays in an .npz, none where it is no zip file. Raises FileError."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist())
    except FileNotFoundError as error:
        raise cannot_read(path, error) from error
    except _DAMAGE:
        return frozenset()


def picture_of(pixels: NDArray[np.uint8]) -> Image.Image:
    """One picture of such an array, (height, width, 3), as Pillow has it."""
    height, width, _ = pixels.shape
    return Image.frombytes("RGB", (width, height), pixels.tobytes())


def pixels_sha256(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 of a picture's shape and pixels, hex: what tells it from others."""
    height, width, channels = pixels.shape
    digest = hashlib.sha256(f"uint8 {height} {width} {channels}\n".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def bad_npz(path: Path, why: str) -> DataError:
    """Why an .npz is not what is expected."""
    return DataError(
        f"'{path}' cannot be used: {why}. Expected 'images' uint8 (n, height, width, 3); for "
        "measuring also 'labels' integers (n,), and if wanted 'names' text.",
        slug="dataset-npz",
    )


def _load(file: BinaryIO, path: Path, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The arrays that matter, by key."""
    import numpy as np

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
            return {key: _array(arrays, key, path) for key in keys if key in arrays.files}
    except _DAMAGE as error:
        raise bad_npz(path, f"it is damaged or no .npz file ({error})") from error


def _array(archive: Any, key: str, path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        array = archive[key]
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise DataError(
            f"'{key}' in '{path}' is pickled. Unpickling runs code from the file, so it is "
            "refused; save plain arrays of uint8, integers and text.",
            slug="npz-pickled",
        ) from error
    if not isinstance(array, np.ndarray):
        raise bad_npz(path, f"'{key}' is not an array")
    return array
