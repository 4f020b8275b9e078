"""What a file holds as a lens: a lens file's own contents, or a network of ccv's as it is.

Reading a lens does not pay for this: the importer and NumPy are loaded where the file is no lens.
"""

from __future__ import annotations

from pathlib import Path

from pocketlens.base.errors import LensFileError
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens


def read_contents(path: Path, *, pixels: bool = True) -> LensContents:
    """Read a lens, or a network of ccv's, which says itself how photos become its input.

    pixels  as read_lens() takes it
    Raises what read_lens() and read_ccv() raise.
    """
    try:
        return read_lens(path, pixels=pixels)
    except LensFileError as error:
        if error.slug != "lens-foreign":
            raise
        from pocketlens.importers.ccv.reader import is_ccv, read_ccv

        if not is_ccv(path):
            raise
    from pocketlens.importers.records import as_lens

    return as_lens(read_ccv(path))
