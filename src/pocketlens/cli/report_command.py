"""`pocketlens report`: a page about a lens."""

from __future__ import annotations

from pathlib import Path

import click

from pocketlens.base.errors import UsageError
from pocketlens.base.files import beside, cannot_read, keep_apart, write_text
from pocketlens.classify.lens import Lens
from pocketlens.cli.console import progress_bar, size_text
from pocketlens.cli.inspect_command import tensor_rows
from pocketlens.cli.loss_options import loss_options, losses_from
from pocketlens.importers.contents import read_contents
from pocketlens.report.lens_page import lens_page
from pocketlens.sweep.ledger import LEDGER, Ledger
from pocketlens.sweep.points import LeftOut
from pocketlens.sweep.table import Row, rows_about


@click.command(name="report")
@click.argument("lens", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path),
              help="Where the page goes.  [default: LENS with the ending .html]")  # fmt: skip
@click.option("--sweep", type=click.Path(path_type=Path),
              help="Folder of a sweep of the same original: adds its curve and table.")  # fmt: skip
@loss_options
def command(
    lens: Path,
    out: Path | None,
    sweep: Path | None,
    original: Path | None,
    photos: Path | None,
) -> None:
    """Write a page about LENS: fates, palettes, planes, receipts, and which layer hurts.

    The page is one HTML file that needs nothing else. What each layer costs the answers is known
    to a lens by rate and distortion; with the original and photos it is measured for any lens.

    \b
    pocketlens report model.lens
    pocketlens report model.lens -o page.html --sweep model.sweep/
    pocketlens report model.lens --original model.onnx --photos photos/
    """
    target = out or beside(lens, ".html")
    keep_apart(lens, target)
    contents = read_contents(lens)
    rows: tuple[Row, ...] = ()
    left_out: list[LeftOut] = []
    if sweep is not None:
        rows, left_out = _swept(sweep, contents.provenance.source_sha256, lens)
    with Lens(contents) as opened:
        memory = opened.memory()
    with progress_bar() as progress:
        losses = losses_from(contents, original, photos, progress=progress)
    page = lens_page(
        contents,
        file_bytes=lens.stat().st_size,
        layers=tensor_rows(contents, losses=losses),
        memory=memory,
        losses=losses,
        sweep=rows,
        left_out=left_out,
    )
    write_text(target, page)
    click.echo(f"The page: {target} ({size_text(target.stat().st_size)})")


def _swept(folder: Path, source_sha256: str, lens: Path) -> tuple[tuple[Row, ...], list[LeftOut]]:
    """What a sweep says about the lens's original."""
    if not (folder / LEDGER).is_file():
        raise cannot_read(folder / LEDGER, FileNotFoundError())
    ledger = Ledger(folder)
    rows = rows_about(ledger, source_sha256)
    if not rows:
        raise UsageError(
            f"The sweep in '{folder}' is not of the model that '{lens}' was made from. "
            "Name the folder of that model's sweep.",
            slug="sweep-of-another-model",
        )
    return rows, ledger.left_out.get(source_sha256, [])
