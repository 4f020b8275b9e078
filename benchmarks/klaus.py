"""What Klaus's network needs: memory while its lens is loaded, and while it classifies ten crops.

    python benchmarks/klaus.py [--save]

ccv's topology with 2,048 hidden outputs (networks/chains.py), as the phone had it in 2014: the
first full connect at 4 bits, all other weights at 8. Klaus spoke of about 100 MiB for the running
app. The peak is that of a process of its own, above what it had with everything imported and
nothing opened.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import onnx

from measuring import append_rows, commit, machine
from networks.chains import klaus
from pocketlens.compression.about import About
from pocketlens.compression.overrides import Override
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import compress

HIDDEN = 2048
ROOM_BYTES = 4_000_000
"""What loading may take above the file and the packed weights."""

CHILD = """
import json, sys
import pocketlens, pocketlens.classify.lens
def peak_bytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
before = peak_bytes()
lens = pocketlens.open(sys.argv[1])
loaded = peak_bytes()
shape = lens.contents.graph.shapes[lens.contents.graph.inputs[0]]
size = 4
for side in shape:
    size *= side
lens.run(bytes(size * 10), batch=10)
print(json.dumps({"before": before, "loaded": loaded, "run": peak_bytes(), **lens.memory()}))
"""


def klaus_lens(folder: Path) -> Path:
    """The lens of 2014's widths, with random weights: about 17 MB."""
    model = klaus(HIDDEN)
    onnx.save(model, folder / "klaus.onnx")
    sizes = {tensor.name: len(tensor.raw_data) for tensor in model.graph.initializer}
    first = max(sizes, key=lambda name: sizes[name])
    settings = Settings(bits=8, crush=None, overrides=(Override(first, bits=4),))
    lens = folder / "klaus.lens"
    compress(folder / "klaus.onnx", lens, settings=settings, about=About(recipe="imagenet"))
    return lens


def measure(lens: Path) -> dict[str, Any]:
    """One row."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(lens)], stdout=subprocess.PIPE, check=True, text=True
    )
    seen = json.loads(done.stdout)
    file_bytes = lens.stat().st_size
    return {
        "model": f"klaus-{HIDDEN}",
        "engine": "pocketlens, 4 and 8 bits",
        "file_bytes": file_bytes,
        "weights_bytes": seen["weights"],
        "arena_bytes": seen["arena"],
        "scratch_bytes": seen["scratch"],
        "engine_bytes": seen["weights"] + seen["arena"] + seen["scratch"],
        "imported_bytes": seen["before"],
        "loading_bytes": seen["loaded"] - seen["before"],
        "allowed_bytes": file_bytes + seen["packed"] + ROOM_BYTES,
        "running_bytes": seen["run"] - seen["before"],
    }


@click.command()
@click.option("--lens", type=click.Path(path_type=Path), help="Measure this one, and make none.")
@click.option("--save", is_flag=True, help="Append the row to benchmarks/results/klaus.jsonl.")
def main(lens: Path | None, save: bool) -> None:
    """Print the row."""
    if not Path("/proc/self/status").exists():
        sys.exit("This benchmark reads /proc/self/status, which only Linux has.")
    with tempfile.TemporaryDirectory() as folder:
        row = measure(lens or klaus_lens(Path(folder)))
    click.echo(f"{machine()}, load {os.getloadavg()[0]:.1f}, commit {commit()}")
    for name, value in row.items():
        click.echo(f"{name:16} {value:>12,}" if isinstance(value, int) else f"{name:16} {value}")
    if save:
        click.echo(f"appended to {append_rows('klaus', [row])}")


if __name__ == "__main__":
    main()
