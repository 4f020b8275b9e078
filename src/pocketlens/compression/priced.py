"""Rate and distortion from end to end: photos are seen, a price of a bit found, a lens made."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.collect import collect
from pocketlens.calibration.divergence import Divergence, divergence
from pocketlens.calibration.invented import without_photos
from pocketlens.calibration.photos import PhotoSet, open_photos
from pocketlens.calibration.sensitivity import add_sensitivities, method_here
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.classify.lens import Lens, ends_in_softmax
from pocketlens.compression.budget import Trial, fit_size
from pocketlens.compression.coding import code_network
from pocketlens.compression.settings import FLOAT_BITS, Settings
from pocketlens.compression.story import frame, pack
from pocketlens.graph.graph import Network
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.writer import write_lens

if TYPE_CHECKING:
    from pocketlens.compression.recipes import RecipeRequest
    from pocketlens.images.recipe import Recipe
    from pocketlens.importers.imported import Imported
    from pocketlens.labels.labels import Label

WORTH_BY = method_here()
"""How the worth of outputs is found here."""

FIRST_LAGRANGIAN = 1e-6
LEAST_LAGRANGIAN = 1e-12
MOST_LAGRANGIAN = 10.0
"""Nats a photo that a bit may cost: beyond these nothing changes, or nothing is left."""


@dataclass(frozen=True)
class Price:
    """What a compression by rate and distortion may cost; just one of the two.

    size_bytes  the finished file is at most this large, and within 1% of it where it can be
    lagrangian  nats a photo that a bit may cost
    photos      unlabelled photos to calibrate on: a folder or an .npz; None: without, which is
                clearly worse
    photo_limit most photos used
    seed        of the sensitivities
    threads     of everything; the result is the same for any number
    """

    size_bytes: int | None = None
    lagrangian: float | None = None
    photos: Path | None = None
    photo_limit: int = 512
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if (self.size_bytes is None) == (self.lagrangian is None):
            raise UsageError(
                "Give one of the two: the size of the file, or the price of a bit.",
                slug="one-price",
            )
        if not 1 <= self.threads <= 256:
            raise UsageError(
                f"{self.threads} threads were asked for; choose 1 to 256.", slug="bad-threads"
            )
        if self.seed < 0:
            raise UsageError(
                f"The seed {self.seed} was given; a seed is 0 or more.", slug="bad-seed"
            )

    def to_json(self) -> str:
        """JSON text with sorted keys, for the lens's provenance. No path: those are private."""
        values = {
            "size_bytes": self.size_bytes,
            "lagrangian": self.lagrangian,
            "seed": self.seed,
            "worth_by": WORTH_BY,
        }
        return json.dumps({k: v for k, v in values.items() if v is not None}, sort_keys=True)


@dataclass(frozen=True)
class Priced:
    """A lens by rate and distortion.

    contents    of the lens
    lagrangian  the price that was found
    photos      that statistics were taken of; 0: none were given
    unseen      how far the answers are from the float network's on photos that nothing was
                chosen by; None without photos
    """

    contents: LensContents
    lagrangian: float
    photos: int
    unseen: Divergence | None


def compress_at_price(
    imported: Imported,
    out: Path,
    *,
    price: Price,
    crush: int | None = 4,
    recipe: Recipe | RecipeRequest | str | None = None,
    labels: tuple[Label, ...] | None = None,
    name: str | None = None,
    licence: str | None = None,
    progress: Progress = silent,
) -> Priced:
    """Code a network by rate and distortion and write the lens.

    crush  effort of the PNG optimiser, 0 to 6; None: leave it out
    Other arguments as compress() takes them. Raises UsageError, DataError, ImageError, FileError.
    """
    empty = frame(
        imported,
        settings=price.to_json(),
        recipe=recipe,
        labels=labels,
        name=name,
        licence=licence,
    )
    fit: Sequence[NDArray[np.float32]] = ()
    report: PhotoSet | None = None
    if price.photos is not None:
        parts = open_photos(price.photos, empty.recipe, limit=price.photo_limit, progress=progress)
        fit, report = parts.fit, parts.report
    network = imported.network
    statistics = see(
        network, fit, empty.recipe, seed=price.seed, threads=price.threads, progress=progress
    )
    trial = _code(empty, network, statistics, price=price, crush=crush, progress=progress)
    unseen = None if report is None else _divergence(imported, trial.result, report, progress)
    write_lens(out, trial.result, progress=progress)
    return Priced(trial.result, trial.lagrangian, len(fit), unseen)


def _divergence(
    imported: Imported, contents: LensContents, photos: PhotoSet, progress: Progress
) -> Divergence:
    """How far a lens is from the float network on photos that it never saw."""
    original = pack(
        imported,
        settings=Settings(bits=FLOAT_BITS),
        recipe=contents.recipe,
        labels=contents.labels,
    )
    rows: tuple[list[NDArray[np.float32]], ...] = ([], [])
    with Lens(original) as first, Lens(contents) as second:
        for number, picture in enumerate(photos):
            progress("comparing", number, len(photos))
            rows[0].append(first.scores(picture)[0])
            rows[1].append(second.scores(picture)[0])
    probabilities = ends_in_softmax(contents.graph)
    return divergence(np.stack(rows[0]), np.stack(rows[1]), probabilities=probabilities)


def see(
    network: Network,
    inputs: Sequence[NDArray[np.float32]],
    recipe: Recipe,
    *,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, LayerStatistics]:
    """What photos do to every layer; without photos, what invented pictures do: clearly worse.

    What outputs are worth is Fisher information where torch is installed, else what shaking the
    weights does to the answers: two ways to the same, which give different bytes. WORTH_BY says
    which it is, and the lens keeps it.
    inputs  network inputs, float32 (1, C, H, W), as the recipe makes them; may be empty
    """
    if not inputs:
        return without_photos(network, recipe, seed=seed, threads=threads, progress=progress)
    statistics = collect(network, inputs, threads=threads, progress=progress)
    return add_sensitivities(
        network, statistics, inputs, seed=seed, threads=threads, progress=progress
    )


def code_at(
    contents: LensContents,
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    *,
    lagrangian: float,
    crush: int | None,
    threads: int = 1,
    progress: Progress = silent,
) -> Trial[LensContents]:
    """Code the network at one price of a bit and measure the finished file.

    contents  everything of the lens but its tensors: name, labels, recipe, provenance
    """
    coded = code_network(
        network,
        statistics,
        lagrangian=lagrangian,
        crush=crush,
        threads=threads,
        progress=progress,
    )
    made = replace(contents, graph=coded.graph, tensors=coded.tensors)
    return Trial(lagrangian, _file_bytes(made), made)


def _code(
    contents: LensContents,
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    *,
    price: Price,
    crush: int | None,
    progress: Progress,
) -> Trial[LensContents]:
    """At the price that was given, or at that which meets the size on real file bytes."""

    def attempt(lagrangian: float) -> Trial[LensContents]:
        return code_at(
            contents,
            network,
            statistics,
            lagrangian=lagrangian,
            crush=crush,
            threads=price.threads,
            progress=progress,
        )

    if price.size_bytes is None:
        assert price.lagrangian is not None
        return attempt(price.lagrangian)
    return fit_size(
        attempt,
        price.size_bytes,
        first=FIRST_LAGRANGIAN,
        lowest=LEAST_LAGRANGIAN,
        highest=MOST_LAGRANGIAN,
    )


def _file_bytes(contents: LensContents) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.lens"
        write_lens(path, contents)
        return path.stat().st_size
