"""`pocketlens convert`: a lens in, the files of another program out."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pocketlens.cli.console import print_json, progress_bar, size_text
from pocketlens.exporters.story import FORMATS, convert_lens


@click.command(name="convert")
@click.argument("lens", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Choice(FORMATS), help="Whose files.")
@click.option("--name", help="Of the files.  [default: the lens's file name]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(lens: Path, folder: Path, to: str, name: str | None, as_json: bool) -> None:
    """Write LENS into FOLDER as files of another program.

    To ccv: a database that its convnets read, and beside it the palette indices of full connects
    as PNG pictures, as Klaus had them. Only networks that ccv can compute: a chain of
    convolutions with max(x, 0), pools and norms, then full connects.

    \b
    pocketlens convert model.lens --to ccv files/
    pocketlens convert model.lens --to ccv files/ --name klaus
    """
    with progress_bar(hidden=as_json) as progress:
        written = convert_lens(lens, folder, to=to, name=name, progress=progress)
    sizes = {path: path.stat().st_size for path in written.files}
    if as_json:
        files = [{"file": str(path), "bytes": size} for path, size in sizes.items()]
        print_json({"lens": str(lens), "to": to, "files": files, "notes": list(written.notes)})
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for path, size in sizes.items():
        table.add_row(str(path), size_text(size))
    table.add_row("together", size_text(sum(sizes.values())))
    console = Console()
    console.print(table)
    for note in written.notes:
        console.print(note)
