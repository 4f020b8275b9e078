"""Draw docs/compression-NETWORK.svg: file bytes against KL, ours beside peers.

    python tools/draw_compression.py [--check]

Everything in it is read from benchmarks/results/compression.jsonl. --check exits 1 when a picture
is stale.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))

from compression_figures import FLOAT, LEDGER, OURS, TUNED, by_peer, read_rows  # noqa: E402
from compression_page import PART, networks_of  # noqa: E402

PLAIN = "pocketlens, plain k-means"
COLOURS = {
    OURS: "#5b3fd6",
    TUNED: "#d63fb8",
    PLAIN: "#b3a5ec",
    "nnc": "#e07b1f",
    "nnc opt_qp": "#e8bd4a",
    "nnc strengthened": "#b3261e",
    "coremltools": "#1d7d5a",
    "coremltools grouped": "#7cc4a4",
    "coremltools sensitive": "#2a9db0",
    "onnxruntime int8": "#3c4043",
    "nncf": "#9aa0a6",
}
NO_CURVE = ("onnxruntime int8", "nncf")
"""Their points differ in more than size."""
WIDTH, HEIGHT = 880, 440
LEFT, TOP, RIGHT, BOTTOM = 70, 64, 640, 384
LEAST_KL, MOST_KL = 0.0003, 1.0
KL_TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1c1b22 }
.small { font-size: 12px; fill: #6a6875 } .end { text-anchor: end } .middle { text-anchor: middle }
.card { fill: #faf9fc; stroke: #e4e2ea } .grid { stroke: #e4e2ea }
polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round } .own { stroke-width: 3.2 }
"""


@dataclass(frozen=True)
class Scale:
    """Logarithms of bytes and KL as places in the picture."""

    least_bytes: float
    most_bytes: float

    def x(self, size_bytes: float) -> float:
        """From the left."""
        share = math.log(size_bytes / self.least_bytes) / math.log(
            self.most_bytes / self.least_bytes
        )
        return LEFT + share * (RIGHT - LEFT)

    def y(self, kl: float) -> float:
        """From the top: the larger KL stands higher."""
        share = math.log(kl / LEAST_KL) / math.log(MOST_KL / LEAST_KL)
        return BOTTOM - share * (BOTTOM - TOP)


def main() -> None:
    """Write the pictures, or compare them with what is there."""
    stale = {path: svg for path, svg in pictures() if not same(path, svg)}
    if "--check" in sys.argv[1:]:
        if stale:
            names = ", ".join(path.name for path in stale)
            sys.exit(f"{names}: stale, run python tools/draw_compression.py")
        return
    for path, svg in stale.items():
        path.write_text(svg, encoding="utf-8")


def pictures() -> Iterator[tuple[Path, str]]:
    """Every picture's place and text."""
    rows = read_rows(LEDGER)
    for model in networks_of(rows):
        series = series_of(rows, model)
        if series:
            yield ROOT / "docs" / f"compression-{model}.svg", picture(model, series)


def same(path: Path, svg: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == svg


def series_of(rows: list[dict[str, Any]], model: str) -> dict[str, list[tuple[int, float]]]:
    """(bytes, KL) by the name of a curve, in the order of COLOURS; a KL of 0 has no place."""
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in COLOURS}
    for peer, own in by_peer(rows, model, PART).items():
        for row in own:
            name = PLAIN if peer == OURS and "bits" in row["point"] else peer
            if name != FLOAT and row["kl"] > 0:
                found[name].append((row["bytes"], row["kl"]))
    return {name: sorted(points) for name, points in found.items() if points}


def picture(model: str, series: dict[str, list[tuple[int, float]]]) -> str:
    """SVG text of one network's curves."""
    shown = [size for own in series.values() for size, kl in own if LEAST_KL <= kl <= MOST_KL]
    scale = Scale(min(shown) / 1.08, max(shown) * 1.08)
    clip = f'x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(model)}: bytes against KL divergence</title>",
        f"<style>{STYLE}</style>",
        f'<clipPath id="plot"><rect {clip}/></clipPath>',
        f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="14"/>',
        f'<text x="28" y="36">{escape(model)}: KL divergence from the float network, nats a '
        "photo, by size of the file; lower left is better</text>",
        *_grid(scale),
    ]
    for name, points in reversed(series.items()):
        parts += _curve(name, points, scale)
    for number, name in enumerate(series):
        y = TOP + 14 + number * 26
        parts += [
            f'<circle cx="{RIGHT + 28}" cy="{y - 4}" r="5" fill="{COLOURS[name]}"/>',
            f'<text x="{RIGHT + 42}" y="{y}">{escape(name)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _grid(scale: Scale) -> Iterator[str]:
    for kl in KL_TICKS:
        y = scale.y(kl)
        yield f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="small end" x="{LEFT - 8}" y="{y + 4:.1f}">{kl:g}</text>'
    for size in _size_ticks(scale):
        x = scale.x(size)
        word = f"{size / 1e6:g} MB" if size >= 1e6 else f"{size / 1e3:g} kB"
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{BOTTOM}"/>'
        yield f'<text class="small middle" x="{x:.1f}" y="{BOTTOM + 20}">{word}</text>'


def _size_ticks(scale: Scale) -> list[float]:
    steps = (1, 1.5, 2, 3, 5, 7)
    sizes = [step * 10.0**power for power in range(3, 9) for step in steps]
    return [size for size in sizes if scale.least_bytes <= size <= scale.most_bytes]


def _curve(name: str, points: list[tuple[int, float]], scale: Scale) -> Iterator[str]:
    places = [(scale.x(size), scale.y(kl)) for size, kl in points]
    colour = COLOURS[name]
    own = ' class="own"' if name == OURS else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield '<g clip-path="url(#plot)">'
    if name not in NO_CURVE:
        yield f'<polyline{own} stroke="{colour}" points="{path}"/>'
    for x, y in places:
        if TOP <= y <= BOTTOM:
            radius = 4.5 if name == OURS else 3.5
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'
    yield "</g>"


if __name__ == "__main__":
    main()
