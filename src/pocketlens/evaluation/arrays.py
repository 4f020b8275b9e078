"""Data sets in one .npz file: small pictures as an array, and a class number for each."""

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
from pocketlens.base.progress import Progress
from pocketlens.evaluation.dataset import Dataset, fingerprint
from pocketlens.labels.labels import Label
from pocketlens.labels.match import match

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


def from_npz(path: Path, labels: Sequence[Label], *, name: str, progress: Progress) -> Dataset:
    """Keys `images` (n, height, width, 3) uint8 RGB, `labels` (n,) integers, `names` if wanted.

    `names` are matched to the lens's labels; where none of them is known, or there are none,
    the numbers in `labels` are taken as class numbers.
    Raises DataError 'dataset-npz', 'npz-pickled', 'npz-too-large', 'empty-dataset' or
    'unknown-label'; FileError.
    """
    arrays = _load(path)
    images, numbers = _checked(arrays, path)
    classes, rule = _classes(numbers, arrays.get("names"), labels, path)
    pairs = []
    for row, number in enumerate(classes):
        if row % 256 == 0:
            progress("reading the data set", row, len(classes))
        pairs.append((_sha256_of(images[row]), number))
    progress("reading the data set", len(classes), len(classes))
    return Dataset(
        name=name,
        rule=rule,
        sha256=fingerprint(pairs),
        classes=classes,
        photo_of=lambda row: _picture(images[row]),
        name_of=lambda row: f"row {row}",
    )


def _picture(pixels: NDArray[np.uint8]) -> Image.Image:
    height, width, _ = pixels.shape
    return Image.frombytes("RGB", (width, height), pixels.tobytes())


def _sha256_of(pixels: NDArray[np.uint8]) -> str:
    height, width, channels = pixels.shape
    digest = hashlib.sha256(f"uint8 {height} {width} {channels}\n".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def _load(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays that matter, by key. Nothing is unpickled."""
    try:
        with path.open("rb") as file:
            return _load_open(file, path)
    except OSError as error:
        raise cannot_read(path, error) from error


def _load_open(file: BinaryIO, path: Path) -> dict[str, NDArray[Any]]:
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
            wanted = [key for key in ("images", "labels", "names") if key in arrays.files]
            return {key: _array(arrays, key, path) for key in wanted}
    except _DAMAGE as error:
        raise _bad(path, f"it is damaged or no .npz file ({error})") from error


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
        raise _bad(path, f"'{key}' is not an array")
    return array


def _checked(arrays: dict[str, NDArray[Any]], path: Path) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    for key in ("images", "labels"):
        if key not in arrays:
            raise _bad(path, f"it has no array '{key}'")
    images, numbers = arrays["images"], arrays["labels"]
    if images.dtype != "uint8" or images.ndim != 4 or images.shape[3] != 3:
        raise _bad(path, f"'images' is {images.dtype} of shape {images.shape}")
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
        raise _bad(path, f"'labels' is {numbers.dtype} of shape {numbers.shape}")
    if len(numbers) != len(images):
        raise _bad(path, f"it has {len(images)} images but {len(numbers)} labels")
    if images.size == 0:
        raise DataError(
            f"'{path}' holds no pictures: 'images' has shape {images.shape}. "
            "Expected at least one.",
            slug="empty-dataset",
        )
    return images, numbers


def _classes(
    numbers: NDArray[Any], names: NDArray[Any] | None, labels: Sequence[Label], path: Path
) -> tuple[tuple[int, ...], str]:
    rows = [int(number) for number in numbers]
    count = len(labels)
    if names is None:
        classes, rule = tuple(range(count)), "labels taken as class numbers"
    else:
        if names.dtype.kind != "U" or names.ndim != 1:
            raise _bad(path, f"'names' is {names.dtype} of shape {names.shape}")
        words = tuple(str(name) for name in names)
        found = match(labels, words, where=f"'names' of '{path}'", otherwise="as given")
        classes, rule = found.classes, f"names {found.in_words()}"
    wrong = next((number for number in rows if not 0 <= number < len(classes)), None)
    if wrong is not None:
        raise DataError(
            f"'labels' of '{path}' holds {wrong}, expected class numbers from 0 to "
            f"{len(classes) - 1}. Is this data set for another model?",
            slug="unknown-label",
        )
    return tuple(classes[number] for number in rows), rule


def _bad(path: Path, why: str) -> DataError:
    return DataError(
        f"'{path}' cannot be used as a data set: {why}. Expected 'images' uint8 "
        "(n, height, width, 3), 'labels' integers (n,), and if wanted 'names' text.",
        slug="dataset-npz",
    )
