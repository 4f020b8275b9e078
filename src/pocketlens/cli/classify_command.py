"""`pocketlens classify`: photos in, names out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pocketlens.base.errors import DataError, FileError, ImageError, UsageError
from pocketlens.classify.lens import Answer, Lens, open_lens
from pocketlens.cli.crops_option import crops_option
from pocketlens.cli.precision_option import precision_option
from pocketlens.images.views import Crops

PHOTO_ENDINGS = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm"}
    | {".tif", ".tiff", ".webp"}
)
BAR_CELLS = 24


@click.command(name="classify")
@click.argument("lens", type=click.Path(path_type=Path))
@click.argument("photos", nargs=-1, required=True)
@click.option("--top", default=5, show_default=True, help="Answers for each photo.")
@crops_option
@click.option("--threads", type=int, help="Threads of the core.  [default: 1]")
@precision_option
@click.option("--paths", is_flag=True, help="Name answers from general to specific.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    lens: Path,
    photos: tuple[str, ...],
    top: int,
    crops: Crops,
    threads: int | None,
    precision: str | None,
    paths: bool,
    as_json: bool,
) -> None:
    """Name what is on PHOTOS: picture files, folders of them, or - for standard input.

    \b
    pocketlens classify model.lens cat.jpg
    pocketlens classify model.lens holiday/ --top 1 --json
    pocketlens classify model.lens husky.jpg --paths
    curl -s $URL | pocketlens classify model.lens - --crops 10
    """
    with open_lens(lens, threads=threads, precision=precision) as opened:
        if paths:
            _expect_paths(opened)
        failures = 0
        rows = []
        for name, photo in photos_named(photos):
            try:
                answers = opened.classify(photo, top=top, crops=crops)
            except (ImageError, FileError) as error:
                failures += 1
                click.echo(f"pocketlens: {error}", err=True)
                continue
            if as_json:
                rows.append(_row(name, answers))
            else:
                named = [path_text(answer) if paths else answer.label.name for answer in answers]
                _print_answers(name, answers, named, single=len(photos) == 1)
        if as_json:
            _print_json(opened, rows, crops=crops)
    if failures:
        sys.exit(1 if rows or failures < _count(photos) else 2)


def photos_named(names: tuple[str, ...]) -> Iterator[tuple[str, Path | bytes]]:
    """Each name and what it stands for: a file, the pictures of a folder, or standard input.

    Raises DataError 'no-photos' for a folder without pictures.
    """
    for name in names:
        if name == "-":
            yield "-", sys.stdin.buffer.read()
            continue
        path = Path(name)
        if not path.is_dir():
            yield name, path
            continue
        found = _pictures_in(path)
        if not found:
            raise DataError(
                f"The folder '{name}' holds no pictures ({', '.join(sorted(PHOTO_ENDINGS))}).",
                slug="no-photos",
            )
        yield from ((str(picture), picture) for picture in found)


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PHOTO_ENDINGS and path.is_file()
    )


def _count(names: tuple[str, ...]) -> int:
    return sum(len(_pictures_in(Path(n))) if Path(n).is_dir() else 1 for n in names)


def _row(name: str, answers: list[Answer]) -> dict[str, Any]:
    return {
        "photo": name,
        "answers": [
            {
                "number": answer.number,
                "name": answer.label.name,
                "wnid": answer.label.wnid,
                "path": list(answer.label.path),
                "confidence": round(answer.confidence, 6),
            }
            for answer in answers
        ],
    }


def _print_json(lens: Lens, rows: list[dict[str, Any]], *, crops: Crops) -> None:
    import json

    document = {"lens": lens.name, "engine": lens.engine_name, "crops": crops, "photos": rows}
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _expect_paths(lens: Lens) -> None:
    if not any(label.path for label in lens.labels):
        raise UsageError(
            f"The lens '{lens.name}' knows no paths, only names. Compress its model again with "
            "--synsets, or with labels that have a 'path'.",
            slug="no-paths",
        )


def path_text(answer: Answer) -> str:
    """An answer from general to specific: "animal, beast / dog, domestic dog / Siberian husky".

    The name alone where the lens knows no path.
    """
    return " / ".join((*answer.label.path, answer.label.name))


def _print_answers(name: str, answers: list[Answer], named: list[str], *, single: bool) -> None:
    """Plain text, not rich: rich's import alone would double the time to the first label."""
    if not single:
        click.secho(name, bold=True)
    for answer, words in zip(answers, named, strict=True):
        filled = round(answer.confidence * BAR_CELLS)
        bar = "█" * filled + "░" * (BAR_CELLS - filled)
        click.echo(f"  {answer.confidence:6.1%}  {bar}  {words}".rstrip())
    if not single:
        click.echo()
