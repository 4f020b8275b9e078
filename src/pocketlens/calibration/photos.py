"""Photos to calibrate with: unlabelled, split by their own bytes, prepared by a recipe.

A photo's part follows from the SHA-256 of its bytes alone: the same photo always lands in the
same part, under whatever name, and a photo that lies there twice counts once. A photo that
cannot be decoded is an error that names it: leaving it out silently would change what "the
first 100 photos" are.

A lens keeps how many photos it was fitted to and a fingerprint of them, no hash of any: enough to
know its own folder again (seen_before), and nothing that tells what is on somebody's photos.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from pocketlens.base.errors import DataError, ImageError, UsageError
from pocketlens.base.files import cannot_read
from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.pixels import read_pixels
from pocketlens.engine.prepare import prepare
from pocketlens.images.decode import open_image
from pocketlens.images.recipe import Recipe

Array = NDArray[np.float32]

SHARES = (3 / 8, 1 / 8, 1 / 2)
"""Of the parts fit, select and report."""

DROP_SHARES = (3 / 8, 3 / 8, 1 / 4)
"""The same where a drop is to be proved, which takes photos to choose on. The part fit is the
same, so that what is fit here is never report there."""

_KEPT_DIGITS = 16

FEWEST = 16
"""Different photos that a calibration needs; with fewer, means say more of the photos than of
the network, and a part may well get none."""

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"}
    | {".jp2", ".avif"}
)


@dataclass(frozen=True)
class Photo:
    """A photo that is not opened yet.

    sha256  of its file's bytes (of its pixels and size, for a row of an array), hex
    name    its path in the folder, or "row 7"
    open    decodes it
    """

    sha256: str
    name: str
    open: Callable[[], Image]


class PhotoSet(Sequence[Array]):
    """Photos as network inputs, float32 (1, C, H, W). Each is prepared when it is asked for.

    Nothing is kept, so memory stays flat. The order is that of the second halves of the hashes:
    the first n are as good as any n, and which they are does not depend on names.
    """

    def __init__(self, photos: Iterable[Photo], recipe: Recipe) -> None:
        self.photos = tuple(photos)
        self.recipe = recipe

    def __len__(self) -> int:
        return len(self.photos)

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> PhotoSet: ...
    def __getitem__(self, index: int | slice) -> Array | PhotoSet:
        """One photo's input, or a set of some. Raises ImageError, FileError."""
        if isinstance(index, slice):
            return PhotoSet(self.photos[index], self.recipe)
        values = np.frombuffer(prepare(self.photos[index].open(), self.recipe), np.float32)
        recipe = self.recipe
        return values.reshape(1, recipe.channel_count, recipe.height, recipe.width)

    def only(self, numbers: Iterable[int]) -> PhotoSet:
        """A set of the photos of those numbers."""
        return PhotoSet([self.photos[number] for number in numbers], self.recipe)

    @property
    def sha256(self) -> str:
        """Fingerprint: SHA-256 over the sorted hashes, a line each, hex."""
        return _fingerprint(photo.sha256 for photo in self.photos)


@dataclass(frozen=True)
class PhotoParts:
    """Photos in three parts that share none.

    fit         statistics are taken of these
    select      choices are made on these
    report      results are told of these, and nothing is chosen by them
    duplicates  photos that were there again, and left aside
    """

    fit: PhotoSet
    select: PhotoSet
    report: PhotoSet
    duplicates: int

    def told(self, *, chosen: bool) -> dict[str, Any]:
        """What a lens keeps of them, see seen_before().

        chosen  whether anything was chosen by the part select
        """
        fit = {"fit_photos": len(self.fit), "fit_sha256": self.fit.sha256[:_KEPT_DIGITS]}
        return {**fit, "select_photos": len(self.select)} if chosen else fit


def open_photos(
    path: Path,
    recipe: Recipe,
    *,
    shares: tuple[float, float, float] = SHARES,
    limit: int | None = None,
    fit_limit: int | None = None,
    progress: Progress = silent,
) -> PhotoParts:
    """Find, hash, split and look at the photos of a folder or an array.

    path    a folder, with all picture files below it, or an .npz with `images` (n, height,
            width, 3) uint8 RGB; labels are not looked at
    recipe  how a photo becomes the network's input
    shares  of fit, select and report; a part with share 0 stays empty
    limit   most photos used, all parts together; which ones follows from their hashes
    fit_limit  most of the part fit; what is beyond serves the part select
    Every photo that is used is decoded once to see that it can be. Raises DataError
    'calibration-empty', 'calibration-few', 'calibration-not-photos', 'dataset-npz',
    'npz-pickled' or 'npz-too-large'; UsageError 'bad-shares'; ImageError; FileError.
    """
    _check_shares(shares, limit)
    found = _read(path, progress)
    different = {photo.sha256: photo for photo in reversed(found)}
    chosen = sorted(different.values(), key=lambda photo: _order(photo.sha256))[:limit]
    if len(chosen) < FEWEST:
        raise _few(path, f"{len(chosen)} different photos are to be used")
    parts: tuple[list[Photo], ...] = ([], [], [])
    for photo in chosen:
        parts[_part(photo.sha256, shares)].append(photo)
    for name, part, share in zip(("fit", "select", "report"), parts, shares, strict=True):
        if share > 0 and not part:
            raise _few(path, f"none of {len(chosen)} different photos fell to the part '{name}'")
    if fit_limit is not None:
        parts[1].extend(parts[0][fit_limit:])
        parts[1].sort(key=lambda photo: _order(photo.sha256))
        del parts[0][fit_limit:]
    fit, select, report = (PhotoSet(part, recipe) for part in parts)
    _look_at(PhotoSet(chosen, recipe), progress)
    return PhotoParts(fit, select, report, len(found) - len(different))


