"""Every photo decoded once: its view in the network's size, side by side in one file.

All points of a sweep have the same recipe, so the view of a photo serves all of them, and
processes share the file's pages. It is 3 bytes a pixel: 77 MB for 500 photos of 227 x 227. A
recipe of the kind "ccv" makes no bytes and subtracts each photo's own part of the mean picture, so
that its photos are kept as inputs, 12 bytes a pixel.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pocketlens.base.files import cannot_read, replacing
from pocketlens.base.progress import Progress, silent
from pocketlens.engine.prepare import normalize, prepare
from pocketlens.evaluation.dataset import Dataset
from pocketlens.images.crops import crop_views
from pocketlens.images.recipe import Recipe

_AT_ONCE = 64


@dataclass(frozen=True)
class Views:
    """Where the views are and what one looks like.

    path           of the file
    mode           "RGB" or "L", as Pillow names it; "F": inputs, channel below channel
    width, height  pixels
    """

    path: Path
    mode: str
    width: int
    height: int

    @property
    def view_bytes(self) -> int:
        """Bytes of one view."""
        return (4 if self.mode == "F" else len(self.mode)) * self.width * self.height

    def opened(self) -> Callable[[int], Image.Image]:
        """A function from a photo's number to its view. Raises FileError."""
        try:
            with self.path.open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise cannot_read(self.path, error) from error
        size, view_bytes = (self.width, self.height), self.view_bytes
        return lambda number: Image.frombytes(
            self.mode, size, data[number * view_bytes : (number + 1) * view_bytes]
        )


def views_at(path: Path, recipe: Recipe) -> Views:
    """What the file at `path` holds for that recipe, or will hold."""
    if recipe.resize == "ccv":
        return Views(path, "F", recipe.width, recipe.height * recipe.channel_count)
    mode = "L" if recipe.channels == "gray" else "RGB"
    return Views(path, mode, recipe.width, recipe.height)


def input_of(view: Image.Image, recipe: Recipe) -> bytes:
    """What the network gets for a view: float32, (channels, height, width)."""
    if view.mode == "F":
        pixels: bytes = view.tobytes()
        return pixels
    return normalize(view, recipe)


def write_views(
    views: Views,
    dataset: Dataset,
    recipe: Recipe,
    *,
    threads: int = 1,
    progress: Progress = silent,
) -> None:
    """Decode, resize and crop every photo, whole file or none.

    A file of the right size that is there already is kept: it can only be whole, and its name
    says what is in it. Raises FileError, ImageError.
    """
    if views.path.is_file() and views.path.stat().st_size == views.view_bytes * len(dataset):
        return

    def view_of(number: int) -> bytes:
        photo = dataset.photo_of(number)
        if views.mode == "F":
            return prepare(photo, recipe)
        (view,) = crop_views(photo, recipe)
        pixels: bytes = view.tobytes()
        return pixels

    with replacing(views.path) as temporary, temporary.open("wb") as file:
        with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
            for start in range(0, len(dataset), _AT_ONCE):
                progress("decoding photos", start, len(dataset))
                numbers = range(start, min(start + _AT_ONCE, len(dataset)))
                file.writelines(pool.map(view_of, numbers))
        progress("decoding photos", len(dataset), len(dataset))
