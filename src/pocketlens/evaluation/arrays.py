"""Data sets in one .npz file: small pictures as an array, and a class number for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketlens.base.errors import DataError
from pocketlens.base.progress import Progress
from pocketlens.evaluation.dataset import Dataset, fingerprint
from pocketlens.images.arrays import bad_npz, load_pictures, picture_of, pixels_sha256
from pocketlens.labels.labels import Label
from pocketlens.labels.match import match

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def from_npz(path: Path, labels: Sequence[Label], *, name: str, progress: Progress) -> Dataset:
    """Keys `images` (n, height, width, 3) uint8 RGB, `labels` (n,) integers, `names` if wanted.

    `names` are matched to the lens's labels; where none of them is known, or there are none,
    the numbers in `labels` are taken as class numbers.
    Raises DataError 'dataset-npz', 'npz-pickled', 'npz-too-large', 'empty-dataset' or
    'unknown-label'; FileError.
    """
    images, arrays = load_pictures(path, ("labels", "names"))
    numbers = _checked(images, arrays, path)
    classes, rule = _classes(numbers, arrays.get("names"), labels, path)
    hashes = []
    for row in range(len(classes)):
        if row % 256 == 0:
            progress("reading the data set", row, len(classes))
        hashes.append(pixels_sha256(images[row]))
    progress("reading the data set", len(classes), len(classes))
    return Dataset(
        name=name,
        rule=rule,
        sha256=fingerprint(zip(hashes, classes, strict=True)),
        classes=classes,
        photo_of=lambda row: picture_of(images[row]),
        name_of=lambda row: f"row {row}",
        photo_sha256=tuple(hashes),
    )


def _checked(
    images: NDArray[np.uint8], arrays: dict[str, NDArray[Any]], path: Path
) -> NDArray[Any]:
    """The class numbers, one a picture."""
    if "labels" not in arrays:
        raise bad_npz(path, "it has no array 'labels'")
    numbers = arrays["labels"]
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
        raise bad_npz(path, f"'labels' is {numbers.dtype} of shape {numbers.shape}")
    if len(numbers) != len(images):
        raise bad_npz(path, f"it has {len(images)} images but {len(numbers)} labels")
    if images.size == 0:
        raise DataError(
            f"'{path}' holds no pictures: 'images' has shape {images.shape}. "
            "Expected at least one.",
            slug="empty-dataset",
        )
    return numbers


def _classes(
    numbers: NDArray[Any], names: NDArray[Any] | None, labels: Sequence[Label], path: Path
) -> tuple[tuple[int, ...], str]:
    rows = [int(number) for number in numbers]
    count = len(labels)
    if names is None:
        classes, rule = tuple(range(count)), "labels taken as class numbers"
    else:
        if names.dtype.kind != "U" or names.ndim != 1:
            raise bad_npz(path, f"'names' is {names.dtype} of shape {names.shape}")
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
