"""One point of a sweep, from the original's weights to its answers on every photo."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens._version import __version__
from pocketlens.base.errors import ModelError
from pocketlens.base.files import cannot_read
from pocketlens.classify.lens import Lens, open_lens, softmax
from pocketlens.compression.about import About
from pocketlens.compression.priced import compress_at_price
from pocketlens.compression.story import pack
from pocketlens.evaluation.accuracy import ScoresOf, measure
from pocketlens.evaluation.dataset import Dataset
from pocketlens.images.recipe import Recipe
from pocketlens.importers.imported import Imported
from pocketlens.importers.reader import read_model
from pocketlens.labels.labels import Label
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.writer import write_lens
from pocketlens.planes.decode import decode_png
from pocketlens.planes.plane import Plane
from pocketlens.planes.png import write_png
from pocketlens.sweep.ledger import Entry
from pocketlens.sweep.points import Point
from pocketlens.sweep.sights import read_sight
from pocketlens.sweep.views import Views, input_of

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Bench:
    """What all points of a sweep share; goes to other processes whole.

    model           the original's file, and its SHA-256
    recipe, labels  as every lens gets them
    views           of the photos, in the order of `classes`
    dataset         name for people, and its fingerprint
    classes         class number of each photo
    engine          what measures: "core avx512"
    order_sha256    of the photos' names in their order: answers are paired by it
    calibration     fingerprint of the photos for points by rate and distortion; "" without
    folder          where the lenses go
    """

    model: Path
    model_sha256: str
    recipe: Recipe
    labels: tuple[Label, ...]
    views: Views
    dataset: str
    dataset_sha256: str
    classes: tuple[int, ...]
    engine: str
    order_sha256: str
    calibration: str
    folder: Path

    @property
    def about(self) -> About:
        """What every lens says beside its network."""
        return About(self.recipe, self.labels)

    def key(self, point: Point) -> str:
        """SHA-256 of everything that a point's answers and bytes depend on, hex."""
        parts = (
            self.model_sha256,
            self.dataset_sha256,
            self.order_sha256,
            recipe_sha256(self.recipe),
            repr(self.labels),
            self.engine,
            __version__,
            point.identity,
            "" if point.price is None else self.calibration,
        )
        digest = hashlib.sha256()
        for part in parts:
            digest.update(f"{len(part)} {part}\n".encode())
        return digest.hexdigest()

    def holds(self, entry: Entry) -> bool:
        """Whether the lens of an entry is still in the folder, unchanged."""
        path = self.folder / entry.lens
        return path.is_file() and sha256_of(path) == entry.lens_sha256

    def read(self) -> Imported:
        """The original, which must not have changed. Raises ModelError, FileError."""
        imported = replace(read_model(self.model), palettes={})
        if imported.source_sha256 != self.model_sha256:
            raise ModelError(
                f"'{self.model}' has changed since the sweep began. Run the sweep again.",
                slug="model-changed",
            )
        return imported

    def measure(self, imported: Imported, point: Point, *, photo_done: Callable[[], None]) -> Entry:
        """Compress, write the lens, run it on every view.

        photo_done  called after each photo
        """
        path = self.folder / point.lens
        contents = self._make(imported, point, path)
        with open_lens(path, threads=1) as lens:
            memory = lens.memory()
            answers = measure(
                self._photos(),
                _counted(scores_of_views(lens), photo_done),
                class_count=len(self.labels),
            )
        file_bytes = path.stat().st_size
        uncrushed = file_bytes if point.settings.crush is None else uncrushed_bytes(contents)
        return Entry(
            key=self.key(point),
            name=point.name,
            settings=json.loads(contents.provenance.settings),
            model=self.model.name,
            model_sha256=self.model_sha256,
            lens=point.lens,
            lens_sha256=sha256_of(path),
            file_bytes=file_bytes,
            uncrushed_bytes=uncrushed,
            memory=memory,
            recipe_sha256=recipe_sha256(self.recipe),
            order_sha256=self.order_sha256,
            engine=self.engine,
            version=__version__,
            measurement=answers,
        )

    def _make(self, imported: Imported, point: Point, path: Path) -> LensContents:
        if point.price is not None:
            return compress_at_price(
                imported,
                path,
                price=point.price,
                crush=point.settings.crush,
                about=self.about,
                known=read_sight(self.folder, point.price),
            ).contents
        contents = pack(imported, settings=point.settings, recipe=self.recipe, labels=self.labels)
        write_lens(path, contents)
        return contents

    def _photos(self) -> Dataset:
        return Dataset(
            name=self.dataset,
            rule="",
            sha256=self.dataset_sha256,
            classes=self.classes,
            photo_of=self.views.opened(),
            name_of=lambda number: f"photo {number}",
        )


def scores_of_views(lens: Lens) -> ScoresOf:
    """Probabilities for a view that is decoded and cropped, as Lens.confidences gives them."""

    def scores_of(view: Image) -> list[float]:
        (row,) = lens.run(input_of(view, lens.contents.recipe), batch=1)
        return list(row) if lens.gives_probabilities else softmax(row)

    return scores_of


def uncrushed_bytes(contents: LensContents) -> int:
    """Bytes of the same lens had its planes not gone through the PNG optimiser."""
    plain: dict[Plane, Plane] = {}
    for record in contents.tensors:
        for plane in (record.plane, record.mask):
            if plane is not None and plane not in plain:
                plain[plane] = _uncrushed(plane)
    tensors = tuple(
        replace(
            record,
            plane=plain[record.plane] if record.plane else None,
            mask=plain[record.mask] if record.mask else None,
        )
        for record in contents.tensors
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "uncrushed.lens"
        write_lens(path, replace(contents, tensors=tensors))
        return path.stat().st_size


def _uncrushed(plane: Plane) -> Plane:
    bands = tuple(
        replace(band, png=write_png(decode_png(band.png), plane.index_bits)) for band in plane.bands
    )
    return replace(plane, bands=bands)


def _counted(scores_of: ScoresOf, photo_done: Callable[[], None]) -> ScoresOf:
    def counting(photo: Image) -> Sequence[float]:
        scores = scores_of(photo)
        photo_done()
        return scores

    return counting


def recipe_sha256(recipe: Recipe) -> str:
    """SHA-256 of everything in a recipe, hex. A mean picture is in no repr."""
    return hashlib.sha256(repr(recipe).encode() + recipe.mean_picture).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex. Raises FileError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise cannot_read(path, error) from error
