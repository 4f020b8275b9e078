"""The functions of the public door: plain arguments in, rooms below do the work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pocketlens.base.progress import Progress, silent
from pocketlens.classify.lens import Lens, open_lens
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import compress as _compress
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.evaluation.lenses import Evaluation, evaluate_lens
from pocketlens.images.recipe import Recipe
from pocketlens.labels.files import read_labels
from pocketlens.labels.labels import Label


def compress(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    bits: int = 8,
    palette_size: int | None = None,
    group_rows: int | None = None,
    crush: int | None = 4,
    recipe: Recipe | str | None = None,
    labels: Sequence[Label | str] | str | os.PathLike[str] | None = None,
    name: str | None = None,
    licence: str | None = None,
    progress: Progress = silent,
) -> Lens:
    """Make a lens file from a trained model and open it.

    model         an ONNX file
    out           where the lens goes; replaced whole or not at all
    bits          1 to 8: palettes of 2^bits values; 16: half precision; 32: float
    palette_size  values in a palette, 2 to 256, in place of 2^bits
    group_rows    outputs that share a palette; None: one palette a tensor
    crush         effort of the PNG optimiser, 0 to 6; None: leave it out
    recipe        a Recipe or a preset's name; None: the preset 'imagenet'
    labels        names, or a file of them; None: what the model says, else numbers
    progress      told how far the work is

    Raises ModelError, UsageError, FileError, MissingExtraError.
    """
    settings = Settings(bits=bits, palette_size=palette_size, group_rows=group_rows, crush=crush)
    _compress(
        Path(model),
        Path(out),
        settings=settings,
        recipe=recipe,
        labels=_labels(labels),
        name=name,
        licence=licence,
        progress=progress,
    )
    return open_lens(out)


def evaluate(
    lens: Lens | str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    against: Lens | None = None,
    crops: int = 1,
    progress: Progress = silent,
) -> Evaluation:
    """Measure a lens's missing rates on labelled photos.

    lens     an open Lens or a lens file
    data     an ImageFolder, a folder with labels.csv, or an .npz with images and labels
    against  another open Lens of the same classes, for a paired comparison
    crops    views averaged: 1, 5 or 10

    Raises DataError, ImageError, LensFileError.
    """
    if isinstance(lens, Lens):
        dataset = open_dataset(Path(data), lens.labels)
        return evaluate_lens(lens, dataset, against=against, crops=crops, progress=progress)
    with open_lens(lens) as opened:
        dataset = open_dataset(Path(data), opened.labels)
        return evaluate_lens(opened, dataset, against=against, crops=crops, progress=progress)


def _labels(
    labels: Sequence[Label | str] | str | os.PathLike[str] | None,
) -> tuple[Label, ...] | None:
    if labels is None:
        return None
    if isinstance(labels, (str, os.PathLike)):
        return read_labels(Path(labels))
    return tuple(label if isinstance(label, Label) else Label(label) for label in labels)
