"""Fine-tuning as the last step of a compression by rate and distortion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pocketlens.base.errors import UsageError
from pocketlens.base.progress import Progress
from pocketlens.calibration.photos import PhotoParts
from pocketlens.compression.price import Price
from pocketlens.graph.graph import Graph, Network
from pocketlens.lensfile.contents import LensContents
from pocketlens.torchnet.network import ask_for_torch
from pocketlens.tuning.effort import MOST_PASSES, photos_for_tuning
from pocketlens.tuning.settings import TuningSettings
from pocketlens.tuning.tune import Tell, Tuned, tell_nobody, tune


class FineTuning:
    """A compression's Finish: hand it in as `finish`, look at `tuned` afterwards.

    settings  of the fine-tuning
    tuned     what came of it; None before
    """

    def __init__(self, settings: TuningSettings, *, tell: Tell) -> None:
        """Ask for torch now, before the long work. Raises MissingExtraError without it."""
        ask_for_torch("Fine-tuning")
        self.settings = settings
        self.tuned: Tuned | None = None
        self._tell = tell

    def photo_limit(self, graph: Graph) -> int:
        """More than calibration alone wants: training makes more of them."""
        return photos_for_tuning(graph)

    def told(self) -> Mapping[str, Any]:
        """What the lens keeps of it in its settings, at its longest."""
        return {"tuning": _outcome("dropped", self.settings.passes or MOST_PASSES)}

    def __call__(
        self, contents: LensContents, network: Network, parts: PhotoParts, *, progress: Progress
    ) -> LensContents:
        """Tune a coded lens on the parts fit and select; its settings tell what came of it."""
        self.tuned = tune(
            contents,
            network,
            parts.fit,
            parts.select,
            settings=self.settings,
            tell=self._tell,
            progress=progress,
        )
        kept = json.loads(contents.provenance.settings)
        word = "kept" if self.tuned.is_better else "dropped"
        kept["tuning"] = _outcome(word, self.tuned.passes)
        told = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        provenance = replace(contents.provenance, settings=told)
        return replace(self.tuned.contents, provenance=provenance)


def asked_tuning(
    tune: bool | int, price: Price | None, *, tell: Tell = tell_nobody
) -> FineTuning | None:
    """The fine-tuning that a caller asks for; None: not asked.

    tune  False: not asked; True: some minutes of it; a number: so many passes over the photos
    tell  told how each check went
    Raises UsageError, MissingExtraError.
    """
    if tune is False:
        return None
    if price is None or price.photos is None:
        raise UsageError(
            "Fine-tuning needs photos and a budget to make the lens by: give photos and a largest "
            "size, a largest drop or a price of a bit as well, or leave fine-tuning out.",
            slug="tuning-needs-photos",
        )
    passes = None if tune is True else tune
    settings = TuningSettings(passes=passes, seed=price.seed, threads=price.threads)
    return FineTuning(settings, tell=tell)


def _outcome(word: str, passes: int) -> str:
    return f"{word}, {passes} passes"
