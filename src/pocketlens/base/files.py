"""Files that are never half-written: a temporary sibling, fsync, rename.

The rename is what makes it safe: a reader sees the old file or the new one, whole. The
temporary file is a sibling, because a rename is only atomic inside one file system.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pocketlens.base.errors import FileError, UsageError
from pocketlens.base.unreadable import cannot_read as cannot_read


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary sibling that becomes `path` when the block ends well.

    On any exception, Ctrl-C included, the temporary file is removed and `path` is as it was.
    Raises FileError 'cannot-write' when the folder is missing or read-only, or the disk is full.
    """
    temporary = _sibling(path)
    try:
        _create(temporary, path)
        yield temporary
        _sync(temporary)
        _give_usual_mode(temporary, path)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        _remove(temporary)


@contextlib.contextmanager
def replacing_together(
    paths: Sequence[Path], *, removed: Sequence[Path] = ()
) -> Iterator[dict[Path, Path]]:
    """Yield temporary siblings, by path, that become `paths` when the block ends well.

    Files that belong together are never a mix of old and new: the last path, without which the
    others mean nothing, is taken away before the first of them is replaced and comes back last.

    removed  files of the old ones that the new ones do not have; gone when the new ones come
    Before the first is replaced, all are complete and on the disk; on any exception until then,
    Ctrl-C included, everything is as it was. Raises FileError 'cannot-write'.
    """
    temporaries: dict[Path, Path] = {}
    *others, last = paths
    try:
        for path in paths:
            temporaries[path] = _sibling(path)
            _create(temporaries[path], path)
        yield temporaries
        for path, temporary in temporaries.items():
            _sync(temporary)
            _give_usual_mode(temporary, path)
        if others or removed:
            last.unlink(missing_ok=True)
        for path in removed:
            path.unlink(missing_ok=True)
        for path, temporary in temporaries.items():
            temporary.replace(path)
        for folder in {path.parent for path in paths}:
            _sync_folder(folder)
    except OSError as error:
        raise cannot_write(last, error) from error
    finally:
        for temporary in temporaries.values():
            _remove(temporary)


def _sibling(path: Path) -> Path:
    """A name that nobody has, known before the file is there: Ctrl-C at any time finds it."""
    return path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")


def _create(temporary: Path, path: Path) -> None:
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise cannot_write(path, error) from error


def _remove(temporary: Path) -> None:
    if temporary.exists():  # on a read-only disk, where none was made, unlink would mind
        temporary.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all. Raises FileError 'cannot-write'."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all. Raises FileError 'cannot-write'."""
    write_bytes(path, content.encode("utf-8"))


def beside(source: Path, ending: str) -> Path:
    """Where a result goes when nobody says: the source's name with another ending.

    Raises FileError 'is-a-folder' where the source is none that a file could be named after.
    """
    if not source.name or source.is_dir():
        raise cannot_read(source, IsADirectoryError())
    return source.with_suffix(ending)


def keep_apart(source: Path, out: Path) -> None:
    """Refuse to write a result over what it is made from. Raises UsageError 'out-is-source'."""
    if source.exists() and out.exists() and source.samefile(out):
        raise UsageError(
            f"The result would replace '{source}', which it is made from. Name another place: -o.",
            slug="out-is-source",
        )


def cannot_write(path: Path, error: OSError) -> FileError:
    """Say why `path` could not be written; what was there before is untouched."""
    reason = error.strerror or str(error)
    return FileError(
        f"Cannot write '{path}': {reason}. What was there before is untouched; "
        "choose another place or free some room.",
        slug="cannot-write",
    )


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _give_usual_mode(temporary: Path, path: Path) -> None:
    """Undo its privacy while it was written: a new file gets what open() would have given it."""
    if path.exists():
        mode = path.stat().st_mode & 0o777
    else:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    temporary.chmod(mode)
