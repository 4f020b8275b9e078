"""The pictures of a fine-tuning: photos, mirrored and moved a little, with the float answers.

With some hundred photos a network's biases can be fitted to the photos themselves; the same photo
mirrored, or a few pixels to the side, is another picture to the network. Each photo has a few
such variants, drawn once, so that the float network is asked about each of them once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketlens.calibration.divergence import log_probabilities
from pocketlens.calibration.running import open_float
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.graph.graph import Network

Array = NDArray[np.float32]

VARIANTS = 4
"""Of each photo; a pass over the photos takes one of each."""

MOST_HELD_BYTES = 2**30
"""Of photos, and of answers, kept in memory; with more, they are made again when needed."""


class FloatAnswers:
    """What the float network answers: log-probabilities, float32 (classes,)."""

    def __init__(self, network: Network, *, threads: int = 1) -> None:
        """Open the float network in the core. Raises EngineError where it cannot run it."""
        self._engine = open_float(network, network.graph.outputs, threads=threads)
        self._probabilities = ends_in_softmax(network.graph)

    def to(self, picture: Array) -> Array:
        """The answer to one picture, (1, C, H, W)."""
        scores = self._engine.run([picture])[0].reshape(1, -1)
        told = log_probabilities(scores, probabilities=self._probabilities)
        answer: Array = told[0].astype(np.float32)
        return answer

    def close(self) -> None:
        """Free the engine's memory."""
        self._engine.close()


class Pictures:
    """Photos in their variants, with answers, pass after pass in another order."""

    def __init__(
        self, photos: Sequence[Array], answers: FloatAnswers, *, shift: int, seed: int
    ) -> None:
        """Hold the photos.

        photos  float32 (1, C, H, W) each, as the network takes them
        shift   most pixels a picture is moved by; seed: of variants and orders
        """
        self._photos = photos
        self._answers = answers
        self._shift = shift
        self._seed = seed
        first = photos[0]
        holds = len(photos) * first.nbytes <= MOST_HELD_BYTES
        self._held: dict[int, Array] | None = {} if holds else None
        answer_bytes = answers.to(first).nbytes
        keeps = len(photos) * VARIANTS * answer_bytes <= MOST_HELD_BYTES
        self._known: dict[tuple[int, int], Array] | None = {} if keeps else None

    def __len__(self) -> int:
        return len(self._photos)

    def batches(self, number: int, size: int) -> Iterator[tuple[Array, Array]]:
        """Pass `number` over the photos: pictures (n, C, H, W) and answers (n, classes)."""
        order = np.random.default_rng([self._seed, number]).permutation(len(self))
        for start in range(0, len(order), size):
            pairs = [self._pair(int(i), number % VARIANTS) for i in order[start : start + size]]
            pictures, answers = zip(*pairs, strict=True)
            yield np.concatenate(pictures), np.stack(answers)

    def _pair(self, photo: int, variant: int) -> tuple[Array, Array]:
        picture = varied(
            self._photo(photo),
            np.random.default_rng([self._seed, photo, variant]),
            shift=self._shift,
        )
        if self._known is None:
            return picture, self._answers.to(picture)
        key = (photo, variant)
        if key not in self._known:
            self._known[key] = self._answers.to(picture)
        return picture, self._known[key]

    def _photo(self, number: int) -> Array:
        if self._held is None:
            return self._photos[number]
        if number not in self._held:
            self._held[number] = self._photos[number]
        return self._held[number]


def varied(picture: Array, rng: np.random.Generator, *, shift: int) -> Array:
    """A variant of (1, C, H, W): perhaps mirrored, moved by up to `shift` pixels either way.

    What comes in from outside is the picture's edge, repeated.
    """
    if rng.random() < 0.5:
        picture = picture[..., ::-1]
    down, right = (int(x) for x in rng.integers(-shift, shift + 1, 2))
    rows, columns = picture.shape[2:]
    picture = picture[:, :, np.clip(np.arange(rows) - down, 0, rows - 1)]
    picture = picture[..., np.clip(np.arange(columns) - right, 0, columns - 1)]
    return np.ascontiguousarray(picture)
