"""Whole networks beside every peer: milliseconds, memory, cold start, bytes.

    POCKETLENS_DATA=... python benchmarks/latency.py [--network N] [--engine E] [--save]

Each engine runs in a process of its own, so that thread pools do not fight, and all of them take
turns in one run: a few runs each, round by round, least and median of at least 30, on the clock and
in processor time: with one thread both are the same on an idle machine, on a busy one only the
second is telling. Measured are one picture and ten crops, with one thread and two; from process
start to the first label; the peak of resident memory of the whole process; the file. An engine that
cannot run a network has its reason in the row.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import onnxruntime
from rich.console import Console
from rich.table import Table

from compression_peers import PeerError
from latency_peers import AVX2_ALONE, ENGINES, Engine, Worker, convert
from measuring import append_rows, commit, machine
from networks import NETWORKS, Network
from networks.batches import batched
from pocketlens.compression.about import About
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import compress

CROPS = 10
BURST = 3
"""Runs that an engine makes in a row."""
REST_S = 0.05
"""Pause after a burst with several threads: some thread pools spin on for a while."""
FIT_PICTURES = 8
SHOWN = ("min", "median", "cpu_min", "cpu_median")
SAME = 1e-3
"""How far the scores of a batch may be from those of single pictures, of the largest score."""

console = Console(width=None if sys.stdout.isatty() else 150)


def prepared(network: Network, *, cache: Path) -> Path:
    """The network's folder: model.onnx, model-10.onnx where that works, pictures, lenses."""
    model = network.model()
    data = model.SerializeToString()
    work = cache / "latency" / f"{network.name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path = work / "model.onnx"
    if not path.is_file():
        work.mkdir(parents=True, exist_ok=True)
        dims = model.graph.input[0].type.tensor_type.shape.dim
        shape = (CROPS, *(dim.dim_value for dim in list(dims)[1:]))
        dims[0].dim_value = 1
        pictures = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        (work / "pictures.f32").write_bytes(pictures.tobytes())
        np.save(work / "fit.npy", pictures[:FIT_PICTURES])
        onnx.save(model, str(path))
    for bits in (4, 8):
        compress(path, work / f"{bits}.lens", settings=Settings(bits=bits, crush=None),
                 about=About(recipe=network.recipe))  # fmt: skip
    return work


def widen(path: Path) -> None:
    """Put a model of ten pictures beside a model of one, if it says the same."""
    out = path.with_name(f"{path.stem}-{CROPS}.onnx")
    tried = path.with_name(f"{path.stem}-{CROPS}.tried")
    if tried.is_file():
        return
    pictures = np.frombuffer((path.parent / "pictures.f32").read_bytes(), np.float32)
    pictures = pictures.reshape(CROPS, *np.load(path.parent / "fit.npy").shape[1:])
    try:
        onnx.save(batched(onnx.load(str(path)), CROPS), str(out))
        one, many = (onnxruntime.InferenceSession(str(p), _quiet()) for p in (path, out))
        name = one.get_inputs()[0].name
        together = many.run(None, {name: pictures})[0]
        apart = np.concatenate([one.run(None, {name: p[None]})[0] for p in pictures])
        good = together.shape == apart.shape
        good = good and np.abs(together - apart).max() <= SAME * np.abs(apart).max()
    except Exception as error:  # whatever onnxruntime raises: it takes pictures one by one then
        console.print(f"  {path.name} does not take {CROPS} pictures: {str(error)[:100]}")
        good = False
    if not good:
        out.unlink(missing_ok=True)
    tried.touch()


def _quiet() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return options


def measure(
    network: Network,
    engines: tuple[Engine, ...],
    *,
    threads: int,
    repeats: int,
    ten_repeats: int,
    starts: int,
    batches: tuple[int, ...],
    cache: Path,
) -> list[dict[str, Any]]:
    """A row for each engine: what it took, or why it cannot."""
    work = prepared(network, cache=cache)
    with ExitStack() as stack:
        rows: dict[str, dict[str, Any]] = {}
        workers: dict[str, Worker] = {}
        for engine in engines:
            row = {
                "network": network.name,
                "engine": engine.name,
                "threads": threads,
                "load": os.getloadavg()[0],
            }
            rows[engine.name] = row
            try:
                if engine.reason:
                    raise PeerError(engine.reason)
                convert(engine, cache=cache, work=work)
                if engine.file.endswith(".onnx"):
                    widen(work / engine.file)
                row |= {"file_bytes": sum((work / part).stat().st_size for part in engine.parts)}
                start_ms = []
                for _ in range(starts - 1):
                    with Worker(engine, threads=threads, cache=cache, work=work) as trial:
                        start_ms.append(trial.first_label_ms)
                worker = stack.enter_context(
                    Worker(engine, threads=threads, cache=cache, work=work)
                )
            except PeerError as error:
                row["reason"] = str(error)
                console.print(f"  {network.name}: {engine.name} {error}", markup=False)
                continue
            workers[engine.name] = worker
            row["first_label_ms"] = min([*start_ms, worker.first_label_ms])
            row["first_label_cpu_ms"] = worker.first["cpu_ms"]
            row |= {"version": worker.first["version"], "label": worker.first["label"]}
            row["peak_bytes"] = {"1": worker.first["peak_bytes"]}
            row["ms"] = {}
        for batch in batches:
            _take_turns(workers, rows, batch=batch, repeats=repeats if batch == 1 else ten_repeats,
                        threads=threads)  # fmt: skip
    return list(rows.values())


