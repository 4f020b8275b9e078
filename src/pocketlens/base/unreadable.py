"""Why a file could not be read, as a sentence.

Apart from files.py, which writes: opening a lens shall not pay for it.
"""

from __future__ import annotations

from pathlib import Path

from pocketlens.base.errors import FileError


def cannot_read(path: Path, error: OSError) -> FileError:
    """Say why `path` could not be read."""
    if isinstance(error, FileNotFoundError):
        return FileError(f"There is no file '{path}'. Check the name.", slug="no-such-file")
    if isinstance(error, IsADirectoryError):
        return FileError(f"'{path}' is a folder, not a file.", slug="is-a-folder")
    return FileError(f"Cannot read '{path}': {error.strerror or error}.", slug="cannot-read")
