"""`pocketlens app`: a lens as a folder of static files that a phone opens."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pocketlens.app.site import SiteFile, write_site
from pocketlens.cli.console import print_json, progress_bar, size_text
from pocketlens.lensfile.reader import read_lens


@click.command(name="app")
@click.argument("lens", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True,
              help="Folder of the site: new, empty, or a site that is replaced.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(lens: Path, out: Path, as_json: bool) -> None:
    """Make a page of LENS that names what a phone's camera sees, offline.

    The folder can be put on any web host that has HTTPS. A phone opens it, can install it to its
    home screen, and from then on needs no network; no picture leaves it. `pocketlens.js` in it is
    for pages of your own.

    \b
    pocketlens app model.lens -o site/
    """
    contents = read_lens(lens)
    with progress_bar(hidden=as_json) as progress:
        files = write_site(contents, out, progress=progress)
    if as_json:
        print_json({"folder": str(out), "files": [asdict(file) for file in files]})
        return
    Console(highlight=False).print(_table(files))
    click.echo(f"The site: {out}. Put it on a host with HTTPS, or try `pocketlens serve {lens}`.")


def _table(files: tuple[SiteFile, ...]) -> Table:
    table = Table("part", "files", "bytes", "as sent (gzip)", box=None)
    parts = {
        "page": [file for file in files if not file.is_model and not file.path.endswith(".wasm")],
        "core (two builds)": [file for file in files if file.path.endswith(".wasm")],
        "model": [file for file in files if file.is_model],
        "all": list(files),
    }
    for name, group in parts.items():
        sizes = (sum(file.bytes for file in group), sum(file.gzip_bytes for file in group))
        table.add_row(name, str(len(group)), *map(size_text, sizes))
    return table
