"""What a file holds as a lens: a lens file's own contents, or a network of ccv's as it is.

Reading a lens does not pay for this: NumPy and the importer are loaded where the file is ccv's.
"""

from __future__ import annotations

from pathlib import Path

from pocketlens.importers.ccv.reader import is_ccv, read_ccv
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens


def read_contents(path: Path, *, pixels: bool = True) -> LensContents:
    """Read a lens, or a network of ccv's, which says itself how photos become its input.

    pixels  as read_lens() takes it
    Raises what read_lens() and read_ccv() raise.
    """
    if not is_ccv(path):
        return read_lens(path, pixels=pixels)
    from pocketlens.importers.records import as_lens

    return as_lens(read_ccv(path))
