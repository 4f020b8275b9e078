"""Pocketlens: make a trained image classifier fit in a pocket.

    import pocketlens

    pocketlens.compress("model.onnx", "model.lens", bits=4)
    with pocketlens.open("model.lens") as lens:
        for answer in lens.classify("photo.jpg"):
            print(answer.label.name, answer.confidence)

This module is the one public door; everything else is private by custom and may change.
"""

from __future__ import annotations

from pocketlens._door import bundled, compress, evaluate
from pocketlens._door import open_lens as open  # noqa: A004 - pocketlens.open is the door's name
from pocketlens._version import __version__
from pocketlens.base.errors import (
    DataError,
    EngineError,
    FileError,
    ImageError,
    LensFileError,
    MissingExtraError,
    ModelError,
    PocketlensError,
    UsageError,
)
from pocketlens.classify.lens import Answer, Lens

__all__ = [
    "Answer",
    "DataError",
    "EngineError",
    "FileError",
    "ImageError",
    "Lens",
    "LensFileError",
    "MissingExtraError",
    "ModelError",
    "PocketlensError",
    "UsageError",
    "__version__",
    "bundled",
    "compress",
    "evaluate",
    "open",
]
