"""From nothing to the first label: milliseconds and memory of whole processes, each a new one.

    POCKETLENS_DATA=... python benchmarks/cold.py [--repeats 20] [--save]

`pocketlens classify` with the bundled lens, beside onnxruntime (and OpenVINO where it is installed)
on the network that the lens was made from: import, session, the same photo, one run. In turn, round
after round. Wall time counts what neighbours on the machine do, processor time counts less of it.
Python's compiled modules are there before the first round, as an installation leaves them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from measuring import append_rows, commit, machine
from models import PHOTOS, data_folder

ROOT = Path(__file__).resolve().parents[1]
LENS = ROOT / "src" / "pocketlens" / "lenses" / "tiny-imagenet-200.lens"
MODEL = ROOT / "training" / "models" / "tiny-imagenet-200.onnx"

# Starts what it is told, one after the other, and says what each took: wall and processor seconds,
# and the peak in kilobytes. Small itself, for a process starts out with its parent's peak.
STARTER = """
import json, os, sys, time
programs, rounds = json.loads(sys.argv[1]), int(sys.argv[2])
taken = {name: [] for name in programs}
for _ in range(rounds):
    for name, words in programs.items():
        start = time.perf_counter()
        child = os.posix_spawn(words[0], words, os.environ,
                               file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
        _, status, use = os.wait4(child, 0)
        if status:
            sys.exit(f"{name} ended with {status}")
        wall = time.perf_counter() - start
        taken[name].append((wall, use.ru_utime + use.ru_stime, use.ru_maxrss))
print(json.dumps(taken))
"""

PREPARE = """
import sys, numpy as np
from PIL import Image
photo = Image.open(sys.argv[2]).convert("RGB").resize((64, 64))
x = np.asarray(photo, np.float32).transpose(2, 0, 1)[None] / 64 - 2
"""
ONNXRUNTIME = (
    PREPARE
    + """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, ["CPUExecutionProvider"])
print(session.run(None, {session.get_inputs()[0].name: x})[0].argmax())
"""
)
OPENVINO = (
    PREPARE
    + """
import openvino
model = openvino.Core().compile_model(sys.argv[1], "CPU", {"INFERENCE_NUM_THREADS": 1})
print(model(x)[0].argmax())
"""
)


def programs(photo: Path) -> dict[str, list[str]]:
    """Name and words of every process to be timed."""
    python, model = sys.executable, str(MODEL)
    found = {
        "python, nothing else": [python, "-c", "pass"],
        "pocketlens classify": [python, "-m", "pocketlens", "classify", str(LENS), str(photo)],
        "import onnxruntime": [python, "-c", "import onnxruntime"],
        "onnxruntime to the first answer": [python, "-c", ONNXRUNTIME, model, str(photo)],
    }
    if importlib.util.find_spec("openvino"):
        found["openvino to the first answer"] = [python, "-c", OPENVINO, model, str(photo)]
    return found


def measure(photo: Path, *, repeats: int) -> list[dict[str, Any]]:
    """A row a program."""
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        chosen = programs(photo)
        taken: dict[str, list[tuple[float, float, int]]] = {}
        for rounds in (1, repeats):  # the first one compiles
            done = subprocess.run(
                [sys.executable, "-S", "-c", STARTER, json.dumps(chosen), str(rounds)],
                env=environment, stdout=subprocess.PIPE, check=True,
            )  # fmt: skip
            taken = json.loads(done.stdout)
    rows = []
    for name, runs in taken.items():
        walls, processors, peaks = zip(*runs, strict=True)
        rows.append(
            {
                "model": "tiny-imagenet-200",
                "engine": name,
                "wall_min_ms": min(walls) * 1e3,
                "wall_median_ms": statistics.median(walls) * 1e3,
                "processor_min_ms": min(processors) * 1e3,
                "processor_median_ms": statistics.median(processors) * 1e3,
                "peak_bytes": max(peaks) * 1024,
                "repeats": repeats,
                "busy": os.getloadavg()[0],
            }
        )
    return rows


@click.command()
@click.option("--repeats", default=20, show_default=True)
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/cold.jsonl.")
def main(repeats: int, save: bool) -> None:
    """Print one line a program."""
    photo = min((data_folder() / PHOTOS).glob("*.JPEG"))
    rows = measure(photo, repeats=repeats)
    click.echo(f"{machine()}, load {os.getloadavg()[0]:.1f}, commit {commit()}")
    for row in rows:
        click.echo(
            f"{row['engine']:32} wall {row['wall_min_ms']:7.1f} ms (median "
            f"{row['wall_median_ms']:7.1f}), processor {row['processor_min_ms']:7.1f} ms (median "
            f"{row['processor_median_ms']:7.1f}), peak {row['peak_bytes'] / 1e6:6.1f} MB"
        )
    if save:
        click.echo(f"appended to {append_rows('cold', rows)}")


if __name__ == "__main__":
    main()
