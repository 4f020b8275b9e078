"""Draw docs/picture.svg: some planes of the bundled lens, and what the file weighs.

    python tools/draw_picture.py [--check]

Everything in it is read from the lens. --check exits 1 when the picture is stale.
"""

from __future__ import annotations

import math
import sys
from html import escape
from pathlib import Path

from pocketlens._bundled import BUNDLED_LENS
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.lensfile.reader import read_lens
from pocketlens.report.pages import png_uri
from pocketlens.report.plane_picture import plane_picture

PICTURE = Path(__file__).parents[1] / "docs" / "picture.svg"
WIDTH, HEIGHT = 880, 272
PLANES_SHOWN = 4
ROWS, COLUMNS = 50, 39
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1c1b22 }
.small { font-size: 12px; fill: #6a6875 } .big { font-size: 26px; font-weight: 650 }
.card { fill: #faf9fc; stroke: #e4e2ea } .bar { fill: #d9d5e8 } .own { fill: #5b3fd6 }
image { image-rendering: pixelated }
"""


def main() -> None:
    """Write the picture, or compare it with what is there."""
    svg = picture(read_lens(BUNDLED_LENS), file_bytes=BUNDLED_LENS.stat().st_size)
    if "--check" in sys.argv[1:]:
        if not PICTURE.is_file() or PICTURE.read_text(encoding="utf-8") != svg:
            sys.exit(f"{PICTURE.name} is stale: run python tools/draw_picture.py")
        return
    PICTURE.write_text(svg, encoding="utf-8")


def picture(contents: LensContents, *, file_bytes: int) -> str:
    """SVG text of a lens: its planes on the left, its weight on the right."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(contents.name)}: weights as pictures</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="14"/>',
    ]
    for number, record in enumerate(_chosen(contents)):
        parts += _plane(record, x=28 + number * 132)
    parts += _weights(contents, file_bytes=file_bytes, x=580)
    return "\n".join([*parts, "</svg>", ""])


def _chosen(contents: LensContents) -> list[TensorRecord]:
    """Planes spread over the depth of the network."""
    large = [
        record
        for record in contents.tensors
        if record.plane is not None and record.shape[0] >= ROWS
    ]
    step = max(1, len(large) // PLANES_SHOWN)
    return large[::step][:PLANES_SHOWN]


def _plane(record: TensorRecord, *, x: int) -> list[str]:
    shape = "×".join(map(str, record.shape))
    return [
        f'<image x="{x}" y="58" width="116" height="150" preserveAspectRatio="none" '
        f'href="{png_uri(plane_picture(record, rows=ROWS, columns=COLUMNS))}"/>',
        f'<text class="small" x="{x}" y="230">{shape}</text>',
        f'<text class="small" x="{x}" y="248">{record.palette_size} values</text>',
    ]


def _weights(contents: LensContents, *, file_bytes: int, x: int) -> list[str]:
    values = sum(math.prod(record.shape) for record in contents.tensors)
    rows = [
        ("float32 values", values * 4),
        ("half precision", values * 2),
        ("this lens", file_bytes),
    ]
    parts = ['<text x="28" y="40">The weights are pictures: a pixel is a palette index</text>']
    for number, (name, size_bytes) in enumerate(rows):
        y = 74 + number * 58
        own = number == len(rows) - 1
        length = 180 * size_bytes / rows[0][1]
        parts += [
            f'<text class="small" x="{x}" y="{y}">{name}</text>',
            f'<rect class="{"own" if own else "bar"}" x="{x}" y="{y + 8}" width="{length:.1f}" '
            'height="20" rx="4"/>',
            f'<text x="{x + length + 8:.1f}" y="{y + 23}">{size_bytes / 1e6:.2f} MB</text>',
        ]
    parts.append(f'<text class="small" x="{x}" y="248">{_receipt(contents)}</text>')
    return parts


def _receipt(contents: LensContents) -> str:
    if not contents.receipts:
        return f"{len(contents.labels)} classes"
    receipt = contents.receipts[-1]
    text = f"top-1 missing {receipt.top1_missing:.1f} %"
    if receipt.difference is not None:
        text += f", {receipt.difference:+.1f} points against float32"
    return text


if __name__ == "__main__":
    main()
