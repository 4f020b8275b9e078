"""Data sets of photo files: a folder for each class, or a folder with a labels.csv."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pocketlens.base.errors import DataError
from pocketlens.base.files import cannot_read
from pocketlens.base.progress import Progress
from pocketlens.evaluation.dataset import Dataset, fingerprint
from pocketlens.images.decode import open_image
from pocketlens.labels.labels import Label
from pocketlens.labels.match import match

LABELS_CSV = "labels.csv"
LABEL_COLUMNS = ("wnid", "index", "label", "name")
PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"}
    | {".jp2", ".avif"}
)


def from_class_folders(
    folder: Path, labels: Sequence[Label], *, name: str, progress: Progress
) -> Dataset:
    """ImageFolder layout: `folder/<class>/**/photo`; other files are left aside.

    Folder names are matched by WordNet id, name or number; where none is known and there are
    as many folders as classes, they are taken in sorted order, as torchvision does.
    Raises DataError 'empty-dataset', 'not-a-dataset' or 'unknown-label'; FileError.
    """
    folders = {sub.name: _photos_in(sub) for sub in _subfolders(folder)}
    if not folders:
        raise DataError(
            f"'{folder}' has neither a {LABELS_CSV} nor a folder for each class, so nothing "
            "says what its photos show. Expected one of the two.",
            slug="not-a-dataset",
        )
    filled = {word: photos for word, photos in folders.items() if photos}
    if not filled:
        raise DataError(
            f"There are no photos in the {len(folders)} folders of '{folder}'. "
            f"Expected files ending in {', '.join(sorted(PHOTO_SUFFIXES))}.",
            slug="empty-dataset",
        )
    found = match(labels, tuple(filled), where=f"the folders of '{folder}'", otherwise="sorted")
    files: list[Path] = []
    classes: list[int] = []
    for number, photos in zip(found.classes, filled.values(), strict=True):
        files += photos
        classes += [number] * len(photos)
    rule = f"folders {found.in_words()}"
    return _from_files(folder, files, classes, name=name, rule=rule, progress=progress)


def from_labels_csv(
    csv_file: Path, folder: Path, labels: Sequence[Label], *, name: str, progress: Progress
) -> Dataset:
    """A table with a column `file` and one of `wnid`, `index`, `label` or `name`.

    Of several such columns the first in this order is taken; `wnid` only if the labels have
    WordNet ids. `index` is a class number from 0. Files lie in `folder` or in one of its
    folders. Other columns are ignored.
    Raises DataError 'dataset-csv', 'dataset-not-utf-8', 'photo-missing', 'empty-dataset' or
    'unknown-label'; FileError.
    """
    rows = _read_rows(csv_file)
    column = _label_column(rows[0], labels, csv_file)
    words = [_cell(row, column, line, csv_file) for line, row in enumerate(rows, start=2)]
    where = f"the column '{column}' of '{csv_file}'"
    if column == "index":
        classes, rule = _class_numbers(words, len(labels), where), "taken as class numbers"
    else:
        distinct = tuple(dict.fromkeys(words))
        found = match(labels, distinct, where=where)
        known = dict(zip(distinct, found.classes, strict=True))
        classes, rule = [known[word] for word in words], found.in_words()
    names = [_cell(row, "file", line, csv_file) for line, row in enumerate(rows, start=2)]
    files = _located(names, folder, csv_file)
    rule = f"column '{column}' {rule}"
    return _from_files(folder, files, classes, name=name, rule=rule, progress=progress)


def _from_files(
    folder: Path,
    files: Sequence[Path],
    classes: Sequence[int],
    *,
    name: str,
    rule: str,
    progress: Progress,
) -> Dataset:
    hashes = []
    for number, file in enumerate(files):
        progress("reading the data set", number, len(files))
        hashes.append(_sha256_of(file))
    progress("reading the data set", len(files), len(files))
    return Dataset(
        name=name,
        rule=rule,
        sha256=fingerprint(zip(hashes, classes, strict=True)),
        classes=tuple(classes),
        photo_of=lambda number: open_image(files[number]),
        name_of=lambda number: files[number].relative_to(folder).as_posix(),
        photo_sha256=tuple(hashes),
        file_of=lambda number: files[number],
    )


def _sha256_of(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise cannot_read(file, error) from error


def _subfolders(folder: Path) -> list[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise cannot_read(folder, error) from error
    return [path for path in inside if path.is_dir() and not path.name.startswith(".")]


def _photos_in(folder: Path) -> list[Path]:
    """All photos below a folder, sorted by path; hidden files and folders are left aside."""
    photos: list[Path] = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        photos += [
            Path(place, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES
        ]
    return sorted(photos)


def _read_rows(csv_file: Path) -> list[Mapping[str, str | None]]:
    try:
        content = csv_file.read_bytes()
    except OSError as error:
        raise cannot_read(csv_file, error) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"'{csv_file}' is not UTF-8: byte 0x{content[error.start]:02x} in line {line}. "
            "Save it as UTF-8.",
            slug="dataset-not-utf-8",
        ) from error
    try:
        rows: list[Mapping[str, str | None]] = list(
            csv.DictReader(io.StringIO(text, newline=""), strict=True)
        )
    except csv.Error as error:
        raise _bad_csv(csv_file, f"its CSV is broken ({error})") from error
    if not rows:
        raise DataError(
            f"'{csv_file}' lists no photos. Expected a header and one row a photo.",
            slug="empty-dataset",
        )
    if "file" not in rows[0]:
        raise _bad_csv(csv_file, "its first line has no column 'file'")
    return rows


def _label_column(row: Mapping[str, str | None], labels: Sequence[Label], csv_file: Path) -> str:
    has_wnids = any(label.wnid for label in labels)
    usable = [c for c in LABEL_COLUMNS if c in row and (c != "wnid" or has_wnids)]
    if usable:
        return usable[0]
    if "wnid" in row:
        raise _bad_csv(
            csv_file, "it names classes by 'wnid' only, but the labels have no WordNet ids"
        )
    raise _bad_csv(csv_file, "its first line has no column 'wnid', 'index', 'label' or 'name'")


def _cell(row: Mapping[str, str | None], column: str, line: int, csv_file: Path) -> str:
    value = (row[column] or "").strip()
    if not value:
        raise _bad_csv(csv_file, f"photo {line - 1} has nothing in the column '{column}'")
    return value


def _class_numbers(words: Sequence[str], classes: int, where: str) -> list[int]:
    for word in words:
        if not (word.isascii() and word.isdecimal() and len(word) < 10 and int(word) < classes):
            raise DataError(
                f"In {where}, '{word}' is not one of the class numbers 0 to {classes - 1}. "
                "Is this data set for another model?",
                slug="unknown-label",
            )
    return [int(word) for word in words]


def _located(names: Sequence[str], folder: Path, csv_file: Path) -> list[Path]:
    """Where each file lies: in the folder, or else in exactly one of its folders."""
    subfolders = _subfolders(folder)
    files = []
    for name in names:
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts:
            raise _bad_csv(csv_file, f"'{name}' points out of the folder")
        found = [folder / name] if (folder / name).is_file() else []
        found = found or [sub / name for sub in subfolders if (sub / name).is_file()]
        if not found:
            raise DataError(
                f"'{csv_file}' lists '{name}', but there is no such file in '{folder}' or its "
                "folders. Copy it there or take the row out.",
                slug="photo-missing",
            )
        if len(found) > 1:
            raise _bad_csv(csv_file, f"'{name}' lies in two folders, '{found[0]}' and '{found[1]}'")
        files.append(found[0])
    return files


def _bad_csv(csv_file: Path, why: str) -> DataError:
    return DataError(
        f"'{csv_file}' cannot be used: {why}. Expected columns 'file' and one of "
        f"{', '.join(LABEL_COLUMNS)}, and a row for each photo.",
        slug="dataset-csv",
    )
