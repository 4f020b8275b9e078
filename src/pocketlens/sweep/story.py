"""A sweep in one readable function: points, photos once, processes, ledger, table."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pocketlens.base.errors import FileError, UsageError
from pocketlens.base.files import cannot_read, cannot_write
from pocketlens.base.progress import Progress, silent
from pocketlens.classify.lens import Lens
from pocketlens.compression.overrides import check_overrides
from pocketlens.compression.recipes import RecipeRequest
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.evaluation.dataset import Dataset
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.graph.graph import Graph
from pocketlens.graph.shapes import weight_names
from pocketlens.images.recipe import Recipe
from pocketlens.importers.imported import Imported
from pocketlens.importers.reader import read_model
from pocketlens.labels.labels import Label
from pocketlens.lensfile.contents import LensContents
from pocketlens.sweep.bench import Bench, sha256_of
from pocketlens.sweep.ledger import Entry, Ledger, Timing
from pocketlens.sweep.points import (
    LeftOut,
    Point,
    float_point,
    usual_points,
    without_repeats,
)
from pocketlens.sweep.sights import remove_sights, write_sights
from pocketlens.sweep.table import Row, rows_of
from pocketlens.sweep.timing import least_milliseconds
from pocketlens.sweep.views import Views, input_of, views_at, write_views
from pocketlens.sweep.worker import measure_points


@dataclass(frozen=True)
class Sweep:
    """The table, and what it was measured on.

    rows      in the order of the points, the float network first
    left_out  rows that this network cannot have
    measured  how many points were measured now; the others were in the ledger
    dataset   the photos
    contents  of the float lens: name, recipe, labels
    """

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    measured: int
    dataset: Dataset
    contents: LensContents


def sweep(
    model: Path,
    data: Path,
    folder: Path,
    *,
    by_hand: Sequence[Point] = (),
    usual: bool = True,
    recipe: Recipe | RecipeRequest | str | None = None,
    labels: tuple[Label, ...] | None = None,
    crush: int | None = 4,
    jobs: int | None = None,
    repeats: int = 20,
    progress: Progress = silent,
) -> Sweep:
    """Compress a network at many sizes and measure each on the same photos.

    model    an ONNX file
    data     labelled photos, as open_dataset takes them
    folder   for the lenses and the ledger; what the ledger has is not measured again
    by_hand  points beside the usual ones; usual=False: instead of them
    crush    of the usual points
    jobs     processes; None: one a core
    repeats  rounds of the timing

    Everything but times is the same on every run. Raises UsageError, ModelError, DataError,
    ImageError, FileError, MissingExtraError. After an interrupt the same call goes on.
    """
    jobs = _checked(jobs, repeats)
    progress("reading the model", 0, 1)
    imported = replace(read_model(model), palettes={})  # to be coded anew at every width
    graph = imported.network.graph
    points, left_out = usual_points(graph, crush=crush) if usual else ([], [])
    points = without_repeats([float_point(crush), *points, *by_hand])
    _check_points(points, graph)
    plain = pack(imported, settings=Settings(bits=32), recipe=recipe, labels=labels)
    ledger = _open_ledger(folder)
    dataset = open_dataset(data, plain.labels, progress=progress)
    bench = _bench(model, plain, dataset, folder, calibration=_calibration(points, data))
    keys = [bench.key(point) for point in points]
    missing = [
        point
        for point, key in zip(points, keys, strict=True)
        if key not in ledger.entries or not bench.holds(ledger.entries[key])
    ]
    untimed = missing or any(key not in ledger.timings for key in keys)
    for row in left_out:
        ledger.add_left_out(bench.model_sha256, row)
    if untimed:
        with _photos(bench.views):
            write_views(bench.views, dataset, plain.recipe, threads=jobs, progress=progress)
            _measure(bench, missing, imported, ledger, jobs=jobs, progress=progress)
            entries = [ledger.entries[key] for key in keys]
            _time(entries, bench, ledger, repeats=repeats, progress=progress)
    entries = [ledger.entries[key] for key in keys]
    rows = rows_of(entries, ledger.timings)
    return Sweep(rows, tuple(left_out), len(missing), dataset, plain)


def _measure(
    bench: Bench,
    missing: Sequence[Point],
    imported: Imported,
    ledger: Ledger,
    *,
    jobs: int,
    progress: Progress,
) -> None:
    """Into the ledger, as they come; photos that points are calibrated on are looked at once."""
    try:
        write_sights(bench.folder, missing, imported, bench.about, threads=jobs, progress=progress)
        for entry in measure_points(bench, missing, jobs=jobs, progress=progress):
            ledger.add(entry)
    finally:
        remove_sights(bench.folder, missing)


def _checked(jobs: int | None, repeats: int) -> int:
    jobs = _cores() if jobs is None else jobs
    if jobs < 1 or repeats < 1:
        raise UsageError(
            f"{jobs} processes and {repeats} rounds of timing were asked for; both are 1 or more.",
            slug="bad-jobs",
        )
    return jobs


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_points(points: Sequence[Point], graph: Graph) -> None:
    """A mistyped name is told before the work."""
    names, weights = graph.tensor_names(), weight_names(graph)
    for point in points:
        check_overrides(point.settings.overrides, tensors=names, weights=weights)


def _open_ledger(folder: Path) -> Ledger:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileError(
            f"'{folder}' is a file; a sweep needs a folder.", slug="not-a-folder"
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    ledger = Ledger(folder)
    ledger.start()
    return ledger


def _calibration(points: Sequence[Point], data: Path) -> str:
    """Fingerprint of the photos that points are calibrated on: none of those that measure."""
    places = {point.price.photos for point in points if point.price is not None} - {None}
    digest = hashlib.sha256()
    for place in sorted(place.resolve() for place in places if place is not None):
        measured = data.resolve()
        if place.is_relative_to(measured) or measured.is_relative_to(place):
            raise UsageError(
                f"'{place}' is to calibrate and '{measured}' to measure, but the one holds the "
                "other: a rate on photos that the palettes were chosen by says too little. "
                "Give different folders.",
                slug="calibration-measures",
            )
        if not place.exists():
            raise cannot_read(place, FileNotFoundError())
        files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
        for sha256 in sorted(map(sha256_of, files)):
            digest.update(f"{sha256}\n".encode())
    return digest.hexdigest() if places else ""


def _bench(
    model: Path, plain: LensContents, dataset: Dataset, folder: Path, *, calibration: str
) -> Bench:
    names = "\n".join(map(dataset.name_of, range(len(dataset))))
    order_sha256 = hashlib.sha256(names.encode()).hexdigest()
    photos = f"{dataset.sha256} {order_sha256} {plain.recipe!r}"
    cache = f".views-{hashlib.sha256(photos.encode()).hexdigest()[:16]}.bin"
    with Lens(plain, threads=1) as lens:
        engine = lens.engine_name
    return Bench(
        model=model,
        model_sha256=plain.provenance.source_sha256,
        recipe=plain.recipe,
        labels=plain.labels,
        views=views_at(folder / cache, plain.recipe),
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        classes=dataset.classes,
        engine=engine,
        order_sha256=order_sha256,
        calibration=calibration,
        folder=folder,
    )


@contextmanager
def _photos(views: Views) -> Iterator[None]:
    """The decoded photos are gone afterwards, whatever happens but a kill."""
    try:
        yield
    finally:
        views.path.unlink(missing_ok=True)


def _time(
    entries: Sequence[Entry], bench: Bench, ledger: Ledger, *, repeats: int, progress: Progress
) -> None:
    view = bench.views.opened()(0)
    inputs = input_of(view, bench.recipe)
    lenses = [bench.folder / entry.lens for entry in entries]
    times = least_milliseconds(lenses, inputs, repeats=repeats, progress=progress)
    for entry, milliseconds in zip(entries, times, strict=True):
        ledger.add_timing(Timing(entry.key, milliseconds, repeats))
