"""Where the lens that comes with the package is."""

from __future__ import annotations

from pathlib import Path

BUNDLED_LENS = Path(__file__).parent / "lenses" / "tiny-imagenet-200.lens"
"""A classifier of 200 kinds of things, trained by this project on Tiny ImageNet."""


def bundled() -> Path:
    """The lens file that comes with the package: 200 kinds of things, from Tiny ImageNet."""
    return BUNDLED_LENS
