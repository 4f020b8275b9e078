"""One full connect layer: ours from palettes of 4, 8, 2 and 1 bits against onnxruntime.

    python benchmarks/full_connect.py [--threads 1] [--repeats 30] [--shape 9216x4096] [--save]

Peers: fp32 Gemm; MatMulNBits (4 bits, blocks of 128) with float activations (accuracy level 0) and
with int8 ones (level 4); int8 with activations quantized as it runs (dynamic) or beforehand
(static). Weights are random; all engines run in turn, round by round.

cold      256 MB of other data are read before each call, so that no weight is in a cache
resident  each call follows two calls of the same layer
"""

from __future__ import annotations

import functools
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from rich.console import Console
from rich.table import Table

from measuring import append_rows, commit, interleaved_ms, machine
from pocketlens.engine.core import CoreEngine
from pocketlens.graph.graph import AttributeValue, Graph, Node
from pocketlens.images.recipe import Recipe
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.planes.encode import encode_plane

SHAPES = ("9216x4096", "4096x4096", "4096x1000", "2048x2048")
BATCHES = (1, 10)
BITS = (4, 8, 2, 1)
OTHER = np.ones((256 << 20) // 4, np.float32)
BLOCK = 128  # weights that share a scale in MatMulNBits
RECIPE = Recipe("none", 1, 1, "bilinear", 1, 1, "gray", (0.0,), (1.0,))

Floats = NDArray[np.float32]
Runner = Callable[[], object]


class _OneFeed(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, x: Floats) -> None:
        self._feeds = iter([{"x": x}])

    def get_next(self) -> dict[str, Floats] | None:
        return next(self._feeds, None)


def lens_of(inputs: int, outputs: int, bits: int) -> LensContents:
    """A lens of one linear layer with random indices."""
    dice = np.random.default_rng(bits)
    size = 1 << bits
    palette = np.sort(dice.normal(0, 0.02, size)).astype("<f2")
    indices = dice.integers(0, size, (outputs, inputs), dtype=np.uint8)
    weight = TensorRecord(
        "w",
        (outputs, inputs),
        "palette",
        "a benchmark",
        palette_size=size,
        group_rows=outputs,
        palettes=palette.tobytes(),
        plane=encode_plane(indices, index_bits=bits),
    )
    bias = TensorRecord("b", (outputs,), "float", "", values=np.zeros(outputs, "<f4").tobytes())
    fused: dict[str, AttributeValue] = {"activation": "none", "alpha": 0.0, "beta": 0.0}
    graph = Graph(
        ("x",),
        ("y",),
        (Node("linear", "y", ("x", "w", "b"), "y", fused),),
        {"x": (1, inputs), "y": (1, outputs), "w": (outputs, inputs), "b": (outputs,)},
    )
    return LensContents("full connect", graph, (weight, bias), (), RECIPE)


def session_of(model: Path, threads: int) -> onnxruntime.InferenceSession:
    """A session whose threads stop spinning when a call ends, so that they slow nobody else."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def save_model(path: Path, node: onnx.NodeProto, shape: tuple[int, int], values: Any) -> None:
    """An ONNX model of one node from x to y."""
    inputs, outputs = shape
    graph = helper.make_graph(
        [node],
        "full connect",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(array, name) for name, array in values.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.save(model, str(path))


def peers_of(folder: Path, shape: tuple[int, int], x: Floats, threads: int) -> dict[str, Runner]:
    """The ways of onnxruntime, by name."""
    inputs, outputs = shape
    dice = np.random.default_rng(0)
    weights = dice.normal(0, 0.02, (outputs, inputs)).astype(np.float32)
    bias = np.zeros(outputs, np.float32)
    models = {"onnxruntime fp32": folder / "float.onnx"}
    gemm = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    save_model(models["onnxruntime fp32"], gemm, shape, {"w": weights, "b": bias})
    blocks = inputs // BLOCK
    packed = {
        "w": dice.integers(0, 256, (outputs, blocks, BLOCK // 2), dtype=np.uint8),
        "s": np.full(outputs * blocks, 0.01, np.float32),
    }
    for level in (0, 4):
        node = helper.make_node(
            "MatMulNBits",
            ["x", "w", "s"],
            ["y"],
            domain="com.microsoft",
            K=inputs,
            N=outputs,
            bits=4,
            block_size=BLOCK,
            accuracy_level=level,
        )
        models[f"MatMulNBits level {level}"] = folder / f"bits{level}.onnx"
        save_model(folder / f"bits{level}.onnx", node, shape, packed)
    matmul, matmul_file = helper.make_node("MatMul", ["x", "w"], ["y"]), folder / "matmul.onnx"
    save_model(matmul_file, matmul, shape, {"w": np.ascontiguousarray(weights.T)})
    models["int8 dynamic"] = folder / "dynamic.onnx"
    quantize_dynamic(matmul_file, models["int8 dynamic"], weight_type=QuantType.QInt8)
    models["int8 static"] = folder / "static.onnx"
    quantize_static(models["onnxruntime fp32"], models["int8 static"], _OneFeed(x))
    runners: dict[str, Runner] = {}
    for name, path in models.items():
        session = session_of(path, threads)
        runners[name] = functools.partial(session.run, None, {"x": x})
    return runners


def cold(_: Runner) -> None:
    """Read so much else that no cache holds the layer any more."""
    float(OTHER.sum())


def resident(run: Runner) -> None:
    """Run, so that the layer is in the caches."""
    run()
    run()


def measure(shape: tuple[int, int], *, threads: int, repeats: int) -> list[dict[str, Any]]:
    """Rows of one layer: each engine at each batch, cold and resident."""
    inputs, outputs = shape
    engines = {
        f"pocketlens {bits} bits": CoreEngine(lens_of(inputs, outputs, bits), threads=threads)
        for bits in BITS
    }
    rows = []
    for batch in BATCHES:
        x = np.random.default_rng(1).normal(0, 1, (batch, inputs)).astype(np.float32)
        data = x.tobytes()
        with tempfile.TemporaryDirectory() as folder:
            runners = peers_of(Path(folder), shape, x, threads)
        for name, engine in engines.items():
            runners[name] = functools.partial(engine.scores, data, batch)
        for before in (cold, resident):
            times = interleaved_ms(runners, repeats=repeats, warm_up=0, before=before)
            for name, taken in times.items():
                row = {"shape": f"{inputs}x{outputs}", "batch": batch, "state": before.__name__}
                row |= {"engine": name, "threads": threads, "repeats": repeats, **taken}
                row["target"] = (
                    engines[name].target
                    if name in engines
                    else f"onnxruntime {onnxruntime.__version__}"
                )
                rows.append(row)
    return rows


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Engines downwards; for each layer, batch and state the minimum in microseconds."""
    table = Table(box=None, pad_edge=False)
    table.add_column("layer, batch")
    engines = list(dict.fromkeys(row["engine"] for row in rows))
    for name in engines:
        table.add_column(name.removeprefix("onnxruntime "), justify="right", overflow="fold")
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        title = f"{row['shape']} x{row['batch']} {row['state']}"
        cells.setdefault(title, {})[row["engine"]] = f"{row['min_ms'] * 1000:.0f}"
    for title, values in cells.items():
        table.add_row(title, *(values[name] for name in engines))
    return table


@click.command()
@click.option("--threads", default=1, show_default=True)
@click.option("--repeats", default=30, show_default=True)
@click.option("--shape", "shapes", multiple=True, default=SHAPES, help="INPUTSxOUTPUTS.")
@click.option("--save", is_flag=True, help="Append to benchmarks/results/full_connect.jsonl.")
def main(threads: int, repeats: int, shapes: tuple[str, ...], save: bool) -> None:
    """Print one table of microseconds."""
    logging.disable(logging.WARNING)  # the quantizer advises steps that one layer does not need
    rows = []
    for shape in shapes:
        inputs, outputs = (int(part) for part in shape.split("x"))
        rows += measure((inputs, outputs), threads=threads, repeats=repeats)
    console = Console(width=160)
    console.print(f"{machine()}, {threads} thread(s), least microseconds, commit {commit()}")
    console.print(table_of(rows))
    if save:
        console.print(f"appended to {append_rows('full_connect', rows)}")


if __name__ == "__main__":
    main()
