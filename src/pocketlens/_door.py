"""The functions of the public door: plain arguments in, rooms below do the work."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pocketlens.base.files import keep_apart
from pocketlens.base.progress import Progress, silent
from pocketlens.classify.lens import Lens, open_lens
from pocketlens.compression.about import About
from pocketlens.compression.price import asked_price
from pocketlens.compression.priced import compress_at_price
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import compress_imported
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.evaluation.lenses import Evaluation, evaluate_lens
from pocketlens.exporters.story import convert_lens
from pocketlens.images.recipe import Recipe
from pocketlens.images.views import Crops
from pocketlens.importers.reader import read_model
from pocketlens.labels.files import read_labels
from pocketlens.labels.labels import Label
from pocketlens.labels.order import checked_wnids, read_wnids
from pocketlens.labels.synsets import Synsets, read_synsets
from pocketlens.tuning.finish import asked_tuning


def compress(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    bits: int | None = None,
    palette_size: int | None = None,
    group_rows: int | None = None,
    max_size: int | str | None = None,
    max_drop: float | None = None,
    lagrangian: float | None = None,
    photos: str | os.PathLike[str] | None = None,
    tune: bool | int = False,
    seed: int = 0,
    threads: int = 1,
    crush: int | None = 4,
    recipe: Recipe | str | None = None,
    labels: Sequence[Label | str] | str | os.PathLike[str] | None = None,
    wnids: Sequence[str] | str | os.PathLike[str] | None = None,
    synsets: str | os.PathLike[str] | None = None,
    name: str | None = None,
    licence: str | None = None,
    planes: Mapping[int, str | os.PathLike[str]] | None = None,
    progress: Progress = silent,
) -> Lens:
    """Make a lens file from a trained model and open it.

    model         an ONNX file, or an SQLite file of ccv's
    out           where the lens goes; replaced whole or not at all
    crush         effort of the PNG optimiser, 0 to 6; None: leave it out
    recipe        a Recipe or a preset's name; None: what the model says (ccv's does), else the
                  preset 'imagenet'
    labels        names, or a file of them; None: what the model says, else numbers
    wnids         WordNet ids in the order of the classes, or a file of them: labels with ids may
                  then have any order
    synsets       tree of synsets as XML that gives labels with ids their paths
    planes        PNG pictures of weights by layer, {10: "layer-10-4bit.png"}, of a network of
                  ccv's; those not named are looked for beside it
    progress      told how far the work is

    Weights that are palette and indices already, as those pictures are, stay so with the widths;
    by rate and distortion the network is coded anew from its values.

    With the same width for all weights:
    bits          1 to 8: palettes of 2^bits values; 16: half precision; 32: float; None: 8
    palette_size  values in a palette, 2 to 256, in place of 2^bits
    group_rows    outputs that share a palette; None: one palette a tensor

    Or by rate and distortion, with bits where they buy most:
    max_size      the file is at most this large: bytes, or text such as "350kB"
    max_drop      the smallest file that loses no more, at 95% confidence: points of top-1 where
                  the photos are labelled, else percent of first answers unlike the float
                  network's; the receipt in the lens is of photos that nothing was chosen by
    lagrangian    nats a photo that a bit may cost, in place of these two
    photos        to calibrate on, and for max_drop to choose and measure on: a folder or an .npz
    tune          then train palettes and biases: True for some minutes, or so many passes; torch
    seed          of what is drawn by chance
    threads       the result is the same for any number

    Raises ModelError, UsageError, DataError, ImageError, FileError, MissingExtraError.
    """
    source, target = Path(model), Path(out)
    about = About(recipe, _labels(labels), name, licence, _wnids(wnids), _synsets(synsets))
    price = asked_price(
        size=max_size, drop_points=max_drop, lagrangian=lagrangian, photos=_path(photos), seed=seed,
        threads=threads,
        widths=_said(bits=bits, palette_size=palette_size, group_rows=group_rows),
    )  # fmt: skip
    tuning = asked_tuning(tune, price)
    settings = Settings(8 if bits is None else bits, palette_size, group_rows, crush)
    keep_apart(source, target)
    pictures = None if planes is None else {int(layer): Path(planes[layer]) for layer in planes}
    imported = read_model(source, planes=pictures)
    if price is None:
        compress_imported(imported, target, settings=settings, about=about, progress=progress)
    else:
        compress_at_price(imported, target, price=price, crush=crush, about=about, finish=tuning,
                          progress=progress)  # fmt: skip
    return open_lens(out)


def evaluate(
    lens: Lens | str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    against: Lens | None = None,
    crops: Crops = 1,
    progress: Progress = silent,
) -> Evaluation:
    """Measure a lens's missing rates on labelled photos.

    lens     an open Lens or a lens file
    data     an ImageFolder, a folder with labels.csv, or an .npz with images and labels
    against  another open Lens of the same classes, for a paired comparison
    crops    views averaged: 1, 5 or 10; "slide": every position on the whole photo; "ccv10" or
             "ccv5": windows as ccv has them

    Raises DataError, ImageError, LensFileError.
    """
    if isinstance(lens, Lens):
        dataset = open_dataset(Path(data), lens.labels)
        return evaluate_lens(lens, dataset, against=against, crops=crops, progress=progress)
    with open_lens(lens) as opened:
        dataset = open_dataset(Path(data), opened.labels)
        return evaluate_lens(opened, dataset, against=against, crops=crops, progress=progress)


def convert(
    lens: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    to: str,
    name: str | None = None,
    progress: Progress = silent,
) -> tuple[Path, ...]:
    """Write a lens file as files of another program.

    lens      a lens file
    folder    where the files go; made where it is missing
    to        "ccv": a database that ccv's convnets read, PNG pictures of palette indices beside it
    name      of the files; None: the lens file's, without its ending
    progress  told how far the work is
    returns   what was written, the database first

    Raises ModelError 'ccv-cannot-express' where ccv has no such network; UsageError,
    LensFileError, FileError.
    """
    return convert_lens(Path(lens), Path(folder), to=to, name=name, progress=progress).files


def _said(**options: object) -> list[str]:
    """The names of options that were given."""
    return [name for name, value in options.items() if value is not None]


def _labels(
    labels: Sequence[Label | str] | str | os.PathLike[str] | None,
) -> tuple[Label, ...] | None:
    if labels is None:
        return None
    if isinstance(labels, (str, os.PathLike)):
        return read_labels(Path(labels))
    return tuple(label if isinstance(label, Label) else Label(label) for label in labels)


def _wnids(wnids: Sequence[str] | str | os.PathLike[str] | None) -> tuple[str, ...] | None:
    if isinstance(wnids, (str, os.PathLike)):
        return read_wnids(Path(wnids))
    return None if wnids is None else checked_wnids(wnids, where="'wnids'")


def _synsets(synsets: str | os.PathLike[str] | None) -> Synsets | None:
    return None if synsets is None else read_synsets(Path(synsets))


def _path(path: str | os.PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)
