"""Which views of a photo can be averaged."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

CROPS = (1, 5, 10)
"""Crops (crops.py): the centre; the corners and the centre; these and their mirror images."""

SLIDE: Final = "slide"
"""In place of a number: every position of the network on the whole photo (sliding.py)."""

CCV10: Final = "ccv10"
"""Five windows of the map of the whole photo and of its mirror image, as ccv classifies (ccv.py):
not the same as ten crops, for within the map a border sees pixels, not padding."""

CCV5: Final = "ccv5"
"""These without the mirror image: ccv's `symmetric` = 0."""

WAYS = (SLIDE, CCV10, CCV5)
"""All that is no number."""

Crops: TypeAlias = int | Literal["slide", "ccv10", "ccv5"]
"""What the averaged views are called everywhere: in Python, on the command line, in receipts."""


def is_crops(value: object) -> bool:
    """Whether it is one of Crops."""
    number = type(value) is int and value in CROPS
    return number or (isinstance(value, str) and value in WAYS)


def views_in_words(crops: Crops) -> str:
    """What was averaged: "10 crops"."""
    if crops == SLIDE:
        return "slid over whole photos"
    if isinstance(crops, str):
        return f"{crops.removeprefix('ccv')} windows as in ccv"
    return f"{crops} crop{'s' if crops != 1 else ''}"


def views_count(crops: Crops) -> int:
    """How many views are averaged; of a slide more than any other."""
    if crops == SLIDE:
        return max(CROPS) + 1
    return int(crops.removeprefix("ccv")) if isinstance(crops, str) else crops
