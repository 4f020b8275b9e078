"""Small rules that contents of a lens share: texts that can be shown, numbers that count."""

from __future__ import annotations

import math
import unicodedata

from pocketlens.base.errors import LensFileError

MOST_AXES = 6
MOST_SIZE = 2**31 - 1
"""Of an axis, and of all numbers of a tensor."""
MOST_CLASSES = 2**18
MOST_PATH = 64
"""Hypernyms above a label; WordNet is less than 20 deep."""
MOST_WORD_BYTES = 4_096
MOST_TEXT_BYTES = 1_000_000


def check_word(what: str, text: str, *, empty: bool = False) -> None:
    """A name: one line, at most 4,096 bytes of UTF-8. Raises LensFileError 'lens-text'."""
    if _bytes(what, text) > MOST_WORD_BYTES:
        raise _bad(what, f"has more than {MOST_WORD_BYTES:,} bytes")
    if not text and not empty:
        raise _bad(what, "is empty")
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise _bad(what, f"is {text!r:.80}, with control characters, which a terminal may obey")


def check_text(what: str, text: str) -> None:
    """Lines of text, at most 1,000,000 bytes of UTF-8. Raises LensFileError 'lens-text'."""
    if _bytes(what, text) > MOST_TEXT_BYTES:
        raise _bad(what, f"has more than {MOST_TEXT_BYTES:,} bytes")
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\r\t\f" for letter in text):
        raise _bad(what, "has control characters, which a terminal may obey")


def product(shape: tuple[int, ...]) -> int | None:
    """How many numbers an array of that shape holds; None where no array has it."""
    if len(shape) > MOST_AXES or not all(is_whole(size, 1, MOST_SIZE) for size in shape):
        return None
    return math.prod(shape)


def is_whole(value: object, least: int, most: int) -> bool:
    """Whether `value` is an int (no bool) from `least` to `most`."""
    return type(value) is int and least <= value <= most


def is_real(value: object) -> bool:
    """Whether `value` is a finite number that a float64 holds."""
    if type(value) is int:
        return abs(value) <= 2**53
    return type(value) is float and math.isfinite(value)


def _bytes(what: str, text: str) -> int:
    if not isinstance(text, str):
        raise _bad(what, f"is a {type(text).__name__}, not text")
    try:
        return len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise _bad(what, "has half a character (a lone surrogate)") from None


def _bad(what: str, why: str) -> LensFileError:
    return LensFileError(f"{what} {why}. Choose another text.", slug="lens-text")
