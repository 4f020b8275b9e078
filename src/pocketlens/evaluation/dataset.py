"""A data set as a value: photos by number, the class of each, and a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from PIL.Image import Image

from pocketlens.images.ccv_decode import open_as_ccv


@dataclass(frozen=True)
class Dataset:
    """Photos and their classes.

    name      for people
    rule      how the classes were found, for people: "folders matched by WordNet id"
    sha256    fingerprint, see `fingerprint`
    classes   class number of each photo
    photo_of  photo by number, decoded: mode "RGB". Nothing is kept, so that memory stays flat;
              may be called from several threads. Raises FileError, ImageError.
    name_of   what to call a photo: its path in the set, or its row
    photo_sha256  SHA-256 of each photo's file (of its pixels, for a row of an array), hex: the
              same that calibration knows it by; empty where nobody hashed them
    file_of   file of a photo by number; None where photos are no files
    """

    name: str
    rule: str
    sha256: str
    classes: tuple[int, ...]
    photo_of: Callable[[int], Image]
    name_of: Callable[[int], str]
    photo_sha256: tuple[str, ...] = ()
    file_of: Callable[[int], Path] | None = None

    def __len__(self) -> int:
        return len(self.classes)

    def decoded_as_ccv(self) -> Dataset:
        """The same photos, their files decoded as ccv does (images/ccv_decode.py)."""
        file_of = self.file_of
        if file_of is None:
            return self
        return replace(self, photo_of=lambda number: open_as_ccv(file_of(number)))


def fingerprint(pairs: Iterable[tuple[str, int]]) -> str:
    """SHA-256 of the sorted (SHA-256 of the photo, class number) pairs, hex.

    The same photos with the same classes give the same fingerprint, whatever the files are
    called and however the set is laid out. Each pair is hashed as a line "<hex> <class>".
    """
    digest = hashlib.sha256()
    for photo, number in sorted(pairs):
        digest.update(f"{photo} {number}\n".encode())
    return digest.hexdigest()