def seen_before(sha256: Iterable[str], told: Mapping[str, Any]) -> tuple[int, int]:
    """How many photos of a data set a lens was fitted to, and how many it was chosen by.

    sha256  hash of each photo of the data set
    told    what the lens keeps: PhotoParts.told()
    returns (0, 0) also where it cannot be known: the data set has to be the very folder, or hold
            the same photos of the part fit
    """
    count, fingerprint = told.get("fit_photos"), told.get("fit_sha256")
    chosen_by = told.get("select_photos", 0)
    if not (isinstance(count, int) and isinstance(fingerprint, str) and isinstance(chosen_by, int)):
        return 0, 0
    fit = sorted({one for one in sha256 if _part(one, SHARES) == 0}, key=_order)[:count]
    if not count or len(fit) < count or _fingerprint(fit)[:_KEPT_DIGITS] != fingerprint:
        return 0, 0
    return count, chosen_by


def _fingerprint(sha256: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(sha256)).encode()).hexdigest()


def _order(sha256: str) -> tuple[str, str]:
    """Of photos: by the half of the hash that their part does not follow from."""
    return sha256[32:], sha256


def _check_shares(shares: tuple[float, float, float], limit: int | None) -> None:
    if min(shares) < 0 or shares[0] <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise UsageError(
            f"The shares of fit, select and report are {shares}; expected three numbers from 0 "
            "to 1 that sum to 1, the first above 0.",
            slug="bad-shares",
        )
    if limit is not None and limit < FEWEST:
        raise UsageError(
            f"At most {limit} photos are to be used; calibration needs {FEWEST} or more.",
            slug="bad-shares",
        )


def _part(sha256: str, shares: tuple[float, float, float]) -> int:
    """0, 1 or 2 by where the first 32 bits of a hash stand between 0 and 1."""
    place = int(sha256[:8], 16) / 2**32
    return 0 if place < shares[0] else 1 if place < shares[0] + shares[1] else 2


def _read(path: Path, progress: Progress) -> list[Photo]:
    """Every photo, hashed. Raises where there is none."""
    if path.is_file():
        if path.suffix.lower() != ".npz":
            raise DataError(
                f"'{path}' is one file; calibration takes a folder of photos or an .npz with "
                "'images'.",
                slug="calibration-not-photos",
            )
        photos = [Photo(*row) for row in read_pixels(path)]
    else:
        photos = _below(path, progress)
    if not photos:
        raise DataError(
            f"'{path}' holds no photo. Expected picture files (.jpg, .png, ...) in it or in its "
            "folders, some hundred if you can.",
            slug="calibration-empty",
        )
    return photos


def _below(folder: Path, progress: Progress) -> list[Photo]:
    """All picture files below a folder, sorted by path; what is hidden is left aside."""

    def fail(error: OSError) -> None:
        raise cannot_read(Path(error.filename or folder), error)

    files: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [
            Path(place, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES
        ]
    photos = []
    for number, file in enumerate(sorted(files)):
        progress("reading photos", number, len(files))
        photos.append(_photo(file, file.relative_to(folder).as_posix()))
    progress("reading photos", len(files), len(files))
    return photos


def _photo(file: Path, name: str) -> Photo:
    try:
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise cannot_read(file, error) from error
    return Photo(sha256, name, lambda: open_image(file))


def _look_at(photos: PhotoSet, progress: Progress) -> None:
    """Prepare each photo once, so that damaged ones are told now, all together."""
    bad: list[tuple[str, ImageError]] = []
    for number in range(len(photos)):
        progress("looking at photos", number, len(photos))
        try:
            _ = photos[number]
        except ImageError as error:
            bad.append((photos.photos[number].name, error))
    progress("looking at photos", len(photos), len(photos))
    if len(bad) == 1:
        raise bad[0][1]
    if bad:
        names = ", ".join(f"'{name}'" for name, _ in sorted(bad, key=lambda pair: pair[0])[:3])
        raise ImageError(
            f"{len(bad)} of {len(photos)} photos cannot be used, among them {names}. "
            f"{bad[0][1].sentence} Take them out of the folder, or mend them.",
            slug="photos-damaged",
        )


def _few(path: Path, seen: str) -> DataError:
    return DataError(
        f"'{path}' has too few photos: {seen}; expected {FEWEST} or more, and some in every "
        "part. Add photos, or compress without any.",
        slug="calibration-few",
    )
