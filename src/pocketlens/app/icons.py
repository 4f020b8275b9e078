"""The icon: a lens whose glass is a palette of sixteen values. Drawn here, as SVG and as PNG."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

BACK = "#0e1116"
RIM = "#eef1f5"
SIDES = (180, 192, 512)
_FINER = 4
_UNITS = 64  # the drawing is 64 x 64 units
_RADIUS = 20


def icon_files() -> dict[str, bytes]:
    """icon.svg and a PNG for each side, by name."""
    pictures = {f"icon-{side}.png": _png(side) for side in SIDES}
    return {"icon.svg": _svg().encode()} | pictures


def _cells() -> list[tuple[int, int, str]]:
    """Left, top and colour of the palette's sixteen squares of 10 units."""
    cells = []
    for number in range(16):
        row, column = divmod(number, 4)
        share = (row + column) / 6
        red, green, blue = 8 + int(87 * share), 105 + int(107 * share), 92 + int(104 * share)
        cells.append((12 + 10 * column, 12 + 10 * row, f"#{red:02x}{green:02x}{blue:02x}"))
    return cells


def _svg() -> str:
    squares = "".join(
        f'<rect x="{left}" y="{top}" width="10" height="10" fill="{colour}"/>'
        for left, top, colour in _cells()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_UNITS} {_UNITS}">'
        f'<rect width="{_UNITS}" height="{_UNITS}" fill="{BACK}"/>'
        f'<clipPath id="glass"><circle cx="32" cy="32" r="{_RADIUS}"/></clipPath>'
        f'<g clip-path="url(#glass)">{squares}</g>'
        f'<circle cx="32" cy="32" r="{_RADIUS}" fill="none" stroke="{RIM}" stroke-width="3"/></svg>'
    )


def _png(side: int) -> bytes:
    large = side * _FINER
    unit = large / _UNITS
    picture = Image.new("RGB", (large, large), BACK)
    glass = Image.new("RGB", (large, large), BACK)
    pen = ImageDraw.Draw(glass)
    for left, top, colour in _cells():
        pen.rectangle((left * unit, top * unit, (left + 10) * unit, (top + 10) * unit), fill=colour)
    round_mask = Image.new("L", (large, large), 0)
    box = tuple(unit * (32 + sign * _RADIUS) for sign in (-1, -1, 1, 1))
    ImageDraw.Draw(round_mask).ellipse(box, fill=255)
    picture.paste(glass, mask=round_mask)
    ImageDraw.Draw(picture).ellipse(box, outline=RIM, width=round(3 * unit))
    stream = io.BytesIO()
    picture.resize((side, side), Image.Resampling.BOX).save(stream, "PNG", optimize=True)
    return stream.getvalue()