def _take_turns(
    workers: dict[str, Worker],
    rows: dict[str, dict[str, Any]],
    *,
    batch: int,
    repeats: int,
    threads: int,
) -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in workers}
    for _ in range(-(-repeats // BURST)):
        for name in list(workers):
            try:
                times[name] += workers[name].times_ms(batch, BURST)
            except PeerError as error:
                rows[name]["reason"] = str(error)
                del workers[name]
                continue
            if threads > 1:
                time.sleep(REST_S)
    for name, worker in workers.items():
        row = rows[name]
        row["ms"][str(batch)] = {"runs": len(times[name])} | {
            f"{kind}{of}": how(values)
            for kind, values in zip(("", "cpu_"), zip(*times[name], strict=True), strict=True)
            for of, how in (("min", min), ("median", statistics.median))
        }
        row["peak_bytes"][str(batch)] = worker.peak_bytes


def table_of(rows: list[dict[str, Any]]) -> Table:
    """What was measured, on a terminal."""
    table = Table(box=None, pad_edge=False)
    for title in ("network", "engine", "thr", "ms", "med", "cpu", "med", "ten ms", "med", "cpu",
                  "med", "MB", "ten", "label", "kB"):  # fmt: skip
        words = title in ("network", "engine")
        table.add_column(title, justify="left" if words else "right", no_wrap=True)
    for row in rows:
        ms, peak = row.get("ms", {}), row.get("peak_bytes", {})
        cells = [row["network"], row["engine"], str(row["threads"])]
        for batch in ("1", "10"):
            cells += [f"{ms[batch][key]:.2f}" if batch in ms else "" for key in SHOWN]
        cells += [f"{peak[batch] / 1e6:.0f}" if batch in peak else "" for batch in ("1", "10")]
        cells.append(f"{row['first_label_cpu_ms']:.0f}" if "first_label_cpu_ms" in row else "")
        cells.append(f"{row['file_bytes'] / 1000:.0f}" if "file_bytes" in row else "")
        table.add_row(*cells)
    return table


@click.command()
@click.option("--threads", multiple=True, type=int, default=(1, 2), show_default=True)
@click.option("--repeats", default=30, show_default=True, help="Runs of each, at least.")
@click.option("--ten-repeats", default=30, show_default=True, help="The same for ten crops.")
@click.option("--starts", default=3, show_default=True, help="Cold starts; the least counts.")
@click.option("--batch", "batches", multiple=True, type=int, default=(1, CROPS))
@click.option("--network", "names", multiple=True, help="Only these networks.")
@click.option("--engine", "wanted", multiple=True, help="Only engines whose name begins so.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("build/peers"),
              show_default=True, help="Environments and converted models.")  # fmt: skip
@click.option(
    "--avx2", is_flag=True, help="Only engines that AVX-512 can be taken from, without it."
)
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/latency.jsonl.")
def main(
    threads: tuple[int, ...],
    repeats: int,
    ten_repeats: int,
    starts: int,
    batches: tuple[int, ...],
    names: tuple[str, ...],
    wanted: tuple[str, ...],
    cache: Path,
    avx2: bool,
    save: bool,
) -> None:
    """Print one table; with --save each network's rows are kept as soon as they are there."""
    known = AVX2_ALONE if avx2 else ENGINES
    engines = tuple(e for e in known if not wanted or e.name.startswith(wanted))
    cache = cache.resolve()
    console.print(f"{machine()}, commit {commit()}")
    for network in NETWORKS:
        if names and network.name not in names:
            continue
        rows: list[dict[str, Any]] = []
        for count in threads:
            rows += measure(network, engines, threads=count, repeats=repeats,
                            ten_repeats=ten_repeats, starts=starts, batches=batches,
                            cache=cache)  # fmt: skip
        console.print(table_of(rows))
        if save:
            append_rows("latency", rows)


if __name__ == "__main__":
    main()
