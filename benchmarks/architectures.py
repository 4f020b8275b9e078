"""Well-known architectures with random weights: do all engines agree, and how long do they take?

    python benchmarks/architectures.py [--threads 1] [NAME ...]

The graphs are the skeletons of tests/architectures, filled with seeded random numbers. Nodes are
counted in the file and after import; differences are relative to the largest score of
onnxruntime; seconds are the best of ten (reference: of one).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from measuring import commit, machine
from pocketlens.engine.core import CoreEngine
from pocketlens.engine.reference import ReferenceEngine
from pocketlens.graph.graph import Network
from pocketlens.importers.onnx.reader import lower_model

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the skeletons live with the tests

from architectures.filling import NAMES, filled, picture  # type: ignore[import-not-found]
from conformance.engines import float_contents  # type: ignore[import-not-found]


@dataclass(frozen=True)
class Row:
    """What is measured for one architecture."""

    name: str
    parameters: int
    nodes_in: int
    nodes_out: int
    import_seconds: float
    reference_difference: float
    core_difference: float
    reference_seconds: float
    core_seconds: float
    onnxruntime_seconds: float


def measure(name: str, *, threads: int) -> Row:
    """Import, run on all engines, compare."""
    model = filled(name)
    given = picture(model)
    started = time.perf_counter()
    network = lower_model(model)
    import_seconds = time.perf_counter() - started
    expected, onnxruntime_seconds = best_of(10, _session(model, given, threads))
    reference, reference_seconds = best_of(1, lambda: ReferenceEngine(network).run([given])[0])
    core, core_seconds = best_of(10, _core(network, given, threads))
    return Row(
        name,
        sum(values.size for values in network.tensors.values()),
        len(model.graph.node),
        len(network.graph.nodes),
        import_seconds,
        difference(reference, expected),
        difference(core, expected),
        reference_seconds,
        core_seconds,
        onnxruntime_seconds,
    )


def _session(model: Any, given: NDArray[np.float32], threads: int) -> Callable[[], Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {session.get_inputs()[0].name: given})[0]


def _core(network: Network, given: NDArray[np.float32], threads: int) -> Callable[[], Any]:
    engine = CoreEngine(float_contents(network), threads=threads)
    return lambda: engine.run([given])[0]


def best_of(repeats: int, run: Callable[[], Any]) -> tuple[Any, float]:
    """The result, and the shortest time in seconds."""
    shortest = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        result = run()
        shortest = min(shortest, time.perf_counter() - started)
    return result, shortest


def difference(actual: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest difference, relative to the largest magnitude expected."""
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


@click.command()
@click.argument("names", nargs=-1)
@click.option("--threads", default=1, show_default=True)
def main(names: tuple[str, ...], threads: int) -> None:
    """Print one table."""
    table = Table(box=None, pad_edge=False)
    for title in ("architecture", "params", "nodes in", "out", "import s", "ref diff", "core diff",
                  "ref s", "core s", "ort s"):  # fmt: skip
        table.add_column(title, justify="left" if title == "architecture" else "right")
    for name in names or NAMES:
        row = measure(name, threads=threads)
        table.add_row(
            row.name,
            f"{row.parameters / 1e6:.2f} M",
            str(row.nodes_in),
            str(row.nodes_out),
            f"{row.import_seconds:.2f}",
            f"{row.reference_difference:.1e}",
            f"{row.core_difference:.1e}",
            f"{row.reference_seconds:.2f}",
            f"{row.core_seconds:.4f}",
            f"{row.onnxruntime_seconds:.4f}",
        )
    console = Console()
    console.print(f"{machine()}, {threads} thread(s), batch 1, commit {commit()}")
    console.print(table)


if __name__ == "__main__":
    main()
