"""Fills a template and inlines its pictures. jinja2 comes with the 'report' extra."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketlens.base.errors import MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill templates/<template>; every value is escaped. Raises MissingExtraError."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("Writing a page", "report") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)


def png_uri(png: bytes) -> str:
    """A PNG file as a data: address."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def photo_uri(image: Image, *, side: int) -> str:
    """A small JPEG of a photo, its longer side at most `side` pixels, as a data: address."""
    small = image.convert("RGB")
    small.thumbnail((side, side))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
