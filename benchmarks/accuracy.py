"""Sizes and missing rates of the real models at each width, and how far from onnxruntime.

    POCKETLENS_DATA=... python benchmarks/accuracy.py [--model NAME] [--bits 8 --bits 4] [--save]

Every lens is written, read back and run by the core on every test photo: 500 photos of
ImageNet's classes, 5,000 rows of CIFAR-10. onnxruntime runs the float32 original on the same
prepared inputs; "logits" is the largest difference relative to its largest logit, over all photos.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from measuring import append_rows, commit, machine
from models import MODELS, RealModel, data_folder
from pocketlens.classify.lens import Lens, open_lens
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.labels.labels import Label
from pocketlens.lensfile.writer import write_lens

Scores = NDArray[np.float32]


def imagenet_labels(count: int) -> tuple[Label, ...]:
    """Labels named by class number, as labels.csv has them in its column `index`."""
    return tuple(Label(f"class {number}") for number in range(count))


def inputs_of(lens: Lens, photos: Any, progress: Progress) -> NDArray[np.float32]:
    """Every photo prepared by the lens's recipe: (n, C, H, W) float32."""
    shape = lens.contents.graph.shapes[lens.contents.graph.inputs[0]][1:]
    task = progress.add_task("photos", total=len(photos))
    out = np.empty((len(photos), *shape), np.float32)
    for number in range(len(photos)):
        (view,) = lens.views(photos.photo_of(number))
        out[number] = np.frombuffer(lens.input_of(view), np.float32).reshape(shape)
        progress.advance(task)
    return out


def onnxruntime_scores(path: Path, inputs: NDArray[np.float32]) -> Scores:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    rows = [session.run(None, {name: picture[None]})[0].reshape(1, -1) for picture in inputs]
    return np.concatenate(rows)


def right(scores: Scores, classes: NDArray[np.int64], *, top: int) -> int:
    """Photos whose class is among the first `top` answers; ties go to the lower class number."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return int((order == classes[:, None]).any(axis=1).sum())


def measure(model: RealModel, widths: tuple[int, ...]) -> list[dict[str, Any]]:
    """Rows for one model: onnxruntime, then a lens at each width."""
    path = data_folder() / model.file
    imported = read_onnx(path)
    labels = imagenet_labels(imported.network.graph.shapes[imported.network.graph.outputs[0]][-1])
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, Progress(transient=True) as progress:
        inputs = expected = classes = None
        for bits in widths:
            start_s = time.perf_counter()
            contents = pack(
                imported, settings=Settings(bits=bits), recipe=model.recipe, labels=labels
            )
            file = Path(folder) / f"{bits}.lens"
            write_lens(file, contents)
            seconds = time.perf_counter() - start_s
            with open_lens(file) as lens:
                if inputs is None or expected is None or classes is None:
                    dataset = open_dataset(data_folder() / model.data, lens.labels)
                    classes = np.array(dataset.classes)
                    inputs = inputs_of(lens, dataset, progress)
                    expected = onnxruntime_scores(path, inputs)
                    rows.append(
                        _row(model, "onnxruntime float32", path, expected, expected, classes)
                    )
                scores = np.concatenate([lens.scores(picture)[None] for picture in inputs])
            row = _row(model, f"{bits} bits", file, scores, expected, classes)
            rows.append(row | {"compress_s": seconds})
    return rows


def _row(
    model: RealModel, engine: str, file: Path, scores: Scores, expected: Scores, classes: Any
) -> dict[str, Any]:
    return {
        "model": model.name,
        "engine": engine,
        "file_bytes": file.stat().st_size,
        "n": len(classes),
        "top1_right": right(scores, classes, top=1),
        "top5_right": right(scores, classes, top=5),
        "flips": int((scores.argmax(axis=1) != expected.argmax(axis=1)).sum()),
        "logits": float(np.abs(scores - expected).max() / np.abs(expected).max()),
        "expected": list(model.expected),
    }


def table_of(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "weights", "bytes", "top-1 missing", "top-5 missing", "flips", "logits",
                  "s"):  # fmt: skip
        table.add_column(title, justify="left" if title in ("model", "weights") else "right")
    for row in rows:
        table.add_row(
            row["model"],
            row["engine"],
            f"{row['file_bytes']:,}",
            f"{100 - 100 * row['top1_right'] / row['n']:.2f} % ({row['top1_right']})",
            f"{100 - 100 * row['top5_right'] / row['n']:.2f} % ({row['top5_right']})",
            str(row["flips"]),
            f"{row['logits']:.1e}",
            f"{row['compress_s']:.1f}" if "compress_s" in row else "",
        )
    return table


@click.command()
@click.option("--model", "names", multiple=True, help="Only these models.")
@click.option("--bits", multiple=True, type=int, default=(16, 8, 6, 4), show_default=True)
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/accuracy.jsonl.")
def main(names: tuple[str, ...], bits: tuple[int, ...], save: bool) -> None:
    """Print one table for the models of DATA.md."""
    rows = []
    for model in MODELS:
        if not names or model.name in names:
            rows += measure(model, bits)
    console = Console(width=110)
    console.print(f"{machine()}, commit {commit()}")
    console.print(table_of(rows))
    if save:
        console.print(f"appended to {append_rows('accuracy', rows)}")


if __name__ == "__main__":
    main()
