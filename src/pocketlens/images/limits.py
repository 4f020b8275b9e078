"""How large a picture a resize may make."""

from __future__ import annotations

from pocketlens.base.errors import ImageError

MAX_RESIZED_PIXELS = 1 << 26
"""The largest picture that a resize may make: 256 MiB. Only a sliver of a photo exceeds it."""

MAX_FORMED_PIXELS = 1 << 24
"""The same for the floats that ccv resizes to (ccv.py): 192 MiB."""


def too_narrow(
    width: int, height: int, *, pixels: int, most: int = MAX_RESIZED_PIXELS
) -> ImageError:
    """Why a photo cannot be resized as its recipe says: it would have so many pixels."""
    return ImageError(
        f"A picture of {width:,} x {height:,} is too narrow: resized as the recipe "
        f"says it would have {pixels:,} pixels, more than {most:,}. Cut out the "
        "part that matters.",
        slug="image-too-narrow",
    )
