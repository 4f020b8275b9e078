"""Pocketlens: make a trained image classifier fit in a pocket.

    import pocketlens

    pocketlens.compress("model.onnx", "model.lens", bits=4)
    with pocketlens.open("model.lens") as lens:
        for answer in lens.classify("photo.jpg"):
            print(answer.label.name, answer.confidence)

This module is the one public door; everything else is private by custom and may change. Names are
loaded when they are first used, so that `import pocketlens` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pocketlens._version import __version__

if TYPE_CHECKING:
    from pocketlens._bundled import bundled
    from pocketlens._door import compress, convert, evaluate
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
    from pocketlens.classify.lens import open_lens as open  # noqa: A004 - the door's own word

_PLACES = {
    "Answer": "pocketlens.classify.lens",
    "Lens": "pocketlens.classify.lens",
    "open": "pocketlens.classify.lens:open_lens",
    "bundled": "pocketlens._bundled",
    "compress": "pocketlens._door",
    "convert": "pocketlens._door",
    "evaluate": "pocketlens._door",
    "DataError": "pocketlens.base.errors",
    "EngineError": "pocketlens.base.errors",
    "FileError": "pocketlens.base.errors",
    "ImageError": "pocketlens.base.errors",
    "LensFileError": "pocketlens.base.errors",
    "MissingExtraError": "pocketlens.base.errors",
    "ModelError": "pocketlens.base.errors",
    "PocketlensError": "pocketlens.base.errors",
    "UsageError": "pocketlens.base.errors",
}

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
    "convert",
    "evaluate",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'pocketlens' has no attribute '{name}'")
    module, _, other_name = _PLACES[name].partition(":")
    value = getattr(importlib.import_module(module), other_name or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
