"""Makes lenses that no honest writer makes: unchecked contents, altered rows, altered bytes."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Callable
from pathlib import Path

from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.lensfile.image import build_image
from pocketlens.lensfile.rows import to_rows
from pocketlens.lensfile.schema import Rows


def forge(path: Path, contents: LensContents) -> Path:
    """Write contents that nobody checked, properly sealed."""
    path.write_bytes(build_image(to_rows(contents)))
    return path


def forge_rows(path: Path, contents: LensContents, change: Callable[[Rows], None]) -> Path:
    """Write rows after `change` did something to them, properly sealed."""
    rows = to_rows(contents)
    change(rows)
    path.write_bytes(build_image(rows))
    return path


def forge_sql(path: Path, contents: LensContents, *statements: str) -> Path:
    """Run SQL on a lens, as an attacker or an SQLite browser would."""
    forge(path, contents)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
    return path


def with_tensor(contents: LensContents, number: int, **changes: object) -> LensContents:
    """The contents with fields of one tensor replaced."""
    tensors = list(contents.tensors)
    tensors[number] = dataclasses.replace(tensors[number], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(contents, tensors=tuple(tensors))


def with_plane(contents: LensContents, number: int, **changes: object) -> LensContents:
    """The contents with fields of one tensor's plane replaced."""
    plane = contents.tensors[number].plane
    assert plane is not None
    changed = dataclasses.replace(plane, **changes)  # type: ignore[arg-type]
    return with_tensor(contents, number, plane=changed)


def with_tensors(contents: LensContents, *tensors: TensorRecord) -> LensContents:
    """The contents with other tensors."""
    return dataclasses.replace(contents, tensors=tensors)
