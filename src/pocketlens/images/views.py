"""Which views of a photo can be averaged."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

CROPS = (1, 5, 10)
"""Crops (crops.py): the centre; the corners and the centre; these and their mirror images."""

SLIDE: Final = "slide"
"""In place of a number: every position of the network on the whole photo (sliding.py)."""

Crops: TypeAlias = int | Literal["slide"]
