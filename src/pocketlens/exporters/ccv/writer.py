"""A lens to a folder that ccv and Klaus can read: the story.

NAME.sqlite3     the network; blobs are in half precision where the lens holds all of them so
layer-N.png      indices of a full connect with a palette, inputs wide, outputs high, 8-bit gray;
                 layer-N-4bit.png where there are at most 16 values, which are 0 to 15 still
NAME.wnid        WordNet ids in the order of the classes, where all have one
NAME.words       names in the order of the classes, where the lens has some
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pocketlens.base.errors import FileError, UsageError
from pocketlens.base.files import cannot_write, replacing_together
from pocketlens.base.progress import Progress, silent
from pocketlens.exporters.ccv.database import write_database
from pocketlens.exporters.ccv.indices import write_indices
from pocketlens.exporters.ccv.picture import picture_of
from pocketlens.exporters.ccv.walk import layers_of
from pocketlens.exporters.ccv.weights import Indexed, weights_of
from pocketlens.labels.labels import Label, numbered
from pocketlens.lensfile.contents import LensContents

FEW_VALUES = 16
"""Up to here Klaus calls a picture 4-bit; its pixels have 8 bits all the same."""
_NAME = re.compile(r"[^/\\\0:]{1,200}")


@dataclass(frozen=True)
class Written:
    """What was written.

    files  the database first
    notes  in what the classifier differs from the lens, sentences
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def write_ccv(
    contents: LensContents, folder: Path, *, name: str, progress: Progress = silent
) -> tuple[Path, ...]:
    """Write a lens as ccv's files. Same contents, same bytes. The database is the first file.

    folder  made where it is missing; files of an earlier export of that name are replaced, all of
            them or none
    name    of the database without its ending
    Raises ModelError 'ccv-cannot-express' where ccv has no such network; UsageError
    'bad-file-name'; FileError 'cannot-write', 'ccv-pictures-taken'.
    """
    return export_ccv(contents, folder, name=name, progress=progress).files


def export_ccv(
    contents: LensContents, folder: Path, *, name: str, progress: Progress = silent
) -> Written:
    """As write_ccv(), with what there is to say about it."""
    _check_name(name)
    layers = layers_of(contents.graph)
    picture = picture_of(contents.recipe, layers)
    weights = weights_of(contents, layers, picture)
    pictures = {
        folder / _picture_name(number, each.weight): (number, each.weight)
        for number, each in weights.items()
        if isinstance(each.weight, Indexed)
    }
    texts = _label_files(contents.labels, folder / name)
    database = database_path(folder, name)
    _make(folder)
    others = _other_pictures(database, {number: path for path, (number, _) in pictures.items()})
    with replacing_together((*pictures, *texts, database), removed=others) as temporaries:
        for done, (path, (_, indexed)) in enumerate(pictures.items()):
            progress("pictures", done, len(pictures))
            write_indices(temporaries[path], indexed.indices)
        for path, text in texts.items():
            temporaries[path].write_text(text, "utf-8", newline="\n")
        write_database(temporaries[database], layers, weights, picture)
    progress("pictures", len(pictures), len(pictures))
    return Written((database, *pictures, *texts), picture.notes)


def database_path(folder: Path, name: str) -> Path:
    """Where the network of that name goes."""
    return folder / f"{name}.sqlite3"


def _picture_name(layer: int, weight: Indexed) -> str:
    return f"layer-{layer}-4bit.png" if len(weight.values) <= FEW_VALUES else f"layer-{layer}.png"


def _label_files(labels: tuple[Label, ...], stem: Path) -> dict[Path, str]:
    files: dict[Path, str] = {}
    if all(label.wnid for label in labels):
        files[stem.with_name(f"{stem.name}.wnid")] = _lines([label.wnid for label in labels])
    if labels != numbered(len(labels)):
        files[stem.with_name(f"{stem.name}.words")] = _lines([label.name for label in labels])
    return files


def _lines(texts: list[str]) -> str:
    return "".join(f"{text}\n" for text in texts)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise UsageError(
            f"The files cannot be called '{name}': expected is a name without folders.",
            slug="bad-file-name",
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _other_pictures(database: Path, pictures: Mapping[int, Path]) -> list[Path]:
    """Pictures of an earlier export for layers that now have one by another name.

    pictures  that are to be written, by layer
    Raises FileError 'ccv-pictures-taken' where there are pictures for these layers and no earlier
    export: their names do not tell whose they are, but they are another network's.
    """
    there = [
        path
        for number in pictures
        for path in sorted(database.parent.glob(f"layer-{number}[!0-9]*"))
        if path.suffix.lower() == ".png"
    ]
    if there and not database.exists():
        raise FileError(
            f"'{there[0]}' is there already, but '{database.name}' is not: the picture belongs to "
            "another network. Choose another folder.",
            slug="ccv-pictures-taken",
        )
    return [path for path in there if path not in pictures.values()]
