"""The photos of a compression by rate and distortion: split, labelled where they are, looked at.

The part fit is what statistics are taken of; trials are judged on the part select; the part
report is looked at once, when the lens is finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens._version import __version__
from pocketlens.base.errors import DataError
from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.photos import (
    DROP_SHARES,
    SHARES,
    PhotoParts,
    PhotoSet,
    open_photos,
)
from pocketlens.compression.drop import check_provable
from pocketlens.compression.judging import Judge, Verdict
from pocketlens.compression.settings import FLOAT_BITS, Settings
from pocketlens.compression.story import pack
from pocketlens.evaluation.accuracy import FEWEST_CLASSES_FOR_TOP5
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.images.arrays import array_names
from pocketlens.lensfile.contents import LensContents, Receipt

if TYPE_CHECKING:
    from pocketlens.importers.imported import Imported
    from pocketlens.labels.labels import Label


@dataclass(frozen=True)
class Material:
    """The photos of a compression, and how they are looked at.

    parts     None: there are no photos
    classes   by hash of photo, for a drop on labelled photos; None: not labelled, or not asked
    original  the float network as a lens
    name      of the report part, for people
    """

    imported: Imported
    parts: PhotoParts | None
    classes: Mapping[str, int] | None
    original: LensContents
    name: str
    threads: int

    @classmethod
    def gather(
        cls,
        imported: Imported,
        empty: LensContents,
        *,
        photos: Path | None,
        limit: int,
        drop_points: float | None,
        threads: int,
        progress: Progress,
    ) -> Material:
        """Open, split and, for a drop, label the photos.

        empty  the lens without its tensors
        limit  most photos used; for a drop, of the part fit that part of it which is its share
        """
        original = pack(
            imported,
            settings=Settings(bits=FLOAT_BITS),
            recipe=empty.recipe,
            labels=empty.labels,
        )
        if photos is None:
            return cls(imported, None, None, original, "", threads)
        opened = partial(open_photos, photos, empty.recipe, progress=progress)
        name = f"{photos.resolve().stem}, report part"
        if drop_points is None:
            return cls(imported, opened(limit=limit), None, original, name, threads)
        classes = known_classes(photos, empty.labels, progress=progress)
        parts = opened(shares=DROP_SHARES, fit_limit=max(int(SHARES[0] * limit), 1))
        material = cls(imported, parts, classes, original, name, threads)
        material._check(drop_points)
        return material

    def _check(self, drop_points: float) -> None:
        """Whether the photos can prove a drop, and whether any is left to report it on."""
        assert self.parts is not None
        counted = [self._counted(part) for part in (self.parts.select, self.parts.report)]
        everything = sum(map(len, (self.parts.fit, self.parts.select, self.parts.report)))
        labelled = self.classes is not None
        share = len(self.parts.select) / everything
        check_provable(drop_points, counted[0], share=share, labelled=labelled)
        if not counted[1]:
            raise DataError(
                "None of the photos of the part report is labelled, so nothing could be said of "
                "the result. Label more of the photos.",
                slug="nothing-to-report-on",
            )

    def _counted(self, photos: PhotoSet) -> int:
        if self.classes is None:
            return len(photos)
        return sum(photo.sha256 in self.classes for photo in photos.photos)

    @property
    def placeholder(self) -> tuple[Receipt, ...]:
        """A receipt no shorter than the one to come, so that the file's size holds with it."""
        if self.classes is None or self.parts is None:
            return ()
        pair = (1 / 3, 1 / 3)
        n = len(self.parts.report)
        against = f"{self.imported.source_name} float32"
        top5 = len(self.original.labels) >= FEWEST_CLASSES_FOR_TOP5
        return (
            Receipt(
                self.name, "0" * 64, n, 1, 1 / 3, pair, 1 / 3 if top5 else None,
                pair if top5 else None, against, 1 / 3, pair, n, "core " + "x" * 12, __version__,
            ),
        )  # fmt: skip

    def judge(self, progress: Progress) -> Judge:
        """Of the photos that choices are made on."""
        assert self.parts is not None
        return Judge(
            self.original,
            self.parts.select,
            classes=self.classes,
            threads=self.threads,
            progress=progress,
        )

    def verdict(self, contents: LensContents, progress: Progress) -> Verdict | None:
        """What is said of the result: the report part is looked at here, once."""
        if self.parts is None:
            return None
        judge = Judge(
            self.original,
            self.parts.report,
            classes=self.classes,
            threads=self.threads,
            progress=progress,
        )
        return judge.report(contents, name=self.name, progress=progress)


def known_classes(
    photos: Path, labels: Sequence[Label], *, progress: Progress = silent
) -> dict[str, int] | None:
    """The class of each photo by its hash, where the folder or array is labelled as a data set.

    Photos that are there under two classes are left out. None: nothing says what photos show.
    Raises DataError where classes are said that the labels do not have; FileError.
    """
    if photos.suffix.lower() == ".npz" and "labels" not in array_names(photos):
        return None
    try:
        dataset = open_dataset(photos, labels, progress=progress)
    except DataError as error:
        if error.slug in ("not-a-dataset", "empty-dataset"):
            return None  # open_photos tells where there is no photo at all
        raise
    classes: dict[str, int] = {}
    unclear = set()
    for sha256, number in zip(dataset.photo_sha256, dataset.classes, strict=True):
        if classes.setdefault(sha256, number) != number:
            unclear.add(sha256)
    return {sha256: number for sha256, number in classes.items() if sha256 not in unclear}
