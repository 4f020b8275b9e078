"""Milliseconds and memory a classification: our core from palettes against onnxruntime fp32.

    POCKETLENS_DATA=... python benchmarks/latency.py [--threads 1] [--repeats 40] [--save]

One run, interleaved, batch 1; minimum and median of many. Both get the same prepared input.
"""

from __future__ import annotations

from typing import Any

import click
import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

from measuring import append_rows, commit, interleaved_ms, machine
from models import MODELS, RealModel, data_folder
from pocketlens.classify.lens import Lens
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.importers.onnx.reader import read_onnx

WIDTHS = {"4 bits": Settings(bits=4, crush=None), "8 bits": Settings(bits=8, crush=None)}


def onnxruntime_session(path: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def measure(model: RealModel, *, threads: int, repeats: int) -> list[dict[str, Any]]:
    """Rows for one model: onnxruntime and the core at each width."""
    path = data_folder() / model.file
    imported = read_onnx(path)
    shape = imported.network.graph.shapes[imported.network.graph.inputs[0]]
    picture = np.random.default_rng(0).uniform(-2, 2, shape).astype(np.float32)
    session = onnxruntime_session(str(path), threads)
    feed = {session.get_inputs()[0].name: picture}
    lenses = {
        name: Lens(pack(imported, settings=settings, recipe=model.recipe), threads=threads)
        for name, settings in WIDTHS.items()
    }
    data = picture.tobytes()
    runners: dict[str, Any] = {"onnxruntime fp32": lambda: session.run(None, feed)}
    for name, lens in lenses.items():
        runners[f"pocketlens {name}"] = lambda lens=lens: lens.run(data, batch=1)
    times = interleaved_ms(runners, repeats=repeats)
    fastest_ms = times["onnxruntime fp32"]["min_ms"]
    rows = []
    for name, taken in times.items():
        chosen = lenses.get(name.removeprefix("pocketlens "))
        rows.append(
            {
                "model": model.name,
                "engine": name,
                "threads": threads,
                **taken,
                "speed_over_onnxruntime": fastest_ms / taken["min_ms"],
                "memory_bytes": chosen.memory() if chosen else None,
                "target": chosen.engine_name
                if chosen
                else f"onnxruntime {onnxruntime.__version__}",
            }
        )
    for lens in lenses.values():
        lens.close()
    return rows


def table_of(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "engine", "min ms", "median ms", "x ort", "weights kB", "x packed",
                  "arena kB"):  # fmt: skip
        table.add_column(title, justify="left" if title in ("model", "engine") else "right")
    for row in rows:
        memory = row["memory_bytes"]
        table.add_row(
            row["model"],
            row["engine"],
            f"{row['min_ms']:.2f}",
            f"{row['median_ms']:.2f}",
            f"{row['speed_over_onnxruntime']:.2f}",
            f"{memory['weights'] / 1000:.0f}" if memory else "",
            f"{memory['weights'] / memory['packed']:.3f}" if memory else "",
            f"{memory['arena'] / 1000:.0f}" if memory else "",
        )
    return table


@click.command()
@click.option("--threads", default=1, show_default=True)
@click.option("--repeats", default=40, show_default=True)
@click.option("--model", "names", multiple=True, help="Only these models.")
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/latency.jsonl.")
def main(threads: int, repeats: int, names: tuple[str, ...], save: bool) -> None:
    """Print one table for the models of DATA.md."""
    rows = []
    for model in MODELS:
        if not names or model.name in names:
            rows += measure(model, threads=threads, repeats=repeats)
    console = Console()
    console.print(f"{machine()}, {threads} thread(s), batch 1, commit {commit()}")
    console.print(table_of(rows))
    if save:
        console.print(f"appended to {append_rows('latency', rows)}")


if __name__ == "__main__":
    main()
