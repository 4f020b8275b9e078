"""What fine-tuning is worth: networks coded at a price of a bit, before and after.

    POCKETLENS_DATA=... python benchmarks/tuning.py --model resnet8-cifar10 --lagrangian 4e-6
                                   [--passes 8] [--more train.npz] [--save]

Statistics and training see the part fit (and, of --more, rows of pictures that lie in no other
part), the best check is chosen on the part select, and the figures are of the part report, which
nothing else looks at. Both lenses are run by the core. Needs torch.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from compression_judge import Photos, photo_hashes, prepare
from measuring import append_rows, commit, machine
from models import MODELS, RealModel, data_folder
from pocketlens.calibration.divergence import divergence
from pocketlens.calibration.photos import open_photos
from pocketlens.calibration.running import open_float
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.cli.inspect_command import stored_bytes
from pocketlens.compression.coding import code_network
from pocketlens.engine.core import CoreEngine
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.lensfile.contents import LensContents
from pocketlens.tuning.settings import TuningSettings
from pocketlens.tuning.tune import Tuned, tune
from rate_distortion import known_of, scores_of

Array = NDArray[np.float32]


def more_pictures(path: Path, model: RealModel, limit: int) -> list[Array]:
    """Inputs (1, C, H, W) of pictures that are not in the model's own data set."""
    own = set(photo_hashes(model))
    found = open_photos(path, model.recipe, shares=(1.0, 0.0, 0.0), limit=limit).fit
    return [found[i] for i, photo in enumerate(found.photos) if photo.sha256 not in own]


def measure(
    model: RealModel,
    lagrangian: float,
    settings: TuningSettings,
    more: list[Array],
    limit: int,
) -> list[dict[str, Any]]:
    """Two rows: the lens untouched, and fine-tuned."""
    network = read_onnx(data_folder() / model.file).network
    parts = prepare(model)
    fit = parts["fit"].inputs[:limit]
    known = known_of(network, Photos(fit, parts["fit"].classes[:limit]), torch=True)
    coded = code_network(network, known, lagrangian=lagrangian, round_biases=False)
    contents = LensContents(model.name, coded.graph, coded.tensors, (), model.recipe)
    shown = [*(x[None] for x in fit), *more]
    start_s = time.process_time()
    tuned = tune(
        contents,
        network,
        shown,
        [x[None] for x in parts["select"].inputs],
        settings=settings,
        tell=lambda number, kl, _: click.echo(f"check {number}: KL {kl:.4f} on select", err=True),
    )
    seconds = time.process_time() - start_s
    expected = scores_of(open_float(network, network.graph.outputs), parts["report"].inputs)
    row = {"model": model.name, "lagrangian": lagrangian, "passes": settings.passes,
           "fit": len(fit), "photos": len(shown), "n": len(expected)}  # fmt: skip
    return [
        row | {"tuned": False} | _figures(contents, expected, parts["report"]),
        row | {"tuned": True, "tuning_cpu_s": seconds} | _told(tuned)
        | _figures(tuned.contents, expected, parts["report"]),
    ]  # fmt: skip


def _told(tuned: Tuned) -> dict[str, Any]:
    return {"kept": tuned.kept, "select_kl": tuned.kl}


def _figures(
    contents: LensContents, expected: NDArray[np.float64], report: Photos
) -> dict[str, Any]:
    scores = scores_of(CoreEngine(contents), report.inputs)
    found = divergence(
        expected.astype(np.float32),
        scores.astype(np.float32),
        probabilities=ends_in_softmax(contents.graph),
    )
    return {
        "bytes": sum(stored_bytes(contents)),
        "kl": found.kl,
        "agree": found.agreement,
        "top1": 100 * float((scores.argmax(1) == report.classes).mean()),
        "float_top1": 100 * float((expected.argmax(1) == report.classes).mean()),
    }


def table_of(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "bytes", "", "KL", "agree %", "top-1 %", "float", "CPU s"):
        table.add_column(title, justify="left" if title in ("model", "") else "right")
    for row in rows:
        word = "untouched" if not row["tuned"] else "tuned" if row["kept"] else "dropped"
        table.add_row(
            row["model"], f"{row['bytes']:,}", word, f"{row['kl']:.4f}", f"{row['agree']:.1f}",
            f"{row['top1']:.2f}", f"{row['float_top1']:.2f}",
            f"{row['tuning_cpu_s']:.0f}" if row["tuned"] else "",
        )  # fmt: skip
    return table


@click.command()
@click.option("--model", "name", type=click.Choice([m.name for m in MODELS]), required=True)
@click.option("--lagrangian", "lagrangians", multiple=True, type=float, required=True)
@click.option("--passes", default=8, show_default=True)
@click.option("--more", type=click.Path(path_type=Path), help="More pictures to train on.")
@click.option("--more-limit", default=5000, show_default=True, help="Most of these.")
@click.option("--limit", default=1000, show_default=True, help="Most of the part fit.")
@click.option("--save", is_flag=True, help="Append to benchmarks/results/tuning.jsonl.")
def main(
    name: str,
    lagrangians: tuple[float, ...],
    passes: int,
    more: Path | None,
    more_limit: int,
    limit: int,
    save: bool,
) -> None:
    """Print one table for a model of DATA.md."""
    console = Console(width=110)
    console.print(f"{machine()}, commit {commit()}")
    (model,) = (model for model in MODELS if model.name == name)
    settings = TuningSettings(passes=passes)
    pictures = [] if more is None else more_pictures(more, model, more_limit)
    rows = []
    for lagrangian in lagrangians:
        rows += measure(model, lagrangian, settings, pictures, limit)
    console.print(table_of(rows))
    if save:
        console.print(f"appended to {append_rows('tuning', rows)}")


if __name__ == "__main__":
    main()
