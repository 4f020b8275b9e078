"""What photos do to a network, looked at once for all points by rate and distortion.

The statistics lie in a hidden folder of the sweep while it runs, one .npy an array, and every
process maps them: however many there are, they are in memory once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens.base.errors import FileError
from pocketlens.base.files import cannot_write
from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.compression.about import About
from pocketlens.compression.price import Price
from pocketlens.compression.priced import look
from pocketlens.importers.imported import Imported
from pocketlens.sweep.points import Point

PREFIX = ".seen-"
_INDEX = "index.json"


def sight_of(price: Price) -> str:
    """Name of the folder of what a price's photos do: the same for any budget on them."""
    looked = (str(price.photos), price.photo_limit, price.seed, price.drop_points is not None)
    return PREFIX + hashlib.sha256(repr(looked).encode()).hexdigest()[:16]


def write_sights(
    folder: Path,
    points: Sequence[Point],
    imported: Imported,
    about: About,
    *,
    threads: int,
    progress: Progress = silent,
) -> None:
    """Look at the photos of all points, at each set once. Raises what look() does; FileError."""
    prices = {sight_of(point.price): point.price for point in points if point.price is not None}
    for name, price in prices.items():
        with_threads = dataclasses.replace(price, threads=threads)
        known = look(imported, price=with_threads, about=about, progress=progress)
        shutil.rmtree(folder / name, ignore_errors=True)
        try:
            _write(folder / name, known)
        except OSError as error:
            raise cannot_write(folder / name, error) from error


def remove_sights(folder: Path, points: Sequence[Point]) -> None:
    """Take away what write_sights() wrote."""
    for point in points:
        if point.price is not None:
            shutil.rmtree(folder / sight_of(point.price), ignore_errors=True)


def read_sight(folder: Path, price: Price) -> dict[str, LayerStatistics]:
    """What write_sights() wrote for a price; arrays are mapped, read-only. Raises FileError."""
    place = folder / sight_of(price)
    try:
        index = json.loads((place / _INDEX).read_text(encoding="utf-8"))
        return {
            name: LayerStatistics(
                **plain,
                **{field: _mapped(place / file) for field, file in arrays.items()},
            )
            for name, (plain, arrays) in index.items()
        }
    except (OSError, ValueError, TypeError) as error:
        raise FileError(
            f"What the photos do to the network is gone from '{place}' ({error}). Leave a sweep's "
            "folder alone while it runs, and run the sweep again.",
            slug="sights-gone",
        ) from error


def _mapped(file: Path) -> Any:
    return np.load(file, mmap_mode="r", allow_pickle=False)


def _write(place: Path, known: Mapping[str, LayerStatistics]) -> None:
    place.mkdir()
    index: dict[str, tuple[dict[str, Any], dict[str, str]]] = {}
    for number, (name, layer) in enumerate(known.items()):
        plain: dict[str, Any] = {}
        arrays: dict[str, str] = {}
        for field in dataclasses.fields(layer):
            value = getattr(layer, field.name)
            if isinstance(value, np.ndarray):
                arrays[field.name] = f"{number}-{field.name}.npy"
                np.save(place / arrays[field.name], value)
            else:
                plain[field.name] = value
        index[name] = plain, arrays
    (place / _INDEX).write_text(json.dumps(index), encoding="utf-8")
