"""The WebAssembly core from palettes against onnxruntime-web fp32, under Node, one thread.

    POCKETLENS_DATA=... python benchmarks/wasm_latency.py [--cache build/bench] [--save]

Needs Node and npm; onnxruntime-web is installed by npm into the folder given by --cache. All run
in one process (wasm/race.mjs), interleaved, at batch 1, compiled by V8's optimizing compiler from
the first call on. Speeds are compared by the least processor time, which on an idle machine is the
time on the clock; both are kept. The cores' scores must be those of the native core.
"""

from __future__ import annotations

import json
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

import pocketlens.engine
from measuring import HERE, append_rows, commit, machine
from models import MODELS, data_folder
from pocketlens._bundled import BUNDLED_LENS
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.engine import _core
from pocketlens.engine.constants import plain_constants
from pocketlens.engine.core import CoreEngine, feed_planes
from pocketlens.engine.plan import build_plan
from pocketlens.images.recipe import Recipe
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens

MODULES = Path(pocketlens.engine.__file__).parent / "wasm"
TARGETS = ("simd128", "relaxed_simd")
BUNDLED_MODEL = HERE.parent / "training" / "models" / "tiny-imagenet-200.onnx"
FULL_CONNECT = 4096
PEER = "onnxruntime-web"


@dataclass(frozen=True)
class Contest:
    """A network: the ONNX file that the peer runs, and lenses of it by the width of their weights.

    shape  of the input, as the ONNX file wants it
    """

    name: str
    onnx: Path
    feed: str
    shape: tuple[int, ...]
    lenses: dict[str, LensContents]


