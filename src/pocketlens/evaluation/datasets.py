"""Open a data set, whichever of the three layouts it has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pocketlens.base.errors import DataError, FileError
from pocketlens.base.progress import Progress, silent
from pocketlens.evaluation.arrays import from_npz
from pocketlens.evaluation.dataset import Dataset
from pocketlens.evaluation.folders import LABELS_CSV, from_class_folders, from_labels_csv
from pocketlens.labels.labels import Label

_PARTS = ("train", "val", "valid", "validation", "test", "images")


def open_dataset(
    path: str | os.PathLike[str], labels: Sequence[Label], *, progress: Progress = silent
) -> Dataset:
    """Open photos with known classes; all files are read once, for the fingerprint.

    path    a folder with one folder a class; a folder with a labels.csv in it (or beside it);
            a labels.csv; or an .npz with `images` and `labels`
    labels  of the model that will be measured, one a class: classes are matched to them

    Raises FileError, and DataError 'not-a-dataset', 'empty-dataset', 'unknown-label',
    'photo-missing', 'dataset-csv', 'dataset-not-utf-8', 'dataset-npz', 'npz-pickled' or
    'npz-too-large'.
    """
    place = Path(path)
    if not place.exists():
        raise FileError(
            f"There is no file or folder '{place}'. Check the name.", slug="no-such-file"
        )
    place = place.resolve()
    name = _name_of(place)
    if place.is_dir():
        table = _table_of(place)
        if table is None:
            return from_class_folders(place, labels, name=name, progress=progress)
        return from_labels_csv(table, place, labels, name=name, progress=progress)
    if place.suffix.lower() == ".npz":
        return from_npz(place, labels, name=name, progress=progress)
    if place.suffix.lower() == ".csv":
        folder = place.parent
        return from_labels_csv(
            place, folder, labels, name=_name_of(folder.resolve()), progress=progress
        )
    raise DataError(
        f"'{place}' is not a data set. Expected a folder, a {LABELS_CSV} or an .npz file.",
        slug="not-a-dataset",
    )


def _table_of(folder: Path) -> Path | None:
    """The labels.csv in a folder; or the one beside it, if it has no folders of its own."""
    inside, beside = folder / LABELS_CSV, folder.resolve().parent / LABELS_CSV
    if inside.is_file():
        return inside
    has_folders = any(p.is_dir() and not p.name.startswith(".") for p in folder.iterdir())
    return beside if beside.is_file() and not has_folders else None


def _name_of(place: Path) -> str:
    """For people: 'imagenette2/val' rather than 'val'; without the ending for a file."""
    if place.is_file():
        return place.stem
    if place.name.lower() in _PARTS and place.parent.name:
        return f"{place.parent.name}/{place.name}"
    return place.name
