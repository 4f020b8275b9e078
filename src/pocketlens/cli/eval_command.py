"""`pocketlens eval`: missing rates on labelled photos, with a receipt in the lens."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pocketlens.base.errors import UsageError
from pocketlens.base.files import cannot_read
from pocketlens.calibration.photos import seen_before
from pocketlens.classify.lens import Lens, open_lens
from pocketlens.cli.console import print_json, progress_bar, rate_text
from pocketlens.cli.crops_option import crops_option
from pocketlens.cli.precision_option import precision_option
from pocketlens.compression.settings import FLOAT_BITS, Settings
from pocketlens.compression.story import pack
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.evaluation.lenses import Evaluation, evaluate_lens
from pocketlens.images.views import Crops
from pocketlens.importers.ccv.reader import is_ccv
from pocketlens.importers.reader import read_model
from pocketlens.lensfile.writer import add_receipt


@click.command(name="eval")
@click.argument("lens", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--against", metavar="float|FILE",
              help="Pair with the float original (looked for beside the lens and in the current "
              "folder), or with an ONNX or lens file.")  # fmt: skip
@crops_option
@click.option("--threads", type=int, help="Threads of the core.  [default: 1]")
@precision_option
@click.option("--no-receipt", is_flag=True, help="Leave the lens as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    lens: Path,
    data: Path,
    against: str | None,
    crops: Crops,
    threads: int | None,
    precision: str | None,
    no_receipt: bool,
    as_json: bool,
) -> None:
    """Measure LENS's missing rates on DATA and keep the receipt in the lens (a network of ccv's is
    measured as well, and keeps none).

    DATA is a folder with one folder a class, a folder with a labels.csv, or an .npz with
    `images` and `labels`.

    \b
    pocketlens eval model.lens photos/val
    pocketlens eval model.lens photos/val --against float
    pocketlens eval model.lens cifar10.npz --against model.onnx --json
    """
    with ExitStack() as stack, progress_bar(hidden=as_json) as progress:
        opened = stack.enter_context(open_lens(lens, threads=threads, precision=precision))
        other = name = None
        if against is not None:
            other, name = _other(against, opened, lens, threads=threads)
            stack.enter_context(other)
        dataset = open_dataset(data, opened.labels, progress=progress)
        evaluation = evaluate_lens(
            opened,
            dataset,
            against=other,
            against_name=name,
            crops=crops,
            threads=threads or 1,
            progress=progress,
        )
    seen = seen_before(dataset.photo_sha256, _told(opened))
    kept = not (no_receipt or is_ccv(lens))
    if kept:
        add_receipt(lens, evaluation.receipt)
    if as_json:
        print_json({**_as_json(evaluation), "fitted_to": seen[0], "chosen_by": seen[1]})
    else:
        _print(evaluation, rule=dataset.rule, kept=kept, lens=lens)
    if any(seen):
        click.echo(_warning(*seen, of=len(dataset)), err=True)


def _told(opened: Lens) -> dict[str, Any]:
    """What the lens says of how it was made; nothing where that is no JSON object."""
    try:
        told = json.loads(opened.contents.provenance.settings)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _warning(fitted: int, chosen: int, *, of: int) -> str:
    by = f" and chosen by {chosen:,} more" if chosen else ""
    return (
        f"Of these {of:,} photos the lens was fitted to {fitted:,}{by}, which flatters it a "
        "little; photos that it never saw say more."
    )


def _other(against: str, opened: Lens, lens: Path, *, threads: int | None) -> tuple[Lens, str]:
    """What to pair with, ready to run in float32, and what the receipt calls it."""
    path = _float_original(opened, lens) if against == "float" else Path(against)
    if path.suffix == ".lens":
        return open_lens(path, threads=threads, precision="fp32"), path.name
    settings = Settings(bits=FLOAT_BITS)
    contents = pack(
        read_model(path), settings=settings, recipe=opened.contents.recipe, labels=opened.labels
    )
    return Lens(contents, threads=threads, precision="fp32"), f"{path.name} float32"


def _float_original(opened: Lens, lens: Path) -> Path:
    """The file that the lens was made from, found by name and known by its SHA-256."""
    provenance = opened.contents.provenance
    seen = []
    for folder in dict.fromkeys((lens.absolute().parent, Path.cwd())):
        path = folder / provenance.source_name
        if not provenance.source_name or not path.is_file():
            continue
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise cannot_read(path, error) from error
        if digest == provenance.source_sha256:
            return path
        seen.append(str(path))
    found = f" ({', '.join(seen)} is another file)" if seen else ""
    raise UsageError(
        f"The float original '{provenance.source_name}' is neither beside '{lens}' nor in the "
        f"current folder{found}. Give its path: --against path/to/model.onnx.",
        slug="no-float-original",
    )


def _as_json(evaluation: Evaluation) -> dict[str, Any]:
    measured, other, comparison = (
        evaluation.measurement, evaluation.other, evaluation.comparison)  # fmt: skip
    document: dict[str, Any] = {
        "dataset": measured.dataset,
        "dataset_sha256": measured.dataset_sha256,
        "n": measured.n,
        "crops": evaluation.receipt.crops,
        "engine": evaluation.receipt.engine,
        "top1_right": measured.n - measured.top1_wrong,
        "top1_missing": measured.top1_missing,
        "top1_interval": measured.top1_interval,
        "top5_right": None if measured.top5_wrong is None else measured.n - measured.top5_wrong,
        "top5_missing": measured.top5_missing,
        "top5_interval": measured.top5_interval,
    }
    if other is not None and comparison is not None:
        document["against"] = {
            "name": evaluation.receipt.against,
            "top1_right": other.n - other.top1_wrong,
            "top1_missing": other.top1_missing,
            "top5_right": None if other.top5_wrong is None else other.n - other.top5_wrong,
            "top5_missing": other.top5_missing,
            "difference": comparison.difference,
            "difference_interval": comparison.interval,
            "flips": comparison.flips,
            "lost": comparison.lost,
            "won": comparison.won,
            "p_value": comparison.p_value,
        }
    return document


def _print(evaluation: Evaluation, *, rule: str, kept: bool, lens: Path) -> None:
    console = Console()
    measured, other = evaluation.measurement, evaluation.other
    console.print(f"{measured.dataset}: {measured.n} photos, {rule}; missing rates with their "
                  "95% intervals")  # fmt: skip
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("top-1 missing", justify="right")
    table.add_column("top-5 missing", justify="right")
    rows = [(str(lens.name), measured)]
    if other is not None:
        rows.append((evaluation.receipt.against, other))
    for name, each in rows:
        top5 = "" if each.top5_missing is None else rate_text(each.top5_missing, each.top5_interval)
        table.add_row(name, rate_text(each.top1_missing, each.top1_interval), top5)
    console.print(table)
    comparison = evaluation.comparison
    if comparison is not None:
        low, high = comparison.interval
        console.print(
            f"difference {comparison.difference:+.2f} points ({low:+.2f} to {high:+.2f}); "
            f"{comparison.flips} of {measured.n} answers changed, {comparison.lost} lost, "
            f"{comparison.won} won"
        )
    if kept:
        console.print(f"The receipt is in '{lens}'.")
