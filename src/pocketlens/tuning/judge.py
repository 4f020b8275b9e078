"""How far a lens's answers are from the float network's on the photos that choices are made on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketlens.calibration.divergence import kl_each
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.engine.core import CoreEngine
from pocketlens.lensfile.contents import LensContents
from pocketlens.tuning.pictures import FloatAnswers

Array = NDArray[np.float32]


class SelectJudge:
    """Runs lenses in the core, as they would be written, on the part select."""

    def __init__(self, photos: Sequence[Array], answers: FloatAnswers, *, threads: int = 1) -> None:
        """Ask the float network about every photo, once."""
        self._photos = photos
        self._threads = threads
        self._told = [answers.to(photo) for photo in photos]

    def kl(self, contents: LensContents) -> float:
        """Mean KL(float || lens), nats a photo."""
        probabilities = ends_in_softmax(contents.graph)
        engine = CoreEngine(contents, threads=self._threads)
        total = 0.0
        try:
            for photo, told in zip(self._photos, self._told, strict=True):
                scores = engine.run([photo])[0].reshape(1, -1)
                first = np.exp(told)[None] if probabilities else told[None]
                total += float(kl_each(first, scores, probabilities=probabilities)[0])
        finally:
            engine.close()
        return total / len(self._photos)
