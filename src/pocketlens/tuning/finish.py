"""Fine-tuning as the last step of a compression by rate and distortion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pocketlens.base.progress import Progress
from pocketlens.calibration.photos import PhotoParts
from pocketlens.graph.graph import Network
from pocketlens.lensfile.contents import LensContents
from pocketlens.torchnet.network import ask_for_torch
from pocketlens.tuning.settings import TuningSettings
from pocketlens.tuning.tune import Tell, Tuned, tune


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

    def told(self) -> Mapping[str, Any]:
        """What the lens keeps of it in its settings, at its longest."""
        return {"tuning": self._outcome("dropped")}

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
        kept["tuning"] = self._outcome("kept" if self.tuned.is_better else "dropped")
        told = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        provenance = replace(contents.provenance, settings=told)
        return replace(self.tuned.contents, provenance=provenance)

    def _outcome(self, word: str) -> str:
        return f"{word}, {self.settings.passes} passes"
