"""Every way Pocketlens says no, on one screen.

    PocketlensError                 anything below; `except PocketlensError` is enough
    ├── UsageError                  the call's own arguments do not fit together
    ├── MissingExtraError           an optional part is not installed; says how to install it
    ├── FileError                   a file cannot be read or written (missing, read-only, disk full)
    ├── ImageError                  a picture that cannot be decoded, or is too large or too small
    ├── ModelError                  a foreign model that cannot be imported (operator, shape, NaN)
    ├── LensFileError               a lens that is damaged, foreign, hostile or too new
    ├── DataError                   a data set whose pictures and labels do not fit together
    └── EngineError                 the core refuses a plan, a target or an input

An error is a sentence: what, where, seen, expected, cure. Its slug names the paragraph of
docs/errors/ that explains it, and is shown in brackets: `... Compress it again. [lens-truncated]`.
"""

from __future__ import annotations

from typing import Any


class PocketlensError(Exception):
    """A sentence for the user, and a slug that names its explanation in docs/errors/."""

    def __init__(self, sentence: str, *, slug: str) -> None:
        super().__init__(f"{sentence} [{slug}]")
        self.sentence = sentence
        self.slug = slug

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross to other processes with all they say."""
        return _rebuilt, (type(self), self.sentence, self.slug)


def _rebuilt(kind: type[PocketlensError], sentence: str, slug: str) -> PocketlensError:
    error = kind.__new__(kind)
    PocketlensError.__init__(error, sentence, slug=slug)
    return error


class UsageError(PocketlensError):
    """The call's own arguments do not fit together."""


class MissingExtraError(PocketlensError):
    """An optional part is not installed; the sentence says how to install it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the '{extra}' extra: pip install \"pocketlens[{extra}]\"",
            slug="missing-extra",
        )


class FileError(PocketlensError):
    """A file cannot be read or written: missing, read-only, disk full."""


class ImageError(PocketlensError):
    """A picture that cannot be decoded, or is too large or too small."""


class ModelError(PocketlensError):
    """A foreign model that cannot be imported: operator, shape, NaN."""


class LensFileError(PocketlensError):
    """A lens that is damaged, foreign, hostile or too new."""


class DataError(PocketlensError):
    """A data set whose pictures and labels do not fit together."""


class EngineError(PocketlensError):
    """The core refuses a plan, a target or an input."""
