"""The ledger of a sweep: one JSON line for everything that was measured, added as it comes.

Lines are only ever appended, each flushed to the disk, so that a killed sweep goes on where it
was: a last line without its end is what a kill leaves, and is measured again. Lines hold raw
answers; every rate in a table follows from them (table.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pocketlens.base.errors import DataError
from pocketlens.base.files import cannot_read, cannot_write
from pocketlens.evaluation.accuracy import Measurement
from pocketlens.sweep.points import LeftOut

LEDGER = "ledger.jsonl"


@dataclass(frozen=True)
class Entry:
    """One point, measured.

    key              SHA-256 of all that it depends on, hex
    name             of the point, for people
    settings         of the compression, as its JSON says
    model            file name of the original, and its SHA-256
    lens             file name in the folder, and its SHA-256
    file_bytes       of the lens
    uncrushed_bytes  what the lens would have without the PNG optimiser
    memory           of the engine: weights, packed, arena, scratch, bytes
    recipe_sha256    of the recipe, see bench.recipe_sha256
    order_sha256     of the photos' names in their order, by which answers are paired
    engine, version  what measured
    measurement      raw answers
    """

    key: str
    name: str
    settings: Mapping[str, Any]
    model: str
    model_sha256: str
    lens: str
    lens_sha256: str
    file_bytes: int
    uncrushed_bytes: int
    memory: Mapping[str, int]
    recipe_sha256: str
    order_sha256: str
    engine: str
    version: str
    measurement: Measurement


@dataclass(frozen=True)
class Timing:
    """How long one image takes: the least of `repeats` rounds taken in turn with the others."""

    key: str
    milliseconds: float
    repeats: int


class Ledger:
    """What a folder's ledger says, and its pen."""

    def __init__(self, folder: Path) -> None:
        """Read the ledger of a folder; an absent one is empty.

        Raises DataError 'ledger-damaged', FileError.
        """
        self.path = folder / LEDGER
        self.entries: dict[str, Entry] = {}
        self.timings: dict[str, Timing] = {}
        self.left_out: dict[str, list[LeftOut]] = {}
        for number, line in enumerate(_lines(self.path), 1):
            self._take(line, number)

    def start(self) -> None:
        """Make sure that it can be written, and cut off a line that a kill left unfinished.

        Raises FileError 'cannot-write'.
        """
        try:
            with self.path.open("ab") as file:
                file.truncate(sum(len(line) + 1 for line in _lines(self.path)))
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def add(self, entry: Entry) -> None:
        """Append a point. Raises FileError 'cannot-write'."""
        self.entries[entry.key] = entry
        self._append({"kind": "point", **asdict(entry)})

    def add_timing(self, timing: Timing) -> None:
        """Append a time; a later one of the same key counts. Raises FileError 'cannot-write'."""
        self.timings[timing.key] = timing
        self._append({"kind": "time", **asdict(timing)})

    def add_left_out(self, model_sha256: str, row: LeftOut) -> None:
        """Append why a row is not there, once. Raises FileError 'cannot-write'."""
        rows = self.left_out.setdefault(model_sha256, [])
        if row not in rows:
            rows.append(row)
            self._append({"kind": "left-out", "model_sha256": model_sha256, **asdict(row)})

    def _append(self, row: Mapping[str, Any]) -> None:
        try:
            with self.path.open("ab") as file:
                file.write(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _take(self, line: bytes, number: int) -> None:
        try:
            row = json.loads(line)
            kind = row.pop("kind")
            if kind == "point":
                entry = _entry(row)
                self.entries[entry.key] = entry
            elif kind == "time":
                timing = Timing(str(row["key"]), float(row["milliseconds"]), int(row["repeats"]))
                self.timings[timing.key] = timing
            elif kind == "left-out":
                rows = self.left_out.setdefault(str(row["model_sha256"]), [])
                rows.append(LeftOut(str(row["name"]), str(row["reason"])))
            else:
                raise ValueError(f"kind {kind!r}")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"Line {number} of the ledger '{self.path}' is damaged ({error}). Delete that "
                "line, and the sweep measures it again; or choose another folder.",
                slug="ledger-damaged",
            ) from error


def _entry(row: dict[str, Any]) -> Entry:
    """An entry from its JSON; ValueError, TypeError or KeyError where it is not one."""
    told = row.pop("measurement")
    measurement = Measurement(
        dataset=str(told["dataset"]),
        dataset_sha256=str(told["dataset_sha256"]),
        class_count=int(told["class_count"]),
        truth=tuple(map(int, told["truth"])),
        answers=tuple(map(int, told["answers"])),
        ranks=tuple(map(int, told["ranks"])),
    )
    if not 0 < measurement.n == len(measurement.answers) == len(measurement.ranks):
        raise ValueError("its answers are not one a photo")
    entry = Entry(**row, measurement=measurement)
    if not isinstance(entry.settings, dict) or not isinstance(entry.memory, dict):
        raise ValueError("settings or memory is not a table")
    if not all(type(size) is int for size in (entry.file_bytes, entry.uncrushed_bytes)):
        raise ValueError("a size is not a whole number")
    return entry


def _lines(path: Path) -> list[bytes]:
    """Finished lines, without their ends."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise cannot_read(path, error) from error
    return content.split(b"\n")[:-1]
