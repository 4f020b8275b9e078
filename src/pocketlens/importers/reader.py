"""The door of all importers: which one reads a model is told by the file's first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pocketlens.base.errors import ModelError, UsageError
from pocketlens.importers.ccv.reader import is_lens, is_sqlite, read_ccv
from pocketlens.importers.imported import Imported
from pocketlens.importers.onnx.reader import read_onnx


def read_model(path: Path | str, *, planes: Mapping[int, Path] | None = None) -> Imported:
    """Read the classifier in an ONNX file, or in an SQLite file of ccv's.

    planes  pictures of weights by layer, of a network of ccv's: see read_ccv()
    The onnx package is not needed for a network of ccv's. Raises FileError; UsageError
    'planes-of-onnx'; ModelError 'is-a-lens'; and what read_onnx() and read_ccv() raise.
    """
    if is_lens(path):
        raise ModelError(
            f"'{path}' is a lens already. Give the model that it was made from.", slug="is-a-lens"
        )
    if is_sqlite(path):
        return read_ccv(path, planes=planes)
    if planes:
        raise UsageError(
            f"Pictures of weights are given for '{path}', which is no network of ccv's: only "
            "those have some. Leave --plane out.",
            slug="planes-of-onnx",
        )
    return read_onnx(path)