class Recorder:
    """Takes bands as the core would, and writes them down for race.mjs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bands: list[bytes] = []

    def feed(self, plane: int, band: int, rows: bytearray) -> None:
        """Keep one band."""
        self._bands.append(struct.pack("<III", plane, band, len(rows)) + bytes(rows))

    def write(self) -> None:
        """Write the file."""
        self._path.write_bytes(b"".join(self._bands))


def contest_of(name: str, file: Path, recipe: Recipe | str) -> Contest:
    """The network of an ONNX file, and its lenses at 4 and 8 bits."""
    imported = read_onnx(file)
    graph = imported.network.graph
    lenses = {
        f"{bits} bits": pack(imported, settings=Settings(bits=bits, crush=None), recipe=recipe)
        for bits in (4, 8)
    }
    return Contest(name, file, graph.inputs[0], graph.shapes[graph.inputs[0]], lenses)


def full_connect(folder: Path) -> Contest:
    """One full connect layer of random weights."""
    random = np.random.default_rng(0)
    weights = random.normal(0, 0.02, (FULL_CONNECT, FULL_CONNECT)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Flatten", ["x"], ["row"]),
            onnx.helper.make_node("Gemm", ["row", "w", "b"], ["y"], transB=1),
        ],
        "full_connect",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, 64, 64])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, FULL_CONNECT])],
        [
            onnx.numpy_helper.from_array(weights, "w"),
            onnx.numpy_helper.from_array(np.zeros(FULL_CONNECT, np.float32), "b"),
        ],
    )
    file = folder / "full_connect.onnx"
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), file)
    return contest_of(f"full connect {FULL_CONNECT}x{FULL_CONNECT}", file, "unit")


def contests(folder: Path, names: tuple[str, ...]) -> Iterator[Contest]:
    """All that is raced, or those named."""
    for model in MODELS:
        if model.name in ("squeezenet", "mobilenet-v2") and model.name in (names or model.name):
            yield contest_of(model.name, data_folder() / model.file, model.recipe)
    if "bundled" in (names or "bundled"):
        imported = read_onnx(BUNDLED_MODEL)
        graph = imported.network.graph
        shape = graph.shapes[graph.inputs[0]]
        lens = {"as bundled": read_lens(BUNDLED_LENS)}
        yield Contest("bundled", BUNDLED_MODEL, graph.inputs[0], shape, lens)
    if "full-connect" in (names or "full-connect"):
        yield full_connect(folder)


def core_files(target: str) -> dict[str, Path]:
    """The modules of a target."""
    return {"kernels": MODULES / f"kernels_{target}.wasm", "body": MODULES / "body.wasm"}


def core_runners(contest: Contest, width: str, folder: Path) -> list[dict[str, str]]:
    """What race.mjs needs to run a lens on each target."""
    plan = build_plan(plain_constants(contest.lenses[width]))
    stem = width.replace(" ", "-")
    plan_file, feeds_file = folder / f"{stem}.plan", folder / f"{stem}.feeds"
    plan_file.write_bytes(plan.data)
    recorder = Recorder(feeds_file)
    feed_planes(cast(_core.Core, recorder), plan)
    recorder.write()
    return [
        {
            "name": f"{width}, {target}",
            **{name: str(file) for name, file in core_files(target).items()},
            "plan": str(plan_file),
            "feeds": str(feeds_file),
            "output": str(folder / f"{stem}-{target}.scores"),
        }
        for target in TARGETS
    ]


def node_flags(node: str) -> list[str]:
    relaxed = "--experimental-wasm-relaxed-simd"  # versions that have it without do not know it
    known = subprocess.run([node, "--v8-options"], capture_output=True, text=True, check=True)
    return ["--no-liftoff", *([relaxed] if relaxed in known.stdout else [])]


def race(runners: list[dict[str, Any]], *, rounds: int, folder: Path) -> dict[str, Any]:
    """Node's version, and by runner the milliseconds of every round: clock, and processor."""
    node = shutil.which("node")
    if node is None:
        sys.exit("This benchmark needs Node on the path.")
    job = folder / "job.json"
    job.write_text(json.dumps({"rounds": rounds, "warmUp": 5, "runners": runners}), "utf-8")
    command = [node, *node_flags(node), str(HERE / "wasm" / "race.mjs"), str(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def install_peer(cache: Path) -> tuple[Path, str]:
    """onnxruntime-web's folder and version; installed by npm where it is not there yet."""
    package = cache.resolve() / "node_modules" / PEER
    if not package.is_dir():
        npm = shutil.which("npm")
        if npm is None:
            sys.exit("This benchmark needs npm on the path, to install onnxruntime-web.")
        cache.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--silent", "--no-audit", "--ignore-scripts", PEER]
        subprocess.run([*install, "--prefix", str(cache.resolve())], check=True)
    version = json.loads((package / "package.json").read_text("utf-8"))["version"]
    return package, str(version)


def module_bytes(run: str) -> int | None:
    """The size of the modules that a runner of that name uses; None for the peer."""
    target = run.rpartition(", ")[2]
    if target not in TARGETS:
        return None
    return sum(file.stat().st_size for file in core_files(target).values())


def check_scores(
    contest: Contest, picture: np.ndarray[Any, Any], runners: list[dict[str, str]]
) -> None:
    """Ends the program where a core's scores are not the native core's."""
    for width, contents in contest.lenses.items():
        engine = CoreEngine(contents)
        expected = np.frombuffer(engine.scores(picture.tobytes(), 1), np.float32)
        engine.close()
        for runner in runners:
            if runner["name"].startswith(f"{width},"):
                seen = np.fromfile(runner["output"], np.float32)
                error = np.abs(seen - expected).max() / np.abs(expected).max()
                if not error < 1e-4:
                    sys.exit(f"{contest.name}, {runner['name']}: scores are off by {error:.1e}.")


def measure(contest: Contest, *, rounds: int, peer: tuple[Path, str]) -> list[dict[str, Any]]:
    """Rows for one network: the peer, and each lens on each target."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture = np.random.default_rng(0).uniform(-2, 2, contest.shape).astype(np.float32)
        picture.tofile(folder / "input")
        cores = [run for width in contest.lenses for run in core_runners(contest, width, folder)]
        other: dict[str, Any] = {
            "name": "fp32",
            "package": str(peer[0]),
            "onnx": str(contest.onnx.resolve()),
            "feed": contest.feed,
            "shape": contest.shape,
            "output": str(folder / "peer.scores"),
        }
        runners = [{**run, "input": str(folder / "input")} for run in [other, *cores]]
        result = race(runners, rounds=rounds, folder=folder)
        check_scores(contest, picture, cores)
    times, processor = result["times"], result["processor"]
    peer_ms = min(processor["fp32"])
    return [
        {
            "model": contest.name,
            "engine": f"{PEER} {peer[1]}" if run == "fp32" else run,
            "node": result["node"],
            "rounds": rounds,
            "module_bytes": module_bytes(run),
            "min_ms": min(taken),
            "median_ms": statistics.median(taken),
            "processor_ms": min(processor[run]),
            "speed_over_onnxruntime_web": peer_ms / min(processor[run]),
        }
        for run, taken in times.items()
    ]


def table_of(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "engine", "processor ms", "min ms", "median ms", "x ort-web"):
        table.add_column(title, justify="left" if title in ("model", "engine") else "right")
    for row in rows:
        keys = ("processor_ms", "min_ms", "median_ms", "speed_over_onnxruntime_web")
        table.add_row(row["model"], row["engine"], *(f"{row[key]:.2f}" for key in keys))
    return table


@click.command()
@click.option("--cache", default="build/bench", type=click.Path(path_type=Path),
              show_default=True, help="Where npm installs the peer.")  # fmt: skip
@click.option("--rounds", default=60, show_default=True)
@click.option("--model", "names", multiple=True,
              help="Only these: squeezenet, mobilenet-v2, bundled, full-connect.")  # fmt: skip
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/wasm.jsonl.")
def main(cache: Path, rounds: int, names: tuple[str, ...], save: bool) -> None:
    """Print one table, and keep its rows where asked."""
    peer = install_peer(cache)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for contest in contests(Path(folder), names):
            rows += measure(contest, rounds=rounds, peer=peer)
    console = Console()
    console.print(f"{machine()}, Node {rows[0]['node']}, commit {commit()}")
    console.print(table_of(rows))
    if save:
        console.print(f"appended to {append_rows('wasm', rows)}")


if __name__ == "__main__":
    main()
