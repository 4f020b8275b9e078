"""A lens file into the files of another program."""

from __future__ import annotations

from pathlib import Path

from pocketlens.base.errors import UsageError
from pocketlens.base.files import keep_apart
from pocketlens.base.progress import Progress, silent
from pocketlens.exporters.ccv.writer import Written, database_path, export_ccv
from pocketlens.importers.contents import read_contents

FORMATS = ("ccv",)
"""What a lens can be converted to."""


def convert_lens(
    lens: Path, folder: Path, *, to: str, name: str | None = None, progress: Progress = silent
) -> Written:
    """Write a lens file as the files of another program.

    lens    a lens, or a network of ccv's: it comes out in this house's order
    folder  made where it is missing
    to      one of FORMATS
    name    of the files; None: the lens file's, without its ending
    Raises UsageError 'unknown-format', 'out-is-source'; what read_contents() and export_ccv().
    """
    if to not in FORMATS:
        raise UsageError(
            f"A lens cannot be converted to '{to}'; known is {', '.join(FORMATS)}.",
            slug="unknown-format",
        )
    contents = read_contents(lens)
    stem = name or lens.stem
    keep_apart(lens, database_path(folder, stem))
    return export_ccv(contents, folder, name=stem, progress=progress)
