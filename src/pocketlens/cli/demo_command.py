"""`pocketlens demo`: the bundled lens at work on real photos, and a page about it."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pocketlens._bundled import BUNDLED_LENS
from pocketlens.base.errors import MissingExtraError, UsageError
from pocketlens.base.files import cannot_write, write_text
from pocketlens.base.progress import Progress
from pocketlens.classify.lens import Lens, open_lens
from pocketlens.cli.console import progress_bar, size_text
from pocketlens.cli.inspect_command import tensor_rows
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack, unpack
from pocketlens.images.decode import open_image
from pocketlens.importers.imported import Imported
from pocketlens.importers.reader import read_model
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.writer import write_lens
from pocketlens.report.demo_page import PhotoRow, SizeRow, demo_page

PACKAGE_PHOTOS = (
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/rocket.jpg"),
)
"""Real photos that come inside scikit-image's and scikit-learn's packages."""

WIDTHS_BITS = (32, 16, 8, 4, 2)


@click.command(name="demo")
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path, file_okay=False),
              default=Path("pocketlens-demo"), show_default=True,
              help="Folder for the page.")  # fmt: skip
@click.option("--model", type=click.Path(path_type=Path),
              help="The float ONNX model to compress at 32, 16, 8, 4 and 2 bits.  "
              "[default: the bundled lens's own weights]")  # fmt: skip
def command(photos: tuple[Path, ...], out: Path, model: Path | None) -> None:
    """Classify PHOTOS (or sample photos) with the bundled lens and write a page about it.

    \b
    pocketlens demo
    pocketlens demo holiday.jpg cat.jpg --out page/
    """
    chosen = photos or package_photos()
    console = Console()
    with open_lens(BUNDLED_LENS) as lens:
        rows = [PhotoRow(p.name, open_image(p), lens.classify(p, top=3, crops=10)) for p in chosen]
    contents = read_lens(BUNDLED_LENS)
    _print_photos(console, rows)
    # Palettes that a model came with are set aside, for it is coded anew at every width.
    imported = replace(read_model(model), palettes={}) if model else unpack(contents)
    source = f"'{imported.source_name}'" if model else "the bundled lens's own weights"
    with progress_bar() as progress:
        sizes = measure_sizes(imported, contents, rows, progress=progress)
    _print_sizes(console, sizes, source=source)
    page = demo_page(
        contents,
        file_bytes=BUNDLED_LENS.stat().st_size,
        photos=rows,
        sizes=sizes,
        source=source,
        layers=tensor_rows(contents),
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    write_text(out / "index.html", page)
    console.print(f"\nThe page: {out / 'index.html'}")


def package_photos() -> tuple[Path, ...]:
    """The sample photos' files. Raises MissingExtraError where the packages are not installed."""
    found = []
    for package, name in PACKAGE_PHOTOS:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError("The demo's sample photos", "demo")
        path = Path(spec.submodule_search_locations[0]) / name
        if not path.is_file():
            raise UsageError(
                f"The installed {package} has no sample photo '{name}'; "
                "name photos of your own: pocketlens demo PHOTO...",
                slug="no-sample-photo",
            )
        found.append(path)
    return tuple(found)


def measure_sizes(
    imported: Imported, like: LensContents, rows: list[PhotoRow], *, progress: Progress
) -> list[SizeRow]:
    """Compress at every width, write the file, and compare the first answers with 32 bits."""
    sizes: list[SizeRow] = []
    expected: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, bits in enumerate(WIDTHS_BITS):
            progress("sizes", number, len(WIDTHS_BITS))
            contents = pack(
                imported, settings=Settings(bits=bits), recipe=like.recipe, labels=like.labels
            )
            path = Path(folder) / f"{bits}.lens"
            write_lens(path, contents)
            with Lens(contents) as lens:
                answers = [lens.classify(row.image, top=1)[0].number for row in rows]
            expected = expected or answers
            same = sum(a == b for a, b in zip(answers, expected, strict=True))
            sizes.append(SizeRow(bits, path.stat().st_size, same, len(rows)))
    progress("sizes", len(WIDTHS_BITS), len(WIDTHS_BITS))
    return sizes


def _print_photos(console: Console, rows: list[PhotoRow]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("photo", "answer", "", "then"):
        table.add_column(title)
    for row in rows:
        first, *others = row.answers
        then = ", ".join(f"{answer.label.name} {answer.confidence:.0%}" for answer in others)
        table.add_row(row.name, f"[bold]{first.label.name}[/]", f"{first.confidence:.0%}", then)
    console.print(table)


def _print_sizes(console: Console, sizes: list[SizeRow], *, source: str) -> None:
    console.print(f"\nLens files made from {source}:")
    table = Table(box=None, pad_edge=False)
    for title in ("bits", "file", "same first answer as 32 bits"):
        table.add_column(title, justify="right")
    for row in sizes:
        table.add_row(str(row.bits), size_text(row.file_bytes), f"{row.same} of {row.photos}")
    console.print(table)
