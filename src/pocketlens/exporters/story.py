"""A lens file into the files of another program."""

from __future__ import annotations

from pathlib import Path

from pocketlens.base.errors import UsageError
from pocketlens.base.progress import Progress, silent
from pocketlens.exporters.ccv.writer import Written, export_ccv
from pocketlens.lensfile.reader import read_lens

FORMATS = ("ccv",)
"""What a lens can be converted to."""


def convert_lens(
    lens: Path, folder: Path, *, to: str, name: str | None = None, progress: Progress = silent
) -> Written:
    """Write a lens file as the files of another program.

    folder  made where it is missing
    to      one of FORMATS
    name    of the files; None: the lens file's, without its ending
    Raises UsageError 'unknown-format'; LensFileError, and what export_ccv() raises.
    """
    if to not in FORMATS:
        raise UsageError(
            f"A lens cannot be converted to '{to}'; known is {', '.join(FORMATS)}.",
            slug="unknown-format",
        )
    contents = read_lens(lens)
    return export_ccv(contents, folder, name=name or lens.stem, progress=progress)
