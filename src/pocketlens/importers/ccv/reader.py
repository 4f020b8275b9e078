"""The door of the importer of ccv's networks. NumPy is not needed to look at it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.base.errors import ModelError, PocketlensError
from pocketlens.importers.ccv.database import HEADER_BYTES, MAGIC, open_database, read_header
from pocketlens.lensfile.schema import APPLICATION_ID

if TYPE_CHECKING:
    from pocketlens.importers.imported import Imported


def read_ccv(path: Path | str, *, planes: Mapping[int, Path] | None = None) -> Imported:
    """Read the network in an SQLite file of ccv's, of March 2014 and since.

    planes   pictures of weights by layer; others are looked for beside the file: layer-10.png
    returns  a network with one input (1, C, H, W) and one output (1, classes), without its softmax;
             with the file's recipe, and palettes where weights are in pictures. ccv's layer n is
             a node, and an array, called by its kind and n: "conv0", "pool1", "norm2", "fc10"
    Raises FileError; UsageError 'ccv-plane-of-none'; ModelError with the slugs of
    docs/errors/importers.md.
    """
    from pocketlens.importers.ccv import network

    return network.read(Path(path), planes=planes)


def is_sqlite(path: Path | str) -> bool:
    """Whether a file begins as SQLite's databases do. Raises FileError."""
    return read_header(Path(path))[0][: len(MAGIC)] == MAGIC


def is_lens(path: Path | str) -> bool:
    """Whether a file begins as a lens does. Raises FileError."""
    return _is_lens(read_header(Path(path))[0])


def is_ccv(path: Path | str) -> bool:
    """Whether a file is an SQLite database, no lens, with a table `layer_params`.

    A damaged one that could be is: its reader says what is wrong. Raises nothing: a file that
    cannot be read is no network of ccv's.
    """
    try:
        header, _ = read_header(Path(path))
        if header[: len(MAGIC)] != MAGIC or len(header) < HEADER_BYTES or _is_lens(header):
            return False
        with open_database(Path(path)):
            return True
    except ModelError as error:
        return error.slug != "not-ccv"
    except PocketlensError:
        return False


def _is_lens(header: bytes) -> bool:
    whole = header[: len(MAGIC)] == MAGIC and len(header) == HEADER_BYTES
    return whole and struct.unpack_from(">I", header, 68)[0] == APPLICATION_ID
